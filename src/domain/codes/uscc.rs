//! The unified social credit code 统一社会信用代码 (GB 32100-2015 with amendment 1 of 2016). No
//! look-up: whether the enterprise exists is asked of the registry.

use std::fmt;

use super::{mask, normalise};
use crate::error::{Flaw, Result};

/// The 31 characters; the index is the value. No I, O, S, V, Z.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// The weights of the first 17 characters: powers of 3 modulo 31.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// The weights of the inner check over the subject code (GB 11714).
const SUBJECT_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// A unified social credit code with a right check character. `Debug` masks the codes of
/// individuals (个体工商户), which are personal data.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc(String);

impl Uscc {
    /// Reads a code of 18 characters.
    ///
    /// Fails with [`Flaw::UsccMalformed`] where length, alphabet, department, kind or division
    /// are wrong, and with [`Flaw::UsccChecksum`] where only the check character is.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = normalise(text);
        let values: Vec<u32> =
            text.chars().map(value).collect::<Option<_>>().ok_or(Flaw::UsccMalformed)?;
        let (check, body) = values.split_last().ok_or(Flaw::UsccMalformed)?;
        let mut chars = text.chars();
        let known = chars.next().zip(chars.next()).is_some_and(|(d, k)| kind_exists(d, k));
        let division = chars.take(6).all(|c| c.is_ascii_digit());
        if body.len() != WEIGHTS.len() || !known || !division {
            return Err(Flaw::UsccMalformed);
        }
        let sum: u32 = body.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
        // The outer remainder matters where the sum is divisible: the check is 0 then, not 31.
        if (31 - sum % 31) % 31 == *check { Ok(Self(text)) } else { Err(Flaw::UsccChecksum) }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a reviewer looks at twice: the inner check of the subject code differs. A warning,
    /// never a refusal: some issued codes break it.
    #[must_use]
    pub fn warning(&self) -> Option<Flaw> {
        let (subject, check) = (self.0.get(8..16)?, self.0.chars().nth(16)?);
        let sum: u32 = subject
            .chars()
            .filter_map(|c| c.to_digit(36))
            .zip(SUBJECT_WEIGHTS)
            .map(|(value, weight)| value * weight)
            .sum();
        let right = match 11 - sum % 11 {
            10 => Some('X'),
            11 => Some('0'),
            digit => char::from_digit(digit, 10),
        };
        (right != Some(check)).then_some(Flaw::UsccSubjectChecksum)
    }

    /// Whether it belongs to an individual business (个体工商户, `92`): personal data then.
    #[must_use]
    pub fn is_individual(&self) -> bool {
        self.0.starts_with("92")
    }

    /// The first four characters and the last four.
    #[must_use]
    pub fn mask(&self) -> String {
        mask::keep(&self.0, 4, 4)
    }

    /// What a list may show: whole for organisations, whose codes are public, masked for
    /// individuals.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.is_individual() { self.mask() } else { self.0.clone() }
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uscc({})", self.shown())
    }
}

/// The value of a character of the alphabet.
fn value(c: char) -> Option<u32> {
    ALPHABET.chars().zip(0..).find_map(|(known, value)| (known == c).then_some(value))
}

