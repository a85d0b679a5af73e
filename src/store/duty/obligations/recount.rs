//! Counting again what is open after the calendar changed (CO-06): from opening, limits, pauses and
//! extension, in batches. What is not yet counted by the calendar in force is found by its version, so
//! that it goes on wherever it was interrupted.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    limits,
    moving::{self, Cause, column},
};
use crate::{
    domain::duty::{
        calendar::Calendar,
        obligation::{Dues, ObligationKind, Pause, Times},
    },
    error::Result,
    id::Subject,
    store::{Tx, duty::calendars},
};

/// How long a count that failed is put off.
const PUT_OFF: SignedDuration = SignedDuration::from_secs(60);
/// How many are counted at once for a dry run.
const PREVIEW_BATCH: i64 = 1_000;

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recounted {
    /// How many were looked at.
    pub counted: usize,
    /// How many due times moved.
    pub moved: usize,
    /// How many could not be counted.
    pub failed: usize,
}

/// An open obligation and what it is counted from.
struct Open {
    id: Uuid,
    subject_id: Uuid,
    kind: String,
    opened: Timestamp,
    dues: Dues,
    provisional: bool,
    legal_limit: String,
    limit: String,
    internal_limit: String,
    extension_days: u32,
}

impl Open {
    fn count(&self, pauses: &[Pause], calendar: &Calendar) -> Result<Times> {
        let limits = limits(self.id, &self.legal_limit, &self.limit, &self.internal_limit)?;
        Times::count(self.opened, limits, pauses, self.extension_days, calendar)
    }
}

macro_rules! open {
    ($condition:literal, $($argument:expr),*) => {
        sqlx::query!(
            "select id, subject_id, kind, open_time as opened, due_time as due,
                legal_due_time as legal, internal_due_time as internal, provisional,
                legal_limit_text, limit_text, internal_limit_text, extension_days
             from obligation " + $condition,
            $($argument),*
        )
        .map(|row| Open {
            id: row.id,
            subject_id: row.subject_id,
            kind: row.kind,
            opened: row.opened.to_jiff(),
            dues: Dues {
                due: row.due.to_jiff(),
                legal: row.legal.map(Into::into),
                internal: row.internal.map(Into::into),
            },
            provisional: row.provisional,
            legal_limit: row.legal_limit_text,
            limit: row.limit_text,
            internal_limit: row.internal_limit_text,
            extension_days: u32::try_from(row.extension_days).unwrap_or_default(),
        })
    };
}

/// Which of them are taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// Those whose next step is due: nobody is called late by a calendar that counts no more.
    Due,
    /// All others, in time.
    Any,
}

/// Counts a batch of what was counted by another calendar again.
pub async fn batch(tx: &mut Tx, calendar: &Calendar, which: Stale, rows: i64) -> Result<Recounted> {
    let found = match which {
        Stale::Due => due(tx, calendar.version(), rows).await?,
        Stale::Any => any(tx, calendar.version(), rows).await?,
    };
    if found.is_empty() {
        return Ok(Recounted::default());
    }
    let open = hold(tx, &found, calendar.version()).await?;
    count(tx, open, calendar).await
}

/// Counts again what is about to be settled, where another calendar counted it: whether it was late is
/// judged by the notices that count today. Says whether there was any.
pub(super) async fn settling(
    tx: &mut Tx,
    subject: Subject,
    kind: Option<ObligationKind>,
    calendar: &Calendar,
) -> Result<bool> {
    let open = open!(
        "where collection = $1 and subject_id = $2 and ($3::text is null or kind = $3)
            and meet_time is null and void_time is null and limit_text <> ''
            and calendar_version <> $4
         for update",
        subject.collection,
        subject.uuid,
        kind.map(ObligationKind::wire),
        calendar.version()
    );
    let open = open.fetch_all(tx.conn()).await?;
    if open.is_empty() {
        return Ok(false);
    }
    // The server's copy may be the older one.
    let calendar = calendars::in_force(tx.conn()).await?;
    count(tx, open, &calendar).await?;
    Ok(true)
}

