//! A server of its own for each test: database, Redis prefix, a clock that is moved by hand, a
//! stand-in for WeChat, and a client for each role.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp, civil::Date};
use jingqi::surface::{
    address::Proxies,
    clock::{Clock, Ids, ManualClock},
    domain::{
        common::notice::fields::Templates,
        pass::{policy::PolicyValues, zone::Zone},
    },
    id::{Collection, Id, kind},
    parts::Parts,
    remote::{Limits, Secret, sms::Sms, webhook::Webhooks, wechat::Wechat, wecom::Wecom},
    sandbox,
    server::{self, Doors, Doorway},
    service::pb::{
        self, calendar_service_client::CalendarServiceClient,
        centre_service_client::CentreServiceClient,
        complaint_service_client::ComplaintServiceClient,
        conduct_report_service_client::ConductReportServiceClient,
        conversation_service_client::ConversationServiceClient,
        enterprise_service_client::EnterpriseServiceClient,
        evaluation_service_client::EvaluationServiceClient,
        identity_service_client::IdentityServiceClient,
        liaison_service_client::LiaisonServiceClient, notice_service_client::NoticeServiceClient,
        organisation_service_client::OrganisationServiceClient,
        pass_application_service_client::PassApplicationServiceClient,
        pass_check_service_client::PassCheckServiceClient,
        proposal_service_client::ProposalServiceClient,
        truck_pass_service_client::TruckPassServiceClient,
    },
    store::{Cache, Store, Vault, World, common::world, identity::signing_keys, pass::policies},
    token,
    web::LineLimits,
};
use object_store::local::LocalFileSystem;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
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

    /// Announces a change of an actor that was made by the test's own statements.
    pub async fn forget(&self, user: &User) {
        let mut tx = self.parts.store.begin(&self.cx()).await.unwrap();
        tx.touch(jingqi::surface::store::identity::actors::key(&user.name));
        tx.commit().await.unwrap();
    }

    /// Does everything that the workers have to do now, with ids of their own: the same in a twin,
    /// whatever else has drawn from the twin's.
    pub async fn run_workers_aside(&self) {
        let wish = Wish { twin: Some(78), ..Wish::default() };
        let pool = self.parts.store.pool().clone();
        let parts = parts(pool, &self.clock, self.sandbox, &self.prefix, &self.files.0, wish);
        jingqi::surface::worker::Worker::new(parts).run_once().await.unwrap();
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
        jingqi::surface::worker::Worker::new(self.parts.clone()).run_once().await.unwrap();
    }

    /// Nobody.
    pub fn anonymous(&self) -> User {
        User { name: String::new(), token: None, address: self.address }
    }

    /// A signed-in client of an actor, whose session is put into the database.
    pub async fn user<K: Collection>(&self, id: Id<K>) -> User {
        let session = self.parts.ids.next::<kind::Session>(self.now()).uuid();
        let column = match K::NAME {
            "persons" => "person_id",
            "officers" => "officer_id",
            _ => "device_id",
        };
        let text = format!(
            "insert into session (id, {column}, generation, create_time, refresh_time, expire_time,
                client, address)
             values ($1, $2, 1, $3::timestamptz, $3::timestamptz,
                $3::timestamptz + interval '400 days', 'test', '')"
        );
        let mut tx = self.parts.store.begin(&self.cx()).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(session)
            .bind(id.uuid())
            .bind(self.now().to_string())
            .execute(tx.conn())
            .await
            .unwrap();
        tx.touch(jingqi::surface::store::identity::actors::key(&id.to_string()));
        tx.commit().await.unwrap();
        let mut user = User { name: id.to_string(), token: None, address: self.address };
        user.token = Some(self.token(&user.name, session).await);
        user
    }

    /// A token as the identity service would sign it now.
    pub async fn token(&self, name: &str, session: Uuid) -> String {
        let snapshot = self.parts.world.get(&self.parts.store).await.unwrap();
        let key = snapshot.signing_key("ACCESS_TOKEN", "INTL", self.now()).unwrap();
        let private = world::private_key(&self.parts.store, key).unwrap();
        let id = self.parts.ids.random();
        // Tests move the clock by months; a token that lives as long keeps them short.
        let mut access = token::Access::new(name.to_owned(), session, id, self.now());
        access.exp += 400 * 86_400;
        access.sign(&key.kid_text(), &private).unwrap()
    }

    /// Confirms a proposal, as a leader of the city who says why it cannot wait.
    pub async fn confirm(&self, proposal: &str) -> Result<pb::Proposal, Status> {
        let unit: (Uuid, String) = sqlx::query_as(
            "select unit.id, path from unit, proposal
             where proposal.id = $1::uuid and path = split_part(unit_path, '/', 1) || '/'",
        )
        .bind(proposal.strip_prefix("proposals/").unwrap().to_owned())
        .fetch_one(self.parts.store.pool())
        .await
        .unwrap();
        let known: Option<Uuid> =
            sqlx::query_scalar("select id from officer where police_number = '199999'")
                .fetch_optional(self.parts.store.pool())
                .await
                .unwrap();
        let leader = match known {
            Some(id) => self.user(Id::<kind::Officer>::of(id)).await,
            None => self.officer("199999", &unit, &["UNIT_LEADER"]).await,
        };
        let request = pb::ConfirmProposalRequest {
            name: proposal.to_owned(),
            at_once_reason: "演示需要,当日生效".to_owned(),
            etag: "W/\"1\"".to_owned(),
            request_id: request_id(),
            ..Default::default()
        };
        leader.proposals().confirm_proposal(request).await.map(tonic::Response::into_inner)
    }

    /// A context of the harness itself.
    pub fn cx(&self) -> jingqi::surface::context::Cx {
        jingqi::surface::context::Cx::job("test", self.now(), self.parts.ids.clone())
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
    let cx = jingqi::surface::context::Cx::job("test", parts.clock.now(), parts.ids.clone());
    let mut tx = parts.store.clone().before_serving().begin(&cx).await.unwrap();
    let from = "2022-06-15T00:00:00+08:00".parse().unwrap();
    policies::insert_policy(&mut tx, "2022-06", "measure 6", from, &PolicyValues::measure_6())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A client of one actor at one server.
#[derive(Clone)]
pub struct User {
    pub name: String,
    pub token: Option<String>,
    pub address: SocketAddr,
}

/// Adds the token to each call.
#[derive(Clone)]
pub struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            let value: MetadataValue<_> = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

type Wire = InterceptedService<Channel, Bearer>;

impl User {
    /// The same actor at another server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same server with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A connection of this client.
    pub fn wire(&self) -> Wire {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        InterceptedService::new(endpoint.connect_lazy(), Bearer(self.token.clone()))
    }

    pub fn identity(&self) -> IdentityServiceClient<Wire> {
        IdentityServiceClient::new(self.wire())
    }

    pub fn organisation(&self) -> OrganisationServiceClient<Wire> {
        OrganisationServiceClient::new(self.wire())
    }

    pub fn enterprises(&self) -> EnterpriseServiceClient<Wire> {
        EnterpriseServiceClient::new(self.wire())
    }

    pub fn applications(&self) -> PassApplicationServiceClient<Wire> {
        PassApplicationServiceClient::new(self.wire())
    }

    pub fn passes(&self) -> TruckPassServiceClient<Wire> {
        TruckPassServiceClient::new(self.wire())
    }

    pub fn proposals(&self) -> ProposalServiceClient<Wire> {
        ProposalServiceClient::new(self.wire())
    }

    pub fn calendars(&self) -> CalendarServiceClient<Wire> {
        CalendarServiceClient::new(self.wire())
    }

    pub fn centre(&self) -> CentreServiceClient<Wire> {
        CentreServiceClient::new(self.wire())
    }

    pub fn conduct(&self) -> ConductReportServiceClient<Wire> {
        ConductReportServiceClient::new(self.wire())
    }

    pub fn liaison(&self) -> LiaisonServiceClient<Wire> {
        LiaisonServiceClient::new(self.wire())
    }

    pub fn conversations(&self) -> ConversationServiceClient<Wire> {
        ConversationServiceClient::new(self.wire())
    }

    pub fn notices(&self) -> NoticeServiceClient<Wire> {
        NoticeServiceClient::new(self.wire())
    }

    pub fn complaints(&self) -> ComplaintServiceClient<Wire> {
        ComplaintServiceClient::new(self.wire())
    }

    pub fn evaluations(&self) -> EvaluationServiceClient<Wire> {
        EvaluationServiceClient::new(self.wire())
    }

    pub fn checks(&self) -> PassCheckServiceClient<Wire> {
        PassCheckServiceClient::new(self.wire())
    }
}

/// The machine-readable reason of a failure.
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// A fact of a failure.
pub fn fact(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}

/// The wrong fields of a failure, as `path REASON`, sorted.
pub fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let mut fields: Vec<_> =
        fields.into_iter().map(|field| format!("{} {}", field.field, field.reason)).collect();
    fields.sort();
    fields
}

