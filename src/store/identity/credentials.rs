//! What proves an officer: passwords, the second factor, and the attempts that failed. No password is judged
//! here.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::actors;
use crate::{
    domain::{
        codes::PoliceNumber,
        common::{
            deed::Deed,
            lifecycle::{Change, Note},
        },
        identity::tenure::Tenure,
    },
    error::Result,
    id::{Id, kind},
    store::{Tx, Vault, common::history},
};

/// What proves an officer.
pub struct Credentials {
    /// Whose they are.
    pub id: Id<kind::Officer>,
    /// In the PHC format.
    pub password_hash: String,
    /// The hashes before it, newest first.
    pub password_history: Vec<String>,
    /// When the password was set.
    pub password_time: Timestamp,
    /// Whether it must be changed before anything else.
    pub password_expired: bool,
    /// The secret of the one-time codes, raw; empty where none was given out.
    pub totp_secret: Zeroizing<Vec<u8>>,
    /// The last time step that was used.
    pub totp_step: i64,
    /// Failures in a row.
    pub failed_attempts: i32,
    /// Until when no attempt counts, from sources that the account does not know.
    pub locked_until: Option<Timestamp>,
    /// Whether it was closed because nobody used it.
    pub closed: bool,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.id)
    }
}

/// By which an officer is looked up before it is known who asks.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// What was typed at the sign-in.
    PoliceNumber(&'a PoliceNumber),
    /// The officer itself, signed in.
    Own(Id<kind::Officer>),
}

/// The credentials of an officer whose access has not ended. `hold` keeps the row until the unit
/// of work ends.
pub async fn find(
    connection: &mut PgConnection,
    vault: &Vault,
    by: By<'_>,
    hold: bool,
) -> Result<Option<Credentials>> {
    let (number, id) = match by {
        By::PoliceNumber(number) => (Some(number.as_str()), None),
        By::Own(id) => (None, Some(id.uuid())),
    };
    if hold {
        sqlx::query!(
            "select id from officer where police_number = $1 or id = $2 for update",
            number,
            id
        )
        .fetch_optional(&mut *connection)
        .await?;
    }
    let row = sqlx::query!(
        "select id, password_hash, password_history, password_time, password_expired,
            totp_secret_sealed, totp_step, failed_attempts, locked_until,
            close_time is not null as \"closed!\"
         from officer
         where (police_number = $1 or id = $2) and disable_time is null",
        number,
        id
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let totp_secret = if row.totp_secret_sealed.is_empty() {
        Vec::new()
    } else {
        vault.open("totp-secret", &row.totp_secret_sealed)?
    };
    Ok(Some(Credentials {
        id: Id::of(row.id),
        password_hash: row.password_hash,
        password_history: row.password_history,
        password_time: row.password_time.to_jiff(),
        password_expired: row.password_expired,
        totp_secret: Zeroizing::new(totp_secret),
        totp_step: row.totp_step,
        failed_attempts: row.failed_attempts,
        locked_until: row.locked_until.map(Into::into),
        closed: row.closed,
    }))
}

/// How often the lock of an account was lifted: part of what the waits of its sources are counted by, so that
/// they end with the lock. An unknown number has none.
pub async fn lifts(connection: &mut PgConnection, number: &PoliceNumber) -> Result<i32> {
    let lifts =
        sqlx::query_scalar!("select lifts from officer where police_number = $1", number.as_str())
            .fetch_optional(connection)
            .await?;
    Ok(lifts.unwrap_or(0))
}

/// Notes a failure, and the lock that it may bring.
pub async fn save_failure(
    tx: &mut Tx,
    id: Id<kind::Officer>,
    failed_attempts: i32,
    locked_until: Option<Timestamp>,
) -> Result<()> {
    sqlx::query!(
        "update officer set failed_attempts = $2, locked_until = $3 where id = $1",
        id.uuid(),
        failed_attempts,
        locked_until.map(jiff_sqlx::ToSqlx::to_sqlx)
    )
    .execute(tx.conn())
    .await?;
    if let Some(until) = locked_until {
        let note = Note::internal(until.to_string());
        let change = Change::remark(Tenure::Active, Deed::Lock, note, tx.cx());
        history::write(tx, id.subject(), &change).await?;
    }
    Ok(())
}

/// Notes a proof that held: the one-time code is spent, and the failures are forgotten. A lock that did not
/// count for the source stands on for the others.
pub async fn save_success(
    tx: &mut Tx,
    id: Id<kind::Officer>,
    totp_step: i64,
    password_expired: bool,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update officer
         set failed_attempts = 0, totp_step = $2, password_expired = $3, use_time = $4,
            unused_tell_time = null,
            locked_until = case when locked_until > $4 then locked_until end
         where id = $1",
        id.uuid(),
        totp_step,
        password_expired,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    tx.touch(actors::key(&id.to_string()));
    Ok(())
}

/// Replaces the password.
pub async fn save_password(
    tx: &mut Tx,
    id: Id<kind::Officer>,
    hash: &str,
    history_kept: &[String],
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update officer
         set password_hash = $2, password_history = $3, password_time = $4,
            password_expired = false
         where id = $1",
        id.uuid(),
        hash,
        history_kept,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    let change = Change::remark(Tenure::Active, Deed::ChangePassword, Note::none(), tx.cx());
    history::write(tx, id.subject(), &change).await?;
    tx.touch(actors::key(&id.to_string()));
    Ok(())
}
