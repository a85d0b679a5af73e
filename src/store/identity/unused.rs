//! Accounts that nobody uses: their officers are told, and then they are closed.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use super::{
    actors, enrolments,
    sessions::{self, EndReason, Owner},
};
use crate::{
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Note},
            notice::NoticeEvent,
        },
        identity::{
            officer::{UNUSED_MAX, UNUSED_TOLD},
            tenure::Tenure,
        },
    },
    error::Result,
    id::{Id, kind},
    store::{Tx, common::history},
};

fn before(now: Timestamp, unused: jiff::SignedDuration) -> Timestamp {
    now.checked_sub(unused).unwrap_or(Timestamp::MIN)
}

/// Officers who have not come in for so long that they are to be told.
pub async fn to_tell(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::Officer>>> {
    let found = sqlx::query_scalar!(
        "select id from officer
         where use_time <= $1 and unused_tell_time is null
            and disable_time is null and close_time is null
         order by use_time
         limit $2",
        before(now, UNUSED_TOLD).to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(Id::of).collect())
}

/// Tells an officer, once until the next sign-in.
pub async fn told(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    let told = sqlx::query!(
        "update officer set unused_tell_time = $2
         where id = $1 and unused_tell_time is null and use_time <= $3
            and disable_time is null and close_time is null",
        officer.uuid(),
        now.to_sqlx(),
        before(now, UNUSED_TOLD).to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if told.rows_affected() == 0 {
        return Ok(());
    }
    enrolments::tell(tx, officer, NoticeEvent::AccountUnused).await
}

/// Officers whose accounts are to be closed. The last of those without whom nobody could open one again
/// stays.
pub async fn to_close(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Id<kind::Officer>>> {
    let found = sqlx::query_scalar!(
        "select id from officer
         where use_time <= $1 and unused_tell_time <= $3
            and disable_time is null and close_time is null
            and not exists (
                select from unnest(array['SYSTEM_ADMINISTRATOR', 'SECURITY_ADMINISTRATOR']) as role
                where role = any (officer.roles) and not exists (
                    select from officer as other
                    where other.id <> officer.id and role = any (other.roles)
                        and other.use_time > $1
                        and other.disable_time is null and other.close_time is null))
         order by use_time
         limit $2",
        before(now, UNUSED_MAX).to_sqlx(),
        limit,
        before(now, UNUSED_MAX - UNUSED_TOLD).to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(Id::of).collect())
}

/// Closes an account, unless its officer has come in meanwhile. One who was told late is given the days that
/// are left after it.
pub async fn close(tx: &mut Tx, officer: Id<kind::Officer>) -> Result<()> {
    let now = tx.now();
    let closed = sqlx::query!(
        "update officer set close_time = $2
         where id = $1 and use_time <= $3 and unused_tell_time <= $4
            and disable_time is null and close_time is null",
        officer.uuid(),
        now.to_sqlx(),
        before(now, UNUSED_MAX).to_sqlx(),
        before(now, UNUSED_MAX - UNUSED_TOLD).to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if closed.rows_affected() == 0 {
        return Ok(());
    }
    sessions::end_others(tx, Owner::Officer(officer), None, EndReason::CredentialsReset).await?;
    let change = Change::remark(Tenure::Active, Deed::CloseUnused, Note::none(), tx.cx());
    history::write(tx, officer.subject(), &change).await?;
    tx.touch(actors::key(&officer.to_string()));
    enrolments::tell(tx, officer, NoticeEvent::AccountClosed).await
}
