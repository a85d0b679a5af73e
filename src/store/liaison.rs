//! The direct line: posts, conversations, messages, visits, places at the centre and problems as rows.

pub mod bindings;
pub mod bookings;
pub mod canned_replies;
pub mod content_accesses;
pub mod conversation_notes;
pub mod conversations;
pub mod liaison_posts;
pub mod messages;
pub mod participants;
pub mod problems;
pub mod visits;
pub mod wakeups;
