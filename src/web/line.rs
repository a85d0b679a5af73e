//! One line: its frames become calls in the order in which they come, its watches run beside them.
//! No rule of the business: the gate and the services judge, as they do for gRPC.
//!
//! # The line of a mini-program
//!
//! A mini-program cannot speak gRPC: it has no HTTP/2 trailers, and its sockets are cut a few seconds
//! after it goes to the background. `ws://…/v1/line` (`JINGQI_LISTEN`) gives it the conversation over
//! one WebSocket. `proto/jingqi/v1/line.proto` is the whole protocol: one frame is one message, binary
//! under the subprotocol `jingqi.v1+proto`, JSON under `jingqi.v1+json`; every frame is answered by one
//! with its id. Each becomes a call in process through the same gate as gRPC (`src/web/line.rs`), so
//! roles, limits and reasons are the same.
//!
//! ```text
//! → {"id":"1","signIn":{"accessToken":"…"}}
//! ← {"id":"1","signedIn":{"account":"persons/…"}}
//! → {"id":"2","watch":{"conversation":"conversations/…","afterSequence":"7"}}
//! ← {"id":"2","watchStarted":{"conversation":"conversations/…"}}
//! → {"id":"3","sendMessage":{"conversation":"conversations/…","clientMessageId":"<UUID4>","kind":"TEXT","text":"您好"}}
//! ← {"id":"3","messageSent":{"sequence":"8","text":"您好",…}}
//! ← {"id":"2","event":{"conversation":"conversations/…","event":{"message":{"sequence":"9","text":"马上到",…}}}}
//! ```
//!
//! A client that was cut opens a new line, at any server, and watches after the last sequence that it
//! has. `SendMessage` and `ListMessages` by gRPC work without it. `tests/python/talk.py` lets the
//! WebSocket client of Python and a generated gRPC client talk to each other; any WebSocket client that
//! names a subprotocol can try it by hand.

