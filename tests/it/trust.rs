//! A revocation that was answered counts (I1): for whoever asks twice, after an epoch was raised, and
//! after what operators do: restore a backup, fail Redis over, forget a setting on one server.

use std::net::SocketAddr;

use jingqi::surface::{
    crypto::Suite,
    domain::identity::signing_key::Purpose,
    service::pb::{
        self, check_pass_request::Observed, pass_check::Outcome, pass_code::Mode, truck_pass::State,
    },
    store::{Cache, cache::LEASE, pass::plates::Plates},
};
use redis::aio::MultiplexedConnection;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::harness::{App, City, PLATE, User, Wish, reason, request_id, to};

#[path = "../chaos/second.rs"]
mod second;
#[path = "../chaos/way.rs"]
pub mod way;

use second::Second;
use way::Way;

pub fn redis_url() -> Option<String> {
    std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty())
}

/// A way to the Redis of the tests, and the address that leads over it.
pub async fn cuttable(url: &str) -> (Way, String) {
    let (_, place) = url.rsplit_once('@').unwrap_or_else(|| url.split_once("//").unwrap());
    let way = Way::to(place.split('/').next().unwrap().parse().unwrap()).await.unwrap();
    let over = url.replace(place.split('/').next().unwrap(), &way.address.to_string());
    (way, over)
}

fn suspending(pass: &pb::TruckPass) -> pb::EndTruckPassRequest {
    pb::EndTruckPassRequest {
        name: pass.name.clone(),
        reason_code: "UNDER_INVESTIGATION".to_owned(),
        note: "依据调查结果".to_owned(),
        etag: pass.etag.clone(),
        request_id: request_id(),
    }
}

async fn read(user: &User, pass: &pb::TruckPass) -> pb::TruckPass {
    let get = pb::GetTruckPassRequest { name: pass.name.clone() };
    user.call(get).await.unwrap()
}

async fn check(user: &User, observed: Observed) -> (Outcome, String) {
    let check = pb::CheckPassRequest { observed: Some(observed), ..Default::default() };
    let answer = user.call(check).await.unwrap();
    (answer.outcome(), answer.data_as_of.unwrap().source)
}

/// What a check by the plate tells at this server.
async fn at(city: &City, server: SocketAddr) -> Outcome {
    check(&city.device.at(server), Observed::PlateNumber(PLATE.to_owned())).await.0
}

/// Checks until the answer comes from Redis: what stands there says that the pass is valid.
async fn cached(city: &City, server: SocketAddr) {
    loop {
        let (outcome, source) =
            check(&city.device.at(server), Observed::PlateNumber(PLATE.to_owned())).await;
        assert_eq!(outcome, Outcome::PassValid);
        if source == "REDIS" {
            return;
        }
    }
}

/// Two calls of one request id at the same time; answers with whichever is answered first.
async fn twins(user: &User, request: &pb::EndTruckPassRequest) -> pb::TruckPass {
    let send = || {
        let (user, request) = (user.clone(), request.clone());
        Box::pin(async move { user.call(to::SuspendTruckPass(request)).await })
    };
    let (first, _) = futures::future::select(send(), send()).await.factor_first();
    first.unwrap()
}

// Every server trusts its copy of the keys for a lease, so the call that ends one waits; and so does
// whoever repeats it meanwhile.
#[sqlx::test]
async fn the_twin_of_a_call_that_ends_a_key_is_not_answered_before_it_counts(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let unit = (city.root, "321300000000/".to_owned());
    let security = app.officer("200009", &unit, &["SECURITY_ADMINISTRATOR"]).await;
    let pass = city.pass(&app).await;
    let show = pb::IssuePassCodeRequest {
        name: pass.name.clone(),
        mode: Mode::Printed.into(),
        suite: "INTL".to_owned(),
    };
    let code = city.driver.call(show).await.unwrap().text;
    let second = app.another().await;
    // It looks once, and then trusts its copy as long as it may.
    let other = app.parts_with_cache(app.parts.store.pool().clone(), Cache::Absent);
    let by_code = Observed::Code(code);
    assert_eq!(check(&city.device.at(second), by_code.clone()).await.0, Outcome::PassValid);
    let now = app.now();
    let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
    let key = snapshot.signing_key(Purpose::PassCode, Suite::Intl, now).unwrap();
    let revoke = pb::RevokeSigningKeyRequest {
        name: key.id.to_string(),
        reason: "泄露,须停用".to_owned(),
        request_id: request_id(),
    };
    let send = || {
        let (security, revoke) = (security.clone(), revoke.clone());
        Box::pin(async move { security.call(revoke).await })
    };
    other.world.look(&other.store).await.unwrap();
    let (first, _) = futures::future::select(send(), send()).await.factor_first();
    first.unwrap();
    let copy = other.world.get(&other.store).await.unwrap();
    let same = copy.keys.iter().find(|other| other.id == key.id).unwrap();
    assert!(same.revoke_time.is_some(), "a copy from before the answer is trusted");
    assert_eq!(check(&city.device.at(second), by_code).await.0, Outcome::KeyWithdrawn);
}

