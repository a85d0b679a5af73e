//! Zones, policies, quotas and special periods, set by two: each is proposed here, and carried out here
//! when it is confirmed, by the same reading of the same request.

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use super::{Passes, policies::quota_reply};
use crate::{
    context::Cx,
    domain::{
        identity::proposal::{Act, Draft},
        pass::{
            policy::{PassKind, PolicyValues, PolicyVersion, differences, dry_run},
            zone::{ZonePlan, ZoneRule},
        },
    },
    error::{Faults, Flaw, Result},
    id::{Id, kind},
    service::{
        identity::proposals::{self, Confirming, own_unit_path},
        pb, wire,
    },
    store::{
        Tx,
        common::world::Snapshot,
        pass::policies::{self, Places},
    },
};

/// The longest JSON of a zone or a policy, in bytes.
const JSON_BYTES_MAX: usize = 48 * 1024;
/// The most places of a quota.
const PLACES: std::ops::RangeInclusive<i32> = 0..=1_000_000;
/// The longest period of a quota, and the longest special period.
const PERIOD_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);

/// A version of the policy as it was asked for.
struct AskedPolicy {
    version: String,
    source: String,
    values: PolicyValues,
    from: Timestamp,
}

impl AskedPolicy {
    fn read(form: &pb::PassPolicy, faults: &mut Faults) -> Option<Self> {
        let version = faults.take("pass_policy.version", wire::text(&form.version, 50));
        let source = faults.take("pass_policy.source", wire::text(&form.source, 300));
        let path = "pass_policy.values_json";
        let values = json::<PolicyValues>(&form.values_json, path, faults);
        if let Some(values) = &values {
            faults.absorb(path, values.faults());
        }
        let from = faults.take("pass_policy.effective_from", wire::instant(form.effective_from));
        Some(Self { version: version?, source: source?, values: values?, from: from? })
    }

    /// What the second person is shown: each value that changes, and how ten typical applications fare.
    fn shown(&self, world: &Snapshot) -> Vec<String> {
        let present = world.policy(self.from).ok();
        let before = present.map_or("无", |known| known.version.as_str());
        let mut shown = vec![
            format!("版本:{}(届时的现行版本:{before})", self.version),
            format!("生效时间:{}", wire::local(self.from)),
        ];
        let changed = differences(present.map(|known| &known.values), &self.values);
        if changed.is_empty() {
            shown.push("各项数值与届时的现行版本相同".to_owned());
        }
        shown.extend(changed);
        let proposed = PolicyVersion {
            version: self.version.clone(),
            effective_from: self.from,
            effective_until: None,
            source: self.source.clone(),
            values: self.values.clone(),
        };
        shown.push("以下为十件典型申请的测算:".to_owned());
        shown.extend(dry_run(present.map(|known| &**known), &proposed));
        shown
    }
}

/// A version of a zone as it was asked for.
struct AskedZone {
    code: u16,
    name: String,
    source: String,
    plan: ZonePlan,
    from: Option<Timestamp>,
}

impl AskedZone {
    fn read(form: &pb::Zone, faults: &mut Faults) -> Option<Self> {
        let code = u16::try_from(form.code).ok().filter(|code| *code > 0).ok_or(Flaw::OutOfRange);
        let code = faults.take("zone.code", code);
        let name = faults.take("zone.display_name", wire::text(&form.display_name, 100));
        let source = faults.take("zone.source", wire::text(&form.source, 300));
        let plan = json::<ZonePlan>(&form.rules_json, "zone.rules_json", faults);
        if let Some(plan) = &plan {
            faults.absorb("zone.rules_json", plan.faults());
        }
        let from = form.effective_from.map(|from| wire::instant(Some(from))).transpose();
        let from = faults.take("zone.effective_from", from);
        Some(Self { code: code?, name: name?, source: source?, plan: plan?, from: from? })
    }

    fn shown(&self, version: i32) -> Vec<String> {
        let from = self.from.map_or_else(|| "复核次日".to_owned(), wire::local);
        let mut shown = vec![
            format!("区域:{}(代码{},第{version}版)", self.name, self.code),
            format!("生效时间:{from}"),
            format!("边界道路{}条,坐标点{}个", self.plan.boundary.len(), self.plan.polygon.len()),
        ];
        shown.extend(self.plan.rules.iter().map(ZoneRule::zh));
        shown
    }
}

/// Places as they were asked for.
fn read_quota(form: &pb::Quota, faults: &mut Faults) -> Option<Places> {
    let id = faults.take("quota.name", Id::parse(&form.name));
    let zone = faults.take("quota.zone", Id::<kind::Zone>::parse(&form.zone));
    let pass_kind = PassKind::from_wire(form.pass_kind().as_str_name());
    faults.check(pass_kind.is_some(), "quota.pass_kind", Flaw::Required);
    let start = faults.take("quota.period_start", wire::instant(form.period_start));
    let end = faults.take("quota.period_end", wire::instant(form.period_end));
    period(start, end, "quota.period_end", faults);
    faults.check(PLACES.contains(&form.limit), "quota.limit", Flaw::OutOfRange);
    Some(Places {
        id: id?,
        zone: zone?,
        pass_kind: pass_kind?,
        period_start: start?,
        period_end: end?,
        places: form.limit,
        used: 0,
    })
}

