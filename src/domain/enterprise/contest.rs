//! What an enterprise says of a vehicle that stands in another's garage, and its drawing. Until an
//! officer decides, nothing is taken from the holder.

use jiff::Timestamp;

use super::vehicle::VehicleForm;
use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::{Follow, To},
            lifecycle::{Change, Held, Moved, Note, State},
            notice::NoticeEvent,
        },
        pass::policy::AttachmentKind,
    },
    error::{Error, Flaw, Result},
    id::{Id, kind},
    named::named,
};

/// The paper without which nothing is contested.
pub const PROOF: AttachmentKind = AttachmentKind::VehicleLicence;

named! {
/// Where a contest stands.
ContestState {
    /// An officer will decide.
    Open = "OPEN", "待核实";
    /// The vehicle left the holder's garage.
    Upheld = "UPHELD", "已采纳";
    /// It stays where it is, or went to somebody else.
    Dismissed = "DISMISSED", "未采纳";
    /// By who filed it.
    Withdrawn = "WITHDRAWN", "已撤回";
}
}

named! {
/// What can be done to a contest.
ContestAction, readers: Readers {
    /// The vehicle is moved, or leaves the garage.
    Uphold = "UPHOLD", "采纳", Everybody;
    /// By an officer.
    Dismiss = "DISMISS", "不予采纳", Everybody;
    /// By the enterprise that filed it.
    Withdraw = "WITHDRAW", "撤回", Everybody;
}
}

named! {
/// Why an officer takes a vehicle out of a garage, or leaves it there.
VehicleRuling {
    /// The papers name another owner.
    NotHolders = "NOT_HOLDERS", "车辆不属于原登记企业";
    /// It was sold, and registered again.
    Transferred = "TRANSFERRED", "车辆已转移登记";
    /// It exists no more.
    Scrapped = "SCRAPPED", "车辆已报废或注销登记";
    /// It was registered with false papers.
    FalsePapers = "FALSE_PAPERS", "以虚假材料登记";
    /// The holder's enterprise is no more, or never was.
    EnterpriseAnnulled = "ENTERPRISE_ANNULLED", "原登记企业的核验已撤销";
    /// The papers prove nothing.
    NotProven = "NOT_PROVEN", "材料不能证明车辆归属";
    /// The holder's papers prove it.
    HolderProven = "HOLDER_PROVEN", "原登记企业已证明车辆归属";
    /// Somebody else's papers prove it.
    OtherProven = "OTHER_PROVEN", "车辆已移交另一提出异议的企业";
}
}

impl VehicleRuling {
    /// Whether it is a reason for the action.
    #[must_use]
    pub const fn fits(self, action: ContestAction) -> bool {
        match action {
            ContestAction::Uphold => matches!(
                self,
                Self::NotHolders
                    | Self::Transferred
                    | Self::Scrapped
                    | Self::FalsePapers
                    | Self::EnterpriseAnnulled
            ),
            ContestAction::Dismiss => {
                matches!(self, Self::NotProven | Self::HolderProven | Self::OtherProven)
            }
            ContestAction::Withdraw => false,
        }
    }
}

impl State for ContestState {
    type Action = ContestAction;
    const FIRST: Self = Self::Open;
    const BEGINS: &'static [Follow] = &[Follow::Tell(NoticeEvent::VehicleContested, To::Holder)];

    fn after(self, action: ContestAction) -> Option<Self> {
        Some(match (self, action) {
            (Self::Open, ContestAction::Uphold) => Self::Upheld,
            (Self::Open, ContestAction::Dismiss) => Self::Dismissed,
            (Self::Open, ContestAction::Withdraw) => Self::Withdrawn,
            _ => return None,
        })
    }

    fn follows(action: ContestAction) -> &'static [Follow] {
        match action {
            ContestAction::Dismiss => {
                &[Follow::Tell(NoticeEvent::VehicleContestDismissed, To::Enterprise)]
            }
            // Whether the vehicle came to who filed it, or went away, is said with the step.
            ContestAction::Uphold | ContestAction::Withdraw => &[],
        }
    }
}

