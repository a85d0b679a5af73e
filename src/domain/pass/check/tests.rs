//! Every outcome of a check, and the promises that no outcome may break.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    facts::{CheckFacts, Known, PlateColour},
    *,
};
use crate::{
    domain::{
        codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
        pass::{
            pass_code::{CodeFault, Freshness},
            policy::{PassKind, PolicyValues, PolicyVersion, VehicleFacts},
            zone::{DayType, HardBan, TimeWindow, Zone},
        },
    },
    id::Id,
};

/// Wednesday, 10:30 local.
pub(super) fn now() -> Timestamp {
    "2022-06-15T10:30:00+08:00".parse().unwrap()
}

pub(super) fn plate(text: &str) -> Plate {
    Plate::parse(text).unwrap()
}

pub(super) fn vehicle(vehicle_type: &str, plate_type: &str) -> VehicleFacts {
    VehicleFacts {
        plate: plate("苏N12345"),
        plate_type: PlateType::parse(plate_type).unwrap(),
        vehicle_type: VehicleType::parse(vehicle_type).unwrap(),
        energy: Energy::parse("B").unwrap(),
        use_nature: UseNature::Freight,
        states: VehicleStates::parse("A").unwrap(),
        blacklisted: false,
    }
}

/// An active pass of 苏N12345 for the demonstration zone.
pub(super) fn pass(id: u128) -> PassFacts {
    PassFacts {
        id: Id::of(Uuid::from_u128(id)),
        number: format!("SQHC{id}"),
        state: PassState::Active,
        valid_from: now() - 24.hours(),
        valid_until: now() + 24.hours(),
        zones: vec![9001],
        windows: Vec::new(),
        plate: plate("苏N12345"),
        plate_type: PlateType::parse("01").unwrap(),
        trailer_plate: None,
        kind: PassKind::LongTermDelivery,
        route: "西湖路、发展大道".to_owned(),
        goods: "食品".to_owned(),
    }
}

pub(super) fn known(vehicle: VehicleFacts, passes: Vec<PassFacts>) -> Known {
    Known {
        vehicle: Some(vehicle),
        passes,
        zones: [Zone::main_urban_demo(), Zone::all_day_road_demo(), Zone::yanghe_2023()]
            .map(Arc::new)
            .to_vec(),
        policy: Arc::new(PolicyVersion {
            version: "measure-6".to_owned(),
            effective_from: Timestamp::UNIX_EPOCH,
            effective_until: None,
            source: String::new(),
            values: PolicyValues::measure_6(),
        }),
        as_of: now(),
        age_max_seconds: None,
    }
}

fn truck() -> Known {
    known(vehicle("H12", "01"), vec![pass(1)])
}

pub(super) fn seen(source: Source) -> Observation {
    Observation {
        source,
        zones: vec![9001],
        direction: Some(Direction::Inbound),
        observed_plate: None,
        observed_colour: None,
    }
}

fn by_plate() -> Observation {
    seen(Source::Plate(plate("苏N12345")))
}

fn by_code(freshness: Freshness) -> Observation {
    seen(Source::ScannedCode(CodeClaims {
        pass: Id::of(Uuid::from_u128(1)),
        plate: plate("苏N12345"),
        freshness,
        not_before: None,
        expires: None,
    }))
}

/// Most verdicts hold on every day.
fn judge(facts: &CheckFacts, seen: &Observation, now: Timestamp) -> Judgement {
    super::judge::judge(facts, seen, DayType::WorkingDay, now)
}

fn check(known: Known, seen: &Observation) -> Judgement {
    judge(&CheckFacts::Known(Box::new(known)), seen, now())
}

type Change = fn(&mut Known, &mut Observation);

