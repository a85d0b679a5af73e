//! Visits of officers to enterprises.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::common::{deed::Deed, lifecycle::Note},
    error::Result,
    id::{Id, kind},
    store::{Tx, common::history},
};

/// A visit.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Its id.
    pub id: Id<kind::Visit>,
    /// To whom.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that serves the enterprise.
    pub unit_path: String,
    /// Who went.
    pub officer: Id<kind::Officer>,
    /// When.
    pub visit_time: Timestamp,
    /// Where.
    pub place: String,
    /// Who was met.
    pub people: String,
    /// What the enterprise may read.
    pub summary: String,
    /// Among officers.
    pub findings: String,
    /// When it was recorded.
    pub create_time: Timestamp,
}

/// Stores a visit.
pub async fn insert(tx: &mut Tx, visit: &Visit) -> Result<()> {
    sqlx::query!(
        "insert into visit (id, enterprise_id, unit_path, officer_id, visit_time, place, people,
            summary, findings, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        visit.id.uuid(),
        visit.enterprise.uuid(),
        visit.unit_path,
        visit.officer.uuid(),
        visit.visit_time.to_sqlx(),
        visit.place,
        visit.people,
        visit.summary,
        visit.findings,
        visit.create_time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::act(tx, visit.id.subject(), Deed::Create, Note::none()).await
}

/// Visits within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    enterprise: Option<Uuid>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Visit>> {
    let rows = sqlx::query!(
        "select id, enterprise_id, unit_path, officer_id, visit_time, place, people, summary,
            findings, create_time
         from visit
         where ($1 or enterprise_id = any($2)
                or ($3::text is not null and starts_with(unit_path, $3))
                or enterprise_id in (select served_by($4)))
            and id < $5 and ($6::uuid is null or enterprise_id = $6)
         order by id desc
         limit $7",
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.serving,
        crate::store::before(after),
        enterprise,
        rows
    )
    .fetch_all(connection)
    .await?;
    let visit = rows.into_iter().map(|row| Visit {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        officer: Id::of(row.officer_id),
        visit_time: row.visit_time.to_jiff(),
        place: row.place,
        people: row.people,
        summary: row.summary,
        findings: row.findings,
        create_time: row.create_time.to_jiff(),
    });
    Ok(visit.collect())
}
