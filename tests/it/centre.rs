//! Around the direct line: visits, the register of problems with its promises, and places at the
//! service centre that are never sold twice.

use jiff::SignedDuration;
use jingqi::surface::{
    id::{Id, kind},
    service::pb,
};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    harness::{App, User, fields, reason, request_id, to},
    liaison::Desk,
};

fn at(app: &App, hours: i64) -> prost_types::Timestamp {
    let at = app.now() + SignedDuration::from_hours(hours);
    prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }
}

async fn unit(app: &App) -> String {
    let id: uuid::Uuid = sqlx::query_scalar("select id from unit where code = '321302170000'")
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap();
    Id::<kind::Unit>::of(id).to_string()
}

async fn visit(app: &App, desk: &Desk) -> pb::Visit {
    let request = pb::RecordVisitRequest {
        visit: Some(pb::Visit {
            enterprise: desk.city.enterprise.to_string(),
            visit_time: Some(at(app, -1)),
            place: "厂区".to_owned(),
            people: "安全负责人".to_owned(),
            summary: "了解装卸通行需求".to_owned(),
            findings: "东门照明不足".to_owned(),
            ..pb::Visit::default()
        }),
        request_id: request_id(),
    };
    desk.ann.call(request).await.unwrap()
}

pub async fn problem(desk: &Desk, visit: &str) -> Result<pb::Problem, Status> {
    let request = pb::RegisterProblemRequest {
        problem: Some(pb::Problem {
            enterprise: desk.city.enterprise.to_string(),
            title: "东门照明不足".to_owned(),
            visit: visit.to_owned(),
            ..pb::Problem::default()
        }),
        request_id: request_id(),
    };
    desk.ann.call(request).await
}

async fn promise(desk: &Desk, problem: &pb::Problem, day: &str) -> Result<pb::Problem, Status> {
    let request = pb::PromiseProblemRequest {
        name: problem.name.clone(),
        promised_day: day.to_owned(),
        note: "协调市政更换路灯".to_owned(),
        etag: problem.etag.clone(),
        request_id: request_id(),
    };
    desk.ann.call(request).await
}

fn end(problem: &pb::Problem) -> pb::EndProblemRequest {
    pb::EndProblemRequest {
        name: problem.name.clone(),
        outcome: "已更换".to_owned(),
        etag: problem.etag.clone(),
        request_id: request_id(),
    }
}

#[sqlx::test]
async fn a_problem_is_found_on_a_visit_promised_and_solved_in_time(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let visit = visit(&app, &desk).await;
    let listed = desk.boss.call(pb::ListVisitsRequest::default()).await.unwrap();
    let own = &listed.visits[0];
    assert_eq!((own.summary.as_str(), own.findings.as_str()), ("了解装卸通行需求", ""));
    let found = problem(&desk, &visit.name).await.unwrap();
    let promised = promise(&desk, &found, "2026-11-27").await.unwrap();
    assert_eq!(promised.state(), pb::problem::State::Promised);
    // Another day: the first promise stays a row that nobody owes any more.
    let again = promise(&desk, &promised, "2026-11-30").await.unwrap();
    // It is put off once, and may be brought forward.
    let spent = promise(&desk, &again, "2026-12-02").await.unwrap_err();
    assert_eq!(reason(&spent), "EXTENSION_SPENT");
    app.clock.set("2026-11-30T23:59:00+08:00".parse().unwrap());
    app.run_workers().await;
    let missed = "select count(*) from obligation where kind = 'SOLVE_PROBLEM'
        and breach_time is not null";
    assert_eq!(app.count(missed).await, 0);
    let solved = desk.ann.call(to::SolveProblem(end(&again))).await.unwrap();
    assert_eq!(solved.state(), pb::problem::State::Solved);
    let met = "select count(*) from obligation where kind = 'SOLVE_PROBLEM'
        and meet_time is not null and breach_time is null";
    assert_eq!(app.count(met).await, 1);
    let changes = pb::GetProblemRequest { name: solved.name.clone() };
    let changes = desk.boss.call(to::ListProblemChanges(changes)).await.unwrap();
    let steps: Vec<_> = changes.changes.iter().map(|it| it.action.as_str()).collect();
    assert_eq!(steps, ["CREATE", "PROMISE", "PROMISE", "SOLVE"]);
    assert_eq!(changes.changes[1].actor, "police", "the enterprise reads no officer's name here");
}

