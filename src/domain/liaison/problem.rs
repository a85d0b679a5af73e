//! A problem of an enterprise and its drawing: found, promised, solved. Who owes what until when is
//! an obligation.

use jiff::{Timestamp, civil::Date};

use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::Follow,
            lifecycle::{Change, Held, Moved, Note, State},
        },
        duty::{
            calendar::Due,
            month::{local_date, start_of_day},
            obligation::ObligationKind,
        },
    },
    error::{Error, Flaw, Result},
    id::{Id, kind},
    named::named,
};

named! {
/// Where a problem stands.
ProblemState {
    /// Known.
    Found = "FOUND", "已发现";
    /// To be solved by a day.
    Promised = "PROMISED", "已承诺";
    /// Solved.
    Solved = "SOLVED", "已解决";
    /// Not ours to solve, or none any more.
    Dropped = "DROPPED", "已撤销";
}
}

named! {
/// What can be done to a problem.
ProblemAction, readers: Readers {
    /// By an officer; again with another day.
    Promise = "PROMISE", "承诺", Everybody;
    /// By an officer.
    Solve = "SOLVE", "解决", Everybody;
    /// By an officer, with the reason.
    Drop = "DROP", "撤销", Everybody;
}
}

impl State for ProblemState {
    type Action = ProblemAction;
    const FIRST: Self = Self::Found;

    fn after(self, action: ProblemAction) -> Option<Self> {
        match self {
            Self::Found | Self::Promised => Some(match action {
                ProblemAction::Promise => Self::Promised,
                ProblemAction::Solve => Self::Solved,
                ProblemAction::Drop => Self::Dropped,
            }),
            Self::Solved | Self::Dropped => None,
        }
    }

    fn follows(action: ProblemAction) -> &'static [Follow] {
        const SOLUTION: ObligationKind = ObligationKind::SolveProblem;
        match action {
            // Its day is named with the step.
            ProblemAction::Promise => &[],
            ProblemAction::Solve => &[Follow::Meet(SOLUTION), Follow::Invite],
            ProblemAction::Drop => &[Follow::Void(SOLUTION)],
        }
    }
}

/// A problem.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Its id.
    pub id: Id<kind::Problem>,
    /// Whose it is.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that serves the enterprise.
    pub unit_path: String,
    /// What it is, in short.
    pub title: String,
    /// What it is.
    pub description: String,
    /// The visit on which it was found.
    pub visit: Option<Id<kind::Visit>>,
    /// The last day of the promise.
    pub promised_day: Option<Date>,
    /// What was done, or why it was dropped.
    pub outcome: String,
    /// When it was registered.
    pub create_time: Timestamp,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<ProblemState>,
}

impl Problem {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ProblemState {
        self.held.state()
    }

    /// Registers it.
    pub fn register(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(ProblemState::Found, Deed::Create, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// Promises a solution by the end of a day, today at the earliest.
    pub fn promise(mut self, day: Date, note: String, cx: &Cx) -> Result<Moved<Self>> {
        if day < local_date(cx.now) {
            return Err(Error::field("promised_day", Flaw::InPast));
        }
        let due = Due { at: due(day), provisional: false };
        let change = self.advance(ProblemAction::Promise, note, cx)?;
        let change = change.and([Follow::Promise(ObligationKind::SolveProblem, due)]);
        self.promised_day = Some(day);
        Ok(Moved::new(self, change))
    }

    /// Ends it, solved or dropped.
    pub fn end(mut self, action: ProblemAction, outcome: String, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(action, outcome.clone(), cx)?;
        self.outcome = outcome;
        Ok(Moved::new(self, change))
    }

    fn advance(&mut self, action: ProblemAction, note: String, cx: &Cx) -> Result<Change> {
        let (held, change) = self.state().advance(action, Note::public(note), cx)?;
        self.held = held;
        Ok(change)
    }
}

/// The first instant at which a promise by this day is broken.
#[must_use]
pub fn due(day: Date) -> Timestamp {
    start_of_day(day.tomorrow().unwrap_or(day))
}

#[cfg(test)]
mod tests {
    use super::ProblemState;
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_a_problem() {
        insta::assert_snapshot!(drawing::<ProblemState>());
    }
}
