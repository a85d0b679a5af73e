//! Every promise of the code, broken in every way we could think of.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    CodeFault, CodeMode, CodeWindow, Freshness, InTime, KeyList, KeyRing, PREFIX, PassClaims,
    PublishedKey, RingKey, STALE_SECONDS, encode, parse, scanned, wire,
};
use crate::{
    crypto::{SigningKey, Suite, VerifyingKey},
    domain::pass::qr::QrPicture,
};

const KID: [u8; 4] = [1, 2, 3, 4];

fn now() -> Timestamp {
    "2026-11-24T02:30:00Z".parse().unwrap()
}

fn key(suite: Suite) -> SigningKey {
    SigningKey::from_bytes(suite, &[7; 32]).unwrap()
}

fn ring(suite: Suite) -> KeyRing {
    ring_of(KID, &key(suite), false)
}

fn ring_of(kid: [u8; 4], key: &SigningKey, revoked: bool) -> KeyRing {
    let verifying = VerifyingKey::from_bytes(key.suite(), &key.public_key()).unwrap();
    let verify_until = now() + SignedDuration::from_hours(24);
    KeyRing::new([RingKey { kid, key: verifying, verify_until, revoked }])
}

/// Claims as full as the service permits them: an eight-character plate, four zones, three windows.
fn full() -> PassClaims {
    let window = |days, from_minute, until_minute| CodeWindow { days, from_minute, until_minute };
    PassClaims {
        pass: Uuid::from_u128(u128::MAX),
        plate: "苏N12345D".to_owned(),
        plate_type: "51".to_owned(),
        kind: 3,
        zones: vec![9001, 9002, 65_535, 1_000],
        windows: vec![
            window(0b111_1111, 540, 1020),
            window(0b110_0000, 0, 1440),
            window(0b1, 1110, 420),
        ],
        issued_at: now().as_second(),
        not_before: now().as_second() - 86_400,
        expires: now().as_second() + 86_400 * 365,
    }
}

#[test]
fn a_code_is_read_back_as_it_was_signed_in_both_suites() {
    for suite in [Suite::Intl, Suite::Sm] {
        for mode in [CodeMode::Dynamic, CodeMode::Printed] {
            let text = encode(&full(), mode, KID, &key(suite)).unwrap();
            let code = parse(&text).unwrap().verify(&ring(suite), now()).unwrap();
            assert_eq!((code.claims(), code.mode(), code.kid()), (&full(), mode, KID));
        }
    }
}

// QR-02, QR-03, QR-04: compact, prefixed, at most version 9 at level M with full claims.
#[test]
fn a_code_with_full_claims_fits_into_version_9() {
    for suite in [Suite::Intl, Suite::Sm] {
        let text = encode(&full(), CodeMode::Printed, KID, &key(suite)).unwrap();
        assert!(text.starts_with("TP1:") && text.len() <= 262, "{suite:?}: {}", text.len());
        assert!(QrPicture::of(&text).unwrap().version() <= 9, "{suite:?}");
    }
}

// QR-01, I4, T1: whatever bit is flipped, nobody believes it.
#[test]
fn a_code_with_any_bit_flipped_is_refused() {
    for (suite, codes) in [(Suite::Intl, 50), (Suite::Sm, 3)] {
        for at in 0..codes {
            let claims = PassClaims { pass: Uuid::from_u128(at), ..full() };
            let signed =
                wire::sign(&wire::payload(&claims, CodeMode::Dynamic).unwrap(), KID, &key(suite));
            let signed = signed.unwrap();
            for bit in 0..signed.len() * 8 {
                let mut altered = signed.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let text = format!("{PREFIX}{}", base45::encode(&altered));
                let believed =
                    parse(&text).is_ok_and(|code| code.verify(&ring(suite), now()).is_ok());
                assert!(!believed, "{suite:?} bit {bit}");
            }
        }
    }
}

