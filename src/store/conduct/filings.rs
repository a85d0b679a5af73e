//! A filing, or a request for a review, happens once for its request id, without anybody's name: the row
//! knows a keyed digest of the id, and the answer is sealed under a key that only the id gives. A stolen
//! database opens none, and says of none who sent it.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use zeroize::Zeroizing;

use crate::{
    crypto::{self, Sealer, Suite},
    error::{Error, Reason, Result},
    store::{Once, Tx},
};

const PURPOSE: &[u8] = b"conduct-filing";

/// How a filing began.
#[derive(Debug)]
pub enum Began {
    /// It is new.
    Fresh,
    /// It happened before: its first answer.
    Replay(Vec<u8>),
}

/// A keyed digest of a request id, and the key that it gives.
struct Keys {
    digest: Vec<u8>,
    key: Zeroizing<[u8; 32]>,
}

fn keys(tx: &Tx, once: &Once) -> Keys {
    let master = tx.vault().key("conduct-filing");
    let derive = |label: &[u8]| {
        crypto::mac(Suite::Intl, &master, &[label, once.request_id.as_bytes()].concat())
    };
    Keys { digest: derive(b"digest").to_vec(), key: Zeroizing::new(derive(b"key")) }
}

/// Begins a filing, or finds the answer to the first one.
///
/// # Errors
/// `REQUEST_ID_REUSED` when the id stands for another content.
pub async fn begin(tx: &mut Tx, once: &Once) -> Result<Began> {
    let (keys, now) = (keys(tx, once), tx.now());
    // Under the same key, so that nobody can try contents.
    let content = crypto::mac(Suite::Intl, keys.key.as_slice(), &once.digest).to_vec();
    // The insert waits for a twin that is under way, and sees what it stored.
    let inserted = sqlx::query!(
        "insert into conduct.filing (request_digest, content_digest, create_time)
         values ($1, $2, $3)
         on conflict do nothing",
        keys.digest,
        content,
        now.to_sqlx()
    )
    .execute(tx.conn())
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Began::Fresh);
    }
    let row = sqlx::query!(
        "select content_digest, answer_sealed from conduct.filing where request_digest = $1",
        keys.digest
    )
    .fetch_one(tx.conn())
    .await?;
    if row.content_digest != content {
        return Err(Error::new(Reason::RequestIdReused));
    }
    let answer = row.answer_sealed.ok_or_else(|| Error::internal("an answer was not stored"))?;
    let sealer = Sealer::new([0, 0, 0, 1], &keys.key).map_err(Error::internal)?;
    Ok(Began::Replay(sealer.open(PURPOSE, &answer).map_err(Error::internal)?))
}

/// Stores the answer.
pub async fn answer(tx: &mut Tx, once: &Once, response: &[u8]) -> Result<()> {
    let keys = keys(tx, once);
    let sealer = Sealer::new([0, 0, 0, 1], &keys.key).map_err(Error::internal)?;
    let nonce = tx.cx().ids().bytes();
    let sealed = sealer.seal(nonce, PURPOSE, response).map_err(Error::internal)?;
    sqlx::query!(
        "update conduct.filing set answer_sealed = $2 where request_digest = $1",
        keys.digest,
        sealed
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes away the answers to filings before the instant.
pub async fn forget(connection: &mut PgConnection, before: Timestamp) -> Result<()> {
    sqlx::query!("delete from conduct.filing where create_time < $1", before.to_sqlx())
        .execute(connection)
        .await?;
    Ok(())
}
