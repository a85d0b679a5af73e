//! What is owed until when, and what happens when nobody does it: three limits, pauses, the ladder, the
//! sweeper that several servers run and that survives poisoned rows, downtime and wrong clocks.

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    clock::{Clock, ManualClock},
    server::SWEEP,
    service::pb::{self, complaint::State},
    worker::Worker,
};
use sqlx::PgPool;
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    complaints::Service,
    harness::{App, User, fields, reason, request_id},
};

/// A row of a query that a test reads: texts, in Beijing time.
type Row = (String, String, String);

async fn rows(app: &App, text: &str) -> Vec<Row> {
    let text = sqlx::AssertSqlSafe(text.to_owned());
    sqlx::query_as(text).fetch_all(app.parts.store.pool()).await.unwrap()
}

fn row(one: &str, two: &str, three: &str) -> Row {
    (one.to_owned(), two.to_owned(), three.to_owned())
}

/// The steps that were taken about the handling: which, when it was due, when it was taken.
async fn steps(app: &App) -> Vec<Row> {
    let text = "select escalation.level::text,
            to_char(escalation.due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI'),
            to_char(create_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI')
         from escalation join obligation on obligation.id = obligation_id
         where kind = 'HANDLE_COMPLAINT' order by escalation.due_time, level";
    rows(app, text).await
}

/// The three due times of the handling that is open.
async fn due_times(app: &App) -> Row {
    let text = "select to_char(internal_due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI'),
            to_char(due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI'),
            to_char(legal_due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI')
         from obligation
         where kind = 'HANDLE_COMPLAINT' and meet_time is null and void_time is null";
    rows(app, text).await.remove(0)
}

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().unwrap()
}

impl App {
    async fn sweep_at(&self, text: &str) {
        self.clock.set(at(text));
        self.run_workers().await;
    }

    /// So many handlings that nobody does, opened at 10:30 on 24 November with five working days.
    async fn many(&self, count: i32) {
        let insert = format!(
            "insert into obligation (id, collection, subject_id, kind, unit_path, open_time,
                due_time, amber_time, sweep_time, calendar_version, limit_text)
             select gen_random_uuid(), 'complaints', gen_random_uuid(), 'SIGN_COMPLAINT',
                '321300000000/', '2026-11-24T10:30:00+08:00', '2026-12-02T00:00:00+08:00',
                '2026-11-30T00:00:00+08:00', '2026-11-30T00:00:00+08:00', $1, 'WORKING_DAYS:5'
             from generate_series(1, {count})"
        );
        let version = self.parts.world.calendar().version().to_owned();
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(version)
            .execute(self.parts.store.pool())
            .await
            .unwrap();
    }

    async fn handled(&self) -> (Service, String) {
        let desk = Box::pin(self.service()).await;
        let name = desk.file().await.name;
        desk.accept(&desk.assigner, &name).await.unwrap();
        (desk, name)
    }
}

async fn status(user: &User) -> pb::SweepStatus {
    user.call(pb::GetSweepStatusRequest {}).await.unwrap()
}

// CO-02, CO-07, CO-08, SD-03: amber at the end of the office's own limit, red at the promised one, then
// up the ladder, and the law's limit at last; each step is a record that the leader sees.
#[sqlx::test]
async fn the_ladder_is_climbed_and_every_step_is_a_record(pool: PgPool) {
    let app = App::start(pool).await;
    // Tuesday, 10:30: the office's own limit is Monday, the promise Tuesday, the law's 60 days later.
    let (desk, name) = app.handled().await;
    assert_eq!(due_times(&app).await, row("12-01 00:00", "12-02 00:00", "01-26 00:00"));
    app.sweep_at("2026-11-30T23:59:59").await;
    assert_eq!(steps(&app).await, []);
    for moment in ["2026-12-01T00:00:00", "2026-12-02T00:00:01", "2026-12-03T00:00:01"] {
        app.sweep_at(moment).await;
    }
    let mut expected = vec![
        row("1", "12-01 00:00", "12-01 00:00"),
        row("2", "12-02 00:00", "12-02 00:00"),
        row("3", "12-03 00:00", "12-03 00:00"),
    ];
    assert_eq!(steps(&app).await, expected);
    app.sweep_at("2026-12-09T00:00:00").await;
    app.sweep_at("2027-01-26T00:00:00").await;
    app.sweep_at("2027-03-01T00:00:00").await;
    expected.push(row("4", "12-09 00:00", "12-09 00:00"));
    expected.push(row("5", "01-26 00:00", "01-26 00:00"));
    let mut taken = steps(&app).await;
    taken.sort();
    assert_eq!(taken, expected);
    let request = pb::ListEscalationsRequest {
        level: "UNLAWFUL".to_owned(),
        unsettled: true,
        ..Default::default()
    };
    let listed = desk.leader.call(request).await.unwrap();
    let steps: Vec<_> = listed
        .escalations
        .iter()
        .filter(|step| step.subject == name && step.obligation_kind == "HANDLE_COMPLAINT")
        .map(|step| step.level.as_str())
        .collect();
    assert_eq!(steps, ["UNLAWFUL"]);
    let missed = "select count(*) from obligation
        where kind = 'HANDLE_COMPLAINT' and breach_time = due_time
            and legal_breach_time = legal_due_time";
    assert_eq!(app.count(missed).await, 1);
}

// CO-07, I18: all servers were down over every deadline: each step is there after one round, once, with
// its own time, whoever sweeps.
#[sqlx::test]
async fn what_was_missed_while_all_servers_were_down_is_taken_at_start_once(pool: PgPool) {
    let app = App::start(pool).await;
    app.handled().await;
    app.clock.set(at("2027-03-01T09:00:00"));
    let (one, two) = (Worker::new(app.parts.clone()), Worker::new(app.parts.clone()));
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    one.unwrap();
    two.unwrap();
    app.run_workers().await;
    let taken = "03-01 09:00";
    let expected = [
        row("1", "12-01 00:00", taken),
        row("2", "12-02 00:00", taken),
        row("3", "12-03 00:00", taken),
        row("4", "12-09 00:00", taken),
        row("5", "01-26 00:00", taken),
    ];
    assert_eq!(steps(&app).await, expected.clone());
    app.advance(SignedDuration::from_hours(24));
    app.run_workers().await;
    assert_eq!(steps(&app).await, expected);
}

// CO-07, OP-04, OP-05, T15: three servers sweep more than a batch at the same time; each step is taken
// once.
#[sqlx::test]
async fn several_sweepers_share_the_work_and_take_each_step_once(pool: PgPool) {
    let app = App::start(pool).await;
    app.many(1_300).await;
    app.clock.set(at("2026-12-02T00:00:00"));
    let worker = || Worker::new(app.parts.clone());
    let (one, two, three) = (worker(), worker(), worker());
    let (one, two, three) = tokio::join!(one.run_once(), two.run_once(), three.run_once());
    one.and(two).and(three).unwrap();
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from escalation where level = 1").await, 1_300);
    assert_eq!(app.count("select count(*) from escalation where level = 2").await, 1_300);
    assert_eq!(app.count("select count(*) from escalation").await, 2_600);
}

// T17, CO-07: one row that cannot be escalated stops no other; it is put off, counted and seen.
#[sqlx::test]
async fn a_poisoned_row_stops_no_other(pool: PgPool) {
    let app = App::start(pool).await;
    let (desk, _) = app.handled().await;
    app.many(700).await;
    app.sql(
        "create function poison() returns trigger language plpgsql as $$ begin
            if new.obligation_id in (select id from obligation where kind = 'HANDLE_COMPLAINT')
            then raise exception 'poison'; end if;
            return new; end $$",
    )
    .await;
    app.sql(
        "create trigger poison before insert on escalation for each row execute function poison()",
    )
    .await;
    app.sweep_at("2026-12-02T00:00:00").await;
    assert_eq!(steps(&app).await, []);
    let others = "select count(*) from escalation
        join obligation on obligation.id = obligation_id where kind = 'SIGN_COMPLAINT'";
    assert_eq!(app.count(others).await, 1_400);
    let seen = status(&desk.leader).await;
    assert_eq!((seen.failing, seen.behind, seen.alive), (1, 0, true));
    // Each time it fails it is put off again, and the others go on.
    app.sweep_at("2026-12-02T00:01:00").await;
    assert_eq!(app.count("select max(failures)::bigint from obligation").await, 2);
    app.sql("drop trigger poison on escalation").await;
    app.sweep_at("2026-12-02T00:02:00").await;
    assert_eq!(steps(&app).await.len(), 2);
    assert_eq!(status(&desk.leader).await.failing, 0);
}

// I18: the last good sweep is more than half a minute old: its health is red, the server's is not.
#[sqlx::test]
async fn the_health_of_the_sweep_turns_red_when_nobody_sweeps(pool: PgPool) {
    let app = App::start(pool).await;
    let channel = Endpoint::from_shared(format!("http://{}", app.address)).unwrap().connect_lazy();
    let mut health = HealthClient::new(channel);
    let service = HealthCheckRequest { service: SWEEP.to_owned() };
    let mut stream = health.watch(service).await.unwrap().into_inner();
    app.run_workers().await;
    while stream.message().await.unwrap().unwrap().status != 1 {}
    app.advance(SignedDuration::from_secs(31));
    assert_eq!(stream.message().await.unwrap().unwrap().status, 2);
    let whole = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(whole.into_inner().status, 1);
    let desk = app.service().await;
    assert!(!status(&desk.leader).await.alive);
    app.run_workers().await;
    assert_eq!(stream.message().await.unwrap().unwrap().status, 1);
    assert!(status(&desk.leader).await.alive);
}

// I18: a server whose clock is a day off sweeps nothing, counts nothing and answers nobody.
#[sqlx::test]
async fn a_server_with_a_wrong_clock_changes_no_due_time(pool: PgPool) {
    let app = App::start(pool).await;
    let (desk, name) = app.handled().await;
    let off = |by| Clock::Manual(ManualClock::at(Clock::System.now() + by).claiming());
    for hours in [24, -24] {
        let wrong = off(SignedDuration::from_hours(hours));
        let (address, parts) = app.another_with_clock(wrong).await;
        let refused = Worker::new(parts).run_once().await.unwrap_err();
        assert_eq!(refused.reason().wire(), "CLOCK_WRONG");
        let refused = desk.assign(&desk.assigner.at(address), &name, &desk.lead_unit).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unavailable, "CLOCK_WRONG"));
    }
    assert_eq!(app.count("select count(*) from escalation").await, 0);
    assert_eq!(app.count("select count(*) from heartbeat").await, 0);
    assert_eq!(due_times(&app).await, row("12-01 00:00", "12-02 00:00", "01-26 00:00"));
    // A second is no fault of a clock.
    let (_, parts) = app.another_with_clock(off(SignedDuration::from_secs(1))).await;
    Worker::new(parts).run_once().await.unwrap();
    assert_eq!(app.count("select count(*) from heartbeat").await, 1);
}

