//! The enterprise and its drawing: a claim until an officer has compared it with its licence. Who acts
//! for it is not known here.

pub mod attachment;
pub mod contest;
pub mod vehicle;

use jiff::{SignedDuration, Timestamp};

use super::codes::{DocumentKind, normalise};
use crate::{
    context::Cx,
    domain::common::{
        deed::Deed,
        follow::{Follow, To},
        lifecycle::{Change, Held, Moved, Note, State},
        notice::NoticeEvent,
    },
    error::{Error, Flaw, Reason, Result},
    id::{Id, kind},
    named::{Named, named},
};

/// How many claims a person may have open.
pub const CLAIMS_MAX: i64 = 3;
/// How long a claim waits, from when it was last handed in.
pub const CLAIM_LAPSES_AFTER: SignedDuration = SignedDuration::from_hours(24 * 7);
/// An authorisation ends after so many months at the latest.
pub const AUTHORISED_MONTHS_MAX: u32 = 36;
/// An invitation of a handler is open for a week.
pub const INVITATION_OPEN: SignedDuration = SignedDuration::from_hours(24 * 7);
/// What a claimer is told whose code is that of a verified enterprise: who works there is invited, and
/// who owns it is heard.
pub const CODE_HELD: &str = "该统一社会信用代码已有企业通过核验:如您是其员工,请联系法定代表人邀请您加入;\
如属他人冒用,本登记仍会受理,由民警一并核对";

named! {
/// Where an enterprise stands.
EnterpriseState {
    /// A claim: not compared with its licence yet. It takes nothing from anybody.
    Pending = "PENDING", "待核验";
    /// An officer compared licence and person.
    Verified = "VERIFIED", "已核验";
    /// No new business; what was issued stays.
    Suspended = "SUSPENDED", "已暂停";
    /// The claim was refused.
    Rejected = "REJECTED", "未通过核验";
    /// The claimer took it back.
    Withdrawn = "WITHDRAWN", "已撤回";
    /// Nobody verified it in time.
    Lapsed = "LAPSED", "逾期失效";
    /// It was verified wrongly, or is no more.
    Annulled = "ANNULLED", "核验已撤销";
}
}

named! {
/// What can be done to an enterprise.
EnterpriseAction, readers: Readers {
    /// By a reviewer, after somebody else prepared it.
    Verify = "VERIFY", "核验", Everybody;
    /// By a reviewer.
    Reject = "REJECT", "不予通过", Everybody;
    /// Another claim of the same code was verified.
    Yield = "YIELD", "让位", Everybody;
    /// By the claimer.
    Withdraw = "WITHDRAW", "撤回", Everybody;
    /// By the clock.
    Lapse = "LAPSE", "逾期失效", Everybody;
    /// By a reviewer.
    Suspend = "SUSPEND", "暂停", Everybody;
    /// By a reviewer.
    Resume = "RESUME", "恢复", Everybody;
    /// By a final reviewer: everything that it holds ends with it.
    Annul = "ANNUL", "撤销核验", Everybody;
}
}

named! {
/// Why a claim was refused, or a verification annulled.
EnterpriseRefusal {
    /// The licence cannot be read.
    LicenceUnreadable = "LICENCE_UNREADABLE", "营业执照不清晰或不完整";
    /// What was typed differs from the licence.
    LicenceDiffers = "LICENCE_DIFFERS", "填报内容与营业执照不一致";
    /// The registry does not know it, or no longer.
    NotRegistered = "NOT_REGISTERED", "登记机关查无此企业,或企业已注销、吊销";
    /// Another person represents it.
    RepresentativeDiffers = "REPRESENTATIVE_DIFFERS", "法定代表人与登记信息不一致";
    /// The claimer could not be identified.
    IdentityUnproven = "IDENTITY_UNPROVEN", "无法核实申请人身份";
    /// The rightful one has an account.
    AlreadyVerified = "ALREADY_VERIFIED", "该企业已有通过核验的登记";
    /// Said by the verification of another claim.
    RivalVerified = "RIVAL_VERIFIED", "同一统一社会信用代码的另一登记已通过核验";
    /// False papers.
    FalseInformation = "FALSE_INFORMATION", "提供虚假材料";
    /// The verification was a mistake.
    WronglyVerified = "WRONGLY_VERIFIED", "核验有误";
    /// 企业终止.
    EnterpriseClosed = "ENTERPRISE_CLOSED", "企业依法终止";
}
}

