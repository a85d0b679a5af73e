//! The register of problems: rows and their scope. No rule of what may be done.

use jiff::{Timestamp, civil::Date};
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
    error::{Error, Flaw, Result},
    id::{Id, Subject, kind},
    store::{Tx, rise, steps::Settled},
};

struct Row {
    id: Uuid,
    enterprise_id: Uuid,
    unit_path: String,
    title: String,
    description: String,
    visit_id: Option<Uuid>,
    state: ProblemState,
    promised_day: Option<jiff_sqlx::Date>,
    outcome: String,
    create_time: Timestamp,
    version: i64,
}

fn entity(row: Row) -> Problem {
    Problem {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        title: row.title,
        description: row.description,
        visit: row.visit_id.map(Id::of),
        promised_day: row.promised_day.map(Into::into),
        outcome: row.outcome,
        create_time: row.create_time,
        version: row.version,
        held: Held::row(row.state),
    }
}

macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, unit_path, title, description, visit_id, state,
                promised_day, outcome, create_time, version
             from problem "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The problems within the scope: also those of the enterprises that its officer serves. Its own arguments come
/// first; those of `$rest` begin at `$5`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($1 or enterprise_id = any($2)
                or ($3::text is not null and starts_with(unit_path, $3))
                or enterprise_id in (select served_by($4))) " $rest,
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path,
            $scope.serving
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
    let row = seen!("and id = $5", scope, id.uuid()).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
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
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
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
    let rows = seen!(
        "and id < $5
            and ($6::uuid is null or enterprise_id = $6)
            and ($7::text is null or state = $7)
         order by id desc
         limit $8",
        scope,
        crate::store::before(after),
        enterprise,
        state,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
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
        now.to_sqlx()
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
            self.promised_day.map(Date::to_sqlx),
            self.outcome,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.unit_path.clone()
    }

    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        Some((self.enterprise, &self.unit_path))
    }
}
