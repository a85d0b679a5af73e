//! Who drives a vehicle: named by the enterprise, claimed by phone and plate. Every change of a
//! claimed row touches the person's standing.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        enterprise::vehicle::Vehicle,
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault, common::history, identity::actors},
};

/// A driver.
#[derive(Debug, Clone)]
pub struct Driver {
    /// Its id.
    pub id: Id<kind::Driver>,
    /// Of which vehicle.
    pub vehicle: Id<kind::Vehicle>,
    /// The full name.
    pub full_name: String,
    /// The phone.
    pub phone: String,
    /// When the person claimed the vehicle.
    pub claim_time: Option<Timestamp>,
    /// When it was ended.
    pub end_time: Option<Timestamp>,
}

/// Names a driver.
pub async fn insert(tx: &mut Tx, driver: &Driver) -> Result<()> {
    let (now, ids) = (tx.now(), tx.cx().ids().clone());
    let name = tx.vault().seal("full-name", driver.full_name.as_bytes(), ids.bytes())?;
    let phone = tx.vault().seal("phone", driver.phone.as_bytes(), ids.bytes())?;
    let index = tx.vault().index("phone", &driver.phone);
    sqlx::query!(
        "insert into driver (id, vehicle_id, full_name_sealed, phone_sealed, phone_index,
            create_time)
         values ($1, $2, $3, $4, $5, $6)",
        driver.id.uuid(),
        driver.vehicle.uuid(),
        name,
        phone,
        index,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("driver_once", Reason::AlreadyExists)?;
    history::act(tx, driver.id.subject(), Deed::Create, Note::none()).await
}

/// Claims the vehicle of a plate for the person's proved phone; a repetition is harmless, and to
/// anybody else the vehicle is absent.
pub async fn claim(
    tx: &mut Tx,
    person: Id<kind::Person>,
    plate_number: &str,
    plate_type: &str,
) -> Result<Driver> {
    let now = tx.now();
    let row = sqlx::query!(
        "update driver set person_id = $1, claim_time = coalesce(claim_time, $4)
         from vehicle
         where vehicle.id = vehicle_id and vehicle.retire_time is null and driver.end_time is null
            and plate_number = $2 and plate_type = $3
            and (driver.person_id is null or driver.person_id = $1)
            and driver.phone_index = (select person.phone_index from person where person.id = $1)
         returning driver.id, vehicle_id, full_name_sealed, phone_sealed, claim_time",
        person.uuid(),
        plate_number,
        plate_type,
        now.to_sqlx()
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| Error::new(Reason::Denied))?;
    tx.touch(actors::key(&person.to_string()));
    let id = Id::<kind::Driver>::of(row.id);
    let claim_time = row.claim_time.map(Into::into);
    if claim_time == Some(now) {
        history::act(tx, id.subject(), Deed::Join, Note::none()).await?;
    }
    Ok(Driver {
        id,
        vehicle: Id::of(row.vehicle_id),
        full_name: tx.vault().open_text("full-name", &row.full_name_sealed)?,
        phone: tx.vault().open_text("phone", &row.phone_sealed)?,
        claim_time,
        end_time: None,
    })
}

/// The drivers of a vehicle that the caller has read within the scope; of who merely drives it, that
/// person alone.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    vehicle: &Vehicle,
    scope: &Scope,
) -> Result<Vec<Driver>> {
    let own = scope.enterprises.contains(&vehicle.enterprise.uuid());
    let alone = scope.person.filter(|_| !own);
    let vehicle = vehicle.id;
    let rows = sqlx::query!(
        "select id, full_name_sealed, phone_sealed, claim_time, end_time
         from driver
         where vehicle_id = $1 and ($2::uuid is null or person_id = $2)
         order by id
         limit 200",
        vehicle.uuid(),
        alone
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Driver {
                id: Id::of(row.id),
                vehicle,
                full_name: vault.open_text("full-name", &row.full_name_sealed)?,
                phone: vault.open_text("phone", &row.phone_sealed)?,
                claim_time: row.claim_time.map(Into::into),
                end_time: row.end_time.map(Into::into),
            })
        })
        .collect()
}

/// Ends a driver of the caller's enterprises, at once.
pub async fn end(tx: &mut Tx, id: Id<kind::Driver>, scope: &Scope) -> Result<Driver> {
    let now = tx.now();
    let row = sqlx::query!(
        "update driver set end_time = $2
         from vehicle
         where driver.id = $1 and driver.end_time is null and vehicle.id = vehicle_id
            and vehicle.enterprise_id = any($3)
         returning vehicle_id, person_id, full_name_sealed, phone_sealed, claim_time",
        id.uuid(),
        now.to_sqlx(),
        &scope.enterprises
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    touch(tx, row.person_id);
    history::act(tx, id.subject(), Deed::End, Note::none()).await?;
    Ok(Driver {
        id,
        vehicle: Id::of(row.vehicle_id),
        full_name: tx.vault().open_text("full-name", &row.full_name_sealed)?,
        phone: tx.vault().open_text("phone", &row.phone_sealed)?,
        claim_time: row.claim_time.map(Into::into),
        end_time: Some(now),
    })
}

/// Ends every driver of a vehicle that leaves its garage.
pub async fn end_of_vehicle(tx: &mut Tx, vehicle: Id<kind::Vehicle>) -> Result<()> {
    let now = tx.now();
    let ended = sqlx::query!(
        "update driver set end_time = $2 where vehicle_id = $1 and end_time is null
         returning id, person_id",
        vehicle.uuid(),
        now.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    for driver in ended {
        touch(tx, driver.person_id);
        let id = Id::<kind::Driver>::of(driver.id);
        history::act(tx, id.subject(), Deed::End, Note::none()).await?;
    }
    Ok(())
}

fn touch(tx: &mut Tx, person: Option<Uuid>) {
    if let Some(person) = person {
        tx.touch(actors::key(&Id::<kind::Person>::of(person).to_string()));
    }
}
