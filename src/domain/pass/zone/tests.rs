//! Zones by the clock: edges to the second, midnight, new year, the exemption of measure 6.

use jiff::civil::{Date, DateTime, Time, date};
use proptest::prelude::*;

use super::*;
use crate::{
    domain::{
        codes::{BodyKind, Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
        common::windows::MonthDay,
        pass::policy::{PolicyValues, RuleId},
    },
    error::Flaw,
};

fn vehicle(vehicle_type: &str, plate_type: &str) -> VehicleFacts {
    VehicleFacts {
        plate: Plate::parse("苏ND12345").unwrap(),
        plate_type: PlateType::parse(plate_type).unwrap(),
        vehicle_type: VehicleType::parse(vehicle_type).unwrap(),
        energy: Energy::parse("C").unwrap(),
        use_nature: UseNature::Freight,
        states: VehicleStates::parse("A").unwrap(),
        blacklisted: false,
    }
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

/// A working day: a Tuesday.
fn on(text: &str) -> DateTime {
    DateTime::from_parts(date(2022, 6, 14), time(text))
}

fn passage<'a>(zone: &'a Zone, vehicle: &VehicleFacts, at: &str) -> Passage<'a> {
    zone.passage(vehicle, &PolicyValues::measure_6(), on(at), DayType::WorkingDay)
}

/// A word for a passage, to compare in tables.
fn word(passage: &Passage<'_>) -> String {
    match passage {
        Passage::NotSubject => "R17".to_owned(),
        Passage::NotNow => "free".to_owned(),
        Passage::Exempt => "exempt".to_owned(),
        Passage::Banned { because, .. } => {
            format!("banned {}", because.map_or("", RuleId::wire)).trim_end().to_owned()
        }
    }
}

/// The decision examples of facts.md, 3.3, that are judged on the road.
#[test]
fn every_road_example_of_the_fact_sheet_holds() {
    let zone = Zone::main_urban_demo();
    for (vehicle_type, plate_type, at, expected) in [
        // GENERAL, H32, NEV 52, 10:30: EXEMPT.
        ("H32", "52", "10:30:00", "exempt"),
        // GENERAL, H32, NEV 52, 07:00:00: not exempt (peak start inclusive).
        ("H32", "52", "07:00:00", "banned R08"),
        // GENERAL, H32, NEV 52, 09:00:00: EXEMPT (peak end exclusive).
        ("H32", "52", "09:00:00", "exempt"),
        // GENERAL, H22, NEV 51, 10:30: not exempt (medium).
        ("H22", "51", "10:30:00", "banned"),
        // GENERAL, H31, NEV 52, 10:30: not exempt (open body).
        ("H31", "52", "10:30:00", "banned"),
        // GENERAL, H33, NEV 52, 10:30: depends on D4, by default not exempt.
        ("H33", "52", "10:30:00", "banned"),
        // The other edges, to the second.
        ("H42", "52", "06:59:59", "exempt"),
        ("H32", "52", "08:59:59", "banned R08"),
        ("H32", "52", "16:59:59", "exempt"),
        ("H32", "52", "17:00:00", "banned R08"),
        ("H32", "52", "18:59:59", "banned R08"),
        ("H32", "52", "19:00:00", "exempt"),
        // The plate type makes new energy, nothing else does.
        ("H32", "02", "10:30:00", "banned"),
        // Outside the hours of the zone nobody needs anything.
        ("H31", "02", "05:59:59", "free"),
        ("H31", "02", "06:00:00", "banned"),
        ("H31", "02", "22:00:00", "free"),
        // A mini dump truck is H45: no decoding by position.
        ("H45", "52", "10:30:00", "banned"),
    ] {
        let found = passage(&zone, &vehicle(vehicle_type, plate_type), at);
        assert_eq!(word(&found), expected, "{vehicle_type} {plate_type} {at}");
    }
    // D4 decided the other way: the set is data.
    let mut values = PolicyValues::measure_6();
    values.exempt_vehicle_types.insert("H33".to_owned());
    let found = zone.passage(&vehicle("H33", "52"), &values, on("10:30:00"), DayType::WorkingDay);
    assert_eq!(found, Passage::Exempt);
}

