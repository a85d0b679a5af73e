//! Applications: what is refused, and that nothing changes then; who files, fleets, quotas, lists. The
//! review stands in `review`, what follows a pass in `renewals`.

mod renewals;
mod review;

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, pass_application::State};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, fact, fields, reason, request_id, to};

async fn draft(app: &App, city: &City) -> pb::PassApplication {
    city.handler.call(city.create(app)).await.unwrap()
}

async fn submit(city: &City, name: &str) -> Result<pb::PassApplication, tonic::Status> {
    let submit = pb::SubmitPassApplicationRequest { name: name.to_owned(), ..Default::default() };
    city.handler.call(submit).await
}

fn approval(application: &pb::PassApplication) -> pb::ApprovePassApplicationRequest {
    pb::ApprovePassApplicationRequest {
        name: application.name.clone(),
        etag: application.etag.clone(),
        request_id: request_id(),
        ..Default::default()
    }
}

// PA-07: 一次性告知, every wrong field at once, with its reason, and nothing stored.
#[sqlx::test]
async fn every_wrong_field_is_told_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut request = city.create(&app);
    let application = request.pass_application.as_mut().unwrap();
    application.vehicle = "vehicles/7".to_owned();
    application.attachments = vec!["x".to_owned()];
    application.need = Some(pb::PassNeed {
        zones: vec!["zones/nowhere".to_owned()],
        goods: "\u{202e}货".to_owned(),
        start_date: "2026-02-30".to_owned(),
        time_windows: vec![pb::TimeWindow { weekdays: vec![8], from_minute: 0, until_minute: 60 }],
        trailer_plate_number: "苏N12345".to_owned(),
        ..Default::default()
    });
    let refused = city.handler.call(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        fields(&refused),
        [
            "attachments[0] NAME_MALFORMED",
            "need.goods TEXT_UNSAFE",
            "need.pass_kind REQUIRED",
            "need.reason REQUIRED",
            "need.start_date DATE_INVALID",
            "need.time_windows[0] TIME_WINDOW_INVALID",
            "need.trailer_plate_number PLATE_CLASS_REFUSED",
            "need.zones[0] NAME_MALFORMED",
            "pass_application.vehicle NAME_MALFORMED",
        ]
    );
    assert_eq!(app.count("select count(*) from pass_application").await, 0);
}

