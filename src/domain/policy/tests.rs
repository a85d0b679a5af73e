//! The rule table, example by example. No promise of the rooms around it.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::date};
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
        month::{local_date, start_of_day},
    },
    error::{Flaw, Reason},
    id::Id,
};

fn now() -> Timestamp {
    // 10:00 local on the day on which measure 6 was published.
    "2022-06-15T02:00:00Z".parse().unwrap()
}

fn version() -> PolicyVersion {
    PolicyVersion {
        version: "measure-6".to_owned(),
        effective_from: Timestamp::UNIX_EPOCH,
        effective_until: None,
        source: "20条措施".to_owned(),
        values: PolicyValues::measure_6(),
    }
}

fn grant(class: EnterpriseClass, id: u128) -> ClassGrant {
    ClassGrant {
        id: Id::of(Uuid::from_u128(id)),
        class,
        valid_from: Timestamp::UNIX_EPOCH,
        valid_until: Timestamp::MAX,
    }
}

fn vehicle(vehicle_type: &str, plate_type: &str) -> VehicleFacts {
    VehicleFacts {
        plate: Plate::parse("苏N12345").unwrap(),
        plate_type: PlateType::parse(plate_type).unwrap(),
        vehicle_type: VehicleType::parse(vehicle_type).unwrap(),
        energy: Energy::parse("B").unwrap(),
        use_nature: UseNature::Freight,
        states: VehicleStates::parse("A").unwrap(),
        blacklisted: false,
    }
}

fn zone(id: u128, bans_vehicle: bool) -> AskedZone {
    AskedZone { zone: Id::of(Uuid::from_u128(id)), name: format!("区域{id}"), bans_vehicle }
}

/// An enterprise of no class asks for an owned H21 whose papers last long.
fn inputs(kind: PassKind, length: Length) -> Inputs {
    Inputs {
        enterprise: EnterpriseFacts { verified: true, ..EnterpriseFacts::default() },
        vehicle: vehicle("H21", "01"),
        papers: VehiclePapers {
            inspection_valid_until: date(2030, 1, 1),
            insurance_valid_until: date(2030, 1, 1),
            scrapping_date: None,
            transport_permit_valid_until: None,
            contract_valid_until: None,
            relation: Relation::Owned,
            emission_stage: None,
        },
        ask: Ask {
            kind,
            zones: vec![zone(1, true)],
            start: date(2022, 6, 15),
            length,
            shorten_agreed: false,
            cargo: CargoKind::Other,
            attachments: AttachmentKind::ALL.iter().copied().collect(),
            e_licences: BTreeSet::new(),
            has_route: true,
            has_time_windows: true,
            route_on_all_day_road: false,
            has_permit_number: true,
            cross_district: false,
            replaces: None,
        },
        standing: Standing::default(),
    }
}

fn long(months: u32) -> Inputs {
    inputs(PassKind::LongTermDelivery, Length::Months(months))
}

fn of_classes(mut inputs: Inputs, classes: &[EnterpriseClass]) -> Inputs {
    inputs.enterprise.grants =
        classes.iter().zip(1..).map(|(class, id)| grant(*class, id)).collect();
    inputs
}

fn judge(inputs: &Inputs) -> Evaluation {
    evaluate(inputs, &version(), now())
}

fn rules(evaluation: &Evaluation) -> Vec<RuleId> {
    let mut rules: Vec<_> = evaluation.findings.iter().map(|finding| finding.rule).collect();
    rules.dedup();
    rules
}

fn refusals(evaluation: &Evaluation) -> &[RefusalReason] {
    match &evaluation.outcome {
        Outcome::Refuse(reasons) => reasons,
        other => panic!("not refused: {other:?}"),
    }
}

fn corrections(evaluation: &Evaluation) -> Vec<(RefusalReason, &'static str)> {
    match &evaluation.outcome {
        Outcome::Correct(needs) => needs.iter().map(|need| (need.reason, need.field)).collect(),
        other => panic!("nothing to correct: {other:?}"),
    }
}

/// The first and the last day that a person is shown, the length and the steps.
fn told(outcome: &Outcome) -> (&'static str, String, Length, u32) {
    let grant = outcome.grant().unwrap_or_else(|| panic!("no grant: {outcome:?}"));
    let days = format!("{}..{}", local_date(grant.valid_from), local_date(grant.valid_until));
    (outcome.wire(), days, grant.length, grant.reviews.count())
}

