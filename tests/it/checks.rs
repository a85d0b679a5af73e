//! Checks at a checkpoint: the record before the answer, the scope, actions and the list of keys. The
//! outcomes stand in `outcomes`; that they are the same whatever the cache holds, in `stores`.

mod outcomes;
mod stores;

use jiff::{Timestamp, ToSpan as _};
use jingqi::surface::{
    crypto::{SigningKey, Suite, VerifyingKey},
    domain::{
        common::number::PassNumber,
        identity::signing_key::Purpose,
        pass::pass_code::{self, CodeMode, KeyList, PassClaims},
    },
    id::{Id, kind},
    service::pb::{
        self,
        check_pass_request::Observed,
        pass_check::{Action, Outcome, Verdict},
    },
    store::common::world,
};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, FOREIGN_PLATE, PLATE, User, fact, fields, reason, request_id};

/// A pass, put into the database as an approval would.
pub struct Issued {
    pub id: Id<kind::TruckPass>,
    pub number: String,
    pub claims: PassClaims,
}

impl Issued {
    /// Its code, signed now by the key of passes.
    pub async fn code(&self, app: &App, mode: CodeMode) -> String {
        self.code_at(app, mode, app.now()).await
    }

    pub async fn code_at(&self, app: &App, mode: CodeMode, at: Timestamp) -> String {
        let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
        let key = snapshot.signing_key(Purpose::PassCode, Suite::Intl, app.now()).unwrap();
        let private = world::private_key(&app.parts.store, key).unwrap();
        let signer = SigningKey::from_bytes(Suite::Intl, &private).unwrap();
        let claims = PassClaims { issued_at: at.as_second(), ..self.claims.clone() };
        pass_code::encode(&claims, mode, key.kid, &signer).unwrap()
    }
}

pub async fn issue(app: &App, city: &City, sequence: u32) -> Issued {
    issue_for(app, city, city.vehicle, "01", sequence).await
}

pub async fn issue_for(
    app: &App,
    city: &City,
    vehicle: Id<kind::Vehicle>,
    plate_type: &str,
    sequence: u32,
) -> Issued {
    let now = app.now();
    let (from, until) = (now - 24.hours(), now + 24.hours());
    let number = PassNumber::new("2026-11-23".parse().unwrap(), sequence).unwrap();
    let (id, application) = (app.parts.ids.random(), app.parts.ids.random());
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    sqlx::query(
        "insert into pass_application (id, number, enterprise_id, unit_path, vehicle_id, purpose,
            source_channel, applicant, filed_on_behalf, need, declaration_accepted, state,
            corrections, create_time, update_time, pauses, version)
         values ($1, $2, $3, $4, $5, 'NEW', 'MINI_PROGRAM', 'test', false, $6, true, 'APPROVED',
            '[]', now(), now(), '[]', 1)",
    )
    .bind(application)
    .bind(application.to_string())
    .bind(city.enterprise.uuid())
    .bind(&city.brigade_path)
    .bind(vehicle.uuid())
    .bind(serde_json::json!({ "sequence": sequence }))
    .execute(tx.conn())
    .await
    .unwrap();
    sqlx::query(
        "insert into truck_pass (id, number, enterprise_id, unit_path, vehicle_id, plate_number,
            plate_type, pass_application_id, revision, pass_kind, zone_ids, time_windows, route,
            goods, trailer_plate_number, valid_from, valid_until, state, reason_note,
            source_channel, evaluation, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 1, 'LONG_TERM_DELIVERY', $9,
            '[{\"days\": 0, \"from_minute\": 540, \"until_minute\": 1020}]', '{洋河大道}', '白酒',
            '', $10::text::timestamptz, $11::text::timestamptz, 'ACTIVE', '', 'MINI_PROGRAM', '{}',
            now(), now(), 1)",
    )
    .bind(id)
    .bind(number.as_str())
    .bind(city.enterprise.uuid())
    .bind(&city.brigade_path)
    .bind(vehicle.uuid())
    .bind(PLATE)
    .bind(plate_type)
    .bind(application)
    .bind(vec![city.zone.uuid()])
    .bind(from.to_string())
    .bind(until.to_string())
    .execute(tx.conn())
    .await
    .unwrap();
    tx.touch(format!("plate:{PLATE}"));
    tx.commit().await.unwrap();
    let claims = PassClaims {
        pass: id,
        plate: PLATE.to_owned(),
        plate_type: plate_type.to_owned(),
        kind: 0,
        zones: vec![1],
        windows: vec![],
        issued_at: 0,
        not_before: from.as_second(),
        expires: until.as_second(),
    };
    Issued { id: Id::of(id), number: number.as_str().to_owned(), claims }
}

