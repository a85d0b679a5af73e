//! What of a file may be kept: pictures without what they tell about place, device and person;
//! nothing that looks as if it would act by itself. By the bytes alone, never by a name.
//!
//! This is no virus scanner. It refuses what no picture, document or recording needs to have; an
//! engine with signatures belongs in front of the store of a bureau that has one.

use super::ContentType;
use crate::error::Flaw;

/// The test file of every virus scanner (EICAR), in two parts so that this source is none.
const EICAR: [&[u8]; 2] = [b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$", b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"];

/// How programs begin.
const PROGRAMS: &[&[u8]] = &[
    b"MZ",
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"#!/",
    b"<?php",
];

/// What a document needs only in order to act by itself.
const ACTS: &[&[u8]] =
    &[b"/JavaScript", b"/JS", b"/Launch", b"/OpenAction", b"/EmbeddedFile", b"/RichMedia", b"/XFA"];

/// The content as it is kept, or why it is not.
///
/// # Errors
/// `FILE_SUSPICIOUS` for what looks infected, `FILE_TYPE_DISGUISED` for a picture that is none.
pub fn cleaned(content_type: ContentType, content: Vec<u8>) -> Result<Vec<u8>, Flaw> {
    if holds(&content, EICAR[0]) && holds(&content, EICAR[1])
        || PROGRAMS.iter().any(|program| content.starts_with(program))
    {
        return Err(Flaw::FileSuspicious);
    }
    match content_type {
        ContentType::Jpeg => jpeg(&content).ok_or(Flaw::FileTypeDisguised),
        ContentType::Png => png(&content).ok_or(Flaw::FileTypeDisguised),
        ContentType::Pdf if ACTS.iter().any(|name| named(&content, name)) => {
            Err(Flaw::FileSuspicious)
        }
        _ => Ok(content),
    }
}

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

/// Whether a PDF uses a name, and not merely a longer one that begins the same.
fn named(content: &[u8], name: &[u8]) -> bool {
    let mut rest = content;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        let after = rest.get(at + name.len()..).unwrap_or_default();
        if !after.first().is_some_and(u8::is_ascii_alphanumeric) {
            return true;
        }
        rest = after;
    }
    false
}

