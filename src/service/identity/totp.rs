//! One-time codes of officers' second factor (RFC 6238: SHA-1, six digits, 30 seconds). No clock:
//! the instant comes in.

use jiff::Timestamp;
use totp_rs::{Algorithm, TOTP};
use zeroize::Zeroizing;

use crate::{
    clock::Ids,
    crypto,
    error::{Error, Result},
};

const DIGITS: usize = 6;
const STEP_SECONDS: i64 = 30;

/// A fresh secret of 160 bits, raw.
#[must_use]
pub fn draw(ids: &Ids) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(ids.bytes::<20>().to_vec())
}

fn generator(secret: &[u8]) -> Result<TOTP> {
    // The check of a code is ours, so the library's own tolerance is none.
    TOTP::new(Algorithm::SHA1, DIGITS, 0, STEP_SECONDS.unsigned_abs(), secret.to_vec())
        .map_err(|_| Error::internal("a secret of one-time codes that is too short"))
}

/// The secret as an authenticator takes it: base32.
pub fn base32(secret: &[u8]) -> Result<String> {
    Ok(generator(secret)?.get_secret_base32())
}

/// The secret as an authenticator scans it.
pub(super) fn uri(secret: &[u8], police_number: &str) -> Result<String> {
    let secret = base32(secret)?;
    // The defaults of the format are ours: SHA-1, six digits, 30 seconds.
    Ok(format!("otpauth://totp/Jingqi:{police_number}?secret={secret}&issuer=Jingqi"))
}

/// The code of an instant, as an authenticator shows it.
pub fn code(secret: &[u8], now: Timestamp) -> Result<String> {
    Ok(generator(secret)?.generate(now.as_second().unsigned_abs()))
}

/// The time step whose code this is: the present one or a neighbour, but none up to the last used
/// one, so that a code works once.
#[must_use]
pub(super) fn accepted_step(secret: &[u8], code: &str, now: Timestamp, used: i64) -> Option<i64> {
    let generator = generator(secret).ok()?;
    let present = now.as_second().div_euclid(STEP_SECONDS);
    let mut accepted = None;
    // Every step is tried, whether or not one fits: time tells nothing.
    for step in [present.saturating_sub(1), present, present.saturating_add(1)] {
        let second = step.saturating_mul(STEP_SECONDS).unsigned_abs();
        let fits = crypto::equal(generator.generate(second).as_bytes(), code.as_bytes());
        if fits && step > used && accepted.is_none() {
            accepted = Some(step);
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{accepted_step, base32, code};

    /// RFC 6238, appendix B.
    const SECRET: &[u8] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn the_vectors_of_the_standard_are_met() {
        // The last six of its eight digits.
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, at(second)).unwrap(), expected);
        }
        assert_eq!(base32(SECRET).unwrap(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    // ID-11: one step of tolerance on either side, and each code once.
    #[test]
    fn a_code_is_accepted_in_its_time_once() {
        let now = at(1_000_000_000);
        let present = 1_000_000_000 / 30;
        for (offset, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let shown = code(SECRET, now + SignedDuration::from_secs(30 * offset)).unwrap();
            let step = accepted_step(SECRET, &shown, now, 0);
            assert_eq!(step, accepted.then_some(present + offset), "{offset}");
        }
        let shown = code(SECRET, now).unwrap();
        assert_eq!(accepted_step(SECRET, &shown, now, present), None);
        assert_eq!(accepted_step(SECRET, &shown, now, present - 1), Some(present));
    }

    #[test]
    fn nothing_but_the_code_is_accepted() {
        let now = at(1_000_000_000);
        for wrong in ["", "000000", "1", "一二三四五六", " 005924"] {
            assert_eq!(accepted_step(SECRET, wrong, now, 0), None, "{wrong}");
        }
        assert_eq!(accepted_step(b"", "000000", now, 0), None);
    }
}
