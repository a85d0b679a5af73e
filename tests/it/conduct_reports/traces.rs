//! Who files without a name leaves nothing behind: not in PostgreSQL, not in Redis, not in a log or a
//! span. The same search finds the same person after an ordinary call.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    sync::{Mutex, Once, PoisonError},
};

use jingqi::surface::service::pb::{
    self, conduct_report_service_client::ConductReportServiceClient,
    identity_service_client::IdentityServiceClient,
};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};
use tracing_subscriber::{fmt::format::FmtSpan, layer::SubscriberExt as _};

use super::{anonymous, officer};
use crate::harness::{App, User, request_id};

const ADDRESS: &str = "127.0.0.77";
const AGENT: &str = "canary-agent-5d1c";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0ecafe";
const FORWARDED: &str = "203.0.113.77";
const CONTENT: &str = "金丝雀内容";

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes down every event and every span of this process from now on, of every library.
fn listen() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_span_events(FmtSpan::FULL)
            .with_writer(|| Log);
        let all = tracing_subscriber::registry().with(lines);
        tracing::subscriber::set_global_default(all).unwrap();
    });
}

fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// Every row of every table, as text.
async fn rows(app: &App) -> BTreeMap<String, String> {
    let pool = app.parts.store.pool();
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', table_schema, table_name) from information_schema.tables
         where table_type = 'BASE TABLE'
            and table_schema not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let text = format!(
            "select coalesce(string_agg(t::text, chr(10) order by t::text), '') from {table} t"
        );
        let text = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(pool).await.unwrap();
        rows.insert(table, text);
    }
    rows
}

/// Every key of this test in Redis, with its value.
async fn redis_text(app: &App) -> String {
    let Ok(url) = std::env::var("REDIS_URL") else { return String::new() };
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}*", app.prefix);
    let mut keys: Vec<String> =
        redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    keys.sort();
    let mut text = String::new();
    for key in keys {
        let mut get = redis::cmd("GET");
        let value: redis::RedisResult<Vec<u8>> = get.arg(&key).query_async(&mut connection).await;
        let value = if let Ok(value) = value {
            value
        } else {
            let mut dump = redis::cmd("DUMP");
            dump.arg(&key).query_async(&mut connection).await.unwrap()
        };
        text.push_str(&key);
        text.push_str(&String::from_utf8_lossy(&value));
    }
    text
}

/// Runs a client in a thread of its own in which nothing is written down: what is found in the log,
/// the server said.
async fn in_silence<T: Send + 'static>(
    address: std::net::SocketAddr,
    calls: impl AsyncFnOnce(Channel) -> T + Send + 'static,
) -> T {
    let (send, receive) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _silence = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
            let endpoint = endpoint
                .local_address(Some(ADDRESS.parse::<IpAddr>().unwrap()))
                .user_agent(AGENT)
                .unwrap();
            calls(endpoint.connect().await.unwrap()).await
        });
        let _ = send.send(answer);
    });
    receive.await.unwrap()
}

/// A request with everything that a client can say of itself.
fn marked<T>(user: &User, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let token = format!("Bearer {}", user.token.as_ref().unwrap());
    for (key, value) in [
        ("authorization", token.as_str()),
        ("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")),
        ("x-forwarded-for", FORWARDED),
        ("x-real-ip", FORWARDED),
        ("x-request-id", AGENT),
        ("x-wx-openid", AGENT),
    ] {
        request.metadata_mut().insert(key, value.parse().unwrap());
    }
    request
}

/// A message as the JSON of Protobuf.
fn json<M: prost::Message>(name: &str, message: &M) -> Vec<u8> {
    let descriptors = prost_reflect::DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let known = descriptors.get_message_by_name(&format!("jingqi.v1.{name}")).unwrap();
    let mut dynamic = prost_reflect::DynamicMessage::new(known);
    dynamic.transcode_from(message).unwrap();
    serde_json::to_vec(&dynamic).unwrap()
}

