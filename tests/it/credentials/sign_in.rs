//! Signing in: locks that spare whoever is known, one-time codes, sessions that end when nobody calls.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;

use super::{
    Bureau, DESK, NUMBER, PASSWORD, PHONE, behind_proxy, by_sms, enrolled, listed, notices, shown,
    sign_in,
};
use crate::{
    harness::{reason, request_id},
    identity::{account, refresh, signed_in},
};

// Seen: 100 wrong tries from 20 addresses kept an officer out for a quarter of an hour, everywhere.
#[sqlx::test]
async fn strangers_lock_nobody_out_of_the_own_desk(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    app.advance(SignedDuration::from_mins(1));
    for stranger in 0..20 {
        let from = format!("203.0.113.{stranger}");
        for _ in 0..5 {
            let told = sign_in(&app, &from, ("Wrong-password-1", "123456")).await.unwrap_err();
            assert_eq!(told, "CREDENTIALS_INVALID", "{from}");
        }
        let told = notices(&bureau.security).await;
        assert_eq!(
            told.contains(&"ACCOUNT_ATTACKED".to_owned()),
            stranger >= 3,
            "{stranger}: {told:?}"
        );
    }
    // Time stands still here, so that what was told first is not said by the order.
    let mut told = notices(&bureau.security).await;
    told.sort();
    assert_eq!(told, ["ACCOUNT_ATTACKED", "ACCOUNT_CREATED", "ACCOUNT_LOCKED"]);
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已锁定");
    // Who is known from there comes in; who is not waits, with the right proofs too.
    let elsewhere = "192.0.2.77";
    let right = |at| (PASSWORD, shown(&app, &secret, at));
    let (password, code) = right(0);
    assert_eq!(sign_in(&app, elsewhere, (password, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let tokens = sign_in(&app, DESK, (password, &code)).await.unwrap();
    let (password, code) = right(30);
    assert_eq!(sign_in(&app, elsewhere, (password, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let desk = signed_in(&app, &tokens);
    assert!(notices(&desk).await.contains(&"ACCOUNT_LOCKED".to_owned()));
    // The security administrator lifts it, and says why; nobody else does.
    let officer = listed(&bureau, NUMBER).await;
    assert!(officer.lock_expire_time.is_some());
    let unlock = pb::UnlockOfficerRequest {
        name: officer.name,
        reason: "电话核实本人".to_owned(),
        request_id: request_id(),
    };
    let denied = bureau.system.call(unlock.clone()).await.unwrap_err();
    assert_eq!(reason(&denied), "DENIED");
    let lifted = bureau.security.call(unlock).await.unwrap();
    assert_eq!(lifted.lock_expire_time, None);
    sign_in(&app, elsewhere, (password, &code)).await.unwrap();
}

// A known source is one of the last thirty days.
#[sqlx::test]
async fn a_source_is_known_for_a_month(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    for (days, told) in [(29, None), (31, Some("ACCOUNT_LOCKED"))] {
        app.sql("update session set create_time = '2026-11-24T10:30:00+08:00'").await;
        app.clock.set(crate::harness::START.parse().unwrap());
        app.advance(SignedDuration::from_hours(24 * days));
        let until = app.now() + SignedDuration::from_mins(5);
        app.sql(&format!(
            "update officer set locked_until = '{until}' where police_number = '{NUMBER}'"
        ))
        .await;
        let tried = sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await;
        assert_eq!(tried.err().as_deref(), told, "{days} days");
    }
}

// The wait of a source ends with the lock that is lifted, too.
#[sqlx::test]
async fn a_lifted_lock_ends_the_waits_of_its_sources(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    for _ in 0..5 {
        let _ = sign_in(&app, DESK, ("Wrong-password-1", "123456")).await;
    }
    let code = shown(&app, &secret, 30);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let unlock = pb::UnlockOfficerRequest {
        name: listed(&bureau, NUMBER).await.name,
        reason: "本人输错".to_owned(),
        request_id: request_id(),
    };
    bureau.security.call(unlock).await.unwrap();
    sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap();
}

// Seen: a code that was typed as an authenticator shows it was refused.
#[sqlx::test]
async fn a_one_time_code_is_read_as_it_is_shown(pool: PgPool) {
    type Typing = fn(&str) -> String;
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    let typings: [Typing; 4] = [
        |code| format!("{} {}", &code[..3], &code[3..]),
        |code| code.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect(),
        |code| format!("\u{202D}{code}\u{202C}\r\n"),
        |code| format!("{}\u{3000}{}", &code[..3], &code[3..]),
    ];
    for typing in typings {
        app.advance(SignedDuration::from_secs(30));
        let typed = typing(&shown(&app, &secret, 0));
        sign_in(&app, DESK, (PASSWORD, &typed)).await.unwrap();
    }
    app.advance(SignedDuration::from_secs(30));
    let cut = &shown(&app, &secret, 0)[..5];
    assert_eq!(sign_in(&app, DESK, (PASSWORD, cut)).await.unwrap_err(), "CREDENTIALS_INVALID");
}

// facts.md, 6.2 b: whoever finds an officer's desk after a quarter of an hour finds it closed, on every
// server; to refresh is no call.
#[sqlx::test]
async fn an_officer_who_calls_nothing_signs_in_again(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let another = app.another().await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    account(&signed_in(&app, &tokens)).await.unwrap();
    app.advance(SignedDuration::from_mins(9));
    let tokens = refresh(&app, &tokens.refresh_token).await.unwrap();
    app.advance(SignedDuration::from_mins(5));
    let spare = refresh(&app, &tokens.refresh_token).await.unwrap();
    app.advance(SignedDuration::from_mins(1));
    // The token itself is good for four minutes more.
    for at in [another, app.address] {
        let thief = signed_in(&app, &tokens).at(at);
        assert_eq!(reason(&account(&thief).await.unwrap_err()), "SESSION_ENDED");
    }
    assert_eq!(reason(&refresh(&app, &spare.refresh_token).await.unwrap_err()), "SESSION_ENDED");
    assert_eq!(app.count("select count(*) from session where end_reason = 'IDLE'").await, 1);
    // Nor does a refresh bring back what is idle, should nobody have called.
    let tokens = sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await.unwrap();
    app.advance(SignedDuration::from_mins(15));
    assert_eq!(reason(&refresh(&app, &tokens.refresh_token).await.unwrap_err()), "SESSION_ENDED");
    // And where neither comes, the sweep ends it, and with it every stream.
    sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await.unwrap();
    app.advance(SignedDuration::from_mins(15));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from session where end_reason = 'IDLE'").await, 3);
}

#[sqlx::test]
async fn an_officer_who_works_goes_on_and_others_are_not_bound(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (mut tokens, _) = enrolled(&app, &bureau).await;
    let person = crate::identity::wechat(&app, "boss-wang").await;
    let another = app.another().await;
    for round in 0..20 {
        let at = if round % 2 == 0 { app.address } else { another };
        account(&signed_in(&app, &tokens).at(at)).await.unwrap();
        app.advance(SignedDuration::from_mins(9));
        app.run_workers().await;
        tokens = refresh(&app, &tokens.refresh_token).await.unwrap();
    }
    // A citizen's phone is locked by itself: three hours of silence end nothing.
    let person = refresh(&app, &person.refresh_token).await.unwrap();
    account(&signed_in(&app, &person)).await.unwrap();
    // One row is written a minute, not one a call.
    let before = app.count("select sum(xmin::text::bigint)::bigint from session").await;
    for _ in 0..5 {
        account(&signed_in(&app, &tokens)).await.unwrap();
    }
    let once = app.count("select sum(xmin::text::bigint)::bigint from session").await;
    assert_ne!(once, before);
    for _ in 0..5 {
        account(&signed_in(&app, &tokens)).await.unwrap();
    }
    assert_eq!(app.count("select sum(xmin::text::bigint)::bigint from session").await, once);
}
