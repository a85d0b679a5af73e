//! The end of a unit of work that changes what caches hold (I1): voided before the commit and after it,
//! or the epoch raised and every lease waited out. The same once more for an answer that is told again
//! before that was done.

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Cache, Store, Tx,
    cache::{self, LEASE_OVER, Trusted},
};
use crate::{
    context::Cx,
    error::{Error, Reason, Result},
    store::{
        cache::trust::{self, Epoch},
        common::world,
    },
};

/// Keys, and the versions that they have with this unit of work.
type Touched = Vec<(String, i64)>;

/// How the caches are made to forget.
enum Voiding {
    /// By fences, within an epoch that is held until the commit.
    Fences(Trusted, Held),
    /// Nobody trusts any cache until the commit.
    Nobody(Held),
    /// By another epoch: this one.
    Raised(Epoch),
}

/// The epoch that was held, and whether it was raised a moment ago.
struct Held {
    epoch: Epoch,
    /// Until then a server may trust an older one.
    until: Option<Instant>,
}

impl Tx {
    pub(super) async fn end(mut self) -> Result<()> {
        let mut touched = Vec::with_capacity(self.touched.len());
        // In the order of the keys, so that two units of work never wait for each other in a ring.
        for key in std::mem::take(&mut self.touched) {
            let version = sqlx::query_scalar!(
                "insert into standing (key, version) values ($1, 1)
                 on conflict (key) do update set version = standing.version + 1
                 returning version",
                key
            )
            .fetch_one(self.conn())
            .await?;
            touched.push((key, version));
        }
        self.store_answer(&touched).await?;
        if touched.is_empty() {
            self.inner.commit().await?;
            return Ok(());
        }
        let (actor, once) = (self.cx.actor.name(), self.once);
        // Voided once before the commit, so that a crash between commit and answer leaves no old
        // entry behind, and once after it, so that an entry filled in between is gone too.
        let voiding = self.void(&touched).await?;
        let store = self.store;
        self.inner.commit().await?;
        store.finish(voiding, &touched).await?;
        if let Some(request_id) = once {
            store.settled(&actor, request_id).await;
        }
        Ok(())
    }

    /// Stores the answer, and with it what must be settled before it may be told.
    async fn store_answer(&mut self, touched: &Touched) -> Result<()> {
        let (Some(request_id), Some(answer)) = (self.once, self.answer.take()) else {
            return Ok(());
        };
        let actor = self.cx.actor.name();
        let keys: Vec<String> = touched.iter().map(|(key, _)| key.clone()).collect();
        let versions: Vec<i64> = touched.iter().map(|(_, version)| *version).collect();
        let unsettled = !touched.is_empty();
        sqlx::query!(
            "update idempotency set response = $3, unsettled_keys = $4, unsettled_versions = $5
             where actor = $1 and request_id = $2",
            actor,
            request_id,
            answer,
            unsettled.then_some(&keys[..]) as _,
            unsettled.then_some(&versions[..]) as _
        )
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Voids the entries in the epoch that is in force until this unit of work ends; where Redis does not
    /// confirm, or is not the one with which it was agreed, raises the epoch instead.
    async fn void(&mut self, touched: &Touched) -> Result<Voiding> {
        let cache = self.store.cache.clone();
        if matches!(cache, Cache::Absent) {
            return self.void_without_redis().await;
        }
        let Some(trusted) = cache.trusted() else {
            return Ok(Voiding::Raised(trust::raise(self.conn()).await?));
        };
        // Redis is asked before the row is locked: a writer that holds the shared lock never
        // needs the exclusive one, so two writers cannot wait for each other.
        if !cache.fence(&trusted, touched).await {
            return Ok(Voiding::Raised(trust::raise(self.conn()).await?));
        }
        let held = trust::hold(self.conn()).await?;
        let without = cache.without();
        let agreed = held.ours && held.redis.as_deref() == Some(trusted.redis());
        if !agreed && !without.identity {
            return Err(again());
        }
        let known = held.epoch == trusted.epoch;
        let since = if known { trusted.since } else { Instant::now() };
        let trusted = trusted.within(held.epoch);
        if !known && !cache.fence(&trusted, touched).await {
            return Err(again());
        }
        let until = (held.fresh && !without.calm).then(|| since + LEASE_OVER);
        Ok(Voiding::Fences(trusted, Held { epoch: held.epoch, until }))
    }

    /// A server without Redis can void nothing: where others trust one, they must trust none.
    async fn void_without_redis(&mut self) -> Result<Voiding> {
        if trust::bound(self.conn()).await? {
            return Ok(Voiding::Raised(trust::unbind(self.conn()).await?));
        }
        let held = trust::hold(self.conn()).await?;
        if held.redis.is_some() {
            return Err(again());
        }
        let until = held.fresh.then(|| Instant::now() + LEASE_OVER);
        Ok(Voiding::Nobody(Held { epoch: held.epoch, until }))
    }
}

impl Store {
    /// Returns when no server can judge on facts of before the commit.
    async fn finish(&self, voiding: Voiding, touched: &Touched) -> Result<()> {
        let held = match voiding {
            Voiding::Nobody(held) => held,
            Voiding::Raised(epoch) => Held { epoch, until: Some(Instant::now() + LEASE_OVER) },
            Voiding::Fences(trusted, held) => {
                if self.cache.fence(&trusted, touched).await {
                    held
                } else {
                    let epoch = trust::raise(&mut *self.read().await?).await?;
                    Held { epoch, until: Some(Instant::now() + LEASE_OVER) }
                }
            }
        };
        if !self.peers {
            return Ok(());
        }
        // Every server trusts its copy of the world for a lease.
        let world = touched.iter().any(|(key, _)| key == world::KEY);
        let leases = [held.until, world.then(|| Instant::now() + LEASE_OVER)];
        if let Some(until) = leases.into_iter().flatten().max() {
            tokio::time::sleep_until(until).await;
        }
        if held.until.is_some() {
            let calmed = async { trust::calm(&mut *self.read().await?, held.epoch).await };
            note("an epoch was not calmed", calmed.await);
        }
        Ok(())
    }

    /// Settles what a stored answer says, where nobody knows that the first call did: it may still be
    /// waiting, or have died.
    pub(super) async fn settle_again(
        &self,
        cx: &Cx,
        request_id: Uuid,
        touched: Touched,
    ) -> Result<()> {
        if self.cache.without().settled_answers {
            return Ok(());
        }
        let mut tx = self.begin(cx).await?;
        let voiding = tx.void(&touched).await?;
        tx.inner.commit().await?;
        self.finish(voiding, &touched).await?;
        self.settled(&cx.actor.name(), request_id).await;
        Ok(())
    }

    /// Takes note that the answer may be told as it is. That this is lost costs a repetition a moment, so
    /// nobody waits for the disk.
    async fn settled(&self, actor: &str, request_id: Uuid) {
        let settled = async {
            sqlx::query!(
                "update idempotency set unsettled_keys = null, unsettled_versions = null
                 where actor = $1 and request_id = $2
                    and set_config('synchronous_commit', 'off', true) is not null",
                actor,
                request_id
            )
            .execute(&mut *self.read().await?)
            .await?;
            Ok(())
        };
        note("an answer was not marked as settled", settled.await);
    }
}

/// What is lost here costs somebody a moment later, and no promise.
fn note(what: &'static str, done: Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "{what}");
    }
}

/// Who Redis or PostgreSQL is has changed under our hands: nothing was done yet.
fn again() -> Error {
    Error::new(Reason::StoreUnavailable).retry_after(cache::LEASE)
}
