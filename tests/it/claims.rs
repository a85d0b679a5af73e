//! Claims of enterprises: who is unproven takes nothing from who is real. Read the first test first.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, IdentityDocumentKind as Kind, enterprise::State};
use sqlx::PgPool;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    attachments::{announce, announced, complete, read, upload},
    harness::{App, User, fields, reason, request_id},
    notices::inbox,
};

const CODE: &str = "91321302MA1XQ0000N";

/// The bare id of a name.
pub fn uuid(name: &str) -> Uuid {
    Uuid::parse_str(name.split_once('/').unwrap().1).unwrap()
}

/// Proves a phone for a person, as the identity service would.
pub async fn prove(app: &App, user: &User, phone: &str) {
    let index = app.parts.store.vault().index("phone", phone);
    let sealed = app.parts.store.vault().seal("phone", phone.as_bytes(), [9; 12]).unwrap();
    sqlx::query("update person set phone_index = $2, phone_sealed = $3 where id = $1")
        .bind(uuid(&user.name))
        .bind(index)
        .bind(sealed)
        .execute(app.parts.store.pool())
        .await
        .unwrap();
}

/// A business licence that the person brought, put into the database.
pub async fn licence(app: &App, user: &User) -> String {
    let id = app.parts.ids.random();
    sqlx::query(
        "insert into attachment (id, person_id, kind, content_type, file_name, size_bytes, sha256,
            received_bytes, complete_time, create_time)
         values ($1, $2, 'BUSINESS_LICENCE', 'image/png', '营业执照.png', 8, '', 8, now(), now())",
    )
    .bind(id)
    .bind(uuid(&user.name))
    .execute(app.parts.store.pool())
    .await
    .unwrap();
    format!("attachments/{id}")
}

/// What a person claims.
pub async fn registration(app: &App, user: &User) -> pb::CreateEnterpriseRequest {
    pb::CreateEnterpriseRequest {
        enterprise: Some(pb::Enterprise {
            uscc: CODE.to_owned(),
            display_name: "宿迁市新开物流有限公司".to_owned(),
            division_code: "321302".to_owned(),
            ..Default::default()
        }),
        legal_representative_name: "王大勇".to_owned(),
        legal_representative_id: "321302199202290014".to_owned(),
        licence: licence(app, user).await,
        request_id: request_id(),
        ..Default::default()
    }
}

/// A claim of a person with a proven phone.
pub async fn claim(app: &App, user: &User, phone: &str) -> pb::Enterprise {
    prove(app, user, phone).await;
    let asked = registration(app, user).await;
    user.call(asked).await.unwrap()
}

/// Compares a claim with its licence.
pub async fn prepare(by: &User, claim: &pb::Enterprise) -> Result<pb::Enterprise, Status> {
    let request = pb::PrepareEnterpriseRequest {
        name: claim.name.clone(),
        note: "执照与填报一致".to_owned(),
        etag: claim.etag.clone(),
        request_id: request_id(),
    };
    by.call(request).await
}

