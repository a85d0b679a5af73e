//! Every tongue and what it is refused for: Connect with JSON and with bytes, streams, GET, gRPC-Web in bytes and
//! in base64, reflection by each of them, pages of other origins.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jingqi::surface::service::{pb, policy};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_request::MessageRequest,
};

use super::{Answer, address, post};
use crate::{
    harness::{App, User},
    line::PATIENCE,
};

const ZONES: &str = "TruckPassService/ListZones";

fn envelope(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// Every envelope with its flag.
fn opened(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while bytes.len() >= 5 {
        let length = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize;
        found.push((bytes[0], bytes[5..5 + length].to_vec()));
        bytes = &bytes[5 + length..];
    }
    assert!(bytes.is_empty(), "half an envelope");
    found
}

fn typed(app: &App, method: &str, essence: &str, body: Vec<u8>) -> RequestBuilder {
    Client::new().post(address(app, method)).header("content-type", essence).body(body)
}

async fn bytes(request: RequestBuilder) -> Vec<u8> {
    request.send().await.unwrap().bytes().await.unwrap().to_vec()
}

#[sqlx::test]
async fn connect_speaks_bytes_as_it_speaks_json(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let response = typed(&app, ZONES, "application/proto", vec![]).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/proto");
    let zones = pb::ListZonesResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(zones.zones[0].name, city.zone.to_string());
    // Its errors are JSON all the same.
    let response = typed(&app, ZONES, "application/proto", vec![0x0f]).send().await.unwrap();
    let refused = Answer::of(response).await;
    assert_eq!(refused.fields(), ["message MESSAGE_MALFORMED"]);
    // Packed.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, b"{}").unwrap();
    let packed = packer.finish().unwrap();
    let request = typed(&app, ZONES, "application/json", packed).header("content-encoding", "gzip");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let request = typed(&app, ZONES, "application/json", b"{}".to_vec());
    let refused =
        Answer::of(request.header("content-encoding", "gzip").send().await.unwrap()).await;
    assert_eq!(refused.fields(), ["message MESSAGE_MALFORMED"]);
    // A bomb is let go off nowhere.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &vec![b' '; 30_000_000]).unwrap();
    let bomb = typed(&app, ZONES, "application/json", packer.finish().unwrap());
    let refused = Answer::of(bomb.header("content-encoding", "gzip").send().await.unwrap()).await;
    assert_eq!((refused.status.as_u16(), refused.reason()), (400, "REQUEST_INVALID"));
}

#[sqlx::test]
async fn answers_are_packed_for_whoever_asks(pool: PgPool) {
    let app = App::start(pool).await;
    let _city = app.city().await;
    let request = typed(&app, ZONES, "application/json", b"{}".to_vec());
    let response = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let packed = response.headers().get("content-encoding").is_some();
    let text = response.bytes().await.unwrap();
    let long = packed || text.len() < 1_024;
    assert!(long, "an answer of {} bytes is not packed", text.len());
}

/// The next envelope of a stream that is open.
async fn next(response: &mut Response, buffer: &mut Vec<u8>) -> Option<(u8, Value)> {
    loop {
        if buffer.len() >= 5 {
            let length = u32::from_be_bytes([buffer[1], buffer[2], buffer[3], buffer[4]]) as usize;
            if buffer.len() >= 5 + length {
                let rest = buffer.split_off(5 + length);
                let envelope = std::mem::replace(buffer, rest);
                return Some((envelope[0], serde_json::from_slice(&envelope[5..]).unwrap()));
            }
        }
        let piece = timeout(PATIENCE, response.chunk()).await.unwrap().unwrap()?;
        buffer.extend_from_slice(&piece);
    }
}

#[sqlx::test]
async fn a_watch_is_a_stream_of_json(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let conversation = crate::conversations::open(&desk).await.name;
    let watch = |user: &User, conversation: &str| {
        let asked = json!({"conversation": conversation}).to_string();
        let form = "application/connect+json";
        let body = envelope(asked.as_bytes());
        let request = typed(&app, "ConversationService/WatchMessages", form, body);
        request.bearer_auth(user.token.as_ref().unwrap())
    };
    let mut stream = watch(&desk.talker, &conversation).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "application/connect+json");
    crate::conversations::say(&desk.talker, &conversation, "您好").await.unwrap();
    let mut buffer = Vec::new();
    let mut said = Vec::new();
    while !said.contains(&json!("您好")) {
        let (flag, event) = next(&mut stream, &mut buffer).await.unwrap();
        assert_eq!(flag, 0);
        said.push(event["message"]["text"].clone());
    }
    // What is refused is told in the last envelope.
    let absent = "conversations/01890a5d-ac96-774b-bcce-b302099a8057";
    let mut refused = watch(&desk.talker, absent).send().await.unwrap();
    let (flag, end) = next(&mut refused, &mut Vec::new()).await.unwrap();
    assert_eq!((refused.status().as_u16(), flag), (200, 2));
    assert_eq!(end["error"]["code"], "permission_denied");
    assert_eq!(end["error"]["details"][0]["debug"]["reason"], "DENIED");
    // By gRPC-Web, too.
    let asked = pb::WatchMessagesRequest { conversation: conversation.clone(), after_sequence: 0 };
    let body = envelope(&asked.encode_to_vec());
    let request = typed(&app, "ConversationService/WatchMessages", "application/grpc-web", body);
    let request = request.bearer_auth(desk.talker.token.as_ref().unwrap());
    let mut stream = request.send().await.unwrap();
    let piece = timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
    assert_eq!(piece[0], 0, "a message");
    // A session that ends, ends its streams.
    let others = pb::RevokeOtherSessionsRequest {};
    let id = jingqi::surface::id::Id::parse(&desk.talker.name).unwrap();
    let other: User = app.user::<jingqi::surface::id::kind::Person>(id).await;
    other.identity().revoke_other_sessions(others).await.unwrap();
    while let Some(piece) = timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap() {
        if piece[0] == 0x80 {
            assert!(String::from_utf8_lossy(&piece).contains("grpc-status: 16"), "{piece:?}");
            return;
        }
    }
    panic!("no trailers");
}

