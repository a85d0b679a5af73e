//! Sign-in, sessions and the caller's own account. No rule of how long anything lasts, and no SQL.

mod coming_in;
mod devices;
mod enrolment;
pub mod organisation;
pub mod password;
pub(super) mod phone;
pub mod proposals;
mod refresh;
mod sessions;
mod sign_in;
pub mod totp;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::{pb, rpc, wire};
use crate::{
    actor::Actor,
    context::Cx,
    crypto::Suite,
    domain::identity::signing_key::Purpose,
    error::{Error, Faults, Flaw, Reason, Result},
    remote::wechat::Wechat,
    store::{
        Connection, Store, Vault, World,
        common::world,
        identity::{actors, devices as device_rows, officers, persons, sessions::Session},
    },
    token,
};

/// The longest name that a client may call itself.
const CLIENT_CHARACTERS_MAX: usize = 100;

/// The room of `IdentityService`.
pub struct Identity {
    store: Store,
    world: World,
    wechat: Arc<Wechat>,
    /// Whether a gateway is named that can send short messages.
    sends_sms: bool,
}

/// What signs an access token: fetched before a session is made, so that none is made in vain.
struct Signer {
    kid: String,
    key: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// The room in this server.
    #[must_use]
    pub fn new(parts: &crate::parts::Parts) -> Self {
        Self {
            store: parts.store.clone(),
            world: parts.world.clone(),
            wechat: parts.wechat.clone(),
            sends_sms: parts.sms.is_some(),
        }
    }

    async fn signer(&self, cx: &Cx) -> Result<Signer> {
        let snapshot = self.world.get(&self.store).await?;
        let key = snapshot.signing_key(Purpose::AccessToken, Suite::Intl, cx.now)?;
        let private = Zeroizing::new(world::private_key(&self.store, key)?);
        Ok(Signer { kid: key.kid_text(), key: private })
    }

    /// The tokens of a session that is committed: the account is shown as the gate will see it.
    async fn tokens(&self, cx: &Cx, signer: &Signer, session: &Session) -> Result<pb::Tokens> {
        let (name, id) = (session.owner.name(), session.id.uuid());
        let access = token::Access::new(name.clone(), id, cx.ids().random(), cx.now);
        let standing = actors::standing(&self.store, &name, cx.ids().bytes()).await?;
        let actor = standing.actor(session.owner.uuid(), id, cx.now)?;
        let mut connection = self.store.read().await?;
        let account = account(&mut connection, self.store.vault(), &actor).await?;
        let ends = Timestamp::from_second(access.exp).map_err(Error::internal)?;
        let key = self.refresh_key();
        Ok(pb::Tokens {
            access_token: access.sign(&signer.kid, &signer.key)?,
            access_expire_time: Some(wire::time(ends)),
            refresh_token: refresh::write(&key, session.id, session.generation),
            refresh_expire_time: Some(wire::time(session.expire_time)),
            session: session.id.to_string(),
            account: Some(account),
        })
    }

    fn refresh_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.store.vault().key("refresh-token"))
    }

    async fn get_account(&self, cx: &Cx, _request: pb::GetAccountRequest) -> Result<pb::Account> {
        let mut connection = self.store.read().await?;
        account(&mut connection, self.store.vault(), &cx.actor).await
    }

    /// RFC 7517 and RFC 8037: every key that verifies, also those that sign no longer.
    async fn get_token_keys(
        &self,
        cx: &Cx,
        _request: pb::GetTokenKeysRequest,
    ) -> Result<pb::TokenKeys> {
        let snapshot = self.world.get(&self.store).await?;
        let verifying = snapshot
            .keys
            .iter()
            .filter(|key| key.purpose == Purpose::AccessToken && key.verifies_at(cx.now));
        let keys: Vec<_> = verifying
            .map(|key| {
                json!({
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": URL_SAFE_NO_PAD.encode(&key.public_key),
                    "kid": key.kid_text(),
                    "use": "sig",
                    "alg": "EdDSA",
                })
            })
            .collect();
        Ok(pb::TokenKeys { jwks: json!({ "keys": keys }).to_string() })
    }
}

/// The account of an actor, masked.
async fn account(connection: &mut Connection, vault: &Vault, actor: &Actor) -> Result<pb::Account> {
    let roles = actor.roles().iter().map(|role| role.wire().to_owned()).collect();
    let account = pb::Account { name: actor.name(), roles, ..pb::Account::default() };
    match actor {
        Actor::Person { person, memberships, .. } => {
            let person = persons::get(connection, vault, *person).await?;
            Ok(pb::Account {
                display_name: person.display_name,
                phone: person.phone,
                enterprises: memberships.iter().map(|m| m.enterprise.to_string()).collect(),
                ..account
            })
        }
        Actor::Officer { officer, .. } => {
            let officer = officers::get(connection, vault, *officer, &actor.scope()).await?;
            Ok(pb::Account {
                display_name: officer.display_name,
                unit: officer.unit.to_string(),
                phone: officer.phone,
                password_expired: officer.password_expired,
                ..account
            })
        }
        Actor::Device { device, .. } => {
            let device = device_rows::find(connection, *device).await?;
            let device = device.ok_or_else(|| Error::new(Reason::SessionEnded))?;
            Ok(pb::Account { display_name: device.model, ..account })
        }
        Actor::Anonymous | Actor::System { .. } => Err(Error::new(Reason::TokenMissing)),
    }
}

/// What the client calls itself.
fn client(faults: &mut Faults, text: &str) -> String {
    faults.take("client", wire::text_maybe(text, CLIENT_CHARACTERS_MAX)).unwrap_or_default()
}

/// A text that must be there.
fn required(faults: &mut Faults, path: &str, text: &str) {
    faults.check(!text.is_empty(), path, Flaw::Required);
}

rpc! {
    pb::identity_service_server::IdentityService, Identity {
        sign_in_with_wechat(pb::SignInWithWechatRequest) -> pb::Tokens;
        sign_in_officer(pb::SignInOfficerRequest) -> pb::Tokens;
        begin_officer_enrolment(pb::BeginOfficerEnrolmentRequest) -> pb::OfficerEnrolment;
        complete_officer_enrolment(pb::CompleteOfficerEnrolmentRequest) -> pb::Tokens;
        enrol_device(pb::EnrolDeviceRequest) -> pb::EnrolDeviceResponse;
        create_device_challenge(pb::CreateDeviceChallengeRequest) -> pb::DeviceChallenge;
        sign_in_device(pb::SignInDeviceRequest) -> pb::Tokens;
        refresh_session(pb::RefreshSessionRequest) -> pb::Tokens;
        get_token_keys(pb::GetTokenKeysRequest) -> pb::TokenKeys;
        get_account(pb::GetAccountRequest) -> pb::Account;
        send_phone_code(pb::SendPhoneCodeRequest) -> pb::SendPhoneCodeResponse;
        verify_phone(pb::VerifyPhoneRequest) -> pb::Account;
        list_sessions(pb::ListSessionsRequest) -> pb::ListSessionsResponse;
        revoke_session(pb::RevokeSessionRequest) -> pb::Session;
        revoke_other_sessions(pb::RevokeOtherSessionsRequest) -> pb::RevokeOtherSessionsResponse;
        change_password(pb::ChangePasswordRequest) -> pb::Account;
    }
}
