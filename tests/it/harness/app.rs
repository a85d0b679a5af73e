//! The server of a test and everything around it: database, Redis prefix, a clock that is moved by hand,
//! a stand-in for WeChat; other servers on the same database, and the workers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    address::Proxies,
    clock::{Clock, Ids, ManualClock},
    context::Cx,
    domain::{common::notice::fields::Templates, pass::policy::PolicyValues},
    parts::Parts,
    remote::{Limits, Secret, sms::Sms, webhook::Webhooks, wechat::Wechat, wecom::Wecom},
    sandbox,
    server::{self, Doors, Doorway},
    store::{Cache, Store, Vault, World, identity::signing_keys, pass::policies},
    web::LineLimits,
    worker::Worker,
};
use object_store::local::LocalFileSystem;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The instant at which every test begins: a Tuesday, 10:30 in Suqian, outside the peaks.
pub const START: &str = "2026-11-24T10:30:00+08:00";
/// The templates that are filed at WeChat.
const TEMPLATES: &str = "pass-application=T-application;pass=T-pass;complaint=T-complaint;\
    enterprise=T-enterprise;message=T-message;evaluation=T-evaluation;digest=T-digest";
const MASTER_KEY: [u8; 32] = [42; 32];
static SEED: AtomicU64 = AtomicU64::new(1);

/// A running server and everything around it.
pub struct App {
    pub clock: ManualClock,
    pub parts: Parts,
    pub address: SocketAddr,
    /// Where the line of mini-programs listens.
    pub web: SocketAddr,
    pub sandbox: SocketAddr,
    pub prefix: String,
    stop: CancellationToken,
    files: TempDir,
}

/// A folder that goes away with the test.
struct TempDir(std::path::PathBuf);

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How a test wants its server.
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
#[derive(Clone, Copy, Default)]
pub struct Wish {
    /// Runs without Redis.
    pub without_redis: bool,
    /// Who may come in; the default of the product.
    pub doorway: Option<Doorway>,
    /// The tests' own machine is a proxy whose word is taken.
    pub behind_proxy: bool,
    /// What one line may take; the default of the product.
    pub line: Option<LineLimits>,
    /// The database holds a world already; ids are made from this seed.
    pub twin: Option<u64>,
    /// Keys sign as long as they do in the product.
    pub mortal_keys: bool,
    /// Everybody may do a thousand times as much as in the product.
    pub unlimited: bool,
    /// Work of the store is cut where its caller gives up: a control.
    pub droppable: bool,
}

impl App {
    /// A server on the database.
    pub async fn start(pool: PgPool) -> Self {
        Self::wished(pool, Wish::default()).await
    }

    /// A server as the test wants it.
    pub async fn wished(pool: PgPool, wish: Wish) -> Self {
        let clock = ManualClock::at(START.parse().unwrap());
        let stop = CancellationToken::new();
        let prefix = format!("test:{}:", Uuid::from_u128(rand_bits()));
        let files =
            TempDir(std::env::temp_dir().join(format!("jingqi-{}", prefix.replace(':', "-"))));
        std::fs::create_dir_all(&files.0).unwrap();
        let sandbox = start_sandbox(clock.clone(), stop.clone()).await;
        let parts = parts(pool, &clock, sandbox, &prefix, &files.0, wish);
        let ids = parts.ids.clone();
        let quiet = parts.store.clone().before_serving();
        parts.store.cache().answers().await;
        signing_keys::ensure(&quiet, clock.now(), &ids).await.unwrap();
        // Tests move the clock by months; keys that live as long keep them short.
        if !wish.mortal_keys {
            sqlx::query(
                "update signing_key set sign_until = '2031-01-01', verify_until = '2032-06-01'",
            )
            .execute(parts.store.pool())
            .await
            .unwrap();
        }
        if wish.twin.is_none() {
            base_policy(&parts).await;
        }
        let (address, web) = serve(parts.clone(), wish, stop.clone()).await;
        Self { clock, parts, address, web, sandbox, prefix, stop, files }
    }

    /// Another server on the same database and the same Redis, with a memory of its own.
    pub async fn another(&self) -> SocketAddr {
        self.another_with_line().await.0
    }

    /// The same, and where its line listens.
    pub async fn another_with_line(&self) -> (SocketAddr, SocketAddr) {
        let wish = Wish::default();
        let pool = self.parts.store.pool().clone();
        let parts = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        serve(parts, wish, self.stop.clone()).await
    }

    /// Another server on the same database, with a clock of its own, and its parts.
    pub async fn another_with_clock(&self, clock: Clock) -> (SocketAddr, Parts) {
        let wish = Wish::default();
        let pool = self.parts.store.pool().clone();
        let other = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        let other = Parts { clock, ..other };
        (serve(other.clone(), wish, self.stop.clone()).await.0, other)
    }

    /// Another server that holds no more connections to the database than this pool.
    pub async fn another_with_pool(&self, pool: PgPool) -> SocketAddr {
        self.another_wished(pool, Wish::default()).await
    }

    /// The same, as the test wants it.
    pub async fn another_wished(&self, pool: PgPool, wish: Wish) -> SocketAddr {
        let parts = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        serve(parts, wish, self.stop.clone()).await.0
    }

    /// The parts of another server on this database, with a cache of its own; nobody serves with them.
    pub fn parts_with_cache(&self, pool: PgPool, cache: Cache) -> Parts {
        let wish = Wish { without_redis: true, ..Wish::default() };
        let other = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        Parts { store: Store::new(other.store.pool().clone(), cache, vault()), ..other }
    }

