//! What people are told: the inbox first, then by which way and when it is pushed, to whom, and what is
//! never said. The ways stand in `ways`, dead letters and webhooks in `webhooks`.

mod ways;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    domain::{
        common::notice::{Audience, Facts, Language, NoticeEvent, Template},
        duty::escalation::Level,
    },
    id::{Id, kind},
    sandbox,
    service::pb::{self, SatisfactionLevel, notice_preferences as wish},
    store::common::notices::{self, Telling, causes},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    conversations::{claim, close, open, say},
    harness::{App, City, User, fields, reason, request_id, to},
};

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

async fn ended(app: &App, city: &City) -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let mut told = Vec::new();
    for (what, code) in [
        ("withdraw", "LAW_OR_FACTS_CHANGED"),
        ("cancel", "HOLDER_REQUEST"),
        ("annul", "FALSE_INFORMATION"),
        ("penalise", "LENT_OR_MISUSED"),
    ] {
        let pass = city.pass(app).await;
        let ending = pb::EndTruckPassRequest {
            name: pass.name,
            reason_code: code.to_owned(),
            note: "依据调查结果".to_owned(),
            etag: pass.etag,
            request_id: request_id(),
        };
        match what {
            "withdraw" => city.chief.call(to::WithdrawTruckPass(ending)).await,
            "cancel" => city.handler.call(to::CancelTruckPass(ending)).await,
            "annul" => city.chief.call(to::AnnulTruckPass(ending)).await,
            _ => city.chief.call(to::PenaliseTruckPass(ending)).await,
        }
        .unwrap();
        told.push((what, events(&city.boss).await, events(&city.driver).await));
        app.advance(SignedDuration::from_mins(1));
    }
    told
}

// The four ends of a pass: the enterprise and who drives the truck are told, at any hour.
#[sqlx::test]
async fn every_end_of_a_pass_is_told_to_the_enterprise_and_the_driver(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let told = ended(&app, &city).await;
    for ((what, boss, driver), event) in told.into_iter().zip([
        "PASS_WITHDRAWN",
        "PASS_CANCELLED",
        "PASS_ANNULLED",
        "PASS_PENALISED",
    ]) {
        let event = event.to_owned();
        assert!(boss.contains(&event) && driver.contains(&event), "{what} {boss:?} {driver:?}");
    }
    assert!(inbox(&city.driver).await.iter().all(|notice| notice.urgent));
}

// A pass speaks before it ends: a month, a week, a day, each once, whatever the worker did meanwhile.
#[sqlx::test]
async fn a_pass_is_spoken_of_before_it_ends(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let seconds = city.pass(&app).await.valid_until.unwrap().seconds;
    let end = Timestamp::from_second(seconds).unwrap();
    let expiring =
        async || events(&city.boss).await.iter().filter(|event| *event == "PASS_EXPIRING").count();
    app.run_workers().await;
    assert_eq!(expiring().await, 0);
    for (told, days) in [(1, 30), (2, 7), (3, 1)] {
        app.clock.set(end - hours(24 * days) - SignedDuration::from_mins(1));
        app.run_workers().await;
        assert_eq!(expiring().await, told - 1, "{days}");
        app.clock.set(end - hours(24 * days));
        app.run_workers().await;
        app.run_workers().await;
        app.advance(hours(3));
        app.run_workers().await;
        assert_eq!(expiring().await, told, "{days}");
    }
    let last = &inbox(&city.boss).await[0];
    assert!(last.body.contains("将于2027年5月23日到期"), "{}", last.body);
    app.clock.set(end + hours(1));
    app.run_workers().await;
    assert_eq!(expiring().await, 3);
}

