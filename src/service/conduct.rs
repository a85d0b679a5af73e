//! Conduct reports (12389): reading by the inspectorate, and what every step shares. What a reporter
//! does stands in `reporter`, what they add in `evidence`, what
//! follows a finding in `review`, the intake in `intake`, the investigation in `investigation`, and who the
//! reporter is in `identity`. Nothing here sends a notice, opens an obligation or touches a cache.
//!
//! # Conduct reports
//!
//! 12389 is a world of its own (`migrations/0015_conduct_report.sql`, `service/conduct_reports`): reports on
//! police units and officers, with a name or without. Whoever files gets a query code and a secret, reads the
//! state with both, and talks with the investigator through them. A name is a sealed record apart; each
//! opening needs a reason, is counted, and is listed to the auditor. One SQL function says from whom a report
//! is kept (the accused, their units now and then, the units below, whoever declared an interest), and every
//! read asks it in the same statement. Whoever has a tie cannot be assigned; a report on the inspectorate goes
//! upward by itself, and whoever sends one upward does not end it there. For the methods of a reporter the gate
//! writes no line, no span and no figure, and it reads a token for one of them alone: `FileConductReport`, by
//! which a person reports with a name.
//!
//! A reporter with a name who does not agree with the finding asks once, within 30 days, for a review (复核). The
//! report opens again with duties of its own (assign in 3 working days, sign in 1, find in 30 days); whoever
//! investigated or assigned it before does not investigate it, whoever investigated it does not choose who does,
//! and what was found above is reviewed above. Both findings stay in a list that nobody can rewrite. An anonymous
//! reporter is owed no result, and is told so: whoever has code and secret reads the state anyway.
//!
//! A reporter adds pictures, with a name or without. What comes is sealed under a key that the reporter's secret
//! alone gives; when a picture is closed everything is taken out of it but what it shows (no Exif, no texts, no
//! colour profile), it is sealed by the vault, and what came is destroyed. No file name, length or digest of the
//! original is kept. Documents and recordings are refused: who made them cannot be taken out. Whoever may see the
//! report opens it; each opening is kept, and listed to the auditor.
//!
//! Decided, and what was not taken. Duties and escalations of conduct reports in their own schema, not the shared
//! obligations: lists and figures of others would show them. A review opens a conduct report again as ACCEPTED,
//! with a list of conclusions, not a report of its own, a state of its own: it is accepted, and nobody
//! investigates; one drawing, one thread, one code. What comes of evidence is sealed under the reporter's secret,
//! not parts in clear until they are cleaned; parts in the memory of one server: nothing that tells of a person is
//! ever readable in a store, and any server takes the next part. Lists of conduct reports at beats of 250 ms, not
//! as fast as they are: rows that are passed over take time, and so tell that they are there. Conduct report ids at
//! random, not UUIDv7: an id in the order of time tells how many there were.
//!
//! `conduct::interference` asks every method of the API that is not known to write, streams too, in every
//! office on two copies of one database, with and without the report, and compares bytes; a method that is added
//! is asked by itself. `conduct::traces` and `tests/python/anonymous.py` search tables, PostgreSQL's files
//! and journal, Redis, spans and logs for the reporter, and find an ordinary caller by the same search. How long a
//! list of reports takes would tell how many there are that the reader must not see: it is answered at beats of a
//! quarter of a second.
//!
//! ```sh
//! cargo bench --bench unseen                               # BENCH_COMPLAINTS, BENCH_REPORTS, BENCH_CALLS: a short one
//! ```
//!
//! compares how long the reads of accused officers take with 1,000 reports against them and without, by turns.
//! Left out so far: asking the accused unit for facts.

mod beat;
mod evidence;
mod identity;
mod intake;
mod investigation;
mod reporter;
mod review;

