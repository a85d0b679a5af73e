//! Who a reporter is: told to an inspector who asked with a reason, when another one has confirmed it;
//! counted, and shown to the security auditor.

use uuid::Uuid;

use super::{ConductReports, Target, beat};
use crate::{
    context::Cx,
    domain::{codes::text, common::deed::Deed, conduct::IdentityRequest},
    error::{Error, Faults, Flaw, Result},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        Limit,
        conduct::{self, identities, identity_requests, ties},
    },
};

/// The shortest reason, in characters: a stroke of the pen is none.
const REASON_CHARACTERS_MIN: usize = 5;

impl ConductReports {
    pub(super) async fn open_reporter_identity(
        &self,
        cx: &Cx,
        request: pb::OpenReporterIdentityRequest,
    ) -> Result<pb::ReporterIdentity> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = text::at_least(&request.reason, REASON_CHARACTERS_MIN, 200);
        let reason = faults.take("reason", reason);
        let (id, reason) = faults.whole((id, reason))?;
        self.store.limits().count(Limit::IdentityOpening, &cx.actor.name()).await?;
        // Never stored as the answer to a request id: each look is one of its own.
        let mut tx = self.store.begin(cx).await?;
        let report = conduct::lock(&mut tx, id, &cx.scope()).await?;
        let vault = self.store.vault();
        let asked = identity_requests::list(tx.conn(), vault, id).await?;
        let own = asked.iter().find(|asked| asked.maker == officer && asked.is_open(cx.now));
        let reply = match own {
            Some(own) if own.may_be_shown(cx.now) => {
                let identity = identities::open(&mut tx, id, own).await?;
                let moved = report.remark(Deed::OpenIdentity, own.reason.clone(), cx);
                conduct::save(&mut tx, moved).await?;
                pb::ReporterIdentity {
                    person: identity.person,
                    full_name: identity.full_name,
                    phone: identity.phone,
                    waiting_request: String::new(),
                }
            }
            Some(own) => {
                pb::ReporterIdentity { waiting_request: own.id.to_string(), ..Default::default() }
            }
            None => {
                identities::exists(&mut tx, id).await?;
                // What lapsed a moment ago, and nobody has said so yet, is over.
                identity_requests::lapse(tx.conn(), cx.now).await?;
                let waits = identity_requests::ask(&mut tx, id, officer, &reason).await?;
                let moved = report.remark(Deed::RequestIdentity, reason, cx);
                conduct::save(&mut tx, moved).await?;
                pb::ReporterIdentity { waiting_request: waits.to_string(), ..Default::default() }
            }
        };
        // Durable before it is given.
        tx.commit().await?;
        Ok(reply)
    }

    pub(super) async fn decide_identity_opening(
        &self,
        cx: &Cx,
        request: pb::DecideIdentityOpeningRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let asked = Uuid::try_parse(&request.identity_request).map_err(|_| Flaw::UnknownValue);
        let asked = faults.take("identity_request", asked);
        let note = if request.approved {
            wire::text_maybe(&request.note, 200)
        } else {
            wire::text(&request.note, 200)
        };
        let note = faults.take("note", note);
        let (id, asked, note) = faults.whole((id, asked, note))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, report| {
            let known = identity_requests::list(tx.conn(), self.store.vault(), id).await?;
            let known = known.into_iter().find(|known| known.id == asked);
            let unknown = || Error::field("identity_request", Flaw::UnknownValue);
            let known = known.ok_or_else(unknown)?;
            let ties = ties::find(tx, &report, officer).await?;
            let state = known.decide(&report, officer, &ties, request.approved, cx.now)?;
            identity_requests::decide(tx, known.id, officer, state).await?;
            let deed = if request.approved { Deed::ConfirmIdentity } else { Deed::DeclineIdentity };
            conduct::save(tx, report.remark(deed, note, cx)).await
        })
        .await
    }

    pub(super) async fn list_identity_openings(
        &self,
        cx: &Cx,
        request: pb::ListIdentityOpeningsRequest,
    ) -> Result<pb::ListIdentityOpeningsResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let (scope, after, rows) = (cx.scope(), page.after, page.rows());
        let mut found = beat::at_beat(async {
            let mut connection = self.store.read().await?;
            identities::openings(&mut connection, &scope, after, rows).await
        })
        .await?;
        let next_page_token = page.cut(&mut found, |opening| opening.id);
        let openings = found.into_iter().map(|opening| pb::IdentityOpening {
            id: opening.id.to_string(),
            officer: opening.officer.to_string(),
            checker: opening.checker.map(|checker| checker.to_string()).unwrap_or_default(),
            reason: opening.reason,
            evidence: opening.evidence.map(|id| id.to_string()).unwrap_or_default(),
            create_time: Some(wire::time(opening.create_time)),
        });
        Ok(pb::ListIdentityOpeningsResponse {
            identity_openings: openings.collect(),
            next_page_token,
        })
    }
}

/// A request as inspectors who see the report are shown it.
pub(super) fn request_reply(request: IdentityRequest) -> pb::IdentityRequest {
    pb::IdentityRequest {
        id: request.id.to_string(),
        maker: request.maker.to_string(),
        reason: request.reason,
        state: request.state.wire().to_owned(),
        checker: request.checker.map(|checker| checker.to_string()).unwrap_or_default(),
        create_time: Some(wire::time(request.create_time)),
        lapse_time: Some(wire::time(request.lapse_time)),
    }
}
