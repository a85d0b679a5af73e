//! The review of an application: corrections, refusals, two eyes and four, hand-overs, races.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, pass_application::State};
use sqlx::PgPool;
use tonic::Code;

use super::{approval, submit};
use crate::harness::{App, User, fact, fields, reason, request_id};

// PA-07, T18: everything to correct at once; the clock stands still; the place in the queue stays.
#[sqlx::test]
async fn a_correction_stops_the_clock_and_keeps_the_place_in_the_queue(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let due = application.due_time.unwrap().seconds;
    let submitted = application.submit_time;
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: application.name.clone(),
        items: vec![
            pb::CorrectionItem {
                field: "attachments".to_owned(), text: "行驶证不清晰".to_owned()
            },
            pb::CorrectionItem {
                field: "need.route".to_owned(), text: "请写明路线".to_owned()
            },
        ],
        etag: application.etag,
        request_id: request_id(),
    };
    let asked = city.first.call(correct).await.unwrap();
    assert_eq!((asked.state(), asked.corrections.len()), (State::NeedsCorrection, 2));
    // From Tuesday to Friday: three working days.
    app.advance(SignedDuration::from_hours(72));
    let mut edit = asked.clone();
    edit.need.as_mut().unwrap().route.push("酒都大道".to_owned());
    let edited =
        pb::UpdatePassApplicationRequest { pass_application: Some(edit), request_id: request_id() };
    city.handler.call(edited).await.unwrap();
    let again = submit(&city, &asked.name).await.unwrap();
    assert_eq!((again.state(), again.submit_time), (State::Submitted, submitted));
    // Friday + 3 working days: the end of Wednesday.
    assert_eq!(again.due_time.unwrap().seconds - due, 5 * 86_400);
    let mine = pb::ListReviewQueueRequest { mine_only: true, ..Default::default() };
    let queue = city.first.call(mine).await.unwrap();
    assert_eq!(queue.items[0].waiting_seconds, 72 * 3_600);
}

// PA-08: a refusal has coded reasons, and tells the rights of review.
#[sqlx::test]
async fn a_refusal_is_coded_and_tells_the_rights_of_review(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let reject = |reasons: &[&str], note: &str| pb::RejectPassApplicationRequest {
        name: application.name.clone(),
        reasons: reasons.iter().map(|&code| code.to_owned()).collect(),
        note: note.to_owned(),
        etag: application.etag.clone(),
        request_id: request_id(),
    };
    let refused = city.first.call(reject(&["BAD_LUCK"], "")).await.unwrap_err();
    assert_eq!(fields(&refused), ["note REQUIRED", "reasons[0] UNKNOWN_VALUE"]);
    let rejected = city.first.call(reject(&["NO_REAL_NEED"], "无需进入")).await;
    let decision = rejected.unwrap().decision.unwrap();
    assert_eq!((decision.approved, decision.source.as_str()), (false, "OFFICER"));
    assert_eq!(decision.reasons[0].code, "NO_REAL_NEED");
    assert!(decision.rights_of_review.contains("行政复议"), "{}", decision.rights_of_review);
    let again = city.first.call(reject(&["NO_REAL_NEED"], "无需进入")).await;
    assert_eq!(reason(&again.unwrap_err()), "ETAG_STALE");
    let withdraw =
        pb::WithdrawPassApplicationRequest { name: application.name, ..Default::default() };
    let late = city.handler.call(withdraw).await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
    assert_eq!(fact(&late, "state"), "REJECTED");
}

// SD-17: the etag of a decision, and T16: two officers at once.
#[sqlx::test]
async fn a_decision_on_an_older_version_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let mut approve = approval(&application);
    approve.etag = String::new();
    let refused = city.first.call(approve.clone()).await.unwrap_err();
    assert_eq!(fields(&refused), ["etag REQUIRED"]);
    approve.etag = "W/\"1\"".to_owned();
    let refused = city.first.call(approve).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "ETAG_STALE"));
    let (one, two) = (approval(&application), approval(&application));
    let (one, two) = tokio::join!(city.first.call(one), city.first.call(two));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(app.count("select count(*) from truck_pass").await, 1);
}

// SD-10, PA-06: four eyes; the first reviewer may not take the second step, nor a stranger.
#[sqlx::test]
async fn a_long_grant_needs_a_second_officer_of_the_upper_level(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.sql("update class_grant set class = 'KEY_ENTERPRISE'").await;
    let mut request = city.create(&app);
    request.pass_application.as_mut().unwrap().need.as_mut().unwrap().months = 12;
    let application = city.in_review_of(request).await;
    assert_eq!(application.evaluation.as_ref().unwrap().review_steps, 2);
    let unclaimed = city.second.call(approval(&application)).await;
    assert_eq!(reason(&unclaimed.unwrap_err()), "NOT_ASSIGNEE");
    let forwarded = city.first.call(approval(&application)).await.unwrap();
    assert_eq!((forwarded.state(), forwarded.assignee.as_str()), (State::FinalReview, ""));
    assert_eq!(app.count("select count(*) from truck_pass").await, 0);

    let claim =
        pb::ClaimPassApplicationRequest { name: forwarded.name.clone(), ..Default::default() };
    let own = city.first.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let lower = city.second.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&lower), "DENIED");
    let held = city.chief.call(claim).await.unwrap();
    let approved = city.chief.call(approval(&held)).await;
    assert_eq!(approved.unwrap().state(), State::Approved);
}

