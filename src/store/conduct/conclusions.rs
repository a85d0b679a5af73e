//! What was found, each time: the finding of an investigation stays beside the one of its review.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use super::{PURPOSE, sealed};
use crate::{
    domain::conduct::{ConductReport, Finding},
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault},
};

/// What was found.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// The finding.
    pub finding: Finding,
    /// The words for the reporter.
    pub result: String,
    /// Whether it was found by whom the report went upward to.
    pub upward: bool,
    /// Who found it.
    pub officer: Id<kind::Officer>,
    /// When.
    pub create_time: Timestamp,
}

/// Keeps what a report that was just concluded ended with.
///
/// # Errors
/// `SAME_PERSON` when the officer found something about it before.
pub async fn insert(
    tx: &mut Tx,
    report: &ConductReport,
    officer: Id<kind::Officer>,
    upward: bool,
) -> Result<()> {
    let finding = report.finding.ok_or_else(|| Error::internal("a finding that is none"))?;
    let (id, now, result) = (tx.cx().ids().random(), tx.now(), sealed(tx, &report.result)?);
    sqlx::query!(
        "insert into conduct.conclusion (id, report_id, position, finding, result_sealed, upward,
            officer_id, create_time)
         select $1, $2, count(*)::integer + 1, $3, $4, $5, $6, $7
         from conduct.conclusion where report_id = $2",
        id,
        report.id.uuid(),
        finding.wire(),
        result,
        upward,
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("conclusion_by_another", Reason::SamePerson)?;
    Ok(())
}

/// What was found, the first finding first. The caller has read the report.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    report: Id<kind::ConductReport>,
) -> Result<Vec<Conclusion>> {
    let rows = sqlx::query!(
        "select finding, result_sealed, upward, officer_id, create_time
         from conduct.conclusion
         where report_id = $1
         order by position",
        report.uuid()
    )
    .fetch_all(connection)
    .await?;
    let conclusions = rows.into_iter().map(|row| {
        Ok(Conclusion {
            finding: row.finding,
            result: vault.open_text(PURPOSE, &row.result_sealed)?,
            upward: row.upward,
            officer: Id::of(row.officer_id),
            create_time: row.create_time.to_jiff(),
        })
    });
    conclusions.collect()
}
