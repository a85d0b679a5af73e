//! When the sessions of officers last called, to the minute: within it this server remembers, and beyond it
//! PostgreSQL is told and asked by one statement. Nothing of it is cached elsewhere, so that no server lets
//! an idle session in.

use std::sync::Arc;

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use moka::sync::Cache as Memo;
use uuid::Uuid;

use super::sessions;
use crate::{
    context::Cx,
    domain::identity::session::IDLE_STEP,
    error::{Error, Result},
    id::{Id, kind},
    store::Store,
};

/// Sessions that this server remembers.
const REMEMBERED_MAX: u64 = 20_000;

/// What this server knows of them.
#[derive(Debug, Clone)]
pub struct Activity {
    noted: Arc<Memo<Uuid, Timestamp>>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { noted: Arc::new(Memo::new(REMEMBERED_MAX)) }
    }
}

impl Activity {
    /// Notes that an open session calls. False where it did not call for too long: then it is ended.
    pub async fn call(&self, store: &Store, session: Id<kind::Session>, cx: Cx) -> Result<bool> {
        let now = cx.now;
        let noted = self.noted.get(&session.uuid());
        if noted.is_some_and(|noted| noted <= now && now.duration_since(noted) < IDLE_STEP) {
            return Ok(true);
        }
        let active = {
            let mut connection = store.read().await?;
            sqlx::query_scalar!(
                "with noted as (
                    update session set active_time = $2
                    where id = $1 and end_time is null and active_time > $3 and active_time < $2
                 )
                 select exists (select from session where id = $1 and active_time > $3) as \"is!\"",
                session.uuid(),
                now.to_sqlx(),
                sessions::idle_before(now).to_sqlx()
            )
            .fetch_one(&mut *connection)
            .await?
        };
        if active {
            self.noted.insert(session.uuid(), now);
            return Ok(true);
        }
        // In a task of its own: who gives the call up does not stop it.
        let store = store.clone();
        let ending = tokio::spawn(async move {
            let mut tx = store.begin(&cx).await?;
            sessions::end_idle(&mut tx, session).await?;
            tx.commit().await
        });
        ending.await.map_err(Error::internal)??;
        Ok(false)
    }
}
