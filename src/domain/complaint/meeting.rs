//! A joint meeting (警企联席会议; measure 19) and the points on its list, with their two drawings: a
//! point waits for a meeting, is decided there, and is settled by the unit that owes it, or dropped with
//! a reason. Who owes what until when is an obligation.

use jiff::{Timestamp, civil::Date};
use uuid::Uuid;

use super::{Complaint, ComplaintState};
use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::Follow,
            lifecycle::{Change, Held, Moved, Note, State},
        },
        duty::{calendar::Due, month::local_date, obligation::ObligationKind},
        liaison::problem::{Problem, ProblemState, due},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, Subject, kind},
    named::named,
};

named! {
/// Where a meeting stands.
MeetingState {
    /// Called; points are added and decided.
    Called = "CALLED", "已召集";
    /// Held, with minutes.
    Closed = "CLOSED", "已结束";
}
}

named! {
/// What can be done to a meeting.
MeetingAction, readers: Readers {
    /// By the leader who called it, or one above.
    Close = "CLOSE", "结束", Everybody;
}
}

impl State for MeetingState {
    type Action = MeetingAction;
    const FIRST: Self = Self::Called;

    fn after(self, action: MeetingAction) -> Option<Self> {
        match (self, action) {
            (Self::Called, MeetingAction::Close) => Some(Self::Closed),
            (Self::Closed, MeetingAction::Close) => None,
        }
    }
}

named! {
/// Where a point stands.
PointState {
    /// No meeting has it on its list yet.
    Waiting = "WAITING", "待上会";
    /// On the list of a meeting.
    Listed = "LISTED", "已列入议题";
    /// A unit owes it until a day.
    Decided = "DECIDED", "已议定";
    /// Done.
    Settled = "SETTLED", "已落实";
    /// It needs no meeting and nobody any more, for a reason that stays.
    Dropped = "DROPPED", "已撤销";
}
}

named! {
/// What can be done to a point.
PointAction, readers: Readers {
    /// Puts it on the list of a meeting.
    List = "LIST", "列入议题", Everybody;
    /// By a leader at the meeting; again as long as the meeting lasts.
    Decide = "DECIDE", "议定", Everybody;
    /// By the unit that owes it.
    Settle = "SETTLE", "落实", Everybody;
    /// By who leads the meeting, also after it: what became void is owed by nobody for ever.
    Drop = "DROP", "撤销", Everybody;
}
}

impl State for PointState {
    type Action = PointAction;
    const FIRST: Self = Self::Waiting;

    fn after(self, action: PointAction) -> Option<Self> {
        Some(match (self, action) {
            (Self::Waiting, PointAction::List) => Self::Listed,
            (Self::Listed | Self::Decided, PointAction::Decide) => Self::Decided,
            (Self::Decided, PointAction::Settle) => Self::Settled,
            // A waiting one by what it waits for alone: it was concluded without a meeting.
            (Self::Waiting | Self::Listed | Self::Decided, PointAction::Drop) => Self::Dropped,
            _ => return None,
        })
    }

    fn follows(action: PointAction) -> &'static [Follow] {
        const SETTLEMENT: ObligationKind = ObligationKind::SettleMeetingPoint;
        match action {
            // The day of a decision is named with the step.
            PointAction::List | PointAction::Decide => &[],
            // What a point is about asks by itself, or is beyond asking; a free text has nothing else.
            PointAction::Settle => &[Follow::Meet(SETTLEMENT), Follow::Invite],
            // Nobody owes it any more; that it was late until now stays a row.
            PointAction::Drop => &[Follow::Void(SETTLEMENT)],
        }
    }
}

/// A police unit that takes part, with the path by which it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The unit.
    pub unit: Id<kind::Unit>,
    /// Its path.
    pub path: String,
}

