//! What every call may need and what seldom changes: keys, zones, policies, special periods, the
//! working-day calendar. Each
//! server holds a copy and trusts it within a lease; whoever changes any of it touches [`KEY`],
//! and its commit returns only when no server can hold the older copy.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use sqlx::{PgConnection, types::Json};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, Uptime},
    crypto::Suite,
    domain::{
        duty::calendar::Calendar,
        identity::signing_key::Purpose,
        pass::{
            policy::{PolicyValues, PolicyVersion, version_at},
            zone::{Zone, ZonePlan},
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{
        Store,
        cache::{
            LEASE,
            link::Link,
            trust::{self, Epoch},
        },
    },
};

/// The key under which a change is announced.
pub const KEY: &str = "world";
/// How often a server looks whether anything changed.
const POLL: Duration = Duration::from_millis(200);
/// By how much our clock may differ from PostgreSQL's.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// A key that signs or verifies.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its row.
    pub id: Id<kind::SigningKey>,
    /// What it signs.
    pub purpose: Purpose,
    /// In which suite.
    pub suite: Suite,
    /// Four bytes.
    pub kid: [u8; 4],
    /// The public half.
    pub public_key: Vec<u8>,
    /// The private half, sealed.
    pub private_key_sealed: Vec<u8>,
    /// It signs from then on.
    pub not_before: Timestamp,
    /// It signs until then.
    pub sign_until: Timestamp,
    /// It verifies until then.
    pub verify_until: Timestamp,
    /// Set when it was ended before its time.
    pub revoke_time: Option<Timestamp>,
}

impl Key {
    /// The key id as it stands in tokens: eight hexadecimal digits.
    #[must_use]
    pub fn kid_text(&self) -> String {
        kid_text(self.kid)
    }

    /// Whether it may sign now.
    #[must_use]
    pub fn signs_at(&self, now: Timestamp) -> bool {
        self.revoke_time.is_none() && self.not_before <= now && now < self.sign_until
    }

    /// Whether what it signed counts now.
    #[must_use]
    pub fn verifies_at(&self, now: Timestamp) -> bool {
        self.revoke_time.is_none() && now < self.verify_until
    }
}

/// A key id as text.
#[must_use]
pub fn kid_text(kid: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(kid))
}

/// A zone as a version of it is stored.
#[derive(Debug, Clone)]
pub struct ZoneVersion {
    /// The zone.
    pub id: Id<kind::Zone>,
    /// The version, from 1.
    pub version: i32,
    /// In force from then on, until the next version is.
    pub effective_from: Timestamp,
    /// The zone itself.
    pub zone: Arc<Zone>,
}

/// A special period (特殊时期).
#[derive(Debug, Clone)]
pub struct SpecialPeriod {
    /// From.
    pub valid_from: Timestamp,
    /// Until, exclusive.
    pub valid_until: Timestamp,
}

/// The copy.
#[derive(Debug, Default)]
pub struct Snapshot {
    version: i64,
    /// Every key, newest first.
    pub keys: Vec<Key>,
    /// Every version of every zone, newest version first.
    pub zones: Vec<ZoneVersion>,
    /// Every version of the policy.
    pub policies: Vec<Arc<PolicyVersion>>,
    /// Every special period.
    pub periods: Vec<SpecialPeriod>,
    /// The working-day calendar in force.
    pub calendar: Calendar,
}

impl Snapshot {
    /// The key that verifies access tokens with this id.
    pub fn token_key(&self, kid: &str, now: Timestamp) -> Result<&Key> {
        let known = |key: &&Key| key.purpose == Purpose::AccessToken && key.kid_text() == kid;
        let key = self.keys.iter().find(known).filter(|key| key.verifies_at(now));
        key.ok_or_else(|| Error::new(Reason::TokenInvalid))
    }

    /// The newest key that signs for the purpose in the suite.
    pub fn signing_key(&self, purpose: Purpose, suite: Suite, now: Timestamp) -> Result<&Key> {
        let fits = |key: &&Key| key.purpose == purpose && key.suite == suite && key.signs_at(now);
        let newest = self.keys.iter().filter(fits).max_by_key(|key| (key.not_before, key.id));
        newest.ok_or_else(|| {
            Error::internal("no key signs")
                .fact("purpose", purpose.wire())
                .fact("suite", suite.wire())
        })
    }

    /// The version of a zone that is in force.
    #[must_use]
    pub fn zone(&self, id: Id<kind::Zone>, now: Timestamp) -> Option<&ZoneVersion> {
        self.zones.iter().find(|zone| zone.id == id && zone.effective_from <= now)
    }

    /// The version of the policy that is in force.
    pub fn policy(&self, now: Timestamp) -> Result<&Arc<PolicyVersion>> {
        version_at(&self.policies, now)
    }

    /// Whether a special period is open.
    #[must_use]
    pub fn special_period(&self, now: Timestamp) -> bool {
        self.periods.iter().any(|period| period.valid_from <= now && now < period.valid_until)
    }
}

