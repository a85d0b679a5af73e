//! Vectors and properties of due times: pauses, breaches, and what may never reset the time.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Counted, Limits, Obligation, ObligationKind, Pause, PauseReason, Standing, Which,
    acceptance_limits, decision_limits,
};
use crate::{
    domain::duty::{
        calendar::{
            Calendar, Limit,
            tests::{some_instant, some_limit},
        },
        month::{instant_at, local_date},
    },
    error::{Flaw, Reason},
};

#[test]
fn a_row_stands_as_what_it_was_counted_from() {
    let (amber, due) = (local("2022-06-16 04:00"), local("2022-06-16 10:00"));
    let open = Counted { due, amber, met: None, paused: false, void: false };
    let second = SignedDuration::from_secs(1);
    for (row, now, standing) in [
        (open, amber - second, Standing::OnTime),
        (open, amber, Standing::Amber),
        (open, due, Standing::Breached),
        (Counted { paused: true, ..open }, due, Standing::Paused),
        (Counted { void: true, paused: true, ..open }, due, Standing::Void),
        (Counted { met: Some(due - second), ..open }, due, Standing::Met),
        (Counted { met: Some(due), void: true, ..open }, due, Standing::MetLate),
    ] {
        assert_eq!(row.standing(now), standing, "{row:?}");
    }
}

/// A local time of the city, as `2022-06-15 09:00`.
fn local(text: &str) -> Timestamp {
    let (day, clock) = text.split_once(' ').unwrap();
    instant_at(day.parse().unwrap(), clock.parse().unwrap())
}

fn pause(from: &str, until: &str) -> Pause {
    between(local(from), Some(local(until)))
}

fn between(from: Timestamp, until: Option<Timestamp>) -> Pause {
    Pause { from, until, reason: PauseReason::AwaitingCorrection }
}

fn owed(opened: Timestamp, limits: Limits, pauses: Vec<Pause>) -> Obligation {
    let kind = ObligationKind::DecidePassApplication;
    Obligation { kind, opened, limits, pauses, met: None }
}

fn promised(opened: Timestamp, limit: Limit, pauses: Vec<Pause>) -> Obligation {
    owed(opened, Limits::new(None, Some(limit), None).unwrap(), pauses)
}

fn due(obligation: &Obligation, which: Which) -> Timestamp {
    let now = local("2022-01-01 00:00");
    obligation.due(which, now, &Calendar::published()).unwrap().unwrap()
}

// SD-03.
#[test]
fn a_pass_decision_is_promised_within_the_law() {
    for (days, promised) in [(0, 1), (1, 1), (3, 3), (20, 20), (21, 20), (u32::MAX, 20)] {
        let limits = decision_limits(days);
        assert_eq!(limits.get(Which::Promised), Some(Limit::WorkingDays(promised)));
        assert_eq!(limits.get(Which::Legal), Some(Limit::WorkingDays(20)));
        let (legal, promised) = (limits.get(Which::Legal), limits.get(Which::Promised));
        assert_eq!(Limits::new(legal, promised, None), Ok(limits));
    }
    let limits = acceptance_limits();
    let (legal, promised) = (limits.get(Which::Legal), limits.get(Which::Promised));
    assert_eq!(Limits::new(legal, promised, None), Ok(limits));
}

// SD-03.
#[test]
fn a_promise_longer_than_the_law_is_refused() {
    use Limit::{CalendarDays, Months, NaturalHours, WorkingDays, WorkingHours};
    for (legal, promised) in [
        (WorkingDays(20), WorkingDays(21)),
        (CalendarDays(15), WorkingDays(15)),
        (WorkingDays(1), WorkingHours(8)),
        (NaturalHours(24), CalendarDays(2)),
        (CalendarDays(60), Months(3)),
    ] {
        let refused = Limits::new(Some(legal), Some(promised), None);
        assert_eq!(refused, Err(Flaw::OutOfRange), "{promised:?} within {legal:?}");
        assert!(Limits::new(Some(legal), None, Some(promised)).is_err());
        assert!(Limits::new(None, Some(legal), Some(promised)).is_err());
    }
    for (legal, promised) in [
        (WorkingDays(20), WorkingDays(20)),
        (CalendarDays(15), WorkingDays(3)),
        (WorkingDays(1), WorkingHours(4)),
        (CalendarDays(60), WorkingDays(30)),
    ] {
        assert!(Limits::new(Some(legal), Some(promised), None).is_ok());
    }
    assert_eq!(Limits::new(None, None, None), Err(Flaw::Required));
}

