//! The thread between reporter and inspectorate.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PURPOSE, sealed};
use crate::{
    crypto::{self, Suite},
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault},
};

/// How many messages one thread holds.
pub const THREAD_MAX: i32 = 200;

/// A message.
#[derive(Debug, Clone)]
pub struct ThreadMessage {
    /// Whether the reporter wrote it.
    pub from_reporter: bool,
    /// What was written.
    pub text: String,
    /// When.
    pub create_time: Timestamp,
}

/// Adds a message; one that was sent before under the same request id is not added again. The row of
/// the report is held.
///
/// # Errors
/// `RATE_LIMITED` when the thread is full.
pub async fn insert(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    officer: Option<Id<kind::Officer>>,
    text: &str,
    request_id: Option<Uuid>,
) -> Result<()> {
    let (id, now, text) = (tx.cx().ids().random(), tx.now(), sealed(tx, text)?);
    let key = tx.vault().key("conduct-message");
    let digest = request_id.map(|it| crypto::mac(Suite::Intl, &key, it.as_bytes()).to_vec());
    let known = sqlx::query!(
        "select count(*) as \"count!\", bool_or(request_digest = $2) as repeated
         from conduct.message where report_id = $1",
        report.uuid(),
        digest
    )
    .fetch_one(tx.conn())
    .await?;
    if known.repeated == Some(true) {
        return Ok(());
    }
    let sequence = i32::try_from(known.count).unwrap_or(i32::MAX).saturating_add(1);
    if sequence > THREAD_MAX {
        return Err(Error::new(Reason::RateLimited));
    }
    sqlx::query!(
        "insert into conduct.message (id, report_id, sequence, officer_id, text_sealed,
            request_digest, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        report.uuid(),
        sequence,
        officer.map(Id::uuid),
        text,
        digest,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("message_in_order", Reason::Conflict)?;
    Ok(())
}

/// The thread, oldest first. The caller has read the report.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    report: Id<kind::ConductReport>,
) -> Result<Vec<ThreadMessage>> {
    let rows = sqlx::query!(
        "select officer_id, text_sealed, create_time
         from conduct.message
         where report_id = $1
         order by sequence",
        report.uuid()
    )
    .fetch_all(connection)
    .await?;
    let thread = rows.into_iter().map(|row| {
        Ok(ThreadMessage {
            from_reporter: row.officer_id.is_none(),
            text: vault.open_text(PURPOSE, &row.text_sealed)?,
            create_time: row.create_time.to_jiff(),
        })
    });
    thread.collect()
}
