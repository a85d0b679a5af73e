//! The server itself: limits against strangers, health, reflection, what happens when PostgreSQL or
//! Redis is away.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use jingqi::surface::{
    server::{self, Doors, Doorway},
    service::pb::{self, truck_pass_service_client::TruckPassServiceClient},
};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tracing_subscriber::{
    Layer as _, filter::LevelFilter, fmt::format::FmtSpan, layer::SubscriberExt as _,
};

use crate::harness::{App, User, Wish, fields, reason};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";

/// The settings that the server sends first, by their ids.
async fn settings(app: &App) -> Vec<(u16, u32)> {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    let mut header = [0; 9];
    stream.read_exact(&mut header).await.unwrap();
    let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.unwrap();
    let pair = |entry: &[u8]| {
        (
            u16::from_be_bytes([entry[0], entry[1]]),
            u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]),
        )
    };
    body.chunks(6).map(pair).collect()
}

// Finding 1 of invariants.md: without this one line the server falls to one connection.
#[sqlx::test]
async fn the_server_limits_streams_and_headers_of_a_connection(pool: PgPool) {
    let app = App::start(pool).await;
    let settings = settings(&app).await;
    assert!(settings.contains(&(3, 100)), "MAX_CONCURRENT_STREAMS: {settings:?}");
    assert!(settings.contains(&(6, 8 * 1024)), "MAX_HEADER_LIST_SIZE: {settings:?}");
}

// Finding 2: whoever says nothing is dropped, and whoever says something else is told so.
#[sqlx::test]
async fn a_connection_that_does_not_speak_http_is_sent_away(pool: PgPool) {
    let preface_within = Duration::from_millis(200);
    let doorway = Some(Doorway { preface_within, ..Doorway::default() });
    let app = App::wished(pool, Wish { doorway, ..Wish::default() }).await;
    let mut buffer = [0; 16];
    let mut silent = TcpStream::connect(app.address).await.unwrap();
    assert_eq!(silent.read(&mut buffer).await.unwrap(), 0);
    let mut slow = TcpStream::connect(app.address).await.unwrap();
    slow.write_all(&PREFACE[..10]).await.unwrap();
    assert!(matches!(slow.read(&mut buffer).await, Ok(0) | Err(_)));
    for other in [&b"\x16\x03\x01\x02\x00"[..], b"EHLO\r\n", b"get / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(other).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("REQUEST_INVALID"),
            "{answer}"
        );
    }
}

