//! Documents that are locked with an empty password: whoever has them opens them, and they only ask the
//! reader's program not to copy or to print. The standard handler of ISO 32000, revisions 2 to 6.

use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
        UnboundCipherKey,
    },
    iv::FixedLength,
};
use md5::{Digest as _, Md5};
use sha2::{Sha256, Sha384, Sha512};

use super::lexer::{self, Token};

/// What stands in the place of a password that is shorter.
const PADDING: [u8; 32] = [
    0x28, 0xbf, 0x4e, 0x5e, 0x4e, 0x75, 0x8a, 0x41, 0x64, 0x00, 0x4e, 0x56, 0xff, 0xfa, 0x01, 0x08,
    0x2e, 0x2e, 0x00, 0xb6, 0xd0, 0x68, 0x3e, 0x80, 0x2f, 0x0c, 0xa9, 0xfe, 0x64, 0x53, 0x69, 0x7a,
];

/// How streams are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Rc4,
    Aes,
    /// Whose key is that of the document for every object.
    Aes256,
}

/// What opens the streams of a document.
pub(super) struct Key {
    key: Vec<u8>,
    cipher: Cipher,
}

/// What a document says about its lock.
#[derive(Default)]
struct Lock {
    revision: i64,
    bits: i64,
    permissions: i64,
    method: Vec<u8>,
    standard: bool,
    metadata_open: bool,
    owner: Vec<u8>,
    user: Vec<u8>,
    user_key: Vec<u8>,
}

/// The key of a document whose password is empty; `None` where it is another, or the lock is none of
/// those that are known.
pub(super) fn key(content: &[u8]) -> Option<Key> {
    let lock = lock(content)?;
    if !lock.standard {
        return None;
    }
    let cipher = match (lock.revision, lock.method.as_slice()) {
        (2 | 3, _) | (4, b"V2") => Cipher::Rc4,
        (4, b"AESV2") => Cipher::Aes,
        (5 | 6, b"AESV3") => Cipher::Aes256,
        _ => return None,
    };
    let key = match lock.revision {
        2..=4 => older_key(&lock, &document_id(content))?,
        _ => newer_key(&lock)?,
    };
    Some(Key { key, cipher })
}

impl Key {
    /// What a stream of an object says.
    pub(super) fn open(&self, number: u32, generation: u32, body: &[u8]) -> Option<Vec<u8>> {
        if self.cipher == Cipher::Aes256 {
            return aes_open(&self.key, body);
        }
        let (number, generation) = (number.to_le_bytes(), generation.to_le_bytes());
        let object = [number.get(..3)?, generation.get(..2)?].concat();
        let mut own = Md5::new().chain_update(&self.key).chain_update(object);
        if self.cipher == Cipher::Aes {
            own.update(b"sAlT");
        }
        let own = own.finalize();
        let own = own.get(..self.key.len().saturating_add(5).min(16))?;
        if self.cipher == Cipher::Aes { aes_open(own, body) } else { Some(rc4(own, body)) }
    }
}

/// The dictionary of the lock: the one that has both checks of a password in it.
fn lock(content: &[u8]) -> Option<Lock> {
    let (mut lock, mut name) = (Lock::default(), Vec::new());
    for token in lexer::outside(content) {
        match token {
            Token::Name(value) => {
                let value = lexer::decoded(value);
                match name.as_slice() {
                    b"Filter" if value == b"Standard" => lock.standard = true,
                    b"CFM" => lock.method.clone_from(&value),
                    _ => {}
                }
                name = value;
            }
            Token::Skipped(string) => match name.as_slice() {
                b"O" => lock.owner = lexer::said(string),
                b"U" => lock.user = lexer::said(string),
                b"UE" => lock.user_key = lexer::said(string),
                _ => {}
            },
            Token::Word(b"endobj" | b"trailer" | b"startxref") => {
                if lock.is_whole() {
                    return Some(lock);
                }
                (lock, name) = (Lock::default(), Vec::new());
            }
            Token::Word(word) => {
                let number = std::str::from_utf8(word).ok().and_then(|it| it.parse().ok());
                match (name.as_slice(), number) {
                    (b"R", Some(revision)) => lock.revision = revision,
                    (b"Length", Some(bits)) => lock.bits = lock.bits.max(bits),
                    (b"P", Some(permissions)) => lock.permissions = permissions,
                    (b"EncryptMetadata", None) => lock.metadata_open = word == b"false",
                    _ => {}
                }
            }
            Token::Sign(_) | Token::End => {}
        }
    }
    Some(lock).filter(Lock::is_whole)
}

impl Lock {
    fn is_whole(&self) -> bool {
        self.user.len() >= 32 && self.owner.len() >= 32
    }
}

