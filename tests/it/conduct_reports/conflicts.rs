//! Who is kept away from a report: whoever is meant, was there, or belongs to the accused unit.

use jingqi::surface::service::pb::{self, conduct_report::State};
use sqlx::PgPool;
use tonic::Code;

use super::{
    accept, assign, conclude, file, got, in_progress, listed, name_accused, named, officer, read,
    sign, step, words,
};
use crate::harness::{App, reason, to};

// CO-15: each conflict, found at the running server.
#[sqlx::test]
async fn who_has_a_conflict_does_not_investigate(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (desk, city) = (&house.desk, &house.desk.city);
    let conversation = crate::conversations::open(desk).await.name;
    // An inspector who took part in the original matter, and one who leads above.
    let wrote = app.officer("400001", &house.inspectorate, &["INSPECTOR"]).await;
    app.sql(&format!(
        "update conversation set state = 'CLAIMED', assignee_id = '{}'",
        &wrote.name["officers/".len()..]
    ))
    .await;
    let chief = app.officer("400002", &house.detachment, &["INSPECTOR", "UNIT_LEADER"]).await;
    let above = app.officer("400003", &house.detachment, &["INSPECTOR"]).await;
    let aside = app.unit("321300200000", Some(&house.root), &[]).await;
    let aside = app.officer("400004", &aside, &["INSPECTOR"]).await;
    let liaison = app.officer("400005", &house.inspectorate, &["INSPECTOR"]).await;
    app.sql(&format!(
        "insert into liaison_roster (id, liaison_post_id, officer_id, create_time)
         select gen_random_uuid(), id, '{}', now() from liaison_post limit 1",
        &liaison.name["officers/".len()..]
    ))
    .await;
    let mut request = named(vec![officer(&city.patrol)]);
    request.matter = conversation;
    desk.talker.call(request).await.unwrap();
    let report = accept(&house.intake, &listed(&house.intake).await[0]).await;
    for (refused, why) in [
        (&city.patrol, "the accused, and no inspector"),
        (&desk.inspector, "of the accused unit"),
        (&city.first, "no inspector"),
        (&wrote, "handled the original matter"),
        (&chief, "leads above the accused unit"),
        (&aside, "stands beside it"),
        (&liaison, "serves the reporter's enterprise"),
    ] {
        let error = assign(&house.intake, &report, refused).await.unwrap_err();
        assert_eq!(reason(&error), "CONFLICT_OF_INTEREST", "{why}");
        assert!(!format!("{error:?}").contains("LIAISON"), "which tie it is stays untold");
    }
    let oneself = assign(&house.intake, &report, &house.intake).await.unwrap_err();
    assert_eq!(reason(&oneself), "SAME_PERSON");
    // A level above is enough.
    assign(&house.intake, &report, &above).await.unwrap();
    let release = step(&report, "另行指定");
    let own = above.call(to::ReleaseConductReport(release.clone())).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    house.intake.call(to::ReleaseConductReport(release)).await.unwrap();
    let again = assign(&house.intake, &report, &above).await.unwrap_err();
    assert_eq!(reason(&again), "CONFLICT_OF_INTEREST", "who gave it back");
    // Who declares an interest sees it no more.
    assign(&house.intake, &report, &house.sleuth).await.unwrap();
    sign(&house.sleuth, &report).await;
    let interest = step(&report, "");
    house.sleuth.call(to::DeclareConductReportInterest(interest)).await.unwrap();
    assert_eq!(listed(&house.sleuth).await, []);
    let back = got(&house.intake, &report.name).await.unwrap();
    assert_eq!((back.state(), back.investigator.as_str()), (State::Accepted, ""));
    let again = assign(&house.intake, &report, &house.sleuth).await.unwrap_err();
    assert_eq!(reason(&again), "CONFLICT_OF_INTEREST");
    assign(&house.intake, &report, &house.second).await.unwrap();
}

// CO-15: nobody buries a report by sending it upward and ending it there.
#[sqlx::test]
async fn who_sends_a_report_upward_does_not_end_it_there(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let up = step(&report, "案情重大");
    house.intake.call(to::TransferConductReportUpward(up)).await.unwrap();
    assert_eq!(reason(&conclude(&house.intake, &report).await.unwrap_err()), "SAME_PERSON");
    // Nor does a colleague of the inspectorate.
    let inside = conclude(&house.second, &report).await.unwrap_err();
    assert_eq!(reason(&inside), "CONFLICT_OF_INTEREST");
    conclude(&house.discipline, &report).await.unwrap();
}

