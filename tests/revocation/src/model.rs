//! The protocol of `store/settle.rs`, `store/cache.rs`, `store/link.rs` and `store/world.rs` as states and
//! steps, for a search of every order in which they can happen. Each `await` is a step of its own; facts
//! are the number of the change that made them. What must hold (I1): a check that began after a change was
//! answered tells of that change, or of a later one.

mod steps;

use stateright::{Model, Property};

/// For how many ticks a lease lasts, and the wait after which every older one has run out.
const LEASE: u8 = 1;
const WAIT: u8 = 2;
/// Servers, each with one reader; Redises behind one address; epochs that are told apart.
const SERVERS: usize = 2;
const REDISES: usize = 2;
const EPOCHS: usize = 4;
/// Two writes, and a repetition of the first one.
const CALLS: usize = 3;
const TWIN: usize = 2;

/// What is done to the servers, to Redis and to PostgreSQL.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The first writer dies after its commit.
    pub crash: bool,
    /// The first call is sent once more, through the other server.
    pub twin: bool,
    /// Redis loses everything.
    pub flush: bool,
    /// The first server cannot reach Redis for a while.
    pub cut: bool,
    /// A replica takes over that has not got everything.
    pub failover: bool,
    /// PostgreSQL is put back to how it was.
    pub restore: bool,
    /// The second writer has no Redis.
    pub absent: bool,
    /// There is a second writer.
    pub second: bool,
    /// How often each reader asks.
    pub checks: u8,
}

/// What is taken out of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Without {
    /// Nothing.
    #[default]
    Nothing,
    /// A server trusts its epoch for ever.
    Lease,
    /// Who raises the epoch answers at once.
    Wait,
    /// A reader fills whatever the fence says.
    Version,
    /// A reader who finds nothing leaves no mark, and fills.
    Mark,
    /// No fence after the commit.
    SecondFence,
    /// The stored answer is told at once (F1).
    Settling,
    /// Who follows a raised epoch answers at once (F2).
    Calm,
    /// A fence with a version lets anybody fill (F3).
    OwnMark,
    /// Any Redis behind the address is trusted (O1).
    RedisIdentity,
    /// Any PostgreSQL is trusted (O1).
    PostgresqlIdentity,
    /// A server without Redis changes what others trust (O1).
    Unbinding,
}

/// A case: what happens, and what is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Case {
    /// What happens.
    pub faults: Faults,
    /// What is missing.
    pub without: Without,
}

/// What stands under the key in one epoch of one Redis. A version is what PostgreSQL counts; after a
/// restore it counts again, for other facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Empty,
    Entry {
        version: u8,
        facts: u8,
    },
    /// The least version that may be filled, and the reader who left a mark: 0 is nobody.
    Fence {
        least: u8,
        mark: u8,
    },
}

type Redis = [Slot; EPOCHS];

/// The row `cache_epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    epoch: u8,
    fresh: bool,
    /// The Redis with which the epoch was agreed.
    redis: Option<u8>,
    /// Whether it was agreed with this PostgreSQL.
    ours: bool,
}

/// What a server may rely on: an epoch, and the Redis at the other end of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Trusted {
    epoch: u8,
    redis: u8,
}

/// What a server knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Server {
    /// The Redis to which its connection leads.
    link: u8,
    /// Ticks since the look began, and since it first knew of the epoch.
    age: u8,
    since: u8,
    epoch: u8,
    /// The Redis over whose link the lease runs, if any.
    lease: Option<u8>,
}

/// A check: from its question to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reader {
    Idle,
    Asked {
        must: u8,
        trusted: Option<Trusted>,
    },
    /// It may fill there.
    Missed {
        must: u8,
        at: Trusted,
    },
    Away {
        must: u8,
    },
    Read {
        must: u8,
        at: Trusted,
        version: u8,
        facts: u8,
    },
    Done {
        must: u8,
        facts: u8,
    },
}

/// What is changed, as PostgreSQL counts it and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Change {
    version: u8,
    facts: u8,
}

