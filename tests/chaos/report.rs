//! What the run found, as a table for people and a yes or no for programs.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;

use crate::{
    abandon::Left,
    checker::{Fault, History, Outcome, Violation, check},
    history::{Call, Process, Record},
    torment::Victim,
};

/// More violations than these are only counted.
const SHOWN_MAX: usize = 20;

/// Everything that a run found.
pub struct Report<'a> {
    /// On what was run.
    pub settings: String,
    /// Seconds from each kill until the victim was ready again.
    pub back: BTreeMap<Victim, Vec<f64>>,
    /// Readers that had not come to the end.
    pub behind: usize,
    /// The run.
    pub history: History,
    /// The first control.
    pub plain: History,
    /// What the calls that were given up left behind.
    pub left: Left,
    /// The same at a server without the mends: the third control.
    pub unmended: Left,
    /// The record.
    pub record: &'a Record,
}

impl Report<'_> {
    /// Prints it; true when nothing is wrong and every control was caught.
    pub fn print(self) -> Result<bool> {
        println!("\n{}\n", self.settings);
        self.killed();
        self.counted();
        let violations = check(&self.history);
        let acknowledged = self.acknowledged();
        println!("| violations | {} |", violations.len());
        if violations.is_empty() && acknowledged > 0 {
            let bound = 3.0 / f64::from(u32::try_from(acknowledged)?);
            println!("| upper bound of the rate (95 %, 3/n) | {bound:.2e} |");
        }
        show(&violations);

        let Left { given_up: [late, reset], internal, open } = self.left;
        println!("| calls given up, by deadline and by reset | {late}, {reset} |");
        println!("| calls told that the fault is ours | {internal} |");
        println!("| connections left inside a transaction | {open} |");

        println!("\n| control | messages | lost to its reader | |\n|---|---|---|---|");
        let plain = lost(&check(&self.plain));
        control("a cursor over a plain sequence", self.plain.sendings.len(), plain);
        let sent = self.history.sendings.len();
        let forgetful = History {
            readers: self.record.readers(|process| matches!(process, Process::Forgetful(_))),
            ..self.history
        };
        let push = lost(&check(&forgetful));
        control("a push without catch-up", sent, push);
        let Left { given_up, internal, open } = self.unmended;
        println!("\n| control | calls given up | told that the fault is ours | left open | |");
        println!("|---|---|---|---|---|");
        println!(
            "| a begin that can be cut | {} | {internal} | {open} | {} |",
            given_up.iter().sum::<usize>(),
            caught(!self.unmended.nothing()),
        );
        let right = violations.is_empty()
            && self.behind == 0
            && plain > 0
            && push > 0
            && self.left.nothing()
            && !self.unmended.nothing();
        println!("\n{}", if right { "nothing lost, doubled or reordered" } else { "FAILED" });
        Ok(right)
    }

    fn acknowledged(&self) -> usize {
        let acknowledged = |outcome| matches!(outcome, Outcome::Acknowledged { .. });
        self.history.sendings.iter().filter(|sending| acknowledged(sending.outcome)).count()
    }

    fn killed(&self) {
        println!("| killed -9 | times | back after s, median | longest |\n|---|---|---|---|");
        for (victim, back) in &self.back {
            let mut sorted = back.clone();
            sorted.sort_by(f64::total_cmp);
            println!(
                "| {} | {} | {:.1} | {:.1} |",
                victim.name(),
                sorted.len(),
                sorted.get(sorted.len() / 2).copied().unwrap_or_default(),
                sorted.last().copied().unwrap_or_default(),
            );
        }
    }

    fn counted(&self) {
        let sendings = &self.history.sendings;
        let refused = sendings.iter().filter(|one| one.outcome == Outcome::Refused).count();
        let unknown = sendings.iter().filter(|one| one.outcome == Outcome::Unknown).count();
        let [ok, fail, info] = self.record.ended(|call| matches!(call, Call::Send { .. }));
        let [_, _, broken] = self.record.ended(|call| matches!(call, Call::Watch { .. }));
        let kept = self.history.kept.iter().filter(|kept| kept.source == "table");
        let kept: usize = kept.map(|kept| kept.messages.len()).sum();
        let seen: usize = self.history.readers.iter().map(|reader| reader.seen.len()).sum();
        println!("\n| what | count |\n|---|---|");
        println!("| messages sent | {} |", sendings.len());
        println!("| of them acknowledged | {} |", self.acknowledged());
        println!("| of them refused | {refused} |");
        println!("| of them unknown to the end | {unknown} |");
        println!("| tries: answered, refused, in doubt | {ok}, {fail}, {info} |");
        println!("| messages kept, notices included | {kept} |");
        println!("| messages seen by readers | {seen} |");
        println!("| streams that broke | {broken} |");
        println!("| marks | {} |", self.history.markings.len());
        println!("| readers that never came to the end | {} |", self.behind);
    }
}

fn lost(violations: &[Violation]) -> usize {
    violations.iter().filter(|violation| violation.fault == Fault::Skipped).count()
}

const fn caught(caught: bool) -> &'static str {
    if caught { "caught" } else { "NOT CAUGHT" }
}

fn control(name: &str, messages: usize, lost: usize) {
    println!("| {name} | {messages} | {lost} | {} |", caught(lost > 0));
}

fn show(violations: &[Violation]) {
    let mut counts: HashMap<Fault, usize> = HashMap::new();
    for violation in violations {
        *counts.entry(violation.fault).or_default() += 1;
    }
    for (fault, count) in counts {
        println!("\n{fault:?}: {count}");
    }
    for violation in violations.iter().take(SHOWN_MAX) {
        println!("  {violation}");
    }
}
