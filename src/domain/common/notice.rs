//! What people are told: the events, to whom, and by which way. When is in `hours`, the words are in
//! `texts`, WeChat's field rules in `fields`. Never the content of a matter: numbers and states alone (I20).

pub mod fields;
mod hours;
mod texts;

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::evaluation::EvaluationState;
use crate::{
    actor::{Actor, Item, Role},
    domain::duty::escalation::Level,
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
};

pub use hours::{Preferences, crossed, next};
pub use texts::{Text, text};

/// How many days before its end a pass is spoken of, each once.
pub const EXPIRY_DAYS: [i64; 3] = [30, 7, 1];
/// A message that nobody's device has received for so long is told by a push (CH-08).
pub const UNSEEN_AFTER: SignedDuration = SignedDuration::from_secs(15);

named! {
/// What happened.
NoticeEvent {
    /// To a pass application.
    PassAccepted = "PASS_ACCEPTED", "已受理";
    /// It must be corrected.
    PassReturned = "PASS_RETURNED", "需补正";
    /// It is not a matter of this service.
    PassNotAccepted = "PASS_NOT_ACCEPTED", "不予受理";
    /// A pass was issued.
    PassApproved = "PASS_APPROVED", "已批准";
    /// It was refused.
    PassRejected = "PASS_REJECTED", "不予许可";
    /// Nobody answered the correction.
    PassLapsed = "PASS_LAPSED", "逾期终止";
    /// To a pass.
    PassSuspended = "PASS_SUSPENDED", "已暂停";
    /// It may be used again.
    PassResumed = "PASS_RESUMED", "已恢复";
    /// 撤回: law or facts changed.
    PassWithdrawn = "PASS_WITHDRAWN", "已撤回";
    /// 注销: the holder asked, or is gone.
    PassCancelled = "PASS_CANCELLED", "已注销";
    /// 撤销: wrongly granted.
    PassAnnulled = "PASS_ANNULLED", "已撤销";
    /// 吊销: a penalty.
    PassPenalised = "PASS_PENALISED", "已吊销";
    /// It ends soon.
    PassExpiring = "PASS_EXPIRING", "即将到期";
    /// Somebody wrote, and the reader is away.
    MessageReceived = "MESSAGE_RECEIVED", "新消息";
    /// To a complaint, told to the enterprise.
    ComplaintAccepted = "COMPLAINT_ACCEPTED", "已受理";
    /// It was not taken in.
    ComplaintNotAccepted = "COMPLAINT_NOT_ACCEPTED", "不予受理";
    /// Another system has it.
    ComplaintTransferred = "COMPLAINT_TRANSFERRED", "已转办";
    /// The answer is there, and waits to be rated.
    ComplaintAnswered = "COMPLAINT_ANSWERED", "待评价";
    /// It is handled a second time.
    ComplaintReopened = "COMPLAINT_REOPENED", "重新办理";
    /// It is supervised.
    ComplaintEscalated = "COMPLAINT_ESCALATED", "提级督办";
    /// It is over.
    ComplaintClosed = "COMPLAINT_CLOSED", "已办结";
    /// To a claim of an enterprise, told to its claimer.
    EnterpriseVerified = "ENTERPRISE_VERIFIED", "已通过核验";
    /// It was refused.
    EnterpriseRejected = "ENTERPRISE_REJECTED", "未通过核验";
    /// Another claim of the same code was verified.
    EnterpriseOutdone = "ENTERPRISE_OUTDONE", "他人已核验";
    /// Nobody verified it in time.
    EnterpriseLapsed = "ENTERPRISE_LAPSED", "逾期失效";
    /// The verification was taken back.
    EnterpriseAnnulled = "ENTERPRISE_ANNULLED", "核验已撤销";
    /// To a vehicle, told to its holder: another enterprise says that it is theirs.
    VehicleContested = "VEHICLE_CONTESTED", "被提出异议";
    /// An officer took it out of the garage.
    VehicleRemoved = "VEHICLE_REMOVED", "已移出车队";
    /// To a contest, told to who filed it: the vehicle stands in their garage.
    VehicleReceived = "VEHICLE_RECEIVED", "已移入车队";
    /// It left the other garage, and can be registered.
    VehicleReleased = "VEHICLE_RELEASED", "可以登记";
    /// The vehicle stays where it is.
    VehicleContestDismissed = "VEHICLE_CONTEST_DISMISSED", "异议未采纳";
    /// Nobody has said yet how it was.
    EvaluationReminder = "EVALUATION_REMINDER", "待评价";
    /// To a complaint that was filed, or objected about: told to who takes it in.
    TaskToAccept = "TASK_TO_ACCEPT", "待受理";
    /// It is to be handled again: told to who assigns.
    TaskToAssign = "TASK_TO_ASSIGN", "待交办";
    /// To a complaint, told to the unit that leads.
    TaskAssigned = "TASK_ASSIGNED", "待签收";
    /// The unit sent it back; told to who assigns.
    TaskReturned = "TASK_RETURNED", "已退回";
    /// An answer is to be judged.
    TaskToReview = "TASK_TO_REVIEW", "待审核";
    /// The answer was refused, and the time goes on; told to the handler.
    TaskRejected = "TASK_REJECTED", "反馈未通过";
    /// What the handler asked for was decided.
    TaskExtension = "TASK_EXTENSION", "延期申请已审定";
    /// The enterprise took it back.
    TaskWithdrawn = "TASK_WITHDRAWN", "已撤回";
    /// The enterprise or a leader urges.
    TaskUrged = "TASK_URGED", "被催办";
    /// It is under supervision.
    TaskSupervised = "TASK_SUPERVISED", "被督办";
    /// An act waits for a second person: told to whoever may confirm it.
    ProposalToCheck = "PROPOSAL_TO_CHECK", "待复核";
    /// It was done; told to whoever proposed it.
    ProposalConfirmed = "PROPOSAL_CONFIRMED", "复核通过";
    /// It was not.
    ProposalDeclined = "PROPOSAL_DECLINED", "复核未通过";
    /// Nobody decided it in time.
    ProposalLapsed = "PROPOSAL_LAPSED", "逾期失效";
    /// Rights or the way in of an officer were changed by two others; told to the officer.
    AccountChanged = "ACCOUNT_CHANGED", "账号或权限变更";
    /// A limit ends soon: the holder is reminded.
    LimitNear = "LIMIT_NEAR", "临期";
    /// It has ended: the leader is told, from here on.
    LimitPassed = "LIMIT_PASSED", "已超期";
    /// A working day ago.
    LimitUrged = "LIMIT_URGED", "书面催办";
    /// Five working days ago.
    LimitCriticised = "LIMIT_CRITICISED", "通报批评";
    /// The limit of the law has ended.
    LimitUnlawful = "LIMIT_UNLAWFUL", "超法定时限";
    /// Another system said that it is gone; told to who set it.
    WebhookEnded = "WEBHOOK_ENDED", "对外推送已停止";
    /// To an officer's account: somebody tries to enter, told to the security administrator.
    AccountAttacked = "ACCOUNT_ATTACKED", "连续登录失败";
    /// Strangers have locked it for sources that it does not know.
    AccountLocked = "ACCOUNT_LOCKED", "已锁定";
    /// It was made, told to the security administrator: one administrator makes no officer unseen.
    AccountCreated = "ACCOUNT_CREATED", "已开通";
    /// The officer enrolled: told to the officer.
    AccountEnrolled = "ACCOUNT_ENROLLED", "已设置登录凭证";
    /// Somebody asked for a reset: told to the officer.
    AccountResetProposed = "ACCOUNT_RESET_PROPOSED", "已申请重置";
    /// Two administrators reset it: told to the officer.
    AccountReset = "ACCOUNT_RESET", "已重置";
    /// It is closed soon: told to the officer.
    AccountUnused = "ACCOUNT_UNUSED", "即将停用";
    /// It was closed.
    AccountClosed = "ACCOUNT_CLOSED", "已停用";
}
}

