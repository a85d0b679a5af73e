//! Every outcome of a check, and what a code proves.

use jiff::{SignedDuration, ToSpan as _};
use jingqi::surface::{
    crypto::{SigningKey, Suite},
    domain::{
        identity::signing_key::Purpose,
        pass::pass_code::{self, CodeMode, PassClaims},
    },
    service::pb::{
        check_pass_request::Observed,
        pass_check::{Outcome, Verdict},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{ask, by_plate, change, check, issue, issue_for};
use crate::harness::{App, FOREIGN_PLATE, PLATE};

// QR-15, QR-16 and facts.md, 1.11: every outcome that the facts of a plate can lead to.
#[sqlx::test]
async fn every_outcome_is_reached_and_told(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let _pass = issue(&app, &city, 1).await;
    let officer = city.first.name.trim_start_matches("officers/").to_owned();
    let ban = format!(
        "insert into blacklist_entry (id, vehicle_id, reason_code, reason, valid_from, valid_until,
            officer_id, create_time, lift_note)
         values (gen_random_uuid(), '{}', 'X', 'x', '2026-11-24T11:00:00+08:00',
            '2026-11-24T12:00:00+08:00', '{officer}', now(), '')",
        city.vehicle.uuid()
    );
    let table: [(&str, Outcome, &str); 11] = [
        ("update truck_pass set state = 'SUSPENDED'", Outcome::Suspended, "暂停"),
        ("update truck_pass set state = 'ANNULLED'", Outcome::Revoked, "已撤销"),
        ("update truck_pass set state = 'CANCELLED'", Outcome::Revoked, "已注销"),
        ("update truck_pass set state = 'ACTIVE', zone_ids = '{}'", Outcome::OutOfArea, "区域"),
        (
            "update truck_pass set zone_ids = array[(select zone_id from zone_version limit 1)],
                time_windows = '[{\"days\": 0, \"from_minute\": 0, \"until_minute\": 60}]'",
            Outcome::OutOfTimeWindow,
            "时段",
        ),
        (
            "update truck_pass set time_windows = '[]',
                valid_from = '2026-11-24T10:30:00.000001+08:00'",
            Outcome::NotStarted,
            "尚未生效",
        ),
        (
            "update truck_pass set valid_from = '2026-11-01',
                valid_until = '2026-11-24T10:30:00+08:00'",
            Outcome::Expired,
            "已到期",
        ),
        ("update truck_pass set valid_until = '2026-12-01'", Outcome::PassValid, "有效"),
        ("update vehicle set vehicle_states = 'CQ'", Outcome::VehicleAbnormal, "被盗抢"),
        (
            "update vehicle set vehicle_states = 'A', plate_number = '苏N00001'",
            Outcome::StatusUnknown,
            "缺少车辆资料",
        ),
        ("update vehicle set plate_number = '苏N12345'", Outcome::PassValid, "有效"),
    ];
    for (text, outcome, told) in table {
        change(&app, text).await;
        let answer = check(&city.device, by_plate()).await;
        assert_eq!(answer.outcome(), outcome, "{text}: {answer:?}");
        assert!(answer.reasons.join("\n").contains(told), "{told}: {:?}", answer.reasons);
    }
    // The blacklist has a begin and an end, judged at each check although the facts are kept.
    change(&app, &ban).await;
    for (advance_minutes, outcome) in
        [(0, Outcome::PassValid), (30, Outcome::Blacklisted), (60, Outcome::PassValid)]
    {
        app.advance(SignedDuration::from_mins(advance_minutes));
        assert_eq!(check(&city.device, by_plate()).await.outcome(), outcome);
    }
    // Nobody knows this plate.
    let unknown = ask(Observed::PlateNumber(FOREIGN_PLATE.to_owned()));
    let unknown = check(&city.device, unknown).await;
    assert_eq!((unknown.verdict(), unknown.outcome()), (Verdict::Invalid, Outcome::NotFound));
}

// QR-14: a genuine code behind another plate; QR-08, I5: a screenshot; I4: forged and unknown keys.
#[sqlx::test]
async fn a_code_proves_only_what_it_should(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let code = pass.code(&app, CodeMode::Dynamic).await;
    let by_code = |text: &str| ask(Observed::Code(text.to_owned()));

    let mut other = by_code(&code);
    other.observed_plate_number = FOREIGN_PLATE.to_owned();
    assert_eq!(check(&city.device, other).await.outcome(), Outcome::PlateMismatch);

    let printed = pass.code(&app, CodeMode::Printed).await;
    let answer = check(&city.device, by_code(&printed)).await;
    assert_eq!(answer.outcome(), Outcome::PassValid);
    assert!(answer.reasons.iter().any(|reason| reason.contains("静态码")));

    // A pass of ours that no row knows.
    let mut unknown = issue(&app, &city, 2).await;
    unknown.claims.pass = Uuid::from_u128(7);
    let text = unknown.code(&app, CodeMode::Dynamic).await;
    assert_eq!(check(&city.device, by_code(&text)).await.outcome(), Outcome::NotFound);

    // The time that the code claims counts too.
    let mut over = issue(&app, &city, 3).await;
    over.claims.expires = app.now().as_second();
    let text = over.code(&app, CodeMode::Dynamic).await;
    assert_eq!(check(&city.device, by_code(&text)).await.outcome(), Outcome::Expired);

    let future = pass.code_at(&app, CodeMode::Dynamic, app.now() + 60.seconds()).await;
    let answer = check(&city.device, by_code(&future)).await;
    assert_eq!(
        (answer.verdict(), answer.outcome()),
        (Verdict::Undetermined, Outcome::StatusUnknown)
    );

    app.advance(SignedDuration::from_secs(91));
    assert_eq!(check(&city.device, by_code(&code)).await.outcome(), Outcome::CodeStale);

    // Another key under our key id; a key id that nobody knows; no code at all.
    let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
    let kid = snapshot.signing_key(Purpose::PassCode, Suite::Intl, app.now()).unwrap().kid;
    let foreign = SigningKey::from_bytes(Suite::Intl, &[9; 32]).unwrap();
    let claims = PassClaims { issued_at: app.now().as_second(), ..pass.claims.clone() };
    for (text, verdict, outcome) in [
        (
            pass_code::encode(&claims, CodeMode::Dynamic, kid, &foreign).unwrap(),
            Verdict::Invalid,
            Outcome::SignatureInvalid,
        ),
        (
            pass_code::encode(&claims, CodeMode::Dynamic, [0, 1, 2, 3], &foreign).unwrap(),
            Verdict::Invalid,
            Outcome::SignatureInvalid,
        ),
        ("https://example.com/?q=1".to_owned(), Verdict::Invalid, Outcome::NotACode),
    ] {
        let answer = check(&city.device, by_code(&text)).await;
        assert_eq!((answer.verdict(), answer.outcome()), (verdict, outcome), "{text}");
        assert_eq!(answer.plate_number, "", "nothing is believed of it");
    }

    // QR-05, I10: a code that was believed is not any more when its key is ended.
    let fresh = pass.code(&app, CodeMode::Dynamic).await;
    assert_eq!(check(&city.device, by_code(&fresh)).await.outcome(), Outcome::PassValid);
    app.sql("update signing_key set revoke_time = now() where purpose = 'PASS_CODE'").await;
    app.changed_world().await;
    assert_eq!(check(&city.device, by_code(&fresh)).await.outcome(), Outcome::KeyWithdrawn);
}

// QR-17: one number, two plate types: a code says which, a plate does not.
#[sqlx::test]
async fn a_plate_number_of_two_vehicles_is_decided_only_where_both_agree(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    let small = app.vehicle(city.enterprise, PLATE, "02", "H21", 8_000, 6_500).await;
    change(&app, "select 1").await;
    // The smaller truck needs a pass too and has none.
    let answer = check(&city.device, by_plate()).await;
    assert_eq!(answer.verdict(), Verdict::Undetermined, "{answer:?}");
    assert!(answer.compare.iter().any(|line| line.contains("蓝色")), "{answer:?}");
    assert!(answer.compare.iter().any(|line| line.contains("黄色")), "{answer:?}");
    let code = ask(Observed::Code(pass.code(&app, CodeMode::Dynamic).await));
    assert_eq!(check(&city.device, code).await.outcome(), Outcome::PassValid);
    // A stop of one of them alone is no stop of the other.
    change(&app, "update vehicle set vehicle_states = 'Q' where plate_type = '02'").await;
    assert_eq!(check(&city.device, by_plate()).await.verdict(), Verdict::Undetermined);
    change(&app, "update vehicle set vehicle_states = 'Q'").await;
    assert_eq!(check(&city.device, by_plate()).await.verdict(), Verdict::Invalid);
    change(&app, "update vehicle set vehicle_states = 'A'").await;
    let second = issue_for(&app, &city, small, "02", 2).await;
    let by_number = ask(Observed::PassNumber(second.number));
    let answer = check(&city.device, by_number).await;
    assert_eq!(answer.verdict(), Verdict::Valid, "{answer:?}");
}
