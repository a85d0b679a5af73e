//! The record of checks: written in groups before they are answered, never rewritten; and what the
//! officer did then. No verdict is made here.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::timeout,
};
use uuid::Uuid;

use crate::{
    actor::Scope,
    domain::pass::check::PassState,
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{OnConstraint as _, Store, Tx},
};

/// How many records one statement writes at most.
const BATCH_MAX: usize = 256;
/// How many records may wait; beyond that a check is turned away at once.
const QUEUE_MAX: usize = 4_096;
/// How many statements are under way at the same time.
const WRITERS: usize = 2;
/// How long a statement may take: below the deadline of a call.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a check waits for its record.
const RECORD_TIMEOUT: Duration = Duration::from_secs(3);

/// A check, with its answer.
#[derive(Debug, Clone)]
pub struct Record {
    /// The check.
    pub id: Id<kind::PassCheck>,
    /// Who checked.
    pub actor: String,
    /// The device's own id of the scan.
    pub request_id: Uuid,
    /// SHA-256 of the request.
    pub digest: Vec<u8>,
    /// Where.
    pub checkpoint: Id<kind::Checkpoint>,
    /// When.
    pub time: Timestamp,
    /// Into the zone or out of it.
    pub direction: &'static str,
    /// By what the truck was identified.
    pub source: &'static str,
    /// The plate that was judged; empty where none was known.
    pub plate_number: String,
    /// The pass that was judged.
    pub pass: Option<Id<kind::TruckPass>>,
    /// Yes, no, or undecidable.
    pub verdict: &'static str,
    /// What it ended in.
    pub outcome: &'static str,
    /// The answer, as it is given.
    pub answer: Vec<u8>,
    /// Where, in degrees north.
    pub latitude: f64,
    /// Where, in degrees east.
    pub longitude: f64,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is durable.
    First,
    /// The request was answered before: that answer counts.
    Before(Vec<u8>),
}

struct Entry {
    record: Record,
    answer: oneshot::Sender<Result<Recorded, Reason>>,
}

/// Collects records and writes them in groups. A group begins as soon as a writer is free, so an
/// idle server writes each check at once, and a busy one pays one commit for many.
#[derive(Debug, Clone)]
pub struct CheckLog {
    queue: mpsc::Sender<Entry>,
}

impl CheckLog {
    /// Starts the writers; they end when the last copy of the log is gone.
    #[must_use]
    pub fn start(store: &Store) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE_MAX);
        let entries = Arc::new(Mutex::new(entries));
        for _ in 0..WRITERS {
            let (store, entries) = (store.clone(), entries.clone());
            tokio::spawn(keep(move || write(store.clone(), entries.clone())));
        }
        Self { queue }
    }

    /// Makes a check durable.
    ///
    /// # Errors
    /// `OVERLOADED` when too many wait, `REQUEST_ID_REUSED` when the id stands for another content,
    /// `STORE_UNAVAILABLE` when it could not be written in time.
    pub async fn record(&self, record: Record) -> Result<Recorded> {
        const SECOND: Duration = Duration::from_secs(1);
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Entry { record, answer }).map_err(|error| match error {
            TrySendError::Full(_) => Error::new(Reason::Overloaded).retry_after(SECOND),
            TrySendError::Closed(_) => Error::new(Reason::StoreUnavailable).retry_after(SECOND),
        })?;
        let refused = |reason| match reason {
            Reason::RequestIdReused => Error::new(reason),
            _ => Error::new(reason).retry_after(SECOND),
        };
        match timeout(RECORD_TIMEOUT, answered).await {
            Ok(Ok(recorded)) => recorded.map_err(refused),
            // Nobody wrote it, or nobody knows.
            Ok(Err(_)) | Err(_) => Err(refused(Reason::StoreUnavailable)),
        }
    }
}

/// Starts a writer again when it panicked: with the last of them every check would be refused.
async fn keep<F>(writer: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(writer()).await {
        if !error.is_panic() {
            return;
        }
        tracing::error!(%error, "a writer of checks panicked");
    }
}

