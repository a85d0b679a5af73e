//! What a field of a subscription message may hold, by its type. Nothing about people or consent.
//! Source: WeChat's table for `subscribeMessage.send`; a violation is errcode 47003.

/// Whether the value fits the field; the type is the name without its number (`thing1` is a `thing`).
/// A name of no known type fits nothing.
pub(super) fn fits(name: &str, value: &str) -> bool {
    let count = value.chars().count();
    let all = |fits: fn(char) -> bool| value.chars().all(fits);
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if count == 0 || kind.len() == name.len() || value.chars().any(char::is_control) {
        return false;
    }
    match kind {
        "thing" => count <= 20,
        "number" => count <= 32 && value.parse::<f64>().is_ok() && all(is_digit_or_point),
        "letter" => count <= 32 && all(|c| c.is_ascii_alphabetic()),
        "symbol" => count <= 5 && all(|c| !c.is_alphanumeric() && !c.is_whitespace()),
        "character_string" => count <= 32 && all(|c| c.is_ascii_graphic() || c == ' '),
        "phone_number" => {
            count <= 17 && all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | ' '))
        }
        "car_number" => count <= 8 && is_car_number(value),
        "name" => {
            (count <= 10 && all(|c| is_chinese(c) || c == '·'))
                || (count <= 20 && value.is_ascii() && all(|c| !c.is_ascii_digit()))
        }
        "phrase" => count <= 5 && all(is_chinese),
        "amount" => is_amount(value),
        "date" => value.split('~').all(|part| is_date(part.trim(), true)),
        "time" => value.split('~').all(|part| {
            let part = part.trim();
            is_clock(part) || part.split_once(' ').is_some_and(|_| is_date(part, false))
        }),
        _ => false,
    }
}

fn is_digit_or_point(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

/// The unified ideographs in common use.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}')
}

/// Letters and digits; only the first and the last may be Chinese (苏N12345, 粤Z1234港).
fn is_car_number(value: &str) -> bool {
    let last = value.chars().count().saturating_sub(1);
    value
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_alphanumeric() || (is_chinese(c) && (at == 0 || at == last)))
}

/// At most ten digits with at most two behind the point; a sign of currency before, or 元 behind.
fn is_amount(value: &str) -> bool {
    let value = value.strip_prefix(['\u{a5}', '\u{ffe5}', '$']).unwrap_or(value);
    let value = value.strip_suffix('元').unwrap_or(value);
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str, max: usize| {
        (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    digits(whole, 10) && digits(part, 2)
}

/// `15:01` or `15:01:30`.
fn is_clock(text: &str) -> bool {
    text.len() >= 5 && ["%H:%M", "%H:%M:%S"].iter().any(|form| is_form(form, text))
}

/// `2026年11月24日` or `2026-11-24`, with or without a time of day behind it.
fn is_date(text: &str, alone: bool) -> bool {
    let (day, clock) = text.split_once(' ').map_or((text, None), |(day, at)| (day, Some(at)));
    let is_day = ["%Y年%m月%d日", "%Y-%m-%d"]
        .iter()
        .any(|form| jiff::civil::Date::strptime(form, day).is_ok());
    is_day && clock.map_or(alone, is_clock)
}

fn is_form(form: &str, text: &str) -> bool {
    jiff::civil::Time::strptime(form, text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fits;
    use crate::domain::common::notice::fields::fit;

    // NO-05: whatever the text, what we make of it is never refused (47003).
    proptest! {
        #[test]
        fn what_is_made_to_fit_fits(text in any::<String>()) {
            for name in ["thing1", "phrase2", "character_string3", "car_number4", "number5"] {
                prop_assert!(fits(name, &fit(name, &text)), "{name} {:?}", fit(name, &text));
            }
        }

        #[test]
        fn plates_and_words_fit_too(text in "[苏粤A-Z0-9港挂·a-z \n]{0,40}") {
            for name in ["thing1", "phrase2", "character_string3", "car_number4", "number5"] {
                prop_assert!(fits(name, &fit(name, &text)), "{name} {:?}", fit(name, &text));
            }
        }
    }

    // NO-05
    #[test]
    fn a_field_holds_what_its_type_permits_and_nothing_else() {
        let twenty = "通".repeat(20);
        let long = "通".repeat(21);
        let eleven = "李".repeat(11);
        let (ascii, ascii_long) = ("a".repeat(32), "a".repeat(33));
        let table: &[(&str, &str, bool)] = &[
            ("thing1", &twenty, true),
            ("thing1", &long, false),
            ("thing1", "", false),
            ("thing1", "a\nb", false),
            ("thing", "无编号", false),
            ("mystery1", "x", false),
            ("car_number2", "苏N12345", true),
            ("car_number2", "苏ND12345", true),
            ("car_number2", "粤Z1234港", true),
            ("car_number2", "苏N12345挂", true),
            ("car_number2", "苏ND123456", false),
            ("car_number2", "苏N1挂345", false),
            ("character_string3", "SQHC202611240000015", true),
            ("character_string3", "编号1", false),
            ("character_string3", &ascii, true),
            ("character_string3", &ascii_long, false),
            ("phrase4", "审核通过", true),
            ("phrase4", "审核没有通过", false),
            ("phrase4", "OK", false),
            ("name5", "欧阳娜娜", true),
            ("name5", &eleven, false),
            ("name5", "Li Wei", true),
            ("phone_number6", "+86-13812345678", true),
            ("phone_number6", "138123456781381234", false),
            ("number7", "12.5", true),
            ("number7", "12a", false),
            ("letter8", "abc", true),
            ("letter8", "ab1", false),
            ("symbol9", "¥", true),
            ("amount10", "¥100.50", true),
            ("amount10", "100元", true),
            ("amount10", "12345678901", false),
            ("amount10", "1.234", false),
            ("date11", "2026年11月24日", true),
            ("date11", "2026-11-24 08:30", true),
            ("date11", "2026-02-30", false),
            ("date11", "明天", false),
            ("time12", "15:01", true),
            ("time12", "2026年11月24日 15:01", true),
            ("time12", "15:01 ~ 16:00", true),
            ("time12", "2026年11月24日", false),
            ("time12", "25:01", false),
        ];
        for (name, value, expected) in table {
            assert_eq!(fits(name, value), *expected, "{name} {value}");
        }
    }
}
