//! The numbers that people read aloud: prefix, day, sequence, check character. No counting here;
//! the store gives the sequence.
//!
//! The form is `SQHC` + `yyyymmdd` + six digits + one check character by ISO 7064, MOD 37,36
//! (facts 2.11). The check runs over the prefix too, so a number is never taken for another kind.

use std::fmt;

use jiff::civil::Date;

use crate::{
    domain::codes::{self, text::is_dash},
    error::{Error, Flaw, Result},
};

/// The characters of ISO 7064, MOD 37,36; the place of a character is its value.
const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The largest sequence: six digits.
const SEQUENCE_MAX: u32 = 999_999;

/// Day and sequence: what follows the prefix, without the check character.
const DIGITS: usize = 14;

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The letters with which each of these numbers begins.
            pub const PREFIX: &'static str = $prefix;

            /// The number of a local day and a sequence within that day, 1 to 999999.
            ///
            /// Fails with `OUT_OF_RANGE` on `sequence` or `date` (the year has four digits).
            pub fn new(date: Date, sequence: u32) -> Result<Self> {
                issue(Self::PREFIX, date, sequence).map(Self)
            }

            /// Reads what a person typed: spaces, lower case and full-width forms are mended.
            ///
            /// Fails with `NUMBER_MALFORMED` for another form or an impossible day, and with
            /// `NUMBER_CHECKSUM` when the form is right and the check character is not.
            #[allow(dead_code, reason = "nobody types the number of an application")]
            pub fn parse(text: &str) -> Result<Self, Flaw> {
                read(Self::PREFIX, text).map(Self)
            }

            /// The number as it is stored and printed.
            #[allow(dead_code, reason = "one macro for all numbers")]
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

numbers! {
    /// The number of a truck pass, 货车通行证编号.
    PassNumber = "SQHC";
    /// The number of a pass application, 通行证申请编号.
    ApplicationNumber = "SQSQTX";
    /// The number of a request or complaint, 诉求编号.
    ComplaintNumber = "SQSQ";
}

fn issue(prefix: &str, date: Date, sequence: u32) -> Result<String> {
    if date.year() < 0 {
        return Err(Error::field("date", Flaw::OutOfRange));
    }
    if !(1..=SEQUENCE_MAX).contains(&sequence) {
        return Err(Error::field("sequence", Flaw::OutOfRange));
    }
    let mut number =
        format!("{prefix}{:04}{:02}{:02}{sequence:06}", date.year(), date.month(), date.day());
    // Prefix and digits are all in the alphabet, so there always is a check character.
    let check = check_character(&number).ok_or_else(|| Error::field("date", Flaw::OutOfRange))?;
    number.push(check);
    Ok(number)
}

fn read(prefix: &str, text: &str) -> Result<String, Flaw> {
    let length = prefix.len() + DIGITS + 1;
    // One character more than needed is enough to see that the text is too long.
    let typed = codes::normalise(text);
    let typed = typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c));
    let number: String = typed.take(length + 1).collect();
    let (body, check) = split_check(&number).ok_or(Flaw::NumberMalformed)?;
    let digits = body.strip_prefix(prefix).ok_or(Flaw::NumberMalformed)?;
    if digits.len() != DIGITS
        || !digits.bytes().all(|b| b.is_ascii_digit())
        || !check.is_ascii_alphanumeric()
    {
        return Err(Flaw::NumberMalformed);
    }
    // The check comes before the day: a slip of one digit is told as a slip, not as a bad form.
    if check_character(body) != Some(check) {
        return Err(Flaw::NumberChecksum);
    }
    let (day, sequence) = digits.split_at_checked(8).ok_or(Flaw::NumberMalformed)?;
    if !is_day(day) || sequence.bytes().all(|b| b == b'0') {
        return Err(Flaw::NumberMalformed);
    }
    Ok(number)
}

fn split_check(number: &str) -> Option<(&str, char)> {
    let (at, check) = number.char_indices().next_back()?;
    Some((number.get(..at)?, check))
}

fn is_day(digits: &str) -> bool {
    let part = |range| digits.get(range).and_then(|part: &str| part.parse::<i16>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(4..6), part(6..8)) else {
        return false;
    };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    Date::new(year, month, day).is_ok()
}

/// The check character of ISO 7064, MOD 37,36, or `None` for a character outside the alphabet.
///
/// Every wrong single character is detected, and more than 99 % of the swaps of two neighbours:
/// only characters of adjacent value (3 and 4) can slip through, each in 1 of 36 positions of the
/// sum. A hybrid system with one check character cannot do better; the tests count it.
fn check_character(body: &str) -> Option<char> {
    let mut product = 36;
    for byte in body.bytes() {
        let value = ALPHABET.iter().position(|&letter| letter == byte)?;
        product = step(product, value);
    }
    ALPHABET.get((37 - product) % 36).map(|&letter| char::from(letter))
}

/// One round of the standard: add modulo 36 with 36 in place of 0, double modulo 37.
const fn step(product: usize, value: usize) -> usize {
    let sum = (product + value) % 36;
    (if sum == 0 { 36 } else { sum }) * 2 % 37
}

#[cfg(test)]
mod tests {
    use super::{ALPHABET, ApplicationNumber, PassNumber, check_character, step};
    use crate::error::{Flaw, Reason};
    use jiff::civil::{Date, date};
    use proptest::prelude::*;

    fn pass(sequence: u32) -> PassNumber {
        PassNumber::new(date(2022, 6, 15), sequence).unwrap()
    }

