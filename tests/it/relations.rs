//! Who reads what of whom (I22, I23): one table of every method, every place of its request where a
//! resource name may stand, every role and every item, and every relation: own or served, of the same
//! unit, of a unit below, of another unit, absent. No cell is written by hand: methods and places come
//! from the descriptors, so that a method that is added is in the table. Every call is made with a body
//! that is in order; what would be stored is stopped at its commit, so that no cell changes the next.
//! What a call answers for another's resource and for an absent one is the same to the byte.

mod access;
mod extremes;
mod requests;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};

use jingqi::surface::{
    actor::{Role, Roles},
    id::kind::COLLECTIONS,
    service::policy::{self, Access},
};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use sqlx::PgPool;
use tonic::{
    Code, Status, client::Grpc, service::interceptor::InterceptedService, transport::Channel,
};
use tonic_types::StatusExt as _;

use self::{
    requests::{filled, methods, name_of, path, places, texts, with, written},
    world::{Reader, Side, World},
};
use crate::{
    harness::{App, Bearer, Wish},
    raw::Raw,
};

/// A stream that says nothing for so long has said what there is.
const IDLE: Duration = Duration::from_millis(200);
/// What everybody who is signed in may list.
const PUBLIC: [&str; 4] = ["units", "zones", "centreSlots", "passPolicies"];
/// Ends the caller's own sessions: no relation to anything. And the challenge that an unknown device is
/// given like a known one, which is stored, so that here alone it is stopped (`identity` shows it).
const APART: [&str; 2] =
    ["IdentityService/RevokeOtherSessions", "IdentityService/CreateDeviceChallenge"];
/// What somebody reads with a reason, which is in every request here, and recorded first.
const REASONED: [(&str, &str, &str); 1] =
    [("INSPECTOR", "ConversationService/ExportConversation", "LIAISON")];

/// No report is in this world: `conduct_reports::interference` walks them.
const UNREACHED: [&str; 2] =
    ["ConductReportService/AssignConductReport", "ConductReportService/NameAccused"];
/// What is said of a body that is not in order.
const INVALID: &str = "REQUEST_INVALID";

/// A method and place, and the class of each relation.
type Cells = Vec<(String, [String; 5])>;
type Client = Grpc<InterceptedService<Channel, Bearer>>;

/// What a call came to, and everything that it said.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    class: String,
    said: Vec<u8>,
}

