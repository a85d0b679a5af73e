//! A control of the run: a reader with a cursor over a plain sequence, as one would write it who has
//! not thought of it. The checker must find what it loses; a checker that never fails proves nothing.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::checker::{History, Kept, Outcome, Reader, Sending, Sighting};

const WRITERS: usize = 8;
const LASTS: Duration = Duration::from_secs(2);

/// Writers that hold their transaction for a moment between `nextval` and commit, and a reader with
/// `where id > last`: what happened.
pub async fn plain_sequence(database_url: &str, seed: u64) -> Result<History> {
    let pool = PgPoolOptions::new().max_connections(12).connect(database_url).await?;
    sqlx::query("create table control_message (id bigserial primary key, said uuid not null)")
        .execute(&pool)
        .await?;
    let begin = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(write(pool.clone(), seed + number as u64, begin)))
        .collect();
    let reading = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let reader = tokio::spawn(read(pool.clone(), reading.clone()));
    let mut sendings = Vec::new();
    for writer in writers {
        sendings.extend(writer.await??);
    }
    // It has time to see the last ones.
    sleep(Duration::from_millis(100)).await;
    reading.store(false, std::sync::atomic::Ordering::Relaxed);
    let seen = reader.await??;
    let messages = after(&pool, 0).await?;
    sqlx::query("drop table control_message").execute(&pool).await?;
    pool.close().await;
    Ok(History {
        sendings,
        readers: vec![Reader { name: "cursor".to_owned(), conversation: 0, seen }],
        markings: Vec::new(),
        kept: vec![Kept { source: "table", conversation: 0, messages }],
    })
}

#[expect(clippy::disallowed_methods, reason = "a control, and nobody drops it")]
async fn write(pool: PgPool, seed: u64, begin: Instant) -> Result<Vec<Sending>> {
    let mut random = StdRng::seed_from_u64(seed);
    let us = || u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut sendings = Vec::new();
    while begin.elapsed() < LASTS {
        let id = uuid::Builder::from_random_bytes(random.random()).into_uuid();
        let invoke_us = us();
        let mut tx = pool.begin().await?;
        let sequence: i64 =
            sqlx::query_scalar("insert into control_message (said) values ($1) returning id")
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
        sleep(Duration::from_micros(random.random_range(0..10_000))).await;
        tx.commit().await?;
        let outcome = Outcome::Acknowledged { sequence, at_us: us() };
        sendings.push(Sending { conversation: 0, id, invoke_us, outcome });
    }
    Ok(sendings)
}

async fn read(pool: PgPool, reading: Arc<std::sync::atomic::AtomicBool>) -> Result<Vec<Sighting>> {
    let (mut seen, mut last) = (Vec::<Sighting>::new(), 0);
    while reading.load(std::sync::atomic::Ordering::Relaxed) {
        seen.extend(after(&pool, last).await?);
        last = seen.last().map_or(0, |sighting| sighting.sequence);
        sleep(Duration::from_millis(5)).await;
    }
    Ok(seen)
}

async fn after(pool: &PgPool, last: i64) -> Result<Vec<Sighting>> {
    let rows: Vec<(i64, Uuid)> =
        sqlx::query_as("select id, said from control_message where id > $1 order by id")
            .bind(last)
            .fetch_all(pool)
            .await?;
    Ok(rows.into_iter().map(|(sequence, said)| Sighting { sequence, said: Some(said) }).collect())
}
