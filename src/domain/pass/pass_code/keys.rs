//! The keys by which codes are verified, and the signed list in which devices load them (QR-05 to
//! QR-07).

use ciborium::Value;
use jiff::{SignedDuration, Timestamp};

use super::{CodeFault, wire};
use crate::crypto::{CryptoError, SigningKey, Suite, VerifyingKey};

/// A device asks again for the list after so long at the latest.
pub const KEY_LIST_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A key that verifies codes.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// Its id.
    pub kid: [u8; 4],
    /// The public half.
    pub key: VerifyingKey,
    /// What it signed counts until then.
    pub verify_until: Timestamp,
    /// Whether it was ended before its time.
    pub revoked: bool,
}

impl RingKey {
    /// Whether what it signed counts now.
    #[must_use]
    pub fn verifies_at(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.verify_until
    }
}

/// The keys that are known here; two of one id never are.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(Vec<RingKey>);

impl KeyRing {
    /// A ring; of two keys with one id the first one counts.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = RingKey>) -> Self {
        let mut ring = Self::default();
        for key in keys {
            if ring.find(key.kid).is_none() {
                ring.0.push(key);
            }
        }
        ring
    }

    /// The key of an id.
    #[must_use]
    pub fn find(&self, kid: [u8; 4]) -> Option<&RingKey> {
        self.0.iter().find(|key| key.kid == kid)
    }
}

/// A key as devices are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its id.
    pub kid: [u8; 4],
    /// Its suite.
    pub suite: Suite,
    /// The public half.
    pub public_key: Vec<u8>,
    /// It signs from then on, in seconds.
    pub not_before: i64,
    /// What it signed counts until then, in seconds.
    pub verify_until: i64,
    /// Whether it was ended before its time.
    pub revoked: bool,
}

/// The list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList {
    /// Only rises: a device never takes an older list than it has held.
    pub version: i64,
    /// When it was signed, in seconds.
    pub issued_at: i64,
    /// When a device must ask again, in seconds.
    pub next_update: i64,
    /// The keys.
    pub keys: Vec<PublishedKey>,
}

impl KeyList {
    /// Signs the list.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, kid: [u8; 4], key: &SigningKey) -> Result<Vec<u8>, CryptoError> {
        let mut payload = Vec::new();
        ciborium::into_writer(&self.value(), &mut payload).map_err(|_| CryptoError)?;
        wire::sign(&payload, kid, key)
    }

    /// Reads a signed list with the key that a device was given at its enrolment.
    ///
    /// # Errors
    /// `Malformed` or `SignatureWrong`.
    pub fn verify(signed: &[u8], key: &VerifyingKey) -> Result<Self, CodeFault> {
        let envelope = wire::open(signed).ok_or(CodeFault::Malformed)?;
        let genuine = envelope.algorithm == wire::algorithm(key.suite())
            && key.verify(&envelope.signed, &envelope.signature);
        if !genuine {
            return Err(CodeFault::SignatureWrong);
        }
        Self::read(&envelope.payload).ok_or(CodeFault::Malformed)
    }

    /// Whether a device that holds a version may take this list: never back (I2).
    #[must_use]
    pub const fn accepts_after(&self, held: i64) -> bool {
        self.version > held
    }

    /// The ring of the list.
    #[must_use]
    pub fn ring(&self) -> KeyRing {
        KeyRing::new(self.keys.iter().filter_map(|key| {
            Some(RingKey {
                kid: key.kid,
                key: VerifyingKey::from_bytes(key.suite, &key.public_key).ok()?,
                verify_until: Timestamp::from_second(key.verify_until).ok()?,
                revoked: key.revoked,
            })
        }))
    }

    fn value(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            Value::Array(vec![
                Value::Bytes(key.kid.to_vec()),
                Value::from(key.suite.wire()),
                Value::Bytes(key.public_key.clone()),
                Value::from(key.not_before),
                Value::from(key.verify_until),
                Value::from(key.revoked),
            ])
        });
        Value::Array(vec![
            Value::from(self.version),
            Value::from(self.issued_at),
            Value::from(self.next_update),
            Value::Array(keys.collect()),
        ])
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let Value::Array(list) = ciborium::from_reader::<Value, _>(payload).ok()? else {
            return None;
        };
        let [version, issued_at, next_update, keys] = list.as_slice() else { return None };
        let integer = |value: &Value| i64::try_from(value.as_integer()?).ok();
        let key = |value: &Value| {
            let [kid, suite, public, not_before, verify_until, revoked] =
                value.as_array()?.as_slice()
            else {
                return None;
            };
            Some(PublishedKey {
                kid: kid.as_bytes()?.as_slice().try_into().ok()?,
                suite: Suite::from_wire(suite.as_text()?)?,
                public_key: public.as_bytes()?.clone(),
                not_before: integer(not_before)?,
                verify_until: integer(verify_until)?,
                revoked: revoked.as_bool()?,
            })
        };
        Some(Self {
            version: integer(version)?,
            issued_at: integer(issued_at)?,
            next_update: integer(next_update)?,
            keys: keys.as_array()?.iter().map(key).collect::<Option<_>>()?,
        })
    }
}
