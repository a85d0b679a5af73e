//! The application for a truck pass and its drawing, from draft to decision. No rule of the policy:
//! what may be granted is judged by `policy`.

mod need;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use need::{Need, NeedForm, NeedWindow};

use super::policy::{PassKind, PolicyValues, RefusalReason};
use crate::{
    actor::Sworn,
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Held, Moved, Note, State},
            notice::NoticeEvent,
        },
        duty::{
            calendar::Calendar,
            obligation::{
                Limits, Obligation, ObligationKind, Pause, PauseReason, Standing, Which,
                decision_limits,
            },
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
};

named! {
/// Where an application stands (facts.md, 1.9).
ApplicationState {
    /// Being written.
    Draft = "DRAFT", "草稿";
    /// Handed in.
    Submitted = "SUBMITTED", "已提交";
    /// The applicant must correct.
    NeedsCorrection = "NEEDS_CORRECTION", "待补正";
    /// Not a matter of this service.
    NotAccepted = "NOT_ACCEPTED", "不予受理";
    /// Accepted: the limit runs.
    Accepted = "ACCEPTED", "已受理";
    /// With the brigade.
    FirstReview = "FIRST_REVIEW", "初审中";
    /// With the detachment.
    FinalReview = "FINAL_REVIEW", "复审中";
    /// A pass was issued.
    Approved = "APPROVED", "已批准";
    /// Refused.
    Rejected = "REJECTED", "不予许可";
    /// No answer to a correction.
    Lapsed = "LAPSED", "逾期未补正";
    /// Taken back by the applicant.
    Withdrawn = "WITHDRAWN", "已撤回申请";
}
}

named! {
/// What can be done to an application.
ApplicationAction, readers: Readers {
    /// By the applicant.
    Submit = "SUBMIT", "提交", Everybody;
    /// By the desk.
    Accept = "ACCEPT", "受理", Everybody;
    /// By the desk: another place is right.
    Decline = "DECLINE", "不予受理", Everybody;
    /// By the desk: everything at once.
    RequestCorrection = "REQUEST_CORRECTION", "要求补正", Everybody;
    /// By a first reviewer.
    BeginReview = "BEGIN_REVIEW", "开始初审", Everybody;
    /// The first of two approvals.
    Forward = "FORWARD", "初审通过,转复审", Everybody;
    /// The last approval.
    Approve = "APPROVE", "批准", Everybody;
    /// By the policy, where it permits that.
    ApproveByPolicy = "APPROVE_BY_POLICY", "系统自动批准", Everybody;
    /// By a reviewer.
    Reject = "REJECT", "不予许可", Everybody;
    /// By the applicant.
    Withdraw = "WITHDRAW", "撤回申请", Everybody;
    /// By the clock.
    Lapse = "LAPSE", "逾期未补正", Everybody;
}
}

impl State for ApplicationState {
    type Action = ApplicationAction;
    const FIRST: Self = Self::Draft;

    fn after(self, action: ApplicationAction) -> Option<Self> {
        use ApplicationAction::{
            Accept, Approve, ApproveByPolicy, BeginReview, Decline, Forward, Lapse, Reject,
            RequestCorrection, Submit, Withdraw,
        };
        Some(match (self, action) {
            (Self::Draft | Self::NeedsCorrection, Submit) => Self::Submitted,
            (Self::Submitted, Accept) => Self::Accepted,
            (Self::Submitted, Decline) => Self::NotAccepted,
            (
                Self::Submitted | Self::Accepted | Self::FirstReview | Self::FinalReview,
                RequestCorrection,
            ) => Self::NeedsCorrection,
            (Self::Accepted, BeginReview) => Self::FirstReview,
            (Self::FirstReview, Forward) => Self::FinalReview,
            (Self::Submitted, ApproveByPolicy)
            | (Self::FirstReview | Self::FinalReview, Approve) => Self::Approved,
            (Self::FirstReview | Self::FinalReview, Reject) => Self::Rejected,
            (Self::NeedsCorrection, Lapse) => Self::Lapsed,
            (
                Self::Draft
                | Self::Submitted
                | Self::NeedsCorrection
                | Self::Accepted
                | Self::FirstReview
                | Self::FinalReview,
                Withdraw,
            ) => Self::Withdrawn,
            _ => return None,
        })
    }

