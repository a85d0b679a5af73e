//! Who a reporter is: a sealed record apart from the report, opened with a reason alone, and destroyed
//! three years after the end (facts.md, 6.5).

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::identity_requests;
use crate::{
    actor::Scope,
    domain::conduct::IdentityRequest,
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::Tx,
};

const PURPOSE: &str = "conduct-identity";

/// Who a reporter is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// `persons/...`
    pub person: String,
    /// In full.
    pub full_name: String,
    /// In full.
    pub phone: String,
    /// The enterprises for which the person acts: their liaison officers do not investigate.
    pub enterprises: Vec<Uuid>,
}

// Never printed by accident.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// Seals the record.
pub async fn insert(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    identity: &Identity,
) -> Result<()> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(identity).map_err(Error::internal)?);
    let sealed = tx.vault().seal(PURPOSE, &plain, tx.cx().ids().bytes())?;
    sqlx::query!(
        "insert into conduct.identity (report_id, identity_sealed) values ($1, $2)",
        report.uuid(),
        sealed
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn find(tx: &mut Tx, report: Id<kind::ConductReport>) -> Result<Option<Identity>> {
    let sealed = sqlx::query_scalar!(
        "select identity_sealed from conduct.identity where report_id = $1",
        report.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = zeroize::Zeroizing::new(tx.vault().open(PURPOSE, &sealed)?);
    serde_json::from_slice(&plain).map(Some).map_err(Error::internal)
}

/// The enterprises of the reporter, for the check of conflicts alone: nobody reads them.
pub(super) async fn enterprises(tx: &mut Tx, report: Id<kind::ConductReport>) -> Result<Vec<Uuid>> {
    Ok(find(tx, report).await?.map(|it| it.enterprises).unwrap_or_default())
}

/// Whether there is a record to be opened.
///
/// # Errors
/// `NOT_FOUND` where the report is anonymous, or the record was destroyed.
pub async fn exists(tx: &mut Tx, report: Id<kind::ConductReport>) -> Result<()> {
    let known = sqlx::query_scalar!(
        "select exists (select from conduct.identity where report_id = $1) as \"known!\"",
        report.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    if known { Ok(()) } else { Err(Error::new(Reason::NotFound)) }
}

/// Opens the record as two inspectors wanted it, and writes who did, in the same unit of work. The caller
/// has read the report.
///
/// # Errors
/// `NOT_FOUND` where the report is anonymous, or the record was destroyed.
pub async fn open(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    request: &IdentityRequest,
) -> Result<Identity> {
    let identity = find(tx, report).await?.ok_or_else(|| Error::new(Reason::NotFound))?;
    identity_requests::show(tx, request.id).await?;
    let (id, now) = (tx.cx().ids().random(), tx.now());
    sqlx::query!(
        "insert into conduct.opening (id, report_id, officer_id, reason, request_id, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        report.uuid(),
        request.maker.uuid(),
        request.reason,
        request.id,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(identity)
}

/// An opening.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its id.
    pub id: Uuid,
    /// Who opened.
    pub officer: Id<kind::Officer>,
    /// Who confirmed it; absent for evidence, and for what was opened before it took two.
    pub checker: Option<Id<kind::Officer>>,
    /// Why; empty for a piece of evidence.
    pub reason: String,
    /// The piece of evidence that was opened; absent where the name was.
    pub evidence: Option<Uuid>,
    /// When.
    pub create_time: Timestamp,
}

/// The openings of names and of evidence, newest first, but of reports from which the auditor is barred.
pub async fn openings(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Opening>> {
    let rows = sqlx::query!(
        "select id, officer_id, reason, evidence_id,
            (select checker_id from conduct.identity_request request
                where request.id = opening.request_id) as checker_id,
            create_time
         from conduct.opening
         where report_id not in (select kept from conduct.kept_from($1) as kept)
            and ($2::uuid is null or (create_time, id) < (
                select mark.create_time, mark.id from conduct.opening mark where mark.id = $2))
         order by create_time desc, id desc
         limit $3",
        scope.officer,
        after,
        rows
    )
    .fetch_all(connection)
    .await?;
    let openings = rows.into_iter().map(|row| Opening {
        id: row.id,
        officer: Id::of(row.officer_id),
        checker: row.checker_id.map(Id::of),
        reason: row.reason,
        evidence: row.evidence_id,
        create_time: row.create_time.to_jiff(),
    });
    Ok(openings.collect())
}

/// Destroys the records of reports that ended before the instant.
pub async fn destroy(connection: &mut PgConnection, ended_before: Timestamp) -> Result<()> {
    sqlx::query!(
        "delete from conduct.identity
         where report_id in (select id from conduct.report where end_time < $1)",
        ended_before.to_sqlx()
    )
    .execute(connection)
    .await?;
    Ok(())
}
