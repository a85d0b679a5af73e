//! Who of the police read what of somebody's, when and why: written before it is given. And the
//! figures of conversations, which hold no content.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::{Actor, Scope},
    context::Cx,
    error::Result,
    id::{Id, kind},
    store::{Store, Tx, identity::actors},
};

/// How long a file stays open after the reason was given.
pub const OPEN_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Within what time the pieces of one paper, or the pages of one list, are one reading.
const ONE_READING: SignedDuration = SignedDuration::from_mins(10);

/// An access.
#[derive(Debug, Clone)]
pub struct ContentAccess {
    /// Its id.
    pub id: Id<kind::ContentAccess>,
    /// Who read.
    pub officer: Id<kind::Officer>,
    /// The part of the tree that the reader sees.
    pub unit_path: String,
    /// What was read; absent for a search.
    pub conversation: Option<Id<kind::Conversation>>,
    /// Whose redacted text was read.
    pub complaint: Option<Id<kind::Complaint>>,
    /// What it was, by its resource name; empty for a search.
    pub subject: String,
    /// `INSPECT`, `SEARCH`, `EXPORT`, `READ_REDACTED`, `OPEN`, `READ_PAPER`, `READ_CHECKS` or
    /// `READ_TRANSCRIPT`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// What was searched for.
    pub query: String,
    /// When.
    pub create_time: Timestamp,
}

/// Records an access.
pub async fn insert(tx: &mut Tx, access: &ContentAccess) -> Result<()> {
    sqlx::query!(
        "insert into content_access (id, officer_id, unit_path, conversation_id, action, reason,
            query, create_time, complaint_id, subject)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        access.id.uuid(),
        access.officer.uuid(),
        access.unit_path,
        access.conversation.map(Id::uuid),
        access.action,
        access.reason,
        access.query,
        access.create_time.to_sqlx(),
        access.complaint.map(Id::uuid),
        access.subject
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Opens a file for a while: what its reader sees changes with it, at once.
pub async fn open(tx: &mut Tx, access: &ContentAccess) -> Result<()> {
    insert(tx, access).await?;
    tx.touch(actors::key(&access.officer.to_string()));
    Ok(())
}

/// Something that is read now.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// `READ_PAPER`, `READ_CHECKS` or `READ_TRANSCRIPT`.
    pub action: &'a str,
    /// Its resource name.
    pub subject: &'a str,
    /// What was looked for.
    pub query: &'a str,
    /// Whether it is read because its file was opened with a reason, and not in the course of duty.
    pub opened: bool,
}

/// Records that an officer reads something now, before it is given. Why: the reason that opened it, or
/// the roles whose duty it is. The pieces of one reading are one record.
pub async fn note(store: &Store, cx: &Cx, reading: Reading<'_>) -> Result<()> {
    let Actor::Officer { officer, unit_path, roles, .. } = &cx.actor else { return Ok(()) };
    let roles = roles.iter().map(crate::actor::Role::wire).collect::<Vec<_>>().join(" ");
    let Reading { action, subject, query, opened } = reading;
    let since = cx.now.saturating_sub(ONE_READING).unwrap_or(cx.now);
    let mut tx = store.begin(cx).await?;
    let id: Id<kind::ContentAccess> = cx.id();
    sqlx::query!(
        "insert into content_access (id, officer_id, unit_path, action, reason, query, create_time,
            subject)
         select $1, $2, $3, $4, coalesce((
                select opening.reason from content_access opening
                where opening.officer_id = $2 and opening.action = 'OPEN'
                    and opening.create_time > $9 and $11
                order by opening.id desc limit 1), $5), $6, $7, $8
         where not exists (select from content_access before
            where before.officer_id = $2 and before.subject = $8 and before.action = $4
                and before.query = $6 and before.create_time > $10)",
        id.uuid(),
        officer.uuid(),
        unit_path,
        action,
        roles,
        query,
        cx.now.to_sqlx(),
        subject,
        cx.now.saturating_sub(OPEN_FOR).unwrap_or(cx.now).to_sqlx(),
        since.to_sqlx(),
        opened
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await
}

