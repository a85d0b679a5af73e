//! The vectors of facts 4.6 and the counting rules of the Civil Code.

use jiff::{SignedDuration, Timestamp, civil::Date, civil::date, civil::time};
use proptest::prelude::*;

use super::{Calendar, CalendarYear, Limit, OfficeHours, published};
use crate::{
    domain::duty::month::{instant_at, start_of_day},
    error::{Error, Flaw, Reason},
};

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A local time of the city, as `2022-06-15 09:00`.
fn local(text: &str) -> Timestamp {
    let (day, clock) = text.split_once(' ').unwrap();
    instant_at(day.parse().unwrap(), clock.parse().unwrap())
}

fn is_missing(error: &Error, year: &str) -> bool {
    error.reason() == Reason::CalendarMissing
        && error.facts().iter().any(|(key, value)| *key == "year" && value == year)
}

// CO-03, CO-04.
#[test]
fn each_published_year_has_its_number_of_working_days() {
    let calendar = Calendar::published();
    for (year, expected) in [(2022, 249), (2023, 249), (2024, 251), (2025, 248), (2026, 248)] {
        let days = date(year, 1, 1).series(jiff::Span::new().days(1));
        let working = days
            .take_while(|day| day.year() == year)
            .filter(|&day| calendar.is_working_day(day).unwrap())
            .count();
        assert_eq!(working, expected, "{year}");
    }
}

// CO-03, CO-04.
#[test]
fn working_days_are_counted_from_the_day_after_the_event() {
    let calendar = Calendar::published();
    for (start, n, expected) in [
        ("2022-06-15", 5, "2022-06-22"),
        ("2022-09-30", 5, "2022-10-12"),
        ("2022-04-29", 5, "2022-05-10"),
        ("2025-09-30", 5, "2025-10-14"),
        ("2026-02-13", 5, "2026-02-27"),
        ("2026-02-14", 1, "2026-02-24"),
        ("2026-09-24", 5, "2026-10-09"),
        ("2026-09-30", 3, "2026-10-10"),
        ("2026-10-01", 0, "2026-10-01"),
    ] {
        let (start, expected) = (day(start), day(expected));
        assert_eq!(calendar.add_working_days(start, n).unwrap(), expected, "{start} + {n}");
        assert_eq!(calendar.working_days_between(start, expected).unwrap(), n, "{start} + {n}");
        let event = instant_at(start, time(16, 59, 59, 0));
        let end = calendar.deadline(event, Limit::WorkingDays(n)).unwrap();
        assert_eq!(end, start_of_day(expected.tomorrow().unwrap()), "{start} + {n}");
    }
}

// CO-04.
#[test]
fn a_makeup_saturday_is_worked_and_a_holiday_weekday_is_not() {
    let calendar = Calendar::published();
    for (text, works) in [
        ("2022-10-08", true),
        ("2022-10-09", true),
        ("2022-10-07", false),
        ("2022-12-31", false),
        ("2023-01-01", false),
        ("2023-01-02", false),
        ("2023-01-03", true),
        ("2026-10-10", true),
        ("2026-10-11", false),
    ] {
        assert_eq!(calendar.is_working_day(day(text)).unwrap(), works, "{text}");
    }
}

// I18: never a guess.
#[test]
fn a_year_without_a_notice_is_an_error() {
    let calendar = Calendar::published();
    let event = local("2026-12-31 10:00");
    let outcomes = [
        calendar.is_working_day(date(2027, 1, 1)).unwrap_err(),
        calendar.add_working_days(date(2026, 12, 31), 1).unwrap_err(),
        calendar.add_working_days(date(2026, 12, 1), u32::MAX).unwrap_err(),
        calendar.working_days_between(date(2026, 12, 31), date(2027, 1, 1)).unwrap_err(),
        calendar.deadline(event, Limit::WorkingDays(1)).unwrap_err(),
        calendar.deadline(event, Limit::WorkingHours(8)).unwrap_err(),
        calendar.deadline(event, Limit::CalendarDays(1)).unwrap_err(),
        calendar.deadline(event, Limit::Months(1)).unwrap_err(),
        calendar.working_time_between(event, local("2027-01-01 00:01")).unwrap_err(),
    ];
    for error in &outcomes {
        assert!(is_missing(error, "2027"), "{error}");
    }
    assert!(is_missing(&calendar.is_working_day(date(2021, 12, 31)).unwrap_err(), "2021"));
    // What ends within the last year does not need the next: its end is the instant 2027-01-01.
    assert_eq!(
        calendar.deadline(local("2026-12-30 10:00"), Limit::WorkingDays(1)).unwrap(),
        local("2027-01-01 00:00")
    );
    // Hours of the clock need no calendar.
    let end = calendar.deadline(event, Limit::NaturalHours(24)).unwrap();
    assert_eq!(end, local("2027-01-01 10:00"));
}

