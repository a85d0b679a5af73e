//! What is recorded of a matter beside the steps of its drawing: how it began, and what was done to it while it
//! stayed where it was. A word means the same of every noun.

use crate::named::named;

named! {
/// A recorded act that is no step.
Deed, readers: Readers {
    /// It began.
    Create = "CREATE", "登记", Everybody;
    /// It was filed.
    File = "FILE", "提交", Everybody;
    /// Its owner wrote it again.
    Edit = "EDIT", "修改", Everybody;
    /// Who keeps it wrote it again.
    Update = "UPDATE", "变更", Everybody;
    /// Whoever judges it took it up.
    Claim = "CLAIM", "领办", Everybody;
    /// It was given to another officer.
    HandOn = "REASSIGN", "改派", Police;
    /// It ended.
    End = "END", "终止", Everybody;
    /// Whoever was named came.
    Join = "JOIN", "加入", Everybody;
    /// The states that another system keeps of it were taken over.
    SetStates = "SET_STATES", "登记机动车状态", Everybody;
    /// Somebody wrote something down.
    Note = "NOTE", "内部记录", Police;
    /// A leader watches it.
    Supervise = "SUPERVISE", "督办", Police;
    /// Its owner asked when.
    Urge = "URGE", "催办", Everybody;
    /// More time was asked for.
    RequestExtension = "REQUEST_EXTENSION", "申请延期", Police;
    /// More time was given.
    ApproveExtension = "APPROVE_EXTENSION", "同意延期", Everybody;
    /// More time was refused.
    RefuseExtension = "REFUSE_EXTENSION", "不同意延期", Police;
    /// It got the number of the system to which it was sent.
    NumberOutside = "NUMBER_OUTSIDE", "登记转办编号", Everybody;
    /// Whom a report accuses was found out.
    NameAccused = "NAME_ACCUSED", "确认被举报人", Police;
    /// An officer said that the matter is too near to him.
    DeclareInterest = "DECLARE_INTEREST", "申报回避", Police;
    /// Who a reporter is was read.
    OpenIdentity = "OPEN_IDENTITY", "查阅举报人身份", Police;
    /// An inspector asked who a reporter is.
    RequestIdentity = "REQUEST_IDENTITY", "申请查阅举报人身份", Police;
    /// A second inspector let him read it.
    ConfirmIdentity = "CONFIRM_IDENTITY", "同意查阅举报人身份", Police;
    /// A second inspector did not.
    DeclineIdentity = "DECLINE_IDENTITY", "不同意查阅举报人身份", Police;
    /// Evidence came with it.
    AddEvidence = "ADD_EVIDENCE", "补充证据", Everybody;
    /// Another one was merged into it.
    MergeIn = "MERGE_IN", "并入", Everybody;
    /// Something was taken out of it.
    Redact = "REDACT", "内容遮蔽", Everybody;
    /// A clerk compared what was typed with the papers.
    Prepare = "PREPARE", "预审", Police;
    /// What was typed was read by an officer who does not work on it.
    ReadClaim = "READ_CLAIM", "查阅登记信息", Police;
    /// A truck was put on the blacklist.
    List = "LIST", "列入", Everybody;
    /// A meeting was called.
    Call = "CALL", "召集", Everybody;
    /// A point waits for a meeting.
    Wait = "WAIT", "待议", Everybody;
    /// A pass was issued.
    Issue = "ISSUE", "核发", Everybody;
    /// A second person is to confirm it.
    Propose = "PROPOSE", "提请", Police;
    /// Whoever checked a pass at the road asked for its end.
    ProposeRevocation = "PROPOSE_REVOCATION", "建议撤销", Police;
    /// It got an officer.
    Assign = "ASSIGN", "指派", Police;
    /// An officer's work went to another, or what stands against a truck followed it.
    HandOver = "HAND_OVER", "工作交接", Police;
    /// What could not be delivered is tried again.
    Resend = "RESEND", "重新投递", Police;
    /// A vehicle came into another garage.
    Receive = "RECEIVE", "转入", Everybody;
    /// It is offered no longer, or has left its garage.
    Retire = "RETIRE", "停用", Police;
    /// It counts from its day on.
    Publish = "PUBLISH", "发布", Everybody;
    /// It is ended by whoever made it.
    Disable = "DISABLE", "停用", Everybody;
    /// A session began.
    SignIn = "SIGN_IN", "登录", Police;
    /// Too many failures.
    Lock = "LOCK", "锁定", Police;
    /// The lock was lifted.
    Unlock = "UNLOCK", "解锁", Police;
    /// A password was changed by its owner.
    ChangePassword = "CHANGE_PASSWORD", "修改密码", Police;
    /// A code to enrol a device with was made.
    IssueEnrolment = "ISSUE_ENROLMENT", "发放登记码", Police;
    /// A device, or an officer, enrolled.
    Enrol = "ENROL", "登记凭证", Police;
    /// A code to enrol with was sent to an officer.
    SendEnrolmentCode = "SEND_ENROLMENT_CODE", "发送登记验证码", Police;
    /// An officer began to enrol.
    BeginEnrolment = "BEGIN_ENROLMENT", "开始登记凭证", Police;
    /// Two persons took an officer's password and second factor back.
    ResetCredentials = "RESET_CREDENTIALS", "重置凭证", Police;
    /// An officer's phone was set.
    SetPhone = "SET_PHONE", "登记手机号", Police;
    /// An account that nobody used was closed.
    CloseUnused = "CLOSE_UNUSED", "停用闲置账号", Police;
}
}