use super::{
    pb::{self, conduct_report_service_server::ConductReportService},
    rpc,
    wire::{self, Once, Page},
};
use crate::{
    context::Cx,
    domain::{
        conduct::{ConductReport, Duty, Finding, ReportAction, ReportState},
        duty::escalation::Level,
    },
    error::{Faults, Result},
    id::{Id, kind},
    parts::Parts,
    store::{
        Connection, Store, Tx, Vault, World,
        conduct::{
            self,
            accused::{self, Accused},
            conclusions::{self, Conclusion},
            duties, evidence as pieces,
            evidence_files::EvidenceFiles,
            extensions, identity_requests,
            messages::{self, ThreadMessage},
        },
    },
};

/// The longest note, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;

/// The service.
pub struct ConductReports {
    store: Store,
    world: World,
    files: EvidenceFiles,
}

rpc! { ConductReportService, ConductReports {
    file_anonymous_conduct_report(pb::FileAnonymousConductReportRequest) -> pb::FiledConductReport;
    read_conduct_report(pb::ReadConductReportRequest) -> pb::ConductReportStatus;
    write_to_inspectorate(pb::WriteToInspectorateRequest) -> pb::ConductReportStatus;
    request_conduct_report_review(pb::RequestConductReportReviewRequest) -> pb::ConductReportStatus;
    create_evidence(pb::CreateEvidenceRequest) -> pb::Evidence;
    upload_evidence_chunk(pb::UploadEvidenceChunkRequest) -> pb::Evidence;
    complete_evidence(pb::CompleteEvidenceRequest) -> pb::Evidence;
    file_conduct_report(pb::FileConductReportRequest) -> pb::FiledConductReport;
    get_conduct_report(pb::GetConductReportRequest) -> pb::ConductReport;
    list_conduct_reports(pb::ListConductReportsRequest) -> pb::ListConductReportsResponse;
    list_conduct_report_changes(pb::GetConductReportRequest) -> pb::ListConductReportChangesResponse;
    name_accused(pb::NameAccusedRequest) -> pb::ConductReport;
    accept_conduct_report(pb::MoveConductReportRequest) -> pb::ConductReport;
    decline_conduct_report(pb::MoveConductReportRequest) -> pb::ConductReport = turn_away(ReportAction::Decline);
    transfer_conduct_report(pb::MoveConductReportRequest) -> pb::ConductReport = turn_away(ReportAction::TransferOut);
    transfer_conduct_report_upward(pb::MoveConductReportRequest) -> pb::ConductReport;
    assign_conduct_report(pb::AssignConductReportRequest) -> pb::ConductReport;
    sign_conduct_report(pb::MoveConductReportRequest) -> pb::ConductReport;
    release_conduct_report(pb::MoveConductReportRequest) -> pb::ConductReport;
    declare_conduct_report_interest(pb::MoveConductReportRequest) -> pb::DeclaredInterest;
    request_conduct_report_extension(pb::RequestConductReportExtensionRequest) -> pb::ConductReport;
    decide_conduct_report_extension(pb::DecideConductReportExtensionRequest) -> pb::ConductReport;
    conclude_conduct_report(pb::ConcludeConductReportRequest) -> pb::ConductReport;
    answer_reporter(pb::AnswerReporterRequest) -> pb::ConductReport;
    read_evidence_chunk(pb::ReadEvidenceChunkRequest) -> pb::ReadEvidenceChunkResponse;
    open_reporter_identity(pb::OpenReporterIdentityRequest) -> pb::ReporterIdentity;
    decide_identity_opening(pb::DecideIdentityOpeningRequest) -> pb::ConductReport;
    list_identity_openings(pb::ListIdentityOpeningsRequest) -> pb::ListIdentityOpeningsResponse;
} }

/// On what a step is taken: parsed from its request.
struct Target {
    id: Id<kind::ConductReport>,
    version: Option<i64>,
}

