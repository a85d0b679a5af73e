//! Who asks: persons, officers, devices, the system; their roles and what part of the world they see.

use uuid::Uuid;

use crate::{
    error::{Error, Reason},
    id::{Id, Subject, kind},
};

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident = $wire:literal;)+) => {
        /// A role of facts.md, section 7. POLICY names the roles that may call a method.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $($(#[$doc])* $role,)+ }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$role,)+];

            /// The name on the wire and in the database.
            #[must_use]
            pub const fn wire(self) -> &'static str {
                match self { $(Self::$role => $wire,)+ }
            }

            /// Reads the name.
            #[must_use]
            pub fn from_wire(text: &str) -> Option<Self> {
                match text { $($wire => Some(Self::$role),)+ _ => None }
            }
        }
    };
}

roles! {
    /// Anybody who signed in with WeChat, bound to nothing yet.
    Person = "PERSON";
    /// 驾驶人: a person who drives a vehicle of an enterprise.
    Driver = "DRIVER";
    /// 经办人: acts for an enterprise within the granted scope, until the end date.
    EnterpriseHandler = "ENTERPRISE_HANDLER";
    /// 法定代表人: binds the enterprise and appoints its handlers.
    LegalRepresentative = "LEGAL_REPRESENTATIVE";
    /// Window clerk: accepts and hands over, never decides.
    WindowClerk = "WINDOW_CLERK";
    /// 民警 of the brigade: first review.
    FirstReviewer = "FIRST_REVIEWER";
    /// 民警 of the detachment: final review.
    FinalReviewer = "FINAL_REVIEWER";
    /// Scans, records, proposes a revocation.
    CheckpointOfficer = "CHECKPOINT_OFFICER";
    /// 辅警: scans and records, never decides.
    Auxiliary = "AUXILIARY";
    /// 警务专员: serves the enterprises of the post.
    LiaisonOfficer = "LIAISON_OFFICER";
    /// 单位负责人: liaison posts, their rosters and whom they serve; supervision in the unit.
    UnitLeader = "UNIT_LEADER";
    /// 交办: takes complaints in, assigns them, judges the feedback.
    Assigner = "ASSIGNER";
    /// 承办: handles complaints and answers them.
    Handler = "HANDLER";
    /// 督察: supervision and conduct reports.
    Inspector = "INSPECTOR";
    /// System administrator: units, officers, devices.
    SystemAdministrator = "SYSTEM_ADMINISTRATOR";
    /// Security administrator: keys, locks, sessions.
    SecurityAdministrator = "SECURITY_ADMINISTRATOR";
    /// Auditor: reads what others did.
    Auditor = "AUDITOR";
    /// A checkpoint device.
    Device = "DEVICE";
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u32);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);

    /// The set of these roles.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut rest = roles;
        while let [first, tail @ ..] = rest {
            bits |= 1 << (*first as u32);
            rest = tail;
        }
        Self(bits)
    }

    /// Whether the role is in the set.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << (role as u32)) != 0
    }

    /// Whether the sets share a role.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set with the role added.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | (1 << (role as u32)))
    }

    /// The set without these roles.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The roles of both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The roles that are in both sets.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The roles of the set, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.iter().copied().filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What a person is for one enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// `LegalRepresentative` or `EnterpriseHandler`.
    pub role: Role,
    /// The item kinds for which a handler may act; empty means none. The legal
    /// representative is not limited.
    pub scope: Vec<String>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Nobody signed in.
    Anonymous,
    /// A person of the mini-program.
    Person {
        /// The person.
        person: Id<kind::Person>,
        /// The session that asks.
        session: Id<kind::Session>,
        /// The enterprises for which the person may act now.
        memberships: Vec<Membership>,
        /// Whether the person is a confirmed driver of at least one vehicle.
        drives: bool,
    },
    /// A police or auxiliary officer.
    Officer {
        /// The officer.
        officer: Id<kind::Officer>,
        /// The session that asks.
        session: Id<kind::Session>,
        /// The unit.
        unit: Id<kind::Unit>,
        /// The path of the unit in the tree: the scope is its subtree.
        unit_path: String,
        /// The roles.
        roles: Roles,
    },
    /// A checkpoint device.
    Device {
        /// The device.
        device: Id<kind::Device>,
        /// The session that asks.
        session: Id<kind::Session>,
        /// The checkpoint to which it is bound.
        checkpoint: Id<kind::Checkpoint>,
    },
    /// A job of our own.
    System {
        /// The name of the job.
        job: &'static str,
    },
}

impl Actor {
    /// The roles that POLICY judges.
    #[must_use]
    pub fn roles(&self) -> Roles {
        match self {
            Self::Anonymous | Self::System { .. } => Roles::NONE,
            Self::Person { memberships, drives, .. } => {
                let roles = memberships.iter().map(|membership| membership.role);
                let roles = roles.chain(std::iter::once(Role::Person)).collect::<Roles>();
                if *drives { roles.with(Role::Driver) } else { roles }
            }
            Self::Officer { roles, .. } => *roles,
            Self::Device { .. } => Roles::of(&[Role::Device]),
        }
    }

