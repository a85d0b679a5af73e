//! The one gate: deadline, token to context, POLICY, span, metrics, one log line. No method's own
//! work.

mod aside;
mod head;
mod lanes;
mod message;
mod peer;

use std::{
    convert::Infallible,
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use moka::sync::Cache as Memo;
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::{
    Instrument as _, Span, field, instrument::WithSubscriber as _, subscriber::NoSubscriber,
};
use uuid::Uuid;

use self::lanes::Lanes;
pub use self::{lanes::REQUEST_BYTES_MAX, message::ours, peer::Peer};
use super::policy;
use crate::{
    actor::Actor,
    address::{FORWARDED, Proxies, counted},
    clock::{Clock, Ids},
    context::Cx,
    error::{Error, Reason, Result},
    store::{Store, World, identity::actors},
    token,
};

/// The longest a call may take; a client may ask for less (`grpc-timeout`).
const DEADLINE: Duration = Duration::from_secs(5);
/// Verified tokens that are remembered: the signature only, never the session.
const TOKENS_REMEMBERED: u64 = 20_000;
/// The package of our services; other services (health, reflection) pass.
const PACKAGE: &str = "/jingqi.v1.";
const REFRESH: &str = "IdentityService/RefreshSession";
/// What spans and figures call a method that does not exist.
const UNKNOWN: &str = "unknown";

struct Meters {
    duration: Histogram<f64>,
    refused: Counter<u64>,
}

static METERS: LazyLock<Meters> = LazyLock::new(|| {
    let meter = global::meter("jingqi");
    Meters {
        duration: meter.f64_histogram("rpc.server.duration").with_unit("s").build(),
        refused: meter.u64_counter("jingqi.gate.refused").build(),
    }
});

/// What the gate knows.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    world: World,
    clock: Clock,
    ids: Ids,
    proxies: Proxies,
    lanes: Lanes,
    tools: aside::Tools,
    verified: Memo<[u8; 32], Arc<(String, token::Access)>>,
}

impl Gate {
    /// A gate in front of the services of this store.
    #[must_use]
    pub fn new(parts: &crate::parts::Parts, proxies: Proxies) -> Self {
        let verified = Memo::builder()
            .max_capacity(TOKENS_REMEMBERED)
            .time_to_live(Duration::from_mins(11))
            .build();
        let shared = Shared {
            store: parts.store.clone(),
            world: parts.world.clone(),
            clock: parts.clock.clone(),
            ids: parts.ids.clone(),
            proxies,
            lanes: Lanes::default(),
            tools: aside::Tools::default(),
            verified,
        };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated { inner, gate: self.clone() }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub struct Gated<S> {
    inner: S,
    gate: Gate,
}

impl<S> Gated<S> {
    /// Who calls from this peer with these headers, where proxies stand between.
    pub fn client(&self, peer: &Peer, headers: &HeaderMap) -> Client {
        let forwarded = headers.get_all(FORWARDED).iter().collect::<Vec<_>>();
        let forwarded = forwarded.into_iter().map(|value| value.to_str().unwrap_or_default());
        Client(self.gate.shared.proxies.client(peer.address().ip(), forwarded))
    }
}

/// Who called, where that was found out before the call was made: by the door of mini-programs, whose
/// calls come from this process itself.
#[derive(Debug, Clone, Copy)]
pub struct Client(IpAddr);

/// Stands with a call that is not spoken in gRPC: whoever stands behind the gate reads its body.
#[derive(Debug, Clone, Copy)]
pub struct Foreign;

/// Stands with an answer that is not spoken in gRPC: how the call went, for our figures.
#[derive(Debug, Clone, Copy)]
pub struct Went(pub Code);

/// Answers in the turn of the connection. A stranger's call has not ended before he has taken its answer.
async fn in_turn(
    peer: Peer,
    begun: OwnedSemaphorePermit,
    answer: Answer,
) -> Result<Response<Body>> {
    let turn = peer.turn(DEADLINE).await?;
    let response = answer.await.unwrap_or_else(|never| match never {});
    drop(turn);
    let response = peer.answered(response).await?;
    if peer.is_proven() || http_body::Body::is_end_stream(response.body()) {
        return Ok(response);
    }
    Ok(response.map(|body| aside::holding(body, begun)))
}

/// What a call is told that is not even looked at.
fn refused(error: Error) -> Answer {
    Box::pin(std::future::ready(Ok(Status::from(error).into_http())))
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        let Some(peer) = request.extensions().get::<Peer>().cloned() else {
            return self.judged(request);
        };
        if request.uri().path().starts_with(PACKAGE) {
            if request.extensions().get::<Client>().is_none() {
                let client = self.client(&peer, request.headers());
                request.extensions_mut().insert(client);
            }
            let begun = match peer.begin() {
                Ok(begun) => begun,
                Err(error) => return refused(error),
            };
            head::slim(&mut request);
            let answer = self.judged(request);
            return Box::pin(async move {
                let answered = in_turn(peer, begun, answer).await;
                Ok(answered.unwrap_or_else(|error| Status::from(error).into_http()))
            });
        }
        match aside::enter(&peer, &self.gate.shared.tools, request) {
            Ok((request, place)) => {
                let answer = self.judged(request);
                Box::pin(async move { Ok(answer.await?.map(|body| aside::holding(body, place))) })
            }
            Err(error) => refused(error),
        }
    }
}

impl<S> Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    fn judged(&mut self, request: Request<Body>) -> Answer {
        // The service that was polled ready serves the call; its copy takes the next one.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let Some(path) = request.uri().path().strip_prefix(PACKAGE) else {
            return Box::pin(async move { ready.call(request).await });
        };
        // Spans and figures know the methods of POLICY alone: names that strangers invent would fill them.
        let known = policy::access(path);
        let method = known.map_or(UNKNOWN, |(method, _)| method);
        let shared = self.gate.shared.clone();
        let address = request.extensions().get::<Client>().map(|Client(address)| *address);
        if known.is_some_and(|(_, access)| access.unseen().is_some()) {
            // No span, no figure, no line, of a failure or a slow statement either: when somebody filed a
            // report is a trace, too.
            let work = async move {
                let answer =
                    shared.serve(known, head::without_traces(request), address, ready).await;
                Ok(answer.unwrap_or_else(|error| Status::from(error).into_http()))
            };
            return Box::pin(work.with_subscriber(NoSubscriber::new()));
        }
        let span = tracing::info_span!(
            "call",
            otel.name = method,
            rpc.system = "grpc",
            rpc.method = method,
            rpc.grpc.status_code = field::Empty,
            actor.id = field::Empty,
            call.id = field::Empty,
        );
        let work = async move {
            let began = Instant::now();
            let answer = shared.serve(known, request, address, ready).await;
            let response = answer.unwrap_or_else(|error| Status::from(error).into_http());
            record(method, &response, began.elapsed());
            Ok(response)
        };
        Box::pin(work.instrument(span))
    }
}

