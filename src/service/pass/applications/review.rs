//! The officers' side of an application: queue, claim, accept, correct, decide.

use super::{Applications, etag};
use crate::{
    actor::Matter,
    context::Cx,
    domain::{
        duty::obligation::Standing,
        pass::{
            application::Correction,
            policy::{RefusalReason, Wish},
        },
    },
    error::{Faults, Flaw, Reason, Result},
    id::Id,
    service::{
        pb,
        wire::{self, Page},
    },
    store,
};

/// The most things to correct in one notice.
const CORRECTIONS_MAX: usize = 50;

impl Applications {
    pub(super) async fn list_review_queue(
        &self,
        cx: &Cx,
        request: pb::ListReviewQueueRequest,
    ) -> Result<pb::ListReviewQueueResponse> {
        let officer = cx.actor.officer()?;
        let flags = [request.unassigned_only, request.mine_only].map(|flag| flag.to_string());
        let arguments = [cx.method, &flags[0], &flags[1]];
        let page = Page::of(&self.store, &request, &arguments)?;
        let queue = store::pass::applications::Queue {
            unassigned: request.unassigned_only,
            of: request.mine_only.then(|| officer.uuid()),
            after: page.after,
        };
        let world = self.world.get(&self.store).await?;
        let mut connection = self.store.read().await?;
        let mut found = store::pass::applications::queue(
            &mut connection,
            queue,
            &cx.scope_of(Matter::Application),
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |application| application.id.uuid());
        let mut items = Vec::with_capacity(found.len());
        for application in found {
            let waiting = application.submit_time.map(|since| since.duration_until(cx.now));
            let values = &world.policy(application.accept_time.unwrap_or(cx.now))?.values;
            let standing = match application.standing(values, cx.now, &world.calendar) {
                Ok(standing) => standing_name(standing),
                Err(error) if error.reason() == Reason::CalendarMissing => "UNKNOWN",
                Err(error) => return Err(error),
            };
            items.push(pb::QueueItem {
                waiting_seconds: waiting.unwrap_or_default().as_secs(),
                standing: standing.to_owned(),
                pass_application: Some(Self::reply(cx, &application, &world, None)?),
            });
        }
        Ok(pb::ListReviewQueueResponse { items, next_page_token })
    }

    pub(super) async fn claim_pass_application(
        &self,
        cx: &Cx,
        request: pb::ClaimPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let id = wire::named(&request.name)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            let application = tx.settle_now(application.claim(cx)?).await?;
            let reply = self.reply_evaluated(tx.conn(), cx, application, &world).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn reassign_pass_application(
        &self,
        cx: &Cx,
        request: pb::ReassignPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text(&request.note, 500));
        let to = if request.officer.is_empty() {
            None
        } else {
            faults.take("officer", Id::parse(&request.officer))
        };
        let (id, note) = faults.whole((id, note))?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            if let Some(officer) = to {
                store::pass::policy_inputs::reviewer_in_reach(
                    tx.conn(),
                    officer,
                    &application.unit_path,
                )
                .await?;
            }
            let moved = application.reassign(to, note, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = Self::reply(cx, &application, &world, None)?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn accept_pass_application(
        &self,
        cx: &Cx,
        request: pb::AcceptPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let id = wire::named(&request.name)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            let application = tx.settle_now(application.accept(cx)?).await?;
            let reply = self.reply_evaluated(tx.conn(), cx, application, &world).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn decline_pass_application(
        &self,
        cx: &Cx,
        request: pb::DeclinePassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text(&request.note, 500));
        let (id, note) = faults.whole((id, note))?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            let moved = application.decline(note, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = Self::reply(cx, &application, &world, None)?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn request_pass_application_correction(
        &self,
        cx: &Cx,
        request: pb::RequestPassApplicationCorrectionRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let version = required_etag(&mut faults, &request.etag);
        let items = corrections(&request.items, &mut faults);
        let id = faults.whole(id)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            wire::fresh(version, application.version)?;
            let moved = application.request_correction(items, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = Self::reply(cx, &application, &world, None)?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn approve_pass_application(
        &self,
        cx: &Cx,
        request: pb::ApprovePassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let version = required_etag(&mut faults, &request.etag);
        let note = faults.take("note", wire::text_maybe(&request.note, 500)).unwrap_or_default();
        let id = faults.whole(id)?;
        let wish = Wish { months: request.months, days: request.days };
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            wire::fresh(version, application.version)?;
            let evaluation = self.evaluate(tx.conn(), cx, &application, &world).await?;
            let decided = application.decide(&evaluation, wish, note, cx)?;
            let application = self.carry_out(tx, cx, decided).await?;
            self.reply_evaluated(tx.conn(), cx, application, &world).await
        })
        .await
    }

    pub(super) async fn reject_pass_application(
        &self,
        cx: &Cx,
        request: pb::RejectPassApplicationRequest,
    ) -> Result<pb::PassApplication> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let version = required_etag(&mut faults, &request.etag);
        let note = faults.take("note", wire::text(&request.note, 500));
        faults.check(!request.reasons.is_empty(), "reasons", Flaw::Required);
        let mut reasons = Vec::new();
        for (at, code) in request.reasons.iter().enumerate() {
            let reason = RefusalReason::from_wire(code).ok_or(Flaw::UnknownValue);
            reasons.extend(faults.take(format!("reasons[{at}]"), reason));
        }
        let (id, note) = faults.whole((id, note))?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let application =
                store::pass::applications::lock(tx, id, &cx.scope_of(Matter::Application)).await?;
            wire::fresh(version, application.version)?;
            let evaluation = self.evaluate(tx.conn(), cx, &application, &world).await?;
            let moved = application.reject(&evaluation, reasons, note, cx)?;
            let application = tx.settle_now(moved).await?;
            let reply = Self::reply(cx, &application, &world, None)?;
            Ok(reply)
        })
        .await
    }
}

/// A decision names the version that the officer saw.
fn required_etag(faults: &mut Faults, text: &str) -> Option<i64> {
    faults.check(!text.is_empty(), "etag", Flaw::Required);
    if let Ok(version) = etag(text) {
        version
    } else {
        faults.add("etag", Flaw::EtagMalformed);
        None
    }
}

fn corrections(items: &[pb::CorrectionItem], faults: &mut Faults) -> Vec<Correction> {
    faults.check(!items.is_empty(), "items", Flaw::Required);
    faults.check(items.len() <= CORRECTIONS_MAX, "items", Flaw::TooMany);
    let mut read = Vec::new();
    for (at, item) in items.iter().enumerate().take(CORRECTIONS_MAX) {
        let text = faults.take(format!("items[{at}].text"), wire::text(&item.text, 500));
        let field = faults.take(format!("items[{at}].field"), wire::text_maybe(&item.field, 100));
        if let (Some(field), Some(text)) = (field, text) {
            read.push(Correction { field, text });
        }
    }
    read
}

/// How it stands for whoever looks at the queue, where nothing is done yet.
const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::OnTime | Standing::Met | Standing::MetLate | Standing::Void => {
            Standing::OnTime.wire()
        }
        Standing::Amber | Standing::Breached | Standing::Paused => standing.wire(),
    }
}
