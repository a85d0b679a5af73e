//! Other systems that are told of events: who they are, what each is told, and the log of the attempts.
//! They are the deployment's, so no scope narrows them; only its administrators come here.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    history,
    notices::{Telling, causes},
    outbox::{self, Topic},
};
use crate::{
    domain::common::{deed::Deed, lifecycle::Note},
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{Tx, Vault},
};

/// How many attempts of a delivery a list shows.
const ATTEMPTS_SHOWN: i64 = 10;

/// Another system.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: Id<kind::Webhook>,
    /// What people call it.
    pub display_name: String,
    /// Where it listens.
    pub url: String,
    /// Of what it is told; empty for everything that leaves.
    pub events: Vec<String>,
    /// When it was made.
    pub create_time: Timestamp,
    /// Since when it is told nothing.
    pub disable_time: Option<Timestamp>,
    /// Rises with each change.
    pub version: i64,
}

struct Row {
    id: Uuid,
    display_name: String,
    url: String,
    events: Vec<String>,
    create_time: Timestamp,
    disable_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row) -> Webhook {
    Webhook {
        id: Id::of(row.id),
        display_name: row.display_name,
        url: row.url,
        events: row.events,
        create_time: row.create_time,
        disable_time: row.disable_time.map(Into::into),
        version: row.version,
    }
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, display_name, url, events, create_time, disable_time, version
             from webhook "# + $filter
            $(, $argument)*
        )
    };
}

/// Stores a new one with its secret, sealed.
pub async fn insert(tx: &mut Tx, webhook: &Webhook, secret: &[u8]) -> Result<()> {
    let sealed = tx.vault().seal("webhook", secret, tx.cx().ids().bytes())?;
    sqlx::query!(
        "insert into webhook (id, display_name, url, secret_sealed, events, create_time, version)
         values ($1, $2, $3, $4, $5, $6, $7)",
        webhook.id.uuid(),
        webhook.display_name,
        webhook.url,
        sealed,
        &webhook.events,
        webhook.create_time.to_sqlx(),
        webhook.version
    )
    .execute(tx.conn())
    .await?;
    history::act(tx, webhook.id.subject(), Deed::Create, Note::none()).await
}

/// One of them, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Webhook>) -> Result<Webhook> {
    let row = select!("where id = $1 for update", id.uuid()).fetch_optional(tx.conn()).await?;
    row.map(entity).ok_or_else(|| Error::new(Reason::NotFound).fact("resource", id))
}

