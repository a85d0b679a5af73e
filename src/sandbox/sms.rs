//! The stand-in for the SMS gateway (protocol: `remote/sms.rs`): it keeps what it was given.
//! It sends nothing to anybody.
//!
//! `POST /sms/send` is the gateway, of codes and of notices; `GET /sandbox/sms?phone=` tells the last
//! message to a number.
//! Faults on demand: see [`AWAY`] and [`CROWDED`].

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};

use super::{MESSAGES_MAX, Now};

/// The key that the gateway asks for.
pub const KEY: &str = "sandbox-sms-key";

/// The number for which the gateway is away (503).
pub const AWAY: &str = "13800000503";

/// The number that has had too many messages (429, wait 30 s).
pub const CROWDED: &str = "13800000429";

#[derive(Clone)]
struct Gateway {
    now: Now,
    sent: Arc<Mutex<VecDeque<Sent>>>,
}

#[derive(Deserialize)]
struct Order {
    phone: String,
    template: String,
    parameters: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Serialize)]
struct Sent {
    phone: String,
    template: String,
    parameters: serde_json::Map<String, serde_json::Value>,
    time: String,
}

#[derive(Deserialize)]
struct Wanted {
    phone: String,
}

/// The gateway with an empty memory.
pub(super) fn router(now: Now) -> Router {
    Router::new()
        .route("/sms/send", post(send))
        .route("/sandbox/sms", get(last))
        .with_state(Gateway { now, sent: Arc::default() })
}

async fn send(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if key.and_then(|value| value.strip_prefix("Bearer ")) != Some(KEY) {
        return (StatusCode::UNAUTHORIZED, "wrong key").into_response();
    }
    let order: Order = match super::read(&body) {
        Ok(order) => order,
        Err(refusal) => return refusal.into_response(),
    };
    match order.phone.as_str() {
        AWAY => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        CROWDED => {
            let wait = [(header::RETRY_AFTER, "30")];
            return (StatusCode::TOO_MANY_REQUESTS, wait).into_response();
        }
        phone if !is_mobile(phone) => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        _ => {}
    }
    let Order { phone, template, parameters } = order;
    let time = (gateway.now)().to_string();
    let mut sent = gateway.sent.lock().unwrap_or_else(PoisonError::into_inner);
    if sent.len() == MESSAGES_MAX {
        sent.pop_front();
    }
    sent.push_back(Sent { phone, template, parameters, time });
    StatusCode::ACCEPTED.into_response()
}

async fn last(State(gateway): State<Gateway>, Query(wanted): Query<Wanted>) -> Response {
    let sent = gateway.sent.lock().unwrap_or_else(PoisonError::into_inner);
    match sent.iter().rev().find(|message| message.phone == wanted.phone) {
        Some(message) => Json(message).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A mainland mobile number of eleven digits.
pub(super) fn is_mobile(phone: &str) -> bool {
    let bytes = phone.as_bytes();
    matches!(bytes, [b'1', b'3'..=b'9', rest @ ..] if rest.len() == 9
        && rest.iter().all(u8::is_ascii_digit))
}
