//! The rules of the city's police services: pure. No I/O, no async, no clock, no randomness.

pub mod application;
pub mod attachment;
pub mod blacklist;
pub mod calendar;
pub mod check;
pub mod codes;
pub mod conversation;
pub mod enterprise;
pub mod export;
pub mod liaison;
pub mod lifecycle;
pub mod message;
pub mod month;
pub mod number;
pub mod obligation;
pub mod officer;
pub mod pass;
pub mod pass_code;
pub mod policy;
pub mod qr;
pub mod session;
pub mod tenure;
pub mod vehicle;
pub mod words;
pub mod zone;
