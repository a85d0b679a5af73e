//! Policies, zones, quotas and calendars take two, and no value of them can stop the city.

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    domain::pass::{
        policy::{PassKind, PolicyValues},
        zone::Zone,
    },
    service::pb,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Status;

use super::Bureau;
use crate::harness::{App, User, fact, fields, reason, request_id};

#[expect(clippy::unnecessary_wraps, reason = "as it stands in a message")]
fn stamp(at: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

async fn draft(by: &User, from: Timestamp, values: &Value) -> Result<pb::PassPolicy, Status> {
    let request = pb::PublishPassPolicyRequest {
        pass_policy: Some(pb::PassPolicy {
            version: "2026-12".to_owned(),
            source: "演示通告".to_owned(),
            effective_from: stamp(from),
            values_json: values.to_string(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    by.call(request).await
}

fn lax() -> Value {
    let mut values = PolicyValues::measure_6();
    values.blocking_vehicle_states.clear();
    values.unhandled_violation_blocks = false;
    values.months_general_max = 12;
    values.final_review_kinds.clear();
    values.final_review_above_months = 12;
    values.automatic_approval.enabled = true;
    values.automatic_approval.kinds = PassKind::ALL.iter().copied().collect();
    values.automatic_approval.months_max = 12;
    values.attachments.iter_mut().for_each(|rule| rule.required.clear());
    serde_json::to_value(values).unwrap()
}

impl Bureau {
    /// The policy by which an application would be judged now.
    async fn policy(&self, app: &App) -> String {
        let dry = pb::CreatePassApplicationRequest { validate_only: true, ..self.city.create(app) };
        self.city.handler.call(dry).await.unwrap().evaluation.unwrap().policy_version
    }
}

// Seen: one final reviewer published a policy that approves everything, effective in 1.3 s.
#[sqlx::test]
async fn a_policy_that_approves_everything_takes_two_and_a_day(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let soon = app.now() + SignedDuration::from_millis(1_300);
    let drafted = draft(&bureau.city.chief, soon, &lax()).await.unwrap();
    app.advance(SignedDuration::from_secs(2));
    assert_eq!(bureau.policy(&app).await, "2022-06", "one alone changes nothing");
    let own = bureau.city.chief.confirm(&drafted.proposal, "").await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let first = bureau.city.first.confirm(&drafted.proposal, "").await.unwrap_err();
    assert_eq!(reason(&first), "DENIED");
    // The second one sees what it does to ten typical applications, and every value that changes.
    let seen = bureau.other_chief.proposal(&drafted.proposal).await.unwrap();
    let changed = seen.shown.iter().filter(|line| line.contains("【变化】")).count();
    assert!(changed >= 9, "{:#?}", seen.shown);
    assert!(seen.shown.iter().any(|line| line.contains("系统自动批准")));
    assert!(seen.shown.contains(&"months_general_max:1 → 12".to_owned()), "{:#?}", seen.shown);
    // Not before the next day; a reviewer cannot say why it must be, a leader can.
    let early = bureau.other_chief.confirm(&drafted.proposal, "").await.unwrap_err();
    assert_eq!(reason(&early), "TAKES_EFFECT_TOO_SOON");
    assert_eq!(fact(&early, "earliest"), "2026-11-24T16:00:00Z");
    let claimed = bureau.other_chief.confirm(&drafted.proposal, "暴雪应急").await.unwrap_err();
    assert_eq!(fields(&claimed), ["at_once_reason NOT_ALLOWED", "at_once_reason TOO_SHORT"]);
    let silent = bureau.director.confirm(&drafted.proposal, "").await.unwrap_err();
    assert_eq!(reason(&silent), "TAKES_EFFECT_TOO_SOON");
    assert_eq!(bureau.policy(&app).await, "2022-06");
    let done = bureau.director.confirm(&drafted.proposal, "暴雪应急保供").await.unwrap();
    assert_eq!(done.at_once_reason, "暴雪应急保供");
    assert_eq!(bureau.policy(&app).await, "2026-12");
}

#[sqlx::test]
async fn what_is_confirmed_for_later_counts_from_its_day_on(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let values = serde_json::to_value(PolicyValues::measure_6()).unwrap();
    let tomorrow: Timestamp = "2026-11-25T00:00:00+08:00".parse().unwrap();
    let drafted = draft(&bureau.city.chief, tomorrow, &values).await.unwrap();
    let seen = bureau.other_chief.proposal(&drafted.proposal).await.unwrap();
    assert!(seen.shown.iter().all(|line| !line.contains("【变化】")), "{:#?}", seen.shown);
    let done = bureau.other_chief.confirm(&drafted.proposal, "").await.unwrap();
    assert_eq!(done.effective_time, stamp(tomorrow));
    assert_eq!(bureau.policy(&app).await, "2022-06");
    app.clock.set(tomorrow);
    assert_eq!(bureau.policy(&app).await, "2026-12");
}

// Seen: values of 2^31 or 100,000 made every filing panic or fail.
#[sqlx::test]
async fn every_value_has_a_range_and_all_faults_are_told_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let later = app.now() + SignedDuration::from_hours(48);
    let mut values = serde_json::to_value(PolicyValues::measure_6()).unwrap();
    for (field, extreme) in [
        ("days_temporary_max", json!(1_u64 << 31)),
        ("days_temporary_upper_level_max", json!(u32::MAX)),
        ("days_short_term_max", json!(100_000)),
        ("hours_green_lane", json!(1_u64 << 31)),
        ("renewal_window_days", json!(100_000)),
        ("months_new_energy_max", json!(1_u64 << 31)),
        ("final_review_above_months", json!(1_u64 << 31)),
    ] {
        values[field] = extreme;
    }
    values["promised"]["hard_working_days"] = json!(1_u64 << 31);
    values["automatic_approval"]["days_max"] = json!(1_u64 << 31);
    let refused = draft(&bureau.city.chief, later, &values).await.unwrap_err();
    let told = fields(&refused);
    assert_eq!(told.len(), 9, "{told:?}");
    for field in ["hours_green_lane", "promised.hard_working_days", "automatic_approval.days_max"] {
        let path = format!("pass_policy.values_json.{field} OUT_OF_RANGE");
        assert!(told.contains(&path), "{told:?}");
    }
    // What no integer of ours holds is told with its place; an instant beyond the years is none.
    values["hours_green_lane"] = json!(1_u64 << 40);
    let refused = draft(&bureau.city.chief, later, &values).await.unwrap_err();
    assert_eq!(fields(&refused), ["pass_policy.values_json UNKNOWN_VALUE"]);
    let far: Timestamp = "9999-12-30T00:00:00Z".parse().unwrap();
    let right = serde_json::to_value(PolicyValues::measure_6()).unwrap();
    let refused = draft(&bureau.city.chief, far, &right).await.unwrap_err();
    assert_eq!(fields(&refused), ["pass_policy.effective_from DATE_INVALID"]);
    // A zone of nothing, off the earth.
    let mut plan = serde_json::to_value(&Zone::main_urban_demo().plan).unwrap();
    plan["polygon"] = json!([[1e300, 0.0], [0.0, 91.0]]);
    plan["rules"] = json!([]);
    let zone = pb::Zone {
        code: i32::MAX,
        display_name: "x".to_owned(),
        source: "y".to_owned(),
        rules_json: plan.to_string(),
        ..Default::default()
    };
    let request = pb::PublishZoneRequest { zone: Some(zone), request_id: request_id() };
    let refused = bureau.city.chief.call(request).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "zone.code OUT_OF_RANGE",
            "zone.rules_json.polygon TOO_SHORT",
            "zone.rules_json.polygon[0] POSITION_INVALID",
            "zone.rules_json.polygon[1] POSITION_INVALID",
            "zone.rules_json.rules REQUIRED",
        ]
    );
}

// Seen: ApprovePassApplication{days: 7304485} panics.
#[sqlx::test]
async fn a_reviewer_who_grants_millennia_is_told_so(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let mut request = bureau.city.create(&app);
    let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
    need.pass_kind = pb::PassKind::Temporary.into();
    (need.months, need.days) = (0, 3);
    let filed = bureau.city.in_review_of(request).await;
    for days in [7_304_485, i32::MAX, -1, i32::MIN] {
        let approve = pb::ApprovePassApplicationRequest {
            name: filed.name.clone(),
            etag: filed.etag.clone(),
            days,
            ..Default::default()
        };
        let refused = bureau.city.first.call(approve).await;
        assert_eq!(fields(&refused.unwrap_err()), ["days OUT_OF_RANGE"], "{days}");
    }
}

#[sqlx::test]
async fn quotas_periods_and_calendars_take_two_as_well(pool: PgPool) {
    let app = App::start(pool).await;
    let bureau = app.bureau().await;
    let day = SignedDuration::from_hours(24);
    let quota = |from: Timestamp| pb::SetQuotaRequest {
        quota: Some(pb::Quota {
            zone: bureau.city.zone.to_string(),
            pass_kind: pb::PassKind::LongTermDelivery.into(),
            period_start: stamp(from),
            period_end: stamp(from + day * 30),
            limit: 3,
            ..Default::default()
        }),
        reason: "年度总量控制".to_owned(),
        request_id: request_id(),
    };
    let running = bureau.city.chief.call(quota(app.now() - day)).await.unwrap();
    let early = bureau.other_chief.confirm(&running.proposal, "").await.unwrap_err();
    assert_eq!(reason(&early), "TAKES_EFFECT_TOO_SOON");
    let coming = bureau.city.chief.call(quota(app.now() + day * 2)).await.unwrap();
    bureau.other_chief.confirm(&coming.proposal, "").await.unwrap();
    assert_eq!(app.count("select count(*) from quota").await, 1);
    let mut endless = quota(app.now() + day * 2);
    endless.quota.as_mut().unwrap().period_end = stamp(app.now() + day * 2_000);
    let refused = bureau.city.chief.call(endless).await.unwrap_err();
    assert_eq!(fields(&refused), ["quota.period_end TOO_FAR_AHEAD"]);
    let holidays = vec![pb::calendar_year::Holiday {
        first_day: "2027-10-01".to_owned(),
        last_day: "2027-10-07".to_owned(),
    }];
    let calendar_year = pb::CalendarYear {
        year: 2027,
        holidays,
        source: "国务院办公厅通知".to_owned(),
        ..Default::default()
    };
    let import = pb::ImportCalendarYearRequest {
        calendar_year: Some(calendar_year),
        request_id: request_id(),
        ..Default::default()
    };
    let asked = bureau.system.call(import).await.unwrap();
    assert_eq!(app.count("select count(*) from calendar_year").await, 0);
    let own = bureau.system.confirm(&asked.proposal, "").await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    bureau.other_system.confirm(&asked.proposal, "").await.unwrap();
    assert_eq!(app.count("select count(*) from calendar_year").await, 1);
    app.run_workers().await;
}
