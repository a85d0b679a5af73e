//! What people are told: the inbox here, then by which way and when it is pushed, to whom, and what is
//! never said. The ways stand in `ways`, when and whether something is pushed in `pushes`, what each
//! thing that happens tells in `causes`, what a person wishes in `preferences`, dead letters and webhooks
//! in `webhooks`.

mod causes;
mod preferences;
mod pushes;
mod ways;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jingqi::surface::{
    domain::common::notice::{Audience, Facts, NoticeEvent},
    id::{Id, kind},
    service::pb::{self, notice_preferences as wish},
    store::common::notices::{self, Telling},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::harness::{App, User, request_id};

pub const PHONE: &str = "13812340001";

/// What the stand-in tells.
pub async fn ask(app: &App, path: &str) -> Value {
    let answer = reqwest::get(format!("http://{}{path}", app.sandbox)).await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
}

impl App {
    /// Lets a person be known at WeChat by a name, and by a phone where one is given.
    pub async fn reachable(&self, person: &User, name: &str, phone: &str) {
        let openid = self.permits(name, "none").await;
        let vault = self.parts.store.vault();
        let seal = |purpose: &str, text: &str| {
            vault.seal(purpose, text.as_bytes(), self.parts.ids.bytes()).unwrap()
        };
        let id: Id<kind::Person> = Id::parse(&person.name).unwrap();
        sqlx::query("update person set openid_sealed = $2, phone_sealed = $3 where id = $1")
            .bind(id.uuid())
            .bind(seal("openid", &openid))
            .bind(Some(phone).filter(|it| !it.is_empty()).map(|phone| seal("phone", phone)))
            .execute(self.parts.store.pool())
            .await
            .unwrap();
    }

    /// The person permits one message at WeChat itself.
    async fn permits(&self, name: &str, template_id: &str) -> String {
        let url = format!("http://{}/sandbox/consents", self.sandbox);
        let body = json!({ "user": name, "template_id": template_id });
        let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["openid"].as_str().unwrap().to_owned()
    }

    /// The person taps "allow" in the mini-program: WeChat knows it, and tells it to us.
    pub async fn consents(&self, person: &User, name: &str, template_id: &str) {
        self.permits(name, template_id).await;
        record(person, template_id, 1).await.unwrap();
    }

    /// The pushes that a person got at WeChat, as template and fields.
    pub async fn at_wechat(&self, name: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let told = ask(self, &format!("/sandbox/messages?user={name}")).await;
        let told = told["messages"].as_array().unwrap().iter().map(|message| {
            let fields = message["data"].as_object().unwrap().iter();
            let fields =
                fields.map(|(name, it)| (name.clone(), it["value"].as_str().unwrap().to_owned()));
            (message["template_id"].as_str().unwrap().to_owned(), fields.collect())
        });
        told.collect()
    }

    /// The last short message to a number.
    pub async fn by_sms(&self, phone: &str) -> Value {
        ask(self, &format!("/sandbox/sms?phone={phone}")).await
    }

    /// The texts that an officer got at WeCom.
    pub async fn at_wecom(&self, number: &str) -> Vec<String> {
        let told = ask(self, &format!("/sandbox/wecom/messages?member={number}")).await;
        let told = told["messages"].as_array().unwrap().iter();
        told.map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }

