//! What a read or a step is about, and which item of an authorisation and whose duty covers it.

use super::{Role, Roles};
use crate::named::named;

named! {
/// An item kind of an authorisation: what a handler may do for an enterprise. The legal representative has all
/// of them.
Item {
    /// Passes, the garage and their papers.
    Pass = "PASS", "货车通行证";
    /// The direct line and the centre.
    Liaison = "LIAISON", "警企直通";
    /// Requests and complaints.
    Request = "REQUEST", "诉求";
}
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

impl Matter {
    /// The items of which a handler needs one; `None` means that any membership will do, and an empty list that
    /// the representative alone acts in it.
    pub(super) const fn items(self) -> Option<&'static [Item]> {
        match self {
            Self::Enterprise => None,
            Self::Garage | Self::Application | Self::Paper | Self::Pass => Some(&[Item::Pass]),
            Self::Care | Self::Centre | Self::Post => Some(&[Item::Liaison]),
            Self::Request => Some(&[Item::Request]),
            Self::Meeting => Some(&[Item::Liaison, Item::Request]),
            // Where a truck was seen is the police's own knowledge.
            Self::Whereabouts => Some(&[]),
        }
    }

    /// The roles whose duty covers the matter in all of their units.
    pub(super) const fn duty(self) -> Roles {
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
    pub(super) const fn by_post(self) -> bool {
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
