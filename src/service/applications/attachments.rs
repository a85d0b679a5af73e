//! Papers: announced, sent in chunks, closed once length, digest and content are right.

use object_store::{ObjectStoreExt as _, path::Path};
use sha2::{Digest as _, Sha256};

use super::{Applications, ITEM, Write, named};
use crate::{
    actor::{Matter, Role},
    context::Cx,
    domain::{
        attachment::{self, ContentType},
        policy::AttachmentKind,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{complaints, pb, wire},
    store::{
        Limit,
        attachments::{self, Attachment, Sight, Stored},
        content_accesses::{self, Reading},
        conversations, policy_inputs,
    },
};

/// The largest file.
const FILE_BYTES_MAX: i64 = 10 * 1024 * 1024;
/// The largest chunk, in either direction.
const CHUNK_BYTES_MAX: usize = 32 * 1024;

impl Applications {
    pub(super) async fn create_attachment(
        &self,
        cx: &Cx,
        request: pb::CreateAttachmentRequest,
    ) -> Result<pb::Attachment> {
        let mut file = announced(cx, request.attachment.clone().unwrap_or_default())?;
        let mut tx = match wire::begin(&self.store, cx, &request.request_id, &request).await? {
            Write::Fresh(tx) => tx,
            Write::Replay(reply) => return Ok(reply),
        };
        self.store.limits().count(Limit::Attachment, &cx.actor.name()).await?;
        if let Some(id) = file.conversation {
            // Whoever takes part may bring a file; it belongs to the conversation's enterprise.
            let conversation = conversations::lock(&mut tx, id, &cx.scope()).await?;
            file.enterprise = conversation.enterprise;
        } else {
            may_bring(cx, &file)?;
            policy_inputs::site(tx.conn(), file.enterprise, &cx.scope()).await?;
        }
        attachments::insert(&mut tx, &file).await?;
        let reply = reply(file);
        wire::finish(tx, reply).await
    }

    pub(super) async fn upload_attachment_chunk(
        &self,
        cx: &Cx,
        request: pb::UploadAttachmentChunkRequest,
    ) -> Result<pb::Attachment> {
        let id = named(&request.name)?;
        let length = i64::try_from(request.data.len()).unwrap_or(i64::MAX);
        let mut faults = Faults::new();
        faults.check(!request.data.is_empty(), "data", Flaw::Required);
        faults.check(request.data.len() <= CHUNK_BYTES_MAX, "data", Flaw::TooLong);
        faults.check(request.offset >= 0, "offset", Flaw::OutOfRange);
        faults.done()?;
        let mut tx = self.store.begin(cx).await?;
        let mut file = attachments::lock(&mut tx, id, &Sight::of(&cx.actor)).await?;
        may_bring(cx, &file)?;
        let end = request.offset.saturating_add(length);
        // A repetition of what has come is harmless: the digest is judged at the end.
        if file.complete || end <= file.received_bytes {
            return Ok(reply(file));
        }
        if request.offset != file.received_bytes || end > file.size_bytes {
            return Err(Error::field("offset", Flaw::OutOfRange));
        }
        // The bytes before the row: a crash in between leaves bytes that the repetition replaces.
        let path = chunk_path(&file, request.offset);
        self.files.put(&path, request.data.into()).await.map_err(Error::internal)?;
        attachments::received(&mut tx, id, end).await?;
        tx.commit().await?;
        file.received_bytes = end;
        Ok(reply(file))
    }

    pub(super) async fn complete_attachment(
        &self,
        cx: &Cx,
        request: pb::CompleteAttachmentRequest,
    ) -> Result<pb::Attachment> {
        let id = named(&request.name)?;
        let mut tx = self.store.begin(cx).await?;
        let mut file = attachments::lock(&mut tx, id, &Sight::of(&cx.actor)).await?;
        may_bring(cx, &file)?;
        if file.complete {
            return Ok(reply(file));
        }
        let content = self.content(&file).await?;
        let whole = file.received_bytes == file.size_bytes
            && Sha256::digest(&content).as_slice() == file.sha256;
        if !whole {
            return Err(Error::new(Reason::AttachmentIncomplete)
                .fact("received_bytes", file.received_bytes)
                .fact("size_bytes", file.size_bytes));
        }
        let declared = ContentType::from_wire(&file.content_type);
        let Some(declared) = declared.filter(|declared| declared.fits(&content)) else {
            return Err(Error::field("content_type", Flaw::FileTypeDisguised));
        };
        let kept = attachment::cleaned(declared, content)
            .map_err(|flaw| Error::field("content_type", flaw))?;
        let stored = Stored {
            bytes: i64::try_from(kept.len()).unwrap_or(i64::MAX),
            sha256: Sha256::digest(&kept).to_vec(),
        };
        // The bytes before the row, as with the chunks.
        self.files.put(&kept_path(&file), kept.into()).await.map_err(Error::internal)?;
        attachments::complete(&mut tx, id, &stored).await?;
        tx.commit().await?;
        self.forget_chunks(&file).await;
        file.complete = true;
        file.stored = Some(stored);
        Ok(reply(file))
    }

    pub(super) async fn read_attachment_chunk(
        &self,
        cx: &Cx,
        request: pb::ReadAttachmentChunkRequest,
    ) -> Result<pb::ReadAttachmentChunkResponse> {
        let id = named(&request.name)?;
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
        let chunk = u64::try_from(CHUNK_BYTES_MAX).unwrap_or(u64::MAX);
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
        let opened =
            opened.enterprises.contains(&file.enterprise.uuid()) || opened.unit_path.is_some();
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
        let until = from.saturating_add(CHUNK_BYTES_MAX).min(content.len());
        let data = content.get(from..until).unwrap_or_default().to_vec();
        Ok(pb::ReadAttachmentChunkResponse { data, last: until == content.len() })
    }

    /// Takes away what came: it held what must not be kept. Best effort; nobody can read it.
    async fn forget_chunks(&self, file: &Attachment) {
        let mut offset = 0;
        while offset < file.received_bytes {
            let path = chunk_path(file, offset);
            let Ok(known) = self.files.head(&path).await else { return };
            if let Err(error) = self.files.delete(&path).await {
                tracing::warn!(id = %file.id, %error, "a chunk was not taken away");
            }
            offset = offset.saturating_add(i64::try_from(known.size).unwrap_or(i64::MAX));
        }
    }

    /// The bytes that have come, in order.
    async fn content(&self, file: &Attachment) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let offset = i64::try_from(content.len()).unwrap_or(i64::MAX);
            if offset >= file.received_bytes {
                return Ok(content);
            }
            let chunk = self.files.get(&chunk_path(file, offset)).await.map_err(Error::internal)?;
            let chunk = chunk.bytes().await.map_err(Error::internal)?;
            if chunk.is_empty() {
                return Err(Error::internal("an empty chunk was stored"));
            }
            content.extend_from_slice(&chunk);
        }
    }
}

