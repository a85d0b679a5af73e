//! The journey of a truck pass, as its people make it: read this first.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self,
    pass_application::State,
    pass_check::{Direction, Outcome, Verdict},
};
use sqlx::PgPool;

use crate::harness::{App, PLATE, request_id, to};

// PA-01, PA-06, QR-01, QR-13: the enterprise applies, the desk accepts, an officer approves, the
// driver shows the code, the checkpoint lets the truck pass; the pass is revoked, and the very next
// check turns it away.
// MS-06: measure 6 (车辆畅通) as an enterprise meets it: asked for, judged by its rules, issued, checked.
#[sqlx::test]
async fn a_truck_pass_from_application_to_checkpoint(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;

    let draft = city.handler.call(city.create(&app)).await.unwrap();
    assert_eq!(draft.state(), State::Draft);
    assert!(draft.number.starts_with("SQSQTX20261124"), "{}", draft.number);
    let evaluation = draft.evaluation.as_ref().unwrap();
    assert_eq!((evaluation.outcome.as_str(), evaluation.review_steps), ("GRANT", 1));
    assert_eq!(evaluation.last_valid_day, "2027-05-23");

    let name = draft.name;
    let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
    let submitted = city.handler.call(submit).await.unwrap();
    assert_eq!(submitted.state(), State::Submitted);

    let queue = city.first.call(pb::ListReviewQueueRequest::default()).await.unwrap();
    assert_eq!(queue.items[0].pass_application.as_ref().unwrap().name, name);

    let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
    let accepted = city.clerk.call(accept).await.unwrap();
    assert_eq!(accepted.state(), State::Accepted);
    // Three working days from Tuesday: the end of Friday.
    assert_eq!(accepted.due_time.unwrap().seconds, 1_795_795_200);

    let claim = pb::ClaimPassApplicationRequest { name: name.clone(), ..Default::default() };
    let claimed = city.first.call(claim).await.unwrap();
    let approve = pb::ApprovePassApplicationRequest {
        name: name.clone(),
        etag: claimed.etag,
        ..Default::default()
    };
    let approved = city.first.call(approve).await.unwrap();
    assert_eq!(approved.state(), State::Approved);

    let get = pb::GetTruckPassRequest { name: approved.truck_pass.clone() };
    let pass = city.driver.call(get).await.unwrap();
    assert_eq!((pass.plate_number.as_str(), pass.last_valid_day.as_str()), (PLATE, "2027-05-23"));
    assert!(pass.findings.iter().any(|finding| finding.rule == "R04"), "{:?}", pass.findings);

    let show = pb::IssuePassCodeRequest { name: pass.name.clone(), ..Default::default() };
    let code = city.driver.call(show.clone()).await.unwrap();
    assert!(code.text.starts_with("TP1:") && code.qr_version <= 9, "{}", code.qr_version);

    let check = pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::Code(code.text.clone())),
        direction: Direction::Inbound.into(),
        observed_plate_number: PLATE.to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let checked = city.device.call(check.clone()).await.unwrap();
    assert_eq!((checked.verdict(), checked.outcome()), (Verdict::Valid, Outcome::PassValid));
    let release = pb::RecordCheckActionRequest {
        name: checked.name,
        action: pb::pass_check::Action::Release.into(),
        ..Default::default()
    };
    city.device.call(release).await.unwrap();

    let annul = pb::EndTruckPassRequest {
        name: pass.name,
        reason_code: "FALSE_INFORMATION".to_owned(),
        note: "运输合同系伪造".to_owned(),
        etag: pass.etag,
        request_id: request_id(),
    };
    city.chief.call(to::AnnulTruckPass(annul)).await.unwrap();
    let again = pb::CheckPassRequest { request_id: request_id(), ..check };
    let turned = city.device.call(again.clone()).await.unwrap();
    assert_eq!((turned.verdict(), turned.outcome()), (Verdict::Invalid, Outcome::Revoked));

    // A screenshot of it is stale a while later.
    app.advance(SignedDuration::from_secs(91));
    let late = pb::CheckPassRequest { request_id: request_id(), ..again };
    let stale = city.device.call(late).await.unwrap();
    assert_eq!(stale.verdict(), Verdict::Invalid);

    let changes = pb::ListPassApplicationChangesRequest { name };
    let changes = city.handler.call(changes).await;
    let steps: Vec<_> = changes.unwrap().changes.into_iter().map(|c| c.action).collect();
    assert_eq!(steps, ["CREATE", "SUBMIT", "ACCEPT", "BEGIN_REVIEW", "APPROVE"]);
}
