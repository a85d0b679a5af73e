//! What the inspectorate owes, and the ladder of what is late: rows of this schema alone.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        conduct::{Duty, DutyKind},
        duty::{calendar::Calendar, escalation::Ladder},
    },
    error::Result,
    id::{Id, kind},
    store::Tx,
};

struct Row {
    id: Uuid,
    kind: DutyKind,
    open_time: Timestamp,
    amber_time: Timestamp,
    due_time: Timestamp,
    provisional: bool,
    meet_time: Option<jiff_sqlx::Timestamp>,
    rank: i32,
}

fn entity(row: &Row) -> Duty {
    Duty {
        id: row.id,
        kind: row.kind,
        open_time: row.open_time,
        amber_time: row.amber_time,
        due_time: row.due_time,
        provisional: row.provisional,
        meet_time: row.meet_time.map(Into::into),
        rank: row.rank,
    }
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, kind, open_time, amber_time, due_time, provisional, meet_time, rank
             from conduct.duty "# + $filter
            $(, $argument)*
        )
    };
}

/// Opens a duty, from now.
pub async fn open(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    kind: DutyKind,
    calendar: &Calendar,
) -> Result<Duty> {
    let duty = Duty::open(tx.cx().ids().random(), kind, tx.now(), calendar)?;
    sqlx::query!(
        "insert into conduct.duty (id, report_id, kind, open_time, amber_time, due_time, provisional,
            sweep_time)
         values ($1, $2, $3, $4, $5, $6, $7, $5)",
        duty.id,
        report.uuid(),
        kind.wire(),
        duty.open_time.to_sqlx(),
        duty.amber_time.to_sqlx(),
        duty.due_time.to_sqlx(),
        duty.provisional
    )
    .execute(tx.conn())
    .await?;
    Ok(duty)
}

/// The open duty of the kind.
pub async fn find_open(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    kind: DutyKind,
) -> Result<Option<Duty>> {
    let row = select!(
        "where report_id = $1 and kind = $2 and meet_time is null and void_time is null for update",
        report.uuid(),
        kind.wire()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.as_ref().map(entity))
}

/// The open duty was done.
pub async fn meet(tx: &mut Tx, report: Id<kind::ConductReport>, kind: DutyKind) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update conduct.duty set meet_time = $3
         where report_id = $1 and kind = $2 and meet_time is null and void_time is null",
        report.uuid(),
        kind.wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nobody owes an open duty any more: of this kind, or of any.
pub async fn void(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    kind: Option<DutyKind>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update conduct.duty set void_time = $3
         where report_id = $1 and ($2::text is null or kind = $2)
            and meet_time is null and void_time is null",
        report.uuid(),
        kind.map(DutyKind::wire),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves the due time of an open duty; the ladder looks again.
pub async fn extend(tx: &mut Tx, duty: &Duty) -> Result<()> {
    sqlx::query!(
        "update conduct.duty
         set amber_time = $2, due_time = $3, provisional = $4, sweep_time = $2
         where id = $1",
        duty.id,
        duty.amber_time.to_sqlx(),
        duty.due_time.to_sqlx(),
        duty.provisional
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The duties of a report that are open or were done, the present one last. The caller has read the
/// report.
pub async fn list(
    connection: &mut PgConnection,
    report: Id<kind::ConductReport>,
) -> Result<Vec<Duty>> {
    let rows = select!(
        "where report_id = $1 and void_time is null
         order by open_time, due_time desc",
        report.uuid()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(entity).collect())
}

/// Open duties whose next step of the ladder is to be looked at, the oldest first.
pub async fn due(connection: &mut PgConnection, now: Timestamp, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from conduct.duty
         where meet_time is null and void_time is null and sweep_time <= $1
         order by sweep_time
         limit $2",
        now.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// Takes every step of the ladder that is due for the duty; each is a row, and none is taken twice.
pub async fn climb(tx: &mut Tx, id: Uuid, calendar: &Calendar) -> Result<()> {
    let row = select!(
        "where id = $1 and meet_time is null and void_time is null for update skip locked",
        id
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(duty) = row.as_ref().map(entity) else { return Ok(()) };
    let now = tx.now();
    let (amber, due) = (duty.amber_time, duty.due_time);
    let ladder = Ladder { level: duty.rank, unlawful: false, amber, due, legal: None };
    let climb = ladder.climb(now, calendar)?;
    for (level, _) in &climb.steps {
        sqlx::query!(
            "insert into conduct.escalation (duty_id, level, create_time) values ($1, $2, $3)",
            id,
            level.wire(),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
    }
    sqlx::query!(
        "update conduct.duty set rank = $2, sweep_time = $3 where id = $1",
        id,
        climb.level,
        climb.next.map(jiff_sqlx::ToSqlx::to_sqlx)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