#[test]
fn limits_beyond_the_end_of_time_are_errors() {
    let calendar = Calendar::published();
    let event = local("2026-06-15 10:00");
    for limit in [
        Limit::NaturalHours(u32::MAX),
        Limit::CalendarDays(u32::MAX),
        Limit::Months(u32::MAX),
        Limit::WorkingDays(u32::MAX),
        Limit::WorkingHours(u32::MAX),
    ] {
        let error = calendar.deadline(event, limit).unwrap_err();
        assert_eq!(error.reason(), Reason::CalendarMissing, "{limit:?}");
    }
}

// 民法典, art. 203.
#[test]
fn a_calendar_period_that_ends_on_a_day_off_ends_with_the_next_working_day() {
    let calendar = Calendar::published();
    for (event, limit, expected) in [
        // Thursday to Friday; to Saturday, moved to Monday.
        ("2022-06-16 10:00", Limit::CalendarDays(1), "2022-06-18 00:00"),
        ("2022-06-16 10:00", Limit::CalendarDays(2), "2022-06-21 00:00"),
        // The last day is National Day: the first working day after it is a make-up Saturday.
        ("2022-09-16 10:00", Limit::CalendarDays(15), "2022-10-09 00:00"),
        // A make-up Sunday is a working day: nothing moves.
        ("2026-01-01 10:00", Limit::CalendarDays(3), "2026-01-05 00:00"),
        // facts 5.8, with the last day included.
        ("2022-06-15 10:00", Limit::Months(3), "2022-09-16 00:00"),
        ("2022-06-15 10:00", Limit::Months(6), "2022-12-16 00:00"),
        ("2022-06-15 10:00", Limit::Months(9), "2023-03-16 00:00"),
        ("2022-05-31 10:00", Limit::Months(9), "2023-03-01 00:00"),
        // 2022-10-01 is a holiday.
        ("2022-09-01 10:00", Limit::Months(1), "2022-10-09 00:00"),
    ] {
        let end = calendar.deadline(local(event), limit).unwrap();
        assert_eq!(end, local(expected), "{event} {limit:?}");
    }
}

// CO-03: several periods a day.
#[test]
fn working_hours_run_only_while_the_office_is_open() {
    let calendar = Calendar::published();
    for (event, hours, expected) in [
        ("2022-06-15 09:00", 3, "2022-06-15 12:00"),
        ("2022-06-15 09:00", 4, "2022-06-15 14:30"),
        ("2022-06-15 09:00", 7, "2022-06-15 17:30"),
        ("2022-06-15 12:30", 4, "2022-06-15 17:30"),
        ("2022-06-15 03:00", 4, "2022-06-15 14:30"),
        ("2022-06-15 16:30", 4, "2022-06-16 12:00"),
        ("2022-06-17 16:30", 4, "2022-06-20 12:00"),
        ("2022-06-18 10:00", 1, "2022-06-20 10:00"),
        ("2022-06-15 10:15", 0, "2022-06-15 10:15"),
        // Over National Day into the make-up Saturday.
        ("2022-09-30 16:30", 4, "2022-10-08 12:00"),
    ] {
        let (event, expected) = (local(event), local(expected));
        let end = calendar.deadline(event, Limit::WorkingHours(hours)).unwrap();
        assert_eq!(end, expected, "{event} + {hours}");
        let time = calendar.working_time_between(event, expected).unwrap();
        assert_eq!(time, SignedDuration::from_hours(i64::from(hours)), "{event} + {hours}");
    }
    let (late, early) = (local("2022-06-16 10:00"), local("2022-06-15 10:00"));
    assert_eq!(calendar.working_time_between(late, early).unwrap(), SignedDuration::ZERO);
}

