//! The working-day calendar and whether somebody looks after what is owed.

pub mod calendars;
