//! Zones, policies and quotas as everybody reads them. How they are set stands in `published`.

use super::Passes;
use crate::{
    context::Cx,
    error::{Error, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        common::world::ZoneVersion,
        pass::policies::{self, Places},
    },
};

impl Passes {
    pub(super) async fn list_zones(
        &self,
        cx: &Cx,
        _request: pb::ListZonesRequest,
    ) -> Result<pb::ListZonesResponse> {
        let world = self.world.get(&self.store).await?;
        // Of each zone the version in force, and those that are to come.
        let current = |zone: &&ZoneVersion| {
            zone.effective_from > cx.now
                || world.zone(zone.id, cx.now).is_some_and(|now| now.version == zone.version)
        };
        let zones = world.zones.iter().filter(current).map(zone_reply);
        Ok(pb::ListZonesResponse { zones: zones.collect() })
    }

    pub(super) async fn list_pass_policies(
        &self,
        _cx: &Cx,
        _request: pb::ListPassPoliciesRequest,
    ) -> Result<pb::ListPassPoliciesResponse> {
        let world = self.world.get(&self.store).await?;
        let policies = world.policies.iter().map(|policy| {
            Ok(pb::PassPolicy {
                name: String::new(),
                version: policy.version.clone(),
                source: policy.source.clone(),
                effective_from: Some(wire::time(policy.effective_from)),
                values_json: serde_json::to_string(&policy.values).map_err(Error::internal)?,
                proposal: String::new(),
            })
        });
        Ok(pb::ListPassPoliciesResponse { pass_policies: policies.collect::<Result<_>>()? })
    }

    pub(super) async fn list_quotas(
        &self,
        _cx: &Cx,
        request: pb::ListQuotasRequest,
    ) -> Result<pb::ListQuotasResponse> {
        let zone = if request.zone.is_empty() {
            None
        } else {
            let zone = Id::<kind::Zone>::parse(&request.zone);
            Some(zone.map_err(|flaw| Error::field("zone", flaw))?.uuid())
        };
        let mut connection = self.store.read().await?;
        let found = policies::list_places(&mut connection, zone).await?;
        Ok(pb::ListQuotasResponse { quotas: found.iter().map(quota_reply).collect() })
    }
}

fn zone_reply(version: &ZoneVersion) -> pb::Zone {
    let plan = &version.zone.plan;
    pb::Zone {
        name: version.id.to_string(),
        code: i32::from(version.zone.code),
        display_name: version.zone.name.clone(),
        version: version.version,
        source: version.zone.source.clone(),
        effective_from: Some(wire::time(version.effective_from)),
        rules_json: serde_json::to_string(plan).unwrap_or_default(),
        rules_text: plan.rules.iter().map(crate::domain::pass::zone::ZoneRule::zh).collect(),
        proposal: String::new(),
    }
}

pub(super) fn quota_reply(places: &Places) -> pb::Quota {
    let kind = wire::enumerated::<pb::PassKind>(places.pass_kind);
    pb::Quota {
        name: places.id.to_string(),
        zone: places.zone.to_string(),
        pass_kind: kind,
        period_start: Some(wire::time(places.period_start)),
        period_end: Some(wire::time(places.period_end)),
        limit: places.places,
        used: places.used,
        proposal: String::new(),
    }
}
