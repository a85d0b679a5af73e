//! How often somebody may ask: counted in Redis for all servers, or here when Redis is away.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Cache, unseen_limits::UnseenLimits};
use crate::error::{Error, Reason, Result};

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
    /// Sign-ins from one address.
    SignInAddress = "sign-in-address", 60 per 60 s;
    /// Sign-ins to one account.
    SignInAccount = "sign-in-account", 10 per 60 s;
    /// One-time codes to one phone.
    PhoneCode = "phone-code", 5 per 3600 s;
    /// Writes of one account.
    Write = "write", 600 per 60 s;
    /// Messages of one sender (CH-20).
    Message = "message", 120 per 60 s;
    /// Messages of one conversation, whoever sends them.
    Conversation = "conversation", 600 per 60 s;
    /// Files that one account announces.
    Attachment = "attachment", 60 per 60 s;
    /// Records of reporters that one inspector opens.
    IdentityOpening = "identity-opening", 10 per 3600 s;
}

type Local = DefaultKeyedRateLimiter<String>;

/// Counts per account and per address, shared by all servers while Redis answers (ID-03).
#[derive(Debug, Clone)]
pub struct Limits {
    cache: Cache,
    factor: u32,
    local: Arc<Vec<(Limit, Local)>>,
    unseen: Arc<UnseenLimits>,
}

impl Limits {
    /// Counts in this cache, and permits the factor times as much.
    #[must_use]
    pub fn new(cache: Cache, factor: u32) -> Self {
        let local = Limit::ALL.iter().map(|limit| {
            let count = limit.count().saturating_mul(factor);
            let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
            let quota = Quota::with_period(limit.window() / count.get())
                .unwrap_or(Quota::per_second(NonZeroU32::MIN))
                .allow_burst(count);
            (*limit, RateLimiter::keyed(quota))
        });
        let unseen = Arc::new(UnseenLimits::new(factor));
        Self { cache, factor, local: Arc::new(local.collect()), unseen }
    }

    /// Counts of which nothing is kept.
    #[must_use]
    pub fn unseen(&self) -> &UnseenLimits {
        &self.unseen
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
                let local = self.local.iter().find(|(counted, _)| *counted == limit);
                match local {
                    Some((_, local)) => local.check_key(&who.to_owned()).map_err(|_| refused()),
                    None => Ok(()),
                }
            }
        }
    }
}
