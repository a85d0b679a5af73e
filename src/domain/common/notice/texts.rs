//! The words of each event in each language: title and body, made from number, plate, day and state.
//! No content of a matter, and nobody's name.

use jiff::civil::Date;

use super::{Facts, Language, NoticeEvent, Template};

/// A title and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// In short.
    pub title: String,
    /// In full.
    pub body: String,
}

/// What an event is called in English.
const fn english(event: NoticeEvent) -> &'static str {
    use NoticeEvent as E;
    match event {
        E::PassAccepted | E::ComplaintAccepted => "accepted",
        E::PassReturned => "correction due",
        E::PassNotAccepted | E::ComplaintNotAccepted => "not accepted",
        E::PassApproved => "approved",
        E::PassRejected | E::EnterpriseRejected => "refused",
        E::PassLapsed | E::EnterpriseLapsed => "lapsed",
        E::EnterpriseVerified => "verified",
        E::EnterpriseOutdone => "verified for somebody else",
        E::VehicleContested => "contested",
        E::VehicleRemoved => "taken out of your garage",
        E::VehicleReceived => "moved to your garage",
        E::VehicleReleased => "free to register",
        E::VehicleContestDismissed => "contest dismissed",
        E::PassSuspended => "suspended",
        E::PassResumed => "resumed",
        E::PassWithdrawn | E::TaskWithdrawn => "withdrawn",
        E::PassCancelled => "cancelled",
        E::PassAnnulled | E::EnterpriseAnnulled => "annulled",
        E::PassPenalised => "revoked",
        E::PassExpiring => "ends soon",
        E::MessageReceived => "new message",
        E::ComplaintTransferred => "transferred",
        E::ComplaintAnswered => "answered",
        E::ComplaintReopened => "handled again",
        E::ComplaintEscalated => "escalated",
        E::ComplaintClosed => "closed",
        E::EvaluationReminder => "please rate",
        E::TaskToAccept => "to be accepted",
        E::TaskToAssign => "to be assigned",
        E::TaskRejected => "answer refused",
        E::TaskExtension => "extension decided",
        E::TaskAssigned => "assigned to you",
        E::TaskReturned => "returned",
        E::TaskToReview => "to be reviewed",
        E::TaskUrged => "urged",
        E::TaskSupervised => "supervised",
        E::ProposalToCheck => "to be confirmed by a second person",
        E::ProposalConfirmed => "confirmed",
        E::ProposalDeclined => "declined",
        E::ProposalLapsed => "lapsed undecided",
        E::AccountChanged => "rights or sign-in changed",
        E::LimitNear => "limit is near",
        E::LimitPassed => "limit has passed",
        E::LimitUrged => "urged in writing",
        E::LimitCriticised => "criticised",
        E::LimitUnlawful => "unlawfully late",
        E::WebhookEnded => "webhook ended",
        E::AccountAttacked => "failed sign-ins in a row",
        E::AccountLocked => "locked",
        E::AccountCreated => "created",
        E::AccountEnrolled => "enrolled",
        E::AccountResetProposed => "a reset was asked for",
        E::AccountReset => "reset",
        E::AccountUnused => "closed soon, as it is not used",
        E::AccountClosed => "closed, as it was not used",
    }
}

/// The words of an event.
#[must_use]
pub fn text(event: NoticeEvent, facts: &Facts, language: Language) -> Text {
    match language {
        Language::Chinese => chinese_text(event, facts),
        Language::English => english_text(event, facts),
    }
}

