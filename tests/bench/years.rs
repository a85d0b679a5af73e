//! Ten simulated years of complaints against an independent oracle (I18): filings, acceptances, returns,
//! extensions, answers and silence, counted by the domain's own functions, swept by the real sweeper, with
//! the notices of later years imported as they appear. Afterwards nothing may be silently late, and a
//! program in another language counts every due time and every step of the ladder again.
//!
//! ```sh
//! cargo bench --bench years                      # 1,000,000 complaints
//! cargo bench --profile dev --bench years -- --short
//! ```
//!
//! It starts and ends its own PostgreSQL; what it exported stays in `.local/years-export/`.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

mod ledger;
mod lives;
#[path = "../chaos/services.rs"]
#[expect(dead_code, reason = "nothing is killed here")]
mod services;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use jiff::{Timestamp, ToSpan as _, civil::Date};
use jiff_sqlx::ToSqlx as _;
use jingqi::surface::{
    clock::{Clock, Ids, ManualClock},
    context::Cx,
    domain::{
        complaint::{Category, Rules},
        duty::{
            calendar::{Calendar, CalendarYear},
            month::start_of_day,
            obligation::{Limits, ObligationKind, Pause, PauseReason, Times, decision_limits},
        },
        liaison::booking::CONFIRM_WITHIN,
    },
    id::{Id, kind},
    parts::Parts,
    remote::{Limits as RemoteLimits, Secret, webhook::Webhooks, wechat::Wechat},
    store::{self, Cache, Store, Vault, World, duty::calendars},
    worker::Worker,
};
use object_store::local::LocalFileSystem;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    ledger::{Page, Place, Row},
    lives::{Event, HOUR, Happening, Lives, OWED_MAX, Owes},
    services::Services,
};

const SECONDS_OF_RECOUNT: usize = 300;
const FIRST_YEAR: i16 = 2022;
const LAST_YEAR: i16 = 2031;

/// What is run.
#[derive(Parser, Debug, Clone)]
struct Settings {
    /// Complaints
    #[arg(long, default_value_t = 1_000_000)]
    complaints: i64,
    /// Hours of the simulation between two rounds of the sweeper
    #[arg(long, default_value_t = 12)]
    hours: i64,
    /// What decides everything that happens
    #[arg(long, default_value_t = 20_260_615)]
    seed: u64,
    /// The short run: 5,000 complaints, swept once a day
    #[arg(long)]
    short: bool,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<ExitCode> {
    let mut settings = Settings::parse();
    // `cargo test --benches` only looks whether it runs.
    if !settings.bench {
        return Ok(ExitCode::SUCCESS);
    }
    if settings.short {
        settings.complaints = settings.complaints.min(5_000);
        settings.hours = 24;
    }
    ensure!(24 % settings.hours == 0, "--hours divides a day");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let services = Services::start_as("years")?;
    let right = runtime.block_on(async {
        tokio::select! {
            right = run(&settings, &services) => right,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("stopped by a signal"),
        }
    })?;
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run(settings: &Settings, services: &Services) -> Result<bool> {
    let began = Instant::now();
    let mut years = Years::begin(settings, &services.database_url).await?;
    years.pass(settings).await?;
    let simulated = began.elapsed();
    println!(
        "{} complaints in {FIRST_YEAR} to {LAST_YEAR}, swept every {} hours, in {:.0} s \
         (seed {}, {} build)",
        settings.complaints,
        settings.hours,
        simulated.as_secs_f64(),
        settings.seed,
        if cfg!(debug_assertions) { "dev" } else { "release" },
    );
    let mut right = years.check(settings).await?;
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".local/years-export");
    std::fs::create_dir_all(&folder)?;
    ledger::export(&mut years.connection, &folder).await?;
    let micro = |seconds: i64| seconds * 1_000_000;
    let range =
        format!("{}\t{}\t{}\n", micro(years.start), micro(settings.hours * HOUR), micro(years.end));
    std::fs::write(folder.join("run.tsv"), range)?;
    right &= oracle(&folder, None)?;
    println!("controls, which must be caught:");
    let caught = !oracle(&folder, Some("2026-02-14"))?;
    println!("  a calendar without the make-up day 2026-02-14: {}", told(caught));
    right &= caught;
    let caught = years.skip_a_sweep(settings.hours * HOUR).await?;
    println!("  a sweep that was skipped: {}", told(caught));
    right &= caught;
    println!(
        "{:.0} s in all: {}",
        began.elapsed().as_secs_f64(),
        if right { "right" } else { "WRONG" }
    );
    Ok(right)
}

const fn told(caught: bool) -> &'static str {
    if caught { "caught" } else { "NOT CAUGHT" }
}