/// Takes a claim for true.
pub async fn verify(by: &User, claim: &pb::Enterprise) -> Result<pb::Enterprise, Status> {
    let request = pb::VerifyEnterpriseRequest {
        name: claim.name.clone(),
        note: "已核对".to_owned(),
        etag: claim.etag.clone(),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn reject(by: &User, claim: &pb::Enterprise, code: &str) -> Result<pb::Enterprise, Status> {
    let request = pb::RejectEnterpriseRequest {
        name: claim.name.clone(),
        reason_code: code.to_owned(),
        note: "请上传清晰的营业执照".to_owned(),
        etag: claim.etag.clone(),
        request_id: request_id(),
    };
    by.call(request).await
}

pub async fn annul(by: &User, enterprise: &str, etag: &str) -> Result<pb::Enterprise, Status> {
    let request = pb::AnnulEnterpriseRequest {
        name: enterprise.to_owned(),
        reason_code: "FALSE_INFORMATION".to_owned(),
        note: "冒用他人营业执照".to_owned(),
        etag: etag.to_owned(),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn withdraw(by: &User, name: &str) -> Result<pb::Enterprise, Status> {
    let request = pb::WithdrawEnterpriseRequest { name: name.to_owned(), request_id: request_id() };
    by.call(request).await
}

pub async fn get(user: &User, name: &str) -> Result<pb::Enterprise, Status> {
    let request = pb::GetEnterpriseRequest { name: name.to_owned() };
    user.call(request).await
}

/// The events that a person was told of a subject.
pub async fn told(user: &User, subject: &str) -> Vec<String> {
    let notices = inbox(user).await.into_iter().filter(|notice| notice.subject == subject);
    notices.map(|notice| notice.event).collect()
}

/// The seen case: somebody claims the code of a company before its owner does. Both claims stand side
/// by side; the clerk prepares the owner's, a reviewer verifies it, and the other one ends.
#[sqlx::test]
async fn two_claims_stand_side_by_side_until_the_right_one_is_verified(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let (squatter, owner) = (&city.stranger, &city.driver);
    let first = claim(&app, squatter, "13905240010").await;
    let second = claim(&app, owner, "13905240011").await;
    assert_eq!((first.state(), second.state()), (State::Pending, State::Pending));
    assert_eq!(second.warnings, [], "other claims are not told of");
    let absent = format!("enterprises/{}", Uuid::from_u128(7 << 76 | 2 << 62));
    for name in [&first.name, &absent] {
        let foreign = get(owner, name).await.unwrap_err();
        assert_eq!((foreign.code(), reason(&foreign).as_str()), (Code::PermissionDenied, "DENIED"));
    }

    // The desk sees what was typed, masked, with the licence and who else claims the code.
    let seen = get(&city.clerk, &second.name).await.unwrap().claim.unwrap();
    assert_eq!(
        (seen.legal_representative_name.as_str(), seen.legal_representative_id.as_str()),
        ("王**", "321***********0014")
    );
    assert_eq!((seen.phone.as_str(), seen.uscc.as_str()), ("139****0011", CODE));
    assert_eq!((&seen.rivals, seen.holder.as_str()), (&vec![first.name.clone()], ""));
    assert!(seen.licence.starts_with("attachments/") && seen.expire_time.is_some());

    let prepared = prepare(&city.clerk, &second).await.unwrap();
    let clerk = verify(&city.clerk, &prepared).await.unwrap_err();
    assert_eq!(reason(&clerk), "DENIED");
    let verified = verify(&city.first, &prepared).await.unwrap();
    assert_eq!(verified.state(), State::Verified);
    assert_eq!(told(owner, &second.name).await, ["ENTERPRISE_VERIFIED"]);

    let ended = get(squatter, &first.name).await.unwrap();
    assert_eq!(
        (ended.state(), ended.reason.unwrap().code.as_str()),
        (State::Rejected, "RIVAL_VERIFIED")
    );
    assert_eq!(told(squatter, &first.name).await, ["ENTERPRISE_OUTDONE"]);
    // What is over is over, and the owner is never in its way.
    for refused in [
        prepare(&city.clerk, &get(squatter, &first.name).await.unwrap()).await.unwrap_err(),
        withdraw(squatter, &first.name).await.unwrap_err(),
    ] {
        assert_eq!(reason(&refused), "TRANSITION_ILLEGAL");
    }
    let owners = told(owner, &first.name).await;
    assert_eq!(owners, Vec::<String>::new());
}

/// A code with a right check character.
fn code(nth: usize) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("91321302MA1Y{nth:05}");
    let value = |c: char| ALPHABET.find(c).unwrap();
    let (sum, _) =
        body.chars().fold((0, 1), |(sum, weight), c| (sum + value(c) * weight, weight * 3 % 31));
    let check = ALPHABET.chars().nth((31 - sum % 31) % 31).unwrap();
    format!("{body}{check}")
}

/// The seen case: 120 codes in a second, by one account.
#[sqlx::test]
async fn one_account_cannot_take_the_codes_of_a_city(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    prove(&app, &city.stranger, "13905240010").await;
    let mut answers = std::collections::BTreeMap::<String, usize>::new();
    for nth in 0..120 {
        let mut asked = registration(&app, &city.stranger).await;
        asked.enterprise.as_mut().unwrap().uscc = code(nth);
        let answer = city.stranger.call(asked).await;
        *answers.entry(answer.err().map(|it| reason(&it)).unwrap_or_default()).or_default() += 1;
    }
    let expected = [("", 3), ("CLAIMS_SPENT", 7), ("RATE_LIMITED", 110)];
    assert_eq!(answers, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    // The owner of the first one comes a week before it lapses, and is verified.
    prove(&app, &city.driver, "13905240011").await;
    let mut asked = registration(&app, &city.driver).await;
    asked.enterprise.as_mut().unwrap().uscc = code(0);
    let owners = city.driver.call(asked).await.unwrap();
    let prepared = prepare(&city.clerk, &owners).await.unwrap();
    assert_eq!(verify(&city.first, &prepared).await.unwrap().state(), State::Verified);
    assert_eq!(app.count("select count(*) from enterprise where state = 'PENDING'").await, 2);
}

#[sqlx::test]
async fn three_claims_at_once_are_three_also_when_five_are_sent_together(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    prove(&app, &city.stranger, "13905240010").await;
    let mut sent = Vec::new();
    for nth in 0..5 {
        let mut asked = registration(&app, &city.stranger).await;
        asked.enterprise.as_mut().unwrap().uscc = code(nth);
        let client = city.stranger.clone();
        sent.push(tokio::spawn(async move { client.call(asked).await }));
    }
    let mut taken = Vec::new();
    for call in sent {
        match call.await.unwrap() {
            Ok(claim) => taken.push(claim),
            Err(refused) => assert_eq!(reason(&refused), "CLAIMS_SPENT"),
        }
    }
    assert_eq!(taken.len(), 3);
    // Who takes one back may claim another.
    let withdrawn = withdraw(&city.stranger, &taken[0].name).await.unwrap();
    assert_eq!(withdrawn.state(), State::Withdrawn);
    let mut asked = registration(&app, &city.stranger).await;
    asked.enterprise.as_mut().unwrap().uscc = code(9);
    city.stranger.call(asked).await.unwrap();
}

// Two reviewers verify two claims of one code at the same time: one of them does.
#[sqlx::test]
async fn of_two_claims_that_are_verified_at_once_one_is(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claims = [
        claim(&app, &city.stranger, "13905240010").await,
        claim(&app, &city.driver, "13905240011").await,
    ];
    // Both are prepared before either is verified: that ends the other.
    let mut prepared = Vec::new();
    for claim in &claims {
        prepared.push(prepare(&city.clerk, claim).await.unwrap());
    }
    let mut calls = Vec::new();
    for (prepared, reviewer) in prepared.into_iter().zip([&city.first, &city.second]) {
        let reviewer = reviewer.clone();
        calls.push(tokio::spawn(async move { verify(&reviewer, &prepared).await }));
    }
    let mut verified = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => verified += 1,
            Err(late) => assert_eq!(reason(&late), "ETAG_STALE"),
        }
    }
    assert_eq!(verified, 1);
    assert_eq!(app.count("select count(*) from enterprise where state = 'REJECTED'").await, 1);
}

#[sqlx::test]
async fn a_claim_needs_a_proven_phone_and_an_own_licence_that_came_whole(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let user = &city.stranger;
    let content = b"%PDF-1.7\n% licence".to_vec();
    let paper = |content: &[u8]| pb::Attachment {
        conversation: String::new(),
        kind: "BUSINESS_LICENCE".to_owned(),
        file_name: "营业执照.pdf".to_owned(),
        ..announced("", "application/pdf", content)
    };
    let unproved = announce(user, paper(&content)).await.unwrap_err();
    assert_eq!(reason(&unproved), "PHONE_UNPROVEN");
    let mut asked = registration(&app, user).await;
    let refused = user.call(asked.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "PHONE_UNPROVEN");

    prove(&app, user, "13905240010").await;
    let brought = announce(user, paper(&content)).await.unwrap();
    assert_eq!(brought.enterprise, "");
    // Nobody else may fill, close or read it, nor claim with it.
    for stranger in [&city.driver, &city.boss, &city.clerk] {
        let refused = upload(stranger, &brought.name, &content).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED", "{}", stranger.name);
        let refused = complete(stranger, &brought.name).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
        assert_eq!(reason(&read(stranger, &brought.name).await.unwrap_err()), "DENIED");
    }
    upload(user, &brought.name, &content).await.unwrap();
    asked.licence.clone_from(&brought.name);
    asked.request_id = request_id();
    let early = user.call(asked.clone()).await.unwrap_err();
    assert_eq!(reason(&early), "ATTACHMENT_INCOMPLETE");
    complete(user, &brought.name).await.unwrap();

    prove(&app, &city.driver, "13905240011").await;
    let mut foreign = registration(&app, &city.driver).await;
    let absent = format!("attachments/{}", app.parts.ids.random());
    for licence in [&brought.name, &absent, &city.attachment_names[0]] {
        foreign.licence.clone_from(licence);
        foreign.request_id = request_id();
        let refused = city.driver.call(foreign.clone()).await;
        assert_eq!(fields(&refused.unwrap_err()), ["licence UNKNOWN_VALUE"], "{licence}");
    }
    asked.request_id = request_id();
    let claim = user.call(asked.clone()).await.unwrap();
    // Now the desk reads the licence, and so does still who brought it.
    assert_eq!(claim.claim.unwrap().licence, brought.name);
    assert_eq!(read(&city.clerk, &brought.name).await.unwrap(), content);
    assert_eq!(read(user, &brought.name).await.unwrap(), content);
    assert_eq!(reason(&read(&city.foreign_reviewer, &brought.name).await.unwrap_err()), "DENIED");
    // One licence proves one claim.
    asked.enterprise.as_mut().unwrap().uscc = code(1);
    asked.request_id = request_id();
    let twice = user.call(asked).await.unwrap_err();
    assert_eq!(fields(&twice), ["licence UNKNOWN_VALUE"]);
}

#[sqlx::test]
async fn a_claim_lapses_after_seven_days_and_is_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    let edited = claim(&app, &city.driver, "13905240011").await;
    app.advance(SignedDuration::from_hours(24 * 6));
    app.run_workers().await;
    let again = edit(&app, &city.driver, &edited).await.unwrap();
    app.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    app.run_workers().await;
    assert_eq!(get(&city.stranger, &claimed.name).await.unwrap().state(), State::Pending);
    app.advance(SignedDuration::from_secs(1));
    app.run_workers().await;
    let lapsed = get(&city.stranger, &claimed.name).await.unwrap();
    assert_eq!(lapsed.state(), State::Lapsed);
    assert_eq!(told(&city.stranger, &claimed.name).await, ["ENTERPRISE_LAPSED"]);
    // What was handed in again waits seven days more.
    assert_eq!(get(&city.driver, &again.name).await.unwrap().state(), State::Pending);
    assert_eq!(
        reason(&edit(&app, &city.stranger, &lapsed).await.unwrap_err()),
        "TRANSITION_ILLEGAL"
    );
    // Who lapsed may claim it again.
    let asked = registration(&app, &city.stranger).await;
    city.stranger.call(asked).await.unwrap();
}

async fn edit(app: &App, user: &User, claim: &pb::Enterprise) -> Result<pb::Enterprise, Status> {
    let asked = registration(app, user).await;
    let enterprise = pb::Enterprise {
        name: claim.name.clone(),
        etag: claim.etag.clone(),
        display_name: "宿迁市新开物流(集团)有限公司".to_owned(),
        ..asked.enterprise.unwrap()
    };
    let request = pb::UpdateEnterpriseRequest {
        enterprise: Some(enterprise),
        legal_representative_name: asked.legal_representative_name,
        legal_representative_id: asked.legal_representative_id,
        licence: asked.licence,
        request_id: request_id(),
        ..Default::default()
    };
    user.call(request).await
}

#[sqlx::test]
async fn what_is_edited_is_prepared_anew_and_by_its_claimer_alone(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    let prepared = prepare(&city.clerk, &claimed).await.unwrap();
    assert_eq!(prepared.claim.as_ref().unwrap().prepared_by, city.clerk.name);
    prove(&app, &city.driver, "13905240011").await;
    let foreign = edit(&app, &city.driver, &prepared).await.unwrap_err();
    assert_eq!(reason(&foreign), "DENIED");
    assert_eq!(reason(&withdraw(&city.driver, &claimed.name).await.unwrap_err()), "DENIED");
    assert_eq!(reason(&edit(&app, &city.stranger, &claimed).await.unwrap_err()), "ETAG_STALE");
    let edited = edit(&app, &city.stranger, &prepared).await.unwrap();
    assert_eq!(edited.display_name, "宿迁市新开物流(集团)有限公司");
    // Who claims does not see who prepares.
    assert_eq!(edited.claim.unwrap().prepared_by, "");
    let seen = get(&city.first, &claimed.name).await.unwrap();
    assert_eq!(seen.claim.as_ref().unwrap().prepared_by, "");
    // What the reviewer saw before is not what would be verified now.
    assert_eq!(reason(&verify(&city.first, &prepared).await.unwrap_err()), "ETAG_STALE");
    assert_eq!(reason(&verify(&city.first, &seen).await.unwrap_err()), "NOT_PREPARED");
}

#[sqlx::test]
async fn who_prepares_or_is_called_like_the_representative_does_not_verify(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    let prepared = prepare(&city.first, &claimed).await.unwrap();
    assert_eq!(reason(&verify(&city.first, &prepared).await.unwrap_err()), "SAME_PERSON");
    // The officers of the harness are called 张建国.
    prove(&app, &city.driver, "13905240011").await;
    let mut asked = registration(&app, &city.driver).await;
    asked.enterprise.as_mut().unwrap().uscc = code(1);
    asked.legal_representative_name = "张建国".to_owned();
    let namesake = city.driver.call(asked).await.unwrap();
    let tied = prepare(&city.clerk, &namesake).await.unwrap();
    assert_eq!(reason(&verify(&city.second, &tied).await.unwrap_err()), "CONFLICT_OF_INTEREST");
    assert_eq!(verify(&city.second, &prepared).await.unwrap().state(), State::Verified);
}

#[sqlx::test]
async fn a_claim_is_refused_with_a_coded_reason_that_is_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    for code in ["", "RIVAL_VERIFIED", "WRONGLY_VERIFIED", "NONSENSE"] {
        let refused = reject(&city.first, &claimed, code).await.unwrap_err();
        let flaw = if code.is_empty() { "REQUIRED" } else { "UNKNOWN_VALUE" };
        assert_eq!(fields(&refused), [format!("reason_code {flaw}")]);
    }
    for foreign in [&city.clerk, &city.foreign_reviewer, &city.stranger] {
        let refused = reject(foreign, &claimed, "LICENCE_UNREADABLE").await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
    }
    let rejected = reject(&city.first, &claimed, "LICENCE_UNREADABLE").await.unwrap();
    assert_eq!(rejected.state(), State::Rejected);
    assert_eq!(told(&city.stranger, &claimed.name).await, ["ENTERPRISE_REJECTED"]);
    let seen = get(&city.stranger, &claimed.name).await.unwrap().reason.unwrap();
    assert_eq!(seen.text, "营业执照不清晰或不完整:请上传清晰的营业执照");
    // Nothing is lost: with a better licence the same person claims it again.
    let asked = registration(&app, &city.stranger).await;
    city.stranger.call(asked).await.unwrap();
}