impl ConductReports {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        let files = EvidenceFiles::new(parts.files.clone());
        Self { store: parts.store.clone(), world: parts.world.clone(), files }
    }

    /// Takes a step on a report that the inspector sees: once for its request, on the version that the
    /// caller has seen.
    async fn step(
        &self,
        cx: &Cx,
        target: Target,
        request: &impl Once,
        act: impl AsyncFnOnce(&mut Tx, ConductReport) -> Result<ConductReport>,
    ) -> Result<pb::ConductReport> {
        cx.actor.sworn()?;
        wire::write(&self.store, cx, request, async |tx| {
            let report = conduct::lock(tx, target.id, &cx.scope()).await?;
            wire::fresh(target.version, report.version)?;
            let report = act(tx, report).await?;
            // A step may end what its own taker may see.
            if conduct::sees(tx, report.id, &cx.scope()).await? {
                return whole(tx.conn(), self.store.vault(), cx, report).await;
            }
            Ok(pb::ConductReport { name: report.id.to_string(), ..pb::ConductReport::default() })
        })
        .await
    }

    async fn get_conduct_report(
        &self,
        cx: &Cx,
        request: pb::GetConductReportRequest,
    ) -> Result<pb::ConductReport> {
        let id = wire::named(&request.name)?;
        let (vault, mut connection) = (self.store.vault(), self.store.read().await?);
        let report = conduct::get(&mut connection, vault, id, &cx.scope()).await?;
        whole(&mut connection, vault, cx, report).await
    }

    async fn list_conduct_reports(
        &self,
        cx: &Cx,
        request: pb::ListConductReportsRequest,
    ) -> Result<pb::ListConductReportsResponse> {
        let state = ReportState::from_wire(request.state().as_str_name()).map(ReportState::wire);
        let (vault, scope) = (self.store.vault(), cx.scope());
        let arguments = [cx.method, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        beat::at_beat(async {
            let mut connection = self.store.read().await?;
            let (after, rows) = (page.after, page.rows());
            let mut found =
                conduct::list(&mut connection, vault, state, &scope, after, rows).await?;
            let next_page_token = page.cut(&mut found, |report| report.id.uuid());
            let mut listed = Vec::with_capacity(found.len());
            for report in found {
                let owed = duties::list(&mut connection, report.id).await?;
                listed.push(reply(cx, report, owed));
            }
            Ok(pb::ListConductReportsResponse { conduct_reports: listed, next_page_token })
        })
        .await
    }

    async fn list_conduct_report_changes(
        &self,
        cx: &Cx,
        request: pb::GetConductReportRequest,
    ) -> Result<pb::ListConductReportChangesResponse> {
        let id = wire::named(&request.name)?;
        let (vault, mut connection) = (self.store.vault(), self.store.read().await?);
        conduct::get(&mut connection, vault, id, &cx.scope()).await?;
        let written = conduct::changes(&mut connection, vault, id).await?;
        let changes = written.into_iter().map(|step| pb::ConductReportChange {
            from_state: step.from_state,
            to_state: step.to_state,
            action: step.action,
            actor: step.actor,
            note: step.note,
            create_time: Some(wire::time(step.time)),
        });
        Ok(pb::ListConductReportChangesResponse { changes: changes.collect() })
    }
}

/// Reads the target of a step, and the note that goes with it.
fn target(request: &pb::MoveConductReportRequest, required: bool) -> Result<(Target, String)> {
    let mut faults = Faults::new();
    let id = faults.name(&request.name);
    let note = if required {
        wire::text(&request.note, NOTE_CHARACTERS_MAX)
    } else {
        wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX)
    };
    let note = faults.take("note", note);
    let version = faults.maybe("etag", wire::version(&request.etag));
    let (id, note) = faults.whole((id, note))?;
    Ok((Target { id, version }, note))
}

