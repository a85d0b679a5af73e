//! Seals personal data and private keys before they are stored, and makes the blind indexes by
//! which they are found. No key of its own making: everything derives from the master key.

use crate::{
    crypto::{self, Sealer, Suite},
    error::{Error, Result},
};

/// The version of the master key, in the header of everything sealed.
const KEY_ID: [u8; 4] = [0, 0, 0, 1];

/// Seals and opens. Each purpose is bound to its ciphertext: a phone never opens as a name.
#[derive(Debug)]
pub struct Vault {
    sealer: Sealer,
    derive: [u8; 32],
}

impl Vault {
    /// Derives the keys.
    pub fn new(master: &[u8; 32]) -> Result<Self> {
        let sealing = crypto::mac(Suite::Intl, master, b"jingqi seal v1");
        let derive = crypto::mac(Suite::Intl, master, b"jingqi derive v1");
        let sealer = Sealer::new(KEY_ID, &sealing).map_err(Error::internal)?;
        Ok(Self { sealer, derive })
    }

    /// Seals for a purpose. The nonce must be fresh.
    pub fn seal(&self, purpose: &str, plain: &[u8], nonce: [u8; 12]) -> Result<Vec<u8>> {
        self.sealer.seal(nonce, purpose.as_bytes(), plain).map_err(Error::internal)
    }

    /// Opens what was sealed for the purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        self.sealer.open(purpose.as_bytes(), sealed).map_err(Error::internal)
    }

    /// Opens a text.
    pub fn open_text(&self, purpose: &str, sealed: &[u8]) -> Result<String> {
        String::from_utf8(self.open(purpose, sealed)?).map_err(Error::internal)
    }

    /// The blind index of a text: equal texts of one purpose have equal indexes, and nobody
    /// without the key can try texts (facts.md, 6.3).
    #[must_use]
    pub fn index(&self, purpose: &str, text: &str) -> Vec<u8> {
        crypto::mac(Suite::Intl, &self.key(purpose), text.as_bytes()).to_vec()
    }

    /// A key for one purpose: page tokens, refresh tokens.
    #[must_use]
    pub fn key(&self, purpose: &str) -> [u8; 32] {
        crypto::mac(Suite::Intl, &self.derive, purpose.as_bytes())
    }
}
