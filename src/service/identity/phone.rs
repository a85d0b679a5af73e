//! How a person proves a phone: by WeChat's button, or by a code that is sent. Sending is the
//! worker's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Identity, account};
use crate::{
    context::Cx,
    domain::codes::{self, Phone},
    error::{Error, Faults, Flaw, Reason, Result},
    service::{
        pb::{self, verify_phone_request::Proof},
        wire,
    },
    store::{
        Limit,
        identity::{persons, phone_codes},
    },
};

impl Identity {
    pub(super) async fn send_phone_code(
        &self,
        cx: &Cx,
        request: pb::SendPhoneCodeRequest,
    ) -> Result<pb::SendPhoneCodeResponse> {
        let person = cx.actor.person()?;
        let phone = mobile(&request.phone).map_err(|flaw| Error::field("phone", flaw))?;
        if !self.sends_sms {
            return Err(Error::new(Reason::RemoteUnavailable).because("no SMS gateway is named"));
        }
        self.count_code(cx, &phone).await?;
        let mut tx = self.store.begin(cx).await?;
        let expire_time = phone_codes::insert(&mut tx, person, &phone).await?;
        tx.commit().await?;
        Ok(pb::SendPhoneCodeResponse { expire_time: Some(wire::time(expire_time)) })
    }

    /// Nobody floods a stranger's phone, nor sends at the bureau's cost without end. What is the asker's own
    /// counts first: who is refused by it uses up nothing of the phone's.
    async fn count_code(&self, cx: &Cx, phone: &Phone) -> Result<()> {
        let limits = self.store.limits();
        let asker = cx.actor.name();
        let index = self.store.vault().index("phone", phone.as_str());
        let index = URL_SAFE_NO_PAD.encode(index);
        limits.count(Limit::Write, &asker).await?;
        limits.count(Limit::PhoneCodePerson, &asker).await?;
        limits.count(Limit::PhoneCodeAddress, &cx.counted_address()).await?;
        limits.count(Limit::PhoneCode, &format!("{asker} {index}")).await?;
        limits.count(Limit::PhoneCodeTotal, &index).await
    }

    pub(super) async fn verify_phone(
        &self,
        cx: &Cx,
        request: pb::VerifyPhoneRequest,
    ) -> Result<pb::Account> {
        let person = cx.actor.person()?;
        self.store.limits().count(Limit::Write, &cx.actor.name()).await?;
        let (phone, code) = match request.proof {
            None => return Err(Error::field("proof", Flaw::Required)),
            Some(Proof::WechatCode(code)) if code.is_empty() => {
                return Err(Error::field("wechat_code", Flaw::Required));
            }
            Some(Proof::WechatCode(code)) => {
                let phone = self.wechat.phone_number(&code).await?;
                let phone = Phone::parse(&phone);
                (phone.map_err(|flaw| Error::field("wechat_code", flaw))?, None)
            }
            Some(Proof::SentCode(sent)) => {
                let mut faults = Faults::new();
                let phone = faults.take("sent_code.phone", mobile(&sent.phone));
                let code = codes::one_time(&sent.code);
                faults.check(!code.is_empty(), "sent_code.code", Flaw::Required);
                faults.done()?;
                (phone.ok_or_else(|| Error::new(Reason::RequestInvalid))?, Some(code))
            }
        };
        let mut tx = self.store.begin(cx).await?;
        if let Some(code) = code
            && !phone_codes::spend(&mut tx, person, &phone, &code).await?
        {
            // The attempt counts although the call fails.
            tx.commit().await?;
            return Err(Error::new(Reason::OneTimeCodeInvalid));
        }
        persons::save_phone(&mut tx, person, &phone).await?;
        let reply = account(tx.conn(), self.store.vault(), &cx.actor).await?;
        tx.commit().await?;
        Ok(reply)
    }
}

/// A number that a short message can reach.
pub(crate) fn mobile(text: &str) -> Result<Phone, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Required);
    }
    Phone::parse(text)
        .and_then(|phone| if phone.is_mobile() { Ok(phone) } else { Err(Flaw::PhoneMalformed) })
}