#[test]
fn the_exemption_has_its_exceptions() {
    // R09.
    let zone = Zone::main_urban_demo();
    let van = || vehicle("H32", "52");
    let mut dangerous = van();
    dangerous.use_nature = UseNature::DangerousGoods;
    let mut overdue = van();
    overdue.states = VehicleStates::parse("AQ").unwrap();
    let mut blacklisted = van();
    blacklisted.blacklisted = true;
    for vehicle in [dangerous, overdue, blacklisted] {
        assert_eq!(word(&passage(&zone, &vehicle, "10:30:00")), "banned R09");
    }
    let mut fined = van();
    fined.states = VehicleStates::parse("AG").unwrap();
    assert_eq!(word(&passage(&zone, &fined, "10:30:00")), "exempt", "a fine is no ban");
    let road = Zone::all_day_road_demo();
    for at in ["00:00:00", "10:30:00", "23:59:59"] {
        assert_eq!(word(&passage(&road, &van(), at)), "banned R09", "{at}");
    }
}

#[test]
fn yanghe_bans_what_its_notice_lists_and_nothing_else() {
    let zone = Zone::yanghe_2023();
    for (vehicle_type, plate_type, expected) in [
        ("H11", "01", "banned"),
        ("H22", "01", "banned"),
        ("H51", "13", "banned"),
        ("N11", "13", "banned"),
        ("Q11", "01", "banned"),
        ("B11", "15", "banned"),
        ("G11", "15", "banned"),
        ("T11", "14", "banned"),
        // R17: light and mini trucks are not in the list.
        ("H31", "02", "R17"),
        ("H32", "52", "R17"),
        ("H41", "02", "R17"),
        ("K31", "02", "R17"),
    ] {
        let vehicle = vehicle(vehicle_type, plate_type);
        for at in ["00:00:00", "03:00:00", "12:00:00", "23:59:59"] {
            assert_eq!(word(&passage(&zone, &vehicle, at)), expected, "{vehicle_type} {at}");
        }
        assert_eq!(zone.subjects(&vehicle), expected == "banned", "{vehicle_type}");
    }
    let mut fire = vehicle("H11", "01");
    fire.use_nature = UseNature::FireService;
    assert_eq!(word(&passage(&zone, &fire, "12:00:00")), "R17");
    assert_eq!(zone.plan.boundary.iter().filter(|road| road.included).count(), 1);
}

#[test]
fn a_window_begins_with_its_first_second_and_ends_before_its_last() {
    for (window, inside, outside) in [
        ("07:00-09:00", vec!["07:00:00", "08:59:59"], vec!["06:59:59", "09:00:00"]),
        (
            "18:30-07:00",
            vec!["18:30:00", "23:59:59", "00:00:00", "06:59:59"],
            vec!["18:29:59", "07:00:00", "12:00:00"],
        ),
        ("00:00-24:00", vec!["00:00:00", "12:00:00", "23:59:59.999999999"], vec![]),
        ("22:00-24:00", vec!["22:00:00", "23:59:59"], vec!["21:59:59", "00:00:00"]),
    ] {
        let parsed = TimeWindow::parse(window).unwrap();
        assert_eq!(parsed.to_string(), window);
        for at in inside {
            assert!(parsed.contains(time(at)), "{window} {at}");
        }
        for at in outside {
            assert!(!parsed.contains(time(at)), "{window} {at}");
        }
    }
    assert_eq!(TimeWindow::ALL_DAY, TimeWindow::parse("00:00-24:00").unwrap());
}