/// Lets the oracle compare; whether nothing was off.
fn oracle(folder: &Path, dropped: Option<&str>) -> Result<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/oracle.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(folder);
    if let Some(day) = dropped {
        command.args(["--drop", day]);
    }
    let output = command.output().context("python3")?;
    let said = String::from_utf8_lossy(&output.stdout);
    // Of the control only the sum is of interest.
    let skipped = if dropped.is_some() { said.lines().count().saturating_sub(1) } else { 0 };
    for line in said.lines().skip(skipped) {
        println!("{}{line}", if dropped.is_some() { "  " } else { "" });
    }
    let failed = String::from_utf8_lossy(&output.stderr);
    ensure!(failed.is_empty(), "the oracle: {}", failed.trim());
    Ok(output.status.success())
}

/// Something that is owed, as far as it came.
struct Owing {
    id: Uuid,
    subject: Uuid,
    kind: ObligationKind,
    category: Category,
    opened: Timestamp,
    limits: Limits,
    pauses: Vec<Pause>,
    extension_days: u32,
    times: Times,
    met: Option<Timestamp>,
    stored: bool,
}

/// The simulated years.
struct Years {
    connection: PgConnection,
    place: Place,
    parts: Parts,
    clock: ManualClock,
    worker: Worker,
    calendar: Calendar,
    start: i64,
    end: i64,
    imports: BTreeMap<i64, CalendarYear>,
    live: HashMap<u64, Owing>,
    complaints: u64,
}

fn seconds(day: Date) -> i64 {
    start_of_day(day).as_second()
}

impl Years {
    async fn begin(settings: &Settings, url: &str) -> Result<Self> {
        let (connection, place) = ledger::open(url).await?;
        let start = seconds(Date::new(FIRST_YEAR, 1, 1)?);
        let end = seconds(Date::new(LAST_YEAR + 1, 1, 1)?);
        let clock = ManualClock::at(Timestamp::from_second(start)?);
        let pool = store::pool(url, 4)?;
        let remote = Wechat::new(
            "http://127.0.0.1:9",
            "none",
            Secret::new("none"),
            RemoteLimits::default(),
        )?;
        let parts = Parts {
            // No server trusts an older calendar: a commit waits for nobody.
            store: Store::new(pool, Cache::Absent, Vault::new(&[7; 32])?).before_serving(),
            world: World::default(),
            clock: Clock::Manual(clock.clone()),
            ids: Ids::seeded(settings.seed),
            wechat: Arc::new(remote),
            sms: None,
            wecom: None,
            templates: Arc::default(),
            webhooks: Arc::new(Webhooks::new(RemoteLimits::default(), false)),
            files: Arc::new(LocalFileSystem::new_with_prefix(std::env::temp_dir())?),
        };
        Ok(Self {
            connection,
            place,
            worker: Worker::new(parts.clone()),
            parts,
            clock,
            calendar: Calendar::published(),
            start,
            end,
            imports: notices(settings.seed)?,
            live: HashMap::new(),
            complaints: 0,
        })
    }

