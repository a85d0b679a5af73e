//! Handling: who signs, returns, asks for more time, answers, transfers and supervises, by whose rules.

use jingqi::surface::service::pb::{self, SatisfactionLevel as Level, complaint::State};
use sqlx::PgPool;
use tonic::Code;

use super::{Service, owed, owes, step, time};
use crate::harness::{App, fields, reason, request_id, to};

// I19: whoever handles neither judges, nor assigns, nor extends, nor closes what is his own.
#[sqlx::test]
async fn a_handler_decides_nothing_about_his_own(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    // An officer who may do both by role, in the unit that leads and is in charge of its place.
    let name = desk.in_progress(&desk.two).await;
    desk.extend(&desk.two, &name, 3).await.unwrap();
    let own = desk.decide(&desk.two, &name, true).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    desk.answer(&desk.two, &name).await.unwrap();
    let own = desk.review(&desk.two, &name, true).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    // And not after it was taken from him either.
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::Dissatisfied, "没有回复").await;
    let own = desk.assign(&desk.two, &name, &desk.lead_unit).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    // Who assigns does not sign.
    let another = desk.file().await.name;
    desk.accept(&desk.two, &another).await.unwrap();
    desk.assign(&desk.two, &another, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.sign(&desk.two, &another).await.unwrap_err()), "SAME_PERSON");
    // Only who holds it answers; only the unit that leads signs.
    let refused = desk.sign(&desk.other, &another).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.sign(&desk.one, &another).await.unwrap();
    assert_eq!(reason(&desk.answer(&desk.three, &another).await.unwrap_err()), "NOT_ASSIGNEE");
}

// CO-05, CO-09, T18: only a return stops the time; after two returns the assigner decides.
#[sqlx::test]
async fn a_return_with_reason_and_basis_stops_the_time_at_most_twice(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    let bare = pb::ReturnComplaintRequest { name: name.clone(), ..Default::default() };
    let bare = desk.one.call(bare).await.unwrap_err();
    assert_eq!(fields(&bare), ["basis REQUIRED", "reason REQUIRED"]);
    desk.give_back(&desk.one, &name).await.unwrap();
    // Tuesday to Thursday: two working days.
    app.clock.set("2026-11-26T09:00:00+08:00".parse().unwrap());
    let assigned = desk.assign(&desk.assigner, &name, &desk.other_unit).await.unwrap();
    assert_eq!(assigned.handle_due_time, time("2026-12-04T00:00:00+08:00"));
    let moved =
        "select count(*) from obligation_move where cause = 'PAUSE' and limit_moved = 'PROMISED'";
    assert_eq!(app.count(moved).await, 1);
    // The handler of the first unit still sees how it ends, and does not sign.
    assert_eq!(desk.sign(&desk.one, &name).await.unwrap_err().code(), Code::PermissionDenied);
    desk.give_back(&desk.other, &name).await.unwrap();
    // An answer that is refused starts no new time, a day later either.
    let assigned = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.give_back(&desk.one, &name).await.unwrap_err()), "RETURNS_SPENT");
    desk.sign(&desk.one, &name).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    app.clock.set("2026-11-27T09:00:00+08:00".parse().unwrap());
    let refused = desk.review(&desk.assigner, &name, false).await.unwrap();
    assert_eq!(refused.state(), State::InProgress);
    assert_eq!(refused.handle_due_time, assigned.handle_due_time);
    assert_eq!(owed(&app).await, [owes("HANDLE_COMPLAINT", "12-04 00:00")]);
}

