//! What an administrator sees to: deliveries that were given up and are sent again, and other systems
//! that are told, by a signature that they can verify.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use jingqi::surface::{domain::common::notice::NoticeEvent, sandbox, service::pb};
use serde_json::Value;
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    harness::{App, User, fields, reason, request_id},
    notices::{PHONE, ask, inbox},
};

impl App {
    /// Lets every attempt come about that the waits permit within the time.
    async fn persist(&self, rounds: usize) {
        for _ in 0..rounds {
            self.advance(SignedDuration::from_hours(1));
            self.run_workers().await;
        }
    }

    async fn letters(&self, place: &str) -> Vec<Value> {
        let told = ask(self, &format!("/sandbox/webhooks/{place}")).await;
        told["letters"].as_array().unwrap().clone()
    }
}

async fn dead(user: &User) -> Vec<pb::DeadLetter> {
    let request = pb::ListDeadLettersRequest::default();
    user.call(request).await.unwrap().dead_letters
}

async fn resend(user: &User, name: &str) -> Result<pb::DeadLetter, Status> {
    let request = pb::ResendDeadLetterRequest {
        name: name.to_owned(),
        note: "短信网关已恢复".to_owned(),
        request_id: request_id(),
    };
    user.call(request).await
}

pub async fn webhook(
    app: &App,
    by: &User,
    place: &str,
    events: &[&str],
) -> Result<pb::Webhook, Status> {
    let request = pb::CreateWebhookRequest {
        webhook: Some(pb::Webhook {
            display_name: "12345热线平台".to_owned(),
            url: format!("http://{}/sandbox/webhooks/{place}", app.sandbox),
            events: events.iter().map(|&event| event.to_owned()).collect(),
            ..pb::Webhook::default()
        }),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn deliveries(by: &User, webhook: &str) -> Vec<pb::WebhookDelivery> {
    let request =
        pb::ListWebhookDeliveriesRequest { webhook: webhook.to_owned(), ..Default::default() };
    by.call(request).await.unwrap().webhook_deliveries
}

// NO-02, NO-03: a delivery that fails on and on becomes visible, stops no other, shows nothing of what
// it says, and is delivered again by hand.
#[sqlx::test]
async fn a_dead_letter_is_seen_and_sent_again(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    app.reachable(&city.driver, "driver-zhao", sandbox::sms::AWAY).await;
    app.reachable(&city.boss, "boss-wang", PHONE).await;
    app.tells(&city.driver, NoticeEvent::PassSuspended, "1").await;
    app.tells(&city.boss, NoticeEvent::PassSuspended, "1").await;
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已暂停", "the other is delivered");
    app.persist(11).await;
    let found = dead(&administrator).await;
    assert_eq!(found.len(), 1);
    let letter = &found[0];
    assert_eq!((letter.topic.as_str(), letter.attempts), ("notice", 12));
    assert_eq!(letter.failure, "REMOTE_UNAVAILABLE");
    assert!(letter.subject.starts_with("persons/****"), "{}", letter.subject);
    assert_eq!(letter.subject.len(), "persons/****".len() + 4);
    // It was tried once a day from then on; the operator need not wait.
    app.reachable(&city.driver, "driver-zhao", "13812340002").await;
    app.run_workers().await;
    assert_eq!(app.by_sms("13812340002").await, Value::Null);
    let again = resend(&administrator, &letter.name).await.unwrap();
    assert_eq!(again.attempts, 0);
    app.run_workers().await;
    assert_eq!(app.by_sms("13812340002").await["parameters"]["state"], "已暂停");
    assert_eq!(dead(&administrator).await, []);
    assert_eq!(reason(&resend(&administrator, &letter.name).await.unwrap_err()), "NOT_FOUND");
    assert_eq!(app.count("select count(*) from change where action = 'RESEND'").await, 1);
}

#[sqlx::test]
async fn only_the_system_administrator_sees_dead_letters_and_webhooks(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    let made = webhook(&app, &administrator, "one", &[]).await.unwrap();
    for user in [&city.boss, &city.chief, &city.device] {
        let list = pb::ListDeadLettersRequest::default();
        let refused = user.call(list).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", user.name);
        assert_eq!(resend(user, "events/x").await.unwrap_err().code(), Code::PermissionDenied);
        let refused = webhook(&app, user, "two", &[]).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", user.name);
        let list =
            pb::ListWebhookDeliveriesRequest { webhook: made.name.clone(), ..Default::default() };
        let refused = user.call(list).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", user.name);
    }
    let request = pb::ResendDeadLetterRequest { name: "events/x".to_owned(), ..Default::default() };
    let refused = administrator.call(request).await.unwrap_err();
    assert_eq!(fields(&refused), ["name NAME_MALFORMED", "note REQUIRED"]);
}

// NO-08: another system is told of a decision; it verifies the signature by its own means, and finds
// names and a number, and nobody.
#[sqlx::test]
async fn a_webhook_is_told_and_can_verify_it(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    let made = webhook(&app, &administrator, "hotline", &["PASS_APPROVED"]).await.unwrap();
    let secret = STANDARD.decode(made.secret.strip_prefix("whsec_").unwrap()).unwrap();
    let listed = administrator.call(pb::ListWebhooksRequest::default()).await.unwrap().webhooks;
    assert_eq!((listed.len(), listed[0].secret.as_str()), (1, ""), "told once");
    city.pass(&app).await;
    app.run_workers().await;
    app.run_workers().await;
    let letters = app.letters("hotline").await;
    assert_eq!(letters.len(), 1, "of what was asked for, once");
    let said = |key: &str| letters[0][key].as_str().unwrap();
    // A second implementation, as a receiver would write it.
    let signed = format!("{}.{}.{}", said("id"), said("timestamp"), said("body"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let tag = STANDARD.decode(said("signature").strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
    assert_eq!(said("timestamp"), app.now().as_second().to_string());
    assert!(said("id").starts_with("msg_"));
    let body: Value = serde_json::from_str(said("body")).unwrap();
    assert_eq!(body["type"], "PASS_APPROVED");
    assert_eq!(body["data"]["enterprise"], city.enterprise.to_string());
    assert!(body["data"]["number"].as_str().unwrap().starts_with("SQSQTX"));
    assert!(!said("body").contains("苏N") && !said("body").contains("persons/"));
    let log = deliveries(&administrator, &made.name).await;
    assert!(log[0].deliver_time.is_some());
    assert_eq!(log[0].attempts.iter().map(|it| it.status).collect::<Vec<_>>(), [204]);
}

// NO-08: what fails is tried again with a fresh signature, logged, and becomes a dead letter; a
// redirect leads nowhere; who was disabled is told nothing any more.
#[sqlx::test]
async fn a_webhook_that_fails_is_tried_again_and_logged(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    let away =
        webhook(&app, &administrator, sandbox::webhook::AWAY, &["PASS_APPROVED"]).await.unwrap();
    let moved =
        webhook(&app, &administrator, sandbox::webhook::MOVED, &["PASS_APPROVED"]).await.unwrap();
    let good = webhook(&app, &administrator, "good", &[]).await.unwrap();
    city.pass(&app).await;
    app.run_workers().await;
    app.advance(SignedDuration::from_secs(1));
    app.run_workers().await;
    let tried = app.letters(sandbox::webhook::AWAY).await;
    assert_eq!(tried.len(), 2);
    assert_eq!(tried[0]["id"], tried[1]["id"]);
    assert_ne!(tried[0]["signature"], tried[1]["signature"]);
    assert_eq!(app.letters("elsewhere").await, Vec::<Value>::new());
    assert_eq!(app.letters("good").await.len(), 2, "accepted and approved");
    let log = deliveries(&administrator, &away.name).await;
    assert_eq!((log.len(), log[0].deliver_time), (1, None));
    assert_eq!(log[0].attempts.iter().map(|it| it.status).collect::<Vec<_>>(), [503, 503]);
    assert_eq!(deliveries(&administrator, &moved.name).await[0].attempts[0].status, 307);
    app.persist(10).await;
    let found = dead(&administrator).await;
    assert_eq!(
        found.iter().map(|it| it.topic.as_str()).collect::<Vec<_>>(),
        ["webhook", "webhook"]
    );
    for webhook in [&away, &moved, &good] {
        let request = pb::DisableWebhookRequest {
            name: webhook.name.clone(),
            etag: webhook.etag.clone(),
            request_id: request_id(),
        };
        let disabled = administrator.call(request.clone()).await.unwrap();
        assert!(disabled.disable_time.is_some());
        let again =
            pb::DisableWebhookRequest { etag: String::new(), request_id: request_id(), ..request };
        let again = administrator.call(again).await.unwrap_err();
        assert_eq!(reason(&again), "TRANSITION_ILLEGAL");
    }
    app.persist(30).await;
    assert_eq!(dead(&administrator).await, [], "what is under way is dropped");
    assert_eq!(app.letters("good").await.len(), 2);
}

// NO-08: what cannot be a webhook, all faults at once.
#[sqlx::test]
async fn a_webhook_is_checked_before_it_is_made(pool: PgPool) {
    let app = App::start(pool).await;
    let administrator = {
        app.city().await;
        app.administrator().await
    };
    let request = pb::CreateWebhookRequest {
        webhook: Some(pb::Webhook {
            url: "http://example.com/hook".to_owned(),
            events: ["PASS_APPROVED", "TASK_URGED", "PASS_APPROVED", "WHIM"]
                .map(str::to_owned)
                .to_vec(),
            ..pb::Webhook::default()
        }),
        request_id: request_id(),
    };
    let refused = administrator.call(request).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "webhook.display_name REQUIRED",
            "webhook.events[1] UNKNOWN_VALUE",
            "webhook.events[2] DUPLICATE",
            "webhook.events[3] UNKNOWN_VALUE",
            "webhook.url URL_REFUSED",
        ]
    );
}

// OP-08: a receiver that never answers is asked once and then left alone; nobody else waits for it.
#[sqlx::test]
async fn a_dead_receiver_delays_no_other(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    // Takes connections, and says nothing on them.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = webhook(&app, &administrator, "silent", &["PASS_APPROVED"]).await.unwrap();
    webhook(&app, &administrator, "good", &["PASS_APPROVED"]).await.unwrap();
    app.sql(&format!(
        "update webhook set url = 'http://{address}/' where id = '{}'",
        silent.name.split('/').nth(1).unwrap()
    ))
    .await;
    city.pass(&app).await;
    // Five more of the same, and all of them older.
    for number in 1..=5 {
        let id = format!("00000000-0000-0000-0000-00000000000{number}");
        app.sql(&format!(
            "insert into event (id, topic, subject, payload, create_time, attempts, next_attempt_time)
             select '{id}', topic, subject, payload, create_time, 0, next_attempt_time
             from event where topic = 'webhook' and subject = '{}' limit 1",
            silent.name
        ))
        .await;
        app.sql(&format!(
            "insert into webhook_delivery (id, webhook_id, event, cause, payload, create_time)
             select '{id}', webhook_id, event, cause || '{number}', payload, create_time
             from webhook_delivery where webhook_id = '{}' limit 1",
            silent.name.split('/').nth(1).unwrap()
        ))
        .await;
    }
    let delivered = async {
        listener.accept().await.unwrap();
        let asked = std::time::Instant::now();
        while app.letters("good").await.is_empty() {}
        asked.elapsed()
    };
    let ((), waited) = tokio::join!(app.run_workers(), delivered);
    // One after the other, the five alone would take fifteen seconds.
    assert!(waited < std::time::Duration::from_secs(9), "{waited:?}");
    let attempts = "select count(*) from webhook_attempt where status = 0";
    assert_eq!(app.count(attempts).await, 1);
    app.advance(SignedDuration::from_secs(1));
    app.run_workers().await;
    assert_eq!(app.count(attempts).await, 2);
    // It comes back: everything that waited is delivered.
    let url = format!("http://{}/sandbox/webhooks/silent", app.sandbox);
    app.sql(&format!("update webhook set url = '{url}' where url like 'http://{address}%'")).await;
    app.advance(SignedDuration::from_secs(2));
    app.run_workers().await;
    assert_eq!(app.letters("silent").await.len(), 6);
}

// NO-08: who says that it is gone is asked no more, and who set it is told.
#[sqlx::test]
async fn a_webhook_that_is_gone_ends_and_its_maker_is_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    let gone = webhook(&app, &administrator, sandbox::webhook::GONE, &[]).await.unwrap();
    let good = webhook(&app, &administrator, "good", &[]).await.unwrap();
    city.pass(&app).await;
    app.run_workers().await;
    app.run_workers().await;
    let attempts = "select count(*) from webhook_attempt where status = 410";
    assert_eq!(app.count(attempts).await, 1, "what else was under way is dropped");
    let listed = administrator.call(pb::ListWebhooksRequest::default()).await;
    for webhook in listed.unwrap().webhooks {
        assert_eq!(webhook.disable_time.is_some(), webhook.name == gone.name, "{}", webhook.name);
    }
    let told = inbox(&administrator).await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].event.as_str(), &told[0].subject), ("WEBHOOK_ENDED", &gone.name));
    assert!(told[0].body.contains("410"), "{}", told[0].body);
    assert_eq!(app.count("select count(*) from change where reason = 'GONE'").await, 1);
    app.advance(SignedDuration::from_hours(30));
    app.run_workers().await;
    assert_eq!(app.count(attempts).await, 1);
    assert_ne!(good.name, gone.name);
}