    /// Lets the years pass, from one round of the sweeper to the next.
    async fn pass(&mut self, settings: &Settings) -> Result<()> {
        let mut lives = Lives::new(settings.seed);
        let mut coming: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
        let step = settings.hours * HOUR;
        let rounds = (self.end - self.start) / step;
        let mut filed = 0;
        for round in 1..=rounds {
            let now = self.start + round * step;
            let until = settings.complaints * round / rounds;
            for _ in filed..until {
                // A time belongs to the round that follows it, or falls on it.
                for event in lives.draw(now - step + 1, now + 1) {
                    let belongs = self.start + (event.time - self.start + step - 1) / step * step;
                    if belongs <= self.end {
                        coming.entry(belongs).or_default().push(event);
                    }
                }
            }
            filed = until;
            let mut events = coming.remove(&now).unwrap_or_default();
            events.sort_by_key(|event| event.time);
            self.happen(events, Timestamp::from_second(now)?).await?;
            self.clock.set(Timestamp::from_second(now)?);
            if let Some(notice) = self.imports.remove(&now) {
                self.import(notice).await?;
                // A round counts a bounded number again, and the next comes a second later: long before
                // the next one of the simulation.
                for _ in 0..SECONDS_OF_RECOUNT {
                    self.worker.sweep_once().await?;
                }
            }
            self.worker.sweep_once().await?;
            // Statistics of an empty table make every later plan a bad one.
            if round % (rounds / 40).max(1) == 0 {
                ledger::run(&mut self.connection, "analyze obligation, escalation, complaint")
                    .await?;
            }
        }
        Ok(())
    }

    async fn import(&mut self, notice: CalendarYear) -> Result<()> {
        let cx = Cx::job("years", self.clock.now(), self.parts.ids.clone());
        let mut tx = self.parts.store.begin(&cx).await?;
        calendars::insert(&mut tx, &notice, Id::<kind::Officer>::of(self.place.officer)).await?;
        tx.commit().await?;
        self.calendar = self.calendar.with_notice(notice);
        self.parts.world.look(&self.parts.store).await?;
        ensure!(self.parts.world.calendar().version() == self.calendar.version());
        Ok(())
    }

