//! A connection that was let in: it is cut when its client does not take what is written to it, or sends
//! frames without end that carry nothing. Who may come in is not asked here.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep},
};
use tonic::transport::server::Connected;

use super::{Place, Tongue, frames::Frames};
use crate::service::gate::Peer;

/// What is read of one connection before the others have their turn: a library takes in all that there is
/// first, and a hundred heads of calls are a megabyte before anybody has looked at one.
const READ_AT_ONCE_BYTES: usize = 16 * 1024;

/// A connection that was let in.
pub struct Guest {
    stream: TcpStream,
    place: Place,
    /// Reads along where the client speaks HTTP/2, and is not trusted.
    frames: Option<Frames>,
    write_within: Duration,
    /// Bytes that were read since the others had their turn.
    read: usize,
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
        Self { stream, place, frames, write_within, read: 0, stalled: None }
    }

    /// The other end, for the gate.
    pub fn peer(&self) -> Peer {
        self.place.peer.clone()
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

impl Connected for Guest {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer()
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read >= READ_AT_ONCE_BYTES {
            self.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) else {
            self.read = 0;
            return Poll::Pending;
        };
        read?;
        let came = buffer.filled().get(before..).unwrap_or_default();
        self.read = self.read.saturating_add(came.len());
        if let Some(frames) = &mut self.frames
            && frames.take(came, Instant::now().into_std()).is_err()
        {
            tracing::debug!("a client sent frames without end, and was cut");
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
