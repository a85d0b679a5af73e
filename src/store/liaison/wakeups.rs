//! Wake-ups: who waits for news of a conversation is woken when there may be some, on every server.
//! A hint only. Redis may lose it, so each server also asks PostgreSQL at an interval; what is new
//! is always read from PostgreSQL (CH-23).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{error::Result, store::Store};

/// How often PostgreSQL is asked: the longest wait for a message while Redis is away, and less than
/// the second within which a removed reader's stream must end.
pub const POLL: Duration = Duration::from_millis(500);
/// Hints that wait to be published; more are dropped, the poll finds them.
const QUEUE_MAX: usize = 8_192;
/// How many conversations are asked for in one statement.
const CHUNK: usize = 1_000;
/// How long Redis is left alone after it failed.
const RECONNECT: Duration = Duration::from_millis(250);

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Topic {
    /// News of a conversation.
    Conversation(Uuid),
    /// A change of what an actor may do; the key of its standing.
    Actor(String),
}

/// What is known without a look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct News {
    /// How many hints came.
    hints: u64,
    /// The last sequence of a conversation, as PostgreSQL said at the last poll.
    sequence: i64,
    /// The version of an actor, or of who may read a conversation, as PostgreSQL said at the last
    /// poll.
    version: Option<i64>,
}

impl News {
    /// Whether whoever knew `before`, and has read up to the sequence, must look.
    fn matter(self, before: Self, read: i64) -> bool {
        self.hints != before.hints || self.version != before.version || self.sequence > read
    }
}

#[derive(Debug)]
struct Entry {
    news: watch::Sender<News>,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Hub(Mutex<HashMap<Topic, Entry>>);

/// One server's wake-ups.
#[derive(Debug, Clone)]
pub struct Wakeups {
    hub: Arc<Hub>,
    publish: mpsc::Sender<Uuid>,
    queued: Arc<Mutex<Option<mpsc::Receiver<Uuid>>>>,
    /// Cancelled when the server stops: nobody is woken any more.
    over: CancellationToken,
}

impl Default for Wakeups {
    fn default() -> Self {
        let (publish, queued) = mpsc::channel(QUEUE_MAX);
        let queued = Arc::new(Mutex::new(Some(queued)));
        Self { hub: Arc::default(), publish, queued, over: CancellationToken::new() }
    }
}

/// A place in front of a topic; given back when it is dropped.
#[derive(Debug)]
struct Place {
    hub: Arc<Hub>,
    topic: Topic,
    news: watch::Receiver<News>,
    known: News,
}

impl Place {
    /// Waits for what somebody who has read up to the sequence must look at. A poll that says what a
    /// hint has said before is nothing new: otherwise each poll would send every reader to look.
    async fn matter(&mut self, read: i64) {
        // The hub outlives its places, so the channel cannot be closed.
        while self.news.changed().await.is_ok() {
            let news = *self.news.borrow_and_update();
            let known = std::mem::replace(&mut self.known, news);
            if news.matter(known, read) {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entries = self.hub.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&self.topic) {
            entry.waiting = entry.waiting.saturating_sub(1);
            if entry.waiting == 0 {
                entries.remove(&self.topic);
            }
        }
    }
}

impl Hub {
    fn place(self: &Arc<Self>, topic: Topic) -> Place {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries
            .entry(topic.clone())
            .or_insert_with(|| Entry { news: watch::Sender::new(News::default()), waiting: 0 });
        entry.waiting = entry.waiting.saturating_add(1);
        let news = entry.news.subscribe();
        drop(entries);
        let known = *news.borrow();
        Place { hub: self.clone(), topic, news, known }
    }

    fn wake(&self, topic: &Topic) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(topic) {
            entry.news.send_modify(|news| news.hints = news.hints.wrapping_add(1));
        }
    }

    fn wake_all(&self) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.values() {
            entry.news.send_modify(|news| news.hints = news.hints.wrapping_add(1));
        }
    }

    /// Takes note of what PostgreSQL said.
    fn saw(&self, topic: &Topic, sequence: i64, version: i64) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(topic) {
            entry.news.send_if_modified(|news| {
                let before = *news;
                (news.sequence, news.version) = (sequence, Some(version));
                *news != before
            });
        }
    }

    fn topics(&self) -> (Vec<Uuid>, Vec<String>) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut conversations, mut actors) = (Vec::new(), Vec::new());
        for topic in entries.keys() {
            match topic {
                Topic::Conversation(id) => conversations.push(*id),
                Topic::Actor(key) => actors.push(key.clone()),
            }
        }
        (conversations, actors)
    }
}

/// What woke a waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There may be news of the conversation.
    Conversation,
    /// The actor's rights may have changed.
    Actor,
    /// The server stops.
    Over,
}

/// Somebody who waits for news.
#[derive(Debug)]
pub struct Waiter {
    conversation: Place,
    actor: Place,
    over: CancellationToken,
}

