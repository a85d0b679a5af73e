//! How often somebody may call where nobody may know who called: counted in the memory of this process
//! alone, under a keyed digest whose key is forgotten every day. Nothing of it is ever written down.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    crypto::{self, Suite},
    domain::duty::month::local_date,
    error::{Error, Reason, Result},
};

/// How long a count runs.
const WINDOW: Duration = Duration::from_hours(1);
/// How many callers are remembered at once; beyond that all are forgotten, so that memory is bounded.
const REMEMBERED_MAX: usize = 100_000;

/// Counts of which nothing is kept.
pub struct UnseenLimits {
    factor: u32,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    day: Date,
    key: [u8; 32],
    callers: HashMap<[u8; 32], (Timestamp, u32)>,
}

impl UnseenLimits {
    /// Permits the factor times as much.
    #[must_use]
    pub fn new(factor: u32) -> Self {
        Self { factor, counts: Mutex::default() }
    }

    /// Counts one more, or refuses. The fresh key serves from the first call of a day on.
    pub fn count(
        &self,
        who: &str,
        an_hour: u32,
        now: Timestamp,
        fresh_key: [u8; 32],
    ) -> Result<()> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let day = local_date(now);
        if counts.day != day || counts.callers.len() >= REMEMBERED_MAX {
            *counts = Counts { day, key: fresh_key, callers: HashMap::new() };
        }
        let caller = crypto::mac(Suite::Intl, &counts.key, who.as_bytes());
        let (since, count) = counts.callers.entry(caller).or_insert((now, 0));
        if now.duration_since(*since) >= SignedDuration::from_hours(1) {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        if *count > an_hour.saturating_mul(self.factor) {
            return Err(Error::new(Reason::RateLimited).retry_after(WINDOW));
        }
        Ok(())
    }
}

impl fmt::Debug for UnseenLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnseenLimits(..)")
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::UnseenLimits;

    #[test]
    fn a_caller_is_counted_for_an_hour() {
        let limits = UnseenLimits::new(1);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let ten = at("2026-11-24T10:00:00+08:00");
        assert!(limits.count("a", 2, ten, [1; 32]).is_ok());
        assert!(limits.count("a", 2, ten, [2; 32]).is_ok());
        assert!(limits.count("a", 2, ten, [3; 32]).is_err());
        assert!(limits.count("b", 2, ten, [4; 32]).is_ok(), "another caller");
        assert!(limits.count("a", 2, at("2026-11-24T11:00:00+08:00"), [5; 32]).is_ok());
    }

    #[test]
    fn nothing_of_a_caller_is_printed() {
        let limits = UnseenLimits::new(1);
        limits.count("10.0.0.1", 2, Timestamp::UNIX_EPOCH, [1; 32]).unwrap();
        assert_eq!(format!("{limits:?}"), "UnseenLimits(..)");
    }
}
