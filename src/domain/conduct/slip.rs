//! What a reporter writes down: the query code and the secret, sixteen letters and digits each. No
//! check character: a wrong code must look like any other.

use std::fmt;

use crate::domain::codes::{self, text::is_dash};

/// Crockford's alphabet: no I, L, O and U, so that nothing is misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

/// A code or a secret: eighty random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Slip(String);

impl Slip {
    /// The text of these bytes.
    #[must_use]
    pub fn of(bytes: [u8; 10]) -> Self {
        let bits = bytes.into_iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(byte));
        let letters = (0..LENGTH).rev().filter_map(|at| {
            let index = usize::try_from((bits >> (5 * at)) & 31).ok()?;
            ALPHABET.get(index).copied().map(char::from)
        });
        Self(letters.collect())
    }

    /// Reads what a person typed: in any case, with or without the dashes, with the letters that are
    /// mistaken for digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.chars().count() > 4 * LENGTH {
            return None;
        }
        let typed = codes::normalise(text);
        let typed = typed.chars().filter(|c| !c.is_whitespace() && !is_dash(*c));
        let read = typed.map(|c| {
            let c = match c {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte)).map(char::from)
        });
        let read = read.collect::<Option<String>>()?;
        (read.len() == LENGTH).then_some(Self(read))
    }

    /// The bare letters, for the digest.
    #[must_use]
    pub fn letters(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

// Never printed by accident.
impl fmt::Debug for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slip(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::Slip;

    #[test]
    fn a_slip_is_read_back_as_people_type_it() {
        let slip = Slip::of([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]);
        let text = slip.to_string();
        assert_eq!(text.len(), 19);
        assert_eq!(Slip::read(&text), Some(slip.clone()));
        assert_eq!(Slip::read(&text.to_lowercase().replace('-', " ")), Some(slip.clone()));
        assert_eq!(Slip::read(&text.replace('0', "o").replace('1', "l")), Some(slip));
    }

    #[test]
    fn what_is_no_slip_is_refused() {
        for text in ["", "0000", "0000-0000-0000-000U", "0000-0000-0000-00000", "警"] {
            assert_eq!(Slip::read(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_not_printed_by_accident() {
        assert_eq!(format!("{:?}", Slip::of([7; 10])), "Slip(..)");
    }
}
