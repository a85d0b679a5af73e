//! The record of a run: every client call as invoke, then ok, fail or info, with monotonic times; and
//! what follows from it for the checker. Nothing is called here.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::checker::{Marking, Outcome, Reader, Sending, Sighting};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// Sends messages.
    Writer(usize),
    /// Reads one conversation and resumes where it stands.
    Reader(usize),
    /// Reads one conversation and does not resume: the control.
    Forgetful(usize),
    /// Kills.
    Tormentor,
}

impl Process {
    /// The name in the record.
    pub fn name(self) -> String {
        match self {
            Self::Writer(number) => format!("writer-{number}"),
            Self::Reader(number) => format!("reader-{number}"),
            Self::Forgetful(number) => format!("forgetful-{number}"),
            Self::Tormentor => "tormentor".to_owned(),
        }
    }
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It begins.
    Invoke,
    /// It was answered.
    Ok,
    /// It was refused and had no effect.
    Fail,
    /// Nobody knows, or it merely ended.
    Info,
}

/// What is called.
#[derive(Debug)]
pub enum Call {
    /// `SendMessage`; the sequence is the answer's.
    Send { id: Uuid, sequence: i64 },
    /// `ListMessages`, and what it gave.
    Pull { after: i64, seen: Vec<Sighting> },
    /// `WatchMessages`, and what came until it ended.
    Watch { after: i64, seen: Vec<Sighting> },
    /// `MarkConversation`, or what `GetConversation` says of the own mark at the end.
    Mark { asked: i64, answered: i64 },
    /// A kill, or a start.
    Act(String),
}

struct Entry {
    at_us: u64,
    process: Process,
    conversation: usize,
    step: Step,
    call: Call,
    note: String,
}

/// The record, in the order of time.
pub struct Record {
    begin: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl Record {
    /// An empty one; time begins now.
    pub fn begin() -> Self {
        Self { begin: Instant::now(), entries: Mutex::default() }
    }

    /// Writes down a step. The instant is taken under the lock: the order is that of time.
    pub fn note(&self, process: Process, conversation: usize, step: Step, call: Call, note: &str) {
        let note = note.to_owned();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let at_us = u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        entries.push(Entry { at_us, process, conversation, step, call, note });
    }

    /// What the writers did: the tries of one message are one sending.
    pub fn sendings(&self) -> Vec<Sending> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sendings, mut places) = (Vec::<Sending>::new(), HashMap::new());
        for entry in entries.iter() {
            let Call::Send { id, sequence } = entry.call else { continue };
            let place = *places.entry(id).or_insert_with(|| {
                sendings.push(Sending {
                    conversation: entry.conversation,
                    id,
                    invoke_us: entry.at_us,
                    outcome: Outcome::Unknown,
                });
                sendings.len() - 1
            });
            let Some(sending) = sendings.get_mut(place) else { continue };
            match entry.step {
                Step::Ok => {
                    sending.outcome = Outcome::Acknowledged { sequence, at_us: entry.at_us };
                }
                // A writer says this only of a message of which no try is in doubt.
                Step::Fail => sending.outcome = Outcome::Refused,
                Step::Invoke | Step::Info => {}
            }
        }
        sendings
    }

    /// What the readers of a kind were given, one after the other.
    pub fn readers(&self, which: impl Fn(Process) -> bool) -> Vec<Reader> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut readers: HashMap<Process, Reader> = HashMap::new();
        for entry in entries.iter().filter(|entry| which(entry.process)) {
            let (Call::Pull { seen, .. } | Call::Watch { seen, .. }) = &entry.call else {
                continue;
            };
            let reader = readers.entry(entry.process).or_insert_with(|| Reader {
                name: entry.process.name(),
                conversation: entry.conversation,
                seen: Vec::new(),
            });
            reader.seen.extend(seen);
        }
        let mut readers: Vec<_> = readers.into_values().collect();
        readers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        readers
    }

    /// What the readers said to have read, and what was answered.
    pub fn markings(&self) -> Vec<Marking> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let answered = entries.iter().filter(|entry| entry.step == Step::Ok);
        let marking = |entry: &Entry| {
            let Call::Mark { asked, answered } = entry.call else { return None };
            let name = entry.process.name();
            Some(Marking { name, conversation: entry.conversation, asked, answered })
        };
        answered.filter_map(marking).collect()
    }

    /// How many calls of the kind ended in each way: ok, fail, info.
    pub fn ended(&self, which: impl Fn(&Call) -> bool) -> [usize; 3] {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ended = [0; 3];
        for entry in entries.iter().filter(|entry| which(&entry.call)) {
            let place = match entry.step {
                Step::Invoke => continue,
                Step::Ok => 0,
                Step::Fail => 1,
                Step::Info => 2,
            };
            if let Some(count) = ended.get_mut(place) {
                *count += 1;
            }
        }
        ended
    }

    /// How many calls were told that the fault is the server's own.
    pub fn internal(&self) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| entry.note.starts_with("Internal ")).count()
    }

    /// Writes it to a file: a line of JSON for each step.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter() {
            let step = match entry.step {
                Step::Invoke => "invoke",
                Step::Ok => "ok",
                Step::Fail => "fail",
                Step::Info => "info",
            };
            let mut line = json!({
                "us": entry.at_us,
                "process": entry.process.name(),
                "type": step,
            });
            describe(&mut line, entry);
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
        drop(entries);
        Ok(file.flush()?)
    }
}

fn describe(line: &mut Value, entry: &Entry) {
    let Some(line) = line.as_object_mut() else { return };
    let mut put = |key: &str, value: Value| {
        line.insert(key.to_owned(), value);
    };
    if !entry.note.is_empty() {
        put("note", json!(entry.note));
    }
    match &entry.call {
        Call::Send { id, sequence } => {
            put("f", json!("send"));
            put("conversation", json!(entry.conversation));
            put("id", json!(id));
            if *sequence != 0 {
                put("sequence", json!(sequence));
            }
        }
        Call::Pull { after, seen } | Call::Watch { after, seen } => {
            let pull = matches!(entry.call, Call::Pull { .. });
            put("f", json!(if pull { "pull" } else { "watch" }));
            put("conversation", json!(entry.conversation));
            put("after", json!(after));
            if entry.step != Step::Invoke {
                let seen: Vec<i64> = seen.iter().map(|sighting| sighting.sequence).collect();
                put("seen", json!(seen));
            }
        }
        Call::Mark { asked, answered } => {
            put("f", json!("mark"));
            put("conversation", json!(entry.conversation));
            put("asked", json!(asked));
            if entry.step == Step::Ok {
                put("answered", json!(answered));
            }
        }
        Call::Act(what) => {
            put("f", json!("act"));
            put("what", json!(what));
        }
    }
}
