//! PostgreSQL and Redis: the pool, the unit of work, and the rooms with all SQL. No rules of the
//! domain and nothing of the transport.

pub mod cache;
pub mod column;
pub mod common;
pub mod complaint;
pub mod conduct;
pub mod duty;
pub mod enterprise;
pub mod identity;
mod lending;
pub mod liaison;
pub mod pass;
mod settle;
pub mod steps;

use std::{collections::BTreeSet, str::FromStr as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use log::LevelFilter;
use sqlx::{
    ConnectOptions as _, PgConnection, PgPool, Postgres, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult},
};
use uuid::Uuid;

use crate::{
    context::Cx,
    error::{Error, Reason, Result},
};

/// A connection, for floors that must not name the driver.
pub type Connection = PgConnection;

pub use crate::store::{
    common::{vault::Vault, world::World},
    identity::{
        activity::Activity,
        limits::{Limit, Limits},
    },
    liaison::wakeups::Wakeups,
};
pub use cache::Cache;
pub use lending::proven;

/// The schema, as numbered files.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a call waits for a connection: below every deadline of a call.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// What a filter of events lets through so that every statement is told: its text, its rows, its time.
pub const STATEMENTS: &str = "sqlx::query=debug";
/// A statement that takes longer is told as a warning, by its text: it holds no value.
const SLOW: Duration = Duration::from_millis(100);

/// Everything that is kept: truth in PostgreSQL, what may be lost in Redis.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    cache: Cache,
    vault: Arc<Vault>,
    limits: Limits,
    wakeups: Wakeups,
    activity: Activity,
    /// Whether other servers may hold copies that a commit must wait out.
    peers: bool,
    /// Whether work may be cut where its caller is dropped: in a control of the tests alone.
    droppable: bool,
}