async fn write(store: Store, entries: Arc<Mutex<mpsc::Receiver<Entry>>>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        batch.clear();
        if entries.lock().await.recv_many(&mut batch, BATCH_MAX).await == 0 {
            return;
        }
        // In one order everywhere: two writers with the same request ids must not wait for each
        // other in a ring.
        batch.sort_unstable_by(|a, b| key(&a.record).cmp(&key(&b.record)));
        let written = match timeout(WRITE_TIMEOUT, group(&store, &batch)).await {
            Ok(written) => written,
            Err(_) => Err(Error::new(Reason::StoreUnavailable)),
        };
        match written {
            Ok(written) => {
                for (entry, recorded) in batch.drain(..).zip(written) {
                    // Who asked may be gone; the record stays.
                    let _ = entry.answer.send(recorded);
                }
            }
            Err(error) => {
                tracing::error!(%error, source = ?error, checks = batch.len(), "checks not recorded");
                for entry in batch.drain(..) {
                    let _ = entry.answer.send(Err(error.reason()));
                }
            }
        }
    }
}

fn key(record: &Record) -> (&str, Uuid) {
    (&record.actor, record.request_id)
}

/// Writes the group, and says of each entry what became of it, in the order of the group.
async fn group(store: &Store, batch: &[Entry]) -> Result<Vec<Result<Recorded, Reason>>> {
    let mut connection = store.read().await?;
    let written = insert(&mut connection, batch).await?;
    if written.len() == batch.len() {
        return Ok(vec![Ok(Recorded::First); batch.len()]);
    }
    let repeated = batch.iter().filter(|entry| !written.contains(&entry.record.id.uuid()));
    let (actors, request_ids): (Vec<_>, Vec<_>) =
        repeated.map(|entry| (entry.record.actor.clone(), entry.record.request_id)).unzip();
    let known = sqlx::query!(
        "select pass_check.actor, pass_check.request_id, digest, answer
         from pass_check
         join unnest($1::text[], $2::uuid[]) as asked (actor, request_id)
            on asked.actor = pass_check.actor and asked.request_id = pass_check.request_id",
        &actors,
        &request_ids
    )
    .fetch_all(&mut *connection)
    .await?;
    let became = |entry: &Entry| {
        let record = &entry.record;
        if written.contains(&record.id.uuid()) {
            return Ok(Recorded::First);
        }
        let same = |actor: &str, id| actor == record.actor && id == record.request_id;
        match known.iter().find(|row| same(&row.actor, row.request_id)) {
            Some(row) if row.digest == record.digest => Ok(Recorded::Before(row.answer.clone())),
            Some(_) => Err(Reason::RequestIdReused),
            None => Err(Reason::Internal),
        }
    };
    Ok(batch.iter().map(became).collect())
}

/// One statement for the whole group; the ids that were new come back.
async fn insert(connection: &mut PgConnection, batch: &[Entry]) -> Result<Vec<Uuid>> {
    macro_rules! column {
        ($value:expr) => {
            batch.iter().map(|entry| ($value)(&entry.record)).collect::<Vec<_>>()
        };
    }
    let ids = column!(|record: &Record| record.id.uuid());
    let actors = column!(|record: &Record| record.actor.clone());
    let request_ids = column!(|record: &Record| record.request_id);
    let digests = column!(|record: &Record| record.digest.clone());
    let checkpoints = column!(|record: &Record| record.checkpoint.uuid());
    let times = column!(|record: &Record| record.time.to_sqlx());
    let directions = column!(|record: &Record| record.direction.to_owned());
    let sources = column!(|record: &Record| record.source.to_owned());
    let plates = column!(|record: &Record| record.plate_number.clone());
    let passes = column!(|record: &Record| record.pass.map(Id::uuid));
    let verdicts = column!(|record: &Record| record.verdict.to_owned());
    let outcomes = column!(|record: &Record| record.outcome.to_owned());
    let answers = column!(|record: &Record| record.answer.clone());
    let latitudes = column!(|record: &Record| record.latitude);
    let longitudes = column!(|record: &Record| record.longitude);
    let written = sqlx::query_scalar!(
        "insert into pass_check (id, actor, request_id, digest, checkpoint_id, check_time,
            direction, source, plate_number, truck_pass_id, verdict, outcome, answer, latitude,
            longitude)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::uuid[],
            $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::uuid[], $11::text[],
            $12::text[], $13::bytea[], $14::double precision[], $15::double precision[])
         on conflict (actor, request_id) do nothing
         returning id",
        &ids,
        &actors,
        &request_ids,
        &digests,
        &checkpoints,
        &times as _,
        &directions,
        &sources,
        &plates,
        &passes as _,
        &verdicts,
        &outcomes,
        &answers,
        &latitudes,
        &longitudes
    )
    .fetch_all(connection)
    .await?;
    Ok(written)
}

