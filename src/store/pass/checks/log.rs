//! The writers of the record: groups of checks, each durable before it is answered, none ever rewritten.

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
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::Store,
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
