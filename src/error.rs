//! The one error type and its closed catalogue of reasons. No transport status, no SQL here.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

use crate::{
    id::{Collection, Id},
    named::named,
};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

named! {
/// Why one field is wrong.
Flaw {
    /// The field is required.
    Required = "REQUIRED", "此项必填";
    /// The text is too long.
    TooLong = "TOO_LONG", "内容过长";
    /// The text is too short.
    TooShort = "TOO_SHORT", "内容过短";
    /// The number is outside its range.
    OutOfRange = "OUT_OF_RANGE", "数值超出范围";
    /// More entries than allowed.
    TooMany = "TOO_MANY", "数量超出上限";
    /// The same entry twice.
    Duplicate = "DUPLICATE", "内容重复";
    /// Control or bidirectional characters.
    TextUnsafe = "TEXT_UNSAFE", "含有不允许的字符";
    /// Not one of the known values.
    UnknownValue = "UNKNOWN_VALUE", "不是可选的值";
    /// The value may not be given here.
    NotAllowed = "NOT_ALLOWED", "此处不能填写";
    /// Two roles that nobody may have together.
    RolesExclude = "ROLES_EXCLUDE", "所选角色不能由同一人担任";
    /// Not a resource name of the expected collection.
    NameMalformed = "NAME_MALFORMED", "资源名称格式不正确";
    /// Not a UUID of version 4.
    RequestIdMalformed = "REQUEST_ID_MALFORMED", "请求编号应为第4版UUID";
    /// Not an etag of this service.
    EtagMalformed = "ETAG_MALFORMED", "版本标记格式不正确";
    /// Not a calendar day.
    DateInvalid = "DATE_INVALID", "日期不存在或格式不正确";
    /// The instant lies in the past.
    InPast = "IN_PAST", "时间不能早于现在";
    /// The instant lies too far in the future.
    TooFarAhead = "TOO_FAR_AHEAD", "时间过远";
    /// The end is not after the beginning.
    EndBeforeStart = "END_BEFORE_START", "结束时间应晚于开始时间";
    /// Not a licence plate (GA 36-2018).
    PlateMalformed = "PLATE_MALFORMED", "号牌号码格式不正确";
    /// A real plate, but of a class that gets no truck pass.
    PlateClassRefused = "PLATE_CLASS_REFUSED", "该类号牌不能办理货车通行证";
    /// Not a plate type code (GA/T 16.7).
    PlateTypeUnknown = "PLATE_TYPE_UNKNOWN", "号牌种类代码不存在";
    /// The plate does not fit its plate type.
    PlateTypeMismatch = "PLATE_TYPE_MISMATCH", "号牌号码与号牌种类不符";
    /// Not a vehicle type code (GA/T 16.4).
    VehicleTypeMalformed = "VEHICLE_TYPE_MALFORMED", "车辆类型代码格式不正确";
    /// The size class of the code differs from the one of mass and length (GA 802-2019).
    SizeClassMismatch = "SIZE_CLASS_MISMATCH", "车辆类型与总质量、车长不符";
    /// The plate type does not fit the size class.
    PlateSizeMismatch = "PLATE_SIZE_MISMATCH", "号牌种类与车辆大小不符";
    /// Not an energy code.
    EnergyUnknown = "ENERGY_UNKNOWN", "能源种类代码不存在";
    /// Not a use nature code.
    UseNatureUnknown = "USE_NATURE_UNKNOWN", "使用性质代码不存在";
    /// Not a vehicle state code.
    VehicleStateUnknown = "VEHICLE_STATE_UNKNOWN", "机动车状态代码不存在";
    /// Not a body colour code.
    ColourUnknown = "COLOUR_UNKNOWN", "车身颜色代码不存在";
    /// Not a unified social credit code (GB 32100-2015).
    UsccMalformed = "USCC_MALFORMED", "统一社会信用代码格式不正确";
    /// The check character is wrong.
    UsccChecksum = "USCC_CHECKSUM", "统一社会信用代码校验位不正确";
    /// Not a resident id (GB 11643-1999).
    ResidentIdMalformed = "RESIDENT_ID_MALFORMED", "公民身份号码格式不正确";
    /// The old form of 15 digits.
    ResidentIdOldForm = "RESIDENT_ID_OLD_FORM", "请使用18位公民身份号码";
    /// The birth date does not exist.
    ResidentIdBirthDate = "RESIDENT_ID_BIRTH_DATE", "公民身份号码中的出生日期不存在";
    /// The check character is wrong.
    ResidentIdChecksum = "RESIDENT_ID_CHECKSUM", "公民身份号码校验位不正确";
    /// Not the number of a passport.
    PassportMalformed = "PASSPORT_MALFORMED", "护照号码应为5至17位字母和数字";
    /// Not a Home Return Permit.
    HomeReturnPermitMalformed = "HOME_RETURN_PERMIT_MALFORMED", "港澳居民来往内地通行证号码应为H或M加8位数字,可再加2位换证次数";
    /// Not a Taiwan permit.
    TaiwanPermitMalformed = "TAIWAN_PERMIT_MALFORMED", "台湾居民来往大陆通行证号码应为8位数字";
    /// Not a foreigner's permanent residence card.
    PermanentResidenceMalformed = "PERMANENT_RESIDENCE_MALFORMED", "外国人永久居留身份证号码应为9开头的18位,或3位字母加12位数字";
    /// The check character is wrong.
    PermanentResidenceChecksum = "PERMANENT_RESIDENCE_CHECKSUM", "外国人永久居留身份证号码校验位不正确";
    /// The birth date does not exist.
    PermanentResidenceBirthDate = "PERMANENT_RESIDENCE_BIRTH_DATE", "外国人永久居留身份证号码中的出生日期不存在";
    /// A legal representative is of full age.
    Underage = "UNDERAGE", "法定代表人应年满18周岁";
    /// Not a telephone number.
    PhoneMalformed = "PHONE_MALFORMED", "电话号码格式不正确";
    /// Not a VIN (GB 16735).
    VinMalformed = "VIN_MALFORMED", "车辆识别代号格式不正确";
    /// The check digit of the VIN is wrong: a warning.
    VinChecksum = "VIN_CHECKSUM", "车辆识别代号校验位不符,请核对";
    /// An unusual plate (more than two letters): a warning.
    PlateUnusual = "PLATE_UNUSUAL", "号牌序号字母多于两位,请核对";
    /// Inner check of the USCC differs: a warning.
    UsccSubjectChecksum = "USCC_SUBJECT_CHECKSUM", "统一社会信用代码主体标识校验不符,请核对";
    /// Not a police number.
    PoliceNumberMalformed = "POLICE_NUMBER_MALFORMED", "警号应为6位数字";
    /// The password policy is not met.
    PasswordWeak = "PASSWORD_WEAK", "密码至少10位,须含大写、小写、数字、符号中的三种";
    /// One of the passwords before.
    PasswordReused = "PASSWORD_REUSED", "不能使用最近用过的密码";
    /// A common password, or one made from number, name, phone or unit.
    PasswordCommon = "PASSWORD_COMMON", "密码过于常见,或由警号、姓名、电话、单位等组成,请更换";
    /// The number's check character is wrong.
    NumberChecksum = "NUMBER_CHECKSUM", "编号校验位不正确";
    /// The number has another form.
    NumberMalformed = "NUMBER_MALFORMED", "编号格式不正确";
    /// Material ends before the pass would.
    MaterialExpires = "MATERIAL_EXPIRES_BEFORE_PASS", "材料有效期早于通行证结束日期";
    /// Material ended already.
    MaterialExpired = "MATERIAL_EXPIRED", "材料已过期";
    /// A needed attachment is missing.
    MaterialMissing = "MATERIAL_MISSING", "缺少必要材料";
    /// A piece of a file is not as long as the others, or too short.
    PieceUneven = "PIECE_UNEVEN", "除最后一片外,每片大小应相同,且不小于4KB";
    /// The file type is not permitted.
    FileTypeRefused = "FILE_TYPE_REFUSED", "文件类型不允许";
    /// The content is of another type than declared.
    FileTypeDisguised = "FILE_TYPE_DISGUISED", "文件内容与所报类型不符";
    /// The content looks as if it would act by itself, or as if it were infected.
    FileSuspicious = "FILE_SUSPICIOUS", "文件含有可执行或可疑内容,不能上传";
    /// The content cannot be looked into: locked by a password, or packed in a way that is not read.
    FileClosed = "FILE_CLOSED", "文件已加密或无法检查,请去除密码后重新上传";
    /// The declaration must be accepted.
    DeclarationMissing = "DECLARATION_MISSING", "请先阅读并同意声明";
    /// Not a code of this service.
    CodeMalformed = "CODE_MALFORMED", "二维码内容格式不正确";
    /// An officer should look at the text again.
    TextWarned = "TEXT_WARNED", "内容需要核对";
    /// A map position outside the world.
    PositionInvalid = "POSITION_INVALID", "位置坐标不正确";
    /// The public key has another form.
    PublicKeyMalformed = "PUBLIC_KEY_MALFORMED", "公钥格式不正确";
    /// A frame of the mini-program line that is no message.
    FrameMalformed = "FRAME_MALFORMED", "消息帧格式不正确";
    /// A message that is none: cut, compressed in an unknown way, or not Protobuf.
    MessageMalformed = "MESSAGE_MALFORMED", "请求报文格式不正确";
    /// Not an address that may be called.
    UrlRefused = "URL_REFUSED", "地址应为https,且不能指向内部网络";
    /// A time window is malformed.
    TimeWindowInvalid = "TIME_WINDOW_INVALID", "时段格式不正确";
}
}

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The path in the request, with dots: `vehicle.plate_number`.
    pub path: String,
    /// The machine-readable reason.
    pub flaw: Flaw,
    /// What a person reads: the sentence of the flaw, or a more precise one.
    pub zh: Cow<'static, str>,
}

