//! How complaints of a category are handled, as dated versions with a source.

use jiff::Timestamp;

use super::Complaints;
use crate::{
    actor::{Role, Roles},
    context::Cx,
    domain::{
        complaint::{
            Category, Rules,
            rules::{Needed, TOTAL_DAYS_MAX, a_day_before, limit, limit_text},
        },
        duty::{calendar::Limit, obligation::Limits},
        identity::proposal::{Act, Draft, is_of_the_city},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        identity::proposals::{self, Confirming, own_unit_path},
        pb, wire,
    },
    store::{
        Tx,
        complaint::complaint_policies::{self, Policy},
    },
};

/// Who may be named to decide; POLICY lets no others pass.
const DECIDERS: Roles = Roles::of(&[Role::Assigner, Role::UnitLeader]);
/// The most versions that a list gives.
const VERSIONS_MAX: i64 = 100;

impl Complaints {
    pub(super) async fn publish_complaint_policy(
        &self,
        cx: &Cx,
        request: pb::PublishComplaintPolicyRequest,
    ) -> Result<pb::ComplaintPolicy> {
        cx.actor.sworn()?;
        of_the_city(cx)?;
        let form = request.complaint_policy.clone().unwrap_or_default();
        let form =
            pb::ComplaintPolicy { name: cx.id::<kind::ComplaintPolicy>().to_string(), ..form };
        let policy = read(&form, Some(cx.now))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let (from, category) = (policy.valid_from, policy.category);
            let present = complaint_policies::in_force(tx.conn(), category, from).await?;
            let draft = Draft {
                act: Act::PublishComplaintPolicy,
                subject: policy.id.to_string(),
                unit_path: own_unit_path(cx),
                request: Vec::new(),
                shown: shown(&policy, &present),
                reason: policy.source.clone(),
            };
            let exact = pb::PublishComplaintPolicyRequest {
                complaint_policy: Some(form),
                request_id: String::new(),
            };
            let proposal = proposals::propose(tx, draft, &exact, cx).await?.id.to_string();
            Ok(pb::ComplaintPolicy { proposal, ..reply(policy) })
        })
        .await
    }

    pub(super) async fn list_complaint_policies(
        &self,
        _: &Cx,
        request: pb::ListComplaintPoliciesRequest,
    ) -> Result<pb::ListComplaintPoliciesResponse> {
        let category = Category::from_wire(request.category().as_str_name());
        let mut connection = self.store.read().await?;
        let found = complaint_policies::list(&mut connection, category, None, VERSIONS_MAX).await?;
        let complaint_policies = found.into_iter().map(reply).collect();
        Ok(pb::ListComplaintPoliciesResponse { complaint_policies })
    }
}

