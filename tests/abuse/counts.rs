//! What came of an attack: what was sent, and what the server answered, frame by frame. No socket.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::frames::{HEADERS, PING, SETTINGS};

/// A number that only grows.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn add(&self, more: usize) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What all connections of an attack saw together.
#[derive(Default)]
pub struct Counts {
    pub connections: Count,
    /// Connections that ended before the attack did.
    pub cut: Count,
    held: AtomicUsize,
    /// Connections that were open at the same time.
    pub held_at_most: Count,
    /// Bytes that the server's side has taken.
    pub bytes_out: Count,
    pub bytes_in: Count,
    /// Settings of a server that has read the preface.
    pub settings: Count,
    /// PING and SETTINGS that the server has read, and says so.
    pub acks: Count,
    /// Calls whose answer has begun.
    pub heads: Count,
    /// Frames of a line.
    pub frames: Count,
}

/// One connection that is open.
pub struct Held(Arc<Counts>);

impl Held {
    pub fn new(counts: &Arc<Counts>) -> Self {
        let now = counts.held.fetch_add(1, Ordering::Relaxed) + 1;
        counts.held_at_most.0.fetch_max(now, Ordering::Relaxed);
        Self(counts.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads along what the server sends on one connection.
pub struct Reader {
    counts: Arc<Counts>,
    line: bool,
    /// The answer to the handshake of a line has ended.
    begun: bool,
    kept: Vec<u8>,
    passed_over: usize,
}

impl Reader {
    pub fn http2(counts: &Arc<Counts>) -> Self {
        Self { counts: counts.clone(), line: false, begun: true, kept: Vec::new(), passed_over: 0 }
    }

    pub fn line(counts: &Arc<Counts>) -> Self {
        Self { line: true, begun: false, ..Self::http2(counts) }
    }

    pub fn take(&mut self, bytes: &[u8]) {
        self.counts.bytes_in.add(bytes.len());
        self.kept.extend_from_slice(bytes);
        loop {
            let skipped = self.passed_over.min(self.kept.len());
            self.kept.drain(..skipped);
            self.passed_over -= skipped;
            if self.passed_over > 0 || !self.head() {
                return;
            }
        }
    }

    /// Takes the head of the next frame, where it is there whole.
    fn head(&mut self) -> bool {
        if !self.begun {
            let end = self.kept.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { return false };
            self.begun = self.kept.starts_with(b"HTTP/1.1 101");
            self.passed_over = if self.begun { end + 4 } else { usize::MAX };
            return true;
        }
        if self.line { self.head_of_line() } else { self.head_of_http2() }
    }

    fn head_of_http2(&mut self) -> bool {
        let &[high, middle, low, kind, flags, _, _, _, _, ..] = self.kept.as_slice() else {
            return false;
        };
        let counts = &self.counts;
        match (kind, flags & 1) {
            (SETTINGS | PING, 1) => counts.acks.add(1),
            (SETTINGS, _) => counts.settings.add(1),
            (HEADERS, _) => counts.heads.add(1),
            _ => {}
        }
        self.passed_over = 9 + u32::from_be_bytes([0, high, middle, low]) as usize;
        true
    }

    /// RFC 6455, 5.2: a server masks nothing.
    fn head_of_line(&mut self) -> bool {
        let length = match *self.kept.as_slice() {
            [_, 126, high, low, ..] => 4 + usize::from(u16::from_be_bytes([high, low])),
            [_, 126 | 127, ..] | [] | [_] => return false,
            [_, short, ..] => 2 + usize::from(short),
        };
        self.counts.frames.add(1);
        self.passed_over = length;
        true
    }
}