#[sqlx::test]
async fn one_address_cannot_hold_all_connections(pool: PgPool) {
    let doorway = Some(Doorway { connections_per_address_max: 3, ..Doorway::default() });
    let app = App::wished(pool, Wish { doorway, ..Wish::default() }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        assert_ne!(stream.read(&mut [0; 9]).await.unwrap(), 0);
        held.push(stream);
    }
    let mut fourth = TcpStream::connect(app.address).await.unwrap();
    let _ = fourth.write_all(PREFACE).await;
    assert!(matches!(fourth.read(&mut [0; 9]).await, Ok(0) | Err(_)));
    // A place that is given back can be taken.
    drop(held.pop());
    let mut taken = false;
    for _ in 0..200 {
        let mut fifth = TcpStream::connect(app.address).await.unwrap();
        let _ = fifth.write_all(PREFACE).await;
        if matches!(fifth.read(&mut [0; 9]).await, Ok(count) if count > 0) {
            taken = true;
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(taken);
}

// I35: what a stranger can make us hold is bounded.
#[sqlx::test]
async fn a_message_over_the_limit_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let huge =
        pb::SignInWithWechatRequest { login_code: "x".repeat(70 * 1024), ..Default::default() };
    let refused = app.anonymous().call(huge).await.unwrap_err();
    assert_eq!(fields(&refused), ["message TOO_LONG"]);
    let city = app.city().await;
    let mut long = city.create(&app);
    long.pass_application.as_mut().unwrap().need.as_mut().unwrap().reason = "长".repeat(501);
    let refused = city.handler.call(long).await.unwrap_err();
    assert_eq!(fields(&refused), ["need.reason TOO_LONG"]);
}

/// Begins calls that send their head and never their body.
fn hang(channel: &Channel, count: usize) {
    for _ in 0..count {
        let mut wire = Grpc::new(channel.clone());
        tokio::spawn(async move {
            let codec =
                tonic_prost::ProstCodec::<pb::ListZonesRequest, pb::ListZonesResponse>::default();
            let path = PathAndQuery::from_static("/jingqi.v1.TruckPassService/ListZones");
            wire.ready().await.unwrap();
            wire.client_streaming(Request::new(futures::stream::pending()), path, codec).await
        });
    }
}

// A call is in hand only when its body is there: a stranger who never sends it holds nothing but its
// own streams, however many connections it opens.
#[sqlx::test]
async fn calls_that_never_send_their_body_stop_nobody(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut channels = Vec::new();
    for _ in 0..18 {
        let endpoint = Endpoint::from_shared(format!("http://{}", app.address)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        hang(&channel, 62);
        channels.push(channel);
    }
    for _ in 0..5 {
        // At the same address, on connections of others.
        for _ in 0..6 {
            let endpoint = Endpoint::from_shared(format!("http://{}", app.address)).unwrap();
            let mut zones = TruckPassServiceClient::new(endpoint.connect().await.unwrap());
            zones.list_zones(pb::ListZonesRequest::default()).await.unwrap();
        }
        city.boss.call(pb::GetAccountRequest {}).await.unwrap();
    }
}

/// What the process said, one line for each event and each end of a span.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// Thousands of invented names would reach the limit of what a collector tells apart.
#[sqlx::test]
async fn a_method_that_a_stranger_invents_names_no_span(pool: PgPool) {
    let said = Said::default();
    let lines = said.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(move || lines.clone())
        .with_filter(LevelFilter::INFO);
    // By itself where every test has a process, and beside the others of `conduct_reports` else.
    let _said = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
    let app = App::start(pool).await;
    for path in ["/jingqi.v1.Invented/Name1", "/jingqi.v1.TruckPassService/Name2"] {
        let mut wire = Grpc::new(
            Endpoint::from_shared(format!("http://{}", app.address)).unwrap().connect_lazy(),
        );
        let codec =
            tonic_prost::ProstCodec::<pb::ListZonesRequest, pb::ListZonesResponse>::default();
        wire.ready().await.unwrap();
        let request = Request::new(pb::ListZonesRequest::default());
        let refused = wire.unary(request, PathAndQuery::from_static(path), codec).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    }
    app.anonymous().call(pb::ListZonesRequest::default()).await.unwrap();
    let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
    assert!(said.matches("rpc.method=\"unknown\"").count() >= 2, "{said}");
    assert!(said.contains("TruckPassService/ListZones"), "{said}");
    assert!(!said.contains("Invented") && !said.contains("Name2"), "{said}");
}

#[sqlx::test]
async fn a_token_that_is_missing_malformed_or_of_an_ended_session_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let account = |user: User| async move {
        let refused = user.call(pb::GetAccountRequest {}).await.unwrap_err();
        (refused.code(), reason(&refused))
    };
    let refused = account(app.anonymous()).await;
    assert_eq!(refused, (Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
    let refused = account(city.boss.with_token("nonsense")).await;
    assert_eq!(refused, (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
    let token = app.token(&city.boss.name, app.parts.ids.random()).await;
    let refused = account(city.boss.with_token(&token)).await;
    assert_eq!(refused, (Code::Unauthenticated, "SESSION_ENDED".to_owned()));
}

// OP-11: health for every load balancer.
#[sqlx::test]
async fn health_says_serving_while_postgresql_answers(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let channel = Endpoint::from_shared(format!("http://{}", app.address)).unwrap().connect_lazy();
    let mut health = HealthClient::new(channel);
    let mut stream = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let mut status = stream.message().await.unwrap().unwrap().status;
    if status != 1 {
        status = stream.message().await.unwrap().unwrap().status;
    }
    assert_eq!(status, 1);
    pool.close().await;
    assert_eq!(stream.message().await.unwrap().unwrap().status, 2);
}

// "PostgreSQL away: UNAVAILABLE with a retry hint."
#[sqlx::test]
async fn without_postgresql_a_call_says_unavailable_and_when_to_come_back(pool: PgPool) {
    use tonic_types::StatusExt as _;
    let app = App::start(pool.clone()).await;
    let city = app.city().await;
    pool.close().await;
    let get = pb::GetTruckPassRequest {
        name: "truckPasses/01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
    };
    let refused = city.boss.call(get).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "STORE_UNAVAILABLE")
    );
    assert!(refused.get_error_details().retry_info().unwrap().retry_delay.is_some());
}

// OP-09: the whole journey without Redis.
#[sqlx::test]
async fn without_redis_everything_works(pool: PgPool) {
    let app = App::wished(pool, Wish { without_redis: true, ..Wish::default() }).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let check = pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::PassNumber(pass.number)),
        ..Default::default()
    };
    let checked = city.device.call(check).await.unwrap();
    assert_eq!(checked.verdict(), pb::pass_check::Verdict::Valid);
    assert_eq!(checked.data_as_of.unwrap().source, "POSTGRESQL");
}

// OP-07, finding 6: the effect of a call whose client went away stands, and its repetition gets
// the first answer.
#[sqlx::test]
async fn a_write_goes_on_when_its_client_goes_away(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let request = city.create(&app);
    for _ in 0..20 {
        let call = city.handler.call(request.clone());
        let _ = tokio::time::timeout(Duration::from_millis(3), call).await;
    }
    let answer = loop {
        match city.handler.call(request.clone()).await {
            Ok(answer) => break answer,
            Err(status) => assert_eq!(status.code(), Code::Aborted),
        }
    };
    assert!(answer.name.starts_with("passApplications/"));
    assert_eq!(app.count("select count(*) from pass_application").await, 1);
}

/// A server beside the one of the test, which may take so long to end; where it listens.
async fn beside(
    app: &App,
    drain: Duration,
    stop: CancellationToken,
) -> (JoinHandle<anyhow::Result<()>>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let doors = Doors { drain, ..Doors::new(listener) };
    (tokio::spawn(server::run(app.parts.clone(), doors, stop)), address)
}

/// What the server answered when it ended, soon.
async fn ended(running: JoinHandle<anyhow::Result<()>>) {
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap().unwrap();
}

// OP-07, OP-11: whoever watches the health is told that it ends, and holds nothing up.
#[sqlx::test]
async fn a_watcher_of_health_is_told_of_the_end(pool: PgPool) {
    let app = App::start(pool).await;
    let stop = CancellationToken::new();
    let (running, address) = beside(&app, Duration::from_mins(1), stop.clone()).await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let mut health = HealthClient::new(channel);
    let mut stream = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    while stream.message().await.unwrap().unwrap().status != 1 {}
    stop.cancel();
    assert_eq!(stream.message().await.unwrap().unwrap().status, 2);
    assert!(stream.message().await.unwrap().is_none());
    ended(running).await;
}

// OP-07: a stranger who holds a stream open, and says nothing on it, does not keep a server from ending.
#[sqlx::test]
async fn a_stream_that_is_held_open_is_cut_in_the_end(pool: PgPool) {
    let app = App::start(pool).await;
    let stop = CancellationToken::new();
    let (running, address) = beside(&app, Duration::from_millis(300), stop.clone()).await;
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let mut reflection = ServerReflectionClient::new(channel);
    let silence = futures::stream::pending();
    let held = reflection.server_reflection_info(silence).await.unwrap();
    stop.cancel();
    ended(running).await;
    drop(held);
}
