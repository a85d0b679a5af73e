//! What comes that is not gRPC: plain JSON, Connect, gRPC-Web and the WebSocket line, all at the one port. No
//! rule of its own: whatever comes in becomes a call of a service, behind the same gate as gRPC.

mod bridge;
mod cors;
mod encoded;
mod frames;
mod front;
mod interpreter;
mod json;
mod left;
mod line;
mod openapi;
mod outbox;
mod refusal;
mod tongue;

use std::time::Duration;

use axum::{
    Extension, Router,
    extract::{State, WebSocketUpgrade},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

pub use self::{
    cors::Origins,
    front::{Front, no_request},
};
use self::{
    frames::Form,
    line::{Caller, Line},
};
use crate::service::gate::{self, Gated, Peer};

/// The services behind the gate, in process: what gRPC serves, too.
pub type Stack = Gated<Routes>;

/// What each line holds for reading and writing ahead; thousands may be open.
const BUFFER_BYTES: usize = 4 * 1024;

/// What one line may take. The tests have shorter times.
#[derive(Debug, Clone, Copy)]
pub struct LineLimits {
    /// How long a client may take for the head of its request.
    pub head_within: Duration,
    /// The largest frame of a client.
    pub frame_bytes_max: usize,
    /// Frames that wait for a client.
    pub waiting_frames_max: usize,
    /// Bytes that wait for a client; a larger frame waits alone.
    pub waiting_bytes_max: u32,
    /// Conversations that one line watches.
    pub watches_max: usize,
    /// How long a frame may take on its way to the client; after it the client does not read.
    pub write_within: Duration,
    /// Until when somebody must have signed in.
    pub sign_in_within: Duration,
    /// How often the client is asked for a sign of life.
    pub ping_every: Duration,
    /// How long a line lives without any frame of the client.
    pub idle_max: Duration,
    /// Frames that a client may send at once, and how often one more, as soon as somebody has signed in.
    pub frames_max: u32,
    /// See [`Self::frames_max`].
    pub frame_every: Duration,
    /// The same before anybody has signed in.
    pub unproven_frames_max: u32,
    /// See [`Self::unproven_frames_max`].
    pub unproven_frame_every: Duration,
    /// How long the end of a line may take: its last frame, and the client's.
    pub farewell_within: Duration,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self {
            head_within: Duration::from_secs(5),
            frame_bytes_max: 64 * 1024,
            waiting_frames_max: 64,
            waiting_bytes_max: 1024 * 1024,
            watches_max: 8,
            write_within: Duration::from_secs(10),
            sign_in_within: Duration::from_secs(10),
            // Middle boxes were seen to cut idle lines after minutes, phones after seconds in the
            // background: a lost line must be known soon (wechat.md, 1.1).
            ping_every: Duration::from_secs(25),
            idle_max: Duration::from_mins(1),
            // A person types some messages in a minute; a phone that comes back catches up on all of its
            // conversations at once.
            frames_max: 240,
            frame_every: Duration::from_millis(100),
            unproven_frames_max: 20,
            unproven_frame_every: Duration::from_secs(1),
            farewell_within: Duration::from_secs(5),
        }
    }
}

/// What every line needs to begin.
#[derive(Clone)]
struct Web {
    stack: Stack,
    limits: LineLimits,
    stop: CancellationToken,
    open: TaskTracker,
}

/// The line as a route.
fn line_router(path: &str, web: Web) -> Router {
    Router::new().route(path, get(shake_hands)).with_state(web)
}

/// The handshake: the client must speak a form that we know.
async fn shake_hands(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade
        .protocols(Form::ALL.map(Form::subprotocol))
        .max_message_size(web.limits.frame_bytes_max)
        .max_frame_size(web.limits.frame_bytes_max)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let form = upgrade.selected_protocol().and_then(|name| Form::of(name.as_bytes()));
    let Some(form) = form else {
        let known = Form::ALL.map(Form::subprotocol).join(", ");
        return (StatusCode::BAD_REQUEST, format!("Sec-WebSocket-Protocol: {known}\n"))
            .into_response();
    };
    // A header that holds no token is answered like a wrong token: by the gate.
    let token = gate::bearer(&headers).unwrap_or_else(|_| Some(String::new()));
    let client = Caller { client: web.stack.client(&peer, &headers), peer };
    // The server waits for the line from here on, also while the hands are shaken.
    let place = web.open.token();
    upgrade.on_upgrade(async move |socket| {
        Line::run(socket, form, web.stack, client, token, web.limits, web.stop).await;
        drop(place);
    })
}