/// Collects every fault of a request before it fails: 一次性告知 (行政许可法, art. 32).
#[derive(Debug, Default)]
#[must_use = "call `done` so that the faults are told"]
pub struct Faults(Vec<Field>);

impl Faults {
    /// Nothing wrong yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes that a field is wrong.
    pub fn add(&mut self, path: impl Into<String>, flaw: Flaw) {
        self.note(Field { path: path.into(), flaw, zh: Cow::Borrowed(flaw.zh()) });
    }

    /// Keeps a fault, once: the same one again is no other, and of a field that could not be read, or is
    /// absent, nothing else can be said.
    fn note(&mut self, field: Field) {
        let bare = |flaw| matches!(flaw, Flaw::Required | Flaw::TooShort);
        let mut same = self.0.iter().filter(|known| known.path == field.path);
        let told = same.any(|known| {
            let same = known.flaw == field.flaw && known.zh == field.zh;
            same || bare(field.flaw) || known.flaw == Flaw::Required
        });
        if !told {
            self.0.push(field);
        }
    }

    /// Notes that a field is wrong, with a sentence more precise than the catalogue's.
    pub fn add_told(&mut self, path: impl Into<String>, flaw: Flaw, zh: impl Into<String>) {
        self.note(Field { path: path.into(), flaw, zh: Cow::Owned(zh.into()) });
    }

