//! The garage: vehicles as rows. Every change touches what checkpoints know of the plate.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::{Item, Scope},
    domain::{
        codes::{BodyColour, Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType, Vin},
        common::{
            follow::To,
            notice::{Audience, Facts, NoticeEvent},
        },
        enterprise::vehicle::{Licence, Vehicle},
        pass::policy::Relation,
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, common::notices::Telling, pass::passes, steps::Settled},
};

struct Row {
    id: Uuid,
    enterprise_id: Uuid,
    plate_number: String,
    plate_type: String,
    vehicle_type: String,
    use_nature: String,
    energy_type: String,
    vin: String,
    body_colour: String,
    brand_model: String,
    gross_mass_kg: i32,
    kerb_mass_kg: i32,
    rated_load_kg: i32,
    outer_length_mm: i32,
    outer_width_mm: i32,
    outer_height_mm: i32,
    emission_stage: i32,
    inspection_valid_until: jiff_sqlx::Date,
    insurance_valid_until: jiff_sqlx::Date,
    scrapping_date: Option<jiff_sqlx::Date>,
    relation: String,
    contract_valid_until: Option<jiff_sqlx::Date>,
    transport_permit_valid_until: Option<jiff_sqlx::Date>,
    vehicle_states: String,
    retire_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
    blacklisted: bool,
    contested: bool,
}

fn entity(row: Row) -> Result<Vehicle> {
    let stored = |flaw: Flaw| Error::internal(flaw.wire());
    let day = |date: Option<jiff_sqlx::Date>| date.map(jiff_sqlx::Date::to_jiff);
    let body_colour =
        Some(row.body_colour).filter(|code| !code.is_empty()).map(|code| BodyColour::parse(&code));
    let relation = Relation::from_wire(&row.relation);
    Ok(Vehicle {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        licence: Licence {
            plate: Plate::parse(&row.plate_number).map_err(stored)?,
            plate_type: PlateType::parse(&row.plate_type).map_err(stored)?,
            vehicle_type: VehicleType::parse(&row.vehicle_type).map_err(stored)?,
            use_nature: UseNature::parse(&row.use_nature).map_err(stored)?,
            energy: Energy::parse(&row.energy_type).map_err(stored)?,
            vin: Vin::parse(&row.vin).map_err(stored)?,
            body_colour: body_colour.transpose().map_err(stored)?,
            brand_model: row.brand_model,
            masses_kg: [row.gross_mass_kg, row.kerb_mass_kg, row.rated_load_kg],
            outer_mm: [row.outer_length_mm, row.outer_width_mm, row.outer_height_mm],
            emission_stage: row.emission_stage,
            relation: relation.ok_or_else(|| Error::internal("a stored relation"))?,
            inspection_valid_until: row.inspection_valid_until.to_jiff(),
            insurance_valid_until: row.insurance_valid_until.to_jiff(),
            scrapping_date: day(row.scrapping_date),
            contract_valid_until: day(row.contract_valid_until),
            transport_permit_valid_until: day(row.transport_permit_valid_until),
        },
        states: VehicleStates::parse(&row.vehicle_states).map_err(stored)?,
        blacklisted: row.blacklisted,
        contested: row.contested,
        retire_time: row.retire_time.map(jiff_sqlx::Timestamp::to_jiff),
        version: row.version,
    })
}