// CO-05, SD-04, T19: returned for three working days, both the promise and the law move, and nobody is
// reminded meanwhile; the old value is kept.
#[sqlx::test]
async fn a_pause_moves_every_limit_and_keeps_the_old_value(pool: PgPool) {
    let app = App::start(pool).await;
    let (desk, name) = app.handled().await;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    app.clock.set(at("2026-11-25T09:00:00"));
    desk.give_back(&desk.one, &name).await.unwrap();
    app.sweep_at("2026-12-03T00:00:00").await;
    assert_eq!(steps(&app).await, []);
    app.clock.set(at("2026-11-30T16:00:00"));
    let again = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    assert_eq!(again.state(), State::Assigned);
    // Thursday, Friday and Monday; and five days of the calendar.
    assert_eq!(due_times(&app).await, row("12-04 00:00", "12-05 00:00", "01-29 00:00"));
    let moves = "select limit_moved || ' ' || cause,
            to_char(from_due_time at time zone 'Asia/Shanghai', 'MM-DD'),
            to_char(to_due_time at time zone 'Asia/Shanghai', 'MM-DD') from obligation_move
        order by limit_moved desc";
    let all = [
        row("PROMISED PAUSE", "12-02", "12-05"),
        row("LEGAL PAUSE", "01-26", "01-29"),
        row("INTERNAL PAUSE", "12-01", "12-04"),
    ];
    assert_eq!(rows(&app, moves).await, all);
    // T18, T21: what is to be signed is owed anew, the handling goes on from where it was.
    let open = "select count(*) from obligation
        where kind = 'SIGN_COMPLAINT' and meet_time is null and void_time is null";
    assert_eq!(app.count(open).await, 1);
    assert_eq!(
        app.count("select count(*) from obligation where kind = 'HANDLE_COMPLAINT'").await,
        1
    );
    app.sweep_at("2026-12-04T00:00:00").await;
    assert_eq!(steps(&app).await, [row("1", "12-04 00:00", "12-04 00:00")]);
}

