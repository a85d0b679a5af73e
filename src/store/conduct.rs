//! Conduct reports: rows, their history, and who sees them. Every read asks `conduct.sees`, or for a list
//! `conduct.seen_by`, in the same statement. Nothing here is written outside the schema `conduct`, nor
//! known to a cache. No rule of what may be done.

pub mod accused;
pub mod conclusions;
pub mod duties;
pub mod evidence;
pub mod evidence_files;
pub mod extensions;
pub mod filings;
pub mod identities;
pub mod identity_requests;
pub mod messages;
pub mod ties;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Tx, Vault, rise};
use crate::{
    actor::Scope,
    crypto,
    domain::{
        common::lifecycle::{Change, Held, Moved},
        conduct::{ConductReport, Finding, ReportState, Review, Slip},
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
};

/// What texts are sealed for.
const PURPOSE: &str = "conduct-report";
/// Of what code and secret are keyed digests.
const CODE: &str = "conduct-code";
const SECRET: &str = "conduct-secret";

struct Row {
    id: Uuid,
    real_name: bool,
    content_sealed: Vec<u8>,
    collection: Option<String>,
    subject_id: Option<Uuid>,
    state: ReportState,
    assigner_id: Option<Uuid>,
    investigator_id: Option<Uuid>,
    past_investigators: Vec<Uuid>,
    past_assigners: Vec<Uuid>,
    finding: Option<Finding>,
    result_sealed: Option<Vec<u8>>,
    review_reason_sealed: Option<Vec<u8>>,
    review_time: Option<jiff_sqlx::Timestamp>,
    extension_days: i32,
    create_time: Timestamp,
    end_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row, vault: &Vault) -> Result<ConductReport> {
    let opened = |sealed: Option<Vec<u8>>| {
        sealed.map(|sealed| vault.open_text(PURPOSE, &sealed)).transpose()
    };
    let review = opened(row.review_reason_sealed)?
        .zip(row.review_time)
        .map(|(reason, time)| Review { reason, create_time: time.to_jiff() });
    Ok(ConductReport {
        id: Id::of(row.id),
        real_name: row.real_name,
        content: vault.open_text(PURPOSE, &row.content_sealed)?,
        matter: row.collection.zip(row.subject_id),
        assigner: row.assigner_id.map(Id::of),
        investigator: row.investigator_id.map(Id::of),
        past_investigators: row.past_investigators.into_iter().map(Id::of).collect(),
        past_assigners: row.past_assigners.into_iter().map(Id::of).collect(),
        finding: row.finding,
        result: opened(row.result_sealed)?.unwrap_or_default(),
        review,
        extension_days: row.extension_days,
        create_time: row.create_time,
        end_time: row.end_time.map(Into::into),
        version: row.version,
        held: Held::row(row.state),
    })
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, real_name, content_sealed, collection, subject_id, state, assigner_id,
                investigator_id, past_investigators, past_assigners, finding, result_sealed,
                review_reason_sealed, review_time, extension_days, create_time, end_time, version
             from conduct.report "# + $filter
            $(, $argument)*
        )
    };
}

fn sealed(tx: &Tx, text: &str) -> Result<Vec<u8>> {
    tx.vault().seal(PURPOSE, text.as_bytes(), tx.cx().ids().bytes())
}

/// A report that the inspector may see.
pub async fn get(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::ConductReport>,
    scope: &Scope,
) -> Result<ConductReport> {
    let row = select!(
        "where id = $1 and conduct.sees($2, $3, id)",
        id.uuid(),
        scope.officer,
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, vault)
}

/// The same, held until the unit of work ends.
pub async fn lock(
    tx: &mut Tx,
    id: Id<kind::ConductReport>,
    scope: &Scope,
) -> Result<ConductReport> {
    let row = select!(
        "where id = $1 and conduct.sees($2, $3, id) for update",
        id.uuid(),
        scope.officer,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, tx.vault())
}

/// Reports that the inspector may see, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    state: Option<&str>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<ConductReport>> {
    let rows = select!(
        "where ($1::text is null or state = $1)
            and ($2::uuid is null or (create_time, id) < (
                select mark.create_time, mark.id from conduct.report mark where mark.id = $2))
            and id in (select seen from conduct.seen_by($3, $4) as seen)
         order by create_time desc, id desc
         limit $5",
        state,
        after,
        scope.officer,
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| entity(row, vault)).collect()
}

/// The report of a code and its secret, held until the unit of work ends. A wrong code and a wrong
/// secret take the same way and get the same answer.
///
/// # Errors
/// `QUERY_CODE_INVALID`.
pub async fn lock_by_slip(tx: &mut Tx, code: &Slip, secret: &Slip) -> Result<ConductReport> {
    let index = tx.vault().index(CODE, code.letters());
    let told = tx.vault().index(SECRET, secret.letters());
    let known = sqlx::query!(
        "select id, secret_digest from conduct.report where code_index = $1 for update",
        index
    )
    .fetch_optional(tx.conn())
    .await?;
    let (id, digest) = known.map_or((Uuid::nil(), vec![0; 32]), |it| (it.id, it.secret_digest));
    let equal = crypto::equal(&told, &digest);
    // Read in either case; a stranger's row is read and thrown away.
    let row = select!("where id = $1", id).fetch_optional(tx.conn()).await?;
    let row = row.filter(|_| equal).ok_or_else(|| Error::new(Reason::QueryCodeInvalid))?;
    entity(row, tx.vault())
}