/// A request id as a client makes it.
pub fn request_id() -> String {
    Ids::system().random().to_string()
}

/// The people and things of a small city, put into the database.
pub struct City {
    pub root: Uuid,
    pub brigade_path: String,
    pub zone: Id<kind::Zone>,
    pub checkpoint: Id<kind::Checkpoint>,
    pub enterprise: Id<kind::Enterprise>,
    pub vehicle: Id<kind::Vehicle>,
    pub attachment_names: Vec<String>,
    pub boss: User,
    pub handler: User,
    pub driver: User,
    pub stranger: User,
    pub clerk: User,
    pub first: User,
    pub second: User,
    pub chief: User,
    pub patrol: User,
    pub auxiliary: User,
    pub foreign_reviewer: User,
    pub device: User,
}

pub const PLATE: &str = "苏N12345";
pub const FOREIGN_PLATE: &str = "苏N54321";

impl App {
    /// Puts a city into the database: units, officers, an enterprise above designated size with a
    /// heavy box truck, its people, a zone, a checkpoint with a device.
    pub async fn city(&self) -> City {
        let root = self.unit("321300000000", None, &[]).await;
        let detachment = self.unit("321300170000", Some(&root), &[]).await;
        let brigade = self.unit("321302170000", Some(&detachment), &["321302"]).await;
        let other = self.unit("321322170000", Some(&detachment), &["321322"]).await;
        let first = self.officer("100001", &brigade, &["FIRST_REVIEWER"]).await;
        let second = self.officer("100002", &brigade, &["FIRST_REVIEWER"]).await;
        let chief = self.officer("100003", &detachment, &["FINAL_REVIEWER"]).await;
        let clerk = self.officer("100004", &brigade, &["WINDOW_CLERK"]).await;
        let patrol = self.officer("100005", &brigade, &["CHECKPOINT_OFFICER"]).await;
        let auxiliary = self.officer("100006", &brigade, &["AUXILIARY"]).await;
        let foreign_reviewer = self.officer("100007", &other, &["FIRST_REVIEWER"]).await;
        let zone = self.zone(Zone::yanghe_2023()).await;
        let (boss, handler, driver, stranger) =
            (self.person().await, self.person().await, self.person().await, self.person().await);
        let enterprise = self.enterprise("91321300MA1ABCDE8U", "321302", &brigade, boss).await;
        self.member(enterprise, boss, "LEGAL_REPRESENTATIVE", &[]).await;
        self.member(enterprise, handler, "ENTERPRISE_HANDLER", &["PASS"]).await;
        self.grant(enterprise, "ABOVE_DESIGNATED_SIZE", Id::parse(&first.name).unwrap()).await;
        let vehicle = self.vehicle(enterprise, PLATE, "01", "H12", 18_000, 9_000).await;
        self.drives(vehicle, driver).await;
        let attachment_names = self.papers(enterprise).await;
        let checkpoint = self.checkpoint(&brigade, zone).await;
        let device = self.device(checkpoint).await;
        City {
            root: root.0,
            brigade_path: brigade.1,
            zone,
            checkpoint,
            enterprise,
            vehicle,
            attachment_names,
            boss: self.user(boss).await,
            handler: self.user(handler).await,
            driver: self.user(driver).await,
            stranger: self.user(stranger).await,
            clerk,
            first,
            second,
            chief,
            patrol,
            auxiliary,
            foreign_reviewer,
            device: self.user(device).await,
        }
    }

