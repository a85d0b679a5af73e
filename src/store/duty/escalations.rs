//! The steps of the ladder as rows, and the sweep that takes them. Which step comes when is the
//! domain's. No obligation is opened or met here.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::duty::escalation::{Climb, Ladder, Level},
    error::Result,
    id::{Id, kind},
    store::{Tx, common::notices::causes},
};

/// The job whose heart must beat.
pub const SWEEP: &str = "obligations";
/// How old its last good round may be: a dead man is noticed within it (I18).
pub const SWEPT_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// How long a look that failed is put off: one poisoned row stops no other.
const PUT_OFF: SignedDuration = SignedDuration::from_secs(60);

/// An obligation on the ladder.
#[derive(Debug, Clone)]
pub struct Rung {
    /// The obligation.
    pub id: Uuid,
    /// The path of the unit that owes it.
    pub unit_path: String,
    /// Where it stands.
    pub ladder: Ladder,
}

macro_rules! rungs {
    ($condition:literal, $($argument:expr),*) => {
        sqlx::query!(
            "select id, unit_path, level, (legal_breach_time is not null) as \"unlawful!\",
                amber_time as amber, due_time as due, legal_due_time as legal
             from obligation " + $condition,
            $($argument),*
        )
        .map(|row| Rung {
            id: row.id,
            unit_path: row.unit_path,
            ladder: Ladder {
                level: row.level,
                unlawful: row.unlawful,
                amber: row.amber.to_jiff(),
                due: row.due.to_jiff(),
                legal: row.legal.map(Into::into),
            },
        })
    };
}

/// Open obligations whose next step is due, the oldest first, held until the unit of work ends. What
/// another server holds is left to it. With a version of the calendar only what it counted, or what it
/// could not count: the others are counted again before anybody is called late.
pub async fn claim(tx: &mut Tx, version: Option<&str>, rows: i64) -> Result<Vec<Rung>> {
    let now = tx.now();
    let due = rungs!(
        "where meet_time is null and void_time is null and pause_time is null
            and sweep_time <= $1
            and ($3::text is null or calendar_version = $3 or limit_text = ''
                or recount_time > $1)
         order by sweep_time
         limit $2
         for update skip locked",
        now.to_sqlx(),
        rows,
        version
    );
    Ok(due.fetch_all(tx.conn()).await?)
}

/// One of them alone; `None` when somebody else holds it, or it was looked at or settled meanwhile.
pub async fn claim_one(tx: &mut Tx, obligation: Uuid) -> Result<Option<Rung>> {
    let now = tx.now();
    let due = rungs!(
        "where id = $1 and meet_time is null and void_time is null and pause_time is null
            and sweep_time <= $2
         for update skip locked",
        obligation,
        now.to_sqlx()
    );
    Ok(due.fetch_optional(tx.conn()).await?)
}

/// Takes steps: a row each, once for each obligation and level, and notes how far each climbed and
/// when to look next. A miss is noted with the red step.
pub async fn take(tx: &mut Tx, climbed: &[(Rung, Climb)]) -> Result<()> {
    let steps: Vec<_> = climbed
        .iter()
        .flat_map(|(rung, climb)| climb.steps.iter().map(move |&(level, due)| (rung, level, due)))
        .collect();
    let ids: Vec<Uuid> = steps.iter().map(|_| tx.cx().id::<kind::Escalation>().uuid()).collect();
    let obligations: Vec<Uuid> = steps.iter().map(|(rung, ..)| rung.id).collect();
    let levels: Vec<i32> = steps.iter().map(|(_, level, _)| level.rank()).collect();
    let units: Vec<String> = steps.iter().map(|(rung, ..)| rung.unit_path.clone()).collect();
    let dues: Vec<jiff_sqlx::Timestamp> = steps.iter().map(|(.., due)| due.to_sqlx()).collect();
    let now = tx.now();
    let taken = sqlx::query!(
        "insert into escalation (id, obligation_id, level, unit_path, due_time, create_time)
         select id, obligation_id, level, unit_path, due_time, $6
         from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::timestamptz[])
            as new (id, obligation_id, level, unit_path, due_time)
         on conflict (obligation_id, level) do nothing
         returning obligation_id, level",
        &ids,
        &obligations,
        &levels,
        &units,
        dues as _,
        now.to_sqlx()
    )
    .map(|row| (row.obligation_id, row.level))
    .fetch_all(tx.conn())
    .await?;
    causes::escalated(tx, &taken).await?;
    note(tx, climbed).await
}

