//! The run that counts stale VALIDs (I1): three servers, writers who suspend, resume and end passes and
//! withdraw keys, each change sent twice, and checkers who ask about the same codes at every server, while
//! servers are stopped and cut off from Redis, Redis is emptied and fails over, and calls are given up. A
//! check that began after a change was answered tells of that change or of a later one; a judge over what
//! was recorded counts those that do not. Servers that lack one part of the protocol are asked beside, and
//! must be caught.
//!
//! ```sh
//! cargo bench --bench stale                      # 1,000,000 checks, 10,000 revocations
//! cargo bench --profile dev --bench stale -- --short
//! ```
//!
//! It starts and ends everything that it needs; what the servers logged stays in `.local/stale/`.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

mod calls;
mod city;
mod faults;
mod lacking;
mod people;
mod record;
mod report;
mod scenes;
#[path = "../chaos/second.rs"]
mod second;
#[path = "../chaos/server.rs"]
#[expect(dead_code, reason = "no server is killed here")]
mod server;
#[path = "../chaos/services.rs"]
#[expect(dead_code, reason = "neither PostgreSQL nor its Redis is killed here")]
mod services;
mod stage;
#[path = "../chaos/way.rs"]
#[expect(dead_code, reason = "nobody asks here where a way leads")]
mod way;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Parser;
use jingqi::surface::{clock::Ids, store};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    calls::Calls,
    city::City,
    faults::Counted,
    people::World,
    report::Report,
    scenes::{Scene, Shown},
    services::Services,
    stage::Stage,
};

/// The servers of the run.
const SERVERS: usize = 3;
/// Of a control: one writes, one reads.
const SERVERS_OF_A_CONTROL: usize = 2;
/// How long everybody has to come to rest at the end.
const REST_WITHIN: Duration = Duration::from_mins(1);

/// What is run.
#[derive(Parser, Debug, Clone)]
struct Settings {
    /// Checks at least
    #[arg(long, default_value_t = 1_000_000)]
    checks: usize,
    /// Revocations at least
    #[arg(long, default_value_t = 10_000)]
    revocations: usize,
    /// The longest that is checked, in seconds: what is not reached then is told
    #[arg(long, default_value_t = 7_200)]
    seconds: u64,
    /// Writers
    #[arg(long, default_value_t = 24)]
    writers: usize,
    /// Checkers at each server
    #[arg(long, default_value_t = 24)]
    checkers: usize,
    /// Passes
    #[arg(long, default_value_t = 2_000)]
    passes: usize,
    /// Keys to be withdrawn
    #[arg(long, default_value_t = 400)]
    keys: usize,
    /// What decides who does what when; drawn where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// The short run: 20,000 checks, 200 revocations, or what 26 seconds allow; each fault at least once
    #[arg(long)]
    short: bool,
    /// Servers that lack this part of the protocol make the run itself, which must fail then:
    /// settled-answers, calm, identity, own-mark
    #[arg(long)]
    lacking: Option<String>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

impl Settings {
    fn shortened(self) -> Self {
        if !self.short {
            return self;
        }
        Self { checks: 20_000, revocations: 200, seconds: 26, passes: 400, keys: 60, ..self }
    }

