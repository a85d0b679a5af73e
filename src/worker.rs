//! The loops beside the services: claim, run one, record; they stop on a signal. No call of a client
//! is answered here.

mod conduct_reports;
mod evaluations;
mod lapses;
mod outbox;
mod replies;
mod retention;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{context::Cx, error::Result, server::Parts};

/// How often each loop looks for work.
const OUTBOX_INTERVAL: Duration = Duration::from_secs(1);
const LAPSES_INTERVAL: Duration = Duration::from_secs(10);
const REPLIES_INTERVAL: Duration = Duration::from_secs(5);
/// Limits of days are not missed by a minute.
const CONDUCT_INTERVAL: Duration = Duration::from_mins(2);
const RETENTION_INTERVAL: Duration = Duration::from_mins(1);

/// What has work to do.
#[derive(Debug, Clone, Copy)]
enum Job {
    Outbox,
    Lapses,
    Replies,
    Evaluations,
    ConductReports,
    Retention,
}

impl Job {
    const ALL: [Self; 6] = [
        Self::Outbox,
        Self::Lapses,
        Self::Replies,
        Self::Evaluations,
        Self::ConductReports,
        Self::Retention,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Lapses => "lapses",
            Self::Replies => "replies",
            Self::Evaluations => "evaluations",
            Self::ConductReports => "conduct-reports",
            Self::Retention => "retention",
        }
    }

    const fn interval(self) -> Duration {
        match self {
            Self::Outbox => OUTBOX_INTERVAL,
            Self::Lapses => LAPSES_INTERVAL,
            Self::Replies => REPLIES_INTERVAL,
            Self::Evaluations => LAPSES_INTERVAL,
            Self::ConductReports => CONDUCT_INTERVAL,
            Self::Retention => RETENTION_INTERVAL,
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

    /// Runs every loop until it is told to stop. A failure ends one round, never a loop.
    pub async fn run(self, stop: CancellationToken) {
        let loops = Job::ALL.map(|job| {
            let (worker, stop) = (self.clone(), stop.clone());
            tokio::spawn(async move { worker.repeat(job, stop).await })
        });
        for looping in loops {
            if let Err(error) = looping.await {
                tracing::error!(%error, "a loop ended");
            }
        }
    }

    async fn repeat(&self, job: Job, stop: CancellationToken) {
        loop {
            if let Err(error) = self.round(job).await {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(job = job.name(), %error, source, "a round failed");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(job.interval()) => {}
            }
        }
    }

    /// Does everything that is due now: what the tests call after they moved the clock.
    ///
    /// # Errors
    /// The first failure of a round.
    pub async fn run_once(&self) -> Result<()> {
        for job in Job::ALL {
            self.round(job).await?;
        }
        Ok(())
    }

    async fn round(&self, job: Job) -> Result<()> {
        match job {
            Job::Outbox => outbox::round(&self.parts, &|| self.cx(job)).await,
            Job::Lapses => lapses::round(&self.parts, &|| self.cx(job)).await,
            Job::Replies => replies::round(&self.parts, &|| self.cx(job)).await,
            Job::Evaluations => evaluations::round(&self.parts, &|| self.cx(job)).await,
            Job::ConductReports => conduct_reports::round(&self.parts, &|| self.cx(job)).await,
            Job::Retention => retention::round(&self.parts, &|| self.cx(job)).await,
        }
    }

    /// A context of a job, now.
    fn cx(&self, job: Job) -> Cx {
        Cx::job(job.name(), self.parts.clock.now(), self.parts.ids.clone())
    }
}
