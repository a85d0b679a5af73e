//! Enterprises: from registration to a driver, and what is refused on the way.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, EnterpriseClass as Class, enterprise::State};
use sqlx::PgPool;
use tonic::Code;

use crate::{
    claims::{prepare, prove, registration, verify},
    harness::{App, City, User, fields, reason, request_id},
};

pub fn truck(enterprise: &str) -> pb::Vehicle {
    pb::Vehicle {
        enterprise: enterprise.to_owned(),
        plate_number: "苏n·77777".to_owned(),
        plate_type: "01".to_owned(),
        vehicle_type: "H12".to_owned(),
        use_nature: "F".to_owned(),
        energy_type: "B".to_owned(),
        vin: "LZZ1CLNBXNA000001".to_owned(),
        gross_mass_kg: 18_000,
        outer_length_mm: 9_000,
        outer_width_mm: 2_500,
        outer_height_mm: 3_500,
        inspection_valid_until: "2028-01-31".to_owned(),
        insurance_valid_until: "2028-01-31".to_owned(),
        relation: pb::vehicle::Relation::Owned.into(),
        ..Default::default()
    }
}

async fn create(user: &User, vehicle: pb::Vehicle) -> Result<pb::Vehicle, tonic::Status> {
    let request = pb::CreateVehicleRequest { vehicle: Some(vehicle), request_id: request_id() };
    user.call(request).await
}

// ID-06: the journey of an enterprise: registered, verified, a handler invited and removed.
#[sqlx::test]
async fn an_enterprise_from_registration_to_a_removed_handler(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let founder = &city.stranger;
    prove(&app, founder, "13905240010").await;
    let asked = registration(&app, founder).await;
    let created = founder.call(asked).await.unwrap();
    assert_eq!((created.state(), created.legal_representative.as_str()), (State::Pending, "王**"));
    let early = create(founder, truck(&created.name)).await.unwrap_err();
    assert_eq!(early.code(), Code::PermissionDenied);

    let prepared = prepare(&city.clerk, &created).await.unwrap();
    let foreign = verify(&city.foreign_reviewer, &prepared).await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    let verified = verify(&city.first, &prepared).await.unwrap();
    assert_eq!(verified.state(), State::Verified);
    // The same token now acts for the enterprise: the membership counts from the next call on.
    create(founder, truck(&created.name)).await.unwrap();

    let invite = pb::InviteMemberRequest {
        enterprise: created.name.clone(),
        phone: "+86 139 0524 0002".to_owned(),
        full_name: "李小明".to_owned(),
        scope: vec!["PASS".to_owned()],
        valid_until: Some(prost_types::Timestamp {
            seconds: app.now().as_second() + 86_400,
            nanos: 0,
        }),
        request_id: request_id(),
    };
    let invited = founder.call(invite).await.unwrap();
    assert_eq!(invited.phone, "139****0002");
    let accept = pb::AcceptInvitationRequest { name: invited.name, request_id: request_id() };
    let handler = &city.driver;
    let unproved = handler.call(accept.clone()).await.unwrap_err();
    assert_eq!(unproved.code(), Code::PermissionDenied);
    prove(&app, handler, "13905240002").await;
    let accept = pb::AcceptInvitationRequest { request_id: request_id(), ..accept };
    let member = handler.call(accept).await.unwrap();
    let mut other = truck(&created.name);
    other.plate_number = "苏N88888".to_owned();
    create(handler, other.clone()).await.unwrap();

    let remove = pb::RemoveMemberRequest { name: member.name, request_id: request_id() };
    let own = handler.call(remove.clone()).await.unwrap_err();
    assert_eq!(reason(&own), "DENIED");
    let second = app.another().await;
    founder.at(second).call(remove).await.unwrap();
    other.plate_number = "苏N99999".to_owned();
    let late = create(handler, other).await.unwrap_err();
    assert_eq!(late.code(), Code::PermissionDenied);
}

#[sqlx::test]
async fn a_handlers_authorisation_ends_with_its_day(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.sql("update member set valid_until = '2026-11-25'").await;
    app.forget(&city.handler).await;
    create(&city.handler, truck(&city.enterprise.to_string())).await.unwrap();
    app.advance(SignedDuration::from_hours(24));
    let mut other = truck(&city.enterprise.to_string());
    other.plate_number = "苏N88888".to_owned();
    let late = create(&city.handler, other).await.unwrap_err();
    assert_eq!(late.code(), Code::PermissionDenied);
}