impl Waiter {
    /// Waits for what somebody who has read up to the sequence must look at; what came since the last
    /// wait counts.
    pub async fn woken(&mut self, read: i64) -> Woken {
        tokio::select! {
            () = self.over.cancelled() => Woken::Over,
            () = self.conversation.matter(read) => Woken::Conversation,
            () = self.actor.matter(0) => Woken::Actor,
        }
    }

    /// Waits until the server stops.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Wakeups {
    /// Begins to wait. Whatever happens from now on wakes.
    #[must_use]
    pub fn wait(&self, conversation: Uuid, actor_key: String) -> Waiter {
        Waiter {
            conversation: self.hub.place(Topic::Conversation(conversation)),
            actor: self.hub.place(Topic::Actor(actor_key)),
            over: self.over.clone(),
        }
    }

    /// Says that there is news of a conversation: here at once, elsewhere by way of Redis.
    pub fn tell(&self, conversation: Uuid) {
        self.hub.wake(&Topic::Conversation(conversation));
        // A full queue drops the hint; the poll finds what is new.
        let _ = self.publish.try_send(conversation);
    }

    /// Carries hints between the servers until it is told to stop.
    pub async fn keep(self, store: Store, stop: CancellationToken) {
        let queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(queued) = queued else { return };
        tokio::select! {
            () = stop.cancelled() => {}
            () = publish(&store, queued) => {}
            () = listen(&store, &self.hub) => {}
            () = poll(&store, &self.hub) => {}
        }
        self.over.cancel();
    }
}

/// Publishes what was told, as many as wait in one message.
async fn publish(store: &Store, mut queued: mpsc::Receiver<Uuid>) {
    let mut batch = Vec::with_capacity(256);
    while queued.recv_many(&mut batch, 256).await > 0 {
        batch.sort_unstable();
        batch.dedup();
        let payload: Vec<u8> = batch.drain(..).flat_map(Uuid::into_bytes).collect();
        store.cache().publish(&payload).await;
    }
    std::future::pending::<()>().await;
}

/// Listens to what other servers told.
async fn listen(store: &Store, hub: &Hub) {
    loop {
        if let Some(mut hints) = store.cache().hints().await {
            // Whatever was told while nobody listened is looked for now.
            hub.wake_all();
            while let Some(hint) = hints.next().await {
                for id in hint.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()) {
                    hub.wake(&Topic::Conversation(id));
                }
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

/// Asks PostgreSQL whether anything is new.
async fn poll(store: &Store, hub: &Hub) {
    loop {
        tokio::time::sleep(POLL).await;
        if let Err(error) = look(store, hub).await {
            tracing::debug!(%error, "nobody could be asked for news");
        }
    }
}

async fn look(store: &Store, hub: &Hub) -> Result<()> {
    let (conversations, actors) = hub.topics();
    if conversations.is_empty() {
        return Ok(());
    }
    let mut connection = store.read().await?;
    for chunk in conversations.chunks(CHUNK) {
        let rows = sqlx::query!(
            "select id, last_sequence, access_version from conversation where id = any($1)",
            chunk
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            hub.saw(&Topic::Conversation(row.id), row.last_sequence, row.access_version);
        }
    }
    for chunk in actors.chunks(CHUNK) {
        let rows = sqlx::query!("select key, version from standing where key = any($1)", chunk)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            hub.saw(&Topic::Actor(row.key), 0, row.version);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::time::timeout;
    use uuid::Uuid;

    use super::{Hub, Place, Topic, Wakeups, Woken};

    /// Whether the place is woken now, for somebody who has read so far.
    async fn woken(place: &mut Place, read: i64) -> bool {
        timeout(Duration::ZERO, place.matter(read)).await.is_ok()
    }

    #[tokio::test]
    async fn a_hint_that_came_between_two_waits_is_not_lost() {
        let wakeups = Wakeups::default();
        let id = Uuid::from_u128(1);
        let mut waiter = wakeups.wait(id, "actor:a".to_owned());
        wakeups.tell(id);
        wakeups.tell(Uuid::from_u128(2));
        assert_eq!(waiter.woken(0).await, Woken::Conversation);
        let again = timeout(Duration::ZERO, waiter.woken(0)).await;
        assert!(again.is_err(), "one hint wakes once");
        wakeups.hub.wake(&Topic::Actor("actor:a".to_owned()));
        assert_eq!(waiter.woken(0).await, Woken::Actor);
    }

    #[tokio::test]
    async fn a_poll_wakes_for_what_was_not_read_and_for_every_change_of_rights() {
        let hub = Arc::new(Hub::default());
        let topic = Topic::Conversation(Uuid::from_u128(1));
        let mut place = hub.place(topic.clone());
        hub.saw(&topic, 1, 1);
        assert!(woken(&mut place, 1).await, "rights may have changed before the first poll");
        hub.saw(&topic, 2, 1);
        assert!(!woken(&mut place, 2).await, "a hint was faster");
        hub.saw(&topic, 3, 1);
        assert!(woken(&mut place, 2).await);
        hub.saw(&topic, 3, 2);
        assert!(woken(&mut place, 3).await);
        assert!(!woken(&mut place, 3).await);
        drop(place);
        assert!(hub.topics().0.is_empty());
    }
}
