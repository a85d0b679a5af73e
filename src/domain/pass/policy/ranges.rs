//! Within what each value of a policy must lie, so that no version can make every filing fail. What the
//! values mean is in `values`.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::{
    values::{AttachmentRule, PolicyValues},
    vocabulary::PassKind,
};
use crate::{
    domain::codes::{SizeClass, VehicleState, VehicleType},
    error::{Faults, Flaw},
};

/// Measure 6 knows no pass beyond 12 months, and no class worse than the general one.
const MONTHS: RangeInclusive<u32> = 1..=12;
/// A temporary or short pass of more than a quarter is neither.
const DAYS: RangeInclusive<u32> = 1..=92;
/// A trip of more than a week is none.
const HOURS: RangeInclusive<u32> = 1..=168;
/// A renewal that may be filed half a year before is a second pass.
const RENEWAL_DAYS: RangeInclusive<u32> = 1..=180;
/// 国一 to what may come after 国六.
const EMISSION_STAGES: RangeInclusive<u32> = 1..=9;
/// 行政许可法, art. 42: a decision takes twenty working days at most.
const WORKING_DAYS: RangeInclusive<u32> = 1..=20;
/// More entries than any list of a policy has reason for.
const ENTRIES_MAX: usize = 50;

impl PolicyValues {
    /// Everything in these values that no policy can mean, each with its field.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        self.lengths(&mut faults);
        self.limits(&mut faults);
        self.vehicles(&mut faults);
        self.papers(&mut faults);
        faults
    }

    fn lengths(&self, faults: &mut Faults) {
        let mut within = |path: &str, value: u32, range: &RangeInclusive<u32>| {
            if !range.contains(&value) {
                let told = format!("应为{}至{}", range.start(), range.end());
                faults.add_told(path, Flaw::OutOfRange, told);
            }
        };
        for (path, months) in [
            ("months_general_max", Some(self.months_general_max)),
            ("months_above_designated_size_max", Some(self.months_above_designated_size_max)),
            ("months_key_enterprise_max", Some(self.months_key_enterprise_max)),
            ("months_dangerous_goods_max", Some(self.months_dangerous_goods_max)),
            ("months_new_energy_max", self.months_new_energy_max),
        ] {
            within(path, months.unwrap_or(1), &MONTHS);
        }
        let upper = self.days_temporary_upper_level_max;
        for (path, days) in [
            ("days_temporary_max", self.days_temporary_max),
            ("days_temporary_upper_level_max", upper),
            ("days_short_term_max", self.days_short_term_max),
        ] {
            within(path, days, &DAYS);
        }
        within("hours_green_lane", self.hours_green_lane, &HOURS);
        within("renewal_window_days", self.renewal_window_days, &RENEWAL_DAYS);
        if let Some(stage) = self.emission_stage_min {
            within("emission_stage_min", stage, &EMISSION_STAGES);
        }
        within("final_review_above_months", self.final_review_above_months, &(0..=12));
        within("automatic_approval.months_max", self.automatic_approval.months_max, &(0..=12));
        let days = self.automatic_approval.days_max;
        within("automatic_approval.days_max", days, &(0..=*DAYS.end()));
        faults.check(self.days_temporary_max <= upper, "days_temporary_max", Flaw::OutOfRange);
    }

    fn limits(&self, faults: &mut Faults) {
        let hard = self.promised.hard_working_days;
        for (path, days) in [
            ("promised.temporary_working_days", self.promised.temporary_working_days),
            ("promised.other_working_days", self.promised.other_working_days),
            ("promised.hard_working_days", hard),
        ] {
            // What is promised never ends after what no decision may exceed.
            let fits = WORKING_DAYS.contains(&days) && days <= hard;
            faults.check(fits, path, Flaw::OutOfRange);
        }
    }

    fn vehicles(&self, faults: &mut Faults) {
        let known = |letter| VehicleState::ALL.iter().any(|it| it.code().starts_with(letter));
        let letters = &self.blocking_vehicle_states;
        let path = "blocking_vehicle_states";
        faults.check(letters.len() <= ENTRIES_MAX, path, Flaw::TooLong);
        faults.check(letters.chars().all(known), path, Flaw::VehicleStateUnknown);
        let path = "exempt_vehicle_types";
        faults.check(self.exempt_vehicle_types.len() <= ENTRIES_MAX, path, Flaw::TooMany);
        for code in self.exempt_vehicle_types.iter().take(ENTRIES_MAX) {
            // 20 measures, no. 6: "轻、微型" only.
            let small = VehicleType::parse(code).and_then(|parsed| match parsed.size_class() {
                Some(SizeClass::Light | SizeClass::Mini) => Ok(()),
                _ => Err(Flaw::SizeClassMismatch),
            });
            faults.take(path, small);
        }
    }

    fn papers(&self, faults: &mut Faults) {
        let path = "attachments";
        faults.check(self.attachments.len() <= ENTRIES_MAX, path, Flaw::TooMany);
        let mut seen = BTreeSet::new();
        for (at, rule) in self.attachments.iter().enumerate().take(ENTRIES_MAX) {
            let AttachmentRule { kind, required } = rule;
            faults.check(seen.insert(*kind), format!("{path}[{at}].kind"), Flaw::Duplicate);
            let path = format!("{path}[{at}].required");
            faults.check(required.len() <= ENTRIES_MAX, &*path, Flaw::TooMany);
            for (nth, choice) in required.iter().enumerate().take(ENTRIES_MAX) {
                // A choice of nothing can never be brought: every filing would be refused.
                faults.check(!choice.is_empty(), format!("{path}[{nth}]"), Flaw::Required);
                let few = choice.len() <= ENTRIES_MAX;
                faults.check(few, format!("{path}[{nth}]"), Flaw::TooMany);
            }
        }
        for kind in PassKind::ALL {
            if !seen.contains(kind) {
                let told = format!("缺少{}的材料要求", kind.zh());
                faults.add_told("attachments", Flaw::Required, told);
            }
        }
    }
}
