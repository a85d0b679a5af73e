//! Police and auxiliary officers: who they are, what they may do, and what proves them. Names leave
//! masked; no password is judged here.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::actors;
use crate::{
    actor::{Role, Roles, Scope},
    domain::{
        codes::{Phone, PoliceNumber, mask},
        common::{
            deed::Deed,
            lifecycle::{Change, Moved, Note},
        },
        identity::{
            officer::{self, Known},
            tenure::Tenure,
        },
    },
    error::{Error, Faults, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Tx, Vault, column::unreadable, common::history},
};

/// An officer as the administrators' desk shows it.
#[derive(Debug, Clone)]
pub struct Officer {
    /// Its id.
    pub id: Id<kind::Officer>,
    /// Six digits.
    pub police_number: String,
    /// The masked name.
    pub display_name: String,
    /// The unit.
    pub unit: Id<kind::Unit>,
    /// The roles.
    pub roles: Roles,
    /// When the access ended.
    pub disable_time: Option<Timestamp>,
    /// Whether the password must be changed before anything else.
    pub password_expired: bool,
    /// The masked phone, to which codes go; empty where none is known.
    pub phone: String,
    /// Whether the officer has proofs to come in with.
    pub enrolled: bool,
    /// When the account was closed because nobody used it.
    pub close_time: Option<Timestamp>,
    /// Until when failed sign-ins lock it, for sources that it does not know.
    pub locked_until: Option<Timestamp>,
    /// Rises with each change.
    pub version: i64,
}

/// An officer to be.
pub struct NewOfficer {
    /// Not yet taken.
    pub police_number: PoliceNumber,
    /// The full name.
    pub full_name: String,
    /// The unit.
    pub unit: Id<kind::Unit>,
    /// The roles.
    pub roles: Roles,
    /// Where the codes go.
    pub phone: Option<Phone>,
    /// Proofs that everybody knows: of the demo city alone. Whoever is real makes them by an enrolment.
    pub public: Option<Proofs>,
}

/// What an officer comes in with.
pub struct Proofs {
    /// A hash of the password, in the PHC format.
    pub password_hash: String,
    /// The secret of the one-time codes, raw.
    pub totp_secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proofs")
    }
}

impl std::fmt::Debug for NewOfficer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewOfficer({})", self.police_number)
    }
}

struct Row {
    id: Uuid,
    police_number: String,
    full_name_sealed: Vec<u8>,
    unit_id: Uuid,
    roles: Vec<String>,
    disable_time: Option<jiff_sqlx::Timestamp>,
    password_expired: bool,
    phone_sealed: Option<Vec<u8>>,
    enrolled: bool,
    close_time: Option<jiff_sqlx::Timestamp>,
    locked_until: Option<jiff_sqlx::Timestamp>,
    version: i64,
}

fn entity(row: Row, vault: &Vault) -> Result<Officer> {
    Ok(Officer {
        id: Id::of(row.id),
        police_number: row.police_number,
        display_name: mask::name(&vault.open_text("full-name", &row.full_name_sealed)?),
        unit: Id::of(row.unit_id),
        roles: row.roles.iter().filter_map(|role| Role::from_wire(role)).collect(),
        disable_time: row.disable_time.map(Into::into),
        password_expired: row.password_expired,
        phone: match row.phone_sealed {
            Some(sealed) => mask::phone(&vault.open_text("phone", &sealed)?),
            None => String::new(),
        },
        enrolled: row.enrolled,
        close_time: row.close_time.map(Into::into),
        locked_until: row.locked_until.map(Into::into),
        version: row.version,
    })
}

/// Every column of an officer, in one place; `$filter` decides which rows.
macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select officer.id, police_number, full_name_sealed, unit_id, roles, disable_time,
                password_expired, phone_sealed, password_hash <> '' as "enrolled!", close_time,
                locked_until, version
             from officer join unit on unit.id = unit_id "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The officers of the units in reach. Its own arguments come first; those of `$rest` begin at `$3`.