async fn note(tx: &mut Tx, climbed: &[(Rung, Climb)]) -> Result<()> {
    let ids: Vec<Uuid> = climbed.iter().map(|(rung, _)| rung.id).collect();
    let levels: Vec<i32> = climbed.iter().map(|(_, climb)| climb.level).collect();
    let unlawful: Vec<bool> = climbed.iter().map(|(_, climb)| climb.unlawful).collect();
    let next: Vec<Option<jiff_sqlx::Timestamp>> =
        climbed.iter().map(|(_, climb)| climb.next.map(Timestamp::to_sqlx)).collect();
    sqlx::query!(
        "update obligation set level = new.level, sweep_time = new.next, failures = 0,
            breach_time = case when new.level >= $5
                then coalesce(breach_time, due_time) else breach_time end,
            legal_breach_time = case when new.unlawful
                then coalesce(legal_breach_time, legal_due_time) else legal_breach_time end
         from unnest($1::uuid[], $2::integer[], $3::bool[], $4::timestamptz[])
            as new (id, level, unlawful, next)
         where obligation.id = new.id",
        &ids,
        &levels,
        &unlawful,
        next as _,
        Level::Red.rank()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts the next look at obligations off, because this one failed.
pub async fn put_off(tx: &mut Tx, obligations: &[Uuid]) -> Result<()> {
    let again = tx.now().saturating_add(PUT_OFF).unwrap_or(tx.now());
    sqlx::query!(
        "update obligation set sweep_time = $2, failures = failures + 1 where id = any($1)",
        obligations,
        again.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How the sweep stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// Open obligations whose last look failed.
    pub failing: i64,
    /// Open obligations whose next step was due before the instant, and is not taken.
    pub behind: i64,
}

/// How the sweep stands, for those who must see that it goes on.
pub async fn standing(connection: &mut PgConnection, before: Timestamp) -> Result<Standing> {
    let row = sqlx::query!(
        "select
            (select count(*) from obligation
             where meet_time is null and void_time is null and failures > 0) as \"failing!\",
            (select count(*) from obligation
             where meet_time is null and void_time is null and pause_time is null
                and sweep_time < $1) as \"behind!\"",
        before.to_sqlx()
    )
    .fetch_one(connection)
    .await?;
    Ok(Standing { failing: row.failing, behind: row.behind })
}

/// Notes that a job did its round.
pub async fn beat(tx: &mut Tx, job: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into heartbeat (job, beat_time) values ($1, $2)
         on conflict (job) do update set beat_time = greatest(heartbeat.beat_time, $2)",
        job,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a job did its last good round.
pub async fn last_beat(connection: &mut PgConnection, job: &str) -> Result<Option<Timestamp>> {
    let beat = sqlx::query_scalar!("select beat_time from heartbeat where job = $1", job)
        .fetch_optional(connection)
        .await?;
    Ok(beat.map(Into::into))
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
    /// When the thing was owed.
    pub owed_time: Timestamp,
    /// When the step was due.
    pub due_time: Timestamp,
    /// When it was taken.
    pub create_time: Timestamp,
    /// Whether the thing was done since.
    pub settled: bool,
}

/// Steps within the scope, newest first: a walk along an index for each level.
pub async fn list(
    connection: &mut PgConnection,
    level_min: i32,
    unsettled: bool,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Escalation>> {
    let levels: Vec<i32> =
        Level::ALL.iter().map(|level| level.rank()).filter(|rank| *rank >= level_min).collect();
    let shown = if unsettled {
        sqlx::query_scalar!(
            "select escalation_id from unnest($1::integer[]) as wanted (rung) cross join lateral (
                select escalation_id from escalation_sight
                where reach = $2 and escalation_sight.level = rung and escalation_id < $3 and open
                order by escalation_id desc limit $4
             ) as step
             order by escalation_id desc limit $4",
            &levels,
            scope.unit_path,
            crate::store::before(after),
            rows
        )
        .fetch_all(&mut *connection)
        .await?
    } else {
        sqlx::query_scalar!(
            "select escalation_id from unnest($1::integer[]) as wanted (rung) cross join lateral (
                select escalation_id from escalation_sight
                where reach = $2 and escalation_sight.level = rung and escalation_id < $3
                order by escalation_id desc limit $4
             ) as step
             order by escalation_id desc limit $4",
            &levels,
            scope.unit_path,
            crate::store::before(after),
            rows
        )
        .fetch_all(&mut *connection)
        .await?
    };
    let rows = sqlx::query!(
        "select escalation.id, collection, subject_id, kind, escalation.level,
            obligation.due_time as owed, escalation.due_time as due, create_time,
            (meet_time is not null or void_time is not null) as \"settled!\"
         from escalation join obligation on obligation.id = obligation_id
         where escalation.id = any($1)
         order by escalation.id desc",
        &shown
    )
    .fetch_all(connection)
    .await?;
    let shown = rows.into_iter().map(|row| Escalation {
        id: Id::of(row.id),
        subject: format!("{}/{}", row.collection, row.subject_id),
        kind: row.kind,
        level: row.level,
        owed_time: row.owed.to_jiff(),
        due_time: row.due.to_jiff(),
        create_time: row.create_time.to_jiff(),
        settled: row.settled,
    });
    Ok(shown.collect())
}
