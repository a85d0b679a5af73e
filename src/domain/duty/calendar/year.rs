//! One year's working-day notice and the office hours of a day. No counting here (`calendar`).

use jiff::civil::{Date, Time, Weekday};

use crate::error::{Faults, Flaw, Result};

/// More ranges or make-up days than any notice ever had.
const ENTRIES_MAX: usize = 40;
/// A longer holiday than any notice ever had, in days: the longest were nine.
const HOLIDAY_DAYS_MAX: i32 = 15;
/// More days off than any notice ever gave a year: those since 2022 gave 27 to 33.
const DAYS_OFF_MAX: i32 = 40;

/// What the State Council's yearly notice says about one year, in one version.
///
/// A value is consistent: ranges run forward, make-up days (调休上班) are weekend days outside
/// the holidays, and every day lies in the year or in the December before, because the New Year
/// holiday may begin in the old year (2022-12-31 belongs to the notice for 2023).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarYear {
    pub(super) year: i16,
    pub(super) version: u32,
    pub(super) holidays: Vec<(Date, Date)>,
    pub(super) makeup_days: Vec<Date>,
    pub(super) source: String,
}

impl CalendarYear {
    /// A notice as an administrator enters it, or with every fault it has.
    ///
    /// `holidays` are ranges that include both ends. Of two versions of a year the higher counts.
    pub fn new(
        year: i16,
        version: u32,
        holidays: Vec<(Date, Date)>,
        makeup_days: Vec<Date>,
        source: impl Into<String>,
    ) -> Result<Self> {
        let source = source.into();
        let ranges: Vec<_> = holidays.iter().copied().map(Some).collect();
        let days: Vec<_> = makeup_days.iter().copied().map(Some).collect();
        Self::faults(year, version, &ranges, &days, &source).done()?;
        Ok(Self { year, version, holidays, makeup_days, source })
    }

    /// Every fault that such a notice has; a day that could not be read is absent, and was told.
    pub fn faults(
        year: i16,
        version: u32,
        holidays: &[Option<(Date, Date)>],
        makeup_days: &[Option<Date>],
        source: &str,
    ) -> Faults {
        let mut faults = Faults::new();
        faults.check((1949..=9998).contains(&year), "year", Flaw::OutOfRange);
        faults.check(version > 0, "version", Flaw::OutOfRange);
        faults.check(!source.trim().is_empty(), "source", Flaw::Required);
        // A year without holidays is not a published notice but a guess.
        faults.check(!holidays.is_empty(), "holidays", Flaw::Required);
        faults.check(holidays.len() <= ENTRIES_MAX, "holidays", Flaw::TooMany);
        faults.check(makeup_days.len() <= ENTRIES_MAX, "makeup_days", Flaw::TooMany);
        for (at, range) in holidays.iter().enumerate() {
            let Some((first, last)) = *range else { continue };
            let path = format!("holidays[{at}]");
            faults.check(first <= last, path.clone(), Flaw::EndBeforeStart);
            let fits = belongs(year, first) && belongs(year, last);
            faults.check(fits, path.clone(), Flaw::OutOfRange);
            let mut before = holidays.iter().take(at).flatten();
            let overlaps = before.any(|&(begin, end)| begin <= last && first <= end);
            faults.check(!overlaps, path.clone(), Flaw::Duplicate);
            faults.check(days(first, last) <= HOLIDAY_DAYS_MAX, path, Flaw::TooLong);
        }
        let off = holidays.iter().flatten().map(|&(first, last)| days(first, last));
        let off = off.fold(0, i32::saturating_add);
        faults.check(off <= DAYS_OFF_MAX, "holidays", Flaw::TooMany);
        for (at, day) in makeup_days.iter().enumerate() {
            let Some(day) = *day else { continue };
            let path = format!("makeup_days[{at}]");
            faults.check(belongs(year, day), path.clone(), Flaw::OutOfRange);
            if !is_weekend(day) {
                faults.add_told(path.clone(), Flaw::NotAllowed, "调休上班日应为周六或周日");
            }
            if holidays.iter().flatten().any(|&(first, last)| (first..=last).contains(&day)) {
                faults.add_told(path.clone(), Flaw::NotAllowed, "调休上班日不能在放假期间内");
            }
            let mut before = makeup_days.iter().take(at).flatten();
            faults.check(!before.any(|&other| other == day), path, Flaw::Duplicate);
        }
        faults
    }

    /// The year that the notice is about.
    #[must_use]
    pub const fn year(&self) -> i16 {
        self.year
    }

    /// The version within the year, from 1; a changed notice gets the next.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The holiday ranges (放假), both ends included.
    #[must_use]
    pub fn holidays(&self) -> &[(Date, Date)] {
        &self.holidays
    }

    /// The weekend days on which people work (调休上班).
    #[must_use]
    pub fn makeup_days(&self) -> &[Date] {
        &self.makeup_days
    }

    /// The notice it was taken from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// How many days a range has.
fn days(first: Date, last: Date) -> i32 {
    first.until(last).map_or(0, |span| span.get_days()).saturating_add(1)
}

/// Whether a day may stand in the notice for a year.
fn belongs(year: i16, day: Date) -> bool {
    day.year() == year || (day.month() == 12 && day.year() == year.saturating_sub(1))
}

/// Saturday or Sunday.
pub(super) fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The periods of a working day in which the office is open, in order and without overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficeHours(Vec<(Time, Time)>);

impl OfficeHours {
    /// Periods from an opening time (inclusive) to a closing time (exclusive), in order.
    ///
    /// Fails with `TIME_WINDOW_INVALID` when there is none, one is empty, or two overlap.
    pub fn new(periods: Vec<(Time, Time)>) -> Result<Self, Flaw> {
        let forward = periods.iter().all(|(open, close)| open < close);
        let ordered = periods
            .iter()
            .zip(periods.iter().skip(1))
            .all(|((_, close), (next_open, _))| close <= next_open);
        if periods.is_empty() || !forward || !ordered {
            return Err(Flaw::TimeWindowInvalid);
        }
        Ok(Self(periods))
    }

    /// The periods of one day.
    #[must_use]
    pub fn periods(&self) -> &[(Time, Time)] {
        &self.0
    }
}

impl Default for OfficeHours {
    /// 09:00 to 12:00 and 13:30 to 17:30 (facts 4.6).
    fn default() -> Self {
        let at = |hour, minute| Time::constant(hour, minute, 0, 0);
        Self(vec![(at(9, 0), at(12, 0)), (at(13, 30), at(17, 30))])
    }
}
