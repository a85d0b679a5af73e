//! Contests of vehicles: the second enterprise says with papers that a vehicle is theirs, an officer moves
//! it, retires it or leaves it where it is. Read the first test first.

use jingqi::surface::service::pb::{
    self,
    pass_check::{Direction, Outcome, Verdict},
    vehicle_contest::State,
};
use sqlx::PgPool;
use tonic::Status;

use crate::{
    claims::{told, uuid},
    enterprises::truck,
    harness::{App, City, PLATE, User, fields, reason, request_id},
};

/// Another verified enterprise, its representative, and its papers.
struct Rival {
    enterprise: String,
    boss: User,
    papers: Vec<String>,
}

impl App {
    async fn rival_of(&self, city: &City, code: &str, division: &str) -> Rival {
        let unit = if division == "321302" { "321302170000/" } else { "321322170000/" };
        let path = format!("321300000000/321300170000/{unit}");
        let id = sqlx::query_scalar("select id from unit where path = $1")
            .bind(path.clone())
            .fetch_one(self.parts.store.pool())
            .await
            .unwrap();
        let boss = self.person().await;
        let enterprise = self.enterprise(code, division, &(id, path), boss).await;
        self.member(enterprise, boss, "LEGAL_REPRESENTATIVE", &[]).await;
        let papers = self.papers(enterprise).await;
        assert_ne!(enterprise, city.enterprise);
        Rival { enterprise: enterprise.to_string(), boss: self.user(boss).await, papers }
    }
}

fn asked(rival: &Rival, plate: &str) -> pb::ContestVehicleRequest {
    pb::ContestVehicleRequest {
        vehicle: Some(pb::Vehicle {
            plate_number: plate.to_owned(),
            brand_model: "解放".to_owned(),
            ..truck(&rival.enterprise)
        }),
        attachments: rival.papers.clone(),
        statement: "本车为我公司2025年购入,行驶证登记在我公司名下".to_owned(),
        request_id: request_id(),
    }
}

async fn contest(rival: &Rival, plate: &str) -> Result<pb::VehicleContest, Status> {
    let request = asked(rival, plate);
    rival.boss.call(request).await
}