/// Changes facts of the plate in a unit of work, as every writer must.
pub async fn change(app: &App, text: &str) {
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(text.to_owned())).execute(tx.conn()).await.unwrap();
    tx.touch(format!("plate:{PLATE}"));
    tx.commit().await.unwrap();
}

pub fn ask(observed: Observed) -> pb::CheckPassRequest {
    pb::CheckPassRequest {
        observed: Some(observed),
        request_id: request_id(),
        ..Default::default()
    }
}

pub fn by_plate() -> pb::CheckPassRequest {
    ask(Observed::PlateNumber(PLATE.to_owned()))
}

fn all() -> pb::ListPassChecksRequest {
    pb::ListPassChecksRequest::default()
}

pub async fn check(user: &User, request: pb::CheckPassRequest) -> pb::PassCheck {
    user.call(request).await.unwrap()
}

// QR-01, QR-14, QR-17: by code, by plate and by number the same pass is found; the answer says what
// it rests on, and is recorded before it is given.
#[sqlx::test]
async fn a_truck_with_a_pass_is_checked(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let code = pass.code(&app, CodeMode::Dynamic).await;
    for observed in [
        Observed::Code(code),
        Observed::PlateNumber("苏n·12345".to_owned()),
        Observed::PassNumber(pass.number.to_lowercase()),
    ] {
        let scanned = matches!(observed, Observed::Code(_));
        let answer = check(&city.device, ask(observed)).await;
        assert_eq!((answer.verdict(), answer.outcome()), (Verdict::Valid, Outcome::PassValid));
        assert_eq!(answer.truck_pass, pass.id.to_string());
        assert_eq!(answer.pass_number, pass.number);
        assert_eq!(answer.plate_number, PLATE);
        assert_eq!(answer.holder, "宿迁******公司");
        assert_eq!(answer.valid_until.unwrap().seconds, pass.claims.expires);
        assert_eq!(answer.checkpoint, city.checkpoint.to_string());
        let compare = answer.compare.join("\n");
        for part in [PLATE, "黄色", "白酒", "洋河大道"] {
            assert!(compare.contains(part), "{part} in {compare}");
        }
        let as_of = answer.data_as_of.unwrap();
        assert_eq!(as_of.policy_version, "2022-06");
        assert_eq!(as_of.zone_versions.len(), 1);
        assert!(as_of.standing_version >= 1);
        assert_eq!(as_of.kid.len(), if scanned { 8 } else { 0 });
        let recorded = format!(
            "select count(*) from pass_check where 'passChecks/' || id = '{}' and verdict = 'VALID'
                and plate_number = '{PLATE}' and truck_pass_id = '{}'",
            answer.name,
            pass.id.uuid()
        );
        assert_eq!(app.count(&recorded).await, 1);
    }
}

// I11: one scan, one record, one answer, also when many copies of it arrive at once.
#[sqlx::test]
async fn a_repeated_scan_gets_its_first_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let request = by_plate();
    let twins = (0..64).map(|_| {
        let (device, request) = (city.device.clone(), request.clone());
        tokio::spawn(async move { check(&device, request).await })
    });
    let mut answers = Vec::new();
    for twin in twins.collect::<Vec<_>>() {
        answers.push(twin.await.unwrap());
    }
    change(&app, "update truck_pass set state = 'SUSPENDED'").await;
    answers.push(check(&city.device, request.clone()).await);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(app.count("select count(*) from pass_check").await, 1);

    let other = pb::CheckPassRequest { latitude: 33.0, ..request.clone() };
    let refused = city.device.call(other).await.unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    // The same id of another actor is another request.
    let request = pb::CheckPassRequest { checkpoint: city.checkpoint.to_string(), ..request };
    assert_eq!(check(&city.patrol, request).await.outcome(), Outcome::Suspended);
}

