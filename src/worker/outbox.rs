//! Delivers what the outbox holds: at least once, and never with a transaction open (OP-08).

use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{news, notices, webhooks};
use crate::{
    context::Cx,
    error::{Error, Reason, Result},
    parts::Parts,
    store::{
        common::outbox::{self, ATTEMPTS_MAX, Event, Lane, Topic},
        complaint::complaints::filing::from_conversation,
        identity::officer_messages::{self, Message},
    },
};

/// How long another worker leaves an event alone that one has claimed.
const HOLD: SignedDuration = SignedDuration::from_secs(60);
/// The longest wait between two attempts.
const BACKOFF_SECONDS_MAX: i64 = 3_600;
/// A dead letter is tried once a day.
const DEAD_LETTER_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// How many other systems are called at once: one that does not answer holds up itself alone.
const WEBHOOKS_AT_ONCE: usize = 8;

/// Delivers everything of a lane that is due, until it is told to stop: what is under way then is
/// delivered, and nothing more is taken. Of one subject no two events are under way.
pub(super) async fn round(
    parts: &Parts,
    lane: Lane,
    stop: &CancellationToken,
    cx: &(dyn Fn() -> Cx + Sync),
) -> Result<()> {
    let at_once = match lane {
        Lane::Webhooks => WEBHOOKS_AT_ONCE,
        Lane::Notices | Lane::Prompt => 1,
    };
    let (mut under_way, mut subjects) = (FuturesUnordered::new(), Vec::new());
    let mut failure = None;
    loop {
        while failure.is_none() && under_way.len() < at_once && !stop.is_cancelled() {
            match claim(parts, lane, &subjects, &cx()).await {
                Ok(Some(event)) => {
                    subjects.push(event.subject.clone());
                    under_way.push(attempt(parts, lane, event, cx));
                }
                Ok(None) => break,
                Err(error) => failure = Some(error),
            }
        }
        let Some((subject, settled)) = under_way.next().await else {
            return failure.map_or(Ok(()), Err);
        };
        subjects.retain(|busy| *busy != subject);
        failure = failure.or(settled.err());
    }
}

async fn claim(parts: &Parts, lane: Lane, busy: &[String], cx: &Cx) -> Result<Option<Event>> {
    let mut tx = parts.store.begin(cx).await?;
    let Some(event) = outbox::claim(&mut tx, lane, busy, HOLD).await? else { return Ok(None) };
    tx.commit().await?;
    Ok(Some(event))
}

/// Delivers an event and notes what became of it; says whose it was.
async fn attempt(
    parts: &Parts,
    lane: Lane,
    event: Event,
    cx: &(dyn Fn() -> Cx + Sync),
) -> (String, Result<()>) {
    let delivered = deliver(parts, &cx(), &event).await;
    let settled = settle(parts, lane, &event, delivered, &cx()).await;
    (event.subject, settled)
}

async fn settle(
    parts: &Parts,
    lane: Lane,
    event: &Event,
    delivered: Result<()>,
    cx: &Cx,
) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let Err(error) = delivered else {
        outbox::delivered(&mut tx, event.id).await?;
        return tx.commit().await;
    };
    tracing::warn!(topic = event.topic, attempts = event.attempts, %error, "not delivered");
    let wait = backoff(event.attempts);
    let mut again = tx.now().saturating_add(wait).unwrap_or(tx.now());
    // A receiver that gave no answer at all is left alone: each of its other events would wait for
    // it as long as this one did.
    if lane == Lane::Webhooks && error.wait().is_some() {
        let rest = wait.min(SignedDuration::from_secs(BACKOFF_SECONDS_MAX));
        let rest = tx.now().saturating_add(rest).unwrap_or(tx.now());
        again = outbox::put_off(&mut tx, event, rest).await?.map_or(again, |it| it.max(again));
    }
    // The reason alone: a delivery's text may hold what the log must not.
    outbox::failed(&mut tx, event.id, again, error.reason().wire()).await?;
    tx.commit().await
}

fn backoff(attempts: i32) -> SignedDuration {
    if attempts >= ATTEMPTS_MAX {
        return DEAD_LETTER_WAIT;
    }
    let exponent = u32::try_from(attempts.max(0)).unwrap_or(0);
    let seconds = 1_i64.checked_shl(exponent).unwrap_or(BACKOFF_SECONDS_MAX);
    SignedDuration::from_secs(seconds.clamp(1, BACKOFF_SECONDS_MAX))
}

