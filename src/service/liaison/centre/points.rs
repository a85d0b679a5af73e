//! The points of joint meetings: put on a list, decided, settled or dropped. What was decided is an
//! obligation of the unit that owes it.

use super::{Centre, meetings::leads};
use crate::{
    actor::{Actor, Matter},
    context::Cx,
    domain::{
        common::lifecycle::Moved,
        complaint::{
            Field, Passage, going_from,
            meeting::{JointMeeting, MeetingPoint, PointAction, Seat},
            without,
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Collection as _, Id, Subject, kind},
    service::{
        complaint::complaints::redacted,
        pb,
        wire::{self, Page},
    },
    store::{
        Connection, Tx,
        common::history,
        complaint::{
            complaints::{self, redactions},
            meetings::{
                self,
                points::{self, Filter},
            },
        },
        identity::units,
        liaison::problems,
        pass::policy_inputs,
    },
};

/// The longest title, and the longest other text, in characters.
const TITLE_CHARACTERS_MAX: usize = 100;
const TEXT_CHARACTERS_MAX: usize = 500;

/// What a point is about, parsed.
enum About {
    Complaint(Id<kind::Complaint>),
    Problem(Id<kind::Problem>),
    Text(Option<Id<kind::Enterprise>>),
}

/// A point that somebody wants on a list, parsed.
struct Wanted {
    about: About,
    title: String,
    note: String,
}

impl Centre {
    pub(super) async fn add_meeting_point(
        &self,
        cx: &Cx,
        request: pb::AddMeetingPointRequest,
    ) -> Result<pb::MeetingPoint> {
        cx.actor.sworn()?;
        let form = request.meeting_point.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let meeting = Id::<kind::JointMeeting>::parse(&request.joint_meeting);
        let meeting = faults.take("joint_meeting", meeting);
        let wanted = wanted(&form, &mut faults);
        let (meeting, wanted) = faults.whole((meeting, wanted))?;
        let again = async |reply| self.repeated_point(reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let meeting = meetings::lock(tx, meeting, &cx.scope_of(Matter::Meeting)).await?;
            let point = add(tx, cx, &meeting, wanted).await?;
            Ok(reply(cx, point))
        })
        .await
    }

    pub(super) async fn decide_meeting_point(
        &self,
        cx: &Cx,
        request: pb::DecideMeetingPointRequest,
    ) -> Result<pb::MeetingPoint> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::MeetingPoint>(&request.name);
        let unit = faults.take("owing_unit", Id::<kind::Unit>::parse(&request.owing_unit));
        let day = faults.take("due_day", wire::day(&request.due_day));
        let decision = faults.take("decision", wire::text(&request.decision, TEXT_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, unit, day, decision) = faults.whole((id, unit, day, decision))?;
        let again = async |reply| self.repeated_point(reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let (meeting, point) = lead(tx, cx, id).await?;
            wire::fresh(version, point.version)?;
            let owing = seat(tx, cx, &meeting, unit).await?;
            let decided = point.decide(&meeting, owing, day, decision, cx)?;
            let point = tx.settle_now(decided).await?;
            Ok(reply(cx, point))
        })
        .await
    }

    pub(super) async fn settle_meeting_point(
        &self,
        cx: &Cx,
        request: pb::SettleMeetingPointRequest,
    ) -> Result<pb::MeetingPoint> {
        let unit = cx.actor.sworn()?.unit;
        let mut faults = Faults::new();
        let id = faults.name::<kind::MeetingPoint>(&request.name);
        let outcome = faults.take("outcome", wire::text(&request.outcome, TEXT_CHARACTERS_MAX));
        let note = faults.take("note", wire::text_maybe(&request.note, TEXT_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, outcome, note) = faults.whole((id, outcome, note))?;
        let again = async |reply| self.repeated_point(reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let point = points::lock(tx, id, &cx.scope_of(Matter::Meeting)).await?;
            // Whoever merely sees it, as the units above do, settles nothing.
            if point.owing.as_ref().is_some_and(|seat| seat.unit != unit) {
                return Err(cx.scope().missing(id.subject()));
            }
            wire::fresh(version, point.version)?;
            let point = tx.settle_now(point.settle(outcome, note, cx)?).await?;
            Ok(reply(cx, point))
        })
        .await
    }

    pub(super) async fn drop_meeting_point(
        &self,
        cx: &Cx,
        request: pb::DropMeetingPointRequest,
    ) -> Result<pb::MeetingPoint> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::MeetingPoint>(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, TEXT_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, reason) = faults.whole((id, reason))?;
        let again = async |reply| self.repeated_point(reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let (_, point) = lead(tx, cx, id).await?;
            wire::fresh(version, point.version)?;
            let point = tx.settle_now(point.drop_for(reason, cx)?).await?;
            Ok(reply(cx, point))
        })
        .await
    }

    pub(super) async fn list_meeting_point_changes(
        &self,
        cx: &Cx,
        request: pb::ListMeetingPointChangesRequest,
    ) -> Result<pb::ListMeetingPointChangesResponse> {
        let id = Id::<kind::MeetingPoint>::parse(&request.name);
        let id = id.map_err(|flaw| Error::field("name", flaw))?;
        let mut connection = self.store.read().await?;
        let requests = cx.sight_of(Matter::Request);
        let meetings = cx.sight_of(Matter::Meeting);
        let point = points::get(&mut connection, id, &meetings, &requests).await?;
        let written = history::list(&mut connection, id.subject()).await?;
        let subject = point.subject.map(|(of, id)| format!("{of}/{id}")).unwrap_or_default();
        let written = redacted(written, &self.taken(&mut connection, &subject).await?);
        let officer = matches!(cx.actor, Actor::Officer { .. });
        Ok(pb::ListMeetingPointChangesResponse {
            changes: wire::changes::<PointAction>(written, officer),
        })
    }

    /// The first answer to a repeated request, without what was redacted of its complaint since.
    async fn repeated_point(&self, first: pb::MeetingPoint) -> Result<pb::MeetingPoint> {
        let mut connection = self.store.read().await?;
        let taken = self.taken(&mut connection, &first.subject).await?;
        let going = going_from(&taken, Field::Note);
        Ok(pb::MeetingPoint {
            title: without(&first.title, &going),
            note: without(&first.note, &going),
            decision: without(&first.decision, &going),
            outcome: without(&first.outcome, &going),
            ..first
        })
    }

    /// What was taken out of the complaint that a point is about.
    async fn taken(&self, connection: &mut Connection, subject: &str) -> Result<Vec<Passage>> {
        match Id::<kind::Complaint>::parse(subject) {
            Ok(id) => redactions::passages(connection, self.store.vault(), id).await,
            Err(_) => Ok(Vec::new()),
        }
    }

    pub(super) async fn list_meeting_points(
        &self,
        cx: &Cx,
        request: pb::ListMeetingPointsRequest,
    ) -> Result<pb::ListMeetingPointsResponse> {
        let mut faults = Faults::new();
        let unit = maybe::<kind::Unit>(&request.unit, "unit", &mut faults);
        let meeting =
            maybe::<kind::JointMeeting>(&request.joint_meeting, "joint_meeting", &mut faults);
        faults.done()?;
        let open = if request.open { "open" } else { "" };
        let arguments = [cx.method, &request.unit, open, &request.joint_meeting];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Meeting), self.store.read().await?);
        let unit = match unit {
            Some(unit) => Some(units::get(&mut connection, unit, &scope).await?.path),
            None => None,
        };
        let filter = Filter {
            unit_path: unit.as_deref(),
            meeting: meeting.map(Id::uuid),
            open: request.open,
        };
        let (after, rows) = (page.after, page.rows());
        let sights = (&scope, &cx.sight_of(Matter::Request));
        let mut found = points::list(&mut connection, filter, sights, after, rows).await?;
        let next_page_token = page.cut(&mut found, MeetingPoint::place);
        let meeting_points = found.into_iter().map(|point| reply(cx, point)).collect();
        Ok(pb::ListMeetingPointsResponse { meeting_points, next_page_token })
    }
}

