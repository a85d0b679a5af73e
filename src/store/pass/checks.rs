//! Checks as they were recorded, the checkpoints where they are made, and what the officer did then. The record is
//! written in `log`. No verdict is made here.

mod log;

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

pub use log::{CheckLog, Record, Recorded};

use crate::{
    actor::Scope,
    domain::pass::check::PassState,
    error::{Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx},
};

/// A checkpoint, as a check needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The checkpoint.
    pub id: Id<kind::Checkpoint>,
    /// The zones that it guards.
    pub zone_ids: Vec<Uuid>,
    /// The path of its unit.
    pub unit_path: String,
}

impl Place {
    /// Whether it lies within the scope.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> bool {
        scope.all
            || scope.checkpoint == Some(self.id.uuid())
            || scope.unit_path.as_ref().is_some_and(|path| self.unit_path.starts_with(path))
    }
}

/// A checkpoint. It may be remembered for a while, so the caller asks [`Place::within`].
pub async fn place(
    connection: &mut PgConnection,
    id: Id<kind::Checkpoint>,
) -> Result<Option<Place>> {
    let row = sqlx::query!(
        "select zone_ids, unit.path
         from checkpoint join unit on unit.id = unit_id
         where checkpoint.id = $1",
        id.uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Place { id, zone_ids: row.zone_ids, unit_path: row.path }))
}

/// A check that was recorded.
#[derive(Debug, Clone)]
pub struct Check {
    /// The check.
    pub id: Id<kind::PassCheck>,
    /// The pass that was judged.
    pub pass: Option<Id<kind::TruckPass>>,
    /// The answer, as it was given.
    pub answer: Vec<u8>,
    /// What the officer did.
    pub action: Option<String>,
    /// What the officer noted.
    pub action_note: String,
}

/// A check within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::PassCheck>,
    scope: &Scope,
) -> Result<Check> {
    let row = sqlx::query!(
        "select pass_check.truck_pass_id, answer, done.action as \"action?\",
            coalesce(done.note, '') as \"note!\"
         from pass_check
         join checkpoint on checkpoint.id = checkpoint_id
         join unit on unit.id = checkpoint.unit_id
         left join pass_check_action done on done.pass_check_id = pass_check.id
         where pass_check.id = $1 and ($2 or checkpoint_id = $3
            or ($4::text is not null and starts_with(unit.path, $4)))",
        id.uuid(),
        scope.all,
        scope.checkpoint,
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    Ok(Check {
        id,
        pass: row.truck_pass_id.map(Id::of),
        answer: row.answer,
        action: row.action,
        action_note: row.note,
    })
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One checkpoint.
    pub checkpoint: Option<Uuid>,
    /// One plate.
    pub plate_number: Option<String>,
}

/// Checks within the scope, newest first, after the cursor: always a walk along an index, however many
/// checks there are elsewhere.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Check>> {
    let ids = if let Some(plate) = &filter.plate_number {
        of_plate(&mut *connection, plate, filter, scope, after, rows).await?
    } else if scope.all && filter.checkpoint.is_none() {
        newest(&mut *connection, after, rows).await?
    } else {
        of_checkpoints(&mut *connection, filter, scope, after, rows).await?
    };
    let rows = sqlx::query!(
        "select pass_check.id, pass_check.truck_pass_id, answer, done.action as \"action?\",
            coalesce(done.note, '') as \"note!\"
         from pass_check
         left join pass_check_action done on done.pass_check_id = pass_check.id
         where pass_check.id = any($1)
         order by pass_check.id desc",
        &ids
    )
    .fetch_all(connection)
    .await?;
    let check = rows.into_iter().map(|row| Check {
        id: Id::of(row.id),
        pass: row.truck_pass_id.map(Id::of),
        answer: row.answer,
        action: row.action,
        action_note: row.note,
    });
    Ok(check.collect())
}

/// Of all.
async fn newest(
    connection: &mut PgConnection,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select id from pass_check where id < $1 order by id desc limit $2",
        crate::store::before(after),
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// Of one plate.
async fn of_plate(
    connection: &mut PgConnection,
    plate: &str,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select pass_check.id
         from pass_check
         join checkpoint on checkpoint.id = checkpoint_id
         join unit on unit.id = checkpoint.unit_id
         where plate_number = $1 and pass_check.id < $2
            and ($3 or checkpoint_id = $4 or ($5::text is not null and starts_with(unit.path, $5)))
            and ($6::uuid is null or checkpoint_id = $6)
         order by pass_check.id desc
         limit $7",
        plate,
        crate::store::before(after),
        scope.all,
        scope.checkpoint,
        scope.unit_path,
        filter.checkpoint,
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// Of each checkpoint within the scope the newest, and of these the newest.
async fn of_checkpoints(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select found.id
         from checkpoint
         join unit on unit.id = unit_id
         cross join lateral (
            select pass_check.id from pass_check
            where checkpoint_id = checkpoint.id and pass_check.id < $1
            order by pass_check.id desc limit $6
         ) as found
         where ($2 or checkpoint.id = $3 or ($4::text is not null and starts_with(unit.path, $4)))
            and ($5::uuid is null or checkpoint.id = $5)
         order by found.id desc
         limit $6",
        crate::store::before(after),
        scope.all,
        scope.checkpoint,
        scope.unit_path,
        filter.checkpoint,
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// What an officer did after a check.
#[derive(Debug, Clone)]
pub struct Done {
    /// `RELEASE`, `EDUCATE`, `TURN_BACK` or `PENALISE`.
    pub action: &'static str,
    /// In the officer's words.
    pub note: String,
    /// Proposes that the pass be ended.
    pub propose_revocation: bool,
}

/// Stores what was done after a check, once.
///
/// # Errors
/// `ALREADY_EXISTS` when it was stored before.
pub async fn insert_action(tx: &mut Tx, check: Id<kind::PassCheck>, done: &Done) -> Result<()> {
    let officer = tx.cx().actor.name();
    let now = tx.now();
    sqlx::query!(
        "insert into pass_check_action (pass_check_id, action, note, propose_revocation, officer,
            create_time)
         values ($1, $2, $3, $4, $5, $6)",
        check.uuid(),
        done.action,
        done.note,
        done.propose_revocation,
        officer,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("pass_check_action_pkey", Reason::AlreadyExists)?;
    Ok(())
}

/// The stored state of the pass that was judged, for the remark in its history. The scope was
/// judged with the check.
pub async fn pass_state(
    connection: &mut PgConnection,
    id: Id<kind::TruckPass>,
) -> Result<Option<PassState>> {
    Ok(sqlx::query_scalar!("select state from truck_pass where id = $1", id.uuid())
        .fetch_optional(connection)
        .await?)
}
