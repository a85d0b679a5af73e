//! Liaison posts: rows, rosters, presence. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        liaison::{Duty, Post, PostMode},
        pass::application::NeedWindow,
    },
    error::{Reason, Result},
    id::{Id, Subject, kind},
    store::{OnConstraint as _, Tx, Vault, column::unreadable, rise, steps::Settled},
};

struct Row {
    id: Uuid,
    unit_id: Uuid,
    unit_path: String,
    display_name: String,
    mode: PostMode,
    duty_hours: Json<Vec<NeedWindow>>,
    capacity_max: i32,
    districts: Vec<String>,
    industries: Vec<String>,
    create_time: Timestamp,
    version: i64,
}

fn entity(row: Row) -> Result<Post> {
    Ok(Post {
        id: Id::of(row.id),
        unit: Id::of(row.unit_id),
        unit_path: row.unit_path,
        display_name: row.display_name,
        mode: row.mode,
        duty: Duty::new(row.duty_hours.0)
            .map_err(|_| unreadable("liaison_post", "duty_hours", row.id))?,
        capacity_max: row.capacity_max,
        districts: row.districts,
        industries: row.industries,
        create_time: row.create_time,
        version: row.version,
    })
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, unit_id, unit_path, display_name, mode,
                duty_hours as "duty_hours: Json<Vec<NeedWindow>>", capacity_max, districts,
                industries, create_time, version
             from liaison_post "# + $filter
            $(, $argument)*
        )
    };
}

/// A post that the reader may know: within the units in reach, on its roster, or serving an
/// enterprise of the reader.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::LiaisonPost>,
    scope: &Scope,
) -> Result<Post> {
    let row = select!(
        "where id = $1 and ($2 or ($3::text is not null and starts_with(unit_path, $3))
            or exists (select from liaison_roster where liaison_post_id = liaison_post.id
                and officer_id = $4 and liaison_roster.end_time is null)
            or exists (select from liaison_binding where liaison_post_id = liaison_post.id
                and enterprise_id = any($5) and liaison_binding.end_time is null)
            or exists (select from enterprise where enterprise.id = any($5)
                and (division_code = any(districts) or industry = any(industries))))",
        id.uuid(),
        scope.all,
        scope.unit_path,
        scope.officer,
        &scope.enterprises
    )
    .fetch_optional(connection)
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// A post by its id alone: for a signed code, whose holder need not know the post yet.
pub async fn named(
    connection: &mut PgConnection,
    id: Id<kind::LiaisonPost>,
) -> Result<Option<Post>> {
    select!("where id = $1", id.uuid()).fetch_optional(connection).await?.map(entity).transpose()
}

/// A post of the units in reach, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::LiaisonPost>, scope: &Scope) -> Result<Post> {
    let row = select!(
        "where id = $1 and ($2 or ($3::text is not null and starts_with(unit_path, $3)))
         for update",
        id.uuid(),
        scope.all,
        scope.unit_path
    )
    .fetch_optional(tx.conn())
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?)
}

