//! The ladder of what is late (CO-07, CO-08): reminded before the end, late, urged in writing a
//! working day later, criticised after five. Each step is a row; none is taken twice.

use jiff::{SignedDuration, Timestamp};

use super::{
    calendar::{Calendar, Limit},
    policy::named,
};
use crate::error::Result;

named! {
/// A step of the ladder.
Level {
    /// The last quarter of the time has begun: whoever owes it is reminded.
    Amber = "AMBER", "临期提醒";
    /// It is late: the unit's leader sees it.
    Red = "RED", "超期";
    /// A working day late: a written urge, copied to the responsible leader (催办).
    Urged = "URGED", "书面催办";
    /// Five working days late: circulated criticism (通报批评).
    Criticised = "CRITICISED", "通报";
}
}

impl Level {
    /// Its place on the ladder, from 1.
    #[must_use]
    pub fn rank(self) -> i32 {
        let at = Self::ALL.iter().position(|level| *level == self).unwrap_or_default();
        i32::try_from(at).unwrap_or_default().saturating_add(1)
    }

    /// The step after so many were taken; `None` at the top.
    #[must_use]
    pub fn after(rank: i32) -> Option<Self> {
        usize::try_from(rank).ok().and_then(|rank| Self::ALL.get(rank)).copied()
    }

    /// When the step is due, for an obligation with these times.
    pub fn due(self, amber: Timestamp, due: Timestamp, calendar: &Calendar) -> Result<Timestamp> {
        let late = |days| {
            // A due time at 24:00 belongs to the day that it ends.
            let last = due - SignedDuration::from_secs(1);
            calendar.due(last, Limit::WorkingDays(days)).map(|due| due.at)
        };
        match self {
            Self::Amber => Ok(amber),
            Self::Red => Ok(due),
            Self::Urged => late(1),
            Self::Criticised => late(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Level;
    use crate::domain::calendar::Calendar;

    #[test]
    fn the_ladder_is_climbed_by_working_days() {
        let calendar = Calendar::published();
        let (amber, due) = ("2026-09-29T12:00:00+08:00", "2026-10-01T00:00:00+08:00");
        let (amber, due) = (amber.parse().unwrap(), due.parse().unwrap());
        let times = Level::ALL.iter().map(|level| level.due(amber, due, &calendar).unwrap());
        let expected = [
            "2026-09-29T12:00:00+08:00",
            "2026-10-01T00:00:00+08:00",
            // The holiday ends on the 7th.
            "2026-10-09T00:00:00+08:00",
            // The 10th is a make-up Saturday.
            "2026-10-15T00:00:00+08:00",
        ];
        assert!(times.eq(expected.iter().map(|time| time.parse().unwrap())));
    }

    #[test]
    fn each_step_follows_the_one_before() {
        assert_eq!(Level::after(0), Some(Level::Amber));
        assert_eq!(Level::after(Level::Red.rank()), Some(Level::Urged));
        assert_eq!(Level::after(Level::Criticised.rank()), None);
    }
}
