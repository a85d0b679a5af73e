//! The protocol of a revocation, searched whole: every order of its steps with the faults of each case, and
//! the same with each part taken out, which must be found. A crate of its own, because a search that is not
//! optimised takes twenty times as long. Its tests are the small cases; everything takes minutes, and
//! gigabytes of memory:
//!
//! ```sh
//! cargo run --release -p revocation            # everything
//! cargo run --release -p revocation -- cut     # the cases with this in their name
//! ```

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]
#![expect(clippy::indexing_slicing, reason = "a model is bounded, and a failing search may panic")]

mod cases;
mod model;

use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let only = std::env::args().nth(1);
    let held = [cases::whole(), cases::full()].concat().into_iter().map(|case| (true, case));
    let broken = cases::mutants().into_iter().map(|case| (false, case));
    let mut right = true;
    for (holds, (name, case)) in held.chain(broken) {
        if only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        let began = Instant::now();
        let found = cases::search(case);
        let told = match &found.violation {
            None => "holds".to_owned(),
            Some(steps) => format!("fails in {} steps: {steps:?}", steps.len()),
        };
        let seconds = began.elapsed().as_secs_f64();
        println!("{name}: {} states, {seconds:.1} s: {told}", found.states);
        right &= holds == found.violation.is_none() && (found.told || !holds);
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::cases;

    // I1: within these bounds no order of steps leads to a check that tells what was true before a change
    // that had been answered.
    #[test]
    fn no_order_of_steps_tells_an_older_fact() {
        for (name, case) in cases::whole() {
            let found = cases::search(case);
            assert!(found.violation.is_none(), "{name}: {:?}", found.violation);
            assert!(found.told, "{name}: no check was told of a change by the cache");
        }
    }

    #[test]
    fn whatever_is_taken_out_is_found() {
        for (name, case) in cases::mutants() {
            let found = cases::search(case);
            assert!(
                found.violation.is_some(),
                "{name}: {} states, and nothing found",
                found.states
            );
        }
    }
}
