//! The desk of claims: prepared and verified by two, refused with a reason, read with a record, heard again.

use jingqi::surface::service::pb::{self, enterprise::State};
use sqlx::PgPool;
use tonic::Status;

use super::{claim, code, get, prepare, prove, registration, told, uuid, verify};
use crate::harness::{App, User, fields, reason, request_id};

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
    asked.legal_representative_name = "张 建国".to_owned();
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
