//! Size classes of vehicles (GA 802-2019) and whether plate type, code, mass and length agree.
//! Not the scheme of 1.8, 6 and 14 tonnes: that is GB 9417-89, withdrawn.

use super::{PlateType, VehicleKind, VehicleType};
use crate::error::Flaw;

/// From this gross mass a vehicle is heavy, in kilograms.
const HEAVY_KG: u32 = 12_000;
/// From this gross mass a vehicle is at least medium, in kilograms.
const MEDIUM_KG: u32 = 4_500;
/// From this length a truck is at least medium, in millimetres.
const MEDIUM_MM: u32 = 6_000;
/// Up to this gross mass a truck may be mini, in kilograms.
const MINI_KG: u32 = 1_800;
/// Up to this length a truck may be mini, in millimetres.
const MINI_MM: u32 = 3_500;

/// The size class of a truck, tractor or trailer (GA 802-2019, in force since 2020-03-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeClass {
    /// 重型.
    Heavy,
    /// 中型.
    Medium,
    /// 轻型.
    Light,
    /// 微型.
    Mini,
    /// 低速: a slow diesel truck; mass and length alone do not make one.
    LowSpeed,
}

impl SizeClass {
    /// The class of a truck that is neither low-speed nor three-wheel.
    #[must_use]
    pub const fn of(gross_mass_kg: u32, length_mm: u32) -> Self {
        if gross_mass_kg >= HEAVY_KG {
            Self::Heavy
        } else if gross_mass_kg >= MEDIUM_KG || length_mm >= MEDIUM_MM {
            Self::Medium
        } else if gross_mass_kg <= MINI_KG && length_mm <= MINI_MM {
            Self::Mini
        } else {
            Self::Light
        }
    }

    /// The class of a trailer: mass alone decides.
    #[must_use]
    pub const fn of_trailer(gross_mass_kg: u32) -> Self {
        if gross_mass_kg >= HEAVY_KG {
            Self::Heavy
        } else if gross_mass_kg >= MEDIUM_KG {
            Self::Medium
        } else {
            Self::Light
        }
    }

    /// The Chinese term.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Heavy => "重型",
            Self::Medium => "中型",
            Self::Light => "轻型",
            Self::Mini => "微型",
            Self::LowSpeed => "低速",
        }
    }

    /// Whether a vehicle may be of this class with this mass and length.
    fn permits(self, kind: VehicleKind, gross_mass_kg: u32, length_mm: u32) -> bool {
        if self == Self::LowSpeed {
            return gross_mass_kg <= MEDIUM_KG && length_mm <= MEDIUM_MM;
        }
        let computed = if kind.is_trailer() {
            Self::of_trailer(gross_mass_kg)
        } else {
            Self::of(gross_mass_kg, length_mm)
        };
        computed == self
    }
}

/// The group of plate types that vehicles of one size share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PlateGroup {
    /// Yellow 01, yellow-green 51.
    Large,
    /// Blue 02, green 52.
    Small,
    /// 13.
    LowSpeed,
    /// 15.
    Trailer,
}

impl PlateGroup {
    /// The group of a plate type; `None` where size does not bind the type (school, police).
    const fn of_plate(plate_type: PlateType) -> Option<Self> {
        match plate_type {
            PlateType::Large | PlateType::NewEnergyLarge => Some(Self::Large),
            PlateType::Small | PlateType::NewEnergySmall => Some(Self::Small),
            PlateType::LowSpeed => Some(Self::LowSpeed),
            PlateType::Trailer => Some(Self::Trailer),
            _ => None,
        }
    }

    /// The group that a vehicle needs; `None` where nothing is certain.
    fn of_vehicle(vehicle: &VehicleType, gross_mass_kg: u32, length_mm: u32) -> Option<Self> {
        let size = match vehicle.kind() {
            VehicleKind::SemiTrailer | VehicleKind::FullTrailer => return Some(Self::Trailer),
            VehicleKind::ThreeWheel => return Some(Self::LowSpeed),
            VehicleKind::Tractor => return Some(Self::Large),
            // A pickup has a code outside the table; its mass and length still tell its class.
            VehicleKind::Truck => {
                vehicle.size_class().unwrap_or_else(|| SizeClass::of(gross_mass_kg, length_mm))
            }
            VehicleKind::SpecialWork => vehicle.size_class()?,
            _ => return None,
        };
        Some(match size {
            SizeClass::Heavy | SizeClass::Medium => Self::Large,
            SizeClass::Light | SizeClass::Mini => Self::Small,
            SizeClass::LowSpeed => Self::LowSpeed,
        })
    }
}

