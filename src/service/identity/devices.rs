//! How a checking device enrols and comes in: by a key that never leaves it. Who may issue its
//! enrolment code is said elsewhere.

use jiff::SignedDuration;

use super::{Identity, coming_in::Door, required};
use crate::{
    context::Cx,
    crypto::{Suite, VerifyingKey},
    domain::codes::one_time_code,
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::identity::{
        devices::{self, NewDevice},
        sessions::{self, Owner},
    },
};

/// How long a challenge can be answered.
const CHALLENGE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);
const TEXT_CHARACTERS_MAX: usize = 64;

impl Identity {
    pub(super) async fn enrol_device(
        &self,
        cx: &Cx,
        request: pb::EnrolDeviceRequest,
    ) -> Result<pb::EnrolDeviceResponse> {
        Box::pin(self.attempt(cx, Door::Devices, self.try_enrolment(cx, request))).await
    }

    async fn try_enrolment(
        &self,
        cx: &Cx,
        request: pb::EnrolDeviceRequest,
    ) -> Result<pb::EnrolDeviceResponse> {
        let mut faults = Faults::new();
        required(&mut faults, "enrolment_code", &request.enrolment_code);
        let long = request.enrolment_code.len() > TEXT_CHARACTERS_MAX;
        faults.check(!long, "enrolment_code", Flaw::TooLong);
        let key = VerifyingKey::from_bytes(Suite::Intl, &request.public_key);
        let key = faults.take("public_key", key.map_err(|_| Flaw::PublicKeyMalformed));
        faults.check(!request.proof.is_empty(), "proof", Flaw::Required);
        let model = wire::text_maybe(&request.model, TEXT_CHARACTERS_MAX);
        let model = faults.take("model", model).unwrap_or_default();
        let software_version = software(&mut faults, &request.software_version);
        let key = faults.whole(key)?;
        if !key.verify(request.enrolment_code.as_bytes(), &request.proof) {
            return Err(Error::new(Reason::CredentialsInvalid));
        }
        let new = NewDevice { public_key: request.public_key, model, software_version };
        let mut tx = self.store.begin(cx).await?;
        let code = one_time_code(&request.enrolment_code);
        let device = devices::enrol(&mut tx, &code, new).await?;
        tx.commit().await?;
        Ok(pb::EnrolDeviceResponse {
            device: device.id.to_string(),
            checkpoint: device.checkpoint.to_string(),
        })
    }

    pub(super) async fn create_device_challenge(
        &self,
        cx: &Cx,
        request: pb::CreateDeviceChallengeRequest,
    ) -> Result<pb::DeviceChallenge> {
        Box::pin(self.attempt(cx, Door::Devices, self.challenge(cx, request))).await
    }

    async fn challenge(
        &self,
        cx: &Cx,
        request: pb::CreateDeviceChallengeRequest,
    ) -> Result<pb::DeviceChallenge> {
        let device = device(&request.device)?;
        let challenge: [u8; 32] = cx.ids().bytes();
        let expire_time = cx.now.saturating_add(CHALLENGE_LIFETIME).map_err(Error::internal)?;
        let mut tx = self.store.begin(cx).await?;
        // An unknown device gets a challenge too, which nobody can answer.
        if devices::find(tx.conn(), device).await?.is_some() {
            devices::insert_challenge(&mut tx, device, &challenge, expire_time).await?;
        }
        tx.commit().await?;
        Ok(pb::DeviceChallenge {
            challenge: challenge.to_vec(),
            expire_time: Some(wire::time(expire_time)),
        })
    }

    pub(super) async fn sign_in_device(
        &self,
        cx: &Cx,
        request: pb::SignInDeviceRequest,
    ) -> Result<pb::Tokens> {
        Box::pin(self.attempt(cx, Door::Devices, self.try_device(cx, request))).await
    }

    async fn try_device(&self, cx: &Cx, request: pb::SignInDeviceRequest) -> Result<pb::Tokens> {
        let mut faults = Faults::new();
        let id = faults.take("device", Id::<kind::Device>::parse(&request.device));
        faults.check(!request.challenge.is_empty(), "challenge", Flaw::Required);
        faults.check(!request.signature.is_empty(), "signature", Flaw::Required);
        let software_version = software(&mut faults, &request.software_version);
        let id = faults.whole(id)?;
        let signer = self.signer(cx).await?;
        let mut tx = self.store.begin(cx).await?;
        let device = devices::find_locked(&mut tx, id).await?;
        let fresh = devices::spend_challenge(&mut tx, id, &request.challenge).await?;
        let signed = device.is_some_and(|device| {
            VerifyingKey::from_bytes(Suite::Intl, &device.public_key)
                .is_ok_and(|key| key.verify(&request.challenge, &request.signature))
        });
        if !(fresh && signed) {
            // The challenge is spent all the same.
            tx.commit().await?;
            return Err(Error::new(Reason::CredentialsInvalid));
        }
        if !software_version.is_empty() {
            devices::save_software(&mut tx, id, &software_version).await?;
        }
        let owner = Owner::Device(id);
        let session = sessions::insert(&mut tx, owner, &software_version).await?;
        tx.commit().await?;
        self.tokens(cx, &signer, &session).await
    }
}

fn device(name: &str) -> Result<Id<kind::Device>> {
    Id::parse(name).map_err(|flaw| Error::field("device", flaw))
}

fn software(faults: &mut Faults, text: &str) -> String {
    let text = wire::text_maybe(text, TEXT_CHARACTERS_MAX);
    faults.take("software_version", text).unwrap_or_default()
}
