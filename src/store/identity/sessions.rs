//! Sign-ins: one row is a family of refresh tokens, none of which is stored. No token and no rule
//! of how long one lasts.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::actors;
use crate::{
    actor::Actor,
    address::counted,
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Note, State as _},
        },
        identity::{
            officer::SOURCE_KNOWN,
            session::{Account, Family, IDLE_MAX, OPEN_MAX, lifetime},
            tenure::{End, Tenure},
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
    store::{Tx, common::history},
};

/// Whose sign-in it is; also the scope of every read of this room: own sessions only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A person of the mini-program.
    Person(Id<kind::Person>),
    /// An officer.
    Officer(Id<kind::Officer>),
    /// A device.
    Device(Id<kind::Device>),
}

impl Owner {
    /// The account of the actor; nobody has none.
    pub fn of(actor: &Actor) -> Result<Self> {
        match actor {
            Actor::Person { person, .. } => Ok(Self::Person(*person)),
            Actor::Officer { officer, .. } => Ok(Self::Officer(*officer)),
            Actor::Device { device, .. } => Ok(Self::Device(*device)),
            Actor::Anonymous | Actor::System { .. } => Err(Error::new(Reason::Denied)),
        }
    }

    /// The resource name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Person(id) => id.to_string(),
            Self::Officer(id) => id.to_string(),
            Self::Device(id) => id.to_string(),
        }
    }

    /// The bare id.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Person(id) => id.uuid(),
            Self::Officer(id) => id.uuid(),
            Self::Device(id) => id.uuid(),
        }
    }

    const fn account(self) -> Account {
        match self {
            Self::Person(_) => Account::Person,
            Self::Officer(_) => Account::Officer,
            Self::Device(_) => Account::Device,
        }
    }

    const fn columns(self) -> (Option<Uuid>, Option<Uuid>, Option<Uuid>) {
        match self {
            Self::Person(id) => (Some(id.uuid()), None, None),
            Self::Officer(id) => (None, Some(id.uuid()), None),
            Self::Device(id) => (None, None, Some(id.uuid())),
        }
    }
}

named! {
/// Why a session ended before its time: kept in the row and in its history.
EndReason {
    /// Its owner ended it.
    Owner = "OWNER", "本人退出";
    /// A refresh token was used twice.
    Reuse = "REUSE", "凭证重复使用";
    /// One more sign-in than may be open at once.
    TooMany = "TOO_MANY", "登录数超限";
    /// The password was changed.
    PasswordChanged = "PASSWORD_CHANGED", "密码已修改";
    /// The officer was disabled, or the device was revoked.
    AccountEnded = "ACCOUNT_ENDED", "账号已停用";
    /// An officer called nothing for too long.
    Idle = "IDLE", "长时间未操作";
    /// The officer's proofs were made anew, or the account was closed.
    CredentialsReset = "CREDENTIALS_RESET", "凭证已重置";
}
}

/// A sign-in.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: Id<kind::Session>,
    /// Whose it is.
    pub owner: Owner,
    /// How many refresh tokens it had; the last one alone may be used.
    pub generation: i32,
    /// The sign-in.
    pub create_time: Timestamp,
    /// The last refresh.
    pub refresh_time: Timestamp,
    /// When it must be signed in again.
    pub expire_time: Timestamp,
    /// When it was ended.
    pub end_time: Option<Timestamp>,
    /// What the client called itself.
    pub client: String,
    /// The address that signed in.
    pub address: String,
}

impl Session {
    /// What the rules of refreshing ask.
    #[must_use]
    pub const fn family(&self) -> Family {
        Family {
            generation: self.generation,
            refresh_time: self.refresh_time,
            expire_time: self.expire_time,
            ended: self.end_time.is_some(),
        }
    }
}

struct Row {
    id: Uuid,
    person_id: Option<Uuid>,
    officer_id: Option<Uuid>,
    device_id: Option<Uuid>,
    generation: i32,
    create_time: Timestamp,
    refresh_time: Timestamp,
    expire_time: Timestamp,
    end_time: Option<jiff_sqlx::Timestamp>,
    client: String,
    address: String,
}

