//! The benchmark of `CheckPass`: the whole check against a bare tonic service that does one Redis
//! GET, driven by the same generator in the same run. Never a timed test.
//!
//! `DATABASE_URL=... REDIS_URL=... cargo bench --bench check`; a database of its own is made on that
//! server and dropped again. `BENCH_SECONDS`, `BENCH_RUNS`, `BENCH_CONNECTIONS` and
//! `BENCH_IN_FLIGHT` change the load.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own: its peer answers bare, and it prints its table"
)]

mod city;
mod database;
mod load;
mod serving;

use std::{env, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result};
use jingqi::surface::service::pb::{
    self,
    pass_check_service_server::{PassCheckService, PassCheckServiceServer},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    city::City,
    load::{Load, Measured},
    serving::serve,
};

/// Passes of the city, and codes that are scanned again and again.
const PASSES: usize = 1_000;
/// Codes of the run in which no code comes twice: more than a run can use.
const FRESH_CODES_PER_SECOND: usize = 25_000;

/// The least that any service must do: one GET, a constant answer.
struct Bare {
    redis: redis::aio::ConnectionManager,
    answer: pb::PassCheck,
}

#[tonic::async_trait]
impl PassCheckService for Bare {
    async fn check_pass(
        &self,
        _: Request<pb::CheckPassRequest>,
    ) -> Result<Response<pb::PassCheck>, Status> {
        let mut redis = self.redis.clone();
        let found: Option<Vec<u8>> = redis::cmd("GET")
            .arg("jingqi-bench:bare")
            .query_async(&mut redis)
            .await
            .map_err(|error| Status::unavailable(error.to_string()))?;
        found.map(|_| Response::new(self.answer.clone())).ok_or_else(|| Status::not_found("gone"))
    }

    async fn record_check_action(
        &self,
        _: Request<pb::RecordCheckActionRequest>,
    ) -> Result<Response<pb::PassCheck>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_pass_checks(
        &self,
        _: Request<pb::ListPassChecksRequest>,
    ) -> Result<Response<pb::ListPassChecksResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_pass_key_list(
        &self,
        _: Request<pb::GetPassKeyListRequest>,
    ) -> Result<Response<pb::PassKeyList>, Status> {
        Err(Status::unimplemented(""))
    }
}

fn setting(name: &str, default: usize) -> Result<usize> {
    match env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} must be a number")),
        Err(_) => Ok(default),
    }
}

/// Serves the bare service, and says where.
fn serve_bare(runtime: &Runtime, redis_url: &str, answer: pb::PassCheck) -> Result<SocketAddr> {
    runtime.block_on(async {
        let client = redis::Client::open(redis_url)?;
        let mut redis = client.get_connection_manager().await?;
        // As many bytes as the facts of a plate have.
        redis::cmd("SET")
            .arg("jingqi-bench:bare")
            .arg(vec![b'x'; 900])
            .arg("EX")
            .arg(3_600)
            .exec_async(&mut redis)
            .await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let service = PassCheckServiceServer::new(Bare { redis, answer });
        let serving = Server::builder()
            .tcp_nodelay(true)
            .add_service(service)
            // The listener's own setting: the server's does not reach what it is handed.
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        tokio::spawn(serving);
        Ok(address)
    })
}

fn main() -> Result<()> {
    // `cargo test --benches` only looks whether it runs.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let database_url = env::var("DATABASE_URL").context("DATABASE_URL")?;
    let redis_url = env::var("REDIS_URL").context("REDIS_URL")?;
    let cores = std::thread::available_parallelism()?.get();
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(cores).enable_all().build();
    // Server and generator share the cores, never a scheduler.
    let (serving, driving) = (runtime()?, runtime()?);
    let city = serving.block_on(City::build(&database_url, &redis_url, PASSES))?;
    let outcome = measure(&city, &serving, &driving, &redis_url, cores);
    serving.shutdown_timeout(Duration::from_secs(2));
    driving.block_on(database::remove(&database_url, &city.database))?;
    outcome
}

/// What is measured, in the order of the columns.
const SERVICES: [&str; 3] = ["bare: one GET", "whole, codes repeat", "whole, every code new"];

fn measure(
    city: &City,
    serving: &Runtime,
    driving: &Runtime,
    redis_url: &str,
    cores: usize,
) -> Result<()> {
    let load = Load {
        connections: setting("BENCH_CONNECTIONS", 8)?,
        in_flight: setting("BENCH_IN_FLIGHT", 16)?,
        warm_up: Duration::from_secs(2),
        measure: Duration::from_secs(u64::try_from(setting("BENCH_SECONDS", 5)?)?),
    };
    let runs = setting("BENCH_RUNS", 3)?;
    let stop = CancellationToken::new();
    let whole = serve(serving, &city.parts, &stop)?;
    let token = serving.block_on(city.token())?;
    let sample = driving.block_on(load::one(whole, &token, city.code(0)?))?;
    anyhow::ensure!(sample.verdict() == pb::pass_check::Verdict::Valid, "no pass: {sample:?}");
    let bare = serve_bare(serving, redis_url, sample)?;

    let seconds = usize::try_from((load.warm_up + load.measure).as_secs())?;
    let mut results: [Vec<Measured>; 3] = Default::default();
    for _ in 0..runs {
        for (service, measured) in results.iter_mut().enumerate() {
            // Codes grow stale, so each run signs its own before it begins.
            let count = if service == 2 { seconds * FRESH_CODES_PER_SECOND } else { PASSES };
            let codes = city.codes(count, cores)?;
            let address = if service == 0 { bare } else { whole };
            measured.push(driving.block_on(load.run(address, &token, codes))?);
        }
    }
    let alone = Load { connections: 1, in_flight: 1, ..load.clone() };
    let mut idle = Vec::new();
    for service in 0..SERVICES.len() {
        let count = if service == 2 { seconds * FRESH_CODES_PER_SECOND } else { PASSES };
        let codes = city.codes(count, cores)?;
        let address = if service == 0 { bare } else { whole };
        idle.push(driving.block_on(alone.run(address, &token, codes))?);
    }
    let recorded = serving.block_on(city.recorded())?;
    stop.cancel();
    println!("{}", serving.block_on(city.settings(cores, &load, runs))?);
    report(&results, &idle, recorded);
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn report(results: &[Vec<Measured>; 3], idle: &[Measured], recorded: i64) {
    println!(
        "| service | calls/s min | median | max | of bare | p50 ms | p99 ms | alone p50 ms | alone p99 ms |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    let rates = |runs: &[Measured]| runs.iter().map(|run| run.calls_per_second).collect::<Vec<_>>();
    let bare = results.first().map(|runs| median(&rates(runs))).unwrap_or_default();
    for ((service, runs), alone) in SERVICES.iter().zip(results).zip(idle) {
        let rates = rates(runs);
        let at = |which: fn(&Measured) -> f64| median(&runs.iter().map(which).collect::<Vec<_>>());
        println!(
            "| {service} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
            rates.iter().copied().fold(f64::INFINITY, f64::min),
            median(&rates),
            rates.iter().copied().fold(0.0, f64::max),
            median(&rates) / bare,
            at(|run| run.p50_ms),
            at(|run| run.p99_ms),
            alone.p50_ms,
            alone.p99_ms,
        );
    }
    let whole = results.iter().skip(1).flatten().chain(idle.iter().skip(1));
    let calls: u64 = whole.map(|run| run.calls).sum();
    println!("\n{calls} checks of the whole were answered VALID; {recorded} records are durable.");
}
