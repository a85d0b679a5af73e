//! A report on a police unit or officer (12389) and its drawing; who may not look into it, and how
//! long each step may take. It has nothing to do with a complaint, and never shares a list with one.

mod duty;
mod evidence;
mod opening;
mod slip;
mod ties;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Held, Moved, Note, State},
        },
        duty::calendar::{Calendar, Limit},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    named::named,
};

pub use duty::{Duty, DutyKind, DutyStanding};
pub use evidence::{
    EVIDENCE_BYTES_MAX, EVIDENCE_CHUNK_BYTES_MAX, EVIDENCE_MAX, EVIDENCE_WITHIN, Evidence,
    OPENING_LASTS,
};
pub use opening::IdentityRequest;
pub use slip::Slip;
pub use ties::Ties;

/// The longest report, in characters (facts.md, 4.1).
pub const CONTENT_CHARACTERS_MAX: usize = 1_500;
/// The longest extension, in days (facts.md, 4.2).
pub const EXTENSION_DAYS_MAX: i32 = 30;
/// What is noted where an investigator declares an interest.
pub const RECUSED: &str = "回避";
/// What is noted where a report goes up because of who is accused.
pub const INSPECTORATE_ACCUSED: &str = "被举报人属督察部门,自动报上级";
/// What is noted where a review goes where the finding was made.
pub const REVIEWED_ABOVE: &str = "由上级纪检部门复核";
/// How long after the end a review may be asked for (信访工作条例: 30 days from the answer).
pub const REVIEW_LIMIT: Limit = Limit::CalendarDays(30);

named! {
/// Where a report stands.
ReportState {
    /// Filed; nothing is decided.
    Submitted = "SUBMITTED", "待受理";
    /// Not taken in, with the reason.
    NotAccepted = "NOT_ACCEPTED", "不予受理";
    /// It belongs elsewhere: 110, a court, a petition office.
    TransferredOut = "TRANSFERRED_OUT", "已转有权机关";
    /// The inspectorate itself is accused: the bureau's discipline group, or the province, has it.
    TransferredUp = "TRANSFERRED_UP", "已转上级纪检部门";
    /// Taken in; nobody investigates yet.
    Accepted = "ACCEPTED", "已受理";
    /// An investigator was named, and has not signed for it.
    Assigned = "ASSIGNED", "已交办";
    /// It is being investigated.
    InProgress = "IN_PROGRESS", "调查中";
    /// Ended with a finding.
    Concluded = "CONCLUDED", "已办结";
}
}

named! {
/// What can be done to a report.
ReportAction, readers: Readers {
    /// By the intake.
    Accept = "ACCEPT", "受理", Everybody;
    /// By the intake, with a reason.
    Decline = "DECLINE", "不予受理", Everybody;
    /// By the intake, to whom it belongs.
    TransferOut = "TRANSFER_OUT", "转出", Everybody;
    /// By itself, when the inspectorate turns out to be accused; or by the intake.
    TransferUp = "TRANSFER_UP", "报上级", Everybody;
    /// By the intake, to an investigator without conflict.
    Assign = "ASSIGN", "交办", Everybody;
    /// By the investigator.
    Sign = "SIGN", "签收", Everybody;
    /// By the intake, or by an investigator who declares an interest.
    Release = "RELEASE", "收回", Everybody;
    /// By the investigator; by the discipline group where it went upward.
    Conclude = "CONCLUDE", "结论", Everybody;
    /// By a reporter with a name, once, who does not agree with the finding.
    RequestReview = "REQUEST_REVIEW", "申请复核", Everybody;
}
}

impl State for ReportState {
    type Action = ReportAction;
    const FIRST: Self = Self::Submitted;

    fn after(self, action: ReportAction) -> Option<Self> {
        use ReportAction as Do;
        Some(match (self, action) {
            (Self::Submitted, Do::Accept)
            | (Self::Assigned | Self::InProgress, Do::Release)
            | (Self::Concluded, Do::RequestReview) => Self::Accepted,
            (Self::Submitted, Do::Decline) => Self::NotAccepted,
            (Self::Submitted | Self::Accepted, Do::TransferOut) => Self::TransferredOut,
            (
                Self::Submitted | Self::Accepted | Self::Assigned | Self::InProgress,
                Do::TransferUp,
            ) => Self::TransferredUp,
            (Self::Accepted, Do::Assign) => Self::Assigned,
            (Self::Assigned, Do::Sign) => Self::InProgress,
            (Self::InProgress | Self::TransferredUp, Do::Conclude) => Self::Concluded,
            _ => return None,
        })
    }
}

impl ReportState {
    /// Whether it has ended; after a finding a review may follow.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::NotAccepted | Self::TransferredOut | Self::Concluded)
    }
}

named! {
/// What the investigation found.
Finding {
    /// It is so.
    Substantiated = "SUBSTANTIATED", "属实";
    /// Some of it is so.
    PartlySubstantiated = "PARTLY_SUBSTANTIATED", "部分属实";
    /// Nothing of it could be shown. A mistaken report has no consequences for the reporter.
    Unsubstantiated = "UNSUBSTANTIATED", "不属实或无法查实";
}
}

