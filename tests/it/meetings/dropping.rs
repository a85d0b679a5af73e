//! Points that came to nothing: dropped with a reason by who leads the meeting, with every step that led
//! there.

use jingqi::surface::service::pb::{self, meeting_point::State};
use sqlx::PgPool;
use tonic::{Code, Status};

use super::{
    Answer, MISSED, OWED, about, add, called, close, decide, escalated, listed, points, settle,
    text,
};
use crate::harness::{App, User, fact, fields, reason, request_id};

const WHY: &str = "企业已搬迁,不再需要专用时段";

fn request(point: &str, why: &str) -> pb::DropMeetingPointRequest {
    pb::DropMeetingPointRequest {
        name: point.to_owned(),
        reason: why.to_owned(),
        request_id: request_id(),
        ..Default::default()
    }
}

async fn dropped(by: &User, point: &str) -> Answer {
    by.call(request(point, WHY)).await
}

async fn changes(by: &User, point: &str) -> Result<Vec<pb::Change>, Status> {
    let request = pb::ListMeetingPointChangesRequest { name: point.to_owned() };
    let listed = by.call(request).await;
    listed.map(|listed| listed.changes)
}

// CO-14: nobody owes it any more, and who owed it until when, and why not any more, stays.
#[sqlx::test]
async fn a_point_that_became_void_is_dropped_and_its_record_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let own = desk.city.enterprise.to_string();
    let meeting = called(&app, &desk).await;
    let point = add(&desk.leader, &meeting.name, text(&own)).await.unwrap().name;
    decide(&desk.leader, &point, &desk.lead_unit, "2026-11-27").await.unwrap();
    // Also after the meeting: what was decided can become void later.
    close(&desk.leader, &meeting.name, "议定一项").await.unwrap();
    let request = request(&point, WHY);
    let ended = desk.leader.call(request.clone()).await.unwrap();
    assert_eq!((ended.state(), ended.outcome.as_str()), (State::Dropped, WHY));
    assert_eq!(
        (&ended.owing_unit, ended.due_day.as_str(), ended.decision.as_str()),
        (&desk.lead_unit, "2026-11-27", "增设卸货专用时段")
    );
    // I11: repeated, it is the same drop.
    let again = desk.leader.call(request).await.unwrap();
    assert_eq!(again, ended);
    assert_eq!(app.count(OWED).await, 0);
    app.clock.set("2026-11-28T00:00:00+08:00".parse().unwrap());
    app.run_workers().await;
    assert_eq!(app.count(MISSED).await, 0, "dropped before it was late");
    assert_eq!(app.count("select count(*) from obligation where void_time is not null").await, 1);
    assert_eq!(desk.asked(&desk.boss).await.len(), 0, "nothing was done that could be rated");
    let open = pb::ListMeetingPointsRequest { open: true, ..Default::default() };
    assert_eq!(listed(&desk.leader, open).await, []);
    assert_eq!(points(&desk.boss).await[0].outcome, WHY);
}

