//! How officers come in: proofs that nobody else has seen. Locks that spare whoever is known and sessions
//! that end when nobody calls stand in `sign_in`, passwords that nobody guesses and accounts that nobody
//! uses in `accounts`.

mod accounts;
mod sign_in;

use jiff::SignedDuration;
use jingqi::surface::service::{identity::totp, pb};
use serde_json::Value;
use sqlx::{PgPool, Row as _};
use tonic::{Request, Status};
use totp_rs::Secret;
use uuid::Uuid;

use crate::{
    harness::{App, User, Wish, fields, reason, request_id},
    identity::{account, signed_in},
};

const NUMBER: &str = "130524";

const PHONE: &str = "13905247788";

const PASSWORD: &str = "Kiefer7!Wolke";

/// Where the officer's own desk stands.
const DESK: &str = "198.51.100.1";

/// A bureau with two administrators, and the clients of both.
pub struct Bureau {
    pub unit: (Uuid, String),
    pub system: User,
    pub security: User,
}

impl Bureau {
    pub async fn of(app: &App) -> Self {
        let unit = app.unit("321300000000", None, &[]).await;
        let system = app.officer("200001", &unit, &["SYSTEM_ADMINISTRATOR"]).await;
        let security = app.officer("200002", &unit, &["SECURITY_ADMINISTRATOR"]).await;
        Self { unit, system, security }
    }

    pub fn create(&self, number: &str, phone: &str) -> pb::CreateOfficerRequest {
        let unit =
            jingqi::surface::id::Id::<jingqi::surface::id::kind::Unit>::of(self.unit.0).to_string();
        pb::CreateOfficerRequest {
            officer: Some(pb::Officer {
                police_number: number.to_owned(),
                unit,
                roles: vec!["FIRST_REVIEWER".to_owned()],
                ..pb::Officer::default()
            }),
            full_name: "欧阳建国".to_owned(),
            phone: phone.to_owned(),
            request_id: request_id(),
            ..pb::CreateOfficerRequest::default()
        }
    }
}

/// The last message to a phone: its template and parameters.
pub async fn by_sms(app: &App, phone: &str) -> Value {
    app.run_workers().await;
    let url = format!("http://{}/sandbox/sms?phone={phone}", app.sandbox);
    let answer = reqwest::get(url).await.unwrap();
    if answer.status().is_success() { answer.json().await.unwrap() } else { Value::Null }
}

/// The code that a phone was sent.
pub async fn code(app: &App, phone: &str) -> String {
    let sent = by_sms(app, phone).await;
    assert_eq!(sent["template"], "officer-enrolment", "{sent}");
    sent["parameters"]["code"].as_str().unwrap().to_owned()
}

pub async fn begin(app: &App, number: &str, code: &str) -> Result<pb::OfficerEnrolment, Status> {
    let request = pb::BeginOfficerEnrolmentRequest {
        police_number: number.to_owned(),
        enrolment_code: code.to_owned(),
    };
    app.anonymous().call(request).await
}

/// What an authenticator shows so many seconds from now.
pub fn shown(app: &App, secret: &str, seconds: i64) -> String {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    totp::code(&secret, app.now() + SignedDuration::from_secs(seconds)).unwrap()
}

pub async fn complete(
    app: &App,
    (number, code, secret): (&str, &str, &str),
    password: &str,
) -> Result<pb::Tokens, Status> {
    let mut request = Request::new(pb::CompleteOfficerEnrolmentRequest {
        police_number: number.to_owned(),
        enrolment_code: code.to_owned(),
        new_password: password.to_owned(),
        totp_code: shown(app, secret, 0),
        client: "desk".to_owned(),
    });
    request.metadata_mut().insert("x-forwarded-for", DESK.parse().unwrap());
    let done = app.anonymous().identity().complete_officer_enrolment(request).await;
    done.map(tonic::Response::into_inner)
}

/// An officer who has the code enrols; answers with the tokens and the secret of the one-time codes.
pub async fn enrol(app: &App, number: &str, code: &str, password: &str) -> (pb::Tokens, String) {
    let begun = begin(app, number, code).await.unwrap();
    let tokens = complete(app, (number, code, &begun.totp_secret), password).await.unwrap();
    (tokens, begun.totp_secret)
}

/// An officer who was created and has enrolled.
async fn enrolled(app: &App, bureau: &Bureau) -> (pb::Tokens, String) {
    bureau.system.call(bureau.create(NUMBER, PHONE)).await.unwrap();
    let code = code(app, PHONE).await;
    enrol(app, NUMBER, &code, PASSWORD).await
}

