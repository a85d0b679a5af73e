//! The checker of I14: finds in what clients did, what readers saw and what was kept at the end every
//! promise that was broken. Pure: no process, no network, no clock.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use uuid::Uuid;

/// How a sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged with a sequence, at an instant.
    Acknowledged {
        /// As acknowledged.
        sequence: i64,
        /// Microseconds since the run began.
        at_us: u64,
    },
    /// Refused: it must not be kept.
    Refused,
    /// Nobody knows: it may be kept, once.
    Unknown,
}

/// A message that a client wanted to send: all its tries together.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// To which conversation.
    pub conversation: usize,
    /// What stands in the text, and is the client message id.
    pub id: Uuid,
    /// When the first try began, in microseconds since the run began.
    pub invoke_us: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// A message as somebody read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Its sequence.
    pub sequence: i64,
    /// What its text says; none for a notice of the system.
    pub said: Option<Uuid>,
}

/// Everything that one reader was given of one conversation, in the order in which it came.
#[derive(Debug)]
pub struct Reader {
    /// Who.
    pub name: String,
    /// Of which conversation.
    pub conversation: usize,
    /// What came.
    pub seen: Vec<Sighting>,
}

/// A reader said how far it has read, or asked; the instants are those of one reader, in order.
#[derive(Debug, Clone)]
pub struct Marking {
    /// Who.
    pub name: String,
    /// In which conversation.
    pub conversation: usize,
    /// What it said; 0 where it only asked.
    pub asked: i64,
    /// What was answered.
    pub answered: i64,
}

/// A whole conversation, as one source gave it at the end.
#[derive(Debug)]
pub struct Kept {
    /// Which source.
    pub source: &'static str,
    /// Which conversation.
    pub conversation: usize,
    /// In the order in which it came.
    pub messages: Vec<Sighting>,
}

/// What happened.
#[derive(Debug, Default)]
pub struct History {
    /// By the writers.
    pub sendings: Vec<Sending>,
    /// By the readers.
    pub readers: Vec<Reader>,
    /// By the readers too, of each in the order of time.
    pub markings: Vec<Marking>,
    /// At the end, by each source.
    pub kept: Vec<Kept>,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A sequence between the first and the last is missing, out of order or there twice.
    Gap,
    /// A message was acknowledged and is not kept.
    Lost,
    /// A message is kept twice.
    Doubled,
    /// A message is kept under another sequence than was acknowledged.
    Moved,
    /// A message was refused and is kept all the same.
    Refused,
    /// A message that nobody sent.
    Invented,
    /// A message that was acknowledged before another one was sent stands behind it.
    Reordered,
    /// A reader never got a message.
    Skipped,
    /// A reader got a message again, or behind a later one.
    Repeated,
    /// A reader got another message than the one that is kept at the place.
    Differs,
    /// A mark was not taken, or fell again.
    Fallen,
}

/// A promise that was broken.
#[derive(Debug, Clone)]
pub struct Violation {
    /// What is wrong.
    pub fault: Fault,
    /// In which conversation.
    pub conversation: usize,
    /// What exactly.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in conversation {}: {}", self.fault, self.conversation, self.what)
    }
}

/// Every promise that the history breaks. What a reader had not yet got when the run ended counts as
/// skipped: the run waits for its readers.
pub fn check(history: &History) -> Vec<Violation> {
    let mut checker = Checker::default();
    for sending in &history.sendings {
        checker.to.entry(sending.conversation).or_default().push(sending);
        if checker.sent.insert(sending.id, sending).is_some() {
            checker.found(
                Fault::Doubled,
                sending.conversation,
                format!("{} sent twice", sending.id),
            );
        }
    }
    for kept in &history.kept {
        checker.kept(kept);
    }
    let places: HashMap<usize, &Kept> =
        history.kept.iter().map(|kept| (kept.conversation, kept)).collect();
    for reader in &history.readers {
        match places.get(&reader.conversation) {
            Some(kept) => checker.reader(reader, kept),
            None => checker.found(
                Fault::Differs,
                reader.conversation,
                format!("{} read what nobody keeps", reader.name),
            ),
        }
    }
    checker.marks(&history.markings);
    checker.violations
}

#[derive(Default)]
struct Checker<'a> {
    violations: Vec<Violation>,
    sent: HashMap<Uuid, &'a Sending>,
    to: HashMap<usize, Vec<&'a Sending>>,
}

