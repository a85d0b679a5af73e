//! What WeChat remembers and decides: codes, tokens, consents, messages. No HTTP, no clock.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{APPID, BLOCKED, BUSY, SECRET, fields};
use crate::sandbox::MESSAGES_MAX;

/// Codes of `wx.login` and of the phone button live so long.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// Calls of code2Session for one user within a minute.
const SESSIONS_PER_MINUTE: usize = 100;

/// A token lives two hours; within the last five minutes the next one is handed out beside it.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(2);
const TOKEN_HAND_OVER: SignedDuration = SignedDuration::from_mins(5);

/// Forced renewals: how far apart, and how many within a day.
const FORCE_PAUSE: SignedDuration = SignedDuration::from_secs(30);
const FORCES_PER_DAY: usize = 20;

/// A refusal as WeChat numbers it.
pub(super) struct Errcode(pub(super) i64, pub(super) String);

/// What a call is answered with.
pub(super) type Answer = Result<Value, Errcode>;

#[derive(Default)]
pub(super) struct Platform {
    serial: u64,
    login_codes: HashMap<String, Code<()>>,
    phone_codes: HashMap<String, Code<PhoneNumber>>,
    /// When each user's codes were exchanged within the last minute.
    sessions: HashMap<String, VecDeque<Timestamp>>,
    tokens: Vec<Token>,
    forced: VecDeque<Timestamp>,
    /// Whose an openid is.
    users: HashMap<String, String>,
    /// Messages that an openid still permits for a template.
    consents: HashMap<(String, String), u32>,
    long_term: HashSet<(String, String)>,
    messages: VecDeque<Message>,
}

struct Code<T> {
    user: String,
    minted: Timestamp,
    used: bool,
    content: T,
}

struct PhoneNumber {
    country: u32,
    number: String,
    /// WeChat's documentation shows a number, the service sends a text: here each in turn.
    country_as_text: bool,
}

struct Token {
    text: String,
    ends: Timestamp,
    revoked: bool,
}

#[derive(Clone, Serialize)]
pub(super) struct Message {
    user: String,
    touser: String,
    template_id: String,
    page: Option<String>,
    data: BTreeMap<String, Entry>,
    time: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LoginQuestion {
    appid: String,
    secret: String,
    js_code: String,
    grant_type: String,
}

#[derive(Deserialize)]
pub(super) struct TokenQuestion {
    grant_type: String,
    appid: String,
    secret: String,
    #[serde(default)]
    force_refresh: bool,
}

#[derive(Deserialize)]
pub(super) struct SendQuestion {
    touser: String,
    template_id: String,
    page: Option<String>,
    data: BTreeMap<String, Entry>,
}

impl Platform {
    /// What `wx.login` gives the mini-program of the user.
    pub(super) fn mint_login_code(&mut self, user: &str, now: Timestamp) -> String {
        let code = format!("wx-login-{user}-{}", self.next_serial());
        self.login_codes.retain(|_, code| is_young(code, now));
        self.login_codes.insert(code.clone(), minted(user, now, ()));
        code
    }

    /// What the phone button gives the mini-program of the user.
    pub(super) fn mint_phone_code(
        &mut self,
        user: &str,
        country: u32,
        number: String,
        now: Timestamp,
    ) -> String {
        let serial = self.next_serial();
        let code = format!("wx-phone-{user}-{serial}");
        let content = PhoneNumber { country, number, country_as_text: serial.is_multiple_of(2) };
        self.phone_codes.retain(|_, code| is_young(code, now));
        self.phone_codes.insert(code.clone(), minted(user, now, content));
        code
    }

    /// The user's consent to one more message of the template, or to any number.
    pub(super) fn consent(&mut self, user: &str, template_id: String, long_term: bool) -> Value {
        let openid = self.openid(user);
        let key = (openid.clone(), template_id);
        if long_term {
            self.long_term.insert(key);
            return json!({ "openid": openid, "long_term": true });
        }
        let left = self.consents.entry(key).or_default();
        *left = left.saturating_add(1);
        json!({ "openid": openid, "left": *left })
    }

