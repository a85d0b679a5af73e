//! Joint meetings: rows, who sees them, and their scope. What is on their lists stands in `points`. No
//! rule of what may be done.

pub mod points;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::lifecycle::Held,
        complaint::meeting::{JointMeeting, MeetingState, Seat},
    },
    error::Result,
    id::{Id, Subject, kind},
    store::{Tx, rise, steps::Settled},
};

struct MeetingRow {
    id: Uuid,
    unit_id: Uuid,
    unit_path: String,
    title: String,
    place: String,
    meet_time: Timestamp,
    unit_ids: Vec<Uuid>,
    unit_paths: Vec<String>,
    enterprise_ids: Vec<Uuid>,
    minutes: String,
    state: MeetingState,
    create_time: Timestamp,
    close_time: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn meeting(row: MeetingRow) -> JointMeeting {
    let guests = row.unit_ids.into_iter().zip(row.unit_paths);
    JointMeeting {
        id: Id::of(row.id),
        host: Seat { unit: Id::of(row.unit_id), path: row.unit_path },
        title: row.title,
        place: row.place,
        meet_time: row.meet_time,
        guests: guests.map(|(unit, path)| Seat { unit: Id::of(unit), path }).collect(),
        enterprises: row.enterprise_ids.into_iter().map(Id::of).collect(),
        minutes: row.minutes,
        create_time: row.create_time,
        close_time: row.close_time.map(Into::into),
        version: row.version,
        held: Held::row(row.state),
    }
}

macro_rules! meetings {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            MeetingRow,
            r#"select id, unit_id, unit_path, title, place, meet_time, unit_ids, unit_paths,
                enterprise_ids, minutes, state, create_time, close_time, version
             from joint_meeting "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The meetings within the scope: of the units in reach, and those to which they, or the enterprise, are invited.
/// Its own arguments come first; those of `$rest` begin at `$4`.
macro_rules! seen {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        meetings!(
            "where ($1 or enterprise_ids && $2 or ($3::text is not null and exists (
                select from unnest(unit_paths || unit_path) as path
                where starts_with(path, $3)))) " $rest,
            $scope.all,
            &$scope.enterprises,
            $scope.unit_path
            $(, $argument)*
        )
    };
}

/// A meeting within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::JointMeeting>,
    scope: &Scope,
) -> Result<JointMeeting> {
    let row = seen!("and id = $4", scope, id.uuid()).fetch_optional(connection).await?;
    Ok(meeting(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The same for the police, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::JointMeeting>, scope: &Scope) -> Result<JointMeeting> {
    let row = meetings!(
        "where id = $1 and $2::text is not null and exists (
            select from unnest(unit_paths || unit_path) as path where starts_with(path, $2))
         for update",
        id.uuid(),
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(meeting(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// Meetings within the scope, newest first.
pub async fn list(
    connection: &mut PgConnection,
    state: Option<&str>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<JointMeeting>> {
    let rows = seen!(
        "and id < $4 and ($5::text is null or state = $5)
         order by id desc
         limit $6",
        scope,
        crate::store::before(after),
        state,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(meeting).collect())
}

/// The seats of those units that exist. Units are known to everybody who is signed in.
pub async fn seats(connection: &mut PgConnection, units: &[Uuid]) -> Result<Vec<Seat>> {
    let rows = sqlx::query!("select id, path from unit where id = any($1) order by path", units)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| Seat { unit: Id::of(row.id), path: row.path }).collect())
}

/// Those of the enterprises that are in reach.
pub async fn invitable(
    connection: &mut PgConnection,
    enterprises: &[Uuid],
    scope: &Scope,
) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from enterprise
         where id = any($1) and $2::text is not null and starts_with(unit_path, $2)
            and state in ('VERIFIED', 'SUSPENDED')
         order by id",
        enterprises,
        scope.unit_path
    )
    .fetch_all(connection)
    .await?)
}

/// Stores a new meeting.
pub async fn insert(tx: &mut Tx, meeting: &JointMeeting) -> Result<()> {
    let now = tx.now();
    let units: Vec<Uuid> = meeting.guests.iter().map(|seat| seat.unit.uuid()).collect();
    let paths: Vec<String> = meeting.guests.iter().map(|seat| seat.path.clone()).collect();
    let enterprises: Vec<Uuid> = meeting.enterprises.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "insert into joint_meeting (id, unit_id, unit_path, title, place, meet_time, unit_ids,
            unit_paths, enterprise_ids, state, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 1)",
        meeting.id.uuid(),
        meeting.host.unit.uuid(),
        meeting.host.path,
        meeting.title,
        meeting.place,
        meeting.meet_time.to_sqlx(),
        &units,
        &paths,
        &enterprises,
        meeting.state().wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl Settled for JointMeeting {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let updated = sqlx::query!(
            "update joint_meeting set state = $3, minutes = $4, close_time = $5, update_time = $6,
                version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.minutes,
            self.close_time.map(Timestamp::to_sqlx),
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }
}
