//! How officers come in, as far as administrators have a hand in it: they see no code, no password and no
//! secret, and lift what strangers have locked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Organisation, ending, officer_reply};
use crate::{
    context::Cx,
    domain::codes::Phone,
    error::{Error, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Write},
    },
    store::{Limit, enrolments, officers},
};

impl Organisation {
    /// Counts a code that goes to a phone: nobody floods it, and none is drawn that cannot be sent.
    pub(super) async fn count_enrolment(&self, phone: &Phone) -> Result<()> {
        if !self.sends_sms {
            return Err(Error::new(Reason::RemoteUnavailable).because("no SMS gateway is named"));
        }
        let index = self.store.vault().index("phone", phone.as_str());
        let index = URL_SAFE_NO_PAD.encode(index);
        self.store.limits().count(Limit::PhoneCodeTotal, &index).await
    }

    pub(super) async fn resend_officer_enrolment(
        &self,
        cx: &Cx,
        request: pb::ResendOfficerEnrolmentRequest,
    ) -> Result<pb::Officer> {
        let id: Id<kind::Officer> =
            Id::parse(&request.name).map_err(|flaw| Error::field("name", flaw))?;
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        let known = officers::lock(&mut tx, id, &cx.scope()).await?;
        if known.disable_time.is_some() || known.close_time.is_some() {
            return Err(Error::new(Reason::TransitionIllegal));
        }
        if known.enrolled {
            return Err(Error::new(Reason::OfficerEnrolled));
        }
        let phone = officers::phone(&mut tx, id).await?;
        let phone = phone.ok_or_else(|| Error::new(Reason::PhoneMissing))?;
        self.count_enrolment(&phone).await?;
        enrolments::issue(&mut tx, id, &phone).await?;
        wire::finish(tx, officer_reply(&known)).await
    }

    pub(super) async fn unlock_officer(
        &self,
        cx: &Cx,
        request: pb::UnlockOfficerRequest,
    ) -> Result<pb::Officer> {
        let (id, reason) = ending(&request.name, &request.reason)?;
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        let known = officers::lock(&mut tx, id, &cx.scope()).await?;
        let lifted = officers::lift(&mut tx, known, reason).await?;
        wire::finish(tx, officer_reply(&lifted)).await
    }
}
