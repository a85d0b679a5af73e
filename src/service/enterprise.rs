//! Enterprises and what belongs to them.

pub mod enterprises;
