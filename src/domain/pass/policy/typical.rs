//! Ten typical applications, judged by two versions of the policy: what whoever confirms a version is
//! shown. Nobody's own data.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp, civil::Date};
use uuid::Uuid;

use super::{
    evaluate::evaluate,
    evaluation::{Evaluation, Outcome, may_approve_automatically},
    inputs::{
        Ask, AskedZone, ClassGrant, EnterpriseFacts, Inputs, Length, Standing, VehicleFacts,
        VehiclePapers,
    },
    values::PolicyVersion,
    vocabulary::{AttachmentKind, CargoKind, EnterpriseClass, PassKind, Relation},
};
use crate::{
    domain::{
        codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
        duty::month,
    },
    error::{Flaw, Result},
    id::Id,
};

/// An application as people make them.
struct Typical {
    name: &'static str,
    kind: PassKind,
    length: Length,
    vehicle_type: &'static str,
    plate: (&'static str, &'static str),
    class: Option<EnterpriseClass>,
    states: &'static str,
    papers: bool,
}

const HEAVY: Typical = Typical {
    name: "",
    kind: PassKind::LongTermDelivery,
    length: Length::Months(6),
    vehicle_type: "H12",
    plate: ("苏N12345", "01"),
    class: None,
    states: "A",
    papers: true,
};

const TYPICAL: [Typical; 10] = [
    Typical { name: "一般企业,重型厢式货车,长期证6个月", ..HEAVY },
    Typical {
        name: "规模以上企业,重型厢式货车,长期证6个月",
        class: Some(EnterpriseClass::AboveDesignatedSize),
        ..HEAVY
    },
    Typical {
        name: "重点企业,重型厢式货车,长期证12个月",
        class: Some(EnterpriseClass::KeyEnterprise),
        length: Length::Months(12),
        ..HEAVY
    },
    Typical {
        name: "一般企业,新能源中型货车,配送证3个月",
        kind: PassKind::NewEnergyDelivery,
        length: Length::Months(3),
        vehicle_type: "H22",
        plate: ("苏N12345D", "51"),
        ..HEAVY
    },
    Typical {
        name: "一般企业,重型厢式货车,临时证3天",
        kind: PassKind::Temporary,
        length: Length::Days(3),
        ..HEAVY
    },
    Typical {
        name: "一般企业,重型厢式货车,临时证7天",
        kind: PassKind::Temporary,
        length: Length::Days(7),
        ..HEAVY
    },
    Typical {
        name: "一般企业,重型自卸货车,工程证1个月",
        kind: PassKind::Engineering,
        length: Length::Months(1),
        vehicle_type: "H17",
        ..HEAVY
    },
    Typical {
        name: "一般企业,重型厢式货车,短期证15天,一份材料未交",
        kind: PassKind::ShortTerm,
        length: Length::Days(15),
        papers: false,
        ..HEAVY
    },
    Typical {
        name: "一般企业,有未处理违法的货车,长期证1个月",
        states: "G",
        length: Length::Months(1),
        ..HEAVY
    },
    Typical {
        name: "一般企业,被查封的货车,长期证1个月",
        states: "J",
        length: Length::Months(1),
        ..HEAVY
    },
];

impl Typical {
    /// What the rules are given, when it is handed in on a day.
    fn inputs(&self, now: Timestamp) -> Result<Inputs, Flaw> {
        let day = month::local_date(now);
        let later = month::add_months_clamped(day, 36);
        let grant = |class| ClassGrant {
            id: Id::of(Uuid::nil()),
            class,
            valid_from: Timestamp::UNIX_EPOCH,
            valid_until: Timestamp::MAX,
        };
        let papers: BTreeSet<_> = AttachmentKind::ALL.iter().copied().collect();
        Ok(Inputs {
            enterprise: EnterpriseFacts {
                verified: true,
                grants: self.class.map(grant).into_iter().collect(),
                ..EnterpriseFacts::default()
            },
            vehicle: VehicleFacts {
                plate: Plate::parse(self.plate.0)?,
                plate_type: PlateType::parse(self.plate.1)?,
                vehicle_type: VehicleType::parse(self.vehicle_type)?,
                energy: Energy::parse(if self.plate.1 == "01" { "B" } else { "C" })?,
                use_nature: UseNature::Freight,
                states: VehicleStates::parse(self.states)?,
                blacklisted: false,
            },
            papers: papers_until(later),
            ask: Ask {
                kind: self.kind,
                zones: vec![AskedZone {
                    zone: Id::of(Uuid::nil()),
                    name: "典型区域".to_owned(),
                    bans_vehicle: true,
                }],
                start: day,
                length: self.length,
                shorten_agreed: false,
                cargo: CargoKind::Product,
                attachments: if self.papers { papers } else { BTreeSet::new() },
                e_licences: BTreeSet::new(),
                has_route: true,
                has_time_windows: true,
                route_on_all_day_road: false,
                has_permit_number: true,
                cross_district: false,
                replaces: None,
            },
            standing: Standing { special_period_active: true, ..Standing::default() },
        })
    }
}

