//! Zones, policies, quotas and special periods: read by everybody, set by the detachment.

use serde::de::DeserializeOwned;

use super::Passes;
use crate::{
    context::Cx,
    domain::{
        policy::{PassKind, PolicyValues},
        zone::ZonePlan,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Write},
    },
    store::{
        policies::{self, Places},
        world::ZoneVersion,
    },
};

/// The longest JSON of a zone or a policy, in bytes.
const JSON_BYTES_MAX: usize = 48 * 1024;

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

    pub(super) async fn publish_zone(
        &self,
        cx: &Cx,
        request: pb::PublishZoneRequest,
    ) -> Result<pb::Zone> {
        let sworn = cx.actor.sworn()?;
        let form = request.zone.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let code = u16::try_from(form.code).ok().filter(|code| *code > 0).ok_or(Flaw::OutOfRange);
        let code = faults.take("zone.code", code);
        let name = faults.take("zone.display_name", wire::text(&form.display_name, 100));
        let source = faults.take("zone.source", wire::text(&form.source, 300));
        let plan = json::<ZonePlan>(&form.rules_json, "zone.rules_json", &mut faults);
        let from = form.effective_from.map(|from| wire::instant(Some(from))).transpose();
        let from = faults.take("zone.effective_from", from).flatten().unwrap_or(cx.now);
        faults.check(from >= cx.now, "zone.effective_from", Flaw::InPast);
        faults.done()?;
        let (Some(code), Some(name), Some(source), Some(plan)) = (code, name, source, plan) else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        let known = policies::zone_by_code(tx.conn(), code).await?;
        let (id, version) =
            known.map_or_else(|| (cx.id(), 1), |(id, last)| (id, last.saturating_add(1)));
        policies::insert_zone(&mut tx, id, version, code, &name, &source, from, &plan).await?;
        tracing::info!(zone = %id, version, officer = %sworn.officer, "a zone was published");
        let rules_text = plan.rules.iter().map(crate::domain::zone::ZoneRule::zh).collect();
        let reply = pb::Zone {
            name: id.to_string(),
            code: i32::from(code),
            display_name: name,
            version,
            source,
            effective_from: Some(wire::time(from)),
            rules_json: form.rules_json,
            rules_text,
        };
        wire::finish(tx, reply).await
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
            })
        });
        Ok(pb::ListPassPoliciesResponse { pass_policies: policies.collect::<Result<_>>()? })
    }

    pub(super) async fn publish_pass_policy(
        &self,
        cx: &Cx,
        request: pb::PublishPassPolicyRequest,
    ) -> Result<pb::PassPolicy> {
        cx.actor.sworn()?;
        let form = request.pass_policy.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let version = faults.take("pass_policy.version", wire::text(&form.version, 50));
        let source = faults.take("pass_policy.source", wire::text(&form.source, 300));
        let path = "pass_policy.values_json";
        let values = json::<PolicyValues>(&form.values_json, path, &mut faults);
        if let Some(Err(flaw)) = values.as_ref().map(PolicyValues::check) {
            faults.add(path, flaw);
        }
        let from = faults.take("pass_policy.effective_from", wire::instant(form.effective_from));
        // A version never changes what was decided before it was known.
        let ahead = from.is_none_or(|from| from > cx.now);
        faults.check(ahead, "pass_policy.effective_from", Flaw::InPast);
        faults.done()?;
        let (Some(version), Some(source), Some(values), Some(from)) =
            (version, source, values, from)
        else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        let id = policies::insert_policy(&mut tx, &version, &source, from, &values).await?;
        let reply = pb::PassPolicy {
            name: id.to_string(),
            version,
            source,
            effective_from: Some(wire::time(from)),
            values_json: form.values_json,
        };
        wire::finish(tx, reply).await
    }

    pub(super) async fn set_quota(
        &self,
        cx: &Cx,
        request: pb::SetQuotaRequest,
    ) -> Result<pb::Quota> {
        cx.actor.sworn()?;
        let form = request.quota.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let zone = faults.take("quota.zone", Id::<kind::Zone>::parse(&form.zone));
        let pass_kind = PassKind::from_wire(form.pass_kind().as_str_name());
        faults.check(pass_kind.is_some(), "quota.pass_kind", Flaw::Required);
        let start = faults.take("quota.period_start", wire::instant(form.period_start));
        let end = faults.take("quota.period_end", wire::instant(form.period_end));
        if let (Some(start), Some(end)) = (start, end) {
            faults.check(start < end, "quota.period_end", Flaw::EndBeforeStart);
        }
        faults.check((0..=1_000_000).contains(&form.limit), "quota.limit", Flaw::OutOfRange);
        let world = self.world.get(&self.store).await?;
        if let Some(zone) = zone {
            let known = world.zones.iter().any(|version| version.id == zone);
            faults.check(known, "quota.zone", Flaw::UnknownValue);
        }
        faults.done()?;
        let (Some(zone), Some(pass_kind), Some(period_start), Some(period_end)) =
            (zone, pass_kind, start, end)
        else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        let wanted = Places {
            id: cx.id(),
            zone,
            pass_kind,
            period_start,
            period_end,
            places: form.limit,
            used: 0,
        };
        let set = policies::set_places(&mut tx, wanted).await?;
        wire::finish(tx, quota_reply(&set)).await
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

    pub(super) async fn set_special_period(
        &self,
        cx: &Cx,
        request: pb::SetSpecialPeriodRequest,
    ) -> Result<pb::SpecialPeriod> {
        cx.actor.sworn()?;
        let form = request.special_period.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = if form.name.is_empty() {
            Some(cx.id())
        } else {
            faults.take("special_period.name", Id::parse(&form.name))
        };
        let source = faults.take("special_period.source", wire::text(&form.source, 300));
        let from = faults.take("special_period.valid_from", wire::instant(form.valid_from));
        let until = faults.take("special_period.valid_until", wire::instant(form.valid_until));
        if let (Some(from), Some(until)) = (from, until) {
            faults.check(from < until, "special_period.valid_until", Flaw::EndBeforeStart);
        }
        faults.done()?;
        let (Some(id), Some(source), Some(from), Some(until)) = (id, source, from, until) else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        policies::set_period(&mut tx, id, &source, from, until).await?;
        let reply = pb::SpecialPeriod {
            name: id.to_string(),
            source,
            valid_from: Some(wire::time(from)),
            valid_until: Some(wire::time(until)),
        };
        wire::finish(tx, reply).await
    }
}

/// Reads JSON that an officer wrote; the place of a mistake is told.
fn json<T: DeserializeOwned>(text: &str, path: &str, faults: &mut Faults) -> Option<T> {
    if text.is_empty() {
        faults.add(path, Flaw::Required);
        return None;
    }
    if text.len() > JSON_BYTES_MAX {
        faults.add(path, Flaw::TooLong);
        return None;
    }
    match serde_json::from_str(text) {
        Ok(value) => Some(value),
        Err(error) => {
            faults.add_told(path, Flaw::UnknownValue, format!("JSON内容有误:{error}"));
            None
        }
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
        rules_text: plan.rules.iter().map(crate::domain::zone::ZoneRule::zh).collect(),
    }
}

fn quota_reply(places: &Places) -> pb::Quota {
    let kind = pb::PassKind::from_str_name(places.pass_kind.wire()).unwrap_or_default();
    pb::Quota {
        name: places.id.to_string(),
        zone: places.zone.to_string(),
        pass_kind: kind.into(),
        period_start: Some(wire::time(places.period_start)),
        period_end: Some(wire::time(places.period_end)),
        limit: places.places,
        used: places.used,
    }
}
