//! Enterprises, who acts for them, their garage and their papers as rows.

pub mod attachments;
pub mod claims;
pub mod class_grants;
pub mod drivers;
pub mod enterprises;
pub mod members;
pub mod pieces;
pub mod vehicle_contests;
pub mod vehicles;
