//! The sweeper (I18): takes every step of the ladder that is due, and counts again what the calendar in
//! force has not counted. Any number of servers may sweep; a step is taken once. After a time in which
//! nobody swept every step that was missed is there after the first round.

use uuid::Uuid;

use crate::{
    context::Cx,
    domain::duty::{calendar::Calendar, escalation::Climb},
    error::Result,
    parts::Parts,
    store::{
        Tx,
        duty::{
            calendars,
            escalations::{self, Rung},
            obligations::recount::{self, Recounted, Stale},
        },
    },
};

/// How many are taken in one unit of work.
const BATCH: i64 = 500;
/// How many batches one round takes, so that a round ends and the heart beats while there is much to
/// catch up with.
const BATCHES_MAX: usize = 100;
/// How many batches of what is not due one round counts again.
const RECOUNTS_MAX: usize = 10;

/// Sweeps, counts again, and beats. A beat says that no step that was due is left behind, but for those
/// whose look failed and which are counted apart.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let batch = usize::try_from(BATCH).unwrap_or_default();
    for _ in 0..BATCHES_MAX {
        let recounted = counted_again(parts, &cx(), Stale::Due).await;
        // Where they cannot be counted, what is late by the old count is late: nothing waits for ever.
        let judged_by = if recounted.is_some() { Judged::InForce } else { Judged::AsCounted };
        let swept = match sweep(parts, &cx(), judged_by).await {
            Ok(swept) => swept,
            Err(error) => {
                tracing::error!(%error, "a batch failed: its rows are taken one by one");
                let swept = one_by_one(parts, cx, judged_by).await?;
                beat(parts, &cx()).await?;
                swept
            }
        };
        if swept < batch && recounted.unwrap_or_default() < batch {
            break;
        }
    }
    for _ in 0..RECOUNTS_MAX {
        if counted_again(parts, &cx(), Stale::Any).await.unwrap_or_default() < batch {
            break;
        }
    }
    Ok(())
}

/// By which count it is judged whether a step is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// By that of the calendar in force alone.
    InForce,
    /// By whichever there is.
    AsCounted,
}

/// Takes a batch in one unit of work, and beats with it.
async fn sweep(parts: &Parts, cx: &Cx, judged: Judged) -> Result<usize> {
    let mut tx = parts.store.begin(cx).await?;
    match taken(&mut tx, cx, judged).await {
        Ok(found) => {
            tx.commit().await?;
            Ok(found)
        }
        Err(error) => {
            // Now and not a little later: whoever takes the rows one by one must not pass them by
            // because they are still held.
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn taken(tx: &mut Tx, cx: &Cx, judged: Judged) -> Result<usize> {
    let (rungs, calendar) = claim(tx, judged).await?;
    let found = rungs.len();
    let (climbed, failed) = climb(rungs, cx, &calendar);
    if !climbed.is_empty() {
        escalations::take(tx, &climbed).await?;
    }
    if !failed.is_empty() {
        escalations::put_off(tx, &failed).await?;
    }
    escalations::beat(tx, escalations::SWEEP).await?;
    Ok(found)
}

/// A batch whose next step is due, and the calendar in force as it is stored now.
async fn claim(tx: &mut Tx, judged: Judged) -> Result<(Vec<Rung>, Calendar)> {
    let calendar = calendars::in_force(tx.conn()).await?;
    let version = (judged == Judged::InForce).then(|| calendar.version());
    let rungs = escalations::claim(tx, version, BATCH).await?;
    Ok((rungs, calendar))
}

fn climb(rungs: Vec<Rung>, cx: &Cx, calendar: &Calendar) -> (Vec<(Rung, Climb)>, Vec<Uuid>) {
    let (mut climbed, mut failed) = (Vec::with_capacity(rungs.len()), Vec::new());
    for rung in rungs {
        match rung.ladder.climb(cx.now, calendar) {
            Ok(climb) => climbed.push((rung, climb)),
            Err(error) => {
                tracing::error!(id = %rung.id, %error, "an obligation cannot climb");
                failed.push(rung.id);
            }
        }
    }
    (climbed, failed)
}

/// Takes a batch row by row, each in a unit of work of its own: the one that fails is put off, and stops
/// no other (CO-07).
async fn one_by_one(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync), judged: Judged) -> Result<usize> {
    let mut tx = parts.store.begin(&cx()).await?;
    let (rungs, calendar) = claim(&mut tx, judged).await?;
    // They are let go: each is held again by itself.
    tx.rollback().await?;
    for &Rung { id, .. } in &rungs {
        if let Err(error) = one(parts, &cx(), &calendar, id).await {
            tracing::error!(%id, %error, "an obligation could not be escalated");
            // Where even this fails the row stays due, and is seen as behind.
            if let Err(error) = put_off(parts, &cx(), id).await {
                tracing::error!(%id, %error, "an obligation could not be put off");
            }
        }
    }
    Ok(rungs.len())
}

async fn put_off(parts: &Parts, cx: &Cx, id: Uuid) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    escalations::put_off(&mut tx, &[id]).await?;
    tx.commit().await
}

async fn one(parts: &Parts, cx: &Cx, calendar: &Calendar, id: Uuid) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let Some(rung) = escalations::claim_one(&mut tx, id).await? else { return Ok(()) };
    let climb = rung.ladder.climb(cx.now, calendar)?;
    match escalations::take(&mut tx, &[(rung, climb)]).await {
        Ok(()) => tx.commit().await,
        Err(error) => {
            tx.rollback().await?;
            Err(error)
        }
    }
}

async fn beat(parts: &Parts, cx: &Cx) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    escalations::beat(&mut tx, escalations::SWEEP).await?;
    tx.commit().await
}

/// Counts a batch again that another calendar counted, by the notices as they are stored now: an older
/// copy of a server must not undo what a newer one did. How many it were; absent when it failed.
async fn counted_again(parts: &Parts, cx: &Cx, which: Stale) -> Option<usize> {
    match count(parts, cx, which).await {
        Ok(done) => {
            if done.moved > 0 || done.failed > 0 {
                let Recounted { counted, moved, failed } = done;
                tracing::info!(counted, moved, failed, "due times were counted again");
            }
            Some(done.counted)
        }
        Err(error) => {
            tracing::error!(%error, "due times could not be counted again");
            None
        }
    }
}

async fn count(parts: &Parts, cx: &Cx, which: Stale) -> Result<Recounted> {
    let mut tx = parts.store.begin(cx).await?;
    let calendar = calendars::in_force(tx.conn()).await?;
    let done = recount::batch(&mut tx, &calendar, which, BATCH).await?;
    // Where nothing is written, nothing is to be made durable.
    if done.counted > 0 {
        tx.commit().await?;
    }
    Ok(done)
}
