//! The one seam for cryptography: suites, keys, digests, seals. Nothing else names an algorithm,
//! and none is ever taken from a token. An HSM or signature server takes the place of the software
//! keys here (GB/T 39786).

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm3::Sm3;
use zeroize::Zeroizing;

use crate::named::named;

/// The default distinguishing identifier of SM2 (GB/T 35276).
const SM2_ID: &str = "1234567812345678";

named! {
/// A set of algorithms that belong together.
Suite {
    /// Ed25519, SHA-256, HMAC-SHA-256, AES-256-GCM.
    Intl = "INTL", "国际算法";
    /// SM2 with SM3, SM3, HMAC-SM3. Sealing is `Intl` until an audited SM4-GCM can be had.
    Sm = "SM", "国密算法";
}
}

/// Why something could not be done; the same for every cause, so that nothing is learnt from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoError;

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cryptographic operation failed")
    }
}

impl std::error::Error for CryptoError {}

/// A key that signs. Its bytes are wiped when it is dropped, and never printed.
pub struct SigningKey(Private);

enum Private {
    Intl(Box<ed25519_dalek::SigningKey>),
    Sm(Box<sm2::dsa::SigningKey>),
}

impl SigningKey {
    /// The key of 32 secret bytes. Not every 32 bytes are a key of SM2: ask again with others.
    ///
    /// # Errors
    /// When the bytes are no key of the suite.
    pub fn from_bytes(suite: Suite, secret: &[u8; 32]) -> Result<Self, CryptoError> {
        match suite {
            Suite::Intl => {
                let key = ed25519_dalek::SigningKey::from_bytes(secret);
                Ok(Self(Private::Intl(Box::new(key))))
            }
            Suite::Sm => {
                let key = sm2::dsa::SigningKey::from_slice(SM2_ID, secret);
                Ok(Self(Private::Sm(Box::new(key.map_err(|_| CryptoError)?))))
            }
        }
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        match self.0 {
            Private::Intl(_) => Suite::Intl,
            Private::Sm(_) => Suite::Sm,
        }
    }

    /// The public half: 32 bytes for Ed25519, 65 bytes (uncompressed) for SM2.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        match &self.0 {
            Private::Intl(key) => key.verifying_key().to_bytes().to_vec(),
            Private::Sm(key) => key.verifying_key().to_sec1_bytes().into_vec(),
        }
    }

    /// Signs; deterministic in both suites (RFC 8032; RFC 6979 for SM2).
    ///
    /// # Errors
    /// When the signature cannot be made.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], CryptoError> {
        match &self.0 {
            Private::Intl(key) => Ok(ed25519_dalek::Signer::try_sign(key.as_ref(), message)
                .map_err(|_| CryptoError)?
                .to_bytes()),
            Private::Sm(key) => {
                let signature: sm2::dsa::Signature =
                    key.try_sign(message).map_err(|_| CryptoError)?;
                Ok(signature.to_bytes().into())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.suite().wire())
    }
}

/// A key that verifies.
#[derive(Clone)]
pub struct VerifyingKey(Public);

#[derive(Clone)]
enum Public {
    Intl(Box<ed25519_dalek::VerifyingKey>),
    Sm(Box<sm2::dsa::VerifyingKey>),
}

impl VerifyingKey {
    /// Reads the public half.
    ///
    /// # Errors
    /// When the bytes are no public key of the suite, or one of small order.
    pub fn from_bytes(suite: Suite, public: &[u8]) -> Result<Self, CryptoError> {
        match suite {
            Suite::Intl => {
                let bytes = public.try_into().map_err(|_| CryptoError)?;
                let key = ed25519_dalek::VerifyingKey::from_bytes(bytes);
                let key = key.map_err(|_| CryptoError)?;
                if key.is_weak() { Err(CryptoError) } else { Ok(Self(Public::Intl(Box::new(key)))) }
            }
            Suite::Sm => {
                let key = sm2::dsa::VerifyingKey::from_sec1_bytes(SM2_ID, public);
                Ok(Self(Public::Sm(Box::new(key.map_err(|_| CryptoError)?))))
            }
        }
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        match self.0 {
            Public::Intl(_) => Suite::Intl,
            Public::Sm(_) => Suite::Sm,
        }
    }

    /// Whether the signature is the key's own of this message; strict in both suites (I4).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Public::Intl(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Public::Sm(key) => sm2::dsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.suite().wire())
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
        text
    })
}

/// Reads hexadecimal digits, an even number of them.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<_>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

/// The digest of a text.
#[must_use]
pub fn digest(suite: Suite, message: &[u8]) -> [u8; 32] {
    match suite {
        Suite::Intl => Sha256::digest(message).into(),
        Suite::Sm => Sm3::digest(message).into(),
    }
}

/// A keyed digest.
#[must_use]
pub fn mac(suite: Suite, key: &[u8], message: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    match suite {
        Suite::Intl => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
        Suite::Sm => {
            let mut mac = Hmac::<Sm3>::new_from_slice(key).expect("any length is a key");
            mac.update(message);
            mac.finalize().into_bytes().into()
        }
    }
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn equal(one: &[u8], other: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one, other).is_ok()
}

