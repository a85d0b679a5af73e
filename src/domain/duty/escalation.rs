//! The ladder of what is late (CO-07, CO-08): reminded before the end, late, urged in writing a
//! working day later, criticised after five. Each step is a row; none is taken twice.
//!
//! The limit of the law is a step beside the ladder: it may pass between any two of the others, so it
//! is taken at its own time and leaves their order alone.

use jiff::{SignedDuration, Timestamp};

use super::calendar::{Calendar, Limit};
use crate::{error::Result, named::named};

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
    /// The limit of the law has passed (法定时限): no promise is at stake any more, but the law.
    Unlawful = "UNLAWFUL", "超法定时限";
}
}

/// The steps that are taken one after the other; [`Level::Unlawful`] stands beside them.
const LADDER: [Level; 4] = [Level::Amber, Level::Red, Level::Urged, Level::Criticised];

impl Level {
    /// Its place on the ladder, from 1.
    #[must_use]
    pub fn rank(self) -> i32 {
        let at = Self::ALL.iter().position(|level| *level == self).unwrap_or_default();
        i32::try_from(at).unwrap_or_default().saturating_add(1)
    }

    /// The step with this rank.
    #[must_use]
    pub fn ranked(rank: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|level| level.rank() == rank)
    }

    /// The step of the ladder after so many were taken; `None` at the top.
    #[must_use]
    pub fn after(rank: i32) -> Option<Self> {
        usize::try_from(rank).ok().and_then(|rank| LADDER.get(rank)).copied()
    }
}

/// How far an obligation climbed, and between which times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// How many steps were taken one after the other.
    pub level: i32,
    /// Whether the limit of the law was seen to pass.
    pub unlawful: bool,
    /// When it is reminded.
    pub amber: Timestamp,
    /// When it is late.
    pub due: Timestamp,
    /// When the limit of the law ends, where there is one.
    pub legal: Option<Timestamp>,
}

/// What is taken now, and when to look next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Climb {
    /// Every step that is due and was not taken, with the time at which it was due.
    pub steps: Vec<(Level, Timestamp)>,
    /// How many steps of the ladder are taken then.
    pub level: i32,
    /// Whether the limit of the law has passed by then.
    pub unlawful: bool,
    /// When the next one is due; `None` when all are taken.
    pub next: Option<Timestamp>,
}

impl Ladder {
    /// Takes every step that was missed, however long nobody looked.
    pub fn climb(&self, now: Timestamp, calendar: &Calendar) -> Result<Climb> {
        let mut climb =
            Climb { steps: Vec::new(), level: self.level, unlawful: self.unlawful, next: None };
        while let Some(level) = Level::after(climb.level) {
            let due = self.due(level, calendar)?;
            if due > now {
                climb.next = Some(due);
                break;
            }
            climb.steps.push((level, due));
            climb.level = level.rank();
        }
        match self.legal {
            Some(legal) if !self.unlawful && legal <= now => {
                climb.steps.push((Level::Unlawful, legal));
                climb.unlawful = true;
            }
            Some(legal) if !self.unlawful => {
                climb.next = Some(climb.next.map_or(legal, |next| next.min(legal)));
            }
            _ => {}
        }
        Ok(climb)
    }

    /// When a step is due.
    pub fn due(&self, level: Level, calendar: &Calendar) -> Result<Timestamp> {
        let late = |days| {
            // A due time at 24:00 belongs to the day that it ends.
            let last = self.due - SignedDuration::from_secs(1);
            calendar.due(last, Limit::WorkingDays(days)).map(|due| due.at)
        };
        match level {
            Level::Amber => Ok(self.amber),
            Level::Red => Ok(self.due),
            Level::Urged => late(1),
            Level::Criticised => late(5),
            Level::Unlawful => Ok(self.legal.unwrap_or(Timestamp::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ladder, Level};
    use crate::domain::duty::calendar::Calendar;

    fn ladder(legal: Option<&str>) -> Ladder {
        Ladder {
            level: 0,
            unlawful: false,
            amber: "2026-09-29T12:00:00+08:00".parse().unwrap(),
            due: "2026-10-01T00:00:00+08:00".parse().unwrap(),
            legal: legal.map(|legal| legal.parse().unwrap()),
        }
    }

    // CO-07, CO-08: however late somebody looks, each step is there, with its own time.
    #[test]
    fn the_ladder_is_climbed_by_working_days() {
        let now = "2026-12-01T00:00:00+08:00".parse().unwrap();
        let climb = ladder(None).climb(now, &Calendar::published()).unwrap();
        let expected = [
            (Level::Amber, "2026-09-29T12:00:00+08:00"),
            (Level::Red, "2026-10-01T00:00:00+08:00"),
            // The holiday ends on the 7th.
            (Level::Urged, "2026-10-09T00:00:00+08:00"),
            // The 10th is a make-up Saturday.
            (Level::Criticised, "2026-10-14T00:00:00+08:00"),
        ];
        let expected = expected.map(|(level, time)| (level, time.parse().unwrap()));
        assert_eq!(climb.steps, expected);
        assert_eq!((climb.level, climb.next), (4, None));
    }

    #[test]
    fn the_limit_of_the_law_passes_between_the_steps() {
        let legal = "2026-10-12T00:00:00+08:00";
        let calendar = Calendar::published();
        let climb = |level, now: &str| {
            let ladder = Ladder { level, ..ladder(Some(legal)) };
            ladder.climb(now.parse().unwrap(), &calendar).unwrap()
        };
        let before = climb(2, "2026-10-09T00:00:00+08:00");
        assert_eq!((before.level, before.unlawful), (3, false));
        assert_eq!(before.next, Some(legal.parse().unwrap()));
        let passed = climb(3, legal);
        assert_eq!(passed.steps, [(Level::Unlawful, legal.parse().unwrap())]);
        assert_eq!(passed.next, Some("2026-10-14T00:00:00+08:00".parse().unwrap()));
    }

    #[test]
    fn each_step_follows_the_one_before() {
        assert_eq!(Level::after(0), Some(Level::Amber));
        assert_eq!(Level::after(Level::Red.rank()), Some(Level::Urged));
        assert_eq!(Level::after(Level::Criticised.rank()), None);
        assert!(Level::ALL.iter().all(|level| Level::ranked(level.rank()) == Some(*level)));
    }
}
