//! A phone on its line and an officer on gRPC talk to each other, on any of several servers.

use std::time::Duration;

use futures::SinkExt as _;
use jingqi::surface::{
    id::{Id, kind},
    service::pb::{self, watch_messages_response::Event},
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tonic::Streaming;
use uuid::Uuid;

use crate::{
    harness::{App, City, User, request_id},
    line::{PATIENCE, Phone, limits, refusal},
};

/// Two who may talk.
struct Talk {
    officer: User,
    colleague: User,
    post: String,
    conversation: String,
}

/// A post that serves the city's enterprise, its officer, and a conversation that the officer holds.
async fn talk(app: &App, city: &City) -> Talk {
    let unit: Uuid = sqlx::query_scalar("select id from unit where path = $1")
        .bind(&city.brigade_path)
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap();
    let brigade = (unit, city.brigade_path.clone());
    let leader = app.officer("300001", &brigade, &["UNIT_LEADER"]).await;
    let officer = app.officer("300002", &brigade, &["LIAISON_OFFICER"]).await;
    let colleague = app.person().await;
    app.member(city.enterprise, colleague, "ENTERPRISE_HANDLER", &["LIAISON"]).await;
    let post = pb::CreateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost {
            unit: Id::<kind::Unit>::of(unit).to_string(),
            display_name: "宿城大队警务直通车".to_owned(),
            mode: pb::liaison_post::Mode::Stationed.into(),
            duty_hours: vec![pb::TimeWindow {
                weekdays: vec![],
                from_minute: 0,
                until_minute: 24 * 60,
            }],
            districts: vec!["321302".to_owned()],
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let post = leader.call(post).await.unwrap().name;
    let assign = pb::AssignLiaisonOfficerRequest {
        name: post.clone(),
        officer: officer.name.clone(),
        ..Default::default()
    };
    leader.call(assign).await.unwrap();
    let colleague = app.user(colleague).await;
    let conversation = opened(city, &post).await;
    let name = conversation.clone();
    let add = pb::AddConversationMemberRequest {
        name: name.clone(),
        person: colleague.name.clone(),
        ..Default::default()
    };
    city.boss.call(add).await.unwrap();
    let claim = pb::ClaimConversationRequest { name, ..Default::default() };
    officer.call(claim).await.unwrap();
    Talk { officer, colleague, post, conversation }
}

/// Another conversation of the boss with the post.
async fn opened(city: &City, post: &str) -> String {
    let create = pb::CreateConversationRequest {
        conversation: Some(pb::Conversation {
            enterprise: city.enterprise.to_string(),
            liaison_post: post.to_owned(),
            title: "厂区门口停车".to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    city.boss.call(create).await.unwrap().name
}

impl Talk {
    /// The officer says something at a server.
    async fn officer_says(&self, officer: &User, text: &str) -> i64 {
        let send = pb::SendMessageRequest {
            conversation: self.conversation.clone(),
            client_message_id: request_id(),
            kind: pb::MessageKind::Text.into(),
            text: text.to_owned(),
            ..Default::default()
        };
        officer.call(send).await.unwrap().sequence
    }

    fn text(&self, text: &str) -> Value {
        json!({"id": "send", "sendMessage": {
            "conversation": self.conversation,
            "clientMessageId": request_id(), "kind": "TEXT", "text": text,
        }})
    }

    fn watch(&self, after: i64) -> Value {
        json!({"id": "watch", "watch": {
            "conversation": self.conversation, "afterSequence": after.to_string(),
        }})
    }
}

/// The next frame that fits; events and answers come as they happen.
async fn until(phone: &mut Phone, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let frame = phone.hear().await;
        assert!(frame.get("failure").is_none(), "{frame}");
        if fits(&frame) {
            return frame;
        }
    }
}

/// The next message of a watch, as sequence and text.
async fn message(phone: &mut Phone) -> (i64, String) {
    let frame = until(phone, |frame| frame["event"]["event"].get("message").is_some()).await;
    let message = &frame["event"]["event"]["message"];
    let sequence = message["sequence"].as_str().unwrap().parse().unwrap();
    (sequence, message["text"].as_str().unwrap().to_owned())
}

/// The next message of a stream with this text.
async fn heard(stream: &mut Streaming<pb::WatchMessagesResponse>, text: &str) -> pb::Message {
    loop {
        let item = timeout(PATIENCE, stream.message()).await.unwrap().unwrap().unwrap();
        if let Some(Event::Message(message)) = item.event
            && message.text == text
        {
            return message;
        }
    }
}

// CH-02, CH-21, CH-23: measure 18 as two people live it.
#[sqlx::test]
async fn a_phone_and_an_officer_on_another_server_talk_to_each_other(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let officer = talk.officer.at(app.another().await);
    let watch =
        pb::WatchMessagesRequest { conversation: talk.conversation.clone(), after_sequence: 0 };
    let mut stream = officer.conversations().watch_messages(watch).await.unwrap().into_inner();
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    let started = phone.ask(talk.watch(0)).await;
    assert_eq!(started["watchStarted"]["conversation"], talk.conversation);
    // The first that everybody reads: this is no way to call for help.
    assert_eq!(message(&mut phone).await.0, 1);

    let sent = talk.text("您好,门口被堵了");
    phone.say(&sent.to_string()).await;
    let stored = until(&mut phone, |frame| frame.get("messageSent").is_some()).await;
    let sequence = stored["messageSent"]["sequence"].as_str().unwrap().to_owned();
    assert_eq!(heard(&mut stream, "您好,门口被堵了").await.sequence.to_string(), sequence);
    // A phone that lost the answer sends it again, and gets the first (CH-03).
    phone.say(&sent.to_string()).await;
    let again = until(&mut phone, |frame| frame.get("messageSent").is_some()).await;
    assert_eq!(again, stored);

    let answered = talk.officer_says(&officer, "马上到").await;
    loop {
        if message(&mut phone).await == (answered, "马上到".to_owned()) {
            break;
        }
    }
    let read = json!({"id": "mark", "mark": {
        "conversation": talk.conversation, "readSequence": answered.to_string(),
        "deliveredSequence": answered.to_string(),
    }});
    phone.say(&read.to_string()).await;
    let marked = until(&mut phone, |frame| frame["id"] == "mark").await;
    assert_eq!(marked["mark"]["readSequence"], answered.to_string());
    let recall = json!({"id": "recall", "recall": {
        "conversation": talk.conversation, "sequence": sequence,
    }});
    phone.say(&recall.to_string()).await;
    let recalled = until(&mut phone, |frame| frame["id"] == "recall").await;
    assert_eq!(recalled["messageRecalled"]["text"], "");
    let list = json!({"id": "list", "listMessages": {"conversation": talk.conversation}});
    phone.say(&list.to_string()).await;
    let listed = until(&mut phone, |frame| frame["id"] == "list").await;
    let listed = listed["messages"]["messages"].as_array().unwrap().clone();
    assert!(listed.iter().any(|message| message["text"] == "马上到"), "{listed:?}");
}

// CH-04, CH-21: what the client has is all that it needs to resume, at any server.
#[sqlx::test]
async fn a_line_that_was_cut_resumes_after_the_last_sequence(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    phone.ask(talk.watch(0)).await;
    let first = talk.officer_says(&talk.officer, "一").await;
    let mut last = 0;
    while last < first {
        last = message(&mut phone).await.0;
    }
    drop(phone);
    for text in ["二", "三", "四"] {
        talk.officer_says(&talk.officer, text).await;
    }
    let (_, web) = app.another_with_line().await;
    let mut phone = Phone::of(web, city.boss.token.as_ref()).await;
    phone.ask(talk.watch(last)).await;
    for (step, text) in (1..).zip(["二", "三", "四"]) {
        assert_eq!(message(&mut phone).await, (last + step, text.to_owned()));
    }
}

// CH-05: the watch waits for its reader, and the line is cut when nobody reads; nothing is lost.
#[sqlx::test]
async fn a_phone_that_did_not_read_its_watch_is_cut_and_heals(pool: PgPool) {
    let wish = limits(|line| {
        line.waiting_frames_max = 2;
        line.waiting_bytes_max = 1_024;
        line.write_within = Duration::from_millis(300);
        line.farewell_within = PATIENCE;
        line.frames_max = u32::MAX;
    });
    let app = App::wished(pool, wish).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let mut last = 0;
    for step in 0..40 {
        last = talk.officer_says(&talk.officer, &format!("{step}{}", "长".repeat(1_900))).await;
    }
    // It reads as fast as it can: the queue is short, the watch waits, and nothing is cut.
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    phone.ask(talk.watch(0)).await;
    for expected in 1..=last {
        assert_eq!(message(&mut phone).await.0, expected);
    }
    // Now it watches again and again, and reads nothing.
    let mut slow = Phone::slow(app.web, city.boss.token.as_ref()).await;
    let watch = talk.watch(0).to_string();
    while timeout(Duration::from_secs(2), slow.socket.send(Message::text(&watch))).await.is_ok() {}
    assert_eq!(slow.closed().await, (4008, "slow".to_owned()));
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    phone.ask(talk.watch(last - 1)).await;
    assert_eq!(message(&mut phone).await.0, last);
}

#[sqlx::test]
async fn a_watch_that_is_given_up_is_silent_and_its_place_is_free(pool: PgPool) {
    let app = App::wished(pool, limits(|line| line.watches_max = 1)).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let other = json!({"id": "other", "watch": {"conversation": opened(&city, &talk.post).await}});
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    let far = talk.watch(1_000);
    assert!(phone.ask(far.clone()).await.get("watchStarted").is_some());
    let refused = phone.ask(other.clone()).await;
    assert_eq!(refused["failure"]["fields"][0]["reason"], "TOO_MANY", "{refused}");
    // The same again takes the place of the first.
    assert!(phone.ask(far).await.get("watchStarted").is_some());
    let unwatch = json!({"id": "end", "unwatch": {"conversation": talk.conversation}});
    let ended = phone.ask(unwatch).await;
    assert_eq!(ended, json!({"id": "end", "watchEnded": {"conversation": talk.conversation}}));
    assert!(phone.ask(other).await.get("watchStarted").is_some());
    // Nobody else's conversation, and none that does not exist.
    let mut driver = Phone::of(app.web, city.handler.token.as_ref()).await;
    let refused = driver.ask(talk.watch(0)).await;
    assert_eq!(refusal(&refused).0, "PERMISSION_DENIED", "{refused}");
}

// "Removed officers with open streams": whoever is taken out hears nothing that came after.
#[sqlx::test]
async fn whoever_is_taken_out_of_a_conversation_hears_no_more(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let mut phone = Phone::of(app.web, talk.colleague.token.as_ref()).await;
    phone.ask(talk.watch(0)).await;
    let last = talk.officer_says(&talk.officer, "之前").await;
    while message(&mut phone).await.0 < last {}
    let remove = pb::RemoveConversationMemberRequest {
        name: talk.conversation.clone(),
        person: talk.colleague.name.clone(),
        ..Default::default()
    };
    let boss = city.boss.at(app.another().await);
    boss.call(remove).await.unwrap();
    talk.officer_says(&talk.officer, "之后").await;
    loop {
        let frame = phone.hear().await;
        assert_ne!(frame["event"]["event"]["message"]["text"], "之后", "{frame}");
        if frame.get("watchEnded").is_some() {
            assert_eq!(frame["id"], "watch");
            assert_eq!(refusal(&frame).0, "PERMISSION_DENIED", "{frame}");
            break;
        }
    }
    // The line itself goes on.
    assert_eq!(phone.ask(json!({"id": "5", "ping": {}})).await, json!({"id": "5", "pong": {}}));
}

#[sqlx::test]
async fn a_watch_ends_with_its_session(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let talk = talk(&app, &city).await;
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    phone.ask(talk.watch(1_000)).await;
    let boss: Id<kind::Person> = Id::parse(&city.boss.name).unwrap();
    let tablet = app.user(boss).await;
    let others = pb::RevokeOtherSessionsRequest {};
    tablet.call(others).await.unwrap();
    let ended = until(&mut phone, |frame| frame.get("watchEnded").is_some()).await;
    assert_eq!(refusal(&ended), ("UNAUTHENTICATED", "SESSION_ENDED"));
}
