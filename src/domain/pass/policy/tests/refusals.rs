//! What refuses a pass, or asks for a correction.

use super::*;

#[test]
fn a_blocked_vehicle_is_refused_with_every_reason() {
    // R01, and 'What no peer has' 13: all reasons, with rules, inputs and version.
    let mut inputs = long(1);
    inputs.vehicle.states = VehicleStates::parse("CEGKMNQ").unwrap();
    inputs.vehicle.blacklisted = true;
    inputs.enterprise.verified = false;
    inputs.ask.attachments.clear();
    inputs.standing.quota_free = Some(0);
    let evaluation = judge(&inputs);
    let mut reasons = refusals(&evaluation).to_vec();
    reasons.sort_unstable();
    let mut expected = vec![
        RefusalReason::VehicleStolen,
        RefusalReason::VehicleDeregistered,
        RefusalReason::UnhandledViolations,
        RefusalReason::VehicleImpounded,
        RefusalReason::VehicleScrappedOrDue,
        RefusalReason::HitAndRunPending,
        RefusalReason::VehicleOverdueInspection,
        RefusalReason::Blacklisted,
        RefusalReason::EnterpriseNotVerified,
        RefusalReason::MaterialIncomplete,
        RefusalReason::QuotaExhausted,
    ];
    expected.sort_unstable();
    assert_eq!(reasons, expected);
    let stolen = evaluation.findings.iter().find(|f| f.text.contains("被盗抢")).unwrap();
    assert_eq!(stolen.rule, RuleId::R01);
    assert_eq!(stolen.inputs, [("vehicle_state", "C".to_owned())]);
}

#[test]
fn each_vehicle_state_of_the_blocking_set_refuses_and_no_other() {
    for letter in "ABCDEHIJKLMNOPQ".chars() {
        let mut inputs = long(1);
        inputs.vehicle.states = VehicleStates::parse(&letter.to_string()).unwrap();
        let refused = matches!(judge(&inputs).outcome, Outcome::Refuse(_));
        assert_eq!(refused, "BCEIJKLMNOPQ".contains(letter), "{letter}");
    }
    // G is for the policy to say.
    let mut inputs = long(1);
    inputs.vehicle.states = VehicleStates::parse("AG").unwrap();
    let mut version = version();
    for blocks in [true, false] {
        version.values.unhandled_violation_blocks = blocks;
        let refused = matches!(evaluate(&inputs, &version, now()).outcome, Outcome::Refuse(_));
        assert_eq!(refused, blocks);
    }
}

#[test]
fn a_suspended_or_blacklisted_enterprise_gets_no_pass() {
    let mut inputs = long(1);
    inputs.enterprise.suspended = true;
    inputs.enterprise.blacklisted = true;
    assert_eq!(
        refusals(&judge(&inputs)),
        [RefusalReason::Blacklisted, RefusalReason::EnterpriseNotVerified]
    );
}

#[test]
fn missing_material_alone_is_corrected_and_told_at_once() {
    let mut inputs = long(1);
    inputs.ask.attachments.clear();
    let evaluation = judge(&inputs);
    assert_eq!(corrections(&evaluation), [(RefusalReason::MaterialIncomplete, "attachments"); 3]);
    assert!(rules(&evaluation).contains(&RuleId::R01));

    // Measure 9: what an electronic licence tells is not asked for on paper.
    inputs.ask.e_licences = [AttachmentKind::VehicleLicence, AttachmentKind::Insurance].into();
    assert_eq!(corrections(&judge(&inputs)).len(), 1);
    // But an e-licence replaces only what the policy says.
    inputs.ask.e_licences.insert(AttachmentKind::TransportContract);
    assert_eq!(corrections(&judge(&inputs)).len(), 1);
    inputs.ask.attachments = [AttachmentKind::TransportContract].into();
    assert_eq!(judge(&inputs).outcome.wire(), "GRANT");
}

#[test]
fn dangerous_goods_follow_rules_of_their_own() {
    // R02: at most 6 months whatever the class, final review, fixed route and time, permit.
    let mut inputs = of_classes(
        inputs(PassKind::DangerousGoods, Length::Months(12)),
        &[EnterpriseClass::KeyEnterprise],
    );
    inputs.vehicle.use_nature = UseNature::DangerousGoods;
    let evaluation = judge(&inputs);
    assert_eq!(
        told(&evaluation.outcome),
        ("OFFER", "2022-06-15..2022-12-15".to_owned(), Length::Months(6), 2)
    );
    assert!(rules(&evaluation).contains(&RuleId::R02));

    inputs.ask.has_route = false;
    inputs.ask.has_time_windows = false;
    inputs.ask.has_permit_number = false;
    let fields: Vec<_> = corrections(&judge(&inputs)).into_iter().map(|need| need.1).collect();
    assert_eq!(fields, ["need.route", "need.time_windows", "need.permit_number"]);

    // A truck of dangerous goods under another kind, and the kind for another truck.
    let mut hidden = long(1);
    hidden.vehicle.use_nature = UseNature::DangerousGoods;
    assert_eq!(refusals(&judge(&hidden)), [RefusalReason::WrongPassKind]);
    inputs.vehicle.use_nature = UseNature::Freight;
    assert!(refusals(&judge(&inputs)).contains(&RefusalReason::WrongPassKind));
}

