//! Accounts: passwords that do not come back, what nobody uses is closed, resets take two.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use serde_json::Value;
use sqlx::PgPool;
use tonic::Status;

use super::{
    Bureau, DESK, NUMBER, PASSWORD, PHONE, begin, behind_proxy, by_sms, change, code, complete,
    enrol, enrolled, listed, notices, shown, sign_in,
};
use crate::{
    harness::{User, fields, reason, request_id},
    identity::{account, signed_in},
};

// Seen: seven changes in a row brought the old password back.
#[sqlx::test]
async fn no_row_of_changes_brings_a_password_back(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    let desk = signed_in(&app, &tokens);
    let names = ["Wolke", "Birke", "Amsel", "Hafer", "Distel", "Kranich", "Zaun", "Pappel"];
    let next = |at: usize| format!("Neu&{}-{at}q", names[at]);
    // At once it is not changed a second time: it was made just now.
    assert_eq!(change(&desk, PASSWORD, &next(0)).await.unwrap_err(), ["PASSWORD_TOO_YOUNG"]);
    let mut present = PASSWORD.to_owned();
    for at in 0..7 {
        app.advance(SignedDuration::from_hours(24));
        let code = shown(&app, &secret, 0);
        let tokens = sign_in(&app, DESK, (&present, &code)).await.unwrap();
        let desk = signed_in(&app, &tokens);
        let reused = change(&desk, &present, PASSWORD).await.unwrap_err();
        assert_eq!(reused, ["new_password PASSWORD_REUSED"], "after {at} changes");
        change(&desk, &present, &next(at)).await.unwrap();
        present = next(at);
        let soon = change(&desk, &present, &next(7)).await.unwrap_err();
        assert_eq!(soon, ["PASSWORD_TOO_YOUNG"]);
    }
    app.advance(SignedDuration::from_hours(24));
    let tokens = sign_in(&app, DESK, (&present, &shown(&app, &secret, 0))).await.unwrap();
    let desk = signed_in(&app, &tokens);
    assert_eq!(
        change(&desk, &present, PASSWORD).await.unwrap_err(),
        ["new_password PASSWORD_REUSED"]
    );
    for (weak, flaw) in [("Qwer1234!@#$", "PASSWORD_COMMON"), ("OuyangJianguo!", "PASSWORD_COMMON")]
    {
        let refused = change(&desk, &present, weak).await.unwrap_err();
        assert_eq!(refused, [format!("new_password {flaw}")], "{weak}");
    }
}

// facts.md, 6.2, access control: what nobody uses for 90 days is closed, and the officer told before.
#[sqlx::test]
async fn an_account_that_nobody_uses_is_closed_after_it_was_told(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    // Another one, who comes in meanwhile, and the last security administrator, who does not.
    bureau.system.call(bureau.create("130525", "13905247789")).await.unwrap();
    let other = code(&app, "13905247789").await;
    enrol(&app, "130525", &other, PASSWORD).await;
    app.sql(
        "update officer set use_time = now() - interval '1 year' where police_number = '200002'",
    )
    .await;
    app.advance(SignedDuration::from_hours(24 * 79));
    assert_ne!(by_sms(&app, PHONE).await["parameters"]["state"], "即将停用");
    app.advance(SignedDuration::from_hours(24));
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "即将停用");
    app.sql(&format!(
        "update officer set use_time = '{}' where police_number = '130525'",
        app.now()
    ))
    .await;
    app.advance(SignedDuration::from_hours(24 * 10));
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已停用");
    assert!(listed(&bureau, NUMBER).await.close_time.is_some());
    for open in ["130525", "200002"] {
        assert_eq!(listed(&bureau, open).await.close_time, None, "{open}");
    }
    // Told to whoever shows both proofs, and to nobody else.
    let code = shown(&app, &secret, 0);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap_err(), "ACCOUNT_CLOSED");
    let wrong = sign_in(&app, DESK, ("Wrong-password-1", &code)).await.unwrap_err();
    assert_eq!(wrong, "CREDENTIALS_INVALID");
}

async fn ask_reset(by: &User, officer: &str, phone: &str) -> Result<String, Status> {
    let request = pb::ResetOfficerRequest {
        name: officer.to_owned(),
        phone: phone.to_owned(),
        reason: "手机遗失,已当面核验".to_owned(),
        request_id: request_id(),
    };
    by.call(request).await.map(|asked| asked.proposal)
}