/// Tells it nothing any more.
pub async fn disable(tx: &mut Tx, mut webhook: Webhook, note: Note) -> Result<Webhook> {
    let now = tx.now();
    sqlx::query!(
        "update webhook set disable_time = $2, version = version + 1 where id = $1",
        webhook.id.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    webhook.disable_time = Some(now);
    webhook.version = webhook.version.saturating_add(1);
    history::act(tx, webhook.id.subject(), Deed::Disable, note).await?;
    Ok(webhook)
}

/// Ends what another system says that it wants no more (410), and tells who set it; once.
pub async fn end(tx: &mut Tx, delivery: Uuid) -> Result<()> {
    let of = sqlx::query!(
        "select webhook_id, substr(actor, length('officers/') + 1)::uuid as \"officer?\"
         from webhook_delivery
         left join change on subject_id = webhook_id and collection = 'webhooks'
            and action = 'CREATE' and actor like 'officers/%'
         where webhook_delivery.id = $1",
        delivery
    )
    .fetch_one(tx.conn())
    .await?;
    let webhook = lock(tx, Id::of(of.webhook_id)).await?;
    if webhook.disable_time.is_some() {
        return Ok(());
    }
    let id = webhook.id;
    disable(tx, webhook, Note::internal("对方答复410,不再接收").reason("GONE")).await?;
    causes::of_ended_webhook(tx, id, of.officer.map(Id::of)).await
}

/// All of them, newest first.
pub async fn list(
    connection: &mut PgConnection,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Webhook>> {
    let rows =
        select!("where id < $1 order by id desc limit $2", crate::store::before(after), rows)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Tells every system that wants to know, once for each cause: what happened, to what, and whose it
/// is, by resource names; no person, no plate, no content.
pub async fn tell(tx: &mut Tx, telling: &Telling, enterprise: Id<kind::Enterprise>) -> Result<()> {
    let now = tx.now();
    let event = telling.event.wire();
    let wanting = sqlx::query_scalar!(
        "select id from webhook
         where disable_time is null and (events = '{}' or $1 = any (events))",
        event
    )
    .fetch_all(tx.conn())
    .await?;
    let payload = json!({
        "type": event,
        "timestamp": now.to_string(),
        "data": {
            "subject": telling.subject,
            "number": telling.facts.number,
            "enterprise": enterprise.to_string(),
        },
    });
    let payload = payload.to_string();
    for webhook in wanting {
        let name = Id::<kind::Webhook>::of(webhook).to_string();
        let id = outbox::emit(tx, Topic::Webhook, name, json!({})).await?;
        sqlx::query!(
            "insert into webhook_delivery (id, webhook_id, event, cause, payload, create_time)
             values ($1, $2, $3, $4, $5, $6)",
            id.uuid(),
            webhook,
            event,
            telling.cause,
            payload,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// What is to be sent.
pub struct Letter {
    /// Where to.
    pub url: String,
    /// By what it is signed.
    pub secret: Vec<u8>,
    /// What.
    pub payload: String,
}

/// What is to be sent; `None` when it was, or its webhook was disabled meanwhile.
pub async fn waiting(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Uuid,
) -> Result<Option<Letter>> {
    let row = sqlx::query!(
        "select url, secret_sealed, payload
         from webhook_delivery join webhook on webhook.id = webhook_id
         where webhook_delivery.id = $1 and deliver_time is null and disable_time is null",
        id
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let secret = vault.open("webhook", &row.secret_sealed)?;
    Ok(Some(Letter { url: row.url, secret, payload: row.payload }))
}

/// Notes an attempt: the status that was answered, or 0 and why there was none.
pub async fn attempted(tx: &mut Tx, id: Uuid, status: u16, failure: &str) -> Result<()> {
    let attempt = tx.cx().ids().next::<kind::WebhookDelivery>(tx.now()).uuid();
    let now = tx.now();
    sqlx::query!(
        "insert into webhook_attempt (id, webhook_delivery_id, status, failure, create_time)
         values ($1, $2, $3, $4, $5)",
        attempt,
        id,
        i32::from(status),
        failure,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if (200..300).contains(&status) {
        sqlx::query!(
            "update webhook_delivery set deliver_time = $2 where id = $1",
            id,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// An event told to a webhook.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: Id<kind::WebhookDelivery>,
    /// What happened.
    pub event: String,
    /// When.
    pub create_time: Timestamp,
    /// When it was delivered.
    pub deliver_time: Option<Timestamp>,
    /// The last attempts, newest first.
    pub attempts: Vec<Attempt>,
}

/// An attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When.
    pub time: Timestamp,
    /// The status that was answered; 0 for none.
    pub status: i32,
    /// Why there was none.
    pub failure: String,
}

/// What a webhook was told, newest first, with the log.
pub async fn deliveries(
    connection: &mut PgConnection,
    of: Id<kind::Webhook>,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Delivery>> {
    let rows = sqlx::query!(
        "select id, event, create_time, deliver_time
         from webhook_delivery where webhook_id = $1 and id < $2
         order by id desc limit $3",
        of.uuid(),
        crate::store::before(after),
        rows
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut deliveries = Vec::with_capacity(rows.len());
    for row in rows {
        deliveries.push(Delivery {
            id: Id::of(row.id),
            event: row.event,
            create_time: row.create_time.to_jiff(),
            deliver_time: row.deliver_time.map(Into::into),
            attempts: attempts(connection, row.id).await?,
        });
    }
    Ok(deliveries)
}

async fn attempts(connection: &mut PgConnection, of: Uuid) -> Result<Vec<Attempt>> {
    let rows = sqlx::query!(
        "select create_time, status, failure
         from webhook_attempt where webhook_delivery_id = $1 order by id desc limit $2",
        of,
        ATTEMPTS_SHOWN
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| Attempt {
        time: row.create_time.to_jiff(),
        status: row.status,
        failure: row.failure,
    });
    Ok(rows.collect())
}