fn active(zone: u128, end: jiff::civil::Date) -> ActivePass {
    ActivePass {
        id: Id::of(Uuid::from_u128(77)),
        zone: Id::of(Uuid::from_u128(zone)),
        valid_until: start_of_day(end),
    }
}

#[test]
fn one_plate_has_one_long_term_pass_in_a_zone() {
    // R16, PA-19. Today is 2022-06-15; the window opens 30 days before the end.
    for (zone, end, outcome) in [
        (1, date(2022, 7, 16), "REFUSE"),
        (1, date(2022, 7, 15), "GRANT"),
        (1, date(2022, 6, 16), "GRANT"),
        (2, date(2022, 12, 15), "GRANT"),
        (1, date(2022, 6, 15), "GRANT"),
    ] {
        let mut inputs = long(1);
        inputs.standing.active_passes = vec![active(zone, end)];
        let evaluation = judge(&inputs);
        assert_eq!(evaluation.outcome.wire(), outcome, "zone {zone} until {end}");
        if outcome == "REFUSE" {
            assert_eq!(refusals(&evaluation), [RefusalReason::DuplicateActivePass]);
            let told = evaluation.findings.iter().find(|f| f.rule == RuleId::R16).unwrap();
            assert!(told.inputs.contains(&("renewal_from", "2022-06-16".to_owned())));
        }
    }
}

#[test]
fn a_renewal_begins_where_the_old_pass_ends() {
    // R16: new start = old end; the latest one of several zones.
    let mut inputs = long(1);
    inputs.ask.zones.push(zone(2, true));
    inputs.standing.active_passes = vec![active(1, date(2022, 7, 10)), active(2, date(2022, 7, 1))];
    let evaluation = judge(&inputs);
    let expected = ("GRANT", "2022-07-10..2022-08-10".to_owned(), Length::Months(1), 1);
    assert_eq!(told(&evaluation.outcome), expected);
    assert_eq!(evaluation.outcome.grant().unwrap().renews.len(), 2);
}

#[test]
fn an_amendment_is_no_duplicate_of_the_pass_that_it_replaces() {
    let mut inputs = long(1);
    let pass = active(1, date(2022, 12, 15));
    inputs.ask.replaces = Some(pass.id);
    inputs.standing.active_passes = vec![pass];
    let evaluation = judge(&inputs);
    assert_eq!(evaluation.outcome.wire(), "GRANT");
    assert!(evaluation.outcome.grant().unwrap().renews.is_empty());
    // A temporary pass beside a long-term one is no duplicate either.
    let mut temporary = super::tests::inputs(PassKind::Temporary, Length::Days(1));
    temporary.standing.active_passes = vec![active(1, date(2022, 12, 15))];
    assert_eq!(judge(&temporary).outcome.wire(), "GRANT");
}

#[test]
fn a_vehicle_that_no_zone_bans_needs_no_pass() {
    // R17: told even where papers are missing; but a blocked vehicle hears that first.
    let mut inputs = long(1);
    inputs.ask.zones = vec![zone(1, false), zone(2, false)];
    inputs.ask.attachments.clear();
    let evaluation = judge(&inputs);
    assert_eq!(evaluation.outcome, Outcome::NoPassRequired);
    assert!(rules(&evaluation).contains(&RuleId::R17));

    inputs.vehicle.blacklisted = true;
    assert!(refusals(&judge(&inputs)).contains(&RefusalReason::Blacklisted));

    // One zone that bans is enough to need a pass; the free one is told.
    let mut mixed = long(1);
    mixed.ask.zones.push(zone(2, false));
    let evaluation = judge(&mixed);
    assert_eq!(evaluation.outcome.wire(), "GRANT");
    assert!(rules(&evaluation).contains(&RuleId::R17));
}

#[test]
fn a_route_over_a_closed_road_and_an_old_engine_are_refused() {
    let mut inputs = long(1);
    inputs.ask.route_on_all_day_road = true;
    inputs.papers.emission_stage = Some(3);
    let mut version = version();
    version.values.emission_stage_min = Some(4);
    let evaluation = evaluate(&inputs, &version, now());
    assert_eq!(
        refusals(&evaluation),
        [RefusalReason::EmissionStageTooLow, RefusalReason::RouteNotAllowed]
    );
}
