//! Measure 6 as dated data, and the rule table R01 to R17 that judges the wish for a truck pass.
//! No state of an application, no storage, and no number that a policy version should set.
//!
//! The same [`evaluate()`] warns the applicant before submission and makes the decision after the
//! review (PA-04); each [`Evaluation`] explains itself with rules, inputs and version (PA-03).
//!
//! # Measure 6 as data
//!
//! `domain/policy` holds the rule table R01 to R17 of the domain's fact sheet; its values (1, 6 and 12
//! months, peaks, exempt bodies, blocking vehicle states, papers per kind, promised limits) are rows of
//! `pass_policy` with a source and a first day. Each evaluation lists the rules that took part, what they
//! were given and the version; the decision stores it, the refusal tells it. The same function warns
//! before submission (`validate_only`) and decides after the review. Automatic approval is off until a
//! policy version switches it on.

mod differences;
mod evaluate;
mod evaluation;
mod granted;
mod inputs;
mod kept;
mod length;
mod ranges;
mod typical;
mod values;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use differences::differences;
pub use evaluate::evaluate;
#[cfg(test)]
pub use evaluation::Outcome;
pub use evaluation::{Evaluation, Grant, Reviews, may_approve_automatically};
pub use granted::Wish;
pub use inputs::{
    ActivePass, Ask, AskedZone, ClassGrant, EnterpriseFacts, Inputs, Length, Standing,
    VehicleFacts, VehiclePapers,
};
pub use kept::Kept;
pub use typical::dry_run;
pub use values::{PolicyValues, PolicyVersion, version_at};
pub use vocabulary::{
    AttachmentKind, CargoKind, EnterpriseClass, PassKind, RefusalReason, Relation, RuleId,
};
