//! How many frames of HTTP/2 a client sends that carry nothing: PING, SETTINGS, `WINDOW_UPDATE` and their
//! like are answered or worked off by the library, however many there are. Only their heads are looked
//! at. Each call that is begun allows for some of them; beyond that the connection is cut.

use std::time::{Duration, Instant};

use super::PREFACE;

const HEAD: usize = 9;
/// What may be used up at once.
const ALLOWANCE_MAX: u32 = 1_000;
/// What comes back with time: one each so often.
const ONE_EACH: Duration = Duration::from_millis(10);
/// What a call allows for: its windows, and the pings by which libraries measure the line.
const OF_A_CALL: u32 = 16;
/// What a stream that is taken back costs: whoever takes back all that it begins makes us work for
/// nothing (CVE-2023-44487).
const OF_A_RESET: u32 = 20;

/// RFC 9113, 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;

/// The client sends frames without end that carry nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Flood;

/// Reads along what a client sends.
#[derive(Debug)]
pub struct Frames {
    /// Bytes that belong to no head: of the preface first, then of payloads.
    passed_over: usize,
    head: [u8; HEAD],
    read: usize,
    allowance: u32,
    counted_until: Instant,
}

impl Frames {
    /// At the beginning of a connection.
    pub const fn new(now: Instant) -> Self {
        Self {
            passed_over: PREFACE.len(),
            head: [0; HEAD],
            read: 0,
            allowance: ALLOWANCE_MAX,
            counted_until: now,
        }
    }

    /// Takes the bytes that came.
    pub fn take(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Flood> {
        self.refill(now);
        while !bytes.is_empty() {
            let skipped = self.passed_over.min(bytes.len());
            self.passed_over = self.passed_over.saturating_sub(skipped);
            bytes = bytes.get(skipped..).unwrap_or_default();
            while self.passed_over == 0
                && let Some((&byte, rest)) = bytes.split_first()
            {
                bytes = rest;
                if let Some(place) = self.head.get_mut(self.read) {
                    *place = byte;
                }
                self.read = self.read.saturating_add(1);
                if self.read == HEAD {
                    self.read = 0;
                    self.count()?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.passed_over = usize::try_from(length).unwrap_or(usize::MAX);
        let cost = match kind {
            HEADERS => {
                let allowance = self.allowance.saturating_add(OF_A_CALL);
                self.allowance = allowance.min(ALLOWANCE_MAX);
                0
            }
            DATA if length > 0 || flags & END_STREAM != 0 => 0,
            RST_STREAM => OF_A_RESET,
            _ => 1,
        };
        self.allowance = self.allowance.checked_sub(cost).ok_or(Flood)?;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.counted_until);
        let whole = passed.as_millis().checked_div(ONE_EACH.as_millis()).unwrap_or_default();
        let whole = u32::try_from(whole).unwrap_or(u32::MAX);
        if whole > 0 {
            self.allowance = self.allowance.saturating_add(whole).min(ALLOWANCE_MAX);
            let counted = ONE_EACH.saturating_mul(whole);
            self.counted_until = self.counted_until.checked_add(counted).unwrap_or(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ALLOWANCE_MAX, DATA, END_STREAM, Flood, Frames, HEADERS, RST_STREAM};
    use crate::server::doorway::PREFACE;

    const PING: u8 = 6;
    const SETTINGS: u8 = 4;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], &vec![7; payload]].concat()
    }

    fn begun(now: Instant) -> Frames {
        let mut frames = Frames::new(now);
        frames.take(PREFACE, now).unwrap();
        frames
    }

    #[test]
    fn a_flood_of_frames_that_carry_nothing_is_seen_however_it_is_cut() {
        let now = Instant::now();
        for (kind, payload) in
            [(PING, 8), (SETTINGS, 0), (SETTINGS, 36), (DATA, 0), (9, 1), (77, 3)]
        {
            for piece in [1, 7, 4_096] {
                let mut frames = begun(now);
                let sent = frame(kind, 0, payload).repeat(usize::try_from(ALLOWANCE_MAX).unwrap());
                for piece in sent.chunks(piece) {
                    frames.take(piece, now).unwrap();
                }
                assert_eq!(frames.take(&frame(kind, 0, payload), now), Err(Flood), "{kind}");
            }
        }
    }

    #[test]
    fn a_client_that_takes_back_every_call_is_cut_and_one_that_does_so_at_times_is_not() {
        let now = Instant::now();
        let mut frames = begun(now);
        let call = [frame(HEADERS, 0, 80), frame(RST_STREAM, 0, 4)].concat();
        let calls = (0..1_000).take_while(|_| frames.take(&call, now).is_ok()).count();
        assert!((100..300).contains(&calls), "{calls}");
        let mut frames = begun(now);
        for second in 0..600 {
            let now = now + Duration::from_secs(second);
            assert!(frames.take(&call.repeat(20), now).is_ok());
        }
    }

    // What honest clients send, for an hour: calls with bodies, windows, pings.
    #[test]
    fn an_honest_client_is_never_cut() {
        let now = Instant::now();
        let mut frames = begun(now);
        let call = [
            frame(HEADERS, 0, 300),
            frame(DATA, 0, 5_000),
            frame(DATA, END_STREAM, 0),
            frame(8, 0, 4).repeat(8),
            frame(PING, 0, 8).repeat(4),
        ];
        let call = call.concat();
        for second in 0..3_600 {
            let now = now + Duration::from_secs(second);
            for _ in 0..50 {
                frames.take(&call, now).unwrap();
            }
        }
        // A watch is one call for hours: what comes on it is answered with windows.
        for second in 3_600..7_200 {
            let now = now + Duration::from_secs(second);
            frames.take(&frame(8, 0, 4).repeat(90), now).unwrap();
        }
    }
}