/// Calls a method of conduct reports in another tongue than gRPC, with everything that a client can say of
/// itself; gives the status and the body.
async fn otherwise(
    channel: &Channel,
    user: &User,
    method: &str,
    essence: &str,
    body: Vec<u8>,
) -> (u16, Vec<u8>) {
    let path = format!("http://{ADDRESS}/jingqi.v1.ConductReportService/{method}");
    let mut request = http::Request::post(path)
        .header("content-type", essence)
        .body(tonic::body::Body::new(http_body_util::Full::new(body.into())))
        .unwrap();
    let marks = marked(user, ()).into_parts().0.into_headers();
    request.headers_mut().extend(marks);
    let answer = tower::ServiceExt::oneshot(channel.clone(), request).await.unwrap();
    let status = answer.status().as_u16();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    (status, body.to_vec())
}

/// The same report, and a reading of it that fails, by plain JSON and by gRPC-Web.
async fn by_other_doors(
    channel: &Channel,
    user: &User,
    filing: &pb::FileAnonymousConductReportRequest,
    read: &pb::ReadConductReportRequest,
) {
    let (file, look) = ("FileAnonymousConductReport", "ReadConductReport");
    let plain = "application/json";
    let text = json("FileAnonymousConductReportRequest", filing);
    let (status, body) = otherwise(channel, user, file, plain, text).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let text = json("ReadConductReportRequest", read);
    assert_eq!(otherwise(channel, user, look, plain, text).await.0, 200);
    let nobody = pb::ReadConductReportRequest { secret: String::new(), ..read.clone() };
    let text = json("ReadConductReportRequest", &nobody);
    assert_ne!(otherwise(channel, user, look, plain, text).await.0, 200);
    // What cannot be read is refused without a trace, too; and there is no address that tells.
    assert_eq!(otherwise(channel, user, look, plain, b"{".to_vec()).await.0, 400);
    assert_eq!(otherwise(channel, user, look, "text/plain", b"{".to_vec()).await.0, 415);
    for (essence, text) in [("application/grpc-web", false), ("application/grpc-web-text", true)] {
        for message in [prost::Message::encode_to_vec(filing), b"\x0f".to_vec()] {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            let mut framed = [&[0], &length[..], &message].concat();
            if text {
                let engine = base64::engine::general_purpose::STANDARD;
                framed = base64::Engine::encode(&engine, framed).into_bytes();
            }
            assert_eq!(otherwise(channel, user, file, essence, framed).await.0, 200);
        }
    }
}

/// Whoever is looked for.
struct Canary {
    user: User,
    marks: Vec<String>,
}

async fn canary(app: &App) -> Canary {
    let person = app.person().await;
    let user = app.user(person).await;
    let session: uuid::Uuid = sqlx::query_scalar("select id from session where person_id = $1")
        .bind(person.uuid())
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap();
    let openid: Vec<u8> = sqlx::query_scalar("select openid_index from person where id = $1")
        .bind(person.uuid())
        .fetch_one(app.parts.store.pool())
        .await
        .unwrap();
    let phone = app.parts.store.vault().index("phone", "13911112222");
    sqlx::query("update person set phone_index = $2 where id = $1")
        .bind(person.uuid())
        .bind(&phone)
        .execute(app.parts.store.pool())
        .await
        .unwrap();
    let token = user.token.clone().unwrap();
    let marks = vec![
        person.uuid().to_string(),
        person.uuid().simple().to_string(),
        session.to_string(),
        jingqi::surface::crypto::hex(&openid),
        jingqi::surface::crypto::hex(&phone),
        token.rsplit('.').next().unwrap().to_owned(),
        ADDRESS.to_owned(),
        AGENT.to_owned(),
        TRACE.to_owned(),
        FORWARDED.to_owned(),
        CONTENT.to_owned(),
    ];
    Canary { user, marks }
}

fn hits(text: &str, marks: &[String]) -> Vec<String> {
    marks.iter().filter(|mark| text.contains(mark.as_str())).cloned().collect()
}