// SD-04, CO-06: an extension moves the promise and the office's own limit; the law stays.
#[sqlx::test]
async fn an_extension_moves_the_promise_and_not_the_law(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.extend(&desk.one, &name, 3).await.unwrap();
    desk.decide(&desk.assigner, &name, true).await.unwrap();
    assert_eq!(due_times(&app).await, row("12-04 00:00", "12-05 00:00", "01-26 00:00"));
    let moves = "select limit_moved || ' ' || cause,
            to_char(from_due_time at time zone 'Asia/Shanghai', 'MM-DD'),
            to_char(to_due_time at time zone 'Asia/Shanghai', 'MM-DD') from obligation_move
        order by limit_moved desc";
    let all =
        [row("PROMISED EXTENSION", "12-02", "12-05"), row("INTERNAL EXTENSION", "12-01", "12-04")];
    assert_eq!(rows(&app, moves).await, all);
}

// A breach stays one: a pause and a settlement that come too late heal nothing.
#[sqlx::test]
async fn what_is_late_stays_late(pool: PgPool) {
    let app = App::start(pool).await;
    let (desk, name) = app.handled().await;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    app.sweep_at("2026-12-02T00:00:00").await;
    desk.give_back(&desk.one, &name).await.unwrap();
    app.clock.set(at("2026-12-04T10:00:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    assert_eq!(due_times(&app).await.1, "12-02 00:00");
    desk.sign(&desk.one, &name).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    app.run_workers().await;
    let late = "select count(*) from obligation
        where kind = 'HANDLE_COMPLAINT' and meet_time is not null and breach_time = due_time";
    assert_eq!(app.count(late).await, 1);
    // What was settled climbs no further.
    app.sweep_at("2027-03-01T00:00:00").await;
    assert_eq!(steps(&app).await.len(), 2);
}

// SD-03: what is promised never ends after the law, nor before the office's own; all faults at once.
#[sqlx::test]
async fn limits_that_do_not_fit_together_are_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let form = pb::ComplaintPolicy {
        category: pb::complaint::Category::Help.into(),
        valid_from: Some(prost_types::Timestamp { seconds: app.now().as_second(), nanos: 0 }),
        handle_limit: "CALENDAR_DAYS:70".to_owned(),
        redo_limit: "WORKING_DAYS:60".to_owned(),
        handle_internal_limit: "WEEKS:1".to_owned(),
        extension_days_max: Some(5),
        source: "办理规则(2026)".to_owned(),
        ..Default::default()
    };
    let publish = async |policy: pb::ComplaintPolicy| {
        let complaint_policy = Some(policy);
        let request =
            pb::PublishComplaintPolicyRequest { complaint_policy, request_id: request_id() };
        desk.leader.call(request).await
    };
    let refused = fields(&publish(form.clone()).await.unwrap_err());
    assert_eq!(
        refused,
        [
            "complaint_policy.handle_internal_limit UNKNOWN_VALUE",
            "complaint_policy.handle_limit OUT_OF_RANGE",
            "complaint_policy.redo_limit OUT_OF_RANGE",
        ]
    );
    let long = pb::ComplaintPolicy {
        handle_limit: "WORKING_DAYS:5".to_owned(),
        handle_internal_limit: "WORKING_DAYS:6".to_owned(),
        redo_limit: String::new(),
        ..form.clone()
    };
    let refused = fields(&publish(long).await.unwrap_err());
    assert_eq!(refused, ["complaint_policy.handle_limit OUT_OF_RANGE"]);
    let right = pb::ComplaintPolicy {
        handle_limit: "WORKING_DAYS:10".to_owned(),
        handle_legal_limit: "CALENDAR_DAYS:30".to_owned(),
        handle_internal_limit: "WORKING_DAYS:7".to_owned(),
        redo_limit: String::new(),
        ..form
    };
    let published = publish(right).await.unwrap();
    assert_eq!(published.handle_legal_limit, "CALENDAR_DAYS:30");
    app.confirm(&published.proposal).await.unwrap();
    // The next complaint is counted by it.
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    assert_eq!(due_times(&app).await, row("12-04 00:00", "12-09 00:00", "12-25 00:00"));
}
