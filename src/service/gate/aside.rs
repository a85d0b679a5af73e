//! What goes by the gate: health, and reflection for tools. Neither asks who calls, so what strangers can make
//! it hold is bounded here. No method of ours.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout_at},
};
use tonic::body::Body;

use super::Peer;
use crate::error::Result;

const REFLECTION: &str = "/grpc.reflection.";
/// Streams of reflection in all: its answers are the largest that a stranger gets, and wait for him.
const TOOLS_MAX: usize = 4;
/// What a tool may ask on one stream, and for how long.
const ASKED_BYTES_MAX: usize = 16 * 1024;
const ASKED_FRAMES_MAX: usize = 64;
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// The places of tools in one server.
#[derive(Debug)]
pub struct Tools(Arc<Semaphore>);

impl Default for Tools {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOOLS_MAX)))
    }
}

/// What is held until the answer has ended.
pub type Place = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// A place for a stream that goes by the gate, and its request with what it may ask.
///
/// # Errors
/// `OVERLOADED` when the connection has too many, or all tools together.
pub fn enter(peer: &Peer, tools: &Tools, request: Request<Body>) -> Result<(Request<Body>, Place)> {
    let own = peer.aside()?;
    if !request.uri().path().starts_with(REFLECTION) {
        return Ok((request, (own, None)));
    }
    let tool = tools.0.clone().try_acquire_owned();
    let tool = tool.map_err(|_| peer.refused())?;
    Ok((request.map(eager), (own, Some(tool))))
}

/// The same body; the place is held until it is dropped.
pub fn holding(body: Body, place: impl Send + 'static) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _held = &place;
        frame
    }))
}

/// The same body, read as it comes: what nobody reads waits in the connection, where a frame of one byte
/// costs a hundred. It ends where a tool has asked enough.
fn eager(mut body: Body) -> Body {
    let ends = Instant::now() + ASKED_WITHIN;
    let (send, receive) = mpsc::channel(ASKED_FRAMES_MAX);
    tokio::spawn(async move {
        let mut bytes = 0_usize;
        while let Ok(Some(Ok(frame))) = timeout_at(ends, body.frame()).await {
            let Ok(data) = frame.into_data() else { break };
            bytes = bytes.saturating_add(data.len());
            // Full: the answers are not taken, and it asks on.
            if bytes > ASKED_BYTES_MAX || send.try_send(data).is_err() {
                break;
            }
        }
    });
    let frames =
        stream::unfold(receive, async |mut receive| Some((receive.recv().await?, receive)));
    Body::new(StreamBody::new(frames.map(|data| Ok::<_, tonic::Status>(Frame::data(data)))))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt as _, stream};
    use http::Request;
    use http_body_util::BodyExt as _;
    use tonic::body::Body;

    use super::{ASKED_BYTES_MAX, ASKED_FRAMES_MAX, TOOLS_MAX, Tools, eager, enter};
    use crate::{error::Reason, service::gate::Peer};

    /// So many frames of this size, and no end.
    fn endless(frames: usize, size: usize) -> Body {
        let frames = (0..frames).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![7; size])));
        let frames = stream::iter(frames).chain(stream::pending());
        Body::new(axum::body::Body::from_stream(frames))
    }

    #[tokio::test]
    async fn what_a_tool_asks_is_read_at_once_and_has_an_end() {
        for (frames, size) in [(100_000, 1), (1_000, 1_000), (10, 1_000_000)] {
            let mut body = eager(endless(frames, size));
            let (mut seen, mut bytes) = (0, 0);
            // By turns: whoever reads keeps it going only up to the bytes.
            while let Some(frame) = body.frame().await {
                bytes += frame.unwrap().into_data().unwrap().len();
                seen += 1;
            }
            assert!(bytes <= ASKED_BYTES_MAX, "{bytes}");
            assert!(size > 1 || seen >= ASKED_FRAMES_MAX, "{seen}");
        }
    }

    #[tokio::test]
    async fn tools_have_few_places_and_health_is_none_of_them() {
        let tools = Tools::default();
        let request = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
        let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let ask = |host: usize, path| {
            let peer = Peer::new(format!("203.0.113.7:{}", 40_000 + host).parse().unwrap());
            enter(&peer, &tools, request(path)).map(|(_, place)| place)
        };
        let held: Vec<_> = (0..TOOLS_MAX).map(|host| ask(host, reflection).unwrap()).collect();
        assert_eq!(ask(99, reflection).unwrap_err().reason(), Reason::Overloaded);
        assert!(ask(99, "/grpc.health.v1.Health/Check").is_ok());
        drop(held);
        assert!(ask(99, reflection).is_ok());
    }
}