#[test]
fn natural_hours_run_through_nights_and_holidays() {
    let calendar = Calendar::published();
    let end = calendar.deadline(local("2022-09-30 16:30"), Limit::NaturalHours(48)).unwrap();
    assert_eq!(end, local("2022-10-02 16:30"));
}

#[test]
fn office_hours_are_a_setting() {
    let hours = OfficeHours::new(vec![(time(8, 30, 0, 0), time(11, 30, 0, 0))]).unwrap();
    let calendar = Calendar::with(published::years(), hours);
    let end = calendar.deadline(local("2022-06-15 09:30"), Limit::WorkingHours(4)).unwrap();
    assert_eq!(end, local("2022-06-16 10:30"));
    for periods in [
        vec![],
        vec![(time(9, 0, 0, 0), time(9, 0, 0, 0))],
        vec![(time(12, 0, 0, 0), time(9, 0, 0, 0))],
        vec![(time(9, 0, 0, 0), time(12, 0, 0, 0)), (time(11, 0, 0, 0), time(13, 0, 0, 0))],
    ] {
        assert_eq!(OfficeHours::new(periods), Err(Flaw::TimeWindowInvalid));
    }
}

// CO-06: a deadline names the version that it was counted with.
#[test]
fn the_version_names_every_year_and_the_office_hours() {
    let calendar = Calendar::published();
    assert_eq!(calendar.version(), "2022.1+2023.1+2024.1+2025.1+2026.1;09:00-12:00,13:30-17:30");
    let hours = OfficeHours::new(vec![(time(8, 30, 0, 0), time(11, 30, 0, 0))]).unwrap();
    assert_eq!(Calendar::with([], hours).version(), ";08:30-11:30");
}

// CO-06: a corrected notice counts, whatever the order in which the versions are loaded.
#[test]
fn the_highest_version_of_a_year_counts() {
    // As in 2020, when the Spring Festival was lengthened after the notice.
    let mut changed = published::years();
    let second = CalendarYear::new(
        2026,
        2,
        vec![(date(2026, 1, 1), date(2026, 1, 5))],
        vec![],
        "国务院办公厅通知",
    )
    .unwrap();
    changed.push(second);
    let mut backwards = changed.clone();
    backwards.reverse();
    for years in [changed, backwards] {
        let calendar = Calendar::new(years);
        assert!(calendar.version().contains("2026.2"), "{}", calendar.version());
        assert!(!calendar.is_working_day(date(2026, 1, 5)).unwrap());
        assert!(calendar.is_working_day(date(2026, 10, 1)).unwrap());
        assert_eq!(calendar.years().len(), 5);
    }
}

#[test]
fn a_later_notice_may_change_the_december_before() {
    // The notice for 2023 speaks about a Saturday of 2022; here it takes a Friday as well.
    let notice = CalendarYear::new(
        2023,
        2,
        vec![(date(2022, 12, 30), date(2023, 1, 2))],
        vec![date(2022, 12, 24)],
        "国务院办公厅通知",
    )
    .unwrap();
    let calendar = Calendar::new(published::years().into_iter().chain([notice]));
    assert!(!calendar.is_working_day(date(2022, 12, 30)).unwrap());
    assert!(calendar.is_working_day(date(2022, 12, 24)).unwrap());
    assert!(calendar.is_working_day(date(2022, 12, 29)).unwrap());
    // It does not make 2022 known where the notice for 2022 itself is missing.
    let alone = Calendar::new(published::years().into_iter().filter(|year| year.year() == 2023));
    assert!(is_missing(&alone.is_working_day(date(2022, 12, 31)).unwrap_err(), "2022"));
}