/// A call that writes, or is settled again: `Tx::settle` and `Store::settle_again`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Idle,
    /// Fenced before the commit, in the epoch that its server trusted; none: it will raise the epoch.
    Fenced {
        seen: Option<Trusted>,
    },
    /// Holds the row until its commit. `rest`: so many ticks an older lease may still run.
    Held {
        at: Option<Trusted>,
        rest: u8,
    },
    /// Committed, and not yet fenced once more.
    Committed {
        at: Option<Trusted>,
        rest: u8,
        change: Change,
    },
    /// Waits for older leases, in an epoch that it then calms.
    Waiting {
        ticks: u8,
        epoch: u8,
        change: Change,
    },
    Answered {
        change: Change,
    },
    Crashed {
        committed: Option<Change>,
    },
}

/// Everything.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    version: u8,
    facts: u8,
    /// Changes so far: facts are numbered by them.
    changes: u8,
    row: Row,
    /// The last epoch that was drawn: none is ever drawn twice.
    drawn: u8,
    redises: [Redis; REDISES],
    /// Which Redis stands behind the address.
    address: u8,
    servers: [Server; SERVERS],
    readers: [Reader; SERVERS],
    asked: [u8; SERVERS],
    calls: [Call; CALLS],
    /// The last change that was answered.
    answered: u8,
    /// The first server reaches Redis.
    reached: bool,
    cut: bool,
    flushed: bool,
    copied: bool,
    restored: bool,
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Time passes.
    Tick,
    /// `World::look`: a server reads the row and asks who Redis is; agrees on a new epoch where they differ.
    Look(usize),
    /// A server's connection breaks, and it makes another.
    Connect(usize),
    /// A check begins: `Cache::trusted`.
    Ask(usize),
    /// `Cache::get`.
    Get(usize),
    /// The reading of PostgreSQL.
    Read(usize),
    /// `Cache::fill`.
    Fill(usize),
    /// The next check.
    Forget(usize),
    /// `Tx::void`: the first fence.
    Fence(usize),
    /// `trust::hold`, or `trust::raise` and the commit with it.
    Hold(usize),
    /// The commit.
    Commit(usize),
    /// `Store::finish`: the second fence.
    Finish(usize),
    /// The answer.
    Answer(usize),
    /// The same request once more.
    Repeat,
    Crash,
    Flush,
    Cut,
    Heal,
    /// The replica gets everything that the other one has.
    Copy,
    Failover,
    Restore,
}

impl Case {
    fn calls(&self, state: &State, steps: &mut Vec<Step>) {
        for (call, at) in state.calls.iter().enumerate() {
            match at {
                Call::Idle if call < TWIN && !state.writing() => {
                    let second = self.faults.second && !matches!(state.calls[0], Call::Idle);
                    if call == 0 || second {
                        steps.push(Step::Fence(call));
                    }
                }
                Call::Fenced { .. } => steps.push(Step::Hold(call)),
                Call::Held { .. } => steps.push(Step::Commit(call)),
                Call::Committed { .. } => steps.push(Step::Finish(call)),
                Call::Waiting { ticks, .. } if *ticks == 0 || self.without == Without::Wait => {
                    steps.push(Step::Answer(call));
                }
                _ => {}
            }
        }
        let first = state.first().is_some();
        if self.faults.twin && first && matches!(state.calls[TWIN], Call::Idle) {
            steps.push(Step::Repeat);
        }
        let dies = matches!(state.calls[0], Call::Committed { .. } | Call::Waiting { .. });
        if self.faults.crash && dies {
            steps.push(Step::Crash);
        }
    }

    fn happenings(&self, state: &State, steps: &mut Vec<Step>) {
        let faults = self.faults;
        if faults.flush && !state.flushed {
            steps.push(Step::Flush);
        }
        if faults.cut {
            match (state.reached, state.cut) {
                (true, false) => steps.push(Step::Cut),
                (false, _) => steps.push(Step::Heal),
                _ => {}
            }
        }
        if faults.failover && state.address == 0 {
            if !state.copied {
                steps.push(Step::Copy);
            }
            steps.push(Step::Failover);
        }
        if faults.restore && !state.restored {
            steps.push(Step::Restore);
        }
    }
}

