//! The working-day calendar: an administrator enters the notice of a year, and everything that is open
//! is counted again by it, on every server.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    service::pb,
    store::duty::{
        calendars, escalations,
        obligations::recount::{self, Stale},
    },
};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    complaints::{Service, step},
    conversations,
    harness::{App, User, fact, fields, reason, request_id, to},
};

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().unwrap()
}

fn wire(text: &str) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at(text).as_second(), nanos: 0 }
}

fn holiday(first: &str, last: &str) -> pb::calendar_year::Holiday {
    pb::calendar_year::Holiday { first_day: first.to_owned(), last_day: last.to_owned() }
}

/// A notice for 2027 as it might be.
fn notice() -> pb::CalendarYear {
    pb::CalendarYear {
        year: 2027,
        holidays: vec![
            holiday("2027-01-01", "2027-01-03"),
            holiday("2027-02-05", "2027-02-11"),
            holiday("2027-10-01", "2027-10-07"),
        ],
        makeup_days: vec!["2027-02-13".to_owned(), "2027-10-09".to_owned()],
        source: "国务院办公厅关于2027年部分节假日安排的通知".to_owned(),
        ..Default::default()
    }
}

async fn import(
    app: &App,
    by: &User,
    calendar_year: pb::CalendarYear,
    validate_only: bool,
) -> Result<pb::ImportCalendarYearResponse, Status> {
    let request = pb::ImportCalendarYearRequest {
        calendar_year: Some(calendar_year),
        validate_only,
        request_id: request_id(),
    };
    let asked = by.call(request).await?;
    if !validate_only {
        app.confirm(&asked.proposal).await?;
    }
    Ok(asked)
}

async fn get(by: &User, year: &str) -> Result<pb::CalendarYear, Status> {
    let request = pb::GetCalendarYearRequest { name: format!("calendarYears/{year}") };
    by.call(request).await
}

async fn list(by: &User) -> pb::ListCalendarYearsResponse {
    let request = pb::ListCalendarYearsRequest {};
    by.call(request).await.unwrap()
}

impl App {
    pub async fn administrator(&self) -> User {
        let unit = self.unit("321399990000", None, &[]).await;
        self.officer("900001", &unit, &["SYSTEM_ADMINISTRATOR"]).await
    }
}

async fn accepted(desk: &Service) -> pb::Complaint {
    let name = desk.file().await.name;
    desk.accept(&desk.assigner, &name).await.unwrap()
}

async fn moves(app: &App) -> Vec<(String, String, String)> {
    sqlx::query_as(
        "select cause, to_char(from_due_time at time zone 'Asia/Shanghai', 'MM-DD'),
            to_char(to_due_time at time zone 'Asia/Shanghai', 'MM-DD')
         from obligation_move where limit_moved = 'PROMISED' order by create_time, id",
    )
    .fetch_all(app.parts.store.pool())
    .await
    .unwrap()
}