    fn fresh<K>(&self) -> Id<K> {
        self.parts.ids.next(self.now())
    }

    fn sealed(&self, purpose: &str, text: &str) -> Vec<u8> {
        let nonce = self.parts.ids.bytes();
        self.parts.store.vault().seal(purpose, text.as_bytes(), nonce).unwrap()
    }

    async fn put(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) {
        query.execute(self.parts.store.pool()).await.unwrap();
    }

    pub async fn unit(
        &self,
        code: &str,
        parent: Option<&(Uuid, String)>,
        serves: &[&str],
    ) -> (Uuid, String) {
        let id = self.fresh::<kind::Unit>().uuid();
        let above = parent.map(|(_, path)| path.clone()).unwrap_or_default();
        let path = format!("{above}{code}/");
        let query = sqlx::query(
            "insert into unit (id, code, display_name, parent_id, path, reach, serves, create_time)
             values ($1, $2, $2, $3, $4, $4, $5, now())",
        );
        let serves: Vec<String> = serves.iter().map(|&code| code.to_owned()).collect();
        self.put(
            query
                .bind(id)
                .bind(code.to_owned())
                .bind(parent.map(|unit| unit.0))
                .bind(path.clone())
                .bind(serves),
        )
        .await;
        (id, path)
    }

    pub async fn officer(&self, number: &str, unit: &(Uuid, String), roles: &[&str]) -> User {
        let id: Id<kind::Officer> = self.fresh();
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        let query = sqlx::query(
            "insert into officer (id, police_number, full_name_sealed, unit_id, roles,
                password_hash, password_history, password_time, password_expired,
                totp_secret_sealed, totp_step, failed_attempts, create_time, version)
             values ($1, $2, $3, $4, $5, '', '{}', now(), false, '', 0, 0, now(), 1)",
        );
        let name = self.sealed("full-name", "张建国");
        self.put(query.bind(id.uuid()).bind(number.to_owned()).bind(name).bind(unit.0).bind(roles))
            .await;
        self.user(id).await
    }

    pub async fn person(&self) -> Id<kind::Person> {
        let id: Id<kind::Person> = self.fresh();
        let openid: [u8; 16] = self.parts.ids.bytes();
        let query = sqlx::query(
            "insert into person (id, openid_index, create_time) values ($1, $2, now())",
        );
        self.put(query.bind(id.uuid()).bind(openid.to_vec())).await;
        id
    }

    pub async fn zone(&self, zone: Zone) -> Id<kind::Zone> {
        let id: Id<kind::Zone> = self.fresh();
        let query = sqlx::query(
            "insert into zone_version (zone_id, version, code, display_name, source,
                effective_from, rules_json, create_time)
             values ($1, 1, $2, $3, $4, '2023-02-07', $5, now())",
        );
        let plan = serde_json::to_value(&zone.plan).unwrap();
        self.put(
            query
                .bind(id.uuid())
                .bind(i32::from(zone.code))
                .bind(zone.name)
                .bind(zone.source)
                .bind(plan),
        )
        .await;
        self.changed_world().await;
        id
    }

    /// Announces a change of keys, zones or policies made by the test's own statements.
    pub async fn changed_world(&self) {
        self.sql(
            "insert into standing (key, version) values ('world', 1)
             on conflict (key) do update set version = standing.version + 1",
        )
        .await;
        self.look().await;
    }

    pub async fn enterprise(
        &self,
        uscc: &str,
        division: &str,
        unit: &(Uuid, String),
        applicant: Id<kind::Person>,
    ) -> Id<kind::Enterprise> {
        let id: Id<kind::Enterprise> = self.fresh();
        let query = sqlx::query(
            "insert into enterprise (id, uscc, display_name, division_code, unit_id, unit_path,
                state, legal_representative_sealed, legal_representative_id_sealed, applicant_id,
                create_time, update_time, version)
             values ($1, $2, '宿迁演示物流有限公司', $3, $4, $5, 'VERIFIED', $6, $7, $8, now(),
                now(), 1)",
        );
        let (name, resident) =
            (self.sealed("full-name", "王大勇"), self.sealed("resident-id", "321302199202290014"));
        self.put(
            query
                .bind(id.uuid())
                .bind(uscc.to_owned())
                .bind(division.to_owned())
                .bind(unit.0)
                .bind(unit.1.clone())
                .bind(name)
                .bind(resident)
                .bind(applicant.uuid()),
        )
        .await;
        id
    }

    pub async fn member(
        &self,
        enterprise: Id<kind::Enterprise>,
        person: Id<kind::Person>,
        role: &str,
        scope: &[&str],
    ) {
        let scope: Vec<String> = scope.iter().map(|&item| item.to_owned()).collect();
        let query = sqlx::query(
            "insert into member (id, enterprise_id, person_id, full_name_sealed, role, scope,
                valid_until, create_time)
             values ($1, $2, $3, $4, $5, $6, '2029-01-01', now())",
        );
        let name = self.sealed("full-name", "李小明");
        let id = self.fresh::<kind::Member>().uuid();
        self.put(
            query
                .bind(id)
                .bind(enterprise.uuid())
                .bind(person.uuid())
                .bind(name)
                .bind(role.to_owned())
                .bind(scope),
        )
        .await;
    }

    pub async fn grant(
        &self,
        enterprise: Id<kind::Enterprise>,
        class: &str,
        officer: Id<kind::Officer>,
    ) {
        let query = sqlx::query(
            "insert into class_grant (id, enterprise_id, class, source_document, valid_from,
                valid_until, granted_by, create_time)
             values ($1, $2, $3, '名录', '2026-01-01', '2028-01-01', $4, now())",
        );
        let id = self.fresh::<kind::ClassGrant>().uuid();
        self.put(
            query.bind(id).bind(enterprise.uuid()).bind(class.to_owned()).bind(officer.uuid()),
        )
        .await;
    }

    pub async fn vehicle(
        &self,
        enterprise: Id<kind::Enterprise>,
        plate: &str,
        plate_type: &str,
        vehicle_type: &str,
        gross_mass_kg: i32,
        outer_length_mm: i32,
    ) -> Id<kind::Vehicle> {
        let id: Id<kind::Vehicle> = self.fresh();
        let query = sqlx::query(
            "insert into vehicle (id, enterprise_id, plate_number, plate_type, vehicle_type,
                use_nature, energy_type, vin, body_colour, brand_model, gross_mass_kg,
                kerb_mass_kg, rated_load_kg, outer_length_mm, outer_width_mm, outer_height_mm,
                emission_stage, inspection_valid_until, insurance_valid_until, relation,
                vehicle_states, create_time, update_time, version)
             values ($1, $2, $3, $4, $5, 'F', 'B', 'LZZ1CLNBXNA000001', 'A', '', $6, 1, 1, $7,
                2500, 3500, 6, '2028-11-30', '2028-11-30', 'OWNED', 'A', now(), now(), 1)",
        );
        self.put(
            query
                .bind(id.uuid())
                .bind(enterprise.uuid())
                .bind(plate.to_owned())
                .bind(plate_type.to_owned())
                .bind(vehicle_type.to_owned())
                .bind(gross_mass_kg)
                .bind(outer_length_mm),
        )
        .await;
        id
    }

    pub async fn drives(&self, vehicle: Id<kind::Vehicle>, person: Id<kind::Person>) {
        let query = sqlx::query(
            "insert into driver (id, vehicle_id, full_name_sealed, phone_sealed, phone_index,
                person_id, create_time, claim_time)
             values ($1, $2, $3, $4, $5, $6, now(), now())",
        );
        let phone = "13905240001";
        let index = self.parts.store.vault().index("phone", phone);
        self.put(
            query
                .bind(self.fresh::<kind::Driver>().uuid())
                .bind(vehicle.uuid())
                .bind(self.sealed("full-name", "赵师傅"))
                .bind(self.sealed("phone", phone))
                .bind(index)
                .bind(person.uuid()),
        )
        .await;
    }

    /// The papers that a long-term pass needs, complete.
    pub async fn papers(&self, enterprise: Id<kind::Enterprise>) -> Vec<String> {
        let mut names = Vec::new();
        for kind in [
            "VEHICLE_LICENCE",
            "DRIVING_LICENCE",
            "INSURANCE",
            "TRANSPORT_CONTRACT",
            "DELIVERY_ORDER",
            "TRANSPORT_PERMIT",
            "PROJECT_PERMIT",
        ] {
            let id: Id<kind::Attachment> = self.fresh();
            let query = sqlx::query(
                "insert into attachment (id, enterprise_id, kind, content_type, file_name,
                    size_bytes, sha256, received_bytes, complete_time, create_time)
                 values ($1, $2, $3, 'image/png', 'paper.png', 8, '', 8, now(), now())",
            );
            self.put(query.bind(id.uuid()).bind(enterprise.uuid()).bind(kind)).await;
            names.push(id.to_string());
        }
        names
    }

    pub async fn checkpoint(
        &self,
        unit: &(Uuid, String),
        zone: Id<kind::Zone>,
    ) -> Id<kind::Checkpoint> {
        let id: Id<kind::Checkpoint> = self.fresh();
        let query = sqlx::query(
            "insert into checkpoint (id, display_name, unit_id, zone_ids, latitude, longitude,
                create_time)
             values ($1, '南大街卡口', $2, $3, 33.9, 118.3, now())",
        );
        self.put(query.bind(id.uuid()).bind(unit.0).bind(vec![zone.uuid()])).await;
        id
    }

    pub async fn device(&self, checkpoint: Id<kind::Checkpoint>) -> Id<kind::Device> {
        let id: Id<kind::Device> = self.fresh();
        let key: [u8; 32] = self.parts.ids.bytes();
        let query = sqlx::query(
            "insert into device (id, checkpoint_id, public_key, model, software_version,
                create_time)
             values ($1, $2, $3, 'test', '1', now())",
        );
        self.put(query.bind(id.uuid()).bind(checkpoint.uuid()).bind(key.to_vec())).await;
        id
    }
}

