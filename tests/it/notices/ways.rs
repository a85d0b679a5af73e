//! By which way and in which words a push goes: what is busy is waited for, what is permitted for long is
//! not used up, and what did not happen is told to nobody.

use std::sync::Arc;

use jiff::SignedDuration;
use jingqi::surface::{
    actor::Item,
    domain::common::notice::{Audience, Facts, NoticeEvent, fields::Templates},
    id::Id,
    parts::Parts,
    sandbox,
    service::pb::{self, notice_preferences as wish},
    store::common::{
        notices::{self, Telling},
        outbox::{self, Lane},
    },
    worker::Worker,
};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{PHONE, events, left, prefer, preferences, record, states};
use crate::{harness::App, webhooks::webhook};

// NO-02: the inbox row, the pushes and what other systems are told commit with their cause, or not at all.
#[sqlx::test]
async fn what_did_not_happen_is_told_to_nobody(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    webhook(&app, &administrator, "hotline", &[]).await.unwrap();
    let telling = Telling {
        event: NoticeEvent::PassApproved,
        audience: Audience::Enterprise(city.enterprise, Item::Pass),
        subject: "passApplications/x".to_owned(),
        cause: "passApplications/x/3".to_owned(),
        facts: Facts::default(),
    };
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    assert!(notices::tell(&mut tx, &telling).await.unwrap());
    drop(tx);
    for table in ["notice", "notice_delivery", "webhook_delivery", "event"] {
        assert_eq!(app.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    assert!(notices::tell(&mut tx, &telling).await.unwrap());
    tx.commit().await.unwrap();
    // Two people of the enterprise, and the other system.
    assert_eq!(app.count("select count(*) from event").await, 3);
}

// NO-09: WeChat is busy. It is waited for a while, and then the message comes by SMS; no consent is used
// up by what was not sent.
#[sqlx::test]
async fn a_way_that_is_busy_is_waited_for_before_the_next_is_taken(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    app.consents(&city.driver, "driver-zhao", "T-pass").await;
    app.tells(&city.driver, NoticeEvent::PassSuspended, "1").await;
    let busy = Templates::parse(&format!("pass={}", sandbox::wechat::BUSY)).unwrap();
    let busy = Worker::new(Parts { templates: Arc::new(busy), ..app.parts.clone() });
    for _ in 0..3 {
        busy.run_once().await.unwrap();
        assert_eq!(app.by_sms(PHONE).await, Value::Null);
        assert_eq!(states(&app).await, [("PENDING".to_owned(), 1)]);
        app.advance(SignedDuration::from_mins(1));
    }
    busy.run_once().await.unwrap();
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已暂停");
    assert_eq!(states(&app).await, [("SENT".to_owned(), 1)]);
    assert_eq!(left(&preferences(&city.driver).await, "pass"), 1);
}

// NO-05: what is permitted for long is not counted.
#[sqlx::test]
async fn a_long_term_consent_permits_any_number(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    let url = format!("http://{}/sandbox/consents", app.sandbox);
    let body = json!({ "user": "driver-zhao", "template_id": "T-pass", "long_term": true });
    reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    let result = pb::record_subscription_consent_request::Result {
        template_id: "T-pass".to_owned(),
        answer: 1,
        long_term: true,
    };
    let request =
        pb::RecordSubscriptionConsentRequest { results: vec![result], ..Default::default() };
    city.driver.call(request).await.unwrap();
    for cause in ["1", "2", "3"] {
        app.tells(&city.driver, NoticeEvent::PassSuspended, cause).await;
        app.run_workers().await;
    }
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 3);
    assert_eq!(app.by_sms(PHONE).await, Value::Null);
}

// NO-05: without a consent WeChat is not even asked, since it counts what it refuses.
#[sqlx::test]
async fn without_a_consent_wechat_is_not_asked(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    // WeChat would deliver it, and nobody told us so.
    app.permits("driver-zhao", "T-pass").await;
    app.tells(&city.driver, NoticeEvent::PassSuspended, "1").await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await, []);
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已暂停");
    // And one that was told by now is used up by one message.
    record(&city.driver, "T-pass", 1).await.unwrap();
    app.tells(&city.driver, NoticeEvent::PassResumed, "2").await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    assert_eq!(left(&preferences(&city.driver).await, "pass"), 0);
}

// NO-01: by SMS and WeCom in the reader's language, too.
#[sqlx::test]
async fn every_way_speaks_the_language_of_its_reader(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let english = wish::Language::En.into();
    app.reachable(&desk.boss, "boss-wang", PHONE).await;
    for reader in [&desk.boss, &desk.one] {
        let wished = pb::NoticePreferences { language: english, ..preferences(reader).await };
        prefer(reader, wished).await.unwrap();
    }
    desk.in_progress(&desk.one).await;
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await["template"], "notice-complaint-en");
    let texts = app.at_wecom("300003").await;
    assert!(texts.iter().all(|text| text.starts_with("Task: assigned to you\n")), "{texts:?}");
    let texts = app.at_wecom("300004").await;
    assert!(texts.iter().all(|text| text.starts_with("办理事项待")), "{texts:?}");
}

