//! The citizen's number 公民身份号码 (GB 11643-1999) and the cards with the same form. Nothing is
//! derived from it (age, sex, origin): nobody needs that here.

use std::fmt;

use jiff::civil::Date;

use super::{mask, normalise};
use crate::error::{Flaw, Result};

/// The weights of the first 17 digits (ISO 7064 MOD 11-2).
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check character of each remainder.
const CHECKS: &str = "10X98765432";

/// The first year in which a living holder was born.
const FIRST_YEAR: i16 = 1900;

/// The number of a person: a resident, a holder of a residence permit for Hong Kong, Macao or
/// Taiwan people (81, 82, 83), or of a foreigner's permanent residence card (9, or the older
/// three letters and twelve digits). `Debug` prints it masked, and there is no `Display`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResidentId(String);

impl ResidentId {
    /// Reads a number; `today` bounds the birth date. Unknown division codes are accepted, since
    /// old ones stay valid.
    ///
    /// Fails with [`Flaw::ResidentIdOldForm`] for 15 digits, [`Flaw::ResidentIdMalformed`],
    /// [`Flaw::ResidentIdChecksum`] or [`Flaw::ResidentIdBirthDate`].
    pub fn parse(text: &str, today: Date) -> Result<Self, Flaw> {
        let text = normalise(text);
        if text.len() == 15 && is_digits(&text) {
            return Err(Flaw::ResidentIdOldForm);
        }
        if is_old_foreigner_card(&text) {
            return Ok(Self(text));
        }
        let (body, check) = text
            .split_at_checked(17)
            .filter(|(body, check)| is_digits(body) && is_check(check))
            .ok_or(Flaw::ResidentIdMalformed)?;
        let sum: u32 = body
            .chars()
            .filter_map(|c| c.to_digit(10))
            .zip(WEIGHTS)
            .map(|(digit, weight)| digit * weight)
            .sum();
        let right = CHECKS.chars().zip(0..).find_map(|(c, i)| (i == sum % 11).then_some(c));
        if right != check.chars().next() {
            return Err(Flaw::ResidentIdChecksum);
        }
        let born = birth_date(body).ok_or(Flaw::ResidentIdBirthDate)?;
        if born.year() < FIRST_YEAR || born > today {
            return Err(Flaw::ResidentIdBirthDate);
        }
        Ok(Self(text))
    }

    /// The number, whole: for storing encrypted and for asking the registry.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first three characters and the last four: `321***********0014`.
    #[must_use]
    pub fn mask(&self) -> String {
        mask::keep(&self.0, 3, 4)
    }
}

impl fmt::Debug for ResidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResidentId({})", self.mask())
    }
}

/// Only ASCII digits, at least one.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// One character that can be a check.
fn is_check(text: &str) -> bool {
    text == "X" || (text.len() == 1 && is_digits(text))
}

/// The foreigner's permanent residence card before 2023: three letters and twelve digits. The
/// form is published, its check is not.
fn is_old_foreigner_card(text: &str) -> bool {
    text.split_at_checked(3).is_some_and(|(country, number)| {
        country.bytes().all(|b| b.is_ascii_uppercase()) && number.len() == 12 && is_digits(number)
    })
}

