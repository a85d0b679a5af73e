//! Words that a conversation must not overlook: emergencies, and what an officer must not send.
//! The list warns; it decides nothing.

use jiff::civil::Date;

use crate::{
    domain::codes::{
        ResidentId,
        text::{self, is_dash, is_dot},
    },
    named::named,
};

/// Words of emergency: they are answered at once with the advice to call 110 (facts.md, 4.7).
const EMERGENCY: &[&str] = &[
    "报警",
    "救命",
    "杀人",
    "持刀",
    "砍人",
    "绑架",
    "抢劫",
    "着火",
    "起火",
    "火灾",
    "爆炸",
    "自杀",
    "打架",
    "有人受伤",
    "死人",
    "中毒",
    "求救",
    "110",
];

/// Words of secrecy: 保守国家秘密法, 人民警察法 art. 22.
const SECRET: &[&str] = &["绝密", "机密", "秘密级", "国家秘密", "内部资料", "不得外传"];

/// Words of a case that is being worked on.
const CASE: &[&str] =
    &["侦查阶段", "抓捕", "布控", "技侦", "线人", "举报人是", "办案民警手机", "案件细节"];

/// The longest number that is looked for: a card of 19 digits, and what was typed around it.
const NUMBER_DIGITS_MAX: usize = 24;
/// The most groups of one number: each character by itself.
const NUMBER_GROUPS_MAX: usize = 24;

named! {
/// Why an officer is warned before a text is sent.
Warning {
    /// A resident id that counts.
    ResidentIdNumber = "RESIDENT_ID_NUMBER", "含有公民身份号码,不得发送第三人个人信息";
    /// A mobile phone number.
    PhoneNumber = "PHONE_NUMBER", "含有手机号码,不得发送第三人个人信息";
    /// A bank card number that counts.
    BankCard = "BANK_CARD", "含有银行卡号";
    /// A word of secrecy.
    Secret = "SECRET_WORD", "可能涉及国家秘密或内部信息";
    /// A word of a case.
    Case = "CASE_WORD", "可能涉及案件秘密";
    /// A link to elsewhere.
    Link = "LINK", "含有外部链接";
}
}

/// Whether somebody may be in danger. Spaces between the characters do not hide a word.
#[must_use]
pub fn emergency(text: &str) -> bool {
    holds(&joined(text), EMERGENCY)
}

/// Everything that an officer should look at again before sending.
#[must_use]
pub fn warnings(text: &str, today: Date) -> Vec<Warning> {
    let meant = text::meant(text);
    let numbers = numbers(&meant);
    let text = joined(text);
    let mut found = Vec::new();
    let mut note = |warning, holds: bool| {
        if holds {
            found.push(warning);
        }
    };
    let resident = |number: &String| number.len() == 18 && ResidentId::parse(number, today).is_ok();
    let residents: Vec<&String> = numbers.iter().filter(|number| resident(number)).collect();
    // The end of an identity number may look like a phone.
    let within = |number: &str| {
        let digits = number.trim_end_matches('X');
        residents.iter().any(|it| it.contains(digits))
    };
    note(Warning::ResidentIdNumber, !residents.is_empty());
    note(Warning::PhoneNumber, numbers.iter().any(|number| mobile(number) && !within(number)));
    note(Warning::BankCard, numbers.iter().any(|number| bank_card(number)));
    note(Warning::Secret, holds(&text, SECRET));
    note(Warning::Case, holds(&text, CASE));
    let lower: String = meant.chars().filter(|c| !c.is_whitespace()).collect();
    let lower = lower.to_ascii_lowercase();
    note(Warning::Link, ["http:", "https:", "www."].iter().any(|sign| lower.contains(sign)));
    found
}

