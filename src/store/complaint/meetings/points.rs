//! The points of joint meetings, and those that wait for one: rows, who sees them, and their scope. No
//! rule of what may be done.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::lifecycle::Held,
        complaint::{
            Complaint,
            meeting::{MeetingPoint, PointState, Seat, open_from},
        },
        duty::obligation::ObligationKind,
    },
    error::Result,
    id::{Id, Subject, kind},
    store::{self, Tx, rise, steps::Settled},
};

struct Row {
    id: Uuid,
    joint_meeting_id: Option<Uuid>,
    collection: Option<String>,
    subject_id: Option<Uuid>,
    enterprise_id: Option<Uuid>,
    unit_path: String,
    title: String,
    note: String,
    state: PointState,
    decision: String,
    owing_unit_id: Option<Uuid>,
    owing_path: Option<String>,
    due_day: Option<jiff_sqlx::Date>,
    outcome: String,
    create_time: Timestamp,
    version: i64,
}

fn point(row: Row) -> MeetingPoint {
    let owing = row.owing_unit_id.zip(row.owing_path);
    MeetingPoint {
        id: Id::of(row.id),
        meeting: row.joint_meeting_id.map(Id::of),
        subject: row.collection.zip(row.subject_id),
        enterprise: row.enterprise_id.map(Id::of),
        unit_path: row.unit_path,
        title: row.title,
        note: row.note,
        decision: row.decision,
        owing: owing.map(|(unit, path)| Seat { unit: Id::of(unit), path }),
        due_day: row.due_day.map(Into::into),
        outcome: row.outcome,
        create_time: row.create_time,
        version: row.version,
        held: Held::row(row.state),
    }
}

macro_rules! points {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, joint_meeting_id, collection, subject_id, enterprise_id, unit_path, title, note,
                state, decision, owing_unit_id, owing_path, due_day,
                outcome, create_time, version "# + $filter
            $(, $argument)*
        )
    };
}

