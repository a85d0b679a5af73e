//! Applications for truck passes: the applicant's side. The review stands in `review`, the issue of
//! a pass in `issue`.

mod attachments;
mod batch;
mod issue;
mod reply;
mod review;

pub(in crate::service) use issue::zone_name;
pub(in crate::service) use reply::evaluation;

use std::sync::Arc;

use object_store::local::LocalFileSystem;

use crate::{
    actor::{Actor, Item, Matter, Role},
    context::Cx,
    domain::{
        common::{lifecycle::Held, number::ApplicationNumber},
        duty::month,
        pass::application::{
            Application, ApplicationAction, ApplicationState, Need, NeedForm, Purpose,
            SourceChannel,
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, pass_application_service_server::PassApplicationService},
        rpc,
        wire::{self, Page},
    },
    store::{
        self, Store, Tx, World,
        common::{history, numbers},
        enterprise::attachments::Sight,
        pass::policy_inputs,
    },
};

/// The most papers of one application.
const ATTACHMENTS_MAX: usize = 20;

/// The service.
pub struct Applications {
    store: Store,
    world: World,
    files: Arc<LocalFileSystem>,
}

rpc! { PassApplicationService, Applications {
    create_pass_application(pb::CreatePassApplicationRequest) -> pb::PassApplication;
    create_pass_application_batch(pb::CreatePassApplicationBatchRequest) -> pb::PassApplicationBatch;
    get_pass_application(pb::GetPassApplicationRequest) -> pb::PassApplication;
    list_pass_applications(pb::ListPassApplicationsRequest) -> pb::ListPassApplicationsResponse;
    update_pass_application(pb::UpdatePassApplicationRequest) -> pb::PassApplication;
    submit_pass_application(pb::SubmitPassApplicationRequest) -> pb::PassApplication;
    withdraw_pass_application(pb::WithdrawPassApplicationRequest) -> pb::PassApplication;
    list_review_queue(pb::ListReviewQueueRequest) -> pb::ListReviewQueueResponse;
    claim_pass_application(pb::ClaimPassApplicationRequest) -> pb::PassApplication;
    reassign_pass_application(pb::ReassignPassApplicationRequest) -> pb::PassApplication;
    accept_pass_application(pb::AcceptPassApplicationRequest) -> pb::PassApplication;
    decline_pass_application(pb::DeclinePassApplicationRequest) -> pb::PassApplication;
    request_pass_application_correction(pb::RequestPassApplicationCorrectionRequest) -> pb::PassApplication;
    approve_pass_application(pb::ApprovePassApplicationRequest) -> pb::PassApplication;
    reject_pass_application(pb::RejectPassApplicationRequest) -> pb::PassApplication;
    list_pass_application_changes(pb::ListPassApplicationChangesRequest) -> pb::ListPassApplicationChangesResponse;
    create_attachment(pb::CreateAttachmentRequest) -> pb::Attachment;
    upload_attachment_chunk(pb::UploadAttachmentChunkRequest) -> pb::Attachment;
    complete_attachment(pb::CompleteAttachmentRequest) -> pb::Attachment;
    read_attachment_chunk(pb::ReadAttachmentChunkRequest) -> pb::ReadAttachmentChunkResponse;
} }

/// What an applicant asks for, read.
struct Asked {
    enterprise: Id<kind::Enterprise>,
    vehicle: Id<kind::Vehicle>,
    need: Need,
    declared: bool,
    attachments: Vec<Id<kind::Attachment>>,
    purpose: Purpose,
    previous: Option<Id<kind::TruckPass>>,
    channel: SourceChannel,
}

