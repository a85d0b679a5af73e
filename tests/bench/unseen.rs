//! The benchmark of what nobody may notice: what accused officers read, on two databases that are equal
//! but for 1,000 conduct reports against them. A call here, the same call there, by turns. Goal: medians
//! within 5 % of each other. Never a timed test.
//!
//! ```sh
//! deploy/services start bench && eval "$(deploy/services env bench)"
//! cargo bench --bench unseen
//! BENCH_COMPLAINTS=20000 BENCH_REPORTS=100 BENCH_CALLS=10 cargo bench --bench unseen    # a short one
//! deploy/services stop bench --purge
//! ```
//!
//! Two databases of its own are made on the server that is named, and dropped again.

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]

mod bureau;
mod database;
#[path = "../it/raw.rs"]
mod raw;
mod serving;

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use jingqi::surface::{
    id::kind,
    parts::Parts,
    service::pb::{self, conduct_report_service_client::ConductReportServiceClient},
};
use prost::Message as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::{runtime::Runtime, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::{
    client::Grpc,
    transport::{Channel, Endpoint},
};

use crate::{
    bureau::{Bureau, Reader},
    raw::Raw,
    serving::serve,
};

/// Calls of each read that are not measured: each connection plans a statement for good after five.
const WARM_UP: usize = 24;
/// How far the medians may lie apart (I20).
const GOAL: f64 = 0.05;

/// Something that an accused officer reads.
struct Question<'a> {
    who: &'static str,
    by: &'a Reader,
    method: &'static str,
    message: Vec<u8>,
}

/// How long it took, in milliseconds: without the reports, with them, and without them again, which
/// says how much chance there is in it.
struct Taken {
    without: f64,
    with: f64,
    again: f64,
}

fn setting(name: &str, default: usize) -> Result<usize> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} must be a number")),
        Err(_) => Ok(default),
    }
}

fn main() -> Result<()> {
    // `cargo test --benches` only looks whether it runs.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let database_url = env::var("DATABASE_URL").context("DATABASE_URL")?;
    let redis_url = env::var("REDIS_URL").context("REDIS_URL")?;
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // Servers and reader share the cores, never a scheduler.
    let (serving, driving) = (runtime()?, runtime()?);
    let (own_url, database) = driving.block_on(database::create(&database_url))?;
    let copy = format!("{database}_with");
    let copy_url = own_url.replace(&database, &copy);
    let measured = compare([&own_url, &copy_url], &redis_url, &serving, &driving);
    serving.shutdown_timeout(Duration::from_secs(2));
    for database in [&copy, &database] {
        driving.block_on(database::remove(&database_url, database))?;
    }
    measured
}

/// Builds a bureau and its copy, files the reports in the copy, and looks at both.
fn compare(
    [without, with]: [&String; 2],
    redis_url: &str,
    serving: &Runtime,
    driving: &Runtime,
) -> Result<()> {
    let complaints = setting("BENCH_COMPLAINTS", 100_000)?;
    let reports = setting("BENCH_REPORTS", 1_000)?;
    let calls = setting("BENCH_CALLS", 1_000)?;
    let bureau = serving.block_on(Bureau::build(without, redis_url, complaints))?;
    println!("{}", serving.block_on(bureau.told())?);
    let inspector = serving.block_on(inspector(&bureau))?;
    driving.block_on(duplicate(without, with))?;
    let twin = serving.block_on(async { bureau::parts(with, redis_url) })?;
    let stop = CancellationToken::new();
    let addresses = [serve(serving, &bureau.parts, &stop)?, serve(serving, &twin, &stop)?];
    let measured = driving.block_on(async {
        let [without, with] = addresses.map(connect);
        let channels = [without.await?, with.await?];
        let [_, reported] = &channels;
        for _ in 0..reports {
            file(reported.clone(), &bureau).await?;
        }
        for parts in [&bureau.parts, &twin] {
            sqlx::query("vacuum analyze").execute(&mut settled(parts).await?).await?;
        }
        println!("{reports} reports; {calls} calls of each read on each side, by turns\n");
        measure(&questions(&bureau, &inspector), &channels, calls).await
    });
    stop.cancel();
    measured
}

/// An inspector of the district: accused like the others, and the only one who may ask for reports.
async fn inspector(bureau: &Bureau) -> Result<Reader> {
    let officer = "insert into officer (id, police_number, full_name_sealed, unit_id, roles, password_hash,
            password_history, password_time, password_expired, totp_secret_sealed, totp_step,
            failed_attempts, create_time, version)
         select gen_random_uuid(), '000005', full_name_sealed, unit_id, '{INSPECTOR}', password_hash,
            password_history, password_time, password_expired, totp_secret_sealed, totp_step,
            failed_attempts, create_time, version
         from officer where police_number = '000002'";
    sqlx::query(officer).execute(bureau.parts.store.pool()).await?;
    bureau::reader::<kind::Officer>(&bureau.parts, "000005").await
}

/// A connection without the time limits of a serving pool.
async fn settled(parts: &Parts) -> Result<PgConnection> {
    let mut connection = parts.store.pool().acquire().await?.detach();
    sqlx::query("set statement_timeout = 0").execute(&mut connection).await?;
    Ok(connection)
}

/// Copies a database file by file; whoever is connected to it is cut, and connects again.
async fn duplicate(of: &str, to: &str) -> Result<()> {
    let name = |url: &str| {
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        path.rsplit_once('/').map(|(_, name)| name.to_owned()).context("a database without a name")
    };
    let (from, to) = (name(of)?, name(to)?);
    let mut keeper = PgConnection::connect(&of.replace(&from, "postgres")).await?;
    let cut = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{from}'"
    );
    let copy = format!("create database {to} template {from}");
    for statement in [cut, "select pg_sleep(1)".to_owned(), copy] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut keeper).await?;
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
    Ok(endpoint.connect().await?)
}

