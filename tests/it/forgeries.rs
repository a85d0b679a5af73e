//! The bit-flip sweep (I4, I24): each bit of a genuine code, in both suites, as bytes and as text, and
//! each bit of an access token, turned at the running server. None of them is believed.

use futures::StreamExt as _;
use jingqi::surface::service::pb::{self, check_pass_request::Observed, pass_check::Verdict};
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, User, request_id};

/// How many are tried at once.
const AT_ONCE: usize = 16;

async fn code(city: &City, pass: &str, suite: &str) -> String {
    let show = pb::IssuePassCodeRequest {
        name: pass.to_owned(),
        suite: suite.to_owned(),
        mode: pb::pass_code::Mode::Printed.into(),
    };
    city.driver.call(show).await.unwrap().text
}

async fn check(device: User, text: String) -> pb::PassCheck {
    let request = pb::CheckPassRequest {
        observed: Some(Observed::Code(text)),
        request_id: request_id(),
        ..Default::default()
    };
    device.call(request).await.unwrap()
}

/// Every text that has one bit turned: of the bytes that the code stands for, and of its own letters.
/// A letter that is merely written small is the same letter to whoever reads it.
fn turned(text: &str) -> Vec<String> {
    let at = text.find(':').unwrap() + 1;
    let (prefix, body) = text.split_at(at);
    let bytes = base45::decode(body).unwrap();
    let mut forged = Vec::new();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        forged.push(format!("{prefix}{}", base45::encode(bytes)));
    }
    for bit in 0..text.len() * 8 {
        let mut letters = text.as_bytes().to_vec();
        letters[bit / 8] ^= 1 << (bit % 8);
        let Ok(other) = String::from_utf8(letters) else { continue };
        if other.trim().to_uppercase() != text.to_uppercase() {
            forged.push(other);
        }
    }
    forged
}

#[sqlx::test]
async fn a_code_with_any_bit_turned_is_never_valid(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    app.advance(jiff::SignedDuration::from_hours(1));
    let mut tried = 0;
    for suite in ["INTL", "SM"] {
        let genuine = code(&city, &pass.name, suite).await;
        // The control: as it is, it is believed, also after the sweep has begun.
        assert_eq!(check(city.device.clone(), genuine.clone()).await.verdict(), Verdict::Valid);
        let forged = turned(&genuine);
        tried += forged.len();
        let checks = futures::stream::iter(forged).map(|text| {
            let device = city.device.clone();
            async move { (text.clone(), check(device, text).await) }
        });
        let checks: Vec<_> = checks.buffer_unordered(AT_ONCE).collect().await;
        for (text, check) in checks {
            assert_ne!(check.verdict(), Verdict::Valid, "{suite}: {text}");
            assert_eq!(check.truck_pass, "", "{suite} tells a pass for {text}");
        }
        assert_eq!(check(city.device.clone(), genuine).await.verdict(), Verdict::Valid);
    }
    assert!(tried > 5_000, "{tried} forged codes");
}

#[sqlx::test]
async fn a_token_with_any_bit_turned_is_nobody_s(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let token = city.boss.token.clone().unwrap();
    let asked = |token: String| {
        let user = city.boss.with_token(&token);
        async move { (token, user.call(pb::GetAccountRequest::default()).await) }
    };
    assert!(asked(token.clone()).await.1.is_ok(), "the control");
    let mut forged = Vec::new();
    for bit in 0..token.len() * 8 {
        let mut letters = token.clone().into_bytes();
        letters[bit / 8] ^= 1 << (bit % 8);
        // What no header may hold reaches no server.
        let Ok(other) = String::from_utf8(letters) else { continue };
        if other.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            forged.push(other);
        }
    }
    assert!(forged.len() > 1_500, "{} forged tokens", forged.len());
    let answers = futures::stream::iter(forged).map(asked).buffer_unordered(AT_ONCE);
    for (token, answer) in answers.collect::<Vec<_>>().await {
        let code = answer.unwrap_err().code();
        assert_eq!(code, Code::Unauthenticated, "{token}");
    }
    assert!(asked(token).await.1.is_ok(), "the control, after the sweep");
}
