//! The garage: vehicles come in, change, and leave with their passes.

use super::{Enterprises, warning};
use crate::{
    actor::{Item, Matter, Role},
    context::Cx,
    domain::{
        codes::{Plate, VehicleStates},
        common::{deed::Deed, lifecycle::Note},
        enterprise::{
            contest::{ContestAction, VehicleRuling},
            vehicle::{Licence, Vehicle, VehicleForm},
        },
    },
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        Tx,
        enterprise::{drivers, enterprises, vehicle_contests, vehicles},
        pass::{applications, blacklist, passes},
    },
};

impl Enterprises {
    pub(super) async fn create_vehicle(
        &self,
        cx: &Cx,
        request: pb::CreateVehicleRequest,
    ) -> Result<pb::Vehicle> {
        let form = request.vehicle.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let enterprise =
            faults.take("vehicle.enterprise", Id::<kind::Enterprise>::parse(&form.enterprise));
        let licence = licence(&form, &mut faults);
        let (enterprise, licence) = faults.whole((enterprise, licence))?;
        wire::write(&self.store, cx, &request, async |tx| {
            may_change(cx, enterprise)?;
            let known = enterprises::lock(tx, enterprise, &cx.scope_of(Matter::Garage)).await?;
            known.refuse_unproven()?;
            let id: Id<kind::Vehicle> = cx.id();
            let states = VehicleStates::parse("A").map_err(|flaw| Error::internal(flaw.wire()))?;
            let vehicle = Vehicle::received(id, enterprise, licence, states);
            let created = vehicle.acted(Deed::Create, Note::none(), cx);
            let vehicle = tx.settle_first(created, vehicles::insert).await?;
            blacklist::follow(tx, &vehicle, None).await?;
            let stored = vehicles::get(tx.conn(), id, &cx.scope_of(Matter::Garage), cx.now).await?;
            Ok(vehicle_of(&stored))
        })
        .await
    }

    pub(super) async fn get_vehicle(
        &self,
        cx: &Cx,
        request: pb::GetVehicleRequest,
    ) -> Result<pb::Vehicle> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let vehicle =
            vehicles::get(&mut connection, id, &cx.sight_of(Matter::Garage), cx.now).await?;
        Ok(vehicle_of(&vehicle))
    }

    pub(super) async fn list_vehicles(
        &self,
        cx: &Cx,
        request: pb::ListVehiclesRequest,
    ) -> Result<pb::ListVehiclesResponse> {
        let mut faults = Faults::new();
        let enterprise = if request.enterprise.is_empty() {
            None
        } else {
            let id = Id::<kind::Enterprise>::parse(&request.enterprise).map(Id::uuid);
            faults.take("enterprise", id)
        };
        let plate_number = if request.plate_number.is_empty() {
            None
        } else {
            let plate = faults.take("plate_number", Plate::parse(&request.plate_number));
            plate.map(|plate| plate.as_str().to_owned())
        };
        faults.done()?;
        let arguments = [cx.method, &request.enterprise, &request.plate_number];
        let page = Page::of(&self.store, &request, &arguments)?;
        let filter = vehicles::Filter { enterprise, plate_number };
        let mut connection = self.store.read().await?;
        let mut found = vehicles::list(
            &mut connection,
            &filter,
            &cx.sight_of(Matter::Garage),
            cx.now,
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |vehicle| vehicle.id.uuid());
        let listed = found.iter().map(|vehicle| reply(vehicle, false)).collect();
        Ok(pb::ListVehiclesResponse { vehicles: listed, next_page_token })
    }

    pub(super) async fn update_vehicle(
        &self,
        cx: &Cx,
        request: pb::UpdateVehicleRequest,
    ) -> Result<pb::Vehicle> {
        let form = request.vehicle.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.take("vehicle.name", Id::parse(&form.name));
        faults.check(!form.etag.is_empty(), "vehicle.etag", Flaw::Required);
        let version = faults.maybe("vehicle.etag", wire::version(&form.etag));
        let licence = licence(&form, &mut faults);
        let (id, licence) = faults.whole((id, licence))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let mut vehicle = vehicles::lock(tx, id, &cx.scope_of(Matter::Garage)).await?;
            may_change(cx, vehicle.enterprise)?;
            wire::fresh(version, vehicle.version)?;
            // Another plate is another vehicle: its passes would speak of the wrong truck.
            let mut faults = Faults::new();
            let same = licence.plate == vehicle.licence.plate;
            faults.check(same, "vehicle.plate_number", Flaw::NotAllowed);
            let same = licence.plate_type == vehicle.licence.plate_type;
            faults.check(same, "vehicle.plate_type", Flaw::NotAllowed);
            faults.done()?;
            vehicle.licence = licence;
            let vehicle = tx.settle_now(vehicle.acted(Deed::Update, Note::none(), cx)).await?;
            Ok(vehicle_of(&vehicle))
        })
        .await
    }

    pub(super) async fn retire_vehicle(
        &self,
        cx: &Cx,
        request: pb::RetireVehicleRequest,
    ) -> Result<pb::Vehicle> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, 500));
        let officer = cx.actor.officer().is_ok();
        let code = if officer {
            faults.take("reason_code", ruling(&request.reason_code, ContestAction::Uphold))
        } else {
            faults.check(request.reason_code.is_empty(), "reason_code", Flaw::NotAllowed);
            None
        };
        let (id, reason) = faults.whole((id, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let vehicle = vehicles::lock(tx, id, &cx.scope_of(Matter::Garage)).await?;
            if officer {
                cx.actor.sworn()?;
            } else {
                may_change(cx, vehicle.enterprise)?;
            }
            let vehicle = depart(tx, cx, vehicle, code, &reason, None).await?;
            Ok(vehicle_of(&vehicle))
        })
        .await
    }

    pub(super) async fn set_vehicle_states(
        &self,
        cx: &Cx,
        request: pb::SetVehicleStatesRequest,
    ) -> Result<pb::Vehicle> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let states = faults.take("vehicle_states", VehicleStates::parse(&request.vehicle_states));
        let source = faults.take("source", wire::text(&request.source, 200));
        let (id, states, source) = faults.whole((id, states, source))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let vehicle = vehicles::lock(tx, id, &cx.scope_of(Matter::Garage)).await?;
            let vehicle = Vehicle { states, ..vehicle };
            let set = vehicle.acted(Deed::SetStates, Note::internal(source), cx);
            let vehicle = tx.settle_now(set).await?;
            Ok(vehicle_of(&vehicle))
        })
        .await
    }
}

