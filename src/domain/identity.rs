//! Who acts: officers and what proves them, sessions, what keys sign, and what takes two persons.

pub mod officer;
pub mod proposal;
pub mod session;
pub mod signing_key;
pub mod tenure;
