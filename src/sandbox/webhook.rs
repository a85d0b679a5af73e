//! The stand-in for another system that is told of events: it keeps what it got, with the headers that
//! are signed. It verifies nothing: that is the tests' to do, by their own means.
//!
//! `POST /sandbox/webhooks/{box}` takes a letter; `GET` of the same tells them all, oldest first.
//! Faults on demand: see [`AWAY`], [`MOVED`], [`GONE`].

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{MESSAGES_MAX, Now};

/// The box whose system is away (503).
pub const AWAY: &str = "away";
/// The box whose system says that it is elsewhere (307 to another box): nobody must go there.
pub const MOVED: &str = "moved";

/// The box whose system wants to be told nothing any more (410).
pub const GONE: &str = "gone";

#[derive(Clone)]
struct Boxes {
    now: Now,
    letters: Arc<Mutex<VecDeque<Letter>>>,
}

#[derive(Clone, Serialize)]
struct Letter {
    place: String,
    id: String,
    timestamp: String,
    signature: String,
    body: String,
    time: String,
}

/// Boxes that are empty.
pub(super) fn router(now: Now) -> Router {
    Router::new()
        .route("/sandbox/webhooks/{place}", get(letters).post(take))
        .with_state(Boxes { now, letters: Arc::default() })
}

async fn take(
    State(boxes): State<Boxes>,
    Path(place): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let said = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let letter = Letter {
        id: said("webhook-id"),
        timestamp: said("webhook-timestamp"),
        signature: said("webhook-signature"),
        body: String::from_utf8_lossy(&body).into_owned(),
        time: (boxes.now)().to_string(),
        place,
    };
    let answer = match letter.place.as_str() {
        AWAY => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        GONE => StatusCode::GONE.into_response(),
        MOVED => {
            let elsewhere = [(header::LOCATION, "/sandbox/webhooks/elsewhere")];
            (StatusCode::TEMPORARY_REDIRECT, elsewhere).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    };
    let mut letters = boxes.letters.lock().unwrap_or_else(PoisonError::into_inner);
    if letters.len() == MESSAGES_MAX {
        letters.pop_front();
    }
    letters.push_back(letter);
    answer
}

async fn letters(State(boxes): State<Boxes>, Path(place): Path<String>) -> Json<Value> {
    let letters = boxes.letters.lock().unwrap_or_else(PoisonError::into_inner);
    let of = letters.iter().filter(|letter| letter.place == place);
    Json(json!({ "letters": of.cloned().collect::<Vec<_>>() }))
}