    /// What was delivered, to one user or to all, oldest first.
    pub(super) fn messages(&self, user: Option<&str>) -> Vec<Message> {
        let wanted = |message: &&Message| user.is_none_or(|user| message.user == user);
        self.messages.iter().filter(wanted).cloned().collect()
    }

    /// code2Session. A refusal for the rate does not use the code up.
    pub(super) fn session(&mut self, question: &LoginQuestion, now: Timestamp) -> Answer {
        check_program(&question.appid, &question.secret)?;
        if question.grant_type != "authorization_code" {
            return refuse(40002, "invalid grant_type");
        }
        match question.js_code.as_str() {
            BUSY => return refuse(-1, "system error"),
            "" => return refuse(41008, "missing code"),
            _ => {}
        }
        let Some(code) = self.login_codes.get_mut(&question.js_code) else {
            return refuse(40029, "invalid code");
        };
        let calls = self.sessions.entry(code.user.clone()).or_default();
        forget(calls, SignedDuration::from_mins(1), now);
        if calls.len() >= SESSIONS_PER_MINUTE {
            return refuse(45011, "api minute-quota reach limit, mustslower, retry next minute");
        }
        calls.push_back(now);
        use_up(code, now)?;
        if code.user == BLOCKED {
            return refuse(40226, "code blocked");
        }
        let user = code.user.clone();
        Ok(json!({
            "session_key": mark(&["session key", &question.js_code], 24),
            "openid": self.openid(&user),
            "unionid": mark(&["unionid", &user], 28),
        }))
    }

    /// getStableAccessToken.
    pub(super) fn stable_token(&mut self, question: &TokenQuestion, now: Timestamp) -> Answer {
        check_program(&question.appid, &question.secret)?;
        if question.grant_type != "client_credential" {
            return refuse(40002, "invalid grant_type");
        }
        self.tokens.retain(|token| now.duration_since(token.ends) < TOKEN_LIFE);
        let newest = self.tokens.last().filter(|token| !token.revoked);
        let lasting = newest.is_some_and(|token| left(token, now) > TOKEN_HAND_OVER);
        if question.force_refresh {
            forget(&mut self.forced, SignedDuration::from_hours(24), now);
            if self.forced.len() >= FORCES_PER_DAY {
                return refuse(45009, "reach max api daily quota limit");
            }
            // A renewal forced too soon after another is not refused; nothing is renewed.
            let rested = self.forced.back().is_none_or(|at| now.duration_since(*at) >= FORCE_PAUSE);
            if rested || !lasting {
                self.forced.push_back(now);
                self.tokens.iter_mut().for_each(|token| token.revoked = true);
                self.mint_token(now);
            }
        } else if !lasting {
            self.mint_token(now);
        }
        match self.tokens.last() {
            Some(token) => Ok(json!({
                "access_token": token.text,
                "expires_in": left(token, now).as_secs(),
            })),
            None => refuse(-1, "system error"),
        }
    }

    /// Whether the token may be used: before anything else of a call is read.
    pub(super) fn check_token(
        &self,
        token: Option<&String>,
        now: Timestamp,
    ) -> Result<(), Errcode> {
        let Some(text) = token.filter(|text| !text.is_empty()) else {
            return refuse(41001, "access_token missing");
        };
        match self.tokens.iter().find(|token| token.text == *text && !token.revoked) {
            None => refuse(40001, "invalid credential, access_token is invalid or not latest"),
            Some(token) if left(token, now) <= SignedDuration::ZERO => {
                refuse(42001, "access_token expired")
            }
            Some(_) => Ok(()),
        }
    }

    /// getPhoneNumber.
    pub(super) fn phone_number(&mut self, code: &str, now: Timestamp) -> Answer {
        let Some(code) = self.phone_codes.get_mut(code) else {
            return refuse(40029, "invalid code");
        };
        use_up(code, now)?;
        let PhoneNumber { country, number, country_as_text } = &code.content;
        let whole = if *country == 86 { number.clone() } else { format!("+{country}{number}") };
        Ok(json!({
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": whole,
                "purePhoneNumber": number,
                "countryCode":
                    if *country_as_text { json!(country.to_string()) } else { json!(country) },
                "watermark": { "timestamp": now.as_second(), "appid": APPID },
            },
        }))
    }