/// Every column of a vehicle, in one place; `$1` is the instant at which the blacklist is asked.
macro_rules! select {
    ($filter:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, plate_number, plate_type, vehicle_type, use_nature,
                energy_type, vin, body_colour, brand_model, gross_mass_kg, kerb_mass_kg,
                rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm, emission_stage,
                inspection_valid_until as "inspection_valid_until: jiff_sqlx::Date",
                insurance_valid_until as "insurance_valid_until: jiff_sqlx::Date",
                scrapping_date as "scrapping_date: jiff_sqlx::Date", relation,
                contract_valid_until as "contract_valid_until: jiff_sqlx::Date",
                transport_permit_valid_until as "transport_permit_valid_until: jiff_sqlx::Date",
                vehicle_states, retire_time as "retire_time: jiff_sqlx::Timestamp", version,
                exists (select from blacklist_entry entry
                    where (entry.vehicle_id = vehicle.id
                            or entry.enterprise_id = vehicle.enterprise_id)
                        and entry.lift_time is null and entry.valid_from <= $1
                        and (entry.valid_until is null or $1 < entry.valid_until)
                ) as "blacklisted!",
                exists (select from vehicle_contest contest
                    where contest.vehicle_id = vehicle.id and contest.state = 'OPEN'
                ) as "contested!"
             from vehicle "# + $filter,
            $($argument),*
        )
    };
}

