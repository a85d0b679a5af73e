//! Files of conversations: brought in chunks by whoever takes part, looked through, kept without
//! what they tell about place and device, and read by nobody else.

use jingqi::surface::{domain::pass::qr::QrPicture, service::pb};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    conversations::{claim, open},
    harness::{App, User, fields, reason, request_id},
    liaison::hand_over,
};

pub fn announced(conversation: &str, content_type: &str, content: &[u8]) -> pb::Attachment {
    pb::Attachment {
        conversation: conversation.to_owned(),
        kind: "MESSAGE".to_owned(),
        content_type: content_type.to_owned(),
        size_bytes: i64::try_from(content.len()).unwrap(),
        sha256: Sha256::digest(content).to_vec(),
        file_name: "现场.png".to_owned(),
        ..pb::Attachment::default()
    }
}

pub async fn announce(user: &User, attachment: pb::Attachment) -> Result<pb::Attachment, Status> {
    let request =
        pb::CreateAttachmentRequest { attachment: Some(attachment), request_id: request_id() };
    user.call(request).await
}

pub async fn upload(user: &User, name: &str, content: &[u8]) -> Result<(), Status> {
    let mut offset = 0;
    for chunk in content.chunks(5_000) {
        let (name, data) = (name.to_owned(), chunk.to_vec());
        let request = pb::UploadAttachmentChunkRequest { name, offset, data };
        let uploaded = user.call(request).await?;
        offset = uploaded.received_bytes;
    }
    Ok(())
}

pub async fn complete(user: &User, name: &str) -> Result<pb::Attachment, Status> {
    let request = pb::CompleteAttachmentRequest { name: name.to_owned() };
    user.call(request).await
}

/// Brings a file in, whole.
async fn bring(
    user: &User,
    conversation: &str,
    content_type: &str,
    content: &[u8],
) -> Result<pb::Attachment, Status> {
    let name = announce(user, announced(conversation, content_type, content)).await?.name;
    upload(user, &name, content).await?;
    complete(user, &name).await
}

pub async fn read(user: &User, name: &str) -> Result<Vec<u8>, Status> {
    let mut content = Vec::new();
    loop {
        let offset = i64::try_from(content.len()).unwrap();
        let request = pb::ReadAttachmentChunkRequest { name: name.to_owned(), offset };
        let chunk = user.call(request).await?;
        content.extend(chunk.data);
        if chunk.last {
            return Ok(content);
        }
    }
}

fn image(conversation: &str, attachment: &str) -> pb::SendMessageRequest {
    pb::SendMessageRequest {
        conversation: conversation.to_owned(),
        client_message_id: request_id(),
        kind: pb::MessageKind::Image.into(),
        attachment: attachment.to_owned(),
        ..pb::SendMessageRequest::default()
    }
}

/// A picture, and the same with a position and an author in it.
pub fn pictures() -> (Vec<u8>, Vec<u8>) {
    let text = "直通车".repeat(40);
    let clean = QrPicture::of(&text).unwrap().png(20).unwrap();
    let data = b"GPS 33.95N 118.28E, phone of Zhang".as_slice();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    let chunk = [&length[..], b"eXIf", data, &[0; 4]].concat();
    let with = [&clean[..33], &chunk, &clean[33..]].concat();
    (clean, with)
}