/// A meeting.
#[derive(Debug, Clone)]
pub struct JointMeeting {
    /// Its id.
    pub id: Id<kind::JointMeeting>,
    /// The unit that calls it.
    pub host: Seat,
    /// What it is about.
    pub title: String,
    /// Where.
    pub place: String,
    /// When.
    pub meet_time: Timestamp,
    /// The units that are invited.
    pub guests: Vec<Seat>,
    /// The enterprises that are invited.
    pub enterprises: Vec<Id<kind::Enterprise>>,
    /// What was said; among officers.
    pub minutes: String,
    /// When it was called.
    pub create_time: Timestamp,
    /// When it was closed.
    pub close_time: Option<Timestamp>,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<MeetingState>,
}

/// A point of a meeting, or one that waits for a meeting.
#[derive(Debug, Clone)]
pub struct MeetingPoint {
    /// Its id.
    pub id: Id<kind::MeetingPoint>,
    /// On whose list it is.
    pub meeting: Option<Id<kind::JointMeeting>>,
    /// What it is about: collection and id; absent for a free text.
    pub subject: Option<(String, Uuid)>,
    /// Whom it concerns.
    pub enterprise: Option<Id<kind::Enterprise>>,
    /// The path of the unit in charge.
    pub unit_path: String,
    /// In short; the enterprise reads it.
    pub title: String,
    /// Among officers.
    pub note: String,
    /// What was decided; the enterprise reads it.
    pub decision: String,
    /// The unit that owes it.
    pub owing: Option<Seat>,
    /// The last day on which it is not late.
    pub due_day: Option<Date>,
    /// What was done, or why it was dropped; the enterprise reads it.
    pub outcome: String,
    /// When it was put on a list.
    pub create_time: Timestamp,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<PointState>,
}

impl JointMeeting {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> MeetingState {
        self.held.state()
    }