/// The rows that were not there before.
fn fresh(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> String {
    let mut fresh = String::new();
    for (table, text) in after {
        let known: std::collections::HashSet<_> = before[table].lines().collect();
        for line in text.lines().filter(|line| !known.contains(line)) {
            fresh.extend([table.as_str(), " ", line, "\n"]);
        }
    }
    fresh
}

/// Everything that somebody without a name can do: file, read, be wrong, write, add a picture, ask for a
/// review, repeat.
async fn everything_unnamed(
    channel: Channel,
    user: &User,
    filing: pb::FileAnonymousConductReportRequest,
) -> pb::FiledConductReport {
    let doors = channel.clone();
    let mut client = ConductReportServiceClient::new(channel);
    let filed = client.file_anonymous_conduct_report(marked(user, filing.clone())).await;
    let filed = filed.unwrap().into_inner();
    let read = pb::ReadConductReportRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
    };
    client.read_conduct_report(marked(user, read.clone())).await.unwrap();
    by_other_doors(&doors, user, &filing, &read).await;
    let wrong = pb::ReadConductReportRequest { secret: String::new(), ..read };
    client.read_conduct_report(marked(user, wrong)).await.unwrap_err();
    let write = pb::WriteToInspectorateRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        text: CONTENT.to_owned(),
        request_id: request_id(),
    };
    client.write_to_inspectorate(marked(user, write)).await.unwrap();
    picture(&mut client, user, &filed).await;
    let review = pb::RequestConductReportReviewRequest {
        query_code: filed.query_code.clone(),
        secret: filed.secret.clone(),
        reason: CONTENT.to_owned(),
        request_id: request_id(),
    };
    client.request_conduct_report_review(marked(user, review)).await.unwrap_err();
    // A token that is none is not even looked at.
    let mut nonsense = Request::new(filing);
    nonsense.metadata_mut().insert("authorization", "nonsense".parse().unwrap());
    client.file_anonymous_conduct_report(nonsense).await.unwrap();
    filed
}

/// Adds a picture to a report.
async fn picture(
    client: &mut ConductReportServiceClient<Channel>,
    user: &User,
    filed: &pb::FiledConductReport,
) {
    let (query_code, secret) = (filed.query_code.clone(), filed.secret.clone());
    let create = pb::CreateEvidenceRequest {
        query_code: query_code.clone(),
        secret: secret.clone(),
        content_type: "image/jpeg".to_owned(),
        request_id: request_id(),
    };
    let id = client.create_evidence(marked(user, create)).await.unwrap().into_inner().id;
    let picture = super::evidence::small();
    let sha256 = Sha256::digest(&picture).to_vec();
    let part = pb::UploadEvidenceChunkRequest {
        query_code: query_code.clone(),
        secret: secret.clone(),
        id: id.clone(),
        offset: 0,
        data: picture,
    };
    client.upload_evidence_chunk(marked(user, part)).await.unwrap();
    let close = pb::CompleteEvidenceRequest {
        query_code: query_code.clone(),
        secret: secret.clone(),
        id,
        sha256,
    };
    client.complete_evidence(marked(user, close)).await.unwrap();
}

