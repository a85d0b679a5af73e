//! The masks under which personal data is shown: one mask per field everywhere, so that two
//! lists together do not uncover it. Who may see the whole value is decided elsewhere.
//!
//! A malformed value shows nothing but [`NOTHING`]: what cannot be recognised cannot be masked.

use jiff::civil::Date;

use super::{DocumentKind, Phone, Plate, ResidentId, Uscc, Vin, normalise};

/// What a malformed value shows.
pub const NOTHING: &str = "*";

/// Surnames of two characters, as far as they are common.
const COMPOUND_SURNAMES: [&str; 20] = [
    "欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "宇文",
    "长孙", "司徒", "司空", "端木", "独孤", "南宫", "轩辕", "百里",
];

/// Keeps the first and the last characters and stars out the rest; a text that would stay whole
/// shows nothing.
pub(super) fn keep(text: &str, first: usize, last: usize) -> String {
    let length = text.chars().count();
    if length <= first + last {
        return NOTHING.to_owned();
    }
    let shown = |at: usize| at < first || at >= length - last;
    text.chars().enumerate().map(|(at, c)| if shown(at) { c } else { '*' }).collect()
}

/// The surname of a person: `张*`, `王**`, `欧阳**`.
#[must_use]
pub fn name(text: &str) -> String {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() || c.is_numeric()) {
        return NOTHING.to_owned();
    }
    let compound =
        text.chars().count() > 2 && COMPOUND_SURNAMES.iter().any(|s| text.starts_with(s));
    keep(text, if compound { 2 } else { 1 }, 0)
}

/// A plate: `苏N1***5`.
#[must_use]
pub fn plate(text: &str) -> String {
    Plate::parse(text).map_or_else(|_| NOTHING.to_owned(), |plate| plate.mask())
}

/// A mobile `138****5678`, or a landline `0527******79`.
#[must_use]
pub fn phone(text: &str) -> String {
    Phone::parse(text).map_or_else(|_| NOTHING.to_owned(), |phone| phone.mask())
}

/// A resident id: `321***********0014`.
#[must_use]
pub fn resident_id(text: &str) -> String {
    // The day does not matter for a mask, so none bounds the birth date.
    ResidentId::parse(text, Date::MAX).map_or_else(|_| NOTHING.to_owned(), |id| id.mask())
}

/// The number of an identity document: a resident's as [`resident_id`], of others the first two
/// characters and the last two.
#[must_use]
pub fn document(kind: DocumentKind, text: &str) -> String {
    match kind {
        DocumentKind::ResidentId | DocumentKind::PermanentResidence => resident_id(text),
        _ => keep(text, 2, 2),
    }
}

/// A unified social credit code: `9132**********DE8U`. The codes of organisations are public;
/// [`Uscc::shown`] masks those of individuals alone.
#[must_use]
pub fn uscc(text: &str) -> String {
    Uscc::parse(text).map_or_else(|_| NOTHING.to_owned(), |uscc| uscc.mask())
}

/// A VIN: the last six characters.
#[must_use]
pub fn vin(text: &str) -> String {
    Vin::parse(text).map_or_else(|_| NOTHING.to_owned(), |vin| vin.mask())
}

/// An engine number: the last four characters. It has no standard form, so letters, digits and
/// hyphens are taken, six to thirty.
#[must_use]
pub fn engine_number(text: &str) -> String {
    let text = normalise(text);
    let formed = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if formed && (6..=30).contains(&text.len()) { keep(&text, 0, 4) } else { NOTHING.to_owned() }
}

/// A bank card of 12 to 19 digits: the first four and the last four.
#[must_use]
pub fn bank_card(text: &str) -> String {
    let text: String = normalise(text).chars().filter(|c| !c.is_whitespace()).collect();
    let formed = text.bytes().all(|b| b.is_ascii_digit());
    if formed && (12..=19).contains(&text.len()) { keep(&text, 4, 4) } else { NOTHING.to_owned() }
}

/// An address down to its street, town or township (街道, 镇, 乡), else to its district or
/// county. Always eight stars follow, so that the length tells nothing.
#[must_use]
pub fn address(text: &str) -> String {
    let text = text.trim();
    let end = ["街道", "镇", "乡"]
        .iter()
        .find_map(|mark| end_of(text, mark))
        .or_else(|| end_of_district(text))
        .or_else(|| end_of(text, "市"));
    match end.and_then(|end| text.get(..end)) {
        // A house number before the mark means that the mark is part of something finer.
        Some(kept) if !kept.chars().any(|c| c.is_numeric() || c.is_control()) => {
            format!("{kept}********")
        }
        _ => NOTHING.to_owned(),
    }
}