    /// Calls it.
    pub fn call(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(MeetingState::Called, Deed::Call, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// Ends it with its minutes; not while a point is undecided: nobody leaves without a result.
    pub fn close(mut self, minutes: String, undecided: i64, cx: &Cx) -> Result<Moved<Self>> {
        if undecided > 0 {
            return Err(Error::new(Reason::PointsUndecided).fact("points", undecided));
        }
        let (held, change) = self.state().advance(MeetingAction::Close, Note::none(), cx)?;
        self.held = held;
        self.minutes = minutes;
        self.close_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// Refuses what may only be done as long as it lasts.
    pub fn lasts(&self) -> Result<()> {
        match self.state() {
            MeetingState::Called => Ok(()),
            MeetingState::Closed => {
                let error = Error::new(Reason::TransitionIllegal);
                Err(error.fact("state", self.state().wire()))
            }
        }
    }

    /// The seat of a unit, where it takes part: it called the meeting, or was invited.
    #[must_use]
    pub fn seat(&self, unit: Id<kind::Unit>) -> Option<&Seat> {
        std::iter::once(&self.host).chain(&self.guests).find(|seat| seat.unit == unit)
    }
}

impl MeetingPoint {
    /// A point without a meeting, as the escalation of something makes it.
    #[must_use]
    pub fn about(subject: Subject, unit_path: String, title: String, cx: &Cx) -> Self {
        Self {
            id: cx.id(),
            meeting: None,
            subject: Some((subject.collection.to_owned(), subject.uuid)),
            enterprise: None,
            unit_path,
            title,
            note: String::new(),
            decision: String::new(),
            owing: None,
            due_day: None,
            outcome: String::new(),
            create_time: cx.now,
            version: 1,
            held: Held::default(),
        }
    }

    /// The point about a complaint. By its number alone: what it says is read in the complaint.
    #[must_use]
    pub fn of_complaint(complaint: &Complaint, cx: &Cx) -> Self {
        let title = format!("提级诉求{}", complaint.number);
        let about = Self::about(complaint.id.subject(), complaint.unit_path.clone(), title, cx);
        Self { enterprise: Some(complaint.enterprise), ..about }
    }

    /// The same, put on a list by hand: only what was escalated comes before a meeting; everything else has its
    /// own way.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL`.
    pub fn of_escalated(complaint: &Complaint, cx: &Cx) -> Result<Self> {
        if complaint.state() != ComplaintState::Escalated {
            let error = Error::new(Reason::TransitionIllegal);
            return Err(error.fact("state", complaint.state().wire()));
        }
        Ok(Self::of_complaint(complaint, cx))
    }

    /// The point about a problem that is not ended.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL`.
    pub fn of_problem(problem: Problem, cx: &Cx) -> Result<Self> {
        let state = problem.state();
        if !matches!(state, ProblemState::Found | ProblemState::Promised) {
            return Err(Error::new(Reason::TransitionIllegal).fact("state", state.wire()));
        }
        let about = Self::about(problem.id.subject(), problem.unit_path, problem.title, cx);
        Ok(Self { enterprise: Some(problem.enterprise), ..about })
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> PointState {
        self.held.state()
    }

    /// Its place in lists, which run downwards: whatever is open before whatever has ended, newer
    /// before older. The first bit of a time-ordered id is free until the year 6429.
    #[must_use]
    pub fn place(&self) -> Uuid {
        match self.state() {
            PointState::Settled | PointState::Dropped => self.id.uuid(),
            PointState::Waiting | PointState::Listed | PointState::Decided => {
                Uuid::from_u128(self.id.uuid().as_u128() | OPEN)
            }
        }
    }

    /// Lets it wait for a meeting.
    pub fn wait(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(PointState::Waiting, Deed::Wait, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// Begins on the list of a meeting.
    pub fn begin(mut self, meeting: &JointMeeting, cx: &Cx) -> Result<Moved<Self>> {
        meeting.lasts()?;
        let (held, change) = Change::begin(PointState::Listed, Deed::List, Note::none(), cx);
        self.held = held;
        self.meeting = Some(meeting.id);
        Ok(Moved::new(self, change))
    }

    /// Goes from those that wait to the list of a meeting.
    pub fn list(mut self, meeting: &JointMeeting, cx: &Cx) -> Result<Moved<Self>> {
        meeting.lasts()?;
        let change = self.advance(PointAction::List, Note::none(), cx)?;
        self.meeting = Some(meeting.id);
        Ok(Moved::new(self, change))
    }

    /// Says who owes it until the end of a day, today at the earliest.
    pub fn decide(
        mut self,
        meeting: &JointMeeting,
        owing: Seat,
        day: Date,
        decision: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        meeting.lasts()?;
        if day < local_date(cx.now) {
            return Err(Error::field("due_day", Flaw::InPast));
        }
        let due = Due { at: due(day), provisional: false };
        let change = self.advance(PointAction::Decide, Note::public(decision.clone()), cx)?;
        let change = change.and([Follow::Promise(ObligationKind::SettleMeetingPoint, due)]);
        self.decision = decision;
        self.owing = Some(owing);
        self.due_day = Some(day);
        Ok(Moved::new(self, change))
    }

    /// Ends it with what was done.
    pub fn settle(mut self, outcome: String, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let note = Note::public(outcome.clone()).and_internal(note);
        let change = self.advance(PointAction::Settle, note, cx)?;
        self.outcome = outcome;
        Ok(Moved::new(self, change))
    }

    /// Ends it without anything done. What was decided, and who owed it until when, stays readable.
    pub fn drop_for(mut self, reason: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(PointAction::Drop, Note::public(reason.clone()), cx)?;
        self.outcome = reason;
        Ok(Moved::new(self, change))
    }

    fn advance(&mut self, action: PointAction, note: Note, cx: &Cx) -> Result<Change> {
        let (held, change) = self.state().advance(action, note, cx)?;
        self.held = held;
        Ok(change)
    }
}

/// The bit that puts open points before those that have ended.
const OPEN: u128 = 1 << 127;

/// Where the open points of a list end.
#[must_use]
pub const fn open_from() -> Uuid {
    Uuid::from_u128(OPEN)
}

#[cfg(test)]
mod tests {
    use super::{MeetingState, PointState};
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_a_joint_meeting() {
        insta::assert_snapshot!(drawing::<MeetingState>(), @"CALLED --CLOSE--> CLOSED");
    }

    #[test]
    fn the_drawing_of_a_point() {
        insta::assert_snapshot!(drawing::<PointState>());
    }
}
