//! The only sources of time and chance. Nobody else may ask the system for either.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rustix::time::{ClockId, clock_gettime};
use uuid::Uuid;

use crate::id::Id;

/// Tells the time: the system's, or in tests one that is moved by hand.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands still until it is moved.
    Manual(ManualClock),
}

impl Clock {
    /// The present instant, to the microsecond: what PostgreSQL can store.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
        let system = Timestamp::now;
        let now = match self {
            Self::System => system(),
            Self::Manual(manual) => manual.now(),
        };
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }
}

impl Clock {
    /// Whether it claims to tell the time of the world, so that it can be compared with another one.
    #[must_use]
    pub const fn tells_world_time(&self) -> bool {
        match self {
            Self::System => true,
            Self::Manual(manual) => manual.claims,
        }
    }
}

/// For how long the machine has been up, its sleep included. What must end after a while everywhere is
/// measured by it: the clock of [`std::time::Instant`] stands still while a machine is suspended, so that
/// a lease looks young after a night in which others have waited for its end. A virtual machine whose
/// host stops all of its clocks sees none of that time; no clock of its own can tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(Duration);

impl Uptime {
    /// The present instant.
    #[must_use]
    pub fn now() -> Self {
        // It never runs backwards, and begins at zero.
        Self(Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default())
    }

    /// How long ago it was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }

    /// The instant so much earlier, or the first.
    #[must_use]
    pub const fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(by))
    }
}

/// A clock for tests and the simulated city: it moves only by hand.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
    claims: bool,
}

impl ManualClock {
    /// A clock that stands at the instant.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(start)), claims: false }
    }

    /// The same clock, which claims to be right as the system's does: it is compared with another one,
    /// and found wrong.
    #[must_use]
    pub fn claiming(self) -> Self {
        Self { claims: true, ..self }
    }

    /// The instant at which it stands.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it forward, or back with a negative duration.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(*now);
    }

    /// Moves it to the instant.
    pub fn set(&self, to: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

/// Makes ids, secrets and codes: from the system's entropy, or in tests from a seed.
#[derive(Clone)]
pub struct Ids(Option<Arc<Mutex<StdRng>>>);

impl Ids {
    /// From the system's entropy.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// From a seed: the same seed gives the same ids in the same order.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// Fresh bytes, unpredictable unless seeded.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
            None => rand::rng().fill_bytes(&mut bytes),
            Some(seeded) => {
                seeded.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// The next id: a `UUIDv7` of the instant, so that ids sort by time.
    #[must_use]
    pub fn next<K>(&self, now: Timestamp) -> Id<K> {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Id::of(uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid())
    }

    /// A random `UUIDv4`.
    #[must_use]
    pub fn random(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A code of six decimal digits, as sent by SMS.
    #[must_use]
    pub fn six_digits(&self) -> String {
        format!("{:06}", u64::from_le_bytes(self.bytes()) % 1_000_000)
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Ids(seeded)" } else { "Ids(system)" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Ids, ManualClock, Uptime};
    use crate::id::kind;
    use jiff::{SignedDuration, Timestamp};
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    #[test]
    fn the_sleep_of_the_machine_counts() {
        let awake = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap();
        let up = Uptime::now();
        assert!(up.0 >= awake, "it leaves nothing out");
        let earlier = up.before(Duration::from_secs(1));
        assert!(earlier < up && earlier.elapsed() >= Duration::from_secs(1));
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids = Ids::seeded(1);
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let first = ids.next::<kind::Vehicle>(clock.now());
        clock.advance(SignedDuration::from_millis(1));
        let second = ids.next::<kind::Vehicle>(clock.now());
        assert!(first < second);
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        assert_eq!(Ids::seeded(7).random(), Ids::seeded(7).random());
        assert_ne!(Ids::seeded(7).random(), Ids::seeded(8).random());
    }
}
