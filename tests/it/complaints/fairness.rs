//! How complaints are handled, against those who would bend it: nobody decides an own case, no step is a
//! dead end, no limit is gained by another step, and nothing that was said is lost.

use jiff::SignedDuration;
use jingqi::surface::service::pb::{self, SatisfactionLevel as Level, complaint::State};
use sqlx::PgPool;
use tonic::Code;

use super::{Answer, Service, changes, listed, owed, owes, step, time};
use crate::{
    attachments::{announce, announced, complete, pictures, read, upload},
    harness::{App, User, fields, reason, request_id, to},
};

impl Service {
    /// Moves it from whoever has it to another unit.
    async fn reassign(&self, name: &str, unit: &str, note: &str) -> Answer {
        let request = pb::AssignComplaintRequest {
            name: name.to_owned(),
            lead_unit: unit.to_owned(),
            note: note.to_owned(),
            ..Default::default()
        };
        self.assigner.call(request).await
    }

    async fn merge(&self, by: &User, name: &str, into: &str) -> Answer {
        let request = pb::MergeComplaintRequest {
            name: name.to_owned(),
            into: into.to_owned(),
            ..Default::default()
        };
        by.call(request).await
    }

    async fn transfer(&self, by: &User, name: &str) -> Answer {
        let request = pb::TransferComplaintRequest {
            name: name.to_owned(),
            target: "12345".to_owned(),
            note: "属城管职责".to_owned(),
            ..Default::default()
        };
        by.call(to::TransferComplaint(request)).await
    }
}

// CO-09: an officer who left, or a unit that cannot, is no dead end; the time of the handling goes on.
#[sqlx::test]
async fn what_somebody_has_is_given_to_another_and_its_time_goes_on(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.extend(&desk.one, &name, 3).await.unwrap();
    app.sql("update officer set disable_time = now() where police_number = '300003'").await;
    app.advance(SignedDuration::from_hours(24));
    let mute = desk.reassign(&name, &desk.other_unit, "").await.unwrap_err();
    assert_eq!(fields(&mute), ["note REQUIRED"]);
    let given = desk.reassign(&name, &desk.other_unit, "承办人已调离").await.unwrap();
    assert_eq!((given.state(), given.handler.as_str()), (State::Assigned, ""));
    // Only the signing is owed anew; what the first one asked for is asked for no more.
    let all = [owes("HANDLE_COMPLAINT", "12-02 00:00"), owes("SIGN_COMPLAINT", "11-25 16:00")];
    assert_eq!(owed(&app).await, all);
    assert_eq!(given.extensions[0].state, "REFUSED");
    // Nobody signs for it: it goes on to the next.
    let back = desk.reassign(&name, &desk.lead_unit, "该单位无人承办").await.unwrap();
    assert_eq!(back.handle_due_time, time("2026-12-02T00:00:00+08:00"));
    app.sql("update officer set disable_time = null where police_number = '300003'").await;
    assert_eq!(reason(&desk.sign(&desk.one, &name).await.unwrap_err()), "SAME_PERSON");
    desk.sign(&desk.three, &name).await.unwrap();
    desk.answer(&desk.three, &name).await.unwrap();
    let late = desk.reassign(&name, &desk.other_unit, "再次改派").await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
    // The enterprise reads nothing of it.
    let read = changes(&desk.boss, &name).await;
    assert!(read.iter().all(|change| !change.action.contains("REASSIGN")));
    let inside = changes(&desk.assigner, &name).await;
    let moved: Vec<_> = inside.iter().filter(|change| change.action == "REASSIGN").collect();
    assert_eq!(moved[0].internal_note, "承办人已调离");
}

