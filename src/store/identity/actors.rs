//! What the gate must know of an actor at each call: open sessions, roles, memberships. Read from
//! the cache under the actor's name, or from PostgreSQL. Whoever changes any of it touches that
//! name, so that the change counts from the next call on, on every server (ID-02).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::{Actor, Item, Membership, Opened, Role, Roles},
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{
        Store,
        cache::{Looked, seal},
        liaison::content_accesses,
    },
};

/// The facts in the cache count only with our seal: they say what everybody may do.
const SEAL_PURPOSE: &str = "actor-standing";

/// What is known of an actor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Standing {
    /// Whose it is: an entry of another actor is not taken for it.
    name: String,
    /// The open sessions with their ends.
    sessions: Vec<(Uuid, Timestamp)>,
    /// What kind of actor it is.
    who: Who,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Who {
    Person {
        memberships: Vec<StoredMembership>,
        drives: bool,
    },
    Officer {
        unit: Uuid,
        reach: String,
        roles: Vec<String>,
        password_expired: bool,
        opened: Vec<StoredOpening>,
    },
    Device {
        checkpoint: Uuid,
    },
}

/// A file that was opened with a reason: an enterprise, or a unit by its path.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredOpening {
    enterprise: Option<Uuid>,
    path: Option<String>,
    until: Timestamp,
}

