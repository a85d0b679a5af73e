//! What a file may be: its types by their content, its name without a path. No bytes are kept here.

mod clean;
mod document;
mod lexer;
mod ofd;
mod picture;
pub mod pieces;
mod sealed;

use crate::{domain::codes::text, error::Flaw, named::named};

pub use clean::{bared, cleaned};

/// The kind of a file that belongs to a conversation instead of proving something.
pub const MESSAGE: &str = "MESSAGE";
/// The kind of the paper that a claim of an enterprise is compared with: its claimer's own, until the
/// claim binds it.
pub const LICENCE: &str = "BUSINESS_LICENCE";
/// The brands of MP4 that phones record voices in.
const BRANDS: [&[u8]; 8] = [b"M4A ", b"mp41", b"mp42", b"isom", b"iso2", b"3gp4", b"3gp5", b"3gp6"];
/// The longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

named! {
/// The types of files that are taken.
ContentType {
    /// A photograph.
    Jpeg = "image/jpeg", "JPEG图片";
    /// A picture.
    Png = "image/png", "PNG图片";
    /// A document.
    Pdf = "application/pdf", "PDF文档";
    /// A document in the form of the country's own standard, as invoices come.
    Ofd = "application/ofd", "OFD版式文档";
    /// Spoken words, as phones record them.
    Amr = "audio/amr", "AMR语音";
    /// Spoken words, as mini-programs record them.
    Mp3 = "audio/mpeg", "MP3语音";
    /// Spoken words.
    M4a = "audio/mp4", "M4A语音";
    /// Spoken words.
    Wav = "audio/wav", "WAV语音";
}
}

impl ContentType {
    /// Whether the content is of this type, by its first bytes and not by its name.
    #[must_use]
    pub fn fits(self, content: &[u8]) -> bool {
        let at = |from: usize, magic: &[u8]| {
            content.get(from..).is_some_and(|content| content.starts_with(magic))
        };
        match self {
            Self::Jpeg => at(0, &[0xff, 0xd8, 0xff]),
            Self::Png => at(0, b"\x89PNG\r\n\x1a\n"),
            Self::Pdf => at(0, b"%PDF-"),
            Self::Ofd => at(0, b"PK\x03\x04"),
            Self::Amr => at(0, b"#!AMR\n") || at(0, b"#!AMR-WB\n"),
            // A tag, or the first frame of layer III; text in UTF-16 begins nearly the same.
            Self::Mp3 => {
                at(0, b"ID3")
                    || matches!(content, [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xfa | 0xfb, rate, ..]
                        if rate & 0xf0 != 0xf0 && rate & 0x0c != 0x0c)
            }
            // The container of films and of Apple's photographs too: the brand tells.
            Self::M4a => at(4, b"ftyp") && BRANDS.iter().any(|brand| at(8, brand)),
            Self::Wav => at(0, b"RIFF") && at(8, b"WAVE"),
        }
    }

    /// Whether everything can be taken out of it but what it shows. A document and a recording tell of
    /// who made them in places of their own; a picture has none that it needs.
    #[must_use]
    pub const fn can_be_bared(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png)
    }

    /// Whether a paper may be of this type; a conversation may have them all.
    #[must_use]
    pub const fn paper(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Pdf | Self::Ofd)
    }
}

/// The name of a file for people: the last part of a path, without what a screen could not show.
pub fn clean_name(name: &str) -> Result<String, Flaw> {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = text::required(name, NAME_CHARACTERS_MAX)?.replace('\n', " ");
    if name.chars().all(|c| c == '.') { Err(Flaw::Required) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::{ContentType, clean_name};
    use crate::error::Flaw;

    #[test]
    fn a_type_is_known_by_the_content_and_not_by_the_name() {
        assert!(ContentType::Png.fits(b"\x89PNG\r\n\x1a\nrest"));
        assert!(!ContentType::Png.fits(b"%PDF-1.7"));
        assert!(!ContentType::Pdf.fits(b"MZ\x90\x00"));
        assert!(!ContentType::Jpeg.fits(b""));
        assert!(ContentType::Amr.fits(b"#!AMR\n") && ContentType::Amr.fits(b"#!AMR-WB\n"));
        assert!(!ContentType::Amr.fits(b"#!/bin/sh\n"));
        assert!(ContentType::Wav.fits(b"RIFF\0\0\0\0WAVEfmt "));
        assert!(!ContentType::Wav.fits(b"RIFF\0\0\0\0AVI "));
        assert!(ContentType::M4a.fits(b"\0\0\0\x20ftypM4A "));
        assert!(!ContentType::M4a.fits(b"\0\0\0\x20ftypheic"));
        assert!(ContentType::Mp3.fits(&[0xff, 0xfb, 0x90]) && ContentType::Mp3.fits(b"ID3"));
        // A text in UTF-16, a reserved bit rate.
        assert!(
            !ContentType::Mp3.fits(b"\xff\xfe<\0s\0")
                && !ContentType::Mp3.fits(&[0xff, 0xfb, 0xf0])
        );
    }

    #[test]
    fn a_name_has_no_path_and_nothing_that_cannot_be_shown() {
        assert_eq!(clean_name("../../etc/行驶证.png"), Ok("行驶证.png".to_owned()));
        assert_eq!(clean_name("C:\\x\\a.pdf"), Ok("a.pdf".to_owned()));
        assert_eq!(clean_name(".."), Err(Flaw::Required));
        assert_eq!(clean_name("\u{2800}\u{200b}"), Err(Flaw::Required));
        assert_eq!(clean_name("\u{2068}行驶证\u{2069}.png"), Ok("行驶证.png".to_owned()));
        assert_eq!(clean_name("a\u{202e}gnp.exe"), Err(Flaw::TextUnsafe));
        assert_eq!(clean_name(&"x".repeat(101)), Err(Flaw::TooLong));
    }
}
