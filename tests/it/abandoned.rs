//! Calls that are given up, by a deadline or by a reset, leave nothing behind: no open transaction, no
//! failure of anybody else's call, no answer from the past.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
    time::{Duration, Instant},
};

use futures::{
    future::join_all,
    stream::{self, StreamExt as _},
};
use jingqi::surface::{
    id::{Id, kind},
    service::pb::{self, pass_check::Verdict},
    store::{self, Cache, Store, Vault},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tonic::{Code, Request, Status};

use crate::harness::{App, City, PLATE, User, Wish, request_id, to};

/// Of the mends, which are in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mends {
    /// The store does its work to its end.
    to_its_end: bool,
    /// A connection that comes back is proven outside a transaction.
    proven: bool,
}

const ALL: Mends = Mends { to_its_end: true, proven: true };
const NONE: Mends = Mends { to_its_end: false, proven: false };

/// A pool on the same database, without the times after which PostgreSQL itself cleans up.
fn pool_of(pool: &PgPool, mends: Mends, connections_max: u32) -> PgPool {
    let options = PgPoolOptions::new().max_connections(connections_max);
    let options = if mends.proven { store::proven(options) } else { options };
    options.connect_lazy_with((*pool.connect_options()).clone())
}

/// Connections of this database, but our own, in a state.
async fn connections(pool: &PgPool, state: &str) -> i64 {
    let text = "select count(*) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and state like $1";
    sqlx::query_scalar(text).bind(state).fetch_one(pool).await.unwrap()
}

/// How many connections stay inside a transaction when everybody has come to rest: what was sent may not
/// have been read, so that one look is none.
async fn left_open(pool: &PgPool, within: Duration) -> i64 {
    let (until, mut calm) = (Instant::now() + within, 0);
    loop {
        let open = connections(pool, "idle in transaction%").await;
        calm = if open == 0 && connections(pool, "active").await == 0 { calm + 1 } else { 0 };
        if calm == 5 || Instant::now() > until {
            return open;
        }
        tokio::task::yield_now().await;
    }
}

/// Lets a future take so many steps, and drops it.
async fn cut(steps: usize, work: impl Future) {
    let (mut work, mut taken) = (Box::pin(work), 0);
    poll_fn(|context| {
        taken += 1;
        match work.as_mut().poll(context) {
            Poll::Pending if taken < steps => Poll::Pending,
            _ => Poll::Ready(()),
        }
    })
    .await;
}

// Each of the two mends is enough by itself, and without both a begin that is cut stays open.
#[sqlx::test]
async fn a_begin_that_is_cut_leaves_no_transaction_open(pool: PgPool) {
    for (to_its_end, proven) in [(true, true), (true, false), (false, true), (false, false)] {
        let mends = Mends { to_its_end, proven };
        let own = pool_of(&pool, mends, 4);
        let store = Store::new(own.clone(), Cache::Absent, Vault::new(&[7; 32]).unwrap());
        let store = if to_its_end { store } else { store.droppable() };
        // A connection that is still being made is nobody's yet.
        join_all((0..4).map(|_| own.acquire())).await.into_iter().for_each(|it| drop(it.unwrap()));
        let mut open = 0;
        // Without a mend one is found for certain: it is looked for until then.
        let cuts = if mends == NONE { 480 } else { 24 };
        for steps in (1..=6).cycle().take(cuts) {
            cut(steps, store.snapshot()).await;
            // Whoever comes next may end it, or be harmed by it.
            open = open.max(left_open(&pool, Duration::from_millis(200)).await);
            if open > 0 {
                break;
            }
        }
        assert_eq!(open > 0, mends == NONE, "{open} open with {mends:?}");
        own.close().await;
    }
}

