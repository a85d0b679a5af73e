//! Requests and complaints (诉求、投诉; measure 19): reading, and what every step shares. How they
//! come in and leave stands in `intake`, how they are handled in `handling`, the dated rules in
//! `policies`, redaction in `redactions`, prepared answers in `templates`. What follows from an
//! evaluation, and who owes what until when, is kept by the store.
//!
//! # Requests and complaints
//!
//! Measure 19: 受理、交办、承办、反馈、评价. `domain/complaint.rs` draws the loop; each step opens and meets
//! what somebody owes (`store/complaints/owing.rs`): acceptance and assignment within a working day,
//! signature within four working hours, the answer within 24 hours, three or five working days by
//! category, its review within one. Only a return to the assigner and an approved extension move a due
//! time; an answer that is refused starts no new one, and neither does giving the complaint to somebody else
//! (改派). A decision names the version that was judged. Every answer that was written is kept, with what
//! became of it, and whoever handles it next reads why the last one did not satisfy. Limits, the shortest
//! answer and the longest extension, what must be given and who decides are dated rows with a source
//! (`complaint_policy`), made by a leader of the city's own units and within the law's limit.
//!
//! Every finished thing asks for an evaluation in the transaction that finishes it: an answer, a decision
//! on an application, a closed conversation, a solved problem, a visit to the centre. One of the two lowest
//! levels needs a reason and leads to a second handling by another officer, twice at most, then to a
//! leader's written conclusion; for anything but a complaint it files one, which whoever finished the
//! thing may not handle. `GetServiceFigures` counts on time, first time, solved and satisfied by unit,
//! category or month; `ExportServiceFigures` gives the same as a table. Numbers are covered within one span of
//! time: who subtracts the figures of one span from those of another learns what lies between.
//!
//! A complaint that was escalated waits for the joint meeting (警企联席会议) of the unit in charge by itself.
//! A leader calls it; every point of its list is decided, or dropped with a reason, before it closes, who owes
//! it until which day is an obligation that is put off once at most, and only that unit settles it
//! (`domain/meeting.rs`). What nobody should read is taken out of a complaint (`RedactComplaint`); the original
//! stays sealed, and the inspectorate opens it with a reason that the auditor reads.
//!
//! Every list is a walk along an index, whoever asks and by whatever it is narrowed: what a unit sees is a
//! row for each unit above those concerned (`complaint_sight` and its like). With a million complaints
//!
//! ```sh
//! deploy/services start bench && eval "$(deploy/services env bench)"
//! cargo bench --bench desk            # --complaints 300000 for a smaller bureau
//! ```
//!
//! fills a bureau of 41 units and 5,000 enterprises and prints the first page of each list, by role and by
//! filter, beside the goal of 10 ms.

mod handling;
mod intake;
pub(in crate::service) mod policies;
mod redactions;
mod reply;
mod templates;

use self::reply::{reply, whole};
use crate::{
    actor::{Actor, Matter, Roles, Scope},
    context::Cx,
    domain::{
        common::lifecycle::Moved,
        complaint::{
            Category, Complaint, ComplaintAction, ComplaintState, Field, Passage, Rules,
            going_from, without,
        },
        duty::escalation::Level,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        liaison::conversations::message_reply,
        pb::{self, complaint_service_server::ComplaintService},
        rpc,
        wire::{self, Once, Page},
    },
    store::{
        self, Store, Tx, World,
        common::history::Written,
        complaint::complaints::{self, Filter},
        duty::escalations,
        liaison::content_accesses::{self, Reading},
    },
};

/// The longest note, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;

/// The service.
pub struct Complaints {
    store: Store,
    world: World,
}

