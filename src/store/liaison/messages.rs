//! Messages: written once, in order, with the row of their conversation; never changed but for the
//! time of a recall.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        complaint::Complaint,
        liaison::{
            conversation::{Conversation, Sender},
            message::{Content, MessageKind, NoticeCode},
        },
    },
    error::{Reason, Result},
    id::{Collection as _, Id, kind},
    store::{OnConstraint as _, Tx},
};

pub use crate::domain::liaison::message::Message;

struct Row {
    conversation_id: Uuid,
    sequence: i64,
    sender: String,
    device_id: Option<Uuid>,
    client_message_id: Option<Uuid>,
    digest: [u8; 32],
    kind: MessageKind,
    body: String,
    detail: String,
    attachment_id: Option<Uuid>,
    target_sequence: Option<i64>,
    recall_time: Option<jiff_sqlx::Timestamp>,
    create_time: Timestamp,
    chain: [u8; 32],
}

fn entity(row: Row) -> Message {
    Message {
        conversation: Id::of(row.conversation_id),
        sequence: row.sequence,
        sender: row.sender,
        sent_as: row.device_id.zip(row.client_message_id),
        digest: row.digest,
        kind: row.kind,
        body: row.body,
        detail: row.detail,
        attachment: row.attachment_id,
        target: row.target_sequence,
        create_time: row.create_time,
        recall_time: row.recall_time.map(Into::into),
        chain: row.chain,
    }
}

/// Every column of a message, in one place; `$rest` says from where and in which order.
macro_rules! select {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select message.conversation_id, message.sequence, message.sender, message.device_id,
                message.client_message_id, message.digest, message.kind, message.body,
                message.detail, message.attachment_id, message.target_sequence, message.recall_time,
                message.create_time, message.chain "# + $rest
            $(, $argument)*
        )
    };
}

/// Stores a message together with what it changed in its conversation: one statement, under the
/// row's lock.
///
/// # Errors
/// `ALREADY_EXISTS` when a twin of the same sender and client message id was faster, and what
/// [`Scope::missing`] says when the sender was taken out meanwhile.
pub async fn append(
    tx: &mut Tx,
    conversation: &Conversation,
    message: &Message,
    scope: &Scope,
) -> Result<()> {
    let sql = |time: Option<Timestamp>| time.map(Timestamp::to_sqlx);
    let (device, client_message_id) = message.sent_as.unzip();
    let appended = sqlx::query!(
        "with said as (
            insert into message (conversation_id, sequence, sender, device_id, client_message_id,
                digest, kind, body, detail, attachment_id, target_sequence, create_time, chain)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         )
         update conversation set last_sequence = $2, chain = $13, update_time = $12,
            awaiting_since = $14, auto_reply_time = $15, reply_time = $16, reply_due_time = $17
         where id = $1
            and ($18 or takes_part(id, enterprise_id, liaison_post_id, $19, $20, $12))",
        message.conversation.uuid(),
        message.sequence,
        message.sender,
        device,
        client_message_id,
        message.digest.as_slice(),
        message.kind.wire(),
        message.body,
        message.detail,
        message.attachment,
        message.target,
        message.create_time.to_sqlx(),
        message.chain.as_slice(),
        sql(conversation.awaiting_since),
        sql(conversation.auto_reply_time),
        sql(conversation.reply_time),
        sql(conversation.reply_due_time),
        scope.all,
        scope.person,
        scope.officer
    )
    .execute(tx.conn())
    .await
    .on_constraint("message_sent_once", Reason::AlreadyExists)?;
    if appended.rows_affected() == 1 {
        tx.tell(message.conversation.uuid());
        Ok(())
    } else {
        Err(scope.missing(conversation.id.subject()))
    }
}

/// Puts a notice of the system at the end.
pub async fn notice(
    tx: &mut Tx,
    conversation: &mut Conversation,
    code: NoticeCode,
    text: String,
) -> Result<()> {
    let everything = Scope::everything("a notice is the system's, whoever caused it");
    let message = conversation.append(Sender::system(), &Content::Notice(code, text), tx.now());
    append(tx, conversation, &message, &everything).await
}

/// What somebody sent under this id before (CH-03), whichever sign-in it came by.
pub async fn sent(
    connection: &mut PgConnection,
    conversation: Id<kind::Conversation>,
    sender: &str,
    client_message_id: Uuid,
) -> Result<Option<Message>> {
    let row = select!(
        "from message
         where conversation_id = $1 and sender = $2 and client_message_id = $3 and not repeated",
        conversation.uuid(),
        sender,
        client_message_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(entity))
}

/// One message, in a conversation that the caller has locked.
pub async fn get(
    tx: &mut Tx,
    conversation: Id<kind::Conversation>,
    sequence: i64,
) -> Result<Option<Message>> {
    let row = select!(
        "from message where conversation_id = $1 and sequence = $2",
        conversation.uuid(),
        sequence
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(entity))
}

