//! The one port as clients without gRPC see it: the journey of a mini-program by plain JSON first, then every
//! tongue, every refusal, bad JSON of every kind, and what HTTP itself can do wrong.

mod described;
mod faults;
mod jsons;
mod strangers;
mod tongues;

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    harness::{App, User, Wish},
    identity::sandbox,
};

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.bytes().await.unwrap();
        let body = serde_json::from_slice(&text).unwrap_or_default();
        Self { status, headers, body }
    }

    /// What stands in the detail of this name, readable.
    fn debug(&self, name: &str) -> &Value {
        let details = self.body["details"].as_array().map_or(&[][..], Vec::as_slice);
        let found = details.iter().find(|detail| detail["type"] == format!("google.rpc.{name}"));
        found.map_or(&Value::Null, |detail| &detail["debug"])
    }

    pub fn reason(&self) -> &str {
        self.debug("ErrorInfo")["reason"].as_str().unwrap_or_default()
    }

    /// Each wrong field with its reason, as for gRPC.
    pub fn fields(&self) -> Vec<String> {
        let fields = self.debug("BadRequest")["fieldViolations"].as_array();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let told = |it: &Value| format!("{} {}", word(&it["field"]), word(&it["reason"]));
        fields.into_iter().flatten().map(told).collect()
    }
}

pub fn address(app: &App, method: &str) -> String {
    format!("http://{}/jingqi.v1.{method}", app.address)
}

/// Sends a text as JSON.
pub async fn send(
    app: &App,
    method: &str,
    user: Option<&User>,
    text: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = reqwest::Client::new()
        .post(address(app, method))
        .header("content-type", "application/json")
        .body(text);
    if let Some(token) = user.and_then(|user| user.token.as_ref()) {
        request = request.bearer_auth(token);
    }
    Answer::of(request.send().await.unwrap()).await
}

pub async fn post(app: &App, method: &str, user: Option<&User>, body: &Value) -> Answer {
    send(app, method, user, body.to_string()).await
}

// What a mini-program does first, by nothing but POST and JSON.
#[sqlx::test]
async fn a_mini_program_signs_in_reads_and_is_told_what_is_wrong(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let code = sandbox(&app, "/sandbox/login_codes", json!({"user": "driver-by-json"})).await;
    let sign_in = json!({"loginCode": code, "client": "小程序"});
    let signed_in = post(&app, "IdentityService/SignInWithWechat", None, &sign_in).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    assert_eq!(signed_in.headers["content-type"], "application/json");
    assert_eq!(signed_in.headers["cache-control"], "no-store");
    let token = signed_in.body["accessToken"].as_str().unwrap();
    let me = app.anonymous().with_token(token);
    let account = post(&app, "IdentityService/GetAccount", Some(&me), &json!({})).await;
    assert!(account.body["name"].as_str().unwrap().starts_with("persons/"), "{account:?}");
    let zones = post(&app, "TruckPassService/ListZones", None, &json!({})).await;
    assert_eq!(zones.body["zones"][0]["name"], city.zone.to_string());
    assert!(zones.body["zones"][0]["version"].is_number(), "{zones:?}");

    // Used before: told in Chinese, for a machine and for a person.
    let again = post(&app, "IdentityService/SignInWithWechat", None, &sign_in).await;
    assert_eq!((again.status.as_u16(), again.reason()), (401, "LOGIN_CODE_INVALID"));
    assert_eq!(again.body["code"], "unauthenticated");
    assert_eq!(again.body["message"], "微信登录凭证无效或已过期,请重新打开小程序");
    assert_eq!(again.debug("LocalizedMessage")["locale"], "zh-CN");
    let wrong = json!({"name": "sessions/nonsense"});
    let wrong = post(&app, "IdentityService/RevokeSession", Some(&me), &wrong).await;
    assert_eq!((wrong.status.as_u16(), wrong.reason()), (400, "REQUEST_INVALID"));
    assert_eq!(wrong.fields(), ["name NAME_MALFORMED"]);
    let field = &wrong.debug("BadRequest")["fieldViolations"][0];
    assert_eq!(field["description"], "资源名称格式不正确");

    // A path stays as the API names it, whichever name the client wrote.
    let mut create = json!({"passApplication": {"enterprise": city.enterprise.to_string(),
        "vehicle": city.vehicle.to_string(), "need": {"passKind": "LONG_TERM_DELIVERY"}}});
    let created =
        post(&app, "PassApplicationService/CreatePassApplication", Some(&city.handler), &create)
            .await;
    assert_eq!(created.reason(), "REQUEST_INVALID", "{created:?}");
    assert!(created.fields().iter().any(|field| field.contains("need.")), "{created:?}");
    create["passApplication"]["need"]["months"] = json!("many");
    let created =
        post(&app, "PassApplicationService/CreatePassApplication", Some(&city.handler), &create)
            .await;
    assert_eq!(created.fields(), ["pass_application.need.months JSON_MALFORMED"]);
}

