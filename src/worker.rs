//! The loops beside the services: claim, run one, record; they stop on a signal. No call of a client
//! is answered here.

mod accounts;
mod conduct;
mod evaluations;
mod keys;
mod lapses;
mod news;
mod notices;
mod obligations;
mod outbox;
mod replies;
mod retention;
mod webhooks;

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, global, metrics::Counter};
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    context::Cx,
    error::Result,
    parts::Parts,
    store::{common::outbox::Lane, duty::escalations},
};

/// How often each loop looks for work.
const OUTBOX_INTERVAL: Duration = Duration::from_secs(1);
const OBLIGATIONS_INTERVAL: Duration = Duration::from_secs(1);
const LAPSES_INTERVAL: Duration = Duration::from_secs(10);
const REPLIES_INTERVAL: Duration = Duration::from_secs(5);
/// Limits of days are not missed by a minute.
const CONDUCT_INTERVAL: Duration = Duration::from_mins(2);
const RETENTION_INTERVAL: Duration = Duration::from_mins(1);
/// A key is succeeded a week before its end: many rounds may fail.
const KEYS_INTERVAL: Duration = Duration::from_hours(1);

/// How long the rounds under way may take once the worker was told to stop. What is cut was not
/// committed, and is done by another one or after the next start.
const DRAIN: Duration = Duration::from_secs(8);

/// Rounds that failed, by job: a loop that never succeeds is seen here.
static FAILED: LazyLock<Counter<u64>> =
    LazyLock::new(|| global::meter("jingqi").u64_counter("jingqi.worker.failed").build());

/// What has work to do.
#[derive(Debug, Clone, Copy)]
enum Job {
    Accounts,
    Outbox,
    Obligations,
    Lapses,
    Replies,
    Evaluations,
    News,
    Releases,
    Notices,
    Webhooks,
    ConductReports,
    Retention,
    Keys,
}

impl Job {
    /// In this order a round does everything: what one tells, a later one delivers.
    const ALL: [Self; 13] = [
        Self::Accounts,
        Self::Outbox,
        Self::Obligations,
        Self::Lapses,
        Self::Replies,
        Self::Evaluations,
        Self::News,
        Self::Releases,
        Self::Notices,
        Self::Webhooks,
        Self::ConductReports,
        Self::Retention,
        Self::Keys,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Outbox => "outbox",
            Self::Obligations => escalations::SWEEP,
            Self::Lapses => "lapses",
            Self::Replies => "replies",
            Self::Evaluations => "evaluations",
            Self::News => "news",
            Self::Releases => "releases",
            Self::Notices => "notices",
            Self::Webhooks => "webhooks",
            Self::ConductReports => "conduct-reports",
            Self::Retention => "retention",
            Self::Keys => "keys",
        }
    }

    const fn interval(self) -> Duration {
        match self {
            Self::Outbox | Self::Notices | Self::Webhooks => OUTBOX_INTERVAL,
            Self::Obligations => OBLIGATIONS_INTERVAL,
            Self::Lapses | Self::Evaluations | Self::Releases | Self::Accounts => LAPSES_INTERVAL,
            Self::Replies | Self::News => REPLIES_INTERVAL,
            Self::ConductReports => CONDUCT_INTERVAL,
            Self::Retention => RETENTION_INTERVAL,
            Self::Keys => KEYS_INTERVAL,
        }
    }
}

/// Everything that happens without being asked for.
#[derive(Clone)]
pub struct Worker {
    parts: Parts,
}

impl Worker {
    /// The worker of these parts.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Runs every loop until it is told to stop, and a little longer for what is under way. A failure
    /// ends one round, never a loop.
    pub async fn run(self, stop: CancellationToken) {
        let mut loops = JoinSet::new();
        for job in Job::ALL {
            let (worker, stop) = (self.clone(), stop.clone());
            loops.spawn(async move {
                let round = || {
                    let (worker, stop) = (worker.clone(), stop.clone());
                    async move { worker.round(job, &stop).await }
                };
                repeat(job.name(), job.interval(), &stop, round).await;
            });
        }
        stop.cancelled().await;
        let all = async { while loops.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!("rounds under way were cut");
        }
    }

