//! Joint meetings (警企联席会议; measure 19): called, closed with minutes. What is on their lists stands
//! in `points`.

use uuid::Uuid;

use super::Centre;
use crate::{
    actor::{Actor, Matter},
    context::Cx,
    domain::{
        common::lifecycle::Held,
        complaint::meeting::{JointMeeting, MeetingState, Seat},
    },
    error::{Faults, Flaw, Result},
    id::{Collection, Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{complaint::meetings, identity::units},
};

/// The most units and enterprises that are invited.
const UNITS_MAX: usize = 40;
const ENTERPRISES_MAX: usize = 100;
/// The longest minutes, in characters.
const MINUTES_CHARACTERS_MAX: usize = 4_000;

impl Centre {
    pub(super) async fn create_joint_meeting(
        &self,
        cx: &Cx,
        request: pb::CreateJointMeetingRequest,
    ) -> Result<pb::JointMeeting> {
        let unit = cx.actor.sworn()?.unit;
        let form = request.joint_meeting.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let title = faults.take("joint_meeting.title", wire::text(&form.title, 100));
        let place = faults.take("joint_meeting.place", wire::text(&form.place, 200));
        let meet_time = faults.take("joint_meeting.meet_time", wire::instant(form.meet_time));
        let ahead = meet_time.is_none_or(|at| at >= cx.now);
        faults.check(ahead, "joint_meeting.meet_time", Flaw::InPast);
        let units = named::<kind::Unit>(&form.units, UNITS_MAX, "units", &mut faults);
        let enterprises = named::<kind::Enterprise>(
            &form.enterprises,
            ENTERPRISES_MAX,
            "enterprises",
            &mut faults,
        );
        let (title, place, meet_time) = faults.whole((title, place, meet_time))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let scope = cx.scope();
            let guests = meetings::seats(tx.conn(), &units).await?;
            let invited = meetings::invitable(tx.conn(), &enterprises, &scope).await?;
            let mut faults = Faults::new();
            let seated = |unit: &Uuid| guests.iter().any(|seat| seat.unit.uuid() == *unit);
            all_known(&units, seated, "units", &mut faults);
            all_known(&enterprises, |it| invited.contains(it), "enterprises", &mut faults);
            faults.done()?;
            let host = units::get(tx.conn(), unit, &scope).await?;
            let meeting = JointMeeting {
                id: cx.id(),
                host: Seat { unit: host.id, path: host.path },
                title,
                place,
                meet_time,
                guests,
                enterprises: invited.into_iter().map(Id::of).collect(),
                minutes: String::new(),
                create_time: cx.now,
                close_time: None,
                version: 1,
                held: Held::default(),
            };
            let meeting = tx.settle_first(meeting.call(cx), meetings::insert).await?;
            Ok(reply(cx, meeting))
        })
        .await
    }

    pub(super) async fn get_joint_meeting(
        &self,
        cx: &Cx,
        request: pb::GetJointMeetingRequest,
    ) -> Result<pb::JointMeeting> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        Ok(reply(cx, meetings::get(&mut connection, id, &cx.sight_of(Matter::Meeting)).await?))
    }

    pub(super) async fn list_joint_meetings(
        &self,
        cx: &Cx,
        request: pb::ListJointMeetingsRequest,
    ) -> Result<pb::ListJointMeetingsResponse> {
        let state = MeetingState::from_wire(request.state().as_str_name()).map(MeetingState::wire);
        let arguments = [cx.method, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Meeting), self.store.read().await?);
        let mut found =
            meetings::list(&mut connection, state, &scope, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |meeting| meeting.id.uuid());
        let joint_meetings = found.into_iter().map(|meeting| reply(cx, meeting)).collect();
        Ok(pb::ListJointMeetingsResponse { joint_meetings, next_page_token })
    }

    pub(super) async fn close_joint_meeting(
        &self,
        cx: &Cx,
        request: pb::CloseJointMeetingRequest,
    ) -> Result<pb::JointMeeting> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::JointMeeting>(&request.name);
        let minutes = faults.take("minutes", wire::text(&request.minutes, MINUTES_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, minutes) = faults.whole((id, minutes))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let meeting = meetings::lock(tx, id, &cx.scope_of(Matter::Meeting)).await?;
            leads(cx, &meeting)?;
            wire::fresh(version, meeting.version)?;
            let undecided = meetings::points::undecided(tx, id).await?;
            let closed = meeting.close(minutes, undecided, cx)?;
            let meeting = tx.settle_now(closed).await?;
            Ok(reply(cx, meeting))
        })
        .await
    }
}

/// Refuses a leader whose unit neither called the meeting nor stands above the one that did: a guest
/// takes part, and decides nothing.
pub(super) fn leads(cx: &Cx, meeting: &JointMeeting) -> Result<()> {
    let scope = cx.scope();
    let reach = scope.unit_path.as_deref();
    if reach.is_some_and(|reach| meeting.host.path.starts_with(reach)) {
        Ok(())
    } else {
        Err(scope.missing(meeting.id.subject()))
    }
}

/// Reads a bounded list of names, each once.
fn named<K: Collection>(
    names: &[String],
    most: usize,
    field: &str,
    faults: &mut Faults,
) -> Vec<Uuid> {
    faults.check(names.len() <= most, format!("joint_meeting.{field}"), Flaw::TooMany);
    let mut ids = Vec::new();
    for (index, name) in names.iter().take(most).enumerate() {
        let path = format!("joint_meeting.{field}[{index}]");
        let Some(id) = faults.take(&path, Id::<K>::parse(name)) else { continue };
        faults.check(!ids.contains(&id.uuid()), path, Flaw::Duplicate);
        ids.push(id.uuid());
    }
    ids
}

fn all_known(ids: &[Uuid], known: impl Fn(&Uuid) -> bool, field: &str, faults: &mut Faults) {
    for (index, id) in ids.iter().enumerate() {
        faults.check(known(id), format!("joint_meeting.{field}[{index}]"), Flaw::UnknownValue);
    }
}

/// What the reader may know: an enterprise reads when and where, and neither who else comes nor what
/// was said of others.
fn reply(cx: &Cx, meeting: JointMeeting) -> pb::JointMeeting {
    let officer = matches!(cx.actor, Actor::Officer { .. });
    let state = wire::enumerated::<pb::joint_meeting::State>(meeting.state());
    let own = cx.scope().enterprises;
    let enterprises = meeting.enterprises.iter().filter(|it| officer || own.contains(&it.uuid()));
    let units = meeting.guests.iter().filter(|_| officer);
    pb::JointMeeting {
        name: meeting.id.to_string(),
        unit: meeting.host.unit.to_string(),
        enterprises: enterprises.map(ToString::to_string).collect(),
        units: units.map(|seat| seat.unit.to_string()).collect(),
        title: meeting.title,
        place: meeting.place,
        meet_time: Some(wire::time(meeting.meet_time)),
        state,
        minutes: if officer { meeting.minutes } else { String::new() },
        create_time: Some(wire::time(meeting.create_time)),
        close_time: wire::time_of(meeting.close_time),
        etag: wire::etag(meeting.version),
    }
}