// SD-03: units that cannot be compared in general are kept in order at every instant.
#[test]
fn the_promise_ends_with_the_law_even_over_a_long_holiday() {
    let limits =
        Limits::new(Some(Limit::CalendarDays(10)), Some(Limit::WorkingDays(7)), None).unwrap();
    // Seven working days from before the Spring Festival would last until 2026-02-28 or later.
    let obligation = owed(local("2026-02-13 10:00"), limits, vec![]);
    assert_eq!(due(&obligation, Which::Legal), local("2026-02-25 00:00"));
    assert_eq!(due(&obligation, Which::Promised), local("2026-02-25 00:00"));
    assert_eq!(
        obligation.due(Which::Internal, obligation.opened, &Calendar::published()).unwrap(),
        None
    );
}

// T19, SD-04, CO-05: both dates move by three working days.
#[test]
fn a_pause_of_three_days_moves_both_dates_by_three_working_days() {
    let opened = local("2022-06-13 10:00");
    let without = owed(opened, decision_limits(3), vec![]);
    assert_eq!(due(&without, Which::Promised), local("2022-06-17 00:00"));
    assert_eq!(due(&without, Which::Legal), local("2022-07-12 00:00"));
    // Tuesday to Friday.
    let pauses = vec![pause("2022-06-14 11:00", "2022-06-17 11:00")];
    let with = owed(opened, decision_limits(3), pauses);
    assert_eq!(due(&with, Which::Promised), local("2022-06-22 00:00"));
    assert_eq!(due(&with, Which::Legal), local("2022-07-15 00:00"));
}

#[test]
fn pauses_move_each_unit_by_its_own_time() {
    let opened = "2022-06-15 10:00";
    for (limit, from, until, expected) in [
        // No working day passes on a weekend.
        (Limit::WorkingDays(5), "2022-06-18 09:00", "2022-06-19 20:00", "2022-06-23 00:00"),
        (Limit::WorkingDays(5), "2022-06-17 09:00", "2022-06-20 09:00", "2022-06-24 00:00"),
        // Within one day nothing moves; the day of the beginning is not counted.
        (Limit::WorkingDays(5), "2022-06-17 09:00", "2022-06-17 17:00", "2022-06-23 00:00"),
        // Over National Day: seven days off, then two make-up days on the weekend.
        (Limit::WorkingDays(80), "2022-09-30 09:00", "2022-10-10 09:00", "2022-10-15 00:00"),
        (Limit::CalendarDays(5), "2022-06-16 09:00", "2022-06-17 09:00", "2022-06-22 00:00"),
        (Limit::CalendarDays(7), "2022-06-16 09:00", "2022-06-17 09:00", "2022-06-24 00:00"),
        (Limit::Months(1), "2022-06-16 09:00", "2022-06-19 09:00", "2022-07-19 00:00"),
        (Limit::NaturalHours(24), "2022-06-15 20:00", "2022-06-16 08:30", "2022-06-16 22:30"),
        // Only what lies after the opening counts.
        (Limit::NaturalHours(24), "2022-06-13 10:00", "2022-06-15 11:00", "2022-06-16 11:00"),
        (Limit::WorkingDays(5), "2022-06-13 10:00", "2022-06-16 10:00", "2022-06-24 00:00"),
        (Limit::WorkingDays(5), "2022-06-13 10:00", "2022-06-14 10:00", "2022-06-23 00:00"),
        (Limit::WorkingHours(4), "2022-06-15 11:00", "2022-06-15 14:00", "2022-06-15 17:00"),
        (Limit::WorkingHours(4), "2022-06-15 12:10", "2022-06-15 13:10", "2022-06-15 15:30"),
        (Limit::WorkingHours(4), "2022-06-15 14:30", "2022-06-16 09:30", "2022-06-16 10:30"),
    ] {
        let obligation = promised(local(opened), limit, vec![pause(from, until)]);
        assert_eq!(due(&obligation, Which::Promised), local(expected), "{limit:?} {from} {until}");
    }
}