// The word of PostgreSQL counts, and not the count of the library, which knows nothing of these.
#[sqlx::test]
async fn a_connection_that_comes_back_inside_a_transaction_is_closed(pool: PgPool) {
    let own = pool_of(&pool, ALL, 1);
    for (statements, kept) in [
        ("select 1", true),
        ("begin; commit", true),
        ("begin", false),
        ("begin isolation level repeatable read; select 1", false),
        ("begin; select 1 / 0", false),
        ("begin; savepoint one", false),
    ] {
        let mut connection = own.acquire().await.unwrap();
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let _ = sqlx::raw_sql(statements).execute(&mut *connection).await;
        drop(connection);
        let mut connection = own.acquire().await.unwrap();
        let after: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        assert_eq!(after == pid, kept, "{statements}");
        // What it reads is of now.
        let now = "select now() = statement_timestamp() as now";
        let row = sqlx::raw_sql(now).fetch_one(&mut *connection).await.unwrap();
        assert!(sqlx::Row::get::<bool, _>(&row, "now"), "{statements}");
    }
    own.close().await;
}

// A unit of work that is cut between its commit and the voiding of the caches could leave facts of the past
// in them: a commit that began is carried to its end.
#[sqlx::test]
async fn a_commit_goes_to_its_end_although_whoever_waits_for_it_is_gone(pool: PgPool) {
    let app = App::start(pool).await;
    let key = store::identity::actors::key(&app.user(app.person().await).await.name);
    for steps in (1..=8).cycle().take(32) {
        let before = app.count(VERSION).await;
        let mut tx = app.parts.store.begin(&app.cx()).await.unwrap();
        tx.touch(key.clone());
        cut(steps, tx.commit()).await;
        let until = Instant::now() + Duration::from_secs(5);
        while app.count(VERSION).await == before {
            assert!(Instant::now() < until, "cut after {steps} steps");
        }
    }
}

const VERSION: &str = "select coalesce(sum(version), 0)::bigint from standing";

/// What went wrong for those who gave nothing up.
#[derive(Debug, Default)]
struct Found {
    /// A suspension was answered, and then a check said VALID.
    stale: AtomicUsize,
    /// A session was ended, and then its call was accepted.
    accepted: AtomicUsize,
    /// Anybody was told that the fault is ours.
    internal: AtomicUsize,
}