    fn follows(action: ApplicationAction) -> &'static [Follow] {
        use ApplicationAction as Do;
        use Follow::{Invite, Meet, Owe, Pause, Resume, Tell, VoidAll};
        use ObligationKind::{
            AcceptPassApplication as Acceptance, DecidePassApplication as Decision,
        };
        match action {
            // What was accepted before is not to be accepted again: its decision goes on.
            Do::Submit => &[Owe(Acceptance), Resume(Decision)],
            Do::Accept => {
                &[Meet(Acceptance), Owe(Decision), Tell(NoticeEvent::PassAccepted, To::Enterprise)]
            }
            // Who says everything that is missing has answered what was handed in.
            Do::RequestCorrection => &[
                Meet(Acceptance),
                Pause(Decision),
                Tell(NoticeEvent::PassReturned, To::Enterprise),
            ],
            Do::BeginReview | Do::Forward => &[],
            Do::Decline => &[
                Meet(Acceptance),
                Meet(Decision),
                VoidAll,
                Tell(NoticeEvent::PassNotAccepted, To::Enterprise),
            ],
            Do::Approve | Do::ApproveByPolicy => &[
                Meet(Acceptance),
                Meet(Decision),
                VoidAll,
                Tell(NoticeEvent::PassApproved, To::Enterprise),
                Invite,
            ],
            Do::Reject => &[
                Meet(Acceptance),
                Meet(Decision),
                VoidAll,
                Tell(NoticeEvent::PassRejected, To::Enterprise),
                Invite,
            ],
            Do::Withdraw => &[VoidAll],
            Do::Lapse => &[VoidAll, Tell(NoticeEvent::PassLapsed, To::Enterprise)],
        }
    }
}

named! {
/// What an application is for.
Purpose {
    /// A first pass.
    New = "NEW", "新办";
    /// Continues a pass from its end.
    Renewal = "RENEWAL", "续期";
    /// Replaces a pass by a new revision.
    Amendment = "AMENDMENT", "变更";
}
}

named! {
/// The channel of origin (measure 6 names three).
SourceChannel {
    /// The bureau's mini-program.
    MiniProgram = "MINI_PROGRAM", "小程序";
    /// The traffic police's account.
    WechatAccount = "WECHAT_ACCOUNT", "交警微信公众号";
    /// 交管12123.
    App12123 = "APP_12123", "交管12123";
    /// A service window.
    Window = "WINDOW", "服务窗口";
}
}

/// One thing that the applicant must correct.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The field, as in the request.
    pub field: String,
    /// What is wrong and what is wanted.
    pub text: String,
}

/// A stretch of time in which a correction was awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// From the request.
    pub from: Timestamp,
    /// Until the new submission; none while it lasts.
    pub until: Option<Timestamp>,
}

/// A decision as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it was granted.
    pub approved: bool,
    /// `OFFICER` or `POLICY`.
    pub source: String,
    /// The coded reasons of a refusal.
    pub reasons: Vec<RefusalReason>,
    /// What was said.
    pub note: String,
    /// The unit that decided; none for the policy.
    pub unit: Option<Uuid>,
}

/// 行政许可法, art. 38: a refusal tells the rights of review.
pub const RIGHTS_OF_REVIEW: &str = "如不服本决定,可在收到之日起六十日内向宿迁市人民政府申请行政复议,\
或者在六个月内依法向人民法院提起行政诉讼。";

/// An application.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id.
    pub id: Id<kind::PassApplication>,
    /// The number that people read aloud.
    pub number: String,
    /// Who asks.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that serves the enterprise.
    pub unit_path: String,
    /// For which vehicle.
    pub vehicle: Id<kind::Vehicle>,
    /// What it is for.
    pub purpose: Purpose,
    /// The pass that it continues or replaces.
    pub previous_pass: Option<Id<kind::TruckPass>>,
    /// The fleet application.
    pub batch: Option<Id<kind::PassApplicationBatch>>,
    /// The channel.
    pub source_channel: SourceChannel,
    /// Who filed it: a resource name.
    pub applicant: String,
    /// Whether an officer filed it for the enterprise.
    pub filed_on_behalf: bool,
    /// What is asked for.
    pub need: Need,
    /// Whether the declarations were accepted.
    pub declaration_accepted: bool,
    /// The papers.
    pub attachments: Vec<Id<kind::Attachment>>,
    /// Who holds it.
    pub assignee: Option<Id<kind::Officer>>,
    /// Who gave the first of two approvals.
    pub first_reviewer: Option<Id<kind::Officer>>,
    /// What must be corrected now.
    pub corrections: Vec<Correction>,
    /// What the rules said at the decision.
    pub evaluation: Option<serde_json::Value>,
    /// The decision.
    pub decision: Option<Decision>,
    /// When it was begun.
    pub create_time: Timestamp,
    /// When it was first handed in; never reset.
    pub submit_time: Option<Timestamp>,
    /// When it was first accepted: from then the limits run.
    pub accept_time: Option<Timestamp>,
    /// When corrections were awaited.
    pub waits: Vec<Wait>,
    /// When it was decided.
    pub decide_time: Option<Timestamp>,
    /// Rises with each write.
    pub version: i64,
    /// Private, so that only a step changes it; `Draft` until a row says otherwise.
    pub held: Held<ApplicationState>,
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

impl Application {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ApplicationState {
        self.held.state()
    }

    /// A new draft.
    pub fn draft(mut self, cx: &Cx) -> Moved<Self> {
        let note = if self.filed_on_behalf { Note::public("窗口代办") } else { Note::none() };
        let (held, change) = Change::begin(ApplicationState::Draft, Deed::Create, note, cx);
        self.held = held;
        Moved::new(self, change)
    }

