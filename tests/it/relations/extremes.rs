//! Numbers that nobody means (2^31 days, the year 292,277,026,596, not a number) at every place of every
//! request: each is refused in words, or taken; none makes a fault of ours.

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

/// What was a fault of ours, how many calls were made, and how many were refused for their number.
async fn swept(app: &App, world: &World, reader: &Reader) -> (Vec<String>, usize, usize) {
    let mut client = Grpc::new(reader.user.wire());
    let now = app.now().as_second();
    let (mut faults, mut calls, mut limited) = (Vec::new(), 0, 0);
    for method in methods() {
        if !permitted(&method, reader) || APART.contains(&path(&method).as_str()) {
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
    let swept = world.readers.iter().map(|reader| swept(&app, &world, reader));
    let swept = futures::future::join_all(swept).await;
    let faults: Vec<_> = swept.iter().flat_map(|(faults, ..)| faults.clone()).collect();
    let calls: usize = swept.iter().map(|(_, calls, _)| calls).sum();
    assert!(faults.is_empty(), "{} calls:\n{}", faults.len(), faults.join("\n"));
    let limited: usize = swept.iter().map(|(.., limited)| limited).sum();
    assert!(calls > 5_000 && limited == 0, "{limited} of {calls} calls were not looked at");
}
