//! Drivers: named by the enterprise, claimed by the person whose phone it is.

use super::{Enterprises, vehicles::own};
use crate::{
    actor::Matter,
    context::Cx,
    domain::codes::{Phone, Plate, PlateType, mask},
    error::{Error, Faults, Flaw, Result},
    id::Id,
    service::{pb, wire},
    store::enterprise::{
        drivers::{self, Driver},
        vehicles,
    },
};

impl Enterprises {
    pub(super) async fn add_driver(
        &self,
        cx: &Cx,
        request: pb::AddDriverRequest,
    ) -> Result<pb::Driver> {
        let mut faults = Faults::new();
        let vehicle = faults.take("vehicle", Id::parse(&request.vehicle));
        let full_name = faults.take("full_name", wire::name(&request.full_name));
        let phone = Phone::parse(&request.phone);
        let phone =
            phone.and_then(|it| if it.is_mobile() { Ok(it) } else { Err(Flaw::PhoneMalformed) });
        let phone = faults.take("phone", phone);
        let (vehicle, full_name, phone) = faults.whole((vehicle, full_name, phone))?;
        wire::write(&self.store, cx, &request, async |tx| {
            own(tx, cx, vehicle).await?;
            let driver = Driver {
                id: cx.id(),
                vehicle,
                full_name,
                phone: phone.as_str().to_owned(),
                claim_time: None,
                end_time: None,
            };
            drivers::insert(tx, &driver).await?;
            Ok(reply(&driver))
        })
        .await
    }

    pub(super) async fn claim_vehicle(
        &self,
        cx: &Cx,
        request: pb::ClaimVehicleRequest,
    ) -> Result<pb::Driver> {
        let person = cx.actor.person()?;
        let mut faults = Faults::new();
        let plate = faults.take("plate_number", Plate::parse(&request.plate_number));
        let plate_type = faults.take("plate_type", PlateType::parse(&request.plate_type));
        let (plate, plate_type) = faults.whole((plate, plate_type))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let driver = drivers::claim(tx, person, plate.as_str(), plate_type.code()).await?;
            Ok(reply(&driver))
        })
        .await
    }

    pub(super) async fn list_drivers(
        &self,
        cx: &Cx,
        request: pb::ListDriversRequest,
    ) -> Result<pb::ListDriversResponse> {
        let id = Id::parse(&request.vehicle).map_err(|flaw| Error::field("vehicle", flaw))?;
        let mut connection = self.store.read().await?;
        let sight = cx.sight_of(Matter::Garage);
        let vehicle = vehicles::get(&mut connection, id, &sight, cx.now).await?;
        let found = drivers::list(&mut connection, self.store.vault(), &vehicle, &sight).await?;
        Ok(pb::ListDriversResponse { drivers: found.iter().map(reply).collect() })
    }

    pub(super) async fn remove_driver(
        &self,
        cx: &Cx,
        request: pb::RemoveDriverRequest,
    ) -> Result<pb::Driver> {
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let driver = drivers::end(tx, id, &cx.scope_of(Matter::Garage)).await?;
            let vehicle =
                vehicles::get(tx.conn(), driver.vehicle, &cx.scope_of(Matter::Garage), cx.now)
                    .await?;
            super::vehicles::may_change(cx, vehicle.enterprise)?;
            Ok(reply(&driver))
        })
        .await
    }
}

fn reply(driver: &Driver) -> pb::Driver {
    pb::Driver {
        name: driver.id.to_string(),
        vehicle: driver.vehicle.to_string(),
        display_name: mask::name(&driver.full_name),
        phone: mask::phone(&driver.phone),
        claim_time: wire::time_of(driver.claim_time),
        end_time: wire::time_of(driver.end_time),
    }
}
