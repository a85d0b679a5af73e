//! What a PDF would do by itself, by the names that its objects use: as they stand, written with
//! `#` codes, and within compressed object streams, opened with the empty password where a document
//! merely forbids copying. What it says to a reader, in strings and on its pages, is no name.
//!
//! A reader of PDFs finds an object wherever a table says that it begins, within a string or a page too:
//! so behind whatever looks like the beginning of one, names count there as well.

use flate2::{Decompress, FlushDecompress, Status};

use super::{
    lexer::{self, Token, decoded},
    sealed::{self, Key},
};

/// What a document needs only in order to act by itself. `OpenAction` is not among them: it tells
/// of most office programs only at which page to open, and what it could start is in the list.
const ACTS: &[&[u8]] =
    &[b"JavaScript", b"JS", b"Launch", b"SubmitForm", b"ImportData", b"RichMedia", b"XFA"];

/// By which names a document says that files hang on it.
const ATTACHES: &[&[u8]] = &[b"EmbeddedFile", b"EmbeddedFiles", b"EF"];

/// Streams that would become longer than this together are made to exhaust who reads them.
pub(super) const OBJECTS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a look into a document finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing that would act by itself.
    Harmless,
    /// Something that would, or a file that is no record.
    Acts,
    /// It cannot be looked into: locked by a password, or packed in a way that is not read here.
    Closed,
}

/// Looks into a document.
pub(super) fn look(content: &[u8]) -> Look {
    // A version stands on the first line; what else does is read.
    let plain = |byte: &&u8| byte.is_ascii_alphanumeric() || b"%-.".contains(byte);
    let version = content.iter().take_while(plain).count();
    judged(content, &Found::of(content, version, b"obj"))
}

/// What the objects of a document say.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each was found or not, whatever else was")]
struct Found<'a> {
    acts: bool,
    attaches: bool,
    encrypted: bool,
    /// The objects that hold files, and whether one of them could not be told.
    files: Vec<u32>,
    file_untold: bool,
    streams: Vec<Stream<'a>>,
}

/// A stream with what its dictionary says.
struct Stream<'a> {
    number: u32,
    generation: u32,
    names: Vec<Vec<u8>>,
    body: &'a [u8],
}

impl Stream<'_> {
    fn says(&self, name: &[u8]) -> bool {
        self.names.iter().any(|it| it == name)
    }

    /// What is packed in it, or that this cannot be known.
    fn unpacked(&self, key: Option<&Key>, left: usize) -> Result<Vec<u8>, Look> {
        // Up to its end, whatever length it says: readers differ in what they believe.
        let opened = match key {
            Some(key) => key.open(self.number, self.generation, self.body).ok_or(Look::Closed)?,
            None => self.body.to_vec(),
        };
        let packed = self.names.iter().filter(|name| name.ends_with(b"Decode")).count();
        match (packed, self.says(b"FlateDecode"), self.says(b"Predictor")) {
            _ if self.says(b"Crypt") || self.says(b"Fl") => Err(Look::Closed),
            (0, ..) => Ok(opened),
            (1, true, false) => inflated(&opened, left),
            _ => Err(Look::Closed),
        }
    }
}

/// Where a reading stands in a dictionary.
#[derive(Default)]
struct At {
    object: Option<(u32, u32)>,
    numbers: [Option<u32>; 2],
    names: Vec<Vec<u8>>,
    /// Behind `EF`: how deep within its dictionary.
    files: Option<u8>,
}

impl<'a> Found<'a> {
    /// Reads objects from there on. In what is passed over, as strings, comments and pages, nothing is a
    /// name unless something stands before it that could begin an object.
    fn of(content: &'a [u8], from: usize, beginning: &[u8]) -> Self {
        let (mut found, mut place, mut at) = (Self::default(), from, At::default());
        loop {
            let (token, after) = lexer::next(content, place);
            match token {
                Token::End => return found,
                Token::Name(name) => found.name(&mut at, name),
                Token::Skipped(skipped) => found.passed(skipped, beginning),
                Token::Sign(b"<<") => at.files = at.files.map(|deep| deep.saturating_add(1)),
                Token::Sign(b">>") => {
                    at.files = at.files.and_then(|deep| deep.checked_sub(1)).filter(|it| *it > 0);
                }
                Token::Sign(_) => {}
                Token::Word(word) if word.starts_with(b"stream") => {
                    let began = after.saturating_sub(word.len()).saturating_add(b"stream".len());
                    place = found.stream(&mut at, content, began);
                    found.passed(content.get(began..place).unwrap_or_default(), beginning);
                    continue;
                }
                Token::Word(word) => found.word(&mut at, word),
            }
            place = after;
        }
    }

    fn passed(&mut self, skipped: &[u8], beginning: &[u8]) {
        let Some(begins) = find(skipped, beginning) else { return };
        let hidden = skipped.get(begins..).unwrap_or_default();
        self.acts |= ACTS.iter().any(|name| lexer::uses(hidden, name));
        self.attaches |= ATTACHES.iter().any(|name| lexer::uses(hidden, name));
    }

    fn name(&mut self, at: &mut At, name: &[u8]) {
        let name = decoded(name);
        let is = |names: &[&[u8]]| names.contains(&name.as_slice());
        self.acts |= is(ACTS);
        self.attaches |= is(ATTACHES);
        self.encrypted |= name == b"Encrypt";
        if name == b"EF" {
            at.files = Some(0);
        }
        at.names.push(name);
    }

