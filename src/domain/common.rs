//! What every noun may need and what knows no noun: drawings and their records, notices, numbers, evaluations.

pub mod deed;
pub mod evaluation;
pub mod extension;
pub mod follow;
pub mod keeping;
pub mod lifecycle;
pub mod notice;
pub mod number;
pub mod webhook;
pub mod windows;
