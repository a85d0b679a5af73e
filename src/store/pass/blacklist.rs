//! The blacklist: vehicles and enterprises that get no pass. Who puts them on it is judged elsewhere.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::passes;
use crate::{
    actor::Scope,
    domain::{
        common::{deed::Deed, lifecycle::Note},
        enterprise::vehicle::Vehicle,
        pass::blacklist::{Entry, Listed},
    },
    error::Result,
    id::{Id, Subject, kind},
    store::{Tx, common::history, steps::Settled},
};

struct Row {
    id: Uuid,
    vehicle_id: Option<Uuid>,
    enterprise_id: Option<Uuid>,
    reason_code: String,
    reason: String,
    valid_from: Timestamp,
    valid_until: Option<jiff_sqlx::Timestamp>,
    officer_id: Uuid,
    lift_time: Option<jiff_sqlx::Timestamp>,
    lift_note: String,
}

fn entity(row: Row) -> Entry {
    let listed = match (row.vehicle_id, row.enterprise_id) {
        (Some(vehicle), _) => Listed::Vehicle(Id::of(vehicle)),
        (None, enterprise) => Listed::Enterprise(Id::of(enterprise.unwrap_or_default())),
    };
    Entry {
        id: Id::of(row.id),
        listed,
        reason_code: row.reason_code,
        reason: row.reason,
        valid_from: row.valid_from,
        valid_until: row.valid_until.map(Into::into),
        officer: Id::of(row.officer_id),
        lift_time: row.lift_time.map(jiff_sqlx::Timestamp::to_jiff),
        lift_note: row.lift_note,
    }
}

macro_rules! select {
    ($filter:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select id, vehicle_id, enterprise_id, reason_code, reason,
                valid_from as "valid_from: jiff_sqlx::Timestamp",
                valid_until as "valid_until: jiff_sqlx::Timestamp", officer_id,
                lift_time as "lift_time: jiff_sqlx::Timestamp", lift_note
             from blacklist_entry "# + $filter,
            $($argument),*
        )
    };
}

/// Whether the vehicle, and whether the enterprise, is on the list at the instant.
pub async fn is_listed(
    connection: &mut PgConnection,
    vehicle: Id<kind::Vehicle>,
    enterprise: Id<kind::Enterprise>,
    now: Timestamp,
) -> Result<(bool, bool)> {
    let row = sqlx::query!(
        "select coalesce(bool_or(vehicle_id is not null), false) as \"vehicle!\",
            coalesce(bool_or(enterprise_id is not null), false) as \"enterprise!\"
         from blacklist_entry
         where (vehicle_id = $1 or enterprise_id = $2) and lift_time is null
            and valid_from <= $3 and (valid_until is null or $3 < valid_until)",
        vehicle.uuid(),
        enterprise.uuid(),
        now.to_sqlx()
    )
    .fetch_one(connection)
    .await?;
    Ok((row.vehicle, row.enterprise))
}

/// Refuses a subject that is not within the scope.
pub async fn reach(connection: &mut PgConnection, listed: Listed, scope: &Scope) -> Result<()> {
    let (vehicle, enterprise) = parts(listed);
    let found = sqlx::query_scalar!(
        "select exists (
            select from enterprise
            where (id = $2 or id = (select enterprise_id from vehicle where vehicle.id = $1))
                and ($3 or ($4::text is not null and starts_with(unit_path, $4)))
         ) as \"found!\"",
        vehicle,
        enterprise,
        scope.all,
        scope.unit_path
    )
    .fetch_one(connection)
    .await?;
    if found { Ok(()) } else { Err(scope.missing(listed.subject())) }
}

const fn parts(listed: Listed) -> (Option<Uuid>, Option<Uuid>) {
    match listed {
        Listed::Vehicle(id) => (Some(id.uuid()), None),
        Listed::Enterprise(id) => (None, Some(id.uuid())),
    }
}