/// QR-15: each outcome of facts.md, 1.11, is reached, has a sentence, and its verdict.
#[test]
fn every_outcome_is_reached_from_one_changed_fact() {
    use CheckOutcome as O;
    let table: Vec<(O, Change)> = vec![
        (O::Valid, |_, _| ()),
        (O::Exempt, |k, _| *k = known(vehicle("H32", "52"), vec![])),
        (O::NoPassRequired, |k, s| {
            *k = known(vehicle("H31", "02"), vec![]);
            s.zones = vec![1];
        }),
        (O::NotFound, |k, _| k.passes.clear()),
        (O::SignatureInvalid, |_, s| s.source = Source::FaultyCode(CodeFault::SignatureWrong)),
        (O::SignatureInvalid, |_, s| s.source = Source::FaultyCode(CodeFault::KeyInvented)),
        (O::NotACode, |_, s| s.source = Source::FaultyCode(CodeFault::Malformed)),
        (O::NotACode, |_, s| s.source = Source::FaultyCode(CodeFault::Foreign)),
        (O::KeyWithdrawn, |_, s| s.source = Source::FaultyCode(CodeFault::KeyRevoked)),
        (O::CodeStale, |_, s| *s = by_code(Freshness::Stale)),
        (O::PlateMismatch, |_, s| s.observed_plate = Some(plate("苏N54321"))),
        (O::PlateMismatch, |_, s| s.observed_colour = Some(PlateColour::Blue)),
        (O::NotStarted, |k, _| k.passes[0].valid_from = now() + 1.second()),
        (O::Expired, |k, _| k.passes[0].valid_until = now()),
        (O::Suspended, |k, _| k.passes[0].state = PassState::Suspended),
        (O::Revoked, |k, _| k.passes[0].state = PassState::Withdrawn),
        (O::Revoked, |k, _| k.passes[0].state = PassState::Cancelled),
        (O::Revoked, |k, _| k.passes[0].state = PassState::Annulled),
        (O::Revoked, |k, _| k.passes[0].state = PassState::Penalised),
        (O::Revoked, |k, _| k.passes[0].state = PassState::Superseded),
        (O::OutOfTimeWindow, |k, _| {
            let window = TimeWindow::parse("10:31-12:00").unwrap();
            k.passes[0].windows = vec![PassWindow { days: 0, window }];
        }),
        (O::OutOfArea, |k, _| k.passes[0].zones = vec![1]),
        (O::VehicleAbnormal, |k, _| {
            k.vehicle.as_mut().unwrap().states = VehicleStates::parse("Q").unwrap();
        }),
        (O::Blacklisted, |k, _| k.vehicle.as_mut().unwrap().blacklisted = true),
        (O::KeyUnknown, |_, s| s.source = Source::FaultyCode(CodeFault::KeyUnknown)),
        (O::StatusUnknown, |_, s| *s = by_code(Freshness::FromFuture)),
        (O::StatusUnknown, |_, s| s.zones = vec![4242]),
        (O::StatusUnknown, |_, s| s.zones.clear()),
        (O::StatusUnknown, |k, _| k.vehicle = None),
    ];
    for outcome in O::ALL {
        assert!(table.iter().any(|(reached, _)| reached == outcome), "{outcome:?} is unreached");
    }
    for (row, (outcome, change)) in table.into_iter().enumerate() {
        for mut observed in [by_plate(), by_code(Freshness::Fresh)] {
            let mut facts = truck();
            change(&mut facts, &mut observed);
            if outcome == O::Exempt || outcome == O::NoPassRequired {
                // A code needs its pass; a plate shows the way without one.
                observed.source = by_plate().source;
            }
            let judged = check(facts, &observed);
            assert_eq!(judged.outcome, outcome, "row {row}: {judged:?}");
            assert_eq!(judged.verdict, outcome.verdict());
            assert!(judged.reasons[0].starts_with(outcome.zh()), "row {row}: {judged:?}");
            assert_eq!(judged.policy_version, "measure-6");
            assert!(judged.zone_versions.contains(&"9001:1".to_owned()));
            assert_eq!(judged.as_of, Some(now()));
        }
    }
}

/// QR-14: bound to the vehicle, not only to the code.
#[test]
fn a_code_is_bound_to_its_vehicle() {
    // The code of pass 1 with the plate of another pass.
    let mut facts = truck();
    let mut other = pass(2);
    other.plate = plate("苏N54321");
    facts.passes.push(other);
    let mut observed = by_code(Freshness::Fresh);
    if let Source::ScannedCode(claims) = &mut observed.source {
        claims.plate = plate("苏N54321");
    }
    assert_eq!(check(facts, &observed).outcome, CheckOutcome::PlateMismatch);

    // The genuine code behind another plate.
    let mut observed = by_code(Freshness::Fresh);
    observed.observed_plate = Some(plate("苏N54321"));
    assert_eq!(check(truck(), &observed).outcome, CheckOutcome::PlateMismatch);
    observed.observed_plate = Some(plate("苏n·12345"));
    assert_eq!(check(truck(), &observed).outcome, CheckOutcome::Valid);

    // What the officer compares: plate, colour, kind, goods, route, trailer (PA-16).
    let mut facts = truck();
    facts.passes[0].trailer_plate = Some(plate("苏N1234挂"));
    let judged = check(facts, &by_code(Freshness::Fresh));
    let lines = judged.compare.join("\n");
    for part in ["苏N12345", "黄色", "重型厢式货车(H12)", "食品", "西湖路", "苏N1234挂"]
    {
        assert!(lines.contains(part), "{part} in {lines}");
    }
}