impl City {
    /// A need that the rules grant: the long-term pass of the heavy box truck.
    pub fn need(&self, app: &App) -> pb::PassNeed {
        let day: Date = jingqi::surface::domain::duty::month::local_date(app.now());
        pb::PassNeed {
            pass_kind: pb::PassKind::LongTermDelivery.into(),
            zones: vec![self.zone.to_string()],
            goods: "白酒包装材料".to_owned(),
            reason: "向洋河酒厂送货".to_owned(),
            loading_place: "宿城区".to_owned(),
            unloading_place: "洋河新区".to_owned(),
            route: vec!["洋河大道".to_owned(), "南大街".to_owned()],
            time_windows: vec![pb::TimeWindow {
                weekdays: vec![],
                from_minute: 9 * 60,
                until_minute: 17 * 60,
            }],
            start_date: day.to_string(),
            months: 6,
            ..pb::PassNeed::default()
        }
    }

    /// A request for it.
    pub fn create(&self, app: &App) -> pb::CreatePassApplicationRequest {
        pb::CreatePassApplicationRequest {
            pass_application: Some(pb::PassApplication {
                enterprise: self.enterprise.to_string(),
                vehicle: self.vehicle.to_string(),
                need: Some(self.need(app)),
                declaration_accepted: true,
                attachments: self.attachment_names.clone(),
                ..pb::PassApplication::default()
            }),
            request_id: request_id(),
            ..pb::CreatePassApplicationRequest::default()
        }
    }

