//! What each step of the protocol does to the state, and what may be forgotten after it.

use super::{
    Call, Case, Change, EPOCHS, LEASE, Reader, Row, Server, Slot, State, TWIN, Trusted, WAIT,
    Without,
};

fn raise(slot: &mut Slot, least: u8) {
    let known = match *slot {
        Slot::Empty => None,
        Slot::Entry { version, .. } => Some(version),
        Slot::Fence { least, .. } => Some(least),
    };
    if known.is_none_or(|known| known < least) {
        *slot = Slot::Fence { least, mark: 0 };
    }
}

/// Through which server a call runs; none: one without Redis.
fn server_of(case: &Case, call: usize) -> Option<usize> {
    match call {
        0 => Some(0),
        1 if case.faults.absent => None,
        // The repetition comes to the other server.
        _ => Some(1),
    }
}

impl State {
    pub(super) fn reaches(&self, server: usize) -> bool {
        self.reached || server != 0
    }

    /// `Cache::trusted`.
    pub(super) fn trusted(&self, case: &Case, server: usize) -> Option<Trusted> {
        let known = &self.servers[server];
        let valid = known.age < LEASE || case.without == Without::Lease;
        let any = case.without == Without::RedisIdentity;
        let redis = if any { Some(known.link) } else { known.lease };
        redis.filter(|_| valid).map(|redis| Trusted { epoch: known.epoch, redis })
    }

    pub(super) fn slot(&mut self, at: Trusted) -> &mut Slot {
        &mut self.redises[usize::from(at.redis)][usize::from(at.epoch)]
    }

    /// `trust::raise`.
    pub(super) fn raise(&mut self) -> Option<u8> {
        self.drawn += 1;
        (self.row.epoch, self.row.fresh) = (self.drawn, true);
        (usize::from(self.drawn) < EPOCHS).then_some(self.drawn)
    }

    /// Somebody holds the row, shared.
    pub(super) fn held(&self) -> bool {
        self.calls.iter().any(|call| matches!(call, Call::Held { .. }))
    }

    /// Somebody has the row of the key's version, from its first fence to its commit.
    pub(super) fn writing(&self) -> bool {
        let under_way = |call: &Call| matches!(call, Call::Fenced { .. } | Call::Held { .. });
        self.calls[..TWIN].iter().any(under_way)
    }

    pub(super) fn look(&mut self, case: &Case, server: usize) -> Option<()> {
        let link = self.reaches(server).then_some(self.servers[server].link);
        let any_redis = case.without == Without::RedisIdentity;
        let ours = self.row.ours || case.without == Without::PostgresqlIdentity;
        let agreed = |row: &Row| link.filter(|link| any_redis || row.redis == Some(*link));
        let mut lease = agreed(&self.row).filter(|_| ours);
        if let (Some(link), None, false) = (link, lease, self.held()) {
            // `trust::bind`.
            let fresh = self.row.fresh || self.row.redis.is_some();
            self.raise()?;
            self.row = Row { fresh, redis: Some(link), ours: true, ..self.row };
            lease = Some(link);
        }
        let known = &mut self.servers[server];
        if known.epoch != self.row.epoch {
            known.since = 0;
        }
        *known = Server { age: 0, epoch: self.row.epoch, lease, ..*known };
        Some(())
    }

    pub(super) fn get(&mut self, case: &Case, reader: usize) -> Option<()> {
        let Reader::Asked { must, trusted } = self.readers[reader] else { return None };
        let mark = u8::try_from(reader).ok()? + 1;
        let Some(mut at) = trusted.filter(|_| self.reaches(reader)) else {
            self.readers[reader] = Reader::Away { must };
            return Some(());
        };
        if case.without == Without::RedisIdentity {
            at.redis = self.servers[reader].link;
        }
        self.readers[reader] = match *self.slot(at) {
            Slot::Entry { facts, .. } => Reader::Done { must, facts },
            Slot::Fence { least, .. } => {
                if case.without != Without::OwnMark {
                    *self.slot(at) = Slot::Fence { least, mark };
                }
                Reader::Missed { must, at }
            }
            Slot::Empty => {
                if case.without != Without::Mark {
                    *self.slot(at) = Slot::Fence { least: 0, mark };
                }
                Reader::Missed { must, at }
            }
        };
        Some(())
    }

