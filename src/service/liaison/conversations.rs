//! The direct line of an enterprise (警务直通车, measure 18): conversations and who takes part.
//! Messages stand in `messages`, the stream in `watch`, the officers' side in `desk`, supervision in
//! `audit`.
//!
//! # The direct line
//!
//! Measures 17 and 18. A police unit has liaison posts (定点长驻, 脱产服务, 全域帮办) with a roster and duty
//! hours; a post serves an enterprise by grant, by district, by industry, by the officer's signed code
//! (five minutes, one enterprise) or by WeCom's contact way. The binding is with the post: the officer may
//! change, the history stays, the old officer loses access at once. `domain/conversation.rs` draws a
//! conversation (queued, claimed, closed, and open again with the next question), `domain/liaison.rs`
//! counts its promises: half an hour of duty time, otherwise the next working day. Obligations are rows,
//! and so is a miss. Words of emergency are answered at once with the advice to call 110; an officer is
//! warned before personal data of others leaves. Files are brought out of band, judged by their bytes,
//! kept without their metadata, and read by those who take part alone.
//!
//! Around it (`service/centre`): visits, a register of problems whose promises are obligations, and places
//! at the service centre, counted by a checked column so that none is sold twice.
//!
//! Supervisors see figures; content only with a reason that is recorded before it is read. Every message
//! carries a link of its conversation's hash chain; `ExportConversation` gives the whole of it, signed,
//! and `jingqi verify FILE --key HEX` names the first thing that was changed.
//!
//! ```sh
//! cargo bench --bench chaos                                # 200 conversations, 50 writers, 10 minutes
//! cargo bench --profile dev --bench chaos -- --short       # the one of deploy/test
//! ```
//!
//! kills servers, PostgreSQL and Redis with kill -9 while people write and read on two servers, checks
//! what every client saw, and prints the result beside two known mistakes that it must catch.

mod audit;
mod desk;
mod messages;
mod watch;

use std::sync::Arc;

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{
    actor::{Actor, Item, Matter},
    clock::Clock,
    context::Cx,
    domain::{
        codes::mask,
        common::{evaluation::Evaluation, lifecycle::Held},
        liaison::{
            conversation::{Conversation, ConversationAction, MEMBERS_MAX},
            message::NoticeCode,
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, conversation_service_server::ConversationService},
        rpc,
        wire::{self, Page},
    },
    store::{
        self, Connection, Store, Tx, World,
        common::evaluations,
        liaison::{bindings, conversations, liaison_posts, participants},
    },
};

/// The longest title, in characters.
const TITLE_CHARACTERS_MAX: usize = 60;

/// The service.
pub struct Conversations {
    store: Store,
    world: World,
    /// A stream outlives its call: it asks for the time at each look.
    clock: Clock,
    /// Streams take turns at PostgreSQL: see [`watch::LOOKING_MAX`].
    looking: Arc<Semaphore>,
}