    /// Files, submits and accepts an application, and lets the first reviewer claim it.
    pub async fn in_review(&self, app: &App) -> pb::PassApplication {
        self.in_review_of(self.create(app)).await
    }

    pub async fn in_review_of(
        &self,
        request: pb::CreatePassApplicationRequest,
    ) -> pb::PassApplication {
        let filed = self.handler.applications().create_pass_application(request).await;
        let name = filed.unwrap().into_inner().name;
        let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
        self.handler.applications().submit_pass_application(submit).await.unwrap();
        let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
        self.first.applications().accept_pass_application(accept).await.unwrap();
        let claim = pb::ClaimPassApplicationRequest { name, ..Default::default() };
        self.first.applications().claim_pass_application(claim).await.unwrap().into_inner()
    }

    /// Brings a pass about.
    pub async fn pass(&self, app: &App) -> pb::TruckPass {
        self.pass_of(self.create(app)).await
    }

    pub async fn pass_of(&self, request: pb::CreatePassApplicationRequest) -> pb::TruckPass {
        let application = self.in_review_of(request).await;
        let approve = pb::ApprovePassApplicationRequest {
            name: application.name,
            etag: application.etag,
            ..Default::default()
        };
        let approved = self.first.applications().approve_pass_application(approve).await;
        let name = approved.unwrap().into_inner().truck_pass;
        let get = pb::GetTruckPassRequest { name };
        self.handler.passes().get_truck_pass(get).await.unwrap().into_inner()
    }
}
