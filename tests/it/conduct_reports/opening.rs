//! Who a reporter is takes two inspectors.

use jiff::SignedDuration;
use sqlx::PgPool;

use super::{decide, file_named, got, identity, in_progress, listed, officer};
use crate::harness::{App, fields, reason};

const WHY: &str = "需当面核实线索";

// Seen: one administrator, alone an inspector, opened a reporter's identity. The journey first.
#[sqlx::test]
async fn a_name_is_shown_once_to_who_asked_after_another_confirmed(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let name = report.name.as_str();
    let openings = "select count(*) from conduct.opening";
    for _ in 0..2 {
        let asked = identity(&house.sleuth, name, WHY).await.unwrap();
        assert_eq!((asked.person.as_str(), asked.full_name.as_str()), ("", ""));
        assert_ne!(asked.waiting_request, "");
    }
    assert_eq!(app.count(openings).await, 0, "asking shows nothing");
    let shown = got(&house.second, name).await.unwrap().identity_requests;
    assert_eq!((shown.len(), shown[0].maker.as_str()), (1, house.sleuth.name.as_str()));
    assert_eq!((shown[0].reason.as_str(), shown[0].state.as_str()), (WHY, "PROPOSED"));
    let request = shown[0].id.as_str();
    // Neither who asked, nor whom something ties to the report, nor anybody outside.
    let own = decide(&house.sleuth, name, request, true).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let outside = decide(&house.auditor, name, request, true).await.unwrap_err();
    assert_eq!(reason(&outside), "DENIED");
    let unknown = decide(&house.second, name, "x", true).await.unwrap_err();
    assert_eq!(fields(&unknown), ["identity_request UNKNOWN_VALUE"]);
    let report = decide(&house.second, name, request, true).await.unwrap();
    assert_eq!(report.identity_requests[0].checker, house.second.name);
    assert_eq!(app.count(openings).await, 0, "confirming shows nothing");
    // Another inspector who asks does not look at what the first one was permitted.
    let other = identity(&house.intake, name, WHY).await.unwrap();
    assert_eq!(other.full_name, "");
    let who = identity(&house.sleuth, name, WHY).await.unwrap();
    assert_eq!((who.full_name.as_str(), who.phone.as_str()), ("李小明", "13905240077"));
    assert_eq!(app.count(openings).await, 1);
    let again = identity(&house.sleuth, name, WHY).await.unwrap();
    assert_eq!(again.full_name, "", "once");
    assert_eq!(app.count(openings).await, 1);
}

#[sqlx::test]
async fn the_investigator_confirms_nobodys_look_and_what_is_declined_or_late_shows_nothing(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let name = report.name.as_str();
    let asked = identity(&house.intake, name, WHY).await.unwrap().waiting_request;
    let investigator = decide(&house.sleuth, name, &asked, true).await.unwrap_err();
    assert_eq!(reason(&investigator), "SAME_PERSON");
    // Who declared an interest sees nothing of it; who became the enterprise's liaison officer is tied.
    app.sql("update officer set roles = '{INSPECTOR,AUXILIARY}' where police_number = '300004'")
        .await;
    app.forget(&house.discipline).await;
    let tied = decide(&house.discipline, name, &asked, true).await.unwrap_err();
    assert!(["CONFLICT_OF_INTEREST", "DENIED"].contains(&reason(&tied).as_str()));
    decide(&house.second, name, &asked, false).await.unwrap();
    let anew = identity(&house.intake, name, WHY).await.unwrap();
    assert_ne!(anew.waiting_request, asked, "what was declined stays declined");
    app.advance(SignedDuration::from_hours(24 * 7));
    let late = decide(&house.second, name, &anew.waiting_request, true).await.unwrap_err();
    assert_eq!(reason(&late), "PROPOSAL_LAPSED");
    app.run_workers().await;
    let third = identity(&house.intake, name, WHY).await.unwrap().waiting_request;
    decide(&house.second, name, &third, true).await.unwrap();
    app.advance(SignedDuration::from_hours(24 * 7));
    let late = identity(&house.intake, name, WHY).await.unwrap();
    assert_eq!(late.full_name, "", "what was permitted and not looked at is over");
    let same = "update conduct.identity_request set checker_id = maker_id, state = 'CONFIRMED'";
    assert!(sqlx::query(same).execute(app.parts.store.pool()).await.is_err());
}