#[test]
fn nobody_is_late_in_the_moment_in_which_the_answer_arrives() {
    let calendar = Calendar::published();
    // Due on Friday; paused on Friday; the applicant answers on Sunday.
    let pauses = vec![pause("2022-06-17 10:00", "2022-06-19 12:00")];
    for limit in [Limit::WorkingDays(2), Limit::CalendarDays(2)] {
        let obligation = promised(local("2022-06-15 10:00"), limit, pauses.clone());
        assert_eq!(due(&obligation, Which::Promised), local("2022-06-21 00:00"), "{limit:?}");
        for (now, expected) in [
            ("2022-06-17 10:00", Standing::Paused),
            ("2022-06-18 03:00", Standing::Paused),
            ("2022-06-19 12:00", Standing::OnTime),
            ("2022-06-20 03:00", Standing::Amber),
            ("2022-06-21 00:00", Standing::Breached),
        ] {
            let standing = obligation.standing(local(now), &calendar).unwrap();
            assert_eq!(standing, expected, "{limit:?} {now}");
        }
    }
}

// CO-05: a pause that lasts counts until now, computed from history.
#[test]
fn an_open_pause_counts_until_now() {
    let calendar = Calendar::published();
    let pauses = vec![between(local("2022-06-15 12:00"), None)];
    let obligation = promised(local("2022-06-15 10:00"), Limit::NaturalHours(24), pauses);
    for (now, expected) in [
        ("2022-06-15 11:00", "2022-06-16 10:00"),
        ("2022-06-15 12:00", "2022-06-16 10:00"),
        ("2022-06-15 15:00", "2022-06-16 13:00"),
        ("2022-06-25 12:00", "2022-06-26 10:00"),
    ] {
        let due = obligation.due(Which::Promised, local(now), &calendar).unwrap();
        assert_eq!(due, Some(local(expected)), "{now}");
        let standing = obligation.standing(local(now), &calendar).unwrap();
        let expected = if now == "2022-06-15 11:00" { Standing::OnTime } else { Standing::Paused };
        assert_eq!(standing, expected, "{now}");
    }
    // On a weekend the due day does not move, and still nothing is breached.
    let pauses = vec![between(local("2022-06-16 12:00"), None)];
    let days = promised(local("2022-06-15 10:00"), Limit::WorkingDays(1), pauses);
    for now in ["2022-06-16 13:00", "2022-06-18 13:00", "2022-06-19 23:59", "2022-06-30 10:00"] {
        assert_eq!(days.standing(local(now), &calendar).unwrap(), Standing::Paused, "{now}");
    }
}

#[test]
fn a_pause_after_the_breach_heals_nothing() {
    let calendar = Calendar::published();
    let opened = local("2022-06-15 10:00");
    let end = local("2022-06-16 10:00");
    for until in [None, Some(local("2022-06-20 10:00"))] {
        let late = promised(opened, Limit::NaturalHours(24), vec![between(end, until)]);
        let now = local("2022-06-17 10:00");
        assert_eq!(late.due(Which::Promised, now, &calendar).unwrap(), Some(end));
        assert_eq!(late.standing(now, &calendar).unwrap(), Standing::Breached);
    }
    // The promise is broken, the law's limit still moves.
    let limits = decision_limits(1);
    let pauses = vec![pause("2022-06-20 10:00", "2022-06-23 10:00")];
    let obligation = owed(opened, limits, pauses);
    assert_eq!(due(&obligation, Which::Promised), local("2022-06-17 00:00"));
    assert_eq!(due(&obligation, Which::Legal), local("2022-07-19 00:00"));
    let now = local("2022-06-21 10:00");
    let by = |which| obligation.standing_by(which, now, &calendar).unwrap();
    assert_eq!(by(Which::Promised), Some(Standing::Breached));
    assert_eq!(by(Which::Legal), Some(Standing::Paused));
    assert_eq!(by(Which::Internal), None);
}

