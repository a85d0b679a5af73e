//! What people are told: the inbox, and how they want to be told. Dead letters and webhooks, which
//! administrators see to, stand in `desk`.
//!
//! # Notices
//!
//! An inbox row first, in the transaction of its cause; then a push (`domain/notice.rs`): WeChat's
//! subscription message where the person permitted one, else SMS; WeCom for officers. Texts are templates per
//! event, way and language, cut to WeChat's field rules; they hold numbers and states, never the content of a
//! matter. Quiet hours hold back what is not urgent, a digest makes it one push a day. Deliveries wait longer
//! after each failure and are dead letters in the end, which an administrator sees and sends again. Other
//! systems get webhooks, signed as Standard Webhooks are, to public addresses alone unless
//! `JINGQI_WEBHOOK_PRIVATE` says otherwise. A push waits in a lane of its own, so that a slow receiver holds up
//! no one-time code. Notices and the log of webhooks go after three years (`worker/retention`); what still
//! waits, and a dead letter, stays.

mod desk;

use std::sync::Arc;

use crate::{
    context::Cx,
    domain::common::notice::{
        Channel, Language, Preferences, Reader, Template, fields::Templates, text,
    },
    error::{Faults, Flaw, Result},
    id::{Id, kind},
    parts::Parts,
    remote::webhook::Webhooks,
    service::{
        pb::{self, notice_service_server::NoticeService},
        rpc,
        wire::{self, Page},
    },
    store::{
        Connection, Store,
        common::{
            notice_preferences::{self, Consent},
            notices,
        },
    },
};

/// How many notices are marked in one call.
const MARKED_MAX: usize = 100;
/// WeChat asks for no more templates at once.
const RESULTS_MAX: usize = 3;
/// The minutes of a day.
const DAY_MINUTES: i32 = 1_440;

/// The service.
pub struct Notices {
    store: Store,
    templates: Arc<Templates>,
    webhooks: Arc<Webhooks>,
}

rpc! { NoticeService, Notices {
    list_notices(pb::ListNoticesRequest) -> pb::ListNoticesResponse;
    mark_notices_read(pb::MarkNoticesReadRequest) -> pb::NoticeCounts;
    get_notice_counts(pb::GetNoticeCountsRequest) -> pb::NoticeCounts;
    record_subscription_consent(pb::RecordSubscriptionConsentRequest) -> pb::NoticePreferences;
    get_notice_preferences(pb::GetNoticePreferencesRequest) -> pb::NoticePreferences;
    update_notice_preferences(pb::UpdateNoticePreferencesRequest) -> pb::NoticePreferences;
    list_dead_letters(pb::ListDeadLettersRequest) -> pb::ListDeadLettersResponse;
    resend_dead_letter(pb::ResendDeadLetterRequest) -> pb::DeadLetter;
    create_webhook(pb::CreateWebhookRequest) -> pb::Webhook;
    list_webhooks(pb::ListWebhooksRequest) -> pb::ListWebhooksResponse;
    disable_webhook(pb::DisableWebhookRequest) -> pb::Webhook;
    list_webhook_deliveries(pb::ListWebhookDeliveriesRequest) -> pb::ListWebhookDeliveriesResponse;
} }

