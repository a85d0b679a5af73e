//! The sandbox, driven over a real socket by the real clients, with a clock moved by hand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    Now, router, serve, sms,
    wechat::{APPID, BLOCKED, BUSY, SECRET},
};
use crate::{
    error::{Flaw, Reason},
    remote::{Limits, Secret, sms::Sms, wechat::Wechat, wecom::Wecom},
};

struct Sandbox {
    url: String,
    clock: Arc<Mutex<Timestamp>>,
    http: reqwest::Client,
}

fn clock() -> (Arc<Mutex<Timestamp>>, Now) {
    let clock = Arc::new(Mutex::new("2026-11-24T08:00:00+08:00".parse().unwrap()));
    let hand = Arc::clone(&clock);
    (clock, Arc::new(move || *hand.lock().unwrap()))
}

impl Sandbox {
    async fn open() -> Self {
        let (clock, now) = clock();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router(now)).await });
        Self { url, clock, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn wait(&self, time: SignedDuration) {
        let mut now = self.clock.lock().unwrap();
        *now += time;
    }

    fn wechat(&self) -> Wechat {
        Wechat::new(&self.url, APPID, Secret::new(SECRET), Limits::default()).unwrap()
    }

    fn wecom(&self, secret: &str) -> Wecom {
        let secret = Secret::new(secret);
        Wecom::new(&self.url, super::wecom::CORPID, secret, Limits::default()).unwrap()
    }

    fn sms(&self, key: &str) -> Sms {
        let url = format!("{}/sms/send", self.url);
        Sms::new(&url, Secret::new(key), "login-code", Limits::default()).unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn login_code(&self, user: &str) -> String {
        text(&self.post("/sandbox/login_codes", json!({ "user": user })).await["code"])
    }

    async fn phone_code(&self, phone: &str) -> String {
        let wish = json!({ "user": "driver-li", "phone": phone });
        text(&self.post("/sandbox/phone_codes", wish).await["code"])
    }

    async fn token(&self, force_refresh: bool) -> Value {
        let question = json!({
            "grant_type": "client_credential", "appid": APPID, "secret": SECRET,
            "force_refresh": force_refresh,
        });
        self.post("/cgi-bin/stable_token", question).await
    }

    /// The `errcode` with which a call of the token is answered; a good token leads to 40029.
    async fn token_errcode(&self, token: &str) -> i64 {
        let path = format!("/wxa/business/getuserphonenumber?access_token={token}");
        self.post(&path, json!({ "code": "none" })).await["errcode"].as_i64().unwrap()
    }

    async fn send(&self, touser: &str, template_id: &str, data: Value) -> Value {
        let token = text(&self.token(false).await["access_token"]);
        let path = format!("/cgi-bin/message/subscribe/send?access_token={token}");
        let message = json!({
            "touser": touser, "template_id": template_id, "page": "pages/pass/pass", "data": data,
        });
        self.post(&path, message).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

// ID-07
#[tokio::test]
async fn a_driver_signs_in_with_a_login_code_and_is_the_same_person_each_time() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    let code = sandbox.login_code("driver-li").await;
    assert!(code.starts_with("wx-login-driver-li-"), "{code}");
    let first = wechat.code_to_session(&code).await.unwrap();
    let again = wechat.code_to_session(&sandbox.login_code("driver-li").await).await.unwrap();
    let other = wechat.code_to_session(&sandbox.login_code("driver-wu").await).await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first.openid, other.openid);
    assert_ne!(first.unionid, other.unionid);
    assert_eq!(first.openid.len(), 28);
}

// ID-07
#[tokio::test]
async fn a_login_code_serves_once() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    let code = sandbox.login_code("driver-li").await;
    wechat.code_to_session(&code).await.unwrap();
    let error = wechat.code_to_session(&code).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LoginCodeInvalid);
    let path = format!(
        "/sns/jscode2session?appid={APPID}&secret={SECRET}&js_code={code}\
         &grant_type=authorization_code"
    );
    assert_eq!(sandbox.get(&path).await["errcode"], 40163);
}