// CH-08: whoever has received a message is not told; whoever has not is, once until they have read,
// and without a word of the message.
#[sqlx::test]
async fn a_message_is_told_to_whoever_is_away_and_never_what_it_says(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    app.reachable(&desk.talker, "talker-li", PHONE).await;
    for _ in 0..3 {
        app.consents(&desk.talker, "talker-li", "T-message").await;
    }
    let conversation = open(&desk).await.name;
    say(&desk.talker, &conversation, "我们的货车被拦下了").await.unwrap();
    claim(&desk.ann, &conversation).await.unwrap();
    // Officers are told by WeCom: she who holds it, and not her colleague.
    app.advance(SignedDuration::from_secs(16));
    app.run_workers().await;
    assert_eq!(events(&desk.ann).await, ["MESSAGE_RECEIVED"]);
    assert_eq!(events(&desk.ben).await, Vec::<String>::new());
    let texts = app.at_wecom("200002").await;
    assert_eq!(texts, ["您有一条新消息\n您有一条新消息,请打开小程序查看。"]);
    // The answer: nobody is told before the device had its time to receive it.
    let mark = async |sequence| {
        let request = pb::MarkConversationRequest {
            conversation: conversation.clone(),
            delivered_sequence: sequence,
            ..Default::default()
        };
        desk.talker.call(request).await.unwrap();
    };
    let answer = say(&desk.ann, &conversation, "请报车牌,密语甲乙丙").await.unwrap();
    app.run_workers().await;
    assert_eq!(app.at_wechat("talker-li").await, []);
    mark(answer.sequence).await;
    app.advance(SignedDuration::from_secs(16));
    app.run_workers().await;
    assert_eq!(app.at_wechat("talker-li").await, [], "the device has received it");
    for words in ["第一条", "第二条"] {
        say(&desk.ann, &conversation, words).await.unwrap();
        app.advance(SignedDuration::from_secs(16));
        app.run_workers().await;
    }
    let pushed = app.at_wechat("talker-li").await;
    assert_eq!(pushed.len(), 1, "told once until they are read");
    assert_eq!(
        (pushed[0].0.as_str(), pushed[0].1["thing1"].as_str()),
        ("T-message", "您有一条新消息")
    );
    assert_eq!(app.by_sms(PHONE).await, Value::Null, "a message is worth no SMS");
    mark(100).await;
    say(&desk.ann, &conversation, "第三条").await.unwrap();
    app.advance(SignedDuration::from_secs(16));
    app.run_workers().await;
    assert_eq!(app.at_wechat("talker-li").await.len(), 2);
    for kept in ["notice", "notice_delivery", "event"] {
        let secret = format!("select count(*) from {kept} it where it::text ~ '密语|货车|第一条'");
        assert_eq!(app.count(&secret).await, 0, "{kept}");
    }
}

// I20, CO-22: the enterprise and the officers are told of each step of a complaint, by number and state;
// what it is about stands in no notice, no push and no event.
#[sqlx::test]
async fn a_complaint_is_told_by_number_and_state_alone(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    app.reachable(&desk.boss, "boss-wang", PHONE).await;
    for _ in 0..9 {
        app.consents(&desk.boss, "boss-wang", "T-complaint").await;
    }
    let name = desk.in_progress(&desk.one).await;
    desk.boss
        .call(to::UrgeComplaint(pb::MoveComplaintRequest {
            name: name.clone(),
            note: "密语甲乙丙".to_owned(),
            ..Default::default()
        }))
        .await
        .unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(SatisfactionLevel::Dissatisfied, "没有解决,密语甲乙丙").await;
    app.run_workers().await;
    let told = events(&desk.boss).await;
    assert_eq!(told, ["COMPLAINT_ACCEPTED", "COMPLAINT_ANSWERED", "COMPLAINT_REOPENED"]);
    assert_eq!(events(&desk.one).await, ["TASK_ASSIGNED", "TASK_URGED"]);
    assert_eq!(events(&desk.assigner).await, ["TASK_TO_ASSIGN", "TASK_TO_REVIEW"]);
    let phrases: Vec<_> = app
        .at_wechat("boss-wang")
        .await
        .into_iter()
        .map(|(_, data)| data["phrase2"].clone())
        .collect();
    assert_eq!(phrases.len(), 3);
    assert!(phrases.iter().any(|phrase| phrase == "待评价"), "{phrases:?}");
    let number = desk.get(&desk.boss, &name).await.unwrap().number;
    let texts = app.at_wecom("300003").await;
    assert!(texts.iter().all(|text| text.contains(&number)), "{texts:?}");
    let pushed = format!("{texts:?} {:?}", app.at_wechat("boss-wang").await);
    for secret in ["卸货", "早高峰", "密语", "没有解决"] {
        assert!(!pushed.contains(secret), "{secret}");
        for kept in ["notice", "notice_delivery", "event"] {
            let count = format!("select count(*) from {kept} it where it::text like '%{secret}%'");
            assert_eq!(app.count(&count).await, 0, "{kept} {secret}");
        }
    }
}

