//! Pictures without what they tell beside themselves: only what is needed to draw them is kept, and
//! what follows their end is given back apart. Nothing is decoded here.

use flate2::Crc;

/// More points than any camera has: such a picture is made to exhaust who draws it.
const POINTS_MAX: u64 = 1 << 28;

/// A JFIF header that says nothing: no resolution, no thumbnail.
pub(super) const PLAIN_HEADER: &[u8] = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

/// What is kept beside what is needed to draw a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// How its colours look, and how large it is on paper.
    Colours,
    /// Nothing.
    Nothing,
}

/// A picture as it is kept, and what followed its end.
pub(super) struct Drawn<'a> {
    pub(super) kept: Vec<u8>,
    pub(super) tail: &'a [u8],
}

/// A JPEG of its frame, tables and scans. Of the application's segments only what says how it is drawn
/// stays: the plain JFIF header, the colour profile, which side is up and how the colours are coded.
/// Exif with its position, XMP, IPTC, thumbnails and comments go.
pub(super) fn jpeg(content: &[u8], also: Kept) -> Option<Drawn<'_>> {
    let mut rest = content.strip_prefix(&[0xff, 0xd8])?;
    let mut kept = vec![0xff, 0xd8];
    let (mut framed, mut scanned) = (false, false);
    // Each is told once.
    let (mut turned, mut coded) = (Vec::new(), Vec::new());
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
                return scanned.then_some(Drawn { kept, tail: after });
            }
            0x01 | 0xd0..=0xd7 => {
                kept.extend([0xff, marker]);
                rest = after;
                continue;
            }
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
        let data = after.get(2..length)?;
        rest = after.get(length..)?;
        match marker {
            0xe0 => kept.extend(header(data, also)),
            0xe1 if turned.is_empty() => {
                turned = exif(data);
                kept.extend(&turned);
            }
            0xee if coded.is_empty() => {
                coded = coding(data);
                kept.extend(&coded);
            }
            _ if needed(marker, data, also) => {
                kept.extend([0xff, marker]);
                kept.extend(after.get(..length)?);
            }
            _ => {}
        }
        if is_frame(marker) {
            let height = u64::from(u16::from_be_bytes(*data.get(1..)?.first_chunk()?));
            let width = u64::from(u16::from_be_bytes(*data.get(3..)?.first_chunk()?));
            framed = height.saturating_mul(width) <= POINTS_MAX && width > 0;
        }
        if marker == 0xda {
            scanned = framed;
            let scan = scan_length(rest);
            kept.extend(rest.get(..scan)?);
            rest = rest.get(scan..)?;
        }
    }
}

/// The JFIF header without its thumbnail, which may show what was cut off; nothing of any other.
fn header(data: &[u8], also: Kept) -> Vec<u8> {
    match data.get(..12) {
        Some(plain) if plain.starts_with(b"JFIF\0") && also == Kept::Nothing => {
            [&[0xff, 0xe0, 0, 16], PLAIN_HEADER].concat()
        }
        Some(plain) if plain.starts_with(b"JFIF\0") => {
            [&[0xff, 0xe0, 0, 16], plain, &[0, 0]].concat()
        }
        _ => Vec::new(),
    }
}

/// How a camera was held, of all that Exif tells: without it the picture lies on its side.
fn exif(data: &[u8]) -> Vec<u8> {
    let turned = data.strip_prefix(b"Exif\0\0").and_then(orientation);
    turned.map_or_else(Vec::new, |turned| {
        let told = oriented(turned);
        let length = u16::try_from(told.len()).unwrap_or_default().saturating_add(8).to_be_bytes();
        [&[0xff, 0xe1], length.as_slice(), b"Exif\0\0", &told].concat()
    })
}

/// Which side is up, where Exif says another one than the picture's own.
fn orientation(tiff: &[u8]) -> Option<u8> {
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let bytes = *tiff.get(4..)?.first_chunk()?;
    let directory = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
    let directory = usize::try_from(directory).ok()?;
    let count = usize::from(short(directory)?);
    let entries = (0..count).map(|at| directory.saturating_add(2 + at * 12));
    let mut entries = entries.take_while(|at| at.saturating_add(12) <= tiff.len());
    let entry = entries.find(|at| short(*at) == Some(0x0112))?;
    u8::try_from(short(entry.saturating_add(8))?).ok().filter(|turned| (2..=8).contains(turned))
}