// CO-15: whoever is meant by a name, a number or a unit, the report is kept from each; and the number
// stays as it was written.
#[sqlx::test]
async fn everybody_who_may_be_meant_is_kept_away_and_the_number_is_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (one, other) = (&house.sleuth, &house.second);
    let number: String =
        sqlx::query_scalar("select police_number from officer where id = $1::uuid")
            .bind(other.name.trim_start_matches("officers/").parse::<uuid::Uuid>().unwrap())
            .fetch_one(app.parts.store.pool())
            .await
            .unwrap();
    let accused = pb::Accused {
        text: "胖胖的民警".to_owned(),
        officer: one.name.clone(),
        police_number: number.clone(),
        ..pb::Accused::default()
    };
    file(&app, vec![accused]).await;
    for barred in [one, other] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
    let report = listed(&house.discipline).await.remove(0);
    let read = got(&house.discipline, &report.name).await.unwrap();
    let officers: Vec<_> = read.accused.iter().map(|it| it.officer.as_str()).collect();
    assert!(officers.contains(&one.name.as_str()) && officers.contains(&other.name.as_str()));
    assert!(read.accused.iter().all(|it| it.text == format!("胖胖的民警(警号{number})")));
}

// CO-15: the inspectorate decides nothing about its own.
#[sqlx::test]
async fn a_report_on_the_inspectorate_goes_upward_by_itself(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.sleuth)]).await;
    for barred in [&house.intake, &house.sleuth, &house.second, &house.desk.inspector] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
    let report = listed(&house.discipline).await.remove(0);
    assert_eq!(report.state(), State::TransferredUp);
    assert_eq!(read(&app, &filed).await.unwrap().state(), State::TransferredUp);
    let refused = assign(&house.discipline, &report, &house.second).await.unwrap_err();
    assert_eq!(reason(&refused), "CONFLICT_OF_INTEREST");
    conclude(&house.discipline, &report).await.unwrap();
    // Found out only at the intake: it leaves at once, and who found it out sees it no more.
    file(&app, vec![words("督察支队某人")]).await;
    let report = listed(&house.intake).await.remove(0);
    let entry = got(&house.intake, &report.name).await.unwrap().accused[0].id.clone();
    let gone = name_accused(&house.intake, &report, &entry, officer(&house.second)).await.unwrap();
    assert_eq!((gone.content.as_str(), gone.state()), ("", State::Unspecified));
    assert_eq!(got(&house.intake, &report.name).await.unwrap_err().code(), Code::PermissionDenied);
    let up = got(&house.discipline, &report.name).await.unwrap();
    assert_eq!(up.state(), State::TransferredUp);
    // The head of the tree: nobody in the city has it.
    file(&app, vec![officer(&house.discipline)]).await;
    assert_eq!(listed(&house.intake).await, []);
    assert_eq!(listed(&house.discipline).await.len(), 2);
}

// CO-15, I20: a personnel change counts from the next read on.
#[sqlx::test]
async fn who_moves_into_the_accused_unit_sees_the_report_no_more(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    let (sleuth, brigade) = (&house.sleuth.name["officers/".len()..], house.brigade.0);
    app.sql(&format!("update officer set unit_id = '{brigade}' where id = '{sleuth}'")).await;
    assert_eq!(listed(&house.sleuth).await, []);
    let refused = conclude(&house.sleuth, &report).await.unwrap_err();
    let absent = format!("conductReports/{}", uuid::Uuid::nil());
    let nothing = got(&house.sleuth, &absent).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (nothing.code(), reason(&nothing)));
    // The intake takes it back.
    house.intake.call(to::ReleaseConductReport(step(&report, "调离"))).await.unwrap();
    assign(&house.intake, &report, &house.second).await.unwrap();
    // The accused moves: the old unit and the new one are both kept away.
    let patrol = &house.desk.city.patrol.name["officers/".len()..];
    let detachment = house.detachment.0;
    app.sql(&format!("update officer set unit_id = '{detachment}' where id = '{patrol}'")).await;
    let there = app.officer("400009", &house.detachment, &["INSPECTOR"]).await;
    for barred in [&there, &house.desk.inspector] {
        assert_eq!(listed(barred).await, [], "{}", barred.name);
    }
}