    /// Does everything that is due now: what the tests call after they moved the clock.
    ///
    /// # Errors
    /// The first failure of a round; it keeps no other from being done.
    pub async fn run_once(&self) -> Result<()> {
        let stop = CancellationToken::new();
        let mut done = Ok(());
        for job in Job::ALL {
            let round = self.round(job, &stop).await;
            done = done.and(round);
        }
        done
    }

    /// One round of the sweeper alone: what a simulation of many years runs at each of its moments.
    ///
    /// # Errors
    /// What failed.
    pub async fn sweep_once(&self) -> Result<()> {
        self.round(Job::Obligations, &CancellationToken::new()).await
    }

    async fn round(&self, job: Job, stop: &CancellationToken) -> Result<()> {
        self.parts.world.get(&self.parts.store).await?;
        // With a wrong clock everything is over, or nothing is: names, answers and applications would
        // be destroyed before their time. No beat either, so that somebody notices.
        self.parts.world.agrees(&self.parts.clock)?;
        let deliver = async |lane| outbox::round(&self.parts, lane, stop, &|| self.cx(job)).await;
        match job {
            Job::Accounts => accounts::round(&self.parts, &|| self.cx(job)).await,
            Job::Outbox => deliver(Lane::Prompt).await,
            Job::Obligations => obligations::round(&self.parts, &|| self.cx(job)).await,
            Job::Lapses => lapses::round(&self.parts, &|| self.cx(job)).await,
            Job::Replies => replies::round(&self.parts, &|| self.cx(job)).await,
            Job::Evaluations => evaluations::round(&self.parts, &|| self.cx(job)).await,
            Job::News => news::round(&self.parts, &|| self.cx(job)).await,
            Job::Releases => notices::release(&self.parts, &|| self.cx(job)).await,
            Job::Notices => deliver(Lane::Notices).await,
            Job::Webhooks => deliver(Lane::Webhooks).await,
            Job::ConductReports => conduct::round(&self.parts, &|| self.cx(job)).await,
            Job::Retention => retention::round(&self.parts, &|| self.cx(job)).await,
            Job::Keys => keys::round(&self.parts).await,
        }
    }

    /// A context of a job, now.
    fn cx(&self, job: Job) -> Cx {
        Cx::job(job.name(), self.parts.clock.now(), self.parts.ids.clone())
    }
}

/// Lets round follow round until it is told to stop. Each is a task of its own, so that one that panics
/// is a round that failed, and the next one comes.
async fn repeat<F>(
    job: &'static str,
    interval: Duration,
    stop: &CancellationToken,
    round: impl Fn() -> F,
) where
    F: Future<Output = Result<()>> + Send + 'static,
{
    loop {
        match AbortOnDropHandle::new(tokio::spawn(round())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                FAILED.add(1, &[KeyValue::new("job", job)]);
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(job, %error, source, "a round failed");
            }
            Err(error) => {
                FAILED.add(1, &[KeyValue::new("job", job)]);
                tracing::error!(job, %error, "a round panicked");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio_util::sync::CancellationToken;

    use super::repeat;
    use crate::error::Error;

    #[tokio::test]
    async fn a_round_that_panics_or_fails_is_followed_by_another() {
        let (rounds, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let round = || {
            let (rounds, stop) = (rounds.clone(), stop.clone());
            async move {
                match rounds.fetch_add(1, Ordering::Relaxed) {
                    0 => panic!("an overflow"),
                    1 => Err(Error::internal("away")),
                    _ => {
                        stop.cancel();
                        Ok(())
                    }
                }
            }
        };
        let loops = repeat("test", Duration::from_millis(1), &stop, round);
        tokio::time::timeout(Duration::from_secs(10), loops).await.expect("the loop goes on");
        assert_eq!(rounds.load(Ordering::Relaxed), 3);
    }
}
