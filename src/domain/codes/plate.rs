//! Licence plates (GA 36-2018): which class a plate number is of, and whether a pass may name it.
//! No plate type codes and no look-up of who holds the plate.

use std::fmt;

use super::{mask, normalise};
use crate::{
    domain::codes::text::{is_dash, is_dot},
    error::{Flaw, Result},
};

/// The short names of the 31 provinces that open a plate.
const PROVINCES: &str = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新";

/// The class of a plate, seen from its form alone (GA 36-2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PlateClass {
    /// Blue or yellow, seven characters.
    Ordinary,
    /// New energy, small vehicle: a letter opens the serial.
    NewEnergySmall,
    /// New energy, large vehicle: a letter closes the serial.
    NewEnergyLarge,
    /// 挂: trailers.
    Trailer,
    /// 学: driving schools.
    School,
    /// 警: police, courts, procuratorates, state security, justice.
    Police,
    /// 港: Hong Kong vehicles that may enter.
    HongKong,
    /// 澳: Macao vehicles that may enter.
    Macao,
    /// 领: consulates.
    Consulate,
    /// 使: embassies.
    Embassy,
    /// 试: vehicles under test.
    Test,
    /// 超: vehicles beyond the permitted measures.
    Oversize,
    /// 应急: emergency rescue.
    Rescue,
    /// WJ: armed police.
    ArmedPolice,
    /// Military.
    Military,
}

impl PlateClass {
    /// The Chinese name of the class, to tell why a plate is refused.
    #[must_use]
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Ordinary => "普通号牌",
            Self::NewEnergySmall => "小型新能源号牌",
            Self::NewEnergyLarge => "大型新能源号牌",
            Self::Trailer => "挂车号牌",
            Self::School => "教练车号牌",
            Self::Police => "警用号牌",
            Self::HongKong => "香港入出境车号牌",
            Self::Macao => "澳门入出境车号牌",
            Self::Consulate => "领馆号牌",
            Self::Embassy => "使馆号牌",
            Self::Test => "试验车号牌",
            Self::Oversize => "特型车号牌",
            Self::Rescue => "应急救援号牌",
            Self::ArmedPolice => "武警号牌",
            Self::Military => "军队号牌",
        }
    }
}

/// A plate number in canonical form. A number alone names no vehicle: the pair with the
/// [plate type](super::PlateType) does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plate {
    text: String,
    class: PlateClass,
}

impl Plate {
    /// Reads a plate number of any class; blanks, dots and hyphens do not matter.
    ///
    /// Fails with [`Flaw::PlateMalformed`].
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let chars: Vec<char> = normalise(text).chars().filter(|c| !is_separator(*c)).collect();
        let class = classify(&chars).ok_or(Flaw::PlateMalformed)?;
        Ok(Self { text: chars.into_iter().collect(), class })
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> PlateClass {
        self.class
    }

    /// The number without separators: `苏N12345`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a reviewer looks at twice: an ordinary serial with more than two letters. A warning,
    /// never a refusal: self-chosen and future plates may break the custom.
    #[must_use]
    pub fn warning(&self) -> Option<Flaw> {
        let letters = self.text.chars().skip(2).filter(char::is_ascii_uppercase).count();
        (self.class == PlateClass::Ordinary && letters > 2).then_some(Flaw::PlateUnusual)
    }

    /// Whether a pass may be issued to the motor vehicle with this plate: ordinary or new energy.
    ///
    /// Fails with [`Flaw::PlateClassRefused`]; [`PlateClass::zh`] names the class.
    pub const fn accepted_as_tractor(&self) -> Result<(), Flaw> {
        match self.class {
            PlateClass::Ordinary | PlateClass::NewEnergySmall | PlateClass::NewEnergyLarge => {
                Ok(())
            }
            _ => Err(Flaw::PlateClassRefused),
        }
    }

    /// Whether a pass may name this plate as its second, the trailer's.
    ///
    /// Fails with [`Flaw::PlateClassRefused`].
    pub const fn accepted_as_trailer(&self) -> Result<(), Flaw> {
        match self.class {
            PlateClass::Trailer => Ok(()),
            _ => Err(Flaw::PlateClassRefused),
        }
    }

    /// The first three characters and the last: `苏N1***5`.
    #[must_use]
    pub fn mask(&self) -> String {
        mask::keep(&self.text, 3, 1)
    }
}

impl fmt::Display for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What people write between the parts of a plate.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || is_dash(c) || is_dot(c) || matches!(c, '·' | '.')
}

/// One of the 31 provinces.
fn is_province(c: char) -> bool {
    PROVINCES.contains(c)
}

/// The letter of an issuing authority: no I, no O.
const fn is_authority(c: char) -> bool {
    matches!(c, 'A'..='H' | 'J'..='N' | 'P'..='Z')
}

/// A character of a serial: a digit or a letter, no I, no O.
const fn is_serial(c: char) -> bool {
    c.is_ascii_digit() || is_authority(c)
}

