//! Notes among the officers of a post. The enterprise never reads one.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::Result,
    id::{Id, kind},
    store::Tx,
};

/// A note.
#[derive(Debug, Clone)]
pub struct Note {
    /// Its id.
    pub id: Id<kind::ConversationNote>,
    /// On which conversation.
    pub conversation: Id<kind::Conversation>,
    /// Who wrote it.
    pub officer: Id<kind::Officer>,
    /// What it says.
    pub text: String,
    /// When.
    pub create_time: Timestamp,
}

/// Stores a note. The caller has read the conversation within the scope.
pub async fn insert(tx: &mut Tx, note: &Note) -> Result<()> {
    sqlx::query!(
        "insert into conversation_note (id, conversation_id, officer_id, body, create_time)
         values ($1, $2, $3, $4, $5)",
        note.id.uuid(),
        note.conversation.uuid(),
        note.officer.uuid(),
        note.text,
        note.create_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The notes of a conversation, newest first. The caller has read it within the scope.
pub async fn list(
    connection: &mut PgConnection,
    conversation: Id<kind::Conversation>,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Note>> {
    let rows = sqlx::query!(
        "select id, conversation_id, officer_id, body, create_time
         from conversation_note
         where conversation_id = $1 and id < $2
         order by id desc
         limit $3",
        conversation.uuid(),
        crate::store::before(after),
        rows
    )
    .fetch_all(connection)
    .await?;
    let note = rows.into_iter().map(|row| Note {
        id: Id::of(row.id),
        conversation: Id::of(row.conversation_id),
        officer: Id::of(row.officer_id),
        text: row.body,
        create_time: row.create_time.to_jiff(),
    });
    Ok(note.collect())
}
