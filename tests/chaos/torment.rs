//! The tormentor: kills a server, a backend of PostgreSQL, its postmaster or Redis, by pid and in
//! seeded order, waits until it is gone, leaves it lying for a moment, and starts it again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    history::{Call, Process, Step},
    server::Server,
    services::{self, Services},
    writers::World,
};

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// One of the servers.
    Server,
    /// A connection's process of PostgreSQL: PostgreSQL then ends all of them and recovers.
    Backend,
    /// PostgreSQL as a whole.
    Postmaster,
    /// Redis.
    Redis,
}

impl Victim {
    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Backend => "PostgreSQL backend",
            Self::Postmaster => "PostgreSQL postmaster",
            Self::Redis => "Redis",
        }
    }
}

/// Of a short run: each kind, and a server once more.
pub const SHORT: &[Victim] =
    &[Victim::Server, Victim::Backend, Victim::Postmaster, Victim::Redis, Victim::Server];
/// Of a long run: mostly servers, as in life.
pub const LONG: &[Victim] = &[
    Victim::Server,
    Victim::Server,
    Victim::Server,
    Victim::Server,
    Victim::Server,
    Victim::Backend,
    Victim::Backend,
    Victim::Postmaster,
    Victim::Redis,
    Victim::Redis,
];

/// How long a server may take until it is ready again.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// The tormentor and what it holds.
pub struct Tormentor {
    /// The servers under torment.
    pub servers: [Server; 2],
    /// PostgreSQL and Redis.
    pub services: Arc<Services>,
    /// How long it took each time from the kill until it was ready again, in seconds.
    pub back: BTreeMap<Victim, Vec<f64>>,
    random: StdRng,
}

impl Tormentor {
    /// One that begins with nothing killed.
    pub fn new(servers: [Server; 2], services: Arc<Services>, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed ^ 0x7041);
        Self { servers, services, back: BTreeMap::new(), random }
    }

    /// Kills one after the other, in shuffled rounds, until the time is over; at least one round.
    pub async fn run(&mut self, world: &World, round: &[Victim], until: Instant) -> Result<()> {
        let mut rounds = 0;
        loop {
            let mut order = round.to_vec();
            order.shuffle(&mut self.random);
            for victim in order {
                let pause = Duration::from_millis(self.random.random_range(500..2_500));
                sleep(pause).await;
                if rounds > 0 && Instant::now() >= until {
                    return Ok(());
                }
                self.strike(world, victim).await?;
            }
            rounds += 1;
        }
    }

    async fn strike(&mut self, world: &World, victim: Victim) -> Result<()> {
        let note = |step, what: String| {
            world.record.note(Process::Tormentor, 0, step, Call::Act(what), "");
        };
        let began = Instant::now();
        let lying = Duration::from_millis(self.random.random_range(0..1_000));
        note(Step::Invoke, format!("kill {}", victim.name()));
        match victim {
            Victim::Server => {
                let which = self.random.random_range(0..self.servers.len());
                let server = self.servers.get_mut(which).context("a server")?;
                server.lives()?;
                note(Step::Info, format!("server {which}, process {:?}", server.pid()));
                server.kill().await?;
                sleep(lying).await;
                server.launch()?;
                server.ready(READY_WITHIN).await?;
            }
            Victim::Backend => {
                if let Some(pid) = self.backend().await? {
                    note(Step::Info, format!("process {pid}"));
                    blocking(move || services::kill(pid)).await?;
                }
                self.database_answers().await?;
            }
            Victim::Postmaster | Victim::Redis => {
                let name = if victim == Victim::Redis { "redis" } else { "postgres" };
                let pid = blocking(move || services::pid(name)).await?;
                note(Step::Info, format!("process {pid}"));
                blocking(move || services::kill(pid)).await?;
                sleep(lying).await;
                let services = self.services.clone();
                blocking(move || services.start_again()).await?;
                self.database_answers().await?;
            }
        }
        note(Step::Ok, format!("{} is back", victim.name()));
        self.back.entry(victim).or_default().push(began.elapsed().as_secs_f64());
        Ok(())
    }

    /// A backend that serves one of the servers.
    async fn backend(&mut self) -> Result<Option<u32>> {
        let mut connection = PgConnection::connect(&self.services.database_url).await?;
        let mut pids: Vec<i32> = sqlx::query_scalar(
            "select pid from pg_stat_activity
             where application_name = 'jingqi' and backend_type = 'client backend' order by pid",
        )
        .fetch_all(&mut connection)
        .await?;
        pids.shuffle(&mut self.random);
        Ok(pids.first().copied().and_then(|pid| u32::try_from(pid).ok()))
    }

    /// Waits until PostgreSQL lets somebody in again.
    async fn database_answers(&self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let connecting = PgConnection::connect(&self.services.database_url);
            match timeout(Duration::from_secs(5), connecting).await {
                Ok(Ok(connection)) => return Ok(connection.close().await?),
                Ok(Err(error)) if Instant::now() > until => return Err(error.into()),
                Err(elapsed) if Instant::now() > until => return Err(elapsed.into()),
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
