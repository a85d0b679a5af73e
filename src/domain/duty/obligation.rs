//! Somebody owes something until an instant. Due times and standings are computed from what
//! happened, never stored as state; who holds it (assignment) and whom it is told live elsewhere.
//!
//! An obligation knows when it was opened, its limits, and the pauses from the history. It does
//! not know who holds it: a return, an edit or a new holder cannot start the time again.
//!
//! How a pause moves a due time that it began before:
//! - hours move by the time paused: by the clock, or while the office was open;
//! - days and months move by the days paused, working days or calendar days. As in the Civil Code
//!   (民法典), art. 201, the day on which the pause began is not counted, the day on which it
//!   ended is: a pause from Monday to Thursday is three days;
//! - a due time in days never lies before the end of the working day on which the work resumed,
//!   or of the next one: nobody is late in the moment in which the answer arrives.
//!
//! A pause that begins when the due time has passed moves nothing: a breach stays a breach.
//!
//! # Clocks nobody can cheat
//!
//! `domain/calendar` counts working days by the State Council's notices: 2022 to 2026 are built in, later
//! years are rows that a system administrator imports (`CalendarService`). A year without a notice is
//! provisional, and visible; when the notice appears, everything open is counted again from its opening,
//! limits, pauses and extension (`obligation::Times`), the old value of each limit is kept, and a commit counts
//! on every server. What is due is counted again first, and what is settled meanwhile in the same unit of
//! work: nobody is called late by a calendar that counts no more. An obligation has three limits side by side: internal (amber), promised (red) and the law's, which
//! is a step of its own beside the ladder of amber, red, urged and criticised. `worker/obligations` takes
//! every step that is due, each second, on any number of servers, each once; a row that fails is put off and
//! counted, and stops no other. The health service `jingqi.obligations` turns red when the last good round is
//! half a minute old, and a server or a worker whose clock differs from PostgreSQL's by more than five
//! seconds refuses to work (`CLOCK_WRONG`).
//!
//! ```sh
//! cargo bench --bench years                                # 1,000,000 complaints in 2022 to 2031
//! cargo bench --profile dev --bench years -- --short       # the one of deploy/test
//! ```
//!
//! lets ten years pass: seeded filings, returns, extensions, answers and silence, notices that are imported
//! in November (one only at the end of December), the real sweeper at every simulated moment. Then SQL looks
//! for anything that is silently late, and `tests/python/oracle.py`, which shares nothing with the program,
//! counts every due time and every step of the ladder again. A calendar without one make-up day and a sweep
//! that is skipped are run beside it and must be caught.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{
    calendar::{Calendar, Limit, add_days, after, end_of, last_calendar_day},
    month::local_date,
};
use crate::{
    error::{Flaw, Result},
    named::named,
};

mod times;

#[cfg(test)]
mod tests;

pub use times::{Dues, Times};

named! {
/// What is owed.
ObligationKind {
    /// Taking a pass application in, refusing it, or saying all that is missing (measure 6).
    AcceptPassApplication = "ACCEPT_PASS_APPLICATION", "通行证申请受理";
    /// The decision on it, from its acceptance.
    DecidePassApplication = "DECIDE_PASS_APPLICATION", "通行证申请决定";
    /// The confirmation of a place at the service centre (measure 18).
    ConfirmCentreBooking = "CONFIRM_CENTRE_BOOKING", "预约确认";
    /// The first answer in a conversation (facts.md, 4.7).
    FirstReply = "FIRST_REPLY", "首次答复";
    /// Any later answer in it.
    NextReply = "NEXT_REPLY", "后续答复";
    /// The settlement of what was asked in it.
    SolveConversation = "SOLVE_CONVERSATION", "咨询办结";
    /// The settlement of a problem of the register, by the promised day.
    SolveProblem = "SOLVE_PROBLEM", "问题解决";
    /// Taking a complaint in, or refusing it (受理).
    AcceptComplaint = "ACCEPT_COMPLAINT", "诉求受理";
    /// Naming the unit that leads (交办).
    AssignComplaint = "ASSIGN_COMPLAINT", "诉求交办";
    /// Signing for it (签收).
    SignComplaint = "SIGN_COMPLAINT", "诉求签收";
    /// The answer to the enterprise (承办).
    HandleComplaint = "HANDLE_COMPLAINT", "诉求办理";
    /// Judging the answer before it is given.
    ReviewFeedback = "REVIEW_FEEDBACK", "反馈审核";
    /// The end of a supervised one (督办).
    SuperviseComplaint = "SUPERVISE_COMPLAINT", "督办";
    /// What a joint meeting decided, by the day that it named.
    SettleMeetingPoint = "SETTLE_MEETING_POINT", "议题落实";
}
}

