//! Times at the service centre and their booked places. The counter of a time is the only judge of
//! whether a place is left.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Held, Note},
        },
        duty::obligation::{Limits, ObligationKind},
        liaison::booking::{Booking, BookingState, CONFIRM_WITHIN},
    },
    error::{Error, Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, common::history, rise, steps::Settled},
};

/// A time at the centre.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its id.
    pub id: Id<kind::CentreSlot>,
    /// Whose time it is.
    pub unit: Id<kind::Unit>,
    /// The path of the unit.
    pub unit_path: String,
    /// Where.
    pub place: String,
    /// From.
    pub start_time: Timestamp,
    /// Until.
    pub end_time: Timestamp,
    /// How many may come.
    pub capacity: i32,
    /// How many come.
    pub used: i32,
}

/// Stores a new time.
pub async fn insert_slot(tx: &mut Tx, slot: &Slot) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into centre_slot (id, unit_id, unit_path, place, start_time, end_time, capacity,
            used, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, 0, $8)",
        slot.id.uuid(),
        slot.unit.uuid(),
        slot.unit_path,
        slot.place,
        slot.start_time.to_sqlx(),
        slot.end_time.to_sqlx(),
        slot.capacity,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::act(tx, slot.id.subject(), Deed::Create, Note::none()).await
}

/// The times that have not begun, newest entry first. They are public to whoever may book.
pub async fn slots(
    connection: &mut PgConnection,
    now: Timestamp,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Slot>> {
    let rows = sqlx::query!(
        "select id, unit_id, unit_path, place, start_time, end_time, capacity, used
         from centre_slot
         where id < $1 and start_time > $2
         order by id desc
         limit $3",
        crate::store::before(after),
        now.to_sqlx(),
        rows
    )
    .fetch_all(connection)
    .await?;
    let slot = rows.into_iter().map(|row| Slot {
        id: Id::of(row.id),
        unit: Id::of(row.unit_id),
        unit_path: row.unit_path,
        place: row.place,
        start_time: row.start_time.to_jiff(),
        end_time: row.end_time.to_jiff(),
        capacity: row.capacity,
        used: row.used,
    });
    Ok(slot.collect())
}

/// Takes a place of a time that has not begun; answers with the path of its unit.
///
/// # Errors
/// `SLOT_FULL` when no place is left, or the time has begun or never was.
pub async fn take_place(tx: &mut Tx, slot: Id<kind::CentreSlot>) -> Result<String> {
    let now = tx.now();
    let unit_path = sqlx::query_scalar!(
        "update centre_slot set used = used + 1
         where id = $1 and used < capacity and start_time > $2
         returning unit_path",
        slot.uuid(),
        now.to_sqlx()
    )
    .fetch_optional(tx.conn())
    .await?;
    unit_path.ok_or_else(|| Error::new(Reason::SlotFull))
}

/// Gives a place back.
pub async fn give_place(tx: &mut Tx, slot: Id<kind::CentreSlot>) -> Result<()> {
    sqlx::query!("update centre_slot set used = used - 1 where id = $1", slot.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

struct Row {
    id: Uuid,
    centre_slot_id: Uuid,
    enterprise_id: Uuid,
    unit_path: String,
    subject: String,
    state: BookingState,
    confirm_due_time: Option<jiff_sqlx::Timestamp>,
    create_time: Timestamp,
    version: i64,
}

fn entity(row: Row) -> Booking {
    Booking {
        id: Id::of(row.id),
        slot: Id::of(row.centre_slot_id),
        enterprise: Id::of(row.enterprise_id),
        unit_path: row.unit_path,
        subject: row.subject,
        confirm_due_time: row.confirm_due_time.map(Into::into),
        create_time: row.create_time,
        version: row.version,
        held: Held::row(row.state),
    }
}

macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, centre_slot_id, enterprise_id, unit_path, subject, state,
                confirm_due_time, create_time, version
             from centre_booking "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The bookings within the scope: also those of the enterprises that its officer serves. Its own arguments come
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

/// A booking within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::CentreBooking>, scope: &Scope) -> Result<Booking> {
    let row = seen!("and id = $5 for update", scope, id.uuid()).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// Bookings within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    slot: Option<Uuid>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Booking>> {
    let rows = seen!(
        "and id < $5 and ($6::uuid is null or centre_slot_id = $6)
         order by id desc
         limit $7",
        scope,
        crate::store::before(after),
        slot,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Stores a new booking, whose place was taken in the same unit of work.
///
/// # Errors
/// `ALREADY_EXISTS` when the enterprise has a place at this time.
pub async fn insert(tx: &mut Tx, booking: &Booking) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into centre_booking (id, centre_slot_id, enterprise_id, unit_path, subject, state,
            confirm_due_time, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, 1)",
        booking.id.uuid(),
        booking.slot.uuid(),
        booking.enterprise.uuid(),
        booking.unit_path,
        booking.subject,
        booking.state().wire(),
        booking.confirm_due_time.map(Timestamp::to_sqlx),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await
    .on_constraint("centre_booking_once", Reason::AlreadyExists)?;
    Ok(())
}

impl Settled for Booking {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let updated = sqlx::query!(
            "update centre_booking set state = $3, update_time = $4, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }

    async fn limits(&self, _: &mut Tx, _: ObligationKind) -> Result<Option<Limits>> {
        Ok(Some(Limits::promised(CONFIRM_WITHIN)))
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.unit_path.clone()
    }

    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        Some((self.enterprise, &self.unit_path))
    }
}
