//! Working days, working hours and the end of a period. No obligations here, and never a guess: a
//! day in a year without a published notice is an error.
//!
//! How periods are counted (Civil Code, 民法典, art. 200 to 203): the day of the event is not
//! counted; the period ends at 24:00 of its last day; a period of calendar days or months whose
//! last day is not a working day ends with the next working day; hours run from the event itself.
//! Days of the Administrative Licensing Law (行政许可法) are working days.

mod published;
mod year;

#[cfg(test)]
pub(crate) mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use jiff::{SignedDuration, Span, Timestamp, civil::Date};

use super::month::{add_months_clamped, instant_at, local_date, start_of_day};
use crate::error::{Error, Reason, Result};

pub use year::{CalendarYear, OfficeHours};

/// How long a period is, and in what it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Working days, 工作日: ends at 24:00 of the last one. Zero means the day of the event.
    WorkingDays(u32),
    /// Hours in which the office is open.
    WorkingHours(u32),
    /// Hours of the clock, nights and holidays included.
    NaturalHours(u32),
    /// Days, 自然日: ends at 24:00 of the last one, or of the next working day.
    CalendarDays(u32),
    /// Months: ends like days, on the same day of the month or the month's last.
    Months(u32),
}

impl Limit {
    /// The name of the unit, on the wire and in the database.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::WorkingDays(_) => "WORKING_DAYS",
            Self::WorkingHours(_) => "WORKING_HOURS",
            Self::NaturalHours(_) => "NATURAL_HOURS",
            Self::CalendarDays(_) => "CALENDAR_DAYS",
            Self::Months(_) => "MONTHS",
        }
    }

    /// How many of its unit.
    #[must_use]
    pub const fn amount(self) -> u32 {
        match self {
            Self::WorkingDays(amount)
            | Self::WorkingHours(amount)
            | Self::NaturalHours(amount)
            | Self::CalendarDays(amount)
            | Self::Months(amount) => amount,
        }
    }

    /// Reads what [`Self::unit`] and [`Self::amount`] wrote.
    #[must_use]
    pub fn from_wire(unit: &str, amount: u32) -> Option<Self> {
        [
            Self::WorkingDays(amount),
            Self::WorkingHours(amount),
            Self::NaturalHours(amount),
            Self::CalendarDays(amount),
            Self::Months(amount),
        ]
        .into_iter()
        .find(|limit| limit.unit() == unit)
    }
}

/// A due time, and whether it was counted in a year without a published notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The first instant at which it is too late.
    pub at: Timestamp,
    /// To be counted again when the notice is out.
    pub provisional: bool,
}

/// The working-day calendar: the notices of several years and the office hours, in one version.
///
/// Cheap to clone; a value never changes.
#[derive(Debug, Clone)]
pub struct Calendar(Arc<Inner>, Missing);

/// What a year without a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// An error.
    Refused,
    /// Monday to Friday, for a due time that is marked as provisional.
    Assumed,
}

#[derive(Debug)]
struct Inner {
    version: String,
    years: BTreeSet<i16>,
    /// The days that differ from Monday to Friday: `true` where people work.
    exceptions: BTreeMap<Date, bool>,
    notices: Vec<CalendarYear>,
    office_hours: OfficeHours,
}

impl Default for Calendar {
    fn default() -> Self {
        Self::published()
    }
}

impl Calendar {
    /// The notices built into the program: 2022 to 2026.
    #[must_use]
    pub fn published() -> Self {
        Self::new(published::years())
    }

    /// A calendar of these notices, with the default office hours.
    ///
    /// Of several versions of a year the highest counts. Where two years' notices speak about the
    /// same day, the later year's does: it was published later.
    #[must_use]
    pub fn new(years: impl IntoIterator<Item = CalendarYear>) -> Self {
        Self::with(years, OfficeHours::default())
    }

