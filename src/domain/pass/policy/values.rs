//! The values of measure 6 as dated data, and which version is in force. No rule is evaluated here.

use std::{borrow::Borrow, collections::BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::vocabulary::{AttachmentKind, PassKind};
use crate::{
    domain::codes::{VehicleState, VehicleStates, VehicleType},
    error::{Error, Reason, Result},
};

/// A version of the pass policy: values with a source and a time in which they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// The name of the version, as decisions store it.
    pub version: String,
    /// The first instant.
    pub effective_from: Timestamp,
    /// The end, exclusive; none while nothing follows it.
    pub effective_until: Option<Timestamp>,
    /// The document that sets it.
    pub source: String,
    /// What it sets.
    pub values: PolicyValues,
}

/// The version in force at an instant; where two overlap, the one that began later.
///
/// Fails with [`Reason::PolicyMissing`]: a value is never guessed.
pub fn version_at<P: Borrow<PolicyVersion>>(versions: &[P], now: Timestamp) -> Result<&P> {
    let order = |version: &P| {
        let version = version.borrow();
        (version.effective_from, version.version.clone())
    };
    versions
        .iter()
        .filter(|version| {
            let version: &PolicyVersion = (*version).borrow();
            version.effective_from <= now && version.effective_until.is_none_or(|until| now < until)
        })
        .max_by_key(|version| order(version))
        .ok_or_else(|| Error::new(Reason::PolicyMissing).fact("at", now))
}

/// What a policy version sets. A row of the database holds it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyValues {
    /// R03: months for a general enterprise or an individual, at most.
    pub months_general_max: u32,
    /// R04: months for an enterprise above designated size, at most.
    pub months_above_designated_size_max: u32,
    /// R05: months for a key enterprise, at most.
    pub months_key_enterprise_max: u32,
    /// R06: months for new energy whatever the class; none: the class decides.
    pub months_new_energy_max: Option<u32>,
    /// R02: months for dangerous goods, at most.
    pub months_dangerous_goods_max: u32,
    /// R10: days of a temporary pass that one level may grant.
    pub days_temporary_max: u32,
    /// R10: days of a temporary pass that the upper level may grant.
    pub days_temporary_upper_level_max: u32,
    /// R10: days of a short pass.
    pub days_short_term_max: u32,
    /// R11: hours of a green-lane trip.
    pub hours_green_lane: u32,
    /// R16: days before the end from which a renewal may be filed.
    pub renewal_window_days: u32,
    /// R07: the vehicle types (GA/T 16.4) that pass without a pass outside peaks. Whether a panel
    /// van (H33, H43) is a box is decision D4: by default it is not.
    pub exempt_vehicle_types: BTreeSet<String>,
    /// R01: the letters of the vehicle states that block.
    pub blocking_vehicle_states: String,
    /// R01: whether unhandled violations (state G) block an application; never a passage.
    pub unhandled_violation_blocks: bool,
    /// The lowest emission stage (国四 = 4); none: not asked for.
    pub emission_stage_min: Option<u32>,
    /// The kinds that always need a final review.
    pub final_review_kinds: BTreeSet<PassKind>,
    /// A grant longer than so many months needs a final review.
    pub final_review_above_months: u32,
    /// The promised limits, in working days.
    pub promised: PromisedLimits,
    /// When the rules may decide without an officer.
    pub automatic_approval: AutomaticApproval,
    /// The papers of each kind.
    pub attachments: Vec<AttachmentRule>,
    /// The papers that an electronic licence replaces (measure 9).
    pub waivable_by_e_licence: BTreeSet<AttachmentKind>,
}

/// The promised limits of a decision, in working days from acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromisedLimits {
    /// For a temporary pass.
    pub temporary_working_days: u32,
    /// For the other kinds.
    pub other_working_days: u32,
    /// What no decision may exceed.
    pub hard_working_days: u32,
}

