//! What HTTP itself can do wrong: bodies that come slowly, by half or with lies, floods of headers, what is no
//! HTTP at all. Each gets a status, and nobody else feels it.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::post;
use crate::{harness::App, line::PATIENCE};

/// A request of `ListZones` up to its body.
fn head(length: &str) -> String {
    format!(
        "POST /jingqi.v1.TruckPassService/ListZones HTTP/1.1\r\nHost: jingqi\r\n\
         Content-Type: application/json\r\n{length}\r\n\r\n"
    )
}

/// What the server says until it closes, or until nothing more comes.
async fn heard(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(Ok(count)) = timeout(Duration::from_secs(7), stream.read(&mut buffer)).await
        && count > 0
    {
        said.extend_from_slice(&buffer[..count]);
        if said.ends_with(b"}") {
            break;
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

async fn said(app: &App, text: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(text).await.unwrap();
    heard(&mut stream).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

// Who may not call is told so before he has sent any of it.
#[sqlx::test]
async fn a_body_that_never_comes_is_not_waited_for_by_who_may_not_call(pool: PgPool) {
    let app = App::start(pool).await;
    let began = Instant::now();
    let request = head("Content-Length: 1000")
        .replace("TruckPassService/ListZones", "IdentityService/GetAccount");
    let refused = said(&app, request.as_bytes()).await;
    assert_eq!(status(&refused), "401", "{refused}");
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[sqlx::test]
async fn slow_and_half_bodies_have_five_seconds(pool: PgPool) {
    let app = App::start(pool).await;
    let slow = async {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(head("Content-Length: 60000").as_bytes()).await.unwrap();
        let began = Instant::now();
        let mut first = [0; 12];
        // One byte more whenever no answer has come for a while.
        while timeout(Duration::from_millis(100), stream.readable()).await.is_err() {
            stream.write_all(b" ").await.unwrap();
        }
        stream.read_exact(&mut first).await.unwrap();
        (String::from_utf8_lossy(&first).into_owned(), began.elapsed())
    };
    let hung = async { said(&app, head("Content-Length: 10").as_bytes()).await };
    let chunked = async {
        said(&app, format!("{}5\r\n{{", head("Transfer-Encoding: chunked")).as_bytes()).await
    };
    let ((slow, took), hung, chunked) = futures::join!(slow, hung, chunked);
    assert_eq!(slow, "HTTP/1.1 503");
    assert!((4..8).contains(&took.as_secs()), "{took:?}");
    for answer in [hung, chunked] {
        assert_eq!(status(&answer), "503", "{answer}");
        assert!(answer.contains("DEADLINE_EXCEEDED"), "{answer}");
    }
    // Half a body, and gone: nothing is left of it.
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(format!("{}{{", head("Content-Length: 10")).as_bytes()).await.unwrap();
    drop(stream);
    let zones = post(&app, "TruckPassService/ListZones", None, &serde_json::json!({})).await;
    assert_eq!(zones.status, 200);
}

#[sqlx::test]
async fn what_lies_about_itself_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let zones = "POST /jingqi.v1.TruckPassService/ListZones HTTP/1.1\r\nHost: jingqi\r\n\
        Content-Type: application/json\r\n";
    for (text, expected) in [
        (format!("{zones}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}} "), "400"),
        (format!("{zones}Content-Length: -1\r\n\r\n"), "400"),
        (format!("{zones}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{{}}\r\n0\r\n\r\n"), "400"),
        (format!("{zones}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}"), "400"),
        (format!("{zones}Transfer-Encoding: gzip\r\n\r\n{{}}"), "400"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), "400"),
        ("\x16\x03\x01\x02\x00\x01\x00".to_owned(), "400"),
        ("hello\r\n\r\n".to_owned(), "400"),
        (format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200)), "431"),
        (format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000)), "431"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(20_000)), "431"),
        ("GET /v1/line HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        (
            "POST /v1/line HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            "405",
        ),
        ("CONNECT jingqi:443 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404"),
        ("PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".to_owned(), "404"),
    ] {
        let answer = timeout(PATIENCE, said(&app, text.as_bytes())).await.unwrap();
        let shown = text.chars().take(60).collect::<String>();
        assert_eq!(status(&answer), expected, "{shown:?}: {answer}");
    }
}
