//! Liaison posts (警务专员, measure 17): when a post answers, until when an answer is promised, whom
//! it serves without a grant. No conversation is known here.

pub mod booking;
pub mod conversation;
pub mod export;
pub mod message;
pub mod problem;
pub mod words;

use jiff::{SignedDuration, Timestamp, civil::Date};
use uuid::Uuid;

use crate::{
    context::Cx,
    crypto::{hex, unhex},
    domain::{
        codes::text,
        common::{
            deed::Deed,
            lifecycle::{Change, Moved, Note},
        },
        duty::{
            calendar::{Calendar, Limit},
            month::{instant_at, local_date, shanghai, start_of_day},
        },
        pass::{application::NeedWindow, zone::TimeWindow},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    named::named,
};

/// In duty hours an answer is promised within this time of duty (facts.md, 4.7).
pub const REPLY_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// What was asked is settled within so many working days.
pub const SOLVE_WITHIN: Limit = Limit::WorkingDays(3);
/// Outside duty hours the answer is promised for the next working day.
const NEXT_DAY: Limit = Limit::WorkingDays(1);
/// How far duty time is looked for: beyond that a post answers never.
const LOOK_AHEAD_DAYS: usize = 60;

named! {
/// How a post serves (measure 17).
PostMode {
    /// At the enterprise's own place.
    Stationed = "STATIONED", "定点长驻";
    /// Freed from other duties.
    FullTime = "FULL_TIME", "脱产服务";
    /// For everybody, in everything.
    CityWide = "CITY_WIDE", "全域帮办";
}
}

named! {
/// How a binding came about.
BindingSource {
    /// The unit decided it.
    Grant = "GRANT", "单位指定";
    /// The post serves the district.
    District = "DISTRICT", "属地服务";
    /// The post serves the industry.
    Industry = "INDUSTRY", "行业服务";
    /// The enterprise scanned the officer's code and confirmed it.
    Scan = "SCAN", "扫码添加";
    /// The same by way of `WeCom`.
    Wecom = "WECOM", "企业微信添加";
}
}

/// A post.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its id.
    pub id: Id<kind::LiaisonPost>,
    /// The unit.
    pub unit: Id<kind::Unit>,
    /// The path of the unit.
    pub unit_path: String,
    /// What people call it.
    pub display_name: String,
    /// How it serves.
    pub mode: PostMode,
    /// When it answers.
    pub duty: Duty,
    /// How many conversations one officer may hold.
    pub capacity_max: i32,
    /// Divisions that it serves without a grant.
    pub districts: Vec<String>,
    /// Industries that it serves without a grant.
    pub industries: Vec<String>,
    /// When it was made.
    pub create_time: Timestamp,
    /// Rises with each write.
    pub version: i64,
}

impl Post {
    /// An act on it, or on its roster, that is recorded.
    pub fn acted(self, deed: Deed, note: Note, cx: &Cx) -> Moved<Self> {
        Moved::new(self, Change::stateless(deed, note, cx))
    }

    /// Whether it serves an enterprise of this division and industry without a grant, and by what.
    #[must_use]
    pub fn serves(&self, division: &str, industry: &str) -> Option<BindingSource> {
        let named = |list: &[String], value: &str| list.iter().any(|entry| entry == value);
        if named(&self.districts, division) {
            Some(BindingSource::District)
        } else if !industry.is_empty() && named(&self.industries, industry) {
            Some(BindingSource::Industry)
        } else {
            None
        }
    }
}

/// The hours in which a post answers: several periods a day. A window without days counts on the
/// working days of the calendar; with days on those, whatever the calendar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty(Vec<NeedWindow>);

impl Duty {
    /// The most windows.
    pub const WINDOWS_MAX: usize = 14;

