//! Redaction (CO-17): passages that nobody should read are taken out of what everybody reads, in every
//! text that a person wrote; what the fields said before goes under lock. Who may open it again is not said here.

use super::Complaint;
use crate::{
    context::Cx,
    domain::{
        codes::text,
        common::{
            deed::Deed,
            lifecycle::{Change, Moved, Note},
        },
    },
    error::{Faults, Flaw, Result},
    id::{Id, kind},
    named::named,
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
    /// Where it happened.
    Place = "PLACE", "地点";
    /// The written end.
    Conclusion = "CONCLUSION", "结论";
    /// To whom it was transferred, and its number there.
    Outside = "OUTSIDE", "转出";
    /// What was said with a step, an extension, a review or a point of a joint meeting.
    Note = "NOTE", "办理记录";
    /// What the enterprise said with its evaluation.
    Comment = "COMMENT", "评价意见";
    /// What was handed over from a conversation.
    Message = "MESSAGE", "转办对话";
    /// A file: `attachments/...`.
    File = "FILE", "附件";
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

/// From this length on, in characters that show, a passage is nobody's to read anywhere; a shorter one is
/// part of too many words.
const SPREADS_FROM: usize = 2;

impl Passage {
    /// Whether it goes out of a field: out of its own, and with some length out of every text.
    #[must_use]
    pub fn goes_from(&self, field: Field) -> bool {
        let texts = self.field != Field::File && field != Field::File;
        self.field == field || (texts && text::shown(&self.text) >= SPREADS_FROM)
    }
}

/// What goes out of a field.
#[must_use]
pub fn going_from(passages: &[Passage], field: Field) -> Vec<String> {
    let going = passages.iter().filter(|passage| passage.goes_from(field));
    going.map(|passage| passage.text.clone()).collect()
}

/// What somebody wrote about a complaint outside of its own fields.
#[derive(Debug, Clone)]
pub struct Said {
    /// As what it counts.
    pub field: Field,
    /// What was written.
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
    /// Takes passages out, whatever its state; each must stand in its field, or in what was said
    /// elsewhere. Whoever did what it is about, or handled it, may not.
    pub fn redact(
        mut self,
        officer: Id<kind::Officer>,
        passages: &[Passage],
        elsewhere: &[Said],
        reason: String,
        cx: &Cx,
    ) -> Result<(Moved<Self>, Vec<Original>)> {
        self.judged_by(officer)?;
        let mut faults = Faults::new();
        for (index, passage) in passages.iter().enumerate() {
            let own = self.texts(passage.field);
            let found = own.iter().any(|text| text.contains(&passage.text))
                || elsewhere.iter().any(|said| said.holds(passage));
            faults.check(found, format!("passages[{index}].text"), Flaw::UnknownValue);
        }
        faults.done()?;
        let mut originals = Vec::new();
        for &field in Field::ALL {
            let going = going_from(passages, field);
            for text in self.texts(field) {
                let redacted = without(text, &going);
                if redacted == *text {
                    continue;
                }
                let text = std::mem::replace(text, redacted);
                let original = Original { field, text, passages: going.clone() };
                if !originals.contains(&original) {
                    originals.push(original);
                }
            }
        }
        let change = Change::remark(self.state(), Deed::Redact, Note::internal(reason), cx);
        Ok((Moved::new(self, change), originals))
    }

    /// The own texts of a field.
    fn texts(&mut self, field: Field) -> Vec<&mut String> {
        match field {
            Field::Title => vec![&mut self.title],
            Field::Content => vec![&mut self.content],
            Field::Feedback => vec![&mut self.feedback, &mut self.given_feedback],
            Field::Place => vec![&mut self.place],
            Field::Conclusion => vec![&mut self.conclusion],
            Field::Outside => vec![&mut self.outside_target, &mut self.outside_number],
            Field::Note | Field::Comment | Field::Message | Field::File => Vec::new(),
        }
    }
}

impl Said {
    fn holds(&self, passage: &Passage) -> bool {
        self.field == passage.field
            && if self.field == Field::File {
                self.text == passage.text
            } else {
                self.text.contains(&passage.text)
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
