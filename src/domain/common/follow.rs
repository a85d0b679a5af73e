//! What follows from a step, as data: clocks that begin, end, stand still or move, who is told, who is asked or
//! referred to. A drawing names it beside the step, so that no handler can forget it; the store carries it out with the
//! step. No clock is counted here, and no row is written.

use std::fmt;

use super::notice::NoticeEvent;
use crate::{
    domain::duty::{calendar::Due, obligation::ObligationKind},
    named::named,
};

named! {
/// Who is told of a step, as the noun knows them.
To {
    /// Whose matter it is.
    Enterprise = "ENTERPRISE", "当事企业";
    /// Who holds what another one contests.
    Holder = "HOLDER", "原登记企业";
    /// Who drives the vehicle and is not told with the enterprise.
    Drivers = "DRIVERS", "驾驶人";
    /// Who acts for the enterprise, and who claimed it.
    People = "PEOPLE", "企业人员";
    /// Who takes in and assigns what the unit receives.
    Desk = "DESK", "受理岗";
    /// Who assigned it; where nobody did or does any more, the desk.
    Assigner = "ASSIGNER", "交办人";
    /// The handlers of the unit that leads.
    Lead = "LEAD", "主办单位";
    /// Who handles it; where nobody does, nobody.
    Handler = "HANDLER", "承办人";
    /// Who handles it; where nobody does, the leader of the unit that leads.
    HandlerOrLeader = "HANDLER_OR_LEADER", "承办人或单位负责人";
    /// Who owes the next step.
    Owing = "OWING", "下一步责任人";
    /// Who proposed it.
    Maker = "MAKER", "经办人";
    /// Whoever may confirm it.
    Checkers = "CHECKERS", "复核人";
    /// The officer whom it is about.
    Officer = "OFFICER", "所涉民警";
}
}

/// One thing that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// Somebody owes something from now on, within the limits that the noun names.
    Owe(ObligationKind),
    /// Somebody owes something until an instant that somebody named.
    OweUntil(ObligationKind, Due),
    /// The same, in the place of a promise that stands: it may be put off once.
    Promise(ObligationKind, Due),
    /// What was owed is done.
    Meet(ObligationKind),
    /// What was done does not count: it is owed on, until the same instant.
    Unmeet(ObligationKind),
    /// What was owed is owed no longer.
    Void(ObligationKind),
    /// Nothing is owed any longer: its life has ended.
    VoidAll,
    /// The clock stands still (I19).
    Pause(ObligationKind),
    /// The clock goes on, later by what it stood still.
    Resume(ObligationKind),
    /// The clock ends later by so many working days.
    Extend(ObligationKind, u32),
    /// Another unit owes it now.
    HandOver(ObligationKind),
    /// What was asked for and is not decided lapses, with this note.
    Lapse(&'static str),
    /// Somebody is told.
    Tell(NoticeEvent, To),
    /// The enterprise is asked how it was (measure 19).
    Invite,
    /// A joint meeting takes it up (measure 19).
    Refer,
    /// No joint meeting needs to take it up any more.
    Recall,
}

impl Follow {
    /// Whether it moves a clock, which is counted by the calendar.
    #[must_use]
    pub const fn is_clock(&self) -> bool {
        !matches!(self, Self::Tell(..) | Self::Lapse(_) | Self::Invite | Self::Refer | Self::Recall)
    }
}

impl fmt::Display for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owe(kind) => write!(f, "owe {}", kind.wire()),
            Self::OweUntil(kind, _) => write!(f, "owe {} until a day", kind.wire()),
            Self::Promise(kind, _) => write!(f, "promise {} anew", kind.wire()),
            Self::Meet(kind) => write!(f, "meet {}", kind.wire()),
            Self::Unmeet(kind) => write!(f, "unmeet {}", kind.wire()),
            Self::Void(kind) => write!(f, "void {}", kind.wire()),
            Self::VoidAll => f.write_str("void all"),
            Self::Pause(kind) => write!(f, "pause {}", kind.wire()),
            Self::Resume(kind) => write!(f, "resume {}", kind.wire()),
            Self::Extend(kind, _) => write!(f, "extend {}", kind.wire()),
            Self::HandOver(kind) => write!(f, "hand over {}", kind.wire()),
            Self::Lapse(_) => f.write_str("lapse what was asked for"),
            Self::Tell(event, to) => write!(f, "tell {} {}", to.wire(), event.wire()),
            Self::Invite => f.write_str("ask the enterprise"),
            Self::Refer => f.write_str("refer to a joint meeting"),
            Self::Recall => f.write_str("recall from the joint meeting"),
        }
    }
}
