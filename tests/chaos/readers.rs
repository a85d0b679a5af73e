//! The readers: each follows one conversation by stream and by pull, on either server, and resumes
//! after the last message that it has. A forgetful one does not resume: the control.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Error, Result};
use jingqi::surface::service::pb::{
    self, conversation_service_client::ConversationServiceClient, watch_messages_response::Event,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::{Instant, error::Elapsed, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use uuid::Uuid;

use crate::{
    checker::Sighting,
    city::{Line, Talker},
    history::{Call, Process, Step},
    writers::{World, client},
};

const CALL_WITHIN: Duration = Duration::from_secs(7);
const PAGE: i32 = 100;
/// Of a hundred times that a reader comes back, it pulls so often before it watches.
const PULL_PERCENT: u32 = 40;
/// And so often it says before how far it has read.
const MARK_PERCENT: u32 = 30;

/// One reader.
pub struct Reader {
    process: Process,
    conversation: usize,
    world: Arc<World>,
    line: Line,
    talker: Talker,
    random: StdRng,
    at: usize,
    after: i64,
    /// Where it stands, for those who wait for it.
    stands_at: Arc<AtomicI64>,
    stop: CancellationToken,
}

/// What a message says, as the checker takes it.
pub fn sighting(message: &pb::Message) -> Sighting {
    if message.sender == "system" {
        return Sighting { sequence: message.sequence, said: None };
    }
    // Text and id are the same, or the message is none that anybody sent.
    let same = message.text == message.client_message_id;
    let said = Uuid::try_parse(&message.text).ok().filter(|_| same).unwrap_or_default();
    Sighting { sequence: message.sequence, said: Some(said) }
}

impl Reader {
    /// A reader of a conversation; the number says at which server it begins, and as whom.
    pub fn new(
        world: &Arc<World>,
        process: Process,
        conversation: usize,
        number: usize,
        seed: u64,
        stop: &CancellationToken,
    ) -> Result<Self> {
        let line = world.lines.get(conversation).context("a conversation")?.clone();
        let talker = line.talkers.get(number % line.talkers.len()).context("a talker")?.clone();
        Ok(Self {
            process,
            conversation,
            world: world.clone(),
            line,
            talker,
            random: StdRng::seed_from_u64(seed ^ (0x0eed_0000 + u64::try_from(number)?)),
            at: number,
            after: 0,
            stands_at: Arc::default(),
            stop: stop.clone(),
        })
    }

    /// Where it stands.
    pub fn stands_at(&self) -> Arc<AtomicI64> {
        self.stands_at.clone()
    }

    /// Reads until it is told to stop.
    pub async fn run(mut self) -> Result<()> {
        while !self.stop.is_cancelled() {
            let client = client(&self.world, self.at)?;
            if self.resumes() && self.random.random_range(0..100) < MARK_PERCENT {
                self.mark(client.clone()).await;
            }
            let calm = if self.resumes() && self.random.random_range(0..100) < PULL_PERCENT {
                self.pull(client.clone()).await
            } else {
                true
            };
            if !calm || !self.watch(client).await? {
                self.at += self.random.random_range(0..=1);
                sleep(Duration::from_millis(self.random.random_range(20..200))).await;
            }
        }
        Ok(())
    }

    const fn resumes(&self) -> bool {
        matches!(self.process, Process::Reader(_))
    }

    fn note(&self, step: Step, call: Call, note: &str) {
        self.world.record.note(self.process, self.conversation, step, call, note);
    }

    /// Takes over what came.
    fn take(&mut self, seen: &[Sighting]) {
        if let Some(last) = seen.last() {
            self.after = last.sequence;
            self.stands_at.store(self.after, Ordering::Relaxed);
        }
    }

    /// Pulls one page; false when that failed.
    async fn pull(&mut self, mut client: ConversationServiceClient<Channel>) -> bool {
        let after = self.after;
        self.note(Step::Invoke, Call::Pull { after, seen: Vec::new() }, "");
        match list(&mut client, &self.talker, &self.line.name, after).await {
            Ok(page) => {
                let seen: Vec<Sighting> = page.messages.iter().map(sighting).collect();
                self.take(&seen);
                self.note(Step::Ok, Call::Pull { after, seen }, "");
                true
            }
            Err(why) => {
                self.note(Step::Info, Call::Pull { after, seen: Vec::new() }, &why);
                false
            }
        }
    }

    /// Says how far it has read.
    async fn mark(&mut self, mut client: ConversationServiceClient<Channel>) {
        let asked = self.after;
        self.note(Step::Invoke, Call::Mark { asked, answered: 0 }, "");
        let request = self.talker.ask(pb::MarkConversationRequest {
            conversation: self.line.name.clone(),
            delivered_sequence: asked,
            read_sequence: asked,
        });
        match answered(timeout(CALL_WITHIN, client.mark_conversation(request)).await) {
            Ok(mark) => {
                let answered = mark.into_inner().read_sequence;
                self.note(Step::Ok, Call::Mark { asked, answered }, "");
            }
            Err(why) => self.note(Step::Info, Call::Mark { asked, answered: 0 }, &why),
        }
    }

    /// Watches for a while; false when the stream broke.
    async fn watch(&mut self, mut client: ConversationServiceClient<Channel>) -> Result<bool> {
        if !self.resumes() && self.after > 0 {
            // The mistake: it begins where the conversation is now, and not where it stood.
            let Ok(now) = list(&mut client, &self.talker, &self.line.name, self.after).await else {
                return Ok(false);
            };
            self.after = now.last_sequence;
        }
        let after = self.after;
        self.note(Step::Invoke, Call::Watch { after, seen: Vec::new() }, "");
        let leave = Instant::now() + Duration::from_millis(self.random.random_range(200..6_000));
        let mut seen = Vec::new();
        let told = self.follow(client, leave, &mut seen).await;
        let step = if told.is_ok() { Step::Ok } else { Step::Info };
        let why = told.as_ref().err().map_or("", String::as_str);
        self.note(step, Call::Watch { after, seen }, why);
        Ok(told.is_ok() && self.resumes())
    }

    /// Follows the stream until it is time to leave.
    async fn follow(
        &mut self,
        mut client: ConversationServiceClient<Channel>,
        leave: Instant,
        seen: &mut Vec<Sighting>,
    ) -> Result<(), String> {
        let request = pb::WatchMessagesRequest {
            conversation: self.line.name.clone(),
            after_sequence: self.after,
        };
        let asked = timeout(CALL_WITHIN, client.watch_messages(self.talker.ask(request))).await;
        let mut stream = answered(asked)?.into_inner();
        loop {
            let next = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                next = timeout_at(leave, stream.message()) => next,
            };
            let Ok(next) = next else { return Ok(()) };
            match next.map_err(|status| why(&status))?.and_then(|response| response.event) {
                Some(Event::Message(message)) => {
                    let one = sighting(&message);
                    self.take(&[one]);
                    seen.push(one);
                }
                Some(Event::Mark(_) | Event::Heartbeat(_)) => {}
                // The server ended the stream.
                None => return Ok(()),
            }
        }
    }
}

/// One page after a sequence.
async fn list(
    client: &mut ConversationServiceClient<Channel>,
    talker: &Talker,
    conversation: &str,
    after: i64,
) -> Result<pb::ListMessagesResponse, String> {
    let request = pb::ListMessagesRequest {
        conversation: conversation.to_owned(),
        after_sequence: after,
        page_size: PAGE,
        before_sequence: 0,
    };
    let asked = timeout(CALL_WITHIN, client.list_messages(talker.ask(request))).await;
    Ok(answered(asked)?.into_inner())
}

/// What came of a call, or why nothing did.
fn answered<T>(asked: Result<Result<T, Status>, Elapsed>) -> Result<T, String> {
    match asked {
        Ok(answer) => answer.map_err(|status| why(&status)),
        Err(_) => Err("no answer".to_owned()),
    }
}

fn why(status: &Status) -> String {
    format!("{:?} {}", status.code(), status.message())
}

/// The whole conversation, by pull.
pub async fn whole(world: &World, conversation: usize) -> Result<Vec<Sighting>> {
    let line = world.lines.get(conversation).context("a conversation")?;
    let talker = line.talkers.first().context("a talker")?;
    let mut client = client(world, conversation)?;
    let (mut messages, mut after) = (Vec::new(), 0);
    loop {
        let page = list(&mut client, talker, &line.name, after).await.map_err(Error::msg)?;
        let Some(last) = page.messages.last() else { return Ok(messages) };
        after = last.sequence;
        messages.extend(page.messages.iter().map(sighting));
    }
}

/// The reading side of a run.
pub struct Readers {
    /// Each reader's place, and which conversation it reads.
    pub places: Vec<(usize, Arc<AtomicI64>)>,
    /// Ends them.
    pub stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<Result<()>>>,
}

impl Readers {
    /// Two readers of every conversation, one at each server, and some that do not resume.
    pub fn start(world: &Arc<World>, seed: u64, forgetful: usize) -> Result<Self> {
        let stop = CancellationToken::new();
        let (mut places, mut tasks) = (Vec::new(), Vec::new());
        for number in 0..world.lines.len() * 2 {
            // The two of one conversation begin at different servers, as different people.
            let (conversation, process) = (number / 2, Process::Reader(number));
            let reader = Reader::new(world, process, conversation, number, seed, &stop)?;
            places.push((conversation, reader.stands_at()));
            tasks.push(tokio::spawn(reader.run()));
        }
        for number in 0..forgetful.min(world.lines.len()) {
            let process = Process::Forgetful(number);
            let reader = Reader::new(world, process, number, number, seed, &stop)?;
            tasks.push(tokio::spawn(reader.run()));
        }
        Ok(Self { places, stop, tasks })
    }

    /// Waits until every reader has the end of its conversation; says how many have not.
    pub async fn settle(&self, ends: &[i64], within: Duration) -> usize {
        let until = Instant::now() + within;
        loop {
            let behind = self.places.iter().filter(|(conversation, place)| {
                ends.get(*conversation).is_some_and(|end| place.load(Ordering::Relaxed) < *end)
            });
            let behind = behind.count();
            if behind == 0 || Instant::now() > until {
                return behind;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends them all, and asks once more for everybody's mark.
    pub async fn end(self, world: &World) -> Result<()> {
        self.stop.cancel();
        for task in self.tasks {
            task.await??;
        }
        for (number, (conversation, _)) in self.places.iter().enumerate() {
            let line = world.lines.get(*conversation).context("a conversation")?;
            let talker = line.talkers.get(number % line.talkers.len()).context("a talker")?;
            let mut client = client(world, number)?;
            let request = talker.ask(pb::GetConversationRequest { name: line.name.clone() });
            let mark = client.get_conversation(request).await?.into_inner().mark;
            let answered = mark.map_or(0, |mark| mark.read_sequence);
            let call = Call::Mark { asked: 0, answered };
            world.record.note(Process::Reader(number), *conversation, Step::Ok, call, "at the end");
        }
        Ok(())
    }
}