/// The first part of the document's identity: the last that is given counts.
fn document_id(content: &[u8]) -> Vec<u8> {
    let (mut id, mut next) = (Vec::new(), false);
    for token in lexer::outside(content) {
        match token {
            Token::Name(name) => next = lexer::decoded(name) == b"ID",
            Token::Skipped(string) if next => {
                id = lexer::said(string);
                next = false;
            }
            _ => {}
        }
    }
    id
}

/// Revisions 2 to 4: the key is made of what is public, and the check is sealed with it.
fn older_key(lock: &Lock, id: &[u8]) -> Option<Vec<u8>> {
    let length = match lock.revision {
        2 => 5,
        // A length of bytes is found too.
        _ if lock.method == b"AESV2" => 16,
        _ => usize::try_from(lock.bits / 8).ok().filter(|it| (5..=16).contains(it)).unwrap_or(16),
    };
    let [a, b, c, d, ..] = lock.permissions.to_le_bytes();
    let mut hash = Md5::new()
        .chain_update(PADDING)
        .chain_update(lock.owner.get(..32)?)
        .chain_update([a, b, c, d])
        .chain_update(id);
    if lock.revision == 4 && lock.metadata_open {
        hash.update([0xff; 4]);
    }
    let mut key = hash.finalize().to_vec();
    if lock.revision > 2 {
        for _ in 0..50 {
            key = Md5::digest(key.get(..length)?).to_vec();
        }
    }
    key.truncate(length);
    let fits = if lock.revision == 2 {
        rc4(&key, &PADDING) == lock.user
    } else {
        let mut check = Md5::new().chain_update(PADDING).chain_update(id).finalize().to_vec();
        for round in 0..20_u8 {
            let turned: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
            check = rc4(&turned, &check);
        }
        lock.user.get(..16) == check.get(..16)
    };
    fits.then_some(key)
}

/// Revisions 5 and 6: the key lies sealed beside the check.
fn newer_key(lock: &Lock) -> Option<Vec<u8>> {
    let hash = |salt: &[u8]| {
        if lock.revision == 5 { Some(Sha256::digest(salt).to_vec()) } else { hardened(salt) }
    };
    if hash(lock.user.get(32..40)?)?.get(..32) != lock.user.get(..32) {
        return None;
    }
    let seal = hash(lock.user.get(40..48)?)?;
    let mut key = lock.user_key.get(..32)?.to_vec();
    cbc_open(&seal, [0; 16], &mut key)?;
    Some(key)
}

/// The hash of revision 6, of an empty password.
fn hardened(salt: &[u8]) -> Option<Vec<u8>> {
    let mut hash = Sha256::digest(salt).to_vec();
    let mut round = 0_u8;
    loop {
        let mut block = hash.repeat(64);
        let key = UnboundCipherKey::new(&AES_128, hash.get(..16)?).ok()?;
        let start: [u8; 16] = *hash.get(16..)?.first_chunk()?;
        let start = EncryptionContext::Iv128(FixedLength::from(start));
        EncryptingKey::cbc(key).ok()?.less_safe_encrypt(&mut block, start).ok()?;
        let sum: u32 = block.get(..16)?.iter().map(|byte| u32::from(*byte)).sum();
        hash = match sum % 3 {
            0 => Sha256::digest(&block).to_vec(),
            1 => Sha384::digest(&block).to_vec(),
            _ => Sha512::digest(&block).to_vec(),
        };
        if round >= 63 && block.last().copied()? <= round.saturating_sub(32) {
            hash.truncate(32);
            return Some(hash);
        }
        round = round.checked_add(1)?;
    }
}

/// What was sealed with AES: the start first, and filled up to whole blocks.
fn aes_open(key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (start, body) = sealed.split_first_chunk::<16>()?;
    let mut body = body.get(..body.len() - body.len() % 16)?.to_vec();
    cbc_open(key, *start, &mut body)?;
    let filled = usize::from(*body.last()?);
    let length = body.len().checked_sub(filled).filter(|_| (1..=16).contains(&filled))?;
    body.truncate(length);
    Some(body)
}

fn cbc_open(key: &[u8], start: [u8; 16], body: &mut [u8]) -> Option<()> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = DecryptingKey::cbc(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    key.decrypt(body, DecryptionContext::Iv128(FixedLength::from(start))).ok()?;
    Some(())
}

/// RC4, by which old documents are sealed: nothing is kept secret by it here.
fn rc4(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut state: Vec<u8> = (0..=255).collect();
    let at = |state: &[u8], index: u8| state.get(usize::from(index)).copied().unwrap_or_default();
    let mut j = 0_u8;
    for (i, turn) in (0..=255_u8).zip(key.iter().cycle()) {
        j = j.wrapping_add(at(&state, i)).wrapping_add(*turn);
        state.swap(usize::from(i), usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    let mut next = || {
        i = i.wrapping_add(1);
        j = j.wrapping_add(at(&state, i));
        state.swap(usize::from(i), usize::from(j));
        at(&state, at(&state, i).wrapping_add(at(&state, j)))
    };
    message.iter().map(|byte| byte ^ next()).collect()
}
