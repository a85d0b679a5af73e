//! How long a pass lasts: months, days, one trip, never beyond its papers.

use super::*;

#[test]
fn months_end_before_the_corresponding_day() {
    // The vectors of facts.md, 3.3, through a whole evaluation.
    for (start, months, end) in [
        (date(2022, 6, 15), 6, date(2022, 12, 15)),
        (date(2022, 8, 31), 6, date(2023, 3, 1)),
        (date(2023, 8, 31), 6, date(2024, 3, 1)),
        (date(2024, 2, 29), 12, date(2025, 3, 1)),
        (date(2023, 1, 31), 1, date(2023, 3, 1)),
    ] {
        let mut inputs = of_classes(long(months), &[EnterpriseClass::KeyEnterprise]);
        inputs.ask.start = start;
        let evaluation = judge(&inputs);
        let grant = evaluation.outcome.grant().unwrap();
        assert_eq!(grant.valid_from, start_of_day(start));
        assert_eq!(grant.valid_until, start_of_day(end), "{start} + {months}");
    }
}

#[test]
fn temporary_and_short_passes_count_days() {
    // R10: 3 days, 7 with the upper level; short 15 days.
    let d = Length::Days;
    for (kind, asked, wire, granted, steps, end) in [
        (PassKind::Temporary, 1, "GRANT", 1, 1, "2022-06-16"),
        (PassKind::Temporary, 3, "GRANT", 3, 1, "2022-06-18"),
        (PassKind::Temporary, 4, "GRANT", 4, 2, "2022-06-19"),
        (PassKind::Temporary, 7, "GRANT", 7, 2, "2022-06-22"),
        (PassKind::Temporary, 8, "OFFER", 7, 2, "2022-06-22"),
        (PassKind::ShortTerm, 15, "GRANT", 15, 1, "2022-06-30"),
        (PassKind::ShortTerm, 16, "OFFER", 15, 1, "2022-06-30"),
    ] {
        let evaluation = judge(&inputs(kind, d(asked)));
        let expected = (wire, format!("2022-06-15..{end}"), d(granted), steps);
        assert_eq!(told(&evaluation.outcome), expected, "{kind:?} {asked}");
        assert!(rules(&evaluation).contains(&RuleId::R10));
    }
    for (kind, length, field) in [
        (PassKind::Temporary, Length::Months(1), "need.days"),
        (PassKind::Temporary, Length::Days(0), "need.days"),
        (PassKind::LongTermDelivery, Length::Days(30), "need.months"),
        (PassKind::LongTermDelivery, Length::Months(0), "need.months"),
    ] {
        let found = corrections(&judge(&inputs(kind, length)));
        assert_eq!(found, [(RefusalReason::MaterialIncomplete, field)]);
    }
}

#[test]
fn the_green_lane_is_one_trip_in_a_special_period() {
    // R11: raw material or product, 72 hours from now, no quota.
    for (active, cargo, reason) in [
        (true, CargoKind::RawMaterial, None),
        (true, CargoKind::Product, None),
        (true, CargoKind::Other, Some(RefusalReason::WrongPassKind)),
        (false, CargoKind::Product, Some(RefusalReason::SpecialPeriodInactive)),
    ] {
        let mut inputs = inputs(PassKind::GreenLane, Length::Hours(0));
        inputs.ask.cargo = cargo;
        inputs.standing.special_period_active = active;
        inputs.standing.quota_free = Some(0);
        let evaluation = judge(&inputs);
        assert!(rules(&evaluation).contains(&RuleId::R11));
        if let Some(reason) = reason {
            assert_eq!(refusals(&evaluation), [reason]);
        } else {
            let grant = evaluation.outcome.grant().unwrap();
            assert_eq!(grant.valid_from, now());
            assert_eq!(grant.valid_until.duration_since(now()).as_hours(), 72);
            assert_eq!((grant.length, grant.quota_needed), (Length::Hours(72), false));
        }
    }
}

#[test]
fn a_pass_never_outlives_any_of_its_papers() {
    // R12: each paper alone is the limit; its last day is still covered.
    type Limit = fn(&mut VehiclePapers);
    let set: [(&str, Limit); 5] = [
        ("vehicle.inspection_valid_until", |p| p.inspection_valid_until = date(2022, 8, 20)),
        ("vehicle.insurance_valid_until", |p| p.insurance_valid_until = date(2022, 8, 20)),
        ("vehicle.scrapping_date", |p| p.scrapping_date = Some(date(2022, 8, 20))),
        ("vehicle.contract_valid_until", |p| p.contract_valid_until = Some(date(2022, 8, 20))),
        ("vehicle.transport_permit_valid_until", |p| {
            p.transport_permit_valid_until = Some(date(2022, 8, 20));
        }),
    ];
    for (field, limit) in set {
        let mut inputs = of_classes(long(6), &[EnterpriseClass::KeyEnterprise]);
        limit(&mut inputs.papers);
        let found = corrections(&judge(&inputs));
        assert_eq!(found, [(RefusalReason::MaterialExpiresBeforePass, field)]);
        inputs.ask.shorten_agreed = true;
        let evaluation = judge(&inputs);
        let expected = ("GRANT", "2022-06-15..2022-08-21".to_owned(), Length::Days(67), 1);
        assert_eq!(told(&evaluation.outcome), expected, "{field}");
        assert!(rules(&evaluation).contains(&RuleId::R12));
    }

    // Exactly to the last day there is nothing to shorten.
    let mut exact = of_classes(long(6), &[EnterpriseClass::KeyEnterprise]);
    exact.papers.insurance_valid_until = date(2022, 12, 14);
    assert_eq!(judge(&exact).outcome.wire(), "GRANT");
    // A paper that ends before the pass begins cannot be shortened to.
    exact.papers.insurance_valid_until = date(2022, 6, 14);
    exact.ask.shorten_agreed = true;
    let found = corrections(&judge(&exact));
    assert_eq!(
        found,
        [(RefusalReason::MaterialExpiresBeforePass, "vehicle.insurance_valid_until")]
    );
    // Two short papers are told at once.
    exact.papers.inspection_valid_until = date(2022, 6, 1);
    assert_eq!(corrections(&judge(&exact)).len(), 2);
}
