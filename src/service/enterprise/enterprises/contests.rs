//! A vehicle that two enterprises say is theirs: one contests with papers, an officer moves it or leaves
//! it where it is. The holder loses nothing before that.

use super::{
    Enterprises,
    vehicles::{depart, licence_form, may_change, read_licence, ruling, vehicle_of},
};
use crate::{
    actor::Matter,
    context::Cx,
    domain::{
        common::lifecycle::Held,
        enterprise::{
            contest::{Contest, ContestAction, ContestState, PROOF, VehicleRuling},
            vehicle::{Licence, Vehicle, VehicleForm},
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        Limit, Tx,
        enterprise::{
            enterprises,
            vehicle_contests::{self, Filter},
            vehicles,
        },
        pass::blacklist,
    },
};

/// The most papers of one contest.
const PAPERS_MAX: usize = 10;

/// A contest as it was asked for.
struct Asked {
    enterprise: Id<kind::Enterprise>,
    form: VehicleForm,
    licence: Licence,
    papers: Vec<Id<kind::Attachment>>,
    statement: String,
}

impl Enterprises {
    pub(super) async fn contest_vehicle(
        &self,
        cx: &Cx,
        request: pb::ContestVehicleRequest,
    ) -> Result<pb::VehicleContest> {
        let asked = asked(&request)?;
        wire::write(&self.store, cx, &request, async |tx| {
            self.store.limits().count(Limit::Contest, &cx.actor.name()).await?;
            may_change(cx, asked.enterprise)?;
            let known = enterprises::lock(tx, asked.enterprise, &cx.scope()).await?;
            known.refuse_unproven()?;
            refuse_faulty_papers(tx, &asked).await?;
            let held = vehicles::lock_of_another(tx, asked.enterprise, &asked.licence).await?;
            let vehicle = held.ok_or_else(|| Error::new(Reason::NothingToContest))?;
            let contest = Contest {
                id: cx.id(),
                vehicle: vehicle.id,
                enterprise: asked.enterprise,
                filed_by: cx.actor.name(),
                plate_number: asked.licence.plate.as_str().to_owned(),
                plate_type: asked.licence.plate_type.code().to_owned(),
                licence: asked.form,
                statement: asked.statement,
                attachments: asked.papers,
                reason: None,
                reason_note: String::new(),
                create_time: cx.now,
                decide_time: None,
                version: 1,
                held: Held::default(),
            };
            let contest = tx.settle_first(contest.file(cx), vehicle_contests::insert).await?;
            Ok(reply(cx, &contest))
        })
        .await
    }

    pub(super) async fn withdraw_vehicle_contest(
        &self,
        cx: &Cx,
        request: pb::WithdrawVehicleContestRequest,
    ) -> Result<pb::VehicleContest> {
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let contest = vehicle_contests::lock(tx, id, &cx.scope()).await?;
            may_change(cx, contest.enterprise)?;
            let contest = tx.settle_now(contest.withdraw(cx)?).await?;
            Ok(reply(cx, &contest))
        })
        .await
    }

    pub(super) async fn list_vehicle_contests(
        &self,
        cx: &Cx,
        request: pb::ListVehicleContestsRequest,
    ) -> Result<pb::ListVehicleContestsResponse> {
        let vehicle = if request.vehicle.is_empty() {
            None
        } else {
            let id = Id::<kind::Vehicle>::parse(&request.vehicle);
            Some(id.map_err(|flaw| Error::field("vehicle", flaw))?.uuid())
        };
        let state = ContestState::from_wire(request.state().as_str_name()).map(ContestState::wire);
        let arguments = [cx.method, &request.vehicle, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let scope = cx.actor.scope_of(Matter::Garage);
        let filter = Filter { vehicle, state };
        let mut connection = self.store.read().await?;
        let mut found =
            vehicle_contests::list(&mut connection, &filter, &scope, page.after, page.rows())
                .await?;
        let next_page_token = page.cut(&mut found, |contest| contest.id.uuid());
        let vehicle_contests = found.iter().map(|contest| reply(cx, contest)).collect();
        Ok(pb::ListVehicleContestsResponse { vehicle_contests, next_page_token })
    }

    pub(super) async fn move_vehicle(
        &self,
        cx: &Cx,
        request: pb::MoveVehicleRequest,
    ) -> Result<pb::Vehicle> {
        let action = ContestAction::Uphold;
        let mut faults = Faults::new();
        let id = faults.take("vehicle_contest", Id::parse(&request.vehicle_contest));
        let decision = Decision::parse(
            &request.reason_code,
            &request.note,
            &request.etag,
            action,
            &mut faults,
        );
        // What exists no more stands in nobody's garage.
        let scrapped = decision.as_ref().is_some_and(|it| it.reason == VehicleRuling::Scrapped);
        faults.check(!scrapped, "reason_code", Flaw::NotAllowed);
        let (id, decision) = faults.whole((id, decision))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let contest = vehicle_contests::lock(tx, id, &cx.scope()).await?;
            wire::fresh(decision.version, contest.version)?;
            let (asked, held) = (contest.enterprise, contest.vehicle);
            let upheld = contest.receive(decision.reason, decision.note.clone(), cx)?;
            let known = enterprises::lock(tx, asked, &cx.scope()).await?;
            known.refuse_unproven()?;
            let vehicle = vehicles::lock(tx, held, &cx.scope()).await?;
            let states = vehicle.states.clone();
            let licence = stored_licence(upheld.peek().licence.clone())?;
            let contest = tx.settle_now(upheld).await?;
            let (reason, note) = (Some(decision.reason), decision.note.as_str());
            depart(tx, cx, vehicle, reason, note, Some(contest.id)).await?;
            let vehicle = Vehicle::received(cx.id(), contest.enterprise, licence, states);
            let received = vehicle.enter(reason, note, cx);
            let vehicle = tx.settle_first(received, vehicles::insert).await?;
            blacklist::follow(tx, &vehicle, Some(held)).await?;
            let stored = vehicles::get(tx.conn(), vehicle.id, &cx.scope(), cx.now).await?;
            Ok(vehicle_of(&stored))
        })
        .await
    }

    pub(super) async fn dismiss_vehicle_contest(
        &self,
        cx: &Cx,
        request: pb::DismissVehicleContestRequest,
    ) -> Result<pb::VehicleContest> {
        let action = ContestAction::Dismiss;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let decision = Decision::parse(
            &request.reason_code,
            &request.note,
            &request.etag,
            action,
            &mut faults,
        );
        // That is said by moving it.
        let other = decision.as_ref().is_some_and(|it| it.reason == VehicleRuling::OtherProven);
        faults.check(!other, "reason_code", Flaw::NotAllowed);
        let (id, decision) = faults.whole((id, decision))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let contest = vehicle_contests::lock(tx, id, &cx.scope()).await?;
            wire::fresh(decision.version, contest.version)?;
            let moved = contest.dismiss(decision.reason, decision.note, cx)?;
            let contest = tx.settle_now(moved).await?;
            Ok(reply(cx, &contest))
        })
        .await
    }
}

