//! The register of problems: rows and their scope. No rule of what may be done.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::lifecycle::Held,
        duty::obligation::ObligationKind,
        liaison::problem::{Problem, ProblemState},
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, Subject, kind},
    store::{Tx, steps::Settled},
};

struct Row {
    id: Uuid,
    enterprise_id: Uuid,
    unit_path: String,
    title: String,
    description: String,
    visit_id: Option<Uuid>,
    state: String,
    promised_day: Option<jiff_sqlx::Date>,
    outcome: String,
    create_time: jiff_sqlx::Timestamp,
    version: i64,
}

fn entity(row: Row) -> Result<Problem> {
    let state = ProblemState::from_wire(&row.state);
    Ok(Problem {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        title: row.title,
        description: row.description,
        visit: row.visit_id.map(Id::of),
        promised_day: row.promised_day.map(jiff_sqlx::Date::to_jiff),
        outcome: row.outcome,
        create_time: row.create_time.to_jiff(),
        version: row.version,
        held: Held::row(state.ok_or_else(|| Error::internal("a stored state"))?),
    })
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, unit_path, title, description, visit_id, state,
                promised_day as "promised_day: jiff_sqlx::Date", outcome,
                create_time as "create_time: jiff_sqlx::Timestamp", version
             from problem "# + $filter
            $(, $argument)*
        )
    };
}

/// A problem within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Problem>,
    scope: &Scope,
) -> Result<Problem> {
    let row = select!(
        "where id = $1 and (enterprise_id = any($2)
            or ($3::text is not null and starts_with(unit_path, $3))
            or enterprise_id in (select served_by($4)))",
        id.uuid(),
        &scope.enterprises,
        scope.unit_path,
        scope.serving
    )
    .fetch_optional(connection)
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// A problem of the units in reach, or of an enterprise that is served, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Problem>, scope: &Scope) -> Result<Problem> {
    let row = select!(
        "where id = $1 and ($2::text is not null and starts_with(unit_path, $2)
            or enterprise_id in (select served_by($3)))
         for update",
        id.uuid(),
        scope.unit_path,
        scope.serving
    )
    .fetch_optional(tx.conn())
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// Problems within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    enterprise: Option<Uuid>,
    state: Option<&str>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Problem>> {
    let rows = select!(
        "where id < $1 and (enterprise_id = any($2)
                or ($3::text is not null and starts_with(unit_path, $3))
                or enterprise_id in (select served_by($7)))
            and ($4::uuid is null or enterprise_id = $4)
            and ($5::text is null or state = $5)
         order by id desc
         limit $6",
        crate::store::before(after),
        &scope.enterprises,
        scope.unit_path,
        enterprise,
        state,
        rows,
        scope.serving
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(entity).collect()
}

/// Stores a new problem.
pub async fn insert(tx: &mut Tx, problem: &Problem) -> Result<()> {
    let now = tx.now();
    // In the statement itself, because a foreign key would only say that something is absent.
    let inserted = sqlx::query!(
        "insert into problem (id, enterprise_id, unit_path, title, description, visit_id, state,
            outcome, create_time, update_time, version)
         select $1, $2, $3, $4, $5, $6, $7, '', $8, $8, 1
         where $6::uuid is null
            or exists (select from visit where id = $6 and enterprise_id = $2)",
        problem.id.uuid(),
        problem.enterprise.uuid(),
        problem.unit_path,
        problem.title,
        problem.description,
        problem.visit.map(Id::uuid),
        problem.state().wire(),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(Error::field("problem.visit", Flaw::UnknownValue));
    }
    Ok(())
}

impl Settled for Problem {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let updated = sqlx::query!(
            "update problem set state = $3, promised_day = $4, outcome = $5, update_time = $6,
                version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.promised_day.map(Date::to_sqlx) as _,
            self.outcome,
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
        if updated.rows_affected() == 0 {
            return Err(Error::new(Reason::EtagStale));
        }
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.unit_path.clone()
    }

    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        Some((self.enterprise, &self.unit_path))
    }
}
