//! Who serves whom (measure 17): posts and their rosters. Bindings stand in `bindings`.

mod bindings;
pub mod centre;
pub mod conversations;

use std::sync::Arc;

use super::{
    pb::{self, liaison_service_server::LiaisonService},
    rpc,
    wire::{self, Page},
};
use crate::{
    actor::{Matter, Scope},
    context::Cx,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        liaison::{Duty, Post, PostMode, conversation::Conversation, message::NoticeCode},
        pass::application::NeedWindow,
    },
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    parts::Parts,
    remote::wecom::Wecom,
    store::{
        self, Connection, Store, Tx, World,
        liaison::{liaison_posts, messages},
    },
};

/// How many conversations one officer may hold where the post does not say.
const CAPACITY_DEFAULT: i32 = 20;
/// The most districts or industries of one post.
const SERVED_MAX: usize = 50;

/// The service.
pub struct Liaison {
    store: Store,
    world: World,
    wecom: Option<Arc<Wecom>>,
}

rpc! { LiaisonService, Liaison {
    create_liaison_post(pb::CreateLiaisonPostRequest) -> pb::LiaisonPost;
    update_liaison_post(pb::UpdateLiaisonPostRequest) -> pb::LiaisonPost;
    get_liaison_post(pb::GetLiaisonPostRequest) -> pb::LiaisonPost;
    list_liaison_posts(pb::ListLiaisonPostsRequest) -> pb::ListLiaisonPostsResponse;
    assign_liaison_officer(pb::AssignLiaisonOfficerRequest) -> pb::LiaisonPost;
    hand_over_liaison_post(pb::HandOverLiaisonPostRequest) -> pb::LiaisonPost;
    list_liaison_post_changes(pb::ListLiaisonPostChangesRequest)
        -> pb::ListLiaisonPostChangesResponse;
    grant_liaison_binding(pb::GrantLiaisonBindingRequest) -> pb::LiaisonBinding;
    issue_binding_code(pb::IssueBindingCodeRequest) -> pb::BindingCode;
    create_contact_way(pb::CreateContactWayRequest) -> pb::ContactWay;
    read_binding_code(pb::ReadBindingCodeRequest) -> pb::LiaisonPost;
    confirm_liaison_binding(pb::ConfirmLiaisonBindingRequest) -> pb::LiaisonBinding;
    end_liaison_binding(pb::EndLiaisonBindingRequest) -> pb::LiaisonBinding;
    list_liaison_bindings(pb::ListLiaisonBindingsRequest) -> pb::ListLiaisonBindingsResponse;
} }

