//! From sending to receiving: an open loop against one server, the readers at the other; with Redis,
//! and without it by the poll alone.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail};
use jingqi::surface::service::pb::{self, watch_messages_response::Event};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::{
    Figures, Settings,
    city::Line,
    town::{Client, Town, percentile_ms, said},
};

const WARM_UP: Duration = Duration::from_secs(2);
/// How long the last messages may be under way.
const REST: Duration = Duration::from_secs(5);
/// Streams of one connection: the server allows so many.
const STREAMS_PER_CONNECTION: usize = 100;
const CONNECTIONS: usize = 8;

/// When a message was due, when it was acknowledged or received: microseconds since the run began.
/// A message that is late because the generator was late counts as late.
type Arrivals = mpsc::UnboundedReceiver<(u64, u64)>;

/// One run.
pub async fn measure(
    town: &Town,
    settings: &Settings,
    with_redis: bool,
    figures: &mut Figures,
) -> Result<()> {
    let (mut one, mut other) = (town.server(with_redis).await?, town.server(with_redis).await?);
    let lines: Arc<[Line]> = town.lines.iter().take(settings.conversations).cloned().collect();
    let clock = Instant::now();
    let (receive, mut received) = mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    for lines in lines.chunks(STREAMS_PER_CONNECTION) {
        let client = Town::client(&other)?;
        for line in lines {
            let after = last_sequence(&mut client.clone(), line).await?;
            let reader = read(client.clone(), line.clone(), after, clock, receive.clone());
            readers.spawn(reader);
        }
    }
    drop(receive);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let begin = clock.elapsed();
    let sent = send(&Town::client(&one)?, &one, lines, clock, settings).await?;
    let measured_from = u64::try_from((begin + WARM_UP).as_micros())?;
    let acknowledged = sorted(sent, measured_from);
    let mut arrived = Vec::with_capacity(acknowledged.len());
    let count = acknowledged.len();
    while arrived.len() < count {
        match timeout(REST, received.recv()).await {
            Ok(Some((due, at))) if due >= measured_from => arrived.push((due, at)),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    readers.abort_all();
    one.kill().await?;
    other.kill().await?;
    if arrived.len() < count {
        bail!("{} of {count} messages were received", arrived.len());
    }
    let arrived = sorted(arrived, measured_from);
    let how = if with_redis { "with Redis" } else { "without Redis, by the poll" };
    let rate = settings.rate;
    for (name, share) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
        let what = format!("sent to received at {rate}/s, other server, {how}, {name}");
        figures.add(&what, "ms", percentile_ms(&arrived, share));
    }
    let what = format!("sent to acknowledged at {rate}/s, {how}, p99");
    figures.add(&what, "ms", percentile_ms(&acknowledged, 0.99));
    let due = rate * usize::try_from(settings.measure.as_secs())?;
    let failed = f64::from(u32::try_from(due.saturating_sub(count))?);
    figures.add(&format!("calls that failed at {rate}/s, {how}"), "", failed);
    Ok(())
}

/// How long each message took, in order, the warm-up left out.
fn sorted(times: Vec<(u64, u64)>, from: u64) -> Vec<u32> {
    let times = times.into_iter().filter(|(due, _)| *due >= from);
    let mut took: Vec<u32> =
        times.map(|(due, at)| u32::try_from(at.saturating_sub(due)).unwrap_or(u32::MAX)).collect();
    took.sort_unstable();
    took
}

async fn last_sequence(client: &mut Client, line: &Line) -> Result<i64> {
    let talker = line.talkers.first().context("nobody")?;
    let request = pb::ListMessagesRequest {
        conversation: line.name.clone(),
        page_size: 1,
        ..pb::ListMessagesRequest::default()
    };
    Ok(client.list_messages(talker.ask(request)).await?.into_inner().last_sequence)
}

/// Follows one conversation; the text of each message says when it was due.
async fn read(
    mut client: Client,
    line: Line,
    after_sequence: i64,
    clock: Instant,
    receive: mpsc::UnboundedSender<(u64, u64)>,
) -> Result<()> {
    let talker = line.talkers.first().context("nobody")?;
    let request = pb::WatchMessagesRequest { conversation: line.name.clone(), after_sequence };
    let mut stream = client.watch_messages(talker.ask(request)).await?.into_inner();
    while let Some(response) = stream.message().await? {
        if let Some(Event::Message(message)) = response.event
            && let Ok(due) = message.text.parse()
        {
            let at = u64::try_from(clock.elapsed().as_micros())?;
            if receive.send((due, at)).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// Sends at the rate, whatever the answers do; each of them with when it was due and when it came.
async fn send(
    first: &Client,
    server: &crate::server::Server,
    lines: Arc<[Line]>,
    clock: Instant,
    settings: &Settings,
) -> Result<Vec<(u64, u64)>> {
    let mut clients = vec![first.clone()];
    for _ in 1..CONNECTIONS {
        clients.push(Town::client(server)?);
    }
    let (answer, mut answered): (_, Arrivals) = mpsc::unbounded_channel();
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(settings.rate)?);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let count = settings.rate * usize::try_from((WARM_UP + settings.measure).as_secs())?;
    for at in 0..count {
        let due = ticks.tick().await;
        let due = u64::try_from(due.duration_since(clock).as_micros())?;
        let line = lines.get(at % lines.len()).context("no conversations")?.clone();
        let mut client = clients.get(at % CONNECTIONS).context("no client")?.clone();
        let answer = answer.clone();
        tokio::spawn(async move {
            let talker = line.talkers.first().context("nobody")?;
            match client.send_message(talker.ask(said(&line, due.to_string()))).await {
                // Nobody listens any more when the run was given up.
                Ok(_) => drop(answer.send((due, u64::try_from(clock.elapsed().as_micros())?))),
                // Told, and counted by what is missing.
                Err(status) => eprintln!("{status}"),
            }
            anyhow::Ok(())
        });
    }
    drop(answer);
    let mut times = Vec::with_capacity(count);
    while let Some(time) = answered.recv().await {
        times.push(time);
    }
    Ok(times)
}
