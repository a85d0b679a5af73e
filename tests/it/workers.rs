//! What holds for every round of a worker: it refuses with a wrong clock, a row that fails stops no
//! other, and what was not told is told later.

use jiff::SignedDuration;
use jingqi::surface::{
    clock::{Clock, ManualClock},
    error::Reason,
    worker::Worker,
};
use sqlx::PgPool;

use crate::{
    conversations::{all, claim, close, codes, get, open, say},
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
    let ahead = Clock::System.now() + SignedDuration::from_hours(400 * 24);
    let clock = Clock::Manual(ManualClock::at(ahead).claiming());
    let (_, parts) = app.another_with_clock(clock).await;
    let refused = Worker::new(parts).run_once().await.unwrap_err();
    assert_eq!(refused.reason(), Reason::ClockWrong);
    assert_eq!(app.count(KEPT).await, before);
}

/// Lets every statement fail that matches the condition on the row.
async fn fail(app: &App, table: &str, condition: &str) {
    app.sql(
        "create function fail() returns trigger language plpgsql as
            $$ begin raise exception 'a bad row'; end $$",
    )
    .await;
    app.sql(&format!(
        "create constraint trigger fail after insert or update on {table}
            deferrable initially deferred for each row when ({condition})
            execute function fail()"
    ))
    .await;
}

// CH-17: who cannot be reminded keeps nobody else from it, whatever the evaluation is of.
#[sqlx::test]
async fn one_evaluation_that_fails_stops_no_other(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let mut names = Vec::new();
    for _ in 0..3 {
        let name = open(&desk).await.name;
        claim(&desk.ann, &name).await.unwrap();
        close(&desk.ann, &name).await.unwrap();
        names.push(name);
    }
    // The last is of something else, and is looked at by another job.
    let uuid = |name: &str| name.split('/').nth(1).unwrap().to_owned();
    let other = format!(
        "update evaluation set collection = 'problems' where subject_id = '{}'",
        uuid(&names[2])
    );
    app.sql(&other).await;
    let first = format!("new.remind_time is not null and new.subject_id <> '{}'", uuid(&names[1]));
    fail(&app, "evaluation", &first).await;
    app.advance(SignedDuration::from_hours(49));
    app.run_workers().await;
    let reminded = all(&desk.talker, &names[1]).await;
    assert!(codes(&reminded).contains(&"RATE_REMINDER"));
    let reminded = all(&desk.talker, &names[0]).await;
    assert!(!codes(&reminded).contains(&"RATE_REMINDER"), "its unit of work was taken back");
}

// CH-16: a post whose hours cannot be read keeps the conversations of no other post.
#[sqlx::test]
async fn one_post_that_cannot_be_read_stops_no_other(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let mut names = Vec::new();
    for _ in 0..2 {
        let name = open(&desk).await.name;
        say(&desk.talker, &name, "在吗?").await.unwrap();
        claim(&desk.ann, &name).await.unwrap();
        names.push(name);
    }
    let broken = app.parts.ids.random();
    app.sql(&format!(
        "insert into liaison_post select (jsonb_populate_record(post, jsonb_build_object(
            'id', '{broken}', 'duty_hours', '\"broken\"'::jsonb))).* from liaison_post as post
            where id = '{}'",
        desk.post.split('/').nth(1).unwrap()
    ))
    .await;
    app.sql(&format!(
        "update conversation set liaison_post_id = '{broken}' where id = '{}'",
        names[0].split('/').nth(1).unwrap()
    ))
    .await;
    app.advance(SignedDuration::from_mins(15));
    app.run_workers().await;
    let back = get(&desk.talker, &names[1]).await.unwrap();
    assert_eq!(back.assignee, "", "put back");
}

// CH-08: what could not be told is told when it can be, and once.
#[sqlx::test]
async fn an_unseen_message_that_could_not_be_told_is_told_later(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let name = open(&desk).await.name;
    claim(&desk.ann, &name).await.unwrap();
    say(&desk.talker, &name, "我们的货车被拦下了").await.unwrap();
    fail(&app, "message_notice", "true").await;
    let told = "select count(*) from message_notice";
    // The stretch goes by, and later ones too.
    for _ in 0..2 {
        app.advance(SignedDuration::from_mins(7));
        app.run_workers().await;
        assert_eq!(app.count(told).await, 0);
    }
    app.sql("drop trigger fail on message_notice").await;
    for _ in 0..2 {
        app.advance(SignedDuration::from_secs(5));
        app.run_workers().await;
        assert_eq!(app.count(told).await, 1);
    }
    let notices = "select count(*) from notice where event = 'MESSAGE_RECEIVED'";
    assert_eq!(app.count(notices).await, 1);
}
