//! The chaos run of the direct line (I14): two servers, writers and readers on both, and somebody who
//! kills servers, PostgreSQL and Redis, while others give up their calls half-way. A checker over what was
//! recorded finds anything that was lost, doubled or reordered, and whatever the calls that were given up
//! left behind; three known mistakes are run beside it and must be caught.
//!
//! ```sh
//! cargo bench --bench chaos                      # 200 conversations, 50 writers, ten minutes
//! cargo bench --profile dev --bench chaos -- --short
//! ```
//!
//! It starts and ends everything that it needs; the record stays in `.local/chaos/history.jsonl`.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

mod abandon;
mod checker;
mod city;
mod controls;
mod history;
mod readers;
mod report;
mod server;
mod services;
mod torment;
#[expect(dead_code, reason = "it is only slow here; the run of stale checks cuts it")]
mod way;
mod writers;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use jingqi::surface::{clock::Ids, store};
use sqlx::{Connection as _, PgConnection};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    abandon::Tally,
    checker::{History, Kept, Sighting},
    city::Line,
    history::{Process, Record},
    readers::Readers,
    report::Report,
    server::Server,
    services::Services,
    torment::Tormentor,
    writers::{World, Writer},
};

/// How long everybody has to come to rest at the end.
const REST_WITHIN: Duration = Duration::from_mins(1);
/// Those who give up.
const ABANDONERS: usize = 2;
/// The people of the enterprise in each conversation.
const PEOPLE: usize = 2;

