//! What an officer may be at once, how strong a password must be, and when an account waits or is closed
//! (facts.md, 6.2 and 7). No row and no hash.

mod guess;

use jiff::{SignedDuration, Timestamp};
use pinyin::ToPinyin as _;

use super::codes::{Phone, PoliceNumber};
use crate::{
    actor::{Role, Roles},
    error::{Flaw, Result},
};

/// Failed sign-ins in a row from one source after which it waits (facts.md, 6.2: per account and source).
pub const FAILURES_PER_SOURCE_MAX: u32 = 5;
/// Failed sign-ins in a row from anywhere that lock an account for everybody. So many that no single
/// stranger locks an officer out, whose number is on the badge; so few that many strangers cannot guess.
pub const FAILURES_MAX: i32 = 100;
/// How long a source waits, and how long an account is locked.
pub const LOCK: SignedDuration = SignedDuration::from_mins(15);
/// How long a password may be used.
pub const PASSWORD_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How many passwords, with the present one, may not come back (facts.md, 6.2: five at least). With
/// [`PASSWORD_AGE_MIN`] it takes most of a month to push one out.
pub const PASSWORDS_REMEMBERED: usize = 24;
/// How long a password stands before it may be changed again, so that nobody changes it so often in a row
/// that the old one comes back.
pub const PASSWORD_AGE_MIN: SignedDuration = SignedDuration::from_hours(24);
/// At so many failures in a row the security administrator is told.
pub const FAILURES_TOLD: i32 = 20;
/// Who signed in from a source within this time is known there: a lock that strangers brought about does
/// not count for it.
pub const SOURCE_KNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long the code counts by which an officer enrols.
pub const ENROLMENT_LIFETIME: SignedDuration = SignedDuration::from_hours(72);
/// An account that is not used for so long is closed (facts.md, 6.2: access control).
pub const UNUSED_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Its officer is told before, after so long.
pub const UNUSED_TOLD: SignedDuration = SignedDuration::from_hours(80 * 24);

const PASSWORD_CHARACTERS_MIN: usize = 10;
const PASSWORD_CHARACTERS_MAX: usize = 128;
const KINDS_MIN: usize = 3;

/// What nobody may be who looks after the system, and who looks after it may be nothing else
/// (facts.md, 6.2: three administrators, none can do the others' work, nor business).
const ADMINISTRATORS: Roles =
    Roles::of(&[Role::SystemAdministrator, Role::SecurityAdministrator, Role::Auditor]);
/// Who decides: never an auxiliary (facts.md, D10).
const REVIEWERS: Roles = Roles::of(&[Role::FirstReviewer, Role::FinalReviewer]);
/// What an officer can never be.
const NOT_OF_OFFICERS: Roles = Roles::of(&[
    Role::Person,
    Role::Driver,
    Role::EnterpriseHandler,
    Role::LegalRepresentative,
    Role::Device,
]);

/// Reads the roles of an officer.
///
/// # Errors
/// `REQUIRED`, `UNKNOWN_VALUE`, `DUPLICATE`, and `NOT_ALLOWED` for roles that exclude each other.
pub fn roles(names: &[String]) -> Result<Roles, Flaw> {
    if names.is_empty() {
        return Err(Flaw::Required);
    }
    let mut roles = Roles::NONE;
    for name in names {
        let role = Role::from_wire(name).ok_or(Flaw::UnknownValue)?;
        if roles.has(role) {
            return Err(Flaw::Duplicate);
        }
        roles = roles.with(role);
    }
    let decides_as_auxiliary = roles.has(Role::Auxiliary) && roles.meets(REVIEWERS);
    let administrator_and_more = roles.meets(ADMINISTRATORS) && roles.iter().count() > 1;
    if roles.meets(NOT_OF_OFFICERS) || decides_as_auxiliary || administrator_and_more {
        return Err(Flaw::NotAllowed);
    }
    Ok(roles)
}

/// What others know of an officer, and a password may not be made from.
#[derive(Clone)]
pub struct Known {
    /// On the badge.
    pub police_number: PoliceNumber,
    /// The full name.
    pub full_name: String,
    /// The phone, where it is known.
    pub phone: Option<Phone>,
    /// The code of the unit.
    pub unit_code: String,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({})", self.police_number)
    }
}

