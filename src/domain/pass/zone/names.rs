//! The JSON names of standard codes inside a zone's plan. No code is explained here.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::domain::codes::{BodyKind, SizeClass, UseNature, VehicleKind};

/// A code with a name in JSON.
pub(super) trait Named: Copy + PartialEq + 'static {
    /// Every code with its name.
    const NAMES: &'static [(Self, &'static str)];
}

impl Named for SizeClass {
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Heavy, "HEAVY"),
        (Self::Medium, "MEDIUM"),
        (Self::Light, "LIGHT"),
        (Self::Mini, "MINI"),
        (Self::LowSpeed, "LOW_SPEED"),
    ];
}

impl Named for VehicleKind {
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Bus, "BUS"),
        (Self::Truck, "TRUCK"),
        (Self::Tractor, "TRACTOR"),
        (Self::SpecialWork, "SPECIAL_WORK"),
        (Self::Trolley, "TROLLEY"),
        (Self::Motorcycle, "MOTORCYCLE"),
        (Self::ThreeWheel, "THREE_WHEEL"),
        (Self::FarmTractor, "FARM_TRACTOR"),
        (Self::WheeledMachine, "WHEELED_MACHINE"),
        (Self::FullTrailer, "FULL_TRAILER"),
        (Self::SemiTrailer, "SEMI_TRAILER"),
        (Self::Other, "OTHER"),
    ];
}

impl Named for BodyKind {
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Open, "OPEN"),
        (Self::Box, "BOX"),
        (Self::PanelVan, "PANEL_VAN"),
        (Self::Tank, "TANK"),
        (Self::Flatbed, "FLATBED"),
        (Self::Container, "CONTAINER"),
        (Self::Dump, "DUMP"),
        (Self::Special, "SPECIAL"),
        (Self::Stake, "STAKE"),
        (Self::Transporter, "TRANSPORTER"),
        (Self::BoxDump, "BOX_DUMP"),
        (Self::TankDump, "TANK_DUMP"),
        (Self::FlatbedDump, "FLATBED_DUMP"),
        (Self::ContainerDump, "CONTAINER_DUMP"),
        (Self::SpecialDump, "SPECIAL_DUMP"),
        (Self::StakeDump, "STAKE_DUMP"),
    ];
}

impl Named for UseNature {
    // Only those that a notice exempts or singles out.
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Police, "POLICE"),
        (Self::FireService, "FIRE_SERVICE"),
        (Self::Ambulance, "AMBULANCE"),
        (Self::EngineeringRescue, "ENGINEERING_RESCUE"),
        (Self::DangerousGoods, "DANGEROUS_GOODS"),
    ];
}

/// Writes a list of names; a code without a name is an error and never a gap.
pub(super) fn serialize<T: Named, S: Serializer>(
    codes: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let names: Option<Vec<&str>> = codes
        .iter()
        .map(|code| T::NAMES.iter().find(|(named, _)| named == code).map(|(_, name)| *name))
        .collect();
    names
        .ok_or_else(|| serde::ser::Error::custom("a code has no name in a zone's plan"))?
        .serialize(serializer)
}

/// Reads a list of names; an unknown one is refused.
pub(super) fn deserialize<'de, T: Named, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| {
            let found = T::NAMES.iter().find(|(_, name)| name == text);
            found
                .map(|(code, _)| *code)
                .ok_or_else(|| D::Error::custom(format!("unknown name {text}")))
        })
        .collect()
}
