//! Evidence: pictures that a reporter adds, with a name or without. What they tell beside themselves is
//! nowhere, neither while they come nor after; who may see the report opens them, and that is kept.

use std::path::Path;

use jiff::SignedDuration;
use jingqi::surface::{domain::pass::qr::QrPicture, service::pb};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tonic::Status;

use super::{conclude, file, file_named, got, in_progress, listed, officer, read};
use crate::harness::{App, User, fields, reason, request_id};

/// What stands in the picture beside what it shows.
const CANARIES: [&str; 4] =
    ["canary-gps-33.95N", "canary-phone-of-Zhang", "canary-screen-71", "canary-trailer"];

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], data].concat()
}

/// A JPEG by its structure, of so many bytes in its scan.
fn photograph(extra: &[u8], scan: usize) -> Vec<u8> {
    [
        &[0xff, 0xd8][..],
        &segment(0xe0, b"JFIF\0\x01\x02\0\0\x48\0\x48\0\0"),
        extra,
        &segment(0xdb, &[1; 64]),
        &segment(0xc0, &[8, 0, 16, 0, 16, 1, 1, 0x11, 0]),
        &segment(0xda, &[1, 2]),
        &vec![0x5a; scan],
        &[0xff, 0xd9],
    ]
    .concat()
}

/// The picture as a phone makes it.
fn telling(scan: usize) -> Vec<u8> {
    let [gps, phone, screen, trailer] = CANARIES;
    let extra = [
        segment(0xe1, format!("Exif\0\0{gps}").as_bytes()),
        segment(0xe1, format!("http://ns.adobe.com/xap/1.0/\0{phone}").as_bytes()),
        segment(0xe2, format!("ICC_PROFILE\0\x01\x01{screen}").as_bytes()),
        segment(0xfe, phone.as_bytes()),
    ];
    [photograph(&extra.concat(), scan), trailer.as_bytes().to_vec()].concat()
}

async fn create(
    reporter: &User,
    filed: &pb::FiledConductReport,
    content_type: &str,
) -> Result<pb::Evidence, Status> {
    let request = pb::CreateEvidenceRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        content_type: content_type.to_owned(),
        request_id: request_id(),
    };
    reporter.call(request).await
}

async fn upload(
    reporter: &User,
    filed: &pb::FiledConductReport,
    id: &str,
    content: &[u8],
) -> Result<(), Status> {
    let mut offset = 0;
    for data in content.chunks(20_000) {
        let request = pb::UploadEvidenceChunkRequest {
            query_code: filed.query_code.clone(),
            secret: filed.secret.clone(),
            id: id.to_owned(),
            offset,
            data: data.to_vec(),
        };
        let piece = reporter.call(request).await?;
        offset = piece.received_bytes;
    }
    Ok(())
}

async fn complete(
    reporter: &User,
    filed: &pb::FiledConductReport,
    id: &str,
    content: &[u8],
) -> Result<pb::Evidence, Status> {
    let request = pb::CompleteEvidenceRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        id: id.to_owned(),
        sha256: Sha256::digest(content).to_vec(),
    };
    reporter.call(request).await
}

/// Brings a picture in, whole.
pub async fn bring(
    reporter: &User,
    filed: &pb::FiledConductReport,
    content_type: &str,
    content: &[u8],
) -> Result<pb::Evidence, Status> {
    let id = create(reporter, filed, content_type).await?.id;
    upload(reporter, filed, &id, content).await?;
    complete(reporter, filed, &id, content).await
}

/// A small picture of a phone.
pub fn small() -> Vec<u8> {
    telling(10)
}

pub async fn open(user: &User, report: &str, id: &str) -> Result<Vec<u8>, Status> {
    let mut content = Vec::new();
    loop {
        let request = pb::ReadEvidenceChunkRequest {
            name: report.to_owned(),
            id: id.to_owned(),
            offset: i64::try_from(content.len()).unwrap(),
        };
        let chunk = user.call(request).await?;
        content.extend(chunk.data);
        if chunk.last {
            return Ok(content);
        }
    }
}

/// Every file below the folder, with its path.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Nothing of the canaries, of the slip or of the digests in any file or row.
async fn nothing_tells(app: &App, filed: &pb::FiledConductReport, original: &[u8]) {
    let mut rows = String::new();
    for table in ["report", "evidence", "change", "filing", "opening", "message"] {
        let text = format!("select coalesce(string_agg(t::text, ' '), '') from conduct.{table} t");
        rows += &app.word(&text).await;
    }
    let digest = jingqi::surface::crypto::hex(&Sha256::digest(original));
    let (code, secret) = (filed.query_code.replace('-', ""), filed.secret.replace('-', ""));
    let words = CANARIES.map(ToOwned::to_owned).into_iter().chain([digest, code, secret]);
    for word in words {
        assert!(!rows.contains(&word), "{word} in a row");
        for (path, content) in files(app.folder()) {
            assert!(!holds(&content, word.as_bytes()), "{word} in {path}");
            assert!(!path.contains(&word), "{word} in {path}");
        }
    }
    // Nor the plain picture: a scan of equal bytes would show.
    for (path, content) in files(app.folder()) {
        assert!(!holds(&content, &[0x5a; 64]), "{path} is not sealed");
    }
}