    pub(super) fn fill(&mut self, case: &Case, reader: usize) -> Option<()> {
        let Reader::Read { must, at, version, facts } = self.readers[reader] else { return None };
        let mark = u8::try_from(reader).ok()? + 1;
        self.readers[reader] = Reader::Done { must, facts };
        if !self.reaches(reader) {
            return Some(());
        }
        let slot = self.slot(at);
        let fills = match *slot {
            Slot::Empty => case.without == Without::Mark,
            Slot::Entry { .. } => false,
            Slot::Fence { least, mark: left } => {
                let any = case.without == Without::OwnMark && least > 0;
                let new = least <= version || case.without == Without::Version;
                // Without versions nothing tells a fence of a writer from none.
                (left == mark || any || case.without == Without::Version) && new
            }
        };
        if fills {
            *slot = Slot::Entry { version, facts };
        }
        Some(())
    }

    /// `Tx::void`, as far as the first fence.
    #[expect(clippy::unnecessary_wraps, reason = "every step may be impossible")]
    pub(super) fn fence(&mut self, case: &Case, call: usize) -> Option<()> {
        let least = match self.calls[call] {
            // What is settled again has its version already.
            Call::Crashed { committed: Some(change) } => change.version,
            _ => self.version + 1,
        };
        let server = server_of(case, call);
        let seen =
            server.and_then(|server| self.trusted(case, server).filter(|_| self.reaches(server)));
        if let Some(seen) = seen {
            raise(self.slot(seen), least);
        }
        self.calls[call] = Call::Fenced { seen };
        Some(())
    }

    /// `trust::hold`; where nothing was fenced, `trust::raise` and the commit.
    pub(super) fn hold(&mut self, case: &Case, call: usize) -> Option<()> {
        let Call::Fenced { seen } = self.calls[call] else { return None };
        let server = server_of(case, call);
        let Some(seen) = seen else {
            let free = server.is_none() && self.row.redis.is_none();
            if free || (server.is_none() && case.without == Without::Unbinding) {
                let rest = if self.row.fresh { WAIT } else { 0 };
                self.calls[call] = Call::Held { at: None, rest };
                return Some(());
            }
            if self.held() {
                return None;
            }
            let epoch = self.raise()?;
            if server.is_none() {
                self.row.redis = None;
            }
            let change = self.commit(call);
            self.calls[call] = Call::Waiting { ticks: WAIT, epoch, change };
            return Some(());
        };
        let any = [Without::RedisIdentity, Without::PostgresqlIdentity].contains(&case.without);
        if !(any || self.row.ours && self.row.redis == Some(seen.redis)) {
            self.refuse(call);
            return Some(());
        }
        let known = self.row.epoch == seen.epoch;
        let at = Trusted { epoch: self.row.epoch, ..seen };
        if !known {
            if !self.reaches(server?) {
                self.refuse(call);
                return Some(());
            }
            let again = self.first().filter(|_| call == TWIN);
            let least = again.map_or(self.version + 1, |change| change.version);
            raise(self.slot(at), least);
        }
        let rest = WAIT - if known { self.servers[server?].since } else { 0 };
        let rest = if self.row.fresh && case.without != Without::Calm { rest } else { 0 };
        self.calls[call] = Call::Held { at: Some(at), rest };
        Some(())
    }

    /// Nothing was done, and whoever asked is told so.
    pub(super) fn refuse(&mut self, call: usize) {
        self.calls[call] = Call::Crashed { committed: None };
    }

    /// The change of a call; a repetition has the one of the first call.
    pub(super) fn commit(&mut self, call: usize) -> Change {
        if call == TWIN {
            return self.first().unwrap_or(Change { version: 0, facts: 0 });
        }
        self.version += 1;
        self.changes += 1;
        self.facts = self.changes;
        Change { version: self.version, facts: self.facts }
    }

