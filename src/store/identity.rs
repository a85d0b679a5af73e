//! Persons, officers, devices, sessions, proofs, units and limits as rows.

pub mod activity;
pub mod actors;
pub mod attempts;
pub mod credentials;
pub mod devices;
pub mod enrolments;
pub mod limits;
pub mod officer_messages;
pub mod officers;
pub mod persons;
pub mod phone_codes;
pub mod proposals;
pub mod sessions;
pub mod signing_keys;
pub mod units;
pub mod unseen_limits;
pub mod unused;
