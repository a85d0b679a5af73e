//! Nothing is changed without a record (OP-13): whoever writes a row writes the history of it in the same place.
//! What is written without is listed here, with why; the list may only shrink.

use std::collections::BTreeSet;

use crate::floors::sources;

/// Why a row needs no history of its own, and where it is written: file and function.
const ALONE: &[(&str, &[&str])] = &[
    ("it is the history", &["common/history::write"]),
    (
        "the row is the record: it is written once, and says who and when",
        &[
            "pass/applications::attach",
            "pass/applications::insert_batch",
            "pass/applications::bind_to_batch",
            "enterprise/attachments::insert",
            "duty/calendars::insert",
            "pass/checks/log::insert",
            "pass/checks::insert_action",
            "complaint/complaint_attachments::link",
            "complaint/complaints/extensions::ask",
            "complaint/complaints/extensions::decide",
            "complaint/complaints/extensions::lapse",
            "complaint/complaints/feedbacks::insert",
            "complaint/complaints/feedbacks::judge",
            "complaint/complaints/redactions::seal",
            "liaison/content_accesses::insert",
            "liaison/content_accesses::note",
            "liaison/conversation_notes::insert",
            "common/evaluations::invite",
            "common/evaluations::answer",
            "common/evaluations::close_unrated",
            "liaison/liaison_posts::insert_contact_way",
            "liaison/messages::append",
            "liaison/messages::recall",
        ],
    ),
    (
        "whoever calls it writes the history of the noun",
        &[
            "enterprise/claims::bind_licence",
            "complaint/complaints/redactions/reach::redact",
            "complaint/complaints/redactions/reach::feedbacks",
            "complaint/complaints/redactions/reach::extensions",
            "complaint/complaints/redactions/reach::points",
            "complaint/complaints/redactions/reach::comments",
            "identity/enrolments::end",
            "enterprise/enterprises::rewrite",
            "liaison/liaison_posts::assign",
            "liaison/liaison_posts::dismiss",
            "identity/officers::write",
            "pass/policies::take",
            "pass/policies::release",
            "liaison/bookings::take_place",
            "liaison/bookings::give_place",
            "liaison/participants::join",
            "liaison/participants::leave",
        ],
    ),
    (
        "conduct reports have a schema and a history of their own, for nobody's eyes",
        &[
            "conduct::insert",
            "conduct::save",
            "conduct::write",
            "conduct/accused::put",
            "conduct/accused::name",
            "conduct/conclusions::insert",
            "conduct/duties::open",
            "conduct/duties::meet",
            "conduct/duties::void",
            "conduct/duties::extend",
            "conduct/duties::climb",
            "conduct/evidence::insert",
            "conduct/evidence::received",
            "conduct/evidence::complete",
            "conduct/evidence::opened",
            "conduct/evidence::settle",
            "conduct/extensions::ask",
            "conduct/extensions::decide",
            "conduct/extensions::drop_asked",
            "conduct/filings::begin",
            "conduct/filings::answer",
            "conduct/identities::insert",
            "conduct/identities::open",
            "conduct/identity_requests::ask",
            "conduct/identity_requests::decide",
            "conduct/identity_requests::show",
            "conduct/identity_requests::lapse",
            "conduct/messages::insert",
            "conduct/ties::declare",
        ],
    ),
    (
        "clocks: what moved and why stands beside them",
        &[
            "duty/escalations::take",
            "duty/escalations::note",
            "duty/escalations::put_off",
            "duty/escalations::beat",
            "duty/obligations::open",
            "duty/obligations::met",
            "duty/obligations::unmeet",
            "duty/obligations::void_any",
            "duty/obligations::hand_to",
            "duty/obligations/moving::pause",
            "duty/obligations/moving::resume",
            "duty/obligations/moving::move_due",
            "duty/obligations/moving::note",
            "duty/obligations/recount::put_off",
            "duty/obligations/recount::store",
            "duty/obligations/recount::follow",
        ],
    ),
    (
        "machinery: what is to be told, sent, counted, or forgotten",
        &[
            "identity/activity::call",
            "enterprise/attachments::received",
            "enterprise/attachments::complete",
            "complaint/complaints::see",
            "liaison/participants::raise_access",
            "liaison/participants::raise_access_of_post",
            "liaison/participants::mark",
            "identity/credentials::save_success",
            "identity/devices::insert_challenge",
            "identity/devices::save_software",
            "common/evaluations::reminded",
            "liaison/liaison_posts::set_presence",
            "complaint/meetings/points::see",
            "common/notice_deliveries::sent",
            "common/notice_deliveries::unreachable",
            "common/notice_deliveries::hold",
            "common/notice_deliveries::collect",
            "common/notice_deliveries::hold_all",
            "common/notice_deliveries::digest_done",
            "common/notice_preferences::save",
            "common/notice_preferences::permit",
            "common/notice_preferences::forbid",
            "common/notice_preferences::spend",
            "common/notices::tell",
            "common/notices::push",
            "common/notices::mark",
            "common/notices::mark_all",
            "common/notices/causes::escalated",
            "common/notices/causes::of_message",
            "common/notices/causes::progressed",
            "common/numbers::next",
            "identity/officer_messages::send",
            "identity/officer_messages::sent",
            "identity/officer_messages::wipe_codes",
            "common/outbox::emit",
            "common/outbox::claim",
            "common/outbox::delivered",
            "common/outbox::failed",
            "common/outbox::put_off",
            "common/outbox::again",
            "identity/persons::sign_in",
            "identity/phone_codes::insert",
            "identity/phone_codes::spend",
            "common/retention::unused_files",
            "identity/sessions::advance",
            "settle::end",
            "settle::store_answer",
            "settle::settled",
            "cache/trust::raise",
            "cache/trust::unbind",
            "cache/trust::bind",
            "cache/trust::calm",
            "identity/unused::told",
            "common/webhooks::tell",
            "common/webhooks::attempted",
        ],
    ),
];
/// It may only shrink.
const ALONE_MAX: usize = 141;