impl NoticeEvent {
    /// The template of its pushes.
    #[must_use]
    pub const fn template(self) -> Template {
        match self {
            Self::PassAccepted
            | Self::PassReturned
            | Self::PassNotAccepted
            | Self::PassApproved
            | Self::PassRejected
            | Self::PassLapsed => Template::PassApplication,
            Self::PassSuspended
            | Self::PassResumed
            | Self::PassWithdrawn
            | Self::PassCancelled
            | Self::PassAnnulled
            | Self::PassPenalised
            | Self::PassExpiring => Template::Pass,
            Self::MessageReceived => Template::Message,
            Self::ComplaintAccepted
            | Self::ComplaintNotAccepted
            | Self::ComplaintTransferred
            | Self::ComplaintAnswered
            | Self::ComplaintReopened
            | Self::ComplaintEscalated
            | Self::ComplaintClosed => Template::Complaint,
            Self::EnterpriseVerified
            | Self::EnterpriseRejected
            | Self::EnterpriseOutdone
            | Self::EnterpriseLapsed
            | Self::EnterpriseAnnulled
            | Self::VehicleContested
            | Self::VehicleRemoved
            | Self::VehicleReceived
            | Self::VehicleReleased
            | Self::VehicleContestDismissed => Template::Enterprise,
            Self::EvaluationReminder => Template::Evaluation,
            Self::TaskToAccept
            | Self::TaskToAssign
            | Self::TaskAssigned
            | Self::TaskReturned
            | Self::TaskToReview
            | Self::TaskRejected
            | Self::TaskExtension
            | Self::TaskWithdrawn
            | Self::TaskUrged
            | Self::TaskSupervised
            | Self::ProposalToCheck
            | Self::ProposalConfirmed
            | Self::ProposalDeclined
            | Self::ProposalLapsed
            | Self::AccountChanged
            | Self::LimitNear
            | Self::LimitPassed
            | Self::LimitUrged
            | Self::LimitCriticised
            | Self::LimitUnlawful
            | Self::WebhookEnded => Template::Task,
            Self::AccountAttacked
            | Self::AccountLocked
            | Self::AccountCreated
            | Self::AccountEnrolled
            | Self::AccountResetProposed
            | Self::AccountReset
            | Self::AccountUnused
            | Self::AccountClosed => Template::Account,
        }
    }

