//! What happens to officers' accounts by the clock: idle sessions end, unused accounts are closed.

use crate::{
    context::Cx,
    error::Result,
    id::{Id, kind},
    parts::Parts,
    store::identity::{sessions, unused},
};

/// How many are looked at in one round.
const BATCH: i64 = 100;

/// Ends and closes what is due, each in a unit of work of its own: one that fails stops no other.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let mut connection = parts.store.read().await?;
    let idle = sessions::idle(&mut connection, now, BATCH).await?;
    let to_tell = unused::to_tell(&mut connection, now, BATCH).await?;
    let to_close = unused::to_close(&mut connection, now, BATCH).await?;
    drop(connection);
    for id in idle {
        noted(id, end_idle(parts, &cx(), id).await);
    }
    for id in to_tell {
        noted(id, tell(parts, &cx(), id).await);
    }
    for id in to_close {
        noted(id, close(parts, &cx(), id).await);
    }
    Ok(())
}

fn noted<K: crate::id::Collection>(id: Id<K>, done: Result<()>) {
    if let Err(error) = done {
        tracing::error!(%id, %error, "what was due could not be done");
    }
}

/// A stream of an officer who is away ends by this, too; a call meets the gate.
async fn end_idle(parts: &Parts, cx: &Cx, id: Id<kind::Session>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    sessions::end_idle(&mut tx, id).await?;
    tx.commit().await
}

async fn tell(parts: &Parts, cx: &Cx, id: Id<kind::Officer>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    unused::told(&mut tx, id).await?;
    tx.commit().await
}

async fn close(parts: &Parts, cx: &Cx, id: Id<kind::Officer>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    unused::close(&mut tx, id).await?;
    tx.commit().await
}