/// A report against everybody whose reads are measured.
async fn file(channel: Channel, bureau: &Bureau) -> Result<()> {
    let accused = ["000001", "000002", "000003", "000004", "000005"]
        .map(|number| pb::Accused { police_number: number.to_owned(), ..pb::Accused::default() });
    let request = pb::FileAnonymousConductReportRequest {
        accused: accused.to_vec(),
        content: "当事民警收受礼品后放行超载货车".to_owned(),
        matter: bureau.of_large.clone(),
        request_id: String::new(),
    };
    ConductReportServiceClient::new(channel).file_anonymous_conduct_report(request).await?;
    Ok(())
}

/// What they read, in the order of the table.
fn questions<'a>(bureau: &'a Bureau, inspector: &'a Reader) -> Vec<Question<'a>> {
    let mut all = Vec::new();
    let police = [
        ("assigner of the city", &bureau.city_assigner),
        ("assigner of a district", &bureau.district_assigner),
        ("handler's brigade", &bureau.handler),
        ("leader of the city", &bureau.leader),
        ("inspector of a district", inspector),
    ];
    let named = |name: &String| pb::GetComplaintRequest { name: name.clone() }.encode_to_vec();
    for (who, by) in police {
        let mut add = |method, message| all.push(Question { who, by, method, message });
        for list in ["ComplaintService/ListComplaints", "ComplaintService/ListEscalations"] {
            add(list, Vec::new());
        }
        add("CentreService/ListMeetingPoints", Vec::new());
        add("NoticeService/ListNotices", Vec::new());
        add("NoticeService/GetNoticeCounts", Vec::new());
        add("ComplaintService/GetComplaint", named(&bureau.of_large));
    }
    for (who, by) in [police[0], police[1]] {
        let mut add = |method, message| all.push(Question { who, by, method, message });
        add("ComplaintService/ListStuckTransfers", Vec::new());
        add("ComplaintService/ListSimilarComplaints", named(&bureau.of_small));
    }
    let unit = bureau.district.clone();
    let message = pb::ListMeetingPointsRequest { unit, ..Default::default() }.encode_to_vec();
    let (who, by) = police[0];
    all.push(Question { who, by, method: "CentreService/ListMeetingPoints", message });
    let (who, by) = ("inspector of a district", inspector);
    let method = "ConductReportService/ListConductReports";
    all.push(Question { who, by, method, message: Vec::new() });
    for (who, by) in [police[1], police[3], police[4]] {
        let method = "EvaluationService/GetServiceFigures";
        all.push(Question { who, by, method, message: figures(bureau) });
    }
    for (who, by) in [("large enterprise", &bureau.large), ("small enterprise", &bureau.small)] {
        let method = "ComplaintService/ListComplaints";
        all.push(Question { who, by, method, message: Vec::new() });
    }
    all
}

/// The figures of a month.
fn figures(bureau: &Bureau) -> Vec<u8> {
    let until = bureau.parts.clock.now().as_second() - 30 * 86_400;
    let stamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let request = pb::GetServiceFiguresRequest {
        from_time: stamp(until - 30 * 86_400),
        until_time: stamp(until),
        grouping: pb::get_service_figures_request::Grouping::Unit.into(),
    };
    request.encode_to_vec()
}

async fn measure(questions: &[Question<'_>], channels: &[Channel; 2], calls: usize) -> Result<()> {
    println!(
        "| read | who asks | without, ms | with, ms | ratio | by chance | within 5 % |\n|---|---|---|---|---|---|---|"
    );
    let mut missed = 0;
    for question in questions {
        let taken = by_turns(channels, question, calls).await?;
        let ratio = taken.with / taken.without;
        let within = (ratio - 1.0).abs() <= GOAL;
        missed += usize::from(!within);
        println!(
            "| {} | {} | {:.3} | {:.3} | {ratio:.3} | {:.3} | {} |",
            question.method,
            question.who,
            taken.without,
            taken.with,
            taken.again / taken.without,
            if within { "yes" } else { "NO" },
        );
    }
    println!("\n{missed} reads miss the goal; medians of {calls} calls each.");
    Ok(())
}

/// Without, with, without again; the first of a turn changes, since a pause warms nothing up.
async fn by_turns(
    [without, with]: &[Channel; 2],
    question: &Question<'_>,
    calls: usize,
) -> Result<Taken> {
    let mut clients = [without, with, without].map(|channel| Grpc::new(channel.clone()));
    let mut taken: [Vec<f64>; 3] = Default::default();
    for call in 0..calls + WARM_UP {
        for turn in 0..3 {
            let side = (call + turn) % 3;
            let (Some(client), Some(taken)) = (clients.get_mut(side), taken.get_mut(side)) else {
                continue;
            };
            let began = Instant::now();
            ask(client, question).await?;
            if call >= WARM_UP {
                taken.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
    }
    let [without, with, again] = taken.map(|mut taken| {
        taken.sort_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied().unwrap_or_default()
    });
    Ok(Taken { without, with, again })
}

/// Asks; a refusal is an answer, too, and takes its time.
async fn ask(client: &mut Grpc<Channel>, question: &Question<'_>) -> Result<()> {
    client.ready().await?;
    let path = format!("/jingqi.v1.{}", question.method).parse()?;
    let request = question.by.ask(question.message.clone());
    match client.unary(request, path, Raw).await {
        Err(status) if status.code() != tonic::Code::PermissionDenied => Err(status.into()),
        _ => Ok(()),
    }
}
