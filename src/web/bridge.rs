//! What stands between the protocols of the web and our services: the message as Protobuf in one frame of gRPC
//! on the way in, and out of it on the way back. This file alone knows how the library of protocols calls.

use std::{
    borrow::Cow,
    collections::HashMap,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use connectrpc::{
    CodecFormat, ConnectError, Dispatcher, EncodedBody, EncodedResponse, EncodedStream, ErrorCode,
    MethodDescriptor, MethodKind, Payload, RequestContext, Response as Answer,
    dispatcher::{RequestStream, StreamingResult, UnaryResult},
    handler::BoxFuture,
};
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use prost_reflect::{MessageDescriptor, MethodDescriptor as Reflected};
use tonic::{Code, Status, body::Body, service::Routes};
use tower::ServiceExt as _;

use super::{json, refusal, tongue::Shape};
use crate::{
    error::{Error, Flaw, Result},
    service::{gate, policy},
};

/// What stands before a message in gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;
/// `NO_SIDE_EFFECTS` of the option `idempotency_level`.
const NO_SIDE_EFFECTS: i32 = 1;

/// A method that can be called.
pub struct Method {
    asks: MessageDescriptor,
    answers: MessageDescriptor,
    path: String,
    kind: MethodKind,
    get: bool,
}

/// Every method by its path, without the slash before it.
pub type Methods = HashMap<String, Arc<Method>>;

/// All that there are: ours, and what goes by the gate.
pub fn methods() -> Methods {
    let services = json::POOL.services();
    let all = services.flat_map(|service| service.methods().collect::<Vec<_>>());
    all.map(|method| {
        let path = format!("{}/{}", method.parent_service().full_name(), method.name());
        (path.clone(), Arc::new(Method::new(&method, format!("/{path}"))))
    })
    .collect()
}

impl Method {
    fn new(method: &Reflected, path: String) -> Self {
        let kind = match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => MethodKind::Unary,
            (false, true) => MethodKind::ServerStreaming,
            (true, false) => MethodKind::ClientStreaming,
            (true, true) => MethodKind::BidiStreaming,
        };
        let get = kind == MethodKind::Unary && may_be_got(method);
        Self { asks: method.input(), answers: method.output(), path, kind, get }
    }

    /// How messages go to and fro.
    pub fn shape(&self) -> Shape {
        Shape { streams: self.kind != MethodKind::Unary, get: self.get }
    }

    /// Whether its client sends one message alone.
    pub fn asks_once(&self) -> bool {
        matches!(self.kind, MethodKind::Unary | MethodKind::ServerStreaming)
    }
}

/// Whether a method may be called by GET: the API says so of what changes nothing. What leaves no trace is
/// never called so, whatever the API says: every proxy writes addresses down.
pub fn may_be_got(method: &Reflected) -> bool {
    let level = method.options().get_field_by_name("idempotency_level").map(Cow::into_owned);
    let name = format!("{}/{}", method.parent_service().name(), method.name());
    let unseen = policy::access(&name).is_some_and(|(_, access)| access.unseen().is_some());
    !unseen && level.and_then(|level| level.as_enum_number()) == Some(NO_SIDE_EFFECTS)
}

/// What is known of a call beside the answer that the library makes of it.
#[derive(Debug, Clone, Default)]
pub struct Note(Arc<Mutex<Noted>>);

/// See [`Note`].
#[derive(Debug, Default)]
pub struct Noted {
    /// Whether the library understood the call.
    pub reached: bool,
    /// Why there is no answer.
    pub refused: Option<Status>,
    /// Fields that the client sent and we do not know.
    pub unknown: Vec<String>,
}

impl Note {
    fn of(context: &RequestContext) -> Self {
        let note = context.extensions().get::<Self>().cloned().unwrap_or_default();
        note.with(|noted| noted.reached = true);
        note
    }

