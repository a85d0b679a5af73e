//! What waits for a client, and the task that writes it. Bounded in frames and in bytes: who writes
//! more must wait, and a client that does not read loses its line. No frame is made here.

use std::{ops::ControlFlow, sync::Arc};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures::{SinkExt as _, stream::SplitSink};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{LineLimits, frames::Form};
use crate::service::pb::{self, server_frame::Reply};

/// Why the server ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The server stops; another one serves.
    Stop,
    /// Nothing was heard for too long.
    Idle,
    /// The frame is not of RFC 6455.
    Broken,
    /// The frame is over the limit.
    TooLarge,
    /// Nobody has signed in.
    SignIn,
    /// The client does not read.
    Slow,
    /// The client sends more frames than anybody needs.
    TooMany,
}

impl Farewell {
    /// The last frame. From 4000 on the codes are ours to name (RFC 6455, 7.4.2).
    pub fn message(self) -> Message {
        let (code, reason) = match self {
            Self::Stop => (1001, "stop"),
            Self::Idle => (1001, "idle"),
            Self::Broken => (1002, "broken"),
            Self::TooLarge => (1009, "too large"),
            Self::SignIn => (4001, "sign in"),
            Self::Slow => (4008, "slow"),
            Self::TooMany => (4029, "too many"),
        };
        Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }))
    }
}

/// The line's writer is gone: nothing reaches the client any more.
#[derive(Debug)]
pub struct Gone;

struct Waiting {
    message: Message,
    room: OwnedSemaphorePermit,
}

/// Where the frames for one client are put, by calls and watches.
#[derive(Clone)]
pub struct Outbox {
    form: Form,
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    bytes_max: u32,
}

/// The other end: writes to the client.
pub struct Writer {
    waiting: mpsc::Receiver<Waiting>,
    limits: LineLimits,
    ended: CancellationToken,
}

/// An outbox and its writer, which cancels `ended` when it ends.
pub fn outbox(form: Form, limits: LineLimits, ended: CancellationToken) -> (Outbox, Writer) {
    let (send, receive) = mpsc::channel(limits.waiting_frames_max);
    let bytes_max = limits.waiting_bytes_max;
    let room = usize::try_from(bytes_max).unwrap_or(Semaphore::MAX_PERMITS);
    let outbox = Outbox { form, waiting: send, room: Arc::new(Semaphore::new(room)), bytes_max };
    (outbox, Writer { waiting: receive, limits, ended })
}

impl Outbox {
    /// Puts an answer or an event in; waits while there is no room.
    pub async fn send(&self, id: &str, reply: Reply) -> Result<(), Gone> {
        let frame = pb::ServerFrame { id: id.to_owned(), reply: Some(reply) };
        self.put(self.form.write(&frame)).await
    }

    /// Puts the last frame in.
    pub async fn close(&self, farewell: Farewell) -> Result<(), Gone> {
        self.put(farewell.message()).await
    }

    async fn put(&self, message: Message) -> Result<(), Gone> {
        let bytes = match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            _ => 0,
        };
        // A frame over the bound takes all of the room, and so waits alone.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| Gone)?;
        self.waiting.send(Waiting { message, room }).await.map_err(|_| Gone)
    }
}

impl Writer {
    /// Writes until the last frame, a fault, or a client that does not read.
    pub async fn run(mut self, mut sink: SplitSink<WebSocket, Message>) {
        let first = Instant::now() + self.limits.ping_every;
        let mut ping = interval_at(first, self.limits.ping_every);
        loop {
            let (message, room) = tokio::select! {
                _ = ping.tick() => (Message::Ping(Bytes::new()), None),
                waiting = self.waiting.recv() => match waiting {
                    Some(waiting) => (waiting.message, Some(waiting.room)),
                    None => break,
                },
            };
            if self.write(&mut sink, message).await.is_break() {
                break;
            }
            // Only a written frame gives its room back.
            drop(room);
        }
        self.ended.cancel();
    }

    async fn write(
        &self,
        sink: &mut SplitSink<WebSocket, Message>,
        message: Message,
    ) -> ControlFlow<()> {
        let last = matches!(message, Message::Close(_));
        match timeout(self.limits.write_within, sink.send(message)).await {
            Ok(Ok(())) if !last => ControlFlow::Continue(()),
            Ok(_) => ControlFlow::Break(()),
            Err(_) => {
                self.ended.cancel();
                // A client that comes back to reading now is told why.
                let farewell = sink.send(Farewell::Slow.message());
                let _ = timeout(self.limits.farewell_within, farewell).await;
                ControlFlow::Break(())
            }
        }
    }
}