#[sqlx::test]
async fn a_claim_is_read_whole_by_the_desk_alone_and_the_reading_is_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    let ask = |reason: &str| pb::ReadEnterpriseClaimRequest {
        name: claimed.name.clone(),
        reason: reason.to_owned(),
    };
    let silent = city.first.call(ask("")).await.unwrap_err();
    assert_eq!(fields(&silent), ["reason REQUIRED"]);
    for other in [&city.stranger, &city.patrol, &city.foreign_reviewer] {
        let refused = other.call(ask("核对")).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
    }
    let whole = city.first.call(ask("与执照核对")).await.unwrap();
    assert_eq!(
        (whole.legal_representative_name.as_str(), whole.legal_representative_id.as_str()),
        ("王大勇", "321302199202290014")
    );
    assert_eq!(
        (whole.phone.as_str(), whole.claimer.as_str()),
        ("13905240010", city.stranger.name.as_str())
    );
    let kept = app
        .count("select count(*) from change where action = 'READ_CLAIM' and internal_note = '与执照核对'")
        .await;
    assert_eq!(kept, 1);
    // Nobody else of the unit sees what was claimed.
    assert_eq!(reason(&get(&city.patrol, &claimed.name).await.unwrap_err()), "DENIED");
}

/// No dead end: where somebody was verified wrongly, the owner's claim is taken, the reviewer sees the
/// conflict, and a final reviewer ends what was wrong with all that it holds.
#[sqlx::test]
async fn the_owner_of_a_code_that_was_verified_for_another_is_heard(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let draft = city.handler.call(city.create(&app)).await.unwrap();
    let held = city.enterprise.to_string();
    prove(&app, &city.stranger, "13905240010").await;
    let mut asked = registration(&app, &city.stranger).await;
    asked.enterprise.as_mut().unwrap().uscc = "91321300MA1ABCDE8U".to_owned();
    let claimed = city.stranger.call(asked).await.unwrap();
    let warned: Vec<_> = claimed.warnings.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(warned, ["ENTERPRISE_EXISTS"]);
    let prepared = prepare(&city.clerk, &claimed).await.unwrap();
    assert_eq!(prepared.claim.as_ref().unwrap().holder, held);
    let conflict = verify(&city.first, &prepared).await.unwrap_err();
    assert_eq!(reason(&conflict), "ENTERPRISE_EXISTS");

    let etag = get(&city.chief, &held).await.unwrap().etag;
    assert_eq!(reason(&annul(&city.first, &held, &etag).await.unwrap_err()), "DENIED");
    let annulled = annul(&city.chief, &held, &etag).await.unwrap();
    assert_eq!(annulled.state(), State::Annulled);
    assert_eq!(told(&city.boss, &held).await, ["ENTERPRISE_ANNULLED"]);
    assert_eq!(told(&city.handler, &held).await, ["ENTERPRISE_ANNULLED"]);
    // Members, garage, drafts and passes are gone with it, on the next call.
    let late = city.handler.call(city.create(&app)).await;
    assert_eq!(reason(&late.unwrap_err()), "DENIED");
    assert_eq!(app.count("select count(*) from member where end_time is null").await, 0);
    assert_eq!(app.count("select count(*) from vehicle where retire_time is null").await, 0);
    assert_eq!(app.count("select count(*) from driver where end_time is null").await, 0);
    let get_pass = pb::GetTruckPassRequest { name: pass.name };
    let ended = city.first.call(get_pass).await.unwrap();
    assert_eq!(ended.state(), pb::truck_pass::State::Cancelled);
    let withdrawn = format!(
        "select count(*) from pass_application where state = 'WITHDRAWN' and id = '{}'",
        uuid(&draft.name)
    );
    assert_eq!(app.count(&withdrawn).await, 1);
    // And the owner is verified.
    let verified = verify(&city.first, &prepared).await.unwrap();
    assert_eq!(verified.state(), State::Verified);
}