// The gate judges a call by JSON as it judges one by gRPC: before anybody reads what it says.
#[sqlx::test]
async fn who_may_not_call_learns_nothing_of_what_a_right_request_looks_like(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    for (user, expected) in
        [(None, (401, "TOKEN_MISSING")), (Some(&city.stranger), (403, "DENIED"))]
    {
        let refused = send(&app, "OrganisationService/CreateUnit", user, "{").await;
        assert_eq!((refused.status.as_u16(), refused.reason()), expected);
    }
    let nonsense = app.anonymous().with_token("nonsense");
    let refused = post(&app, "IdentityService/GetAccount", Some(&nonsense), &json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.reason()), (401, "TOKEN_INVALID"));
}

// Without PostgreSQL both say so: a balancer by a status, a client by a reason and a time.
#[sqlx::test]
async fn whether_it_lives_and_is_ready_is_told_without_a_call(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let ask = async |path: &str| {
        let response = reqwest::get(format!("http://{}{path}", app.address)).await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(ask("/livez").await, 200);
    let mut ready = 0;
    while ready != 200 {
        ready = ask("/readyz").await;
    }
    pool.close().await;
    while ready != 503 {
        ready = ask("/readyz").await;
    }
    assert_eq!(ask("/livez").await, 200);
    let refused = post(&app, "TruckPassService/GetTruckPass", None, &json!({})).await;
    assert!([401, 503].contains(&refused.status.as_u16()), "{refused:?}");
}

#[sqlx::test]
async fn both_addresses_give_the_same(pool: PgPool) {
    let app = App::start(pool).await;
    for address in [app.address, app.web] {
        let url = format!("http://{address}/jingqi.v1.TruckPassService/ListZones");
        let request = reqwest::Client::new().post(url).json(&json!({}));
        assert_eq!(request.send().await.unwrap().status(), 200);
        app.anonymous()
            .at(address)
            .passes()
            .list_zones(jingqi::surface::service::pb::ListZonesRequest {})
            .await
            .unwrap();
        crate::line::Phone::open(address, crate::line::JSON).await.ask(json!({"ping": {}})).await;
    }
}

// Whoever is behind a proxy of ours is counted by his own address, also by JSON.
#[sqlx::test]
async fn a_proxy_says_who_called(pool: PgPool) {
    let app = App::wished(pool, Wish { behind_proxy: true, ..Wish::default() }).await;
    let code = sandbox(&app, "/sandbox/login_codes", json!({"user": "behind"})).await;
    let request = reqwest::Client::new()
        .post(address(&app, "IdentityService/SignInWithWechat"))
        .header("x-forwarded-for", "203.0.113.7")
        .json(&json!({"loginCode": code}));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let told = app.count("select count(*) from session where address like '203.0.113.7%'").await;
    assert_eq!(told, 1);
}
