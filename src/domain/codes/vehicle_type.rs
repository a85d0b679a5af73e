//! Vehicle type codes 车辆类型 (GA/T 16.4-2012), read through a table. Never by the position of a
//! character: the third one means another body for mini trucks (H45 is a dump truck, H35 a
//! flatbed), so a rule of three characters would be wrong.

use std::fmt;

use super::{SizeClass, normalise};
use crate::error::{Flaw, Result};

/// What the class letter of a vehicle type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VehicleKind {
    /// K: bus or car.
    Bus,
    /// H: truck.
    Truck,
    /// Q: tractor of a semi-trailer or full trailer.
    Tractor,
    /// Z: special work.
    SpecialWork,
    /// D: trolley bus.
    Trolley,
    /// M: motorcycle.
    Motorcycle,
    /// N: three-wheel.
    ThreeWheel,
    /// T: farm tractor.
    FarmTractor,
    /// J: wheeled machine.
    WheeledMachine,
    /// G: full trailer.
    FullTrailer,
    /// B: semi-trailer.
    SemiTrailer,
    /// X, and letters that the standard does not give out.
    Other,
}

impl VehicleKind {
    /// Whether it is drawn by another vehicle.
    #[must_use]
    pub const fn is_trailer(self) -> bool {
        matches!(self, Self::SemiTrailer | Self::FullTrailer)
    }

    /// The Chinese term.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Bus => "客车",
            Self::Truck => "货车",
            Self::Tractor => "牵引车",
            Self::SpecialWork => "专项作业车",
            Self::Trolley => "电车",
            Self::Motorcycle => "摩托车",
            Self::ThreeWheel => "三轮汽车",
            Self::FarmTractor => "拖拉机",
            Self::WheeledMachine => "轮式机械",
            Self::FullTrailer => "全挂车",
            Self::SemiTrailer => "半挂车",
            Self::Other => "其他",
        }
    }
}

/// The body of a truck (GA/T 16.4-2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BodyKind {
    /// 普通: open.
    Open,
    /// 厢式: a closed box apart from the cab. The exemption of measure 6 names this body.
    Box,
    /// 封闭: a closed body in one piece with the cab.
    PanelVan,
    /// 罐式.
    Tank,
    /// 平板.
    Flatbed,
    /// 集装厢.
    Container,
    /// 自卸.
    Dump,
    /// 特殊结构.
    Special,
    /// 仓栅式.
    Stake,
    /// 车辆运输车.
    Transporter,
    /// 厢式自卸.
    BoxDump,
    /// 罐式自卸.
    TankDump,
    /// 平板自卸.
    FlatbedDump,
    /// 集装厢自卸.
    ContainerDump,
    /// 特殊结构自卸.
    SpecialDump,
    /// 仓栅式自卸.
    StakeDump,
}

impl BodyKind {
    /// Whether it tips its load out: slag and building material need a pass kind of their own.
    #[must_use]
    pub const fn is_dump(self) -> bool {
        matches!(
            self,
            Self::Dump
                | Self::BoxDump
                | Self::TankDump
                | Self::FlatbedDump
                | Self::ContainerDump
                | Self::SpecialDump
                | Self::StakeDump
        )
    }

    /// The Chinese term, as it follows the size class in the name of a vehicle type.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Open => "普通货车",
            Self::Box => "厢式货车",
            Self::PanelVan => "封闭货车",
            Self::Tank => "罐式货车",
            Self::Flatbed => "平板货车",
            Self::Container => "集装厢车",
            Self::Dump => "自卸货车",
            Self::Special => "特殊结构货车",
            Self::Stake => "仓栅式货车",
            Self::Transporter => "车辆运输车",
            Self::BoxDump => "厢式自卸货车",
            Self::TankDump => "罐式自卸货车",
            Self::FlatbedDump => "平板自卸货车",
            Self::ContainerDump => "集装厢自卸货车",
            Self::SpecialDump => "特殊结构自卸货车",
            Self::StakeDump => "仓栅式自卸货车",
        }
    }
}

