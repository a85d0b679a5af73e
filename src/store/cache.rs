//! Redis: versioned entries that may be lost at any moment. Truth never lives here.
//!
//! The promise (I1): no reader that begins after [`Tx::commit`](super::Tx::commit) returned gets
//! facts older than that commit. Redis alone cannot promise it, so three things work together:
//!
//! 1. A writer voids the entry by a *fence* that carries the new version. A reader who finds a
//!    fence reads PostgreSQL, and may fill the entry only with that version or a later one.
//! 2. A reader who finds nothing leaves a fence with its own mark first, then reads PostgreSQL,
//!    and fills only while its mark stands. A flush or a writer in between takes the mark away, so
//!    a slow reader cannot put old facts back.
//! 3. A writer who cannot reach Redis raises the *epoch* in PostgreSQL, which is part of every
//!    key, and waits until every server must have seen it: a server trusts Redis only within a
//!    lease after it last read the epoch.
//!
//! Redis must run without persistence: a restart then begins empty instead of with old entries.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use redis::{Client, Script, aio::ConnectionManager};
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::error::{Error, Result};

/// How long a server trusts Redis after it began to read the epoch.
pub const LEASE: Duration = Duration::from_secs(1);
/// The wait after which every older lease has run out.
pub const LEASE_OVER: Duration = Duration::from_millis(1_050);
/// How long Redis may take to answer; beyond that PostgreSQL is asked.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(50);
/// How long an entry lives without being voided.
const ENTRY_TTL_MS: u64 = 3_600_000;
/// How long a reader's mark lives: longer than any read of PostgreSQL may take.
const MARK_TTL_MS: u64 = 5_000;

/// An entry is `E`, eight bytes of version, the facts. A fence is `F`, eight bytes of the least
/// version that may be filled, sixteen bytes of a reader's mark (or none).
const ENTRY: u8 = b'E';
const FENCE: u8 = b'F';
const HEADER: usize = 9;

/// How a script reads the version of what stands under a key; `nil` where that is not ours. Versions
/// are compared as numbers alone: Lua compares strings by the locale that Redis was started in, and
/// in most of them bytes have another order. A number of Lua is exact up to 2^53 changes of one key.
const VERSION: &str = r"
local function version(found)
  local kind = found and string.sub(found, 1, 1)
  if #(found or '') < 9 or (kind ~= 'E' and kind ~= 'F') then return nil end
  local high, low = struct.unpack('>I4I4', found, 2)
  return high * 4294967296 + low
end
local function header(kind, decimal)
  local whole = tonumber(decimal)
  local low = whole % 4294967296
  return kind .. struct.pack('>I4I4', (whole - low) / 4294967296, low)
end
";

/// Puts an entry in place of a fence that permits it, or of an older entry.
const FILL: &str = r"
local found = redis.call('GET', KEYS[1])
local known, filled = version(found), tonumber(ARGV[1])
if not known then return 0 end
if string.sub(found, 1, 1) == 'E' then
  if known >= filled then return 0 end
else
  if known == 0 and string.sub(found, 10) ~= ARGV[2] then return 0 end
  if known > filled then return 0 end
end
redis.call('SET', KEYS[1], header('E', ARGV[1]) .. ARGV[3], 'PX', ARGV[4])
return 1
";