#[derive(Debug, Default)]
struct Held {
    snapshot: Arc<Snapshot>,
    /// Of which PostgreSQL: one that was restored counts the same versions for something else.
    postgresql: Option<String>,
    /// When the last look began; nothing is trusted before the first.
    looked: Option<Uptime>,
    /// What PostgreSQL's clock showed at that look.
    told: Option<Told>,
}

/// A reading of PostgreSQL's clock, at some instant between two of ours.
#[derive(Debug, Clone, Copy)]
struct Told {
    began: Uptime,
    ended: Uptime,
    time: Timestamp,
}

/// One server's copy.
#[derive(Debug, Clone, Default)]
pub struct World(Arc<RwLock<Held>>);

impl World {
    /// The copy, where it may be trusted; otherwise it is looked at first.
    pub async fn get(&self, store: &Store) -> Result<Arc<Snapshot>> {
        let held = self.held();
        match held {
            Some(snapshot) => Ok(snapshot),
            None => self.look(store).await,
        }
    }

    /// The calendar of the copy. The gate has looked that the copy may be trusted when the call began.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.0.read().unwrap_or_else(PoisonError::into_inner).snapshot.calendar.clone()
    }

    /// Refuses to go on with a clock that differs from PostgreSQL's: a server whose clock is a day off
    /// would count due times from an instant that never was (I18). A clock that is moved by hand does
    /// not claim to be right.
    ///
    /// # Errors
    /// `CLOCK_WRONG`.
    pub fn agrees(&self, clock: &Clock) -> Result<()> {
        let told = self.0.read().unwrap_or_else(PoisonError::into_inner).told;
        let Some(told) = told.filter(|_| clock.tells_world_time()) else { return Ok(()) };
        let since = |instant: Uptime| {
            SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX)
        };
        // However long the look took, the true time lies between these.
        let earliest = told.time.saturating_add(since(told.ended)).unwrap_or(Timestamp::MAX);
        let latest = told.time.saturating_add(since(told.began)).unwrap_or(Timestamp::MAX);
        let now = clock.now();
        let off =
            if now < earliest { now.duration_until(earliest) } else { latest.duration_until(now) };
        if off <= CLOCK_TOLERANCE {
            return Ok(());
        }
        Err(Error::new(Reason::ClockWrong).fact("off_seconds", off.as_secs()))
    }

    fn held(&self) -> Option<Arc<Snapshot>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let looked = held.looked?;
        (looked.elapsed() < LEASE).then(|| held.snapshot.clone())
    }

    /// Looks again and again until it is told to stop.
    pub async fn keep(self, store: Store, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look(&store).await {
                tracing::warn!(%error, "keys and policies could not be looked at");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Looks whether anything changed, and renews the lease of this copy and of the cache.
    pub async fn look(&self, store: &Store) -> Result<Arc<Snapshot>> {
        let began = Uptime::now();
        let asked = async {
            let mut connection = store.read().await?;
            let row = agreed(&mut connection).await?;
            Ok::<_, Error>((Uptime::now(), row))
        };
        // Who Redis is belongs to the same look: what it was before says nothing of now.
        let (asked, link) = tokio::join!(asked, store.cache().link());
        let (ended, row) = asked?;
        let told = Told { began, ended, time: row.time };
        let (known, fresh) = {
            let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let same = held.looked.is_some() && held.postgresql == row.here;
            (held.snapshot.clone(), same)
        };
        let snapshot = if fresh && known.version == row.version {
            known
        } else {
            Arc::new(load(store).await?)
        };
        {
            let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
            // A slower look must not put an older copy back.
            if held.looked.is_none_or(|looked| looked < began) {
                *held = Held {
                    snapshot: snapshot.clone(),
                    postgresql: row.here.clone(),
                    looked: Some(began),
                    told: Some(told),
                };
            }
        }
        renew(store, row, began, link).await;
        Ok(snapshot)
    }
}

/// What is agreed on the cache, and what stands against it.
struct Agreed {
    epoch: Epoch,
    /// With which PostgreSQL and which Redis.
    postgresql: Option<String>,
    redis: Option<String>,
    /// Which PostgreSQL this is; `None` for a standby.
    here: Option<String>,
    version: i64,
    time: Timestamp,
}

async fn agreed(connection: &mut PgConnection) -> Result<Agreed> {
    let row = sqlx::query!(
        "select token, postgresql, redis, postgresql_identity() as here,
            coalesce((select version from standing where key = $1), 0) as \"version!\",
            clock_timestamp() as \"time!\"
         from cache_epoch",
        KEY
    )
    .fetch_one(connection)
    .await?;
    Ok(Agreed {
        epoch: Epoch::read(row.token)?,
        postgresql: row.postgresql,
        redis: row.redis,
        here: row.here,
        version: row.version,
        time: row.time.to_jiff(),
    })
}

/// Renews the lease of the cache: over a link to the Redis, and by a look at the PostgreSQL, between which
/// the epoch was agreed. Where they are others, a new one is agreed on first.
async fn renew(store: &Store, row: Agreed, began: Uptime, link: Option<Arc<Link>>) {
    let cache = store.cache();
    let Some(link) = link else { return cache.renewed(row.epoch, began, None) };
    let ours = row.here.is_some() && row.postgresql == row.here;
    if (ours && row.redis.as_deref() == Some(link.identity())) || cache.without().identity {
        return cache.renewed(row.epoch, began, Some(link));
    }
    let redis = link.identity().to_owned();
    let bound = async { trust::bind(&mut *store.read().await?, &redis).await };
    match bound.await {
        Ok(Some(epoch)) => {
            tracing::warn!(
                redis,
                before = row.redis,
                "the cache begins anew: it was agreed with others"
            );
            cache.renewed(epoch, began, Some(link));
        }
        Ok(None) => cache.renewed(row.epoch, began, None),
        Err(error) => tracing::warn!(%error, "no epoch could be agreed on"),
    }
}

async fn load(store: &Store) -> Result<Snapshot> {
    let mut tx = store.snapshot().await?;
    let snapshot = Snapshot {
        version: crate::store::version(&mut tx, KEY).await?,
        keys: keys(&mut tx).await?,
        zones: zones(&mut tx).await?,
        policies: policies(&mut tx).await?,
        periods: periods(&mut tx).await?,
        calendar: crate::store::duty::calendars::in_force(&mut tx).await?,
    };
    tx.commit().await?;
    Ok(snapshot)
}

async fn keys(connection: &mut PgConnection) -> Result<Vec<Key>> {
    let rows = sqlx::query!(
        "select id, purpose as \"purpose: String\", suite as \"suite: String\", kid, public_key, private_key_sealed, not_before, sign_until,
            verify_until, revoke_time
         from signing_key
         order by id desc
         limit 1000"
    )
    .fetch_all(connection)
    .await?;
    // A key for something that a newer server alone knows is none of ours.
    let known = rows.into_iter().filter_map(|row| {
        Some(Key {
            id: Id::of(row.id),
            purpose: Purpose::from_wire(&row.purpose)?,
            suite: Suite::from_wire(&row.suite)?,
            kid: row.kid,
            public_key: row.public_key,
            private_key_sealed: row.private_key_sealed,
            not_before: row.not_before.to_jiff(),
            sign_until: row.sign_until.to_jiff(),
            verify_until: row.verify_until.to_jiff(),
            revoke_time: row.revoke_time.map(Into::into),
        })
    });
    Ok(known.collect())
}

async fn zones(connection: &mut PgConnection) -> Result<Vec<ZoneVersion>> {
    let rows = sqlx::query!(
        "select zone_id, version, code, display_name, source, effective_from,
            rules_json as \"rules_json: Json<ZonePlan>\"
         from zone_version
         order by version desc, zone_id"
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let code = u16::try_from(row.code).map_err(Error::internal)?;
            let version = u32::try_from(row.version).map_err(Error::internal)?;
            Ok(ZoneVersion {
                id: Id::of(row.zone_id),
                version: row.version,
                effective_from: row.effective_from.to_jiff(),
                zone: Arc::new(Zone {
                    code,
                    name: row.display_name,
                    version,
                    source: row.source,
                    plan: row.rules_json.0,
                }),
            })
        })
        .collect()
}

