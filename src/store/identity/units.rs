//! The tree of police units. A subtree is a prefix of paths.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Note},
        },
        identity::tenure::Tenure,
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, common::history},
};

/// More units than this are not listed: a city has some three hundred.
const LIST_MAX: i64 = 2_000;

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its id.
    pub id: Id<kind::Unit>,
    /// Twelve digits.
    pub code: String,
    /// 宿迁市公安局交通警察支队
    pub display_name: String,
    /// The unit above; none above the city bureau.
    pub parent: Option<Id<kind::Unit>>,
    /// The codes from the root to here, each followed by '/'.
    pub path: String,
    /// The subtree that its officers may see.
    pub reach: String,
    /// The divisions whose enterprises it serves with truck passes.
    pub serves: Vec<String>,
}

/// A unit to be.
#[derive(Debug, Clone, Default)]
pub struct NewUnit {
    /// Twelve digits, not yet taken.
    pub code: String,
    /// 宿迁市公安局交通警察支队
    pub display_name: String,
    /// The unit above; none above the city bureau.
    pub parent: Option<Id<kind::Unit>>,
    /// The subtree that its officers may see; its own where nothing else is said.
    pub reach: Option<String>,
    /// The divisions whose enterprises it serves with truck passes.
    pub serves: Vec<String>,
}

struct Row {
    id: Uuid,
    code: String,
    display_name: String,
    parent_id: Option<Uuid>,
    path: String,
    reach: String,
    serves: Vec<String>,
}

fn entity(row: Row) -> Unit {
    Unit {
        id: Id::of(row.id),
        code: row.code,
        display_name: row.display_name,
        parent: row.parent_id.map(Id::of),
        path: row.path,
        reach: row.reach,
        serves: row.serves,
    }
}

/// Adds a unit below its parent.
///
/// # Errors
/// `ALREADY_EXISTS` when the code is taken; `DENIED` when the parent is absent.
pub async fn insert(tx: &mut Tx, new: NewUnit) -> Result<Unit> {
    let (id, now): (Id<kind::Unit>, _) = (tx.cx().id(), tx.now());
    let above = match new.parent {
        Some(parent) => {
            let path = sqlx::query_scalar!("select path from unit where id = $1", parent.uuid())
                .fetch_optional(tx.conn())
                .await?;
            path.ok_or_else(|| Error::new(Reason::Denied).fact("resource", parent))?
        }
        None => String::new(),
    };
    let path = format!("{above}{}/", new.code);
    let reach = new.reach.unwrap_or_else(|| path.clone());
    let row = sqlx::query_as!(
        Row,
        "insert into unit (id, code, display_name, parent_id, path, reach, serves, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning id, code, display_name, parent_id, path, reach, serves",
        id.uuid(),
        new.code,
        new.display_name,
        new.parent.map(Id::uuid),
        path,
        reach,
        &new.serves,
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await
    .on_constraint("unit_code_once", Reason::AlreadyExists)?;
    let (_, change) = Change::begin(Tenure::Active, Deed::Create, Note::none(), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    Ok(entity(row))
}

/// A unit within the scope.
pub async fn get(connection: &mut PgConnection, id: Id<kind::Unit>, scope: &Scope) -> Result<Unit> {
    let row = sqlx::query_as!(
        Row,
        "select id, code, display_name, parent_id, path, reach, serves
         from unit
         where id = $1 and ($2 or ($3::text is not null and starts_with(path, $3)))",
        id.uuid(),
        scope.all,
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    row.map(entity).ok_or_else(|| scope.missing(id.subject()))
}

/// The units at these paths.
pub async fn at(connection: &mut PgConnection, paths: &[String]) -> Result<Vec<Id<kind::Unit>>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let ids = sqlx::query_scalar!("select id from unit where path = any($1) order by path", paths);
    Ok(ids.fetch_all(connection).await?.into_iter().map(Id::of).collect())
}

/// The whole tree, parents first. It is public: it stands on the bureau's door.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<Unit>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, code, display_name, parent_id, path, reach, serves
         from unit
         order by path
         limit $1",
        LIST_MAX
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}