    /// What the first call has committed.
    pub(super) fn first(&self) -> Option<Change> {
        match self.calls[0] {
            Call::Committed { change, .. }
            | Call::Waiting { change, .. }
            | Call::Answered { change }
            | Call::Crashed { committed: Some(change) } => Some(change),
            _ => None,
        }
    }

    /// `Store::finish`, as far as the second fence.
    pub(super) fn finish(&mut self, case: &Case, call: usize) -> Option<()> {
        let Call::Committed { at, rest, change } = self.calls[call] else { return None };
        let server = server_of(case, call);
        let reached = server.is_none_or(|server| self.reaches(server));
        let mut wait = (rest, self.row.epoch);
        match at {
            Some(at) if reached => {
                if case.without != Without::SecondFence {
                    raise(self.slot(at), change.version);
                }
                wait.1 = at.epoch;
            }
            Some(_) if self.held() => return None,
            Some(_) => wait = (WAIT, self.raise()?),
            None => {}
        }
        self.calls[call] = Call::Waiting { ticks: wait.0, epoch: wait.1, change };
        Some(())
    }

    pub(super) fn answer(&mut self, call: usize) -> Option<()> {
        let Call::Waiting { epoch, change, .. } = self.calls[call] else { return None };
        if self.row.epoch == epoch {
            self.row.fresh = false;
        }
        self.answered = self.answered.max(change.facts);
        self.calls[call] = Call::Answered { change };
        Some(())
    }

    pub(super) fn restore(&mut self) {
        self.restored = true;
        // As it was when nothing had been written, but another PostgreSQL by now.
        self.changes += 1;
        (self.version, self.facts) = (1, self.changes);
        self.row = Row { epoch: 0, fresh: false, redis: Some(0), ours: false };
        // Whoever was in the middle lost its connection; what the first call stored is gone.
        for call in &mut self.calls {
            if !matches!(call, Call::Idle | Call::Answered { .. }) {
                *call = Call::Crashed { committed: None };
            }
        }
    }

    /// Forgets what can make no difference any more, so that fewer states are told apart.
    pub(super) fn forget(&mut self, case: &Case) {
        for server in &mut self.servers {
            if server.epoch != self.row.epoch || !self.row.fresh {
                server.since = WAIT;
            }
            if server.age >= LEASE && case.without != Without::Lease {
                (server.lease, server.epoch) = (None, u8::MAX);
            }
        }
        for reader in &mut self.readers {
            if let Reader::Done { must, facts } = reader
                && facts >= must
            {
                let seen = (*must).min(2);
                (*must, *facts) = (seen, seen);
            }
        }
        let twin = case.faults.twin && matches!(self.calls[TWIN], Call::Idle);
        for (call, at) in self.calls.iter_mut().enumerate() {
            if matches!(at, Call::Crashed { .. } | Call::Answered { .. }) && !(twin && call == 0) {
                *at = Call::Crashed { committed: None };
            }
        }
        let restored = case.faults.restore && !self.restored;
        for epoch in 0..u8::try_from(EPOCHS).unwrap_or(0) {
            let by_server = self.servers.iter().any(|server| server.epoch == epoch);
            let by_reader = self.readers.iter().any(|reader| match reader {
                Reader::Asked { trusted, .. } => trusted.is_some_and(|at| at.epoch == epoch),
                Reader::Missed { at, .. } | Reader::Read { at, .. } => at.epoch == epoch,
                _ => false,
            });
            let kept = epoch == self.row.epoch || (epoch == 0 && restored);
            if !(by_server || by_reader || kept) {
                for redis in &mut self.redises {
                    redis[usize::from(epoch)] = Slot::Empty;
                }
            }
        }
    }

    pub(super) fn tick(&mut self) {
        for server in &mut self.servers {
            server.age = (server.age + 1).min(LEASE);
            server.since = (server.since + 1).min(WAIT);
        }
        for call in &mut self.calls {
            if let Call::Waiting { ticks, .. } = call {
                *ticks = ticks.saturating_sub(1);
            }
        }
    }
}
