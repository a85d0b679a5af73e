//! The administrators' desk: units, officers, checkpoints. Devices and keys stand in `devices` and
//! `keys`, officers' ways in in `accounts`, how it all begins in `founding`.

pub(in crate::service) mod accounts;
mod devices;
pub mod founding;
mod keys;
pub(in crate::service) mod power;

use crate::{
    actor::Roles,
    context::Cx,
    domain::{
        codes::PoliceNumber,
        common::notice::NoticeEvent,
        identity::{
            officer,
            tenure::{End, Tenure},
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        identity::phone::mobile,
        pb::{self, organisation_service_server::OrganisationService},
        rpc,
        wire::{self, Page},
    },
    store::{
        Store, World,
        common::notices::accounts as account_notices,
        identity::{
            enrolments,
            officers::{self, NewOfficer, Officer},
            units::{self, NewUnit, Unit},
        },
        pass::checkpoints::{self, Checkpoint, NewCheckpoint},
    },
};

/// The most zones that one checkpoint guards.
const ZONES_MAX: usize = 8;

/// The service.
pub struct Organisation {
    store: Store,
    world: World,
    /// Whether a gateway is named that can send short messages.
    sends_sms: bool,
}

rpc! { OrganisationService, Organisation {
    create_unit(pb::CreateUnitRequest) -> pb::Unit;
    list_units(pb::ListUnitsRequest) -> pb::ListUnitsResponse;
    create_officer(pb::CreateOfficerRequest) -> pb::CreateOfficerResponse;
    list_officers(pb::ListOfficersRequest) -> pb::ListOfficersResponse;
    update_officer(pb::UpdateOfficerRequest) -> pb::Officer;
    resend_officer_enrolment(pb::ResendOfficerEnrolmentRequest) -> pb::Officer;
    unlock_officer(pb::UnlockOfficerRequest) -> pb::Officer;
    reset_officer(pb::ResetOfficerRequest) -> pb::Officer;
    disable_officer(pb::DisableOfficerRequest) -> pb::Officer;
    create_checkpoint(pb::CreateCheckpointRequest) -> pb::Checkpoint;
    list_checkpoints(pb::ListCheckpointsRequest) -> pb::ListCheckpointsResponse;
    create_device_enrolment(pb::CreateDeviceEnrolmentRequest) -> pb::DeviceEnrolment;
    list_devices(pb::ListDevicesRequest) -> pb::ListDevicesResponse;
    revoke_device(pb::RevokeDeviceRequest) -> pb::Device;
    rotate_signing_key(pb::RotateSigningKeyRequest) -> pb::SigningKey;
    revoke_signing_key(pb::RevokeSigningKeyRequest) -> pb::SigningKey;
    list_signing_keys(pb::ListSigningKeysRequest) -> pb::ListSigningKeysResponse;
} }

impl Organisation {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self {
            store: parts.store.clone(),
            world: parts.world.clone(),
            sends_sms: parts.sms.is_some(),
        }
    }

    async fn create_unit(&self, cx: &Cx, request: pb::CreateUnitRequest) -> Result<pb::Unit> {
        let form = request.unit.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let code = form.code.len() == 12 && form.code.bytes().all(|byte| byte.is_ascii_digit());
        faults.check(code, "unit.code", Flaw::NumberMalformed);
        let name = faults.take("unit.display_name", wire::text(&form.display_name, 100));
        let parent = faults.take("unit.parent", Id::<kind::Unit>::parse(&form.parent));
        let (display_name, parent) = faults.whole((name, parent))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let above = units::get(tx.conn(), parent, &cx.scope()).await?;
            let new = NewUnit {
                code: form.code,
                display_name,
                parent: Some(above.id),
                reach: None,
                serves: Vec::new(),
            };
            let unit = units::insert(tx, new).await?;
            Ok(unit_reply(unit))
        })
        .await
    }

    async fn list_units(
        &self,
        _cx: &Cx,
        _request: pb::ListUnitsRequest,
    ) -> Result<pb::ListUnitsResponse> {
        let mut connection = self.store.read().await?;
        let found = units::list(&mut connection).await?;
        Ok(pb::ListUnitsResponse { units: found.into_iter().map(unit_reply).collect() })
    }

    async fn create_officer(
        &self,
        cx: &Cx,
        request: pb::CreateOfficerRequest,
    ) -> Result<pb::CreateOfficerResponse> {
        let form = request.officer.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let number = faults.take("officer.police_number", PoliceNumber::parse(&form.police_number));
        let unit = faults.take("officer.unit", Id::<kind::Unit>::parse(&form.unit));
        let roles = officer::roles(&form.roles, "officer.roles", &mut faults);
        let full_name = faults.take("full_name", wire::name(&request.full_name));
        let phone = faults.take("phone", mobile(&request.phone));
        let wanted = roles.unwrap_or_default();
        let split = officer::split((Roles::NONE, ()), (wanted, ()));
        let reason = power::reason(&request.reason, split.waits(), &mut faults);
        let (police_number, unit, reason, full_name, phone) =
            faults.whole((number, unit, reason, full_name, phone))?;
        self.count_enrolment(&phone).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            let unit = units::get(tx.conn(), unit, &cx.scope()).await?.id;
            let new = NewOfficer {
                police_number,
                full_name,
                unit,
                roles: split.roles,
                phone: Some(phone.clone()),
                public: None,
            };
            let made = officers::insert(tx, new).await?;
            let until = enrolments::issue(tx, made.id, &phone).await?;
            account_notices::tell_security(tx, made.id, NoticeEvent::AccountCreated).await?;
            let waiting = power::Waiting { roles: split.waiting_roles, unit: None };
            let proposal = power::propose(tx, cx, &made, waiting, reason).await?;
            let reply = pb::CreateOfficerResponse {
                officer: Some(pb::Officer { proposal, ..officer_reply(&made) }),
                enrolment_expire_time: Some(wire::time(until)),
            };
            Ok(reply)
        })
        .await
    }

    async fn list_officers(
        &self,
        cx: &Cx,
        request: pb::ListOfficersRequest,
    ) -> Result<pb::ListOfficersResponse> {
        let arguments = [cx.method, &request.unit];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let subtree = if request.unit.is_empty() {
            None
        } else {
            let unit = Id::parse(&request.unit).map_err(|flaw| Error::field("unit", flaw))?;
            Some(units::get(&mut connection, unit, &cx.scope()).await?.path)
        };
        let mut found = officers::list(
            &mut connection,
            self.store.vault(),
            subtree.as_deref(),
            &cx.scope(),
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |officer| officer.id.uuid());
        let listed = found.iter().map(officer_reply).collect();
        Ok(pb::ListOfficersResponse { officers: listed, next_page_token })
    }

    async fn update_officer(
        &self,
        cx: &Cx,
        request: pb::UpdateOfficerRequest,
    ) -> Result<pb::Officer> {
        let form = request.officer.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.take("officer.name", Id::parse(&form.name));
        let unit = faults.take("officer.unit", Id::<kind::Unit>::parse(&form.unit));
        let roles = officer::roles(&form.roles, "officer.roles", &mut faults);
        let reason = faults.take("reason", wire::text_maybe(&request.reason, 300));
        faults.check(!form.etag.is_empty(), "officer.etag", Flaw::Required);
        let version = faults.maybe("officer.etag", wire::version(&form.etag));
        let (id, unit, roles, reason) = faults.whole((id, unit, roles, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = officers::lock(tx, id, &cx.scope()).await?;
            wire::fresh(version, known.version)?;
            not_oneself(cx, id)?;
            let unit = units::get(tx.conn(), unit, &cx.scope()).await?.id;
            let split = officer::split((known.roles, known.unit), (roles, unit));
            let mut faults = Faults::new();
            power::reason(&reason, split.waits(), &mut faults);
            faults.done()?;
            let changed = officers::save(tx, known, split.roles, split.unit).await?;
            let waiting = power::Waiting { roles: split.waiting_roles, unit: split.waiting_unit };
            let proposal = power::propose(tx, cx, &changed, waiting, reason).await?;
            Ok(pb::Officer { proposal, ..officer_reply(&changed) })
        })
        .await
    }

    async fn disable_officer(
        &self,
        cx: &Cx,
        request: pb::DisableOfficerRequest,
    ) -> Result<pb::Officer> {
        let (id, reason) = ending(&request.name, &request.reason)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = officers::lock(tx, id, &cx.scope()).await?;
            not_oneself(cx, id)?;
            let tenure = Tenure::of(known.disable_time.is_some());
            let ended = tenure.end(known, End::Disable, reason, cx)?;
            let ended = officers::save_end(tx, ended).await?;
            Ok(officer_reply(&ended))
        })
        .await
    }

    async fn create_checkpoint(
        &self,
        cx: &Cx,
        request: pb::CreateCheckpointRequest,
    ) -> Result<pb::Checkpoint> {
        let form = request.checkpoint.clone().unwrap_or_default();
        let world = self.world.get(&self.store).await?;
        let mut faults = Faults::new();
        let name = faults.take("checkpoint.display_name", wire::text(&form.display_name, 100));
        let unit = faults.take("checkpoint.unit", Id::<kind::Unit>::parse(&form.unit));
        faults.check(!form.zones.is_empty(), "checkpoint.zones", Flaw::Required);
        faults.check(form.zones.len() <= ZONES_MAX, "checkpoint.zones", Flaw::TooMany);
        let mut zones = Vec::new();
        for (at, zone) in form.zones.iter().enumerate().take(ZONES_MAX) {
            let path = format!("checkpoint.zones[{at}]");
            if let Some(zone) = faults.take(&*path, Id::<kind::Zone>::parse(zone)) {
                let known = world.zones.iter().any(|version| version.id == zone);
                faults.check(known, path, Flaw::UnknownValue);
                zones.push(zone);
            }
        }
        let on_earth = form.latitude.abs() <= 90.0 && form.longitude.abs() <= 180.0;
        faults.check(on_earth, "checkpoint.latitude", Flaw::PositionInvalid);
        let (display_name, unit) = faults.whole((name, unit))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let unit = units::get(tx.conn(), unit, &cx.scope()).await?.id;
            let (latitude, longitude) = (form.latitude, form.longitude);
            let new = NewCheckpoint { display_name, unit, zones, latitude, longitude };
            let made = checkpoints::insert(tx, new).await?;
            Ok(checkpoint_reply(&made))
        })
        .await
    }

    async fn list_checkpoints(
        &self,
        cx: &Cx,
        _request: pb::ListCheckpointsRequest,
    ) -> Result<pb::ListCheckpointsResponse> {
        let mut connection = self.store.read().await?;
        let found = checkpoints::list(&mut connection, &cx.scope()).await?;
        let checkpoints = found.iter().map(checkpoint_reply).collect();
        Ok(pb::ListCheckpointsResponse { checkpoints })
    }
}