/// A checkpoint, as a check needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The checkpoint.
    pub id: Id<kind::Checkpoint>,
    /// The zones that it guards.
    pub zone_ids: Vec<Uuid>,
    /// The path of its unit.
    pub unit_path: String,
}

impl Place {
    /// Whether it lies within the scope.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> bool {
        scope.all
            || scope.checkpoint == Some(self.id.uuid())
            || scope.unit_path.as_ref().is_some_and(|path| self.unit_path.starts_with(path))
    }
}

/// A checkpoint. It may be remembered for a while, so the caller asks [`Place::within`].
pub async fn place(
    connection: &mut PgConnection,
    id: Id<kind::Checkpoint>,
) -> Result<Option<Place>> {
    let row = sqlx::query!(
        "select zone_ids, unit.path
         from checkpoint join unit on unit.id = unit_id
         where checkpoint.id = $1",
        id.uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Place { id, zone_ids: row.zone_ids, unit_path: row.path }))
}

/// A check that was recorded.
#[derive(Debug, Clone)]
pub struct Check {
    /// The check.
    pub id: Id<kind::PassCheck>,
    /// The pass that was judged.
    pub pass: Option<Id<kind::TruckPass>>,
    /// The answer, as it was given.
    pub answer: Vec<u8>,
    /// What the officer did.
    pub action: Option<String>,
    /// What the officer noted.
    pub action_note: String,
}

/// A check within the scope.
pub async fn get(
    connection: &mut PgConnection,
    id: Id<kind::PassCheck>,
    scope: &Scope,
) -> Result<Check> {
    let row = sqlx::query!(
        "select pass_check.truck_pass_id, answer, done.action as \"action?\",
            coalesce(done.note, '') as \"note!\"
         from pass_check
         join checkpoint on checkpoint.id = checkpoint_id
         join unit on unit.id = checkpoint.unit_id
         left join pass_check_action done on done.pass_check_id = pass_check.id
         where pass_check.id = $1 and ($2 or checkpoint_id = $3
            or ($4::text is not null and starts_with(unit.path, $4)))",
        id.uuid(),
        scope.all,
        scope.checkpoint,
        scope.unit_path
    )
    .fetch_optional(connection)
    .await?;
    let row = row.ok_or_else(|| scope.missing(id.subject()))?;
    Ok(Check {
        id,
        pass: row.truck_pass_id.map(Id::of),
        answer: row.answer,
        action: row.action,
        action_note: row.note,
    })
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// One checkpoint.
    pub checkpoint: Option<Uuid>,
    /// One plate.
    pub plate_number: Option<String>,
}

