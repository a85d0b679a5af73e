//! Papers: announced, sent in pieces, closed once length, digest and content are right.

use jiff::SignedDuration;
use object_store::{ObjectStoreExt as _, path::Path};
use sha2::{Digest as _, Sha256};

use super::Applications;
use crate::{
    actor::{Actor, Item, Matter, Role},
    context::Cx,
    domain::{
        enterprise::attachment::{
            self, ContentType,
            pieces::{self, PIECE_BYTES_MAX, Piece},
        },
        pass::policy::AttachmentKind,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, Subject, kind},
    service::{looking::Looking, pb, wire},
    store::{
        Limit,
        enterprise::{
            attachments::{self, Attachment, Sight, Stored},
            claims,
            pieces::Pieces,
        },
        liaison::{
            content_accesses::{self, Reading},
            conversations,
        },
        pass::policy_inputs,
    },
};

/// The largest file.
const FILE_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// How long a file may take to come; it is under way no longer, and is taken away.
const WITHIN: SignedDuration = SignedDuration::from_hours(24);

impl Applications {
    pub(super) async fn create_attachment(
        &self,
        cx: &Cx,
        request: pb::CreateAttachmentRequest,
    ) -> Result<pb::Attachment> {
        let mut file = announced(cx, request.attachment.clone().unwrap_or_default())?;
        wire::write(&self.store, cx, &request, async |tx| {
            self.store.limits().count(Limit::Attachment, &cx.actor.name()).await?;
            if let Some(id) = file.conversation {
                // Whoever takes part may bring a file; it belongs to the conversation's enterprise.
                let conversation = conversations::lock(tx, id, &cx.scope()).await?;
                file.enterprise = Some(conversation.enterprise);
            } else if let Some(enterprise) = file.enterprise {
                // What is not stored has no name yet.
                may_bring(cx, &file, enterprise.subject())?;
                policy_inputs::site(tx.conn(), enterprise, &cx.scope()).await?;
            } else {
                // Nobody stores without end what belongs to no enterprise.
                let person = cx.actor.person()?;
                self.store.limits().count(Limit::Licence, &cx.actor.name()).await?;
                if !claims::claimer(tx, person).await?.proved {
                    return Err(Error::new(Reason::PhoneUnproven));
                }
                file.person = Some(person);
            }
            let since = cx.now.checked_sub(WITHIN).unwrap_or(cx.now);
            let (own, all) = attachments::held(tx, file.enterprise, &file.creator, since).await?;
            let of_person = matches!(cx.actor, Actor::Person { .. });
            pieces::room(file.size_bytes, own, of_person, all).map_err(Error::new)?;
            attachments::insert(tx, &file).await?;
            let reply = reply(file);
            Ok(reply)
        })
        .await
    }

    pub(super) async fn upload_attachment_chunk(
        &self,
        cx: &Cx,
        request: pb::UploadAttachmentChunkRequest,
    ) -> Result<pb::Attachment> {
        let id = wire::named(&request.name)?;
        let length = i64::try_from(request.data.len()).unwrap_or(i64::MAX);
        let mut faults = Faults::new();
        faults.check(!request.data.is_empty(), "data", Flaw::Required);
        faults.check(request.data.len() <= PIECE_BYTES_MAX, "data", Flaw::TooLong);
        faults.check(request.offset >= 0, "offset", Flaw::OutOfRange);
        faults.done()?;
        self.store.limits().count(Limit::Piece, &cx.actor.name()).await?;
        let mut file = self.brought(cx, id).await?;
        if file.complete {
            return Ok(reply(file));
        }
        let taken = file.came().take(request.offset, length, Some(file.size_bytes), FILE_BYTES_MAX);
        let next = match taken.map_err(|(field, flaw)| Error::field(field, flaw))? {
            Piece::Before => return Ok(reply(file)),
            Piece::Next(next) => next,
        };
        // The bytes before the row: a crash in between leaves bytes that the repetition replaces. And
        // before the unit of work begins: no row is held while a disk takes its time.
        let offset = u64::try_from(request.offset).map_err(Error::internal)?;
        self.pieces().put(&came_path(&file), offset, &request.data).await?;
        let mut tx = self.store.begin(cx).await?;
        let held = attachments::lock(&mut tx, id, &Sight::of(&cx.actor)).await?;
        if held.complete || held.came() != file.came() {
            // The same piece twice at once: whoever was first has said what came.
            return Ok(reply(held));
        }
        attachments::received(&mut tx, id, next).await?;
        tx.commit().await?;
        file.received_bytes = next.bytes;
        Ok(reply(file))
    }

