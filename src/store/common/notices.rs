//! The inbox: a row in the transaction of its cause, with the pushes that follow from it. What each
//! noun tells stands in `causes`. No push is sent here.

pub mod accounts;
pub mod causes;

use jiff_sqlx::ToSqlx as _;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    outbox::{self, Topic},
    webhooks,
};
use crate::{
    domain::common::notice::{Audience, Facts, NoticeEvent, Reader},
    error::{Error, Result},
    id::{Id, Subject, kind},
    store::Tx,
};

/// More people than that are not pushed to for one notice; all find it in the inbox.
const RECIPIENTS_MAX: i64 = 200;
/// Counting further helps nobody.
const UNREAD_MAX: i64 = 100;

/// What is told.
#[derive(Debug, Clone)]
pub struct Telling {
    /// What happened.
    pub event: NoticeEvent,
    /// To whom it is told.
    pub audience: Audience,
    /// To what it happened: a resource name.
    pub subject: String,
    /// What led to it, with its version: the same cause tells once (NO-04).
    pub cause: String,
    /// What the texts may speak of.
    pub facts: Facts,
}

impl Telling {
    /// What is told of a step that led to this version.
    #[must_use]
    pub fn of_step(
        subject: Subject,
        version: i64,
        event: NoticeEvent,
        audience: Audience,
        facts: Facts,
    ) -> Self {
        let cause = format!("{subject}/{version}");
        Self { event, audience, subject: subject.to_string(), cause, facts }
    }
}

