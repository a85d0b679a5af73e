//! The checker of the chaos run is itself checked: what is right passes, and each thing that can be
//! wrong is found. A checker that never fails proves nothing.

#[path = "../chaos/checker.rs"]
mod checker;

use checker::{Fault, History, Kept, Marking, Outcome, Reader, Sending, Sighting, check};
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn sighting(sequence: i64, number: u128) -> Sighting {
    // 0 is a notice of the system.
    Sighting { sequence, said: (number != 0).then(|| id(number)) }
}

fn sending(number: u128, invoke_us: u64, outcome: Outcome) -> Sending {
    Sending { conversation: 0, id: id(number), invoke_us, outcome }
}

const fn acknowledged(sequence: i64, at_us: u64) -> Outcome {
    Outcome::Acknowledged { sequence, at_us }
}

/// Three messages and a notice: the second answers the first, the third overlaps with the second.
fn right() -> History {
    let messages = || vec![sighting(1, 1), sighting(2, 0), sighting(3, 2), sighting(4, 3)];
    History {
        sendings: vec![
            sending(1, 10, acknowledged(1, 20)),
            sending(2, 30, acknowledged(3, 60)),
            sending(3, 40, acknowledged(4, 50)),
        ],
        readers: vec![Reader { name: "reader".to_owned(), conversation: 0, seen: messages() }],
        markings: vec![marking(3, 3), marking(0, 3), marking(2, 3), marking(4, 4)],
        kept: vec![Kept { source: "table", conversation: 0, messages: messages() }],
    }
}

fn marking(asked: i64, answered: i64) -> Marking {
    Marking { name: "reader".to_owned(), conversation: 0, asked, answered }
}

fn faults(history: &History) -> Vec<Fault> {
    let mut faults: Vec<_> = check(history).into_iter().map(|violation| violation.fault).collect();
    faults.dedup();
    faults
}

/// What the reader saw and what is kept, both changed in the same way.
fn everywhere(history: &mut History, change: impl Fn(&mut Vec<Sighting>)) {
    change(&mut history.readers[0].seen);
    change(&mut history.kept[0].messages);
}

#[test]
fn a_right_history_passes() {
    assert_eq!(faults(&right()), []);
    // An outcome that nobody knows may be either.
    let mut unknown = right();
    unknown.sendings[2].outcome = Outcome::Unknown;
    unknown.sendings.push(sending(9, 70, Outcome::Unknown));
    unknown.sendings.push(sending(8, 70, Outcome::Refused));
    assert_eq!(faults(&unknown), []);
}

#[test]
fn a_lost_message_is_found() {
    let mut history = right();
    everywhere(&mut history, |messages| {
        messages.pop();
    });
    let violations = check(&history);
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].fault, Fault::Lost);
    assert_eq!(violations[0].conversation, 0);
    assert!(violations[0].to_string().starts_with("Lost in conversation 0: table: "));
}

#[test]
fn a_gap_is_found_and_a_message_under_another_sequence_too() {
    let mut history = right();
    everywhere(&mut history, |messages| messages[3].sequence = 5);
    assert_eq!(faults(&history), [Fault::Gap, Fault::Moved]);
}

#[test]
fn a_doubled_message_is_found() {
    let mut history = right();
    everywhere(&mut history, |messages| messages.push(sighting(5, 3)));
    assert!(faults(&history).contains(&Fault::Doubled));
    let mut history = right();
    history.sendings.push(sending(3, 90, Outcome::Unknown));
    assert!(faults(&history).contains(&Fault::Doubled), "an id that two sendings share");
}

#[test]
fn a_reordered_message_is_found() {
    let mut history = right();
    // The first was acknowledged before the second was sent, and stands behind it.
    history.sendings[0].outcome = acknowledged(3, 20);
    history.sendings[1].outcome = acknowledged(1, 60);
    everywhere(&mut history, |messages| {
        messages[0].said = Some(id(2));
        messages[2].said = Some(id(1));
    });
    assert_eq!(faults(&history), [Fault::Reordered]);
    // What nobody acknowledged has its place in time too: it was not sent earlier.
    history.sendings[1].outcome = Outcome::Unknown;
    assert_eq!(faults(&history), [Fault::Reordered]);
}

#[test]
fn an_invented_message_is_found_and_one_that_was_refused_too() {
    let mut history = right();
    everywhere(&mut history, |messages| messages.push(sighting(5, 7)));
    assert_eq!(faults(&history), [Fault::Invented]);
    history.sendings.push(sending(7, 70, Outcome::Refused));
    assert_eq!(faults(&history), [Fault::Refused]);
    // Sent to another conversation.
    history.sendings[3] = Sending { conversation: 1, ..sending(7, 70, Outcome::Unknown) };
    assert_eq!(faults(&history), [Fault::Invented]);
}

#[test]
fn a_reader_that_misses_repeats_or_mistakes_a_message_is_found() {
    let mut history = right();
    history.readers[0].seen.remove(1);
    let violations = check(&history);
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].what, "reader never got 2");

    let mut history = right();
    history.readers[0].seen.pop();
    assert_eq!(faults(&history), [Fault::Skipped], "the end is missing");

    let mut history = right();
    let again = history.readers[0].seen[2];
    history.readers[0].seen.push(again);
    assert_eq!(faults(&history), [Fault::Repeated]);

    let mut history = right();
    history.readers[0].seen[3].said = Some(id(2));
    assert_eq!(faults(&history), [Fault::Differs]);

    let mut history = right();
    history.readers[0].conversation = 5;
    assert_eq!(faults(&history), [Fault::Differs], "nobody keeps what it read");
}

#[test]
fn a_mark_that_falls_or_was_not_taken_is_found() {
    let mut history = right();
    history.markings.push(marking(0, 3));
    assert_eq!(faults(&history), [Fault::Fallen]);
    let mut history = right();
    history.markings.push(marking(6, 5));
    assert_eq!(faults(&history), [Fault::Fallen]);
    let mut history = right();
    history.markings.push(Marking { name: "another".to_owned(), ..marking(1, 1) });
    assert_eq!(faults(&history), [], "each reader has marks of its own");
}
