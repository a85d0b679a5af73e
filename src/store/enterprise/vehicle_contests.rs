//! Contests of vehicles: rows and their scope. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    actor::{Item, Scope},
    domain::{
        common::{
            follow::To,
            lifecycle::Held,
            notice::{Audience, Facts, NoticeEvent},
        },
        enterprise::{
            contest::{Contest, ContestState, VehicleRuling},
            vehicle::VehicleForm,
        },
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, common::notices::Telling, rise, steps::Settled},
};

struct Row {
    id: Uuid,
    vehicle_id: Uuid,
    enterprise_id: Uuid,
    filed_by: String,
    plate_number: String,
    plate_type: String,
    licence: Json<VehicleForm>,
    statement: String,
    attachment_ids: Vec<Uuid>,
    state: ContestState,
    reason_code: Option<VehicleRuling>,
    reason_note: String,
    create_time: Timestamp,
    decide_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row) -> Contest {
    Contest {
        id: Id::of(row.id),
        vehicle: Id::of(row.vehicle_id),
        enterprise: Id::of(row.enterprise_id),
        filed_by: row.filed_by,
        plate_number: row.plate_number,
        plate_type: row.plate_type,
        licence: row.licence.0,
        statement: row.statement,
        attachments: row.attachment_ids.into_iter().map(Id::of).collect(),
        reason: row.reason_code,
        reason_note: row.reason_note,
        create_time: row.create_time,
        decide_time: row.decide_time.map(Into::into),
        version: row.version,
        held: Held::row(row.state),
    }
}

/// Every column of a contest. Its enterprise sees it, and officers who see both enterprises; the holder
/// does not: who contests is not told.
macro_rules! select {
    ($filter:literal, $scope:expr $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, vehicle_id, enterprise_id, filed_by, plate_number, plate_type,
                licence as "licence: Json<VehicleForm>", statement, attachment_ids, state,
                reason_code, reason_note, create_time, decide_time, version
             from vehicle_contest
             where ($1 or enterprise_id = any($2)
                or ($3::text is not null
                    and exists (select from enterprise
                        where enterprise.id = vehicle_contest.enterprise_id
                            and starts_with(unit_path, $3))
                    and exists (select from vehicle
                        join enterprise on enterprise.id = vehicle.enterprise_id
                        where vehicle.id = vehicle_contest.vehicle_id
                            and starts_with(unit_path, $3)))) "# + $filter,
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path
            $(, $argument)*
        )
    };
}

/// A contest within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::VehicleContest>, scope: &Scope) -> Result<Contest> {
    let row = select!("and id = $4 for update", scope, id.uuid()).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One vehicle.
    pub vehicle: Option<Uuid>,
    /// One state.
    pub state: Option<&'static str>,
}

/// Contests within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Contest>> {
    let rows = select!(
        "and id < $4 and ($5::uuid is null or vehicle_id = $5)
            and ($6::text is null or state = $6)
         order by id desc
         limit $7",
        scope,
        crate::store::before(after),
        filter.vehicle,
        filter.state,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The open contests of a vehicle, held until the unit of work ends.
pub async fn lock_open(tx: &mut Tx, vehicle: Id<kind::Vehicle>) -> Result<Vec<Contest>> {
    let everything = Scope::everything("whoever rules on a vehicle ends what others filed of it");
    let rows = select!(
        "and vehicle_id = $4 and state = 'OPEN' order by id for update",
        everything,
        vehicle.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Files a contest.
///
/// # Errors
/// `ALREADY_EXISTS` when the enterprise has one open of this vehicle.
pub async fn insert(tx: &mut Tx, contest: &Contest) -> Result<()> {
    let papers: Vec<Uuid> = contest.attachments.iter().map(|paper| paper.uuid()).collect();
    sqlx::query!(
        "insert into vehicle_contest (id, vehicle_id, enterprise_id, filed_by, plate_number,
            plate_type, licence, statement, attachment_ids, state, reason_note, create_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12)",
        contest.id.uuid(),
        contest.vehicle.uuid(),
        contest.enterprise.uuid(),
        contest.filed_by,
        contest.plate_number,
        contest.plate_type,
        Json(&contest.licence) as _,
        contest.statement,
        &papers,
        contest.state().wire(),
        contest.create_time.to_sqlx(),
        contest.version
    )
    .execute(tx.conn())
    .await
    .on_constraint("vehicle_contest_once", Reason::AlreadyExists)?;
    Ok(())
}

impl Settled for Contest {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let updated = sqlx::query!(
            "update vehicle_contest
             set state = $3, reason_code = $4, reason_note = $5, decide_time = $6,
                version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.reason.map(VehicleRuling::wire),
            self.reason_note,
            self.decide_time.map(Timestamp::to_sqlx)
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }

    /// Who filed it; or the holder, who learns that another enterprise, which is not named, says that the vehicle is
    /// theirs.
    async fn told(&self, tx: &mut Tx, event: NoticeEvent, to: To) -> Result<Vec<Telling>> {
        let facts = Facts { plate: self.plate_number.clone(), ..Facts::default() };
        let of_step = |whom| Telling::of_step(self.id.subject(), self.version, event, whom, facts);
        if to != To::Holder {
            return Ok(vec![of_step(Audience::Enterprise(self.enterprise, Item::Pass))]);
        }
        let holder = sqlx::query_scalar!(
            "select enterprise_id from vehicle where id = $1",
            self.vehicle.uuid()
        )
        .fetch_one(tx.conn())
        .await?;
        let telling = of_step(Audience::Enterprise(Id::of(holder), Item::Pass));
        let (subject, cause) = (self.vehicle.to_string(), self.id.to_string());
        Ok(vec![Telling { subject, cause, ..telling }])
    }
}

/// Which kinds the complete papers of the enterprise among these are of.
pub async fn papers(
    tx: &mut Tx,
    enterprise: Id<kind::Enterprise>,
    papers: &[Id<kind::Attachment>],
) -> Result<Vec<(Id<kind::Attachment>, String)>> {
    let ids: Vec<Uuid> = papers.iter().map(|paper| paper.uuid()).collect();
    let rows = sqlx::query!(
        "select id, kind from attachment
         where id = any($1) and enterprise_id = $2 and complete_time is not null
            and conversation_id is null",
        &ids,
        enterprise.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::of(row.id), row.kind)).collect())
}
