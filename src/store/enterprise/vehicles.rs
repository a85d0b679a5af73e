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
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{
        OnConstraint as _, Tx, column::unreadable, common::notices::Telling, pass::passes, rise,
        steps::Settled,
    },
};

struct Row {
    id: Uuid,
    enterprise_id: Uuid,
    plate_number: Plate,
    plate_type: PlateType,
    vehicle_type: VehicleType,
    use_nature: UseNature,
    energy_type: Energy,
    vin: Vin,
    body_colour: String,
    brand_model: String,
    gross_mass_kg: i32,
    kerb_mass_kg: i32,
    rated_load_kg: i32,
    outer_length_mm: i32,
    outer_width_mm: i32,
    outer_height_mm: i32,
    emission_stage: i32,
    inspection_valid_until: Date,
    insurance_valid_until: Date,
    scrapping_date: Option<jiff_sqlx::Date>,
    relation: Relation,
    contract_valid_until: Option<jiff_sqlx::Date>,
    transport_permit_valid_until: Option<jiff_sqlx::Date>,
    vehicle_states: VehicleStates,
    retire_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
    blacklisted: bool,
    contested: bool,
}

fn entity(row: Row) -> Result<Vehicle> {
    let day = |date: Option<jiff_sqlx::Date>| date.map(Into::into);
    let colour = Some(row.body_colour).filter(|code| !code.is_empty());
    let colour = colour.map(|code| BodyColour::parse(&code)).transpose();
    Ok(Vehicle {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        licence: Licence {
            plate: row.plate_number,
            plate_type: row.plate_type,
            vehicle_type: row.vehicle_type,
            use_nature: row.use_nature,
            energy: row.energy_type,
            vin: row.vin,
            body_colour: colour.map_err(|_| unreadable("vehicle", "body_colour", row.id))?,
            brand_model: row.brand_model,
            masses_kg: [row.gross_mass_kg, row.kerb_mass_kg, row.rated_load_kg],
            outer_mm: [row.outer_length_mm, row.outer_width_mm, row.outer_height_mm],
            emission_stage: row.emission_stage,
            relation: row.relation,
            inspection_valid_until: row.inspection_valid_until,
            insurance_valid_until: row.insurance_valid_until,
            scrapping_date: day(row.scrapping_date),
            contract_valid_until: day(row.contract_valid_until),
            transport_permit_valid_until: day(row.transport_permit_valid_until),
        },
        states: row.vehicle_states,
        blacklisted: row.blacklisted,
        contested: row.contested,
        retire_time: row.retire_time.map(Into::into),
        version: row.version,
    })
}

/// Every column of a vehicle, in one place; `$1` is the instant at which the blacklist is asked.
macro_rules! select {
    ($($filter:literal)+, $($argument:expr),*) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, plate_number, plate_type, vehicle_type, use_nature,
                energy_type, vin, body_colour, brand_model, gross_mass_kg, kerb_mass_kg,
                rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm, emission_stage,
                inspection_valid_until, insurance_valid_until, scrapping_date, relation,
                contract_valid_until, transport_permit_valid_until, vehicle_states, retire_time,
                version,
                exists (select from blacklist_entry entry
                    where (entry.vehicle_id = vehicle.id
                            or entry.enterprise_id = vehicle.enterprise_id)
                        and entry.lift_time is null and entry.valid_from <= $1
                        and (entry.valid_until is null or $1 < entry.valid_until)
                ) as "blacklisted!",
                exists (select from vehicle_contest contest
                    where contest.vehicle_id = vehicle.id and contest.state = 'OPEN'
                ) as "contested!"
             from vehicle "# $(+ $filter)+,
            $($argument),*
        )
    };
}

/// The vehicles within the scope: also those that its person drives, and of the enterprises that its officer
/// serves. Its own arguments come first; those of `$rest` begin at `$7`.
macro_rules! seen {
    ($rest:literal, $now:expr, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($2 or enterprise_id = any($3)
                or ($4::text is not null and exists (select from enterprise
                    where enterprise.id = enterprise_id and starts_with(unit_path, $4)))
                or exists (select from driver where driver.vehicle_id = vehicle.id
                    and driver.person_id = $5 and driver.end_time is null)
                or enterprise_id in (select served_by($6))) " $rest,
            $now.to_sqlx(),
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path,
            $scope.person,
            $scope.serving
            $(, $argument)*
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
    let row = seen!("and id = $7", now, scope, id.uuid()).fetch_optional(connection).await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// A vehicle within the scope that stands in a garage, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Vehicle>, scope: &Scope) -> Result<Vehicle> {
    let row = select!(
        "where id = $2 and retire_time is null and ($3 or enterprise_id = any($4)
            or ($5::text is not null and exists (select from enterprise
                where enterprise.id = enterprise_id and starts_with(unit_path, $5))))
         for update",
        tx.now().to_sqlx(),
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
        tx.now().to_sqlx(),
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
        tx.now().to_sqlx(),
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
    let rows = seen!(
        "and id < $7
            and ($8::uuid is null or enterprise_id = $8)
            and ($9::text is null or plate_number = $9)
         order by id desc
         limit $10",
        now,
        scope,
        crate::store::before(after),
        filter.enterprise,
        filter.plate_number,
        rows
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
        licence.inspection_valid_until.to_sqlx(),
        licence.insurance_valid_until.to_sqlx(),
        licence.scrapping_date.map(Date::to_sqlx),
        licence.relation.wire(),
        licence.contract_valid_until.map(Date::to_sqlx),
        licence.transport_permit_valid_until.map(Date::to_sqlx),
        vehicle.states.to_string(),
        now.to_sqlx()
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
            licence.inspection_valid_until.to_sqlx(),
            licence.insurance_valid_until.to_sqlx(),
            licence.scrapping_date.map(Date::to_sqlx),
            licence.relation.wire(),
            licence.contract_valid_until.map(Date::to_sqlx),
            licence.transport_permit_valid_until.map(Date::to_sqlx),
            self.states.to_string(),
            self.retire_time.map(Timestamp::to_sqlx),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        passes::touch(tx, self.licence.plate.as_str());
        Ok(self)
    }

    async fn told(&self, _: &mut Tx, event: NoticeEvent, _: To) -> Result<Vec<Telling>> {
        let plate = self.licence.plate.as_str().to_owned();
        let facts = Facts { plate, ..Facts::default() };
        let whom = Audience::Enterprise(self.enterprise, Item::Pass);
        Ok(vec![Telling::of_step(self.id.subject(), self.version, event, whom, facts)])
    }
}
