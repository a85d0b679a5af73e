//! The sealed export of a conversation: JSON lines whose links and signature tell any change. It is
//! verified without the service, by `jingqi verify` or anybody who reads this file.
//!
//! Line 1 is the head (what was exported, by whom, why). Then every message with its link: SHA-256
//! of the link before and of its fields (`message.rs`). The last line is the foot: the number of
//! messages, the last link, and an Ed25519 signature of the SHA-256 of every line before it, of the
//! number, of the last link and of the key's id. Content that was taken back is in the export: it is a record.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::{Message, MessageKind};
use crate::{
    crypto::{self, SigningKey, Suite, VerifyingKey, hex, unhex},
    error::{Error, Result},
    id::Id,
};

/// What the first line names.
const FORMAT: &str = "jingqi-conversation-export/1";

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    format: String,
    /// conversations/...
    pub conversation: String,
    /// enterprises/...
    pub enterprise: String,
    /// liaisonPosts/...
    pub liaison_post: String,
    /// officers/...
    pub exported_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub export_time: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    conversation: Uuid,
    sequence: i64,
    sender: String,
    device: Option<Uuid>,
    client_message_id: Option<Uuid>,
    kind: MessageKind,
    text: String,
    detail: String,
    attachment: Option<Uuid>,
    target_sequence: Option<i64>,
    create_time: Timestamp,
    recall_time: Option<Timestamp>,
    link: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Foot {
    messages: i64,
    last_link: String,
    kid: String,
    signature: String,
}

/// An export that is being written.
#[derive(Debug)]
pub struct Writer {
    document: Vec<u8>,
    messages: i64,
    last_link: [u8; 32],
}

impl Head {
    /// The head of an export.
    #[must_use]
    pub fn new(
        conversation: String,
        enterprise: String,
        liaison_post: String,
        exported_by: String,
        reason: String,
        export_time: Timestamp,
    ) -> Self {
        let format = FORMAT.to_owned();
        Self { format, conversation, enterprise, liaison_post, exported_by, reason, export_time }
    }
}

impl Writer {
    /// Begins with the head.
    pub fn begin(head: &Head) -> Result<Self> {
        let mut writer = Self { document: Vec::new(), messages: 0, last_link: [0; 32] };
        writer.line(head)?;
        Ok(writer)
    }

    /// Adds a message, originals and all.
    pub fn message(&mut self, message: &Message) -> Result<()> {
        let (device, client_message_id) = message.sent_as.unzip();
        self.line(&Line {
            conversation: message.conversation.uuid(),
            sequence: message.sequence,
            sender: message.sender.clone(),
            device,
            client_message_id,
            kind: message.kind,
            text: message.body.clone(),
            detail: message.detail.clone(),
            attachment: message.attachment,
            target_sequence: message.target,
            create_time: message.create_time,
            recall_time: message.recall_time,
            link: hex(&message.chain),
        })?;
        self.messages = self.messages.saturating_add(1);
        self.last_link = message.chain;
        Ok(())
    }

    /// How long it is by now.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.document.len()
    }

    /// Signs, and gives the document.
    pub fn seal(mut self, kid: &str, key: &SigningKey) -> Result<Vec<u8>> {
        let signed = signed(&self.document, self.messages, &self.last_link, kid);
        let signature = key.sign(&signed).map_err(Error::internal)?;
        let foot = Foot {
            messages: self.messages,
            last_link: hex(&self.last_link),
            kid: kid.to_owned(),
            signature: hex(&signature),
        };
        self.line(&foot)?;
        Ok(self.document)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.document, value).map_err(Error::internal)?;
        self.document.push(b'\n');
        Ok(())
    }
}

/// What a sound export says.
#[derive(Debug)]
pub struct Verified {
    /// What was exported.
    pub head: Head,
    /// How many messages.
    pub messages: i64,
    /// The key that signed it.
    pub kid: String,
}

/// What is wrong with an export, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A line, counted from 1, is not what it should be.
    Line(usize),
    /// A message is missing, moved or from another conversation: the sequence that was expected.
    Sequence(i64),
    /// A field of this message was changed.
    Link(i64),
    /// The foot does not belong to the lines before it.
    Foot,
    /// The signature is not of the key.
    Signature,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(f, "第{line}行格式不正确"),
            Self::Sequence(sequence) => write!(f, "缺少或移动了第{sequence}条消息"),
            Self::Link(sequence) => write!(f, "第{sequence}条消息被改动"),
            Self::Foot => f.write_str("结尾与内容不符"),
            Self::Signature => f.write_str("签名不正确"),
        }
    }
}