/// Seals what is stored: AES-256-GCM, with the id of its key in front.
pub struct Sealer {
    id: [u8; 4],
    key: LessSafeKey,
}

const NONCE: usize = 12;

impl Sealer {
    /// The sealer of a key.
    ///
    /// # Errors
    /// Never for a key of 32 bytes.
    pub fn new(id: [u8; 4], key: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = Zeroizing::new(*key);
        let key = UnboundKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| CryptoError)?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }

    /// Seals for a purpose. The nonce must never come twice under one key.
    ///
    /// # Errors
    /// When the plain text is too long for the algorithm.
    pub fn seal(
        &self,
        nonce: [u8; NONCE],
        purpose: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let mut sealed = plain.to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(once, Aad::from(purpose), &mut sealed)
            .map_err(|_| CryptoError)?;
        Ok([self.id.as_slice(), &nonce, &sealed].concat())
    }

    /// Opens what was sealed for the purpose.
    ///
    /// # Errors
    /// When another key, another purpose or another hand was at it.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (id, rest) = sealed.split_at_checked(self.id.len()).ok_or(CryptoError)?;
        let (nonce, rest) = rest.split_at_checked(NONCE).ok_or(CryptoError)?;
        if id != self.id {
            return Err(CryptoError);
        }
        let once = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CryptoError)?;
        let mut plain = rest.to_vec();
        let opened = self.key.open_in_place(once, Aad::from(purpose), &mut plain);
        let length = opened.map_err(|_| CryptoError)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:02x?})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sealer, SigningKey, Suite, VerifyingKey, digest, equal, mac};

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
    }

    #[test]
    fn both_suites_sign_and_neither_verifies_the_other() {
        for suite in [Suite::Intl, Suite::Sm] {
            let key = SigningKey::from_bytes(suite, &[7; 32]).unwrap();
            let verifying = VerifyingKey::from_bytes(suite, &key.public_key()).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert!(verifying.verify(b"message", &signature));
            assert!(!verifying.verify(b"massage", &signature));
            assert_eq!(signature, key.sign(b"message").unwrap());
            let other = if suite == Suite::Intl { Suite::Sm } else { Suite::Intl };
            assert!(VerifyingKey::from_bytes(other, &key.public_key()).is_err());
            let other = SigningKey::from_bytes(other, &[7; 32]).unwrap();
            assert!(!verifying.verify(b"message", &other.sign(b"message").unwrap()));
        }
    }

    #[test]
    fn a_signature_with_any_bit_flipped_is_refused() {
        for suite in [Suite::Intl, Suite::Sm] {
            let key = SigningKey::from_bytes(suite, &[9; 32]).unwrap();
            let verifying = VerifyingKey::from_bytes(suite, &key.public_key()).unwrap();
            let signature = key.sign(b"message").unwrap();
            for bit in 0..512 {
                let mut altered = signature;
                altered[bit / 8] ^= 1 << (bit % 8);
                assert!(!verifying.verify(b"message", &altered), "{suite:?} {bit}");
            }
            for length in [0, 63, 65] {
                assert!(!verifying.verify(b"message", &vec![0; length]));
            }
        }
    }

    #[test]
    fn a_public_key_of_small_order_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(VerifyingKey::from_bytes(Suite::Intl, &identity).is_err());
        assert!(VerifyingKey::from_bytes(Suite::Intl, &[0; 32]).is_err());
        assert!(SigningKey::from_bytes(Suite::Sm, &[0; 32]).is_err());
    }

    #[test]
    fn digests_give_the_vectors_of_their_standards() {
        // GB/T 32905-2016, example 1, and FIPS 180-4.
        assert_eq!(
            digest(Suite::Sm, b"abc").to_vec(),
            hex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
        );
        assert_eq!(
            digest(Suite::Intl, b"abc").to_vec(),
            hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        // RFC 4231, case 2.
        assert_eq!(
            mac(Suite::Intl, b"Jefe", b"what do ya want for nothing?").to_vec(),
            hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        assert_ne!(mac(Suite::Sm, b"k", b"m"), mac(Suite::Intl, b"k", b"m"));
    }

    #[test]
    fn what_is_sealed_opens_only_with_its_key_for_its_purpose_unaltered() {
        let sealer = Sealer::new([0, 0, 0, 1], &[1; 32]).unwrap();
        let sealed = sealer.seal([3; 12], b"phone", b"13800000000").unwrap();
        assert_eq!(sealer.open(b"phone", &sealed).unwrap(), b"13800000000");
        assert!(sealer.open(b"full-name", &sealed).is_err());
        assert!(Sealer::new([0, 0, 0, 1], &[2; 32]).unwrap().open(b"phone", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(sealer.open(b"phone", &altered).is_err(), "{at}");
        }
        assert!(sealer.open(b"phone", &sealed[..10]).is_err());
    }

    #[test]
    fn secrets_are_compared_and_never_printed() {
        assert!(equal(b"a", b"a") && !equal(b"a", b"b") && !equal(b"a", b"ab"));
        let key = SigningKey::from_bytes(Suite::Intl, &[0x5a; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(INTL)");
    }
}