fn chinese_text(event: NoticeEvent, facts: &Facts) -> Text {
    let (state, number, plate) = (event.zh(), &facts.number, &facts.plate);
    let (title, body) = match event.template() {
        Template::PassApplication => (
            format!("通行证申请{state}"),
            format!("您的通行证申请{number}{state},请打开小程序查看。"),
        ),
        Template::Pass => {
            let state = match facts.day {
                Some(day) => format!("将于{}到期", chinese_day(day)),
                None => state.to_owned(),
            };
            let title = format!("通行证{}", event.zh());
            (title, format!("车辆{plate}的通行证{number}{state},请打开小程序查看。"))
        }
        Template::Message => {
            ("您有一条新消息".to_owned(), "您有一条新消息,请打开小程序查看。".to_owned())
        }
        Template::Complaint if event == NoticeEvent::ComplaintAnswered => {
            let body = format!("您的诉求{number}已答复,请查看并评价办理结果。");
            ("诉求已答复,请评价".to_owned(), body)
        }
        Template::Complaint => {
            (format!("诉求{state}"), format!("您的诉求{number}{state},请打开小程序查看。"))
        }
        Template::Enterprise if plate.is_empty() => {
            (format!("企业登记{state}"), format!("您的企业登记{state},请打开小程序查看。"))
        }
        Template::Enterprise => {
            (format!("车辆{state}"), format!("车辆{plate}{state},请打开小程序查看。"))
        }
        Template::Evaluation => {
            ("请评价我们的服务".to_owned(), "您有一项已办结的服务等待评价。".to_owned())
        }
        Template::Task if event == NoticeEvent::WebhookEnded => {
            let body = "对方系统已停止接收推送(410),该对外推送已停用,请核对后重新设置。";
            (state.to_owned(), body.to_owned())
        }
        Template::Task if event == NoticeEvent::AccountChanged => {
            let body = "您的账号或权限已由两名人员变更,如有疑问请立即联系安全管理员。";
            (state.to_owned(), body.to_owned())
        }
        Template::Task => {
            let what = if number.is_empty() { "有一项办理事项" } else { "诉求" };
            (format!("办理事项{state}"), format!("{what}{number}{state},请及时处理。"))
        }
        Template::Account => {
            let body = format!("警号{number}的账号{state},如非本人或本单位操作,请立即核实。");
            (format!("账号{state}"), body)
        }
        Template::Digest => return digest(facts.count.unwrap_or_default(), Language::Chinese),
    };
    Text { title, body }
}

fn english_text(event: NoticeEvent, facts: &Facts) -> Text {
    let (state, number, plate) = (english(event), &facts.number, &facts.plate);
    let (title, body) = match event.template() {
        Template::PassApplication => {
            (format!("Pass: {state}"), format!("Your pass application {number}: {state}."))
        }
        Template::Pass => {
            let state = match facts.day {
                Some(day) => format!("valid until {day}"),
                None => state.to_owned(),
            };
            let title = format!("Pass: {}", english(event));
            (title, format!("The pass {number} of vehicle {plate}: {state}."))
        }
        Template::Message => {
            ("New message".to_owned(), "You have a new message in the mini-program.".to_owned())
        }
        Template::Complaint if event == NoticeEvent::ComplaintAnswered => {
            let body = format!("Your request {number} was answered. Please rate the result.");
            ("Answered: please rate".to_owned(), body)
        }
        Template::Complaint => {
            (format!("Request: {state}"), format!("Your request {number}: {state}."))
        }
        Template::Enterprise if plate.is_empty() => {
            ("Registration".to_owned(), format!("Your registration: {state}."))
        }
        Template::Enterprise => ("Vehicle".to_owned(), format!("The vehicle {plate}: {state}.")),
        Template::Evaluation => {
            ("Please rate".to_owned(), "A finished service waits for your rating.".to_owned())
        }
        Template::Task if event == NoticeEvent::WebhookEnded => {
            let body = "The other system takes nothing any more (410): the webhook is disabled.";
            ("Webhook ended".to_owned(), body.to_owned())
        }
        Template::Task if event == NoticeEvent::AccountChanged => {
            let body = "Two others changed your rights or your sign-in; if in doubt, ask at once.";
            (format!("Account: {state}"), body.to_owned())
        }
        Template::Task => {
            let what = if number.is_empty() { "A task" } else { "Request " };
            (format!("Task: {state}"), format!("{what}{number}: {state}."))
        }
        Template::Account => {
            let body =
                format!("The account of police number {number}: {state}. Unexpected? Say so.");
            (format!("Account: {state}"), body)
        }
        Template::Digest => return digest(facts.count.unwrap_or_default(), Language::English),
    };
    Text { title, body }
}

/// The words of everything that was held back.
#[must_use]
pub(super) fn digest(count: i32, language: Language) -> Text {
    let (title, body) = match language {
        Language::Chinese => (
            format!("您有{count}条新通知"),
            format!("您有{count}条新的办事通知,请打开小程序查看。"),
        ),
        Language::English => {
            (format!("{count} new notices"), format!("{count} new notices in the mini-program."))
        }
    };
    Text { title, body }
}

/// `2026年12月1日`.
fn chinese_day(day: Date) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}