// ID-07
#[tokio::test]
async fn a_login_code_lives_five_minutes() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    let (young, old) = (sandbox.login_code("a").await, sandbox.login_code("b").await);
    sandbox.wait(SignedDuration::new(299, 999_000_000));
    wechat.code_to_session(&young).await.unwrap();
    sandbox.wait(SignedDuration::from_millis(1));
    let error = wechat.code_to_session(&old).await.unwrap_err();
    assert_eq!(error.reason(), Reason::LoginCodeInvalid);
    let error = wechat.code_to_session("wx-login-a-99").await.unwrap_err();
    assert_eq!(error.reason(), Reason::LoginCodeInvalid);
}

// ID-07
#[tokio::test]
async fn a_blocked_person_a_busy_wechat_and_a_wrong_secret_are_told_apart() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    let error = wechat.code_to_session(&sandbox.login_code(BLOCKED).await).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Denied);
    let error = wechat.code_to_session(BUSY).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RemoteUnavailable);
    assert!(error.wait().is_some());
    for (appid, secret) in [(APPID, "wrong-secret"), ("wx-other", SECRET)] {
        let stranger =
            Wechat::new(&sandbox.url, appid, Secret::new(secret), Limits::default()).unwrap();
        let code = sandbox.login_code("driver-li").await;
        for error in [
            stranger.code_to_session(&code).await.unwrap_err(),
            stranger.phone_number("wx-phone").await.unwrap_err(),
        ] {
            assert_eq!(error.reason(), Reason::Internal);
            assert!(!format!("{error:?} {stranger:?}").contains(secret));
        }
    }
}

// ID-07
#[tokio::test]
async fn a_user_signs_in_a_hundred_times_a_minute_and_no_more() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    for _ in 0..100 {
        wechat.code_to_session(&sandbox.login_code("driver-li").await).await.unwrap();
    }
    let code = sandbox.login_code("driver-li").await;
    let error = wechat.code_to_session(&code).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RemoteUnavailable);
    assert_eq!(error.wait().unwrap().as_secs(), 60);
    wechat.code_to_session(&sandbox.login_code("driver-wu").await).await.unwrap();
    sandbox.wait(SignedDuration::from_mins(1));
    wechat.code_to_session(&code).await.expect("a refusal for the rate leaves the code unused");
}

// ID-07
#[tokio::test]
async fn a_phone_code_serves_once_within_five_minutes() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    // WeChat's two ways to write the country code come in turn.
    for _ in 0..2 {
        let code = sandbox.phone_code("13812345678").await;
        assert_eq!(wechat.phone_number(&code).await.unwrap(), "13812345678");
        let error = wechat.phone_number(&code).await.unwrap_err();
        assert_eq!(error.reason(), Reason::OneTimeCodeInvalid);
    }
    let wish = json!({ "user": "driver-li", "phone": "91234567", "country_code": 852 });
    let code = text(&sandbox.post("/sandbox/phone_codes", wish).await["code"]);
    assert_eq!(wechat.phone_number(&code).await.unwrap(), "+85291234567");
    let code = sandbox.phone_code("13812345678").await;
    sandbox.wait(SignedDuration::from_mins(5));
    let error = wechat.phone_number(&code).await.unwrap_err();
    assert_eq!(error.reason(), Reason::OneTimeCodeInvalid);
}

#[tokio::test]
async fn the_client_takes_the_new_token_when_another_server_made_its_own_invalid() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    let code = sandbox.phone_code("13812345678").await;
    wechat.phone_number(&code).await.unwrap();
    let old = text(&sandbox.token(false).await["access_token"]);
    let new = text(&sandbox.token(true).await["access_token"]);
    assert_eq!(sandbox.token_errcode(&old).await, 40001);
    // From here WeChat would obey a forced renewal again.
    sandbox.wait(SignedDuration::from_mins(1));
    let code = sandbox.phone_code("13987654321").await;
    assert_eq!(wechat.phone_number(&code).await.unwrap(), "13987654321");
    let now = text(&sandbox.token(false).await["access_token"]);
    assert_eq!(new, now, "the client did not force the other server out in return");
}

#[tokio::test]
async fn the_client_renews_a_token_that_has_ended() {
    let sandbox = Sandbox::open().await;
    let wechat = sandbox.wechat();
    wechat.phone_number(&sandbox.phone_code("13812345678").await).await.unwrap();
    sandbox.wait(SignedDuration::from_hours(3));
    wechat.phone_number(&sandbox.phone_code("13812345678").await).await.unwrap();
}