rpc! {
    ConversationService, Conversations {
        create_conversation(pb::CreateConversationRequest) -> pb::Conversation;
        get_conversation(pb::GetConversationRequest) -> pb::Conversation;
        list_conversations(pb::ListConversationsRequest) -> pb::ListConversationsResponse;
        add_conversation_member(pb::AddConversationMemberRequest) -> pb::Conversation;
        remove_conversation_member(pb::RemoveConversationMemberRequest) -> pb::Conversation;
        list_conversation_changes(pb::ListConversationChangesRequest)
            -> pb::ListConversationChangesResponse;
        send_message(pb::SendMessageRequest) -> pb::Message;
        list_messages(pb::ListMessagesRequest) -> pb::ListMessagesResponse;
        recall_message(pb::RecallMessageRequest) -> pb::Message;
        mark_conversation(pb::MarkConversationRequest) -> pb::ConversationMark;
        check_text(pb::CheckTextRequest) -> pb::CheckTextResponse;
        list_conversation_queue(pb::ListConversationQueueRequest) -> pb::ListConversationsResponse;
        claim_conversation(pb::ClaimConversationRequest) -> pb::Conversation;
        transfer_conversation(pb::TransferConversationRequest) -> pb::Conversation;
        return_conversation(pb::ReturnConversationRequest) -> pb::Conversation;
        close_conversation(pb::CloseConversationRequest) -> pb::Conversation;
        rate_conversation(pb::RateConversationRequest) -> pb::Conversation;
        create_request_from_conversation(pb::CreateRequestFromConversationRequest)
            -> pb::CreateRequestFromConversationResponse;
        set_presence(pb::SetPresenceRequest) -> pb::Presence;
        create_conversation_note(pb::CreateConversationNoteRequest) -> pb::ConversationNote;
        list_conversation_notes(pb::ListConversationNotesRequest)
            -> pb::ListConversationNotesResponse;
        create_canned_reply(pb::CreateCannedReplyRequest) -> pb::CannedReply;
        list_canned_replies(pb::ListCannedRepliesRequest) -> pb::ListCannedRepliesResponse;
        retire_canned_reply(pb::RetireCannedReplyRequest) -> pb::CannedReply;
        get_conversation_figures(pb::GetConversationFiguresRequest) -> pb::ConversationFigures;
        inspect_conversation(pb::InspectConversationRequest) -> pb::ListMessagesResponse;
        search_messages(pb::SearchMessagesRequest) -> pb::SearchMessagesResponse;
        create_content_access(pb::CreateContentAccessRequest) -> pb::ContentAccess;
    list_content_accesses(pb::ListContentAccessesRequest) -> pb::ListContentAccessesResponse;
    }
    streams {
        watch_messages(pb::WatchMessagesRequest)
            -> pb::WatchMessagesResponse as WatchMessagesStream;
        export_conversation(pb::ExportConversationRequest)
            -> pb::ConversationExport as ExportConversationStream;
    }
}

