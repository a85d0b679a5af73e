//! Conversations. Every read judges in the same statement whether the reader still takes part (I15); who does, and
//! how far each has read, stands in `participants`. No rule of what may be done.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::{
        common::{follow::Follow, lifecycle::Held},
        duty::obligation::{Limits, ObligationKind},
        liaison::{
            SOLVE_WITHIN,
            conversation::{Conversation, ConversationState},
        },
    },
    error::{Error, Result},
    id::{Id, Subject, kind},
    store::{
        Tx,
        common::evaluations::{self, Invitation},
        rise,
        steps::Settled,
    },
};

struct Row {
    id: Uuid,
    enterprise_id: Uuid,
    liaison_post_id: Uuid,
    unit_path: String,
    title: String,
    state: ConversationState,
    assignee_id: Option<Uuid>,
    claim_time: Option<jiff_sqlx::Timestamp>,
    queue_time: Timestamp,
    last_sequence: i64,
    chain: [u8; 32],
    awaiting_since: Option<jiff_sqlx::Timestamp>,
    auto_reply_time: Option<jiff_sqlx::Timestamp>,
    reply_time: Option<jiff_sqlx::Timestamp>,
    reply_due_time: Option<jiff_sqlx::Timestamp>,
    round: i32,
    create_time: Timestamp,
    update_time: Timestamp,
    version: i64,
}

fn entity(row: Row) -> Conversation {
    let at = |time: Option<jiff_sqlx::Timestamp>| time.map(Into::into);
    Conversation {
        id: Id::of(row.id),
        enterprise: Id::of(row.enterprise_id),
        post: Id::of(row.liaison_post_id),
        unit_path: row.unit_path,
        title: row.title,
        assignee: row.assignee_id.map(Id::of),
        claim_time: at(row.claim_time),
        queue_time: row.queue_time,
        last_sequence: row.last_sequence,
        chain: row.chain,
        awaiting_since: at(row.awaiting_since),
        auto_reply_time: at(row.auto_reply_time),
        reply_time: at(row.reply_time),
        reply_due_time: at(row.reply_due_time),
        round: row.round,
        create_time: row.create_time,
        update_time: row.update_time,
        version: row.version,
        held: Held::row(row.state),
    }
}

/// Every column of a conversation, in one place; `$filter` decides which rows.
macro_rules! select {
    ($($filter:literal)+ $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, enterprise_id, liaison_post_id, unit_path, title, state, assignee_id,
                claim_time, queue_time, last_sequence, chain, awaiting_since, auto_reply_time,
                reply_time, reply_due_time, round, create_time, update_time, version
             from conversation "# $(+ $filter)+
            $(, $argument)*
        )
    };
}

/// The conversation in which the reader takes part at the instant.
macro_rules! joined {
    ($lock:literal, $id:expr, $scope:expr, $now:expr) => {
        select!(
            "where id = $1 and ($2 or takes_part(id, enterprise_id, liaison_post_id, $3, $4, $5)) " $lock,
            $id.uuid(),
            $scope.all,
            $scope.person,
            $scope.officer,
            $now.to_sqlx()
        )
    };
}

