//! How a complaint is handled: assigned, signed, returned, answered, extended, urged, supervised.

use super::{
    Complaints, NOTE_CHARACTERS_MAX, Target, deciding, decision, in_charge,
    intake::{move_of, own},
    scope, target, verdict,
};
use crate::{
    actor::Sworn,
    context::Cx,
    domain::{
        codes::text,
        common::{deed::Deed, extension::ExtensionState, lifecycle::Note},
        complaint::{
            Assignment, Complaint, Lead, SUPERVISED_WITHIN, SupervisionLevel, rules::may_extend,
        },
        duty::obligation::ObligationKind,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Tx,
        complaint::complaints::{
            self,
            extensions::{self, Extension},
            feedbacks,
        },
        duty::obligations,
        identity::units,
    },
};

/// The most units that help.
const HELPERS_MAX: usize = 10;
/// The longest answer, in characters.
const FEEDBACK_CHARACTERS_MAX: usize = 4_000;

impl Complaints {
    pub(super) async fn assign_complaint(
        &self,
        cx: &Cx,
        request: pb::AssignComplaintRequest,
    ) -> Result<pb::Complaint> {
        let assigner = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let lead = faults.take("lead_unit", Id::<kind::Unit>::parse(&request.lead_unit));
        faults.check(request.helper_units.len() <= HELPERS_MAX, "helper_units", Flaw::TooMany);
        let mut helpers = Vec::new();
        for (index, name) in request.helper_units.iter().take(HELPERS_MAX).enumerate() {
            helpers.extend(faults.take(format!("helper_units[{index}]"), Id::parse(name)));
        }
        let note = faults.take("note", wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, lead, note) = faults.whole((id, lead, note))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            let to = assignment(tx, cx, lead, &helpers, assigner).await?;
            complaint.assign(to, note, cx)
        })
        .await
    }

    pub(super) async fn sign_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let sworn = cx.actor.sworn()?;
        let (goal, _) = target(&request, false)?;
        self.step(cx, goal, &request, async |_, complaint| {
            of_lead_unit(cx, sworn, &complaint)?;
            complaint.sign(sworn.officer, cx)
        })
        .await
    }

    pub(super) async fn return_complaint(
        &self,
        cx: &Cx,
        request: pb::ReturnComplaintRequest,
    ) -> Result<pb::Complaint> {
        let sworn = cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, NOTE_CHARACTERS_MAX));
        let basis = faults.take("basis", wire::text(&request.basis, NOTE_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, reason, basis) = faults.whole((id, reason, basis))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |_, complaint| {
            of_lead_unit(cx, sworn, &complaint)?;
            complaint.give_back(sworn.officer, &reason, &basis, cx)
        })
        .await
    }

    pub(super) async fn submit_complaint_feedback(
        &self,
        cx: &Cx,
        request: pb::SubmitComplaintFeedbackRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let feedback = wire::text(&request.feedback, FEEDBACK_CHARACTERS_MAX);
        let feedback = faults.take("feedback", feedback);
        let note = faults.take("note", wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, feedback, note) = faults.whole((id, feedback, note))?;
        let goal = Target { id, version };
        self.step(cx, goal, &request, async |tx, complaint| {
            let rules = complaints::rules(tx, &complaint).await?;
            if text::shown(&feedback) < rules.answer_characters_min {
                return Err(Error::field("feedback", Flaw::TooShort));
            }
            let moved = complaint.submit_feedback(officer, feedback, note, cx)?;
            feedbacks::insert(tx, moved.peek(), officer).await?;
            Ok(moved)
        })
        .await
    }

    pub(super) async fn review_complaint_feedback(
        &self,
        cx: &Cx,
        request: pb::ReviewComplaintFeedbackRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let approved = request.approved;
        let form = move_of(&request.name, &request.note, &request.etag, &request.request_id);
        let (goal, note) = verdict(&form, approved)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.reviewers).await?;
            let moved = complaint.review_feedback(officer, approved, note.clone(), cx)?;
            feedbacks::judge(tx, moved.peek().id, approved, officer, &note).await?;
            Ok(moved)
        })
        .await
    }

    pub(super) async fn request_complaint_extension(
        &self,
        cx: &Cx,
        request: pb::RequestComplaintExtensionRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, NOTE_CHARACTERS_MAX));
        let basis = faults.take("basis", wire::text(&request.basis, NOTE_CHARACTERS_MAX));
        faults.check(request.days > 0, "days", Flaw::OutOfRange);
        let (id, reason, basis) = faults.whole((id, reason, basis))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, complaint| {
            complaint.held_by(officer)?;
            complaint.handled_in_time(cx.now)?;
            let rules = complaints::rules(tx, &complaint).await?;
            let due = complaint.handle_due_time.unwrap_or(cx.now);
            let handle = if complaint.round == 0 { rules.handle } else { rules.redo };
            let asked = (request.days, rules.extension_days_max);
            may_extend(handle, asked, &self.world.calendar(), due, cx.now)?;
            let extension = Extension {
                id: cx.id(),
                complaint: complaint.id,
                round: complaint.round,
                days: request.days,
                reason,
                basis,
                state: ExtensionState::Requested,
                officer,
                note: String::new(),
                create_time: cx.now,
            };
            extensions::ask(tx, &extension).await?;
            let note = Note::internal(format!("申请延期{}个工作日", request.days));
            complaint.remark(Deed::RequestExtension, note, cx)
        })
        .await
    }

    pub(super) async fn decide_complaint_extension(
        &self,
        cx: &Cx,
        request: pb::DecideComplaintExtensionRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let approved = request.approved;
        let form = move_of(&request.name, &request.note, &request.etag, &request.request_id);
        let (goal, note) = verdict(&form, approved)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.reviewers).await?;
            complaint.judged_by(officer)?;
            if approved {
                complaint.handled_in_time(cx.now)?;
            }
            let asked = extensions::list(tx.conn(), complaint.id).await?;
            let asked =
                asked.into_iter().find(|extension| extension.state == ExtensionState::Requested);
            let asked = asked.ok_or_else(|| Error::new(Reason::ExtensionSpent))?;
            extensions::decide(tx, asked.id, approved, officer, &note).await?;
            if approved {
                complaint.extended(asked.days, cx)
            } else {
                complaint.remark(Deed::RefuseExtension, Note::internal(note), cx)
            }
        })
        .await
    }

    pub(super) async fn urge_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let (goal, note) = target(&request, false)?;
        self.step(cx, goal, &request, async |_, complaint| {
            if super::is_officer(cx) {
                in_charge(cx, &complaint)?;
            } else {
                own(cx, &complaint)?;
            }
            complaint.urge(note, cx)
        })
        .await
    }

    pub(super) async fn supervise_complaint(
        &self,
        cx: &Cx,
        request: pb::SuperviseComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let level = SupervisionLevel::from_wire(&request.level);
        let level = level.filter(|level| level.is_given()).ok_or(Flaw::UnknownValue);
        let level = faults.take("level", level);
        let due = faults.take("due_time", wire::instant(request.due_time));
        let within = |due| cx.now < due && cx.now.duration_until(due) <= SUPERVISED_WITHIN;
        faults.check(due.is_none_or(within), "due_time", Flaw::OutOfRange);
        let note = faults.take("note", wire::text(&request.note, NOTE_CHARACTERS_MAX));
        let (id, level, due, note) = faults.whole((id, level, due, note))?;
        let goal = Target { id, version: None };
        self.step(cx, goal, &request, async |tx, complaint| {
            leads_above(cx, &complaint)?;
            let kind = ObligationKind::SuperviseComplaint;
            // A newer supervision never puts the older one's day off.
            let older = obligations::lock(tx, complaint.id.subject(), kind).await?;
            if older.is_some_and(|older| older.dues.due < due) {
                return Err(Error::field("due_time", Flaw::OutOfRange));
            }
            complaint.supervise(officer, level, due, note, cx)
        })
        .await
    }

    pub(super) async fn conclude_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, conclusion) = decision(&request)?;
        self.step(cx, goal, &request, async |_, complaint| {
            leads_above(cx, &complaint)?;
            complaint.conclude(officer, conclusion, cx)
        })
        .await
    }

    pub(super) async fn note_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let (goal, note) = target(&request, true)?;
        self.step(cx, goal, &request, async |_, complaint| {
            complaint.remark(Deed::Note, Note::internal(note), cx)
        })
        .await
    }
}

