//! A request or complaint of an enterprise (诉求、投诉; measure 19) and its drawing: 受理, 交办, 承办,
//! 反馈, 评价. Who owes what until when is an obligation; limits are in `rules`.
//!
//! Whoever handles a complaint neither takes it in, nor judges the feedback, nor closes it (I19).

mod consequence;
mod feedback;
pub mod meeting;
mod redaction;
pub mod rules;
mod steps;
mod supervision;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Held, Note, State},
            notice::NoticeEvent,
            number::ComplaintNumber,
        },
        duty::{
            calendar::Due,
            obligation::{Limits, ObligationKind},
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
};

pub use consequence::Consequence;
pub use feedback::FeedbackState;
pub use redaction::{Field, Original, Passage, Said, going_from, without};
pub use rules::{Category, Rules};
pub use steps::{Assignment, Draft, HandedOver};
pub use supervision::{SUPERVISED_WITHIN, SupervisionLevel};

/// How often a complaint is handled a second time before it is escalated (facts.md, 4.3).
pub const SECOND_HANDLINGS_MAX: i32 = 2;
/// How often a unit may return a complaint; then the assigner decides.
pub const RETURNS_MAX: i32 = 2;

named! {
/// Where a complaint stands.
ComplaintState {
    /// Filed; nothing is decided.
    Submitted = "SUBMITTED", "待受理";
    /// Not taken in, with a reason and where to go instead.
    NotAccepted = "NOT_ACCEPTED", "不予受理";
    /// Handed to another system.
    TransferredOut = "TRANSFERRED_OUT", "已转出";
    /// Taken in; nobody handles it yet.
    Accepted = "ACCEPTED", "已受理";
    /// A lead unit was named, and has not signed for it.
    Assigned = "ASSIGNED", "已交办";
    /// The unit sent it back with a reason.
    Returned = "RETURNED", "已退回";
    /// Signed for: an officer handles it.
    InProgress = "IN_PROGRESS", "承办中";
    /// The handler wrote the answer; it is being judged.
    FeedbackSubmitted = "FEEDBACK_SUBMITTED", "反馈待审核";
    /// The answer was given; the enterprise is asked.
    CallBack = "CALL_BACK", "待评价";
    /// The enterprise was not satisfied: another officer handles it.
    Reopened = "REOPENED", "重新办理";
    /// Dissatisfied after the last second handling: supervised, concluded in writing.
    Escalated = "ESCALATED", "提级督办";
    /// Ended with an answer.
    Closed = "CLOSED", "已办结";
    /// A duplicate of another.
    Merged = "MERGED", "已并案";
    /// Taken back by the enterprise.
    Withdrawn = "WITHDRAWN", "已撤回";
}
}

named! {
/// What can be done to a complaint.
ComplaintAction, readers: Readers {
    /// By an assigner.
    Accept = "ACCEPT", "受理", Everybody;
    /// By an assigner, with a reason.
    Decline = "DECLINE", "不予受理", Everybody;
    /// By the enterprise against a refusal, once.
    Object = "OBJECT", "异议", Everybody;
    /// By an assigner, to 12345, 110 or another.
    TransferOut = "TRANSFER_OUT", "转出", Everybody;
    /// By an assigner, to a lead unit.
    Assign = "ASSIGN", "交办", Everybody;
    /// By an assigner, away from whoever has it, with a reason; no clock starts again but the signing.
    Reassign = "REASSIGN", "改派", Police;
    /// By a handler of the unit.
    Sign = "SIGN", "签收", Everybody;
    /// By a handler of the unit, with reason and basis.
    Return = "RETURN", "退回", Everybody;
    /// By the handler.
    SubmitFeedback = "SUBMIT_FEEDBACK", "提交反馈", Everybody;
    /// By an assigner who is not the handler.
    ApproveFeedback = "APPROVE_FEEDBACK", "审核通过", Everybody;
    /// By an assigner who is not the handler.
    RejectFeedback = "REJECT_FEEDBACK", "审核退回", Police;
    /// By the enterprise's evaluation, or its silence.
    Close = "CLOSE", "办结", Everybody;
    /// By an evaluation that is not satisfied.
    Reopen = "REOPEN", "重办", Everybody;
    /// By an evaluation that is not satisfied after the last second handling.
    Escalate = "ESCALATE", "提级", Everybody;
    /// By a leader, explained in writing.
    Conclude = "CONCLUDE", "结论", Everybody;
    /// By an assigner, into another of the same enterprise.
    Merge = "MERGE", "并案", Everybody;
    /// By the enterprise.
    Withdraw = "WITHDRAW", "撤回", Everybody;
}
}