#[sqlx::test]
async fn grpc_web_is_spoken_in_bytes_and_in_base64(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    for (essence, text) in [
        ("application/grpc-web", false),
        ("application/grpc-web+proto", false),
        ("application/grpc-web-text", true),
    ] {
        let body = envelope(&[]);
        let body = if text { STANDARD.encode(body).into_bytes() } else { body };
        let response = typed(&app, ZONES, essence, body).send().await.unwrap();
        let told = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(told.starts_with("application/grpc-web"), "{told}");
        assert_eq!(told.contains("-text"), text);
        let mut answer = response.bytes().await.unwrap().to_vec();
        if text {
            answer = unpadded(&answer);
        }
        let parts = opened(&answer);
        let zones = pb::ListZonesResponse::decode(&*parts[0].1).unwrap();
        assert_eq!(zones.zones[0].name, city.zone.to_string());
        assert_eq!(parts[1].0, 0x80);
        assert!(String::from_utf8_lossy(&parts[1].1).contains("grpc-status: 0"));
    }
    // A refusal of the gate, one of the service, and one of the front, with details in each.
    let account = "IdentityService/GetAccount";
    for (method, body, code) in [
        (account, envelope(&[]), 16),
        ("IdentityService/SignInWithWechat", envelope(&[]), 3),
        (ZONES, vec![0, 0, 0, 0, 9, 1], 3),
        (ZONES, vec![], 3),
        (ZONES, vec![0, 0, 1, 0, 1], 3),
    ] {
        let answer = bytes(typed(&app, method, "application/grpc-web", body.clone())).await;
        let parts = opened(&answer);
        let trailers = String::from_utf8_lossy(&parts[0].1).into_owned();
        assert_eq!(parts[0].0, 0x80);
        assert!(trailers.contains(&format!("grpc-status: {code}\r\n")), "{method} {trailers}");
        assert!(trailers.contains("grpc-status-details-bin: "), "{trailers}");
    }
    let answer = bytes(typed(&app, ZONES, "application/grpc-web-text", b"*".to_vec())).await;
    assert_eq!(opened(&unpadded(&answer))[0].0, 0x80);
}

