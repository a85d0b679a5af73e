//! The police number 警号 that a sworn officer wears. Not whether the officer serves.

use std::fmt;

use super::normalise;
use crate::error::{Flaw, Result};

/// A police number: six digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoliceNumber(String);

impl PoliceNumber {
    /// Reads a number.
    ///
    /// Fails with [`Flaw::PoliceNumberMalformed`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = normalise(text);
        if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(Flaw::PoliceNumberMalformed)
        }
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PoliceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_police_number_has_exactly_six_digits() {
        for (typed, number) in [("130001", "130001"), (" ０００００１ ", "000001")] {
            assert_eq!(PoliceNumber::parse(typed).unwrap().as_str(), number);
        }
        for text in ["", "13000", "1300011", "13000A", "13 001", "一三〇〇〇一"] {
            assert_eq!(PoliceNumber::parse(text), Err(Flaw::PoliceNumberMalformed), "{text}");
        }
    }
}
