//! An entry of the blacklist and its drawing. Whether a truck may pass is judged by `check`.

use jiff::Timestamp;

use crate::{
    context::Cx,
    domain::common::{
        deed::Deed,
        lifecycle::{Change, Moved, Note, State},
    },
    error::Result,
    id::{Id, Subject, kind},
    named::named,
};

named! {
/// Where an entry stands.
EntryState {
    /// It counts, while its time runs.
    Open = "OPEN", "有效";
    /// Its cause was removed.
    Lifted = "LIFTED", "已解除";
}
}

named! {
/// What can be done to an entry.
EntryAction, readers: Readers {
    /// By a sworn officer.
    Lift = "LIFT", "解除", Everybody;
}
}

impl State for EntryState {
    type Action = EntryAction;
    const FIRST: Self = Self::Open;

    fn after(self, action: EntryAction) -> Option<Self> {
        match (self, action) {
            (Self::Open, EntryAction::Lift) => Some(Self::Lifted),
            (Self::Lifted, EntryAction::Lift) => None,
        }
    }
}

/// What stands on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// One vehicle.
    Vehicle(Id<kind::Vehicle>),
    /// An enterprise, with every vehicle that it has.
    Enterprise(Id<kind::Enterprise>),
}

impl Listed {
    /// With its kind erased.
    #[must_use]
    pub fn subject(self) -> Subject {
        match self {
            Self::Vehicle(id) => id.subject(),
            Self::Enterprise(id) => id.subject(),
        }
    }
}

/// An entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id.
    pub id: Id<kind::BlacklistEntry>,
    /// What stands on the list.
    pub listed: Listed,
    /// The wire name of a `PassRevocationReason`.
    pub reason_code: String,
    /// The facts.
    pub reason: String,
    /// From.
    pub valid_from: Timestamp,
    /// Until, exclusive; none: until the cause is removed.
    pub valid_until: Option<Timestamp>,
    /// Who decided.
    pub officer: Id<kind::Officer>,
    /// When the cause was removed.
    pub lift_time: Option<Timestamp>,
    /// What was said about that.
    pub lift_note: String,
}

impl Entry {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> EntryState {
        if self.lift_time.is_some() { EntryState::Lifted } else { EntryState::Open }
    }

    /// Puts it on the list.
    pub fn begin(self, cx: &Cx) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        let note = Note::internal(self.reason.clone());
        let (_, change) = Change::begin(EntryState::Open, Deed::List, note, cx);
        Ok(Moved::new(self, change))
    }

    /// Takes it off the list.
    pub fn lift(mut self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        let said = Note::internal(&*note);
        let (_, change) = self.state().advance(EntryAction::Lift, said, cx)?;
        self.lift_time = Some(cx.now);
        self.lift_note = note;
        Ok(Moved::new(self, change))
    }
}

#[cfg(test)]
mod tests {
    use super::EntryState;
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_an_entry() {
        insta::assert_snapshot!(drawing::<EntryState>(), @"OPEN --LIFT--> LIFTED");
    }
}