    /// Fails with `REQUIRED` when there is none, and with the flaw of the first wrong window.
    pub fn new(windows: Vec<NeedWindow>) -> Result<Self, Flaw> {
        if windows.is_empty() {
            return Err(Flaw::Required);
        }
        if windows.len() > Self::WINDOWS_MAX {
            return Err(Flaw::TooMany);
        }
        for window in &windows {
            TimeWindow::new(window.from_minute, window.until_minute)?;
        }
        Ok(Self(windows))
    }

    /// The windows.
    #[must_use]
    pub fn windows(&self) -> &[NeedWindow] {
        &self.0
    }

    /// Whether the post answers at this instant. Fails with `CALENDAR_MISSING`.
    pub fn covers(&self, now: Timestamp, calendar: &Calendar) -> Result<bool> {
        let today = local_date(now);
        // A window that crosses midnight belongs to the day on which it began.
        for day in [today.yesterday().unwrap_or(today), today] {
            if self.periods(day, calendar)?.iter().any(|(open, close)| *open <= now && now < *close)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The instant at which the post has been on duty for `time` since `start`.
    pub fn add_time(
        &self,
        start: Timestamp,
        time: SignedDuration,
        calendar: &Calendar,
    ) -> Result<Timestamp> {
        let mut left = time;
        let first = local_date(start).yesterday().unwrap_or(local_date(start));
        let mut from = start;
        for day in first.series(jiff::Span::new().days(1)).take(LOOK_AHEAD_DAYS) {
            for (open, close) in self.periods(day, calendar)? {
                // Overlapping windows count once.
                let open = open.max(from);
                let span = open.duration_until(close);
                if span <= SignedDuration::ZERO {
                    continue;
                }
                if span >= left {
                    return Ok(open.saturating_add(left).unwrap_or(close));
                }
                left = left.saturating_sub(span);
                from = close;
            }
        }
        Err(Error::new(Reason::CalendarMissing).fact("cause", "NO_DUTY_HOURS"))
    }

    /// Until when an answer is promised to who writes now.
    pub fn reply_due(&self, now: Timestamp, calendar: &Calendar) -> Result<Timestamp> {
        if self.covers(now, calendar)? {
            self.add_time(now, REPLY_WITHIN, calendar)
        } else {
            calendar.deadline(now, NEXT_DAY)
        }
    }

    /// The periods of a day in order, as instants.
    fn periods(&self, day: Date, calendar: &Calendar) -> Result<Vec<(Timestamp, Timestamp)>> {
        let weekday = 1_u8 << (day.weekday().to_monday_zero_offset().unsigned_abs());
        let mut periods = Vec::new();
        for window in &self.0 {
            let counts = if window.days == 0 {
                calendar.is_working_day(day)?
            } else {
                window.days & weekday != 0
            };
            if counts {
                periods.push(span(day, *window));
            }
        }
        periods.sort_unstable();
        Ok(periods)
    }

    /// What is answered by itself where nobody answers now (CH-14): outside the hours, or with nobody at the desk.
    #[must_use]
    pub fn automatic_reply(&self, covered: bool, present: bool, due: Timestamp) -> Option<String> {
        let until = due.to_zoned(shanghai());
        let until = format!(",预计{}前答复", until.strftime("%Y-%m-%d %H:%M"));
        let why = match (covered, present) {
            (true, true) => return None,
            (false, _) => format!("当前为非值班时间(值班:{})", self.told()),
            (true, false) => "警务专员暂时离岗".to_owned(),
        };
        Some(format!("{why}。留言已收到{until}。紧急情况请拨打110。"))
    }

    /// The hours for a person to read: `工作日 09:00-12:00、14:00-17:30`.
    #[must_use]
    pub fn told(&self) -> String {
        const DAYS: [&str; 7] = ["一", "二", "三", "四", "五", "六", "日"];
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let told = self.0.iter().map(|window| {
            let days: String = DAYS
                .iter()
                .enumerate()
                .filter(|(bit, _)| window.days & (1 << bit) != 0)
                .map(|(_, day)| *day)
                .collect();
            let days = if days.is_empty() { "工作日".to_owned() } else { format!("周{days}") };
            format!("{days} {}-{}", clock(window.from_minute), clock(window.until_minute))
        });
        told.collect::<Vec<_>>().join("、")
    }
}

fn span(day: Date, window: NeedWindow) -> (Timestamp, Timestamp) {
    let at = |day: Date, minute: u16| {
        let (hour, minute) = (i8::try_from(minute / 60), i8::try_from(minute % 60));
        match (hour, minute) {
            (Ok(hour @ 0..=23), Ok(minute)) => {
                let time = jiff::civil::Time::new(hour, minute, 0, 0).unwrap_or_default();
                instant_at(day, time)
            }
            // 24:00.
            _ => start_of_day(day.tomorrow().unwrap_or(day)),
        }
    };
    let ends =
        if window.until_minute < window.from_minute { day.tomorrow().unwrap_or(day) } else { day };
    (at(day, window.from_minute), at(ends, window.until_minute))
}

/// What a signed binding code says: one officer of one post, for one enterprise, for a short time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BindingCode {
    /// What makes it serve once.
    pub id: Uuid,
    /// The post.
    pub post: Id<kind::LiaisonPost>,
    /// The officer who shows it.
    pub officer: Id<kind::Officer>,
    /// Not after.
    pub expire_time: Timestamp,
}

/// How long a binding code lives.
pub const CODE_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// What every code begins with.
const CODE_PREFIX: &str = "LB1:";
/// Three ids and a second.
const CODE_BYTES: usize = 16 * 3 + 8;
/// What a signature adds.
const SIGNATURE_BYTES: usize = 64;

impl BindingCode {
    /// The bytes that are signed.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let seconds = self.expire_time.as_second().to_be_bytes();
        let ids = [self.id, self.post.uuid(), self.officer.uuid()];
        ids.into_iter().flat_map(Uuid::into_bytes).chain(seconds).collect()
    }

