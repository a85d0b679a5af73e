//! The standard codes of vehicles, enterprises and people, parsed once and valid for ever.
//! No policy, no database, no network: whether a code is issued to somebody is asked elsewhere.
//!
//! Every parser reads its text through [`normalise`] first, because real input holds full-width
//! characters, small letters, blanks and what pasting hangs on. What a parser gives is in canonical form.

/// Draws a closed list of codes with their official Chinese terms.
macro_rules! code_table {
    (
        $(#[$doc:meta])*
        $name:ident, $flaw:ident { $($variant:ident = $code:literal, $zh:literal;)+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = concat!("`", $code, "`: ", $zh, ".")] $variant,)+
        }

        impl $name {
            /// Every entry, in the order of the list.
            #[allow(dead_code, reason = "one macro for all tables: not each is walked")]
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            #[doc = concat!("Reads a code; fails with [`", stringify!($flaw), "`].")]
            ///
            #[doc = concat!("[`", stringify!($flaw), "`]: crate::error::Flaw::", stringify!($flaw))]
            pub fn parse(text: &str) -> crate::error::Result<Self, crate::error::Flaw> {
                match crate::domain::codes::normalise(text).as_str() {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(crate::error::Flaw::$flaw),
                }
            }

            /// The code of the standard.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The official Chinese term.
            #[allow(dead_code, reason = "one macro for all tables: not each is told to people")]
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }
        }
    };
}

mod division;
mod identity_document;
pub mod mask;
mod phone;
mod plate;
mod plate_type;
mod police_number;
mod resident_id;
mod size_class;
pub mod text;
mod uscc;
mod vehicle_codes;
mod vehicle_type;
mod vin;

pub use division::DivisionCode;
pub use identity_document::{DocumentKind, IdentityDocument};
pub use phone::Phone;
pub use plate::{Plate, PlateClass};
pub use plate_type::PlateType;
pub use police_number::PoliceNumber;
pub use resident_id::ResidentId;
pub use size_class::{SizeClass, cross_check};
pub use uscc::Uscc;
pub use vehicle_codes::{BodyColour, Energy, UseNature, VehicleState, VehicleStates};
pub use vehicle_type::{BodyKind, VehicleKind, VehicleType};
pub use vin::Vin;

/// A longer text is no code, whatever could be left out of it.
const TYPED_BYTES_MAX: usize = 512;

/// Brings typed and pasted text into the form that the standards write: without what nobody sees and
/// blanks at the ends, every character in its usual form, ASCII letters made capital.
#[must_use]
pub fn normalise(typed: &str) -> String {
    if typed.len() > TYPED_BYTES_MAX {
        return typed.to_owned();
    }
    let capital = text::meant(typed).trim().to_ascii_uppercase();
    // A capital may unite with the mark that stands on it where the small letter did not.
    text::meant(&capital)
}

/// A one-time code as it was meant: its digits, however they were grouped or copied.
#[must_use]
pub fn one_time(typed: &str) -> String {
    normalise(typed).chars().filter(|c| !c.is_whitespace() && !text::is_dash(*c)).collect()
}

/// A one-time code as it is meant: people read it in groups (`123 456`), and paste it with what their
/// screen put around it.
#[must_use]
pub fn one_time_code(text: &str) -> String {
    normalise(text).chars().filter(|c| !is_between(*c)).collect()
}

/// Blanks, hyphens, and what no screen shows.
fn is_between(c: char) -> bool {
    let unseen = matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}');
    unseen || c.is_whitespace() || c.is_control() || matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_one_time_code_is_read_however_it_is_grouped() {
        for typed in [
            "123456",
            "123 456",
            " 123456\r\n",
            "123-456",
            "１２３\u{3000}４５６",
            "123\u{00A0}456",
            "\u{202D}123\u{200B}456\u{202C}",
            "\u{FEFF}123\t456",
        ] {
            assert_eq!(one_time_code(typed), "123456", "{typed:?}");
        }
        assert_eq!(one_time_code("abcd-efgh jkmn"), "ABCDEFGHJKMN");
        for other in ["123.456", "12345", "一二三四五六"] {
            assert_ne!(one_time_code(other), "123456", "{other:?}");
        }
    }

    #[test]
    fn full_width_small_letters_and_blanks_become_canonical() {
        for (typed, canonical) in [
            ("  abc ", "ABC"),
            ("６８３２０", "68320"),
            ("ａｂｃＸＹＺ", "ABCXYZ"),
            ("\u{3000}苏ｎ\u{3000}1\u{3000}", "苏N 1"),
            ("－．", "-."),
            // As contacts and browsers copy them, and as documents write them.
            ("\u{202d}13905240001\u{202c}", "13905240001"),
            ("\u{2066}苏N1\u{200b}2345\u{2069}", "苏N12345"),
            ("\u{feff}91321300\u{ad}\r\n", "91321300"),
            ("\u{2fca}A12345", "黑A12345"),
            ("⻘A12345", "青A12345"),
            ("𝟏𝟐①", "121"),
            ("苏é", "苏é"),
            ("", ""),
        ] {
            assert_eq!(normalise(typed), canonical, "{typed:?}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_text_stays_as_it_is(text in any::<String>()) {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }

        /// No input makes a parser panic, and what it gives parses again to the same value.
        #[test]
        fn parsers_survive_any_text(text in ".{0,24}") {
            let today = jiff::civil::date(2026, 11, 23);
            if let Ok(plate) = Plate::parse(&text) {
                prop_assert_eq!(Plate::parse(plate.as_str()), Ok(plate));
            }
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert_eq!(Phone::parse(phone.as_str()), Ok(phone));
            }
            let _ = Uscc::parse(&text);
            let _ = Vin::parse(&text);
            let _ = ResidentId::parse(&text, today);
            let _ = VehicleType::parse(&text);
            let _ = VehicleStates::parse(&text);
            let _ = DivisionCode::parse(&text);
            let _ = PoliceNumber::parse(&text);
        }
    }
}
