//! The one integration crate: every test talks to the real server on a database of its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]
#![allow(
    clippy::large_futures,
    clippy::match_same_arms,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    reason = "a world is laid out in one place, and a table is read line by line"
)]

mod abandoned;
mod applications;
mod attachments;
mod cache;
mod calendar;
mod centre;
mod chaos_checker;
mod checks;
mod claims;
mod complaints;
mod conduct_reports;
mod contests;
mod conversations;
mod credentials;
mod crowds;
mod decisions;
mod enterprises;
mod errors;
mod floods;
mod floors;
mod forgeries;
mod harness;
mod honest;
mod identity;
mod journey;
mod keys;
mod latency;
mod liaison;
mod line;
mod malformed;
mod meetings;
mod notices;
mod obligations;
mod passes;
mod pieces;
mod policy;
mod proposals;
mod raw;
mod redaction;
mod redaction_reach;
mod relations;
mod retention;
mod rooms;
mod schema;
mod server;
mod stale_judge;
mod supervision;
mod talk;
mod texts;
mod trust;
mod webhooks;
mod workers;
