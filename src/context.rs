//! The context of one call: who asks, when, under which request id. Made once, by the gate.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    actor::{Actor, Matter, Scope},
    address::counted,
    clock::Ids,
    id::{Collection, Id},
};

/// Who asks, when, and from where. One instant per call: all rows of a call agree.
#[derive(Debug, Clone)]
pub struct Cx {
    /// Who asks.
    pub actor: Actor,
    /// The instant of the call.
    pub now: Timestamp,
    /// The method, `jingqi.v1.TruckPassService/GetTruckPass`, or the name of a job.
    pub method: &'static str,
    /// The address that asks, for limits and the session list; absent for our own jobs.
    pub address: Option<IpAddr>,
    /// The id under which logs and traces know the call.
    pub call: Uuid,
    ids: Ids,
}

impl Cx {
    /// A context; only the gate and the worker loops make one.
    #[must_use]
    pub fn new(actor: Actor, now: Timestamp, method: &'static str, ids: Ids) -> Self {
        Self { actor, now, method, address: None, call: ids.random(), ids }
    }

    /// A context of one of our own jobs.
    #[must_use]
    pub fn job(job: &'static str, now: Timestamp, ids: Ids) -> Self {
        Self::new(Actor::System { job }, now, job, ids)
    }

    /// The next id of the kind, at the instant of the call.
    #[must_use]
    pub fn id<K: Collection>(&self) -> Id<K> {
        self.ids.next(self.now)
    }

    /// The source of secrets and codes.
    #[must_use]
    pub const fn ids(&self) -> &Ids {
        &self.ids
    }

    /// By what limits count an address that asks.
    #[must_use]
    pub fn counted_address(&self) -> String {
        self.address.map_or_else(|| "unknown".to_owned(), |address| counted(address).to_string())
    }

    /// What part of the world the actor may see where no matter narrows it.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.actor.scope()
    }

    /// What part of the world the actor may act in, in this matter.
    #[must_use]
    pub fn scope_of(&self, matter: Matter) -> Scope {
        self.actor.scope_of(matter)
    }

    /// What part of the world the actor may see in this matter.
    #[must_use]
    pub fn sight_of(&self, matter: Matter) -> Scope {
        self.actor.sight_of(matter)
    }
}
