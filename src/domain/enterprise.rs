//! The enterprise and its drawing. Who acts for it is not known here.

use jiff::Timestamp;

use super::{
    lifecycle::{Change, Moved, Note, State},
    policy::named,
};
use crate::{
    context::Cx,
    error::Result,
    id::{Id, kind},
};

named! {
/// Where an enterprise stands.
EnterpriseState {
    /// Registered, not compared with its licence yet.
    Pending = "PENDING", "待核验";
    /// An officer compared licence and person.
    Verified = "VERIFIED", "已核验";
    /// No new business; what was issued stays.
    Suspended = "SUSPENDED", "已暂停";
}
}

named! {
/// What can be done to an enterprise.
EnterpriseAction {
    /// By the desk.
    Verify = "VERIFY", "核验";
    /// By a reviewer.
    Suspend = "SUSPEND", "暂停";
    /// By a reviewer.
    Resume = "RESUME", "恢复";
}
}

impl State for EnterpriseState {
    type Action = EnterpriseAction;
    const ALL: &'static [Self] = Self::ALL;
    const ACTIONS: &'static [EnterpriseAction] = EnterpriseAction::ALL;

    fn after(self, action: EnterpriseAction) -> Option<Self> {
        Some(match (self, action) {
            (Self::Pending, EnterpriseAction::Verify)
            | (Self::Suspended, EnterpriseAction::Resume) => Self::Verified,
            (Self::Verified, EnterpriseAction::Suspend) => Self::Suspended,
            _ => return None,
        })
    }

    fn wire(self) -> &'static str {
        Self::wire(self)
    }

    fn action(action: EnterpriseAction) -> &'static str {
        action.wire()
    }
}

/// An enterprise.
#[derive(Debug, Clone)]
pub struct Enterprise {
    /// Its id.
    pub id: Id<kind::Enterprise>,
    /// Unified social credit code.
    pub uscc: String,
    /// The registered name.
    pub display_name: String,
    /// Its division.
    pub division_code: String,
    /// The unit that serves it with truck passes.
    pub unit: Id<kind::Unit>,
    /// The path of that unit.
    pub unit_path: String,
    /// The full name of its legal representative.
    pub legal_representative: String,
    /// Who registered it.
    pub applicant: Id<kind::Person>,
    /// When.
    pub create_time: Timestamp,
    /// Rises with each write.
    pub version: i64,
    /// The stored state.
    pub held: Held,
}

/// A state that only a step, or the reading of a row, can set.
#[derive(Debug, Clone, Copy)]
pub struct Held(EnterpriseState);

impl Held {
    /// The state of a stored row; the store alone says this.
    #[must_use]
    pub const fn row(state: EnterpriseState) -> Self {
        Self(state)
    }
}

impl Enterprise {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> EnterpriseState {
        self.held.0
    }

    /// A new registration.
    pub fn register(mut self, cx: &Cx) -> Moved<Self> {
        self.held = Held(EnterpriseState::Pending);
        let change = Change::begin(self.state(), "CREATE", Note::none(), cx);
        Moved::new(self, change)
    }

    /// Takes a step.
    pub fn act(mut self, action: EnterpriseAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        if action != EnterpriseAction::Verify {
            cx.actor.sworn()?;
        }
        let (state, change) = self.state().advance(action, Note::public(note), cx)?;
        self.held = Held(state);
        Ok(Moved::new(self, change))
    }
}

#[cfg(test)]
mod tests {
    use super::EnterpriseState;
    use crate::domain::lifecycle::drawing;

    #[test]
    fn the_drawing_of_an_enterprise() {
        insta::assert_snapshot!(drawing::<EnterpriseState>(), @r"
        PENDING --VERIFY--> VERIFIED
        VERIFIED --SUSPEND--> SUSPENDED
        SUSPENDED --RESUME--> VERIFIED
        ");
    }
}
