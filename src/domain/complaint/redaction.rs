//! Redaction (CO-17): passages that nobody should read are taken out of what everybody reads; what the
//! fields said before goes under lock. Who may open it again is not said here.

use super::Complaint;
use crate::{
    context::Cx,
    domain::{
        lifecycle::{Change, Moved, Note},
        policy::named,
    },
    error::{Faults, Flaw, Result},
    id::{Id, kind},
};

/// What stands in the place of a passage, whatever its length was.
const MARK: char = '■';

named! {
/// A field that can be redacted.
Field {
    /// In short.
    Title = "TITLE", "标题";
    /// In full.
    Content = "CONTENT", "内容";
    /// The answer.
    Feedback = "FEEDBACK", "答复";
}
}

/// A passage that is to go, wherever it stands in the field.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Where.
    pub field: Field,
    /// As it stands there.
    pub text: String,
}

/// What a field said before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Which field.
    pub field: Field,
    /// What it said.
    pub text: String,
    /// What went out of it.
    pub passages: Vec<String>,
}

impl Complaint {
    /// Takes passages out, whatever its state; each must stand in its field. Whoever did what it is
    /// about, or handled it, may not.
    pub fn redact(
        mut self,
        officer: Id<kind::Officer>,
        passages: &[Passage],
        reason: String,
        cx: &Cx,
    ) -> Result<(Moved<Self>, Vec<Original>)> {
        self.judged_by(officer)?;
        let mut faults = Faults::new();
        for (index, passage) in passages.iter().enumerate() {
            let found = self.field(passage.field).contains(&passage.text);
            faults.check(found, format!("passages[{index}].text"), Flaw::UnknownValue);
        }
        faults.done()?;
        let mut originals = Vec::new();
        for &field in Field::ALL {
            let of_field = passages.iter().filter(|passage| passage.field == field);
            let passages: Vec<_> = of_field.map(|passage| passage.text.clone()).collect();
            if passages.is_empty() {
                continue;
            }
            if field == Field::Feedback {
                self.given_feedback = without(&self.given_feedback, &passages);
            }
            let text = self.field(field);
            let redacted = without(text, &passages);
            let original = std::mem::replace(text, redacted);
            originals.push(Original { field, text: original, passages });
        }
        let change = Change::remark(self.state(), "REDACT", Note::internal(reason), cx);
        Ok((Moved::new(self, change), originals))
    }

    const fn field(&mut self, field: Field) -> &mut String {
        match field {
            Field::Title => &mut self.title,
            Field::Content => &mut self.content,
            Field::Feedback => &mut self.feedback,
        }
    }
}

/// The text with a mark wherever a passage stands. All are looked for in the text as it was, so that
/// passages that overlap all go.
#[must_use]
pub fn without(text: &str, passages: &[String]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut hidden_until = 0;
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        let began = passages.iter().filter(|passage| rest.starts_with(passage.as_str()));
        let until = began.map(|passage| at.saturating_add(passage.len())).max().unwrap_or(0);
        let goes_on = at < hidden_until;
        hidden_until = hidden_until.max(until);
        if at >= hidden_until {
            redacted.push(character);
        } else if !goes_on {
            redacted.push(MARK);
        }
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn every_occurrence_goes_and_its_length_is_not_told() {
        let without = |text, passages: &[&str]| {
            without(text, &passages.iter().map(|&it| it.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(without("张三的电话是139,找张三", &["张三"]), "■的电话是139,找■");
        assert_eq!(without("张三丰与张三", &["张三", "张三丰"]), "■与■");
        assert_eq!(without("甲乙丙丁", &["甲乙", "乙丙"]), "■丁");
        assert_eq!(without("哈哈哈了", &["哈哈"]), "■了");
        assert_eq!(without("甲乙", &["甲", "乙"]), "■■");
        assert_eq!(without("无", &["甲"]), "无");
    }
}