    fn word(&mut self, at: &mut At, word: &[u8]) {
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse::<u32>().ok());
        if let Some(number) = number {
            at.numbers = [at.numbers[1], Some(number)];
            return;
        }
        match word {
            b"R" => match at.files {
                Some(0) => self.file_untold = true,
                Some(_) => self.files.extend(at.numbers[0]),
                None => {}
            },
            word if word.ends_with(b"obj") && word != b"endobj" => {
                *at = At { object: at.numbers[0].zip(at.numbers[1]), ..At::default() };
            }
            _ => {}
        }
    }

    /// Takes up a stream; where what follows it begins.
    fn stream(&mut self, at: &mut At, content: &'a [u8], began: usize) -> usize {
        let rest = content.get(began..).unwrap_or_default();
        let body = rest.strip_prefix(b"\r").unwrap_or(rest);
        let body = body.strip_prefix(b"\n").unwrap_or(body);
        let until = find(body, b"endstream").unwrap_or(body.len());
        let (stream, _) = body.split_at_checked(until).unwrap_or((body, &[]));
        let (number, generation) = at.object.unwrap_or_default();
        self.streams.push(Stream {
            number,
            generation,
            names: std::mem::take(&mut at.names),
            body: stream,
        });
        let line_end = rest.len().saturating_sub(body.len());
        began.saturating_add(line_end).saturating_add(until).saturating_add(b"endstream".len())
    }
}

/// What the objects amount to, those within others and the files included.
fn judged(content: &[u8], found: &Found<'_>) -> Look {
    if found.acts {
        return Look::Acts;
    }
    let key = if found.encrypted { sealed::key(content) } else { None };
    if found.encrypted && key.is_none() {
        return Look::Closed;
    }
    match looked_into(found, key.as_ref()) {
        Ok(look) | Err(look) => look,
    }
}

fn looked_into(found: &Found<'_>, key: Option<&Key>) -> Result<Look, Look> {
    let mut left = OBJECTS_BYTES_MAX;
    let (mut attaches, mut files) = (found.attaches, found.files.clone());
    let mut untold = found.file_untold;
    for stream in &found.streams {
        // The word alone, as in a string, begins no stream: the objects behind it would be missed.
        if lexer::uses(stream.body, b"ObjStm") {
            return Err(Look::Acts);
        }
        if !stream.says(b"ObjStm") {
            continue;
        }
        let objects = stream.unpacked(key, left)?;
        left = left.saturating_sub(objects.len());
        let inner = Found::of(&objects, 0, b"<<");
        if inner.acts {
            return Err(Look::Acts);
        }
        attaches |= inner.attaches;
        untold |= inner.file_untold;
        files.extend(inner.files);
    }
    if !attaches {
        return Ok(Look::Harmless);
    }
    let held =
        |stream: &&Stream<'_>| stream.says(b"EmbeddedFile") || files.contains(&stream.number);
    let held: Vec<_> = found.streams.iter().filter(held).collect();
    let told = files.iter().all(|number| held.iter().any(|stream| stream.number == *number));
    if held.is_empty() || untold || !told {
        return Err(Look::Acts);
    }
    for stream in held {
        let file = stream.unpacked(key, left)?;
        left = left.saturating_sub(file.len());
        if !is_record(&file) {
            return Err(Look::Acts);
        }
    }
    Ok(Look::Harmless)
}

/// Whether a file that hangs on a document is a record of it, as the data of an invoice: XML that a
/// browser would not run and that does not grow.
pub(super) fn is_record(file: &[u8]) -> bool {
    const RUNS: &[&[u8]] =
        &[b"<script", b"<html", b"<svg", b"<!entity", b"<?php", b"xml-stylesheet", b"javascript:"];
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file).trim_ascii_start();
    let begins = matches!(text, [b'<', b'?' | b'!' | b':' | b'_' | b'a'..=b'z' | b'A'..=b'Z', ..]);
    let runs = |word: &&[u8]| text.windows(word.len()).any(|it| it.eq_ignore_ascii_case(word));
    begins && !text.contains(&0) && !RUNS.iter().any(runs)
}

fn find(content: &[u8], part: &[u8]) -> Option<usize> {
    content.windows(part.len()).position(|window| window == part)
}

/// The content of a packed stream: closed when it cannot be unpacked, and made to exhaust when it is
/// too long.
pub(super) fn inflated(stream: &[u8], length_max: usize) -> Result<Vec<u8>, Look> {
    unpack(Decompress::new(true), stream, length_max)
}

/// The same without the head and the sum of zlib.
pub(super) fn inflated_bare(stream: &[u8], length_max: usize) -> Result<Vec<u8>, Look> {
    unpack(Decompress::new(false), stream, length_max)
}

fn unpack(mut inflate: Decompress, stream: &[u8], length_max: usize) -> Result<Vec<u8>, Look> {
    const PART: usize = 64 * 1024;
    let mut objects = Vec::new();
    loop {
        let read = usize::try_from(inflate.total_in()).map_err(|_| Look::Closed)?;
        objects.reserve(PART);
        let before = objects.len();
        let rest = stream.get(read..).ok_or(Look::Closed)?;
        let status = inflate.decompress_vec(rest, &mut objects, FlushDecompress::None);
        let status = status.map_err(|_| Look::Closed)?;
        if objects.len() > length_max {
            return Err(Look::Acts);
        }
        match status {
            Status::StreamEnd => return Ok(objects),
            // The stream ended early.
            _ if objects.len() == before => return Err(Look::Closed),
            _ => {}
        }
    }
}