// NO-07: one alone is told as itself, at the hour of the digest, and is not put off to the next day.
#[sqlx::test]
async fn one_alone_comes_at_the_hour_of_the_digest(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    let noon =
        pb::NoticePreferences { digest_minute: Some(12 * 60), ..preferences(&city.driver).await };
    prefer(&city.driver, noon).await.unwrap();
    app.tells(&city.driver, NoticeEvent::PassResumed, "1").await;
    // What cannot wait does not.
    app.tells(&city.driver, NoticeEvent::PassSuspended, "2").await;
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已暂停");
    app.clock.set("2026-11-24T12:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已恢复");
    assert_eq!(states(&app).await, [("SENT".to_owned(), 2)]);
}

// NO-04: two workers, or one that died after it had sent: who was pushed to is not a second time.
#[sqlx::test]
async fn a_push_that_is_worked_off_twice_is_sent_once(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    for _ in 0..2 {
        app.consents(&city.driver, "driver-zhao", "T-pass").await;
    }
    app.tells(&city.driver, NoticeEvent::PassSuspended, "1").await;
    app.run_workers().await;
    app.sql("update event set deliver_time = null, next_attempt_time = create_time").await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    assert_eq!(left(&preferences(&city.driver).await, "pass"), 1);
    assert_eq!(app.count("select count(*) from event where deliver_time is null").await, 0);
}

// NO-08, I20: what stays in the house is told to no other system, whatever it asked for.
#[sqlx::test]
async fn what_stays_in_the_house_is_told_to_no_other_system(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let administrator = app.administrator().await;
    webhook(&app, &administrator, "hotline", &[]).await.unwrap();
    desk.in_call_back(&desk.one).await;
    app.advance(SignedDuration::from_hours(49));
    app.run_workers().await;
    assert!(events(&desk.boss).await.contains(&"EVALUATION_REMINDER".to_owned()));
    let told = "select string_agg(distinct event, ' ' order by event) from webhook_delivery";
    let told: String = sqlx::query_scalar(told).fetch_one(app.parts.store.pool()).await.unwrap();
    assert_eq!(told, "COMPLAINT_ACCEPTED COMPLAINT_ANSWERED");
    let said = "select count(*) from webhook_delivery
        where payload ~ '卸货|persons/|officers/'";
    assert_eq!(app.count(said).await, 0);
}

// An officer who serves no more is not pushed to.
#[sqlx::test]
async fn an_officer_who_serves_no_more_is_not_pushed_to(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    app.sql("update officer set disable_time = now() where police_number = '300003'").await;
    let telling = Telling {
        event: NoticeEvent::TaskUrged,
        audience: Audience::Officer(Id::parse(&desk.one.name).unwrap()),
        subject: "complaints/x".to_owned(),
        cause: "x".to_owned(),
        facts: Facts::default(),
    };
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    notices::tell(&mut tx, &telling).await.unwrap();
    tx.commit().await.unwrap();
    app.run_workers().await;
    assert_eq!(states(&app).await, [("UNREACHABLE".to_owned(), 1)]);
    assert_eq!(app.at_wecom("300003").await, Vec::<String>::new());
}

// A push goes to those alone who act for the enterprise in such matters, and an enterprise's notice of a
// complaint is one.
#[sqlx::test]
async fn a_push_goes_only_to_whom_the_matter_is_entrusted(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let (boss, handler) = ("13812340003", "13812340004");
    app.reachable(&desk.boss, "boss-wang", boss).await;
    app.reachable(&desk.city.handler, "handler-li", handler).await;
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    app.run_workers().await;
    assert_eq!(app.by_sms(boss).await["template"], "notice-complaint");
    assert_eq!(app.by_sms(handler).await, Value::Null, "entrusted with passes alone");
}

// NO-02: a slow receiver holds up its own kind alone, and never a one-time code.
#[sqlx::test]
async fn pushes_and_webhooks_wait_in_lanes_of_their_own(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    webhook(&app, &administrator, "hotline", &["PASS_ACCEPTED"]).await.unwrap();
    city.in_review(&app).await;
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    let hold = SignedDuration::from_secs(60);
    let mut claimed = async |lane| {
        let mut topics = Vec::new();
        while let Some(event) = outbox::claim(&mut tx, lane, &[], hold).await.unwrap() {
            topics.push(event.topic);
        }
        topics
    };
    assert_eq!(claimed(Lane::Prompt).await, Vec::<String>::new());
    assert_eq!(claimed(Lane::Webhooks).await, ["webhook"]);
    assert_eq!(claimed(Lane::Notices).await, ["notice", "notice"]);
}