    fn step(mut self, action: ApplicationAction, note: Note, cx: &Cx) -> Result<Moved<Self>> {
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

    /// The first of two approvals.
    pub fn forward(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let sworn = self.holder(cx)?;
        let moved = self.step(ApplicationAction::Forward, Note::internal(note), cx)?;
        Ok(moved.map(|mut application| {
            application.first_reviewer = Some(sworn.officer);
            application.assignee = None;
            application
        }))
    }

    /// The last approval, by the officer who holds it.
    pub fn approve(self, note: String, cx: &Cx) -> Result<(Moved<Self>, Approval)> {
        let sworn = self.holder(cx)?;
        let approval = Approval { application: self.id };
        let moved = self.step(ApplicationAction::Approve, Note::public(note.clone()), cx)?;
        Ok((moved.map(|it| it.decided(true, Some(sworn), Vec::new(), note, cx)), approval))
    }

    /// The approval by the policy itself (PA-05); the caller has asked whether it permits that.
    pub fn approve_by_policy(self, cx: &Cx) -> Result<(Moved<Self>, Approval)> {
        let approval = Approval { application: self.id };
        let note = "符合政策规定的自动办理条件".to_owned();
        let moved =
            self.step(ApplicationAction::ApproveByPolicy, Note::public(note.clone()), cx)?;
        Ok((moved.map(|it| it.decided(true, None, Vec::new(), note, cx)), approval))
    }

    /// Refuses, with coded reasons.
    pub fn reject(self, reasons: Vec<RefusalReason>, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let sworn = self.holder(cx)?;
        let mut said = Note::public(note.clone());
        if let Some(first) = reasons.first() {
            said = said.reason(first.wire());
        }
        let moved = self.step(ApplicationAction::Reject, said, cx)?;
        Ok(moved.map(|it| it.decided(false, Some(sworn), reasons, note, cx)))
    }

    /// Takes it back.
    pub fn withdraw(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.step(ApplicationAction::Withdraw, Note::public(note), cx)
    }

    /// Ends it for want of an answer.
    pub fn lapse(self, cx: &Cx) -> Result<Moved<Self>> {
        self.step(ApplicationAction::Lapse, Note::public("逾期未补正,申请终止"), cx)
    }

    fn decided(
        mut self,
        approved: bool,
        by: Option<Sworn>,
        reasons: Vec<RefusalReason>,
        note: String,
        cx: &Cx,
    ) -> Self {
        let source = if by.is_some() { "OFFICER" } else { "POLICY" }.to_owned();
        let unit = by.map(|sworn| sworn.unit.uuid());
        self.decision = Some(Decision { approved, source, reasons, note, unit });
        self.decide_time = Some(cx.now);
        self.assignee = None;
        self
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
        use crate::actor::Role;
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
    fn holder(&self, cx: &Cx) -> Result<Sworn> {
        let sworn = self.reviewer(cx)?;
        match self.assignee {
            Some(holder) if holder == sworn.officer => Ok(sworn),
            Some(holder) => Err(Error::new(Reason::NotAssignee).fact("assignee", holder)),
            // Only the states of a review have a holder; what cannot be claimed says so itself.
            None if self.state().after(ApplicationAction::Approve).is_none() => Ok(sworn),
            None => Err(Error::new(Reason::NotAssignee)),
        }
    }

    /// How long the decision may take: what the policy promises, within the law.
    #[must_use]
    pub fn decision_limits(&self, values: &PolicyValues) -> Limits {
        let promised = if self.need.kind == PassKind::Temporary {
            values.promised.temporary_working_days
        } else {
            values.promised.other_working_days
        };
        decision_limits(promised)
    }

    /// What we owe: a decision, from the first acceptance on.
    #[must_use]
    pub fn obligation(&self, values: &PolicyValues) -> Option<Obligation> {
        let opened = self.accept_time?;
        let limits = self.decision_limits(values);
        let pauses = self.waits.iter().map(|wait| Pause {
            from: wait.from,
            until: wait.until,
            reason: PauseReason::AwaitingCorrection,
        });
        Some(Obligation {
            kind: ObligationKind::DecidePassApplication,
            opened,
            limits,
            pauses: pauses.collect(),
            met: self.decide_time,
        })
    }

    /// When the decision is due, promised and by law; none before acceptance.
    pub fn due(
        &self,
        values: &PolicyValues,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let Some(owed) = self.obligation(values) else { return Ok((None, None)) };
        let promised = owed.due(Which::Promised, now, calendar)?;
        Ok((promised, owed.due(Which::Legal, now, calendar)?))
    }

    /// How the decision stands; on time before acceptance.
    pub fn standing(
        &self,
        values: &PolicyValues,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Standing> {
        match self.obligation(values) {
            Some(owed) => owed.standing(now, calendar),
            None => Ok(Standing::OnTime),
        }
    }
}

#[cfg(test)]
mod tests;