impl Conversations {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self {
            store: parts.store.clone(),
            world: parts.world.clone(),
            clock: parts.clock.clone(),
            looking: Arc::new(Semaphore::new(watch::LOOKING_MAX)),
        }
    }

    async fn create_conversation(
        &self,
        cx: &Cx,
        request: pb::CreateConversationRequest,
    ) -> Result<pb::Conversation> {
        let person = cx.actor.person()?;
        let form = request.conversation.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let enterprise = faults.take("conversation.enterprise", Id::parse(&form.enterprise));
        let post = faults.take("conversation.liaison_post", Id::parse(&form.liaison_post));
        let title = wire::text(&form.title, TITLE_CHARACTERS_MAX);
        let title = faults.take("conversation.title", title);
        let (enterprise, post, title) = faults.whole((enterprise, post, title))?;
        if !cx.actor.acts_for(enterprise, Item::Liaison) {
            return Err(cx.scope().missing(enterprise.subject()));
        }
        wire::write(&self.store, cx, &request, async |tx| {
            let unit_path = served(tx, cx, enterprise, post).await?;
            let opened = begun(cx, enterprise, post, unit_path, title).open(cx);
            let mut conversation = tx.settle_first(opened, conversations::insert).await?;
            participants::join(tx, conversation.id, person).await?;
            // Everybody reads it first: this is no way to call for help (facts.md, 4.7).
            let told = NoticeCode::NotAnAlarm.zh().to_owned();
            store::liaison::messages::notice(tx, &mut conversation, NoticeCode::NotAnAlarm, told)
                .await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    async fn get_conversation(
        &self,
        cx: &Cx,
        request: pb::GetConversationRequest,
    ) -> Result<pb::Conversation> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let conversation = conversations::get(&mut connection, id, &cx.scope(), cx.now).await?;
        self.reply(&mut connection, cx, &conversation).await
    }

    async fn list_conversations(
        &self,
        cx: &Cx,
        request: pb::ListConversationsRequest,
    ) -> Result<pb::ListConversationsResponse> {
        let enterprise = if request.enterprise.is_empty() {
            None
        } else {
            let id = Id::<kind::Enterprise>::parse(&request.enterprise);
            Some(id.map_err(|flaw| Error::field("enterprise", flaw))?.uuid())
        };
        let arguments = [cx.method, &request.enterprise];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let mut found = conversations::list(
            &mut connection,
            enterprise,
            &cx.scope(),
            cx.now,
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |conversation| conversation.id.uuid());
        let conversations = self.replies(&mut connection, cx, found).await?;
        Ok(pb::ListConversationsResponse { conversations, next_page_token })
    }

    async fn add_conversation_member(
        &self,
        cx: &Cx,
        request: pb::AddConversationMemberRequest,
    ) -> Result<pb::Conversation> {
        let (id, person) = membership(&request.name, &request.person)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            if !participants::may_join(tx, conversation.enterprise, person).await? {
                return Err(cx.scope().missing(person.subject()));
            }
            let members = participants::members(tx.conn(), self.store.vault(), id).await?;
            if members.len() >= MEMBERS_MAX {
                return Err(Error::field("person", Flaw::TooMany));
            }
            participants::join(tx, id, person).await?;
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    async fn remove_conversation_member(
        &self,
        cx: &Cx,
        request: pb::RemoveConversationMemberRequest,
    ) -> Result<pb::Conversation> {
        let (id, person) = membership(&request.name, &request.person)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let conversation = conversations::lock(tx, id, &cx.scope()).await?;
            // A colleague is taken out by the legal representative, anybody by themselves.
            if cx.actor.person()? != person && !cx.actor.represents(conversation.enterprise) {
                return Err(Error::new(Reason::Denied));
            }
            if !participants::leave(tx, id, person).await? {
                return Err(cx.scope().missing(person.subject()));
            }
            tx.tell(id.uuid());
            let reply = self.reply(tx.conn(), cx, &conversation).await?;
            Ok(reply)
        })
        .await
    }

    async fn list_conversation_changes(
        &self,
        cx: &Cx,
        request: pb::ListConversationChangesRequest,
    ) -> Result<pb::ListConversationChangesResponse> {
        let id: Id<kind::Conversation> = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        conversations::get(&mut connection, id, &cx.scope(), cx.now).await?;
        let written = store::common::history::list(&mut connection, id.subject()).await?;
        let officer = matches!(cx.actor, Actor::Officer { .. });
        Ok(pb::ListConversationChangesResponse {
            changes: wire::changes::<ConversationAction>(written, officer),
        })
    }

    async fn replies(
        &self,
        connection: &mut Connection,
        cx: &Cx,
        found: Vec<Conversation>,
    ) -> Result<Vec<pb::Conversation>> {
        let mut listed = Vec::with_capacity(found.len());
        for conversation in found {
            listed.push(self.reply(connection, cx, &conversation).await?);
        }
        Ok(listed)
    }

    /// A conversation as its reader sees it.
    async fn reply(
        &self,
        connection: &mut Connection,
        cx: &Cx,
        conversation: &Conversation,
    ) -> Result<pb::Conversation> {
        let reader = cx.actor.name();
        let marks = participants::marks(connection, conversation.id).await?;
        let mark = |of: &str| marks.iter().find(|(name, _)| name == of).map(|(_, mark)| *mark);
        let vault = self.store.vault();
        let members = participants::members(connection, vault, conversation.id).await?;
        let members = members.into_iter().map(|member| {
            let person = member.person.to_string();
            pb::ConversationMember {
                mark: mark(&person).map(mark_reply),
                person,
                display_name: mask::name(&member.full_name),
                join_time: Some(wire::time(member.join_time)),
            }
        });
        let rating =
            evaluations::of(connection, conversation.id.subject(), conversation.round).await?;
        let state = wire::enumerated::<pb::conversation::State>(conversation.state());
        Ok(pb::Conversation {
            name: conversation.id.to_string(),
            enterprise: conversation.enterprise.to_string(),
            liaison_post: conversation.post.to_string(),
            title: conversation.title.clone(),
            state,
            assignee: conversation.assignee.map(|officer| officer.to_string()).unwrap_or_default(),
            members: members.collect(),
            last_sequence: conversation.last_sequence,
            unread_count: participants::unread(connection, conversation.id, &reader).await?,
            mark: Some(mark_reply(mark(&reader).unwrap_or_default())),
            awaiting_since: wire::time_of(conversation.awaiting_since),
            reply_due_time: wire::time_of(conversation.reply_due_time),
            round: conversation.round,
            rating: rating.and_then(rating_reply),
            create_time: Some(wire::time(conversation.create_time)),
            update_time: Some(wire::time(conversation.update_time)),
            etag: wire::etag(conversation.version),
        })
    }
}