#[sqlx::test]
async fn an_extension_is_asked_in_time_once_and_within_the_total(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    assert_eq!(reason(&desk.extend(&desk.three, &name, 3).await.unwrap_err()), "NOT_ASSIGNEE");
    for days in [0, 6, 21] {
        let refused = desk.extend(&desk.one, &name, days).await.unwrap_err();
        assert_eq!(fields(&refused), ["days OUT_OF_RANGE"], "{days}");
    }
    desk.extend(&desk.one, &name, 3).await.unwrap();
    let twice = desk.extend(&desk.one, &name, 2).await.unwrap_err();
    assert_eq!(reason(&twice), "EXTENSION_SPENT");
    // Refused, it may be asked for again; the due time stays.
    let refused = desk.decide(&desk.assigner, &name, false).await.unwrap();
    assert_eq!(refused.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    desk.extend(&desk.one, &name, 3).await.unwrap();
    let granted = desk.decide(&desk.assigner, &name, true).await.unwrap();
    assert_eq!(granted.handle_due_time, time("2026-12-05T00:00:00+08:00"));
    assert_eq!(granted.extensions.len(), 2);
    assert_eq!(reason(&desk.extend(&desk.one, &name, 1).await.unwrap_err()), "EXTENSION_SPENT");
    // Another one, a day before the end: too late.
    let late = desk.in_progress(&desk.one).await;
    app.clock.set("2026-12-01T10:00:00+08:00".parse().unwrap());
    assert_eq!(reason(&desk.extend(&desk.one, &late, 2).await.unwrap_err()), "EXTENSION_TOO_LATE");
}

// CO-20: without its number there it stands in the list of the stuck.
#[sqlx::test]
async fn a_transfer_without_a_number_is_in_the_list_of_the_stuck(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    let request = |target: &str, number: &str, note: &str| pb::TransferComplaintRequest {
        name: name.clone(),
        target: target.to_owned(),
        outside_number: number.to_owned(),
        note: note.to_owned(),
        ..Default::default()
    };
    let bare = desk.assigner.call(to::TransferComplaint(request("", "", ""))).await.unwrap_err();
    assert_eq!(fields(&bare), ["note REQUIRED", "target REQUIRED"]);
    desk.assigner
        .call(to::TransferComplaint(request("12345", "", "属城管职责,已转12345")))
        .await
        .unwrap();
    let stuck = desk.assigner.call(pb::ListStuckTransfersRequest::default()).await;
    assert_eq!(stuck.unwrap().complaints[0].name, name);
    desk.assigner.call(to::RecordTransferNumber(request("", "SQ12345-778", ""))).await.unwrap();
    let stuck = desk.assigner.call(pb::ListStuckTransfersRequest::default()).await;
    assert!(stuck.unwrap().complaints.is_empty());
    let read = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(
        (read.state(), read.outside_number.as_str()),
        (State::TransferredOut, "SQ12345-778")
    );
    let twice =
        desk.assigner.call(to::RecordTransferNumber(request("", "another", ""))).await.unwrap_err();
    assert_eq!(reason(&twice), "TRANSITION_ILLEGAL");
    assert_eq!(owed(&app).await, []);
}

#[sqlx::test]
async fn a_supervised_one_has_a_day_and_an_urged_one_a_count(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.boss.call(to::UrgeComplaint(step(&name, "请尽快"))).await.unwrap();
    let urged = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(urged.urges, 1);
    let foreign = desk.rival.call(to::UrgeComplaint(step(&name, ""))).await.unwrap_err();
    assert_eq!(foreign.code(), Code::PermissionDenied);
    for at in ["2026-11-01T00:00:00+08:00", "2027-03-01T00:00:00+08:00"] {
        let wrong = desk.supervise(&desk.leader, &name, "CITY", at).await.unwrap_err();
        assert_eq!(fields(&wrong), ["due_time OUT_OF_RANGE", "level UNKNOWN_VALUE"], "{at}");
    }
    desk.supervise(&desk.leader, &name, "LISTED", "2026-11-27T18:00:00+08:00").await.unwrap();
    let all = [owes("HANDLE_COMPLAINT", "12-02 00:00"), owes("SUPERVISE_COMPLAINT", "11-27 18:00")];
    assert_eq!(owed(&app).await, all);
    // The enterprise is not told of it.
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().supervision_level, "");
    assert_eq!(desk.get(&desk.one, &name).await.unwrap().supervision_level, "LISTED");
}

