//! Deletes what is over: a bounded number of rows at a time, so that no lock lasts. What is kept how
//! long stands in `worker::retention`.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::error::Result;

/// How many rows one step takes.
const BATCH: i64 = 500;

/// Stored answers older than the instant.
pub async fn answers(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "delete from idempotency
             where (actor, request_id) in (
                select actor, request_id from idempotency where create_time < $1 limit $2)",
            before.to_sqlx() as _,
            BATCH
        )
        .execute(&mut *connection)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(());
        }
    }
}

/// Events that were delivered before the instant; what waits is kept, however old.
pub async fn events(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    loop {
        let deleted = sqlx::query!(
            "delete from event
             where id in (select id from event where deliver_time < $1 limit $2)",
            before.to_sqlx() as _,
            BATCH
        )
        .execute(&mut *connection)
        .await?;
        if deleted.rows_affected() == 0 {
            return Ok(());
        }
    }
}

/// One-time codes and challenges that ended before the instant.
pub async fn codes(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    sqlx::query!("delete from phone_code where expire_time < $1", before.to_sqlx() as _)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from device_challenge where expire_time < $1", before.to_sqlx() as _)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "delete from device_enrolment where expire_time < $1 and device_id is null",
        before.to_sqlx() as _
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}