/// QR-16: what cannot be known is neither yes nor no.
#[test]
fn an_undecidable_check_is_neither_yes_nor_no() {
    for why in Why::ALL {
        let away = CheckFacts::Unavailable(*why);
        for observed in [by_plate(), by_code(Freshness::Fresh), by_code(Freshness::Stale)] {
            let judged = judge(&away, &observed, now());
            assert_eq!(judged.verdict, Verdict::Undetermined);
            assert_eq!(judged.outcome, CheckOutcome::StatusUnknown);
            assert!(judged.reasons.contains(&why.zh().to_owned()));
            assert_eq!(judged.as_of, None);
        }
        // A forged code is a no even then; an unknown key is not.
        let forged = seen(Source::FaultyCode(CodeFault::SignatureWrong));
        assert_eq!(judge(&away, &forged, now()).verdict, Verdict::Invalid);
        let unknown = seen(Source::FaultyCode(CodeFault::KeyUnknown));
        assert_eq!(judge(&away, &unknown, now()).verdict, Verdict::Undetermined);
    }
}

/// 'What no peer has' 1: facts older than their limit may not show green.
#[test]
fn a_yes_on_old_facts_is_undecidable_and_a_no_stays_a_no() {
    for (age, verdict) in [(600, Verdict::Valid), (601, Verdict::Undetermined)] {
        let mut facts = truck();
        facts.as_of = now() - age.seconds();
        facts.age_max_seconds = Some(600);
        assert_eq!(check(facts, &by_plate()).verdict, verdict, "{age}");
    }
    let mut facts = truck();
    facts.as_of = now() - 1.hour();
    facts.age_max_seconds = Some(600);
    facts.passes[0].state = PassState::Annulled;
    assert_eq!(check(facts, &by_plate()).outcome, CheckOutcome::Revoked);
}

/// QR-17: by plate, without a phone, the best pass counts whatever the order of the rows.
#[test]
fn by_plate_the_most_favourable_pass_counts() {
    let mut expired = pass(1);
    expired.valid_until = now() - 1.hour();
    let mut revoked = pass(2);
    revoked.state = PassState::Annulled;
    let good = pass(3);
    let mut elsewhere = pass(4);
    elsewhere.zones = vec![1];
    elsewhere.valid_until = now() + 48.hours();
    let mut foreign = pass(5);
    foreign.plate = plate("苏N54321");
    let all = [expired, revoked, good, elsewhere, foreign];
    for turn in 0..all.len() {
        let mut passes = all.to_vec();
        passes.rotate_left(turn);
        let judged = check(known(vehicle("H12", "01"), passes.clone()), &by_plate());
        assert_eq!(judged.outcome, CheckOutcome::Valid);
        assert_eq!(judged.pass, Some(Id::of(Uuid::from_u128(3))));
        // Without it the lightest fault is told.
        passes.retain(|pass| pass.id != Id::of(Uuid::from_u128(3)));
        let judged = check(known(vehicle("H12", "01"), passes), &by_plate());
        assert_eq!(judged.outcome, CheckOutcome::OutOfArea);
    }
}

#[test]
fn a_pass_is_found_by_its_typed_number() {
    let number = |text: &str| seen(Source::PassNumber(text.to_owned()));
    assert_eq!(check(truck(), &number("SQHC1")).outcome, CheckOutcome::Valid);
    assert_eq!(check(truck(), &number("SQHC2")).outcome, CheckOutcome::NotFound);
    let mut observed = number("SQHC1");
    observed.observed_plate = Some(plate("苏N54321"));
    assert_eq!(check(truck(), &observed).outcome, CheckOutcome::PlateMismatch);
}

#[test]
fn a_printed_code_is_valid_but_not_proven_live() {
    let judged = check(truck(), &by_code(Freshness::Printed));
    assert_eq!(judged.outcome, CheckOutcome::Valid);
    assert!(judged.reasons.iter().any(|reason| reason.contains("静态码")));
    let live = check(truck(), &by_code(Freshness::Fresh));
    assert!(!live.reasons.iter().any(|reason| reason.contains("静态码")));
}

