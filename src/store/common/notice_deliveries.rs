//! Pushes on their way: one for each recipient, held back, collected into a digest, sent or given up.
//! Whom and when is the domain's; who sends is the worker.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::outbox::{self, Topic};
use crate::{
    domain::common::notice::{Channel, Facts, NoticeEvent, uuid_of},
    error::{Error, Result},
    store::{Tx, Vault, column::unreadable},
};

/// A push that waits.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Who is pushed to: persons/... or officers/...
    pub recipient: String,
    /// What happened.
    pub event: NoticeEvent,
    /// What the texts speak of.
    pub facts: Facts,
    /// When it happened.
    pub time: Timestamp,
    /// It was held back, and is not a second time.
    pub released: bool,
}

/// A push that is to be sent; `None` when it was sent, collected or given up before.
pub async fn waiting(connection: &mut PgConnection, id: Uuid) -> Result<Option<Delivery>> {
    let row = sqlx::query!(
        "select recipient, event, facts as \"facts: Json<Facts>\", state, notice.create_time
         from notice_delivery join notice on notice.id = notice_id
         where notice_delivery.id = $1 and state in ('PENDING', 'RELEASED')",
        id
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Delivery {
        recipient: row.recipient,
        event: row.event,
        facts: row.facts.0,
        time: row.create_time.to_jiff(),
        released: row.state == "RELEASED",
    }))
}

/// By what a recipient can be reached. Personal data: it lives for one push and is never logged.
#[derive(Default)]
pub struct Reach {
    /// At WeChat.
    pub openid: Option<String>,
    /// By SMS.
    pub phone: Option<String>,
    /// At WeCom, where officers are known by their police numbers.
    pub member: Option<String>,
}

/// By what the recipient can be reached now.
pub async fn reach(connection: &mut PgConnection, vault: &Vault, recipient: &str) -> Result<Reach> {
    let id =
        uuid_of(recipient).ok_or_else(|| unreadable("notice_delivery", "recipient", recipient))?;
    if recipient.starts_with("officers/") {
        let member = sqlx::query_scalar!(
            "select police_number from officer where id = $1 and disable_time is null",
            id
        )
        .fetch_optional(connection)
        .await?;
        return Ok(Reach { member, ..Reach::default() });
    }
    let row = sqlx::query!("select openid_sealed, phone_sealed from person where id = $1", id)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(Reach::default()) };
    let open = |purpose: &str, sealed: Option<Vec<u8>>| {
        sealed.map(|sealed| vault.open_text(purpose, &sealed)).transpose()
    };
    Ok(Reach {
        openid: open("openid", row.openid_sealed)?,
        phone: open("phone", row.phone_sealed)?,
        member: None,
    })
}

/// Notes by which way it was sent.
pub async fn sent(tx: &mut Tx, id: Uuid, by: Channel) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update notice_delivery set state = 'SENT', channel = $2, send_time = $3
         where id = $1 and state in ('PENDING', 'RELEASED')",
        id,
        by.wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// No way leads to the recipient: the inbox is what remains.
pub async fn unreachable(tx: &mut Tx, id: Uuid) -> Result<()> {
    sqlx::query!(
        "update notice_delivery set state = 'UNREACHABLE'
         where id = $1 and state in ('PENDING', 'RELEASED')",
        id
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Holds a push back.
pub async fn hold(tx: &mut Tx, id: Uuid, until: Timestamp) -> Result<()> {
    sqlx::query!(
        "update notice_delivery set state = 'HELD', release_time = $2
         where id = $1 and state = 'PENDING'",
        id,
        until.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Recipients for whom something held back is due.
pub async fn due(connection: &mut PgConnection, now: Timestamp, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select recipient from notice_delivery
         where state = 'HELD' and release_time <= $1
         group by recipient
         order by min(release_time)
         limit $2",
        now.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// What is held back for a recipient and due, held until the unit of work ends.
pub async fn lock_held(tx: &mut Tx, recipient: &str) -> Result<Vec<Uuid>> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        "select id from notice_delivery
         where recipient = $1 and state = 'HELD' and release_time <= $2
         order by id
         for update skip locked",
        recipient,
        now.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?)
}

/// The one push of the day takes everything along; false when the day had its push, and nothing is
/// changed (NO-07).
pub async fn collect(tx: &mut Tx, recipient: &str, held: &[Uuid], day: Date) -> Result<bool> {
    let now = tx.now();
    let count = i32::try_from(held.len()).map_err(Error::internal)?;
    let digest: crate::id::Id<crate::id::kind::Event> = tx.cx().id();
    let first = sqlx::query!(
        "insert into notice_digest (id, recipient, day, notices, create_time)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint notice_digest_once_a_day do nothing",
        digest.uuid(),
        recipient,
        day.to_sqlx(),
        count,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if first.rows_affected() == 0 {
        return Ok(false);
    }
    if let [only] = held {
        // One alone is told as itself.
        sqlx::query!(
            "update notice_delivery set state = 'RELEASED', release_time = null, digest_id = $2
             where id = $1",
            only,
            digest.uuid()
        )
        .execute(tx.conn())
        .await?;
        outbox::again(tx, *only).await?;
        return Ok(true);
    }
    sqlx::query!(
        "update notice_delivery set state = 'COLLECTED', release_time = null, digest_id = $2
         where id = any($1)",
        held,
        digest.uuid()
    )
    .execute(tx.conn())
    .await?;
    let payload = serde_json::json!({ "digest": digest.uuid() });
    outbox::emit(tx, Topic::NoticeDigest, recipient.to_owned(), payload).await?;
    Ok(true)
}

/// Holds everything back until another instant.
pub async fn hold_all(tx: &mut Tx, held: &[Uuid], until: Timestamp) -> Result<()> {
    sqlx::query!(
        "update notice_delivery set release_time = $2 where id = any($1) and state = 'HELD'",
        held,
        until.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A digest that was not sent: for whom, and of how many notices.
pub async fn digest(connection: &mut PgConnection, id: Uuid) -> Result<Option<(String, i32)>> {
    let row = sqlx::query!(
        "select recipient, notices from notice_digest where id = $1 and send_time is null",
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.recipient, row.notices)))
}

/// Notes that a digest was sent, or that no way led to its recipient.
pub async fn digest_done(tx: &mut Tx, id: Uuid, by: Option<Channel>) -> Result<()> {
    let now = tx.now();
    sqlx::query!("update notice_digest set send_time = $2 where id = $1", id, now.to_sqlx())
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "update notice_delivery set state = case when $2::text is null then 'UNREACHABLE'
                else 'SENT' end, channel = $2, send_time = $3
         where digest_id = $1 and state = 'COLLECTED'",
        id,
        by.map(Channel::wire),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
