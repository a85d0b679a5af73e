//! Takes a call that the gate has let through, in whichever tongue it comes, and answers it in that tongue. Who
//! may call is judged before it, and what is done behind it.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use connectrpc::{ConnectRpcService, Limits};
use http::{
    HeaderValue, Request, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Service;

use super::{
    bridge::{Bridge, Method, Methods, Note},
    encoded, refusal,
    tongue::{self, Spoken, Tongue},
};
use crate::{
    error::{Error, Flaw, Reason, Result},
    service::gate::{REQUEST_BYTES_MAX, Went},
};

/// The header in which whoever sends fields that we do not know is told so.
pub const UNKNOWN_FIELDS: &str = "jingqi-unknown-fields";
/// How long a body may take of a call that goes by the gate, which waits for no other one.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// What stands before a message in an envelope.
const PREFIX_BYTES: usize = 5;

/// Stands behind the gate for every tongue but gRPC.
#[derive(Clone)]
pub struct Interpreter {
    protocols: ConnectRpcService<Bridge>,
    methods: Arc<Methods>,
}

impl Interpreter {
    /// For these services.
    pub fn new(routes: Routes, methods: Arc<Methods>) -> Self {
        let limits = Limits::default()
            .with_max_request_body_size(REQUEST_BYTES_MAX.saturating_add(PREFIX_BYTES))
            .with_max_message_size(REQUEST_BYTES_MAX);
        let bridge = Bridge::new(routes, methods.clone());
        Self { protocols: ConnectRpcService::new(bridge).with_limits(limits), methods }
    }
}

impl Service<Request<Body>> for Interpreter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let found = self.methods.get(request.uri().path().trim_start_matches('/')).cloned();
        let spoken = found
            .as_ref()
            .map(|method| tongue::of(request.method(), request.headers(), method.shape()));
        // Once here and not in the task: what is told of this call is told to nobody where it is unseen.
        let protocols = self.protocols.clone();
        Box::pin(async move {
            let (Some(method), Some(Ok(spoken))) = (found, spoken) else {
                // The front asks for both before it lets a call pass.
                return Ok(refusal::plain(&Error::new(Reason::MethodUnknown).into()));
            };
            let answer = interpret(protocols, &method, spoken, request).await;
            Ok(answer.unwrap_or_else(|error| refusal::of(&Status::from(error), spoken)))
        })
    }
}

async fn interpret(
    mut protocols: ConnectRpcService<Bridge>,
    method: &Method,
    spoken: Spoken,
    request: Request<Body>,
) -> Result<Response<Body>> {
    let (mut head, body) = request.into_parts();
    let body = if method.asks_once() {
        Body::new(Full::new(checked(spoken, collected(body).await?)?))
    } else {
        body
    };
    // The gate keeps the time, and the type is one of many ways to write it.
    for timeout in ["grpc-timeout", "connect-timeout-ms"] {
        head.headers.remove(timeout);
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(spoken.essence()));
    let note = Note::default();
    head.extensions.insert(note.clone());
    let answered = protocols.call(Request::from_parts(head, body)).await;
    let response = answered.unwrap_or_else(|never| match never {});
    let noted = note.take();
    let mut response = if let Some(status) = noted.refused {
        refusal::of(&status, spoken)
    } else if noted.reached {
        given(response.map(Body::new), spoken)
    } else {
        // The library refused it, in words of its own.
        return Err(Error::field("message", Flaw::MessageMalformed));
    };
    if !noted.unknown.is_empty()
        && let Ok(names) = HeaderValue::from_str(&noted.unknown.join(", "))
    {
        response.headers_mut().insert(UNKNOWN_FIELDS, names);
    }
    Ok(response)
}

/// The body in one piece. Of our methods the gate has it already.
async fn collected(body: Body) -> Result<Bytes> {
    let most = REQUEST_BYTES_MAX.saturating_add(PREFIX_BYTES);
    let collected = timeout(BODY_WITHIN, Limited::new(body, most).collect()).await;
    let collected = collected.map_err(|_| Error::new(Reason::DeadlineExceeded))?;
    // What the gate has collected is never longer.
    let collected = collected.map_err(|_| Error::field("message", Flaw::TooLong))?;
    Ok(collected.to_bytes())
}

/// The body as the library reads it: one message that is not too long, in whatever tongue.
fn checked(spoken: Spoken, body: Bytes) -> Result<Bytes> {
    let malformed = || Error::field("message", Flaw::MessageMalformed);
    let body = match spoken.tongue {
        Tongue::Plain if body.len() > REQUEST_BYTES_MAX => {
            return Err(Error::field("message", Flaw::TooLong));
        }
        Tongue::Plain | Tongue::Get => return Ok(body),
        Tongue::Web { text: true } => encoded::plain(&body).ok_or_else(malformed)?,
        Tongue::Stream | Tongue::Web { text: false } => body,
    };
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(malformed());
    };
    let [_, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > REQUEST_BYTES_MAX {
        return Err(Error::field("message", Flaw::TooLong));
    }
    if message.len() == length { Ok(body) } else { Err(malformed()) }
}

/// An answer as it is given to its client.
fn given(mut response: Response<Body>, spoken: Spoken) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Went(Code::Ok));
    if spoken.tongue != (Tongue::Web { text: true }) {
        return response;
    }
    let text = HeaderValue::from_static("application/grpc-web-text+proto");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response.map(|body| {
        Body::new(body.map_frame(|frame| frame.map_data(|data| encoded::base64(&data))))
    })
}