#[test]
fn measure_6_opens_the_way_outside_peaks_only() {
    for (at, outcome, rule) in [
        ("2022-06-15T06:59:59+08:00", CheckOutcome::Exempt, "R07"),
        ("2022-06-15T07:00:00+08:00", CheckOutcome::OutOfTimeWindow, "R08"),
        ("2022-06-15T08:59:59+08:00", CheckOutcome::OutOfTimeWindow, "R08"),
        ("2022-06-15T09:00:00+08:00", CheckOutcome::Exempt, "R07"),
    ] {
        let facts = CheckFacts::Known(Box::new(known(vehicle("H32", "52"), vec![])));
        let judged = judge(&facts, &by_plate(), at.parse().unwrap());
        assert_eq!(judged.outcome, outcome, "{at}");
        assert!(judged.rules.iter().any(|it| it == rule), "{at} {:?}", judged.rules);
        assert!(judged.reasons.iter().any(|r| r.contains("高峰")) || rule == "R07");
    }
    // In the peak a pass opens it (R06).
    let facts = CheckFacts::Known(Box::new(known(vehicle("H32", "52"), vec![pass(1)])));
    let peak = "2022-06-15T08:00:00+08:00".parse().unwrap();
    let mut facts_now = facts.clone();
    if let CheckFacts::Known(known) = &mut facts_now {
        known.passes[0].valid_from = peak;
    }
    assert_eq!(judge(&facts_now, &by_plate(), peak).outcome, CheckOutcome::Valid);
}

#[test]
fn an_expired_pass_of_an_exempt_van_is_told_but_does_not_stop_it() {
    let mut facts = known(vehicle("H32", "52"), vec![pass(1)]);
    facts.passes[0].valid_until = now();
    let judged = check(facts.clone(), &by_code(Freshness::Fresh));
    assert_eq!(judged.outcome, CheckOutcome::Exempt);
    assert!(judged.reasons.iter().any(|reason| reason.contains("已到期")));
    // A sign of misuse stops it all the same.
    assert_eq!(check(facts, &by_code(Freshness::Stale)).outcome, CheckOutcome::CodeStale);
}

#[test]
fn a_signature_without_a_row_is_never_a_yes() {
    let facts = known(vehicle("H32", "52"), vec![]);
    let judged = check(facts, &by_code(Freshness::Fresh));
    assert_eq!(judged.outcome, CheckOutcome::NotFound);
    let mut unknown = truck();
    unknown.vehicle = None;
    unknown.passes.clear();
    let judged = check(unknown, &by_plate());
    assert_eq!(judged.outcome, CheckOutcome::NotFound);
    assert!(judged.reasons.iter().any(|reason| reason.contains("未在本系统登记")));
}

#[test]
fn every_zone_that_bans_must_be_covered() {
    let mut observed = by_plate();
    observed.zones = vec![9001, 1, 9002];
    let mut first = pass(1);
    first.zones = vec![9001, 1];
    let facts = known(vehicle("H12", "01"), vec![first.clone()]);
    assert_eq!(check(facts, &observed).outcome, CheckOutcome::OutOfArea);
    // Two passes complete each other, by plate.
    let mut second = pass(2);
    second.zones = vec![9002];
    let facts = known(vehicle("H12", "01"), vec![first.clone(), second.clone()]);
    assert_eq!(check(facts, &observed).outcome, CheckOutcome::Valid);
    second.state = PassState::Suspended;
    let facts = known(vehicle("H12", "01"), vec![first.clone(), second]);
    assert_eq!(check(facts, &observed).outcome, CheckOutcome::OutOfArea);
    // A zone that does not ban the vehicle needs no pass.
    first.zones = vec![9001];
    observed.zones = vec![9001, 1];
    let facts = known(vehicle("H31", "02"), vec![first]);
    assert_eq!(check(facts, &observed).outcome, CheckOutcome::Valid);
}

#[test]
fn a_temporary_control_is_opened_by_no_pass() {
    let mut facts = truck();
    Arc::make_mut(&mut facts.zones[0]).plan.rules[0].hard = Some(HardBan::TemporaryControl);
    let judged = check(facts.clone(), &by_plate());
    assert_eq!(judged.outcome, CheckOutcome::OutOfArea);
    assert!(judged.rules.contains(&"R09".to_owned()));
    assert!(judged.reasons.iter().any(|reason| reason.contains("临时交通管制")));
    Arc::make_mut(&mut facts.zones[0]).plan.rules[0].hard = Some(HardBan::AllDayRoad);
    assert_eq!(check(facts, &by_plate()).outcome, CheckOutcome::Valid);
}

