//! Joint meetings (警企联席会议; measure 19): what was escalated waits for one by itself, each point of
//! the list is decided and owed by somebody until a day, and its outcome is told. What came to nothing
//! stands in `dropping`.

mod dropping;

use jiff::SignedDuration;
use jingqi::surface::service::pb::{
    self, SatisfactionLevel as Level, complaint::State as ComplaintState, joint_meeting,
    meeting_point::State,
};
use sqlx::PgPool;
use tonic::{Code, Status};

use crate::{
    complaints::Service,
    harness::{App, User, fact, fields, reason, request_id},
};

type Answer = Result<pb::MeetingPoint, Status>;

fn in_hours(app: &App, hours: i64) -> prost_types::Timestamp {
    let at = app.now() + SignedDuration::from_hours(hours);
    prost_types::Timestamp { seconds: at.as_second(), nanos: 0 }
}

fn form(app: &App, desk: &Service) -> pb::JointMeeting {
    pb::JointMeeting {
        title: "十二月警企联席会议".to_owned(),
        place: "警企服务中心".to_owned(),
        meet_time: Some(in_hours(app, 48)),
        units: vec![desk.lead_unit.clone()],
        enterprises: vec![desk.city.enterprise.to_string()],
        ..pb::JointMeeting::default()
    }
}

async fn called_by(by: &User, form: pb::JointMeeting) -> Result<pb::JointMeeting, Status> {
    let request =
        pb::CreateJointMeetingRequest { joint_meeting: Some(form), request_id: request_id() };
    by.call(request).await
}

async fn called(app: &App, desk: &Service) -> pb::JointMeeting {
    called_by(&desk.leader, form(app, desk)).await.unwrap()
}

async fn add(by: &User, meeting: &str, point: pb::MeetingPoint) -> Answer {
    let request = pb::AddMeetingPointRequest {
        joint_meeting: meeting.to_owned(),
        meeting_point: Some(point),
        request_id: request_id(),
    };
    by.call(request).await
}

fn text(enterprise: &str) -> pb::MeetingPoint {
    pb::MeetingPoint {
        title: "园区东门夜间照明".to_owned(),
        note: "城管已口头同意".to_owned(),
        enterprise: enterprise.to_owned(),
        ..pb::MeetingPoint::default()
    }
}

fn about(subject: &str) -> pb::MeetingPoint {
    pb::MeetingPoint { subject: subject.to_owned(), ..pb::MeetingPoint::default() }
}

