//! Takes away what may not be kept, in small steps that can be interrupted.

use jiff::{SignedDuration, Timestamp};

use crate::{context::Cx, error::Result, server::Parts, store::retention};

const DAY: i64 = 24;
/// I11: a repetition may come late; afterwards the answer is gone.
const ANSWERS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Delivered events serve no purpose after that.
const EVENTS: SignedDuration = SignedDuration::from_hours(30 * DAY);
/// Codes and challenges, once they are out of time.
const CODES: SignedDuration = SignedDuration::from_hours(DAY);
/// Never less than three years.
const THREE_YEARS: SignedDuration = SignedDuration::from_hours((3 * 365 + 1) * DAY);
/// What people were told, with its pushes: as long as what they write to each other (facts.md, 6.5:
/// chat). What led to it stays with its subject.
const NOTICES: SignedDuration = THREE_YEARS;
/// What other systems were told, with the log of the attempts: an access log, by the law six months at
/// least (Cybersecurity Law, article 21), kept as the others are (facts.md, 6.5).
const WEBHOOK_LOG: SignedDuration = THREE_YEARS;

/// Takes away everything that is over.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let before = |kept: SignedDuration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
    let mut connection = parts.store.read().await?;
    retention::answers(&mut connection, before(ANSWERS)).await?;
    retention::events(&mut connection, before(EVENTS)).await?;
    retention::codes(&mut connection, before(CODES)).await?;
    retention::notices(&mut connection, before(NOTICES)).await?;
    retention::webhook_log(&mut connection, before(WEBHOOK_LOG)).await
}
