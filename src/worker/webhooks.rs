//! Tells other systems: signed anew at each attempt, every attempt in the log, no transaction open
//! while they are called (OP-08).

use crate::{
    context::Cx,
    domain::common::webhook::signature,
    error::{Error, Reason, Result},
    parts::Parts,
    remote::webhook::Letter,
    store::common::{outbox::Event, webhooks},
};

/// What a receiver answers that wants to be told nothing any more.
const GONE: u16 = 410;

/// Delivers one.
pub(super) async fn deliver(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let mut connection = parts.store.read().await?;
    let waiting = webhooks::waiting(&mut connection, parts.store.vault(), event.id).await?;
    drop(connection);
    let Some(waiting) = waiting else { return Ok(()) };
    let id = format!("msg_{}", event.id.simple());
    let letter = Letter {
        url: &waiting.url,
        id: &id,
        timestamp: cx.now.as_second(),
        signature: &signature(&waiting.secret, &id, cx.now, &waiting.payload),
        body: &waiting.payload,
    };
    let answered = parts.webhooks.post(&letter).await;
    let (status, failure) = match &answered {
        Ok(status) => (*status, ""),
        Err(error) => (0, error.reason().wire()),
    };
    let mut tx = parts.store.begin(cx).await?;
    webhooks::attempted(&mut tx, event.id, status, failure).await?;
    if status == GONE {
        webhooks::end(&mut tx, event.id).await?;
    }
    tx.commit().await?;
    match answered? {
        // What else is under way for it is dropped as well.
        200..300 | GONE => Ok(()),
        _ => Err(Error::new(Reason::RemoteUnavailable).fact("service", "webhook")),
    }
}