rpc! { ComplaintService, Complaints {
    file_complaint(pb::FileComplaintRequest) -> pb::Complaint;
    get_complaint(pb::GetComplaintRequest) -> pb::Complaint;
    list_complaints(pb::ListComplaintsRequest) -> pb::ListComplaintsResponse;
    list_complaint_changes(pb::GetComplaintRequest) -> pb::ListComplaintChangesResponse;
    list_complaint_transcript(pb::GetComplaintRequest) -> pb::ListComplaintTranscriptResponse;
    list_similar_complaints(pb::GetComplaintRequest) -> pb::ListComplaintsResponse;
    list_stuck_transfers(pb::ListStuckTransfersRequest) -> pb::ListComplaintsResponse;
    accept_complaint(pb::AcceptComplaintRequest) -> pb::Complaint;
    decline_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    object_to_decline(pb::MoveComplaintRequest) -> pb::Complaint;
    transfer_complaint(pb::TransferComplaintRequest) -> pb::Complaint;
    record_transfer_number(pb::TransferComplaintRequest) -> pb::Complaint;
    merge_complaint(pb::MergeComplaintRequest) -> pb::Complaint;
    withdraw_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    assign_complaint(pb::AssignComplaintRequest) -> pb::Complaint;
    sign_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    return_complaint(pb::ReturnComplaintRequest) -> pb::Complaint;
    submit_complaint_feedback(pb::SubmitComplaintFeedbackRequest) -> pb::Complaint;
    review_complaint_feedback(pb::ReviewComplaintFeedbackRequest) -> pb::Complaint;
    request_complaint_extension(pb::RequestComplaintExtensionRequest) -> pb::Complaint;
    decide_complaint_extension(pb::DecideComplaintExtensionRequest) -> pb::Complaint;
    urge_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    supervise_complaint(pb::SuperviseComplaintRequest) -> pb::Complaint;
    conclude_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    note_complaint(pb::MoveComplaintRequest) -> pb::Complaint;
    redact_complaint(pb::RedactComplaintRequest) -> pb::Complaint;
    read_redacted_complaint(pb::ReadRedactedComplaintRequest) -> pb::ReadRedactedComplaintResponse;
    create_answer_template(pb::CreateAnswerTemplateRequest) -> pb::AnswerTemplate;
    list_answer_templates(pb::ListAnswerTemplatesRequest) -> pb::ListAnswerTemplatesResponse;
    retire_answer_template(pb::RetireAnswerTemplateRequest) -> pb::AnswerTemplate;
    list_escalations(pb::ListEscalationsRequest) -> pb::ListEscalationsResponse;
    publish_complaint_policy(pb::PublishComplaintPolicyRequest) -> pb::ComplaintPolicy;
    list_complaint_policies(pb::ListComplaintPoliciesRequest) -> pb::ListComplaintPoliciesResponse;
} }

/// On what a step is taken: parsed from its request.
struct Target {
    id: Id<kind::Complaint>,
    version: Option<i64>,
}

