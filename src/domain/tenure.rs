//! What is in force until somebody ends it: an officer's access, a device, a key, a session. No
//! account of its own, and no rule of who may end which.

use super::lifecycle::State;

/// Whether it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tenure {
    /// In force.
    Active,
    /// Ended for good: what is needed again is made anew.
    Ended,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// An officer may enter no longer.
    Disable,
    /// A device, a key or a session counts no longer.
    Revoke,
}

impl Tenure {
    /// The state of a row that notes when it ended.
    #[must_use]
    pub const fn of(ended: bool) -> Self {
        if ended { Self::Ended } else { Self::Active }
    }
}

impl State for Tenure {
    type Action = End;

    const ALL: &'static [Self] = &[Self::Active, Self::Ended];
    const ACTIONS: &'static [End] = &[End::Disable, End::Revoke];

    fn after(self, action: End) -> Option<Self> {
        match (self, action) {
            (Self::Active, End::Disable | End::Revoke) => Some(Self::Ended),
            (Self::Ended, _) => None,
        }
    }

    fn wire(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Ended => "ENDED",
        }
    }

    fn action(action: End) -> &'static str {
        match action {
            End::Disable => "DISABLE",
            End::Revoke => "REVOKE",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tenure;
    use crate::domain::lifecycle::drawing;

    #[test]
    fn what_ended_never_begins_again() {
        insta::assert_snapshot!(drawing::<Tenure>(), @r"
        ACTIVE --DISABLE--> ENDED
        ACTIVE --REVOKE--> ENDED
        ");
    }
}
