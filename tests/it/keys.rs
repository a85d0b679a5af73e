//! Keys renew themselves: nobody has to look after a deployment for it to go on signing.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use jingqi::surface::{
    crypto::{Suite, VerifyingKey},
    domain::{
        identity::signing_key::Purpose,
        pass::pass_code::{self, KeyList},
    },
    id::{Id, kind},
    sandbox::city,
    service::pb,
    store::identity::signing_keys,
};
use sqlx::PgPool;

use crate::{
    harness::{App, Wish},
    identity::{account, load_city, officer, refresh, signed_in, wechat},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn app(pool: PgPool) -> App {
    App::wished(pool, Wish { mortal_keys: true, ..Wish::default() }).await
}

/// Lets days pass, and the workers do what is due then.
async fn days(app: &App, count: i32) {
    app.advance(DAY * count);
    app.run_workers().await;
}

/// The keys of a purpose and suite, the first one first: from when and until when they sign.
async fn terms(app: &App, purpose: &str, suite: &str) -> Vec<(Timestamp, Timestamp)> {
    app.look().await;
    let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
    let keys = snapshot
        .keys
        .iter()
        .filter(|key| key.purpose.wire() == purpose && key.suite.wire() == suite);
    let mut terms: Vec<_> = keys.map(|key| (key.not_before, key.sign_until)).collect();
    terms.sort_unstable();
    terms
}

// ID-08, QR-05: no hand touches a key for half a year, and everybody still gets in.
#[sqlx::test]
async fn half_a_year_passes_and_everything_is_still_signed(pool: PgPool) {
    let app = app(pool).await;
    load_city(&app).await;
    for count in [45, 39, 4] {
        days(&app, count).await;
    }
    let before = wechat(&app, "boss-wang").await;
    days(&app, 4).await;
    let tokens = refresh(&app, &before.refresh_token).await.unwrap();
    account(&signed_in(&app, &tokens)).await.unwrap();
    for count in [44, 42, 6] {
        days(&app, count).await;
    }
    let desk = officer(&app, &city::SECURITY, 0).await.unwrap();
    account(&signed_in(&app, &desk)).await.unwrap();
    for (purpose, suite) in [("ACCESS_TOKEN", "INTL"), ("PASS_CODE", "INTL"), ("PASS_CODE", "SM")] {
        let terms = terms(&app, purpose, suite).await;
        assert_eq!(terms.len(), 3, "{purpose} {suite}");
        assert!(terms.windows(2).all(|two| two[0].1 == two[1].0), "{purpose} {suite}: {terms:?}");
    }
    // Recorded as a rotation is.
    let recorded = app.count(
        "select count(*) from signing_key where exists (select from change
            where subject_id = signing_key.id and action = 'CREATE')",
    );
    assert_eq!(recorded.await, app.count("select count(*) from signing_key").await);
    assert_eq!(app.count("select count(*) from change where actor = 'system/keys'").await, 5 + 6);
}

// QR-07, I10: the list that a device loaded a week before verifies what the successor signs.
#[sqlx::test]
async fn a_list_names_the_successor_long_before_it_signs(pool: PgPool) {
    let app = app(pool).await;
    let city = app.city().await;
    let pass = city.pass(&app).await;
    for count in [45, 38] {
        days(&app, count).await;
    }
    let list = pb::GetPassKeyListRequest { known_version: 0 };
    let list = city.device.call(list).await.unwrap();
    let snapshot = app.parts.world.get(&app.parts.store).await.unwrap();
    let root = snapshot.signing_key(Purpose::KeyList, Suite::Intl, app.now()).unwrap();
    let root = VerifyingKey::from_bytes(Suite::Intl, &root.public_key).unwrap();
    let list = KeyList::verify(&list.signed_list, &root).unwrap();
    let ahead = list.keys.iter().filter(|key| key.not_before > app.now().as_second());
    assert_eq!(ahead.count(), 2, "one successor for each suite");
    let shown = |suite: &str| pb::IssuePassCodeRequest {
        name: pass.name.clone(),
        suite: suite.to_owned(),
        ..Default::default()
    };
    let issued = Id::<kind::TruckPass>::parse(&pass.name).unwrap();
    let mut signers = BTreeSet::new();
    for suite in ["INTL", "SM", "INTL", "SM"] {
        let code = city.driver.call(shown(suite)).await.unwrap();
        let parsed = pass_code::parse(&code.text).unwrap();
        signers.insert(parsed.kid());
        let verified = parsed.verify(&list.ring(), app.now());
        assert_eq!(verified.unwrap().claims().pass, issued.uuid());
        if suite == "SM" {
            // Without workers: the successors are there already.
            app.advance(DAY * 7);
        }
    }
    assert_eq!(signers.len(), 4, "the successors sign");
}

// However many workers and migrations ask at once, each successor is made once.
#[sqlx::test]
async fn a_successor_is_made_once_whoever_asks(pool: PgPool) {
    let app = app(pool).await;
    app.advance(DAY * 84);
    let ask = || signing_keys::ensure(&app.parts.store, app.now(), &app.parts.ids);
    let made = futures::future::join_all((0..4).map(|_| ask())).await;
    assert_eq!(made.into_iter().map(Result::unwrap).sum::<usize>(), 3);
    assert_eq!(terms(&app, "PASS_CODE", "SM").await.len(), 2);
    assert_eq!(terms(&app, "RECORD", "INTL").await.len(), 1, "it signs for a year");
    // After a rest over the end there is a gap, which ends with the first question.
    app.advance(DAY * 120);
    assert_eq!(ask().await.unwrap(), 3);
    let terms = terms(&app, "ACCESS_TOKEN", "INTL").await;
    assert_eq!((terms.len(), terms[2].0), (3, app.now()));
}
