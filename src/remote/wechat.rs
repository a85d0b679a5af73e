//! The client of WeChat's server interface for mini-programs. No session of ours and no accounts:
//! it says who WeChat says is there, and never keeps or prints a key of WeChat's.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::Instant};
use zeroize::Zeroizing;

use super::{Limits, RETRY_DEFAULT, Remote, Secret, Taken};
use crate::error::{Error, Reason, Result};

/// Tencent's own address; egress proxies, private deployments and the sandbox have others.
pub const BASE_URL: &str = "https://api.weixin.qq.com";

/// WeChat's codes have 32 characters today; far longer ones are not worth a call.
const CODE_CHARACTERS_MAX: usize = 128;

/// WeChat renews a token this long before its end; from then on the old one and the new one hold.
const TOKEN_MARGIN: Duration = Duration::from_mins(5);

/// WeChat ignores a forced renewal that follows another sooner, and grants 20 a day.
const FORCE_PAUSE: Duration = Duration::from_secs(30);

/// The waits told for `-1` (busy) and for limits counted by the minute.
const BUSY_WAIT: Duration = Duration::from_secs(1);
const MINUTE_WAIT: Duration = Duration::from_mins(1);

/// Calls WeChat's server interface in the name of one mini-program.
pub struct Wechat {
    remote: Remote,
    appid: String,
    secret: Secret,
    // A mutex of tokio, held while a token is fetched: the others wait for that one (single flight).
    held: Mutex<Held>,
}

/// Who WeChat says has opened the mini-program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WechatSession {
    /// The person within this mini-program; stable.
    pub openid: String,
    /// The person across the programs of one owner, where the owner has bound them.
    pub unionid: Option<String>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    forced_at: Option<Instant>,
}

struct Token {
    text: Secret,
    fresh_until: Instant,
}

/// The part that every answer may have; on success `errcode` is often absent.
#[derive(Deserialize)]
struct Verdict {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

/// The answer of code2Session. Its `session_key` is not named here and so is never kept.
#[derive(Deserialize)]
struct SessionAnswer {
    openid: String,
    unionid: Option<String>,
}

#[derive(Serialize)]
struct TokenQuestion<'a> {
    grant_type: &'a str,
    appid: &'a str,
    secret: &'a str,
    force_refresh: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

#[derive(Serialize)]
struct PhoneQuestion<'a> {
    code: &'a str,
}

/// A subscription message.
#[derive(Debug)]
pub struct Subscribed<'a> {
    /// To whom.
    pub openid: &'a str,
    /// The template's id.
    pub template_id: &'a str,
    /// The page that a tap opens; none without.
    pub page: &'a str,
    /// The fields, each fitting its type.
    pub data: &'a BTreeMap<String, String>,
    /// `zh_CN` or `en_US`.
    pub language: &'a str,
}

#[derive(Serialize)]
struct SendQuestion<'a> {
    touser: &'a str,
    template_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    page: &'a str,
    data: BTreeMap<&'a str, Entry<'a>>,
    lang: &'a str,
}

#[derive(Serialize)]
struct Entry<'a> {
    value: &'a str,
}

#[derive(Deserialize)]
struct PhoneAnswer {
    phone_info: PhoneInfo,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhoneInfo {
    pure_phone_number: String,
    country_code: CountryCode,
}

/// The documentation shows a number, the service has been seen to send a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum CountryCode {
    Number(u32),
    Text(String),
}

impl Wechat {
    /// A client at the address for one mini-program; fails when the address is not usable.
    pub fn new(base_url: &str, appid: &str, secret: Secret, limits: Limits) -> Result<Self> {
        let remote = Remote::new("wechat", base_url, limits)?;
        Ok(Self { remote, appid: appid.to_owned(), secret, held: Mutex::default() })
    }