/// Where a chunk lies: made of our own id alone, never of what a client calls it.
fn chunk_path(file: &Attachment, offset: i64) -> Path {
    Path::from(format!("{}/{offset:012}", file.id.uuid()))
}

/// Where what is kept lies.
fn kept_path(file: &Attachment) -> Path {
    Path::from(format!("{}/kept", file.id.uuid()))
}

/// The enterprise's own people, or a clerk who files for them; of a conversation whoever takes
/// part, which the store has judged.
fn may_bring(cx: &Cx, file: &Attachment) -> Result<()> {
    if file.conversation.is_some() {
        return Ok(());
    }
    let clerk = cx.actor.roles().has(Role::WindowClerk);
    // Papers of an application, or files of a complaint: what it becomes is said when it is used.
    let acts = |item| cx.actor.acts_for(file.enterprise, item);
    if acts(ITEM) || acts(complaints::ITEM) || clerk {
        Ok(())
    } else {
        Err(cx.scope().missing(file.id.subject()))
    }
}

fn announced(cx: &Cx, form: pb::Attachment) -> Result<Attachment> {
    let mut faults = Faults::new();
    let conversation = if form.conversation.is_empty() {
        None
    } else {
        faults.take("attachment.conversation", Id::<kind::Conversation>::parse(&form.conversation))
    };
    let enterprise = if form.conversation.is_empty() {
        faults.take("attachment.enterprise", Id::<kind::Enterprise>::parse(&form.enterprise))
    } else {
        // The conversation knows whose it is.
        faults.check(form.enterprise.is_empty(), "attachment.enterprise", Flaw::NotAllowed);
        Some(Id::of(uuid::Uuid::nil()))
    };
    let known = if form.conversation.is_empty() {
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
    match (enterprise, file_name) {
        (Some(enterprise), Some(file_name)) => Ok(Attachment {
            id: cx.id(),
            enterprise,
            conversation,
            kind: form.kind,
            content_type: form.content_type,
            file_name,
            size_bytes: form.size_bytes,
            sha256: form.sha256,
            valid_until: valid_until.flatten(),
            received_bytes: 0,
            complete: false,
            stored: None,
        }),
        _ => Err(Error::new(Reason::RequestInvalid)),
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
        enterprise: file.enterprise.to_string(),
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
