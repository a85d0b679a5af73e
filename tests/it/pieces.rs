//! Pieces of files: of one size, in one file, bounded in what is under way and in all, and gone when nobody
//! used them.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Status;

use crate::{
    attachments::{announce, announced, complete, read, upload},
    harness::{App, City, User, fields, reason, request_id},
};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub fn paper(city: &City, content: &[u8]) -> pb::Attachment {
    pb::Attachment {
        conversation: String::new(),
        enterprise: city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        ..announced("", "application/pdf", content)
    }
}

fn content() -> Vec<u8> {
    [b"%PDF-1.4\n".as_slice(), &vec![b' '; 50_000]].concat()
}

async fn piece(user: &User, name: &str, offset: i64, data: &[u8]) -> Result<i64, Status> {
    let (name, data) = (name.to_owned(), data.to_vec());
    let request = pb::UploadAttachmentChunkRequest { name, offset, data };
    let came = user.call(request).await?;
    Ok(came.received_bytes)
}

/// The files that lie below the folder of an attachment.
fn lie(app: &App, name: &str) -> Vec<String> {
    let folder = app.folder().join(name.trim_start_matches("attachments/"));
    let found = std::fs::read_dir(folder).into_iter().flatten();
    let names = found.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.collect()
}

// A hundred thousand pieces of one byte were a hundred thousand files.
#[sqlx::test]
async fn pieces_have_one_size_and_lie_in_one_file(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let content = content();
    let name = announce(&city.handler, paper(&city, &content)).await.unwrap().name;
    let refused = piece(&city.handler, &name, 0, &content[..1]).await.unwrap_err();
    assert_eq!(fields(&refused), ["data PIECE_UNEVEN"]);
    assert_eq!(piece(&city.handler, &name, 0, &content[..8_000]).await.unwrap(), 8_000);
    for length in [7_999, 8_001] {
        let uneven = piece(&city.handler, &name, 8_000, &content[8_000..8_000 + length]).await;
        assert_eq!(fields(&uneven.unwrap_err()), ["data PIECE_UNEVEN"]);
    }
    // A repetition, also one of something else, is harmless: the digest tells.
    assert_eq!(piece(&city.handler, &name, 0, &content[..8_000]).await.unwrap(), 8_000);
    for (at, part) in content.chunks(8_000).enumerate().skip(1) {
        let offset = i64::try_from(at * 8_000).unwrap();
        piece(&city.handler, &name, offset, part).await.unwrap();
    }
    assert_eq!(lie(&app, &name), ["came"]);
    // Twice at once is once.
    let (one, other) = tokio::join!(complete(&city.handler, &name), complete(&city.handler, &name));
    assert_eq!(one.unwrap(), other.unwrap());
    assert_eq!(lie(&app, &name), ["kept"]);
    assert!(read(&city.handler, &name).await.unwrap() == content);
}

// What was begun before pieces had one size is brought again, from its beginning.
#[sqlx::test]
async fn what_an_older_version_began_is_brought_again(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let content = content();
    let name = announce(&city.handler, paper(&city, &content)).await.unwrap().name;
    app.sql("update attachment set received_bytes = 5000 where complete_time is null").await;
    let on = piece(&city.handler, &name, 5_000, &content[5_000..10_000]).await.unwrap_err();
    assert_eq!(fields(&on), ["offset OUT_OF_RANGE"]);
    upload(&city.handler, &name, &content).await.unwrap();
    assert!(complete(&city.handler, &name).await.unwrap().complete);
}

#[sqlx::test]
async fn what_is_under_way_and_what_is_kept_has_an_end(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let content = content();
    let large = || pb::Attachment { size_bytes: 10 * 1024 * 1024, ..paper(&city, &content) };
    for _ in 0..6 {
        announce(&city.handler, large()).await.unwrap();
    }
    let refused = announce(&city.handler, large()).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTACHMENTS_UNDER_WAY");
    // Another one of the enterprise has room of his own, as long as the enterprise has.
    announce(&city.boss, large()).await.unwrap();
    app.sql("update attachment set size_bytes = 52428800 where creator <> ''").await;
    let refused = announce(&city.boss, large()).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTACHMENTS_UNDER_WAY");
    // Nobody goes on with them after a day.
    app.advance(hours(25));
    announce(&city.handler, large()).await.unwrap();
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from attachment where creator <> ''").await, 1);
    app.sql(
        "update attachment set size_bytes = 17179869184, complete_time = now(),
            creator = 'persons/x'
         where creator <> ''",
    )
    .await;
    let refused = announce(&city.handler, large()).await.unwrap_err();
    assert_eq!(reason(&refused), "ATTACHMENT_SPACE_FULL");
}

// facts.md, 6.5: attachments that were never submitted go after 30 days, bytes and all.
#[sqlx::test]
async fn papers_of_drafts_go_after_thirty_days(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.sql("update attachment set used = true").await;
    let content = content();
    let mut names = Vec::new();
    for _ in 0..3 {
        let name = announce(&city.handler, paper(&city, &content)).await.unwrap().name;
        upload(&city.handler, &name, &content).await.unwrap();
        complete(&city.handler, &name).await.unwrap();
        names.push(name);
    }
    let [loose, drafted, sent] = [&names[0], &names[1], &names[2]];
    let with = |paper: &String| {
        let mut request = city.create(&app);
        let application = request.pass_application.as_mut().unwrap();
        application.attachments.retain(|name| name != &city.attachment_names[0]);
        application.attachments.push(paper.clone());
        request.request_id = request_id();
        request
    };
    let draft = city.handler.call(with(drafted)).await.unwrap().name;
    let filed = city.handler.call(with(sent)).await.unwrap().name;
    let submit = pb::SubmitPassApplicationRequest { name: filed, ..Default::default() };
    city.handler.call(submit).await.unwrap();
    app.advance(hours(24 * 29));
    app.run_workers().await;
    assert!(names.iter().all(|name| lie(&app, name) == ["kept"]));
    app.advance(hours(24 * 2));
    // A draft that is worked on keeps its papers.
    let id = draft.trim_start_matches("passApplications/").to_owned();
    let now = app.now();
    app.sql(&format!("update pass_application set update_time = '{now}' where id = '{id}'")).await;
    app.run_workers().await;
    assert!(lie(&app, loose).is_empty());
    assert!(lie(&app, drafted) == ["kept"] && lie(&app, sent) == ["kept"]);
    app.advance(hours(24 * 31));
    app.run_workers().await;
    assert!(lie(&app, drafted).is_empty());
    assert!(lie(&app, sent) == ["kept"], "what was sent stays");
    let get = pb::GetPassApplicationRequest { name: draft };
    let left = city.handler.call(get).await.unwrap();
    assert!(!left.attachments.contains(drafted) && !left.attachments.is_empty());
}
