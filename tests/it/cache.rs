//! The cache by itself, against the real Redis: what may be filled, what a fence voids. Its promise to a
//! reader is tried where the readers are (`checks`, `passes`).

use std::time::Duration;

use jingqi::surface::{
    clock::{Ids, Uptime},
    store::{
        Cache,
        cache::{Looked, trust::Epoch},
    },
};
use uuid::Uuid;

/// The epoch of these tests.
const EPOCH: Epoch = Epoch::of([1; 16]);
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
    look_as(cache, key, [7; 16]).await
}

async fn look_as(cache: &Cache, key: &str, mark: [u8; 16]) -> Looked {
    renewed(cache).await;
    cache.get(key, mark).await
}

/// Begins a lease, over a link to the Redis of these tests; on a busy machine it may be late at first.
async fn renewed(cache: &Cache) {
    let link = loop {
        if let Some(link) = cache.link().await {
            break link;
        }
        tokio::task::yield_now().await;
    };
    cache.renewed(EPOCH, Uptime::now(), Some(link));
}

async fn fence(cache: &Cache, key: &str, version: i64) {
    renewed(cache).await;
    assert!(cache.fence(&cache.trusted().unwrap(), &[(key.to_owned(), version)]).await);
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

fn epoch(number: u8) -> Epoch {
    Epoch::of([number; 16])
}

fn trusted(cache: &Cache) -> Option<Epoch> {
    cache.trusted().map(|trusted| trusted.epoch)
}

// I1: a writer who raised the epoch waits until no server can trust the older one. A reading that was held
// up for longer must not bring it back, and no reading extends the lease of another.
#[tokio::test]
async fn the_reading_that_began_last_counts_whichever_ends_last() {
    let Some(cache) = cache() else { return };
    let now = Uptime::now();
    let ago = |millis| now.before(Duration::from_millis(millis));
    let link = cache.link().await;
    assert_eq!(trusted(&cache), None, "nothing is trusted before the first reading");
    cache.renewed(epoch(1), ago(700), link.clone());
    assert_eq!(trusted(&cache), Some(epoch(1)));
    cache.renewed(epoch(2), ago(300), link.clone());
    cache.renewed(epoch(1), ago(500), link.clone());
    assert_eq!(trusted(&cache), Some(epoch(2)), "a slower reading of the older epoch came later");
    cache.renewed(epoch(2), ago(200), None);
    assert_eq!(trusted(&cache), None, "a later reading found another Redis, or none");
    let (cache, _) = prefixed().unwrap();
    cache.renewed(epoch(3), ago(1_001), link.clone());
    assert_eq!(trusted(&cache), None, "a lease that has run out");
    cache.renewed(epoch(2), ago(5_000), link);
    assert_eq!(trusted(&cache), None);
}

// Whoever commits in an epoch that was raised waits until every older lease has run out, counted from when
// its server first knew of the epoch: a later reading of the same one is no other beginning.
#[tokio::test]
async fn an_epoch_is_known_since_its_first_reading() {
    let Some(cache) = cache() else { return };
    let link = cache.link().await;
    let since = || cache.trusted().unwrap().since;
    cache.renewed(epoch(1), Uptime::now(), link.clone());
    let first = since();
    cache.renewed(epoch(1), Uptime::now(), link.clone());
    assert_eq!(since(), first);
    cache.renewed(epoch(2), Uptime::now(), link);
    assert!(since() > first);
}

// The epoch and its lease are one: while a stale epoch and a fresh one are told in turn, the stale one is
// never trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_epoch_is_never_read_under_a_newer_lease() {
    let Some(cache) = cache() else { return };
    let link = cache.link().await;
    for _ in 0..200 {
        let (cache, _) = prefixed().unwrap();
        let old = Uptime::now().before(Duration::from_millis(1_100));
        cache.renewed(epoch(1), old, link.clone());
        let reader = tokio::task::spawn_blocking({
            let cache = cache.clone();
            move || loop {
                match trusted(&cache) {
                    None => {}
                    told => break told,
                }
            }
        });
        cache.renewed(epoch(2), Uptime::now(), link.clone());
        assert_eq!(reader.await.unwrap(), Some(epoch(2)));
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

// While one reader is about to fill, another reads and fills nothing; what stands is what the first one
// filled, whatever the other would have brought.
#[tokio::test]
async fn of_two_readers_who_miss_one_fills() {
    let Some(cache) = cache() else { return };
    for fenced in [None, Some(1)] {
        let key = format!("twice:{fenced:?}");
        if let Some(version) = fenced {
            fence(&cache, &key, version).await;
        }
        let Looked::Miss(one) = look_as(&cache, &key, [1; 16]).await else { panic!("no miss") };
        let two = look_as(&cache, &key, [2; 16]).await;
        assert!(matches!(two, Looked::Away), "{two:?}");
        cache.fill(one, 5, b"5").await;
        assert!(matches!(look(&cache, &key).await, Looked::Hit(found) if found == b"5"));
    }
}

// A reader who died between its mark and its filling keeps nobody from filling for long; and if it lives
// after all, its filling finds another's mark.
#[tokio::test]
async fn an_old_mark_is_replaced() {
    let Some(cache) = cache() else { return };
    fence(&cache, "key", 3).await;
    let Looked::Miss(slow) = look_as(&cache, "key", [1; 16]).await else { panic!("no miss") };
    let mut waited = 0;
    let quick = loop {
        match look_as(&cache, "key", [2; 16]).await {
            Looked::Miss(mark) => break mark,
            other => assert!(matches!(other, Looked::Away), "{other:?}"),
        }
        waited += 1;
    };
    assert!(waited > 0, "a young mark stands");
    cache.fill(slow, 4, b"slow").await;
    cache.fill(quick, 3, b"quick").await;
    assert!(matches!(look(&cache, "key").await, Looked::Hit(found) if found == b"quick"));
}

// I1: a reader read version 2 and was held up; versions 2 and 3 were committed and answered; Redis lost the
// key, and the fence of 2 arrived late. What the reader brings is older than what was answered.
#[tokio::test]
async fn a_late_fence_lets_no_slow_reader_fill() {
    let Some((cache, prefix)) = prefixed() else { return };
    let Looked::Miss(slow) = look(&cache, "key").await else { panic!("no miss") };
    for version in [2, 3] {
        fence(&cache, "key", version).await;
    }
    let client = redis::Client::open(url().unwrap()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let lost = redis::cmd("DEL").arg(format!("{prefix}{EPOCH}:key")).to_owned();
    lost.exec_async(&mut connection).await.unwrap();
    fence(&cache, "key", 2).await;
    cache.fill(slow, 2, b"2").await;
    assert!(matches!(look_as(&cache, "key", [8; 16]).await, Looked::Miss(_)));
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
