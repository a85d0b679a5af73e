//! What is kept of files, and what is refused.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;

use super::{EICAR, bared, cleaned};
use crate::{
    domain::{enterprise::attachment::ContentType, pass::qr::QrPicture},
    error::Flaw,
};

/// A real picture.
fn picture() -> Vec<u8> {
    QrPicture::of("警企通").unwrap().png(2).unwrap()
}

fn chunk(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    // The check sum does not matter for a chunk that goes.
    [&length[..], name.as_bytes(), data, &[0; 4]].concat()
}

/// The picture with more behind its header: a signature of 8 bytes and a chunk of 13 + 12.
fn picture_with(more: &[u8]) -> Vec<u8> {
    let clean = picture();
    [&clean[..33], more, &clean[33..]].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], data].concat()
}

/// A JPEG by its structure: header, tables, a frame of 16 x 16, a scan with stuffed bytes, the
/// end.
fn photograph(extra: &[u8]) -> Vec<u8> {
    let scan = [0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56];
    [
        &[0xff, 0xd8][..],
        &segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
        extra,
        &segment(0xdb, &[1; 64]),
        &segment(0xc0, &[8, 0, 16, 0, 16, 1, 1, 0x11, 0]),
        &segment(0xda, &[1, 2]),
        &scan,
        &[0xff, 0xd9],
    ]
    .concat()
}

fn pdf(text: &str) -> Vec<u8> {
    format!("%PDF-1.7\n<< {text} >>\n%%EOF\n").into_bytes()
}

/// A PDF with one object stream, of these objects.
fn packed(dictionary: &str, objects: &str) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(objects.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let head = format!("%PDF-1.7\n5 0 obj\n<< {dictionary} >>\nstream\r\n");
    [head.as_bytes(), &packed, b"\nendstream\nendobj\n%%EOF"].concat()
}

// CH-09: what a picture tells beside itself is gone, and it can still be drawn.
#[test]
fn a_png_loses_its_texts_and_its_tail_and_can_still_be_drawn() {
    let told = [
        chunk("tEXt", b"Author\0Zhang"),
        chunk("zTXt", b"Place\0\0Suqian"),
        chunk("iTXt", b"Phone\0\0\0\0\0 of Zhang"),
        chunk("eXIf", b"GPS 33.95N"),
        chunk("tIME", b"\x07\xea\x0b\x18\x0a\x1e\0"),
    ];
    let with = [picture_with(&told.concat()), b"trailer of a camera".to_vec()].concat();
    let kept = cleaned(ContentType::Png, with).unwrap();
    assert_eq!(kept, picture());
    let mut reader = png::Decoder::new(std::io::Cursor::new(kept)).read_info().unwrap();
    let mut points = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut points).unwrap();
    reader.finish().unwrap();
}

#[test]
fn a_jpeg_loses_position_device_and_thumbnail_and_keeps_its_colours() {
    let profile = segment(0xe2, b"ICC_PROFILE\0\x01\x01colours");
    let extra = [
        segment(0xe0, b"JFXX\0\x10 a thumbnail"),
        segment(0xe1, b"Exif\0\0GPS 33.95N 118.28E"),
        profile.clone(),
        segment(0xe2, b"MPF\0 a second picture"),
        segment(0xed, b"IPTC"),
        segment(0xef, b"whatever"),
        segment(0xfe, b"phone of Zhang"),
    ];
    let with = [photograph(&extra.concat()), b"a film of a phone".to_vec()].concat();
    let kept = cleaned(ContentType::Jpeg, with).unwrap();
    assert_eq!(kept, photograph(&profile));
    // A thumbnail within the plain header may show what was cut off.
    let shown = segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01RGB");
    let with = [&[0xff, 0xd8][..], &shown, &photograph(&[])[20..]].concat();
    assert_eq!(cleaned(ContentType::Jpeg, with).unwrap(), photograph(&[]));
}

/// An Exif block of a camera: the maker, which side is up, and more, in either order of bytes.
fn exif(little: bool, side: u16) -> Vec<u8> {
    let short = |it: u16| if little { it.to_le_bytes() } else { it.to_be_bytes() };
    let long = |it: u32| if little { it.to_le_bytes() } else { it.to_be_bytes() };
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&short(tag)[..], &short(kind), &long(count), &value].concat()
    };
    let [a, b] = short(side);
    [
        if little { &b"II*\0"[..] } else { b"MM\0*" },
        &long(8),
        &short(3),
        &entry(0x010f, 2, 4, *b"Zha\0"),
        &entry(0x0112, 3, 1, [a, b, 0, 0]),
        &entry(0x8825, 4, 1, long(50)),
        &long(0),
        b"GPS 33.95N 118.28E",
    ]
    .concat()
}