// Returned to who assigns, refused and transferred to the enterprise.
#[sqlx::test]
async fn the_other_ways_of_a_complaint_are_told_too(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.give_back(&desk.one, &name).await.unwrap();
    assert_eq!(events(&desk.assigner).await, ["TASK_RETURNED"]);
    assert_eq!(events(&desk.second_assigner).await, Vec::<String>::new());
    // When who assigned it serves no more, a colleague of the nearest unit that can is told.
    let again = desk.in_progress(&desk.three).await;
    app.sql("update officer set disable_time = now() where police_number = '300001'").await;
    desk.answer(&desk.three, &again).await.unwrap();
    assert!(events(&desk.two).await.contains(&"TASK_TO_REVIEW".to_owned()));
    app.sql("update officer set disable_time = null where police_number = '300001'").await;
    let second = desk.file().await.name;
    desk.decline(&desk.assigner, &second, "属于其他部门职责").await.unwrap();
    assert!(events(&desk.boss).await.contains(&"COMPLAINT_NOT_ACCEPTED".to_owned()));
}

// CO-08: the holder is reminded at amber, the leader told from red on; each step once.
#[sqlx::test]
async fn the_holder_is_reminded_and_the_leader_told(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    desk.in_progress(&desk.one).await;
    let owed: uuid::Uuid = sqlx::query_scalar(
        "select id from obligation where kind = 'HANDLE_COMPLAINT' and meet_time is null",
    )
    .fetch_one(app.parts.store.pool())
    .await
    .unwrap();
    for (level, _) in [(Level::Amber, 0), (Level::Red, 1), (Level::Red, 1), (Level::Urged, 2)] {
        let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
        causes::escalated(&mut tx, &[(owed, level)]).await.unwrap();
        tx.commit().await.unwrap();
        app.advance(SignedDuration::from_secs(1));
        app.run_workers().await;
    }
    assert_eq!(events(&desk.one).await, ["LIMIT_NEAR", "TASK_ASSIGNED"]);
    assert_eq!(events(&desk.leader).await, ["LIMIT_PASSED", "LIMIT_URGED"]);
    let texts = app.at_wecom("300007").await;
    assert_eq!(texts.len(), 2);
    assert!(texts[0].starts_with("办理事项已超期\n诉求SQSQ"), "{}", texts[0]);
    assert_eq!(app.count("select count(*) from event where deliver_time is null").await, 0);
}

// Whoever was asked how it was, and said nothing, is asked once more: in the inbox and by push.
#[sqlx::test]
async fn an_evaluation_is_asked_for_once_more(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    desk.in_call_back(&desk.one).await;
    app.run_workers().await;
    let reminders = async || {
        events(&desk.boss).await.iter().filter(|event| *event == "EVALUATION_REMINDER").count()
    };
    assert_eq!(reminders().await, 0);
    for _ in 0..3 {
        app.advance(hours(25));
        app.run_workers().await;
    }
    assert_eq!(reminders().await, 1);
}

