//! Jingqi (警企通): parses the command line and starts what it names; nothing else.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::{CommandFactory as _, Parser, Subcommand};
use jingqi::surface::{
    address::Proxies,
    clock::{Clock, Ids},
    config::{self, RemoteSettings, ServeSettings, StoreSettings, TelemetrySettings},
    crypto::{Suite, VerifyingKey, unhex},
    domain::liaison::export,
    sandbox::{self, city, tour},
    server::{self, Doors},
    service::identity::organisation::founding::{Founder, Founding, found},
    store::{self, identity::signing_keys, pass::policies},
    telemetry,
    web::Origins,
    worker::Worker,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// 警企通: the services a city's police opens to its enterprises.
///
/// Every option is also an environment variable; nothing is read from files.
#[derive(Parser)]
#[command(version)]
struct Program {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answers calls: any number of equal servers behind a load balancer
    Serve {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        called: RemoteSettings,
        #[command(flatten)]
        serve: ServeSettings,
        #[command(flatten)]
        told: TelemetrySettings,
    },
    /// Does what nobody asks for: deliveries, lapses, retention; several may run
    Work {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        called: RemoteSettings,
        #[command(flatten)]
        told: TelemetrySettings,
    },
    /// Brings the schema up to date, and makes the keys that are missing, or soon will be, and the base
    /// policy
    Migrate {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        called: RemoteSettings,
    },
    /// Begins a bureau: its unit, and its first two administrators, who enrol by a code on their phones
    Found {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        called: RemoteSettings,
        /// The code of the city bureau: 12 digits
        #[arg(long)]
        code: String,
        /// Its name: 宿迁市公安局
        #[arg(long)]
        name: String,
        /// 系统管理员: number, name and phone, as in 200001,张伟,13900000001
        #[arg(long, value_parser = founder)]
        system_administrator: Founder,
        /// 安全管理员: another person, with another phone
        #[arg(long, value_parser = founder)]
        security_administrator: Founder,
    },
    /// Stands in for WeChat and the SMS gateway
    Sandbox {
        /// Where it listens
        #[arg(long, env = "JINGQI_SANDBOX_LISTEN", default_value = "127.0.0.1:50080")]
        listen: SocketAddr,
    },
    /// Succeeds when a server is ready
    Health {
        /// The server
        #[arg(long, env = "JINGQI_LISTEN", default_value = "127.0.0.1:50051")]
        address: String,
        /// Seconds to wait for it
        #[arg(long, default_value_t = 0)]
        wait: u32,
    },
    /// Plays the whole story of a truck pass against a running server
    Demo {
        #[command(subcommand)]
        part: Option<DemoPart>,
        #[command(flatten)]
        tour: tour::TourSettings,
    },
    /// Verifies a sealed export of a conversation, and names the first thing that was changed
    Verify {
        /// The export
        file: std::path::PathBuf,
        /// The public key that is trusted: 64 hexadecimal digits, of a RECORD key of the deployment
        #[arg(long)]
        key: String,
    },
    /// Prints a fresh master key
    Keygen,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "it lives once")]
enum DemoPart {
    /// Loads the demo city into the database; its passwords are public
    City {
        #[command(flatten)]
        kept: StoreSettings,
        #[command(flatten)]
        called: RemoteSettings,
    },
    /// Plays the direct line of an enterprise: scan, bind, ask, answer, hand over, close, rate
    Liaison,
    /// Plays the closed loop of a complaint: file, assign, answer, dissatisfied, again, close, figures
    Complaint,
    /// Prints the demo city's accounts as JSON
    Accounts,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let role = Program::parse().role;
    config::refuse_unknown(&Program::command(), std::env::vars_os().map(|(name, _)| name))?;
    match role {
        Role::Serve { kept, called, serve, told } => {
            run_server(&kept, &called, &serve, &told).await
        }
        Role::Work { kept, called, told } => {
            kept.check_links(Some(&told))?;
            called.check_secrets()?;
            let _flush = telemetry::start(&told)?;
            let parts = server::assemble(&kept, &called)?;
            Worker::new(parts).run(stopped()?).await;
            Ok(())
        }
        Role::Migrate { kept, called } => migrate(&kept, &called).await,
        Role::Found { kept, called, code, name, system_administrator, security_administrator } => {
            kept.check_links(None)?;
            called.check_secrets()?;
            let mut parts = server::assemble(&kept, &called)?;
            parts.store = parts.store.before_serving();
            let founding =
                Founding { code, display_name: name, system_administrator, security_administrator };
            found(&parts, founding).await?;
            say("the bureau stands; both administrators are sent a code when a worker runs");
            Ok(())
        }
        Role::Sandbox { listen } => {
            let clock = Clock::System;
            let stop = stopped()?;
            let now = std::sync::Arc::new(move || clock.now());
            Ok(sandbox::serve(listen, now, stop.cancelled_owned()).await?)
        }
        Role::Health { address, wait } => health(&address, wait).await,
        Role::Demo { part: None, tour } => tour::run(tour).await,
        Role::Demo { part: Some(DemoPart::Liaison), tour } => tour::run_liaison(tour).await,
        Role::Demo { part: Some(DemoPart::Complaint), tour } => tour::run_complaint(tour).await,
        Role::Demo { part: Some(DemoPart::City { kept, called }), .. } => {
            kept.check_links(None)?;
            let mut parts = server::assemble(&kept, &called)?;
            parts.store = parts.store.before_serving();
            let loaded = city::load(&parts).await?;
            say(if loaded { "demo city loaded" } else { "demo city was loaded before" });
            Ok(())
        }
        Role::Demo { part: Some(DemoPart::Accounts), .. } => {
            say(&city::accounts().to_string());
            Ok(())
        }
        Role::Verify { file, key } => verify(&file, &key),
        Role::Keygen => {
            let key: [u8; 32] = Ids::system().bytes();
            say(&key.map(|byte| format!("{byte:02x}")).concat());
            Ok(())
        }
    }
}