/// The accesses of the units in reach, newest first.
pub async fn list(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<ContentAccess>> {
    let rows = sqlx::query!(
        "select id, officer_id, unit_path, conversation_id, complaint_id, subject, action, reason,
            query, create_time
         from content_access
         where id < $1 and ($2::text is not null and starts_with(unit_path, $2))
         order by id desc
         limit $3",
        crate::store::before(after),
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    let access = rows.into_iter().map(|row| ContentAccess {
        id: Id::of(row.id),
        officer: Id::of(row.officer_id),
        unit_path: row.unit_path,
        conversation: row.conversation_id.map(Id::of),
        complaint: row.complaint_id.map(Id::of),
        subject: row.subject,
        action: row.action,
        reason: row.reason,
        query: row.query,
        create_time: row.create_time.to_jiff(),
    });
    Ok(access.collect())
}

/// Figures over a time: no content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Conversations that were opened.
    pub conversations: i64,
    /// Messages.
    pub messages: i64,
    /// Closes.
    pub closed: i64,
    /// First replies that fell due.
    pub first_replies_due: i64,
    /// Of these, late.
    pub first_replies_late: i64,
    /// Next replies that fell due.
    pub next_replies_due: i64,
    /// Of these, late.
    pub next_replies_late: i64,
    /// Closes that were rated.
    pub rated: i64,
    /// Of these, at least basically satisfied.
    pub satisfied: i64,
    /// Of these, solved.
    pub solved: i64,
}

/// The figures of the units in reach.
pub async fn figures(
    connection: &mut PgConnection,
    (from, until): (Timestamp, Timestamp),
    scope: &Scope,
) -> Result<Figures> {
    let row = sqlx::query!(
        "with reach as (
            select id from conversation
            where $1::text is not null and starts_with(unit_path, $1)
         ), owed as (
            select kind, coalesce(meet_time, breach_time) >= due_time as late
            from obligation
            where $1::text is not null and starts_with(unit_path, $1) and void_time is null
                and collection = 'conversations' and open_time >= $2 and open_time < $3
                and (meet_time is not null or breach_time is not null)
         ), closed as (
            select level, solved from evaluation
            where collection = 'conversations' and subject_id in (select id from reach)
                and create_time >= $2 and create_time < $3
         )
         select
            (select count(*) from conversation where id in (select id from reach)
                and create_time >= $2 and create_time < $3) as \"conversations!\",
            (select count(*) from message where conversation_id in (select id from reach)
                and create_time >= $2 and create_time < $3) as \"messages!\",
            (select count(*) from closed) as \"closed!\",
            (select count(*) from owed where kind = 'FIRST_REPLY') as \"first_due!\",
            (select count(*) from owed where kind = 'FIRST_REPLY' and late) as \"first_late!\",
            (select count(*) from owed where kind = 'NEXT_REPLY') as \"next_due!\",
            (select count(*) from owed where kind = 'NEXT_REPLY' and late) as \"next_late!\",
            (select count(*) from closed where level is not null) as \"rated!\",
            (select count(*) from closed where level in
                ('VERY_SATISFIED', 'SATISFIED', 'BASICALLY_SATISFIED')) as \"satisfied!\",
            (select count(*) from closed where solved) as \"solved!\"",
        scope.unit_path,
        from.to_sqlx(),
        until.to_sqlx()
    )
    .fetch_one(connection)
    .await?;
    Ok(Figures {
        conversations: row.conversations,
        messages: row.messages,
        closed: row.closed,
        first_replies_due: row.first_due,
        first_replies_late: row.first_late,
        next_replies_due: row.next_due,
        next_replies_late: row.next_late,
        rated: row.rated,
        satisfied: row.satisfied,
        solved: row.solved,
    })
}