impl Liaison {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone(), wecom: parts.wecom.clone() }
    }

    async fn create_liaison_post(
        &self,
        cx: &Cx,
        request: pb::CreateLiaisonPostRequest,
    ) -> Result<pb::LiaisonPost> {
        cx.actor.sworn()?;
        let form = request.liaison_post.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let unit = faults.take("liaison_post.unit", Id::<kind::Unit>::parse(&form.unit));
        let mode = PostMode::from_wire(form.mode().as_str_name());
        faults.check(mode.is_some(), "liaison_post.mode", Flaw::Required);
        let written = Written::parse(&form, &mut faults);
        let (unit, mode, written) = faults.whole((unit, mode, written))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let unit = store::identity::units::get(tx.conn(), unit, &cx.scope()).await?;
            let post = Post {
                id: cx.id(),
                unit: unit.id,
                unit_path: unit.path,
                display_name: written.display_name,
                mode,
                duty: written.duty,
                capacity_max: written.capacity_max,
                districts: written.districts,
                industries: written.industries,
                create_time: cx.now,
                version: 1,
            };
            let created = post.acted(Deed::Create, Note::none(), cx);
            let post = tx.settle_first(created, liaison_posts::insert).await?;
            let reply = self.reply(tx.conn(), cx, &post).await?;
            Ok(reply)
        })
        .await
    }

    async fn update_liaison_post(
        &self,
        cx: &Cx,
        request: pb::UpdateLiaisonPostRequest,
    ) -> Result<pb::LiaisonPost> {
        cx.actor.sworn()?;
        let form = request.liaison_post.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.take("liaison_post.name", Id::parse(&form.name));
        let version = faults.maybe("liaison_post.etag", wire::version(&form.etag));
        let written = Written::parse(&form, &mut faults);
        let (id, written) = faults.whole((id, written))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let mut post = liaison_posts::lock(tx, id, &cx.scope_of(Matter::Post)).await?;
            wire::fresh(version, post.version)?;
            post.display_name = written.display_name;
            post.duty = written.duty;
            post.capacity_max = written.capacity_max;
            post.districts = written.districts;
            post.industries = written.industries;
            let post = tx.settle_now(post.acted(Deed::Update, Note::none(), cx)).await?;
            let reply = self.reply(tx.conn(), cx, &post).await?;
            Ok(reply)
        })
        .await
    }

    async fn get_liaison_post(
        &self,
        cx: &Cx,
        request: pb::GetLiaisonPostRequest,
    ) -> Result<pb::LiaisonPost> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let post = liaison_posts::get(&mut connection, id, &cx.sight_of(Matter::Post)).await?;
        self.reply(&mut connection, cx, &post).await
    }

    async fn list_liaison_posts(
        &self,
        cx: &Cx,
        request: pb::ListLiaisonPostsRequest,
    ) -> Result<pb::ListLiaisonPostsResponse> {
        let enterprise = if request.enterprise.is_empty() {
            None
        } else {
            let id = Id::<kind::Enterprise>::parse(&request.enterprise);
            Some(id.map_err(|flaw| Error::field("enterprise", flaw))?)
        };
        let arguments = [cx.method, &request.enterprise];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Post), self.store.read().await?);
        let mut found = match enterprise {
            Some(enterprise) => {
                let (after, rows) = (page.after, page.rows());
                liaison_posts::serving(&mut connection, enterprise, &scope, after, rows).await?
            }
            None => liaison_posts::list(&mut connection, &scope, page.after, page.rows()).await?,
        };
        let next_page_token = page.cut(&mut found, |post| post.id.uuid());
        let mut liaison_posts = Vec::with_capacity(found.len());
        for post in found {
            liaison_posts.push(self.reply(&mut connection, cx, &post).await?);
        }
        Ok(pb::ListLiaisonPostsResponse { liaison_posts, next_page_token })
    }

    async fn assign_liaison_officer(
        &self,
        cx: &Cx,
        request: pb::AssignLiaisonOfficerRequest,
    ) -> Result<pb::LiaisonPost> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let officer = faults.take("officer", Id::<kind::Officer>::parse(&request.officer));
        let (id, officer) = faults.whole((id, officer))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let post = liaison_posts::lock(tx, id, &cx.scope_of(Matter::Post)).await?;
            if !liaison_posts::assign(tx, id, officer, &cx.scope()).await? {
                return Err(cx.scope().missing(officer.subject()));
            }
            let note = Note::internal(officer.to_string());
            let post = tx.settle_now(post.acted(Deed::Assign, note, cx)).await?;
            let reply = self.reply(tx.conn(), cx, &post).await?;
            Ok(reply)
        })
        .await
    }

    async fn hand_over_liaison_post(
        &self,
        cx: &Cx,
        request: pb::HandOverLiaisonPostRequest,
    ) -> Result<pb::LiaisonPost> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let officer = faults.take("officer", Id::parse(&request.officer));
        let successor = if request.successor.is_empty() {
            None
        } else {
            faults.take("successor", Id::<kind::Officer>::parse(&request.successor))
        };
        faults.check(request.successor != request.officer, "successor", Flaw::Duplicate);
        let note = faults.take("note", wire::text(&request.note, 500));
        let (id, officer, note) = faults.whole((id, officer, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let post = liaison_posts::lock(tx, id, &cx.scope_of(Matter::Post)).await?;
            if let Some(successor) = successor
                && liaison_posts::lock_seat(tx, id, successor).await?.is_none()
            {
                return Err(cx.scope().missing(successor.subject()));
            }
            if !liaison_posts::dismiss(tx, id, officer).await? {
                return Err(cx.scope().missing(officer.subject()));
            }
            hand_over(tx, cx, id, officer, successor).await?;
            // Streams of the officer who left look again, and end (I15).
            for conversation in store::liaison::participants::raise_access_of_post(tx, id).await? {
                tx.tell(conversation);
            }
            let note = Note::internal(format!("{officer}: {note}"));
            let post = tx.settle_now(post.acted(Deed::HandOver, note, cx)).await?;
            let reply = self.reply(tx.conn(), cx, &post).await?;
            Ok(reply)
        })
        .await
    }

    async fn list_liaison_post_changes(
        &self,
        cx: &Cx,
        request: pb::ListLiaisonPostChangesRequest,
    ) -> Result<pb::ListLiaisonPostChangesResponse> {
        let id: Id<kind::LiaisonPost> = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        liaison_posts::get(&mut connection, id, &cx.sight_of(Matter::Post)).await?;
        let written = store::common::history::list(&mut connection, id.subject()).await?;
        Ok(pb::ListLiaisonPostChangesResponse { changes: wire::changes::<Deed>(written, true) })
    }

    /// A post as its reader sees it.
    async fn reply(
        &self,
        connection: &mut Connection,
        cx: &Cx,
        post: &Post,
    ) -> Result<pb::LiaisonPost> {
        let roster = liaison_posts::roster(connection, self.store.vault(), post.id).await?;
        let present = roster.iter().any(|entry| entry.present);
        let roster = roster.into_iter().map(|entry| pb::RosterEntry {
            officer: entry.officer.to_string(),
            // Who serves is told to whom is served (measure 17: 专人服务).
            display_name: entry.full_name,
            police_number: entry.police_number,
            present: entry.present,
            create_time: Some(wire::time(entry.create_time)),
        });
        let covered = post.duty.covers(cx.now, &self.world.calendar()).unwrap_or(false);
        let mode = wire::enumerated::<pb::liaison_post::Mode>(post.mode);
        Ok(pb::LiaisonPost {
            name: post.id.to_string(),
            unit: post.unit.to_string(),
            display_name: post.display_name.clone(),
            mode,
            duty_hours: post.duty.windows().iter().copied().map(wire::window).collect(),
            capacity_max: post.capacity_max,
            districts: post.districts.clone(),
            industries: post.industries.clone(),
            roster: roster.collect(),
            on_duty: covered && present,
            create_time: Some(wire::time(post.create_time)),
            etag: wire::etag(post.version),
        })
    }
}

