//! A message and its link in the hash chain of its conversation. Who may send is not judged here.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    crypto::{self, Suite},
    error::{Faults, Flaw},
    id::{Id, kind},
    named::named,
};

/// The longest text, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 2_000;
/// The longest caption or label, in characters.
pub const CAPTION_CHARACTERS_MAX: usize = 200;

named! {
/// What a message is.
MessageKind {
    /// Words.
    Text = "TEXT", "文字";
    /// A picture.
    Image = "IMAGE", "图片";
    /// A document.
    File = "FILE", "文件";
    /// Spoken words.
    Voice = "VOICE", "语音";
    /// A place.
    Location = "LOCATION", "位置";
    /// A truck pass of the enterprise.
    PassCard = "PASS_CARD", "通行证卡片";
    /// A request or complaint of the enterprise.
    ComplaintCard = "COMPLAINT_CARD", "诉求卡片";
    /// Written by the system.
    SystemNotice = "SYSTEM_NOTICE", "系统提示";
    /// Takes an earlier message back.
    Recall = "RECALL", "撤回";
}
}

named! {
/// What a notice tells.
NoticeCode {
    /// The first thing that everybody reads.
    NotAnAlarm = "NOT_AN_ALARM", "本直通车不是报警渠道。紧急情况请立即拨打110。";
    /// Words of emergency were read.
    CallEmergency = "CALL_110", "如遇紧急危险,请立即拨打110报警。本直通车不能替代报警。";
    /// Nobody is on duty.
    OffDuty = "OFF_DUTY", "当前为非值班时间";
    /// On duty, but nobody holds the conversation yet.
    Claimed = "CLAIMED", "警务专员已接手";
    /// A colleague goes on.
    Transferred = "TRANSFERRED", "已转由同岗位警务专员继续办理";
    /// Back in the queue.
    Returned = "RETURNED_TO_QUEUE", "已转回队列,将由其他警务专员尽快接手";
    /// Settled.
    Closed = "CLOSED", "本次服务已办结,请评价";
    /// Asked again to rate.
    RateReminder = "RATE_REMINDER", "您尚未评价上次服务,欢迎评价";
    /// Handed to the complaint service.
    RequestCreated = "REQUEST_CREATED", "已转为诉求登记";
}
}

/// A place.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What it is called.
    pub label: String,
}

/// What a client wants to say: parsed, complete for its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Words.
    Text(String),
    /// A file of a kind, with a caption.
    Attached(MessageKind, Id<kind::Attachment>, String),
    /// A place.
    Location(Place),
    /// A truck pass of the enterprise.
    PassCard(Id<kind::TruckPass>, String),
    /// A request or complaint; its service answers for it.
    ComplaintCard(Uuid, String),
    /// Written by the system: what it tells, and the whole sentence.
    Notice(NoticeCode, String),
    /// Takes the message with this sequence back.
    Recall(i64),
}

/// What a client sends, as it sends it: texts are cleaned by the caller.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// The wire name of the kind.
    pub kind: &'static str,
    /// Text or caption.
    pub text: String,
    /// attachments/...
    pub attachment: String,
    /// The place.
    pub place: Option<Place>,
    /// truckPasses/... or complaints/...
    pub card: String,
}