#[test]
fn the_standing_follows_the_time() {
    let calendar = Calendar::published();
    let obligation = promised(local("2022-06-15 10:00"), Limit::NaturalHours(24), vec![]);
    let amber = obligation.amber_from(Which::Promised, obligation.opened, &calendar).unwrap();
    assert_eq!(amber, Some(local("2022-06-16 04:00")));
    for (now, expected) in [
        ("2022-06-15 10:00", Standing::OnTime),
        ("2022-06-16 03:59", Standing::OnTime),
        ("2022-06-16 04:00", Standing::Amber),
        ("2022-06-16 09:59", Standing::Amber),
        ("2022-06-16 10:00", Standing::Breached),
    ] {
        assert_eq!(obligation.standing(local(now), &calendar).unwrap(), expected, "{now}");
    }
    for (met, expected) in
        [("2022-06-16 09:59", Standing::Met), ("2022-06-16 10:00", Standing::MetLate)]
    {
        let done = Obligation { met: Some(local(met)), ..obligation.clone() };
        let standing = done.standing(local("2022-07-01 00:00"), &calendar).unwrap();
        assert_eq!(standing, expected, "{met}");
    }
    // A pause of ten hours moves the last quarter by ten hours: paused time is not time that ran.
    let pauses = vec![pause("2022-06-15 12:00", "2022-06-15 22:00")];
    let resumed = Obligation { pauses, ..obligation };
    let amber = resumed.amber_from(Which::Promised, resumed.opened, &calendar).unwrap();
    assert_eq!(amber, Some(local("2022-06-16 14:00")));
}

#[test]
fn what_is_done_stays_as_it_was() {
    // A pause left open in the history does not lengthen the time after the thing was done.
    let pauses = vec![between(local("2022-06-15 12:00"), None)];
    let obligation = promised(local("2022-06-15 10:00"), Limit::NaturalHours(24), pauses);
    let done = Obligation { met: Some(local("2022-06-15 13:00")), ..obligation };
    let calendar = Calendar::published();
    for now in ["2022-06-15 13:00", "2022-06-30 13:00"] {
        let due = done.due(Which::Promised, local(now), &calendar).unwrap();
        assert_eq!(due, Some(local("2022-06-16 11:00")), "{now}");
        assert_eq!(done.standing(local(now), &calendar).unwrap(), Standing::Met);
    }
}

// I18: never a guess.
#[test]
fn a_year_without_a_notice_is_an_error() {
    let calendar = Calendar::published();
    let obligation = owed(local("2026-12-30 10:00"), decision_limits(3), vec![]);
    let error = obligation.standing(obligation.opened, &calendar).unwrap_err();
    assert_eq!(error.reason(), Reason::CalendarMissing);
}

#[test]
fn kinds_and_reasons_survive_the_way_to_the_database_and_back() {
    for &kind in ObligationKind::ALL {
        assert_eq!(ObligationKind::from_wire(kind.wire()), Some(kind));
    }
    for &reason in PauseReason::ALL {
        assert_eq!(PauseReason::from_wire(reason.wire()), Some(reason));
    }
    assert_eq!(ObligationKind::from_wire(""), None);
    assert_eq!(PauseReason::from_wire("LUNCH"), None);
}

/// Pauses of up to ten days around the first month after the opening, in minutes; one in eight
/// has not ended, some are empty or lie before the opening.
fn some_pauses() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    let length = prop_oneof![
        7 => (-60_i64..14_400).prop_map(Some),
        1 => Just(None),
    ];
    prop::collection::vec((-3_000_i64..45_000, length), 0..6)
}

fn placed(opened: Timestamp, pauses: &[(i64, Option<i64>)]) -> Vec<Pause> {
    let at = |minutes| opened + SignedDuration::from_mins(minutes);
    pauses
        .iter()
        .map(|&(from, length)| between(at(from), length.map(|length| at(from + length))))
        .collect()
}

/// The same pause in pieces that touch.
fn in_pieces(pause: &Pause, now: Timestamp) -> Vec<Pause> {
    let mut cuts = Vec::new();
    let mut from = pause.from;
    let end = pause.until.unwrap_or(now);
    while from < end {
        let until = (from + SignedDuration::from_mins(997)).min(end);
        cuts.push(between(from, Some(until)));
        from = until;
    }
    cuts
}

