//! Takes away what may not be kept, in small steps that can be interrupted.

use futures::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path};
use uuid::Uuid;

use crate::{
    context::Cx,
    domain::common::keeping::{
        ANSWERS, BROKEN_FILES, CODES, EVENTS, NOTICES, UNUSED_FILES, WEBHOOK_LOG,
    },
    error::{Error, Result},
    parts::Parts,
    store::{common::retention, enterprise::attachments},
};

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
