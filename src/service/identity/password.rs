//! Passwords: kept from every log, and hashed with argon2id beside the loop of calls. How strong
//! one must be is a rule of the domain.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Hashes under way at once on one server: each holds 19 MiB, and a flood of sign-ins must not
/// hold them all.
const AT_ONCE: usize = 4;
static HASHING: Semaphore = Semaphore::const_new(AT_ONCE);

/// What an unknown account is compared with, so that its refusal takes as long as any: a hash of
/// no password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A text that reaches no log: wiped when it is dropped.
#[derive(Clone)]
pub struct SensitiveText(Zeroizing<String>);

impl SensitiveText {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SensitiveText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// OWASP's second choice: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None);
    let params = params.map_err(|_| Error::internal("parameters of argon2"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password, in the PHC format.
pub async fn hash(password: &SensitiveText, salt: [u8; 16]) -> Result<String> {
    let password = password.clone();
    beside(move || {
        let salt = SaltString::encode_b64(&salt).map_err(|_| Error::internal("a salt"))?;
        let hashed = argon2()?.hash_password(password.reveal().as_bytes(), &salt);
        Ok(hashed.map_err(|_| Error::internal("argon2 failed"))?.to_string())
    })
    .await
}

/// Whether the hash is the password's; without a hash, or with a malformed one, it takes as long
/// and is not.
pub async fn verify(password: &SensitiveText, hash: Option<&str>) -> Result<bool> {
    let password = password.clone();
    let hash = hash.unwrap_or_default().to_owned();
    beside(move || {
        let argon2 = argon2()?;
        let known = PasswordHash::new(&hash).ok();
        let is_known = known.is_some();
        let nobody = PasswordHash::new(NOBODY).map_err(|_| Error::internal("a hash of nobody"))?;
        let compared = known.unwrap_or(nobody);
        let fits = argon2.verify_password(password.reveal().as_bytes(), &compared).is_ok();
        Ok(fits && is_known)
    })
    .await
}

/// Runs it on a thread where it may take long.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let permit = HASHING.acquire().await.map_err(Error::internal)?;
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    done.await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::{NOBODY, SensitiveText, hash, verify};

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let right = SensitiveText::new("Correct-horse-1");
        let hashed = hash(&right, [1; 16]).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify(&right, Some(&hashed)).await.unwrap());
        assert!(!verify(&SensitiveText::new("Correct-horse-2"), Some(&hashed)).await.unwrap());
        assert_ne!(hash(&right, [2; 16]).await.unwrap(), hashed);
    }

    #[tokio::test]
    async fn nothing_fits_no_hash() {
        for hash in [None, Some(""), Some("plain"), Some(NOBODY)] {
            for password in ["", "plain", "saltsaltsaltsalt"] {
                let password = SensitiveText::new(password);
                assert!(!verify(&password, hash).await.unwrap(), "{hash:?}");
            }
        }
    }

    // The text never reaches a log.
    #[test]
    fn a_sensitive_text_is_not_printed() {
        assert_eq!(format!("{:?}", SensitiveText::new("hunter2")), "(sensitive)");
    }
}