impl Applications {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone(), files: parts.files.clone() }
    }

    async fn create_pass_application(
        &self,
        cx: &Cx,
        request: pb::CreatePassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let asked = asked(cx, &request)?;
        let world = self.world.get(&self.store).await?;
        if request.validate_only {
            let mut connection = self.store.read().await?;
            let site = site(&mut connection, cx, &asked).await?;
            let application = new_draft(cx, asked, site, String::new());
            return self.reply_evaluated(&mut connection, cx, application, &world).await;
        }
        wire::write(&self.store, cx, &request, async |tx| {
            let application = file(tx, asked).await?;
            let reply = self.reply_evaluated(tx.conn(), cx, application, &world).await?;
            Ok(reply)
        })
        .await
    }

    async fn get_pass_application(
        &self,
        cx: &Cx,
        request: pb::GetPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let id = wire::named(&request.name)?;
        let world = self.world.get(&self.store).await?;
        let mut connection = self.store.read().await?;
        let application =
            store::pass::applications::get(&mut connection, id, &cx.sight_of(Matter::Application))
                .await?;
        self.reply_evaluated(&mut connection, cx, application, &world).await
    }

    async fn list_pass_applications(
        &self,
        cx: &Cx,
        request: pb::ListPassApplicationsRequest,
    ) -> Result<pb::ListPassApplicationsResponse> {
        let mut faults = Faults::new();
        let enterprise = maybe::<kind::Enterprise>(&mut faults, "enterprise", &request.enterprise);
        let vehicle = maybe::<kind::Vehicle>(&mut faults, "vehicle", &request.vehicle);
        let state = request.state().as_str_name();
        let state = ApplicationState::from_wire(state).map(ApplicationState::wire);
        faults.done()?;
        let page = Page::of(
            &self.store,
            &request,
            &[cx.method, &request.enterprise, &request.vehicle, state.unwrap_or_default()],
        )?;
        let filter = store::pass::applications::Filter { enterprise, vehicle, state };
        let world = self.world.get(&self.store).await?;
        let mut connection = self.store.read().await?;
        let mut found = store::pass::applications::list(
            &mut connection,
            &filter,
            &cx.sight_of(Matter::Application),
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |application| application.id.uuid());
        let pass_applications = found
            .iter()
            .map(|application| Self::reply(cx, application, &world, None))
            .collect::<Result<_>>()?;
        Ok(pb::ListPassApplicationsResponse { pass_applications, next_page_token })
    }

    async fn update_pass_application(
        &self,
        cx: &Cx,
        request: pb::UpdatePassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let form = request.pass_application.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.take("pass_application.name", Id::parse(&form.name));
        let version = faults.take("pass_application.etag", wire::version(&form.etag));
        let need = need(cx, form.need.unwrap_or_default(), &mut faults);
        let attachments = attachment_ids(&form.attachments, &mut faults);
        let (id, version, need) = faults.whole((id, version, need))?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let mut application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            files_for(cx, &application)?;
            wire::fresh(version, application.version)?;
            let mut faults = Faults::new();
            refuse_past(cx, Some(&need), Some(&application.need), &mut faults);
            faults.done()?;
            application.attachments = attachments;
            refuse_faulty_papers(tx, &application).await?;
            let moved = application.edit(need, form.declaration_accepted, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = self.reply_evaluated(tx.conn(), cx, application, &world).await?;
            Ok(reply)
        })
        .await
    }

    async fn submit_pass_application(
        &self,
        cx: &Cx,
        request: pb::SubmitPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let id = wire::named(&request.name)?;
        let version = etag(&request.etag)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            files_for(cx, &application)?;
            wire::fresh(version, application.version)?;
            let application = self.hand_in(tx, cx, application, &world).await?;
            let reply = self.reply_evaluated(tx.conn(), cx, application, &world).await?;
            Ok(reply)
        })
        .await
    }

    async fn withdraw_pass_application(
        &self,
        cx: &Cx,
        request: pb::WithdrawPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text_maybe(&request.note, 500)).unwrap_or_default();
        let id = faults.whole(id)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            files_for(cx, &application)?;
            let moved = application.withdraw(note, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = Self::reply(cx, &application, &world, None)?;
            Ok(reply)
        })
        .await
    }

    async fn list_pass_application_changes(
        &self,
        cx: &Cx,
        request: pb::ListPassApplicationChangesRequest,
    ) -> Result<pb::ListPassApplicationChangesResponse> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let application =
            store::pass::applications::get(&mut connection, id, &cx.sight_of(Matter::Application))
                .await?;
        let written = history::list(&mut connection, application.id.subject()).await?;
        let officer = matches!(cx.actor, Actor::Officer { .. });
        let changes = wire::changes::<ApplicationAction>(written, officer);
        Ok(pb::ListPassApplicationChangesResponse { changes })
    }
}

