//! Takes away what may not be kept, in small steps that can be interrupted.

use jiff::{SignedDuration, Timestamp};

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};
use uuid::Uuid;

use crate::{
    context::Cx,
    error::{Error, Result},
    parts::Parts,
    store::{common::retention, enterprise::attachments},
};

const DAY: i64 = 24;
/// I11: a repetition may come late; afterwards the answer is gone.
const ANSWERS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Delivered events serve no purpose after that.
const EVENTS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Codes and challenges, once they are out of time.
const CODES: SignedDuration = SignedDuration::from_hours(DAY);
/// Never less than three years.
const THREE_YEARS: SignedDuration = SignedDuration::from_hours((3 * 365 + 1) * DAY);
/// What people were told, with its pushes: as long as what they write to each other (facts.md, 6.5:
/// chat). What led to it stays with its subject.
const NOTICES: SignedDuration = THREE_YEARS;
/// What other systems were told, with the log of the attempts: an access log, by the law six months at
/// least (Cybersecurity Law, article 21), kept as the others are (facts.md, 6.5).
const WEBHOOK_LOG: SignedDuration = THREE_YEARS;
/// Files that were never sent with anything (facts.md, 6.5: drafts).
const UNUSED_FILES: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Files that were never whole: nobody goes on with them (the same as with evidence).
const BROKEN_FILES: SignedDuration = SignedDuration::from_hours(DAY);

/// Takes away everything that is over.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let before = |kept: SignedDuration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
    let mut connection = parts.store.read().await?;
    retention::answers(&mut connection, before(ANSWERS)).await?;
    retention::events(&mut connection, before(EVENTS)).await?;
    retention::codes(&mut connection, before(CODES)).await?;
    retention::notices(&mut connection, before(NOTICES)).await?;
    retention::webhook_log(&mut connection, before(WEBHOOK_LOG)).await?;
    drop(connection);
    let mut after = Uuid::nil();
    let (unused, broken) = (before(UNUSED_FILES), before(BROKEN_FILES));
    loop {
        let mut connection = parts.store.read().await?;
        let files = retention::unused_files(&mut connection, unused, broken, after).await?;
        drop(connection);
        let Some(&last) = files.last() else { return Ok(()) };
        for file in files {
            if let Err(error) = forget(parts, &cx(), file).await {
                tracing::error!(%error, %file, "a file was not taken away");
            }
        }
        after = last;
    }
}

/// Takes a file away with its bytes: the bytes go only when nothing refers to it, and the row only when the
/// bytes are gone.
async fn forget(parts: &Parts, cx: &Cx, file: Uuid) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    if !attachments::forget(&mut tx, file).await? {
        return Ok(());
    }
    let bytes = parts.files.list(Some(&Path::from(file.to_string())));
    let bytes: Vec<_> = bytes.try_collect().await.map_err(Error::internal)?;
    for part in bytes {
        parts.files.delete(&part.location).await.map_err(Error::internal)?;
    }
    tx.commit().await
}