/// A report.
#[derive(Debug, Clone)]
pub struct ConductReport {
    /// Its id: random, never in the order of time.
    pub id: Id<kind::ConductReport>,
    /// Whether the reporter gave a name, which stands sealed elsewhere.
    pub real_name: bool,
    /// What is reported.
    pub content: String,
    /// What it grew out of: collection and id.
    pub matter: Option<(String, Uuid)>,
    /// Who assigned it.
    pub assigner: Option<Id<kind::Officer>>,
    /// Who investigates.
    pub investigator: Option<Id<kind::Officer>>,
    /// Who investigated before, here or above.
    pub past_investigators: Vec<Id<kind::Officer>>,
    /// Who assigned it before.
    pub past_assigners: Vec<Id<kind::Officer>>,
    /// What was found; absent while a review is under way.
    pub finding: Option<Finding>,
    /// What the reporter is told; empty while a review is under way.
    pub result: String,
    /// The review that was asked for.
    pub review: Option<Review>,
    /// How many days were added.
    pub extension_days: i32,
    /// When it was filed.
    pub create_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<ReportState>,
}

/// A review that the reporter asked for (复核).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Why the reporter does not agree.
    pub reason: String,
    /// When it was asked for.
    pub create_time: Timestamp,
}

impl ConductReport {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ReportState {
        self.held.state()
    }

