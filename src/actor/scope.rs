//! What part of the world an actor may see. Who sees what is said by the actor.

use uuid::Uuid;

use crate::{
    error::{Error, Reason},
    id::{Id, Subject, kind},
};

/// What part of the world an actor may see: a required parameter of every read.
///
/// The fields widen: a row is visible when any of them reaches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything: our own jobs.
    pub all: bool,
    /// The enterprises for which the actor acts.
    pub enterprises: Vec<Uuid>,
    /// The subtree of police units: a path prefix.
    pub unit_path: Option<String>,
    /// The person: own account, own vehicles driven.
    pub person: Option<Uuid>,
    /// The checkpoint of a device.
    pub checkpoint: Option<Uuid>,
    /// The officer: drafts filed on behalf, what one works on.
    pub officer: Option<Uuid>,
    /// The officer whose posts serve enterprises: those are visible too.
    pub serving: Option<Uuid>,
    /// The unit whose assigned complaints the officer handles.
    pub unit: Option<Uuid>,
    /// The whole reach of the officer's unit, whatever of it is visible: the walks along sights
    /// begin there, and narrow further.
    pub reach: Option<String>,
    /// Nobody but the actor says what the actor may see.
    pub(super) made_here: (),
}

impl Scope {
    /// Everything, where the product reads for itself and not for whoever asks: whoever writes it says why.
    #[must_use]
    pub fn everything(_why: &'static str) -> Self {
        Self { all: true, ..Self::default() }
    }

    /// The name under which the actor files, where a draft is visible to its author alone.
    #[must_use]
    pub fn applicant(&self) -> Option<String> {
        self.officer.map(|officer| Id::<kind::Officer>::of(officer).to_string())
    }

    /// What to answer for an absent row: who sees everything is told that it is absent, anybody
    /// else cannot tell absent from forbidden.
    #[must_use]
    pub fn missing(&self, subject: Subject) -> Error {
        if self.all {
            Error::new(Reason::NotFound).fact("resource", subject)
        } else {
            Error::new(Reason::Denied).fact("resource", subject)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;
    use crate::{
        error::Reason,
        id::{Id, kind},
    };

    #[test]
    fn absent_and_forbidden_look_the_same_to_a_narrow_scope() {
        let subject = Id::<kind::TruckPass>::of(uuid::Uuid::nil()).subject();
        assert_eq!(Scope::default().missing(subject).reason(), Reason::Denied);
        let all = Scope { all: true, ..Scope::default() };
        assert_eq!(all.missing(subject).reason(), Reason::NotFound);
    }
}
