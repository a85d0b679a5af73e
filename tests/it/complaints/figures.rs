//! The figures of the service desk, and what of them is not told (CO-21).

use jingqi::{
    id::{Id, kind},
    service::pb::{self, SatisfactionLevel as Level, get_service_figures_request::Grouping},
};
use sqlx::PgPool;

use super::time;
use crate::harness::{App, fields};

// CO-21: figures by unit, category and month, as an answer and as a table; one and two are hidden.
#[sqlx::test]
async fn the_figures_of_the_desk_hide_numbers_under_three(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    for level in [Level::Satisfied, Level::VerySatisfied, Level::BasicallySatisfied] {
        desk.in_call_back(&desk.one).await;
        desk.rate_last(level, "").await;
    }
    // One is answered late, one not at all.
    let late = desk.in_progress(&desk.one).await;
    desk.in_progress(&desk.one).await;
    app.clock.set("2026-12-03T10:00:00+08:00".parse().unwrap());
    desk.answer(&desk.one, &late).await.unwrap();
    let request = |grouping: Grouping| pb::GetServiceFiguresRequest {
        from_time: time("2026-11-01T00:00:00+08:00"),
        until_time: time("2026-12-01T00:00:00+08:00"),
        grouping: grouping.into(),
    };
    let mut client = desk.leader.evaluations();
    for grouping in [Grouping::Unit, Grouping::Category, Grouping::Month] {
        let figures = client.get_service_figures(request(grouping)).await.unwrap().into_inner();
        let [row] = figures.rows.as_slice() else { panic!("{figures:?}") };
        let shown = [&row.filed, &row.answered, &row.on_time, &row.rated, &row.satisfied]
            .map(|count| count.map(|count| (count.value, count.hidden)).unwrap());
        assert_eq!(shown, [(5, false), (4, false), (3, false), (3, false), (3, false)]);
    }
    let export = client.export_service_figures(request(Grouping::Month)).await.unwrap();
    let table = "\u{feff}分组,受理,办结反馈,按期反馈,一次办结,已评价,满意,实际解决\r
\"2026-11\",5,4,3,4,3,3,3\r\n";
    assert_eq!(export.into_inner().csv, table);
    // Only two of December: hidden.
    desk.file().await;
    desk.file().await;
    let december = pb::GetServiceFiguresRequest {
        from_time: time("2026-12-01T00:00:00+08:00"),
        until_time: time("2027-01-01T00:00:00+08:00"),
        ..request(Grouping::Category)
    };
    let figures = client.get_service_figures(december).await.unwrap().into_inner();
    let filed = figures.rows[0].filed.unwrap();
    assert_eq!((filed.value, filed.hidden), (0, true));
    let wrong = pb::GetServiceFiguresRequest::default();
    let wrong = client.get_service_figures(wrong).await.unwrap_err();
    let all = ["from_time REQUIRED", "grouping REQUIRED", "until_time REQUIRED"];
    assert_eq!(fields(&wrong), all);
}

// CO-21: the service desk as the bureau reads it, from the demo city: late, second handlings, silence.
#[sqlx::test]
async fn the_demo_city_has_figures_of_three_months(pool: PgPool) {
    let app = App::start(pool).await;
    jingqi::sandbox::city::load(&app.parts).await.unwrap();
    let director: uuid::Uuid =
        sqlx::query_scalar("select id from officer where police_number = '100017'")
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let director = app.user(Id::<kind::Officer>::of(director)).await;
    app.run_workers().await;
    let request = pb::GetServiceFiguresRequest {
        from_time: time("2026-08-01T00:00:00+08:00"),
        until_time: time("2026-12-01T00:00:00+08:00"),
        grouping: Grouping::Category.into(),
    };
    let export = director.evaluations().export_service_figures(request).await.unwrap();
    let table = export.into_inner().csv;
    insta::assert_snapshot!(table.trim_start_matches('\u{feff}').replace('\r', ""), @r#"
    分组,受理,办结反馈,按期反馈,一次办结,已评价,满意,实际解决
    "投诉",12,12,12,10,10,10,10
    "咨询",12,12,11,10,10,10,10
    "求助",12,12,11,12,9,9,9
    "建议",12,11,10,9,9,9,9
    "#);
    // Loading it again changes nothing.
    assert!(!jingqi::sandbox::city::load(&app.parts).await.unwrap());
}
