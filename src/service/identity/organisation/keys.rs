//! Keys: made anew before they are needed, ended at once when they are lost.

use super::{Organisation, ending};
use crate::{
    context::Cx,
    crypto::Suite,
    domain::identity::{
        signing_key::Purpose,
        tenure::{End, Tenure},
    },
    error::{Faults, Flaw, Result},
    service::{pb, wire},
    store::{
        common::world,
        identity::signing_keys::{self, SigningKey},
    },
};

impl Organisation {
    pub(super) async fn rotate_signing_key(
        &self,
        cx: &Cx,
        request: pb::RotateSigningKeyRequest,
    ) -> Result<pb::SigningKey> {
        let mut faults = Faults::new();
        let purpose = Purpose::from_wire(request.purpose().as_str_name());
        faults.check(purpose.is_some(), "purpose", Flaw::Required);
        let suite = if request.suite.is_empty() {
            Some(Suite::Intl)
        } else {
            faults.take("suite", Suite::from_wire(&request.suite).ok_or(Flaw::UnknownValue))
        };
        if let (Some(purpose), Some(suite)) = (purpose, suite) {
            faults.check(purpose.suites().contains(&suite), "suite", Flaw::NotAllowed);
        }
        let (purpose, suite) = faults.whole((purpose, suite))?;
        wire::write(&self.store, cx, &request, async |tx| {
            // Published before its first signature, so that devices have loaded it by then (I10).
            let not_before = cx.now.saturating_add(purpose.lead()).unwrap_or(cx.now);
            let key = signing_keys::insert(tx, purpose, suite, not_before).await?;
            tx.touch(world::KEY.to_owned());
            Ok(reply(&key))
        })
        .await
    }

    pub(super) async fn revoke_signing_key(
        &self,
        cx: &Cx,
        request: pb::RevokeSigningKeyRequest,
    ) -> Result<pb::SigningKey> {
        let (id, reason) = ending(&request.name, &request.reason)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let key = signing_keys::lock(tx, id).await?;
            let tenure = Tenure::of(key.revoke_time.is_some());
            let ended = tenure.end(key, End::Revoke, reason, cx)?;
            let ended = signing_keys::save_end(tx, ended).await?;
            Ok(reply(&ended))
        })
        .await
    }

    pub(super) async fn list_signing_keys(
        &self,
        _cx: &Cx,
        _request: pb::ListSigningKeysRequest,
    ) -> Result<pb::ListSigningKeysResponse> {
        let mut connection = self.store.read().await?;
        let found = signing_keys::list(&mut connection).await?;
        Ok(pb::ListSigningKeysResponse { signing_keys: found.iter().map(reply).collect() })
    }
}

fn reply(key: &SigningKey) -> pb::SigningKey {
    let purpose = wire::enumerated::<pb::signing_key::Purpose>(key.purpose);
    pb::SigningKey {
        name: key.id.to_string(),
        purpose,
        suite: key.suite.wire().to_owned(),
        kid: world::kid_text(key.kid),
        public_key: key.public_key.clone(),
        not_before: Some(wire::time(key.not_before)),
        sign_until: Some(wire::time(key.sign_until)),
        verify_until: Some(wire::time(key.verify_until)),
        revoke_time: wire::time_of(key.revoke_time),
    }
}
