//! What tells somebody something: ends of a pass, a message, the steps of a complaint, a ladder, an evaluation.

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    domain::duty::escalation::Level,
    service::pb::{self, SatisfactionLevel},
    store::common::notices::causes,
};
use serde_json::Value;
use sqlx::PgPool;

use super::{PHONE, events, hours, inbox};
use crate::{
    conversations::{claim, close, open, say},
    harness::{App, City, request_id, to},
};

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
