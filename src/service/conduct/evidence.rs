//! What a reporter adds to a report, and who opens it. Pictures alone: of them everything can be taken
//! out but what they show.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{ConductReports, reporter::UPLOADING};
use crate::{
    context::Cx,
    domain::{
        common::deed::Deed,
        conduct::{
            ConductReport, EVIDENCE_BYTES_MAX, EVIDENCE_CHUNK_BYTES_MAX, EVIDENCE_MAX, Evidence,
            OPENING_LASTS, Slip,
        },
        enterprise::attachment::{self, ContentType, pieces::Piece},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    service::{looking::Looking, pb, wire},
    store::{
        Tx,
        conduct::{
            self, evidence,
            evidence_files::ChunkSealer,
            filings::{self, Began},
        },
    },
};

impl ConductReports {
    pub(super) async fn create_evidence(
        &self,
        cx: &Cx,
        request: pb::CreateEvidenceRequest,
    ) -> Result<pb::Evidence> {
        let mut faults = Faults::new();
        let content_type = ContentType::from_wire(&request.content_type);
        let bare = content_type.filter(|it| it.can_be_bared()).ok_or(Flaw::FileTypeRefused);
        let content_type = faults.take("content_type", bare);
        let once = wire::once(&request.request_id, &request);
        let once = faults.maybe("request_id", once.map_err(|_| Flaw::RequestIdMalformed));
        let content_type = faults.whole(content_type)?;
        let (mut tx, report) = self.open_report(cx, &request.query_code, &request.secret).await?;
        if let Some(once) = &once
            && let Began::Replay(answer) = filings::begin(&mut tx, once).await?
        {
            return prost::Message::decode(answer.as_slice()).map_err(Error::internal);
        }
        if evidence::list(tx.conn(), report.id).await?.len() >= EVIDENCE_MAX {
            return Err(Error::new(Reason::EvidenceFull));
        }
        let reply = evidence_reply(evidence::insert(&mut tx, report.id, content_type).await?);
        if let Some(once) = &once {
            filings::answer(&mut tx, once, &prost::Message::encode_to_vec(&reply)).await?;
        }
        tx.commit().await?;
        Ok(reply)
    }

    pub(super) async fn upload_evidence_chunk(
        &self,
        cx: &Cx,
        request: pb::UploadEvidenceChunkRequest,
    ) -> Result<pb::Evidence> {
        let mut faults = Faults::new();
        let id = faults.take("id", id_of(&request.id));
        faults.check(!request.data.is_empty(), "data", Flaw::Required);
        faults.check(request.data.len() <= EVIDENCE_CHUNK_BYTES_MAX, "data", Flaw::TooLong);
        faults.check(request.offset >= 0, "offset", Flaw::OutOfRange);
        let id = faults.whole(id)?;
        let (mut tx, report) = self.open_report(cx, &request.query_code, &request.secret).await?;
        let mut piece = piece_of(&mut tx, &report, id).await?;
        let length = i64::try_from(request.data.len()).unwrap_or(i64::MAX);
        if piece.kept_bytes.is_some() {
            return Ok(evidence_reply(piece));
        }
        let taken = piece.came().take(request.offset, length, None, EVIDENCE_BYTES_MAX);
        let next = match taken.map_err(|(field, flaw)| Error::field(field, flaw))? {
            Piece::Before => return Ok(evidence_reply(piece)),
            Piece::Next(next) => next,
        };
        let sealer = self.chunk_sealer(id, &request.secret)?;
        // The bytes before the row: a crash in between leaves bytes that the repetition replaces.
        let place = (request.offset, next.piece_bytes.unwrap_or_default());
        self.files.put_chunk(&sealer, place, &request.data, cx.ids()).await?;
        evidence::received(&mut tx, id, next).await?;
        tx.commit().await?;
        piece.received_bytes = next.bytes;
        Ok(evidence_reply(piece))
    }

    pub(super) async fn complete_evidence(
        &self,
        cx: &Cx,
        request: pb::CompleteEvidenceRequest,
    ) -> Result<pb::Evidence> {
        let mut faults = Faults::new();
        let id = faults.take("id", id_of(&request.id));
        faults.check(request.sha256.len() == 32, "sha256", Flaw::OutOfRange);
        let id = faults.whole(id)?;
        let piece = {
            let (mut tx, report) =
                self.open_report(cx, &request.query_code, &request.secret).await?;
            piece_of(&mut tx, &report, id).await?
        };
        if piece.kept_bytes.is_some() {
            return Ok(evidence_reply(piece));
        }
        // Read, looked through and kept before the unit of work begins: nobody waits for it.
        let looked = self.looked_through(piece, &request.secret, request.sha256).await;
        let kept = match looked {
            Ok(kept) => kept,
            Err(error) => {
                let (mut tx, report) =
                    self.open_report(cx, &request.query_code, &request.secret).await?;
                let piece = piece_of(&mut tx, &report, id).await?;
                // Closed meanwhile by the same call, which took away what came.
                let closed = piece.kept_bytes.is_some();
                return if closed { Ok(evidence_reply(piece)) } else { Err(error) };
            }
        };
        let kept_bytes = i64::try_from(kept.len()).unwrap_or(i64::MAX);
        self.files.keep(self.store.vault(), id, &kept, cx.ids()).await?;
        let (mut tx, report) = self.open_report(cx, &request.query_code, &request.secret).await?;
        let piece = piece_of(&mut tx, &report, id).await?;
        if piece.kept_bytes.is_some() {
            return Ok(evidence_reply(piece));
        }
        evidence::complete(&mut tx, id, kept_bytes).await?;
        let as_nobody = tx.cx().clone();
        let moved = report.remark(Deed::AddEvidence, id.to_string(), &as_nobody);
        conduct::save(&mut tx, moved).await?;
        tx.commit().await?;
        self.take_away(id).await;
        Ok(evidence_reply(Evidence { received_bytes: 0, kept_bytes: Some(kept_bytes), ..piece }))
    }

    pub(super) async fn read_evidence_chunk(
        &self,
        cx: &Cx,
        request: pb::ReadEvidenceChunkRequest,
    ) -> Result<pb::ReadEvidenceChunkResponse> {
        let officer = cx.actor.sworn()?.officer;
        let report = wire::named(&request.name)?;
        let id = id_of(&request.id).map_err(|flaw| Error::field("id", flaw))?;
        let mut tx = self.store.begin(cx).await?;
        let vault = self.store.vault();
        let report = conduct::get(tx.conn(), vault, report, &cx.scope()).await?;
        let piece = piece_of(&mut tx, &report, id).await?;
        let length = piece.kept_bytes.ok_or_else(|| Error::new(Reason::AttachmentIncomplete))?;
        let piece_bytes = i64::try_from(EVIDENCE_CHUNK_BYTES_MAX).unwrap_or(i64::MAX);
        let within = (0..length).contains(&request.offset);
        let (index, skipped) = (request.offset / piece_bytes, request.offset % piece_bytes);
        let (Ok(index), Ok(skipped), true) =
            (usize::try_from(index), usize::try_from(skipped), within)
        else {
            return Err(Error::field("offset", Flaw::OutOfRange));
        };
        let begins = request.offset == 0;
        let since = cx.now.checked_sub(OPENING_LASTS).unwrap_or(cx.now);
        evidence::opened(&mut tx, report.id, id, officer, begins, since).await?;
        // Durable before it is given.
        tx.commit().await?;
        let data = self.files.read(vault, id, index).await?;
        let data = data.get(skipped..).unwrap_or_default().to_vec();
        let end = request.offset.saturating_add(i64::try_from(data.len()).unwrap_or(i64::MAX));
        Ok(pb::ReadEvidenceChunkResponse { data, last: end >= length })
    }

    /// What is to be kept of a piece that has come whole.
    async fn looked_through(
        &self,
        piece: Evidence,
        secret: &str,
        sha256: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let sealer = self.chunk_sealer(piece.id, secret)?;
        let looking = Looking::turn().await?;
        let sealed = self.files.sealed(piece.id, piece.came()).await?;
        let look = move || {
            let content = sealer.open(&sealed, piece.came())?;
            if Sha256::digest(&content).as_slice() != sha256 {
                return Err(Error::new(Reason::AttachmentIncomplete)
                    .fact("received_bytes", piece.received_bytes));
            }
            let bare = attachment::bared(piece.content_type, &content);
            bare.map_err(|flaw| Error::field("content_type", flaw))
        };
        looking.through(look).await
    }

    /// The report of a code and its secret, while something may be added to it.
    async fn open_report(&self, cx: &Cx, code: &str, secret: &str) -> Result<(Tx, ConductReport)> {
        let (tx, report) = self.by_slip(cx, code, secret, UPLOADING).await?;
        if report.state().is_ended() {
            return Err(Error::new(Reason::TransitionIllegal).fact("state", report.state().wire()));
        }
        Ok((tx, report))
    }

    /// Takes away what came. Where that fails the worker does it: nobody can open it meanwhile, and a
    /// line in the log would say when somebody was here.
    async fn take_away(&self, id: Uuid) {
        if self.files.forget_chunks(id).await.is_ok()
            && let Ok(mut connection) = self.store.read().await
        {
            evidence::settle(&mut connection, id).await.ok();
        }
    }

    fn chunk_sealer(&self, id: Uuid, secret: &str) -> Result<ChunkSealer> {
        let secret = Slip::read(secret).ok_or_else(|| Error::new(Reason::QueryCodeInvalid))?;
        ChunkSealer::new(self.store.vault(), id, &secret)
    }
}

/// A piece of the report.
async fn piece_of(tx: &mut Tx, report: &ConductReport, id: Uuid) -> Result<Evidence> {
    let found = evidence::find(tx.conn(), report.id, id).await?;
    found.ok_or_else(|| Error::field("id", Flaw::UnknownValue))
}

fn id_of(text: &str) -> Result<Uuid, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Required);
    }
    Uuid::try_parse(text).map_err(|_| Flaw::UnknownValue)
}

pub(super) fn evidence_reply(piece: Evidence) -> pb::Evidence {
    pb::Evidence {
        id: piece.id.to_string(),
        content_type: piece.content_type.wire().to_owned(),
        received_bytes: piece.received_bytes,
        complete: piece.kept_bytes.is_some(),
        size_bytes: piece.kept_bytes.unwrap_or_default(),
        create_time: Some(wire::time(piece.create_time)),
    }
}