    /// Exchanges the code of `wx.login` (five minutes, one use) for the person (code2Session).
    /// Fails with `LOGIN_CODE_INVALID`, `DENIED` (WeChat blocks the person) or
    /// `REMOTE_UNAVAILABLE` (busy, at its limit, slow, away).
    pub async fn code_to_session(&self, code: &str) -> Result<WechatSession> {
        check_code(code, Reason::LoginCodeInvalid)?;
        let request = self.remote.http.get(self.remote.at("/sns/jscode2session")).query(&[
            ("appid", self.appid.as_str()),
            ("secret", self.secret.expose()),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ]);
        let body = self.remote.bounded(self.ask(request)).await?;
        let answer: SessionAnswer = self.granted(&body, Reason::LoginCodeInvalid)?;
        if answer.openid.is_empty() {
            return Err(self.remote.away(RETRY_DEFAULT).because("WeChat sent an empty openid"));
        }
        let unionid = answer.unionid.filter(|unionid| !unionid.is_empty());
        Ok(WechatSession { openid: answer.openid, unionid })
    }

    /// Exchanges the code of the phone button (five minutes, one use) for the number
    /// (getPhoneNumber): eleven digits for the mainland, else `+`, country code and number.
    /// Fails with `ONE_TIME_CODE_INVALID` or `REMOTE_UNAVAILABLE`.
    pub async fn phone_number(&self, code: &str) -> Result<String> {
        check_code(code, Reason::OneTimeCodeInvalid)?;
        let question = PhoneQuestion { code };
        let work = self.ask_with_token("/wxa/business/getuserphonenumber", &question);
        let body = self.remote.bounded(work).await?;
        let PhoneAnswer { phone_info } = self.granted(&body, Reason::OneTimeCodeInvalid)?;
        let country = match phone_info.country_code {
            CountryCode::Number(number) => number.to_string(),
            CountryCode::Text(text) => text.trim_start_matches('+').to_owned(),
        };
        let number = phone_info.pure_phone_number;
        Ok(if country == "86" { number } else { format!("+{country}{number}") })
    }

    /// Sends a subscription message (subscribeMessage.send). It is not repeated here: after a timeout
    /// it may still arrive.
    ///
    /// # Errors
    /// `REMOTE_UNAVAILABLE` (busy, at its limit, away), `INTERNAL` when WeChat does not accept our
    /// account, template, page or fields.
    pub async fn send_subscribed(&self, message: &Subscribed<'_>) -> Result<Taken> {
        let entries = message.data.iter();
        let question = SendQuestion {
            touser: message.openid,
            template_id: message.template_id,
            page: message.page,
            data: entries.map(|(name, value)| (name.as_str(), Entry { value })).collect(),
            lang: message.language,
        };
        let work = self.ask_with_token("/cgi-bin/message/subscribe/send", &question);
        let body = self.remote.bounded(work).await?;
        let verdict: Verdict = self.remote.json(&body)?;
        match verdict.errcode {
            0 => Ok(Taken::Sent),
            43101 => Ok(Taken::Refused),
            40003 => Ok(Taken::Unknown),
            // Bad template, bad page, a field against its type.
            40037 | 41030 | 47003 => Err(Error::new(Reason::Internal).because(told(&verdict))),
            _ => self.granted::<Verdict>(&body, Reason::Internal).map(|_| Taken::Sent),
        }
    }

    /// Posts with the access token; when WeChat no longer accepts it, renews it and repeats once.
    async fn ask_with_token(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let post = |token: &Secret| {
            let request = self.remote.http.post(self.remote.at(path));
            self.ask(request.query(&[("access_token", token.expose())]).json(question))
        };
        let token = self.access_token(None).await?;
        let body = post(&token).await?;
        let verdict: Verdict = self.remote.json(&body)?;
        if !matches!(verdict.errcode, 40001 | 42001) {
            return Ok(body);
        }
        let token = self.access_token(Some(&token)).await?;
        post(&token).await
    }

