//! What strangers can make a server hold, and what others notice of it: kinds of abuse by raw frames, each
//! against a server of its own, from 4 to 64 connections. It fails when the server's memory grows by more
//! than 16 MiB at any moment, when an honest caller waits longer than 250 ms at the 99th percentile, when
//! one of his calls fails, when anything panics, or when an attack was refused before it began: that would
//! show nothing. The first two rows are no attack: what the others are compared with.
//!
//! `cargo bench --bench abuse [-- --short] [-- --kind NAME] [-- --control]`. It starts PostgreSQL and Redis of
//! its own, unless `DATABASE_URL` and `REDIS_URL` name some; a database of its own is made there and dropped
//! again. The attackers call from 127.0.0.2 and on, the honest one from 127.0.0.1. `ABUSE_SECONDS` changes how
//! long each attack lasts. The short run has one second and 64 connections from four addresses alone, and
//! allows the honest caller a second more: it may run in a debug build, on a machine that is busy. With
//! `--control` the same is done to a server without our limits, and nothing is judged.

#![expect(clippy::print_stdout, reason = "a program of its own prints its table")]

mod attack;
mod control;
mod counts;
#[path = "../bench/database.rs"]
mod database;
mod frames;
mod served;
mod services;

use std::{
    env,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};
use tonic::Code;

use crate::{
    attack::{Kind, Target},
    counts::Counts,
    served::{Served, Subject},
    services::Services,
};

/// The goals.
const GROWTH_MAX_KIB: u64 = 16 * 1024;
const P99_MAX: Duration = Duration::from_millis(250);
/// What the short run allows beyond.
const SHORT_P99_MORE: Duration = Duration::from_secs(1);
/// How long a server runs before its memory is read for the first time.
const WARM_UP: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_millis(20);
/// Connections of one address that are let in while nobody has signed in on them.
const LET_IN: usize = 16;

/// From how many addresses how many connections come.
#[derive(Clone, Copy)]
struct Crowd {
    addresses: u8,
    connections: usize,
}

const LONG: [Crowd; 4] = [
    Crowd { addresses: 1, connections: 4 },
    Crowd { addresses: 1, connections: 30 },
    Crowd { addresses: 1, connections: 64 },
    MOST,
];
const NOBODY: Crowd = Crowd { addresses: 1, connections: 0 };
const MOST: Crowd = Crowd { addresses: 4, connections: 64 };

/// What is run.
struct Plan {
    url: String,
    redis: String,
    subject: Subject,
    lasts: Duration,
    p99_max: Duration,
}

/// What an attack showed.
struct Seen {
    growth_kib: u64,
    p99: Duration,
    calls: usize,
    failed: Vec<Code>,
    counts: Arc<Counts>,
    came_through: bool,
    panicked: bool,
}