proptest! {
    #[test]
    fn a_pause_never_shortens_the_time(
        opened in some_instant(), limit in some_limit(), pauses in some_pauses(),
        now in 0_i64..60_000,
    ) {
        let calendar = Calendar::published();
        let now = opened + SignedDuration::from_mins(now);
        let pauses = placed(opened, &pauses);
        let mut before = calendar.deadline(opened, limit).unwrap();
        for count in 0..=pauses.len() {
            let obligation = promised(opened, limit, pauses[..count].to_vec());
            let due = obligation.due(Which::Promised, now, &calendar).unwrap().unwrap();
            prop_assert!(due >= before, "{due} < {before} with {count} pauses");
            before = due;
        }
    }

    #[test]
    fn the_order_of_pauses_does_not_matter(
        opened in some_instant(), limit in some_limit(),
        (pauses, shuffled) in some_pauses()
            .prop_flat_map(|pauses| (Just(pauses.clone()), Just(pauses).prop_shuffle())),
        now in 0_i64..60_000,
    ) {
        let calendar = Calendar::published();
        let now = opened + SignedDuration::from_mins(now);
        let one = promised(opened, limit, placed(opened, &pauses));
        let two = promised(opened, limit, placed(opened, &shuffled));
        prop_assert_eq!(
            one.due(Which::Promised, now, &calendar).unwrap(),
            two.due(Which::Promised, now, &calendar).unwrap()
        );
        prop_assert_eq!(one.standing(now, &calendar).unwrap(), two.standing(now, &calendar).unwrap());
    }

    #[test]
    fn overlapping_pauses_count_once(
        opened in some_instant(), limit in some_limit(), pauses in some_pauses(),
        now in 0_i64..60_000,
    ) {
        let calendar = Calendar::published();
        let now = opened + SignedDuration::from_mins(now);
        let whole = placed(opened, &pauses);
        // The same time told twice, and told again in pieces that touch.
        let twice = [whole.clone(), whole.clone()].concat();
        let pieces: Vec<_> = whole.iter().flat_map(|pause| in_pieces(pause, now)).collect();
        let due = |pauses| {
            promised(opened, limit, pauses).due(Which::Promised, now, &calendar).unwrap()
        };
        let expected = due(whole);
        prop_assert_eq!(due(twice), expected);
        prop_assert_eq!(due(pieces), expected);
    }

    // T18, I19: a return and a new beginning give less time than a new obligation would.
    #[test]
    fn a_return_never_resets_the_time(
        opened in some_instant(), limit in some_limit(),
        worked in 0_i64..20_000, away in 0_i64..14_400,
    ) {
        let calendar = Calendar::published();
        let from = opened + SignedDuration::from_mins(worked);
        let until = from + SignedDuration::from_mins(away);
        let first = calendar.deadline(opened, limit).unwrap();
        let fresh = calendar.deadline(until, limit).unwrap();
        let obligation = promised(opened, limit, vec![between(from, Some(until))]);
        let due = obligation.due(Which::Promised, until, &calendar).unwrap().unwrap();
        if from >= first {
            prop_assert_eq!(due, first, "a pause after the breach moves nothing");
        } else {
            // Months differ in length, so a month from the resumption may be shorter.
            if !matches!(limit, Limit::Months(_)) {
                // The day of the answer, or the next working day, is always granted whole.
                let margin = calendar.working_day_from(local_date(fresh)).unwrap();
                prop_assert!(due <= fresh.max(crate::domain::duty::calendar::end_of(margin).unwrap()));
            }
            prop_assert!(due >= until, "late in the moment of the answer");
        }
    }

    // A new holder is no part of an obligation; the time of asking changes nothing either.
    #[test]
    fn asking_later_never_moves_a_due_time_without_an_open_pause(
        opened in some_instant(), limit in some_limit(), pauses in some_pauses(),
        now in 0_i64..60_000, later in 0_i64..60_000,
    ) {
        let calendar = Calendar::published();
        let at = |minutes| opened + SignedDuration::from_mins(minutes);
        let closed: Vec<_> =
            placed(opened, &pauses).into_iter().filter(|pause| pause.until.is_some()).collect();
        let obligation = promised(opened, limit, closed);
        prop_assert_eq!(
            obligation.due(Which::Promised, at(now), &calendar).unwrap(),
            obligation.due(Which::Promised, at(now + later), &calendar).unwrap()
        );
    }

    // SD-03.
    #[test]
    fn the_promise_is_never_due_after_the_law(
        opened in some_instant(), legal in some_limit(), promise in some_limit(),
        pauses in some_pauses(), now in 0_i64..60_000,
    ) {
        let Ok(limits) = Limits::new(Some(legal), Some(promise), None) else { return Ok(()) };
        let calendar = Calendar::published();
        let now = opened + SignedDuration::from_mins(now);
        let obligation = owed(opened, limits, placed(opened, &pauses));
        prop_assert!(
            obligation.due(Which::Promised, now, &calendar).unwrap()
                <= obligation.due(Which::Legal, now, &calendar).unwrap()
        );
    }
}