async fn move_vehicle(by: &User, contest: &pb::VehicleContest) -> Result<pb::Vehicle, Status> {
    let request = pb::MoveVehicleRequest {
        vehicle_contest: contest.name.clone(),
        reason_code: "FALSE_PAPERS".to_owned(),
        note: "行驶证登记所有人为异议企业".to_owned(),
        etag: contest.etag.clone(),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn dismiss(
    by: &User,
    contest: &pb::VehicleContest,
    code: &str,
) -> Result<pb::VehicleContest, Status> {
    let request = pb::DismissVehicleContestRequest {
        name: contest.name.clone(),
        reason_code: code.to_owned(),
        note: "原登记企业已出示行驶证".to_owned(),
        etag: contest.etag.clone(),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn retire(by: &User, vehicle: &str, code: &str) -> Result<pb::Vehicle, Status> {
    let request = pb::RetireVehicleRequest {
        name: vehicle.to_owned(),
        reason: "车辆不属于该企业".to_owned(),
        reason_code: code.to_owned(),
        request_id: request_id(),
    };
    by.call(request).await
}

async fn contests(user: &User) -> Vec<pb::VehicleContest> {
    let request = pb::ListVehicleContestsRequest::default();
    user.call(request).await.unwrap().vehicle_contests
}

async fn vehicle(user: &User, name: &str) -> Result<pb::Vehicle, Status> {
    let request = pb::GetVehicleRequest { name: name.to_owned() };
    user.call(request).await
}

async fn check(city: &City, code: &str) -> pb::PassCheck {
    let request = pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::Code(code.to_owned())),
        direction: Direction::Inbound.into(),
        observed_plate_number: PLATE.to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    city.device.call(request).await.unwrap()
}

/// The seen case: somebody has put another's plate into the own garage, and even has a pass for it. The
/// owner is not refused for ever: it contests with the licence, an officer moves the truck, the pass ends
/// with a step of its own, and the very next check knows.
#[sqlx::test]
async fn a_vehicle_is_contested_and_moved_with_notice_to_both(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let rival = app.rival_of(&city, "91321302MA1XQ0000N", "321302").await;
    let pass = city.pass(&app).await;
    let show = pb::IssuePassCodeRequest { name: pass.name.clone(), ..Default::default() };
    let code = city.driver.call(show).await.unwrap().text;
    let valid = check(&city, &code).await;
    assert_eq!(valid.verdict(), Verdict::Valid);
    let draft = city.handler.call(city.create(&app)).await.unwrap().name;

    let mut stolen = truck(&rival.enterprise);
    stolen.plate_number = PLATE.to_owned();
    let create = pb::CreateVehicleRequest { vehicle: Some(stolen), request_id: request_id() };
    let refused = rival.boss.call(create).await.unwrap_err();
    assert_eq!(reason(&refused), "VEHICLE_EXISTS");
    assert!(refused.message().contains("异议"), "the way on is told: {}", refused.message());
    let opened = contest(&rival, PLATE).await.unwrap();
    assert_eq!((opened.state(), opened.vehicle.as_str()), (State::Open, ""));

    // A contest takes nothing: the pass holds, the holder is told and does not learn by whom.
    let held = city.vehicle.to_string();
    assert_eq!(check(&city, &code).await.verdict(), Verdict::Valid);
    assert!(vehicle(&city.handler, &held).await.unwrap().contested);
    assert_eq!(told(&city.handler, &held).await, ["VEHICLE_CONTESTED"]);
    assert_eq!(contests(&city.boss).await, []);
    for other in [&city.boss, &city.foreign_reviewer, &city.clerk, &rival.boss] {
        assert_eq!(reason(&move_vehicle(other, &opened).await.unwrap_err()), "DENIED");
    }

    let seen = contests(&city.first).await.remove(0);
    assert_eq!((seen.vehicle.as_str(), &seen.attachments), (held.as_str(), &rival.papers));
    let moved = move_vehicle(&city.first, &seen).await.unwrap();
    assert_eq!(
        (moved.enterprise.as_str(), moved.plate_number.as_str()),
        (rival.enterprise.as_str(), PLATE)
    );
    assert_eq!(moved.brand_model, "解放", "as its owner typed it");
    assert!(!moved.contested);
    let ended = check(&city, &code).await;
    assert_eq!((ended.verdict(), ended.outcome()), (Verdict::Invalid, Outcome::Revoked));

    // The pass and the draft ended by steps of their own, the driver drives it no longer.
    let get = pb::GetTruckPassRequest { name: pass.name.clone() };
    let pass = city.handler.call(get).await.unwrap();
    assert_eq!(
        (pass.state(), pass.reason.unwrap().code.as_str()),
        (pb::truck_pass::State::Cancelled, "VEHICLE_GONE")
    );
    let get = pb::GetPassApplicationRequest { name: draft };
    let draft = city.handler.call(get).await.unwrap();
    assert_eq!(draft.state(), pb::pass_application::State::Withdrawn);
    assert_eq!(reason(&vehicle(&city.driver, &held).await.unwrap_err()), "DENIED");
    let mut events = told(&city.handler, &held).await;
    events.sort();
    assert_eq!(events, ["VEHICLE_CONTESTED", "VEHICLE_REMOVED"]);
    assert_eq!(told(&rival.boss, &opened.name).await, ["VEHICLE_RECEIVED"]);
    assert_eq!(contests(&rival.boss).await[0].state(), State::Upheld);
    let steps = format!(
        "select count(*) from change where collection = 'vehicles' and action = 'RETIRE'
            and reason = 'FALSE_PAPERS' and subject_id = '{}'",
        uuid(&held)
    );
    assert_eq!(app.count(&steps).await, 1);
}

// What is filed wrongly is told; nothing tells whether somebody else has contested too.
#[sqlx::test]
async fn a_contest_has_papers_a_holder_and_an_enterprise_that_was_verified(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let rival = app.rival_of(&city, "91321302MA1XQ0000N", "321302").await;
    let third = app.rival_of(&city, "91321302MA1Y00001J", "321302").await;
    let free = contest(&rival, "苏N66666").await.unwrap_err();
    assert_eq!(reason(&free), "NOTHING_TO_CONTEST");
    let mut own = asked(&rival, PLATE);
    own.vehicle.as_mut().unwrap().enterprise = city.enterprise.to_string();
    let foreign = rival.boss.call(own.clone()).await.unwrap_err();
    assert_eq!(reason(&foreign), "DENIED");
    own.attachments.clone_from(&city.attachment_names);
    let holder = city.boss.call(own).await.unwrap_err();
    assert_eq!(reason(&holder), "NOTHING_TO_CONTEST");

    let bare = pb::ContestVehicleRequest { attachments: vec![], ..asked(&rival, PLATE) };
    let refused = rival.boss.call(bare).await.unwrap_err();
    assert_eq!(fields(&refused), ["attachments MATERIAL_MISSING"]);
    let others = pb::ContestVehicleRequest {
        attachments: third.papers[..1].to_vec(),
        ..asked(&rival, PLATE)
    };
    let refused = rival.boss.call(others).await.unwrap_err();
    assert_eq!(fields(&refused), ["attachments MATERIAL_MISSING", "attachments[0] UNKNOWN_VALUE"]);
    let mut wrong = asked(&rival, PLATE);
    wrong.statement = String::new();
    wrong.vehicle.as_mut().unwrap().vin = "LSVAAI000N1000001".to_owned();
    let refused = rival.boss.call(wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["statement REQUIRED", "vehicle.vin VIN_MALFORMED"]);

    let opened = contest(&rival, PLATE).await.unwrap();
    assert_eq!(reason(&contest(&rival, PLATE).await.unwrap_err()), "ALREADY_EXISTS");
    contest(&third, PLATE).await.unwrap();
    let withdraw =
        pb::WithdrawVehicleContestRequest { name: opened.name.clone(), request_id: request_id() };
    let foreign = third.boss.call(withdraw.clone()).await;
    assert_eq!(reason(&foreign.unwrap_err()), "DENIED");
    let withdrawn = rival.boss.call(withdraw).await.unwrap();
    assert_eq!(withdrawn.state(), State::Withdrawn);
    let late = move_vehicle(&city.first, &opened).await.unwrap_err();
    assert_eq!(reason(&late), "ETAG_STALE");
    app.sql("update enterprise set state = 'SUSPENDED' where uscc = '91321302MA1XQ0000N'").await;
    assert_eq!(reason(&contest(&rival, PLATE).await.unwrap_err()), "ENTERPRISE_SUSPENDED");
}

// One officer decides for one of two; who sees one side alone decides nothing.
#[sqlx::test]
async fn a_contest_is_dismissed_or_lost_to_another_and_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let rival = app.rival_of(&city, "91321302MA1XQ0000N", "321302").await;
    let abroad = app.rival_of(&city, "91321302MA1Y00001J", "321322").await;
    let opened = contest(&rival, PLATE).await.unwrap();
    for code in ["OTHER_PROVEN", "NOT_HOLDERS", ""] {
        let refused = dismiss(&city.first, &opened, code).await.unwrap_err();
        assert_eq!(fields(&refused).len(), 1, "{code}");
    }
    let dismissed = dismiss(&city.first, &opened, "HOLDER_PROVEN").await.unwrap();
    assert_eq!(dismissed.state(), State::Dismissed);
    assert_eq!(told(&rival.boss, &opened.name).await, ["VEHICLE_CONTEST_DISMISSED"]);
    assert!(!vehicle(&city.handler, &city.vehicle.to_string()).await.unwrap().contested);

    // Of another county: neither brigade sees both sides, the detachment does.
    let again = contest(&rival, PLATE).await.unwrap();
    let far = contest(&abroad, PLATE).await.unwrap();
    for officer in [&city.first, &city.foreign_reviewer] {
        assert_eq!(reason(&move_vehicle(officer, &far).await.unwrap_err()), "DENIED");
    }
    let moved = move_vehicle(&city.chief, &far).await.unwrap();
    assert_eq!(moved.enterprise, abroad.enterprise);
    assert_eq!(told(&rival.boss, &again.name).await, ["VEHICLE_CONTEST_DISMISSED"]);
    let mine = contests(&rival.boss).await;
    let lost = mine.into_iter().find(|contest| contest.name == again.name).unwrap();
    assert_eq!(lost.reason.unwrap().code, "OTHER_PROVEN");
    // It may contest the new holder.
    contest(&rival, PLATE).await.unwrap();
}

#[sqlx::test]
async fn an_officer_retires_a_vehicle_with_a_coded_reason_that_is_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let rival = app.rival_of(&city, "91321302MA1XQ0000N", "321302").await;
    let opened = contest(&rival, PLATE).await.unwrap();
    let held = city.vehicle.to_string();
    for (by, code, wrong) in [
        (&city.first, "", "reason_code REQUIRED"),
        (&city.first, "HOLDER_PROVEN", "reason_code UNKNOWN_VALUE"),
        (&city.first, "ENTERPRISE_ANNULLED", "reason_code UNKNOWN_VALUE"),
        (&city.boss, "NOT_HOLDERS", "reason_code NOT_ALLOWED"),
    ] {
        assert_eq!(fields(&retire(by, &held, code).await.unwrap_err()), [wrong]);
    }
    for other in [&city.clerk, &city.foreign_reviewer] {
        assert_eq!(reason(&retire(other, &held, "NOT_HOLDERS").await.unwrap_err()), "DENIED");
    }
    assert_eq!(reason(&retire(&rival.boss, &held, "").await.unwrap_err()), "DENIED");
    let retired = retire(&city.first, &held, "NOT_HOLDERS").await.unwrap();
    assert!(retired.retire_time.is_some());
    assert_eq!(told(&city.handler, &held).await.len(), 2);
    assert_eq!(told(&rival.boss, &opened.name).await, ["VEHICLE_RELEASED"]);
    // The plate is free for who owns it.
    let mut own = truck(&rival.enterprise);
    own.plate_number = PLATE.to_owned();
    let create = pb::CreateVehicleRequest { vehicle: Some(own), request_id: request_id() };
    rival.boss.call(create).await.unwrap();
}

/// What stands against the subject, as the desk lists it.
async fn entries(by: &User, subject: &str) -> Vec<pb::BlacklistEntry> {
    let request =
        pb::ListBlacklistEntriesRequest { subject: subject.to_owned(), ..Default::default() };
    by.call(request).await.unwrap().blacklist_entries
}

async fn blacklist(by: &User, subject: &str) {
    let entry = pb::BlacklistEntry {
        subject: subject.to_owned(),
        reason_code: "LENT_OR_MISUSED".to_owned(),
        reason: "转借通行证".to_owned(),
        ..Default::default()
    };
    let request =
        pb::AddBlacklistEntryRequest { blacklist_entry: Some(entry), request_id: request_id() };
    by.call(request).await.unwrap();
}

// What stands against a truck stands against it in every garage.
#[sqlx::test]
async fn a_truck_is_not_cleared_by_another_garage(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let rival = app.rival_of(&city, "91321302MA1XQ0000N", "321302").await;
    blacklist(&city.first, &city.vehicle.to_string()).await;
    contest(&rival, PLATE).await.unwrap();
    let seen = contests(&city.first).await.remove(0);
    let moved = move_vehicle(&city.first, &seen).await.unwrap();
    assert!(moved.blacklisted);
    assert_eq!(entries(&city.first, &moved.name).await.len(), 1);
    assert_eq!(entries(&city.first, &city.vehicle.to_string()).await.len(), 0);

    // Nor by being taken out and put in again.
    let retired = retire(&rival.boss, &moved.name, "").await.unwrap();
    assert!(retired.retire_time.is_some());
    let again = pb::Vehicle { plate_number: PLATE.to_owned(), ..truck(&rival.enterprise) };
    let create = pb::CreateVehicleRequest { vehicle: Some(again), request_id: request_id() };
    let again = rival.boss.call(create).await.unwrap();
    assert!(again.blacklisted);
    assert_eq!(entries(&city.first, &again.name).await.len(), 1);
}