fn papers_until(day: Date) -> VehiclePapers {
    VehiclePapers {
        inspection_valid_until: day,
        insurance_valid_until: day,
        scrapping_date: None,
        transport_permit_valid_until: Some(day),
        contract_valid_until: None,
        relation: Relation::Owned,
        emission_stage: Some(5),
    }
}

/// A verdict in a line.
fn verdict(evaluation: &Evaluation, version: &PolicyVersion) -> String {
    let said = match &evaluation.outcome {
        Outcome::Grant(grant) => format!("可发{}", grant.length.zh()),
        Outcome::Offer(grant, _) => format!("最多可发{}", grant.length.zh()),
        Outcome::Correct(needs) => {
            let mut told: Vec<_> = needs.iter().map(|need| need.text.as_str()).collect();
            told.dedup();
            return format!("须补正:{}", told.join(";"));
        }
        Outcome::Refuse(reasons) => {
            let told: Vec<_> = reasons.iter().map(|reason| reason.zh()).collect();
            return format!("不予许可:{}", told.join(";"));
        }
        Outcome::NoPassRequired => return "无需办证".to_owned(),
    };
    let steps = evaluation.outcome.grant().map_or(0, |grant| grant.reviews.count());
    if may_approve_automatically(evaluation, &version.values) {
        format!("{said},系统自动批准")
    } else {
        format!("{said},{steps}级审核")
    }
}

/// How each of the ten fares by the version in force and by the one that is proposed, from the instant of
/// the latter; what differs is marked.
#[must_use]
pub fn dry_run(present: Option<&PolicyVersion>, proposed: &PolicyVersion) -> Vec<String> {
    let now = proposed.effective_from;
    // A pass begins within the day; a year beyond every calendar has no ten applications.
    let now = now.checked_add(Span::new().hours(10)).unwrap_or(now);
    let line = |(at, typical): (usize, &Typical)| {
        let at = at.saturating_add(1);
        let Ok(inputs) = typical.inputs(now) else {
            return format!("{at}. {}:无法测算", typical.name);
        };
        let judge = |version: &PolicyVersion| verdict(&evaluate(&inputs, version, now), version);
        let after = judge(proposed);
        let Some(before) = present.map(judge) else {
            return format!("{at}. {}:新政策 {after}", typical.name);
        };
        if before == after {
            format!("{at}. {}:不变({after})", typical.name)
        } else {
            format!("{at}. {}:【变化】现行 {before};新政策 {after}", typical.name)
        }
    };
    TYPICAL.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{TYPICAL, dry_run};
    use crate::domain::pass::policy::{PassKind, PolicyValues, PolicyVersion};

    fn version(change: impl Fn(&mut PolicyValues)) -> PolicyVersion {
        let mut values = PolicyValues::measure_6();
        change(&mut values);
        PolicyVersion {
            version: "test".to_owned(),
            effective_from: "2026-11-25T00:00:00+08:00".parse().unwrap(),
            effective_until: None,
            source: "test".to_owned(),
            values,
        }
    }

    #[test]
    fn every_typical_application_can_be_judged() {
        let lines = dry_run(None, &version(|_| {}));
        assert_eq!(lines.len(), TYPICAL.len());
        assert!(lines.iter().all(|line| line.contains("新政策")), "{lines:#?}");
        let said = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
        // Unhandled violations, and a truck that was impounded.
        assert_eq!((said("无法测算"), said("不予许可")), (0, 2), "{lines:#?}");
        assert!(said("须补正") >= 1, "a paper is missing: {lines:#?}");
    }

    #[test]
    fn a_policy_that_approves_everything_shows_what_it_does() {
        let lax = version(|values| {
            values.blocking_vehicle_states.clear();
            values.unhandled_violation_blocks = false;
            values.attachments.iter_mut().for_each(|rule| rule.required.clear());
            values.months_general_max = 12;
            values.final_review_kinds.clear();
            values.final_review_above_months = 12;
            values.automatic_approval.enabled = true;
            values.automatic_approval.kinds = PassKind::ALL.iter().copied().collect();
            values.automatic_approval.months_max = 12;
            values.automatic_approval.days_max = 92;
            values.days_temporary_max = values.days_temporary_upper_level_max;
        });
        let lines = dry_run(Some(&version(|_| {})), &lax);
        let changed = lines.iter().filter(|line| line.contains("【变化】")).count();
        let automatic = lines.iter().filter(|line| line.contains("系统自动批准")).count();
        assert_eq!((changed, automatic), (10, 10), "{lines:#?}");
    }

    #[test]
    fn the_same_values_change_nothing() {
        let lines = dry_run(Some(&version(|_| {})), &version(|_| {}));
        assert!(lines.iter().all(|line| line.contains("不变")), "{lines:#?}");
    }
}
