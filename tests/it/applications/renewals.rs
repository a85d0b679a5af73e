//! What follows a pass: a second one for the same zone, a renewal, an amendment.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;

use super::{draft, submit};
use crate::harness::{App, fact, reason, request_id, to};

// PA-19, R16: a second long-term pass for the same vehicle and zone is refused.
#[sqlx::test]
async fn an_overlapping_pass_is_refused_with_the_offer_of_a_renewal(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    city.pass(&app).await;
    let second = draft(&app, &city).await;
    let refused = submit(&city, &second.name).await.unwrap_err();
    assert_eq!(reason(&refused), "DUPLICATE_ACTIVE_PASS");
    assert_eq!(fact(&refused, "policy_version"), "2022-06");
}

// PA-11: renewed from thirty days before the end, from that end, with its lineage.
#[sqlx::test]
async fn a_renewal_continues_the_pass_from_its_end(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let renew = |app: &App| pb::CreatePassApplicationRequest {
        previous_pass: pass.name.clone(),
        purpose: pb::pass_application::Purpose::Renewal.into(),
        ..city.create(app)
    };
    let early = city.handler.call(renew(&app)).await.unwrap();
    assert!(submit(&city, &early.name).await.is_err());
    app.advance(SignedDuration::from_hours(24 * 155));
    let renewed = city.pass_of(renew(&app)).await;
    assert_eq!(renewed.valid_from, pass.valid_until);
    assert_eq!((renewed.previous_pass, renewed.revision), (pass.name.clone(), 1));
    let get = pb::GetTruckPassRequest { name: pass.name };
    let old = city.handler.call(get).await.unwrap();
    assert_eq!(old.state(), pb::truck_pass::State::Active);
}

// PA-09: an amendment is a new revision; the old one is superseded in the same unit of work.
#[sqlx::test]
async fn an_amendment_is_a_new_revision_and_supersedes_the_old_one(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let mut request = pb::CreatePassApplicationRequest {
        previous_pass: pass.name.clone(),
        purpose: pb::pass_application::Purpose::Amendment.into(),
        ..city.create(&app)
    };
    request.pass_application.as_mut().unwrap().need.as_mut().unwrap().goods = "酒瓶".to_owned();
    let amended = city.pass_of(request).await;
    assert_eq!((amended.revision, amended.goods.as_str()), (2, "酒瓶"));
    let get = pb::GetTruckPassRequest { name: pass.name.clone() };
    let old = city.handler.call(get).await.unwrap();
    assert_eq!(old.state(), pb::truck_pass::State::Superseded);
    // PA-21: what was wrongly granted is annulled even then.
    let annul = pb::EndTruckPassRequest {
        name: pass.name,
        reason_code: "WRONGLY_GRANTED".to_owned(),
        note: "审核错误".to_owned(),
        etag: old.etag,
        request_id: request_id(),
    };
    let annulled = city.chief.call(to::AnnulTruckPass(annul)).await.unwrap();
    assert_eq!(annulled.state(), pb::truck_pass::State::Annulled);
}