#[tokio::test]
async fn an_old_and_a_new_token_hold_together_for_five_minutes() {
    let sandbox = Sandbox::open().await;
    let first = sandbox.token(false).await;
    assert_eq!(first["expires_in"], 7200);
    let old = text(&first["access_token"]);
    assert_eq!(old.len(), 512);
    sandbox.wait(SignedDuration::from_mins(114));
    let same = sandbox.token(false).await;
    assert_eq!((&same["access_token"], &same["expires_in"]), (&json!(old), &json!(360)));
    sandbox.wait(SignedDuration::from_mins(1));
    let new = text(&sandbox.token(false).await["access_token"]);
    assert_ne!(old, new);
    for token in [&old, &new] {
        assert_eq!(sandbox.token_errcode(token).await, 40029, "the token holds");
    }
    sandbox.wait(SignedDuration::from_mins(5));
    assert_eq!(sandbox.token_errcode(&old).await, 42001);
    assert_eq!(sandbox.token_errcode(&new).await, 40029);
    assert_eq!(sandbox.token_errcode("invented").await, 40001);
    assert_eq!(sandbox.token_errcode("").await, 41001);
}

#[tokio::test]
async fn a_token_is_forced_twenty_times_a_day_and_thirty_seconds_apart() {
    let sandbox = Sandbox::open().await;
    let first = text(&sandbox.token(true).await["access_token"]);
    sandbox.wait(SignedDuration::from_secs(29));
    assert_eq!(text(&sandbox.token(true).await["access_token"]), first);
    for _ in 0..19 {
        sandbox.wait(SignedDuration::from_secs(30));
        assert!(sandbox.token(true).await["errcode"].is_null());
    }
    sandbox.wait(SignedDuration::from_secs(30));
    assert_eq!(sandbox.token(true).await["errcode"], 45009);
    assert!(sandbox.token(false).await["errcode"].is_null());
    sandbox.wait(SignedDuration::from_hours(24));
    assert!(sandbox.token(true).await["errcode"].is_null());
}

// NO-05
#[tokio::test]
async fn a_message_needs_a_consent_and_uses_it_up() {
    let sandbox = Sandbox::open().await;
    let wish = json!({ "user": "driver-li", "template_id": "pass-ends" });
    let consent = sandbox.post("/sandbox/consents", wish.clone()).await;
    let openid = text(&consent["openid"]);
    let login = sandbox.login_code("driver-li").await;
    assert_eq!(sandbox.wechat().code_to_session(&login).await.unwrap().openid, openid);
    let data =
        json!({ "car_number1": { "value": "苏ND12345" }, "thing2": { "value": "即将到期" } });
    let wrong = json!({ "car_number1": { "value": "苏ND123456" } });

    let refused = sandbox.send(&openid, "pass-ends", wrong).await;
    assert_eq!(refused["errcode"], 47003);
    assert!(text(&refused["errmsg"]).contains("data.car_number1.value"));
    assert_eq!(sandbox.send(&openid, "pass-ends", data.clone()).await["errcode"], 0);
    assert_eq!(sandbox.send(&openid, "pass-ends", data.clone()).await["errcode"], 43101);
    assert_eq!(sandbox.send(&openid, "other", data.clone()).await["errcode"], 43101);
    assert_eq!(sandbox.send("nobody", "pass-ends", data.clone()).await["errcode"], 40003);

    let wish = json!({ "user": "driver-li", "template_id": "pass-ends", "long_term": true });
    sandbox.post("/sandbox/consents", wish).await;
    for _ in 0..2 {
        assert_eq!(sandbox.send(&openid, "pass-ends", data.clone()).await["errcode"], 0);
    }
    let sent = sandbox.get("/sandbox/messages?user=driver-li").await;
    let sent = sent["messages"].as_array().unwrap();
    assert_eq!(sent.len(), 3, "only what was accepted is delivered");
    assert_eq!(sent[0]["data"], data);
    assert_eq!(sent[0]["touser"], openid);
    assert_eq!(sent[0]["time"], "2026-11-24T00:00:00Z");
    assert_eq!(sandbox.get("/sandbox/messages?user=driver-wu").await["messages"], json!([]));

    let path = "/cgi-bin/message/subscribe/send?access_token=invented";
    assert_eq!(sandbox.post(path, json!({})).await["errcode"], 40001);
}

