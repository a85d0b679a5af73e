//! The officers' side of the direct line: who writes, duty hours and what is answered by itself, silence,
//! notes, ratings.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Code;

use super::{all, claim, close, codes, get, open, say, text};
use crate::{
    harness::{App, fields, reason, request_id},
    liaison::present,
};

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
