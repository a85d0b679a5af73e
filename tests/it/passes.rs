//! Passes: who may end them and why, that it counts at once everywhere, and what a code carries.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self,
    pass_check::{Outcome, Verdict},
    pass_code::Mode,
    truck_pass::State,
};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, PLATE, User, fact, fields, reason, request_id, to};

fn ending(pass: &pb::TruckPass, reason_code: &str) -> pb::EndTruckPassRequest {
    pb::EndTruckPassRequest {
        name: pass.name.clone(),
        reason_code: reason_code.to_owned(),
        note: "依据调查结果".to_owned(),
        etag: pass.etag.clone(),
        request_id: request_id(),
    }
}

async fn read(user: &User, pass: &pb::TruckPass) -> pb::TruckPass {
    let get = pb::GetTruckPassRequest { name: pass.name.clone() };
    user.call(get).await.unwrap()
}

async fn check_plate(user: &User) -> pb::PassCheck {
    let check = pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::PlateNumber(PLATE.to_owned())),
        ..Default::default()
    };
    user.call(check).await.unwrap()
}

// PA-10: the four ends of the law stay apart; each has its own reasons and its own officers.
#[sqlx::test]
async fn each_end_of_a_pass_has_its_own_reasons(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let wrong = city.chief.call(to::AnnulTruckPass(ending(&pass, "HOLDER_REQUEST"))).await;
    assert_eq!(fields(&wrong.unwrap_err()), ["reason_code NOT_ALLOWED"]);
    let unknown = city.chief.call(to::AnnulTruckPass(ending(&pass, "WHIM"))).await;
    assert_eq!(fields(&unknown.unwrap_err()), ["reason_code UNKNOWN_VALUE"]);
    let empty = pb::EndTruckPassRequest { name: pass.name.clone(), ..Default::default() };
    let empty = city.chief.call(to::AnnulTruckPass(empty)).await.unwrap_err();
    assert_eq!(fields(&empty), ["etag REQUIRED", "note REQUIRED", "reason_code REQUIRED"]);
    let penalised = city.chief.call(to::PenaliseTruckPass(ending(&pass, "LENT_OR_MISUSED"))).await;
    let penalised = penalised.unwrap();
    assert_eq!(penalised.state(), State::Penalised);
    assert_eq!(penalised.reason.unwrap().code, "LENT_OR_MISUSED");
    let again = ending(&read(&city.chief, &pass).await, "FALSE_INFORMATION");
    let again = city.chief.call(to::AnnulTruckPass(again)).await.unwrap_err();
    assert_eq!(
        (reason(&again), fact(&again, "state")),
        ("TRANSITION_ILLEGAL".into(), "PENALISED".into())
    );
}

#[sqlx::test]
async fn a_suspended_pass_is_refused_until_it_is_resumed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    city.first.call(to::SuspendTruckPass(ending(&pass, "UNDER_INVESTIGATION"))).await.unwrap();
    assert_eq!(check_plate(&city.device).await.outcome(), Outcome::Suspended);
    let resume = ending(&read(&city.first, &pass).await, "CAUSE_REMOVED");
    city.first.call(to::ResumeTruckPass(resume)).await.unwrap();
    // QR-11: what was lifted is valid again at once.
    assert_eq!(check_plate(&city.device).await.outcome(), Outcome::PassValid);
}

// 1.9: begin and end come from the clock, not from a job.
#[sqlx::test]
async fn begin_and_end_of_a_pass_are_computed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut request = city.create(&app);
    let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
    need.start_date = "2026-12-01".to_owned();
    need.months = 1;
    let pass = city.pass_of(request).await;
    assert_eq!(pass.state(), State::PendingStart);
    assert_eq!(check_plate(&city.device).await.outcome(), Outcome::NotStarted);
    app.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(read(&city.boss, &pass).await.state(), State::Active);
    assert_eq!(check_plate(&city.device).await.outcome(), Outcome::PassValid);
    app.advance(SignedDuration::from_hours(24 * 31));
    assert_eq!(read(&city.boss, &pass).await.state(), State::Expired);
    assert_eq!(check_plate(&city.device).await.outcome(), Outcome::Expired);
    let late = city.first.call(to::SuspendTruckPass(ending(&pass, "UNDER_INVESTIGATION"))).await;
    assert_eq!(fact(&late.unwrap_err(), "state"), "EXPIRED");
    // PA-21: a fraud that is found after the end is annulled all the same.
    let annul = city.chief.call(to::AnnulTruckPass(ending(&pass, "FALSE_INFORMATION"))).await;
    assert_eq!(annul.unwrap().state(), State::Annulled);
}

#[sqlx::test]
async fn only_the_holder_and_the_reviewers_of_the_unit_may_end_a_pass(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    for user in [&city.driver, &city.stranger, &city.patrol, &city.auxiliary] {
        let refused = user.call(to::CancelTruckPass(ending(&pass, "HOLDER_REQUEST"))).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied, "{}", user.name);
    }
    let refused = city
        .foreign_reviewer
        .call(to::SuspendTruckPass(ending(&pass, "UNDER_INVESTIGATION")))
        .await;
    assert_eq!(reason(&refused.unwrap_err()), "DENIED");
    assert_eq!(read(&city.boss, &pass).await.state(), State::Active);
    let cancelled = city.handler.call(to::CancelTruckPass(ending(&pass, "HOLDER_REQUEST"))).await;
    assert_eq!(cancelled.unwrap().state(), State::Cancelled);
}