/// The letters of new energy: A to E pure electric, F to K not purely.
const fn is_new_energy(c: char) -> bool {
    matches!(c, 'A'..='H' | 'J' | 'K')
}

/// The class whose form the characters have; no two forms overlap, but WJ and military, where
/// WJ goes first.
fn classify(chars: &[char]) -> Option<PlateClass> {
    let digits = |part: &[char]| part.iter().all(char::is_ascii_digit);
    match chars {
        [p, 'X' | 'S', number @ .., '应', '急']
            if is_province(*p) && number.len() == 4 && digits(number) =>
        {
            Some(PlateClass::Rescue)
        }
        [number @ .., '使'] if number.len() == 6 && digits(number) => Some(PlateClass::Embassy),
        ['W', 'J', rest @ ..] if is_armed_police(rest) => Some(PlateClass::ArmedPolice),
        [a, b, number @ ..]
            if a.is_ascii_uppercase()
                && b.is_ascii_uppercase()
                && number.len() == 5
                && digits(number) =>
        {
            Some(PlateClass::Military)
        }
        [p, authority, serial @ ..] if is_province(*p) => civil(*p, *authority, serial),
        _ => None,
    }
}

/// What follows WJ: a province or nothing, four digits, and a digit or a letter of the branch.
fn is_armed_police(rest: &[char]) -> bool {
    let number = match rest {
        [p, number @ ..] if is_province(*p) => number,
        number => number,
    };
    matches!(number, [a, b, c, d, last]
        if [a, b, c, d].into_iter().all(char::is_ascii_digit)
            && matches!(last, '0'..='9' | 'T' | 'D' | 'S' | 'H' | 'B' | 'X' | 'J'))
}

