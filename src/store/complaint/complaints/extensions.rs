//! Extensions of a handling: asked for, decided, or ended with the handling.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    domain::common::extension::ExtensionState,
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx},
};

/// An extension that is asked for.
#[derive(Debug, Clone)]
pub struct Extension {
    /// Its id.
    pub id: Id<kind::ComplaintExtension>,
    /// Of which complaint.
    pub complaint: Id<kind::Complaint>,
    /// In which round of its handling.
    pub round: i32,
    /// How many working days.
    pub days: i32,
    /// Why.
    pub reason: String,
    /// By which rule.
    pub basis: String,
    /// Where it stands.
    pub state: ExtensionState,
    /// Who asked.
    pub officer: Id<kind::Officer>,
    /// What was said about it.
    pub note: String,
    /// When it was asked for.
    pub create_time: Timestamp,
}

/// Asks for an extension.
///
/// # Errors
/// `EXTENSION_SPENT` when one is being decided or was granted for this handling.
pub async fn ask(tx: &mut Tx, extension: &Extension) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into complaint_extension (id, complaint_id, days, reason, basis, state, officer_id,
            create_time, round)
         values ($1, $2, $3, $4, $5, 'REQUESTED', $6, $7, $8)",
        extension.id.uuid(),
        extension.complaint.uuid(),
        extension.days,
        extension.reason,
        extension.basis,
        extension.officer.uuid(),
        now.to_sqlx(),
        extension.round
    )
    .execute(tx.conn())
    .await
    .on_constraint("complaint_extension_once", Reason::ExtensionSpent)?;
    Ok(())
}

/// The extensions of a complaint that the caller has read within the scope, oldest first.
pub async fn list(
    connection: &mut PgConnection,
    of: Id<kind::Complaint>,
) -> Result<Vec<Extension>> {
    let rows = sqlx::query!(
        "select id, complaint_id, round, days, reason, basis, state, officer_id, note, create_time
         from complaint_extension where complaint_id = $1 order by id",
        of.uuid()
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let state = ExtensionState::from_wire(&row.state);
        Ok(Extension {
            id: Id::of(row.id),
            complaint: Id::of(row.complaint_id),
            round: row.round,
            days: row.days,
            reason: row.reason,
            basis: row.basis,
            state: state.ok_or_else(|| Error::internal("a stored state"))?,
            officer: Id::of(row.officer_id),
            note: row.note,
            create_time: row.create_time.to_jiff(),
        })
    });
    rows.collect()
}

/// Decides an extension, once. False when it was decided before.
pub async fn decide(
    tx: &mut Tx,
    id: Id<kind::ComplaintExtension>,
    approved: bool,
    officer: Id<kind::Officer>,
    note: &str,
) -> Result<bool> {
    let now = tx.now();
    let decided = sqlx::query!(
        "update complaint_extension set state = $2, decider_id = $3, note = $4, decide_time = $5
         where id = $1 and state = 'REQUESTED'",
        id.uuid(),
        ExtensionState::decided(approved).wire(),
        officer.uuid(),
        note,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(decided.rows_affected() == 1)
}

/// Refuses what is asked for and not decided: the handling for which it was asked has ended.
pub async fn lapse(tx: &mut Tx, of: Id<kind::Complaint>, note: &str) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update complaint_extension set state = 'REFUSED', note = $2, decide_time = $3
         where complaint_id = $1 and state = 'REQUESTED'",
        of.uuid(),
        note,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
