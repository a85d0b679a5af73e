//! The stand-in for WeChat's server interface: its paths, its answers, its oddities. The rules are in
//! `platform`, the templates' field rules in `fields`; here is only HTTP.
//!
//! | path | is |
//! |---|---|
//! | `GET /sns/jscode2session` | code2Session; the code `busy` is answered with -1 |
//! | `POST /cgi-bin/stable_token` | getStableAccessToken |
//! | `POST /wxa/business/getuserphonenumber` | getPhoneNumber |
//! | `POST /cgi-bin/message/subscribe/send` | subscribeMessage.send |
//! | `POST /sandbox/login_codes {"user"}` | what `wx.login` does: mints a code; [`BLOCKED`] is refused |
//! | `POST /sandbox/phone_codes {"user","phone"}` | what the phone button does; `country_code` if not 86 |
//! | `POST /sandbox/consents {"user","template_id"}` | what `requestSubscribeMessage` does: one more message, or with `"long_term":true` any number |
//! | `GET /sandbox/messages?user=` | what was delivered, oldest first |

mod fields;
mod platform;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::platform::{Answer, Errcode, LoginQuestion, Platform, SendQuestion, TokenQuestion};
use super::Now;

/// The mini-program that the sandbox knows.
pub const APPID: &str = "wxsandbox00jingqi0";

/// Its secret; worth nothing outside the sandbox.
pub const SECRET: &str = "sandbox-appsecret-worth-nothing";

/// The user whom WeChat holds for a risk (40226).
pub const BLOCKED: &str = "blocked";

/// The code, and the template, for which WeChat is busy (-1).
pub const BUSY: &str = "busy";

#[derive(Clone)]
struct Desk {
    now: Now,
    platform: Arc<Mutex<Platform>>,
}

impl Desk {
    /// Does one thing at one instant.
    fn act<T>(&self, act: impl FnOnce(&mut Platform, Timestamp) -> T) -> T {
        let now = (self.now)();
        act(&mut self.platform.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

/// A platform that has seen nobody yet.
pub(super) fn router(now: Now) -> Router {
    Router::new()
        .route("/sns/jscode2session", get(jscode2session))
        .route("/cgi-bin/stable_token", post(stable_token))
        .route("/wxa/business/getuserphonenumber", post(phone_number))
        .route("/cgi-bin/message/subscribe/send", post(send))
        .route("/sandbox/login_codes", post(mint_login_code))
        .route("/sandbox/phone_codes", post(mint_phone_code))
        .route("/sandbox/consents", post(consent))
        .route("/sandbox/messages", get(messages))
        .with_state(Desk { now, platform: Arc::default() })
}

async fn jscode2session(
    State(desk): State<Desk>,
    Query(question): Query<LoginQuestion>,
) -> Response {
    let answer = desk.act(|platform, now| platform.session(&question, now));
    // WeChat says so too, although it is JSON.
    ([(header::CONTENT_TYPE, "text/plain")], told(answer).to_string()).into_response()
}

async fn stable_token(State(desk): State<Desk>, body: Bytes) -> Json<Value> {
    Json(told(parsed(&body).and_then(|question: TokenQuestion| {
        desk.act(|platform, now| platform.stable_token(&question, now))
    })))
}

async fn phone_number(
    State(desk): State<Desk>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Json<Value> {
    #[derive(Deserialize)]
    struct Question {
        code: String,
    }
    Json(told(desk.act(|platform, now| {
        platform.check_token(query.get("access_token"), now)?;
        let question: Question = parsed(&body)?;
        platform.phone_number(&question.code, now)
    })))
}

async fn send(
    State(desk): State<Desk>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Json<Value> {
    Json(told(desk.act(|platform, now| {
        platform.check_token(query.get("access_token"), now)?;
        let question: SendQuestion = parsed(&body)?;
        platform.send(question, now)
    })))
}

async fn mint_login_code(State(desk): State<Desk>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Wish {
        user: String,
    }
    granted(super::read(&body).and_then(|wish: Wish| {
        let user = user(wish.user)?;
        Ok(json!({ "code": desk.act(|platform, now| platform.mint_login_code(&user, now)) }))
    }))
}

async fn mint_phone_code(State(desk): State<Desk>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Wish {
        user: String,
        phone: String,
        #[serde(default)]
        country_code: Option<u32>,
    }
    granted(super::read(&body).and_then(|wish: Wish| {
        let user = user(wish.user)?;
        let country = wish.country_code.unwrap_or(86);
        let right = if country == 86 {
            super::sms::is_mobile(&wish.phone)
        } else {
            (4..=14).contains(&wish.phone.len()) && wish.phone.bytes().all(|b| b.is_ascii_digit())
        };
        if !right {
            return Err((StatusCode::BAD_REQUEST, "phone: digits of a mobile number".to_owned()));
        }
        let mint = |platform: &mut Platform, now| {
            platform.mint_phone_code(&user, country, wish.phone, now)
        };
        Ok(json!({ "code": desk.act(mint) }))
    }))
}

async fn consent(State(desk): State<Desk>, body: Bytes) -> Response {
    #[derive(Deserialize)]
    struct Wish {
        user: String,
        template_id: String,
        #[serde(default)]
        long_term: bool,
    }
    granted(super::read(&body).and_then(|wish: Wish| {
        let user = user(wish.user)?;
        Ok(desk.act(|platform, _| platform.consent(&user, wish.template_id, wish.long_term)))
    }))
}

async fn messages(
    State(desk): State<Desk>,
    Query(query): Query<HashMap<String, String>>,
) -> Json<Value> {
    let user = query.get("user").map(String::as_str);
    Json(json!({ "messages": desk.act(|platform, _| platform.messages(user)) }))
}

/// What WeChat says: always HTTP 200, the refusal in the body.
fn told(answer: Answer) -> Value {
    answer.unwrap_or_else(|Errcode(errcode, errmsg)| {
        json!({ "errcode": errcode, "errmsg": format!("{errmsg}, rid: 6a5b-sandbox") })
    })
}

fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, Errcode> {
    serde_json::from_slice(body).map_err(|_| Errcode(47001, "data format error".to_owned()))
}

fn granted(answer: Result<Value, (StatusCode, String)>) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// A user's name: it becomes part of codes, so it is short and plain.
fn user(name: String) -> Result<String, (StatusCode, String)> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err((StatusCode::BAD_REQUEST, "user: 1 to 32 of a-z, 0-9 and -".to_owned()))
    }
}