async fn confirm(by: &User, name: &str) -> Result<pb::Proposal, Status> {
    let get = pb::GetProposalRequest { name: name.to_owned() };
    let etag = match by.call(get).await {
        Ok(seen) => seen.etag,
        Err(_) => "W/\"1\"".to_owned(),
    };
    let request = pb::ConfirmProposalRequest {
        name: name.to_owned(),
        etag,
        request_id: request_id(),
        ..pb::ConfirmProposalRequest::default()
    };
    by.call(request).await
}

// A lost phone: one administrator asks, one of another kind confirms, and the phone before is told of both.
#[sqlx::test]
async fn a_reset_takes_two_and_is_told_on_the_phone_before(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let other = app.officer("200003", &bureau.unit, &["SYSTEM_ADMINISTRATOR"]).await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    let desk = signed_in(&app, &tokens);
    let new = "13905240099";
    app.run_workers().await;
    let asked = ask_reset(&bureau.system, &desk.name, new).await.unwrap();
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已申请重置");
    assert_eq!(by_sms(&app, new).await, Value::Null);
    assert!(notices(&desk).await.contains(&"ACCOUNT_RESET_PROPOSED".to_owned()));
    // One alone changes nothing, nor does another one of the same kind.
    for (by, told) in [(&bureau.system, "SAME_PERSON"), (&other, "SAME_KIND"), (&desk, "DENIED")] {
        assert_eq!(reason(&confirm(by, &asked).await.unwrap_err()), told);
    }
    account(&desk).await.unwrap();
    let done = confirm(&bureau.security, &asked).await.unwrap();
    assert!(done.shown.contains(&"手机:139****7788 → 139****0099".to_owned()), "{:?}", done.shown);
    assert!(!format!("{done:?}").contains(new), "the second administrator reads no phone whole");
    // Nothing that the officer had counts any more.
    assert_eq!(reason(&account(&desk).await.unwrap_err()), "SESSION_ENDED");
    let old = shown(&app, &secret, 30);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &old)).await.unwrap_err(), "CREDENTIALS_INVALID");
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已重置");
    let code = code(&app, new).await;
    let begun = begin(&app, NUMBER, &code).await.unwrap();
    assert_ne!(begun.totp_secret, secret);
    let same = complete(&app, (NUMBER, &code, &begun.totp_secret), PASSWORD).await;
    assert_eq!(fields(&same.unwrap_err()), ["new_password PASSWORD_REUSED"]);
    let fresh = "Regen&Birke-42";
    let tokens = complete(&app, (NUMBER, &code, &begun.totp_secret), fresh).await.unwrap();
    assert_eq!(account(&signed_in(&app, &tokens)).await.unwrap().phone, "139****0099");
    let kept = "select count(*) from change where action in ('RESET_CREDENTIALS', 'SET_PHONE',
        'SEND_ENROLMENT_CODE', 'ENROL') and collection = 'officers'";
    assert_eq!(app.count(kept).await, 1 + 2 + 2 + 2);
    // Nobody resets oneself, and nothing is sent where no phone is known.
    let own = ask_reset(&bureau.system, &bureau.system.name, new).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let unknown = ask_reset(&bureau.system, &other.name, "").await.unwrap_err();
    assert_eq!(reason(&unknown), "PHONE_MISSING");
}

#[sqlx::test]
async fn a_closed_account_is_opened_again_by_two(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (tokens, _) = enrolled(&app, &bureau).await;
    let name = tokens.account.unwrap().name;
    app.advance(SignedDuration::from_hours(24 * 80));
    app.run_workers().await;
    app.advance(SignedDuration::from_hours(24 * 10));
    app.run_workers().await;
    assert!(listed(&bureau, NUMBER).await.close_time.is_some());
    let asked = ask_reset(&bureau.security, &name, "").await.unwrap();
    assert!(confirm(&bureau.security, &asked).await.is_err());
    app.run_workers().await;
    confirm(&bureau.system, &asked).await.unwrap();
    assert_eq!(listed(&bureau, NUMBER).await.close_time, None);
    let code = code(&app, PHONE).await;
    let (tokens, _) = enrol(&app, NUMBER, &code, "Regen&Birke-42").await;
    account(&signed_in(&app, &tokens)).await.unwrap();
    app.run_workers().await;
    assert_eq!(listed(&bureau, NUMBER).await.close_time, None, "ninety days from now");
}
