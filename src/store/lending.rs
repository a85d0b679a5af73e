//! Where transactions begin, and what keeps them from outliving whoever asked for them. No statement of
//! any room.
//!
//! A call may be given up at any await: its deadline passes, its stream is reset, its line is closed. A
//! statement that is cut there is harmless, because its connection knows how many answers it is owed and
//! reads them away before it is lent again. A *begin* is not: sqlx 0.9 counts a transaction only once
//! PostgreSQL has answered, so what takes it back when it is dropped finds nothing to take back, and the
//! connection is lent to the next one inside a transaction, and inside the snapshot of its first
//! statement. Whoever reads there reads the past, and the next begin fails. Against that stand two
//! things, and each suffices alone:
//!
//! 1. What must not be cut is a task of its own ([`Store::to_its_end`]). Dropping who waits for it only means
//!    that nobody waits.
//! 2. Every connection that comes back is asked whether a transaction is open ([`proven`]). That costs
//!    nobody's time: it is asked after the connection was given back, beside the ping that sqlx makes
//!    there anyway. What waits in the pool is touched by nobody, so that it need not be asked again when it
//!    is lent.

use std::future::Future;

use sqlx::{Connection as _, PgConnection, Postgres, Transaction, postgres::PgPoolOptions};
use tracing::{Instrument as _, instrument::WithSubscriber as _};

use super::Store;
use crate::error::{Error, Result};

/// A unit of work.
pub(super) const UNIT: &str = "begin";
/// Several reads that belong together.
const SNAPSHOT: &str = "begin isolation level repeatable read read only";

impl Store {
    /// The store as it must not be: what it does is cut where whoever asked gives up. A control of the
    /// tests, which must catch it; nothing else may ask for it.
    #[doc(hidden)]
    #[must_use]
    pub fn droppable(mut self) -> Self {
        self.droppable = true;
        self
    }

    /// Does work that touches the store to its end, also where whoever waits for it gives up: for
    /// whatever runs in a future that a deadline, a reset or a closed line drops.
    ///
    /// # Errors
    /// Those of the work; `INTERNAL` when it panicked.
    pub async fn to_its_end<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        if self.droppable { work.await } else { to_its_end(work).await }
    }

    /// Begins a transaction.
    #[expect(clippy::disallowed_methods, reason = "the one place where transactions begin")]
    pub(super) async fn open(
        &self,
        statement: &'static str,
    ) -> Result<Transaction<'static, Postgres>> {
        let pool = self.pool.clone();
        self.to_its_end(async move { Ok(pool.begin_with(statement).await?) }).await
    }

    /// Begins a snapshot: reads that belong together, and see nothing of what happens beside them.
    pub async fn snapshot(&self) -> Result<Transaction<'static, Postgres>> {
        self.open(SNAPSHOT).await
    }
}

/// Does the work to its end, whether or not whoever asked for it still waits. It leaves what its caller
/// leaves: where nothing is written about a call, nothing is written about its tasks.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let task = tokio::spawn(work.in_current_span().with_current_subscriber());
    task.await.map_err(Error::internal)?
}

/// The options of a pool that takes back no connection inside a transaction; such a one is closed.
#[must_use]
pub fn proven(options: PgPoolOptions) -> PgPoolOptions {
    options.after_release(|connection, _| Box::pin(outside(connection)))
}

/// Whether PostgreSQL says that no transaction is open. It says so after every statement, and sqlx tells
/// it in one way only: a statement that was to begin a transaction, and after which none is open, has
/// failed to begin one. Its own count is not asked: that is what is wrong after a begin that was cut. In a
/// transaction that has failed the statement itself fails.
#[expect(clippy::disallowed_methods, reason = "it begins nothing")]
async fn outside(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match connection.begin_with("select").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) => {
            tracing::error!("a connection came back inside a transaction, and is closed");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
