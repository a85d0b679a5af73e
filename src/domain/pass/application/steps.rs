//! The steps of an application, and who may not take them; a decision stands in `decision`.

use super::{Application, ApplicationAction, ApplicationState, Correction, Need, Wait};
use crate::{
    actor::{Role, Sworn},
    context::Cx,
    domain::common::{
        deed::Deed,
        lifecycle::{Change, Moved, Note, State},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
};

impl Application {
    /// A new draft.
    pub fn draft(mut self, cx: &Cx) -> Moved<Self> {
        let note = if self.filed_on_behalf { Note::public("窗口代办") } else { Note::none() };
        let (held, change) = Change::begin(ApplicationState::Draft, Deed::Create, note, cx);
        self.held = held;
        Moved::new(self, change)
    }

    pub(super) fn step(
        mut self,
        action: ApplicationAction,
        note: Note,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let (held, change) = self.state().advance(action, note, cx)?;
        self.held = held;
        Ok(Moved::new(self, change))
    }

    /// Changes what is asked for, while that is the applicant's turn.
    pub fn edit(mut self, need: Need, declared: bool, cx: &Cx) -> Result<Moved<Self>> {
        if !matches!(self.state(), ApplicationState::Draft | ApplicationState::NeedsCorrection) {
            return Err(self.state().refuses(Deed::Edit));
        }
        self.need = need;
        self.declaration_accepted = declared;
        let change = Change::remark(self.state(), Deed::Edit, Note::none(), cx);
        Ok(Moved::new(self, change))
    }

    /// Refuses to hand in what nobody has declared to be true.
    ///
    /// # Errors
    /// `declaration_accepted` is missing.
    pub fn refuse_undeclared(&self) -> Result<()> {
        if self.declaration_accepted {
            Ok(())
        } else {
            Err(Error::field("declaration_accepted", Flaw::DeclarationMissing))
        }
    }

    /// Hands it in, for the first time or again. Neither resets the time in the queue.
    pub fn submit(self, cx: &Cx) -> Result<Moved<Self>> {
        let moved = self.step(ApplicationAction::Submit, Note::none(), cx)?;
        Ok(moved.map(|mut application| {
            application.submit_time = application.submit_time.or(Some(cx.now));
            application.corrections.clear();
            for wait in &mut application.waits {
                wait.until = wait.until.or(Some(cx.now));
            }
            application
        }))
    }

    /// Accepts it; the limits run from the first acceptance.
    pub fn accept(self, cx: &Cx) -> Result<Moved<Self>> {
        let moved = self.step(ApplicationAction::Accept, Note::public("已受理"), cx)?;
        Ok(moved.map(|mut application| {
            application.accept_time = application.accept_time.or(Some(cx.now));
            application
        }))
    }

    /// Says that it is not a matter of this service, and where to go.
    pub fn decline(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        self.step(ApplicationAction::Decline, Note::public(note), cx)
    }

    /// Asks for corrections, everything at once (行政许可法, art. 32); the clock stands still.
    pub fn request_correction(self, items: Vec<Correction>, cx: &Cx) -> Result<Moved<Self>> {
        self.refuse_own(cx)?;
        let lines = items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(";");
        let moved = self.step(ApplicationAction::RequestCorrection, Note::public(lines), cx)?;
        Ok(moved.map(|mut application| {
            application.corrections = items;
            application.waits.push(Wait { from: cx.now, until: None });
            application
        }))
    }

    /// Takes it out of the queue; the first reviewer may not take the final review (SD-10).
    pub fn claim(mut self, cx: &Cx) -> Result<Moved<Self>> {
        let sworn = self.reviewer(cx)?;
        if let Some(holder) = self.assignee
            && holder != sworn.officer
        {
            return Err(Error::new(Reason::NotAssignee).fact("assignee", holder));
        }
        self.assignee = Some(sworn.officer);
        match self.state() {
            ApplicationState::Accepted => {
                self.step(ApplicationAction::BeginReview, Note::none(), cx)
            }
            ApplicationState::Submitted
            | ApplicationState::FirstReview
            | ApplicationState::FinalReview => {
                let change = Change::remark(self.state(), Deed::Claim, Note::none(), cx);
                Ok(Moved::new(self, change))
            }
            _ => Err(self.state().refuses(Deed::Claim)),
        }
    }

    /// Hands it to a colleague, or back to the queue; the time in the queue goes on.
    pub fn reassign(
        mut self,
        to: Option<Id<kind::Officer>>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if !matches!(
            self.state(),
            ApplicationState::Submitted
                | ApplicationState::Accepted
                | ApplicationState::FirstReview
                | ApplicationState::FinalReview
        ) {
            return Err(self.state().refuses(Deed::HandOn));
        }
        if to.is_some_and(|officer| self.has_acted(officer)) {
            return Err(Error::new(Reason::SamePerson));
        }
        self.assignee = to;
        let change = Change::remark(self.state(), Deed::HandOn, Note::internal(note), cx);
        Ok(Moved::new(self, change))
    }

    /// Takes it back.
    pub fn withdraw(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.step(ApplicationAction::Withdraw, Note::public(note), cx)
    }

    /// Ends it for want of an answer.
    pub fn lapse(self, cx: &Cx) -> Result<Moved<Self>> {
        self.step(ApplicationAction::Lapse, Note::public("逾期未补正,申请终止"), cx)
    }

    /// Whether the officer filed it or gave the first approval.
    fn has_acted(&self, officer: Id<kind::Officer>) -> bool {
        self.first_reviewer == Some(officer) || self.applicant == officer.to_string()
    }

    fn refuse_own(&self, cx: &Cx) -> Result<()> {
        let own = self.applicant == cx.actor.name();
        if own { Err(Error::new(Reason::SamePerson)) } else { Ok(()) }
    }

    /// A sworn officer who may take the present step.
    fn reviewer(&self, cx: &Cx) -> Result<Sworn> {
        let sworn = cx.actor.sworn()?;
        if self.has_acted(sworn.officer) {
            return Err(Error::new(Reason::SamePerson));
        }
        let final_step = self.state() == ApplicationState::FinalReview;
        if final_step && !cx.actor.roles().has(Role::FinalReviewer) {
            return Err(Error::new(Reason::Denied));
        }
        Ok(sworn)
    }

    /// The reviewer who holds it.
    pub(super) fn holder(&self, cx: &Cx) -> Result<Sworn> {
        let sworn = self.reviewer(cx)?;
        match self.assignee {
            Some(holder) if holder == sworn.officer => Ok(sworn),
            Some(holder) => Err(Error::new(Reason::NotAssignee).fact("assignee", holder)),
            // Only the states of a review have a holder; what cannot be claimed says so itself.
            None if self.state().after(ApplicationAction::Approve).is_none() => Ok(sworn),
            None => Err(Error::new(Reason::NotAssignee)),
        }
    }
}
