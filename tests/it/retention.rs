//! What goes after its time, and what stays however old: notices with their pushes, and the log of
//! webhooks (facts.md, 6.5).

use jiff::SignedDuration;
use jingqi::surface::{domain::common::notice::NoticeEvent, sandbox, store::common::retention};
use sqlx::PgPool;

use crate::{
    harness::App,
    notices::{PHONE, inbox},
    webhooks::webhook,
};

const DEAD: &str = "select count(*) from event where deliver_time is null and attempts >= 12";

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

impl App {
    async fn counts<const N: usize>(&self, tables: [&str; N]) -> [i64; N] {
        let mut counts = [0; N];
        for (count, table) in counts.iter_mut().zip(tables) {
            *count = self.count(&format!("select count(*) from {table}")).await;
        }
        counts
    }
}

// What was told goes after three years, read or not, pushed or collected; a dead letter stays, is seen and
// sent, and goes then.
#[sqlx::test]
async fn notices_go_after_three_years_and_a_dead_letter_stays(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", sandbox::sms::AWAY).await;
    app.reachable(&city.boss, "boss-wang", PHONE).await;
    app.tells(&city.driver, NoticeEvent::PassSuspended, "1").await;
    app.tells(&city.boss, NoticeEvent::PassSuspended, "1").await;
    app.clock.set("2026-11-24T23:00:00+08:00".parse().unwrap());
    for cause in ["2", "3"] {
        app.tells(&city.boss, NoticeEvent::PassResumed, cause).await;
    }
    for _ in 0..13 {
        app.run_workers().await;
        app.advance(SignedDuration::from_hours(1));
    }
    let request =
        jingqi::surface::service::pb::MarkNoticesReadRequest { all: true, ..Default::default() };
    city.boss.call(request).await.unwrap();
    let one = inbox(&city.boss).await.remove(0).name;
    let id = one.rsplit_once('/').unwrap().1;
    app.sql(&format!("insert into notice_read values ('persons/x', '{id}', now())")).await;
    let tables = ["notice", "notice_delivery", "notice_digest", "notice_read"];
    assert_eq!(app.counts(tables).await, [4, 4, 1, 1]);
    let start = crate::harness::START.parse::<jiff::Timestamp>().unwrap();
    app.clock.set(start + days(3 * 365));
    app.run_workers().await;
    assert_eq!(app.counts(tables).await, [4, 4, 1, 1], "three years, less a leap day");
    app.clock.set(start + days(3 * 365 + 2));
    app.run_workers().await;
    assert_eq!(app.counts(tables).await, [1, 1, 0, 0]);
    assert_eq!(app.count(DEAD).await, 1, "it does not vanish");
    // The gateway takes it in the end.
    app.reachable(&city.driver, "driver-zhao", "13812340002").await;
    app.advance(days(2));
    app.run_workers().await;
    assert_eq!(app.by_sms("13812340002").await["parameters"]["state"], "已暂停");
    app.run_workers().await;
    assert_eq!(app.counts(tables).await, [0, 0, 0, 0]);
}

// However many there are: in steps, and to the end.
#[sqlx::test]
async fn more_notices_than_one_step_takes_go_in_one_round(pool: PgPool) {
    let app = App::start(pool).await;
    let old = "insert into notice (id, audience, event, cause, subject, facts, create_time)
        select ('01800000-0000-7000-8000-' || lpad(at::text, 12, '0'))::uuid, 'persons/x',
            'PASS_RESUMED', at::text, 'truckPasses/x', '{}', '2022-04-05'
        from generate_series(1, 1234) as at";
    assert_eq!(app.sql(old).await, 1_234);
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from notice").await, 0);
}

// A push that is held back has an event that was worked off: it must be there when the digest wants it,
// even if the worker rested longer than events are kept.
#[sqlx::test]
async fn the_event_of_a_push_that_is_held_back_stays(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.reachable(&city.driver, "driver-zhao", PHONE).await;
    app.clock.set("2026-11-24T23:00:00+08:00".parse().unwrap());
    app.tells(&city.driver, NoticeEvent::PassResumed, "1").await;
    app.run_workers().await;
    app.advance(days(40));
    let mut connection = app.parts.store.pool().acquire().await.unwrap();
    retention::events(&mut connection, app.now() - days(30)).await.unwrap();
    drop(connection);
    app.clock.set("2027-01-04T10:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(app.by_sms(PHONE).await["parameters"]["state"], "已恢复");
    app.advance(days(31));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from event where topic = 'notice'").await, 0);
}

// The log of webhooks is an access log: three years. What one still has to be told stays with it.
#[sqlx::test]
async fn the_log_of_webhooks_goes_after_three_years_and_a_dead_letter_stays(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let administrator = app.administrator().await;
    webhook(&app, &administrator, "good", &["PASS_APPROVED"]).await.unwrap();
    webhook(&app, &administrator, sandbox::webhook::AWAY, &["PASS_APPROVED"]).await.unwrap();
    city.pass(&app).await;
    for _ in 0..13 {
        app.run_workers().await;
        app.advance(SignedDuration::from_hours(1));
    }
    let tables = ["webhook_delivery", "webhook_attempt"];
    assert_eq!(app.counts(tables).await, [2, 14]);
    app.advance(days(3 * 365));
    app.run_workers().await;
    assert_eq!(app.counts(tables).await, [2, 15], "tried once more");
    app.advance(days(2));
    app.run_workers().await;
    assert_eq!(app.counts(tables).await, [1, 2], "the attempts of these days");
    assert_eq!(app.count(DEAD).await, 1);
    assert_eq!(app.count("select count(*) from webhook").await, 2);
}
