//! Who is accused. An unknown number or name is kept as text, and never an error: a filing must not
//! tell who is an officer.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{PURPOSE, sealed};
use crate::{
    error::{Error, Flaw, Result},
    id::{Id, kind},
    store::{Tx, Vault},
};

/// Somebody, or some unit, accused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accused {
    /// The id within the report.
    pub id: Uuid,
    /// In the reporter's words.
    pub text: String,
    /// The officer, where known.
    pub officer: Option<Id<kind::Officer>>,
    /// The unit, where known; of an officer, the one when the officer was named.
    pub unit: Option<Id<kind::Unit>>,
}

/// Who is said to be meant.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    /// An officer.
    pub officer: Option<Id<kind::Officer>>,
    /// The number on the badge.
    pub police_number: Option<String>,
    /// A unit.
    pub unit: Option<Id<kind::Unit>>,
}

/// Somebody found: an officer with the unit, or a unit.
type Found = (Option<Uuid>, Uuid);

/// Finds everybody who is meant, as far as they exist: a name, a number and a unit that do not belong
/// together are as many accused, and the report is kept from each of them.
async fn find(tx: &mut Tx, meant: &Meant) -> Result<Vec<Found>> {
    let officers = sqlx::query!(
        "select id, unit_id from officer where id = $1 or police_number = $2 order by id",
        meant.officer.map(Id::uuid),
        meant.police_number
    )
    .fetch_all(tx.conn())
    .await?;
    let mut found: Vec<Found> =
        officers.into_iter().map(|officer| (Some(officer.id), officer.unit_id)).collect();
    let unit = meant.unit.map(Id::uuid);
    let unit = sqlx::query_scalar!("select id from unit where id = $1", unit)
        .fetch_optional(tx.conn())
        .await?;
    found.extend(unit.filter(|unit| found.iter().all(|(_, of)| of != unit)).map(|it| (None, it)));
    Ok(found)
}

/// Adds somebody; everybody, where several are meant.
pub async fn insert(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    text: &str,
    meant: &Meant,
) -> Result<()> {
    let found = find(tx, meant).await?;
    if found.is_empty() {
        return put(tx, report, text, None).await;
    }
    for one in found {
        put(tx, report, text, Some(one)).await?;
    }
    Ok(())
}

async fn put(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    text: &str,
    found: Option<Found>,
) -> Result<()> {
    let (id, now, text) = (tx.cx().ids().random(), tx.now(), sealed(tx, text)?);
    sqlx::query!(
        "insert into conduct.accused (id, report_id, text_sealed, officer_id, unit_id, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        report.uuid(),
        text,
        found.and_then(|(officer, _)| officer),
        found.map(|(_, unit)| unit),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says who is meant by an entry, or adds one. An entry that was found out stays as it is: whoever is
/// kept away by it is not let in again by another name.
///
/// # Errors
/// `UNKNOWN_VALUE` when nobody is found, or no open entry: here an inspector asks.
pub async fn name(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    entry: Option<Uuid>,
    text: &str,
    meant: &Meant,
) -> Result<()> {
    let mut found = find(tx, meant).await?.into_iter();
    let Some((officer, unit)) = found.next() else {
        return Err(Error::field("accused", Flaw::UnknownValue));
    };
    let Some(entry) = entry else { return insert(tx, report, text, meant).await };
    let named = sqlx::query!(
        "update conduct.accused set officer_id = $3, unit_id = $4
         where report_id = $1 and id = $2 and officer_id is null and unit_id is null",
        report.uuid(),
        entry,
        officer,
        unit
    )
    .execute(tx.conn())
    .await?;
    if named.rows_affected() == 0 {
        return Err(Error::field("accused.id", Flaw::UnknownValue));
    }
    for one in found {
        put(tx, report, text, Some(one)).await?;
    }
    Ok(())
}

/// Who is accused, in the order in which they were named. The caller has read the report.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    report: Id<kind::ConductReport>,
) -> Result<Vec<Accused>> {
    let rows = sqlx::query!(
        "select id, text_sealed, officer_id, unit_id from conduct.accused
         where report_id = $1
         order by create_time, id",
        report.uuid()
    )
    .fetch_all(connection)
    .await?;
    let accused = rows.into_iter().map(|row| {
        Ok(Accused {
            id: row.id,
            text: vault.open_text(PURPOSE, &row.text_sealed)?,
            officer: row.officer_id.map(Id::of),
            unit: row.unit_id.map(Id::of),
        })
    });
    accused.collect()
}