fn entity(row: Row) -> Result<Session> {
    let owner = match (row.person_id, row.officer_id, row.device_id) {
        (Some(id), None, None) => Owner::Person(Id::of(id)),
        (None, Some(id), None) => Owner::Officer(Id::of(id)),
        (None, None, Some(id)) => Owner::Device(Id::of(id)),
        _ => return Err(Error::internal("a session without one owner")),
    };
    Ok(Session {
        id: Id::of(row.id),
        owner,
        generation: row.generation,
        create_time: row.create_time,
        refresh_time: row.refresh_time,
        expire_time: row.expire_time,
        end_time: row.end_time.map(Into::into),
        client: row.client,
        address: row.address,
    })
}

/// Every column of a session, in one place; `$filter` decides which rows.
macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, person_id, officer_id, device_id, generation, create_time, refresh_time,
                expire_time, end_time, client, address
             from session "# + $filter
            $(, $argument)*
        )
    };
}

/// Begins a session, in the unit of work that holds the owner's row, and ends the oldest ones
/// above the limit.
pub async fn insert(tx: &mut Tx, owner: Owner, client: &str) -> Result<Session> {
    let (id, now): (Id<kind::Session>, _) = (tx.cx().id(), tx.now());
    let address = tx.cx().address.map(|address| address.to_string()).unwrap_or_default();
    let expire_time = now.saturating_add(lifetime(owner.account())).map_err(Error::internal)?;
    let (person, officer, device) = owner.columns();
    let row = sqlx::query_as!(
        Row,
        r#"insert into session (id, person_id, officer_id, device_id, generation, create_time,
            refresh_time, expire_time, client, address, active_time)
         values ($1, $2, $3, $4, 1, $5, $5, $6, $7, $8, coalesce($9::timestamptz, 'infinity'))
         returning id, person_id, officer_id, device_id, generation, create_time, refresh_time,
            expire_time, end_time, client, address"#,
        id.uuid(),
        person,
        officer,
        device,
        now.to_sqlx(),
        expire_time.to_sqlx(),
        client,
        address,
        owner.account().idles().then_some(now.to_sqlx())
    )
    .fetch_one(tx.conn())
    .await?;
    let (_, change) =
        Change::begin(Tenure::Active, Deed::SignIn, Note::internal(owner.name()), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    end_oldest(tx, owner, id).await?;
    tx.touch(actors::key(&owner.name()));
    entity(row)
}

async fn end_oldest(tx: &mut Tx, owner: Owner, newest: Id<kind::Session>) -> Result<()> {
    let now = tx.now();
    let (person, officer, device) = owner.columns();
    let surplus = sqlx::query_scalar!(
        "select id from session
         where (person_id = $1 or officer_id = $2 or device_id = $3) and end_time is null
            and expire_time > $4 and id <> $5
         order by create_time desc, id desc
         offset $6
         for update",
        person,
        officer,
        device,
        now.to_sqlx(),
        newest.uuid(),
        OPEN_MAX - 1
    )
    .fetch_all(tx.conn())
    .await?;
    end_rows(tx, &surplus, EndReason::TooMany).await
}

/// The session of a refresh token, held until the unit of work ends. The token's own proof stands
/// in the place of a scope.
pub async fn lock_family(tx: &mut Tx, id: Id<kind::Session>) -> Result<Option<Session>> {
    let row = select!("where id = $1 for update", id.uuid()).fetch_optional(tx.conn()).await?;
    row.map(entity).transpose()
}

/// A session of the owner, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Session>, owner: Owner) -> Result<Session> {
    let found = lock_family(tx, id).await?.filter(|session| session.owner == owner);
    found.ok_or_else(|| Error::new(Reason::Denied).fact("resource", id))
}