// The writer cannot reach Redis, another server can.
#[sqlx::test]
async fn the_twin_of_a_call_without_redis_is_not_answered_before_it_counts(pool: PgPool) {
    let Some(url) = redis_url() else { return };
    let app = App::start(pool).await;
    let city = app.city().await;
    let (way, over) = cuttable(&url).await;
    let cache = Cache::connect(&over, &app.prefix).unwrap();
    let (writer, _) = app.another_with_cache(app.parts.store.pool().clone(), cache).await;
    let pass = city.pass(&app).await;
    cached(&city, writer).await;
    cached(&city, app.address).await;
    way.cut();
    twins(&city.chief.at(writer), &suspending(&pass)).await;
    assert_eq!(at(&city, app.address).await, Outcome::Suspended);
    // What was held up arrives late, and changes nothing.
    way.heal();
    assert_eq!(at(&city, app.address).await, Outcome::Suspended);
}

/// The one entry or fence of the plate in Redis.
async fn slot(app: &App, url: &str) -> (MultiplexedConnection, String) {
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let pattern = format!("{}*:plate:{PLATE}", app.prefix);
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    (connection, keys[0].clone())
}

// A server died between commit and second fence, and an old entry stands: who repeats the request gets
// its answer, and it counts then.
#[sqlx::test]
async fn an_answer_that_was_never_settled_is_settled_before_it_is_told(pool: PgPool) {
    let Some(url) = redis_url() else { return };
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    cached(&city, app.address).await;
    let (mut connection, key) = slot(&app, &url).await;
    let entry: Vec<u8> = redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
    let request = suspending(&pass);
    let first = city.chief.call(to::SuspendTruckPass(request.clone())).await.unwrap();
    let unsettled = "select count(*) from idempotency where unsettled_keys is not null";
    assert_eq!(app.count(unsettled).await, 0, "what was answered is settled");
    // As the crash would have left it.
    redis::cmd("SET").arg(&key).arg(entry).exec_async(&mut connection).await.unwrap();
    app.sql(&format!(
        "update idempotency set unsettled_keys = array['plate:{PLATE}'], unsettled_versions =
            array[(select version from standing where key = 'plate:{PLATE}')]
         where request_id = '{}'",
        request.request_id
    ))
    .await;
    cached(&city, app.address).await;
    let second = city.chief.call(to::SuspendTruckPass(request)).await.unwrap();
    assert_eq!(at(&city, app.address).await, Outcome::Suspended);
    assert_eq!(second, first);
    assert_eq!(app.count(unsettled).await, 0);
}

// What touches no cache is stored with one update, and marked by none.
#[sqlx::test]
async fn only_what_touches_a_cache_is_to_be_settled(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    city.handler.call(city.create(&app)).await.unwrap();
    let by_others = app.count(
        "select count(*) from idempotency where actor like 'persons/%' and not exists (
            select from pass_application where pass_application.xmin = idempotency.xmin)",
    );
    assert_eq!(by_others.await, 0, "a row that another transaction wrote");
}

// A server was stopped with a lease that began before the epoch was raised, and goes on: until that lease
// has run out, nobody answers who commits in the new epoch.
#[sqlx::test]
async fn whoever_follows_a_raised_epoch_waits_too(pool: PgPool) {
    let Some(url) = redis_url() else { return };
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    cached(&city, app.address).await;
    // It looks once, and then only reads.
    let cache = Cache::connect(&url, &app.prefix).unwrap();
    let stopped = app.parts_with_cache(app.parts.store.pool().clone(), cache);
    let plates = Plates::new(stopped.store.clone());
    stopped.world.look(&stopped.store).await.unwrap();
    assert!(stopped.store.cache().trusted().is_some());
    // Somebody else raised the epoch, and still waits; our server has seen it.
    app.sql("update cache_epoch set token = new_epoch(), fresh = true").await;
    app.look().await;
    let suspended = city.chief.call(to::SuspendTruckPass(suspending(&pass))).await;
    assert_eq!(suspended.unwrap().state(), State::Suspended);
    let (known, _) = plates.standing(PLATE, app.now(), [3; 16]).await.unwrap();
    let standing = sqlx::query_scalar::<_, i64>("select version from standing where key = $1")
        .bind(format!("plate:{PLATE}"))
        .fetch_one(app.parts.store.pool());
    assert_eq!(known.version, standing.await.unwrap(), "facts of before the answer");
    assert_eq!(app.count("select count(*) from cache_epoch where fresh").await, 0);
}