// Without them red is green, ink is light, and the picture lies on its side.
#[test]
fn a_picture_keeps_how_it_is_coded_and_which_side_is_up_and_nothing_else() {
    let told = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let side = segment(0xe1, &[b"Exif\0\0", &told[..]].concat());
    for transform in 0..=2 {
        // RGB, YCC or four inks; version, flags and what follows may tell who wrote it.
        let adobe = [b"Adobe\0\x65\x12\x34\x56\x78", &[transform][..], b" of Zhang"].concat();
        let coded = segment(0xee, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat());
        for little in [true, false] {
            let camera = segment(0xe1, &[b"Exif\0\0", &exif(little, 6)[..]].concat());
            let with = photograph(&[segment(0xee, &adobe), camera.clone(), camera].concat());
            let kept = cleaned(ContentType::Jpeg, with.clone()).unwrap();
            assert_eq!(kept, photograph(&[coded.clone(), side.clone()].concat()));
            let bare = bared(ContentType::Jpeg, &with).unwrap();
            assert!(bare.windows(coded.len()).any(|it| it == coded));
            assert!(bare.windows(side.len()).any(|it| it == side));
            assert!(!bare.windows(3).any(|it| it == b"GPS" || it == b"Zha"));
            assert_eq!(bared(ContentType::Jpeg, &bare), Ok(bare));
        }
    }
    // The usual side needs no word; another maker's segment and a broken block tell nothing.
    for dropped in [
        segment(0xe1, &[b"Exif\0\0", &exif(true, 1)[..]].concat()),
        segment(0xe1, &[b"Exif\0\0", &exif(true, 9)[..]].concat()),
        segment(0xe1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0 Zhang"),
        segment(0xee, b"Adobe\0\x64\0\0\0\0\x07"),
        segment(0xee, b"Zhang\0\x64\0\0\0\0\x01"),
    ] {
        assert_eq!(cleaned(ContentType::Jpeg, photograph(&dropped)), Ok(photograph(&[])));
    }
    let with = picture_with(&chunk("eXIf", &exif(true, 6)));
    let kept = bared(ContentType::Png, &with).unwrap();
    assert!(kept.windows(told.len()).any(|it| it == told));
    assert!(!kept.windows(3).any(|it| it == b"GPS"));
    let mut reader = png::Decoder::new(std::io::Cursor::new(&kept)).read_info().unwrap();
    let mut points = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut points).unwrap();
    assert_eq!(bared(ContentType::Png, &kept), Ok(kept));
}

// I21: nor what only the colours and the size on paper tell.
#[test]
fn a_picture_that_is_bared_shows_and_tells_nothing_else() {
    let told = [
        chunk("tEXt", b"Author\0Zhang"),
        chunk("iCCP", b"screen of Zhang\0\0"),
        chunk("pHYs", &[0, 0, 0x0b, 0x13, 0, 0, 0x0b, 0x13, 1]),
        chunk("gAMA", &[0, 0, 0xb1, 0x8f]),
        chunk("eXIf", b"GPS 33.95N"),
    ];
    let bare = bared(ContentType::Png, &picture_with(&told.concat())).unwrap();
    assert_eq!(bare, bared(ContentType::Png, &picture()).unwrap());
    let mut reader = png::Decoder::new(std::io::Cursor::new(&bare)).read_info().unwrap();
    let mut points = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut points).unwrap();
    let told = [
        segment(0xe1, b"Exif\0\0GPS 33.95N"),
        segment(0xe2, b"ICC_PROFILE\0\x01\x01screen of Zhang"),
    ];
    let bare = bared(ContentType::Jpeg, &photograph(&told.concat())).unwrap();
    let plain = [&[0xff, 0xd8][..], &segment(0xe0, super::picture::PLAIN_HEADER)];
    assert_eq!(bare, [plain.concat().as_slice(), &photograph(&[])[20..]].concat());
    for (content_type, content, flaw) in [
        (ContentType::Pdf, pdf(""), Flaw::FileTypeRefused),
        (ContentType::Mp3, b"ID3".to_vec(), Flaw::FileTypeRefused),
        (ContentType::Jpeg, picture(), Flaw::FileTypeDisguised),
        (ContentType::Png, [picture(), EICAR.concat()].concat(), Flaw::FileSuspicious),
        (ContentType::Png, [picture(), b"<script>".to_vec()].concat(), Flaw::FileSuspicious),
    ] {
        assert_eq!(bared(content_type, &content), Err(flaw));
    }
}