// ID-07
#[tokio::test]
async fn the_last_sms_to_a_number_can_be_read() {
    let sandbox = Sandbox::open().await;
    let gateway = sandbox.sms(sms::KEY);
    gateway.send_code("13812345678", "111111").await.unwrap();
    gateway.send_code("13812345678", "222222").await.unwrap();
    gateway.send_code("13987654321", "333333").await.unwrap();
    let last = sandbox.get("/sandbox/sms?phone=13812345678").await;
    assert_eq!(last["parameters"], json!({ "code": "222222" }));
    assert_eq!(last["template"], "login-code");
    let nothing = format!("{}/sandbox/sms?phone=13700000000", sandbox.url);
    assert_eq!(sandbox.http.get(nothing).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn the_gateway_refuses_by_its_rules() {
    let sandbox = Sandbox::open().await;
    let gateway = sandbox.sms(sms::KEY);
    let reason = async |gateway: &Sms, phone: &str| {
        gateway.send_code(phone, "482913").await.unwrap_err().reason()
    };
    assert_eq!(reason(&sandbox.sms("wrong"), "13812345678").await, Reason::Internal);
    assert_eq!(reason(&gateway, sms::AWAY).await, Reason::RemoteUnavailable);
    assert_eq!(reason(&gateway, sms::CROWDED).await, Reason::RateLimited);
    let error = gateway.send_code("12345", "482913").await.unwrap_err();
    assert_eq!(error.fields()[0].flaw, Flaw::PhoneMalformed);
}

#[tokio::test]
async fn the_sandbox_refuses_wishes_that_it_does_not_understand() {
    let sandbox = Sandbox::open().await;
    for (path, wish) in [
        ("/sandbox/login_codes", json!({ "user": "李" })),
        ("/sandbox/login_codes", json!({})),
        ("/sandbox/phone_codes", json!({ "user": "driver-li", "phone": "12345" })),
        ("/sandbox/consents", json!({ "user": "driver-li" })),
    ] {
        let request = sandbox.http.post(format!("{}{path}", sandbox.url)).json(&wish);
        assert_eq!(request.send().await.unwrap().status(), 400, "{path}");
    }
    let question = sandbox.http.post(format!("{}/cgi-bin/stable_token", sandbox.url)).body("no");
    let answer: Value = question.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errcode"], 47001);
    let live = sandbox.http.get(format!("{}/livez", sandbox.url)).send().await.unwrap();
    assert_eq!(live.text().await.unwrap(), "ok");
}

#[tokio::test]
async fn serving_ends_when_told_and_fails_on_a_taken_address() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    serve(anywhere, clock().1, std::future::ready(())).await.unwrap();
    let taken = TcpListener::bind(anywhere).await.unwrap();
    let address = taken.local_addr().unwrap();
    assert!(serve(address, clock().1, std::future::pending()).await.is_err());
}

#[tokio::test]
async fn a_contact_way_is_made_and_brings_its_state_back() {
    let sandbox = Sandbox::open().await;
    let wecom = sandbox.wecom(super::wecom::SECRET);
    let members = vec!["100011".to_owned(), "100012".to_owned()];
    let way = wecom.add_contact_way(&members, "宿城岗", "0123456789").await.unwrap();
    let scanned = sandbox.post("/sandbox/wecom/scan", json!({ "qr_code": way.qr_code })).await;
    assert_eq!(scanned, json!({ "state": "0123456789" }));
    // WeCom ended the token early: another is taken, once, and nobody notices.
    let expired = sandbox.http.post(format!("{}/sandbox/wecom/expire", sandbox.url));
    expired.send().await.unwrap();
    wecom.add_contact_way(&members, "宿城岗", "another").await.unwrap();
    for (wecom, members, state) in [
        (sandbox.wecom("wrong"), members.clone(), "state"),
        (sandbox.wecom(super::wecom::SECRET), vec![super::wecom::UNKNOWN_MEMBER.to_owned()], "s"),
    ] {
        let refused = wecom.add_contact_way(&members, "宿城岗", state).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Internal);
    }
    let long = wecom.add_contact_way(&members, "宿城岗", &"x".repeat(31)).await.unwrap_err();
    assert_eq!(long.reason(), Reason::Internal);
    // The name of a post may be longer than a remark.
    wecom.add_contact_way(&members, &"岗".repeat(60), "long").await.unwrap();
}
