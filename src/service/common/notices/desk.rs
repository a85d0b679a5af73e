//! What administrators see to: deliveries that were given up, sent again by hand, and the other
//! systems that are told. Nothing of what a delivery says is shown.

use super::Notices;
use crate::{
    context::Cx,
    domain::common::{deed::Deed, lifecycle::Note, notice::NoticeEvent, webhook::secret_text},
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::common::{
        history,
        outbox::{self, DeadLetter},
        webhooks::{self, Webhook},
    },
};

/// The longest note, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;
/// The length of a secret.
const SECRET_BYTES: usize = 32;

impl Notices {
    pub(super) async fn list_dead_letters(
        &self,
        cx: &Cx,
        request: pb::ListDeadLettersRequest,
    ) -> Result<pb::ListDeadLettersResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let mut connection = self.store.read().await?;
        let mut found = outbox::dead(&mut connection, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |letter| letter.id.uuid());
        let dead_letters = found.into_iter().map(letter_reply).collect();
        Ok(pb::ListDeadLettersResponse { dead_letters, next_page_token })
    }

    pub(super) async fn resend_dead_letter(
        &self,
        cx: &Cx,
        request: pb::ResendDeadLetterRequest,
    ) -> Result<pb::DeadLetter> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Event>(&request.name);
        let note = faults.take("note", wire::text(&request.note, NOTE_CHARACTERS_MAX));
        let (id, note) = faults.whole((id, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let letter = outbox::lock_dead(tx, id).await?;
            let letter = letter.ok_or_else(|| Error::new(Reason::NotFound).fact("resource", id))?;
            outbox::again(tx, id.uuid()).await?;
            history::act(tx, id.subject(), Deed::Resend, Note::internal(note)).await?;
            let letter = DeadLetter { attempts: 0, next_attempt_time: cx.now, ..letter };
            Ok(letter_reply(letter))
        })
        .await
    }

    pub(super) async fn create_webhook(
        &self,
        cx: &Cx,
        request: pb::CreateWebhookRequest,
    ) -> Result<pb::Webhook> {
        let form = request.webhook.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let name = faults.take("webhook.display_name", wire::text(&form.display_name, 100));
        let url = faults.take("webhook.url", self.webhooks.check(&form.url));
        for (at, event) in form.events.iter().enumerate() {
            let known = NoticeEvent::from_wire(event).is_some_and(NoticeEvent::leaves);
            faults.check(known, format!("webhook.events[{at}]"), Flaw::UnknownValue);
            let twice = form.events.iter().take(at).any(|other| other == event);
            faults.check(!twice, format!("webhook.events[{at}]"), Flaw::Duplicate);
        }
        let (display_name, url) = faults.whole((name, url))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let webhook = Webhook {
                id: cx.id(),
                display_name,
                url: url.to_string(),
                events: form.events,
                create_time: cx.now,
                disable_time: None,
                version: 1,
            };
            let secret: [u8; SECRET_BYTES] = cx.ids().bytes();
            webhooks::insert(tx, &webhook, &secret).await?;
            let reply = pb::Webhook { secret: secret_text(&secret), ..webhook_reply(webhook) };
            Ok(reply)
        })
        .await
    }

    pub(super) async fn list_webhooks(
        &self,
        cx: &Cx,
        request: pb::ListWebhooksRequest,
    ) -> Result<pb::ListWebhooksResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let mut connection = self.store.read().await?;
        let mut found = webhooks::list(&mut connection, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |webhook| webhook.id.uuid());
        let webhooks = found.into_iter().map(webhook_reply).collect();
        Ok(pb::ListWebhooksResponse { webhooks, next_page_token })
    }

    pub(super) async fn disable_webhook(
        &self,
        cx: &Cx,
        request: pb::DisableWebhookRequest,
    ) -> Result<pb::Webhook> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Webhook>(&request.name);
        let version = faults.maybe("etag", wire::version(&request.etag));
        let id = faults.whole(id)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let webhook = webhooks::lock(tx, id).await?;
            wire::fresh(version, webhook.version)?;
            if webhook.disable_time.is_some() {
                let error = Error::new(Reason::TransitionIllegal);
                return Err(error.fact("state", "DISABLED").fact("action", "DISABLE"));
            }
            let webhook = webhooks::disable(tx, webhook, Note::none()).await?;
            Ok(webhook_reply(webhook))
        })
        .await
    }

    pub(super) async fn list_webhook_deliveries(
        &self,
        cx: &Cx,
        request: pb::ListWebhookDeliveriesRequest,
    ) -> Result<pb::ListWebhookDeliveriesResponse> {
        let of = Id::parse(&request.webhook).map_err(|flaw| Error::field("webhook", flaw))?;
        let arguments = [cx.method, &request.webhook];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let mut found = webhooks::deliveries(&mut connection, of, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |delivery| delivery.id.uuid());
        let webhook_deliveries = found.into_iter().map(delivery_reply).collect();
        Ok(pb::ListWebhookDeliveriesResponse { webhook_deliveries, next_page_token })
    }
}

/// A resource name of which the collection and the last four characters are shown.
fn masked(name: &str) -> String {
    let (collection, id) = name.split_once('/').unwrap_or(("", name));
    let skipped = id.chars().count().saturating_sub(4);
    let last: String = id.chars().skip(skipped).collect();
    format!("{collection}/****{last}")
}

fn letter_reply(letter: DeadLetter) -> pb::DeadLetter {
    pb::DeadLetter {
        name: letter.id.to_string(),
        subject: masked(&letter.subject),
        topic: letter.topic,
        attempts: letter.attempts,
        failure: letter.failure,
        create_time: Some(wire::time(letter.create_time)),
        next_attempt_time: Some(wire::time(letter.next_attempt_time)),
    }
}

fn webhook_reply(webhook: Webhook) -> pb::Webhook {
    pb::Webhook {
        name: webhook.id.to_string(),
        display_name: webhook.display_name,
        url: webhook.url,
        events: webhook.events,
        secret: String::new(),
        create_time: Some(wire::time(webhook.create_time)),
        disable_time: wire::time_of(webhook.disable_time),
        etag: wire::etag(webhook.version),
    }
}

fn delivery_reply(delivery: webhooks::Delivery) -> pb::WebhookDelivery {
    let attempts = delivery.attempts.into_iter().map(|attempt| pb::webhook_delivery::Attempt {
        create_time: Some(wire::time(attempt.time)),
        status: attempt.status,
        failure: attempt.failure,
    });
    pb::WebhookDelivery {
        name: delivery.id.to_string(),
        event: delivery.event,
        create_time: Some(wire::time(delivery.create_time)),
        deliver_time: wire::time_of(delivery.deliver_time),
        attempts: attempts.collect(),
    }
}