use std::{collections::HashMap, ops::ControlFlow, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use futures::{
    StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tonic::{Code, Request, Status, Streaming, metadata::MetadataValue};

use super::{
    LineLimits, Stack,
    frames::{self, Form},
    outbox::{Farewell, Gone, Outbox, outbox},
};
use crate::{
    error::{Error, Flaw, Reason},
    service::{
        gate::{Client, Peer},
        pb::{
            self, client_frame::Call, conversation_service_client::ConversationServiceClient,
            identity_service_client::IdentityServiceClient, server_frame::Reply,
        },
    },
};

/// Frames of whoever sent too many that are read away after the last one of ours.
const READ_AWAY_MAX: usize = 256;

/// Who opened a line, and on which connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who called, where proxies stand between.
    pub client: Client,
    /// The connection, which counts as proven from the first sign-in on.
    pub peer: Peer,
}

/// An open line.
pub struct Line {
    stack: Stack,
    caller: Caller,
    limits: LineLimits,
    form: Form,
    outbox: Outbox,
    /// The token of every call, once it was found good.
    token: Option<String>,
    /// Whose line it is, from the first sign-in on.
    account: String,
    /// Until when somebody must sign in, again or for the first time.
    sign_in_until: Option<Instant>,
    pace: Pace,
    /// By conversation. A task is ended when it is dropped.
    watches: HashMap<String, AbortOnDropHandle<()>>,
}

/// How a line ended: with a last frame, or because nobody is there to read it.
type Ended = Option<Farewell>;

impl Line {
    /// Serves a line until it ends.
    pub async fn run(
        socket: WebSocket,
        form: Form,
        stack: Stack,
        caller: Caller,
        token: Option<String>,
        limits: LineLimits,
        stop: CancellationToken,
    ) {
        let (sink, mut source): (SplitSink<_, _>, _) = socket.split();
        let ended = CancellationToken::new();
        let (outbox, writer) = outbox(form, limits, ended.clone());
        let mut writer = AbortOnDropHandle::new(tokio::spawn(writer.run(sink)));
        let mut line = Self {
            stack,
            caller,
            limits,
            form,
            outbox,
            token: None,
            account: String::new(),
            sign_in_until: Some(Instant::now() + limits.sign_in_within),
            pace: Pace::new(limits.unproven_frames_max, limits.unproven_frame_every),
            watches: HashMap::new(),
        };
        let farewell = line.listen(&mut source, token, &stop, &ended).await;
        tracing::debug!(account = line.account, ?farewell, "line ended");
        line.watches.clear();
        let last = async {
            if let Some(farewell) = farewell {
                let _ = line.outbox.close(farewell).await;
            }
            drop(line);
            let _ = (&mut writer).await;
            // What the client still sends is read away: closing on it would reset the connection,
            // and the last frame could be lost. Of whoever sent too much this is done for a while only.
            let frames =
                if farewell == Some(Farewell::TooMany) { READ_AWAY_MAX } else { usize::MAX };
            let mut rest = source.take(frames);
            while let Some(Ok(_)) = rest.next().await {}
        };
        let _ = timeout(limits.farewell_within, last).await;
    }

    /// Takes frames until the line ends.
    async fn listen(
        &mut self,
        source: &mut SplitStream<WebSocket>,
        token: Option<String>,
        stop: &CancellationToken,
        ended: &CancellationToken,
    ) -> Ended {
        if let Some(access_token) = token {
            // By the header: answered like a frame without an id.
            let call = Call::SignIn(pb::LineSignIn { access_token });
            Box::pin(self.take("", call)).await.ok()?;
        }
        let mut heard = Instant::now();
        loop {
            let idle = heard + self.limits.idle_max;
            let until = self.sign_in_until.map_or(idle, |sign_in| sign_in.min(idle));
            let received = tokio::select! {
                () = stop.cancelled() => return Some(Farewell::Stop),
                () = ended.cancelled() => return None,
                () = sleep_until(until) => {
                    return Some(if until == idle { Farewell::Idle } else { Farewell::SignIn });
                }
                received = source.next() => received?,
            };
            heard = Instant::now();
            match received {
                // Whatever it is: also a ping of the protocol is answered.
                Ok(_) if !self.pace.permits(heard) => return Some(Farewell::TooMany),
                Ok(message) => {
                    // Boxed: every line would hold room for the largest call of all, all the time.
                    if let ControlFlow::Break(ended) = Box::pin(self.hear(&message)).await {
                        return ended;
                    }
                }
                Err(error) => return lost(error),
            }
        }
    }

    async fn hear(&mut self, message: &Message) -> ControlFlow<Ended> {
        let taken = match message {
            Message::Close(_) => return ControlFlow::Break(None),
            // The answer to a ping goes out by itself.
            Message::Ping(_) | Message::Pong(_) => return ControlFlow::Continue(()),
            Message::Text(_) | Message::Binary(_) => match self.form.read(message) {
                Ok((id, call)) => self.take(&id, call).await,
                Err((id, error)) => {
                    let failure = frames::failure(&error.into());
                    self.outbox.send(&id, Reply::Failure(failure)).await
                }
            },
        };
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(Gone) => ControlFlow::Break(None),
        }
    }

    /// Makes the call, and answers it.
    async fn take(&mut self, id: &str, call: Call) -> Result<(), Gone> {
        // A renewal that fails takes nothing away.
        let renewal = matches!(call, Call::SignIn(_));
        let reply = match call {
            Call::Watch(asked) => {
                let conversation = asked.conversation.clone();
                match self.watch(asked).await {
                    Ok(events) => {
                        let started = pb::WatchStarted { conversation: conversation.clone() };
                        self.outbox.send(id, Reply::WatchStarted(started)).await?;
                        let outbox = self.outbox.clone();
                        let watch = forward(id.to_owned(), conversation.clone(), events, outbox);
                        let watch = AbortOnDropHandle::new(tokio::spawn(watch));
                        self.watches.insert(conversation, watch);
                        return Ok(());
                    }
                    Err(status) => Err(status),
                }
            }
            call => self.answer(call).await,
        };
        let reply = reply.unwrap_or_else(|status| {
            let unknown = status.code() == Code::Unauthenticated && !renewal;
            if unknown && self.token.take().is_some() {
                // The token has ended under way: the client has as long as at the beginning.
                self.sign_in_until = Some(Instant::now() + self.limits.sign_in_within);
            }
            Reply::Failure(frames::failure(&status))
        });
        self.outbox.send(id, reply).await
    }

    async fn answer(&mut self, call: Call) -> Result<Reply, Status> {
        let mut client = self.conversations();
        Ok(match call {
            Call::SignIn(asked) => Reply::SignedIn(self.sign_in(asked).await?),
            Call::SendMessage(asked) => {
                Reply::MessageSent(client.send_message(self.request(asked)?).await?.into_inner())
            }
            Call::ListMessages(asked) => {
                Reply::Messages(client.list_messages(self.request(asked)?).await?.into_inner())
            }
            Call::Mark(asked) => {
                Reply::Mark(client.mark_conversation(self.request(asked)?).await?.into_inner())
            }
            Call::Recall(asked) => Reply::MessageRecalled(
                client.recall_message(self.request(asked)?).await?.into_inner(),
            ),
            Call::Unwatch(asked) => {
                self.watches.remove(&asked.conversation);
                Reply::WatchEnded(pb::WatchEnded {
                    conversation: asked.conversation,
                    failure: None,
                })
            }
            Call::Ping(_) => Reply::Pong(pb::Pong {}),
            // Its answer must come before its events, so `take` gives it.
            Call::Watch(_) => return Err(Error::internal("a watch is no plain call").into()),
        })
    }

    /// Signs in, or renews the token. A line belongs to one account: its watches go on.
    async fn sign_in(&mut self, asked: pb::LineSignIn) -> Result<pb::SignedIn, Status> {
        let mut client = IdentityServiceClient::new(self.stack.clone());
        let request = self.authorised(&asked.access_token, pb::GetAccountRequest {})?;
        let account = client.get_account(request).await?.into_inner().name;
        if !self.account.is_empty() && self.account != account {
            return Err(Error::new(Reason::Denied).into());
        }
        if self.account.is_empty() {
            self.pace = Pace::new(self.limits.frames_max, self.limits.frame_every);
        }
        self.account.clone_from(&account);
        self.token = Some(asked.access_token);
        self.sign_in_until = None;
        Ok(pb::SignedIn { account })
    }

    async fn watch(
        &mut self,
        asked: pb::WatchMessagesRequest,
    ) -> Result<Streaming<pb::WatchMessagesResponse>, Status> {
        self.watches.retain(|_, watch| !watch.is_finished());
        let full = self.watches.len() >= self.limits.watches_max;
        if full && !self.watches.contains_key(&asked.conversation) {
            return Err(Error::field("watch", Flaw::TooMany).into());
        }
        let request = self.request(asked)?;
        Ok(self.conversations().watch_messages(request).await?.into_inner())
    }

    fn conversations(&self) -> ConversationServiceClient<Stack> {
        ConversationServiceClient::new(self.stack.clone())
    }

    /// A call by whoever has signed in; without a token the gate says what is missing.
    fn request<T>(&self, message: T) -> Result<Request<T>, Status> {
        match &self.token {
            Some(token) => self.authorised(token, message),
            None => Ok(self.sent(message)),
        }
    }

    fn authorised<T>(&self, token: &str, message: T) -> Result<Request<T>, Status> {
        let bearer = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::new(Reason::TokenInvalid))?;
        let mut request = self.sent(message);
        request.metadata_mut().insert("authorization", bearer);
        Ok(request)
    }

    /// A call that the gate sees coming from whoever opened the line.
    fn sent<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(self.caller.client);
        request.extensions_mut().insert(self.caller.peer.clone());
        request
    }
}