/// Base64 in pieces that end by themselves.
fn unpadded(text: &[u8]) -> Vec<u8> {
    let quads = text.chunks(4).map(|quad| STANDARD.decode(quad).unwrap());
    quads.collect::<Vec<_>>().concat()
}

// What changes nothing may be got where the API says so; what leaves no trace is never called so.
#[sqlx::test]
async fn what_changes_nothing_may_be_got(pool: PgPool) {
    let app = App::start(pool).await;
    let descriptors = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let got = async |method: &str| {
        let url = format!("{}?encoding=json&message=%7B%7D&connect=v1", address(&app, method));
        Answer::of(reqwest::get(url).await.unwrap()).await
    };
    for method in descriptors.services().flat_map(|it| it.methods().collect::<Vec<_>>()) {
        let name = format!("{}/{}", method.parent_service().name(), method.name());
        let options = method.options();
        let level =
            options.get_field_by_name("idempotency_level").and_then(|it| it.as_enum_number());
        let (_, access) = policy::access(&name).unwrap();
        let open = level == Some(1) && access.unseen().is_none() && !method.is_server_streaming();
        let answer = got(&name).await;
        assert_eq!(answer.status == 405, !open, "{name}: {answer:?}");
        if answer.status == 405 {
            assert_eq!(answer.headers["allow"], "POST");
        }
    }
}

#[sqlx::test]
async fn whatever_is_no_call_gets_a_status_and_a_reason(pool: PgPool) {
    let app = App::start(pool).await;
    let client = Client::new();
    let at = |path: &str| format!("http://{}{path}", app.address);
    let ask = async |request: RequestBuilder| Answer::of(request.send().await.unwrap()).await;
    for path in
        ["/", "/favicon.ico", "/jingqi.v1.TruckPassService/DeleteAll", "/jingqi.v1.X/Y", "/v2"]
    {
        for verb in ["GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "ODD"] {
            let verb = reqwest::Method::from_bytes(verb.as_bytes()).unwrap();
            let answer = ask(client.request(verb, at(path)).body("x")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.reason()),
                (404, "METHOD_UNKNOWN"),
                "{path}"
            );
            assert_eq!(answer.body["message"], "接口不存在,请核对地址");
        }
    }
    let zones = "/jingqi.v1.TruckPassService/ListZones";
    for verb in ["PATCH", "PUT", "DELETE", "OPTIONS", "HEAD"] {
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).unwrap();
        let answer = ask(client.request(verb, at(zones))).await;
        assert_eq!(answer.status, 405);
        assert!(answer.headers["allow"].to_str().unwrap().ends_with("POST"));
    }
    assert_eq!(ask(client.post(at("/livez"))).await.headers["allow"], "GET, HEAD");
    // A verb by another name is none.
    let other = client.post(at(zones)).header("content-type", "application/json").body("{}");
    assert_eq!(ask(other.header("x-http-method-override", "DELETE")).await.status, 200);
    for essence in [
        "text/plain",
        "application/xml",
        "application/json; charset=gbk",
        "application/connect+json",
        "multipart/form-data",
    ] {
        let answer = ask(client.post(at(zones)).header("content-type", essence).body("{}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.fields()),
            (415, vec!["content-type UNKNOWN_VALUE".to_owned()])
        );
        assert!(answer.headers["accept-post"].to_str().unwrap().contains("application/json"));
    }
    assert_eq!(ask(client.post(at(zones)).body("{}")).await.status, 415);
    let packed = client.post(at(zones)).header("content-type", "application/json");
    let answer = ask(packed.header("content-encoding", "br").body("{}")).await;
    assert_eq!(
        (answer.status.as_u16(), answer.fields()),
        (415, vec!["content-encoding UNKNOWN_VALUE".to_owned()])
    );
    let watch = at("/jingqi.v1.ConversationService/WatchMessages");
    let answer =
        ask(client.post(watch).header("content-type", "application/json").body("{}")).await;
    assert_eq!(answer.status, 415);
}

