//! The rule table, example by example. No promise of the rooms around it.

mod classes;
mod lengths;
mod refusals;
mod versions;

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::date};
use uuid::Uuid;

use super::*;
use crate::{
    domain::{
        codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
        duty::month::{local_date, start_of_day},
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