impl EnterpriseRefusal {
    /// Whether it is a reason for the action.
    #[must_use]
    pub const fn fits(self, action: EnterpriseAction) -> bool {
        match action {
            EnterpriseAction::Reject => matches!(
                self,
                Self::LicenceUnreadable
                    | Self::LicenceDiffers
                    | Self::NotRegistered
                    | Self::RepresentativeDiffers
                    | Self::IdentityUnproven
                    | Self::AlreadyVerified
                    | Self::FalseInformation
            ),
            EnterpriseAction::Yield => matches!(self, Self::RivalVerified),
            EnterpriseAction::Annul => matches!(
                self,
                Self::FalseInformation | Self::WronglyVerified | Self::EnterpriseClosed
            ),
            _ => false,
        }
    }
}

impl EnterpriseState {
    /// Whether it was verified: it has members, a garage and business of its own.
    #[must_use]
    pub const fn proven(self) -> bool {
        matches!(self, Self::Verified | Self::Suspended)
    }

    /// Refuses business of an enterprise that is not verified, or suspended.
    ///
    /// # Errors
    /// `ENTERPRISE_SUSPENDED`, `ENTERPRISE_NOT_VERIFIED`.
    pub fn refuse_unproven(self) -> Result<()> {
        match self {
            Self::Verified => Ok(()),
            Self::Suspended => Err(Error::new(Reason::EnterpriseSuspended)),
            _ => Err(Error::new(Reason::EnterpriseNotVerified)),
        }
    }
}

impl State for EnterpriseState {
    type Action = EnterpriseAction;
    const FIRST: Self = Self::Pending;

    fn after(self, action: EnterpriseAction) -> Option<Self> {
        use EnterpriseAction::{Annul, Lapse, Reject, Resume, Suspend, Verify, Withdraw, Yield};
        Some(match (self, action) {
            (Self::Pending, Verify) | (Self::Suspended, Resume) => Self::Verified,
            (Self::Pending, Reject | Yield) => Self::Rejected,
            (Self::Pending, Withdraw) => Self::Withdrawn,
            (Self::Pending, Lapse) => Self::Lapsed,
            (Self::Verified, Suspend) => Self::Suspended,
            (Self::Verified | Self::Suspended, Annul) => Self::Annulled,
            _ => return None,
        })
    }

    fn follows(action: EnterpriseAction) -> &'static [Follow] {
        use EnterpriseAction::{Annul, Lapse, Reject, Resume, Suspend, Verify, Withdraw, Yield};
        match action {
            Verify => &[Follow::Tell(NoticeEvent::EnterpriseVerified, To::People)],
            Reject => &[Follow::Tell(NoticeEvent::EnterpriseRejected, To::People)],
            Yield => &[Follow::Tell(NoticeEvent::EnterpriseOutdone, To::People)],
            Lapse => &[Follow::Tell(NoticeEvent::EnterpriseLapsed, To::People)],
            Annul => &[Follow::Tell(NoticeEvent::EnterpriseAnnulled, To::People)],
            Withdraw | Suspend | Resume => &[],
        }
    }
}

