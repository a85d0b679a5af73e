//! Who owes what until when on a complaint: opened, paused, moved and met with the steps. Only a
//! return and an approved extension stop a handler's time (I19).

use jiff::Timestamp;

use crate::{
    context::Cx,
    domain::{
        calendar::{Calendar, Due, Limit},
        complaint::{Complaint, Rules},
        obligation::{Limits, ObligationKind, Pause, Times},
    },
    error::{Error, Flaw, Result},
    store::{
        Tx, complaint_policies,
        obligations::{self, Cause, Owed, Running},
    },
};

/// The rules in force for the complaint's category.
pub async fn rules(tx: &mut Tx, complaint: &Complaint) -> Result<Rules> {
    let now = tx.now();
    complaint_policies::in_force(tx.conn(), complaint.category, now).await
}

/// Opens what is owed from now on, within a limit.
pub async fn owe(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
    limit: Limit,
) -> Result<Due> {
    owe_within(tx, calendar, complaint, kind, Limits::new(None, Some(limit), None)).await
}

/// Opens the handling of a round, and says until when it is owed.
pub async fn owe_handling(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    limits: Result<Limits, Flaw>,
) -> Result<Option<Due>> {
    let kind = ObligationKind::HandleComplaint;
    owe_within(tx, calendar, complaint, kind, limits).await.map(Some)
}

async fn owe_within(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
    limits: Result<Limits, Flaw>,
) -> Result<Due> {
    // Rules are judged when they are published.
    let limits = limits.map_err(|flaw| Error::internal(flaw.wire()))?;
    let (subject, unit_path) = (complaint.id.subject(), owing_unit(complaint, kind));
    let owed = Owed::within(kind, subject, unit_path, limits, tx.now(), calendar)?;
    obligations::open(tx, &owed).await?;
    Ok(owed.times.governing())
}

/// Opens what is owed until an instant that somebody named.
pub async fn owe_until(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
    due: Due,
) -> Result<()> {
    let (subject, unit_path) = (complaint.id.subject(), owing_unit(complaint, kind));
    let owed = Owed::until(kind, subject, unit_path, due, tx.now(), calendar);
    obligations::open(tx, &owed).await
}

/// What the lead unit owes is seen there; everything else is owed by whoever is in charge.
fn owing_unit(complaint: &Complaint, kind: ObligationKind) -> String {
    let lead = complaint.lead.as_ref().map(|lead| &lead.path);
    let units = matches!(kind, ObligationKind::SignComplaint | ObligationKind::HandleComplaint);
    lead.filter(|_| units).unwrap_or(&complaint.unit_path).clone()
}

/// Lets the handling stand still while nobody has the complaint.
pub async fn pause(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    let kind = ObligationKind::HandleComplaint;
    match obligations::lock(tx, complaint.id.subject(), kind).await? {
        Some(running) => obligations::pause(tx, running.id).await,
        None => Ok(()),
    }
}

/// Lets the handling go on, and moves its due time by what was lost; absent when it did not stand
/// still.
pub async fn resume(
    tx: &mut Tx,
    cx: &Cx,
    calendar: &Calendar,
    complaint: &Complaint,
) -> Result<Option<Due>> {
    let kind = ObligationKind::HandleComplaint;
    let Some(running) = obligations::lock(tx, complaint.id.subject(), kind).await? else {
        return Ok(None);
    };
    if running.pause_time.is_none() {
        return Ok(None);
    }
    let times = counted(&running, running.extension_days, Some(cx.now), calendar)?;
    obligations::resume(tx, running.id).await?;
    let (days, version) = (running.extension_days, calendar.version());
    obligations::move_due(tx, &running, &times, Cause::Pause, days, version).await?;
    Ok(Some(times.governing()))
}

/// Moves the due time of the handling by an approved extension.
pub async fn extend(
    tx: &mut Tx,
    _: &Cx,
    calendar: &Calendar,
    complaint: &Complaint,
    days: i32,
) -> Result<Option<Due>> {
    let kind = ObligationKind::HandleComplaint;
    let Some(running) = obligations::lock(tx, complaint.id.subject(), kind).await? else {
        return Ok(None);
    };
    let days = running.extension_days.saturating_add(u32::try_from(days).unwrap_or_default());
    let times = counted(&running, days, None, calendar)?;
    let version = calendar.version();
    obligations::move_due(tx, &running, &times, Cause::Extension, days, version).await?;
    Ok(Some(times.governing()))
}

/// The due times by everything that happened: opening, limits, pauses, extension. A pause that lasts
/// ends where one is given, and does not count yet otherwise.
fn counted(
    running: &Running,
    days: u32,
    resumed: Option<Timestamp>,
    calendar: &Calendar,
) -> Result<Times> {
    let limits = running.limits.ok_or_else(|| Error::internal("a handling without a limit"))?;
    let ended = |pause: &Pause| Pause { until: pause.until.or(resumed), ..*pause };
    let pauses: Vec<_> = running.pauses.iter().map(ended).collect();
    Times::count(running.open_time, limits, &pauses, days, calendar)
}

/// Ends every clock: the complaint's life is over.
pub async fn end(tx: &mut Tx, calendar: &Calendar, complaint: &Complaint) -> Result<()> {
    obligations::void_all(tx, complaint.id.subject(), calendar).await
}

/// Meets what is owed.
pub async fn meet(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
) -> Result<()> {
    obligations::meet(tx, complaint.id.subject(), kind, calendar).await
}

/// Lets go what is owed: something else takes its place.
pub async fn void(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
) -> Result<()> {
    obligations::void(tx, complaint.id.subject(), kind, calendar).await
}

/// Takes the handling up again whose answer was refused: the same due time goes on, not a new one.
pub async fn reopen_handling(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    obligations::unmeet(tx, complaint.id.subject(), ObligationKind::HandleComplaint).await
}

/// Hands an open handling to the unit that leads now.
pub async fn hand_over(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    let Some(lead) = &complaint.lead else { return Ok(()) };
    let kind = ObligationKind::HandleComplaint;
    obligations::hand_to(tx, complaint.id.subject(), kind, &lead.path).await
}