named! {
/// Which of the limits is meant.
Which {
    /// What the law allows at most, 法定时限.
    Legal = "LEGAL", "法定时限";
    /// What citizens are promised, 承诺时限.
    Promised = "PROMISED", "承诺时限";
    /// What the office sets itself; citizens are not told.
    Internal = "INTERNAL", "内部时限";
}
}

/// How long there is: at least one of three limits, the promise within the law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    legal: Option<Limit>,
    promised: Option<Limit>,
    internal: Option<Limit>,
}

impl Limits {
    /// Limits that fit together (SD-03).
    ///
    /// Fails with `REQUIRED` when there is none, and with `OUT_OF_RANGE` when a stricter limit is
    /// longer than a looser one: internal ≤ promised ≤ legal. Limits in different units are
    /// compared by their usual length (a working day is 7/5 of a day, an office day seven hours,
    /// a month 30 days); [`Obligation::due`] keeps the order to the second in every case.
    pub fn new(
        legal: Option<Limit>,
        promised: Option<Limit>,
        internal: Option<Limit>,
    ) -> Result<Self, Flaw> {
        let given: Vec<_> = [internal, promised, legal].into_iter().flatten().collect();
        if given.is_empty() {
            return Err(Flaw::Required);
        }
        if !given.is_sorted_by_key(|&limit| usual_length(limit)) {
            return Err(Flaw::OutOfRange);
        }
        Ok(Self { legal, promised, internal })
    }

    /// A promise that no law bounds.
    #[must_use]
    pub const fn promised(limit: Limit) -> Self {
        Self { legal: None, promised: Some(limit), internal: None }
    }

    /// One of the limits.
    #[must_use]
    pub const fn get(&self, which: Which) -> Option<Limit> {
        match which {
            Which::Legal => self.legal,
            Which::Promised => self.promised,
            Which::Internal => self.internal,
        }
    }

    /// The limit by which others judge: the promise, else the law, else the office's own.
    #[must_use]
    pub const fn governing(&self) -> Which {
        match (self.promised, self.legal) {
            (Some(_), _) => Which::Promised,
            (None, Some(_)) => Which::Legal,
            (None, None) => Which::Internal,
        }
    }
}

/// The usual length in fifths of an hour.
fn usual_length(limit: Limit) -> u64 {
    let fifths = match limit {
        Limit::WorkingDays(_) => 24 * 7,
        Limit::WorkingHours(_) => 24,
        Limit::NaturalHours(_) => 5,
        Limit::CalendarDays(_) => 24 * 5,
        Limit::Months(_) => 30 * 24 * 5,
    };
    u64::from(limit.amount()) * fifths
}

/// The statutory limit of a licence decision: 行政许可法, art. 42, in working days.
const LICENCE_LEGAL: Limit = Limit::WorkingDays(20);

/// The limits of the decision on a pass application (facts 1.7): so many working days as the policy
/// promises, and 20 by law. Who promises more than the law allows has promised the law.
#[must_use]
pub fn decision_limits(promised_working_days: u32) -> Limits {
    let promised = Limit::WorkingDays(promised_working_days.clamp(1, LICENCE_LEGAL.amount()));
    Limits { legal: Some(LICENCE_LEGAL), promised: Some(promised), internal: None }
}

/// The limits of taking an application in: five working days by law (行政许可法, art. 32), after which it
/// counts as taken in; one is promised, as for a complaint.
#[must_use]
pub const fn acceptance_limits() -> Limits {
    let (legal, promised) = (Limit::WorkingDays(5), Limit::WorkingDays(1));
    Limits { legal: Some(legal), promised: Some(promised), internal: None }
}

named! {
/// Why the time stands still. Nothing else may stop it (I19).
PauseReason {
    /// The application was returned to the applicant for correction (补正).
    AwaitingCorrection = "AWAITING_CORRECTION", "等待补正";
    /// A hearing, test, appraisal or expert review, whose time the law does not count
    /// (行政许可法, art. 45).
    ExpertProcedure = "EXPERT_PROCEDURE", "专家评审";
    /// The unit sent the complaint back, and nobody else has it yet (facts.md, 4.3).
    Returned = "RETURNED", "退回待交办";
}
}

/// A time in which nothing is owed, taken from the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// When it began.
    pub from: Timestamp,
    /// When it ended; absent while it lasts.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: PauseReason,
}

