//! An OFD (GB/T 33190), in which digital invoices come: an archive of XML, pictures and fonts. Taken
//! where it is one archive and nothing else, of parts that show and do nothing.

use flate2::Crc;

use super::document::{Look, OBJECTS_BYTES_MAX, inflated_bare, is_record};

/// The most parts of one document.
const PARTS_MAX: usize = 2_000;
/// How long the directory's end, an entry of it and the head of a part are, without names.
const END: usize = 22;
const ENTRY: usize = 46;
const HEAD: usize = 30;
/// What may stand behind a part whose length was not known when it began.
const DESCRIPTOR_MAX: usize = 24;

/// Parts that are read: the document itself, and the data of an invoice.
const RECORDS: &[&str] = &["xml", "xbrl"];
/// Parts that are shown, or by which a seal is judged.
const SHOWN: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "jb2", "gbig2", "ttf", "otf", "ttc", "cff",
    "esl", "dat", "sig", "cer", "txt",
];

/// A part, as the directory has it.
struct Part<'a> {
    name: &'a str,
    method: u16,
    sum: u32,
    packed: usize,
    length: usize,
    at: usize,
}

/// Looks into an OFD; `acts` tells what a part must not be.
pub(super) fn look(content: &[u8], acts: impl Fn(&[u8]) -> bool) -> Look {
    match looked_into(content, acts) {
        Ok(()) => Look::Harmless,
        Err(look) => look,
    }
}

fn looked_into(content: &[u8], acts: impl Fn(&[u8]) -> bool) -> Result<(), Look> {
    let parts = directory(content)?;
    let mut left = OBJECTS_BYTES_MAX;
    let (mut is_ofd, mut place) = (false, 0);
    for part in &parts {
        // One behind the other and nothing between: what no directory knows is no part.
        let gap = part.at.checked_sub(place).ok_or(Look::Acts)?;
        let gap_max = if place == 0 { 0 } else { DESCRIPTOR_MAX };
        if gap > gap_max {
            return Err(Look::Acts);
        }
        let body = body(content, part)?;
        place = part.at.saturating_add(body.1).saturating_add(part.packed);
        let said = match part.method {
            0 => body.0.to_vec(),
            8 => inflated_bare(body.0, part.length.min(left))?,
            _ => return Err(Look::Closed),
        };
        if said.len() != part.length || crc(&said) != part.sum {
            return Err(Look::Closed);
        }
        left = left.checked_sub(said.len()).ok_or(Look::Acts)?;
        if part.name.ends_with('/') {
            continue;
        }
        let kind = part.name.rsplit_once('.').map(|(_, kind)| kind.to_ascii_lowercase());
        let is = |kinds: &[&str]| kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
        let harmless = if is(RECORDS) { is_record(&said) } else { is(SHOWN) };
        if !harmless || acts(&said) {
            return Err(Look::Acts);
        }
        is_ofd |= part.name == "OFD.xml" && said.windows(11).any(|it| it == b"ofdspec.org");
    }
    if is_ofd { Ok(()) } else { Err(Look::Acts) }
}

/// The parts in the order in which they lie.
fn directory(content: &[u8]) -> Result<Vec<Part<'_>>, Look> {
    let end = content.len().checked_sub(END).ok_or(Look::Closed)?;
    let last = content.get(end..).unwrap_or_default();
    // One disk, no remark behind it.
    let whole = last.starts_with(b"PK\x05\x06\0\0\0\0") && last.ends_with(&[0, 0]);
    let (Some(count), Some(size), Some(begins)) = (short(last, 10), long(last, 12), long(last, 16))
    else {
        return Err(Look::Closed);
    };
    let count = usize::from(count);
    if !whole || begins.saturating_add(size) != end || count > PARTS_MAX {
        return Err(Look::Closed);
    }
    let mut rest = content.get(begins..end).unwrap_or_default();
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (part, length) = entry(rest)?;
        if !is_plain(part.name) || part.at >= begins {
            return Err(Look::Acts);
        }
        parts.push(part);
        rest = rest.get(length..).ok_or(Look::Closed)?;
    }
    if !rest.is_empty() {
        return Err(Look::Acts);
    }
    parts.sort_by_key(|part| part.at);
    Ok(parts)
}

fn entry(rest: &[u8]) -> Result<(Part<'_>, usize), Look> {
    let closed = || Look::Closed;
    let read = |at: usize| short(rest, at).map(usize::from).ok_or_else(closed);
    if !rest.starts_with(b"PK\x01\x02") {
        return Err(Look::Closed);
    }
    // Sealed by a password, or with a directory that is sealed.
    if read(8)? & 0x2041 != 0 {
        return Err(Look::Closed);
    }
    let (name, extra, remark) = (read(28)?, read(30)?, read(32)?);
    let part = Part {
        name: rest
            .get(ENTRY..ENTRY.saturating_add(name))
            .and_then(|name| std::str::from_utf8(name).ok())
            .ok_or_else(closed)?,
        method: short(rest, 10).ok_or_else(closed)?,
        sum: u32::try_from(long(rest, 16).ok_or_else(closed)?).map_err(|_| Look::Closed)?,
        packed: long(rest, 20).ok_or_else(closed)?,
        length: long(rest, 24).ok_or_else(closed)?,
        at: long(rest, 42).ok_or_else(closed)?,
    };
    Ok((part, ENTRY.saturating_add(name).saturating_add(extra).saturating_add(remark)))
}