// QR-05: unknown, foreign and revoked keys are told apart, and none is ever believed.
#[test]
fn a_code_of_another_key_is_refused_for_its_own_reason() {
    let text = encode(&full(), CodeMode::Dynamic, KID, &key(Suite::Intl)).unwrap();
    let verify = |ring: &KeyRing, at| parse(&text).unwrap().verify(ring, at).map(|_| ());
    assert_eq!(verify(&KeyRing::default(), now()), Err(CodeFault::KeyUnknown));
    let other = SigningKey::from_bytes(Suite::Intl, &[8; 32]).unwrap();
    assert_eq!(verify(&ring_of(KID, &other, false), now()), Err(CodeFault::SignatureWrong));
    assert_eq!(
        verify(&ring_of([9; 4], &key(Suite::Intl), false), now()),
        Err(CodeFault::KeyUnknown)
    );
    assert_eq!(verify(&ring_of(KID, &key(Suite::Intl), true), now()), Err(CodeFault::KeyRevoked));
    // A forgery is one, whatever became of the key that it names.
    assert_eq!(verify(&ring_of(KID, &other, true), now()), Err(CodeFault::SignatureWrong));
    // QR-06: a key counts until its last instant, and not at it.
    let last = now() + SignedDuration::from_hours(24);
    assert_eq!(verify(&ring(Suite::Intl), last), Err(CodeFault::KeyRevoked));
    assert_eq!(verify(&ring(Suite::Intl), last - SignedDuration::from_nanos(1)), Ok(()));
}

// T3: the algorithm is the key's; a code cannot choose another one.
#[test]
fn a_code_cannot_choose_its_algorithm() {
    for (signer, reader) in [(Suite::Intl, Suite::Sm), (Suite::Sm, Suite::Intl)] {
        let text = encode(&full(), CodeMode::Dynamic, KID, &key(signer)).unwrap();
        let read = parse(&text).unwrap().verify(&ring(reader), now());
        assert_eq!(read.unwrap_err(), CodeFault::SignatureWrong);
    }
}

// T10: what is not written as we write it is not ours: trailing bytes, longer integers, other
// order, another header, a tag.
#[test]
fn a_second_way_to_write_the_same_code_is_refused() {
    let key = key(Suite::Intl);
    let payload = wire::payload(&full(), CodeMode::Dynamic).unwrap();
    let text = |bytes: &[u8]| format!("{PREFIX}{}", base45::encode(bytes));
    let signed = wire::sign(&payload, KID, &key).unwrap();
    assert!(parse(&text(&signed)).is_ok());
    let mut trailing = signed.clone();
    trailing.push(0);
    assert!(parse(&text(&trailing)).is_err());
    let tagged = [&[0xd2], signed.as_slice()].concat();
    assert!(parse(&text(&tagged)).is_err());
    let mut more = payload.clone();
    more.push(0);
    assert!(parse(&text(&wire::sign(&more, KID, &key).unwrap())).is_err());
    // The same map with its first pair moved to the end: exp is `04 1a ....`, six bytes.
    let pair = payload[1..7].to_vec();
    let moved = [&payload[..1], &payload[7..], &pair].concat();
    assert!(parse(&text(&wire::sign(&moved, KID, &key).unwrap())).is_err());
    let lower = text(&signed).to_lowercase();
    assert!(parse(&lower).is_err());
}

// QR-13, I5: the edges of freshness, to the millisecond.
#[test]
fn a_dynamic_code_is_fresh_for_ninety_seconds() {
    let read = |mode| {
        let text = encode(&full(), mode, KID, &key(Suite::Intl)).unwrap();
        parse(&text).unwrap().verify(&ring(Suite::Intl), now()).unwrap()
    };
    let code = read(CodeMode::Dynamic);
    let at = |ms| now() + SignedDuration::from_millis(ms);
    for (ms, expected) in [
        (0, Freshness::Fresh),
        (STALE_SECONDS * 1_000, Freshness::Fresh),
        (STALE_SECONDS * 1_000 + 1, Freshness::Stale),
        (-5_000, Freshness::Fresh),
        (-5_001, Freshness::FromFuture),
    ] {
        assert_eq!(code.freshness(at(ms)), expected, "{ms}");
    }
    assert_eq!(read(CodeMode::Printed).freshness(at(86_400_000)), Freshness::Printed);
}

// QR-08, T5: begin and end.
#[test]
fn a_code_is_in_its_time_from_its_begin_until_before_its_end() {
    let text = encode(&full(), CodeMode::Printed, KID, &key(Suite::Intl)).unwrap();
    let code = parse(&text).unwrap().verify(&ring(Suite::Intl), now()).unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    let (begin, end) = (full().not_before, full().expires);
    for (second, expected) in [
        (begin - 1, InTime::NotYet),
        (begin, InTime::Now),
        (end - 1, InTime::Now),
        (end, InTime::Over),
    ] {
        assert_eq!(code.validity_at(at(second)), expected);
    }
}