// I19, I26: whoever did what it is about, or handled it, neither lets it in nor out, nor hides its words.
#[sqlx::test]
async fn nobody_closes_shelves_or_redacts_what_is_the_own_case(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let (name, other) = (desk.file().await.name, desk.file().await.name);
    // As a complaint about a decision is filed: who decided is not to handle it.
    let id = name.trim_start_matches("complaints/");
    app.sql(&format!(
        "update complaint set past_handlers =
            array(select officer.id from officer where police_number = '300004')
         where id = '{id}'"
    ))
    .await;
    let own = &desk.two;
    let redact = pb::RedactComplaintRequest {
        name: name.clone(),
        passages: vec![pb::redact_complaint_request::Passage {
            field: pb::redact_complaint_request::Field::Content.into(),
            text: "厂区".to_owned(),
        }],
        reason: "含有个人信息".to_owned(),
        ..Default::default()
    };
    let redacted = own.call(redact).await;
    for refused in [
        desk.accept(own, &name).await,
        desk.decline(own, &name, "不属公安职责").await,
        desk.transfer(own, &name).await,
        desk.merge(own, &name, &other).await,
        redacted,
    ] {
        assert_eq!(reason(&refused.unwrap_err()), "SAME_PERSON");
    }
    desk.accept(&desk.assigner, &name).await.unwrap();
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    // Who may not sign does not stop the clock by a return either.
    assert_eq!(reason(&desk.give_back(own, &name).await.unwrap_err()), "SAME_PERSON");
    assert_eq!(reason(&desk.sign(own, &name).await.unwrap_err()), "SAME_PERSON");
    // Nor does who took it in, and set its category and with it the limit.
    desk.accept(own, &other).await.unwrap();
    desk.assign(&desk.assigner, &other, &desk.lead_unit).await.unwrap();
    assert_eq!(reason(&desk.sign(own, &other).await.unwrap_err()), "SAME_PERSON");
    assert_eq!(reason(&desk.give_back(own, &other).await.unwrap_err()), "SAME_PERSON");
    desk.sign(&desk.one, &other).await.unwrap();
}

// I19, I26: the leader of a unit that handles or helps neither supervises it nor ends it.
#[sqlx::test]
async fn a_supervision_comes_from_above_and_never_moves_its_day_away(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let brigade = app.unit_of("321302170000").await;
    let chief = app.officer("300010", &brigade, &["UNIT_LEADER"]).await;
    let elsewhere = app.unit_of("321322170000").await;
    let foreign = app.officer("300011", &elsewhere, &["UNIT_LEADER"]).await;
    let name = desk.in_progress(&desk.one).await;
    let (early, late) = ("2026-11-27T18:00:00+08:00", "2026-12-31T18:00:00+08:00");
    let own = desk.supervise(&chief, &name, "LISTED", late).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let refused = desk.supervise(&foreign, &name, "LISTED", late).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    desk.supervise(&desk.leader, &name, "BUREAU", early).await.unwrap();
    let moved = desk.supervise(&desk.leader, &name, "LISTED", late).await.unwrap_err();
    assert_eq!(fields(&moved), ["due_time OUT_OF_RANGE"]);
    // With the answer it is over: the silence of the enterprise is nobody's fault.
    desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, true).await.unwrap();
    assert_eq!(owed(&app).await, []);
    desk.rate_last(Level::Dissatisfied, "未解决").await;
    desk.again(&desk.two, &name).await;
    desk.rate_last(Level::Dissatisfied, "未解决").await;
    desk.again(&desk.three, &name).await;
    // One that still runs does not swallow the limit of the escalation.
    desk.supervise(&desk.leader, &name, "LISTED", late).await.unwrap();
    desk.rate_last(Level::Dissatisfied, "未解决").await;
    assert_eq!(owed(&app).await, [owes("SUPERVISE_COMPLAINT", "12-02 00:00")]);
    let away = desk.supervise(&desk.leader, &name, "LISTED", late).await.unwrap_err();
    assert_eq!(fields(&away), ["due_time OUT_OF_RANGE"]);
    let own = desk.conclude(&chief, &name, "已解释").await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    desk.conclude(&desk.leader, &name, "已向企业书面说明").await.unwrap();
    // What waited for a joint meeting waits no more.
    let dropped = "select count(*) from meeting_point
        where state = 'DROPPED' and outcome = '已向企业书面说明'";
    assert_eq!(app.count(dropped).await, 1);
}

