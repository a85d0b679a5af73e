//! Papers, policies, quotas and the blacklist: what officers and applicants set beside a pass.

use jiff::SignedDuration;
use jingqi::surface::{
    domain::pass::{policy::PolicyValues, zone::Zone},
    service::pb::{self, pass_check::Outcome},
};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, PLATE, User, fact, fields, reason, request_id};

fn announced(city: &City, content: &[u8]) -> pb::Attachment {
    pb::Attachment {
        enterprise: city.enterprise.to_string(),
        kind: "VEHICLE_LICENCE".to_owned(),
        content_type: "application/pdf".to_owned(),
        size_bytes: i64::try_from(content.len()).unwrap(),
        sha256: Sha256::digest(content).to_vec(),
        file_name: "../行驶证.pdf".to_owned(),
        ..Default::default()
    }
}

async fn announce(user: &User, attachment: pb::Attachment) -> Result<String, tonic::Status> {
    let request =
        pb::CreateAttachmentRequest { attachment: Some(attachment), request_id: request_id() };
    let made = user.call(request).await;
    made.map(|made| made.name)
}

async fn upload(user: &User, name: &str, content: &[u8]) {
    let mut offset = 0;
    for chunk in content.chunks(32 * 1024) {
        // Each chunk twice: a repetition after a lost answer is harmless.
        for _ in 0..2 {
            let request = pb::UploadAttachmentChunkRequest {
                name: name.to_owned(),
                offset,
                data: chunk.to_vec(),
            };
            user.call(request).await.unwrap();
        }
        offset += i64::try_from(chunk.len()).unwrap();
    }
}

async fn complete(user: &User, name: &str) -> Result<pb::Attachment, tonic::Status> {
    let request = pb::CompleteAttachmentRequest { name: name.to_owned() };
    user.call(request).await
}

#[sqlx::test]
async fn a_paper_is_uploaded_in_chunks_and_read_by_who_may(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let content = [b"%PDF-1.7\n".as_slice(), &vec![b' '; 70_000]].concat();
    let name = announce(&city.handler, announced(&city, &content)).await.unwrap();
    let early = complete(&city.handler, &name).await.unwrap_err();
    assert_eq!(
        (reason(&early).as_str(), fact(&early, "received_bytes").as_str()),
        ("ATTACHMENT_INCOMPLETE", "0")
    );
    upload(&city.handler, &name, &content).await;
    let done = complete(&city.handler, &name).await.unwrap();
    assert_eq!((done.complete, done.file_name.as_str()), (true, "行驶证.pdf"));
    // Until something is filed with it, it is nobody's of the police.
    let request = pb::ReadAttachmentChunkRequest { name: name.clone(), offset: 0 };
    let early = city.first.call(request).await.unwrap_err();
    assert_eq!(early.code(), Code::PermissionDenied);
    let mut create = city.create(&app);
    create.pass_application.as_mut().unwrap().attachments.push(name.clone());
    city.in_review_of(create).await;
    let mut read = Vec::new();
    loop {
        let request = pb::ReadAttachmentChunkRequest {
            name: name.clone(),
            offset: i64::try_from(read.len()).unwrap(),
        };
        let chunk = city.first.call(request).await.unwrap();
        read.extend(chunk.data);
        if chunk.last {
            break;
        }
    }
    assert!(read == content);
    let request = pb::ReadAttachmentChunkRequest { name, offset: 0 };
    for stranger in [&city.stranger, &city.foreign_reviewer, &city.driver] {
        let refused = stranger.call(request.clone()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied, "{}", stranger.name);
    }
}

#[sqlx::test]
async fn a_disguised_altered_or_oversized_paper_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let wrong = pb::Attachment {
        kind: "LOVE_LETTER".to_owned(),
        content_type: "text/html".to_owned(),
        size_bytes: 11 * 1024 * 1024,
        sha256: vec![1],
        file_name: "..".to_owned(),
        ..announced(&city, b"x")
    };
    let refused = announce(&city.handler, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "attachment.content_type FILE_TYPE_REFUSED",
            "attachment.file_name REQUIRED",
            "attachment.kind UNKNOWN_VALUE",
            "attachment.sha256 OUT_OF_RANGE",
            "attachment.size_bytes OUT_OF_RANGE",
        ]
    );
    let program = b"MZ this is no picture";
    let name = announce(&city.handler, announced(&city, program)).await.unwrap();
    upload(&city.handler, &name, program).await;
    let disguised = complete(&city.handler, &name).await.unwrap_err();
    assert_eq!(fields(&disguised), ["content_type FILE_TYPE_DISGUISED"]);
    let name = announce(&city.handler, announced(&city, b"%PDF-1.7 one")).await.unwrap();
    upload(&city.handler, &name, b"%PDF-1.7 two").await;
    assert_eq!(reason(&complete(&city.handler, &name).await.unwrap_err()), "ATTACHMENT_INCOMPLETE");
    let gap = pb::UploadAttachmentChunkRequest { name, offset: 1_000, data: vec![1] };
    let gap = city.handler.call(gap).await.unwrap_err();
    assert_eq!(fields(&gap), ["offset OUT_OF_RANGE"]);
}

