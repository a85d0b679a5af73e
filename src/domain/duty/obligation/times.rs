//! Everything that an obligation is judged by, counted at once: the due time of each limit and the
//! instant of the reminder. Always from the opening, the limits, the pauses and the extension, never
//! from a value that was moved before (CO-06).

use jiff::Timestamp;

use super::{Limits, Obligation, ObligationKind, Pause, Which, due_under};
use crate::{
    domain::duty::calendar::{Calendar, Due},
    error::{Error, Result},
};

/// The due times of an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// By which others judge: the promise, else the law's limit, else the office's own.
    pub due: Timestamp,
    /// The end of the law's limit.
    pub legal: Option<Timestamp>,
    /// The end of the office's own.
    pub internal: Option<Timestamp>,
    /// When whoever owes it is reminded: at the end of the office's own limit, or else when the last
    /// quarter of the time begins.
    pub amber: Timestamp,
    /// The due time was counted in a year without a published notice.
    pub provisional: bool,
}

/// The due times of an obligation, as they were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dues {
    /// By which others judge.
    pub due: Timestamp,
    /// The end of the law's limit.
    pub legal: Option<Timestamp>,
    /// The end of the office's own.
    pub internal: Option<Timestamp>,
}

impl Times {
    /// Counts what is owed within limits since it was opened. A pause that lasts is not counted before
    /// it has ended.
    pub fn count(
        opened: Timestamp,
        limits: Limits,
        pauses: &[Pause],
        extension_days: u32,
        calendar: &Calendar,
    ) -> Result<Self> {
        let pauses = pauses.iter().filter(|pause| pause.until.is_some()).copied().collect();
        // What is owed does not bear on how it is counted.
        let kind = ObligationKind::HandleComplaint;
        let obligation = Obligation { kind, opened, limits, pauses, met: None };
        obligation.count(extension_days, calendar)
    }

    /// A due time that somebody named.
    #[must_use]
    pub fn until(opened: Timestamp, due: Due) -> Self {
        let running = opened.duration_until(due.at).max(jiff::SignedDuration::ZERO);
        Self {
            due: due.at,
            legal: None,
            internal: None,
            amber: due.at - running / 4,
            provisional: due.provisional,
        }
    }

    /// Which due times differ from older ones, each with the old and the new value. The one by which
    /// others judge is told as the promise; the law's limit apart where it is not that one.
    #[must_use]
    pub fn moved_from(&self, old: &Dues) -> Vec<(Which, Timestamp, Timestamp)> {
        let new = self.dues();
        let mut moved = Vec::new();
        if new.due != old.due {
            moved.push((Which::Promised, old.due, new.due));
        }
        let apart = old.legal != Some(old.due) || new.legal != Some(new.due);
        for (which, old, new) in [
            (Which::Legal, old.legal.filter(|_| apart), new.legal),
            (Which::Internal, old.internal, new.internal),
        ] {
            match old.zip(new) {
                Some((old, new)) if old != new => moved.push((which, old, new)),
                _ => {}
            }
        }
        moved
    }

    /// The due times alone.
    #[must_use]
    pub const fn dues(&self) -> Dues {
        Dues { due: self.due, legal: self.legal, internal: self.internal }
    }

    /// The due time by which others judge.
    #[must_use]
    pub const fn governing(&self) -> Due {
        Due { at: self.due, provisional: self.provisional }
    }
}

impl Obligation {
    fn count(&self, extension_days: u32, calendar: &Calendar) -> Result<Times> {
        let pauses = self.pauses_until(self.opened);
        // Each by itself: that the law's limit ends in a year without a notice says nothing about the
        // promise.
        let under = |which, days| {
            let limit = self.limits.get(which);
            let counted = limit.map(|limit| {
                calendar.counted(|calendar| due_under(self.opened, limit, &pauses, days, calendar))
            });
            counted.transpose()
        };
        // An extension is granted by whoever promised, and cannot move the law.
        let legal = under(Which::Legal, 0)?;
        let promised = within(under(Which::Promised, extension_days)?, legal);
        let internal = within(under(Which::Internal, extension_days)?, promised.or(legal));
        let due = promised.or(legal).or(internal);
        let due = due.ok_or_else(|| Error::internal("an obligation without a limit"))?;
        let amber = match internal {
            Some(internal) if internal.at < due.at => internal.at,
            _ => self.amber_before(due.at, &pauses),
        };
        Ok(Times {
            due: due.at,
            legal: legal.map(|legal| legal.at),
            internal: internal.map(|internal| internal.at),
            amber,
            provisional: due.provisional,
        })
    }
}

