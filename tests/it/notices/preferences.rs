//! What a person wishes to be told and permits: checked, kept, and recorded once.

use jingqi::surface::service::pb::{self, notice_preferences as wish};
use sqlx::PgPool;

use super::{left, prefer, preferences};
use crate::harness::{App, fields, reason, request_id};

// NO-06: what preferences may be, and that two writers do not overwrite each other.
#[sqlx::test]
async fn preferences_are_checked_and_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let first = preferences(&city.driver).await;
    assert_eq!((first.quiet_from_minute, first.quiet_until_minute), (22 * 60, 7 * 60));
    assert_eq!(first.channels, [i32::from(wish::Channel::Wechat), i32::from(wish::Channel::Sms)]);
    assert_eq!(first.templates.len(), 7);
    let officer = preferences(&city.first).await;
    assert_eq!((officer.quiet_from_minute, officer.quiet_until_minute), (0, 0));
    assert_eq!(officer.channels, [i32::from(wish::Channel::Wecom)]);
    assert_eq!(officer.templates, []);
    let wrong = pb::NoticePreferences {
        language: 0,
        channels: vec![3, 1, 1],
        quiet_from_minute: 1_440,
        quiet_until_minute: -1,
        digest_minute: Some(1_440),
        etag: "7".to_owned(),
        templates: vec![],
    };
    let refused = prefer(&city.driver, wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "notice_preferences.channels[0] NOT_ALLOWED",
            "notice_preferences.channels[2] DUPLICATE",
            "notice_preferences.digest_minute OUT_OF_RANGE",
            "notice_preferences.etag ETAG_MALFORMED",
            "notice_preferences.language REQUIRED",
            "notice_preferences.quiet_from_minute OUT_OF_RANGE",
            "notice_preferences.quiet_until_minute OUT_OF_RANGE",
        ]
    );
    let saved = prefer(&city.driver, first.clone()).await.unwrap();
    assert_ne!(saved.etag, first.etag);
    assert_eq!(reason(&prefer(&city.driver, first).await.unwrap_err()), "ETAG_STALE");
    assert_eq!(preferences(&city.driver).await, saved);
}

#[sqlx::test]
async fn a_consent_is_recorded_once_and_only_for_what_is_filed(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let result = |template_id: &str, answer| pb::record_subscription_consent_request::Result {
        template_id: template_id.to_owned(),
        answer,
        long_term: false,
    };
    let request = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-pass", 1), result("T-complaint", 2)],
        request_id: request_id(),
    };
    for _ in 0..2 {
        let after = city.boss.call(request.clone()).await.unwrap();
        assert_eq!((left(&after, "pass"), left(&after, "complaint")), (1, 0));
    }
    let wrong = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-other", 1), result("T-pass", 0), result("T-pass", 1)],
        request_id: request_id(),
    };
    let refused = city.boss.call(wrong).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "results[0].template_id UNKNOWN_VALUE",
            "results[1].answer REQUIRED",
            "results[2].template_id DUPLICATE",
        ]
    );
    let many = pb::RecordSubscriptionConsentRequest {
        results: vec![result("T-pass", 1); 4],
        request_id: request_id(),
    };
    let refused = city.boss.call(many).await.unwrap_err();
    assert!(fields(&refused).contains(&"results TOO_MANY".to_owned()));
    // A long-term template permits any number.
    let long = pb::record_subscription_consent_request::Result {
        long_term: true,
        ..result("T-message", 1)
    };
    let request =
        pb::RecordSubscriptionConsentRequest { results: vec![long], ..Default::default() };
    let after = city.boss.call(request).await.unwrap();
    assert!(after.templates.iter().any(|it| it.code == "message" && it.long_term));
}
