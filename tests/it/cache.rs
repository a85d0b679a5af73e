//! The cache by itself, against the real Redis: what may be filled, what a fence voids. Its promise to a
//! reader is tried where the readers are (`checks`, `passes`).

use std::time::Duration;

use jingqi::{
    clock::Ids,
    store::{Cache, cache::Looked},
};
use tokio::time::Instant;
use uuid::Uuid;

/// The epoch of these tests.
const EPOCH: i64 = 1;
/// Where bytes, decimal digits and the letters of any locale have different orders.
const VERSIONS: [i64; 14] =
    [1, 2, 9, 10, 13, 36, 90, 99, 100, 255, 256, 65_536, 4_294_967_296, 9_007_199_254_740_000];

/// A cache under keys of its own, and what stands before them; `None` where no Redis is named.
fn prefixed() -> Option<(Cache, String)> {
    let prefix = format!("test:{}:", Uuid::from_bytes(Ids::system().bytes()));
    Some((Cache::connect(&url()?, &prefix).unwrap(), prefix))
}

fn cache() -> Option<Cache> {
    prefixed().map(|(cache, _)| cache)
}

fn url() -> Option<String> {
    std::env::var("REDIS_URL").ok().filter(|url| !url.is_empty())
}

/// Asks, with a lease that runs.
async fn look(cache: &Cache, key: &str) -> Looked {
    cache.renewed(EPOCH, Instant::now());
    cache.get(key, [7; 16]).await
}

async fn fence(cache: &Cache, key: &str, version: i64) {
    assert!(cache.fence(EPOCH, &[(key.to_owned(), version)]).await);
}

/// Fills with the version, after a miss; says whether it stands.
async fn fill(cache: &Cache, key: &str, version: i64) -> bool {
    let Looked::Miss(mark) = look(cache, key).await else { panic!("no miss") };
    let facts = version.to_string();
    cache.fill(mark, version, facts.as_bytes()).await;
    matches!(look(cache, key).await, Looked::Hit(found) if found == facts.as_bytes())
}

// I1: whatever locale Redis runs in, an older entry never survives the fence of a newer version, and a
// newer one is not voided by an older fence that arrives late.
#[tokio::test]
async fn a_fence_voids_exactly_the_older_entries() {
    let Some(cache) = cache() else { return };
    for entry in VERSIONS {
        for fenced in VERSIONS {
            let key = format!("entry:{entry}:{fenced}");
            assert!(fill(&cache, &key, entry).await, "{entry} is filled after a plain miss");
            fence(&cache, &key, fenced).await;
            let stands = matches!(look(&cache, &key).await, Looked::Hit(_));
            assert_eq!(stands, entry >= fenced, "an entry of {entry}, a fence of {fenced}");
        }
    }
}

// I1: a writer who raised the epoch waits until no server can trust the older one. A reading that was held
// up for longer must not bring it back, and no reading extends the lease of another.
#[tokio::test]
async fn the_reading_that_began_last_counts_whichever_ends_last() {
    let Some(cache) = cache() else { return };
    let now = Instant::now();
    let ago = |millis| now.checked_sub(Duration::from_millis(millis)).unwrap();
    assert_eq!(cache.epoch(), None, "nothing is trusted before the first reading");
    cache.renewed(1, ago(700));
    assert_eq!(cache.epoch(), Some(1));
    cache.renewed(2, ago(300));
    cache.renewed(1, ago(500));
    assert_eq!(cache.epoch(), Some(2), "a slower reading of the older epoch came later");
    let (cache, _) = prefixed().unwrap();
    cache.renewed(3, ago(1_001));
    assert_eq!(cache.epoch(), None, "a lease that has run out");
    cache.renewed(2, ago(5_000));
    assert_eq!(cache.epoch(), None);
}

// The epoch and its lease are one: while a stale epoch and a fresh one are told in turn, the stale one is
// never trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_epoch_is_never_read_under_a_newer_lease() {
    for _ in 0..200 {
        let Some(cache) = cache() else { return };
        cache.renewed(1, Instant::now().checked_sub(Duration::from_millis(1_100)).unwrap());
        let reader = tokio::task::spawn_blocking({
            let cache = cache.clone();
            move || loop {
                match cache.epoch() {
                    None => {}
                    told => break told,
                }
            }
        });
        cache.renewed(2, Instant::now());
        assert_eq!(reader.await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn a_fence_permits_exactly_its_version_and_later_ones() {
    let Some(cache) = cache() else { return };
    for fenced in VERSIONS {
        for filled in VERSIONS {
            let key = format!("fence:{fenced}:{filled}");
            fence(&cache, &key, fenced).await;
            let stands = fill(&cache, &key, filled).await;
            assert_eq!(stands, filled >= fenced, "a fence of {fenced}, a filling of {filled}");
        }
    }
}

// Two readers who read at different times: the later facts stay, whoever fills last.
#[tokio::test]
async fn an_entry_is_replaced_by_a_later_version_alone() {
    let Some(cache) = cache() else { return };
    for first in VERSIONS {
        for second in VERSIONS {
            let key = format!("twice:{first}:{second}");
            fence(&cache, &key, 1).await;
            let Looked::Miss(one) = look(&cache, &key).await else { panic!("no miss") };
            let Looked::Miss(two) = look(&cache, &key).await else { panic!("no miss") };
            cache.fill(one, first, first.to_string().as_bytes()).await;
            cache.fill(two, second, second.to_string().as_bytes()).await;
            let Looked::Hit(found) = look(&cache, &key).await else { panic!("no hit") };
            assert_eq!(found, first.max(second).to_string().as_bytes(), "{first}, then {second}");
        }
    }
}

// I31: another thing under our key is voided like an old entry.
#[tokio::test]
async fn a_fence_voids_what_is_not_ours() {
    let Some((cache, prefix)) = prefixed() else { return };
    let client = redis::Client::open(url().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for wrong in ["", "E", "F\u{7f}", "nonsense of some length"] {
        let set = redis::cmd("SET").arg(format!("{prefix}{EPOCH}:key")).arg(wrong).to_owned();
        set.exec_async(&mut connection).await.unwrap();
        fence(&cache, "key", 5).await;
        assert!(!fill(&cache, "key", 4).await, "{wrong:?}");
    }
}

// A server that died between the count and its end left a key that never went away.
#[tokio::test]
async fn a_count_without_an_end_gets_one() {
    let Some((cache, prefix)) = prefixed() else { return };
    let client = redis::Client::open(url().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("{prefix}limit:somebody");
    let window = Duration::from_mins(10);
    redis::cmd("SET").arg(&key).arg(41).exec_async(&mut connection).await.unwrap();
    for count in [42, 43] {
        assert_eq!(cache.count("somebody", window).await, Some(count));
        let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        assert!(left > 500_000 && left <= 600_000, "{left} ms");
    }
    // The window is that of the first call: a later one does not move its end.
    redis::cmd("PEXPIRE").arg(&key).arg(100_000).exec_async(&mut connection).await.unwrap();
    assert_eq!(cache.count("somebody", window).await, Some(44));
    let left: i64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
    assert!(left <= 100_000, "{left} ms");
}
