//! The history of every subject: the only writer of change rows, and their reader. No rules.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;

use crate::{
    domain::common::{
        deed::Deed,
        lifecycle::{Change, Note},
    },
    error::Result,
    id::{Id, Subject, kind},
    store::Tx,
};

/// Writes the step, in the unit of work that took it.
pub async fn write(tx: &mut Tx, subject: Subject, change: &Change) -> Result<()> {
    let id: Id<kind::Change> = tx.cx().id();
    let (method, call) = (tx.cx().method, tx.cx().call);
    sqlx::query!(
        "insert into change (id, collection, subject_id, from_state, to_state, action, actor,
            public_note, internal_note, reason, method, call_id, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        id.uuid(),
        subject.collection,
        subject.uuid,
        change.from(),
        change.to(),
        change.action(),
        change.actor(),
        change.note().public,
        change.note().internal,
        change.note().reason,
        method,
        call,
        change.time().to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Writes an act on something that has no states.
pub async fn act(tx: &mut Tx, subject: Subject, deed: Deed, note: Note) -> Result<()> {
    let change = Change::stateless(deed, note, tx.cx());
    write(tx, subject, &change).await
}

/// A step as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The state before; empty at the beginning.
    pub from_state: String,
    /// The state after.
    pub to_state: String,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// What the citizen may read.
    pub public_note: String,
    /// What only officers may read.
    pub internal_note: String,
    /// The coded reason.
    pub reason: Option<String>,
    /// When.
    pub time: Timestamp,
}

/// The steps of a subject, oldest first. The caller has read the subject within the scope.
pub async fn list(connection: &mut PgConnection, subject: Subject) -> Result<Vec<Written>> {
    let rows = sqlx::query!(
        "select from_state, to_state, action, actor, public_note, internal_note, reason, create_time
         from change
         where collection = $1 and subject_id = $2
         order by position
         limit 1000",
        subject.collection,
        subject.uuid
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| Written {
        from_state: row.from_state,
        to_state: row.to_state,
        action: row.action,
        actor: row.actor,
        public_note: row.public_note,
        internal_note: row.internal_note,
        reason: row.reason,
        time: row.create_time.to_jiff(),
    });
    Ok(rows.collect())
}
