//! The same verdict whatever Redis and PostgreSQL do: flushed, forged, slow, away.

use jingqi::surface::{
    domain::pass::pass_code::CodeMode,
    service::pb::{
        self,
        check_pass_request::Observed,
        pass_check::{Outcome, Verdict},
    },
    store::{
        cache::{Looked, seal},
        pass::plates::{Answered, Plates},
    },
};
use sqlx::PgPool;

use super::{ask, by_plate, change, check, issue};
use crate::harness::{App, FOREIGN_PLATE, PLATE, Wish, reason};

/// Every key of this test in Redis.
async fn redis(app: &App) -> Option<(redis::aio::MultiplexedConnection, Vec<String>)> {
    let url = std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty())?;
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{}*:plate:*", app.prefix))
        .query_async(&mut connection)
        .await
        .unwrap();
    Some((connection, keys))
}

// I31: flushed, damaged or forged entries and no Redis at all lead to the same verdicts.
#[sqlx::test]
async fn redis_is_disposable(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let source = |answer: &pb::PassCheck| answer.data_as_of.as_ref().unwrap().source.clone();
    let told = |answer: pb::PassCheck| (answer.verdict(), answer.outcome(), answer.reasons);
    let truth = check(&city.device, by_plate()).await;
    assert_eq!(source(&truth), "POSTGRESQL");
    let truth = told(truth);
    if redis(&app).await.is_none() {
        return;
    }
    let cached = check(&city.device, by_plate()).await;
    assert_eq!(source(&cached), "REDIS");
    assert_eq!(told(cached), truth);
    let (mut connection, keys) = redis(&app).await.unwrap();
    let good: Vec<u8> = redis::cmd("GET").arg(&keys[0]).query_async(&mut connection).await.unwrap();
    let forged: Vec<u8> = {
        // Other facts under our seal of the true ones.
        let text = String::from_utf8_lossy(&good[9 + 32..]).replace("ACTIVE", "ANNULLED");
        [&good[..9 + 32], text.as_bytes()].concat()
    };
    for wrong in [b"E".to_vec(), b"nonsense".to_vec(), good[..60].to_vec(), forged, vec![]] {
        redis::cmd("SET").arg(&keys[0]).arg(wrong).exec_async(&mut connection).await.unwrap();
        let answer = check(&city.device, by_plate()).await;
        assert_eq!(source(&answer), "POSTGRESQL");
        assert_eq!(told(answer), truth);
    }
    // The entry of another plate under this key.
    let other = Plates::new(app.parts.store.clone());
    other.standing(FOREIGN_PLATE, app.now(), [7; 16]).await.unwrap();
    let (_, all) = redis(&app).await.unwrap();
    let foreign = all.iter().find(|key| **key != keys[0]).unwrap();
    let foreign: Vec<u8> =
        redis::cmd("GET").arg(foreign).query_async(&mut connection).await.unwrap();
    redis::cmd("SET").arg(&keys[0]).arg(foreign).exec_async(&mut connection).await.unwrap();
    assert_eq!(told(check(&city.device, by_plate()).await), truth);
    redis::cmd("DEL").arg(&keys).exec_async(&mut connection).await.unwrap();
    assert_eq!(told(check(&city.device, by_plate()).await), truth);
}

// I31: without Redis the product runs, slower, with the same verdicts.
#[sqlx::test]
async fn without_redis_every_check_asks_postgresql(pool: PgPool) {
    let wish = Wish { without_redis: true, ..Wish::default() };
    let app = App::wished(pool, wish).await;
    let city = app.city().await;
    let pass = issue(&app, &city, 1).await;
    for (state, outcome) in [
        ("ACTIVE", Outcome::PassValid),
        ("SUSPENDED", Outcome::Suspended),
        ("ACTIVE", Outcome::PassValid),
        ("ANNULLED", Outcome::Revoked),
    ] {
        change(&app, &format!("update truck_pass set state = '{state}'")).await;
        let code = pass.code(&app, CodeMode::Dynamic).await;
        for request in [by_plate(), ask(Observed::Code(code))] {
            let answer = check(&city.device, request).await;
            assert_eq!(answer.outcome(), outcome);
            assert_eq!(answer.data_as_of.unwrap().source, "POSTGRESQL");
        }
    }
}

