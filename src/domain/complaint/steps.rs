//! The steps of a complaint, and who may not take them. Each gives an entity that must be stored.

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Category, Channel, Complaint, ComplaintAction as Do, ComplaintState, Lead, RETURNS_MAX,
    SECOND_HANDLINGS_MAX, SupervisionLevel,
};
use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            evaluation::Verdict,
            follow::Follow,
            lifecycle::{Change, Held, Moved, Note},
            number::ComplaintNumber,
        },
        duty::{calendar::Due, obligation::ObligationKind},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
};

/// To whom a complaint is assigned.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The unit that leads.
    pub lead: Lead,
    /// The paths of the units that help.
    pub helper_paths: Vec<String>,
    /// Who assigns.
    pub assigner: Id<kind::Officer>,
}

/// What is filed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose it is.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit whose assigners take it in.
    pub unit_path: String,
    /// What is wanted.
    pub category: Category,
    /// How it came.
    pub channel: Channel,
    /// In short.
    pub title: String,
    /// In full.
    pub content: String,
    /// Where it happened; empty where that says nothing.
    pub place: String,
    /// What it grew out of.
    pub origin: Option<(String, Uuid)>,
    /// The messages of the conversation that it grew out of.
    pub linked_sequences: Vec<i64>,
    /// Who did what is complained about, and may not handle it.
    pub past_handlers: Vec<Id<kind::Officer>>,
    /// Its number in the system that it came from.
    pub outside_number: String,
}

/// How much of a summary becomes the title, in characters.
const TITLE_CHARACTERS: usize = 100;

/// What a conversation handed over (CH-18).
#[derive(Debug, Clone)]
pub struct HandedOver {
    /// The conversation.
    pub conversation: Id<kind::Conversation>,
    /// Whose it is.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit.
    pub unit_path: String,
    /// The summary that both sides read.
    pub summary: String,
    /// The messages that were chosen.
    pub sequences: Vec<i64>,
}

impl Draft {
    /// The request that a conversation becomes.
    #[must_use]
    pub fn from_conversation(source: HandedOver) -> Self {
        let subject = source.conversation.subject();
        Self {
            enterprise: source.enterprise,
            unit_path: source.unit_path,
            category: Category::Help,
            channel: Channel::Chat,
            title: source.summary.chars().take(TITLE_CHARACTERS).collect(),
            content: source.summary,
            place: String::new(),
            origin: Some((subject.collection.to_owned(), subject.uuid)),
            linked_sequences: source.sequences,
            past_handlers: Vec::new(),
            outside_number: String::new(),
        }
    }
}

impl Complaint {
    /// A complaint that is about to be filed.
    #[must_use]
    pub fn draft(id: Id<kind::Complaint>, number: ComplaintNumber, draft: Draft, cx: &Cx) -> Self {
        Self {
            id,
            number,
            enterprise: draft.enterprise,
            unit_path: draft.unit_path,
            category: draft.category,
            channel: draft.channel,
            title: draft.title,
            content: draft.content,
            place: draft.place,
            filer: cx.actor.name(),
            origin: draft.origin,
            linked_sequences: draft.linked_sequences,
            lead: None,
            helper_paths: Vec::new(),
            accepter: None,
            assigner: None,
            handler: None,
            reviewer: None,
            past_handlers: draft.past_handlers,
            round: 0,
            returns: 0,
            objected: false,
            extension_days: 0,
            urges: 0,
            supervision_level: None,
            feedback: String::new(),
            given_feedback: String::new(),
            conclusion: String::new(),
            outside_target: String::new(),
            outside_number: draft.outside_number,
            merged_into: None,
            handle_open_time: None,
            handle_due_time: None,
            provisional: false,
            create_time: cx.now,
            close_time: None,
            version: 1,
            held: Held::default(),
        }
    }

