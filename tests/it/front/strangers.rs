//! What strangers can make a server hold by calls that are not gRPC: no more than by gRPC, and nobody feels it.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinHandle, time::timeout};
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::ServiceExt as _;

use super::send;
use crate::{harness::App, line::PATIENCE};

const ZONES: &str = "TruckPassService/ListZones";

async fn connected(app: &App) -> Channel {
    Endpoint::from_shared(format!("http://{}", app.address)).unwrap().connect().await.unwrap()
}

/// A call by JSON over HTTP/2; its body begins and never ends.
fn hung(app: &App, channel: Channel, size: usize) -> JoinHandle<Option<http::Response<Body>>> {
    let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size]))]);
    let body = axum::body::Body::from_stream(begun.chain(stream::pending()));
    let request = http::Request::post(format!("http://{}/jingqi.v1.{ZONES}", app.address));
    let request = request.header("content-type", "application/json");
    let request = request.body(Body::new(body)).unwrap();
    tokio::spawn(async move { channel.oneshot(request).await.ok() })
}

// As for gRPC: a call is in hand only when its body is there.
#[sqlx::test]
async fn calls_by_json_that_never_send_their_body_stop_nobody(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut hanging = Vec::new();
    for _ in 0..18 {
        let channel = connected(&app).await;
        hanging.extend((0..62).map(|_| hung(&app, channel.clone(), 10)));
    }
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        let head = format!(
            "POST /jingqi.v1.{ZONES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{}",
            " ".repeat(50_000)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..5 {
        let answer = timeout(Duration::from_secs(3), send(&app, ZONES, None, "{}"));
        assert_eq!(answer.await.unwrap().status, 200);
        city.boss.identity().get_account(pb::GetAccountRequest {}).await.unwrap();
    }
    hanging.iter().for_each(JoinHandle::abort);
}

// What one connection makes us hold by bodies of JSON ends where it ends for gRPC: it is refused in words.
#[sqlx::test]
async fn bodies_of_json_are_charged_to_their_connection(pool: PgPool) {
    let app = App::start(pool).await;
    let channel = connected(&app).await;
    let mut calls: Vec<_> = (0..40).map(|_| hung(&app, channel.clone(), 60_000)).collect();
    // 72 KiB of its own and 512 KiB that its address shares: the tenth body finds no room.
    let mut refused = 0;
    let collecting = async {
        while refused < 20 {
            let (answer, _, rest) = futures::future::select_all(std::mem::take(&mut calls)).await;
            calls = rest;
            let answer = answer.unwrap().unwrap();
            assert_eq!(answer.status(), 503, "{answer:?}");
            refused += 1;
        }
    };
    timeout(PATIENCE, collecting).await.unwrap();
    calls.iter().for_each(JoinHandle::abort);
    assert_eq!(send(&app, ZONES, None, "{}").await.status, 200);
}

// A flood of calls from one address leaves the others their answers.
#[sqlx::test]
async fn a_flood_of_calls_by_json_stops_nobody(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let flood = stream::iter(0..600).map(async |call| {
        let text = if call % 2 == 0 {
            "{}".to_owned()
        } else {
            format!("{{\"x\":\"{}", "y".repeat(30_000))
        };
        send(&app, ZONES, None, text).await.status.as_u16()
    });
    let flooding = flood.buffer_unordered(24).collect::<Vec<_>>();
    let honest = async {
        for _ in 0..20 {
            city.boss.identity().get_account(pb::GetAccountRequest {}).await.unwrap();
        }
    };
    let (answers, ()) =
        timeout(Duration::from_mins(1), futures::future::join(flooding, honest)).await.unwrap();
    assert!(answers.iter().all(|status| [200, 400, 503].contains(status)), "{answers:?}");
}