fn maybe<K: crate::id::Collection>(
    name: &str,
    field: &'static str,
    faults: &mut Faults,
) -> Option<Id<K>> {
    if name.is_empty() { None } else { faults.take(field, Id::parse(name)) }
}

fn wanted(form: &pb::MeetingPoint, faults: &mut Faults) -> Option<Wanted> {
    let subject = form.subject.as_str();
    let about = if subject.is_empty() {
        let field = "meeting_point.enterprise";
        let enterprise = maybe::<kind::Enterprise>(&form.enterprise, field, faults);
        Some(About::Text(enterprise))
    } else {
        let known = form.enterprise.is_empty();
        faults.check(known, "meeting_point.enterprise", Flaw::NotAllowed);
        let about = if subject.starts_with(kind::Problem::NAME) {
            Id::parse(subject).map(About::Problem)
        } else {
            Id::parse(subject).map(About::Complaint)
        };
        faults.take("meeting_point.subject", about)
    };
    let read = if subject.is_empty() { wire::text } else { wire::text_maybe };
    let title = faults.take("meeting_point.title", read(&form.title, TITLE_CHARACTERS_MAX));
    let note = wire::text_maybe(&form.note, TEXT_CHARACTERS_MAX);
    let note = faults.take("meeting_point.note", note);
    Some(Wanted { about: about?, title: title?, note: note? })
}

