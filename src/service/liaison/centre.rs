//! Around the direct line (measures 17 and 18): visits and the times of the service centre. Problems
//! stand in `problems`, booked places in `bookings`, joint meetings (measure 19) in `meetings` and
//! `points`.

mod bookings;
mod meetings;
mod points;
mod problems;

use uuid::Uuid;

use crate::{
    actor::{Actor, Matter},
    context::Cx,
    domain::liaison::{booking::BookingAction, problem::ProblemAction},
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, centre_service_server::CentreService},
        rpc,
        wire::{self, Page},
    },
    store::{
        self, Store, World,
        liaison::{
            bookings::Slot,
            visits::{self, Visit},
        },
    },
};

/// The most places of one time.
const CAPACITY_MAX: i32 = 500;
/// The longest text of a visit, in characters.
const TEXT_CHARACTERS_MAX: usize = 2_000;

/// The service.
pub struct Centre {
    store: Store,
    world: World,
}

rpc! { CentreService, Centre {
    record_visit(pb::RecordVisitRequest) -> pb::Visit;
    list_visits(pb::ListVisitsRequest) -> pb::ListVisitsResponse;
    register_problem(pb::RegisterProblemRequest) -> pb::Problem;
    promise_problem(pb::PromiseProblemRequest) -> pb::Problem;
    solve_problem(pb::EndProblemRequest) -> pb::Problem = end_problem(ProblemAction::Solve);
    drop_problem(pb::EndProblemRequest) -> pb::Problem = end_problem(ProblemAction::Drop);
    get_problem(pb::GetProblemRequest) -> pb::Problem;
    list_problems(pb::ListProblemsRequest) -> pb::ListProblemsResponse;
    list_problem_changes(pb::GetProblemRequest) -> pb::ListProblemChangesResponse;
    create_centre_slot(pb::CreateCentreSlotRequest) -> pb::CentreSlot;
    list_centre_slots(pb::ListCentreSlotsRequest) -> pb::ListCentreSlotsResponse;
    create_centre_booking(pb::CreateCentreBookingRequest) -> pb::CentreBooking;
    confirm_centre_booking(pb::MoveCentreBookingRequest) -> pb::CentreBooking = move_booking(BookingAction::Confirm);
    cancel_centre_booking(pb::MoveCentreBookingRequest) -> pb::CentreBooking = move_booking(BookingAction::Cancel);
    complete_centre_booking(pb::MoveCentreBookingRequest) -> pb::CentreBooking = move_booking(BookingAction::Complete);
    list_centre_bookings(pb::ListCentreBookingsRequest) -> pb::ListCentreBookingsResponse;
    create_joint_meeting(pb::CreateJointMeetingRequest) -> pb::JointMeeting;
    get_joint_meeting(pb::GetJointMeetingRequest) -> pb::JointMeeting;
    list_joint_meetings(pb::ListJointMeetingsRequest) -> pb::ListJointMeetingsResponse;
    close_joint_meeting(pb::CloseJointMeetingRequest) -> pb::JointMeeting;
    add_meeting_point(pb::AddMeetingPointRequest) -> pb::MeetingPoint;
    decide_meeting_point(pb::DecideMeetingPointRequest) -> pb::MeetingPoint;
    settle_meeting_point(pb::SettleMeetingPointRequest) -> pb::MeetingPoint;
    drop_meeting_point(pb::DropMeetingPointRequest) -> pb::MeetingPoint;
    list_meeting_points(pb::ListMeetingPointsRequest) -> pb::ListMeetingPointsResponse;
    list_meeting_point_changes(
        pb::ListMeetingPointChangesRequest
    ) -> pb::ListMeetingPointChangesResponse;
} }