impl Content {
    /// Reads a form, with every fault that it has.
    pub fn parse(form: Form, faults: &mut Faults) -> Option<Self> {
        let Some(kind) = MessageKind::from_wire(form.kind) else {
            faults.add("kind", Flaw::Required);
            return None;
        };
        let longest = match kind {
            MessageKind::Text => TEXT_CHARACTERS_MAX,
            _ => CAPTION_CHARACTERS_MAX,
        };
        faults.check(form.text.chars().count() <= longest, "text", Flaw::TooLong);
        let attached = matches!(kind, MessageKind::Image | MessageKind::File | MessageKind::Voice);
        let card = matches!(kind, MessageKind::PassCard | MessageKind::ComplaintCard);
        // What does not belong to the kind is refused, not ignored: the sender meant something.
        for (given, wanted, path) in [
            (!form.attachment.is_empty(), attached, "attachment"),
            (form.place.is_some(), kind == MessageKind::Location, "location"),
            (!form.card.is_empty(), card, "card"),
        ] {
            faults.check(wanted || !given, path, Flaw::NotAllowed);
            faults.check(given || !wanted, path, Flaw::Required);
        }
        match kind {
            MessageKind::Text => {
                faults.check(!form.text.is_empty(), "text", Flaw::Required);
                Some(Self::Text(form.text))
            }
            MessageKind::Image | MessageKind::File | MessageKind::Voice => {
                if form.attachment.is_empty() {
                    return None;
                }
                let id = faults.take("attachment", Id::parse(&form.attachment))?;
                Some(Self::Attached(kind, id, form.text))
            }
            MessageKind::Location => {
                let place = form.place?;
                faults.check(on_earth(&place), "location", Flaw::PositionInvalid);
                let short = place.label.chars().count() <= CAPTION_CHARACTERS_MAX;
                faults.check(short, "location.label", Flaw::TooLong);
                Some(Self::Location(place))
            }
            MessageKind::PassCard | MessageKind::ComplaintCard if form.card.is_empty() => None,
            MessageKind::PassCard => {
                let id = faults.take("card", Id::parse(&form.card))?;
                Some(Self::PassCard(id, form.text))
            }
            MessageKind::ComplaintCard => {
                let id = form.card.strip_prefix("complaints/");
                let id = id.and_then(|id| Uuid::try_parse(id).ok()).ok_or(Flaw::NameMalformed);
                Some(Self::ComplaintCard(faults.take("card", id)?, form.text))
            }
            MessageKind::SystemNotice | MessageKind::Recall => {
                faults.add("kind", Flaw::NotAllowed);
                None
            }
        }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Attached(kind, ..) => *kind,
            Self::Location(_) => MessageKind::Location,
            Self::PassCard(..) => MessageKind::PassCard,
            Self::ComplaintCard(..) => MessageKind::ComplaintCard,
            Self::Notice(..) => MessageKind::SystemNotice,
            Self::Recall(_) => MessageKind::Recall,
        }
    }

    /// The words.
    #[must_use]
    pub fn body(&self) -> &str {
        match self {
            Self::Text(text)
            | Self::Attached(_, _, text)
            | Self::PassCard(_, text)
            | Self::ComplaintCard(_, text)
            | Self::Notice(_, text) => text,
            Self::Location(place) => &place.label,
            Self::Recall(_) => "",
        }
    }

    /// What stands beside the words: a place, a card, a notice's code.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Location(place) => format!("{:.6},{:.6}", place.latitude, place.longitude),
            Self::PassCard(id, _) => id.to_string(),
            Self::ComplaintCard(id, _) => format!("complaints/{id}"),
            Self::Notice(code, _) => code.wire().to_owned(),
            Self::Text(_) | Self::Attached(..) | Self::Recall(_) => String::new(),
        }
    }

    /// The file.
    #[must_use]
    pub const fn attachment(&self) -> Option<Id<kind::Attachment>> {
        match self {
            Self::Attached(_, id, _) => Some(*id),
            _ => None,
        }
    }

    /// The message that it takes back.
    #[must_use]
    pub const fn target(&self) -> Option<i64> {
        match self {
            Self::Recall(sequence) => Some(*sequence),
            _ => None,
        }
    }
}

fn on_earth(place: &Place) -> bool {
    (-90.0..=90.0).contains(&place.latitude) && (-180.0..=180.0).contains(&place.longitude)
}

/// A message with its place in the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Of which conversation.
    pub conversation: Id<kind::Conversation>,
    /// From 1, without a gap.
    pub sequence: i64,
    /// persons/..., officers/... or `system`.
    pub sender: String,
    /// The device (session) and the id that it chose; absent for the system.
    pub sent_as: Option<(Uuid, Uuid)>,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
    /// What it is.
    pub kind: MessageKind,
    /// The words.
    pub body: String,
    /// A place, a card, a notice's code.
    pub detail: String,
    /// The file.
    pub attachment: Option<Uuid>,
    /// The message that it takes back.
    pub target: Option<i64>,
    /// The server's time.
    pub create_time: Timestamp,
    /// When it was taken back.
    pub recall_time: Option<Timestamp>,
    /// Its link: SHA-256 of the link before and of everything above but the recall.
    pub chain: [u8; 32],
}

impl Message {
    /// Its link of the chain, from the link before. A recall is a message of its own, so that the
    /// chain knows it too.
    #[must_use]
    pub fn link(&self, before: &[u8; 32]) -> [u8; 32] {
        let mut bytes = before.to_vec();
        let (device, client_id) = self.sent_as.unwrap_or_default();
        let conversation = self.conversation.uuid();
        let sequence = self.sequence.to_be_bytes();
        let target = self.target.unwrap_or_default().to_be_bytes();
        let time = self.create_time.as_microsecond().to_be_bytes();
        let parts: [&[u8]; 11] = [
            conversation.as_bytes(),
            &sequence,
            self.sender.as_bytes(),
            device.as_bytes(),
            client_id.as_bytes(),
            self.kind.wire().as_bytes(),
            self.body.as_bytes(),
            self.detail.as_bytes(),
            self.attachment.as_ref().map(Uuid::as_bytes).map_or(&[], |id| id.as_slice()),
            &target,
            &time,
        ];
        for part in parts {
            // With its length, so that no byte can move from one field to the next.
            bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(part);
        }
        crypto::digest(Suite::Intl, &bytes)
    }

