//! The accept loop: whoever connects must begin to speak soon, and no address may hold all
//! connections. Without it a silent connection stays for ever (invariants.md, finding 2).

mod frames;
mod guest;

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

pub use self::guest::Guest;
use crate::{
    address::{Proxies, counted},
    service::gate::Peer,
    web,
};

/// What the kernel keeps of what was written and not taken. It would take megabytes of each connection, and
/// report room again only when a third of them is free: a slow phone would look as if it took nothing.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What the kernel keeps of what came and was not read: six megabytes of each connection otherwise.
const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;

/// How long a client is listened to that speaks something else, and is told so.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);

/// What every client of HTTP/2 sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest verb with which a client of HTTP/1.1 may begin.
const VERB_BYTES_MAX: usize = 16;

/// The version of HTTP that is spoken on a connection: it is told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// The one with many calls at a time.
    Http2,
    /// The plain one.
    Http1,
}

impl Tongue {
    /// What the first bytes say; `None` where more of them must come.
    ///
    /// # Errors
    /// Nothing of HTTP begins so.
    fn of(seen: &[u8]) -> Result<Option<Self>, NoHttp> {
        if seen.starts_with(PREFACE) {
            return Ok(Some(Self::Http2));
        }
        if PREFACE.starts_with(seen) {
            return Ok(None);
        }
        let verb = seen.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        match seen.get(verb) {
            _ if verb > VERB_BYTES_MAX => Err(NoHttp),
            Some(b' ') if verb > 0 => Ok(Some(Self::Http1)),
            Some(_) => Err(NoHttp),
            None => Ok(None),
        }
    }
}

/// A client that speaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NoHttp;

/// Who may come in at one listener.
#[derive(Debug, Clone, Copy)]
pub struct Doorway {
    /// How long a client may take until its preface is complete.
    pub preface_within: Duration,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one address, of IPv6 of one network of 64 bits. Our own proxies are not counted by
    /// it: all of the city calls through them.
    pub connections_per_address_max: usize,
    /// Connections of one address on which nobody has shown yet who he is. Our own proxies are not counted
    /// by it either.
    pub unproven_per_address_max: usize,
    /// How long a client may take nothing of what is written to it.
    pub write_within: Duration,
}

