//! What a claim needs, how long it stands, and what is edited.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, IdentityDocumentKind as Kind, enterprise::State};
use sqlx::PgPool;
use tonic::Status;

use super::{claim, code, get, prepare, prove, registration, told, verify, withdraw};
use crate::{
    attachments::{announce, announced, complete, read, upload},
    harness::{App, User, fields, reason, request_id},
};

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
