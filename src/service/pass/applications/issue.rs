//! What the rules say of an application, and the issue of the pass that an approval leads to.

use serde_json::{Value, json};

use super::Applications;
use crate::{
    actor::Scope,
    context::Cx,
    domain::{
        common::{lifecycle::Held, number::PassNumber},
        duty::month,
        pass::{
            Pass,
            application::{Application, Approval, Purpose},
            policy::{
                Evaluation, Grant, Outcome, PassKind, RefusalReason, evaluate,
                may_approve_automatically,
            },
        },
    },
    error::{Error, Field, Flaw, Reason, Result},
    id::Id,
    store::{
        self, Tx,
        common::{numbers, world::Snapshot},
        pass::{policies, policy_inputs},
    },
};

impl Applications {
    /// Hands a draft or a corrected application in; issues at once where the policy permits it.
    pub(super) async fn hand_in(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: Application,
        world: &Snapshot,
    ) -> Result<Application> {
        if !application.declaration_accepted {
            return Err(Error::field("declaration_accepted", Flaw::DeclarationMissing));
        }
        super::refuse_faulty_papers(tx, &application).await?;
        let evaluation = self.evaluate(tx.conn(), cx, &application, world).await?;
        refuse(&evaluation)?;
        if let Some(number) = store::pass::applications::same_open(tx.conn(), &application).await? {
            return Err(Error::new(Reason::AlreadyExists).fact("number", number));
        }
        let application = tx.settle_now(application.submit(cx)?).await?;
        let policy = world.policy(cx.now)?;
        if !may_approve_automatically(&evaluation, &policy.values) {
            return Ok(application);
        }
        let Some(grant) = evaluation.outcome.grant().cloned() else { return Ok(application) };
        let (moved, approval) = application.approve_by_policy(cx)?;
        let record = record(&evaluation);
        let moved = moved.map(|mut it| {
            it.evaluation = Some(record);
            it
        });
        let application = tx.settle_now(moved).await?;
        self.issue(tx, cx, &application, &approval, &grant).await?;
        Ok(application)
    }

    /// What the rules say of an application at this instant.
    pub(super) async fn evaluate(
        &self,
        connection: &mut store::Connection,
        cx: &Cx,
        application: &Application,
        world: &Snapshot,
    ) -> Result<Evaluation> {
        let inputs = policy_inputs::inputs(connection, application, world, cx.now).await?;
        Ok(evaluate(&inputs, world.policy(cx.now)?, cx.now))
    }

    /// Issues the pass of an approval: number, place in the quota, zones, and the pass that it
    /// replaces, in the unit of work of the decision.
    pub(super) async fn issue(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: &Application,
        approval: &Approval,
        grant: &Grant,
    ) -> Result<Pass> {
        let day = month::local_date(cx.now);
        let sequence = numbers::next(tx, PassNumber::PREFIX, day).await?;
        let number = PassNumber::new(day, sequence)?.to_string();
        let revision = self.supersede(tx, cx, application, &number).await?;
        let vehicle =
            policy_inputs::vehicle(tx.conn(), application.enterprise, application.vehicle).await?;
        let need = &application.need;
        let pass = Pass {
            id: cx.id(),
            number,
            enterprise: application.enterprise,
            unit_path: application.unit_path.clone(),
            vehicle: application.vehicle,
            plate_number: vehicle.facts.plate.as_str().to_owned(),
            plate_type: vehicle.facts.plate_type.code().to_owned(),
            application: application.id,
            previous: application.previous_pass.or_else(|| grant.renews.first().copied()),
            revision,
            kind: need.kind,
            zones: need.zones.clone(),
            windows: need.windows.clone(),
            route: need.route.clone(),
            goods: need.goods.clone(),
            trailer: need.trailer.clone(),
            valid_from: grant.valid_from,
            valid_until: grant.valid_until,
            reason: None,
            reason_note: String::new(),
            source_channel: application.source_channel,
            evaluation: application.evaluation.clone().unwrap_or(Value::Null),
            create_time: cx.now,
            version: 1,
            held: Held::default(),
        };
        let pass = tx.settle_first(pass.issue(approval, cx)?, store::pass::passes::insert).await?;
        if grant.quota_needed {
            policies::take(tx, &pass.zones, pass.kind, pass.valid_from, pass.id).await?;
        }
        Ok(pass)
    }

    /// Closes the pass that an amendment replaces, and says which revision follows.
    async fn supersede(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: &Application,
        number: &str,
    ) -> Result<i32> {
        let Some(previous) = application.previous_pass else { return Ok(1) };
        let scope =
            Scope::everything("the pass that the application names, which was judged before");
        let previous = store::pass::passes::lock(tx, previous, &scope).await?;
        if application.purpose != Purpose::Amendment {
            return Ok(1);
        }
        let revision = previous.revision.saturating_add(1);
        tx.settle_now(previous.supersede(number, cx)?).await?;
        Ok(revision)
    }
}

