//! Where every request at a port goes: gRPC to the services as it is, its sisters by the interpreter, the line
//! to its handshake, and what is asked without a call is answered here. Whatever else comes gets a status of
//! HTTP. No rule of its own: the gate judges every call.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW},
};
use hyper::body::Incoming;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body, service::Routes};
use tower::{Layer as _, Service, ServiceExt as _};

use super::{
    LineLimits, Stack, Web,
    bridge::{self, Methods},
    cors::Origins,
    interpreter::Interpreter,
    left::Left,
    openapi, refusal,
    tongue::{self, Spoken, Tongue, Unspoken},
};
use crate::{
    error::{Error, Flaw, Reason},
    service::gate::{Foreign, Gate, Gated, Peer},
};

/// What a client may send us instead (RFC 7231's `Accept`, for a body).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
/// Answers whether the process lives, and whether it is ready for calls.
const LIVE: &str = "/livez";
const READY: &str = "/readyz";
/// Describes every method for tools of the web.
const DESCRIBED: &str = "/openapi.json";
/// Where the line begins.
const LINE: &str = "/v1/line";

/// The services of a server, as every door of it gives them.
#[derive(Clone)]
pub struct Front {
    /// gRPC itself, with nothing between.
    grpc: Stack,
    others: Arc<Others>,
}

/// What is not gRPC.
struct Others {
    interpreted: Gated<Interpreter>,
    methods: Arc<Methods>,
    line: axum::Router,
    lines: TaskTracker,
    head_within: std::time::Duration,
    ready: Arc<AtomicBool>,
    origins: Origins,
}

impl Front {
    /// In front of these services, behind this gate.
    #[must_use]
    pub fn new(
        gate: &Gate,
        routes: Routes,
        limits: LineLimits,
        origins: Origins,
        ready: Arc<AtomicBool>,
        stop: CancellationToken,
    ) -> Self {
        let methods = Arc::new(bridge::methods());
        let grpc = gate.layer(routes.clone());
        let interpreted = gate.layer(Interpreter::new(routes, methods.clone()));
        let lines = TaskTracker::new();
        let web = Web { stack: grpc.clone(), limits, stop, open: lines.clone() };
        let line = super::line_router(LINE, web);
        let head_within = limits.head_within;
        let others = Others { interpreted, methods, line, lines, head_within, ready, origins };
        Self { grpc, others: Arc::new(others) }
    }

    /// How long a client may take for the head of a request.
    #[must_use]
    pub fn head_within(&self) -> std::time::Duration {
        self.others.head_within
    }

    /// The same, for the calls of one connection.
    #[must_use]
    pub fn of(&self, peer: Peer) -> Fronted {
        Fronted { front: self.clone(), peer }
    }

    /// Waits until the last line has ended.
    pub async fn closed(&self) {
        self.others.lines.close();
        self.others.lines.wait().await;
    }
}

/// The services for one connection.
#[derive(Clone)]
pub struct Fronted {
    front: Front,
    peer: Peer,
}

impl Service<Request<Incoming>> for Fronted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.front.grpc.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        if tongue::is_grpc(request.headers()) {
            return self.front.grpc.call(request.map(Body::new));
        }
        let others = self.front.others.clone();
        Box::pin(async move { Ok(others.answer(request).await) })
    }
}

impl Others {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let origin = self.origins.of(request.headers());
        let mut response = match self.origins.preflight(&request) {
            Some(response) => response,
            None => self.route(request).await,
        };
        self.origins.allow(origin, &mut response);
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path();
        if path == LINE {
            let request = request.map(axum::body::Body::new);
            let response = self.line.clone().oneshot(request).await;
            return response.unwrap_or_else(|never| match never {}).map(Body::new);
        }
        if let Some(method) = self.methods.get(path.trim_start_matches('/')) {
            let shape = method.shape();
            let request = Left::of(request);
            return match tongue::of(request.method(), request.headers(), shape) {
                Ok(spoken) => self.call(request, spoken).await,
                Err(unspoken) => unfit(unspoken, shape),
            };
        }
        let known = [LIVE, READY, DESCRIBED].contains(&path);
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        let response = match path {
            LIVE if reads => told(StatusCode::OK, "ok\n"),
            READY if reads && self.ready.load(Ordering::Relaxed) => told(StatusCode::OK, "ready\n"),
            READY if reads => told(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            DESCRIBED if reads => openapi::answer(request.headers()),
            _ if known => not_so("GET, HEAD"),
            _ => refusal::plain(&Error::new(Reason::MethodUnknown).into()),
        };
        drop(Left::of(request));
        response
    }

    /// A call, which the gate judges like any other.
    async fn call(&self, request: Request<Left>, spoken: Spoken) -> Response<Body> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Foreign);
        if !matches!(spoken.tongue, Tongue::Web { .. }) {
            keep_time(request.headers_mut());
        }
        let answered = self.interpreted.clone().oneshot(request).await;
        let response = answered.unwrap_or_else(|never| match never {});
        // What the gate refuses, it refuses in gRPC.
        match refusal::by_gate(&response) {
            Some(status) => refusal::of(&status, spoken),
            None => response,
        }
    }
}

/// Connect's way to say how long a client waits, in the words of gRPC.
fn keep_time(headers: &mut HeaderMap) {
    headers.remove("grpc-timeout");
    let Some(sent) = headers.remove("connect-timeout-ms") else { return };
    let milliseconds = sent.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    let Some(milliseconds) = milliseconds else { return };
    let text = format!("{}m", milliseconds.min(99_999_999));
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert("grpc-timeout", value);
    }
}

/// What a call is told that is not spoken as its method is.
fn unfit(unspoken: Unspoken, shape: tongue::Shape) -> Response<Body> {
    let unsupported = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    let (field, name, value) = match unspoken {
        Unspoken::Verb => return not_so(if shape.get { "GET, POST" } else { "POST" }),
        Unspoken::Type => ("content-type", ACCEPT_POST, tongue::accepted(shape)),
        Unspoken::Encoding => ("content-encoding", ACCEPT_ENCODING, "gzip, identity".to_owned()),
    };
    let mut response = refusal::with(Error::field(field, Flaw::UnknownValue), unsupported);
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Told where something is that has other verbs.
fn not_so(verbs: &'static str) -> Response<Body> {
    let error = Error::field("method", Flaw::UnknownValue);
    let mut response = refusal::with(error, StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(verbs));
    response
}

fn told(code: StatusCode, text: &'static str) -> Response<Body> {
    refusal::whole(code, "text/plain; charset=utf-8", text.into())
}

/// A refusal of something that is no request at all, as bytes of HTTP/1.1.
#[must_use]
pub fn no_request() -> Vec<u8> {
    let error = refusal::told(&Status::from(Error::field("message", Flaw::MessageMalformed)));
    let body = serde_json::to_string(&error).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}
