//! The benchmarks of the direct line: committed messages, the time from sending to receiving through
//! two servers, the memory of open streams, the first page of a very long conversation. The servers
//! are processes of their own. Never a timed test.
//!
//! ```sh
//! deploy/services start bench && eval "$(deploy/services env bench)"   # durable, unlike `test`
//! cargo bench --bench talk
//! deploy/services stop bench --purge
//! ```
//!
//! A database of its own is made on the server that is named, and dropped again. `BENCH_ONLY` (commit, receive, streams, page) names what is measured;
//! `BENCH_SECONDS`, `BENCH_RUNS`, `BENCH_CONVERSATIONS`, `BENCH_IN_FLIGHT`, `BENCH_RATE`,
//! `BENCH_STREAMS` and `BENCH_MESSAGES` change the load, `BENCH_CONNECTIONS` how many connections a
//! server holds to PostgreSQL.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

#[path = "../chaos/city.rs"]
mod city;
mod committing;
mod database;
mod paging;
mod receiving;
#[path = "../chaos/server.rs"]
mod server;
mod streaming;
mod town;

use std::{env, time::Duration};

use anyhow::{Context as _, Result};

use crate::town::Town;

/// The load.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is measured; empty: everything.
    only: String,
    /// How long each run is measured.
    measure: Duration,
    /// How often.
    runs: usize,
    /// Over how many conversations the messages go.
    conversations: usize,
    /// Calls under way at once, of the closed loop.
    in_flight: usize,
    /// Messages a second, of the open loop.
    rate: usize,
    /// Open streams.
    streams: usize,
    /// Messages of the long conversation.
    messages: usize,
}

fn setting(name: &str, default: usize) -> Result<usize> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} must be a number")),
        Err(_) => Ok(default),
    }
}

impl Settings {
    fn read() -> Result<Self> {
        Ok(Self {
            only: env::var("BENCH_ONLY").unwrap_or_default(),
            measure: Duration::from_secs(u64::try_from(setting("BENCH_SECONDS", 10)?)?),
            runs: setting("BENCH_RUNS", 3)?,
            conversations: setting("BENCH_CONVERSATIONS", 500)?,
            in_flight: setting("BENCH_IN_FLIGHT", 64)?,
            rate: setting("BENCH_RATE", 1_000)?,
            streams: setting("BENCH_STREAMS", 10_000)?,
            messages: setting("BENCH_MESSAGES", 1_000_000)?,
        })
    }

    fn wants(&self, what: &str) -> bool {
        self.only.is_empty() || self.only.split(',').any(|only| only == what)
    }
}

/// One figure with its value in each run.
pub struct Figure {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
}

/// What was measured, in the order of the table.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds the value of one run.
    pub fn add(&mut self, what: &str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.what == what) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure { what: what.to_owned(), unit, values: vec![value] }),
        }
    }

    fn print(&self) {
        println!("| what | | min | median | max |\n|---|---|---|---|---|");
        for figure in &self.0 {
            let mut sorted = figure.values.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
            println!(
                "| {} | {} | {:.1} | {:.1} | {:.1} |",
                figure.what,
                figure.unit,
                at(0),
                at(sorted.len() / 2),
                at(sorted.len().saturating_sub(1)),
            );
        }
    }
}

fn main() -> Result<()> {
    // `cargo test --benches` only looks whether it runs.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let url = env::var("DATABASE_URL").context("DATABASE_URL")?;
    let redis_url = env::var("REDIS_URL").context("REDIS_URL")?;
    let settings = Settings::read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (own_url, database) = runtime.block_on(database::create(&url))?;
    let measured = runtime.block_on(measure(own_url, redis_url, &settings));
    let removed = runtime.block_on(database::remove(&url, &database));
    measured.and(removed)
}

async fn measure(url: String, redis_url: String, settings: &Settings) -> Result<()> {
    let mut figures = Figures::default();
    // Everything is loaded at once: a conversation for each stream.
    let conversations =
        settings.conversations.max(if settings.wants("streams") { settings.streams } else { 0 });
    let town = Town::build(url, redis_url, conversations).await?;
    println!("{}\n", town.told(settings).await?);
    for _ in 0..settings.runs {
        if settings.wants("commit") {
            committing::measure(&town, settings, &mut figures).await?;
        }
        if settings.wants("receive") {
            receiving::measure(&town, settings, true, &mut figures).await?;
            receiving::measure(&town, settings, false, &mut figures).await?;
        }
        if settings.wants("streams") {
            streaming::measure(&town, settings, &mut figures).await?;
        }
    }
    if settings.wants("page") {
        paging::measure(&town, settings, &mut figures).await?;
    }
    figures.print();
    Ok(())
}