#[sqlx::test]
async fn a_malformed_request_is_told_every_fault_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let wrong = pb::CheckPassRequest {
        observed: Some(Observed::PassNumber("SQHC202611230000010".to_owned())),
        direction: 9,
        observed_plate_number: "苏I12345".to_owned(),
        plate_source: "RADAR".to_owned(),
        request_id: "1".to_owned(),
        latitude: f64::NAN,
        longitude: 181.0,
        checkpoint: String::new(),
    };
    let refused = city.patrol.call(wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        fields(&refused),
        [
            "checkpoint REQUIRED",
            "direction UNKNOWN_VALUE",
            "latitude POSITION_INVALID",
            "longitude POSITION_INVALID",
            "observed_plate_number PLATE_MALFORMED",
            "pass_number NUMBER_CHECKSUM",
            "plate_source UNKNOWN_VALUE",
            "request_id REQUEST_ID_MALFORMED",
        ]
    );
    let refused = city.device.call(pb::CheckPassRequest::default()).await;
    assert_eq!(fields(&refused.unwrap_err()), ["observed REQUIRED"]);
    let long = ask(Observed::Code("T".repeat(2_049)));
    let refused = city.device.call(long).await.unwrap_err();
    assert_eq!(fields(&refused), ["code TOO_LONG"]);
}

// A device checks at its own checkpoint alone, an officer within the unit.
#[sqlx::test]
async fn a_check_stays_within_the_scope(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let root = (city.root, "321300000000/".to_owned());
    let elsewhere = app.checkpoint(&root, city.zone).await;
    let there = pb::CheckPassRequest { checkpoint: elsewhere.to_string(), ..by_plate() };
    for user in [&city.device, &city.patrol, &city.auxiliary] {
        let refused = user.call(there.clone()).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
    }
    let here = pb::CheckPassRequest { checkpoint: city.checkpoint.to_string(), ..by_plate() };
    for user in [&city.device, &city.patrol, &city.auxiliary] {
        let here = pb::CheckPassRequest { request_id: request_id(), ..here.clone() };
        assert_eq!(check(user, here).await.verdict(), Verdict::Valid);
    }
    let list = pb::ListPassChecksRequest { page_size: 2, ..Default::default() };
    let first = city.patrol.call(list.clone()).await.unwrap();
    assert_eq!(first.pass_checks.len(), 2);
    let rest = pb::ListPassChecksRequest { page_token: first.next_page_token, ..list };
    let rest = city.patrol.call(rest).await.unwrap();
    assert_eq!((rest.pass_checks.len(), rest.next_page_token.as_str()), (1, ""));
    assert!(first.pass_checks[1].name > rest.pass_checks[0].name);
    let none = city.foreign_reviewer.call(all()).await.unwrap();
    assert_eq!(none.pass_checks, []);
    let foreign =
        pb::ListPassChecksRequest { plate_number: FOREIGN_PLATE.to_owned(), ..Default::default() };
    let none = city.patrol.call(foreign).await.unwrap();
    assert_eq!(none.pass_checks, []);
}