    /// Everything that happened since the last round, written at once.
    async fn happen(&mut self, events: Vec<Event>, now: Timestamp) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut page = Page::default();
        let (mut opened, mut moved) = (Vec::new(), Vec::new());
        for event in events {
            let at = Timestamp::from_second(event.time)?;
            match event.what {
                Happening::Opened(owes) => {
                    self.open(event.owing, owes, at)?;
                    opened.push(event.owing);
                }
                Happening::Paused => {
                    let owing = self.owing(event.owing)?;
                    let reason = PauseReason::Returned;
                    owing.pauses.push(Pause { from: at, until: None, reason });
                    if owing.stored {
                        page.stopped.0.push(owing.id);
                        page.stopped.1.push(Some(at.to_sqlx()));
                    }
                }
                Happening::Resumed | Happening::Extended(_) => {
                    if self.change(&mut page, event, at)? && !moved.contains(&event.owing) {
                        moved.push(event.owing);
                    }
                }
                Happening::Met => {
                    let owing = self.owing(event.owing)?;
                    owing.met = Some(at);
                    if owing.stored {
                        page.met.0.push(owing.id);
                        page.met.1.push(at.to_sqlx());
                    }
                }
            }
        }
        self.turn(page, opened, moved, now).await
    }

    fn owing(&mut self, at: u64) -> Result<&mut Owing> {
        self.live.get_mut(&at).context("nothing is owed")
    }

    fn open(&mut self, at: u64, owes: Owes, opened: Timestamp) -> Result<()> {
        let (kind, category) = match owes {
            Owes::Acceptance(category) => (ObligationKind::AcceptComplaint, category),
            Owes::Signature(category) => (ObligationKind::SignComplaint, category),
            Owes::Handling(category) => (ObligationKind::HandleComplaint, category),
            Owes::Decision { .. } => (ObligationKind::DecidePassApplication, Category::Help),
            Owes::Confirmation => (ObligationKind::ConfirmCentreBooking, Category::Help),
        };
        let rules = Rules::standard(category);
        let limits = match owes {
            Owes::Acceptance(_) => Limits::new(None, Some(rules.accept), None),
            Owes::Signature(_) => Limits::new(None, Some(rules.sign), None),
            Owes::Handling(_) => rules.handling(),
            Owes::Decision { temporary } => Ok(decision_limits(if temporary { 1 } else { 3 })),
            Owes::Confirmation => Ok(Limits::promised(CONFIRM_WITHIN)),
        };
        let limits = limits.map_err(|flaw| anyhow::anyhow!("{}", flaw.wire()))?;
        let times = Times::count(opened, limits, &[], 0, &self.calendar)?;
        let id = self.parts.ids.next::<kind::Obligation>(opened).uuid();
        // An application and a booking are no complaint, and have ids of their own.
        let noun: u128 = match owes {
            Owes::Decision { .. } => 0x0192_0000_0002_7000_8000_0000_0000_0000,
            Owes::Confirmation => 0x0192_0000_0003_7000_8000_0000_0000_0000,
            _ => 0x0192_0000_0001_7000_8000_0000_0000_0000,
        };
        let subject = Uuid::from_u128(noun + u128::from(at / OWED_MAX));
        let owing = Owing {
            id,
            subject,
            kind,
            category,
            opened,
            limits,
            pauses: Vec::new(),
            extension_days: 0,
            times,
            met: None,
            stored: false,
        };
        self.live.insert(at, owing);
        Ok(())
    }

    /// A pause that ends, or an extension: the due times are counted again. False where it is too late
    /// for an extension.
    fn change(&mut self, page: &mut Page, event: Event, at: Timestamp) -> Result<bool> {
        let (calendar, id) = (self.calendar.clone(), self.parts.ids.random());
        let place = Place { ..self.place };
        let owing = self.owing(event.owing)?;
        if let Happening::Extended(days) = event.what {
            if owing.times.due <= at {
                return Ok(false);
            }
            owing.extension_days = days;
            page.extend(id, owing.subject, days, at, &place);
        } else if let Some(pause) = owing.pauses.last_mut() {
            pause.until = Some(at);
            if owing.stored {
                page.stopped.0.push(owing.id);
                page.stopped.1.push(None);
                page.ended.0.push(owing.id);
                page.ended.1.push(pause.from.to_sqlx());
                page.ended.2.push(at.to_sqlx());
            }
        }
        let Owing { opened, limits, ref pauses, extension_days, .. } = *owing;
        owing.times = Times::count(opened, limits, pauses, extension_days, &calendar)?;
        Ok(true)
    }

    /// Writes the page: what is new as it stands at its end, what was there before as it changed.
    async fn turn(
        &mut self,
        mut page: Page,
        opened: Vec<u64>,
        moved: Vec<u64>,
        now: Timestamp,
    ) -> Result<()> {
        let version = self.calendar.version().to_owned();
        for at in moved {
            let owing = self.live.get(&at).context("moved")?;
            if owing.stored {
                let (column, times) = (&mut page.moved, owing.times);
                column.ids.push(owing.id);
                column.subjects.push(owing.subject);
                column.due.push(times.due.to_sqlx());
                column.amber.push(times.amber.to_sqlx());
                column.legal.push(times.legal.map(Timestamp::to_sqlx));
                column.internal.push(times.internal.map(Timestamp::to_sqlx));
                column.provisional.push(times.provisional);
                column.extension_days.push(i32::try_from(owing.extension_days)?);
            }
        }
        for at in opened {
            let owing = self.live.get_mut(&at).context("opened")?;
            owing.stored = true;
            let last = owing.pauses.last().filter(|pause| pause.until.is_none());
            let row = Row {
                id: owing.id,
                subject: owing.subject,
                kind: owing.kind,
                opened: owing.opened,
                limits: owing.limits,
                times: owing.times,
                extension_days: owing.extension_days,
                paused_since: last.map(|pause| pause.from),
                met: owing.met,
                version: &version,
            };
            page.open(&row);
            if owing.kind == ObligationKind::HandleComplaint {
                self.complaints += 1;
                page.complain(&row, &self.place, owing.category.wire(), self.complaints);
            }
        }
        let since = self.clock.now();
        for owing in self.live.values() {
            // Those that began in this round: an older one was written when it began.
            for pause in owing.pauses.iter().filter(|pause| pause.from > since) {
                page.pause(owing.id, pause.from, pause.until);
            }
        }
        self.live.retain(|_, owing| owing.met.is_none());
        page.write(&mut self.connection, &version, now).await
    }
}

