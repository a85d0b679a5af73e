//! Many people behind one address: a factory, a dormitory, a bureau. Failures are counted narrowly, what
//! succeeds widely, and nobody shuts out the officers.

use sqlx::PgPool;

use crate::{
    harness::{App, reason},
    identity::{load_city, officer, wechat},
};
use jingqi::surface::{sandbox::city, service::pb};

async fn wrong(app: &App) -> String {
    let request = pb::SignInWithWechatRequest { login_code: "x".to_owned(), ..Default::default() };
    let failed = app.anonymous().call(request).await;
    reason(&failed.unwrap_err())
}

#[sqlx::test]
async fn eighty_people_behind_one_address_come_in_and_the_officer_too(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    for person in 0..80 {
        wechat(&app, &format!("worker-{person}")).await;
    }
    officer(&app, &city::FIRST_REVIEWER, 0).await.unwrap();
}

#[sqlx::test]
async fn failures_of_an_address_shut_out_its_citizens_and_no_officer(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    wechat(&app, "boss-wang").await;
    for _ in 0..60 {
        assert_eq!(wrong(&app).await, "LOGIN_CODE_INVALID");
    }
    assert_eq!(wrong(&app).await, "RATE_LIMITED");
    officer(&app, &city::FIRST_REVIEWER, 0).await.unwrap();
}
