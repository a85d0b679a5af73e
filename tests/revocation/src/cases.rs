//! What is searched: the cases in which the protocol must hold, and those in which it must fail.

use stateright::{Checker as _, Model as _};

use crate::model::{Case, Faults, Step, Without};

/// What a search found.
pub struct Found {
    /// States that are told apart.
    pub states: usize,
    /// The shortest way to an older fact, if any.
    pub violation: Option<Vec<Step>>,
    /// A check was told of a change after it was answered.
    pub told: bool,
}

/// Searches a case whole, or until it fails.
pub fn search(case: Case) -> Found {
    let checker = case.checker().spawn_bfs().join();
    Found {
        states: checker.unique_state_count(),
        violation: checker.discovery("I1").map(stateright::Path::into_actions),
        told: checker.discovery("an entry of after an answered change is told").is_some(),
    }
}

/// One write, and each reader asks once.
const ONE: Faults = Faults {
    crash: false,
    twin: false,
    flush: false,
    cut: false,
    failover: false,
    restore: false,
    absent: false,
    second: false,
    checks: 1,
};
/// Two writes.
const TWO: Faults = Faults { second: true, ..ONE };

/// Cases that are small enough to be searched whole in every run of the tests.
pub fn whole() -> Vec<(&'static str, Case)> {
    let case = |faults| Case { faults, without: Without::Nothing };
    vec![
        ("a twin, a crash, a flush", case(Faults { twin: true, crash: true, flush: true, ..ONE })),
        ("a twin, a cut", case(Faults { twin: true, cut: true, ..ONE })),
        ("two writes, a flush", case(Faults { flush: true, ..TWO })),
        ("two writes, a cut", case(Faults { cut: true, ..TWO })),
        ("a failover", case(Faults { failover: true, ..ONE })),
        ("a restore", case(Faults { restore: true, ..TWO })),
        ("a server without Redis", case(Faults { absent: true, ..TWO })),
    ]
}

/// Cases with more at once: minutes, and gigabytes.
pub fn full() -> Vec<(&'static str, Case)> {
    let case = |faults| Case { faults, without: Without::Nothing };
    vec![
        (
            "two writes, twin, crash, flush",
            case(Faults { twin: true, crash: true, flush: true, ..TWO }),
        ),
        ("two writes, twin, cut", case(Faults { twin: true, cut: true, ..TWO })),
        ("two writes, flush, cut", case(Faults { flush: true, cut: true, ..TWO })),
        (
            "twin, crash, cut, flush",
            case(Faults { twin: true, crash: true, cut: true, flush: true, ..ONE }),
        ),
        ("two writes, failover", case(Faults { failover: true, ..TWO })),
        ("twin, crash, failover", case(Faults { twin: true, crash: true, failover: true, ..ONE })),
        ("cut, failover", case(Faults { cut: true, failover: true, ..ONE })),
        ("restore, failover", case(Faults { restore: true, failover: true, ..ONE })),
        ("without Redis, failover", case(Faults { absent: true, failover: true, ..TWO })),
        ("without Redis, flush", case(Faults { absent: true, flush: true, ..TWO })),
        ("two checks of each reader, flush", case(Faults { checks: 2, flush: true, ..TWO })),
        ("two checks of each reader, cut", case(Faults { checks: 2, cut: true, ..TWO })),
    ]
}

/// Each part taken out, with what shows it.
pub fn mutants() -> Vec<(&'static str, Case)> {
    let case = |without, faults| Case { faults, without };
    vec![
        ("no lease", case(Without::Lease, Faults { cut: true, ..ONE })),
        ("no wait after the epoch was raised", case(Without::Wait, Faults { cut: true, ..ONE })),
        ("a fill without a version", case(Without::Version, ONE)),
        ("no mark", case(Without::Mark, Faults { flush: true, ..ONE })),
        ("no second fence", case(Without::SecondFence, Faults { flush: true, ..ONE })),
        (
            "a twin is answered at once, cut",
            case(Without::Settling, Faults { twin: true, cut: true, ..ONE }),
        ),
        (
            "a twin is answered at once, crash",
            case(Without::Settling, Faults { twin: true, crash: true, flush: true, ..ONE }),
        ),
        ("no wait in a raised epoch", case(Without::Calm, Faults { cut: true, ..TWO })),
        ("anybody fills under a fence", case(Without::OwnMark, Faults { flush: true, ..TWO })),
        ("any Redis", case(Without::RedisIdentity, Faults { failover: true, ..ONE })),
        ("any PostgreSQL", case(Without::PostgresqlIdentity, Faults { restore: true, ..TWO })),
        (
            "no word of a server without Redis",
            case(Without::Unbinding, Faults { absent: true, ..TWO }),
        ),
    ]
}
