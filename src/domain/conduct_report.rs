//! A report on a police unit or officer (12389) and its drawing; who may not look into it, and how
//! long each step may take. It has nothing to do with a complaint, and never shares a list with one.

mod duty;
mod slip;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    lifecycle::{Change, Moved, Note, State},
    policy::named,
};
use crate::{
    context::Cx,
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
};

pub use duty::{Duty, DutyKind, DutyStanding};
pub use slip::Slip;

/// The longest report, in characters (facts.md, 4.1).
pub const CONTENT_CHARACTERS_MAX: usize = 1_500;
/// The longest extension, in days (facts.md, 4.2).
pub const EXTENSION_DAYS_MAX: i32 = 30;

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
ReportAction {
    /// By the intake.
    Accept = "ACCEPT", "受理";
    /// By the intake, with a reason.
    Decline = "DECLINE", "不予受理";
    /// By the intake, to whom it belongs.
    TransferOut = "TRANSFER_OUT", "转出";
    /// By itself, when the inspectorate turns out to be accused; or by the intake.
    TransferUp = "TRANSFER_UP", "报上级";
    /// By the intake, to an investigator without conflict.
    Assign = "ASSIGN", "交办";
    /// By the investigator.
    Sign = "SIGN", "签收";
    /// By the intake, or by an investigator who declares an interest.
    Release = "RELEASE", "收回";
    /// By the investigator; by the discipline group where it went upward.
    Conclude = "CONCLUDE", "结论";
}
}

impl State for ReportState {
    type Action = ReportAction;
    const ALL: &'static [Self] = Self::ALL;
    const ACTIONS: &'static [ReportAction] = ReportAction::ALL;

    fn after(self, action: ReportAction) -> Option<Self> {
        use ReportAction as Do;
        Some(match (self, action) {
            (Self::Submitted, Do::Accept) | (Self::Assigned | Self::InProgress, Do::Release) => {
                Self::Accepted
            }
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

    fn wire(self) -> &'static str {
        Self::wire(self)
    }

    fn action(action: ReportAction) -> &'static str {
        action.wire()
    }
}

impl ReportState {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
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
    /// Who investigated before.
    pub past_investigators: Vec<Id<kind::Officer>>,
    /// What was found.
    pub finding: Option<Finding>,
    /// What the reporter is told.
    pub result: String,
    /// How many days were added.
    pub extension_days: i32,
    /// When it was filed.
    pub create_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held,
}

/// A state that only a step, or the reading of a row, can set.
#[derive(Debug, Clone, Copy)]
pub struct Held(ReportState);

impl Held {
    /// The state of a stored row; the store alone says this.
    #[must_use]
    pub const fn row(state: ReportState) -> Self {
        Self(state)
    }
}

impl ConductReport {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ReportState {
        self.held.0
    }

    /// Files it.
    pub fn file(mut self, cx: &Cx) -> Moved<Self> {
        self.held = Held(ReportState::Submitted);
        let change = Change::begin(self.state(), "FILE", Note::none(), cx);
        Moved::new(self, change)
    }

    /// A step that needs no more than a note among the inspectors.
    pub fn step(mut self, action: ReportAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(action, note, cx)?;
        Ok(Moved::new(self, change))
    }

    /// A step that ends it here: refused, or handed to whom it belongs. The reporter reads why.
    pub fn turn_away(mut self, action: ReportAction, why: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(action, why.clone(), cx)?;
        self.result = why;
        Ok(Moved::new(self, change))
    }

