//! What people are told of every noun, and what they say of it.

pub mod evaluations;
pub mod notices;
