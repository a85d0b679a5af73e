//! Time windows of a day, seasons of a year, kinds of days. No time zone and no calendar: the
//! local time and the kind of day come in as values.

use std::fmt;

use jiff::civil::{Date, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    error::{Flaw, Result},
    named::named,
};

/// The minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A window of a day, begin inclusive, end exclusive, exact to the second. It may cross midnight
/// (`18:30-07:00`); the whole day is `00:00-24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeWindow {
    from_minute: u16,
    until_minute: u16,
}

impl TimeWindow {
    /// The whole day.
    pub const ALL_DAY: Self = Self { from_minute: 0, until_minute: DAY_MINUTES };

    /// A window from minutes after midnight: from 0 to 1439, until 1 to 1440.
    ///
    /// Fails with [`Flaw::TimeWindowInvalid`], also where it would be empty.
    pub const fn new(from_minute: u16, until_minute: u16) -> Result<Self, Flaw> {
        if from_minute >= DAY_MINUTES
            || until_minute == 0
            || until_minute > DAY_MINUTES
            || from_minute == until_minute
        {
            return Err(Flaw::TimeWindowInvalid);
        }
        Ok(Self { from_minute, until_minute })
    }

    /// Reads `18:30-07:00`.
    ///
    /// Fails with [`Flaw::TimeWindowInvalid`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let (from, until) = text.split_once('-').ok_or(Flaw::TimeWindowInvalid)?;
        Self::new(minute(from)?, minute(until)?)
    }

    /// Minutes after midnight, inclusive.
    #[must_use]
    pub const fn first_minute(self) -> u16 {
        self.from_minute
    }

    /// Minutes after midnight, exclusive.
    #[must_use]
    pub const fn until_minute(self) -> u16 {
        self.until_minute
    }

    /// Whether it ends on the day after it began.
    #[must_use]
    pub const fn crosses_midnight(self) -> bool {
        self.until_minute < self.from_minute
    }

    /// Whether a time of day lies in it.
    #[must_use]
    pub fn contains(self, time: Time) -> bool {
        let minute = minute_of(time);
        if self.crosses_midnight() {
            minute >= self.from_minute || minute < self.until_minute
        } else {
            self.from_minute <= minute && minute < self.until_minute
        }
    }

    /// Whether a time lies in the part after midnight, which belongs to the day before.
    #[must_use]
    pub fn contains_after_midnight(self, time: Time) -> bool {
        self.crosses_midnight() && minute_of(time) < self.until_minute
    }
}

/// The full minute in which a time lies: edges are whole minutes, so seconds never matter.
fn minute_of(time: Time) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// Reads `HH:MM`, `24:00` included.
fn minute(text: &str) -> Result<u16, Flaw> {
    let digits = |part: &str| {
        let two = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        two.then(|| part.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = text.split_once(':').ok_or(Flaw::TimeWindowInvalid)?;
    match (digits(hour), digits(minute)) {
        (Some(hour), Some(minute)) if minute < 60 && hour <= 24 => Ok(hour * 60 + minute),
        _ => Err(Flaw::TimeWindowInvalid),
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from_minute, self.until_minute);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

named! {
/// The kind of a day, from the working-day calendar.
DayType {
    /// A working day, make-up days included.
    WorkingDay = "WORKING_DAY", "工作日";
    /// A day of rest: weekend or statutory holiday.
    RestDay = "REST_DAY", "休息日";
}
}

/// A day of the year without the year; 29 February exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthDay {
    month: i8,
    day: i8,
}

impl MonthDay {
    /// A day of the year.
    ///
    /// Fails with [`Flaw::DateInvalid`].
    pub fn new(month: i8, day: i8) -> Result<Self, Flaw> {
        // A leap year knows every day of a year.
        Date::new(2024, month, day).map_err(|_| Flaw::DateInvalid)?;
        Ok(Self { month, day })
    }

    /// Reads `11-01`.
    ///
    /// Fails with [`Flaw::DateInvalid`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let (month, day) = text.split_once('-').ok_or(Flaw::DateInvalid)?;
        let number = |part: &str| match part.len() {
            2 => part.parse::<i8>().map_err(|_| Flaw::DateInvalid),
            _ => Err(Flaw::DateInvalid),
        };
        Self::new(number(month)?, number(day)?)
    }
}

impl From<Date> for MonthDay {
    fn from(date: Date) -> Self {
        Self { month: date.month(), day: date.day() }
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

/// A part of the year, both days inclusive; it may cross the new year (`11-01` to `03-31`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// The first day.
    pub from: MonthDay,
    /// The last day.
    pub until: MonthDay,
}

impl Season {
    /// Whether a day lies in it.
    #[must_use]
    pub fn contains(self, date: Date) -> bool {
        let day = MonthDay::from(date);
        if self.from <= self.until {
            self.from <= day && day <= self.until
        } else {
            day >= self.from || day <= self.until
        }
    }

    /// The season for a person.
    #[must_use]
    pub fn zh(self) -> String {
        format!(
            "{}月{}日至{}月{}日",
            self.from.month, self.from.day, self.until.month, self.until.day
        )
    }
}

/// JSON as text: what a notice prints is what the row holds.
macro_rules! as_text {
    ($($name:ident)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(|flaw| D::Error::custom(flaw.wire()))
            }
        }
    )+};
}

as_text! { TimeWindow MonthDay }
