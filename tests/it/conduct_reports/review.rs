//! The review (复核) of a finding: asked for once by who gave a name, made by somebody else.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self, ConductReport, conduct_report::Finding, conduct_report::State, conduct_report_duty::Kind,
};
use sqlx::PgPool;
use tonic::Status;

use super::{
    House, accept, assign, conclude, duty, file, file_named, got, in_progress, listed, officer,
    read, sign, step,
};
use crate::harness::{App, fields, reason, request_id, to};

const WHY: &str = "证人未被询问";

fn asked(filed: &pb::FiledConductReport, why: &str) -> pb::RequestConductReportReviewRequest {
    pb::RequestConductReportReviewRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        reason: why.to_owned(),
        request_id: request_id(),
    }
}

async fn ask(
    app: &App,
    request: pb::RequestConductReportReviewRequest,
) -> Result<pb::ConductReportStatus, Status> {
    app.anonymous().call(request).await
}

/// A report with a name, concluded by the first investigator.
async fn concluded(app: &App, house: &House) -> (pb::FiledConductReport, ConductReport) {
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = in_progress(house, &listed(&house.intake).await[0]).await;
    conclude(&house.sleuth, &report).await.unwrap();
    app.advance(SignedDuration::from_hours(24));
    (filed, report)
}

// CO-15; facts.md, 4.2: from the first finding to the second.
#[sqlx::test]
async fn a_finding_is_reviewed_once_by_somebody_else(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (filed, report) = concluded(&app, &house).await;
    // Thirty days after the 24th of November.
    let status = read(&app, &filed).await.unwrap();
    assert_eq!(status.review_due_time.unwrap().seconds, 1_798_128_000);
    let status = ask(&app, asked(&filed, WHY)).await.unwrap();
    assert_eq!(
        (status.state(), status.finding(), status.result.as_str()),
        (State::Accepted, Finding::Unspecified, "")
    );
    // The 30th of November: three working days after the 25th.
    assert_eq!(status.due_time.unwrap().seconds, 1_796_054_400);
    assert_eq!((status.review_due_time, status.review_time.is_some()), (None, true));
    let first = &status.conclusions[0];
    assert_eq!((first.finding(), first.officer.as_str()), (Finding::PartlySubstantiated, ""));
    // Another investigator, who reads why.
    let known = got(&house.second, &report.name).await.unwrap();
    assert_eq!((known.review_reason.as_str(), known.end_time), (WHY, None));
    assert_eq!(known.conclusions[0].officer, house.sleuth.name);
    assert_eq!(duty(&known, Kind::Review).due_time.unwrap().seconds, 1_798_214_400);
    assign(&house.intake, &report, &house.second).await.unwrap();
    let signed = sign(&house.second, &report).await;
    assert_eq!(signed.state(), State::InProgress);
    let answer = pb::ConcludeConductReportRequest {
        name: report.name.clone(),
        finding: Finding::Substantiated.into(),
        result: "复核属实,已移送".to_owned(),
        etag: String::new(),
        request_id: request_id(),
    };
    house.second.call(answer).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.state(), status.finding()), (State::Concluded, Finding::Substantiated));
    let found: Vec<_> =
        status.conclusions.iter().map(pb::ConductReportConclusion::finding).collect();
    assert_eq!(found, [Finding::PartlySubstantiated, Finding::Substantiated]);
    assert_eq!(
        (status.conclusions[1].result.as_str(), status.review_due_time),
        ("复核属实,已移送", None)
    );
    let known = got(&house.intake, &report.name).await.unwrap();
    assert!(known.duties.iter().all(|it| it.standing() == pb::conduct_report_duty::Standing::Met));
    let spent = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&spent), "REVIEW_SPENT");
    // Who asked is nobody, in the history too; neither finding can be rewritten.
    let changes = pb::GetConductReportRequest { name: report.name };
    let changes = house.intake.call(to::ListConductReportChanges(changes)).await.unwrap();
    let changes = changes.changes;
    let change = changes.iter().find(|it| it.action == "REQUEST_REVIEW").unwrap();
    assert_eq!(
        (change.from_state.as_str(), change.to_state.as_str(), change.actor.as_str()),
        ("CONCLUDED", "ACCEPTED", "anonymous")
    );
    let rewritten = sqlx::query("update conduct.conclusion set finding = 'UNSUBSTANTIATED'")
        .execute(app.parts.store.pool());
    assert!(rewritten.await.unwrap_err().to_string().contains("never rewritten"));
}

// I26: who investigated or assigned before has no part in the review but to assign it again.
#[sqlx::test]
async fn whoever_had_to_do_with_the_finding_does_not_review_it(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let (filed, report) = concluded(&app, &house).await;
    ask(&app, asked(&filed, WHY)).await.unwrap();
    for (by, to, expected) in [
        (&house.intake, &house.sleuth, "CONFLICT_OF_INTEREST"),
        (&house.second, &house.intake, "CONFLICT_OF_INTEREST"),
        (&house.sleuth, &house.second, "SAME_PERSON"),
    ] {
        let refused = assign(by, &report, to).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{} to {}", by.name, to.name);
    }
    // What was investigated here is not sent away.
    let away = house.intake.call(to::TransferConductReport(step(&report, "转出"))).await;
    assert_eq!(reason(&away.unwrap_err()), "TRANSITION_ILLEGAL");
    assign(&house.intake, &report, &house.second).await.unwrap();
    // The first investigator does not take it from the second.
    let taken = house.sleuth.call(to::ReleaseConductReport(step(&report, "收回"))).await;
    assert_eq!(reason(&taken.unwrap_err()), "SAME_PERSON");
    sign(&house.second, &report).await;
    let foreign = conclude(&house.sleuth, &report).await.unwrap_err();
    assert_eq!(reason(&foreign), "NOT_ASSIGNEE");
    let longer = pb::RequestConductReportExtensionRequest {
        name: report.name.clone(),
        days: 10,
        reason: "需跨市取证".to_owned(),
        request_id: request_id(),
    };
    let longer = house.second.call(longer).await;
    assert_eq!(reason(&longer.unwrap_err()), "TRANSITION_ILLEGAL");
}