/// A special period as it was asked for.
struct AskedPeriod {
    id: Id<kind::SpecialPeriod>,
    source: String,
    from: Timestamp,
    until: Timestamp,
}

impl AskedPeriod {
    fn read(form: &pb::SpecialPeriod, faults: &mut Faults) -> Option<Self> {
        let id = faults.take("special_period.name", Id::parse(&form.name));
        let source = faults.take("special_period.source", wire::text(&form.source, 300));
        let from = faults.take("special_period.valid_from", wire::instant(form.valid_from));
        let until = faults.take("special_period.valid_until", wire::instant(form.valid_until));
        period(from, until, "special_period.valid_until", faults);
        Some(Self { id: id?, source: source?, from: from?, until: until? })
    }
}

impl Passes {
    pub(super) async fn publish_zone(
        &self,
        cx: &Cx,
        request: pb::PublishZoneRequest,
    ) -> Result<pb::Zone> {
        cx.actor.sworn()?;
        let form = request.zone.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let asked = AskedZone::read(&form, &mut faults);
        let from = asked.as_ref().and_then(|asked| asked.from);
        let ahead = from.is_none_or(|from| from >= cx.now);
        faults.check(ahead, "zone.effective_from", Flaw::InPast);
        let asked = faults.whole(asked)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = policies::zone_by_code(tx.conn(), asked.code).await?;
            let (id, version) =
                known.map_or_else(|| (cx.id(), 1), |(id, last)| (id, last.saturating_add(1)));
            let zone = pb::Zone { name: id.to_string(), ..form.clone() };
            let exact = pb::PublishZoneRequest { zone: Some(zone), request_id: String::new() };
            let draft = draft(Act::PublishZone, &id, asked.shown(version), &asked.source, cx);
            let proposal = proposals::propose(tx, draft, &exact, cx).await?;
            let reply = pb::Zone {
                name: id.to_string(),
                code: i32::from(asked.code),
                display_name: asked.name,
                version,
                source: asked.source,
                effective_from: wire::time_of(asked.from),
                rules_json: form.rules_json,
                rules_text: asked.plan.rules.iter().map(ZoneRule::zh).collect(),
                proposal: proposal.id.to_string(),
            };
            Ok(reply)
        })
        .await
    }

    pub(super) async fn publish_pass_policy(
        &self,
        cx: &Cx,
        request: pb::PublishPassPolicyRequest,
    ) -> Result<pb::PassPolicy> {
        cx.actor.sworn()?;
        let form = request.pass_policy.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let asked = AskedPolicy::read(&form, &mut faults);
        // A version never changes what was decided before it was known.
        let ahead = asked.as_ref().is_none_or(|asked| asked.from > cx.now);
        faults.check(ahead, "pass_policy.effective_from", Flaw::InPast);
        let asked = faults.whole(asked)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let id: Id<kind::Policy> = cx.id();
            let policy = pb::PassPolicy { name: id.to_string(), ..form };
            let exact = pb::PublishPassPolicyRequest {
                pass_policy: Some(policy.clone()),
                request_id: String::new(),
            };
            let draft = draft(Act::PublishPassPolicy, &id, asked.shown(&world), &asked.source, cx);
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            Ok(pb::PassPolicy { proposal, ..policy })
        })
        .await
    }

    pub(super) async fn set_quota(
        &self,
        cx: &Cx,
        request: pb::SetQuotaRequest,
    ) -> Result<pb::Quota> {
        cx.actor.sworn()?;
        let form = request.quota.clone().unwrap_or_default();
        let form = pb::Quota { name: cx.id::<kind::Quota>().to_string(), ..form };
        let mut faults = Faults::new();
        let asked = read_quota(&form, &mut faults);
        let reason = faults.take("reason", wire::text_maybe(&request.reason, 300));
        let world = self.world.get(&self.store).await?;
        let zone = asked.as_ref().map(|asked| asked.zone);
        let zone = zone.map(|zone| world.zones.iter().find(|version| version.id == zone));
        faults.check(zone.is_none_or(|zone| zone.is_some()), "quota.zone", Flaw::UnknownValue);
        let (asked, zone, reason) = faults.whole((asked, zone.flatten(), reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let shown = vec![
                format!("区域:{}", zone.zone.name),
                format!("种类:{}", asked.pass_kind.zh()),
                format!(
                    "期间:{}至{}",
                    wire::local(asked.period_start),
                    wire::local(asked.period_end)
                ),
                format!("名额:{}", asked.places),
            ];
            let exact = pb::SetQuotaRequest { quota: Some(form), ..Default::default() };
            let draft = draft(Act::SetQuota, &asked.id, shown, &reason, cx);
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            Ok(pb::Quota { proposal, ..quota_reply(&asked) })
        })
        .await
    }

    pub(super) async fn set_special_period(
        &self,
        cx: &Cx,
        request: pb::SetSpecialPeriodRequest,
    ) -> Result<pb::SpecialPeriod> {
        cx.actor.sworn()?;
        let mut form = request.special_period.clone().unwrap_or_default();
        if form.name.is_empty() {
            form.name = cx.id::<kind::SpecialPeriod>().to_string();
        }
        let mut faults = Faults::new();
        let asked = AskedPeriod::read(&form, &mut faults);
        let asked = faults.whole(asked)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let shown =
                vec![format!("期间:{}至{}", wire::local(asked.from), wire::local(asked.until))];
            let exact = pb::SetSpecialPeriodRequest {
                special_period: Some(form),
                request_id: String::new(),
            };
            let draft = draft(Act::SetSpecialPeriod, &asked.id, shown, &asked.source, cx);
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            let reply = pb::SpecialPeriod {
                name: asked.id.to_string(),
                source: asked.source,
                valid_from: Some(wire::time(asked.from)),
                valid_until: Some(wire::time(asked.until)),
                proposal,
            };
            Ok(reply)
        })
        .await
    }
}