#[sqlx::test]
async fn a_promise_that_is_not_kept_is_a_row(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let found = problem(&desk, "").await.unwrap();
    let promised = promise(&desk, &found, "2026-11-25").await.unwrap();
    app.clock.set("2026-11-26T00:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    let missed = "select count(*) from obligation where kind = 'SOLVE_PROBLEM'
        and breach_time = due_time";
    assert_eq!(app.count(missed).await, 1);
    desk.ann.call(to::DropProblem(end(&promised))).await.unwrap();
    assert_eq!(app.count(missed).await, 1, "a miss stays one");
}

#[sqlx::test]
async fn a_wrong_step_on_a_problem_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let found = problem(&desk, "").await.unwrap();
    let past = promise(&desk, &found, "2026-11-23").await.unwrap_err();
    assert_eq!(fields(&past), ["promised_day IN_PAST"]);
    let foreign = format!("visits/{}", uuid::Uuid::nil());
    let foreign = problem(&desk, &foreign).await.unwrap_err();
    assert_eq!(fields(&foreign), ["problem.visit UNKNOWN_VALUE"]);
    promise(&desk, &found, "2026-11-27").await.unwrap();
    let stale = desk.ann.call(to::SolveProblem(end(&found))).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    let without_etag = pb::EndProblemRequest { etag: String::new(), ..end(&found) };
    desk.ann.call(to::SolveProblem(without_etag)).await.unwrap();
    let again = pb::EndProblemRequest { etag: String::new(), ..end(&found) };
    let again = desk.ann.call(to::DropProblem(again)).await.unwrap_err();
    assert_eq!(reason(&again), "TRANSITION_ILLEGAL");
    // An officer of another unit and a stranger's enterprise find nothing.
    let elsewhere = app.unit("321324170000", None, &[]).await;
    let officer = app.officer("200009", &elsewhere, &["LIAISON_OFFICER"]).await;
    let get = pb::GetProblemRequest { name: found.name.clone() };
    let refused = officer.call(to::GetProblem(get)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let wrong = pb::RecordVisitRequest {
        visit: Some(pb::Visit {
            enterprise: "enterprises/1".to_owned(),
            visit_time: Some(at(&app, 1)),
            ..pb::Visit::default()
        }),
        request_id: request_id(),
    };
    assert_eq!(
        fields(&desk.ann.call(wrong).await.unwrap_err()),
        [
            "visit.enterprise NAME_MALFORMED",
            "visit.place REQUIRED",
            "visit.visit_time TOO_FAR_AHEAD",
        ]
    );
}

pub async fn slot(app: &App, desk: &Desk, capacity: i32) -> pb::CentreSlot {
    let request = pb::CreateCentreSlotRequest {
        centre_slot: Some(pb::CentreSlot {
            unit: unit(app).await,
            place: "警企服务中心一号会议室".to_owned(),
            start_time: Some(at(app, 48)),
            end_time: Some(at(app, 50)),
            capacity,
            ..pb::CentreSlot::default()
        }),
        request_id: request_id(),
    };
    desk.leader.call(request).await.unwrap()
}

pub fn wanted(slot: &str, enterprise: &str) -> pb::CreateCentreBookingRequest {
    pb::CreateCentreBookingRequest {
        centre_booking: Some(pb::CentreBooking {
            centre_slot: slot.to_owned(),
            enterprise: enterprise.to_owned(),
            subject: "反诈培训".to_owned(),
            ..pb::CentreBooking::default()
        }),
        request_id: request_id(),
    }
}

pub async fn book(
    user: &User,
    request: pb::CreateCentreBookingRequest,
) -> Result<pb::CentreBooking, Status> {
    user.call(request).await
}

pub fn step(booking: &pb::CentreBooking) -> pb::MoveCentreBookingRequest {
    pb::MoveCentreBookingRequest {
        name: booking.name.clone(),
        request_id: request_id(),
        ..pb::MoveCentreBookingRequest::default()
    }
}

#[sqlx::test]
async fn a_place_is_booked_confirmed_used_or_given_back(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let slot = slot(&app, &desk, 1).await;
    let enterprise = desk.city.enterprise.to_string();
    let request = wanted(&slot.name, &enterprise);
    let booked = book(&desk.talker, request.clone()).await.unwrap();
    // 10:30 and four hours in which the office is open.
    let due = booked.confirm_due_time.unwrap().seconds;
    assert!(due > app.now().as_second() + 4 * 3_600);
    assert_eq!(book(&desk.talker, request).await.unwrap(), booked, "one id, one place");
    let second = book(&desk.talker, wanted(&slot.name, &enterprise)).await.unwrap_err();
    assert_eq!(reason(&second), "SLOT_FULL");
    let early = desk.ann.call(to::CompleteCentreBooking(step(&booked))).await.unwrap_err();
    assert_eq!(reason(&early), "TRANSITION_ILLEGAL");
    desk.ann.call(to::ConfirmCentreBooking(step(&booked))).await.unwrap();
    let stranger = desk.city.handler.call(to::CancelCentreBooking(step(&booked))).await;
    assert_eq!(stranger.unwrap_err().code(), Code::PermissionDenied, "a handler for passes alone");
    let cancelled = step(&booked);
    desk.talker.call(to::CancelCentreBooking(cancelled.clone())).await.unwrap();
    desk.talker.call(to::CancelCentreBooking(cancelled)).await.unwrap();
    let twice = desk.talker.call(to::CancelCentreBooking(step(&booked))).await.unwrap_err();
    assert_eq!(reason(&twice), "TRANSITION_ILLEGAL");
    assert_eq!(app.count("select used::bigint from centre_slot").await, 0, "given back once");
    let again = book(&desk.talker, wanted(&slot.name, &enterprise)).await.unwrap();
    desk.ann.call(to::ConfirmCentreBooking(step(&again))).await.unwrap();
    let done = desk.ann.call(to::CompleteCentreBooking(step(&again))).await.unwrap();
    assert_eq!(done.state(), pb::centre_booking::State::Done);
    app.advance(SignedDuration::from_hours(49));
    let late = book(&desk.talker, wanted(&slot.name, &enterprise)).await.unwrap_err();
    assert_eq!(reason(&late), "SLOT_FULL", "the time has begun");
}

// The last place is not sold twice, whoever asks at once.
#[sqlx::test]
async fn three_places_are_sold_three_times_to_twelve_enterprises(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let slot = slot(&app, &desk, 3).await;
    let brigade: (uuid::Uuid, String) =
        sqlx::query_as("select id, path from unit where code = '321302170000'")
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let mut asked = Vec::new();
    for number in 0..12 {
        let person = app.person().await;
        let uscc = format!("9132130000000000{number:02}");
        let enterprise = app.enterprise(&uscc, "321302", &brigade, person).await;
        app.member(enterprise, person, "LEGAL_REPRESENTATIVE", &[]).await;
        let user = app.user(person).await;
        let request = wanted(&slot.name, &enterprise.to_string());
        asked.push(async move { book(&user, request).await });
    }
    let answers = futures::future::join_all(asked).await;
    let (sold, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(sold.len(), 3);
    for refused in refused {
        assert_eq!(reason(&refused.unwrap_err()), "SLOT_FULL");
    }
    assert_eq!(app.count("select used::bigint from centre_slot").await, 3);
}
