//! What the rules say of a wish, with the explanation. Nothing is judged here but whether the
//! rules alone may decide.

use jiff::Timestamp;

use super::{
    inputs::{ClassGrant, Length},
    values::PolicyValues,
    vocabulary::{PassKind, RefusalReason, RuleId},
};

/// The verdict of the rules, with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Evaluation {
    /// The verdict.
    pub outcome: Outcome,
    /// The kind of pass that was asked for.
    pub kind: PassKind,
    /// Each rule that took part, in the order of the table.
    pub findings: Vec<Finding>,
    /// R15: the class grants in force at the instant; the pass stores them.
    pub class_snapshot: Vec<ClassGrant>,
    /// The version of the policy.
    pub policy_version: String,
}

/// What the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Grant(Grant),
    /// Less than asked: what can be had, and why not more.
    Offer(Grant, String),
    /// Everything that must be corrected, told at once (行政许可法 art. 32).
    Correct(Vec<CorrectionNeed>),
    /// Every reason, not only the first.
    Refuse(Vec<RefusalReason>),
    /// R17: the ban does not concern this vehicle.
    NoPassRequired,
}

impl Outcome {
    /// The name on the wire.
    #[must_use]
    pub const fn wire(&self) -> &'static str {
        match self {
            Self::Grant(_) => "GRANT",
            Self::Offer(..) => "OFFER",
            Self::Correct(_) => "CORRECT",
            Self::Refuse(_) => "REFUSE",
            Self::NoPassRequired => "NO_PASS_REQUIRED",
        }
    }

    /// What can be had: the grant, or the offer.
    #[must_use]
    pub const fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Grant(grant) | Self::Offer(grant, _) => Some(grant),
            Self::Correct(_) | Self::Refuse(_) | Self::NoPassRequired => None,
        }
    }
}

/// A pass as the rules permit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The first instant.
    pub valid_from: Timestamp,
    /// The end, exclusive.
    pub valid_until: Timestamp,
    /// The length; days where a paper cut it within a month.
    pub length: Length,
    /// Who must look at it.
    pub reviews: Reviews,
    /// Whether a place of a quota must be reserved.
    pub quota_needed: bool,
    /// R16: the passes whose end is the new start.
    pub renews: Vec<crate::id::Id<crate::id::kind::TruckPass>>,
}

/// How many levels review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviews {
    /// The brigade.
    OneStep,
    /// The brigade, then another officer of the detachment.
    TwoStep,
}

impl Reviews {
    /// The number of steps.
    #[must_use]
    pub const fn count(self) -> u32 {
        match self {
            Self::OneStep => 1,
            Self::TwoStep => 2,
        }
    }
}

/// One thing to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionNeed {
    /// The coded reason.
    pub reason: RefusalReason,
    /// The field of the application: `vehicle.inspection_valid_until`.
    pub field: &'static str,
    /// What is wrong and what is wanted, for a person.
    pub text: String,
}

/// A rule that took part: the explanation for 行政复议.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// What it was given.
    pub inputs: Vec<(&'static str, String)>,
    /// What it found, for a person.
    pub text: String,
}

/// Whether the rules may decide without an officer (PA-05): the policy permits it, nothing is
/// less than asked, and one step of review would be enough.
#[must_use]
pub fn may_approve_automatically(evaluation: &Evaluation, values: &PolicyValues) -> bool {
    let conditions = &values.automatic_approval;
    let Outcome::Grant(grant) = &evaluation.outcome else {
        return false;
    };
    let short_enough = match grant.length {
        Length::Months(months) => months <= conditions.months_max,
        Length::Days(days) => days <= conditions.days_max,
        Length::Hours(_) => false,
    };
    conditions.enabled
        && conditions.kinds.contains(&evaluation.kind)
        && short_enough
        && grant.reviews == Reviews::OneStep
        && (conditions.with_quota || !grant.quota_needed)
}
