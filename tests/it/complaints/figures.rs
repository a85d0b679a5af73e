//! The figures of the service desk, and what of them is not told (CO-21).

use jingqi::surface::{
    id::{Id, kind},
    service::pb::{self, SatisfactionLevel as Level, get_service_figures_request::Grouping},
};
use sqlx::PgPool;

use super::time;
use crate::harness::{App, fields, to};

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
    for grouping in [Grouping::Unit, Grouping::Category, Grouping::Month] {
        let figures = desk.leader.call(to::GetServiceFigures(request(grouping))).await.unwrap();
        let [row] = figures.rows.as_slice() else { panic!("{figures:?}") };
        let unit = if grouping == Grouping::Unit { desk.lead_unit.as_str() } else { "" };
        assert_eq!(row.unit, unit);
        let shown = [&row.filed, &row.answered, &row.on_time, &row.rated, &row.satisfied]
            .map(|count| count.map(|count| (count.value, count.hidden)).unwrap());
        assert_eq!(shown, [(5, false), (4, false), (3, false), (3, false), (3, false)]);
    }
    let export =
        desk.leader.call(to::ExportServiceFigures(request(Grouping::Month))).await.unwrap();
    let table = "\u{feff}分组,收件,办结反馈,按期反馈,一次办结,已评价,满意,实际解决\r
\"2026-11\",5,4,3,4,3,3,3\r\n";
    assert_eq!(export.csv, table);
    // Only two of December: hidden.
    desk.file().await;
    desk.file().await;
    let december = pb::GetServiceFiguresRequest {
        from_time: time("2026-12-01T00:00:00+08:00"),
        until_time: time("2027-01-01T00:00:00+08:00"),
        ..request(Grouping::Category)
    };
    let figures = desk.leader.call(to::GetServiceFigures(december)).await.unwrap();
    let filed = figures.rows[0].filed.unwrap();
    assert_eq!((filed.value, filed.hidden), (0, true));
    let wrong = pb::GetServiceFiguresRequest::default();
    let wrong = desk.leader.call(to::GetServiceFigures(wrong)).await.unwrap_err();
    let all = ["from_time REQUIRED", "grouping REQUIRED", "until_time REQUIRED"];
    assert_eq!(fields(&wrong), all);
}

// CO-21: two units of one name are two rows; what the sum would give away of one is covered by the
// other, in the answer and in the table, and the sum is told by month.
#[sqlx::test]
async fn units_of_one_name_are_rows_apart_and_cover_each_other(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let namesakes = "update unit set display_name = '交警大队'
        where code in ('321302170000', '321322170000')";
    assert_eq!(app.sql(namesakes).await, 2);
    for _ in 0..5 {
        desk.file().await;
    }
    let of_rival = || pb::Complaint { enterprise: desk.rival_enterprise.clone(), ..desk.form() };
    desk.filed(&desk.rival, of_rival()).await.unwrap();
    let request = |grouping: Grouping| pb::GetServiceFiguresRequest {
        from_time: time("2026-11-01T00:00:00+08:00"),
        until_time: time("2026-12-01T00:00:00+08:00"),
        grouping: grouping.into(),
    };
    let filed = async |grouping| {
        let figures = desk.leader.call(to::GetServiceFigures(request(grouping))).await.unwrap();
        let mut rows: Vec<_> = figures
            .rows
            .into_iter()
            .map(|row| (row.unit, row.group, row.filed.map(|it| (it.value, it.hidden)).unwrap()))
            .collect();
        rows.sort();
        rows
    };
    let name = "交警大队".to_owned();
    let both = |one: (i64, bool), other: (i64, bool)| {
        let mut rows = vec![
            (desk.lead_unit.clone(), name.clone(), one),
            (desk.other_unit.clone(), name.clone(), other),
        ];
        rows.sort();
        rows
    };
    assert_eq!(filed(Grouping::Unit).await, both((0, true), (0, true)));
    let month = (String::new(), "2026-11".to_owned(), (6, false));
    assert_eq!(filed(Grouping::Month).await, [month]);
    let export = desk.leader.call(to::ExportServiceFigures(request(Grouping::Unit))).await;
    let table = export.unwrap().csv;
    let heading = "分组,单位,收件,办结反馈,按期反馈,一次办结,已评价,满意,实际解决";
    assert_eq!(table.trim_start_matches('\u{feff}').lines().next(), Some(heading));
    for unit in [&desk.lead_unit, &desk.other_unit] {
        assert!(table.contains(&format!("\"交警大队\",\"{unit}\",*,0,0,0,0,0,0\r\n")), "{table}");
    }
    for _ in 0..2 {
        desk.filed(&desk.rival, of_rival()).await.unwrap();
    }
    assert_eq!(filed(Grouping::Unit).await, both((5, false), (3, false)));
}

// CO-21: the service desk as the bureau reads it, from the demo city: late, second handlings, silence.
#[sqlx::test]
async fn the_demo_city_has_figures_of_three_months(pool: PgPool) {
    let app = App::start(pool).await;
    jingqi::surface::sandbox::city::load(&app.parts).await.unwrap();
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
    let table = director.call(to::ExportServiceFigures(request)).await.unwrap().csv;
    insta::assert_snapshot!(table.trim_start_matches('\u{feff}').replace('\r', ""), @r#"
    分组,收件,办结反馈,按期反馈,一次办结,已评价,满意,实际解决
    "投诉",12,12,12,10,10,10,10
    "咨询",12,12,11,10,10,10,10
    "求助",12,12,11,12,9,9,9
    "建议",12,11,10,9,9,9,9
    "#);
    // Loading it again changes nothing.
    assert!(!jingqi::surface::sandbox::city::load(&app.parts).await.unwrap());
}
