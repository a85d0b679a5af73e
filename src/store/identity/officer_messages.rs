//! Short messages to an officer's own phone: the code to enrol with, and what happens to the account. Phone
//! and code lie sealed until the worker has sent them; then the code is wiped.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{codes::Phone, common::notice::NoticeEvent},
    error::Result,
    id::{Id, kind},
    store::{Tx, Vault, column::unreadable, common::outbox},
};

/// What is told.
#[derive(Debug, Clone)]
pub enum Message {
    /// The code to enrol with, and the end of its time.
    Code(String, Timestamp),
    /// What happened to the account.
    Told(NoticeEvent),
}

impl Message {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Code(..) => "CODE",
            Self::Told(event) => event.wire(),
        }
    }
}

/// Asks the worker to send it.
pub async fn send(
    tx: &mut Tx,
    officer: Id<kind::Officer>,
    phone: &Phone,
    message: &Message,
) -> Result<()> {
    let (id, now): (Id<kind::Event>, _) = (tx.cx().id(), tx.now());
    let ids = tx.cx().ids().clone();
    let phone = tx.vault().seal("phone", phone.as_str().as_bytes(), ids.bytes())?;
    let (code, expire_time) = match message {
        Message::Code(code, until) => {
            (Some(tx.vault().seal("officer-code", code.as_bytes(), ids.bytes())?), Some(*until))
        }
        Message::Told(_) => (None, None),
    };
    sqlx::query!(
        "insert into officer_message (id, officer_id, kind, phone_sealed, code_sealed, expire_time,
            create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        officer.uuid(),
        message.kind(),
        phone,
        code,
        expire_time.map(jiff_sqlx::ToSqlx::to_sqlx),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    let payload = json!({ "officer_message": id.uuid() });
    outbox::emit(tx, outbox::Topic::OfficerMessage, officer.to_string(), payload).await?;
    Ok(())
}

/// What is to be sent, to which digits.
pub struct ToSend {
    /// To whom.
    pub phone: String,
    /// What.
    pub message: Message,
}

impl std::fmt::Debug for ToSend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ToSend({})", self.message.kind())
    }
}

/// What the worker is to send; nothing once it was sent, or once its code is void or out of time.
pub async fn to_send(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<ToSend>> {
    let row = sqlx::query!(
        "select kind, phone_sealed, code_sealed, expire_time
         from officer_message
         where id = $1 and send_time is null and (expire_time is null or expire_time > $2)",
        id,
        now.to_sqlx()
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let phone = vault.open_text("phone", &row.phone_sealed)?;
    let message = match (row.code_sealed, row.expire_time) {
        (Some(code), Some(until)) => {
            Message::Code(vault.open_text("officer-code", &code)?, until.to_jiff())
        }
        (None, None) => {
            let event = NoticeEvent::from_wire(&row.kind);
            Message::Told(event.ok_or_else(|| unreadable("officer_message", "kind", id))?)
        }
        // The code was wiped: another one took its place.
        _ => return Ok(None),
    };
    Ok(Some(ToSend { phone, message }))
}

/// Notes that it was sent, and wipes what it said.
pub async fn sent(tx: &mut Tx, id: Uuid) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update officer_message set send_time = $2, code_sealed = null where id = $1",
        id,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Wipes the codes of an officer that wait to be sent: they are void.
pub async fn wipe_codes(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<()> {
    sqlx::query!(
        "update officer_message set code_sealed = null
         where officer_id = $1 and code_sealed is not null",
        officer.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
