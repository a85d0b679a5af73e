//! How often somebody may ask: counted in Redis for all servers, or here when Redis is away.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::{ops::compute::Op, sync::Cache as Memo};

use super::{attempts::Attempts, unseen_limits::UnseenLimits};
use crate::{
    error::{Error, Reason, Result},
    store::Cache,
};

macro_rules! limits {
    ($($(#[$doc:meta])* $limit:ident = $name:literal, $count:literal per $seconds:literal s;)+) => {
        /// What is limited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $limit,)+ }

        impl Limit {
            /// Every limit.
            const ALL: &[Self] = &[$(Self::$limit,)+];

            const fn name(self) -> &'static str {
                match self { $(Self::$limit => $name,)+ }
            }

            const fn count(self) -> u32 {
                match self { $(Self::$limit => $count,)+ }
            }

            const fn window(self) -> Duration {
                match self { $(Self::$limit => Duration::from_secs($seconds),)+ }
            }
        }
    };
}

limits! {
    /// Attempts of persons to come in from one address, behind which may be all of a factory.
    SignInAddress = "sign-in-address", 600 per 60 s;
    /// Those of them that failed.
    SignInFailure = "sign-in-failure", 60 per 60 s;
    /// Attempts of officers to come in from one address.
    OfficerSignInAddress = "officer-sign-in-address", 300 per 60 s;
    /// Those of them that failed.
    OfficerSignInFailure = "officer-sign-in-failure", 60 per 60 s;
    /// Attempts of devices to enrol and to come in from one address.
    DeviceSignInAddress = "device-sign-in-address", 300 per 60 s;
    /// Those of them that failed.
    DeviceSignInFailure = "device-sign-in-failure", 60 per 60 s;
    /// Sign-ins to one account from one address.
    SignInAccount = "sign-in-account", 10 per 60 s;
    /// One-time codes that one person asks for, to whatever phones: each costs the bureau a message.
    PhoneCodePerson = "phone-code-person", 10 per 3600 s;
    /// One-time codes that are asked for from one address, which may be that of a whole company.
    PhoneCodeAddress = "phone-code-address", 60 per 3600 s;
    /// One-time codes that one person asks for, to one phone.
    PhoneCode = "phone-code", 5 per 3600 s;
    /// One-time codes to one phone, whoever asks. More than one stranger may use up, so that its owner can
    /// still ask for one.
    PhoneCodeTotal = "phone-code-total", 20 per 3600 s;
    /// Writes of one account.
    Write = "write", 600 per 60 s;
    /// Messages of one sender (CH-20).
    Message = "message", 120 per 60 s;
    /// Messages of one conversation, whoever sends them.
    Conversation = "conversation", 600 per 60 s;
    /// Files that one account announces.
    Attachment = "attachment", 60 per 60 s;
    /// Pieces of files that one account sends.
    Piece = "piece", 6_000 per 60 s;
    /// Licences that one person brings before there is an enterprise.
    Licence = "licence", 10 per 86_400 s;
    /// Claims of enterprises by one person, a day.
    Claim = "claim", 10 per 86_400 s;
    /// Claims that one officer reads whole.
    ClaimReading = "claim-reading", 60 per 3600 s;
    /// Vehicles of others that one account contests, a day.
    Contest = "contest", 20 per 86_400 s;
    /// Records of reporters that one inspector opens.
    IdentityOpening = "identity-opening", 10 per 3600 s;
}

/// After so many local counts those are forgotten that hold nobody back any more.
const COUNTS_BETWEEN_SWEEPS: u64 = 1_024;

/// Who is remembered to have failed while Redis is away.
const REMEMBERED_MAX: u64 = 100_000;

/// The count of one limit while Redis is away.
#[derive(Debug)]
struct Local {
    limit: Limit,
    counted: AtomicU64,
    limiter: DefaultKeyedRateLimiter<String>,
}

impl Local {
    fn new(limit: Limit, factor: u32) -> Self {
        let count = NonZeroU32::new(limit.count().saturating_mul(factor));
        let count = count.unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(limit.window() / count.get())
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(count);
        Self { limit, counted: AtomicU64::new(0), limiter: RateLimiter::keyed(quota) }
    }

    /// Counts one more; false when it was one too many.
    fn permits(&self, who: &str) -> bool {
        let counted = self.counted.fetch_add(1, Ordering::Relaxed);
        // Strangers have many addresses, and each would stay here for ever.
        if counted.is_multiple_of(COUNTS_BETWEEN_SWEEPS) {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter.check_key(&who.to_owned()).is_ok()
    }
}

/// Counts per account and per address, shared by all servers while Redis answers (ID-03).
#[derive(Debug, Clone)]
pub struct Limits {
    cache: Cache,
    factor: u32,
    local: Arc<Vec<Local>>,
    /// Failures while Redis is away: since when, and how many. The limiters of `local` can only be asked
    /// by counting.
    failed: Memo<String, (Instant, u32)>,
    unseen: Arc<UnseenLimits>,
    attempts: Attempts,
}

impl Limits {
    /// Counts in this cache, and permits the factor times as much.
    #[must_use]
    pub fn new(cache: Cache, factor: u32) -> Self {
        let local = Limit::ALL.iter().map(|limit| Local::new(*limit, factor));
        let unseen = Arc::new(UnseenLimits::new(factor));
        let attempts = Attempts::new(cache.clone(), factor);
        let failed = Memo::new(REMEMBERED_MAX);
        Self { cache, factor, local: Arc::new(local.collect()), failed, unseen, attempts }
    }

    /// Counts of which nothing is kept.
    #[must_use]
    pub fn unseen(&self) -> &UnseenLimits {
        &self.unseen
    }

    /// Attempts to come in that failed.
    #[must_use]
    pub const fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// Counts a failure. It has failed already: whether it was one too many, the next attempt is told.
    pub async fn failed(&self, limit: Limit, who: &str) {
        let key = format!("{}:{who}", limit.name());
        if self.cache.count(&key, limit.window()).await.is_some() {
            return;
        }
        let now = Instant::now();
        self.failed.entry(key).and_compute_with(|known| {
            let (since, count) = known.map_or((now, 0), moka::Entry::into_value);
            let over = now.duration_since(since) >= limit.window();
            let (since, count) = if over { (now, 0) } else { (since, count) };
            Op::Put((since, count.saturating_add(1)))
        });
    }

    /// Refuses with the wait where there were too many failures.
    pub async fn left(&self, limit: Limit, who: &str) -> Result<()> {
        let key = format!("{}:{who}", limit.name());
        let failures = match self.cache.counted(&key).await {
            Some(count) => count,
            None => self.failed.get(&key).map_or(0, |(since, count)| {
                if since.elapsed() < limit.window() { u64::from(count) } else { 0 }
            }),
        };
        if failures < u64::from(limit.count()) * u64::from(self.factor) {
            return Ok(());
        }
        Err(Error::new(Reason::RateLimited).retry_after(limit.window()))
    }

    /// Counts one more, or refuses with the wait.
    pub async fn count(&self, limit: Limit, who: &str) -> Result<()> {
        let refused = || Error::new(Reason::RateLimited).retry_after(limit.window());
        match self.cache.count(&format!("{}:{who}", limit.name()), limit.window()).await {
            Some(count) if count > u64::from(limit.count()) * u64::from(self.factor) => {
                Err(refused())
            }
            Some(_) => Ok(()),
            None => {
                let local = self.local.iter().find(|local| local.limit == limit);
                let permitted = local.is_none_or(|local| local.permits(who));
                if permitted { Ok(()) } else { Err(refused()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTS_BETWEEN_SWEEPS, Limit, Limits};
    use crate::store::Cache;

    #[tokio::test]
    async fn without_redis_a_count_still_refuses() {
        let limits = Limits::new(Cache::Absent, 1);
        for _ in 0..Limit::PhoneCode.count() {
            assert!(limits.count(Limit::PhoneCode, "a").await.is_ok());
        }
        assert!(limits.count(Limit::PhoneCode, "a").await.is_err());
        assert!(limits.count(Limit::PhoneCode, "b").await.is_ok(), "another phone");
    }

    #[tokio::test]
    async fn without_redis_failures_refuse_and_nothing_else_does() {
        let limits = Limits::new(Cache::Absent, 1);
        let limit = Limit::SignInFailure;
        for _ in 0..limit.count() {
            limits.left(limit, "a").await.unwrap();
            limits.failed(limit, "a").await;
        }
        assert!(limits.left(limit, "a").await.is_err());
        assert!(limits.left(limit, "b").await.is_ok(), "another address");
        assert!(limits.left(Limit::OfficerSignInFailure, "a").await.is_ok(), "another door");
    }

    // The factor makes a count be over at once, so that the test need not wait.
    #[tokio::test]
    async fn without_redis_nobody_is_remembered_for_ever() {
        let limits = Limits::new(Cache::Absent, 1_000_000);
        for stranger in 0..10 * COUNTS_BETWEEN_SWEEPS {
            limits.count(Limit::SignInAddress, &stranger.to_string()).await.unwrap();
        }
        let counted = |limit| limits.local.iter().find(move |local| local.limit == limit);
        let remembered = counted(Limit::SignInAddress).unwrap().limiter.len() as u64;
        assert!(remembered <= 2 * COUNTS_BETWEEN_SWEEPS, "{remembered}");
    }
}
