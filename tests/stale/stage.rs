//! Servers, each with its own way to Redis, a Redis, and another one that follows it; and what can be done
//! to them. A server is a process of its own, so that it can be stopped. Who asks it is no matter here.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

use crate::{
    second::Second,
    server::{self, Server},
    way::Way,
};

const READY_WITHIN: Duration = Duration::from_mins(1);

/// The part of the protocol that the servers of a control do without, as `--without` names it.
pub type Without<'a> = Option<&'a str>;

/// The stage; everything on it ends with it.
pub struct Stage {
    /// The servers.
    pub servers: Vec<Server>,
    ways: Vec<Way>,
    redis: Mutex<Pair>,
    database_url: String,
}

/// Who answers behind the ways, and who follows.
struct Pair {
    first: Second,
    replica: Second,
}

impl Pair {
    async fn start() -> Result<Self> {
        let another = async || Second::start().await?.context("no Redis is installed");
        let (first, replica) = (another().await?, another().await?);
        replica.follow(&first).await?;
        Ok(Self { first, replica })
    }
}

impl Stage {
    /// So many servers of the product, or of this program without a part of the protocol.
    pub async fn start(
        database_url: &str,
        folder: &Path,
        count: usize,
        without: Without<'_>,
    ) -> Result<Self> {
        let redis = Pair::start().await?;
        let mut stage = Self {
            servers: Vec::new(),
            ways: Vec::new(),
            redis: Mutex::new(redis),
            database_url: database_url.to_owned(),
        };
        // What earlier servers agreed on is over.
        stage.agree_anew().await?;
        for number in 0..count {
            let way = Way::to(stage.redis.get_mut().first.address).await?;
            let url = format!("redis://{}", way.address);
            let mut command = match without {
                None => server::command(database_url, &url, folder),
                Some(part) => {
                    let program = std::env::current_exe()?;
                    let mut command = server::command_of(&program, database_url, &url, folder);
                    command.args(["--without", part]);
                    command
                }
            };
            command.env("JINGQI_CONNECTIONS_MAX", "8");
            let log = folder.join(format!("{}-{number}.log", without.unwrap_or("serve")));
            // Of an earlier run.
            let _ = std::fs::remove_file(&log);
            stage.servers.push(Server::start(command, log)?);
            stage.ways.push(way);
        }
        for server in &mut stage.servers {
            server.ready(READY_WITHIN).await?;
        }
        Ok(stage)
    }

    /// A connection to the database, for what is done by hand.
    pub async fn database(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.database_url).await?)
    }

    /// The next Redis may be agreed on at once, and not only in ten seconds: a run has no time.
    pub async fn agree_anew(&self) -> Result<()> {
        let mut connection = self.database().await?;
        sqlx::query("update cache_epoch set bind_time = null").execute(&mut connection).await?;
        Ok(())
    }

    fn signal(&self, server: usize, signal: Signal) -> Result<()> {
        let pid = self.servers.get(server).and_then(Server::pid).context("a server")?;
        let process = Pid::from_raw(i32::try_from(pid)?).context("a process")?;
        Ok(kill_process(process, signal)?)
    }

    /// Stops a server where it stands: it does nothing, and nobody is told.
    pub fn stop(&self, server: usize) -> Result<()> {
        self.signal(server, Signal::STOP)
    }

    /// It goes on as if nothing had been.
    pub fn go_on(&self, server: usize) -> Result<()> {
        self.signal(server, Signal::CONT)
    }

    /// The way from a server to Redis.
    pub fn way(&self, server: usize) -> Result<&Way> {
        self.ways.get(server).context("a way")
    }

    /// A connection to the Redis that counts.
    pub async fn redis(&self) -> Result<MultiplexedConnection> {
        self.redis.lock().await.first.connection().await
    }

    /// Takes everything out of Redis.
    pub async fn flush(&self) -> Result<()> {
        Ok(redis::cmd("FLUSHALL").exec_async(&mut self.redis().await?).await?)
    }

    /// Waits until the replica has all that the Redis has; what it is told from then on, it lacks.
    pub async fn separate(&self) -> Result<()> {
        let pair = self.redis.lock().await;
        let mut connection = pair.first.connection().await?;
        let _: i64 = redis::cmd("WAIT").arg(1).arg(1_000).query_async(&mut connection).await?;
        pair.replica.promote().await
    }

    /// Puts the replica in the place of the Redis, for one server after the other, and gives it a new
    /// replica.
    pub async fn fail_over(&self, between: Duration) -> Result<()> {
        let mut pair = self.redis.lock().await;
        for way in &self.ways {
            way.lead_to(pair.replica.address);
            tokio::time::sleep(between).await;
        }
        let next = Second::start().await?.context("no Redis is installed")?;
        next.follow(&pair.replica).await?;
        let promoted = std::mem::replace(&mut pair.replica, next);
        pair.first = promoted;
        self.agree_anew().await
    }
}
