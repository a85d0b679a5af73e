//! Checks at a checkpoint: who asks and what was seen, the record before the answer, what the
//! officer did then. How facts become a judgement stands in `judge`, what a code says in `code`.

mod ask;
mod code;
mod judge;
mod keys;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka::sync::Cache as Memo;
use prost::Message as _;

use self::{
    ask::{Ask, Observed},
    code::{Codes, Scan},
    judge::{Basis, Judged, Question},
};
use crate::{
    actor::Matter,
    context::Cx,
    domain::{
        codes::Plate,
        common::lifecycle::Note,
        pass::check::{
            CheckAction, CheckOutcome, Direction, Judgement, Source, may_propose_revocation,
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{
            self,
            pass_check::{Action, Outcome, Verdict},
            pass_check_service_server::PassCheckService,
        },
        rpc,
        wire::{self, Page},
    },
    store::{
        self, Store, World,
        common::{history, world::Snapshot},
        liaison::content_accesses::{self, Reading},
        pass::{
            checks::{Check, CheckLog, Done, Filter, Place, Record, Recorded},
            plates::Plates,
            whereabouts,
        },
    },
};

/// How long a checkpoint is remembered.
const PLACE_LEASE: Duration = Duration::from_secs(1);
/// Checkpoints that are remembered.
const PLACES_REMEMBERED: u64 = 10_000;

/// The service.
pub struct Checks {
    store: Store,
    world: World,
    plates: Plates,
    log: CheckLog,
    codes: Codes,
    places: Memo<Id<kind::Checkpoint>, Arc<Place>>,
}

rpc! { PassCheckService, Checks {
    check_pass(pb::CheckPassRequest) -> pb::PassCheck;
    record_check_action(pb::RecordCheckActionRequest) -> pb::PassCheck;
    list_pass_checks(pb::ListPassChecksRequest) -> pb::ListPassChecksResponse;
    get_pass_key_list(pb::GetPassKeyListRequest) -> pb::PassKeyList;
} }

impl Checks {
    /// The service of these parts; it starts the writers of the record.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        let places =
            Memo::builder().max_capacity(PLACES_REMEMBERED).time_to_live(PLACE_LEASE).build();
        Self {
            store: parts.store.clone(),
            world: parts.world.clone(),
            plates: Plates::new(parts.store.clone()),
            log: CheckLog::start(&parts.store),
            codes: Codes::new(),
            places,
        }
    }

    async fn check_pass(&self, cx: &Cx, request: pb::CheckPassRequest) -> Result<pb::PassCheck> {
        let ask = Ask::parse(cx, &request)?;
        let Some(judged) = self.judged(cx, &ask).await? else {
            // PostgreSQL is away, so nothing can be written down either.
            let away = judge::away(&source_alone(&ask), direction(&ask));
            return Ok(unrecorded(reply(cx, &ask, &away), away.judgement));
        };
        let answer = reply(cx, &ask, &judged);
        match self.log.record(record(cx, ask, &judged, &answer)).await {
            Ok(Recorded::First) => Ok(answer),
            Ok(Recorded::Before(first)) => {
                pb::PassCheck::decode(first.as_slice()).map_err(Error::internal)
            }
            Err(error) if error.reason() == Reason::StoreUnavailable => {
                Ok(unrecorded(answer, judged.judgement))
            }
            Err(error) => Err(error),
        }
    }

    /// The judgement; none where PostgreSQL was needed and is away. Who finds it away asks it
    /// nothing more: each further question would wait as long again.
    async fn judged(&self, cx: &Cx, ask: &Ask) -> Result<Option<Judged>> {
        let Some(snapshot) = there(self.world.get(&self.store).await)? else { return Ok(None) };
        let Some(place) = there(self.place(cx, ask.checkpoint).await)? else { return Ok(None) };
        let Some(questions) = there(self.questions(ask, &snapshot, cx.now).await)? else {
            return Ok(None);
        };
        let mut judged = Vec::with_capacity(questions.len());
        for question in questions {
            let (standing, answered) = match &question.plate {
                Some(plate) => {
                    let mark = cx.ids().bytes();
                    let read = self.plates.standing(plate.as_str(), cx.now, mark).await;
                    let Some((standing, answered)) = there(read)? else { return Ok(None) };
                    (Some(standing), Some(answered))
                }
                None => (None, None),
            };
            let basis = Basis {
                ask,
                place: &place,
                snapshot: &snapshot,
                standing: standing.as_deref(),
                answered,
                question,
                now: cx.now,
            };
            judged.push(basis.judge()?);
        }
        Ok(Some(judge::one_of(judged)))
    }

    /// What is asked, and about which plate: about several where a trailer goes with several trucks.
    async fn questions(
        &self,
        ask: &Ask,
        snapshot: &Arc<Snapshot>,
        now: Timestamp,
    ) -> Result<Vec<Question>> {
        match &ask.observed {
            Observed::Code(text) => Ok(vec![match self.codes.read(snapshot, text, now) {
                Scan::Genuine(code) => Question::code(&code, now),
                Scan::Faulty(fault, kid) => Question::faulty(fault, kid),
            }]),
            Observed::Plate(plate) => {
                let trucks = if plate.accepted_as_trailer().is_ok() {
                    self.plates.trucks_of(plate.as_str(), now).await?
                } else {
                    Vec::new()
                };
                if trucks.is_empty() {
                    return Ok(vec![Question::plate(plate.clone())]);
                }
                let about = |truck| Question::trailer(plate.clone(), truck);
                Ok(trucks.into_iter().map(about).collect())
            }
            Observed::Number(number) => {
                let plate = self.plates.plate_of_number(number.as_str()).await?;
                Ok(vec![Question::number(number.as_str().to_owned(), plate)])
            }
        }
    }

    /// The checkpoint, where it lies within the scope.
    async fn place(&self, cx: &Cx, id: Id<kind::Checkpoint>) -> Result<Arc<Place>> {
        let missing = || cx.scope().missing(id.subject());
        let place = if let Some(place) = self.places.get(&id) {
            place
        } else {
            let mut connection = self.store.read().await?;
            let place = store::pass::checks::place(&mut connection, id).await?;
            let place = Arc::new(place.ok_or_else(missing)?);
            self.places.insert(id, place.clone());
            place
        };
        if place.within(&cx.scope()) { Ok(place) } else { Err(missing()) }
    }

    async fn record_check_action(
        &self,
        cx: &Cx,
        request: pb::RecordCheckActionRequest,
    ) -> Result<pb::PassCheck> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::PassCheck>(&request.name);
        let action = match Action::try_from(request.action) {
            Ok(action) => CheckAction::from_wire(action.as_str_name()).ok_or(Flaw::Required),
            Err(_) => Err(Flaw::UnknownValue),
        };
        let action = faults.take("action", action);
        let note = faults.take("note", wire::text_maybe(&request.note, 500));
        let (id, action, note) = faults.whole((id, action, note))?;
        action.permitted(&cx.actor)?;
        if request.propose_revocation {
            may_propose_revocation(&cx.actor)?;
        }
        wire::write(&self.store, cx, &request, async |tx| {
            let check = store::pass::checks::get(tx.conn(), id, &cx.scope()).await?;
            let propose_revocation = request.propose_revocation;
            let done = Done { action: action.wire(), note, propose_revocation };
            store::pass::checks::insert_action(tx, id, &done).await?;
            if propose_revocation {
                let Some(pass) = check.pass else {
                    return Err(Error::field("propose_revocation", Flaw::NotAllowed));
                };
                let state = store::pass::checks::pass_state(tx.conn(), pass).await?;
                let state = state.ok_or_else(|| Error::internal("a judged pass without a row"))?;
                let note = Note::internal(format!("{id}:{}", done.note));
                let change = state.propose_revocation(note, cx)?;
                history::write(tx, pass.subject(), &change).await?;
            }
            let check = store::pass::checks::get(tx.conn(), id, &cx.scope()).await?;
            recorded(&check)
        })
        .await
    }

    async fn list_pass_checks(
        &self,
        cx: &Cx,
        request: pb::ListPassChecksRequest,
    ) -> Result<pb::ListPassChecksResponse> {
        let mut faults = Faults::new();
        let mut filter = Filter::default();
        if !request.checkpoint.is_empty() {
            let id = Id::<kind::Checkpoint>::parse(&request.checkpoint);
            filter.checkpoint = faults.take("checkpoint", id).map(Id::uuid);
        }
        if !request.plate_number.is_empty() {
            let plate = faults.take("plate_number", Plate::parse(&request.plate_number));
            filter.plate_number = plate.map(|plate| plate.as_str().to_owned());
        }
        faults.done()?;
        let arguments = [cx.method, &request.checkpoint, &request.plate_number];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut found = self.seen(cx, &filter, &page, &request).await?;
        let next_page_token = page.cut(&mut found, |check| check.id.uuid());
        let pass_checks = found.iter().map(recorded).collect::<Result<_>>()?;
        Ok(pb::ListPassChecksResponse { pass_checks, next_page_token })
    }

    /// The checks that the caller's duty covers, or that were opened with a reason. Where trucks were is
    /// recorded as read before it is given.
    async fn seen(
        &self,
        cx: &Cx,
        filter: &Filter,
        page: &Page,
        request: &pb::ListPassChecksRequest,
    ) -> Result<Vec<Check>> {
        let duty = cx.scope_of(Matter::Whereabouts);
        let sight = cx.sight_of(Matter::Whereabouts);
        let opened = duty.unit_path.is_none() && !cx.actor.opened().is_empty();
        let (subject, query) = (&request.checkpoint, &request.plate_number);
        let reading = Reading { action: "READ_CHECKS", subject, query, opened };
        content_accesses::note(&self.store, cx, reading).await?;
        let mut connection = self.store.read().await?;
        let (after, rows) = (page.after, page.rows());
        if sight.unit_path.is_some() || sight.all {
            return store::pass::checks::list(&mut connection, filter, &sight, after, rows).await;
        }
        // Who decides about passes reads the checks that propose to end one.
        let reach = cx.scope_of(Matter::Application).unit_path;
        let told = whereabouts::Told { reach: reach.as_deref(), enterprises: &sight.enterprises };
        whereabouts::list(&mut connection, filter, told, after, rows).await
    }

    async fn get_pass_key_list(
        &self,
        cx: &Cx,
        request: pb::GetPassKeyListRequest,
    ) -> Result<pb::PassKeyList> {
        keys::list(&self.store, &self.world, cx, request.known_version).await
    }
}

