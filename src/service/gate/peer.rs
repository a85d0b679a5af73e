//! A connection, as the gate sees it: who is at its other end, whether anybody on it has shown who he is,
//! and what it makes us hold: calls in hand, and answers that its client does not take. No socket.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
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
/// What a connection may make us hold before anybody on it has shown who he is. What strangers hold must not
/// be felt, and one who holds all that his address may must not keep others there from a call.
const STRANGER: Room =
    Room { calls: 4, at_work: 2, body_bytes: 72 * 1024, answer_bytes: 64 * 1024 };
/// What all such connections of an address may have beyond that, together: clients begin with a hundred calls.
const SHARED_CALLS: usize = 96;
const SHARED_BODY_BYTES: usize = 512 * 1024;
/// What a connection may have from then on, and one of our own proxies, by which a whole city calls.
const KNOWN: Room = Room {
    calls: 1_024,
    at_work: CALLS_MAX,
    body_bytes: 16 * 1024 * 1024,
    answer_bytes: 256 * 1024,
};
/// Calls of a stranger's connection that are refused before it is cut: each waits until he takes its answer.
const REFUSED_MAX: usize = 8;
/// Answers below this are copied: each holds all of the buffer in which it was made.
const COPIED_BYTES: usize = 4 * 1024;
/// How long an answer waits until earlier ones are taken.
const ROOM_WITHIN: Duration = Duration::from_secs(1);

/// How much one connection may make us hold.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Calls that have begun and have no answer, whatever they wait for.
    calls: usize,
    /// Calls that hold a place of their lane: all of a stranger's connections together fill none.
    at_work: usize,
    /// Bytes of bodies, from their arrival until their call is answered.
    body_bytes: usize,
    /// Bytes of answers that are left untaken; a larger answer waits alone.
    answer_bytes: usize,
}

/// The other end of a connection. Copies are of the same connection.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Standing>);

/// What a connection is charged for a body, given back when it is dropped.
#[derive(Debug, Default)]
pub struct Charged {
    own: Option<OwnedSemaphorePermit>,
    shared: Option<OwnedSemaphorePermit>,
}

/// Calls that have begun, and their bodies.
#[derive(Debug)]
struct Begun {
    calls: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

impl Begun {
    fn new(calls: usize, body_bytes: usize) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(calls)),
            bodies: Arc::new(Semaphore::new(body_bytes)),
        }
    }
}

#[derive(Debug)]
struct Standing {
    address: SocketAddr,
    proven: AtomicBool,
    /// Of all strangers at the address, beyond their own.
    strangers: Arc<Begun>,
    own: Begun,
    refused: AtomicUsize,
    cut: AtomicBool,
    calls: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Peer {
    /// Whoever has just connected from this address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self::sharing(address, Arc::new(Begun::new(SHARED_CALLS, SHARED_BODY_BYTES)))
    }

    /// The same, where another connection of the address is open.
    #[must_use]
    pub fn beside(address: SocketAddr, other: &Self) -> Self {
        Self::sharing(address, other.0.strangers.clone())
    }

    fn sharing(address: SocketAddr, strangers: Arc<Begun>) -> Self {
        Self(Arc::new(Standing {
            address,
            proven: AtomicBool::new(false),
            strangers,
            own: Begun::new(STRANGER.calls, STRANGER.body_bytes),
            refused: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
            calls: Arc::new(Semaphore::new(CALLS_MAX)),
            at_work: Arc::new(Semaphore::new(STRANGER.at_work)),
            aside: Arc::new(Semaphore::new(ASIDE_MAX)),
            answers: Arc::new(Semaphore::new(STRANGER.answer_bytes)),
        }))
    }

    /// A proxy of ours: many call through it, and it is known without a word.
    #[must_use]
    pub fn trusted(address: SocketAddr) -> Self {
        let peer = Self::new(address);
        peer.prove();
        peer
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

    /// A call on it was made by somebody who is known: it has more room from now on.
    pub(super) fn prove(&self) {
        let standing = &self.0;
        if standing.proven.swap(true, Ordering::AcqRel) {
            return;
        }
        let more = |known: usize, stranger: usize| known.saturating_sub(stranger);
        standing.own.calls.add_permits(more(KNOWN.calls, STRANGER.calls));
        standing.own.bodies.add_permits(more(KNOWN.body_bytes, STRANGER.body_bytes));
        standing.at_work.add_permits(more(KNOWN.at_work, STRANGER.at_work));
        standing.answers.add_permits(more(KNOWN.answer_bytes, STRANGER.answer_bytes));
    }

    /// The right to one more call in hand, from its head to its answer.
    ///
    /// # Errors
    /// `OVERLOADED` when too many have begun: each of them holds its head.
    pub(super) fn begin(&self) -> Result<OwnedSemaphorePermit> {
        let begun = self.0.own.calls.clone().try_acquire_owned();
        let begun = begun.or_else(|_| self.0.strangers.calls.clone().try_acquire_owned());
        begun.map_err(|_| self.refused())
    }

    /// Counts a call that was refused before it began.
    pub(super) fn refused(&self) -> Error {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Error::new(Reason::Overloaded)
    }

    /// The connection is cut for what was sent on it.
    pub fn cut(&self) {
        self.0.cut.store(true, Ordering::Relaxed);
    }

    /// Whether a stranger was cut: he would come again at once.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        !self.is_proven() && self.0.cut.load(Ordering::Relaxed)
    }

