//! What was changed, what was asked and what was told, each with its instants on one clock, and the judge
//! over it. He knows nothing of servers and faults.
//!
//! The promise (I1): a check that began after a change was answered tells of that change or of a later
//! one. Of a code that was void when the check began, VALID is stale unless somebody had begun to restore
//! it before the check was answered; and the other way round.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result};
use tokio::time::Instant;

/// What a check told of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It counts.
    Valid,
    /// It is suspended, ended, or its key is withdrawn.
    Void,
    /// Neither: that it cannot be decided now.
    Neither,
}

/// A check that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Of which code.
    pub subject: usize,
    /// At which server.
    pub server: usize,
    /// What was told.
    pub told: Told,
    /// Whether the facts came out of Redis.
    pub cached: bool,
    /// In nanoseconds.
    pub began: u64,
    /// In nanoseconds.
    pub ended: u64,
}

/// A change that somebody asked for.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// What holds of the code from then on.
    pub makes: Told,
    /// When it was first asked for.
    pub sent: u64,
    /// When it was first answered with OK.
    pub answered: Option<u64>,
    /// That was the answer to the repetition.
    pub by_twin: bool,
}

/// The record of a run.
#[derive(Debug)]
pub struct Record {
    begin: Instant,
    checks: Mutex<Vec<Check>>,
    changes: Vec<Mutex<Vec<Change>>>,
    checked: AtomicUsize,
    voided: AtomicUsize,
}

/// What the judge says.
#[derive(Debug, Default)]
pub struct Judged {
    /// Checks.
    pub checks: usize,
    /// By what they told: valid, void, neither.
    pub told: [usize; 3],
    /// Answered out of Redis.
    pub cached: usize,
    /// Checks that could have been a stale VALID: the code was void from their beginning to their end.
    pub at_risk: usize,
    /// Changes that made a code void, and that restored one.
    pub changes: [usize; 2],
    /// Of all of them, those whose repetition was answered first.
    pub by_twin: usize,
    /// Changes that were never answered.
    pub unanswered: usize,
    /// VALID although it was void.
    pub stale: Vec<Stale>,
    /// Void although it was restored: the same promise.
    pub stale_refusals: Vec<Stale>,
}

/// A check that was told what had been before.
#[derive(Debug, Clone, Copy)]
pub struct Stale {
    /// The check.
    pub check: Check,
    /// When the change was answered of which it should have told, in nanoseconds.
    pub answered: u64,
}

impl Record {
    /// Begins the record of so many codes, all of which count.
    pub fn begin(subjects: usize) -> Self {
        Self {
            begin: Instant::now(),
            checks: Mutex::default(),
            changes: (0..subjects).map(|_| Mutex::default()).collect(),
            checked: AtomicUsize::default(),
            voided: AtomicUsize::default(),
        }
    }

    /// The instant, in nanoseconds.
    pub fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes note of a check.
    pub fn checked(&self, check: Check) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).push(check);
        self.checked.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note of a change; those of one code come one after the other.
    pub fn changed(&self, subject: usize, change: Change) -> Result<()> {
        let changes = self.changes.get(subject).context("a change of no code")?;
        changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
        if change.makes == Told::Void {
            self.voided.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many checks, and how many changes that made a code void, there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.checked.load(Ordering::Relaxed), self.voided.load(Ordering::Relaxed))
    }

    /// Judges all that was told so far.
    pub fn judge(&self) -> Judged {
        let changes: Vec<Vec<Change>> = self
            .changes
            .iter()
            .map(|changes| changes.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect();
        let mut judged = Judged::default();
        for change in changes.iter().flatten() {
            let [voided, restored] = &mut judged.changes;
            *if change.makes == Told::Void { voided } else { restored } += 1;
            judged.by_twin += usize::from(change.by_twin);
            judged.unanswered += usize::from(change.answered.is_none());
        }
        for check in self.checks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            judged.add(*check, changes.get(check.subject).map_or(&[], Vec::as_slice));
        }
        judged
    }
}

impl Judged {
    fn add(&mut self, check: Check, changes: &[Change]) {
        let [valid, void, neither] = &mut self.told;
        *match check.told {
            Told::Valid => valid,
            Told::Void => void,
            Told::Neither => neither,
        } += 1;
        self.checks += 1;
        self.cached += usize::from(check.cached);
        let before = |change: &&Change| change.answered.is_some_and(|at| at < check.began);
        let (last, answered) = match changes.iter().rfind(before) {
            Some(last) => (last.makes, last.answered.unwrap_or_default()),
            None => (Told::Valid, 0),
        };
        // Whatever was sent after it, and before the check was answered, may be what it tells of.
        let later = changes.iter().any(|change| {
            change.sent < check.ended && change.answered.is_none_or(|at| at >= check.began)
        });
        if later || check.told == Told::Neither {
            return;
        }
        self.at_risk += usize::from(last == Told::Void);
        if check.told != last {
            let stale = Stale { check, answered };
            let found = &mut self.stale;
            if check.told == Told::Valid { found } else { &mut self.stale_refusals }.push(stale);
        }
    }
}