async fn run_server(
    kept: &StoreSettings,
    called: &RemoteSettings,
    serve: &ServeSettings,
    told: &TelemetrySettings,
) -> anyhow::Result<()> {
    kept.check_links(Some(told))?;
    called.check_secrets()?;
    let _flush = telemetry::start(told)?;
    let parts = server::assemble(kept, called)?;
    if !serve.allow_loss {
        // I13: a server that says OK must be able to mean it. An absent database is waited for.
        match parts.store.durable().await {
            Ok(durable) => ensure!(
                durable,
                "PostgreSQL may lose commits: fsync, full_page_writes and synchronous_commit must \
                 be on (JINGQI_ALLOW_LOSS=true serves all the same, for tests)"
            ),
            Err(error) => tracing::warn!(%error, "PostgreSQL is away; serving when it comes"),
        }
    }
    let listener = TcpListener::bind(serve.listen)
        .await
        .with_context(|| format!("JINGQI_LISTEN={}", serve.listen))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let mut doors = Doors::new(listener);
    if !serve.web_listen.is_empty() {
        let listener = TcpListener::bind(&serve.web_listen)
            .await
            .with_context(|| format!("JINGQI_WEB_LISTEN={}", serve.web_listen))?;
        tracing::info!(address = %listener.local_addr()?, "serving here, too");
        doors.web = Some(listener);
    }
    doors.doorway.connections_per_address_max = serve.connections_per_address_max;
    doors.doorway.unproven_per_address_max = serve.connections_per_address_max.div_ceil(4);
    doors.line.frames_max = doors.line.frames_max.saturating_mul(kept.limits_factor);
    doors.proxies = Proxies::parse(&serve.trusted_proxies)
        .map_err(|wrong| anyhow::anyhow!("JINGQI_TRUSTED_PROXIES: no network: {wrong}"))?;
    doors.origins = Origins::parse(&serve.cors_origins)
        .map_err(|wrong| anyhow::anyhow!("JINGQI_CORS_ORIGINS: no origin: {wrong}"))?;
    doors.reflection = serve.reflection;
    server::run(parts, doors, stopped()?).await
}

async fn migrate(kept: &StoreSettings, called: &RemoteSettings) -> anyhow::Result<()> {
    kept.check_links(None)?;
    store::migrate(kept.database_url.reveal()).await?;
    let parts = server::assemble(kept, called)?;
    let now = parts.clock.now();
    signing_keys::ensure(&parts.store, now, &parts.ids).await?;
    policies::ensure_base(&parts.store, now, &parts.ids).await?;
    Ok(())
}

fn founder(text: &str) -> Result<Founder, String> {
    let mut parts = text.split([',', ',']).map(|part| part.trim().to_owned());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(police_number), Some(full_name), Some(phone), None) => {
            Ok(Founder { police_number, full_name, phone })
        }
        _ => Err("number, name and phone, with commas between".to_owned()),
    }
}

fn verify(file: &std::path::Path, key: &str) -> anyhow::Result<()> {
    let document = std::fs::read(file).with_context(|| file.display().to_string())?;
    let key = unhex(key).context("--key: 64 hexadecimal digits")?;
    let key = VerifyingKey::from_bytes(Suite::Intl, &key)?;
    match export::verify(&document, &key) {
        Ok(found) => {
            let (head, messages) = (found.head, found.messages);
            say(&format!("完好:{} 共 {messages} 条消息", head.conversation));
            say(&format!("导出人 {},理由:{},{}", head.exported_by, head.reason, head.export_time));
            Ok(())
        }
        Err(broken) => bail!("已被改动:{broken}"),
    }
}

/// Cancelled by SIGTERM or SIGINT.
fn stopped() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancelled.cancel();
    });
    Ok(stop)
}

async fn health(address: &str, wait: u32) -> anyhow::Result<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    for attempt in 0..=wait.saturating_mul(10) {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut client = HealthClient::new(endpoint.connect_lazy());
        let asked = client.check(HealthCheckRequest::default()).await;
        if asked.is_ok_and(|reply| reply.into_inner().status() == ServingStatus::Serving) {
            return Ok(());
        }
    }
    bail!("{address} does not serve")
}

#[expect(clippy::print_stdout, reason = "a command answers on its standard output")]
fn say(line: &str) {
    println!("{line}");
}