    pub(super) async fn complete_attachment(
        &self,
        cx: &Cx,
        request: pb::CompleteAttachmentRequest,
    ) -> Result<pb::Attachment> {
        let id = wire::named(&request.name)?;
        let file = self.brought(cx, id).await?;
        if file.complete {
            return Ok(reply(file));
        }
        let incomplete = || {
            Error::new(Reason::AttachmentIncomplete)
                .fact("received_bytes", file.received_bytes)
                .fact("size_bytes", file.size_bytes)
        };
        if file.received_bytes != file.size_bytes {
            return Err(incomplete());
        }
        // Read, looked through and kept before the unit of work begins: nobody waits for it.
        let looking = Looking::turn().await?;
        let content = match self.content(&file).await {
            Ok(content) => content,
            Err(error) => {
                // Closed meanwhile by the same call, which took away what came.
                let closed = self.brought(cx, id).await?;
                return if closed.complete { Ok(reply(closed)) } else { Err(error) };
            }
        };
        let (digest, wire) = (file.sha256.clone(), file.content_type.clone());
        let kept = looking.through(move || Ok(kept(&digest, &wire, content))).await?;
        let Some(kept) = kept else { return Err(incomplete()) };
        let kept = kept.map_err(|flaw| Error::field("content_type", flaw))?;
        let stored = Stored {
            bytes: i64::try_from(kept.len()).unwrap_or(i64::MAX),
            sha256: Sha256::digest(&kept).to_vec(),
        };
        self.files.put(&kept_path(&file), kept.into()).await.map_err(Error::internal)?;
        let mut tx = self.store.begin(cx).await?;
        let mut held = attachments::lock(&mut tx, id, &Sight::of(&cx.actor)).await?;
        if held.complete {
            return Ok(reply(held));
        }
        attachments::complete(&mut tx, id, &stored).await?;
        tx.commit().await?;
        self.forget_what_came(&held).await;
        held.complete = true;
        held.stored = Some(stored);
        Ok(reply(held))
    }

    /// A file that the caller may bring pieces of.
    async fn brought(&self, cx: &Cx, id: Id<kind::Attachment>) -> Result<Attachment> {
        let mut connection = self.store.read().await?;
        let file = attachments::get(&mut connection, id, &Sight::of(&cx.actor), cx.now).await?;
        may_bring(cx, &file, file.id.subject())?;
        Ok(file)
    }

    fn pieces(&self) -> Pieces {
        Pieces::new(self.files.clone())
    }