async fn policies(connection: &mut PgConnection) -> Result<Vec<Arc<PolicyVersion>>> {
    let rows = sqlx::query!(
        "select version, source, effective_from, values_json as \"values_json: Json<PolicyValues>\"
         from pass_policy
         order by effective_from desc"
    )
    .fetch_all(connection)
    .await?;
    // Each version ends where the next one begins.
    let mut until = None;
    let mut versions = Vec::with_capacity(rows.len());
    for row in rows {
        let effective_from = row.effective_from.to_jiff();
        versions.push(Arc::new(PolicyVersion {
            version: row.version,
            source: row.source,
            effective_from,
            effective_until: until,
            values: row.values_json.0,
        }));
        until = Some(effective_from);
    }
    Ok(versions)
}

async fn periods(connection: &mut PgConnection) -> Result<Vec<SpecialPeriod>> {
    let rows = sqlx::query!(
        "select valid_from, valid_until
         from special_period"
    )
    .fetch_all(connection)
    .await?;
    let period = rows.into_iter().map(|row| SpecialPeriod {
        valid_from: row.valid_from.to_jiff(),
        valid_until: row.valid_until.to_jiff(),
    });
    Ok(period.collect())
}

/// The private half of a key, opened.
pub fn private_key(store: &Store, key: &Key) -> Result<[u8; 32]> {
    let opened = store.vault().open("signing-key", &key.private_key_sealed)?;
    opened.try_into().map_err(|_| Error::internal("a private key of another size"))
}