/// Every truck code with a body, one row per body: heavy, medium, light, mini, low-speed.
/// A blank has no code. H36 stands in one of the published lists only.
#[rustfmt::skip]
const TRUCKS: &[(BodyKind, [&str; 5])] = &[
    (BodyKind::Open,          ["H11", "H21", "H31", "H41", "H51"]),
    (BodyKind::Box,           ["H12", "H22", "H32", "H42", "H52"]),
    (BodyKind::PanelVan,      ["H13", "H23", "H33", "H43", ""]),
    (BodyKind::Tank,          ["H14", "H24", "H34", "H44", "H53"]),
    (BodyKind::Flatbed,       ["H15", "H25", "H35", "",    ""]),
    (BodyKind::Container,     ["H16", "H26", "H36", "",    ""]),
    (BodyKind::Dump,          ["H17", "H27", "H37", "H45", "H54"]),
    (BodyKind::Special,       ["H18", "H28", "H38", "H46", ""]),
    (BodyKind::Stake,         ["H19", "H29", "H39", "H47", "H55"]),
    (BodyKind::Transporter,   ["H1A", "H2A", "H3A", "H4A", ""]),
    (BodyKind::BoxDump,       ["H1B", "H2B", "H3B", "H4B", "H5B"]),
    (BodyKind::TankDump,      ["H1C", "H2C", "H3C", "H4C", "H5C"]),
    (BodyKind::FlatbedDump,   ["H1D", "H2D", "H3D", "",    ""]),
    (BodyKind::ContainerDump, ["H1E", "H2E", "H3E", "",    ""]),
    (BodyKind::SpecialDump,   ["H1F", "H2F", "H3F", "H4F", ""]),
    (BodyKind::StakeDump,     ["H1G", "H2G", "H3G", "H4G", ""]),
];

/// The columns of [`TRUCKS`].
const COLUMNS: [SizeClass; 5] =
    [SizeClass::Heavy, SizeClass::Medium, SizeClass::Light, SizeClass::Mini, SizeClass::LowSpeed];

/// A vehicle type code in canonical form. A code outside the table is kept: lists grow, and the
/// code of the pickup (轻型多用途货车, GA 802-2019) is not published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VehicleType(String);

