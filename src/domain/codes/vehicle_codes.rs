//! The other codes of a vehicle: energy, use nature, states, body colour (GA/T 16 series).
//! No policy beyond which states block a pass by themselves.

use std::{collections::BTreeSet, fmt};

use super::normalise;
use crate::error::{Flaw, Result};

code_table! {
/// The fuel or energy 燃料种类 (RLZL). It does not make a vehicle new energy; its
/// [plate type](super::PlateType::is_new_energy) does.
Energy, EnergyUnknown {
    Petrol = "A", "汽油";
    Diesel = "B", "柴油";
    Electric = "C", "电";
    MixedOil = "D", "混合油";
    NaturalGas = "E", "天然气";
    LiquefiedPetroleumGas = "F", "液化石油气";
    Methanol = "L", "甲醇";
    Ethanol = "M", "乙醇";
    Solar = "N", "太阳能";
    Hybrid = "O", "混合动力";
    Hydrogen = "P", "氢";
    Biofuel = "Q", "生物燃料";
    None = "Y", "无";
    Other = "Z", "其他";
}
}

code_table! {
/// The use nature 使用性质 (SYXZ).
UseNature, UseNatureUnknown {
    NonCommercial = "A", "非营运";
    HighwayPassenger = "B", "公路客运";
    PublicTransit = "C", "公交客运";
    Taxi = "D", "出租客运";
    Tourism = "E", "旅游客运";
    Freight = "F", "货运";
    Rental = "G", "租赁";
    Police = "H", "警用";
    FireService = "I", "消防";
    Ambulance = "J", "救护";
    EngineeringRescue = "K", "工程抢险";
    FormerCommercial = "L", "营转非";
    FormerTaxi = "M", "出租转非";
    DrivingSchool = "N", "教练";
    KindergartenBus = "O", "幼儿校车";
    PrimarySchoolBus = "P", "小学生校车";
    OtherSchoolBus = "Q", "其他校车";
    DangerousGoods = "R", "危险品运输";
    Other = "Z", "其他";
}
}

code_table! {
/// The body colour 车身颜色 (CSYS).
BodyColour, ColourUnknown {
    White = "A", "白";
    Grey = "B", "灰";
    Yellow = "C", "黄";
    Pink = "D", "粉";
    Red = "E", "红";
    Purple = "F", "紫";
    Green = "G", "绿";
    Blue = "H", "蓝";
    Brown = "I", "棕";
    Black = "J", "黑";
    Other = "Z", "其他";
}
}

code_table! {
/// One state of a vehicle 机动车状态 (ZT); a vehicle may have several at once.
VehicleState, VehicleStateUnknown {
    Normal = "A", "正常";
    TransferredOut = "B", "转出";
    Stolen = "C", "被盗抢";
    OutOfUse = "D", "停驶";
    Deregistered = "E", "注销";
    UnhandledViolation = "G", "违法未处理";
    CustomsSupervised = "H", "海关监管";
    UnhandledAccident = "I", "事故未处理";
    Suspected = "J", "嫌疑车";
    SealedUp = "K", "查封";
    Impounded = "L", "暂扣或扣留";
    Scrapped = "M", "强制注销或达到报废标准";
    HitAndRun = "N", "事故逃逸";
    Locked = "O", "锁定";
    DeclaredVoid = "P", "公告牌证作废";
    InspectionOverdue = "Q", "逾期未检验";
}
}

impl VehicleState {
    /// Whether the state alone stands against a pass: B C E I J K L M N O P Q. Whether G does is
    /// for policy to say.
    #[must_use]
    pub const fn blocks(self) -> bool {
        match self {
            Self::Normal | Self::OutOfUse | Self::UnhandledViolation | Self::CustomsSupervised => {
                false
            }
            Self::TransferredOut
            | Self::Stolen
            | Self::Deregistered
            | Self::UnhandledAccident
            | Self::Suspected
            | Self::SealedUp
            | Self::Impounded
            | Self::Scrapped
            | Self::HitAndRun
            | Self::Locked
            | Self::DeclaredVoid
            | Self::InspectionOverdue => true,
        }
    }
}

/// The states of one vehicle: at least one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VehicleStates(BTreeSet<VehicleState>);