// I1: a revocation that was answered counts at the next check, on every server; and so does a
// repeated request that finds its stored answer.
#[sqlx::test]
async fn a_revocation_counts_at_once_on_every_server(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let (second, third) = (app.another().await, app.another().await);
    let pass = city.pass(&app).await;
    let servers = [app.address, second, third];
    for server in servers {
        assert_eq!(check_plate(&city.device.at(server)).await.verdict(), Verdict::Valid);
        assert_eq!(check_plate(&city.device.at(server)).await.verdict(), Verdict::Valid);
    }
    let end = ending(&pass, "FALSE_INFORMATION");
    let first = city.chief.at(second).call(to::AnnulTruckPass(end.clone())).await.unwrap();
    for server in servers {
        let checked = check_plate(&city.device.at(server)).await;
        assert_eq!((checked.verdict(), checked.outcome()), (Verdict::Invalid, Outcome::Revoked));
    }
    let again = city.chief.at(third).call(to::AnnulTruckPass(end)).await.unwrap();
    assert_eq!(again, first);
}

// QR-13: fetched every thirty seconds, stale after ninety; the printed one lives as long as the
// pass. Only the holder's people and the driver are shown a code.
#[sqlx::test]
async fn a_code_is_shown_only_for_a_pass_in_force_and_only_to_its_people(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let show = |mode: Mode, suite: &str| pb::IssuePassCodeRequest {
        name: pass.name.clone(),
        mode: mode.into(),
        suite: suite.to_owned(),
    };
    for suite in ["", "INTL", "SM"] {
        for mode in [Mode::Dynamic, Mode::Printed] {
            let code = city.driver.call(show(mode, suite)).await.unwrap();
            // QR-04: the declared size budget.
            assert!(code.qr_version <= 9, "{suite} {mode:?}: {}", code.qr_version);
            assert!(code.svg.starts_with("<?xml") || code.svg.starts_with("<svg"));
            assert_eq!(&code.png[1..4], b"PNG");
            let refresh = code.refresh_time.map(|at| at.seconds - app.now().as_second());
            let stale = code.stale_time.map(|at| at.seconds - app.now().as_second());
            match mode {
                Mode::Dynamic => assert_eq!((refresh, stale), (Some(30), Some(90))),
                _ => assert_eq!((refresh, stale), (None, None)),
            }
        }
    }
    let unknown = city.driver.call(show(Mode::Dynamic, "ROT13")).await;
    assert_eq!(fields(&unknown.unwrap_err()), ["suite UNKNOWN_VALUE"]);
    let stranger = city.stranger.call(show(Mode::Dynamic, "")).await;
    assert_eq!(stranger.unwrap_err().code(), Code::PermissionDenied);
    let end = ending(&pass, "UNDER_INVESTIGATION");
    city.first.call(to::SuspendTruckPass(end)).await.unwrap();
    let refused = city.driver.call(show(Mode::Dynamic, "")).await.unwrap_err();
    assert_eq!(
        (reason(&refused), fact(&refused, "state")),
        ("TRANSITION_ILLEGAL".into(), "SUSPENDED".into())
    );
}

// QR-09, QR-12: a code that was fetched before the revocation is genuine, and refused.
#[sqlx::test]
async fn a_genuine_code_of_a_revoked_pass_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let show = pb::IssuePassCodeRequest {
        name: pass.name.clone(),
        mode: pb::pass_code::Mode::Printed.into(),
        ..Default::default()
    };
    let code = city.driver.call(show).await.unwrap().text;
    let scan = |code: &str| pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::Code(code.to_owned())),
        observed_plate_number: PLATE.to_owned(),
        ..Default::default()
    };
    let good = city.device.call(scan(&code)).await.unwrap();
    assert_eq!(good.verdict(), Verdict::Valid);
    let end = ending(&pass, "LAW_OR_FACTS_CHANGED");
    city.chief.call(to::WithdrawTruckPass(end)).await.unwrap();
    let bad = city.device.call(scan(&code)).await.unwrap();
    assert_eq!((bad.verdict(), bad.outcome()), (Verdict::Invalid, Outcome::Revoked));
}

// A vehicle that leaves the garage takes its passes along.
#[sqlx::test]
async fn a_retired_vehicle_loses_its_passes(pool: PgPool) {
    let app = App::start(pool).await;
    let city: City = app.city().await;
    let pass = city.pass(&app).await;
    let retire = pb::RetireVehicleRequest {
        name: city.vehicle.to_string(),
        reason: "车辆转让".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    city.boss.call(retire).await.unwrap();
    let ended = read(&city.boss, &pass).await;
    assert_eq!(
        (ended.state(), ended.reason.unwrap().code),
        (State::Cancelled, "VEHICLE_GONE".into())
    );
    assert_ne!(check_plate(&city.device).await.verdict(), Verdict::Valid);
}
