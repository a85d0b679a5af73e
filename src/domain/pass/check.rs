//! The verdict at a checkpoint: may this truck pass, here, now? No I/O and no clock, so that the
//! server and the gate reach the same verdict; no verdict is ever kept, only its inputs.
//!
//! There are three verdicts, never merged (QR-16): yes, no, and "it cannot be decided". What is
//! missing (a key, the store, a zone, a vehicle) is never read as yes and never as no.

mod action;
mod facts;
mod judge;
mod outcome;
mod pass;
mod several;

#[cfg(test)]
mod tests;

pub use action::{CheckAction, may_propose_revocation};
pub use facts::{
    CodeClaims, Direction, FORGOTTEN_AFTER, Observation, PassFacts, PassState, PassWindow, SeenBy,
    Source, Why,
};
pub use outcome::{CheckOutcome, Judgement, Verdict};
pub use several::{Ground, Guarded, OfPlate, judge_blind, judge_plate, judge_trucks};