// CO-03, CO-04, CO-06: provisional until the notice is out; then entered, counted again everywhere, the
// old value kept, and make-up days are worked.
#[sqlx::test]
async fn a_notice_is_entered_and_what_was_provisional_is_counted_again(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    let other = app.another().await;
    app.clock.set(at("2026-12-30T09:00:00"));
    let before = accepted(&desk).await;
    assert!(before.provisional);
    assert_eq!(before.handle_due_time, Some(wire("2027-01-07T00:00:00")));
    // Whoever looks sees that a due time hangs in the air.
    assert_eq!(list(&admin).await.provisional_due_times, 1);
    let missing = get(&desk.boss, "2027").await.unwrap_err();
    assert_eq!(
        (reason(&missing), fact(&missing, "year")),
        ("CALENDAR_MISSING".to_owned(), "2027".to_owned())
    );
    // A dry run tells, and does nothing.
    let dry = import(&app, &admin, notice(), true).await.unwrap();
    assert_eq!(dry.moving_due_times, 1);
    assert_eq!(dry.calendar_year.unwrap().working_days, 252);
    // Its request id still stands for the import itself.
    let kept = "select count(*) from idempotency where actor = '";
    assert_eq!(app.count(&format!("{kept}{}'", admin.name)).await, 0);
    assert_eq!(reason(&get(&desk.boss, "2027").await.unwrap_err()), "CALENDAR_MISSING");
    let entered = import(&app, &admin, notice(), false).await.unwrap();
    assert_eq!(entered.moving_due_times, 1);
    let entered = entered.calendar_year.unwrap();
    assert_eq!((entered.name.as_str(), entered.version), ("calendarYears/2027", 1));
    assert_eq!(entered.officer, admin.name);
    // Everybody who is signed in reads it, and who entered it is for the police.
    let read = get(&desk.boss, "2027").await.unwrap();
    assert_eq!((read.working_days, read.officer.as_str()), (252, ""));
    app.run_workers().await;
    let after = desk.get(&desk.boss, &before.name).await.unwrap();
    assert_eq!(
        (after.handle_due_time, after.provisional),
        (Some(wire("2027-01-08T00:00:00")), false)
    );
    let calendar = |from: &str, to: &str| ("CALENDAR".to_owned(), from.to_owned(), to.to_owned());
    assert_eq!(moves(&app).await, [calendar("01-07", "01-08")]);
    assert_eq!(list(&admin).await.provisional_due_times, 0);
    // The other server counts by it too: the 13th of February is a make-up Saturday.
    app.clock.set(at("2027-02-04T09:00:00"));
    let name = desk.file().await.name;
    let counted = desk.accept(&desk.assigner.at(other), &name).await.unwrap();
    assert_eq!(
        (counted.handle_due_time, counted.provisional),
        (Some(wire("2027-02-18T00:00:00")), false)
    );
    // Counted once: another round moves nothing.
    app.run_workers().await;
    assert_eq!(moves(&app).await.len(), 1);
}

// CO-06: a corrected notice replaces the older version from its import on; both stay rows.
#[sqlx::test]
async fn a_corrected_notice_is_a_newer_version(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    import(&app, &admin, notice(), false).await.unwrap();
    app.clock.set(at("2027-02-04T09:00:00"));
    let before = accepted(&desk).await;
    assert_eq!(before.handle_due_time, Some(wire("2027-02-18T00:00:00")));
    let mut corrected = notice();
    corrected.makeup_days = vec!["2027-02-14".to_owned(), "2027-02-13".to_owned()];
    let entered = import(&app, &admin, corrected, false).await.unwrap();
    assert_eq!((entered.calendar_year.unwrap().version, entered.moving_due_times), (2, 1));
    app.run_workers().await;
    let after = desk.get(&desk.boss, &before.name).await.unwrap();
    assert_eq!(after.handle_due_time, Some(wire("2027-02-17T00:00:00")));
    let years: Vec<_> = list(&admin)
        .await
        .calendar_years
        .iter()
        .map(|year| (year.year, year.version, year.working_days))
        .collect();
    let expected = [
        (2027, 2, 252),
        (2027, 1, 252),
        (2026, 1, 248),
        (2025, 1, 248),
        (2024, 1, 251),
        (2023, 1, 249),
        (2022, 1, 249),
    ];
    assert_eq!(years, expected);
    // A built-in year is corrected like any other.
    let mut built_in = notice();
    built_in.year = 2026;
    built_in.holidays = vec![holiday("2026-10-01", "2026-10-07")];
    built_in.makeup_days = Vec::new();
    let entered = import(&app, &admin, built_in, false).await.unwrap();
    assert_eq!(entered.calendar_year.unwrap().version, 2);
}

