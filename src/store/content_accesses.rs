//! Who read the content of conversations without taking part, and why: written before it is given.
//! And the figures, which hold no content.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Tx;
use crate::{
    actor::Scope,
    error::Result,
    id::{Id, kind},
};

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
    /// `INSPECT`, `SEARCH`, `EXPORT` or `READ_REDACTED`.
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
            query, create_time, complaint_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        access.id.uuid(),
        access.officer.uuid(),
        access.unit_path,
        access.conversation.map(Id::uuid),
        access.action,
        access.reason,
        access.query,
        access.create_time.to_sqlx() as _,
        access.complaint.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The accesses of the units in reach, newest first.
pub async fn list(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<ContentAccess>> {
    let rows = sqlx::query!(
        "select id, officer_id, unit_path, conversation_id, complaint_id, action, reason, query,
            create_time as \"create_time: jiff_sqlx::Timestamp\"
         from content_access
         where id < $1 and ($2::text is not null and starts_with(unit_path, $2))
         order by id desc
         limit $3",
        super::before(after),
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
        from.to_sqlx() as _,
        until.to_sqlx() as _
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
