//! Division codes 行政区划代码 (GB/T 2260). Not the organisations of the police: functional areas
//! have police branches but no division code.

use std::fmt;

use super::normalise;
use crate::error::{Flaw, Result};

/// A division code: six digits, of any place in the country.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DivisionCode(String);

impl DivisionCode {
    /// Reads a code.
    ///
    /// Fails with [`Flaw::UnknownValue`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let text = normalise(text);
        if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(Flaw::UnknownValue)
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_of_any_place_are_a_code() {
        for (text, read) in [("321300", "321300"), ("３２１３２４", "321324"), ("320500", "320500")]
        {
            assert_eq!(DivisionCode::parse(text).unwrap().as_str(), read, "{text}");
        }
    }

    #[test]
    fn what_is_not_six_digits_is_refused() {
        for text in ["", "32130", "3213000", "32130A", "321300000000", "宿迁"] {
            assert_eq!(DivisionCode::parse(text), Err(Flaw::UnknownValue), "{text}");
        }
    }
}
