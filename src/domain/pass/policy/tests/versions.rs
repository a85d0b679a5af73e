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
    assert!(PolicyValues::measure_6().faults().is_empty());
    let broken: [(Break, &str, Flaw); 10] = [
        (|v| v.months_key_enterprise_max = 13, "months_key_enterprise_max", Flaw::OutOfRange),
        (|v| v.months_general_max = 0, "months_general_max", Flaw::OutOfRange),
        (|v| v.days_temporary_max = 8, "days_temporary_max", Flaw::OutOfRange),
        (|v| v.hours_green_lane = 169, "hours_green_lane", Flaw::OutOfRange),
        (|v| v.promised.other_working_days = 6, "promised.other_working_days", Flaw::OutOfRange),
        (|v| v.attachments.truncate(8), "attachments", Flaw::Required),
        (|v| v.attachments[0].required.push(vec![]), "attachments[0].required[3]", Flaw::Required),
        (
            |v| v.blocking_vehicle_states.push('X'),
            "blocking_vehicle_states",
            Flaw::VehicleStateUnknown,
        ),
        (
            |v| v.exempt_vehicle_types = ["32".to_owned()].into(),
            "exempt_vehicle_types",
            Flaw::VehicleTypeMalformed,
        ),
        (
            |v| v.exempt_vehicle_types = ["H22".to_owned()].into(),
            "exempt_vehicle_types",
            Flaw::SizeClassMismatch,
        ),
    ];
    for (break_it, path, flaw) in broken {
        let mut values = PolicyValues::measure_6();
        break_it(&mut values);
        let told = values.faults().into_fields();
        let told: Vec<_> = told.iter().map(|fault| (fault.path.as_str(), fault.flaw)).collect();
        assert_eq!(told, [(path, flaw)]);
    }
}

// Every number of the values, and every extreme: each is told by its own name, all at once.
#[test]
fn a_number_outside_its_range_is_told_by_its_field() {
    let json = serde_json::to_value(PolicyValues::measure_6()).unwrap();
    let mut numbers = Vec::new();
    for (name, value) in json.as_object().unwrap() {
        match value {
            serde_json::Value::Number(_) => numbers.push((None, name.clone())),
            serde_json::Value::Object(inner) => {
                let inner = inner.iter().filter(|(_, value)| value.is_number());
                numbers.extend(inner.map(|(field, _)| (Some(name.clone()), field.clone())));
            }
            _ => {}
        }
    }
    // None stands for a month here.
    numbers.extend(["months_new_energy_max", "emission_stage_min"].map(|it| (None, it.to_owned())));
    assert!(numbers.len() >= 17, "{numbers:?}");
    let mut all = json.clone();
    for (outer, field) in &numbers {
        for extreme in [100_000_u64, 1 << 31, u64::from(u32::MAX)] {
            let mut one = json.clone();
            for broken in [&mut one, &mut all] {
                let inside = match outer {
                    Some(outer) => &mut broken[outer],
                    None => broken,
                };
                inside[field] = extreme.into();
            }
            let values: PolicyValues = serde_json::from_value(one).unwrap();
            let path = outer.as_ref().map_or(field.clone(), |outer| format!("{outer}.{field}"));
            let told = values.faults().into_fields();
            let named = told.iter().any(|it| it.path == path && it.flaw == Flaw::OutOfRange);
            // What nothing may exceed is what everything else is compared with.
            assert!(named, "{path} = {extreme}: {told:?}");
        }
    }
    let values: PolicyValues = serde_json::from_value(all).unwrap();
    assert!(values.faults().into_fields().len() >= numbers.len());
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
