//! The protocol of a revocation, searched whole: every order of its steps with the faults of each case, and
//! the same with each part taken out, which must be found. The full size is `cargo bench --bench model`.

#[path = "../revocation/cases.rs"]
mod cases;
#[path = "../revocation/model.rs"]
mod model;

// I1: within these bounds no order of steps leads to a check that tells what was true before a change that
// had been answered.
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
        assert!(found.violation.is_some(), "{name}: {} states, and nothing found", found.states);
    }
}