#[sqlx::test]
async fn a_conversation_that_was_closed_is_asked_about_by_notice_too(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let conversation = open(&desk).await.name;
    say(&desk.talker, &conversation, "在吗").await.unwrap();
    claim(&desk.ann, &conversation).await.unwrap();
    say(&desk.ann, &conversation, "在").await.unwrap();
    close(&desk.ann, &conversation).await.unwrap();
    app.advance(hours(49));
    app.run_workers().await;
    assert!(events(&desk.talker).await.contains(&"EVALUATION_REMINDER".to_owned()));
    assert!(!events(&desk.city.handler).await.contains(&"EVALUATION_REMINDER".to_owned()));
}

// NO-06: what preferences may be, and that two writers do not overwrite each other.
#[sqlx::test]
async fn preferences_are_checked_and_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let first = preferences(&city.driver).await;
    assert_eq!((first.quiet_from_minute, first.quiet_until_minute), (22 * 60, 7 * 60));
    assert_eq!(first.channels, [i32::from(wish::Channel::Wechat), i32::from(wish::Channel::Sms)]);
    assert_eq!(first.templates.len(), 7);
    let officer = preferences(&city.first).await;
    assert_eq!((officer.quiet_from_minute, officer.quiet_until_minute), (0, 0));
    assert_eq!(officer.channels, [i32::from(wish::Channel::Wecom)]);
    assert_eq!(officer.templates, []);
    let wrong = pb::NoticePreferences {
        language: 0,
        channels: vec![3, 1, 1],
        quiet_from_minute: 1_440,
        quiet_until_minute: -1,
        digest_minute: Some(1_440),
        etag: "7".to_owned(),
        templates: vec![],
    };
    let refused = prefer(&city.driver, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "notice_preferences.channels[0] NOT_ALLOWED",
            "notice_preferences.channels[2] DUPLICATE",
            "notice_preferences.digest_minute OUT_OF_RANGE",
            "notice_preferences.etag ETAG_MALFORMED",
            "notice_preferences.language REQUIRED",
            "notice_preferences.quiet_from_minute OUT_OF_RANGE",
            "notice_preferences.quiet_until_minute OUT_OF_RANGE",
        ]
    );
    let saved = prefer(&city.driver, first.clone()).await.unwrap();
    assert_ne!(saved.etag, first.etag);
    assert_eq!(reason(&prefer(&city.driver, first).await.unwrap_err()), "ETAG_STALE");
    assert_eq!(preferences(&city.driver).await, saved);
}

#[sqlx::test]
async fn a_consent_is_recorded_once_and_only_for_what_is_filed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let result = |template_id: &str, answer| pb::record_subscription_consent_request::Result {
        template_id: template_id.to_owned(),
        answer,
        long_term: false,
    };
    let request = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-pass", 1), result("T-complaint", 2)],
        request_id: request_id(),
    };
    for _ in 0..2 {
        let after = city.boss.call(request.clone()).await.unwrap();
        assert_eq!((left(&after, "pass"), left(&after, "complaint")), (1, 0));
    }
    let wrong = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-other", 1), result("T-pass", 0), result("T-pass", 1)],
        request_id: request_id(),
    };
    let refused = city.boss.call(wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "results[0].template_id UNKNOWN_VALUE",
            "results[1].answer REQUIRED",
            "results[2].template_id DUPLICATE",
        ]
    );
    let many = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-pass", 1); 4],
        request_id: request_id(),
    };
    let refused = city.boss.call(many).await.unwrap_err();
    assert!(fields(&refused).contains(&"results TOO_MANY".to_owned()));
    // A long-term template permits any number.
    let long = pb::record_subscription_consent_request::Result {
        long_term: true,
        ..result("T-message", 1)
    };
    let request =
        pb::RecordSubscriptionConsentRequest { results: vec![long], ..Default::default() };
    let after = city.boss.call(request).await.unwrap();
    assert!(after.templates.iter().any(|it| it.code == "message" && it.long_term));
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
