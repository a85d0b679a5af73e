//! The officers' side: the queue, who holds what, closing, notes, ready replies.

use serde_json::json;

use super::Conversations;
use crate::{
    context::Cx,
    domain::{
        common::evaluation::Verdict,
        liaison::{conversation::Conversation, message::NoticeCode},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        common::evaluations::answer,
        pb,
        wire::{self, Page},
    },
    store::{
        Tx,
        common::{
            evaluations::{self},
            outbox,
        },
        liaison::{
            canned_replies::{self, CannedReply},
            conversation_notes, conversations, liaison_posts, messages,
        },
    },
};

/// The longest note, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;
/// The longest reply, in characters.
const REPLY_CHARACTERS_MAX: usize = 2_000;
/// The most messages that one request links.
const LINKED_MAX: usize = 500;

impl Conversations {
    pub(super) async fn list_conversation_queue(
        &self,
        cx: &Cx,
        request: pb::ListConversationQueueRequest,
    ) -> Result<pb::ListConversationsResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let mut connection = self.store.read().await?;
        let mut found =
            conversations::queue(&mut connection, &cx.scope(), page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |conversation| conversation.id.uuid());
        let conversations = self.replies(&mut connection, cx, found).await?;
        Ok(pb::ListConversationsResponse { conversations, next_page_token })
    }

    pub(super) async fn claim_conversation(
        &self,
        cx: &Cx,
        request: pb::ClaimConversationRequest,
    ) -> Result<pb::Conversation> {
        let officer = cx.actor.sworn()?.officer;
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            seated(tx, cx, &conversation, officer).await?;
            let mut conversation = tx.settle_now(conversation.claim(officer, cx)?).await?;
            let told = NoticeCode::Claimed.zh().to_owned();
            messages::notice(tx, &mut conversation, NoticeCode::Claimed, told).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn transfer_conversation(
        &self,
        cx: &Cx,
        request: pb::TransferConversationRequest,
    ) -> Result<pb::Conversation> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let officer = faults.take("officer", Id::parse(&request.officer));
        let note = faults.take("note", wire::text(&request.note, NOTE_CHARACTERS_MAX));
        let (id, officer, note) = faults.whole((id, officer, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            seated(tx, cx, &conversation, officer).await?;
            let moved = conversation.transfer(officer, note, cx)?;
            let mut conversation = tx.settle_now(moved).await?;
            let told = NoticeCode::Transferred.zh().to_owned();
            messages::notice(tx, &mut conversation, NoticeCode::Transferred, told).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn return_conversation(
        &self,
        cx: &Cx,
        request: pb::ReturnConversationRequest,
    ) -> Result<pb::Conversation> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text_maybe(&request.note, NOTE_CHARACTERS_MAX));
        let (id, note) = faults.whole((id, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            let moved = conversation.give_back(note, cx)?;
            let mut conversation = tx.settle_now(moved).await?;
            let told = NoticeCode::Returned.zh().to_owned();
            messages::notice(tx, &mut conversation, NoticeCode::Returned, told).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn close_conversation(
        &self,
        cx: &Cx,
        request: pb::CloseConversationRequest,
    ) -> Result<pb::Conversation> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Conversation>(&request.name);
        let summary = faults.take("summary", wire::text(&request.summary, NOTE_CHARACTERS_MAX));
        let (id, summary) = faults.whole((id, summary))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            let told = format!("{}:{summary}", NoticeCode::Closed.zh());
            let moved = conversation.close(summary, cx)?;
            let mut conversation = tx.settle(&self.world.calendar(), moved).await?;
            messages::notice(tx, &mut conversation, NoticeCode::Closed, told).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn rate_conversation(
        &self,
        cx: &Cx,
        request: pb::RateConversationRequest,
    ) -> Result<pb::Conversation> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Conversation>(&request.name);
        let comment = wire::text_maybe(&request.comment, NOTE_CHARACTERS_MAX);
        let comment = faults.take("comment", comment).unwrap_or_default();
        let level = request.level().as_str_name();
        let verdict = Verdict::read(level, request.solved, comment, &mut faults);
        let (id, verdict) = faults.whole((id, verdict))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            let asked = evaluations::of(tx.conn(), id.subject(), conversation.round).await?;
            let asked = asked.ok_or_else(|| Error::new(Reason::NothingToRate))?;
            answer(tx, cx, &asked, &verdict, &self.world.calendar()).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn create_request_from_conversation(
        &self,
        cx: &Cx,
        request: pb::CreateRequestFromConversationRequest,
    ) -> Result<pb::CreateRequestFromConversationResponse> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Conversation>(&request.name);
        let summary = faults.take("summary", wire::text(&request.summary, NOTE_CHARACTERS_MAX));
        faults.check(request.sequences.len() <= LINKED_MAX, "sequences", Flaw::TooMany);
        let (id, summary) = faults.whole((id, summary))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let mut conversation = conversations::lock(tx, id, &cx.scope()).await?;
            let sequences = linked(&conversation, &request.sequences)?;
            // The summary stands in the conversation, where it is under its lock; the event points there.
            let told = format!("{}:{summary}", NoticeCode::RequestCreated.zh());
            messages::notice(tx, &mut conversation, NoticeCode::RequestCreated, told).await?;
            let payload = json!({
                "conversation": id.uuid(),
                "enterprise": conversation.enterprise.uuid(),
                "sequences": sequences,
                "summary_sequence": conversation.last_sequence,
            });
            let topic = outbox::Topic::RequestFromConversation;
            let event = outbox::emit(tx, topic, id.to_string(), payload).await?;
            let reply =
                pb::CreateRequestFromConversationResponse { event: event.to_string(), sequences };
            Ok(reply)
        })
        .await
    }

    pub(super) async fn set_presence(
        &self,
        cx: &Cx,
        request: pb::SetPresenceRequest,
    ) -> Result<pb::Presence> {
        let officer = cx.actor.officer()?;
        let mut tx = self.store.begin(cx).await?;
        liaison_posts::set_presence(&mut tx, officer, request.present).await?;
        tx.commit().await?;
        Ok(pb::Presence { present: request.present, update_time: Some(wire::time(cx.now)) })
    }

    pub(super) async fn create_conversation_note(
        &self,
        cx: &Cx,
        request: pb::CreateConversationNoteRequest,
    ) -> Result<pb::ConversationNote> {
        let officer = cx.actor.officer()?;
        let mut faults = Faults::new();
        let conversation = faults.take("conversation", Id::parse(&request.conversation));
        let text = faults.take("text", wire::text(&request.text, NOTE_CHARACTERS_MAX));
        let (conversation, text) = faults.whole((conversation, text))?;
        wire::write(&self.store, cx, &request, async |tx| {
            conversations::lock(tx, conversation, &cx.scope()).await?;
            let note = conversation_notes::Note {
                id: cx.id(),
                conversation,
                officer,
                text,
                create_time: cx.now,
            };
            conversation_notes::insert(tx, &note).await?;
            Ok(note_reply(note))
        })
        .await
    }

    pub(super) async fn list_conversation_notes(
        &self,
        cx: &Cx,
        request: pb::ListConversationNotesRequest,
    ) -> Result<pb::ListConversationNotesResponse> {
        let id = Id::parse(&request.conversation);
        let id = id.map_err(|flaw| Error::field("conversation", flaw))?;
        let arguments = [cx.method, &request.conversation];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        conversations::get(&mut connection, id, &cx.scope(), cx.now).await?;
        let mut found =
            conversation_notes::list(&mut connection, id, page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |note| note.id.uuid());
        let notes = found.into_iter().map(note_reply).collect();
        Ok(pb::ListConversationNotesResponse { notes, next_page_token })
    }

    pub(super) async fn create_canned_reply(
        &self,
        cx: &Cx,
        request: pb::CreateCannedReplyRequest,
    ) -> Result<pb::CannedReply> {
        let form = request.canned_reply.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let post = faults.take("canned_reply.liaison_post", Id::parse(&form.liaison_post));
        let title = faults.take("canned_reply.title", wire::text(&form.title, 60));
        let text = wire::text(&form.text, REPLY_CHARACTERS_MAX);
        let text = faults.take("canned_reply.text", text);
        let (post, title, text) = faults.whole((post, title, text))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let reply = CannedReply { id: cx.id(), post, title, text };
            canned_replies::insert(tx, &reply, &cx.scope()).await?;
            Ok(canned_reply(reply))
        })
        .await
    }

    pub(super) async fn list_canned_replies(
        &self,
        cx: &Cx,
        request: pb::ListCannedRepliesRequest,
    ) -> Result<pb::ListCannedRepliesResponse> {
        let post = Id::parse(&request.liaison_post);
        let post = post.map_err(|flaw| Error::field("liaison_post", flaw))?;
        let mut connection = self.store.read().await?;
        let found = canned_replies::list(&mut connection, post, &cx.scope()).await?;
        let canned_replies = found.into_iter().map(canned_reply).collect();
        Ok(pb::ListCannedRepliesResponse { canned_replies })
    }

    pub(super) async fn retire_canned_reply(
        &self,
        cx: &Cx,
        request: pb::RetireCannedReplyRequest,
    ) -> Result<pb::CannedReply> {
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let reply = canned_replies::retire(tx, id, &cx.scope()).await?;
            Ok(canned_reply(reply))
        })
        .await
    }
}

