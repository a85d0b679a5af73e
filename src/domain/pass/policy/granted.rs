//! What becomes of a verdict of the rules when somebody acts on it: a refusal with every reason, or the grant,
//! whole or less of it. The verdict itself stands in `evaluate`.

use super::{
    evaluation::{Evaluation, Grant, Outcome},
    vocabulary::{PassKind, RefusalReason},
};
use crate::{
    domain::duty::month,
    error::{Error, Field, Flaw, Reason, Result},
};

/// How long a pass a reviewer grants; nothing: as long as the rules permit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// For a long-term pass.
    pub months: i32,
    /// For any other.
    pub days: i32,
}

impl Evaluation {
    /// Refuses what the rules refuse, with every reason; what only an officer can judge goes on.
    ///
    /// # Errors
    /// The one reason, or `APPLICATION_REFUSED`; `REQUEST_INVALID` with everything to correct.
    pub fn refuse(&self) -> Result<()> {
        match &self.outcome {
            Outcome::Grant(_) | Outcome::Offer(..) => Ok(()),
            Outcome::NoPassRequired => {
                Err(Error::new(Reason::NoPassRequired).fact("policy_version", &self.policy_version))
            }
            Outcome::Correct(needs) => {
                let fields = needs.iter().map(|need| Field {
                    path: need.field.to_owned(),
                    flaw: flaw(need.reason),
                    zh: need.text.clone().into(),
                });
                Err(Error::invalid(fields.collect()).fact("policy_version", &self.policy_version))
            }
            Outcome::Refuse(reasons) => {
                let codes: Vec<_> = reasons.iter().map(|reason| reason.wire()).collect();
                let said: Vec<_> = reasons.iter().map(|reason| reason.zh()).collect();
                let rules: Vec<_> =
                    self.findings.iter().map(|finding| finding.rule.wire()).collect();
                Err(Error::new(single(reasons))
                    .fact("reasons", codes.join(","))
                    .fact("told", said.join(";"))
                    .fact("rules", rules.join(","))
                    .fact("policy_version", &self.policy_version))
            }
        }
    }

    /// What a reviewer may grant at most: the offer of the rules, or less (facts.md, D1).
    ///
    /// # Errors
    /// As [`Self::refuse`]; a field that does not fit the kind, or is more than the offer.
    pub fn granted(&self, wish: Wish) -> Result<Grant> {
        self.refuse()?;
        let grant = self.outcome.grant().cloned();
        let mut grant = grant.ok_or_else(|| Error::new(Reason::ApplicationRefused))?;
        let long = self.kind.is_long_term();
        let (path, asked, other_path, other) = if long {
            ("months", wish.months, "days", wish.days)
        } else {
            ("days", wish.days, "months", wish.months)
        };
        if other != 0 {
            return Err(Error::field(other_path, Flaw::NotAllowed));
        }
        if asked == 0 || self.kind == PassKind::GreenLane {
            return Ok(grant);
        }
        let amount = u32::try_from(asked).map_err(|_| Error::field(path, Flaw::OutOfRange))?;
        let first = month::local_date(grant.valid_from);
        let end = if long {
            month::end_after_months(first, amount)
        } else {
            month::add_days(first, amount)
        };
        let end = month::start_of_day(end);
        if end > grant.valid_until {
            return Err(Error::field(path, Flaw::OutOfRange));
        }
        grant.valid_until = end;
        Ok(grant)
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

#[cfg(test)]
mod tests {
    use super::{
        super::evaluation::{Evaluation, Grant, Outcome, Reviews},
        PassKind, RefusalReason, Wish,
    };
    use crate::{domain::pass::policy::Length, error::Reason};

    fn evaluation(kind: PassKind, outcome: Outcome) -> Evaluation {
        let policy_version = "measure-6".to_owned();
        Evaluation { outcome, kind, findings: vec![], class_snapshot: vec![], policy_version }
    }

    /// Three months, or two days.
    fn grant(kind: PassKind) -> Evaluation {
        let long = kind.is_long_term();
        let until = if long { "2022-09-15T00:00:00+08:00" } else { "2022-06-17T00:00:00+08:00" };
        evaluation(
            kind,
            Outcome::Grant(Grant {
                valid_from: "2022-06-15T00:00:00+08:00".parse().unwrap(),
                valid_until: until.parse().unwrap(),
                length: if long { Length::Months(3) } else { Length::Days(2) },
                reviews: Reviews::OneStep,
                quota_needed: false,
                renews: Vec::new(),
            }),
        )
    }

    // D1, PA-06.
    #[test]
    fn a_reviewer_grants_what_the_rules_permit_or_less() {
        for (kind, wish, until) in [
            (PassKind::LongTermDelivery, (0, 0), Some("2022-09-15")),
            (PassKind::LongTermDelivery, (1, 0), Some("2022-07-15")),
            (PassKind::LongTermDelivery, (4, 0), None),
            (PassKind::LongTermDelivery, (-1, 0), None),
            (PassKind::LongTermDelivery, (1, 1), None),
            (PassKind::Temporary, (0, 1), Some("2022-06-16")),
            (PassKind::Temporary, (0, 3), None),
            (PassKind::Temporary, (1, 0), None),
            (PassKind::GreenLane, (0, 1), Some("2022-06-17")),
        ] {
            let granted = grant(kind).granted(Wish { months: wish.0, days: wish.1 });
            let until = until.map(|day| format!("{day}T00:00:00+08:00").parse().unwrap());
            assert_eq!(granted.ok().map(|it| it.valid_until), until, "{kind:?} {wish:?}");
        }
    }

    #[test]
    fn one_reason_is_told_as_itself_and_several_as_a_refusal() {
        let refused = |reasons: &[RefusalReason]| {
            let outcome = Outcome::Refuse(reasons.to_vec());
            evaluation(PassKind::Temporary, outcome).refuse().unwrap_err().reason()
        };
        assert_eq!(refused(&[RefusalReason::QuotaExhausted]), Reason::QuotaExhausted);
        let both = [RefusalReason::QuotaExhausted, RefusalReason::Blacklisted];
        assert_eq!(refused(&both), Reason::ApplicationRefused);
        let free = evaluation(PassKind::Temporary, Outcome::NoPassRequired);
        assert_eq!(free.granted(Wish::default()).unwrap_err().reason(), Reason::NoPassRequired);
    }
}