impl Notices {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self {
            store: parts.store.clone(),
            templates: parts.templates.clone(),
            webhooks: parts.webhooks.clone(),
        }
    }

    async fn list_notices(
        &self,
        cx: &Cx,
        request: pb::ListNoticesRequest,
    ) -> Result<pb::ListNoticesResponse> {
        let reader = Reader::of(&cx.actor)?;
        let unread = if request.unread_only { "unread" } else { "" };
        let arguments = [cx.method, &reader.name, unread];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let wish = notice_preferences::get(&mut connection, &reader.name).await?;
        let (after, rows) = (page.after, page.rows());
        let mut found =
            notices::list(&mut connection, &reader, request.unread_only, after, rows).await?;
        let next_page_token = page.cut(&mut found, |notice| notice.id.uuid());
        let shown = found.into_iter().map(|notice| {
            let words = text(notice.event, &notice.facts, wish.language);
            pb::Notice {
                name: notice.id.to_string(),
                event: notice.event.wire().to_owned(),
                subject: notice.subject,
                title: words.title,
                body: words.body,
                urgent: notice.event.urgent(),
                read: notice.read,
                create_time: Some(wire::time(notice.create_time)),
            }
        });
        Ok(pb::ListNoticesResponse { notices: shown.collect(), next_page_token })
    }

    async fn mark_notices_read(
        &self,
        cx: &Cx,
        request: pb::MarkNoticesReadRequest,
    ) -> Result<pb::NoticeCounts> {
        let reader = Reader::of(&cx.actor)?;
        let mut faults = Faults::new();
        faults.check(request.notices.len() <= MARKED_MAX, "notices", Flaw::TooMany);
        faults.check(request.all || !request.notices.is_empty(), "notices", Flaw::Required);
        let ids = request.notices.iter().take(MARKED_MAX).enumerate().filter_map(|(at, name)| {
            faults.take(format!("notices[{at}]"), Id::<kind::Notice>::parse(name))
        });
        let ids: Vec<_> = ids.map(Id::uuid).collect();
        faults.done()?;
        wire::write(&self.store, cx, &request, async |tx| {
            notices::mark(tx, &reader, &ids).await?;
            if request.all {
                notices::mark_all(tx, &reader).await?;
            }
            let unread = notices::unread(tx.conn(), &reader).await?;
            Ok(pb::NoticeCounts { unread })
        })
        .await
    }

    async fn get_notice_counts(
        &self,
        cx: &Cx,
        _: pb::GetNoticeCountsRequest,
    ) -> Result<pb::NoticeCounts> {
        let reader = Reader::of(&cx.actor)?;
        let mut connection = self.store.read().await?;
        Ok(pb::NoticeCounts { unread: notices::unread(&mut connection, &reader).await? })
    }

    async fn record_subscription_consent(
        &self,
        cx: &Cx,
        request: pb::RecordSubscriptionConsentRequest,
    ) -> Result<pb::NoticePreferences> {
        use pb::record_subscription_consent_request::Answer;
        let person = cx.actor.person()?;
        let mut faults = Faults::new();
        faults.check(!request.results.is_empty(), "results", Flaw::Required);
        faults.check(request.results.len() <= RESULTS_MAX, "results", Flaw::TooMany);
        let mut said: Vec<(Template, Answer, bool)> = Vec::new();
        for (at, result) in request.results.iter().take(RESULTS_MAX).enumerate() {
            let known = self.templates.by_id(&result.template_id).ok_or(Flaw::UnknownValue);
            let template = faults.take(format!("results[{at}].template_id"), known);
            let answer = result.answer();
            let told = answer != Answer::Unspecified;
            faults.check(told, format!("results[{at}].answer"), Flaw::Required);
            let Some(template) = template else { continue };
            let twice = said.iter().any(|(other, ..)| *other == template);
            faults.check(!twice, format!("results[{at}].template_id"), Flaw::Duplicate);
            said.push((template, answer, result.long_term));
        }
        faults.done()?;
        wire::write(&self.store, cx, &request, async |tx| {
            for (template, answer, long_term) in said {
                let person = person.uuid();
                match answer {
                    Answer::Accept => {
                        notice_preferences::permit(tx, person, template, long_term).await?;
                    }
                    // A refusal to permit one more leaves those that were permitted before.
                    Answer::Reject if !long_term => {}
                    _ => notice_preferences::forbid(tx, person, template).await?,
                }
            }
            let reply = self.preferences(tx.conn(), cx).await?;
            Ok(reply)
        })
        .await
    }

    async fn get_notice_preferences(
        &self,
        cx: &Cx,
        _: pb::GetNoticePreferencesRequest,
    ) -> Result<pb::NoticePreferences> {
        let mut connection = self.store.read().await?;
        self.preferences(&mut connection, cx).await
    }

    async fn update_notice_preferences(
        &self,
        cx: &Cx,
        request: pb::UpdateNoticePreferencesRequest,
    ) -> Result<pb::NoticePreferences> {
        let owner = Reader::of(&cx.actor)?.name;
        let wished = wished(&request.notice_preferences.clone().unwrap_or_default(), &owner)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let present = notice_preferences::get(tx.conn(), &owner).await?.version;
            wire::fresh(wished.version, present)?;
            let wish = Preferences { version: present, ..wished.preferences };
            notice_preferences::save(tx, &owner, &wish).await?;
            let reply = self.preferences(tx.conn(), cx).await?;
            Ok(reply)
        })
        .await
    }

    /// The preferences of whoever asks, and what a person permitted WeChat.
    async fn preferences(
        &self,
        connection: &mut Connection,
        cx: &Cx,
    ) -> Result<pb::NoticePreferences> {
        use pb::notice_preferences as proto;
        let owner = Reader::of(&cx.actor)?.name;
        let wish = notice_preferences::get(connection, &owner).await?;
        let mut templates = Vec::new();
        if let Ok(person) = cx.actor.person() {
            for (template, filed) in self.templates.iter() {
                let consent = notice_preferences::consent(connection, person.uuid(), template);
                let Consent { remaining, long_term } = consent.await?;
                let (code, template_id) = (template.wire().to_owned(), filed.id.clone());
                templates.push(proto::Template { code, template_id, remaining, long_term });
            }
        }
        let ways = wish.channels.iter().filter(|way| ways_of(&owner).contains(way));
        let channels = ways.map(|way| wire::enumerated::<proto::Channel>(*way));
        let language = match wish.language {
            Language::Chinese => proto::Language::ZhCn,
            Language::English => proto::Language::En,
        };
        Ok(pb::NoticePreferences {
            language: language.into(),
            channels: channels.collect(),
            quiet_from_minute: wish.quiet.0.into(),
            quiet_until_minute: wish.quiet.1.into(),
            digest_minute: wish.digest.map(i32::from),
            templates,
            etag: wire::etag(wish.version),
        })
    }
}