/// How many frames the client may send yet.
struct Pace {
    max: u32,
    every: Duration,
    left: u32,
    counted_until: Instant,
}

impl Pace {
    fn new(max: u32, every: Duration) -> Self {
        Self { max, every, left: max, counted_until: Instant::now() }
    }

    /// Whether it may send one more now, which counts.
    fn permits(&mut self, now: Instant) -> bool {
        while self.left < self.max && now.duration_since(self.counted_until) >= self.every {
            self.left = self.left.saturating_add(1);
            self.counted_until += self.every;
        }
        if self.left == self.max {
            self.counted_until = now;
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// Hands the events of a watch on, until it ends or nobody reads them.
async fn forward(
    id: String,
    conversation: String,
    mut events: Streaming<pb::WatchMessagesResponse>,
    outbox: Outbox,
) {
    let failure = loop {
        match events.message().await {
            Ok(Some(event)) => {
                let conversation = conversation.clone();
                let event = pb::WatchEvent { conversation, event: Some(event) };
                if outbox.send(&id, Reply::Event(event)).await.is_err() {
                    return;
                }
            }
            Ok(None) => break None,
            Err(status) => break Some(frames::failure(&status)),
        }
    };
    // Nobody reads it when the line has ended, too.
    let _ = outbox.send(&id, Reply::WatchEnded(pb::WatchEnded { conversation, failure })).await;
}

/// What a client is told whose frame could not be read; nothing where the connection is lost.
fn lost(error: axum::Error) -> Ended {
    match error.into_inner().downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Capacity(_) => Some(Farewell::TooLarge),
        tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_) => Some(Farewell::Broken),
        _ => None,
    }
}