    /// subscribeMessage.send. Only a message that is delivered uses a consent up.
    pub(super) fn send(&mut self, question: SendQuestion, now: Timestamp) -> Answer {
        let SendQuestion { touser, template_id, page, data } = question;
        let Some(user) = self.users.get(&touser).cloned() else {
            return refuse(40003, "invalid openid");
        };
        match template_id.as_str() {
            "" => return refuse(40037, "invalid template_id"),
            BUSY => return refuse(-1, "system error"),
            _ => {}
        }
        let wrong = data.iter().find(|(name, entry)| !fields::fits(name, &entry.value));
        if let Some((name, _)) = wrong {
            return refuse(47003, &format!("argument invalid! data.{name}.value invalid"));
        }
        let key = (touser, template_id);
        if !self.long_term.contains(&key) {
            match self.consents.get_mut(&key).filter(|left| **left > 0) {
                Some(left) => *left = left.saturating_sub(1),
                None => return refuse(43101, "user refuse to accept the msg"),
            }
        }
        let (touser, template_id) = key;
        let time = now.to_string();
        if self.messages.len() == MESSAGES_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back(Message { user, touser, template_id, page, data, time });
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    }

    fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.saturating_add(1);
        self.serial
    }

    /// The person within the mini-program: the same for ever, and known from now on.
    fn openid(&mut self, user: &str) -> String {
        let openid = mark(&["openid", APPID, user], 28);
        self.users.insert(openid.clone(), user.to_owned());
        openid
    }

    fn mint_token(&mut self, now: Timestamp) {
        // WeChat asks everybody to store 512 characters: here they are used.
        let text = format!("{:x<512}", format!("sandbox-token-{}-", self.next_serial()));
        let ends = now.saturating_add(TOKEN_LIFE).unwrap_or(now);
        self.tokens.push(Token { text, ends, revoked: false });
    }
}

fn refuse<T>(errcode: i64, errmsg: &str) -> Result<T, Errcode> {
    Err(Errcode(errcode, errmsg.to_owned()))
}

fn check_program(appid: &str, secret: &str) -> Result<(), Errcode> {
    match (appid, secret) {
        (APPID, SECRET) => Ok(()),
        (APPID, _) => refuse(40125, "invalid appsecret"),
        _ => refuse(40013, "invalid appid"),
    }
}

fn minted<T>(user: &str, now: Timestamp, content: T) -> Code<T> {
    Code { user: user.to_owned(), minted: now, used: false, content }
}

/// Whether a code is worth keeping: a while after its end a repetition is still told from a guess.
fn is_young<T>(code: &Code<T>, now: Timestamp) -> bool {
    now.duration_since(code.minted) < SignedDuration::from_hours(1)
}

fn use_up<T>(code: &mut Code<T>, now: Timestamp) -> Result<(), Errcode> {
    if code.used {
        return refuse(40163, "code been used");
    }
    if now.duration_since(code.minted) >= CODE_LIFE {
        return refuse(40029, "invalid code");
    }
    code.used = true;
    Ok(())
}

/// Drops the instants that lie so far back.
fn forget(instants: &mut VecDeque<Timestamp>, age: SignedDuration, now: Timestamp) {
    instants.retain(|instant| now.duration_since(*instant) < age);
}

fn left(token: &Token, now: Timestamp) -> SignedDuration {
    token.ends.duration_since(now)
}

/// An opaque text that is always the same for the same parts, at most 32 characters long.
fn mark(parts: &[&str], length: usize) -> String {
    let digest = Sha256::digest(parts.join("\n").as_bytes());
    let text = URL_SAFE_NO_PAD.encode(digest);
    std::iter::once('o').chain(text.chars()).take(length).collect()
}