named! {
/// How an obligation stands at an instant.
Standing {
    /// More than a quarter of the time is left.
    OnTime = "ON_TIME", "按期";
    /// The last quarter of the time runs: remind.
    Amber = "AMBER", "临期";
    /// The due time has passed and nothing was done.
    Breached = "BREACHED", "逾期";
    /// Done before the due time.
    Met = "MET", "按期完成";
    /// Done, at the due time or after it.
    MetLate = "MET_LATE", "逾期完成";
    /// The time stands still.
    Paused = "PAUSED", "计时暂停";
    /// Nobody owes it any more.
    Void = "VOID", "不再计时";
}
}

/// An obligation as its row keeps it: with due times that were counted when they last moved.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// The first instant at which it is too late.
    pub due: Timestamp,
    /// From when on it is spoken of.
    pub amber: Timestamp,
    /// When it was done.
    pub met: Option<Timestamp>,
    /// It stands still now.
    pub paused: bool,
    /// Nobody owes it any more.
    pub void: bool,
}

impl Counted {
    /// How it stands.
    #[must_use]
    pub fn standing(self, now: Timestamp) -> Standing {
        match self.met {
            Some(met) if met < self.due => Standing::Met,
            Some(_) => Standing::MetLate,
            None if self.void => Standing::Void,
            None if self.paused => Standing::Paused,
            None if now >= self.due => Standing::Breached,
            None if now >= self.amber => Standing::Amber,
            None => Standing::OnTime,
        }
    }
}

/// Somebody owes something until an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// What is owed.
    pub kind: ObligationKind,
    /// The event from which the limits run. It never changes.
    pub opened: Timestamp,
    /// How long there is.
    pub limits: Limits,
    /// When the time stood still, in any order; overlaps count once.
    pub pauses: Vec<Pause>,
    /// When it was done.
    pub met: Option<Timestamp>,
}

