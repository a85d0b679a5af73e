//! What holds for every round of a worker: it refuses with a wrong clock.

use std::time::Duration;

use jiff::SignedDuration;
use jingqi::{clock::Clock, worker::Worker};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    conversations::{claim, close, open},
    harness::App,
};

/// Everything that a round would take away, give up or send.
const KEPT: &str = "select (select count(*) from idempotency where response is not null)
    + (select count(*) from event where attempts = 0) * 1000
    + (select count(*) from evaluation where state = 'INVITED') * 1000000
    + (select count(*) from signing_key) * 1000000000";

// I18: a worker whose clock is a year ahead destroys nothing, whichever job it does.
#[sqlx::test]
async fn a_worker_with_a_wrong_clock_destroys_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    close(&desk.ann, &name).await.unwrap();
    desk.city.in_review(&app).await;
    let before = app.count(KEPT).await;
    assert!(before > 1_001_001_000, "there is something to lose: {before}");
    let clock = Clock::Wrong(SignedDuration::from_hours(400 * 24));
    let (_, parts) = app.another_with_clock(clock).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(Worker::new(parts).run(stop.clone()));
    // Every loop begins with a round.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.cancel();
    running.await.unwrap();
    assert_eq!(app.count(KEPT).await, before);
}
