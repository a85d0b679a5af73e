//! The judge of the stale run, tried on histories made by hand: he must not accuse who is right, and not
//! acquit who is wrong.

#[path = "../stale/record.rs"]
#[expect(dead_code, reason = "the run needs more of it")]
mod record;

use record::{Change, Check, Judged, Record, Told};

/// Suspended by a call from 10 to 20, resumed by one from 50 to 60.
fn history() -> Record {
    let record = Record::begin(2);
    let change = |makes, sent, answered| Change { makes, sent, answered, by_twin: false };
    record.changed(0, change(Told::Void, 10, Some(20))).unwrap();
    record.changed(0, change(Told::Valid, 50, Some(60))).unwrap();
    record
}

fn told(subject: usize, told: Told, began: u64, ended: u64) -> Judged {
    let record = history();
    record.checked(Check { subject, server: 0, told, cached: true, began, ended });
    record.judge()
}

#[test]
fn a_yes_after_an_answered_revocation_is_stale() {
    for (began, ended) in [(21, 22), (21, 49), (48, 49)] {
        let judged = told(0, Told::Valid, began, ended);
        assert_eq!(judged.stale.len(), 1, "{began} to {ended}");
        assert_eq!((judged.at_risk, judged.stale[0].answered), (1, 20));
        assert_eq!(told(0, Told::Void, began, ended).stale.len(), 0);
    }
}

#[test]
fn whoever_asks_while_something_changes_may_be_told_either() {
    // Before the answer to the revocation, and while it is taken back.
    for (began, ended) in [(1, 11), (11, 12), (19, 40), (20, 40), (21, 51), (55, 58), (60, 70)] {
        for verdict in [Told::Valid, Told::Void, Told::Neither] {
            let judged = told(0, verdict, began, ended);
            let stale = judged.stale.len() + judged.stale_refusals.len();
            assert_eq!(stale, 0, "{verdict:?}, {began} to {ended}");
        }
    }
}

#[test]
fn a_no_after_an_answered_resumption_or_of_nothing_is_stale_too() {
    for (subject, began, ended) in [(0, 61, 62), (0, 1, 9), (1, 21, 22)] {
        let judged = told(subject, Told::Void, began, ended);
        assert_eq!(judged.stale_refusals.len(), 1, "{subject}, {began} to {ended}");
        let judged = told(subject, Told::Valid, began, ended);
        assert_eq!((judged.stale_refusals.len(), judged.stale.len()), (0, 0));
    }
}

// Whether it took effect is not known, so either answer is right from then on.
#[test]
fn a_change_that_was_never_answered_accuses_nobody() {
    let record = history();
    let never = Change { makes: Told::Void, sent: 70, answered: None, by_twin: false };
    record.changed(0, never).unwrap();
    for told in [Told::Valid, Told::Void] {
        let (subject, server, cached) = (0, 0, false);
        record.checked(Check { subject, server, told, cached, began: 80, ended: 81 });
    }
    let judged = record.judge();
    assert_eq!((judged.stale.len(), judged.stale_refusals.len(), judged.unanswered), (0, 0, 1));
}
