//! Calls other systems at addresses that an administrator wrote: https only, no address of our own
//! network, no redirect, no proxy; the name is resolved here and the call goes to what was judged.

use std::{fmt, net::SocketAddr};

use reqwest::{Client, Url, header::CONTENT_TYPE, redirect::Policy};
use tokio::net::lookup_host;

use super::{Limits, RETRY_DEFAULT};
use crate::{
    domain::common::webhook::is_public,
    error::{Error, Flaw, Reason, Result},
};

/// A longer address is none.
const URL_BYTES_MAX: usize = 500;

/// Calls webhooks.
pub struct Webhooks {
    limits: Limits,
    /// Addresses of our own network may be called, and this machine without TLS.
    private: bool,
}

/// What is posted.
#[derive(Debug)]
pub struct Letter<'a> {
    /// Where to.
    pub url: &'a str,
    /// `webhook-id`: the same for each attempt, so that the receiver can tell a repetition.
    pub id: &'a str,
    /// `webhook-timestamp`: the second of this attempt.
    pub timestamp: i64,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The JSON that is signed.
    pub body: &'a str,
}

impl Webhooks {
    /// A caller; `private` permits addresses of our own network.
    #[must_use]
    pub const fn new(limits: Limits, private: bool) -> Self {
        Self { limits, private }
    }

    /// The address as it would be called, or what is wrong with it. What its name leads to is judged
    /// at each call: a name can lead elsewhere tomorrow.
    pub fn check(&self, url: &str) -> Result<Url, Flaw> {
        if url.is_empty() {
            return Err(Flaw::Required);
        }
        if url.len() > URL_BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let url = Url::parse(url).map_err(|_| Flaw::UrlRefused)?;
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let literal = bare.parse().ok();
        let loopback = literal.map_or(host == "localhost", |it: std::net::IpAddr| it.is_loopback());
        let scheme =
            url.scheme() == "https" || (url.scheme() == "http" && self.private && loopback);
        let plain =
            url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let permitted = self.private || literal.map_or(!loopback, is_public);
        if scheme && plain && permitted && !host.is_empty() {
            Ok(url)
        } else {
            Err(Flaw::UrlRefused)
        }
    }

    /// Posts once, and says what status was answered. The body of the answer is not read.
    ///
    /// # Errors
    /// `REMOTE_UNAVAILABLE` when there was no answer, or the name leads where we do not call.
    pub async fn post(&self, letter: &Letter<'_>) -> Result<u16> {
        let url = self.check(letter.url).map_err(|_| refused("not an address to call"))?;
        let work = async {
            let addresses = self.resolve(&url).await?;
            let client = self.client(&url, &addresses)?;
            let request = client
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .header("webhook-id", letter.id)
                .header("webhook-timestamp", letter.timestamp)
                .header("webhook-signature", letter.signature)
                .body(letter.body.to_owned());
            // The address may hold a key in its query: it never stays in an error.
            let failed = |cause: reqwest::Error| away().because(cause.without_url());
            Ok(request.send().await.map_err(failed)?.status().as_u16())
        };
        match tokio::time::timeout(self.limits.total, work).await {
            Ok(result) => result,
            Err(_) => Err(away().because("no answer within the time limit")),
        }
    }

    /// The addresses of the host, all of which may be called.
    async fn resolve(&self, url: &Url) -> Result<Vec<SocketAddr>> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_or_known_default().unwrap_or(443);
        let found = lookup_host((bare, port)).await;
        self.judge(found.map_err(|_| refused("the name leads nowhere"))?.collect())
    }

    /// What a name leads to, if it may be called: one address that may not spoils them all.
    pub(super) fn judge(&self, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>> {
        let permitted = self.private || found.iter().all(|address| is_public(address.ip()));
        if found.is_empty() || !permitted {
            return Err(refused("the name leads into our own network"));
        }
        Ok(found)
    }

    /// A client that calls these addresses and no others, whatever the name says a moment later.
    fn client(&self, url: &Url, addresses: &[SocketAddr]) -> Result<Client> {
        let host = url.host_str().unwrap_or_default();
        Client::builder()
            .connect_timeout(self.limits.connect)
            .redirect(Policy::none())
            .no_proxy()
            .resolve_to_addrs(host, addresses)
            .build()
            .map_err(|cause| Error::internal(cause.without_url()))
    }
}

/// The failure that says: not called, and why, for the log.
fn refused(why: &'static str) -> Error {
    away().because(why)
}

/// The failure that says: no answer, repeat later.
fn away() -> Error {
    Error::new(Reason::RemoteUnavailable).fact("service", "webhook").retry_after(RETRY_DEFAULT)
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("private", &self.private).finish_non_exhaustive()
    }
}
