//! Claims of enterprises: who is unproven takes nothing from who is real. Read the first test first. What
//! the desk does with a claim stands in `desk`, what a claim needs in `filing`.

mod desk;
mod filing;

use jingqi::surface::service::pb::{self, enterprise::State};
use sqlx::PgPool;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    harness::{App, User, reason, request_id},
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