// CO-22, I21: from the phone to the inspector, without a name.
#[sqlx::test]
async fn a_picture_is_kept_without_anything_that_it_tells(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let nobody = app.anonymous();
    let original = telling(70_000);
    let id = create(&nobody, &filed, "image/jpeg").await.unwrap().id;
    upload(&nobody, &filed, &id, &original).await.unwrap();
    assert_eq!(files(app.folder()).len(), 1, "one file for all that came");
    nothing_tells(&app, &filed, &original).await;
    // What has come lies under a key that the secret alone gives: not even the master key opens it.
    let piece = complete(&nobody, &filed, &id, &original).await.unwrap();
    let kept = piece.size_bytes;
    assert_eq!((piece.complete, piece.received_bytes), (true, 0));
    assert_eq!(complete(&nobody, &filed, &id, &original).await.unwrap(), piece, "a repetition");
    // Nor how long it was, by which the original could be found.
    let rows = "select string_agg(t::text, ' ') from conduct.evidence t";
    assert!(!app.word(rows).await.contains(&original.len().to_string()));
    nothing_tells(&app, &filed, &original).await;
    let status = read(&app, &filed).await.unwrap();
    assert_eq!(status.evidence, std::slice::from_ref(&piece));
    // What came is gone, what is kept lies in three sealed parts.
    assert_eq!(files(app.folder()).len(), 3);
    assert_eq!(
        app.count("select count(*) from conduct.evidence where received_bytes is null").await,
        1
    );
    let report = listed(&house.intake).await.remove(0);
    assert_eq!(got(&house.intake, &report.name).await.unwrap().evidence, [piece]);
    let seen = open(&house.intake, &report.name, &id).await.unwrap();
    assert_eq!(i64::try_from(seen.len()).unwrap(), kept);
    assert!(seen.starts_with(&[0xff, 0xd8]) && holds(&seen, &vec![0x5a; 70_000]), "it can be seen");
    for canary in CANARIES {
        assert!(!holds(&seen, canary.as_bytes()), "{canary}");
    }
    // A PNG loses its texts, too.
    let picture = QrPicture::of(&"举报".repeat(40)).unwrap().png(4).unwrap();
    let text = b"Author\0canary-phone-of-Zhang";
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let chunk = [&length[..], b"tEXt", text, &[0; 4]].concat();
    let with = [&picture[..33], &chunk, &picture[33..]].concat();
    let piece = bring(&nobody, &filed, "image/png", &with).await.unwrap();
    let seen = open(&house.sleuth, &report.name, &piece.id).await.unwrap();
    assert!(!holds(&seen, b"canary"), "a text of a picture");
    nothing_tells(&app, &filed, &with).await;
}

// I27: each opening is kept, and told to the auditor; reading on is none.
#[sqlx::test]
async fn every_opening_is_kept_and_only_those_open_who_see_the_report(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let id = bring(&app.anonymous(), &filed, "image/jpeg", &telling(70_000)).await.unwrap().id;
    // The inspector of the accused unit, like anybody for whom there is no report.
    let absent = format!("conductReports/{}", uuid::Uuid::nil());
    let refused = open(&house.desk.inspector, &report.name, &id).await.unwrap_err();
    let nothing = open(&house.desk.inspector, &absent, &id).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (nothing.code(), reason(&nothing)));
    let count = "select count(*) from conduct.opening";
    assert_eq!(app.count(count).await, 0, "a refusal opens nothing");
    open(&house.intake, &report.name, &id).await.unwrap();
    open(&house.intake, &report.name, &id).await.unwrap();
    open(&house.sleuth, &report.name, &id).await.unwrap();
    assert_eq!(app.count(count).await, 3, "three readings in parts");
    // Whoever only reads on after an hour has opened it again.
    app.advance(SignedDuration::from_secs(3_601));
    let on =
        pb::ReadEvidenceChunkRequest { name: report.name.clone(), id: id.clone(), offset: 40_000 };
    let part = house.sleuth.call(on).await.unwrap();
    assert_eq!((part.data.len(), part.last), (65_536 - 40_000, false));
    assert_eq!(app.count(count).await, 4);
    let request = pb::ListIdentityOpeningsRequest::default();
    let told = house.auditor.call(request).await.unwrap().identity_openings;
    assert_eq!((told.len(), told[0].officer.as_str()), (4, house.sleuth.name.as_str()));
    assert!(told.iter().all(|it| it.evidence == id && it.reason.is_empty()));
    assert!(!format!("{told:?}").contains(&report.name));
    for (offset, expected) in [(1_000_000, "offset OUT_OF_RANGE"), (-1, "offset OUT_OF_RANGE")] {
        let beyond =
            pb::ReadEvidenceChunkRequest { name: report.name.clone(), id: id.clone(), offset };
        let beyond = house.sleuth.call(beyond).await.unwrap_err();
        assert_eq!(fields(&beyond), [expected]);
    }
    // A piece of one report is none of another.
    app.advance(SignedDuration::from_secs(1));
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let other = listed(&house.intake).await.remove(0);
    let foreign = open(&house.intake, &other.name, &id).await.unwrap_err();
    assert_eq!(fields(&foreign), ["id UNKNOWN_VALUE"]);
}

