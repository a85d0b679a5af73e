//! The connection to Redis, and who answers at its other end. A connection leads to one process for as
//! long as it lives, so what a Redis says of itself is asked when the connection is made, and holds for
//! everything that is read over it. Behind one address another Redis may stand a moment later: that is
//! another connection, and another [`Link`].

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError, aio::MultiplexedConnection,
    io::tcp::TcpSettings,
};
use tokio::time::Instant;

use crate::error::{Error, Result};

/// How long Redis may take to answer; beyond that PostgreSQL is asked.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(50);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// How long nobody tries again after a connection failed.
const PAUSE: Duration = Duration::from_millis(400);

/// One connection, and the identity of the Redis behind it.
pub struct Link {
    connection: MultiplexedConnection,
    identity: String,
    /// It broke, or did not answer in time: nobody else waits for it.
    lost: AtomicBool,
}

impl Link {
    /// The connection, to be used.
    #[must_use]
    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Whether somebody has waited over it in vain. A reader asks PostgreSQL at once then, and Redis is
    /// tried again beside it; a writer, who waits longer without Redis, still tries.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Run id of the process, number of the database, and our prefix: with any of them another one,
    /// nothing that others wrote is found, and nothing that we void is void for them.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// Why Redis is not trusted, where it answers at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Away,
    Nameless,
    Replica,
    Cluster,
    Several,
}

impl Trouble {
    const fn told(self) -> &'static str {
        match self {
            Self::Away => "Redis does not answer: everything is read from PostgreSQL",
            Self::Nameless => "Redis does not say who it is (INFO is refused): it is not trusted",
            Self::Replica => "REDIS_URL leads to a replica: it is not trusted",
            Self::Cluster => "REDIS_URL leads to a Redis Cluster: it is not trusted",
            Self::Several => "one connection leads to several Redises: none of them is trusted",
        }
    }
}

/// The way to Redis.
pub struct Way {
    client: Client,
    prefix: String,
    link: RwLock<Option<Arc<Link>>>,
    /// Somebody has waited for a connection: the first call does, and no later one.
    tried: AtomicBool,
    /// When the last attempt failed; whoever connects holds it.
    failed: tokio::sync::Mutex<Option<Instant>>,
    /// What was logged last.
    trouble: Mutex<Option<Trouble>>,
}

impl Way {
    /// Connects when it is first asked.
    pub fn new(url: &str, prefix: &str) -> Result<Self> {
        let info = url.into_connection_info().map_err(Error::internal)?;
        // A script and its facts are more than one segment: without this they wait for each other.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info).map_err(Error::internal)?,
            prefix: prefix.to_owned(),
            link: RwLock::default(),
            tried: AtomicBool::new(false),
            failed: tokio::sync::Mutex::default(),
            trouble: Mutex::default(),
        })
    }

    /// For connections of another kind.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The link, where there is one; nobody waits for it.
    pub fn link(&self) -> Option<Arc<Link>> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The link, where there is one, or the first that is made; later ones are made by whoever verifies it, or
    /// by the task that is begun here, and nobody waits for them.
    pub async fn at_hand(self: &Arc<Self>) -> Option<Arc<Link>> {
        if let Some(link) = self.link() {
            return Some(link);
        }
        if !self.tried.load(Ordering::Relaxed) {
            return self.reach().await;
        }
        if let Ok(failed) = self.failed.try_lock()
            && failed.is_none_or(|at| at.elapsed() >= PAUSE)
        {
            let way = self.clone();
            tokio::spawn(async move { way.reach().await });
        }
        None
    }

    /// The link; it is made where there is none.
    pub async fn reach(&self) -> Option<Arc<Link>> {
        if let Some(link) = self.link() {
            return Some(link);
        }
        let mut failed = self.failed.lock().await;
        // Whoever was first has made it meanwhile, or has failed.
        if let Some(link) = self.link() {
            return Some(link);
        }
        if failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return None;
        }
        let connected = self.connect().await;
        self.tried.store(true, Ordering::Relaxed);
        match connected {
            Ok(link) => {
                let link = Arc::new(link);
                *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
                Some(link)
            }
            Err(trouble) => {
                *failed = Some(Instant::now());
                self.tell(Some(trouble));
                None
            }
        }
    }

    /// The link, asked now who it leads to: a Redis can become a replica while we are connected.
    pub async fn verified(&self) -> Option<Arc<Link>> {
        let link = self.reach().await?;
        match self.identity(&mut link.connection()).await {
            Ok(identity) if identity == link.identity => {
                self.tell(None);
                Some(link)
            }
            answered => {
                self.forget(&link);
                self.tell(Some(answered.err().unwrap_or(Trouble::Several)));
                None
            }
        }
    }

    /// Takes note of what went wrong on a link: one that is broken, or hangs, is not used again. Each call
    /// would wait for it anew.
    pub fn failed(&self, link: &Arc<Link>, error: &RedisError) {
        if error.is_unrecoverable_error() || error.is_connection_dropped() || error.is_timeout() {
            self.forget(link);
        }
        tracing::debug!(%error, "Redis did not do what it was asked");
    }

    fn forget(&self, link: &Arc<Link>) {
        link.lost.store(true, Ordering::Relaxed);
        let mut held = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, link)) {
            *held = None;
        }
    }

    async fn connect(&self) -> std::result::Result<Link, Trouble> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let mut connection = connected.map_err(|_| Trouble::Away)?.map_err(|_| Trouble::Away)?;
        let identity = self.identity(&mut connection).await?;
        Ok(Link { connection, identity, lost: AtomicBool::new(false) })
    }

    async fn identity(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> std::result::Result<String, Trouble> {
        let mut both = redis::pipe();
        both.cmd("INFO").arg("server").cmd("INFO").arg("replication");
        let told: redis::RedisResult<(String, String)> = both.query_async(connection).await;
        let (server, replication) = told
            .map_err(|error| if error.is_io_error() { Trouble::Away } else { Trouble::Nameless })?;
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.trim().to_owned())
        };
        let mode = field(&server, "redis_mode").or_else(|| field(&server, "server_mode"));
        if mode.as_deref() == Some("cluster") {
            return Err(Trouble::Cluster);
        }
        if field(&replication, "role").as_deref() != Some("master") {
            return Err(Trouble::Replica);
        }
        let run_id = field(&server, "run_id").ok_or(Trouble::Nameless)?;
        let database = self.client.get_connection_info().redis_settings().db();
        Ok(format!("{run_id}/{database}/{}", self.prefix))
    }

    /// Says a change once: it is looked at five times a second.
    fn tell(&self, trouble: Option<Trouble>) {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if *told == trouble {
            return;
        }
        if let Some(trouble) = trouble {
            tracing::warn!("{}", trouble.told());
        } else {
            tracing::info!("Redis answers");
        }
        *told = trouble;
    }
}