/// The functions of a source, by name.
fn functions(text: &str) -> Vec<(&str, &str)> {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let mut begins: Vec<usize> = text
        .match_indices("fn ")
        .map(|(at, _)| at)
        .filter(|at| text[..*at].ends_with([' ', '\n']))
        .filter(|at| {
            let line = text[..*at].rsplit('\n').next().unwrap();
            line.split_whitespace().all(|word| word.starts_with("pub") || word == "async")
                || line.trim_start().starts_with("pub(")
        })
        .collect();
    begins.push(text.len());
    let pairs = begins.windows(2).map(|pair| &text[pair[0] + 3..pair[1]]);
    pairs.map(|body| (body.split(['(', '<']).next().unwrap(), body)).collect()
}

/// Whether a statement in it inserts or updates rows.
fn writes(body: &str) -> bool {
    let statement = |line: &str| {
        let line = line.split_once("!(\"").map_or(line, |(_, text)| text);
        let line = line.trim_start().trim_start_matches("r#").trim_start_matches('"');
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("insert"), Some("into")) => true,
            (Some("update"), Some(table)) => {
                table != "set"
                    && table.chars().all(|c| c.is_ascii_lowercase() || "_.\",".contains(c))
            }
            _ => false,
        }
    };
    // A comment begins with neither.
    body.lines().any(statement)
}

/// Whether it is what a step of a noun writes: the history is written with it, in `steps`.
fn is_settled(text: &str, function: &str) -> bool {
    text.contains("impl Settled for") && ["write", "insert"].contains(&function)
}

/// The line of a place and the one before it.
fn before(text: &str, at: usize) -> &str {
    let begin = text[..at].rmatch_indices('\n').nth(1).map_or(0, |(begin, _)| begin);
    &text[begin..at]
}

// A row of a noun whose steps are settled is written by a step and by nobody else.
#[test]
fn what_is_settled_is_written_by_steps_alone() {
    let sources = sources();
    let mut nouns = 0;
    for (file, _) in sources.iter().filter(|(_, text)| text.contains("impl Settled for")) {
        let room = file.trim_end_matches(".rs").rsplit('/').next().unwrap();
        nouns += 1;
        for (name, text) in &sources {
            let insert = format!("{room}::insert(");
            let mut calls = text.match_indices(&insert);
            let by_hand = calls.any(|(at, _)| {
                let before = before(text, at);
                !before.contains("settle_first(")
                    && !before.ends_with(|c: char| c.is_alphanumeric())
            });
            assert!(!by_hand, "{name} calls {room}::insert");
            assert!(name != file || !text.contains(" insert(tx, "), "{name} calls its own insert");
        }
    }
    assert!(nouns > 12, "only {nouns} nouns are settled");
    for (name, text) in &sources {
        let written = text.contains(".write(tx)") || text.contains(".write(self)");
        assert!(!written || name == "store/steps.rs", "{name} writes a row without its step");
    }
}

#[test]
fn whoever_writes_a_row_writes_its_history() {
    let (mut alone, mut recorded) = (BTreeSet::new(), 0);
    for (name, text) in sources() {
        let Some(room) = name.strip_prefix("store/") else { continue };
        let room = room.trim_end_matches(".rs");
        for (name, body) in functions(&text).into_iter().filter(|(_, body)| writes(body)) {
            if body.contains("history::") || is_settled(&text, name) {
                recorded += 1;
            } else {
                alone.insert(format!("{room}::{name}"));
            }
        }
    }
    assert!(recorded > 50, "only {recorded} functions with a history were found");
    let listed = ALONE.iter().flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned()));
    let listed: BTreeSet<String> = listed.collect();
    let new: Vec<_> = alone.difference(&listed).collect();
    assert_eq!(new, Vec::<&String>::new(), "written without a record");
    let gone: Vec<_> = listed.difference(&alone).collect();
    assert_eq!(gone, Vec::<&String>::new(), "listed, and not written: take them off the list");
    assert_eq!(listed.len(), ALONE_MAX, "the list may only shrink");
}

#[test]
fn a_statement_that_writes_is_seen() {
    for (line, seen) in [
        ("        \"insert into vehicle (id)", true),
        ("         insert into message (id)", true),
        ("    sqlx::query!(\"update centre_slot set used = 1\")", true),
        ("        \"update vehicle", true),
        ("        \"update vehicle set state = $1\",", true),
        ("         on conflict do update set a = 1", false),
        ("        \"select 1 for update\"", false),
        ("    // insert nothing", false),
    ] {
        assert_eq!(writes(line), seen, "{line}");
    }
}
