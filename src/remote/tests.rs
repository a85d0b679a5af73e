//! The clients against a server that answers as each test says, well or badly. The journeys against
//! the sandbox, which remembers, are in `sandbox/tests.rs`.

mod pushes;
mod wecom;

use std::{
    error::Error as _,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{BODY_BYTES_MAX, Limits, Secret, sms::Sms, wechat::Wechat};
use crate::error::{Error, Flaw, Kind, Reason};

const SECRET: &str = "s3cr3t-of-the-app";
const QUICK: Limits =
    Limits { total: Duration::from_millis(200), connect: Duration::from_millis(200) };

/// What the server does with a request.
enum Answer {
    /// Sends the status line, perhaps with headers, and the body.
    Says(&'static str, String),
    /// Holds the line and says nothing.
    Silence,
}

/// A server that answers each request by the script and keeps what it was asked.
struct Stub {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn play(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move {
                    let request = read(&mut stream).await;
                    log.lock().unwrap().push(request.clone());
                    let Answer::Says(head, body) = script(&request) else {
                        return std::future::pending().await;
                    };
                    let length = body.len();
                    let whole = format!(
                        "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    let _ = stream.write_all(whole.as_bytes()).await;
                });
            }
        });
        Self { url, asked }
    }

    fn asked(&self, path: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|r| r.contains(path)).cloned().collect()
    }

    fn wechat(&self, limits: Limits) -> Wechat {
        Wechat::new(&self.url, "wx-app", Secret::new(SECRET), limits).unwrap()
    }
}

/// Reads one request, head and body.
async fn read(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        match stream.read(&mut part).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&part[..count]),
            _ => return text,
        }
    }
}

fn ok(body: &str) -> Answer {
    Answer::Says("200 OK", body.to_owned())
}

/// Everything a log could print of a failure.
fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

