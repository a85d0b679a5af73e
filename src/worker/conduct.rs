//! The ladder of late conduct reports, and what is destroyed when its time is over. It tells nobody:
//! the inspectorate's own list shows it.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    context::Cx,
    domain::{
        conduct::EVIDENCE_WITHIN,
        duty::{calendar::Calendar, month::shanghai},
    },
    error::Result,
    parts::Parts,
    store::{
        Connection,
        conduct::{
            duties, evidence, evidence_files::EvidenceFiles, filings, identities, identity_requests,
        },
    },
};

/// How many are looked at in one round.
const BATCH: i64 = 200;
/// How long a filing may be repeated.
const FILINGS: SignedDuration = SignedDuration::from_hours(24);
/// How long after the end a reporter's name is kept (facts.md, 6.5).
const IDENTITY_YEARS: i16 = 3;

/// Climbs each duty in a unit of work of its own: one that fails stops no other.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let mut connection = parts.store.read().await?;
    let waiting = duties::due(&mut connection, now, BATCH).await?;
    let before = now.checked_sub(FILINGS).unwrap_or(Timestamp::MIN);
    filings::forget(&mut connection, before).await?;
    let ended = now.to_zoned(shanghai()).checked_sub(jiff::Span::new().years(IDENTITY_YEARS));
    if let Ok(ended) = ended {
        identities::destroy(&mut connection, ended.timestamp()).await?;
    }
    identity_requests::lapse(&mut connection, now).await?;
    clear(parts, &mut connection, now).await?;
    drop(connection);
    let calendar = parts.world.get(&parts.store).await?.calendar.clone();
    for id in waiting {
        if let Err(error) = climb(parts, &cx(), id, &calendar).await {
            // Without the id: a log is read by others.
            tracing::error!(%error, "a step was not taken");
        }
    }
    Ok(())
}

/// Takes away what came of evidence and is not needed any more, first the bytes and then what is known of
/// them.
async fn clear(parts: &Parts, connection: &mut Connection, now: Timestamp) -> Result<()> {
    let files = EvidenceFiles::new(parts.files.clone());
    let before = now.checked_sub(EVIDENCE_WITHIN).unwrap_or(Timestamp::MIN);
    for id in evidence::left_over(connection, before, BATCH).await? {
        files.forget_chunks(id).await?;
        evidence::settle(connection, id).await?;
    }
    Ok(())
}

async fn climb(parts: &Parts, cx: &Cx, id: Uuid, calendar: &Calendar) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    duties::climb(&mut tx, id, calendar).await?;
    tx.commit().await
}
