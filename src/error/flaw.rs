//! The closed catalogue of what is wrong with a field.

use crate::named::named;

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
    /// Not JSON, or not of the kind that stands at this place.
    JsonMalformed = "JSON_MALFORMED", "JSON格式不正确,或此处的值类型不符";
    /// Not an address that may be called.
    UrlRefused = "URL_REFUSED", "地址应为https,且不能指向内部网络";
    /// A time window is malformed.
    TimeWindowInvalid = "TIME_WINDOW_INVALID", "时段格式不正确";
}
}
