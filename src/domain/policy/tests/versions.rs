//! Dated versions, their values, and who decides by them.

use super::*;

#[test]
fn the_review_time_is_not_taken_from_the_applicant() {
    let mut inputs = long(1);
    inputs.ask.start = date(2022, 6, 10);
    let expected = ("GRANT", "2022-06-15..2022-07-15".to_owned(), Length::Months(1), 1);
    assert_eq!(told(&judge(&inputs).outcome), expected);
}

#[test]
fn engineering_and_several_districts_need_a_second_step() {
    let mut engineering = inputs(PassKind::Engineering, Length::Months(1));
    assert_eq!(judge(&engineering).outcome.grant().unwrap().reviews, Reviews::TwoStep);
    engineering.ask.has_permit_number = false;
    assert_eq!(corrections(&judge(&engineering))[0].1, "need.permit_number");
    let mut across = long(1);
    across.ask.cross_district = true;
    assert_eq!(judge(&across).outcome.grant().unwrap().reviews, Reviews::TwoStep);
}

#[test]
fn rules_decide_alone_only_where_the_policy_permits() {
    // PA-05.
    let mut values = PolicyValues::measure_6();
    let temporary = judge(&inputs(PassKind::Temporary, Length::Days(3)));
    assert!(!may_approve_automatically(&temporary, &values), "off by default");
    values.automatic_approval.enabled = true;
    assert!(may_approve_automatically(&temporary, &values));

    let mut scarce = inputs(PassKind::Temporary, Length::Days(3));
    scarce.standing.quota_free = Some(9);
    let mut blocked = inputs(PassKind::Temporary, Length::Days(3));
    blocked.vehicle.blacklisted = true;
    for (why, refused) in [
        ("upper level", inputs(PassKind::Temporary, Length::Days(4))),
        ("an offer", inputs(PassKind::Temporary, Length::Days(8))),
        ("another kind", long(1)),
        ("a place is taken", scarce),
        ("refused", blocked),
    ] {
        assert!(!may_approve_automatically(&judge(&refused), &values), "{why}");
    }
}

#[test]
fn the_version_in_force_is_found_or_missed_by_name() {
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let mut old = version();
    old.version = "old".to_owned();
    old.effective_from = at("2022-01-01T00:00:00+08:00");
    old.effective_until = Some(at("2022-07-01T00:00:00+08:00"));
    let mut new = version();
    new.version = "new".to_owned();
    new.effective_from = at("2022-07-01T00:00:00+08:00");
    let versions = [new, old];
    for (instant, found) in [
        ("2021-12-31T23:59:59+08:00", None),
        ("2022-01-01T00:00:00+08:00", Some("old")),
        ("2022-06-30T23:59:59+08:00", Some("old")),
        ("2022-07-01T00:00:00+08:00", Some("new")),
        ("2030-01-01T00:00:00+08:00", Some("new")),
    ] {
        let version = version_at(&versions, at(instant));
        match found {
            Some(name) => assert_eq!(version.unwrap().version, name, "{instant}"),
            None => assert_eq!(version.unwrap_err().reason(), Reason::PolicyMissing),
        }
    }
    assert!(version_at::<PolicyVersion>(&[], now()).is_err());
}

#[test]
fn values_survive_json_and_refuse_what_they_do_not_know() {
    let values = PolicyValues::measure_6();
    let json = serde_json::to_value(&values).unwrap();
    assert_eq!(serde_json::from_value::<PolicyValues>(json.clone()).unwrap(), values);
    let mut unknown = json.clone();
    unknown["months_genral_max"] = 3.into();
    assert!(serde_json::from_value::<PolicyValues>(unknown).is_err(), "a typo is not ignored");
    let mut kind = json;
    kind["final_review_kinds"] = serde_json::json!(["HELICOPTER"]);
    assert!(serde_json::from_value::<PolicyValues>(kind).is_err());
}

#[test]
fn values_that_no_policy_can_mean_are_refused() {
    type Break = fn(&mut PolicyValues);
    assert_eq!(PolicyValues::measure_6().check(), Ok(()));
    let broken: [(Break, Flaw); 6] = [
        (|v| v.months_key_enterprise_max = 13, Flaw::OutOfRange),
        (|v| v.months_general_max = 0, Flaw::OutOfRange),
        (|v| v.days_temporary_max = 8, Flaw::OutOfRange),
        (|v| v.blocking_vehicle_states.push('X'), Flaw::VehicleStateUnknown),
        (|v| v.exempt_vehicle_types = ["32".to_owned()].into(), Flaw::VehicleTypeMalformed),
        (|v| v.exempt_vehicle_types = ["H22".to_owned()].into(), Flaw::SizeClassMismatch),
    ];
    for (break_it, flaw) in broken {
        let mut values = PolicyValues::measure_6();
        break_it(&mut values);
        assert_eq!(values.check(), Err(flaw));
    }
}

#[test]
fn every_reason_of_the_fact_sheet_has_a_name_and_a_sentence() {
    let mut names: Vec<_> = RefusalReason::ALL.iter().map(|reason| reason.wire()).collect();
    for reason in RefusalReason::ALL {
        assert_eq!(RefusalReason::from_wire(reason.wire()), Some(*reason));
        assert!(!reason.zh().is_empty());
    }
    names.sort_unstable();
    names.dedup();
    // 22 of facts.md, 1.8, and VEHICLE_STATE_ABNORMAL for the states that it does not name.
    assert_eq!(names.len(), 23);
}