/// An etag that may be absent.
fn etag(text: &str) -> Result<Option<i64>> {
    wire::version(text).map_err(|flaw| Error::field("etag", flaw))
}

/// A name that may be absent.
fn maybe<K: crate::id::Collection>(
    faults: &mut Faults,
    path: &str,
    name: &str,
) -> Option<uuid::Uuid> {
    if name.is_empty() { None } else { faults.take(path, Id::<K>::parse(name)).map(Id::uuid) }
}

/// Only who may act for the enterprise in passes, or the officer who filed it for them.
fn files_for(cx: &Cx, application: &Application) -> Result<()> {
    let own = cx.actor.acts_for(application.enterprise, Item::Pass);
    if own || application.applicant == cx.actor.name() {
        Ok(())
    } else {
        Err(cx.scope().missing(application.id.subject()))
    }
}

fn asked(cx: &Cx, request: &pb::CreatePassApplicationRequest) -> Result<Asked> {
    let form = request.pass_application.clone().unwrap_or_default();
    let mut faults = Faults::new();
    let enterprise = faults.take("pass_application.enterprise", Id::parse(&form.enterprise));
    let vehicle = faults.take("pass_application.vehicle", Id::parse(&form.vehicle));
    let need = need(cx, form.need.unwrap_or_default(), &mut faults);
    refuse_past(cx, need.as_ref(), None, &mut faults);
    let attachments = attachment_ids(&form.attachments, &mut faults);
    let purpose = match Purpose::from_wire(request.purpose().as_str_name()) {
        Some(purpose) => purpose,
        None => Purpose::New,
    };
    let previous = if request.previous_pass.is_empty() {
        faults.check(purpose == Purpose::New, "previous_pass", Flaw::Required);
        None
    } else {
        faults.check(purpose != Purpose::New, "previous_pass", Flaw::NotAllowed);
        faults.take("previous_pass", Id::parse(&request.previous_pass))
    };
    let channel = SourceChannel::from_wire(request.source_channel().as_str_name());
    faults.done()?;
    let officer = matches!(cx.actor, Actor::Officer { .. });
    let default = if officer { SourceChannel::Window } else { SourceChannel::MiniProgram };
    match (enterprise, vehicle, need) {
        (Some(enterprise), Some(vehicle), Some(need)) => Ok(Asked {
            enterprise,
            vehicle,
            need,
            declared: form.declaration_accepted,
            attachments,
            purpose,
            previous,
            channel: channel.unwrap_or(default),
        }),
        _ => Err(Error::new(Reason::RequestInvalid)),
    }
}

fn attachment_ids(names: &[String], faults: &mut Faults) -> Vec<Id<kind::Attachment>> {
    faults.check(names.len() <= ATTACHMENTS_MAX, "attachments", Flaw::TooMany);
    let mut ids = Vec::new();
    for (at, name) in names.iter().enumerate().take(ATTACHMENTS_MAX) {
        let path = format!("attachments[{at}]");
        if let Some(id) = faults.take(&*path, Id::parse(name)) {
            faults.check(!ids.contains(&id), path, Flaw::Duplicate);
            ids.push(id);
        }
    }
    ids
}

/// A pass is not asked for from a day that is over; a correction may keep the day it had.
fn refuse_past(cx: &Cx, need: Option<&Need>, before: Option<&Need>, faults: &mut Faults) {
    let today = month::local_date(cx.now);
    let past = need.is_some_and(|need| need.starts_in_past(today, before));
    faults.check(!past, "need.start_date", Flaw::InPast);
}

