//! How officers come in: proofs that nobody else has seen, locks that spare whoever is known, sessions that
//! end when nobody calls, passwords that nobody guesses, accounts that nobody uses.

use jiff::SignedDuration;
use jingqi::surface::service::{identity::totp, pb};
use serde_json::Value;
use sqlx::{PgPool, Row as _};
use tonic::{Request, Status};
use totp_rs::Secret;
use uuid::Uuid;

use crate::{
    harness::{App, User, Wish, fields, reason, request_id},
    identity::{account, refresh, signed_in},
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

// Seen: 100 wrong tries from 20 addresses kept an officer out for a quarter of an hour, everywhere.
#[sqlx::test]
async fn strangers_lock_nobody_out_of_the_own_desk(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    app.advance(SignedDuration::from_mins(1));
    for stranger in 0..20 {
        let from = format!("203.0.113.{stranger}");
        for _ in 0..5 {
            let told = sign_in(&app, &from, ("Wrong-password-1", "123456")).await.unwrap_err();
            assert_eq!(told, "CREDENTIALS_INVALID", "{from}");
        }
        let told = notices(&bureau.security).await;
        assert_eq!(
            told.contains(&"ACCOUNT_ATTACKED".to_owned()),
            stranger >= 3,
            "{stranger}: {told:?}"
        );
    }
    // Time stands still here, so that what was told first is not said by the order.
    let mut told = notices(&bureau.security).await;
    told.sort();
    assert_eq!(told, ["ACCOUNT_ATTACKED", "ACCOUNT_CREATED", "ACCOUNT_LOCKED"]);
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已锁定");
    // Who is known from there comes in; who is not waits, with the right proofs too.
    let elsewhere = "192.0.2.77";
    let right = |at| (PASSWORD, shown(&app, &secret, at));
    let (password, code) = right(0);
    assert_eq!(sign_in(&app, elsewhere, (password, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let tokens = sign_in(&app, DESK, (password, &code)).await.unwrap();
    let (password, code) = right(30);
    assert_eq!(sign_in(&app, elsewhere, (password, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let desk = signed_in(&app, &tokens);
    assert!(notices(&desk).await.contains(&"ACCOUNT_LOCKED".to_owned()));
    // The security administrator lifts it, and says why; nobody else does.
    let officer = listed(&bureau, NUMBER).await;
    assert!(officer.lock_expire_time.is_some());
    let unlock = pb::UnlockOfficerRequest {
        name: officer.name,
        reason: "电话核实本人".to_owned(),
        request_id: request_id(),
    };
    let denied = bureau.system.call(unlock.clone()).await.unwrap_err();
    assert_eq!(reason(&denied), "DENIED");
    let lifted = bureau.security.call(unlock).await.unwrap();
    assert_eq!(lifted.lock_expire_time, None);
    sign_in(&app, elsewhere, (password, &code)).await.unwrap();
}

// A known source is one of the last thirty days.
#[sqlx::test]
async fn a_source_is_known_for_a_month(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    for (days, told) in [(29, None), (31, Some("ACCOUNT_LOCKED"))] {
        app.sql("update session set create_time = '2026-11-24T10:30:00+08:00'").await;
        app.clock.set(crate::harness::START.parse().unwrap());
        app.advance(SignedDuration::from_hours(24 * days));
        let until = app.now() + SignedDuration::from_mins(5);
        app.sql(&format!(
            "update officer set locked_until = '{until}' where police_number = '{NUMBER}'"
        ))
        .await;
        let tried = sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await;
        assert_eq!(tried.err().as_deref(), told, "{days} days");
    }
}

// The wait of a source ends with the lock that is lifted, too.
#[sqlx::test]
async fn a_lifted_lock_ends_the_waits_of_its_sources(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    for _ in 0..5 {
        let _ = sign_in(&app, DESK, ("Wrong-password-1", "123456")).await;
    }
    let code = shown(&app, &secret, 30);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap_err(), "ACCOUNT_LOCKED");
    let unlock = pb::UnlockOfficerRequest {
        name: listed(&bureau, NUMBER).await.name,
        reason: "本人输错".to_owned(),
        request_id: request_id(),
    };
    bureau.security.call(unlock).await.unwrap();
    sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap();
}

// Seen: a code that was typed as an authenticator shows it was refused.
#[sqlx::test]
async fn a_one_time_code_is_read_as_it_is_shown(pool: PgPool) {
    type Typing = fn(&str) -> String;
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    let typings: [Typing; 4] = [
        |code| format!("{} {}", &code[..3], &code[3..]),
        |code| code.chars().map(|c| char::from_u32(c as u32 + 0xFEE0).unwrap()).collect(),
        |code| format!("\u{202D}{code}\u{202C}\r\n"),
        |code| format!("{}\u{3000}{}", &code[..3], &code[3..]),
    ];
    for typing in typings {
        app.advance(SignedDuration::from_secs(30));
        let typed = typing(&shown(&app, &secret, 0));
        sign_in(&app, DESK, (PASSWORD, &typed)).await.unwrap();
    }
    app.advance(SignedDuration::from_secs(30));
    let cut = &shown(&app, &secret, 0)[..5];
    assert_eq!(sign_in(&app, DESK, (PASSWORD, cut)).await.unwrap_err(), "CREDENTIALS_INVALID");
}

// facts.md, 6.2 b: whoever finds an officer's desk after a quarter of an hour finds it closed, on every
// server; to refresh is no call.
#[sqlx::test]
async fn an_officer_who_calls_nothing_signs_in_again(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let another = app.another().await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    account(&signed_in(&app, &tokens)).await.unwrap();
    app.advance(SignedDuration::from_mins(9));
    let tokens = refresh(&app, &tokens.refresh_token).await.unwrap();
    app.advance(SignedDuration::from_mins(5));
    let spare = refresh(&app, &tokens.refresh_token).await.unwrap();
    app.advance(SignedDuration::from_mins(1));
    // The token itself is good for four minutes more.
    for at in [another, app.address] {
        let thief = signed_in(&app, &tokens).at(at);
        assert_eq!(reason(&account(&thief).await.unwrap_err()), "SESSION_ENDED");
    }
    assert_eq!(reason(&refresh(&app, &spare.refresh_token).await.unwrap_err()), "SESSION_ENDED");
    assert_eq!(app.count("select count(*) from session where end_reason = 'IDLE'").await, 1);
    // Nor does a refresh bring back what is idle, should nobody have called.
    let tokens = sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await.unwrap();
    app.advance(SignedDuration::from_mins(15));
    assert_eq!(reason(&refresh(&app, &tokens.refresh_token).await.unwrap_err()), "SESSION_ENDED");
    // And where neither comes, the sweep ends it, and with it every stream.
    sign_in(&app, DESK, (PASSWORD, &shown(&app, &secret, 0))).await.unwrap();
    app.advance(SignedDuration::from_mins(15));
    app.run_workers().await;
    assert_eq!(app.count("select count(*) from session where end_reason = 'IDLE'").await, 3);
}

#[sqlx::test]
async fn an_officer_who_works_goes_on_and_others_are_not_bound(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (mut tokens, _) = enrolled(&app, &bureau).await;
    let person = crate::identity::wechat(&app, "boss-wang").await;
    let another = app.another().await;
    for round in 0..20 {
        let at = if round % 2 == 0 { app.address } else { another };
        account(&signed_in(&app, &tokens).at(at)).await.unwrap();
        app.advance(SignedDuration::from_mins(9));
        app.run_workers().await;
        tokens = refresh(&app, &tokens.refresh_token).await.unwrap();
    }
    // A citizen's phone is locked by itself: three hours of silence end nothing.
    let person = refresh(&app, &person.refresh_token).await.unwrap();
    account(&signed_in(&app, &person)).await.unwrap();
    // One row is written a minute, not one a call.
    let before = app.count("select sum(xmin::text::bigint)::bigint from session").await;
    for _ in 0..5 {
        account(&signed_in(&app, &tokens)).await.unwrap();
    }
    let once = app.count("select sum(xmin::text::bigint)::bigint from session").await;
    assert_ne!(once, before);
    for _ in 0..5 {
        account(&signed_in(&app, &tokens)).await.unwrap();
    }
    assert_eq!(app.count("select sum(xmin::text::bigint)::bigint from session").await, once);
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

// Seen: seven changes in a row brought the old password back.
#[sqlx::test]
async fn no_row_of_changes_brings_a_password_back(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    let desk = signed_in(&app, &tokens);
    let names = ["Wolke", "Birke", "Amsel", "Hafer", "Distel", "Kranich", "Zaun", "Pappel"];
    let next = |at: usize| format!("Neu&{}-{at}q", names[at]);
    // At once it is not changed a second time: it was made just now.
    assert_eq!(change(&desk, PASSWORD, &next(0)).await.unwrap_err(), ["PASSWORD_TOO_YOUNG"]);
    let mut present = PASSWORD.to_owned();
    for at in 0..7 {
        app.advance(SignedDuration::from_hours(24));
        let code = shown(&app, &secret, 0);
        let tokens = sign_in(&app, DESK, (&present, &code)).await.unwrap();
        let desk = signed_in(&app, &tokens);
        let reused = change(&desk, &present, PASSWORD).await.unwrap_err();
        assert_eq!(reused, ["new_password PASSWORD_REUSED"], "after {at} changes");
        change(&desk, &present, &next(at)).await.unwrap();
        present = next(at);
        let soon = change(&desk, &present, &next(7)).await.unwrap_err();
        assert_eq!(soon, ["PASSWORD_TOO_YOUNG"]);
    }
    app.advance(SignedDuration::from_hours(24));
    let tokens = sign_in(&app, DESK, (&present, &shown(&app, &secret, 0))).await.unwrap();
    let desk = signed_in(&app, &tokens);
    assert_eq!(
        change(&desk, &present, PASSWORD).await.unwrap_err(),
        ["new_password PASSWORD_REUSED"]
    );
    for (weak, flaw) in [("Qwer1234!@#$", "PASSWORD_COMMON"), ("OuyangJianguo!", "PASSWORD_COMMON")]
    {
        let refused = change(&desk, &present, weak).await.unwrap_err();
        assert_eq!(refused, [format!("new_password {flaw}")], "{weak}");
    }
}

// facts.md, 6.2, access control: what nobody uses for 90 days is closed, and the officer told before.
#[sqlx::test]
async fn an_account_that_nobody_uses_is_closed_after_it_was_told(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (_, secret) = enrolled(&app, &bureau).await;
    // Another one, who comes in meanwhile, and the last security administrator, who does not.
    bureau.system.call(bureau.create("130525", "13905247789")).await.unwrap();
    let other = code(&app, "13905247789").await;
    enrol(&app, "130525", &other, PASSWORD).await;
    app.sql(
        "update officer set use_time = now() - interval '1 year' where police_number = '200002'",
    )
    .await;
    app.advance(SignedDuration::from_hours(24 * 79));
    assert_ne!(by_sms(&app, PHONE).await["parameters"]["state"], "即将停用");
    app.advance(SignedDuration::from_hours(24));
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "即将停用");
    app.sql(&format!(
        "update officer set use_time = '{}' where police_number = '130525'",
        app.now()
    ))
    .await;
    app.advance(SignedDuration::from_hours(24 * 10));
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已停用");
    assert!(listed(&bureau, NUMBER).await.close_time.is_some());
    for open in ["130525", "200002"] {
        assert_eq!(listed(&bureau, open).await.close_time, None, "{open}");
    }
    // Told to whoever shows both proofs, and to nobody else.
    let code = shown(&app, &secret, 0);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &code)).await.unwrap_err(), "ACCOUNT_CLOSED");
    let wrong = sign_in(&app, DESK, ("Wrong-password-1", &code)).await.unwrap_err();
    assert_eq!(wrong, "CREDENTIALS_INVALID");
}

async fn ask_reset(by: &User, officer: &str, phone: &str) -> Result<String, Status> {
    let request = pb::ResetOfficerRequest {
        name: officer.to_owned(),
        phone: phone.to_owned(),
        reason: "手机遗失,已当面核验".to_owned(),
        request_id: request_id(),
    };
    by.call(request).await.map(|asked| asked.proposal)
}

async fn confirm(by: &User, name: &str) -> Result<pb::Proposal, Status> {
    let get = pb::GetProposalRequest { name: name.to_owned() };
    let etag = match by.call(get).await {
        Ok(seen) => seen.etag,
        Err(_) => "W/\"1\"".to_owned(),
    };
    let request = pb::ConfirmProposalRequest {
        name: name.to_owned(),
        etag,
        request_id: request_id(),
        ..pb::ConfirmProposalRequest::default()
    };
    by.call(request).await
}

// A lost phone: one administrator asks, one of another kind confirms, and the phone before is told of both.
#[sqlx::test]
async fn a_reset_takes_two_and_is_told_on_the_phone_before(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let other = app.officer("200003", &bureau.unit, &["SYSTEM_ADMINISTRATOR"]).await;
    let (tokens, secret) = enrolled(&app, &bureau).await;
    let desk = signed_in(&app, &tokens);
    let new = "13905240099";
    app.run_workers().await;
    let asked = ask_reset(&bureau.system, &desk.name, new).await.unwrap();
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已申请重置");
    assert_eq!(by_sms(&app, new).await, Value::Null);
    assert!(notices(&desk).await.contains(&"ACCOUNT_RESET_PROPOSED".to_owned()));
    // One alone changes nothing, nor does another one of the same kind.
    for (by, told) in [(&bureau.system, "SAME_PERSON"), (&other, "SAME_KIND"), (&desk, "DENIED")] {
        assert_eq!(reason(&confirm(by, &asked).await.unwrap_err()), told);
    }
    account(&desk).await.unwrap();
    let done = confirm(&bureau.security, &asked).await.unwrap();
    assert!(done.shown.contains(&"手机:139****7788 → 139****0099".to_owned()), "{:?}", done.shown);
    assert!(!format!("{done:?}").contains(new), "the second administrator reads no phone whole");
    // Nothing that the officer had counts any more.
    assert_eq!(reason(&account(&desk).await.unwrap_err()), "SESSION_ENDED");
    let old = shown(&app, &secret, 30);
    assert_eq!(sign_in(&app, DESK, (PASSWORD, &old)).await.unwrap_err(), "CREDENTIALS_INVALID");
    assert_eq!(by_sms(&app, PHONE).await["parameters"]["state"], "已重置");
    let code = code(&app, new).await;
    let begun = begin(&app, NUMBER, &code).await.unwrap();
    assert_ne!(begun.totp_secret, secret);
    let same = complete(&app, (NUMBER, &code, &begun.totp_secret), PASSWORD).await;
    assert_eq!(fields(&same.unwrap_err()), ["new_password PASSWORD_REUSED"]);
    let fresh = "Regen&Birke-42";
    let tokens = complete(&app, (NUMBER, &code, &begun.totp_secret), fresh).await.unwrap();
    assert_eq!(account(&signed_in(&app, &tokens)).await.unwrap().phone, "139****0099");
    let kept = "select count(*) from change where action in ('RESET_CREDENTIALS', 'SET_PHONE',
        'SEND_ENROLMENT_CODE', 'ENROL') and collection = 'officers'";
    assert_eq!(app.count(kept).await, 1 + 2 + 2 + 2);
    // Nobody resets oneself, and nothing is sent where no phone is known.
    let own = ask_reset(&bureau.system, &bureau.system.name, new).await.unwrap_err();
    assert_eq!(reason(&own), "SAME_PERSON");
    let unknown = ask_reset(&bureau.system, &other.name, "").await.unwrap_err();
    assert_eq!(reason(&unknown), "PHONE_MISSING");
}

#[sqlx::test]
async fn a_closed_account_is_opened_again_by_two(pool: PgPool) {
    let app = behind_proxy(pool).await;
    let bureau = Bureau::of(&app).await;
    let (tokens, _) = enrolled(&app, &bureau).await;
    let name = tokens.account.unwrap().name;
    app.advance(SignedDuration::from_hours(24 * 80));
    app.run_workers().await;
    app.advance(SignedDuration::from_hours(24 * 10));
    app.run_workers().await;
    assert!(listed(&bureau, NUMBER).await.close_time.is_some());
    let asked = ask_reset(&bureau.security, &name, "").await.unwrap();
    assert!(confirm(&bureau.security, &asked).await.is_err());
    app.run_workers().await;
    confirm(&bureau.system, &asked).await.unwrap();
    assert_eq!(listed(&bureau, NUMBER).await.close_time, None);
    let code = code(&app, PHONE).await;
    let (tokens, _) = enrol(&app, NUMBER, &code, "Regen&Birke-42").await;
    account(&signed_in(&app, &tokens)).await.unwrap();
    app.run_workers().await;
    assert_eq!(listed(&bureau, NUMBER).await.close_time, None, "ninety days from now");
}