/// A stricter limit never ends after a looser one.
fn within(due: Option<Due>, looser: Option<Due>) -> Option<Due> {
    let due = due?;
    Some(looser.filter(|looser| looser.at < due.at).unwrap_or(due))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Limits, Pause, Times};
    use crate::domain::duty::{
        calendar::{Calendar, CalendarYear, Limit},
        obligation::PauseReason,
    };

    fn at(text: &str) -> Timestamp {
        format!("{text}+08:00").parse().unwrap()
    }

    fn pause(from: &str, until: &str) -> Pause {
        Pause { from: at(from), until: Some(at(until)), reason: PauseReason::Returned }
    }

    fn handling() -> Limits {
        let (legal, internal) = (Limit::CalendarDays(60), Limit::WorkingDays(4));
        Limits::new(Some(legal), Some(Limit::WorkingDays(5)), Some(internal)).unwrap()
    }

    fn count(opened: &str, pauses: &[Pause], extension_days: u32) -> Times {
        let calendar = Calendar::published();
        Times::count(at(opened), handling(), pauses, extension_days, &calendar).unwrap()
    }

    // SD-03, CO-08: reminded at the end of the office's own limit, late by the promise, then the law.
    #[test]
    fn three_limits_stand_side_by_side() {
        let times = count("2026-06-01T10:00:00", &[], 0);
        assert_eq!(times.internal, Some(at("2026-06-06T00:00:00")));
        assert_eq!(times.amber, at("2026-06-06T00:00:00"));
        assert_eq!(times.due, at("2026-06-09T00:00:00"));
        assert_eq!(times.legal, Some(at("2026-08-01T00:00:00")));
        assert!(!times.provisional);
    }

    // SD-04, T19: a pause of three working days moves every date by three days.
    #[test]
    fn a_pause_moves_the_promise_and_the_law() {
        let pauses = [pause("2026-06-02T09:00:00", "2026-06-05T17:00:00")];
        let times = count("2026-06-01T10:00:00", &pauses, 0);
        assert_eq!(times.internal, Some(at("2026-06-11T00:00:00")));
        assert_eq!(times.due, at("2026-06-12T00:00:00"));
        // The 31st of July and three days is a Monday.
        assert_eq!(times.legal, Some(at("2026-08-04T00:00:00")));
    }

    #[test]
    fn an_extension_moves_the_promise_and_not_the_law() {
        let times = count("2026-06-01T10:00:00", &[], 5);
        assert_eq!(times.due, at("2026-06-16T00:00:00"));
        assert_eq!(times.internal, Some(at("2026-06-13T00:00:00")));
        assert_eq!(times.legal, Some(at("2026-08-01T00:00:00")));
    }

    // A pause in the time that was granted counts like any other.
    #[test]
    fn a_pause_within_the_extension_counts() {
        let pauses = [pause("2026-06-10T09:00:00", "2026-06-12T17:00:00")];
        assert_eq!(count("2026-06-01T10:00:00", &pauses, 5).due, at("2026-06-18T00:00:00"));
        assert_eq!(count("2026-06-01T10:00:00", &pauses, 0).due, at("2026-06-09T00:00:00"));
    }

    // The law's limit ends in a year without a notice, and the promise does not.
    #[test]
    fn only_the_due_time_makes_it_provisional() {
        let times = count("2026-11-24T10:30:00", &[], 0);
        assert_eq!(times.due, at("2026-12-02T00:00:00"));
        assert_eq!(times.legal, Some(at("2027-01-26T00:00:00")));
        assert!(!times.provisional);
    }

    // CO-06: the same opening, counted without and with the notice of the year.
    #[test]
    fn a_year_without_a_notice_is_provisional_until_it_is_out() {
        let early = count("2026-12-30T09:00:00", &[], 0);
        assert!(early.provisional);
        assert_eq!(early.due, at("2027-01-07T00:00:00"));
        let day = |text: &str| text.parse().unwrap();
        let holidays = vec![(day("2027-01-01"), day("2027-01-03"))];
        let notice = CalendarYear::new(2027, 1, holidays, vec![], "通知").unwrap();
        let known = Calendar::new(Calendar::published().years().iter().cloned().chain([notice]));
        let counted = Times::count(at("2026-12-30T09:00:00"), handling(), &[], 0, &known).unwrap();
        assert!(!counted.provisional);
        assert_eq!(counted.due, at("2027-01-08T00:00:00"));
    }
}
