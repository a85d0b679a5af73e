//! The private PostgreSQL and Redis of the run, by `deploy/services`: started, killed by pid, started
//! again, taken away. No lock file of theirs is ever touched.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// The name of the instance: PostgreSQL is durable in every one but `test`.
const INSTANCE: &str = "chaos";
/// How long a process that was killed may take to go, and a server to come back.
const GONE_WITHIN: Duration = Duration::from_secs(20);
const BACK_WITHIN: Duration = Duration::from_secs(90);

/// Both servers; they are stopped and their data is removed when this is dropped.
pub struct Services {
    instance: &'static str,
    /// Of the private PostgreSQL.
    pub database_url: String,
    /// Of the private Redis.
    pub redis_url: String,
}

/// `deploy/services`, with no server named in its environment.
fn services() -> Command {
    let mut command = Command::new(root().join("deploy/services"));
    command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    command
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where the run writes what it leaves.
pub fn folder() -> PathBuf {
    root().join(".local").join(INSTANCE)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", told.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Services {
    /// Begins with fresh data: what an earlier run left is removed.
    pub fn start() -> Result<Self> {
        Self::start_as(INSTANCE)
    }

    /// The same for a run of another name.
    pub fn start_as(instance: &'static str) -> Result<Self> {
        run(services().args(["stop", instance, "--purge"]))?;
        run(services().args(["start", instance]))?;
        let (database_url, redis_url) = addresses(instance)?;
        Ok(Self { instance, database_url, redis_url })
    }

    /// Starts what does not run. A PostgreSQL whose orphans still live refuses to start; they end by
    /// themselves, so it is asked again.
    pub fn start_again(&self) -> Result<()> {
        let until = Instant::now() + BACK_WITHIN;
        loop {
            match run(services().args(["start", self.instance])) {
                Ok(_) => break,
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
        let (database_url, redis_url) = addresses(self.instance)?;
        let same = database_url == self.database_url && redis_url == self.redis_url;
        ensure!(same, "a stranger took a port of the run");
        Ok(())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        // The run has said what it found; what is left over is told, and no more.
        if let Err(error) = run(services().args(["stop", self.instance, "--purge"])) {
            eprintln!("the services of the run are still there: {error:#}");
        }
    }
}

/// The process of PostgreSQL's postmaster, or of Redis.
pub fn pid(name: &str) -> Result<u32> {
    // It fails when the other one does not run; what it says is right all the same.
    let output = services().args(["status", INSTANCE]).output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = told.lines().find(|line| line.starts_with(name));
    let pid = line.and_then(|line| line.split_once(", process "));
    let digits = pid.map(|(_, rest)| rest.split(',').next().unwrap_or_default().trim());
    digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("{name}: {told}"))
}

/// What `env` prints, read by a shell.
fn addresses(instance: &str) -> Result<(String, String)> {
    let lines = run(services().args(["env", instance]))?;
    let script = format!("{lines}\nprintf '%s\\n%s\\n' \"$DATABASE_URL\" \"$REDIS_URL\"");
    let read = run(Command::new("bash").args(["-c", &script]))?;
    let (database_url, redis_url) = read.trim_end().split_once('\n').context("no addresses")?;
    Ok((database_url.to_owned(), redis_url.to_owned()))
}

/// Sends kill -9, and waits until the process is gone. PostgreSQL does not start while its number is taken,
/// be it by a process that only waits to be reaped. By a library: a bare machine has no program `kill`.
pub fn kill(pid: u32) -> Result<()> {
    let raw = i32::try_from(pid)?;
    let process = Pid::from_raw(raw).with_context(|| format!("no process has the number {pid}"))?;
    kill_process(process, Signal::KILL)?;
    let until = Instant::now() + GONE_WITHIN;
    while test_kill_process(process).is_ok() {
        if Instant::now() > until {
            bail!("process {pid} does not go away; is there an init that reaps it?");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