/// Puts a confirmed version of the policy in force.
pub(in crate::service) async fn policy(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let form = confirming.request::<pb::PublishPassPolicyRequest>()?.pass_policy;
    let form = form.unwrap_or_default();
    let mut faults = Faults::new();
    let id = faults.take("pass_policy.name", Id::parse(&form.name));
    let asked = AskedPolicy::read(&form, &mut faults);
    let (id, asked) = faults.whole((id, asked))?;
    let from = confirming.effective(Some(asked.from))?;
    policies::insert_policy_as(tx, id, &asked.version, &asked.source, from, &asked.values).await?;
    Ok(from)
}

/// Puts a confirmed version of a zone in force.
pub(in crate::service) async fn zone(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let form = confirming.request::<pb::PublishZoneRequest>()?.zone.unwrap_or_default();
    let mut faults = Faults::new();
    let fresh = faults.take("zone.name", Id::parse(&form.name));
    let asked = AskedZone::read(&form, &mut faults);
    let (fresh, asked) = faults.whole((fresh, asked))?;
    let from = confirming.effective(asked.from)?;
    let known = policies::zone_by_code(tx.conn(), asked.code).await?;
    let (id, version) = known.map_or_else(|| (fresh, 1), |(id, last)| (id, last.saturating_add(1)));
    let AskedZone { code, name, source, plan, .. } = &asked;
    policies::insert_zone(tx, id, version, *code, name, source, from, plan).await?;
    Ok(from)
}

/// Sets confirmed places.
pub(in crate::service) async fn quota(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let form = confirming.request::<pb::SetQuotaRequest>()?.quota.unwrap_or_default();
    let mut faults = Faults::new();
    let asked = read_quota(&form, &mut faults);
    let asked = faults.whole(asked)?;
    // It counts from the beginning of its period, or where that has begun at once.
    let from = confirming.effective(Some(asked.period_start))?;
    policies::set_places(tx, asked).await?;
    Ok(from)
}

/// Opens a confirmed special period, or changes its end.
pub(in crate::service) async fn special_period(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let form = confirming.request::<pb::SetSpecialPeriodRequest>()?.special_period;
    let mut faults = Faults::new();
    let asked = AskedPeriod::read(&form.unwrap_or_default(), &mut faults);
    let asked = faults.whole(asked)?;
    let from = confirming.effective(Some(asked.from))?;
    policies::set_period(tx, asked.id, &asked.source, asked.from, asked.until).await?;
    Ok(from)
}

/// What is proposed of a subject; the document that it rests on is why.
fn draft<K: crate::id::Collection>(
    act: Act,
    subject: &Id<K>,
    shown: Vec<String>,
    source: &str,
    cx: &Cx,
) -> Draft {
    Draft {
        act,
        subject: subject.to_string(),
        unit_path: own_unit_path(cx),
        request: Vec::new(),
        shown,
        reason: source.to_owned(),
    }
}

/// Refuses a period that runs backwards, or longer than a year.
fn period(from: Option<Timestamp>, until: Option<Timestamp>, path: &str, faults: &mut Faults) {
    if let (Some(from), Some(until)) = (from, until) {
        faults.check(from < until, path, Flaw::EndBeforeStart);
        faults.check(from.duration_until(until) <= PERIOD_MAX, path, Flaw::TooFarAhead);
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