// A claim that waits has nothing of an enterprise: no member, garage, class, appointment or complaint.
#[sqlx::test]
async fn a_claim_has_no_business(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let claimed = claim(&app, &city.stranger, "13905240010").await;
    let grant = pb::GrantEnterpriseClassRequest {
        enterprise: claimed.name.clone(),
        class_grant: Some(pb::EnterpriseClassGrant {
            class: pb::EnterpriseClass::KeyEnterprise.into(),
            source_document: "名录".to_owned(),
            valid_from: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }),
            valid_until: Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 }),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let refused = city.first.call(grant).await.unwrap_err();
    assert_eq!(reason(&refused), "ENTERPRISE_NOT_VERIFIED");
    let truck = pb::CreateVehicleRequest {
        vehicle: Some(crate::enterprises::truck(&claimed.name)),
        request_id: request_id(),
    };
    let refused = city.clerk.call(truck).await.unwrap_err();
    assert_eq!(reason(&refused), "ENTERPRISE_NOT_VERIFIED");
    let invite = pb::InviteMemberRequest {
        enterprise: claimed.name.clone(),
        phone: "13905240002".to_owned(),
        full_name: "李小明".to_owned(),
        scope: vec!["PASS".to_owned()],
        valid_until: Some(prost_types::Timestamp {
            seconds: app.now().as_second() + 86_400,
            nanos: 0,
        }),
        request_id: request_id(),
    };
    let refused = city.stranger.call(invite).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
}