    /// What a reader may see: nothing but the fact once it was taken back.
    #[must_use]
    pub fn shown(mut self) -> Self {
        if self.recall_time.is_some() {
            self.body.clear();
            self.detail.clear();
            self.attachment = None;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Form, Message, MessageKind, Place};
    use crate::{
        error::{Faults, Flaw},
        id::Id,
    };
    use jiff::Timestamp;
    use uuid::Uuid;

    fn flaws(form: Form) -> Vec<(String, Flaw)> {
        let mut faults = Faults::new();
        let _ = Content::parse(form, &mut faults);
        faults.into_fields().into_iter().map(|field| (field.path, field.flaw)).collect()
    }

    #[test]
    fn a_form_tells_every_fault_of_its_kind() {
        let named = |path: &str, flaw| (path.to_owned(), flaw);
        for (form, expected) in [
            (Form::default(), vec![named("kind", Flaw::Required)]),
            (Form { kind: "TEXT", ..Form::default() }, vec![named("text", Flaw::Required)]),
            (
                Form {
                    kind: "TEXT",
                    text: "字".repeat(2_001),
                    card: "x".into(),
                    ..Form::default()
                },
                vec![named("text", Flaw::TooLong), named("card", Flaw::NotAllowed)],
            ),
            (
                Form { kind: "IMAGE", text: "图".repeat(201), ..Form::default() },
                vec![named("text", Flaw::TooLong), named("attachment", Flaw::Required)],
            ),
            (
                Form { kind: "PASS_CARD", card: "vehicles/1".into(), ..Form::default() },
                vec![named("card", Flaw::NameMalformed)],
            ),
            (
                Form {
                    kind: "LOCATION",
                    place: Some(Place {
                        latitude: 91.0,
                        longitude: f64::NAN,
                        label: String::new(),
                    }),
                    ..Form::default()
                },
                vec![named("location", Flaw::PositionInvalid)],
            ),
            (Form { kind: "RECALL", ..Form::default() }, vec![named("kind", Flaw::NotAllowed)]),
        ] {
            assert_eq!(flaws(form.clone()), expected, "{form:?}");
        }
    }

    fn message() -> Message {
        Message {
            conversation: Id::of(Uuid::from_u128(1)),
            sequence: 7,
            sender: "persons/a".to_owned(),
            sent_as: Some((Uuid::from_u128(2), Uuid::from_u128(3))),
            digest: [0; 32],
            kind: MessageKind::Text,
            body: "早上八点能进城吗?".to_owned(),
            detail: String::new(),
            attachment: None,
            target: None,
            create_time: Timestamp::UNIX_EPOCH,
            recall_time: None,
            chain: [0; 32],
        }
    }

    // CH-19: a change of any field changes the link.
    #[test]
    fn a_link_knows_every_field() {
        let before = [9; 32];
        let link = message().link(&before);
        assert_eq!(link, message().link(&before));
        assert_ne!(link, message().link(&[8; 32]));
        let changed = [
            Message { sequence: 8, ..message() },
            Message { sender: "persons/b".to_owned(), ..message() },
            Message { sent_as: None, ..message() },
            Message { kind: MessageKind::File, ..message() },
            Message { body: "早上九点能进城吗?".to_owned(), ..message() },
            Message { detail: "x".to_owned(), ..message() },
            Message { attachment: Some(Uuid::nil()), ..message() },
            Message { target: Some(1), ..message() },
            Message { create_time: Timestamp::from_microsecond(1).unwrap(), ..message() },
            Message { conversation: Id::of(Uuid::nil()), ..message() },
        ];
        for changed in changed {
            assert_ne!(link, changed.link(&before), "{changed:?}");
        }
        // A byte cannot wander from one field into the next.
        let one = Message { body: "ab".to_owned(), detail: "c".to_owned(), ..message() };
        let other = Message { body: "a".to_owned(), detail: "bc".to_owned(), ..message() };
        assert_ne!(one.link(&before), other.link(&before));
    }

    // CH-10: what was taken back is not shown, and its link stays.
    #[test]
    fn a_recalled_message_shows_nothing_but_the_fact() {
        let recalled = Message { recall_time: Some(Timestamp::UNIX_EPOCH), ..message() };
        assert_eq!(recalled.link(&[0; 32]), message().link(&[0; 32]));
        let shown = recalled.shown();
        assert_eq!((shown.body.as_str(), shown.sequence), ("", 7));
        assert_eq!(message().shown(), message());
    }
}
