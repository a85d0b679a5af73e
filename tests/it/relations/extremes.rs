//! Numbers that nobody means (2^31 days, the year 292,277,026,596, not a number) at every place of every
//! request: each is refused in words, or taken; none makes a fault of ours.

use std::collections::BTreeMap;

use prost_reflect::Value;
use sqlx::PgPool;
use tonic::client::Grpc;

use super::{
    APART, Answer, ask, path, permitted,
    requests::{filled, methods, numbers, with_value, written},
    stop_commits,
    world::{Reader, World},
};
use crate::harness::{App, Wish};

/// So many readers send each number: a third one gets no further.
const READERS: usize = 2;

/// The methods that a reader may call, and whether a whole body gets as far as its effect or its answer.
async fn reached(app: &App, world: &World, reader: &Reader) -> Vec<(String, bool)> {
    let mut client = Grpc::new(reader.user.wire());
    let mut found = Vec::new();
    for method in methods() {
        if permitted(&method, reader) && !APART.contains(&path(&method).as_str()) {
            let whole = filled(&method, &world.served, app.now().as_second());
            let answer = Answer::of(ask(&mut client, &method, &whole).await, "");
            found.push((path(&method), ["OK", "DONE"].contains(&answer.class.as_str())));
        }
    }
    found
}

/// Two readers for each method: those who get furthest.
async fn chosen<'a>(app: &App, world: &'a World) -> BTreeMap<String, Vec<&'a str>> {
    let found = world.readers.iter().map(|reader| reached(app, world, reader));
    let found = futures::future::join_all(found).await;
    let mut chosen: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for wanted in [true, false] {
        for (reader, found) in world.readers.iter().zip(&found) {
            for (method, _) in found.iter().filter(|(_, reached)| *reached == wanted) {
                let of_method = chosen.entry(method.clone()).or_default();
                if of_method.len() < READERS {
                    of_method.push(reader.called);
                }
            }
        }
    }
    chosen
}

/// What was a fault of ours, how many calls were made, and how many were refused for their number.
async fn swept(
    app: &App,
    world: &World,
    reader: &Reader,
    chosen: &BTreeMap<String, Vec<&str>>,
) -> (Vec<String>, usize, usize) {
    let mut client = Grpc::new(reader.user.wire());
    let now = app.now().as_second();
    let (mut faults, mut calls, mut limited) = (Vec::new(), 0, 0);
    for method in methods() {
        if !chosen.get(&path(&method)).is_some_and(|it| it.contains(&reader.called)) {
            continue;
        }
        for (place, values) in numbers(&method) {
            for value in values {
                // Made anew: what is sent once for all may not be told as a repetition.
                let whole = filled(&method, &world.served, now);
                let request = with_value(&whole, &place, &value);
                let answer = Answer::of(ask(&mut client, &method, &request).await, "");
                calls += 1;
                limited += usize::from(answer.class == "RATE_LIMITED");
                if answer.class.starts_with("INTERNAL") {
                    faults.push(format!(
                        "{} {} = {} by {}: {}",
                        path(&method),
                        written(&place),
                        shown(&value),
                        reader.called,
                        answer.class
                    ));
                }
            }
        }
    }
    (faults, calls, limited)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Message(at) => format!("{:?}", at.fields().map(|(_, it)| it).collect::<Vec<_>>()),
        other => format!("{other:?}"),
    }
}

// Seen: 2^31 days in a policy, and 7,304,485 in an approval, made the server panic.
#[sqlx::test]
async fn no_number_makes_a_fault_of_ours(pool: PgPool) {
    let app = App::wished(pool, Wish { unlimited: true, ..Wish::default() }).await;
    let world = World::of(&app).await;
    stop_commits(&app).await;
    let chosen = chosen(&app, &world).await;
    let swept = world.readers.iter().map(|reader| swept(&app, &world, reader, &chosen));
    let swept = futures::future::join_all(swept).await;
    let faults: Vec<_> = swept.iter().flat_map(|(faults, ..)| faults.clone()).collect();
    let calls: usize = swept.iter().map(|(_, calls, _)| calls).sum();
    assert!(faults.is_empty(), "{} calls:\n{}", faults.len(), faults.join("\n"));
    let limited: usize = swept.iter().map(|(.., limited)| limited).sum();
    assert!(calls > 1_500 && limited == 0, "{limited} of {calls} calls were not looked at");
}