/// The class of a plate that opens with a province.
fn civil(province: char, authority: char, serial: &[char]) -> Option<PlateClass> {
    let organ = authority == 'O';
    if !is_authority(authority) && !organ {
        return None;
    }
    let guangdong_z = province == '粤' && authority == 'Z';
    let class = match serial {
        [number @ .., mark] if number.len() == 4 && number.iter().all(|c| is_serial(*c)) => {
            match mark {
                '警' => PlateClass::Police,
                '挂' => PlateClass::Trailer,
                '学' => PlateClass::School,
                '领' => PlateClass::Consulate,
                '试' => PlateClass::Test,
                '超' => PlateClass::Oversize,
                '港' if guangdong_z => PlateClass::HongKong,
                '澳' if guangdong_z => PlateClass::Macao,
                last if is_serial(*last) => PlateClass::Ordinary,
                _ => return None,
            }
        }
        [kind, second, number @ ..]
            if number.len() == 4
                && is_new_energy(*kind)
                && is_serial(*second)
                && number.iter().all(char::is_ascii_digit) =>
        {
            PlateClass::NewEnergySmall
        }
        [number @ .., kind]
            if number.len() == 5
                && is_new_energy(*kind)
                && number.iter().all(char::is_ascii_digit) =>
        {
            PlateClass::NewEnergyLarge
        }
        _ => return None,
    };
    // The letter O is left to public-security organs.
    (!organ || class == PlateClass::Police).then_some(class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &[(&str, PlateClass)] = &[
        ("苏N12345", PlateClass::Ordinary),
        ("苏NA1B23", PlateClass::Ordinary),
        ("苏ND12345", PlateClass::NewEnergySmall),
        ("苏NDD1234", PlateClass::NewEnergySmall),
        ("苏NFA1234", PlateClass::NewEnergySmall),
        ("苏NK12345", PlateClass::NewEnergySmall),
        ("苏N12345D", PlateClass::NewEnergyLarge),
        ("苏N12345F", PlateClass::NewEnergyLarge),
        ("苏N1234挂", PlateClass::Trailer),
        ("苏N1234学", PlateClass::School),
        ("苏N0001警", PlateClass::Police),
        ("苏NA001警", PlateClass::Police),
        ("苏O0001警", PlateClass::Police),
        ("粤ZA123港", PlateClass::HongKong),
        ("粤ZA123澳", PlateClass::Macao),
        ("沪A0123领", PlateClass::Consulate),
        ("123456使", PlateClass::Embassy),
        ("苏N1234试", PlateClass::Test),
        ("苏N1234超", PlateClass::Oversize),
        ("苏X1234应急", PlateClass::Rescue),
        ("苏S1234应急", PlateClass::Rescue),
        ("WJ苏12345", PlateClass::ArmedPolice),
        ("WJ苏1234X", PlateClass::ArmedPolice),
        ("WJ12345", PlateClass::ArmedPolice),
        ("WJ1234J", PlateClass::ArmedPolice),
        ("KA12345", PlateClass::Military),
    ];

    #[test]
    fn every_real_plate_has_its_class() {
        for (text, class) in GOOD {
            let plate = Plate::parse(text);
            assert_eq!(plate.as_ref().map(Plate::class), Ok(*class), "{text}");
            assert_eq!(plate.unwrap().as_str(), *text);
        }
    }

    #[test]
    fn what_is_no_plate_is_refused() {
        for text in [
            "苏NI2345",
            "苏NO2345",
            "苏I12345",
            "苏O12345",
            "苏O1234挂",
            "苏NF1A234",
            "苏N12345L",
            "苏NL12345",
            "苏N12345挂",
            "苏ZA123港",
            "粤ZA1234港",
            "苏ZA123澳",
            "苏N1234",
            "苏N123456",
            "苏N1234临",
            "苏N123I挂",
            "X苏12345",
            "苏A1234应急",
            "苏X123A应急",
            "12345使",
            "1234567使",
            "WJ苏123456",
            "WJ苏1234A",
            "WJ1234",
            "A123456",
            "KA1234",
            "港N12345",
            "",
            "苏",
            "苏N",
            "应急",
        ] {
            assert_eq!(Plate::parse(text), Err(Flaw::PlateMalformed), "{text}");
        }
    }

    #[test]
    fn a_plate_is_read_as_people_type_it() {
        for (typed, canonical) in [
            ("苏n12345", "苏N12345"),
            ("新H-68320", "新H68320"),
            ("新 H27274", "新H27274"),
            ("新H６８３２０", "新H68320"),
            ("苏Ｎ·１２３４５", "苏N12345"),
            ("苏N.12345", "苏N12345"),
            ("苏N•12345", "苏N12345"),
            (" 苏 N 1 2 3 4 挂 ", "苏N1234挂"),
            ("苏n\u{3000}d12345", "苏ND12345"),
        ] {
            let plate = Plate::parse(typed);
            assert_eq!(plate.as_ref().map(Plate::as_str), Ok(canonical), "{typed}");
        }
    }

    #[test]
    fn more_than_two_letters_in_an_ordinary_serial_are_a_warning_only() {
        for (text, warning) in [
            ("苏N12345", None),
            ("苏NAB123", None),
            ("苏NA1B23", None),
            ("苏NABC12", Some(Flaw::PlateUnusual)),
            ("苏NABCDE", Some(Flaw::PlateUnusual)),
            ("苏NABCD挂", None),
        ] {
            assert_eq!(Plate::parse(text).unwrap().warning(), warning, "{text}");
        }
    }

    #[test]
    fn a_pass_takes_ordinary_and_new_energy_plates_and_trailers_second() {
        for (text, class) in GOOD {
            let plate = Plate::parse(text).unwrap();
            let motor = matches!(
                class,
                PlateClass::Ordinary | PlateClass::NewEnergySmall | PlateClass::NewEnergyLarge
            );
            assert_eq!(plate.accepted_as_tractor().is_ok(), motor, "{text}");
            assert_eq!(plate.accepted_as_trailer().is_ok(), *class == PlateClass::Trailer);
        }
        let police = Plate::parse("苏N0001警").unwrap();
        assert_eq!(police.accepted_as_tractor(), Err(Flaw::PlateClassRefused));
        assert_eq!(police.accepted_as_trailer(), Err(Flaw::PlateClassRefused));
        assert_eq!(police.class().zh(), "警用号牌");
    }

    #[test]
    fn a_masked_plate_keeps_three_characters_and_the_last() {
        for (text, masked) in [
            ("苏D40000", "苏D4***0"),
            ("陕A12345D", "陕A1****D"),
            ("苏N1234挂", "苏N1***挂"),
            ("苏X1234应急", "苏X1****急"),
        ] {
            assert_eq!(Plate::parse(text).unwrap().mask(), masked);
        }
    }

    proptest! {
        #[test]
        fn any_serial_without_i_and_o_is_ordinary_and_one_of_them_spoils_it(
            serial in "[A-HJ-NP-Z0-9]{5}",
            at in 0_usize..5,
            wrong in prop::sample::select(vec!['I', 'O', '港', '_']),
        ) {
            let plate = Plate::parse(&format!("苏N{serial}"));
            prop_assert_eq!(plate.map(|plate| plate.class()), Ok(PlateClass::Ordinary));
            let spoilt: String =
                serial.chars().enumerate().map(|(i, c)| if i == at { wrong } else { c }).collect();
            prop_assert_eq!(Plate::parse(&format!("苏N{spoilt}")), Err(Flaw::PlateMalformed));
        }

        #[test]
        fn the_letter_of_a_new_energy_plate_decides(
            letter in "[A-Z]",
            second in "[A-HJ-NP-Z0-9]",
            number in "[0-9]{4}",
        ) {
            let known = "ABCDEFGHJK".contains(&letter);
            let small = Plate::parse(&format!("苏N{letter}{second}{number}"));
            prop_assert_eq!(small.is_ok(), known);
            let large = Plate::parse(&format!("苏N0{number}{letter}"));
            prop_assert_eq!(large.is_ok(), known);
        }
    }
}