// CH-09: out of band, in chunks, without metadata, for those who take part alone.
#[sqlx::test]
async fn a_picture_arrives_without_its_position(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    let (clean, with) = pictures();
    let file = bring(&desk.talker, &name, "image/png", &with).await.unwrap();
    assert_eq!(file.stored_bytes, i64::try_from(clean.len()).unwrap());
    assert_eq!(file.stored_sha256, Sha256::digest(&clean).to_vec());
    let sent = desk.talker.call(image(&name, &file.name)).await.unwrap();
    assert_eq!(sent.attachment, file.name);
    let seen = read(&desk.ann, &file.name).await.unwrap();
    assert!(seen == clean, "the officer sees the picture and not the place");
    // Neither a colleague who does not take part, nor the unit that serves the enterprise.
    for stranger in [&desk.boss, &desk.city.first, &desk.city.stranger, &desk.inspector] {
        let refused = read(stranger, &file.name).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    // The officer answers with a file, and reads nothing more after the hand-over.
    let paper = b"%PDF-1.7\n/JSONData".as_slice();
    let answer = bring(&desk.ann, &name, "application/pdf", paper).await.unwrap();
    assert_eq!(read(&desk.talker, &answer.name).await.unwrap(), paper);
    hand_over(&desk, &desk.ann, None).await;
    let refused = read(&desk.ann, &file.name).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let announced = announce(&desk.ann, announced(&name, "image/png", &clean)).await.unwrap_err();
    assert_eq!(announced.code(), Code::PermissionDenied);
}

#[sqlx::test]
async fn a_disguised_infected_or_foreign_file_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let (name, other) = (open(&desk).await.name, open(&desk).await.name);
    let (clean, _) = pictures();
    // In two parts, so that no scanner takes this source for the test file.
    let eicar = ["ID3 X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];
    for (content_type, content, expected) in [
        ("image/jpeg", clean.clone(), "content_type FILE_TYPE_DISGUISED"),
        ("image/png", clean[..200].to_vec(), "content_type FILE_TYPE_DISGUISED"),
        ("audio/mpeg", eicar.concat().into_bytes(), "content_type FILE_SUSPICIOUS"),
        ("application/pdf", b"%PDF-1.7 /Launch 1".to_vec(), "content_type FILE_SUSPICIOUS"),
        ("application/pdf", b"%PDF-1.7 /J#61vaScript 1".to_vec(), "content_type FILE_SUSPICIOUS"),
        ("image/png", [&clean, &b"<script>"[..]].concat(), "content_type FILE_SUSPICIOUS"),
        ("audio/mpeg", b"\xff\xfe<\0s\0".to_vec(), "content_type FILE_TYPE_DISGUISED"),
        ("audio/wav", b"MZ\x90 no sound".to_vec(), "content_type FILE_TYPE_DISGUISED"),
    ] {
        let refused = bring(&desk.talker, &name, content_type, &content).await.unwrap_err();
        assert_eq!(fields(&refused), [expected], "{content_type}");
    }
    let wrong = pb::Attachment {
        enterprise: desk.city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        size_bytes: 11 * 1024 * 1024,
        ..announced(&name, "application/zip", &clean)
    };
    assert_eq!(
        fields(&announce(&desk.talker, wrong).await.unwrap_err()),
        [
            "attachment.content_type FILE_TYPE_REFUSED",
            "attachment.enterprise NOT_ALLOWED",
            "attachment.kind UNKNOWN_VALUE",
            "attachment.size_bytes OUT_OF_RANGE",
        ]
    );
    // A voice is no paper, and an officer brings no paper for an enterprise.
    let paper = pb::Attachment {
        conversation: String::new(),
        enterprise: desk.city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        ..announced("", "audio/amr", b"#!AMR")
    };
    let refused = announce(&desk.talker, paper.clone()).await.unwrap_err();
    assert_eq!(fields(&refused), ["attachment.content_type FILE_TYPE_REFUSED"]);
    let paper = pb::Attachment { content_type: "application/pdf".to_owned(), ..paper };
    let refused = announce(&desk.ann, paper).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    // A file of another conversation is no file of this one; nor is one that is not complete.
    let file = bring(&desk.talker, &other, "image/png", &clean).await.unwrap();
    let refused = desk.talker.call(image(&name, &file.name)).await;
    assert_eq!(fields(&refused.unwrap_err()), ["attachment UNKNOWN_VALUE"]);
    let begun = announce(&desk.talker, announced(&name, "image/png", &clean)).await.unwrap();
    let refused = desk.talker.call(image(&name, &begun.name)).await;
    assert_eq!(fields(&refused.unwrap_err()), ["attachment UNKNOWN_VALUE"]);
    let early = read(&desk.talker, &begun.name).await.unwrap_err();
    assert_eq!(reason(&early), "ATTACHMENT_INCOMPLETE");
    // A recording is no picture.
    let voice = bring(&desk.talker, &name, "audio/amr", b"#!AMR\n voice").await.unwrap();
    let refused = desk.talker.call(image(&name, &voice.name)).await;
    assert_eq!(fields(&refused.unwrap_err()), ["kind FILE_TYPE_DISGUISED"]);
    let spoken =
        pb::SendMessageRequest { kind: pb::MessageKind::Voice.into(), ..image(&name, &voice.name) };
    desk.talker.call(spoken).await.unwrap();
}

// CH-09: who does not take part any more neither brings nor reads, whatever was begun before.
#[sqlx::test]
async fn whoever_left_a_conversation_neither_brings_nor_reads(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let (clean, _) = pictures();
    let file = bring(&desk.talker, &name, "image/png", &clean).await.unwrap().name;
    let begun = announce(&desk.talker, announced(&name, "image/png", &clean)).await.unwrap().name;
    upload(&desk.talker, &begun, &clean[..5_000]).await.unwrap();
    // Any officer of the post may read, whoever holds the conversation; a handler for passes may not.
    claim(&desk.ann, &name).await.unwrap();
    assert!(read(&desk.ben, &file).await.unwrap() == clean);
    assert_eq!(read(&desk.city.handler, &file).await.unwrap_err().code(), Code::PermissionDenied);
    let (person, request_id) = (desk.boss.name.clone(), request_id());
    let add = pb::AddConversationMemberRequest { name: name.clone(), person, request_id };
    desk.talker.call(add).await.unwrap();
    assert!(read(&desk.boss, &file).await.unwrap() == clean);
    let remove = pb::RemoveConversationMemberRequest {
        name: name.clone(),
        person: desk.talker.name.clone(),
        ..pb::RemoveConversationMemberRequest::default()
    };
    desk.boss.call(remove).await.unwrap();
    for refused in [
        announce(&desk.talker, announced(&name, "image/png", &clean)).await.unwrap_err(),
        upload(&desk.talker, &begun, &clean).await.unwrap_err(),
        complete(&desk.talker, &begun).await.unwrap_err(),
        read(&desk.talker, &file).await.unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::PermissionDenied);
    }
    // Still named as one who takes part, but no member of the enterprise any more.
    app.sql("update member set end_time = now() where role = 'LEGAL_REPRESENTATIVE'").await;
    assert_eq!(read(&desk.boss, &file).await.unwrap_err().code(), Code::PermissionDenied);
    // Off the roster.
    hand_over(&desk, &desk.ben, None).await;
    assert_eq!(read(&desk.ben, &file).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(read(&desk.ann, &file).await.unwrap() == clean);
}

#[sqlx::test]
async fn what_differs_from_what_was_announced_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    let voice = b"#!AMR\n voice".as_slice();
    let other = pb::Attachment {
        sha256: Sha256::digest(b"another").to_vec(),
        ..announced(&name, "audio/amr", voice)
    };
    let other = announce(&desk.talker, other).await.unwrap().name;
    upload(&desk.talker, &other, voice).await.unwrap();
    let refused = complete(&desk.talker, &other).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTACHMENT_INCOMPLETE");
    let short = announce(&desk.talker, announced(&name, "audio/amr", voice)).await.unwrap().name;
    let refused = upload(&desk.talker, &short, &[voice, b" and more"].concat()).await.unwrap_err();
    assert_eq!(fields(&refused), ["offset OUT_OF_RANGE"]);
    upload(&desk.talker, &short, &voice[..9]).await.unwrap();
    let refused = complete(&desk.talker, &short).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTACHMENT_INCOMPLETE");
}

// What was closed by an older version has nothing kept apart from what came.
#[sqlx::test]
async fn a_paper_of_before_is_read_as_it_came(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let content = [b"%PDF-1.4\n".as_slice(), &vec![b' '; 50_000]].concat();
    let paper = pb::Attachment {
        conversation: String::new(),
        enterprise: city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        ..announced("", "application/pdf", &content)
    };
    let name = announce(&city.handler, paper).await.unwrap().name;
    upload(&city.handler, &name, &content).await.unwrap();
    let id = name.trim_start_matches("attachments/");
    app.sql(&format!("update attachment set complete_time = now() where id = '{id}'")).await;
    assert!(read(&city.handler, &name).await.unwrap() == content);
    let request = pb::ReadAttachmentChunkRequest { name, offset: 50_010 };
    let beyond = city.handler.call(request).await.unwrap_err();
    assert_eq!(fields(&beyond), ["offset OUT_OF_RANGE"]);
}
