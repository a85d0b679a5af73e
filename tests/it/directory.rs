//! What the desk keeps and looks up: units, checkpoints and their devices, enterprises and who acts for them,
//! the states of vehicles, the rules in force, and what the service centre offers.

use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Code;

use crate::{
    centre,
    harness::{App, City, PLATE, User, fields, reason, request_id},
};

async fn administrator(app: &App, city: &City) -> User {
    app.officer("100080", &(city.root, "321300000000/".to_owned()), &["SYSTEM_ADMINISTRATOR"]).await
}

// The tree of units grows below a unit that there is, and nobody else lets it grow.
#[sqlx::test]
async fn a_unit_and_its_checkpoint_are_set_up_by_the_administrator(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let system = administrator(&app, &city).await;
    let units = system.call(pb::ListUnitsRequest::default()).await.unwrap();
    let brigade = units.units.into_iter().find(|unit| unit.code == "321302170000");
    let brigade = brigade.unwrap();
    let request = pb::CreateUnitRequest {
        unit: Some(pb::Unit {
            code: "321302170100".to_owned(),
            display_name: "宿城大队一中队".to_owned(),
            parent: brigade.name.clone(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let made = system.call(request.clone()).await.unwrap();
    assert_eq!(made.parent, brigade.name);
    let again = system.call(request.clone()).await.unwrap();
    assert_eq!(again, made, "the same request makes one unit");
    let twin = pb::CreateUnitRequest { request_id: request_id(), ..request.clone() };
    let twin = system.call(twin).await.unwrap_err();
    assert_eq!(reason(&twin), "ALREADY_EXISTS");
    let empty = system.call(pb::CreateUnitRequest::default()).await;
    assert_eq!(
        fields(&empty.unwrap_err()),
        ["unit.code NUMBER_MALFORMED", "unit.display_name REQUIRED", "unit.parent REQUIRED"]
    );
    let denied = city.first.call(request).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);

    let request = pb::CreateCheckpointRequest {
        checkpoint: Some(pb::Checkpoint {
            display_name: "西环路卡口".to_owned(),
            unit: made.name.clone(),
            zones: vec![city.zone.to_string()],
            latitude: 33.95,
            longitude: 118.25,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let checkpoint = system.call(request.clone()).await.unwrap();
    assert_eq!(checkpoint.zones, [city.zone.to_string()]);
    let denied = city.patrol.call(request).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);

    let list = |checkpoint: &str| pb::ListDevicesRequest {
        checkpoint: checkpoint.to_owned(),
        ..Default::default()
    };
    let none = system.call(list(&checkpoint.name)).await.unwrap();
    assert_eq!(none.devices, []);
    let one = system.call(list(&city.checkpoint.to_string())).await.unwrap().devices;
    assert_eq!(one.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), [&*city.device.name]);
    let denied = city.patrol.call(list("")).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
}

// Who acts for an enterprise is read by its own people and by who works on it, by nobody else.
#[sqlx::test]
async fn an_enterprise_is_found_with_its_members_by_who_may(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let by_code =
        |uscc: &str| pb::ListEnterprisesRequest { uscc: uscc.to_owned(), ..Default::default() };
    let found = city.clerk.call(by_code("91321300MA1ABCDE8U")).await.unwrap().enterprises;
    assert_eq!(found.iter().map(|it| &it.name).collect::<Vec<_>>(), [&city.enterprise.to_string()]);
    let own = city.boss.call(by_code("")).await.unwrap();
    assert_eq!(own.enterprises.len(), 1);
    let foreign = city.stranger.call(by_code("")).await.unwrap();
    assert_eq!(foreign.enterprises, []);

    let of = pb::ListMembersRequest { enterprise: city.enterprise.to_string() };
    let members = city.boss.call(of.clone()).await.unwrap();
    let roles: Vec<_> = members.members.iter().map(|member| member.role.as_str()).collect();
    assert_eq!(roles.len(), 2);
    assert!(roles.contains(&"LEGAL_REPRESENTATIVE") && roles.contains(&"ENTERPRISE_HANDLER"));
    let denied = city.stranger.call(of).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
}

// A suspended enterprise files nothing; what it holds stays, and it files again once it is resumed.
#[sqlx::test]
async fn a_suspended_enterprise_files_nothing_until_it_is_resumed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let get = || pb::GetEnterpriseRequest { name: city.enterprise.to_string() };
    let before = city.first.call(get()).await.unwrap();
    let request = pb::SuspendEnterpriseRequest {
        name: before.name.clone(),
        reason: "资质复核期间".to_owned(),
        etag: before.etag.clone(),
        request_id: request_id(),
    };
    let denied = city.boss.call(request.clone()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let suspended = city.first.call(request).await.unwrap();
    assert_eq!(suspended.state(), pb::enterprise::State::Suspended);
    let filed = city.handler.call(city.create(&app)).await;
    assert!(filed.is_err(), "nothing new is taken");
    let kept = pb::GetTruckPassRequest { name: pass.name };
    let kept = city.boss.call(kept).await.unwrap();
    assert_eq!(kept.state(), pb::truck_pass::State::Active);
    let stale = pb::ResumeEnterpriseRequest {
        name: suspended.name.clone(),
        reason: "复核完成".to_owned(),
        etag: before.etag,
        request_id: request_id(),
    };
    let refused = city.first.call(stale.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "ETAG_STALE");
    let resume = pb::ResumeEnterpriseRequest { etag: suspended.etag, ..stale };
    let resumed = city.first.call(resume).await.unwrap();
    assert_eq!(resumed.state(), pb::enterprise::State::Verified);
    city.handler.call(city.create(&app)).await.unwrap();
}

// OP-13: the traffic police's states of a vehicle are set by a reviewer, with their source, and are recorded.
#[sqlx::test]
async fn the_states_of_a_vehicle_are_set_by_a_reviewer(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let request = pb::SetVehicleStatesRequest {
        name: city.vehicle.to_string(),
        vehicle_states: "Q".to_owned(),
        source: "交管综合应用平台".to_owned(),
        request_id: request_id(),
    };
    let denied = city.boss.call(request.clone()).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    let wrong = pb::SetVehicleStatesRequest {
        vehicle_states: "?".to_owned(),
        source: String::new(),
        ..request.clone()
    };
    let wrong = city.first.call(wrong).await.unwrap_err();
    assert_eq!(fields(&wrong), ["source REQUIRED", "vehicle_states VEHICLE_STATE_UNKNOWN"]);
    let set = city.first.call(request).await.unwrap();
    assert_eq!((set.vehicle_states.as_str(), set.plate_number.as_str()), ("Q", PLATE));
    let recorded = format!(
        "select count(*) from change where subject_id = '{}' and action = 'SET_STATES'
            and actor = '{}' and internal_note = '交管综合应用平台'",
        city.vehicle.uuid(),
        city.first.name
    );
    assert_eq!(app.count(&recorded).await, 1);
}

// The rules in force are public; those of complaints are read by whoever has signed in
// (`complaints::handling` reads them).
#[sqlx::test]
async fn the_rules_in_force_are_told(pool: PgPool) {
    let app = App::start(pool).await;
    let nobody = app.anonymous();
    let policies = nobody.call(pb::ListPassPoliciesRequest {}).await.unwrap().pass_policies;
    assert!(!policies.is_empty() && policies.iter().all(|policy| !policy.source.is_empty()));
    let request =
        pb::ListComplaintPoliciesRequest { category: pb::complaint::Category::Help.into() };
    let signed_out = nobody.call(request).await.unwrap_err();
    assert_eq!(reason(&signed_out), "TOKEN_MISSING");
}

// What the service centre offers, who booked, and which problems are open, each within its reach.
#[sqlx::test]
async fn the_service_centre_lists_its_places_bookings_and_problems(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let slot = centre::slot(&app, &desk, 2).await;
    let enterprise = desk.city.enterprise.to_string();
    let booked = centre::book(&desk.talker, centre::wanted(&slot.name, &enterprise)).await.unwrap();
    let slots = desk.talker.call(pb::ListCentreSlotsRequest::default()).await.unwrap().centre_slots;
    assert_eq!(slots.iter().map(|it| (it.capacity, it.used)).collect::<Vec<_>>(), [(2, 1)]);
    let list =
        || pb::ListCentreBookingsRequest { centre_slot: slot.name.clone(), ..Default::default() };
    for reader in [&desk.talker, &desk.ann] {
        let bookings = reader.call(list()).await.unwrap();
        let names: Vec<_> = bookings.centre_bookings.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, [&*booked.name]);
    }
    let found = centre::problem(&desk, "").await.unwrap();
    let problems = || pb::ListProblemsRequest {
        enterprise: enterprise.clone(),
        state: pb::problem::State::Found.into(),
        ..Default::default()
    };
    let listed = desk.ann.call(problems()).await.unwrap().problems;
    assert_eq!(listed.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), [&*found.name]);
    let none = pb::ListProblemsRequest { state: pb::problem::State::Solved.into(), ..problems() };
    let none = desk.ann.call(none).await.unwrap().problems;
    assert_eq!(none, []);
}
