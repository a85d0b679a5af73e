//! Committed messages a second: a closed loop against one server, counted in the table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use crate::{
    Figures, Settings,
    city::Line,
    town::{Client, Town, percentile_ms, said},
};

const WARM_UP: Duration = Duration::from_secs(2);
/// How long a lane rests after a call that failed.
const AGAIN: Duration = Duration::from_millis(100);
/// Connections of the generator.
const CONNECTIONS: usize = 8;
/// In the second load, of so many messages one is the officer's: each answer ends an obligation, and
/// the next question begins one.
const OFFICER_EVERY: usize = 4;

/// Both loads: only the enterprise writes, or an officer answers too.
pub async fn measure(town: &Town, settings: &Settings, figures: &mut Figures) -> Result<()> {
    for (load, officer_every) in
        [("the enterprise writes", 0), ("every fourth is an officer's answer", OFFICER_EVERY)]
    {
        let mut server = town.server(true).await?;
        let lines: Arc<[Line]> = town.lines.iter().take(settings.conversations).cloned().collect();
        let next = Arc::new(AtomicUsize::new(0));
        let clients: Vec<Client> =
            (0..CONNECTIONS).map(|_| Town::client(&server)).collect::<Result<_>>()?;
        let begin = Instant::now() + WARM_UP;
        let end = begin + settings.measure;
        let mut lanes = Vec::new();
        for client in clients.iter().cycle().take(settings.in_flight) {
            let lane = Lane {
                client: client.clone(),
                lines: lines.clone(),
                next: next.clone(),
                officer_every,
                begin,
                end,
            };
            lanes.push(tokio::spawn(lane.drive()));
        }
        tokio::time::sleep_until(begin).await;
        let before = committed(town).await?;
        tokio::time::sleep_until(end).await;
        let after = committed(town).await?;
        let (mut took_us, mut failed) = (Vec::new(), 0);
        for lane in lanes {
            let (took, failures) = lane.await??;
            took_us.extend(took);
            failed += failures;
        }
        server.kill().await?;
        took_us.sort_unstable();
        let count = u32::try_from(after - before)?;
        let rate = f64::from(count) / settings.measure.as_secs_f64();
        figures.add(&format!("committed, {load}"), "messages/s", rate);
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("a call of it, {load}, {name}");
            figures.add(&what, "ms", percentile_ms(&took_us, share));
        }
        figures.add(&format!("calls that failed, {load}"), "", f64::from(failed));
    }
    Ok(())
}

/// What people and officers sent; notices are not counted.
async fn committed(town: &Town) -> Result<i64> {
    let count = "select count(*) from message where client_message_id is not null";
    Ok(sqlx::query_scalar(count).fetch_one(&town.pool).await?)
}

/// One call after the other.
struct Lane {
    client: Client,
    lines: Arc<[Line]>,
    next: Arc<AtomicUsize>,
    officer_every: usize,
    begin: Instant,
    end: Instant,
}

impl Lane {
    /// How long each call took, and how many failed.
    async fn drive(mut self) -> Result<(Vec<u32>, u32)> {
        let (mut took_us, mut failed) = (Vec::new(), 0);
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let line = self.lines.get(at % self.lines.len()).context("no conversations")?;
            // Counted in rounds over all conversations, so that each has its turn.
            let round = at / self.lines.len();
            let officer = self.officer_every > 0 && round % self.officer_every == 3;
            let talker = if officer { line.talkers.last() } else { line.talkers.first() };
            let request = talker.context("nobody")?.ask(said(line, format!("第{at}条")));
            let began = Instant::now();
            if began >= self.end {
                return Ok((took_us, failed));
            }
            if let Err(status) = self.client.send_message(request).await {
                // Told and counted: a figure without its failures says nothing.
                eprintln!("{status}");
                failed += 1;
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            if began >= self.begin {
                took_us.push(u32::try_from(began.elapsed().as_micros())?);
            }
        }
    }
}
