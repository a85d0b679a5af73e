//! Whom a rule of a zone concerns. No time and no effect.

use serde::{Deserialize, Serialize};

use super::names;
use crate::domain::{
    codes::{BodyKind, SizeClass, UseNature, VehicleKind},
    pass::policy::VehicleFacts,
};

/// A set of vehicles. Every list that is not empty must fit; an empty list says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VehicleMatcher {
    /// The kinds: truck, tractor, trailer ...
    #[serde(with = "names")]
    pub kinds: Vec<VehicleKind>,
    /// The size classes.
    #[serde(with = "names")]
    pub sizes: Vec<SizeClass>,
    /// The bodies.
    #[serde(with = "names")]
    pub bodies: Vec<BodyKind>,
    /// Bodies that it does not concern: a dump truck gets no relief.
    #[serde(with = "names")]
    pub except_bodies: Vec<BodyKind>,
    /// Use natures that it does not concern: fire, ambulance, rescue; or dangerous goods, which
    /// get no relief.
    #[serde(with = "names")]
    pub except_uses: Vec<UseNature>,
}

impl VehicleMatcher {
    /// Whether the vehicle is meant.
    #[must_use]
    pub fn matches(&self, vehicle: &VehicleFacts) -> bool {
        let kind = vehicle.vehicle_type.kind();
        let size = vehicle.vehicle_type.size_class();
        let body = vehicle.vehicle_type.body();
        // A truck whose code names no size (the pickup's is not published) fits no list of sizes:
        // a ban must name whom it bans.
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.sizes.is_empty() || size.is_some_and(|size| self.sizes.contains(&size)))
            && (self.bodies.is_empty() || body.is_some_and(|body| self.bodies.contains(&body)))
            && !body.is_some_and(|body| self.except_bodies.contains(&body))
            && !self.except_uses.contains(&vehicle.use_nature)
    }

    /// The set for a person.
    #[must_use]
    pub fn zh(&self) -> String {
        let sizes: String = self.sizes.iter().map(|size| size.zh()).collect::<Vec<_>>().join("、");
        let mut of: Vec<_> = self.kinds.iter().map(|kind| kind.zh()).collect();
        of.extend(self.bodies.iter().map(|body| body.zh()));
        if of.is_empty() {
            of.push("各类车辆");
        }
        let mut text = format!("{sizes}{}", of.join("、"));
        let mut not: Vec<_> = self.except_bodies.iter().map(|body| body.zh()).collect();
        not.extend(self.except_uses.iter().map(|nature| nature.zh()));
        if !not.is_empty() {
            text.push_str(",除");
            text.push_str(&not.join("、"));
        }
        text
    }
}
