//! Evaluations that nobody answered end as unrated, and a complaint with them (CO-12).

use crate::{
    context::Cx,
    domain::common::evaluation::Evaluation,
    error::Result,
    parts::Parts,
    store::{common::evaluations, complaint::complaints::consequences::evaluated},
};

/// How many are looked at in one round.
const BATCH: i64 = 200;

/// Ends each in a unit of work of its own: one that fails stops no other.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let mut connection = parts.store.read().await?;
    let silent = evaluations::silent(&mut connection, cx().now, BATCH).await?;
    drop(connection);
    for asked in silent {
        if let Err(error) = close(parts, &cx(), &asked).await {
            tracing::error!(id = %asked.id, %error, "an evaluation could not be closed");
        }
    }
    Ok(())
}

async fn close(parts: &Parts, cx: &Cx, asked: &Evaluation) -> Result<()> {
    let calendar = parts.world.get(&parts.store).await?.calendar.clone();
    let mut tx = parts.store.begin(cx).await?;
    if evaluations::close_unrated(&mut tx, asked.id).await? {
        evaluated(&mut tx, cx, asked, None, &calendar).await?;
    }
    tx.commit().await
}
