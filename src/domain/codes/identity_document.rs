//! The documents by which a person is identified: the resident's number, and what people from
//! Hong Kong, Macao, Taiwan and abroad carry instead.

use std::fmt;

use jiff::{ToSpan as _, civil::Date};

use super::{ResidentId, mask, normalise};
use crate::{
    error::{Flaw, Result},
    named::named,
};

/// The age from which a person binds an enterprise (民法典, art. 17 and 18).
const FULL_AGE_YEARS: i64 = 18;

named! {
/// The kind of an identity document.
DocumentKind {
    /// 公民身份号码, and the residence permits with the same form.
    ResidentId = "RESIDENT_ID", "居民身份证";
    /// 护照.
    Passport = "PASSPORT", "护照";
    /// 回乡证.
    HomeReturnPermit = "HOME_RETURN_PERMIT", "港澳居民来往内地通行证";
    /// 台胞证.
    TaiwanPermit = "TAIWAN_PERMIT", "台湾居民来往大陆通行证";
    /// 永居证.
    PermanentResidence = "PERMANENT_RESIDENCE", "外国人永久居留身份证";
}
}

/// The number of a document, in canonical form. `Debug` prints it masked, and there is no
/// `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityDocument {
    kind: DocumentKind,
    number: String,
}

impl IdentityDocument {
    /// Reads a number of this kind; where it tells a birth date, its holder is of full age today.
    ///
    /// # Errors
    /// The flaws of [`ResidentId::parse`], `…_MALFORMED` of the kind, or [`Flaw::Underage`].
    pub fn parse(kind: DocumentKind, text: &str, today: Date) -> Result<Self, Flaw> {
        if text.trim().is_empty() {
            return Err(Flaw::Required);
        }
        let number = match kind {
            DocumentKind::ResidentId => ResidentId::parse(text, today)?.as_str().to_owned(),
            DocumentKind::PermanentResidence => permanent_residence(text, today)?,
            DocumentKind::Passport => formed(text, is_passport, Flaw::PassportMalformed)?,
            DocumentKind::HomeReturnPermit => {
                formed(text, is_home_return_permit, Flaw::HomeReturnPermitMalformed)?
            }
            DocumentKind::TaiwanPermit => {
                formed(text, is_taiwan_permit, Flaw::TaiwanPermitMalformed)?
            }
        };
        let born = birth_date(kind, &number);
        let latest = today.saturating_sub(FULL_AGE_YEARS.years());
        if born.is_some_and(|born| born > latest) {
            return Err(Flaw::Underage);
        }
        Ok(Self { kind, number })
    }

    /// What kind it is of.
    #[must_use]
    pub const fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The number, whole: for storing encrypted and for comparing.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.number
    }
}

impl fmt::Debug for IdentityDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = mask::document(self.kind, &self.number);
        write!(f, "IdentityDocument({}, {shown})", self.kind.wire())
    }
}

