//! Sign-in, sessions and their ends, keys and roles; what a thief meets. What a stranger meets stands in
//! `limits`, devices in `devices`.

mod devices;
mod limits;

use jiff::SignedDuration;
use jingqi::surface::{
    actor::Role,
    sandbox::city::{self, Account},
    service::pb,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tonic::Code;

use crate::{
    credentials,
    harness::{App, User, fields, reason, request_id},
};

/// Asks the stand-in for WeChat.
pub async fn sandbox(app: &App, path: &str, body: Value) -> String {
    let url = format!("http://{}{path}", app.sandbox);
    let reply: Value =
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    reply["code"].as_str().unwrap().to_owned()
}

pub async fn wechat(app: &App, user: &str) -> pb::Tokens {
    let login_code = sandbox(app, "/sandbox/login_codes", json!({ "user": user })).await;
    let request = pb::SignInWithWechatRequest { login_code, client: "test".to_owned() };
    app.anonymous().call(request).await.unwrap()
}

pub fn signed_in(app: &App, tokens: &pb::Tokens) -> User {
    let mut user = app.anonymous().with_token(&tokens.access_token);
    user.name.clone_from(&tokens.account.as_ref().unwrap().name);
    user
}

pub async fn refresh(app: &App, token: &str) -> Result<pb::Tokens, tonic::Status> {
    let request = pb::RefreshSessionRequest { refresh_token: token.to_owned() };
    app.anonymous().call(request).await
}

pub async fn account(user: &User) -> Result<pb::Account, tonic::Status> {
    user.call(pb::GetAccountRequest {}).await
}

// ID-07: a login code makes the account, once; the same person comes back to it.
#[sqlx::test]
async fn a_person_signs_in_with_a_wechat_code(pool: PgPool) {
    let app = App::start(pool).await;
    let first = wechat(&app, "boss-wang").await;
    let again = wechat(&app, "boss-wang").await;
    let other = wechat(&app, "driver-zhao").await;
    let name = |tokens: &pb::Tokens| tokens.account.as_ref().unwrap().name.clone();
    assert_eq!(name(&first), name(&again));
    assert_ne!(name(&first), name(&other));
    assert_eq!(account(&signed_in(&app, &first)).await.unwrap().roles, ["PERSON"]);
    let code = sandbox(&app, "/sandbox/login_codes", json!({ "user": "boss-wang" })).await;
    let request = pb::SignInWithWechatRequest { login_code: code, client: String::new() };
    let nobody = app.anonymous();
    nobody.call(request.clone()).await.unwrap();
    let used = nobody.call(request).await.unwrap_err();
    assert_eq!(
        (used.code(), reason(&used).as_str()),
        (Code::Unauthenticated, "LOGIN_CODE_INVALID")
    );
}

// ID-07: a phone is proved by WeChat, or by a code that was sent; a wrong code does not.
#[sqlx::test]
async fn a_phone_is_proved_by_wechat_or_by_a_sent_code(pool: PgPool) {
    use pb::verify_phone_request::Proof;
    let app = App::start(pool).await;
    let user = signed_in(&app, &wechat(&app, "driver-zhao").await);
    let body = json!({ "user": "driver-zhao", "phone": "13905240001" });
    let code = sandbox(&app, "/sandbox/phone_codes", body).await;
    let verify = |proof| pb::VerifyPhoneRequest { proof: Some(proof) };
    let proved = user.call(verify(Proof::WechatCode(code))).await.unwrap();
    assert_eq!(proved.phone, "139****0001");

    let phone = "13905240002".to_owned();
    let send = pb::SendPhoneCodeRequest { phone: phone.clone() };
    user.call(send).await.unwrap();
    app.run_workers().await;
    let url = format!("http://{}/sandbox/sms?phone={phone}", app.sandbox);
    let sms: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let code = sms["parameters"]["code"].as_str().unwrap().to_owned();
    let sent = |code: &str| {
        Proof::SentCode(pb::SentPhoneCode { phone: phone.clone(), code: code.to_owned() })
    };
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let refused = user.call(verify(sent(wrong))).await.unwrap_err();
    assert_eq!(reason(&refused), "ONE_TIME_CODE_INVALID");
    let proved = user.call(verify(sent(&code))).await.unwrap();
    assert_eq!(proved.phone, "139****0002");
    let again = user.call(verify(sent(&code))).await.unwrap_err();
    assert_eq!(reason(&again), "ONE_TIME_CODE_INVALID");
    // I21, ID-09 in part: no phone stands in the database as it is.
    let clear = app
        .count("select count(*) from person where encode(phone_sealed, 'escape') like '%1390524%'");
    assert_eq!(clear.await, 0);
}

// ID-01: the token rotates; a lost answer can be asked for again; a stolen one ends the family.
#[sqlx::test]
async fn a_refresh_token_rotates_and_its_reuse_ends_the_family(pool: PgPool) {
    let app = App::start(pool).await;
    let tokens = wechat(&app, "boss-wang").await;
    let second = refresh(&app, &tokens.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, tokens.refresh_token);
    // Within the grace the same successor comes back, never a second one.
    app.advance(SignedDuration::from_secs(9));
    let repeated = refresh(&app, &tokens.refresh_token).await.unwrap();
    assert_eq!(repeated.refresh_token, second.refresh_token);
    let third = refresh(&app, &second.refresh_token).await.unwrap();
    app.advance(SignedDuration::from_secs(11));
    let user = signed_in(&app, &third);
    account(&user).await.unwrap();
    let reused = refresh(&app, &second.refresh_token).await.unwrap_err();
    assert_eq!(reason(&reused), "REFRESH_TOKEN_REUSED");
    // The thief's token and the owner's are ended together, on every server at once.
    let another = app.another().await;
    for at in [app.address, another] {
        assert_eq!(reason(&account(&user.at(at)).await.unwrap_err()), "SESSION_ENDED");
    }
    assert_eq!(reason(&refresh(&app, &third.refresh_token).await.unwrap_err()), "SESSION_ENDED");
}

// ID-01: fifty at once get one successor.
#[sqlx::test]
async fn refreshes_at_once_get_one_successor(pool: PgPool) {
    let app = App::start(pool).await;
    let tokens = wechat(&app, "boss-wang").await;
    let refreshes = (0..50).map(|_| refresh(&app, &tokens.refresh_token));
    let answers = futures::future::join_all(refreshes).await;
    let mut successors: Vec<_> =
        answers.into_iter().flatten().map(|tokens| tokens.refresh_token).collect();
    assert!(successors.len() > 1);
    successors.sort();
    successors.dedup();
    assert_eq!(successors.len(), 1);
}

#[sqlx::test]
async fn a_refresh_token_that_was_altered_is_refused_and_ends_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let tokens = wechat(&app, "boss-wang").await;
    let mut altered = tokens.refresh_token.clone().into_bytes();
    altered[30] = if altered[30] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for forged in [altered.as_str(), "nonsense", &"A".repeat(5_000)] {
        let refused = refresh(&app, forged).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{forged}");
    }
    account(&signed_in(&app, &tokens)).await.unwrap();
}

