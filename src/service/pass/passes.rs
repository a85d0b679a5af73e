//! Truck passes: read, suspend, end. The code stands in `code`, zones and policies in `policies` and
//! `published`, the blacklist in `blacklist`.

mod blacklist;
mod code;
mod policies;
pub(in crate::service) mod published;

use crate::{
    actor::{Actor, Item, Matter},
    context::Cx,
    domain::pass::{Pass, PassAction, PassRevocationReason, Shown},
    error::{Faults, Flaw, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pass::applications::{evaluation, zone_name},
        pb::{self, truck_pass_service_server::TruckPassService},
        rpc,
        wire::{self, Page},
    },
    store::{self, Store, World, common::history},
};

/// The service.
pub struct Passes {
    store: Store,
    world: World,
}

rpc! { TruckPassService, Passes {
    get_truck_pass(pb::GetTruckPassRequest) -> pb::TruckPass;
    list_truck_passes(pb::ListTruckPassesRequest) -> pb::ListTruckPassesResponse;
    issue_pass_code(pb::IssuePassCodeRequest) -> pb::PassCode;
    suspend_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Suspend);
    resume_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Resume);
    annul_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Annul);
    withdraw_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Withdraw);
    penalise_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Penalise);
    cancel_truck_pass(pb::EndTruckPassRequest) -> pb::TruckPass = act(PassAction::Cancel);
    list_truck_pass_changes(pb::ListTruckPassChangesRequest) -> pb::ListTruckPassChangesResponse;
    add_blacklist_entry(pb::AddBlacklistEntryRequest) -> pb::BlacklistEntry;
    lift_blacklist_entry(pb::LiftBlacklistEntryRequest) -> pb::BlacklistEntry;
    list_blacklist_entries(pb::ListBlacklistEntriesRequest) -> pb::ListBlacklistEntriesResponse;
    list_zones(pb::ListZonesRequest) -> pb::ListZonesResponse;
    publish_zone(pb::PublishZoneRequest) -> pb::Zone;
    list_pass_policies(pb::ListPassPoliciesRequest) -> pb::ListPassPoliciesResponse;
    publish_pass_policy(pb::PublishPassPolicyRequest) -> pb::PassPolicy;
    set_quota(pb::SetQuotaRequest) -> pb::Quota;
    list_quotas(pb::ListQuotasRequest) -> pb::ListQuotasResponse;
    set_special_period(pb::SetSpecialPeriodRequest) -> pb::SpecialPeriod;
} }

