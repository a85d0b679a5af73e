//! The memory of an open stream: what the server process holds before and after very many are opened,
//! each of another conversation and another person.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jingqi::surface::service::pb::{self, watch_messages_response::Event};
use tokio::time::timeout;
use tonic::Streaming;

use crate::{
    Figures, Settings,
    city::Line,
    town::{Client, Town, said},
};

/// Streams of one connection: the server allows so many.
const STREAMS_PER_CONNECTION: usize = 100;
/// How many are opened at once.
const OPENING: usize = 64;
/// Streams that are opened and closed before, so that what is needed once is not counted.
const BEFORE: usize = 200;
/// How long the server has to come to rest, and how long a message may take to a stream.
const REST: Duration = Duration::from_secs(5);
/// One of so many streams is asked whether it lives.
const ASKED_EVERY: usize = 100;

/// One run, with a fresh server.
pub async fn measure(town: &Town, settings: &Settings, figures: &mut Figures) -> Result<()> {
    let mut server = town.server(true).await?;
    let lines = town.lines.get(..settings.streams).context("conversations")?;
    let few = lines.get(..BEFORE.min(lines.len())).unwrap_or_default();
    drop(open(few, &server).await?);
    tokio::time::sleep(REST).await;
    let pid = server.pid().context("the server")?;
    let before = resident_kib(pid)?;
    let mut streams = open(lines, &server).await?;
    tokio::time::sleep(REST).await;
    let after = resident_kib(pid)?;
    let count = f64::from(u32::try_from(streams.len())?);
    figures.add("memory of the server before", "MiB", before / 1_024.0);
    let what = format!("memory for each of {} open streams", streams.len());
    figures.add(&what, "KiB", (after - before) / count);
    // They are not only open.
    let mut client = Town::client(&server)?;
    for (line, watched) in lines.iter().zip(&mut streams).step_by(ASKED_EVERY) {
        let talker = line.talkers.first().context("nobody")?;
        client.send_message(talker.ask(said(line, "在吗".to_owned()))).await?;
        timeout(REST, hears(watched)).await.context("an open stream is deaf")??;
    }
    drop(streams);
    server.kill().await
}

/// Waits for the next message; signs of life come before it.
async fn hears(watched: &mut Streaming<pb::WatchMessagesResponse>) -> Result<()> {
    loop {
        let came = watched.message().await?.context("an open stream ended")?;
        if let Some(Event::Message(_)) = came.event {
            return Ok(());
        }
    }
}

/// Opens a stream for each conversation, at its end.
async fn open(
    lines: &[Line],
    server: &crate::server::Server,
) -> Result<Vec<Streaming<pb::WatchMessagesResponse>>> {
    let clients: Vec<Client> = (0..lines.len().div_ceil(STREAMS_PER_CONNECTION))
        .map(|_| Town::client(server))
        .collect::<Result<_>>()?;
    let opening = lines.iter().enumerate().map(|(at, line)| {
        let client = clients.get(at / STREAMS_PER_CONNECTION).cloned();
        async move {
            let mut client = client.context("a connection")?;
            let talker = line.talkers.first().context("nobody")?;
            let request = pb::ListMessagesRequest {
                conversation: line.name.clone(),
                page_size: 1,
                ..pb::ListMessagesRequest::default()
            };
            let page = client.list_messages(talker.ask(request)).await?.into_inner();
            let request = pb::WatchMessagesRequest {
                conversation: line.name.clone(),
                after_sequence: page.last_sequence,
            };
            anyhow::Ok(client.watch_messages(talker.ask(request)).await?.into_inner())
        }
    });
    stream::iter(opening).buffered(OPENING).try_collect().await
}

/// What the process holds in memory.
fn resident_kib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
    Ok(f64::from(digits.parse::<u32>()?))
}
