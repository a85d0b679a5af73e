//! Every answer that was written to a complaint, and what became of it. The one that counts stands in the
//! complaint itself.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    domain::complaint::Complaint,
    error::Result,
    id::{Id, kind},
    store::Tx,
};

/// An answer.
#[derive(Debug, Clone)]
pub struct Feedback {
    /// In which round of the handling.
    pub round: i32,
    /// Who wrote it.
    pub officer: Id<kind::Officer>,
    /// What it says.
    pub text: String,
    /// Whether it was approved; absent while it is being judged.
    pub approved: Option<bool>,
    /// What was said about it.
    pub note: String,
    /// When it was written.
    pub create_time: Timestamp,
}

/// Keeps the answer that the complaint has now.
pub async fn insert(tx: &mut Tx, complaint: &Complaint, by: Id<kind::Officer>) -> Result<()> {
    let id: Id<kind::ComplaintFeedback> = tx.cx().id();
    let now = tx.now();
    sqlx::query!(
        "insert into complaint_feedback (id, complaint_id, round, officer_id, feedback, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        complaint.id.uuid(),
        complaint.round,
        by.uuid(),
        complaint.feedback,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes how the answer that is being judged was judged.
pub async fn judge(
    tx: &mut Tx,
    of: Id<kind::Complaint>,
    approved: bool,
    by: Id<kind::Officer>,
    note: &str,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update complaint_feedback set approved = $2, reviewer_id = $3, review_note = $4,
            review_time = $5
         where complaint_id = $1 and approved is null",
        of.uuid(),
        approved,
        by.uuid(),
        note,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The answers to a complaint that the caller has read within the scope, oldest first.
pub async fn list(connection: &mut PgConnection, of: Id<kind::Complaint>) -> Result<Vec<Feedback>> {
    let rows = sqlx::query!(
        "select round, officer_id, feedback, approved, review_note, create_time
         from complaint_feedback where complaint_id = $1
         order by position
         limit 100",
        of.uuid()
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| Feedback {
        round: row.round,
        officer: Id::of(row.officer_id),
        text: row.feedback,
        approved: row.approved,
        note: row.review_note,
        create_time: row.create_time.to_jiff(),
    });
    Ok(rows.collect())
}
