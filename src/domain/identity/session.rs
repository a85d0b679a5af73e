//! How long a sign-in lasts, and what the next use of its refresh token brings (RFC 9700, 4.14.2).
//! No token, no key, no row.

use jiff::{SignedDuration, Timestamp};

/// How many sign-ins of one account may be open; one more ends the oldest (facts.md, 6.2).
pub const OPEN_MAX: i64 = 5;

/// How long a client may repeat a refresh whose answer it lost.
pub const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// An officer who calls nothing for so long must sign in again (facts.md, 6.2 b). A refresh is no call: a
/// client refreshes by itself.
pub const IDLE_MAX: SignedDuration = SignedDuration::from_mins(15);
/// How exactly it is noted when a session called: an idle one ends up to so much earlier.
pub const IDLE_STEP: SignedDuration = SignedDuration::from_mins(1);

/// Whose sign-in it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// A person of the mini-program.
    Person,
    /// An officer.
    Officer,
    /// A device.
    Device,
}

impl Account {
    /// Whether it ends when nobody calls: an officer's desk stands in a hall; a phone is locked by itself,
    /// and a device has no hands.
    #[must_use]
    pub const fn idles(self) -> bool {
        matches!(self, Self::Officer)
    }
}

/// How long the sign-in lasts; a refresh does not prolong it.
#[must_use]
pub const fn lifetime(account: Account) -> SignedDuration {
    match account {
        Account::Person => SignedDuration::from_hours(30 * 24),
        // One tour of duty.
        Account::Officer => SignedDuration::from_hours(12),
        Account::Device => SignedDuration::from_hours(24),
    }
}

/// What is known of a sign-in when its refresh token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// How many tokens it had: the last one alone may be used.
    pub generation: i32,
    /// When the last one was made.
    pub refresh_time: Timestamp,
    /// When it must be signed in again.
    pub expire_time: Timestamp,
    /// Whether it was ended.
    pub ended: bool,
}

/// What a refresh token brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// The next token; the one that came is spent.
    Successor,
    /// The token that followed it before: its client lost the answer.
    SameSuccessor,
    /// The end of the family: the token was used before, so two hands hold it.
    Reuse,
    /// Nothing: the sign-in is over.
    Over,
}

impl Family {
    /// Judges a token of this family by its generation.
    #[must_use]
    pub fn judge(self, generation: i32, now: Timestamp) -> Refresh {
        if self.ended || self.expire_time <= now {
            return Refresh::Over;
        }
        if generation == self.generation {
            return Refresh::Successor;
        }
        let just_before = generation.checked_add(1) == Some(self.generation);
        if just_before && now.duration_since(self.refresh_time) <= GRACE {
            return Refresh::SameSuccessor;
        }
        Refresh::Reuse
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Family, Refresh};

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    // ID-01, I24: rotation, reuse, and the grace of a lost answer.
    #[test]
    fn a_refresh_token_is_judged_by_its_generation_and_its_time() {
        let family =
            Family { generation: 3, refresh_time: at(100), expire_time: at(1_000), ended: false };
        for (generation, second, verdict) in [
            (3, 101, Refresh::Successor),
            (3, 999, Refresh::Successor),
            (2, 100, Refresh::SameSuccessor),
            (2, 110, Refresh::SameSuccessor),
            (2, 111, Refresh::Reuse),
            (1, 101, Refresh::Reuse),
            (0, 101, Refresh::Reuse),
            (4, 101, Refresh::Reuse),
            (i32::MAX, 101, Refresh::Reuse),
            (3, 1_000, Refresh::Over),
            (1, 1_000, Refresh::Over),
        ] {
            assert_eq!(family.judge(generation, at(second)), verdict, "{generation} at {second}");
        }
        let ended = Family { ended: true, ..family };
        for generation in [1, 2, 3] {
            assert_eq!(ended.judge(generation, at(101)), Refresh::Over);
        }
    }

    #[test]
    fn the_grace_does_not_exceed_ten_seconds_by_a_fraction() {
        let family =
            Family { generation: 2, refresh_time: at(100), expire_time: at(1_000), ended: false };
        let late = at(110) + SignedDuration::from_micros(1);
        assert_eq!(family.judge(1, late), Refresh::Reuse);
    }
}
