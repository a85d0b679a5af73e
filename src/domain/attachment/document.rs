//! What a PDF would do by itself, by the names that its objects use: as they stand, written with
//! `#` codes, and within compressed object streams. Text and pictures are not read.

use flate2::{Decompress, FlushDecompress, Status};

/// What a document needs only in order to act by itself. `OpenAction` is not among them: it tells
/// of most office programs only at which page to open, and what it could start is in the list.
const ACTS: &[&[u8]] = &[
    b"JavaScript",
    b"Launch",
    b"SubmitForm",
    b"ImportData",
    b"EmbeddedFile",
    b"EmbeddedFiles",
    b"RichMedia",
];

/// The same, in names so short that the bytes of a scanned page hold them by chance: they count
/// only outside of streams. (A script has the name `JavaScript` beside it anyway.)
const ACTS_SHORT: &[&[u8]] = &[b"JS", b"XFA"];

/// Object streams that would become longer than this together are made to exhaust who reads them.
pub(super) const OBJECTS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Whether a PDF would act by itself, or hides its objects so that nobody can say.
pub(super) fn acts(content: &[u8]) -> bool {
    if uses(content, ACTS) {
        return true;
    }
    let mut left = OBJECTS_BYTES_MAX;
    let mut rest = content;
    while let Some((outside, stream, after)) = next_stream(rest) {
        if uses(outside, ACTS_SHORT) {
            return true;
        }
        // The word alone, as in a comment, begins no stream: the objects behind it would be missed.
        if uses(stream, &[b"ObjStm"]) {
            return true;
        }
        if uses(outside, &[b"ObjStm"]) {
            // Another filter than the usual one, or a predictor, would hide the names from us.
            let plain = uses(outside, &[b"FlateDecode"]) && !uses(outside, &[b"Predictor"]);
            let objects = if plain { inflated(stream, left) } else { None };
            let Some(objects) = objects else { return true };
            if uses(&objects, ACTS) || uses(&objects, ACTS_SHORT) {
                return true;
            }
            left = left.saturating_sub(objects.len());
        }
        rest = after;
    }
    uses(rest, ACTS_SHORT)
}

/// The next stream: what stands before it, its bytes, what stands after it.
fn next_stream(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let begins = find(content, b"stream")?;
    let (outside, rest) = content.split_at_checked(begins)?;
    let body = rest.get(b"stream".len()..)?;
    let body = body.strip_prefix(b"\r").unwrap_or(body);
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let ends = find(body, b"endstream").unwrap_or(body.len());
    let (stream, rest) = body.split_at_checked(ends)?;
    Some((outside, stream, rest.strip_prefix(b"endstream").unwrap_or_default()))
}

fn find(content: &[u8], part: &[u8]) -> Option<usize> {
    content.windows(part.len()).position(|window| window == part)
}

/// Whether one of the names is used, and not merely a longer one that begins the same.
fn uses(content: &[u8], names: &[&[u8]]) -> bool {
    content.split(|byte| *byte == b'/').skip(1).any(|rest| names.iter().any(|it| is_name(rest, it)))
}

/// Whether what follows a slash is this name; `#4a` stands for a byte.
fn is_name(mut rest: &[u8], name: &[u8]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for expected in name {
        let (byte, after) = match rest {
            [b'#', high, low, after @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, after),
                _ => return false,
            },
            [byte, after @ ..] => (u32::from(*byte), after),
            [] => return false,
        };
        if byte != u32::from(*expected) {
            return false;
        }
        rest = after;
    }
    !matches!(rest, [byte, ..] if !matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
        && !b"()<>[]{}/%".contains(byte))
}

/// The objects of a stream; `None` when they cannot be looked at, or are too many.
fn inflated(stream: &[u8], length_max: usize) -> Option<Vec<u8>> {
    const PART: usize = 64 * 1024;
    let mut inflate = Decompress::new(true);
    let mut objects = Vec::new();
    loop {
        let read = usize::try_from(inflate.total_in()).ok()?;
        objects.reserve(PART);
        let before = objects.len();
        let status = inflate
            .decompress_vec(stream.get(read..)?, &mut objects, FlushDecompress::None)
            .ok()?;
        if objects.len() > length_max {
            return None;
        }
        match status {
            Status::StreamEnd => return Some(objects),
            // The stream ended early.
            _ if objects.len() == before => return None,
            _ => {}
        }
    }
}
