//! What somebody owes until an instant, as rows: opened with the event that causes it, met with the
//! event that settles it, and a miss is a row's breach time (CH-15). A due time that moves keeps the
//! old one (CO-06). How due times are counted is the domain's.

pub mod recount;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Tx;
use crate::{
    domain::{
        calendar::{Calendar, Due, Limit},
        complaint::rules::{limit, limit_text},
        obligation::{Limits, ObligationKind, Pause, PauseReason, Times, Which},
    },
    error::{Error, Result},
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
    /// How long there is, so that it can be counted again; absent where a day was named.
    pub limits: Option<Limits>,
    /// Until when.
    pub times: Times,
    /// The version of the calendar by which that was counted.
    pub calendar_version: String,
}

impl Owed {
    /// What is owed within limits, from now on.
    pub fn within(
        kind: ObligationKind,
        subject: Subject,
        unit_path: String,
        limits: Limits,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Self> {
        let times = Times::count(now, limits, &[], 0, calendar)?;
        let calendar_version = calendar.version().to_owned();
        Ok(Self { kind, subject, unit_path, limits: Some(limits), times, calendar_version })
    }

    /// What is owed until an instant that somebody named.
    #[must_use]
    pub fn until(
        kind: ObligationKind,
        subject: Subject,
        unit_path: String,
        due: Due,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Self {
        let times = Times::until(now, due);
        let calendar_version = calendar.version().to_owned();
        Self { kind, subject, unit_path, limits: None, times, calendar_version }
    }

    /// A limit as it is stored. The one by which others judge is always there.
    fn text(&self, which: Which) -> String {
        let Some(limits) = self.limits else { return String::new() };
        let which = if which == Which::Promised { limits.governing() } else { which };
        limits.get(which).map(limit_text).unwrap_or_default()
    }
}

/// Reads limits as they are stored.
fn limits(legal: &str, promised: &str, internal: &str) -> Result<Limits> {
    let stored =
        |flaw: crate::error::Flaw| Error::internal("a stored limit").fact("flaw", flaw.wire());
    let read = |text: &str| -> Result<Option<Limit>> {
        (!text.is_empty()).then(|| limit(text).map_err(stored)).transpose()
    };
    Limits::new(read(legal)?, read(promised)?, read(internal)?).map_err(stored)
}

/// Why a due time moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The time stood still.
    Pause,
    /// More time was granted.
    Extension,
    /// The calendar changed.
    Calendar,
}

impl Cause {
    const fn wire(self) -> &'static str {
        match self {
            Self::Pause => "PAUSE",
            Self::Extension => "EXTENSION",
            Self::Calendar => "CALENDAR",
        }
    }
}