    const fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Below these a run shows too little: a slow machine does less in the same time.
    const fn least(&self) -> (usize, usize) {
        if self.short {
            (self.checks / 10, self.revocations / 10)
        } else {
            (self.checks, self.revocations)
        }
    }
}

fn main() -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if std::env::args().next_back().as_deref() == Some(lacking::SERVE) {
        runtime.block_on(lacking::serve())?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::parse().shortened();
    // `cargo test --benches` only looks whether it runs.
    if !settings.bench {
        return Ok(ExitCode::SUCCESS);
    }
    let right = runtime.block_on(async {
        tokio::select! {
            right = run(&settings) => right,
            told = stopped() => told.and_then(|()| bail!("stopped by a signal")),
        }
    });
    // What still runs ends with it: the servers are killed, the services stopped, as they are dropped.
    runtime.shutdown_timeout(REST_WITHIN);
    Ok(if right? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns when somebody asks us to stop.
async fn stopped() -> Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Where the run writes what it leaves.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/stale")
}

async fn run(settings: &Settings) -> Result<bool> {
    let seed = settings.seed.unwrap_or_else(|| u64::from_le_bytes(Ids::system().bytes()) >> 32);
    println!("stale run, seed {seed}");
    // Its Redis stays idle: it has a password, and a replica of it would need it.
    let services = tokio::task::spawn_blocking(|| Services::start_as("stale")).await??;
    let url = &services.database_url;
    store::migrate(url).await?;
    std::fs::create_dir_all(folder())?;
    let pool = store::pool(url, 4)?;
    let city = Arc::new(City::load(&pool, settings.passes, settings.keys).await?);
    pool.close().await;
    let mut controls = Vec::new();
    for scene in Scene::ALL {
        controls.push(control(scene, url, &city).await?);
    }

    let stage = Stage::start(url, &folder(), SERVERS, settings.lacking.as_deref()).await?;
    let calls = Calls::new(&city, &stage.servers)?;
    let began = Instant::now();
    for scene in Scene::ALL {
        scene.play(&stage, &calls).await?;
    }
    let world = Arc::new(World::new(calls, settings.writers));
    let counted = Counted::default();
    torment(settings, &stage, &world, &counted, seed).await?;
    let report = Report {
        settings: told(url, settings, seed, began.elapsed()).await?,
        judged: world.calls.record.judge(),
        faults: &counted,
        tally: &world.calls.tally,
        least: settings.least(),
        controls,
    };
    report.print()
}

/// One control, by servers of its own.
async fn control(scene: Scene, database_url: &str, city: &Arc<City>) -> Result<Shown> {
    let without = Some(scene.part());
    let stage = Stage::start(database_url, &folder(), SERVERS_OF_A_CONTROL, without).await?;
    let calls = Calls::new(city, &stage.servers)?;
    scenes::control(scene, &stage, &calls).await
}

/// Everybody at once, until enough was asked, or the time is over.
async fn torment(
    settings: &Settings,
    stage: &Stage,
    world: &Arc<World>,
    counted: &Counted,
    seed: u64,
) -> Result<()> {
    let mut people = JoinSet::new();
    for number in 0..settings.writers {
        people.spawn(people::write(world.clone(), number, seed));
    }
    people.spawn(people::revoke_keys(world.clone(), seed));
    for number in 0..settings.checkers * SERVERS {
        people.spawn(people::check(world.clone(), number % SERVERS, seed + number as u64));
    }
    let goes_on = || !world.over.load(Ordering::Relaxed);
    let until = Instant::now() + settings.lasts();
    let watching = async {
        loop {
            sleep(Duration::from_millis(100)).await;
            let (checks, revocations) = world.calls.record.counts();
            let enough = checks >= settings.checks && revocations >= settings.revocations;
            let now = Instant::now();
            let late = now > until + settings.lasts();
            if ((enough || now > until) && counted.complete()) || late {
                world.over.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
    };
    let ending = async {
        while let Some(ended) = people.join_next().await {
            ended??;
        }
        Ok(())
    };
    tokio::try_join!(
        watching,
        ending,
        faults::stop(stage, counted, seed, goes_on),
        faults::disturb(stage, counted, seed, goes_on),
    )?;
    Ok(())
}

/// On what was run.
async fn told(url: &str, settings: &Settings, seed: u64, lasted: Duration) -> Result<String> {
    let pool = store::pool(url, 1)?;
    let postgresql: String =
        sqlx::query_scalar("select current_setting('server_version')").fetch_one(&pool).await?;
    let cores = std::thread::available_parallelism()?;
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    Ok(format!(
        "seed {seed}; {:.0} s; {SERVERS} servers ({profile} build), {} writers, {} checkers; {cores} \
         cores for everything; PostgreSQL {postgresql}",
        lasted.as_secs_f64(),
        settings.writers,
        settings.checkers * SERVERS,
    ))
}
