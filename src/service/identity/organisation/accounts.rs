//! How officers come in, as far as administrators have a hand in it: they see no code, no password and no
//! secret, and lift what strangers have locked.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Organisation, ending, not_oneself, officer_reply};
use crate::{
    context::Cx,
    domain::{
        codes::Phone,
        common::notice::NoticeEvent,
        identity::proposal::{Act, Draft},
    },
    error::{Error, Faults, Reason, Result},
    id::{Id, kind},
    service::{
        identity::{
            phone::mobile,
            proposals::{self, Confirming},
        },
        pb, wire,
    },
    store::{
        Limit, Tx,
        identity::{
            enrolments,
            officers::{self, Officer},
            units,
        },
    },
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
        let id = wire::named::<kind::Officer>(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = officers::lock(tx, id, &cx.scope()).await?;
            if known.disable_time.is_some() || known.close_time.is_some() {
                return Err(Error::new(Reason::TransitionIllegal));
            }
            if known.enrolled {
                return Err(Error::new(Reason::OfficerEnrolled));
            }
            let phone = officers::phone(tx, id).await?;
            let phone = phone.ok_or_else(|| Error::new(Reason::PhoneMissing))?;
            self.count_enrolment(&phone).await?;
            enrolments::issue(tx, id, &phone).await?;
            Ok(officer_reply(&known))
        })
        .await
    }

    pub(super) async fn unlock_officer(
        &self,
        cx: &Cx,
        request: pb::UnlockOfficerRequest,
    ) -> Result<pb::Officer> {
        let (id, reason) = ending(&request.name, &request.reason)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = officers::lock(tx, id, &cx.scope()).await?;
            let lifted = officers::lift(tx, known, reason).await?;
            Ok(officer_reply(&lifted))
        })
        .await
    }

    pub(super) async fn reset_officer(
        &self,
        cx: &Cx,
        request: pb::ResetOfficerRequest,
    ) -> Result<pb::Officer> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Officer>(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, 300));
        let phone = if request.phone.is_empty() {
            None
        } else {
            faults.take("phone", mobile(&request.phone))
        };
        let (id, reason) = faults.whole((id, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = officers::lock(tx, id, &cx.scope()).await?;
            not_oneself(cx, id)?;
            if known.disable_time.is_some() {
                return Err(Error::new(Reason::TransitionIllegal));
            }
            let now = officers::phone(tx, id).await?;
            let to =
                phone.as_ref().or(now.as_ref()).ok_or_else(|| Error::new(Reason::PhoneMissing))?;
            self.count_enrolment(to).await?;
            let unit = units::get(tx.conn(), known.unit, &cx.scope()).await?;
            let exact = pb::CredentialsReset {
                officer: id.to_string(),
                phone: phone.as_ref().map(|phone| phone.as_str().to_owned()).unwrap_or_default(),
            };
            let draft = Draft {
                act: Act::ResetCredentials,
                subject: id.to_string(),
                unit_path: unit.path,
                request: Vec::new(),
                shown: told(&known, &unit.display_name, phone.as_ref()),
                reason,
            };
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            enrolments::tell(tx, id, NoticeEvent::AccountResetProposed).await?;
            Ok(pb::Officer { proposal, ..officer_reply(&known) })
        })
        .await
    }
}

/// What the second administrator is shown.
fn told(known: &Officer, unit: &str, phone: Option<&Phone>) -> Vec<String> {
    let present = if known.phone.is_empty() { "未登记" } else { &known.phone };
    let phone = match phone {
        Some(phone) => format!("手机:{present} → {}", phone.mask()),
        None => format!("手机:{present}(不变)"),
    };
    let mut shown = vec![
        format!("民警:{}(警号{})", known.display_name, known.police_number),
        format!("单位:{unit}"),
        phone,
        "原密码、动态口令和全部登录将失效,验证码发送至上述手机".to_owned(),
    ];
    if known.close_time.is_some() {
        shown.push("账号因90天未使用已停用,重置后恢复".to_owned());
    }
    shown
}

/// Makes the way in anew, in the unit of work of the confirmation.
pub(in crate::service) async fn reset(tx: &mut Tx, confirming: &Confirming<'_>) -> Result<()> {
    let request: pb::CredentialsReset = confirming.request()?;
    let id = Id::parse(&request.officer).map_err(|flaw| Error::internal(flaw.wire()))?;
    let known = officers::lock(tx, id, &confirming.cx.scope()).await?;
    if known.disable_time.is_some() {
        return Err(Error::new(Reason::TransitionIllegal));
    }
    let phone = if request.phone.is_empty() {
        None
    } else {
        Some(Phone::parse(&request.phone).map_err(|flaw| Error::internal(flaw.wire()))?)
    };
    enrolments::reset(tx, id, phone.as_ref()).await?;
    Ok(())
}
