//! A meeting booked at the service centre (警企服务中心) and its drawing. Places are counted by the
//! store.

use jiff::Timestamp;

use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::Follow,
            lifecycle::{Change, Held, Moved, Note, State},
        },
        duty::{calendar::Limit, obligation::ObligationKind},
    },
    error::Result,
    id::{Id, kind},
    named::named,
};

/// A booking is confirmed within so long (facts.md, 5.1 row 18).
pub const CONFIRM_WITHIN: Limit = Limit::WorkingHours(4);

named! {
/// Where a booking stands.
BookingState {
    /// Asked for; the place is held.
    Requested = "REQUESTED", "待确认";
    /// Confirmed.
    Confirmed = "CONFIRMED", "已确认";
    /// It took place.
    Done = "DONE", "已完成";
    /// The place was given back.
    Cancelled = "CANCELLED", "已取消";
}
}

named! {
/// What can be done to a booking.
BookingAction, readers: Readers {
    /// By an officer of the unit.
    Confirm = "CONFIRM", "确认", Everybody;
    /// By either side.
    Cancel = "CANCEL", "取消", Everybody;
    /// By an officer of the unit.
    Complete = "COMPLETE", "完成", Everybody;
}
}

impl State for BookingState {
    type Action = BookingAction;
    const FIRST: Self = Self::Requested;
    const BEGINS: &'static [Follow] = &[Follow::Owe(ObligationKind::ConfirmCentreBooking)];

    fn after(self, action: BookingAction) -> Option<Self> {
        Some(match (self, action) {
            (Self::Requested, BookingAction::Confirm) => Self::Confirmed,
            (Self::Confirmed, BookingAction::Complete) => Self::Done,
            (Self::Requested | Self::Confirmed, BookingAction::Cancel) => Self::Cancelled,
            _ => return None,
        })
    }

    fn follows(action: BookingAction) -> &'static [Follow] {
        const CONFIRMATION: ObligationKind = ObligationKind::ConfirmCentreBooking;
        match action {
            BookingAction::Confirm => &[Follow::Meet(CONFIRMATION)],
            BookingAction::Complete => &[Follow::Invite],
            BookingAction::Cancel => &[Follow::VoidAll],
        }
    }
}

/// A booking.
#[derive(Debug, Clone)]
pub struct Booking {
    /// Its id.
    pub id: Id<kind::CentreBooking>,
    /// Of which time.
    pub slot: Id<kind::CentreSlot>,
    /// Who comes.
    pub enterprise: Id<kind::Enterprise>,
    /// The path of the unit whose time it is.
    pub unit_path: String,
    /// What it is about.
    pub subject: String,
    /// Until when the confirmation is promised.
    pub confirm_due_time: Option<Timestamp>,
    /// When it was booked.
    pub create_time: Timestamp,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<BookingState>,
}

impl Booking {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> BookingState {
        self.held.state()
    }

    /// Asks for a place.
    pub fn request(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) = Change::begin(BookingState::Requested, Deed::Create, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// Takes a step.
    pub fn act(mut self, action: BookingAction, note: String, cx: &Cx) -> Result<Moved<Self>> {
        let (held, change) = self.state().advance(action, Note::public(note), cx)?;
        self.held = held;
        Ok(Moved::new(self, change))
    }
}

#[cfg(test)]
mod tests {
    use super::BookingState;
    use crate::domain::common::lifecycle::drawing;

    #[test]
    fn the_drawing_of_a_booking() {
        insta::assert_snapshot!(drawing::<BookingState>());
    }
}
