//! The masks under which personal data is shown: one mask per field everywhere, so that two
//! lists together do not uncover it. Who may see the whole value is decided elsewhere.
//!
//! A malformed value shows nothing but [`NOTHING`]: what cannot be recognised cannot be masked.

use jiff::civil::Date;

use super::{DocumentKind, Phone, ResidentId};

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

/// `宿迁******公司`: enough to tell two holders apart, not enough to look one up.
#[must_use]
pub fn enterprise(name: &str) -> String {
    let length = name.chars().count();
    if length <= 4 {
        return name.chars().take(1).chain("***".chars()).collect();
    }
    let ends = |at: usize| at < 2 || at.saturating_add(2) >= length;
    let starred = name.chars().enumerate().filter(|(at, _)| ends(*at));
    let mut shown: Vec<char> = starred.map(|(_, c)| c).collect();
    let tail = shown.split_off(2);
    shown.into_iter().chain("******".chars()).chain(tail).collect()
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
            (phone, "13812345678", "138****5678"),
            (phone, "+86 138 1234 5678", "138****5678"),
            (phone, "0527-84350079", "0527******79"),
            (resident_id, "321302199202290014", "321***********0014"),
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
            (phone, &["", "12345", "1381234567", "138123456789"]),
            (resident_id, &["", "321302199202290013", "32130219900229001X", "110105491231002"]),
        ];
        for (mask, values) in cases {
            for value in *values {
                assert_eq!(mask(value), NOTHING, "{value:?}");
            }
        }
    }

    // ID-09: a holder is shown masked, and the mask tells nothing of the length.
    #[test]
    fn a_holder_is_masked() {
        assert_eq!(enterprise("宿迁演示物流有限公司"), "宿迁******公司");
        assert_eq!(enterprise("宿迁物流公司"), "宿迁******公司");
        assert_eq!(enterprise("老王货运"), "老***");
        assert_eq!(enterprise(""), "***");
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
            for mask in [name, phone, resident_id] {
                prop_assert!(mask(&text).contains('*'));
            }
        }
    }
}
