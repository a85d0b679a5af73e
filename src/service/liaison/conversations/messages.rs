//! Sending, reading, taking back, marking. Stored before acknowledged; the sequence comes from the
//! locked row of the conversation.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Conversations, mark_reply, message_reply};
use crate::{
    actor::Actor,
    context::Cx,
    domain::{
        duty::month::local_date,
        liaison::{
            Post,
            conversation::{Conversation, ConversationState, Sender, recallable},
            message::{
                Content, Form, Message, MessageKind, NoticeCode, Place, TEXT_CHARACTERS_MAX,
            },
            words,
        },
    },
    error::{Error, Faults, Field, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Limit, Tx,
        liaison::{conversations, liaison_posts, messages, participants},
    },
};

/// The most messages in one answer.
const PAGE_MAX: i32 = 100;
/// As many where the client does not say.
const PAGE_DEFAULT: i64 = 20;

/// A message that a client wants to send, parsed.
pub(super) struct Draft {
    conversation: Id<kind::Conversation>,
    device: Uuid,
    client_message_id: Uuid,
    digest: [u8; 32],
    content: Content,
    warnings_accepted: bool,
}

impl Draft {
    fn parse(cx: &Cx, request: &pb::SendMessageRequest) -> Result<Self> {
        let mut faults = Faults::new();
        let conversation = faults.take("conversation", Id::parse(&request.conversation));
        let id = Uuid::try_parse(&request.client_message_id).ok();
        let id = id.filter(|id| id.get_version_num() == 4).ok_or(Flaw::RequestIdMalformed);
        let client_message_id = faults.take("client_message_id", id);
        let text = faults.take("text", wire::text_maybe(&request.text, TEXT_CHARACTERS_MAX));
        let place = request.location.as_ref().and_then(|location| {
            let label = wire::text_maybe(&location.label, TEXT_CHARACTERS_MAX);
            let label = faults.take("location.label", label)?;
            Some(Place { latitude: location.latitude, longitude: location.longitude, label })
        });
        let form = Form {
            kind: request.kind().as_str_name(),
            text: text.unwrap_or_default(),
            attachment: request.attachment.clone(),
            place,
            card: request.card.clone(),
        };
        let content = Content::parse(form, &mut faults);
        faults.done()?;
        let session = cx.actor.session().ok_or_else(|| Error::new(Reason::Denied))?;
        let (Some(conversation), Some(client_message_id), Some(content)) =
            (conversation, client_message_id, content)
        else {
            return Err(Error::new(Reason::RequestInvalid));
        };
        Ok(Self {
            conversation,
            device: session.uuid(),
            client_message_id,
            digest: digest(&content),
            content,
            warnings_accepted: request.warnings_accepted,
        })
    }

    fn sender(&self, cx: &Cx) -> Sender {
        Sender {
            name: cx.actor.name(),
            sent_as: Some((self.device, self.client_message_id)),
            digest: self.digest,
        }
    }
}