/// Puts a confirmed version in force.
pub(in crate::service) async fn publish(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Timestamp> {
    let request: pb::PublishComplaintPolicyRequest = confirming.request()?;
    let policy = read(&request.complaint_policy.unwrap_or_default(), None)?;
    let valid_from = confirming.effective(Some(policy.valid_from))?;
    let policy = Policy { valid_from, ..policy };
    complaint_policies::insert(tx, &policy, confirming.proposal.maker).await?;
    Ok(valid_from)
}

/// What the second person is shown: each value as it is and as it would be.
fn shown(policy: &Policy, present: &Rules) -> Vec<String> {
    let said = |rules: &Rules| {
        let maybe = |limit: Option<Limit>| limit.map(limit_text).unwrap_or_default();
        [
            ("accept_limit", limit_text(rules.accept)),
            ("assign_limit", limit_text(rules.assign)),
            ("sign_limit", limit_text(rules.sign)),
            ("handle_limit", limit_text(rules.handle)),
            ("handle_legal_limit", maybe(rules.handle_legal)),
            ("handle_internal_limit", maybe(rules.handle_internal)),
            ("review_limit", limit_text(rules.review)),
            ("redo_limit", limit_text(rules.redo)),
            ("extension_days_max", rules.extension_days_max.to_string()),
            ("answer_characters_min", rules.answer_characters_min.to_string()),
            ("needed", rules.needed.iter().map(|it| it.wire()).collect::<Vec<_>>().join(" ")),
            ("intake_roles", names(rules.intake).join(" ")),
            ("reviewer_roles", names(rules.reviewers).join(" ")),
        ]
    };
    let from = wire::local(policy.valid_from);
    let mut shown = vec![format!("类别:{},生效时间:{from}", policy.category.zh())];
    for ((field, before), (_, after)) in said(present).into_iter().zip(said(&policy.rules)) {
        if before != after {
            shown.push(format!("{field}:{before} → {after}"));
        }
    }
    shown
}

/// Refuses a leader of anything less than a unit of the city: the rules hold for all of it.
fn of_the_city(cx: &Cx) -> Result<()> {
    let reach = cx.scope().unit_path.unwrap_or_default();
    if is_of_the_city(&reach) { Ok(()) } else { Err(Error::new(Reason::Denied)) }
}

/// Reads a version; what it does not say stays at the standard value. With an instant, it may not begin
/// before it.
fn read(form: &pb::ComplaintPolicy, now: Option<Timestamp>) -> Result<Policy> {
    let mut faults = Faults::new();
    let at = |field: &str| format!("complaint_policy.{field}");
    let id = faults.take(at("name"), Id::parse(&form.name));
    let category = Category::from_wire(form.category().as_str_name()).ok_or(Flaw::Required);
    let category = faults.take(at("category"), category);
    let from = faults.take(at("valid_from"), wire::instant(form.valid_from));
    // What was decided under the older version stays decided.
    let ahead = from.zip(now).is_none_or(|(from, now)| from >= now);
    faults.check(ahead, at("valid_from"), Flaw::OutOfRange);
    let standard = Rules::standard(category.unwrap_or(Category::Help));
    let mut read = |field: &str, text: &str, otherwise: Limit| {
        if text.is_empty() {
            return otherwise;
        }
        faults.take(at(field), limit(text)).unwrap_or(otherwise)
    };
    let handle = read("handle_limit", &form.handle_limit, standard.handle);
    let legal = &form.handle_legal_limit;
    let handle_legal = match (legal.is_empty(), standard.handle_legal) {
        (true, standard) => standard,
        (false, standard) => Some(read("handle_legal_limit", legal, standard.unwrap_or(handle))),
    };
    let internal = &form.handle_internal_limit;
    let handle_internal = (!internal.is_empty())
        .then(|| read("handle_internal_limit", internal, handle))
        .or(a_day_before(handle));
    let extension_days_max = form.extension_days_max.unwrap_or(standard.extension_days_max);
    let characters = i32::try_from(standard.answer_characters_min).unwrap_or_default();
    let characters = form.answer_characters_min.unwrap_or(characters);
    let rules = Rules {
        accept: read("accept_limit", &form.accept_limit, standard.accept),
        assign: read("assign_limit", &form.assign_limit, standard.assign),
        sign: read("sign_limit", &form.sign_limit, standard.sign),
        handle,
        handle_legal,
        handle_internal,
        review: read("review_limit", &form.review_limit, standard.review),
        redo: read("redo_limit", &form.redo_limit, standard.redo),
        extension_days_max,
        answer_characters_min: usize::try_from(characters).unwrap_or_default(),
        needed: read_needed(&form.needed, &mut faults),
        intake: read_roles("intake_roles", &form.intake_roles, &mut faults),
        reviewers: read_roles("reviewer_roles", &form.reviewer_roles, &mut faults),
    };
    // SD-03: what is promised never ends after what the law allows, nor before the unit's own.
    faults.take(at("handle_limit"), rules.handling());
    faults.take(at("redo_limit"), rules.redoing());
    // The law is not made here: a shorter limit may be set, a longer one not.
    let within = Limits::new(standard.handle_legal, rules.handle_legal, None);
    faults.take(at("handle_legal_limit"), within);
    let days = 0..TOTAL_DAYS_MAX - 4;
    let fits = days.contains(&extension_days_max);
    faults.check(fits, at("extension_days_max"), Flaw::OutOfRange);
    let fits = (0..=1_000).contains(&characters);
    faults.check(fits, at("answer_characters_min"), Flaw::OutOfRange);
    let source = faults.take(at("source"), wire::text(&form.source, 200));
    let (id, category, valid_from, source) = faults.whole((id, category, from, source))?;
    Ok(Policy { id, category, valid_from, rules, source })
}

fn read_needed(names: &[String], faults: &mut Faults) -> Vec<Needed> {
    let mut read = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let needed = Needed::from_wire(name).ok_or(Flaw::UnknownValue);
        read.extend(faults.take(format!("complaint_policy.needed[{at}]"), needed));
    }
    read
}

/// Reads who may; nobody named means the assigners.
fn read_roles(field: &str, names: &[String], faults: &mut Faults) -> Roles {
    let mut read = Roles::NONE;
    for (at, name) in names.iter().enumerate() {
        let role = Role::from_wire(name).filter(|role| DECIDERS.has(*role));
        let role = role.ok_or(Flaw::UnknownValue);
        if let Some(role) = faults.take(format!("complaint_policy.{field}[{at}]"), role) {
            read = read.with(role);
        }
    }
    if read == Roles::NONE { Roles::of(&[Role::Assigner]) } else { read }
}

fn names(roles: Roles) -> Vec<String> {
    roles.iter().map(|role| role.wire().to_owned()).collect()
}

fn reply(policy: Policy) -> pb::ComplaintPolicy {
    let category = wire::enumerated::<pb::complaint::Category>(policy.category);
    let rules = policy.rules;
    pb::ComplaintPolicy {
        name: policy.id.to_string(),
        category,
        valid_from: Some(wire::time(policy.valid_from)),
        accept_limit: limit_text(rules.accept),
        assign_limit: limit_text(rules.assign),
        sign_limit: limit_text(rules.sign),
        handle_limit: limit_text(rules.handle),
        handle_legal_limit: rules.handle_legal.map(limit_text).unwrap_or_default(),
        handle_internal_limit: rules.handle_internal.map(limit_text).unwrap_or_default(),
        review_limit: limit_text(rules.review),
        redo_limit: limit_text(rules.redo),
        extension_days_max: Some(rules.extension_days_max),
        answer_characters_min: i32::try_from(rules.answer_characters_min).ok(),
        needed: rules.needed.iter().map(|needed| needed.wire().to_owned()).collect(),
        intake_roles: names(rules.intake),
        reviewer_roles: names(rules.reviewers),
        source: policy.source,
        proposal: String::new(),
    }
}