/// Tells: the inbox row, and for each recipient a delivery with an event of its own, so that one
/// poisoned delivery stops no other. False when the cause has told before.
pub async fn tell(tx: &mut Tx, telling: &Telling) -> Result<bool> {
    let id: Id<kind::Notice> = tx.cx().id();
    let now = tx.now();
    let audience = telling.audience.key();
    let inserted = sqlx::query!(
        "insert into notice (id, audience, event, cause, subject, facts, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint notice_once do nothing",
        id.uuid(),
        audience,
        telling.event.wire(),
        telling.cause,
        telling.subject,
        Json(&telling.facts) as _,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    for recipient in recipients(tx, telling.audience).await? {
        push(tx, id, recipient).await?;
    }
    if let Audience::Enterprise(enterprise, _) = telling.audience
        && telling.event.leaves()
    {
        webhooks::tell(tx, telling, enterprise).await?;
    }
    Ok(true)
}

async fn push(tx: &mut Tx, notice: Id<kind::Notice>, recipient: String) -> Result<()> {
    let now = tx.now();
    let payload = serde_json::json!({});
    let delivery = outbox::emit(tx, Topic::Notice, recipient.clone(), payload).await?;
    sqlx::query!(
        "insert into notice_delivery (id, notice_id, recipient, state, create_time)
         values ($1, $2, $3, 'PENDING', $4)",
        delivery.uuid(),
        notice.uuid(),
        recipient,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whom an audience is made of now: who joins later finds the notice in the inbox.
async fn recipients(tx: &mut Tx, audience: Audience) -> Result<Vec<String>> {
    let now = tx.now();
    let found: Vec<Uuid> = match audience {
        Audience::Person(person) => return Ok(vec![person.to_string()]),
        Audience::Officer(officer) => return Ok(vec![officer.to_string()]),
        Audience::Enterprise(enterprise, item) => {
            sqlx::query_scalar!(
                "select distinct person_id from member
                 where enterprise_id = $1 and end_time is null
                    and (valid_until is null or valid_until > $3)
                    and (role = 'LEGAL_REPRESENTATIVE' or $2 = any (scope))
                 order by person_id
                 limit $4",
                enterprise.uuid(),
                item.wire(),
                now.to_sqlx(),
                RECIPIENTS_MAX
            )
            .fetch_all(tx.conn())
            .await?
        }
        Audience::Unit(unit, role) => {
            sqlx::query_scalar!(
                "select id from officer
                 where unit_id = $1 and disable_time is null and close_time is null
                    and $2 = any (roles)
                 order by id
                 limit $3",
                unit.uuid(),
                role.wire(),
                RECIPIENTS_MAX
            )
            .fetch_all(tx.conn())
            .await?
        }
    };
    let name = |id| match audience {
        Audience::Unit(..) => Id::<kind::Officer>::of(id).to_string(),
        _ => Id::<kind::Person>::of(id).to_string(),
    };
    Ok(found.into_iter().map(name).collect())
}

/// A notice as its reader finds it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Its id.
    pub id: Id<kind::Notice>,
    /// What happened.
    pub event: NoticeEvent,
    /// To what: a resource name.
    pub subject: String,
    /// What the texts speak of.
    pub facts: Facts,
    /// Whether this reader has read it.
    pub read: bool,
    /// When it was told.
    pub create_time: jiff::Timestamp,
}

/// The inbox of a reader, newest first: one walk along the index for each audience.
pub async fn list(
    connection: &mut PgConnection,
    reader: &Reader,
    unread: bool,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Notice>> {
    let rows = sqlx::query!(
        "select found.id as \"id!\", found.event as \"event!\", found.subject as \"subject!\",
            found.facts as \"facts!: Json<Facts>\", found.is_read as \"read!\",
            found.create_time as \"create_time!\"
         from unnest($1::text[]) as key
         cross join lateral (
            select id, event, subject, facts, create_time, was_read.it as is_read
            from notice
            cross join lateral (
                select notice.id <= coalesce((select notice_id from notice_read_until
                        where reader = $2), '00000000-0000-0000-0000-000000000000'::uuid)
                    or exists (select from notice_read
                        where reader = $2 and notice_id = notice.id) as it
            ) was_read
            where audience = key and id < $3 and not ($4 and was_read.it)
            order by id desc
            limit $5
         ) found
         order by found.id desc
         limit $5",
        &reader.keys,
        reader.name,
        crate::store::before(after),
        unread,
        rows
    )
    .fetch_all(connection)
    .await?;
    let notices = rows.into_iter().map(|row| Notice {
        id: Id::of(row.id),
        event: row.event,
        subject: row.subject,
        facts: row.facts.0,
        read: row.read,
        create_time: row.create_time.to_jiff(),
    });
    Ok(notices.collect())
}

/// How many notices a reader has not read, up to 100.
pub async fn unread(connection: &mut PgConnection, reader: &Reader) -> Result<i32> {
    let count = sqlx::query_scalar!(
        "select count(*) as \"count!\" from (
            select from unnest($1::text[]) as key
            cross join lateral (
                select from notice
                where audience = key
                    and id > coalesce((select notice_id from notice_read_until where reader = $2),
                        '00000000-0000-0000-0000-000000000000'::uuid)
                    and not exists (
                        select from notice_read where reader = $2 and notice_id = notice.id)
                limit $3
            ) found
            limit $3
         ) counted",
        &reader.keys,
        reader.name,
        UNREAD_MAX
    )
    .fetch_one(connection)
    .await?;
    i32::try_from(count).map_err(Error::internal)
}

/// Marks notices as read; those that the reader cannot see are passed over.
pub async fn mark(tx: &mut Tx, reader: &Reader, notices: &[Uuid]) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into notice_read (reader, notice_id, read_time)
         select $1, id, $4 from notice where id = any($2) and audience = any($3)
         on conflict do nothing",
        reader.name,
        notices,
        &reader.keys,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Marks everything as read that the reader sees now.
pub async fn mark_all(tx: &mut Tx, reader: &Reader) -> Result<()> {
    sqlx::query!(
        "insert into notice_read_until (reader, notice_id)
         select $1, id from (
            select newest.id from unnest($2::text[]) as key
            cross join lateral (
                select id from notice where audience = key order by id desc limit 1
            ) newest
            order by newest.id desc
            limit 1
         ) found
         on conflict (reader) do update set
            notice_id = greatest(notice_read_until.notice_id, excluded.notice_id)",
        reader.name,
        &reader.keys
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "delete from notice_read
         where reader = $1 and notice_id <= (
            select notice_id from notice_read_until where reader = $1)",
        reader.name
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}