impl StoredOpening {
    fn at(&self, now: Timestamp) -> Option<Opened> {
        if self.until <= now {
            return None;
        }
        match (self.enterprise, &self.path) {
            (Some(enterprise), _) => Some(Opened::Enterprise(Id::of(enterprise))),
            (None, path) => path.clone().map(Opened::Unit),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredMembership {
    enterprise: Uuid,
    role: String,
    scope: Vec<String>,
    valid_until: Option<Timestamp>,
}

impl Standing {
    /// The actor of an open session at this instant.
    ///
    /// # Errors
    /// `SESSION_ENDED` when the session was ended, or is past its end.
    pub fn actor(&self, id: Uuid, session: Uuid, now: Timestamp) -> Result<Actor> {
        let open = self.sessions.iter().any(|(open, end)| *open == session && now < *end);
        if !open {
            return Err(Error::new(Reason::SessionEnded));
        }
        let session = Id::of(session);
        Ok(match &self.who {
            Who::Person { memberships, drives } => Actor::Person {
                person: Id::of(id),
                session,
                memberships: memberships.iter().filter_map(|m| m.at(now)).collect(),
                drives: *drives,
            },
            Who::Officer { unit, reach, roles, opened, .. } => Actor::Officer {
                officer: Id::of(id),
                session,
                unit: Id::of(*unit),
                unit_path: reach.clone(),
                roles: roles.iter().filter_map(|role| Role::from_wire(role)).collect::<Roles>(),
                opened: opened.iter().filter_map(|opening| opening.at(now)).collect(),
            },
            Who::Device { checkpoint } => {
                Actor::Device { device: Id::of(id), session, checkpoint: Id::of(*checkpoint) }
            }
        })
    }

    /// When a session ends by itself; `None` when it is not open.
    #[must_use]
    pub fn session_end(&self, session: Uuid) -> Option<Timestamp> {
        self.sessions.iter().find(|(open, _)| *open == session).map(|(_, end)| *end)
    }

    /// Whether an officer must change the password before anything else.
    #[must_use]
    pub const fn password_expired(&self) -> bool {
        matches!(self.who, Who::Officer { password_expired: true, .. })
    }
}

impl StoredMembership {
    fn at(&self, now: Timestamp) -> Option<Membership> {
        if self.valid_until.is_some_and(|until| until <= now) {
            return None;
        }
        Some(Membership {
            enterprise: Id::of(self.enterprise),
            role: Role::from_wire(&self.role)?,
            scope: self.scope.iter().filter_map(|item| Item::from_wire(item)).collect(),
        })
    }
}

/// The name of an actor, read: its collection and id.
pub fn read_name(name: &str) -> Result<(&'static str, Uuid)> {
    let refused = || Error::new(Reason::TokenInvalid);
    if let Ok(id) = Id::<kind::Device>::parse(name) {
        return Ok(("devices", id.uuid()));
    }
    if let Ok(id) = Id::<kind::Person>::parse(name) {
        return Ok(("persons", id.uuid()));
    }
    let officer = Id::<kind::Officer>::parse(name).map_err(|_| refused())?;
    Ok(("officers", officer.uuid()))
}

/// What is known of the actor: from the cache where it may be trusted, else from PostgreSQL.
pub async fn standing(store: &Store, name: &str, mark: [u8; 16]) -> Result<Standing> {
    let key = format!("actor:{name}");
    let mark = match store.cache().get(&key, mark).await {
        Looked::Hit(entry) => match open(store, name, &entry) {
            Some(standing) => return Ok(standing),
            // Not ours, another actor's, or of another version of the program: PostgreSQL knows.
            None => None,
        },
        Looked::Miss(mark) => Some(mark),
        Looked::Away => None,
    };
    let (version, standing) = load(store, name, &key).await?;
    if let Some(mark) = mark {
        let entry = seal::close(store.vault(), SEAL_PURPOSE, &standing)?;
        store.cache().fill(mark, version, &entry).await;
    }
    Ok(standing)
}

/// Opens an entry, where it is of this actor.
fn open(store: &Store, name: &str, entry: &[u8]) -> Option<Standing> {
    let standing: Standing = seal::open(store.vault(), SEAL_PURPOSE, entry)?;
    (standing.name == name).then_some(standing)
}

/// The key under which a change of the actor is announced.
#[must_use]
pub fn key(name: &str) -> String {
    format!("actor:{name}")
}

async fn load(store: &Store, name: &str, key: &str) -> Result<(i64, Standing)> {
    let (collection, id) = read_name(name)?;
    // One snapshot: facts and version belong together.
    let mut tx = store.snapshot().await?;
    let version = crate::store::version(&mut tx, key).await?;
    let sessions = sqlx::query!(
        "select id, expire_time
         from session
         where (person_id = $1 or officer_id = $1 or device_id = $1) and end_time is null
         order by id desc
         limit 100",
        id
    )
    .fetch_all(&mut *tx)
    .await?;
    let sessions = sessions.into_iter().map(|row| (row.id, row.expire_time.to_jiff())).collect();
    let who = match collection {
        "persons" => person(&mut tx, id).await?,
        "officers" => officer(&mut tx, id).await?,
        _ => device(&mut tx, id).await?,
    };
    tx.commit().await?;
    let who = who.ok_or_else(|| Error::new(Reason::SessionEnded))?;
    Ok((version, Standing { name: name.to_owned(), sessions, who }))
}

async fn person(connection: &mut PgConnection, id: Uuid) -> Result<Option<Who>> {
    let memberships = sqlx::query!(
        "select enterprise_id, role, scope, valid_until
         from member
         where person_id = $1 and end_time is null",
        id
    )
    .fetch_all(&mut *connection)
    .await?;
    let row = sqlx::query!(
        "select exists(
            select from driver where person_id = person.id and end_time is null
         ) as \"drives!\"
         from person where id = $1",
        id
    )
    .fetch_optional(connection)
    .await?;
    let memberships = memberships
        .into_iter()
        .map(|row| StoredMembership {
            enterprise: row.enterprise_id,
            role: row.role,
            scope: row.scope,
            valid_until: row.valid_until.map(Into::into),
        })
        .collect();
    Ok(row.map(|row| Who::Person { memberships, drives: row.drives }))
}

async fn officer(connection: &mut PgConnection, id: Uuid) -> Result<Option<Who>> {
    let row = sqlx::query!(
        "select unit_id, reach, roles, password_expired
         from officer join unit on unit.id = unit_id
         where officer.id = $1 and disable_time is null and close_time is null",
        id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Within the reach that the officer has now: who was moved to another unit takes nothing along.
    let opened = sqlx::query!(
        "select enterprise.id as \"enterprise?\", unit.reach as \"path?\", opening.create_time
         from content_access opening
         left join enterprise on enterprise.id = case
                when starts_with(opening.subject, 'enterprises/')
                then substr(opening.subject, 13)::uuid end
            and starts_with(enterprise.unit_path, $2)
         left join unit on unit.id = case
                when starts_with(opening.subject, 'units/')
                then substr(opening.subject, 7)::uuid end
            and starts_with(unit.reach, $2)
         where opening.officer_id = $1 and opening.action = 'OPEN'
         order by opening.id desc
         limit 20",
        id,
        row.reach
    )
    .fetch_all(connection)
    .await?;
    let opened = opened.into_iter().map(|opening| {
        let from = opening.create_time.to_jiff();
        let until = from.saturating_add(content_accesses::OPEN_FOR).unwrap_or(from);
        StoredOpening { enterprise: opening.enterprise, path: opening.path, until }
    });
    Ok(Some(Who::Officer {
        unit: row.unit_id,
        reach: row.reach,
        roles: row.roles,
        password_expired: row.password_expired,
        opened: opened.collect(),
    }))
}

async fn device(connection: &mut PgConnection, id: Uuid) -> Result<Option<Who>> {
    let row =
        sqlx::query!("select checkpoint_id from device where id = $1 and revoke_time is null", id)
            .fetch_optional(connection)
            .await?;
    Ok(row.map(|row| Who::Device { checkpoint: row.checkpoint_id }))
}
