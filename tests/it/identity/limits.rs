//! What a stranger meets: locks, limits by address, by account and by phone, and a proxy whose word is taken.

use jiff::SignedDuration;
use jingqi::surface::{
    sandbox::city::{self, Account},
    service::pb,
};
use sqlx::PgPool;

use super::load_city;
use crate::harness::{App, User, Wish, reason};

/// An officer's sign-in with the right proofs or wrong ones, as a proxy tells where it comes from.
async fn officer_from(app: &App, number: &str, right: Option<&Account>, from: &str) -> String {
    let at = u64::try_from(app.now().as_second()).unwrap();
    let code = right.map(|account| account.totp_code(at).unwrap());
    let password = if right.is_some() { city::DEMO_PASSWORD } else { "Wrong-password-1" };
    let mut request = tonic::Request::new(pb::SignInOfficerRequest {
        police_number: number.to_owned(),
        password: password.to_owned(),
        totp_code: code.unwrap_or_else(|| "123456".to_owned()),
        client: "desk".to_owned(),
    });
    request.metadata_mut().insert("x-forwarded-for", from.parse().unwrap());
    match app.anonymous().identity().sign_in_officer(request).await {
        Ok(_) => "OK".to_owned(),
        Err(status) => reason(&status),
    }
}

// ID-03, ID-11: five failures make their source wait for a quarter of an hour, also with the right proofs.
// The officer elsewhere comes in, and a stranger does not learn which numbers there are.
#[sqlx::test]
async fn five_failures_lock_an_account_for_their_source_alone(pool: PgPool) {
    let app = App::wished(pool, Wish { behind_proxy: true, ..Wish::default() }).await;
    load_city(&app).await;
    let (number, thief) = (city::CLERK.police_number, "203.0.113.5");
    for _ in 0..5 {
        for tried in [number, "999999"] {
            assert_eq!(officer_from(&app, tried, None, thief).await, "CREDENTIALS_INVALID");
        }
    }
    for (tried, right) in [(number, None), (number, Some(&city::CLERK)), ("999999", None)] {
        assert_eq!(officer_from(&app, tried, right, thief).await, "ACCOUNT_LOCKED", "{tried}");
    }
    assert_eq!(officer_from(&app, number, Some(&city::CLERK), "198.51.100.1").await, "OK");
    app.advance(SignedDuration::from_mins(16));
    assert_eq!(officer_from(&app, number, Some(&city::CLERK), thief).await, "OK");
}

// The slower lock, whatever the sources: who guesses from a hundred addresses waits too, and is not told. Here
// the account knows no source; see `credentials` for one that does.
#[sqlx::test]
async fn a_hundred_failures_lock_an_account_for_everybody(pool: PgPool) {
    let app = App::wished(pool, Wish { behind_proxy: true, ..Wish::default() }).await;
    load_city(&app).await;
    let number = city::CLERK.police_number;
    let failed =
        format!("update officer set failed_attempts = 99 where police_number = '{number}'");
    assert_eq!(app.sql(&failed).await, 1);
    for (from, right, told) in [
        ("203.0.113.1", None, "CREDENTIALS_INVALID"),
        ("203.0.113.2", None, "CREDENTIALS_INVALID"),
        ("203.0.113.3", Some(&city::CLERK), "ACCOUNT_LOCKED"),
    ] {
        assert_eq!(officer_from(&app, number, right, from).await, told, "{from}");
    }
    app.advance(SignedDuration::from_mins(16));
    assert_eq!(officer_from(&app, number, Some(&city::CLERK), "203.0.113.3").await, "OK");
}

// ID-03: the address is limited, whatever account it tries, on all servers together.
#[sqlx::test]
async fn an_address_is_limited_across_servers(pool: PgPool) {
    let app = App::start(pool).await;
    let another = app.another().await;
    let mut refused = String::new();
    for attempt in 0..80 {
        let at = if attempt % 2 == 0 { app.address } else { another };
        let request =
            pb::SignInWithWechatRequest { login_code: "x".to_owned(), ..Default::default() };
        let failed = app.anonymous().at(at).call(request).await;
        refused = reason(&failed.unwrap_err());
        if refused == "RATE_LIMITED" {
            assert!(attempt >= 59, "limited after {attempt}");
            break;
        }
    }
    assert_eq!(refused, "RATE_LIMITED");
}

