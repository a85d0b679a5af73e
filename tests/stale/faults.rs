//! What goes wrong meanwhile, in seeded order: servers are stopped and go on, ways to Redis are cut and
//! healed, Redis is emptied, and fails over to one that lacks the last writes.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use anyhow::Result;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio::time::sleep;

use crate::stage::Stage;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// One server does not reach Redis.
    Cut,
    /// A server is stopped, and goes on.
    Stop,
    /// Redis is emptied.
    Flush,
    /// Another Redis takes its place.
    FailOver,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Stop, Self::Flush, Self::FailOver];

    /// The name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "the way from a server to Redis cut, and healed",
            Self::Stop => "a server stopped, and continued",
            Self::Flush => "Redis emptied",
            Self::FailOver => "failover to a Redis that lacks the last writes",
        }
    }
}

/// How often each of them was.
#[derive(Debug, Default)]
pub struct Counted(Mutex<BTreeMap<Fault, usize>>);

impl Counted {
    /// How often this one was.
    pub fn of(&self, fault: Fault) -> usize {
        let counted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counted.get(&fault).copied().unwrap_or_default()
    }

    /// Whether each of them was.
    pub fn complete(&self) -> bool {
        Fault::ALL.iter().all(|fault| self.of(*fault) > 0)
    }

    fn add(&self, fault: Fault) {
        let mut counted = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *counted.entry(fault).or_default() += 1;
    }
}

fn between(random: &mut StdRng, from_ms: u64, until_ms: u64) -> Duration {
    Duration::from_millis(random.random_range(from_ms..until_ms))
}

/// Stops one server after the other; one is stopped while others are cut, too.
pub async fn stop(
    stage: &Stage,
    counted: &Counted,
    seed: u64,
    goes_on: impl Fn() -> bool,
) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x5709);
    while goes_on() {
        sleep(between(&mut random, 500, 2_500)).await;
        if !goes_on() {
            break;
        }
        let server = random.random_range(0..stage.servers.len());
        stage.stop(server)?;
        sleep(between(&mut random, 500, 3_000)).await;
        stage.go_on(server)?;
        counted.add(Fault::Stop);
    }
    Ok(())
}

/// All that happens to Redis and the ways to it.
pub async fn disturb(
    stage: &Stage,
    counted: &Counted,
    seed: u64,
    goes_on: impl Fn() -> bool,
) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 0xd157);
    let mut round = [Fault::Cut, Fault::Cut, Fault::Flush, Fault::FailOver, Fault::Flush];
    while goes_on() {
        round.shuffle(&mut random);
        for fault in round {
            sleep(between(&mut random, 200, 1_200)).await;
            if !goes_on() {
                return Ok(());
            }
            match fault {
                Fault::Cut | Fault::Stop => {
                    let way = stage.way(random.random_range(0..stage.servers.len()))?;
                    way.cut();
                    sleep(between(&mut random, 20, 2_000)).await;
                    way.heal();
                }
                Fault::Flush => stage.flush().await?,
                Fault::FailOver => {
                    stage.separate().await?;
                    sleep(between(&mut random, 20, 500)).await;
                    stage.fail_over(between(&mut random, 0, 150)).await?;
                }
            }
            counted.add(fault);
        }
    }
    Ok(())
}
