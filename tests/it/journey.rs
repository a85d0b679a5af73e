//! The journey of a truck pass, as its people make it: read this first.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self,
    pass_application::State,
    pass_check::{Direction, Outcome, Verdict},
};
use sqlx::PgPool;

use crate::harness::{App, PLATE, request_id};

// PA-01, PA-06, QR-01, QR-13: the enterprise applies, the desk accepts, an officer approves, the
// driver shows the code, the checkpoint lets the truck pass; the pass is revoked, and the very next
// check turns it away.
// MS-06: measure 6 (车辆畅通) as an enterprise meets it: asked for, judged by its rules, issued, checked.
#[sqlx::test]
async fn a_truck_pass_from_application_to_checkpoint(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;

    let draft = city.handler.applications().create_pass_application(city.create(&app)).await;
    let draft = draft.unwrap().into_inner();
    assert_eq!(draft.state(), State::Draft);
    assert!(draft.number.starts_with("SQSQTX20261124"), "{}", draft.number);
    let evaluation = draft.evaluation.as_ref().unwrap();
    assert_eq!((evaluation.outcome.as_str(), evaluation.review_steps), ("GRANT", 1));
    assert_eq!(evaluation.last_valid_day, "2027-05-23");

    let name = draft.name;
    let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
    let submitted = city.handler.applications().submit_pass_application(submit).await.unwrap();
    assert_eq!(submitted.into_inner().state(), State::Submitted);

    let queue = city
        .first
        .applications()
        .list_review_queue(pb::ListReviewQueueRequest::default())
        .await
        .unwrap();
    assert_eq!(queue.into_inner().items[0].pass_application.as_ref().unwrap().name, name);

    let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
    let accepted = city.clerk.applications().accept_pass_application(accept).await.unwrap();
    let accepted = accepted.into_inner();
    assert_eq!(accepted.state(), State::Accepted);
    // Three working days from Tuesday: the end of Friday.
    assert_eq!(accepted.due_time.unwrap().seconds, 1_795_795_200);

    let claim = pb::ClaimPassApplicationRequest { name: name.clone(), ..Default::default() };
    let claimed = city.first.applications().claim_pass_application(claim).await.unwrap();
    let approve = pb::ApprovePassApplicationRequest {
        name: name.clone(),
        etag: claimed.into_inner().etag,
        ..Default::default()
    };
    let approved = city.first.applications().approve_pass_application(approve).await.unwrap();
    let approved = approved.into_inner();
    assert_eq!(approved.state(), State::Approved);

    let get = pb::GetTruckPassRequest { name: approved.truck_pass.clone() };
    let pass = city.driver.passes().get_truck_pass(get).await.unwrap().into_inner();
    assert_eq!((pass.plate_number.as_str(), pass.last_valid_day.as_str()), (PLATE, "2027-05-23"));
    assert!(pass.findings.iter().any(|finding| finding.rule == "R04"), "{:?}", pass.findings);

    let show = pb::IssuePassCodeRequest { name: pass.name.clone(), ..Default::default() };
    let code = city.driver.passes().issue_pass_code(show.clone()).await.unwrap().into_inner();
    assert!(code.text.starts_with("TP1:") && code.qr_version <= 9, "{}", code.qr_version);

    let check = pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::Code(code.text.clone())),
        direction: Direction::Inbound.into(),
        observed_plate_number: PLATE.to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    let checked = city.device.checks().check_pass(check.clone()).await.unwrap().into_inner();
    assert_eq!((checked.verdict(), checked.outcome()), (Verdict::Valid, Outcome::PassValid));
    let release = pb::RecordCheckActionRequest {
        name: checked.name,
        action: pb::pass_check::Action::Release.into(),
        ..Default::default()
    };
    city.device.checks().record_check_action(release).await.unwrap();

    let annul = pb::EndTruckPassRequest {
        name: pass.name,
        reason_code: "FALSE_INFORMATION".to_owned(),
        note: "运输合同系伪造".to_owned(),
        etag: pass.etag,
        request_id: request_id(),
    };
    city.chief.passes().annul_truck_pass(annul).await.unwrap();
    let again = pb::CheckPassRequest { request_id: request_id(), ..check };
    let turned = city.device.checks().check_pass(again.clone()).await.unwrap().into_inner();
    assert_eq!((turned.verdict(), turned.outcome()), (Verdict::Invalid, Outcome::Revoked));

    // A screenshot of it is stale a while later.
    app.advance(SignedDuration::from_secs(91));
    let late = pb::CheckPassRequest { request_id: request_id(), ..again };
    let stale = city.device.checks().check_pass(late).await.unwrap().into_inner();
    assert_eq!(stale.verdict(), Verdict::Invalid);

    let changes = pb::ListPassApplicationChangesRequest { name };
    let changes = city.handler.applications().list_pass_application_changes(changes).await;
    let steps: Vec<_> =
        changes.unwrap().into_inner().changes.into_iter().map(|c| c.action).collect();
    assert_eq!(steps, ["CREATE", "SUBMIT", "ACCEPT", "BEGIN_REVIEW", "APPROVE"]);
}
