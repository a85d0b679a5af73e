//! The register of problems: found, promised by a day, solved. The promise is an obligation.

use super::{Centre, enterprise_of};
use crate::{
    actor::{Actor, Matter},
    context::Cx,
    domain::{
        common::lifecycle::Held,
        liaison::problem::{Problem, ProblemAction, ProblemState},
    },
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{self, liaison::problems},
};

impl Centre {
    pub(super) async fn register_problem(
        &self,
        cx: &Cx,
        request: pb::RegisterProblemRequest,
    ) -> Result<pb::Problem> {
        let form = request.problem.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let enterprise = faults.take("problem.enterprise", Id::parse(&form.enterprise));
        let title = faults.take("problem.title", wire::text(&form.title, 100));
        let description = wire::text_maybe(&form.description, super::TEXT_CHARACTERS_MAX);
        let description = faults.take("problem.description", description);
        let visit = if form.visit.is_empty() {
            None
        } else {
            faults.take("problem.visit", Id::<kind::Visit>::parse(&form.visit))
        };
        let (enterprise, title) = faults.whole((enterprise, title))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise =
                store::enterprise::enterprises::lock(tx, enterprise, &cx.scope_of(Matter::Care))
                    .await?;
            let problem = Problem {
                id: cx.id(),
                enterprise: enterprise.id,
                unit_path: enterprise.claim.unit_path,
                title,
                description: description.unwrap_or_default(),
                visit,
                promised_day: None,
                outcome: String::new(),
                create_time: cx.now,
                version: 1,
                held: Held::default(),
            };
            let problem = tx.settle_first(problem.register(cx), problems::insert).await?;
            Ok(reply(problem))
        })
        .await
    }

    pub(super) async fn promise_problem(
        &self,
        cx: &Cx,
        request: pb::PromiseProblemRequest,
    ) -> Result<pb::Problem> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::Problem>(&request.name);
        let day = faults.take("promised_day", wire::day(&request.promised_day));
        let note = faults.take("note", wire::text(&request.note, 500));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, day, note) = faults.whole((id, day, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let problem = problems::lock(tx, id, &cx.scope_of(Matter::Care)).await?;
            wire::fresh(version, problem.version)?;
            let problem = tx.settle_now(problem.promise(day, note, cx)?).await?;
            Ok(reply(problem))
        })
        .await
    }

    pub(super) async fn end_problem(
        &self,
        cx: &Cx,
        request: pb::EndProblemRequest,
        action: ProblemAction,
    ) -> Result<pb::Problem> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::Problem>(&request.name);
        let outcome = faults.take("outcome", wire::text(&request.outcome, 500));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, outcome) = faults.whole((id, outcome))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let problem = problems::lock(tx, id, &cx.scope_of(Matter::Care)).await?;
            wire::fresh(version, problem.version)?;
            let problem = tx.settle_now(problem.end(action, outcome, cx)?).await?;
            Ok(reply(problem))
        })
        .await
    }

    pub(super) async fn get_problem(
        &self,
        cx: &Cx,
        request: pb::GetProblemRequest,
    ) -> Result<pb::Problem> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        Ok(reply(problems::get(&mut connection, id, &cx.sight_of(Matter::Care)).await?))
    }

    pub(super) async fn list_problems(
        &self,
        cx: &Cx,
        request: pb::ListProblemsRequest,
    ) -> Result<pb::ListProblemsResponse> {
        let enterprise = enterprise_of(&request.enterprise)?;
        let state = ProblemState::from_wire(request.state().as_str_name()).map(ProblemState::wire);
        let arguments = [cx.method, &request.enterprise, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (scope, mut connection) = (cx.sight_of(Matter::Care), self.store.read().await?);
        let (after, rows) = (page.after, page.rows());
        let mut found =
            problems::list(&mut connection, enterprise, state, &scope, after, rows).await?;
        let next_page_token = page.cut(&mut found, |problem| problem.id.uuid());
        let problems = found.into_iter().map(reply).collect();
        Ok(pb::ListProblemsResponse { problems, next_page_token })
    }

    pub(super) async fn list_problem_changes(
        &self,
        cx: &Cx,
        request: pb::GetProblemRequest,
    ) -> Result<pb::ListProblemChangesResponse> {
        let id = Id::<kind::Problem>::parse(&request.name);
        let id = id.map_err(|flaw: Flaw| Error::field("name", flaw))?;
        let mut connection = self.store.read().await?;
        problems::get(&mut connection, id, &cx.sight_of(Matter::Care)).await?;
        let written = store::common::history::list(&mut connection, id.subject()).await?;
        let officer = matches!(cx.actor, Actor::Officer { .. });
        Ok(pb::ListProblemChangesResponse {
            changes: wire::changes::<ProblemAction>(written, officer),
        })
    }
}

fn reply(problem: Problem) -> pb::Problem {
    let state = wire::enumerated::<pb::problem::State>(problem.state());
    pb::Problem {
        name: problem.id.to_string(),
        enterprise: problem.enterprise.to_string(),
        state,
        visit: problem.visit.map(|visit| visit.to_string()).unwrap_or_default(),
        promised_day: problem.promised_day.map(|day| day.to_string()).unwrap_or_default(),
        create_time: Some(wire::time(problem.create_time)),
        etag: wire::etag(problem.version),
        title: problem.title,
        description: problem.description,
        outcome: problem.outcome,
    }
}
