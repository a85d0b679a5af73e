//! What a check can end in (facts.md, 1.11), and the judgement with its reasons. No rule.

use jiff::Timestamp;

use super::facts::Why;
use crate::{
    id::{Id, kind},
    named::named,
};

/// What an officer is told when the check could not be written down.
const UNRECORDED: &str = "本次查验未能留痕,请人工登记后联网重查";

named! {
/// Yes, no, or undecidable: never merged.
Verdict {
    /// The truck may pass.
    Valid = "VALID", "可以通行";
    /// It may not.
    Invalid = "INVALID", "不可通行";
    /// It cannot be decided.
    Undetermined = "UNDETERMINED", "无法判定";
}
}

named! {
/// What a check ended in.
CheckOutcome {
    /// A pass covers it.
    Valid = "VALID", "通行证有效";
    /// Measure 6: no pass is needed outside peaks.
    Exempt = "EXEMPT", "新能源轻微型厢式货车,平峰时段无需通行证";
    /// The ban does not concern the vehicle, or not at this hour.
    NoPassRequired = "NO_PASS_REQUIRED", "该车辆此时此地不受限行约束,无需通行证";
    /// No pass of this number, code or plate.
    NotFound = "NOT_FOUND", "未查到通行证";
    /// Forged or altered.
    SignatureInvalid = "SIGNATURE_INVALID", "通行码签名无效,可能伪造";
    /// Nothing that can be read as a code of ours: nobody is accused by it.
    NotACode = "NOT_A_CODE", "未读到完整的货车通行码,请对准通行码重新扫描,或按号牌查验";
    /// The key was ended before its time; whoever shows the code has done nothing.
    KeyWithdrawn = "KEY_WITHDRAWN", "该通行码的签名密钥已停用,此码不再有效,请改按号牌查验";
    /// Not fresh: a screenshot.
    CodeStale = "CODE_STALE", "通行码已过时,可能是截图,请刷新后重新出示";
    /// Another vehicle than the pass names.
    PlateMismatch = "PLATE_MISMATCH", "号牌与通行证不一致";
    /// Before the first instant.
    NotStarted = "NOT_STARTED", "通行证尚未生效";
    /// After the end.
    Expired = "EXPIRED", "通行证已到期";
    /// Suspended.
    Suspended = "SUSPENDED", "通行证已暂停";
    /// Ended before its time.
    Revoked = "REVOKED", "通行证已失效";
    /// Another day or hour than the pass names.
    OutOfTimeWindow = "OUT_OF_TIME_WINDOW", "不在准许通行的时段";
    /// Another zone than the pass names.
    OutOfArea = "OUT_OF_AREA", "不在准许通行的区域";
    /// The vehicle is in a blocking state.
    VehicleAbnormal = "VEHICLE_ABNORMAL", "机动车状态异常";
    /// The vehicle is on the blacklist.
    Blacklisted = "BLACKLISTED", "车辆在通行证黑名单中";
    /// The key of the code is unknown: undecidable.
    KeyUnknown = "KEY_UNKNOWN", "通行码的签名密钥未知,无法判定,请改按号牌查验";
    /// The status cannot be known: undecidable.
    StatusUnknown = "STATUS_UNKNOWN", "通行证状态暂时无法核实,请改用其他方式查验";
}
}

impl CheckOutcome {
    /// The point of the officer's list that it stands for (facts.md, 1.11); none where nothing was
    /// decided, or the zone alone decides.
    #[must_use]
    pub const fn point(self) -> Option<&'static str> {
        match self {
            Self::SignatureInvalid
            | Self::NotACode
            | Self::KeyWithdrawn
            | Self::KeyUnknown
            | Self::CodeStale => Some("CHECK-1"),
            Self::PlateMismatch => Some("CHECK-2"),
            Self::NotStarted | Self::Expired | Self::Suspended | Self::Revoked => Some("CHECK-3"),
            Self::OutOfTimeWindow => Some("CHECK-4"),
            Self::OutOfArea => Some("CHECK-5"),
            Self::VehicleAbnormal | Self::Blacklisted => Some("CHECK-7"),
            Self::Valid
            | Self::Exempt
            | Self::NoPassRequired
            | Self::NotFound
            | Self::StatusUnknown => None,
        }
    }

    /// The verdict that it is.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Valid | Self::Exempt | Self::NoPassRequired => Verdict::Valid,
            Self::NotFound
            | Self::SignatureInvalid
            | Self::NotACode
            | Self::KeyWithdrawn
            | Self::CodeStale
            | Self::PlateMismatch
            | Self::NotStarted
            | Self::Expired
            | Self::Suspended
            | Self::Revoked
            | Self::OutOfTimeWindow
            | Self::OutOfArea
            | Self::VehicleAbnormal
            | Self::Blacklisted => Verdict::Invalid,
            Self::KeyUnknown | Self::StatusUnknown => Verdict::Undetermined,
        }
    }
}

/// The verdict with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Judgement {
    /// Yes, no, or undecidable.
    pub verdict: Verdict,
    /// What it ended in: the weightiest of the reasons.
    pub outcome: CheckOutcome,
    /// Every reason as a sentence for the officer (QR-15).
    pub reasons: Vec<String>,
    /// What the officer should compare with the vehicle in front (QR-14).
    pub compare: Vec<String>,
    /// The pass that was judged.
    pub pass: Option<Id<kind::TruckPass>>,
    /// The rules that decided: `R..` of measure 6, `ZONE-code-place` of a zone's plan, `CHECK-n` of the
    /// officer's list (facts.md, 1.11).
    pub rules: Vec<String>,
    /// The version of the policy; empty where nothing could be known.
    pub policy_version: String,
    /// The zones, as `code:version`.
    pub zone_versions: Vec<String>,
    /// When the facts were true; none where nothing could be known.
    pub as_of: Option<Timestamp>,
}

impl Judgement {
    /// The same where it could not be written down. A yes must be durable before it is said, so it becomes
    /// undecidable; a no stays a no.
    pub fn unrecorded(mut self) -> Self {
        if self.verdict == Verdict::Valid {
            self.verdict = Verdict::Undetermined;
            self.outcome = CheckOutcome::StatusUnknown;
            self.reasons = vec![self.outcome.zh().to_owned(), Why::StoreAway.zh().to_owned()];
        }
        self.reasons.push(UNRECORDED.to_owned());
        self
    }
}
