//! How much one server takes on at once, by lane, so that a flood in one lane leaves the others alone
//! (I28). A place is held while we work, never while we wait for a client: whoever sends no body holds
//! nothing but its own stream. No deadline, and no judgement of who may call.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use tonic::body::Body;

use super::{Peer, peer::Charged};
use crate::{
    error::{Error, Reason, Result},
    service::policy::Access,
};

/// The largest message that is read, in bytes: what a stranger can make us hold (I35).
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// A message and what gRPC puts before it: a flag and four bytes of length.
const BODY_BYTES_MAX: usize = REQUEST_BYTES_MAX + 5;
/// The method of the checkpoint lane: a truck waits at the barrier meanwhile.
const CHECK: &str = "PassCheckService/CheckPass";

/// A body that arrived, and what its connection is charged until the call is answered.
#[derive(Debug)]
pub struct Whole {
    /// The body.
    pub bytes: Bytes,
    /// Given back when it is dropped.
    pub charged: Charged,
}

/// Calls in hand in one lane, and the bytes of bodies that have not arrived whole.
#[derive(Debug)]
pub struct Lane {
    places: Arc<Semaphore>,
    waiting_bytes: Semaphore,
}

/// The lanes of one server: 1,024 calls in hand together.
#[derive(Debug)]
pub struct Lanes {
    checkpoint: Lane,
    signed_in: Lane,
    strangers: Lane,
}

impl Default for Lanes {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            checkpoint: Lane::new(256, 8 * MIB),
            signed_in: Lane::new(512, 32 * MIB),
            strangers: Lane::new(256, 16 * MIB),
        }
    }
}

impl Lanes {
    /// The lane of a method. Whoever calls without a token shares one with strangers alone.
    pub fn of(&self, method: &str, access: Access) -> &Lane {
        match access {
            _ if method == CHECK => &self.checkpoint,
            Access::Public | Access::Unseen(_) => &self.strangers,
            Access::SignedIn | Access::Roles(_) | Access::UnseenRoles(..) => &self.signed_in,
        }
    }
}

impl Lane {
    fn new(places: usize, waiting_bytes: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            waiting_bytes: Semaphore::new(waiting_bytes),
        }
    }

    /// A place for a call in hand, at once; it is free again when the permit is dropped.
    ///
    /// # Errors
    /// `OVERLOADED`: whoever would have to queue is better told soon.
    pub fn place(&self) -> Result<OwnedSemaphorePermit> {
        let permit = self.places.clone().try_acquire_owned();
        permit.map_err(|_| Error::new(Reason::Overloaded))
    }

    /// The same for a call of this connection, once the connection may work on one more.
    ///
    /// # Errors
    /// `OVERLOADED`; `DEADLINE_EXCEEDED` where its own calls keep it waiting for too long.
    pub async fn place_of(
        &self,
        peer: Option<&Peer>,
        ends: Instant,
    ) -> Result<(Option<OwnedSemaphorePermit>, OwnedSemaphorePermit)> {
        let Some(peer) = peer else { return Ok((None, self.place()?)) };
        let turn = timeout_at(ends, peer.work()).await;
        let turn = turn.map_err(|_| Error::new(Reason::DeadlineExceeded))??;
        Ok((Some(turn), self.place()?))
    }

    /// Waits for the body, and gives it on in one piece: none of our methods streams from the client.
    /// Of a body over the limit no more than the limit is taken; its own length says that it is too
    /// long. What the connection is charged for it stays with the body.
    ///
    /// # Errors
    /// `OVERLOADED` when too much of the lane's bodies waits, or too much of this connection's;
    /// `REQUEST_INVALID` when the client was lost.
    pub async fn whole(&self, mut body: Body, peer: Option<&Peer>) -> Result<Whole> {
        let mut held: Option<SemaphorePermit<'_>> = None;
        let mut charged = Charged::default();
        let mut whole = Bytes::new();
        while whole.len() < BODY_BYTES_MAX
            && let Some(frame) = body.frame().await
        {
            let frame = frame.map_err(|lost| Error::new(Reason::RequestInvalid).because(lost))?;
            let Ok(data) = frame.into_data() else { continue };
            let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
            let permit = self.waiting_bytes.try_acquire_many(size);
            let permit = permit.map_err(|_| Error::new(Reason::Overloaded))?;
            match &mut held {
                Some(held) => held.merge(permit),
                None => held = Some(permit),
            }
            if let Some(peer) = peer {
                peer.charge(size, &mut charged)?;
            }
            // What is waited with is copied: a piece holds all of the buffer in which it came.
            whole =
                if whole.is_empty() && body.is_end_stream() { data } else { joined(whole, &data) };
        }
        whole.truncate(BODY_BYTES_MAX);
        Ok(Whole { bytes: whole, charged })
    }
}

