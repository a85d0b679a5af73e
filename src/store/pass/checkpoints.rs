//! The places where trucks are checked. What is checked there lies in `checks`.

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
    error::Result,
    id::{Id, kind},
    store::{Tx, common::history},
};

/// More checkpoints than this are not listed.
const LIST_MAX: i64 = 1_000;

/// A place where trucks are checked (卡口).
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its id.
    pub id: Id<kind::Checkpoint>,
    /// 南大街卡口
    pub display_name: String,
    /// The unit that runs it.
    pub unit: Id<kind::Unit>,
    /// The zones that one enters here.
    pub zones: Vec<Id<kind::Zone>>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// A checkpoint to be.
#[derive(Debug, Clone)]
pub struct NewCheckpoint {
    /// 南大街卡口
    pub display_name: String,
    /// The unit that runs it.
    pub unit: Id<kind::Unit>,
    /// The zones that one enters here.
    pub zones: Vec<Id<kind::Zone>>,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

struct Row {
    id: Uuid,
    display_name: String,
    unit_id: Uuid,
    zone_ids: Vec<Uuid>,
    latitude: f64,
    longitude: f64,
}

fn entity(row: Row) -> Checkpoint {
    Checkpoint {
        id: Id::of(row.id),
        display_name: row.display_name,
        unit: Id::of(row.unit_id),
        zones: row.zone_ids.into_iter().map(Id::of).collect(),
        latitude: row.latitude,
        longitude: row.longitude,
    }
}

/// Adds a checkpoint.
pub async fn insert(tx: &mut Tx, new: NewCheckpoint) -> Result<Checkpoint> {
    let (id, now): (Id<kind::Checkpoint>, _) = (tx.cx().id(), tx.now());
    let zones: Vec<Uuid> = new.zones.iter().map(|zone| zone.uuid()).collect();
    let row = sqlx::query_as!(
        Row,
        "insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude,
            create_time)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning id, display_name, unit_id, zone_ids, latitude, longitude",
        id.uuid(),
        new.display_name,
        new.unit.uuid(),
        &zones,
        new.latitude,
        new.longitude,
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    let (_, change) = Change::begin(Tenure::Active, Deed::Create, Note::none(), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    Ok(entity(row))
}

/// The checkpoints within the scope: of the officer's subtree, or the device's own. Its own arguments come first;
/// those of `$rest` begin at `$4`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            "select checkpoint.id, checkpoint.display_name, unit_id, zone_ids, latitude, longitude
             from checkpoint join unit on unit.id = unit_id
             where ($1 or checkpoint.id = $2
                or ($3::text is not null and starts_with(path, $3))) " + $rest,
            $scope.all,
            $scope.checkpoint,
            $scope.unit_path
            $(, $argument)*
        )
    };
}

/// A checkpoint within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Checkpoint>,
    scope: &Scope,
) -> Result<Checkpoint> {
    let row = seen!("and checkpoint.id = $4", scope, id.uuid()).fetch_optional(connection).await?;
    row.map(entity).ok_or_else(|| scope.missing(id.subject()))
}

/// The checkpoints within the scope, newest first.
pub async fn list(connection: &mut PgConnection, scope: &Scope) -> Result<Vec<Checkpoint>> {
    let rows = seen!("order by checkpoint.id desc limit $4", scope, LIST_MAX)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(entity).collect())
}