/// An Exif block that tells which side is up, and nothing else.
fn oriented(turned: u8) -> Vec<u8> {
    let mut told = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    told.extend([turned, 0, 0, 0, 0, 0, 0]);
    told
}

/// How the colours are coded (Adobe's segment): without it RGB is read as if it were YCC, and four inks
/// as their opposites. What wrote it, and how, goes.
fn coding(data: &[u8]) -> Vec<u8> {
    match data.get(..12) {
        Some([b'A', b'd', b'o', b'b', b'e', .., transform @ 0..=2]) => {
            [&[0xff, 0xee, 0, 14], b"Adobe\0\x64\0\0\0\0".as_slice(), &[*transform]].concat()
        }
        _ => Vec::new(),
    }
}

/// Whether a segment says how a picture is drawn: frames, tables, scans, the colour profile.
fn needed(marker: u8, data: &[u8], also: Kept) -> bool {
    match marker {
        0xc4 | 0xcc | 0xda..=0xdd => true,
        0xe2 => also == Kept::Colours && data.starts_with(b"ICC_PROFILE\0"),
        _ => is_frame(marker),
    }
}

const fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf)
}

/// How long the entropy-coded bytes are: until a marker that is neither a stuffed byte nor a
/// restart.
fn scan_length(content: &[u8]) -> usize {
    let ends =
        |pair: &[u8]| matches!(pair, [0xff, marker] if !matches!(marker, 0x00 | 0xd0..=0xd7));
    content.windows(2).position(ends).unwrap_or(content.len())
}

/// A PNG of its critical chunks and those that say how it is drawn, each with a right check sum;
/// texts, times and Exif go, but for which side is up.
pub(super) fn png(content: &[u8], also: Kept) -> Option<Drawn<'_>> {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    const NEEDED: &[&[u8]] = &[b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS"];
    const COLOURS: &[&[u8]] = &[b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs", b"cICP"];
    let mut rest = content.strip_prefix(SIGNATURE)?;
    let mut kept = SIGNATURE.to_vec();
    let (mut begun, mut drawn, mut turned) = (false, false, false);
    loop {
        let length = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        let chunk = rest.get(..length.checked_add(12)?)?;
        rest = rest.get(chunk.len()..)?;
        let name = chunk.get(4..8)?;
        if begun == (name == b"IHDR") || (!begun && !is_drawable(chunk.get(8..21)?)) {
            return None;
        }
        begun = true;
        if name == b"eXIf" && !turned {
            let told = chunk.get(8..).and_then(|it| it.split_last_chunk::<4>());
            let side = told.and_then(|(told, _)| orientation(told));
            kept.extend(side.map_or_else(Vec::new, |side| png_chunk(*b"eXIf", &oriented(side))));
            turned = side.is_some();
        }
        if NEEDED.contains(&name) || (also == Kept::Colours && COLOURS.contains(&name)) {
            let (said, sum) = chunk.get(4..)?.split_last_chunk()?;
            if crc(said) != u32::from_be_bytes(*sum) {
                return None;
            }
            kept.extend(chunk);
        }
        drawn |= name == b"IDAT";
        if name == b"IEND" {
            return (drawn && length == 0).then_some(Drawn { kept, tail: rest });
        }
    }
}

fn png_chunk(name: [u8; 4], said: &[u8]) -> Vec<u8> {
    let length = u32::try_from(said.len()).unwrap_or_default().to_be_bytes();
    let said = [name.as_slice(), said].concat();
    [length.as_slice(), &said, &crc(&said).to_be_bytes()].concat()
}

/// Whether the header of a PNG names a size that can be drawn.
fn is_drawable(header: &[u8]) -> bool {
    let side = |from: usize| {
        let bytes = header.get(from..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)))
    };
    (1..=POINTS_MAX).contains(&side(0).saturating_mul(side(4)))
}

/// The check sum of a chunk (ISO 3309).
fn crc(content: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(content);
    crc.sum()
}
