//! What the rules are given: facts about enterprise, vehicle and need. Nothing is judged here.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};

use super::vocabulary::{AttachmentKind, CargoKind, EnterpriseClass, PassKind, Relation};
use crate::{
    domain::codes::{Energy, Plate, PlateType, UseNature, VehicleStates, VehicleType},
    id::{Id, kind},
};

/// Everything that an evaluation reads; the instant and the policy version come apart.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// The enterprise that asks.
    pub enterprise: EnterpriseFacts,
    /// The vehicle.
    pub vehicle: VehicleFacts,
    /// Its papers.
    pub papers: VehiclePapers,
    /// What is asked for.
    pub ask: Ask,
    /// What stands already.
    pub standing: Standing,
}

/// What is known of the enterprise.
#[derive(Debug, Clone, Default)]
pub struct EnterpriseFacts {
    /// Whether it was verified.
    pub verified: bool,
    /// Whether it was suspended.
    pub suspended: bool,
    /// Whether it is on the blacklist.
    pub blacklisted: bool,
    /// Every grant of a class, whether in force or not.
    pub grants: Vec<ClassGrant>,
}

/// A class that a document gives to the enterprise for a time; never self-declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassGrant {
    /// The grant.
    pub id: Id<kind::ClassGrant>,
    /// The class.
    pub class: EnterpriseClass,
    /// The first instant.
    pub valid_from: Timestamp,
    /// The end, exclusive.
    pub valid_until: Timestamp,
}

impl ClassGrant {
    /// Whether it is in force at an instant.
    #[must_use]
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.valid_from <= at && at < self.valid_until
    }
}

/// What rules, zones and checkpoints know of a vehicle.
#[derive(Debug, Clone)]
pub struct VehicleFacts {
    /// 号牌号码.
    pub plate: Plate,
    /// 号牌种类: with the number it names the vehicle.
    pub plate_type: PlateType,
    /// 车辆类型.
    pub vehicle_type: VehicleType,
    /// 能源种类: told, but the plate type decides what is new energy.
    pub energy: Energy,
    /// 使用性质.
    pub use_nature: UseNature,
    /// 机动车状态.
    pub states: VehicleStates,
    /// Whether the vehicle is on the blacklist.
    pub blacklisted: bool,
}

impl VehicleFacts {
    /// Whether it is new energy: plate type 51 or 52, whatever the fuel code says.
    #[must_use]
    pub const fn is_new_energy(&self) -> bool {
        self.plate_type.is_new_energy()
    }

    /// Whether it is registered for dangerous goods (使用性质 R).
    #[must_use]
    pub fn carries_dangerous_goods(&self) -> bool {
        self.use_nature == UseNature::DangerousGoods
    }
}

/// Until when the papers of a vehicle hold. A date is the last day, inclusive.
#[derive(Debug, Clone)]
pub struct VehiclePapers {
    /// 检验有效期止.
    pub inspection_valid_until: Date,
    /// 交强险.
    pub insurance_valid_until: Date,
    /// 强制报废期止.
    pub scrapping_date: Option<Date>,
    /// 道路运输证.
    pub transport_permit_valid_until: Option<Date>,
    /// The end of the lease or of the transport contract.
    pub contract_valid_until: Option<Date>,
    /// How the enterprise holds the vehicle.
    pub relation: Relation,
    /// 国四 4, 国五 5, 国六 6; none where it does not apply or is unknown.
    pub emission_stage: Option<u32>,
}

/// The asked length of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Months, for long-term kinds.
    Months(u32),
    /// Days, for temporary and short passes, and for a grant cut to the end of a paper.
    Days(u32),
    /// Hours, for the green lane.
    Hours(u32),
}

impl Length {
    /// For a person.
    #[must_use]
    pub fn zh(self) -> String {
        match self {
            Self::Months(months) => format!("{months}个月"),
            Self::Days(days) => format!("{days}天"),
            Self::Hours(hours) => format!("{hours}小时"),
        }
    }
}

/// A zone of the ask.
#[derive(Debug, Clone)]
pub struct AskedZone {
    /// The zone.
    pub zone: Id<kind::Zone>,
    /// Its name, for the explanation.
    pub name: String,
    /// Whether any rule of the zone ever bans this vehicle (`Zone::subjects`).
    pub bans_vehicle: bool,
}

/// What is asked for.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub struct Ask {
    /// The kind of pass.
    pub kind: PassKind,
    /// The zones.
    pub zones: Vec<AskedZone>,
    /// The first day.
    pub start: Date,
    /// The length; the green lane has its own.
    pub length: Length,
    /// The applicant agrees that the pass ends with the earliest material (R12).
    pub shorten_agreed: bool,
    /// What is carried.
    pub cargo: CargoKind,
    /// The papers that were handed in, complete ones.
    pub attachments: BTreeSet<AttachmentKind>,
    /// The papers that the police read as electronic licences (measure 9).
    pub e_licences: BTreeSet<AttachmentKind>,
    /// Whether an ordered route was given.
    pub has_route: bool,
    /// Whether time windows were given.
    pub has_time_windows: bool,
    /// Whether the route uses a road that is closed to trucks for 24 hours.
    pub route_on_all_day_road: bool,
    /// The permit number of dangerous goods or of the project was given.
    pub has_permit_number: bool,
    /// Whether zones of more than one brigade are asked for.
    pub cross_district: bool,
    /// The pass that an amendment replaces: it is no duplicate of itself.
    pub replaces: Option<Id<kind::TruckPass>>,
}

/// What stands already at the instant of the evaluation.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The long-term passes of the same plate and plate type, suspended ones included.
    pub active_passes: Vec<ActivePass>,
    /// Whether a special period runs (特殊时期).
    pub special_period_active: bool,
    /// The free places of the scarcest quota; none where no quota is set.
    pub quota_free: Option<u32>,
}

/// A long-term pass that stands in the way, or is to be renewed.
#[derive(Debug, Clone)]
pub struct ActivePass {
    /// The pass.
    pub id: Id<kind::TruckPass>,
    /// A zone of it; a pass of two zones stands here twice.
    pub zone: Id<kind::Zone>,
    /// Its end, exclusive.
    pub valid_until: Timestamp,
}