// ID-02: the list, and an end that counts from the next call on, on every server.
#[sqlx::test]
async fn a_session_is_listed_and_ended_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let phone = signed_in(&app, &wechat(&app, "boss-wang").await);
    let tablet = wechat(&app, "boss-wang").await;
    let sessions = phone.call(pb::ListSessionsRequest::default()).await.unwrap().sessions;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions.iter().filter(|session| session.current).count(), 1);
    let another = app.another().await;
    let thief = signed_in(&app, &tablet).at(another);
    account(&thief).await.unwrap();
    let stranger = signed_in(&app, &wechat(&app, "driver-zhao").await);
    let revoke = pb::RevokeSessionRequest { name: tablet.session.clone() };
    let refused = stranger.call(revoke.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    phone.call(revoke).await.unwrap();
    assert_eq!(reason(&account(&thief).await.unwrap_err()), "SESSION_ENDED");
    wechat(&app, "boss-wang").await;
    let others = pb::RevokeOtherSessionsRequest {};
    let ended = phone.call(others).await.unwrap();
    assert_eq!(ended.ended, 1);
    account(&phone).await.unwrap();
}

pub async fn officer(
    app: &App,
    account: &Account,
    seconds: i64,
) -> Result<pb::Tokens, tonic::Status> {
    let at = u64::try_from(app.now().as_second() + seconds).unwrap();
    let code = account.totp_code(at).unwrap();
    officer_with(app, account.police_number, city::DEMO_PASSWORD, &code).await
}

