//! At which level a complaint is supervised, and how far the day of a supervision may lie ahead.

use jiff::SignedDuration;

use crate::named::named;

/// How long a supervision may last: as long as the law gives the whole handling (信访工作条例, art. 34).
pub const SUPERVISED_WITHIN: SignedDuration = SignedDuration::from_hours(60 * 24);

named! {
/// At which level a complaint is supervised.
SupervisionLevel {
    /// By the bureau.
    Bureau = "BUREAU", "局级督办";
    /// On the list of those that the bureau's leaders follow.
    Listed = "LISTED", "挂牌督办";
    /// A joint meeting has it, since it was rated badly again and again.
    JointMeeting = "JOINT_MEETING", "联席会议督办";
}
}

impl SupervisionLevel {
    /// Whether a leader gives it; the other comes by itself.
    #[must_use]
    pub const fn is_given(self) -> bool {
        matches!(self, Self::Bureau | Self::Listed)
    }
}
