//! An application as its reader may see it. No decision is made here.

use serde_json::Value;

use super::{Applications, issue};
use crate::{
    actor::Actor,
    context::Cx,
    domain::{
        duty::month,
        pass::application::{Application, ApplicationState, Need, RIGHTS_OF_REVIEW},
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
        let open = application.decision.is_none()
            && !matches!(
                application.state(),
                ApplicationState::Withdrawn
                    | ApplicationState::Lapsed
                    | ApplicationState::NotAccepted
            );
        let live = if open {
            // A vehicle that has left the garage has no evaluation any more.
            match self.evaluate(connection, cx, &application, world).await {
                Ok(evaluation) => Some(issue::record(&evaluation)),
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
        live: Option<&Value>,
    ) -> Result<pb::PassApplication> {
        let officer = matches!(cx.actor, Actor::Officer { .. });
        // By what was promised when it was taken in: a later policy moves no promise.
        let values = &world.policy(application.accept_time.unwrap_or(cx.now))?.values;
        let due = application.due(values, cx.now, &world.calendar);
        let unknown = due.as_ref().is_err_and(|it| it.reason() == Reason::CalendarMissing);
        let (due, legal_due) = if unknown { (None, None) } else { due? };
        let state = pb::pass_application::State::from_str_name(application.state().wire());
        let purpose = pb::pass_application::Purpose::from_str_name(application.purpose.wire());
        let channel = pb::SourceChannel::from_str_name(application.source_channel.wire());
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
            state: state.unwrap_or_default().into(),
            source_channel: channel.unwrap_or_default().into(),
            evaluation,
            corrections: corrections.collect(),
            assignee: named(assignee),
            decision: decision(application),
            truck_pass: String::new(),
            previous_pass: named(application.previous_pass.map(|pass| pass.to_string())),
            purpose: purpose.unwrap_or_default().into(),
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
    let kind = pb::PassKind::from_str_name(need.kind.wire()).unwrap_or_default();
    pb::PassNeed {
        pass_kind: kind.into(),
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
        source: decision.source.clone(),
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
pub(in crate::service) fn evaluation(kept: &Value) -> pb::Evaluation {
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let instant = |key: &str| text(kept, key).parse::<jiff::Timestamp>().ok();
    let entries = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let valid_until = instant("valid_until");
    let findings = entries(kept, "findings").into_iter().map(|finding| pb::Finding {
        rule: text(&finding, "rule"),
        inputs: entries(&finding, "inputs")
            .iter()
            .filter_map(|input| input.as_str().map(ToOwned::to_owned))
            .collect(),
        text: text(&finding, "text"),
    });
    let reasons = entries(kept, "reasons").into_iter().filter_map(|code| {
        let reason = crate::domain::pass::policy::RefusalReason::from_wire(code.as_str()?)?;
        Some(pb::CodedReason { code: reason.wire().to_owned(), text: reason.zh().to_owned() })
    });
    let steps = kept.get("review_steps").and_then(Value::as_i64).unwrap_or_default();
    pb::Evaluation {
        outcome: text(kept, "outcome"),
        valid_from: wire::time_of(instant("valid_from")),
        valid_until: wire::time_of(valid_until),
        last_valid_day: valid_until
            .map(|until| month::last_valid_day(until).to_string())
            .unwrap_or_default(),
        review_steps: i32::try_from(steps).unwrap_or_default(),
        reasons: reasons.collect(),
        findings: findings.collect(),
        policy_version: text(kept, "policy_version"),
    }
}
