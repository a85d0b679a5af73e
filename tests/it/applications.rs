//! Applications: what is refused, and that nothing changes then; corrections, two eyes and four,
//! fleets, renewals, races.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, pass_application::State};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, User, fact, fields, reason, request_id, to};

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
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    tx.touch(jingqi::surface::store::identity::actors::key(&city.handler.name));
    tx.commit().await.unwrap();
    let refused = city.handler.call(city.create(&app)).await;
    assert_eq!(reason(&refused.unwrap_err()), "DENIED");
    // The end of the authorisation counts at the next call, without any job.
    app.sql("update member set scope = '{PASS}', valid_until = '2026-12-01'").await;
    let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
    tx.touch(jingqi::surface::store::identity::actors::key(&city.handler.name));
    tx.commit().await.unwrap();
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

// PA-07, T18: everything to correct at once; the clock stands still; the place in the queue stays.
#[sqlx::test]
async fn a_correction_stops_the_clock_and_keeps_the_place_in_the_queue(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let due = application.due_time.unwrap().seconds;
    let submitted = application.submit_time;
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: application.name.clone(),
        items: vec![
            pb::CorrectionItem {
                field: "attachments".to_owned(), text: "行驶证不清晰".to_owned()
            },
            pb::CorrectionItem {
                field: "need.route".to_owned(), text: "请写明路线".to_owned()
            },
        ],
        etag: application.etag,
        request_id: request_id(),
    };
    let asked = city.first.call(correct).await.unwrap();
    assert_eq!((asked.state(), asked.corrections.len()), (State::NeedsCorrection, 2));
    // From Tuesday to Friday: three working days.
    app.advance(SignedDuration::from_hours(72));
    let mut edit = asked.clone();
    edit.need.as_mut().unwrap().route.push("酒都大道".to_owned());
    let edited =
        pb::UpdatePassApplicationRequest { pass_application: Some(edit), request_id: request_id() };
    city.handler.call(edited).await.unwrap();
    let again = submit(&city, &asked.name).await.unwrap();
    assert_eq!((again.state(), again.submit_time), (State::Submitted, submitted));
    // Friday + 3 working days: the end of Wednesday.
    assert_eq!(again.due_time.unwrap().seconds - due, 5 * 86_400);
    let mine = pb::ListReviewQueueRequest { mine_only: true, ..Default::default() };
    let queue = city.first.call(mine).await.unwrap();
    assert_eq!(queue.items[0].waiting_seconds, 72 * 3_600);
}

// PA-08: a refusal has coded reasons, and tells the rights of review.
#[sqlx::test]
async fn a_refusal_is_coded_and_tells_the_rights_of_review(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let reject = |reasons: &[&str], note: &str| pb::RejectPassApplicationRequest {
        name: application.name.clone(),
        reasons: reasons.iter().map(|&code| code.to_owned()).collect(),
        note: note.to_owned(),
        etag: application.etag.clone(),
        request_id: request_id(),
    };
    let refused = city.first.call(reject(&["BAD_LUCK"], "")).await.unwrap_err();
    assert_eq!(fields(&refused), ["note REQUIRED", "reasons[0] UNKNOWN_VALUE"]);
    let rejected = city.first.call(reject(&["NO_REAL_NEED"], "无需进入")).await;
    let decision = rejected.unwrap().decision.unwrap();
    assert_eq!((decision.approved, decision.source.as_str()), (false, "OFFICER"));
    assert_eq!(decision.reasons[0].code, "NO_REAL_NEED");
    assert!(decision.rights_of_review.contains("行政复议"), "{}", decision.rights_of_review);
    let again = city.first.call(reject(&["NO_REAL_NEED"], "无需进入")).await;
    assert_eq!(reason(&again.unwrap_err()), "ETAG_STALE");
    let withdraw =
        pb::WithdrawPassApplicationRequest { name: application.name, ..Default::default() };
    let late = city.handler.call(withdraw).await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
    assert_eq!(fact(&late, "state"), "REJECTED");
}

// SD-17: the etag of a decision, and T16: two officers at once.
#[sqlx::test]
async fn a_decision_on_an_older_version_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let mut approve = approval(&application);
    approve.etag = String::new();
    let refused = city.first.call(approve.clone()).await.unwrap_err();
    assert_eq!(fields(&refused), ["etag REQUIRED"]);
    approve.etag = "W/\"1\"".to_owned();
    let refused = city.first.call(approve).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Aborted, "ETAG_STALE"));
    let (one, two) = (approval(&application), approval(&application));
    let (one, two) = tokio::join!(city.first.call(one), city.first.call(two));
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    assert_eq!(app.count("select count(*) from truck_pass").await, 1);
}