    /// The access token: the one in memory, or else the one that WeChat gives now.
    async fn access_token(&self, rejected: Option<&Secret>) -> Result<Secret> {
        let mut held = self.held.lock().await;
        // Somebody else may have renewed it while this call waited.
        held.token = held
            .token
            .take()
            .filter(|token| token.fresh_until > Instant::now() && Some(&token.text) != rejected);
        if let Some(token) = &held.token {
            return Ok(token.text.clone());
        }
        let mut token = self.fetch_token(false).await?;
        // Only a token that WeChat itself still hands out is worth a forced renewal: that makes the
        // tokens of all other servers invalid at once, and forced by each they would never rest.
        if Some(&token.text) == rejected {
            let since = held.forced_at.map_or(FORCE_PAUSE, |forced_at| forced_at.elapsed());
            let wait = FORCE_PAUSE.saturating_sub(since);
            if !wait.is_zero() {
                return Err(self.remote.away(wait).because("WeChat refuses its own token"));
            }
            held.forced_at = Some(Instant::now());
            token = self.fetch_token(true).await?;
        }
        let text = token.text.clone();
        held.token = Some(token);
        Ok(text)
    }

    /// Asks for the stable token (getStableAccessToken).
    async fn fetch_token(&self, force_refresh: bool) -> Result<Token> {
        let question = TokenQuestion {
            grant_type: "client_credential",
            appid: &self.appid,
            secret: self.secret.expose(),
            force_refresh,
        };
        let asked_at = Instant::now();
        let request = self.remote.http.post(self.remote.at("/cgi-bin/stable_token"));
        let body = self.ask(request.json(&question)).await?;
        let answer: TokenAnswer = self.granted(&body, Reason::Internal)?;
        // A day at most, whatever the answer says: the present instant cannot be left behind.
        let life = Duration::from_secs(answer.expires_in.min(86_400));
        let fresh_until = asked_at + life.saturating_sub(TOKEN_MARGIN);
        Ok(Token { text: Secret::new(answer.access_token), fresh_until })
    }

    /// Sends a request; WeChat answers 200 even when it refuses.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Zeroizing<Vec<u8>>> {
        let reply = self.remote.send(request).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let told = format!("WeChat answered with HTTP {}", reply.status.as_u16());
        Err(self.remote.away(reply.retry_after.unwrap_or(RETRY_DEFAULT)).because(told))
    }

    /// The answer, or the failure that its `errcode` means; `bad_code` is what a bad code means.
    fn granted<T: DeserializeOwned>(&self, body: &[u8], bad_code: Reason) -> Result<T> {
        let verdict: Verdict = self.remote.json(body)?;
        let error = match verdict.errcode {
            0 => return self.remote.json(body),
            // Bad or out of time, used before, missing.
            40029 | 40163 | 41008 => Error::new(bad_code),
            // WeChat holds the person for a risk.
            40226 => Error::new(Reason::Denied),
            -1 => self.remote.away(BUSY_WAIT),
            // Limits by the minute, by the day.
            45011 | 45009 => self.remote.away(MINUTE_WAIT),
            // Bad appid, bad secret, address not on the white list, appid or secret missing.
            40013 | 40125 | 40164 | 41002 | 41004 => Error::new(Reason::Internal),
            _ => self.remote.away(RETRY_DEFAULT),
        };
        Err(error.because(told(&verdict)))
    }
}

impl fmt::Debug for Wechat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wechat").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// What the log may say: the number, and the request id that Tencent's support asks for. The rest
/// of the message is the other side's text and may repeat what we sent.
fn told(verdict: &Verdict) -> String {
    let rid = verdict.errmsg.split_once("rid: ").map_or("", |(_, rid)| rid.trim());
    let plain = rid.len() <= 36 && rid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    format!("WeChat errcode {}, rid {}", verdict.errcode, if plain { rid } else { "" })
}

/// Refuses without a call what cannot be a code.
fn check_code(code: &str, reason: Reason) -> Result<()> {
    let sized = (1..=CODE_CHARACTERS_MAX).contains(&code.len());
    if sized && code.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::new(reason))
    }
}
