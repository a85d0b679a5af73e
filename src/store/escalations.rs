//! The steps of the ladder as rows, and the sweep that takes them. Which step comes when is the
//! domain's. No obligation is opened or met here.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Tx, notices::causes};
use crate::{
    actor::Scope,
    domain::escalation::Level,
    error::{Error, Result},
    id::{Id, kind},
};

/// How long a look that failed is put off: one poisoned row stops no other.
const PUT_OFF: SignedDuration = SignedDuration::from_secs(60);

/// Open obligations whose next step is due, the oldest first.
pub async fn due(connection: &mut PgConnection, now: Timestamp, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from obligation
         where meet_time is null and void_time is null and pause_time is null
            and sweep_time <= $1
         order by sweep_time
         limit $2",
        now.to_sqlx() as _,
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// An obligation on the ladder.
#[derive(Debug, Clone)]
pub struct Rung {
    /// The obligation.
    pub id: Uuid,
    /// The path of the unit that owes it.
    pub unit_path: String,
    /// How many steps were taken.
    pub level: i32,
    /// When it is reminded.
    pub amber: Timestamp,
    /// When it is late.
    pub due: Timestamp,
}

/// An obligation that is still open, held until the unit of work ends; `None` when somebody else
/// holds it or it was settled meanwhile.
pub async fn lock(tx: &mut Tx, obligation: Uuid) -> Result<Option<Rung>> {
    let row = sqlx::query!(
        "select id, unit_path, level, amber_time as \"amber: jiff_sqlx::Timestamp\",
            due_time as \"due: jiff_sqlx::Timestamp\"
         from obligation
         where id = $1 and meet_time is null and void_time is null and pause_time is null
         for update skip locked",
        obligation
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Rung {
        id: row.id,
        unit_path: row.unit_path,
        level: row.level,
        amber: row.amber.to_jiff(),
        due: row.due.to_jiff(),
    }))
}

/// Takes a step: a row, once for each obligation and level.
pub async fn take(tx: &mut Tx, rung: &Rung, level: Level, due: Timestamp) -> Result<()> {
    let id: Id<kind::Escalation> = tx.cx().id();
    let now = tx.now();
    let taken = sqlx::query!(
        "insert into escalation (id, obligation_id, level, unit_path, due_time, create_time)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (obligation_id, level) do nothing",
        id.uuid(),
        rung.id,
        level.rank(),
        rung.unit_path,
        due.to_sqlx() as _,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if taken.rows_affected() == 1 {
        causes::escalated(tx, &[(rung.id, level)]).await?;
    }
    Ok(())
}

/// Notes how far it climbed, and when to look next; a miss is noted with the red step.
pub async fn climbed(
    tx: &mut Tx,
    obligation: Uuid,
    level: i32,
    next: Option<Timestamp>,
) -> Result<()> {
    sqlx::query!(
        "update obligation set level = $2::integer, sweep_time = $3, failures = 0,
            breach_time = case when $2::integer >= $4::integer
                then coalesce(breach_time, due_time) else breach_time end
         where id = $1",
        obligation,
        level,
        next.map(|next| next.to_sqlx()) as _,
        Level::Red.rank()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts the next look at an obligation off, because this one failed.
pub async fn put_off(tx: &mut Tx, obligation: Uuid) -> Result<()> {
    let again = tx.now().saturating_add(PUT_OFF).unwrap_or(tx.now());
    sqlx::query!(
        "update obligation set sweep_time = $2, failures = failures + 1 where id = $1",
        obligation,
        again.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a job did its round.
pub async fn beat(tx: &mut Tx, job: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into heartbeat (job, beat_time) values ($1, $2)
         on conflict (job) do update set beat_time = greatest(heartbeat.beat_time, $2)",
        job,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a job did its last good round.
pub async fn last_beat(connection: &mut PgConnection, job: &str) -> Result<Option<Timestamp>> {
    let beat = sqlx::query_scalar!(
        "select beat_time as \"beat_time: jiff_sqlx::Timestamp\" from heartbeat where job = $1",
        job
    )
    .fetch_optional(connection)
    .await?;
    Ok(beat.map(jiff_sqlx::Timestamp::to_jiff))
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// Its id.
    pub id: Id<kind::Escalation>,
    /// To what the obligation belongs: a resource name.
    pub subject: String,
    /// What is owed.
    pub kind: String,
    /// Which step.
    pub level: Level,
    /// The path of the unit that owes it.
    pub unit_path: String,
    /// When the thing was owed.
    pub owed_time: Timestamp,
    /// When the step was due.
    pub due_time: Timestamp,
    /// When it was taken.
    pub create_time: Timestamp,
    /// Whether the thing was done since.
    pub settled: bool,
}

/// Steps within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    level_min: i32,
    unsettled: bool,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Escalation>> {
    let rows = sqlx::query!(
        "select escalation.id, collection, subject_id, kind, escalation.level, escalation.unit_path,
            obligation.due_time as \"owed: jiff_sqlx::Timestamp\",
            escalation.due_time as \"due: jiff_sqlx::Timestamp\",
            create_time as \"create_time: jiff_sqlx::Timestamp\",
            (meet_time is not null or void_time is not null) as \"settled!\"
         from escalation join obligation on obligation.id = obligation_id
         where escalation.id < $1
            and $2::text is not null and starts_with(escalation.unit_path, $2)
            and escalation.level >= $3
            and (not $4 or (meet_time is null and void_time is null))
         order by escalation.id desc
         limit $5",
        super::before(after),
        scope.unit_path,
        level_min,
        unsettled,
        rows
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| {
        Ok(Escalation {
            id: Id::of(row.id),
            subject: format!("{}/{}", row.collection, row.subject_id),
            kind: row.kind,
            level: Level::after(row.level.saturating_sub(1))
                .ok_or_else(|| Error::internal("a stored level"))?,
            unit_path: row.unit_path,
            owed_time: row.owed.to_jiff(),
            due_time: row.due.to_jiff(),
            create_time: row.create_time.to_jiff(),
            settled: row.settled,
        })
    });
    rows.collect()
}
