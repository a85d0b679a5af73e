//! Supervision: figures for everybody who supervises, content only with a reason that is recorded
//! first, in a unit of work of its own.

use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;
use tonic::Status;

use super::{Conversations, message_reply, messages::page_rows};
use crate::{
    actor::Role,
    context::Cx,
    crypto::{SigningKey, Suite},
    domain::{
        codes::text,
        identity::signing_key::Purpose,
        liaison::export::{Head, Writer},
    },
    error::{Error, Faults, Flaw, Result},
    id::{Collection as _, Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::{
        common::world,
        identity::units,
        liaison::{
            content_accesses::{self, ContentAccess},
            conversations, messages,
        },
        pass::policy_inputs,
    },
};

/// The longest reason, in characters; a shorter one than this says nothing.
const REASON_CHARACTERS: (usize, usize) = (4, 200);
/// The shortest text that is searched for.
const SEARCH_CHARACTERS_MIN: usize = 2;
/// The longest time that one search covers.
const SEARCH_SPAN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 92);
/// How many messages are read at once for an export, and how large its pieces are.
const EXPORT_PAGE: i64 = 500;
const PIECE_BYTES: usize = 64 * 1024;
/// A conversation that is longer is exported by the database's own means.
const EXPORT_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Conversations {
    pub(super) async fn get_conversation_figures(
        &self,
        cx: &Cx,
        request: pb::GetConversationFiguresRequest,
    ) -> Result<pb::ConversationFigures> {
        let mut faults = Faults::new();
        let from = faults.take("from_time", wire::instant(request.from_time));
        let until = faults.take("until_time", wire::instant(request.until_time));
        if let (Some(from), Some(until)) = (from, until) {
            faults.check(from < until, "until_time", Flaw::EndBeforeStart);
        }
        let span = faults.whole((from, until))?;
        let mut connection = self.store.read().await?;
        let figures = content_accesses::figures(&mut connection, span, &cx.scope()).await?;
        Ok(pb::ConversationFigures {
            conversations: figures.conversations,
            messages: figures.messages,
            closed: figures.closed,
            first_replies_due: figures.first_replies_due,
            first_replies_late: figures.first_replies_late,
            next_replies_due: figures.next_replies_due,
            next_replies_late: figures.next_replies_late,
            rated: figures.rated,
            satisfied: figures.satisfied,
            solved: figures.solved,
        })
    }

    pub(super) async fn inspect_conversation(
        &self,
        cx: &Cx,
        request: pb::InspectConversationRequest,
    ) -> Result<pb::ListMessagesResponse> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Conversation>(&request.name);
        let reason = faults.take("reason", reasoned(&request.reason));
        faults.check(request.after_sequence >= 0, "after_sequence", Flaw::OutOfRange);
        let (id, reason) = faults.whole((id, reason))?;
        let mut connection = self.store.read().await?;
        let conversation = conversations::supervised(&mut connection, id, &cx.scope()).await?;
        drop(connection);
        self.record(cx, Some(id), "INSPECT", reason, String::new()).await?;
        let mut connection = self.store.read().await?;
        let rows = page_rows(request.page_size);
        let found = messages::originals(&mut connection, id, request.after_sequence, rows).await?;
        Ok(pb::ListMessagesResponse {
            messages: found.into_iter().map(message_reply).collect(),
            last_sequence: conversation.last_sequence,
        })
    }

    pub(super) async fn search_messages(
        &self,
        cx: &Cx,
        request: pb::SearchMessagesRequest,
    ) -> Result<pb::SearchMessagesResponse> {
        let mut faults = Faults::new();
        let text = text::at_least(&request.text, SEARCH_CHARACTERS_MIN, 100);
        let text = faults.take("text", text);
        let reason = faults.take("reason", reasoned(&request.reason));
        let from = faults.take("from_time", wire::instant(request.from_time));
        let until = faults.take("until_time", wire::instant(request.until_time));
        if let (Some(from), Some(until)) = (from, until) {
            faults.check(from < until, "until_time", Flaw::EndBeforeStart);
            let short = from.duration_until(until) <= SEARCH_SPAN;
            faults.check(short, "until_time", Flaw::OutOfRange);
        }
        let (text, reason, from, until) = faults.whole((text, reason, from, until))?;
        self.record(cx, None, "SEARCH", reason, text.clone()).await?;
        let mut connection = self.store.read().await?;
        let rows = page_rows(request.page_size);
        let found =
            messages::search(&mut connection, &text, (from, until), &cx.scope(), rows).await?;
        Ok(pb::SearchMessagesResponse { messages: found.into_iter().map(message_reply).collect() })
    }

    pub(super) async fn export_conversation(
        &self,
        cx: &Cx,
        request: pb::ExportConversationRequest,
    ) -> Result<wire::Items<pb::ConversationExport>> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Conversation>(&request.name);
        let reason = faults.take("reason", reasoned(&request.reason));
        let (id, reason) = faults.whole((id, reason))?;
        let mut connection = self.store.read().await?;
        let conversation = conversations::supervised(&mut connection, id, &cx.scope()).await?;
        drop(connection);
        self.record(cx, Some(id), "EXPORT", reason.clone(), String::new()).await?;
        let head = Head::new(
            id.to_string(),
            conversation.enterprise.to_string(),
            conversation.post.to_string(),
            cx.actor.name(),
            reason,
            cx.now,
        );
        let document = self.sealed(cx, id, &head, conversation.last_sequence).await?;
        let document = Bytes::from(document);
        let pieces = (0..document.len()).step_by(PIECE_BYTES).map(move |from| {
            let piece = document.slice(from..document.len().min(from + PIECE_BYTES));
            Ok::<_, Status>(pb::ConversationExport { data: piece.to_vec() })
        });
        Ok(futures::stream::iter(pieces).boxed())
    }

    /// The document: everything up to the sequence that the conversation had when it was asked for.
    async fn sealed(
        &self,
        cx: &Cx,
        id: Id<kind::Conversation>,
        head: &Head,
        last_sequence: i64,
    ) -> Result<Vec<u8>> {
        let mut writer = Writer::begin(head)?;
        let mut after = 0;
        while after < last_sequence {
            let mut connection = self.store.read().await?;
            let page = messages::originals(&mut connection, id, after, EXPORT_PAGE).await?;
            drop(connection);
            let Some(last) = page.last().map(|message| message.sequence) else { break };
            after = last;
            for message in page.iter().filter(|message| message.sequence <= last_sequence) {
                writer.message(message)?;
            }
            if writer.bytes() > EXPORT_BYTES_MAX {
                return Err(Error::field("name", Flaw::TooLong));
            }
        }
        let world = self.world.get(&self.store).await?;
        let key = world.signing_key(Purpose::Record, Suite::Intl, cx.now)?;
        let private = world::private_key(&self.store, key)?;
        let signer = SigningKey::from_bytes(Suite::Intl, &private).map_err(Error::internal)?;
        writer.seal(&key.kid_text(), &signer)
    }

    pub(super) async fn create_content_access(
        &self,
        cx: &Cx,
        request: pb::CreateContentAccessRequest,
    ) -> Result<pb::ContentAccess> {
        let officer = cx.actor.officer()?;
        let mut faults = Faults::new();
        let file = faults.take("subject", File::parse(&request.subject));
        let reason = faults.take("reason", reasoned(&request.reason));
        let (file, reason) = faults.whole((file, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let scope = cx.scope();
            match file {
                File::Enterprise(id) => {
                    policy_inputs::site(tx.conn(), id, &scope).await?;
                }
                // All of a unit is the inspectorate's alone to supervise.
                File::Unit(id) if !cx.actor.roles().has(Role::Inspector) => {
                    return Err(scope.missing(id.subject()));
                }
                File::Unit(id) => {
                    units::get(tx.conn(), id, &scope).await?;
                }
            }
            let access = ContentAccess {
                id: cx.id(),
                officer,
                unit_path: scope.unit_path.unwrap_or_default(),
                conversation: None,
                complaint: None,
                subject: request.subject.clone(),
                action: "OPEN".to_owned(),
                reason,
                query: String::new(),
                create_time: cx.now,
            };
            content_accesses::open(tx, &access).await?;
            Ok(access_reply(access))
        })
        .await
    }

    pub(super) async fn list_content_accesses(
        &self,
        cx: &Cx,
        request: pb::ListContentAccessesRequest,
    ) -> Result<pb::ListContentAccessesResponse> {
        let page = Page::of(&self.store, &request, &[cx.method])?;
        let mut connection = self.store.read().await?;
        let mut found =
            content_accesses::list(&mut connection, &cx.scope(), page.after, page.rows()).await?;
        let next_page_token = page.cut(&mut found, |access| access.id.uuid());
        let content_accesses = found.into_iter().map(access_reply).collect();
        Ok(pb::ListContentAccessesResponse { content_accesses, next_page_token })
    }

    /// Records who reads what and why, before it is read (CH-19).
    async fn record(
        &self,
        cx: &Cx,
        conversation: Option<Id<kind::Conversation>>,
        action: &str,
        reason: String,
        query: String,
    ) -> Result<()> {
        let access = ContentAccess {
            id: cx.id(),
            officer: cx.actor.officer()?,
            unit_path: cx.scope().unit_path.unwrap_or_default(),
            conversation,
            complaint: None,
            subject: conversation.map(|id| id.to_string()).unwrap_or_default(),
            action: action.to_owned(),
            reason,
            query,
            create_time: cx.now,
        };
        let mut tx = self.store.begin(cx).await?;
        content_accesses::insert(&mut tx, &access).await?;
        tx.commit().await
    }
}

/// What is opened with a reason.
enum File {
    Enterprise(Id<kind::Enterprise>),
    Unit(Id<kind::Unit>),
}

impl File {
    fn parse(name: &str) -> Result<Self, Flaw> {
        if name.starts_with(kind::Unit::NAME) {
            Id::parse(name).map(Self::Unit)
        } else {
            Id::parse(name).map(Self::Enterprise)
        }
    }
}

fn reasoned(text: &str) -> Result<String, Flaw> {
    let (least, most) = REASON_CHARACTERS;
    text::at_least(text, least, most)
}

fn access_reply(access: ContentAccess) -> pb::ContentAccess {
    let create_time: Timestamp = access.create_time;
    pb::ContentAccess {
        name: access.id.to_string(),
        officer: access.officer.to_string(),
        conversation: access.conversation.map(|id| id.to_string()).unwrap_or_default(),
        action: access.action,
        reason: access.reason,
        create_time: Some(wire::time(create_time)),
        complaint: access.complaint.map(|id| id.to_string()).unwrap_or_default(),
        subject: access.subject,
    }
}
