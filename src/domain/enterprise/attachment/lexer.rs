//! The words of a PDF: names, numbers and keywords, and what is passed over between them (strings and
//! comments). What they mean is not known here.

/// A piece of a PDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Behind a slash, as it is written.
    Name(&'a [u8]),
    /// A number or a keyword.
    Word(&'a [u8]),
    /// `<<`, `>>` or a bracket.
    Sign(&'a [u8]),
    /// A string or a comment.
    Skipped(&'a [u8]),
    /// Nothing more.
    End,
}

/// The next piece from there on, and where what follows it begins.
pub(super) fn next(content: &[u8], place: usize) -> (Token<'_>, usize) {
    let rest = content.get(place..).unwrap_or_default();
    let blank = rest.iter().take_while(|byte| is_blank(**byte)).count();
    let (start, rest) = (place.saturating_add(blank), rest.get(blank..).unwrap_or_default());
    let (token, length) = match rest {
        [] => return (Token::End, start),
        [b'/', name @ ..] => {
            let name = regular(name);
            (Token::Name(name), name.len().saturating_add(1))
        }
        [b'%', ..] => skipped(rest, rest.iter().take_while(|it| !b"\r\n".contains(it)).count()),
        [b'(', ..] => skipped(rest, string_length(rest)),
        [b'<', b'<', ..] | [b'>', b'>', ..] => sign(rest, 2),
        [b'<', ..] => {
            let length = rest.iter().take_while(|byte| **byte != b'>').count();
            skipped(rest, length.saturating_add(1).min(rest.len()))
        }
        [byte, ..] if is_delimiter(*byte) => sign(rest, 1),
        _ => {
            let word = regular(rest);
            (Token::Word(word), word.len())
        }
    };
    (token, start.saturating_add(length))
}

/// Every piece that stands outside of streams.
pub(super) fn outside(content: &[u8]) -> impl Iterator<Item = Token<'_>> {
    const ENDS: &[u8] = b"endstream";
    let mut place = 0;
    std::iter::from_fn(move || {
        let (token, after) = next(content, place);
        place = after;
        if matches!(token, Token::Word(word) if word.starts_with(b"stream")) {
            let rest = content.get(after..).unwrap_or_default();
            let ends = rest.windows(ENDS.len()).position(|window| window == ENDS);
            place = after.saturating_add(ends.unwrap_or(rest.len()));
        }
        (token != Token::End).then_some(token)
    })
}

fn sign(rest: &[u8], length: usize) -> (Token<'_>, usize) {
    (Token::Sign(rest.get(..length).unwrap_or_default()), length)
}

fn skipped(rest: &[u8], length: usize) -> (Token<'_>, usize) {
    (Token::Skipped(rest.get(..length).unwrap_or_default()), length)
}

fn regular(content: &[u8]) -> &[u8] {
    let ends = |byte: &u8| is_blank(*byte) || is_delimiter(*byte);
    let length = content.iter().position(ends).unwrap_or(content.len());
    content.get(..length).unwrap_or_default()
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// How long a string in parentheses is, those within it and behind a backslash included.
fn string_length(rest: &[u8]) -> usize {
    let (mut deep, mut escaped) = (0_usize, false);
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => deep = deep.saturating_add(1),
            b')' => {
                deep = deep.saturating_sub(1);
                if deep == 0 {
                    return at.saturating_add(1);
                }
            }
            _ => {}
        }
    }
    rest.len()
}

/// What a string says.
pub(super) fn said(string: &[u8]) -> Vec<u8> {
    match string {
        [b'<', digits @ ..] => {
            let digits = digits.iter().filter_map(|byte| char::from(*byte).to_digit(16));
            let mut digits: Vec<u8> = digits.filter_map(|it| u8::try_from(it).ok()).collect();
            if digits.len() % 2 == 1 {
                digits.push(0);
            }
            digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, it| (byte << 4) | it)).collect()
        }
        [b'(', within @ .., b')'] => unescaped(within),
        _ => Vec::new(),
    }
}

fn unescaped(within: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    let mut rest = within;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            said.push(*byte);
            continue;
        }
        let octal = rest.iter().take(3).take_while(|it| (b'0'..=b'7').contains(*it)).count();
        if octal > 0 {
            let digits = rest.get(..octal).unwrap_or_default();
            said.push(
                digits.iter().fold(0_u8, |it, digit| it.wrapping_mul(8).wrapping_add(digit - b'0')),
            );
            rest = rest.get(octal..).unwrap_or_default();
            continue;
        }
        let Some((byte, after)) = rest.split_first() else { break };
        rest = after;
        match byte {
            b'n' => said.push(b'\n'),
            b'r' => said.push(b'\r'),
            b't' => said.push(b'\t'),
            b'b' => said.push(8),
            b'f' => said.push(0x0c),
            b'\r' => rest = rest.strip_prefix(b"\n").unwrap_or(rest),
            b'\n' => {}
            other => said.push(*other),
        }
    }
    said
}

/// A name without its codes: `#4a` stands for a byte.
pub(super) fn decoded(name: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'#', [high, low, behind @ ..]) => match digit(*high).zip(digit(*low)) {
                Some((high, low)) => {
                    decoded.push((high << 4) | low);
                    rest = behind;
                }
                None => decoded.push(b'#'),
            },
            _ => decoded.push(*byte),
        }
    }
    decoded
}

/// Whether a name is used, whatever stands around it, and not merely a longer one that begins the same.
pub(super) fn uses(content: &[u8], name: &[u8]) -> bool {
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| *byte == b'/') {
        rest = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let longest = rest.get(..rest.len().min(name.len().saturating_mul(3) + 1));
        if decoded(regular(longest.unwrap_or_default())) == name {
            return true;
        }
    }
    false
}
