//! The verdict at a checkpoint: may this truck pass, here, now? No I/O and no clock, so that the
//! server and the gate reach the same verdict; no verdict is ever kept, only its inputs.
//!
//! There are three verdicts, never merged (QR-16): yes, no, and "it cannot be decided". What is
//! missing (a key, the store, a zone, a vehicle) is never read as yes and never as no.

mod facts;
mod judge;
mod outcome;
mod pass;

#[cfg(test)]
mod tests;

pub use facts::{
    CheckFacts, CodeClaims, CodeFault, Direction, Freshness, Known, Observation, PassFacts,
    PassState, PassWindow, Source, Why,
};
pub use judge::judge;
pub use outcome::{CheckOutcome, Judgement, Verdict};
