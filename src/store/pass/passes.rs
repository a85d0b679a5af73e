//! Truck passes: rows, zones held, and the only writer of both. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::policies;
use crate::{
    actor::{Item, Scope},
    domain::{
        common::{
            follow::To,
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
        },
        pass::{
            Pass, PassAction, PassRevocationReason, PassState,
            application::{NeedWindow, SourceChannel},
            policy::{Kept, PassKind},
        },
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, common::notices::Telling, rise, steps::Settled},
};

/// The constraint behind R16.
const ONE_PER_ZONE: &str = "pass_one_active_per_plate";

/// A row as it is read: one shape for every query of this file.
struct Row {
    id: Uuid,
    number: String,
    enterprise_id: Uuid,
    unit_path: String,
    vehicle_id: Uuid,
    plate_number: String,
    plate_type: String,
    pass_application_id: Uuid,
    previous_pass_id: Option<Uuid>,
    revision: i32,
    pass_kind: PassKind,
    zone_ids: Vec<Uuid>,
    time_windows: Json<Vec<NeedWindow>>,
    route: Vec<String>,
    goods: String,
    trailer_plate_number: String,
    valid_from: Timestamp,
    valid_until: Timestamp,
    state: PassState,
    reason_code: Option<PassRevocationReason>,
    reason_note: String,
    source_channel: SourceChannel,
    evaluation: Json<Option<Kept>>,
    create_time: Timestamp,
    version: i64,
}

fn entity(row: Row) -> Pass {
    Pass {
        id: Id::of(row.id),
        number: row.number,
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        vehicle: Id::of(row.vehicle_id),
        plate_number: row.plate_number,
        plate_type: row.plate_type,
        application: Id::of(row.pass_application_id),
        previous: row.previous_pass_id.map(Id::of),
        revision: row.revision,
        kind: row.pass_kind,
        zones: row.zone_ids,
        windows: row.time_windows.0,
        route: row.route,
        goods: row.goods,
        trailer: row.trailer_plate_number,
        valid_from: row.valid_from,
        valid_until: row.valid_until,
        reason: row.reason_code,
        reason_note: row.reason_note,
        source_channel: row.source_channel,
        evaluation: row.evaluation.0.unwrap_or_default(),
        create_time: row.create_time,
        version: row.version,
        held: Held::row(row.state),
    }
}

/// Every column of a pass, in one place; `$filter` decides which rows.
macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, number, enterprise_id, unit_path, vehicle_id, plate_number, plate_type,
                pass_application_id, previous_pass_id, revision, pass_kind, zone_ids,
                time_windows as "time_windows: Json<Vec<NeedWindow>>", route, goods,
                trailer_plate_number, valid_from, valid_until, state, reason_code, reason_note,
                source_channel, evaluation as "evaluation: Json<Option<Kept>>", create_time, version
             from truck_pass "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The passes within the scope: also those of the vehicles that its person drives, and of the enterprises that
/// its officer serves. Its own arguments come first; those of `$rest` begin at `$6`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($1 or enterprise_id = any($2)
                or ($3::text is not null and starts_with(unit_path, $3))
                or exists (select from driver where driver.vehicle_id = truck_pass.vehicle_id
                    and driver.person_id = $4 and driver.end_time is null)
                or enterprise_id in (select served_by($5))) " $rest,
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path,
            $scope.person,
            $scope.serving
            $(, $argument)*
        )
    };
}

/// A pass within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::TruckPass>,
    scope: &Scope,
) -> Result<Pass> {
    let row = seen!("and id = $6", scope, id.uuid()).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// A pass within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::TruckPass>, scope: &Scope) -> Result<Pass> {
    let row = select!(
        "where id = $1 and ($2 or enterprise_id = any($3)
            or ($4::text is not null and starts_with(unit_path, $4)))
         for update",
        id.uuid(),
        scope.all,
        &scope.enterprises,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One enterprise.
    pub enterprise: Option<Uuid>,
    /// One vehicle.
    pub vehicle: Option<Uuid>,
    /// One plate.
    pub plate_number: Option<String>,
}