    #[test]
    fn the_check_character_is_that_of_the_standard() {
        // The published example of the GRid standard 2.1, which uses the same system.
        assert_eq!(check_character("A12425GABC1234002"), Some('M'));
        assert_eq!(check_character("SQHC20220615000001"), Some('K'));
        assert_eq!(check_character("lower"), None);
    }

    #[test]
    fn a_pass_number_has_prefix_day_sequence_and_check() {
        let number = pass(1);
        assert_eq!(number.as_str().len(), 19);
        assert!(number.as_str().starts_with("SQHC20220615000001"));
        assert_eq!(number.to_string(), number.as_str());
        assert_eq!(PassNumber::parse(number.as_str()), Ok(number));
        let application = ApplicationNumber::new(date(2026, 12, 31), 999_999).unwrap();
        assert!(application.as_str().starts_with("SQSQTX20261231999999"));
        assert_eq!(application.as_str().len(), 21);
        assert_eq!(ApplicationNumber::parse(application.as_str()), Ok(application));
    }

    #[test]
    fn what_a_person_types_is_mended() {
        let number = pass(42);
        let typed = number.as_str();
        let wide: String =
            typed.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        let spaced = format!(" {} {}\u{3000}{}\n", &typed[..4], &typed[4..12], &typed[12..]);
        for text in [typed.to_lowercase(), wide.clone(), wide.to_lowercase(), spaced] {
            assert_eq!(PassNumber::parse(&text).as_ref(), Ok(&number), "{text}");
        }
    }

    #[test]
    fn another_form_is_malformed() {
        let good = pass(1).as_str().to_owned();
        let body = |text: &str| format!("{text}{}", check_character(text).unwrap());
        for text in [
            String::new(),
            "SQHC".to_owned(),
            good[..18].to_owned(),
            format!("{good}0"),
            good.repeat(1000),
            good.replace("SQHC", "SQHX"),
            good.replace('1', "一"),
            body("SQHC20220231000001"),
            body("SQHC20221301000001"),
            body("SQHC20220615000000"),
            body("SQHC2022O615000001"),
            format!("{}*", &good[..18]),
            ApplicationNumber::new(date(2022, 6, 15), 1).unwrap().to_string(),
        ] {
            assert_eq!(PassNumber::parse(&text), Err(Flaw::NumberMalformed), "{text}");
        }
    }

    #[test]
    fn a_wrong_check_character_is_told_apart() {
        let good = pass(1).as_str().to_owned();
        for letter in ALPHABET.iter().map(|&b| char::from(b)) {
            let text = format!("{}{letter}", &good[..18]);
            let expected = if text == good { Ok(pass(1)) } else { Err(Flaw::NumberChecksum) };
            assert_eq!(PassNumber::parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_sequence_outside_six_digits_is_refused() {
        for sequence in [0, 1_000_000, u32::MAX] {
            let error = PassNumber::new(date(2022, 6, 15), sequence).unwrap_err();
            assert_eq!(error.reason(), Reason::RequestInvalid);
            assert_eq!(error.fields()[0].path, "sequence");
        }
        assert_eq!(PassNumber::new(Date::MIN, 1).unwrap_err().fields()[0].path, "date");
    }

    #[test]
    fn the_standard_misses_no_substitution_and_hardly_a_swap() {
        // The whole state space of the check: product 1 to 36 before, two values after.
        let (mut swaps, mut missed) = (0, 0);
        for product in 1..=36 {
            for a in 0..36 {
                for b in 0..a {
                    assert_ne!(step(product, a), step(product, b), "a substitution is missed");
                    swaps += 1;
                    if step(step(product, a), b) == step(step(product, b), a) {
                        assert!(a - b == 1 || a - b == 35, "{a} and {b} are not adjacent");
                        missed += 1;
                    }
                }
            }
        }
        assert_eq!((missed, swaps), (36, 22_680));
    }

    #[test]
    fn nearly_every_swap_of_neighbours_in_a_number_is_detected() {
        let (mut swaps, mut missed) = (0_u32, 0_u32);
        for sequence in (1..=999_999).step_by(97) {
            let number = pass(sequence).to_string().into_bytes();
            for at in 1..number.len() {
                let mut text = number.clone();
                text.swap(at - 1, at);
                if text == number {
                    continue;
                }
                swaps += 1;
                let read = PassNumber::parse(std::str::from_utf8(&text).unwrap());
                missed += u32::from(read.is_ok());
                // Letters of the prefix and the check character's place have their own guard.
                assert!(read.is_err() || text[at].abs_diff(text[at - 1]) == 1);
            }
        }
        assert!(swaps > 100_000);
        assert!(missed * 100 < swaps, "{missed} of {swaps}");
    }

    proptest! {
        #[test]
        fn every_single_wrong_character_is_detected(
            sequence in 1_u32..=999_999, day in 0_i64..20_000, at in 0_usize..19, letter in 0_usize..36,
        ) {
            let day = date(2000, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let number = PassNumber::new(day, sequence).unwrap();
            let mut text = number.as_str().as_bytes().to_vec();
            prop_assume!(text[at] != ALPHABET[letter]);
            text[at] = ALPHABET[letter];
            prop_assert!(PassNumber::parse(std::str::from_utf8(&text).unwrap()).is_err());
        }

        #[test]
        fn every_number_that_is_issued_is_read(
            sequence in 1_u32..=999_999, day in 0_i64..20_000,
        ) {
            let day = date(2000, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
            let number = ApplicationNumber::new(day, sequence).unwrap();
            prop_assert_eq!(ApplicationNumber::parse(number.as_str()), Ok(number));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = PassNumber::parse(&text);
        }
    }
}