/// What a pool asks of PostgreSQL on every connection (invariants.md, 4.5).
fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(Error::internal)?;
    let options = options.log_slow_statements(LevelFilter::Warn, SLOW);
    Ok(options.application_name("jingqi").options([
        ("statement_timeout", "3s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ]))
}

/// A pool that connects when it is first asked, so that a server can start before its database.
pub fn pool(url: &str, connections_max: u32) -> Result<PgPool> {
    Ok(proven(PgPoolOptions::new())
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options(url)?))
}

/// Brings the schema up to date, without the time limits of a serving pool.
pub async fn migrate(url: &str) -> Result<()> {
    let pool = proven(PgPoolOptions::new()).max_connections(1).connect(url).await?;
    MIGRATIONS.run(&pool).await.map_err(Error::internal)?;
    pool.close().await;
    Ok(())
}

impl Store {
    /// Binds the parts.
    #[must_use]
    pub fn new(pool: PgPool, cache: Cache, vault: Vault) -> Self {
        let limits = Limits::new(cache.clone(), 1);
        Self {
            pool,
            cache,
            vault: Arc::new(vault),
            limits,
            wakeups: Wakeups::default(),
            activity: Activity::default(),
            peers: true,
            droppable: false,
        }
    }

    /// The same store that permits so many times as much of everything that is limited by rate.
    #[must_use]
    pub fn with_limits_factor(mut self, factor: u32) -> Self {
        self.limits = Limits::new(self.cache.clone(), factor);
        self
    }

    /// The store of a process that works while no server serves, as `migrate` does: its commits
    /// wait for nobody's lease.
    #[must_use]
    pub fn before_serving(mut self) -> Self {
        self.peers = false;
        self
    }

    /// A connection for reads. Never ask for one while a [`Tx`] lives.
    pub async fn read(&self) -> Result<PoolConnection<Postgres>> {
        Ok(self.pool.acquire().await?)
    }

    /// Begins a unit of work.
    pub async fn begin(&self, cx: &Cx) -> Result<Tx> {
        Ok(Tx {
            inner: self.open(lending::UNIT).await?,
            store: self.clone(),
            cx: cx.clone(),
            touched: BTreeSet::new(),
            news: BTreeSet::new(),
            once: None,
            answer: None,
        })
    }

    /// Begins a unit of work that happens once for a request id.
    ///
    /// # Errors
    /// `REQUEST_ID_REUSED` when the id stands for another method or another content.
    pub async fn begin_once(&self, cx: &Cx, request: Option<Once>) -> Result<Begun> {
        let mut tx = self.begin(cx).await?;
        let Some(once) = request else { return Ok(Begun::Fresh(tx)) };
        let actor = cx.actor.name();
        // The insert waits for a twin that is under way, and sees what it stored.
        let inserted = sqlx::query!(
            "insert into idempotency (actor, request_id, method, digest, create_time)
             values ($1, $2, $3, $4, $5)
             on conflict do nothing",
            actor,
            once.request_id,
            cx.method,
            &once.digest,
            cx.now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        if inserted.rows_affected() == 1 {
            tx.once = Some(once.request_id);
            return Ok(Begun::Fresh(tx));
        }
        let row = sqlx::query!(
            "select method, digest, response, unsettled_keys, unsettled_versions
             from idempotency where actor = $1 and request_id = $2",
            actor,
            once.request_id
        )
        .fetch_one(tx.conn())
        .await?;
        if row.method != cx.method || row.digest != once.digest {
            return Err(Error::new(Reason::RequestIdReused));
        }
        let sealed = row.response.ok_or_else(|| Error::internal("an answer was not stored"))?;
        let answer = self.vault.open("idempotency", &sealed)?;
        tx.rollback().await?;
        if let (Some(keys), Some(versions)) = (row.unsettled_keys, row.unsettled_versions) {
            let touched = keys.into_iter().zip(versions).collect();
            self.settle_again(cx, once.request_id, touched).await?;
        }
        Ok(Begun::Replay(answer))
    }

    /// What may be lost.
    #[must_use]
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Seals personal data and private keys.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Who waits for news.
    #[must_use]
    pub const fn wakeups(&self) -> &Wakeups {
        &self.wakeups
    }

    /// When the sessions of officers last called.
    #[must_use]
    pub const fn activity(&self) -> &Activity {
        &self.activity
    }

    /// How often somebody may ask.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The pool, for the workers' and tests' own statements.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether PostgreSQL answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Whether PostgreSQL answers and promises that a commit is durable (I13).
    pub async fn durable(&self) -> Result<bool> {
        let row = sqlx::query!(
            "select current_setting('fsync') = 'on'
                and current_setting('full_page_writes') = 'on'
                and current_setting('synchronous_commit') = 'on' as \"durable!\""
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.durable)
    }
}

/// A request that must have its effect once.
#[derive(Debug, Clone)]
pub struct Once {
    /// The id that the client chose.
    pub request_id: Uuid,
    /// SHA-256 of the request's content.
    pub digest: Vec<u8>,
}

/// How a unit of work began.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives for one match")]
pub enum Begun {
    /// The request is new.
    Fresh(Tx),
    /// The request had its effect before: this is the answer it got.
    Replay(Vec<u8>),
}

/// A unit of work: rows, history, outbox and the stored answer commit together or not at all.
#[derive(Debug)]
#[must_use = "a unit of work that is not committed is rolled back"]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    store: Store,
    cx: Cx,
    touched: BTreeSet<String>,
    news: BTreeSet<Uuid>,
    once: Option<Uuid>,
    /// The answer to the request id, sealed; it is stored with the commit.
    answer: Option<Vec<u8>>,
}

impl Tx {
    /// The connection, for the statements of the store's rooms.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// The context of the call.
    #[must_use]
    pub const fn cx(&self) -> &Cx {
        &self.cx
    }

    /// The instant of the call.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.cx.now
    }

    /// Seals personal data.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.store.vault
    }

    /// Says that the facts behind a cache key change with this unit of work. No check and no
    /// token that begins after the commit returned may be judged on the older facts (I1).
    pub fn touch(&mut self, key: String) {
        self.touched.insert(key);
    }

    /// Says that there is news of a conversation once this unit of work is durable.
    pub fn tell(&mut self, conversation: Uuid) {
        self.news.insert(conversation);
    }

    /// Marks a point to which a part of the work can be taken back.
    pub async fn savepoint(&mut self) -> Result<()> {
        sqlx::query!("savepoint part").execute(self.conn()).await?;
        Ok(())
    }

    /// Keeps the part since the mark.
    pub async fn release_savepoint(&mut self) -> Result<()> {
        sqlx::query!("release savepoint part").execute(self.conn()).await?;
        Ok(())
    }

    /// Takes the part since the mark back.
    pub async fn rollback_to_savepoint(&mut self) -> Result<()> {
        sqlx::query!("rollback to savepoint part").execute(self.conn()).await?;
        Ok(())
    }

    /// Stores the answer under the request id, sealed: answers hold personal data.
    pub fn answer(&mut self, response: &[u8]) -> Result<()> {
        if self.once.is_some() {
            let nonce = self.cx.ids().bytes();
            self.answer = Some(self.store.vault.seal("idempotency", response, nonce)?);
        }
        Ok(())
    }

    /// Makes it durable, and voids what caches hold of the old facts before it returns: all of it, also
    /// where whoever waits for it gives up in between.
    pub async fn commit(mut self) -> Result<()> {
        let (news, store) = (std::mem::take(&mut self.news), self.store.clone());
        let settled = async move {
            let wakeups = self.store.wakeups.clone();
            self.end().await?;
            for conversation in news {
                wakeups.tell(conversation);
            }
            Ok(())
        };
        store.to_its_end(settled).await
    }

    /// Takes everything back, and returns when it is: what was held is free then. Merely dropping it
    /// frees what it held a little later.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        let away = |error: sqlx::Error| {
            Self::new(Reason::StoreUnavailable).retry_after(SECOND).because(error)
        };
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                match code.as_ref() {
                    // Serialization failure, deadlock, lock not available.
                    "40001" | "40P01" | "55P03" => Self::new(Reason::Conflict).because(error),
                    // A cancelled statement, a shutdown, no memory, no disk, no connections.
                    "57014" | "57P01" | "57P02" | "57P03" | "53100" | "53200" | "53300"
                    | "25006" => away(error),
                    code if code.starts_with("08") => away(error),
                    _ => Self::internal(error),
                }
            }
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed => away(error),
            _ => Self::internal(error),
        }
    }
}

