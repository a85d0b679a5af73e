//! Who may name whom: the floors of the house, read from the sources. Crude, short, effective.

use std::{collections::BTreeSet, fs, path::Path};

/// Every source file with its text.
pub fn sources() -> Vec<(String, String)> {
    files("src")
}

/// Every Rust file below a folder of the repository, by its path there, with its text.
pub fn files(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    let prefix = format!("{}/{folder}/", root.display());
    found.into_iter().map(|(name, text)| (name.replace(&prefix, ""), text)).collect()
}

/// The floor of a file, by its first room.
fn floor(name: &str) -> u8 {
    let room = name.split(['/', '.']).next().unwrap();
    match room {
        "error" | "id" | "clock" | "actor" | "address" | "context" | "token" | "crypto"
        | "named" => 0,
        "domain" => 1,
        "store" | "remote" => 2,
        "parts" => 3,
        "service" | "worker" | "web" => 4,
        "main" | "lib" | "server" | "config" | "telemetry" | "sandbox" | "surface" => 5,
        other => panic!("{other} stands on no floor"),
    }
}

/// The code without its tests and comments: a test may reach anywhere, prose may name anything.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every path of this crate that a text names: `crate::store::Tx` wherever it stands, and each of
/// `use crate::{error::Result, store::{Tx, pass::plates}}`, on one line or on many.
fn paths_named(text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        if !before.is_alphanumeric() && !"_$:".contains(before) {
            branches(&text[at + "crate::".len()..], &mut Vec::new(), &mut paths);
        }
    }
    paths
}

/// The paths of a tree of names behind what leads to it; gives what stands behind the tree.
fn branches<'a>(text: &'a str, leading: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    let depth = leading.len();
    let mut rest = text.trim_start();
    while let name = name_at(rest)
        && !name.is_empty()
    {
        rest = &rest[name.len()..];
        leading.push(name);
        match rest.strip_prefix("::") {
            Some(deeper) => rest = deeper,
            None => break,
        }
    }
    if let Some(list) = rest.strip_prefix('{') {
        rest = list.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = branches(rest, leading, paths).trim_start();
            rest = rest
                .trim_start_matches(|c| c != ',' && c != '}')
                .trim_start_matches(',')
                .trim_start();
        }
        rest = rest.trim_start_matches('}');
    } else {
        paths.push(leading.clone());
    }
    leading.truncate(depth);
    rest
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn paths_are_read_in_every_form() {
    let text = "use crate::{error::{Error, Result}, store::Tx,\n    domain::{pass::{self, Pass as P}, codes}};
        fn f(x: crate::id::Id) { $crate::service::rpc!(x); mycrate::web::y(); }
        use crate::server::{self, Doors};";
    let paths = paths_named(text).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
    let expected = [
        "error::Error",
        "error::Result",
        "store::Tx",
        "domain::pass::self",
        "domain::pass::Pass",
        "domain::codes",
        "id::Id",
        "server::self",
        "server::Doors",
    ];
    assert_eq!(paths, expected);
}

#[test]
fn no_room_names_a_floor_above_it() {
    for (name, text) in sources() {
        for path in paths_named(&code(&text)) {
            let below = floor(&format!("{}.rs", path[0])) <= floor(&name);
            assert!(below, "{name} names {path:?}");
        }
    }
}

/// Rooms that every room of their floor may name, and that know no subject.
const FOR_ALL: [&str; 4] = ["codes", "common", "duty", "cache"];
/// Which subjects a room may name on its own floor, beside what is for all.
const NEIGHBOURS: &[(&str, &str, &[&str])] = &[
    ("domain", "complaint", &["liaison"]),
    ("domain", "conduct", &["enterprise", "identity"]),
    ("domain", "enterprise", &["pass"]),
    ("domain", "liaison", &["pass"]),
    ("service", "complaint", &["identity", "liaison"]),
    ("service", "duty", &["identity"]),
    ("service", "identity", &["complaint", "pass"]),
    ("service", "liaison", &["complaint"]),
    ("service", "pass", &["identity"]),
    ("store", "complaint", &["enterprise"]),
    ("store", "conduct", &["enterprise"]),
    ("store", "enterprise", &["identity", "pass"]),
    ("store", "identity", &["liaison"]),
    ("store", "liaison", &["identity"]),
    ("store", "pass", &["enterprise"]),
];

