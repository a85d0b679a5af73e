//! The line of mini-programs: the journey of a phone, then everything that a bad client may do.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use jingqi::surface::{
    id::{Id, kind},
    server::Doorway,
    service::pb::{self, client_frame::Call, server_frame::Reply},
    web::LineLimits,
};
use prost::Message as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Bytes, Message,
        client::IntoClientRequest as _,
        handshake::client::Response,
        http::{HeaderValue, StatusCode},
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::harness::{App, Wish};

const PROTO: &str = "jingqi.v1+proto";
pub const JSON: &str = "jingqi.v1+json";
/// Longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the line that is not ours.
pub struct Phone {
    pub socket: WebSocketStream<TcpStream>,
}

/// Shakes hands on a connection, with the headers given.
async fn shake(
    stream: TcpStream,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<(WebSocketStream<TcpStream>, Response), tungstenite::Error> {
    let mut request = format!("ws://jingqi{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    client_async(request, stream).await
}

impl Phone {
    /// An open line on which nobody has signed in.
    pub async fn open(web: SocketAddr, form: &str) -> Self {
        let stream = TcpStream::connect(web).await.unwrap();
        let headers = [("sec-websocket-protocol", form)];
        let (socket, response) = shake(stream, "/v1/line", &headers).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], form);
        Self { socket }
    }

    /// An open line of somebody, in JSON.
    pub async fn of(web: SocketAddr, token: Option<&String>) -> Self {
        let mut phone = Self::open(web, JSON).await;
        let signed_in = phone.ask(json!({"signIn": {"accessToken": token}})).await;
        assert!(signed_in["signedIn"]["account"].is_string(), "{signed_in}");
        phone
    }

    /// The same with little room for what it does not read.
    pub async fn slow(web: SocketAddr, token: Option<&String>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = socket.connect(web).await.unwrap();
        let headers = [("sec-websocket-protocol", JSON)];
        let (socket, _) = shake(stream, "/v1/line", &headers).await.unwrap();
        let mut phone = Self { socket };
        if token.is_some() {
            phone.ask(json!({"signIn": {"accessToken": token}})).await;
        }
        phone
    }

    pub async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message; pings are answered under way.
    pub async fn next(&mut self) -> Message {
        loop {
            let message = timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap();
            if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                return message;
            }
        }
    }

    /// The next frame as JSON.
    pub async fn hear(&mut self) -> Value {
        let message = self.next().await;
        let Message::Text(text) = message else { panic!("{message:?}") };
        serde_json::from_str(&text).unwrap()
    }

    /// Says a frame and hears the next.
    pub async fn ask(&mut self, frame: Value) -> Value {
        self.say(&frame.to_string()).await;
        self.hear().await
    }

    /// The code and the word with which the server ended the line.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = self.next().await;
            if let Message::Close(Some(frame)) = message {
                return (frame.code.into(), frame.reason.as_str().to_owned());
            }
        }
    }
}

/// The code and the reason of a failure, of a call or of a watch.
pub fn refusal(frame: &Value) -> (&str, &str) {
    let failure = frame.get("watchEnded").unwrap_or(frame).get("failure").unwrap_or(&Value::Null);
    (failure["code"].as_str().unwrap_or_default(), failure["reason"].as_str().unwrap_or_default())
}

pub fn limits(change: impl FnOnce(&mut LineLimits)) -> Wish {
    let mut line = LineLimits::default();
    change(&mut line);
    Wish { line: Some(line), ..Wish::default() }
}

#[sqlx::test]
async fn a_line_speaks_json_or_binary_as_the_client_asks(pool: PgPool) {
    let app = App::start(pool).await;
    let mut phone = Phone::open(app.web, JSON).await;
    let pong = phone.ask(json!({"id": "1", "ping": {}})).await;
    assert_eq!(pong, json!({"id": "1", "pong": {}}));

    let mut desk = Phone::open(app.web, PROTO).await;
    let ping = pb::ClientFrame { id: "2".to_owned(), call: Some(Call::Ping(pb::Ping {})) };
    desk.socket.send(Message::Binary(ping.encode_to_vec().into())).await.unwrap();
    let Message::Binary(bytes) = desk.next().await else { panic!("no binary frame") };
    let pong = pb::ServerFrame::decode(bytes).unwrap();
    assert_eq!((pong.id.as_str(), pong.reply), ("2", Some(Reply::Pong(pb::Pong {}))));
}