// CO-16: who, when, from, to, and what was said; the enterprise reads neither notes nor names.
#[sqlx::test]
async fn every_step_of_a_point_can_be_listed(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let own = desk.city.enterprise.to_string();
    let meeting = called(&app, &desk).await;
    let first = add(&desk.leader, &meeting.name, text(&own)).await.unwrap().name;
    let second = add(&desk.assigner, &meeting.name, text(&own)).await.unwrap().name;
    decide(&desk.leader, &first, &desk.lead_unit, "2026-11-27").await.unwrap();
    settle(&desk.one, &first).await.unwrap();
    app.advance(jiff::SignedDuration::from_mins(5));
    dropped(&desk.leader, &second).await.unwrap();
    let told = |changes: &[pb::Change]| -> Vec<[String; 5]> {
        let step = |it: &pb::Change| {
            [&it.action, &it.from_state, &it.to_state, &it.public_note, &it.internal_note]
                .map(Clone::clone)
        };
        changes.iter().map(step).collect()
    };
    let inside = changes(&desk.one, &first).await.unwrap();
    let all = [
        ["LIST", "", "LISTED", "", ""],
        ["DECIDE", "LISTED", "DECIDED", "增设卸货专用时段", ""],
        ["SETTLE", "DECIDED", "SETTLED", "专用时段已启用", "与城管会签"],
    ];
    assert_eq!(told(&inside), all);
    let actors: Vec<_> = inside.iter().map(|change| &change.actor).collect();
    assert_eq!(actors, [&desk.leader.name, &desk.leader.name, &desk.one.name]);
    let outside = changes(&desk.boss, &first).await.unwrap();
    assert_eq!(told(&outside)[2], ["SETTLE", "DECIDED", "SETTLED", "专用时段已启用", ""]);
    assert!(outside.iter().all(|change| change.actor == "police"), "{outside:?}");
    let inside = changes(&desk.leader, &second).await.unwrap();
    assert_eq!(told(&inside)[1], ["DROP", "LISTED", "DROPPED", WHY, ""]);
    let time = inside[1].create_time.unwrap().seconds;
    assert_eq!((time, &inside[1].actor), (app.now().as_second(), &desk.leader.name));
    // Whoever does not see the point learns nothing of its steps.
    for stranger in [&desk.other, &desk.rival] {
        let refused = changes(stranger, &first).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    let wrong = changes(&desk.leader, "meetingPoints/1").await.unwrap_err();
    assert_eq!(fields(&wrong), ["name NAME_MALFORMED"]);
}

// CO-14: what was dropped undecided holds up no meeting, and may come before the next one.
#[sqlx::test]
async fn a_dropped_point_holds_up_no_meeting_and_its_subject_comes_again(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let complaint = escalated(&desk).await;
    let meeting = called(&app, &desk).await;
    let point = add(&desk.assigner, &meeting.name, about(&complaint)).await.unwrap().name;
    let early = close(&desk.leader, &meeting.name, "无议题").await.unwrap_err();
    assert_eq!(reason(&early), "POINTS_UNDECIDED");
    dropped(&desk.leader, &point).await.unwrap();
    close(&desk.leader, &meeting.name, "无议题").await.unwrap();
    let next = called(&app, &desk).await;
    let again = add(&desk.assigner, &next.name, about(&complaint)).await.unwrap();
    assert_ne!(again.name, point);
    assert_eq!(again.state(), State::Listed);
    let states: Vec<_> = points(&desk.leader).await.iter().map(pb::MeetingPoint::state).collect();
    assert_eq!(states, [State::Listed, State::Dropped], "open ones first");
}

// CO-14: what was late when it was dropped stays a miss.
#[sqlx::test]
async fn a_point_that_is_dropped_late_was_late(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let meeting = called(&app, &desk).await;
    let point = add(&desk.leader, &meeting.name, text("")).await.unwrap().name;
    decide(&desk.leader, &point, &desk.lead_unit, "2026-11-25").await.unwrap();
    app.clock.set("2026-11-26T08:00:00+08:00".parse().unwrap());
    dropped(&desk.leader, &point).await.unwrap();
    assert_eq!((app.count(OWED).await, app.count(MISSED).await), (0, 1));
}

#[sqlx::test]
async fn a_wrong_drop_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let mute = desk.leader.call(request("1", " ")).await;
    assert_eq!(fields(&mute.unwrap_err()), ["name NAME_MALFORMED", "reason REQUIRED"]);
    // What waits is on no list, and nobody leads a meeting about it.
    escalated(&desk).await;
    let waiting = points(&desk.leader).await.remove(0);
    let refused = dropped(&desk.leader, &waiting.name).await.unwrap_err();
    assert_eq!(
        (reason(&refused).as_str(), fact(&refused, "state").as_str()),
        ("TRANSITION_ILLEGAL", "WAITING")
    );
    let meeting = called(&app, &desk).await;
    let point = add(&desk.leader, &meeting.name, text("")).await.unwrap();
    // Neither a guest's leader, nor who would have to do it, nor who put it on the list.
    let guest = app.officer("300017", &app.unit_of("321302170000").await, &["UNIT_LEADER"]).await;
    for user in [&guest, &desk.one, &desk.assigner, &desk.boss] {
        let refused = dropped(user, &point.name).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", user.name);
    }
    let stale =
        pb::DropMeetingPointRequest { etag: "W/\"7\"".to_owned(), ..request(&point.name, WHY) };
    let stale = desk.leader.call(stale).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    dropped(&desk.leader, &point.name).await.unwrap();
    let ended = [
        dropped(&desk.leader, &point.name).await,
        decide(&desk.leader, &point.name, &desk.lead_unit, "2026-11-27").await,
        settle(&desk.one, &point.name).await,
    ];
    for refused in ended {
        assert_eq!(reason(&refused.unwrap_err()), "TRANSITION_ILLEGAL");
    }
    let settled = add(&desk.leader, &meeting.name, text("")).await.unwrap();
    decide(&desk.leader, &settled.name, &desk.lead_unit, "2026-11-27").await.unwrap();
    settle(&desk.one, &settled.name).await.unwrap();
    let refused = dropped(&desk.leader, &settled.name).await.unwrap_err();
    assert_eq!(reason(&refused), "TRANSITION_ILLEGAL", "what was done stays done");
}
