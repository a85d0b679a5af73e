//! The one integration crate: every test talks to the real server on a database of its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]

mod applications;
mod attachments;
mod cache;
mod calendar;
mod centre;
mod chaos_checker;
mod checks;
mod complaints;
mod conduct_reports;
mod conversations;
mod credentials;
mod enterprises;
mod errors;
mod floors;
mod harness;
mod identity;
mod journey;
mod keys;
mod liaison;
mod line;
mod meetings;
mod notices;
mod obligations;
mod passes;
mod policy;
mod raw;
mod redaction;
mod retention;
mod rooms;
mod schema;
mod server;
mod supervision;
mod talk;
mod webhooks;
mod workers;
