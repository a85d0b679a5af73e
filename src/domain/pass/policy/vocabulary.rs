//! The closed lists of the pass policy: kinds, classes, relations, attachments, rules, reasons.
//! No rule is evaluated here, and no value of a policy stands here.

use crate::named::named;

named! {
/// The kinds of truck passes (facts.md, 1.4).
PassKind {
    /// Enterprise long-term delivery.
    LongTermDelivery = "LONG_TERM_DELIVERY", "长期通行证";
    /// Up to 15 days.
    ShortTerm = "SHORT_TERM", "短期通行证";
    /// Up to 3 days, 7 with the upper level.
    Temporary = "TEMPORARY", "临时通行证";
    /// New-energy delivery: no quota, no class condition (measure 6).
    NewEnergyDelivery = "NEW_ENERGY_DELIVERY", "新能源配送通行证";
    /// Goods of daily life.
    LivelihoodSupply = "LIVELIHOOD_SUPPLY", "民生物资通行证";
    /// Slag and mixer trucks: needs a project approval.
    Engineering = "ENGINEERING", "工程车辆通行证";
    /// Dangerous goods: fixed route and time.
    DangerousGoods = "DANGEROUS_GOODS", "危险货物通行证";
    /// Sanitation, post, rescue.
    PublicService = "PUBLIC_SERVICE", "公共服务通行证";
    /// Only in a special period.
    GreenLane = "GREEN_LANE", "绿色通道通行证";
}
}

impl PassKind {
    /// Whether its length is counted in months; the others are counted in days or hours.
    #[must_use]
    pub const fn is_long_term(self) -> bool {
        match self {
            Self::LongTermDelivery
            | Self::NewEnergyDelivery
            | Self::LivelihoodSupply
            | Self::Engineering
            | Self::DangerousGoods
            | Self::PublicService => true,
            Self::ShortTerm | Self::Temporary | Self::GreenLane => false,
        }
    }
}

named! {
/// The classes of enterprises (facts.md, 3.1); an enterprise has a set of them.
EnterpriseClass {
    /// Neither of the others; also an individual.
    General = "GENERAL", "一般企业";
    /// 规模以上企业: the list of the statistics bureau.
    AboveDesignatedSize = "ABOVE_DESIGNATED_SIZE", "规模以上企业";
    /// 重点企业: a list of the city or county.
    KeyEnterprise = "KEY_ENTERPRISE", "重点企业";
    /// 上市公司 (measure 15).
    Listed = "LISTED", "上市公司";
    /// 龙头企业 (measure 15).
    Leading = "LEADING", "龙头企业";
    /// 民生企业 (measure 15).
    Livelihood = "LIVELIHOOD", "民生企业";
    /// 高精尖企业 (measure 15).
    HighTech = "HIGH_TECH", "高精尖企业";
    /// 中小微企业 (measure 4).
    MicroSmallMedium = "MICRO_SMALL_MEDIUM", "中小微企业";
    /// 新开办企业 (measure 10).
    NewlyEstablished = "NEWLY_ESTABLISHED", "新开办企业";
}
}

named! {
/// How the enterprise holds the vehicle.
Relation {
    /// It is the owner.
    Owned = "OWNED", "自有";
    /// It leases the vehicle.
    Leased = "LEASED", "租赁";
    /// A carrier drives under a transport contract.
    Contracted = "CONTRACTED", "运输合同";
}
}

named! {
/// What is carried, as far as a rule asks for it.
CargoKind {
    /// Raw material of an enterprise.
    RawMaterial = "RAW_MATERIAL", "生产原料";
    /// Products of an enterprise.
    Product = "PRODUCT", "企业产品";
    /// Anything else.
    Other = "OTHER", "其他货物";
}
}

named! {
/// The papers of an application (facts.md, 1.6).
AttachmentKind {
    /// 行驶证.
    VehicleLicence = "VEHICLE_LICENCE", "行驶证";
    /// 驾驶证.
    DrivingLicence = "DRIVING_LICENCE", "驾驶证";
    /// 送货单.
    DeliveryOrder = "DELIVERY_ORDER", "送货单";
    /// 运输合同.
    TransportContract = "TRANSPORT_CONTRACT", "运输合同";
    /// 交强险.
    Insurance = "INSURANCE", "交强险保单";
    /// 授权委托书.
    AuthorisationLetter = "AUTHORISATION_LETTER", "授权委托书";
    /// 道路运输证.
    TransportPermit = "TRANSPORT_PERMIT", "道路运输证";
    /// 车辆照片.
    VehiclePhoto = "VEHICLE_PHOTO", "车辆照片";
    /// Proof of the enterprise class; not needed where the police hold the list.
    ClassProof = "CLASS_PROOF", "企业类别证明";
    /// Emission report of a diesel vehicle.
    EmissionReport = "EMISSION_REPORT", "排放检测报告";
    /// Slag: the disposal permit of 城管; mixers: the filing of 住建.
    ProjectPermit = "PROJECT_PERMIT", "工程许可文件";
}
}

