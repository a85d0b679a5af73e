//! Who asks: persons, officers, devices, the system; their roles and what part of the world they see.

mod matter;
mod roles;
mod scope;

pub use matter::{Item, Matter};
pub use roles::{Role, Roles};
pub use scope::Scope;

use crate::{
    error::{Error, Reason},
    id::{Id, kind},
};

/// What a person is for one enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The enterprise.
    pub enterprise: Id<kind::Enterprise>,
    /// `LegalRepresentative` or `EnterpriseHandler`.
    pub role: Role,
    /// The item kinds for which a handler may act; empty means none. The legal
    /// representative is not limited.
    pub scope: Vec<Item>,
}

/// A file of the police that an officer opened for a while, with a reason that was recorded first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// What is known of one enterprise.
    Enterprise(Id<kind::Enterprise>),
    /// What is known in a unit, by the path that reaches it: the inspectorate's.
    Unit(String),
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
        /// What was opened with a reason, and is open still.
        opened: Vec<Opened>,
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
    pub fn acts_for(&self, enterprise: Id<kind::Enterprise>, item: Item) -> bool {
        match self {
            Self::Person { memberships, .. } => memberships.iter().any(|membership| {
                membership.enterprise == enterprise
                    && (membership.role == Role::LegalRepresentative
                        || membership.scope.contains(&item))
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

    /// What part of the world the actor may act in, in this matter: of enterprises those for which
    /// the actor may act in it, of the police's what is the duty of the actor's roles.
    #[must_use]
    pub fn scope_of(&self, matter: Matter) -> Scope {
        let mut scope = self.scope();
        let items = matter.items();
        scope.enterprises.retain(|enterprise| {
            let enterprise = Id::of(*enterprise);
            items.is_none_or(|items| {
                self.represents(enterprise)
                    || items.iter().any(|item| self.acts_for(enterprise, *item))
            })
        });
        if let Self::Officer { officer, roles, .. } = self {
            scope.unit_path = scope.unit_path.filter(|_| roles.meets(matter.duty()));
            let posted = matter.by_post() && roles.has(Role::LiaisonOfficer);
            scope.serving = posted.then(|| officer.uuid());
        }
        scope
    }

    /// What part of the world the actor may see in this matter: what the actor may act in, and what
    /// was opened with a reason.
    #[must_use]
    pub fn sight_of(&self, matter: Matter) -> Scope {
        let mut scope = self.scope_of(matter);
        for opened in self.opened() {
            match opened {
                Opened::Enterprise(enterprise) => scope.enterprises.push(enterprise.uuid()),
                Opened::Unit(path) if scope.unit_path.is_none() => {
                    scope.unit_path = Some(path.clone());
                }
                Opened::Unit(_) => {}
            }
        }
        scope
    }

    /// What an officer opened with a reason.
    #[must_use]
    pub fn opened(&self) -> &[Opened] {
        match self {
            Self::Officer { opened, .. } => opened,
            _ => &[],
        }
    }

    /// What part of the world the actor may see where no matter narrows it: of the organisation, and
    /// of what is judged by taking part.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::Anonymous => Scope::default(),
            Self::Person { person, memberships, .. } => Scope {
                enterprises: memberships.iter().map(|member| member.enterprise.uuid()).collect(),
                person: Some(person.uuid()),
                ..Scope::default()
            },
            Self::Officer { officer, unit, unit_path, roles, .. } => Scope {
                unit_path: Some(unit_path.clone()),
                reach: Some(unit_path.clone()),
                unit: roles.has(Role::Handler).then(|| unit.uuid()),
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

#[cfg(test)]
mod tests {
    use super::{Actor, Role, Roles};
    use crate::id::Id;

    #[test]
    fn an_auxiliary_officer_is_not_sworn() {
        let officer = |roles| Actor::Officer {
            officer: Id::of(uuid::Uuid::nil()),
            session: Id::of(uuid::Uuid::nil()),
            unit: Id::of(uuid::Uuid::nil()),
            unit_path: String::new(),
            roles,
            opened: Vec::new(),
        };
        assert!(officer(Roles::of(&[Role::FirstReviewer])).sworn().is_ok());
        let both = Roles::of(&[Role::FirstReviewer, Role::Auxiliary]);
        assert!(officer(both).sworn().is_err());
    }
}