// Tools learn what there is by each tongue, and of nothing where it is off.
#[sqlx::test]
async fn reflection_answers_by_each_tongue(pool: PgPool) {
    let app = App::start(pool).await;
    let asked = MessageRequest::ListServices(String::new());
    let asked = ServerReflectionRequest { host: String::new(), message_request: Some(asked) };
    let asked = envelope(&asked.encode_to_vec());
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        for essence in ["application/grpc-web+proto", "application/connect+proto"] {
            let request = Client::new().post(format!("http://{}{path}", app.address));
            let request = request.header("content-type", essence).body(asked.clone());
            let answer = bytes(request).await;
            let parts = opened(&answer);
            let listed = String::from_utf8_lossy(&parts[0].1).into_owned();
            assert!(listed.contains("jingqi.v1.TruckPassService"), "{essence} {version}");
            assert_ne!(parts.last().unwrap().0, 0);
        }
    }
    let health = Client::new().post(format!("http://{}/grpc.health.v1.Health/Check", app.address));
    let health = health.header("content-type", "application/json").body("{}");
    let health = Answer::of(health.send().await.unwrap()).await;
    assert!(health.body["status"].is_string(), "{health:?}");
}

#[sqlx::test]
async fn pages_of_named_origins_may_call_and_no_others(pool: PgPool) {
    use jingqi::surface::{
        server::{self, Doors},
        web::Origins,
    };
    let app = App::start(pool).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let named = listener.local_addr().unwrap();
    let origins = Origins::parse("https://desk.example").unwrap();
    let doors = Doors { origins, ..Doors::new(listener) };
    let stop = CancellationToken::new();
    let running = tokio::spawn(server::run(app.parts.clone(), doors, stop.clone()));
    let ask = async |server, origin: &str, verb: reqwest::Method| {
        let url = format!("http://{server}/jingqi.v1.{ZONES}");
        let request = Client::new().request(verb, url).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let request = request.header("content-type", "application/json").body("{}");
        let response = request.send().await.unwrap();
        let allowed = response.headers().get("access-control-allow-origin").cloned();
        (response.status().as_u16(), allowed.map(|it| it.to_str().unwrap().to_owned()))
    };
    let (options, post) = (reqwest::Method::OPTIONS, reqwest::Method::POST);
    let desk = Some("https://desk.example".to_owned());
    assert_eq!(ask(named, "https://desk.example", options.clone()).await, (204, desk.clone()));
    assert_eq!(ask(named, "https://desk.example", post.clone()).await, (200, desk));
    for origin in ["https://desk.example.org", "http://desk.example", "null", "*"] {
        assert_eq!(ask(named, origin, options.clone()).await, (405, None));
        assert_eq!(ask(named, origin, post.clone()).await, (200, None));
    }
    assert_eq!(ask(app.address, "https://desk.example", options).await, (405, None));
    stop.cancel();
    running.await.unwrap().unwrap();
}

// A client's own time is kept.
#[sqlx::test]
async fn a_client_that_waits_no_longer_is_answered_so(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let method = "TruckPassService/ListTruckPasses";
    // While the passes are held, nobody who asks for them is answered.
    let mut held = app.parts.store.begin(&app.cx()).await.unwrap();
    let lock = "lock table truck_pass in access exclusive mode";
    sqlx::query(lock).execute(held.conn()).await.unwrap();
    let request = typed(&app, method, "application/json", b"{}".to_vec());
    let request = request.bearer_auth(city.handler.token.as_ref().unwrap());
    let late = request.header("connect-timeout-ms", "100").send().await.unwrap();
    let late = Answer::of(late).await;
    assert_eq!((late.status.as_u16(), late.reason()), (503, "DEADLINE_EXCEEDED"));
    drop(held);
    let soon = post(&app, method, Some(&city.handler), &json!({})).await;
    assert_eq!(soon.status, 200);
}
