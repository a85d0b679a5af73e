//! The code of a pass: `TP1:` and Base45 of a `COSE_Sign1` whose payload are CWT claims (RFC 8392,
//! 9052, 9285). Signed bytes in, judged claims out; no status of a pass is known here.
//!
//! The text never says how it must be verified: the key that its key id names does (I4). What is
//! read must be, byte for byte, what this file would write; anything else is refused.
//!
//! | Claim | Key | Value |
//! |---|---|---|
//! | `exp`, `nbf`, `iat` | 4, 5, 6 | seconds |
//! | `cti` | 7 | the id of the pass, 16 bytes: what a revocation names (QR-12) |
//! | pass | -65601 | array: mode, plate, plate type, kind, zone codes, windows |
//!
//! A window is one number: days (7 bits, Monday lowest), from and until in minutes (11 bits each).
//! The algorithm of the suite SM is the private-use -65601: SM2 with SM3, identifier
//! 1234567812345678, r and s as 32 bytes each; no number is registered with IANA.
//!
//! # The code of a pass
//!
//! `TP1:` and Base45 of a `COSE_Sign1` whose payload are CWT claims: at most QR version 9 at level M with
//! four zones and three time windows, in both suites. Suite INTL is Ed25519. Suite SM is SM2 with SM3
//! (identifier 1234567812345678) under the private-use algorithm −65601, since none is registered. The
//! dynamic code is fetched every 30 s and stale after 90 s; the printed one lives as long as the pass and
//! is marked "not proven live" at the checkpoint. A device verifies it without network from the signed
//! key list; whether the pass still stands is asked online. `src/domain/pass_code.rs` documents every
//! claim; `tests/python/verify_code.py` verifies both suites with other people's code.

mod keys;
mod wire;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use uuid::Uuid;

pub use keys::{KEY_LIST_LIFETIME, KeyList, KeyRing, PublishedKey, RingKey};

use super::policy::PassKind;
use crate::crypto::{CryptoError, SigningKey};

/// The version and context of the code (QR-03).
pub const PREFIX: &str = "TP1:";
/// A longer text is not looked at: more than the largest code, less than what hurts.
pub const TEXT_BYTES_MAX: usize = 512;
/// A client fetches the next dynamic code after so long.
pub const REFRESH_SECONDS: i64 = 30;
/// A dynamic code is stale after so long.
pub const STALE_SECONDS: i64 = 90;
/// How far a phone's server and a checkpoint's clock may differ.
const SKEW_SECONDS: i64 = 5;

/// What a code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassClaims {
    /// The pass.
    pub pass: Uuid,
    /// The plate of the truck: the officer compares it.
    pub plate: String,
    /// 号牌种类, two digits.
    pub plate_type: String,
    /// The kind of pass, by its place in the list of kinds.
    pub kind: u8,
    /// The codes of the zones.
    pub zones: Vec<u16>,
    /// When it may be used; empty: at any time.
    pub windows: Vec<CodeWindow>,
    /// When it was signed, in seconds.
    pub issued_at: i64,
    /// From when the pass is valid, in seconds.
    pub not_before: i64,
    /// Until when, exclusive, in seconds.
    pub expires: i64,
}

/// A daily window on some days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeWindow {
    /// Bit 0 is Monday; none set: every day.
    pub days: u8,
    /// Minutes after midnight, inclusive.
    pub from_minute: u16,
    /// Minutes after midnight, exclusive, at most 1440.
    pub until_minute: u16,
}

/// Where a code is meant to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeMode {
    /// On a screen, refreshed.
    Dynamic,
    /// On paper.
    Printed,
}

/// Why a code is not to be believed. The texts are constant: nothing is learnt from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFault {
    /// No code of ours at all: an address, the bar code of a carton.
    Foreign,
    /// It begins like one, and is damaged.
    Malformed,
    /// The signature is not the key's.
    SignatureWrong,
    /// The key was revoked, or is past its time.
    KeyRevoked,
    /// We never had the key that it names, and our list of keys is complete: the server's is.
    KeyInvented,
    /// The key is unknown to us: our list may be old, so nothing can be said.
    KeyUnknown,
}

impl CodeFault {
    /// The same for whoever has every key: a key is published before it signs anything, so that one that is
    /// unknown then never was.
    #[must_use]
    pub const fn with_every_key(self) -> Self {
        match self {
            Self::KeyUnknown => Self::KeyInvented,
            other => other,
        }
    }
}

/// How fresh a code is at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Signed just now.
    Fresh,
    /// A screenshot, or a phone that did not refresh.
    Stale,
    /// Signed later than now: one of the clocks is wrong.
    FromFuture,
    /// On paper: genuine, not proven live.
    Printed,
}

/// Whether a code is in its time at an instant (QR-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTime {
    /// Before the first instant.
    NotYet,
    /// In its time.
    Now,
    /// At or after the end.
    Over,
}