/// The posts that serve an enterprise of the reader.
pub async fn serving(
    connection: &mut PgConnection,
    enterprise: Id<kind::Enterprise>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Post>> {
    let rows = select!(
        "where id < $1 and ($2::uuid = any($3)
                or ($4::text is not null and starts_with(unit_path, $4)))
            and (exists (select from liaison_binding where liaison_post_id = liaison_post.id
                    and enterprise_id = $2 and liaison_binding.end_time is null)
                or exists (select from enterprise where enterprise.id = $2
                    and (division_code = any(districts)
                        or (industry <> '' and industry = any(industries)))))
         order by id desc
         limit $5",
        crate::store::before(after),
        enterprise.uuid(),
        &scope.enterprises,
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(entity).collect()
}

/// The posts of the units in reach, newest first.
pub async fn list(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Post>> {
    let rows = select!(
        "where id < $1 and ($2::text is not null and starts_with(unit_path, $2))
         order by id desc
         limit $3",
        crate::store::before(after),
        scope.unit_path,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(entity).collect()
}

/// Stores a new post.
pub async fn insert(tx: &mut Tx, post: &Post) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into liaison_post (id, unit_id, unit_path, display_name, mode, duty_hours,
            capacity_max, districts, industries, create_time, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 1)",
        post.id.uuid(),
        post.unit.uuid(),
        post.unit_path,
        post.display_name,
        post.mode.wire(),
        Json(post.duty.windows()) as _,
        post.capacity_max,
        &post.districts,
        &post.industries,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl Settled for Post {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let updated = sqlx::query!(
            "update liaison_post set display_name = $3, duty_hours = $4, capacity_max = $5,
                districts = $6, industries = $7, update_time = $8, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.display_name,
            Json(self.duty.windows()) as _,
            self.capacity_max,
            &self.districts,
            &self.industries,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        Ok(self)
    }
}

/// An officer on a post.
#[derive(Debug, Clone)]
pub struct Rostered {
    /// Who.
    pub officer: Id<kind::Officer>,
    /// The full name.
    pub full_name: String,
    /// The police number.
    pub police_number: String,
    /// At the desk.
    pub present: bool,
    /// Since when on the post.
    pub create_time: Timestamp,
}

/// Who is on a post.
pub async fn roster(
    connection: &mut PgConnection,
    vault: &Vault,
    post: Id<kind::LiaisonPost>,
) -> Result<Vec<Rostered>> {
    let rows = sqlx::query!(
        "select liaison_roster.officer_id, full_name_sealed, police_number,
            coalesce(present, false) as \"present!\", liaison_roster.create_time
         from liaison_roster
         join officer on officer.id = liaison_roster.officer_id
         left join presence on presence.officer_id = liaison_roster.officer_id
         where liaison_post_id = $1 and end_time is null
         order by liaison_roster.id",
        post.uuid()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Rostered {
                officer: Id::of(row.officer_id),
                full_name: vault.open_text("full-name", &row.full_name_sealed)?,
                police_number: row.police_number,
                present: row.present,
                create_time: row.create_time.to_jiff(),
            })
        })
        .collect()
}

/// Puts an officer of the scope's units with the role on the roster. False where there is none.
pub async fn assign(
    tx: &mut Tx,
    post: Id<kind::LiaisonPost>,
    officer: Id<kind::Officer>,
    scope: &Scope,
) -> Result<bool> {
    let id = tx.cx().ids().next::<kind::LiaisonPost>(tx.now()).uuid();
    let now = tx.now();
    let assigned = sqlx::query!(
        "insert into liaison_roster (id, liaison_post_id, officer_id, create_time)
         select $1, $2, officer.id, $4
         from officer join unit on unit.id = unit_id
         where officer.id = $3 and disable_time is null and close_time is null
            and 'LIAISON_OFFICER' = any (roles)
            and ($5::text is not null and starts_with(path, $5))",
        id,
        post.uuid(),
        officer.uuid(),
        now.to_sqlx(),
        scope.unit_path
    )
    .execute(tx.conn())
    .await
    .on_constraint("liaison_roster_once", Reason::AlreadyExists)?;
    Ok(assigned.rows_affected() == 1)
}

/// Takes an officer off the roster. False where the officer is not on it.
pub async fn dismiss(
    tx: &mut Tx,
    post: Id<kind::LiaisonPost>,
    officer: Id<kind::Officer>,
) -> Result<bool> {
    let now = tx.now();
    let dismissed = sqlx::query!(
        "update liaison_roster set end_time = $3
         where liaison_post_id = $1 and officer_id = $2 and end_time is null",
        post.uuid(),
        officer.uuid(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(dismissed.rows_affected() == 1)
}

/// Whether the officer is on the roster, and how many conversations of the post the officer holds;
/// both held until the unit of work ends, so that two claims cannot pass the capacity together.
pub async fn lock_seat(
    tx: &mut Tx,
    post: Id<kind::LiaisonPost>,
    officer: Id<kind::Officer>,
) -> Result<Option<i64>> {
    let seat = sqlx::query_scalar!(
        "select id from liaison_roster
         where liaison_post_id = $1 and officer_id = $2 and end_time is null
         for update",
        post.uuid(),
        officer.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    if seat.is_none() {
        return Ok(None);
    }
    let held = sqlx::query_scalar!(
        "select count(*) as \"held!\" from conversation
         where assignee_id = $2 and state = 'CLAIMED' and liaison_post_id = $1",
        post.uuid(),
        officer.uuid()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Some(held))
}

/// Says whether an officer is at the desk.
pub async fn set_presence(tx: &mut Tx, officer: Id<kind::Officer>, present: bool) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into presence (officer_id, present, update_time) values ($1, $2, $3)
         on conflict on constraint presence_pkey do update set
            present = excluded.present, update_time = excluded.update_time",
        officer.uuid(),
        present,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether an officer is at the desk.
pub async fn present(connection: &mut PgConnection, officer: Id<kind::Officer>) -> Result<bool> {
    let present =
        sqlx::query_scalar!("select present from presence where officer_id = $1", officer.uuid())
            .fetch_optional(connection)
            .await?;
    Ok(present.unwrap_or(false))
}

/// Whether anybody of a post is at the desk.
pub async fn anybody_present(
    connection: &mut PgConnection,
    post: Id<kind::LiaisonPost>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from liaison_roster
            join presence on presence.officer_id = liaison_roster.officer_id
            where liaison_post_id = $1 and end_time is null and present) as \"anybody!\"",
        post.uuid()
    )
    .fetch_one(connection)
    .await?)
}

/// Stores a contact way of a post.
pub async fn insert_contact_way(
    tx: &mut Tx,
    post: Id<kind::LiaisonPost>,
    config_id: &str,
    qr_code: &str,
    state_digest: &[u8],
) -> Result<()> {
    let id = tx.cx().ids().next::<kind::LiaisonPost>(tx.now()).uuid();
    let now = tx.now();
    sqlx::query!(
        "insert into contact_way (id, liaison_post_id, config_id, qr_code, state_digest, create_time)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        post.uuid(),
        config_id,
        qr_code,
        state_digest,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The post of a contact way, by the digest of its state.
pub async fn contact_way(
    connection: &mut PgConnection,
    state_digest: &[u8],
) -> Result<Option<Id<kind::LiaisonPost>>> {
    let post = sqlx::query_scalar!(
        "select liaison_post_id from contact_way where state_digest = $1",
        state_digest
    )
    .fetch_optional(connection)
    .await?;
    Ok(post.map(Id::of))
}