/// PA-03, PA-04: the decision examples of facts.md, 3.3, that end in a decision. The examples of
/// the road are in `zone`.
#[test]
fn every_decision_example_of_the_fact_sheet_holds() {
    use EnterpriseClass::{AboveDesignatedSize as Ads, KeyEnterprise as Key};

    // GENERAL, H21 diesel 01, 6 months: max 1 month, offer 1.
    let general = long(6);

    // ADS, H12, 01, inspection until +4 months, 6 months: 4 months (R12, agreed).
    let mut short_paper = of_classes(long(6), &[Ads]);
    short_paper.vehicle = vehicle("H12", "01");
    short_paper.papers.inspection_valid_until = date(2022, 10, 14);
    short_paper.ask.shorten_agreed = true;

    // ADS, H12, 01, all long, 12 months: 6.
    let mut ads = of_classes(long(12), &[Ads]);
    ads.vehicle = vehicle("H12", "01");

    // KEY, H17, 01, contract carrier, contract 12 months, 12: 12, final review.
    let mut key = of_classes(long(12), &[Key]);
    key.vehicle = vehicle("H17", "01");
    key.papers.relation = Relation::Contracted;
    key.papers.contract_valid_until = Some(date(2023, 6, 14));

    // KEY + ADS, H22, 12: 12.
    let mut both = of_classes(long(12), &[Key, Ads]);
    both.vehicle = vehicle("H22", "01");

    let m = Length::Months;
    for (name, inputs, wire, days, length, steps) in [
        ("GENERAL", &general, "OFFER", "2022-06-15..2022-07-15", m(1), 1),
        ("ADS, paper", &short_paper, "GRANT", "2022-06-15..2022-10-15", m(4), 1),
        ("ADS", &ads, "OFFER", "2022-06-15..2022-12-15", m(6), 1),
        ("KEY", &key, "GRANT", "2022-06-15..2023-06-15", m(12), 2),
        ("KEY + ADS", &both, "GRANT", "2022-06-15..2023-06-15", m(12), 2),
    ] {
        let evaluation = judge(inputs);
        assert_eq!(
            told(&evaluation.outcome),
            (wire, days.to_owned(), length, steps),
            "{name}: {evaluation:?}"
        );
        assert_eq!(evaluation.policy_version, "measure-6");
    }

    // ADS, H12, inspection until +4 months, not agreed: correction (R12).
    short_paper.ask.shorten_agreed = false;
    assert_eq!(
        corrections(&judge(&short_paper)),
        [(RefusalReason::MaterialExpiresBeforePass, "vehicle.inspection_valid_until")]
    );

    // any, green lane, no active period: refused SPECIAL_PERIOD_INACTIVE.
    let lane = inputs(PassKind::GreenLane, Length::Hours(72));
    assert!(refusals(&judge(&lane)).contains(&RefusalReason::SpecialPeriodInactive));
}

#[test]
fn the_same_inputs_give_the_same_verdict() {
    // PA-04: the early warning and the decision are one function.
    let inputs = of_classes(long(12), &[EnterpriseClass::KeyEnterprise]);
    assert_eq!(judge(&inputs), judge(&inputs));
}