// SD-10, PA-06: four eyes; the first reviewer may not take the second step, nor a stranger.
#[sqlx::test]
async fn a_long_grant_needs_a_second_officer_of_the_upper_level(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.sql("update class_grant set class = 'KEY_ENTERPRISE'").await;
    let mut request = city.create(&app);
    request.pass_application.as_mut().unwrap().need.as_mut().unwrap().months = 12;
    let application = city.in_review_of(request).await;
    assert_eq!(application.evaluation.as_ref().unwrap().review_steps, 2);
    let unclaimed = city.second.call(approval(&application)).await;
    assert_eq!(reason(&unclaimed.unwrap_err()), "NOT_ASSIGNEE");
    let forwarded = city.first.call(approval(&application)).await.unwrap();
    assert_eq!((forwarded.state(), forwarded.assignee.as_str()), (State::FinalReview, ""));
    assert_eq!(app.count("select count(*) from truck_pass").await, 0);

    let claim =
        pb::ClaimPassApplicationRequest { name: forwarded.name.clone(), ..Default::default() };
    let own = city.first.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let lower = city.second.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&lower), "DENIED");
    let held = city.chief.call(claim).await.unwrap();
    let approved = city.chief.call(approval(&held)).await;
    assert_eq!(approved.unwrap().state(), State::Approved);
}