/// Reads what is asked for, and notes every fault of it.
fn need(cx: &Cx, form: pb::PassNeed, faults: &mut Faults) -> Option<Need> {
    let mut text = |path: &'static str, value: &str, max: usize, required: bool| {
        let read = if required { wire::text(value, max) } else { wire::text_maybe(value, max) };
        faults.take(path, read).unwrap_or_default()
    };
    let goods = text("need.goods", &form.goods, 100, true);
    let reason = text("need.reason", &form.reason, 500, true);
    let loading_place = text("need.loading_place", &form.loading_place, 200, false);
    let unloading_place = text("need.unloading_place", &form.unloading_place, 200, false);
    let permit_number = text("need.permit_number", &form.permit_number, 100, false);
    let route = form.route.iter().map(|road| text("need.route", road, 100, true)).collect();
    let kind = form.pass_kind().as_str_name();
    let windows = form
        .time_windows
        .iter()
        .map(|window| (window.weekdays.clone(), window.from_minute, window.until_minute))
        .collect();
    let form = NeedForm {
        kind,
        zones: form.zones,
        goods,
        cargo: form.cargo_kind,
        reason,
        loading_place,
        unloading_place,
        route,
        windows,
        start: form.start_date,
        months: form.months,
        days: form.days,
        shorten_agreed: form.shorten_agreed,
        trailer: form.trailer_plate_number,
        permit_number,
    };
    Need::parse(form, month::local_date(cx.now), faults)
}

/// Whether the caller may file for the enterprise, and which unit serves it.
async fn site(connection: &mut store::Connection, cx: &Cx, asked: &Asked) -> Result<String> {
    let own = cx.actor.acts_for(asked.enterprise, Item::Pass);
    let clerk = cx.actor.roles().has(Role::WindowClerk);
    let scope = cx.scope_of(Matter::Application);
    let missing = || scope.missing(asked.enterprise.subject());
    if !own && !clerk {
        return Err(missing());
    }
    let (path, state) = policy_inputs::site(connection, asked.enterprise, &scope).await?;
    state.refuse_unproven()?;
    policy_inputs::vehicle(connection, asked.enterprise, asked.vehicle).await?;
    if let Some(previous) = asked.previous {
        let pass =
            store::pass::passes::get(connection, previous, &cx.scope_of(Matter::Pass)).await?;
        if pass.vehicle != asked.vehicle {
            return Err(Error::field("previous_pass", Flaw::NotAllowed));
        }
    }
    Ok(path)
}

fn new_draft(cx: &Cx, asked: Asked, unit_path: String, number: String) -> Application {
    Application {
        id: cx.id(),
        number,
        enterprise: asked.enterprise,
        unit_path,
        vehicle: asked.vehicle,
        purpose: asked.purpose,
        previous_pass: asked.previous,
        batch: None,
        source_channel: asked.channel,
        applicant: cx.actor.name(),
        filed_on_behalf: matches!(cx.actor, Actor::Officer { .. }),
        need: asked.need,
        declaration_accepted: asked.declared,
        attachments: asked.attachments,
        assignee: None,
        first_reviewer: None,
        corrections: Vec::new(),
        evaluation: None,
        decision: None,
        create_time: cx.now,
        submit_time: None,
        accept_time: None,
        waits: Vec::new(),
        decide_time: None,
        version: 1,
        held: Held::default(),
    }
}

/// Stores a new draft.
async fn file(tx: &mut Tx, asked: Asked) -> Result<Application> {
    let cx = tx.cx().clone();
    let path = site(tx.conn(), &cx, &asked).await?;
    let day = month::local_date(cx.now);
    let sequence = numbers::next(tx, ApplicationNumber::PREFIX, day).await?;
    let number = ApplicationNumber::new(day, sequence)?;
    let application = new_draft(&cx, asked, path, number.to_string());
    refuse_faulty_papers(tx, &application).await?;
    tx.settle_first(application.draft(&cx), store::pass::applications::insert).await
}

async fn refuse_faulty_papers(tx: &mut Tx, application: &Application) -> Result<()> {
    let (sight, now) = (Sight::of(&tx.cx().actor), tx.now());
    let mut faults = Faults::new();
    for (at, flaw) in policy_inputs::faulty_papers(tx.conn(), application, &sight, now).await? {
        faults.add(format!("attachments[{at}]"), flaw);
    }
    faults.done()
}