impl Centre {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone() }
    }

    async fn record_visit(&self, cx: &Cx, request: pb::RecordVisitRequest) -> Result<pb::Visit> {
        let officer = cx.actor.officer()?;
        let form = request.visit.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let enterprise = faults.take("visit.enterprise", Id::parse(&form.enterprise));
        let visit_time = faults.take("visit.visit_time", wire::instant(form.visit_time));
        let past = visit_time.is_none_or(|at| at <= cx.now);
        faults.check(past, "visit.visit_time", Flaw::TooFarAhead);
        let place = faults.take("visit.place", wire::text(&form.place, 200));
        let people = faults.take("visit.people", wire::text_maybe(&form.people, 200));
        let summary = wire::text_maybe(&form.summary, TEXT_CHARACTERS_MAX);
        let summary = faults.take("visit.summary", summary);
        let findings = wire::text_maybe(&form.findings, TEXT_CHARACTERS_MAX);
        let findings = faults.take("visit.findings", findings);
        let (enterprise, visit_time, place) = faults.whole((enterprise, visit_time, place))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise =
                store::enterprise::enterprises::lock(tx, enterprise, &cx.scope_of(Matter::Care))
                    .await?;
            let visit = Visit {
                id: cx.id(),
                enterprise: enterprise.id,
                unit_path: enterprise.claim.unit_path,
                officer,
                visit_time,
                place,
                people: people.unwrap_or_default(),
                summary: summary.unwrap_or_default(),
                findings: findings.unwrap_or_default(),
                create_time: cx.now,
            };
            visits::insert(tx, &visit).await?;
            Ok(visit_reply(cx, visit))
        })
        .await
    }

    async fn list_visits(
        &self,
        cx: &Cx,
        request: pb::ListVisitsRequest,
    ) -> Result<pb::ListVisitsResponse> {
        let enterprise = enterprise_of(&request.enterprise)?;
        let arguments = [cx.method, &request.enterprise];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Care), self.store.read().await?);
        let (after, rows) = (page.after, page.rows());
        let mut found = visits::list(&mut connection, enterprise, &scope, after, rows).await?;
        let next_page_token = page.cut(&mut found, |visit| visit.id.uuid());
        let visits = found.into_iter().map(|visit| visit_reply(cx, visit)).collect();
        Ok(pb::ListVisitsResponse { visits, next_page_token })
    }

    async fn create_centre_slot(
        &self,
        cx: &Cx,
        request: pb::CreateCentreSlotRequest,
    ) -> Result<pb::CentreSlot> {
        cx.actor.sworn()?;
        let form = request.centre_slot.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let unit = faults.take("centre_slot.unit", Id::<kind::Unit>::parse(&form.unit));
        let place = faults.take("centre_slot.place", wire::text(&form.place, 200));
        let start = faults.take("centre_slot.start_time", wire::instant(form.start_time));
        let end = faults.take("centre_slot.end_time", wire::instant(form.end_time));
        if let (Some(start), Some(end)) = (start, end) {
            faults.check(start > cx.now, "centre_slot.start_time", Flaw::InPast);
            faults.check(end > start, "centre_slot.end_time", Flaw::EndBeforeStart);
        }
        let fits = (1..=CAPACITY_MAX).contains(&form.capacity);
        faults.check(fits, "centre_slot.capacity", Flaw::OutOfRange);
        let (unit, place, start_time, end_time) = faults.whole((unit, place, start, end))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let unit = store::identity::units::get(tx.conn(), unit, &cx.scope()).await?;
            let slot = Slot {
                id: cx.id(),
                unit: unit.id,
                unit_path: unit.path,
                place,
                start_time,
                end_time,
                capacity: form.capacity,
                used: 0,
            };
            store::liaison::bookings::insert_slot(tx, &slot).await?;
            Ok(slot_reply(slot))
        })
        .await
    }

    async fn list_centre_slots(
        &self,
        cx: &Cx,
        request: pb::ListCentreSlotsRequest,
    ) -> Result<pb::ListCentreSlotsResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let mut connection = self.store.read().await?;
        let mut found =
            store::liaison::bookings::slots(&mut connection, cx.now, page.after, page.rows())
                .await?;
        let next_page_token = page.cut(&mut found, |slot| slot.id.uuid());
        let centre_slots = found.into_iter().map(slot_reply).collect();
        Ok(pb::ListCentreSlotsResponse { centre_slots, next_page_token })
    }
}

/// The enterprise that a list is narrowed to.
fn enterprise_of(name: &str) -> Result<Option<Uuid>> {
    if name.is_empty() {
        return Ok(None);
    }
    let id = Id::<kind::Enterprise>::parse(name).map(Id::uuid);
    id.map(Some).map_err(|flaw| Error::field("enterprise", flaw))
}

fn visit_reply(cx: &Cx, visit: Visit) -> pb::Visit {
    let officer = matches!(cx.actor, Actor::Officer { .. });
    pb::Visit {
        name: visit.id.to_string(),
        enterprise: visit.enterprise.to_string(),
        officer: visit.officer.to_string(),
        visit_time: Some(wire::time(visit.visit_time)),
        place: visit.place,
        people: visit.people,
        summary: visit.summary,
        findings: if officer { visit.findings } else { String::new() },
        create_time: Some(wire::time(visit.create_time)),
    }
}

fn slot_reply(slot: Slot) -> pb::CentreSlot {
    pb::CentreSlot {
        name: slot.id.to_string(),
        unit: slot.unit.to_string(),
        place: slot.place,
        start_time: Some(wire::time(slot.start_time)),
        end_time: Some(wire::time(slot.end_time)),
        capacity: slot.capacity,
        used: slot.used,
    }
}