#[test]
fn what_is_kept_is_kept_as_it_is_when_it_comes_again() {
    for (content_type, content) in [
        (ContentType::Png, picture_with(&chunk("tEXt", b"a\0b"))),
        (ContentType::Jpeg, photograph(&segment(0xe1, b"Exif\0\0"))),
    ] {
        let kept = cleaned(content_type, content).unwrap();
        assert_eq!(cleaned(content_type, kept.clone()), Ok(kept));
    }
}

#[test]
fn what_would_act_by_itself_is_refused() {
    let eicar = [EICAR[0], EICAR[1], b"!$H+H*"].concat();
    let objects = "/Type/ObjStm /Filter/FlateDecode /N 1 /First 4";
    for (content_type, content) in [
        (ContentType::Mp3, [b"ID3", eicar.as_slice()].concat()),
        (ContentType::Png, [picture(), eicar.clone()].concat()),
        (ContentType::Wav, b"MZ\x90\x00".to_vec()),
        (ContentType::M4a, b"MZ\0\0ftypM4A ".to_vec()),
        (ContentType::Mp3, b"\x7fELF".to_vec()),
        (ContentType::Amr, b"#!/bin/sh".to_vec()),
        (ContentType::Pdf, pdf("/OpenAction<</S/Launch>>")),
        (ContentType::Pdf, pdf("/S /JavaScript /JS (app.alert)")),
        (ContentType::Pdf, pdf("/JS(app.alert)")),
        (ContentType::Pdf, pdf("/S/Launch/F(cmd)")),
        (ContentType::Pdf, pdf("/EmbeddedFile")),
        // The same names, written with codes.
        (ContentType::Pdf, pdf("/J#61vaScript 1")),
        (ContentType::Pdf, pdf("/#4caunc#68 1")),
        // The same names, in compressed objects; and objects that cannot be looked at.
        (ContentType::Pdf, packed(objects, "1 0 <</S/JavaScript>>")),
        (ContentType::Pdf, packed(objects, "1 0 <</JS 7 0 R>>")),
        (ContentType::Pdf, packed("/Type/#4fbjStm/Filter/FlateDecode", "<</S/Launch>>")),
        (ContentType::Pdf, pdf("stream /Type/ObjStm >>\nstream\nendstream")),
    ] {
        let refused = cleaned(content_type, content.clone());
        assert_eq!(refused, Err(Flaw::FileSuspicious), "{}", content.escape_ascii());
    }
}

// What cannot be looked into is told apart from what looks dangerous.
#[test]
fn a_document_that_cannot_be_looked_into_is_refused_as_closed() {
    for content in [
        packed("/Type/ObjStm/Filter/LZWDecode", "<<>>"),
        packed("/Type/ObjStm/Filter/FlateDecode/DecodeParms<</Predictor 12>>", "<<>>"),
        pdf("/ObjStm /FlateDecode stream\nno zlib\nendstream"),
        pdf("/Encrypt 8 0 R"),
        include_bytes!("../documents/r3r-locked.pdf").to_vec(),
        include_bytes!("../documents/r4a-locked.pdf").to_vec(),
        include_bytes!("../documents/r4r-locked.pdf").to_vec(),
        include_bytes!("../documents/r5a-locked.pdf").to_vec(),
        include_bytes!("../documents/r6a-locked.pdf").to_vec(),
    ] {
        let refused = cleaned(ContentType::Pdf, content.clone());
        assert_eq!(refused, Err(Flaw::FileClosed), "{}", content.escape_ascii());
    }
}

// Written by another program (qpdf): copying is forbidden, the password is empty.
#[test]
fn a_document_that_only_forbids_copying_is_looked_into() {
    for (plain, acts) in [
        (
            &include_bytes!("../documents/r3r-plain.pdf")[..],
            &include_bytes!("../documents/r3r-js.pdf")[..],
        ),
        (include_bytes!("../documents/r4r-plain.pdf"), include_bytes!("../documents/r4r-js.pdf")),
        (include_bytes!("../documents/r4a-plain.pdf"), include_bytes!("../documents/r4a-js.pdf")),
        (include_bytes!("../documents/r5a-plain.pdf"), include_bytes!("../documents/r5a-js.pdf")),
        (include_bytes!("../documents/r6a-plain.pdf"), include_bytes!("../documents/r6a-js.pdf")),
    ] {
        assert_eq!(cleaned(ContentType::Pdf, plain.to_vec()), Ok(plain.to_vec()));
        assert_eq!(cleaned(ContentType::Pdf, acts.to_vec()), Err(Flaw::FileSuspicious));
    }
}