/// What can be told without any fact: damaged text is no code of ours.
fn source_alone(ask: &Ask) -> Source {
    match &ask.observed {
        Observed::Code(text) => match code::fault_of_form(text) {
            Some(fault) => Source::FaultyCode(fault),
            None => Source::PassNumber(String::new()),
        },
        Observed::Plate(plate) => Source::Plate(plate.clone()),
        Observed::Number(number) => Source::PassNumber(number.as_str().to_owned()),
    }
}

/// The direction, where it was given.
const fn direction(ask: &Ask) -> Option<Direction> {
    match ask.direction {
        pb::pass_check::Direction::Inbound => Some(Direction::Inbound),
        pb::pass_check::Direction::Outbound => Some(Direction::Outbound),
        pb::pass_check::Direction::Unspecified => None,
    }
}

/// Nothing where PostgreSQL is away: a check answers then that it cannot be decided.
fn there<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.reason() == Reason::StoreUnavailable => Ok(None),
        Err(error) => Err(error),
    }
}

/// The answer, as it will be recorded.
fn reply(cx: &Cx, ask: &Ask, judged: &Judged) -> pb::PassCheck {
    let judgement = &judged.judgement;
    pb::PassCheck {
        name: ask.id.to_string(),
        verdict: wire::enumerated::<Verdict>(judgement.verdict),
        outcome: outcome(judgement.outcome).into(),
        reasons: judgement.reasons.clone(),
        compare: judgement.compare.clone(),
        truck_pass: judgement.pass.map(|pass| pass.to_string()).unwrap_or_default(),
        pass_number: judged.pass_number.clone(),
        plate_number: judged.plate_number.clone(),
        holder: judged.holder.clone(),
        valid_until: wire::time_of(judged.valid_until),
        check_time: Some(wire::time(cx.now)),
        data_as_of: Some(pb::DataAsOf {
            standing_version: judged.standing_version,
            policy_version: judgement.policy_version.clone(),
            zone_versions: judgement.zone_versions.clone(),
            kid: judged.kid.map(store::common::world::kid_text).unwrap_or_default(),
            source: judged.answered.map_or("", store::pass::plates::Answered::wire).to_owned(),
        }),
        rules: judgement.rules.clone(),
        checkpoint: ask.checkpoint.to_string(),
        direction: match direction(ask) {
            Some(Direction::Outbound) => pb::pass_check::Direction::Outbound,
            Some(Direction::Inbound) | None => pb::pass_check::Direction::Inbound,
        }
        .into(),
        direction_assumed: direction(ask).is_none(),
        action: Action::Unspecified.into(),
        action_note: String::new(),
    }
}

