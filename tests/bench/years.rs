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

mod judging;
mod ledger;
mod lives;
#[path = "../chaos/services.rs"]
#[expect(dead_code, reason = "nothing is killed here")]
mod services;
mod sweeping;

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
use jingqi::surface::{
    clock::{Clock, Ids, ManualClock},
    domain::{
        complaint::Category,
        duty::{
            calendar::{Calendar, CalendarYear},
            month::start_of_day,
            obligation::{Limits, ObligationKind, Pause, Times},
        },
    },
    parts::Parts,
    remote::{Limits as RemoteLimits, Secret, webhook::Webhooks, wechat::Wechat},
    store::{self, Cache, Store, Vault, World},
    worker::Worker,
};
use object_store::local::LocalFileSystem;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    ledger::Place,
    lives::{HOUR, Lives},
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