impl Known {
    /// The words that a guess begins with: small letters and digits.
    fn words(&self) -> Vec<String> {
        let syllables: Vec<&str> =
            self.full_name.as_str().to_pinyin().flatten().map(pinyin::Pinyin::plain).collect();
        let initials: String = syllables.iter().filter_map(|it| it.chars().next()).collect();
        // The given name alone, and the name with the family's at its end.
        let given = syllables.get(1..).unwrap_or_default().concat();
        let turned = syllables.first().map(|family| format!("{given}{family}"));
        let mut words = vec![
            self.full_name.to_lowercase(),
            self.police_number.as_str().to_owned(),
            self.unit_code.clone(),
            self.unit_code.chars().take(6).collect(),
            syllables.concat(),
            given,
            initials,
        ];
        words.extend(turned);
        words.extend(syllables.iter().map(|&syllable| syllable.to_owned()));
        let phone = self.phone.as_ref().map(Phone::as_str).unwrap_or_default();
        let ends = [11, 8, 6, 4].map(|digits| phone.len().checked_sub(digits));
        words.extend(ends.iter().flatten().filter_map(|at| phone.get(*at..)).map(str::to_owned));
        // One character is no word.
        words.retain(|word| word.chars().count() > 1);
        words
    }
}

/// Whether a password is strong: at least ten characters of three of the four kinds, and not one that is
/// common, or made from what others know of the officer.
pub fn password(text: &str, known: &Known) -> Result<(), Flaw> {
    shape(text)?;
    if guess::is_guessable(text, &known.words()) {
        return Err(Flaw::PasswordCommon);
    }
    Ok(())
}

/// Whether a password has the length and the kinds of characters, whoever it belongs to.
pub fn shape(text: &str) -> Result<(), Flaw> {
    let length = text.chars().count();
    if length == 0 {
        return Err(Flaw::Required);
    }
    if length > PASSWORD_CHARACTERS_MAX {
        return Err(Flaw::TooLong);
    }
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_uppercase(),
        |c| c.is_lowercase(),
        |c| c.is_numeric(),
        |c| !c.is_uppercase() && !c.is_lowercase() && !c.is_numeric(),
    ];
    let present = kinds.into_iter().filter(|kind| text.chars().any(*kind)).count();
    if length < PASSWORD_CHARACTERS_MIN || present < KINDS_MIN {
        return Err(Flaw::PasswordWeak);
    }
    Ok(())
}

/// Whether a password that was set then has served its time.
#[must_use]
pub fn password_expired(set: Timestamp, now: Timestamp) -> bool {
    now.duration_since(set) >= PASSWORD_LIFETIME
}

/// Whether a password that was set then may be changed. One that must be changed may.
#[must_use]
pub fn password_may_change(set: Timestamp, expired: bool, now: Timestamp) -> bool {
    expired || now.duration_since(set) >= PASSWORD_AGE_MIN
}