#[test]
fn a_document_may_speak_of_what_it_does_not_do() {
    let title = include_bytes!("../documents/title.pdf");
    for content in [
        title.to_vec(),
        pdf("/Title (About /JavaScript \\( and /Launch \\))"),
        pdf("/Title </4a617661>"),
        pdf(" % comes from a tool that knows /JavaScript\n"),
        pdf(">> stream\n(see /JavaScript and /EmbeddedFile) Tj\nendstream <<"),
    ] {
        assert_eq!(cleaned(ContentType::Pdf, content.clone()), Ok(content));
    }
    // A table may point into a string, a comment or a page.
    for content in [
        pdf("/Title (6 0 obj <</S/JavaScript>> endobj)"),
        pdf("% 6 0 obj <</S/JavaScript>> endobj\n"),
        pdf(">> stream\n6 0 obj <</S/Java#53cript>> endobj\nendstream <<"),
        pdf(">> stream\n6 0%x\robj <</S/Launch>> endobj\nendstream <<"),
        packed("/Type/ObjStm/Filter/FlateDecode", "1 0 (<</S/JavaScript>>)"),
    ] {
        let refused = cleaned(ContentType::Pdf, content.clone());
        assert_eq!(refused, Err(Flaw::FileSuspicious), "{}", content.escape_ascii());
    }
}

// 电子凭证: the data of an invoice hangs on its document.
#[test]
fn an_invoice_may_carry_its_data_and_nothing_that_runs() {
    for content in [
        &include_bytes!("../documents/invoice.pdf")[..],
        &include_bytes!("../documents/invoice-r6.pdf")[..],
    ] {
        assert_eq!(cleaned(ContentType::Pdf, content.to_vec()), Ok(content.to_vec()));
    }
    let program = include_bytes!("../documents/program.pdf");
    assert_eq!(cleaned(ContentType::Pdf, program.to_vec()), Err(Flaw::FileSuspicious));
    let file = |dictionary: &str, file: &str| {
        let held = format!("1 0 obj<</EF<</F 2 0 R>>>>endobj 2 0 obj<<{dictionary}>>stream\n");
        format!("%PDF-1.7\n{held}{file}\nendstream endobj\n%%EOF").into_bytes()
    };
    let data = file("/Type/EmbeddedFile", "<?xml version='1.0'?><Invoice/>");
    assert_eq!(cleaned(ContentType::Pdf, data.clone()), Ok(data));
    for content in [
        file("", "<html><body/></html>"),
        file("", "<a><script>x</script></a>"),
        file("", "MZ"),
        // The file that is meant is another one, or stands elsewhere.
        String::from_utf8(file("", "<a/>")).unwrap().replace("2 0 R", "3 0 R").into_bytes(),
        String::from_utf8(file("", "<a/>")).unwrap().replace("<</F 2 0 R>>", " 9 0 R").into_bytes(),
    ] {
        assert_eq!(cleaned(ContentType::Pdf, content), Err(Flaw::FileSuspicious));
    }
}

#[test]
fn a_second_file_behind_the_first_is_refused() {
    let archive = b"PK\x03\x04 a file PK\x01\x02 its entry PK\x05\x06\0\0\0\0\x01\0\x01\0";
    for tail in [
        &archive[..],
        &archive[20..],
        b"\0\0PK\x03\x04 PK\x05\x06\0\0\0\0",
        b"MZ\x90\0",
        b"padding MZ This program cannot be run in DOS mode",
        b"\n<SCRIPT>alert(1)</SCRIPT>",
        b" <?php system(1);",
    ] {
        for (content_type, first) in [
            (ContentType::Png, picture()),
            (ContentType::Jpeg, photograph(&[])),
            (ContentType::Pdf, b"%PDF-1.7\n%%EOF first\n%%EOF".to_vec()),
        ] {
            let content = [first.as_slice(), tail].concat();
            let refused = cleaned(content_type, content);
            assert_eq!(refused, Err(Flaw::FileSuspicious), "{}", tail.escape_ascii());
        }
    }
    let voice = [b"#!AMR\n voice".as_slice(), archive].concat();
    assert_eq!(cleaned(ContentType::Amr, voice), Err(Flaw::FileSuspicious));
}