#[test]
fn every_reason_is_told_and_the_weightiest_first() {
    let mut facts = truck();
    facts.passes[0].state = PassState::Penalised;
    facts.passes[0].zones.clear();
    let vehicle = facts.vehicle.as_mut().unwrap();
    vehicle.blacklisted = true;
    vehicle.states = VehicleStates::parse("CQ").unwrap();
    let judged = check(facts, &by_code(Freshness::Stale));
    assert_eq!(judged.outcome, CheckOutcome::CodeStale);
    let all = judged.reasons.join("\n");
    for part in ["截图", "黑名单", "状态异常", "已吊销", "区域", "被盗抢、逾期未检验"]
    {
        assert!(all.contains(part), "{part} in {all}");
    }
    assert!(judged.rules.contains(&"R01".to_owned()));
}

#[test]
fn a_superseded_pass_points_at_the_one_in_its_place() {
    let mut facts = truck();
    facts.passes[0].state = PassState::Superseded;
    facts.passes.push(pass(2));
    let judged = check(facts, &by_code(Freshness::Fresh));
    assert_eq!(judged.outcome, CheckOutcome::Revoked);
    assert!(judged.reasons.iter().any(|reason| reason.contains("SQHC2")));
}

#[test]
fn the_small_hours_of_a_night_window_belong_to_the_evening_before() {
    // Friday nights only: 2022-06-17 is a Friday.
    let window = PassWindow { days: 1 << 4, window: TimeWindow::parse("18:30-07:00").unwrap() };
    for (at, inside) in [
        ("2022-06-17T18:29:59", false),
        ("2022-06-17T18:30:00", true),
        ("2022-06-18T06:59:59", true),
        ("2022-06-18T07:00:00", false),
        ("2022-06-18T18:30:00", false),
        ("2022-06-17T06:00:00", false),
    ] {
        assert_eq!(window.contains(at.parse().unwrap()), inside, "{at}");
    }
    let sunday = PassWindow { days: 1 << 6, window: TimeWindow::parse("22:00-02:00").unwrap() };
    assert!(sunday.contains("2022-06-20T01:00:00".parse().unwrap()), "Monday, 1 o'clock");
}

#[test]
fn a_pass_begins_and_ends_to_the_second() {
    let (from, until) = (pass(1).valid_from, pass(1).valid_until);
    for (at, outcome) in [
        (from - 1.second(), CheckOutcome::NotStarted),
        (from, CheckOutcome::Valid),
        (until - 1.second(), CheckOutcome::Valid),
        (until, CheckOutcome::Expired),
    ] {
        let facts = CheckFacts::Known(Box::new(truck()));
        assert_eq!(judge(&facts, &by_plate(), at).outcome, outcome, "{at}");
    }
}

fn any_state() -> impl Strategy<Value = PassState> {
    proptest::sample::select(PassState::ALL)
}

proptest! {
    /// I1: a pass in another state than ACTIVE gives VALID at no instant, to no vehicle, however
    /// it is looked up; and a truck that is banned gets no yes at all.
    #[test]
    fn only_an_active_pass_is_valid(state in any_state(), minutes in -5_000_i64..5_000,
                                    code in any::<bool>(), exempt in any::<bool>(),
                                    zone in proptest::sample::select(vec![9001_u16, 9002, 1])) {
        let facts = if exempt { vehicle("H32", "52") } else { vehicle("H12", "01") };
        let mut facts = known(facts, vec![pass(1)]);
        facts.passes[0].state = state;
        facts.passes[0].zones = vec![9001, 9002, 1];
        let mut observed = if code { by_code(Freshness::Fresh) } else { by_plate() };
        observed.zones = vec![zone];
        let at = now() + minutes.minutes();
        let judged = judge(&CheckFacts::Known(Box::new(facts)), &observed, at);
        let in_period = (-1_440..1_440).contains(&minutes);
        prop_assert_eq!(
            judged.outcome == CheckOutcome::Valid,
            state == PassState::Active && in_period
        );
        prop_assert!(exempt || state == PassState::Active || judged.verdict == Verdict::Invalid);
    }

    /// The order of the rows never changes the verdict.
    #[test]
    fn the_order_of_the_passes_does_not_matter(
        states in proptest::collection::vec((any_state(), -2_i64..3, any::<bool>()), 1..6),
        turn in 0_usize..6,
    ) {
        let passes: Vec<_> = states.iter().zip(1_u128..).map(|((state, days, here), id)| {
            let mut pass = pass(id);
            pass.state = *state;
            pass.valid_until = now() + (days * 24).hours();
            if !here { pass.zones = vec![1]; }
            pass
        }).collect();
        let mut turned = passes.clone();
        turned.rotate_left(turn % passes.len());
        prop_assert_eq!(
            check(known(vehicle("H12", "01"), passes), &by_plate()),
            check(known(vehicle("H12", "01"), turned), &by_plate())
        );
    }
}
