//! What follows a finding with which the reporter does not agree: a review (复核) by somebody else.

use super::{ConductReports, intake, reporter::READING};
use crate::{
    context::Cx,
    domain::conduct::{
        CONTENT_CHARACTERS_MAX, ConductReport, DutyKind, REVIEWED_ABOVE, ReportState,
    },
    error::{Error, Faults, Flaw, Result},
    service::{pb, wire},
    store::{
        Tx,
        conduct::{
            self, conclusions, duties,
            filings::{self, Began},
        },
    },
};

impl ConductReports {
    pub(super) async fn request_conduct_report_review(
        &self,
        cx: &Cx,
        request: pb::RequestConductReportReviewRequest,
    ) -> Result<pb::ConductReportStatus> {
        let mut faults = Faults::new();
        let reason = faults.take("reason", wire::text(&request.reason, CONTENT_CHARACTERS_MAX));
        let once = wire::once(&request.request_id, &request);
        let once = faults.maybe("request_id", once.map_err(|_| Flaw::RequestIdMalformed));
        let reason = faults.whole(reason)?;
        // Code and secret before anything else: a wrong one learns nothing of a report.
        let (mut tx, report) =
            self.by_slip(cx, &request.query_code, &request.secret, READING).await?;
        if let Some(once) = &once
            && let Began::Replay(answer) = filings::begin(&mut tx, once).await?
        {
            return prost::Message::decode(answer.as_slice()).map_err(Error::internal);
        }
        // As by nobody: the store's context has no actor.
        let cx = tx.cx().clone();
        let moved = report.request_review(reason, &self.world.calendar(), &cx)?;
        let report = conduct::save(&mut tx, moved).await?;
        let report = self.open_again(&mut tx, report, &cx).await?;
        let reply = self.status(&mut tx, report).await?;
        if let Some(once) = &once {
            filings::answer(&mut tx, once, &prost::Message::encode_to_vec(&reply)).await?;
        }
        tx.commit().await?;
        Ok(reply)
    }

    /// What is owed begins anew. What was found above is reviewed above: nobody below looks into it.
    async fn open_again(
        &self,
        tx: &mut Tx,
        report: ConductReport,
        cx: &Cx,
    ) -> Result<ConductReport> {
        let found = conclusions::list(tx.conn(), self.store.vault(), report.id).await?;
        let report = if found.last().is_some_and(|found| found.upward) {
            intake::go_up(tx, report, None, REVIEWED_ABOVE.to_owned(), cx).await?
        } else {
            intake::upward_if_due(tx, report, cx).await?
        };
        if report.state() == ReportState::Accepted {
            duties::open(tx, report.id, DutyKind::Review, &self.world.calendar()).await?;
            duties::open(tx, report.id, DutyKind::Assign, &self.world.calendar()).await?;
        }
        Ok(report)
    }
}
