//! The client of the SMS gateway. No text of messages: the gateway keeps the filed templates.
//!
//! The protocol is our own and neutral, because every operator's differs: an adapter beside the
//! gateway translates it. One call:
//!
//! ```text
//! POST <gateway URL>                      Authorization: Bearer <key>
//! {"phone":"13812345678","template":"login-code","parameters":{"code":"482913"}}
//! {"phone":"13812345678","template":"officer-enrolment","parameters":{"code":"ABCD-EFGH-JKMN"}}
//! {"phone":"13812345678","template":"officer-account","parameters":{"state":"已重置"}}
//! {"phone":"13812345678","template":"notice-pass","parameters":{"number":"…","state":"已暂停"}}
//! ```
//!
//! | answer | means |
//! |---|---|
//! | 2xx | taken over for delivery; the body is not read |
//! | 422 | the number gets no messages |
//! | 429 with `Retry-After` in seconds | too many to this number |
//! | 5xx | away, repeat later |
//! | anything else | the key, the template or the address is wrong: our fault |

use std::{collections::BTreeMap, fmt};

use reqwest::StatusCode;
use serde::Serialize;

use super::{Limits, RETRY_DEFAULT, Remote, Secret};
use crate::error::{Error, Flaw, Reason, Result};

/// Sends one-time codes and notices through the gateway.
pub struct Sms {
    remote: Remote,
    key: Secret,
    template: String,
}

#[derive(Serialize)]
struct Message<'a> {
    phone: &'a str,
    template: &'a str,
    parameters: &'a BTreeMap<&'a str, &'a str>,
}

/// The filed text that tells somebody of an invitation; it names nobody.
const INVITATION: &str = "enterprise-invitation";

/// The filed text that brings an officer the code to enrol with.
const OFFICER_ENROLMENT: &str = "officer-enrolment";
/// The filed text that tells an officer what happens to the account.
const OFFICER_ACCOUNT: &str = "officer-account";

impl Sms {
    /// A client of the gateway at the URL; `template` is the filed text for one-time codes.
    /// Fails when the URL is not usable.
    pub fn new(url: &str, key: Secret, template: &str, limits: Limits) -> Result<Self> {
        Ok(Self { remote: Remote::new("sms", url, limits)?, key, template: template.to_owned() })
    }

    /// Hands a one-time code over for delivery to a mobile number of eleven digits.
    /// Fails with `PHONE_MALFORMED` on the field `phone`, `RATE_LIMITED` or `REMOTE_UNAVAILABLE`.
    /// It is not repeated here: after a timeout the message may still arrive.
    pub async fn send_code(&self, phone: &str, code: &str) -> Result<()> {
        self.send(phone, &self.template, &BTreeMap::from([("code", code)])).await
    }

    /// Hands an officer's code to enrol with over for delivery. Fails as [`Sms::send_code`] does.
    pub async fn send_enrolment(&self, phone: &str, code: &str) -> Result<()> {
        self.send(phone, OFFICER_ENROLMENT, &BTreeMap::from([("code", code)])).await
    }

    /// Tells an officer what happens to the account. Fails as [`Sms::send_code`] does.
    pub async fn send_account(&self, phone: &str, state: &str) -> Result<()> {
        self.send(phone, OFFICER_ACCOUNT, &BTreeMap::from([("state", state)])).await
    }

    /// Tells a mobile number that an enterprise invited it; who, stands in the mini-program.
    /// Fails as [`Sms::send_code`] does.
    pub async fn send_invitation(&self, phone: &str) -> Result<()> {
        self.send(phone, INVITATION, &BTreeMap::new()).await
    }

    /// Hands a notice over by its filed text, with the parameters that the text names.
    /// Fails as [`Sms::send_code`] does.
    pub async fn send_notice(
        &self,
        phone: &str,
        template: &str,
        parameters: &BTreeMap<&str, &str>,
    ) -> Result<()> {
        self.send(phone, template, parameters).await
    }

    async fn send(
        &self,
        phone: &str,
        template: &str,
        parameters: &BTreeMap<&str, &str>,
    ) -> Result<()> {
        let message = Message { phone, template, parameters };
        let request =
            self.remote.http.post(self.remote.at("")).bearer_auth(self.key.expose()).json(&message);
        let reply = self.remote.bounded(self.remote.send(request)).await?;
        let wait = reply.retry_after.unwrap_or(RETRY_DEFAULT);
        let told = format!("the SMS gateway answered {}", reply.status.as_u16());
        Err(match reply.status {
            status if status.is_success() => return Ok(()),
            StatusCode::UNPROCESSABLE_ENTITY => Error::field("phone", Flaw::PhoneMalformed),
            StatusCode::TOO_MANY_REQUESTS => Error::new(Reason::RateLimited).retry_after(wait),
            status if status.is_server_error() => self.remote.away(wait),
            _ => Error::new(Reason::Internal),
        }
        .because(told))
    }
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms").field("template", &self.template).finish_non_exhaustive()
    }
}
