//! The direct line: the journey of a question, then every refusal. Streams on two servers, marks,
//! recalls, the officers' desk and its clocks.

use std::time::Duration;

use jiff::SignedDuration;
use jingqi::surface::{
    service::pb::{self, watch_messages_response::Event},
    store::liaison::wakeups::Woken,
};
use sqlx::PgPool;
use tonic::{Code, Status, Streaming};

use crate::{
    harness::{App, User, Wish, fields, reason, request_id, to},
    liaison::{Desk, hand_over, present},
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

// CH-06, CH-07, CH-22: marks only rise and are one for all devices; own and recalled do not count.
#[sqlx::test]
async fn marks_only_rise_and_unread_counts_stay_right(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    say(&desk.talker, &name, "一").await.unwrap();
    let second = say(&desk.talker, &name, "二").await.unwrap();
    say(&desk.ann, &name, "自己的不算").await.unwrap();
    assert_eq!(get(&desk.ann, &name).await.unwrap().unread_count, 2);
    let mark = |delivered_sequence, read_sequence| pb::MarkConversationRequest {
        conversation: name.clone(),
        delivered_sequence,
        read_sequence,
    };
    let mut stream = watch(&desk.talker, &name, 5).await.unwrap();
    let marked = desk.ann.call(mark(0, 3)).await.unwrap();
    assert_eq!((marked.delivered_sequence, marked.read_sequence), (3, 3));
    let back = desk.ann.call(mark(1, 1)).await.unwrap();
    assert_eq!(back, marked, "a mark never falls");
    let risen = loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        if let Event::Mark(mark) = event {
            break mark;
        }
    };
    assert_eq!((risen.reader, risen.mark.unwrap().read_sequence), (desk.ann.name.clone(), 3));
    assert_eq!(get(&desk.ann, &name).await.unwrap().unread_count, 1);
    let recall = pb::RecallMessageRequest { conversation: name.clone(), sequence: second.sequence };
    desk.talker.call(recall).await.unwrap();
    assert_eq!(get(&desk.ann, &name).await.unwrap().unread_count, 0);
    let beyond = desk.ann.call(mark(99, 99)).await.unwrap();
    assert_eq!(beyond.read_sequence, 6, "nobody has read what is not written");
    // Another device of the same officer sees the same marks.
    let device = app
        .user(
            jingqi::surface::id::Id::<jingqi::surface::id::kind::Officer>::parse(&desk.ann.name)
                .unwrap(),
        )
        .await;
    assert_eq!(get(&device, &name).await.unwrap().mark.unwrap().read_sequence, 6);
}

// CH-10, I16: recall within two minutes; the sequence stays, the original stays under lock.
#[sqlx::test]
async fn a_message_is_taken_back_within_two_minutes(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let sent = say(&desk.talker, &name, "发错了").await.unwrap();
    let recall = |sequence| pb::RecallMessageRequest { conversation: name.clone(), sequence };
    let by_other = desk.ann.call(recall(sent.sequence)).await;
    assert_eq!(by_other.unwrap_err().code(), Code::PermissionDenied);
    app.advance(SignedDuration::from_secs(120));
    let recalled = desk.talker.call(recall(sent.sequence)).await.unwrap();
    assert_eq!((recalled.sequence, recalled.text.as_str()), (sent.sequence, ""));
    let again = desk.talker.call(recall(sent.sequence)).await.unwrap();
    assert_eq!(again, recalled);
    let seen = all(&desk.ann, &name).await;
    assert_eq!(seen[1].text, "");
    assert_eq!(seen.last().unwrap().target_sequence, sent.sequence, "everybody is told");
    let kept = app.count("select count(*) from message where body = '发错了'").await;
    assert_eq!(kept, 1, "the original stays");
    let late = say(&desk.talker, &name, "来不及了").await.unwrap();
    app.advance(SignedDuration::from_secs(121));
    let late = desk.talker.call(recall(late.sequence)).await;
    assert_eq!(reason(&late.unwrap_err()), "RECALL_TOO_LATE");
}

