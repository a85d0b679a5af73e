//! Deletes what is over: a bounded number of rows at a time, so that no lock lasts. What is kept how
//! long stands in `worker::retention`.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// How many rows one step takes.
const BATCH: i64 = 500;
/// How many notices, each with a push and a mark for every reader.
const NOTICES_BATCH: i64 = 50;

/// Stored answers older than the instant.
pub async fn answers(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    let batch = || {
        sqlx::query!(
            "delete from idempotency
             where (actor, request_id) in (
                select actor, request_id from idempotency where create_time < $1 limit $2)",
            before.to_sqlx(),
            BATCH
        )
    };
    while batch().execute(&mut *connection).await?.rows_affected() > 0 {}
    Ok(())
}

/// Events that were delivered before the instant; what waits is kept, however old, and so is the event
/// of a push that is held back: the digest sends it.
pub async fn events(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    let batch = || {
        sqlx::query!(
            "delete from event
             where id in (
                select id from event
                where deliver_time < $1 and not exists (
                    select from notice_delivery
                    where notice_delivery.id = event.id
                        and state in ('PENDING', 'HELD', 'RELEASED'))
                limit $2)",
            before.to_sqlx(),
            BATCH
        )
    };
    while batch().execute(&mut *connection).await?.rows_affected() > 0 {}
    Ok(())
}

/// One-time codes and challenges that ended before the instant.
pub async fn codes(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    sqlx::query!("delete from phone_code where expire_time < $1", before.to_sqlx())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from device_challenge where expire_time < $1", before.to_sqlx())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from officer_enrolment where expire_time < $1", before.to_sqlx())
        .execute(&mut *connection)
        .await?;
    // What was told stands in the inbox; a message that could not be sent for so long comes too late.
    sqlx::query!(
        "delete from officer_message
         where create_time < $1 and (expire_time is null or expire_time < $1)",
        before.to_sqlx()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from device_enrolment where expire_time < $1 and device_id is null",
        before.to_sqlx()
    )
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Notices that were told before the instant, each with its pushes and with who has read it. One of which
/// a push is under way, held back or a dead letter is kept, however old. Digests go when nothing that
/// they collected is left.
pub async fn notices(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    loop {
        let deleted = sqlx::query_scalar!(
            "with gone as materialized (
                select id from notice
                where id < $1 and not exists (
                    select from notice_delivery left join event on event.id = notice_delivery.id
                    where notice_id = notice.id and (state not in ('SENT', 'UNREACHABLE')
                        or (event.id is not null and event.deliver_time is null)))
                order by id
                limit $2
             ), marks as (
                delete from notice_read using gone where notice_id = gone.id
             ), pushes as (
                delete from notice_delivery using gone where notice_id = gone.id
             ), notices as (
                delete from notice using gone where notice.id = gone.id
             )
             select count(*) as \"count!\" from gone",
            first_id_of(before),
            NOTICES_BATCH
        )
        .fetch_one(&mut *connection)
        .await?;
        if deleted == 0 {
            break;
        }
    }
    let batch = || {
        sqlx::query!(
            "delete from notice_digest
             where id in (
                select id from notice_digest
                where id < $1 and not exists (
                    select from notice_delivery where digest_id = notice_digest.id)
                order by id
                limit $2)",
            first_id_of(before),
            BATCH
        )
    };
    while batch().execute(&mut *connection).await?.rows_affected() > 0 {}
    Ok(())
}

/// Attempts to tell another system that were made before the instant, and what it was told, once no
/// attempt of it is left. What still waits to be told, or is a dead letter, is kept, however old.
pub async fn webhook_log(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    let batch = || {
        sqlx::query!(
            "delete from webhook_attempt
             where id in (select id from webhook_attempt where id < $1 order by id limit $2)",
            first_id_of(before),
            BATCH
        )
    };
    while batch().execute(&mut *connection).await?.rows_affected() > 0 {}
    let batch = || {
        sqlx::query!(
            "delete from webhook_delivery
             where id in (
                select id from webhook_delivery
                where id < $1
                    and not exists (
                        select from webhook_attempt where webhook_delivery_id = webhook_delivery.id)
                    and not exists (
                        select from event
                        where event.id = webhook_delivery.id and event.deliver_time is null)
                order by id
                limit $2)",
            first_id_of(before),
            BATCH
        )
    };
    while batch().execute(&mut *connection).await?.rows_affected() > 0 {}
    Ok(())
}

/// Files that were announced before the instant and that nobody uses: nothing that was sent refers to them,
/// and no draft that was touched since; and those that were never whole, from the later instant on.
/// What is used is marked, and not looked at again.
pub async fn unused_files(
    connection: &mut PgConnection,
    before: Timestamp,
    whole_before: Timestamp,
    after: Uuid,
) -> Result<Vec<Uuid>> {
    let mark = || {
        sqlx::query!(
            "update attachment set used = true
             where id in (
                select id from attachment
                where not used and id < $1 and (
                    exists (select from pass_application_attachment
                        join pass_application on pass_application.id = pass_application_id
                        where attachment_id = attachment.id and state <> 'DRAFT')
                    or exists (select from complaint_attachment where attachment_id = attachment.id)
                    or exists (select from enterprise where licence_id = attachment.id)
                    or exists (select from vehicle_contest where attachment.id = any(attachment_ids))
                    or exists (select from message where attachment_id = attachment.id))
                limit $2)",
            first_id_of(before),
            BATCH
        )
    };
    while mark().execute(&mut *connection).await?.rows_affected() > 0 {}
    Ok(sqlx::query_scalar!(
        "select id from attachment
         where not used and id > $3 and (
            id < $1 and not exists (
                select from pass_application_attachment
                    join pass_application on pass_application.id = pass_application_id
                where attachment_id = attachment.id and (state <> 'DRAFT' or update_time >= $5))
            or id < $2 and complete_time is null)
         order by id
         limit $4",
        first_id_of(before),
        first_id_of(whole_before),
        after,
        BATCH,
        before.to_sqlx()
    )
    .fetch_all(connection)
    .await?)
}

/// The least id that can be made at an instant: ids sort by time, so that whatever is older is the
/// beginning of the primary key, and no index of its own.
fn first_id_of(instant: Timestamp) -> Uuid {
    let millis = u64::try_from(instant.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}
