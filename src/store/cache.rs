//! Redis: versioned entries that may be lost at any moment. Truth never lives here.
//!
//! The promise (I1): no reader that begins after [`Tx::commit`](super::Tx::commit) returned gets
//! facts older than that commit. Redis alone cannot promise it, so four things work together:
//!
//! 1. A writer voids the entry by a *fence* that carries the new version, before its commit and after
//!    it (`settle`).
//! 2. A reader who finds no entry leaves its own mark on what stands there, then reads PostgreSQL, and
//!    fills only while its mark stands, and no version below the fence. A flush, or a writer in between,
//!    takes it away, so no slow reader puts old facts back. While one mark is young, others do not fill.
//! 3. A writer who cannot reach Redis raises the *epoch* in PostgreSQL, which is part of every
//!    key, and waits until every server must have seen it: a server trusts Redis only within a
//!    lease after it last read the epoch. Whoever commits meanwhile in the new epoch waits too: on
//!    another server an entry of the older one may still count.
//! 4. The epoch is agreed between one PostgreSQL and one Redis ([`trust`]). What is read
//!    counts only over a link that leads to that Redis ([`link`]): one that was promoted
//!    may lack the last fence, and a PostgreSQL that was restored counts versions again.
//!
//! Redis must run without persistence. The steps are searched whole in tests/revocation.

pub mod link;
mod scripts;
pub mod seal;
pub mod trust;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use redis::{RedisResult, Script, aio::MultiplexedConnection};
use tokio::time::Instant;

use self::scripts::{ATTEMPT, COUNT, ENTRY, FENCE, FILL, HEADER, MARK, RAISE, VERSION};
use crate::{
    clock::Uptime,
    error::Result,
    store::cache::{
        link::{Link, Way},
        trust::Epoch,
    },
};

/// How long a server trusts Redis after it began to read the epoch, the sleep of its machine included.
pub const LEASE: Duration = Duration::from_secs(1);
/// The wait after which every older lease has run out.
pub const LEASE_OVER: Duration = Duration::from_millis(1_050);
/// How long an entry lives without being voided.
const ENTRY_TTL_MS: u64 = 3_600_000;
/// How long a reader's mark lives: longer than any read of PostgreSQL may take.
const MARK_TTL_MS: u64 = 5_000;
/// How long a reader's mark keeps others from leaving theirs: longer than reading usually takes. With
/// none, many readers would take the mark from each other, and nobody would ever fill.
const MARK_YOUNG_MS: u64 = 250;

/// What a look-up found.
#[derive(Debug)]
pub enum Looked {
    /// Facts, of this version.
    Hit(Vec<u8>),
    /// Nothing that counts: read PostgreSQL, then fill.
    Miss(Mark),
    /// Redis is not to be asked now, or another reader is about to fill: read PostgreSQL.
    Away,
}

/// The right to fill one entry after a miss.
pub struct Mark {
    key: String,
    bytes: [u8; 16],
    link: Arc<Link>,
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mark").field(&self.key).finish()
    }
}

/// The cache of one server.
#[derive(Clone)]
pub enum Cache {
    /// The product runs without Redis: slower.
    Absent,
    /// Redis, trusted within the lease.
    Redis(Arc<Live>),
}

/// A connection and what is known about how far to trust it.
pub struct Live {
    way: Arc<Way>,
    prefix: String,
    /// Nothing is trusted before the first.
    lease: RwLock<Option<Lease>>,
    mark: Script,
    fill: Script,
    raise: Script,
    count: Script,
    attempt: Script,
    without: Without,
}

/// An epoch, the instant at which its reading began, and the link that led to the Redis with which it was
/// agreed. They are read and written together: an older epoch under a newer lease would be trusted after a
/// writer had waited for its end.
#[derive(Clone)]
struct Lease {
    epoch: Epoch,
    began: Uptime,
    /// When this server first knew of the epoch.
    since: Instant,
    link: Option<Arc<Link>>,
}

/// What a server may rely on now.
#[derive(Clone)]
pub struct Trusted {
    /// The epoch in force, at most a lease ago.
    pub epoch: Epoch,
    /// When this server first knew of it: every lease on an older one began before.
    pub since: Instant,
    link: Arc<Link>,
}

impl Trusted {
    /// With which Redis the epoch was agreed.
    #[must_use]
    pub fn redis(&self) -> &str {
        self.link.identity()
    }

    /// The same link in another epoch.
    #[must_use]
    pub fn within(self, epoch: Epoch) -> Self {
        Self { epoch, ..self }
    }
}

