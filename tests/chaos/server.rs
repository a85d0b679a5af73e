//! One `jingqi serve` as a child: started, asked whether it is ready, killed by its pid. What it
//! answers is not looked at here.

use std::{
    fs::OpenOptions,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use jingqi::surface::{clock::Ids, sandbox::wechat};
use tokio::{
    process::{Child, Command},
    time::Instant,
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::city::MASTER_KEY;

/// The program: the one that was built with this, or the one that is named.
pub fn program() -> PathBuf {
    std::env::var_os("JINGQI_PROGRAM")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_jingqi")), PathBuf::from)
}

/// The program with the settings of a run; everything else that is set outside is left out.
pub fn command(database_url: &str, redis_url: &str, folder: &Path) -> Command {
    command_of(&program(), database_url, redis_url, folder)
}

/// Another program with these settings.
pub fn command_of(program: &Path, database_url: &str, redis_url: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("JINGQI_") {
            command.env_remove(name);
        }
    }
    command
        .env("DATABASE_URL", database_url)
        .env("REDIS_URL", redis_url)
        .env("JINGQI_MASTER_KEY", MASTER_KEY)
        .env("JINGQI_ATTACHMENT_DIR", folder.join("attachments"))
        .env("JINGQI_WECHAT_APPID", wechat::APPID)
        .env("JINGQI_WECHAT_SECRET", wechat::SECRET)
        .env("JINGQI_LOG", "warn")
        .env("JINGQI_CONNECTIONS_PER_ADDRESS_MAX", "4096")
        // Floods are refused elsewhere; here everything that is sent must be kept.
        .env("JINGQI_LIMITS_FACTOR", "1000")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A free address below the range of outgoing connections, so that nobody takes it between two
/// starts.
pub fn free_address() -> Result<SocketAddr> {
    for _ in 0..50 {
        let port = 20_000 + u16::from_le_bytes(Ids::system().bytes()) % 10_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return Ok(listener.local_addr()?);
        }
    }
    bail!("no free port")
}

/// A connection to a server, made when it is first used.
pub fn channel(address: SocketAddr) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(Duration::from_secs(2)).connect_lazy())
}

/// A server and how to start it again.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts one; what it logs is added to the file.
    pub fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let address = free_address()?;
        command.arg("serve").env("JINGQI_LISTEN", address.to_string());
        let mut server = Self { address, command, log, child: None };
        server.launch()?;
        Ok(server)
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Fails when it has ended without having been killed.
    pub fn lives(&mut self) -> Result<()> {
        match self.child.as_mut().context("a server that was never started")?.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("a server ended by itself ({status}): {}", self.log.display()),
        }
    }

    /// kill -9, and waits until it is gone.
    pub async fn kill(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("a server that was never started")?;
        child.kill().await.context("a server that was to be killed")
    }

    /// Starts its process, where it listened before.
    pub fn launch(&mut self) -> Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.log)?;
        self.command.stdout(file.try_clone()?).stderr(file);
        self.child = Some(self.command.spawn().with_context(|| program().display().to_string())?);
        Ok(())
    }

    /// Waits until it is ready.
    pub async fn ready(&mut self, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        loop {
            self.lives()?;
            let mut health = HealthClient::new(channel(self.address)?);
            let asked = health.check(HealthCheckRequest::default());
            if let Ok(Ok(reply)) = tokio::time::timeout(Duration::from_secs(1), asked).await
                && reply.into_inner().status() == ServingStatus::Serving
            {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("a server is not ready within {within:?}: {}", self.log.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