/// An entry within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::BlacklistEntry>, scope: &Scope) -> Result<Entry> {
    let row = select!("where id = $1 for update", id.uuid()).fetch_optional(tx.conn()).await?;
    let entry = entity(row.ok_or_else(|| scope.missing(id.subject()))?);
    reach(tx.conn(), entry.listed, scope).await.map_err(|_| scope.missing(id.subject()))?;
    Ok(entry)
}

/// Entries within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    of: Option<Listed>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Entry>> {
    let (vehicle, enterprise) = of.map_or((None, None), parts);
    let rows = select!(
        "where id < $1 and ($2::uuid is null or vehicle_id = $2)
            and ($3::uuid is null or enterprise_id = $3)
            and exists (select from enterprise e
                where (e.id = blacklist_entry.enterprise_id or e.id = (select v.enterprise_id
                        from vehicle v where v.id = blacklist_entry.vehicle_id))
                    and ($4 or ($5::text is not null and starts_with(e.unit_path, $5))))
         order by id desc
         limit $6",
        crate::store::before(after),
        vehicle,
        enterprise,
        scope.all,
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Stores a new entry.
pub async fn insert(tx: &mut Tx, entry: &Entry) -> Result<()> {
    let now = tx.now();
    let (vehicle, enterprise) = parts(entry.listed);
    sqlx::query!(
        "insert into blacklist_entry (id, vehicle_id, enterprise_id, reason_code, reason,
            valid_from, valid_until, officer_id, create_time, lift_note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')",
        entry.id.uuid(),
        vehicle,
        enterprise,
        entry.reason_code,
        entry.reason,
        entry.valid_from.to_sqlx(),
        entry.valid_until.map(Timestamp::to_sqlx),
        entry.officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    touch(tx, entry.listed).await
}

impl Settled for Entry {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    /// Its end, and what caches know of whom it stands against.
    async fn write(self, tx: &mut Tx) -> Result<Self> {
        sqlx::query!(
            "update blacklist_entry set lift_time = $2, lift_note = $3 where id = $1",
            self.id.uuid(),
            self.lift_time.map(Timestamp::to_sqlx),
            self.lift_note
        )
        .execute(tx.conn())
        .await?;
        touch(tx, self.listed).await?;
        Ok(self)
    }
}

/// Lets what stands against a truck follow it into another garage, or back into its own: a truck is known by its
/// VIN, and by where an officer took it from. Whoever takes a truck out and puts it in again gets no clean one.
pub async fn follow(tx: &mut Tx, vehicle: &Vehicle, from: Option<Id<kind::Vehicle>>) -> Result<()> {
    let now = tx.now();
    let followed = sqlx::query_scalar!(
        "update blacklist_entry set vehicle_id = $1
         where lift_time is null and (valid_until is null or valid_until > $4)
            and vehicle_id in (select id from vehicle
                where retire_time is not null and (vin = $2 or id = $3))
         returning id",
        vehicle.id.uuid(),
        vehicle.licence.vin.as_str(),
        from.map(Id::uuid),
        now.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    for entry in followed {
        let subject = Id::<kind::BlacklistEntry>::of(entry).subject();
        let note = Note::internal(vehicle.id.to_string());
        history::act(tx, subject, Deed::HandOver, note).await?;
    }
    Ok(())
}

/// Says that what a checkpoint knows of the vehicle, or of every vehicle of the enterprise, changes.
async fn touch(tx: &mut Tx, listed: Listed) -> Result<()> {
    let (vehicle, enterprise) = parts(listed);
    let plates = sqlx::query_scalar!(
        "select distinct plate_number from vehicle
         where (id = $1 or enterprise_id = $2) and retire_time is null",
        vehicle,
        enterprise
    )
    .fetch_all(tx.conn())
    .await?;
    for plate in plates {
        passes::touch(tx, plate.as_str());
    }
    Ok(())
}