/// Whether the registration department gives out codes of the kind (amendment 1 of 2016).
fn kind_exists(department: char, kind: char) -> bool {
    let kinds = match department {
        '1' | '5' | 'N' => "1239",
        '2' | '4' | '8' | 'A' => "19",
        '3' => "123459",
        '6' | '7' => "129",
        '9' => "123",
        'Y' => "1",
        _ => "",
    };
    kinds.contains(kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &[&str] = &[
        "91350100M000100Y43",
        "12440300MB2C92173E",
        "91321300MA1ABCDE8U",
        "91321302MA1XQ0000N",
        "92321322MA1PQRTU7W",
        "91321323MA27WXY085",
        "91321324MA30000C0N",
        "93321322MA1W00016N",
        "913213003A1D2CUR40",
    ];

    #[test]
    fn codes_with_a_right_check_are_read() {
        for text in GOOD {
            assert_eq!(Uscc::parse(text).as_ref().map(Uscc::as_str), Ok(*text));
        }
        let typed = Uscc::parse(" ９1350100m000100y43 ").unwrap();
        assert_eq!(typed.as_str(), "91350100M000100Y43");
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for (text, flaw) in [
            ("91350100M000100Y4Z", Flaw::UsccMalformed),
            ("91350100I000100Y43", Flaw::UsccMalformed),
            ("91350100O000100Y43", Flaw::UsccMalformed),
            ("91350100S000100Y43", Flaw::UsccMalformed),
            ("91350100V000100Y43", Flaw::UsccMalformed),
            ("91350100Z000100Y43", Flaw::UsccMalformed),
            ("99350100M000100Y43", Flaw::UsccMalformed),
            ("9135010AM000100Y43", Flaw::UsccMalformed),
            ("91350100M000100Y4", Flaw::UsccMalformed),
            ("91350100M000100Y433", Flaw::UsccMalformed),
            ("91350100 M000100Y43", Flaw::UsccMalformed),
            ("91350100M000100Y44", Flaw::UsccChecksum),
            ("91350100M000100Y34", Flaw::UsccChecksum),
            ("统一社会信用代码统一社会信用代码统一", Flaw::UsccMalformed),
            ("9", Flaw::UsccMalformed),
            ("", Flaw::UsccMalformed),
        ] {
            assert_eq!(Uscc::parse(text), Err(flaw), "{text}");
        }
    }

    #[test]
    fn departments_give_out_only_their_kinds() {
        let mut pairs = Vec::new();
        for department in ALPHABET.chars() {
            let kinds: String =
                ALPHABET.chars().filter(|kind| kind_exists(department, *kind)).collect();
            if !kinds.is_empty() {
                pairs.push(format!("{department}:{kinds}"));
            }
        }
        assert_eq!(
            pairs.join(" "),
            "1:1239 2:19 3:123459 4:19 5:1239 6:129 7:129 8:19 9:123 A:19 N:1239 Y:1"
        );
    }

    #[test]
    fn the_inner_check_warns_and_does_not_refuse() {
        assert_eq!(Uscc::parse("91350100M000100Y43").unwrap().warning(), None);
        assert_eq!(Uscc::parse("12440300MB2C92173E").unwrap().warning(), None);
        // Inner sum divisible by 11: the inner check is 0.
        let zero = with_check("91321300000000000");
        assert_eq!(Uscc::parse(&zero).unwrap().warning(), None, "{zero}");
        let wrong = with_check("91321300000000001");
        assert_eq!(Uscc::parse(&wrong).unwrap().warning(), Some(Flaw::UsccSubjectChecksum));
        // Weight 3 times 4 leaves 1, so the inner check is 10, written X.
        let ten = with_check("9132130040000000X");
        assert_eq!(Uscc::parse(&ten).unwrap().warning(), None, "{ten}");
    }

    /// ID-09: an individual's code is personal data, also in logs.
    #[test]
    fn the_code_of_an_individual_is_masked_and_of_a_company_shown() {
        let company = Uscc::parse("91321300MA1ABCDE8U").unwrap();
        let individual = Uscc::parse("92321322MA1PQRTU7W").unwrap();
        assert_eq!(company.mask(), "9132**********DE8U");
        assert_eq!(company.shown(), "91321300MA1ABCDE8U");
        assert_eq!(individual.shown(), "9232**********TU7W");
        assert!(!company.is_individual() && individual.is_individual());
        assert_eq!(format!("{individual:?}"), "Uscc(9232**********TU7W)");
    }

    /// The check character by the words of the standard, apart from the code under test.
    fn with_check(body: &str) -> String {
        let mut sum: u64 = 0;
        for (i, c) in body.chars().enumerate() {
            sum += ALPHABET.find(c).unwrap() as u64 * 3_u64.pow(u32::try_from(i).unwrap());
        }
        let check = (0..31).find(|check| (sum + check).is_multiple_of(31)).unwrap();
        format!("{body}{}", ALPHABET.chars().nth(usize::try_from(check).unwrap()).unwrap())
    }

    proptest! {
        #[test]
        fn a_right_check_is_read_and_any_one_changed_character_is_refused(
            head in prop::sample::select(vec!["91", "92", "93", "11", "35", "52", "N1", "A9", "Y1"]),
            division in "[0-9]{6}",
            subject in "[0-9A-HJ-NP-RTUWXY]{9}",
            at in 0_usize..18,
            with in prop::sample::select(ALPHABET.chars().collect::<Vec<_>>()),
        ) {
            let code = with_check(&format!("{head}{division}{subject}"));
            prop_assert!(Uscc::parse(&code).is_ok(), "{}", code);
            for check in ALPHABET.chars().filter(|c| !code.ends_with(*c)) {
                let altered = format!("{}{check}", &code[..17]);
                prop_assert_eq!(Uscc::parse(&altered), Err(Flaw::UsccChecksum));
            }
            let altered: String =
                code.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).collect();
            prop_assert_eq!(Uscc::parse(&altered).is_ok(), altered == code);
        }
    }
}
