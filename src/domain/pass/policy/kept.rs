//! An evaluation as a decision and its pass keep it (R15): written and read by this one definition.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    evaluation::{Evaluation, Outcome},
    vocabulary::RefusalReason,
};

/// What the rules said: rules, inputs, classes, version. It is read for ten years, so that names stay texts:
/// a rule or a reason that is no more in the catalogue is still told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The verdict by its name.
    pub outcome: String,
    /// The first instant of what was granted.
    pub valid_from: Option<Timestamp>,
    /// Its end, exclusive.
    pub valid_until: Option<Timestamp>,
    /// How many levels review it.
    pub review_steps: Option<u32>,
    /// The coded reasons of a refusal.
    pub reasons: Vec<String>,
    /// The class grants in force.
    pub classes: Vec<KeptClass>,
    /// Each rule that took part.
    pub findings: Vec<KeptFinding>,
    /// The version of the policy.
    pub policy_version: String,
}

/// A class grant that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptClass {
    /// Its resource name.
    pub grant: String,
    /// The class.
    pub class: String,
}

/// A rule that took part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptFinding {
    /// The rule.
    pub rule: String,
    /// What it was given, as `name=value`.
    pub inputs: Vec<String>,
    /// What it found, for a person.
    pub text: String,
}

impl Kept {
    /// The reasons that the catalogue still knows.
    pub fn refusals(&self) -> impl Iterator<Item = RefusalReason> {
        self.reasons.iter().filter_map(|reason| RefusalReason::from_wire(reason))
    }
}

impl From<&Evaluation> for Kept {
    fn from(evaluation: &Evaluation) -> Self {
        let grant = evaluation.outcome.grant();
        let reasons = match &evaluation.outcome {
            Outcome::Refuse(reasons) => reasons.as_slice(),
            _ => &[],
        };
        let classes = evaluation.class_snapshot.iter().map(|grant| KeptClass {
            grant: grant.id.to_string(),
            class: grant.class.wire().to_owned(),
        });
        let findings = evaluation.findings.iter().map(|finding| {
            let inputs = finding.inputs.iter().map(|(name, value)| format!("{name}={value}"));
            KeptFinding {
                rule: finding.rule.wire().to_owned(),
                inputs: inputs.collect(),
                text: finding.text.clone(),
            }
        });
        Self {
            outcome: evaluation.outcome.wire().to_owned(),
            valid_from: grant.map(|grant| grant.valid_from),
            valid_until: grant.map(|grant| grant.valid_until),
            review_steps: grant.map(|grant| grant.reviews.count()),
            reasons: reasons.iter().map(|reason| reason.wire().to_owned()).collect(),
            classes: classes.collect(),
            findings: findings.collect(),
            policy_version: evaluation.policy_version.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Kept, RefusalReason};

    // R15: rows of earlier releases.
    #[test]
    fn what_was_stored_reads_back_and_is_written_the_same() {
        let granted = json!({
            "outcome": "GRANT",
            "valid_from": "2026-11-24T16:00:00Z",
            "valid_until": "2027-02-24T16:00:00Z",
            "review_steps": 2,
            "reasons": [],
            "classes": [{
                "grant": "enterprises/01890a5d-ac96-774b-bcce-b302099a8057/classGrants/1",
                "class": "LIVELIHOOD",
            }],
            "findings": [{
                "rule": "R13",
                "inputs": ["asked=12个月", "class=LIVELIHOOD"],
                "text": "保供企业最长12个月",
            }],
            "policy_version": "2022-06",
        });
        let refused = json!({
            "outcome": "REFUSE",
            "valid_from": null,
            "valid_until": null,
            "review_steps": null,
            "reasons": ["QUOTA_EXHAUSTED"],
            "classes": [],
            "findings": [],
            "policy_version": "2022-06",
        });
        for stored in [&granted, &refused] {
            let read: Kept = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), *stored);
        }
        let read: Kept = serde_json::from_value(granted).unwrap();
        assert_eq!(read.review_steps, Some(2));
        assert_eq!(read.findings[0].inputs[0], "asked=12个月");
        let read: Kept = serde_json::from_value(refused).unwrap();
        assert_eq!(read.refusals().collect::<Vec<_>>(), [RefusalReason::QuotaExhausted]);
        // What nobody evaluated says nothing, and a reason that is no more is no fault.
        assert_eq!(serde_json::from_value::<Option<Kept>>(Value::Null).unwrap(), None);
        let gone: Kept = serde_json::from_value(json!({ "reasons": ["NO_MORE"] })).unwrap();
        assert_eq!(gone.refusals().count(), 0);
    }
}
