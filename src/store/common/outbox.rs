//! Events that somebody else must learn of: written with their cause, delivered at least once.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    error::Result,
    id::{Id, kind},
    named::named,
    store::Tx,
};

named! {
/// What happened.
Topic {
    /// A phone must be sent its one-time code.
    PhoneCode = "phone-code", "短信验证码";
    /// An officer's phone must be sent the code to enrol with, or told what happens to the account.
    OfficerMessage = "officer-message", "民警账号短信";
    /// A phone must be told of an invitation.
    Invitation = "invitation", "经办人邀请";
    /// A conversation was handed to the complaint service, with its linked messages.
    RequestFromConversation = "request-from-conversation", "咨询转诉求";
    /// A step of the ladder was taken: who owes it, or leads, must be told.
    Escalation = "escalation", "催办升级";
    /// Somebody must be pushed a notice.
    Notice = "notice", "通知推送";
    /// Somebody must be pushed everything that was held back.
    NoticeDigest = "notice-digest", "通知汇总";
    /// Another system must be told.
    Webhook = "webhook", "系统对接推送";
}
}

/// After so many attempts an event is a dead letter: it stays visible, and is tried once a day.
pub const ATTEMPTS_MAX: i32 = 12;

/// Events that are delivered one after the other: a slow receiver holds up its own kind alone, and
/// never a one-time code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Pushes.
    Notices,
    /// Other systems.
    Webhooks,
    /// Everything else.
    Prompt,
}

impl Lane {
    /// The topics, and whether those or all others are meant.
    fn topics(self) -> (Vec<String>, bool) {
        let notices = [Topic::Escalation, Topic::Notice, Topic::NoticeDigest];
        let webhooks = [Topic::Webhook];
        let names = |topics: &[Topic]| topics.iter().map(|it| it.wire().to_owned()).collect();
        match self {
            Self::Notices => (names(&notices), true),
            Self::Webhooks => (names(&webhooks), true),
            Self::Prompt => (names(&[notices.as_slice(), &webhooks].concat()), false),
        }
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
        now.to_sqlx()
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
/// gets it after that should this one die. The row is not locked during the delivery (OP-08). What
/// belongs to a subject of `busy` is passed over.
pub async fn claim(
    tx: &mut Tx,
    lane: Lane,
    busy: &[String],
    hold: SignedDuration,
) -> Result<Option<Event>> {
    let now = tx.now();
    let (topics, those) = lane.topics();
    let row = sqlx::query!(
        "update event
         set attempts = attempts + 1, next_attempt_time = $2
         where id = (
             select id from event
             where deliver_time is null and next_attempt_time <= $1
                and (topic = any($3)) = $4 and subject <> all($5)
             order by next_attempt_time, id
             limit 1
             for update skip locked
         )
         returning id, topic, subject, payload, attempts - 1 as \"attempts!\"",
        now.to_sqlx(),
        now.saturating_add(hold).unwrap_or(now).to_sqlx(),
        &topics,
        those,
        busy
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
        now.to_sqlx()
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
        again.to_sqlx(),
        failure
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts the other events of the same topic and subject off until the instant, and says until when the
/// last of them waits: an attempt before may have put them off for longer. What was given up for the
/// day is left alone. `None` when no other event waits.
pub async fn put_off(tx: &mut Tx, event: &Event, until: Timestamp) -> Result<Option<Timestamp>> {
    // In one order, and past what another worker holds: two of them never wait for each other.
    sqlx::query!(
        "update event set next_attempt_time = $4
         where id in (
             select id from event
             where topic = $1 and subject = $2 and id <> $3 and deliver_time is null
                and attempts < $5 and next_attempt_time < $4
             order by id
             for update skip locked
         )",
        event.topic,
        event.subject,
        event.id,
        until.to_sqlx(),
        ATTEMPTS_MAX
    )
    .execute(tx.conn())
    .await?;
    let last = sqlx::query_scalar!(
        "select max(next_attempt_time) as last from event
         where topic = $1 and subject = $2 and id <> $3 and deliver_time is null and attempts < $4",
        event.topic,
        event.subject,
        event.id,
        ATTEMPTS_MAX
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(last.map(Into::into))
}

/// Lets an event be delivered again, now and from the first attempt.
pub async fn again(tx: &mut Tx, event: Uuid) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update event set deliver_time = null, attempts = 0, next_attempt_time = $2 where id = $1",
        event,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A delivery that was given up for the day; nothing of its content.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its id.
    pub id: Id<kind::Event>,
    /// What kind of delivery.
    pub topic: String,
    /// To what it belongs: a resource name.
    pub subject: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The reason of the last failure.
    pub failure: String,
    /// When it came about.
    pub create_time: Timestamp,
    /// When it is tried next.
    pub next_attempt_time: Timestamp,
}

macro_rules! dead {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query!(
            r#"select id, topic, subject, attempts, coalesce(failure, '') as "failure!",
                create_time, next_attempt_time
             from event where deliver_time is null and attempts >= 12 "# + $filter
            $(, $argument)*
        )
        .map(|row| DeadLetter {
            id: Id::of(row.id),
            topic: row.topic,
            subject: row.subject,
            attempts: row.attempts,
            failure: row.failure,
            create_time: row.create_time.to_jiff(),
            next_attempt_time: row.next_attempt_time.to_jiff(),
        })
    };
}

/// What was given up for the day, newest first. The outbox is the deployment's: no scope narrows it.
pub async fn dead(
    connection: &mut sqlx::PgConnection,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<DeadLetter>> {
    // The 12 is `ATTEMPTS_MAX`, written out so that the partial index answers.
    let before = crate::store::before(after);
    Ok(dead!("and id < $1 order by id desc limit $2", before, rows).fetch_all(connection).await?)
}

/// One of them, held until the unit of work ends; `None` when it is none, or no more.
pub async fn lock_dead(tx: &mut Tx, id: Id<kind::Event>) -> Result<Option<DeadLetter>> {
    Ok(dead!("and id = $1 for update", id.uuid()).fetch_optional(tx.conn()).await?)
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
        now.to_sqlx()
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
        now.to_sqlx()
    )
    .fetch_optional(connection)
    .await?;
    Ok(phone)
}
