//! The server that is attacked, as a child, its memory, and an honest caller. No attack.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use crate::control::CONTROL;
use anyhow::{Context as _, Result, bail, ensure};
use jingqi::surface::{
    sandbox::wechat,
    service::pb::{self, truck_pass_service_client::TruckPassServiceClient},
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const MASTER_KEY: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The product.
    Product,
    /// The same services without its limits (`control.rs`).
    Control,
}

/// The product as it was built.
pub fn program() -> PathBuf {
    std::env::var_os("JINGQI_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_jingqi")), PathBuf::from)
}

fn command(program: PathBuf, url: &str, redis: &str) -> Command {
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
        .env("JINGQI_WECHAT_APPID", wechat::APPID)
        .env("JINGQI_WECHAT_SECRET", wechat::SECRET)
        .env("JINGQI_LOG", "error")
        .env("JINGQI_ALLOW_LOSS", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Makes the tables.
pub async fn migrate(url: &str, redis: &str) -> Result<()> {
    let migrated = command(program(), url, redis).arg("migrate").output().await?;
    let told = String::from_utf8_lossy(&migrated.stderr);
    ensure!(migrated.status.success(), "migrate: {}", told.trim());
    Ok(())
}

/// A server that runs until this is dropped.
pub struct Served {
    pub grpc: SocketAddr,
    pub web: SocketAddr,
    said: PathBuf,
    child: Child,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.said);
    }
}

impl Served {
    /// Starts one, and waits until it is ready.
    pub async fn start(subject: Subject, url: &str, redis: &str) -> Result<Self> {
        let free = || -> Result<SocketAddr> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?) };
        let (grpc, web) = (free()?, free()?);
        let (program, word) = match subject {
            Subject::Product => (program(), "serve"),
            Subject::Control => (std::env::current_exe()?, CONTROL),
        };
        let mut command = command(program, url, redis);
        command
            .arg(word)
            .env("JINGQI_LISTEN", grpc.to_string())
            .env("JINGQI_WEB_LISTEN", web.to_string());
        // What it says goes to a file: a pipe that nobody reads would stop it.
        let said = std::env::temp_dir().join(format!("jingqi-abuse-{}.log", grpc.port()));
        command.stderr(fs::File::create(&said)?);
        let mut served = Self { grpc, web, said, child: command.spawn()? };
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
        self.status("VmRSS:")
    }

    /// The most that it has held since the last [`Self::forget_most`].
    pub fn most_memory_kib(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// proc(5), `clear_refs`: what it held until now counts no more as the most.
    pub fn forget_most(&self) -> Result<()> {
        fs::write(self.proc("clear_refs")?, "5").context("the peak of memory cannot be reset")
    }

    /// Whether anything in it panicked: a call that fails by that is not seen by others.
    pub fn panicked(&self) -> Result<bool> {
        Ok(fs::read_to_string(&self.said)?.contains("panicked at"))
    }

    fn proc(&self, file: &str) -> Result<String> {
        Ok(format!("/proc/{}/{file}", self.child.id().context("the server has ended")?))
    }

    fn status(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(self.proc("status")?)?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.with_context(|| format!("no {field}"))?.parse()?)
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

    /// One call; how it failed, if it did.
    pub async fn call(&mut self) -> Option<Code> {
        self.0.list_zones(pb::ListZonesRequest::default()).await.err().map(|status| status.code())
    }
}
