//! The signed list of keys with which a device verifies codes (QR-07). No private half leaves.

use jiff::Timestamp;

use crate::{
    context::Cx,
    crypto::{SigningKey, Suite},
    domain::{
        identity::signing_key::Purpose,
        pass::pass_code::{KEY_LIST_LIFETIME, KeyList, PublishedKey},
    },
    error::{Error, Result},
    service::{pb, wire},
    store::{self, Store, World, common::world},
};

/// The list, where it is newer than the one that the device holds.
///
/// A device whose list nears `next_update_time` asks with version 0, and gets it signed anew.
pub(super) async fn list(
    store: &Store,
    world: &World,
    cx: &Cx,
    known_version: i64,
) -> Result<pb::PassKeyList> {
    // The version first: the keys may then be newer than it says, never older.
    let version = store::version(&mut *store.read().await?, world::KEY).await?;
    if known_version == version {
        return Ok(pb::PassKeyList { version, ..pb::PassKeyList::default() });
    }
    let snapshot = world.look(store).await?;
    let published =
        snapshot.keys.iter().filter(|key| key.purpose == Purpose::PassCode).map(|key| {
            PublishedKey {
                kid: key.kid,
                suite: key.suite,
                public_key: key.public_key.clone(),
                not_before: key.not_before.as_second(),
                verify_until: key.verify_until.as_second(),
                revoked: key.revoke_time.is_some(),
            }
        });
    let next_update = cx.now.saturating_add(KEY_LIST_LIFETIME).unwrap_or(Timestamp::MAX);
    let list = KeyList {
        version,
        issued_at: cx.now.as_second(),
        next_update: next_update.as_second(),
        keys: published.collect(),
    };
    let key = snapshot.signing_key(Purpose::KeyList, Suite::Intl, cx.now)?;
    let private = world::private_key(store, key)?;
    let signer = SigningKey::from_bytes(key.suite, &private).map_err(Error::internal)?;
    Ok(pb::PassKeyList {
        version,
        signed_list: list.sign(key.kid, &signer).map_err(Error::internal)?,
        issue_time: Some(wire::time(cx.now)),
        next_update_time: Some(wire::time(next_update)),
    })
}
