//! The pages of a very long conversation, written by SQL: the first one, the newest one, and the
//! conversation itself with all of it unread.

use anyhow::{Context as _, Result};
use jingqi::surface::service::pb;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Figures, Settings,
    town::{Town, percentile_ms},
};

/// Calls, one after the other.
const CALLS: usize = 500;

/// Writes the conversation, and reads it in each run.
pub async fn measure(town: &Town, settings: &Settings, figures: &mut Figures) -> Result<()> {
    let line = town.lines.first().context("a conversation")?;
    let (_, id) = line.name.split_once('/').context("a name")?;
    write(town, Uuid::try_parse(id)?, settings.messages).await?;
    let mut server = town.server(true).await?;
    let mut client = Town::client(&server)?;
    let talker = line.talkers.first().context("nobody")?;
    let end = i64::try_from(settings.messages)? + 1;
    for _ in 0..settings.runs {
        for (page, before_sequence) in [("first", 0), ("newest", end)] {
            let mut took_us = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let request = talker.ask(pb::ListMessagesRequest {
                    conversation: line.name.clone(),
                    before_sequence,
                    ..pb::ListMessagesRequest::default()
                });
                let began = Instant::now();
                let found = client.list_messages(request).await?.into_inner();
                took_us.push(u32::try_from(began.elapsed().as_micros())?);
                anyhow::ensure!(found.messages.len() == 20, "a page of {}", found.messages.len());
            }
            add(figures, &format!("{page} page of {} messages", settings.messages), took_us);
        }
        let mut took_us = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let request = talker.ask(pb::GetConversationRequest { name: line.name.clone() });
            let began = Instant::now();
            client.get_conversation(request).await?;
            took_us.push(u32::try_from(began.elapsed().as_micros())?);
        }
        add(figures, &format!("conversation with {} messages unread", settings.messages), took_us);
    }
    server.kill().await
}

fn add(figures: &mut Figures, what: &str, mut took_us: Vec<u32>) {
    took_us.sort_unstable();
    figures.add(&format!("{what}, p50"), "ms", percentile_ms(&took_us, 0.5));
    figures.add(&format!("{what}, p99"), "ms", percentile_ms(&took_us, 0.99));
}

/// Officers' messages, so that all of them are unread for the enterprise.
async fn write(town: &Town, conversation: Uuid, messages: usize) -> Result<()> {
    // Without the time limits of a serving pool.
    let mut connection = PgConnection::connect(town.url()).await?;
    sqlx::query("delete from message where conversation_id = $1")
        .bind(conversation)
        .execute(&mut connection)
        .await?;
    sqlx::query(
        "insert into message (conversation_id, sequence, sender, device_id, client_message_id,
            digest, kind, body, detail, create_time, chain)
         select $1, sequence, 'officers/' || assignee_id, gen_random_uuid(), gen_random_uuid(),
            decode(repeat('00', 32), 'hex'), 'TEXT', '第' || sequence || '条消息', '', now(),
            decode(repeat('00', 32), 'hex')
         from generate_series(1, $2) as t (sequence), conversation where conversation.id = $1",
    )
    .bind(conversation)
    .bind(i64::try_from(messages)?)
    .execute(&mut connection)
    .await?;
    sqlx::query("update conversation set last_sequence = $2 where id = $1")
        .bind(conversation)
        .bind(i64::try_from(messages)?)
        .execute(&mut connection)
        .await?;
    sqlx::query("vacuum analyze message").execute(&mut connection).await?;
    Ok(())
}
