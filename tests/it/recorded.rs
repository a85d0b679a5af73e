//! Nothing is changed without a record (OP-13): whoever writes a row writes the history of it in the same place.
//! What is written without is listed here, with why; the list may only shrink.

use std::collections::BTreeSet;

use crate::floors::sources;

/// Why a row needs no history of its own, and where it is written: file and function.
const ALONE: &[(&str, &[&str])] = &[
    (
        "its step is settled with it, in `steps`",
        &[
            "applications::write",
            "bookings::insert_row",
            "bookings::write",
            "complaints::insert",
            "complaints::write",
            "history::write",
            "meetings/points::write",
            "problems::write",
        ],
    ),
    (
        "the row is the record: it is written once, and says who and when",
        &[
            "applications::attach",
            "applications::insert_batch",
            "applications::bind_to_batch",
            "attachments::insert",
            "calendars::insert",
            "checks::insert",
            "checks::insert_action",
            "complaint_attachments::link",
            "complaints/extensions::ask",
            "complaints/extensions::decide",
            "complaints/extensions::lapse",
            "complaints/feedbacks::insert",
            "complaints/feedbacks::judge",
            "complaints/redactions::seal",
            "content_accesses::insert",
            "content_accesses::note",
            "conversation_notes::insert",
            "evaluations::invite",
            "evaluations::answer",
            "evaluations::close_unrated",
            "liaison_posts::insert_contact_way",
            "messages::append",
            "messages::recall",
        ],
    ),
    (
        "whoever calls it writes the history of the noun",
        &[
            "claims::bind_licence",
            "complaints/redactions/reach::redact",
            "complaints/redactions/reach::feedbacks",
            "complaints/redactions/reach::extensions",
            "complaints/redactions/reach::points",
            "complaints/redactions/reach::comments",
            "enrolments::end",
            "enterprises::rewrite",
            "liaison_posts::assign",
            "liaison_posts::dismiss",
            "officers::write",
            "policies::take",
            "policies::release",
            "bookings::take_place",
            "bookings::give_place",
            "conversations::join",
            "conversations::leave",
        ],
    ),
    (
        "conduct reports have a schema and a history of their own, for nobody's eyes",
        &[
            "conduct_reports::insert",
            "conduct_reports::save",
            "conduct_reports::write",
            "conduct_reports/accused::put",
            "conduct_reports/accused::name",
            "conduct_reports/conclusions::insert",
            "conduct_reports/duties::open",
            "conduct_reports/duties::meet",
            "conduct_reports/duties::void",
            "conduct_reports/duties::extend",
            "conduct_reports/duties::climb",
            "conduct_reports/evidence::insert",
            "conduct_reports/evidence::received",
            "conduct_reports/evidence::complete",
            "conduct_reports/evidence::opened",
            "conduct_reports/evidence::settle",
            "conduct_reports/extensions::ask",
            "conduct_reports/extensions::decide",
            "conduct_reports/extensions::drop_asked",
            "conduct_reports/filings::begin",
            "conduct_reports/filings::answer",
            "conduct_reports/identities::insert",
            "conduct_reports/identities::open",
            "conduct_reports/identity_requests::ask",
            "conduct_reports/identity_requests::decide",
            "conduct_reports/identity_requests::show",
            "conduct_reports/identity_requests::lapse",
            "conduct_reports/messages::insert",
            "conduct_reports/ties::declare",
        ],
    ),
    (
        "clocks: what moved and why stands beside them",
        &[
            "escalations::take",
            "escalations::note",
            "escalations::put_off",
            "escalations::beat",
            "obligations::open",
            "obligations::met",
            "obligations::unmeet",
            "obligations::void_any",
            "obligations::hand_to",
            "obligations/moving::pause",
            "obligations/moving::resume",
            "obligations/moving::move_due",
            "obligations/moving::note",
            "obligations/recount::put_off",
            "obligations/recount::store",
            "obligations/recount::follow",
        ],
    ),
    (
        "machinery: what is to be told, sent, counted, or forgotten",
        &[
            "activity::call",
            "attachments::received",
            "attachments::complete",
            "complaints::see",
            "conversations::raise_access",
            "conversations::raise_access_of_post",
            "conversations::mark",
            "credentials::save_success",
            "devices::insert_challenge",
            "devices::save_software",
            "evaluations::reminded",
            "liaison_posts::set_presence",
            "meetings/points::see",
            "notice_deliveries::sent",
            "notice_deliveries::unreachable",
            "notice_deliveries::hold",
            "notice_deliveries::collect",
            "notice_deliveries::hold_all",
            "notice_deliveries::digest_done",
            "notice_preferences::save",
            "notice_preferences::permit",
            "notice_preferences::forbid",
            "notice_preferences::spend",
            "notices::tell",
            "notices::push",
            "notices::mark",
            "notices::mark_all",
            "notices/causes::escalated",
            "notices/causes::of_message",
            "notices/causes::progressed",
            "numbers::next",
            "officer_messages::send",
            "officer_messages::sent",
            "officer_messages::wipe_codes",
            "outbox::emit",
            "outbox::claim",
            "outbox::delivered",
            "outbox::failed",
            "outbox::put_off",
            "outbox::again",
            "persons::sign_in",
            "phone_codes::insert",
            "phone_codes::spend",
            "retention::unused_files",
            "sessions::advance",
            "settle::end",
            "settle::store_answer",
            "settle::settled",
            "trust::raise",
            "trust::unbind",
            "trust::bind",
            "trust::calm",
            "unused::told",
            "webhooks::tell",
            "webhooks::attempted",
        ],
    ),
];
/// It may only shrink.
const ALONE_MAX: usize = 148;

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

#[test]
fn whoever_writes_a_row_writes_its_history() {
    let (mut alone, mut recorded) = (BTreeSet::new(), 0);
    for (name, text) in sources() {
        let Some(room) = name.strip_prefix("store/") else { continue };
        let room = room.trim_end_matches(".rs");
        for (name, body) in functions(&text).into_iter().filter(|(_, body)| writes(body)) {
            if body.contains("history::") {
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
