//! Plate type codes 号牌种类 (GA/T 16.7). No plate numbers' own forms; those are in `plate`.

use super::{Plate, PlateClass};

code_table! {
/// The plate type 号牌种类 (HPZL, GA/T 16.7). With the plate number it names one vehicle.
PlateType, PlateTypeUnknown {
    Large = "01", "大型汽车";
    Small = "02", "小型汽车";
    Embassy = "03", "使馆汽车";
    Consulate = "04", "领馆汽车";
    Overseas = "05", "境外汽车";
    ForeignOwned = "06", "外籍汽车";
    Motorcycle = "07", "普通摩托车";
    LightMotorcycle = "08", "轻便摩托车";
    EmbassyMotorcycle = "09", "使馆摩托车";
    ConsulateMotorcycle = "10", "领馆摩托车";
    OverseasMotorcycle = "11", "境外摩托车";
    ForeignOwnedMotorcycle = "12", "外籍摩托车";
    LowSpeed = "13", "低速车";
    FarmTractor = "14", "拖拉机";
    Trailer = "15", "挂车";
    School = "16", "教练汽车";
    SchoolMotorcycle = "17", "教练摩托车";
    Test = "18", "试验汽车";
    TestMotorcycle = "19", "试验摩托车";
    TemporaryEntry = "20", "临时入境汽车";
    TemporaryEntryMotorcycle = "21", "临时入境摩托车";
    Temporary = "22", "临时行驶车";
    Police = "23", "警用汽车";
    PoliceMotorcycle = "24", "警用摩托";
    FormerFarmMachine = "25", "原农机号牌";
    HongKong = "26", "香港入出境车";
    Macao = "27", "澳门入出境车";
    ArmedPolice = "31", "武警号牌";
    Military = "32", "军队号牌";
    Rescue = "33", "应急号牌";
    NoPlate = "41", "无号牌";
    ForgedPlate = "42", "假号牌";
    MisusedPlate = "43", "挪用号牌";
    NewEnergyLarge = "51", "大型新能源汽车";
    NewEnergySmall = "52", "小型新能源汽车";
    Other = "99", "其他号牌";
}
}

impl PlateType {
    /// Whether the vehicle counts as new energy: the plate type says so, the fuel code does not.
    #[must_use]
    pub const fn is_new_energy(self) -> bool {
        matches!(self, Self::NewEnergyLarge | Self::NewEnergySmall)
    }

    /// Whether the plate number can be of this type. Only what is certainly wrong does not fit:
    /// a type whose plates have no certain form fits every plate.
    #[must_use]
    pub const fn fits(self, plate: &Plate) -> bool {
        use PlateClass as Class;
        let class = plate.class();
        match self {
            // Where rescue and oversize plates are filed is not settled, so both stay possible.
            Self::Large | Self::Small => {
                matches!(class, Class::Ordinary | Class::Rescue | Class::Oversize)
            }
            Self::NewEnergyLarge => matches!(class, Class::NewEnergyLarge),
            Self::NewEnergySmall => matches!(class, Class::NewEnergySmall),
            Self::Trailer => matches!(class, Class::Trailer),
            Self::School | Self::SchoolMotorcycle => matches!(class, Class::School),
            Self::Test | Self::TestMotorcycle => matches!(class, Class::Test | Class::Oversize),
            Self::Police | Self::PoliceMotorcycle => matches!(class, Class::Police),
            Self::Embassy | Self::EmbassyMotorcycle => matches!(class, Class::Embassy),
            Self::Consulate | Self::ConsulateMotorcycle => matches!(class, Class::Consulate),
            Self::HongKong => matches!(class, Class::HongKong),
            Self::Macao => matches!(class, Class::Macao),
            Self::ArmedPolice => matches!(class, Class::ArmedPolice),
            Self::Military => matches!(class, Class::Military),
            Self::Rescue => matches!(class, Class::Rescue),
            Self::Motorcycle | Self::LightMotorcycle | Self::LowSpeed => {
                matches!(class, Class::Ordinary)
            }
            Self::Overseas
            | Self::ForeignOwned
            | Self::OverseasMotorcycle
            | Self::ForeignOwnedMotorcycle
            | Self::FarmTractor
            | Self::TemporaryEntry
            | Self::TemporaryEntryMotorcycle
            | Self::Temporary
            | Self::FormerFarmMachine
            | Self::NoPlate
            | Self::ForgedPlate
            | Self::MisusedPlate
            | Self::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Flaw;

    #[test]
    fn every_code_of_the_standard_is_read_and_told() {
        assert_eq!(PlateType::ALL.len(), 36);
        for kind in PlateType::ALL {
            assert_eq!(PlateType::parse(kind.code()), Ok(*kind));
            assert_eq!(kind.code().len(), 2);
            assert!(!kind.zh().is_empty());
        }
        assert_eq!(PlateType::parse(" ０２ "), Ok(PlateType::Small));
        assert_eq!(PlateType::Trailer.zh(), "挂车");
    }

    #[test]
    fn an_unknown_code_is_refused() {
        for text in ["", "1", "001", "00", "28", "30", "34", "40", "44", "50", "53", "98", "AB"] {
            assert_eq!(PlateType::parse(text), Err(Flaw::PlateTypeUnknown), "{text}");
        }
    }

    /// One source swaps the two; the serial of six and the colours settle it.
    #[test]
    fn large_new_energy_is_51_and_small_is_52() {
        assert_eq!(PlateType::parse("51").unwrap().zh(), "大型新能源汽车");
        assert_eq!(PlateType::parse("52").unwrap().zh(), "小型新能源汽车");
        for kind in PlateType::ALL {
            assert_eq!(kind.is_new_energy(), ["51", "52"].contains(&kind.code()));
        }
    }

    #[test]
    fn a_plate_fits_only_its_types() {
        let certain = [
            "01", "02", "03", "04", "13", "15", "16", "18", "23", "26", "27", "31", "32", "51",
            "52",
        ];
        let cases: &[(&str, &[&str])] = &[
            ("苏N12345", &["01", "02", "13"]),
            ("苏N12345D", &["51"]),
            ("苏ND12345", &["52"]),
            ("苏N1234挂", &["15"]),
            ("苏N1234学", &["16"]),
            ("苏N1234试", &["18"]),
            ("苏N0001警", &["23"]),
            ("123456使", &["03"]),
            ("沪A0123领", &["04"]),
            ("粤ZA123港", &["26"]),
            ("粤ZA123澳", &["27"]),
            ("WJ苏12345", &["31"]),
            ("KA12345", &["32"]),
        ];
        for (text, fitting) in cases {
            let plate = Plate::parse(text).unwrap();
            for code in certain {
                let fits = PlateType::parse(code).unwrap().fits(&plate);
                assert_eq!(fits, fitting.contains(&code), "{text} as {code}");
            }
            assert!(PlateType::Other.fits(&plate), "99 says nothing about the form");
        }
    }
}