#[test]
fn a_room_names_its_neighbours_alone() {
    let folders: BTreeSet<String> = sources()
        .into_iter()
        .filter_map(|(name, _)| Some(name.rsplit_once('/')?.0.to_owned()))
        .collect();
    let mut named = BTreeSet::new();
    for (name, text) in sources() {
        let mut way = name.trim_end_matches(".rs").split('/');
        let (Some(floor), Some(room)) = (way.next(), way.next()) else { continue };
        if !["domain", "store", "service"].contains(&floor) {
            continue;
        }
        for path in paths_named(&code(&text)).into_iter().filter(|path| path.len() > 1) {
            let other = path[1].as_str();
            let is_room = folders.contains(&format!("{floor}/{other}"));
            let for_all = FOR_ALL.contains(&other) || !folders.contains(&format!("{floor}/{room}"));
            if path[0] == floor && other != room && is_room && !for_all {
                named.insert((floor.to_owned(), room.to_owned(), other.to_owned()));
            }
        }
    }
    let listed: BTreeSet<_> = NEIGHBOURS
        .iter()
        .flat_map(|(floor, room, may)| may.iter().map(move |other| (*floor, *room, *other)))
        .map(|(floor, room, other)| (floor.to_owned(), room.to_owned(), other.to_owned()))
        .collect();
    assert_eq!(named, listed, "rooms and the neighbours that they name");
}

#[test]
fn services_and_workers_do_not_name_each_other() {
    for (name, text) in sources() {
        let other = match name.split(['/', '.']).next().unwrap() {
            "service" => "worker::",
            "worker" => "service::",
            _ => continue,
        };
        assert!(!code(&text).contains(other), "{name} names {other}");
    }
}

#[test]
fn each_library_stays_on_its_floor() {
    let libraries: [(&str, &[u8], &[&str]); 7] = [
        ("connectrpc::", &[4], &[]),
        ("sqlx::", &[2], &["tests"]),
        ("redis::", &[2], &[]),
        ("tonic::", &[4, 5], &[]),
        ("prost::", &[4, 5], &[]),
        ("anyhow::", &[5], &[]),
        ("tokio::", &[2, 3, 4, 5], &[]),
    ];
    for (name, text) in sources() {
        let text = code(&text);
        for (library, floors, _) in libraries {
            let named = text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(library) && !line.contains(&format!("_{library}"))
            });
            assert!(!named || floors.contains(&floor(&name)), "{name} names {library}");
        }
    }
}

// Whoever opens the repository sees these at its top, beside files of tools that begin with a dot; `target` and the
// copy of migrations/sqlx.toml are made by the build, and git does not see them.
#[test]
fn nothing_else_stands_at_the_top() {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let made = ["target", "sqlx.toml"];
    let seen: BTreeSet<_> =
        names.filter(|name| !name.starts_with('.') && !made.contains(&name.as_str())).collect();
    let known = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "build.rs",
        "deploy",
        "migrations",
        "proto",
        "src",
        "tests",
    ];
    assert_eq!(seen, known.map(str::to_owned).into());
}

#[test]
fn every_file_says_first_what_lives_in_it() {
    for (name, text) in sources() {
        assert!(text.starts_with("//!"), "{name} begins without a sentence");
    }
}

#[test]
fn no_room_is_called_by_a_word_that_says_nothing() {
    for (name, text) in sources() {
        for word in ["Manager", "Helper", "Util", "Dto", "Impl"] {
            let named = [format!("struct {word}"), format!("{word} {{")];
            let said = text.lines().any(|line| {
                line.starts_with("pub struct") && line.contains(word)
                    || named.iter().any(|it| line.trim_start().starts_with(it.as_str()))
            });
            assert!(!said, "{name} says {word}");
        }
    }
}

