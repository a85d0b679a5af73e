//! Internet addresses as limits see them. No socket, and no counting.

use std::net::{IpAddr, Ipv6Addr};

/// The address by which somebody is counted. Of IPv6 that is the network of 64 bits: every household gets
/// one at least (RFC 6177), and may call from any of its addresses.
#[must_use]
pub const fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !(u64::MAX as u128);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::counted;

    #[test]
    fn a_network_of_64_bits_is_counted_as_one() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            let read = |text: &str| text.parse::<IpAddr>().unwrap();
            assert_eq!(counted(read(address)), read(expected), "{address}");
        }
    }
}
