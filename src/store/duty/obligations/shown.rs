//! Obligations as officers read them: how they stand, and the due times that they had before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::duty::obligation::{Counted, Standing},
    error::Result,
    id::Subject,
};

/// An obligation as officers read it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What is owed.
    pub kind: String,
    /// Since when.
    pub open_time: Timestamp,
    /// Until when.
    pub due_time: Timestamp,
    /// The end of the law's limit.
    pub legal_due_time: Option<Timestamp>,
    /// The end of the office's own.
    pub internal_due_time: Option<Timestamp>,
    /// How it stands.
    pub standing: Standing,
    /// Counted in a year without a published notice.
    pub provisional: bool,
    /// The due times that it had before.
    pub moves: Vec<Move>,
}

/// A due time that moved.
#[derive(Debug, Clone)]
pub struct Move {
    /// LEGAL, PROMISED, INTERNAL.
    pub limit: String,
    /// The old one.
    pub from: Timestamp,
    /// The new one.
    pub to: Timestamp,
    /// PAUSE, EXTENSION, CALENDAR.
    pub cause: String,
    /// When it moved.
    pub create_time: Timestamp,
}

/// What is owed and was owed on a subject that the caller has read within the scope, oldest first.
pub async fn list(
    connection: &mut PgConnection,
    subject: Subject,
    now: Timestamp,
) -> Result<Vec<Shown>> {
    let mut moves = moves(connection, subject).await?;
    let rows = sqlx::query!(
        "select id, kind, open_time, due_time, amber_time, legal_due_time as legal,
            internal_due_time as internal, provisional, meet_time,
            void_time is not null as \"void!\", pause_time is not null as \"paused!\"
         from obligation where collection = $1 and subject_id = $2
         order by open_time, id
         limit 200",
        subject.collection,
        subject.uuid
    )
    .fetch_all(connection)
    .await?;
    let time = |at: Option<jiff_sqlx::Timestamp>| at.map(Into::into);
    let shown = rows.into_iter().map(|row| {
        let (due, met) = (row.due_time.to_jiff(), time(row.meet_time));
        let amber = row.amber_time.to_jiff();
        let counted = Counted { due, amber, met, paused: row.paused, void: row.void };
        Shown {
            kind: row.kind,
            open_time: row.open_time.to_jiff(),
            due_time: due,
            legal_due_time: time(row.legal),
            internal_due_time: time(row.internal),
            standing: counted.standing(now),
            provisional: row.provisional,
            moves: moves.remove(&row.id).unwrap_or_default(),
        }
    });
    Ok(shown.collect())
}

async fn moves(
    connection: &mut PgConnection,
    subject: Subject,
) -> Result<BTreeMap<Uuid, Vec<Move>>> {
    let rows = sqlx::query!(
        "select obligation_id, limit_moved, from_due_time as from, to_due_time as to, cause,
            create_time
         from obligation_move join obligation on obligation.id = obligation_id
         where collection = $1 and subject_id = $2
         order by obligation_move.id
         limit 1000",
        subject.collection,
        subject.uuid
    )
    .fetch_all(connection)
    .await?;
    let mut moves = BTreeMap::<Uuid, Vec<Move>>::new();
    for row in rows {
        moves.entry(row.obligation_id).or_default().push(Move {
            limit: row.limit_moved,
            from: row.from.to_jiff(),
            to: row.to.to_jiff(),
            cause: row.cause,
            create_time: row.create_time.to_jiff(),
        });
    }
    Ok(moves)
}
