//! What is owed, until when, and who is told when it is late: the calendar, clocks, the ladder.

pub mod calendar;
pub mod escalation;
pub mod month;
pub mod obligation;