    /// Whether it is pushed in quiet hours too, and never waits for a digest: somebody drives on a
    /// pass that counts no more, or a limit has ended.
    #[must_use]
    pub const fn urgent(self) -> bool {
        matches!(
            self,
            Self::PassSuspended
                | Self::PassWithdrawn
                | Self::PassCancelled
                | Self::PassAnnulled
                | Self::PassPenalised
                | Self::TaskUrged
                | Self::TaskSupervised
                | Self::AccountChanged
                | Self::LimitPassed
                | Self::LimitUrged
                | Self::LimitCriticised
                | Self::LimitUnlawful
                | Self::AccountAttacked
                | Self::AccountLocked
                | Self::AccountResetProposed
                | Self::AccountReset
        )
    }

    /// Whether other systems may be told of it: what an enterprise is told of its own matters. What
    /// officers owe, and that people talk, stays in the house.
    #[must_use]
    pub const fn leaves(self) -> bool {
        matches!(self.template(), Template::PassApplication | Template::Pass | Template::Complaint)
    }

    /// What is told with a step of the ladder.
    #[must_use]
    pub const fn of_level(level: Level) -> Self {
        match level {
            Level::Amber => Self::LimitNear,
            Level::Red => Self::LimitPassed,
            Level::Urged => Self::LimitUrged,
            Level::Criticised => Self::LimitCriticised,
            Level::Unlawful => Self::LimitUnlawful,
        }
    }

    /// What is told with a step of an evaluation's life: only that it still waits.
    #[must_use]
    pub const fn of_evaluation(state: EvaluationState) -> Option<Self> {
        match state {
            EvaluationState::Invited => Some(Self::EvaluationReminder),
            EvaluationState::Rated | EvaluationState::Unrated => None,
        }
    }
}

named! {
/// A template of pushes: at WeChat and at the SMS gateway, where it is filed.
Template {
    /// Steps of an application.
    PassApplication = "pass-application", "通行证申请进度";
    /// Steps and the end of a pass.
    Pass = "pass", "通行证状态";
    /// Steps of a complaint.
    Complaint = "complaint", "诉求办理进度";
    /// A claim of an enterprise, and what others say of its vehicles.
    Enterprise = "enterprise", "企业和车辆登记";
    /// News in a conversation.
    Message = "message", "新消息";
    /// How was it?
    Evaluation = "evaluation", "服务评价";
    /// Everything that was held back.
    Digest = "digest", "通知汇总";
    /// What an officer owes: never at WeChat.
    Task = "task", "办理任务";
    /// How an officer comes in: never at WeChat.
    Account = "account", "账号安全";
}
}

impl Template {
    /// Those that a person can permit at WeChat.
    pub const AT_WECHAT: [Self; 7] = [
        Self::PassApplication,
        Self::Pass,
        Self::Complaint,
        Self::Enterprise,
        Self::Message,
        Self::Evaluation,
        Self::Digest,
    ];
}