impl Seen {
    fn verdict(&self, p99_max: Duration) -> String {
        let mut told = Vec::new();
        if self.growth_kib > GROWTH_MAX_KIB {
            told.push("MEMORY".to_owned());
        }
        if self.p99 > p99_max {
            told.push("LATE".to_owned());
        }
        if !self.failed.is_empty() {
            told.push(format!("FAILED {:?}", self.failed));
        }
        if self.panicked {
            told.push("PANICKED".to_owned());
        }
        if !self.came_through {
            told.push("NO ATTACK".to_owned());
        }
        told.join(", ")
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let runtime = tokio::runtime::Runtime::new()?;
    if arguments.iter().any(|argument| argument == control::CONTROL) {
        return runtime.block_on(control::serve());
    }
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let named = arguments.iter().position(|argument| argument == "--kind");
    let named = named.and_then(|at| arguments.get(at + 1));
    let short = has("--short");
    let seconds = match env::var("ABUSE_SECONDS") {
        Ok(text) => text.parse().context("ABUSE_SECONDS must be a number")?,
        Err(_) if short => 1,
        Err(_) => 5,
    };
    let services = Services::find()?;
    runtime.block_on(async {
        let (url, database) = database::create(&services.database_url).await?;
        let plan = Plan {
            url,
            redis: services.redis_url.clone(),
            subject: if has("--control") { Subject::Control } else { Subject::Product },
            lasts: Duration::from_secs(seconds),
            p99_max: if short { P99_MAX + SHORT_P99_MORE } else { P99_MAX },
        };
        let crowds = if short || has("--control") { &[MOST][..] } else { &LONG };
        let run = run(&plan, named, crowds).await;
        database::remove(&services.database_url, &database).await?;
        run
    })
}

async fn run(plan: &Plan, named: Option<&String>, crowds: &[Crowd]) -> Result<()> {
    served::migrate(&plan.url, &plan.redis).await?;
    println!(
        "{:<23}{:>10}{:>12}{:>12}{:>9}{:>7}{:>9}{:>8}{:>10}{:>10}{:>9}",
        "kind",
        "addresses",
        "connections",
        "growth KiB",
        "p99 ms",
        "calls",
        "attempts",
        "cut",
        "sent KiB",
        "acks",
        "answers"
    );
    let mut bad = 0;
    for kind in Kind::ALL.iter().filter(|kind| named.is_none_or(|named| named == kind.name())) {
        let crowds = if *kind == Kind::Nothing { &[NOBODY][..] } else { crowds };
        for crowd in crowds {
            let seen = against(plan, *kind, *crowd).await?;
            let verdict = seen.verdict(plan.p99_max);
            let counts = &seen.counts;
            println!(
                "{:<23}{:>10}{:>12}{:>12}{:>9.1}{:>7}{:>9}{:>8}{:>10}{:>10}{:>9}  {verdict}",
                kind.name(),
                crowd.addresses,
                crowd.connections,
                seen.growth_kib,
                seen.p99.as_secs_f64() * 1_000.0,
                seen.calls,
                counts.connections.get(),
                counts.cut.get(),
                counts.bytes_out.get() / 1_024,
                counts.acks.get(),
                counts.heads.get() + counts.frames.get(),
            );
            bad += usize::from(!verdict.is_empty());
        }
    }
    ensure!(bad == 0 || plan.subject == Subject::Control, "{bad} beyond the goals");
    Ok(())
}

/// One attack on a server of its own: what one attack left in its memory must not hide the next.
async fn against(plan: &Plan, kind: Kind, crowd: Crowd) -> Result<Seen> {
    let server = Served::start(plan.subject, &plan.url, &plan.redis).await?;
    let honest = tokio::spawn(honest(server.grpc, plan.lasts));
    sleep(WARM_UP).await;
    let before = server.memory_kib()?;
    server.forget_most()?;
    let counts = Arc::new(Counts::default());
    let mut attackers = JoinSet::new();
    for connection in 0..crowd.connections {
        let last = 2 + u8::try_from(connection % usize::from(crowd.addresses))?;
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let target = Target { grpc: server.grpc, web: server.web, from };
        attackers.spawn(attack::run(kind, target, counts.clone()));
    }
    sleep(plan.lasts).await;
    attackers.shutdown().await;
    let (mut took, failed) = honest.await??;
    let growth_kib = server.most_memory_kib()?.saturating_sub(before);
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    let p99 = took.get(at).copied().unwrap_or(Duration::MAX);
    let let_in = crowd.connections.min(LET_IN * usize::from(crowd.addresses));
    let came_through = attack::came_through(kind, &counts, let_in);
    let panicked = server.panicked()?;
    Ok(Seen { growth_kib, p99, calls: took.len(), failed, counts, came_through, panicked })
}

/// Calls in an open loop, whatever becomes of the earlier ones; those of the warm-up are not counted.
async fn honest(address: SocketAddr, lasts: Duration) -> Result<(Vec<Duration>, Vec<Code>)> {
    let begin = Instant::now();
    let caller = served::Caller::new(address)?;
    let mut often = interval(EVERY);
    let mut calls = JoinSet::new();
    while begin.elapsed() < WARM_UP + lasts {
        let due = often.tick().await;
        let (mut caller, counted) = (caller.clone(), begin.elapsed() >= WARM_UP);
        calls.spawn(async move {
            let failed = caller.call().await;
            (counted, due.elapsed(), failed)
        });
    }
    let (mut took, mut failed) = (Vec::new(), Vec::new());
    while let Some(call) = calls.join_next().await {
        let (counted, lasted, code) = call?;
        if counted {
            took.push(lasted);
            failed.extend(code);
        }
    }
    Ok((took, failed))
}