/// What tells a resend from a reuse: everything that would be stored.
fn digest(content: &Content) -> [u8; 32] {
    let mut hash = Sha256::new();
    let attachment = content.attachment().map(|id| id.to_string()).unwrap_or_default();
    for part in [content.kind().wire(), content.body(), &content.detail(), &attachment] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl Conversations {
    pub(super) async fn send_message(
        &self,
        cx: &Cx,
        request: pb::SendMessageRequest,
    ) -> Result<pb::Message> {
        let draft = Draft::parse(cx, &request)?;
        let (sender, conversation) = (cx.actor.name(), draft.conversation.to_string());
        let limits = self.store.limits();
        tokio::try_join!(
            limits.count(Limit::Message, &sender),
            limits.count(Limit::Conversation, &conversation)
        )?;
        match self.say(cx, &draft).await {
            Ok(message) => Ok(message_reply(message)),
            // Whatever speaks against it now: what was stored before gets its first answer.
            Err(error) => self.first_answer(&draft, &sender).await?.ok_or(error),
        }
    }

    /// The answer to the first sending of this message, if there was one (CH-03).
    async fn first_answer(&self, draft: &Draft, sender: &str) -> Result<Option<pb::Message>> {
        let mut connection = self.store.read().await?;
        let sent =
            messages::sent(&mut connection, draft.conversation, sender, draft.client_message_id)
                .await?;
        match sent {
            Some(first) if first.digest != draft.digest => Err(Error::new(Reason::RequestIdReused)),
            first => Ok(first.map(Message::shown).map(message_reply)),
        }
    }

    async fn say(&self, cx: &Cx, draft: &Draft) -> Result<Message> {
        let scope = cx.scope();
        let mut tx = self.store.begin(cx).await?;
        let mut conversation = conversations::hold(&mut tx, draft.conversation, &scope).await?;
        let officer = matches!(cx.actor, Actor::Officer { .. });
        if officer {
            conversation.held_by(cx)?;
            warned(cx, draft)?;
        } else if conversation.state() == ConversationState::Closed {
            conversation = tx.settle_now(conversation.reopen(cx)?).await?;
        }
        refers_to_own(&mut tx, &conversation, &draft.content).await?;
        let told = if officer {
            let met = conversation.answer(cx.now);
            tx.carry(&self.world.calendar(), &mut conversation, &met).await?;
            Vec::new()
        } else {
            self.heard(&mut tx, cx, &mut conversation, &draft.content).await?
        };
        let message = conversation.append(draft.sender(cx), &draft.content, cx.now);
        messages::append(&mut tx, &conversation, &message, &scope).await?;
        for (code, text) in told {
            messages::notice(&mut tx, &mut conversation, code, text).await?;
        }
        tx.commit().await?;
        Ok(message)
    }

    /// What a message of the enterprise brings about: clocks, and what it is told at once.
    async fn heard(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        conversation: &mut Conversation,
        content: &Content,
    ) -> Result<Vec<(NoticeCode, String)>> {
        let mut told = Vec::new();
        if words::emergency(content.body()) {
            let text = NoticeCode::CallEmergency.zh().to_owned();
            told.push((NoticeCode::CallEmergency, text));
        }
        // An earlier question waits: its clock runs, and it was told what there is to tell.
        if conversation.awaiting_since.is_some() {
            return Ok(told);
        }
        let post = liaison_posts::named(tx.conn(), conversation.post).await?;
        let post = post.ok_or_else(|| Error::internal("a conversation without a post"))?;
        let calendar = self.world.calendar();
        // In a year without a notice provisionally: a question that nobody owes an answer would be lost.
        let due = calendar.counted(|calendar| post.duty.reply_due(cx.now, calendar))?;
        let owed = conversation.ask(due, cx.now);
        tx.carry(&calendar, conversation, &owed).await?;
        if let Some(text) = self.nobody_there(tx, cx, &post, due.at).await? {
            conversation.auto_reply_time = Some(cx.now);
            told.push((NoticeCode::OffDuty, text));
        }
        Ok(told)
    }

    /// The automatic reply, where nobody answers now (CH-14).
    async fn nobody_there(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        post: &Post,
        due: jiff::Timestamp,
    ) -> Result<Option<String>> {
        let covered = post.duty.covers(cx.now, &self.world.calendar()).unwrap_or(false);
        let present = covered && liaison_posts::anybody_present(tx.conn(), post.id).await?;
        Ok(post.duty.automatic_reply(covered, present, due))
    }

    pub(super) async fn list_messages(
        &self,
        cx: &Cx,
        request: pb::ListMessagesRequest,
    ) -> Result<pb::ListMessagesResponse> {
        let mut faults = Faults::new();
        let id = faults.take("conversation", Id::parse(&request.conversation));
        faults.check(request.after_sequence >= 0, "after_sequence", Flaw::OutOfRange);
        faults.check(request.before_sequence >= 0, "before_sequence", Flaw::OutOfRange);
        faults.check(request.page_size >= 0, "page_size", Flaw::OutOfRange);
        let both = request.after_sequence > 0 && request.before_sequence > 0;
        faults.check(!both, "before_sequence", Flaw::NotAllowed);
        let id = faults.whole(id)?;
        let rows = page_rows(request.page_size);
        let mut connection = self.store.read().await?;
        let (scope, now) = (cx.scope(), cx.now);
        let piece = if request.before_sequence > 0 {
            let before = request.before_sequence;
            messages::before(&mut connection, id, before, &scope, now, rows).await?
        } else {
            let after = request.after_sequence;
            messages::after(&mut connection, id, after, &scope, now, rows).await?
        };
        Ok(pb::ListMessagesResponse {
            messages: piece.messages.into_iter().map(message_reply).collect(),
            last_sequence: piece.last_sequence,
        })
    }

    pub(super) async fn recall_message(
        &self,
        cx: &Cx,
        request: pb::RecallMessageRequest,
    ) -> Result<pb::Message> {
        let id = Id::parse(&request.conversation);
        let id = id.map_err(|flaw| Error::field("conversation", flaw))?;
        let scope = cx.scope();
        let mut tx = self.store.begin(cx).await?;
        let mut conversation = conversations::lock(&mut tx, id, &scope).await?;
        let message = messages::get(&mut tx, id, request.sequence).await?;
        let mut message = message.ok_or_else(|| Error::field("sequence", Flaw::OutOfRange))?;
        // A repetition finds what it wanted.
        if message.recall_time.is_some() && message.sender == cx.actor.name() {
            return Ok(message_reply(message.shown()));
        }
        recallable(&message, &cx.actor.name(), cx.now)?;
        messages::recall(&mut tx, id, request.sequence).await?;
        message.recall_time = Some(cx.now);
        let content = Content::Recall(request.sequence);
        let sender = Sender { name: cx.actor.name(), sent_as: None, digest: digest(&content) };
        let recall = conversation.append(sender, &content, cx.now);
        messages::append(&mut tx, &conversation, &recall, &scope).await?;
        tx.commit().await?;
        Ok(message_reply(message.shown()))
    }

    pub(super) async fn mark_conversation(
        &self,
        cx: &Cx,
        request: pb::MarkConversationRequest,
    ) -> Result<pb::ConversationMark> {
        let mut faults = Faults::new();
        let id = faults.take("conversation", Id::parse(&request.conversation));
        faults.check(request.delivered_sequence >= 0, "delivered_sequence", Flaw::OutOfRange);
        faults.check(request.read_sequence >= 0, "read_sequence", Flaw::OutOfRange);
        let id = faults.whole(id)?;
        let mut tx = self.store.begin(cx).await?;
        let conversation = conversations::get(tx.conn(), id, &cx.scope(), cx.now).await?;
        // Nobody has read what is not written.
        let mark = participants::Mark {
            delivered: request.delivered_sequence.min(conversation.last_sequence),
            read: request.read_sequence.min(conversation.last_sequence),
        };
        let (mark, risen) = participants::mark(&mut tx, id, &cx.actor.name(), mark).await?;
        if risen {
            tx.tell(id.uuid());
        }
        tx.commit().await?;
        Ok(mark_reply(mark))
    }

    #[expect(clippy::unused_async, reason = "every method of the service is one")]
    pub(super) async fn check_text(
        &self,
        cx: &Cx,
        request: pb::CheckTextRequest,
    ) -> Result<pb::CheckTextResponse> {
        let text = wire::text(&request.text, TEXT_CHARACTERS_MAX);
        let text = text.map_err(|flaw| Error::field("text", flaw))?;
        let warnings = words::warnings(&text, local_date(cx.now)).into_iter().map(|warning| {
            pb::CodedReason { code: warning.wire().to_owned(), text: warning.zh().to_owned() }
        });
        Ok(pb::CheckTextResponse { warnings: warnings.collect() })
    }
}

/// How many rows a page has.
pub(super) fn page_rows(size: i32) -> i64 {
    if size <= 0 { PAGE_DEFAULT } else { i64::from(size.min(PAGE_MAX)) }
}

/// An officer confirms a text that was warned of (CH-20).
fn warned(cx: &Cx, draft: &Draft) -> Result<()> {
    let found = words::warnings(draft.content.body(), local_date(cx.now));
    if draft.warnings_accepted || found.is_empty() {
        return Ok(());
    }
    let field = found.iter().map(|warning| Field {
        path: "text".to_owned(),
        flaw: Flaw::TextWarned,
        zh: warning.zh().into(),
    });
    Err(Error::new(Reason::TextWarned).fields_added(field.collect()))
}

/// Files and cards are those of this enterprise: a card is no way to show another's.
async fn refers_to_own(tx: &mut Tx, conversation: &Conversation, content: &Content) -> Result<()> {
    match content {
        Content::Attached(kind, id, _) => {
            let content_type = messages::attachment(tx, conversation, *id).await?;
            let content_type =
                content_type.ok_or_else(|| Error::field("attachment", Flaw::UnknownValue))?;
            let fits = match kind {
                MessageKind::Image => content_type.starts_with("image/"),
                MessageKind::Voice => content_type.starts_with("audio/"),
                _ => true,
            };
            if fits { Ok(()) } else { Err(Error::field("kind", Flaw::FileTypeDisguised)) }
        }
        Content::PassCard(id, _) => {
            if messages::pass_of(tx, conversation.enterprise, *id).await? {
                Ok(())
            } else {
                Err(Error::field("card", Flaw::UnknownValue))
            }
        }
        _ => Ok(()),
    }
}