// CH-11, CH-13: only the assignee writes; capacity; transfer with a note.
#[sqlx::test]
async fn only_the_assignee_writes_and_nobody_holds_too_many(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let (one, two, three) =
        (open(&desk).await.name, open(&desk).await.name, open(&desk).await.name);
    let unclaimed = say(&desk.ann, &one, "我先说").await.unwrap_err();
    assert_eq!(reason(&unclaimed), "TRANSITION_ILLEGAL");
    claim(&desk.ann, &one).await.unwrap();
    claim(&desk.ann, &two).await.unwrap();
    assert_eq!(reason(&claim(&desk.ann, &three).await.unwrap_err()), "CAPACITY_REACHED");
    assert_eq!(reason(&claim(&desk.ben, &one).await.unwrap_err()), "TRANSITION_ILLEGAL");
    assert_eq!(reason(&say(&desk.ben, &one, "插话").await.unwrap_err()), "NOT_ASSIGNEE");
    let transfer = |note: &str| pb::TransferConversationRequest {
        name: one.clone(),
        officer: desk.ben.name.clone(),
        note: note.to_owned(),
        request_id: request_id(),
    };
    let unsaid = desk.ann.call(transfer("")).await.unwrap_err();
    assert_eq!(fields(&unsaid), ["note REQUIRED"]);
    let stolen = desk.ben.call(transfer("给我")).await;
    assert_eq!(reason(&stolen.unwrap_err()), "NOT_ASSIGNEE");
    let moved = desk.ann.call(transfer("请跟进")).await.unwrap();
    assert_eq!(moved.assignee, desk.ben.name);
    say(&desk.ben, &one, "我接着说").await.unwrap();
    assert_eq!(reason(&say(&desk.ann, &one, "还是我").await.unwrap_err()), "NOT_ASSIGNEE");
    claim(&desk.ann, &three).await.unwrap();
    // Two officers race for one place: the capacity holds.
    let back = pb::ReturnConversationRequest {
        name: two.clone(),
        note: String::new(),
        request_id: request_id(),
    };
    desk.ann.call(back).await.unwrap();
    let four = open(&desk).await.name;
    let both = tokio::join!(claim(&desk.ann, &two), claim(&desk.ann, &four));
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1);
}

// CH-14: duty hours of several periods, the automatic reply, once.
#[sqlx::test]
async fn who_asks_out_of_hours_is_told_when_an_answer_comes(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    app.clock.set("2026-11-24T12:30:00+08:00".parse().unwrap());
    say(&desk.talker, &name, "中午有人吗?").await.unwrap();
    say(&desk.talker, &name, "急").await.unwrap();
    let messages = all(&desk.talker, &name).await;
    assert_eq!(codes(&messages), ["NOT_AN_ALARM", "OFF_DUTY"]);
    let told = &messages[2].text;
    assert!(told.contains("工作日 09:00-12:00、工作日 14:00-17:30"), "{told}");
    assert!(told.contains("2026-11-26 00:00前答复"), "{told}");
    let due = get(&desk.talker, &name).await.unwrap().reply_due_time.unwrap();
    assert_eq!(
        due.seconds,
        "2026-11-26T00:00:00+08:00".parse::<jiff::Timestamp>().unwrap().as_second()
    );
    // On duty with nobody at the desk it is told too.
    app.clock.set("2026-11-25T09:30:00+08:00".parse().unwrap());
    let second = open(&desk).await.name;
    for officer in [&desk.ann, &desk.ben] {
        present(officer, false).await;
    }
    say(&desk.talker, &second, "您好").await.unwrap();
    assert_eq!(codes(&all(&desk.talker, &second).await), ["NOT_AN_ALARM", "OFF_DUTY"]);
}

