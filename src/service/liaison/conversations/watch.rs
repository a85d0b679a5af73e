//! The stream of a conversation: woken by hints, fed by PostgreSQL, judged at each look. Nothing is
//! kept here that a client could lose with it: it resumes after the sequence that it has.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tonic::Status;

use super::{Conversations, mark_reply, message_reply};
use crate::{
    clock::Clock,
    context::Cx,
    error::{Error, Faults, Flaw, Kind, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Store,
        identity::actors,
        liaison::{
            conversations, messages,
            participants::{self, Mark},
            wakeups::{Waiter, Woken},
        },
    },
};

/// A stream without news says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(25);
/// Messages that wait for a slow reader; the rest waits in PostgreSQL.
const AHEAD_MAX: usize = 16;
/// A reader who takes nothing for so long is cut, and heals by resuming (CH-05).
const SLOW_AFTER: Duration = Duration::from_secs(10);
/// How many messages are read at once.
const PAGE: i64 = 50;
/// How many streams of a server look at once. All of them are woken together when Redis comes back,
/// and all look again when PostgreSQL does: without turns they would hold every connection, and the
/// time for which a call waits for one would be over before it has connected.
pub(super) const LOOKING_MAX: usize = 8;
/// After PostgreSQL failed, it is asked again so much later.
const AGAIN: Duration = Duration::from_millis(500);

impl Conversations {
    pub(super) async fn watch_messages(
        &self,
        cx: &Cx,
        request: pb::WatchMessagesRequest,
    ) -> Result<wire::Items<pb::WatchMessagesResponse>> {
        let mut faults = Faults::new();
        let id = faults.take("conversation", Id::parse(&request.conversation));
        faults.check(request.after_sequence >= 0, "after_sequence", Flaw::OutOfRange);
        let id = faults.whole(id)?;
        // Waits before it looks: what happens in between wakes.
        let key = actors::key(&cx.actor.name());
        let waiter = self.store.wakeups().wait(id.uuid(), key);
        let mut connection = self.store.read().await?;
        // Who may not read is told at once, and not by a stream that ends.
        conversations::get(&mut connection, id, &cx.scope(), cx.now).await?;
        drop(connection);
        let (send, items) = mpsc::channel(AHEAD_MAX);
        let end = Arc::new(OnceLock::new());
        let line = Line {
            store: self.store.clone(),
            clock: self.clock.clone(),
            cx: cx.clone(),
            id,
            after: request.after_sequence,
            marks: Vec::new(),
            known: None,
            looking: self.looking.clone(),
            send,
        };
        let ended = end.clone();
        tokio::spawn(async move {
            if let Err(error) = line.run(waiter).await {
                let _ = ended.set(Status::from(error));
            }
        });
        Ok(Box::pin(Watched { items, end, over: false }))
    }
}

/// What the client reads: the items, then why there are no more.
struct Watched {
    items: mpsc::Receiver<Box<pb::WatchMessagesResponse>>,
    end: Arc<OnceLock<Status>>,
    over: bool,
}

impl Stream for Watched {
    type Item = Result<pb::WatchMessagesResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.items.poll_recv(context) {
            Poll::Ready(None) if !self.over => {
                self.over = true;
                Poll::Ready(self.end.get().cloned().map(Err))
            }
            polled => polled.map(|item| item.map(|item| Ok(*item))),
        }
    }
}

/// One open stream.
struct Line {
    store: Store,
    clock: Clock,
    cx: Cx,
    id: Id<kind::Conversation>,
    after: i64,
    marks: Vec<(String, Mark)>,
    /// When the session ends by itself; `None` while it is not known that it still stands, so that
    /// nothing is given before somebody has looked.
    known: Option<Timestamp>,
    looking: Arc<Semaphore>,
    /// Boxed: a channel keeps room for 32 items, and most streams have none waiting.
    send: mpsc::Sender<Box<pb::WatchMessagesResponse>>,
}

