//! Devices: enrolled once, signed in by their key, ended at once.

use ed25519_dalek::{Signer as _, SigningKey};
use jingqi::surface::{sandbox::city, service::pb};
use sqlx::PgPool;
use tonic::Code;

use super::{account, load_city, officer, signed_in};
use crate::harness::{App, User, reason, request_id};

/// A device with its key, signed in.
async fn device(app: &App, administrator: &User) -> (pb::Tokens, String) {
    let listed = administrator.call(pb::ListCheckpointsRequest {}).await.unwrap();
    let checkpoint = listed.checkpoints[0].name.clone();
    let request = pb::CreateDeviceEnrolmentRequest { checkpoint, request_id: request_id() };
    let code = administrator.call(request).await.unwrap().enrolment_code;
    let key = SigningKey::from_bytes(&[5; 32]);
    let enrol = pb::EnrolDeviceRequest {
        enrolment_code: code.clone(),
        public_key: key.verifying_key().to_bytes().to_vec(),
        proof: key.sign(code.as_bytes()).to_bytes().to_vec(),
        ..Default::default()
    };
    let nobody = app.anonymous();
    let forged = pb::EnrolDeviceRequest { proof: vec![0; 64], ..enrol.clone() };
    assert!(nobody.call(forged).await.is_err());
    let device = nobody.call(enrol.clone()).await.unwrap().device;
    // A repetition after a lost answer finds the same device; another key finds nothing.
    assert_eq!(nobody.call(enrol.clone()).await.unwrap().device, device);
    let thief = SigningKey::from_bytes(&[6; 32]);
    let stolen = pb::EnrolDeviceRequest {
        public_key: thief.verifying_key().to_bytes().to_vec(),
        proof: thief.sign(code.as_bytes()).to_bytes().to_vec(),
        ..enrol
    };
    assert!(nobody.call(stolen).await.is_err(), "a code enrolled two devices");
    // Who knows of no device learns from its challenge nothing either.
    let unknown = format!("devices/{}", jingqi::surface::clock::Ids::system().random());
    let unknown = pb::CreateDeviceChallengeRequest { device: unknown };
    let unknown = nobody.call(unknown).await.unwrap();
    let challenge = pb::CreateDeviceChallengeRequest { device: device.clone() };
    let known = nobody.call(challenge).await.unwrap();
    assert_eq!(unknown.expire_time, known.expire_time);
    assert_eq!(unknown.challenge.len(), known.challenge.len());
    let challenge = known.challenge;
    let sign_in = |signature: Vec<u8>| pb::SignInDeviceRequest {
        device: device.clone(),
        challenge: challenge.clone(),
        signature,
        software_version: "1".to_owned(),
    };
    let forged = nobody.call(sign_in(vec![0; 64])).await.unwrap_err();
    assert_eq!(forged.code(), Code::Unauthenticated);
    let challenge = pb::CreateDeviceChallengeRequest { device: device.clone() };
    let challenge = nobody.call(challenge).await.unwrap().challenge;
    let request = pb::SignInDeviceRequest {
        device: device.clone(),
        signature: key.sign(&challenge).to_bytes().to_vec(),
        challenge,
        software_version: "1".to_owned(),
    };
    let tokens = nobody.call(request.clone()).await.unwrap();
    assert!(nobody.call(request).await.is_err(), "a challenge was answered twice");
    (tokens, device)
}

// ID-05, CP-01: a device enrols once, signs a challenge once, and is ended at once.
#[sqlx::test]
async fn a_device_enrols_signs_in_and_is_revoked(pool: PgPool) {
    let app = App::start(pool).await;
    load_city(&app).await;
    let system = signed_in(&app, &officer(&app, &city::SYSTEM, 0).await.unwrap());
    let (tokens, name) = device(&app, &system).await;
    let terminal = signed_in(&app, &tokens);
    assert_eq!(account(&terminal).await.unwrap().roles, ["DEVICE"]);
    let another = app.another().await;
    let revoke =
        pb::RevokeDeviceRequest { name, reason: "丢失".to_owned(), request_id: request_id() };
    system.call(revoke).await.unwrap();
    for at in [app.address, another] {
        assert_eq!(reason(&account(&terminal.at(at)).await.unwrap_err()), "SESSION_ENDED");
    }
}
