//! Who owes what until when on an application: taking it in, and deciding it (measure 6). Opened, paused,
//! moved and met with the step that causes it, wherever the step was taken. Only a correction stops the
//! time (I19), and an acceptance does not begin it again.

use crate::{
    domain::{
        application::{Application, ApplicationState},
        calendar::Calendar,
        lifecycle::Change,
        obligation::{Limits, ObligationKind, Pause, Times, acceptance_limits},
    },
    error::{Error, Result},
    store::{
        Tx, calendars,
        obligations::{self, Cause, Owed},
        policies,
    },
};

const ACCEPT: ObligationKind = ObligationKind::AcceptPassApplication;
const DECIDE: ObligationKind = ObligationKind::DecidePassApplication;

/// Does what follows from a step; a remark leaves everything as it is.
pub(super) async fn follow(tx: &mut Tx, after: &Application, change: &Change) -> Result<()> {
    if change.from() == change.to() {
        return Ok(());
    }
    let calendar = calendars::in_force(tx.conn()).await?;
    let subject = after.id.subject();
    match after.state() {
        ApplicationState::Draft | ApplicationState::FirstReview | ApplicationState::FinalReview => {
        }
        ApplicationState::Submitted if after.accept_time.is_some() => {
            resume(tx, after, &calendar).await?;
        }
        ApplicationState::Submitted => {
            open(tx, after, ACCEPT, acceptance_limits(), &calendar).await?;
        }
        ApplicationState::Accepted => {
            obligations::meet(tx, subject, ACCEPT, &calendar).await?;
            let limits = decision_limits(tx, after).await?;
            open(tx, after, DECIDE, limits, &calendar).await?;
        }
        ApplicationState::NeedsCorrection => {
            // Who says everything that is missing has answered what was handed in.
            obligations::meet(tx, subject, ACCEPT, &calendar).await?;
            if let Some(running) = obligations::lock(tx, subject, DECIDE).await? {
                obligations::pause(tx, running.id).await?;
            }
        }
        ApplicationState::NotAccepted | ApplicationState::Approved | ApplicationState::Rejected => {
            obligations::meet(tx, subject, ACCEPT, &calendar).await?;
            obligations::meet(tx, subject, DECIDE, &calendar).await?;
            obligations::void_all(tx, subject, &calendar).await?;
        }
        ApplicationState::Withdrawn | ApplicationState::Lapsed => {
            obligations::void_all(tx, subject, &calendar).await?;
        }
    }
    Ok(())
}

async fn open(
    tx: &mut Tx,
    application: &Application,
    kind: ObligationKind,
    limits: Limits,
    calendar: &Calendar,
) -> Result<()> {
    let (subject, unit_path) = (application.id.subject(), application.unit_path.clone());
    let owed = Owed::within(kind, subject, unit_path, limits, tx.now(), calendar)?;
    obligations::open(tx, &owed).await
}

/// The limits that the policy in force promises; they stay those of this application.
async fn decision_limits(tx: &mut Tx, application: &Application) -> Result<Limits> {
    let now = tx.now();
    let values = policies::values_at(tx.conn(), now).await?;
    Ok(application.decision_limits(&values))
}

/// The corrected application is handed in: the decision is due later by what the correction took.
async fn resume(tx: &mut Tx, application: &Application, calendar: &Calendar) -> Result<()> {
    let subject = application.id.subject();
    let Some(running) = obligations::lock(tx, subject, DECIDE).await? else { return Ok(()) };
    if running.pause_time.is_none() {
        return Ok(());
    }
    let limits = running.limits.ok_or_else(|| Error::internal("a decision without a limit"))?;
    let now = tx.now();
    let ended = |pause: &Pause| Pause { until: pause.until.or(Some(now)), ..*pause };
    let pauses: Vec<_> = running.pauses.iter().map(ended).collect();
    let days = running.extension_days;
    let times = Times::count(running.open_time, limits, &pauses, days, calendar)?;
    obligations::resume(tx, running.id).await?;
    obligations::move_due(tx, &running, &times, Cause::Pause, days, calendar.version()).await
}
