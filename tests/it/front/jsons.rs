//! JSON as clients write it: what is read as meant, and what is refused, with its place.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Answer, post, send};
use crate::{harness::App, liaison::Desk};

const LIST: &str = "ConversationService/ListMessages";

async fn list(app: &App, desk: &Desk, text: impl Into<reqwest::Body>) -> Answer {
    send(app, LIST, Some(&desk.talker), text).await
}

#[sqlx::test]
async fn numbers_enums_and_bytes_are_read_in_every_form_that_protobuf_has(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let conversation = crate::conversations::open(&desk).await.name;
    let said = async |rest: &str| {
        let text = format!(r#"{{"conversation":"{conversation}",{rest}}}"#);
        list(&app, &desk, text).await
    };
    for rest in [
        r#""afterSequence":"0""#,
        r#""afterSequence":0"#,
        r#""after_sequence":0,"pageSize":"5""#,
        r#""afterSequence":1e2"#,
        r#""afterSequence":"9007199254740993""#,
        r#""afterSequence":9007199254740993"#,
        r#""pageSize":null,"afterSequence":null"#,
        // Twice the same: the last one counts, as Protobuf has it.
        r#""afterSequence":7,"afterSequence":0"#,
    ] {
        let answer = said(rest).await;
        assert_eq!(answer.status, 200, "{rest}: {answer:?}");
        // 64 bits are a text, so that no client rounds them.
        assert!(answer.body["lastSequence"].is_string(), "{answer:?}");
    }
    for (rest, field) in [
        (r#""afterSequence":"five""#, "after_sequence"),
        (r#""afterSequence":1.5"#, "after_sequence"),
        (r#""afterSequence":"9223372036854775808""#, "after_sequence"),
        (r#""afterSequence":"NaN""#, "after_sequence"),
        (r#""afterSequence":true"#, "after_sequence"),
        (r#""pageSize":[]"#, "page_size"),
        (r#""pageSize":{}"#, "page_size"),
    ] {
        let refused = said(rest).await;
        assert_eq!((refused.status.as_u16(), refused.reason()), (400, "REQUEST_INVALID"));
        assert_eq!(refused.fields(), [format!("{field} JSON_MALFORMED")], "{rest}");
    }
    // An enum by its name and by its number.
    for kind in [json!("TEXT"), json!(1)] {
        let id = crate::harness::request_id();
        let message = json!({"conversation": conversation, "clientMessageId": id, "kind": kind, "text": "您好"});
        let sent =
            post(&app, "ConversationService/SendMessage", Some(&desk.talker), &message).await;
        assert_eq!(sent.body["kind"], "TEXT", "{sent:?}");
    }
}

// Both alphabets, with padding and without.
#[sqlx::test]
async fn bytes_are_read_in_both_alphabets(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    for text in ["+/+/", "-_-_", "+/8=", "+/8", "-_8"] {
        let chunk =
            json!({"name": "attachments/01890a5d-ac96-774b-bcce-b302099a8057", "data": text});
        let method = "PassApplicationService/UploadAttachmentChunk";
        let refused = post(&app, method, Some(&city.handler), &chunk).await;
        assert_ne!(refused.fields(), ["data JSON_MALFORMED"], "{text}: {refused:?}");
    }
    let chunk = json!({"name": "attachments/01890a5d-ac96-774b-bcce-b302099a8057", "data": "*"});
    let refused =
        post(&app, "PassApplicationService/UploadAttachmentChunk", Some(&city.handler), &chunk)
            .await;
    assert_eq!(refused.fields(), ["data JSON_MALFORMED"]);
}

// An old server understands a newer client, and says what it passed over.
#[sqlx::test]
async fn fields_that_are_not_known_are_taken_and_named(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let zones = "TruckPassService/ListZones";
    let plain = post(&app, zones, None, &json!({})).await;
    assert!(!plain.headers.contains_key("jingqi-unknown-fields"));
    let told = post(&app, zones, None, &json!({"tomorrow": {"x": [1]}, "号": 1})).await;
    assert_eq!(told.status, 200);
    let mut named: Vec<_> =
        told.headers["jingqi-unknown-fields"].to_str().unwrap().split(", ").collect();
    named.sort_unstable();
    assert_eq!(named, ["?", "tomorrow"]);
    let create = json!({"passApplication": {"need": {"colour": 1}}, "validateOnly": true});
    let create =
        post(&app, "PassApplicationService/CreatePassApplication", Some(&city.handler), &create)
            .await;
    assert_eq!(create.headers["jingqi-unknown-fields"], "pass_application.need.colour");
    let many: Value = (0..1_000).map(|at| (format!("field{at}"), json!(1))).collect();
    let told = post(&app, zones, None, &many).await;
    assert_eq!(told.headers["jingqi-unknown-fields"].to_str().unwrap().split(", ").count(), 16);
}

#[sqlx::test]
async fn what_is_no_json_is_refused_with_its_place(pool: PgPool) {
    let app = App::start(pool).await;
    let zones = "TruckPassService/ListZones";
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = |depth: usize| format!("{}1{}", r#"{"x":"#.repeat(depth), "}".repeat(depth));
    for text in [
        b"{".to_vec(),
        b"{}{}".to_vec(),
        b"{} x".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"{}\"".to_vec(),
        b"{\"x\":NaN}".to_vec(),
        b"{\"x\":Infinity}".to_vec(),
        b"{\"x\":01}".to_vec(),
        b"{'x':1}".to_vec(),
        b"{\"x\":1,}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"x\":\"\xff\"}".to_vec(),
        b"{\"x\":\"\\ud800\"}".to_vec(),
        utf16,
        deep(200).into_bytes(),
        deep(10_000).into_bytes(),
    ] {
        let refused = send(&app, zones, None, text.clone()).await;
        let text = String::from_utf8_lossy(&text).chars().take(40).collect::<String>();
        assert_eq!((refused.status.as_u16(), refused.reason()), (400, "REQUEST_INVALID"), "{text}");
        assert_eq!(refused.fields(), ["message JSON_MALFORMED"], "{text}");
        let field = &refused.debug("BadRequest")["fieldViolations"][0];
        assert!(field["description"].as_str().unwrap().contains("行第"), "{field}");
    }
    // What is odd, and means something: no text at all, room around it, a hundred steps deep.
    for text in [String::new(), " \r\n{}\t".to_owned(), deep(100)] {
        assert_eq!(send(&app, zones, None, text.clone()).await.status, 200, "{text}");
    }
}

// I35: what a stranger can make us hold is bounded; the answer comes although the body was not read.
#[sqlx::test]
async fn a_text_over_the_limit_is_refused_by_an_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let zones = "TruckPassService/ListZones";
    let padded = |size: usize| format!("{{}}{}", " ".repeat(size - 2));
    assert_eq!(send(&app, zones, None, padded(64 * 1024)).await.status, 200);
    for size in [64 * 1024 + 1, 64 * 1024 + 9, 1024 * 1024] {
        let refused = send(&app, zones, None, padded(size)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.fields()),
            (400, vec!["message TOO_LONG".to_owned()])
        );
    }
}
