//! Who owes what until when on a complaint: opened, paused, moved and met with the steps. Only a
//! return and an approved extension stop a handler's time (I19).

use crate::{
    context::Cx,
    domain::{
        calendar::{Calendar, Due, Limit},
        complaint::{Complaint, Rules, rules},
        obligation::{Limits, Obligation, ObligationKind, Which},
    },
    error::{Error, Result},
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
    let due = calendar.due(tx.now(), limit)?;
    open(tx, calendar, complaint, kind, due, rules::limit_text(limit)).await?;
    Ok(due)
}

/// Opens what is owed until an instant that somebody named.
pub async fn owe_until(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
    due: Due,
) -> Result<()> {
    open(tx, calendar, complaint, kind, due, String::new()).await
}

async fn open(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    kind: ObligationKind,
    due: Due,
    limit: String,
) -> Result<()> {
    let lead = complaint.lead.as_ref().map(|lead| &lead.path);
    let units = matches!(kind, ObligationKind::SignComplaint | ObligationKind::HandleComplaint);
    // What the lead unit owes is seen there; everything else is owed by whoever is in charge.
    let unit_path = lead.filter(|_| units).unwrap_or(&complaint.unit_path).clone();
    let owed = Owed {
        kind,
        subject: complaint.id.subject(),
        unit_path,
        due: due.at,
        calendar_version: calendar.version().to_owned(),
        limit,
        provisional: due.provisional,
    };
    obligations::open(tx, &owed).await
}

/// Opens the handling of a round, and says until when it is owed.
pub async fn owe_handling(
    tx: &mut Tx,
    calendar: &Calendar,
    complaint: &Complaint,
    limit: Limit,
) -> Result<Option<Due>> {
    owe(tx, calendar, complaint, ObligationKind::HandleComplaint, limit).await.map(Some)
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
    let due = counted(&running, running.extension_days, cx, calendar)?;
    obligations::resume(tx, running.id).await?;
    let (days, version) = (running.extension_days, calendar.version());
    obligations::move_due(tx, &running, due, Cause::Pause, days, version).await?;
    Ok(Some(due))
}

/// Moves the due time of the handling by an approved extension.
pub async fn extend(
    tx: &mut Tx,
    cx: &Cx,
    calendar: &Calendar,
    complaint: &Complaint,
    days: i32,
) -> Result<Option<Due>> {
    let kind = ObligationKind::HandleComplaint;
    let Some(running) = obligations::lock(tx, complaint.id.subject(), kind).await? else {
        return Ok(None);
    };
    let days = running.extension_days.saturating_add(u32::try_from(days).unwrap_or_default());
    let due = counted(&running, days, cx, calendar)?;
    let version = calendar.version();
    obligations::move_due(tx, &running, due, Cause::Extension, days, version).await?;
    Ok(Some(due))
}

/// The due time by everything that happened: opening, limit, pauses, extension.
fn counted(running: &Running, days: u32, cx: &Cx, calendar: &Calendar) -> Result<Due> {
    let limit = rules::limit(&running.limit).map_err(|flaw| Error::internal(flaw.wire()))?;
    let limits = Limits::new(None, Some(limit), None);
    let obligation = Obligation {
        kind: ObligationKind::HandleComplaint,
        opened: running.open_time,
        limits: limits.map_err(|flaw| Error::internal(flaw.wire()))?,
        pauses: running.pauses.clone(),
        met: None,
    };
    calendar.counted(|calendar| {
        let due = obligation.due(Which::Promised, cx.now, calendar)?;
        let due = due.ok_or_else(|| Error::internal("a limit was promised"))?;
        rules::extended(calendar, due, days)
    })
}

/// Ends every clock: the complaint's life is over.
pub async fn end(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    obligations::void_all(tx, complaint.id.subject()).await
}

/// Meets what is owed.
pub async fn meet(tx: &mut Tx, complaint: &Complaint, kind: ObligationKind) -> Result<()> {
    obligations::meet(tx, complaint.id.subject(), kind).await
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