impl Shared {
    async fn serve<S>(
        self: Arc<Self>,
        known: Option<(&'static str, policy::Access)>,
        mut request: Request<Body>,
        address: Option<IpAddr>,
        mut service: S,
    ) -> Result<Response<Body>>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send + 'static,
        S::Future: Send + 'static,
    {
        let (method, access) = known.ok_or_else(|| Error::new(Reason::Denied))?;
        let lane = self.lanes.of(method, access);
        let ends = Instant::now() + deadline(&request);
        let late = |_| Error::new(Reason::DeadlineExceeded);
        let peer = request.extensions().get::<Peer>().cloned();
        // Where anybody may call unseen, it does not matter who it was.
        let unread = matches!(access, policy::Access::Unseen(_));
        let foreign = request.extensions().get::<Foreign>().is_some();
        let token = if unread { None } else { bearer(request.headers())? };
        if access.unseen().is_some() {
            request.extensions_mut().clear();
            request.headers_mut().remove(http::header::AUTHORIZATION);
        }
        // Who may not call waits in no lane with its body. Whoever gives up in the meantime leaves the
        // place taken while the store still works for it.
        let (place, gate) = (lane.place_of(peer.as_ref(), ends).await?, self.clone());
        // Boxed, and given back before the body is awaited: tens of kilobytes of every call that hangs.
        let admitted = self.store.to_its_end(Box::pin(async move {
            let admitted = gate.admit(method, access, token, address).await;
            drop(place);
            admitted
        }));
        let cx = timeout_at(ends, admitted).await.map_err(late)??;
        let span = Span::current();
        if access.unseen().is_none() {
            span.record("actor.id", cx.actor.name());
            if let Some(peer) = peer.as_ref().filter(|_| cx.actor != Actor::Anonymous) {
                peer.prove();
            }
            span.record("call.id", field::display(cx.call));
        }
        let (head, body) = request.into_parts();
        let body = timeout_at(ends, lane.whole(body, peer.as_ref())).await.map_err(late)??;
        if !foreign {
            message::check(&head.headers, &body.bytes)?;
        }
        let mut request = Request::from_parts(head, Body::new(Full::new(body.bytes)));
        request.extensions_mut().insert(cx);
        let place = lane.place_of(peer.as_ref(), ends).await?;
        // In a task of its own: a write goes on to its commit when the client goes away, and its
        // repetition finds the stored answer.
        let work = async move {
            let answer = service.call(request).await;
            drop((place, body.charged));
            answer
        };
        let work = work.instrument(span);
        let task = if access.unseen().is_some() {
            tokio::spawn(work.with_subscriber(NoSubscriber::new()))
        } else {
            tokio::spawn(work)
        };
        match timeout_at(ends, task).await {
            Ok(Ok(Ok(response))) => message::ours(response),
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(panicked)) => Err(Error::internal(panicked)),
            Err(_) => Err(Error::new(Reason::DeadlineExceeded)),
        }
    }

