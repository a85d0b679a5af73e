//! The server that is attacked, as a child, and an honest caller.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use jingqi::service::pb::{self, truck_pass_service_client::TruckPassServiceClient};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const MASTER_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";
const READY_WITHIN: Duration = Duration::from_secs(20);

fn command(url: &str, redis: &str) -> Command {
    let program = std::env::var_os("JINGQI_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_jingqi")), PathBuf::from);
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JINGQI_") {
            command.env_remove(name);
        }
    }
    let folder = std::env::temp_dir().join("jingqi-abuse");
    command
        .env("DATABASE_URL", url)
        .env("REDIS_URL", redis)
        .env("JINGQI_MASTER_KEY", MASTER_KEY)
        .env("JINGQI_ATTACHMENT_DIR", folder)
        .env("JINGQI_LOG", "error")
        .env("JINGQI_ALLOW_LOSS", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Makes the tables.
pub async fn migrate(url: &str, redis: &str) -> Result<()> {
    let migrated = command(url, redis).arg("migrate").output().await?;
    let told = String::from_utf8_lossy(&migrated.stderr);
    ensure!(migrated.status.success(), "migrate: {}", told.trim());
    Ok(())
}

/// A server that runs until this is dropped.
pub struct Served {
    pub grpc: SocketAddr,
    pub web: SocketAddr,
    child: Child,
}

impl Served {
    /// Starts one, and waits until it is ready.
    pub async fn start(url: &str, redis: &str) -> Result<Self> {
        let free = || -> Result<SocketAddr> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?) };
        let (grpc, web) = (free()?, free()?);
        let mut command = command(url, redis);
        command
            .arg("serve")
            .env("JINGQI_LISTEN", grpc.to_string())
            .env("JINGQI_WEB_LISTEN", web.to_string());
        let mut served = Self { grpc, web, child: command.spawn()? };
        let until = Instant::now() + READY_WITHIN;
        let endpoint = Endpoint::from_shared(format!("http://{grpc}"))?;
        loop {
            if let Some(status) = served.child.try_wait()? {
                bail!("the server ended by itself: {status}");
            }
            let mut health = HealthClient::new(endpoint.connect_lazy());
            if let Ok(reply) = health.check(HealthCheckRequest::default()).await
                && reply.into_inner().status == 1
            {
                return Ok(served);
            }
            ensure!(Instant::now() < until, "the server is not ready");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The memory that its process holds now.
    pub fn memory_kib(&self) -> Result<u64> {
        let pid = self.child.id().context("the server has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }
}

/// Somebody honest.
#[derive(Clone)]
pub struct Caller(TruckPassServiceClient<Channel>);

impl Caller {
    /// Connects when it first calls.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true);
        Ok(Self(TruckPassServiceClient::new(endpoint.connect_lazy())))
    }

    /// One call.
    pub async fn call(&mut self) -> Result<()> {
        self.0.list_zones(pb::ListZonesRequest::default()).await?;
        Ok(())
    }
}