async fn count(tx: &mut Tx, open: Vec<Open>, calendar: &Calendar) -> Result<Recounted> {
    let pauses = pauses(tx.conn(), &open).await?;
    let (mut counted, mut failed) = (Vec::with_capacity(open.len()), Vec::new());
    for one in open {
        match one.count(pauses.get(&one.id).map_or(&[], Vec::as_slice), calendar) {
            Ok(times) => counted.push((one, times)),
            Err(error) => {
                tracing::error!(id = %one.id, %error, "a due time could not be counted again");
                failed.push(one.id);
            }
        }
    }
    if !failed.is_empty() {
        put_off(tx, &failed).await?;
    }
    store(tx, &counted, calendar.version()).await?;
    let moved = counted.iter().map(|(one, times)| (one.id, times.moved_from(&one.dues)));
    moving::note(tx, &moved.collect::<Vec<_>>(), Cause::Calendar, calendar.version()).await?;
    follow(tx, &counted).await?;
    Ok(Recounted {
        counted: counted.len() + failed.len(),
        moved: counted.iter().filter(|(one, times)| one.dues.due != times.due).count(),
        failed: failed.len(),
    })
}

/// An obligation, and to what it belongs.
type Found = (Uuid, Uuid);

/// What is due and was counted by another version, the oldest first.
async fn due(tx: &mut Tx, version: &str, rows: i64) -> Result<Vec<Found>> {
    let now = tx.now();
    let found = sqlx::query!(
        "select id, subject_id from obligation
         where meet_time is null and void_time is null and pause_time is null and sweep_time <= $2
            and limit_text <> '' and calendar_version <> $1
            and (recount_time is null or recount_time <= $2)
         order by sweep_time limit $3",
        version,
        now.to_sqlx(),
        rows
    );
    Ok(found.map(|row| (row.id, row.subject_id)).fetch_all(tx.conn()).await?)
}

/// What was counted by another version, in no order.
async fn any(tx: &mut Tx, version: &str, rows: i64) -> Result<Vec<Found>> {
    let now = tx.now();
    let found = sqlx::query!(
        "select id as \"id!\", subject_id as \"subject_id!\" from (
            (select id, subject_id from obligation
             where meet_time is null and void_time is null and limit_text <> ''
                and calendar_version < $1 and (recount_time is null or recount_time <= $2)
             limit $3)
            union all
            (select id, subject_id from obligation
             where meet_time is null and void_time is null and limit_text <> ''
                and calendar_version > $1 and (recount_time is null or recount_time <= $2)
             limit $3)
         ) as stale limit $3",
        version,
        now.to_sqlx(),
        rows
    );
    Ok(found.map(|row| (row.id, row.subject_id)).fetch_all(tx.conn()).await?)
}

/// Holds what was found. A complaint is held before what is owed on it, in the order in which its steps
/// hold them: neither waits for the other.
async fn hold(tx: &mut Tx, found: &[Found], version: &str) -> Result<Vec<Open>> {
    let subjects: Vec<Uuid> = found.iter().map(|(_, subject)| *subject).collect();
    let held = sqlx::query_scalar!(
        "select id from complaint where id = any($1) order by id for update skip locked",
        &subjects
    )
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<Uuid> = found.iter().map(|(id, _)| *id).collect();
    let open = open!(
        "where id = any($1) and meet_time is null and void_time is null
            and (kind <> $2 or subject_id = any($3)) and calendar_version <> $4
         for update skip locked",
        &ids,
        ObligationKind::HandleComplaint.wire(),
        &held,
        version
    );
    Ok(open.fetch_all(tx.conn()).await?)
}

async fn pauses(connection: &mut PgConnection, of: &[Open]) -> Result<HashMap<Uuid, Vec<Pause>>> {
    let ids: Vec<Uuid> = of.iter().map(|one| one.id).collect();
    moving::pauses(connection, &ids).await
}

