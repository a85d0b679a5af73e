//! The direct line: the journey of a question, resends, one order for all, streams on two servers and
//! their ends. The officers' side stands in `desk`, what a message may be in `messages`.

mod desk;
mod messages;

use std::time::Duration;

use jiff::SignedDuration;
use jingqi::surface::{
    service::pb::{self, watch_messages_response::Event},
    store::liaison::wakeups::Woken,
};
use sqlx::PgPool;
use tonic::{Code, Status, Streaming};

use crate::{
    harness::{App, User, Wish, reason, request_id},
    liaison::{Desk, hand_over},
};

/// Opens a conversation of the talker.
pub async fn open(desk: &Desk) -> pb::Conversation {
    let request = pb::CreateConversationRequest {
        conversation: Some(pb::Conversation {
            enterprise: desk.city.enterprise.to_string(),
            liaison_post: desk.post.clone(),
            title: "通行证续期".to_owned(),
            ..pb::Conversation::default()
        }),
        request_id: request_id(),
    };
    desk.talker.call(request).await.unwrap()
}

fn text(conversation: &str, text: &str) -> pb::SendMessageRequest {
    pb::SendMessageRequest {
        conversation: conversation.to_owned(),
        client_message_id: request_id(),
        kind: pb::MessageKind::Text.into(),
        text: text.to_owned(),
        ..pb::SendMessageRequest::default()
    }
}

pub async fn say(user: &User, conversation: &str, words: &str) -> Result<pb::Message, Status> {
    user.call(text(conversation, words)).await
}

pub async fn all(user: &User, conversation: &str) -> Vec<pb::Message> {
    let request = pb::ListMessagesRequest {
        conversation: conversation.to_owned(),
        page_size: 100,
        ..pb::ListMessagesRequest::default()
    };
    user.call(request).await.unwrap().messages
}

pub async fn claim(officer: &User, name: &str) -> Result<pb::Conversation, Status> {
    let request = pb::ClaimConversationRequest { name: name.to_owned(), request_id: request_id() };
    officer.call(request).await
}

pub async fn close(officer: &User, name: &str) -> Result<pb::Conversation, Status> {
    let request = pb::CloseConversationRequest {
        name: name.to_owned(),
        summary: "已说明续期办法".to_owned(),
        request_id: request_id(),
    };
    officer.call(request).await
}

pub async fn get(user: &User, name: &str) -> Result<pb::Conversation, Status> {
    let request = pb::GetConversationRequest { name: name.to_owned() };
    user.call(request).await
}

async fn watch(
    user: &User,
    conversation: &str,
    after_sequence: i64,
) -> Result<Streaming<pb::WatchMessagesResponse>, Status> {
    let conversation = conversation.to_owned();
    let request = pb::WatchMessagesRequest { conversation, after_sequence };
    user.conversations().watch_messages(request).await.map(tonic::Response::into_inner)
}