#[test]
fn a_plain_document_is_kept_as_it_is() {
    let objects = "/Type /ObjStm /Filter /FlateDecode";
    let page = [b"%PDF-1.7 << /Length 9 >> stream\n", b"x/JS /JS ".as_slice(), b"endstream"];
    for content in [
        // A longer name that begins the same is another name.
        pdf("/JSONData 1 /Launcher 2 /JavaScripts 3"),
        packed(objects, "1 0 <</Type/Page /Parent 2 0 R>>"),
        // The bytes of a page hold short names by chance.
        page.concat(),
        b"%PDF-1.7 cut off in a stream".to_vec(),
        b"%PDF-1.4".to_vec(),
    ] {
        assert_eq!(cleaned(ContentType::Pdf, content.clone()), Ok(content));
    }
}

#[test]
fn a_document_that_would_grow_without_end_is_refused() {
    let objects = " ".repeat(super::super::document::OBJECTS_BYTES_MAX + 1);
    let content = packed("/Type /ObjStm /Filter /FlateDecode", &objects);
    assert!(content.len() < 100_000);
    assert_eq!(cleaned(ContentType::Pdf, content), Err(Flaw::FileSuspicious));
}

#[test]
fn a_picture_that_is_none_is_refused() {
    let clean = picture();
    let mut altered = clean.clone();
    altered[45] ^= 1;
    let mut huge = clean.clone();
    huge[16..24].fill(0x7f);
    let none = [&clean[..33], &chunk("IEND", &[])].concat();
    for (content_type, content) in [
        (ContentType::Png, clean[..60].to_vec()),
        (ContentType::Png, clean[..clean.len() - 1].to_vec()),
        (ContentType::Png, clean[..8].to_vec()),
        (ContentType::Png, altered),
        (ContentType::Png, huge),
        (ContentType::Png, none),
        (ContentType::Png, picture_with(&clean[8..33])),
        (ContentType::Jpeg, vec![0xff, 0xd8, 0xff, 0xd9]),
        (ContentType::Jpeg, vec![0xff, 0xd8, 0xff, 0xe0, 0, 1]),
        (ContentType::Jpeg, photograph(&[])[..40].to_vec()),
        (ContentType::Jpeg, photograph(&[0xff, 0xd9])),
        (ContentType::Jpeg, photograph(b"no segment")),
    ] {
        let refused = cleaned(content_type, content.clone());
        assert_eq!(refused, Err(Flaw::FileTypeDisguised), "{}", content.escape_ascii());
    }
}

proptest! {
    // Wherever a canary is hung on outside the scan, it does not come through.
    #[test]
    fn no_canary_survives_in_a_segment_or_a_chunk(
        marker in 0xe0_u8..=0xfe, name in "[a-zA-Z]{4}", lead in proptest::collection::vec(any::<u8>(), 0..20)
    ) {
        let canary = b"canary-5d1c";
        let said = [lead.as_slice(), canary].concat();
        let holds = |kept: &[u8]| kept.windows(canary.len()).any(|window| window == canary);
        if let Ok(kept) = bared(ContentType::Jpeg, &photograph(&segment(marker, &said))) {
            prop_assert!(!holds(&kept), "{marker:x}");
        }
        let drawn = ["PLTE", "tRNS", "IDAT", "IEND"].contains(&name.as_str());
        if let Ok(kept) = bared(ContentType::Png, &picture_with(&chunk(&name, &said))) {
            prop_assert!(drawn || !holds(&kept), "{name}");
        }
    }

    #[test]
    fn no_bytes_panic_and_nothing_is_added(
        tail in proptest::collection::vec(any::<u8>(), 0..400), at in any::<proptest::sample::Index>()
    ) {
        let heads: [(ContentType, Vec<u8>); 7] = [
            (ContentType::Png, picture()[..33].to_vec()),
            (ContentType::Png, picture()),
            (ContentType::Jpeg, photograph(&[])[..20].to_vec()),
            (ContentType::Jpeg, photograph(&[])),
            (ContentType::Pdf, b"%PDF-1.7 /ObjStm/FlateDecode stream\n".to_vec()),
            (ContentType::Pdf, packed("/ObjStm/FlateDecode", "<</Type/Page>>")),
            (ContentType::Mp3, b"ID3".to_vec()),
        ];
        for (content_type, head) in heads {
            // Behind the head, within it, and instead of its end.
            let cut = at.index(head.len() + 1);
            for content in [
                [head.as_slice(), &tail].concat(),
                [&head[..cut], &tail, &head[cut..]].concat(),
                [&head[..cut], &tail].concat(),
            ] {
                if let Ok(kept) = cleaned(content_type, content.clone()) {
                    prop_assert!(kept.len() <= content.len());
                }
            }
        }
    }
}