async fn put_off(tx: &mut Tx, failed: &[Uuid]) -> Result<()> {
    let again = tx.now().saturating_add(PUT_OFF).unwrap_or(tx.now());
    sqlx::query!(
        "update obligation set recount_time = $2, failures = failures + 1 where id = any($1)",
        failed,
        again.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Instants as a column in which some are absent.
fn sparse(times: impl Iterator<Item = Option<Timestamp>>) -> Vec<Option<jiff_sqlx::Timestamp>> {
    times.map(|time| time.map(Timestamp::to_sqlx)).collect()
}

/// A step that was taken stays taken; the next one is looked for by the new times.
async fn store(tx: &mut Tx, counted: &[(Open, Times)], version: &str) -> Result<()> {
    let now = tx.now();
    let ids: Vec<Uuid> = counted.iter().map(|(one, _)| one.id).collect();
    let provisional: Vec<bool> = counted.iter().map(|(_, times)| times.provisional).collect();
    sqlx::query!(
        "update obligation set due_time = new.due, amber_time = new.amber,
            legal_due_time = new.legal, internal_due_time = new.internal,
            provisional = new.provisional, calendar_version = $7, recount_time = null,
            sweep_time = case level when 0 then new.amber when 1 then new.due
                else case when sweep_time is null then null else $8::timestamptz end end
         from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
            $5::timestamptz[], $6::bool[]) as new (id, due, amber, legal, internal, provisional)
         where obligation.id = new.id",
        &ids,
        column(counted.iter().map(|(_, times)| times.due)) as _,
        column(counted.iter().map(|(_, times)| times.amber)) as _,
        sparse(counted.iter().map(|(_, times)| times.legal)) as _,
        sparse(counted.iter().map(|(_, times)| times.internal)) as _,
        &provisional,
        version,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What the enterprise reads follows in the same unit of work.
async fn follow(tx: &mut Tx, counted: &[(Open, Times)]) -> Result<()> {
    let handling = ObligationKind::HandleComplaint.wire();
    let changed: Vec<_> = counted
        .iter()
        .filter(|(one, _)| one.kind == handling)
        .filter(|(one, times)| one.dues.due != times.due || one.provisional != times.provisional)
        .collect();
    let subjects: Vec<Uuid> = changed.iter().map(|(one, _)| one.subject_id).collect();
    let provisional: Vec<bool> = changed.iter().map(|(_, times)| times.provisional).collect();
    sqlx::query!(
        "update complaint set handle_due_time = new.due, provisional = new.provisional
         from unnest($1::uuid[], $2::timestamptz[], $3::bool[]) as new (id, due, provisional)
         where complaint.id = new.id",
        &subjects,
        column(changed.iter().map(|(_, times)| times.due)) as _,
        &provisional
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many open due times a calendar would move.
pub async fn would_move(connection: &mut PgConnection, calendar: &Calendar) -> Result<i64> {
    let (mut after, mut moving) = (Uuid::nil(), 0);
    loop {
        let batch = open!(
            "where id > $1 and meet_time is null and void_time is null and limit_text <> ''
             order by id
             limit $2",
            after,
            PREVIEW_BATCH
        );
        let batch = batch.fetch_all(&mut *connection).await?;
        let Some(last) = batch.last() else { return Ok(moving) };
        after = last.id;
        let pauses = pauses(&mut *connection, &batch).await?;
        let moves = batch.iter().filter(|one| {
            let pauses = pauses.get(&one.id).map_or(&[][..], Vec::as_slice);
            // What cannot be counted does not move.
            one.count(pauses, calendar).is_ok_and(|times| times.due != one.dues.due)
        });
        moving += i64::try_from(moves.count()).unwrap_or(i64::MAX);
    }
}

/// How many open due times were counted in a year without a published notice.
pub async fn provisional(connection: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select count(*) as \"count!\" from obligation
         where meet_time is null and void_time is null and provisional"
    )
    .fetch_one(connection)
    .await?)
}
