//! Words that a conversation must not overlook: emergencies, and what an officer must not send.
//! The list warns; it decides nothing.

use jiff::civil::Date;

use super::{codes::ResidentId, policy::named};

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
    let text = joined(text);
    let numbers = numbers(&text);
    let mut found = Vec::new();
    let mut note = |warning, holds: bool| {
        if holds {
            found.push(warning);
        }
    };
    let resident = |number: &String| number.len() == 18 && ResidentId::parse(number, today).is_ok();
    note(Warning::ResidentIdNumber, numbers.iter().any(resident));
    note(Warning::PhoneNumber, numbers.iter().any(|number| mobile(number)));
    note(Warning::BankCard, numbers.iter().any(|number| bank_card(number)));
    note(Warning::Secret, holds(&text, SECRET));
    note(Warning::Case, holds(&text, CASE));
    let lower = text.to_ascii_lowercase();
    note(Warning::Link, ["http:", "https:", "www."].iter().any(|sign| lower.contains(sign)));
    found
}

fn holds(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// The text without what could be put between its characters, in half-width digits.
fn joined(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !c.is_whitespace()
                && !matches!(c, '-' | '_' | '*' | '·' | '.' | '\u{200b}'..='\u{200d}')
        })
        .map(|c| match c {
            '０'..='９' => {
                char::from_digit((c as u32).saturating_sub('０' as u32), 10).unwrap_or(c)
            }
            c => c,
        })
        .collect()
}

/// The runs of digits, a final X included.
fn numbers(text: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    for c in text.chars() {
        match runs.last_mut() {
            Some(run) if c.is_ascii_digit() => run.push(c),
            Some(run) if matches!(c, 'x' | 'X') && run.len() == 17 => run.push('X'),
            Some(run) if !run.is_empty() => runs.push(String::new()),
            _ => {}
        }
    }
    runs.retain(|run| run.len() >= 11);
    runs
}

fn mobile(number: &str) -> bool {
    number.len() == 11
        && number.starts_with('1')
        && matches!(number.as_bytes().get(1), Some(b'3'..=b'9'))
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
            ("此件为机密,正在布控", vec![Warning::Secret, Warning::Case]),
            ("详见 https://example.com", vec![Warning::Link]),
            ("通行证编号SQHC20261124000001L已核发", vec![]),
            ("明天九点可以进城", vec![]),
        ] {
            assert_eq!(warnings(text, TODAY), expected, "{text}");
        }
    }
}
