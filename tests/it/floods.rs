//! What a stranger can make a server hold or do by one connection or a few: raw frames of HTTP/2, and
//! frames of the line, without end. The long run is `cargo bench --bench abuse`.

use std::time::Duration;

use futures::SinkExt as _;
use jingqi::surface::{
    server::Doorway,
    service::pb::{self, identity_service_client::IdentityServiceClient},
};
use prost::Message as _;
use serde_json::json;
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{interval, timeout},
};
use tokio_tungstenite::tungstenite::{self, Bytes};
use tonic::{Request, transport::Endpoint};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use crate::{
    harness::{App, Wish},
    line::{JSON, PATIENCE, Phone},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The head of a gRPC call, without compression.
fn head(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let mut block = vec![0x83, 0x86, 0x04, length];
    block.extend(path.bytes());
    block.extend(b"\x01\x01x\x0f\x10\x10application/grpc\x00\x02te\x08trailers");
    block
}

/// A connection after its preface; the client permits as much to be sent to it as there is.
async fn begun(stream: &mut TcpStream) {
    let windows = frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let more = frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice();
    stream.write_all(&[preface, &windows, &more].concat()).await.unwrap();
}

/// Whether the server ends the connection; what it sends until then is read.
async fn ends(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    let reading =
        async { while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {} };
    timeout(PATIENCE, reading).await.is_ok()
}

#[sqlx::test]
async fn a_flood_of_pings_or_settings_is_cut(pool: PgPool) {
    let app = App::start(pool).await;
    for flood in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        begun(&mut stream).await;
        let (mut reader, mut writer) = stream.into_split();
        let sent = async {
            for _ in 0..100 {
                if writer.write_all(&flood.repeat(1_000)).await.is_err() {
                    return;
                }
            }
        };
        let read = async {
            let mut buffer = vec![0; 64 * 1024];
            while matches!(reader.read(&mut buffer).await, Ok(count) if count > 0) {}
        };
        let both = futures::future::select(
            Box::pin(read),
            Box::pin(async {
                sent.await;
                std::future::pending::<()>().await;
            }),
        );
        assert!(timeout(PATIENCE, both).await.is_ok(), "every frame was answered");
    }
}

// Streams beyond what is permitted are refused, and what is sent on them is answered by a reset each: all of
// that waits in a queue, which must have an end.
#[sqlx::test]
async fn who_begins_stream_after_stream_that_is_refused_is_sent_away(pool: PgPool) {
    let app = App::start(pool).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    begun(&mut stream).await;
    let block = head("/jingqi.v1.TruckPassService/ListZones");
    let mut sent = Vec::new();
    for call in 0..600 {
        let id = 2 * call + 1;
        sent.extend(frame(HEADERS, END_HEADERS, id, &block));
        if call >= 100 {
            sent.extend(frame(DATA, END_STREAM, id, &[0; 5]));
        }
    }
    let _ = stream.write_all(&sent).await;
    let mut seen = Vec::new();
    let mut goes_away = false;
    let reading = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = stream.read(&mut buffer).await
            && count > 0
        {
            seen.extend_from_slice(&buffer[..count]);
        }
    };
    assert!(timeout(PATIENCE, reading).await.is_ok(), "it may go on");
    let mut rest = seen.as_slice();
    while rest.len() >= 9 {
        let length = u32::from_be_bytes([0, rest[0], rest[1], rest[2]]) as usize;
        goes_away |= rest[3] == GOAWAY;
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    assert!(goes_away, "it is told so");
}