// CO-22, I21.
#[sqlx::test]
async fn nothing_is_kept_of_who_files_without_a_name(pool: PgPool) {
    listen();
    let app = App::start(pool).await;
    let house = app.house().await;
    let canary = canary(&app).await;
    let (before, redis_before) = (rows(&app).await, redis_text(&app).await);
    let heard = log().len();
    let mut filing = anonymous(vec![officer(&house.desk.city.patrol)]);
    filing.content = CONTENT.to_owned();
    let user = canary.user.clone();
    let filed = in_silence(app.address, async move |channel| {
        everything_unnamed(channel, &user, filing).await
    })
    .await;
    let after = rows(&app).await;
    let said = log().split_off(heard);
    let mut marks = canary.marks.clone();
    marks.extend([filed.query_code.replace('-', ""), filed.secret.replace('-', "")]);
    marks.extend([filed.query_code, filed.secret]);
    assert_eq!(hits(&fresh(&before, &after), &marks), Vec::<String>::new(), "PostgreSQL");
    assert_eq!(redis_text(&app).await, redis_before, "Redis");
    assert_eq!(hits(&said, &marks), Vec::<String>::new(), "log and spans");
    assert!(!said.contains("Evidence") && !said.contains("FileAnonymous"), "not even that");
    for (table, text) in &after {
        let own = table.starts_with("conduct.");
        assert!(own || *text == before[table], "{table} has changed");
    }
    assert_eq!(
        app.count("select count(*) from conduct.report").await,
        1,
        "one request id, one report"
    );

    // The control: the same search after ordinary calls of the same person.
    let heard = log().len();
    let code = crate::identity::sandbox(
        &app,
        "/sandbox/login_codes",
        serde_json::json!({ "user": "canary" }),
    );
    let (login_code, user) = (code.await, canary.user.clone());
    in_silence(app.address, async move |channel| {
        let user = &user;
        let mut client = IdentityServiceClient::new(channel);
        let account = marked(user, pb::GetAccountRequest::default());
        client.get_account(account).await.unwrap();
        let sign_in = pb::SignInWithWechatRequest { login_code, ..Default::default() };
        client.sign_in_with_wechat(marked(user, sign_in)).await.unwrap();
    })
    .await;
    let found = hits(&log().split_off(heard), &marks);
    assert!(found.contains(&marks[0]), "the log names the person: {found:?}");
    let redis_after = redis_text(&app).await;
    assert_ne!(redis_after, redis_before);
    assert!(hits(&redis_after, &marks).contains(&ADDRESS.to_owned()));
    let found = hits(&fresh(&after, &rows(&app).await), &marks);
    assert!(found.contains(&ADDRESS.to_owned()), "{found:?}");
}

// CO-22, I21: nor does the log tell of a filing that failed, as it tells of every other call that does.
#[sqlx::test]
async fn a_filing_that_fails_leaves_no_line(pool: PgPool) {
    listen();
    let app = App::start(pool).await;
    let house = app.house().await;
    let patrol = officer(&house.desk.city.patrol);
    let user = canary(&app).await.user;
    app.sql("alter table conduct.report rename to report_elsewhere").await;
    app.sql("alter table session rename to session_elsewhere").await;
    let heard = log().len();
    in_silence(app.address, async move |channel| {
        let mut client = ConductReportServiceClient::new(channel);
        let failed = client.file_anonymous_conduct_report(anonymous(vec![patrol])).await;
        assert_eq!(failed.unwrap_err().code(), tonic::Code::Internal);
    })
    .await;
    let said = log().split_off(heard);
    assert!(!said.contains("report") && !said.contains("call failed"), "{said}");
    // The control: an ordinary call that fails.
    let heard = log().len();
    in_silence(app.address, async move |channel| {
        let mut client = IdentityServiceClient::new(channel);
        let sessions = marked(&user, pb::ListSessionsRequest::default());
        client.list_sessions(sessions).await.unwrap_err();
    })
    .await;
    assert!(log().split_off(heard).contains("call failed"));
}

// CO-15: a name that was given stands sealed, and nowhere else; the log does not say who filed.
#[sqlx::test]
async fn a_name_that_was_given_stands_in_no_log_and_in_no_other_row(pool: PgPool) {
    listen();
    let app = App::start(pool).await;
    let house = app.house().await;
    let canary = canary(&app).await;
    let before = rows(&app).await;
    let heard = log().len();
    let mut filing = super::named(vec![officer(&house.desk.city.patrol)]);
    filing.content = CONTENT.to_owned();
    filing.full_name = "金丝雀姓名".to_owned();
    filing.phone = "13911112222".to_owned();
    let user = canary.user.clone();
    in_silence(app.address, async move |channel| {
        let mut client = ConductReportServiceClient::new(channel);
        client.file_conduct_report(marked(&user, filing)).await.unwrap();
    })
    .await;
    let after = rows(&app).await;
    let mut marks = canary.marks.clone();
    marks.extend(["金丝雀姓名".to_owned(), "13911112222".to_owned()]);
    let said = log().split_off(heard);
    assert_eq!(hits(&said, &marks), Vec::<String>::new(), "log and spans");
    assert_eq!(hits(&fresh(&before, &after), &marks), Vec::<String>::new(), "PostgreSQL");
    for (table, text) in &after {
        assert!(table.starts_with("conduct.") || *text == before[table], "{table} has changed");
    }
}