fn record(cx: &Cx, ask: Ask, judged: &Judged, answer: &pb::PassCheck) -> Record {
    Record {
        id: ask.id,
        actor: cx.actor.name(),
        request_id: ask.once.request_id,
        digest: ask.once.digest,
        checkpoint: ask.checkpoint,
        time: cx.now,
        direction: ask.direction.as_str_name(),
        source: ask.seen_by.wire(),
        plate_number: judged.plate_number.clone(),
        pass: judged.judgement.pass,
        verdict: judged.judgement.verdict.wire(),
        outcome: judged.judgement.outcome.wire(),
        answer: answer.encode_to_vec(),
        latitude: ask.latitude,
        longitude: ask.longitude,
    }
}

/// The answer where it could not be written down. There is no record, and so no name.
fn unrecorded(mut answer: pb::PassCheck, judgement: Judgement) -> pb::PassCheck {
    let judgement = judgement.unrecorded();
    answer.name = String::new();
    answer.verdict = wire::enumerated::<Verdict>(judgement.verdict);
    answer.set_outcome(outcome(judgement.outcome));
    answer.reasons = judgement.reasons;
    answer
}

/// A recorded check, with what was done then.
fn recorded(check: &Check) -> Result<pb::PassCheck> {
    let mut answer = pb::PassCheck::decode(check.answer.as_slice()).map_err(Error::internal)?;
    let action = check.action.as_deref().and_then(Action::from_str_name);
    answer.set_action(action.unwrap_or(Action::Unspecified));
    answer.action_note.clone_from(&check.action_note);
    Ok(answer)
}