#[test]
fn the_published_notices_are_consistent() {
    for year in published::years() {
        let again = CalendarYear::new(
            year.year(),
            year.version(),
            year.holidays().to_vec(),
            year.makeup_days().to_vec(),
            year.source(),
        );
        assert_eq!(again.unwrap(), year);
    }
}

#[test]
fn an_inconsistent_notice_is_refused_with_every_fault() {
    let error = CalendarYear::new(
        2027,
        0,
        vec![(date(2027, 1, 3), date(2027, 1, 1)), (date(2028, 1, 1), date(2028, 1, 1))],
        vec![date(2027, 2, 1), date(2027, 2, 6), date(2027, 2, 6), date(2026, 11, 28)],
        " ",
    )
    .unwrap_err();
    let found: Vec<_> = error.fields().iter().map(|f| (f.path.as_str(), f.flaw)).collect();
    assert_eq!(
        found,
        [
            ("version", Flaw::OutOfRange),
            ("source", Flaw::Required),
            ("holidays[0]", Flaw::EndBeforeStart),
            ("holidays[1]", Flaw::OutOfRange),
            ("makeup_days[0]", Flaw::NotAllowed),
            ("makeup_days[2]", Flaw::Duplicate),
            ("makeup_days[3]", Flaw::OutOfRange),
        ]
    );
    let empty = CalendarYear::new(2027, 1, vec![], vec![], "x").unwrap_err();
    assert_eq!(empty.fields()[0].path, "holidays");
    let inside = CalendarYear::new(
        2027,
        1,
        vec![(date(2027, 2, 5), date(2027, 2, 11))],
        vec![date(2027, 2, 6)],
        "x",
    );
    assert_eq!(inside.unwrap_err().fields()[0].flaw, Flaw::NotAllowed);
}

#[test]
fn a_limit_survives_the_way_to_the_database_and_back() {
    for limit in [
        Limit::WorkingDays(3),
        Limit::WorkingHours(4),
        Limit::NaturalHours(24),
        Limit::CalendarDays(15),
        Limit::Months(9),
    ] {
        assert_eq!(Limit::from_wire(limit.unit(), limit.amount()), Some(limit));
    }
    assert_eq!(Limit::from_wire("FORTNIGHTS", 1), None);
}

/// An instant of 2022 to 2025, to the minute.
pub(crate) fn some_instant() -> impl Strategy<Value = Timestamp> {
    (0_i64..4 * 365 * 24 * 60)
        .prop_map(|minutes| local("2022-01-01 00:00") + SignedDuration::from_mins(minutes))
}

/// A limit as the measures use them.
pub(crate) fn some_limit() -> impl Strategy<Value = Limit> {
    prop_oneof![
        (0_u32..25).prop_map(Limit::WorkingDays),
        (0_u32..60).prop_map(Limit::WorkingHours),
        (0_u32..100).prop_map(Limit::NaturalHours),
        (0_u32..60).prop_map(Limit::CalendarDays),
        (0_u32..4).prop_map(Limit::Months),
    ]
}

proptest! {
    #[test]
    fn a_later_event_never_has_an_earlier_deadline(
        one in some_instant(), two in some_instant(), limit in some_limit(),
    ) {
        let calendar = Calendar::published();
        let (early, late) = (one.min(two), one.max(two));
        prop_assert!(
            calendar.deadline(early, limit).unwrap() <= calendar.deadline(late, limit).unwrap()
        );
        prop_assert!(calendar.deadline(early, limit).unwrap() >= early);
    }

    #[test]
    fn working_time_can_be_added_in_pieces(
        start in some_instant(), one in 0_i64..3_000, two in 0_i64..3_000,
    ) {
        let calendar = Calendar::published();
        let (one, two) = (SignedDuration::from_mins(one), SignedDuration::from_mins(two));
        let middle = calendar.add_working_time(start, one).unwrap();
        let end = calendar.add_working_time(start, one + two).unwrap();
        prop_assert_eq!(calendar.add_working_time(middle, two).unwrap(), end);
        prop_assert_eq!(calendar.working_time_between(start, end).unwrap(), one + two);
    }
}
