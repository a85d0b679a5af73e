//! The application for a truck pass and its drawing, from draft to decision. No rule of the policy:
//! what may be granted is judged by `policy`.

mod clock;
mod decision;
mod need;
mod steps;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use decision::{Approval, Decided, DecidedBy};
pub use need::{Need, NeedForm, NeedWindow};

use super::policy::{Kept, RefusalReason};
use crate::{
    domain::{
        common::{
            follow::{Follow, To},
            lifecycle::{Held, State},
            notice::NoticeEvent,
        },
        duty::obligation::ObligationKind,
    },
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
    /// Who decided.
    pub source: DecidedBy,
    /// The coded reasons of a refusal.
    pub reasons: Vec<RefusalReason>,
    /// What was said.
    pub note: String,
    /// The unit that decided; none for the policy.
    pub unit: Option<Uuid>,
}

/// How long a correction is awaited. The law sets no limit for the applicant; a month leaves time
/// to have a paper reissued, and keeps the queue honest.
pub const CORRECTED_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 30);
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
    pub evaluation: Option<Kept>,
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

impl Application {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ApplicationState {
        self.held.state()
    }

    /// Whether somebody has still to decide.
    #[must_use]
    pub const fn waits_for_decision(&self) -> bool {
        self.decision.is_none()
            && !matches!(
                self.state(),
                ApplicationState::Withdrawn
                    | ApplicationState::Lapsed
                    | ApplicationState::NotAccepted
            )
    }

    /// The pass whose place the new one takes.
    #[must_use]
    pub fn replaces(&self) -> Option<Id<kind::TruckPass>> {
        self.previous_pass.filter(|_| self.purpose == Purpose::Amendment)
    }
}

#[cfg(test)]
mod tests;