/// The date in the positions 7 to 14, where it exists.
fn birth_date(body: &str) -> Option<Date> {
    let year = body.get(6..10)?.parse().ok()?;
    let month = body.get(10..12)?.parse().ok()?;
    let day = body.get(12..14)?.parse().ok()?;
    Date::new(year, month, day).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<ResidentId, Flaw> {
        ResidentId::parse(text, date(2026, 11, 23))
    }

    #[test]
    fn numbers_and_permits_with_a_right_check_are_read() {
        for text in [
            "11010519491231002X",
            "321302199202290014",
            "321311198501010029",
            "32132419880808004X",
            "810000199001010019",
        ] {
            assert_eq!(read(text).as_ref().map(ResidentId::as_str), Ok(text));
        }
        for head in ["820000", "830000", "911156", "932001", "999999"] {
            let text = with_check(&format!("{head}19900101001"));
            assert_eq!(read(&text).as_ref().map(ResidentId::as_str), Ok(text.as_str()));
        }
        assert_eq!(read("CHN110105491231").unwrap().as_str(), "CHN110105491231");
        assert_eq!(read(" １1010519491231002x ").unwrap().as_str(), "11010519491231002X");
    }

    #[test]
    fn what_is_no_number_is_refused_with_its_reason() {
        for (text, flaw) in [
            // The check is right, the day never was.
            ("32130219900229001X", Flaw::ResidentIdBirthDate),
            // The example of the standard: the check is right, nobody born in 1880 lives.
            ("440524188001010014", Flaw::ResidentIdBirthDate),
            ("321302199202290013", Flaw::ResidentIdChecksum),
            ("110105194912310021", Flaw::ResidentIdChecksum),
            ("110105491231002", Flaw::ResidentIdOldForm),
            ("１１０１０５４９１２３１００２", Flaw::ResidentIdOldForm),
            ("11010519491231002", Flaw::ResidentIdMalformed),
            ("11010519491231002XX", Flaw::ResidentIdMalformed),
            ("1101051949123100XX", Flaw::ResidentIdMalformed),
            ("11010519491231002A", Flaw::ResidentIdMalformed),
            ("11010519491231-02X", Flaw::ResidentIdMalformed),
            ("CH1110105491231", Flaw::ResidentIdMalformed),
            ("CHN11010549123X", Flaw::ResidentIdMalformed),
            ("公民身份号码公民身份号码公民身份号码", Flaw::ResidentIdMalformed),
            ("公民身份号", Flaw::ResidentIdMalformed),
            ("", Flaw::ResidentIdMalformed),
        ] {
            assert_eq!(read(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn the_birth_date_exists_and_lies_between_1900_and_today() {
        for (birth, accepted) in [
            ("18991231", false),
            ("19000101", true),
            ("19000229", false),
            ("20000229", true),
            ("20261123", true),
            ("20261124", false),
            ("20991231", false),
            ("19901301", false),
            ("19900001", false),
            ("19900431", false),
            ("19900100", false),
        ] {
            let parsed = read(&with_check(&format!("321302{birth}001")));
            assert_eq!(parsed.is_ok(), accepted, "{birth}");
            if !accepted {
                assert_eq!(parsed, Err(Flaw::ResidentIdBirthDate));
            }
        }
    }

    /// ID-09: neither a list nor a log shows a number.
    #[test]
    fn a_number_is_masked_also_for_debugging() {
        let id = read("321302199202290014").unwrap();
        assert_eq!(id.mask(), "321***********0014");
        assert_eq!(format!("{id:?}"), "ResidentId(321***********0014)");
        let card = read("CHN110105491231").unwrap();
        assert_eq!(card.mask(), "CHN********1231");
    }

    /// The check by the recursion of ISO 7064, apart from the weights under test.
    fn with_check(body: &str) -> String {
        let mut rest = 0;
        for digit in body.chars() {
            rest = (rest + digit.to_digit(10).unwrap()) * 2 % 11;
        }
        match (12 - rest) % 11 {
            10 => format!("{body}X"),
            check => format!("{body}{check}"),
        }
    }

    proptest! {
        #[test]
        fn a_right_check_is_read_and_any_one_changed_digit_is_refused(
            division in "[1-9][0-9]{5}",
            year in 1900_i16..2026,
            month in 1_i8..=12,
            day in 1_i8..=28,
            sequence in 0..1000,
            at in 0_usize..17,
            with in "[0-9]",
        ) {
            let text =
                with_check(&format!("{division}{year:04}{month:02}{day:02}{sequence:03}"));
            prop_assert!(read(&text).is_ok(), "{}", text);
            for check in "0123456789X".chars().filter(|c| !text.ends_with(*c)) {
                let altered = format!("{}{check}", &text[..17]);
                prop_assert_eq!(read(&altered), Err(Flaw::ResidentIdChecksum));
            }
            let mut altered = text.clone();
            altered.replace_range(at..=at, &with);
            prop_assert_eq!(read(&altered).is_ok(), altered == text);
        }
    }
}