/// What is run.
#[derive(Parser, Debug, Clone)]
struct Settings {
    /// How long is written and killed
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Conversations
    #[arg(long, default_value_t = 200)]
    conversations: usize,
    /// Writers
    #[arg(long, default_value_t = 50)]
    writers: usize,
    /// Readers that do not resume: the control
    #[arg(long, default_value_t = 10)]
    forgetful: usize,
    /// How long a writer rests on average, in milliseconds
    #[arg(long, default_value_t = 40)]
    think_ms: u64,
    /// What decides who is killed when, and who writes what; drawn where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// The short run: 20 conversations, 10 writers, each kind of kill at least once
    #[arg(long)]
    short: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

impl Settings {
    fn shortened(self) -> Self {
        if !self.short {
            return self;
        }
        Self { seconds: 15, conversations: 20, writers: 10, think_ms: 20, ..self }
    }
}

fn main() -> Result<ExitCode> {
    let settings = Settings::parse().shortened();
    // `cargo test --benches` only looks whether it runs.
    if !settings.bench {
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
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

async fn run(settings: &Settings) -> Result<bool> {
    let seed = settings.seed.unwrap_or_else(|| u64::from_le_bytes(Ids::system().bytes()) >> 32);
    println!("chaos run, seed {seed}");
    let services = Arc::new(tokio::task::spawn_blocking(Services::start).await??);
    let (servers, lines) = prepare(settings, &services).await?;
    let world = Arc::new(World {
        lines,
        servers: [servers[0].address, servers[1].address],
        record: Record::begin(),
        written: AtomicBool::new(false),
    });
    let plain = controls::plain_sequence(&services.database_url, seed).await?;
    let folder = services::folder();
    let unmended = abandon::without_the_mends(&services, &folder, &world.lines, seed).await?;

    let readers = Readers::start(&world, seed, settings.forgetful)?;
    let think = Duration::from_millis(settings.think_ms);
    let writers: Vec<_> = (0..settings.writers)
        .map(|number| Ok(tokio::spawn(Writer::new(&world, number, seed, think)?.run())))
        .collect::<Result<_>>()?;
    let tally = Arc::new(Tally::default());
    let abandoners: Vec<_> =
        (0..ABANDONERS).map(|number| tokio::spawn(abandon(&world, number, seed, &tally))).collect();
    let began = Instant::now();
    let until = began + Duration::from_secs(settings.seconds);
    let round = if settings.short { torment::SHORT } else { torment::LONG };
    let mut tormentor = Tormentor::new(servers, services.clone(), seed);
    tormentor.run(&world, round, until).await?;
    tokio::time::sleep_until(until).await;
    world.written.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await??;
    }
    for abandoner in abandoners {
        abandoner.await??;
    }
    let lasted = began.elapsed();
    for server in &mut tormentor.servers {
        server.ready(REST_WITHIN).await?;
    }
    let kept = kept(&services.database_url, &world).await?;
    let ends: Vec<i64> = kept
        .iter()
        .take(world.lines.len())
        .map(|kept| kept.messages.last().map_or(0, |last| last.sequence))
        .collect();
    let behind = readers.settle(&ends, REST_WITHIN).await;
    readers.end(&world).await?;
    world.record.write(&folder.join("history.jsonl"))?;
    let mut left = tally.left(abandon::left_open(&services.database_url).await?);
    left.internal += world.record.internal();

    let settings_told = told(&services.database_url, settings, seed, lasted).await?;
    let report = Report {
        settings: settings_told,
        back: tormentor.back,
        behind,
        history: History {
            sendings: world.record.sendings(),
            readers: world.record.readers(|process| matches!(process, Process::Reader(_))),
            markings: world.record.markings(),
            kept,
        },
        plain,
        left,
        unmended,
        record: &world.record,
    };
    report.print()
}

/// Gives up calls as long as others write.
fn abandon(
    world: &Arc<World>,
    number: usize,
    seed: u64,
    tally: &Arc<Tally>,
) -> impl Future<Output = Result<()>> + Send + 'static {
    let (world, tally) = (world.clone(), tally.clone());
    async move {
        let line = world.lines.get(number % world.lines.len()).context("a conversation")?;
        let goes_on = || !world.written.load(Ordering::Relaxed);
        abandon::give_up(&world.servers, line, seed + number as u64, &tally, goes_on).await
    }
}

/// The schema, the keys, two servers, the city.
async fn prepare(settings: &Settings, services: &Services) -> Result<([Server; 2], Vec<Line>)> {
    let folder = services::folder();
    let command = || {
        let mut command = server::command(&services.database_url, &services.redis_url, &folder);
        // Everything here shares a few cores: with more connections they are opened so slowly after
        // PostgreSQL was killed that none is open before the calls that wait for it give up.
        command.env("JINGQI_CONNECTIONS_MAX", "8");
        command
    };
    let migrated = command().arg("migrate").output().await?;
    let told = String::from_utf8_lossy(&migrated.stderr);
    ensure!(migrated.status.success(), "migrate: {}", told.trim());
    let pool = store::pool(&services.database_url, 4)?;
    let lines = city::load(&pool, settings.conversations, PEOPLE).await?;
    pool.close().await;
    let start = |number: usize| {
        let log = folder.join(format!("serve-{number}.log"));
        // Of an earlier run.
        let _ = std::fs::remove_file(&log);
        Server::start(command(), log)
    };
    let mut servers = [start(0)?, start(1)?];
    for server in &mut servers {
        server.ready(REST_WITHIN).await?;
    }
    Ok((servers, lines))
}

/// Every conversation as it is kept: as `ListMessages` gives it, and as the table holds it.
async fn kept(database_url: &str, world: &World) -> Result<Vec<Kept>> {
    let mut kept = Vec::with_capacity(world.lines.len() * 2);
    for conversation in 0..world.lines.len() {
        let messages = readers::whole(world, conversation).await?;
        kept.push(Kept { source: "ListMessages", conversation, messages });
    }
    let mut connection = PgConnection::connect(database_url).await?;
    for (conversation, line) in world.lines.iter().enumerate() {
        let id = line.name.split_once('/').and_then(|(_, id)| Uuid::try_parse(id).ok());
        let rows: Vec<(i64, Option<Uuid>, String)> = sqlx::query_as(
            "select sequence, client_message_id, body from message
             where conversation_id = $1 order by sequence",
        )
        .bind(id.context("a conversation's name")?)
        .fetch_all(&mut connection)
        .await?;
        let messages = rows.into_iter().map(|(sequence, id, body)| {
            let said = id.map(|id| if body == id.to_string() { id } else { Uuid::nil() });
            Sighting { sequence, said }
        });
        kept.push(Kept { source: "table", conversation, messages: messages.collect() });
    }
    Ok(kept)
}

/// On what was run.
async fn told(url: &str, settings: &Settings, seed: u64, lasted: Duration) -> Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let postgresql: String = sqlx::query_scalar(
        "select current_setting('server_version') || ', fsync ' || current_setting('fsync')
            || ', synchronous_commit ' || current_setting('synchronous_commit')
            || ', full_page_writes ' || current_setting('full_page_writes')",
    )
    .fetch_one(&mut connection)
    .await?;
    let cores = std::thread::available_parallelism()?;
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    Ok(format!(
        "seed {seed}; {:.0} s; {} conversations, {} writers, {} readers, 2 servers ({profile} \
         build); {cores} cores for everything; PostgreSQL {postgresql}",
        lasted.as_secs_f64(),
        settings.conversations,
        settings.writers,
        settings.conversations * 2,
    ))
}