impl VehicleStates {
    /// Reads letters as the registry sends them, `AG`; order and repetition do not matter.
    ///
    /// Fails with [`Flaw::VehicleStateUnknown`], also where there is no letter.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let states: BTreeSet<VehicleState> = normalise(text)
            .chars()
            .map(|letter| VehicleState::parse(letter.encode_utf8(&mut [0; 4])))
            .collect::<Result<_, _>>()?;
        if states.is_empty() { Err(Flaw::VehicleStateUnknown) } else { Ok(Self(states)) }
    }

    /// Every state, in the order of the letters.
    pub fn iter(&self) -> impl Iterator<Item = VehicleState> {
        self.0.iter().copied()
    }

    /// The states that stand against a pass, all of them: the applicant is told every one.
    #[must_use]
    pub fn blocks(&self) -> Vec<VehicleState> {
        self.iter().filter(|state| state.blocks()).collect()
    }

    /// Whether violations wait to be settled (G).
    #[must_use]
    pub fn has_unhandled_violation(&self) -> bool {
        self.0.contains(&VehicleState::UnhandledViolation)
    }

    /// Whether the vehicle is normal and nothing else.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.iter().all(|state| state == VehicleState::Normal)
    }
}

impl fmt::Display for VehicleStates {
    /// The letters, as [`VehicleStates::parse`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|state| f.write_str(state.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters of a table, and every other letter is refused.
    macro_rules! letters {
        ($name:ident, $flaw:ident, $letters:literal) => {
            for letter in ('A'..='Z').chain('0'..='9') {
                let text = letter.to_string();
                match $name::parse(&text) {
                    Ok(value) => {
                        assert!($letters.contains(letter), "{letter}");
                        assert_eq!(value.code(), text);
                        assert!(!value.zh().is_empty());
                    }
                    Err(flaw) => {
                        assert!(!$letters.contains(letter), "{letter}");
                        assert_eq!(flaw, Flaw::$flaw);
                    }
                }
            }
            assert_eq!($name::parse(""), Err(Flaw::$flaw));
            assert_eq!($name::parse("AA"), Err(Flaw::$flaw));
            assert_eq!($name::parse(" ａ "), $name::parse("A"));
        };
    }

    #[test]
    fn each_table_knows_its_letters_and_no_other() {
        letters!(Energy, EnergyUnknown, "ABCDEFLMNOPQYZ");
        letters!(UseNature, UseNatureUnknown, "ABCDEFGHIJKLMNOPQRZ");
        letters!(BodyColour, ColourUnknown, "ABCDEFGHIJZ");
        letters!(VehicleState, VehicleStateUnknown, "ABCDEGHIJKLMNOPQ");
        assert_eq!(Energy::parse("C").unwrap().zh(), "电");
        assert_eq!(UseNature::parse("R"), Ok(UseNature::DangerousGoods));
        assert_eq!(BodyColour::parse("I").unwrap().zh(), "棕");
    }

    #[test]
    fn exactly_the_listed_states_block_a_pass() {
        let blocking: String =
            VehicleState::ALL.iter().filter(|s| s.blocks()).map(|s| s.code()).collect();
        assert_eq!(blocking, "BCEIJKLMNOPQ");
    }

    #[test]
    fn a_vehicle_may_have_several_states() {
        for (text, letters, blocks, violation, normal) in [
            ("A", "A", "", false, true),
            ("AG", "AG", "", true, false),
            ("ga", "AG", "", true, false),
            ("QQG", "GQ", "Q", true, false),
            ("QMC", "CMQ", "CMQ", false, false),
            ("D", "D", "", false, false),
            ("H", "H", "", false, false),
        ] {
            let states = VehicleStates::parse(text).unwrap();
            assert_eq!(states.to_string(), letters, "{text}");
            let told: String = states.blocks().into_iter().map(VehicleState::code).collect();
            assert_eq!(told, blocks, "{text}");
            assert_eq!(states.has_unhandled_violation(), violation, "{text}");
            assert_eq!(states.is_normal(), normal, "{text}");
        }
        for text in ["", " ", "F", "AR", "A,G", "A1"] {
            assert_eq!(VehicleStates::parse(text), Err(Flaw::VehicleStateUnknown), "{text}");
        }
    }
}