/// What is packed in a part, and how long its head is; it names the same part as the directory.
fn body<'a>(content: &'a [u8], part: &Part<'_>) -> Result<(&'a [u8], usize), Look> {
    let head = content.get(part.at..).ok_or(Look::Closed)?;
    let name = short(head, 26).map(usize::from).ok_or(Look::Closed)?;
    let extra = short(head, 28).map(usize::from).ok_or(Look::Closed)?;
    let named = head.get(HEAD..HEAD.saturating_add(name));
    let same = head.starts_with(b"PK\x03\x04")
        && named == Some(part.name.as_bytes())
        && short(head, 8) == Some(part.method);
    if !same {
        return Err(Look::Acts);
    }
    let length = HEAD.saturating_add(name).saturating_add(extra);
    let body = head.get(length..length.saturating_add(part.packed)).ok_or(Look::Closed)?;
    Ok((body, length))
}

/// Whether a name leads nowhere but into the archive.
fn is_plain(name: &str) -> bool {
    let steps = !name.split('/').any(|step| step == ".." || step == ".");
    steps
        && !name.starts_with('/')
        && !name.contains(['\\', ':', '\0'])
        && !name.chars().any(char::is_control)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

fn crc(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::DeflateEncoder};

    use super::super::{ContentType, cleaned};
    use super::crc;
    use crate::error::Flaw;

    const ROOT: &[u8] =
        b"<?xml version=\"1.0\"?><ofd:OFD xmlns:ofd=\"http://www.ofdspec.org/2016\"/>";

    /// An archive of these parts, as every program writes one.
    fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut content, mut directory) = (Vec::new(), Vec::new());
        for (name, said) in parts {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
            packer.write_all(said).unwrap();
            let packed = packer.finish().unwrap();
            let four = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
            let two = |it: usize| u16::try_from(it).unwrap().to_le_bytes();
            let what = [
                &[20, 0, 0, 8, 8, 0, 0, 0, 0, 0][..],
                &crc(said).to_le_bytes(),
                &four(packed.len()),
                &four(said.len()),
                &two(name.len()),
                &[0, 0],
            ]
            .concat();
            let at = four(content.len());
            directory.extend([&b"PK\x01\x02\x14\0"[..], &what, &[0; 10], &at].concat());
            directory.extend(name.as_bytes());
            content.extend([b"PK\x03\x04", &what[..], name.as_bytes(), &packed].concat());
        }
        let count = u16::try_from(parts.len()).unwrap().to_le_bytes();
        let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
        let begins = u32::try_from(content.len()).unwrap().to_le_bytes();
        content.extend(directory);
        let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &size, &begins, &[0, 0]].concat();
        [content, end].concat()
    }

    fn invoice() -> Vec<u8> {
        archive(&[
            ("OFD.xml", ROOT),
            ("Doc_0/", b""),
            ("Doc_0/Document.xml", b"<ofd:Document>/JavaScript</ofd:Document>"),
            ("Doc_0/Attachs/invoice.xml", b"\xef\xbb\xbf<?xml version=\"1.0\"?><Invoice/>"),
            ("Doc_0/Res/seal.png", b"\x89PNG\r\n\x1a\n"),
            ("Doc_0/Signs/Sign_0/SignedValue.dat", b"0\x82"),
        ])
    }

    #[test]
    fn a_digital_invoice_is_taken_as_it_is() {
        let invoice = invoice();
        assert!(ContentType::Ofd.fits(&invoice) && ContentType::Ofd.paper());
        assert_eq!(cleaned(ContentType::Ofd, invoice.clone()), Ok(invoice));
    }

    #[test]
    fn an_archive_that_is_no_invoice_is_refused() {
        let bomb = vec![b' '; super::OBJECTS_BYTES_MAX + 1];
        let mut locked = invoice();
        let entry = locked.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
        locked[entry + 8] |= 1;
        for (content, flaw) in [
            (archive(&[("OFD.xml", b"<?xml?><other/>")]), Flaw::FileSuspicious),
            (archive(&[("word/document.xml", b"<w:document/>")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("a.exe", b"x")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("a.js", b"x")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("a.png", b"MZ\x90\0")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("../a.png", b"x")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("/a.png", b"x")]), Flaw::FileSuspicious),
            (archive(&[("OFD.xml", ROOT), ("a.xml", b"<a><SCRIPT/></a>")]), Flaw::FileSuspicious),
            (
                archive(&[("OFD.xml", ROOT), ("a.xml", b"<!DOCTYPE a [<!ENTITY b 'b'>]><a/>")]),
                Flaw::FileSuspicious,
            ),
            (archive(&[("OFD.xml", ROOT), ("a.txt", &bomb)]), Flaw::FileSuspicious),
            ([b"#!/bin/sh\n".to_vec(), invoice()].concat(), Flaw::FileSuspicious),
            ([invoice(), b"more".to_vec()].concat(), Flaw::FileClosed),
            (invoice()[..200].to_vec(), Flaw::FileClosed),
            (locked, Flaw::FileClosed),
            (b"PK\x03\x04".to_vec(), Flaw::FileClosed),
        ] {
            assert_eq!(cleaned(ContentType::Ofd, content.clone()), Err(flaw), "{}", content.len());
        }
    }
}
