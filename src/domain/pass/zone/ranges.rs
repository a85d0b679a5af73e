//! Within what the parts of a plan must lie. What they mean stands in `zone`.

use super::ZonePlan;
use crate::error::{Faults, Flaw};

/// More roads, corners, rules or windows than any notice has.
const ROADS_MAX: usize = 200;
const CORNERS_MAX: usize = 2_000;
const RULES_MAX: usize = 100;
const WINDOWS_MAX: usize = 20;
const NAME_CHARACTERS_MAX: usize = 100;

impl ZonePlan {
    /// Everything in the plan that no notice can mean, each with its field.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        faults.check(self.boundary.len() <= ROADS_MAX, "boundary", Flaw::TooMany);
        for (at, road) in self.boundary.iter().enumerate().take(ROADS_MAX) {
            let path = format!("boundary[{at}].name");
            faults.check(!road.name.trim().is_empty(), &*path, Flaw::Required);
            let short = road.name.chars().count() <= NAME_CHARACTERS_MAX;
            faults.check(short, path, Flaw::TooLong);
        }
        let corners = self.polygon.len();
        faults.check(corners <= CORNERS_MAX, "polygon", Flaw::TooMany);
        faults.check(corners == 0 || corners >= 3, "polygon", Flaw::TooShort);
        for (at, (longitude, latitude)) in self.polygon.iter().enumerate().take(CORNERS_MAX) {
            let on_earth = longitude.abs() <= 180.0 && latitude.abs() <= 90.0;
            faults.check(on_earth, format!("polygon[{at}]"), Flaw::PositionInvalid);
        }
        faults.check(self.peaks.len() <= WINDOWS_MAX, "peaks", Flaw::TooMany);
        faults.check(!self.rules.is_empty(), "rules", Flaw::Required);
        faults.check(self.rules.len() <= RULES_MAX, "rules", Flaw::TooMany);
        for (at, rule) in self.rules.iter().enumerate().take(RULES_MAX) {
            let few = rule.windows.len() <= WINDOWS_MAX;
            faults.check(few, format!("rules[{at}].windows"), Flaw::TooMany);
            faults.check(rule.days.len() <= 2, format!("rules[{at}].days"), Flaw::TooMany);
        }
        let words = self.exempt_in_words.len();
        faults.check(words <= RULES_MAX, "exempt_in_words", Flaw::TooMany);
        for (at, words) in self.exempt_in_words.iter().enumerate().take(RULES_MAX) {
            let short = words.chars().count() <= NAME_CHARACTERS_MAX * 3;
            faults.check(short, format!("exempt_in_words[{at}]"), Flaw::TooLong);
        }
        faults
    }
}
