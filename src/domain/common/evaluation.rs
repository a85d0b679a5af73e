//! What an enterprise says of a finished thing (评价, 好差评): five levels; solved and satisfied are
//! asked apart; silence ends as unrated and never counts as satisfied (facts.md, 4.4). What is counted
//! of it stands in `figures`.

pub mod figures;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::{
    actor::Item,
    error::{Faults, Flaw},
    id::{Collection as _, Id, kind},
    named::named,
};

/// Silence for so long closes an evaluation as unrated.
pub const SILENCE: SignedDuration = SignedDuration::from_hours(24 * 7);

/// What may be asked about: the collections of the things that are evaluated.
pub const EVALUATED: [&str; 6] = [
    kind::Conversation::NAME,
    kind::PassApplication::NAME,
    kind::Complaint::NAME,
    kind::Problem::NAME,
    kind::CentreBooking::NAME,
    kind::MeetingPoint::NAME,
];

/// The item in which somebody must act for the enterprise to say how a thing of the collection was.
#[must_use]
pub fn item(collection: &str) -> Item {
    match collection {
        kind::Conversation::NAME => Item::Liaison,
        kind::PassApplication::NAME => Item::Pass,
        _ => Item::Request,
    }
}

named! {
/// How satisfied.
Satisfaction {
    /// 5
    VerySatisfied = "VERY_SATISFIED", "非常满意";
    /// 4
    Satisfied = "SATISFIED", "满意";
    /// 3
    BasicallySatisfied = "BASICALLY_SATISFIED", "基本满意";
    /// 2
    Dissatisfied = "DISSATISFIED", "不满意";
    /// 1
    VeryDissatisfied = "VERY_DISSATISFIED", "非常不满意";
}
}

impl Satisfaction {
    /// 差评: the two lowest levels, which demand a reason and a second handling.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Dissatisfied | Self::VeryDissatisfied)
    }
}

named! {
/// Where an evaluation stands.
EvaluationState {
    /// Asked for.
    Invited = "INVITED", "待评价";
    /// Answered.
    Rated = "RATED", "已评价";
    /// Nobody answered.
    Unrated = "UNRATED", "未评价";
}
}

/// The answer of an enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How satisfied.
    pub level: Satisfaction,
    /// Whether it is solved.
    pub solved: bool,
    /// In its own words; needed for a bad level.
    pub comment: String,
}

impl Verdict {
    /// Reads an answer, with every fault at once.
    pub fn read(level: &str, solved: bool, comment: String, faults: &mut Faults) -> Option<Self> {
        let level = Satisfaction::from_wire(level).ok_or(Flaw::Required);
        let level = faults.take("level", level)?;
        if level.is_bad() && comment.is_empty() {
            faults.add_told(
                "comment",
                Flaw::Required,
                "请说明不满意的原因,我们将安排其他民警重新办理",
            );
            return None;
        }
        Some(Self { level, solved, comment })
    }
}

/// An evaluation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Its id.
    pub id: Id<kind::Evaluation>,
    /// Of what: a collection and an id.
    pub collection: String,
    /// The id.
    pub subject: Uuid,
    /// Of which end of it.
    pub round: i32,
    /// Who is asked.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit that finished it.
    pub unit_path: String,
    /// Who finished it.
    pub officer: Option<Id<kind::Officer>>,
    /// Where it stands.
    pub state: EvaluationState,
    /// The answer.
    pub verdict: Option<Verdict>,
    /// Since when.
    pub create_time: Timestamp,
    /// Until when it may be answered.
    pub due_time: Timestamp,
    /// When it was answered.
    pub rate_time: Option<Timestamp>,
}

impl Evaluation {
    /// The resource name of what is evaluated.
    #[must_use]
    pub fn subject_name(&self) -> String {
        format!("{}/{}", self.collection, self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::{Satisfaction, Verdict};
    use crate::error::Faults;

    #[test]
    fn a_bad_level_needs_its_reason() {
        for level in Satisfaction::ALL {
            let mut faults = Faults::new();
            let read = Verdict::read(level.wire(), true, String::new(), &mut faults);
            assert_eq!(read.is_none(), level.is_bad());
            assert_eq!(faults.done().is_err(), level.is_bad());
        }
    }
}