/// Compares plate type, vehicle type, gross mass and length of one vehicle: all contradictions,
/// empty when they agree. Gives [`Flaw::PlateSizeMismatch`] and [`Flaw::SizeClassMismatch`].
#[must_use]
pub fn cross_check(
    plate_type: PlateType,
    vehicle_type: &VehicleType,
    gross_mass_kg: u32,
    length_mm: u32,
) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let given = PlateGroup::of_plate(plate_type);
    let needed = PlateGroup::of_vehicle(vehicle_type, gross_mass_kg, length_mm);
    let mismatch = match (given, needed) {
        (Some(given), Some(needed)) => given != needed,
        // 13 and 15 belong to their vehicles alone.
        (Some(PlateGroup::LowSpeed | PlateGroup::Trailer), None) => true,
        _ => false,
    };
    if mismatch {
        flaws.push(Flaw::PlateSizeMismatch);
    }
    let kind = vehicle_type.kind();
    // Special work vehicles carry classes of older standards, so their code proves nothing.
    let compared = kind != VehicleKind::SpecialWork;
    if let Some(size) = vehicle_type.size_class().filter(|_| compared)
        && !size.permits(kind, gross_mass_kg, length_mm)
    {
        flaws.push(Flaw::SizeClassMismatch);
    }
    flaws
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_truck_changes_class_exactly_at_the_limits() {
        for (mass, length, class) in [
            (12_000, 9_000, SizeClass::Heavy),
            (12_000, 3_000, SizeClass::Heavy),
            (11_999, 12_000, SizeClass::Medium),
            (11_999, 3_000, SizeClass::Medium),
            (4_500, 5_999, SizeClass::Medium),
            (4_499, 6_000, SizeClass::Medium),
            (3_000, 6_000, SizeClass::Medium),
            (4_499, 5_999, SizeClass::Light),
            (1_800, 3_501, SizeClass::Light),
            (1_801, 3_500, SizeClass::Light),
            (1_800, 3_500, SizeClass::Mini),
            (1_000, 3_000, SizeClass::Mini),
        ] {
            assert_eq!(SizeClass::of(mass, length), class, "{mass} kg, {length} mm");
        }
    }

    #[test]
    fn a_trailer_changes_class_by_mass_alone() {
        for (mass, class) in [
            (12_000, SizeClass::Heavy),
            (11_999, SizeClass::Medium),
            (4_500, SizeClass::Medium),
            (4_499, SizeClass::Light),
            (500, SizeClass::Light),
        ] {
            assert_eq!(SizeClass::of_trailer(mass), class, "{mass} kg");
        }
    }

    fn flaws(plate: &str, vehicle: &str, mass: u32, length: u32) -> Vec<Flaw> {
        let plate = PlateType::parse(plate).unwrap();
        cross_check(plate, &VehicleType::parse(vehicle).unwrap(), mass, length)
    }

    #[test]
    fn plate_code_mass_and_length_that_agree_raise_nothing() {
        for (plate, vehicle, mass, length) in [
            ("01", "H12", 18_000, 9_000),
            ("51", "H12", 18_000, 9_000),
            ("01", "H21", 4_500, 5_995),
            ("51", "H22", 4_000, 6_200),
            ("02", "H32", 4_495, 5_995),
            ("52", "H32", 4_495, 5_995),
            ("52", "H42", 1_800, 3_500),
            ("01", "Q11", 25_000, 7_000),
            ("51", "Q11", 25_000, 7_000),
            ("15", "B11", 40_000, 13_000),
            ("15", "G31", 4_499, 7_000),
            ("13", "H51", 4_500, 6_000),
            ("13", "N11", 2_000, 4_600),
            ("02", "H3H", 3_000, 5_300),
            ("01", "Z51", 14_000, 8_000),
            ("02", "Z71", 14_000, 8_000),
            ("01", "Z11", 3_000, 5_000),
            ("02", "Z11", 3_000, 5_000),
            ("16", "H31", 4_000, 5_000),
            ("02", "K33", 1_500, 4_000),
            ("99", "X99", 1, 1),
        ] {
            assert_eq!(flaws(plate, vehicle, mass, length), [], "{plate} {vehicle}");
        }
    }

    #[test]
    fn contradictions_are_all_told() {
        const PLATE: Flaw = Flaw::PlateSizeMismatch;
        const SIZE: Flaw = Flaw::SizeClassMismatch;
        for (plate, vehicle, mass, length, expected) in [
            ("02", "H12", 18_000, 9_000, vec![PLATE]),
            ("52", "H22", 6_000, 7_000, vec![PLATE]),
            ("01", "H32", 4_000, 5_000, vec![PLATE]),
            ("51", "H42", 1_500, 3_400, vec![PLATE]),
            ("02", "Q31", 4_000, 5_000, vec![PLATE]),
            ("01", "B11", 30_000, 13_000, vec![PLATE]),
            ("15", "H11", 18_000, 9_000, vec![PLATE]),
            ("15", "K33", 1_500, 4_000, vec![PLATE]),
            ("13", "X99", 1_500, 4_000, vec![PLATE]),
            ("02", "H51", 4_000, 5_000, vec![PLATE]),
            ("13", "H31", 4_000, 5_000, vec![PLATE]),
            ("02", "N11", 2_000, 4_600, vec![PLATE]),
            ("01", "Z71", 4_000, 5_000, vec![PLATE]),
            ("02", "H3H", 4_500, 5_300, vec![PLATE]),
            ("02", "H32", 4_500, 5_995, vec![SIZE]),
            ("02", "H32", 4_495, 6_000, vec![SIZE]),
            ("02", "H32", 1_800, 3_500, vec![SIZE]),
            ("02", "H42", 1_800, 3_501, vec![SIZE]),
            ("01", "H12", 11_999, 9_000, vec![SIZE]),
            ("01", "H22", 12_000, 9_000, vec![SIZE]),
            ("15", "B11", 11_999, 9_000, vec![SIZE]),
            ("15", "G31", 4_500, 9_000, vec![SIZE]),
            ("13", "H51", 4_501, 6_000, vec![SIZE]),
            ("13", "H51", 4_500, 6_001, vec![SIZE]),
            ("02", "H22", 4_000, 5_000, vec![PLATE, SIZE]),
        ] {
            assert_eq!(flaws(plate, vehicle, mass, length), expected, "{plate} {vehicle} {mass}");
        }
    }

    proptest! {
        #[test]
        fn a_heavier_or_longer_truck_is_never_of_a_smaller_class(
            mass in 0_u32..60_000,
            length in 0_u32..20_000,
            more in 0_u32..10_000,
        ) {
            // The order of the enum goes from heavy to mini.
            prop_assert!(SizeClass::of(mass + more, length) <= SizeClass::of(mass, length));
            prop_assert!(SizeClass::of(mass, length + more) <= SizeClass::of(mass, length));
        }
    }
}
