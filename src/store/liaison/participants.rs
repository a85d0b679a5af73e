//! Who takes part in a conversation, and how far each has read. Who may see it is judged with the conversation.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::Result,
    id::{Id, kind},
    store::Tx,
};

/// A person of the enterprise in a conversation.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub person: Id<kind::Person>,
    /// The full name.
    pub full_name: String,
    /// Since when.
    pub join_time: Timestamp,
}

/// Who of the enterprise takes part.
pub async fn members(
    connection: &mut PgConnection,
    vault: &crate::store::Vault,
    id: Id<kind::Conversation>,
) -> Result<Vec<Member>> {
    let rows = sqlx::query!(
        "select conversation_member.person_id, full_name_sealed, join_time
         from conversation_member
         join conversation on conversation.id = conversation_id
         join member on member.enterprise_id = conversation.enterprise_id
            and member.person_id = conversation_member.person_id and member.end_time is null
         where conversation_id = $1 and leave_time is null
         order by join_time, conversation_member.person_id",
        id.uuid()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                person: Id::of(row.person_id),
                full_name: vault.open_text("full-name", &row.full_name_sealed)?,
                join_time: row.join_time.to_jiff(),
            })
        })
        .collect()
}

/// Whether the person may take part for the enterprise.
pub async fn may_join(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    person: Id<kind::Person>,
) -> Result<bool> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        "select exists (select from member
            where enterprise_id = $1 and person_id = $2 and end_time is null
                and (valid_until is null or valid_until > $3)
                and (role = 'LEGAL_REPRESENTATIVE' or 'LIAISON' = any (scope))) as \"may!\"",
        enterprise.uuid(),
        person.uuid(),
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// Takes a person in; one who left before comes back.
pub async fn join(tx: &mut Tx, id: Id<kind::Conversation>, person: Id<kind::Person>) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into conversation_member (conversation_id, person_id, join_time)
         values ($1, $2, $3)
         on conflict on constraint conversation_member_pkey
         do update set leave_time = null, join_time = case
            when conversation_member.leave_time is null then conversation_member.join_time
            else excluded.join_time end",
        id.uuid(),
        person.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    raise_access(tx, id).await
}

/// Takes a person out. False when the person did not take part.
pub async fn leave(
    tx: &mut Tx,
    id: Id<kind::Conversation>,
    person: Id<kind::Person>,
) -> Result<bool> {
    let now = tx.now();
    let left = sqlx::query!(
        "update conversation_member set leave_time = $3
         where conversation_id = $1 and person_id = $2 and leave_time is null",
        id.uuid(),
        person.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    raise_access(tx, id).await?;
    Ok(left.rows_affected() == 1)
}

async fn raise_access(tx: &mut Tx, id: Id<kind::Conversation>) -> Result<()> {
    sqlx::query!(
        "update conversation set access_version = access_version + 1 where id = $1",
        id.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Raises the version of access of every conversation of a post: its roster changed.
pub async fn raise_access_of_post(tx: &mut Tx, post: Id<kind::LiaisonPost>) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "update conversation set access_version = access_version + 1
         where liaison_post_id = $1
         returning id",
        post.uuid()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// What a reader has received and read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last message that has arrived.
    pub delivered: i64,
    /// The last message that was read.
    pub read: i64,
}

/// Moves a reader's marks forward, never back (CH-06). Whoever reads has received.
pub async fn mark(
    tx: &mut Tx,
    id: Id<kind::Conversation>,
    reader: &str,
    mark: Mark,
) -> Result<(Mark, bool)> {
    let row = sqlx::query!(
        "with before as (
            select delivered_sequence, read_sequence from conversation_mark
            where conversation_id = $1 and reader = $2
         )
         insert into conversation_mark (conversation_id, reader, delivered_sequence, read_sequence)
         values ($1, $2, $3, $4)
         on conflict on constraint conversation_mark_pkey do update set
            delivered_sequence =
                greatest(conversation_mark.delivered_sequence, excluded.delivered_sequence),
            read_sequence = greatest(conversation_mark.read_sequence, excluded.read_sequence)
         returning delivered_sequence, read_sequence,
            (select row(before.delivered_sequence, before.read_sequence) from before)
                is distinct from row(delivered_sequence, read_sequence) as \"risen!\"",
        id.uuid(),
        reader,
        mark.delivered.max(mark.read),
        mark.read
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((Mark { delivered: row.delivered_sequence, read: row.read_sequence }, row.risen))
}

/// The marks of every reader.
pub async fn marks(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
) -> Result<Vec<(String, Mark)>> {
    let rows = sqlx::query!(
        "select reader, delivered_sequence, read_sequence from conversation_mark
         where conversation_id = $1
         order by reader",
        id.uuid()
    )
    .fetch_all(connection)
    .await?;
    let mark = |delivered, read| Mark { delivered, read };
    Ok(rows
        .into_iter()
        .map(|row| (row.reader, mark(row.delivered_sequence, row.read_sequence)))
        .collect())
}

/// How many messages the reader has not read, up to 100: neither own, nor taken back, nor notices.
pub async fn unread(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    reader: &str,
) -> Result<i32> {
    let count = sqlx::query_scalar!(
        "select count(*) as \"count!\" from (
            select from message
            where conversation_id = $1
                and sequence > coalesce((select read_sequence from conversation_mark
                    where conversation_id = $1 and conversation_mark.reader = $2), 0)
                and sender <> $2 and recall_time is null and kind not in ('SYSTEM_NOTICE', 'RECALL')
            limit 100) as unread",
        id.uuid(),
        reader
    )
    .fetch_one(connection)
    .await?;
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}