// A begin that is dropped half-way leaves its transaction open: transactions begin in one place, as tasks
// that nobody can drop. The names of sqlx are kept away by clippy.toml; these are its texts.
#[test]
fn transactions_begin_in_one_place() {
    for (name, text) in sources() {
        let text = code(&text).to_lowercase();
        let begins = [
            "(\"begin;",
            "\"begin isolation",
            "query(\"begin",
            "query!(\"begin",
            "raw_sql(\"begin",
            "\"start transaction",
            "begin_with(",
            "try_begin",
            "pool.begin(",
            "pool().begin(",
        ];
        let begins = begins.into_iter().find(|begin| text.contains(begin));
        assert!(begins.is_none() || name == "store/lending.rs", "{name} says {begins:?}");
    }
}

// OP-02: a statement is compiled against the schema, from committed answers where no database is near: none is a
// text that is looked at only when it runs.
#[test]
fn every_statement_is_checked_when_it_is_compiled() {
    let mut checked = 0;
    for (name, text) in sources() {
        let text = code(&text);
        for unchecked in ["query(", "query_as(", "query_scalar(", "raw_sql(", "QueryBuilder"] {
            let unchecked =
                [format!("sqlx::{unchecked}"), format!("sqlx::{unchecked}").replace('(', "::<")];
            assert!(!unchecked.iter().any(|it| text.contains(it)), "{name} says {unchecked:?}");
        }
        checked += text.matches("sqlx::query").count();
    }
    assert!(checked > 400, "only {checked} statements were found");
}

// OP-03: time and chance come through one door each. clippy.toml keeps the names away; who may use them says so.
#[test]
fn only_the_clock_asks_the_machine() {
    let lints = include_str!("../../.clippy.toml");
    for name in ["SystemTime::now", "Timestamp::now", "Uuid::now_v7", "rand::rng", "rand::random"] {
        assert!(lints.contains(&format!("{name}\"")), "{name} is permitted to everybody");
    }
    let mut permitted: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.contains("(clippy::disallowed_methods"))
        .map(|(name, _)| name)
        .collect();
    permitted.sort();
    assert_eq!(permitted, ["clock.rs", "service/status.rs", "store/lending.rs"]);
}

// A state changes by a step alone: only the store says what a row holds.
#[test]
fn only_the_store_reads_a_state_from_a_row() {
    for (name, text) in sources() {
        let reads = code(&text).contains("Held::row(");
        assert!(!reads || name.starts_with("store/"), "{name} makes a state up");
    }
}

// What follows from a step, or from a message, is carried out in one place.
#[test]
fn clocks_are_moved_by_steps_alone() {
    let mut by_hand: Vec<_> = sources()
        .into_iter()
        .filter(|(name, text)| {
            let text = code(text);
            let calls =
                ["open", "meet", "void", "void_all", "pause", "resume", "unmeet", "hand_to"];
            !name.starts_with("store/duty/obligations")
                && calls.iter().any(|call| text.contains(&format!("obligations::{call}(")))
        })
        .map(|(name, _)| name)
        .collect();
    by_hand.sort();
    assert_eq!(by_hand, ["store/steps.rs"]);
}

// I6: nothing but the issue of an approved application makes a pass, and nothing but the code
// service signs one.
#[test]
fn only_one_place_issues_and_only_one_place_signs() {
    let calling = |word: &str| {
        let mut names: Vec<_> = sources()
            .into_iter()
            .filter(|(name, text)| !name.starts_with("domain") && code(text).contains(word))
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(calling("pass.issue("), ["service/pass/applications/issue.rs"]);
    assert_eq!(calling("passes::insert"), ["service/pass/applications/issue.rs"]);
    assert_eq!(calling("pass_code::encode("), ["service/pass/passes/code.rs"]);
}
