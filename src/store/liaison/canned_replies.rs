//! Replies that are written once and used often, per post.

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    actor::Scope,
    domain::common::{deed::Deed, lifecycle::Note},
    error::Result,
    id::{Id, kind},
    store::{Tx, common::history},
};

/// More than these are not listed.
const LIST_MAX: i64 = 200;

/// A reply.
#[derive(Debug, Clone)]
pub struct CannedReply {
    /// Its id.
    pub id: Id<kind::CannedReply>,
    /// Of which post.
    pub post: Id<kind::LiaisonPost>,
    /// How officers find it.
    pub title: String,
    /// What it says.
    pub text: String,
}

/// Stores a reply of a post on whose roster the officer is.
pub async fn insert(tx: &mut Tx, reply: &CannedReply, scope: &Scope) -> Result<()> {
    let now = tx.now();
    let inserted = sqlx::query!(
        "insert into canned_reply (id, liaison_post_id, title, body, create_time)
         select $1, $2, $3, $4, $5
         where exists (select from liaison_roster
            where liaison_post_id = $2 and officer_id = $6 and end_time is null)",
        reply.id.uuid(),
        reply.post.uuid(),
        reply.title,
        reply.text,
        now.to_sqlx(),
        scope.officer
    )
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(scope.missing(reply.post.subject()));
    }
    history::act(tx, reply.id.subject(), Deed::Create, Note::none()).await
}

/// The replies of a post on whose roster the officer is, by title.
pub async fn list(
    connection: &mut PgConnection,
    post: Id<kind::LiaisonPost>,
    scope: &Scope,
) -> Result<Vec<CannedReply>> {
    let rows = sqlx::query!(
        "select id, liaison_post_id, title, body
         from canned_reply
         where liaison_post_id = $1 and retire_time is null
            and exists (select from liaison_roster
                where liaison_roster.liaison_post_id = $1 and officer_id = $2 and end_time is null)
         order by title, id
         limit $3",
        post.uuid(),
        scope.officer,
        LIST_MAX
    )
    .fetch_all(connection)
    .await?;
    let reply = rows.into_iter().map(|row| CannedReply {
        id: Id::of(row.id),
        post: Id::of(row.liaison_post_id),
        title: row.title,
        text: row.body,
    });
    Ok(reply.collect())
}

/// Retires a reply of a post on whose roster the officer is.
pub async fn retire(tx: &mut Tx, id: Id<kind::CannedReply>, scope: &Scope) -> Result<CannedReply> {
    let now = tx.now();
    let row = sqlx::query!(
        "update canned_reply set retire_time = $2
         where id = $1 and retire_time is null
            and exists (select from liaison_roster
                where liaison_roster.liaison_post_id = canned_reply.liaison_post_id
                    and officer_id = $3 and end_time is null)
         returning liaison_post_id, title, body",
        id.uuid(),
        now.to_sqlx(),
        scope.officer
    )
    .fetch_optional(tx.conn())
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    history::act(tx, id.subject(), Deed::Retire, Note::none()).await?;
    Ok(CannedReply { id, post: Id::of(row.liaison_post_id), title: row.title, text: row.body })
}