/// Verifies an export against the public key that is trusted.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(document: &[u8], key: &VerifyingKey) -> Result<Verified, Broken> {
    let text = std::str::from_utf8(document).map_err(|_| Broken::Line(1))?;
    let body = text.strip_suffix('\n').ok_or(Broken::Foot)?;
    let (before, foot) = body.rsplit_once('\n').ok_or(Broken::Foot)?;
    let foot: Foot = serde_json::from_str(foot).map_err(|_| Broken::Foot)?;
    let mut lines = before.lines();
    let head: Head = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .filter(|head: &Head| head.format == FORMAT)
        .ok_or(Broken::Line(1))?;
    let mut last_link = [0; 32];
    let mut messages = 0_i64;
    for (at, line) in lines.enumerate() {
        let line: Line = serde_json::from_str(line).map_err(|_| Broken::Line(at + 2))?;
        let expected = messages.saturating_add(1);
        let message = read(&line).ok_or(Broken::Line(at + 2))?;
        if message.sequence != expected || message.conversation.to_string() != head.conversation {
            return Err(Broken::Sequence(expected));
        }
        if message.link(&last_link) != message.chain {
            return Err(Broken::Link(expected));
        }
        last_link = message.chain;
        messages = expected;
    }
    if foot.messages != messages || foot.last_link != hex(&last_link) {
        return Err(Broken::Foot);
    }
    // The lines before the foot, the last line break included.
    let lines = document.get(..=before.len()).ok_or(Broken::Foot)?;
    let told = signed(lines, messages, &last_link, &foot.kid);
    let signature = unhex(&foot.signature).ok_or(Broken::Foot)?;
    if !key.verify(&told, &signature) {
        return Err(Broken::Signature);
    }
    Ok(Verified { head, messages, kid: foot.kid })
}

fn signed(lines: &[u8], messages: i64, last_link: &[u8; 32], kid: &str) -> Vec<u8> {
    let digest = crypto::digest(Suite::Intl, lines);
    [FORMAT.as_bytes(), &digest, &messages.to_be_bytes(), last_link, kid.as_bytes()].concat()
}

fn read(line: &Line) -> Option<Message> {
    Some(Message {
        conversation: Id::of(line.conversation),
        sequence: line.sequence,
        sender: line.sender.clone(),
        sent_as: line.device.zip(line.client_message_id),
        digest: [0; 32],
        kind: line.kind,
        body: line.text.clone(),
        detail: line.detail.clone(),
        attachment: line.attachment,
        target: line.target_sequence,
        create_time: line.create_time,
        recall_time: line.recall_time,
        chain: unhex(&line.link)?.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::{Broken, Head, Writer, verify};
    use crate::{
        crypto::{SigningKey, Suite, VerifyingKey},
        domain::liaison::message::{Message, MessageKind},
        id::{Id, kind},
    };

    fn key() -> SigningKey {
        SigningKey::from_bytes(Suite::Intl, &[7; 32]).unwrap()
    }

    fn document() -> Vec<u8> {
        let conversation: Id<kind::Conversation> = Id::of(Uuid::from_u128(1));
        let head = Head::new(
            conversation.to_string(),
            String::new(),
            String::new(),
            "officers/1".to_owned(),
            "核查投诉".to_owned(),
            Timestamp::UNIX_EPOCH,
        );
        let mut writer = Writer::begin(&head).unwrap();
        let mut before = [0; 32];
        for sequence in 1..=3 {
            let mut message = Message {
                conversation,
                sequence,
                sender: "persons/1".to_owned(),
                sent_as: Some((Uuid::from_u128(2), Uuid::from_u128(3))),
                digest: [0; 32],
                kind: MessageKind::Text,
                body: format!("第{sequence}句"),
                detail: String::new(),
                attachment: None,
                target: None,
                create_time: Timestamp::UNIX_EPOCH,
                recall_time: None,
                chain: [0; 32],
            };
            message.chain = message.link(&before);
            before = message.chain;
            writer.message(&message).unwrap();
        }
        writer.seal("00000001", &key()).unwrap()
    }

    fn judged(document: &[u8]) -> Result<i64, Broken> {
        let public = VerifyingKey::from_bytes(Suite::Intl, &key().public_key()).unwrap();
        verify(document, &public).map(|verified| verified.messages)
    }

    // CH-19: an export is sound, and any change is found.
    #[test]
    fn any_change_to_an_export_is_found() {
        let whole = document();
        assert_eq!(judged(&whole), Ok(3));
        let text = String::from_utf8(whole.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let join = |lines: &[&str]| format!("{}\n", lines.join("\n")).into_bytes();
        let [head, first, second, third, foot] = lines[..] else { panic!("five lines") };
        for (changed, expected) in [
            (join(&[head, first, third, foot]), Broken::Sequence(2)),
            (join(&[head, second, first, third, foot]), Broken::Sequence(1)),
            (
                join(&[head, first, &second.replace("第2句", "第二句"), third, foot]),
                Broken::Link(2),
            ),
            (join(&[head, first, second, foot]), Broken::Foot),
            (join(&[head, first, second, third]), Broken::Foot),
            (
                join(&[&head.replace("核查投诉", "核查"), first, second, third, foot]),
                Broken::Signature,
            ),
            (Vec::new(), Broken::Foot),
        ] {
            assert_eq!(judged(&changed), Err(expected), "{}", String::from_utf8_lossy(&changed));
        }
        // A byte anywhere.
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(judged(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_key_is_not_trusted() {
        let other = SigningKey::from_bytes(Suite::Intl, &[8; 32]).unwrap();
        let other = VerifyingKey::from_bytes(Suite::Intl, &other.public_key()).unwrap();
        assert_eq!(verify(&document(), &other).unwrap_err(), Broken::Signature);
    }
}
