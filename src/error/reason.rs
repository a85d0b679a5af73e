//! The closed catalogue of reasons, and what a caller can do about each.

use crate::named::named;

/// What a caller can do about a failure; `service/status.rs` maps it to a gRPC code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Mend the request; the fields are named.
    Invalid,
    /// Sign in again.
    Unauthenticated,
    /// Ask somebody with the right.
    Denied,
    /// Look elsewhere.
    NotFound,
    /// Use what is there already.
    Exists,
    /// Bring the resource into another state first.
    Precondition,
    /// Read again, then repeat.
    Aborted,
    /// Wait, then repeat.
    Exhausted,
    /// Repeat the same request later.
    Unavailable,
    /// Nothing; the fault is ours.
    Internal,
}

named! {
/// Why a call failed. One entry has one kind, one wire name and one sentence.
Reason, kind: Kind {
    /// One or more fields are wrong; each is named.
    RequestInvalid = "REQUEST_INVALID", "请求内容有误,请按提示逐项修改", Invalid;
    /// The request id was used before for another call or another content.
    RequestIdReused = "REQUEST_ID_REUSED", "请求编号已用于其他内容,请更换后重试", Invalid;
    /// The page token was altered, or belongs to other arguments.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", "翻页标记无效,请从第一页重新查询", Invalid;
    /// No access token was sent.
    TokenMissing = "TOKEN_MISSING", "请先登录", Unauthenticated;
    /// The access token is malformed, forged, expired or not yet valid.
    TokenInvalid = "TOKEN_INVALID", "登录状态无效,请重新登录", Unauthenticated;
    /// The session was ended by its owner, an administrator or a detected reuse.
    SessionEnded = "SESSION_ENDED", "登录已失效,请重新登录", Unauthenticated;
    /// The refresh token was used before: the whole family is ended.
    RefreshTokenReused = "REFRESH_TOKEN_REUSED", "检测到登录凭证被重复使用,已全部下线,请重新登录", Unauthenticated;
    /// Wrong police number, password, one-time code or device signature: never told which.
    CredentialsInvalid = "CREDENTIALS_INVALID", "账号或验证信息不正确", Unauthenticated;
    /// Too many failures; the account waits.
    AccountLocked = "ACCOUNT_LOCKED", "验证失败次数过多,账号已暂时锁定", Exhausted;
    /// Not used for 90 days: two administrators open it again.
    AccountClosed = "ACCOUNT_CLOSED", "账号超过90天未使用,已停用,请联系管理员办理重置", Precondition;
    /// No phone of the officer is known, to which a code could go.
    PhoneMissing = "PHONE_MISSING", "未登记该民警的手机号,请填写", Precondition;
    /// The officer has enrolled: only a reset by two makes that undone.
    OfficerEnrolled = "OFFICER_ENROLLED", "该民警已设置登录凭证,请通过双人重置办理", Precondition;
    /// The password was changed less than a day ago.
    PasswordTooYoung = "PASSWORD_TOO_YOUNG", "密码修改未满一天,请稍后再改;如有泄露请联系管理员重置", Precondition;
    /// `WeChat` did not accept the login code.
    LoginCodeInvalid = "LOGIN_CODE_INVALID", "微信登录凭证无效或已过期,请重新打开小程序", Unauthenticated;
    /// The caller may not do this, or the resource might not exist.
    Denied = "DENIED", "无权执行此操作,或内容不存在", Denied;
    /// The resource does not exist.
    NotFound = "NOT_FOUND", "内容不存在", NotFound;
    /// No method and no page has this path.
    MethodUnknown = "METHOD_UNKNOWN", "接口不存在,请核对地址", NotFound;
    /// A resource with the same identity exists.
    AlreadyExists = "ALREADY_EXISTS", "已存在相同内容", Exists;
    /// The enterprise is registered already.
    EnterpriseExists = "ENTERPRISE_EXISTS", "该统一社会信用代码已登记", Exists;
    /// The vehicle is in the garage already.
    VehicleExists = "VEHICLE_EXISTS", "该车辆已在车队中登记;如由其他企业登记而车辆归您所有,请提交行驶证提出异议", Exists;
    /// A claim needs a phone that the person has proved.
    PhoneUnproven = "PHONE_UNPROVEN", "请先验证您的手机号", Precondition;
    /// The person has as many open claims as permitted.
    ClaimsSpent = "CLAIMS_SPENT", "您已有3项待核验的企业登记,请等待办结或先撤回", Precondition;
    /// Nobody has compared the claim with its licence yet.
    NotPrepared = "NOT_PREPARED", "窗口尚未核对材料,不能核验", Precondition;
    /// No other enterprise holds the vehicle: it can be registered.
    NothingToContest = "NOTHING_TO_CONTEST", "该车辆未被其他企业登记,请直接登记车辆", Precondition;
    /// The state does not permit the action.
    TransitionIllegal = "TRANSITION_ILLEGAL", "当前状态不能执行此操作", Precondition;
    /// Somebody else was faster.
    EtagStale = "ETAG_STALE", "内容已更新,请刷新后重试", Aborted;
    /// The database asked for a repetition.
    Conflict = "CONFLICT", "操作冲突,请重试", Aborted;
    /// The enterprise is not verified yet.
    EnterpriseNotVerified = "ENTERPRISE_NOT_VERIFIED", "企业尚未通过核验", Precondition;
    /// The enterprise is suspended: no new business.
    EnterpriseSuspended = "ENTERPRISE_SUSPENDED", "企业资格已暂停,不能办理新业务", Precondition;
    /// Rules refuse the application; every rule is listed.
    ApplicationRefused = "APPLICATION_REFUSED", "申请不符合通行证办理条件", Precondition;
    /// The vehicle is not subject to the ban, so no pass is needed.
    NoPassRequired = "NO_PASS_REQUIRED", "该车辆在所选区域无需办理通行证", Precondition;
    /// The vehicle already has an active long-term pass for the zone.
    PassAlreadyActive = "DUPLICATE_ACTIVE_PASS", "该车辆在此区域已有有效通行证,到期前30天可办理续期", Precondition;
    /// No place left in the quota.
    QuotaExhausted = "QUOTA_EXHAUSTED", "该区域本期通行证名额已满", Precondition;
    /// The green lane is open only in a special period.
    SpecialPeriodInactive = "SPECIAL_PERIOD_INACTIVE", "当前不在特殊时期,绿色通道未开通", Precondition;
    /// The same person may not take both steps of one case, nor decide an own case.
    SamePerson = "SAME_PERSON", "同一人不能办理同一事项的两个环节", Precondition;
    /// An administrator's act is confirmed by one of another kind.
    SameKind = "SAME_KIND", "须由另一类管理员复核", Precondition;
    /// The same act on the same thing waits for a second person already.
    ProposalPending = "PROPOSAL_PENDING", "同一事项已提请,正在等待复核", Precondition;
    /// Nobody decided it in time.
    ProposalLapsed = "PROPOSAL_LAPSED", "该提请已超过复核期限,请重新提请", Precondition;
    /// Nothing takes effect on the day of its confirmation, unless a leader says why.
    TakesEffectTooSoon = "TAKES_EFFECT_TOO_SOON", "最早于复核次日生效;需提前生效的,由单位负责人说明理由后复核", Precondition;
    /// Somebody else holds the case.
    NotAssignee = "NOT_ASSIGNEE", "该事项由其他民警办理,请先接手", Precondition;
    /// The vehicle or the enterprise is on the blacklist.
    Blacklisted = "BLACKLISTED", "车辆或企业在通行证黑名单中", Precondition;
    /// The attachment is incomplete, or its digest differs.
    AttachmentIncomplete = "ATTACHMENT_INCOMPLETE", "附件未上传完整或校验不一致", Precondition;
    /// Too much was announced that is not whole yet.
    AttachmentsUnderWay = "ATTACHMENTS_UNDER_WAY", "未传完的附件过多,请先传完;24小时未传完的将自动清除", Exhausted;
    /// The enterprise or the person keeps as much as it may.
    AttachmentSpaceFull = "ATTACHMENT_SPACE_FULL", "附件总量已达上限;未使用的附件30天后自动清除", Precondition;
    /// Too late to take a message back, or it is none that can be.
    RecallTooLate = "RECALL_TOO_LATE", "消息发出超过2分钟,不能撤回", Precondition;
    /// An officer was warned of words in the text, and has not confirmed it.
    TextWarned = "TEXT_WARNED", "内容可能含有不得发送的信息,请核对后确认发送", Precondition;
    /// The officer holds as many conversations as the post permits.
    CapacityReached = "CAPACITY_REACHED", "接待数量已达上限,请先办结其他会话", Precondition;
    /// The reader of a stream takes its messages too slowly; it resumes where it stands.
    ReaderTooSlow = "READER_TOO_SLOW", "接收过慢,连接已断开,请从上次位置继续", Exhausted;
    /// The post does not serve the enterprise.
    NotBound = "NOT_BOUND", "该警务专员岗位尚未与企业绑定", Precondition;
    /// No place left at the centre at this time, or the time has begun.
    SlotFull = "SLOT_FULL", "该时段已约满或已开始", Precondition;
    /// The binding code is forged, used or out of time.
    BindingCodeInvalid = "BINDING_CODE_INVALID", "添加码无效或已过期,请民警重新出示", Precondition;
    /// The refusal was objected to before.
    ObjectionSpent = "OBJECTION_SPENT", "已提出过异议,不能再次提出", Precondition;
    /// It was returned as often as permitted: the assigner decides now.
    ReturnsSpent = "RETURNS_SPENT", "退回次数已达上限,由交办人决定", Precondition;
    /// Less than a working day is left.
    ExtensionTooLate = "EXTENSION_TOO_LATE", "延期应在期限届满1个工作日前提出", Precondition;
    /// It was extended before, or an extension is being decided.
    ExtensionSpent = "EXTENSION_SPENT", "已申请过延期", Precondition;
    /// The other complaint is closed, the same one, or another enterprise's.
    MergeImpossible = "MERGE_IMPOSSIBLE", "只能并入同一企业的其他未办结诉求", Precondition;
    /// A joint meeting cannot end while it has undecided points.
    PointsUndecided = "POINTS_UNDECIDED", "会议还有未议定的事项,不能结束", Precondition;
    /// The query code or the secret of a conduct report: never told which.
    QueryCodeInvalid = "QUERY_CODE_INVALID", "查询码或密码不正确", Denied;
    /// Who is accused must be found out before anybody investigates.
    AccusedUnknown = "ACCUSED_UNKNOWN", "请先核实被举报的民警或单位", Precondition;
    /// The officer may not investigate this report; why is not told.
    ConflictOfInterest = "CONFLICT_OF_INTEREST", "该民警应当回避,请另行指定", Precondition;
    /// An anonymous report has no result that is owed to its reporter, and so no review.
    ReviewNeedsName = "REVIEW_NEEDS_NAME", "匿名举报不能申请复核", Precondition;
    /// A review was asked for before.
    ReviewSpent = "REVIEW_SPENT", "已申请过复核,不能再次申请", Precondition;
    /// More than 30 days since the end.
    ReviewTooLate = "REVIEW_TOO_LATE", "应在办结之日起30日内申请复核", Precondition;
    /// The report has as much evidence as it may have.
    EvidenceFull = "EVIDENCE_FULL", "每件举报最多可附10份证据", Precondition;
    /// The conversation was not closed, or was rated.
    NothingToRate = "NOTHING_TO_RATE", "当前没有待评价的服务", Precondition;
    /// The one-time code is wrong, used or out of time.
    OneTimeCodeInvalid = "ONE_TIME_CODE_INVALID", "验证码无效或已过期", Precondition;
    /// The year has no working-day calendar.
    CalendarMissing = "CALENDAR_MISSING", "该年度工作日历尚未发布", Precondition;
    /// No version of the pass policy is in force.
    PolicyMissing = "POLICY_MISSING", "当前没有生效的通行证政策", Precondition;
    /// Too many calls in a short time.
    RateLimited = "RATE_LIMITED", "操作过于频繁,请稍后再试", Exhausted;
    /// The server is at its limit.
    Overloaded = "OVERLOADED", "系统繁忙,请稍后再试", Unavailable;
    /// The call took longer than its deadline.
    DeadlineExceeded = "DEADLINE_EXCEEDED", "处理超时,请重试", Unavailable;
    /// The server stops; another one goes on.
    ServerStopping = "SERVER_STOPPING", "服务器正在重启,请重新连接", Unavailable;
    /// The clock of this server differs from the database's: what it counted would be wrong.
    ClockWrong = "CLOCK_WRONG", "服务器时钟异常,请稍后重试", Unavailable;
    /// The database is away.
    StoreUnavailable = "STORE_UNAVAILABLE", "系统暂时不可用,请稍后重试", Unavailable;
    /// A system outside ours (`WeChat`, SMS) is away.
    RemoteUnavailable = "REMOTE_UNAVAILABLE", "外部服务暂时不可用,请稍后重试", Unavailable;
    /// A fault of ours.
    Internal = "INTERNAL", "系统内部错误,我们会尽快处理", Internal;
}
}