/// The enterprise's own people, or a clerk who files for them.
pub(super) fn may_change(cx: &Cx, enterprise: Id<kind::Enterprise>) -> Result<()> {
    if cx.actor.acts_for(enterprise, Item::Pass) || cx.actor.roles().has(Role::WindowClerk) {
        Ok(())
    } else {
        Err(cx.scope().missing(enterprise.subject()))
    }
}

/// Takes a vehicle out of its garage: what was asked for it ends, then what was issued, then who drives
/// it; the contests of it are answered. With a ruling an officer does it, and the holder is told; with a
/// contest it goes to the garage of who filed that.
pub(super) async fn depart(
    tx: &mut Tx,
    cx: &Cx,
    vehicle: Vehicle,
    ruling: Option<VehicleRuling>,
    note: &str,
    to: Option<Id<kind::VehicleContest>>,
) -> Result<Vehicle> {
    let id = vehicle.id;
    let mut vehicle = tx.settle_now(vehicle.depart(ruling, note, cx)).await?;
    // An approval under way is waited for by this, and its pass is found by the next one.
    applications::end_of_vehicle(tx, id, note).await?;
    passes::cancel_of_vehicle(tx, id, note).await?;
    drivers::end_of_vehicle(tx, id).await?;
    for contest in vehicle_contests::lock_open(tx, id).await? {
        let note = note.to_owned();
        let moved = match to {
            Some(_) => contest.dismiss(VehicleRuling::OtherProven, note, cx)?,
            None => contest.release(ruling, note, cx)?,
        };
        tx.settle_now(moved).await?;
    }
    vehicle.contested = false;
    Ok(vehicle)
}

/// The coded reason of an officer for the act.
pub(super) fn ruling(code: &str, action: ContestAction) -> Result<VehicleRuling, Flaw> {
    if code.is_empty() {
        return Err(Flaw::Required);
    }
    VehicleRuling::from_wire(code)
        .filter(|it| it.fits(action) && *it != VehicleRuling::EnterpriseAnnulled)
        .ok_or(Flaw::UnknownValue)
}

/// The vehicle, where the caller acts for its enterprise.
pub(super) async fn own(tx: &mut Tx, cx: &Cx, id: Id<kind::Vehicle>) -> Result<Vehicle> {
    let vehicle = vehicles::lock(tx, id, &cx.scope_of(Matter::Garage)).await?;
    may_change(cx, vehicle.enterprise)?;
    Ok(vehicle)
}

fn licence(form: &pb::Vehicle, faults: &mut Faults) -> Option<Licence> {
    let form = licence_form(form, faults);
    read_licence(form, faults)
}

/// Reads what was typed, and notes every fault of it.
pub(super) fn read_licence(form: VehicleForm, faults: &mut Faults) -> Option<Licence> {
    Licence::parse(form, faults)
}