impl Checker<'_> {
    fn found(&mut self, fault: Fault, conversation: usize, what: String) {
        self.violations.push(Violation { fault, conversation, what });
    }

    /// One source's conversation against what was sent.
    fn kept(&mut self, kept: &Kept) {
        let (conversation, source) = (kept.conversation, kept.source);
        let mut places: HashMap<Uuid, i64> = HashMap::new();
        for (message, expected) in kept.messages.iter().zip(1..) {
            let sequence = message.sequence;
            if sequence != expected {
                let what = format!("{source}: {sequence} where {expected} belongs");
                self.found(Fault::Gap, conversation, what);
            }
            let Some(id) = message.said else { continue };
            match places.entry(id) {
                Entry::Occupied(first) => {
                    let what = format!("{source}: {id} at {} and at {sequence}", first.get());
                    self.found(Fault::Doubled, conversation, what);
                }
                Entry::Vacant(place) => {
                    place.insert(sequence);
                }
            }
            match self.sent.get(&id) {
                Some(sending) if sending.conversation == conversation => {
                    if sending.outcome == Outcome::Refused {
                        let what = format!("{source}: {id} at {sequence}");
                        self.found(Fault::Refused, conversation, what);
                    }
                }
                _ => {
                    let what = format!("{source}: {id} at {sequence}");
                    self.found(Fault::Invented, conversation, what);
                }
            }
        }
        self.acknowledged(conversation, source, &places);
        self.real_time(conversation, source, &places);
    }

    /// Everything that was acknowledged is there, where the acknowledgement said.
    fn acknowledged(&mut self, of: usize, source: &str, places: &HashMap<Uuid, i64>) {
        let mut found = Vec::new();
        for sending in self.to.get(&of).into_iter().flatten() {
            let Outcome::Acknowledged { sequence, .. } = sending.outcome else { continue };
            match places.get(&sending.id) {
                None => {
                    let what = format!("{source}: {} at {sequence}", sending.id);
                    found.push((Fault::Lost, what));
                }
                Some(place) if *place != sequence => {
                    let what = format!("{source}: {} at {place}, not {sequence}", sending.id);
                    found.push((Fault::Moved, what));
                }
                Some(_) => {}
            }
        }
        for (fault, what) in found {
            self.found(fault, of, what);
        }
    }

    /// What was acknowledged before another was sent stands before it.
    fn real_time(&mut self, of: usize, source: &str, places: &HashMap<Uuid, i64>) {
        let mut order: Vec<(i64, &Sending)> =
            places.iter().filter_map(|(id, place)| Some((*place, *self.sent.get(id)?))).collect();
        order.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        // From the last message to the first: the earliest acknowledgement among those behind.
        let mut earliest: Option<(u64, Uuid)> = None;
        for (place, sending) in order {
            if let Some((at_us, behind)) = earliest
                && at_us < sending.invoke_us
            {
                let what = format!(
                    "{source}: {behind} was acknowledged before {} was sent, which is at {place}",
                    sending.id
                );
                self.found(Fault::Reordered, of, what);
            }
            if let Outcome::Acknowledged { at_us, .. } = sending.outcome
                && earliest.is_none_or(|(least, _)| at_us < least)
            {
                earliest = Some((at_us, sending.id));
            }
        }
    }

    /// A reader saw the kept messages from the first on, in order, each once.
    fn reader(&mut self, reader: &Reader, kept: &Kept) {
        let (name, of) = (&reader.name, reader.conversation);
        let truth: HashMap<i64, Option<Uuid>> =
            kept.messages.iter().map(|message| (message.sequence, message.said)).collect();
        let mut numbers: Vec<i64> = truth.keys().copied().collect();
        numbers.sort_unstable();
        let mut last = 0;
        for sighting in &reader.seen {
            let sequence = sighting.sequence;
            if sequence <= last {
                let what = format!("{name} got {sequence} after {last}");
                self.found(Fault::Repeated, of, what);
                continue;
            }
            self.skipped(reader, &numbers, last, sequence);
            match truth.get(&sequence) {
                Some(said) if *said == sighting.said => {}
                _ => {
                    let what = format!("{name} got another message at {sequence}");
                    self.found(Fault::Differs, of, what);
                }
            }
            last = sequence;
        }
        let end = numbers.last().map_or(0, |last| last.saturating_add(1));
        self.skipped(reader, &numbers, last, end);
    }

    /// Marks only rise (CH-06).
    fn marks(&mut self, markings: &[Marking]) {
        let mut highest: HashMap<&str, i64> = HashMap::new();
        for marking in markings {
            let (name, answered) = (marking.name.as_str(), marking.answered);
            let highest = highest.entry(name).or_default();
            if answered < marking.asked || answered < *highest {
                let what =
                    format!("{name} had {highest}, asked for {}, got {answered}", marking.asked);
                self.found(Fault::Fallen, marking.conversation, what);
            }
            *highest = answered.max(*highest);
        }
    }

    /// The kept messages between two that a reader got.
    fn skipped(&mut self, reader: &Reader, numbers: &[i64], last: i64, next: i64) {
        let from = numbers.partition_point(|number| *number <= last);
        let until = numbers.partition_point(|number| *number < next);
        for number in numbers.get(from..until).unwrap_or_default() {
            let what = format!("{} never got {number}", reader.name);
            self.found(Fault::Skipped, reader.conversation, what);
        }
    }
}
