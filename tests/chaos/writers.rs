//! The writers: each sends one message after the other, through either server, and asks again with
//! the same id until it knows. Sometimes it hangs up in the middle of a call.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use jingqi::surface::service::pb::{self, conversation_service_client::ConversationServiceClient};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, transport::Channel};
use uuid::Uuid;

use crate::{
    city::Line,
    history::{Call, Process, Record, Step},
    server::channel,
};

/// A server ends a call after five seconds; a client that hears nothing gives up a little later.
const CALL_WITHIN: Duration = Duration::from_secs(7);
/// How long a writer goes on asking for what it does not know once the others have stopped.
const ASK_WITHIN: Duration = Duration::from_mins(1);
/// Of a hundred calls so many are hung up on; of a hundred messages so many change the server.
const HANG_UP_PERCENT: u32 = 2;
const CHANGE_PERCENT: u32 = 5;

/// What all clients of a run share.
pub struct World {
    /// The conversations.
    pub lines: Vec<Line>,
    /// The servers.
    pub servers: [SocketAddr; 2],
    /// The record.
    pub record: Record,
    /// The writers begin nothing new.
    pub written: AtomicBool,
}

/// One writer.
pub struct Writer {
    number: usize,
    world: Arc<World>,
    random: StdRng,
    think: Duration,
    at: usize,
    client: ConversationServiceClient<Channel>,
}

/// The client of a server.
pub fn client(world: &World, at: usize) -> Result<ConversationServiceClient<Channel>> {
    let address = world.servers.get(at % world.servers.len()).context("no server")?;
    Ok(ConversationServiceClient::new(channel(*address)?))
}

/// What one try told.
enum Told {
    Stored(i64),
    /// It was refused, and had no effect.
    Refused(String),
    /// Nobody knows.
    Nothing(String),
}

impl Writer {
    /// A writer that rests on average so long between two messages.
    pub fn new(world: &Arc<World>, number: usize, seed: u64, think: Duration) -> Result<Self> {
        let random = StdRng::seed_from_u64(seed ^ (0x5eed_0000 + u64::try_from(number)?));
        let client = client(world, number)?;
        Ok(Self { number, world: world.clone(), random, think, at: number, client })
    }

    /// Writes until it is told to stop, and then only asks for what it does not know.
    pub async fn run(mut self) -> Result<()> {
        while !self.world.written.load(Ordering::Relaxed) {
            if self.random.random_range(0..100) < CHANGE_PERCENT {
                self.elsewhere()?;
            }
            self.message().await?;
            let rest = self.think.mul_f64(self.random.random_range(0.0..2.0));
            sleep(rest).await;
        }
        Ok(())
    }

    /// Hangs up, and calls another server.
    fn elsewhere(&mut self) -> Result<()> {
        self.at += self.random.random_range(0..=1);
        self.client = client(&self.world, self.at)?;
        Ok(())
    }

    /// Sends one message, with as many tries as it takes.
    async fn message(&mut self) -> Result<()> {
        let world = self.world.clone();
        let conversation = self.random.random_range(0..world.lines.len());
        let line = world.lines.get(conversation).context("a conversation")?;
        let sender = self.random.random_range(0..line.talkers.len());
        let talker = line.talkers.get(sender).context("a talker")?;
        let id = uuid::Builder::from_random_bytes(self.random.random()).into_uuid();
        let writer = Process::Writer(self.number);
        let note = |step, sequence, note: &str| {
            let call = Call::Send { id, sequence };
            world.record.note(writer, conversation, step, call, note);
        };
        let (mut in_doubt, mut until) = (false, None);
        loop {
            note(Step::Invoke, 0, "");
            match self.attempt(talker.ask(said(&line.name, id))).await {
                Told::Stored(sequence) => {
                    note(Step::Ok, sequence, "");
                    return Ok(());
                }
                // With an earlier try in doubt, a refusal of this one says nothing of that one.
                Told::Refused(why) if !in_doubt => {
                    note(Step::Fail, 0, &why);
                    return Ok(());
                }
                Told::Refused(why) | Told::Nothing(why) => note(Step::Info, 0, &why),
            }
            in_doubt = true;
            if world.written.load(Ordering::Relaxed) {
                let until = *until.get_or_insert_with(|| Instant::now() + ASK_WITHIN);
                if Instant::now() > until {
                    return Ok(());
                }
            }
            self.elsewhere()?;
            sleep(Duration::from_millis(self.random.random_range(20..200))).await;
        }
    }

    async fn attempt(&mut self, request: tonic::Request<pb::SendMessageRequest>) -> Told {
        let patience = if self.random.random_range(0..100) < HANG_UP_PERCENT {
            // Somewhere in the middle of an ordinary call.
            Duration::from_micros(self.random.random_range(200..20_000))
        } else {
            CALL_WITHIN
        };
        match timeout(patience, self.client.send_message(request)).await {
            Err(_) => Told::Nothing("hung up".to_owned()),
            Ok(Ok(message)) => Told::Stored(message.into_inner().sequence),
            Ok(Err(status)) => {
                let why = format!("{:?} {}", status.code(), status.message());
                match status.code() {
                    Code::InvalidArgument
                    | Code::Unauthenticated
                    | Code::PermissionDenied
                    | Code::NotFound
                    | Code::AlreadyExists
                    | Code::FailedPrecondition
                    | Code::ResourceExhausted => Told::Refused(why),
                    _ => Told::Nothing(why),
                }
            }
        }
    }
}

/// A message whose text is its id.
fn said(conversation: &str, id: Uuid) -> pb::SendMessageRequest {
    pb::SendMessageRequest {
        conversation: conversation.to_owned(),
        client_message_id: id.to_string(),
        kind: pb::MessageKind::Text.into(),
        text: id.to_string(),
        // An officer's id may look like a telephone number.
        warnings_accepted: true,
        ..pb::SendMessageRequest::default()
    }
}
