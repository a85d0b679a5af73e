//! What the run found, as a table for people and a yes or no for programs.

use std::sync::atomic::Ordering;

use anyhow::Result;

use crate::{
    calls::Tally,
    faults::{Counted, Fault},
    record::{Judged, Stale},
    scenes::Shown,
};

/// More than these are only counted.
const SHOWN_MAX: usize = 20;

/// Everything that a run found.
pub struct Report<'a> {
    /// On what was run.
    pub settings: String,
    /// What the judge says.
    pub judged: Judged,
    /// What went wrong meanwhile.
    pub faults: &'a Counted,
    /// What was called beside.
    pub tally: &'a Tally,
    /// Fewer checks, and fewer revocations, would show nothing.
    pub least: (usize, usize),
    /// The controls.
    pub controls: Vec<Shown>,
}

impl Report<'_> {
    /// Prints it; true when nothing was stale and every control was caught.
    pub fn print(&self) -> Result<bool> {
        let Judged { stale, stale_refusals, at_risk, .. } = &self.judged;
        println!("\n{}\n", self.settings);
        self.counted();
        println!("| stale VALIDs | {} |", stale.len());
        println!("| stale refusals, after a pass was resumed | {} |", stale_refusals.len());
        if stale.is_empty() && *at_risk > 0 {
            let bound = 3.0 / f64::from(u32::try_from(*at_risk)?);
            println!("| upper bound of the rate of stale VALIDs (95 %, 3/n) | {bound:.2e} |");
        }
        show("stale VALID", stale);
        show("stale refusal", stale_refusals);

        println!("\n| control: servers where | played | checks of void codes | stale VALIDs | |");
        println!("|---|---|---|---|---|");
        for Shown { scene, played, at_risk, stale } in &self.controls {
            let caught = if *stale > 0 { "caught" } else { "NOT CAUGHT" };
            println!("| {} | {played} | {at_risk} | {stale} | {caught} |", scene.name());
        }
        let right = stale.is_empty()
            && stale_refusals.is_empty()
            && self.enough()
            && self.controls.iter().all(|shown| shown.stale > 0);
        println!("\n{}", if right { "no check told of what had been before" } else { "FAILED" });
        Ok(right)
    }

    fn counted(&self) {
        let Judged { checks, told: [valid, void, neither], cached, at_risk, .. } = &self.judged;
        let Judged { changes: [voided, restored], by_twin, unanswered, .. } = &self.judged;
        let of = |counted: &std::sync::atomic::AtomicUsize| counted.load(Ordering::Relaxed);
        println!("| what | count |\n|---|---|");
        println!("| checks | {checks} |");
        println!("| told valid, void, neither | {valid}, {void}, {neither} |");
        println!("| answered out of Redis | {cached} |");
        println!("| of codes that were void from their beginning to their end | {at_risk} |");
        println!("| revocations (passes suspended or ended, keys withdrawn) | {voided} |");
        println!("| passes resumed | {restored} |");
        println!(
            "| twins, and how many of them were answered first | {}, {by_twin} |",
            of(&self.tally.twins)
        );
        println!("| changes that were never answered | {unanswered} |");
        for fault in Fault::ALL {
            println!("| {} | {} |", fault.name(), self.faults.of(fault));
        }
        println!("| calls given up | {} |", of(&self.tally.given_up));
        println!("| calls refused or broken off | {} |", of(&self.tally.failed));
    }

    /// Whether it shows anything.
    fn enough(&self) -> bool {
        let (checks, revocations) = self.least;
        let [voided, _] = self.judged.changes;
        let enough = self.judged.checks >= checks && voided >= revocations;
        if !enough {
            println!(
                "\ntoo little was done: {checks} checks and {revocations} revocations at least"
            );
        }
        enough && self.faults.complete() && self.judged.unanswered == 0
    }
}

fn show(what: &str, found: &[Stale]) {
    let ms = |nanos: u64| std::time::Duration::from_nanos(nanos).as_secs_f64() * 1_000.0;
    for Stale { check, answered } in found.iter().take(SHOWN_MAX) {
        println!(
            "  {what} of code {} at server {}, {}: asked {:.1} ms after the change was answered, \
             told {:.1} ms later, at {:.1} ms",
            check.subject,
            check.server,
            if check.cached { "out of Redis" } else { "out of PostgreSQL" },
            ms(check.began - answered),
            ms(check.ended - check.began),
            ms(check.ended),
        );
    }
}