#[sqlx::test]
async fn a_legal_representative_has_one_of_five_documents_and_is_of_full_age(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    prove(&app, &city.stranger, "13905240010").await;
    // The harness begins on 24 November 2026.
    let ask = async |kind: Kind, number: &str| {
        let mut asked = registration(&app, &city.stranger).await;
        asked.set_legal_representative_document(kind);
        asked.legal_representative_id = number.to_owned();
        city.stranger.call(asked).await
    };
    for (kind, number, flaw) in [
        (Kind::Passport, "E123", "PASSPORT_MALFORMED"),
        (Kind::HomeReturnPermit, "X12345678", "HOME_RETURN_PERMIT_MALFORMED"),
        (Kind::TaiwanPermit, "1234567", "TAIWAN_PERMIT_MALFORMED"),
        (Kind::PermanentResidence, "321302199202290014", "PERMANENT_RESIDENCE_MALFORMED"),
        (Kind::ResidentId, "E12345678", "RESIDENT_ID_MALFORMED"),
        (Kind::Unspecified, "E12345678", "RESIDENT_ID_MALFORMED"),
        (Kind::Unspecified, "321302200811250013", "UNDERAGE"),
    ] {
        let refused = ask(kind, number).await.unwrap_err();
        assert_eq!(fields(&refused), [format!("legal_representative_id {flaw}")], "{number}");
    }
    for (kind, number, shown) in [
        (Kind::Passport, "e12345678", "E1*****78"),
        (Kind::HomeReturnPermit, "H12345678", "H1*****78"),
        (Kind::TaiwanPermit, "12345678", "12****78"),
        (Kind::PermanentResidence, "911156199001010010", "911***********0010"),
    ] {
        let claimed = ask(kind, number).await.unwrap();
        let claim = claimed.claim.unwrap();
        assert_eq!(
            (claim.legal_representative_document(), claim.legal_representative_id.as_str()),
            (kind, shown)
        );
        withdraw(&city.stranger, &claimed.name).await.unwrap();
    }
    let empty = ask(Kind::Passport, "").await.unwrap_err();
    assert_eq!(fields(&empty), ["legal_representative_id REQUIRED"]);
}
