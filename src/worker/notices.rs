//! Pushes notices: who wants to be left alone is, the first way that works ends it, and what was held
//! back comes as one push. No transaction is open while somebody else is asked (OP-08).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    context::Cx,
    domain::{
        common::notice::{Channel, Language, Preferences, Push, Template, ladder, next, uuid_of},
        duty::month,
    },
    error::{Flaw, Kind, Result},
    parts::Parts,
    remote::{Taken, wechat::Subscribed},
    store::common::{
        notice_deliveries::{self, Delivery, Reach},
        notice_preferences,
        outbox::Event,
    },
};

/// How many recipients of what was held back are looked at in one round.
const BATCH: i64 = 200;
/// A way whose other side is away is waited for so many attempts, before the next way is taken.
const PATIENCE: i32 = 3;

/// Delivers one push.
pub(super) async fn deliver(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let mut connection = parts.store.read().await?;
    let Some(delivery) = notice_deliveries::waiting(&mut connection, event.id).await? else {
        return Ok(());
    };
    let wish = notice_preferences::get(&mut connection, &delivery.recipient).await?;
    let reach = reach(parts, &mut connection, &delivery.recipient).await?;
    drop(connection);
    let held = wish.held_until(delivery.event, cx.now).filter(|_| !delivery.released);
    if let Some(until) = held {
        let mut tx = parts.store.begin(cx).await?;
        notice_deliveries::hold(&mut tx, event.id, until).await?;
        return tx.commit().await;
    }
    let Delivery { recipient, event: what, facts, time, .. } = delivery;
    let push = Push::of(what, facts, time, wish.language);
    let pushing = Pushing { parts, cx, recipient: &recipient, push: &push, wish: &wish, reach };
    let by = pushing.send(event.attempts).await?;
    let mut tx = parts.store.begin(cx).await?;
    match by {
        Some(by) => notice_deliveries::sent(&mut tx, event.id, by).await?,
        None => notice_deliveries::unreachable(&mut tx, event.id).await?,
    }
    tx.commit().await
}

/// Delivers the one push of a day.
pub(super) async fn deliver_digest(parts: &Parts, cx: &Cx, event: &Event) -> Result<()> {
    let id = super::outbox::subject(event, "digest")?;
    let mut connection = parts.store.read().await?;
    let waiting = notice_deliveries::digest(&mut connection, id).await?;
    let Some((recipient, count)) = waiting else { return Ok(()) };
    let wish = notice_preferences::get(&mut connection, &recipient).await?;
    let reach = reach(parts, &mut connection, &recipient).await?;
    drop(connection);
    let push = Push::digest(count, cx.now, wish.language);
    let pushing = Pushing { parts, cx, recipient: &recipient, push: &push, wish: &wish, reach };
    let by = pushing.send(event.attempts).await?;
    let mut tx = parts.store.begin(cx).await?;
    notice_deliveries::digest_done(&mut tx, id, by).await?;
    tx.commit().await
}

async fn reach(
    parts: &Parts,
    connection: &mut crate::store::Connection,
    recipient: &str,
) -> Result<Reach> {
    notice_deliveries::reach(connection, parts.store.vault(), recipient).await
}

/// One push to one recipient.
struct Pushing<'a> {
    parts: &'a Parts,
    cx: &'a Cx,
    recipient: &'a str,
    push: &'a Push,
    wish: &'a Preferences,
    reach: Reach,
}