/// Signs in from an address, as a proxy tells it; the machine-readable reason where it fails.
async fn sign_in(
    app: &App,
    from: &str,
    (password, totp_code): (&str, &str),
) -> Result<pb::Tokens, String> {
    let mut request = Request::new(pb::SignInOfficerRequest {
        police_number: NUMBER.to_owned(),
        password: password.to_owned(),
        totp_code: totp_code.to_owned(),
        client: "desk".to_owned(),
    });
    request.metadata_mut().insert("x-forwarded-for", from.parse().unwrap());
    let signed_in = app.anonymous().identity().sign_in_officer(request).await;
    signed_in.map(tonic::Response::into_inner).map_err(|status| reason(&status))
}

async fn behind_proxy(pool: PgPool) -> App {
    App::wished(pool, Wish { behind_proxy: true, ..Wish::default() }).await
}

async fn notices(user: &User) -> Vec<String> {
    let listed = user.call(pb::ListNoticesRequest::default()).await.unwrap();
    listed.notices.into_iter().map(|notice| notice.event).collect()
}

async fn listed(bureau: &Bureau, number: &str) -> pb::Officer {
    let request = pb::ListOfficersRequest::default();
    let listed = bureau.system.call(request).await.unwrap();
    listed.officers.into_iter().find(|officer| officer.police_number == number).unwrap()
}

// Seen: CreateOfficer gave one administrator password and second factor; alone he became an inspector.
#[sqlx::test]
async fn an_officer_enrols_by_a_code_that_the_own_phone_alone_is_sent(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let create = bureau.create(NUMBER, PHONE);
    let made = bureau.system.call(create.clone()).await.unwrap();
    let officer = made.officer.clone().unwrap();
    assert_eq!((officer.phone.as_str(), officer.enrolled), ("139****7788", false));
    let code = code(&app, PHONE).await;
    // The code is in no answer, also not in the one that is kept for a repetition, and in no table.
    let again = bureau.system.call(create).await.unwrap();
    assert_eq!(again, made);
    let kept = sqlx::query("select response from idempotency where method like '%CreateOfficer'");
    let kept = kept.fetch_one(app.parts.store.pool()).await.unwrap().get::<Vec<u8>, _>(0);
    let kept = app.parts.store.vault().open("idempotency", &kept).unwrap();
    let bare = code.replace('-', "");
    for hidden in [code.as_str(), &bare] {
        assert!(!format!("{made:?}").contains(hidden));
        assert!(!String::from_utf8_lossy(&kept).contains(hidden));
    }
    assert_eq!(
        app.count("select count(*) from officer_message where code_sealed is not null").await,
        0
    );
    assert_eq!(notices(&bureau.security).await, ["ACCOUNT_CREATED"]);

    let begun = begin(&app, NUMBER, &code).await.unwrap();
    assert_eq!(begun.display_name, "欧阳**");
    assert!(begun.totp_uri.contains(&begun.totp_secret));
    let tokens = complete(&app, (NUMBER, &code, &begun.totp_secret), PASSWORD).await.unwrap();
    let desk = account(&signed_in(&app, &tokens)).await.unwrap();
    assert_eq!(desk.roles, ["FIRST_REVIEWER"]);
    assert_eq!(desk.phone, "139****7788");
    assert!(!desk.password_expired, "the password is the officer's own");
    assert!(listed(&bureau, NUMBER).await.enrolled);
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已设置登录凭证");
    // What was made counts from now on, the one-time code once, the enrolment code never again.
    let spent = shown(&app, &begun.totp_secret, 0);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &spent)).await.unwrap_err(), "CREDENTIALS_INVALID");
    let next = shown(&app, &begun.totp_secret, 30);
    sign_in(&app, DESK, (PASSWORD, &next)).await.unwrap();
    assert_eq!(reason(&begin(&app, NUMBER, &code).await.unwrap_err()), "ONE_TIME_CODE_INVALID");
    let late = complete(&app, (NUMBER, &code, &begun.totp_secret), "Regen&Birke-42").await;
    assert_eq!(reason(&late.unwrap_err()), "ONE_TIME_CODE_INVALID");
}

#[sqlx::test]
async fn a_new_officer_has_no_password_before_it_is_made(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    for (phone, flaw) in
        [("", "REQUIRED"), ("0527-84350079", "PHONE_MALFORMED"), ("1", "PHONE_MALFORMED")]
    {
        let refused = bureau.system.call(bureau.create(NUMBER, phone)).await.unwrap_err();
        assert_eq!(fields(&refused), [format!("phone {flaw}")]);
    }
    bureau.system.call(bureau.create(NUMBER, PHONE)).await.unwrap();
    let code = code(&app, PHONE).await;
    let begun = begin(&app, NUMBER, &code).await.unwrap();
    for password in ["", " ", PASSWORD] {
        let tried = sign_in(&app, DESK, (password, &shown(&app, &begun.totp_secret, 0))).await;
        let told = if password.is_empty() { "REQUEST_INVALID" } else { "CREDENTIALS_INVALID" };
        assert_eq!(tried.unwrap_err(), told);
    }
}