/// Parts of the protocol that a run may take out, to see that it is caught. Nothing in the program does.
#[expect(clippy::struct_excessive_bools, reason = "each is a part of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Without {
    /// A stored answer is told before its effect is settled.
    pub settled_answers: bool,
    /// Nobody waits in an epoch that was raised a moment ago.
    pub calm: bool,
    /// Whatever Redis stands behind the address is trusted, and whatever PostgreSQL.
    pub identity: bool,
    /// A fence with a version may be filled by anybody.
    pub own_mark: bool,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Cache::Absent",
            Self::Redis(_) => "Cache::Redis",
        })
    }
}

impl Cache {
    /// Connects when first needed; until then look-ups say `Away`.
    pub fn connect(url: &str, prefix: &str) -> Result<Self> {
        Self::connect_without(url, prefix, Without::default())
    }

    /// The same with parts of the protocol taken out, for the runs that must catch it.
    pub fn connect_without(url: &str, prefix: &str, without: Without) -> Result<Self> {
        Ok(Self::Redis(Arc::new(Live {
            way: Arc::new(Way::new(url, prefix)?),
            prefix: prefix.to_owned(),
            lease: RwLock::default(),
            mark: Script::new(&format!("{VERSION}{MARK}")),
            fill: Script::new(&format!("{VERSION}{FILL}")),
            raise: Script::new(&format!("{VERSION}{RAISE}")),
            count: Script::new(COUNT),
            attempt: Script::new(ATTEMPT),
            without,
        })))
    }

    /// What was taken out.
    #[must_use]
    pub fn without(&self) -> Without {
        match self {
            Self::Absent => Without::default(),
            Self::Redis(live) => live.without,
        }
    }

    /// The link to Redis, asked now who is at its other end; `None` where nobody is, or nobody who can be
    /// trusted.
    pub async fn link(&self) -> Option<Arc<Link>> {
        let Self::Redis(live) = self else { return None };
        live.way.verified().await
    }

    /// Takes note of an epoch whose reading began at this instant, and of the link over which it may be
    /// trusted, if any. Of readings at the same time the one that began last counts, whichever ends last.
    pub fn renewed(&self, epoch: Epoch, began: Uptime, link: Option<Arc<Link>>) {
        let Self::Redis(live) = self else { return };
        let mut lease = live.lease.write().unwrap_or_else(PoisonError::into_inner);
        if lease.as_ref().is_some_and(|held| held.began >= began) {
            return;
        }
        let known = lease.as_ref().filter(|held| held.epoch == epoch);
        let since = known.map_or_else(Instant::now, |held| held.since);
        *lease = Some(Lease { epoch, began, since, link });
    }

    /// What this server may rely on now; `None` when it trusts no epoch, or not this Redis.
    #[must_use]
    pub fn trusted(&self) -> Option<Trusted> {
        let Self::Redis(live) = self else { return None };
        let lease = live.lease.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        if lease.began.elapsed() >= LEASE {
            return None;
        }
        let link = if live.without.identity { live.way.link() } else { lease.link };
        Some(Trusted { epoch: lease.epoch, since: lease.since, link: link? })
    }

    /// Looks for the facts behind a key. The mark is sixteen fresh random bytes.
    pub async fn get(&self, key: &str, mark: [u8; 16]) -> Looked {
        let Self::Redis(live) = self else { return Looked::Away };
        let Some(Trusted { epoch, link, .. }) = self.trusted() else { return Looked::Away };
        if link.is_lost() {
            return Looked::Away;
        }
        let key = live.key(epoch, key);
        let mut connection = link.connection();
        let got: RedisResult<Option<Vec<u8>>> =
            redis::cmd("GET").arg(&key).query_async(&mut connection).await;
        let found = match got {
            Ok(found) => found,
            Err(error) => {
                live.way.failed(&link, &error);
                return Looked::Away;
            }
        };
        match found {
            Some(entry) if is_entry(&entry) => return hit(entry),
            // Somebody wrote another thing under our key: it is not ours to trust.
            Some(fence) if fence.first() != Some(&FENCE) => return Looked::Away,
            Some(_) | None => {}
        }
        let mut call = live.mark.key(&key);
        call.arg(&mark[..]).arg(MARK_YOUNG_MS).arg(MARK_TTL_MS);
        match call.invoke_async::<Vec<u8>>(&mut connection).await {
            Ok(entry) if is_entry(&entry) => hit(entry),
            Ok(told) if told == b"M" => Looked::Miss(Mark { key, bytes: mark, link }),
            Ok(_) => Looked::Away,
            Err(error) => {
                live.way.failed(&link, &error);
                Looked::Away
            }
        }
    }

    /// Puts the facts in place, unless something newer happened since the miss.
    pub async fn fill(&self, mark: Mark, version: i64, facts: &[u8]) {
        let Self::Redis(live) = self else { return };
        let filled: RedisResult<i32> = live
            .fill
            .key(mark.key)
            .arg(version)
            .arg(&mark.bytes[..])
            .arg(facts)
            .arg(ENTRY_TTL_MS)
            .arg(i32::from(live.without.own_mark))
            .invoke_async(&mut mark.link.connection())
            .await;
        if let Err(error) = filled {
            live.way.failed(&mark.link, &error);
        }
    }

