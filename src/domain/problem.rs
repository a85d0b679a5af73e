//! A problem of an enterprise and its drawing: found, promised, solved. Who owes what until when is
//! an obligation.

use jiff::{Timestamp, civil::Date};

use super::{
    lifecycle::{Change, Moved, Note, State},
    month::{local_date, start_of_day},
    policy::named,
};
use crate::{
    context::Cx,
    error::{Error, Flaw, Result},
    id::{Id, kind},
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
ProblemAction {
    /// By an officer; again with another day.
    Promise = "PROMISE", "承诺";
    /// By an officer.
    Solve = "SOLVE", "解决";
    /// By an officer, with the reason.
    Drop = "DROP", "撤销";
}
}

impl State for ProblemState {
    type Action = ProblemAction;
    const ALL: &'static [Self] = Self::ALL;
    const ACTIONS: &'static [ProblemAction] = ProblemAction::ALL;

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

    fn wire(self) -> &'static str {
        Self::wire(self)
    }

    fn action(action: ProblemAction) -> &'static str {
        action.wire()
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
    pub held: Held,
}

/// A state that only a step, or the reading of a row, can set.
#[derive(Debug, Clone, Copy)]
pub struct Held(ProblemState);

impl Held {
    /// The state of a stored row; the store alone says this.
    #[must_use]
    pub const fn row(state: ProblemState) -> Self {
        Self(state)
    }
}

impl Problem {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ProblemState {
        self.held.0
    }

    /// Registers it.
    pub fn register(mut self, cx: &Cx) -> Moved<Self> {
        self.held = Held(ProblemState::Found);
        let change = Change::begin(self.state(), "CREATE", Note::none(), cx);
        Moved::new(self, change)
    }

    /// Promises a solution by the end of a day, today at the earliest.
    pub fn promise(mut self, day: Date, note: String, cx: &Cx) -> Result<Moved<Self>> {
        if day < local_date(cx.now) {
            return Err(Error::field("promised_day", Flaw::InPast));
        }
        let change = self.advance(ProblemAction::Promise, note, cx)?;
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
        let (state, change) = self.state().advance(action, Note::public(note), cx)?;
        self.held = Held(state);
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
    use crate::domain::lifecycle::drawing;

    #[test]
    fn the_drawing_of_a_problem() {
        insta::assert_snapshot!(drawing::<ProblemState>(), @r"
        FOUND --PROMISE--> PROMISED
        FOUND --SOLVE--> SOLVED
        FOUND --DROP--> DROPPED
        PROMISED --PROMISE--> PROMISED
        PROMISED --SOLVE--> SOLVED
        PROMISED --DROP--> DROPPED
        ");
    }
}