// CO-11, CO-13: whoever handles it next reads why, and no answer is lost.
#[sqlx::test]
async fn every_answer_is_kept_and_why_it_did_not_satisfy(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, false).await.unwrap();
    let better = pb::SubmitComplaintFeedbackRequest {
        name: name.clone(),
        feedback: "经现场踏勘,已增加早间卸货时段两小时。".to_owned(),
        ..Default::default()
    };
    desk.one.call(better).await.unwrap();
    assert_eq!(desk.get(&desk.boss, &name).await.unwrap().feedback, "");
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::Dissatisfied, "两小时不够卸货").await;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.sign(&desk.two, &name).await.unwrap();
    let why = changes(&desk.two, &name).await;
    let why = why.iter().find(|change| change.action == "REOPEN").unwrap();
    assert_eq!(
        (why.reason.as_str(), why.internal_note.as_str()),
        ("DISSATISFIED", "两小时不够卸货")
    );
    // The enterprise still reads what it was given, while another answer is being judged too.
    desk.answer(&desk.two, &name).await.unwrap();
    let read = desk.get(&desk.boss, &name).await.unwrap();
    assert!(read.feedback.starts_with("经现场踏勘"), "{}", read.feedback);
    let given: Vec<_> = read.feedbacks.iter().map(|it| (it.round, it.officer.as_str())).collect();
    assert_eq!(given, [(0, "")]);
    let kept = desk.get(&desk.assigner, &name).await.unwrap();
    assert!(kept.feedback.starts_with("已为贵企业"));
    let states: Vec<_> =
        kept.feedbacks.iter().map(|it| (it.round, it.state.as_str(), it.note.as_str())).collect();
    let all = [(0, "REJECTED", "请补充联系结果"), (0, "APPROVED", ""), (1, "SUBMITTED", "")];
    assert_eq!(states, all);
    // What is redacted goes out of every answer.
    let redact = pb::RedactComplaintRequest {
        name: name.clone(),
        passages: vec![pb::redact_complaint_request::Passage {
            field: pb::redact_complaint_request::Field::Feedback.into(),
            text: "早间".to_owned(),
        }],
        reason: "按企业要求隐去".to_owned(),
        ..Default::default()
    };
    desk.assigner.call(redact).await.unwrap();
    for reader in [&desk.assigner, &desk.boss] {
        let read = desk.get(reader, &name).await.unwrap();
        let texts = read.feedbacks.iter().map(|it| it.feedback.as_str());
        let texts: Vec<_> = texts.chain([read.feedback.as_str()]).collect();
        assert!(texts.iter().all(|text| text.contains('■') && !text.contains("早间")), "{texts:?}");
    }
    assert_eq!(app.count("select count(*) from complaint_redaction").await, 2);
}

// I19: a decision is on the version that was judged.
#[sqlx::test]
async fn a_decision_names_the_version_that_it_judges(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    let first = desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, false).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    let review = |etag: &str| pb::ReviewComplaintFeedbackRequest {
        name: name.clone(),
        approved: true,
        etag: etag.to_owned(),
        ..Default::default()
    };
    let blind = desk.second_assigner.call(review("")).await.unwrap_err();
    assert_eq!(fields(&blind), ["etag REQUIRED"]);
    let stale = desk.second_assigner.call(review(&first.etag)).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
}