    pub(super) async fn read_attachment_chunk(
        &self,
        cx: &Cx,
        request: pb::ReadAttachmentChunkRequest,
    ) -> Result<pb::ReadAttachmentChunkResponse> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let file = attachments::get(&mut connection, id, &Sight::of(&cx.actor), cx.now).await?;
        drop(connection);
        if !file.complete {
            return Err(Error::new(Reason::AttachmentIncomplete));
        }
        self.note_reading(cx, &file).await?;
        let Some(stored) = &file.stored else {
            return self.older_chunk(&file, request.offset).await;
        };
        let length = u64::try_from(stored.bytes).unwrap_or_default();
        let from = u64::try_from(request.offset).ok().filter(|from| *from <= length);
        let from = from.ok_or_else(|| Error::field("offset", Flaw::OutOfRange))?;
        let chunk = u64::try_from(PIECE_BYTES_MAX).unwrap_or(u64::MAX);
        let until = from.saturating_add(chunk).min(length);
        let data = if from == until {
            Vec::new()
        } else {
            let range = self.files.get_range(&kept_path(&file), from..until).await;
            range.map_err(Error::internal)?.to_vec()
        };
        Ok(pb::ReadAttachmentChunkResponse { data, last: until == length })
    }

    /// Keeps that an officer reads the file, before anything of it is given.
    async fn note_reading(&self, cx: &Cx, file: &Attachment) -> Result<()> {
        let opened = cx.sight_of(Matter::Paper);
        let opened = file.enterprise.is_some_and(|it| opened.enterprises.contains(&it.uuid()))
            || opened.unit_path.is_some();
        let subject = file.id.to_string();
        let reading = Reading { action: "READ_PAPER", subject: &subject, query: "", opened };
        content_accesses::note(&self.store, cx, reading).await
    }

    /// A chunk of a paper that was closed before files were looked through: it lies as it came.
    async fn older_chunk(
        &self,
        file: &Attachment,
        offset: i64,
    ) -> Result<pb::ReadAttachmentChunkResponse> {
        let content = self.content(file).await?;
        let from = usize::try_from(offset).ok().filter(|from| *from <= content.len());
        let from = from.ok_or_else(|| Error::field("offset", Flaw::OutOfRange))?;
        let until = from.saturating_add(PIECE_BYTES_MAX).min(content.len());
        let data = content.get(from..until).unwrap_or_default().to_vec();
        Ok(pb::ReadAttachmentChunkResponse { data, last: until == content.len() })
    }

    /// Takes away what came: it held what must not be kept. Best effort; nobody can read it.
    async fn forget_what_came(&self, file: &Attachment) {
        if let Err(error) = self.pieces().forget(&came_path(file)).await {
            tracing::warn!(id = %file.id, %error, "what came was not taken away");
        }
    }

    /// The bytes that have come, in order.
    async fn content(&self, file: &Attachment) -> Result<Vec<u8>> {
        if file.piece_bytes.is_some() {
            let length = u64::try_from(file.received_bytes).map_err(Error::internal)?;
            return self.pieces().whole(&came_path(file), length).await;
        }
        let mut content = Vec::new();
        loop {
            let offset = i64::try_from(content.len()).unwrap_or(i64::MAX);
            if offset >= file.received_bytes {
                return Ok(content);
            }
            let piece = self.files.get(&older_path(file, offset)).await.map_err(Error::internal)?;
            let piece = piece.bytes().await.map_err(Error::internal)?;
            if piece.is_empty() {
                return Err(Error::internal("an empty piece was stored"));
            }
            content.extend_from_slice(&piece);
        }
    }
}

/// What is to be kept of the content, or why not; nothing where it is not what was announced.
fn kept(sha256: &[u8], content_type: &str, content: Vec<u8>) -> Option<Result<Vec<u8>, Flaw>> {
    if Sha256::digest(&content).as_slice() != sha256 {
        return None;
    }
    let declared = ContentType::from_wire(content_type);
    let declared = declared.filter(|declared| declared.fits(&content));
    let declared = declared.ok_or(Flaw::FileTypeDisguised);
    Some(declared.and_then(|declared| attachment::cleaned(declared, content)))
}

/// Where what comes lies: made of our own id alone, never of what a client calls it.
fn came_path(file: &Attachment) -> Path {
    Path::from(format!("{}/came", file.id.uuid()))
}

/// Where a piece lies that an older version took.
fn older_path(file: &Attachment, offset: i64) -> Path {
    Path::from(format!("{}/{offset:012}", file.id.uuid()))
}