impl Default for Doorway {
    fn default() -> Self {
        Self {
            preface_within: Duration::from_secs(5),
            connections_max: 4_096,
            connections_per_address_max: 64,
            unproven_per_address_max: 16,
            write_within: Duration::from_secs(30),
        }
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
struct Open {
    in_all: usize,
    /// No address stands here without a connection: a stranger has many addresses.
    of_address: HashMap<IpAddr, Vec<Peer>>,
}

type Counts = Arc<Mutex<Open>>;

impl Doorway {
    /// Accepts until it is told to stop, and hands on the connections that speak.
    pub fn open(
        self,
        listener: TcpListener,
        proxies: Proxies,
        stop: CancellationToken,
    ) -> mpsc::Receiver<io::Result<Guest>> {
        let (send, receive) = mpsc::channel(64);
        tokio::spawn(async move {
            let counts = Counts::default();
            loop {
                let accepted = tokio::select! {
                    () = stop.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, address)) = accepted else {
                    // Out of file descriptors, mostly: what is open must end first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let Some(place) = self.place(&counts, &proxies, address) else { continue };
                tokio::spawn(self.receive(stream, place, send.clone()));
            }
        });
        receive
    }

    /// A place for the address, or `None`: then the connection is closed at once.
    fn place(self, counts: &Counts, proxies: &Proxies, address: SocketAddr) -> Option<Place> {
        let trusted = proxies.trusts(address.ip());
        let (from, address) = (address, counted(address.ip()));
        let mut open = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if open.in_all >= self.connections_max {
            return None;
        }
        let held = open.of_address.get(&address).map_or(&[][..], Vec::as_slice);
        let unproven = || held.iter().filter(|peer| !peer.is_proven()).count();
        let full = held.len() >= self.connections_per_address_max
            || unproven() >= self.unproven_per_address_max;
        if full && !trusted {
            return None;
        }
        let peer = match held.first() {
            _ if trusted => Peer::trusted(from),
            Some(other) => Peer::beside(from, other),
            None => Peer::new(from),
        };
        open.in_all = open.in_all.saturating_add(1);
        open.of_address.entry(address).or_default().push(peer.clone());
        drop(open);
        Some(Place { counts: counts.clone(), address, trusted, peer })
    }

    async fn receive(
        self,
        mut stream: TcpStream,
        place: Place,
        send: mpsc::Sender<io::Result<Guest>>,
    ) {
        let _ = SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
        if !place.trusted {
            let _ = SockRef::from(&stream).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        }
        match tokio::time::timeout(self.preface_within, speaks(&stream)).await {
            Ok(Ok(tongue)) => {
                let _ = stream.set_nodelay(true);
                let guest = Guest::new(stream, tongue, place, self.write_within);
                // Nobody takes it when the server stops.
                let _ = send.send(Ok(guest)).await;
            }
            Ok(Err(NoHttp)) => {
                let _ = tokio::time::timeout(FAREWELL_WITHIN, send_away(&mut stream)).await;
            }
            Err(_) => {}
        }
    }
}

/// What the first bytes say is spoken. They stay in the socket for the server to read.
async fn speaks(stream: &TcpStream) -> Result<Tongue, NoHttp> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await.map_err(|_| NoHttp)?;
        let seen = seen.get(..count).filter(|seen| !seen.is_empty()).ok_or(NoHttp)?;
        if let Some(tongue) = Tongue::of(seen)? {
            return Ok(tongue);
        }
        // More must come; a peek would return the same bytes at once.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Tells whoever speaks something else so, in HTTP. What was sent is read first: closing on it would reset the
/// connection, and the word could be lost.
async fn send_away(stream: &mut TcpStream) -> io::Result<()> {
    let mut said = [0; 2 * 1024];
    let _ = stream.read(&mut said).await?;
    stream.write_all(&web::no_request()).await?;
    stream.shutdown().await?;
    let _ = stream.read(&mut said).await?;
    Ok(())
}

/// The right of one address to one connection; given back when it is dropped.
pub struct Place {
    counts: Counts,
    address: IpAddr,
    /// Whether it is a proxy of ours.
    trusted: bool,
    peer: Peer,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        open.in_all = open.in_all.saturating_sub(1);
        if let Some(held) = open.of_address.get_mut(&self.address) {
            held.retain(|peer| !peer.is(&self.peer));
            if held.is_empty() {
                open.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{Counts, Doorway, NoHttp, PREFACE, Place, Tongue};
    use crate::address::Proxies;

    const DOORWAY: Doorway = Doorway {
        preface_within: std::time::Duration::ZERO,
        connections_max: 8,
        connections_per_address_max: 3,
        unproven_per_address_max: 3,
        write_within: std::time::Duration::ZERO,
    };

    fn place(counts: &Counts, text: &str) -> Option<Place> {
        let proxies = Proxies::parse("10.0.0.0/24").unwrap();
        DOORWAY.place(counts, &proxies, SocketAddr::new(text.parse().unwrap(), 40_000))
    }

    #[test]
    fn the_first_bytes_say_what_is_spoken() {
        for length in 0..PREFACE.len() {
            assert_eq!(Tongue::of(&PREFACE[..length]), Ok(None));
        }
        assert_eq!(Tongue::of(PREFACE), Ok(Some(Tongue::Http2)));
        for verb in ["GET / ", "POST /x HTTP/1.1", "PATCH / HTTP/1.1", "PRI * HTTP/1.1", "ODD x"] {
            assert_eq!(Tongue::of(verb.as_bytes()), Ok(Some(Tongue::Http1)), "{verb}");
        }
        for begun in ["G", "PO", "DELETE"] {
            assert_eq!(Tongue::of(begun.as_bytes()), Ok(None), "{begun}");
        }
        for other in [&b"\x16\x03\x01"[..], b" GET", b"get / ", b"GET/", &[b'A'; 17]] {
            assert_eq!(Tongue::of(other), Err(NoHttp), "{other:?}");
        }
    }

    #[test]
    fn a_proxy_of_ours_may_hold_more_than_an_address_but_not_more_than_all() {
        let counts = Counts::default();
        let held = |text: &str| (0..20).filter_map(|_| place(&counts, text)).collect::<Vec<_>>();
        assert_eq!(held("10.0.0.7").len(), DOORWAY.connections_max);
        assert_eq!(held("10.0.1.7").len(), DOORWAY.connections_per_address_max);
    }

    // Whoever has one address of IPv6 has 2^64 of them.
    #[test]
    fn a_network_of_64_bits_holds_as_many_connections_as_one_address() {
        let counts = Counts::default();
        let own = |host: u16| place(&counts, &format!("2001:db8:1:2::{host:x}"));
        let held: Vec<_> = (1..=20).filter_map(own).collect();
        assert_eq!(held.len(), 3);
        assert!(place(&counts, "2001:db8:1:3::1").is_some());
        drop(held);
        assert!(own(7).is_some(), "a place that is given back can be taken");
    }

    #[test]
    fn whoever_is_refused_leaves_nothing_behind() {
        let counts = Counts::default();
        let held: Vec<_> = (1..=2_000u16)
            .filter_map(|host| place(&counts, &format!("2001:db8:{host:x}::1")))
            .collect();
        assert_eq!(held.len(), DOORWAY.connections_max);
        assert_eq!(counts.lock().unwrap().of_address.len(), held.len());
        drop(held);
        assert!(counts.lock().unwrap().of_address.is_empty());
        assert_eq!(counts.lock().unwrap().in_all, 0);
    }
}
