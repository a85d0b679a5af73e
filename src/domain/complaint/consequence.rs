//! What an evaluation leads to (measure 19): a complaint that was rated moves on; any other finished thing that
//! was rated badly becomes a complaint of its own. Silence leads to nothing else.

use super::{Category, Channel, Draft};
use crate::{
    domain::common::evaluation::{Evaluation, Verdict},
    id::{Collection as _, Id, kind},
};

/// What is to be done.
#[derive(Debug)]
pub enum Consequence {
    /// Nothing more.
    Nothing,
    /// The complaint that was asked about is closed, handled again, or escalated.
    Step(Id<kind::Complaint>),
    /// A complaint is filed.
    File(Box<Draft>),
}

impl Consequence {
    /// What follows from an evaluation, or from its silence.
    #[must_use]
    pub fn of(asked: &Evaluation, said: Option<&Verdict>) -> Self {
        if asked.collection == kind::Complaint::NAME {
            return Self::Step(Id::of(asked.subject));
        }
        match said.filter(|verdict| verdict.level.is_bad()) {
            Some(verdict) => Self::File(Box::new(Draft::from_evaluation(asked, verdict))),
            None => Self::Nothing,
        }
    }
}

impl Draft {
    /// What was rated badly, as a complaint, which whoever finished the thing may not handle (CO-13).
    fn from_evaluation(asked: &Evaluation, verdict: &Verdict) -> Self {
        Self {
            enterprise: asked.enterprise,
            unit_path: asked.unit_path.clone(),
            category: Category::Complaint,
            channel: Channel::Evaluation,
            title: format!("服务评价{}", verdict.level.zh()),
            content: verdict.comment.clone(),
            place: String::new(),
            origin: Some((asked.collection.clone(), asked.subject)),
            linked_sequences: Vec::new(),
            past_handlers: asked.officer.into_iter().collect(),
            outside_number: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Category, Consequence, Evaluation, Verdict};
    use crate::{
        domain::common::evaluation::{EVALUATED, EvaluationState, Satisfaction},
        id::{Collection as _, Id, kind},
    };

    fn asked(collection: &str) -> Evaluation {
        let now = "2026-11-24T10:30:00+08:00".parse().unwrap();
        Evaluation {
            id: Id::of(Uuid::from_u128(1)),
            collection: collection.to_owned(),
            subject: Uuid::from_u128(2),
            round: 0,
            enterprise: Id::of(Uuid::from_u128(3)),
            unit_path: "321300000000/".to_owned(),
            officer: Some(Id::of(Uuid::from_u128(4))),
            state: EvaluationState::Invited,
            verdict: None,
            create_time: now,
            due_time: now,
            rate_time: None,
        }
    }

    // CO-12, CO-13: every thing that is evaluated with every level, and with silence.
    #[test]
    fn a_bad_level_is_handled_again_and_silence_is_none() {
        let levels = Satisfaction::ALL.iter().copied().map(Some);
        for level in levels.chain([None]) {
            let comment = "等了三周".to_owned();
            let said = level.map(|level| Verdict { level, solved: false, comment });
            for collection in EVALUATED {
                let asked = asked(collection);
                match Consequence::of(&asked, said.as_ref()) {
                    Consequence::Step(complaint) => {
                        assert_eq!(collection, kind::Complaint::NAME);
                        assert_eq!(complaint.uuid(), asked.subject);
                    }
                    Consequence::File(draft) => {
                        let level = level.unwrap();
                        assert!(level.is_bad() && collection != kind::Complaint::NAME);
                        assert_eq!(draft.category, Category::Complaint);
                        assert_eq!(draft.title, format!("服务评价{}", level.zh()));
                        assert_eq!(draft.origin, Some((collection.to_owned(), asked.subject)));
                        assert_eq!(draft.past_handlers, [asked.officer.unwrap()]);
                    }
                    Consequence::Nothing => {
                        assert!(collection != kind::Complaint::NAME);
                        assert!(level.is_none_or(|level| !level.is_bad()), "{level:?}");
                    }
                }
            }
        }
    }
}
