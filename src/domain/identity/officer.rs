//! What an officer may be at once, how strong a password must be, and when an account waits or is closed
//! (facts.md, 6.2 and 7). No row and no hash.

mod guess;

use jiff::{SignedDuration, Timestamp};
use pinyin::ToPinyin as _;

use crate::{
    actor::{Role, Roles},
    domain::codes::{Phone, PoliceNumber},
    error::{Faults, Flaw, Result},
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

/// The roles that one administrator alone gives to nobody, and in which nobody is moved by one alone: who
/// has one reads what others may not, decides last, or gives rights to others.
pub const GUARDED: Roles = Roles::of(&[
    Role::Inspector,
    Role::Auditor,
    Role::SecurityAdministrator,
    Role::SystemAdministrator,
    Role::FinalReviewer,
    Role::UnitLeader,
]);
/// Every role of an officer.
const OF_OFFICERS: Roles = Roles::of(Role::ALL).without(NOT_OF_OFFICERS);
/// Who decides about passes.
const REVIEWERS: Roles = Roles::of(&[Role::FirstReviewer, Role::FinalReviewer]);
/// Roles that nobody has together: each with all of those beside it (facts.md, 6.2 and 7).
const EXCLUSIONS: &[(Role, Roles)] = &[
    // Three administrators: none does the others' work, nor business.
    (Role::SystemAdministrator, OF_OFFICERS),
    (Role::SecurityAdministrator, OF_OFFICERS),
    (Role::Auditor, OF_OFFICERS),
    // The inspectorate looks at what others do, and edits no business.
    (Role::Inspector, OF_OFFICERS),
    // An auxiliary scans and records; never a decision (D10).
    (Role::Auxiliary, REVIEWERS.and(Roles::of(&[Role::UnitLeader, Role::Assigner, Role::Handler]))),
    // Who files at the window, proposes at the roadside, or serves the enterprise does not decide.
    (Role::WindowClerk, REVIEWERS),
    (Role::CheckpointOfficer, REVIEWERS),
    (Role::LiaisonOfficer, REVIEWERS),
    // Who leads judges what handlers did.
    (Role::UnitLeader, Roles::of(&[Role::Handler])),
];
/// What an officer can never be.
const NOT_OF_OFFICERS: Roles = Roles::of(&[
    Role::Person,
    Role::Driver,
    Role::EnterpriseHandler,
    Role::LegalRepresentative,
    Role::Device,
]);

/// What a role is called.
#[must_use]
pub const fn role_zh(role: Role) -> &'static str {
    match role {
        Role::Person => "个人用户",
        Role::Driver => "驾驶人",
        Role::EnterpriseHandler => "企业经办人",
        Role::LegalRepresentative => "法定代表人",
        Role::WindowClerk => "窗口人员",
        Role::FirstReviewer => "初审民警",
        Role::FinalReviewer => "终审民警",
        Role::CheckpointOfficer => "卡口民警",
        Role::Auxiliary => "辅警",
        Role::LiaisonOfficer => "警务专员",
        Role::UnitLeader => "单位负责人",
        Role::Assigner => "交办人",
        Role::Handler => "承办人",
        Role::Inspector => "督察",
        Role::SystemAdministrator => "系统管理员",
        Role::SecurityAdministrator => "安全管理员",
        Role::Auditor => "审计管理员",
        Role::Device => "设备",
    }
}

/// The pairs among these roles that nobody has together, each once.
#[must_use]
pub fn exclusions(roles: Roles) -> Vec<(Role, Role)> {
    let excludes = |one: Role, other: Role| {
        EXCLUSIONS.iter().any(|(role, with)| *role == one && with.has(other))
    };
    let pairs = roles.iter().flat_map(|one| {
        roles.iter().filter(move |other| one < *other).map(move |other| (one, other))
    });
    pairs.filter(|(one, other)| excludes(*one, *other) || excludes(*other, *one)).collect()
}