async fn officer_with(
    app: &App,
    police_number: &str,
    password: &str,
    totp_code: &str,
) -> Result<pb::Tokens, tonic::Status> {
    let request = pb::SignInOfficerRequest {
        police_number: police_number.to_owned(),
        password: password.to_owned(),
        totp_code: totp_code.to_owned(),
        client: "desk".to_owned(),
    };
    app.anonymous().call(request).await
}

pub async fn load_city(app: &App) {
    let mut parts = app.parts.clone();
    parts.store = parts.store.before_serving();
    city::load(&parts).await.unwrap();
    app.look().await;
}

// ID-11: two factors; a code works once; nobody learns which factor was wrong.
#[sqlx::test]
async fn an_officer_needs_password_and_one_time_code(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    let tokens = officer(&app, &city::FIRST_REVIEWER, 0).await.unwrap();
    let desk = account(&signed_in(&app, &tokens)).await.unwrap();
    assert_eq!(
        (desk.roles, desk.display_name.as_str()),
        (vec!["FIRST_REVIEWER".to_owned()], "孙**")
    );
    let replayed = officer(&app, &city::FIRST_REVIEWER, 0).await.unwrap_err();
    officer(&app, &city::FIRST_REVIEWER, 30).await.unwrap();
    let code = city::CLERK.totp_code(u64::try_from(app.now().as_second()).unwrap()).unwrap();
    let wrong_password =
        officer_with(&app, city::CLERK.police_number, "Wrong-password-1", &code).await;
    let wrong_code =
        officer_with(&app, city::CLERK.police_number, city::DEMO_PASSWORD, "000000").await;
    let unknown = officer_with(&app, "999999", city::DEMO_PASSWORD, &code).await;
    let told =
        |status: &tonic::Status| (status.code(), reason(status), status.message().to_owned());
    let first = told(&replayed);
    assert_eq!(first.1, "CREDENTIALS_INVALID");
    for status in [wrong_password.unwrap_err(), wrong_code.unwrap_err(), unknown.unwrap_err()] {
        assert_eq!(told(&status), first);
    }
}

// ID-08, QR-05: a new key signs, the old one still counts; a revoked key's tokens are refused.
#[sqlx::test]
async fn keys_rotate_without_a_gap_and_end_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    let security = signed_in(&app, &officer(&app, &city::SECURITY, 0).await.unwrap());
    let before = wechat(&app, "boss-wang").await;
    let jwks = |user: User| async move {
        let keys = user.call(pb::GetTokenKeysRequest {}).await.unwrap();
        let keys: Value = serde_json::from_str(&keys.jwks).unwrap();
        keys["keys"].as_array().unwrap().len()
    };
    assert_eq!(jwks(app.anonymous()).await, 1);
    app.advance(SignedDuration::from_secs(1));
    let rotate = pb::RotateSigningKeyRequest {
        purpose: pb::signing_key::Purpose::AccessToken.into(),
        request_id: request_id(),
        ..Default::default()
    };
    let made = security.call(rotate).await.unwrap();
    assert_eq!(jwks(app.anonymous()).await, 2);
    account(&signed_in(&app, &before)).await.unwrap();
    let after = wechat(&app, "boss-wang").await;
    account(&signed_in(&app, &after)).await.unwrap();
    let listed = security.call(pb::ListSigningKeysRequest {}).await;
    let old =
        listed.unwrap().signing_keys.into_iter().find(|key| {
            key.purpose() == pb::signing_key::Purpose::AccessToken && key.kid != made.kid
        });
    let renewed = refresh(&app, &before.refresh_token).await.unwrap();
    let desk = signed_in(&app, &officer(&app, &city::SECURITY, 30).await.unwrap());
    let revoke = pb::RevokeSigningKeyRequest {
        name: old.unwrap().name,
        reason: "泄露演练".to_owned(),
        request_id: request_id(),
    };
    desk.call(revoke).await.unwrap();
    assert_eq!(reason(&account(&signed_in(&app, &before)).await.unwrap_err()), "TOKEN_INVALID");
    account(&signed_in(&app, &renewed)).await.unwrap();
}

