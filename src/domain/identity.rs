//! Who acts: officers and what proves them, sessions, and what takes two persons.

pub mod officer;
pub mod proposal;
pub mod session;
pub mod signing_key;
pub mod tenure;