#[sqlx::test]
async fn a_registration_with_wrong_codes_is_told_every_fault(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    prove(&app, &city.stranger, "13905240010").await;
    let mut request = registration(&app, &city.stranger).await;
    request.legal_representative_id = "32130219900229001X".to_owned();
    let enterprise = request.enterprise.as_mut().unwrap();
    enterprise.uscc = "91321302MA1XQ0000M".to_owned();
    enterprise.display_name = String::new();
    enterprise.division_code = "3213".to_owned();
    request.licence = String::new();
    let refused = city.stranger.call(request).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "enterprise.display_name REQUIRED",
            "enterprise.division_code UNKNOWN_VALUE",
            "enterprise.uscc USCC_CHECKSUM",
            "legal_representative_id RESIDENT_ID_BIRTH_DATE",
            "licence MATERIAL_MISSING",
        ]
    );
    let asked = registration(&app, &city.stranger).await;
    city.stranger.call(asked).await.unwrap();
    // The same person claims it once; somebody else claims it beside.
    let asked = registration(&app, &city.stranger).await;
    let twice = city.stranger.call(asked).await.unwrap_err();
    assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "ENTERPRISE_EXISTS"));
    prove(&app, &city.driver, "13905240011").await;
    let asked = registration(&app, &city.driver).await;
    city.driver.call(asked).await.unwrap();
}

// PA-02: the garage, with every fault of a vehicle at once.
#[sqlx::test]
async fn a_vehicle_with_wrong_fields_is_told_every_fault(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let wrong = pb::Vehicle {
        plate_number: "苏NI2345".to_owned(),
        plate_type: "77".to_owned(),
        vehicle_type: "12H".to_owned(),
        vin: "LSVAAI000N1000001".to_owned(),
        gross_mass_kg: 0,
        inspection_valid_until: "2026-02-30".to_owned(),
        relation: pb::vehicle::Relation::Leased.into(),
        ..truck(&city.enterprise.to_string())
    };
    let refused = create(&city.handler, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "vehicle.contract_valid_until REQUIRED",
            "vehicle.gross_mass_kg OUT_OF_RANGE",
            "vehicle.inspection_valid_until DATE_INVALID",
            "vehicle.plate_number PLATE_MALFORMED",
            "vehicle.plate_type PLATE_TYPE_UNKNOWN",
            "vehicle.vehicle_type VEHICLE_TYPE_MALFORMED",
            "vehicle.vin VIN_MALFORMED",
        ]
    );
    let small = pb::Vehicle {
        gross_mass_kg: 3_000,
        outer_length_mm: 5_000,
        ..truck(&city.enterprise.to_string())
    };
    let refused = create(&city.handler, small).await.unwrap_err();
    assert!(fields(&refused).contains(&"vehicle.vehicle_type SIZE_CLASS_MISMATCH".to_owned()));
    let police = pb::Vehicle {
        plate_number: "苏N0001警".to_owned(),
        ..truck(&city.enterprise.to_string())
    };
    let refused = create(&city.handler, police).await.unwrap_err();
    assert_eq!(fields(&refused), ["vehicle.plate_number PLATE_CLASS_REFUSED"]);
}

// PA-02: an odd VIN warns and does not refuse; the same vehicle stands in one garage.
#[sqlx::test]
async fn a_vehicle_stands_in_one_garage_and_its_oddities_are_warnings(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let odd =
        pb::Vehicle { vin: "LZZ1CLNB1NA000001".to_owned(), ..truck(&city.enterprise.to_string()) };
    let stored = create(&city.handler, odd).await.unwrap();
    assert_eq!(stored.plate_number, "苏N77777");
    assert_eq!(stored.warnings[0].code, "VIN_CHECKSUM");
    let twice = create(&city.boss, truck(&city.enterprise.to_string())).await.unwrap_err();
    assert_eq!(reason(&twice), "VEHICLE_EXISTS");
    let listed = city.boss.call(pb::ListVehiclesRequest::default()).await.unwrap().vehicles;
    assert!(listed.iter().all(|vehicle| vehicle.vin.starts_with('*')), "{listed:?}");

    let renamed = pb::Vehicle { plate_number: "苏N66666".to_owned(), ..stored.clone() };
    let update =
        |vehicle| pb::UpdateVehicleRequest { vehicle: Some(vehicle), request_id: request_id() };
    let refused = city.boss.call(update(renamed)).await.unwrap_err();
    assert_eq!(fields(&refused), ["vehicle.plate_number NOT_ALLOWED"]);
    let better = pb::Vehicle { emission_stage: 6, ..stored.clone() };
    let changed = city.boss.call(update(better.clone())).await.unwrap();
    assert_eq!(changed.emission_stage, 6);
    let stale = city.boss.call(update(better)).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
}

