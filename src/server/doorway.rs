//! The accept loop: whoever connects must begin to speak soon, and no address may hold all
//! connections. Without it a silent connection stays for ever (invariants.md, finding 2).

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo};

/// What is spoken behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// gRPC.
    Http2,
    /// The mini-program line; nothing else than GET begins it.
    Http1,
}

impl Tongue {
    /// What every client sends first.
    const fn preface(self) -> &'static [u8] {
        match self {
            // RFC 9113, 3.4.
            Self::Http2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            Self::Http1 => b"GET ",
        }
    }
}

/// Who may come in at one listener.
#[derive(Debug, Clone, Copy)]
pub struct Doorway {
    /// How long a client may take until its preface is complete.
    pub preface_within: Duration,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one address. Behind a load balancer that is the balancer's address.
    pub connections_per_address_max: usize,
}

impl Default for Doorway {
    fn default() -> Self {
        Self {
            preface_within: Duration::from_secs(5),
            connections_max: 4_096,
            connections_per_address_max: 64,
        }
    }
}

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

impl Doorway {
    /// Accepts until it is told to stop, and hands on the connections that speak.
    pub fn open(
        self,
        tongue: Tongue,
        listener: TcpListener,
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
                let Some(place) = self.place(&counts, address) else { continue };
                tokio::spawn(self.receive(tongue, stream, place, send.clone()));
            }
        });
        receive
    }

    /// A place for the address, or `None`: then the connection is closed at once.
    fn place(self, counts: &Counts, address: SocketAddr) -> Option<Place> {
        let address = address.ip();
        let mut open = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let in_all: usize = open.values().sum();
        let of_address = open.entry(address).or_default();
        if in_all >= self.connections_max || *of_address >= self.connections_per_address_max {
            return None;
        }
        *of_address = of_address.saturating_add(1);
        drop(open);
        Some(Place { counts: counts.clone(), address })
    }

    async fn receive(
        self,
        tongue: Tongue,
        stream: TcpStream,
        place: Place,
        send: mpsc::Sender<io::Result<Guest>>,
    ) {
        let spoken = speaks(&stream, tongue.preface());
        if let Ok(true) = tokio::time::timeout(self.preface_within, spoken).await {
            let _ = stream.set_nodelay(true);
            // Nobody takes it when the server stops.
            let _ = send.send(Ok(Guest { stream, _place: place })).await;
        }
    }
}

/// Whether the first bytes are the preface. They stay in the socket for the server to read.
async fn speaks(stream: &TcpStream, preface: &[u8]) -> bool {
    let mut seen = vec![0; preface.len()];
    loop {
        let Ok(count) = stream.peek(&mut seen).await else { return false };
        let (Some(seen), Some(expected)) = (seen.get(..count), preface.get(..count)) else {
            return false;
        };
        if count == 0 || seen != expected {
            return false;
        }
        if count == preface.len() {
            return true;
        }
        // More must come; a peek would return the same bytes at once.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The right of one address to one connection; given back when it is dropped.
struct Place {
    counts: Counts,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// A connection that was let in.
pub struct Guest {
    stream: TcpStream,
    _place: Place,
}

impl Connected for Guest {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
