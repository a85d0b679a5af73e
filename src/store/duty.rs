//! Calendars, clocks and the ladder as rows.

pub mod calendars;
pub mod escalations;
pub mod obligations;