    /// A calendar of these notices and office hours.
    #[must_use]
    pub fn with(years: impl IntoIterator<Item = CalendarYear>, office_hours: OfficeHours) -> Self {
        let mut latest: BTreeMap<i16, CalendarYear> = BTreeMap::new();
        for notice in years {
            match latest.get(&notice.year()) {
                Some(known) if known.version() >= notice.version() => {}
                _ => {
                    latest.insert(notice.year(), notice);
                }
            }
        }
        let notices: Vec<_> = latest.into_values().collect();
        let mut exceptions = BTreeMap::new();
        for notice in &notices {
            for &(first, last) in notice.holidays() {
                let days = first.series(Span::new().days(1)).take_while(|&day| day <= last);
                exceptions.extend(days.map(|day| (day, false)));
            }
            exceptions.extend(notice.makeup_days().iter().map(|&day| (day, true)));
        }
        let inner = Inner {
            version: version_of(&notices, &office_hours),
            years: notices.iter().map(CalendarYear::year).collect(),
            exceptions,
            notices,
            office_hours,
        };
        Self(Arc::new(inner), Missing::Refused)
    }

    /// The same calendar, in which Monday to Friday are worked where no notice is out yet. Whatever is
    /// counted with it is to be marked as provisional, and counted again.
    #[must_use]
    pub fn provisional(&self) -> Self {
        Self(Arc::clone(&self.0), Missing::Assumed)
    }

    /// What every deadline is stored with, so that it can be explained and counted again:
    /// each year with its version, and the office hours.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The notices that count, by year.
    #[must_use]
    pub fn years(&self) -> &[CalendarYear] {
        &self.0.notices
    }

    /// The same calendar with another notice: it counts where its version is the highest of its year.
    #[must_use]
    pub fn with_notice(&self, notice: CalendarYear) -> Self {
        let notices = self.0.notices.iter().cloned().chain([notice]);
        Self::with(notices, self.0.office_hours.clone())
    }

    /// When the office is open on a working day.
    #[must_use]
    pub fn office_hours(&self) -> &OfficeHours {
        &self.0.office_hours
    }

    /// Whether people work on the day. Fails with `CALENDAR_MISSING` in a year without a notice.
    pub fn is_working_day(&self, day: Date) -> Result<bool> {
        if self.1 == Missing::Refused && !self.0.years.contains(&day.year()) {
            return Err(missing(day.year()));
        }
        Ok(match self.0.exceptions.get(&day) {
            Some(&works) => works,
            None => !year::is_weekend(day),
        })
    }

    /// The day itself when people work on it, or the next day on which they do.
    pub fn working_day_from(&self, day: Date) -> Result<Date> {
        let mut day = day;
        while !self.is_working_day(day)? {
            day = next(day)?;
        }
        Ok(day)
    }

    /// The `n`th working day after `start`, which itself is not counted; `start` for zero.
    pub fn add_working_days(&self, start: Date, n: u32) -> Result<Date> {
        let (mut day, mut left) = (start, n);
        while left > 0 {
            day = next(day)?;
            if self.is_working_day(day)? {
                left -= 1;
            }
        }
        Ok(day)
    }

    /// How many working days lie after the first day, up to and including the second.
    pub fn working_days_between(&self, after: Date, through: Date) -> Result<u32> {
        let (mut day, mut count) = (after, 0);
        while day < through {
            day = next(day)?;
            count += u32::from(self.is_working_day(day)?);
        }
        Ok(count)
    }

    /// How many working days a year has.
    pub fn working_days_of(&self, year: i16) -> Result<i32> {
        let mut day = Date::new(year, 1, 1).map_err(|_| missing(year))?;
        let mut count = 0;
        while day.year() == year {
            count += i32::from(self.is_working_day(day)?);
            day = next(day)?;
        }
        Ok(count)
    }

    /// The earliest instant at which the office has been open for `time` since `start`.
    pub fn add_working_time(&self, start: Timestamp, time: SignedDuration) -> Result<Timestamp> {
        let (mut day, mut left) = (local_date(start), time);
        if left <= SignedDuration::ZERO {
            return Ok(start);
        }
        loop {
            for (open, close) in self.open_periods(day)? {
                let open = open.max(start);
                let span = open.duration_until(close);
                if span < left {
                    left -= span.max(SignedDuration::ZERO);
                } else {
                    return after(open, left);
                }
            }
            day = next(day)?;
        }
    }

    /// How long the office is open from one instant to another; zero when they are not in order.
    pub fn working_time_between(&self, from: Timestamp, to: Timestamp) -> Result<SignedDuration> {
        let mut total = SignedDuration::ZERO;
        let mut day = local_date(from);
        while start_of_day(day) < to {
            for (open, close) in self.open_periods(day)? {
                let span = open.max(from).duration_until(close.min(to));
                total += span.max(SignedDuration::ZERO);
            }
            day = next(day)?;
        }
        Ok(total)
    }

