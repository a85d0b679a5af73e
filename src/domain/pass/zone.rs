//! No-entry zones: whom a zone bans, when, and whom measure 6 exempts. No pass is looked at here,
//! and no polygon is cut: whether a checkpoint lies in a zone is known when it is set up.

mod demo;
mod matcher;
mod names;
mod passage;
mod ranges;

#[cfg(test)]
mod tests;

use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};

pub use crate::domain::common::windows::{DayType, Season, TimeWindow};
pub use matcher::VehicleMatcher;
pub use passage::{Passage, strictest};

use super::policy::VehicleFacts;
use crate::{domain::duty::month, named::named};

/// A no-entry zone (禁行区域) in one version of its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// A short number that fits into a pass code.
    pub code: u16,
    /// The name for people.
    pub name: String,
    /// The version of the plan; each publication adds one.
    pub version: u32,
    /// The notice that sets it.
    pub source: String,
    /// Where it lies and what it bans.
    pub plan: ZonePlan,
}

/// Where a zone lies and what it bans. A row of the database holds it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZonePlan {
    /// The roads around it, each marked 含 or 不含.
    pub boundary: Vec<BoundaryRoad>,
    /// Longitude and latitude (WGS 84) of its corners; empty where only roads are named.
    #[serde(default)]
    pub polygon: Vec<(f64, f64)>,
    /// The peaks in which measure 6 exempts nobody (decision D5).
    #[serde(default = "default_peaks")]
    pub peaks: Vec<TimeWindow>,
    /// The rules; within a zone a permission lifts a ban, unless the ban is hard.
    pub rules: Vec<ZoneRule>,
    /// Whom the notice exempts in words: an officer sees it, no register knows it.
    #[serde(default)]
    pub exempt_in_words: Vec<String>,
}

/// A road of the boundary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundaryRoad {
    /// The road.
    pub name: String,
    /// Whether the road itself belongs to the zone (含).
    pub included: bool,
}

/// A rule of a zone: whom it concerns, when, and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneRule {
    /// Whom it concerns.
    pub matcher: VehicleMatcher,
    /// When on a day; empty: the whole day.
    #[serde(default)]
    pub windows: Vec<TimeWindow>,
    /// When in a year; none: always.
    #[serde(default)]
    pub season: Option<Season>,
    /// On which days; empty: every day.
    #[serde(default)]
    pub days: Vec<DayType>,
    /// Ban or permission.
    pub effect: Effect,
    /// R09: why measure 6 and permissions do not lift this ban; none: they do.
    #[serde(default)]
    pub hard: Option<HardBan>,
}

named! {
/// What a rule of a zone does.
Effect {
    /// The vehicle may not drive.
    Ban = "BAN", "禁止通行";
    /// The vehicle may drive although another rule bans it.
    Allow = "ALLOW", "允许通行";
}
}

named! {
/// R09: the bans that stand against the exemption of measure 6 ("一般").
HardBan {
    /// A road closed to trucks for 24 hours.
    AllDayRoad = "ALL_DAY_ROAD", "全天禁止货车通行的道路";
    /// A temporary traffic control.
    TemporaryControl = "TEMPORARY_CONTROL", "临时交通管制";
    /// A limit of mass or height.
    MassOrHeight = "MASS_OR_HEIGHT", "限重或限高";
}
}

/// Decision D5: no notice with the peaks of Suqian was found, so this is an assumption that each
/// zone may replace.
#[must_use]
pub fn default_peaks() -> Vec<TimeWindow> {
    [(7 * 60, 9 * 60), (17 * 60, 19 * 60)]
        .into_iter()
        .filter_map(|(from, until)| TimeWindow::new(from, until).ok())
        .collect()
}

/// The local day and time of an instant, as rules read it.
#[must_use]
pub fn local_datetime(at: Timestamp) -> DateTime {
    DateTime::from_parts(month::local_date(at), month::local_time(at))
}

impl ZoneRule {
    /// Whether the rule speaks at a local time. A window that crosses midnight is judged by the
    /// day type and season of the instant, not of the evening before.
    #[must_use]
    pub fn speaks_at(&self, local: DateTime, day_type: DayType) -> bool {
        (self.windows.is_empty() || self.windows.iter().any(|window| window.contains(local.time())))
            && self.season.is_none_or(|season| season.contains(local.date()))
            && (self.days.is_empty() || self.days.contains(&day_type))
    }

    /// The rule as a sentence.
    #[must_use]
    pub fn zh(&self) -> String {
        let mut text = String::new();
        if let Some(season) = self.season {
            text.push_str(&season.zh());
        }
        for day in &self.days {
            text.push_str(day.zh());
        }
        if self.windows.is_empty() {
            text.push_str("全天");
        }
        let windows: Vec<_> = self.windows.iter().map(TimeWindow::to_string).collect();
        text.push_str(&windows.join("、"));
        text.push_str(self.effect.zh());
        text.push(':');
        text.push_str(&self.matcher.zh());
        if let Some(hard) = self.hard {
            text.push('(');
            text.push_str(hard.zh());
            text.push(')');
        }
        text
    }
}

impl Zone {
    /// The rule that bans a vehicle at a local time; a hard one first. Measure 6 is not applied
    /// here; that is [`Zone::passage`].
    #[must_use]
    pub fn bans(
        &self,
        vehicle: &VehicleFacts,
        local: DateTime,
        day_type: DayType,
    ) -> Option<&ZoneRule> {
        let speaking = |effect: Effect| {
            self.plan.rules.iter().filter(move |rule| {
                rule.effect == effect
                    && rule.matcher.matches(vehicle)
                    && rule.speaks_at(local, day_type)
            })
        };
        speaking(Effect::Ban).find(|rule| rule.hard.is_some()).or_else(|| {
            let allowed = speaking(Effect::Allow).next().is_some();
            speaking(Effect::Ban).next().filter(|_| !allowed)
        })
    }

    /// Whether any rule of the zone ever bans the vehicle: if none does, R17 says that it needs
    /// no pass.
    #[must_use]
    pub fn subjects(&self, vehicle: &VehicleFacts) -> bool {
        self.plan
            .rules
            .iter()
            .any(|rule| rule.effect == Effect::Ban && rule.matcher.matches(vehicle))
    }

    /// Whether a local time lies in a peak of the zone.
    #[must_use]
    pub fn is_peak(&self, local: DateTime) -> bool {
        self.plan.peaks.iter().any(|window| window.contains(local.time()))
    }
}