/// Tells each pair among these roles that nobody has together.
pub fn tell_exclusions(roles: Roles, path: &str, faults: &mut Faults) {
    for (one, other) in exclusions(roles) {
        let told = format!("{}与{}不能由同一人担任", role_zh(one), role_zh(other));
        faults.add_told(path, Flaw::RolesExclude, told);
    }
}

/// Reads the roles of an officer; everything wrong with them is told at once: `REQUIRED`,
/// `UNKNOWN_VALUE`, `DUPLICATE`, `NOT_ALLOWED` for a role of the public, and `ROLES_EXCLUDE` for each pair
/// that nobody may have together.
pub fn roles(names: &[String], path: &str, faults: &mut Faults) -> Option<Roles> {
    faults.check(!names.is_empty(), path, Flaw::Required);
    let mut roles = Roles::NONE;
    for (at, name) in names.iter().enumerate().take(Role::ALL.len()) {
        let path = format!("{path}[{at}]");
        let known = Role::from_wire(name).ok_or(Flaw::UnknownValue);
        let Some(role) = faults.take(&*path, known) else { continue };
        faults.check(OF_OFFICERS.has(role), &*path, Flaw::NotAllowed);
        faults.check(!roles.has(role), path, Flaw::Duplicate);
        roles = roles.with(role);
    }
    faults.check(names.len() <= Role::ALL.len(), path, Flaw::TooMany);
    tell_exclusions(roles, path, faults);
    (roles != Roles::NONE).then_some(roles)
}

/// What of a change of an officer's roles and unit one administrator may do alone, and what takes two:
/// power that is taken away takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split<U> {
    /// The roles at once.
    pub roles: Roles,
    /// The unit at once.
    pub unit: U,
    /// The roles that wait for a second person.
    pub waiting_roles: Roles,
    /// The unit that waits for a second person.
    pub waiting_unit: Option<U>,
}

impl<U> Split<U> {
    /// Whether anything waits.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.waiting_unit.is_some() || !self.waiting_roles.is_empty()
    }
}

