//! Where an answer stands that a handler gave. Who judges it is said with the steps.

use crate::named::named;

named! {
/// Where a feedback stands.
FeedbackState {
    /// Nobody has judged it yet.
    Submitted = "SUBMITTED", "待审核";
    /// The enterprise reads it.
    Approved = "APPROVED", "已通过";
    /// The handler writes another one.
    Rejected = "REJECTED", "已退回";
}
}

impl FeedbackState {
    /// By what was decided of it.
    #[must_use]
    pub const fn of(approved: Option<bool>) -> Self {
        match approved {
            None => Self::Submitted,
            Some(true) => Self::Approved,
            Some(false) => Self::Rejected,
        }
    }
}