/// Signs the claims.
///
/// # Errors
/// When the key cannot sign.
pub fn encode(
    claims: &PassClaims,
    mode: CodeMode,
    kid: [u8; 4],
    key: &SigningKey,
) -> Result<String, CryptoError> {
    let payload = wire::payload(claims, mode).ok_or(CryptoError)?;
    let signed = wire::sign(&payload, kid, key)?;
    Ok(format!("{PREFIX}{}", base45::encode(signed)))
}

/// The number of a kind in a code: its place in the list of kinds, which only grows.
#[must_use]
pub fn kind(kind: PassKind) -> u8 {
    let place = PassKind::ALL.iter().position(|known| *known == kind).unwrap_or_default();
    u8::try_from(place).unwrap_or(u8::MAX)
}

/// What a scanner meant to send: it types like a keyboard, ends with Enter or a tab, may begin with a byte
/// order mark, and types small letters under caps lock and wide ones under a Chinese input method. A code
/// has no small letter, and neither begins nor ends with a blank, so that nothing of one is lost.
#[must_use]
pub fn scanned(text: &str) -> String {
    // Blanks inside belong to Base45; what does not show, and what ends a line, does not.
    let hidden = |c: &char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let narrow = |c: char| match c {
        '\u{3000}' | '\u{a0}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        _ => c,
    };
    let meant: String =
        text.chars().filter(|c| !hidden(c)).map(|c| narrow(c).to_ascii_uppercase()).collect();
    meant.trim().to_owned()
}

/// Reads a text as [`scanned`] gives it, without believing it.
///
/// # Errors
/// `Foreign` for what does not begin like a code, `Malformed` for anything else that this file would not
/// have written.
pub fn parse(text: &str) -> Result<UnverifiedPassCode, CodeFault> {
    let encoded = text.strip_prefix(PREFIX).ok_or(CodeFault::Foreign)?;
    if text.len() > TEXT_BYTES_MAX {
        return Err(CodeFault::Malformed);
    }
    let bytes = base45::decode(encoded).map_err(|_| CodeFault::Malformed)?;
    // Base45 has several texts for some bytes; only the one that we write is ours.
    if base45::encode(&bytes) != encoded {
        return Err(CodeFault::Malformed);
    }
    let envelope = wire::open(&bytes).ok_or(CodeFault::Malformed)?;
    let (claims, mode) = wire::claims(&envelope.payload).ok_or(CodeFault::Malformed)?;
    Ok(UnverifiedPassCode { envelope, claims, mode })
}

/// A code that was read and not yet believed: its claims cannot be reached.
#[derive(Debug)]
pub struct UnverifiedPassCode {
    envelope: wire::Envelope,
    claims: PassClaims,
    mode: CodeMode,
}

impl UnverifiedPassCode {
    /// The id of the key that is said to have signed.
    #[must_use]
    pub const fn kid(&self) -> [u8; 4] {
        self.envelope.kid
    }

    /// Believes it, where a key of the ring signed it.
    ///
    /// # Errors
    /// `KeyUnknown`, `KeyRevoked` or `SignatureWrong`; never one for another.
    pub fn verify(self, ring: &KeyRing, now: Timestamp) -> Result<PassCode, CodeFault> {
        let key = ring.find(self.envelope.kid).ok_or(CodeFault::KeyUnknown)?;
        // The algorithm must be the key's, never the other way round (T3).
        let genuine = self.envelope.algorithm == wire::algorithm(key.key.suite())
            && key.key.verify(&self.envelope.signed, &self.envelope.signature);
        if !genuine {
            return Err(CodeFault::SignatureWrong);
        }
        // A forgery is told as one, also under a key that was withdrawn.
        if !key.verifies_at(now) {
            return Err(CodeFault::KeyRevoked);
        }
        Ok(PassCode { claims: self.claims, mode: self.mode, kid: self.envelope.kid })
    }
}

/// A code that a key of ours signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassCode {
    claims: PassClaims,
    mode: CodeMode,
    kid: [u8; 4],
}

impl PassCode {
    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &PassClaims {
        &self.claims
    }

    /// Where it is meant to be shown.
    #[must_use]
    pub const fn mode(&self) -> CodeMode {
        self.mode
    }

    /// The key that signed it.
    #[must_use]
    pub const fn kid(&self) -> [u8; 4] {
        self.kid
    }

    /// How fresh it is (I5).
    #[must_use]
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        if self.mode == CodeMode::Printed {
            return Freshness::Printed;
        }
        let age_ms =
            now.as_millisecond().saturating_sub(self.claims.issued_at.saturating_mul(1_000));
        if age_ms < -SKEW_SECONDS * 1_000 {
            Freshness::FromFuture
        } else if age_ms > STALE_SECONDS * 1_000 {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }

    /// Whether it is in its time, begin inclusive, end exclusive.
    #[must_use]
    pub fn validity_at(&self, now: Timestamp) -> InTime {
        let now = now.as_second();
        if now < self.claims.not_before {
            InTime::NotYet
        } else if now < self.claims.expires {
            InTime::Now
        } else {
            InTime::Over
        }
    }
}