/// The path of the unit of a post that serves the enterprise. A post that serves its district or
/// its industry is bound with the first conversation.
async fn served(
    tx: &mut Tx,
    cx: &Cx,
    enterprise: Id<kind::Enterprise>,
    post: Id<kind::LiaisonPost>,
) -> Result<String> {
    let post = liaison_posts::get(tx.conn(), post, &cx.scope_of(Matter::Post)).await?;
    if bindings::bound(tx, enterprise, post.id).await? {
        return Ok(post.unit_path);
    }
    let known = bindings::whereabouts(tx, enterprise)
        .await?
        .ok_or_else(|| cx.scope().missing(enterprise.subject()))?;
    if !known.state.proven() {
        return Err(Error::new(Reason::EnterpriseNotVerified));
    }
    let Some(source) = post.serves(&known.division, &known.industry) else {
        return Err(Error::new(Reason::NotBound));
    };
    let binding = bindings::Binding {
        id: cx.id(),
        enterprise,
        post: post.id,
        source,
        create_time: cx.now,
        end_time: None,
    };
    bindings::bind(tx, &binding, None).await?;
    Ok(post.unit_path)
}

fn begun(
    cx: &Cx,
    enterprise: Id<kind::Enterprise>,
    post: Id<kind::LiaisonPost>,
    unit_path: String,
    title: String,
) -> Conversation {
    Conversation {
        id: cx.id(),
        enterprise,
        post,
        unit_path,
        title,
        assignee: None,
        claim_time: None,
        queue_time: cx.now,
        last_sequence: 0,
        chain: [0; 32],
        awaiting_since: None,
        auto_reply_time: None,
        reply_time: None,
        reply_due_time: None,
        round: 0,
        create_time: cx.now,
        update_time: cx.now,
        version: 1,
        held: Held::default(),
    }
}

fn membership(name: &str, person: &str) -> Result<(Id<kind::Conversation>, Id<kind::Person>)> {
    let mut faults = Faults::new();
    let id = faults.take("name", Id::parse(name));
    let person = faults.take("person", Id::parse(person));
    faults.whole((id, person))
}

fn mark_reply(mark: participants::Mark) -> pb::ConversationMark {
    pb::ConversationMark { delivered_sequence: mark.delivered, read_sequence: mark.read }
}

/// What was said of a close; nothing while nobody said anything.
fn rating_reply(rating: Evaluation) -> Option<pb::ConversationRating> {
    let (verdict, rate_time) = rating.verdict.zip(rating.rate_time)?;
    let level = wire::enumerated::<pb::SatisfactionLevel>(verdict.level);
    Some(pb::ConversationRating {
        level,
        solved: verdict.solved,
        comment: verdict.comment,
        round: rating.round,
        create_time: Some(wire::time(rate_time)),
    })
}

/// A message as everybody who takes part sees it.
pub(in crate::service) fn message_reply(message: store::liaison::messages::Message) -> pb::Message {
    use crate::domain::liaison::message::MessageKind as Kind;
    let kind = wire::enumerated::<pb::MessageKind>(message.kind);
    let location = (message.kind == Kind::Location && message.recall_time.is_none()).then(|| {
        let (latitude, longitude) = message.detail.split_once(',').unwrap_or_default();
        pb::Location {
            latitude: latitude.parse().unwrap_or_default(),
            longitude: longitude.parse().unwrap_or_default(),
            label: message.body.clone(),
        }
    });
    let detail_of = |kinds: &[Kind]| {
        if kinds.contains(&message.kind) { message.detail.clone() } else { String::new() }
    };
    pb::Message {
        conversation: message.conversation.to_string(),
        sequence: message.sequence,
        kind,
        card: detail_of(&[Kind::PassCard, Kind::ComplaintCard]),
        notice_code: detail_of(&[Kind::SystemNotice]),
        attachment: message
            .attachment
            .map(|id| Id::<kind::Attachment>::of(id).to_string())
            .unwrap_or_default(),
        location,
        target_sequence: message.target.unwrap_or_default(),
        create_time: Some(wire::time(message.create_time)),
        recall_time: wire::time_of(message.recall_time),
        client_message_id: message
            .sent_as
            .map(|(_, id): (Uuid, Uuid)| id.to_string())
            .unwrap_or_default(),
        text: if message.kind == Kind::Location { String::new() } else { message.body },
        sender: message.sender,
    }
}