named! {
/// A way of pushing.
Channel {
    /// A subscription message, where the person permitted one.
    Wechat = "WECHAT", "微信";
    /// A short message, when WeChat cannot.
    Sms = "SMS", "短信";
    /// A message of the bureau's WeCom, to officers.
    Wecom = "WECOM", "企业微信";
}
}

named! {
/// A language of texts.
Language {
    /// 简体中文.
    Chinese = "zh-CN", "中文";
    /// English.
    English = "en", "英文";
}
}

/// Who finds a notice in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The people of an enterprise who act for it in matters of the item.
    Enterprise(Id<kind::Enterprise>, Item),
    /// One person.
    Person(Id<kind::Person>),
    /// One officer.
    Officer(Id<kind::Officer>),
    /// The officers of a unit who have the role.
    Unit(Id<kind::Unit>, Role),
}

impl Audience {
    /// Its text in the table.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Enterprise(enterprise, item) => format!("{enterprise}#{}", item.wire()),
            Self::Person(person) => person.to_string(),
            Self::Officer(officer) => officer.to_string(),
            Self::Unit(unit, role) => format!("{unit}#{}", role.wire()),
        }
    }
}

/// Whose inbox is read: what every read of notices asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// persons/... or officers/...
    pub name: String,
    /// The audiences that the reader belongs to.
    pub keys: Vec<String>,
}

impl Reader {
    /// The inbox of whoever asks. A device has none.
    pub fn of(actor: &Actor) -> Result<Self> {
        let keys = match actor {
            Actor::Person { person, memberships, .. } => {
                let items = memberships.iter().flat_map(|member| {
                    let whole = member.role == Role::LegalRepresentative;
                    let may = move |item: &&Item| whole || member.scope.contains(item);
                    let key = |item: &Item| Audience::Enterprise(member.enterprise, *item).key();
                    Item::ALL.iter().filter(may).map(key)
                });
                items.chain([Audience::Person(*person).key()]).collect()
            }
            Actor::Officer { officer, unit, roles, .. } => {
                let posts = roles.iter().map(|role| Audience::Unit(*unit, role).key());
                posts.chain([Audience::Officer(*officer).key()]).collect()
            }
            _ => return Err(Error::new(Reason::Denied)),
        };
        Ok(Self { name: actor.name(), keys })
    }
}

/// What a text may speak of. Nothing else of a matter is kept with a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The number that people read aloud.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// The plate of the recipient's own vehicle.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plate: String,
    /// The last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// How many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<i32>,
}

/// The ways in which a recipient is pushed to, the first one that works ends it (NO-09). A message of
/// the direct line is not worth a short message: it is read in the mini-program or not at all.
#[must_use]
pub fn ladder(template: Template, recipient: &str, wanted: &[Channel]) -> Vec<Channel> {
    let ways: &[Channel] = if recipient.starts_with("officers/") {
        &[Channel::Wecom]
    } else if matches!(template, Template::Message) {
        &[Channel::Wechat]
    } else {
        &[Channel::Wechat, Channel::Sms]
    };
    ways.iter().copied().filter(|way| wanted.contains(way)).collect()
}

/// What a push tells, whatever its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The template.
    pub template: Template,
    /// The state as one short word; Chinese, as WeChat wants it.
    pub phrase: &'static str,
    /// The words.
    pub text: Text,
    /// What they speak of.
    pub facts: Facts,
    /// When it happened.
    pub time: Timestamp,
}

impl Push {
    /// The push of an event.
    #[must_use]
    pub fn of(event: NoticeEvent, facts: Facts, time: Timestamp, language: Language) -> Self {
        Self {
            template: event.template(),
            phrase: event.zh(),
            text: text(event, &facts, language),
            facts,
            time,
        }
    }

    /// The push of everything that was held back.
    #[must_use]
    pub fn digest(count: i32, time: Timestamp, language: Language) -> Self {
        Self {
            template: Template::Digest,
            phrase: "待查看",
            text: texts::digest(count, language),
            facts: Facts { count: Some(count), ..Facts::default() },
            time,
        }
    }
}

/// Reads an audience's or a recipient's id after its collection.
#[must_use]
pub fn uuid_of(name: &str) -> Option<Uuid> {
    Uuid::try_parse(name.split_once('/')?.1).ok()
}

#[cfg(test)]
mod tests;
