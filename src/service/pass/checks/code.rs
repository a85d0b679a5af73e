//! What a scanned text says: verified once, remembered as genuine. Never its status, and never
//! longer than its key is trusted.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::Timestamp;
use moka::sync::Cache as Memo;
use sha2::{Digest as _, Sha256};

use crate::{
    crypto::VerifyingKey,
    domain::{
        identity::signing_key::Purpose,
        pass::pass_code::{self, CodeFault, KeyRing, PassCode, RingKey},
    },
    store::common::world::Snapshot,
};

/// Genuine codes that are remembered: a dynamic one is shown for half a minute, to a few scanners.
const CODES_REMEMBERED: u64 = 50_000;
/// How long they are.
const CODE_REMEMBERED: Duration = Duration::from_mins(2);

/// What came of a scanned text.
pub(super) enum Scan {
    /// A key of ours signed it.
    Genuine(Arc<PassCode>),
    /// It says nothing; the key that it names, where it names one.
    Faulty(CodeFault, Option<[u8; 4]>),
}

type Ring = Option<(Arc<Snapshot>, Arc<KeyRing>)>;

/// Why a text has not even the form of a code, where it has not.
pub(super) fn fault_of_form(text: &str) -> Option<CodeFault> {
    pass_code::parse(text).err().map(CodeFault::with_every_key)
}

/// The codes that one server has verified.
pub(super) struct Codes {
    genuine: Memo<[u8; 32], Arc<PassCode>>,
    ring: RwLock<Ring>,
}

impl Codes {
    /// None yet.
    pub(super) fn new() -> Self {
        let genuine =
            Memo::builder().max_capacity(CODES_REMEMBERED).time_to_live(CODE_REMEMBERED).build();
        Self { genuine, ring: RwLock::default() }
    }

    /// Reads a text, and believes it where a key that counts now signed it (I4).
    pub(super) fn read(&self, snapshot: &Arc<Snapshot>, text: &str, now: Timestamp) -> Scan {
        let ring = self.ring(snapshot);
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if let Some(code) = self.genuine.get(&digest) {
            // Remembered or not, the key must still be one that we trust.
            return match ring.find(code.kid()) {
                Some(key) if key.verifies_at(now) => Scan::Genuine(code),
                Some(_) => Scan::Faulty(CodeFault::KeyRevoked, Some(code.kid())),
                None => Scan::Faulty(CodeFault::KeyInvented, Some(code.kid())),
            };
        }
        let unverified = match pass_code::parse(text) {
            Ok(unverified) => unverified,
            Err(fault) => return Scan::Faulty(fault.with_every_key(), None),
        };
        let kid = unverified.kid();
        match unverified.verify(&ring, now) {
            Ok(code) => {
                let code = Arc::new(code);
                self.genuine.insert(digest, code.clone());
                Scan::Genuine(code)
            }
            Err(fault) => Scan::Faulty(fault.with_every_key(), Some(kid)),
        }
    }

    /// The keys of the snapshot, opened once for each snapshot.
    fn ring(&self, snapshot: &Arc<Snapshot>) -> Arc<KeyRing> {
        let held = self.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, ring)) = held
            && Arc::ptr_eq(&of, snapshot)
        {
            return ring;
        }
        let keys = snapshot.keys.iter().filter(|key| key.purpose == Purpose::PassCode);
        let ring = Arc::new(KeyRing::new(keys.filter_map(|key| {
            Some(RingKey {
                kid: key.kid,
                key: VerifyingKey::from_bytes(key.suite, &key.public_key).ok()?,
                verify_until: key.verify_until,
                revoked: key.revoke_time.is_some(),
            })
        })));
        let mut held = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *held = Some((snapshot.clone(), ring.clone()));
        ring
    }
}