/// Where what is kept lies.
fn kept_path(file: &Attachment) -> Path {
    Path::from(format!("{}/kept", file.id.uuid()))
}

/// The enterprise's own people, or a clerk who files for them; of a conversation whoever takes
/// part, which the store has judged.
fn may_bring(cx: &Cx, file: &Attachment, named: Subject) -> Result<()> {
    if file.conversation.is_some() || file.person.is_some() && file.person == cx.actor.person().ok()
    {
        return Ok(());
    }
    let clerk = cx.actor.roles().has(Role::WindowClerk);
    // Papers of an application, or files of a complaint: what it becomes is said when it is used.
    let acts = |item| file.enterprise.is_some_and(|it| cx.actor.acts_for(it, item));
    let paper = file.person.is_none();
    if paper && (acts(Item::Pass) || acts(Item::Request) || clerk) {
        Ok(())
    } else {
        Err(cx.scope().missing(named))
    }
}

fn announced(cx: &Cx, form: pb::Attachment) -> Result<Attachment> {
    let mut faults = Faults::new();
    let conversation = if form.conversation.is_empty() {
        None
    } else {
        faults.take("attachment.conversation", Id::<kind::Conversation>::parse(&form.conversation))
    };
    let licence = form.conversation.is_empty() && form.kind == attachment::LICENCE;
    let enterprise = if form.conversation.is_empty() && !licence {
        faults.take("attachment.enterprise", Id::<kind::Enterprise>::parse(&form.enterprise))
    } else {
        // The conversation knows whose it is, and a licence is its bringer's.
        faults.check(form.enterprise.is_empty(), "attachment.enterprise", Flaw::NotAllowed);
        None
    };
    let known = if licence {
        true
    } else if form.conversation.is_empty() {
        AttachmentKind::from_wire(&form.kind).is_some()
    } else {
        form.kind == attachment::MESSAGE
    };
    faults.check(known, "attachment.kind", Flaw::UnknownValue);
    let content_type = ContentType::from_wire(&form.content_type);
    let taken = content_type.is_some_and(|it| it.paper() || !form.conversation.is_empty());
    faults.check(taken, "attachment.content_type", Flaw::FileTypeRefused);
    let fits = (1..=FILE_BYTES_MAX).contains(&form.size_bytes);
    faults.check(fits, "attachment.size_bytes", Flaw::OutOfRange);
    faults.check(form.sha256.len() == 32, "attachment.sha256", Flaw::OutOfRange);
    let valid_until = faults.take("attachment.valid_until", wire::day_maybe(&form.valid_until));
    let file_name = faults.take("attachment.file_name", attachment::clean_name(&form.file_name));
    faults.done()?;
    match file_name {
        Some(file_name) => Ok(Attachment {
            id: cx.id(),
            enterprise,
            person: None,
            conversation,
            kind: form.kind,
            content_type: form.content_type,
            file_name,
            size_bytes: form.size_bytes,
            sha256: form.sha256,
            valid_until: valid_until.flatten(),
            creator: cx.actor.name(),
            received_bytes: 0,
            piece_bytes: None,
            complete: false,
            stored: None,
        }),
        None => Err(Error::new(Reason::RequestInvalid)),
    }
}

fn reply(file: Attachment) -> pb::Attachment {
    let (stored_bytes, stored_sha256) =
        file.stored.map(|stored| (stored.bytes, stored.sha256)).unwrap_or_default();
    pb::Attachment {
        conversation: file.conversation.map(|id| id.to_string()).unwrap_or_default(),
        stored_bytes,
        stored_sha256,
        name: file.id.to_string(),
        enterprise: file.enterprise.map(|id| id.to_string()).unwrap_or_default(),
        kind: file.kind,
        content_type: file.content_type,
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        valid_until: file.valid_until.map(|day| day.to_string()).unwrap_or_default(),
        received_bytes: file.received_bytes,
        complete: file.complete,
        file_name: file.file_name,
    }
}