#[test]
fn a_malformed_window_is_refused() {
    for text in [
        "",
        "07:00",
        "7:00-09:00",
        "07:00-07:00",
        "24:00-07:00",
        "07:00-24:01",
        "07:60-08:00",
        "07:00-00:00",
        "+7:00-09:00",
        "07:00–09:00",
    ] {
        assert_eq!(TimeWindow::parse(text), Err(Flaw::TimeWindowInvalid), "{text}");
    }
}

#[test]
fn a_season_may_cross_the_new_year() {
    let season = |from, until| Season {
        from: MonthDay::parse(from).unwrap(),
        until: MonthDay::parse(until).unwrap(),
    };
    let winter = season("11-01", "03-31");
    let summer = season("06-01", "08-31");
    let days: [(Date, bool, bool); 7] = [
        (date(2022, 10, 31), false, false),
        (date(2022, 11, 1), true, false),
        (date(2022, 12, 31), true, false),
        (date(2023, 1, 1), true, false),
        (date(2023, 3, 31), true, false),
        (date(2023, 4, 1), false, false),
        (date(2023, 8, 31), false, true),
    ];
    for (day, in_winter, in_summer) in days {
        assert_eq!(winter.contains(day), in_winter, "{day}");
        assert_eq!(summer.contains(day), in_summer, "{day}");
    }
    assert!(season("02-29", "02-29").contains(date(2024, 2, 29)));
    for text in ["02-30", "13-01", "00-10", "1-1", "0101", ""] {
        assert_eq!(MonthDay::parse(text), Err(Flaw::DateInvalid), "{text}");
    }
}

#[test]
fn a_rule_speaks_in_its_season_and_on_its_days_only() {
    let mut zone = Zone::main_urban_demo();
    zone.plan.rules.truncate(1);
    zone.plan.rules[0].season = Some(Season {
        from: MonthDay::parse("11-01").unwrap(),
        until: MonthDay::parse("03-31").unwrap(),
    });
    zone.plan.rules[0].days = vec![DayType::WorkingDay];
    let truck = vehicle("H11", "01");
    for (day, day_type, banned) in [
        (date(2023, 1, 3), DayType::WorkingDay, true),
        (date(2023, 1, 1), DayType::RestDay, false),
        (date(2023, 6, 1), DayType::WorkingDay, false),
    ] {
        let local = DateTime::from_parts(day, time("12:00:00"));
        assert_eq!(zone.bans(&truck, local, day_type).is_some(), banned, "{day}");
    }
    assert!(zone.subjects(&truck), "banned at other times is still subject");
}

#[test]
fn a_permission_lifts_a_ban_unless_the_ban_is_hard() {
    let mut zone = Zone::main_urban_demo();
    let medium = vehicle("H21", "01");
    assert_eq!(word(&passage(&zone, &medium, "21:59:59")), "banned");
    assert_eq!(word(&passage(&zone, &medium, "22:00:00")), "free");
    assert_eq!(word(&passage(&zone, &medium, "05:59:59")), "free");
    let on_rest_day = zone.bans(&medium, on("23:00:00"), DayType::RestDay);
    assert!(on_rest_day.is_some(), "the permission names working days only");
    let mut dangerous = medium.clone();
    dangerous.use_nature = UseNature::DangerousGoods;
    assert_eq!(word(&passage(&zone, &dangerous, "23:00:00")), "banned", "no such relief");

    zone.plan.rules[0].hard = Some(HardBan::TemporaryControl);
    assert_eq!(word(&passage(&zone, &medium, "23:00:00")), "banned");
}

#[test]
fn of_overlapping_zones_the_strictest_wins() {
    let (demo, yanghe, road) =
        (Zone::main_urban_demo(), Zone::yanghe_2023(), Zone::all_day_road_demo());
    let van = vehicle("H32", "52");
    for (zones, expected) in [
        (vec![&yanghe], "R17"),
        (vec![&yanghe, &demo], "exempt"),
        (vec![&demo, &yanghe], "exempt"),
        (vec![&demo, &road], "banned R09"),
        (vec![&road, &demo], "banned R09"),
    ] {
        let found = strictest(zones.into_iter().map(|zone| passage(zone, &van, "10:30:00")));
        assert_eq!(word(&found.unwrap()), expected);
    }
    assert_eq!(strictest([]), None);
}

