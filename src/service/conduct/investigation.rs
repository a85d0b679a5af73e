//! How a report is investigated: signed for, extended, answered, concluded.

use super::{ConductReports, NOTE_CHARACTERS_MAX, Target, target};
use crate::{
    context::Cx,
    domain::{
        common::deed::Deed,
        conduct::{CONTENT_CHARACTERS_MAX, DutyKind, Finding, ReportState},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    service::{pb, wire},
    store::conduct::{self, conclusions, duties, extensions, messages, ties},
};

impl ConductReports {
    pub(super) async fn sign_conduct_report(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, _) = target(&request, false)?;
        self.step(cx, goal, &request, async |tx, report| {
            let report = conduct::save(tx, report.sign(officer, cx)?).await?;
            duties::meet(tx, report.id, DutyKind::Sign).await?;
            Ok(report)
        })
        .await
    }

    pub(super) async fn request_conduct_report_extension(
        &self,
        cx: &Cx,
        request: pb::RequestConductReportExtensionRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, NOTE_CHARACTERS_MAX));
        let (id, reason) = faults.whole((id, reason))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, report| {
            let duty = duties::find_open(tx, id, DutyKind::Handle).await?;
            let due = duty.map_or(cx.now, |duty| duty.due_time);
            report.may_extend(officer, request.days, due, cx.now)?;
            extensions::ask(tx, id, officer, request.days, &reason).await?;
            let moved = report.remark(Deed::RequestExtension, request.days.to_string(), cx);
            conduct::save(tx, moved).await
        })
        .await
    }

    pub(super) async fn decide_conduct_report_extension(
        &self,
        cx: &Cx,
        request: pb::DecideConductReportExtensionRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX));
        let (id, note) = faults.whole((id, note))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, report| {
            report.judged_by(officer)?;
            let vault = self.store.vault();
            let asked = extensions::find_asked(tx.conn(), vault, id).await?;
            let asked = asked.ok_or_else(|| Error::new(Reason::TransitionIllegal))?;
            extensions::decide(tx, &asked, officer, request.approved).await?;
            if !request.approved {
                let moved = report.remark(Deed::RefuseExtension, note, cx);
                return conduct::save(tx, moved).await;
            }
            if let Some(duty) = duties::find_open(tx, id, DutyKind::Handle).await? {
                duties::extend(tx, &duty.extended(asked.days, &self.world.calendar())?).await?;
            }
            conduct::save(tx, report.extended(asked.days, cx)).await
        })
        .await
    }

    pub(super) async fn conclude_conduct_report(
        &self,
        cx: &Cx,
        request: pb::ConcludeConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let finding = Finding::from_wire(request.finding().as_str_name());
        let finding = faults.take("finding", finding.ok_or(Flaw::Required));
        let result = faults.take("result", wire::text(&request.result, CONTENT_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, finding, result) = faults.whole((id, finding, result))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |tx, report| {
            let upward = report.state() == ReportState::TransferredUp;
            let above = upward && ties::free_above(tx, &report, officer).await?;
            let moved = report.conclude(officer, above, finding, result, cx)?;
            let report = conduct::save(tx, moved).await?;
            conclusions::insert(tx, &report, officer, upward).await?;
            extensions::drop_asked(tx, id).await?;
            duties::meet(tx, id, report.handling()).await?;
            duties::void(tx, id, None).await?;
            Ok(report)
        })
        .await
    }

    pub(super) async fn answer_reporter(
        &self,
        cx: &Cx,
        request: pb::AnswerReporterRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let text = faults.take("text", wire::text(&request.text, CONTENT_CHARACTERS_MAX));
        let (id, text) = faults.whole((id, text))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, report| {
            // The investigator alone, as soon as there is one.
            if report.investigator.is_some() {
                report.held_by(officer)?;
            }
            messages::insert(tx, id, Some(officer), &text, None).await?;
            Ok(report)
        })
        .await
    }
}
