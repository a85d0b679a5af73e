//! A connection, as the gate sees it: who is at its other end, whether anybody on it has shown who he is,
//! and what it makes us hold: calls in hand, and answers that its client does not take. No socket.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tonic::body::Body;

use crate::error::{Error, Reason, Result};

/// Calls of one connection that are worked on at once; the next ones wait for their turn.
const CALLS_MAX: usize = 64;
/// Streams of one connection that go by the gate: health and reflection, for tools.
const ASIDE_MAX: usize = 8;
/// Bytes of answers that one connection may leave untaken; a larger answer waits alone.
const ANSWER_BYTES_MAX: u32 = 256 * 1024;
/// How long an answer waits until earlier ones are taken.
const ROOM_WITHIN: Duration = Duration::from_secs(1);

/// The other end of a connection. Copies are of the same connection.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Standing>);

#[derive(Debug)]
struct Standing {
    address: SocketAddr,
    proven: AtomicBool,
    calls: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Peer {
    /// Whoever has just connected from this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let room = usize::try_from(ANSWER_BYTES_MAX).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Standing {
            address,
            proven: AtomicBool::new(false),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            aside: Arc::new(Semaphore::new(ASIDE_MAX)),
            answers: Arc::new(Semaphore::new(room)),
        }))
    }

    /// Where it connected from: a client, or a proxy before it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Whether a call on this connection was made by somebody who is known.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.0.proven.load(Ordering::Relaxed)
    }

    /// Whether both are the same connection.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A call on it was made by somebody who is known.
    pub(super) fn prove(&self) {
        self.0.proven.store(true, Ordering::Relaxed);
    }

    /// Waits for the turn of a call; it ends when the permit is dropped.
    pub(super) async fn turn(&self, within: Duration) -> Result<OwnedSemaphorePermit> {
        let turn = timeout(within, self.0.calls.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Error::new(Reason::DeadlineExceeded))?;
        turn.map_err(Error::internal)
    }

    /// A place for a stream that goes by the gate.
    pub(super) fn aside(&self) -> Result<OwnedSemaphorePermit> {
        let place = self.0.aside.clone().try_acquire_owned();
        place.map_err(|_| Error::new(Reason::Overloaded))
    }

    /// Counts an answer that is there whole until its last byte was written to the socket, wherever it
    /// waits meanwhile. What comes in pieces over time (a watch) has bounds of its own.
    ///
    /// # Errors
    /// `OVERLOADED` when the client leaves too much untaken.
    pub(super) async fn answered(&self, response: Response<Body>) -> Result<Response<Body>> {
        let (head, mut body) = response.into_parts();
        if http_body::Body::is_end_stream(&body) {
            return Ok(Response::from_parts(head, body));
        }
        let first = match body.frame().now_or_never() {
            Some(Some(first)) => first.map_err(Error::internal)?,
            Some(None) => return Ok(Response::from_parts(head, Body::empty())),
            None => return Ok(Response::from_parts(head, body)),
        };
        let first = match first.into_data() {
            Ok(data) => Frame::data(self.counted(data).await?),
            Err(other) => other,
        };
        let frames = stream::once(async { Ok(first) }).chain(BodyStream::new(body));
        Ok(Response::from_parts(head, Body::new(StreamBody::new(frames))))
    }

    async fn counted(&self, data: Bytes) -> Result<Bytes> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX).min(ANSWER_BYTES_MAX);
        let room = self.0.answers.clone().acquire_many_owned(size);
        let room = timeout(ROOM_WITHIN, room).await;
        let room = room.map_err(|_| Error::new(Reason::Overloaded))?.map_err(Error::internal)?;
        Ok(Bytes::from_owner(Untaken { data, _room: room }))
    }
}

/// Bytes that give their room back when nobody holds them any more.
struct Untaken {
    data: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Untaken {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use http_body_util::{BodyExt as _, Full};
    use tonic::body::Body;

    use super::{ANSWER_BYTES_MAX, Peer};
    use crate::error::Reason;

    fn answer(size: u32) -> Response<Body> {
        let bytes = Bytes::from(vec![7; usize::try_from(size).unwrap()]);
        Response::new(Body::new(Full::new(bytes)))
    }

    // What waits in a queue of the connection counts as much as what was not asked for yet.
    #[tokio::test]
    async fn what_a_client_does_not_take_is_bounded() {
        let peer = Peer::new("203.0.113.7:40000".parse().unwrap());
        let first = peer.answered(answer(ANSWER_BYTES_MAX / 2)).await.unwrap();
        let second = peer.answered(answer(ANSWER_BYTES_MAX / 2)).await.unwrap();
        let taken = second.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(taken.len(), 128 * 1024);
        let refused = peer.answered(answer(1)).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::Overloaded);
        // Only who writes them lets them go.
        drop(taken);
        assert!(peer.answered(answer(1)).await.is_ok());
        drop(first);
        // One that is larger than all of the room waits alone.
        let large = peer.answered(answer(4 * ANSWER_BYTES_MAX)).await.unwrap();
        assert!(peer.answered(answer(1)).await.is_err());
        let large = large.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(large.len(), 1024 * 1024);
    }
}