impl Model for Case {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        // An old entry stands in the epoch in force: what was read before anything happened.
        let mut redis = [Slot::Empty; EPOCHS];
        redis[0] = Slot::Entry { version: 1, facts: 1 };
        let server = Server { link: 0, age: LEASE, since: WAIT, epoch: 0, lease: Some(0) };
        vec![State {
            version: 1,
            facts: 1,
            changes: 1,
            row: Row { epoch: 0, fresh: false, redis: Some(0), ours: true },
            drawn: 0,
            redises: [redis, [Slot::Empty; EPOCHS]],
            address: 0,
            servers: [server; SERVERS],
            readers: [Reader::Idle; SERVERS],
            asked: [0; SERVERS],
            calls: [Call::Idle; CALLS],
            answered: 1,
            reached: true,
            cut: false,
            flushed: false,
            copied: false,
            restored: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        let ended = |reader: &Reader| matches!(reader, Reader::Done { .. });
        let asked = state.asked.iter().all(|asked| *asked >= self.faults.checks);
        if asked && state.readers.iter().all(ended) {
            return;
        }
        let waits = |call: &Call| matches!(call, Call::Waiting { ticks: 1.., .. });
        let runs = |server: &Server| server.age < LEASE || (state.row.fresh && server.since < WAIT);
        if state.servers.iter().any(runs) || state.calls.iter().any(waits) {
            steps.push(Step::Tick);
        }
        for server in 0..SERVERS {
            let known = &state.servers[server];
            if known.age > 0 {
                steps.push(Step::Look(server));
            }
            if known.link != state.address && state.reaches(server) {
                steps.push(Step::Connect(server));
            }
            match state.readers[server] {
                Reader::Idle => steps.push(Step::Ask(server)),
                Reader::Asked { .. } => steps.push(Step::Get(server)),
                Reader::Missed { .. } | Reader::Away { .. } => steps.push(Step::Read(server)),
                Reader::Read { .. } => steps.push(Step::Fill(server)),
                Reader::Done { .. } => {
                    if state.asked[server] < self.faults.checks {
                        steps.push(Step::Forget(server));
                    }
                }
            }
        }
        self.calls(state, steps);
        self.happenings(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Tick => state.tick(),
            Step::Look(server) => state.look(self, server)?,
            Step::Connect(server) => {
                state.servers[server].link = state.address;
            }
            Step::Ask(reader) => {
                let trusted = state.trusted(self, reader);
                state.asked[reader] += 1;
                state.readers[reader] = Reader::Asked { must: state.answered, trusted };
            }
            Step::Get(reader) => state.get(self, reader)?,
            Step::Read(reader) => {
                let (version, facts) = (state.version, state.facts);
                state.readers[reader] = match state.readers[reader] {
                    Reader::Missed { must, at } => Reader::Read { must, at, version, facts },
                    Reader::Away { must } => Reader::Done { must, facts },
                    _ => return None,
                };
            }
            Step::Fill(reader) => state.fill(self, reader)?,
            Step::Forget(reader) => state.readers[reader] = Reader::Idle,
            Step::Fence(call) => state.fence(self, call)?,
            Step::Hold(call) => state.hold(self, call)?,
            Step::Commit(call) => {
                let Call::Held { at, rest } = state.calls[call] else { return None };
                let change = state.commit(call);
                state.calls[call] = Call::Committed { at, rest, change };
            }
            Step::Finish(call) => state.finish(self, call)?,
            Step::Answer(call) => state.answer(call)?,
            Step::Repeat => {
                let change = state.first()?;
                let settled = matches!(state.calls[0], Call::Answered { .. });
                if settled || self.without == Without::Settling {
                    state.answered = state.answered.max(change.facts);
                    state.calls[TWIN] = Call::Answered { change };
                } else {
                    state.calls[TWIN] = Call::Crashed { committed: Some(change) };
                    state.fence(self, TWIN)?;
                }
            }
            Step::Crash => state.calls[0] = Call::Crashed { committed: state.first() },
            Step::Flush => {
                state.redises[usize::from(state.address)] = [Slot::Empty; EPOCHS];
                state.flushed = true;
            }
            Step::Cut => (state.reached, state.cut) = (false, true),
            Step::Heal => state.reached = true,
            Step::Copy => {
                state.redises[1] = state.redises[0];
                state.copied = true;
            }
            Step::Failover => state.address = 1,
            Step::Restore => state.restore(),
        }
        state.forget(self);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("I1", |_, state: &State| {
                let late = |reader: &Reader| matches!(reader, Reader::Done { must, facts } if facts < must);
                !state.readers.iter().any(late)
            }),
            Property::sometimes(
                "an entry of after an answered change is told",
                |_, state: &State| {
                    let told = |reader: &Reader| matches!(reader, Reader::Done { must: 2.., .. });
                    state.readers.iter().any(told)
                },
            ),
        ]
    }
}
