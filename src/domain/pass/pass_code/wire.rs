//! CBOR and COSE of the code: written in one way, and read only where it was written so.

use ciborium::Value;
use coset::{
    Algorithm, CborSerializable as _, CoseSign1, CoseSign1Builder, HeaderBuilder,
    RegisteredLabelWithPrivate, iana,
};
use uuid::Uuid;

use super::{CodeMode, CodeWindow, PassClaims};
use crate::crypto::{CryptoError, SigningKey, Suite};

/// SM2 with SM3: private use, since none is registered.
const ALGORITHM_SM: i64 = -65_601;
/// The claim of the pass: private use.
const CLAIM_PASS: i64 = -65_601;
/// The most zones and windows that are read.
const ENTRIES_MAX: usize = 16;
const MINUTES: u64 = 1_440;

/// A signed message that was taken apart.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) algorithm: Algorithm,
    pub(super) kid: [u8; 4],
    pub(super) payload: Vec<u8>,
    /// What the signature covers.
    pub(super) signed: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// The algorithm of a suite.
pub(super) const fn algorithm(suite: Suite) -> Algorithm {
    match suite {
        Suite::Intl => RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA),
        Suite::Sm => RegisteredLabelWithPrivate::PrivateUse(ALGORITHM_SM),
    }
}

fn unsigned(payload: &[u8], kid: [u8; 4], algorithm: Algorithm) -> CoseSign1Builder {
    let header = HeaderBuilder::new().algorithm_label(algorithm).key_id(kid.to_vec()).build();
    CoseSign1Builder::new().protected(header).payload(payload.to_vec())
}

/// Signs a payload.
pub(super) fn sign(payload: &[u8], kid: [u8; 4], key: &SigningKey) -> Result<Vec<u8>, CryptoError> {
    let message = unsigned(payload, kid, algorithm(key.suite()))
        .try_create_signature(&[], |signed| key.sign(signed).map(Vec::from))?
        .build();
    message.to_vec().map_err(|_| CryptoError)
}

/// Takes a message apart, where it is written exactly as [`sign`] writes it.
pub(super) fn open(bytes: &[u8]) -> Option<Envelope> {
    let message = CoseSign1::from_slice(bytes).ok()?;
    let algorithm = message.protected.header.alg.clone()?;
    let kid = message.protected.header.key_id.as_slice().try_into().ok()?;
    let payload = message.payload.clone()?;
    if message.signature.len() != 64 {
        return None;
    }
    let again = unsigned(&payload, kid, algorithm.clone())
        .signature(message.signature.clone())
        .build()
        .to_vec()
        .ok()?;
    // One message has one text: no unknown header, no second encoding, no trailing byte.
    if again != bytes {
        return None;
    }
    let signed = message.tbs_data(&[]);
    Some(Envelope { algorithm, kid, payload, signed, signature: message.signature })
}

/// The claims as CBOR, keys in order.
pub(super) fn payload(claims: &PassClaims, mode: CodeMode) -> Option<Vec<u8>> {
    let plate_type: u8 = claims.plate_type.parse().ok()?;
    let windows = claims.windows.iter().map(|window| Value::from(packed(*window)));
    let pass = Value::Array(vec![
        Value::from(u8::from(mode == CodeMode::Printed)),
        Value::from(claims.plate.clone()),
        Value::from(plate_type),
        Value::from(claims.kind),
        Value::Array(claims.zones.iter().map(|zone| Value::from(*zone)).collect()),
        Value::Array(windows.collect()),
    ]);
    let map = Value::Map(vec![
        (Value::from(4), Value::from(claims.expires)),
        (Value::from(5), Value::from(claims.not_before)),
        (Value::from(6), Value::from(claims.issued_at)),
        (Value::from(7), Value::Bytes(claims.pass.as_bytes().to_vec())),
        (Value::from(CLAIM_PASS), pass),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&map, &mut bytes).ok()?;
    Some(bytes)
}

/// Reads claims, where they are written exactly as [`payload`] writes them.
pub(super) fn claims(bytes: &[u8]) -> Option<(PassClaims, CodeMode)> {
    let Value::Map(map) = ciborium::from_reader::<Value, _>(bytes).ok()? else { return None };
    let claim = |key: i64| {
        let found = map.iter().find(|(name, _)| *name == Value::from(key));
        found.map(|(_, value)| value)
    };
    let seconds = |key: i64| i64::try_from(claim(key)?.as_integer()?).ok();
    let pass = claim(CLAIM_PASS)?.as_array()?;
    let [mode, plate, plate_type, kind, zones, windows] = pass.as_slice() else { return None };
    let mode = match u8::try_from(mode.as_integer()?).ok()? {
        0 => CodeMode::Dynamic,
        1 => CodeMode::Printed,
        _ => return None,
    };
    let zones = zones.as_array().filter(|zones| zones.len() <= ENTRIES_MAX)?;
    let windows = windows.as_array().filter(|windows| windows.len() <= ENTRIES_MAX)?;
    let claims = PassClaims {
        pass: Uuid::from_slice(claim(7)?.as_bytes()?).ok()?,
        plate: plate.as_text()?.to_owned(),
        plate_type: format!("{:02}", u8::try_from(plate_type.as_integer()?).ok()?),
        kind: u8::try_from(kind.as_integer()?).ok()?,
        zones: zones
            .iter()
            .map(|zone| u16::try_from(zone.as_integer()?).ok())
            .collect::<Option<_>>()?,
        windows: windows
            .iter()
            .map(|window| unpacked(u64::try_from(window.as_integer()?).ok()?))
            .collect::<Option<_>>()?,
        issued_at: seconds(6)?,
        not_before: seconds(5)?,
        expires: seconds(4)?,
    };
    (payload(&claims, mode)? == bytes).then_some((claims, mode))
}

fn packed(window: CodeWindow) -> u64 {
    u64::from(window.days & 0x7f) << 22
        | u64::from(window.from_minute & 0x7ff) << 11
        | u64::from(window.until_minute & 0x7ff)
}

fn unpacked(packed: u64) -> Option<CodeWindow> {
    let (days, from, until) = (packed >> 22, packed >> 11 & 0x7ff, packed & 0x7ff);
    if days > 0x7f || from >= MINUTES || until == 0 || until > MINUTES {
        return None;
    }
    Some(CodeWindow {
        days: u8::try_from(days).ok()?,
        from_minute: u16::try_from(from).ok()?,
        until_minute: u16::try_from(until).ok()?,
    })
}
