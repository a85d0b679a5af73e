//! What a reporter adds to a report: rows that say nothing of who added it. Neither a name of a file nor
//! the length or the digest of what came is kept: whoever has the original could be found by them.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        conduct::Evidence,
        enterprise::attachment::{ContentType, pieces::Came},
    },
    error::Result,
    id::{Id, kind},
    store::Tx,
};

struct Row {
    id: Uuid,
    content_type: ContentType,
    received_bytes: Option<i64>,
    piece_bytes: Option<i32>,
    kept_bytes: Option<i64>,
    create_time: Timestamp,
}

fn entity(row: &Row) -> Evidence {
    Evidence {
        id: row.id,
        content_type: row.content_type,
        received_bytes: row.received_bytes.unwrap_or_default(),
        piece_bytes: row.piece_bytes,
        kept_bytes: row.kept_bytes,
        create_time: row.create_time,
    }
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, content_type, received_bytes, piece_bytes, kept_bytes, create_time
             from conduct.evidence "# + $filter
            $(, $argument)*
        )
    };
}

/// Begins a piece.
pub async fn insert(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    content_type: ContentType,
) -> Result<Evidence> {
    let (id, now) = (tx.cx().ids().random(), tx.now());
    sqlx::query!(
        "insert into conduct.evidence (id, report_id, content_type, received_bytes, create_time)
         values ($1, $2, $3, 0, $4)",
        id,
        report.uuid(),
        content_type.wire(),
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(Evidence {
        id,
        content_type,
        received_bytes: 0,
        piece_bytes: None,
        kept_bytes: None,
        create_time: now,
    })
}

/// A piece of the report. The row of the report is held, or the caller has read it.
pub async fn find(
    connection: &mut PgConnection,
    report: Id<kind::ConductReport>,
    id: Uuid,
) -> Result<Option<Evidence>> {
    let row = select!("where report_id = $1 and id = $2", report.uuid(), id)
        .fetch_optional(connection)
        .await?;
    Ok(row.as_ref().map(entity))
}

/// The pieces of a report in the order in which they were begun. The caller has read the report.
pub async fn list(
    connection: &mut PgConnection,
    report: Id<kind::ConductReport>,
) -> Result<Vec<Evidence>> {
    let rows = select!("where report_id = $1 order by create_time, id", report.uuid())
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(entity).collect())
}

/// Says how much has come.
pub async fn received(tx: &mut Tx, id: Uuid, came: Came) -> Result<()> {
    sqlx::query!(
        "update conduct.evidence set received_bytes = $2, piece_bytes = $3 where id = $1",
        id,
        came.bytes,
        came.piece_bytes
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Closes a piece: how much is kept of it.
pub async fn complete(tx: &mut Tx, id: Uuid, kept_bytes: i64) -> Result<()> {
    sqlx::query!("update conduct.evidence set kept_bytes = $2 where id = $1", id, kept_bytes)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps that an officer opened a piece: from its beginning, or further on when the last opening by the
/// same officer is older than the instant. The caller has read the report.
pub async fn opened(
    tx: &mut Tx,
    report: Id<kind::ConductReport>,
    id: Uuid,
    officer: Id<kind::Officer>,
    begins: bool,
    since: Timestamp,
) -> Result<()> {
    let (opening, now) = (tx.cx().ids().random(), tx.now());
    sqlx::query!(
        "insert into conduct.opening (id, report_id, officer_id, reason, evidence_id, create_time)
         select $1, $2, $3, '', $4, $5
         where $6 or not exists (select from conduct.opening
            where evidence_id = $4 and officer_id = $3 and create_time >= $7)",
        opening,
        report.uuid(),
        officer.uuid(),
        id,
        now.to_sqlx(),
        begins,
        since.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Pieces that were begun before the instant, and of which what came was not taken away: never closed,
/// or closed by a server that ended in between.
pub async fn left_over(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from conduct.evidence
         where received_bytes is not null and create_time < $1
         order by create_time
         limit $2",
        before.to_sqlx(),
        limit
    )
    .fetch_all(connection)
    .await?)
}

/// What came of a piece was taken away: one that is closed forgets how much it was, one that is not is
/// gone.
pub async fn settle(connection: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("delete from conduct.evidence where id = $1 and kept_bytes is null", id)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "update conduct.evidence set received_bytes = null, piece_bytes = null where id = $1",
        id
    )
    .execute(connection)
    .await?;
    Ok(())
}