// PA-06: claim, hand over with a note, back to the queue.
#[sqlx::test]
async fn an_application_is_held_by_one_officer_and_can_be_handed_over(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let claim =
        pb::ClaimPassApplicationRequest { name: application.name.clone(), ..Default::default() };
    let taken = city.second.call(claim.clone()).await.unwrap_err();
    assert_eq!(reason(&taken), "NOT_ASSIGNEE");
    let hand_over = |officer: &str, note: &str| pb::ReassignPassApplicationRequest {
        name: application.name.clone(),
        officer: officer.to_owned(),
        note: note.to_owned(),
        request_id: request_id(),
    };
    let silent = city.first.call(hand_over(&city.second.name, "")).await;
    assert_eq!(fields(&silent.unwrap_err()), ["note REQUIRED"]);
    for nobody in [&city.foreign_reviewer.name, &city.auxiliary.name] {
        let refused = city.first.call(hand_over(nobody, "休假")).await;
        assert_eq!(fields(&refused.unwrap_err()), ["officer UNKNOWN_VALUE"]);
    }
    city.first.call(hand_over(&city.second.name, "休假")).await.unwrap();
    let late = city.first.call(approval(&application)).await;
    assert_eq!(reason(&late.unwrap_err()), "ETAG_STALE");
    city.first.call(hand_over("", "退回")).await.unwrap();
    city.second.call(claim).await.unwrap();
    // That it changed hands is read by the police, and not by who asked for the pass.
    let handed_on = async |reader: &User| {
        let steps = pb::ListPassApplicationChangesRequest { name: application.name.clone() };
        let read = reader.call(steps).await.unwrap();
        read.changes.iter().filter(|step| step.action == "REASSIGN").count()
    };
    assert_eq!((handed_on(&city.first).await, handed_on(&city.handler).await), (2, 0));
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

// PA-17: the window files for the enterprise, and the clerk who filed takes no step of the review.
#[sqlx::test]
async fn a_clerk_files_on_behalf_and_does_not_review_the_own_case(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let filed = city.clerk.call(city.create(&app)).await.unwrap();
    assert!(filed.filed_on_behalf);
    assert_eq!(filed.source_channel(), pb::SourceChannel::Window);
    let submit =
        pb::SubmitPassApplicationRequest { name: filed.name.clone(), ..Default::default() };
    let submitted = city.clerk.call(submit).await.unwrap();
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: filed.name,
        items: vec![pb::CorrectionItem { field: String::new(), text: "补充".to_owned() }],
        etag: submitted.etag,
        request_id: request_id(),
    };
    let own = city.clerk.call(correct).await;
    assert_eq!(reason(&own.unwrap_err()), "SAME_PERSON");
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

// PA-19, R16: a second long-term pass for the same vehicle and zone is refused.
#[sqlx::test]
async fn an_overlapping_pass_is_refused_with_the_offer_of_a_renewal(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    city.pass(&app).await;
    let second = draft(&app, &city).await;
    let refused = submit(&city, &second.name).await.unwrap_err();
    assert_eq!(reason(&refused), "DUPLICATE_ACTIVE_PASS");
    assert_eq!(fact(&refused, "policy_version"), "2022-06");
}

// PA-11: renewed from thirty days before the end, from that end, with its lineage.
#[sqlx::test]
async fn a_renewal_continues_the_pass_from_its_end(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let renew = |app: &App| pb::CreatePassApplicationRequest {
        previous_pass: pass.name.clone(),
        purpose: pb::pass_application::Purpose::Renewal.into(),
        ..city.create(app)
    };
    let early = city.handler.call(renew(&app)).await.unwrap();
    assert!(submit(&city, &early.name).await.is_err());
    app.advance(SignedDuration::from_hours(24 * 155));
    let renewed = city.pass_of(renew(&app)).await;
    assert_eq!(renewed.valid_from, pass.valid_until);
    assert_eq!((renewed.previous_pass, renewed.revision), (pass.name.clone(), 1));
    let get = pb::GetTruckPassRequest { name: pass.name };
    let old = city.handler.call(get).await.unwrap();
    assert_eq!(old.state(), pb::truck_pass::State::Active);
}

// PA-09: an amendment is a new revision; the old one is superseded in the same unit of work.
#[sqlx::test]
async fn an_amendment_is_a_new_revision_and_supersedes_the_old_one(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let mut request = pb::CreatePassApplicationRequest {
        previous_pass: pass.name.clone(),
        purpose: pb::pass_application::Purpose::Amendment.into(),
        ..city.create(&app)
    };
    request.pass_application.as_mut().unwrap().need.as_mut().unwrap().goods = "酒瓶".to_owned();
    let amended = city.pass_of(request).await;
    assert_eq!((amended.revision, amended.goods.as_str()), (2, "酒瓶"));
    let get = pb::GetTruckPassRequest { name: pass.name.clone() };
    let old = city.handler.call(get).await.unwrap();
    assert_eq!(old.state(), pb::truck_pass::State::Superseded);
    // PA-21: what was wrongly granted is annulled even then.
    let annul = pb::EndTruckPassRequest {
        name: pass.name,
        reason_code: "WRONGLY_GRANTED".to_owned(),
        note: "审核错误".to_owned(),
        etag: old.etag,
        request_id: request_id(),
    };
    let annulled = city.chief.call(to::AnnulTruckPass(annul)).await.unwrap();
    assert_eq!(annulled.state(), pb::truck_pass::State::Annulled);
}

// D1: a reviewer may grant less than asked, never more.
#[sqlx::test]
async fn a_reviewer_grants_less_but_never_more(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let more = pb::ApprovePassApplicationRequest { months: 7, ..approval(&application) };
    let refused = city.first.call(more).await.unwrap_err();
    assert_eq!(fields(&refused), ["months OUT_OF_RANGE"]);
    let less = pb::ApprovePassApplicationRequest { months: 2, ..approval(&application) };
    let approved = city.first.call(less).await.unwrap();
    let get = pb::GetTruckPassRequest { name: approved.truck_pass };
    let pass = city.handler.call(get).await.unwrap();
    assert_eq!(pass.last_valid_day, "2027-01-23");
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

// Unanswered corrections end by the clock.
#[sqlx::test]
async fn a_correction_without_an_answer_lapses(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let application = city.in_review(&app).await;
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: application.name.clone(),
        items: vec![pb::CorrectionItem { field: String::new(), text: "补充".to_owned() }],
        etag: application.etag,
        request_id: request_id(),
    };
    city.first.call(correct).await.unwrap();
    app.advance(SignedDuration::from_hours(24 * 29));
    app.run_workers().await;
    let get = pb::GetPassApplicationRequest { name: application.name };
    let waiting = city.handler.call(get.clone()).await.unwrap();
    assert_eq!(waiting.state(), State::NeedsCorrection);
    app.advance(SignedDuration::from_hours(48));
    app.run_workers().await;
    let lapsed = city.handler.call(get).await.unwrap();
    assert_eq!(lapsed.state(), State::Lapsed);
}
