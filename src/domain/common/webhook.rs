//! The signature by which another system knows that it was we who told it (Standard Webhooks), and
//! which addresses it may have. No network here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use crate::crypto::{self, Suite};

/// What stands before a secret, so that people and scanners know what it is.
const PREFIX: &str = "whsec_";

/// A secret as it is told once.
#[must_use]
pub fn secret_text(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// The signature of a message: over its id, the second of the attempt and the body, so that none of
/// them can be exchanged, and an old one cannot be played again.
#[must_use]
pub fn signature(secret: &[u8], id: &str, at: Timestamp, body: &str) -> String {
    let signed = format!("{id}.{}.{body}", at.as_second());
    let mac = crypto::mac(Suite::Intl, secret, signed.as_bytes());
    format!("v1,{}", STANDARD.encode(mac))
}

/// Whether an address may be called: none of our own network, of this machine, or of nobody, so that
/// a webhook cannot be used to reach what only we can reach.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared
        || protocol
        || benchmark
        || a == 0
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    // An IPv4 address in the clothes of IPv6 is judged as what it is: mapped, NAT64, 6to4.
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [.., a, b, c, d] = address.octets();
    if first == 0x64 && second == 0xff9b {
        return third == 0 && is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only the global unicast part of the space, without documentation, Teredo and 6to4.
    let global = first & 0xe000 == 0x2000;
    let special = first == 0x2002
        || (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        || first == 0x3fff;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::{is_public, secret_text, signature};

    // NO-08: the vector of the Standard Webhooks specification, computed by others.
    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let secret = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        )
        .unwrap();
        assert_eq!(secret_text(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = jiff::Timestamp::from_second(1_614_265_330).unwrap();
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    // NO-08: whatever a name resolves to, none of our own network is called.
    #[test]
    fn only_public_addresses_are_called() {
        let table = [
            ("8.8.8.8", true),
            ("58.218.0.1", true),
            ("240e::1", true),
            ("2606:4700::1111", true),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::808:808", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("192.0.0.8", false),
            ("198.18.0.1", false),
            ("192.0.2.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b:1::808:808", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("2002:7f00:1::", false),
            ("100::1", false),
        ];
        for (address, public) in table {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
