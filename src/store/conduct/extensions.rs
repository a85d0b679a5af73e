//! Extensions that investigators ask for. Whether one may be asked for is the domain's.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PURPOSE, sealed};
use crate::{
    domain::common::extension::ExtensionState,
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault},
};

/// An extension that was asked for and is not decided.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id.
    pub id: Uuid,
    /// How many days.
    pub days: i32,
    /// Why.
    pub reason: String,
}

/// Notes the request.
///
/// # Errors
/// `EXTENSION_SPENT` when one was granted, or is being decided.
pub async fn ask(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    officer: Id<kind::Officer>,
    days: i32,
    reason: &str,
) -> Result<()> {
    let (id, now, reason) = (tx.cx().ids().random(), tx.now(), sealed(tx, reason)?);
    sqlx::query!(
        "insert into conduct.extension (id, report_id, days, reason_sealed, officer_id, state,
            create_time)
         values ($1, $2, $3, $4, $5, 'REQUESTED', $6)",
        id,
        report.uuid(),
        days,
        reason,
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("extension_once", Reason::ExtensionSpent)?;
    Ok(())
}

/// The one that waits for a decision. The caller has read the report.
pub async fn find_asked(
    connection: &mut PgConnection,
    vault: &Vault,
    report: Id<kind::ConductReport>,
) -> Result<Option<Asked>> {
    let row = sqlx::query!(
        "select id, days, reason_sealed from conduct.extension
         where report_id = $1 and state = 'REQUESTED'",
        report.uuid()
    )
    .fetch_optional(connection)
    .await?;
    let asked = row.map(|row| {
        let reason = vault.open_text(PURPOSE, &row.reason_sealed)?;
        Ok(Asked { id: row.id, days: row.days, reason })
    });
    asked.transpose()
}

/// Decides it.
///
/// # Errors
/// `SAME_PERSON` for the officer who asked.
pub async fn decide(
    tx: &mut Tx,
    asked: &Asked,
    officer: Id<kind::Officer>,
    approved: bool,
) -> Result<()> {
    let decided = sqlx::query!(
        "update conduct.extension set state = $2, decider_id = $3
         where id = $1 and state = 'REQUESTED'",
        asked.id,
        ExtensionState::decided(approved).wire(),
        officer.uuid()
    )
    .execute(tx.conn())
    .await
    .on_constraint("extension_four_eyes", Reason::SamePerson)?;
    if decided.rows_affected() == 0 {
        return Err(Error::new(Reason::Conflict));
    }
    Ok(())
}

/// Drops what nobody will decide any more: the report left the investigator.
pub async fn drop_asked(tx: &mut Tx, report: Id<kind::ConductReport>) -> Result<()> {
    sqlx::query!(
        "update conduct.extension set state = 'REFUSED'
         where report_id = $1 and state = 'REQUESTED'",
        report.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
