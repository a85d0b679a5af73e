//! Four short scenes, each of which goes wrong where one part of the protocol is missing, and only there.
//! They are played by servers that lack it, as controls of the run, and by those of the product.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use redis::aio::MultiplexedConnection;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

use crate::{
    calls::{Act, Calls, PATIENCE, Plan},
    people::FIRST_ETAG,
    stage::Stage,
};

/// Who writes, and who reads.
const WRITER: usize = 0;
const READER: usize = 1;
/// How often a control is played at most: a scene depends on some milliseconds.
const TIMES_MAX: usize = 10;
/// How long something may take that has to come about.
const WITHIN: Duration = Duration::from_secs(20);
/// How long a reader may take to leave its mark.
const MARKED_WITHIN: Duration = Duration::from_millis(800);

/// A scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// Whoever withdraws a key waits; its twin is answered elsewhere.
    Twins,
    /// A server is stopped, the epoch is raised, somebody commits in it, the server goes on.
    Stopped,
    /// The Redis that is promoted lacks the last fence.
    FailedOver,
    /// A fence of long ago arrives after Redis lost the entry, and a slow reader fills.
    LateFence,
}

impl Scene {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Twins, Self::Stopped, Self::FailedOver, Self::LateFence];

    /// The part that it is about, as `--without` names it.
    pub const fn part(self) -> &'static str {
        match self {
            Self::Twins => "settled-answers",
            Self::Stopped => "calm",
            Self::FailedOver => "identity",
            Self::LateFence => "own-mark",
        }
    }

    /// What servers without it do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Twins => "a stored answer is told before it is settled",
            Self::Stopped => "nobody waits in an epoch that was just raised",
            Self::FailedOver => "any Redis behind the address is trusted",
            Self::LateFence => "a fence may be filled by any reader",
        }
    }

    /// Plays it once, with passes and keys that nobody has touched.
    pub async fn play(self, stage: &Stage, calls: &Calls) -> Result<()> {
        match self {
            Self::Twins => twins(calls).await,
            Self::Stopped => stopped(stage, calls).await,
            Self::FailedOver => failed_over(stage, calls).await,
            Self::LateFence => late_fence(stage, calls).await,
        }
    }
}

fn pass(calls: &Calls) -> Result<usize> {
    calls.city.fresh_pass().context("no passes are left")
}

const fn plan(first: usize, twin: usize) -> Plan {
    Plan { first, twin, gap: Duration::from_millis(10), patience: PATIENCE }
}

async fn suspend(calls: &Calls, pass: usize, plan: Plan) -> Result<String> {
    calls.change(pass, Act::Suspend, FIRST_ETAG, plan).await
}

/// Checks until the answer comes out of Redis.
async fn cached(calls: &Calls, server: usize, pass: usize) -> Result<()> {
    let until = Instant::now() + WITHIN;
    while !calls.check(server, pass, PATIENCE).await?.is_some_and(|check| check.cached) {
        ensure!(Instant::now() < until, "nothing comes out of Redis at server {server}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn checks(calls: &Calls, server: usize, pass: usize, times: u32) -> Result<()> {
    for _ in 0..times {
        calls.check(server, pass, PATIENCE).await?;
    }
    Ok(())
}

async fn twins(calls: &Calls) -> Result<()> {
    let key = calls.city.fresh_key().context("no keys are left")?;
    cached(calls, READER, key).await?;
    calls.change(key, Act::RevokeKey, "", plan(WRITER, READER)).await?;
    checks(calls, READER, key, 10).await
}

async fn stopped(stage: &Stage, calls: &Calls) -> Result<()> {
    let (one, untouched) = (pass(calls)?, pass(calls)?);
    cached(calls, READER, one).await?;
    stage.stop(READER)?;
    raised(stage, calls, untouched).await?;
    suspend(calls, one, plan(WRITER, WRITER)).await?;
    // They are sent while it stands still, and are the first that it sees.
    let asked = (0..8).map(|_| calls.check(READER, one, PATIENCE));
    let (asked, continued) = tokio::join!(try_join_all(asked), async {
        sleep(Duration::from_millis(5)).await;
        stage.go_on(READER)
    });
    asked?;
    continued
}

/// Raises the epoch as a server does that cannot reach Redis, and still waits; returns when the writer has
/// seen it and trusts Redis in it.
async fn raised(stage: &Stage, calls: &Calls, untouched: usize) -> Result<()> {
    let mut database = stage.database().await?;
    let epoch: String = sqlx::query_scalar(
        "update cache_epoch set token = new_epoch(), fresh = true returning encode(token, 'hex')",
    )
    .fetch_one(&mut database)
    .await?;
    let mut redis = stage.redis().await?;
    let until = Instant::now() + WITHIN;
    loop {
        calls.check(WRITER, untouched, PATIENCE).await?;
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("*{epoch}*")).query_async(&mut redis).await?;
        if !keys.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < until, "nobody sees that the epoch was raised");
        sleep(Duration::from_millis(2)).await;
    }
}

