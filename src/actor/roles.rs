//! The roles, and sets of them. What a role may do is not known here.

use crate::named::named;

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

#[cfg(test)]
mod tests {
    use super::{Role, Roles};

    #[test]
    fn every_role_reads_back_from_its_wire_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_wire(role.wire()), Some(*role));
        }
        assert_eq!(Roles::of(Role::ALL).iter().count(), Role::ALL.len());
    }
}
