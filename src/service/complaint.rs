//! Requests, complaints and their handling.

pub mod complaints;
