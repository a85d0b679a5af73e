//! An application as its reader may see it. No decision is made here.

use super::{Applications, issue};
use crate::{
    actor::Actor,
    context::Cx,
    domain::{
        duty::month,
        pass::{
            application::{Application, Need, RIGHTS_OF_REVIEW},
            policy::Kept,
        },
    },
    error::{Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{self, common::world::Snapshot},
};

impl Applications {
    /// The application with what the rules say of it now, while it is not decided.
    pub(super) async fn reply_evaluated(
        &self,
        connection: &mut store::Connection,
        cx: &Cx,
        application: Application,
        world: &Snapshot,
    ) -> Result<pb::PassApplication> {
        let live = if application.waits_for_decision() {
            // A vehicle that has left the garage has no evaluation any more.
            match self.evaluate(connection, cx, &application, world).await {
                Ok(evaluation) => Some(Kept::from(&evaluation)),
                Err(error) if error.reason().kind() == crate::error::Kind::Denied => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let pass = store::pass::applications::pass_of(connection, application.id).await?;
        let mut reply = Self::reply(cx, &application, world, live.as_ref())?;
        reply.truck_pass = pass.map(|pass| pass.to_string()).unwrap_or_default();
        Ok(reply)
    }

    /// The application as it is stored.
    pub(super) fn reply(
        cx: &Cx,
        application: &Application,
        world: &Snapshot,
        live: Option<&Kept>,
    ) -> Result<pb::PassApplication> {
        let officer = matches!(cx.actor, Actor::Officer { .. });
        // By what was promised when it was taken in: a later policy moves no promise.
        let values = &world.policy(application.accept_time.unwrap_or(cx.now))?.values;
        let due = application.due(values, cx.now, &world.calendar);
        let unknown = due.as_ref().is_err_and(|it| it.reason() == Reason::CalendarMissing);
        let (due, legal_due) = if unknown { (None, None) } else { due? };
        let state = wire::enumerated::<pb::pass_application::State>(application.state());
        let purpose = wire::enumerated::<pb::pass_application::Purpose>(application.purpose);
        let channel = wire::enumerated::<pb::SourceChannel>(application.source_channel);
        let assignee = application
            .assignee
            .map(|assignee| if officer { assignee.to_string() } else { "police".to_owned() });
        let evaluation = live.or(application.evaluation.as_ref()).map(evaluation);
        let corrections = application
            .corrections
            .iter()
            .map(|item| pb::CorrectionItem { field: item.field.clone(), text: item.text.clone() });
        let named = |id: Option<String>| id.unwrap_or_default();
        Ok(pb::PassApplication {
            name: if application.number.is_empty() {
                String::new()
            } else {
                application.id.to_string()
            },
            number: application.number.clone(),
            enterprise: application.enterprise.to_string(),
            vehicle: application.vehicle.to_string(),
            need: Some(need(&application.need)),
            declaration_accepted: application.declaration_accepted,
            attachments: application.attachments.iter().map(ToString::to_string).collect(),
            state,
            source_channel: channel,
            evaluation,
            corrections: corrections.collect(),
            assignee: named(assignee),
            decision: decision(application),
            truck_pass: String::new(),
            previous_pass: named(application.previous_pass.map(|pass| pass.to_string())),
            purpose,
            create_time: Some(wire::time(application.create_time)),
            submit_time: wire::time_of(application.submit_time),
            accept_time: wire::time_of(application.accept_time),
            due_time: wire::time_of(due),
            legal_due_time: wire::time_of(legal_due),
            batch: named(application.batch.map(|batch| batch.to_string())),
            filed_on_behalf: application.filed_on_behalf,
            due_time_unknown: unknown,
            etag: wire::etag(application.version),
        })
    }
}

fn need(need: &Need) -> pb::PassNeed {
    let kind = wire::enumerated::<pb::PassKind>(need.kind);
    pb::PassNeed {
        pass_kind: kind,
        zones: need.zones.iter().map(issue::zone_name).collect(),
        goods: need.goods.clone(),
        reason: need.reason.clone(),
        loading_place: need.loading_place.clone(),
        unloading_place: need.unloading_place.clone(),
        route: need.route.clone(),
        time_windows: need.windows.iter().map(|window| wire::window(*window)).collect(),
        start_date: need.start.to_string(),
        months: i32::try_from(need.months).unwrap_or(i32::MAX),
        days: i32::try_from(need.days).unwrap_or(i32::MAX),
        shorten_agreed: need.shorten_agreed,
        trailer_plate_number: need.trailer.clone(),
        permit_number: need.permit_number.clone(),
        cargo_kind: need.cargo.wire().to_owned(),
    }
}

fn decision(application: &Application) -> Option<pb::Decision> {
    let decision = application.decision.as_ref()?;
    let reasons = decision.reasons.iter().map(|reason| pb::CodedReason {
        code: reason.wire().to_owned(),
        text: reason.zh().to_owned(),
    });
    let unit = decision.unit.map(|unit| Id::<kind::Unit>::of(unit).to_string());
    Some(pb::Decision {
        approved: decision.approved,
        decide_time: wire::time_of(application.decide_time),
        source: decision.source.wire().to_owned(),
        reasons: reasons.collect(),
        note: decision.note.clone(),
        rights_of_review: if decision.approved {
            String::new()
        } else {
            RIGHTS_OF_REVIEW.to_owned()
        },
        unit: unit.unwrap_or_default(),
    })
}

/// An evaluation as it is kept, for a reader.
pub(in crate::service) fn evaluation(kept: &Kept) -> pb::Evaluation {
    let findings = kept.findings.iter().map(|finding| pb::Finding {
        rule: finding.rule.clone(),
        inputs: finding.inputs.clone(),
        text: finding.text.clone(),
    });
    let reasons = kept.refusals().map(|reason| pb::CodedReason {
        code: reason.wire().to_owned(),
        text: reason.zh().to_owned(),
    });
    let last_day = kept.valid_until.map(|until| month::last_valid_day(until).to_string());
    pb::Evaluation {
        outcome: kept.outcome.clone(),
        valid_from: wire::time_of(kept.valid_from),
        valid_until: wire::time_of(kept.valid_until),
        last_valid_day: last_day.unwrap_or_default(),
        review_steps: kept.review_steps.and_then(|it| i32::try_from(it).ok()).unwrap_or_default(),
        reasons: reasons.collect(),
        findings: findings.collect(),
        policy_version: kept.policy_version.clone(),
    }
}
