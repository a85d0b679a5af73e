//! When something is pushed: after a consent, not at night, once a day; and what is done where a way is
//! closed.

use jingqi::surface::{
    domain::common::notice::{Audience, Facts, Language, NoticeEvent, Template},
    id::Id,
    sandbox,
    service::pb::{self, notice_preferences as wish},
    store::common::notices::{self, Telling},
};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{PHONE, events, hours, left, prefer, preferences, record, states};
use crate::harness::App;

// NO-05, NO-09: a consent is used up by a message that was sent. What WeChat refuses (43101) sets it to
// zero, and the message comes by SMS.
#[sqlx::test]
async fn a_refusal_of_wechat_ends_the_consent_and_sms_takes_over(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    app.consents(&city.driver, "driver-zhao", "T-pass").await;
    // Two that WeChat knows nothing of, as when the person took them back in WeChat's own settings.
    record(&city.driver, "T-pass", 1).await.unwrap();
    let after = record(&city.driver, "T-pass", 1).await.unwrap();
    assert_eq!(left(&after, "pass"), 3);
    app.tells(&city.driver, NoticeEvent::PassResumed, "1").await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    assert_eq!(left(&preferences(&city.driver).await, "pass"), 2, "one was sent");
    assert_eq!(app.by_sms(PHONE).await, Value::Null);
    app.tells(&city.driver, NoticeEvent::PassSuspended, "2").await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    assert_eq!(left(&preferences(&city.driver).await, "pass"), 0, "43101");
    let sms = app.by_sms(PHONE).await;
    assert_eq!(
        (&sms["template"], &sms["parameters"]["state"]),
        (&json!("notice-pass"), &json!("已暂停"))
    );
    // A rejection leaves what was permitted before, a ban does not.
    record(&city.driver, "T-pass", 1).await.unwrap();
    assert_eq!(left(&record(&city.driver, "T-pass", 2).await.unwrap(), "pass"), 1);
    assert_eq!(left(&record(&city.driver, "T-pass", 3).await.unwrap(), "pass"), 0);
}

// NO-09: without openid there is SMS, without phone there is the inbox; neither is an error.
#[sqlx::test]
async fn whoever_cannot_be_reached_finds_it_in_the_inbox(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.tells(&city.driver, NoticeEvent::PassResumed, "1").await;
    app.tells(&city.stranger, NoticeEvent::MessageReceived, "2").await;
    app.run_workers().await;
    assert_eq!(states(&app).await, [("UNREACHABLE".to_owned(), 2)]);
    assert_eq!(events(&city.driver).await, ["PASS_RESUMED"]);
    // Who wants no SMS gets none.
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    let quiet = pb::NoticePreferences {
        channels: vec![wish::Channel::Wechat.into()],
        ..preferences(&city.driver).await
    };
    prefer(&city.driver, quiet).await.unwrap();
    app.tells(&city.driver, NoticeEvent::PassResumed, "3").await;
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await, Value::Null);
}

// NO-01, NO-05: every event in each language fits the fields that WeChat checks (47003 is impossible).
#[sqlx::test]
async fn every_event_fits_the_fields_of_wechat(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", "").await;
    let mut expected = 0;
    for language in [wish::Language::ZhCn, wish::Language::En] {
        let wished =
            pb::NoticePreferences { language: language.into(), ..preferences(&city.driver).await };
        prefer(&city.driver, wished).await.unwrap();
        for event in NoticeEvent::ALL {
            if !Template::AT_WECHAT.contains(&event.template()) {
                continue;
            }
            let template = match event.template() {
                Template::PassApplication => "T-application",
                Template::Pass => "T-pass",
                Template::Complaint => "T-complaint",
                Template::Message => "T-message",
                Template::Enterprise => "T-enterprise",
                _ => "T-evaluation",
            };
            app.consents(&city.driver, "driver-zhao", template).await;
            app.tells(&city.driver, *event, &format!("{language:?}")).await;
            expected += 1;
        }
        app.run_workers().await;
    }
    assert_eq!(app.at_wechat("driver-zhao").await.len(), expected);
    assert_eq!(states(&app).await, [("SENT".to_owned(), i64::try_from(expected).unwrap())]);
}