macro_rules! reached {
    ($rest:literal, $scope:expr $(, $argument:expr)*) => {
        select!(
            "where ($1 or ($2::text is not null and starts_with(path, $2))) " $rest,
            $scope.all,
            $scope.unit_path
            $(, $argument)*
        )
    };
}

fn names(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.wire().to_owned()).collect()
}

/// Registers an officer.
///
/// # Errors
/// `ALREADY_EXISTS` when the police number is taken.
pub async fn insert(tx: &mut Tx, new: NewOfficer) -> Result<Officer> {
    compatible(new.roles)?;
    let (id, now): (Id<kind::Officer>, _) = (tx.cx().id(), tx.now());
    let ids = tx.cx().ids().clone();
    let name = tx.vault().seal("full-name", new.full_name.as_bytes(), ids.bytes())?;
    let enrolled = new.public.is_some();
    let (hash, secret) = match new.public {
        Some(Proofs { password_hash, totp_secret }) => {
            (password_hash, tx.vault().seal("totp-secret", &totp_secret, ids.bytes())?)
        }
        None => (String::new(), Vec::new()),
    };
    sqlx::query!(
        "insert into officer (id, police_number, full_name_sealed, unit_id, roles, password_hash,
            password_history, password_time, password_expired, totp_secret_sealed, totp_step,
            failed_attempts, create_time, use_time, version)
         values ($1, $2, $3, $4, $5, $6, '{}', $7, false, $8, 0, 0, $7, $7, 1)",
        id.uuid(),
        new.police_number.as_str(),
        name,
        new.unit.uuid(),
        &names(new.roles),
        hash,
        now.to_sqlx(),
        secret
    )
    .execute(tx.conn())
    .await
    .on_constraint("officer_police_number_once", Reason::AlreadyExists)?;
    let (_, change) =
        Change::begin(Tenure::Active, Deed::Create, told(new.roles, new.unit), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    if let Some(phone) = &new.phone {
        save_phone(tx, id, phone).await?;
    }
    Ok(Officer {
        id,
        police_number: new.police_number.as_str().to_owned(),
        display_name: mask::name(&new.full_name),
        unit: new.unit,
        roles: new.roles,
        disable_time: None,
        password_expired: false,
        phone: new.phone.map(|phone| phone.mask()).unwrap_or_default(),
        enrolled,
        close_time: None,
        locked_until: None,
        version: 1,
    })
}

/// Stores to which phone the codes go.
pub async fn save_phone(tx: &mut Tx, id: Id<kind::Officer>, phone: &Phone) -> Result<()> {
    let nonce = tx.cx().ids().bytes();
    let sealed = tx.vault().seal("phone", phone.as_str().as_bytes(), nonce)?;
    let index = tx.vault().index("phone", phone.as_str());
    sqlx::query!(
        "update officer set phone_sealed = $2, phone_index = $3 where id = $1",
        id.uuid(),
        sealed,
        index
    )
    .execute(tx.conn())
    .await?;
    let change =
        Change::remark(Tenure::Active, Deed::SetPhone, Note::internal(phone.mask()), tx.cx());
    history::write(tx, id.subject(), &change).await
}