/// What an officer decides of a contest.
struct Decision {
    reason: VehicleRuling,
    note: String,
    version: Option<i64>,
}

impl Decision {
    fn parse(
        code: &str,
        note: &str,
        etag: &str,
        action: ContestAction,
        faults: &mut Faults,
    ) -> Option<Self> {
        let reason = faults.take("reason_code", ruling(code, action));
        let note = faults.take("note", wire::text(note, 500));
        faults.check(!etag.is_empty(), "etag", Flaw::Required);
        let version = faults.maybe("etag", wire::version(etag));
        Some(Self { reason: reason?, note: note?, version })
    }
}

fn asked(request: &pb::ContestVehicleRequest) -> Result<Asked> {
    let vehicle = request.vehicle.clone().unwrap_or_default();
    let mut faults = Faults::new();
    let enterprise =
        faults.take("vehicle.enterprise", Id::<kind::Enterprise>::parse(&vehicle.enterprise));
    let form = licence_form(&vehicle, &mut faults);
    let licence = read_licence(form.clone(), &mut faults);
    let statement = faults.take("statement", wire::text(&request.statement, 500));
    faults.check(!request.attachments.is_empty(), "attachments", Flaw::MaterialMissing);
    faults.check(request.attachments.len() <= PAPERS_MAX, "attachments", Flaw::TooMany);
    let mut papers = Vec::new();
    for (at, name) in request.attachments.iter().take(PAPERS_MAX).enumerate() {
        let paper = faults.take(format!("attachments[{at}]"), Id::parse(name));
        let twice = paper.is_some_and(|paper| papers.contains(&paper));
        faults.check(!twice, format!("attachments[{at}]"), Flaw::Duplicate);
        papers.extend(paper);
    }
    let (enterprise, licence, statement) = faults.whole((enterprise, licence, statement))?;
    Ok(Asked { enterprise, form, licence, papers, statement })
}

/// Every paper is a complete one of the enterprise, and one of them is the vehicle licence.
async fn refuse_faulty_papers(tx: &mut Tx, asked: &Asked) -> Result<()> {
    let found = vehicle_contests::papers(tx, asked.enterprise, &asked.papers).await?;
    let mut faults = Faults::new();
    for (at, paper) in asked.papers.iter().enumerate() {
        let known = found.iter().any(|(id, _)| id == paper);
        faults.check(known, format!("attachments[{at}]"), Flaw::UnknownValue);
    }
    let proof = found.iter().any(|(_, kind)| kind == PROOF.wire());
    faults.check(proof, "attachments", Flaw::MaterialMissing);
    faults.done()
}

/// What was typed was right when it was filed.
fn stored_licence(form: VehicleForm) -> Result<Licence> {
    let mut faults = Faults::new();
    let licence = Licence::parse(form, &mut faults);
    faults.done()?;
    licence.ok_or_else(|| Error::internal("vehicle_contest.licence cannot be read"))
}

/// A contest as its reader may see it: which vehicle of whose garage it is, officers alone.
fn reply(cx: &Cx, contest: &Contest) -> pb::VehicleContest {
    let state = wire::enumerated::<pb::vehicle_contest::State>(contest.state());
    let officer = cx.actor.officer().is_ok();
    pb::VehicleContest {
        name: contest.id.to_string(),
        vehicle: if officer { contest.vehicle.to_string() } else { String::new() },
        enterprise: contest.enterprise.to_string(),
        licence: Some(super::vehicles::form_reply(contest.enterprise, &contest.licence)),
        statement: contest.statement.clone(),
        attachments: contest.attachments.iter().map(ToString::to_string).collect(),
        state,
        reason: contest.reason.map(|reason| pb::CodedReason {
            code: reason.wire().to_owned(),
            text: format!("{}:{}", reason.zh(), contest.reason_note),
        }),
        create_time: Some(wire::time(contest.create_time)),
        decide_time: wire::time_of(contest.decide_time),
        etag: wire::etag(contest.version),
    }
}
