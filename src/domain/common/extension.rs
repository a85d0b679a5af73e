//! Where an extension that somebody asked for stands. How long it may be is a rule of the noun.

use crate::named::named;

named! {
/// Where it stands.
ExtensionState {
    /// Asked for.
    Requested = "REQUESTED", "待审批";
    /// Granted.
    Approved = "APPROVED", "已同意";
    /// Refused, or nobody will decide it any more.
    Refused = "REFUSED", "未同意";
}
}

impl ExtensionState {
    /// What a decision makes of it.
    #[must_use]
    pub const fn decided(approved: bool) -> Self {
        if approved { Self::Approved } else { Self::Refused }
    }
}