/// A complaint of a category whose policy is in force, up to its answer.
async fn the_policy_counts(desk: &Service) {
    let bare = desk.filed(&desk.boss, desk.form()).await.unwrap_err();
    assert_eq!(fields(&bare), ["complaint.place REQUIRED"]);
    let placed = pb::Complaint { place: "厂区东门".to_owned(), ..desk.form() };
    let name = desk.filed(&desk.boss, placed).await.unwrap().name;
    let after = desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(after.handle_due_time, time("2026-12-01T00:00:00+08:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.sign(&desk.one, &name).await.unwrap();
    let short = desk.answer(&desk.one, &name).await.unwrap_err();
    assert_eq!(fields(&short), ["feedback TOO_SHORT"]);
    let feedback = pb::SubmitComplaintFeedbackRequest {
        name: name.clone(),
        feedback: "已为贵企业增加早间卸货时段,通行证同步更新,请按新时段装卸货物。".to_owned(),
        ..Default::default()
    };
    desk.one.call(feedback).await.unwrap();
    let refused = desk.review(&desk.assigner, &name, true).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.review(&desk.leader, &name, true).await.unwrap();
}

// CO-01: limits, lengths and extension of a category are dated rows with a source.
#[sqlx::test]
async fn a_policy_of_a_category_counts_from_its_day(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let policy = pb::ComplaintPolicy {
        category: pb::complaint::Category::Help.into(),
        valid_from: time("2026-11-25T00:00:00+08:00"),
        handle_limit: "WORKING_DAYS:3".to_owned(),
        answer_characters_min: Some(30),
        needed: vec!["PLACE".to_owned()],
        reviewer_roles: vec!["UNIT_LEADER".to_owned()],
        source: "宿公通〔2026〕12号".to_owned(),
        ..Default::default()
    };
    let publish = |policy: pb::ComplaintPolicy| pb::PublishComplaintPolicyRequest {
        complaint_policy: Some(policy),
        request_id: request_id(),
    };
    let wrong = pb::ComplaintPolicy {
        valid_from: time("2026-11-01T00:00:00+08:00"),
        handle_limit: "FORTNIGHTS:1".to_owned(),
        accept_limit: "WORKING_DAYS:0".to_owned(),
        extension_days_max: Some(40),
        needed: vec!["MOOD".to_owned()],
        intake_roles: vec!["HANDLER".to_owned()],
        ..Default::default()
    };
    let refused = desk.leader.call(publish(wrong)).await.unwrap_err();
    let all = [
        "complaint_policy.accept_limit OUT_OF_RANGE",
        "complaint_policy.category REQUIRED",
        "complaint_policy.extension_days_max OUT_OF_RANGE",
        "complaint_policy.handle_limit UNKNOWN_VALUE",
        "complaint_policy.intake_roles[0] UNKNOWN_VALUE",
        "complaint_policy.needed[0] UNKNOWN_VALUE",
        "complaint_policy.source REQUIRED",
        "complaint_policy.valid_from OUT_OF_RANGE",
    ];
    assert_eq!(fields(&refused), all);
    let mut drafted = Vec::new();
    for _ in 0..2 {
        let published = desk.leader.call(publish(policy.clone())).await.unwrap();
        drafted.push(published.proposal);
    }
    app.confirm(&drafted[0]).await.unwrap();
    let twice = app.confirm(&drafted[1]).await.unwrap_err();
    assert_eq!(reason(&twice), "ALREADY_EXISTS");
    // What will count is told to everybody who has signed in.
    let rules = pb::ListComplaintPoliciesRequest { category: policy.category };
    let rules = desk.boss.call(rules).await.unwrap();
    let told: Vec<_> = rules.complaint_policies.iter().map(|it| it.handle_limit.as_str()).collect();
    assert_eq!(told, ["WORKING_DAYS:3"]);
    let name = desk.file().await.name;
    let before = desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(before.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    app.clock.set("2026-11-25T09:00:00+08:00".parse().unwrap());
    // From its day on the place is needed, and a leader judges the answer.
    the_policy_counts(&desk).await;
}
