//! The working-day calendar: notices proposed, entered and read, and whether somebody looks after what is
//! counted by them. What a notice means is the domain's.

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    actor::Actor,
    context::Cx,
    domain::{
        duty::{
            calendar::{Calendar, CalendarYear},
            month::start_of_day,
        },
        identity::proposal::{Act, Draft},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    parts::Parts,
    service::{
        identity::proposals::{self, Confirming, own_unit_path},
        pb::{self, calendar_service_server::CalendarService},
        rpc, wire,
    },
    store::{
        Store, Tx, World,
        duty::{
            calendars::{self, Entered},
            escalations,
            obligations::recount,
        },
    },
};

/// The longest source, in characters.
const SOURCE_CHARACTERS_MAX: usize = 200;
/// A step that is not taken so long after it was due is behind (I18).
const BEHIND_AFTER: SignedDuration = SignedDuration::from_secs(5);
/// The years for which a notice may come: year 0 stands for all others, and is refused.
const YEARS: std::ops::RangeInclusive<i16> = 2_000..=2_100;
/// What the names of years begin with.
const COLLECTION: &str = "calendarYears/";

/// The service.
pub struct Calendars {
    store: Store,
    world: World,
}

rpc! { CalendarService, Calendars {
    import_calendar_year(pb::ImportCalendarYearRequest) -> pb::ImportCalendarYearResponse;
    list_calendar_years(pb::ListCalendarYearsRequest) -> pb::ListCalendarYearsResponse;
    get_calendar_year(pb::GetCalendarYearRequest) -> pb::CalendarYear;
    get_sweep_status(pb::GetSweepStatusRequest) -> pb::SweepStatus;
} }

impl Calendars {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone() }
    }

    async fn import_calendar_year(
        &self,
        cx: &Cx,
        request: pb::ImportCalendarYearRequest,
    ) -> Result<pb::ImportCalendarYearResponse> {
        let officer = cx.actor.officer()?;
        let form = Form::read(&request.calendar_year.clone().unwrap_or_default())?;
        let act = async |tx: &mut Tx| {
            let known = calendars::in_force(tx.conn()).await?;
            let notice = form.notice(&known)?;
            let calendar = known.with_notice(notice.clone());
            let moving_due_times = recount::would_move(tx.conn(), &calendar).await?;
            let entered = Entered { notice, officer: Some(officer), create_time: Some(cx.now) };
            let reply = pb::ImportCalendarYearResponse {
                calendar_year: Some(reply(cx, &entered, &calendar)?),
                moving_due_times,
                proposal: String::new(),
            };
            if request.validate_only {
                return Ok(reply);
            }
            let draft = Draft {
                act: Act::ImportCalendar,
                subject: format!("{COLLECTION}{}", entered.notice.year()),
                unit_path: own_unit_path(cx),
                request: Vec::new(),
                shown: shown(&entered.notice, &calendar, moving_due_times)?,
                reason: entered.notice.source().to_owned(),
            };
            let exact = pb::ImportCalendarYearRequest {
                calendar_year: request.calendar_year.clone(),
                ..Default::default()
            };
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            Ok(pb::ImportCalendarYearResponse { proposal, ..reply })
        };
        if request.validate_only {
            wire::rehearse(&self.store, cx, &request, act).await
        } else {
            wire::write(&self.store, cx, &request, act).await
        }
    }

    async fn list_calendar_years(
        &self,
        cx: &Cx,
        _: pb::ListCalendarYearsRequest,
    ) -> Result<pb::ListCalendarYearsResponse> {
        let mut connection = self.store.read().await?;
        let entered = calendars::list(&mut connection).await?;
        let calendar_years = entered
            .iter()
            // An older version has the working days that it said, not those of its successor.
            .map(|one| reply(cx, one, &Calendar::new([one.notice.clone()])))
            .collect::<Result<_>>()?;
        let provisional_due_times = recount::provisional(&mut connection).await?;
        Ok(pb::ListCalendarYearsResponse { calendar_years, provisional_due_times })
    }

    async fn get_calendar_year(
        &self,
        cx: &Cx,
        request: pb::GetCalendarYearRequest,
    ) -> Result<pb::CalendarYear> {
        let year = request.name.strip_prefix(COLLECTION).and_then(|year| year.parse::<i16>().ok());
        let year = year.ok_or_else(|| Error::field("name", Flaw::NameMalformed))?;
        let mut connection = self.store.read().await?;
        let entered = calendars::list(&mut connection).await?;
        let newest = entered.iter().find(|one| one.notice.year() == year);
        let missing = || Error::new(Reason::CalendarMissing).fact("year", year);
        let newest = newest.ok_or_else(missing)?;
        reply(cx, newest, &calendars::in_force(&mut connection).await?)
    }

    async fn get_sweep_status(
        &self,
        cx: &Cx,
        _: pb::GetSweepStatusRequest,
    ) -> Result<pb::SweepStatus> {
        let mut connection = self.store.read().await?;
        let beat = escalations::last_beat(&mut connection, escalations::SWEEP).await?;
        let before = cx.now.saturating_sub(BEHIND_AFTER).unwrap_or(cx.now);
        let standing = escalations::standing(&mut connection, before).await?;
        Ok(pb::SweepStatus {
            beat_time: wire::time_of(beat),
            alive: beat
                .is_some_and(|beat| beat.duration_until(cx.now) <= escalations::SWEPT_WITHIN),
            provisional_due_times: recount::provisional(&mut connection).await?,
            failing: standing.failing,
            behind: standing.behind,
            calendar_version: self.world.calendar().version().to_owned(),
        })
    }
}