/// Spends the refresh token of a session that this unit of work holds.
pub async fn advance(tx: &mut Tx, session: Session) -> Result<Session> {
    let now = tx.now();
    let generation = session.generation.saturating_add(1);
    sqlx::query!(
        "update session set generation = $2, refresh_time = $3 where id = $1",
        session.id.uuid(),
        generation,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(Session { generation, refresh_time: now, ..session })
}

/// Ends a session that this unit of work holds, at once and everywhere.
pub async fn end(tx: &mut Tx, session: Session, reason: EndReason) -> Result<Session> {
    end_rows(tx, &[session.id.uuid()], reason).await?;
    tx.touch(actors::key(&session.owner.name()));
    Ok(Session { end_time: Some(tx.now()), ..session })
}

/// Ends every open session of the owner but one, and says how many.
pub async fn end_others(
    tx: &mut Tx,
    owner: Owner,
    kept: Option<Id<kind::Session>>,
    reason: EndReason,
) -> Result<usize> {
    let (person, officer, device) = owner.columns();
    let open = sqlx::query_scalar!(
        "select id from session
         where (person_id = $1 or officer_id = $2 or device_id = $3) and end_time is null
            and id <> $4
         for update",
        person,
        officer,
        device,
        kept.map_or(Uuid::nil(), Id::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    end_rows(tx, &open, reason).await?;
    tx.touch(actors::key(&owner.name()));
    Ok(open.len())
}

/// The only writer of an end: rows and history together.
async fn end_rows(tx: &mut Tx, ids: &[Uuid], reason: EndReason) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    sqlx::query!(
        "update session set end_time = $2, end_reason = $3 where id = any($1)",
        ids,
        now.to_sqlx(),
        reason.wire()
    )
    .execute(tx.conn())
    .await?;
    for id in ids {
        let note = Note::none().reason(reason.wire());
        let (_, change) = Tenure::Active.advance(End::Revoke, note, tx.cx())?;
        history::write(tx, Id::<kind::Session>::of(*id).subject(), &change).await?;
    }
    Ok(())
}

/// Before this instant an officer must have called last, to be idle now.
pub(in crate::store) fn idle_before(now: Timestamp) -> Timestamp {
    now.checked_sub(IDLE_MAX).unwrap_or(Timestamp::MIN)
}

/// Whether nobody has called in a session for too long.
pub async fn is_idle(
    connection: &mut PgConnection,
    id: Id<kind::Session>,
    now: Timestamp,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        "select exists (select from session where id = $1 and active_time <= $2) as \"is!\"",
        id.uuid(),
        idle_before(now).to_sqlx()
    )
    .fetch_one(connection)
    .await?)
}

/// Open sessions in which nobody has called for too long.
pub async fn idle(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::Session>>> {
    let idle = sqlx::query_scalar!(
        "select id from session
         where officer_id is not null and end_time is null and active_time <= $1
         order by active_time
         limit $2",
        idle_before(now).to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(idle.into_iter().map(Id::of).collect())
}

/// Ends a session, should it be idle still.
pub async fn end_idle(tx: &mut Tx, id: Id<kind::Session>) -> Result<()> {
    let Some(session) = lock_family(tx, id).await? else { return Ok(()) };
    let now = tx.now();
    if session.end_time.is_none() && is_idle(tx.conn(), id, now).await? {
        end(tx, session, EndReason::Idle).await?;
    }
    Ok(())
}

/// Whether the officer has signed in lately from where somebody asks now.
pub async fn knows_source(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<bool> {
    let Some(asks) = tx.cx().address.map(counted) else { return Ok(false) };
    let since = tx.now().checked_sub(SOURCE_KNOWN).unwrap_or(Timestamp::MIN);
    let known = sqlx::query_scalar!(
        "select distinct address from session where officer_id = $1 and create_time > $2",
        officer.uuid(),
        since.to_sqlx()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(known.iter().filter_map(|it| it.parse().ok()).any(|known| counted(known) == asks))
}

/// The open sessions of the owner, newest first, after the cursor.
pub async fn list_open(
    connection: &mut PgConnection,
    owner: Owner,
    now: Timestamp,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Session>> {
    let (person, officer, device) = owner.columns();
    let rows = select!(
        "where (person_id = $1 or officer_id = $2 or device_id = $3) and end_time is null
            and expire_time > $4 and id < $5
         order by id desc
         limit $6",
        person,
        officer,
        device,
        now.to_sqlx(),
        crate::store::before(after),
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(entity).collect()
}