impl Complaints {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone() }
    }

    /// Takes a step on a complaint within the scope: once for its request, on the version that the
    /// caller has seen.
    async fn step(
        &self,
        cx: &Cx,
        target: Target,
        request: &impl Once,
        act: impl AsyncFnOnce(&mut Tx, Complaint) -> Result<Moved<Complaint>>,
    ) -> Result<pb::Complaint> {
        let again = async |reply| self.repeated(cx, reply).await;
        wire::write_or(&self.store, cx, request, again, async |tx| {
            let complaint = complaints::lock(tx, target.id, &scope(cx)).await?;
            wire::fresh(target.version, complaint.version)?;
            let moved = act(tx, complaint).await?;
            let complaint = tx.settle(&self.world.calendar(), moved).await?;
            whole(tx.conn(), cx, complaint).await
        })
        .await
    }

    async fn get_complaint(
        &self,
        cx: &Cx,
        request: pb::GetComplaintRequest,
    ) -> Result<pb::Complaint> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let complaint = complaints::get(&mut connection, id, &scope(cx)).await?;
        whole(&mut connection, cx, complaint).await
    }

    async fn list_complaints(
        &self,
        cx: &Cx,
        request: pb::ListComplaintsRequest,
    ) -> Result<pb::ListComplaintsResponse> {
        let state = ComplaintState::from_wire(request.state().as_str_name());
        let category = Category::from_wire(request.category().as_str_name());
        let filter = Filter {
            state: state.map(ComplaintState::wire),
            category: category.map(Category::wire),
        };
        let arguments =
            [cx.method, filter.state.unwrap_or_default(), filter.category.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (scope(cx), self.store.read().await?);
        let (after, rows) = (page.after, page.rows());
        let found = complaints::list(&mut connection, filter, &scope, after, rows).await?;
        Ok(listed(cx, &page, found))
    }

    async fn list_stuck_transfers(
        &self,
        cx: &Cx,
        request: pb::ListStuckTransfersRequest,
    ) -> Result<pb::ListComplaintsResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let (scope, mut connection) = (scope(cx), self.store.read().await?);
        let found = complaints::stuck(&mut connection, &scope, page.after, page.rows()).await?;
        Ok(listed(cx, &page, found))
    }

    async fn list_similar_complaints(
        &self,
        cx: &Cx,
        request: pb::GetComplaintRequest,
    ) -> Result<pb::ListComplaintsResponse> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let complaint = complaints::get(&mut connection, id, &scope(cx)).await?;
        let found = complaints::similar(&mut connection, &complaint, &scope(cx)).await?;
        let complaints = found.into_iter().map(|it| reply(cx, it)).collect();
        Ok(pb::ListComplaintsResponse { complaints, next_page_token: String::new() })
    }

    /// Whoever sees the complaint reads what the enterprise handed over with it, and nothing else of
    /// the conversation (CH-18).
    async fn list_complaint_transcript(
        &self,
        cx: &Cx,
        request: pb::GetComplaintRequest,
    ) -> Result<pb::ListComplaintTranscriptResponse> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let complaint = complaints::get(&mut connection, id, &scope(cx)).await?;
        drop(connection);
        let subject = id.to_string();
        let opened = cx.sight_of(Matter::Paper);
        let opened =
            opened.enterprises.contains(&complaint.enterprise.uuid()) || opened.unit_path.is_some();
        let reading = Reading { action: "READ_TRANSCRIPT", subject: &subject, query: "", opened };
        content_accesses::note(&self.store, cx, reading).await?;
        let mut connection = self.store.read().await?;
        let found = store::liaison::messages::handed_over(&mut connection, &complaint).await?;
        // What was taken out of the complaint does not come back by what it grew out of.
        let vault = self.store.vault();
        let taken = complaints::redactions::passages(&mut connection, vault, id).await?;
        let files = going_from(&taken, Field::File);
        let passages = going_from(&taken, Field::Message);
        let shown = found.into_iter().map(|message| {
            let file = message.attachment.map(Id::<kind::Attachment>::of);
            let file = file.filter(|file| !files.contains(&file.to_string()));
            let body = without(&message.body, &passages);
            store::liaison::messages::Message { body, attachment: file.map(Id::uuid), ..message }
        });
        let messages = shown.map(message_reply).collect();
        Ok(pb::ListComplaintTranscriptResponse { messages })
    }

    async fn list_complaint_changes(
        &self,
        cx: &Cx,
        request: pb::GetComplaintRequest,
    ) -> Result<pb::ListComplaintChangesResponse> {
        let id = wire::named::<kind::Complaint>(&request.name)?;
        let mut connection = self.store.read().await?;
        complaints::get(&mut connection, id, &scope(cx)).await?;
        let vault = self.store.vault();
        let taken = complaints::redactions::passages(&mut connection, vault, id).await?;
        let written = store::common::history::list(&mut connection, id.subject()).await?;
        let written = redacted(written, &taken);
        let officer = is_officer(cx);
        let changes = wire::changes::<ComplaintAction>(written, officer);
        Ok(pb::ListComplaintChangesResponse { changes })
    }

    async fn list_escalations(
        &self,
        cx: &Cx,
        request: pb::ListEscalationsRequest,
    ) -> Result<pb::ListEscalationsResponse> {
        let level_min = match request.level.as_str() {
            "" => 1,
            level => {
                let level = Level::from_wire(level);
                level.ok_or_else(|| Error::field("level", Flaw::UnknownValue))?.rank()
            }
        };
        let unsettled = if request.unsettled { "unsettled" } else { "" };
        let arguments = [cx.method, &request.level, unsettled];
        let page = Page::of(&self.store, &request, &arguments)?;
        // That something is late is told in all of the units; what it is about is not.
        let (scope, mut connection) = (cx.scope(), self.store.read().await?);
        let (after, rows) = (page.after, page.rows());
        let mut found =
            escalations::list(&mut connection, level_min, request.unsettled, &scope, after, rows)
                .await?;
        let next_page_token = page.cut(&mut found, |step| step.id.uuid());
        let escalations = found.into_iter().map(|step| pb::Escalation {
            name: step.id.to_string(),
            subject: step.subject,
            obligation_kind: step.kind,
            level: step.level.wire().to_owned(),
            owed_time: Some(wire::time(step.owed_time)),
            due_time: Some(wire::time(step.due_time)),
            create_time: Some(wire::time(step.create_time)),
            settled: step.settled,
        });
        Ok(pb::ListEscalationsResponse { escalations: escalations.collect(), next_page_token })
    }
}