/// A report with its side records.
async fn whole(
    connection: &mut Connection,
    vault: &Vault,
    cx: &Cx,
    report: ConductReport,
) -> Result<pb::ConductReport> {
    let id = report.id;
    let accused = accused::list(connection, vault, id).await?;
    let thread = messages::list(connection, vault, id).await?;
    let owed = duties::list(connection, id).await?;
    let asked = extensions::find_asked(connection, vault, id).await?;
    let found = conclusions::list(connection, vault, id).await?;
    let brought = pieces::list(connection, id).await?.into_iter();
    let brought = brought.filter(|piece| piece.kept_bytes.is_some());
    let openings = identity_requests::list(connection, vault, id).await?;
    Ok(pb::ConductReport {
        identity_requests: openings.into_iter().map(identity::request_reply).collect(),
        evidence: brought.map(evidence::evidence_reply).collect(),
        conclusions: found.into_iter().map(conclusion_reply).collect(),
        accused: accused.into_iter().map(accused_reply).collect(),
        messages: thread.into_iter().map(message_reply).collect(),
        extension_days_requested: asked.as_ref().map_or(0, |asked| asked.days),
        extension_reason: asked.map(|asked| asked.reason).unwrap_or_default(),
        ..reply(cx, report, owed)
    })
}

fn reply(cx: &Cx, report: ConductReport, owed: Vec<Duty>) -> pb::ConductReport {
    let finding = report.finding.map(finding_of);
    let matter = report.matter.as_ref().map(|(collection, id)| format!("{collection}/{id}"));
    pb::ConductReport {
        name: report.id.to_string(),
        real_name: report.real_name,
        matter: matter.unwrap_or_default(),
        state: state_of(&report),
        assigner: report.assigner.map(|officer| officer.to_string()).unwrap_or_default(),
        investigator: report.investigator.map(|officer| officer.to_string()).unwrap_or_default(),
        finding: finding.unwrap_or_default(),
        duties: owed.into_iter().map(|duty| duty_reply(cx, &duty)).collect(),
        extension_days: report.extension_days,
        create_time: Some(wire::time(report.create_time)),
        end_time: wire::time_of(report.end_time),
        etag: wire::etag(report.version),
        review_time: wire::time_of(report.review.as_ref().map(|review| review.create_time)),
        review_reason: report.review.map(|review| review.reason).unwrap_or_default(),
        content: report.content,
        result: report.result,
        ..pb::ConductReport::default()
    }
}

fn state_of(report: &ConductReport) -> i32 {
    wire::enumerated::<pb::conduct_report::State>(report.state())
}

fn finding_of(finding: Finding) -> i32 {
    wire::enumerated::<pb::conduct_report::Finding>(finding)
}

fn duty_reply(cx: &Cx, duty: &Duty) -> pb::ConductReportDuty {
    let kind = wire::enumerated::<pb::conduct_report_duty::Kind>(duty.kind);
    let standing = duty.standing(cx.now);
    let standing = wire::enumerated::<pb::conduct_report_duty::Standing>(standing);
    let level = Level::after(duty.rank.saturating_sub(1)).filter(|_| duty.rank > 0);
    pb::ConductReportDuty {
        kind,
        due_time: Some(wire::time(duty.due_time)),
        standing,
        level: level.map(Level::wire).unwrap_or_default().to_owned(),
        provisional: duty.provisional,
    }
}

fn accused_reply(accused: Accused) -> pb::Accused {
    pb::Accused {
        id: accused.id.to_string(),
        text: accused.text,
        officer: accused.officer.map(|officer| officer.to_string()).unwrap_or_default(),
        unit: accused.unit.map(|unit| unit.to_string()).unwrap_or_default(),
        police_number: String::new(),
    }
}

fn conclusion_reply(found: Conclusion) -> pb::ConductReportConclusion {
    pb::ConductReportConclusion {
        finding: finding_of(found.finding),
        result: found.result,
        officer: found.officer.to_string(),
        create_time: Some(wire::time(found.create_time)),
    }
}

fn message_reply(message: ThreadMessage) -> pb::ConductReportMessage {
    pb::ConductReportMessage {
        from_reporter: message.from_reporter,
        text: message.text,
        create_time: Some(wire::time(message.create_time)),
    }
}
