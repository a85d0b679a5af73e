//! How a report is taken in: who is meant, whether it is accepted, where it goes, who investigates.

use super::{ConductReports, Target, reporter, target};
use crate::{
    context::Cx,
    domain::{
        common::{deed::Deed, lifecycle::State as _},
        conduct::{ConductReport, DutyKind, INSPECTORATE_ACCUSED, RECUSED, ReportAction},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Tx,
        conduct::{self, accused, duties, extensions, ties},
    },
};

impl ConductReports {
    pub(super) async fn name_accused(
        &self,
        cx: &Cx,
        request: pb::NameAccusedRequest,
    ) -> Result<pb::ConductReport> {
        let form = request.accused.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let meant = reporter::meant(&mut faults, "accused", &form);
        let entry = if form.id.is_empty() {
            Some(None)
        } else {
            let entry = uuid::Uuid::try_parse(&form.id).map_err(|_| Flaw::UnknownValue);
            faults.take("accused.id", entry).map(Some)
        };
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, (text, meant), entry) = faults.whole((id, meant, entry))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |tx, report| {
            if report.state().is_ended() {
                return Err(
                    Error::new(Reason::TransitionIllegal).fact("state", report.state().wire())
                );
            }
            accused::name(tx, id, entry, &text, &meant).await?;
            let said = [form.id, form.officer, form.unit, form.police_number].join(" ");
            let moved = report.remark(Deed::NameAccused, said.trim().to_owned(), cx);
            let report = conduct::save(tx, moved).await?;
            upward_if_due(tx, report, cx).await
        })
        .await
    }

    pub(super) async fn accept_conduct_report(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let (goal, note) = target(&request, false)?;
        self.step(cx, goal, &request, async |tx, report| {
            let report = conduct::save(tx, report.step(ReportAction::Accept, note, cx)?).await?;
            duties::meet(tx, report.id, DutyKind::Accept).await?;
            // The law counts the handling from here (信访工作条例).
            duties::open(tx, report.id, DutyKind::Handle, &self.world.calendar()).await?;
            duties::open(tx, report.id, DutyKind::Assign, &self.world.calendar()).await?;
            Ok(report)
        })
        .await
    }

    pub(super) async fn turn_away(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
        action: ReportAction,
    ) -> Result<pb::ConductReport> {
        let (goal, why) = target(&request, true)?;
        self.step(cx, goal, &request, async |tx, report| {
            let report = conduct::save(tx, report.turn_away(action, why, cx)?).await?;
            duties::meet(tx, report.id, DutyKind::Accept).await?;
            duties::void(tx, report.id, None).await?;
            Ok(report)
        })
        .await
    }

    pub(super) async fn transfer_conduct_report_upward(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, note) = target(&request, true)?;
        let by = Some(officer);
        self.step(cx, goal, &request, async |tx, report| go_up(tx, report, by, note, cx).await)
            .await
    }

    pub(super) async fn assign_conduct_report(
        &self,
        cx: &Cx,
        request: pb::AssignConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let by = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let to = faults.take("investigator", Id::<kind::Officer>::parse(&request.investigator));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, to) = faults.whole((id, to))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |tx, report| {
            let accused = accused::list(tx.conn(), self.store.vault(), id).await?;
            // Nobody can be free of conflict with somebody unknown.
            if accused.iter().any(|it| it.officer.is_none() && it.unit.is_none()) {
                return Err(Error::new(Reason::AccusedUnknown));
            }
            let found = ties::find(tx, &report, to).await?;
            let report = conduct::save(tx, report.assign(to, by, &found, cx)?).await?;
            duties::meet(tx, id, DutyKind::Assign).await?;
            duties::open(tx, id, DutyKind::Sign, &self.world.calendar()).await?;
            Ok(report)
        })
        .await
    }

    pub(super) async fn release_conduct_report(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, note) = target(&request, true)?;
        self.step(cx, goal, &request, async |tx, report| {
            // The investigator declares an interest instead.
            report.judged_by(officer)?;
            self.give_back(tx, report, note, cx).await
        })
        .await
    }

    pub(super) async fn declare_conduct_report_interest(
        &self,
        cx: &Cx,
        request: pb::MoveConductReportRequest,
    ) -> Result<pb::DeclaredInterest> {
        let officer = cx.actor.sworn()?.officer;
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let report = conduct::lock(tx, id, &cx.scope()).await?;
            if report.investigator == Some(officer) && !report.state().is_ended() {
                self.give_back(tx, report, RECUSED.to_owned(), cx).await?;
            } else {
                let moved = report.remark(Deed::DeclareInterest, String::new(), cx);
                conduct::save(tx, moved).await?;
            }
            ties::declare(tx, id, officer).await?;
            Ok(pb::DeclaredInterest { create_time: Some(wire::time(cx.now)) })
        })
        .await
    }

    /// Back to the intake: the time of the handling goes on, whoever has it.
    async fn give_back(
        &self,
        tx: &mut Tx,
        report: ConductReport,
        note: String,
        cx: &Cx,
    ) -> Result<ConductReport> {
        let report = conduct::save(tx, report.release(note, cx)?).await?;
        extensions::drop_asked(tx, report.id).await?;
        duties::void(tx, report.id, Some(DutyKind::Sign)).await?;
        duties::open(tx, report.id, DutyKind::Assign, &self.world.calendar()).await?;
        Ok(report)
    }
}

/// Sends a report upward by itself where the inspectorate, or the head of the tree, is accused: nobody
/// there decides about it, not even that it leaves.
pub(super) async fn upward_if_due(
    tx: &mut Tx,
    report: ConductReport,
    cx: &Cx,
) -> Result<ConductReport> {
    let can = report.state().after(ReportAction::TransferUp).is_some();
    if can && conduct::must_go_up(tx, report.id).await? {
        return go_up(tx, report, None, INSPECTORATE_ACCUSED.to_owned(), cx).await;
    }
    Ok(report)
}

/// Sends a report upward: an officer does, or the rule by itself.
pub(super) async fn go_up(
    tx: &mut Tx,
    report: ConductReport,
    by: Option<Id<kind::Officer>>,
    note: String,
    cx: &Cx,
) -> Result<ConductReport> {
    let moved = report.transfer_up(by, note, cx)?;
    let report = conduct::save(tx, moved).await?;
    extensions::drop_asked(tx, report.id).await?;
    duties::void(tx, report.id, None).await?;
    Ok(report)
}
