//! Due times that move: by a pause, an extension, a change of the calendar. The old ones are kept (CO-06).

use std::collections::HashMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::limits;
use crate::{
    domain::duty::obligation::{Dues, Limits, ObligationKind, Pause, PauseReason, Times, Which},
    error::Result,
    id::{Subject, kind},
    named::named,
    store::Tx,
};

named! {
/// Why a due time moves.
Cause {
    /// The time stood still.
    Pause = "PAUSE", "计时暂停";
    /// More time was granted.
    Extension = "EXTENSION", "延期";
    /// The calendar changed.
    Calendar = "CALENDAR", "日历调整";
}
}

/// An open obligation, with what its due time is counted from.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub id: Uuid,
    /// Since when.
    pub open_time: Timestamp,
    /// Until when.
    pub dues: Dues,
    /// Since when the time stands still.
    pub pause_time: Option<Timestamp>,
    /// How long there is; absent where a day was named.
    pub limits: Option<Limits>,
    /// The working days that were added.
    pub extension_days: u32,
    /// The pauses that have ended, and the one that has not.
    pub pauses: Vec<Pause>,
}

/// The open obligation of the kind, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, subject: Subject, kind: ObligationKind) -> Result<Option<Running>> {
    let row = sqlx::query!(
        "select id, open_time, due_time, legal_due_time as legal, internal_due_time as internal,
            pause_time, limit_text, legal_limit_text, internal_limit_text, extension_days
         from obligation
         where collection = $1 and subject_id = $2 and kind = $3
            and meet_time is null and void_time is null
         for update",
        subject.collection,
        subject.uuid,
        kind.wire()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let pauses = pauses(tx.conn(), &[row.id]).await?.remove(&row.id).unwrap_or_default();
    let time = |at: Option<jiff_sqlx::Timestamp>| at.map(Into::into);
    let limits = (!row.limit_text.is_empty())
        .then(|| limits(row.id, &row.legal_limit_text, &row.limit_text, &row.internal_limit_text))
        .transpose()?;
    Ok(Some(Running {
        id: row.id,
        open_time: row.open_time.to_jiff(),
        dues: Dues {
            due: row.due_time.to_jiff(),
            legal: time(row.legal),
            internal: time(row.internal),
        },
        pause_time: time(row.pause_time),
        limits,
        extension_days: u32::try_from(row.extension_days).unwrap_or_default(),
        pauses,
    }))
}

/// The pauses of obligations: those that have ended, and the one that has not.
pub(super) async fn pauses(
    connection: &mut PgConnection,
    of: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Pause>>> {
    let rows = sqlx::query!(
        "select obligation_id, begin_time, end_time
         from obligation_pause where obligation_id = any($1)",
        of
    )
    .fetch_all(connection)
    .await?;
    let mut pauses: HashMap<Uuid, Vec<Pause>> = HashMap::new();
    for row in rows {
        pauses.entry(row.obligation_id).or_default().push(Pause {
            from: row.begin_time.to_jiff(),
            until: row.end_time.map(Into::into),
            reason: PauseReason::Returned,
        });
    }
    Ok(pauses)
}

/// Lets the time stand still (I19: only a return does).
pub async fn pause(tx: &mut Tx, obligation: Uuid) -> Result<()> {
    let now = tx.now();
    let paused = sqlx::query!(
        "update obligation set pause_time = $2 where id = $1 and pause_time is null",
        obligation,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if paused.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "insert into obligation_pause (obligation_id, begin_time) values ($1, $2)",
        obligation,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends the pause; the new due time is moved apart.
pub async fn resume(tx: &mut Tx, obligation: Uuid) -> Result<()> {
    let now = tx.now();
    sqlx::query!("update obligation set pause_time = null where id = $1", obligation)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "update obligation_pause set end_time = $2 where obligation_id = $1 and end_time is null",
        obligation,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves the due times, keeping the old one with the cause (CO-06). A step of the ladder that was
/// taken stays taken; the next one is looked for again.
pub async fn move_due(
    tx: &mut Tx,
    running: &Running,
    times: &Times,
    cause: Cause,
    extension_days: u32,
    calendar_version: &str,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update obligation set due_time = $2::timestamptz, amber_time = $3::timestamptz,
            provisional = $4,
            extension_days = $5, calendar_version = $6, legal_due_time = $7,
            internal_due_time = $8,
            sweep_time = case level when 0 then $3 when 1 then $2 else $9::timestamptz end
         where id = $1",
        running.id,
        times.due.to_sqlx(),
        times.amber.to_sqlx(),
        times.provisional,
        i32::try_from(extension_days).unwrap_or_default(),
        calendar_version,
        times.legal.map(Timestamp::to_sqlx),
        times.internal.map(Timestamp::to_sqlx),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    note(tx, &[(running.id, times.moved_from(&running.dues))], cause, calendar_version).await
}

/// A due time that moved: which, from when, to when.
pub(super) type Moves = Vec<(Which, Timestamp, Timestamp)>;

/// Keeps the old values of obligations, with the cause (CO-06).
pub(super) async fn note(
    tx: &mut Tx,
    moved: &[(Uuid, Moves)],
    cause: Cause,
    calendar_version: &str,
) -> Result<()> {
    let moves: Vec<_> =
        moved.iter().flat_map(|(id, moves)| moves.iter().map(move |it| (*id, *it))).collect();
    if moves.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let ids: Vec<Uuid> = moves.iter().map(|_| tx.cx().id::<kind::Obligation>().uuid()).collect();
    let obligations: Vec<Uuid> = moves.iter().map(|(id, _)| *id).collect();
    let limits: Vec<String> =
        moves.iter().map(|(_, (which, ..))| which.wire().to_owned()).collect();
    sqlx::query!(
        "insert into obligation_move (id, obligation_id, limit_moved, from_due_time, to_due_time,
            cause, calendar_version, create_time)
         select id, obligation_id, limit_moved, from_due, to_due, $6, $7, $8
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[])
            as new (id, obligation_id, limit_moved, from_due, to_due)",
        &ids,
        &obligations,
        &limits,
        column(moves.iter().map(|(_, (_, from, _))| *from)) as _,
        column(moves.iter().map(|(_, (.., to))| *to)) as _,
        cause.wire(),
        calendar_version,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Instants as a column.
pub(super) fn column(times: impl Iterator<Item = Timestamp>) -> Vec<jiff_sqlx::Timestamp> {
    times.map(Timestamp::to_sqlx).collect()
}
