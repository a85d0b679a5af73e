//! The clocks of measure 6 and of the service centre: taking an application in, deciding it, and confirming
//! a booked place are owed like everything else, with amber, red and the leader's list.

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::service::pb;
use sqlx::PgPool;

use crate::{
    centre,
    harness::{App, City, User, fields, reason, request_id, to},
};

/// What is owed and was owed, as kind, due time, and how it stands.
async fn owed(app: &App) -> Vec<String> {
    let text =
        "select kind || ' ' || to_char(due_time at time zone 'Asia/Shanghai', 'MM-DD HH24:MI')
            || case when meet_time is not null then ' MET' when void_time is not null then ' VOID'
                when pause_time is not null then ' PAUSED' else '' end
            || case when breach_time is null then '' else ' LATE' end
         from obligation where kind not like '%COMPLAINT' order by open_time, kind";
    sqlx::query_scalar(text).fetch_all(app.parts.store.pool()).await.unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("{text}+08:00").parse().unwrap()
}

impl App {
    async fn sweep(&self, text: &str) {
        self.clock.set(at(text));
        self.run_workers().await;
    }

    async fn leads(&self, city: &City) -> User {
        self.officer("100090", &(city.root, "321300000000/".to_owned()), &["UNIT_LEADER"]).await
    }
}

/// The levels of the steps about a subject that the leader sees.
async fn levels(leader: &User, subject: &str) -> Vec<String> {
    let request = pb::ListEscalationsRequest { unsettled: true, ..Default::default() };
    let listed = leader.call(request).await.unwrap();
    let mut levels: Vec<_> = listed
        .escalations
        .into_iter()
        .filter(|step| step.subject == subject)
        .map(|step| format!("{} {}", step.obligation_kind, step.level))
        .collect();
    levels.sort();
    levels
}

async fn filed(app: &App, city: &City) -> String {
    let name = city.handler.call(city.create(app)).await.unwrap().name;
    let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
    city.handler.call(submit).await.unwrap();
    name
}

async fn accepted(city: &City, name: &str) -> pb::PassApplication {
    let accept = pb::AcceptPassApplicationRequest { name: name.to_owned(), ..Default::default() };
    city.first.call(accept).await.unwrap()
}

async fn corrected(city: &City, application: &pb::PassApplication) {
    let correct = pb::RequestPassApplicationCorrectionRequest {
        name: application.name.clone(),
        items: vec![pb::CorrectionItem {
            field: String::new(), text: "请补充路线".to_owned()
        }],
        etag: application.etag.clone(),
        request_id: request_id(),
    };
    city.first.call(correct).await.unwrap();
}

// Measure 6: nobody takes it in, then nobody decides it; each is reminded of, then late, then decided, and
// the miss stays.
#[sqlx::test]
async fn the_decision_on_an_application_is_owed_like_everything_else(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let leader = app.leads(&city).await;
    let name = filed(&app, &city).await;
    assert_eq!(owed(&app).await, ["ACCEPT_PASS_APPLICATION 11-26 00:00"]);
    app.sweep("2026-11-26T00:00:01").await;
    assert_eq!(
        levels(&leader, &name).await,
        ["ACCEPT_PASS_APPLICATION AMBER", "ACCEPT_PASS_APPLICATION RED"]
    );
    app.clock.set(at("2026-11-26T09:00:00"));
    let application = accepted(&city, &name).await;
    assert_eq!(application.due_time.unwrap().seconds, at("2026-12-02T00:00:00").as_second());
    let late = "ACCEPT_PASS_APPLICATION 11-26 00:00 MET LATE";
    assert_eq!(owed(&app).await, [late, "DECIDE_PASS_APPLICATION 12-02 00:00"]);
    let claim = pb::ClaimPassApplicationRequest { name: name.clone(), ..Default::default() };
    let claimed = city.first.call(claim).await.unwrap();
    app.sweep("2026-12-01T23:59:59").await;
    assert_eq!(levels(&leader, &name).await, ["DECIDE_PASS_APPLICATION AMBER"]);
    // Whoever holds it is reminded, by the number that people read aloud.
    let told = format!(
        "select count(*) from notice where subject = '{name}' and audience = '{}'",
        city.first.name
    );
    assert!(app.count(&told).await > 0);
    app.sweep("2026-12-02T00:00:01").await;
    assert_eq!(
        levels(&leader, &name).await,
        ["DECIDE_PASS_APPLICATION AMBER", "DECIDE_PASS_APPLICATION RED"]
    );
    let approve = pb::ApprovePassApplicationRequest {
        name: name.clone(),
        etag: claimed.etag,
        ..Default::default()
    };
    city.first.call(approve).await.unwrap();
    assert_eq!(owed(&app).await, [late, "DECIDE_PASS_APPLICATION 12-02 00:00 MET LATE"]);
    assert!(levels(&leader, &name).await.is_empty());
}