// Redis went on while the database was restored: versions run backwards there, and every entry looks
// newer than what voids it.
#[sqlx::test]
async fn a_revocation_counts_after_a_backup_was_restored(pool: PgPool) {
    if redis_url().is_none() {
        return;
    }
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    cached(&city, app.address).await;
    let options = pool_options(&app);
    app.parts.store.pool().close().await;
    // The backup: all that the database holds now.
    let copy = format!("copy_{}", Uuid::parse_str(&request_id()).unwrap().simple());
    let mut admin = PgConnection::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let sql = format!("create database {copy} template \"{}\"", options.get_database().unwrap());
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    // Life goes on.
    let connect = |options| PgPoolOptions::new().max_connections(8).connect_with(options);
    let life = connect(options.clone()).await.unwrap();
    let before = app.another_with_pool(life.clone()).await;
    for _ in 0..3 {
        let chief = city.chief.at(before);
        let suspended = suspending(&read(&chief, &pass).await);
        chief.call(to::SuspendTruckPass(suspended)).await.unwrap();
        let resumed = pb::EndTruckPassRequest {
            reason_code: "CAUSE_REMOVED".to_owned(),
            ..suspending(&read(&chief, &pass).await)
        };
        chief.call(to::ResumeTruckPass(resumed)).await.unwrap();
    }
    cached(&city, before).await;
    // It is restored, and a server starts on it.
    let restored = connect(options.clone().database(&copy)).await.unwrap();
    sqlx::query("update cache_epoch set bind_time = null").execute(&restored).await.unwrap();
    let after = app.another_with_pool(restored.clone()).await;
    cached(&city, after).await;
    let chief = city.chief.at(after);
    let suspended = suspending(&read(&chief, &pass).await);
    chief.call(to::SuspendTruckPass(suspended)).await.unwrap();
    let told = at(&city, after).await;
    app.stop();
    life.close().await;
    restored.close().await;
    let drop = format!("drop database {copy} with (force)");
    sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    assert_eq!(told, Outcome::Suspended);
}

fn pool_options(app: &App) -> sqlx::postgres::PgConnectOptions {
    (*app.parts.store.pool().connect_options()).clone()
}

// The replica behind the address of Redis did not get the last fence, and is promoted.
#[sqlx::test]
async fn a_revocation_counts_after_redis_failed_over(pool: PgPool) {
    let (Some(_), Some(first)) = (redis_url(), Second::start().await.unwrap()) else { return };
    let replica = Second::start().await.unwrap().unwrap();
    replica.follow(&first).await.unwrap();
    let way = Way::to(first.address).await.unwrap();
    let app = App::wished(pool, Wish { without_redis: true, ..Wish::default() }).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let url = format!("redis://{}", way.address);
    let server = || {
        let cache = Cache::connect(&url, &app.prefix).unwrap();
        app.another_with_cache(app.parts.store.pool().clone(), cache)
    };
    let ((writer, _), (reader, _)) = (server().await, server().await);
    cached(&city, writer).await;
    cached(&city, reader).await;
    // The entry has arrived at the replica; nothing does any more.
    let mut connection = first.connection().await.unwrap();
    let acknowledged: i64 =
        redis::cmd("WAIT").arg(1).arg(5_000).query_async(&mut connection).await.unwrap();
    assert_eq!(acknowledged, 1);
    replica.promote().await.unwrap();
    city.chief.at(writer).call(to::SuspendTruckPass(suspending(&pass))).await.unwrap();
    way.lead_to(replica.address);
    for server in [reader, writer] {
        for _ in 0..50 {
            assert_eq!(at(&city, server).await, Outcome::Suspended);
        }
    }
}

// One server has no Redis, or looks under other keys: what it revokes counts at the others all the same.
#[sqlx::test]
async fn a_revocation_counts_when_one_server_has_another_redis_or_none(pool: PgPool) {
    let Some(url) = redis_url() else { return };
    let app = App::start(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    let other = Cache::connect(&url, &format!("{}other:", app.prefix)).unwrap();
    for cache in [Cache::Absent, other] {
        let pool = app.parts.store.pool().clone();
        let (stranger, _) = app.another_with_cache(pool, cache).await;
        // Ours is the Redis that counts; the other server may not take it away for ten seconds.
        while app.parts.store.cache().trusted().is_none() {
            app.sql("update cache_epoch set bind_time = null").await;
            app.look().await;
        }
        cached(&city, app.address).await;
        let chief = city.chief.at(stranger);
        let suspended = suspending(&read(&chief, &pass).await);
        // The other server may rely on its own Redis for the rest of a lease, although ours was agreed
        // since: what it writes then is refused whole, and taken when the lease has run out.
        let began = std::time::Instant::now();
        let mut told = chief.call(to::SuspendTruckPass(suspended.clone())).await;
        while let Err(status) = &told
            && began.elapsed() < 2 * LEASE
        {
            assert_eq!(reason(status), "STORE_UNAVAILABLE");
            assert_eq!(at(&city, app.address).await, Outcome::PassValid, "nothing was done");
            told = chief.call(to::SuspendTruckPass(suspended.clone())).await;
        }
        told.unwrap();
        assert_eq!(at(&city, app.address).await, Outcome::Suspended);
        let resumed = pb::EndTruckPassRequest {
            reason_code: "CAUSE_REMOVED".to_owned(),
            ..suspending(&read(&chief, &pass).await)
        };
        chief.call(to::ResumeTruckPass(resumed)).await.unwrap();
        assert_eq!(at(&city, app.address).await, Outcome::PassValid);
    }
}
