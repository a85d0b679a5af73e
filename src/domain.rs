//! The rules of the city's police services: pure. No I/O, no async, no clock, no randomness.

pub mod codes;
pub mod common;
pub mod complaint;
pub mod conduct;
pub mod duty;
pub mod enterprise;
pub mod identity;
pub mod liaison;
pub mod pass;