/// Checks within the scope, newest first, after the cursor: always a walk along an index, however many
/// checks there are elsewhere.
pub async fn list(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Check>> {
    let ids = if let Some(plate) = &filter.plate_number {
        of_plate(&mut *connection, plate, filter, scope, after, rows).await?
    } else if scope.all && filter.checkpoint.is_none() {
        newest(&mut *connection, after, rows).await?
    } else {
        of_checkpoints(&mut *connection, filter, scope, after, rows).await?
    };
    let rows = sqlx::query!(
        "select pass_check.id, pass_check.truck_pass_id, answer, done.action as \"action?\",
            coalesce(done.note, '') as \"note!\"
         from pass_check
         left join pass_check_action done on done.pass_check_id = pass_check.id
         where pass_check.id = any($1)
         order by pass_check.id desc",
        &ids
    )
    .fetch_all(connection)
    .await?;
    let check = rows.into_iter().map(|row| Check {
        id: Id::of(row.id),
        pass: row.truck_pass_id.map(Id::of),
        answer: row.answer,
        action: row.action,
        action_note: row.note,
    });
    Ok(check.collect())
}

/// Of all.
async fn newest(
    connection: &mut PgConnection,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select id from pass_check where id < $1 order by id desc limit $2",
        crate::store::before(after),
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// Of one plate.
async fn of_plate(
    connection: &mut PgConnection,
    plate: &str,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select pass_check.id
         from pass_check
         join checkpoint on checkpoint.id = checkpoint_id
         join unit on unit.id = checkpoint.unit_id
         where plate_number = $1 and pass_check.id < $2
            and ($3 or checkpoint_id = $4 or ($5::text is not null and starts_with(unit.path, $5)))
            and ($6::uuid is null or checkpoint_id = $6)
         order by pass_check.id desc
         limit $7",
        plate,
        crate::store::before(after),
        scope.all,
        scope.checkpoint,
        scope.unit_path,
        filter.checkpoint,
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// Of each checkpoint within the scope the newest, and of these the newest.
async fn of_checkpoints(
    connection: &mut PgConnection,
    filter: &Filter,
    scope: &Scope,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select found.id
         from checkpoint
         join unit on unit.id = unit_id
         cross join lateral (
            select pass_check.id from pass_check
            where checkpoint_id = checkpoint.id and pass_check.id < $1
            order by pass_check.id desc limit $6
         ) as found
         where ($2 or checkpoint.id = $3 or ($4::text is not null and starts_with(unit.path, $4)))
            and ($5::uuid is null or checkpoint.id = $5)
         order by found.id desc
         limit $6",
        crate::store::before(after),
        scope.all,
        scope.checkpoint,
        scope.unit_path,
        filter.checkpoint,
        rows
    );
    Ok(ids.fetch_all(connection).await?)
}

/// What an officer did after a check.
#[derive(Debug, Clone)]
pub struct Done {
    /// `RELEASE`, `EDUCATE`, `TURN_BACK` or `PENALISE`.
    pub action: &'static str,
    /// In the officer's words.
    pub note: String,
    /// Proposes that the pass be ended.
    pub propose_revocation: bool,
}

/// Stores what was done after a check, once.
///
/// # Errors
/// `ALREADY_EXISTS` when it was stored before.
pub async fn insert_action(tx: &mut Tx, check: Id<kind::PassCheck>, done: &Done) -> Result<()> {
    let officer = tx.cx().actor.name();
    let now = tx.now();
    sqlx::query!(
        "insert into pass_check_action (pass_check_id, action, note, propose_revocation, officer,
            create_time)
         values ($1, $2, $3, $4, $5, $6)",
        check.uuid(),
        done.action,
        done.note,
        done.propose_revocation,
        officer,
        now.to_sqlx() as _
    )
    .execute(tx.conn())
    .await
    .on_constraint("pass_check_action_pkey", Reason::AlreadyExists)?;
    Ok(())
}

/// The stored state of the pass that was judged, for the remark in its history. The scope was
/// judged with the check.
pub async fn pass_state(
    connection: &mut PgConnection,
    id: Id<kind::TruckPass>,
) -> Result<Option<PassState>> {
    let state = sqlx::query_scalar!("select state from truck_pass where id = $1", id.uuid())
        .fetch_optional(connection)
        .await?;
    Ok(state.as_deref().and_then(PassState::from_wire))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::keep;

    #[tokio::test]
    async fn a_writer_that_panics_is_followed_by_another() {
        let begun = AtomicUsize::new(0);
        keep(|| {
            let before = begun.fetch_add(1, Ordering::Relaxed);
            async move { assert_ne!(before, 0, "the first one panics") }
        })
        .await;
        assert_eq!(begun.load(Ordering::Relaxed), 2);
    }
}