/// Refuses what the rules refuse, with every reason; what only an officer can judge goes on.
pub(super) fn refuse(evaluation: &Evaluation) -> Result<()> {
    match &evaluation.outcome {
        Outcome::Grant(_) | Outcome::Offer(..) => Ok(()),
        Outcome::NoPassRequired => {
            Err(Error::new(Reason::NoPassRequired)
                .fact("policy_version", &evaluation.policy_version))
        }
        Outcome::Correct(needs) => Err(Error::invalid(
            needs
                .iter()
                .map(|need| Field {
                    path: need.field.to_owned(),
                    flaw: flaw(need.reason),
                    zh: need.text.clone().into(),
                })
                .collect(),
        )
        .fact("policy_version", &evaluation.policy_version)),
        Outcome::Refuse(reasons) => {
            let codes: Vec<_> = reasons.iter().map(|reason| reason.wire()).collect();
            let said: Vec<_> = reasons.iter().map(|reason| reason.zh()).collect();
            let rules: Vec<_> =
                evaluation.findings.iter().map(|finding| finding.rule.wire()).collect();
            Err(Error::new(single(reasons))
                .fact("reasons", codes.join(","))
                .fact("told", said.join(";"))
                .fact("rules", rules.join(","))
                .fact("policy_version", &evaluation.policy_version))
        }
    }
}

/// The call's reason: the precise one where the rules have just one, else the general one.
fn single(reasons: &[RefusalReason]) -> Reason {
    match reasons {
        [RefusalReason::DuplicateActivePass] => Reason::PassAlreadyActive,
        [RefusalReason::QuotaExhausted] => Reason::QuotaExhausted,
        [RefusalReason::SpecialPeriodInactive] => Reason::SpecialPeriodInactive,
        [RefusalReason::Blacklisted] => Reason::Blacklisted,
        [RefusalReason::EnterpriseNotVerified] => Reason::EnterpriseNotVerified,
        _ => Reason::ApplicationRefused,
    }
}

const fn flaw(reason: RefusalReason) -> Flaw {
    match reason {
        RefusalReason::MaterialExpiresBeforePass => Flaw::MaterialExpires,
        RefusalReason::VehicleOverdueInspection => Flaw::MaterialExpired,
        RefusalReason::MaterialIncomplete => Flaw::MaterialMissing,
        _ => Flaw::NotAllowed,
    }
}

/// The evaluation as the decision keeps it: rules, inputs, classes, version (R15).
pub(super) fn record(evaluation: &Evaluation) -> Value {
    let findings = evaluation.findings.iter().map(|finding| {
        let inputs = finding.inputs.iter().map(|(name, value)| format!("{name}={value}"));
        json!({
            "rule": finding.rule.wire(),
            "inputs": inputs.collect::<Vec<_>>(),
            "text": finding.text,
        })
    });
    let classes = evaluation
        .class_snapshot
        .iter()
        .map(|grant| json!({"grant": grant.id.to_string(), "class": grant.class.wire()}));
    let grant = evaluation.outcome.grant();
    let reasons: Vec<_> = match &evaluation.outcome {
        Outcome::Refuse(reasons) => reasons.iter().map(|reason| reason.wire()).collect(),
        _ => Vec::new(),
    };
    json!({
        "outcome": evaluation.outcome.wire(),
        "valid_from": grant.map(|grant| grant.valid_from),
        "valid_until": grant.map(|grant| grant.valid_until),
        "review_steps": grant.map(|grant| grant.reviews.count()),
        "reasons": reasons,
        "classes": classes.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "policy_version": evaluation.policy_version,
    })
}

/// What a reviewer may grant at most: the offer of the rules, or less.
pub(super) fn granted(
    evaluation: &Evaluation,
    application: &Application,
    months: i32,
    days: i32,
) -> Result<Grant> {
    refuse(evaluation)?;
    let grant = evaluation.outcome.grant().cloned();
    let mut grant = grant.ok_or_else(|| Error::new(Reason::ApplicationRefused))?;
    let long = application.need.kind.is_long_term();
    let (path, asked, other_path, other) =
        if long { ("months", months, "days", days) } else { ("days", days, "months", months) };
    if other != 0 {
        return Err(Error::field(other_path, Flaw::NotAllowed));
    }
    if asked == 0 || application.need.kind == PassKind::GreenLane {
        return Ok(grant);
    }
    let amount = u32::try_from(asked).map_err(|_| Error::field(path, Flaw::OutOfRange))?;
    let first = month::local_date(grant.valid_from);
    let end =
        if long { month::end_after_months(first, amount) } else { month::add_days(first, amount) };
    let end = month::start_of_day(end);
    // A reviewer may grant less than the rules permit, never more (facts.md, D1).
    if end > grant.valid_until {
        return Err(Error::field(path, Flaw::OutOfRange));
    }
    grant.valid_until = end;
    Ok(grant)
}

/// The id of the zone as a name.
pub(in crate::service) fn zone_name(zone: &uuid::Uuid) -> String {
    Id::<crate::id::kind::Zone>::of(*zone).to_string()
}