async fn failed_over(stage: &Stage, calls: &Calls) -> Result<()> {
    let pass = pass(calls)?;
    cached(calls, WRITER, pass).await?;
    cached(calls, READER, pass).await?;
    stage.separate().await?;
    suspend(calls, pass, plan(WRITER, READER)).await?;
    stage.fail_over(Duration::ZERO).await?;
    for _ in 0..25 {
        checks(calls, READER, pass, 1).await?;
        checks(calls, WRITER, pass, 1).await?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn late_fence(stage: &Stage, calls: &Calls) -> Result<()> {
    let pass = pass(calls)?;
    let etag = suspend(calls, pass, plan(WRITER, WRITER)).await?;
    let etag = calls.change(pass, Act::Resume, &etag, plan(WRITER, WRITER)).await?;
    cached(calls, READER, pass).await?;
    let plate = format!("plate:{}", calls.city.subjects.get(pass).context("a pass")?.plate);
    let (mut redis, mut database) = (stage.redis().await?, stage.database().await?);
    let version: i64 = sqlx::query_scalar("select version from standing where key = $1")
        .bind(&plate)
        .fetch_one(&mut database)
        .await?;
    stage.flush().await?;
    // A reader leaves its mark, reads the facts of now, and is about to fill.
    sql(&mut database, "begin").await?;
    sql(&mut database, "lock table truck_pass in access exclusive mode").await?;
    let reading = calls.check(READER, pass, PATIENCE);
    let holding = async {
        let key = marked(&mut redis, &plate).await;
        // The reader has to be told that it left it.
        sleep(Duration::from_millis(20)).await;
        stage.way(READER)?.cut();
        sql(&mut database, "commit").await?;
        key
    };
    let (read, key) = tokio::join!(reading, holding);
    read?;
    let Some(key) = key? else {
        stage.way(READER)?.heal();
        return Ok(());
    };
    calls.change(pass, Act::Suspend, &etag, plan(WRITER, WRITER)).await?;
    // Redis loses everything, and gets a fence of whoever wrote the facts that the reader has read. By hand:
    // nobody can be made to be as late as that.
    stage.flush().await?;
    let fence = [b"F", &version.to_be_bytes()[..]].concat();
    redis::cmd("SET").arg(key).arg(fence).exec_async(&mut redis).await?;
    stage.way(READER)?.heal();
    sleep(Duration::from_millis(50)).await;
    checks(calls, WRITER, pass, 10).await?;
    checks(calls, READER, pass, 10).await
}

async fn sql(connection: &mut PgConnection, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

/// The key of the plate, once a reader's mark stands there; `None` where it found Redis too slow to be asked.
async fn marked(redis: &mut MultiplexedConnection, plate: &str) -> Result<Option<String>> {
    let until = Instant::now() + MARKED_WITHIN;
    while Instant::now() < until {
        let keys: Vec<String> =
            redis::cmd("KEYS").arg(format!("*:{plate}")).query_async(redis).await?;
        if let [key] = &keys[..] {
            return Ok(Some(key.clone()));
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(None)
}

/// What a control showed.
#[derive(Debug)]
pub struct Shown {
    /// The scene.
    pub scene: Scene,
    /// How often it was played.
    pub played: usize,
    /// Checks that could have been a stale VALID.
    pub at_risk: usize,
    /// Those that were.
    pub stale: usize,
}

/// Plays the scene by servers that lack what it is about, until it goes wrong.
pub async fn control(scene: Scene, stage: &Stage, calls: &Calls) -> Result<Shown> {
    let mut played = 0;
    loop {
        scene.play(stage, calls).await?;
        played += 1;
        let judged = calls.record.judge();
        let (at_risk, stale) = (judged.at_risk, judged.stale.len());
        if stale > 0 || played == TIMES_MAX {
            return Ok(Shown { scene, played, at_risk, stale });
        }
    }
}