// The driver claims by proved phone and plate, shows the pass, and loses it with the removal.
#[sqlx::test]
async fn a_driver_claims_a_vehicle_by_phone_and_plate(pool: PgPool) {
    let app = App::start(pool).await;
    let city: City = app.city().await;
    let pass = city.pass(&app).await;
    let add = pb::AddDriverRequest {
        vehicle: city.vehicle.to_string(),
        full_name: "孙师傅".to_owned(),
        phone: "13905249999".to_owned(),
        request_id: request_id(),
    };
    let driver = city.boss.call(add).await.unwrap();
    let claim = pb::ClaimVehicleRequest {
        plate_number: "苏N12345".to_owned(),
        plate_type: "01".to_owned(),
        request_id: String::new(),
    };
    let get = pb::GetTruckPassRequest { name: pass.name };
    let person = &city.stranger;
    let refused = person.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
    prove(&app, person, "13905249999").await;
    for _ in 0..2 {
        person.call(claim.clone()).await.unwrap();
    }
    person.call(get.clone()).await.unwrap();
    let remove = pb::RemoveDriverRequest { name: driver.name, request_id: request_id() };
    city.boss.call(remove).await.unwrap();
    let late = person.call(get).await.unwrap_err();
    assert_eq!(late.code(), Code::PermissionDenied);
}

// R15: a class comes from a document and an officer, never from the enterprise.
#[sqlx::test]
async fn a_class_is_granted_from_a_document_and_ended(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let seconds = app.now().as_second();
    let stamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let grant = |source: &str, from, until| pb::GrantEnterpriseClassRequest {
        enterprise: city.enterprise.to_string(),
        class_grant: Some(pb::EnterpriseClassGrant {
            class: pb::EnterpriseClass::KeyEnterprise.into(),
            source_document: source.to_owned(),
            valid_from: stamp(from),
            valid_until: stamp(until),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let refused = city.boss.call(grant("x", 1, 2)).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
    let refused = city.first.call(grant("", 2, 1)).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        ["class_grant.source_document REQUIRED", "class_grant.valid_until END_BEFORE_START"]
    );
    let granted = city.first.call(grant("白名单", seconds, seconds + 86_400)).await.unwrap();
    let get = pb::GetEnterpriseRequest { name: city.enterprise.to_string() };
    let seen = city.boss.call(get.clone()).await.unwrap();
    assert_eq!(seen.class_grants.len(), 2);
    let end = pb::EndEnterpriseClassGrantRequest {
        name: granted.name,
        reason: "移出名单".to_owned(),
        request_id: request_id(),
    };
    city.first.call(end).await.unwrap();
    let seen = city.boss.call(get).await.unwrap();
    assert_eq!(seen.class_grants.len(), 1);
}

#[sqlx::test]
async fn a_class_is_granted_once_for_a_time(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let now = app.now().as_second();
    let grant = async |class: Class, from: i64, until: i64| {
        let time =
            |day: i64| Some(prost_types::Timestamp { seconds: now + day * 86_400, nanos: 0 });
        let request = pb::GrantEnterpriseClassRequest {
            enterprise: city.enterprise.to_string(),
            class_grant: Some(pb::EnterpriseClassGrant {
                class: class.into(),
                source_document: "宿工信〔2026〕8号".to_owned(),
                valid_from: time(from),
                valid_until: time(until),
                ..Default::default()
            }),
            request_id: request_id(),
        };
        city.first.call(request).await.map(|it| it.name).map_err(|it| reason(&it))
    };
    let exists = Err("ALREADY_EXISTS".to_owned());
    let first = grant(Class::Leading, 0, 30).await.unwrap();
    for (from, until) in [(0, 30), (5, 10), (-5, 1), (29, 60), (-5, 60)] {
        assert_eq!(grant(Class::Leading, from, until).await, exists, "{from} to {until}");
    }
    // Another class, and the time right behind it.
    grant(Class::Listed, 0, 30).await.unwrap();
    grant(Class::Leading, 30, 60).await.unwrap();
    // What was ended leaves its time to another.
    let end = pb::EndEnterpriseClassGrantRequest {
        name: first,
        reason: "文件已更换".to_owned(),
        request_id: request_id(),
    };
    city.first.call(end).await.unwrap();
    grant(Class::Leading, 0, 30).await.unwrap();
}