    fn with<T>(&self, change: impl FnOnce(&mut Noted) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was noted.
    pub fn take(&self) -> Noted {
        self.with(mem::take)
    }

    /// Notes why there is no answer; the library's own words for it are not sent.
    fn refuse(&self, status: Status) -> ConnectError {
        self.with(|noted| noted.refused = Some(status));
        ConnectError::new(ErrorCode::Unknown, "")
    }
}

/// Calls the services for the library.
pub struct Bridge {
    routes: Routes,
    methods: Arc<Methods>,
}

impl Bridge {
    /// In front of these services.
    pub const fn new(routes: Routes, methods: Arc<Methods>) -> Self {
        Self { routes, methods }
    }

    /// A call of one message.
    fn asked(&self, path: &str, context: &RequestContext) -> Option<Call> {
        let method = self.methods.get(path)?.clone();
        let (routes, note) = (self.routes.clone(), Note::of(context));
        Some(Call { routes, method, note, extensions: context.extensions().clone() })
    }
}

/// One call on its way.
struct Call {
    routes: Routes,
    method: Arc<Method>,
    note: Note,
    extensions: http::Extensions,
}

impl Call {
    /// The message as Protobuf, in a frame.
    fn read(&self, message: &[u8], format: CodecFormat) -> Result<Bytes> {
        if format == CodecFormat::Proto {
            return Ok(framed(message));
        }
        let (message, unknown) = json::decode(&self.method.asks, message)?;
        if !unknown.is_empty() {
            self.note.with(|noted| noted.unknown = unknown);
        }
        Ok(framed(&message))
    }

    async fn once(self, message: Bytes, format: CodecFormat) -> Result<Response<Body>, Status> {
        let message = self.read(&message, format)?;
        self.send(Body::new(Full::new(message))).await
    }

    async fn many(
        self,
        messages: RequestStream,
        format: CodecFormat,
    ) -> Result<Response<Body>, Status> {
        let asks = self.method.asks.clone();
        let frames = messages.map(move |message| {
            let message = message.map_err(|error| {
                let lost = Error::field("message", Flaw::MessageMalformed);
                Status::from(lost.because(error.to_string()))
            })?;
            let message = match format {
                CodecFormat::Proto => framed(&message),
                _ => framed(&json::decode(&asks, &message)?.0),
            };
            Ok::<_, Status>(Frame::data(message))
        });
        let frames: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(frames);
        self.send(Body::new(StreamBody::new(frames))).await
    }

    async fn send(self, body: Body) -> Result<Response<Body>, Status> {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.method.path.parse().map_err(Error::internal)?;
        *request.extensions_mut() = self.extensions;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        let response = self.routes.oneshot(request).await.unwrap_or_else(|never| match never {});
        // A message that is none is refused by the services' library, in its own words.
        let response = gate::ours(response)?;
        match Status::from_header_map(response.headers()) {
            Some(status) if status.code() != Code::Ok => Err(status),
            _ => Ok(response),
        }
    }
}

impl Dispatcher for Bridge {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        let method = self.methods.get(path)?;
        Some(MethodDescriptor::from_kind(method.kind).with_idempotent(method.get))
    }

    fn call_unary(
        &self,
        path: &str,
        context: RequestContext,
        request: Payload,
        format: CodecFormat,
    ) -> UnaryResult {
        let Some(call) = self.asked(path, &context) else { return missing() };
        Box::pin(async move {
            let message = request.encoded()?;
            let (note, answers) = (call.note.clone(), call.method.answers.clone());
            answer(call.once(message, format).await, &answers, format, &note).await
        })
    }

    fn call_server_streaming(
        &self,
        path: &str,
        context: RequestContext,
        request: Bytes,
        format: CodecFormat,
    ) -> StreamingResult {
        let Some(call) = self.asked(path, &context) else { return missing() };
        Box::pin(async move {
            let (note, answers) = (call.note.clone(), call.method.answers.clone());
            let response = call.once(request, format).await;
            response.map(|it| answers_of(it, answers, format)).map_err(|status| note.refuse(status))
        })
    }