#[test]
fn matchers_name_bodies_and_leave_out_bodies() {
    let tanks = VehicleMatcher { bodies: vec![BodyKind::Tank], ..VehicleMatcher::default() };
    assert!(tanks.matches(&vehicle("H14", "01")));
    assert!(!tanks.matches(&vehicle("H11", "01")));
    assert!(!tanks.matches(&vehicle("Q11", "01")), "a tractor has no body");
    let no_dump =
        VehicleMatcher { except_bodies: vec![BodyKind::Dump], ..VehicleMatcher::default() };
    assert!(no_dump.matches(&vehicle("H11", "01")));
    assert!(!no_dump.matches(&vehicle("H17", "01")));
    assert!(!no_dump.matches(&vehicle("H45", "02")), "H45 is a dump truck");
}

#[test]
fn a_plan_survives_json_and_refuses_what_it_does_not_know() {
    for zone in [Zone::yanghe_2023(), Zone::main_urban_demo(), Zone::all_day_road_demo()] {
        let json = serde_json::to_value(&zone.plan).unwrap();
        assert_eq!(serde_json::from_value::<ZonePlan>(json).unwrap(), zone.plan);
    }
    let good = serde_json::json!({
        "boundary": [{"name": "南大街", "included": true}],
        "rules": [{"matcher": {"sizes": ["HEAVY"]}, "windows": ["18:30-07:00"], "effect": "BAN",
                   "season": {"from": "11-01", "until": "03-31"}}],
    });
    let plan: ZonePlan = serde_json::from_value(good.clone()).unwrap();
    assert_eq!(plan.peaks, default_peaks());
    assert!(plan.rules[0].windows[0].crosses_midnight());
    assert_eq!(plan.rules[0].zh(), "11月1日至3月31日18:30-07:00禁止通行:重型各类车辆");
    for (pointer, value) in [
        ("/rules/0/windows/0", serde_json::json!("25:00-07:00")),
        ("/rules/0/matcher/sizes/0", serde_json::json!("HUGE")),
        ("/rules/0/effect", serde_json::json!("MAYBE")),
        ("/rules/0/season/from", serde_json::json!("02-30")),
        ("/rules/0/matcher", serde_json::json!({"size": []})),
        ("/boundary/0", serde_json::json!({"name": "南大街"})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(serde_json::from_value::<ZonePlan>(bad).is_err(), "{pointer}");
    }
}

#[test]
fn the_demonstration_zones_say_that_they_are_invented() {
    // facts.md, 1.13: no notice was found; do not present an invention as a fact.
    for zone in [Zone::main_urban_demo(), Zone::all_day_road_demo()] {
        assert!(zone.name.contains("虚构") && zone.source.contains("演示"));
    }
}

#[test]
fn local_time_is_eight_hours_ahead() {
    let at = "2022-06-14T23:00:00Z".parse().unwrap();
    assert_eq!(local_datetime(at), DateTime::constant(2022, 6, 15, 7, 0, 0, 0));
}

proptest! {
    /// A window and the window of the rest of the day share no second and leave none out.
    #[test]
    fn a_window_and_its_complement_cover_the_day(from in 0_u16..1440, until in 1_u16..1440,
                                                  second in 0_i32..86_400) {
        prop_assume!(from != until && from != 0);
        let window = TimeWindow::new(from, until).unwrap();
        let rest = TimeWindow::new(until, from).unwrap();
        let time = Time::midnight() + jiff::SignedDuration::from_secs(second.into());
        prop_assert!(window.contains(time) != rest.contains(time));
        prop_assert_eq!(TimeWindow::parse(&window.to_string()), Ok(window));
    }
}