/// A conversation in which the reader takes part.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    scope: &Scope,
    now: Timestamp,
) -> Result<Conversation> {
    let row = joined!("", id, scope, now).fetch_optional(connection).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The same, held until the unit of work ends: nobody else gets the next sequence meanwhile. For
/// sending alone: `messages::append` judges once more, behind the lock.
pub async fn hold(tx: &mut Tx, id: Id<kind::Conversation>, scope: &Scope) -> Result<Conversation> {
    let now = tx.now();
    let row = joined!("for update", id, scope, now).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The same for every other step. While the first statement waited for the row, somebody may have
/// been taken out: who takes part was looked at before the wait, so it is looked at behind it again.
pub async fn lock(tx: &mut Tx, id: Id<kind::Conversation>, scope: &Scope) -> Result<Conversation> {
    let conversation = hold(tx, id, scope).await?;
    if scope.all || still_takes_part(tx, &conversation, scope).await? {
        Ok(conversation)
    } else {
        Err(scope.missing(id.subject()))
    }
}

async fn still_takes_part(tx: &mut Tx, of: &Conversation, scope: &Scope) -> Result<bool> {
    let now = tx.now();
    Ok(sqlx::query_scalar!(
        "select takes_part($1, $2, $3, $4, $5, $6) as \"takes_part!\"",
        of.id.uuid(),
        of.enterprise.uuid(),
        of.post.uuid(),
        scope.person,
        scope.officer,
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?)
}

/// A conversation within a supervisor's units, whoever takes part: for audited reads alone.
pub async fn supervised(
    connection: &mut PgConnection,
    id: Id<kind::Conversation>,
    scope: &Scope,
) -> Result<Conversation> {
    let row = select!(
        "where id = $1 and $2::text is not null and starts_with(unit_path, $2)",
        id.uuid(),
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    Ok(entity(row.ok_or_else(|| scope.missing(id.subject()))?))
}

/// The conversations in which the reader takes part, newest first, after the cursor.
pub async fn list(
    connection: &mut PgConnection,
    enterprise: Option<Uuid>,
    scope: &Scope,
    now: Timestamp,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Conversation>> {
    let rows = select!(
        "where id < $1 and ($2::uuid is null or enterprise_id = $2)
            and (enterprise_id = any($7) or liaison_post_id in (select liaison_roster.liaison_post_id
                from liaison_roster where officer_id = $4 and end_time is null))
            and takes_part(id, enterprise_id, liaison_post_id, $3, $4, $5)
         order by id desc
         limit $6",
        crate::store::before(after),
        enterprise,
        scope.person,
        scope.officer,
        now.to_sqlx(),
        rows,
        &scope.enterprises
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// The waiting conversations of the officer's posts, by their place in the queue.
pub async fn queue(
    connection: &mut PgConnection,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Conversation>> {
    let rows = select!(
        "where state = 'QUEUED'
            and liaison_post_id in (select liaison_roster.liaison_post_id
                from liaison_roster where officer_id = $1 and end_time is null)
            and ($2::uuid is null or (queue_time, id) >
                (select later.queue_time, later.id from conversation later where later.id = $2))
         order by queue_time, id
         limit $3",
        scope.officer,
        after,
        rows
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Claimed conversations whose enterprise waits, oldest first, with whether their officer is at
/// the desk.
pub async fn waiting(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(Conversation, bool)>> {
    let rows = select!(
        "where state = 'CLAIMED' and awaiting_since is not null
         order by awaiting_since
         limit $1",
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        let conversation = entity(row);
        let present = match conversation.assignee {
            Some(officer) => super::liaison_posts::present(connection, officer).await?,
            None => false,
        };
        waiting.push((conversation, present));
    }
    Ok(waiting)
}

/// The conversations that an officer holds on a post.
pub async fn held_by(
    connection: &mut PgConnection,
    post: Id<kind::LiaisonPost>,
    officer: Id<kind::Officer>,
) -> Result<Vec<Id<kind::Conversation>>> {
    let ids = sqlx::query_scalar!(
        "select id from conversation
         where assignee_id = $2 and state = 'CLAIMED' and liaison_post_id = $1
         order by id",
        post.uuid(),
        officer.uuid()
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(Id::of).collect())
}

/// Stores a new conversation.
pub async fn insert(tx: &mut Tx, conversation: &Conversation) -> Result<()> {
    let now = tx.now();
    sqlx::query!(
        "insert into conversation (id, enterprise_id, liaison_post_id, unit_path, title, state,
            queue_time, last_sequence, chain, round, access_version, create_time, update_time,
            version)
         values ($1, $2, $3, $4, $5, $6, $7, 0, $8, 0, 1, $7, $7, 1)",
        conversation.id.uuid(),
        conversation.enterprise.uuid(),
        conversation.post.uuid(),
        conversation.unit_path,
        conversation.title,
        conversation.state().wire(),
        now.to_sqlx(),
        conversation.chain.as_slice()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

impl Settled for Conversation {
    fn subject(&self) -> Subject {
        self.id.subject()
    }

    async fn write(mut self, tx: &mut Tx) -> Result<Self> {
        let now = tx.now();
        let sql = |time: Option<Timestamp>| time.map(Timestamp::to_sqlx);
        let updated = sqlx::query!(
            "update conversation set state = $3, assignee_id = $4, claim_time = $5, queue_time = $6,
                awaiting_since = $7, auto_reply_time = $8, reply_time = $9, reply_due_time = $10,
                round = $11, update_time = $12, version = version + 1
             where id = $1 and version = $2",
            self.id.uuid(),
            self.version,
            self.state().wire(),
            self.assignee.map(Id::uuid),
            sql(self.claim_time),
            self.queue_time.to_sqlx(),
            sql(self.awaiting_since),
            sql(self.auto_reply_time),
            sql(self.reply_time),
            sql(self.reply_due_time),
            self.round,
            now.to_sqlx()
        )
        .execute(tx.conn())
        .await?;
        rise(&mut self.version, &updated)?;
        self.update_time = now;
        Ok(self)
    }

    async fn limits(&self, _: &mut Tx, _: ObligationKind) -> Result<Option<Limits>> {
        let limits = Limits::new(None, Some(SOLVE_WITHIN), None);
        limits.map(Some).map_err(|flaw| Error::internal(flaw.wire()))
    }

    fn owing_unit(&self, _: ObligationKind) -> String {
        self.unit_path.clone()
    }

    /// Whoever closes it is rated.
    async fn beside(&self, tx: &mut Tx, _: Follow) -> Result<()> {
        let invitation = Invitation {
            subject: self.id.subject(),
            round: self.round,
            enterprise: self.enterprise,
            unit_path: self.unit_path.clone(),
            officer: tx.cx().actor.officer().ok(),
        };
        evaluations::invite(tx, &invitation).await
    }
}