    /// The text of the QR code: hexadecimal, so that any reader shows it as it is.
    #[must_use]
    pub fn text(&self, signature: &[u8; SIGNATURE_BYTES]) -> String {
        let bytes = [self.message().as_slice(), signature.as_slice()].concat();
        format!("{CODE_PREFIX}{}", hex(&bytes).to_ascii_uppercase())
    }

    /// Reads a text into the code and its signature; whether the signature counts is asked next.
    pub fn parse(text: &str) -> Result<(Self, [u8; SIGNATURE_BYTES]), Flaw> {
        let text = text::meant(text);
        let digits = text.trim().strip_prefix(CODE_PREFIX).ok_or(Flaw::CodeMalformed)?;
        if digits.len() != (CODE_BYTES + SIGNATURE_BYTES) * 2 {
            return Err(Flaw::CodeMalformed);
        }
        let bytes = unhex(digits).ok_or(Flaw::CodeMalformed)?;
        let uuid = |from: usize| {
            let part = bytes.get(from..from + 16).and_then(|part| part.try_into().ok());
            part.map(Uuid::from_bytes).ok_or(Flaw::CodeMalformed)
        };
        let seconds = bytes.get(48..56).and_then(|part| part.try_into().ok());
        let seconds = i64::from_be_bytes(seconds.ok_or(Flaw::CodeMalformed)?);
        let signature = bytes.get(CODE_BYTES..).and_then(|part| part.try_into().ok());
        let code = Self {
            id: uuid(0)?,
            post: Id::of(uuid(16)?),
            officer: Id::of(uuid(32)?),
            expire_time: Timestamp::from_second(seconds).map_err(|_| Flaw::CodeMalformed)?,
        };
        Ok((code, signature.ok_or(Flaw::CodeMalformed)?))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::{BindingCode, Duty};
    use crate::{
        domain::{duty::calendar::Calendar, pass::application::NeedWindow},
        error::Flaw,
        id::Id,
    };

    fn at(text: &str) -> Timestamp {
        format!("{text}:00+08:00").parse().unwrap()
    }

    fn office() -> Duty {
        let window = |from_minute, until_minute| NeedWindow { days: 0, from_minute, until_minute };
        Duty::new(vec![window(9 * 60, 12 * 60), window(14 * 60, 17 * 60 + 30)]).unwrap()
    }

    // CH-14: several periods a day, on the days of the working calendar.
    #[test]
    fn a_post_answers_in_its_periods_on_working_days() {
        let calendar = Calendar::published();
        for (now, on_duty) in [
            ("2026-11-24T08:59", false),
            ("2026-11-24T09:00", true),
            ("2026-11-24T12:00", false),
            ("2026-11-24T14:00", true),
            ("2026-11-24T17:30", false),
            // A Saturday, a holiday, and a Sunday on which people work.
            ("2026-11-28T10:00", false),
            ("2026-10-01T10:00", false),
            ("2026-10-10T10:00", true),
        ] {
            assert_eq!(office().covers(at(now), &calendar).unwrap(), on_duty, "{now}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_began() {
        let friday_night = NeedWindow { days: 1 << 4, from_minute: 22 * 60, until_minute: 6 * 60 };
        let duty = Duty::new(vec![friday_night]).unwrap();
        let calendar = Calendar::published();
        assert!(duty.covers(at("2026-11-28T05:59"), &calendar).unwrap());
        assert!(!duty.covers(at("2026-11-27T05:59"), &calendar).unwrap());
        assert_eq!(duty.told(), "周五 22:00-06:00");
    }

    // Facts 4.7: thirty minutes in duty hours, otherwise the next working day.
    #[test]
    fn an_answer_is_promised_in_duty_time() {
        let calendar = Calendar::published();
        for (now, due) in [
            ("2026-11-24T10:30", "2026-11-24T11:00"),
            ("2026-11-24T11:45", "2026-11-24T14:15"),
            ("2026-11-24T17:15", "2026-11-25T09:15"),
            ("2026-11-24T20:00", "2026-11-26T00:00"),
            ("2026-11-28T10:00", "2026-12-01T00:00"),
        ] {
            assert_eq!(office().reply_due(at(now), &calendar).unwrap(), at(due), "{now}");
        }
    }

    #[test]
    fn a_year_without_a_calendar_is_an_error() {
        let calendar = Calendar::published();
        assert!(office().covers(at("2031-01-06T10:00"), &calendar).is_err());
        assert_eq!(Duty::new(vec![]), Err(Flaw::Required));
    }

    // CH-14.
    #[test]
    fn who_writes_to_an_empty_desk_is_told_until_when() {
        let reply =
            |covered, present| office().automatic_reply(covered, present, at("2026-11-25T10:00"));
        assert_eq!(reply(true, true), None);
        for (covered, present, why) in
            [(false, true, "非值班"), (false, false, "非值班"), (true, false, "离岗")]
        {
            let told = reply(covered, present).unwrap();
            assert!(told.contains(why) && told.contains("2026-11-25 10:00"), "{told}");
            assert!(told.contains("110"), "{told}");
        }
    }

    #[test]
    fn a_binding_code_reads_back() {
        let code = BindingCode {
            id: Uuid::from_u128(1),
            post: Id::of(Uuid::from_u128(2)),
            officer: Id::of(Uuid::from_u128(3)),
            expire_time: at("2026-11-24T10:30"),
        };
        let text = code.text(&[7; 64]);
        assert_eq!(BindingCode::parse(&text), Ok((code, [7; 64])));
        for wrong in ["", "LB1:", "TP1:00", &text.replace("LB1", "LB2"), &text[..text.len() - 2]] {
            assert_eq!(BindingCode::parse(wrong), Err(Flaw::CodeMalformed), "{wrong}");
        }
        let later = code.expire_time + SignedDuration::from_secs(1);
        assert_ne!(BindingCode { expire_time: later, ..code }.message(), code.message());
    }
}