#[sqlx::test]
async fn a_client_that_takes_nothing_of_its_answers_is_cut(pool: PgPool) {
    let write_within = Duration::from_millis(300);
    let doorway = Some(Doorway { write_within, ..Doorway::default() });
    let app = App::wished(pool, Wish { doorway, ..Wish::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let mut stream = socket.connect(app.address).await.unwrap();
    begun(&mut stream).await;
    let symbol = "jingqi.v1.ConversationService".to_owned();
    let asked = MessageRequest::FileContainingSymbol(symbol);
    let asked = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
    let asked = asked.encode_to_vec();
    let length = u32::try_from(asked.len()).unwrap().to_be_bytes();
    let message = [&[0], &length[..], &asked].concat();
    let block = head("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    for id in [1, 3, 5, 7, 9, 11] {
        stream.write_all(&frame(HEADERS, END_HEADERS, id, &block)).await.unwrap();
        stream.write_all(&frame(DATA, 0, id, &message.repeat(100))).await.unwrap();
    }
    // Nothing is read. A ping now and then shows whether the connection is still there.
    let mut often = interval(Duration::from_millis(50));
    let cut = async {
        loop {
            often.tick().await;
            if stream.write_all(&frame(PING, 0, 0, &[7; 8])).await.is_err() {
                return;
            }
        }
    };
    assert!(timeout(PATIENCE, cut).await.is_ok(), "it waits for its client for ever");
}

// However many connections an address may hold: of those on which nobody has signed in it holds few.
#[sqlx::test]
async fn an_address_holds_few_connections_on_which_nobody_signed_in(pool: PgPool) {
    let doorway = Some(Doorway { unproven_per_address_max: 1, ..Doorway::default() });
    let app = App::wished(pool, Wish { doorway, ..Wish::default() }).await;
    let city = app.city().await;
    let account = async || {
        let endpoint = Endpoint::from_shared(format!("http://{}", app.address)).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let mut request = Request::new(pb::GetAccountRequest {});
        let token = format!("Bearer {}", city.boss.token.as_ref().unwrap());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        let mut client = IdentityServiceClient::new(channel);
        client.get_account(request).await.map(|_| client)
    };
    // Each is known before the next one comes.
    let mut known = Vec::new();
    for _ in 0..5 {
        known.push(account().await.unwrap());
    }
    let mut stranger = TcpStream::connect(app.address).await.unwrap();
    begun(&mut stranger).await;
    assert_ne!(stranger.read(&mut [0; 9]).await.unwrap(), 0);
    let mut second = TcpStream::connect(app.address).await.unwrap();
    let _ = second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(ends(&mut second).await);
    // A token that is none proves nothing.
    drop(stranger);
    let mut line = Phone::open(app.web, JSON).await;
    line.ask(json!({"signIn": {"accessToken": "nonsense"}})).await;
    let mut other = TcpStream::connect(app.web).await.unwrap();
    let _ = other.write_all(b"GET ").await;
    assert!(ends(&mut other).await);
    line.ask(json!({"signIn": {"accessToken": city.boss.token}})).await;
    Phone::open(app.web, JSON).await.ask(json!({"ping": {}})).await;
}

#[sqlx::test]
async fn a_line_that_pings_without_end_is_ended(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let too_many = (4029, "too many".to_owned());
    let ping = || tungstenite::Message::text(r#"{"ping":{}}"#);
    let bare = || tungstenite::Message::Ping(Bytes::new());
    for message in [ping, bare] {
        let mut stranger = Phone::open(app.web, JSON).await;
        for _ in 0..40 {
            let _ = stranger.socket.send(message()).await;
        }
        let ended: (u16, String) = loop {
            let next = timeout(PATIENCE, futures::StreamExt::next(&mut stranger.socket)).await;
            match next.expect("it may go on").unwrap() {
                Ok(tungstenite::Message::Close(Some(frame))) => {
                    break (frame.code.into(), frame.reason.as_str().to_owned());
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(ended, too_many);
    }
    // Whoever has signed in may say more, and not without end either.
    let mut boss = Phone::of(app.web, city.boss.token.as_ref()).await;
    for id in 0..100 {
        let pong = boss.ask(json!({"id": id.to_string(), "ping": {}})).await;
        assert!(pong.get("pong").is_some(), "{pong}");
    }
    for _ in 0..400 {
        let _ = boss.socket.send(ping()).await;
    }
    assert_eq!(boss.closed().await, too_many);
}