/// Whoever had it before owes nothing any more; the time of the handling goes on (I19).
const ASSIGNED: &[Follow] = &[
    Follow::Meet(ObligationKind::AssignComplaint),
    Follow::Void(ObligationKind::SignComplaint),
    Follow::HandOver(ObligationKind::HandleComplaint),
    Follow::Owe(ObligationKind::SignComplaint),
    Follow::Resume(ObligationKind::HandleComplaint),
    Follow::Lapse("已改派"),
    Follow::Tell(NoticeEvent::TaskAssigned, To::Lead),
];

impl State for ComplaintState {
    type Action = ComplaintAction;
    const FIRST: Self = Self::Submitted;
    const BEGINS: &'static [Follow] = &[
        Follow::Owe(ObligationKind::AcceptComplaint),
        Follow::Tell(NoticeEvent::TaskToAccept, To::Desk),
    ];

    fn after(self, action: ComplaintAction) -> Option<Self> {
        use ComplaintAction as Do;
        Some(match (self, action) {
            (Self::Submitted, Do::Accept) => Self::Accepted,
            (Self::Submitted, Do::Decline) => Self::NotAccepted,
            (Self::Submitted | Self::Accepted, Do::TransferOut) => Self::TransferredOut,
            (Self::NotAccepted, Do::Object) => Self::Submitted,
            (Self::Accepted | Self::Returned | Self::Reopened, Do::Assign)
            | (Self::Assigned | Self::InProgress, Do::Reassign) => Self::Assigned,
            (Self::Assigned, Do::Return) => Self::Returned,
            (Self::InProgress, Do::SubmitFeedback) => Self::FeedbackSubmitted,
            (Self::FeedbackSubmitted, Do::ApproveFeedback) => Self::CallBack,
            (Self::Assigned, Do::Sign) | (Self::FeedbackSubmitted, Do::RejectFeedback) => {
                Self::InProgress
            }
            (Self::CallBack, Do::Close) | (Self::Escalated, Do::Conclude) => Self::Closed,
            (Self::CallBack, Do::Reopen) => Self::Reopened,
            (Self::CallBack, Do::Escalate) => Self::Escalated,
            (Self::Submitted | Self::Accepted | Self::Assigned | Self::Returned, Do::Merge) => {
                Self::Merged
            }
            (
                Self::Submitted
                | Self::NotAccepted
                | Self::Accepted
                | Self::Assigned
                | Self::Returned
                | Self::InProgress
                | Self::Reopened,
                Do::Withdraw,
            ) => Self::Withdrawn,
            _ => return None,
        })
    }

    fn follows(action: ComplaintAction) -> &'static [Follow] {
        use ComplaintAction as Do;
        use Follow::{Invite, Lapse, Meet, Owe, Pause, Recall, Refer, Tell, Unmeet, Void, VoidAll};
        use NoticeEvent as Event;
        use ObligationKind::{
            AcceptComplaint as Acceptance, AssignComplaint as Assignment,
            HandleComplaint as Handling, ReviewFeedback as Review, SignComplaint as Signing,
            SuperviseComplaint as Supervision,
        };
        use To::Enterprise as Firm;
        match action {
            Do::Accept => &[
                Meet(Acceptance),
                Owe(Assignment),
                Owe(Handling),
                Tell(Event::ComplaintAccepted, Firm),
            ],
            Do::Decline => &[Meet(Acceptance), Tell(Event::ComplaintNotAccepted, Firm)],
            Do::Object => &[Owe(Acceptance), Tell(Event::TaskToAccept, To::Desk)],
            Do::TransferOut => {
                &[Meet(Acceptance), VoidAll, Tell(Event::ComplaintTransferred, Firm)]
            }
            Do::Assign | Do::Reassign => ASSIGNED,
            Do::Sign => &[Meet(Signing)],
            Do::Return => &[
                Void(Signing),
                Pause(Handling),
                Owe(Assignment),
                Tell(Event::TaskReturned, To::Assigner),
            ],
            // The handler's time ends with the answer; a refused one starts no new time (I19).
            Do::SubmitFeedback => &[
                Meet(Handling),
                Owe(Review),
                Lapse("已提交反馈"),
                Tell(Event::TaskToReview, To::Assigner),
            ],
            // What was supervised has its answer; what the enterprise says of it begins anew.
            Do::ApproveFeedback => {
                &[Meet(Review), Meet(Supervision), Tell(Event::ComplaintAnswered, Firm), Invite]
            }
            // As if the answer had never been given: the same due time, not a new one.
            Do::RejectFeedback => {
                &[Meet(Review), Unmeet(Handling), Tell(Event::TaskRejected, To::Handler)]
            }
            Do::Reopen => &[
                Owe(Assignment),
                Owe(Handling),
                Tell(Event::ComplaintReopened, Firm),
                Tell(Event::TaskToAssign, To::Assigner),
            ],
            // An older supervision is over: this one has a limit of its own.
            Do::Escalate => &[
                Void(Supervision),
                Owe(Supervision),
                Tell(Event::ComplaintEscalated, Firm),
                Tell(Event::TaskSupervised, To::HandlerOrLeader),
                Refer,
            ],
            Do::Conclude => {
                &[Meet(Supervision), VoidAll, Tell(Event::ComplaintClosed, Firm), Recall]
            }
            Do::Close | Do::Merge => &[VoidAll, Tell(Event::ComplaintClosed, Firm)],
            Do::Withdraw => {
                &[VoidAll, Lapse("诉求已撤回"), Tell(Event::TaskWithdrawn, To::Handler)]
            }
        }
    }

    fn follows_deed(deed: Deed) -> &'static [Follow] {
        match deed {
            Deed::Urge => &[Follow::Tell(NoticeEvent::TaskUrged, To::Owing)],
            Deed::Supervise => &[Follow::Tell(NoticeEvent::TaskSupervised, To::HandlerOrLeader)],
            Deed::RequestExtension => &[Follow::Tell(NoticeEvent::TaskToReview, To::Assigner)],
            Deed::ApproveExtension | Deed::RefuseExtension => {
                &[Follow::Tell(NoticeEvent::TaskExtension, To::Handler)]
            }
            _ => &[],
        }
    }
}

