//! Telephone numbers: mobiles of the mainland and landlines of Suqian. That a number belongs to
//! somebody is proven by a one-time code, elsewhere.

use std::fmt;

use super::{mask, normalise};
use crate::{
    domain::codes::text::is_dash,
    error::{Flaw, Result},
};

/// The area code of Suqian.
const AREA: &str = "0527";

/// A telephone number in canonical form: eleven digits of a mobile, or area code and eight
/// digits of a landline. `Debug` prints it masked, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl Phone {
    /// Reads a mobile, with or without +86, 0086 or 86, or a landline of Suqian with its area
    /// code. The allotted mobile prefixes change each year, so 13 to 19 are all accepted.
    ///
    /// Fails with [`Flaw::PhoneMalformed`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let dense: String = normalise(text).chars().filter(|c| !is_between(*c)).collect();
        let local = ["+86", "0086", "86"].iter().find_map(|prefix| dense.strip_prefix(prefix));
        if let Some(mobile) = [local, Some(&dense)].into_iter().flatten().find(|t| is_mobile(t)) {
            return Ok(Self(mobile.to_owned()));
        }
        if is_landline(&dense) { Ok(Self(dense)) } else { Err(Flaw::PhoneMalformed) }
    }

    /// The digits, whole.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a short message can reach it.
    #[must_use]
    pub fn is_mobile(&self) -> bool {
        self.0.starts_with('1')
    }

    /// A mobile keeps three digits and the last four (`138****5678`), a landline its area code
    /// and the last two.
    #[must_use]
    pub fn mask(&self) -> String {
        if self.is_mobile() { mask::keep(&self.0, 3, 4) } else { mask::keep(&self.0, 4, 2) }
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({})", self.mask())
    }
}

/// What people, and what they copy from, write between the groups of a number.
fn is_between(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || matches!(c, '.' | '·' | '(' | ')' | '/')
}

/// `^1[3-9]\d{9}$`.
fn is_mobile(text: &str) -> bool {
    matches!(text.as_bytes(), [b'1', b'3'..=b'9', rest @ ..]
        if rest.len() == 9 && rest.iter().all(u8::is_ascii_digit))
}

/// The area code and eight digits.
fn is_landline(text: &str) -> bool {
    text.strip_prefix(AREA)
        .is_some_and(|rest| rest.len() == 8 && rest.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mobiles_and_landlines_are_read_as_people_type_them() {
        for (typed, canonical) in [
            ("13812345678", "13812345678"),
            ("+8613812345678", "13812345678"),
            ("+86 138-1234-5678", "13812345678"),
            ("008613812345678", "13812345678"),
            ("8613812345678", "13812345678"),
            ("１３８１２３４５６７８", "13812345678"),
            // Allotted after the published patterns were written.
            ("16212345678", "16212345678"),
            ("19312345678", "19312345678"),
            ("19612345678", "19612345678"),
            ("052784350079", "052784350079"),
            ("0527-84350079", "052784350079"),
            ("(0527) 8435 0079", "052784350079"),
            ("（+86）139–0524–0001", "13905240001"),
            ("139.0524.0001", "13905240001"),
            ("\u{202d}+86\u{a0}139\u{2011}0524\u{2011}0001\u{202c}", "13905240001"),
            ("\u{feff}139\u{200b}05240001\r\n", "13905240001"),
        ] {
            assert_eq!(Phone::parse(typed).as_ref().map(Phone::as_str), Ok(canonical), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "12812345678",
            "10812345678",
            "1381234567",
            "138123456789",
            "+8513812345678",
            "++8613812345678",
            "1381234567a",
            "23812345678",
            "05278435007",
            "0527843500790",
            "84350079",
            "051284350079",
            "110",
        ] {
            assert_eq!(Phone::parse(text), Err(Flaw::PhoneMalformed), "{text}");
        }
    }

    /// ID-09: neither a list nor a log shows a number.
    #[test]
    fn a_number_is_masked_also_for_debugging() {
        let mobile = Phone::parse("13812345678").unwrap();
        assert!(mobile.is_mobile());
        assert_eq!(mobile.mask(), "138****5678");
        assert_eq!(format!("{mobile:?}"), "Phone(138****5678)");
        let landline = Phone::parse("0527-84350079").unwrap();
        assert!(!landline.is_mobile());
        assert_eq!(landline.mask(), "0527******79");
    }

    proptest! {
        #[test]
        fn every_prefix_from_13_to_19_is_a_mobile(second in 0..10, rest in "[0-9]{9}") {
            let parsed = Phone::parse(&format!("1{second}{rest}"));
            prop_assert_eq!(parsed.is_ok(), second >= 3);
        }
    }
}