fn holds(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// The text as it was meant, without what could be put between its characters.
fn joined(text: &str) -> String {
    text::meant(text).chars().filter(|c| !is_between(*c)).collect()
}

/// What stands between the groups of a number, or between two numbers: it ends none by itself.
fn is_between(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || is_dot(c) || matches!(c, '_' | '*' | '.' | '(' | ')' | '·')
}

/// Every number that the digits of a text may be meant as: each run of groups that nothing but blanks,
/// hyphens and dots divides, in a row from any group to any later one. So a number is found whole, in
/// groups, and beside another one. A final X is part of it.
fn numbers(meant: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let (mut digits, mut begun) = (0_usize, false);
    for c in meant.chars().chain(['.', '\n', '|']) {
        if c.is_ascii_digit() || (begun && digits > 0 && matches!(c, 'x' | 'X')) {
            match row.last_mut() {
                Some(group) if begun => group.push(c.to_ascii_uppercase()),
                _ => row.push(c.to_string()),
            }
            digits = if c.is_ascii_digit() { digits.saturating_add(1) } else { 0 };
            begun = true;
            continue;
        }
        if begun && let Some(group) = row.last() {
            if group.len() > NUMBER_DIGITS_MAX {
                row.clear();
            }
            for from in 0..row.len() {
                let groups = row.get(from..).unwrap_or_default();
                // Beside a whole number other groups are no part of it.
                let whole = groups.len() > 1 && groups.iter().any(|group| mobile(group));
                let number = groups.concat();
                if !whole && (11..=NUMBER_DIGITS_MAX).contains(&number.len()) {
                    numbers.push(number);
                }
            }
            // No number has more groups than these.
            let spare = row.len().saturating_sub(NUMBER_GROUPS_MAX);
            row.drain(..spare);
        }
        (digits, begun) = (0, false);
        if !is_between(c) {
            row.clear();
        }
    }
    numbers
}

/// Eleven digits of a mobile, with or without the number of the country.
fn mobile(number: &str) -> bool {
    let number = number.trim_end_matches('X');
    let local = ["0086", "86", "0"].iter().filter_map(|prefix| number.strip_prefix(prefix));
    local
        .chain([number])
        .any(|number| number.len() == 11 && matches!(number.as_bytes(), [b'1', b'3'..=b'9', ..]))
}

/// Sixteen to nineteen digits whose Luhn sum is right.
fn bank_card(number: &str) -> bool {
    if !(16..=19).contains(&number.len()) {
        return false;
    }
    let digits = number.chars().rev().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled @ 10..) => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::{Warning, emergency, warnings};

    const TODAY: Date = date(2026, 11, 24);

    #[test]
    fn words_of_emergency_are_found() {
        for text in ["我要报警", "救 命!", "仓库着火了", "有人持-刀"] {
            assert!(emergency(text), "{text}");
        }
        for text in ["请问通行证怎么续期", "装货时间是早上八点"] {
            assert!(!emergency(text), "{text}");
        }
    }

    // CH-20: what an officer must not send is found before it is sent.
    #[test]
    fn an_officer_is_warned_of_what_must_not_be_sent() {
        for (text, expected) in [
            ("司机身份证 321302199202290014", vec![Warning::ResidentIdNumber]),
            ("电话139 0524 0001", vec![Warning::PhoneNumber]),
            ("卡号4111 1111 1111 1111", vec![Warning::BankCard]),
            ("回电+86 139 0524 0001", vec![Warning::PhoneNumber]),
            ("回电8613905240001", vec![Warning::PhoneNumber]),
            ("回电(+86)139-0524-0001", vec![Warning::PhoneNumber]),
            ("苏N12345 13905240001", vec![Warning::PhoneNumber]),
            ("13905240001 13905240002", vec![Warning::PhoneNumber]),
            ("13905240001\n13905240002", vec![Warning::PhoneNumber]),
            ("139.0524.0001", vec![Warning::PhoneNumber]),
            ("139\u{a0}0524\u{2011}0001", vec![Warning::PhoneNumber]),
            ("１３９０５２４０００１", vec![Warning::PhoneNumber]),
            ("1\u{200b}3\u{2060}905240001", vec![Warning::PhoneNumber]),
            ("1 3 9 0 5 2 4 0 0 0 1", vec![Warning::PhoneNumber]),
            ("1. 13905240001", vec![Warning::PhoneNumber]),
            ("2026-11-24 13905240001", vec![Warning::PhoneNumber]),
            ("4111111111111111 13905240001", vec![Warning::PhoneNumber, Warning::BankCard]),
            ("13905240001\n4111-1111-1111-1111", vec![Warning::PhoneNumber, Warning::BankCard]),
            (
                "11010519491231002x 13905240001",
                vec![Warning::ResidentIdNumber, Warning::PhoneNumber],
            ),
            ("110105 19491231 002X", vec![Warning::ResidentIdNumber]),
            ("⻋牌:此件为机\u{200b}密", vec![Warning::Secret]),
            ("见www.example.com", vec![Warning::Link]),
            // Longer numbers are others.
            ("编号913905240001", vec![]),
            ("2026年11月24日10:30至12:00", vec![]),
            ("此件为机密,正在布控", vec![Warning::Secret, Warning::Case]),
            ("详见 https://example.com", vec![Warning::Link]),
            ("通行证编号SQHC20261124000001L已核发", vec![]),
            ("明天九点可以进城", vec![]),
        ] {
            assert_eq!(warnings(text, TODAY), expected, "{text}");
        }
    }
}