#[sqlx::test]
async fn nothing_but_the_code_enrols_within_three_days(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    bureau.system.call(bureau.create(NUMBER, PHONE)).await.unwrap();
    bureau.system.call(bureau.create("130525", "13905247789")).await.unwrap();
    let code = code(&app, PHONE).await;
    // As people type it.
    let typed = format!(" {} \r\n", code.to_lowercase().replace('-', " "));
    begin(&app, NUMBER, &typed).await.unwrap();
    // An absent number, another officer's, and a wrong code look alike.
    let wrong =
        if code.starts_with('A') { code.replacen('A', "B", 1) } else { format!("A{}", &code[1..]) };
    for (number, tried) in [("999999", &code), ("130525", &code), (NUMBER, &wrong)] {
        let refused = begin(&app, number, tried).await.unwrap_err();
        assert_eq!(reason(&refused), "ONE_TIME_CODE_INVALID", "{number}");
    }
    for _ in 0..4 {
        assert!(begin(&app, NUMBER, &wrong).await.is_err());
    }
    let limited = begin(&app, NUMBER, &code).await.unwrap_err();
    assert_eq!(reason(&limited), "ACCOUNT_LOCKED", "after five wrong ones from one source");
    app.advance(SignedDuration::from_mins(16));
    begin(&app, NUMBER, &code).await.unwrap();
    app.advance(SignedDuration::from_hours(72));
    let late = begin(&app, NUMBER, &code).await.unwrap_err();
    assert_eq!(reason(&late), "ONE_TIME_CODE_INVALID");
}

#[sqlx::test]
async fn another_code_and_another_secret_void_the_ones_before(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let made = bureau.system.call(bureau.create(NUMBER, PHONE)).await.unwrap();
    let name = made.officer.unwrap().name;
    let first = code(&app, PHONE).await;
    begin(&app, NUMBER, &first).await.unwrap();
    let resend =
        || pb::ResendOfficerEnrolmentRequest { name: name.clone(), request_id: request_id() };
    bureau.system.call(resend()).await.unwrap();
    let second = code(&app, PHONE).await;
    assert_ne!(first, second);
    assert_eq!(reason(&begin(&app, NUMBER, &first).await.unwrap_err()), "ONE_TIME_CODE_INVALID");
    // Nothing was begun with the second one; then each beginning shows another secret.
    let begun = begin(&app, NUMBER, &second).await.unwrap();
    let again = begin(&app, NUMBER, &second).await.unwrap();
    assert_ne!(begun.totp_secret, again.totp_secret);
    let old = complete(&app, (NUMBER, &second, &begun.totp_secret), PASSWORD).await;
    assert_eq!(reason(&old.unwrap_err()), "CREDENTIALS_INVALID");
    for (weak, flaw) in [
        ("Kiefer7", "PASSWORD_WEAK"),
        ("Password123!", "PASSWORD_COMMON"),
        ("Ouyang@130524", "PASSWORD_COMMON"),
        ("Jianguo#7788", "PASSWORD_COMMON"),
        ("Suqian!2026", "PASSWORD_COMMON"),
    ] {
        let refused = complete(&app, (NUMBER, &second, &again.totp_secret), weak).await;
        assert_eq!(fields(&refused.unwrap_err()), [format!("new_password {flaw}")], "{weak}");
    }
    complete(&app, (NUMBER, &second, &again.totp_secret), PASSWORD).await.unwrap();
    // Who has enrolled is sent no code by one administrator.
    let refused = bureau.system.call(resend()).await.unwrap_err();
    assert_eq!(reason(&refused), "OFFICER_ENROLLED");
    let ended = format!("update officer set disable_time = now() where police_number = '{NUMBER}'");
    app.sql(&ended).await;
    assert_eq!(reason(&bureau.system.call(resend()).await.unwrap_err()), "TRANSITION_ILLEGAL");
}

/// Changes the password of a session; the reason or the wrong fields where it fails.
async fn change(user: &User, old: &str, new: &str) -> Result<(), Vec<String>> {
    let request =
        pb::ChangePasswordRequest { old_password: old.to_owned(), new_password: new.to_owned() };
    let changed = user.call(request).await;
    changed.map(|_| ()).map_err(|status| {
        let wrong = fields(&status);
        if wrong.is_empty() { vec![reason(&status)] } else { wrong }
    })
}
