//! What the inspectorate owes for a report until when (facts.md, 4.2, the column of 12389). Kept apart
//! from the obligations of others, in whose lists and figures a report would show.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    domain::duty::calendar::{Calendar, Due, Limit},
    error::Result,
    named::named,
};

named! {
/// What is owed for a report.
DutyKind {
    /// Taking it in, or refusing it.
    Accept = "ACCEPT", "受理";
    /// Naming an investigator.
    Assign = "ASSIGN", "交办";
    /// Signing for it.
    Sign = "SIGN", "签收";
    /// The finding.
    Handle = "HANDLE", "办理";
    /// The finding of a review.
    Review = "REVIEW", "复核";
}
}

impl DutyKind {
    /// How long there is, with the days of an extension.
    #[must_use]
    pub fn limit(self, extension_days: i32) -> Limit {
        match self {
            Self::Accept => Limit::CalendarDays(15),
            Self::Assign => Limit::WorkingDays(3),
            Self::Sign => Limit::WorkingDays(1),
            Self::Handle => {
                Limit::CalendarDays(60_u32.saturating_add_signed(extension_days.max(0)))
            }
            Self::Review => Limit::CalendarDays(30),
        }
    }
}

named! {
/// How a duty stands at an instant: computed, never stored.
DutyStanding {
    /// There is time.
    OnTime = "ON_TIME", "正常";
    /// The last quarter of the time has begun.
    Amber = "AMBER", "临期";
    /// It is late.
    Late = "LATE", "超期";
    /// Done in time.
    Met = "MET", "按期完成";
    /// Done too late.
    MetLate = "MET_LATE", "逾期完成";
}
}

/// A duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duty {
    /// Its id.
    pub id: Uuid,
    /// What is owed.
    pub kind: DutyKind,
    /// Since when the time runs.
    pub open_time: Timestamp,
    /// When the last quarter begins.
    pub amber_time: Timestamp,
    /// The first instant at which it is too late.
    pub due_time: Timestamp,
    /// The limit was counted in a year without a published notice.
    pub provisional: bool,
    /// When it was done.
    pub meet_time: Option<Timestamp>,
    /// How many steps of the ladder were taken.
    pub rank: i32,
}

impl Duty {
    /// A duty that begins now.
    pub fn open(id: Uuid, kind: DutyKind, now: Timestamp, calendar: &Calendar) -> Result<Self> {
        let due = calendar.due(now, kind.limit(0))?;
        let (amber_time, meet_time) = (amber(now, due), None);
        let (due_time, provisional) = (due.at, due.provisional);
        Ok(Self { id, kind, open_time: now, amber_time, due_time, provisional, meet_time, rank: 0 })
    }

    /// The same with more days, counted from the same beginning.
    pub fn extended(mut self, days: i32, calendar: &Calendar) -> Result<Self> {
        let due = calendar.due(self.open_time, self.kind.limit(days))?;
        self.amber_time = amber(self.open_time, due);
        self.due_time = due.at;
        self.provisional = due.provisional;
        Ok(self)
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> DutyStanding {
        match self.meet_time {
            Some(met) if met < self.due_time => DutyStanding::Met,
            Some(_) => DutyStanding::MetLate,
            None if now >= self.due_time => DutyStanding::Late,
            None if now >= self.amber_time => DutyStanding::Amber,
            None => DutyStanding::OnTime,
        }
    }
}

fn amber(open: Timestamp, due: Due) -> Timestamp {
    due.at - open.duration_until(due.at) / 4
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::{Duty, DutyKind, DutyStanding};
    use crate::domain::duty::calendar::Calendar;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_limits_are_those_of_the_facts() {
        let (calendar, now) = (Calendar::published(), at("2026-09-29T10:00:00+08:00"));
        let due = |kind| Duty::open(Uuid::nil(), kind, now, &calendar).unwrap().due_time;
        // Fifteen days, the 14th of October.
        assert_eq!(due(DutyKind::Accept), at("2026-10-15T00:00:00+08:00"));
        // The holiday ends on the 7th; the 10th is a make-up Saturday.
        assert_eq!(due(DutyKind::Assign), at("2026-10-10T00:00:00+08:00"));
        assert_eq!(due(DutyKind::Sign), at("2026-10-01T00:00:00+08:00"));
        // Sixty days end on Saturday the 28th, and so on Monday the 30th.
        assert_eq!(due(DutyKind::Handle), at("2026-12-01T00:00:00+08:00"));
        // Thirty days, the 29th of October.
        assert_eq!(due(DutyKind::Review), at("2026-10-30T00:00:00+08:00"));
    }

    #[test]
    fn an_extension_counts_from_the_same_beginning() {
        let (calendar, now) = (Calendar::published(), at("2026-03-02T10:00:00+08:00"));
        let duty = Duty::open(Uuid::nil(), DutyKind::Handle, now, &calendar).unwrap();
        let longer = duty.extended(30, &calendar).unwrap();
        assert_eq!(longer.open_time, duty.open_time);
        // Ninety days, the 31st of May, a Sunday.
        assert_eq!(longer.due_time, at("2026-06-02T00:00:00+08:00"));
    }

    #[test]
    fn it_turns_amber_before_it_is_late() {
        let (calendar, now) = (Calendar::published(), at("2026-11-24T00:00:00+08:00"));
        let duty = Duty::open(Uuid::nil(), DutyKind::Assign, now, &calendar).unwrap();
        assert_eq!(duty.due_time, at("2026-11-28T00:00:00+08:00"));
        for (instant, standing) in [
            ("2026-11-26T23:59:59+08:00", DutyStanding::OnTime),
            ("2026-11-27T00:00:00+08:00", DutyStanding::Amber),
            ("2026-11-28T00:00:00+08:00", DutyStanding::Late),
        ] {
            assert_eq!(duty.standing(at(instant)), standing, "{instant}");
        }
        let met = Duty { meet_time: Some(at("2026-11-28T00:00:00+08:00")), ..duty };
        assert_eq!(met.standing(at("2026-11-24T00:00:00+08:00")), DutyStanding::MetLate);
    }
}