/// The notices of the years that have none yet: drawn, and when each appears. That for the last year is
/// late, so that promises hang in the air; that for 2029 is corrected while the year runs.
fn notices(seed: u64) -> Result<BTreeMap<i64, CalendarYear>> {
    let mut lives = Lives::new(seed ^ 0xca1e);
    let mut notices = BTreeMap::new();
    for year in 2027..=LAST_YEAR {
        let day = |month: i8, day: i8| Date::new(year, month, day);
        let spring = day(1, 22)?.checked_add(lives.between(0, 27).days())?;
        let boat = day(6, 8)?.checked_add(lives.between(0, 18).days())?;
        let autumn = day(9, 10)?.checked_add(lives.between(0, 18).days())?;
        // A holiday may begin in the year before, in the notice of the year that it belongs to.
        let new_year = if year % 2 == 0 { Date::new(year - 1, 12, 31)? } else { day(1, 1)? };
        let holidays = vec![
            (new_year, day(1, 2)?),
            (spring, spring.checked_add(lives.between(6, 9).days())?),
            (day(4, 4)?, day(4, 6)?),
            (day(5, 1)?, day(5, 5)?),
            (boat, boat.checked_add(2.days())?),
            (autumn, autumn.checked_add(2.days())?),
            (day(10, 1)?, day(10, 7)?),
        ];
        let mut makeup_days = Vec::new();
        while makeup_days.len() < 6 {
            let weekend = day(1, 10)?.checked_add(lives.between(0, 300).days())?;
            let works = weekend.weekday().to_monday_one_offset() >= 6;
            let free = holidays.iter().any(|&(first, last)| (first..=last).contains(&weekend));
            if works && !free && !makeup_days.contains(&weekend) {
                makeup_days.push(weekend);
            }
        }
        let appears = if year == LAST_YEAR {
            Date::new(year - 1, 12, 29)?
        } else {
            Date::new(year - 1, 11, i8::try_from(lives.between(4, 27))?)?
        };
        if year == 2029 {
            // Corrected in the middle of the year: days that were worked are not any more.
            let mut more = holidays.clone();
            more.push((day(4, 24)?, day(4, 26)?));
            let days = makeup_days.iter().copied();
            let days = days.filter(|day| day.month() != 4).collect();
            let corrected = CalendarYear::new(year, 2, more, days, "模拟更正通知")?;
            notices.insert(seconds(day(4, 20)?), corrected);
        }
        let notice = CalendarYear::new(year, 1, holidays, makeup_days, "模拟通知")?;
        notices.insert(seconds(appears), notice);
    }
    Ok(notices)
}