// OP-06, I11: one request id, one effect, one answer; twins included.
#[sqlx::test]
async fn a_request_id_has_one_effect_and_one_answer(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let request = city.create(&app);
    let twins = (0..8).map(|_| city.handler.call(request.clone()));
    let answers = futures::future::join_all(twins).await;
    let first = answers.iter().find_map(|answer| answer.as_ref().ok()).unwrap().clone();
    for answer in answers {
        match answer {
            Ok(answer) => assert_eq!(answer, first),
            // A twin that waited too long is told to repeat, never given a second effect.
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
    let other = app.another().await;
    let again = city.handler.at(other).call(request.clone()).await;
    assert_eq!(again.unwrap(), first);
    assert_eq!(app.count("select count(*) from pass_application").await, 1);

    let mut changed = request.clone();
    changed.pass_application.as_mut().unwrap().declaration_accepted = false;
    let refused = city.handler.call(changed).await.unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
    let malformed = pb::CreatePassApplicationRequest { request_id: "1".to_owned(), ..request };
    let refused = city.handler.call(malformed).await.unwrap_err();
    assert_eq!(fields(&refused), ["request_id REQUEST_ID_MALFORMED"]);
}

// I22, I23: absent and forbidden look the same, to every stranger and in every call.
#[sqlx::test]
async fn the_record_of_a_foreign_enterprise_looks_like_an_absent_one(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let name = draft(&app, &city).await.name;
    let absent = format!("passApplications/{}", app.parts.ids.random());
    for user in [&city.stranger, &city.driver, &city.foreign_reviewer, &city.first] {
        let mut answers = Vec::new();
        for name in [&name, &absent] {
            let get = pb::GetPassApplicationRequest { name: name.clone() };
            let refused = user.call(get).await.unwrap_err();
            answers.push((refused.code(), reason(&refused), refused.message().to_owned()));
        }
        assert_eq!(answers[0], answers[1], "{}", user.name);
        assert_eq!(answers[0].0, Code::PermissionDenied);
    }
    let mut foreign = city.create(&app);
    foreign.pass_application.as_mut().unwrap().declaration_accepted = true;
    let refused = city.boss.with_token("x").call(foreign).await;
    assert_eq!(reason(&refused.unwrap_err()), "TOKEN_INVALID");
}

#[sqlx::test]
async fn a_handler_acts_only_within_the_authorisation(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.sql("update member set scope = '{LIAISON}' where role = 'ENTERPRISE_HANDLER'").await;
    app.forget(&city.handler).await;
    let refused = city.handler.call(city.create(&app)).await;
    assert_eq!(reason(&refused.unwrap_err()), "DENIED");
    // The end of the authorisation counts at the next call, without any job.
    app.sql("update member set scope = '{PASS}', valid_until = '2026-12-01'").await;
    app.forget(&city.handler).await;
    draft(&app, &city).await;
    app.advance(SignedDuration::from_hours(24 * 8));
    let refused = city.handler.call(city.create(&app)).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

// PA-03, PA-04: the dry run says what the decision would say, explains itself, stores nothing.
#[sqlx::test]
async fn a_dry_run_explains_the_verdict_and_stores_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut request = city.create(&app);
    request.validate_only = true;
    request.pass_application.as_mut().unwrap().need.as_mut().unwrap().months = 12;
    let answer = city.handler.call(request).await.unwrap();
    let evaluation = answer.evaluation.unwrap();
    assert_eq!((evaluation.outcome.as_str(), answer.name.as_str()), ("OFFER", ""));
    assert_eq!(evaluation.policy_version, "2022-06");
    let rule = evaluation.findings.iter().find(|finding| finding.rule == "R04").unwrap();
    assert!(rule.inputs.iter().any(|input| input == "months_max=6"), "{rule:?}");
    assert_eq!(app.count("select count(*) from pass_application").await, 0);
}

// I12: a person who files the same thing twice meets the first one.
#[sqlx::test]
async fn the_same_need_is_open_only_once(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let first = draft(&app, &city).await;
    submit(&city, &first.name).await.unwrap();
    let second = draft(&app, &city).await;
    let refused = submit(&city, &second.name).await.unwrap_err();
    assert_eq!((refused.code(), fact(&refused, "number")), (Code::AlreadyExists, first.number));
}

// PA-13: a suspended enterprise gets no new pass.
#[sqlx::test]
async fn a_suspended_enterprise_files_nothing_new(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let open = draft(&app, &city).await;
    app.sql("update enterprise set state = 'SUSPENDED'").await;
    let refused = city.handler.call(city.create(&app)).await;
    assert_eq!(reason(&refused.unwrap_err()), "ENTERPRISE_SUSPENDED");
    let refused = submit(&city, &open.name).await.unwrap_err();
    assert_eq!(reason(&refused), "ENTERPRISE_NOT_VERIFIED");
}

#[sqlx::test]
async fn a_draft_is_handed_in_only_with_the_declaration_and_its_papers(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut request = city.create(&app);
    request.pass_application.as_mut().unwrap().declaration_accepted = false;
    let filed = city.handler.call(request).await.unwrap();
    let refused = submit(&city, &filed.name).await.unwrap_err();
    assert_eq!(fields(&refused), ["declaration_accepted DECLARATION_MISSING"]);
    let mut request = city.create(&app);
    request.pass_application.as_mut().unwrap().attachments.clear();
    let filed = city.handler.call(request).await.unwrap();
    let refused = submit(&city, &filed.name).await.unwrap_err();
    assert!(fields(&refused).iter().all(|field| field.ends_with("MATERIAL_MISSING")));
    assert!(!fields(&refused).is_empty());
    app.sql("update attachment set valid_until = '2026-11-01' where kind = 'INSURANCE'").await;
    let refused = city.handler.call(city.create(&app)).await;
    assert_eq!(fields(&refused.unwrap_err()), ["attachments[2] MATERIAL_EXPIRED"]);
}

// PA-15: one result per vehicle; a refusal of one leaves nothing of it and stops no other.
#[sqlx::test]
async fn a_fleet_application_gives_one_result_per_vehicle(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let free = app.vehicle(city.enterprise, "苏N22222", "02", "H31", 3_000, 5_000).await;
    let heavy = app.vehicle(city.enterprise, "苏N33333", "01", "H11", 20_000, 9_000).await;
    let stolen = app.vehicle(city.enterprise, "苏N44444", "01", "H11", 20_000, 9_000).await;
    app.sql("update vehicle set vehicle_states = 'C' where plate_number = '苏N44444'").await;
    let absent = "vehicles/01890a5d-ac96-774b-bcce-b302099a8057".to_owned();
    let request = pb::CreatePassApplicationBatchRequest {
        enterprise: city.enterprise.to_string(),
        vehicles: vec![
            city.vehicle.to_string(),
            free.to_string(),
            heavy.to_string(),
            stolen.to_string(),
            absent,
        ],
        need: Some(city.need(&app)),
        submit: true,
        declaration_accepted: true,
        attachments: city.attachment_names.clone(),
        request_id: request_id(),
    };
    let batch = city.handler.call(request.clone()).await.unwrap();
    let codes: Vec<_> = batch
        .results
        .iter()
        .map(|result| result.reason.as_ref().map_or("", |reason| reason.code.as_str()))
        .collect();
    assert_eq!(codes, ["", "NO_PASS_REQUIRED", "", "APPLICATION_REFUSED", "DENIED"]);
    assert!(batch.results[3].reason.as_ref().unwrap().text.contains("被盗抢"));
    assert_eq!(app.count("select count(*) from pass_application").await, 2);
    assert_eq!(
        app.count("select count(*) from pass_application where state = 'SUBMITTED'").await,
        2
    );
    let again = city.handler.call(request).await.unwrap();
    assert_eq!(again, batch);
}

// PA-05: off by default; where the policy permits it the source of the approval is recorded.
#[sqlx::test]
async fn the_policy_approves_by_itself_only_where_it_says_so(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let first = draft(&app, &city).await;
    assert_eq!(submit(&city, &first.name).await.unwrap().state(), State::Submitted);
    let withdraw = pb::WithdrawPassApplicationRequest { name: first.name, ..Default::default() };
    city.handler.call(withdraw).await.unwrap();
    app.sql(
        r#"update pass_policy set values_json = jsonb_set(values_json, '{automatic_approval}',
            '{"enabled": true, "kinds": ["LONG_TERM_DELIVERY"], "months_max": 6, "days_max": 3,
              "with_quota": true}')"#,
    )
    .await;
    app.changed_world().await;
    let second = draft(&app, &city).await;
    let approved = submit(&city, &second.name).await.unwrap();
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approved.decision.unwrap().source, "POLICY");
    assert!(approved.truck_pass.starts_with("truckPasses/"));
}

