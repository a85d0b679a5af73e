//! What is owed of an application: a decision, promised and by law, from its first acceptance on.

use jiff::Timestamp;

use super::Application;
use crate::{
    domain::{
        duty::{
            calendar::Calendar,
            obligation::{
                Limits, Obligation, ObligationKind, Pause, PauseReason, Standing, Which,
                decision_limits,
            },
        },
        pass::policy::{PassKind, PolicyValues},
    },
    error::Result,
};

impl Application {
    /// How long the decision may take: what the policy promises, within the law.
    #[must_use]
    pub fn decision_limits(&self, values: &PolicyValues) -> Limits {
        let promised = if self.need.kind == PassKind::Temporary {
            values.promised.temporary_working_days
        } else {
            values.promised.other_working_days
        };
        decision_limits(promised)
    }

    /// What we owe: a decision, from the first acceptance on.
    #[must_use]
    pub fn obligation(&self, values: &PolicyValues) -> Option<Obligation> {
        let opened = self.accept_time?;
        let limits = self.decision_limits(values);
        let pauses = self.waits.iter().map(|wait| Pause {
            from: wait.from,
            until: wait.until,
            reason: PauseReason::AwaitingCorrection,
        });
        Some(Obligation {
            kind: ObligationKind::DecidePassApplication,
            opened,
            limits,
            pauses: pauses.collect(),
            met: self.decide_time,
        })
    }

    /// When the decision is due, promised and by law; none before acceptance.
    pub fn due(
        &self,
        values: &PolicyValues,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let Some(owed) = self.obligation(values) else { return Ok((None, None)) };
        let promised = owed.due(Which::Promised, now, calendar)?;
        Ok((promised, owed.due(Which::Legal, now, calendar)?))
    }

    /// How the decision stands; on time before acceptance.
    pub fn standing(
        &self,
        values: &PolicyValues,
        now: Timestamp,
        calendar: &Calendar,
    ) -> Result<Standing> {
        match self.obligation(values) {
            Some(owed) => owed.standing(now, calendar),
            None => Ok(Standing::OnTime),
        }
    }
}
