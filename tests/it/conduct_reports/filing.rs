//! What is filed: read with code and secret alone, one however often it is sent, told every fault.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Code;

use super::{anonymous, file, listed, named, officer, read, words};
use crate::harness::{App, fields, reason};

// CO-22: a wrong code and a wrong secret look the same, and are counted.
#[sqlx::test]
async fn a_wrong_code_and_a_wrong_secret_get_the_same_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let other = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let with = |code: &str, secret: &str| pb::FiledConductReport {
        query_code: code.to_owned(),
        secret: secret.to_owned(),
        accept_due_time: None,
    };
    let mut answers = Vec::new();
    for (code, secret) in [
        (filed.query_code.as_str(), other.secret.as_str()),
        (other.query_code.as_str(), filed.secret.as_str()),
        ("0000-0000-0000-0000", filed.secret.as_str()),
        (filed.query_code.as_str(), "0000-0000-0000-0000"),
        ("", ""),
        ("警", filed.secret.as_str()),
    ] {
        let refused = read(&app, &with(code, secret)).await.unwrap_err();
        answers.push((refused.code(), refused.message().to_owned(), refused.details().to_vec()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, Code::PermissionDenied);
    // Guessing ends soon, whoever guesses.
    let mut last = String::new();
    for _ in 0..61 {
        last = reason(&read(&app, &with(&filed.query_code, &other.secret)).await.unwrap_err());
    }
    assert_eq!(last, "RATE_LIMITED");
    assert!(read(&app, &other).await.is_ok(), "another code is not touched");
}

// CO-22, I11: a repetition gets the same code, and no row says who sent it.
#[sqlx::test]
async fn a_filing_that_is_repeated_is_one_report(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let request = anonymous(vec![officer(&house.desk.city.patrol)]);
    let nobody = app.anonymous();
    let first = nobody.call(request.clone()).await.unwrap();
    let second = nobody.call(request.clone()).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(app.count("select count(*) from conduct.report").await, 1);
    let changed = pb::FileAnonymousConductReportRequest {
        content: "别的内容".to_owned(),
        ..request.clone()
    };
    let reused = nobody.call(changed).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let rows = "select string_agg(t::text, '') from conduct.filing t";
    assert!(!app.word(rows).await.contains(&request.request_id));
    assert_eq!(app.count("select count(*) from idempotency where actor = 'anonymous'").await, 0);
    app.advance(SignedDuration::from_hours(25));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from conduct.filing").await, 0);
}

// CO-22: all faults at once, and no oracle of who is an officer.
#[sqlx::test]
async fn a_filing_with_faults_is_told_all_of_them(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let wrong = pb::FileAnonymousConductReportRequest {
        accused: vec![pb::Accused::default(), pb::Accused { unit: "1".to_owned(), ..words("x") }],
        content: "长".repeat(1_501),
        matter: "vehicles/1".to_owned(),
        request_id: "1".to_owned(),
    };
    let refused = app.anonymous().call(wrong).await;
    assert_eq!(
        fields(&refused.unwrap_err()),
        [
            "accused[0] REQUIRED",
            "accused[1].unit NAME_MALFORMED",
            "content TOO_LONG",
            "matter NAME_MALFORMED",
            "request_id REQUEST_ID_MALFORMED",
        ]
    );
    let nobody = pb::FileAnonymousConductReportRequest { accused: vec![], ..anonymous(vec![]) };
    let refused = app.anonymous().call(nobody).await;
    assert_eq!(fields(&refused.unwrap_err()), ["accused REQUIRED"]);
    let wrong = pb::FileConductReportRequest {
        full_name: String::new(),
        phone: "12".to_owned(),
        ..named(vec![words("某民警")])
    };
    let refused = house.desk.boss.call(wrong).await.unwrap_err();
    assert_eq!(fields(&refused), ["full_name REQUIRED", "phone PHONE_MALFORMED"]);
    let unsigned = app.anonymous().call(named(vec![words("某")])).await;
    assert_eq!(reason(&unsigned.unwrap_err()), "TOKEN_MISSING");
    // A number that somebody has and one that nobody has are answered alike.
    for number in ["100005", "999999"] {
        let meant = pb::Accused { police_number: number.to_owned(), ..Default::default() };
        file(&app, vec![meant]).await;
    }
    assert_eq!(listed(&house.intake).await.len(), 2);
    // So many an hour from one address, of which nothing is stored.
    let mut last = None;
    for _ in 0..31 {
        let request = anonymous(vec![words("某民警")]);
        last = app.anonymous().call(request).await.err();
    }
    assert_eq!(reason(&last.unwrap()), "RATE_LIMITED");
}