    /// Names the investigator, who is not the one who names (four eyes).
    pub fn assign(
        mut self,
        to: Id<kind::Officer>,
        by: Id<kind::Officer>,
        ties: &Ties,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if to == by {
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

    /// Takes it back from the investigator, who does not get it again.
    pub fn release(mut self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(ReportAction::Release, note, cx)?;
        self.past_investigators.extend(self.investigator.take());
        self.assigner = None;
        Ok(Moved::new(self, change))
    }

    /// Ends it with a finding and the words for the reporter.
    pub fn conclude(
        mut self,
        officer: Id<kind::Officer>,
        finding: Finding,
        result: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        if self.state() == ReportState::InProgress {
            self.held_by(officer)?;
        }
        let change = self.advance(ReportAction::Conclude, finding.wire().to_owned(), cx)?;
        self.finding = Some(finding);
        self.result = result;
        Ok(Moved::new(self, change))
    }

    /// A recorded act that leaves the state as it is.
    pub fn remark(self, action: &'static str, note: String, cx: &Cx) -> Moved<Self> {
        let change = Change::remark(self.state(), action, Note::internal(note), cx);
        Moved::new(self, change)
    }

    /// The extension that was approved counts (facts.md, 4.2: once, at most 30 days).
    pub fn extended(mut self, days: i32, cx: &Cx) -> Moved<Self> {
        self.extension_days = days;
        self.remark("APPROVE_EXTENSION", days.to_string(), cx)
    }

    /// Whether an extension may be asked for: by the investigator, while it is in time, once.
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

    /// Refuses the officer who investigates: nobody judges an own case.
    pub fn judged_by(&self, officer: Id<kind::Officer>) -> Result<()> {
        if self.investigator == Some(officer) {
            Err(Error::new(Reason::SamePerson))
        } else {
            Ok(())
        }
    }

    fn advance(&mut self, action: ReportAction, note: String, cx: &Cx) -> Result<Change> {
        let (state, change) = self.state().advance(action, Note::internal(note), cx)?;
        self.held = Held(state);
        if state.is_final() {
            self.end_time = Some(cx.now);
        }
        Ok(change)
    }
}

/// What binds an officer to a report: each tie alone keeps the officer from investigating it (回避;
/// facts.md, 4.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one tie of the rule, found by itself")]
pub struct Ties {
    /// Is no inspector, or is an auxiliary, or has no access any more.
    pub unfit: bool,
    /// Is accused.
    pub accused: bool,
    /// Is of an accused unit, or of one below it.
    pub of_accused_unit: bool,
    /// Leads a unit above an accused one.
    pub leads_above: bool,
    /// Handled the matter that the report is about.
    pub handled_matter: bool,
    /// Declared an interest.
    pub declared: bool,
    /// Investigated it before.
    pub investigated: bool,
    /// Is the liaison officer of the reporter's enterprise, or of the matter's.
    pub liaison: bool,
    /// Stands neither above every accused unit nor in the inspectorate.
    pub below: bool,
}

named! {
/// Why an officer may not investigate.
Conflict {
    /// Cannot investigate at all.
    Unfit = "UNFIT", "不具备调查资格";
    /// Is accused.
    Accused = "ACCUSED", "被举报人";
    /// Is of the accused unit.
    AccusedUnit = "ACCUSED_UNIT", "被举报单位人员";
    /// Leads above the accused unit.
    Leadership = "LEADERSHIP", "被举报单位的上级负责人";
    /// Handled the original matter.
    OriginalMatter = "ORIGINAL_MATTER", "原事项经办人";
    /// Declared an interest, or gave it back.
    DeclaredInterest = "DECLARED_INTEREST", "已声明回避";
    /// Serves the enterprise.
    LiaisonOfficer = "LIAISON_OFFICER", "企业的警务专员";
    /// Stands too low.
    Level = "LEVEL", "层级不足";
}
}

impl Ties {
    /// The first conflict; `None` where the officer may investigate.
    #[must_use]
    pub fn conflict(&self) -> Option<Conflict> {
        [
            (self.unfit, Conflict::Unfit),
            (self.accused, Conflict::Accused),
            (self.of_accused_unit, Conflict::AccusedUnit),
            (self.leads_above, Conflict::Leadership),
            (self.handled_matter, Conflict::OriginalMatter),
            (self.declared || self.investigated, Conflict::DeclaredInterest),
            (self.liaison, Conflict::LiaisonOfficer),
            (self.below, Conflict::Level),
        ]
        .into_iter()
        .find_map(|(bound, conflict)| bound.then_some(conflict))
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflict, ReportState, Ties};
    use crate::domain::lifecycle::drawing;

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
        ");
    }

    #[test]
    fn each_tie_alone_keeps_an_officer_away() {
        let free = Ties::default();
        assert_eq!(free.conflict(), None);
        for (ties, conflict) in [
            (Ties { unfit: true, ..free }, Conflict::Unfit),
            (Ties { accused: true, ..free }, Conflict::Accused),
            (Ties { of_accused_unit: true, ..free }, Conflict::AccusedUnit),
            (Ties { leads_above: true, ..free }, Conflict::Leadership),
            (Ties { handled_matter: true, ..free }, Conflict::OriginalMatter),
            (Ties { declared: true, ..free }, Conflict::DeclaredInterest),
            (Ties { investigated: true, ..free }, Conflict::DeclaredInterest),
            (Ties { liaison: true, ..free }, Conflict::LiaisonOfficer),
            (Ties { below: true, ..free }, Conflict::Level),
        ] {
            assert_eq!(ties.conflict(), Some(conflict));
        }
    }
}