    /// Whether a stranger begins call after call that is refused.
    #[must_use]
    pub fn is_unwelcome(&self) -> bool {
        !self.is_proven() && self.0.refused.load(Ordering::Relaxed) >= REFUSED_MAX
    }

    /// Waits until one more call may be worked on.
    pub(super) async fn work(&self) -> Result<OwnedSemaphorePermit> {
        self.0.at_work.clone().acquire_owned().await.map_err(Error::internal)
    }

    /// Charges so many bytes of a body.
    ///
    /// # Errors
    /// `OVERLOADED` when the connection holds too much.
    pub(super) fn charge(&self, size: u32, charged: &mut Charged) -> Result<()> {
        let standing = &*self.0;
        let parts =
            [(&standing.own, &mut charged.own), (&*standing.strangers, &mut charged.shared)];
        for (begun, held) in parts {
            let Ok(room) = begun.bodies.clone().try_acquire_many_owned(size) else { continue };
            match held {
                Some(held) => held.merge(room),
                None => *held = Some(room),
            }
            return Ok(());
        }
        Err(Error::new(Reason::Overloaded))
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
        place.map_err(|_| self.refused())
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
        // With its end the encoder goes, and the eight kilobytes in which it made a short answer.
        let next = body.frame().now_or_never();
        let over = matches!(next, Some(None));
        let end = next.flatten().transpose().map_err(Error::internal)?;
        let ended = over || end.as_ref().is_some_and(Frame::is_trailers);
        let there = stream::iter([Some(first), end].into_iter().flatten().map(Ok));
        let body = if ended {
            Body::new(StreamBody::new(there))
        } else {
            Body::new(StreamBody::new(there.chain(BodyStream::new(body))))
        };
        Ok(Response::from_parts(head, body))
    }

    async fn counted(&self, data: Bytes) -> Result<Bytes> {
        let most = if self.is_proven() { KNOWN } else { STRANGER }.answer_bytes;
        let size = u32::try_from(data.len().min(most)).unwrap_or(u32::MAX);
        let room = self.0.answers.clone().acquire_many_owned(size);
        let room = timeout(ROOM_WITHIN, room).await;
        let room = room.map_err(|_| Error::new(Reason::Overloaded))?.map_err(Error::internal)?;
        let data = if data.len() < COPIED_BYTES { Bytes::copy_from_slice(&data) } else { data };
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

    use super::{KNOWN, Peer, REFUSED_MAX, SHARED_CALLS, STRANGER};
    use crate::error::Reason;

    fn answer(size: usize) -> Response<Body> {
        let bytes = Bytes::from(vec![7; size]);
        Response::new(Body::new(Full::new(bytes)))
    }

    fn somebody() -> Peer {
        Peer::new("203.0.113.7:40000".parse().unwrap())
    }

    // What waits in a queue of the connection counts as much as what was not asked for yet.
    #[tokio::test]
    async fn what_a_client_does_not_take_is_bounded() {
        for (peer, room) in [(somebody(), STRANGER), (Peer::trusted(somebody().address()), KNOWN)] {
            let half = room.answer_bytes / 2;
            let first = peer.answered(answer(half)).await.unwrap();
            let second = peer.answered(answer(half)).await.unwrap();
            let taken = second.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(taken.len(), half);
            let refused = peer.answered(answer(1)).await.unwrap_err();
            assert_eq!(refused.reason(), Reason::Overloaded);
            // Only who writes them lets them go.
            drop(taken);
            assert!(peer.answered(answer(1)).await.is_ok());
            drop(first);
            // One that is larger than all of the room waits alone.
            let large = peer.answered(answer(4 * room.answer_bytes)).await.unwrap();
            assert!(peer.answered(answer(1)).await.is_err());
            let large = large.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(large.len(), 4 * room.answer_bytes);
        }
    }

    #[test]
    fn strangers_of_an_address_share_what_is_beyond_their_own() {
        let (one, elsewhere) = (somebody(), somebody());
        let beside = Peer::beside(one.address(), &one);
        let all = STRANGER.calls + SHARED_CALLS;
        let begun: Vec<_> = (0..all).map(|_| one.begin().unwrap()).collect();
        for refused in 0..REFUSED_MAX {
            assert!(!one.is_unwelcome(), "{refused}");
            assert_eq!(one.begin().unwrap_err().reason(), Reason::Overloaded);
        }
        // Whoever else is there has his own.
        let own: Vec<_> = (0..STRANGER.calls).map(|_| beside.begin().unwrap()).collect();
        assert!(beside.begin().is_err() && !beside.is_unwelcome() && one.is_unwelcome());
        assert!(elsewhere.begin().is_ok());
        beside.prove();
        assert!(beside.begin().is_ok());
        drop((begun, own));
        assert!(one.begin().is_ok());
        beside.prove();
        assert_eq!(beside.0.own.calls.available_permits(), KNOWN.calls, "proven once");
    }
}