// I1: a reader who is slow between reading and filling cannot put old facts back, whatever happens
// to Redis in between.
#[sqlx::test]
async fn a_slow_reader_cannot_put_old_facts_back(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    if redis(&app).await.is_none() {
        return;
    }
    let cache = app.parts.store.cache();
    let plates = Plates::new(app.parts.store.clone());
    for flush in [false, true] {
        change(&app, "update truck_pass set state = 'ACTIVE'").await;
        // The slow reader: it misses, leaves its mark, reads the old facts and is held up.
        let (mut connection, keys) = redis(&app).await.unwrap();
        redis::cmd("DEL").arg(&keys).exec_async(&mut connection).await.unwrap();
        let key = format!("plate:{PLATE}");
        let Looked::Miss(slow) = cache.get(&key, [1; 16]).await else { panic!("a hit") };
        let (old, _) = plates.standing(PLATE, app.now(), [2; 16]).await.unwrap();
        let entry = seal::close(app.parts.store.vault(), "plate-standing", &*old).unwrap();
        // Meanwhile the pass is suspended.
        change(&app, "update truck_pass set state = 'SUSPENDED'").await;
        if flush {
            let (mut connection, keys) = redis(&app).await.unwrap();
            redis::cmd("DEL").arg(&keys).exec_async(&mut connection).await.unwrap();
        }
        cache.fill(slow, old.version, &entry).await;
        let (now, _) = plates.standing(PLATE, app.now(), [3; 16]).await.unwrap();
        assert!(now.version > old.version);
        let answer = check(&city.device, by_plate()).await;
        assert_eq!(answer.outcome(), Outcome::Suspended);
        let (_, answered) = plates.standing(PLATE, app.now(), [4; 16]).await.unwrap();
        assert_eq!(answered, Answered::Redis, "the entry is filled again");
    }
}

// I1: no check that begins after a revocation returned is judged on the older facts, on any server.
#[sqlx::test]
async fn a_change_counts_at_the_next_check_on_every_server(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let second = app.another().await;
    let third = app.another().await;
    let servers = [city.device.clone(), city.device.at(second), city.device.at(third)];
    for round in 0..20 {
        let (state, outcome) = if round % 2 == 0 {
            ("SUSPENDED", Outcome::Suspended)
        } else {
            ("ACTIVE", Outcome::PassValid)
        };
        change(&app, &format!("update truck_pass set state = '{state}'")).await;
        for server in &servers {
            let answer = check(server, by_plate()).await;
            assert_eq!(answer.outcome(), outcome, "round {round}");
        }
    }
}

// I30: many who miss the same plate at once share a reading, and each still sees what was committed
// before it asked.
#[sqlx::test]
async fn many_who_miss_at_once_share_a_reading(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let plates = Plates::new(app.parts.store.clone());
    let readers = (0..200_u128).map(|mark| {
        let (plates, now) = (plates.clone(), app.now());
        tokio::spawn(async move { plates.standing(PLATE, now, mark.to_le_bytes()).await })
    });
    let mut readings = std::collections::HashSet::new();
    for reader in readers.collect::<Vec<_>>() {
        let (standing, answered) = reader.await.unwrap().unwrap();
        assert_eq!(standing.passes.len(), 1);
        if answered == Answered::Postgresql {
            readings.insert(std::sync::Arc::as_ptr(&standing) as usize);
        }
    }
    assert!((1..20).contains(&readings.len()), "{} readings", readings.len());
}

// QR-16: while PostgreSQL is away a yes cannot be recorded, so it is no yes.
#[sqlx::test]
async fn a_yes_that_cannot_be_recorded_is_undetermined(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    issue(&app, &city, 1).await;
    let before = check(&city.device, by_plate()).await;
    assert_eq!(before.verdict(), Verdict::Valid);
    app.look().await;
    app.parts.store.pool().close().await;
    let answer = city.device.call(by_plate()).await;
    // Within the lease the cached facts still count; after it the gate cannot tell who asks.
    match answer {
        Ok(answer) => {
            assert_eq!(answer.verdict(), Verdict::Undetermined);
            assert_eq!(answer.outcome(), Outcome::StatusUnknown);
            assert_eq!(answer.name, "");
            assert!(answer.reasons.iter().any(|reason| reason.contains("未能留痕")));
        }
        Err(status) => assert_eq!(reason(&status), "STORE_UNAVAILABLE"),
    }
}