const fn outcome(outcome: CheckOutcome) -> Outcome {
    match outcome {
        CheckOutcome::Valid => Outcome::PassValid,
        CheckOutcome::Exempt => Outcome::Exempt,
        CheckOutcome::NoPassRequired => Outcome::NoPassRequired,
        CheckOutcome::NotFound => Outcome::NotFound,
        CheckOutcome::SignatureInvalid => Outcome::SignatureInvalid,
        CheckOutcome::NotACode => Outcome::NotACode,
        CheckOutcome::KeyWithdrawn => Outcome::KeyWithdrawn,
        CheckOutcome::CodeStale => Outcome::CodeStale,
        CheckOutcome::PlateMismatch => Outcome::PlateMismatch,
        CheckOutcome::NotStarted => Outcome::NotStarted,
        CheckOutcome::Expired => Outcome::Expired,
        CheckOutcome::Suspended => Outcome::Suspended,
        CheckOutcome::Revoked => Outcome::Revoked,
        CheckOutcome::OutOfTimeWindow => Outcome::OutOfTimeWindow,
        CheckOutcome::OutOfArea => Outcome::OutOfArea,
        CheckOutcome::VehicleAbnormal => Outcome::VehicleAbnormal,
        CheckOutcome::Blacklisted => Outcome::Blacklisted,
        CheckOutcome::KeyUnknown => Outcome::KeyUnknown,
        CheckOutcome::StatusUnknown => Outcome::StatusUnknown,
    }
}
