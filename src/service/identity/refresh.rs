//! Refresh tokens as text: session, generation, and a keyed tag of both. None is stored, and none
//! is judged here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    crypto::{self, Suite},
    id::{Id, kind},
};

const BODY: usize = 20;
const TAG: usize = 32;

/// The token of this generation: the same each time it is asked for.
pub(super) fn write(key: &[u8; 32], session: Id<kind::Session>, generation: i32) -> String {
    let mut token = body(session, generation).to_vec();
    token.extend_from_slice(&crypto::mac(Suite::Intl, key, &token));
    URL_SAFE_NO_PAD.encode(token)
}

fn body(session: Id<kind::Session>, generation: i32) -> [u8; BODY] {
    let mut body = [0; BODY];
    let generation = generation.to_be_bytes();
    let bytes = session.uuid().into_bytes().into_iter().chain(generation);
    for (place, byte) in body.iter_mut().zip(bytes) {
        *place = byte;
    }
    body
}

/// Reads a token that we made; of any other nothing is learnt.
pub(super) fn read(key: &[u8; 32], token: &str) -> Option<(Id<kind::Session>, i32)> {
    if token.len() > 2 * (BODY + TAG) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, tag) = bytes.split_at_checked(BODY)?;
    if !crypto::equal(&crypto::mac(Suite::Intl, key, body), tag) {
        return None;
    }
    let (session, generation) = body.split_at_checked(16)?;
    let session = Uuid::from_slice(session).ok()?;
    Some((Id::of(session), i32::from_be_bytes(generation.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{read, write};
    use crate::id::Id;

    const KEY: [u8; 32] = [7; 32];

    proptest! {
        // ID-01: what we wrote we read back; a token is a function of session and generation.
        #[test]
        fn a_token_is_read_back(session: u128, generation: i32) {
            let session = Id::of(Uuid::from_u128(session));
            let token = write(&KEY, session, generation);
            prop_assert_eq!(read(&KEY, &token), Some((session, generation)));
            prop_assert_eq!(write(&KEY, session, generation), token);
        }

        #[test]
        fn any_other_text_is_refused(text in ".{0,100}") {
            prop_assert_eq!(read(&KEY, &text), None);
        }
    }

    #[test]
    fn a_token_with_any_character_altered_is_refused() {
        let token = write(&KEY, Id::of(Uuid::from_u128(1)), 1);
        assert_eq!(read(&[8; 32], &token), None);
        for at in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(read(&KEY, &altered), None, "{at}");
        }
        for other in [format!("{token}A"), format!("{token}="), token[..token.len() - 1].to_owned()]
        {
            assert_eq!(read(&KEY, &other), None, "{other}");
        }
        assert_ne!(write(&KEY, Id::of(Uuid::from_u128(1)), 2), token);
    }
}
