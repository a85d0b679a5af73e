//! What one pass is worth at an instant, and which of several is the most favourable. No zone is
//! asked whether it bans, and no vehicle state is looked at.

use std::cmp::Reverse;

use jiff::{Timestamp, civil::DateTime};

use super::{
    facts::{PassFacts, PassState},
    outcome::CheckOutcome,
};

/// A pass with what stands against it here and now.
pub(super) struct Weighed<'a> {
    pub(super) pass: &'a PassFacts,
    /// Everything that stands against it, weightiest first; empty: it opens the way.
    pub(super) faults: Vec<CheckOutcome>,
}

impl Weighed<'_> {
    /// Whether it opens at least one of the zones: state, period and hour are in order.
    fn opens_one_of(&self, zones: &[u16]) -> bool {
        self.faults.iter().all(|fault| *fault == CheckOutcome::OutOfArea)
            && zones.iter().any(|zone| self.pass.zones.contains(zone))
    }
}

/// Weighs a pass for the zones that ban the vehicle now.
pub(super) fn weigh<'a>(
    pass: &'a PassFacts,
    banned: &[u16],
    now: Timestamp,
    local: DateTime,
) -> Weighed<'a> {
    let mut faults = Vec::new();
    match pass.state {
        PassState::Active => {}
        PassState::Suspended => faults.push(CheckOutcome::Suspended),
        PassState::Withdrawn
        | PassState::Cancelled
        | PassState::Annulled
        | PassState::Penalised
        | PassState::Superseded => faults.push(CheckOutcome::Revoked),
    }
    if now < pass.valid_from {
        faults.push(CheckOutcome::NotStarted);
    }
    if pass.valid_until <= now {
        faults.push(CheckOutcome::Expired);
    }
    if !pass.windows.is_empty() && !pass.windows.iter().any(|window| window.contains(local)) {
        faults.push(CheckOutcome::OutOfTimeWindow);
    }
    if !banned.iter().all(|zone| pass.zones.contains(zone)) {
        faults.push(CheckOutcome::OutOfArea);
    }
    Weighed { pass, faults }
}

/// The most favourable of several passes (QR-17): the fewest and lightest faults, then the latest
/// end, then the smallest id, so that the order of the rows never matters. Where overlapping zones
/// need more than one pass, usable passes complete each other.
pub(super) fn best<'a>(
    passes: impl IntoIterator<Item = &'a PassFacts>,
    banned: &[u16],
    now: Timestamp,
    local: DateTime,
) -> Option<Weighed<'a>> {
    let mut weighed: Vec<_> =
        passes.into_iter().map(|pass| weigh(pass, banned, now, local)).collect();
    let covered = banned.iter().all(|zone| weighed.iter().any(|pass| pass.opens_one_of(&[*zone])));
    if covered {
        for pass in weighed.iter_mut().filter(|pass| pass.opens_one_of(banned)) {
            pass.faults.clear();
        }
    }
    weighed.into_iter().min_by_key(|weighed| {
        let weight: Vec<_> = weighed.faults.iter().map(|fault| rank(*fault)).collect();
        (weight, Reverse(weighed.pass.valid_until), weighed.pass.id)
    })
}

/// How heavy a fault of a pass is: what time mends is light, what was taken away is heavy.
const fn rank(fault: CheckOutcome) -> u8 {
    match fault {
        CheckOutcome::OutOfTimeWindow => 1,
        CheckOutcome::OutOfArea => 2,
        CheckOutcome::NotStarted => 3,
        CheckOutcome::Expired => 4,
        CheckOutcome::Suspended => 5,
        _ => 6,
    }
}