/// Where the first such mark ends; a mark that opens the text names no place.
fn end_of(text: &str, mark: &str) -> Option<usize> {
    text.match_indices(mark).find_map(|(at, _)| (at > 0).then_some(at + mark.len()))
}

/// Where the first district or county ends. 小区, 社区 and their like are finer than a street.
fn end_of_district(text: &str) -> Option<usize> {
    let mut before = None;
    for (at, c) in text.char_indices() {
        let fine = before.is_none_or(|b| "小社园宅活厂属校院矿片景库".contains(b));
        if c == '县' && before.is_some() || c == '区' && !fine {
            return Some(at + c.len_utf8());
        }
        before = Some(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// ID-09: one mask per field.
    #[test]
    fn every_field_has_its_mask() {
        type Mask = fn(&str) -> String;
        let cases: &[(Mask, &str, &str)] = &[
            (name, "张三", "张*"),
            (name, "王小明", "王**"),
            (name, " 李四 ", "李*"),
            (name, "欧阳", "欧*"),
            (name, "欧阳修", "欧阳*"),
            (name, "欧阳娜娜", "欧阳**"),
            (name, "阿依古丽·买买提", "阿*******"),
            (plate, "苏D40000", "苏D4***0"),
            (plate, "苏d·40000", "苏D4***0"),
            (plate, "陕A12345D", "陕A1****D"),
            (phone, "13812345678", "138****5678"),
            (phone, "+86 138 1234 5678", "138****5678"),
            (phone, "0527-84350079", "0527******79"),
            (resident_id, "321302199202290014", "321***********0014"),
            (uscc, "91321300MA1ABCDE8U", "9132**********DE8U"),
            (uscc, "92321322MA1PQRTU7W", "9232**********TU7W"),
            (vin, "LSVAA0000N1000001", "***********000001"),
            (engine_number, "YC6J-190-42", "*******0-42"),
            (bank_card, "6222 0210 0123 4567", "6222********4567"),
            (address, "宿城区幸福街道黄河路1号3幢", "宿城区幸福街道********"),
            (address, "江苏省宿迁市泗阳县众兴镇北京路2号", "江苏省宿迁市泗阳县众兴镇********"),
            (address, "宿豫区珠江路9号幸福小区", "宿豫区********"),
            (address, "宿迁市幸福小区3幢", "宿迁市********"),
            (address, "沭阳县迎宾大道8号", "沭阳县********"),
        ];
        for (mask, whole, masked) in cases {
            assert_eq!(mask(whole), *masked, "{whole}");
        }
    }

    /// Libraries leave wrong values unmasked (京A123 stays 京A123); this one shows nothing.
    #[test]
    fn a_malformed_value_shows_nothing() {
        type Mask = fn(&str) -> String;
        let cases: &[(Mask, &[&str])] = &[
            (name, &["", " ", "张", "张三1", "张\u{7}三"]),
            (plate, &["", "京A123", "苏NI2345", "13812345678"]),
            (phone, &["", "12345", "1381234567", "138123456789"]),
            (resident_id, &["", "321302199202290013", "32130219900229001X", "110105491231002"]),
            (uscc, &["", "91350100M000100Y44", "91350100"]),
            (vin, &["", "LSVAAI000N1000001", "LSVAA"]),
            (engine_number, &["", "12345", "发动机号码一二三四", "ABC 123456"]),
            (bank_card, &["", "12345678901", "62220210012345678901", "6222021001234x67"]),
            (address, &["", "黄河路1号", "3号楼幸福街道", "幸福小区3幢", "街道", "县"]),
        ];
        for (mask, values) in cases {
            for value in *values {
                assert_eq!(mask(value), NOTHING, "{value:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_mask_never_shows_a_text_whole(text in ".{1,30}", first in 0_usize..5, last in 0_usize..5) {
            let masked = keep(&text, first, last);
            prop_assert!(masked.contains('*'));
            let shown = masked.chars().filter(|c| *c != '*').count();
            prop_assert!(shown <= first + last);
        }

        #[test]
        fn masks_survive_any_text(text in any::<String>()) {
            for mask in [name, plate, phone, resident_id, uscc, vin, address] {
                prop_assert!(mask(&text).contains('*'));
            }
        }
    }
}