    /// Tells something to one person, as a step would.
    pub async fn tells(&self, person: &User, event: NoticeEvent, cause: &str) -> bool {
        let telling = Telling {
            event,
            audience: Audience::Person(Id::parse(&person.name).unwrap()),
            subject: "truckPasses/x".to_owned(),
            cause: cause.to_owned(),
            facts: Facts {
                number: "SQTX202611240000015".to_owned(),
                plate: "苏N12345".to_owned(),
                ..Facts::default()
            },
        };
        let mut tx = self.parts.store.begin(&self.cx()).await.unwrap();
        let told = notices::tell(&mut tx, &telling).await.unwrap();
        tx.commit().await.unwrap();
        told
    }
}

async fn record(
    person: &User,
    template_id: &str,
    answer: i32,
) -> Result<pb::NoticePreferences, Status> {
    let result = pb::record_subscription_consent_request::Result {
        template_id: template_id.to_owned(),
        answer,
        long_term: false,
    };
    let request =
        pb::RecordSubscriptionConsentRequest { results: vec![result], request_id: request_id() };
    person.call(request).await
}

pub async fn inbox(user: &User) -> Vec<pb::Notice> {
    let request = pb::ListNoticesRequest::default();
    user.call(request).await.unwrap().notices
}

/// The events of an inbox, sorted: those of one instant have no order.
async fn events(user: &User) -> Vec<String> {
    let mut events: Vec<_> = inbox(user).await.into_iter().map(|notice| notice.event).collect();
    events.sort();
    events
}

async fn unread(user: &User) -> i32 {
    user.call(pb::GetNoticeCountsRequest {}).await.unwrap().unread
}

async fn preferences(user: &User) -> pb::NoticePreferences {
    let request = pb::GetNoticePreferencesRequest {};
    user.call(request).await.unwrap()
}

async fn prefer(
    user: &User,
    preferences: pb::NoticePreferences,
) -> Result<pb::NoticePreferences, Status> {
    let request = pb::UpdateNoticePreferencesRequest {
        notice_preferences: Some(preferences),
        request_id: request_id(),
    };
    user.call(request).await
}

fn left(preferences: &pb::NoticePreferences, code: &str) -> i32 {
    preferences.templates.iter().find(|it| it.code == code).unwrap().remaining
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

async fn states(app: &App) -> Vec<(String, i64)> {
    sqlx::query_as("select state, count(*) from notice_delivery group by state order by state")
        .fetch_all(app.parts.store.pool())
        .await
        .unwrap()
}

// NO-01, NO-02, NO-05: an application is decided; its people find it in the inbox at once, and one of
// them on the phone when the worker comes.
#[sqlx::test]
async fn a_decision_is_in_the_inbox_at_once_and_then_on_the_phone(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.boss, "boss-wang", PHONE).await;
    app.consents(&city.boss, "boss-wang", "T-application").await;
    let pass = city.pass(&app).await;
    assert_eq!(events(&city.boss).await, ["PASS_ACCEPTED", "PASS_APPROVED"]);
    assert_eq!(events(&city.handler).await, ["PASS_ACCEPTED", "PASS_APPROVED"]);
    assert_eq!(app.at_wechat("boss-wang").await, []);
    app.run_workers().await;
    let pushed = app.at_wechat("boss-wang").await;
    assert_eq!(pushed.len(), 1, "one consent, one message");
    assert_eq!(pushed[0].0, "T-application");
    // What WeChat may not deliver any more comes by SMS.
    let sms = app.by_sms(PHONE).await;
    assert_eq!(sms["template"], "notice-pass-application");
    let mut states = [&pushed[0].1["phrase2"], sms["parameters"]["state"].as_str().unwrap()];
    states.sort_unstable();
    assert_eq!(states, ["已受理", "已批准"]);
    let found = inbox(&city.boss).await;
    let first = found.iter().find(|notice| notice.event == "PASS_APPROVED").unwrap();
    assert_eq!(
        (first.title.as_str(), first.read, first.urgent),
        ("通行证申请已批准", false, false)
    );
    assert!(first.subject.starts_with("passApplications/"), "{}", first.subject);
    assert!(pass.name.starts_with("truckPasses/"));

    // Read by one, it is unread for the other.
    assert_eq!(unread(&city.boss).await, 2);
    let request = pb::MarkNoticesReadRequest {
        notices: vec![first.name.clone()],
        request_id: request_id(),
        ..Default::default()
    };
    let counts = city.boss.call(request).await.unwrap();
    assert_eq!((counts.unread, unread(&city.handler).await), (1, 2));
    let request = pb::MarkNoticesReadRequest { all: true, ..Default::default() };
    let counts = city.boss.call(request).await.unwrap();
    assert_eq!(counts.unread, 0);
    assert!(inbox(&city.boss).await.iter().all(|notice| notice.read));
    let request = pb::ListNoticesRequest { unread_only: true, ..Default::default() };
    let rest = city.boss.call(request).await.unwrap();
    assert_eq!(rest.notices, []);
    // Everything in the reader's language.
    let english = pb::NoticePreferences {
        language: wish::Language::En.into(),
        ..preferences(&city.boss).await
    };
    prefer(&city.boss, english).await.unwrap();
    let found = inbox(&city.boss).await;
    assert!(found.iter().any(|notice| notice.title == "Pass: approved"), "{found:?}");
}

#[sqlx::test]
async fn the_inbox_is_read_page_by_page(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    for cause in ["1", "2", "3"] {
        app.tells(&city.driver, NoticeEvent::PassResumed, cause).await;
        app.advance(SignedDuration::from_secs(1));
    }
    let first = pb::ListNoticesRequest { page_size: 2, ..Default::default() };
    let first = city.driver.call(first).await.unwrap();
    assert_eq!(first.notices.len(), 2);
    let next = pb::ListNoticesRequest {
        page_size: 2,
        page_token: first.next_page_token,
        ..Default::default()
    };
    let next = city.driver.call(next).await.unwrap();
    assert_eq!((next.notices.len(), next.next_page_token.as_str()), (1, ""));
    assert!(first.notices.iter().all(|notice| notice.name != next.notices[0].name));
}

// Who finds what: by item of the authorisation, by unit and role; nobody else learns anything, nor
// can mark what cannot be seen.
#[sqlx::test]
async fn everybody_has_an_inbox_of_their_own_scope(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let city = &desk.city;
    city.in_review(&app).await;
    desk.in_progress(&desk.one).await;
    assert_eq!(events(&city.boss).await, ["COMPLAINT_ACCEPTED", "PASS_ACCEPTED"]);
    // The handler's authorisation is for passes alone.
    assert_eq!(events(&city.handler).await, ["PASS_ACCEPTED"]);
    for officer in [&desk.one, &desk.three] {
        assert_eq!(events(officer).await, ["TASK_ASSIGNED"], "{}", officer.name);
    }
    // Who may take it in, in the nearest unit.
    assert_eq!(events(&desk.two).await, ["TASK_ASSIGNED", "TASK_TO_ACCEPT"]);
    for user in
        [&desk.other, &desk.leader, &desk.assigner, &city.first, &desk.rival, &city.stranger]
    {
        assert_eq!(events(user).await, Vec::<String>::new(), "{}", user.name);
    }
    let foreign = inbox(&city.boss).await[0].name.clone();
    let request = pb::MarkNoticesReadRequest { notices: vec![foreign], ..Default::default() };
    desk.rival.call(request).await.unwrap();
    assert_eq!(app.count("select count(*) from notice_read").await, 0);
    for user in [&city.device, &city.auxiliary, &app.anonymous()] {
        let code = user.call(pb::ListNoticesRequest::default()).await.unwrap_err().code();
        assert!(matches!(code, Code::PermissionDenied | Code::Unauthenticated), "{}", user.name);
    }
}

// NO-04: the same cause tells once; another version of it tells again.
#[sqlx::test]
async fn an_event_that_comes_twice_tells_once(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    assert!(app.tells(&city.driver, NoticeEvent::PassSuspended, "truckPasses/x/2").await);
    assert!(!app.tells(&city.driver, NoticeEvent::PassSuspended, "truckPasses/x/2").await);
    assert!(app.tells(&city.driver, NoticeEvent::PassSuspended, "truckPasses/x/4").await);
    assert_eq!(events(&city.driver).await.len(), 2);
    assert_eq!(app.count("select count(*) from event where topic = 'notice'").await, 2);
    app.run_workers().await;
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from event where deliver_time is null").await, 0);
}
