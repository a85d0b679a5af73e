//! Looking through a file takes a processor for tens of milliseconds, and all of the file in memory: few at
//! once, off the threads that answer calls, and in no unit of work. What is looked for is said elsewhere.

use std::{
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Reason, Result};

/// Files that wait to be looked through; more are refused.
const WAITING_MAX: usize = 64;

/// Half of the processors, and one at least: checks go on beside.
static AT_ONCE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let processors = available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(processors.div_ceil(2)))
});
static WAITING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(WAITING_MAX)));

/// The right to look through one file; it is read after this was given.
pub struct Looking {
    _at_once: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
}

impl Looking {
    /// Waits for its turn.
    ///
    /// # Errors
    /// `OVERLOADED` when too many wait.
    pub async fn turn() -> Result<Self> {
        let waiting = WAITING.clone().try_acquire_owned();
        let waiting = waiting.map_err(|_| Error::new(Reason::Overloaded))?;
        let at_once = AT_ONCE.clone().acquire_owned().await.map_err(Error::internal)?;
        Ok(Self { _at_once: at_once, _waiting: waiting })
    }

    /// Looks through what was read.
    pub async fn through<T: Send + 'static>(
        self,
        look: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let looked = tokio::task::spawn_blocking(move || {
            let seen = look();
            drop(self);
            seen
        });
        looked.await.map_err(Error::internal)?
    }
}