// ID-07
#[tokio::test]
async fn every_refusal_of_a_login_has_its_reason() {
    let table = [
        (r#"{"errcode":-1,"errmsg":"system error"}"#, Reason::RemoteUnavailable, Some(1)),
        (r#"{"errcode":45011,"errmsg":"slower"}"#, Reason::RemoteUnavailable, Some(60)),
        (r#"{"errcode":40029,"errmsg":"invalid code"}"#, Reason::LoginCodeInvalid, None),
        (r#"{"errcode":40163,"errmsg":"code been used"}"#, Reason::LoginCodeInvalid, None),
        (r#"{"errcode":40226,"errmsg":"code blocked"}"#, Reason::Denied, None),
        (r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#, Reason::Internal, None),
        (r#"{"errcode":40164,"errmsg":"not in whitelist"}"#, Reason::Internal, None),
        (r#"{"errcode":99999,"errmsg":"new"}"#, Reason::RemoteUnavailable, Some(5)),
        ("<html>", Reason::RemoteUnavailable, Some(5)),
        ("{}", Reason::RemoteUnavailable, Some(5)),
        (r#"{"openid":""}"#, Reason::RemoteUnavailable, Some(5)),
    ];
    for (body, reason, wait) in table {
        let stub = Stub::play(move |_| ok(body)).await;
        let error = stub.wechat(Limits::default()).code_to_session("a-code").await.unwrap_err();
        assert_eq!(error.reason(), reason, "{body}");
        assert_eq!(error.wait().map(|wait| wait.as_secs()), wait, "{body}");
        assert!(!everything(&error).contains(SECRET), "{body}");
    }
}

// ID-07
#[tokio::test]
async fn a_session_needs_no_errcode_and_no_unionid() {
    let table = [
        (r#"{"openid":"o1","session_key":"KEY"}"#, None),
        (r#"{"openid":"o1","session_key":"KEY","unionid":"u1","errcode":0}"#, Some("u1")),
        (r#"{"openid":"o1","session_key":"KEY","unionid":""}"#, None),
    ];
    for (body, unionid) in table {
        let stub = Stub::play(move |_| ok(body)).await;
        let session = stub.wechat(Limits::default()).code_to_session("a-code").await.unwrap();
        assert_eq!(session.openid, "o1");
        assert_eq!(session.unionid.as_deref(), unionid);
        assert!(!format!("{session:?}").contains("KEY"));
    }
}

#[tokio::test]
async fn what_cannot_be_a_code_is_refused_without_a_call() {
    let stub = Stub::play(|_| ok(r#"{"openid":"o1"}"#)).await;
    let wechat = stub.wechat(Limits::default());
    for code in ["", "a b", "码", "a\nb", &"x".repeat(129)] {
        let error = wechat.code_to_session(code).await.unwrap_err();
        assert_eq!(error.reason(), Reason::LoginCodeInvalid, "{code}");
        let error = wechat.phone_number(code).await.unwrap_err();
        assert_eq!(error.reason(), Reason::OneTimeCodeInvalid, "{code}");
    }
    assert!(stub.asked("").is_empty());
}

#[tokio::test]
async fn an_answer_that_repeats_our_secrets_does_not_bring_them_into_the_failure() {
    for body in [
        format!(r#"{{"errcode":40013,"errmsg":"{SECRET}, rid: {SECRET}"}}"#),
        format!(r#"{{"errcode":"{SECRET}"}}"#),
        format!(r#"{{"openid":{{"{SECRET}":1}}}}"#),
        SECRET.to_owned(),
    ] {
        let answer = body.clone();
        let stub = Stub::play(move |_| ok(&answer)).await;
        let error = stub.wechat(Limits::default()).code_to_session("a-code").await.unwrap_err();
        assert!(!everything(&error).contains(SECRET), "{body}: {}", everything(&error));
    }
    let stub = Stub::play(|_| ok(r#"{"errcode":40013,"errmsg":"bad, rid: 65ab-12cd"}"#)).await;
    let error = stub.wechat(Limits::default()).code_to_session("a-code").await.unwrap_err();
    assert!(everything(&error).contains("65ab-12cd"), "the request id is for Tencent's support");
}

#[tokio::test]
async fn no_failure_of_the_line_tells_a_secret() {
    // Refused connection: the port was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let wechat = Wechat::new(&closed, "wx-app", Secret::new(SECRET), QUICK).unwrap();
    let mut errors = vec![wechat.code_to_session("a-code").await.unwrap_err()];
    // A redirect is not followed, a broken answer not read on.
    for head in ["302 Found\r\nlocation: http://127.0.0.1:1/", "502 Bad Gateway", "nonsense"] {
        let stub = Stub::play(move |_| Answer::Says(head, String::new())).await;
        errors.push(stub.wechat(QUICK).code_to_session("a-code").await.unwrap_err());
        errors.push(stub.wechat(QUICK).phone_number("a-code").await.unwrap_err());
        assert_eq!(stub.asked("").len(), 2, "{head}");
    }
    for error in errors {
        assert_eq!(error.reason(), Reason::RemoteUnavailable);
        assert_eq!(error.facts(), [("service", "wechat".to_owned())]);
        assert!(error.source().is_some() && error.wait().is_some());
        let text = everything(&error);
        assert!(!text.contains(SECRET) && !text.contains("a-code"), "{text}");
    }
    let debug = format!("{wechat:?} {:?}", Secret::new(SECRET));
    assert!(debug.contains("wx-app") && !debug.contains(SECRET), "{debug}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let body = |length: usize| format!(r#"{{"openid":"{}"}}"#, "o".repeat(length - 13));
    let stub = Stub::play(move |_| ok(&body(BODY_BYTES_MAX))).await;
    assert!(stub.wechat(Limits::default()).code_to_session("a-code").await.is_ok());
    let stub = Stub::play(move |_| ok(&body(BODY_BYTES_MAX + 1))).await;
    let error = stub.wechat(Limits::default()).code_to_session("a-code").await.unwrap_err();
    assert_eq!(error.reason(), Reason::RemoteUnavailable);
}

// T22, OP-08
#[tokio::test]
async fn fifty_callers_of_a_silent_wechat_all_fail_within_one_time_limit() {
    let stub = Stub::play(|_| Answer::Silence).await;
    let wechat = Arc::new(stub.wechat(QUICK));
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let wechat = Arc::clone(&wechat);
            tokio::spawn(async move {
                match number % 2 {
                    0 => wechat.phone_number("a-code").await.map(drop),
                    _ => wechat.code_to_session("a-code").await.map(drop),
                }
            })
        })
        .collect();
    // One after the other behind the token they would need 25 limits.
    let all = tokio::time::timeout(Duration::from_secs(4), futures::future::join_all(calls));
    for result in all.await.expect("the limit holds for the waiting too") {
        let error = result.unwrap().unwrap_err();
        assert_eq!(error.reason(), Reason::RemoteUnavailable);
        assert_eq!(error.reason().kind(), Kind::Unavailable);
        assert!(error.wait().is_some());
    }
}

/// WeChat with one phone number, whose token is what `token` makes of a request for one.
fn phone_stub(token: impl Fn(&str) -> String + Send + Sync + 'static) -> impl Fn(&str) -> Answer {
    move |request| {
        if request.starts_with("POST /cgi-bin/stable_token") {
            return ok(&token(request));
        }
        ok(match request {
            good if good.contains("access_token=good ") => {
                r#"{"errcode":0,"phone_info":{"purePhoneNumber":"13812345678","countryCode":86}}"#
            }
            old if old.contains("access_token=expired ") => r#"{"errcode":42001,"errmsg":""}"#,
            _ => r#"{"errcode":40001,"errmsg":""}"#,
        })
    }
}

#[tokio::test]
async fn one_token_is_fetched_for_twenty_calls_at_once() {
    let script = phone_stub(|_| r#"{"access_token":"good","expires_in":7200}"#.to_owned());
    let stub = Stub::play(script).await;
    let wechat = stub.wechat(Limits::default());
    let calls = (0..20).map(|_| wechat.phone_number("a-code"));
    for number in futures::future::join_all(calls).await {
        assert_eq!(number.unwrap(), "13812345678");
    }
    let fetched = stub.asked("stable_token");
    assert_eq!(fetched.len(), 1);
    assert!(fetched[0].contains(r#""force_refresh":false"#));
}

#[tokio::test]
async fn a_token_near_its_end_is_used_but_not_kept() {
    let script = phone_stub(|_| r#"{"access_token":"good","expires_in":300}"#.to_owned());
    let stub = Stub::play(script).await;
    let wechat = stub.wechat(Limits::default());
    assert!(wechat.phone_number("a-code").await.is_ok());
    assert!(wechat.phone_number("a-code").await.is_ok());
    assert_eq!(stub.asked("stable_token").len(), 2);
}

#[tokio::test]
async fn a_token_that_wechat_itself_hands_out_and_refuses_is_renewed_by_force_once() {
    for old in ["bad", "expired"] {
        let script = phone_stub(move |request| {
            let forced = request.contains(r#""force_refresh":true"#);
            let token = if forced { "good" } else { old };
            format!(r#"{{"access_token":"{token}","expires_in":7200}}"#)
        });
        let stub = Stub::play(script).await;
        let wechat = stub.wechat(Limits::default());
        assert_eq!(wechat.phone_number("a-code").await.unwrap(), "13812345678");
        assert_eq!(wechat.phone_number("a-code").await.unwrap(), "13812345678");
        assert_eq!(stub.asked("stable_token").len(), 3, "as given, again, by force; then kept");
        assert_eq!(stub.asked("getuserphonenumber").len(), 3);
    }
}

#[tokio::test]
async fn force_is_not_repeated_within_thirty_seconds() {
    let script = phone_stub(|_| r#"{"access_token":"bad","expires_in":7200}"#.to_owned());
    let stub = Stub::play(script).await;
    let wechat = stub.wechat(Limits::default());
    for _ in 0..3 {
        let error = wechat.phone_number("a-code").await.unwrap_err();
        assert_eq!(error.reason(), Reason::RemoteUnavailable);
    }
    assert_eq!(stub.asked(r#""force_refresh":true"#).len(), 1);
}

#[tokio::test]
async fn a_country_code_may_be_a_number_or_a_text() {
    let table = [
        ("86", "13812345678", "13812345678"),
        (r#""86""#, "13812345678", "13812345678"),
        (r#""+86""#, "13812345678", "13812345678"),
        ("852", "91234567", "+85291234567"),
        (r#""852""#, "91234567", "+85291234567"),
    ];
    for (country, pure, expected) in table {
        let stub = Stub::play(move |request| {
            if request.contains("stable_token") {
                return ok(r#"{"access_token":"good","expires_in":7200}"#);
            }
            let info = format!(r#"{{"purePhoneNumber":"{pure}","countryCode":{country}}}"#);
            ok(&format!(r#"{{"errcode":0,"errmsg":"ok","phone_info":{info}}}"#))
        })
        .await;
        let number = stub.wechat(Limits::default()).phone_number("a-code").await.unwrap();
        assert_eq!(number, expected);
    }
}

#[test]
fn an_address_that_is_none_or_holds_a_password_is_refused_and_not_told() {
    for url in ["", "api.weixin.qq.com", "ftp://host", "http://u:pw@host", "http://host/?k=pw"] {
        let error = Wechat::new(url, "a", Secret::new(SECRET), QUICK).unwrap_err();
        assert_eq!(error.reason(), Reason::Internal, "{url}");
        assert!(!everything(&error).contains("pw"), "{url}");
    }
    assert!(Wechat::new(super::wechat::BASE_URL, "a", Secret::new(SECRET), QUICK).is_ok());
}

#[tokio::test]
async fn an_address_may_have_a_path_of_its_own() {
    let stub = Stub::play(|_| ok(r#"{"openid":"o1"}"#)).await;
    let url = format!("{}/egress/", stub.url);
    let wechat = Wechat::new(&url, "wx-app", Secret::new(SECRET), QUICK).unwrap();
    assert!(wechat.code_to_session("a-code").await.is_ok());
    assert_eq!(stub.asked("GET /egress/sns/jscode2session?").len(), 1);
}

// ID-07
#[tokio::test]
async fn every_answer_of_the_sms_gateway_has_its_reason() {
    let table = [
        ("503 Service Unavailable", Reason::RemoteUnavailable, Some(5)),
        ("503 Away\r\nretry-after: 7", Reason::RemoteUnavailable, Some(7)),
        ("503 Away\r\nretry-after: 999999", Reason::RemoteUnavailable, Some(3600)),
        ("429 Too Many Requests\r\nretry-after: 30", Reason::RateLimited, Some(30)),
        ("422 Unprocessable", Reason::RequestInvalid, None),
        ("401 Unauthorized", Reason::Internal, None),
        ("302 Found\r\nlocation: http://127.0.0.1:1/", Reason::Internal, None),
    ];
    for (head, reason, wait) in table {
        let stub = Stub::play(move |_| Answer::Says(head, "13812345678 482913".to_owned())).await;
        let sms = Sms::new(&stub.url, Secret::new(SECRET), "login-code", QUICK).unwrap();
        let error = sms.send_code("13812345678", "482913").await.unwrap_err();
        assert_eq!(error.reason(), reason, "{head}");
        assert_eq!(error.wait().map(|wait| wait.as_secs()), wait, "{head}");
        let text = format!("{} {sms:?}", everything(&error));
        for hidden in [SECRET, "13812345678", "482913"] {
            assert!(!text.contains(hidden), "{text}");
        }
        if reason == Reason::RequestInvalid {
            assert_eq!(error.fields()[0].flaw, Flaw::PhoneMalformed);
        }
    }
}

#[tokio::test]
async fn a_message_is_posted_with_its_key_and_a_silent_gateway_is_not_waited_for() {
    let stub = Stub::play(|_| Answer::Says("202 Accepted", String::new())).await;
    let url = format!("{}/sms/send", stub.url);
    let sms = Sms::new(&url, Secret::new(SECRET), "login-code", QUICK).unwrap();
    sms.send_code("13812345678", "482913").await.unwrap();
    let asked = stub.asked("POST /sms/send HTTP/1.1");
    assert!(asked[0].contains(&format!("authorization: Bearer {SECRET}")), "{}", asked[0]);
    assert!(asked[0].ends_with(
        r#"{"phone":"13812345678","template":"login-code","parameters":{"code":"482913"}}"#
    ));

    let stub = Stub::play(|_| Answer::Silence).await;
    let sms = Sms::new(&stub.url, Secret::new(SECRET), "login-code", QUICK).unwrap();
    let error = sms.send_code("13812345678", "482913").await.unwrap_err();
    assert_eq!(error.reason(), Reason::RemoteUnavailable);
}
