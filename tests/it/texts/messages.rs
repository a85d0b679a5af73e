//! What is said on the direct line: one fault is told once, one message is one message.

use jingqi::surface::{
    id::{Id, kind},
    service::pb,
};
use sqlx::PgPool;

use crate::{
    conversations::{all, claim, open, say},
    harness::{App, fields, reason, request_id},
};

#[sqlx::test]
async fn a_message_says_something_and_its_fault_is_told_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    for unseen in ["\u{3164}", "\u{2800}", "\u{2060}", "\u{200b}\u{200b}", " \u{feff} "] {
        let refused = say(&desk.talker, &name, unseen).await.unwrap_err();
        assert_eq!(fields(&refused), ["text REQUIRED"], "{unseen:?}");
    }
    let refused = say(&desk.talker, &name, &"长".repeat(2_001)).await.unwrap_err();
    assert_eq!(fields(&refused), ["text TOO_LONG"]);
    // As another system ends its lines, and as a table is pasted: no attack.
    let sent = say(&desk.talker, &name, "车号\t苏N12345\r\n时间\u{2028}早上").await.unwrap();
    assert_eq!(sent.text, "车号 苏N12345\n时间\n早上");
    let refused = say(&desk.talker, &name, "\u{202e}12345N").await.unwrap_err();
    assert_eq!(fields(&refused), ["text TEXT_UNSAFE"]);
}

// CH-20: every number that goes to a third person is warned of, however it is written.
#[sqlx::test]
async fn an_officer_is_warned_of_a_number_however_it_is_written(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    for words in [
        "请联系+86 139 0524 0001",
        "苏N12345 13905240001",
        "13905240001 13905240002",
        "13905240001\n13905240002",
        "卡4111 1111 1111 1111 13905240001",
        "139\u{a0}0524\u{a0}0001",
        "1\u{200b}3905240001",
    ] {
        let refused = say(&desk.ann, &name, words).await.unwrap_err();
        assert_eq!(reason(&refused), "TEXT_WARNED", "{words:?}");
    }
    say(&desk.ann, &name, "2026年11月24日10:30前办结").await.unwrap();
}

// CH-03: a phone that signed in again has the same sender and the same message.
#[sqlx::test]
async fn a_message_sent_again_after_a_new_sign_in_stands_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let message = pb::SendMessageRequest {
        conversation: name.clone(),
        client_message_id: request_id(),
        kind: pb::MessageKind::Text.into(),
        text: "明天几点可以进城?".to_owned(),
        ..Default::default()
    };
    let first = desk.talker.call(message.clone()).await.unwrap();
    let again = app.user(Id::<kind::Person>::parse(&desk.talker.name).unwrap()).await;
    let second = again.call(message.clone()).await.unwrap();
    assert_eq!(second, first);
    let asked = all(&desk.talker, &name).await;
    assert_eq!(asked.iter().filter(|it| it.text == message.text).count(), 1);
    let other = pb::SendMessageRequest { text: "另一句".to_owned(), ..message.clone() };
    let refused = again.call(other).await.unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    // Somebody else may choose the same id.
    claim(&desk.ann, &name).await.unwrap();
    desk.ann.call(message).await.unwrap();
}

// What was stored twice before stays, since the chain knows it; the first one answers.
#[sqlx::test(migrations = false)]
async fn messages_that_stood_twice_before_survive_the_migration(pool: PgPool) {
    let all = sqlx::migrate!("./migrations");
    let new = "0034";
    for migration in all.iter().filter(|it| it.version < new.parse().unwrap()) {
        sqlx::raw_sql(migration.sql.clone()).execute(&pool).await.unwrap();
    }
    // Nothing but the messages matters here.
    let rows = "alter table message drop constraint message_conversation_fkey;
        insert into message (conversation_id, sequence, sender, device_id, client_message_id, digest,
            kind, body, detail, create_time, chain)
        select '00000000-0000-0000-0000-000000000001', sequence, sender, device::uuid,
            client::uuid, '', 'TEXT', '', '', now(), ''
        from (values (1, 'persons/a', '00000000-0000-0000-0000-00000000000a',
                '00000000-0000-0000-0000-00000000000f'),
            (2, 'persons/a', '00000000-0000-0000-0000-00000000000b',
                '00000000-0000-0000-0000-00000000000f'),
            (3, 'persons/b', '00000000-0000-0000-0000-00000000000c',
                '00000000-0000-0000-0000-00000000000f'),
            (4, 'system', null, null), (5, 'system', null, null))
            as old (sequence, sender, device, client)";
    sqlx::raw_sql(rows).execute(&pool).await.unwrap();
    for migration in all.iter().filter(|it| it.version == new.parse::<i64>().unwrap()) {
        sqlx::raw_sql(migration.sql.clone()).execute(&pool).await.unwrap();
    }
    let repeated: Vec<i64> =
        sqlx::query_scalar("select sequence from message where repeated order by sequence")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(repeated, [2]);
}