impl Obligation {
    /// The first instant at which it is too late under a limit; `None` without such a limit.
    ///
    /// A pause that still lasts counts until `now`, or until the thing was done. A stricter limit
    /// is never due after a looser one, whatever their units: the promise ends with the law's
    /// limit at the latest (SD-03). Fails with `CALENDAR_MISSING` when the count needs a year
    /// without a notice.
    pub fn due(
        &self,
        which: Which,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Option<Timestamp>> {
        let pauses = self.pauses_until(now);
        self.due_with(which, &pauses, calendar)
    }

    /// The instant at which the last quarter of the time begins; `None` without such a limit.
    ///
    /// The time is what the clock shows between opening and due time without the pauses, so that
    /// a weekend in between does not hide the end. A running pause moves the instant along.
    #[cfg(test)]
    pub fn amber_from(
        &self,
        which: Which,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Option<Timestamp>> {
        let pauses = self.pauses_until(now);
        let due = self.due_with(which, &pauses, calendar)?;
        Ok(due.map(|due| self.amber_before(due, &pauses)))
    }

    /// How it stands by the limit that others judge by: the promise, else the law's, else the
    /// office's own.
    pub fn standing(&self, now: Timestamp, calendar: &Calendar) -> Result<Standing> {
        let standing = self.standing_by(self.limits.governing(), now, calendar)?;
        // There always is a governing limit; without one nothing could be late.
        Ok(standing.unwrap_or(Standing::OnTime))
    }

    /// How it stands by one limit; `None` without such a limit.
    pub fn standing_by(
        &self,
        which: Which,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Option<Standing>> {
        let pauses = self.pauses_until(now);
        let Some(due) = self.due_with(which, &pauses, calendar)? else { return Ok(None) };
        let stands_still = pauses.iter().any(|pause| pause.holds(now) && pause.from < due);
        Ok(Some(match self.met {
            Some(met) if met < due => Standing::Met,
            Some(_) => Standing::MetLate,
            // First, because a due time in days does not move on a weekend while it is paused.
            None if stands_still => Standing::Paused,
            None if now >= due => Standing::Breached,
            None if now >= self.amber_before(due, &pauses) => Standing::Amber,
            None => Standing::OnTime,
        }))
    }

    /// The earliest due time of this limit and of every looser one.
    fn due_with(
        &self,
        which: Which,
        pauses: &[Stretch],
        calendar: &Calendar,
    ) -> Result<Option<Timestamp>> {
        if self.limits.get(which).is_none() {
            return Ok(None);
        }
        let looser: &[Which] = match which {
            Which::Legal => &[Which::Legal],
            Which::Promised => &[Which::Promised, Which::Legal],
            Which::Internal => &[Which::Internal, Which::Promised, Which::Legal],
        };
        let mut earliest = None;
        for limit in looser.iter().filter_map(|&which| self.limits.get(which)) {
            let due = due_under(self.opened, limit, pauses, 0, calendar)?;
            earliest = Some(earliest.map_or(due, |other: Timestamp| other.min(due)));
        }
        Ok(earliest)
    }

    fn amber_before(&self, due: Timestamp, pauses: &[Stretch]) -> Timestamp {
        let standstill = pauses
            .iter()
            .map(|pause| pause.from.duration_until(pause.until.min(due)))
            .fold(SignedDuration::ZERO, |sum, time| sum + time.max(SignedDuration::ZERO));
        let running = (self.opened.duration_until(due) - standstill).max(SignedDuration::ZERO);
        due - running / 4
    }

    /// The pauses since the opening, in order, each stretch of time once.
    fn pauses_until(&self, now: Timestamp) -> Vec<Stretch> {
        let now = self.met.unwrap_or(now);
        let mut stretches: Vec<_> = self
            .pauses
            .iter()
            .map(|pause| Stretch {
                from: pause.from.max(self.opened),
                until: pause.until.unwrap_or(now),
                lasts: pause.until.is_none(),
            })
            .filter(|stretch| {
                stretch.from < stretch.until || (stretch.lasts && stretch.from <= stretch.until)
            })
            .collect();
        stretches.sort_unstable_by_key(|stretch| stretch.from);
        let mut merged: Vec<Stretch> = Vec::with_capacity(stretches.len());
        for stretch in stretches {
            match merged.last_mut() {
                Some(last) if stretch.from <= last.until => {
                    last.until = last.until.max(stretch.until);
                    last.lasts |= stretch.lasts;
                }
                _ => merged.push(stretch),
            }
        }
        merged
    }
}

/// A stretch of paused time.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: Timestamp,
    until: Timestamp,
    /// Whether it has not ended.
    lasts: bool,
}

impl Stretch {
    fn holds(self, now: Timestamp) -> bool {
        self.from <= now && (now < self.until || (self.lasts && now <= self.until))
    }
}

/// The due time under one limit, with so many working days more; the pauses are in order and do not
/// overlap.
fn due_under(
    opened: Timestamp,
    limit: Limit,
    pauses: &[Stretch],
    extension_days: u32,
    calendar: &Calendar,
) -> Result<Timestamp> {
    let mut counted = calendar.deadline(opened, limit)?;
    let mut due = extended(counted, extension_days, calendar)?;
    let mut days_paused = 0_u32;
    // Nobody is late on the working day on which the work resumed.
    let mut resumed: Option<Timestamp> = None;
    for pause in pauses {
        // A breach stays a breach: a later pause does not heal it.
        if pause.from >= due {
            break;
        }
        let (began, ended) = (local_date(pause.from), local_date(pause.until));
        match limit {
            Limit::NaturalHours(_) => {
                counted = after(counted, pause.from.duration_until(pause.until))?;
            }
            Limit::WorkingHours(_) => {
                let time = calendar.working_time_between(pause.from, pause.until)?;
                counted = calendar.add_working_time(counted, time)?;
            }
            Limit::WorkingDays(days) => {
                let more = calendar.working_days_between(began, ended)?;
                days_paused = days_paused.saturating_add(more);
                let total = days.saturating_add(days_paused);
                counted = end_of(calendar.add_working_days(local_date(opened), total)?)?;
                resumed = Some(end_of(calendar.working_day_from(ended)?)?);
            }
            Limit::CalendarDays(_) | Limit::Months(_) => {
                days_paused = days_paused.saturating_add(days_between(began, ended));
                let last = add_days(last_calendar_day(local_date(opened), limit)?, days_paused)?;
                counted = end_of(calendar.working_day_from(last)?)?;
                resumed = Some(end_of(calendar.working_day_from(ended)?)?);
            }
        }
        let moved = extended(counted, extension_days, calendar)?;
        due = due.max(resumed.map_or(moved, |resumed| moved.max(resumed)));
    }
    Ok(due)
}

/// The due time with so many working days more.
fn extended(due: Timestamp, days: u32, calendar: &Calendar) -> Result<Timestamp> {
    if days == 0 {
        return Ok(due);
    }
    // A limit in days ends at 24:00, which belongs to the next day already.
    let last = due - SignedDuration::from_secs(1);
    calendar.deadline(last, Limit::WorkingDays(days))
}

/// The calendar days after the first, up to and including the second.
fn days_between(after: Date, through: Date) -> u32 {
    u32::try_from(after.duration_until(through).as_hours() / 24).unwrap_or(0)
}
