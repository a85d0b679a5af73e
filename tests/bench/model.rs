//! The search of the revocation protocol at full size (tests/revocation): minutes, and gigabytes of memory.
//!
//! ```sh
//! cargo bench --bench model            # everything
//! cargo bench --bench model -- cut     # the cases with this in their name
//! ```

#![expect(clippy::print_stdout, reason = "a program of its own: it prints its table")]
#![expect(clippy::indexing_slicing, reason = "a model is bounded, and a failing search may panic")]

use std::{process::ExitCode, time::Instant};

#[path = "../revocation/cases.rs"]
mod cases;
#[path = "../revocation/model.rs"]
mod model;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only looks whether it runs.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let only = arguments.iter().find(|argument| !argument.starts_with("--"));
    let held = [cases::whole(), cases::full()].concat().into_iter().map(|case| (true, case));
    let broken = cases::mutants().into_iter().map(|case| (false, case));
    let mut right = true;
    for (holds, (name, case)) in held.chain(broken) {
        if only.is_some_and(|only| !name.contains(only)) {
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
