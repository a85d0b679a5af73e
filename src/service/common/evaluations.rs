//! What enterprises say of finished things (评价), what follows from it, and the figures. Who asks
//! for an evaluation is the service that finished the thing.

mod figures;

use crate::{
    context::Cx,
    domain::{
        common::evaluation::{EVALUATED, Evaluation, EvaluationState, Verdict, item},
        complaint::{Field, going_from, without},
        duty::calendar::Calendar,
    },
    error::{Error, Faults, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, evaluation_service_server::EvaluationService},
        rpc,
        wire::{self, Page},
    },
    store::{
        Store, Tx, World,
        common::evaluations,
        complaint::complaints::{consequences::evaluated, redactions},
    },
};

/// The longest comment, in characters.
const COMMENT_CHARACTERS_MAX: usize = 500;

/// The service.
pub struct Evaluations {
    store: Store,
    world: World,
}

rpc! { EvaluationService, Evaluations {
    list_evaluations(pb::ListEvaluationsRequest) -> pb::ListEvaluationsResponse;
    submit_evaluation(pb::SubmitEvaluationRequest) -> pb::ServiceEvaluation;
    get_service_figures(pb::GetServiceFiguresRequest) -> pb::ServiceFigures;
    export_service_figures(pb::GetServiceFiguresRequest) -> pb::ExportServiceFiguresResponse;
} }

impl Evaluations {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone(), world: parts.world.clone() }
    }

    async fn list_evaluations(
        &self,
        cx: &Cx,
        request: pb::ListEvaluationsRequest,
    ) -> Result<pb::ListEvaluationsResponse> {
        let state = EvaluationState::from_wire(request.state().as_str_name());
        let state = state.map(EvaluationState::wire);
        let arguments = [cx.method, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let (asked, mut connection) = (askable(cx), self.store.read().await?);
        let (after, rows) = (page.after, page.rows());
        let mut found = evaluations::list(&mut connection, state, &asked, after, rows).await?;
        let next_page_token = page.cut(&mut found, |asked| asked.id.uuid());
        let evaluations = found.into_iter().map(reply).collect();
        Ok(pb::ListEvaluationsResponse { evaluations, next_page_token })
    }

    async fn submit_evaluation(
        &self,
        cx: &Cx,
        request: pb::SubmitEvaluationRequest,
    ) -> Result<pb::ServiceEvaluation> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Evaluation>(&request.name);
        let comment = wire::text_maybe(&request.comment, COMMENT_CHARACTERS_MAX);
        let comment = faults.take("comment", comment).unwrap_or_default();
        let level = request.level().as_str_name();
        let verdict = Verdict::read(level, request.solved, comment, &mut faults);
        let (id, verdict) = faults.whole((id, verdict))?;
        let again = async |reply| self.repeated(reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let asked = evaluations::lock(tx, id, &cx.scope()).await?;
            if !cx.actor.acts_for(asked.enterprise, item(&asked.collection)) {
                return Err(cx.scope().missing(id.subject()));
            }
            answer(tx, cx, &asked, &verdict, &self.world.calendar()).await?;
            let rated = Evaluation {
                state: EvaluationState::Rated,
                verdict: Some(verdict),
                rate_time: Some(cx.now),
                ..asked
            };
            Ok(reply(rated))
        })
        .await
    }
}

impl Evaluations {
    /// The first answer to a repeated request, without what was redacted of its complaint since.
    async fn repeated(&self, first: pb::ServiceEvaluation) -> Result<pb::ServiceEvaluation> {
        let Ok(complaint) = Id::<kind::Complaint>::parse(&first.subject) else { return Ok(first) };
        let mut connection = self.store.read().await?;
        let vault = self.store.vault();
        let taken = redactions::passages(&mut connection, vault, complaint).await?;
        let comment = without(&first.comment, &going_from(&taken, Field::Comment));
        Ok(pb::ServiceEvaluation { comment, ..first })
    }
}

/// The enterprises for which the caller acts, each with what it may be asked about.
fn askable(cx: &Cx) -> Vec<(uuid::Uuid, &'static str)> {
    let own = cx.scope().enterprises.into_iter();
    let pairs = own.flat_map(|own| EVALUATED.map(|collection| (own, collection)));
    pairs.filter(|(own, collection)| cx.actor.acts_for(Id::of(*own), item(collection))).collect()
}

/// Answers, once, and draws the consequences.
pub(in crate::service) async fn answer(
    tx: &mut Tx,
    cx: &Cx,
    asked: &Evaluation,
    verdict: &Verdict,
    calendar: &Calendar,
) -> Result<()> {
    if !evaluations::answer(tx, asked.id, verdict).await? {
        return Err(Error::new(Reason::NothingToRate));
    }
    evaluated(tx, cx, asked, Some(verdict), calendar).await
}

fn reply(asked: Evaluation) -> pb::ServiceEvaluation {
    let state = wire::enumerated::<pb::service_evaluation::State>(asked.state);
    let subject = asked.subject_name();
    let verdict = asked.verdict;
    let level = verdict.as_ref().map(|verdict| verdict.level);
    let level = level.map(wire::enumerated::<pb::SatisfactionLevel>);
    pb::ServiceEvaluation {
        name: asked.id.to_string(),
        subject,
        enterprise: asked.enterprise.to_string(),
        state,
        level: level.unwrap_or_default(),
        solved: verdict.as_ref().is_some_and(|verdict| verdict.solved),
        comment: verdict.map(|verdict| verdict.comment).unwrap_or_default(),
        round: asked.round,
        create_time: Some(wire::time(asked.create_time)),
        due_time: Some(wire::time(asked.due_time)),
    }
}