impl Line {
    /// Runs until the client leaves, is too slow, or may not read any more.
    async fn run(mut self, mut waiter: Waiter) -> Result<()> {
        let mut quiet = Instant::now();
        loop {
            match self.catch_up().await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // PostgreSQL comes back; the stream stays, unless the server does not.
                Err(error) if error.reason().kind() == Kind::Unavailable => tokio::select! {
                    () = self.send.closed() => return Ok(()),
                    () = waiter.over() => return Err(Error::new(Reason::ServerStopping)),
                    () = tokio::time::sleep(AGAIN) => continue,
                },
                Err(error) => return Err(error),
            }
            if quiet.elapsed() >= HEARTBEAT {
                quiet = Instant::now();
                let heartbeat = pb::Heartbeat { last_sequence: self.after };
                if !self.give(pb::watch_messages_response::Event::Heartbeat(heartbeat)).await? {
                    return Ok(());
                }
            }
            tokio::select! {
                () = self.send.closed() => return Ok(()),
                woken = waiter.woken(self.after) => match woken {
                    Woken::Conversation => quiet = Instant::now(),
                    Woken::Actor => self.known = None,
                    // Another server goes on where this one ends.
                    Woken::Over => return Err(Error::new(Reason::ServerStopping)),
                },
                // A hint may be lost, and nobody hints at the end of a session's time.
                () = tokio::time::sleep(self.rest(quiet)) => self.known = None,
            }
        }
    }

    /// How long nothing needs to be done without news: until the next heartbeat, or until the session
    /// is out of time.
    fn rest(&self, quiet: Instant) -> Duration {
        let left = self.known.map(|end| self.clock.now().duration_until(end));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        // Not less: a clock of the tests may stand still.
        HEARTBEAT.saturating_sub(quiet.elapsed()).min(left).max(Duration::from_millis(10))
    }

    /// Sends everything after the last message sent; false when the client has left.
    async fn catch_up(&mut self) -> Result<bool> {
        loop {
            let looking = self.looking.clone();
            let turn = looking.acquire().await.map_err(Error::internal)?;
            if self.known.is_none_or(|end| end <= self.clock.now()) {
                self.authenticate().await?;
            }
            let (scope, now) = (self.cx.scope(), self.clock.now());
            let mut connection = self.store.read().await?;
            let piece =
                messages::after(&mut connection, self.id, self.after, &scope, now, PAGE).await?;
            // What comes after this look wakes again.
            let last = i64::try_from(piece.messages.len()).is_ok_and(|read| read < PAGE);
            let marks = if last {
                participants::marks(&mut connection, self.id).await?
            } else {
                self.marks.clone()
            };
            // No connection is held while a client takes its time.
            drop((connection, turn));
            for message in piece.messages {
                self.after = message.sequence;
                let event = pb::watch_messages_response::Event::Message(message_reply(message));
                if !self.give(event).await? {
                    return Ok(false);
                }
            }
            if last {
                return self.tell_marks(marks).await;
            }
            // A reader takes its time with a page: who it is may have changed meanwhile.
            self.known = None;
        }
    }

    /// Tells whose marks have risen since the last look.
    async fn tell_marks(&mut self, marks: Vec<(String, Mark)>) -> Result<bool> {
        let before = std::mem::replace(&mut self.marks, marks);
        let risen: Vec<_> =
            self.marks.iter().filter(|mark| !before.contains(mark)).cloned().collect();
        for (reader, mark) in risen {
            let mark = pb::MarkRisen { reader, mark: Some(mark_reply(mark)) };
            if !self.give(pb::watch_messages_response::Event::Mark(mark)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands an event over; false when the client has left.
    async fn give(&self, event: pb::watch_messages_response::Event) -> Result<bool> {
        let item = Box::new(pb::WatchMessagesResponse { event: Some(event) });
        match tokio::time::timeout(SLOW_AFTER, self.send.send(item)).await {
            Ok(given) => Ok(given.is_ok()),
            Err(_) => Err(Error::new(Reason::ReaderTooSlow)),
        }
    }

    /// Looks whether the session still stands and the actor still is who it was. Where nobody can be
    /// asked it stays unknown, and the next look asks again.
    async fn authenticate(&mut self) -> Result<()> {
        let name = self.cx.actor.name();
        let standing = actors::standing(&self.store, &name, self.cx.ids().bytes()).await?;
        let session = self.cx.actor.session().ok_or_else(|| Error::new(Reason::SessionEnded))?;
        let (_, id) = actors::read_name(&name)?;
        self.cx.actor = standing.actor(id, session.uuid(), self.clock.now())?;
        self.known = standing.session_end(session.uuid());
        Ok(())
    }
}
