//! A Redis of its own, and one that follows it: what fails over. Without persistence, as the product
//! wants it.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;

/// A process that is ended with this.
pub struct Second {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Second {
    /// Starts one; `None` where no such program is installed.
    pub async fn start() -> anyhow::Result<Option<Self>> {
        for program in ["redis-server", "valkey-server"] {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
            let port = address.port().to_string();
            let spawned = Command::new(program)
                .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                // Its replica gets everything over the wire, at once.
                .args(["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"])
                .args(["--dir", "/", "--logfile", "", "--daemonize", "no"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            let child = match spawned {
                Ok(child) => child,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let second = Self { address, child };
            second.connection().await?;
            return Ok(Some(second));
        }
        Ok(None)
    }

    /// Its address, as `REDIS_URL` names one.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// A connection, once it answers.
    pub async fn connection(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match client.get_multiplexed_async_connection().await {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() > until => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Follows another one, until it has everything that this one has.
    pub async fn follow(&self, master: &Self) -> anyhow::Result<()> {
        let (host, port) = (master.address.ip().to_string(), master.address.port());
        let mut connection = self.connection().await?;
        redis::cmd("REPLICAOF").arg(host).arg(port).exec_async(&mut connection).await?;
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let told: String =
                redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
            if told.contains("master_link_status:up") {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "a replica does not follow: {told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Follows nobody any more: what the other one is told from now on is lost here.
    pub async fn promote(&self) -> anyhow::Result<()> {
        let mut connection = self.connection().await?;
        redis::cmd("REPLICAOF").arg("NO").arg("ONE").exec_async(&mut connection).await?;
        Ok(())
    }
}