// An extension is for whoever handles it now, before the end, and once for each handling.
#[sqlx::test]
async fn an_extension_neither_heals_what_is_late_nor_outlives_its_handling(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.extend(&desk.one, &name, 3).await.unwrap();
    // Decided when it is late already: refused it can be, granted not.
    app.clock.set("2026-12-02T00:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    let late = desk.decide(&desk.assigner, &name, true).await.unwrap_err();
    assert_eq!(reason(&late), "EXTENSION_TOO_LATE");
    desk.answer(&desk.one, &name).await.unwrap();
    let read = desk.get(&desk.assigner, &name).await.unwrap();
    assert_eq!(read.extensions[0].state, "REFUSED");
    let over = desk.extend(&desk.one, &name, 3).await.unwrap_err();
    assert_eq!(reason(&over), "TRANSITION_ILLEGAL");
    desk.review(&desk.assigner, &name, true).await.unwrap();
    desk.rate_last(Level::Dissatisfied, "未解决").await;
    desk.assign(&desk.assigner, &name, &desk.lead_unit).await.unwrap();
    desk.sign(&desk.two, &name).await.unwrap();
    // The second handling has its own.
    desk.extend(&desk.two, &name, 2).await.unwrap();
    let granted = desk.decide(&desk.assigner, &name, true).await.unwrap();
    assert_eq!(granted.handle_due_time, time("2026-12-12T00:00:00+08:00"));
    assert_eq!(reason(&desk.extend(&desk.two, &name, 1).await.unwrap_err()), "EXTENSION_SPENT");
}

// CO-14: into one that is not answered yet, which tells of it; whoever sees one does not see all.
#[sqlx::test]
async fn a_duplicate_is_merged_where_somebody_still_answers_it(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let answered = desk.in_call_back(&desk.one).await;
    let open = desk.in_progress(&desk.three).await;
    let name = desk.file().await.name;
    let refused = desk.merge(&desk.assigner, &name, &answered).await.unwrap_err();
    assert_eq!(reason(&refused), "MERGE_IMPOSSIBLE");
    let merged = desk.merge(&desk.assigner, &name, &open).await.unwrap();
    let told = changes(&desk.three, &open).await.pop().unwrap();
    assert_eq!(told.action, "MERGE_IN");
    assert!(told.public_note.contains(&merged.number), "{}", told.public_note);
    // A unit that leads one complaint reads of no other of the enterprise.
    let lent = desk.file().await.name;
    desk.accept(&desk.assigner, &lent).await.unwrap();
    desk.assign(&desk.assigner, &lent, &desk.other_unit).await.unwrap();
    let elsewhere = app.unit_of("321322170000").await;
    let foreign = app.officer("300011", &elsewhere, &["UNIT_LEADER"]).await;
    let similar = async |by: &User| {
        let request = pb::GetComplaintRequest { name: lent.clone() };
        by.call(to::ListSimilarComplaints(request)).await.unwrap().complaints.len()
    };
    assert_eq!(similar(&desk.assigner).await, 1);
    assert_eq!(similar(&foreign).await, 0);
}

// CO-14: both are held while they are merged: the other one does not end meanwhile.
#[sqlx::test]
async fn a_complaint_is_not_merged_into_one_that_ends_at_the_same_time(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let (name, ending) = (desk.file().await.name, desk.file().await.name);
    // The enterprise takes the other one back, and has not committed.
    let mut held = app.parts.store.begin(&app.cx()).await.unwrap();
    let end = format!(
        "update complaint set state = 'WITHDRAWN', close_time = now(), version = version + 1
         where id = '{}'",
        ending.trim_start_matches("complaints/")
    );
    sqlx::query(sqlx::AssertSqlSafe(end)).execute(held.conn()).await.unwrap();
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let committed = async {
        while app.count(waits).await == 0 {}
        held.commit().await.unwrap();
    };
    let (merged, ()) = tokio::join!(desk.merge(&desk.assigner, &name, &ending), committed);
    assert_eq!(reason(&merged.unwrap_err()), "MERGE_IMPOSSIBLE");
}

// CO-19: whoever works on it opens what came with it, and reads whose it is; nobody else does.
#[sqlx::test]
async fn whoever_handles_it_opens_the_files_that_came_with_it(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    // Authorised for requests alone.
    let agent = app.person().await;
    app.member(desk.city.enterprise, agent, "ENTERPRISE_HANDLER", &["REQUEST"]).await;
    let agent = app.user(agent).await;
    let (picture, _) = pictures();
    let form = pb::Attachment {
        enterprise: desk.city.enterprise.to_string(),
        conversation: String::new(),
        kind: "DELIVERY_ORDER".to_owned(),
        file_name: "卸货现场.png".to_owned(),
        ..announced("", "image/png", &picture)
    };
    let file = announce(&agent, form).await.unwrap().name;
    upload(&agent, &file, &picture).await.unwrap();
    complete(&agent, &file).await.unwrap();
    let form = pb::Complaint { attachments: vec![file.clone()], ..desk.form() };
    let name = desk.filed(&agent, form).await.unwrap().name;
    desk.accept(&desk.assigner, &name).await.unwrap();
    let early = read(&desk.other, &file).await.unwrap_err();
    assert_eq!(early.code(), Code::PermissionDenied);
    desk.assign(&desk.assigner, &name, &desk.other_unit).await.unwrap();
    assert!(read(&desk.other, &file).await.unwrap() == picture);
    assert!(read(&desk.assigner, &file).await.unwrap() == picture);
    assert!(!desk.get(&desk.other, &name).await.unwrap().enterprise_name.is_empty());
    // In whose matters one has no part, of those one reads nothing.
    let pass = &desk.city.handler;
    assert!(listed(pass, pb::ListComplaintsRequest::default()).await.is_empty());
    assert_eq!(desk.get(pass, &name).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(desk.get(&agent, &name).await.unwrap().attachments, [file]);
}

// CO-01: the rules of the whole city are made by the city, within the law.
#[sqlx::test]
async fn a_brigade_makes_no_rules_for_the_city_and_nobody_a_longer_law(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let brigade = app.unit_of("321302170000").await;
    let chief = app.officer("300010", &brigade, &["UNIT_LEADER"]).await;
    let policy = |legal: &str| pb::PublishComplaintPolicyRequest {
        complaint_policy: Some(pb::ComplaintPolicy {
            category: pb::complaint::Category::Help.into(),
            valid_from: time("2026-11-25T00:00:00+08:00"),
            handle_legal_limit: legal.to_owned(),
            source: "宿公通〔2026〕12号".to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let refused = chief.call(policy("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let longer = desk.leader.call(policy("CALENDAR_DAYS:90")).await.unwrap_err();
    assert_eq!(fields(&longer), ["complaint_policy.handle_legal_limit OUT_OF_RANGE"]);
    // What it does not say stays as it is.
    let published = desk.leader.call(policy("CALENDAR_DAYS:30")).await.unwrap();
    assert_eq!(
        (published.extension_days_max, published.answer_characters_min),
        (Some(5), Some(10))
    );
    let recorded = "select count(*) from change where collection = 'complaintPolicies'";
    assert_eq!(app.count(recorded).await, 0, "it takes two");
    app.confirm(&published.proposal).await.unwrap();
    assert_eq!(app.count(recorded).await, 1);
}

// CO-17: a repetition of the filing does not bring back what was redacted since.
#[sqlx::test]
async fn a_repeated_filing_shows_what_everybody_reads_now(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let request =
        pb::FileComplaintRequest { complaint: Some(desk.form()), request_id: request_id() };
    let filed = desk.boss.call(request.clone()).await.unwrap();
    let redact = pb::RedactComplaintRequest {
        name: filed.name,
        passages: vec![pb::redact_complaint_request::Passage {
            field: pb::redact_complaint_request::Field::Content.into(),
            text: "厂区".to_owned(),
        }],
        reason: "含有敏感信息".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    desk.assigner.call(redact).await.unwrap();
    let again = desk.boss.call(request).await.unwrap();
    assert!(again.content.starts_with('■'), "{}", again.content);
}

#[sqlx::test]
async fn a_step_that_stays_inside_is_no_step_for_the_enterprise(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.supervise(&desk.leader, &name, "LISTED", "2026-11-27T18:00:00+08:00").await.unwrap();
    desk.extend(&desk.one, &name, 3).await.unwrap();
    desk.decide(&desk.assigner, &name, false).await.unwrap();
    desk.one.call(to::NoteComplaint(step(&name, "已联系"))).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, false).await.unwrap();
    let read = changes(&desk.boss, &name).await;
    let actions: Vec<_> = read.iter().map(|change| change.action.as_str()).collect();
    assert_eq!(actions, ["FILE", "ACCEPT", "ASSIGN", "SIGN", "SUBMIT_FEEDBACK"]);
}

// CO-12, CO-21: who was not satisfied and says nothing of the second handling stays not satisfied.
#[sqlx::test]
async fn silence_does_not_take_back_what_was_said_before(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    for _ in 0..3 {
        let name = desk.in_call_back(&desk.one).await;
        desk.rate_last(Level::Dissatisfied, "未解决").await;
        desk.again(&desk.three, &name).await;
        app.advance(SignedDuration::from_hours(24 * 7));
        app.run_workers().await;
        assert_eq!(desk.get(&desk.boss, &name).await.unwrap().state(), State::Closed);
    }
    let figures = |until: &str| pb::GetServiceFiguresRequest {
        from_time: time("2026-11-01T00:00:00+08:00"),
        until_time: time(until),
        grouping: pb::get_service_figures_request::Grouping::Category.into(),
    };
    let row = desk
        .leader
        .call(to::GetServiceFigures(figures("2027-01-01T00:00:00+08:00")))
        .await
        .unwrap();
    let row = row.rows[0].clone();
    assert_eq!(row.rated.unwrap().value, 3);
    let long = desk
        .leader
        .call(to::GetServiceFigures(figures("2028-01-01T00:00:00+08:00")))
        .await
        .unwrap_err();
    assert_eq!(fields(&long), ["until_time OUT_OF_RANGE"]);
}

// NO-01: whoever owes the next step learns of it at once, not when it is nearly late.
#[sqlx::test]
async fn whoever_owes_the_next_step_is_told(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.extend(&desk.one, &name, 3).await.unwrap();
    desk.decide(&desk.assigner, &name, false).await.unwrap();
    desk.answer(&desk.one, &name).await.unwrap();
    desk.review(&desk.assigner, &name, false).await.unwrap();
    app.run_workers().await;
    let inbox = async |by: &User| -> Vec<String> {
        let listed = by.call(pb::ListNoticesRequest::default()).await.unwrap();
        let mut events: Vec<_> = listed.notices.into_iter().map(|notice| notice.event).collect();
        events.sort();
        events
    };
    // The brigade takes in what comes from its place.
    assert_eq!(inbox(&desk.two).await, ["TASK_ASSIGNED", "TASK_TO_ACCEPT"]);
    let expected = ["TASK_ASSIGNED", "TASK_EXTENSION", "TASK_REJECTED"];
    assert_eq!(inbox(&desk.one).await, expected);
    assert_eq!(inbox(&desk.assigner).await, ["TASK_TO_REVIEW", "TASK_TO_REVIEW"]);
}