    /// Another server on this database, with a cache of its own, and its parts.
    pub async fn another_with_cache(&self, pool: PgPool, cache: Cache) -> (SocketAddr, Parts) {
        let other = self.parts_with_cache(pool, cache);
        (serve(other.clone(), Wish::default(), self.stop.clone()).await.0, other)
    }

    /// Does everything that the workers have to do now, with ids of their own: the same in a twin,
    /// whatever else has drawn from the twin's.
    pub async fn run_workers_aside(&self) {
        let wish = Wish { twin: Some(78), ..Wish::default() };
        let pool = self.parts.store.pool().clone();
        let parts = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        Worker::new(parts).run_once().await.unwrap();
    }

    /// The folder of attachments.
    pub fn folder(&self) -> &std::path::Path {
        &self.files.0
    }

    /// Tells every server to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock.
    pub fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }

    /// Does everything that the workers have to do now.
    pub async fn run_workers(&self) {
        Worker::new(self.parts.clone()).run_once().await.unwrap();
    }

    /// A context of the harness itself.
    pub fn cx(&self) -> Cx {
        Cx::job("test", self.now(), self.parts.ids.clone())
    }

    /// Runs one statement of the test's own.
    pub async fn sql(&self, text: &str) -> u64 {
        let text = sqlx::AssertSqlSafe(text.to_owned());
        sqlx::query(text).execute(self.parts.store.pool()).await.unwrap().rows_affected()
    }

    /// Reads one number.
    pub async fn count(&self, text: &str) -> i64 {
        let text = sqlx::AssertSqlSafe(text.to_owned());
        sqlx::query_scalar(text).fetch_one(self.parts.store.pool()).await.unwrap()
    }

    /// Lets the server look at keys, zones and policies now instead of within its lease.
    pub async fn look(&self) {
        self.parts.world.look(&self.parts.store).await.unwrap();
    }
}

fn vault() -> Vault {
    Vault::new(&MASTER_KEY).unwrap()
}

fn rand_bits() -> u128 {
    u128::from_le_bytes(Ids::system().bytes())
}

fn parts(
    pool: PgPool,
    clock: &ManualClock,
    sandbox: SocketAddr,
    prefix: &str,
    files: &std::path::Path,
    wish: Wish,
) -> Parts {
    let redis = std::env::var("REDIS_URL").unwrap_or_default();
    let cache = if wish.without_redis || redis.is_empty() {
        Cache::Absent
    } else {
        Cache::connect(&redis, prefix).unwrap()
    };
    let base = format!("http://{sandbox}");
    let secret = Secret::new(sandbox::wechat::SECRET);
    let wechat = Wechat::new(&base, sandbox::wechat::APPID, secret, Limits::default()).unwrap();
    let secret = Secret::new(sandbox::wecom::SECRET);
    let wecom = Wecom::new(&base, sandbox::wecom::CORPID, secret, Limits::default()).unwrap();
    let wecom = wecom.with_agent(sandbox::wecom::AGENT);
    let key = Secret::new(sandbox::sms::KEY);
    let sms =
        Sms::new(&format!("{base}/sms/send"), key, "one-time-code", Limits::default()).unwrap();
    let factor = if wish.unlimited { 1_000 } else { 1 };
    let store = Store::new(pool, cache, vault()).with_limits_factor(factor);
    Parts {
        store: if wish.droppable { store.droppable() } else { store },
        world: World::default(),
        clock: Clock::Manual(clock.clone()),
        ids: Ids::seeded(wish.twin.unwrap_or_else(|| {
            SEED.fetch_add(1, Ordering::Relaxed) << 16 | u64::from(std::process::id())
        })),
        wechat: Arc::new(wechat),
        sms: Some(Arc::new(sms)),
        wecom: Some(Arc::new(wecom)),
        templates: Arc::new(Templates::parse(TEMPLATES).unwrap()),
        webhooks: Arc::new(Webhooks::new(Limits::default(), true)),
        files: Arc::new(LocalFileSystem::new_with_prefix(files).unwrap()),
    }
}

async fn start_sandbox(clock: ManualClock, stop: CancellationToken) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = sandbox::router(Arc::new(move || clock.now()));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        served.await.unwrap();
    });
    address
}

async fn serve(parts: Parts, wish: Wish, stop: CancellationToken) -> (SocketAddr, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = (listener.local_addr().unwrap(), web.local_addr().unwrap());
    parts.world.look(&parts.store).await.unwrap();
    let doors = Doors {
        web: Some(web),
        // Tests call in crowds, and each client of theirs is a connection of its own.
        doorway: wish
            .doorway
            .unwrap_or_else(|| Doorway { unproven_per_address_max: 64, ..Doorway::default() }),
        line: wish.line.unwrap_or_default(),
        proxies: Proxies::parse(if wish.behind_proxy { "127.0.0.1" } else { "" }).unwrap(),
        ..Doors::new(listener)
    };
    tokio::spawn(async move { server::run(parts, doors, stop).await.unwrap() });
    addresses
}

async fn base_policy(parts: &Parts) {
    let cx = Cx::job("test", parts.clock.now(), parts.ids.clone());
    let mut tx = parts.store.clone().before_serving().begin(&cx).await.unwrap();
    let from = "2022-06-15T00:00:00+08:00".parse().unwrap();
    policies::insert_policy(&mut tx, "2022-06", "measure 6", from, &PolicyValues::measure_6())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}