    /// Keeps the value, or notes the flaw.
    pub fn take<T>(&mut self, path: impl Into<String>, parsed: Result<T, Flaw>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(flaw) => {
                self.add(path, flaw);
                None
            }
        }
    }

    /// Keeps the value that may be absent, or notes the flaw.
    pub fn maybe<T>(
        &mut self,
        path: impl Into<String>,
        parsed: Result<Option<T>, Flaw>,
    ) -> Option<T> {
        self.take(path, parsed).flatten()
    }

    /// Keeps the id that stands as `name`, of the resource that a request is about.
    pub fn name<K: Collection>(&mut self, text: &str) -> Option<Id<K>> {
        self.take("name", Id::parse(text))
    }

    /// Notes the flaw when the condition does not hold.
    pub fn check(&mut self, holds: bool, path: impl Into<String>, flaw: Flaw) {
        if !holds {
            self.add(path, flaw);
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what another collector found, below a path.
    pub fn absorb(&mut self, prefix: &str, other: Self) {
        for field in other.0 {
            self.note(Field { path: format!("{prefix}.{}", field.path), ..field });
        }
    }

    /// What was found.
    #[must_use]
    pub fn into_fields(self) -> Vec<Field> {
        self.0
    }

    /// What was taken, when nothing was found; else fails with everything that was found.
    pub fn whole<T: Taken>(self, taken: T) -> Result<T::Values> {
        self.done()?;
        // What is absent was noted, so that nobody is ever told this.
        taken.values().ok_or_else(|| Error::new(Reason::RequestInvalid))
    }

    /// Fails when anything was found, with everything that was found.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}

/// What [`Faults::take`] answered, for one field or for several.
pub trait Taken {
    /// The values themselves.
    type Values;

    /// All of them, when none is absent.
    fn values(self) -> Option<Self::Values>;
}

impl<T> Taken for Option<T> {
    type Values = T;

    fn values(self) -> Option<T> {
        self
    }
}

macro_rules! taken {
    ($($value:ident)+) => {
        #[allow(non_snake_case, reason = "a value is named after its type")]
        impl<$($value),+> Taken for ($(Option<$value>,)+) {
            type Values = ($($value,)+);

            fn values(self) -> Option<Self::Values> {
                let ($($value,)+) = self;
                Some(($($value?,)+))
            }
        }
    };
}

taken! { A B }
taken! { A B C }
taken! { A B C D }
taken! { A B C D E }
taken! { A B C D E F }
taken! { A B C D E F G }

/// A failure: a reason, what is known about it, and for the log its source.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    facts: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure for a reason of the catalogue.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self(Box::new(Inner {
            reason,
            facts: Vec::new(),
            fields: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// The request has these wrong fields.
    #[must_use]
    pub fn invalid(fields: Vec<Field>) -> Self {
        let mut error = Self::new(Reason::RequestInvalid);
        error.0.fields = fields;
        error
    }

    /// The request has one wrong field.
    #[must_use]
    pub fn field(path: impl Into<String>, flaw: Flaw) -> Self {
        Self::invalid(vec![Field { path: path.into(), flaw, zh: Cow::Borrowed(flaw.zh()) }])
    }

    /// A fault of ours, with its cause for the log.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Reason::Internal).because(source)
    }

    /// Adds a fact that the caller may read.
    #[must_use]
    pub fn fact(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.facts.push((key, value.to_string()));
        self
    }

    /// Adds wrong fields.
    #[must_use]
    pub fn fields_added(mut self, fields: Vec<Field>) -> Self {
        self.0.fields.extend(fields);
        self
    }

    /// Adds the wait after which a repetition may succeed.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The facts, in the order in which they were added.
    #[must_use]
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.0.facts
    }

    /// The wrong fields.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The wait before a repetition.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reason.wire())?;
        for (key, value) in &self.0.facts {
            write!(f, " {key}={value}")?;
        }
        for field in &self.0.fields {
            write!(f, " {}:{}", field.path, field.flaw.wire())?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}
