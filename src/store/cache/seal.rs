//! Facts in the cache under our seal: whoever can write to Redis can make none, and whoever has read one
//! cannot move it to another name where the facts name their owner. An entry that was ours can still be
//! put back until its time is over; that is why Redis has a password and listens to nobody else.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, Result},
    store::Vault,
};

/// The bytes of a seal, which stands before the facts.
const SEAL_BYTES: usize = 32;

/// The facts with the seal of their purpose.
pub fn close<T: Serialize>(vault: &Vault, purpose: &str, facts: &T) -> Result<Vec<u8>> {
    let facts = serde_json::to_string(facts).map_err(Error::internal)?;
    let mut entry = vault.index(purpose, &facts);
    entry.extend_from_slice(facts.as_bytes());
    Ok(entry)
}

/// The facts of an entry; `None` where the seal is not ours, or another version of the program wrote them:
/// wrong data in Redis is no data (I31).
#[must_use]
pub fn open<T: DeserializeOwned>(vault: &Vault, purpose: &str, entry: &[u8]) -> Option<T> {
    let (seal, facts) = entry.split_at_checked(SEAL_BYTES)?;
    let facts = std::str::from_utf8(facts).ok()?;
    if vault.index(purpose, facts) != seal {
        return None;
    }
    serde_json::from_str(facts).ok()
}