// ID-04, D10, I26: rights change at once; roles that exclude each other are never given together.
#[sqlx::test]
async fn roles_change_at_once_and_exclude_each_other(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    let system = signed_in(&app, &officer(&app, &city::SYSTEM, 0).await.unwrap());
    let units = system.call(pb::ListUnitsRequest {}).await.unwrap();
    let unit = units.units.into_iter().find(|unit| unit.code == "321302170000");
    let new = |roles: &[Role]| pb::CreateOfficerRequest {
        officer: Some(pb::Officer {
            police_number: "123456".to_owned(),
            unit: unit.as_ref().unwrap().name.clone(),
            roles: roles.iter().map(|role| role.wire().to_owned()).collect(),
            ..Default::default()
        }),
        full_name: "韩新民".to_owned(),
        phone: "13905240001".to_owned(),
        request_id: request_id(),
        ..pb::CreateOfficerRequest::default()
    };
    for roles in [
        [Role::Auxiliary, Role::FirstReviewer],
        [Role::SystemAdministrator, Role::Auditor],
        [Role::SecurityAdministrator, Role::FirstReviewer],
    ] {
        let refused = system.call(new(&roles)).await.unwrap_err();
        assert_eq!(fields(&refused)[0], "officer.roles ROLES_EXCLUDE");
    }
    let made = system.call(new(&[Role::FirstReviewer])).await.unwrap();
    let code = credentials::code(&app, "13905240001").await;
    let (tokens, _) = credentials::enrol(&app, "123456", &code, "Kiefer7!Wolke").await;
    let newcomer = signed_in(&app, &tokens);
    let queue = pb::ListReviewQueueRequest::default();
    newcomer.call(queue.clone()).await.unwrap();
    // Taken away: refused at the next call, with the same token, on another server too.
    let known = made.officer.unwrap();
    let listed = system.call(pb::ListOfficersRequest::default()).await.unwrap();
    let etag = listed.officers.into_iter().find(|it| it.name == known.name).unwrap().etag;
    let update = pb::UpdateOfficerRequest {
        officer: Some(pb::Officer {
            roles: vec!["LIAISON_OFFICER".to_owned()],
            etag,
            ..known.clone()
        }),
        request_id: request_id(),
        ..Default::default()
    };
    system.call(update).await.unwrap();
    let another = app.another().await;
    let late = newcomer.at(another).call(queue).await.unwrap_err();
    assert_eq!(reason(&late), "DENIED");
    let disable = pb::DisableOfficerRequest {
        name: known.name,
        reason: "调离".to_owned(),
        request_id: request_id(),
    };
    system.call(disable).await.unwrap();
    assert_eq!(account(&newcomer).await.unwrap_err().code(), Code::Unauthenticated);
}

// I31: who can write to Redis gets no role by it. An entry counts under our seal, for its own actor.
#[sqlx::test]
async fn a_forged_or_foreign_standing_in_redis_gives_no_role(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let Some(url) = std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty()) else { return };
    for user in [&city.clerk, &city.chief] {
        // The first reading fills the entry.
        account(user).await.unwrap();
        account(user).await.unwrap();
    }
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let epoch = app.parts.store.cache().trusted().unwrap().epoch;
    let key = |user: &User| format!("{}{epoch}:actor:{}", app.prefix, user.name);
    let entry = async |user: &User| -> Vec<u8> {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("GET").arg(key(user)).query_async(&mut connection).await.unwrap()
    };
    let good = entry(&city.clerk).await;
    let begin = good.iter().position(|byte| *byte == b'{').unwrap();
    let raised = String::from_utf8_lossy(&good[begin..]);
    let raised = raised.replace("WINDOW_CLERK", "SYSTEM_ADMINISTRATOR");
    assert!(raised.contains("SYSTEM_ADMINISTRATOR"), "the entry says what somebody may do");
    let unsealed = [&good[..9], raised.as_bytes()].concat();
    let under_the_old_seal = [&good[..begin], raised.as_bytes()].concat();
    let foreign = entry(&city.chief).await;
    for wrong in [unsealed, under_the_old_seal, foreign, good[..begin].to_vec()] {
        let set = redis::cmd("SET").arg(key(&city.clerk)).arg(wrong).to_owned();
        set.exec_async(&mut connection).await.unwrap();
        assert_eq!(account(&city.clerk).await.unwrap().roles, ["WINDOW_CLERK"]);
    }
}