impl VehicleType {
    /// Reads a code: a letter, a digit, a letter or digit.
    ///
    /// Fails with [`Flaw::VehicleTypeMalformed`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = normalise(text);
        match text.as_bytes() {
            [b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9' | b'A'..=b'Z'] => Ok(Self(text)),
            _ => Err(Flaw::VehicleTypeMalformed),
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the class letter says.
    #[must_use]
    pub fn kind(&self) -> VehicleKind {
        match self.0.as_bytes().first() {
            Some(b'K') => VehicleKind::Bus,
            Some(b'H') => VehicleKind::Truck,
            Some(b'Q') => VehicleKind::Tractor,
            Some(b'Z') => VehicleKind::SpecialWork,
            Some(b'D') => VehicleKind::Trolley,
            Some(b'M') => VehicleKind::Motorcycle,
            Some(b'N') => VehicleKind::ThreeWheel,
            Some(b'T') => VehicleKind::FarmTractor,
            Some(b'J') => VehicleKind::WheeledMachine,
            Some(b'G') => VehicleKind::FullTrailer,
            Some(b'B') => VehicleKind::SemiTrailer,
            _ => VehicleKind::Other,
        }
    }

    /// The size class that the code names; `None` where it names none, or one of buses.
    #[must_use]
    pub fn size_class(&self) -> Option<SizeClass> {
        match self.0.as_str() {
            "H10" | "Q11" | "Q12" | "Z51" | "Z52" => Some(SizeClass::Heavy),
            "H20" | "Q21" | "Q22" | "Z21" | "Z22" => Some(SizeClass::Medium),
            "H30" | "Q31" | "Q32" | "Z71" | "Z72" => Some(SizeClass::Light),
            "H40" | "Z41" | "Z42" => Some(SizeClass::Mini),
            "H50" => Some(SizeClass::LowSpeed),
            code if code.starts_with("B1") || code.starts_with("G1") => Some(SizeClass::Heavy),
            code if code.starts_with("B2") || code.starts_with("G2") => Some(SizeClass::Medium),
            code if code.starts_with("B3") || code.starts_with("G3") => Some(SizeClass::Light),
            _ => self.truck().map(|(size, _)| size),
        }
    }

    /// The body of a truck; `None` for other vehicles and for codes of a class alone (H10).
    #[must_use]
    pub fn body(&self) -> Option<BodyKind> {
        self.truck().map(|(_, body)| body)
    }

    /// The Chinese name where the code is in the table of trucks: 轻型厢式货车.
    #[must_use]
    pub fn zh(&self) -> Option<String> {
        self.truck().map(|(size, body)| format!("{}{}", size.zh(), body.zh()))
    }

    /// The place of the code in the table of trucks.
    fn truck(&self) -> Option<(SizeClass, BodyKind)> {
        TRUCKS.iter().find_map(|(body, codes)| {
            let (size, _) = COLUMNS.iter().zip(codes).find(|(_, code)| **code == self.0)?;
            Some((*size, *body))
        })
    }
}

impl fmt::Display for VehicleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn read(code: &str) -> VehicleType {
        VehicleType::parse(code).unwrap()
    }

    #[test]
    fn a_code_is_a_letter_a_digit_and_a_letter_or_digit() {
        for (typed, code) in [("H12", "H12"), (" h1g ", "H1G"), ("Ｑ１１", "Q11"), ("X99", "X99")]
        {
            assert_eq!(VehicleType::parse(typed).unwrap().as_str(), code);
        }
        for text in ["", "H1", "H123", "1H2", "HA1", "H1-", "H1货", "货12", "H 12"] {
            assert_eq!(VehicleType::parse(text), Err(Flaw::VehicleTypeMalformed), "{text}");
        }
    }

    /// The trap: decoded by position, H45 would be a flatbed, H46 a container, H47 a dump truck.
    #[test]
    fn mini_trucks_have_bodies_of_their_own() {
        use BodyKind as Body;
        for (code, body) in [
            ("H35", Body::Flatbed),
            ("H45", Body::Dump),
            ("H36", Body::Container),
            ("H46", Body::Special),
            ("H37", Body::Dump),
            ("H47", Body::Stake),
            ("H53", Body::Tank),
            ("H54", Body::Dump),
            ("H55", Body::Stake),
        ] {
            assert_eq!(read(code).body(), Some(body), "{code}");
        }
    }

    #[test]
    fn the_code_names_size_and_body() {
        use BodyKind as Body;
        use SizeClass as Size;
        for (code, size, body) in [
            ("H11", Some(Size::Heavy), Some(Body::Open)),
            ("H12", Some(Size::Heavy), Some(Body::Box)),
            ("H22", Some(Size::Medium), Some(Body::Box)),
            ("H32", Some(Size::Light), Some(Body::Box)),
            ("H42", Some(Size::Mini), Some(Body::Box)),
            ("H33", Some(Size::Light), Some(Body::PanelVan)),
            ("H43", Some(Size::Mini), Some(Body::PanelVan)),
            ("H17", Some(Size::Heavy), Some(Body::Dump)),
            ("H2A", Some(Size::Medium), Some(Body::Transporter)),
            ("H4G", Some(Size::Mini), Some(Body::StakeDump)),
            ("H5B", Some(Size::LowSpeed), Some(Body::BoxDump)),
            ("H30", Some(Size::Light), None),
            ("H50", Some(Size::LowSpeed), None),
            ("H48", None, None),
            ("H4D", None, None),
            ("H60", None, None),
            ("Q11", Some(Size::Heavy), None),
            ("Q32", Some(Size::Light), None),
            ("Z51", Some(Size::Heavy), None),
            ("Z72", Some(Size::Light), None),
            ("Z11", None, None),
            ("B11", Some(Size::Heavy), None),
            ("B2A", Some(Size::Medium), None),
            ("G31", Some(Size::Light), None),
            ("N11", None, None),
            ("K33", None, None),
            ("X99", None, None),
        ] {
            assert_eq!(read(code).size_class(), size, "{code}");
            assert_eq!(read(code).body(), body, "{code}");
        }
    }

    #[test]
    fn no_code_stands_twice_in_the_table_and_each_is_a_truck() {
        let codes: Vec<&str> =
            TRUCKS.iter().flat_map(|(_, row)| row).copied().filter(|c| !c.is_empty()).collect();
        let distinct: BTreeSet<&str> = codes.iter().copied().collect();
        assert_eq!(codes.len(), 67);
        assert_eq!(distinct.len(), codes.len());
        for code in codes {
            assert_eq!(read(code).kind(), VehicleKind::Truck);
        }
        for (_, row) in TRUCKS {
            for (code, digit) in row.iter().zip('1'..='5').filter(|(code, _)| !code.is_empty()) {
                assert!(code.starts_with(&format!("H{digit}")), "{code} in column {digit}");
            }
        }
    }

    #[test]
    fn the_class_letter_names_the_kind() {
        for (code, kind) in [
            ("K11", VehicleKind::Bus),
            ("H11", VehicleKind::Truck),
            ("Q11", VehicleKind::Tractor),
            ("Z11", VehicleKind::SpecialWork),
            ("D11", VehicleKind::Trolley),
            ("M11", VehicleKind::Motorcycle),
            ("N11", VehicleKind::ThreeWheel),
            ("T11", VehicleKind::FarmTractor),
            ("J11", VehicleKind::WheeledMachine),
            ("G11", VehicleKind::FullTrailer),
            ("B11", VehicleKind::SemiTrailer),
            ("X99", VehicleKind::Other),
            ("A11", VehicleKind::Other),
        ] {
            assert_eq!(read(code).kind(), kind, "{code}");
            assert_eq!(kind.is_trailer(), code == "G11" || code == "B11");
        }
    }

    #[test]
    fn a_truck_is_told_in_chinese() {
        assert_eq!(read("H32").zh().as_deref(), Some("轻型厢式货车"));
        assert_eq!(read("H45").zh().as_deref(), Some("微型自卸货车"));
        assert_eq!(read("X99").zh(), None);
        assert!(read("H45").body().is_some_and(BodyKind::is_dump));
        assert!(read("H1E").body().is_some_and(BodyKind::is_dump));
        assert!(!read("H46").body().is_some_and(BodyKind::is_dump));
    }
}
