//! Local time of the city and month arithmetic. No working days here (`calendar`), and no clock.
//!
//! Everything a citizen reads is a day or an hour in Asia/Shanghai; everything stored is an instant.

use jiff::{
    Span, Timestamp,
    civil::{Date, Time},
    tz::{self, Offset, TimeZone},
};

use crate::error::Flaw;

/// UTC+8. China has had no daylight saving time since 1991, so a fixed offset is exact for every
/// date of this product and no time zone database is needed.
const SHANGHAI: Offset = tz::offset(8);

/// The time zone of the city: Asia/Shanghai, as the fixed offset UTC+8.
#[must_use]
pub fn shanghai() -> TimeZone {
    TimeZone::fixed(SHANGHAI)
}

/// The local day on which an instant falls.
#[must_use]
pub fn local_date(instant: Timestamp) -> Date {
    SHANGHAI.to_datetime(instant).date()
}

/// The local time of day of an instant.
#[must_use]
pub fn local_time(instant: Timestamp) -> Time {
    SHANGHAI.to_datetime(instant).time()
}

/// The instant at which a local day reaches a time of day.
///
/// Saturates at the first and the last instant that a `Timestamp` can hold.
#[must_use]
pub fn instant_at(day: Date, time: Time) -> Timestamp {
    SHANGHAI.to_timestamp(day.to_datetime(time)).unwrap_or(if day < Date::ZERO {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The instant at which a local day begins: 00:00 Asia/Shanghai.
#[must_use]
pub fn start_of_day(day: Date) -> Timestamp {
    instant_at(day, Time::midnight())
}

/// A day as people write it in a form: `YYYY-MM-DD` and nothing else, since a day that can be written in
/// several ways is compared and stored in several ways.
///
/// # Errors
/// `DATE_INVALID`.
pub fn day(text: &str) -> Result<Date, Flaw> {
    let fits = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 10 || !text.as_bytes().iter().enumerate().all(fits) {
        return Err(Flaw::DateInvalid);
    }
    text.parse().map_err(|_| Flaw::DateInvalid)
}

/// The day after the last one of a period of months that begins with the day `first`.
///
/// The last day is the one before the corresponding day; where the month has none, its own last day
/// (民法典, art. 202): a month from 28 January ends with 27 February, one from the 29th, 30th or 31st with
/// 28 February, so that this is 1 March. A pass that begins at 00:00 of `first` ends, exclusively, at
/// 00:00 of the result (facts 3.3). Saturates at 9999-12-31.
#[must_use]
pub fn end_after_months(first: Date, months: u32) -> Date {
    let corresponding = add_months_clamped(first, months);
    if corresponding.day() < first.day() {
        return corresponding.tomorrow().unwrap_or(Date::MAX);
    }
    corresponding
}

/// So many days later. Saturates at 9999-12-31.
#[must_use]
pub fn add_days(first: Date, days: u32) -> Date {
    Span::new()
        .try_days(i64::from(days))
        .ok()
        .and_then(|span| first.checked_add(span).ok())
        .unwrap_or(Date::MAX)
}

/// So many days earlier. Saturates at the first day there is.
#[must_use]
pub fn days_before(day: Date, days: u32) -> Date {
    Span::new()
        .try_days(i64::from(days))
        .ok()
        .and_then(|span| day.checked_sub(span).ok())
        .unwrap_or(Date::MIN)
}

/// The same day of the month, `months` later; where that month is shorter, its last day: the last day of
/// a limit in months (民法典, art. 202), which begins on the day after the event.
/// Saturates at 9999-12-31.
#[must_use]
pub fn add_months_clamped(from: Date, months: u32) -> Date {
    Span::new()
        .try_months(i64::from(months))
        .ok()
        .and_then(|span| from.checked_add(span).ok())
        .unwrap_or(Date::MAX)
}

/// The last local day on which something that ends, exclusively, at `valid_until` is valid for at
/// least a moment: what people are shown instead of the exclusive end.
#[must_use]
pub fn last_valid_day(valid_until: Timestamp) -> Date {
    let last = valid_until.checked_sub(Span::new().nanoseconds(1)).unwrap_or(Timestamp::MIN);
    local_date(last)
}

#[cfg(test)]
mod tests {
    use super::{
        add_days, add_months_clamped, day as read_day, end_after_months, instant_at,
        last_valid_day, local_date, local_time, shanghai, start_of_day,
    };
    use jiff::{
        Timestamp,
        civil::{Date, date, time},
    };
    use proptest::prelude::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_added_with_clamping_to_the_end_of_the_month() {
        // The vectors of facts 3.3 and 5.8.
        for (from, months, expected) in [
            ("2022-06-15", 6, "2022-12-15"),
            ("2022-08-31", 6, "2023-02-28"),
            ("2023-08-31", 6, "2024-02-29"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2023-01-31", 1, "2023-02-28"),
            ("2022-06-15", 3, "2022-09-15"),
            ("2022-06-15", 9, "2023-03-15"),
            ("2022-05-31", 9, "2023-02-28"),
            ("2022-06-15", 0, "2022-06-15"),
        ] {
            assert_eq!(add_months_clamped(day(from), months), day(expected), "{from} + {months}");
        }
    }

    #[test]
    fn months_beyond_the_end_of_time_saturate() {
        assert_eq!(add_months_clamped(date(2026, 1, 1), u32::MAX), Date::MAX);
        assert_eq!(add_months_clamped(date(9999, 12, 1), 1), Date::MAX);
        assert_eq!(end_after_months(date(2026, 1, 31), u32::MAX), Date::MAX);
        assert_eq!(add_days(date(2026, 1, 31), u32::MAX), Date::MAX);
        assert_eq!(add_days(date(2026, 1, 31), 7_304_485), Date::MAX);
    }

    #[test]
    fn a_period_of_months_ends_before_the_corresponding_day() {
        for (first, months, last) in [
            ("2027-01-28", 1, "2027-02-27"),
            ("2027-01-29", 1, "2027-02-28"),
            ("2027-01-30", 1, "2027-02-28"),
            ("2027-01-31", 1, "2027-02-28"),
            ("2027-02-28", 1, "2027-03-27"),
            ("2022-06-15", 6, "2022-12-14"),
            ("2022-08-31", 6, "2023-02-28"),
            ("2023-08-31", 6, "2024-02-29"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2026-12-31", 6, "2027-06-30"),
            ("2026-10-01", 3, "2026-12-31"),
        ] {
            let end = end_after_months(day(first), months);
            assert_eq!(end.yesterday().unwrap(), day(last), "{first} + {months}");
        }
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        assert_eq!(read_day("2027-02-28"), Ok(date(2027, 2, 28)));
        for text in [
            "",
            "2027-02-29",
            "20270228",
            "2027-2-28",
            "2027-02-28T00:00",
            "2027-02-28Z",
            "2027/02/28",
            "+2027-02-28",
            "-027-02-28",
            "2027-059",
            "2027-W08-7",
            "２０２７-02-28",
            "20270228Z ",
            "2027-00-01",
        ] {
            assert!(read_day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        assert_eq!(start_of_day(date(2022, 6, 15)), instant("2022-06-14T16:00:00Z"));
        assert_eq!(
            instant_at(date(2022, 6, 15), time(9, 0, 0, 0)),
            instant("2022-06-15T01:00:00Z")
        );
        let zoned = instant("2022-06-14T16:00:00Z").to_zoned(shanghai());
        assert_eq!((zoned.date(), zoned.hour()), (date(2022, 6, 15), 0));
    }

    #[test]
    fn the_local_day_changes_at_sixteen_hours_utc() {
        assert_eq!(local_date(instant("2022-06-14T15:59:59.999999999Z")), date(2022, 6, 14));
        assert_eq!(local_date(instant("2022-06-14T16:00:00Z")), date(2022, 6, 15));
        assert_eq!(local_time(instant("2022-06-14T23:30:00Z")), time(7, 30, 0, 0));
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        assert_eq!(start_of_day(Date::MIN), Timestamp::MIN);
        assert_eq!(local_date(start_of_day(Date::MAX)), Date::MAX);
        let _ = (local_date(Timestamp::MIN), local_date(Timestamp::MAX));
        let _ = last_valid_day(Timestamp::MIN);
    }

    #[test]
    fn people_are_shown_the_last_valid_day() {
        let until = start_of_day(end_after_months(date(2022, 6, 15), 6));
        assert_eq!(last_valid_day(until), date(2022, 12, 14));
        // A green lane of 72 hours may end in the middle of a day: that day is still valid.
        assert_eq!(last_valid_day(instant("2022-06-15T04:00:00Z")), date(2022, 6, 15));
    }

    proptest! {
        #[test]
        fn a_day_survives_the_way_to_an_instant_and_back(days in 0_i64..40_000) {
            let day = date(1992, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert_eq!(local_date(start_of_day(day)), day);
            prop_assert_eq!(last_valid_day(start_of_day(day)), day.yesterday().unwrap());
        }

        #[test]
        fn more_months_never_end_earlier(days in 0_i64..20_000, months in 0_u32..120) {
            let day = date(2000, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert!(add_months_clamped(day, months) < add_months_clamped(day, months + 1));
            prop_assert!(end_after_months(day, months) < end_after_months(day, months + 1));
            // Whoever begins later never ends earlier.
            let next = day.tomorrow().unwrap();
            prop_assert!(end_after_months(day, months) <= end_after_months(next, months));
        }
    }
}