// NO-06: the night is quiet, but for what cannot wait; in the morning it comes, by itself when it is
// one, and as one push when there are several (NO-07).
#[sqlx::test]
async fn quiet_hours_hold_back_what_can_wait_until_the_morning(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    for _ in 0..3 {
        app.consents(&city.driver, "driver-zhao", "T-pass").await;
    }
    app.consents(&city.driver, "driver-zhao", "T-digest").await;
    app.clock.set("2026-11-24T23:00:00+08:00".parse().unwrap());
    app.tells(&city.driver, NoticeEvent::PassResumed, "1").await;
    app.tells(&city.driver, NoticeEvent::PassSuspended, "2").await;
    app.run_workers().await;
    assert_eq!(events(&city.driver).await.len(), 2, "the inbox waits for nothing");
    let pushed = app.at_wechat("driver-zhao").await;
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].1["phrase2"], "已暂停");
    app.clock.set("2026-11-25T06:59:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    app.clock.set("2026-11-25T07:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    let pushed = app.at_wechat("driver-zhao").await;
    assert_eq!((pushed.len(), pushed[1].1["phrase2"].as_str()), (2, "已恢复"));
    // The next night holds back two.
    app.clock.set("2026-11-25T23:00:00+08:00".parse().unwrap());
    app.tells(&city.driver, NoticeEvent::PassResumed, "3").await;
    app.tells(&city.driver, NoticeEvent::PassExpiring, "4").await;
    app.run_workers().await;
    app.clock.set("2026-11-26T07:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    let pushed = app.at_wechat("driver-zhao").await;
    assert_eq!((pushed.len(), pushed[2].0.as_str()), (3, "T-digest"));
    assert_eq!(pushed[2].1["number1"], "2");
    assert_eq!(states(&app).await, [("SENT".to_owned(), 4)]);
}

// NO-07: at most one push a day tells of everything since, however often the worker comes.
#[sqlx::test]
async fn a_digest_comes_once_a_day(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    for _ in 0..3 {
        app.consents(&city.driver, "driver-zhao", "T-digest").await;
    }
    let noon =
        pb::NoticePreferences { digest_minute: Some(12 * 60), ..preferences(&city.driver).await };
    prefer(&city.driver, noon).await.unwrap();
    for cause in ["1", "2"] {
        app.tells(&city.driver, NoticeEvent::PassResumed, cause).await;
    }
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await, []);
    app.advance(hours(2));
    app.run_workers().await;
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    // Another hour on the same day: the day had its push.
    let later =
        pb::NoticePreferences { digest_minute: Some(15 * 60), ..preferences(&city.driver).await };
    prefer(&city.driver, later).await.unwrap();
    for cause in ["3", "4", "5"] {
        app.tells(&city.driver, NoticeEvent::PassResumed, cause).await;
    }
    app.run_workers().await;
    app.advance(hours(4));
    app.run_workers().await;
    assert_eq!(app.at_wechat("driver-zhao").await.len(), 1);
    app.clock.set("2026-11-25T15:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    let pushed = app.at_wechat("driver-zhao").await;
    assert_eq!((pushed.len(), pushed[1].1["number1"].as_str()), (2, "3"));
}

// The stand-in of WeCom refuses whom it does not know (81013); the officer finds it in the inbox.
#[sqlx::test]
async fn an_officer_whom_wecom_does_not_know_has_the_inbox(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let brigade = sqlx::query_as("select id, path from unit where code = '321302170000'")
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap();
    let unknown = app.officer(sandbox::wecom::UNKNOWN_MEMBER, &brigade, &["HANDLER"]).await;
    let telling = Telling {
        event: NoticeEvent::TaskUrged,
        audience: Audience::Officer(Id::parse(&unknown.name).unwrap()),
        subject: "complaints/x".to_owned(),
        cause: "x".to_owned(),
        facts: Facts::default(),
    };
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    notices::tell(&mut tx, &telling).await.unwrap();
    tx.commit().await.unwrap();
    app.run_workers().await;
    assert_eq!(events(&unknown).await, ["TASK_URGED"]);
    assert_eq!(states(&app).await, [("UNREACHABLE".to_owned(), 1)]);
    assert_eq!(Language::ALL.len(), 2);
    drop(city);
}
