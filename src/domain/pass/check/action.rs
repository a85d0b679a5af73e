//! What an officer did after a check, and who may do it.

use crate::{
    actor::{Actor, Role, Roles},
    error::{Error, Reason, Result},
    named::named,
};

named! {
/// What was done with a truck that had been checked.
CheckAction {
    /// It went on.
    Release = "RELEASE", "放行";
    /// The driver was told what is right.
    Educate = "EDUCATE", "教育";
    /// It had to turn.
    TurnBack = "TURN_BACK", "劝返";
    /// By a sworn officer.
    Penalise = "PENALISE", "处罚";
}
}

/// Who proposes to end a pass: those who check, and those who review.
const PROPOSERS: Roles =
    Roles::of(&[Role::CheckpointOfficer, Role::FirstReviewer, Role::FinalReviewer]);

impl CheckAction {
    /// Refuses who may not do it: a penalty is for sworn officers.
    ///
    /// # Errors
    /// `DENIED`, or what the law says of auxiliaries.
    pub fn permitted(self, actor: &Actor) -> Result<()> {
        if self == Self::Penalise {
            actor.sworn()?;
        }
        Ok(())
    }
}

/// Refuses who may not propose to end a pass (D10).
///
/// # Errors
/// `DENIED`.
pub fn may_propose_revocation(actor: &Actor) -> Result<()> {
    if !actor.roles().meets(PROPOSERS) || actor.sworn().is_err() {
        return Err(Error::new(Reason::Denied));
    }
    Ok(())
}
