//! Who takes part in a run: writers who revoke and restore, somebody who revokes keys, checkers at every
//! server. Whoever has revoked asks every server at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

use crate::calls::{Act, Calls, PATIENCE, Plan};

/// The etag of a pass that nobody has changed.
pub const FIRST_ETAG: &str = "W/\"1\"";
/// The passes of one writer.
const PLACES: usize = 2;
/// Of so many revocations one is for good.
const ENDS_EVERY: u32 = 20;
/// Of so many changes one is given up by whoever sent it first; of so many checks, one.
const GIVEN_UP_EVERY: u32 = 8;
/// A patience that is often not enough, in microseconds.
const IMPATIENCE_US: u64 = 12_000;
/// When every server is asked after a change was answered.
const ASKED_AFTER: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(40), Duration::from_millis(160)];
/// How long a key is asked about before it is withdrawn, and after.
const KEY_EVERY: Duration = Duration::from_millis(400);

/// What all of them share.
pub struct World {
    /// How they call.
    pub calls: Calls,
    /// Everybody is to come to an end.
    pub over: AtomicBool,
    /// The codes that are checked: the passes of the writers, and one key.
    places: Vec<AtomicUsize>,
}

impl World {
    /// One with so many writers.
    pub fn new(calls: Calls, writers: usize) -> Self {
        let passes = (0..writers * PLACES).map_while(|_| calls.city.fresh_pass());
        let places = passes.chain(calls.city.fresh_key()).map(AtomicUsize::new).collect();
        Self { calls, over: AtomicBool::new(false), places }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn plan(&self, random: &mut StdRng) -> Plan {
        let servers = self.calls.servers();
        let first = random.random_range(0..servers);
        let given_up = random.random_ratio(1, GIVEN_UP_EVERY);
        Plan {
            first,
            twin: (first + random.random_range(1..servers)) % servers,
            gap: Duration::from_micros(random.random_range(1..10_000)),
            patience: if given_up { impatience(random) } else { PATIENCE },
        }
    }

    /// Asks every server, also the one that does not answer: it may in a moment.
    async fn ask_all(&self, subject: usize) -> Result<()> {
        let asked = (0..self.calls.servers()).map(|at| self.calls.check(at, subject, PATIENCE));
        try_join_all(asked).await?;
        Ok(())
    }

    /// The same at once and twice more, and nobody waits for it.
    fn ask_all_beside(self: &Arc<Self>, subject: usize) {
        for after in ASKED_AFTER {
            let world = self.clone();
            tokio::spawn(async move {
                sleep(after).await;
                world.ask_all(subject).await
            });
        }
    }
}

fn impatience(random: &mut StdRng) -> Duration {
    Duration::from_micros(random.random_range(0..IMPATIENCE_US))
}

fn pause(random: &mut StdRng, longest_ms: u64) -> Duration {
    Duration::from_millis(random.random_range(20..longest_ms))
}

/// Suspends and resumes the own passes, and ends one now and then.
pub async fn write(world: Arc<World>, number: usize, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ (number as u64) << 8);
    let mut etags = [(); PLACES].map(|()| FIRST_ETAG.to_owned());
    while world.goes_on() {
        let at = random.random_range(0..PLACES);
        let place = world.places.get(number * PLACES + at).context("a place")?;
        let etag = etags.get_mut(at).context("an etag")?;
        let subject = place.load(Ordering::Relaxed);
        let next =
            if random.random_ratio(1, ENDS_EVERY) { world.calls.city.fresh_pass() } else { None };
        let act = match next {
            None => Act::Suspend,
            Some(_) if random.random() => Act::Withdraw,
            Some(_) => Act::Annul,
        };
        let plan = world.plan(&mut random);
        *etag = world.calls.change(subject, act, etag, plan).await?;
        world.ask_all_beside(subject);
        sleep(pause(&mut random, 900)).await;
        if let Some(next) = next {
            place.store(next, Ordering::Relaxed);
            FIRST_ETAG.clone_into(etag);
            continue;
        }
        let plan = world.plan(&mut random);
        *etag = world.calls.change(subject, Act::Resume, etag, plan).await?;
        world.ask_all_beside(subject);
        sleep(pause(&mut random, 250)).await;
    }
    Ok(())
}

/// Revokes one key after the other, while there are some.
pub async fn revoke_keys(world: Arc<World>, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6b65);
    let Some(place) = world.places.last() else { return Ok(()) };
    while world.goes_on() {
        sleep(KEY_EVERY).await;
        let subject = place.load(Ordering::Relaxed);
        let plan = world.plan(&mut random);
        world.calls.change(subject, Act::RevokeKey, "", plan).await?;
        world.ask_all_beside(subject);
        sleep(KEY_EVERY).await;
        let Some(next) = world.calls.city.fresh_key() else { return Ok(()) };
        place.store(next, Ordering::Relaxed);
    }
    Ok(())
}

/// Checks the codes at one server.
pub async fn check(world: Arc<World>, server: usize, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed ^ 0x6368);
    while world.goes_on() {
        let at = random.random_range(0..world.places.len());
        let subject = world.places.get(at).context("a place")?.load(Ordering::Relaxed);
        // Where a server is stopped, others begin to ask meanwhile.
        let patience = if random.random_ratio(1, GIVEN_UP_EVERY) {
            impatience(&mut random)
        } else {
            Duration::from_millis(random.random_range(100..1_500))
        };
        if world.calls.check(server, subject, patience).await?.is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(())
}