impl Answer {
    fn of(outcome: Result<Vec<u8>, Status>, asked: &str) -> Self {
        match outcome {
            Ok(said) => Self { class: "OK".to_owned(), said },
            Err(status) => {
                let details = status.get_error_details();
                let reason = details.error_info().map(|it| it.reason.clone()).unwrap_or_default();
                // What was asked for is named in the answer: that alone may differ.
                let mut said = format!("{:?} {}", status.code(), status.message());
                if let Some(info) = details.error_info() {
                    let facts: BTreeMap<_, _> = info.metadata.iter().collect();
                    write!(said, " {} {facts:?}", info.reason).unwrap();
                }
                let mut fields = Vec::new();
                for field in details.bad_request().iter().flat_map(|it| &it.field_violations) {
                    write!(said, " {} {} {}", field.field, field.reason, field.description)
                        .unwrap();
                    fields.push(format!("{} {}", field.field, field.reason));
                }
                let class = match (status.code(), reason.as_str()) {
                    // Everything was in order, and would have been stored.
                    (Code::Aborted, "CONFLICT") => "DONE".to_owned(),
                    (Code::Internal | Code::Unknown, _) => format!("INTERNAL {said}"),
                    (_, "REQUEST_INVALID") => format!("{INVALID}: {}", fields.join(" and ")),
                    _ => reason,
                };
                Self { class, said: said.replace(asked, "NAME").into_bytes() }
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }
}

async fn ask(
    client: &mut Client,
    method: &MethodDescriptor,
    message: &DynamicMessage,
) -> Result<Vec<u8>, Status> {
    client.ready().await.unwrap();
    let path = format!("/jingqi.v1.{}", self::path(method)).parse().unwrap();
    let request = tonic::Request::new(message.encode_to_vec());
    if !method.is_server_streaming() {
        return client.unary(request, path, Raw).await.map(tonic::Response::into_inner);
    }
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    let mut said = Vec::new();
    while let Ok(item) = tokio::time::timeout(IDLE, stream.message()).await {
        let Some(item) = item? else { break };
        said.extend(item);
    }
    Ok(said)
}

/// The roles by which POLICY judges a reader.
fn roles(reader: &Reader) -> Roles {
    let of = |roles: &[Role]| Roles::of(roles);
    match reader.called {
        "LEGAL_REPRESENTATIVE" => of(&[Role::Person, Role::LegalRepresentative]),
        "DRIVER" => of(&[Role::Person, Role::Driver]),
        "HANDLER_OF_THE_LINE_WHO_DRIVES_ELSEWHERE" => {
            of(&[Role::Person, Role::EnterpriseHandler, Role::Driver])
        }
        "LIAISON_OFFICER_WITHOUT_POST" => of(&[Role::LiaisonOfficer]),
        called if called.starts_with("HANDLER_OF") => of(&[Role::Person, Role::EnterpriseHandler]),
        called => of(&[Role::from_wire(called).unwrap()]),
    }
}

fn permitted(method: &MethodDescriptor, reader: &Reader) -> bool {
    match policy::access(&path(method)).unwrap().1 {
        Access::Public | Access::SignedIn | Access::Unseen(_) => true,
        Access::Roles(permitted) | Access::UnseenRoles(permitted, _) => {
            roles(reader).meets(permitted)
        }
    }
}

/// From now on nothing is stored: every unit of work fails at its commit, and is counted. What is
/// kept of a reading is stored all the same.
async fn stop_commits(app: &App) {
    app.sql("create sequence stopped").await;
    app.sql(
        "create function stop() returns trigger language plpgsql as $$
         begin
            perform nextval('stopped');
            raise exception 'stopped at its commit' using errcode = '40001';
         end $$",
    )
    .await;
    app.sql(
        "do $$ declare it record; begin
            for it in select schemaname, tablename from pg_tables
                where schemaname in ('public', 'conduct')
                    and tablename not in ('content_access', 'pass_check', '_sqlx_migrations')
            loop
                execute format('create constraint trigger zz_stop after insert or update or delete
                    on %I.%I deferrable initially deferred for each row
                    execute function stop()', it.schemaname, it.tablename);
            end loop;
         end $$",
    )
    .await;
}

async fn stopped(app: &App) -> i64 {
    app.count("select case when is_called then last_value else 0 end from stopped").await
}

/// Which words a reader may ever hear of a side; of every other one none may come out.
#[expect(clippy::match_same_arms, reason = "a table is read line by line")]
fn may_hear(reader: &Reader, side: &Side, world: &World) -> Vec<String> {
    let word = |matter: &str| format!("{}{matter}", side.word);
    let own = std::ptr::eq(side, &raw const world.served);
    let below = std::ptr::eq(side, &raw const world.subtree);
    let reach = own || below || std::ptr::eq(side, &raw const world.unit);
    let all = |matters: &[&str]| matters.iter().map(|matter| word(matter)).collect();
    match reader.called {
        "LEGAL_REPRESENTATIVE" if own => all(&["公司", "PASS", "LIAISON", "REQUEST", "MEETING"]),
        "HANDLER_OF_PASSES" if own => all(&["公司", "PASS"]),
        "HANDLER_OF_THE_LINE" if own => all(&["公司", "LIAISON", "MEETING"]),
        "HANDLER_OF_REQUESTS" if own => all(&["公司", "REQUEST", "MEETING"]),
        "HANDLER_OF_THE_LINE_WHO_DRIVES_ELSEWHERE" if own => all(&["公司", "LIAISON", "MEETING"]),
        // The pass and the truck that one drives.
        "HANDLER_OF_THE_LINE_WHO_DRIVES_ELSEWHERE" if reach && !below => all(&["PASS"]),
        "DRIVER" if own => all(&["PASS"]),
        "WINDOW_CLERK" | "FIRST_REVIEWER" | "FINAL_REVIEWER" if reach => all(&["公司", "PASS"]),
        // What a truck carries is read beside it.
        "CHECKPOINT_OFFICER" if reach => all(&["公司", "PASS"]),
        "DEVICE" => all(&["公司"]),
        "UNIT_LEADER" if reach => all(&["公司", "LIAISON", "REQUEST", "MEETING"]),
        "ASSIGNER" if reach => all(&["公司", "REQUEST", "MEETING"]),
        "HANDLER" if own => all(&["公司", "REQUEST", "MEETING"]),
        "HANDLER" if reach => all(&["MEETING"]),
        "LIAISON_OFFICER" if own => all(&["公司", "PASS", "LIAISON", "MEETING"]),
        "LIAISON_OFFICER" | "LIAISON_OFFICER_WITHOUT_POST" if own => all(&["LIAISON", "MEETING"]),
        "LIAISON_OFFICER" | "LIAISON_OFFICER_WITHOUT_POST" if reach => all(&["LIAISON", "MEETING"]),
        _ => Vec::new(),
    }
}

/// The words of every side that this reader must never hear.
fn forbidden(reader: &Reader, world: &World) -> Vec<String> {
    let mut words = Vec::new();
    for side in [&world.served, &world.unit, &world.subtree, &world.foreign] {
        let heard = may_hear(reader, side, world);
        let all = ["公司", "PASS", "LIAISON", "REQUEST", "MEETING"];
        let all = all.map(|matter| format!("{}{matter}", side.word));
        words.extend(all.into_iter().filter(|word| !heard.contains(word)));
    }
    words
}

/// The item in which a person must act to see a thing of the own enterprise.
fn item(collection: &str) -> Option<&'static str> {
    match collection {
        "vehicles" | "drivers" | "passApplications" | "truckPasses" => Some("PASS"),
        "conversations" | "visits" | "problems" | "centreBookings" | "liaisonBindings" => {
            Some("LIAISON")
        }
        "complaints" => Some("REQUEST"),
        _ => None,
    }
}

/// Every cell of one reader: for each method and place the class of each relation; and what is wrong.
async fn row(app: &App, world: &World, reader: &Reader) -> (Cells, Vec<String>) {
    let mut client = Grpc::new(reader.user.wire());
    let never = forbidden(reader, world);
    let absent: BTreeMap<_, _> = COLLECTIONS
        .iter()
        .map(|it| (*it, format!("{it}/{}", jingqi::surface::clock::Ids::system().random())))
        .collect();
    let mut cells = Vec::new();
    let mut faults = Vec::new();
    let now = app.now().as_second();
    for method in methods() {
        if !permitted(&method, reader) || APART.contains(&path(&method).as_str()) {
            continue;
        }
        let whole = filled(&method, &world.served, now);
        for (place, fit) in places(&method) {
            for collection in fit {
                let sides = [&world.served, &world.unit, &world.subtree, &world.foreign];
                let mut names: Vec<_> =
                    sides.iter().filter_map(|side| name_of(side, &[collection])).collect();
                if names.len() < sides.len() {
                    continue;
                }
                names.push(absent[collection].clone());
                let mut answers = Vec::new();
                for name in &names {
                    let request = with(&whole, &place, name);
                    let answer = Answer::of(ask(&mut client, &method, &request).await, name);
                    answers.push(answer);
                }
                let cell = format!("{} {} {collection}", path(&method), written(&place));
                faults.extend(judge(reader, &cell, collection, &answers, &never));
                let classes = answers.into_iter().map(|answer| answer.class);
                cells.push((cell, classes.collect::<Vec<_>>().try_into().unwrap()));
            }
        }
    }
    (cells, faults)
}

/// What does not hold of a cell.
fn judge(
    reader: &Reader,
    cell: &str,
    collection: &str,
    answers: &[Answer],
    never: &[String],
) -> Vec<String> {
    let [own, unit, subtree, foreign, absent] = answers else { panic!("five relations") };
    let called = reader.called;
    let mut faults = Vec::new();
    for answer in answers {
        let text = answer.text();
        if answer.class.starts_with("INTERNAL") {
            faults.push(format!("{cell} by {called}: {}", answer.class));
        }
        let reasoned = |word: &str| {
            let of = |&(by, method, matter): &(&str, &str, &str)| {
                by == called && cell.starts_with(method) && word.ends_with(matter)
            };
            REASONED.iter().any(of) && !std::ptr::eq(answer, foreign)
        };
        let told = never.iter().filter(|word| text.contains(word.as_str()) && !reasoned(word));
        faults.extend(told.map(|word| format!("{cell} by {called} tells {word}: {text}")));
    }
    if PUBLIC.contains(&collection) || answers.iter().any(|it| it.class == "RATE_LIMITED") {
        return faults;
    }
    let mut same = |other: &Answer, what: &str| {
        // A new id stands in the answer of what nobody is told about.
        if other != absent && !(other.class == "OK" && cell.starts_with("ConductReport")) {
            let (is, should) = (other.text(), absent.text());
            faults.push(format!("{cell} by {called}, {what}: {is} is not {should}"));
        }
    };
    same(foreign, "foreign");
    if !reader.officer {
        let drives = called.ends_with("WHO_DRIVES_ELSEWHERE");
        if !drives || !["vehicles", "truckPasses"].contains(&collection) {
            same(unit, "another enterprise of the unit");
        }
        same(subtree, "an enterprise of a unit below");
        let lacks = item(collection).is_some_and(|item| !reader.items.contains(&item));
        let drives = called == "DRIVER" && ["vehicles", "truckPasses"].contains(&collection);
        if lacks && !drives {
            same(own, "own, without the item");
        }
    }
    faults
}

/// The list of everything in the API that takes a resource name, and of every other text: what is new
/// in either shows in the diff.
#[test]
fn the_resource_names_of_every_request() {
    let mut list = String::new();
    for method in methods() {
        let places = places(&method);
        let texts = texts(&method);
        let places: Vec<_> = places
            .iter()
            .map(|(place, fit)| format!("{}={}", written(place), fit.join("|")))
            .collect();
        writeln!(list, "{}: {} ({})", path(&method), places.join(" "), texts.join(" ")).unwrap();
    }
    insta::assert_snapshot!(list);
}

// I22, I23: the foreign-id sweep. Each place of each method, by each role and item, in each relation.
#[sqlx::test]
async fn another_s_resource_and_an_absent_one_are_the_same_to_everybody(pool: PgPool) {
    let app = App::wished(pool, Wish { unlimited: true, ..Wish::default() }).await;
    let world = World::of(&app).await;
    stop_commits(&app).await;
    let rows = world.readers.iter().map(|reader| row(&app, &world, reader));
    let rows = futures::future::join_all(rows).await;
    // Readers to whom a place answers alike stand in one line.
    let mut table: BTreeMap<(String, [String; 5]), BTreeSet<&str>> = BTreeMap::new();
    let mut cells = 0;
    let mut wrong = Vec::new();
    for (reader, (row, faults)) in world.readers.iter().zip(rows) {
        wrong.extend(faults);
        for (cell, classes) in row {
            cells += 5;
            table.entry((cell, classes)).or_default().insert(reader.called);
        }
    }
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let limited = table.keys().filter(|(_, classes)| classes.contains(&"RATE_LIMITED".to_owned()));
    assert_eq!(limited.count(), 0, "limits hide the answers");
    assert!(cells > 3_000, "{cells} cells");
    let mut past: BTreeMap<&str, bool> = BTreeMap::new();
    for (cell, classes) in table.keys() {
        let method = cell.split(' ').next().unwrap();
        *past.entry(method).or_default() |= classes.iter().any(|it| !it.starts_with(INVALID));
    }
    let refused: Vec<_> = table
        .keys()
        .filter(|(cell, _)| !UNREACHED.iter().any(|method| cell.starts_with(method)))
        .filter(|(cell, _)| !past[cell.split(' ').next().unwrap()])
        .map(|(cell, classes)| format!("{cell}: {}", classes[0]))
        .collect();
    assert!(refused.is_empty(), "the body is never in order:\n{}", refused.join("\n"));
    let mut list = String::from("own/served, same unit, unit below, other unit, absent\n");
    for ((cell, classes), readers) in table {
        let readers: Vec<_> = readers.into_iter().collect();
        writeln!(list, "{cell}: {} by {}", classes.join(", "), readers.join(" ")).unwrap();
    }
    insta::assert_snapshot!(list);
}

// ID-04: the wrong-role sweep. Every method by everybody whom POLICY refuses, with a body that is in
// order: refused, and nothing was stored or would have been.
#[sqlx::test]
async fn who_may_not_call_a_method_changes_nothing_with_a_whole_body(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    stop_commits(&app).await;
    let mut cells = 0;
    for reader in &world.readers {
        let mut client = Grpc::new(reader.user.wire());
        let never = forbidden(reader, &world);
        for method in methods().into_iter().filter(|method| !permitted(method, reader)) {
            let request = filled(&method, &world.served, app.now().as_second());
            let answer = Answer::of(ask(&mut client, &method, &request).await, "");
            let cell = format!("{} by {}", path(&method), reader.called);
            assert_eq!(answer.class, "DENIED", "{cell}: {}", answer.text());
            assert!(never.iter().all(|word| !answer.text().contains(word.as_str())), "{cell}");
            cells += 1;
        }
    }
    assert_eq!(stopped(&app).await, 0, "somebody got as far as a commit");
    assert!(cells > 2_000, "{cells} cells");
}