/// What can be written into a post.
struct Written {
    display_name: String,
    duty: Duty,
    capacity_max: i32,
    districts: Vec<String>,
    industries: Vec<String>,
}

impl Written {
    fn parse(form: &pb::LiaisonPost, faults: &mut Faults) -> Option<Self> {
        let display_name = wire::text(&form.display_name, 60);
        let display_name = faults.take("liaison_post.display_name", display_name);
        let windows = form.duty_hours.iter().map(window).collect::<Result<Vec<_>, _>>();
        let duty = faults.take("liaison_post.duty_hours", windows.and_then(Duty::new));
        let capacity_max =
            if form.capacity_max == 0 { CAPACITY_DEFAULT } else { form.capacity_max };
        let fits = (1..=1_000).contains(&capacity_max);
        faults.check(fits, "liaison_post.capacity_max", Flaw::OutOfRange);
        let district = |code: &String| code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit());
        let industry = |code: &String| matches!(code.as_bytes(), [b'A'..=b'T']);
        let known = form.districts.iter().all(district);
        faults.check(known, "liaison_post.districts", Flaw::UnknownValue);
        let known = form.industries.iter().all(industry);
        faults.check(known, "liaison_post.industries", Flaw::UnknownValue);
        for (list, path) in [
            (&form.districts, "liaison_post.districts"),
            (&form.industries, "liaison_post.industries"),
        ] {
            faults.check(list.len() <= SERVED_MAX, path, Flaw::TooMany);
        }
        Some(Self {
            display_name: display_name?,
            duty: duty?,
            capacity_max,
            districts: form.districts.clone(),
            industries: form.industries.clone(),
        })
    }
}

fn window(window: &pb::TimeWindow) -> Result<NeedWindow, Flaw> {
    let mut days = 0_u8;
    for weekday in &window.weekdays {
        let day = u8::try_from(*weekday).ok().filter(|day| (1..=7).contains(day));
        days |= 1 << (day.ok_or(Flaw::TimeWindowInvalid)? - 1);
    }
    let minute = |minute: i32| u16::try_from(minute).map_err(|_| Flaw::TimeWindowInvalid);
    Ok(NeedWindow {
        days,
        from_minute: minute(window.from_minute)?,
        until_minute: minute(window.until_minute)?,
    })
}

/// The conversations of an officer who leaves go to the successor, or back to the queue.
async fn hand_over(
    tx: &mut Tx,
    cx: &Cx,
    post: Id<kind::LiaisonPost>,
    officer: Id<kind::Officer>,
    successor: Option<Id<kind::Officer>>,
) -> Result<()> {
    let everything =
        Scope::everything("the conversations of an officer who left, wherever they are");
    for id in store::liaison::conversations::held_by(tx.conn(), post, officer).await? {
        let conversation: Conversation =
            store::liaison::conversations::lock(tx, id, &everything).await?;
        // Somebody may have been faster while this waited for the row.
        if conversation.assignee != Some(officer) {
            continue;
        }
        let moved = conversation.hand_over(successor, cx)?;
        let mut conversation = tx.settle_now(moved).await?;
        let code = if successor.is_some() { NoticeCode::Transferred } else { NoticeCode::Returned };
        messages::notice(tx, &mut conversation, code, code.zh().to_owned()).await?;
    }
    Ok(())
}
