//! Passage without a pass: free, exempt by measure 6, or banned (R07, R08, R09, R17). No pass is
//! looked at here.

use jiff::civil::DateTime;

use super::{DayType, HardBan, Zone, ZoneRule};
use crate::domain::pass::policy::{PolicyValues, RuleId, VehicleFacts};

/// Whether a vehicle may drive in a zone without a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage<'a> {
    /// The zone never bans it (R17).
    NotSubject,
    /// The zone bans it at other times.
    NotNow,
    /// R07: new energy, light or mini, box, outside peaks.
    Exempt,
    /// It is banned now.
    Banned {
        /// The rule of the zone.
        rule: &'a ZoneRule,
        /// R08, where only the peak stands in the way; R09, where an exception does.
        because: Option<RuleId>,
    },
}

impl Passage<'_> {
    /// Whether the vehicle may drive.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self, Self::Banned { .. })
    }

    /// How strict it is: of overlapping zones the strictest wins.
    const fn strictness(&self) -> u8 {
        match self {
            Self::NotSubject => 0,
            Self::NotNow => 1,
            Self::Exempt => 2,
            Self::Banned { rule, .. } if rule.hard.is_none() => 3,
            Self::Banned { .. } => 4,
        }
    }
}

impl Zone {
    /// Whether a vehicle may drive here, now, without a pass.
    #[must_use]
    pub fn passage(
        &self,
        vehicle: &VehicleFacts,
        values: &PolicyValues,
        local: DateTime,
        day_type: DayType,
    ) -> Passage<'_> {
        let Some(rule) = self.bans(vehicle, local, day_type) else {
            return if self.subjects(vehicle) { Passage::NotNow } else { Passage::NotSubject };
        };
        if !vehicle.is_new_energy() || !values.is_exempt_type(&vehicle.vehicle_type) {
            return Passage::Banned { rule, because: None };
        }
        // 20 measures, no. 6, says "一般": R09 lists where the ban stands.
        let stands = rule.hard.is_some()
            || vehicle.carries_dangerous_goods()
            || vehicle.blacklisted
            || !values.blocking(&vehicle.states).is_empty();
        if stands {
            return Passage::Banned { rule, because: Some(RuleId::R09) };
        }
        if self.is_peak(local) {
            return Passage::Banned { rule, because: Some(RuleId::R08) };
        }
        Passage::Exempt
    }
}

/// The strictest of several zones; of equals the first. None where there is no zone.
pub fn strictest<'a>(passages: impl IntoIterator<Item = Passage<'a>>) -> Option<Passage<'a>> {
    passages.into_iter().reduce(|strictest, next| {
        if next.strictness() > strictest.strictness() { next } else { strictest }
    })
}

impl HardBan {
    /// Whether a pass opens it: a road closed for 24 hours can stand in a pass, a control or a
    /// limit of mass cannot.
    #[must_use]
    pub const fn opens_for_pass(self) -> bool {
        match self {
            Self::AllDayRoad => true,
            Self::TemporaryControl | Self::MassOrHeight => false,
        }
    }
}
