//! What of a file may be kept: pictures without what they tell about place, device and person;
//! nothing that looks as if it would act by itself. By the bytes alone, never by a name.
//!
//! This is no virus scanner. It refuses what no picture, document or recording needs to have; an
//! engine with signatures belongs in front of the store of a bureau that has one.

use super::{
    ContentType,
    document::{self, Look},
    ofd,
    picture::{self, Kept},
};
use crate::error::Flaw;

/// The test file of every virus scanner (EICAR), in two parts so that this source is none.
const EICAR: [&[u8]; 2] = [b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"];

/// How programs begin.
const PROGRAMS: &[&[u8]] = &[
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!/",
    b"<?php",
];

/// The directory at the end of an archive, with the numbers of its only disk: what makes an archive
/// of any file that it is hung on.
const ARCHIVE: &[u8] = b"PK\x05\x06\0\0\0\0";

/// The words in every Windows program.
const WINDOWS: &[u8] = b"This program cannot be run in DOS mode";

/// What a browser would run, in small letters.
const SCRIPTS: &[&[u8]] = &[b"<script", b"<?php", b"<html", b"<svg"];

/// The content as it is kept, or why it is not.
///
/// # Errors
/// `FILE_SUSPICIOUS` for what looks infected, `FILE_TYPE_DISGUISED` for a picture that is none,
/// `FILE_CLOSED` for a document that cannot be looked into.
pub fn cleaned(content_type: ContentType, content: Vec<u8>) -> Result<Vec<u8>, Flaw> {
    if infected(&content) || is_program(&content) {
        return Err(Flaw::FileSuspicious);
    }
    let suspicious = match content_type {
        ContentType::Jpeg | ContentType::Png => {
            return drawn(content_type, &content, Kept::Colours);
        }
        ContentType::Pdf => {
            shows(document::look(&content))?;
            is_second_file(after_pdf(&content))
        }
        ContentType::Ofd => {
            let acts = |part: &[u8]| infected(part) || is_program(part) || holds(part, WINDOWS);
            return shows(ofd::look(&content, acts)).map(|()| content);
        }
        ContentType::Amr | ContentType::Mp3 | ContentType::M4a | ContentType::Wav => {
            holds(&content, WINDOWS)
        }
    };
    let suspicious = suspicious || holds(&content, ARCHIVE);
    if suspicious { Err(Flaw::FileSuspicious) } else { Ok(content) }
}

/// Refuses a document that does more than to show.
const fn shows(look: Look) -> Result<(), Flaw> {
    match look {
        Look::Harmless => Ok(()),
        Look::Acts => Err(Flaw::FileSuspicious),
        Look::Closed => Err(Flaw::FileClosed),
    }
}

/// A picture of which nothing is kept but what it shows: without the colour profile, which may name a
/// screen, and without the resolution, which may tell a camera.
///
/// # Errors
/// As [`cleaned`]; `FILE_TYPE_REFUSED` for what is no picture.
pub fn bared(content_type: ContentType, content: &[u8]) -> Result<Vec<u8>, Flaw> {
    if !content_type.can_be_bared() {
        return Err(Flaw::FileTypeRefused);
    }
    if !content_type.fits(content) {
        return Err(Flaw::FileTypeDisguised);
    }
    if infected(content) {
        return Err(Flaw::FileSuspicious);
    }
    drawn(content_type, content, Kept::Nothing)
}

/// Whether it holds the harmless file by which every scanner is tried.
fn infected(content: &[u8]) -> bool {
    holds(content, EICAR[0]) && holds(content, EICAR[1])
}

/// A picture as it is kept. What a camera hangs on behind it goes; what is a second file there is
/// no accident.
fn drawn(content_type: ContentType, content: &[u8], kept: Kept) -> Result<Vec<u8>, Flaw> {
    let drawn = match content_type {
        ContentType::Jpeg => picture::jpeg(content, kept),
        _ => picture::png(content, kept),
    };
    let drawn = drawn.ok_or(Flaw::FileTypeDisguised)?;
    if is_second_file(drawn.tail) { Err(Flaw::FileSuspicious) } else { Ok(drawn.kept) }
}

/// What follows the last end of a PDF, which may have several.
fn after_pdf(content: &[u8]) -> &[u8] {
    const END: &[u8] = b"%%EOF";
    let last = content.windows(END.len()).rposition(|window| window == END);
    last.and_then(|last| content.get(last + END.len()..)).unwrap_or_default()
}

/// Whether the bytes behind a file are another one: an archive, a program, a page.
fn is_second_file(tail: &[u8]) -> bool {
    let tail = tail.trim_ascii_start();
    let runs = |script: &&[u8]| {
        tail.windows(script.len()).any(|window| window.eq_ignore_ascii_case(script))
    };
    tail.starts_with(b"PK\x03\x04")
        || is_program(tail)
        || holds(tail, ARCHIVE)
        || holds(tail, WINDOWS)
        || SCRIPTS.iter().any(runs)
}

fn is_program(content: &[u8]) -> bool {
    PROGRAMS.iter().any(|program| content.starts_with(program))
}

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests;