async fn decide(by: &User, point: &str, unit: &str, day: &str) -> Answer {
    let request = pb::DecideMeetingPointRequest {
        name: point.to_owned(),
        owing_unit: unit.to_owned(),
        due_day: day.to_owned(),
        decision: "增设卸货专用时段".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    by.call(request).await
}

async fn settle(by: &User, point: &str) -> Answer {
    let request = pb::SettleMeetingPointRequest {
        name: point.to_owned(),
        outcome: "专用时段已启用".to_owned(),
        note: "与城管会签".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    by.call(request).await
}

async fn close(by: &User, meeting: &str, minutes: &str) -> Result<pb::JointMeeting, Status> {
    let request = pb::CloseJointMeetingRequest {
        name: meeting.to_owned(),
        minutes: minutes.to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    by.call(request).await
}

async fn listed(by: &User, request: pb::ListMeetingPointsRequest) -> Vec<pb::MeetingPoint> {
    by.call(request).await.unwrap().meeting_points
}

async fn points(by: &User) -> Vec<pb::MeetingPoint> {
    listed(by, pb::ListMeetingPointsRequest::default()).await
}

/// One that was rated badly to the end.
async fn escalated(desk: &Service) -> String {
    let name = desk.in_call_back(&desk.one).await;
    desk.rate_last(Level::Dissatisfied, "时段仍然不够").await;
    for handler in [&desk.two, &desk.three] {
        desk.again(handler, &name).await;
        desk.rate_last(Level::Dissatisfied, "仍未解决").await;
    }
    name
}

const MISSED: &str = "select count(*) from obligation
    where kind = 'SETTLE_MEETING_POINT' and breach_time = due_time";
const OWED: &str = "select count(*) from obligation
    where kind = 'SETTLE_MEETING_POINT' and meet_time is null and void_time is null";

// CO-14 and measure 19, 定期召开警企联席会议: from the escalation to what was done.
#[sqlx::test]
async fn an_escalated_complaint_waits_for_a_meeting_is_decided_there_and_settled(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let complaint = escalated(&desk).await;
    // By itself, on the list of the unit in charge, and by its number alone.
    let waiting = points(&desk.leader).await.remove(0);
    assert_eq!((waiting.state(), &waiting.subject), (State::Waiting, &complaint));
    assert_eq!(waiting.enterprise, desk.city.enterprise.to_string());
    assert!(waiting.title.starts_with("提级诉求SQSQ"), "{}", waiting.title);
    let meeting = called(&app, &desk).await;
    let note = pb::MeetingPoint { note: "企业将派人参会".to_owned(), ..about(&complaint) };
    let point = add(&desk.assigner, &meeting.name, note).await.unwrap();
    assert_eq!((&point.name, point.state()), (&waiting.name, State::Listed), "the same point");
    let early = close(&desk.leader, &meeting.name, "议定一项").await.unwrap_err();
    assert_eq!(
        (reason(&early).as_str(), fact(&early, "points").as_str()),
        ("POINTS_UNDECIDED", "1")
    );
    decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-27").await.unwrap();
    // Another day, as long as the meeting lasts: the older one stays a row that nobody owes.
    let decided = decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-30").await.unwrap();
    let spent = decide(&desk.leader, &point.name, &desk.lead_unit, "2026-12-02").await.unwrap_err();
    assert_eq!(reason(&spent), "EXTENSION_SPENT");
    assert_eq!((decided.state(), decided.due_day.as_str()), (State::Decided, "2026-11-30"));
    assert_eq!(app.count(OWED).await, 1);
    let closed = close(&desk.leader, &meeting.name, "议定一项").await.unwrap();
    assert_eq!(closed.state(), joint_meeting::State::Closed);
    app.clock.set("2026-11-30T23:59:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(app.count(MISSED).await, 0);
    let settled = settle(&desk.one, &point.name).await.unwrap();
    assert_eq!((settled.state(), settled.outcome.as_str()), (State::Settled, "专用时段已启用"));
    assert_eq!(app.count(OWED).await, 0);
    // The point ends no complaint: that is concluded in writing.
    let still = desk.get(&desk.leader, &complaint).await.unwrap();
    assert_eq!(still.state(), ComplaintState::Escalated);
    let own = points(&desk.boss).await.remove(0);
    assert_eq!(
        (own.decision.as_str(), own.outcome.as_str()),
        ("增设卸货专用时段", "专用时段已启用")
    );
    assert_eq!(own.note, "", "no note among officers");
    assert_eq!(points(&desk.leader).await[0].note, "企业将派人参会");
    let steps = "select count(*) from change where collection = 'meetingPoints'
        and action in ('WAIT', 'LIST', 'DECIDE', 'SETTLE')";
    assert_eq!(app.count(steps).await, 5);
}

// CO-14: what a meeting decided and nobody did is a miss that stays one.
#[sqlx::test]
async fn a_decision_that_is_not_kept_is_a_row(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let point = add(&desk.leader, &meeting.name, text("")).await.unwrap();
    decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-25").await.unwrap();
    app.clock.set("2026-11-26T00:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    settle(&desk.one, &point.name).await.unwrap();
    assert_eq!(app.count(MISSED).await, 1);
}

// Measure 19, 全事项回访: what was settled asks the enterprise how it was; what is about something else
// leaves that to it.
#[sqlx::test]
async fn a_settled_point_asks_the_enterprise_how_it_was(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let own = desk.city.enterprise.to_string();
    let point = add(&desk.leader, &meeting.name, text(&own)).await.unwrap();
    decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-25").await.unwrap();
    assert_eq!(desk.asked(&desk.boss).await.len(), 0);
    settle(&desk.one, &point.name).await.unwrap();
    let asked = desk.asked(&desk.boss).await;
    assert_eq!((asked.len(), &asked[0].subject), (1, &point.name));
}

// CO-14: open points stand first; a unit's list holds what it and those below it are concerned with.
#[sqlx::test]
async fn open_points_stand_first_and_each_reads_its_own(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let own = desk.city.enterprise.to_string();
    let meeting = called(&app, &desk).await;
    let mut names = Vec::new();
    for enterprise in [own.as_str(), desk.rival_enterprise.as_str(), ""] {
        let point = add(&desk.leader, &meeting.name, text(enterprise)).await.unwrap();
        names.push(point.name);
        app.advance(SignedDuration::from_millis(1));
    }
    let [first, second, third] = names.try_into().unwrap();
    decide(&desk.leader, &third, &desk.lead_unit, "2026-11-27").await.unwrap();
    settle(&desk.one, &third).await.unwrap();
    let seen = |points: Vec<pb::MeetingPoint>| -> Vec<String> {
        points.into_iter().map(|point| point.name).collect()
    };
    let all = [second.clone(), first.clone(), third.clone()];
    assert_eq!(seen(points(&desk.leader).await), all, "the newest is settled");
    let open = pb::ListMeetingPointsRequest { open: true, ..Default::default() };
    assert_eq!(seen(listed(&desk.leader, open.clone()).await), all[..2]);
    let of_meeting =
        pb::ListMeetingPointsRequest { joint_meeting: meeting.name.clone(), ..Default::default() };
    assert_eq!(seen(listed(&desk.leader, of_meeting.clone()).await), all);
    // Page by page, and a point that is settled between two pages disturbs nobody.
    let mut page = pb::ListMeetingPointsRequest { page_size: 1, ..Default::default() };
    let mut paged = Vec::new();
    loop {
        let reply = desk.leader.call(page.clone()).await.unwrap();
        paged.extend(seen(reply.meeting_points));
        if paged.len() == 1 {
            decide(&desk.leader, &second, &desk.lead_unit, "2026-11-27").await.unwrap();
            settle(&desk.one, &second).await.unwrap();
        }
        page.page_token = reply.next_page_token;
        if page.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, [second.clone(), first.clone(), third.clone(), second.clone()]);
    // The invited brigade reads all of it, the other one only what it is in charge of.
    assert_eq!(points(&desk.one).await.len(), 3);
    assert_eq!(seen(points(&desk.other).await), [second.as_str()]);
    assert_eq!(listed(&desk.other, of_meeting.clone()).await.len(), 1);
    let of_unit =
        |unit: &str| pb::ListMeetingPointsRequest { unit: unit.to_owned(), ..Default::default() };
    assert_eq!(seen(listed(&desk.leader, of_unit(&desk.other_unit)).await), [second.as_str()]);
    let foreign = desk.other.call(of_unit(&desk.lead_unit)).await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    // Enterprises read the points about themselves.
    assert_eq!(seen(points(&desk.boss).await), [first.as_str()]);
    assert_eq!(seen(points(&desk.rival).await), [second.as_str()]);
    assert_eq!(seen(listed(&desk.boss, of_meeting).await), [first.as_str()]);
    assert_eq!(seen(listed(&desk.boss, open).await), [first.as_str()]);
}

// CO-14: who is invited reads when and where; an enterprise neither who else comes nor the minutes.
#[sqlx::test]
async fn a_meeting_is_read_by_whom_it_invites(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let meeting = close(&desk.leader, &meeting.name, "各方意见如下").await.unwrap();
    assert_eq!(meeting.minutes, "各方意见如下");
    let get = pb::GetJointMeetingRequest { name: meeting.name.clone() };
    let read = desk.boss.call(get.clone()).await.unwrap();
    assert_eq!((read.place.as_str(), read.minutes.as_str()), ("警企服务中心", ""));
    assert_eq!((read.units.len(), read.enterprises.len()), (0, 1));
    let list = |state: joint_meeting::State| pb::ListJointMeetingsRequest {
        state: state.into(),
        ..Default::default()
    };
    for (reader, expected) in
        [(&desk.boss, 1), (&desk.one, 1), (&desk.leader, 1), (&desk.rival, 0), (&desk.other, 0)]
    {
        let found = reader.call(list(joint_meeting::State::Closed)).await;
        assert_eq!(found.unwrap().joint_meetings.len(), expected, "{}", reader.name);
        let found = reader.call(list(joint_meeting::State::Called)).await;
        assert_eq!(found.unwrap().joint_meetings.len(), 0);
        let read = reader.call(get.clone()).await;
        assert_eq!(read.is_ok(), expected == 1, "{}", reader.name);
    }
}

#[sqlx::test]
async fn a_problem_comes_before_one_meeting_at_a_time(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let request = pb::RegisterProblemRequest {
        problem: Some(pb::Problem {
            enterprise: desk.city.enterprise.to_string(),
            title: "东门照明不足".to_owned(),
            ..pb::Problem::default()
        }),
        request_id: request_id(),
    };
    let problem = desk.leader.call(request).await.unwrap().name;
    let meeting = called(&app, &desk).await;
    let point = add(&desk.leader, &meeting.name, about(&problem)).await.unwrap();
    assert_eq!(point.title, "东门照明不足");
    let again = add(&desk.leader, &meeting.name, about(&problem)).await.unwrap_err();
    assert_eq!(reason(&again), "TRANSITION_ILLEGAL");
    decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-27").await.unwrap();
    settle(&desk.one, &point.name).await.unwrap();
    add(&desk.leader, &meeting.name, about(&problem)).await.unwrap();
}

#[sqlx::test]
async fn a_meeting_with_wrong_fields_is_refused_with_all_of_them(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let wrong = pb::JointMeeting {
        meet_time: Some(in_hours(&app, -1)),
        units: vec![desk.lead_unit.clone(), desk.lead_unit.clone(), "units/1".to_owned()],
        enterprises: vec![String::new()],
        ..pb::JointMeeting::default()
    };
    assert_eq!(
        fields(&called_by(&desk.leader, wrong).await.unwrap_err()),
        [
            "joint_meeting.enterprises[0] REQUIRED",
            "joint_meeting.meet_time IN_PAST",
            "joint_meeting.place REQUIRED",
            "joint_meeting.title REQUIRED",
            "joint_meeting.units[1] DUPLICATE",
            "joint_meeting.units[2] NAME_MALFORMED",
        ]
    );
    let nobody = format!("units/{}", uuid::Uuid::nil());
    let unknown = pb::JointMeeting { units: vec![nobody], ..form(&app, &desk) };
    let unknown = called_by(&desk.leader, unknown).await.unwrap_err();
    assert_eq!(fields(&unknown), ["joint_meeting.units[0] UNKNOWN_VALUE"]);
    // An enterprise of another unit looks like one that does not exist.
    let brigade = app.officer("300017", &app.unit_of("321302170000").await, &["UNIT_LEADER"]).await;
    let foreign =
        pb::JointMeeting { enterprises: vec![desk.rival_enterprise.clone()], ..form(&app, &desk) };
    let foreign = called_by(&brigade, foreign).await.unwrap_err();
    assert_eq!(fields(&foreign), ["joint_meeting.enterprises[0] UNKNOWN_VALUE"]);
    let denied = called_by(&desk.one, form(&app, &desk)).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
}

#[sqlx::test]
async fn a_wrong_step_on_a_point_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let filed = desk.file().await.name;
    let early = add(&desk.leader, &meeting.name, about(&filed)).await.unwrap_err();
    assert_eq!(
        (reason(&early).as_str(), fact(&early, "state").as_str()),
        ("TRANSITION_ILLEGAL", "SUBMITTED")
    );
    let mute = add(&desk.leader, "", pb::MeetingPoint::default()).await.unwrap_err();
    assert_eq!(fields(&mute), ["joint_meeting REQUIRED", "meeting_point.title REQUIRED"]);
    let both = pb::MeetingPoint { subject: "visits/1".to_owned(), ..text("enterprises/1") };
    let both = add(&desk.leader, &meeting.name, both).await.unwrap_err();
    assert_eq!(
        fields(&both),
        ["meeting_point.enterprise NOT_ALLOWED", "meeting_point.subject NAME_MALFORMED"]
    );
    let stranger = add(&desk.other, &meeting.name, text("")).await.unwrap_err();
    assert_eq!(stranger.code(), Code::PermissionDenied, "no role for it");
    let point = add(&desk.leader, &meeting.name, text("")).await.unwrap().name;
    let past = decide(&desk.leader, &point, &desk.lead_unit, "2026-11-23").await.unwrap_err();
    assert_eq!(fields(&past), ["due_day IN_PAST"]);
    let bare = decide(&desk.leader, &point, "", "").await.unwrap_err();
    assert_eq!(fields(&bare), ["due_day REQUIRED", "owing_unit REQUIRED"]);
    let early = settle(&desk.leader, &point).await.unwrap_err();
    assert_eq!(reason(&early), "TRANSITION_ILLEGAL", "nobody owes it yet");
    // A guest takes part, and decides nothing; nor does a leader of the invited brigade.
    let guest = app.officer("300017", &app.unit_of("321302170000").await, &["UNIT_LEADER"]).await;
    let refused = decide(&guest, &point, &desk.lead_unit, "2026-11-27").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(close(&guest, &meeting.name, "x").await.unwrap_err().code(), Code::PermissionDenied);
    decide(&desk.leader, &point, &desk.lead_unit, "2026-11-27").await.unwrap();
    // Only the unit that owes it settles it: not another brigade, not the leader above.
    for foreign in [&desk.other, &desk.leader] {
        let refused = settle(foreign, &point).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", foreign.name);
    }
    let stale = pb::SettleMeetingPointRequest {
        name: point.clone(),
        outcome: "x".to_owned(),
        etag: "W/\"1\"".to_owned(),
        ..Default::default()
    };
    let stale = desk.one.call(stale).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    settle(&desk.one, &point).await.unwrap();
    assert_eq!(reason(&settle(&desk.one, &point).await.unwrap_err()), "TRANSITION_ILLEGAL");
    close(&desk.leader, &meeting.name, "结束").await.unwrap();
    let late = add(&desk.leader, &meeting.name, text("")).await.unwrap_err();
    assert_eq!(reason(&late), "TRANSITION_ILLEGAL");
    let again = close(&desk.leader, &meeting.name, "结束").await.unwrap_err();
    assert_eq!(reason(&again), "TRANSITION_ILLEGAL");
    let bare = close(&desk.leader, &meeting.name, " ").await.unwrap_err();
    assert_eq!(fields(&bare), ["minutes REQUIRED"]);
}

// I11: one request id, one point, whoever repeats it.
#[sqlx::test]
async fn a_repeated_request_adds_one_point(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let request = pb::AddMeetingPointRequest {
        joint_meeting: meeting.name,
        meeting_point: Some(text("")),
        request_id: request_id(),
    };
    let first = desk.leader.call(request.clone()).await.unwrap();
    assert_eq!(desk.leader.call(request).await.unwrap(), first);
    assert_eq!(points(&desk.leader).await.len(), 1);
}
