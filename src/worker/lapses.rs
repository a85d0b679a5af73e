//! Applications whose correction nobody answered, claims of enterprises that nobody verified, and proposals
//! that nobody decided, end by the clock.

use crate::{
    context::Cx,
    domain::pass::application::CORRECTED_WITHIN,
    error::Result,
    id::{Id, kind},
    parts::Parts,
    store::{enterprise::enterprises, identity::proposals, pass::applications},
};

/// How many are looked at in one round.
const BATCH: i64 = 100;

/// Ends every application that waited too long, each in a unit of work of its own: one that fails
/// stops no other.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let before = now.checked_sub(CORRECTED_WITHIN).unwrap_or(now);
    let mut connection = parts.store.read().await?;
    let waiting = applications::waiting_since(&mut connection, before, BATCH).await?;
    let claims = enterprises::lapsing(&mut connection, now, BATCH).await?;
    drop(connection);
    for id in claims {
        let cx = cx();
        if let Err(error) = lapse_claim(parts, &cx, id).await {
            tracing::error!(%id, %error, "a claim could not lapse");
        }
    }
    for id in waiting {
        let cx = cx();
        if let Err(error) = lapse(parts, &cx, id).await {
            tracing::error!(%id, %error, "an application could not lapse");
        }
    }
    let mut connection = parts.store.read().await?;
    let undecided = proposals::overdue(&mut connection, now, BATCH).await?;
    drop(connection);
    for id in undecided {
        let cx = cx();
        if let Err(error) = lapse_proposal(parts, &cx, id).await {
            tracing::error!(%id, %error, "a proposal could not lapse");
        }
    }
    Ok(())
}

async fn lapse_proposal(parts: &Parts, cx: &Cx, id: Id<kind::Proposal>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let proposal = proposals::lock(&mut tx, id, &cx.scope()).await?;
    tx.settle_now(proposal.lapse(cx)?).await?;
    tx.commit().await
}

async fn lapse(parts: &Parts, cx: &Cx, id: Id<kind::PassApplication>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let application = applications::lock(&mut tx, id, &cx.scope()).await?;
    tx.settle_now(application.lapse(cx)?).await?;
    tx.commit().await
}

async fn lapse_claim(parts: &Parts, cx: &Cx, id: Id<kind::Enterprise>) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let claim = enterprises::lock(&mut tx, id, &cx.scope()).await?;
    // It was decided, or edited, since it was found.
    if claim.expire_time.is_none_or(|end| end > cx.now) {
        return Ok(());
    }
    tx.settle_now(claim.lapse(cx)?).await?;
    tx.commit().await
}