/// Most bodies come in one piece, and never here.
fn joined(before: Bytes, data: &[u8]) -> Bytes {
    let mut bytes = before.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    bytes.extend_from_slice(data);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt as _, stream};
    use tonic::body::Body;

    use super::{BODY_BYTES_MAX, CHECK, Lane, Lanes, Peer};
    use crate::{error::Reason, service::policy};

    fn lane<'a>(lanes: &'a Lanes, method: &str) -> &'a Lane {
        let (name, access) = policy::access(method).unwrap();
        lanes.of(name, access)
    }

    /// A body of these pieces; it never ends where it is to hang.
    fn body(pieces: Vec<usize>, hangs: bool) -> Body {
        let pieces = pieces.into_iter().map(|size| Ok(Bytes::from(vec![7; size])));
        let pieces = stream::iter(pieces.collect::<Vec<Result<_, std::io::Error>>>());
        let end = if hangs { stream::pending().boxed() } else { stream::empty().boxed() };
        Body::new(axum::body::Body::from_stream(pieces.chain(end)))
    }

    // I28: floods of strangers and of chat leave the checkpoint its places.
    #[test]
    fn a_full_lane_leaves_the_others_their_places() {
        let lanes = Lanes::default();
        let mut held = Vec::new();
        for flooded in ["TruckPassService/ListZones", "ConversationService/SendMessage"] {
            let lane = lane(&lanes, flooded);
            while let Ok(place) = lane.place() {
                held.push(place);
            }
            assert_eq!(lane.place().unwrap_err().reason(), Reason::Overloaded);
            assert!(lanes.checkpoint.place().is_ok());
        }
        assert_eq!(held.len(), 768);
        while let Ok(place) = lane(&lanes, CHECK).place() {
            held.push(place);
        }
        assert_eq!(held.len(), 1_024);
        held.clear();
        assert!(lane(&lanes, "IdentityService/SignInOfficer").place().is_ok());
    }

    #[tokio::test]
    async fn a_body_is_given_on_whole_and_never_longer_than_the_limit() {
        let lanes = Lanes::default();
        for (pieces, expected) in [
            (vec![], 0),
            (vec![5], 5),
            (vec![5, 0, 3, 1_000], 1_008),
            (vec![BODY_BYTES_MAX, 1], BODY_BYTES_MAX),
            (vec![40_000, 40_000, 40_000], BODY_BYTES_MAX),
        ] {
            let whole = lanes.strangers.whole(body(pieces, false), None).await.unwrap();
            assert_eq!(whole.bytes, vec![7; expected]);
        }
    }

    // What has arrived of bodies that never end is bounded, and free again when they are given up.
    #[tokio::test]
    async fn bodies_that_hang_hold_a_bounded_amount_and_no_place() {
        let lane = Lane::new(1, 10_000);
        {
            let mut hung = Vec::new();
            for _ in 0..3 {
                let mut waiting = Box::pin(lane.whole(body(vec![3_000], true), None));
                assert!(futures::poll!(&mut waiting).is_pending());
                hung.push(waiting);
            }
            let refused = lane.whole(body(vec![3_000], false), None).await.unwrap_err();
            assert_eq!(refused.reason(), Reason::Overloaded);
            assert!(lane.whole(body(vec![500], false), None).await.is_ok());
            assert!(lane.place().is_ok());
        }
        assert!(lane.whole(body(vec![10_000], false), None).await.is_ok());
    }

    // Strangers take nothing of the lane from others: they are refused long before it is full.
    #[tokio::test]
    async fn an_address_is_charged_for_its_bodies_until_its_calls_are_answered() {
        let lanes = Lanes::default();
        let peer = Peer::new("203.0.113.7:40000".parse().unwrap());
        let sent = async |size: usize| {
            lanes.strangers.whole(body(vec![size / 20; 20], false), Some(&peer)).await
        };
        let mut held = Vec::new();
        while let Ok(whole) = sent(60_000).await {
            held.push(whole);
        }
        // One of its own, and what the address shares.
        assert_eq!(held.len(), 9);
        let other = Peer::new("203.0.113.8:40001".parse().unwrap());
        let others = lanes.strangers.whole(body(vec![60_000], false), Some(&other)).await;
        assert!(others.is_ok());
        drop(held);
        assert!(sent(60_000).await.is_ok());
    }
}