impl ComplaintState {
    /// Whether somebody still owes something, or may: what counts as open (I17).
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(
            self,
            Self::NotAccepted
                | Self::TransferredOut
                | Self::Closed
                | Self::Merged
                | Self::Withdrawn
        )
    }
}

named! {
/// By which way it came in.
Channel {
    /// The mini-program.
    MiniProgram = "MINI_PROGRAM", "小程序";
    /// A service window.
    Window = "WINDOW", "窗口";
    /// A telephone call.
    Phone = "PHONE", "电话";
    /// A conversation with the liaison officer.
    Chat = "CHAT", "警务直通车";
    /// Another system, as 12345.
    TransferredIn = "TRANSFERRED_IN", "转入";
    /// An evaluation that was not satisfied.
    Evaluation = "EVALUATION", "评价转办";
}
}

/// The unit that leads, with the path by which it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The unit.
    pub unit: Id<kind::Unit>,
    /// Its path.
    pub path: String,
}

/// A complaint.
#[derive(Debug, Clone)]
pub struct Complaint {
    /// Its id.
    pub id: Id<kind::Complaint>,
    /// What people read aloud.
    pub number: ComplaintNumber,
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
    /// Who filed it: a resource name.
    pub filer: String,
    /// What it grew out of: collection and id.
    pub origin: Option<(String, Uuid)>,
    /// The messages of the conversation that it grew out of.
    pub linked_sequences: Vec<i64>,
    /// The unit that leads.
    pub lead: Option<Lead>,
    /// The paths of the units that help.
    pub helper_paths: Vec<String>,
    /// Who took it in.
    pub accepter: Option<Id<kind::Officer>>,
    /// Who assigned it.
    pub assigner: Option<Id<kind::Officer>>,
    /// Who handles it.
    pub handler: Option<Id<kind::Officer>>,
    /// Who judged the feedback.
    pub reviewer: Option<Id<kind::Officer>>,
    /// Who handled an earlier round.
    pub past_handlers: Vec<Id<kind::Officer>>,
    /// How often it was handled a second time.
    pub round: i32,
    /// How often it was returned in this round.
    pub returns: i32,
    /// Whether a refusal was objected to.
    pub objected: bool,
    /// How many working days were added.
    pub extension_days: i32,
    /// How often it was urged.
    pub urges: i32,
    /// The level of the supervision (督办); absent without one.
    pub supervision_level: Option<SupervisionLevel>,
    /// The newest answer; the enterprise reads it once it was approved.
    pub feedback: String,
    /// The answer that the enterprise was given last.
    pub given_feedback: String,
    /// The written end of an escalated one, or of a refusal.
    pub conclusion: String,
    /// To whom it was transferred.
    pub outside_target: String,
    /// Its number there.
    pub outside_number: String,
    /// Of which it is a duplicate.
    pub merged_into: Option<Id<kind::Complaint>>,
    /// Since when the handling counts.
    pub handle_open_time: Option<Timestamp>,
    /// Until when the handling is owed.
    pub handle_due_time: Option<Timestamp>,
    /// The limit was counted in a year without a published notice.
    pub provisional: bool,
    /// When it was filed.
    pub create_time: Timestamp,
    /// When it ended.
    pub close_time: Option<Timestamp>,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<ComplaintState>,
}