    /// Makes the context, where POLICY permits the call. Authorisation comes before validation:
    /// who may not call learns nothing of what a right request looks like.
    async fn admit(
        &self,
        method: &'static str,
        access: policy::Access,
        token: Option<String>,
        address: Option<IpAddr>,
    ) -> Result<Cx> {
        let now = self.clock.now();
        self.world.agrees(&self.clock)?;
        let actor = match token {
            Some(token) => self.authenticate(method, &token, now).await?,
            None => Actor::Anonymous,
        };
        if !policy::permits(access, &actor) {
            let reason =
                if actor == Actor::Anonymous { Reason::TokenMissing } else { Reason::Denied };
            return Err(Error::new(reason));
        }
        let mut cx = Cx::new(actor, now, method, self.ids.clone());
        let Some(an_hour) = access.unseen() else {
            cx.address = address;
            return Ok(cx);
        };
        let who = match cx.actor {
            Actor::Anonymous => address.map(|address| counted(address).to_string()),
            _ => Some(cx.actor.name()),
        };
        let who = format!("{method} {}", who.unwrap_or_default());
        self.store.limits().unseen().count(&who, an_hour, now, self.ids.bytes())?;
        cx.call = Uuid::nil();
        Ok(cx)
    }

    async fn authenticate(&self, method: &str, token: &str, now: jiff::Timestamp) -> Result<Actor> {
        let world = self.world.get(&self.store).await?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (kid, access) = if let Some(known) = self.verified.get(&digest) {
            (known.0.clone(), known.1.clone())
        } else {
            let kid = token::kid(token)?;
            let key = world.token_key(&kid, now)?;
            let access = token::verify(token, &key.public_key)?;
            self.verified.insert(digest, Arc::new((kid.clone(), access.clone())));
            (kid, access)
        };
        // Remembered or not, the key must still be one that we trust.
        world.token_key(&kid, now)?;
        access.in_time(now)?;
        let standing = actors::standing(&self.store, &access.sub, self.ids.bytes()).await?;
        if standing.password_expired() && !method.starts_with("IdentityService/") {
            return Err(Error::new(Reason::Denied).fact("cause", "PASSWORD_EXPIRED"));
        }
        let (_, id) = actors::read_name(&access.sub)?;
        let actor = standing.actor(id, access.sid, now)?;
        self.goes_on(method, &actor, now).await?;
        Ok(actor)
    }

    /// Refuses an officer who has not called for too long; whoever calls now goes on.
    async fn goes_on(&self, method: &str, actor: &Actor, now: jiff::Timestamp) -> Result<()> {
        let Actor::Officer { session, .. } = actor else { return Ok(()) };
        // To refresh is no call: a client does it by itself.
        if method == REFRESH {
            return Ok(());
        }
        let cx = Cx::job("idle-sessions", now, self.ids.clone());
        if self.store.activity().call(&self.store, *session, cx).await? {
            return Ok(());
        }
        Err(Error::new(Reason::SessionEnded))
    }
}

/// The token of these headers. The scheme is one in whatever letters it is written (RFC 9110, 11.1); two
/// tokens are none: whoever stands between us and the client may have read the other one.
///
/// # Errors
/// `TOKEN_INVALID` where there is something else than one token.
pub fn bearer(headers: &HeaderMap) -> Result<Option<String>> {
    let mut sent = headers.get_all(http::header::AUTHORIZATION).iter();
    let Some(header) = sent.next() else { return Ok(None) };
    let token = header
        .to_str()
        .ok()
        .filter(|_| sent.next().is_none())
        .and_then(|text| text.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_start().to_owned());
    token.map(Some).ok_or_else(|| Error::new(Reason::TokenInvalid))
}

/// The client's own deadline, where it is shorter than ours.
fn deadline(request: &Request<Body>) -> Duration {
    let asked = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
    asked.and_then(grpc_timeout).map_or(DEADLINE, |asked| asked.min(DEADLINE))
}

fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(amount.saturating_mul(3_600))),
        "M" => Some(Duration::from_secs(amount.saturating_mul(60))),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

fn record(method: &'static str, response: &Response<Body>, took: Duration) {
    let went = response.extensions().get::<Went>().map(|Went(code)| *code);
    let went = went.or_else(|| Some(Status::from_header_map(response.headers())?.code()));
    let code = went.map_or(0, |code| code as i32);
    Span::current().record("rpc.grpc.status_code", code);
    let labels = [KeyValue::new("rpc.method", method), KeyValue::new("rpc.code", i64::from(code))];
    METERS.duration.record(took.as_secs_f64(), &labels);
    if code != 0 {
        METERS.refused.add(1, &labels);
    }
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(rpc.code = code, took_us, "answered");
}

#[cfg(test)]
mod tests {
    use super::grpc_timeout;
    use std::time::Duration;

    #[test]
    fn a_deadline_of_the_client_is_read() {
        assert_eq!(grpc_timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(grpc_timeout("1S"), Some(Duration::from_secs(1)));
        for malformed in ["", "S", "1", "1x", "-1S", "123456789S", "超"] {
            assert_eq!(grpc_timeout(malformed), None, "{malformed}");
        }
    }
}
