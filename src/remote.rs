//! The systems outside ours whom we call (WeChat, WeCom, SMS): one bounded call each, their failures turned
//! into our catalogue. No SQL, no business rule, and never a call while a transaction is open (OP-08).

use std::{fmt, time::Duration};

use reqwest::{Client, RequestBuilder, StatusCode, Url, header::RETRY_AFTER, redirect::Policy};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::error::{Error, Reason, Result};

pub mod sms;
pub mod webhook;
pub mod wechat;
pub mod wecom;

#[cfg(test)]
mod tests;

/// No answer that we wait for is longer; a longer one is a fault or an attack.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The wait told to the caller when the other side is away and says nothing itself.
const RETRY_DEFAULT: Duration = Duration::from_secs(5);

/// The longest wait that we pass on from another system.
const RETRY_MAX: Duration = Duration::from_hours(1);

/// A key or password: never printed, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one request that needs it.
    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole call with everything it needs: waiting for a token, a repetition, the body.
    pub total: Duration,
    /// Of this, what a new connection may take.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: Duration::from_secs(3), connect: Duration::from_secs(1) }
    }
}

/// One system outside ours: its address, its HTTP client, its limits.
struct Remote {
    /// Told to callers as the fact `service`.
    name: &'static str,
    base: Url,
    limits: Limits,
    http: Client,
}

/// How the other side took a push that was rightly asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It delivers it.
    Sent,
    /// The recipient does not want it, or not any more.
    Refused,
    /// It does not know the recipient.
    Unknown,
}

/// A whole answer, read within the limits.
struct Reply {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Zeroizing<Vec<u8>>,
}

impl Remote {
    /// Fails when the address is not `http(s)://host…`, or carries a password, a query or a
    /// fragment, or when the machine has no list of certificate authorities.
    fn new(name: &'static str, base_url: &str, limits: Limits) -> Result<Self> {
        // The address itself is not told: somebody may have put a password into it.
        let refuse = || Error::internal(format!("the base URL of {name} is not usable"));
        let base = Url::parse(base_url).map_err(|_| refuse())?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        let Some(host) = base.host_str().filter(|_| plain) else { return Err(refuse()) };
        if !matches!(base.scheme(), "http" | "https") {
            return Err(refuse());
        }
        // WeChat wants the secret in the query; a redirect would carry it elsewhere as Referer.
        let mut builder =
            Client::builder().connect_timeout(limits.connect).redirect(Policy::none());
        // An egress proxy named in the environment is for the world, not for the sandbox next door.
        if matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|cause| Error::internal(cause.without_url()))?;
        Ok(Self { name, base, limits, http })
    }

    /// The address of a path below the base, which may itself have a path (an egress proxy).
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    /// Ends the work when the total limit has passed.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.limits.total, work).await {
            Ok(result) => result,
            Err(_) => Err(self.away(RETRY_DEFAULT).because("no answer within the time limit")),
        }
    }

    /// Sends one request and reads the whole answer, whatever its status.
    async fn send(&self, request: RequestBuilder) -> Result<Reply> {
        // The URL holds secrets (appsecret, access token), so it never stays in an error.
        let failed = |cause: reqwest::Error| self.away(RETRY_DEFAULT).because(cause.without_url());
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if chunk.len() > BODY_BYTES_MAX.saturating_sub(body.len()) {
                return Err(self.away(RETRY_DEFAULT).because("the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(RETRY_MAX));
        Ok(Reply { status: response.status(), retry_after, body })
    }

    /// Reads JSON, whatever content type the answer claims (WeChat says `text/plain`).
    fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body).map_err(|cause| {
            // The parser's own words quote the answer, which may hold a key: only the place is told.
            let (line, column) = (cause.line(), cause.column());
            let told = format!("the answer is not the JSON expected, at {line}:{column}");
            self.away(RETRY_DEFAULT).because(told)
        })
    }

    /// The failure that says: the other system is away, repeat after the wait.
    fn away(&self, wait: Duration) -> Error {
        Error::new(Reason::RemoteUnavailable).fact("service", self.name).retry_after(wait)
    }
}
