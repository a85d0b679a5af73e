//! Messages of the direct line: marks, recalls, faults, cards, floods, and what is made of chosen ones.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, watch_messages_response::Event};
use sqlx::PgPool;
use tonic::Code;

use super::{all, claim, get, open, say, watch};
use crate::harness::{App, fields, reason, request_id, to};

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
