//! Whose enterprise it is, and what that changes: months, quota, exemption.

use super::*;

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
