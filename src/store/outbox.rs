//! Events that somebody else must learn of: written with their cause, delivered at least once.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use uuid::Uuid;

use super::Tx;
use crate::{
    error::Result,
    id::{Id, kind},
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A phone must be sent its one-time code.
    PhoneCode,
    /// A phone must be told of an invitation.
    Invitation,
    /// A conversation was handed to the complaint service, with its linked messages.
    RequestFromConversation,
}

impl Topic {
    /// The name in the table.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::PhoneCode => "phone-code",
            Self::Invitation => "invitation",
            Self::RequestFromConversation => "request-from-conversation",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        [Self::PhoneCode, Self::Invitation, Self::RequestFromConversation]
            .into_iter()
            .find(|topic| topic.wire() == text)
    }
}

/// Adds an event to the unit of work. The payload holds ids, never personal data.
pub async fn emit(
    tx: &mut Tx,
    topic: Topic,
    subject: String,
    payload: Value,
) -> Result<Id<kind::Event>> {
    let id: Id<kind::Event> = tx.cx().id();
    let now = tx.now();
    sqlx::query!(
        "insert into event (id, topic, subject, payload, create_time, attempts, next_attempt_time)
         values ($1, $2, $3, $4, $5, 0, $5)",
        id.uuid(),
        topic.wire(),
        subject,
        payload,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// An event that is to be delivered.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its id.
    pub id: Uuid,
    /// What happened.
    pub topic: String,
    /// To what.
    pub subject: String,
    /// The ids that the delivery needs.
    pub payload: Value,
    /// How often it was tried before.
    pub attempts: i32,
}

/// Takes the next event that is due, for a while: another worker does not get it meanwhile, and
/// gets it after that should this one die. The row is not locked during the delivery (OP-08).
pub async fn claim(tx: &mut Tx, hold: SignedDuration) -> Result<Option<Event>> {
    let now = tx.now();
    let row = sqlx::query!(
        "update event
         set attempts = attempts + 1, next_attempt_time = $2
         where id = (
             select id from event
             where deliver_time is null and next_attempt_time <= $1
             order by next_attempt_time, id
             limit 1
             for update skip locked
         )
         returning id, topic, subject, payload, attempts - 1 as \"attempts!\"",
        now.to_sqlx() as _,
        now.saturating_add(hold).unwrap_or(now).to_sqlx() as _
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Event {
        id: row.id,
        topic: row.topic,
        subject: row.subject,
        payload: row.payload,
        attempts: row.attempts,
    }))
}

/// Marks an event as delivered.
pub async fn delivered(tx: &mut Tx, event: Uuid) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update event set deliver_time = $2, failure = null where id = $1",
        event,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts an event off until the instant, with the reason of the failure.
pub async fn failed(tx: &mut Tx, event: Uuid, again: Timestamp, failure: &str) -> Result<()> {
    sqlx::query!(
        "update event set next_attempt_time = $2, failure = $3 where id = $1",
        event,
        again.to_sqlx() as _,
        failure
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// How many events wait: what the harness and the health page ask.
pub async fn open(connection: &mut sqlx::PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!("select count(*) as \"open!\" from event where deliver_time is null")
        .fetch_one(connection)
        .await?)
}

/// The sealed phone and code of a one-time code that still counts.
pub async fn phone_code(
    connection: &mut sqlx::PgConnection,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let row = sqlx::query!(
        "select phone_sealed, code_sealed from phone_code
         where id = $1 and use_time is null and expire_time > $2",
        id,
        now.to_sqlx() as _
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.phone_sealed, row.code_sealed)))
}

/// The sealed phone of an invitation that is still open.
pub async fn invited_phone(
    connection: &mut sqlx::PgConnection,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    let phone = sqlx::query_scalar!(
        "select phone_sealed from invitation
         where id = $1 and accept_time is null and expire_time > $2",
        id,
        now.to_sqlx() as _
    )
    .fetch_optional(connection)
    .await?;
    Ok(phone)
}