// PA-03: a policy version counts from its day; what was decided before keeps its own.
#[sqlx::test]
async fn a_new_policy_counts_from_its_day_on(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let before = city.pass(&app).await;
    let values = PolicyValues { months_above_designated_size_max: 3, ..PolicyValues::measure_6() };
    let publish = |from: i64, values_json: String| pb::PublishPassPolicyRequest {
        pass_policy: Some(pb::PassPolicy {
            version: "2026-12".to_owned(),
            source: "演示通告".to_owned(),
            effective_from: Some(prost_types::Timestamp { seconds: from, nanos: 0 }),
            values_json,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let json = serde_json::to_string(&values).unwrap();
    let now = app.now().as_second();
    let past = city.chief.call(publish(now, json.clone())).await.unwrap_err();
    assert_eq!(fields(&past), ["pass_policy.effective_from IN_PAST"]);
    let unread = city.chief.call(publish(now + 60, "{\"months\":1}".to_owned())).await;
    assert_eq!(fields(&unread.unwrap_err()), ["pass_policy.values_json UNKNOWN_VALUE"]);
    let refused = city.first.call(publish(now + 60, json.clone())).await;
    assert_eq!(reason(&refused.unwrap_err()), "DENIED");
    let drafted = city.chief.call(publish(now + 86_400, json)).await.unwrap();
    app.confirm(&drafted.proposal).await.unwrap();
    let dry = || pb::CreatePassApplicationRequest { validate_only: true, ..city.create(&app) };
    let today = city.handler.call(dry()).await.unwrap().evaluation;
    assert_eq!(today.unwrap().policy_version, "2022-06");
    app.advance(SignedDuration::from_hours(24));
    let tomorrow = city.handler.call(dry()).await.unwrap().evaluation;
    assert_eq!(tomorrow.unwrap().policy_version, "2026-12");
    let get = pb::GetTruckPassRequest { name: before.name };
    let kept = city.handler.call(get).await.unwrap();
    assert_eq!((kept.policy_version.as_str(), kept.valid_until), ("2022-06", before.valid_until));
}

#[sqlx::test]
async fn a_zone_is_published_in_versions_and_read_by_everybody(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let plan = serde_json::to_string(&Zone::main_urban_demo().plan).unwrap();
    let publish = |rules_json: &str| pb::PublishZoneRequest {
        zone: Some(pb::Zone {
            code: 1,
            display_name: "洋河新区".to_owned(),
            source: "新通告".to_owned(),
            rules_json: rules_json.to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let refused = city.chief.call(publish("{}")).await.unwrap_err();
    assert_eq!(fields(&refused), ["zone.rules_json UNKNOWN_VALUE"]);
    let second = city.chief.call(publish(&plan)).await.unwrap();
    assert_eq!((second.name.as_str(), second.version), (city.zone.to_string().as_str(), 2));
    app.confirm(&second.proposal).await.unwrap();
    // Before signing in, at another server, without waiting for its next look.
    let reader = app.anonymous().at(app.another().await);
    let zones = reader.call(pb::ListZonesRequest {}).await.unwrap();
    assert_eq!(zones.zones.len(), 1);
    assert_eq!(zones.zones[0].version, 2);
    assert!(zones.zones[0].rules_text.iter().any(|rule| rule.contains("06:00-22:00")));
}

// PA-12: places are set by the detachment, and never below what is taken.
#[sqlx::test]
async fn a_quota_is_never_set_below_what_is_taken(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let stamp = |days: i64| {
        Some(prost_types::Timestamp { seconds: app.now().as_second() + days * 86_400, nanos: 0 })
    };
    let set = |limit, from, until| pb::SetQuotaRequest {
        quota: Some(pb::Quota {
            zone: city.zone.to_string(),
            pass_kind: pb::PassKind::LongTermDelivery.into(),
            period_start: from,
            period_end: until,
            limit,
            ..Default::default()
        }),
        request_id: request_id(),
        ..Default::default()
    };
    let (from, until) = (stamp(-1), stamp(30));
    let set_by_two = async |request: pb::SetQuotaRequest| {
        let drafted = city.chief.call(request).await?;
        app.confirm(&drafted.proposal).await
    };
    set_by_two(set(1, from, until)).await.unwrap();
    city.pass(&app).await;
    let listed = city.chief.call(pb::ListQuotasRequest::default()).await.unwrap();
    assert_eq!((listed.quotas[0].used, listed.quotas[0].limit), (1, 1));
    let below = set_by_two(set(0, from, until)).await.unwrap_err();
    assert_eq!(reason(&below), "QUOTA_EXHAUSTED");
    let overlap = set_by_two(set(5, stamp(7), stamp(60))).await.unwrap_err();
    assert_eq!(reason(&overlap), "ALREADY_EXISTS");
    set_by_two(set(2, from, until)).await.unwrap();
    let backwards = city.chief.call(set(2, until, from)).await.unwrap_err();
    assert_eq!(fields(&backwards), ["quota.period_end END_BEFORE_START"]);
}

// D6: the green lane is open only in a special period.
#[sqlx::test]
async fn the_green_lane_opens_with_a_special_period(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let lane = || {
        let mut request = city.create(&app);
        request.validate_only = true;
        let need = request.pass_application.as_mut().unwrap().need.as_mut().unwrap();
        need.pass_kind = pb::PassKind::GreenLane.into();
        need.cargo_kind = "RAW_MATERIAL".to_owned();
        need.months = 0;
        request
    };
    let closed = city.handler.call(lane()).await.unwrap().evaluation;
    let reasons: Vec<_> = closed.unwrap().reasons.into_iter().map(|it| it.code).collect();
    assert!(reasons.contains(&"SPECIAL_PERIOD_INACTIVE".to_owned()), "{reasons:?}");
    let stamp = |days: i64| {
        Some(prost_types::Timestamp { seconds: app.now().as_second() + days * 86_400, nanos: 0 })
    };
    let open = pb::SetSpecialPeriodRequest {
        special_period: Some(pb::SpecialPeriod {
            source: "市防控指挥部通告".to_owned(),
            valid_from: stamp(-1),
            valid_until: stamp(10),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let drafted = city.chief.call(open).await.unwrap();
    app.confirm(&drafted.proposal).await.unwrap();
    let open = city.handler.call(lane()).await.unwrap().evaluation;
    let open = open.unwrap();
    assert!(open.reasons.iter().all(|it| it.code != "SPECIAL_PERIOD_INACTIVE"), "{open:?}");
}

// 1.8: who is on the blacklist gets no new pass, and is refused at the roadside until it is lifted.
#[sqlx::test]
async fn a_vehicle_on_the_blacklist_is_refused_everywhere_until_it_is_lifted(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    city.pass(&app).await;
    let check = || async {
        let request = pb::CheckPassRequest {
            observed: Some(pb::check_pass_request::Observed::PlateNumber(PLATE.to_owned())),
            ..Default::default()
        };
        city.device.call(request).await.unwrap().outcome()
    };
    assert_eq!(check().await, Outcome::PassValid);
    let list = |subject: String| pb::AddBlacklistEntryRequest {
        blacklist_entry: Some(pb::BlacklistEntry {
            subject,
            reason_code: "LENT_OR_MISUSED".to_owned(),
            reason: "转借通行证".to_owned(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let refused = city.foreign_reviewer.call(list(city.vehicle.to_string())).await;
    assert_eq!(reason(&refused.unwrap_err()), "DENIED");
    for subject in [city.vehicle.to_string(), city.enterprise.to_string()] {
        let entry = city.first.call(list(subject)).await.unwrap();
        assert_eq!(check().await, Outcome::Blacklisted);
        let dry = pb::CreatePassApplicationRequest { validate_only: true, ..city.create(&app) };
        let reasons = city.handler.call(dry).await.unwrap().evaluation.unwrap().reasons;
        assert!(reasons.iter().any(|it| it.code == "BLACKLISTED"), "{reasons:?}");
        let lift = pb::LiftBlacklistEntryRequest {
            name: entry.name,
            note: "已整改".to_owned(),
            request_id: request_id(),
        };
        city.first.call(lift.clone()).await.unwrap();
        assert_eq!(check().await, Outcome::PassValid);
        let again = pb::LiftBlacklistEntryRequest { request_id: request_id(), ..lift };
        let again = city.first.call(again).await.unwrap_err();
        assert_eq!(reason(&again), "TRANSITION_ILLEGAL");
    }
    let listed = city.first.call(pb::ListBlacklistEntriesRequest::default()).await;
    assert_eq!(listed.unwrap().blacklist_entries.len(), 2);
}