    /// Files it.
    pub fn file(mut self, note: Note, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(ComplaintState::Submitted, Deed::File, note, cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// Takes it in, under the category that it really has. Neither this nor any other way by which it
    /// comes in or leaves is open to whoever did what it is about, or handled it (I19).
    pub fn accept(
        mut self,
        officer: Id<kind::Officer>,
        category: Category,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        let note = if category == self.category {
            Note::none()
        } else {
            Note::public(format!("类别调整为{}", category.zh()))
        };
        let change = self.advance(Do::Accept, note, cx)?;
        self.category = category;
        self.accepter = Some(officer);
        self.handle_open_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// Refuses it, with the reason and where to go instead.
    pub fn decline(
        mut self,
        officer: Id<kind::Officer>,
        reason: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        let change = self.advance(Do::Decline, Note::public(reason.clone()), cx)?;
        self.conclusion = reason;
        Ok(Moved::new(self, change))
    }

    /// Objects to a refusal, once (CO-10).
    pub fn object(mut self, reason: String, cx: &Cx) -> Result<Moved<Self>> {
        if self.objected {
            return Err(Error::new(Reason::ObjectionSpent));
        }
        let change = self.advance(Do::Object, Note::public(reason), cx)?;
        self.objected = true;
        self.conclusion = String::new();
        self.close_time = None;
        Ok(Moved::new(self, change))
    }

    /// Hands it to another system; its number there may follow.
    pub fn transfer_out(
        mut self,
        officer: Id<kind::Officer>,
        (target, number): (String, String),
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        let change = self.advance(Do::TransferOut, Note::public(note), cx)?;
        self.outside_target = target;
        self.outside_number = number;
        Ok(Moved::new(self, change))
    }

    /// Notes its number in the other system, once: it is stuck no longer.
    pub fn numbered_outside(
        mut self,
        number: String,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let away = self.state() == ComplaintState::TransferredOut;
        if !away || !self.outside_number.is_empty() {
            let error = Error::new(Reason::TransitionIllegal);
            return Err(error.fact("state", self.state().wire()));
        }
        let note = Note::public(format!("转办编号:{number}")).and_internal(note);
        let change = Change::remark(self.state(), Deed::NumberOutside, note, cx);
        self.outside_number = number;
        Ok(Moved::new(self, change))
    }

    /// Names the unit that leads, or another than the one that has it, with a reason then: an officer
    /// who left or a unit that cannot stops nothing. Whoever handles or handled it may not (I19).
    pub fn assign(mut self, to: Assignment, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.judged_by(to.assigner)?;
        let away = matches!(self.state(), ComplaintState::Assigned | ComplaintState::InProgress);
        if away && note.is_empty() {
            return Err(Error::field("note", Flaw::Required));
        }
        let action = if away { Do::Reassign } else { Do::Assign };
        let change = self.advance(action, Note::internal(note), cx)?;
        self.past_handlers.extend(self.handler.take());
        self.lead = Some(to.lead);
        self.helper_paths = to.helper_paths;
        self.assigner = Some(to.assigner);
        Ok(Moved::new(self, change))
    }

    /// Signs for it.
    pub fn sign(mut self, officer: Id<kind::Officer>, cx: &Cx) -> Result<Moved<Self>> {
        self.may_handle(officer)?;
        let change = self.advance(Do::Sign, Note::none(), cx)?;
        self.handler = Some(officer);
        Ok(Moved::new(self, change))
    }

    /// Sends it back with reason and basis, a bounded number of times: by somebody who could sign for it.
    pub fn give_back(
        mut self,
        officer: Id<kind::Officer>,
        reason: &str,
        basis: &str,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.may_handle(officer)?;
        if self.returns >= RETURNS_MAX {
            return Err(Error::new(Reason::ReturnsSpent));
        }
        let note = Note::internal(format!("{reason}(依据:{basis})"));
        let change = self.advance(Do::Return, note, cx)?;
        self.returns = self.returns.saturating_add(1);
        Ok(Moved::new(self, change))
    }

    /// Writes the answer.
    pub fn submit_feedback(
        mut self,
        officer: Id<kind::Officer>,
        feedback: String,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.held_by(officer)?;
        let change = self.advance(Do::SubmitFeedback, Note::internal(note), cx)?;
        self.feedback = feedback;
        Ok(Moved::new(self, change))
    }

    /// Judges the answer: it goes to the enterprise, or back to the handler.
    pub fn review_feedback(
        mut self,
        officer: Id<kind::Officer>,
        approved: bool,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        let action = if approved { Do::ApproveFeedback } else { Do::RejectFeedback };
        let change = self.advance(action, Note::internal(note), cx)?;
        self.reviewer = Some(officer);
        if approved {
            self.given_feedback.clone_from(&self.feedback);
        }
        Ok(Moved::new(self, change))
    }

    /// Draws the consequence of the enterprise's evaluation, or of its silence: closed, handled a
    /// second time by somebody else, or escalated after the last second handling.
    pub fn evaluated(mut self, said: Option<&Verdict>, cx: &Cx) -> Result<Moved<Self>> {
        let Some(Verdict { level, comment, .. }) = said else {
            let note = Note::none().reason("UNRATED");
            let change = self.advance(Do::Close, note, cx)?;
            return Ok(Moved::new(self, change));
        };
        // Whoever handles it next reads why.
        let note = Note::internal(comment).reason(level.wire());
        let action = if !level.is_bad() {
            Do::Close
        } else if self.round < SECOND_HANDLINGS_MAX {
            Do::Reopen
        } else {
            Do::Escalate
        };
        let change = self.advance(action, note, cx)?;
        if level.is_bad() {
            self.past_handlers.extend(self.handler.take());
        }
        if action == Do::Reopen {
            self.round = self.round.saturating_add(1);
            self.returns = 0;
            self.handle_open_time = Some(cx.now);
        }
        if action == Do::Escalate {
            self.supervision_level = Some(SupervisionLevel::JointMeeting);
        }
        Ok(Moved::new(self, change))
    }

    /// Ends an escalated one by a written explanation of a leader who did not handle it.
    pub fn conclude(
        mut self,
        officer: Id<kind::Officer>,
        conclusion: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        let change = self.advance(Do::Conclude, Note::public(conclusion.clone()), cx)?;
        self.conclusion = conclusion;
        Ok(Moved::new(self, change))
    }

    /// Ends it as a duplicate of another of the same enterprise that is not answered yet; both tell of it.
    pub fn merge(
        mut self,
        officer: Id<kind::Officer>,
        into: Self,
        cx: &Cx,
    ) -> Result<(Moved<Self>, Moved<Self>)> {
        use ComplaintState as In;
        self.judged_by(officer)?;
        let answered = !matches!(
            into.state(),
            In::Submitted | In::Accepted | In::Assigned | In::Returned | In::InProgress
        );
        if into.enterprise != self.enterprise || into.id == self.id || answered {
            return Err(Error::new(Reason::MergeImpossible));
        }
        let note = Note::public(format!("与{}属同一事项,合并办理", into.number));
        let change = self.advance(Do::Merge, note, cx)?;
        self.merged_into = Some(into.id);
        let note = Note::public(format!("{}并入本件,合并办理", self.number));
        let told = into.remark(Deed::MergeIn, note, cx)?;
        Ok((Moved::new(self, change), told))
    }

    /// Takes it back.
    pub fn withdraw(mut self, reason: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(Do::Withdraw, Note::public(reason), cx)?;
        Ok(Moved::new(self, change))
    }

    /// Puts it under supervision (督办), by a leader who does not handle it.
    pub fn supervise(
        mut self,
        officer: Id<kind::Officer>,
        level: SupervisionLevel,
        due: Timestamp,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.judged_by(officer)?;
        self.open()?;
        // A newer supervision replaces the older one's day.
        let kind = ObligationKind::SuperviseComplaint;
        let due = Due { at: due, provisional: false };
        let change = Change::remark(self.state(), Deed::Supervise, Note::internal(note), cx)
            .and([Follow::Void(kind), Follow::OweUntil(kind, due)]);
        self.supervision_level = Some(level);
        Ok(Moved::new(self, change))
    }

    /// Urges whoever owes the next step.
    pub fn urge(mut self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.open()?;
        let change = Change::remark(self.state(), Deed::Urge, Note::public(note), cx);
        self.urges = self.urges.saturating_add(1);
        Ok(Moved::new(self, change))
    }

    /// Gives the handling so many working days more.
    pub fn extended(mut self, days: i32, cx: &Cx) -> Result<Moved<Self>> {
        self.open()?;
        let more = u32::try_from(days).unwrap_or_default();
        let note = Note::public(format!("延期{days}个工作日"));
        let change = Change::remark(self.state(), Deed::ApproveExtension, note, cx)
            .and([Follow::Extend(ObligationKind::HandleComplaint, more)]);
        self.extension_days = self.extension_days.saturating_add(days);
        Ok(Moved::new(self, change))
    }

    /// A remark among officers.
    pub fn remark(self, deed: Deed, note: Note, cx: &Cx) -> Result<Moved<Self>> {
        self.open()?;
        let change = Change::remark(self.state(), deed, note, cx);
        Ok(Moved::new(self, change))
    }

    fn open(&self) -> Result<()> {
        if self.state().is_open() {
            return Ok(());
        }
        let error = Error::new(Reason::TransitionIllegal);
        Err(error.fact("state", self.state().wire()))
    }
}