/// Refuses an officer who is not of the unit that leads: a unit further up sees it, and does not
/// handle it.
fn of_lead_unit(cx: &Cx, sworn: Sworn, complaint: &Complaint) -> Result<()> {
    if complaint.lead.as_ref().is_some_and(|lead| lead.unit == sworn.unit) {
        Ok(())
    } else {
        Err(scope(cx).missing(complaint.id.subject()))
    }
}

/// Refuses a leader who is not in charge, and one whose own unit handles it or helps: nobody supervises
/// and ends what is the own unit's (I19).
fn leads_above(cx: &Cx, complaint: &Complaint) -> Result<()> {
    in_charge(cx, complaint)?;
    let scope = cx.scope();
    let reach = scope.unit_path.as_deref().unwrap_or_default();
    let lead = complaint.lead.iter().map(|lead| &lead.path);
    if lead.chain(&complaint.helper_paths).any(|working| reach.starts_with(working.as_str())) {
        return Err(Error::new(Reason::SamePerson));
    }
    Ok(())
}

/// Reads the units: one that leads, others that help, each within the assigner's reach.
async fn assignment(
    tx: &mut Tx,
    cx: &Cx,
    lead: Id<kind::Unit>,
    helpers: &[Id<kind::Unit>],
    assigner: Id<kind::Officer>,
) -> Result<Assignment> {
    let scope = cx.scope();
    let lead = units::get(tx.conn(), lead, &scope).await?;
    let mut helper_paths = Vec::with_capacity(helpers.len());
    for helper in helpers {
        helper_paths.push(units::get(tx.conn(), *helper, &scope).await?.path);
    }
    Ok(Assignment { lead: Lead { unit: lead.id, path: lead.path }, helper_paths, assigner })
}