/// Voids every entry and fence of an older version, and whatever is not ours.
const RAISE: &str = r"
for i, key in ipairs(KEYS) do
  local known = version(redis.call('GET', key))
  if not known or known < tonumber(ARGV[i]) then
    redis.call('SET', key, header('F', ARGV[i]), 'PX', ARGV[#KEYS + 1])
  end
end
return 1
";

/// Counts one more. The end of the window is set whenever there is none: a count whose end got lost
/// would lock somebody out for good.
const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
";

/// Counts an attempt that may fail, and answers with the wait in milliseconds: 0 where it may be made. The
/// wait begins with the last attempt that counted.
const ATTEMPT: &str = r"
local found = redis.call('GET', KEYS[1]) or ''
local count, last = string.match(found, '^(%d+) (%d+)$')
count, last = tonumber(count or 0), tonumber(last or 0)
local now, lock = tonumber(ARGV[1]), tonumber(ARGV[2])
if now - last >= lock then count = 0 end
if count >= tonumber(ARGV[3]) then return last + lock - now end
redis.call('SET', KEYS[1], (count + 1) .. ' ' .. ARGV[1], 'PX', ARGV[2])
return 0
";

/// What a look-up found.
#[derive(Debug)]
pub enum Looked {
    /// Facts, of this version.
    Hit(Vec<u8>),
    /// Nothing that counts: read PostgreSQL, then fill.
    Miss(Mark),
    /// Redis is not to be asked now: read PostgreSQL.
    Away,
}

/// The right to fill one entry after a miss.
#[derive(Debug)]
pub struct Mark {
    key: String,
    mark: [u8; 16],
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
    client: Client,
    connection: ConnectionManager,
    prefix: String,
    /// The epoch and when its last reading began; nothing is trusted before the first.
    lease: RwLock<Option<Lease>>,
    fill: Script,
    raise: Script,
    count: Script,
    attempt: Script,
}

/// An epoch, and the instant at which its reading began. The two are read and written together: an
/// older epoch under a newer lease would be trusted after a writer had waited for its end.
#[derive(Debug, Clone, Copy)]
struct Lease {
    epoch: i64,
    began: Instant,
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
    /// Connects in the background; until Redis answers, look-ups say `Away`.
    pub fn connect(url: &str, prefix: &str) -> Result<Self> {
        let client = Client::open(url).map_err(Error::internal)?;
        let config = redis::aio::ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_max_delay(Duration::from_millis(500))
            .set_number_of_retries(1);
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)
            .map_err(Error::internal)?;
        Ok(Self::Redis(Arc::new(Live {
            client,
            connection,
            prefix: prefix.to_owned(),
            lease: RwLock::default(),
            fill: Script::new(&format!("{VERSION}{FILL}")),
            raise: Script::new(&format!("{VERSION}{RAISE}")),
            count: Script::new(COUNT),
            attempt: Script::new(ATTEMPT),
        })))
    }

    /// Takes note of an epoch whose reading began at this instant. Of readings at the same time the one
    /// that began last counts, whichever ends last.
    pub fn renewed(&self, epoch: i64, began: Instant) {
        let Self::Redis(live) = self else { return };
        let mut lease = live.lease.write().unwrap_or_else(PoisonError::into_inner);
        if lease.is_none_or(|held| held.began < began) {
            *lease = Some(Lease { epoch, began });
        }
    }

    /// Looks for the facts behind a key.
    pub async fn get(&self, key: &str, mark: [u8; 16]) -> Looked {
        let Self::Redis(live) = self else { return Looked::Away };
        let Some(epoch) = self.epoch() else { return Looked::Away };
        let key = live.key(epoch, key);
        let mut connection = live.connection.clone();
        let found: Option<Vec<u8>> =
            match redis::cmd("GET").arg(&key).query_async(&mut connection).await {
                Ok(found) => found,
                Err(_) => return Looked::Away,
            };
        match found {
            Some(mut value) if value.first() == Some(&ENTRY) && value.len() >= HEADER => {
                Looked::Hit(value.split_off(HEADER))
            }
            Some(value) if value.first() == Some(&FENCE) => Looked::Miss(Mark { key, mark }),
            // Somebody wrote another thing under our key: it is not ours to trust.
            Some(_) => Looked::Away,
            None => {
                let mut fence = vec![FENCE, 0, 0, 0, 0, 0, 0, 0, 0];
                fence.extend_from_slice(&mark);
                let left = redis::cmd("SET")
                    .arg(&key)
                    .arg(fence)
                    .arg("NX")
                    .arg("PX")
                    .arg(MARK_TTL_MS)
                    .exec_async(&mut connection)
                    .await;
                if left.is_ok() { Looked::Miss(Mark { key, mark }) } else { Looked::Away }
            }
        }
    }

    /// Puts the facts in place, unless something newer happened since the miss.
    pub async fn fill(&self, mark: Mark, version: i64, facts: &[u8]) {
        let Self::Redis(live) = self else { return };
        let mut connection = live.connection.clone();
        let filled: redis::RedisResult<i32> = live
            .fill
            .key(mark.key)
            .arg(version)
            .arg(&mark.mark[..])
            .arg(facts)
            .arg(ENTRY_TTL_MS)
            .invoke_async(&mut connection)
            .await;
        if let Err(error) = filled {
            tracing::debug!(%error, "a cache entry was not filled");
        }
    }

    /// The epoch that this server trusts now; `None` when it trusts none.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        let Self::Redis(live) = self else { return None };
        let lease = (*live.lease.read().unwrap_or_else(PoisonError::into_inner))?;
        (lease.began.elapsed() < LEASE).then_some(lease.epoch)
    }

    /// Voids the entries of these keys, in this epoch, up to these versions. False when Redis did
    /// not confirm.
    pub async fn fence(&self, epoch: i64, keys: &[(String, i64)]) -> bool {
        let Self::Redis(live) = self else { return true };
        let mut call = live.raise.prepare_invoke();
        for (key, _) in keys {
            call.key(live.key(epoch, key));
        }
        for (_, version) in keys {
            call.arg(*version);
        }
        call.arg(ENTRY_TTL_MS);
        let mut connection = live.connection.clone();
        let done: redis::RedisResult<i32> = call.invoke_async(&mut connection).await;
        done.is_ok()
    }

    /// Counts one more within the window; `None` when Redis cannot be asked.
    pub async fn count(&self, key: &str, window: Duration) -> Option<u64> {
        let Self::Redis(live) = self else { return None };
        let mut connection = live.connection.clone();
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let mut call = live.count.key(format!("{}limit:{key}", live.prefix));
        call.arg(window).invoke_async(&mut connection).await.ok()
    }

    /// How many were counted within the window; `None` when Redis cannot be asked.
    pub async fn counted(&self, key: &str) -> Option<u64> {
        let Self::Redis(live) = self else { return None };
        let mut connection = live.connection.clone();
        let key = format!("{}limit:{key}", live.prefix);
        let counted: Option<u64> =
            redis::cmd("GET").arg(key).query_async(&mut connection).await.ok()?;
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
        let mut connection = live.connection.clone();
        let mut call = live.attempt.key(live.attempts_key(source));
        call.arg(now.as_millisecond()).arg(i64::try_from(lock.as_millis()).ok()?).arg(attempts_max);
        let wait: i64 = call.invoke_async(&mut connection).await.ok()?;
        Some(Duration::from_millis(u64::try_from(wait).ok()?))
    }

    /// Forgets the attempts of a source; where Redis is away they end by themselves.
    pub async fn forget_attempts(&self, source: &str) {
        let Self::Redis(live) = self else { return };
        let mut connection = live.connection.clone();
        let key = live.attempts_key(source);
        let forgotten = redis::cmd("DEL").arg(key).exec_async(&mut connection).await;
        if let Err(error) = forgotten {
            tracing::debug!(%error, "attempts were not forgotten");
        }
    }

    /// Tells every server a hint; one that is lost is found by the poll.
    pub async fn publish(&self, hint: &[u8]) {
        let Self::Redis(live) = self else { return };
        let mut connection = live.connection.clone();
        let told: redis::RedisResult<i64> =
            redis::cmd("PUBLISH").arg(live.channel()).arg(hint).query_async(&mut connection).await;
        if let Err(error) = told {
            tracing::debug!(%error, "a hint was not told");
        }
    }

    /// The hints of every server from now on, until the connection breaks; `None` while Redis is
    /// away.
    pub async fn hints(&self) -> Option<Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>> {
        let Self::Redis(live) = self else { return None };
        let connecting = async {
            let mut hints = live.client.get_async_pubsub().await?;
            hints.subscribe(live.channel()).await?;
            Ok::<_, redis::RedisError>(hints.into_on_message())
        };
        let hints = tokio::time::timeout(Duration::from_secs(1), connecting).await.ok()?.ok()?;
        Some(Box::pin(hints.filter_map(async |hint| hint.get_payload().ok())))
    }

    /// Whether Redis answers.
    pub async fn answers(&self) -> bool {
        let Self::Redis(live) = self else { return false };
        let mut connection = live.connection.clone();
        redis::cmd("PING").exec_async(&mut connection).await.is_ok()
    }
}