/// Enters a confirmed notice, in the version after the one that is known now.
pub(in crate::service) async fn import(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let request: pb::ImportCalendarYearRequest = confirming.request()?;
    let form = Form::read(&request.calendar_year.unwrap_or_default())?;
    let known = calendars::in_force(tx.conn()).await?;
    let notice = form.notice(&known)?;
    // It counts from the first day of its year; of a year that has begun, at once.
    let first = Date::new(notice.year(), 1, 1).map_err(Error::internal)?;
    let from = confirming.effective(Some(start_of_day(first)))?;
    calendars::insert(tx, &notice, confirming.proposal.maker).await?;
    Ok(from)
}

/// What the second person is shown.
fn shown(notice: &CalendarYear, calendar: &Calendar, moving: i64) -> Result<Vec<String>> {
    let year = notice.year();
    let mut shown = vec![
        format!("{year}年工作日历,第{}版", notice.version()),
        format!("全年工作日{}天", calendar.working_days_of(year)?),
        format!("随之变动的期限{moving}项"),
    ];
    let holidays = notice.holidays().iter();
    shown.extend(holidays.map(|(first, last)| format!("放假:{first}至{last}")));
    shown.extend(notice.makeup_days().iter().map(|day| format!("调休上班:{day}")));
    Ok(shown)
}

/// A notice as it was sent.
struct Form {
    year: i16,
    holidays: Vec<(Date, Date)>,
    makeup_days: Vec<Date>,
    source: String,
}

impl Form {
    /// Reads a notice, or tells everything that is wrong with it at once.
    fn read(form: &pb::CalendarYear) -> Result<Self> {
        let mut faults = Faults::new();
        let path = |at: &str| format!("calendar_year.{at}");
        let mut holidays = Vec::with_capacity(form.holidays.len());
        for (at, holiday) in form.holidays.iter().enumerate() {
            let path = format!("calendar_year.holidays[{at}]");
            let first = faults.take(format!("{path}.first_day"), wire::day(&holiday.first_day));
            let last = faults.take(format!("{path}.last_day"), wire::day(&holiday.last_day));
            holidays.push(first.zip(last));
        }
        let mut makeup_days = Vec::with_capacity(form.makeup_days.len());
        for (at, day) in form.makeup_days.iter().enumerate() {
            makeup_days.push(faults.take(path(&format!("makeup_days[{at}]")), wire::day(day)));
        }
        let source = wire::text_maybe(&form.source, SOURCE_CHARACTERS_MAX);
        let source = faults.take(path("source"), source);
        let year = i16::try_from(form.year).ok().filter(|year| YEARS.contains(year));
        let year = year.unwrap_or_default();
        // An unreadable source was told already.
        let said = source.as_deref().unwrap_or("-");
        let wrong = CalendarYear::faults(year, 1, &holidays, &makeup_days, said);
        faults.absorb("calendar_year", wrong);
        faults.done()?;
        Ok(Self {
            year,
            holidays: holidays.into_iter().flatten().collect(),
            makeup_days: makeup_days.into_iter().flatten().collect(),
            source: source.unwrap_or_default(),
        })
    }

    /// The notice in the version after the one that is known.
    fn notice(self, known: &Calendar) -> Result<CalendarYear> {
        let version = known.years().iter().find(|notice| notice.year() == self.year);
        let version = version.map_or(0, CalendarYear::version).saturating_add(1);
        CalendarYear::new(self.year, version, self.holidays, self.makeup_days, self.source)
    }
}

fn reply(cx: &Cx, entered: &Entered, calendar: &Calendar) -> Result<pb::CalendarYear> {
    let notice = &entered.notice;
    let holidays = notice.holidays().iter().map(|(first, last)| pb::calendar_year::Holiday {
        first_day: first.to_string(),
        last_day: last.to_string(),
    });
    // Who of the police entered it is told to the police.
    let officer = entered.officer.filter(|_| matches!(cx.actor, Actor::Officer { .. }));
    Ok(pb::CalendarYear {
        name: format!("{COLLECTION}{}", notice.year()),
        year: notice.year().into(),
        version: i32::try_from(notice.version()).unwrap_or(i32::MAX),
        holidays: holidays.collect(),
        makeup_days: notice.makeup_days().iter().map(ToString::to_string).collect(),
        source: notice.source().to_owned(),
        working_days: calendar.working_days_of(notice.year())?,
        officer: officer.map(|officer| officer.to_string()).unwrap_or_default(),
        create_time: wire::time_of(entered.create_time),
    })
}