/// The next message of a stream, or its end; marks and heartbeats are passed over.
async fn next(stream: &mut Streaming<pb::WatchMessagesResponse>) -> Result<pb::Message, Status> {
    let coming = async {
        loop {
            let event = stream.message().await?.unwrap().event;
            if let Some(Event::Message(message)) = event {
                return Ok(message);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), coming).await.unwrap()
}

pub fn codes(messages: &[pb::Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.notice_code.as_str())
        .filter(|it| !it.is_empty())
        .collect()
}

// MS-18: measure 18 (警务直通车), whole.
#[sqlx::test]
async fn a_question_is_asked_claimed_answered_closed_and_rated(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let opened = open(&desk).await;
    let name = opened.name.as_str();
    assert_eq!((opened.state(), opened.last_sequence), (pb::conversation::State::Queued, 1));
    let asked = say(&desk.talker, name, "通行证月底到期,怎么续期?").await.unwrap();
    // CH-02: the acknowledgement carries the sequence.
    assert_eq!((asked.sequence, asked.sender.as_str()), (2, desk.talker.name.as_str()));
    let queue = pb::ListConversationQueueRequest::default();
    let queue = desk.ann.call(queue).await.unwrap();
    assert_eq!(queue.conversations[0].name, name);
    let held = claim(&desk.ann, name).await.unwrap();
    assert_eq!(held.assignee, desk.ann.name);
    assert_eq!(held.unread_count, 1);
    say(&desk.ann, name, "到期前三十天起可在小程序续期。").await.unwrap();
    let closed = close(&desk.ann, name).await.unwrap();
    assert_eq!((closed.state(), closed.round), (pb::conversation::State::Closed, 1));
    let rate = pb::RateConversationRequest {
        name: name.to_owned(),
        level: pb::SatisfactionLevel::VerySatisfied.into(),
        solved: true,
        request_id: request_id(),
        ..Default::default()
    };
    let rated = desk.talker.call(rate.clone()).await.unwrap();
    assert!(rated.rating.unwrap().solved);
    // CH-17: once for each close.
    let again = pb::RateConversationRequest { request_id: request_id(), ..rate };
    let again = desk.talker.call(again).await.unwrap_err();
    assert_eq!(reason(&again), "NOTHING_TO_RATE");
    let messages = all(&desk.talker, name).await;
    assert_eq!(codes(&messages), ["NOT_AN_ALARM", "CLAIMED", "CLOSED"]);
    let sequences: Vec<_> = messages.iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, (1..=5).collect::<Vec<_>>());
    // A new question opens it again, and it waits in the queue.
    say(&desk.talker, name, "还有一个问题").await.unwrap();
    assert_eq!(get(&desk.talker, name).await.unwrap().state(), pb::conversation::State::Queued);
    let changes = pb::ListConversationChangesRequest { name: name.to_owned() };
    let changes = desk.talker.call(changes).await.unwrap();
    let steps: Vec<_> = changes.changes.into_iter().map(|it| it.action).collect();
    assert_eq!(steps, ["CREATE", "CLAIM", "CLOSE", "REOPEN"]);
}