#[sqlx::test]
async fn a_client_that_asks_for_no_known_form_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let refused = async |path: &str, headers: &[(&'static str, &str)]| {
        let stream = TcpStream::connect(app.web).await.unwrap();
        match shake(stream, path, headers).await {
            Err(tungstenite::Error::Http(response)) => response.status(),
            other => panic!("{other:?}"),
        }
    };
    let form = [("sec-websocket-protocol", JSON)];
    assert_eq!(refused("/v1/line", &[]).await, StatusCode::BAD_REQUEST);
    let other = [("sec-websocket-protocol", "jingqi.v2+json")];
    assert_eq!(refused("/v1/line", &other).await, StatusCode::BAD_REQUEST);
    assert_eq!(refused("/", &form).await, StatusCode::NOT_FOUND);
    let large = [("sec-websocket-protocol", JSON), ("x", &"x".repeat(20_000))];
    assert_eq!(refused("/v1/line", &large).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // No WebSocket at all.
    let mut stream = TcpStream::connect(app.web).await.unwrap();
    let plain = b"GET /v1/line HTTP/1.1\r\nHost: jingqi\r\nConnection: close\r\n\r\n";
    stream.write_all(plain).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

// Finding 2 of invariants.md holds at this door, too.
#[sqlx::test]
async fn a_connection_that_does_not_speak_http_is_dropped(pool: PgPool) {
    let doorway = Doorway {
        preface_within: Duration::from_millis(200),
        connections_per_address_max: 3,
        ..Doorway::default()
    };
    let app = App::wished(pool, Wish { doorway: Some(doorway), ..Wish::default() }).await;
    for said in [&b""[..], b"GE", b"PRI * HTTP/2.0\r\n\r\nSM"] {
        let mut stream = TcpStream::connect(app.web).await.unwrap();
        stream.write_all(said).await.unwrap();
        assert!(matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_)), "{said:?}");
    }
    // An open line keeps its place.
    let (mut first, _second) = (Phone::open(app.web, JSON).await, Phone::open(app.web, JSON).await);
    let _third = Phone::open(app.web, JSON).await;
    let mut fourth = TcpStream::connect(app.web).await.unwrap();
    assert!(matches!(fourth.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    first.ask(json!({"ping": {}})).await;
}

#[sqlx::test]
async fn a_request_whose_head_never_ends_is_dropped(pool: PgPool) {
    let wish = limits(|line| line.head_within = Duration::from_millis(200));
    let app = App::wished(pool, wish).await;
    for said in
        ["GET /v1/line HTTP/1.1\r\nHost: jingqi\r\n", "GET / HTTP/1.1\r\nHost: jingqi\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(app.web).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let rest = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(rest.is_ok(), "{said}");
    }
}

#[sqlx::test]
async fn a_frame_that_is_none_is_refused_and_the_line_stays_open(pool: PgPool) {
    let app = App::start(pool).await;
    let mut phone = Phone::open(app.web, JSON).await;
    let mut refused = async |text: &str| {
        phone.say(text).await;
        let frame = phone.hear().await;
        assert_eq!(refusal(&frame), ("INVALID_ARGUMENT", "REQUEST_INVALID"), "{frame}");
        let field = &frame["failure"]["fields"][0];
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (word(&frame["id"]), word(&field["path"]), word(&field["reason"]))
    };
    let told =
        |id: &str, path: &str, reason: &str| (id.to_owned(), path.to_owned(), reason.to_owned());
    assert_eq!(refused("{").await, told("", "frame", "FRAME_MALFORMED"));
    let wrong = r#"{"id": "7", "watch": {"afterSequence": "five"}}"#;
    assert_eq!(refused(wrong).await, told("7", "frame", "FRAME_MALFORMED"));
    assert_eq!(refused(r#"{"id": "8"}"#).await, told("8", "call", "REQUIRED"));
    let long = json!({"id": "x".repeat(65), "ping": {}}).to_string();
    assert_eq!(refused(&long).await, told("", "id", "TOO_LONG"));
    // The other form is none here.
    phone.socket.send(Message::Binary(Bytes::from_static(b"\x4a\x00"))).await.unwrap();
    let frame = phone.hear().await;
    assert_eq!(frame["failure"]["text"], "请求内容有误,请按提示逐项修改");
    assert_eq!(frame["failure"]["fields"][0]["text"], "消息帧格式不正确");
    // A newer client says more than we know.
    let pong = phone.ask(json!({"id": "9", "ping": {"tomorrow": 1}, "mood": "good"})).await;
    assert_eq!(pong["id"], "9");

    let mut desk = Phone::open(app.web, PROTO).await;
    desk.socket.send(Message::Binary(Bytes::from_static(b"\xff\xff"))).await.unwrap();
    let Message::Binary(bytes) = desk.next().await else { panic!("no binary frame") };
    let frame = pb::ServerFrame::decode(bytes).unwrap();
    let Some(Reply::Failure(failure)) = frame.reply else { panic!("{frame:?}") };
    assert_eq!(failure.fields[0].reason, "FRAME_MALFORMED");
}

#[sqlx::test]
async fn a_frame_over_the_limit_ends_the_line(pool: PgPool) {
    let app = App::start(pool).await;
    let mut phone = Phone::open(app.web, JSON).await;
    let padding = " ".repeat(64 * 1024 - r#"{"ping":{}}"#.len());
    phone.say(&format!(r#"{{"ping":{{}}{padding}}}"#)).await;
    phone.hear().await;
    let _ = phone.socket.send(Message::text("x".repeat(64 * 1024 + 1))).await;
    assert_eq!(phone.closed().await, (1009, "too large".to_owned()));
    // In pieces it is the same frame.
    let mut phone = Phone::open(app.web, JSON).await;
    let piece = |code, last| {
        let data = Bytes::from(vec![b' '; 40 * 1024]);
        Frame::message(data, code, last)
    };
    let first = piece(OpCode::Data(Data::Text), false);
    phone.socket.send(Message::Frame(first)).await.unwrap();
    let second = piece(OpCode::Data(Data::Continue), true);
    let _ = phone.socket.send(Message::Frame(second)).await;
    assert_eq!(phone.closed().await, (1009, "too large".to_owned()));
}

// ID-04: one gate, whatever brings the call.
#[sqlx::test]
async fn the_gate_judges_a_call_by_line_as_it_judges_one_by_grpc(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let send = json!({"id": "1", "sendMessage": {
        "conversation": "conversations/01890a5d-ac96-774b-bcce-b302099a8057",
        "clientMessageId": "0", "kind": "TEXT", "text": "您好",
    }});
    let mut phone = Phone::open(app.web, JSON).await;
    let refused = phone.ask(send.clone()).await;
    assert_eq!(refusal(&refused), ("UNAUTHENTICATED", "TOKEN_MISSING"));
    assert_eq!((&refused["id"], &refused["failure"]["text"]), (&json!("1"), &json!("请先登录")));
    let watch = json!({"id": "2", "watch": {"conversation": "x"}});
    assert_eq!(refusal(&phone.ask(watch).await), ("UNAUTHENTICATED", "TOKEN_MISSING"));
    for nonsense in ["nonsense", "", "\n"] {
        let refused = phone.ask(json!({"signIn": {"accessToken": nonsense}})).await;
        assert_eq!(refusal(&refused), ("UNAUTHENTICATED", "TOKEN_INVALID"), "{refused}");
    }
    // Signed in, but a stranger: the role is refused before the content is looked at.
    let token = city.stranger.token.clone();
    let signed_in = phone.ask(json!({"id": "3", "signIn": {"accessToken": token}})).await;
    assert_eq!(signed_in, json!({"id": "3", "signedIn": {"account": city.stranger.name}}));
    assert_eq!(refusal(&phone.ask(send.clone()).await), ("PERMISSION_DENIED", "DENIED"));
    // The line belongs to whoever signed in first.
    let other = phone.ask(json!({"signIn": {"accessToken": city.boss.token}})).await;
    assert_eq!(refusal(&other), ("PERMISSION_DENIED", "DENIED"));
    // A renewal that fails takes nothing away.
    let refused = phone.ask(json!({"signIn": {"accessToken": "nonsense"}})).await;
    assert_eq!(refusal(&refused), ("UNAUTHENTICATED", "TOKEN_INVALID"));
    assert_eq!(refusal(&phone.ask(send).await), ("PERMISSION_DENIED", "DENIED"));
    let again = phone.ask(json!({"signIn": {"accessToken": token}})).await;
    assert_eq!(again["signedIn"]["account"], city.stranger.name);
}

#[sqlx::test]
async fn the_token_may_stand_in_the_header_of_the_handshake(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let token = city.boss.token.clone().unwrap();
    let good = format!("Bearer {token}");
    for (values, expected) in [
        (vec![good.clone()], json!(city.boss.name)),
        (vec![format!("bearer {token}")], json!(city.boss.name)),
        (vec!["Bearer nonsense".to_owned()], Value::Null),
        (vec!["Basic Ym9zczpib3Nz".to_owned()], Value::Null),
        (vec![good.clone(), good], Value::Null),
    ] {
        let values = values.iter().map(|value| ("authorization", value.as_str()));
        let headers: Vec<_> =
            [("sec-websocket-protocol", JSON)].into_iter().chain(values).collect();
        let stream = TcpStream::connect(app.web).await.unwrap();
        let (socket, _) = shake(stream, "/v1/line", &headers).await.unwrap();
        let mut phone = Phone { socket };
        let frame = phone.hear().await;
        assert_eq!(frame["signedIn"]["account"], expected, "{frame}");
        let refused = if expected.is_null() { "TOKEN_INVALID" } else { "" };
        assert_eq!(refusal(&frame).1, refused);
    }
}

#[sqlx::test]
async fn a_line_whose_session_ends_must_sign_in_again(pool: PgPool) {
    let wish = limits(|line| line.sign_in_within = Duration::from_millis(300));
    let app = App::wished(pool, wish).await;
    let city = app.city().await;
    let boss: Id<kind::Person> = Id::parse(&city.boss.name).unwrap();
    let mut phone = Phone::of(app.web, city.boss.token.as_ref()).await;
    let list = json!({"listMessages": {"conversation": "x"}});
    let others = pb::RevokeOtherSessionsRequest {};
    let tablet = app.user(boss).await;
    tablet.call(others).await.unwrap();
    assert_eq!(refusal(&phone.ask(list.clone()).await), ("UNAUTHENTICATED", "SESSION_ENDED"));
    let signed_in = phone.ask(json!({"signIn": {"accessToken": tablet.token}})).await;
    assert_eq!(signed_in["signedIn"]["account"], city.boss.name);
    app.user(boss).await.call(others).await.unwrap();
    assert_eq!(refusal(&phone.ask(list).await), ("UNAUTHENTICATED", "SESSION_ENDED"));
    // This time the client lets it be.
    assert_eq!(phone.closed().await, (4001, "sign in".to_owned()));
}

#[sqlx::test]
async fn a_line_on_which_nobody_signs_in_is_ended(pool: PgPool) {
    let wish = limits(|line| line.sign_in_within = Duration::from_millis(200));
    let app = App::wished(pool, wish).await;
    let mut phone = Phone::open(app.web, JSON).await;
    phone.ask(json!({"ping": {}})).await;
    assert_eq!(phone.closed().await, (4001, "sign in".to_owned()));
}

#[sqlx::test]
async fn a_line_that_only_answers_pings_lives(pool: PgPool) {
    let wish = limits(|line| {
        line.idle_max = Duration::from_millis(600);
        line.ping_every = Duration::from_millis(100);
    });
    let app = App::wished(pool, wish).await;
    let mut alive = Phone::open(app.web, JSON).await;
    let mut pings = 0;
    while pings < 10 {
        let message = timeout(PATIENCE, alive.socket.next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(message, Message::Ping(_)), "{message:?}");
        pings += 1;
    }
    alive.ask(json!({"ping": {}})).await;
}

#[sqlx::test]
async fn a_silent_line_is_ended(pool: PgPool) {
    let wish = limits(|line| line.idle_max = Duration::from_millis(200));
    let app = App::wished(pool, wish).await;
    let mut silent = Phone::open(app.web, JSON).await;
    assert_eq!(silent.closed().await, (1001, "idle".to_owned()));
}

// CH-05.
#[sqlx::test]
async fn a_client_that_does_not_read_is_cut(pool: PgPool) {
    let wish = limits(|line| {
        line.write_within = Duration::from_millis(200);
        line.farewell_within = PATIENCE;
        // It is cut because it does not read, and not earlier for what it says.
        line.unproven_frames_max = u32::MAX;
    });
    let app = App::wished(pool, wish).await;
    let mut phone = Phone::slow(app.web, None).await;
    // It asks until the server reads no more either: what waits for it is bounded.
    let mut asked = 0;
    while timeout(Duration::from_secs(2), phone.socket.send(Message::text("{"))).await.is_ok() {
        asked += 1;
        assert!(asked < 1_000_000, "the server holds everything");
    }
    assert_eq!(phone.closed().await, (4008, "slow".to_owned()));
}

// OP-07: a stop ends every line with a word.
#[sqlx::test]
async fn a_server_that_stops_says_so_on_every_line(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut stranger = Phone::open(app.web, PROTO).await;
    let mut boss = Phone::of(app.web, city.boss.token.as_ref()).await;
    app.stop();
    assert_eq!(boss.closed().await, (1001, "stop".to_owned()));
    assert_eq!(stranger.closed().await, (1001, "stop".to_owned()));
    let lost = timeout(PATIENCE, TcpStream::connect(app.web)).await.unwrap();
    if let Ok(mut late) = lost {
        assert!(matches!(late.read(&mut [0; 16]).await, Ok(0) | Err(_)));
    }
}