/// Tries to come in, as a proxy that was called along these addresses tells it.
async fn forwarded(app: &App, chain: &str) -> String {
    let mut request = tonic::Request::new(pb::SignInWithWechatRequest {
        login_code: "x".to_owned(),
        ..Default::default()
    });
    request.metadata_mut().insert("x-forwarded-for", chain.parse().unwrap());
    let refused = app.anonymous().identity().sign_in_with_wechat(request).await;
    reason(&refused.unwrap_err())
}

// Behind a load balancer the city is not one address; IPv6 counts by its networks of 64 bits.
#[sqlx::test]
async fn behind_a_proxy_each_client_is_counted_by_itself(pool: PgPool) {
    let app = App::wished(pool, Wish { behind_proxy: true, ..Wish::default() }).await;
    for attempt in 0..60 {
        assert_eq!(forwarded(&app, "203.0.113.5").await, "LOGIN_CODE_INVALID");
        let own = format!("2001:db8:1:2::{attempt:x}");
        assert_eq!(forwarded(&app, &own).await, "LOGIN_CODE_INVALID");
    }
    // What a client wrote into the header itself stands in front, and changes nothing.
    for limited in ["203.0.113.5", "198.51.100.1, 203.0.113.5", "2001:db8:1:2:3::9"] {
        assert_eq!(forwarded(&app, limited).await, "RATE_LIMITED", "{limited}");
    }
    for other in ["203.0.113.6", "203.0.113.5, 203.0.113.7", "2001:db8:1:3::1"] {
        assert_eq!(forwarded(&app, other).await, "LOGIN_CODE_INVALID", "{other}");
    }
}

#[sqlx::test]
async fn the_word_of_a_stranger_on_who_he_is_is_not_taken(pool: PgPool) {
    let app = App::start(pool).await;
    for attempt in 0..60 {
        let invented = format!("203.0.113.{attempt}");
        assert_eq!(forwarded(&app, &invented).await, "LOGIN_CODE_INVALID");
    }
    assert_eq!(forwarded(&app, "198.51.100.1").await, "RATE_LIMITED");
}

/// Asks for codes until it is refused; how many were sent.
async fn codes_sent(user: &User, phones: impl IntoIterator<Item = String>) -> usize {
    let mut sent = 0;
    for phone in phones {
        let asked = user.call(pb::SendPhoneCodeRequest { phone }).await;
        match asked {
            Ok(_) => sent += 1,
            Err(status) => {
                assert_eq!(reason(&status), "RATE_LIMITED");
                break;
            }
        }
    }
    sent
}

// One person sends ten codes an hour, whatever the phones, and five to one phone: its owner still gets one.
#[sqlx::test]
async fn codes_are_limited_by_who_asks_and_by_phone(pool: PgPool) {
    let app = App::start(pool).await;
    let many = |first: u32| (first..first + 30).map(|number| format!("139052{number:05}"));
    let same = || std::iter::repeat_n("13905241234".to_owned(), 30);
    let mut people = Vec::new();
    for _ in 0..8 {
        let person = app.person().await;
        people.push(app.user(person).await);
    }
    assert_eq!(codes_sent(&people[0], many(0)).await, 10);
    assert_eq!(codes_sent(&people[1], same()).await, 5);
    assert_eq!(codes_sent(&people[2], same()).await, 5, "the owner of the phone");
    assert_eq!(codes_sent(&people[3], same()).await, 5);
    assert_eq!(codes_sent(&people[4], same()).await, 5);
    assert_eq!(codes_sent(&people[5], same()).await, 0, "20 in all to one phone");
    let mut others = 0;
    for person in &people[5..] {
        others += codes_sent(person, many(1_000)).await;
    }
    // 60 in all from one address; who is refused for the phone's sake has asked, too.
    assert_eq!(others, 25);
    app.run_workers().await;
}