async fn deliver(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    match Topic::from_wire(&event.topic) {
        Some(Topic::PhoneCode) => phone_code(parts, event).await,
        Some(Topic::OfficerMessage) => officer_message(parts, cx, event).await,
        Some(Topic::Invitation) => invitation(parts, event).await,
        Some(Topic::RequestFromConversation) => request(parts, cx, event).await,
        Some(Topic::Escalation) => news::escalated(parts, cx, event).await,
        Some(Topic::Notice) => notices::deliver(parts, cx, event).await,
        Some(Topic::NoticeDigest) => notices::deliver_digest(parts, cx, event).await,
        Some(Topic::Webhook) => webhooks::deliver(parts, cx, event).await,
        None => Err(Error::internal("an event of an unknown topic")),
    }
}

pub(super) fn subject(event: &Event, key: &str) -> Result<uuid::Uuid> {
    let id = event.payload.get(key).and_then(serde_json::Value::as_str);
    let id = id.and_then(|id| uuid::Uuid::try_parse(id).ok());
    id.ok_or_else(|| Error::internal("an event without its subject"))
}

/// What a conversation handed over becomes a complaint.
async fn request(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let calendar = parts.world.get(&parts.store).await?.calendar.clone();
    let mut tx = parts.store.begin(cx).await?;
    from_conversation(&mut tx, cx, &calendar, event.id, &event.payload).await?;
    tx.commit().await
}

async fn phone_code(parts: &Parts, event: &Event) -> Result<()> {
    let id = subject(event, "phone_code")?;
    let now = parts.clock.now();
    let mut connection = parts.store.read().await?;
    let sealed = outbox::phone_code(&mut connection, id, now).await?;
    drop(connection);
    // A code that is used or out of time is not sent any more.
    let Some((phone, code)) = sealed else { return Ok(()) };
    let vault = parts.store.vault();
    let phone = vault.open_text("phone", &phone)?;
    let code = vault.open_text("phone-code", &code)?;
    let sms = parts.sms.as_ref().ok_or_else(|| Error::new(Reason::RemoteUnavailable))?;
    sms.send_code(&phone, &code).await
}

async fn officer_message(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let id = subject(event, "officer_message")?;
    let mut connection = parts.store.read().await?;
    let vault = parts.store.vault();
    let waiting = officer_messages::to_send(&mut connection, vault, id, cx.now).await?;
    drop(connection);
    let Some(waiting) = waiting else { return Ok(()) };
    match (&waiting.message, &parts.sms) {
        (Message::Code(code, _), Some(sms)) => sms.send_enrolment(&waiting.phone, code).await?,
        (Message::Told(what), Some(sms)) => sms.send_account(&waiting.phone, what.zh()).await?,
        (Message::Code(..), None) => return Err(Error::new(Reason::RemoteUnavailable)),
        // Without a gateway the inbox is what remains.
        (Message::Told(_), None) => {}
    }
    let mut tx = parts.store.begin(cx).await?;
    officer_messages::sent(&mut tx, id).await?;
    tx.commit().await
}

async fn invitation(parts: &Parts, event: &Event) -> Result<()> {
    let id = subject(event, "invitation")?;
    let now = parts.clock.now();
    let mut connection = parts.store.read().await?;
    let sealed = outbox::invited_phone(&mut connection, id, now).await?;
    drop(connection);
    let Some(phone) = sealed else { return Ok(()) };
    let phone = parts.store.vault().open_text("phone", &phone)?;
    let sms = parts.sms.as_ref().ok_or_else(|| Error::new(Reason::RemoteUnavailable))?;
    sms.send_invitation(&phone).await
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS_MAX, BACKOFF_SECONDS_MAX, DEAD_LETTER_WAIT, backoff};
    use jiff::SignedDuration;

    // NO-02: the wait doubles, up to an hour; a dead letter is tried once a day.
    #[test]
    fn the_wait_doubles_up_to_an_hour() {
        assert_eq!(backoff(0), SignedDuration::from_secs(1));
        assert_eq!(backoff(3), SignedDuration::from_secs(8));
        assert_eq!(backoff(ATTEMPTS_MAX - 1), SignedDuration::from_secs(2_048));
        assert!(backoff(ATTEMPTS_MAX - 1).as_secs() <= BACKOFF_SECONDS_MAX);
        assert_eq!(backoff(ATTEMPTS_MAX), DEAD_LETTER_WAIT);
    }
}
