//! The client of WeCom's server interface (企业微信): the contact way (联系我) by which an enterprise
//! adds the officers of a post. No accounts of ours: who binds is asked in the mini-program.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::Instant};
use zeroize::Zeroizing;

use super::{Limits, RETRY_DEFAULT, Remote, Secret};
use crate::error::{Error, Reason, Result};

/// A token is renewed this long before its end.
const TOKEN_MARGIN: Duration = Duration::from_mins(5);
/// The wait told for limits that are counted by the minute.
const MINUTE_WAIT: Duration = Duration::from_mins(1);

/// Calls WeCom in the name of one application of one corporation.
pub struct Wecom {
    remote: Remote,
    corpid: String,
    secret: Secret,
    // Held while a token is fetched: the others wait for that one (single flight).
    held: Mutex<Option<Token>>,
}

struct Token {
    text: Secret,
    fresh_until: Instant,
}

/// A way to add the officers of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactWay {
    /// Without it nothing can be edited at WeCom.
    pub config_id: String,
    /// The address of the QR picture.
    pub qr_code: String,
}

#[derive(Deserialize)]
struct Verdict {
    #[serde(default)]
    errcode: i64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: u64,
}

#[derive(Serialize)]
struct WayQuestion<'a> {
    /// 1 one person, 2 several.
    r#type: u8,
    /// 2 a QR code.
    scene: u8,
    remark: &'a str,
    skip_verify: bool,
    state: &'a str,
    user: &'a [String],
}

#[derive(Deserialize)]
struct WayAnswer {
    config_id: String,
    qr_code: String,
}

impl Wecom {
    /// A client at the address; fails when the address is not usable.
    pub fn new(base_url: &str, corpid: &str, secret: Secret, limits: Limits) -> Result<Self> {
        let remote = Remote::new("wecom", base_url, limits)?;
        Ok(Self { remote, corpid: corpid.to_owned(), secret, held: Mutex::default() })
    }

    /// Makes a contact way to these members (`add_contact_way`); `state`, of at most 30 characters,
    /// comes back with whoever adds them.
    ///
    /// # Errors
    /// `REMOTE_UNAVAILABLE` (busy, at its limit, slow, away), `INTERNAL` when WeCom does not accept
    /// our account or members.
    pub async fn add_contact_way(
        &self,
        members: &[String],
        remark: &str,
        state: &str,
    ) -> Result<ContactWay> {
        let question = WayQuestion {
            r#type: if members.len() == 1 { 1 } else { 2 },
            scene: 2,
            remark,
            skip_verify: true,
            state,
            user: members,
        };
        let body = self.remote.bounded(self.ask_with_token(&question)).await?;
        let answer: WayAnswer = self.granted(&body)?;
        Ok(ContactWay { config_id: answer.config_id, qr_code: answer.qr_code })
    }

    /// Posts with the access token; when WeCom no longer accepts it, takes another and repeats once.
    async fn ask_with_token(&self, question: &WayQuestion<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let post = |token: &Secret| {
            let path = self.remote.at("/cgi-bin/externalcontact/add_contact_way");
            let query = [("access_token", token.expose())];
            self.ask(self.remote.http.post(path).query(&query).json(question))
        };
        let token = self.access_token(None).await?;
        let body = post(&token).await?;
        let verdict: Verdict = self.remote.json(&body)?;
        // Not a token, out of time.
        if !matches!(verdict.errcode, 40014 | 42001) {
            return Ok(body);
        }
        let token = self.access_token(Some(&token)).await?;
        post(&token).await
    }

    async fn access_token(&self, rejected: Option<&Secret>) -> Result<Secret> {
        let mut held = self.held.lock().await;
        // Somebody else may have renewed it while this call waited.
        *held = held
            .take()
            .filter(|token| token.fresh_until > Instant::now() && Some(&token.text) != rejected);
        if let Some(token) = &*held {
            return Ok(token.text.clone());
        }
        let asked_at = Instant::now();
        let request = self
            .remote
            .http
            .get(self.remote.at("/cgi-bin/gettoken"))
            .query(&[("corpid", self.corpid.as_str()), ("corpsecret", self.secret.expose())]);
        let answer: TokenAnswer = self.granted(&self.ask(request).await?)?;
        let life = Duration::from_secs(answer.expires_in.min(86_400));
        let text = Secret::new(answer.access_token);
        let fresh_until = asked_at + life.saturating_sub(TOKEN_MARGIN);
        *held = Some(Token { text: text.clone(), fresh_until });
        Ok(text)
    }

    /// Sends a request; WeCom answers 200 even when it refuses.
    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Zeroizing<Vec<u8>>> {
        let reply = self.remote.send(request).await?;
        if reply.status.is_success() {
            return Ok(reply.body);
        }
        let told = format!("WeCom answered with HTTP {}", reply.status.as_u16());
        Err(self.remote.away(reply.retry_after.unwrap_or(RETRY_DEFAULT)).because(told))
    }

    fn granted<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T> {
        let verdict: Verdict = self.remote.json(body)?;
        let error = match verdict.errcode {
            0 => return self.remote.json(body),
            45009 | 45011 => self.remote.away(MINUTE_WAIT),
            // Bad account, bad secret, address not permitted; type or scene of the way; a member
            // that WeCom does not know.
            40001 | 40013 | 60020 | 41037 | 41040 | 40098 | 60111 => Error::new(Reason::Internal),
            _ => self.remote.away(RETRY_DEFAULT),
        };
        Err(error.because(format!("WeCom errcode {}", verdict.errcode)))
    }
}

impl fmt::Debug for Wecom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wecom").field("corpid", &self.corpid).finish_non_exhaustive()
    }
}
