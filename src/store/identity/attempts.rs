//! Attempts to come in that failed in a row: so many from one source to one account, then a wait. Counted
//! in Redis for all servers, or here when Redis is away. Whether the account exists is not asked, so the
//! wait tells a stranger nothing.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::sync::Cache as Memo;

use crate::{
    domain::identity::officer::{FAILURES_PER_SOURCE_MAX, LOCK},
    error::{Error, Reason, Result},
    store::Cache,
};

/// Sources that are remembered while Redis is away.
const REMEMBERED_MAX: u64 = 100_000;

/// Attempts in a row, and the last of them that counted.
#[derive(Debug, Clone, Copy)]
struct Row {
    attempts: u32,
    last: Timestamp,
}

/// Counts the attempts of every source.
#[derive(Debug, Clone)]
pub struct Attempts {
    cache: Cache,
    failures_max: u32,
    local: Arc<Memo<String, Row>>,
}

impl Attempts {
    /// Counts in this cache, and permits the factor times as many.
    #[must_use]
    pub fn new(cache: Cache, factor: u32) -> Self {
        let failures_max = FAILURES_PER_SOURCE_MAX.saturating_mul(factor);
        Self { cache, failures_max, local: Arc::new(Memo::new(REMEMBERED_MAX)) }
    }

    /// Begins an attempt. It counts as a failure until it is known to be none, so that of attempts at
    /// the same time no more get through than of those one after the other.
    ///
    /// # Errors
    /// `ACCOUNT_LOCKED`, with the wait.
    pub async fn begin(&self, source: &str, now: Timestamp) -> Result<()> {
        let asked = self.cache.attempt(source, now, lock(), self.failures_max).await;
        let wait = asked.unwrap_or_else(|| self.begin_here(source, now));
        if wait.is_zero() {
            return Ok(());
        }
        Err(Error::new(Reason::AccountLocked).retry_after(wait))
    }

    /// Forgets the failures of a source: the attempt held.
    pub async fn held(&self, source: &str) {
        self.local.invalidate(source);
        self.cache.forget_attempts(source).await;
    }

    fn begin_here(&self, source: &str, now: Timestamp) -> Duration {
        let row = self.local.entry_by_ref(source).and_upsert_with(|known| {
            let fresh = Row { attempts: 1, last: now };
            let Some(Row { attempts, last }) = known.map(moka::Entry::into_value) else {
                return fresh;
            };
            if now.duration_since(last) >= LOCK {
                fresh
            } else if attempts < self.failures_max {
                Row { attempts: attempts.saturating_add(1), last: now }
            } else {
                // The wait begins with the last failure that counted; to ask meanwhile is none.
                Row { attempts: self.failures_max.saturating_add(1), last }
            }
        });
        let row = row.into_value();
        if row.attempts <= self.failures_max {
            return Duration::ZERO;
        }
        let waited = Duration::try_from(now.duration_since(row.last)).unwrap_or_default();
        lock().saturating_sub(waited).max(Duration::from_millis(1))
    }
}

fn lock() -> Duration {
    Duration::try_from(LOCK).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Attempts;
    use crate::{clock::Ids, domain::identity::officer::LOCK, store::Cache};

    /// With Redis, where one is named, and without.
    fn both() -> Vec<Attempts> {
        let url = std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty());
        let prefix = format!("test:{}:", uuid::Uuid::from_bytes(Ids::system().bytes()));
        let redis = url.map(|url| Cache::connect(&url, &prefix).unwrap());
        [Some(Cache::Absent), redis].into_iter().flatten().map(|it| Attempts::new(it, 1)).collect()
    }

    #[tokio::test]
    async fn after_five_failures_a_source_waits_and_no_other_does() {
        for attempts in both() {
            let begin = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
            for minute in 0..5 {
                let now = begin + SignedDuration::from_mins(minute);
                assert!(attempts.begin("100001 203.0.113.5", now).await.is_ok());
            }
            let fifth = begin + SignedDuration::from_mins(4);
            for later in [0, 5, 14] {
                let now = fifth + SignedDuration::from_mins(later);
                let locked = attempts.begin("100001 203.0.113.5", now).await.unwrap_err();
                let wait = LOCK - SignedDuration::from_mins(later);
                assert_eq!(locked.wait(), std::time::Duration::try_from(wait).ok());
                assert!(attempts.begin("100001 203.0.113.6", now).await.is_ok());
            }
            assert!(attempts.begin("100001 203.0.113.5", fifth + LOCK).await.is_ok());
        }
    }

    #[tokio::test]
    async fn an_attempt_that_held_ends_the_row() {
        for attempts in both() {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
            for _ in 0..4 {
                for _ in 0..5 {
                    assert!(attempts.begin("a", now).await.is_ok());
                }
                attempts.held("a").await;
            }
        }
    }
}