#[test]
fn a_hostile_text_is_refused_without_being_looked_at_long() {
    let huge = format!("{PREFIX}{}", "A".repeat(1_000_000));
    for text in ["TP1:", "TP1:\u{202e}", &huge, "TP1:::::", "TP1:货"] {
        assert_eq!(parse(text).map(|_| ()), Err(CodeFault::Malformed));
    }
    // Nothing of ours: whoever shows it is accused of nothing.
    for text in
        ["", "TP2:ABC", "tp1:ABC", "https://example.invalid/TP1:", "HC1:6BF", "6901234567892"]
    {
        assert_eq!(parse(text).map(|_| ()), Err(CodeFault::Foreign));
    }
}

// A scanner types: Enter or tab behind, a byte order mark before, caps lock, a Chinese input method.
#[test]
fn what_a_scanner_types_is_read_as_meant() {
    for suite in [Suite::Intl, Suite::Sm] {
        for second in 0..40 {
            let claims = PassClaims { issued_at: second, ..full() };
            let text = encode(&claims, CodeMode::Printed, KID, &key(suite)).unwrap();
            let wide: String = text
                .chars()
                .map(|c| match c {
                    ' ' => '\u{3000}',
                    c => char::from_u32(u32::from(c) + 0xfee0).unwrap(),
                })
                .collect();
            for typed in [
                format!("{text}\r\n"),
                format!("\t{text}\t"),
                format!("\u{feff}{text}"),
                format!("  {text} \u{a0}"),
                text.to_lowercase(),
                format!("{}\r\n{}", &text[..40], &text[40..]),
                format!("{}\u{200b}{}", &text[..9], &text[9..]),
                wide,
            ] {
                assert_eq!(scanned(&typed), text, "{suite:?} {second}");
            }
        }
    }
}

fn list() -> KeyList {
    let published = |suite: Suite, kid| PublishedKey {
        kid,
        suite,
        public_key: key(suite).public_key(),
        not_before: 1,
        verify_until: now().as_second() + 60,
        revoked: false,
    };
    KeyList {
        version: 7,
        issued_at: now().as_second(),
        next_update: now().as_second() + 3_600,
        keys: vec![published(Suite::Intl, KID), published(Suite::Sm, [5; 4])],
    }
}

// QR-07: the list is signed, versioned, and never goes back.
#[test]
fn a_key_list_is_believed_only_with_its_signature_and_never_goes_back() {
    let root = SigningKey::from_bytes(Suite::Intl, &[3; 32]).unwrap();
    let root_key = VerifyingKey::from_bytes(Suite::Intl, &root.public_key()).unwrap();
    let signed = list().sign([0; 4], &root).unwrap();
    let read = KeyList::verify(&signed, &root_key).unwrap();
    assert_eq!(read, list());
    assert!(read.accepts_after(6) && !read.accepts_after(7) && !read.accepts_after(8));
    let text = encode(&full(), CodeMode::Printed, KID, &key(Suite::Intl)).unwrap();
    assert!(parse(&text).unwrap().verify(&read.ring(), now()).is_ok());
    let forged = list().sign([0; 4], &key(Suite::Intl)).unwrap();
    assert_eq!(KeyList::verify(&forged, &root_key), Err(CodeFault::SignatureWrong));
    for at in 0..signed.len() {
        let mut altered = signed.clone();
        altered[at] ^= 1;
        assert!(KeyList::verify(&altered, &root_key).is_err(), "{at}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in ".{0,600}") {
        let _ = parse(&text);
    }

    #[test]
    fn any_bytes_behind_the_prefix_are_read_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = parse(&format!("{PREFIX}{}", base45::encode(&bytes)));
    }

    #[test]
    fn any_claims_are_read_back(
        pass in any::<u128>(), kind in any::<u8>(), plate_type in 0_u8..100,
        zones in proptest::collection::vec(any::<u16>(), 0..16),
        windows in proptest::collection::vec((0_u8..128, 0_u16..1440, 1_u16..=1440), 0..16),
        times in any::<(u32, u32, u32)>(),
    ) {
        let claims = PassClaims {
            pass: Uuid::from_u128(pass),
            plate: "苏N12345".to_owned(),
            plate_type: format!("{plate_type:02}"),
            kind,
            zones,
            windows: windows
                .into_iter()
                .map(|(days, from_minute, until_minute)| CodeWindow { days, from_minute, until_minute })
                .collect(),
            issued_at: times.0.into(),
            not_before: times.1.into(),
            expires: times.2.into(),
        };
        let payload = wire::payload(&claims, CodeMode::Printed).unwrap();
        prop_assert_eq!(wire::claims(&payload), Some((claims, CodeMode::Printed)));
    }
}