/// Puts it on the list: the point that waits already, or a new one. A thing is on one list at a time.
async fn add(tx: &mut Tx, cx: &Cx, meeting: &JointMeeting, wanted: Wanted) -> Result<MeetingPoint> {
    let drawn = match wanted.about {
        About::Complaint(id) => of_complaint(tx, cx, id).await?,
        About::Problem(id) => of_problem(tx, cx, id).await?,
        About::Text(enterprise) => of_text(tx, cx, meeting, enterprise).await?,
    };
    let title = if wanted.title.is_empty() { drawn.title.clone() } else { wanted.title };
    let drawn = MeetingPoint { title, note: wanted.note, ..drawn };
    let waiting = match subject_of(&drawn) {
        Some(subject) => points::lock_open(tx, subject).await?,
        None => None,
    };
    match waiting {
        Some(waiting) => {
            let listed = with_note(waiting.list(meeting, cx)?, drawn.note);
            tx.settle_now(listed).await
        }
        None => tx.settle_first(drawn.begin(meeting, cx)?, points::insert).await,
    }
}

fn with_note(moved: Moved<MeetingPoint>, note: String) -> Moved<MeetingPoint> {
    moved.map(|point| MeetingPoint { note, ..point })
}

fn subject_of(point: &MeetingPoint) -> Option<Subject> {
    let (collection, id) = point.subject.as_ref()?;
    if collection == kind::Problem::NAME {
        Some(Id::<kind::Problem>::of(*id).subject())
    } else {
        Some(Id::<kind::Complaint>::of(*id).subject())
    }
}

async fn of_complaint(tx: &mut Tx, cx: &Cx, id: Id<kind::Complaint>) -> Result<MeetingPoint> {
    let complaint = complaints::lock(tx, id, &cx.scope_of(Matter::Meeting)).await?;
    MeetingPoint::of_escalated(&complaint, cx)
}

async fn of_problem(tx: &mut Tx, cx: &Cx, id: Id<kind::Problem>) -> Result<MeetingPoint> {
    let problem = problems::lock(tx, id, &cx.scope_of(Matter::Care)).await?;
    MeetingPoint::of_problem(problem, cx)
}

async fn of_text(
    tx: &mut Tx,
    cx: &Cx,
    meeting: &JointMeeting,
    enterprise: Option<Id<kind::Enterprise>>,
) -> Result<MeetingPoint> {
    let unit_path = match enterprise {
        Some(enterprise) => {
            policy_inputs::site(tx.conn(), enterprise, &cx.scope_of(Matter::Meeting)).await?.0
        }
        None => meeting.host.path.clone(),
    };
    let point = MeetingPoint::about(meeting.id.subject(), unit_path, String::new(), cx);
    Ok(MeetingPoint { subject: None, enterprise, ..point })
}

/// A point on a list and its meeting, held until the unit of work ends, for whoever leads the meeting.
/// The meeting first, as whoever closes it or adds to it: nobody waits in a ring.
async fn lead(
    tx: &mut Tx,
    cx: &Cx,
    id: Id<kind::MeetingPoint>,
) -> Result<(JointMeeting, MeetingPoint)> {
    let scope = cx.scope_of(Matter::Meeting);
    let waiting = points::get(tx.conn(), id, &scope, &scope).await?;
    let meeting = waiting.meeting.ok_or_else(|| {
        Error::new(Reason::TransitionIllegal).fact("state", waiting.state().wire())
    })?;
    let meeting = meetings::lock(tx, meeting, &scope).await?;
    leads(cx, &meeting)?;
    let point = points::lock(tx, id, &scope).await?;
    Ok((meeting, point))
}

/// Where the unit sits that is to owe something: it takes part, or the leader leads it anyway.
async fn seat(tx: &mut Tx, cx: &Cx, meeting: &JointMeeting, unit: Id<kind::Unit>) -> Result<Seat> {
    if let Some(seat) = meeting.seat(unit) {
        return Ok(seat.clone());
    }
    let unit = units::get(tx.conn(), unit, &cx.scope()).await?;
    Ok(Seat { unit: unit.id, path: unit.path })
}

/// What the reader may know: an enterprise reads no notes among officers.
fn reply(cx: &Cx, point: MeetingPoint) -> pb::MeetingPoint {
    let officer = matches!(cx.actor, Actor::Officer { .. });
    let state = wire::enumerated::<pb::meeting_point::State>(point.state());
    let subject = point.subject.map(|(collection, id)| format!("{collection}/{id}"));
    pb::MeetingPoint {
        name: point.id.to_string(),
        joint_meeting: point.meeting.map(|meeting| meeting.to_string()).unwrap_or_default(),
        subject: subject.unwrap_or_default(),
        enterprise: point.enterprise.map(|it| it.to_string()).unwrap_or_default(),
        title: point.title,
        note: if officer { point.note } else { String::new() },
        state,
        decision: point.decision,
        owing_unit: point.owing.map(|seat| seat.unit.to_string()).unwrap_or_default(),
        due_day: point.due_day.map(|day| day.to_string()).unwrap_or_default(),
        outcome: point.outcome,
        create_time: Some(wire::time(point.create_time)),
        etag: wire::etag(point.version),
    }
}