impl Complaint {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ComplaintState {
        self.held.state()
    }

    /// Whether the officer handles it, or did.
    #[must_use]
    pub fn handled_by(&self, officer: Id<kind::Officer>) -> bool {
        self.handler == Some(officer) || self.past_handlers.contains(&officer)
    }

    /// Refuses whoever handles it, or did: nobody judges an own case (I19).
    pub fn judged_by(&self, officer: Id<kind::Officer>) -> Result<()> {
        if self.handled_by(officer) { Err(Error::new(Reason::SamePerson)) } else { Ok(()) }
    }

    /// Refuses whoever took it in or assigned it, and whoever handled it before: they do not handle it
    /// (CO-13, I19).
    pub fn may_handle(&self, officer: Id<kind::Officer>) -> Result<()> {
        let decided = [self.accepter, self.assigner].contains(&Some(officer));
        if decided || self.past_handlers.contains(&officer) {
            return Err(Error::new(Reason::SamePerson));
        }
        Ok(())
    }

    /// Refuses where nobody handles it, and once its time is over: what is late gets no more of it.
    pub fn handled_in_time(&self, now: Timestamp) -> Result<()> {
        if self.state() != ComplaintState::InProgress {
            let error = Error::new(Reason::TransitionIllegal);
            return Err(error.fact("state", self.state().wire()));
        }
        let late = self.handle_due_time.is_some_and(|due| due <= now);
        if late { Err(Error::new(Reason::ExtensionTooLate)) } else { Ok(()) }
    }

    /// How long there is for what is owed of it, by the rules in force.
    ///
    /// # Errors
    /// `INTERNAL` when rules that were published do not fit together, or nothing of the kind is owed of it.
    pub fn limits(&self, kind: ObligationKind, rules: &Rules) -> Result<Limits> {
        let promised = |limit| Limits::new(None, Some(limit), None);
        let limits = match kind {
            ObligationKind::AcceptComplaint => promised(rules.accept),
            ObligationKind::AssignComplaint => promised(rules.assign),
            ObligationKind::SignComplaint => promised(rules.sign),
            ObligationKind::HandleComplaint if self.round == 0 => rules.handling(),
            ObligationKind::HandleComplaint => rules.redoing(),
            ObligationKind::ReviewFeedback => promised(rules.review),
            ObligationKind::SuperviseComplaint => promised(rules.redo),
            other => {
                return Err(Error::internal("not owed of a complaint").fact("kind", other.wire()));
            }
        };
        limits.map_err(|flaw| Error::internal(flaw.wire()))
    }

    /// Who owes it: what the lead unit owes is seen there, everything else is owed by whoever is in charge.
    #[must_use]
    pub fn owing_unit(&self, kind: ObligationKind) -> &str {
        let lead = self.lead.as_ref().map(|lead| lead.path.as_str());
        let units = matches!(kind, ObligationKind::SignComplaint | ObligationKind::HandleComplaint);
        lead.filter(|_| units).unwrap_or(&self.unit_path)
    }

    /// Shows until when the handling is owed.
    pub const fn owed_until(&mut self, due: Due) {
        self.handle_due_time = Some(due.at);
        self.provisional = due.provisional;
    }

    /// Refuses everybody but the officer who handles it now.
    pub fn held_by(&self, officer: Id<kind::Officer>) -> Result<()> {
        if self.handler == Some(officer) { Ok(()) } else { Err(Error::new(Reason::NotAssignee)) }
    }

    fn advance(&mut self, action: ComplaintAction, note: Note, cx: &Cx) -> Result<Change> {
        let (held, change) = self.state().advance(action, note, cx)?;
        self.held = held;
        if !self.state().is_open() {
            self.close_time = Some(cx.now);
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::ComplaintState;
    use crate::domain::common::lifecycle::drawing;

    // CO-01.
    #[test]
    fn the_drawing_of_a_complaint() {
        insta::assert_snapshot!(drawing::<ComplaintState>());
    }
}
