//! Internet addresses: whose a call is when proxies stand between, and by what it is counted. No socket,
//! and no counting.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

/// The header in which every proxy adds the address that it was called from.
pub const FORWARDED: &str = "x-forwarded-for";

/// The networks of our own proxies, whose word on who called them is taken. None, unless they are named:
/// everybody else can write into the header whatever he likes.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[Network]>);

/// A network, as in `10.0.0.0/8`; an address alone is a network, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    prefix_bits: u32,
}

impl Proxies {
    /// Reads networks with commas between them.
    ///
    /// # Errors
    /// The text that is no network. One of everybody (`/0`) is none.
    pub fn parse(list: &str) -> Result<Self, String> {
        let named = list.split(',').map(str::trim).filter(|text| !text.is_empty());
        let networks = named.map(|text| text.parse().map_err(|()| text.to_owned()));
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }

    /// Whether this is the address of one of them.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Who called: the last one in the chain that is no proxy of ours. Each proxy adds at the end of the
    /// header, so it is read from there; what stands further to the front is hearsay.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        forwarded: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded.flat_map(|header| header.split(',')).rev() {
            match read(hop.trim()) {
                Some(before) if self.trusts(client) => client = before,
                _ => break,
            }
        }
        client
    }
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix_bits
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let base: IpAddr = base.parse().map_err(|_| ())?;
        let all_bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(all_bits), str::parse).map_err(|_| ())?;
        if prefix_bits == 0 || prefix_bits > all_bits {
            return Err(());
        }
        Ok(Self { base, prefix_bits })
    }
}

/// An address of the header; some proxies add the port.
fn read(hop: &str) -> Option<IpAddr> {
    let address = hop.parse().ok();
    let address = address.or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()));
    address.map(|address| address.to_canonical())
}

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

    use super::{Proxies, counted};

    fn client(proxies: &str, peer: &str, headers: &[&str]) -> String {
        let proxies = Proxies::parse(proxies).unwrap();
        proxies.client(peer.parse().unwrap(), headers.iter().copied()).to_string()
    }

    #[test]
    fn nobody_is_believed_unless_named() {
        assert_eq!(client("", "203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.0/8", "203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client("10.0.0.0/8", "10.200.0.1", &[]), "10.200.0.1");
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_called() {
        let ours = "10.0.0.0/8, 2001:db8:ffff::/48,192.0.2.1";
        let told = |peer: &str, headers: &[&str]| client(ours, peer, headers);
        assert_eq!(told("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(told("::ffff:10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        // What the client itself wrote stands in front.
        assert_eq!(told("10.0.0.1", &["1.1.1.1, 10.9.9.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["1.1.1.1", "198.51.100.1 , 192.0.2.1"]), "198.51.100.1");
        assert_eq!(told("2001:db8:ffff::9", &["2001:db8:1::1,10.0.0.2"]), "2001:db8:1::1");
        assert_eq!(told("10.0.0.1", &["198.51.100.1:5678"]), "198.51.100.1");
        assert_eq!(told("10.0.0.1", &["[2001:db8:1::1]:5678"]), "2001:db8:1::1");
        // Further than a word that is no address nothing is believed.
        assert_eq!(told("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(told("10.0.0.1", &["10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn a_list_that_names_no_network_is_refused() {
        for wrong in
            ["10.0.0.0/33", "::/129", "0.0.0.0/0", "10.0.0", "lb.example", "10.0.0.1/", "/8"]
        {
            assert_eq!(Proxies::parse(&format!("10.0.0.1,{wrong}")).unwrap_err(), wrong);
        }
        assert!(Proxies::parse(" ").is_ok());
    }

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