/// Nobody gives rights to, or takes them from, oneself.
fn not_oneself(cx: &Cx, id: Id<kind::Officer>) -> Result<()> {
    if cx.actor.officer()? == id { Err(Error::new(Reason::SamePerson)) } else { Ok(()) }
}

/// What every end asks for: a name and a reason.
fn ending<K: crate::id::Collection>(name: &str, reason: &str) -> Result<(Id<K>, String)> {
    let mut faults = Faults::new();
    let id = faults.take("name", Id::parse(name));
    let reason = faults.take("reason", wire::text(reason, 500));
    faults.whole((id, reason))
}

fn unit_reply(unit: Unit) -> pb::Unit {
    pb::Unit {
        name: unit.id.to_string(),
        code: unit.code,
        display_name: unit.display_name,
        parent: unit.parent.map(|parent| parent.to_string()).unwrap_or_default(),
    }
}

fn officer_reply(officer: &Officer) -> pb::Officer {
    pb::Officer {
        name: officer.id.to_string(),
        police_number: officer.police_number.clone(),
        display_name: officer.display_name.clone(),
        unit: officer.unit.to_string(),
        roles: officer.roles.iter().map(|role| role.wire().to_owned()).collect(),
        disabled: officer.disable_time.is_some(),
        proposal: String::new(),
        phone: officer.phone.clone(),
        enrolled: officer.enrolled,
        close_time: wire::time_of(officer.close_time),
        lock_expire_time: wire::time_of(officer.locked_until),
        etag: wire::etag(officer.version),
    }
}

fn checkpoint_reply(checkpoint: &Checkpoint) -> pb::Checkpoint {
    pb::Checkpoint {
        name: checkpoint.id.to_string(),
        display_name: checkpoint.display_name.clone(),
        unit: checkpoint.unit.to_string(),
        zones: checkpoint.zones.iter().map(ToString::to_string).collect(),
        latitude: checkpoint.latitude,
        longitude: checkpoint.longitude,
    }
}
