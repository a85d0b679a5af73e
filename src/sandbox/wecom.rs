//! The stand-in for WeCom: tokens that end, contact ways that remember their members and state,
//! messages that it keeps. Nobody is told anything.
//!
//! `POST /sandbox/wecom/scan` says what adding a contact would bring back: the state of the way.
//! `GET /sandbox/wecom/messages?member=` tells what a member was sent, oldest first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{MESSAGES_MAX, Now};

/// The corporation.
pub const CORPID: &str = "ww-sandbox-jingqi";
/// Its secret.
pub const SECRET: &str = "sandbox-wecom-secret";
/// A member that WeCom does not know.
pub const UNKNOWN_MEMBER: &str = "000000";
/// A member for whom WeCom is busy (-1).
pub const AWAY_MEMBER: &str = "000503";
/// The application that may send messages.
pub const AGENT: i64 = 1_000_002;
/// The same text to the same member is dropped for so long.
const DUPLICATE_TIME: SignedDuration = SignedDuration::from_secs(1_800);
/// How long a token holds.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_secs(7_200);

#[derive(Clone)]
struct Platform {
    now: Now,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// How many tokens there were: none comes back after it was ended.
    serial: u64,
    tokens: HashMap<String, Timestamp>,
    ways: HashMap<String, String>,
    messages: VecDeque<Message>,
}

#[derive(Clone, Serialize)]
struct Message {
    member: String,
    content: String,
    time: Timestamp,
}

#[derive(Deserialize)]
struct Order {
    touser: String,
    msgtype: String,
    agentid: i64,
    text: Content,
    #[serde(default)]
    enable_duplicate_check: u8,
}

#[derive(Deserialize)]
struct Content {
    content: String,
}

#[derive(Deserialize)]
struct Wanted {
    member: String,
}

#[derive(Deserialize)]
struct Account {
    corpid: String,
    corpsecret: String,
}

#[derive(Deserialize)]
struct Bearer {
    access_token: String,
}

#[derive(Deserialize)]
struct Way {
    r#type: u8,
    scene: u8,
    #[serde(default)]
    remark: String,
    state: String,
    user: Vec<String>,
}

#[derive(Deserialize)]
struct Scan {
    qr_code: String,
}

/// The platform with an empty memory.
pub(super) fn router(now: Now) -> Router {
    Router::new()
        .route("/cgi-bin/gettoken", get(token))
        .route("/cgi-bin/externalcontact/add_contact_way", post(add))
        .route("/cgi-bin/message/send", post(send))
        .route("/sandbox/wecom/messages", get(messages))
        .route("/sandbox/wecom/scan", post(scan))
        .route("/sandbox/wecom/expire", post(expire))
        .with_state(Platform { now, held: Arc::default() })
}

impl Platform {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The errcode with which a token is refused, if it is.
    fn refuses(&self, bearer: &Bearer, now: Timestamp) -> Option<i64> {
        match self.tokens.get(&bearer.access_token) {
            None => Some(40014),
            Some(end) if *end <= now => Some(42001),
            Some(_) => None,
        }
    }
}

fn refused(errcode: i64) -> Json<Value> {
    Json(json!({ "errcode": errcode, "errmsg": "refused by the sandbox" }))
}

async fn token(State(platform): State<Platform>, Query(account): Query<Account>) -> Json<Value> {
    if account.corpid != CORPID || account.corpsecret != SECRET {
        return refused(40001);
    }
    let now = (platform.now)();
    let mut held = platform.held();
    held.serial = held.serial.saturating_add(1);
    let token = format!("wecom-token-{}", held.serial);
    held.tokens.insert(token.clone(), now.saturating_add(TOKEN_LIFE).unwrap_or(now));
    Json(json!({ "errcode": 0, "access_token": token, "expires_in": TOKEN_LIFE.as_secs() }))
}

async fn add(
    State(platform): State<Platform>,
    Query(bearer): Query<Bearer>,
    body: Bytes,
) -> Response {
    let way: Way = match super::read(&body) {
        Ok(way) => way,
        Err(refusal) => return refusal.into_response(),
    };
    let now = (platform.now)();
    let mut held = platform.held();
    if let Some(errcode) = held.refuses(&bearer, now) {
        return refused(errcode).into_response();
    }
    let long = [&way.remark, &way.state].iter().any(|text| text.chars().count() > 30);
    let errcode = match (way.r#type, way.scene) {
        (1, _) if way.user.len() != 1 => 41037,
        (1 | 2, 2) if long || way.user.is_empty() => 40058,
        (1 | 2, 2) if way.user.iter().any(|user| user == UNKNOWN_MEMBER) => 60111,
        (1 | 2, 2) => 0,
        (1 | 2, _) => 41040,
        _ => 41037,
    };
    if errcode != 0 {
        return refused(errcode).into_response();
    }
    let config_id = format!("config-{}", held.ways.len());
    let qr_code = format!("https://wework.qpic.cn/sandbox/{config_id}");
    held.ways.insert(qr_code.clone(), way.state);
    Json(json!({ "errcode": 0, "config_id": config_id, "qr_code": qr_code })).into_response()
}

async fn send(
    State(platform): State<Platform>,
    Query(bearer): Query<Bearer>,
    body: Bytes,
) -> Response {
    let order: Order = match super::read(&body) {
        Ok(order) => order,
        Err(refusal) => return refusal.into_response(),
    };
    let now = (platform.now)();
    let mut held = platform.held();
    if let Some(errcode) = held.refuses(&bearer, now) {
        return refused(errcode).into_response();
    }
    let long = order.text.content.len() > 2_048 || order.text.content.is_empty();
    let errcode = match order.touser.as_str() {
        _ if order.agentid != AGENT => 40056,
        _ if order.msgtype != "text" || long => 40058,
        UNKNOWN_MEMBER | "" => 81013,
        AWAY_MEMBER => -1,
        _ => 0,
    };
    if errcode != 0 {
        return refused(errcode).into_response();
    }
    let (member, content) = (order.touser, order.text.content);
    let twice = order.enable_duplicate_check == 1
        && held.messages.iter().any(|message| {
            message.member == member
                && message.content == content
                && now.duration_since(message.time) < DUPLICATE_TIME
        });
    if !twice {
        if held.messages.len() == MESSAGES_MAX {
            held.messages.pop_front();
        }
        held.messages.push_back(Message { member, content, time: now });
    }
    Json(json!({ "errcode": 0, "errmsg": "ok", "msgid": "m" })).into_response()
}

async fn messages(State(platform): State<Platform>, Query(wanted): Query<Wanted>) -> Json<Value> {
    let held = platform.held();
    let of = held.messages.iter().filter(|message| message.member == wanted.member);
    Json(json!({ "messages": of.cloned().collect::<Vec<_>>() }))
}

/// Somebody scans the picture and adds the contact: the state comes back.
async fn scan(State(platform): State<Platform>, body: Bytes) -> Response {
    let scan: Scan = match super::read(&body) {
        Ok(scan) => scan,
        Err(refusal) => return refusal.into_response(),
    };
    match platform.held().ways.get(&scan.qr_code) {
        Some(state) => Json(json!({ "state": state })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Ends every token before its time, as WeCom may.
async fn expire(State(platform): State<Platform>) -> StatusCode {
    platform.held().tokens.clear();
    StatusCode::NO_CONTENT
}
