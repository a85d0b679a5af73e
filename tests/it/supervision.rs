//! Supervision of conversations: figures for all who supervise, content only with a reason that is
//! recorded, and an export whose every change is found.

use jiff::SignedDuration;
use jingqi::surface::{
    crypto::{Suite, VerifyingKey},
    domain::liaison::export,
    service::pb,
};
use sqlx::PgPool;
use tonic::Code;

use crate::{
    conversations::{claim, close, open, say},
    harness::{App, User, fields, request_id},
    liaison::Desk,
};

async fn talked(desk: &Desk) -> String {
    let name = open(desk).await.name;
    say(&desk.talker, &name, "第一个问题").await.unwrap();
    claim(&desk.ann, &name).await.unwrap();
    say(&desk.ann, &name, "这是答复").await.unwrap();
    name
}

fn span(app: &App) -> (Option<prost_types::Timestamp>, Option<prost_types::Timestamp>) {
    let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    (at(app.now().as_second() - 60), at(app.now().as_second() + 60))
}

/// Opens what is known of an enterprise or a unit, with a reason.
pub async fn open_file(officer: &User, subject: &str) {
    let request = pb::CreateContentAccessRequest {
        subject: subject.to_owned(),
        reason: "核查服务投诉".to_owned(),
        request_id: request_id(),
    };
    officer.call(request).await.unwrap();
}

// CH-19: no content without a reason that is recorded first.
#[sqlx::test]
async fn content_is_read_only_with_a_recorded_reason(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = talked(&desk).await;
    let inspect = |reason: &str| pb::InspectConversationRequest {
        name: name.clone(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    let inspector = &desk.inspector;
    let unsaid = inspector.call(inspect("")).await.unwrap_err();
    assert_eq!(fields(&unsaid), ["reason REQUIRED"]);
    let short = inspector.call(inspect("看看")).await.unwrap_err();
    assert_eq!(fields(&short), ["reason TOO_SHORT"]);
    assert_eq!(app.count("select count(*) from content_access").await, 0);
    let read = inspector.call(inspect("核查服务投诉")).await.unwrap();
    assert_eq!(read.messages.len(), 4);
    // Lists run newest first by the millisecond of their ids.
    app.advance(SignedDuration::from_millis(1));
    let (from_time, until_time) = span(&app);
    let search = pb::SearchMessagesRequest {
        text: "答复".to_owned(),
        reason: "核查服务投诉".to_owned(),
        from_time,
        until_time,
        ..Default::default()
    };
    let found = inspector.call(search).await.unwrap();
    assert_eq!(found.messages.len(), 1);
    let list = pb::ListContentAccessesRequest::default();
    let accesses = inspector.call(list).await.unwrap();
    let accesses: Vec<_> = accesses
        .content_accesses
        .iter()
        .map(|access| (access.action.as_str(), access.reason.as_str()))
        .collect();
    assert_eq!(accesses, [("SEARCH", "核查服务投诉"), ("INSPECT", "核查服务投诉")]);
    // Neither the officer of the post nor a reviewer supervises; nor does another unit's inspector.
    for user in [&desk.ann, &desk.city.first, &desk.boss] {
        let refused = user.call(inspect("核查服务投诉")).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    let elsewhere = app.unit("321324170000", None, &[]).await;
    let other = app.officer("200009", &elsewhere, &["INSPECTOR"]).await;
    let refused = other.call(inspect("核查服务投诉")).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[sqlx::test]
async fn figures_hold_no_content(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = talked(&desk).await;
    close(&desk.ann, &name).await.unwrap();
    let rate = pb::RateConversationRequest {
        name: name.clone(),
        level: pb::SatisfactionLevel::Dissatisfied.into(),
        solved: false,
        comment: "没有回答问题".to_owned(),
        request_id: request_id(),
    };
    desk.talker.call(rate).await.unwrap();
    let (from_time, until_time) = span(&app);
    let request = pb::GetConversationFiguresRequest { from_time, until_time };
    let figures = desk.leader.call(request).await.unwrap();
    assert_eq!(
        figures,
        pb::ConversationFigures {
            conversations: 1,
            messages: 5,
            closed: 1,
            first_replies_due: 1,
            rated: 1,
            ..pb::ConversationFigures::default()
        }
    );
}

// CH-19: the sealed export of the real rows, verified and then altered.
#[sqlx::test]
async fn an_export_is_verified_and_a_changed_row_is_found(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = talked(&desk).await;
    let recall = pb::RecallMessageRequest { conversation: name.clone(), sequence: 2 };
    desk.talker.call(recall).await.unwrap();
    let key: Vec<u8> =
        sqlx::query_scalar("select public_key from signing_key where purpose = 'RECORD'")
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let key = VerifyingKey::from_bytes(Suite::Intl, &key).unwrap();
    let document = exported(&desk, &name).await;
    let verified = export::verify(&document, &key).unwrap();
    assert_eq!((verified.messages, verified.head.conversation.as_str()), (5, name.as_str()));
    assert!(
        String::from_utf8(document).unwrap().contains("第一个问题"),
        "a record keeps originals"
    );
    // Somebody with the database changes a word: the next export does not verify.
    app.sql("update message set body = '那是答复' where body = '这是答复'").await;
    let altered = exported(&desk, &name).await;
    assert_eq!(export::verify(&altered, &key).unwrap_err(), export::Broken::Link(4));
}

async fn exported(desk: &Desk, name: &str) -> Vec<u8> {
    let request = pb::ExportConversationRequest {
        name: name.to_owned(),
        reason: "移送督察核查".to_owned(),
    };
    let stream = desk.inspector.conversations().export_conversation(request).await.unwrap();
    let mut stream = stream.into_inner();
    let mut document = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        document.extend(piece.data);
    }
    document
}