// CO-06, SD-04: counted from the opening, the limit, the pauses and the extension, never from the value
// that was moved before.
#[sqlx::test]
async fn what_was_paused_and_extended_is_counted_from_its_opening(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    app.clock.set(at("2026-12-28T09:00:00"));
    let name = accepted(&desk).await.name;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.give_back(&desk.one, &name).await.unwrap();
    app.clock.set(at("2026-12-30T09:00:00"));
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.sign(&desk.one, &name).await.unwrap();
    app.advance(SignedDuration::from_mins(1));
    desk.extend(&desk.one, &name, 3).await.unwrap();
    let granted = desk.decide(&desk.assigner, &name, true).await.unwrap();
    // Five, two that were paused, three that were granted: ten working days after the 28th.
    assert_eq!(granted.handle_due_time, Some(wire("2027-01-12T00:00:00")));
    assert!(granted.provisional);
    app.advance(SignedDuration::from_mins(1));
    import(&app, &admin, notice(), false).await.unwrap();
    app.run_workers().await;
    let after = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(
        (after.handle_due_time, after.provisional),
        (Some(wire("2027-01-13T00:00:00")), false)
    );
    let causes: Vec<_> = moves(&app).await.into_iter().map(|(cause, ..)| cause).collect();
    assert_eq!(causes, ["PAUSE", "EXTENSION", "CALENDAR"]);
}

/// So many obligations that were counted without the notice of 2027.
async fn many(app: &App, count: i32) {
    let insert = format!(
        "insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time,
            amber_time, sweep_time, calendar_version, limit_text, provisional)
         select gen_random_uuid(), 'complaints', gen_random_uuid(), 'SIGN_COMPLAINT', '3213/',
            '2026-12-30T09:00:00+08:00', '2027-01-07T00:00:00+08:00',
            '2027-01-05T00:00:00+08:00', '2027-01-05T00:00:00+08:00', $1, 'WORKING_DAYS:5', true
         from generate_series(1, {count})"
    );
    let version = app.parts.world.calendar().version().to_owned();
    let query = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(version);
    query.execute(app.parts.store.pool()).await.unwrap();
}

// CO-06: interrupted anywhere, a recomputation goes on; two at once do not count twice; one poisoned row
// stops no other (T17).
#[sqlx::test]
async fn a_recomputation_goes_on_where_it_was_interrupted(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    many(&app, 1_200).await;
    app.sql("update obligation set limit_text = 'WEEKS:1' where id = (select min(id::text)::uuid from obligation)")
        .await;
    let entered = import(&app, &admin, notice(), false).await.unwrap();
    assert_eq!(entered.moving_due_times, 1_199);
    // One batch, and the server dies.
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    let calendar = calendars::in_force(tx.conn()).await.unwrap();
    let done = recount::batch(&mut tx, &calendar, Stale::Any, 500).await.unwrap();
    assert_eq!(done.counted, 500);
    tx.commit().await.unwrap();
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    recount::batch(&mut tx, &calendar, Stale::Any, 500).await.unwrap();
    drop(tx);
    let worker = || jingqi::surface::worker::Worker::new(app.parts.clone());
    let (one, two) = (worker(), worker());
    let (one, two) = tokio::join!(one.run_once(), two.run_once());
    one.and(two).unwrap();
    app.run_workers().await;
    let moved = "select count(*) from obligation
        where due_time = '2027-01-08T00:00:00+08:00' and not provisional";
    assert_eq!(app.count(moved).await, 1_199);
    assert_eq!(
        app.count("select count(*) from obligation_move where limit_moved = 'PROMISED'").await,
        1_199
    );
    let failing = "select count(*) from obligation where failures = 1 and provisional";
    assert_eq!(app.count(failing).await, 1);
    // Mended, it is counted a minute later.
    app.sql("update obligation set limit_text = 'WORKING_DAYS:5'").await;
    app.advance(SignedDuration::from_secs(60));
    app.run_workers().await;
    assert_eq!(
        app.count("select count(*) from obligation_move where limit_moved = 'PROMISED'").await,
        1_200
    );
}

// What is paused is counted as it stood; its pause counts when it ends, with the newer notice.
#[sqlx::test]
async fn what_stands_still_is_counted_without_the_pause_that_lasts(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    app.clock.set(at("2026-12-30T09:00:00"));
    let name = accepted(&desk).await.name;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.give_back(&desk.one, &name).await.unwrap();
    app.clock.set(at("2026-12-31T09:00:00"));
    import(&app, &admin, notice(), false).await.unwrap();
    app.run_workers().await;
    let paused = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!(paused.handle_due_time, Some(wire("2027-01-08T00:00:00")));
    let again = desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    assert_eq!(again.handle_due_time, Some(wire("2027-01-09T00:00:00")));
}

