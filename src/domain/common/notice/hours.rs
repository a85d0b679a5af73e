//! When people are told: quiet hours, the one push of a day, and how long before its end a pass is
//! spoken of. No clock: every instant is given.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Channel, EXPIRY_DAYS, Language, NoticeEvent};
use crate::domain::duty::month;

/// How somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// The language of texts.
    pub language: Language,
    /// The ways that may be used.
    pub channels: Vec<Channel>,
    /// From and until which minute of the local day nothing is pushed; equal: never.
    pub quiet: (u16, u16),
    /// At which minute the one push of the day comes; absent: each at once.
    pub digest: Option<u16>,
    /// Rises with each change; 0 for the defaults.
    pub version: i64,
}

/// The night, in which a person is not woken for what can wait.
const NIGHT: (u16, u16) = (22 * 60, 7 * 60);

impl Preferences {
    /// The defaults: a person sleeps at night, an officer's duty has no hours.
    #[must_use]
    pub fn default_of(owner: &str) -> Self {
        let officer = owner.starts_with("officers/");
        Self {
            language: Language::Chinese,
            channels: Channel::ALL.to_vec(),
            quiet: if officer { (0, 0) } else { NIGHT },
            digest: None,
            version: 0,
        }
    }

    /// Until when an event is held back; `None` pushes it now (NO-06, NO-07).
    #[must_use]
    pub fn held_until(&self, event: NoticeEvent, now: Timestamp) -> Option<Timestamp> {
        if event.urgent() {
            return None;
        }
        let quiet = self.quiet_until(now);
        match self.digest {
            // A digest that falls into quiet hours waits for their end.
            Some(minute) => {
                let digest = next(now, minute);
                Some(self.quiet_until(digest).unwrap_or(digest))
            }
            None => quiet,
        }
    }

    /// The end of the quiet hours, when it is quiet.
    fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        let (from, until) = self.quiet;
        let minute = minute_of(now);
        let quiet = if from <= until {
            (from..until).contains(&minute)
        } else {
            minute >= from || minute < until
        };
        quiet.then(|| next(now, until))
    }
}

/// The minute of the local day.
fn minute_of(now: Timestamp) -> u16 {
    let time = month::local_time(now);
    let (hour, minute) = (time.hour().unsigned_abs(), time.minute().unsigned_abs());
    u16::from(hour).saturating_mul(60).saturating_add(u16::from(minute))
}

/// The next instant, after now, at which the local clock shows the minute.
#[must_use]
pub fn next(now: Timestamp, minute: u16) -> Timestamp {
    let day = month::local_date(now);
    let at = |day: Date| {
        let since = SignedDuration::from_mins(i64::from(minute));
        month::start_of_day(day).saturating_add(since).unwrap_or(now)
    };
    let today = at(day);
    if today > now { today } else { at(day.tomorrow().unwrap_or(day)) }
}

/// The day count before its end at which a pass is spoken of, if it crossed one in the time.
#[must_use]
pub fn crossed(
    valid_until: Timestamp,
    issued: Timestamp,
    (from, until): (Timestamp, Timestamp),
) -> Option<i64> {
    // The nearest one alone, should the worker have rested.
    EXPIRY_DAYS.into_iter().rev().find(|days| {
        let at = valid_until - SignedDuration::from_hours(24 * days);
        from < at && at <= until && issued < at && until < valid_until
    })
}
