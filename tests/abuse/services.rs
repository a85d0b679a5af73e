//! PostgreSQL and Redis of the run's own, by `deploy/services`, where none is named.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

const INSTANCE: &str = "abuse";

/// The servers of the run; those that it started are stopped when this is dropped.
pub struct Services {
    pub database_url: String,
    pub redis_url: String,
    own: bool,
}

impl Services {
    /// Those that the environment names, or new ones.
    pub fn find() -> Result<Self> {
        if let Ok(database_url) = env::var("DATABASE_URL") {
            let redis_url = env::var("REDIS_URL").unwrap_or_default();
            return Ok(Self { database_url, redis_url, own: false });
        }
        ask(&["start", INSTANCE])?;
        let lines = ask(&["env", INSTANCE])?;
        let script = format!("{lines}\nprintf '%s\\n%s\\n' \"$DATABASE_URL\" \"$REDIS_URL\"");
        let read = run(Command::new("bash").args(["-c", &script]))?;
        let (database_url, redis_url) = read.trim_end().split_once('\n').context("no addresses")?;
        Ok(Self {
            database_url: database_url.to_owned(),
            redis_url: redis_url.to_owned(),
            own: true,
        })
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if self.own
            && let Err(error) = ask(&["stop", INSTANCE, "--purge"])
        {
            eprintln!("the services of the run are still there: {error:#}");
        }
    }
}

fn ask(words: &[&str]) -> Result<String> {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/services");
    run(Command::new(program).env_remove("DATABASE_URL").env_remove("REDIS_URL").args(words))
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", told.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