/// A JPEG without its metadata: APP1 to APP15 and comments go (Exif with its GPS position, XMP,
/// IPTC, thumbnails), but for the colour profile; what follows the end of the picture goes too.
fn jpeg(content: &[u8]) -> Option<Vec<u8>> {
    let mut rest = content.strip_prefix(&[0xff, 0xd8])?;
    let mut kept = vec![0xff, 0xd8];
    loop {
        let (&0xff, after) = rest.split_first()? else { return None };
        let (&marker, after) = after.split_first()?;
        match marker {
            // Fill bytes may stand before a marker.
            0xff => {
                rest = rest.get(1..)?;
                continue;
            }
            0xd9 => {
                kept.extend([0xff, 0xd9]);
                return Some(kept);
            }
            0x01 | 0xd0..=0xd7 => {
                kept.extend([0xff, marker]);
                rest = after;
                continue;
            }
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let segment = after.get(..length).filter(|_| length >= 2)?;
        rest = after.get(length..)?;
        let profile = marker == 0xe2 && segment.get(2..)?.starts_with(b"ICC_PROFILE\0");
        if !matches!(marker, 0xe1..=0xef | 0xfe) || profile {
            kept.extend([0xff, marker]);
            kept.extend(segment);
        }
        if marker == 0xda {
            let scan = scan_length(rest);
            kept.extend(rest.get(..scan)?);
            rest = rest.get(scan..)?;
        }
    }
}

/// How long the entropy-coded bytes are: until a marker that is neither a stuffed byte nor a
/// restart.
fn scan_length(content: &[u8]) -> usize {
    let ends =
        |pair: &[u8]| matches!(pair, [0xff, marker] if !matches!(marker, 0x00 | 0xd0..=0xd7));
    content.windows(2).position(ends).unwrap_or(content.len())
}

/// A PNG of its critical chunks and those that are needed to draw it; texts, times and Exif go,
/// and whatever follows the end.
fn png(content: &[u8]) -> Option<Vec<u8>> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    const KEPT: &[&[u8]] = &[
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
        b"pHYs",
    ];
    let mut rest = content.strip_prefix(SIGNATURE)?;
    let mut kept = SIGNATURE.to_vec();
    let mut first = true;
    loop {
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        let chunk = rest.get(..length.checked_add(12)?)?;
        rest = rest.get(chunk.len()..)?;
        let name = chunk.get(4..8)?;
        if first && name != b"IHDR" {
            return None;
        }
        first = false;
        if KEPT.contains(&name) {
            kept.extend(chunk);
        }
        if name == b"IEND" {
            return Some(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EICAR, cleaned};
    use crate::{
        domain::{attachment::ContentType, qr::QrPicture},
        error::Flaw,
    };

    /// A real picture.
    fn picture() -> Vec<u8> {
        QrPicture::of("警企通").unwrap().png(2).unwrap()
    }

    fn chunk(name: [u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        // The check sum does not matter for a chunk that goes.
        [&length[..], &name, data, &[0; 4]].concat()
    }

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], data].concat()
    }

    /// A JPEG by its structure: header, tables, a scan with stuffed bytes, the end.
    fn photograph(extra: &[u8]) -> Vec<u8> {
        let scan = [0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56];
        [
            &[0xff, 0xd8][..],
            &segment(0xe0, b"JFIF\0"),
            extra,
            &segment(0xdb, &[1; 64]),
            &segment(0xda, &[1, 2]),
            &scan,
            &[0xff, 0xd9],
        ]
        .concat()
    }

    // CH-09: what a picture tells beside itself is gone, and it can still be drawn.
    #[test]
    fn a_png_loses_its_texts_and_its_tail_and_can_still_be_drawn() {
        let clean = picture();
        let told = [chunk(*b"tEXt", b"Author\0Zhang"), chunk(*b"eXIf", b"GPS 33.95N")].concat();
        // Behind the header: the signature of 8 bytes and a chunk of 13 + 12.
        let with = [&clean[..33], &told, &clean[33..], b"<script>"].concat();
        let kept = cleaned(ContentType::Png, with).unwrap();
        assert_eq!(kept, clean);
        assert!(png::Decoder::new(std::io::Cursor::new(kept)).read_info().is_ok());
    }

    #[test]
    fn a_jpeg_loses_position_device_and_thumbnail_and_keeps_its_colours() {
        let profile = segment(0xe2, b"ICC_PROFILE\0\x01\x01colours");
        let exif = segment(0xe1, b"Exif\0\0GPS 33.95N 118.28E");
        let comment = segment(0xfe, b"phone of Zhang");
        let extra = [exif, profile.clone(), segment(0xed, b"IPTC"), comment].concat();
        let with = [photograph(&extra), b"PK\x03\x04 hidden".to_vec()].concat();
        assert_eq!(cleaned(ContentType::Jpeg, with).unwrap(), photograph(&profile));
    }

    #[test]
    fn what_would_act_by_itself_is_refused() {
        let eicar = [EICAR[0], EICAR[1], b"!$H+H*"].concat();
        let pdf = |text: &str| format!("%PDF-1.7\n<< {text} >>\n%%EOF").into_bytes();
        for (content_type, content) in [
            (ContentType::Mp3, [b"ID3", eicar.as_slice()].concat()),
            (ContentType::Wav, b"MZ\x90\x00".to_vec()),
            (ContentType::Pdf, pdf("/OpenAction 1 0 R")),
            (ContentType::Pdf, pdf("/S /JavaScript /JS (app.alert)")),
            (ContentType::Pdf, pdf("/EmbeddedFile")),
        ] {
            assert_eq!(cleaned(content_type, content), Err(Flaw::FileSuspicious));
        }
        // A longer name that begins the same is another name.
        assert!(cleaned(ContentType::Pdf, pdf("/JSONData 1")).is_ok());
    }

    #[test]
    fn a_picture_that_is_none_is_refused() {
        let mut cut = picture();
        cut.truncate(60);
        for (content_type, content) in [
            (ContentType::Png, cut),
            (ContentType::Png, b"\x89PNG\r\n\x1a\n".to_vec()),
            (ContentType::Jpeg, vec![0xff, 0xd8, 0xff, 0xe0, 0, 1]),
            (ContentType::Jpeg, photograph(&[])[..40].to_vec()),
        ] {
            assert_eq!(cleaned(content_type, content), Err(Flaw::FileTypeDisguised));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_nothing_is_added(
            tail in proptest::collection::vec(any::<u8>(), 0..400), png in any::<bool>()
        ) {
            let (content_type, head): (_, &[u8]) = if png {
                (ContentType::Png, b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")
            } else {
                (ContentType::Jpeg, &[0xff, 0xd8, 0xff, 0xda, 0, 2])
            };
            let content = [head, &tail].concat();
            if let Ok(kept) = cleaned(content_type, content.clone()) {
                prop_assert!(kept.len() <= content.len());
            }
        }
    }
}