/// A contest.
#[derive(Debug, Clone)]
pub struct Contest {
    /// Its id.
    pub id: Id<kind::VehicleContest>,
    /// The vehicle in the holder's garage.
    pub vehicle: Id<kind::Vehicle>,
    /// Who says that it is theirs.
    pub enterprise: Id<kind::Enterprise>,
    /// Who filed it: a resource name.
    pub filed_by: String,
    /// The plate.
    pub plate_number: String,
    /// The plate type.
    pub plate_type: String,
    /// The licence as the enterprise typed it.
    pub licence: VehicleForm,
    /// What it says.
    pub statement: String,
    /// The papers.
    pub attachments: Vec<Id<kind::Attachment>>,
    /// Why it was decided so.
    pub reason: Option<VehicleRuling>,
    /// What was said about that.
    pub reason_note: String,
    /// When it was filed.
    pub create_time: Timestamp,
    /// When it was decided.
    pub decide_time: Option<Timestamp>,
    /// Rises with each write.
    pub version: i64,
    /// The stored state.
    pub held: Held<ContestState>,
}

impl Contest {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ContestState {
        self.held.state()
    }

    /// Files it.
    pub fn file(self, cx: &Cx) -> Moved<Self> {
        let (_, change) = Change::begin(self.state(), Deed::File, Note::none(), cx);
        Moved::new(self, change)
    }

    /// Upholds it: the vehicle comes into the garage of who filed it.
    pub fn receive(self, reason: VehicleRuling, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let moved = self.decide(ContestAction::Uphold, reason, note, cx)?;
        Ok(moved.and([Follow::Tell(NoticeEvent::VehicleReceived, To::Enterprise)]))
    }

    /// Says that the vehicle left the garage: by an officer's ruling, or by the holder's own act.
    pub fn release(
        self,
        ruling: Option<VehicleRuling>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let moved = match ruling {
            Some(ruling) => self.decide(ContestAction::Uphold, ruling, note, cx)?,
            None => self.step(ContestAction::Uphold, None, note, cx)?,
        };
        Ok(moved.and([Follow::Tell(NoticeEvent::VehicleReleased, To::Enterprise)]))
    }

    /// Dismisses it.
    pub fn dismiss(self, reason: VehicleRuling, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.decide(ContestAction::Dismiss, reason, note, cx)
    }

    /// Decides it, with a reason of the action.
    fn decide(
        self,
        action: ContestAction,
        reason: VehicleRuling,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        cx.actor.sworn()?;
        if !reason.fits(action) {
            return Err(Error::field("reason_code", Flaw::NotAllowed));
        }
        self.step(action, Some(reason), note, cx)
    }

    /// Takes it back.
    pub fn withdraw(self, cx: &Cx) -> Result<Moved<Self>> {
        self.step(ContestAction::Withdraw, None, String::new(), cx)
    }

    fn step(
        mut self,
        action: ContestAction,
        reason: Option<VehicleRuling>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let mut said = Note::public(note.clone());
        said.reason = reason.map(VehicleRuling::wire);
        let (held, change) = self.state().advance(action, said, cx)?;
        self.held = held;
        self.reason = reason;
        self.reason_note = note;
        self.decide_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }
}

#[cfg(test)]
mod tests {
    use super::{ContestAction, ContestState, VehicleRuling};
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_a_contest() {
        insta::assert_snapshot!(drawing::<ContestState>(), @r"
        --> OPEN | tell HOLDER VEHICLE_CONTESTED
        OPEN --UPHOLD--> UPHELD
        OPEN --DISMISS--> DISMISSED | tell ENTERPRISE VEHICLE_CONTEST_DISMISSED
        OPEN --WITHDRAW--> WITHDRAWN
        ");
    }

    #[test]
    fn every_ruling_is_a_reason_of_one_act() {
        for ruling in VehicleRuling::ALL {
            let fitting = ContestAction::ALL.iter().filter(|action| ruling.fits(**action));
            assert_eq!(fitting.count(), 1, "{ruling:?}");
        }
    }
}
