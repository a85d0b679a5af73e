//! The row on which all servers agree how far Redis is trusted: the epoch, and between which PostgreSQL
//! and which Redis it was agreed. Only PostgreSQL is asked here.

use std::fmt;

use sqlx::PgConnection;

use crate::error::{Error, Result};

/// 128 random bits that are part of every key in Redis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Epoch([u8; 16]);

impl Epoch {
    /// The bits, as they are kept.
    #[must_use]
    pub const fn of(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// As the row has it.
    pub fn read(bits: Vec<u8>) -> Result<Self> {
        bits.try_into().map(Self).map_err(|_| Error::internal("an epoch of another size"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({self})")
    }
}

/// The row, held as it is until the unit of work ends.
#[derive(Debug)]
pub struct Held {
    /// The epoch in force.
    pub epoch: Epoch,
    /// It was raised, and a server may still hold a lease on the one before.
    pub fresh: bool,
    /// The Redis with which it was agreed, if any.
    pub redis: Option<String>,
    /// Whether it was agreed with this PostgreSQL.
    pub ours: bool,
}

/// Holds the row.
pub async fn hold(connection: &mut PgConnection) -> Result<Held> {
    let row = sqlx::query!(
        "select token, fresh, redis,
            coalesce(postgresql = postgresql_identity(), false) as \"ours!\"
         from cache_epoch for share"
    )
    .fetch_one(connection)
    .await?;
    Ok(Held { epoch: Epoch::read(row.token)?, fresh: row.fresh, redis: row.redis, ours: row.ours })
}

/// Whether any server may trust a Redis.
pub async fn bound(connection: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!("select redis is not null as \"bound!\" from cache_epoch")
        .fetch_one(connection)
        .await?)
}

/// Makes every server forget the whole cache, within a lease.
pub async fn raise(connection: &mut PgConnection) -> Result<Epoch> {
    let bits = sqlx::query_scalar!(
        "update cache_epoch set token = new_epoch(), fresh = true returning token"
    )
    .fetch_one(connection)
    .await?;
    Epoch::read(bits)
}

/// The same, and lets nobody trust any Redis until a server agrees on one anew: what a server without
/// Redis changes, it can void nowhere.
pub async fn unbind(connection: &mut PgConnection) -> Result<Epoch> {
    let bits = sqlx::query_scalar!(
        "update cache_epoch set token = new_epoch(), fresh = true, redis = null returning token"
    )
    .fetch_one(connection)
    .await?;
    Epoch::read(bits)
}

/// Agrees on a new epoch between this PostgreSQL and this Redis; `None` where somebody else agreed on
/// another a moment ago, or the row is in use. Two servers with two Redises would otherwise take it from
/// each other for ever: each has it for ten seconds at least, and neither is ever wrong.
pub async fn bind(connection: &mut PgConnection, redis: &str) -> Result<Option<Epoch>> {
    let bits = sqlx::query_scalar!(
        "update cache_epoch set token = new_epoch(), fresh = fresh or redis is not null,
            postgresql = postgresql_identity(), redis = $1, bind_time = clock_timestamp()
         where single = (select single from cache_epoch for update skip locked)
            and (redis is distinct from $1 or postgresql is distinct from postgresql_identity())
            and postgresql_identity() is not null
            and (bind_time is null or bind_time not between
                clock_timestamp() - interval '10 seconds' and clock_timestamp())
         returning token",
        redis
    )
    .fetch_optional(connection)
    .await?;
    bits.map(Epoch::read).transpose()
}

/// Takes note that every lease on an older epoch has run out.
pub async fn calm(connection: &mut PgConnection, epoch: Epoch) -> Result<()> {
    sqlx::query!("update cache_epoch set fresh = false where token = $1 and fresh", &epoch.0[..])
        .execute(connection)
        .await?;
    Ok(())
}