/// Passes within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Pass>> {
    let rows = seen!(
        "and id < $6
            and ($7::uuid is null or enterprise_id = $7)
            and ($8::uuid is null or vehicle_id = $8)
            and ($9::text is null or plate_number = $9)
         order by id desc
         limit $10",
        scope,
        crate::store::before(after),
        filter.enterprise,
        filter.vehicle,
        filter.plate_number,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The passes of a vehicle that may stand in the way of a new one, or be renewed.
pub async fn holding(
    connection: &mut PgConnection,
    plate_number: &str,
    plate_type: &str,
    now: Timestamp,
) -> Result<Vec<Pass>> {
    let rows = select!(
        "where plate_number = $1 and plate_type = $2 and state in ('ACTIVE', 'SUSPENDED')
            and valid_until > $3
         order by id",
        plate_number,
        plate_type,
        now.to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    let passes = rows.into_iter().map(entity).collect::<Vec<_>>();
    Ok(passes.into_iter().filter(Pass::holds).collect())
}

/// Stores a pass that was just issued.
///
/// # Errors
/// `DUPLICATE_ACTIVE_PASS` when the vehicle has another one for a zone and time of it.
pub async fn insert(tx: &mut Tx, pass: &Pass) -> Result<()> {
    let reason = pass.reason.map(PassRevocationReason::wire);
    sqlx::query!(
        "insert into truck_pass (id, number, enterprise_id, unit_path, vehicle_id, plate_number,
            plate_type, pass_application_id, previous_pass_id, revision, pass_kind, zone_ids,
            time_windows, route, goods, trailer_plate_number, valid_from, valid_until, state,
            reason_code, reason_note, source_channel, evaluation, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $24, $25)",
        pass.id.uuid(),
        pass.number,
        pass.enterprise.uuid(),
        pass.unit_path,
        pass.vehicle.uuid(),
        pass.plate_number,
        pass.plate_type,
        pass.application.uuid(),
        pass.previous.map(Id::uuid),
        pass.revision,
        pass.kind.wire(),
        &pass.zones,
        Json(&pass.windows) as _,
        &pass.route,
        pass.goods,
        pass.trailer,
        pass.valid_from.to_sqlx(),
        pass.valid_until.to_sqlx(),
        pass.state().wire(),
        reason,
        pass.reason_note,
        pass.source_channel.wire(),
        Json(&pass.evaluation) as _,
        pass.create_time.to_sqlx(),
        pass.version
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into truck_pass_zone (truck_pass_id, zone_id, plate_number, plate_type, validity,
            holds)
         select $1, zone_id, $3, $4, tstzrange($5, $6), $7 from unnest($2::uuid[]) as zone_id",
        pass.id.uuid(),
        &pass.zones,
        pass.plate_number,
        pass.plate_type,
        pass.valid_from.to_sqlx(),
        pass.valid_until.to_sqlx(),
        pass.holds()
    )
    .execute(tx.conn())
    .await
    .on_constraint(ONE_PER_ZONE, Reason::PassAlreadyActive)?;
    touch(tx, &pass.plate_number);
    Ok(())
}

impl Settled for Pass {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    /// Its row, its hold on the zones, its place in the quota, and what caches know of its plate.
    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let updated = sqlx::query!(
            "update truck_pass
             set state = $3, reason_code = $4, reason_note = $5, update_time = $6,
                version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.reason.map(PassRevocationReason::wire),
            self.reason_note,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        sqlx::query!(
            "update truck_pass_zone set holds = $2 where truck_pass_id = $1",
            self.id.uuid(),
            self.holds()
        )
        .execute(tx.conn())
        .await
        .on_constraint(ONE_PER_ZONE, Reason::PassAlreadyActive)?;
        if !matches!(self.state(), PassState::Active | PassState::Suspended) {
            policies::release(tx, self.id).await?;
        }
        touch(tx, &self.plate_number);
        Ok(self)
    }

    async fn told(&self, tx: &mut Tx, event: NoticeEvent, to: To) -> Result<Vec<Telling>> {
        let audiences = match to {
            To::Drivers => drivers(tx, self).await?,
            _ => vec![Audience::Enterprise(self.enterprise, Item::Pass)],
        };
        let facts = Facts {
            number: self.number.clone(),
            plate: self.plate_number.clone(),
            ..Facts::default()
        };
        let telling =
            |whom| Telling::of_step(self.id.subject(), self.version, event, whom, facts.clone());
        Ok(audiences.into_iter().map(telling).collect())
    }
}

/// Who drives its vehicle and is not told with the enterprise.
async fn drivers(tx: &mut Tx, pass: &Pass) -> Result<Vec<Audience>> {
    let people = sqlx::query_scalar!(
        "select distinct person_id as \"person_id!\" from driver
         where vehicle_id = $1 and end_time is null and person_id is not null
            and not exists (
                select from member
                where enterprise_id = $2 and member.person_id = driver.person_id
                    and end_time is null)",
        pass.vehicle.uuid(),
        pass.enterprise.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(people.into_iter().map(|person| Audience::Person(Id::of(person))).collect())
}

/// Passes in force whose end lies in the time, to say so before it comes.
pub async fn ending(
    connection: &mut PgConnection,
    (from, until): (Timestamp, Timestamp),
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Pass>> {
    let rows = select!(
        "where state = 'ACTIVE' and valid_until > $1 and valid_until <= $2
            and ($3::uuid is null or id > $3)
         order by id
         limit $4",
        from.to_sqlx(),
        until.to_sqlx(),
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Cancels what a vehicle that leaves its garage still holds.
pub async fn cancel_of_vehicle(
    tx: &mut Tx,
    vehicle: Id<kind::Vehicle>,
    note: &str,
) -> Result<Vec<Pass>> {
    let rows = select!(
        "where vehicle_id = $1 and state in ('ACTIVE', 'SUSPENDED') and valid_until > $2
         order by id
         for update",
        vehicle.uuid(),
        tx.now().to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    let cx = tx.cx().clone();
    let mut cancelled = Vec::with_capacity(rows.len());
    for row in rows {
        let pass = entity(row);
        let reason = PassRevocationReason::VehicleGone;
        let moved = pass.act(PassAction::Cancel, reason, note.to_owned(), &cx)?;
        cancelled.push(tx.settle_now(moved).await?);
    }
    Ok(cancelled)
}

/// Says that what a checkpoint knows of a plate changes.
pub fn touch(tx: &mut Tx, plate_number: &str) {
    tx.touch(format!("plate:{plate_number}"));
}