// D10: an auxiliary scans and records, and never decides; an action is recorded once.
#[sqlx::test]
async fn an_action_is_recorded_once_by_who_may_take_it(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let answer = check(&city.device, by_plate()).await;
    let act = |action: Action| pb::RecordCheckActionRequest {
        name: answer.name.clone(),
        action: action.into(),
        note: "车货不符".to_owned(),
        ..Default::default()
    };
    for user in [&city.device, &city.auxiliary] {
        let refused = user.call(act(Action::Penalise)).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
        let mut propose = act(Action::TurnBack);
        propose.propose_revocation = true;
        let refused = user.call(propose).await.unwrap_err();
        assert_eq!(reason(&refused), "DENIED");
    }
    let mut propose = act(Action::Penalise);
    propose.propose_revocation = true;
    propose.request_id = request_id();
    let done = city.patrol.call(propose.clone()).await.unwrap();
    assert_eq!((done.action(), done.action_note.as_str()), (Action::Penalise, "车货不符"));
    let again = city.patrol.call(propose).await.unwrap();
    assert_eq!(again, done);
    let twice = city.patrol.call(act(Action::Release)).await.unwrap_err();
    assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "ALREADY_EXISTS"));
    let remarks = format!(
        "select count(*) from change where subject_id = '{}' and action = 'PROPOSE_REVOCATION'",
        pass.id.uuid()
    );
    assert_eq!(app.count(&remarks).await, 1);
    let listed = city.patrol.call(all()).await.unwrap();
    assert_eq!(listed.pass_checks, [done]);
    // The police read that it was proposed, with why; the holder reads neither.
    let steps = pb::ListTruckPassChangesRequest { name: pass.id.to_string() };
    let read = city.first.call(steps.clone()).await.unwrap();
    let actions: Vec<_> = read.changes.into_iter().map(|it| it.action).collect();
    assert_eq!(actions, ["PROPOSE_REVOCATION"]);
    let read = city.handler.call(steps).await.unwrap();
    let actions: Vec<_> = read.changes.into_iter().map(|it| it.action).collect();
    assert_eq!(actions, Vec::<String>::new());

    let missing = pb::RecordCheckActionRequest { action: 9, ..Default::default() };
    let refused = city.patrol.call(missing).await.unwrap_err();
    assert_eq!(fields(&refused), ["action UNKNOWN_VALUE", "name REQUIRED"]);
}

// D10: the end of a pass that has ended is not proposed.
#[sqlx::test]
async fn the_end_of_an_ended_pass_is_not_proposed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let answer = check(&city.device, by_plate()).await;
    app.sql(&format!("update truck_pass set state = 'CANCELLED' where id = '{}'", pass.id.uuid()))
        .await;
    let mut propose = pb::RecordCheckActionRequest {
        name: answer.name,
        action: Action::TurnBack.into(),
        propose_revocation: true,
        ..Default::default()
    };
    let refused = city.patrol.call(propose.clone()).await.unwrap_err();
    assert_eq!(
        (reason(&refused), fact(&refused, "state")),
        ("TRANSITION_ILLEGAL".to_owned(), "CANCELLED".to_owned())
    );
    // Nothing was written of it: what was done is recorded without the proposal.
    propose.propose_revocation = false;
    city.patrol.call(propose).await.unwrap();
}

// QR-07: the list verifies with its key, names every key of passes, and never goes back.
#[sqlx::test]
async fn a_device_gets_the_signed_list_of_keys(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let list = |known_version| pb::GetPassKeyListRequest { known_version };
    let first = city.device.call(list(0)).await.unwrap();
    let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
    let key = snapshot.signing_key(Purpose::KeyList, Suite::Intl, app.now()).unwrap();
    let key = VerifyingKey::from_bytes(Suite::Intl, &key.public_key).unwrap();
    let read = KeyList::verify(&first.signed_list, &key).unwrap();
    assert_eq!(read.version, first.version);
    assert_eq!(read.next_update, first.next_update_time.unwrap().seconds);
    let code = pass.code(&app, CodeMode::Dynamic).await;
    let verified = pass_code::parse(&code).unwrap().verify(&read.ring(), app.now());
    assert_eq!(verified.unwrap().claims().pass, pass.id.uuid());
    let mut altered = first.signed_list.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert!(KeyList::verify(&altered, &key).is_err());

    let same = city.device.call(list(first.version)).await.unwrap();
    assert_eq!((same.version, same.signed_list.len()), (first.version, 0));
    app.changed_world().await;
    let next = city.device.call(list(first.version)).await.unwrap();
    assert!(next.version > first.version);
}