#[sqlx::test]
async fn words_of_emergency_are_answered_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    say(&desk.talker, &name, "仓库着火了,快来人").await.unwrap();
    let messages = all(&desk.talker, &name).await;
    assert_eq!(codes(&messages), ["NOT_AN_ALARM", "CALL_110"]);
    assert!(messages[2].text.contains("110"));
}

// CH-20: an officer is warned before sending, and may confirm.
#[sqlx::test]
async fn an_officer_is_warned_before_personal_data_leaves(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let words = "请联系张师傅 13905240001";
    let check = pb::CheckTextRequest { text: words.to_owned() };
    let warned = desk.ann.call(check).await.unwrap();
    assert_eq!(warned.warnings[0].code, "PHONE_NUMBER");
    let refused = say(&desk.ann, &name, words).await.unwrap_err();
    assert_eq!(reason(&refused), "TEXT_WARNED");
    assert_eq!(fields(&refused), ["text TEXT_WARNED"]);
    let confirmed = pb::SendMessageRequest { warnings_accepted: true, ..text(&name, words) };
    desk.ann.call(confirmed).await.unwrap();
    say(&desk.talker, &name, words).await.unwrap();
}

// CH-12, CH-15: silent, away or off duty: back to the queue; a miss is a row.
#[sqlx::test]
async fn a_silent_officer_loses_the_conversation_and_the_miss_is_a_row(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    say(&desk.talker, &name, "在吗?").await.unwrap();
    claim(&desk.ann, &name).await.unwrap();
    app.advance(SignedDuration::from_mins(14));
    app.run_workers().await;
    assert_eq!(get(&desk.ann, &name).await.unwrap().assignee, desk.ann.name);
    app.advance(SignedDuration::from_mins(1));
    app.run_workers().await;
    let back = get(&desk.ann, &name).await.unwrap();
    assert_eq!((back.state(), back.assignee.as_str()), (pb::conversation::State::Queued, ""));
    claim(&desk.ben, &name).await.unwrap();
    present(&desk.ben, false).await;
    app.advance(SignedDuration::from_mins(2));
    app.run_workers().await;
    assert_eq!(get(&desk.ann, &name).await.unwrap().state(), pb::conversation::State::Queued);
    app.advance(SignedDuration::from_mins(13));
    app.run_workers().await;
    let missed = "select count(*) from obligation where kind = 'FIRST_REPLY'
        and breach_time = due_time and meet_time is null";
    assert_eq!(app.count(missed).await, 1, "thirty minutes of duty have passed");
    claim(&desk.ann, &name).await.unwrap();
    say(&desk.ann, &name, "抱歉久等").await.unwrap();
    let late = "select count(*) from obligation where kind = 'FIRST_REPLY'
        and breach_time is not null and meet_time is not null";
    assert_eq!(app.count(late).await, 1, "a miss stays one");
    // The next question has a clock of its own, and a timely answer meets it.
    say(&desk.talker, &name, "那怎么办?").await.unwrap();
    say(&desk.ann, &name, "可以续期").await.unwrap();
    let met = "select count(*) from obligation where kind = 'NEXT_REPLY'
        and breach_time is null and meet_time is not null";
    assert_eq!(app.count(met).await, 1);
    // Off duty at noon while somebody waits.
    say(&desk.talker, &name, "还有吗?").await.unwrap();
    app.clock.set("2026-11-24T12:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(get(&desk.ann, &name).await.unwrap().state(), pb::conversation::State::Queued);
}

// CH-17: asked once more, not twice.
#[sqlx::test]
async fn who_does_not_rate_is_asked_once_more(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    close(&desk.ann, &name).await.unwrap();
    for _ in 0..2 {
        app.advance(SignedDuration::from_hours(49));
        app.run_workers().await;
    }
    let reminders = all(&desk.talker, &name).await;
    let reminders = codes(&reminders).iter().filter(|code| **code == "RATE_REMINDER").count();
    assert_eq!(reminders, 1);
}

// CH-16: notes and ready replies are the officers' own.
#[sqlx::test]
async fn notes_and_ready_replies_stay_among_officers(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let note = pb::CreateConversationNoteRequest {
        conversation: name.clone(),
        text: "企业信用良好".to_owned(),
        request_id: request_id(),
    };
    desk.ann.call(note.clone()).await.unwrap();
    let by_enterprise = desk.talker.call(note).await;
    assert_eq!(by_enterprise.unwrap_err().code(), Code::PermissionDenied);
    let list = pb::ListConversationNotesRequest { conversation: name, ..Default::default() };
    let notes = desk.ben.call(list.clone()).await.unwrap();
    assert_eq!(notes.notes[0].text, "企业信用良好");
    let by_enterprise = desk.talker.call(list).await;
    assert_eq!(by_enterprise.unwrap_err().code(), Code::PermissionDenied);
    let reply = pb::CreateCannedReplyRequest {
        canned_reply: Some(pb::CannedReply {
            liaison_post: desk.post.clone(),
            title: "续期".to_owned(),
            text: "到期前三十天起可续期。".to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let made = desk.ann.call(reply).await.unwrap();
    let list = pb::ListCannedRepliesRequest { liaison_post: desk.post.clone() };
    let listed = desk.ben.call(list.clone()).await.unwrap();
    assert_eq!(listed.canned_replies[0].name, made.name);
    let retire = pb::RetireCannedReplyRequest { name: made.name, request_id: request_id() };
    desk.ben.call(retire).await.unwrap();
    let listed = desk.ben.call(list).await.unwrap();
    assert!(listed.canned_replies.is_empty());
}

#[sqlx::test]
async fn a_message_is_told_every_fault(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let request = pb::SendMessageRequest {
        conversation: "conversations/1".to_owned(),
        client_message_id: "7".to_owned(),
        kind: pb::MessageKind::Text.into(),
        text: "a\u{202e}b".to_owned(),
        card: "x".to_owned(),
        ..pb::SendMessageRequest::default()
    };
    let refused = desk.talker.call(request).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "card NOT_ALLOWED",
            "client_message_id REQUEST_ID_MALFORMED",
            "conversation NAME_MALFORMED",
            "text TEXT_UNSAFE",
        ]
    );
    for wrong in ["坏\u{0}字", "反\u{202e}转"] {
        let refused = say(&desk.talker, &name, wrong).await.unwrap_err();
        assert_eq!(fields(&refused), ["text TEXT_UNSAFE"]);
    }
    assert_eq!(all(&desk.talker, &name).await.len(), 1, "nothing was stored");
}

#[sqlx::test]
async fn a_card_shows_only_what_belongs_to_the_enterprise(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let pass = desk.city.pass(&app).await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let card = |card: &str| pb::SendMessageRequest {
        conversation: name.clone(),
        client_message_id: request_id(),
        kind: pb::MessageKind::PassCard.into(),
        card: card.to_owned(),
        text: "这是您的通行证".to_owned(),
        ..pb::SendMessageRequest::default()
    };
    let sent = desk.ann.call(card(&pass.name)).await.unwrap();
    assert_eq!(sent.card, pass.name);
    let foreign = format!("truckPasses/{}", uuid::Uuid::nil());
    let refused = desk.ann.call(card(&foreign)).await.unwrap_err();
    assert_eq!(fields(&refused), ["card UNKNOWN_VALUE"]);
    let place = pb::SendMessageRequest {
        conversation: name.clone(),
        client_message_id: request_id(),
        kind: pb::MessageKind::Location.into(),
        location: Some(pb::Location {
            latitude: 33.95,
            longitude: 118.28,
            label: "东门".to_owned(),
        }),
        ..pb::SendMessageRequest::default()
    };
    let location = desk.talker.call(place).await.unwrap().location.unwrap();
    assert_eq!((location.latitude, location.label.as_str()), (33.95, "东门"));
}

#[sqlx::test]
async fn a_stranger_finds_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let absent = format!("conversations/{}", uuid::Uuid::nil());
    // A person of another enterprise with every right there, and an officer of no post.
    let elsewhere = app.unit("321324170000", None, &[]).await;
    let person = app.person().await;
    let other = app.enterprise("91321300MA1ABCDE9X", "321324", &elsewhere, person).await;
    app.member(other, person, "LEGAL_REPRESENTATIVE", &[]).await;
    let stranger = app.user(person).await;
    let officer = app.officer("200009", &elsewhere, &["LIAISON_OFFICER"]).await;
    for user in [&stranger, &officer] {
        for name in [&name, &absent] {
            let read = get(user, name).await.unwrap_err();
            assert_eq!((read.code(), reason(&read).as_str()), (Code::PermissionDenied, "DENIED"));
            let sent = say(user, name, "您好").await.unwrap_err();
            assert_eq!(sent.code(), Code::PermissionDenied);
            assert_eq!(watch(user, name, 0).await.unwrap_err().code(), Code::PermissionDenied);
        }
    }
    // A colleague who was not taken in does not read either.
    assert_eq!(get(&desk.boss, &name).await.unwrap_err().code(), Code::PermissionDenied);
    let listed = desk.boss.call(pb::ListConversationsRequest::default()).await;
    assert!(listed.unwrap().conversations.is_empty());
    assert_eq!(app.count("select count(*) from message").await, 1);
}

#[sqlx::test]
async fn a_flood_is_refused_on_every_server(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let other = app.another().await;
    let mut refused = 0;
    for at in 0..130 {
        let user = if at % 2 == 0 { desk.talker.clone() } else { desk.talker.at(other) };
        match say(&user, &name, "刷屏").await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(reason(&error), "RATE_LIMITED");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 10, "both servers count together");
}

// CH-18: the seam to the complaint service, with the linked messages.
#[sqlx::test]
async fn chosen_messages_become_a_request(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    say(&desk.talker, &name, "路灯坏了").await.unwrap();
    let request = |sequences: &[i64]| pb::CreateRequestFromConversationRequest {
        name: name.clone(),
        sequences: sequences.to_vec(),
        summary: "路灯损坏影响装卸".to_owned(),
        request_id: request_id(),
    };
    let chosen = request(&[2, 2]);
    let made = desk.talker.call(chosen.clone()).await.unwrap();
    assert_eq!(made.sequences, [2]);
    let again = desk.talker.call(chosen).await.unwrap();
    assert_eq!(again, made);
    let topic = "select count(*) from event where topic = 'request-from-conversation'";
    assert_eq!(app.count(topic).await, 1);
    let beyond = desk.talker.call(request(&[9])).await.unwrap_err();
    assert_eq!(fields(&beyond), ["sequences OUT_OF_RANGE"]);
    // The event becomes a complaint, once, however often it is delivered.
    app.run_workers().await;
    app.sql("update event set deliver_time = null, next_attempt_time = '2026-01-01'").await;
    app.run_workers().await;
    let all = pb::ListComplaintsRequest::default();
    let filed = desk.boss.call(all).await.unwrap().complaints;
    let [filed] = filed.as_slice() else { panic!("{filed:?}") };
    assert_eq!(filed.channel(), pb::complaint::Channel::Chat);
    assert_eq!(
        (filed.origin.as_str(), filed.content.as_str()),
        (name.as_str(), "路灯损坏影响装卸")
    );
    let get = pb::GetComplaintRequest { name: filed.name.clone() };
    let read = desk.boss.call(to::ListComplaintTranscript(get)).await.unwrap();
    let sequences: Vec<_> = read.messages.iter().map(|it| it.sequence).collect();
    assert_eq!(sequences, [2]);
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