/// Turns the violation of a named constraint into its reason.
pub trait OnConstraint<T> {
    /// Answers with the reason when this constraint was violated.
    fn on_constraint(self, constraint: &str, reason: Reason) -> Result<T>;
}

impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint(self, constraint: &str, reason: Reason) -> Result<T> {
        self.map_err(|error| match error.as_database_error() {
            Some(database) if database.constraint() == Some(constraint) => {
                Error::new(reason).because(error)
            }
            _ => error.into(),
        })
    }
}

impl<T> OnConstraint<T> for Result<T> {
    fn on_constraint(self, constraint: &str, reason: Reason) -> Result<T> {
        use std::error::Error as _;
        self.map_err(|error| {
            let violated = error
                .source()
                .and_then(|source| source.downcast_ref::<sqlx::Error>())
                .and_then(sqlx::Error::as_database_error)
                .is_some_and(|database| database.constraint() == Some(constraint));
            if violated { Error::new(reason).because(error) } else { error }
        })
    }
}

/// Raises the version of what was just written at it, as the statement did.
///
/// # Errors
/// `ETAG_STALE` when no row was at this version: somebody was faster.
pub fn rise(version: &mut i64, written: &PgQueryResult) -> Result<()> {
    if written.rows_affected() == 0 {
        return Err(Error::new(Reason::EtagStale));
    }
    *version = version.saturating_add(1);
    Ok(())
}

/// The last id of the page before, or the greatest id for the first page: lists run newest first.
#[must_use]
pub fn before(cursor: Option<Uuid>) -> Uuid {
    cursor.unwrap_or(Uuid::max())
}

/// How often the facts behind a key have changed; 0 when they never did.
pub async fn version(connection: &mut PgConnection, key: &str) -> Result<i64> {
    let version = sqlx::query_scalar!("select version from standing where key = $1", key)
        .fetch_optional(connection)
        .await?;
    Ok(version.unwrap_or(0))
}
