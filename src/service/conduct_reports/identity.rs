//! Who a reporter is: an act of its own, with a reason, counted and shown to the security auditor.

use super::{ConductReports, beat};
use crate::{
    context::Cx,
    domain::text,
    error::{Error, Faults, Reason, Result},
    id::Id,
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        Limit,
        conduct_reports::{self, identities},
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
        let id = faults.take("name", Id::parse(&request.name));
        let reason = text::at_least(&request.reason, REASON_CHARACTERS_MIN, 200);
        let reason = faults.take("reason", reason);
        faults.done()?;
        let (Some(id), Some(reason)) = (id, reason) else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        self.store.limits().count(Limit::IdentityOpening, &cx.actor.name()).await?;
        // Never stored as the answer to a request id: each look is one of its own.
        let mut tx = self.store.begin(cx).await?;
        let report = conduct_reports::lock(&mut tx, id, &cx.scope()).await?;
        let identity = identities::open(&mut tx, id, officer, &reason).await?;
        let moved = report.remark("OPEN_IDENTITY", reason, cx);
        conduct_reports::save(&mut tx, moved).await?;
        // Durable before it is given.
        tx.commit().await?;
        Ok(pb::ReporterIdentity {
            person: identity.person,
            full_name: identity.full_name,
            phone: identity.phone,
        })
    }

    pub(super) async fn list_identity_openings(
        &self,
        cx: &Cx,
        request: pb::ListIdentityOpeningsRequest,
    ) -> Result<pb::ListIdentityOpeningsResponse> {
        let key = self.store.vault().key("page-token");
        let page = Page::parse(&key, request.page_size, &request.page_token, &[cx.method])?;
        let (scope, after, rows) = (cx.scope(), page.after, page.rows());
        let mut found = beat::at_beat(async {
            let mut connection = self.store.read().await?;
            identities::openings(&mut connection, &scope, after, rows).await
        })
        .await?;
        let next_page_token = page.cut(&key, &mut found, |opening| opening.id);
        let openings = found.into_iter().map(|opening| pb::IdentityOpening {
            id: opening.id.to_string(),
            officer: opening.officer.to_string(),
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
