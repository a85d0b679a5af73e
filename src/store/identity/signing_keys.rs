//! The keys that sign tokens, pass codes and key lists, and the only maker of one. The private half
//! leaves this house nowhere; who signs with it asks `world`.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    clock::Ids,
    context::Cx,
    crypto::{self, Suite},
    domain::{
        common::{
            deed::Deed,
            lifecycle::{Change, Moved, Note},
        },
        identity::{
            signing_key::{AHEAD, Purpose, needed_from},
            tenure::Tenure,
        },
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    store::{
        Store, Tx,
        common::{history, world},
    },
};

/// More keys than this are not listed: some ten are made in a year.
const LIST_MAX: i64 = 1_000;
/// How often bytes that are no key of SM2 are drawn again; one draw in 2^32 fails.
const DRAWS_MAX: usize = 8;

/// A key as the desk shows it.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Its id.
    pub id: Id<kind::SigningKey>,
    /// What it signs.
    pub purpose: Purpose,
    /// In which suite.
    pub suite: Suite,
    /// Four bytes.
    pub kid: [u8; 4],
    /// The public half.
    pub public_key: Vec<u8>,
    /// It signs from then on.
    pub not_before: Timestamp,
    /// It signs until then.
    pub sign_until: Timestamp,
    /// It verifies until then.
    pub verify_until: Timestamp,
    /// Set when it was ended before its time.
    pub revoke_time: Option<Timestamp>,
}

struct Row {
    id: Uuid,
    purpose: Purpose,
    suite: Suite,
    kid: [u8; 4],
    public_key: Vec<u8>,
    not_before: Timestamp,
    sign_until: Timestamp,
    verify_until: Timestamp,
    revoke_time: Option<jiff_sqlx::Timestamp>,
}

fn entity(row: Row) -> SigningKey {
    SigningKey {
        id: Id::of(row.id),
        purpose: row.purpose,
        suite: row.suite,
        kid: row.kid,
        public_key: row.public_key,
        not_before: row.not_before,
        sign_until: row.sign_until,
        verify_until: row.verify_until,
        revoke_time: row.revoke_time.map(Into::into),
    }
}

/// Every column of a key that may be shown, in one place; `$filter` decides which rows.
macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, purpose, suite, kid, public_key, not_before, sign_until, verify_until,
                revoke_time
             from signing_key "# + $filter
            $(, $argument)*
        )
    };
}

/// Makes a key of each purpose and suite for which none signs, and the successor of each that signs
/// its last within [`AHEAD`]: where a key is missing nobody signs in, not even whoever could make
/// one. Any number of processes may ask at once; each key is made once. Says how many were made.
pub async fn ensure(store: &Store, now: Timestamp, ids: &Ids) -> Result<usize> {
    // Without the lock first: nearly always nothing is missing.
    if missing(&mut *store.read().await?, now).await?.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin(&Cx::job("keys", now, ids.clone())).await?;
    sqlx::query!("lock table signing_key in share row exclusive mode").execute(tx.conn()).await?;
    let missing = missing(tx.conn(), now).await?;
    for &(purpose, suite, not_before) in &missing {
        insert(&mut tx, purpose, suite, not_before).await?;
    }
    tx.commit().await?;
    Ok(missing.len())
}