/// What was written with the steps of a complaint, without what was taken out of it since.
pub(crate) fn redacted(mut written: Vec<Written>, taken: &[Passage]) -> Vec<Written> {
    let going = going_from(taken, Field::Note);
    for step in &mut written {
        step.public_note = without(&step.public_note, &going);
        step.internal_note = without(&step.internal_note, &going);
    }
    written
}

fn is_officer(cx: &Cx) -> bool {
    matches!(cx.actor, Actor::Officer { .. })
}

/// Reads the target of a step, and a text that goes with it; a required one is told when it is absent.
fn target(request: &pb::MoveComplaintRequest, required: bool) -> Result<(Target, String)> {
    aimed(request, required, false)
}

/// The same for a decision, which names the version that was judged, and says why.
fn decision(request: &pb::MoveComplaintRequest) -> Result<(Target, String)> {
    aimed(request, true, true)
}

/// The same for a verdict, which says why where it is not in favour.
fn verdict(request: &pb::MoveComplaintRequest, approved: bool) -> Result<(Target, String)> {
    aimed(request, !approved, true)
}

fn aimed(
    request: &pb::MoveComplaintRequest,
    noted: bool,
    versioned: bool,
) -> Result<(Target, String)> {
    let mut faults = Faults::new();
    let id = faults.name(&request.name);
    let note = if noted {
        wire::text(&request.note, NOTE_CHARACTERS_MAX)
    } else {
        wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX)
    };
    let note = faults.take("note", note);
    let version = faults.maybe("etag", wire::version(&request.etag));
    faults.check(!versioned || !request.etag.is_empty(), "etag", Flaw::Required);
    let (id, note) = faults.whole((id, note))?;
    Ok((Target { id, version }, note))
}

/// What of the world the caller sees here: of the enterprises only those that let the caller act in
/// such matters, of the police what is the caller's work, or was opened with a reason.
fn scope(cx: &Cx) -> Scope {
    cx.sight_of(Matter::Request)
}

/// Refuses an officer whose unit is not in charge of the enterprise's place: who merely handles a
/// complaint sees it, and decides nothing about it.
fn in_charge(cx: &Cx, complaint: &Complaint) -> Result<()> {
    let scope = cx.scope();
    let reach = scope.unit_path.as_deref();
    if reach.is_some_and(|reach| complaint.unit_path.starts_with(reach)) {
        Ok(())
    } else {
        Err(scope.missing(complaint.id.subject()))
    }
}

/// The rules in force, for a decision on a complaint by somebody who is in charge and has a role that
/// the rules of its category name (CO-01).
async fn deciding(
    tx: &mut Tx,
    cx: &Cx,
    complaint: &Complaint,
    who: impl FnOnce(&Rules) -> Roles,
) -> Result<Rules> {
    in_charge(cx, complaint)?;
    let rules = complaints::rules(tx, complaint).await?;
    if cx.actor.roles().meets(who(&rules)) { Ok(rules) } else { Err(Error::new(Reason::Denied)) }
}

fn listed(cx: &Cx, page: &Page, mut found: Vec<Complaint>) -> pb::ListComplaintsResponse {
    let next_page_token = page.cut(&mut found, |complaint| complaint.id.uuid());
    let complaints = found.into_iter().map(|complaint| reply(cx, complaint)).collect();
    pb::ListComplaintsResponse { complaints, next_page_token }
}