/// What somebody claims: everything that is typed, and what is compared with the licence.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Unified social credit code.
    pub uscc: String,
    /// The registered name.
    pub display_name: String,
    /// Its division.
    pub division_code: String,
    /// The unit that serves it with truck passes.
    pub unit: Id<kind::Unit>,
    /// The path of that unit.
    pub unit_path: String,
    /// The full name of its legal representative.
    pub legal_representative: String,
    /// What kind of document the legal representative has.
    pub document: DocumentKind,
    /// The business licence; absent where the registration is older than that rule.
    pub licence: Option<Id<kind::Attachment>>,
}

/// Who compared a claim with its licence first.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The officer.
    pub by: Id<kind::Officer>,
    /// When.
    pub time: Timestamp,
    /// What was found, among officers.
    pub note: String,
}

/// An enterprise.
#[derive(Debug, Clone)]
pub struct Enterprise {
    /// Its id.
    pub id: Id<kind::Enterprise>,
    /// What it is, as its claimer typed it.
    pub claim: Claim,
    /// Who registered it.
    pub applicant: Id<kind::Person>,
    /// When.
    pub create_time: Timestamp,
    /// When it lapses, while it is a claim.
    pub expire_time: Option<Timestamp>,
    /// Who prepared the claim.
    pub prepared: Option<Prepared>,
    /// Why it ended.
    pub reason: Option<EnterpriseRefusal>,
    /// What was said about that.
    pub reason_note: String,
    /// Rises with each write.
    pub version: i64,
    /// The stored state.
    pub held: Held<EnterpriseState>,
}

impl Enterprise {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> EnterpriseState {
        self.held.state()
    }

    /// Refuses business of an enterprise that is not verified, or suspended.
    pub fn refuse_unproven(&self) -> Result<()> {
        self.state().refuse_unproven()
    }

    /// A new claim.
    #[must_use]
    pub fn claimed(claim: Claim, applicant: Id<kind::Person>, cx: &Cx) -> Self {
        Self {
            id: cx.id(),
            claim,
            applicant,
            create_time: cx.now,
            expire_time: Some(lapses(cx)),
            prepared: None,
            reason: None,
            reason_note: String::new(),
            version: 1,
            held: Held::default(),
        }
    }

    /// Hands a new claim in.
    pub fn register(self, cx: &Cx) -> Moved<Self> {
        let (_, change) = Change::begin(self.state(), Deed::Create, Note::none(), cx);
        Moved::new(self, change)
    }

    /// Only a claim that waits can be changed, or prepared.
    fn waits(&self, what: impl Named) -> Result<()> {
        let state = self.state();
        if state == EnterpriseState::Pending { Ok(()) } else { Err(state.refuses(what)) }
    }

    /// Changes what is claimed. What somebody has compared is something else now, and the time begins
    /// again.
    pub fn edit(mut self, claim: Claim, cx: &Cx) -> Result<Moved<Self>> {
        self.waits(Deed::Edit)?;
        self.claim = claim;
        self.prepared = None;
        self.expire_time = Some(lapses(cx));
        let change = Change::remark(self.state(), Deed::Edit, Note::none(), cx);
        Ok(Moved::new(self, change))
    }

    /// Says that licence and claim were compared: the first pair of eyes.
    pub fn prepare(mut self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let by = cx.actor.officer()?;
        self.waits(Deed::Prepare)?;
        if self.claim.licence.is_none() {
            return Err(Error::new(Reason::AttachmentIncomplete));
        }
        self.prepared = Some(Prepared { by, time: cx.now, note: note.clone() });
        let change = Change::remark(self.state(), Deed::Prepare, Note::internal(note), cx);
        Ok(Moved::new(self, change))
    }