#[test]
fn months_end_on_the_same_day_clamped_to_the_month() {
    // The vectors of facts.md, 3.3, through a whole evaluation.
    for (start, months, end) in [
        (date(2022, 6, 15), 6, date(2022, 12, 15)),
        (date(2022, 8, 31), 6, date(2023, 2, 28)),
        (date(2023, 8, 31), 6, date(2024, 2, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
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

#[test]
fn a_contract_carrier_of_a_large_enterprise_counts_as_general() {
    // R04 says owned or leased; R05 alone reaches contract carriers.
    for (relation, months) in
        [(Relation::Owned, 6), (Relation::Leased, 6), (Relation::Contracted, 1)]
    {
        let mut inputs = of_classes(long(6), &[EnterpriseClass::AboveDesignatedSize]);
        inputs.papers.relation = relation;
        inputs.papers.contract_valid_until = Some(date(2025, 1, 1));
        let evaluation = judge(&inputs);
        let grant = evaluation.outcome.grant().unwrap();
        assert_eq!(grant.length, Length::Months(months), "{relation:?}");
    }
    let mut endless = of_classes(long(6), &[EnterpriseClass::KeyEnterprise]);
    endless.papers.relation = Relation::Contracted;
    assert_eq!(
        corrections(&judge(&endless)),
        [(RefusalReason::MaterialIncomplete, "vehicle.contract_valid_until")]
    );
}

#[test]
fn new_energy_needs_neither_quota_nor_class() {
    // R06, PA-12: the last place is gone, and the green van passes all the same.
    let mut inputs = inputs(PassKind::NewEnergyDelivery, Length::Months(12));
    inputs.vehicle = vehicle("H32", "52");
    inputs.standing.quota_free = Some(0);
    let evaluation = judge(&inputs);
    let grant = evaluation.outcome.grant().unwrap();
    assert_eq!((grant.length, grant.quota_needed), (Length::Months(1), false));
    assert!(rules(&evaluation).contains(&RuleId::R06));

    let mut generous = version();
    generous.values.months_new_energy_max = Some(12);
    let outcome = evaluate(&inputs, &generous, now()).outcome;
    assert_eq!(outcome.grant().unwrap().length, Length::Months(12));

    // The fuel code alone makes no new energy: the plate type does.
    inputs.vehicle = vehicle("H32", "02");
    inputs.vehicle.energy = Energy::parse("O").unwrap();
    let reasons = judge(&inputs);
    assert_eq!(refusals(&reasons), [RefusalReason::WrongPassKind, RefusalReason::QuotaExhausted]);
}

#[test]
fn a_quota_binds_everybody_else() {
    for (free, needed, refused) in
        [(None, false, false), (Some(1), true, false), (Some(0), true, true)]
    {
        let mut inputs = long(1);
        inputs.standing.quota_free = free;
        let outcome = judge(&inputs).outcome;
        assert_eq!(outcome == Outcome::Refuse(vec![RefusalReason::QuotaExhausted]), refused);
        if !refused {
            assert_eq!(outcome.grant().unwrap().quota_needed, needed);
        }
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

#[test]
fn of_several_classes_the_longest_counts_and_is_told() {
    // R13, whatever the order of the grants.
    use EnterpriseClass::{AboveDesignatedSize as Ads, KeyEnterprise as Key, Listed};
    for classes in [[Ads, Key, Listed], [Listed, Key, Ads]] {
        let evaluation = judge(&of_classes(long(12), &classes));
        assert_eq!(evaluation.outcome.grant().unwrap().length, Length::Months(12));
        assert!(rules(&evaluation).contains(&RuleId::R13));
    }
    let one = judge(&of_classes(long(12), &[Key]));
    assert!(!rules(&one).contains(&RuleId::R13));
}

#[test]
fn a_class_that_ends_early_is_only_noted() {
    // R14: the pass runs to its end.
    let mut inputs = of_classes(long(6), &[EnterpriseClass::AboveDesignatedSize]);
    inputs.enterprise.grants[0].valid_until = start_of_day(date(2022, 7, 1));
    let evaluation = judge(&inputs);
    let expected = ("GRANT", "2022-06-15..2022-12-15".to_owned(), Length::Months(6), 1);
    assert_eq!(told(&evaluation.outcome), expected);
    assert!(rules(&evaluation).contains(&RuleId::R14));
}

#[test]
fn classes_count_as_they_stand_at_the_decision() {
    // R15: the snapshot holds the grants in force now, and no other.
    let mut inputs = of_classes(
        long(12),
        &[EnterpriseClass::AboveDesignatedSize, EnterpriseClass::KeyEnterprise],
    );
    inputs.enterprise.grants[1].valid_until = now();
    let evaluation = judge(&inputs);
    assert_eq!(evaluation.outcome.grant().unwrap().length, Length::Months(6));
    assert_eq!(evaluation.class_snapshot, [inputs.enterprise.grants[0].clone()]);
    let snapshot = evaluation.findings.iter().find(|f| f.rule == RuleId::R15).unwrap();
    assert!(snapshot.text.contains("规模以上企业") && !snapshot.text.contains("重点"));

    inputs.enterprise.grants[0].valid_from = start_of_day(date(2022, 6, 16));
    assert!(judge(&inputs).class_snapshot.is_empty());
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