/// The canonical text, where it has the form.
fn formed(text: &str, is: fn(&str) -> bool, flaw: Flaw) -> Result<String, Flaw> {
    let text = normalise(text);
    if is(&text) { Ok(text) } else { Err(flaw) }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Five to seventeen letters and digits, with at least one digit: each state writes its own.
fn is_passport(text: &str) -> bool {
    (5..=17).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
        && text.bytes().any(|b| b.is_ascii_digit())
}

/// H (Hong Kong) or M (Macao), eight digits for life, and on older cards two for each renewal.
fn is_home_return_permit(text: &str) -> bool {
    let number = text.strip_prefix(['H', 'M']);
    number.is_some_and(|number| matches!(number.len(), 8 | 10) && digits(number))
}

/// Eight digits.
fn is_taiwan_permit(text: &str) -> bool {
    text.len() == 8 && digits(text)
}

/// The card of 2023, eighteen digits that begin with 9 and end with the residents' check, or the
/// older one of three letters and twelve digits.
fn permanent_residence(text: &str, today: Date) -> Result<String, Flaw> {
    let text = normalise(text);
    let old = text.len() == 15 && !digits(&text);
    let new = text.len() == 18 && text.starts_with('9');
    if !(old || new) {
        return Err(Flaw::PermanentResidenceMalformed);
    }
    match ResidentId::parse(&text, today) {
        Ok(id) => Ok(id.as_str().to_owned()),
        Err(Flaw::ResidentIdChecksum) => Err(Flaw::PermanentResidenceChecksum),
        Err(Flaw::ResidentIdBirthDate) => Err(Flaw::PermanentResidenceBirthDate),
        Err(_) => Err(Flaw::PermanentResidenceMalformed),
    }
}

/// The birth date, where the document tells it whole: the older permanent residence card has two
/// digits of the year, which tell no age.
fn birth_date(kind: DocumentKind, number: &str) -> Option<Date> {
    let tells = matches!(kind, DocumentKind::ResidentId | DocumentKind::PermanentResidence);
    let day = number.get(6..14).filter(|day| tells && number.len() == 18 && digits(day))?;
    let part = |from: usize, until: usize| day.get(from..until)?.parse::<i16>().ok();
    let narrow = |part: i16| i8::try_from(part).ok();
    Date::new(part(0, 4)?, narrow(part(4, 6)?)?, narrow(part(6, 8)?)?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn read(kind: DocumentKind, text: &str) -> Result<String, Flaw> {
        let today = date(2026, 11, 24);
        IdentityDocument::parse(kind, text, today).map(|it| it.as_str().to_owned())
    }

    #[test]
    fn each_kind_of_document_is_read_in_its_own_form() {
        use DocumentKind as D;
        for (kind, text, number) in [
            (D::ResidentId, "321302199202290014", "321302199202290014"),
            (D::ResidentId, "810000199001010019", "810000199001010019"),
            (D::Passport, "e12345678", "E12345678"),
            (D::Passport, " 533380006 ", "533380006"),
            (D::HomeReturnPermit, "h12345678", "H12345678"),
            (D::HomeReturnPermit, "M1234567802", "M1234567802"),
            (D::TaiwanPermit, "１２３４５６７８", "12345678"),
            (D::PermanentResidence, "CHN110105491231", "CHN110105491231"),
            (D::PermanentResidence, "911156199001010010", "911156199001010010"),
        ] {
            assert_eq!(read(kind, text).as_deref(), Ok(number), "{text}");
        }
    }

    #[test]
    fn a_number_of_another_form_is_refused_with_the_kinds_own_words() {
        use DocumentKind as D;
        for (kind, text, flaw) in [
            (D::ResidentId, "", Flaw::Required),
            (D::ResidentId, "E12345678", Flaw::ResidentIdMalformed),
            (D::Passport, "E123", Flaw::PassportMalformed),
            (D::Passport, "E12345678901234567", Flaw::PassportMalformed),
            (D::Passport, "ABCDEFGH", Flaw::PassportMalformed),
            (D::Passport, "护照12345", Flaw::PassportMalformed),
            (D::HomeReturnPermit, "12345678", Flaw::HomeReturnPermitMalformed),
            (D::HomeReturnPermit, "H123456789", Flaw::HomeReturnPermitMalformed),
            (D::HomeReturnPermit, "K12345678", Flaw::HomeReturnPermitMalformed),
            (D::TaiwanPermit, "1234567", Flaw::TaiwanPermitMalformed),
            (D::TaiwanPermit, "T12345678", Flaw::TaiwanPermitMalformed),
            (D::PermanentResidence, "321302199202290014", Flaw::PermanentResidenceMalformed),
            (D::PermanentResidence, "911156199001010011", Flaw::PermanentResidenceChecksum),
            (D::PermanentResidence, "CHN11010549123X", Flaw::PermanentResidenceMalformed),
            (D::PermanentResidence, "110105491231002", Flaw::PermanentResidenceMalformed),
        ] {
            assert_eq!(read(kind, text), Err(flaw), "{text}");
        }
    }

    /// A right check for seventeen digits, by the recursion of ISO 7064.
    fn with_check(body: &str) -> String {
        let rest =
            body.chars().fold(0, |rest, digit| (rest + digit.to_digit(10).unwrap()) * 2 % 11);
        match (12 - rest) % 11 {
            10 => format!("{body}X"),
            check => format!("{body}{check}"),
        }
    }

    #[test]
    fn nobody_born_less_than_eighteen_years_ago_represents_an_enterprise() {
        for (born, of_age) in [("20081124", true), ("20081125", false), ("20261123", false)] {
            for (kind, head) in
                [(DocumentKind::ResidentId, "321302"), (DocumentKind::PermanentResidence, "911156")]
            {
                let refused = read(kind, &with_check(&format!("{head}{born}001"))).err();
                assert_eq!(refused, (!of_age).then_some(Flaw::Underage), "{born} {kind:?}");
            }
        }
    }

    #[test]
    fn a_number_is_masked_also_for_debugging() {
        let today = date(2026, 11, 24);
        let read = |kind, text| IdentityDocument::parse(kind, text, today).unwrap();
        let passport = read(DocumentKind::Passport, "E12345678");
        assert_eq!(format!("{passport:?}"), "IdentityDocument(PASSPORT, E1*****78)");
        let resident = read(DocumentKind::ResidentId, "321302199202290014");
        assert_eq!(format!("{resident:?}"), "IdentityDocument(RESIDENT_ID, 321***********0014)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            for kind in DocumentKind::ALL {
                let _ = read(*kind, &text);
            }
        }
    }
}