    /// Takes the claim for true: the second pair of eyes, of a sworn officer who is not called like the
    /// legal representative (回避).
    pub fn verify(self, note: String, officer_name: &str, cx: &Cx) -> Result<Moved<Self>> {
        let sworn = cx.actor.sworn()?;
        self.waits(EnterpriseAction::Verify)?;
        let prepared = self.prepared.as_ref().ok_or_else(|| Error::new(Reason::NotPrepared))?;
        if prepared.by == sworn.officer {
            return Err(Error::new(Reason::SamePerson));
        }
        // However it is typed: with blanks between, or in full width.
        let plain = |name: &str| normalise(name).replace(char::is_whitespace, "");
        if plain(&self.claim.legal_representative) == plain(officer_name) {
            return Err(Error::new(Reason::ConflictOfInterest));
        }
        self.step(EnterpriseAction::Verify, Note::public(note), cx)
    }

    /// Ends it with a coded reason: a claim that is refused, a verification that is annulled.
    pub fn refuse(
        mut self,
        action: EnterpriseAction,
        reason: EnterpriseRefusal,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        if !reason.fits(action) {
            return Err(Error::field("reason_code", Flaw::NotAllowed));
        }
        self.reason = Some(reason);
        self.reason_note.clone_from(&note);
        self.step(action, Note::public(note).reason(reason.wire()), cx)
    }

    /// Ends a claim because another one of the same code was verified.
    pub fn give_way(self, cx: &Cx) -> Result<Moved<Self>> {
        let reason = EnterpriseRefusal::RivalVerified;
        self.refuse(EnterpriseAction::Yield, reason, reason.zh().to_owned(), cx)
    }

    /// Takes a claim back.
    pub fn withdraw(self, cx: &Cx) -> Result<Moved<Self>> {
        self.step(EnterpriseAction::Withdraw, Note::none(), cx)
    }

    /// Ends a claim by the clock.
    pub fn lapse(self, cx: &Cx) -> Result<Moved<Self>> {
        let note = Note::public("7日内未完成核验,登记失效,可重新提交");
        self.step(EnterpriseAction::Lapse, note, cx)
    }

    /// Suspends or resumes it.
    pub fn act(self, action: EnterpriseAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        self.step(action, Note::public(note), cx)
    }

    fn step(mut self, action: EnterpriseAction, note: Note, cx: &Cx) -> Result<Moved<Self>> {
        let (held, change) = self.state().advance(action, note, cx)?;
        self.held = held;
        self.expire_time = None;
        Ok(Moved::new(self, change))
    }
}

fn lapses(cx: &Cx) -> Timestamp {
    cx.now.saturating_add(CLAIM_LAPSES_AFTER).unwrap_or(cx.now)
}

#[cfg(test)]
mod tests {
    use super::{EnterpriseAction, EnterpriseRefusal, EnterpriseState};
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_an_enterprise() {
        insta::assert_snapshot!(drawing::<EnterpriseState>(), @r"
        PENDING --VERIFY--> VERIFIED | tell PEOPLE ENTERPRISE_VERIFIED
        PENDING --REJECT--> REJECTED | tell PEOPLE ENTERPRISE_REJECTED
        PENDING --YIELD--> REJECTED | tell PEOPLE ENTERPRISE_OUTDONE
        PENDING --WITHDRAW--> WITHDRAWN
        PENDING --LAPSE--> LAPSED | tell PEOPLE ENTERPRISE_LAPSED
        VERIFIED --SUSPEND--> SUSPENDED
        VERIFIED --ANNUL--> ANNULLED | tell PEOPLE ENTERPRISE_ANNULLED
        SUSPENDED --RESUME--> VERIFIED
        SUSPENDED --ANNUL--> ANNULLED | tell PEOPLE ENTERPRISE_ANNULLED
        ");
    }

    #[test]
    fn every_reason_is_of_an_action_and_every_refusal_has_one() {
        for reason in EnterpriseRefusal::ALL {
            assert!(EnterpriseAction::ALL.iter().any(|action| reason.fits(*action)), "{reason:?}");
        }
        for action in [EnterpriseAction::Reject, EnterpriseAction::Yield, EnterpriseAction::Annul] {
            assert!(EnterpriseRefusal::ALL.iter().any(|reason| reason.fits(action)), "{action:?}");
        }
    }
}