    /// The end of a period that an event opens: the first instant at which it is too late.
    ///
    /// Periods of days and months end at 24:00 local time, which is 00:00 of the next day.
    /// Fails with `CALENDAR_MISSING` when the count needs a year without a notice.
    pub fn deadline(&self, event: Timestamp, limit: Limit) -> Result<Timestamp> {
        let day = local_date(event);
        match limit {
            Limit::WorkingDays(days) => end_of(self.add_working_days(day, days)?),
            Limit::WorkingHours(hours) => self.add_working_time(event, in_hours(hours)),
            Limit::NaturalHours(hours) => after(event, in_hours(hours)),
            Limit::CalendarDays(_) | Limit::Months(_) => {
                end_of(self.working_day_from(last_calendar_day(day, limit)?)?)
            }
        }
    }

    /// The same, marked as provisional where a year has no notice: a filing is never lost because a
    /// notice is not out yet.
    pub fn due(&self, event: Timestamp, limit: Limit) -> Result<Due> {
        self.counted(|calendar| calendar.deadline(event, limit))
    }

    /// Counts, and where a year is missing counts again with Monday to Friday.
    pub fn counted(&self, count: impl Fn(&Self) -> Result<Timestamp>) -> Result<Due> {
        match count(self) {
            Ok(at) => Ok(Due { at, provisional: false }),
            Err(error) if error.reason() == Reason::CalendarMissing => {
                Ok(Due { at: count(&self.provisional())?, provisional: true })
            }
            Err(error) => Err(error),
        }
    }

    /// The office's open periods on a day, as instants; none where people do not work.
    fn open_periods(&self, day: Date) -> Result<impl Iterator<Item = (Timestamp, Timestamp)>> {
        let periods = if self.is_working_day(day)? {
            self.0.office_hours.periods()
        } else {
            Default::default()
        };
        Ok(periods
            .iter()
            .map(move |&(open, close)| (instant_at(day, open), instant_at(day, close))))
    }
}

/// The last day of a period of calendar days or months before it is moved off a holiday; the day
/// of the event for periods that are counted otherwise.
pub(in crate::domain) fn last_calendar_day(event: Date, limit: Limit) -> Result<Date> {
    match limit {
        Limit::CalendarDays(days) => add_days(event, days),
        Limit::Months(months) => Ok(add_months_clamped(event, months)),
        Limit::WorkingDays(_) | Limit::WorkingHours(_) | Limit::NaturalHours(_) => Ok(event),
    }
}

/// The day so many days later; days beyond the year 9999 have no notice.
pub(in crate::domain) fn add_days(day: Date, days: u32) -> Result<Date> {
    Span::new()
        .try_days(i64::from(days))
        .and_then(|span| day.checked_add(span))
        .map_err(|_| missing(Date::MAX.year()))
}

/// The instant 24:00 of a local day.
pub(in crate::domain) fn end_of(day: Date) -> Result<Timestamp> {
    Ok(start_of_day(next(day)?))
}

/// The instant so much later on the clock.
pub(in crate::domain) fn after(start: Timestamp, time: SignedDuration) -> Result<Timestamp> {
    start.checked_add(time).map_err(|_| missing(Date::MAX.year()))
}

fn next(day: Date) -> Result<Date> {
    day.tomorrow().map_err(|_| missing(day.year()))
}

fn in_hours(hours: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(hours))
}

fn missing(year: i16) -> Error {
    Error::new(Reason::CalendarMissing).fact("year", year)
}

/// For example `2025.1+2026.2;09:00-12:00,13:30-17:30`.
fn version_of(notices: &[CalendarYear], office_hours: &OfficeHours) -> String {
    let years: Vec<_> =
        notices.iter().map(|notice| format!("{}.{}", notice.year(), notice.version())).collect();
    let mut version = years.join("+");
    let mut separator = ';';
    for (open, close) in office_hours.periods() {
        let (open, close) = (open.strftime("%H:%M"), close.strftime("%H:%M"));
        // Writing to a string cannot fail.
        let _ = write!(version, "{separator}{open}-{close}");
        separator = ',';
    }
    version
}
