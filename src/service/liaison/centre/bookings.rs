//! Booked places at the service centre: taken and given back with the booking, in one unit of work.

use super::Centre;
use crate::{
    actor::{Actor, Item, Matter},
    context::Cx,
    domain::{
        common::lifecycle::Held,
        liaison::booking::{Booking, BookingAction, CONFIRM_WITHIN},
    },
    error::{Error, Faults, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::liaison::{bindings, bookings},
};

impl Centre {
    pub(super) async fn create_centre_booking(
        &self,
        cx: &Cx,
        request: pb::CreateCentreBookingRequest,
    ) -> Result<pb::CentreBooking> {
        let form = request.centre_booking.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let slot = faults.take("centre_booking.centre_slot", Id::parse(&form.centre_slot));
        let enterprise = faults.take("centre_booking.enterprise", Id::parse(&form.enterprise));
        let subject = faults.take("centre_booking.subject", wire::text(&form.subject, 200));
        let (slot, enterprise, subject) = faults.whole((slot, enterprise, subject))?;
        let enterprise: Id<kind::Enterprise> = enterprise;
        if !cx.actor.acts_for(enterprise, Item::Liaison) {
            return Err(cx.scope().missing(enterprise.subject()));
        }
        wire::write(&self.store, cx, &request, async |tx| {
            let known = bindings::whereabouts(tx, enterprise).await?;
            if !known.is_some_and(|known| known.state.proven()) {
                return Err(Error::new(Reason::EnterpriseNotVerified));
            }
            let unit_path = bookings::take_place(tx, slot).await?;
            let booking = Booking {
                id: cx.id(),
                slot,
                enterprise,
                unit_path,
                subject,
                // In a year without a notice provisionally: a place that nobody owes a word on would be forgotten.
                confirm_due_time: Some(self.world.calendar().due(cx.now, CONFIRM_WITHIN)?.at),
                create_time: cx.now,
                version: 1,
                held: Held::default(),
            };
            let booking = tx.settle_first(booking.request(cx), bookings::insert).await?;
            Ok(reply(booking))
        })
        .await
    }

    pub(super) async fn move_booking(
        &self,
        cx: &Cx,
        request: pb::MoveCentreBookingRequest,
        action: BookingAction,
    ) -> Result<pb::CentreBooking> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text_maybe(&request.note, 500));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, note) = faults.whole((id, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let booking = bookings::lock(tx, id, &cx.scope_of(Matter::Centre)).await?;
            let own = matches!(cx.actor, Actor::Officer { .. })
                || cx.actor.acts_for(booking.enterprise, Item::Liaison);
            if !own {
                return Err(cx.scope().missing(booking.id.subject()));
            }
            wire::fresh(version, booking.version)?;
            let booking = tx.settle_now(booking.act(action, note, cx)?).await?;
            // The lifecycle lets a booking be cancelled once, so its place comes back once.
            if action == BookingAction::Cancel {
                bookings::give_place(tx, booking.slot).await?;
            }
            Ok(reply(booking))
        })
        .await
    }

    pub(super) async fn list_centre_bookings(
        &self,
        cx: &Cx,
        request: pb::ListCentreBookingsRequest,
    ) -> Result<pb::ListCentreBookingsResponse> {
        let slot = if request.centre_slot.is_empty() {
            None
        } else {
            let id = Id::<kind::CentreSlot>::parse(&request.centre_slot);
            Some(id.map_err(|flaw| Error::field("centre_slot", flaw))?.uuid())
        };
        let arguments = [cx.method, &request.centre_slot];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Centre), self.store.read().await?);
        let mut found =
            bookings::list(&mut connection, slot, &scope, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |booking| booking.id.uuid());
        let centre_bookings = found.into_iter().map(reply).collect();
        Ok(pb::ListCentreBookingsResponse { centre_bookings, next_page_token })
    }
}

fn reply(booking: Booking) -> pb::CentreBooking {
    let state = wire::enumerated::<pb::centre_booking::State>(booking.state());
    pb::CentreBooking {
        name: booking.id.to_string(),
        centre_slot: booking.slot.to_string(),
        enterprise: booking.enterprise.to_string(),
        state,
        confirm_due_time: wire::time_of(booking.confirm_due_time),
        create_time: Some(wire::time(booking.create_time)),
        etag: wire::etag(booking.version),
        subject: booking.subject,
    }
}
