//! The course of a report: what is late, the one extension, what is not taken in, and the list.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self,
    conduct_report::State,
    conduct_report_duty::{Kind, Standing},
};
use sqlx::PgPool;

use super::{accept, duty, file, in_progress, listed, officer, read, step};
use crate::harness::{App, fields, reason, request_id, to};

// CO-15, I19: due, amber and late are computed, and the ladder is climbed in this schema alone.
#[sqlx::test]
async fn what_is_late_shows_in_the_inspectorates_own_list(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let standing = async |app: &App| {
        app.run_workers().await;
        let report = listed(&house.intake).await.remove(0);
        let duty = duty(&report, Kind::Accept).clone();
        (duty.standing(), duty.level)
    };
    assert_eq!(standing(&app).await, (Standing::OnTime, String::new()));
    app.clock.set("2026-12-07T12:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Amber, "AMBER".to_owned()));
    app.clock.set("2026-12-10T00:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Late, "RED".to_owned()));
    app.clock.set("2026-12-17T00:00:00+08:00".parse().unwrap());
    assert_eq!(standing(&app).await, (Standing::Late, "CRITICISED".to_owned()));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from conduct.escalation").await, 4, "each once");
    for table in ["obligation", "escalation", "event"] {
        let others = format!("select count(*) from {table} where {table}::text like '%onduct%'");
        assert_eq!(app.count(&others).await, 0, "{table}");
    }
    let report = accept(&house.intake, &listed(&house.intake).await[0]).await;
    assert_eq!(duty(&report, Kind::Accept).standing(), Standing::MetLate);
}

// CO-15: once, at most thirty days, by another than who asked, counted from the same beginning.
#[sqlx::test]
async fn the_time_is_extended_once(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let before = duty(&report, Kind::Handle).due_time.unwrap().seconds;
    let ask = |days| pb::RequestConductReportExtensionRequest {
        name: report.name.clone(),
        days,
        reason: "需跨市取证".to_owned(),
        request_id: request_id(),
    };
    let decide = |approved| pb::DecideConductReportExtensionRequest {
        name: report.name.clone(),
        approved,
        note: String::new(),
        request_id: request_id(),
    };
    for days in [0, 31] {
        let refused = house.sleuth.call(ask(days)).await;
        assert_eq!(fields(&refused.unwrap_err()), ["days OUT_OF_RANGE"]);
    }
    let foreign = house.second.call(ask(30)).await;
    assert_eq!(reason(&foreign.unwrap_err()), "NOT_ASSIGNEE");
    let early = house.intake.call(decide(true)).await;
    assert_eq!(reason(&early.unwrap_err()), "TRANSITION_ILLEGAL");
    let asked = house.sleuth.call(ask(30)).await.unwrap();
    assert_eq!(asked.extension_days_requested, 30);
    let twice = house.sleuth.call(ask(5)).await;
    assert_eq!(reason(&twice.unwrap_err()), "EXTENSION_SPENT");
    let own = house.sleuth.call(decide(true)).await;
    assert_eq!(reason(&own.unwrap_err()), "SAME_PERSON");
    let longer = house.intake.call(decide(true)).await.unwrap();
    let after = duty(&longer, Kind::Handle).due_time.unwrap().seconds;
    // Sixty days end on Saturday the 23rd of January, so on Monday the 25th; ninety on Monday the 22nd.
    assert_eq!((longer.extension_days, (after - before) / 86_400), (30, 28));
    let spent = house.sleuth.call(ask(1)).await;
    assert_eq!(reason(&spent.unwrap_err()), "EXTENSION_SPENT");
}

// CO-15, CO-10: refused or handed on, the reporter reads why.
#[sqlx::test]
async fn a_report_that_is_not_taken_in_says_why(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let silent = house.intake.call(to::DeclineConductReport(step(&report, ""))).await;
    assert_eq!(fields(&silent.unwrap_err()), ["note REQUIRED"]);
    house.intake.call(to::DeclineConductReport(step(&report, "已进入诉讼程序"))).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.state(), status.result.as_str()), (State::NotAccepted, "已进入诉讼程序"));
    assert_eq!(status.due_time, None);
    app.advance(SignedDuration::from_secs(1));
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let request = step(&report, "请拨打110报案");
    house.intake.call(to::TransferConductReport(request)).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.state(), status.result.as_str()), (State::TransferredOut, "请拨打110报案"));
    let again = house.intake.call(to::AcceptConductReport(step(&report, ""))).await;
    assert_eq!(reason(&again.unwrap_err()), "TRANSITION_ILLEGAL");
    let stale = pb::MoveConductReportRequest { etag: "W/\"1\"".to_owned(), ..step(&report, "x") };
    let stale = house.intake.call(to::TransferConductReportUpward(stale)).await;
    assert_eq!(reason(&stale.unwrap_err()), "ETAG_STALE");
}

// CO-15: pages run newest first over random ids, and each page token is of its own list.
#[sqlx::test]
async fn a_long_list_is_read_in_pages(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    for _ in 0..5 {
        file(&app, vec![officer(&house.desk.city.patrol)]).await;
        app.advance(SignedDuration::from_secs(1));
    }
    let mut request = pb::ListConductReportsRequest { page_size: 2, ..Default::default() };
    let mut times = Vec::new();
    loop {
        let page = house.intake.call(request.clone()).await.unwrap();
        times.extend(page.conduct_reports.iter().map(|it| it.create_time.unwrap().seconds));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|one, other| one > other));
}
