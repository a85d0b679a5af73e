//! Who asks: persons, officers, devices, the system; their roles and what part of the world they see.

use uuid::Uuid;

use crate::{
    error::{Error, Reason},
    id::{Id, Subject, kind},
    named::named,
};

named! {
/// A role of facts.md, section 7. POLICY names the roles that may call a method.
Role {
    /// Anybody who signed in with WeChat, bound to nothing yet.
    Person = "PERSON", "个人";
    /// 驾驶人: a person who drives a vehicle of an enterprise.
    Driver = "DRIVER", "驾驶人";
    /// 经办人: acts for an enterprise within the granted scope, until the end date.
    EnterpriseHandler = "ENTERPRISE_HANDLER", "经办人";
    /// 法定代表人: binds the enterprise and appoints its handlers.
    LegalRepresentative = "LEGAL_REPRESENTATIVE", "法定代表人";
    /// Window clerk: accepts and hands over, never decides.
    WindowClerk = "WINDOW_CLERK", "窗口人员";
    /// 民警 of the brigade: first review.
    FirstReviewer = "FIRST_REVIEWER", "初审民警";
    /// 民警 of the detachment: final review.
    FinalReviewer = "FINAL_REVIEWER", "终审民警";
    /// Scans, records, proposes a revocation.
    CheckpointOfficer = "CHECKPOINT_OFFICER", "执勤民警";
    /// 辅警: scans and records, never decides.
    Auxiliary = "AUXILIARY", "辅警";
    /// 警务专员: serves the enterprises of the post.
    LiaisonOfficer = "LIAISON_OFFICER", "警务专员";
    /// 单位负责人: liaison posts, their rosters and whom they serve; supervision in the unit.
    UnitLeader = "UNIT_LEADER", "单位负责人";
    /// 交办: takes complaints in, assigns them, judges the feedback.
    Assigner = "ASSIGNER", "交办人员";
    /// 承办: handles complaints and answers them.
    Handler = "HANDLER", "承办人员";
    /// 督察: supervision and conduct reports.
    Inspector = "INSPECTOR", "督察";
    /// System administrator: units, officers, devices.
    SystemAdministrator = "SYSTEM_ADMINISTRATOR", "系统管理员";
    /// Security administrator: keys, locks, sessions.
    SecurityAdministrator = "SECURITY_ADMINISTRATOR", "安全管理员";
    /// Auditor: reads what others did.
    Auditor = "AUDITOR", "审计管理员";
    /// A checkpoint device.
    Device = "DEVICE", "查验终端";
}
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

/// What a read or a step is about. It decides which item of an authorisation a handler needs, and
/// which roles of the police have it as their duty in the whole of their units (facts.md, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// The enterprise itself: who it is, who belongs to it.
    Enterprise,
    /// Vehicles and their drivers.
    Garage,
    /// Applications for passes.
    Application,
    /// Papers, which ask for more than the matter: see `store::attachments`.
    Paper,
    /// Passes.
    Pass,
    /// Visits and problems of enterprises.
    Care,
    /// Bookings at the centre, which its own desk sees whoever serves the enterprise.
    Centre,
    /// Liaison posts and whom they serve.
    Post,
    /// Requests and complaints.
    Request,
    /// Joint meetings and what is on their lists.
    Meeting,
    /// Where and when trucks were checked.
    Whereabouts,
}

/// The item of an authorisation that passes, garage and their papers need.
pub const PASS: &str = "PASS";
/// The item that the direct line and the centre need.
pub const LIAISON: &str = "LIAISON";
/// The item that requests and complaints need.
pub const REQUEST: &str = "REQUEST";

impl Matter {
    /// The items of which a handler needs one; none means that any membership will do.
    const fn items(self) -> &'static [&'static str] {
        match self {
            Self::Enterprise => &[],
            Self::Garage | Self::Application | Self::Paper | Self::Pass => &[PASS],
            Self::Care | Self::Centre | Self::Post => &[LIAISON],
            Self::Request => &[REQUEST],
            Self::Meeting => &[LIAISON, REQUEST],
            // Where a truck was seen is the police's own knowledge.
            Self::Whereabouts => &["WHEREABOUTS"],
        }
    }

    /// The roles whose duty covers the matter in all of their units.
    const fn duty(self) -> Roles {
        use Role::{
            Assigner, CheckpointOfficer, FinalReviewer, FirstReviewer, Handler, Inspector,
            LiaisonOfficer, UnitLeader, WindowClerk,
        };
        match self {
            Self::Enterprise | Self::Garage | Self::Application => {
                Roles::of(&[WindowClerk, FirstReviewer, FinalReviewer])
            }
            Self::Pass => {
                Roles::of(&[WindowClerk, FirstReviewer, FinalReviewer, CheckpointOfficer])
            }
            // A paper is read for the application or complaint that one works on.
            Self::Paper => Roles::NONE,
            Self::Care => Roles::of(&[UnitLeader]),
            Self::Centre => Roles::of(&[LiaisonOfficer, UnitLeader]),
            Self::Post => Roles::of(&[LiaisonOfficer, UnitLeader, Inspector]),
            Self::Request => Roles::of(&[Assigner, UnitLeader]),
            Self::Meeting => Roles::of(&[LiaisonOfficer, Assigner, Handler, UnitLeader]),
            Self::Whereabouts => Roles::of(&[CheckpointOfficer]),
        }
    }

    /// Whether the officers of a post have it as their duty for the enterprises that the post serves.
    const fn by_post(self) -> bool {
        matches!(
            self,
            Self::Enterprise
                | Self::Garage
                | Self::Application
                | Self::Paper
                | Self::Pass
                | Self::Care
                | Self::Centre
        )
    }
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

    /// What part of the world the actor may act in, in this matter: of enterprises those for which
    /// the actor may act in it, of the police's what is the duty of the actor's roles.
    #[must_use]
    pub fn scope_of(&self, matter: Matter) -> Scope {
        let mut scope = self.scope();
        let items = matter.items();
        scope.enterprises.retain(|enterprise| {
            items.is_empty() || items.iter().any(|item| self.acts_for(Id::of(*enterprise), item))
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
    /// The officer: drafts filed on behalf, what one works on.
    pub officer: Option<Uuid>,
    /// The officer whose posts serve enterprises: those are visible too.
    pub serving: Option<Uuid>,
    /// The unit whose assigned complaints the officer handles.
    pub unit: Option<Uuid>,
    /// The whole reach of the officer's unit, whatever of it is visible: the walks along sights
    /// begin there, and narrow further.
    pub reach: Option<String>,
    /// Nobody but the actor says what the actor may see.
    made_here: (),
}

impl Scope {
    /// Everything, where the product reads for itself and not for whoever asks: whoever writes it says why.
    #[must_use]
    pub fn everything(_why: &'static str) -> Self {
        Self { all: true, ..Self::default() }
    }

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
            opened: Vec::new(),
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
