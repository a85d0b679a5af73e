//! How people want to be told, and what they permitted WeChat to deliver. No rule of what follows.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::common::notice::{Channel, Preferences, Template},
    error::{Error, Reason, Result},
    store::Tx,
};

/// The preferences of a person or an officer; the defaults where none are stored.
pub async fn get(connection: &mut PgConnection, owner: &str) -> Result<Preferences> {
    let row = sqlx::query!(
        "select language, channels, quiet_from_minute, quiet_until_minute, digest_minute, version
         from notice_preference where owner = $1",
        owner
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Preferences::default_of(owner)) };
    let minute = |minute: i32| u16::try_from(minute).map_err(Error::internal);
    Ok(Preferences {
        language: row.language,
        channels: row.channels.iter().filter_map(|way| Channel::from_wire(way)).collect(),
        quiet: (minute(row.quiet_from_minute)?, minute(row.quiet_until_minute)?),
        digest: row.digest_minute.map(minute).transpose()?,
        version: row.version,
    })
}

/// Stores preferences in place of those of their version.
///
/// # Errors
/// `ETAG_STALE` when somebody else was faster.
pub async fn save(tx: &mut Tx, owner: &str, wish: &Preferences) -> Result<()> {
    let now = tx.now();
    let channels: Vec<String> = wish.channels.iter().map(|way| way.wire().to_owned()).collect();
    let saved = sqlx::query!(
        "insert into notice_preference (owner, language, channels, quiet_from_minute,
            quiet_until_minute, digest_minute, update_time, version)
         values ($1, $2, $3, $4, $5, $6, $7, $8::bigint + 1)
         on conflict (owner) do update set language = $2, channels = $3, quiet_from_minute = $4,
            quiet_until_minute = $5, digest_minute = $6, update_time = $7,
            version = notice_preference.version + 1
            where notice_preference.version = $8",
        owner,
        wish.language.wire(),
        &channels,
        i32::from(wish.quiet.0),
        i32::from(wish.quiet.1),
        wish.digest.map(i32::from),
        now.to_sqlx(),
        wish.version
    )
    .execute(tx.conn())
    .await?;
    if saved.rows_affected() == 0 {
        return Err(Error::new(Reason::EtagStale));
    }
    Ok(())
}

/// What a person permitted for a template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// So many messages.
    pub remaining: i32,
    /// Any number.
    pub long_term: bool,
}

impl Consent {
    /// Whether one more message may be sent.
    #[must_use]
    pub const fn permits(self) -> bool {
        self.long_term || self.remaining > 0
    }
}

/// What a person permitted for a template.
pub async fn consent(
    connection: &mut PgConnection,
    person: Uuid,
    template: Template,
) -> Result<Consent> {
    let row = sqlx::query_as!(
        Consent,
        "select remaining, long_term from notice_consent where person_id = $1 and template = $2",
        person,
        template.wire()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.unwrap_or_default())
}

/// One more message is permitted, or with a long-term template any number.
pub async fn permit(tx: &mut Tx, person: Uuid, of: Template, long_term: bool) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into notice_consent (person_id, template, remaining, long_term, update_time)
         values ($1, $2, case when $3 then 0 else 1 end, $3, $4)
         on conflict (person_id, template) do update set
            remaining = notice_consent.remaining + excluded.remaining,
            long_term = notice_consent.long_term or $3, update_time = $4",
        person,
        of.wire(),
        long_term,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Nothing is permitted any more: the person said so, or WeChat did (43101).
pub async fn forbid(tx: &mut Tx, person: Uuid, of: Template) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update notice_consent set remaining = 0, long_term = false, update_time = $3
         where person_id = $1 and template = $2",
        person,
        of.wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A message was sent: a one-time consent is used up by it.
pub async fn spend(tx: &mut Tx, person: Uuid, of: Template) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "update notice_consent set remaining = greatest(remaining - 1, 0), update_time = $3
         where person_id = $1 and template = $2 and not long_term",
        person,
        of.wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
