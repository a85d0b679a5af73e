//! What keeps an officer from investigating a report (回避). How a tie is found is the store's.

use crate::named::named;

/// What binds an officer to a report: each tie alone keeps the officer from investigating it (回避;
/// facts.md, 4.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one tie of the rule, found by itself")]
pub struct Ties {
    /// Is no inspector, or is an auxiliary, or has no access any more.
    pub unfit: bool,
    /// Is accused.
    pub accused: bool,
    /// Is of an accused unit, or of one below it.
    pub of_accused_unit: bool,
    /// Leads a unit above an accused one.
    pub leads_above: bool,
    /// Handled the matter that the report is about.
    pub handled_matter: bool,
    /// Declared an interest.
    pub declared: bool,
    /// Investigated it before.
    pub investigated: bool,
    /// Assigned it before.
    pub assigned: bool,
    /// Is the liaison officer of the reporter's enterprise, or of the matter's.
    pub liaison: bool,
    /// Stands neither above every accused unit nor in the inspectorate.
    pub below: bool,
}

named! {
/// Why an officer may not investigate.
Conflict {
    /// Cannot investigate at all.
    Unfit = "UNFIT", "不具备调查资格";
    /// Is accused.
    Accused = "ACCUSED", "被举报人";
    /// Is of the accused unit.
    AccusedUnit = "ACCUSED_UNIT", "被举报单位人员";
    /// Leads above the accused unit.
    Leadership = "LEADERSHIP", "被举报单位的上级负责人";
    /// Handled the original matter.
    OriginalMatter = "ORIGINAL_MATTER", "原事项经办人";
    /// Declared an interest, or gave it back.
    DeclaredInterest = "DECLARED_INTEREST", "已声明回避";
    /// Chose who investigated it before.
    Assigned = "ASSIGNED", "曾交办该举报";
    /// Serves the enterprise.
    LiaisonOfficer = "LIAISON_OFFICER", "企业的警务专员";
    /// Stands too low.
    Level = "LEVEL", "层级不足";
}
}

impl Ties {
    /// The first conflict; `None` where the officer may investigate.
    #[must_use]
    pub fn conflict(&self) -> Option<Conflict> {
        [
            (self.unfit, Conflict::Unfit),
            (self.accused, Conflict::Accused),
            (self.of_accused_unit, Conflict::AccusedUnit),
            (self.leads_above, Conflict::Leadership),
            (self.handled_matter, Conflict::OriginalMatter),
            (self.declared || self.investigated, Conflict::DeclaredInterest),
            (self.assigned, Conflict::Assigned),
            (self.liaison, Conflict::LiaisonOfficer),
            (self.below, Conflict::Level),
        ]
        .into_iter()
        .find_map(|(bound, conflict)| bound.then_some(conflict))
    }
}

#[cfg(test)]
mod tests {
    use super::{Conflict, Ties};

    #[test]
    fn each_tie_alone_keeps_an_officer_away() {
        let free = Ties::default();
        assert_eq!(free.conflict(), None);
        for (ties, conflict) in [
            (Ties { unfit: true, ..free }, Conflict::Unfit),
            (Ties { accused: true, ..free }, Conflict::Accused),
            (Ties { of_accused_unit: true, ..free }, Conflict::AccusedUnit),
            (Ties { leads_above: true, ..free }, Conflict::Leadership),
            (Ties { handled_matter: true, ..free }, Conflict::OriginalMatter),
            (Ties { declared: true, ..free }, Conflict::DeclaredInterest),
            (Ties { investigated: true, ..free }, Conflict::DeclaredInterest),
            (Ties { assigned: true, ..free }, Conflict::Assigned),
            (Ties { liaison: true, ..free }, Conflict::LiaisonOfficer),
            (Ties { below: true, ..free }, Conflict::Level),
        ] {
            assert_eq!(ties.conflict(), Some(conflict));
        }
    }
}