impl Found {
    fn look<T>(&self, answer: &Result<T, Status>) {
        if answer.as_ref().is_err_and(|status| status.code() == Code::Internal) {
            self.internal.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn add(counted: &AtomicUsize, wrong: bool) {
        counted.fetch_add(usize::from(wrong), Ordering::Relaxed);
    }

    /// What was found, and the transactions that were left open.
    fn told(&self, open: i64) -> String {
        let of = |counted: &AtomicUsize| counted.load(Ordering::Relaxed);
        format!(
            "{} stale, {} accepted, {} internal, {open} open",
            of(&self.stale),
            of(&self.accepted),
            of(&self.internal)
        )
    }
}

/// Two servers on one database and one Redis, each with connections of its own.
struct Pair {
    app: App,
    city: City,
    pool: PgPool,
    pools: [PgPool; 2],
    addresses: [std::net::SocketAddr; 2],
    found: Found,
    over: AtomicBool,
}

/// Calls that are given up by deadline, of each burst; and so many by reset.
const LATE: usize = 40;
const RESET: usize = 10;
/// So many at once: with more, most would be given up before they have a connection.
const IN_FLIGHT: usize = 6;

impl Pair {
    async fn start(pool: &PgPool, mends: Mends, without_redis: bool) -> Self {
        let pools = [pool_of(pool, mends, 8), pool_of(pool, mends, 8)];
        let wish = Wish { droppable: !mends.to_its_end, without_redis, ..Wish::default() };
        let app = App::wished(pools[0].clone(), wish).await;
        let second = app.another_wished(pools[1].clone(), wish).await;
        let addresses = [app.address, second];
        let city = app.city().await;
        let (found, over) = (Found::default(), AtomicBool::new(false));
        Self { app, city, pool: pool.clone(), pools, addresses, found, over }
    }

    /// Calls that are given up after 0 to 6 ms: as many bursts as are asked for, each after the facts about
    /// who calls were voided, so that the gate must ask PostgreSQL; or until it is enough.
    async fn abandon(&self, bursts: usize, enough: impl AsyncFn() -> bool) {
        let mut people = Vec::new();
        for _ in 0..4 {
            people.push(self.app.user(self.app.person().await).await);
        }
        let refresh_token = crate::identity::wechat(&self.app, "giver-up").await.refresh_token;
        // With connections of its own, which nobody has spoilt.
        let cache = self.app.parts.store.cache().clone();
        let quiet = Store::new(self.pool.clone(), cache, Vault::new(&[42; 32]).unwrap());
        for burst in 0..bursts {
            let person = &people[burst % people.len()];
            let mut tx = quiet.begin(&self.app.cx()).await.unwrap();
            tx.touch(store::identity::actors::key(&person.name));
            tx.touch(store::identity::actors::key(&self.city.device.name));
            tx.commit().await.unwrap();
            let at = self.addresses[burst % 2];
            let calls = Calls {
                person: person.at(at).identity(),
                device: self.city.device.at(at).checks(),
                anonymous: User { address: at, ..self.app.anonymous() }.identity(),
                refresh_token: refresh_token.clone(),
            };
            let given_up = (0..LATE + RESET).map(|number| {
                let patience = (burst * 31 + number * 7_919) % 6_001;
                let patience = Duration::from_micros(u64::try_from(patience).unwrap());
                let mut calls = calls.clone();
                async move {
                    let answer = if number < LATE {
                        calls.one(number, Some(patience)).await
                    } else {
                        match tokio::time::timeout(patience, calls.one(number, None)).await {
                            Ok(answer) => answer,
                            Err(_) => return,
                        }
                    };
                    self.found.look(&answer);
                }
            });
            stream::iter(given_up).buffer_unordered(IN_FLIGHT).collect::<()>().await;
            if enough().await {
                break;
            }
        }
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whoever waits for each answer, and asks again where nobody could answer.
    async fn patient<T>(&self, call: impl AsyncFn() -> Result<T, Status>) -> Result<T, Status> {
        let mut answer = call().await;
        for _ in 0..50 {
            self.found.look(&answer);
            match &answer {
                Err(status)
                    if matches!(
                        status.code(),
                        Code::Unavailable | Code::Internal | Code::Aborted
                    ) => {}
                _ => break,
            }
            answer = call().await;
        }
        answer
    }

    /// Suspends and resumes a pass as long as others give up; a check after an answered suspension must
    /// not say VALID, at either server.
    async fn suspend(&self) {
        let pass = self.city.pass(&self.app).await;
        let mut round = 0;
        while !self.over.load(Ordering::Relaxed) || round < 5 {
            round += 1;
            let desk = self.city.first.at(self.addresses[round % 2]);
            let end = |pass: &pb::TruckPass, reason: &str| pb::EndTruckPassRequest {
                name: pass.name.clone(),
                reason_code: reason.to_owned(),
                note: "依据调查结果".to_owned(),
                etag: pass.etag.clone(),
                request_id: request_id(),
            };
            let read = pb::GetTruckPassRequest { name: pass.name.clone() };
            let read = async || desk.call(read.clone()).await;
            let now = self.patient(read).await.unwrap();
            let suspend = end(&now, "UNDER_INVESTIGATION");
            let suspended = async || desk.call(to::SuspendTruckPass(suspend.clone())).await;
            let suspended = self.patient(suspended).await.unwrap();
            for at in self.addresses {
                let check = async || self.city.device.at(at).call(plate()).await;
                let told = self.patient(check).await.unwrap();
                Found::add(&self.found.stale, told.verdict() == Verdict::Valid);
            }
            let resume = end(&suspended, "CAUSE_REMOVED");
            let resumed = async || desk.call(to::ResumeTruckPass(resume.clone())).await;
            self.patient(resumed).await.unwrap();
        }
    }

    /// Ends sessions as long as others give up; a call of an ended one must not be accepted.
    async fn end_sessions(&self) {
        let person: Id<kind::Person> = self.app.person().await;
        let mut round = 0;
        while !self.over.load(Ordering::Relaxed) || round < 5 {
            round += 1;
            let (old, kept) = (self.app.user(person).await, self.app.user(person).await);
            let account = async |user: &User| {
                let asked = async || user.call(pb::GetAccountRequest {}).await;
                self.patient(asked).await
            };
            for at in self.addresses {
                account(&old.at(at)).await.unwrap();
            }
            let kept = kept.at(self.addresses[round % 2]);
            let request = pb::RevokeOtherSessionsRequest {};
            let ended = async || kept.call(request).await;
            self.patient(ended).await.unwrap();
            for at in self.addresses {
                let accepted = account(&old.at(at)).await;
                Found::add(&self.found.accepted, accepted.is_ok());
            }
        }
    }

    async fn end(self) {
        self.app.stop();
        for pool in &self.pools {
            pool.close().await;
        }
    }
}

fn plate() -> pb::CheckPassRequest {
    let observed = pb::check_pass_request::Observed::PlateNumber(PLATE.to_owned());
    pb::CheckPassRequest { observed: Some(observed), ..Default::default() }
}

type Wire = tonic::service::interceptor::InterceptedService<
    tonic::transport::Channel,
    crate::harness::Bearer,
>;

/// The calls that are given up, on connections of their own.
#[derive(Clone)]
struct Calls {
    person: pb::identity_service_client::IdentityServiceClient<Wire>,
    device: pb::pass_check_service_client::PassCheckServiceClient<Wire>,
    anonymous: pb::identity_service_client::IdentityServiceClient<Wire>,
    refresh_token: String,
}

impl Calls {
    /// A check, a read, a write, a sign-in: in turn.
    async fn one(&mut self, number: usize, within: Option<Duration>) -> Result<(), Status> {
        fn asked<T>(message: T, within: Option<Duration>) -> Request<T> {
            let mut request = Request::new(message);
            if let Some(within) = within {
                request.set_timeout(within);
            }
            request
        }
        match number % 5 {
            0 => self.device.check_pass(asked(plate(), within)).await.map(drop),
            1 | 2 => {
                let request = asked(pb::GetAccountRequest {}, within);
                self.person.get_account(request).await.map(drop)
            }
            3 => {
                let request = asked(pb::RevokeOtherSessionsRequest {}, within);
                self.person.revoke_other_sessions(request).await.map(drop)
            }
            _ => {
                let refresh_token = self.refresh_token.clone();
                let request = asked(pb::RefreshSessionRequest { refresh_token }, within);
                self.anonymous.refresh_session(request).await.map(drop)
            }
        }
    }
}

// 2,000 calls with a deadline and 500 resets, while others wait for their answers.
#[sqlx::test]
async fn calls_that_are_given_up_leave_nothing_behind(pool: PgPool) {
    let pair = Pair::start(&pool, ALL, false).await;
    tokio::join!(pair.abandon(50, async || false), pair.suspend(), pair.end_sessions());
    let open = left_open(&pool, Duration::from_secs(5)).await;
    assert_eq!(pair.found.told(open), "0 stale, 0 accepted, 0 internal, 0 open");
    pair.end().await;
}

// The control: a storm that finds nothing where everything is broken would prove nothing. Without Redis
// the gate asks PostgreSQL for each call.
#[sqlx::test]
async fn without_the_mends_the_storm_is_felt(pool: PgPool) {
    let pair = Pair::start(&pool, NONE, true).await;
    let felt = async || {
        pair.found.internal.load(Ordering::Relaxed) > 0
            || left_open(&pool, Duration::from_millis(300)).await > 0
    };
    pair.abandon(50, felt).await;
    assert!(felt().await);
    pair.end().await;
}