/// Stores a new report, with what the reporter holds of it.
pub async fn insert(
    tx: &mut Tx,
    moved: Moved<ConductReport>,
    code: &Slip,
    secret: &Slip,
) -> Result<ConductReport> {
    let (report, change) = moved.open();
    let now = tx.now();
    let index = tx.vault().index(CODE, code.letters());
    let digest = tx.vault().index(SECRET, secret.letters());
    let content = sealed(tx, &report.content)?;
    let (collection, subject) = report.matter.clone().unzip();
    sqlx::query!(
        "insert into conduct.report (id, code_index, secret_digest, real_name, content_sealed,
            collection, subject_id, state, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, 1)",
        report.id.uuid(),
        index,
        digest,
        report.real_name,
        content,
        collection,
        subject,
        report.state().wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    write(tx, report.id, &change).await?;
    Ok(report)
}

/// Stores a step.
pub async fn save(tx: &mut Tx, moved: Moved<ConductReport>) -> Result<ConductReport> {
    let (mut report, change) = moved.open();
    let now = tx.now();
    let past = uuids(&report.past_investigators);
    let past_assigners = uuids(&report.past_assigners);
    let result = sealed(tx, &report.result)?;
    let (review_time, reason) =
        report.review.as_ref().map(|it| (it.create_time, it.reason.as_str())).unzip();
    let reason = reason.map(|reason| sealed(tx, reason)).transpose()?;
    let updated = sqlx::query!(
        "update conduct.report
         set state = $3, assigner_id = $4, investigator_id = $5, past_investigators = $6,
            finding = $7, result_sealed = $8, extension_days = $9, end_time = $10,
            update_time = $11, version = version + 1, past_assigners = $12, review_time = $13,
            review_reason_sealed = $14
         where id = $1 and version = $2",
        report.id.uuid(),
        report.version,
        report.state().wire(),
        report.assigner.map(Id::uuid),
        report.investigator.map(Id::uuid),
        &past,
        report.finding.map(Finding::wire),
        result,
        report.extension_days,
        report.end_time.map(jiff_sqlx::ToSqlx::to_sqlx),
        now.to_sqlx(),
        &past_assigners,
        review_time.map(jiff_sqlx::ToSqlx::to_sqlx),
        reason
    )
    .execute(tx.conn())
    .await?;
    rise(&mut report.version, &updated)?;
    write(tx, report.id, &change).await?;
    Ok(report)
}

fn uuids(officers: &[Id<kind::Officer>]) -> Vec<Uuid> {
    officers.iter().map(|officer| officer.uuid()).collect()
}

/// The only writer of the history of reports. The row of the report is held.
async fn write(tx: &mut Tx, report: Id<kind::ConductReport>, change: &Change) -> Result<()> {
    let note = sealed(tx, &change.note().internal)?;
    let id = tx.cx().ids().random();
    sqlx::query!(
        "insert into conduct.change (id, report_id, position, from_state, to_state, action, actor,
            note_sealed, create_time)
         select $1, $2, coalesce(max(position), 0) + 1, $3, $4, $5, $6, $7, $8
         from conduct.change where report_id = $2",
        id,
        report.uuid(),
        change.from(),
        change.to(),
        change.action(),
        change.actor(),
        note,
        change.time().to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A step as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The state before; empty at the beginning.
    pub from_state: String,
    /// The state after.
    pub to_state: String,
    /// What was done.
    pub action: String,
    /// Who did it; the reporter is anonymous, whoever it is.
    pub actor: String,
    /// What was said about it.
    pub note: String,
    /// When.
    pub time: jiff::Timestamp,
}

/// The steps of a report, oldest first. The caller has read the report.
pub async fn changes(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::ConductReport>,
) -> Result<Vec<Written>> {
    let rows = sqlx::query!(
        "select from_state, to_state, action, actor, note_sealed, create_time
         from conduct.change
         where report_id = $1
         order by position
         limit 1000",
        id.uuid()
    )
    .fetch_all(connection)
    .await?;
    let written = rows.into_iter().map(|row| {
        Ok(Written {
            from_state: row.from_state,
            to_state: row.to_state,
            action: row.action,
            actor: row.actor,
            note: vault.open_text(PURPOSE, &row.note_sealed)?,
            time: row.create_time.to_jiff(),
        })
    });
    written.collect()
}

/// Whether the report must go upward: the inspectorate, or the head of the tree, is accused.
pub async fn must_go_up(tx: &mut Tx, id: Id<kind::ConductReport>) -> Result<bool> {
    let upward = sqlx::query_scalar!("select conduct.upward($1) as \"upward!\"", id.uuid())
        .fetch_one(tx.conn())
        .await?;
    Ok(upward)
}

/// Whether the report is still to be seen by the inspector.
pub async fn sees(tx: &mut Tx, id: Id<kind::ConductReport>, scope: &Scope) -> Result<bool> {
    let sees = sqlx::query_scalar!(
        "select conduct.sees($1, $2, $3) as \"sees!\"",
        scope.officer,
        scope.unit_path,
        id.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(sees)
}