/// Opens an obligation; one of the kind that is open already stays as it is.
pub async fn open(tx: &mut Tx, owed: &Owed) -> Result<()> {
    let id: Id<kind::Obligation> = tx.cx().id();
    let now = tx.now();
    sqlx::query!(
        "insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time,
            amber_time, sweep_time, calendar_version, limit_text, provisional, legal_limit_text,
            legal_due_time, internal_limit_text, internal_due_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (collection, subject_id, kind)
            where meet_time is null and void_time is null do nothing",
        id.uuid(),
        owed.subject.collection,
        owed.subject.uuid,
        owed.kind.wire(),
        owed.unit_path,
        now.to_sqlx() as _,
        owed.times.due.to_sqlx() as _,
        owed.times.amber.to_sqlx() as _,
        owed.calendar_version,
        owed.text(Which::Promised),
        owed.times.provisional,
        owed.text(Which::Legal),
        owed.times.legal.map(Timestamp::to_sqlx) as _,
        owed.text(Which::Internal),
        owed.times.internal.map(Timestamp::to_sqlx) as _
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

/// Takes the last meeting of the kind back: what was done did not count. The same due time goes on,
/// and the next look is at the next step that is not taken.
pub async fn unmeet(tx: &mut Tx, subject: Subject, kind: ObligationKind) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update obligation set meet_time = null,
            sweep_time = case level when 0 then amber_time when 1 then due_time else $4 end
         where id = (
            select id from obligation
            where collection = $1 and subject_id = $2 and kind = $3 and void_time is null
            order by open_time desc, id desc
            limit 1
         )",
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
    void_any(tx, subject, Some(kind)).await
}

/// Lets every open obligation of a subject go: its life has ended.
pub async fn void_all(tx: &mut Tx, subject: Subject) -> Result<()> {
    void_any(tx, subject, None).await
}

async fn void_any(tx: &mut Tx, subject: Subject, kind: Option<ObligationKind>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update obligation set void_time = $4,
            breach_time = coalesce(breach_time,
                case when due_time <= $4 and pause_time is null then due_time end)
         where collection = $1 and subject_id = $2 and ($3::text is null or kind = $3)
            and meet_time is null and void_time is null",
        subject.collection,
        subject.uuid,
        kind.map(ObligationKind::wire),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An open obligation, with what its due time is counted from.
#[derive(Debug, Clone)]
pub struct Running {
    /// Its id.
    pub id: Uuid,
    /// Since when.
    pub open_time: Timestamp,
    /// Until when.
    pub due_time: Timestamp,
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
        "select id, open_time as \"open_time: jiff_sqlx::Timestamp\",
            due_time as \"due_time: jiff_sqlx::Timestamp\",
            pause_time as \"pause_time: jiff_sqlx::Timestamp\", limit_text, legal_limit_text,
            internal_limit_text, extension_days
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
    let pauses = pauses(tx.conn(), row.id).await?;
    let limits = (!row.limit_text.is_empty())
        .then(|| limits(&row.legal_limit_text, &row.limit_text, &row.internal_limit_text))
        .transpose()?;
    Ok(Some(Running {
        id: row.id,
        open_time: row.open_time.to_jiff(),
        due_time: row.due_time.to_jiff(),
        pause_time: row.pause_time.map(jiff_sqlx::Timestamp::to_jiff),
        limits,
        extension_days: u32::try_from(row.extension_days).unwrap_or_default(),
        pauses,
    }))
}

/// An obligation as officers read it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What is owed.
    pub kind: String,
    /// Since when.
    pub open_time: Timestamp,
    /// Until when.
    pub due_time: Timestamp,
    /// The end of the law's limit.
    pub legal_due_time: Option<Timestamp>,
    /// The end of the office's own.
    pub internal_due_time: Option<Timestamp>,
    /// How it stands.
    pub standing: &'static str,
    /// Counted in a year without a published notice.
    pub provisional: bool,
    /// The due times that it had before.
    pub moves: Vec<Move>,
}

/// A due time that moved.
#[derive(Debug, Clone)]
pub struct Move {
    /// The old one.
    pub from: Timestamp,
    /// The new one.
    pub to: Timestamp,
    /// PAUSE, EXTENSION, CALENDAR.
    pub cause: String,
    /// When it moved.
    pub create_time: Timestamp,
}

/// What is owed and was owed on a subject that the caller has read within the scope, oldest first.
pub async fn list(
    connection: &mut PgConnection,
    subject: Subject,
    now: Timestamp,
) -> Result<Vec<Shown>> {
    let mut moves = moves(connection, subject).await?;
    let rows = sqlx::query!(
        "select id, kind, open_time as \"open_time: jiff_sqlx::Timestamp\",
            due_time as \"due_time: jiff_sqlx::Timestamp\",
            amber_time as \"amber_time: jiff_sqlx::Timestamp\",
            legal_due_time as \"legal: jiff_sqlx::Timestamp\",
            internal_due_time as \"internal: jiff_sqlx::Timestamp\", provisional,
            meet_time as \"meet_time: jiff_sqlx::Timestamp\",
            void_time is not null as \"void!\", pause_time is not null as \"paused!\"
         from obligation where collection = $1 and subject_id = $2
         order by open_time, id
         limit 200",
        subject.collection,
        subject.uuid
    )
    .fetch_all(connection)
    .await?;
    let time = |at: Option<jiff_sqlx::Timestamp>| at.map(jiff_sqlx::Timestamp::to_jiff);
    let shown = rows.into_iter().map(|row| {
        let (due, met) = (row.due_time.to_jiff(), time(row.meet_time));
        let standing = match met {
            Some(met) if met < due => "MET",
            Some(_) => "MET_LATE",
            None if row.void => "VOID",
            None if row.paused => "PAUSED",
            None if now >= due => "BREACHED",
            None if now >= row.amber_time.to_jiff() => "AMBER",
            None => "ON_TIME",
        };
        Shown {
            kind: row.kind,
            open_time: row.open_time.to_jiff(),
            due_time: due,
            legal_due_time: time(row.legal),
            internal_due_time: time(row.internal),
            standing,
            provisional: row.provisional,
            moves: moves.remove(&row.id).unwrap_or_default(),
        }
    });
    Ok(shown.collect())
}

async fn moves(
    connection: &mut PgConnection,
    subject: Subject,
) -> Result<BTreeMap<Uuid, Vec<Move>>> {
    let rows = sqlx::query!(
        "select obligation_id, from_due_time as \"from: jiff_sqlx::Timestamp\",
            to_due_time as \"to: jiff_sqlx::Timestamp\", cause,
            create_time as \"create_time: jiff_sqlx::Timestamp\"
         from obligation_move join obligation on obligation.id = obligation_id
         where collection = $1 and subject_id = $2
         order by obligation_move.id
         limit 1000",
        subject.collection,
        subject.uuid
    )
    .fetch_all(connection)
    .await?;
    let mut moves = BTreeMap::<Uuid, Vec<Move>>::new();
    for row in rows {
        moves.entry(row.obligation_id).or_default().push(Move {
            from: row.from.to_jiff(),
            to: row.to.to_jiff(),
            cause: row.cause,
            create_time: row.create_time.to_jiff(),
        });
    }
    Ok(moves)
}

async fn pauses(connection: &mut PgConnection, obligation: Uuid) -> Result<Vec<Pause>> {
    let rows = sqlx::query!(
        "select begin_time as \"begin_time: jiff_sqlx::Timestamp\",
            end_time as \"end_time: jiff_sqlx::Timestamp\"
         from obligation_pause where obligation_id = $1 order by begin_time",
        obligation
    )
    .fetch_all(connection)
    .await?;
    let pauses = rows.into_iter().map(|row| Pause {
        from: row.begin_time.to_jiff(),
        until: row.end_time.map(jiff_sqlx::Timestamp::to_jiff),
        reason: PauseReason::Returned,
    });
    Ok(pauses.collect())
}

/// Lets the time stand still (I19: only a return does).
pub async fn pause(tx: &mut Tx, obligation: Uuid) -> Result<()> {
    let now = tx.now();
    let paused = sqlx::query!(
        "update obligation set pause_time = $2 where id = $1 and pause_time is null",
        obligation,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if paused.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "insert into obligation_pause (obligation_id, begin_time) values ($1, $2)",
        obligation,
        now.to_sqlx() as _
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
        now.to_sqlx() as _
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
    let id: Id<kind::Obligation> = tx.cx().id();
    let now = tx.now();
    sqlx::query!(
        "update obligation set due_time = $2::timestamptz, amber_time = $3::timestamptz,
            provisional = $4,
            extension_days = $5, calendar_version = $6, legal_due_time = $7,
            internal_due_time = $8,
            sweep_time = case level when 0 then $3 when 1 then $2 else $9::timestamptz end
         where id = $1",
        running.id,
        times.due.to_sqlx() as _,
        times.amber.to_sqlx() as _,
        times.provisional,
        i32::try_from(extension_days).unwrap_or_default(),
        calendar_version,
        times.legal.map(Timestamp::to_sqlx) as _,
        times.internal.map(Timestamp::to_sqlx) as _,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if times.due == running.due_time {
        return Ok(());
    }
    sqlx::query!(
        "insert into obligation_move (id, obligation_id, from_due_time, to_due_time, cause,
            calendar_version, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        running.id,
        running.due_time.to_sqlx() as _,
        times.due.to_sqlx() as _,
        cause.wire(),
        calendar_version,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says who owes an open obligation now.
pub async fn hand_to(
    tx: &mut Tx,
    subject: Subject,
    kind: ObligationKind,
    unit_path: &str,
) -> Result<()> {
    sqlx::query!(
        "update obligation set unit_path = $4
         where collection = $1 and subject_id = $2 and kind = $3
            and meet_time is null and void_time is null",
        subject.collection,
        subject.uuid,
        kind.wire(),
        unit_path
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