/// When the rules may decide without an officer (PA-05).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutomaticApproval {
    /// Off by default: an officer decides.
    pub enabled: bool,
    /// Only these kinds.
    pub kinds: BTreeSet<PassKind>,
    /// A grant of at most so many months.
    pub months_max: u32,
    /// A grant of at most so many days.
    pub days_max: u32,
    /// Also where a place of a quota is taken.
    pub with_quota: bool,
}

/// The papers that one kind of pass needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentRule {
    /// The kind of pass.
    pub kind: PassKind,
    /// Each entry is needed; one paper of an entry is enough.
    pub required: Vec<Vec<AttachmentKind>>,
}

impl PolicyValues {
    /// The values of measure 6, and the assumptions of facts.md where the measure is silent.
    #[must_use]
    pub fn measure_6() -> Self {
        Self {
            // 20 measures, no. 6: from 1 month to 6; key enterprises up to 12.
            months_general_max: 1,
            months_above_designated_size_max: 6,
            months_key_enterprise_max: 12,
            months_new_energy_max: None,
            months_dangerous_goods_max: 6,
            days_temporary_max: 3,
            days_temporary_upper_level_max: 7,
            days_short_term_max: 15,
            hours_green_lane: 72,
            renewal_window_days: 30,
            exempt_vehicle_types: ["H32", "H42"].map(str::to_owned).into(),
            blocking_vehicle_states: "BCEIJKLMNOPQ".to_owned(),
            unhandled_violation_blocks: true,
            emission_stage_min: None,
            final_review_kinds: [PassKind::DangerousGoods, PassKind::Engineering].into(),
            final_review_above_months: 6,
            promised: PromisedLimits {
                temporary_working_days: 1,
                other_working_days: 3,
                hard_working_days: 5,
            },
            automatic_approval: AutomaticApproval {
                enabled: false,
                kinds: [PassKind::Temporary, PassKind::NewEnergyDelivery].into(),
                months_max: 1,
                days_max: 3,
                with_quota: false,
            },
            attachments: default_attachments(),
            waivable_by_e_licence: [
                AttachmentKind::VehicleLicence,
                AttachmentKind::DrivingLicence,
                AttachmentKind::Insurance,
                AttachmentKind::TransportPermit,
            ]
            .into(),
        }
    }

    /// Whether a vehicle state blocks, both an application and a passage.
    #[must_use]
    pub fn blocks(&self, state: VehicleState) -> bool {
        self.blocking_vehicle_states.contains(state.code())
    }

    /// The blocking states among those that a vehicle has.
    #[must_use]
    pub fn blocking(&self, states: &VehicleStates) -> Vec<VehicleState> {
        states.iter().filter(|state| self.blocks(*state)).collect()
    }

    /// Whether a vehicle of this type is in the exempt set of R07 (new energy is asked apart).
    #[must_use]
    pub fn is_exempt_type(&self, vehicle_type: &VehicleType) -> bool {
        self.exempt_vehicle_types.contains(vehicle_type.as_str())
    }
}

/// Facts.md, 1.6: what real cities ask for, with the electronic licences of measure 9 in mind.
fn default_attachments() -> Vec<AttachmentRule> {
    use AttachmentKind::{
        DeliveryOrder, DrivingLicence, Insurance, ProjectPermit, TransportContract,
        TransportPermit, VehicleLicence,
    };
    let licence = || vec![VehicleLicence];
    let need = || vec![DeliveryOrder, TransportContract];
    PassKind::ALL
        .iter()
        .map(|kind| AttachmentRule {
            kind: *kind,
            required: match kind {
                PassKind::Temporary | PassKind::ShortTerm | PassKind::GreenLane => {
                    vec![licence(), vec![DrivingLicence], need()]
                }
                PassKind::LongTermDelivery
                | PassKind::NewEnergyDelivery
                | PassKind::LivelihoodSupply => vec![licence(), vec![Insurance], need()],
                PassKind::Engineering => vec![licence(), vec![Insurance], vec![ProjectPermit]],
                PassKind::DangerousGoods => {
                    vec![licence(), vec![Insurance], vec![TransportPermit], need()]
                }
                PassKind::PublicService => vec![licence(), vec![Insurance]],
            },
        })
        .collect()
}