// Every fault of a notice is told at once.
#[sqlx::test]
async fn a_notice_with_faults_is_refused_with_all_of_them(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let wrong = pb::CalendarYear {
        year: 2027,
        holidays: vec![
            holiday("2027-01-03", "2027-01-01"),
            holiday("2028-01-01", "2028-01-01"),
            holiday("soon", ""),
            holiday("2027-10-01", "2027-10-07"),
            holiday("2027-10-07", "2027-10-08"),
        ],
        makeup_days: vec![
            "2027-02-15".to_owned(),
            "2027-10-02".to_owned(),
            "2028-01-02".to_owned(),
            "2027-09-25".to_owned(),
            "2027-09-25".to_owned(),
            "27-9-25".to_owned(),
        ],
        source: " ".to_owned(),
        ..Default::default()
    };
    let refused = import(&app, &admin, wrong, false).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "calendar_year.holidays[0] END_BEFORE_START",
            "calendar_year.holidays[1] OUT_OF_RANGE",
            "calendar_year.holidays[2].first_day DATE_INVALID",
            "calendar_year.holidays[2].last_day REQUIRED",
            "calendar_year.holidays[4] DUPLICATE",
            "calendar_year.makeup_days[0] NOT_ALLOWED",
            "calendar_year.makeup_days[1] NOT_ALLOWED",
            "calendar_year.makeup_days[2] OUT_OF_RANGE",
            "calendar_year.makeup_days[4] DUPLICATE",
            "calendar_year.makeup_days[5] DATE_INVALID",
            "calendar_year.source REQUIRED",
        ]
    );
    let refused = import(&app, &admin, pb::CalendarYear::default(), true).await.unwrap_err();
    let expected = [
        "calendar_year.holidays REQUIRED",
        "calendar_year.source REQUIRED",
        "calendar_year.year OUT_OF_RANGE",
    ];
    assert_eq!(fields(&refused), expected);
    let mut many = notice();
    many.makeup_days = vec!["2027-02-13".to_owned(); 41];
    let told: BTreeSet<_> =
        fields(&import(&app, &admin, many, false).await.unwrap_err()).into_iter().collect();
    assert!(told.contains("calendar_year.makeup_days TOO_MANY"));
    assert_eq!(app.count("select count(*) from calendar_year").await, 0);
    for year in ["", "neunzehn", "99999"] {
        assert_eq!(fields(&get(&admin, year).await.unwrap_err()), ["name NAME_MALFORMED"]);
    }
}