/// The ways by which somebody can be pushed to at all.
fn ways_of(owner: &str) -> &'static [Channel] {
    if owner.starts_with("officers/") {
        &[Channel::Wecom]
    } else {
        &[Channel::Wechat, Channel::Sms]
    }
}

/// Preferences as they were asked for.
struct Wished {
    preferences: Preferences,
    version: Option<i64>,
}

fn wished(form: &pb::NoticePreferences, owner: &str) -> Result<Wished> {
    use pb::notice_preferences as proto;
    let mut faults = Faults::new();
    let path = |field: &str| format!("notice_preferences.{field}");
    let language = match form.language() {
        proto::Language::ZhCn => Ok(Language::Chinese),
        proto::Language::En => Ok(Language::English),
        proto::Language::Unspecified => Err(Flaw::Required),
    };
    let language = faults.take(path("language"), language);
    let mut channels: Vec<Channel> = Vec::new();
    for (at, way) in form.channels().enumerate() {
        let known = Channel::from_wire(way.as_str_name());
        let known = known.filter(|way| ways_of(owner).contains(way)).ok_or(Flaw::NotAllowed);
        let known = known
            .and_then(|way| if channels.contains(&way) { Err(Flaw::Duplicate) } else { Ok(way) });
        channels.extend(faults.take(path(&format!("channels[{at}]")), known));
    }
    let minute = |minute: i32| {
        let known = (0..DAY_MINUTES).contains(&minute);
        u16::try_from(minute).ok().filter(|_| known).ok_or(Flaw::OutOfRange)
    };
    let from = faults.take(path("quiet_from_minute"), minute(form.quiet_from_minute));
    let until = faults.take(path("quiet_until_minute"), minute(form.quiet_until_minute));
    let digest = form.digest_minute.map(minute).transpose();
    let digest = faults.maybe(path("digest_minute"), digest);
    let version = faults.maybe(path("etag"), wire::version(&form.etag));
    let (language, from, until) = faults.whole((language, from, until))?;
    let preferences = Preferences { language, channels, quiet: (from, until), digest, version: 0 };
    Ok(Wished { preferences, version })
}