// PA-06: claim, hand over with a note, back to the queue.
#[sqlx::test]
async fn an_application_is_held_by_one_officer_and_can_be_handed_over(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let claim =
        pb::ClaimPassApplicationRequest { name: application.name.clone(), ..Default::default() };
    let taken = city.second.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&taken), "NOT_ASSIGNEE");
    let hand_over = |officer: &str, note: &str| pb::ReassignPassApplicationRequest {
        name: application.name.clone(),
        officer: officer.to_owned(),
        note: note.to_owned(),
        request_id: request_id(),
    };
    let silent = city.first.call(hand_over(&city.second.name, "")).await;
    assert_eq!(fields(&silent.unwrap_err()), ["note REQUIRED"]);
    for nobody in [&city.foreign_reviewer.name, &city.auxiliary.name] {
        let refused = city.first.call(hand_over(nobody, "休假")).await;
        assert_eq!(fields(&refused.unwrap_err()), ["officer UNKNOWN_VALUE"]);
    }
    city.first.call(hand_over(&city.second.name, "休假")).await.unwrap();
    let late = city.first.call(approval(&application)).await;
    assert_eq!(reason(&late.unwrap_err()), "ETAG_STALE");
    city.first.call(hand_over("", "退回")).await.unwrap();
    city.second.call(claim).await.unwrap();
    // That it changed hands is read by the police, and not by who asked for the pass.
    let handed_on = async |reader: &User| {
        let steps = pb::ListPassApplicationChangesRequest { name: application.name.clone() };
        let read = reader.call(steps).await.unwrap();
        read.changes.iter().filter(|step| step.action == "REASSIGN").count()
    };
    assert_eq!((handed_on(&city.first).await, handed_on(&city.handler).await), (2, 0));
}

// PA-17: the window files for the enterprise, and the clerk who filed takes no step of the review.
#[sqlx::test]
async fn a_clerk_files_on_behalf_and_does_not_review_the_own_case(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let filed = city.clerk.call(city.create(&app)).await.unwrap();
    assert!(filed.filed_on_behalf);
    assert_eq!(filed.source_channel(), pb::SourceChannel::Window);
    let submit =
        pb::SubmitPassApplicationRequest { name: filed.name.clone(), ..Default::default() };
    let submitted = city.clerk.call(submit).await.unwrap();
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: filed.name,
        items: vec![pb::CorrectionItem { field: String::new(), text: "补充".to_owned() }],
        etag: submitted.etag,
        request_id: request_id(),
    };
    let own = city.clerk.call(correct).await;
    assert_eq!(reason(&own.unwrap_err()), "SAME_PERSON");
}

// D1: a reviewer may grant less than asked, never more.
#[sqlx::test]
async fn a_reviewer_grants_less_but_never_more(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let more = pb::ApprovePassApplicationRequest { months: 7, ..approval(&application) };
    let refused = city.first.call(more).await.unwrap_err();
    assert_eq!(fields(&refused), ["months OUT_OF_RANGE"]);
    let less = pb::ApprovePassApplicationRequest { months: 2, ..approval(&application) };
    let approved = city.first.call(less).await.unwrap();
    let get = pb::GetTruckPassRequest { name: approved.truck_pass };
    let pass = city.handler.call(get).await.unwrap();
    assert_eq!(pass.last_valid_day, "2027-01-23");
}

// Unanswered corrections end by the clock.
#[sqlx::test]
async fn a_correction_without_an_answer_lapses(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: application.name.clone(),
        items: vec![pb::CorrectionItem { field: String::new(), text: "补充".to_owned() }],
        etag: application.etag,
        request_id: request_id(),
    };
    city.first.call(correct).await.unwrap();
    app.advance(SignedDuration::from_hours(24 * 29));
    app.run_workers().await;
    let get = pb::GetPassApplicationRequest { name: application.name };
    let waiting = city.handler.call(get.clone()).await.unwrap();
    assert_eq!(waiting.state(), State::NeedsCorrection);
    app.advance(SignedDuration::from_hours(48));
    app.run_workers().await;
    let lapsed = city.handler.call(get).await.unwrap();
    assert_eq!(lapsed.state(), State::Lapsed);
}
