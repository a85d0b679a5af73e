//! What strangers can make a server hold, and what others notice of it: seventeen kinds of abuse by raw
//! frames, each against a server of its own, from 4 to 64 connections. It fails when the server's
//! memory grows by more than 16 MiB, when an honest caller waits longer than 250 ms at the 99th
//! percentile, or when one of his calls fails.
//!
//! `DATABASE_URL=... REDIS_URL=... cargo bench --bench abuse [-- --short] [-- --kind NAME]`; a database
//! of its own is made on that server and dropped again. The attackers call from 127.0.0.2 and on, the honest
//! one from 127.0.0.1. `ABUSE_SECONDS` changes how long each attack lasts; the short run has one second,
//! and 64 connections from four addresses alone.

#![expect(clippy::print_stdout, reason = "a program of its own prints its table")]

mod attack;
#[path = "../bench/database.rs"]
mod database;
mod frames;
mod served;

use std::{
    env,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    attack::{Kind, Target},
    served::Served,
};

/// The goals.
const GROWTH_MAX_KIB: u64 = 16 * 1024;
const P99_MAX: Duration = Duration::from_millis(250);
/// How long a server runs before its memory is read for the first time.
const WARM_UP: Duration = Duration::from_millis(600);
const EVERY: Duration = Duration::from_millis(20);

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
    Crowd { addresses: 4, connections: 64 },
];
const SHORT: [Crowd; 1] = [Crowd { addresses: 4, connections: 64 }];

/// What an attack showed.
struct Seen {
    growth_kib: u64,
    p99: Duration,
    calls: usize,
    failed: usize,
}

impl Seen {
    fn good(&self) -> bool {
        self.growth_kib <= GROWTH_MAX_KIB && self.p99 <= P99_MAX && self.failed == 0
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().collect();
    let short = arguments.iter().any(|argument| argument == "--short");
    let named = arguments.iter().position(|argument| argument == "--kind");
    let named = named.and_then(|at| arguments.get(at + 1));
    let seconds = match env::var("ABUSE_SECONDS") {
        Ok(text) => text.parse().context("ABUSE_SECONDS must be a number")?,
        Err(_) if short => 1,
        Err(_) => 5,
    };
    let url = env::var("DATABASE_URL").context("DATABASE_URL names no database")?;
    let redis = env::var("REDIS_URL").unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (own, database) = database::create(&url).await?;
        let run = run(&own, &redis, named, short, Duration::from_secs(seconds)).await;
        database::remove(&url, &database).await?;
        run
    })
}

async fn run(
    url: &str,
    redis: &str,
    named: Option<&String>,
    short: bool,
    lasts: Duration,
) -> Result<()> {
    served::migrate(url, redis).await?;
    let crowds: &[Crowd] = if short { &SHORT } else { &LONG };
    println!(
        "{:<22}{:>10}{:>12}{:>12}{:>10}{:>8}{:>8}",
        "kind", "addresses", "connections", "growth KiB", "p99 ms", "calls", "failed"
    );
    let mut bad = 0;
    for kind in Kind::ALL.iter().filter(|kind| named.is_none_or(|named| named == kind.name())) {
        for crowd in crowds {
            let seen = against(url, redis, *kind, *crowd, lasts).await?;
            let mark = if seen.good() { "" } else { "  BEYOND" };
            println!(
                "{:<22}{:>10}{:>12}{:>12}{:>10.1}{:>8}{:>8}{mark}",
                kind.name(),
                crowd.addresses,
                crowd.connections,
                seen.growth_kib,
                seen.p99.as_secs_f64() * 1_000.0,
                seen.calls,
                seen.failed
            );
            bad += usize::from(!seen.good());
        }
    }
    ensure!(bad == 0, "{bad} beyond the goals");
    Ok(())
}

/// One attack on a server of its own: what one attack left in its memory must not hide the next.
async fn against(
    url: &str,
    redis: &str,
    kind: Kind,
    crowd: Crowd,
    lasts: Duration,
) -> Result<Seen> {
    let server = Served::start(url, redis).await?;
    let honest = tokio::spawn(honest(server.grpc, WARM_UP, lasts));
    sleep(WARM_UP).await;
    let before = server.memory_kib()?;
    let mut attackers = JoinSet::new();
    for connection in 0..crowd.connections {
        let last = 2 + u8::try_from(connection % usize::from(crowd.addresses))?;
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        let target = Target { grpc: server.grpc, web: server.web, from };
        attackers.spawn(attack::run(kind, target));
    }
    let until = Instant::now() + lasts;
    let mut most = before;
    let mut often = interval(Duration::from_millis(25));
    while Instant::now() < until {
        often.tick().await;
        most = most.max(server.memory_kib()?);
    }
    attackers.shutdown().await;
    let (mut took, failed) = honest.await??;
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    let p99 = took.get(at).copied().unwrap_or(Duration::MAX);
    Ok(Seen { growth_kib: most - before, p99, calls: took.len(), failed })
}

/// Calls in an open loop, whatever becomes of the earlier ones; those of the warm-up are not counted.
async fn honest(
    address: std::net::SocketAddr,
    warm_up: Duration,
    lasts: Duration,
) -> Result<(Vec<Duration>, usize)> {
    let begin = Instant::now();
    let caller = served::Caller::new(address)?;
    let mut often = interval(EVERY);
    let mut calls = JoinSet::new();
    while begin.elapsed() < warm_up + lasts {
        let due = often.tick().await;
        let (mut caller, counted) = (caller.clone(), begin.elapsed() >= warm_up);
        calls.spawn(async move {
            let answered = caller.call().await;
            (counted, due.elapsed(), answered.is_ok())
        });
    }
    let (mut took, mut failed) = (Vec::new(), 0);
    while let Some(call) = calls.join_next().await {
        let (counted, lasted, good) = call?;
        if counted {
            took.push(lasted);
            failed += usize::from(!good);
        }
    }
    Ok((took, failed))
}