// I19: a correction stops the time, its answer starts it again, and a second acceptance begins none.
#[sqlx::test]
async fn only_a_correction_stops_the_time_of_a_decision(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let name = filed(&app, &city).await;
    let application = accepted(&city, &name).await;
    assert_eq!(owed(&app).await[1], "DECIDE_PASS_APPLICATION 11-28 00:00");
    app.clock.set(at("2026-11-25T09:00:00"));
    corrected(&city, &application).await;
    assert_eq!(owed(&app).await[1], "DECIDE_PASS_APPLICATION 11-28 00:00 PAUSED");
    // Nobody is late while the applicant has it.
    app.sweep("2026-11-30T09:00:00").await;
    let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
    city.handler.call(submit).await.unwrap();
    assert_eq!(owed(&app).await[1], "DECIDE_PASS_APPLICATION 12-03 00:00");
    let again = accepted(&city, &name).await;
    assert_eq!(owed(&app).await[1..], ["DECIDE_PASS_APPLICATION 12-03 00:00"]);
    assert_eq!(again.due_time.unwrap().seconds, at("2026-12-03T00:00:00").as_second());
    // A later policy moves no promise that was given.
    let policy =
        "insert into pass_policy (id, version, source, effective_from, values_json, create_time)
        select gen_random_uuid(), '2026-12', 'test', '2026-11-30T08:00:00+08:00',
            jsonb_set(values_json, '{promised,other_working_days}', '9'), create_time
        from pass_policy limit 1";
    app.sql(policy).await;
    app.changed_world().await;
    let get = pb::GetPassApplicationRequest { name: name.clone() };
    let read = city.handler.call(get).await.unwrap();
    assert_eq!(read.due_time, again.due_time);
    let withdraw = pb::WithdrawPassApplicationRequest {
        name: name.clone(),
        note: "不再需要".to_owned(),
        ..Default::default()
    };
    city.handler.call(withdraw).await.unwrap();
    assert_eq!(owed(&app).await[1], "DECIDE_PASS_APPLICATION 12-03 00:00 VOID");
}