/// A point within the scope: one that the units in reach are concerned with, or about the enterprise;
/// one about a complaint for who acts for the enterprise in requests.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::MeetingPoint>,
    scope: &Scope,
    requests: &Scope,
) -> Result<MeetingPoint> {
    let row = points!(
        "from meeting_point
         where id = $1 and (enterprise_id = any($3)
                and (collection is distinct from 'complaints' or enterprise_id = any($4))
            or exists (
                select from meeting_point_sight where meeting_point_id = id and reach = $2))",
        id.uuid(),
        scope.unit_path,
        &scope.enterprises,
        &requests.enterprises
    )
    .fetch_optional(connection)
    .await?;
    Ok(point(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The same for the police, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::MeetingPoint>, scope: &Scope) -> Result<MeetingPoint> {
    let row = points!(
        "from meeting_point
         where id = $1 and exists (
            select from meeting_point_sight where meeting_point_id = id and reach = $2)
         for update",
        id.uuid(),
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(point(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The point about a subject that has not ended, held until the unit of work ends. The caller has
/// read the subject within the scope.
pub async fn lock_open(tx: &mut Tx, subject: Subject) -> Result<Option<MeetingPoint>> {
    let row = points!(
        "from meeting_point
         where subject_id = $1 and collection = $2 and state not in ('SETTLED', 'DROPPED')
         for update",
        subject.uuid,
        subject.collection
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(point))
}

/// How many points of a meeting are undecided.
pub async fn undecided(tx: &mut Tx, meeting: Id<kind::JointMeeting>) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "select count(*) as \"count!\" from meeting_point
         where joint_meeting_id = $1 and state = 'LISTED'",
        meeting.uuid()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// What a list of points is narrowed to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// What this unit, which the caller has read within the scope, and those below are concerned with.
    pub unit_path: Option<&'a str>,
    /// Only what is on the list of this meeting.
    pub meeting: Option<Uuid>,
    /// Only what has not ended.
    pub open: bool,
}

/// Points within the scope, by their place: open ones first.
pub async fn list(
    connection: &mut PgConnection,
    filter: Filter<'_>,
    (scope, requests): (&Scope, &Scope),
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<MeetingPoint>> {
    let before = store::before(after);
    let from = if filter.open { open_from() } else { Uuid::nil() };
    let rows = match (filter.unit_path.or(scope.unit_path.as_deref()), filter.meeting) {
        (Some(reach), None) => {
            points!(
                "from (
                    select meeting_point_id from meeting_point_sight
                    where reach = $1 and place < $2 and place >= $3
                    order by place desc
                    limit $4
                 ) as seen join meeting_point on id = meeting_point_id
                 order by place desc",
                reach,
                before,
                from,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (Some(reach), Some(meeting)) => {
            points!(
                "from meeting_point
                 where joint_meeting_id = $1 and place < $2 and place >= $3 and exists (
                    select from meeting_point_sight where meeting_point_id = id and reach = $4)
                 order by place desc
                 limit $5",
                meeting,
                before,
                from,
                reach,
                rows
            )
            .fetch_all(connection)
            .await?
        }
        (None, meeting) => {
            points!(
                "from unnest($1::uuid[]) as own (enterprise) cross join lateral (
                    select * from meeting_point
                    where enterprise_id = enterprise and place < $2 and place >= $3
                        and (collection is distinct from 'complaints' or enterprise = any($6))
                        and ($4::uuid is null or joint_meeting_id = $4)
                    order by place desc
                    limit $5
                 ) as meeting_point
                 order by place desc
                 limit $5",
                &scope.enterprises,
                before,
                from,
                meeting,
                rows,
                &requests.enterprises
            )
            .fetch_all(connection)
            .await?
        }
    };
    Ok(rows.into_iter().map(point).collect())
}

/// Lets a complaint that was escalated wait for the joint meeting of the unit in charge.
pub async fn wait(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    let cx = &tx.cx().clone();
    let point = MeetingPoint::of_complaint(complaint, cx);
    if lock_open(tx, complaint.id.subject()).await?.is_none() {
        tx.settle_first(point.wait(cx), insert).await?;
    }
    Ok(())
}

/// Drops the point that waits for a meeting about a complaint that was concluded without one.
pub async fn concluded(tx: &mut Tx, complaint: &Complaint) -> Result<()> {
    let cx = &tx.cx().clone();
    let waiting = lock_open(tx, complaint.id.subject()).await?;
    match waiting.filter(|point| point.state() == PointState::Waiting) {
        Some(point) => {
            tx.settle_now(point.drop_for(complaint.conclusion.clone(), cx)?).await?;
            Ok(())
        }
        None => Ok(()),
    }
}

/// Stores a new point.
pub async fn insert(tx: &mut Tx, point: &MeetingPoint) -> Result<()> {
    let now = tx.now();
    let (collection, subject) = point.subject.clone().unzip();
    sqlx::query!(
        "insert into meeting_point (id, joint_meeting_id, collection, subject_id, enterprise_id,
            unit_path, title, note, state, place, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 1)",
        point.id.uuid(),
        point.meeting.map(Id::uuid),
        collection,
        subject,
        point.enterprise.map(Id::uuid),
        point.unit_path,
        point.title,
        point.note,
        point.state().wire(),
        point.place(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    see(tx, point).await?;
    Ok(())
}

impl Settled for MeetingPoint {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let owing = self.owing.as_ref();
        let updated = sqlx::query!(
            "update meeting_point set joint_meeting_id = $3, note = $4, state = $5, decision = $6,
                owing_unit_id = $7, owing_path = $8, due_day = $9, outcome = $10, place = $11,
                update_time = $12, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.meeting.map(Id::uuid),
            self.note,
            self.state().wire(),
            self.decision,
            owing.map(|seat| seat.unit.uuid()),
            owing.map(|seat| seat.path.as_str()),
            self.due_day.map(Date::to_sqlx),
            self.outcome,
            self.place(),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        see(tx, &self).await?;
        Ok(self)
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.owing.as_ref().map(|seat| seat.path.clone()).unwrap_or_default()
    }

    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        // What a point is about asks by itself, or is beyond asking; a free text has nothing else.
        let owing = self.owing.as_ref().filter(|_| self.subject.is_none());
        self.enterprise.zip(owing.map(|seat| seat.path.as_str()))
    }
}

/// Lets every unit above those in charge, above those that take part in the meeting and above the one
/// that owes it see the point where it stands now.
async fn see(tx: &mut Tx, point: &MeetingPoint) -> Result<()> {
    let owing = point.owing.iter().map(|seat| seat.path.clone());
    let paths: Vec<String> = std::iter::once(point.unit_path.clone()).chain(owing).collect();
    sqlx::query!(
        "insert into meeting_point_sight (meeting_point_id, reach, place)
         select $1, reach, $2
         from (
            select unnest($3::text[]) as path
            union
            select unnest(unit_paths || unit_path) from joint_meeting where id = $4
         ) as concerned cross join lateral reaches(path) as reach
         group by reach
         on conflict (meeting_point_id, reach) do nothing",
        point.id.uuid(),
        point.place(),
        &paths,
        point.meeting.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "update meeting_point_sight set place = $2 where meeting_point_id = $1 and place <> $2",
        point.id.uuid(),
        point.place()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
