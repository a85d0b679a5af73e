//! What enterprises say of a closed conversation: one invitation for each close, one answer.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use super::Tx;
use crate::{
    error::Result,
    id::{Id, kind},
};

/// A rating.
#[derive(Debug, Clone)]
pub struct Rating {
    /// How satisfied: the wire name.
    pub level: String,
    /// Whether it is solved.
    pub solved: bool,
    /// In the enterprise's own words.
    pub comment: String,
    /// Of which close.
    pub round: i32,
    /// When.
    pub rate_time: Timestamp,
}

/// Asks for a rating of a close.
pub async fn invite(
    tx: &mut Tx,
    conversation: Id<kind::Conversation>,
    round: i32,
    officer: Option<Id<kind::Officer>>,
) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into conversation_rating (conversation_id, round, officer_id, create_time)
         values ($1, $2, $3, $4)",
        conversation.uuid(),
        round,
        officer.map(Id::uuid),
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Rates a close, once. False when it was rated or never closed.
pub async fn rate(
    tx: &mut Tx,
    conversation: Id<kind::Conversation>,
    rating: &Rating,
) -> Result<bool> {
    let rated = sqlx::query!(
        "update conversation_rating set level = $3, solved = $4, comment = $5, rate_time = $6
         where conversation_id = $1 and round = $2 and rate_time is null",
        conversation.uuid(),
        rating.round,
        rating.level,
        rating.solved,
        rating.comment,
        rating.rate_time.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(rated.rows_affected() == 1)
}

/// The rating of a close.
pub async fn get(
    connection: &mut PgConnection,
    conversation: Id<kind::Conversation>,
    round: i32,
) -> Result<Option<Rating>> {
    let row = sqlx::query!(
        "select level as \"level!\", solved as \"solved!\", comment, round,
            rate_time as \"rate_time!: jiff_sqlx::Timestamp\"
         from conversation_rating
         where conversation_id = $1 and round = $2 and rate_time is not null",
        conversation.uuid(),
        round
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Rating {
        level: row.level,
        solved: row.solved,
        comment: row.comment,
        round: row.round,
        rate_time: row.rate_time.to_jiff(),
    }))
}

/// Closes that nobody rated since before the instant, and that were not asked for again.
pub async fn forgotten(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<Vec<(Id<kind::Conversation>, i32)>> {
    let rows = sqlx::query!(
        "select conversation_id, round from conversation_rating
         where rate_time is null and remind_time is null and create_time < $1
         order by create_time
         limit $2",
        before.to_sqlx() as _,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (Id::of(row.conversation_id), row.round)).collect())
}

/// Notes that it was asked for again. False when somebody else did.
pub async fn reminded(
    tx: &mut Tx,
    conversation: Id<kind::Conversation>,
    round: i32,
) -> Result<bool> {
    let now = tx.now();
    let reminded = sqlx::query!(
        "update conversation_rating set remind_time = $3
         where conversation_id = $1 and round = $2 and remind_time is null and rate_time is null",
        conversation.uuid(),
        round,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await?;
    Ok(reminded.rows_affected() == 1)
}