/// Marks a message as taken back; its content stays under lock (CH-10).
pub async fn recall(tx: &mut Tx, of: Id<kind::Conversation>, sequence: i64) -> Result<bool> {
    let now = tx.now();
    let recalled = sqlx::query!(
        "update message set recall_time = $3
         where conversation_id = $1 and sequence = $2 and recall_time is null",
        of.uuid(),
        sequence,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(recalled.rows_affected() == 1)
}

/// A piece of a conversation.
#[derive(Debug)]
pub struct Piece {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// The sequence of the newest message.
    pub last_sequence: i64,
}

/// The messages after a sequence, as the reader may see them. Whether the reader takes part is
/// judged in the same statement: what was committed after a removal cannot come with it (I15).
pub async fn after(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    after: i64,
    scope: &Scope,
    now: Timestamp,
    limit: i64,
) -> Result<Piece> {
    let rows = select!(
        "from conversation join message on message.conversation_id = conversation.id
         where conversation.id = $1 and message.sequence > $2
            and takes_part(conversation.id, enterprise_id, liaison_post_id, $3, $4, $5)
         order by message.sequence
         limit $6",
        id.uuid(),
        after,
        scope.person,
        scope.officer,
        now.to_sqlx(),
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let messages = rows.into_iter().map(entity).collect::<Vec<_>>();
    let full = i64::try_from(messages.len()).is_ok_and(|read| read >= limit);
    let last_sequence = match messages.last() {
        // Sequences have no gap, so what ends before the limit ends with the conversation.
        Some(last) if !full => last.sequence,
        // No row is either no news or no right: the second look tells which.
        _ => super::conversations::get(connection, id, scope, now).await?.last_sequence,
    };
    let messages = messages.into_iter().map(Message::shown).collect();
    Ok(Piece { messages, last_sequence })
}

/// The messages before a sequence, in order: for scrolling back.
pub async fn before(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    before: i64,
    scope: &Scope,
    now: Timestamp,
    rows: i64,
) -> Result<Piece> {
    let conversation = super::conversations::get(connection, id, scope, now).await?;
    let rows = select!(
        "from conversation join message on message.conversation_id = conversation.id
         where conversation.id = $1 and message.sequence < $2
            and takes_part(conversation.id, enterprise_id, liaison_post_id, $3, $4, $5)
         order by message.sequence desc
         limit $6",
        id.uuid(),
        before,
        scope.person,
        scope.officer,
        now.to_sqlx(),
        rows
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut messages = rows.into_iter().map(entity).collect::<Vec<_>>();
    messages.reverse();
    let messages = messages.into_iter().map(Message::shown).collect();
    Ok(Piece { messages, last_sequence: conversation.last_sequence })
}

/// The messages after a sequence, originals included: for audited reads alone, whose caller has
/// recorded the reason.
pub async fn originals(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    after: i64,
    rows: i64,
) -> Result<Vec<Message>> {
    let rows = select!(
        "from message where conversation_id = $1 and sequence > $2 order by sequence limit $3",
        id.uuid(),
        after,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The messages that were handed over with a complaint, as those who took part see them. The caller
/// has read the complaint within the scope.
pub async fn handed_over(
    connection: &mut PgConnection,
    complaint: &Complaint,
) -> Result<Vec<Message>> {
    let origin = complaint.origin.as_ref();
    let Some((_, conversation)) = origin.filter(|(of, _)| of == kind::Conversation::NAME) else {
        return Ok(Vec::new());
    };
    let rows = select!(
        "from message where conversation_id = $1 and sequence = any($2) order by sequence",
        conversation,
        &complaint.linked_sequences
    )
    .fetch_all(connection)
    .await?;
    let messages = rows.into_iter().map(entity).collect::<Vec<_>>();
    Ok(messages.into_iter().map(Message::shown).collect())
}

/// Messages of a supervisor's units that hold a text, newest first: for audited reads alone.
pub async fn search(
    connection: &mut PgConnection,
    text: &str,
    (from, until): (Timestamp, Timestamp),
    scope: &Scope,
    rows: i64,
) -> Result<Vec<Message>> {
    let rows = select!(
        "from message join conversation on conversation.id = conversation_id
         where $1::text is not null and starts_with(unit_path, $1)
            and message.create_time >= $2 and message.create_time < $3
            and position(lower(normalize($4, NFKC)) in lower(normalize(body, NFKC))) > 0
         order by message.create_time desc, message.sequence desc
         limit $5",
        scope.unit_path,
        from.to_sqlx(),
        until.to_sqlx(),
        text,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The type of a complete file of the conversation.
pub async fn attachment(
    tx: &mut Tx,
    conversation: &Conversation,
    id: Id<kind::Attachment>,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "select content_type from attachment
         where id = $1 and conversation_id = $2 and complete_time is not null",
        id.uuid(),
        conversation.id.uuid()
    )
    .fetch_optional(tx.conn())
    .await?)
}

/// Whether a truck pass belongs to the enterprise.
pub async fn pass_of(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    id: Id<kind::TruckPass>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from truck_pass where id = $1 and enterprise_id = $2) as \"is!\"",
        id.uuid(),
        enterprise.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}
