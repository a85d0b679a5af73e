//! What is in force until somebody ends it: an officer's access, a device, a key, a session. No
//! account of its own, and no rule of who may end which.

use crate::{
    context::Cx,
    domain::common::lifecycle::{Moved, Note, State},
    error::Result,
    named::named,
};

named! {
/// Whether it is in force.
Tenure {
    /// In force.
    Active = "ACTIVE", "有效";
    /// Ended for good: what is needed again is made anew.
    Ended = "ENDED", "已终止";
}
}

named! {
/// How it ends.
End, readers: Readers {
    /// An officer may enter no longer.
    Disable = "DISABLE", "停用", Everybody;
    /// A device, a key or a session counts no longer.
    Revoke = "REVOKE", "吊销", Everybody;
}
}

impl Tenure {
    /// The state of a row that notes when it ended.
    #[must_use]
    pub const fn of(ended: bool) -> Self {
        if ended { Self::Ended } else { Self::Active }
    }
}

impl Tenure {
    /// Ends what is in force, for a reason that only officers read.
    ///
    /// # Errors
    /// `TRANSITION_ILLEGAL` when it has ended.
    pub fn end<E>(self, entity: E, how: End, reason: String, cx: &Cx) -> Result<Moved<E>> {
        let (_, change) = self.advance(how, Note::internal(reason), cx)?;
        Ok(Moved::new(entity, change))
    }
}

impl State for Tenure {
    type Action = End;
    const FIRST: Self = Self::Active;

    fn after(self, action: End) -> Option<Self> {
        match (self, action) {
            (Self::Active, End::Disable | End::Revoke) => Some(Self::Ended),
            (Self::Ended, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tenure;
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn what_ended_never_begins_again() {
        insta::assert_snapshot!(drawing::<Tenure>(), @r"
        ACTIVE --DISABLE--> ENDED
        ACTIVE --REVOKE--> ENDED
        ");
    }
}
