//! A connection that was let in: it is cut when its client does not take what is written to it, or sends
//! frames without end that carry nothing. Who may come in is not asked here.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};

use super::{Place, Tongue, frames::Frames};
use crate::service::gate::Peer;

/// What is read of one connection before it rests and the others have their turn: a library takes in all
/// that there is first, and a hundred heads of calls are megabytes before anybody has looked at one. What a
/// stranger has to say is short.
const STRANGER_READS_BYTES: usize = 2 * 1024;
const KNOWN_READS_BYTES: usize = 16 * 1024;
/// How long it rests. A timer, since whoever only gives way is asked again by the library at once.
const RESTS: Duration = Duration::from_millis(1);

/// A connection that was let in.
pub struct Guest {
    stream: TcpStream,
    tongue: Tongue,
    place: Arc<Place>,
    /// Reads along where the client speaks HTTP/2, and is not trusted.
    frames: Option<Frames>,
    write_within: Duration,
    /// Bytes that were read since it rested, and its rest.
    read: usize,
    rests: Option<Pin<Box<Sleep>>>,
    /// Runs while the client takes nothing of what waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Guest {
    pub(super) fn new(
        stream: TcpStream,
        tongue: Tongue,
        place: Place,
        write_within: Duration,
    ) -> Self {
        let reads_along = tongue == Tongue::Http2 && !place.trusted;
        let frames = reads_along.then(|| Frames::new(Instant::now().into_std()));
        Self {
            stream,
            tongue,
            place: Arc::new(place),
            frames,
            write_within,
            read: 0,
            rests: None,
            stalled: None,
        }
    }

    /// What is spoken on it.
    pub fn tongue(&self) -> Tongue {
        self.tongue
    }

    /// The other end, for the gate.
    pub fn peer(&self) -> Peer {
        self.place.peer.clone()
    }

    /// Reads of the socket, and begins a rest where it was enough. Our own proxies have none: many clients
    /// speak through them.
    fn read_some(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.place.trusted {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        if let Some(rests) = &mut self.rests {
            ready!(rests.as_mut().poll(context));
            self.rests = None;
        }
        let before = buffer.filled().len();
        let at_once = if self.place.peer.is_proven() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
            KNOWN_READS_BYTES
        } else {
            let mut piece = [0; STRANGER_READS_BYTES];
            let room = piece.len().min(buffer.remaining());
            let mut piece = ReadBuf::new(piece.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
            buffer.put_slice(piece.filled());
            STRANGER_READS_BYTES
        };
        self.read = self.read.saturating_add(buffer.filled().len().saturating_sub(before));
        if self.read >= at_once {
            self.read = 0;
            self.rests = Some(Box::pin(sleep(RESTS)));
        }
        Poll::Ready(Ok(()))
    }

    /// Its place, which stays taken for as long as anybody holds it.
    pub fn place(&self) -> Arc<Place> {
        self.place.clone()
    }

    /// Whether it is a proxy of ours.
    pub fn is_trusted(&self) -> bool {
        self.place.trusted
    }

    /// Passes on how a write went. A client that takes nothing for too long loses its connection; one
    /// that takes little at a time keeps it. How little that is, the kernel says: it reports room again
    /// when about a third of its own buffer is free, which is why that is small.
    fn wrote(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let within = self.write_within;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(within)));
        ready!(stalled.as_mut().poll(context));
        tracing::debug!("a client took nothing, and was cut");
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.read_some(context, buffer))?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        if let Some(frames) = &mut self.frames
            && frames.take(came, Instant::now().into_std()).is_err()
        {
            self.place.peer.cut();
            tracing::debug!("a client sent frames without end, and was cut");
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.place.peer.is_unwelcome() {
            self.place.peer.cut();
            tracing::debug!("a stranger began call after call that was refused, and was cut");
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, buffer);
        self.wrote(context, written)
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