named! {
/// The rules of measure 6 (facts.md, 3.3). A decision names those that took part.
RuleId {
    /// Blocking vehicle state, blacklist, missing material.
    R01 = "R01", "车辆状态、黑名单与材料";
    /// Dangerous goods.
    R02 = "R02", "危险货物";
    /// General enterprise: 1 month.
    R03 = "R03", "一般企业有效期";
    /// Above designated size: 6 months.
    R04 = "R04", "规模以上企业有效期";
    /// Key enterprise: 12 months.
    R05 = "R05", "重点企业有效期";
    /// New energy: no quota, no class condition.
    R06 = "R06", "新能源配送车辆";
    /// New energy, light or mini, box, outside peaks: no pass needed.
    R07 = "R07", "新能源轻微型厢式货车平峰放行";
    /// As R07, but inside a peak.
    R08 = "R08", "新能源轻微型厢式货车高峰管控";
    /// Where R07 does not lift the ban.
    R09 = "R09", "平峰放行的例外";
    /// Temporary and short passes.
    R10 = "R10", "临时与短期通行证";
    /// The green lane.
    R11 = "R11", "绿色通道";
    /// Not longer than the material.
    R12 = "R12", "有效期不超过材料期限";
    /// Several classes: the longest.
    R13 = "R13", "多类别取最长";
    /// A class that ends before the pass does.
    R14 = "R14", "类别失效不影响已发通行证";
    /// The classes at the instant of the decision.
    R15 = "R15", "以决定时的企业类别为准";
    /// One long-term pass for a plate and a zone.
    R16 = "R16", "一车一区一证";
    /// The ban does not concern the vehicle.
    R17 = "R17", "无需办证";
}
}

named! {
/// Why a pass is refused: `PassRejectionReason` of facts.md, 1.8.
RefusalReason {
    /// A paper is missing.
    MaterialIncomplete = "MATERIAL_INCOMPLETE", "申请材料不齐全";
    /// A paper cannot be read.
    MaterialUnclear = "MATERIAL_UNCLEAR", "申请材料不清晰";
    /// A paper is forged.
    MaterialForged = "MATERIAL_FORGED", "申请材料系伪造或变造";
    /// A paper ends before the pass would.
    MaterialExpiresBeforePass = "MATERIAL_EXPIRES_BEFORE_PASS", "材料有效期早于通行证结束日期";
    /// Plate and vehicle do not belong together.
    PlateVehicleMismatch = "PLATE_VEHICLE_MISMATCH", "号牌与车辆信息不符";
    /// The periodic inspection is overdue.
    VehicleOverdueInspection = "VEHICLE_OVERDUE_INSPECTION", "车辆逾期未检验";
    /// Scrapped, or due to be.
    VehicleScrappedOrDue = "VEHICLE_SCRAPPED_OR_DUE", "车辆已报废或达到报废标准";
    /// The registration was ended.
    VehicleDeregistered = "VEHICLE_DEREGISTERED", "车辆已注销";
    /// Reported stolen.
    VehicleStolen = "VEHICLE_STOLEN", "车辆登记为被盗抢";
    /// Seized or held.
    VehicleImpounded = "VEHICLE_IMPOUNDED", "车辆被查封或扣留";
    /// A hit-and-run is open.
    HitAndRunPending = "HIT_AND_RUN_PENDING", "车辆涉及事故逃逸未处理";
    /// Another blocking state: moved out, under suspicion, locked, accident open.
    VehicleStateAbnormal = "VEHICLE_STATE_ABNORMAL", "机动车状态异常";
    /// Violations are not settled.
    UnhandledViolations = "UNHANDLED_VIOLATIONS", "车辆有未处理的交通违法";
    /// Liable for a serious accident.
    SeriousAccidentLiability = "SERIOUS_ACCIDENT_LIABILITY", "对较大交通事故负有责任";
    /// The emission stage is too low.
    EmissionStageTooLow = "EMISSION_STAGE_TOO_LOW", "车辆排放标准低于要求";
    /// The route contains a road where no truck may drive.
    RouteNotAllowed = "ROUTE_NOT_ALLOWED", "线路含全天禁止货车通行的道路";
    /// No real need.
    NoRealNeed = "NO_REAL_NEED", "无进入禁行区域的实际需要";
    /// Another kind of pass is the right one.
    WrongPassKind = "WRONG_PASS_KIND", "申请的通行证种类不适用";
    /// An active long-term pass exists.
    DuplicateActivePass = "DUPLICATE_ACTIVE_PASS", "该车辆在此区域已有有效通行证";
    /// Vehicle or enterprise on the blacklist.
    Blacklisted = "BLACKLISTED", "车辆或企业在通行证黑名单中";
    /// The enterprise is not verified, or suspended.
    EnterpriseNotVerified = "ENTERPRISE_NOT_VERIFIED", "企业未通过核验或资格已暂停";
    /// No place left.
    QuotaExhausted = "QUOTA_EXHAUSTED", "该区域本期通行证名额已满";
    /// No special period runs.
    SpecialPeriodInactive = "SPECIAL_PERIOD_INACTIVE", "当前不在特殊时期,绿色通道未开通";
}
}