    /// The text that history, logs and idempotency keep: a resource name, never a person's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Person { person, .. } => person.to_string(),
            Self::Officer { officer, .. } => officer.to_string(),
            Self::Device { device, .. } => device.to_string(),
            Self::System { job } => format!("system/{job}"),
        }
    }

    /// The session that asks.
    #[must_use]
    pub const fn session(&self) -> Option<Id<kind::Session>> {
        match self {
            Self::Person { session, .. }
            | Self::Officer { session, .. }
            | Self::Device { session, .. } => Some(*session),
            Self::Anonymous | Self::System { .. } => None,
        }
    }

    /// The person, for what only a person may do.
    pub fn person(&self) -> Result<Id<kind::Person>, Error> {
        match self {
            Self::Person { person, .. } => Ok(*person),
            _ => Err(Error::new(Reason::Denied)),
        }
    }

    /// The officer, for what only an officer may do.
    pub fn officer(&self) -> Result<Id<kind::Officer>, Error> {
        match self {
            Self::Officer { officer, .. } => Ok(*officer),
            _ => Err(Error::new(Reason::Denied)),
        }
    }

    /// A sworn officer (民警): who may decide. An auxiliary may not (facts.md, D10).
    pub fn sworn(&self) -> Result<Sworn, Error> {
        match self {
            Self::Officer { officer, unit, roles, .. } if !roles.has(Role::Auxiliary) => {
                Ok(Sworn { officer: *officer, unit: *unit })
            }
            _ => Err(Error::new(Reason::Denied)),
        }
    }

    /// Whether the actor may act for the enterprise in matters of this kind.
    #[must_use]
    pub fn acts_for(&self, enterprise: Id<kind::Enterprise>, item: &str) -> bool {
        match self {
            Self::Person { memberships, .. } => memberships.iter().any(|membership| {
                membership.enterprise == enterprise
                    && (membership.role == Role::LegalRepresentative
                        || membership.scope.iter().any(|scope| scope == item))
            }),
            _ => false,
        }
    }

    /// Whether the actor represents the enterprise in law.
    #[must_use]
    pub fn represents(&self, enterprise: Id<kind::Enterprise>) -> bool {
        match self {
            Self::Person { memberships, .. } => memberships.iter().any(|membership| {
                membership.enterprise == enterprise && membership.role == Role::LegalRepresentative
            }),
            _ => false,
        }
    }

    /// What part of the world the actor may see in matters of a kind: of the enterprises only those for
    /// which the actor may act in them.
    #[must_use]
    pub fn scope_of(&self, item: &str) -> Scope {
        let mut scope = self.scope();
        scope.enterprises.retain(|enterprise| self.acts_for(Id::of(*enterprise), item));
        scope
    }

    /// What part of the world the actor may see.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Anonymous => Scope::default(),
            Self::Person { person, memberships, .. } => Scope {
                enterprises: memberships.iter().map(|member| member.enterprise.uuid()).collect(),
                person: Some(person.uuid()),
                ..Scope::default()
            },
            Self::Officer { officer, unit_path, .. } => Scope {
                unit_path: Some(unit_path.clone()),
                officer: Some(officer.uuid()),
                ..Scope::default()
            },
            Self::Device { checkpoint, .. } => {
                Scope { checkpoint: Some(checkpoint.uuid()), ..Scope::default() }
            }
            Self::System { .. } => Scope { all: true, ..Scope::default() },
        }
    }
}

/// Proof that the actor is a sworn officer; decisions ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sworn {
    /// The officer.
    pub officer: Id<kind::Officer>,
    /// The unit.
    pub unit: Id<kind::Unit>,
}

/// What part of the world an actor may see: a required parameter of every read.
///
/// The fields widen: a row is visible when any of them reaches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Everything: our own jobs.
    pub all: bool,
    /// The enterprises for which the actor acts.
    pub enterprises: Vec<Uuid>,
    /// The subtree of police units: a path prefix.
    pub unit_path: Option<String>,
    /// The person: own account, own vehicles driven.
    pub person: Option<Uuid>,
    /// The checkpoint of a device.
    pub checkpoint: Option<Uuid>,
    /// The officer: drafts filed on behalf.
    pub officer: Option<Uuid>,
}

impl Scope {
    /// The name under which the actor files, where a draft is visible to its author alone.
    #[must_use]
    pub fn applicant(&self) -> Option<String> {
        self.officer.map(|officer| Id::<kind::Officer>::of(officer).to_string())
    }

    /// What to answer for an absent row: who sees everything is told that it is absent, anybody
    /// else cannot tell absent from forbidden.
    #[must_use]
    pub fn missing(&self, subject: Subject) -> Error {
        if self.all {
            Error::new(Reason::NotFound).fact("resource", subject)
        } else {
            Error::new(Reason::Denied).fact("resource", subject)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Actor, Role, Roles, Scope};
    use crate::{
        error::Reason,
        id::{Id, kind},
    };

    #[test]
    fn every_role_reads_back_from_its_wire_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_wire(role.wire()), Some(*role));
        }
        assert_eq!(Roles::of(Role::ALL).iter().count(), Role::ALL.len());
    }

    #[test]
    fn an_auxiliary_officer_is_not_sworn() {
        let officer = |roles| Actor::Officer {
            officer: Id::of(uuid::Uuid::nil()),
            session: Id::of(uuid::Uuid::nil()),
            unit: Id::of(uuid::Uuid::nil()),
            unit_path: String::new(),
            roles,
        };
        assert!(officer(Roles::of(&[Role::FirstReviewer])).sworn().is_ok());
        let both = Roles::of(&[Role::FirstReviewer, Role::Auxiliary]);
        assert!(officer(both).sworn().is_err());
    }

    #[test]
    fn absent_and_forbidden_look_the_same_to_a_narrow_scope() {
        let subject = Id::<kind::TruckPass>::of(uuid::Uuid::nil()).subject();
        assert_eq!(Scope::default().missing(subject).reason(), Reason::Denied);
        let all = Scope { all: true, ..Scope::default() };
        assert_eq!(all.missing(subject).reason(), Reason::NotFound);
    }
}
