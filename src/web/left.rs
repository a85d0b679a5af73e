//! What is left of a body whose call was answered before all of it had come: it is read away for a while, since
//! closing on it would reset the connection, and the answer could be lost. Nothing of it is kept.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::timeout};

/// How much is read away, and for how long.
const BYTES_MAX: usize = 2 * 1024 * 1024;
const WITHIN: Duration = Duration::from_secs(2);

/// A body; what nobody has read of it when it is dropped is read away.
pub struct Left {
    body: Option<Incoming>,
    /// HTTP/2 ends a stream without its connection.
    alone: bool,
}

impl Left {
    /// The same request, whose body is read to its end.
    pub fn of(request: Request<Incoming>) -> Request<Self> {
        let alone = request.version() < Version::HTTP_2;
        request.map(|body| Self { body: Some(body), alone })
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| self.alone && !body.is_end_stream());
        let Some(mut body) = body else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(timeout(WITHIN, async move {
            let mut bytes = 0_usize;
            while let Some(Ok(frame)) = body.frame().await {
                bytes = bytes.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                if bytes > BYTES_MAX {
                    return;
                }
            }
        }));
    }
}

impl Body for Left {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