/// A vehicle within the scope; its drivers may read it.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Vehicle>,
    scope: &Scope,
    now: Timestamp,
) -> Result<Vehicle> {
    let row = select!(
        "where id = $2 and ($3 or enterprise_id = any($4)
            or ($5::text is not null and exists (select from enterprise
                where enterprise.id = enterprise_id and starts_with(unit_path, $5)))
            or exists (select from driver where driver.vehicle_id = vehicle.id
                and driver.person_id = $6 and driver.end_time is null)
            or enterprise_id in (select served_by($7)))",
        now.to_sqlx() as _,
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.person,
        scope.serving
    )
    .fetch_optional(connection)
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// A vehicle within the scope that stands in a garage, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Vehicle>, scope: &Scope) -> Result<Vehicle> {
    let row = select!(
        "where id = $2 and retire_time is null and ($3 or enterprise_id = any($4)
            or ($5::text is not null and exists (select from enterprise
                where enterprise.id = enterprise_id and starts_with(unit_path, $5))))
         for update",
        tx.now().to_sqlx() as _,
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// The vehicle of a plate in another's garage, whoever asks: who contests it learns nothing of it.
pub async fn lock_of_another(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    licence: &Licence,
) -> Result<Option<Vehicle>> {
    let row = select!(
        "where plate_number = $2 and plate_type = $3 and retire_time is null and enterprise_id <> $4
         for update",
        tx.now().to_sqlx() as _,
        licence.plate.as_str(),
        licence.plate_type.code(),
        enterprise.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(entity).transpose()
}

/// The vehicles in the garage of an enterprise, held until the unit of work ends.
pub async fn lock_garage(tx: &mut Tx, enterprise: Id<kind::Enterprise>) -> Result<Vec<Vehicle>> {
    let rows = select!(
        "where enterprise_id = $2 and retire_time is null order by id for update",
        tx.now().to_sqlx() as _,
        enterprise.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(entity).collect()
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One enterprise.
    pub enterprise: Option<Uuid>,
    /// One plate.
    pub plate_number: Option<String>,
}

/// Vehicles within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    now: Timestamp,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Vehicle>> {
    let rows = select!(
        "where id < $2 and ($3 or enterprise_id = any($4)
            or ($5::text is not null and exists (select from enterprise
                where enterprise.id = enterprise_id and starts_with(unit_path, $5)))
            or exists (select from driver where driver.vehicle_id = vehicle.id
                and driver.person_id = $6 and driver.end_time is null)
            or enterprise_id in (select served_by($10)))
            and ($7::uuid is null or enterprise_id = $7)
            and ($8::text is null or plate_number = $8)
         order by id desc
         limit $9",
        now.to_sqlx() as _,
        crate::store::before(after),
        scope.all,
        &scope.enterprises,
        scope.unit_path,
        scope.person,
        filter.enterprise,
        filter.plate_number,
        rows,
        scope.serving
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(entity).collect()
}

/// Puts a vehicle into a garage.
///
/// # Errors
/// `VEHICLE_EXISTS` when it stands in one already.
pub async fn insert(tx: &mut Tx, vehicle: &Vehicle) -> Result<()> {
    let now = tx.now();
    let licence = &vehicle.licence;
    let ([gross, kerb, load], [length, width, height]) = (licence.masses_kg, licence.outer_mm);
    sqlx::query!(
        "insert into vehicle (id, enterprise_id, plate_number, plate_type, vehicle_type,
            use_nature, energy_type, vin, body_colour, brand_model, gross_mass_kg, kerb_mass_kg,
            rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm, emission_stage,
            inspection_valid_until, insurance_valid_until, scrapping_date, relation,
            contract_valid_until, transport_permit_valid_until, vehicle_states, create_time,
            update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $25, $25, 1)",
        vehicle.id.uuid(),
        vehicle.enterprise.uuid(),
        licence.plate.as_str(),
        licence.plate_type.code(),
        licence.vehicle_type.as_str(),
        licence.use_nature.code(),
        licence.energy.code(),
        licence.vin.as_str(),
        licence.body_colour.map(BodyColour::code).unwrap_or_default(),
        licence.brand_model,
        gross,
        kerb,
        load,
        length,
        width,
        height,
        licence.emission_stage,
        licence.inspection_valid_until.to_sqlx() as _,
        licence.insurance_valid_until.to_sqlx() as _,
        licence.scrapping_date.map(Date::to_sqlx) as _,
        licence.relation.wire(),
        licence.contract_valid_until.map(Date::to_sqlx) as _,
        licence.transport_permit_valid_until.map(Date::to_sqlx) as _,
        vehicle.states.to_string(),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await
    .on_constraint("vehicle_once", Reason::VehicleExists)?;
    passes::touch(tx, licence.plate.as_str());
    Ok(())
}

impl Settled for Vehicle {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    /// What may change of it, everything but garage and plate, and what caches know of the plate.
    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let licence = &self.licence;
        let ([gross, kerb, load], [length, width, height]) = (licence.masses_kg, licence.outer_mm);
        let updated = sqlx::query!(
            "update vehicle
             set vehicle_type = $3, use_nature = $4, energy_type = $5, vin = $6, body_colour = $7,
                brand_model = $8, gross_mass_kg = $9, kerb_mass_kg = $10, rated_load_kg = $11,
                outer_length_mm = $12, outer_width_mm = $13, outer_height_mm = $14,
                emission_stage = $15, inspection_valid_until = $16, insurance_valid_until = $17,
                scrapping_date = $18, relation = $19, contract_valid_until = $20,
                transport_permit_valid_until = $21, vehicle_states = $22, retire_time = $23,
                update_time = $24, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            licence.vehicle_type.as_str(),
            licence.use_nature.code(),
            licence.energy.code(),
            licence.vin.as_str(),
            licence.body_colour.map(BodyColour::code).unwrap_or_default(),
            licence.brand_model,
            gross,
            kerb,
            load,
            length,
            width,
            height,
            licence.emission_stage,
            licence.inspection_valid_until.to_sqlx() as _,
            licence.insurance_valid_until.to_sqlx() as _,
            licence.scrapping_date.map(Date::to_sqlx) as _,
            licence.relation.wire(),
            licence.contract_valid_until.map(Date::to_sqlx) as _,
            licence.transport_permit_valid_until.map(Date::to_sqlx) as _,
            self.states.to_string(),
            self.retire_time.map(Timestamp::to_sqlx) as _,
            now.to_sqlx() as _
        )
        .execute(tx.conn())
        .await?;
        if updated.rows_affected() == 0 {
            return Err(Error::new(Reason::EtagStale));
        }
        passes::touch(tx, self.licence.plate.as_str());
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    async fn told(&self, _: &mut Tx, event: NoticeEvent, _: To) -> Result<Vec<Telling>> {
        let plate = self.licence.plate.as_str().to_owned();
        let facts = Facts { plate, ..Facts::default() };
        let whom = Audience::Enterprise(self.enterprise, Item::Pass);
        Ok(vec![Telling::of_step(self.id.subject(), self.version, event, whom, facts)])
    }
}