impl Passes {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone() }
    }

    async fn get_truck_pass(
        &self,
        cx: &Cx,
        request: pb::GetTruckPassRequest,
    ) -> Result<pb::TruckPass> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let pass =
            store::pass::passes::get(&mut connection, id, &cx.sight_of(Matter::Pass)).await?;
        Ok(reply(cx, &pass))
    }

    async fn list_truck_passes(
        &self,
        cx: &Cx,
        request: pb::ListTruckPassesRequest,
    ) -> Result<pb::ListTruckPassesResponse> {
        let mut faults = Faults::new();
        let mut maybe = |path: &str, name: &str, id: Result<uuid::Uuid, Flaw>| {
            if name.is_empty() { None } else { faults.take(path, id) }
        };
        let enterprise = Id::<kind::Enterprise>::parse(&request.enterprise).map(Id::uuid);
        let enterprise = maybe("enterprise", &request.enterprise, enterprise);
        let vehicle = Id::<kind::Vehicle>::parse(&request.vehicle).map(Id::uuid);
        let vehicle = maybe("vehicle", &request.vehicle, vehicle);
        let plate_number = if request.plate_number.is_empty() {
            None
        } else {
            let plate = crate::domain::codes::Plate::parse(&request.plate_number);
            faults.take("plate_number", plate).map(|plate| plate.as_str().to_owned())
        };
        faults.done()?;
        let arguments = [cx.method, &request.enterprise, &request.vehicle, &request.plate_number];
        let page = Page::of(&self.store, &request, &arguments)?;
        let filter = store::pass::passes::Filter { enterprise, vehicle, plate_number };
        let mut connection = self.store.read().await?;
        let mut found = store::pass::passes::list(
            &mut connection,
            &filter,
            &cx.sight_of(Matter::Pass),
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |pass| pass.id.uuid());
        let truck_passes = found.iter().map(|pass| reply(cx, pass)).collect();
        Ok(pb::ListTruckPassesResponse { truck_passes, next_page_token })
    }

    /// The six actions differ in the drawing, in their reasons and in who may take them.
    async fn act(
        &self,
        cx: &Cx,
        request: pb::EndTruckPassRequest,
        action: PassAction,
    ) -> Result<pb::TruckPass> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = if request.reason_code.is_empty() {
            Err(Flaw::Required)
        } else {
            PassRevocationReason::from_wire(&request.reason_code).ok_or(Flaw::UnknownValue)
        };
        let reason = faults.take("reason_code", reason);
        if let Some(reason) = reason {
            faults.check(reason.fits(action), "reason_code", Flaw::NotAllowed);
        }
        let note = faults.take("note", wire::text(&request.note, 500));
        faults.check(!request.etag.is_empty(), "etag", Flaw::Required);
        let version = faults.take("etag", wire::version(&request.etag));
        let (id, reason, note, version) = faults.whole((id, reason, note, version))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let pass = store::pass::passes::lock(tx, id, &cx.scope_of(Matter::Pass)).await?;
            permitted(cx, &pass, action)?;
            wire::fresh(version, pass.version)?;
            let moved = pass.act(action, reason, note, cx)?;
            let pass = tx.settle_now(moved).await?;
            let reply = reply(cx, &pass);
            Ok(reply)
        })
        .await
    }

    async fn list_truck_pass_changes(
        &self,
        cx: &Cx,
        request: pb::ListTruckPassChangesRequest,
    ) -> Result<pb::ListTruckPassChangesResponse> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let pass =
            store::pass::passes::get(&mut connection, id, &cx.sight_of(Matter::Pass)).await?;
        let written = history::list(&mut connection, pass.id.subject()).await?;
        let officer = matches!(cx.actor, Actor::Officer { .. });
        Ok(pb::ListTruckPassChangesResponse {
            changes: wire::changes::<PassAction>(written, officer),
        })
    }
}

/// A holder may cancel the own pass; everything else is a decision, and asks for a sworn officer.
fn permitted(cx: &Cx, pass: &Pass, action: PassAction) -> Result<()> {
    if action == PassAction::Cancel && cx.actor.acts_for(pass.enterprise, Item::Pass) {
        return Ok(());
    }
    cx.actor.sworn().map(|_| ())
}

fn state(shown: Shown) -> i32 {
    use pb::truck_pass::State;
    match shown {
        Shown::PendingStart => State::PendingStart.into(),
        Shown::Active => State::Active.into(),
        Shown::Suspended => State::Suspended.into(),
        Shown::Expired => State::Expired.into(),
        Shown::Ended(ended) => wire::enumerated::<State>(ended),
    }
}

/// A pass as its reader may see it at this instant.
fn reply(cx: &Cx, pass: &Pass) -> pb::TruckPass {
    let kind = wire::enumerated::<pb::PassKind>(pass.kind);
    let channel = wire::enumerated::<pb::SourceChannel>(pass.source_channel);
    let kept = evaluation(&pass.evaluation);
    pb::TruckPass {
        name: pass.id.to_string(),
        number: pass.number.clone(),
        enterprise: pass.enterprise.to_string(),
        vehicle: pass.vehicle.to_string(),
        plate_number: pass.plate_number.clone(),
        plate_type: pass.plate_type.clone(),
        pass_kind: kind,
        zones: pass.zones.iter().map(zone_name).collect(),
        time_windows: pass.windows.iter().map(|window| wire::window(*window)).collect(),
        route: pass.route.clone(),
        goods: pass.goods.clone(),
        valid_from: Some(wire::time(pass.valid_from)),
        valid_until: Some(wire::time(pass.valid_until)),
        last_valid_day: pass.last_valid_day().to_string(),
        state: state(pass.shown_at(cx.now)),
        reason: pass.reason.map(|reason| pb::CodedReason {
            code: reason.wire().to_owned(),
            text: format!("{}:{}", reason.zh(), pass.reason_note),
        }),
        pass_application: pass.application.to_string(),
        previous_pass: pass.previous.map(|previous| previous.to_string()).unwrap_or_default(),
        revision: pass.revision,
        create_time: Some(wire::time(pass.create_time)),
        trailer_plate_number: pass.trailer.clone(),
        findings: kept.findings,
        policy_version: kept.policy_version,
        source_channel: channel,
        etag: wire::etag(pass.version),
    }
}
