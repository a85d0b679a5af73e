//! What somebody owes until an instant, as rows: opened with the event that causes it, met with the
//! event that settles it, and a miss is a row's breach time (CH-15). A due time that moves keeps the
//! old one (CO-06). How due times are counted is the domain's.

mod moving;
pub mod recount;
mod shown;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use crate::{
    domain::{
        complaint::rules::{limit, limit_text},
        duty::{
            calendar::{Calendar, Due, Limit},
            obligation::{Limits, ObligationKind, Times, Which},
        },
    },
    error::{Error, Reason, Result},
    id::{Id, Subject, kind},
    store::{Tx, column::unreadable},
};

pub use moving::{Cause, Running, lock, move_due, pause, resume};
pub use shown::{Shown, list};

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
fn limits(id: Uuid, legal: &str, promised: &str, internal: &str) -> Result<Limits> {
    let stored = |_| unreadable("obligation", "limit_text", id);
    let read = |text: &str| -> Result<Option<Limit>> {
        (!text.is_empty()).then(|| limit(text).map_err(stored)).transpose()
    };
    Limits::new(read(legal)?, read(promised)?, read(internal)?).map_err(stored)
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
        now.to_sqlx(),
        owed.times.due.to_sqlx(),
        owed.times.amber.to_sqlx(),
        owed.calendar_version,
        owed.text(Which::Promised),
        owed.times.provisional,
        owed.text(Which::Legal),
        owed.times.legal.map(Timestamp::to_sqlx),
        owed.text(Which::Internal),
        owed.times.internal.map(Timestamp::to_sqlx)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Meets the open obligation of the kind. One that is met too late is a miss, whether or not the
/// sweeper saw it before; what is too late is judged by the calendar in force.
pub async fn meet(
    tx: &mut Tx,
    subject: Subject,
    kind: ObligationKind,
    calendar: &Calendar,
) -> Result<()> {
    // Nearly always the calendar in force has counted it, and one statement does: every answer in a
    // conversation comes by here.
    if !met(tx, subject, kind, Some(calendar.version())).await?
        && recount::settling(tx, subject, Some(kind), calendar).await?
    {
        met(tx, subject, kind, None).await?;
    }
    Ok(())
}

/// Whether one was met; with a version of the calendar only what it counted, or what no limit counts.
async fn met(
    tx: &mut Tx,
    subject: Subject,
    kind: ObligationKind,
    version: Option<&str>,
) -> Result<bool> {
    let now = tx.now();
    let met = sqlx::query!(
        "update obligation set meet_time = $4,
            breach_time = coalesce(breach_time, case when due_time <= $4 then due_time end)
         where collection = $1 and subject_id = $2 and kind = $3
            and meet_time is null and void_time is null
            and ($5::text is null or limit_text = '' or calendar_version = $5)",
        subject.collection,
        subject.uuid,
        kind.wire(),
        now.to_sqlx(),
        version
    )
    .execute(tx.conn())
    .await?;
    Ok(met.rows_affected() > 0)
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
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets a promise go for one by another day. It may be put off once, and brought forward at any time: a
/// day that moves whenever it comes near is no promise.
///
/// # Errors
/// `EXTENSION_SPENT` when it was put off before.
pub async fn promise_anew(
    tx: &mut Tx,
    subject: Subject,
    kind: ObligationKind,
    due: Timestamp,
    calendar: &Calendar,
) -> Result<()> {
    let Some(running) = lock(tx, subject, kind).await? else { return Ok(()) };
    let put_off_before = sqlx::query_scalar!(
        "select exists (select from obligation
            where collection = $1 and subject_id = $2 and kind = $3 and void_time is not null
                and due_time < $4) as \"before!\"",
        subject.collection,
        subject.uuid,
        kind.wire(),
        running.dues.due.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    if running.dues.due < due && put_off_before {
        return Err(Error::new(Reason::ExtensionSpent));
    }
    void(tx, subject, kind, calendar).await
}

/// Lets an open obligation of the kind go: nobody owes it any more.
pub async fn void(
    tx: &mut Tx,
    subject: Subject,
    kind: ObligationKind,
    calendar: &Calendar,
) -> Result<()> {
    void_any(tx, subject, Some(kind), calendar).await
}

/// Lets every open obligation of a subject go: its life has ended.
pub async fn void_all(tx: &mut Tx, subject: Subject, calendar: &Calendar) -> Result<()> {
    void_any(tx, subject, None, calendar).await
}

async fn void_any(
    tx: &mut Tx,
    subject: Subject,
    kind: Option<ObligationKind>,
    calendar: &Calendar,
) -> Result<()> {
    recount::settling(tx, subject, kind, calendar).await?;
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
        now.to_sqlx()
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
