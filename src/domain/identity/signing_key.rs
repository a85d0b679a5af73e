//! What keys sign, in which suites and for how long, and when a successor is needed. No key is here.

use jiff::{SignedDuration, Timestamp};

use crate::{
    crypto::Suite,
    error::{Error, Result},
    named::named,
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A successor is made so long before the last signature of a key: time for a worker that rests, and
/// for devices that were away to load the list in which the successor stands.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

named! {
/// What a key signs.
Purpose {
    /// Access tokens.
    AccessToken = "ACCESS_TOKEN", "登录令牌";
    /// Pass codes.
    PassCode = "PASS_CODE", "通行码";
    /// The list of keys that devices load.
    KeyList = "KEY_LIST", "密钥列表";
    /// Binding codes, and the exports of conversations.
    Record = "RECORD", "凭证与导出";
}
}

impl Purpose {
    /// The suites in which it is signed.
    #[must_use]
    pub const fn suites(self) -> &'static [Suite] {
        match self {
            Self::PassCode => &[Suite::Intl, Suite::Sm],
            Self::AccessToken | Self::KeyList | Self::Record => &[Suite::Intl],
        }
    }

    /// How long before its first signature a key is published, so that devices have loaded it by
    /// then (I10).
    #[must_use]
    pub const fn lead(self) -> SignedDuration {
        match self {
            Self::PassCode => SignedDuration::from_secs(60),
            Self::AccessToken | Self::KeyList | Self::Record => SignedDuration::ZERO,
        }
    }

    /// Until when a key signs that begins at the instant, and until when what it signed counts.
    ///
    /// # Errors
    /// `INTERNAL` at the end of time.
    pub fn ends(self, not_before: Timestamp) -> Result<(Timestamp, Timestamp)> {
        let sign_until = not_before.saturating_add(self.signs()).map_err(Error::internal)?;
        let verify_until =
            sign_until.saturating_add(self.verifies_after()).map_err(Error::internal)?;
        Ok((sign_until, verify_until))
    }

    /// How long it signs.
    const fn signs(self) -> SignedDuration {
        match self {
            Self::AccessToken | Self::PassCode => SignedDuration::from_hours(90 * 24),
            Self::KeyList | Self::Record => SignedDuration::from_hours(365 * 24),
        }
    }

    /// How long its last signature counts: a token ten minutes, a printed code as long as its
    /// pass, which begins at most three months ahead and lasts at most twelve.
    fn verifies_after(self) -> SignedDuration {
        match self {
            Self::AccessToken | Self::KeyList => DAY,
            Self::PassCode => DAY * 487,
            // An export is a record: it must be verifiable for as long as records are kept.
            Self::Record => DAY * 3_650,
        }
    }
}

/// From when on another key must sign for a purpose; none where one signs beyond the horizon. The keys are those
/// that begin before it: whether each signs already, and until when. A successor begins where its predecessor
/// ends: until then it is published, far longer than [`Purpose::lead`] asks for.
pub fn needed_from(
    keys: impl Iterator<Item = (bool, Timestamp)>,
    horizon: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    let (mut signs, mut until) = (false, None);
    for (already, end) in keys {
        signs |= already;
        until = until.max(Some(end));
    }
    match until.filter(|_| signs) {
        Some(until) if until > horizon => None,
        Some(until) => Some(until),
        None => Some(now),
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan as _};

    use super::{AHEAD, Purpose, needed_from};

    // I10, QR-06.
    #[test]
    fn a_successor_begins_where_its_predecessor_ends() {
        let now: Timestamp = "2026-11-24T10:30:00+08:00".parse().unwrap();
        let horizon = now + AHEAD;
        let (soon, late) = (now + 24.hours(), now + (60 * 24).hours());
        for (keys, from) in [
            (vec![], Some(now)),
            (vec![(true, late)], None),
            (vec![(true, soon)], Some(soon)),
            (vec![(true, soon), (false, late)], None),
            // What does not sign yet lets nobody in now.
            (vec![(false, late)], Some(now)),
        ] {
            assert_eq!(needed_from(keys.clone().into_iter(), horizon, now), from, "{keys:?}");
        }
    }

    #[test]
    fn what_a_key_signed_counts_longer_than_it_signs() {
        for purpose in Purpose::ALL {
            let (sign, verify) = purpose.ends(Timestamp::UNIX_EPOCH).unwrap();
            assert!(Timestamp::UNIX_EPOCH < sign && sign < verify, "{purpose:?}");
        }
    }
}