/// What was typed, with its days read.
pub(super) fn licence_form(form: &pb::Vehicle, faults: &mut Faults) -> VehicleForm {
    let inspection =
        faults.take("vehicle.inspection_valid_until", wire::day(&form.inspection_valid_until));
    let insurance =
        faults.take("vehicle.insurance_valid_until", wire::day(&form.insurance_valid_until));
    let mut maybe =
        |field: &str, text: &str| faults.maybe(format!("vehicle.{field}"), wire::day_maybe(text));
    let scrapping = maybe("scrapping_date", &form.scrapping_date);
    let contract = maybe("contract_valid_until", &form.contract_valid_until);
    let permit = maybe("transport_permit_valid_until", &form.transport_permit_valid_until);
    let brand = faults.take("vehicle.brand_model", wire::text_maybe(&form.brand_model, 60));
    VehicleForm {
        plate_number: form.plate_number.clone(),
        plate_type: form.plate_type.clone(),
        vehicle_type: form.vehicle_type.clone(),
        use_nature: form.use_nature.clone(),
        energy_type: form.energy_type.clone(),
        vin: form.vin.clone(),
        body_colour: form.body_colour.clone(),
        brand_model: brand.unwrap_or_default(),
        masses_kg: [form.gross_mass_kg, form.kerb_mass_kg, form.rated_load_kg],
        outer_mm: [form.outer_length_mm, form.outer_width_mm, form.outer_height_mm],
        emission_stage: form.emission_stage,
        relation: form.relation().as_str_name().to_owned(),
        inspection_valid_until: inspection,
        insurance_valid_until: insurance,
        scrapping_date: scrapping,
        contract_valid_until: contract,
        transport_permit_valid_until: permit,
    }
}

/// What was typed, as it is shown again.
pub(super) fn form_reply(enterprise: Id<kind::Enterprise>, form: &VehicleForm) -> pb::Vehicle {
    let ([gross, kerb, load], [length, width, height]) = (form.masses_kg, form.outer_mm);
    let relation = pb::vehicle::Relation::from_str_name(&form.relation);
    let day = |date: Option<jiff::civil::Date>| date.map(|day| day.to_string()).unwrap_or_default();
    pb::Vehicle {
        enterprise: enterprise.to_string(),
        plate_number: form.plate_number.clone(),
        plate_type: form.plate_type.clone(),
        vehicle_type: form.vehicle_type.clone(),
        use_nature: form.use_nature.clone(),
        energy_type: form.energy_type.clone(),
        vin: form.vin.clone(),
        body_colour: form.body_colour.clone(),
        brand_model: form.brand_model.clone(),
        gross_mass_kg: gross,
        kerb_mass_kg: kerb,
        rated_load_kg: load,
        outer_length_mm: length,
        outer_width_mm: width,
        outer_height_mm: height,
        emission_stage: form.emission_stage,
        inspection_valid_until: day(form.inspection_valid_until),
        insurance_valid_until: day(form.insurance_valid_until),
        scrapping_date: day(form.scrapping_date),
        relation: relation.unwrap_or_default().into(),
        contract_valid_until: day(form.contract_valid_until),
        transport_permit_valid_until: day(form.transport_permit_valid_until),
        ..pb::Vehicle::default()
    }
}

/// One vehicle, whole.
pub(super) fn vehicle_of(vehicle: &Vehicle) -> pb::Vehicle {
    reply(vehicle, true)
}

/// A vehicle as its reader may see it; the VIN whole only where one vehicle is asked for.
fn reply(vehicle: &Vehicle, whole: bool) -> pb::Vehicle {
    let licence = &vehicle.licence;
    let ([gross, kerb, load], [length, width, height]) = (licence.masses_kg, licence.outer_mm);
    let relation = wire::enumerated::<pb::vehicle::Relation>(licence.relation);
    let day = |date: Option<jiff::civil::Date>| date.map(|day| day.to_string()).unwrap_or_default();
    pb::Vehicle {
        name: vehicle.id.to_string(),
        enterprise: vehicle.enterprise.to_string(),
        plate_number: licence.plate.as_str().to_owned(),
        plate_type: licence.plate_type.code().to_owned(),
        vehicle_type: licence.vehicle_type.as_str().to_owned(),
        use_nature: licence.use_nature.code().to_owned(),
        energy_type: licence.energy.code().to_owned(),
        vin: if whole { licence.vin.as_str().to_owned() } else { licence.vin.mask() },
        body_colour: licence.body_colour.map(|colour| colour.code().to_owned()).unwrap_or_default(),
        brand_model: licence.brand_model.clone(),
        gross_mass_kg: gross,
        kerb_mass_kg: kerb,
        rated_load_kg: load,
        outer_length_mm: length,
        outer_width_mm: width,
        outer_height_mm: height,
        emission_stage: licence.emission_stage,
        inspection_valid_until: licence.inspection_valid_until.to_string(),
        insurance_valid_until: licence.insurance_valid_until.to_string(),
        scrapping_date: day(licence.scrapping_date),
        relation,
        contract_valid_until: day(licence.contract_valid_until),
        transport_permit_valid_until: day(licence.transport_permit_valid_until),
        vehicle_states: vehicle.states.to_string(),
        warnings: licence.warnings().into_iter().map(warning).collect(),
        blacklisted: vehicle.blacklisted,
        retire_time: wire::time_of(vehicle.retire_time),
        contested: vehicle.contested,
        etag: wire::etag(vehicle.version),
    }
}