#[sqlx::test]
async fn what_is_no_plain_picture_or_too_much_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let nobody = app.anonymous();
    for content_type in ["application/pdf", "audio/amr", "image/heic", ""] {
        let refused = create(&nobody, &filed, content_type).await.unwrap_err();
        assert_eq!(fields(&refused), ["content_type FILE_TYPE_REFUSED"], "{content_type}");
    }
    let jpeg = telling(10);
    let second = [jpeg.as_slice(), b"<script>"].concat();
    for (content_type, content, expected) in [
        ("image/png", &jpeg, "content_type FILE_TYPE_DISGUISED"),
        ("image/jpeg", &jpeg[..60].to_vec(), "content_type FILE_TYPE_DISGUISED"),
        ("image/jpeg", &second, "content_type FILE_SUSPICIOUS"),
    ] {
        let refused = bring(&nobody, &filed, content_type, content).await.unwrap_err();
        assert_eq!(fields(&refused), [expected]);
    }
    // A wrong slip learns nothing, whatever it asks for.
    let wrong =
        pb::FiledConductReport { secret: "0000-0000-0000-0000".to_owned(), ..filed.clone() };
    let id = create(&nobody, &filed, "image/jpeg").await.unwrap().id;
    for refused in [
        create(&nobody, &wrong, "image/jpeg").await.unwrap_err(),
        upload(&nobody, &wrong, &id, &jpeg).await.unwrap_err(),
        complete(&nobody, &wrong, &id, &jpeg).await.unwrap_err(),
    ] {
        assert_eq!(reason(&refused), "QUERY_CODE_INVALID");
    }
    let early = complete(&nobody, &filed, &id, &jpeg).await.unwrap_err();
    assert_eq!(reason(&early), "ATTACHMENT_INCOMPLETE");
    let place = |id: &str, offset, data: &[u8]| pb::UploadEvidenceChunkRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        id: id.to_owned(),
        offset,
        data: data.to_vec(),
    };
    for (request, expected) in [
        (place(&id, 5, &jpeg), vec!["offset OUT_OF_RANGE"]),
        (place("x", -1, &[]), vec!["data REQUIRED", "id UNKNOWN_VALUE", "offset OUT_OF_RANGE"]),
        (place(&id, 0, &vec![0; 32_769]), vec!["data TOO_LONG"]),
    ] {
        let refused = nobody.call(request).await.unwrap_err();
        assert_eq!(fields(&refused), expected);
    }
    // Ten mebibytes a piece, ten pieces a report.
    let full = "update conduct.evidence set received_bytes = 10485760 where kept_bytes is null";
    app.sql(full).await;
    let more = nobody.call(place(&id, 10_485_760, &[1])).await;
    assert_eq!(fields(&more.unwrap_err()), ["offset OUT_OF_RANGE"]);
    for _ in 0..6 {
        create(&nobody, &filed, "image/jpeg").await.unwrap();
    }
    let full = create(&nobody, &filed, "image/jpeg").await.unwrap_err();
    assert_eq!(reason(&full), "EVIDENCE_FULL");
}

#[sqlx::test]
async fn what_was_never_closed_is_destroyed_within_a_day(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let nobody = app.anonymous();
    let id = create(&nobody, &filed, "image/jpeg").await.unwrap().id;
    upload(&nobody, &filed, &id, &telling(10)).await.unwrap();
    let kept = bring(&nobody, &filed, "image/jpeg", &telling(10)).await.unwrap();
    // Closed by a server that ended before it had taken away what came.
    app.sql("update conduct.evidence set received_bytes = 1 where kept_bytes is not null").await;
    app.run_workers().await;
    assert_eq!(read(&app, &filed).await.unwrap().evidence.len(), 2);
    app.advance(SignedDuration::from_hours(25));
    app.run_workers().await;
    assert_eq!(read(&app, &filed).await.unwrap().evidence, std::slice::from_ref(&kept));
    let left = files(app.folder());
    assert!(left.len() == 1 && left[0].0.contains(&kept.id), "{left:?}");
    // Once it has ended nothing is added.
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    conclude(&house.sleuth, &report).await.unwrap();
    let late = create(&nobody, &filed, "image/jpeg").await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
}