/// What follows one more failed sign-in after these: the count, and the end of the lock.
#[must_use]
pub fn failed(before: i32, now: Timestamp) -> (i32, Option<Timestamp>) {
    let failures = before.saturating_add(1);
    if failures < FAILURES_MAX {
        return (failures, None);
    }
    // After the lock the count begins anew.
    (0, Some(now.saturating_add(LOCK).unwrap_or(Timestamp::MAX)))
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Known, failed, password, password_expired, password_may_change, roles, shape};
    use crate::{
        actor::{Role, Roles},
        domain::codes::{Phone, PoliceNumber},
        error::Flaw,
    };

    fn named(names: &[&str]) -> Result<Roles, Flaw> {
        roles(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    // I26, ID-04: separation of duties, every pair.
    #[test]
    fn administrators_exclude_each_other_and_everything_else() {
        let administrators = ["SYSTEM_ADMINISTRATOR", "SECURITY_ADMINISTRATOR", "AUDITOR"];
        for one in administrators {
            assert!(named(&[one]).is_ok(), "{one}");
            for other in Role::ALL.iter().map(|role| role.wire()).filter(|other| *other != one) {
                assert_eq!(named(&[one, other]), Err(Flaw::NotAllowed), "{one} and {other}");
                assert_eq!(named(&[other, one]), Err(Flaw::NotAllowed), "{other} and {one}");
            }
        }
    }

    // D10: an auxiliary never decides.
    #[test]
    fn an_auxiliary_is_no_reviewer() {
        for reviewer in ["FIRST_REVIEWER", "FINAL_REVIEWER"] {
            assert_eq!(named(&["AUXILIARY", reviewer]), Err(Flaw::NotAllowed));
            assert_eq!(named(&["WINDOW_CLERK", reviewer, "AUXILIARY"]), Err(Flaw::NotAllowed));
        }
        assert!(named(&["AUXILIARY", "WINDOW_CLERK"]).is_ok());
    }

    #[test]
    fn roles_of_the_public_and_malformed_lists_are_refused() {
        for public in ["PERSON", "DRIVER", "ENTERPRISE_HANDLER", "LEGAL_REPRESENTATIVE", "DEVICE"] {
            assert_eq!(named(&[public]), Err(Flaw::NotAllowed), "{public}");
        }
        assert_eq!(named(&[]), Err(Flaw::Required));
        assert_eq!(named(&["CHIEF"]), Err(Flaw::UnknownValue));
        assert_eq!(named(&["AUXILIARY", "AUXILIARY"]), Err(Flaw::Duplicate));
        let both = named(&["FIRST_REVIEWER", "FINAL_REVIEWER"]).unwrap();
        assert_eq!(both, Roles::of(&[Role::FirstReviewer, Role::FinalReviewer]));
    }

    // ID-11, facts.md 6.2: ten characters, three of four kinds.
    #[test]
    fn a_password_needs_ten_characters_of_three_kinds() {
        for strong in ["Abcdefgh12", "abcdefgh1!", "ABCDEFGH1!", "Abcdefghi!", "密码密码密码密码Aa"]
        {
            assert_eq!(shape(strong), Ok(()), "{strong}");
        }
        for weak in [
            "Abcdefg12",
            "abcdefgh12",
            "ABCDEFGHIJ",
            "1234567890",
            "Abcdefghij",
            "密码密码密码密码密码",
        ] {
            assert_eq!(shape(weak), Err(Flaw::PasswordWeak), "{weak}");
        }
        assert_eq!(shape(""), Err(Flaw::Required));
        assert_eq!(shape(&"Aa1".repeat(43)), Err(Flaw::TooLong));
        assert_eq!(shape(&"Aa1!".repeat(32)), Ok(()));
    }

    #[test]
    fn a_password_is_neither_common_nor_made_from_its_owner() {
        let known = Known {
            police_number: PoliceNumber::parse("130524").unwrap(),
            full_name: "欧阳建国".to_owned(),
            phone: Some(Phone::parse("13905247788").unwrap()),
            unit_code: "321302170000".to_owned(),
        };
        for made in [
            "Password123!",
            "Suqian@2026",
            "Jingcha-130524",
            "Ouyang#13905247788",
            "OuyangJianguo!",
            "Jianguo@7788",
            "Oyjg-7788-2026",
            "欧阳建国@Aa1",
            "Wo3213021700!",
        ] {
            assert_eq!(password(made, &known), Err(Flaw::PasswordCommon), "{made}");
        }
        for good in ["Neues-Passwort-7", "Kiefer7!Wolke", "门前大桥下游过Aa1"] {
            assert_eq!(password(good, &known), Ok(()), "{good}");
        }
        assert_eq!(password("short", &known), Err(Flaw::PasswordWeak));
    }

    #[test]
    fn a_password_stands_a_day_unless_it_must_be_changed() {
        let set = Timestamp::UNIX_EPOCH;
        let day = SignedDuration::from_hours(24);
        assert!(!password_may_change(set, false, set + day - SignedDuration::from_secs(1)));
        assert!(password_may_change(set, false, set + day));
        assert!(password_may_change(set, true, set));
    }

    #[test]
    fn a_password_serves_ninety_days() {
        let set = Timestamp::UNIX_EPOCH;
        let day = SignedDuration::from_hours(24);
        assert!(!password_expired(set, set + day * 90 - SignedDuration::from_secs(1)));
        assert!(password_expired(set, set + day * 90));
    }

    // ID-03, ID-11: the hundredth failure locks for fifteen minutes, wherever they came from.
    #[test]
    fn the_hundredth_failure_locks() {
        let now = Timestamp::UNIX_EPOCH;
        for before in 0..99 {
            assert_eq!(failed(before, now), (before + 1, None));
        }
        assert_eq!(failed(99, now), (0, Some(now + SignedDuration::from_mins(15))));
    }
}
