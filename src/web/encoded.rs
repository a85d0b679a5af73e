//! gRPC-Web in base64, for clients that cannot read bytes: each way, and nothing else.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use bytes::Bytes;

/// Clients may leave the padding away.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A piece in base64. Each piece ends by itself, so that pieces can stand behind each other.
pub fn base64(piece: &[u8]) -> Bytes {
    STANDARD.encode(piece).into()
}

/// What was written in base64, in one piece or in several that end by themselves; `None` where it was none.
pub fn plain(text: &[u8]) -> Option<Bytes> {
    let mut plain = Vec::new();
    let mut rest = text.trim_ascii();
    while !rest.is_empty() {
        // A piece ends with its padding, where it has one.
        let padding = rest.iter().position(|byte| *byte == b'=');
        let end = padding.map_or(rest.len(), |at| {
            let more = rest.get(at..).unwrap_or_default();
            let signs = more.iter().take(2).take_while(|byte| **byte == b'=').count();
            at.saturating_add(signs)
        });
        let (piece, behind) = rest.split_at_checked(end)?;
        plain.extend(LENIENT.decode(piece).ok()?);
        rest = behind;
    }
    Some(plain.into())
}

#[cfg(test)]
mod tests {
    use super::{base64, plain};

    #[test]
    fn pieces_are_read_as_they_are_written_and_behind_each_other() {
        for size in 0..40 {
            let bytes = vec![0xfb; size];
            assert_eq!(plain(&base64(&bytes)).unwrap(), bytes);
            let twice = [base64(&bytes), base64(b"xy")].concat();
            assert_eq!(plain(&twice).unwrap(), [&bytes[..], b"xy"].concat());
        }
        assert_eq!(plain(b"AAAA\r\n").unwrap(), [0; 3][..]);
        assert_eq!(plain(b"AA").unwrap(), [0; 1][..]);
        for wrong in [&b"A"[..], b"AA*A", b"===", b"AAAA=", "号".as_bytes()] {
            assert_eq!(plain(wrong), None, "{wrong:?}");
        }
    }
}
