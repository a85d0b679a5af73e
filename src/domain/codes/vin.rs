//! The vehicle identification number 车辆识别代号 (GB 16735, ISO 3779). No decoding of maker or
//! year.

use std::fmt;

use super::{mask, normalise};
use crate::error::{Flaw, Result};

/// The weights of the 17 positions; the ninth is the check itself.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/// A VIN: seventeen characters without I, O and Q. Its check may be wrong, see
/// [`Vin::warning`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vin(String);

impl Vin {
    /// Reads a VIN.
    ///
    /// Fails with [`Flaw::VinMalformed`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = normalise(text);
        if text.len() == WEIGHTS.len() && text.chars().all(|c| value(c).is_some()) {
            Ok(Self(text))
        } else {
            Err(Flaw::VinMalformed)
        }
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a reviewer looks at twice: the check digit differs. A warning, never a refusal:
    /// imported vehicles and trailers may break it.
    #[must_use]
    pub fn warning(&self) -> Option<Flaw> {
        let sum: u32 = self
            .0
            .chars()
            .filter_map(value)
            .zip(WEIGHTS)
            .map(|(value, weight)| value * weight)
            .sum();
        let right = match sum % 11 {
            10 => Some('X'),
            digit => char::from_digit(digit, 10),
        };
        (right != self.0.chars().nth(8)).then_some(Flaw::VinChecksum)
    }

    /// The last six characters.
    #[must_use]
    pub fn mask(&self) -> String {
        mask::keep(&self.0, 0, 6)
    }
}

impl fmt::Display for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a character; I, O and Q have none.
fn value(c: char) -> Option<u32> {
    match c {
        '0'..='9' => c.to_digit(10),
        'A' | 'J' => Some(1),
        'B' | 'K' | 'S' => Some(2),
        'C' | 'L' | 'T' => Some(3),
        'D' | 'M' | 'U' => Some(4),
        'E' | 'N' | 'V' => Some(5),
        'F' | 'W' => Some(6),
        'G' | 'P' | 'X' => Some(7),
        'H' | 'Y' => Some(8),
        'R' | 'Z' => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vin_with_a_right_check_raises_no_warning() {
        for text in [
            "1M8GDM9AXKP042788",
            "11111111111111111",
            "LSVAA0000N1000001",
            "LJ11KAAC9P1000088",
            "LZZ1CLNBXNA000001",
        ] {
            let vin = Vin::parse(text).unwrap();
            assert_eq!((vin.as_str(), vin.warning()), (text, None));
        }
        assert_eq!(Vin::parse(" 1m8gdm9axkp042788 ").unwrap().as_str(), "1M8GDM9AXKP042788");
    }

    #[test]
    fn a_wrong_check_is_a_warning_only() {
        let vin = Vin::parse("1M8GDM9A1KP042788").unwrap();
        assert_eq!(vin.warning(), Some(Flaw::VinChecksum));
    }

    #[test]
    fn what_is_no_vin_is_refused() {
        for text in [
            "LSVAAI000N1000001",
            "LSVAAO000N1000001",
            "LSVAAQ000N1000001",
            "LSVAA0000N100000",
            "LSVAA0000N10000011",
            "LSVAA-000N1000001",
            "LSVAA0000N1000号",
            "",
        ] {
            assert_eq!(Vin::parse(text), Err(Flaw::VinMalformed), "{text}");
        }
    }

    #[test]
    fn a_masked_vin_keeps_its_last_six() {
        assert_eq!(Vin::parse("LSVAA0000N1000001").unwrap().mask(), "***********000001");
    }

    proptest! {
        #[test]
        fn exactly_one_check_digit_is_right(
            head in "[A-HJ-NPR-Z0-9]{8}",
            tail in "[A-HJ-NPR-Z0-9]{8}",
        ) {
            let right = "0123456789X"
                .chars()
                .filter(|c| Vin::parse(&format!("{head}{c}{tail}")).unwrap().warning().is_none())
                .count();
            prop_assert_eq!(right, 1);
        }
    }
}
