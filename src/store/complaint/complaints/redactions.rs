//! Redactions: the complaint as everybody reads it from now on, and the originals, sealed (CO-17). What
//! else was written about it, and where, is in `reach`.

mod reach;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        common::lifecycle::Moved,
        complaint::{Complaint, Field, Original, Passage},
    },
    error::{Error, Result},
    id::{Id, kind},
    store::{Tx, Vault, common::history, rise},
};

pub use reach::elsewhere;

/// What a field said before a redaction.
#[derive(Debug, Clone)]
pub struct Redaction {
    /// Its id.
    pub id: Id<kind::ComplaintRedaction>,
    /// Which field.
    pub field: Field,
    /// What it said, opened.
    pub original: String,
    /// What went out of it.
    pub passages: Vec<String>,
    /// Why it was redacted.
    pub reason: String,
    /// Who did it.
    pub officer: Id<kind::Officer>,
    /// When.
    pub create_time: Timestamp,
}

/// What is under lock.
#[derive(Serialize, Deserialize)]
struct Sealed {
    original: String,
    passages: Vec<String>,
}

/// Bound to the row, so that no original is ever shown in the place of another.
fn purpose(id: Uuid) -> String {
    format!("complaint-redaction {id}")
}

/// Stores a redaction: the texts as they read now, and the originals under lock.
pub async fn save(
    tx: &mut Tx,
    moved: Moved<Complaint>,
    mut originals: Vec<Original>,
    passages: &[Passage],
    reason: &str,
    officer: Id<kind::Officer>,
) -> Result<Complaint> {
    let (mut complaint, change) = moved.open();
    let now = tx.now();
    for original in reach::redact(tx, &complaint, passages).await? {
        // What stands in the complaint too is sealed once.
        if !originals.contains(&original) {
            originals.push(original);
        }
    }
    for original in &originals {
        seal(tx, complaint.id, original, reason, officer).await?;
    }
    let updated = sqlx::query!(
        "update complaint set title = $3, content = $4, feedback = $5, update_time = $6,
            given_feedback = $7, place = $8, conclusion = $9, outside_target = $10,
            outside_number = $11, version = version + 1
         where id = $1 and version = $2",
        complaint.id.uuid(),
        complaint.version,
        complaint.title,
        complaint.content,
        complaint.feedback,
        now.to_sqlx(),
        complaint.given_feedback,
        complaint.place,
        complaint.conclusion,
        complaint.outside_target,
        complaint.outside_number
    )
    .execute(tx.conn())
    .await?;
    rise(&mut complaint.version, &updated)?;
    history::write(tx, complaint.id.subject(), &change).await?;
    Ok(complaint)
}

/// Puts what a field said under lock.
async fn seal(
    tx: &mut Tx,
    complaint: Id<kind::Complaint>,
    original: &Original,
    reason: &str,
    officer: Id<kind::Officer>,
) -> Result<()> {
    let Original { field, text, passages } = original;
    let id: Id<kind::ComplaintRedaction> = tx.cx().id();
    let nonce = tx.cx().ids().bytes();
    let sealed = Sealed { original: text.clone(), passages: passages.clone() };
    let plain = serde_json::to_vec(&sealed).map_err(Error::internal)?;
    let sealed = tx.vault().seal(&purpose(id.uuid()), &plain, nonce)?;
    let now = tx.now();
    sqlx::query!(
        "insert into complaint_redaction (id, complaint_id, field, original_sealed, reason,
            officer_id, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        complaint.uuid(),
        field.wire(),
        sealed,
        reason,
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The originals of a complaint that the caller has read within the scope, oldest first.
pub async fn open(
    connection: &mut PgConnection,
    vault: &Vault,
    of: Id<kind::Complaint>,
) -> Result<Vec<Redaction>> {
    let rows = sqlx::query!(
        "select id, field, original_sealed, reason, officer_id, create_time
         from complaint_redaction where complaint_id = $1 order by position",
        of.uuid()
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let plain = vault.open(&purpose(row.id), &row.original_sealed)?;
        let Sealed { original, passages } =
            serde_json::from_slice(&plain).map_err(Error::internal)?;
        Ok(Redaction {
            id: Id::of(row.id),
            field: row.field,
            original,
            passages,
            reason: row.reason,
            officer: Id::of(row.officer_id),
            create_time: row.create_time.to_jiff(),
        })
    });
    rows.collect()
}

/// Everything that was ever taken out of a complaint: what is written once and never again, its history
/// and what was handed over with it, is shown without it.
pub async fn passages(
    connection: &mut PgConnection,
    vault: &Vault,
    of: Id<kind::Complaint>,
) -> Result<Vec<Passage>> {
    let opened = open(connection, vault, of).await?;
    let taken = opened.into_iter().flat_map(|it| {
        let field = it.field;
        it.passages.into_iter().map(move |text| Passage { field, text })
    });
    Ok(taken.collect())
}

/// Whether a passage was ever taken out of the complaint.
pub async fn exist(connection: &mut PgConnection, of: Id<kind::Complaint>) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from complaint_redaction where complaint_id = $1) as \"exists!\"",
        of.uuid()
    )
    .fetch_one(connection)
    .await?)
}