// CH-03: unique per sender, a resend gets the first answer, other content is refused.
#[sqlx::test]
async fn a_resend_gets_the_first_answer_and_a_reused_id_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let request = text(&name, "明天几点可以进城?");
    let send = |request: pb::SendMessageRequest| desk.talker.call(request);
    let first = send(request.clone()).await.unwrap();
    assert_eq!(send(request.clone()).await.unwrap(), first);
    // Sixteen at once: one message.
    let twin = text(&name, "同时发送");
    let answers = futures::future::join_all((0..16).map(|_| send(twin.clone()))).await;
    let sequences: std::collections::BTreeSet<_> =
        answers.into_iter().map(|answer| answer.unwrap().sequence).collect();
    assert_eq!(sequences.len(), 1);
    let other = pb::SendMessageRequest { text: "另一句".to_owned(), ..request.clone() };
    assert_eq!(reason(&send(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    // A resend counts whatever happened since: the first answer was lost, not the message.
    let answer = text(&name, "上午九点以后。");
    let told = desk.ann.call(answer.clone()).await.unwrap();
    close(&desk.ann, &name).await.unwrap();
    assert_eq!(desk.ann.call(answer).await.unwrap(), told);
    // Another device of the same sender has the same message, and no other one under its id.
    let same_id = pb::SendMessageRequest { text: "另一台设备".to_owned(), ..request.clone() };
    let other_device = app
        .user(
            jingqi::surface::id::Id::<jingqi::surface::id::kind::Person>::parse(&desk.talker.name)
                .unwrap(),
        )
        .await;
    let again = other_device.call(request).await.unwrap();
    assert_eq!(again, first);
    let refused = other_device.call(same_id).await.unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
}

// CH-01: gap-free under concurrency; everybody sees one order.
#[sqlx::test]
async fn fifty_senders_get_numbers_without_a_gap(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let second = app.another().await;
    let users =
        [desk.talker.clone(), desk.talker.at(second), desk.ann.clone(), desk.ann.at(second)];
    let sends = (0..50).map(|at| {
        let (user, name) = (users[at % 4].clone(), name.clone());
        async move { say(&user, &name, &format!("第{at}条")).await.unwrap().sequence }
    });
    let mut sequences = futures::future::join_all(sends).await;
    sequences.sort_unstable();
    let first = sequences[0];
    assert_eq!(sequences, (first..first + 50).collect::<Vec<_>>());
    let seen: Vec<_> = all(&desk.talker, &name).await.iter().map(|it| it.sequence).collect();
    assert_eq!(seen, (1..first + 50).collect::<Vec<_>>());
}

// CH-04, CH-21, CH-23: two servers, a reader on each; resume after a sequence.
#[sqlx::test]
async fn a_stream_on_any_server_brings_every_message_in_order(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let other = app.another().await;
    let mut here = watch(&desk.ann, &name, 0).await.unwrap();
    let mut there = watch(&desk.talker.at(other), &name, 2).await.unwrap();
    for at in 0..5 {
        say(&desk.talker, &name, &format!("第{at}条")).await.unwrap();
    }
    for expected in 1..=7 {
        assert_eq!(next(&mut here).await.unwrap().sequence, expected);
    }
    for expected in 3..=7 {
        assert_eq!(next(&mut there).await.unwrap().sequence, expected);
    }
    drop(there);
    say(&desk.ann, &name, "请稍等").await.unwrap();
    let mut resumed = watch(&desk.talker, &name, 6).await.unwrap();
    assert_eq!(next(&mut resumed).await.unwrap().sequence, 7);
    assert_eq!(next(&mut resumed).await.unwrap().text, "请稍等");
    // Scrolling back: the page before a sequence, in order.
    let request = pb::ListMessagesRequest {
        conversation: name.clone(),
        before_sequence: 5,
        page_size: 2,
        ..Default::default()
    };
    let page = desk.talker.call(request).await.unwrap();
    assert_eq!(page.messages.iter().map(|it| it.sequence).collect::<Vec<_>>(), [3, 4]);
}

// CH-23: the loss of the bus loses no message, it arrives within the poll interval.
#[sqlx::test]
async fn without_redis_a_message_still_arrives_on_the_other_server(pool: PgPool) {
    let wish = crate::harness::Wish { without_redis: true, ..Default::default() };
    let app = App::wished(pool, wish).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let other = app.another().await;
    let mut there = watch(&desk.talker.at(other), &name, 1).await.unwrap();
    say(&desk.talker, &name, "没有 Redis 也能收到").await.unwrap();
    assert_eq!(next(&mut there).await.unwrap().sequence, 2);
}

// I15: nothing that was committed after the removal is delivered, and the stream ends.
#[sqlx::test]
async fn whoever_is_taken_out_reads_nothing_more(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let add = pb::AddConversationMemberRequest {
        name: name.clone(),
        person: desk.boss.name.clone(),
        request_id: request_id(),
    };
    desk.talker.call(add).await.unwrap();
    let other = app.another().await;
    let mut talker = watch(&desk.talker.at(other), &name, 1).await.unwrap();
    let remove = pb::RemoveConversationMemberRequest {
        name: name.clone(),
        person: desk.talker.name.clone(),
        request_id: request_id(),
    };
    desk.boss.call(remove).await.unwrap();
    say(&desk.boss, &name, "这句他不应看到").await.unwrap();
    let ended = next(&mut talker).await.unwrap_err();
    assert_eq!(ended.code(), Code::PermissionDenied);
    assert_eq!(get(&desk.talker, &name).await.unwrap_err().code(), Code::PermissionDenied);
    let late = say(&desk.talker, &name, "还能发吗").await.unwrap_err();
    assert_eq!(late.code(), Code::PermissionDenied);
    // The same by the end of the membership in the enterprise.
    let mut boss = watch(&desk.boss, &name, 2).await.unwrap();
    app.sql("update member set end_time = now() where role = 'LEGAL_REPRESENTATIVE'").await;
    app.sql("update conversation set access_version = access_version + 1").await;
    assert_eq!(next(&mut boss).await.unwrap_err().code(), Code::PermissionDenied);
}

// I15 for officers: hand-over keeps the history, the old officer loses access at once.
#[sqlx::test]
async fn a_hand_over_keeps_the_history_and_ends_the_old_officers_access(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    say(&desk.talker, &name, "您好").await.unwrap();
    claim(&desk.ann, &name).await.unwrap();
    let mut stream = watch(&desk.ann, &name, 3).await.unwrap();
    hand_over(&desk, &desk.ann, Some(&desk.ben)).await;
    say(&desk.ben, &name, "我来继续为您服务").await.unwrap();
    assert_eq!(next(&mut stream).await.unwrap_err().code(), Code::PermissionDenied);
    let late = say(&desk.ann, &name, "我还在").await.unwrap_err();
    assert_eq!(late.code(), Code::PermissionDenied);
    let seen = all(&desk.ben, &name).await;
    assert_eq!(seen.len(), 5, "the successor reads everything");
    assert_eq!(get(&desk.talker, &name).await.unwrap().assignee, desk.ben.name);
}

#[sqlx::test]
async fn an_ended_session_ends_its_streams(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let mut stream = watch(&desk.talker, &name, 1).await.unwrap();
    let other = app
        .user(
            jingqi::surface::id::Id::<jingqi::surface::id::kind::Person>::parse(&desk.talker.name)
                .unwrap(),
        )
        .await;
    other.call(pb::RevokeOtherSessionsRequest::default()).await.unwrap();
    assert_eq!(reason(&next(&mut stream).await.unwrap_err()), "SESSION_ENDED");
}

// ID-02: the first look after the end failed; another follows, and nothing is given before it.
#[sqlx::test]
async fn an_ended_session_ends_its_streams_although_the_first_look_fails(pool: PgPool) {
    let app = App::wished(pool, Wish { without_redis: true, ..Wish::default() }).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let mut stream = watch(&desk.talker, &name, 0).await.unwrap();
    next(&mut stream).await.unwrap();
    let mut held = app.parts.store.begin(&app.cx()).await.unwrap();
    let person = desk.talker.name.split('/').nth(1).unwrap();
    for statement in [
        "lock table session in access exclusive mode".to_owned(),
        format!("update session set end_time = now() where person_id = '{person}'"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(held.conn()).await.unwrap();
    }
    let changed = format!(
        "update standing set version = version + 1 where key = 'actor:{}'",
        desk.talker.name
    );
    assert_eq!(app.sql(&changed).await, 1);
    // PostgreSQL ends the connection that asks for the session.
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    while app.count(end).await == 0 {}
    held.commit().await.unwrap();
    assert_eq!(reason(&next(&mut stream).await.unwrap_err()), "SESSION_ENDED");
}

// ID-01: a session is over when its time is, also for a stream that nothing wakes.
#[sqlx::test]
async fn a_session_that_is_out_of_time_ends_its_streams(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let end = app.now() + SignedDuration::from_secs(2);
    let person = desk.talker.name.split('/').nth(1).unwrap();
    app.sql(&format!("update session set expire_time = '{end}' where person_id = '{person}'"))
        .await;
    app.forget(&desk.talker).await;
    let id = name.split('/').nth(1).unwrap().parse().unwrap();
    let mut waiter = app.parts.store.wakeups().wait(id, format!("actor:{}", desk.talker.name));
    // The first poll sends everybody to look, for the conversation and for the actor; no later one does,
    // as long as somebody waits.
    let mut woken = Vec::new();
    while !woken.contains(&Woken::Conversation) || !woken.contains(&Woken::Actor) {
        woken.push(waiter.woken(i64::MAX).await);
    }
    let mut stream = watch(&desk.talker, &name, 0).await.unwrap();
    next(&mut stream).await.unwrap();
    app.advance(SignedDuration::from_secs(3));
    assert_eq!(reason(&next(&mut stream).await.unwrap_err()), "SESSION_ENDED");
}

// A stream must not keep a stopping server from going: the client resumes at another one.
#[sqlx::test]
async fn a_server_that_stops_ends_its_streams(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let mut stream = watch(&desk.talker, &name, 1).await.unwrap();
    app.stop();
    assert_eq!(reason(&next(&mut stream).await.unwrap_err()), "SERVER_STOPPING");
}

// The same while PostgreSQL is away, and the stream waits for it.
#[sqlx::test]
async fn a_server_that_stops_ends_its_streams_also_without_postgresql(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let mut stream = watch(&desk.talker, &name, 0).await.unwrap();
    next(&mut stream).await.unwrap();
    app.parts.store.pool().close().await;
    app.parts.store.wakeups().tell(name.split('/').nth(1).unwrap().parse().unwrap());
    // The stream looks, and fails: all of it runs on one thread, which nothing else keeps busy.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    app.stop();
    assert_eq!(reason(&next(&mut stream).await.unwrap_err()), "SERVER_STOPPING");
}
