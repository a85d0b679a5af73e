//! What a field of a WeChat subscription message may hold, and how a text is made to fit: a message
//! that WeChat would refuse for its fields (47003) cannot be made. Which fields a filed template has.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Push, Template};
use crate::domain::duty::month;

/// A field's value as it fits its type; the type is the name without its number.
#[must_use]
pub fn fit(name: &str, text: &str) -> String {
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "phrase" => kept(text, 5, is_chinese, "已更新"),
        "character_string" => kept(text, 32, |c| c.is_ascii_graphic(), "-"),
        "car_number" => car_number(text),
        "number" => kept(text, 32, |c| c.is_ascii_digit(), "0"),
        // A `thing`, the only other type that takes words.
        _ => thing(text),
    }
}

/// The characters that the type permits, so many at most; the other text when none is left.
fn kept(text: &str, max: usize, permits: impl Fn(char) -> bool, otherwise: &str) -> String {
    let kept: String = text.chars().filter(|c| permits(*c)).take(max).collect();
    if kept.is_empty() { otherwise.to_owned() } else { kept }
}

/// At most 20 characters; what is longer ends with an ellipsis.
fn thing(text: &str) -> String {
    let whole = kept(text, usize::MAX, |c| !c.is_control(), "-");
    if whole.chars().count() <= 20 {
        return whole;
    }
    whole.chars().take(19).chain(['…']).collect()
}

/// At most 8 letters and digits, of which the first and the last may be Chinese.
fn car_number(text: &str) -> String {
    let plain: Vec<char> =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || is_chinese(*c)).take(8).collect();
    let last = plain.len().saturating_sub(1);
    let fits = |(at, c): (usize, &char)| (!is_chinese(*c) || at == 0 || at == last).then_some(*c);
    let fitting: String = plain.iter().enumerate().filter_map(fits).collect();
    if fitting.is_empty() { "0".to_owned() } else { fitting }
}

/// The unified ideographs in common use.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}')
}

/// `2026年11月24日 10:30`, which is a `time` and a `date`.
fn time(at: Timestamp) -> String {
    at.to_zoned(month::shanghai()).strftime("%Y年%m月%d日 %H:%M").to_string()
}

/// A template as it is filed at WeChat: its id, and the names of its fields in our order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// WeChat's id.
    pub id: String,
    names: Vec<String>,
}

/// The field names of our templates unless the deployment files others.
const fn names(template: Template) -> &'static [&'static str] {
    match template {
        Template::PassApplication => &["character_string1", "phrase2", "thing3", "time4"],
        Template::Pass => &["car_number1", "phrase2", "thing3", "time4"],
        Template::Complaint => &["character_string1", "phrase2", "time3"],
        Template::Enterprise => &["thing1", "phrase2", "time3"],
        Template::Message | Template::Evaluation => &["thing1", "time2"],
        Template::Digest => &["number1", "thing2", "time3"],
        Template::Task | Template::Account => &[],
    }
}

impl Filed {
    /// The fields of a push, each fitting its type.
    #[must_use]
    pub fn data(&self, push: &Push) -> BTreeMap<String, String> {
        let (facts, title) = (&push.facts, &push.text.title);
        let values: Vec<String> = match push.template {
            Template::PassApplication => {
                vec![facts.number.clone(), push.phrase.to_owned(), title.clone(), time(push.time)]
            }
            Template::Pass => {
                vec![facts.plate.clone(), push.phrase.to_owned(), title.clone(), time(push.time)]
            }
            Template::Complaint => {
                vec![facts.number.clone(), push.phrase.to_owned(), time(push.time)]
            }
            Template::Enterprise => {
                vec![title.clone(), push.phrase.to_owned(), time(push.time)]
            }
            Template::Message | Template::Evaluation => vec![title.clone(), time(push.time)],
            Template::Digest => {
                let count = facts.count.unwrap_or_default().to_string();
                vec![count, title.clone(), time(push.time)]
            }
            Template::Task | Template::Account => Vec::new(),
        };
        let fields = self.names.iter().zip(values).map(|(name, value)| {
            let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let value = if matches!(kind, "time" | "date") { value } else { fit(name, &value) };
            (name.clone(), value)
        });
        fields.collect()
    }
}

/// The templates that are filed at WeChat; a push whose template is not is not sent there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    filed: BTreeMap<Template, Filed>,
    page: String,
}

impl Templates {
    /// Reads `pass=ID;complaint=ID:character_string2,phrase1,time5`: the id at WeChat, and where the
    /// filed template names its fields otherwise, their names in our order, each of our type.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut templates = BTreeMap::new();
        for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (code, filed) = entry.split_once('=').ok_or(format!("{entry}: code=id"))?;
            let known = Template::AT_WECHAT.into_iter().find(|it| it.wire() == code.trim());
            let template = known.ok_or(format!("{code}: no such template"))?;
            let (id, given) = filed.split_once(':').unwrap_or((filed, ""));
            let ours = names(template);
            let given: Vec<&str> = given.split(',').filter(|name| !name.is_empty()).collect();
            let given = if given.is_empty() { ours.to_vec() } else { given };
            let kind = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
            let fits = given.len() == ours.len()
                && given.iter().zip(ours).all(|(name, our)| kind(name) == kind(our));
            if id.trim().is_empty() || !fits {
                return Err(format!("{code}: an id, and fields of the types {}", ours.join(",")));
            }
            let names = given.into_iter().map(str::to_owned).collect();
            templates.insert(template, Filed { id: id.trim().to_owned(), names });
        }
        Ok(Self { filed: templates, page: String::new() })
    }

    /// The same, whose messages open a page of the mini-program.
    #[must_use]
    pub fn with_page(mut self, page: &str) -> Self {
        page.clone_into(&mut self.page);
        self
    }

    /// The page that a message opens; empty for none.
    #[must_use]
    pub fn page(&self) -> &str {
        &self.page
    }

    /// The template as it is filed.
    #[must_use]
    pub fn filed(&self, template: Template) -> Option<&Filed> {
        self.filed.get(&template)
    }

    /// The template of a WeChat id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<Template> {
        self.filed.iter().find(|(_, filed)| filed.id == id).map(|(template, _)| *template)
    }

    /// Every filed template.
    pub fn iter(&self) -> impl Iterator<Item = (Template, &Filed)> {
        self.filed.iter().map(|(template, filed)| (*template, filed))
    }
}