impl Pushing<'_> {
    /// Goes down the ladder, and says which way worked; `None` when none leads to the recipient.
    async fn send(&self, attempts: i32) -> Result<Option<Channel>> {
        let mut failed = None;
        for way in ladder(self.push.template, self.recipient, &self.wish.channels) {
            let taken = match way {
                Channel::Wechat => self.by_wechat().await,
                Channel::Sms => self.by_sms().await,
                Channel::Wecom => self.by_wecom().await,
            };
            match taken {
                Ok(true) => return Ok(Some(way)),
                Ok(false) => {}
                Err(error) => {
                    // Away is waited for a while; a fault of ours will not mend itself.
                    let away = error.reason().kind() != Kind::Internal;
                    if away && attempts < PATIENCE {
                        return Err(error);
                    }
                    tracing::warn!(way = way.wire(), %error, "a way failed, the next is tried");
                    failed = Some(error);
                }
            }
        }
        // A way that failed is tried again; one that does not exist is not.
        failed.map_or(Ok(None), Err)
    }

    async fn by_wechat(&self) -> Result<bool> {
        let (Some(openid), Some(filed), Some(person)) = (
            &self.reach.openid,
            self.parts.templates.filed(self.push.template),
            uuid_of(self.recipient),
        ) else {
            return Ok(false);
        };
        let template = self.push.template;
        let mut connection = self.parts.store.read().await?;
        let consent = notice_preferences::consent(&mut connection, person, template).await?;
        drop(connection);
        if !consent.permits() {
            return Ok(false);
        }
        let message = Subscribed {
            openid,
            template_id: &filed.id,
            page: self.parts.templates.page(),
            data: &filed.data(self.push),
            language: match self.wish.language {
                Language::Chinese => "zh_CN",
                Language::English => "en_US",
            },
        };
        let taken = self.parts.wechat.send_subscribed(&message).await?;
        self.settle(person, template, taken).await?;
        Ok(taken == Taken::Sent)
    }

    /// A consent is used up by a message that was sent, and by nothing else.
    async fn settle(&self, person: Uuid, of: Template, taken: Taken) -> Result<()> {
        let mut tx = self.parts.store.begin(self.cx).await?;
        match taken {
            Taken::Sent => notice_preferences::spend(&mut tx, person, of).await?,
            Taken::Refused => notice_preferences::forbid(&mut tx, person, of).await?,
            Taken::Unknown => {}
        }
        tx.commit().await
    }

    async fn by_sms(&self) -> Result<bool> {
        let (Some(phone), Some(sms)) = (&self.reach.phone, &self.parts.sms) else {
            return Ok(false);
        };
        let suffix = match self.wish.language {
            Language::Chinese => "",
            Language::English => "-en",
        };
        let template = format!("notice-{}{suffix}", self.push.template.wire());
        let (facts, count) = (&self.push.facts, self.push.facts.count.map(|it| it.to_string()));
        let parameters: BTreeMap<&str, &str> = [
            ("number", facts.number.as_str()),
            ("plate", facts.plate.as_str()),
            ("state", self.push.phrase),
            ("count", count.as_deref().unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
        match sms.send_notice(phone, &template, &parameters).await {
            Ok(()) => Ok(true),
            // The number gets no messages.
            Err(error) if error.fields().iter().any(|it| it.flaw == Flaw::PhoneMalformed) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn by_wecom(&self) -> Result<bool> {
        let (Some(member), Some(wecom)) = (&self.reach.member, &self.parts.wecom) else {
            return Ok(false);
        };
        let text = format!("{}\n{}", self.push.text.title, self.push.text.body);
        Ok(wecom.send_text(member, &text).await? == Some(Taken::Sent))
    }
}

/// Releases what was held back and is due: everything of a recipient as one push, once a day.
pub(super) async fn release(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let mut connection = parts.store.read().await?;
    let due = notice_deliveries::due(&mut connection, cx().now, BATCH).await?;
    drop(connection);
    for recipient in due {
        if let Err(error) = release_of(parts, &cx(), &recipient).await {
            tracing::error!(recipient, %error, "what was held back could not be released");
        }
    }
    Ok(())
}

async fn release_of(parts: &Parts, cx: &Cx, recipient: &str) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let held = notice_deliveries::lock_held(&mut tx, recipient).await?;
    if held.is_empty() {
        return Ok(());
    }
    let day = month::local_date(cx.now);
    if !notice_deliveries::collect(&mut tx, recipient, &held, day).await? {
        // The day had its push: the rest waits for the next one.
        let wish = notice_preferences::get(tx.conn(), recipient).await?;
        let minute = wish.digest.unwrap_or(wish.quiet.1);
        let until = next(cx.now, minute);
        let tomorrow = month::start_of_day(day.tomorrow().unwrap_or(day));
        notice_deliveries::hold_all(&mut tx, &held, until.max(tomorrow)).await?;
    }
    tx.commit().await
}