    /// Files it.
    pub fn file(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(ReportState::Submitted, Deed::File, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// A step that needs no more than a note among the inspectors.
    pub fn step(mut self, action: ReportAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(action, note, cx)?;
        Ok(Moved::new(self, change))
    }

    /// A step that ends it here: refused, or handed to whom it belongs. The reporter reads why.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL` in a review too: what was investigated here belongs here.
    pub fn turn_away(mut self, action: ReportAction, why: String, cx: &Cx) -> Result<Moved<Self>> {
        if self.review.is_some() {
            return Err(self.state().refuses(action));
        }
        let change = self.advance(action, why.clone(), cx)?;
        self.result = why;
        Ok(Moved::new(self, change))
    }

    /// Names the investigator, who is not the one who names (four eyes); nor does anybody name who
    /// investigated it before.
    pub fn assign(
        mut self,
        to: Id<kind::Officer>,
        by: Id<kind::Officer>,
        ties: &Ties,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if to == by || self.past_investigators.contains(&by) {
            return Err(Error::new(Reason::SamePerson));
        }
        // Which tie it is stays untold: one of them would say whose enterprise the reporter is of.
        if ties.conflict().is_some() {
            return Err(Error::new(Reason::ConflictOfInterest));
        }
        let change = self.advance(ReportAction::Assign, to.to_string(), cx)?;
        self.assigner = Some(by);
        self.investigator = Some(to);
        Ok(Moved::new(self, change))
    }

    /// The investigator signs for it.
    pub fn sign(mut self, officer: Id<kind::Officer>, cx: &Cx) -> Result<Moved<Self>> {
        self.held_by(officer)?;
        let change = self.advance(ReportAction::Sign, String::new(), cx)?;
        Ok(Moved::new(self, change))
    }

    /// Sends it upward; whoever did so does not end it there.
    pub fn transfer_up(
        mut self,
        by: Option<Id<kind::Officer>>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let change = self.advance(ReportAction::TransferUp, note, cx)?;
        self.past_assigners.extend(by);
        Ok(Moved::new(self, change))
    }

    /// Takes it back from the investigator, who does not get it again.
    pub fn release(mut self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(ReportAction::Release, note, cx)?;
        self.leave();
        Ok(Moved::new(self, change))
    }

    /// Ends it with a finding and the words for the reporter. Where it went upward, by somebody `above` the
    /// inspectorate, whom nothing binds to it, and who has neither investigated nor assigned it, nor sent
    /// it there.
    pub fn conclude(
        mut self,
        officer: Id<kind::Officer>,
        above: bool,
        finding: Finding,
        result: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let upward = self.state() == ReportState::TransferredUp;
        match self.state() {
            ReportState::InProgress => self.held_by(officer)?,
            _ if self.past_investigators.contains(&officer)
                || self.past_assigners.contains(&officer) =>
            {
                return Err(Error::new(Reason::SamePerson));
            }
            _ if upward && !above => return Err(Error::new(Reason::ConflictOfInterest)),
            _ => {}
        }
        let change = self.advance(ReportAction::Conclude, finding.wire().to_owned(), cx)?;
        self.past_investigators.extend(upward.then_some(officer));
        self.finding = Some(finding);
        self.result = result;
        Ok(Moved::new(self, change))
    }

    /// Until when the reporter may ask for a review: where a name was given, a finding was made, and
    /// none was asked for.
    pub fn review_until(&self, calendar: &Calendar) -> Result<Option<Timestamp>> {
        let open = self.real_name && self.review.is_none();
        let end = self.end_time.filter(|_| open && self.state() == ReportState::Concluded);
        end.map(|end| Ok(calendar.due(end, REVIEW_LIMIT)?.at)).transpose()
    }

    /// Opens it again for a review by somebody else (facts.md, 4.2). The finding goes into the list of
    /// conclusions; whoever investigated or assigned it before does not investigate the review.
    ///
    /// # Errors
    /// `REVIEW_NEEDS_NAME` for an anonymous report, `REVIEW_SPENT` where one was asked for,
    /// `REVIEW_TOO_LATE` 30 days after the end, `TRANSITION_ILLEGAL` before a finding.
    pub fn request_review(
        mut self,
        reason: String,
        calendar: &Calendar,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if !self.real_name {
            return Err(Error::new(Reason::ReviewNeedsName));
        }
        if self.review.is_some() {
            return Err(Error::new(Reason::ReviewSpent));
        }
        let until = self.review_until(calendar)?;
        if let Some(until) = until.filter(|until| cx.now >= *until) {
            return Err(Error::new(Reason::ReviewTooLate).fact("until", until));
        }
        let change = self.advance(ReportAction::RequestReview, reason.clone(), cx)?;
        self.review = Some(Review { reason, create_time: cx.now });
        self.leave();
        self.end_time = None;
        self.finding = None;
        self.result = String::new();
        Ok(Moved::new(self, change))
    }

    /// What is owed until the finding.
    #[must_use]
    pub const fn handling(&self) -> DutyKind {
        if self.review.is_some() { DutyKind::Review } else { DutyKind::Handle }
    }

    /// Whoever has it now has had it.
    fn leave(&mut self) {
        self.past_investigators.extend(self.investigator.take());
        self.past_assigners.extend(self.assigner.take());
    }

    /// A recorded act that leaves the state as it is.
    pub fn remark(self, deed: Deed, note: String, cx: &Cx) -> Moved<Self> {
        let change = Change::remark(self.state(), deed, Note::internal(note), cx);
        Moved::new(self, change)
    }

    /// The extension that was approved counts (facts.md, 4.2: once, at most 30 days).
    pub fn extended(mut self, days: i32, cx: &Cx) -> Moved<Self> {
        self.extension_days = days;
        self.remark(Deed::ApproveExtension, days.to_string(), cx)
    }

    /// Whether an extension may be asked for: by the investigator, while it is in time, once. The 30 days
    /// of a review are not extended (信访工作条例).
    pub fn may_extend(
        &self,
        officer: Id<kind::Officer>,
        days: i32,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        self.held_by(officer)?;
        if !(1..=EXTENSION_DAYS_MAX).contains(&days) {
            return Err(Error::field("days", Flaw::OutOfRange));
        }
        if self.review.is_some() {
            return Err(self.state().refuses(Deed::RequestExtension));
        }
        if self.extension_days > 0 {
            return Err(Error::new(Reason::ExtensionSpent));
        }
        if now >= due { Err(Error::new(Reason::ExtensionTooLate)) } else { Ok(()) }
    }

    /// Refuses everybody but the officer who investigates now.
    pub fn held_by(&self, officer: Id<kind::Officer>) -> Result<()> {
        if self.investigator == Some(officer) {
            Ok(())
        } else {
            Err(Error::new(Reason::NotAssignee))
        }
    }

    /// Refuses the officer who investigates, or did: nobody judges an own case, or who looks into it
    /// again.
    pub fn judged_by(&self, officer: Id<kind::Officer>) -> Result<()> {
        if self.investigator == Some(officer) || self.past_investigators.contains(&officer) {
            Err(Error::new(Reason::SamePerson))
        } else {
            Ok(())
        }
    }

    fn advance(&mut self, action: ReportAction, note: String, cx: &Cx) -> Result<Change> {
        let (held, change) = self.state().advance(action, Note::internal(note), cx)?;
        self.held = held;
        if self.state().is_ended() {
            self.end_time = Some(cx.now);
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::ReportState;
    use crate::domain::common::lifecycle::drawing;

    // CO-15.
    #[test]
    fn the_drawing_of_a_conduct_report() {
        insta::assert_snapshot!(drawing::<ReportState>(), @r"
        SUBMITTED --ACCEPT--> ACCEPTED
        SUBMITTED --DECLINE--> NOT_ACCEPTED
        SUBMITTED --TRANSFER_OUT--> TRANSFERRED_OUT
        SUBMITTED --TRANSFER_UP--> TRANSFERRED_UP
        TRANSFERRED_UP --CONCLUDE--> CONCLUDED
        ACCEPTED --TRANSFER_OUT--> TRANSFERRED_OUT
        ACCEPTED --TRANSFER_UP--> TRANSFERRED_UP
        ACCEPTED --ASSIGN--> ASSIGNED
        ASSIGNED --TRANSFER_UP--> TRANSFERRED_UP
        ASSIGNED --SIGN--> IN_PROGRESS
        ASSIGNED --RELEASE--> ACCEPTED
        IN_PROGRESS --TRANSFER_UP--> TRANSFERRED_UP
        IN_PROGRESS --RELEASE--> ACCEPTED
        IN_PROGRESS --CONCLUDE--> CONCLUDED
        CONCLUDED --REQUEST_REVIEW--> ACCEPTED
        ");
    }
}
