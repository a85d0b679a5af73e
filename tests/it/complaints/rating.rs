//! Rating: what the enterprise says of an answer or a decision, and what follows from it or from silence.

use jiff::SignedDuration;
use jingqi::surface::{
    id::{Id, kind},
    service::pb::{
        self, SatisfactionLevel as Level,
        complaint::{Channel, State},
    },
};
use sqlx::PgPool;
use tonic::Code;

use super::{changes, listed, owed, step, time};
use crate::harness::{App, fields, reason, to};

// CO-11, CO-13: whoever is not satisfied is handled again by somebody else, twice; then a leader
// explains in writing.
#[sqlx::test]
async fn who_is_not_satisfied_is_handled_again_by_another_officer_and_then_escalated(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    // A bad level needs its reason.
    let mute = desk.rate(&desk.boss, &asked.name, Level::Dissatisfied, "").await.unwrap_err();
    assert_eq!(fields(&mute), ["comment REQUIRED"]);
    app.advance(SignedDuration::from_hours(24));
    desk.rate_last(Level::Dissatisfied, "时段仍然不够").await;
    let again = desk.get(&desk.assigner, &name).await.unwrap();
    assert_eq!((again.state(), again.round, again.handler.as_str()), (State::Reopened, 1, ""));
    // Five working days anew, Wednesday to Wednesday.
    assert_eq!(again.handle_due_time, time("2026-12-03T00:00:00+08:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    let same = desk.sign(&desk.one, &name).await.unwrap_err();
    assert_eq!(reason(&same), "SAME_PERSON");
    desk.sign(&desk.two, &name).await.unwrap();
    desk.answer(&desk.two, &name).await.unwrap();
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::VeryDissatisfied, "答非所问").await;
    desk.again(&desk.three, &name).await;
    // The third time it is not handled again.
    desk.rate_last(Level::Dissatisfied, "仍未解决").await;
    let escalated = desk.get(&desk.leader, &name).await.unwrap();
    assert_eq!((escalated.state(), escalated.round), (State::Escalated, 2));
    assert_eq!(escalated.supervision_level, "JOINT_MEETING");
    let refused = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap_err();
    assert_eq!(reason(&refused), "TRANSITION_ILLEGAL");
    let bare = desk.leader.call(to::ConcludeComplaint(step(&name, ""))).await.unwrap_err();
    assert_eq!(fields(&bare), ["etag REQUIRED", "note REQUIRED"]);
    let end = "联席会议决定:增设卸货专用时段,已书面答复企业。";
    desk.conclude(&desk.leader, &name, end).await.unwrap();
    let closed = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert!(closed.conclusion.starts_with("联席会议决定"));
    assert_eq!(owed(&app).await, []);
}

// CO-12: silence ends as UNRATED, and is no satisfaction in the figures.
#[sqlx::test]
async fn silence_closes_as_unrated_and_never_counts_as_satisfied(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    app.advance(SignedDuration::from_hours(24 * 7 - 1));
    app.run_workers().await;
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::CallBack);
    app.advance(SignedDuration::from_hours(1));
    app.run_workers().await;
    app.run_workers().await;
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::Closed);
    assert_eq!(changes(&desk.boss, &name).await.last().unwrap().reason, "UNRATED");
    let unrated = "select count(*) from evaluation where state = 'UNRATED' and level is null";
    assert_eq!(app.count(unrated).await, 1);
    // Too late.
    let mut all = desk.boss.call(pb::ListEvaluationsRequest::default()).await.unwrap();
    let asked = all.evaluations.remove(0);
    let late = desk.rate(&desk.boss, &asked.name, Level::Satisfied, "").await.unwrap_err();
    assert_eq!(reason(&late), "NOTHING_TO_RATE");
}

#[sqlx::test]
async fn only_the_enterprise_rates_its_own_and_only_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_call_back(&desk.one).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    for stranger in [&desk.rival, &desk.one, &desk.assigner, &desk.city.handler] {
        let refused = desk.rate(stranger, &asked.name, Level::Satisfied, "").await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    desk.rate(&desk.boss, &asked.name, Level::Satisfied, "").await.unwrap();
    let twice = desk.rate(&desk.boss, &asked.name, Level::Dissatisfied, "改主意").await;
    assert_eq!(reason(&twice.unwrap_err()), "NOTHING_TO_RATE");
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::Closed);
}

// Measure 19: every finished thing of any service is evaluated; a bad one becomes a complaint that
// whoever finished it may not handle.
#[sqlx::test]
async fn a_decision_that_is_rated_badly_becomes_a_complaint_for_somebody_else(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let pass = desk.city.pass(&app).await;
    let asked = desk.asked(&desk.boss).await.remove(0);
    assert_eq!(asked.subject, pass.pass_application);
    desk.rate(&desk.boss, &asked.name, Level::VeryDissatisfied, "时段比申请的短").await.unwrap();
    let complaint = listed(&desk.assigner, pb::ListComplaintsRequest::default()).await.remove(0);
    assert_eq!((complaint.channel(), complaint.state()), (Channel::Evaluation, State::Submitted));
    assert_eq!(complaint.origin, pass.pass_application);
    assert_eq!(complaint.content, "时段比申请的短");
    // The reviewer who decided, made a handler of the brigade, may not sign.
    app.sql("update officer set roles = roles || '{HANDLER}' where police_number = '100001'").await;
    app.forget(&desk.city.first).await;
    let first = app.user(Id::<kind::Officer>::parse(&desk.city.first.name).unwrap()).await;
    desk.accept(&desk.assigner, &complaint.name).await.unwrap();
    desk.assign(&desk.assigner, &complaint.name, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.sign(&first, &complaint.name).await.unwrap_err()), "SAME_PERSON");
    desk.sign(&desk.one, &complaint.name).await.unwrap();
}