/// An officer takes a conversation: on the roster of the post, within its capacity (CH-11).
async fn seated(
    tx: &mut Tx,
    cx: &Cx,
    conversation: &Conversation,
    officer: Id<kind::Officer>,
) -> Result<()> {
    let post = liaison_posts::named(tx.conn(), conversation.post).await?;
    let post = post.ok_or_else(|| Error::internal("a conversation without a post"))?;
    let held = liaison_posts::lock_seat(tx, post.id, officer).await?;
    let held = held.ok_or_else(|| cx.scope().missing(officer.subject()))?;
    if held >= i64::from(post.capacity_max) {
        return Err(Error::new(Reason::CapacityReached).fact("capacity_max", post.capacity_max));
    }
    Ok(())
}

/// The messages that a request links: all of them, or those chosen, in order and each once.
fn linked(conversation: &Conversation, chosen: &[i64]) -> Result<Vec<i64>> {
    if chosen.is_empty() {
        let last = conversation.last_sequence;
        let first = last.saturating_sub(i64::try_from(LINKED_MAX).unwrap_or(i64::MAX) - 1);
        return Ok((first.max(1)..=last).collect());
    }
    let known = 1..=conversation.last_sequence;
    if !chosen.iter().all(|sequence| known.contains(sequence)) {
        return Err(Error::field("sequences", Flaw::OutOfRange));
    }
    let mut sequences = chosen.to_vec();
    sequences.sort_unstable();
    sequences.dedup();
    Ok(sequences)
}

fn note_reply(note: conversation_notes::Note) -> pb::ConversationNote {
    pb::ConversationNote {
        name: note.id.to_string(),
        conversation: note.conversation.to_string(),
        author: note.officer.to_string(),
        text: note.text,
        create_time: Some(wire::time(note.create_time)),
    }
}

fn canned_reply(reply: CannedReply) -> pb::CannedReply {
    pb::CannedReply {
        name: reply.id.to_string(),
        liaison_post: reply.post.to_string(),
        title: reply.title,
        text: reply.text,
    }
}