/// What is to be made, and from when on it must sign. A successor begins where its predecessor
/// ends: until then it is published, far longer than [`Purpose::lead`] asks for.
async fn missing(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<(Purpose, Suite, Timestamp)>> {
    let horizon = now.saturating_add(AHEAD).map_err(Error::internal)?;
    let rows = sqlx::query!(
        "select purpose, suite, not_before <= $1 as \"signs!\", sign_until
         from signing_key
         where revoke_time is null and not_before <= $2 and sign_until > $1",
        now.to_sqlx(),
        horizon.to_sqlx()
    )
    .fetch_all(connection)
    .await?;
    let mut missing = Vec::new();
    for &purpose in Purpose::ALL {
        for &suite in purpose.suites() {
            let of_this = rows
                .iter()
                .filter(|it| it.purpose == purpose && it.suite == suite)
                .map(|row| (row.signs, row.sign_until.to_jiff()));
            let from = needed_from(of_this, horizon, now);
            missing.extend(from.map(|from| (purpose, suite, from)));
        }
    }
    Ok(missing)
}

/// Whether a key of the purpose signs now.
pub async fn signs(tx: &mut Tx, purpose: Purpose, suite: Suite) -> Result<bool> {
    let now = tx.now();
    let signs = sqlx::query_scalar!(
        "select exists(
            select from signing_key
            where purpose = $1 and suite = $2 and revoke_time is null and not_before <= $3
                and sign_until > $3
         ) as \"signs!\"",
        purpose.wire(),
        suite.wire(),
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(signs)
}

/// Makes a key that signs from the instant on. The keys before it go on verifying.
pub async fn insert(
    tx: &mut Tx,
    purpose: Purpose,
    suite: Suite,
    not_before: Timestamp,
) -> Result<SigningKey> {
    let (id, now): (Id<kind::SigningKey>, _) = (tx.cx().id(), tx.now());
    let ids = tx.cx().ids().clone();
    let (secret, public_key) = draw(&ids, suite)?;
    let kid: [u8; 4] = ids.bytes();
    let sealed = tx.vault().seal("signing-key", secret.as_slice(), ids.bytes())?;
    let (sign_until, verify_until) = purpose.ends(not_before)?;
    let row = sqlx::query_as!(
        Row,
        r#"insert into signing_key (id, purpose, suite, kid, public_key, private_key_sealed,
            not_before, sign_until, verify_until, create_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         returning id, purpose, suite, kid, public_key, not_before, sign_until, verify_until,
            revoke_time"#,
        id.uuid(),
        purpose.wire(),
        suite.wire(),
        kid.as_slice(),
        public_key,
        sealed,
        not_before.to_sqlx(),
        sign_until.to_sqlx(),
        verify_until.to_sqlx(),
        now.to_sqlx()
    )
    .fetch_one(tx.conn())
    .await?;
    let note = Note::internal(format!("{} {}", purpose.wire(), suite.wire()));
    let (_, change) = Change::begin(Tenure::Active, Deed::Create, note, tx.cx());
    history::write(tx, id.subject(), &change).await?;
    tx.touch(world::KEY.to_owned());
    Ok(entity(row))
}

/// Fresh key material with its public half.
fn draw(ids: &Ids, suite: Suite) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>)> {
    for _ in 0..DRAWS_MAX {
        let secret = Zeroizing::new(ids.bytes::<32>());
        if let Ok(key) = crypto::SigningKey::from_bytes(suite, &secret) {
            return Ok((secret, key.public_key()));
        }
    }
    Err(Error::internal("no key could be drawn"))
}

/// A key, held until the unit of work ends. Keys belong to the whole bureau: POLICY is their scope.
pub async fn lock(tx: &mut Tx, id: Id<kind::SigningKey>) -> Result<SigningKey> {
    let row = select!("where id = $1 for update", id.uuid()).fetch_optional(tx.conn()).await?;
    Ok(entity(row.ok_or_else(|| Error::new(Reason::Denied).fact("resource", id))?))
}

/// Every key, newest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<SigningKey>> {
    let rows = select!("order by id desc limit $1", LIST_MAX).fetch_all(connection).await?;
    Ok(rows.into_iter().map(entity).collect())
}

/// Stores the end of a key. What it signed is refused everywhere once the commit returned, and
/// where nothing else signs for its purpose, a new key does from now on: nobody could sign in to
/// make one.
pub async fn save_end(tx: &mut Tx, moved: Moved<SigningKey>) -> Result<SigningKey> {
    let (key, change) = moved.open();
    let time = change.time();
    sqlx::query!(
        "update signing_key set revoke_time = $2 where id = $1",
        key.id.uuid(),
        time.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    history::write(tx, key.id.subject(), &change).await?;
    tx.touch(world::KEY.to_owned());
    if !signs(tx, key.purpose, key.suite).await? {
        insert(tx, key.purpose, key.suite, time).await?;
    }
    Ok(SigningKey { revoke_time: Some(time), ..key })
}
