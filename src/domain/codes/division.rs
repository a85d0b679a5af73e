//! Division codes 行政区划代码 (GB/T 2260). Not the organisations of the police: functional areas
//! have police branches but no division code.

use std::fmt;

use super::normalise;
use crate::error::{Flaw, Result};

/// The divisions that this city deals with by name.
const KNOWN: [(&str, &str); 6] = [
    ("321300", "宿迁市"),
    ("321302", "宿城区"),
    ("321311", "宿豫区"),
    ("321322", "沭阳县"),
    ("321323", "泗阳县"),
    ("321324", "泗洪县"),
];

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

    /// The name, for Suqian and its districts and counties.
    #[must_use]
    pub fn zh(&self) -> Option<&'static str> {
        KNOWN.iter().find_map(|(code, name)| (*code == self.0).then_some(*name))
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
    fn suqian_is_known_by_name_and_other_places_by_code() {
        for (text, name) in [
            ("321300", Some("宿迁市")),
            ("321302", Some("宿城区")),
            ("321311", Some("宿豫区")),
            ("321322", Some("沭阳县")),
            ("321323", Some("泗阳县")),
            ("３２１３２４", Some("泗洪县")),
            ("320500", None),
            ("321371", None),
        ] {
            assert_eq!(DivisionCode::parse(text).unwrap().zh(), name, "{text}");
        }
    }

    #[test]
    fn what_is_not_six_digits_is_refused() {
        for text in ["", "32130", "3213000", "32130A", "321300000000", "宿迁"] {
            assert_eq!(DivisionCode::parse(text), Err(Flaw::UnknownValue), "{text}");
        }
    }
}
