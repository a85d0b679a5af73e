//! Tells what no step tells: a pass ends soon, a message is unseen, an evaluation still waits. Each is
//! looked for from where the last look ended, so that a rest of the worker hides nothing.

use jiff::{SignedDuration, Timestamp};

use crate::{
    context::Cx,
    domain::{
        common::notice::{EXPIRY_DAYS, UNSEEN_AFTER, crossed},
        duty::escalation::Level,
        liaison::conversation::REMIND_AFTER,
        pass::Pass,
    },
    error::{Error, Result},
    id::{Id, kind},
    parts::Parts,
    store::{
        common::{
            evaluations,
            notices::causes::{self, Unseen},
            outbox::Event,
        },
        pass::passes,
    },
};

/// How many are looked at in one step.
const BATCH: i64 = 500;
/// A job that was never done, or rested longer, looks no further back.
const BACK_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Messages are looked at in stretches of this length: a flood is taken in portions.
const STRETCH: SignedDuration = SignedDuration::from_mins(5);
/// The names under which it is noted how far each has looked.
const PASSES: &str = "ending-passes";
const MESSAGES: &str = "unseen-messages";

/// Tells everything that has come about.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    passes_end(parts, cx).await?;
    messages_wait(parts, cx).await?;
    evaluations_wait(parts, cx).await
}

/// From where to look.
async fn since(parts: &Parts, job: &str, now: Timestamp) -> Result<Timestamp> {
    let back = now.checked_sub(BACK_MAX).unwrap_or(now);
    let mut connection = parts.store.read().await?;
    let until = causes::progress(&mut connection, job).await?;
    Ok(until.map_or(back, |until| until.max(back)))
}

async fn looked(parts: &Parts, cx: &Cx, job: &str, until: Timestamp) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    causes::progressed(&mut tx, job, until).await?;
    tx.commit().await
}

/// Tells of a step of the ladder.
pub(super) async fn escalated(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let obligation = super::outbox::subject(event, "obligation")?;
    let level = event.payload.get("level").and_then(serde_json::Value::as_str);
    let level = level.and_then(Level::from_wire);
    let level = level.ok_or_else(|| Error::internal("an event without its level"))?;
    let mut tx = parts.store.begin(cx).await?;
    causes::of_escalation(&mut tx, obligation, level).await?;
    tx.commit().await
}

/// Passes that crossed a threshold before their end (T-30, T-7, T-1), each a unit of work of its own.
async fn passes_end(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let from = since(parts, PASSES, now).await?;
    let mut whole = true;
    for days in EXPIRY_DAYS {
        let ahead = |at: Timestamp| {
            at.saturating_add(SignedDuration::from_hours(days.saturating_mul(24))).unwrap_or(at)
        };
        let mut after = None;
        loop {
            let mut connection = parts.store.read().await?;
            let time = (ahead(from), ahead(now));
            let found = passes::ending(&mut connection, time, after, BATCH).await?;
            drop(connection);
            let Some(last) = found.last() else { break };
            after = Some(last.id.uuid());
            for pass in found {
                let nearest = crossed(pass.valid_until, pass.create_time, (from, now));
                if nearest != Some(days) {
                    continue;
                }
                if let Err(error) = pass_ends(parts, &cx(), &pass, days).await {
                    tracing::error!(id = %pass.id, %error, "the end of a pass was not told");
                    whole = false;
                }
            }
        }
    }
    // After a failure everything is looked at again, for a day: what was told is not told twice.
    if whole { looked(parts, &cx(), PASSES, now).await } else { Ok(()) }
}

async fn pass_ends(parts: &Parts, cx: &Cx, pass: &Pass, days: i64) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    causes::of_ending_pass(&mut tx, pass, days).await?;
    tx.commit().await
}

/// Messages that no device of a reader has received a while after they were sent (CH-08). Looked for
/// here and not told where they are stored: what is written costs the writer nothing more, and whoever
/// has the conversation open receives and is not pushed to.
async fn messages_wait(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let until = now.checked_sub(UNSEEN_AFTER).unwrap_or(now);
    let mut from = since(parts, MESSAGES, now).await?;
    let mut whole = true;
    while from < until {
        let end = from.saturating_add(STRETCH).unwrap_or(until).min(until);
        let mut connection = parts.store.read().await?;
        let unseen = causes::unseen(&mut connection, (from, end)).await?;
        drop(connection);
        for one in unseen {
            if let Err(error) = message_waits(parts, &cx(), &one).await {
                tracing::error!(reader = one.reader, %error, "an unseen message was not told");
                whole = false;
            }
        }
        // After a failure everything is looked at again, for a day: what was told is not told twice.
        if whole {
            looked(parts, &cx(), MESSAGES, end).await?;
        }
        from = end;
    }
    Ok(())
}

async fn message_waits(parts: &Parts, cx: &Cx, unseen: &Unseen) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    causes::of_message(&mut tx, unseen).await?;
    tx.commit().await
}

/// Evaluations of everything but conversations, which remind by themselves.
async fn evaluations_wait(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let before = now.checked_sub(REMIND_AFTER).unwrap_or(now);
    let mut connection = parts.store.read().await?;
    let unasked = evaluations::unasked_elsewhere(&mut connection, before, BATCH).await?;
    drop(connection);
    for id in unasked {
        if let Err(error) = evaluation_waits(parts, &cx(), id).await {
            tracing::error!(%id, %error, "an evaluation was not asked for again");
        }
    }
    Ok(())
}

async fn evaluation_waits(parts: &Parts, cx: &Cx, id: Id<kind::Evaluation>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    evaluations::reminded(&mut tx, id).await?;
    tx.commit().await
}