// Measure 18: the confirmation of a place is owed within four hours of work, also in a year whose notice is
// not out.
#[sqlx::test]
async fn the_confirmation_of_a_booked_place_is_owed(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let slot = centre::slot(&app, &desk, 3).await;
    let enterprise = desk.city.enterprise.to_string();
    let ask = || centre::wanted(&slot.name, &enterprise);
    let booked = centre::book(&desk.talker, ask()).await.unwrap();
    let waiting = "CONFIRM_CENTRE_BOOKING 11-24 16:00";
    let mine = || async {
        owed(&app).await.into_iter().filter(|one| one.starts_with("CONFIRM")).collect::<Vec<_>>()
    };
    let due = booked.confirm_due_time.unwrap().seconds;
    assert_eq!(mine().await.len(), 1);
    assert_eq!(due, at("2026-11-24T16:00:00").as_second(), "{:?} {waiting}", mine().await);
    app.sweep("2026-11-24T16:00:01").await;
    assert_eq!(
        levels(&desk.leader, &booked.name).await,
        ["CONFIRM_CENTRE_BOOKING AMBER", "CONFIRM_CENTRE_BOOKING RED"]
    );
    desk.ann.call(to::ConfirmCentreBooking(centre::step(&booked))).await.unwrap();
    assert_eq!(mine().await, [format!("{waiting} MET LATE")]);
    desk.talker.call(to::CancelCentreBooking(centre::step(&booked))).await.unwrap();
    let again = centre::book(&desk.talker, ask()).await.unwrap();
    desk.talker.call(to::CancelCentreBooking(centre::step(&again))).await.unwrap();
    assert_eq!(mine().await.len(), 2);
    assert!(mine().await[1].ends_with(" VOID"));
    app.sql("update centre_slot set start_time = '2027-03-01', end_time = '2027-03-02'").await;
    app.clock.set(at("2027-01-12T10:00:00"));
    let far = centre::book(&desk.talker, ask()).await.unwrap();
    assert!(far.confirm_due_time.is_some());
    let provisional = "select count(*) from obligation
        where kind = 'CONFIRM_CENTRE_BOOKING' and provisional and meet_time is null";
    assert_eq!(app.count(provisional).await, 1);
}

// Facts 3.3, 民法典 202: one month from the last days of January 2027 ends on 28 February.
#[sqlx::test]
async fn a_month_from_the_end_of_january_ends_with_february(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    app.clock.set(at("2027-01-20T10:00:00"));
    for (first, last) in [("2027-01-28", "2027-02-27"), ("2027-01-31", "2027-02-28")] {
        let mut request = city.create(&app);
        let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
        need.start_date = first.to_owned();
        need.months = 1;
        let pass = city.pass_of(request).await;
        let until = Timestamp::from_second(pass.valid_until.unwrap().seconds).unwrap();
        let end = until - SignedDuration::from_secs(1);
        let shown = end.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8))).date();
        assert_eq!(shown.to_string(), last, "{first}");
        app.sql("update truck_pass set state = 'CANCELLED'").await;
        app.sql("delete from truck_pass_zone").await;
    }
    for text in ["20270131", "2027-1-31", "2027-01-31T00:00", "2027-031"] {
        let mut request = city.create(&app);
        let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
        need.start_date = text.to_owned();
        let refused = city.handler.call(request).await;
        assert_eq!(fields(&refused.unwrap_err()), ["need.start_date DATE_INVALID"], "{text}");
    }
}

// What belongs elsewhere is not taken in, with the reason; nothing is owed of it any more.
#[sqlx::test]
async fn an_application_that_belongs_elsewhere_is_declined(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let name = filed(&app, &city).await;
    let request = pb::DeclinePassApplicationRequest {
        name: name.clone(),
        note: "该路线由省道管理部门审批,请到省厅窗口办理".to_owned(),
        request_id: request_id(),
    };
    let own = city.handler.call(request.clone()).await;
    assert_eq!(own.unwrap_err().code(), tonic::Code::PermissionDenied);
    let silent = pb::DeclinePassApplicationRequest { note: String::new(), ..request.clone() };
    let silent = city.first.call(silent).await.unwrap_err();
    assert_eq!(fields(&silent), ["note REQUIRED"]);
    let declined = city.first.call(request.clone()).await.unwrap();
    assert_eq!(declined.state(), pb::pass_application::State::NotAccepted);
    let again = city.first.call(request.clone()).await.unwrap();
    assert_eq!(again, declined, "the same request declines once");
    let twice = pb::DeclinePassApplicationRequest { request_id: request_id(), ..request };
    let twice = city.first.call(twice).await.unwrap_err();
    assert_eq!(reason(&twice), "TRANSITION_ILLEGAL");
    let owed = owed(&app).await;
    assert!(owed.iter().all(|it| it.ends_with(" MET") || it.ends_with(" VOID")), "{owed:?}");
}