/// Splits the change from what an officer is to what is wanted.
pub fn split<U: Copy + PartialEq>(
    (present, unit): (Roles, U),
    (wanted, wanted_unit): (Roles, U),
) -> Split<U> {
    let waiting_roles = wanted.without(present).within(GUARDED);
    let roles = wanted.without(waiting_roles);
    // Who keeps such a role, or gets one, is moved by two: it reaches as far as the unit does.
    let guarded = unit != wanted_unit && wanted.meets(GUARDED);
    Split {
        roles,
        unit: if guarded { unit } else { wanted_unit },
        waiting_roles,
        waiting_unit: guarded.then_some(wanted_unit),
    }
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

    use super::{
        GUARDED, Known, Split, failed, password, password_expired, password_may_change, role_zh,
        roles, shape, split,
    };
    use crate::{
        actor::{Role, Roles},
        domain::codes::{Phone, PoliceNumber},
        error::{Faults, Flaw},
    };

    fn named(names: &[&str]) -> Result<Roles, Vec<Flaw>> {
        let mut faults = Faults::new();
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let read = roles(&names, "roles", &mut faults);
        let flaws: Vec<_> = faults.into_fields().into_iter().map(|field| field.flaw).collect();
        read.filter(|_| flaws.is_empty()).ok_or(flaws)
    }

    fn excluded(names: &[&str]) -> bool {
        named(names).is_err_and(|flaws| flaws.contains(&Flaw::RolesExclude))
    }

    // I26, ID-04: separation of duties, every pair.
    #[test]
    fn administrators_and_inspectors_exclude_each_other_and_everything_else() {
        let apart = ["SYSTEM_ADMINISTRATOR", "SECURITY_ADMINISTRATOR", "AUDITOR", "INSPECTOR"];
        for one in apart {
            assert!(named(&[one]).is_ok(), "{one}");
            for other in Role::ALL.iter().map(|role| role.wire()).filter(|other| *other != one) {
                assert!(named(&[one, other]).is_err(), "{one} and {other}");
                assert!(named(&[other, one]).is_err(), "{other} and {one}");
            }
        }
    }

    // The whole table, for a reviewer to read.
    #[test]
    fn the_table_of_roles_that_exclude_each_other() {
        let mut table = String::new();
        for one in Role::ALL {
            let others: Vec<_> = Role::ALL
                .iter()
                .filter(|other| *other != one && excluded(&[one.wire(), other.wire()]))
                .map(|other| role_zh(*other))
                .collect();
            if !others.is_empty() {
                let others = others.join(" ");
                table.extend([role_zh(*one), ": ", others.as_str(), "\n"]);
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn eight_conflicting_roles_are_told_pair_by_pair_with_both_names() {
        let eight = ["INSPECTOR", "AUDITOR", "SECURITY_ADMINISTRATOR", "FINAL_REVIEWER", "HANDLER"];
        let mut faults = Faults::new();
        let _ = roles(&eight.map(str::to_owned), "officer.roles", &mut faults);
        let told: Vec<_> = faults.into_fields().into_iter().map(|field| field.zh).collect();
        assert!(told.contains(&"终审民警与督察不能由同一人担任".into()), "{told:?}");
        // Ten pairs of five, of which a final reviewer may be a handler.
        assert_eq!(told.len(), 9);
    }

    // D10: an auxiliary never decides.
    #[test]
    fn an_auxiliary_is_no_reviewer() {
        for reviewer in ["FIRST_REVIEWER", "FINAL_REVIEWER"] {
            assert!(excluded(&["AUXILIARY", reviewer]));
            assert!(excluded(&["WINDOW_CLERK", reviewer, "AUXILIARY"]));
        }
        assert!(named(&["AUXILIARY", "WINDOW_CLERK"]).is_ok());
    }

    #[test]
    fn roles_of_the_public_and_malformed_lists_are_refused() {
        for public in ["PERSON", "DRIVER", "ENTERPRISE_HANDLER", "LEGAL_REPRESENTATIVE", "DEVICE"] {
            assert_eq!(named(&[public]), Err(vec![Flaw::NotAllowed]), "{public}");
        }
        assert_eq!(named(&[]), Err(vec![Flaw::Required]));
        assert_eq!(named(&["CHIEF"]), Err(vec![Flaw::UnknownValue]));
        assert_eq!(named(&["AUXILIARY", "AUXILIARY"]), Err(vec![Flaw::Duplicate]));
        let both = named(&["FIRST_REVIEWER", "FINAL_REVIEWER"]).unwrap();
        assert_eq!(both, Roles::of(&[Role::FirstReviewer, Role::FinalReviewer]));
    }

    #[test]
    fn what_gives_power_waits_and_what_takes_it_does_not() {
        let (one, two) = (Roles::of(&[Role::FirstReviewer]), Role::FinalReviewer);
        let given = split((one, 1), (one.with(two), 1));
        let waiting_roles = Roles::of(&[two]);
        assert_eq!(given, Split { roles: one, unit: 1, waiting_roles, waiting_unit: None });
        assert!(given.waits());
        let taken = split((one.with(two), 1), (one, 1));
        assert!(!taken.waits());
        assert_eq!(taken.roles, one);
        // A move with such a role is a wider reach; a move without one is not.
        assert_eq!(split((one.with(two), 1), (one.with(two), 2)).waiting_unit, Some(2));
        assert_eq!(split((one.with(two), 1), (one, 2)).unit, 2);
        assert!(!split((one, 1), (one, 2)).waits());
        for role in GUARDED.iter() {
            assert!(split((Roles::NONE, 1), (Roles::of(&[role]), 1)).waits(), "{role:?}");
        }
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
            "Wo3213021700!",
            "欧阳建国@2026Aa",
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