// Only the administrator of the system enters a notice; a repetition enters none.
#[sqlx::test]
async fn only_the_system_administrator_enters_a_notice_and_once(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    for stranger in [&desk.boss, &desk.leader, &desk.assigner, &desk.one, &desk.city.device] {
        let refused = import(&app, stranger, notice(), false).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    let refused = get(&app.anonymous(), "2026").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let request = pb::ImportCalendarYearRequest {
        calendar_year: Some(notice()),
        request_id: request_id(),
        ..Default::default()
    };
    let once = admin.call(request.clone()).await.unwrap();
    let twice = admin.call(request).await.unwrap();
    assert_eq!(once, twice);
    assert_eq!(app.count("select count(*) from calendar_year").await, 0, "it takes two");
    app.confirm(&once.proposal).await.unwrap();
    assert_eq!(app.count("select count(*) from calendar_year").await, 1);
}

// I18, CO-06: nobody is called late by a calendar that counts no more, however much there is to count:
// what is due comes first, and is not swept before.
#[sqlx::test]
async fn what_is_due_is_counted_again_before_it_is_called_late(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    many(&app, 30).await;
    app.sql("update obligation set sweep_time = '2027-03-01' where id in (select id from obligation limit 20)")
        .await;
    // By the old count all of them ended at midnight; by the notice they end a day later.
    app.clock.set(at("2027-01-07T08:00:00"));
    import(&app, &admin, notice(), false).await.unwrap();
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    let calendar = calendars::in_force(tx.conn()).await.unwrap();
    let version = calendar.version();
    assert_eq!(escalations::claim(&mut tx, Some(version), 500).await.unwrap().len(), 0);
    assert_eq!(escalations::claim(&mut tx, None, 500).await.unwrap().len(), 10);
    let done = recount::batch(&mut tx, &calendar, Stale::Due, 500).await.unwrap();
    assert_eq!((done.counted, done.moved), (10, 10));
    drop(tx);
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from escalation where level = 2").await, 0);
    app.clock.set(at("2027-01-08T00:00:00"));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from escalation where level = 2").await, 30);
}

// CO-06: what is done is judged by the notices that count on that day, though no sweeper came by.
#[sqlx::test]
async fn what_is_settled_is_judged_by_the_calendar_in_force(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.service().await;
    app.clock.set(at("2026-12-30T09:00:00"));
    let (name, other) = (desk.in_progress(&desk.one).await, desk.in_progress(&desk.three).await);
    app.clock.set(at("2027-01-07T10:00:00"));
    import(&app, &admin, notice(), false).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    // What nobody owes any more is judged by them, too.
    desk.boss.call(to::WithdrawComplaint(step(&other, "已自行解决"))).await.unwrap();
    let missed = "select count(*) from obligation
        where kind = 'HANDLE_COMPLAINT' and breach_time is not null";
    assert_eq!(app.count(missed).await, 0);
    let owed = desk.get(&desk.assigner, &name).await.unwrap().obligations;
    let handling = owed.iter().find(|owed| owed.kind == "HANDLE_COMPLAINT").unwrap();
    assert_eq!(handling.standing, "MET");
    assert_eq!(handling.due_time, Some(wire("2027-01-08T00:00:00")));
    let moved: Vec<_> =
        handling.moves.iter().map(|moved| (moved.limit.as_str(), moved.cause.as_str())).collect();
    for limit in ["PROMISED", "INTERNAL"] {
        assert!(moved.contains(&(limit, "CALENDAR")), "{moved:?}");
    }
}

// CO-03: a question in a year without a notice is owed an answer, provisionally; the notice moves it.
#[sqlx::test]
async fn a_question_in_a_year_without_a_notice_is_owed_an_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let desk = app.desk().await;
    app.clock.set(at("2026-12-31T16:50:00"));
    let conversation = conversations::open(&desk).await.name;
    conversations::say(&desk.talker, &conversation, "请问通行证何时下发?").await.unwrap();
    let owed = "select kind, to_char(due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI'),
            provisional from obligation order by kind";
    let owed = async || -> Vec<(String, String, bool)> {
        sqlx::query_as(owed).fetch_all(app.parts.store.pool()).await.unwrap()
    };
    let solve =
        |due: &str, provisional| ("SOLVE_CONVERSATION".to_owned(), due.to_owned(), provisional);
    assert!(owed().await.contains(&solve("01-06 00:00", true)), "{:?}", owed().await);
    assert_eq!(owed().await.len(), 2);
    import(&app, &admin, notice(), false).await.unwrap();
    app.run_workers().await;
    assert!(owed().await.contains(&solve("01-07 00:00", false)), "{:?}", owed().await);
}

// A notice that gives more days off than any ever did is a slip of the hand.
#[sqlx::test]
async fn a_notice_of_endless_holidays_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let admin = app.administrator().await;
    let endless =
        pb::CalendarYear { holidays: vec![holiday("2027-01-01", "2027-12-31")], ..notice() };
    let refused = import(&app, &admin, endless, true).await.unwrap_err();
    let told = fields(&refused);
    assert!(told.contains(&"calendar_year.holidays TOO_MANY".to_owned()), "{told:?}");
    assert!(told.contains(&"calendar_year.holidays[0] TOO_LONG".to_owned()), "{told:?}");
}