impl Live {
    fn attempts_key(&self, source: &str) -> String {
        format!("{}attempts:{source}", self.prefix)
    }

    fn channel(&self) -> String {
        format!("{}hints", self.prefix)
    }

    fn key(&self, epoch: i64, key: &str) -> String {
        format!("{}{epoch}:{key}", self.prefix)
    }
}

/// Makes every server forget the whole cache, within a lease.
pub async fn raise_epoch(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("update cache_epoch set epoch = epoch + 1").execute(connection).await?;
    Ok(())
}

/// The epoch, held as it is until the unit of work ends.
pub async fn hold_epoch(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!("select epoch from cache_epoch for share").fetch_one(connection).await?)
}

#[cfg(test)]
mod tests {
    use super::{FILL, RAISE};

    // Lua compares strings by Redis's locale: 13 then comes after 14. The order of versions must not
    // depend on where Redis was started, so every comparison is one of numbers.
    #[test]
    fn the_scripts_compare_numbers_alone() {
        let number = |side: &str| {
            ["known", "filled", "tonumber(ARGV[1])", "tonumber(ARGV[i])"].contains(&side)
                || side.parse::<u64>().is_ok()
        };
        let mut compared = 0;
        for line in FILL.lines().chain(RAISE.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for sides in words.windows(3) {
                if let [left, "<" | "<=" | ">" | ">=", right] = sides {
                    assert!(number(left) && number(right), "{line}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, FILL.matches(['<', '>']).count() + RAISE.matches(['<', '>']).count());
    }
}