/// To which phone the codes of an officer go.
pub async fn phone(tx: &mut Tx, id: Id<kind::Officer>) -> Result<Option<Phone>> {
    let sealed = sqlx::query_scalar!("select phone_sealed from officer where id = $1", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    let Some(sealed) = sealed.flatten() else { return Ok(None) };
    let phone = tx.vault().open_text("phone", &sealed)?;
    Phone::parse(&phone).map(Some).map_err(|_| unreadable("officer", "phone_sealed", id))
}

/// What others know of an officer: no password may be made from it.
pub async fn known(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::Officer>,
) -> Result<Known> {
    let row = sqlx::query!(
        "select police_number as \"police_number: PoliceNumber\", full_name_sealed, phone_sealed, code
         from officer join unit on unit.id = unit_id
         where officer.id = $1",
        id.uuid()
    )
    .fetch_one(connection)
    .await?;
    let phone = row.phone_sealed.map(|sealed| vault.open_text("phone", &sealed)).transpose()?;
    Ok(Known {
        police_number: row.police_number,
        full_name: vault.open_text("full-name", &row.full_name_sealed)?,
        phone: phone.and_then(|phone| Phone::parse(&phone).ok()),
        unit_code: row.code,
    })
}

/// Refuses roles that nobody has together, whoever stores them.
fn compatible(roles: Roles) -> Result<()> {
    let mut faults = Faults::new();
    officer::tell_exclusions(roles, "officer.roles", &mut faults);
    faults.done()
}

/// What the history says of roles and unit.
fn told(roles: Roles, unit: Id<kind::Unit>) -> Note {
    Note::internal(format!("{} {unit}", names(roles).join(" ")))
}

/// An officer within the scope.
pub async fn get(
    connection: &mut PgConnection,
    vault: &Vault,
    id: Id<kind::Officer>,
    scope: &Scope,
) -> Result<Officer> {
    let row = select!(
        "where officer.id = $1
            and ($2 or officer.id = $3 or ($4::text is not null and starts_with(path, $4)))",
        id.uuid(),
        scope.all,
        scope.officer,
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, vault)
}

/// An officer within the scope, held until the unit of work ends.
pub async fn lock(tx: &mut Tx, id: Id<kind::Officer>, scope: &Scope) -> Result<Officer> {
    let row = reached!("and officer.id = $3 for update of officer", scope, id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    entity(row.ok_or_else(|| scope.missing(id.subject()))?, tx.vault())
}

/// The officers of a subtree within the scope, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    vault: &Vault,
    subtree: Option<&str>,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Officer>> {
    let rows = reached!(
        "and officer.id < $3 and ($4::text is null or starts_with(path, $4))
         order by officer.id desc
         limit $5",
        scope,
        crate::store::before(after),
        subtree,
        rows
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| entity(row, vault)).collect()
}

/// Replaces roles and unit of an officer that this unit of work holds, at once and everywhere.
pub async fn save(
    tx: &mut Tx,
    officer: Officer,
    roles: Roles,
    unit: Id<kind::Unit>,
) -> Result<Officer> {
    compatible(roles)?;
    let change = Change::remark(Tenure::Active, Deed::Update, told(roles, unit), tx.cx());
    let version = write(tx, &officer, roles, unit, None).await?;
    history::write(tx, officer.id.subject(), &change).await?;
    Ok(Officer { unit, roles, version, ..officer })
}

/// Stores the end of an officer's access.
pub async fn save_end(tx: &mut Tx, moved: Moved<Officer>) -> Result<Officer> {
    let (officer, change) = moved.open();
    let time = Some(change.time());
    let version = write(tx, &officer, officer.roles, officer.unit, time).await?;
    history::write(tx, officer.id.subject(), &change).await?;
    Ok(Officer { disable_time: time, version, ..officer })
}

async fn write(
    tx: &mut Tx,
    officer: &Officer,
    roles: Roles,
    unit: Id<kind::Unit>,
    disable_time: Option<Timestamp>,
) -> Result<i64> {
    let version = officer.version.saturating_add(1);
    let written = sqlx::query!(
        "update officer set roles = $3, unit_id = $4, disable_time = $5, version = $6
         where id = $1 and version = $2",
        officer.id.uuid(),
        officer.version,
        &names(roles),
        unit.uuid(),
        disable_time.map(jiff_sqlx::ToSqlx::to_sqlx),
        version
    )
    .execute(tx.conn())
    .await?;
    if written.rows_affected() == 0 {
        return Err(Error::new(Reason::EtagStale));
    }
    tx.touch(actors::key(&officer.id.to_string()));
    Ok(version)
}

/// Lifts the lock of an officer that this unit of work holds, and the waits of its sources.
pub async fn lift(tx: &mut Tx, officer: Officer, reason: String) -> Result<Officer> {
    sqlx::query!(
        "update officer set failed_attempts = 0, locked_until = null, lifts = lifts + 1
         where id = $1",
        officer.id.uuid()
    )
    .execute(tx.conn())
    .await?;
    let change = Change::remark(Tenure::Active, Deed::Unlock, Note::internal(reason), tx.cx());
    history::write(tx, officer.id.subject(), &change).await?;
    Ok(Officer { locked_until: None, ..officer })
}
