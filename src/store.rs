//! PostgreSQL and Redis: the pool, the unit of work, and the rooms with all SQL. No rules of the
//! domain and nothing of the transport.

pub mod activity;
pub mod actors;
pub mod answer_templates;
pub mod applications;
pub mod attachments;
pub mod attempts;
pub mod blacklist;
pub mod bookings;
pub mod cache;
pub mod calendars;
pub mod canned_replies;
pub mod checkpoints;
pub mod checks;
pub mod complaint_attachments;
pub mod complaint_policies;
pub mod complaints;
pub mod conduct_reports;
pub mod content_accesses;
pub mod conversation_notes;
pub mod conversations;
pub mod credentials;
pub mod devices;
pub mod drivers;
pub mod enrolments;
pub mod enterprises;
pub mod escalations;
pub mod evaluations;
pub mod history;
pub mod liaison_posts;
pub mod limits;
pub mod meetings;
pub mod members;
pub mod messages;
pub mod notice_deliveries;
pub mod notice_preferences;
pub mod notices;
pub mod numbers;
pub mod obligations;
pub mod officer_messages;
pub mod officers;
pub mod outbox;
pub mod passes;
pub mod persons;
pub mod phone_codes;
pub mod plates;
pub mod policies;
pub mod policy_inputs;
pub mod problems;
pub mod proposals;
pub mod retention;
pub mod seal;
pub mod sessions;
pub mod signing_keys;
pub mod units;
pub mod unseen_limits;
pub mod unused;
pub mod vault;
pub mod vehicles;
pub mod visits;
pub mod wakeups;
pub mod webhooks;
pub mod world;

use std::{collections::BTreeSet, str::FromStr as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

use crate::{
    context::Cx,
    error::{Error, Reason, Result},
};

/// A connection, for floors that must not name the driver.
pub type Connection = PgConnection;

pub use activity::Activity;
pub use cache::Cache;
pub use limits::{Limit, Limits};
pub use vault::Vault;
pub use wakeups::Wakeups;
pub use world::World;

/// The schema, as numbered files.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a call waits for a connection: below every deadline of a call.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);

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
}

/// What a pool asks of PostgreSQL on every connection (invariants.md, 4.5).
fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(Error::internal)?;
    Ok(options.application_name("jingqi").options([
        ("statement_timeout", "3s"),
        ("lock_timeout", "1s"),
        ("idle_in_transaction_session_timeout", "5s"),
    ]))
}

/// A pool that connects when it is first asked, so that a server can start before its database.
pub fn pool(url: &str, connections_max: u32) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options(url)?))
}

/// Brings the schema up to date, without the time limits of a serving pool.
pub async fn migrate(url: &str) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
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
            inner: self.pool.begin().await?,
            store: self.clone(),
            cx: cx.clone(),
            touched: BTreeSet::new(),
            news: BTreeSet::new(),
            once: None,
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
            cx.now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
        if inserted.rows_affected() == 1 {
            tx.once = Some(once.request_id);
            return Ok(Begun::Fresh(tx));
        }
        let row = sqlx::query!(
            "select method, digest, response from idempotency where actor = $1 and request_id = $2",
            actor,
            once.request_id
        )
        .fetch_one(tx.conn())
        .await?;
        if row.method != cx.method || row.digest != once.digest {
            return Err(Error::new(Reason::RequestIdReused));
        }
        let sealed = row.response.ok_or_else(|| Error::internal("an answer was not stored"))?;
        Ok(Begun::Replay(self.vault.open("idempotency", &sealed)?))
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
    pub async fn answer(&mut self, response: &[u8]) -> Result<()> {
        let Some(request_id) = self.once else { return Ok(()) };
        let nonce = self.cx.ids().bytes();
        let sealed = self.store.vault.seal("idempotency", response, nonce)?;
        let actor = self.cx.actor.name();
        sqlx::query!(
            "update idempotency set response = $3 where actor = $1 and request_id = $2",
            actor,
            request_id,
            sealed
        )
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Makes it durable, and voids what caches hold of the old facts before it returns.
    pub async fn commit(mut self) -> Result<()> {
        let (news, wakeups) = (std::mem::take(&mut self.news), self.store.wakeups.clone());
        self.settle().await?;
        for conversation in news {
            wakeups.tell(conversation);
        }
        Ok(())
    }

    /// Takes everything back, and returns when it is: what was held is free then. Merely dropping it
    /// frees what it held a little later.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }

    async fn settle(mut self) -> Result<()> {
        let mut voided = Vec::with_capacity(self.touched.len());
        // In the order of the keys, so that two units of work never wait for each other in a ring.
        for key in std::mem::take(&mut self.touched) {
            let version = sqlx::query_scalar!(
                "insert into standing (key, version) values ($1, 1)
                 on conflict (key) do update set version = standing.version + 1
                 returning version",
                key
            )
            .fetch_one(self.conn())
            .await?;
            voided.push((key, version));
        }
        if voided.is_empty() {
            self.inner.commit().await?;
            return Ok(());
        }
        // Voided once before the commit, so that a crash between commit and answer leaves no old
        // entry behind, and once after it, so that an entry filled in between is gone too.
        let epoch = self.void_before_commit(&voided).await?;
        let world = voided.iter().any(|(key, _)| key == world::KEY);
        let store = self.store;
        self.inner.commit().await?;
        let fenced = match epoch {
            Some(epoch) => store.cache.fence(epoch, &voided).await,
            None => false,
        };
        if epoch.is_some() && !fenced {
            cache::raise_epoch(&mut *store.read().await?).await?;
        }
        // Every server trusts its copy of the world, and its epoch, for a lease.
        if store.peers && (world || !fenced) {
            tokio::time::sleep(cache::LEASE_OVER).await;
        }
        Ok(())
    }

    /// Voids the entries in the epoch that is in force until this unit of work ends, and says
    /// which; `None` when Redis did not confirm, and the epoch was raised instead.
    async fn void_before_commit(&mut self, voided: &[(String, i64)]) -> Result<Option<i64>> {
        let cache = self.store.cache.clone();
        let Some(seen) = cache.epoch() else {
            if !matches!(cache, Cache::Absent) {
                cache::raise_epoch(self.conn()).await?;
                return Ok(None);
            }
            return Ok(Some(0));
        };
        // Redis is asked before the row is locked: a writer that holds the shared lock never
        // needs the exclusive one, so two writers cannot wait for each other.
        if !cache.fence(seen, voided).await {
            cache::raise_epoch(self.conn()).await?;
            return Ok(None);
        }
        let epoch = cache::hold_epoch(self.conn()).await?;
        if epoch != seen && !cache.fence(epoch, voided).await {
            return Err(Error::new(Reason::StoreUnavailable).retry_after(cache::LEASE));
        }
        Ok(Some(epoch))
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