// PA-12, I8: the last place of a quota is given once.
#[sqlx::test]
async fn a_quota_is_not_oversold_by_two_reviewers(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let other = app.vehicle(city.enterprise, "苏N33333", "01", "H11", 20_000, 9_000).await;
    app.sql(&format!(
        "insert into quota values (gen_random_uuid(), '{}', 'LONG_TERM_DELIVERY', '2026-01-01',
            '2027-01-01', 1, 0)",
        city.zone.uuid()
    ))
    .await;
    let one = city.in_review(&app).await;
    let mut request = city.create(&app);
    request.pass_application.as_mut().unwrap().vehicle = other.to_string();
    let two = city.in_review_of(request).await;
    let (one, two) = tokio::join!(city.first.call(approval(&one)), city.first.call(approval(&two)));
    let (granted, refused): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(Result::is_ok);
    assert_eq!((granted.len(), refused.len()), (1, 1));
    let refused = reason(refused[0].as_ref().unwrap_err());
    assert!(["QUOTA_EXHAUSTED", "CONFLICT"].contains(&refused.as_str()), "{refused}");
    assert_eq!(app.count("select used::int8 from quota").await, 1);
    // Given back once the pass ends.
    let name = granted.into_iter().next().unwrap().unwrap().truck_pass;
    let get = pb::GetTruckPassRequest { name: name.clone() };
    let etag = city.handler.call(get).await.unwrap().etag;
    let cancel = pb::EndTruckPassRequest {
        name,
        reason_code: "HOLDER_REQUEST".to_owned(),
        note: "不再需要".to_owned(),
        etag,
        request_id: request_id(),
    };
    city.handler.call(to::CancelTruckPass(cancel)).await.unwrap();
    assert_eq!(app.count("select used::int8 from quota").await, 0);
}

// PA-16: truck with trailer, route and windows come back as they were asked.
#[sqlx::test]
async fn a_pass_carries_trailer_route_and_windows(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut request = city.create(&app);
    let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
    need.trailer_plate_number = "苏n1234挂".to_owned();
    need.time_windows = vec![pb::TimeWindow {
        weekdays: vec![1, 5],
        from_minute: 18 * 60 + 30,
        until_minute: 7 * 60,
    }];
    let pass = city.pass_of(request.clone()).await;
    assert_eq!(pass.trailer_plate_number, "苏N1234挂");
    assert_eq!(pass.route, ["洋河大道", "南大街"]);
    assert_eq!(pass.time_windows[0].weekdays, [1, 5]);
}

// Lists page without gaps, newest first, and a token of another list is refused.
#[sqlx::test]
async fn lists_page_newest_first_without_gaps(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut names = Vec::new();
    for _ in 0..5 {
        app.advance(SignedDuration::from_millis(1));
        names.push(draft(&app, &city).await.name);
    }
    names.reverse();
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = pb::ListPassApplicationsRequest {
            page_size: 2,
            page_token: page_token.clone(),
            ..Default::default()
        };
        let page = city.handler.call(page).await.unwrap();
        listed.extend(page.pass_applications.into_iter().map(|it| it.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, names);
    let first = pb::ListPassApplicationsRequest { page_size: 2, ..Default::default() };
    let first = city.handler.call(first).await.unwrap();
    let stolen =
        pb::ListTruckPassesRequest { page_token: first.next_page_token, ..Default::default() };
    let refused = city.handler.call(stolen).await.unwrap_err();
    assert_eq!(reason(&refused), "PAGE_TOKEN_INVALID");
}