/// Every obligation that was late while somebody could look has its red step: how many have none.
fn silent(start: i64, step: i64) -> String {
    format!(
        "select count(*) from obligation
         where (
            -- The first round at or after the due time, and nothing was done before it.
            coalesce(meet_time, 'infinity') > to_timestamp({start}
                + ceil((extract(epoch from due_time) - {start}) / {step}) * {step})
            and due_time <= to_timestamp((select extract(epoch from max(beat_time)) from heartbeat))
            and not exists (select from obligation_pause
                where obligation_id = obligation.id and coalesce(end_time, 'infinity') > due_time)
            and not exists (select from escalation
                where obligation_id = obligation.id and level = 2)
         ) or (breach_time is null and meet_time >= due_time)"
    )
}

/// By how many seconds the latest step was late, since it could be seen.
const LATENESS: &str = "select max(extract(epoch from create_time - greatest(escalation.due_time,
        (select max(end_time) from obligation_pause pause
         where pause.obligation_id = escalation.obligation_id and end_time <= escalation.create_time),
        (select max(calendar_year.create_time) from calendar_year
         where calendar_year.create_time <= escalation.create_time))))::bigint
     from escalation";

impl Years {
    async fn check(&mut self, settings: &Settings) -> Result<bool> {
        let step = settings.hours * HOUR;
        let count = async |connection: &mut PgConnection, text: &str| {
            ledger::number(connection, text).await
        };
        let connection = &mut self.connection;
        let obligations = count(connection, "select count(*) from obligation").await?;
        let late = "select count(*) from obligation where breach_time is not null";
        let late = count(connection, late).await?;
        let steps = count(connection, "select count(*) from escalation").await?;
        let moves = "select count(*) from obligation_move
            where cause = 'CALENDAR' and limit_moved = 'PROMISED'";
        let moves = count(connection, moves).await?;
        let silent = count(connection, &silent(self.start, step)).await?;
        let lateness = count(connection, LATENESS).await?;
        let apart = "select count(*) from obligation join complaint on complaint.id = obligation.subject_id
            where kind = 'HANDLE_COMPLAINT'
               and (handle_due_time <> due_time or complaint.provisional <> obligation.provisional)";
        let apart = count(connection, apart).await?;
        println!(
            "{obligations} obligations, {late} late, {steps} steps taken, {moves} due times moved by a notice"
        );
        println!("silently late: {silent}");
        println!("latest step: {lateness} s after it was due, of {step} s between two rounds");
        println!("complaints that do not say what is owed: {apart}");
        Ok(silent == 0 && lateness <= step && apart == 0 && obligations > 0 && moves > 0)
    }

    /// The control: nobody sweeps over a deadline. The check must say so, and nothing more once
    /// somebody sweeps.
    async fn skip_a_sweep(&mut self, step: i64) -> Result<bool> {
        let now = self.clock.now();
        let opened = now - jiff::SignedDuration::from_hours(1);
        let mut page = Page::default();
        let rules = Rules::standard(Category::Urgent);
        let limits = Limits::new(None, Some(rules.accept), None);
        let limits = limits.map_err(|flaw| anyhow::anyhow!("{}", flaw.wire()))?;
        let version = self.calendar.version().to_owned();
        for _ in 0..200 {
            page.open(&Row {
                id: self.parts.ids.random(),
                subject: self.parts.ids.random(),
                kind: ObligationKind::AcceptComplaint,
                opened,
                limits,
                times: Times::count(opened, limits, &[], 0, &self.calendar)?,
                extension_days: 0,
                paused_since: None,
                met: None,
                version: &version,
            });
        }
        page.write(&mut self.connection, &version, now).await?;
        // The heart beats on, as if the round had been good; the clock passes the deadline.
        self.clock.advance(jiff::SignedDuration::from_hours(24));
        let beat = format!("update heartbeat set beat_time = '{}'", self.clock.now());
        ledger::run(&mut self.connection, &beat).await?;
        let check = silent(self.start, step);
        let skipped = ledger::number(&mut self.connection, &check).await?;
        self.worker.sweep_once().await?;
        let swept = ledger::number(&mut self.connection, &check).await?;
        Ok(skipped >= 200 && swept == 0)
    }
}