    fn call_client_streaming(
        &self,
        path: &str,
        context: RequestContext,
        requests: RequestStream,
        format: CodecFormat,
    ) -> UnaryResult {
        let Some(call) = self.asked(path, &context) else { return missing() };
        Box::pin(async move {
            let (note, answers) = (call.note.clone(), call.method.answers.clone());
            answer(call.many(requests, format).await, &answers, format, &note).await
        })
    }

    fn call_bidi_streaming(
        &self,
        path: &str,
        context: RequestContext,
        requests: RequestStream,
        format: CodecFormat,
    ) -> StreamingResult {
        let Some(call) = self.asked(path, &context) else { return missing() };
        Box::pin(async move {
            let (note, answers) = (call.note.clone(), call.method.answers.clone());
            let response = call.many(requests, format).await;
            response.map(|it| answers_of(it, answers, format)).map_err(|status| note.refuse(status))
        })
    }
}

/// The front has looked the method up before.
fn missing<T: Send + 'static>() -> BoxFuture<'static, Result<T, ConnectError>> {
    Box::pin(async { Err(ConnectError::new(ErrorCode::Unimplemented, "")) })
}

/// The one message of an answer, as it is sent.
async fn answer(
    response: Result<Response<Body>, Status>,
    answers: &MessageDescriptor,
    format: CodecFormat,
    note: &Note,
) -> Result<EncodedResponse, ConnectError> {
    let whole = async {
        let body = response?.into_body().collect().await?;
        let failed = body.trailers().and_then(Status::from_header_map);
        if let Some(status) = failed.filter(|status| status.code() != Code::Ok) {
            return Err(status);
        }
        let mut bytes = BytesMut::from(body.to_bytes());
        let message = unframed(&mut bytes)?.ok_or_else(|| Error::internal("no message"))?;
        Ok(write(answers, message, format)?)
    };
    whole.await.map(Answer::new).map_err(|status| note.refuse(status))
}

/// The messages of an answer, as they are sent; a refusal under way is their end.
fn answers_of(
    response: Response<Body>,
    answers: MessageDescriptor,
    format: CodecFormat,
) -> Answer<EncodedStream> {
    let begun = Some((response.into_body(), BytesMut::new()));
    let messages = stream::unfold(begun, move |under_way| {
        let answers = answers.clone();
        async move {
            let (mut body, mut buffer) = under_way?;
            match next(&mut body, &mut buffer).await {
                Ok(Some(message)) => match write(&answers, message, format) {
                    Ok(message) => Some((Ok(message), Some((body, buffer)))),
                    Err(error) => Some((Err(refusal::told(&error.into())), None)),
                },
                Ok(None) => None,
                Err(status) => Some((Err(refusal::told(&status)), None)),
            }
        }
    });
    let messages: EncodedStream = Box::pin(messages);
    Answer::new(messages)
}

/// The next message, or the end.
async fn next(body: &mut Body, buffer: &mut BytesMut) -> Result<Option<Bytes>, Status> {
    loop {
        if let Some(message) = unframed(buffer)? {
            return Ok(Some(message));
        }
        let Some(frame) = body.frame().await else { return Ok(None) };
        match frame?.into_data() {
            Ok(data) => buffer.extend_from_slice(&data),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                let end = Status::from_header_map(&trailers);
                return match end.filter(|status| status.code() != Code::Ok) {
                    Some(status) => Err(status),
                    None => Ok(None),
                };
            }
        }
    }
}

fn write(answers: &MessageDescriptor, message: Bytes, format: CodecFormat) -> Result<EncodedBody> {
    if format == CodecFormat::Proto {
        return Ok(message.into());
    }
    Ok(Bytes::from(json::encode(answers, &message)?).into())
}

/// A message in a frame of gRPC.
fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len().saturating_add(PREFIX_BYTES));
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Takes a whole message out of its frame, where one is there.
fn unframed(buffer: &mut BytesMut) -> Result<Option<Bytes>> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let [compressed, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if compressed != 0 {
        return Err(Error::internal("a service compressed its answer without being asked"));
    }
    if rest.len() < length {
        return Ok(None);
    }
    buffer.advance(PREFIX_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}
