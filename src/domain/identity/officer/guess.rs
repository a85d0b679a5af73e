//! How soon a password is guessed: what is common, made from whom it belongs to, or follows from what
//! stands before it, counts as one piece, however long it is. No rule of length or of kinds.
//!
//! `common.txt` holds what everybody tries first: the words of this city and this house, what is common in
//! China, and the beginning of the list of passwords by frequency of zxcvbn 4.5 (MIT, from the leaks that
//! Mark Burnett published), as far as they have four characters.

use std::{collections::HashSet, sync::LazyLock};

/// A password made of fewer pieces is guessed.
const PIECES_MIN: usize = 6;
/// Shorter words are found in any text.
const WORD_MIN: usize = 4;
const WORD_MAX: usize = 24;

static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").lines().collect());

/// Neighbours on a keyboard, in the alphabet and among the digits.
const RUNS: [&str; 12] = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "!@#$%^&*()_+",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "!qaz@wsx#edc$rfv%tgb^yhn&ujm*ik",
    "qazwsxedcrfvtgbyhnujmikolp",
    "q1w2e3r4t5y6u7i8o9p0",
    "147258369",
];
const RUN_MIN: usize = 3;

/// Whether a text is guessed soon by who knows these words: name, numbers, unit.
#[must_use]
pub fn is_guessable(text: &str, own: &[String]) -> bool {
    let typed: Vec<char> = text.to_lowercase().chars().collect();
    pieces(&typed, own) < PIECES_MIN
}

/// The least number of pieces that make the text: each cheap part is one, and each other character.
fn pieces(typed: &[char], own: &[String]) -> usize {
    let mut least = vec![0; typed.len() + 1];
    let copied: Vec<usize> = (0..typed.len()).map(|start| copied(typed, start)).collect();
    for end in 1..=typed.len() {
        let mut best = least.get(end - 1).copied().unwrap_or(0) + 1;
        for start in 0..end.saturating_sub(1) {
            let pieces = least.get(start).copied().unwrap_or(0) + 1;
            if pieces >= best {
                continue;
            }
            let length = end - start;
            let follows = length >= RUN_MIN && copied.get(start).is_some_and(|&it| it >= length);
            let part = typed.get(start..end).unwrap_or_default();
            if follows || length <= WORD_MAX && is_cheap(part, own) {
                best = pieces;
            }
        }
        if let Some(place) = least.get_mut(end) {
            *place = best;
        }
    }
    least.last().copied().unwrap_or(0)
}

fn is_cheap(part: &[char], own: &[String]) -> bool {
    let text: String = part.iter().collect();
    let plain = plain_forms(part);
    let known = |word: &str| word == text || plain.iter().any(|form| form == word);
    if own.iter().any(|word| known(word) || is_part_of_a_number(&text, word)) {
        return true;
    }
    if part.len() >= WORD_MIN {
        let common = COMMON.contains(text.as_str());
        if common || plain.iter().any(|form| COMMON.contains(form.as_str())) || is_date(&text) {
            return true;
        }
    }
    part.len() >= RUN_MIN && (is_run(&text) || is_repeated(part))
}

/// What the text says where digits and signs stand for letters: `p@ssw0rd`, `adm1n`, `l0ve`.
fn plain_forms(part: &[char]) -> [String; 2] {
    let read = |one: char| {
        let letter = move |c: &char| match *c {
            '@' | '4' => 'a',
            '0' => 'o',
            '3' => 'e',
            '$' | '5' => 's',
            '7' => 't',
            '1' | '!' | '|' => one,
            other => other,
        };
        part.iter().map(letter).collect()
    };
    [read('i'), read('l')]
}

/// A year of our time, or a day.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let in_our_time = text.starts_with("19") || text.starts_with("20");
    let number = |range: std::ops::Range<usize>| {
        text.get(range).and_then(|digits| digits.parse::<u8>().ok()).unwrap_or(0)
    };
    let is_day = |at: usize| {
        (1..=12).contains(&number(at..at + 2)) && (1..=31).contains(&number(at + 2..at + 4))
    };
    digits
        && match text.len() {
            4 => in_our_time || is_day(0),
            6 => is_day(2) || in_our_time && (1..=12).contains(&number(4..6)),
            8 => in_our_time && is_day(4),
            _ => false,
        }
}

fn is_run(text: &str) -> bool {
    let reversed: String = text.chars().rev().collect();
    RUNS.iter().any(|run| run.contains(text) || run.contains(&reversed))
}

/// One character again and again.
fn is_repeated(part: &[char]) -> bool {
    part.first().is_some_and(|first| part.iter().all(|c| c == first))
}

/// Four or more digits of a number that belongs to the owner: the unit without its end, half a phone.
fn is_part_of_a_number(text: &str, word: &str) -> bool {
    text.len() >= WORD_MIN
        && text.bytes().all(|b| b.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_digit())
        && word.contains(text)
}

/// How many characters from here on say once more what stood some place before, the copy itself included:
/// all of `Aa1!Aa1!Aa1!` but its first four.
fn copied(typed: &[char], start: usize) -> usize {
    let length = |back: usize| {
        let source = typed.get(start - back..).unwrap_or_default();
        let copy = typed.get(start..).unwrap_or_default();
        source.iter().zip(copy).take_while(|(one, other)| one == other).count()
    };
    (1..=start).map(length).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_guessable;

    fn own() -> Vec<String> {
        ["130524", "13905240001", "0001", "zhangjianguo", "zhang", "jian", "guo", "zjg"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn what_is_common_or_follows_from_something_is_guessed() {
        for soon in [
            "Password123!",
            "P@ssw0rd2026",
            "Admin@123456",
            "Suqian@2026",
            "Suqian-Demo-2026",
            "Jingqi#2026!",
            "Woaini1314!",
            "Aa123456789!",
            "Qwer1234!@#$",
            "1qaz@WSX3edc",
            "Abcdefgh12!",
            "AAAAaaaa1111!",
            "Huawei@12345",
            "Abcabcabc1!",
            "Jiaojing@110",
            "Nanjing20260101",
        ] {
            assert!(is_guessable(soon, &[]), "{soon}");
        }
    }

    #[test]
    fn what_is_made_from_the_owner_is_guessed() {
        for soon in [
            "Zhangjianguo@1",
            "ZhangJianGuo2026!",
            "Zjg@13905240001",
            "Zjg!130524",
            "Zh4ng-J1an-Gu0",
            "Officer#130524",
        ] {
            assert!(is_guessable(soon, &own()), "{soon}");
        }
        assert!(!is_guessable("Zhangjianguo-Kiefer7", &own()), "enough stands beside the name");
    }

    #[test]
    fn what_somebody_thought_of_is_not() {
        for good in [
            "Neues-Passwort-7",
            "Kiefer7!Wolke",
            "xK4#pWz91q",
            "门前大桥下游过Aa1",
            "Regen&Birke-42",
        ] {
            assert!(!is_guessable(good, &own()), "{good}");
        }
    }

    #[test]
    fn the_longest_text_is_judged_at_once() {
        assert!(is_guessable(&"Aa1!".repeat(32), &own()));
        assert!(!is_guessable(&format!("xK4#pWz91q{}", "g7".repeat(59)), &own()));
    }
}
