//! How an application is decided: by an officer in one step or two, or by the policy itself. What may be granted
//! is said by the rules of the policy.

use super::{Application, ApplicationAction, ApplicationState, Decision};
use crate::{
    actor::Sworn,
    context::Cx,
    domain::{
        common::lifecycle::{Moved, Note},
        pass::policy::{
            Evaluation, Grant, Kept, PolicyValues, RefusalReason, Reviews, Wish,
            may_approve_automatically,
        },
    },
    error::Result,
    id::{Id, kind},
    named::named,
};

/// What the policy says where it decides itself.
const BY_POLICY: &str = "符合政策规定的自动办理条件";

named! {
/// Who decided.
DecidedBy {
    /// A sworn officer.
    Officer = "OFFICER", "民警";
    /// The policy itself (PA-05).
    Policy = "POLICY", "政策";
}
}

/// Proof of an approval: only with it a pass can be issued (I6).
#[derive(Debug)]
#[must_use = "an approval issues a pass"]
pub struct Approval {
    application: Id<kind::PassApplication>,
}

impl Approval {
    /// The application that was approved.
    #[must_use]
    pub const fn application(&self) -> Id<kind::PassApplication> {
        self.application
    }
}

/// What became of an application that was to be approved.
#[derive(Debug)]
#[must_use = "a decision that is not stored was not made"]
pub enum Decided {
    /// It waits for an officer: the policy does not decide it.
    Not(Application),
    /// The first of two approvals was given.
    Forwarded(Moved<Application>),
    /// A pass follows from it.
    Approved {
        /// The step.
        moved: Moved<Application>,
        /// The proof of it.
        approval: Approval,
        /// What the pass may be.
        grant: Grant,
    },
}

impl Application {
    /// Approves it, by the officer who holds it: for the first time where the rules ask for two, else for good.
    ///
    /// The step is judged before the rules: who may not decide learns nothing of the verdict.
    ///
    /// # Errors
    /// What refuses the officer, and then what the rules refuse.
    pub fn decide(
        self,
        evaluation: &Evaluation,
        wish: Wish,
        note: String,
        cx: &Cx,
    ) -> Result<Decided> {
        let first = self.state() == ApplicationState::FirstReview;
        let grant = evaluation.outcome.grant();
        if first && grant.is_some_and(|grant| grant.reviews == Reviews::TwoStep) {
            let moved = self.forward(note, cx)?;
            evaluation.granted(wish)?;
            return Ok(Decided::Forwarded(moved));
        }
        let (moved, approval) = self.approve(evaluation, note, cx)?;
        let grant = evaluation.granted(wish)?;
        Ok(Decided::Approved { moved, approval, grant })
    }

    /// Lets the policy decide, where it permits that (PA-05).
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL` where it was not just handed in.
    pub fn decide_by_policy(
        self,
        evaluation: &Evaluation,
        values: &PolicyValues,
        cx: &Cx,
    ) -> Result<Decided> {
        let grant = evaluation.outcome.grant().cloned();
        let Some(grant) = grant.filter(|_| may_approve_automatically(evaluation, values)) else {
            return Ok(Decided::Not(self));
        };
        let approval = Approval { application: self.id };
        let said = Note::public(BY_POLICY);
        let moved = self.step(ApplicationAction::ApproveByPolicy, said, cx)?;
        let note = BY_POLICY.to_owned();
        let moved = moved.map(|it| it.decided(true, None, Vec::new(), note, evaluation, cx));
        Ok(Decided::Approved { moved, approval, grant })
    }

    /// Refuses, with coded reasons; what the rules said is kept beside them.
    pub fn reject(
        self,
        evaluation: &Evaluation,
        reasons: Vec<RefusalReason>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let sworn = self.holder(cx)?;
        let mut said = Note::public(note.clone());
        if let Some(first) = reasons.first() {
            said = said.reason(first.wire());
        }
        let moved = self.step(ApplicationAction::Reject, said, cx)?;
        Ok(moved.map(|it| it.decided(false, Some(sworn), reasons, note, evaluation, cx)))
    }

    /// The first of two approvals.
    fn forward(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let sworn = self.holder(cx)?;
        let moved = self.step(ApplicationAction::Forward, Note::internal(note), cx)?;
        Ok(moved.map(|mut application| {
            application.first_reviewer = Some(sworn.officer);
            application.assignee = None;
            application
        }))
    }

    /// The last approval.
    fn approve(
        self,
        evaluation: &Evaluation,
        note: String,
        cx: &Cx,
    ) -> Result<(Moved<Self>, Approval)> {
        let sworn = self.holder(cx)?;
        let approval = Approval { application: self.id };
        let moved = self.step(ApplicationAction::Approve, Note::public(note.clone()), cx)?;
        let decided = |it: Self| it.decided(true, Some(sworn), Vec::new(), note, evaluation, cx);
        Ok((moved.map(decided), approval))
    }

    fn decided(
        mut self,
        approved: bool,
        by: Option<Sworn>,
        reasons: Vec<RefusalReason>,
        note: String,
        evaluation: &Evaluation,
        cx: &Cx,
    ) -> Self {
        let source = if by.is_some() { DecidedBy::Officer } else { DecidedBy::Policy };
        let unit = by.map(|sworn| sworn.unit.uuid());
        self.decision = Some(Decision { approved, source, reasons, note, unit });
        self.evaluation = Some(Kept::from(evaluation));
        self.decide_time = Some(cx.now);
        self.assignee = None;
        self
    }
}
