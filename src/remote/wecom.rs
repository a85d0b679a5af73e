//! The client of WeCom's server interface (企业微信): the contact way (联系我) by which an enterprise
//! adds the officers of a post, and messages to officers. No accounts of ours: who binds is asked in the mini-program.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::Instant};
use zeroize::Zeroizing;

use super::{Limits, RETRY_DEFAULT, Remote, Secret, Taken};
use crate::error::{Error, Reason, Result};

/// Asked within its life, WeCom gives the same token again: this long before the end we ask each
/// time, so that the next one is taken over as soon as there is one.
const TOKEN_MARGIN: Duration = Duration::from_mins(1);
/// When WeCom refuses the token that it hands out itself, nothing helps but to wait so long.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// What WeCom shows of a remark.
const REMARK_CHARACTERS_MAX: usize = 30;
/// The wait told for limits that are counted by the minute.
const MINUTE_WAIT: Duration = Duration::from_mins(1);

/// Calls WeCom in the name of one application of one corporation.
pub struct Wecom {
    remote: Remote,
    corpid: String,
    secret: Secret,
    agent: Option<i64>,
    // Held while a token is fetched: the others wait for that one (single flight).
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    refused_at: Option<Instant>,
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

#[derive(Serialize)]
struct MessageQuestion<'a> {
    touser: &'a str,
    msgtype: &'static str,
    agentid: i64,
    text: Content<'a>,
    enable_duplicate_check: u8,
}

#[derive(Serialize)]
struct Content<'a> {
    content: &'a str,
}

#[derive(Deserialize)]
struct MessageAnswer {
    invaliduser: Option<String>,
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
        let (corpid, agent) = (corpid.to_owned(), None);
        Ok(Self { remote, corpid, secret, agent, held: Mutex::default() })
    }

    /// The same, which also sends messages in the name of the application with this agent id.
    #[must_use]
    pub const fn with_agent(mut self, agent: i64) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Sends a text to one member (`message/send`); `None` when there is no agent to send it. WeCom
    /// itself drops the same text to the same member within half an hour.
    ///
    /// # Errors
    /// `REMOTE_UNAVAILABLE` (busy, at its limit, slow, away), `INTERNAL` when WeCom does not accept
    /// our account or agent.
    pub async fn send_text(&self, member: &str, content: &str) -> Result<Option<Taken>> {
        let Some(agentid) = self.agent else { return Ok(None) };
        let question = MessageQuestion {
            touser: member,
            msgtype: "text",
            agentid,
            text: Content { content },
            enable_duplicate_check: 1,
        };
        let body = self.ask_with_token("/cgi-bin/message/send", &question);
        let body = self.remote.bounded(body).await?;
        let verdict: Verdict = self.remote.json(&body)?;
        // All of the recipients are invalid.
        if verdict.errcode == 81013 {
            return Ok(Some(Taken::Unknown));
        }
        let answer: MessageAnswer = self.granted(&body)?;
        let known = answer.invaliduser.is_none_or(|invalid| invalid.is_empty());
        Ok(Some(if known { Taken::Sent } else { Taken::Unknown }))
    }

    /// Makes a contact way to these members (`add_contact_way`); `state`, of at most 30 characters,
    /// comes back with whoever adds them. The remark is cut to what WeCom shows.
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
        let remark: String = remark.chars().take(REMARK_CHARACTERS_MAX).collect();
        let question = WayQuestion {
            r#type: if members.len() == 1 { 1 } else { 2 },
            scene: 2,
            remark: &remark,
            skip_verify: true,
            state,
            user: members,
        };
        let path = "/cgi-bin/externalcontact/add_contact_way";
        let body = self.remote.bounded(self.ask_with_token(path, &question)).await?;
        let answer: WayAnswer = self.granted(&body)?;
        let WayAnswer { config_id, qr_code } = answer;
        // It goes to phones as it is, so it must be an address and nothing that would run.
        let shown = ["https://", "http://"].iter().any(|scheme| qr_code.starts_with(scheme));
        if config_id.is_empty() || !shown {
            return Err(self.remote.away(RETRY_DEFAULT).because("WeCom sent no contact way"));
        }
        Ok(ContactWay { config_id, qr_code })
    }

    /// Posts with the access token; when WeCom no longer accepts it, takes another and repeats once.
    async fn ask_with_token(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let post = |token: &Secret| {
            let path = self.remote.at(path);
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
        held.token = held
            .token
            .take()
            .filter(|token| token.fresh_until > Instant::now() && Some(&token.text) != rejected);
        if let Some(token) = &held.token {
            return Ok(token.text.clone());
        }
        // There is no forced renewal here, and asking on and on would use up the corp's calls.
        let since = held.refused_at.map_or(REFUSED_PAUSE, |refused_at| refused_at.elapsed());
        let wait = REFUSED_PAUSE.saturating_sub(since);
        if !wait.is_zero() {
            return Err(self.remote.away(wait).because("WeCom refused its own token"));
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
        if Some(&text) == rejected {
            held.refused_at = Some(Instant::now());
            return Err(self.remote.away(REFUSED_PAUSE).because("WeCom refuses its own token"));
        }
        let fresh_until = asked_at + life.saturating_sub(TOKEN_MARGIN);
        held.token = Some(Token { text: text.clone(), fresh_until });
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
            // Limits by the minute, by concurrency.
            45009 | 45011 | 45033 => self.remote.away(MINUTE_WAIT),
            // Bad account, bad secret, bad agent, no permission, address not permitted; type or scene of the
            // way, a part too long; a member that WeCom does not know, who is not activated, has no
            // customer contact, or is out of the application's reach.
            40001 | 40013 | 40056 | 48002 | 60020 | 41037 | 41040 | 40058 | 40003 | 40031
            | 40098 | 41054 | 50002 | 60011 | 60111 | 84074 => Error::new(Reason::Internal),
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