    /// Voids the entries of these keys up to these versions. False when Redis did not confirm.
    pub async fn fence(&self, trusted: &Trusted, keys: &[(String, i64)]) -> bool {
        let Self::Redis(live) = self else { return false };
        let mut call = live.raise.prepare_invoke();
        for (key, _) in keys {
            call.key(live.key(trusted.epoch, key));
        }
        for (_, version) in keys {
            call.arg(*version);
        }
        call.arg(ENTRY_TTL_MS);
        let done: RedisResult<i32> = call.invoke_async(&mut trusted.link.connection()).await;
        if let Err(error) = &done {
            live.way.failed(&trusted.link, error);
        }
        done.is_ok()
    }

    /// Counts one more within the window; `None` when Redis cannot be asked.
    pub async fn count(&self, key: &str, window: Duration) -> Option<u64> {
        let Self::Redis(live) = self else { return None };
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let mut call = live.count.key(format!("{}limit:{key}", live.prefix));
        call.arg(window);
        live.ask(async |mut connection| call.invoke_async(&mut connection).await).await
    }

    /// How many were counted within the window; `None` when Redis cannot be asked.
    pub async fn counted(&self, key: &str) -> Option<u64> {
        let Self::Redis(live) = self else { return None };
        let mut get = redis::cmd("GET");
        get.arg(format!("{}limit:{key}", live.prefix));
        let counted: Option<u64> =
            live.ask(async |mut connection| get.query_async(&mut connection).await).await?;
        Some(counted.unwrap_or_default())
    }

    /// Begins an attempt of a source: the wait until it may be made, or none. `None` when Redis cannot be
    /// asked.
    pub async fn attempt(
        &self,
        source: &str,
        now: Timestamp,
        lock: Duration,
        attempts_max: u32,
    ) -> Option<Duration> {
        let Self::Redis(live) = self else { return None };
        let mut call = live.attempt.key(live.attempts_key(source));
        call.arg(now.as_millisecond()).arg(i64::try_from(lock.as_millis()).ok()?).arg(attempts_max);
        let wait: i64 =
            live.ask(async |mut connection| call.invoke_async(&mut connection).await).await?;
        Some(Duration::from_millis(u64::try_from(wait).ok()?))
    }

    /// Forgets the attempts of a source; where Redis is away they end by themselves.
    pub async fn forget_attempts(&self, source: &str) {
        let Self::Redis(live) = self else { return };
        let mut forget = redis::cmd("DEL");
        forget.arg(live.attempts_key(source));
        live.ask(async |mut connection| forget.exec_async(&mut connection).await).await;
    }

    /// Tells every server a hint; one that is lost is found by the poll.
    pub async fn publish(&self, hint: &[u8]) {
        let Self::Redis(live) = self else { return };
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(live.channel()).arg(hint);
        let told = live.ask(async |mut connection| publish.query_async(&mut connection).await);
        let _: Option<i64> = told.await;
    }

    /// The hints of every server from now on, until the connection breaks; `None` while Redis is
    /// away.
    pub async fn hints(&self) -> Option<Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>> {
        let Self::Redis(live) = self else { return None };
        let connecting = async {
            let mut hints = live.way.client().get_async_pubsub().await?;
            hints.subscribe(live.channel()).await?;
            Ok::<_, redis::RedisError>(hints.into_on_message())
        };
        let hints = tokio::time::timeout(Duration::from_secs(1), connecting).await.ok()?.ok()?;
        Some(Box::pin(hints.filter_map(async |hint| hint.get_payload().ok())))
    }

    /// Whether Redis answers.
    pub async fn answers(&self) -> bool {
        let Self::Redis(live) = self else { return false };
        let answered =
            live.ask(async |mut connection| redis::cmd("PING").exec_async(&mut connection).await);
        answered.await.is_some()
    }
}

impl Live {
    fn attempts_key(&self, source: &str) -> String {
        format!("{}attempts:{source}", self.prefix)
    }

    fn channel(&self) -> String {
        format!("{}hints", self.prefix)
    }

    fn key(&self, epoch: Epoch, key: &str) -> String {
        format!("{}{epoch}:{key}", self.prefix)
    }

    /// Asks for what is no fact: over whatever link there is.
    async fn ask<T>(
        &self,
        asked: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> Option<T> {
        let link = self.way.at_hand().await?;
        match asked(link.connection()).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.way.failed(&link, &error);
                None
            }
        }
    }
}

fn is_entry(found: &[u8]) -> bool {
    found.first() == Some(&ENTRY) && found.len() >= HEADER
}

fn hit(mut entry: Vec<u8>) -> Looked {
    Looked::Hit(entry.split_off(HEADER))
}
