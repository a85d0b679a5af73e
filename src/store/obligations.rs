//! What somebody owes until an instant, as rows: opened with the event that causes it, met with the
//! event that settles it, and a miss is a row's breach time (CH-15). How due times are counted is
//! the domain's.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use super::Tx;
use crate::{
    domain::obligation::ObligationKind,
    error::Result,
    id::{Id, Subject, kind},
};

/// An obligation that begins.
#[derive(Debug, Clone)]
pub struct Owed {
    /// What is owed.
    pub kind: ObligationKind,
    /// To what it belongs.
    pub subject: Subject,
    /// The path of the unit that owes it.
    pub unit_path: String,
    /// The first instant at which it is too late.
    pub due: Timestamp,
    /// The version of the calendar by which that was counted.
    pub calendar_version: String,
}

/// Opens an obligation; one of the kind that is open already stays as it is.
pub async fn open(tx: &mut Tx, owed: &Owed) -> Result<()> {
    let id: Id<kind::Obligation> = tx.cx().id();
    let now = tx.now();
    // Reminded in the last quarter of the time.
    let amber = owed.due - now.duration_until(owed.due).max(jiff::SignedDuration::ZERO) / 4;
    sqlx::query!(
        "insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time,
            amber_time, calendar_version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (collection, subject_id, kind)
            where meet_time is null and void_time is null do nothing",
        id.uuid(),
        owed.subject.collection,
        owed.subject.uuid,
        owed.kind.wire(),
        owed.unit_path,
        now.to_sqlx() as _,
        owed.due.to_sqlx() as _,
        amber.to_sqlx() as _,
        owed.calendar_version
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Meets the open obligation of the kind. One that is met too late is a miss, whether or not the
/// sweeper saw it before.
pub async fn meet(tx: &mut Tx, subject: Subject, kind: ObligationKind) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update obligation set meet_time = $4,
            breach_time = coalesce(breach_time, case when due_time <= $4 then due_time end)
         where collection = $1 and subject_id = $2 and kind = $3
            and meet_time is null and void_time is null",
        subject.collection,
        subject.uuid,
        kind.wire(),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets an open obligation of the kind go: nobody owes it any more.
pub async fn void(tx: &mut Tx, subject: Subject, kind: ObligationKind) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update obligation set void_time = $4
         where collection = $1 and subject_id = $2 and kind = $3
            and meet_time is null and void_time is null",
        subject.collection,
        subject.uuid,
        kind.wire(),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes the miss of every open obligation whose time has passed; says how many there were.
pub async fn breach(tx: &mut Tx, limit: i64) -> Result<u64> {
    let now = tx.now();
    let breached = sqlx::query!(
        "update obligation set breach_time = due_time
         where id in (
            select id from obligation
            where meet_time is null and void_time is null and breach_time is null
                and due_time <= $1
            order by due_time
            limit $2
            for update skip locked
         )",
        now.to_sqlx() as _,
        limit
    )
    .execute(tx.conn())
    .await?;
    Ok(breached.rows_affected())
}