// facts.md, 4.5: what was found above is reviewed above, by another there.
#[sqlx::test]
async fn what_was_found_above_is_reviewed_above(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let other = app.officer("300006", &house.root, &["INSPECTOR"]).await;
    let filed = file_named(&house.desk.boss, vec![officer(&house.sleuth)]).await;
    let report = listed(&house.discipline).await.remove(0);
    conclude(&house.discipline, &report).await.unwrap();
    assert_eq!(ask(&app, asked(&filed, WHY)).await.unwrap().state(), State::TransferredUp);
    assert_eq!(listed(&house.intake).await, []);
    let again = conclude(&house.discipline, &report).await.unwrap_err();
    assert_eq!(reason(&again), "SAME_PERSON");
    conclude(&other, &report).await.unwrap();
    // The same where the inspectorate gave it away and is not accused.
    app.advance(SignedDuration::from_secs(1));
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    let up = step(&report, "案情重大");
    house.intake.call(to::TransferConductReportUpward(up)).await.unwrap();
    conclude(&house.discipline, &report).await.unwrap();
    let status = ask(&app, asked(&filed, WHY)).await.unwrap();
    assert_eq!((status.state(), status.due_time), (State::TransferredUp, None));
}

// facts.md, 4.5: an anonymous reporter is owed no result. Whoever has code and secret reads the state
// anyway, so the refusal may say why; whoever has not learns nothing.
#[sqlx::test]
async fn an_anonymous_reporter_is_told_that_there_is_no_review(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file(&app, vec![officer(&house.desk.city.patrol)]).await;
    let early = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&early), "REVIEW_NEEDS_NAME");
    let report = in_progress(&house, &listed(&house.intake).await[0]).await;
    conclude(&house.sleuth, &report).await.unwrap();
    let status = read(&app, &filed).await.unwrap();
    assert_eq!((status.review_due_time, status.conclusions.len()), (None, 0));
    let refused = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!((reason(&refused), refused.details()), (reason(&early), early.details()));
    let mut wrong = Vec::new();
    let named = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    for (code, secret) in [
        (&filed.query_code, &named.secret),
        (&named.query_code, &filed.secret),
        (&"0000-0000-0000-0000".to_owned(), &filed.secret),
    ] {
        let request = pb::RequestConductReportReviewRequest {
            query_code: code.clone(),
            secret: secret.clone(),
            ..asked(&filed, WHY)
        };
        let refused = ask(&app, request).await.unwrap_err();
        wrong.push((refused.code(), refused.message().to_owned(), refused.details().to_vec()));
    }
    wrong.dedup();
    assert_eq!(wrong.len(), 1, "a wrong code looks the same, whatever the report");
}

#[sqlx::test]
async fn a_review_is_asked_for_in_time_with_a_reason(pool: PgPool) {
    let app = App::start(pool).await;
    let house = app.house().await;
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let early = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&early), "TRANSITION_ILLEGAL");
    let report = listed(&house.intake).await.remove(0);
    accept(&house.intake, &report).await;
    assign(&house.intake, &report, &house.sleuth).await.unwrap();
    sign(&house.sleuth, &report).await;
    conclude(&house.sleuth, &report).await.unwrap();
    let silent =
        pb::RequestConductReportReviewRequest { request_id: "1".to_owned(), ..asked(&filed, " ") };
    assert_eq!(
        fields(&ask(&app, silent).await.unwrap_err()),
        ["reason REQUIRED", "request_id REQUEST_ID_MALFORMED"]
    );
    // The last instant is in time, the next is not.
    app.clock.set("2026-12-25T00:00:00+08:00".parse().unwrap());
    let late = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&late), "REVIEW_TOO_LATE");
    assert_eq!(read(&app, &filed).await.unwrap().review_due_time, None);
    app.clock.set("2026-12-24T23:59:59+08:00".parse().unwrap());
    let request = asked(&filed, WHY);
    let first = ask(&app, request.clone()).await.unwrap();
    // A repetition is no second request, and the request id is written nowhere.
    assert_eq!(ask(&app, request.clone()).await.unwrap(), first);
    let rows = "select string_agg(t::text, '') from conduct.filing t";
    assert!(!app.word(rows).await.contains(&request.request_id));
    let again = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&again), "REVIEW_SPENT", "while it is under way, too");
    // A report that was not taken in has no finding.
    let filed = file_named(&house.desk.boss, vec![officer(&house.desk.city.patrol)]).await;
    let report = listed(&house.intake).await.remove(0);
    house.intake.call(to::DeclineConductReport(step(&report, "已进入诉讼程序"))).await.unwrap();
    let refused = ask(&app, asked(&filed, WHY)).await.unwrap_err();
    assert_eq!(reason(&refused), "TRANSITION_ILLEGAL");
}
