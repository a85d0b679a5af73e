//! Redaction (CO-17): passages go out of what everybody reads, and the inspectorate opens an original
//! only with a reason that is recorded first.

use super::{Complaints, NOTE_CHARACTERS_MAX, in_charge};
use crate::{
    actor::Matter,
    context::Cx,
    domain::{
        codes::text,
        complaint::{Field, Passage},
    },
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        complaint::complaints::{
            self,
            redactions::{self, Redaction},
        },
        liaison::content_accesses::{self, ContentAccess},
    },
};

/// The most passages of one redaction.
const PASSAGES_MAX: usize = 20;
/// The longest passage, in characters: a whole answer.
const PASSAGE_CHARACTERS_MAX: usize = 4_000;
/// The longest reason of an access, in characters; a shorter one than this says nothing.
const REASON_CHARACTERS: (usize, usize) = (4, 200);

impl Complaints {
    pub(super) async fn redact_complaint(
        &self,
        cx: &Cx,
        request: pb::RedactComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name::<kind::Complaint>(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, NOTE_CHARACTERS_MAX));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let passages = passages(&request, &mut faults);
        let (id, reason) = faults.whole((id, reason))?;
        let again = async |reply| self.repeated(cx, reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let complaint = complaints::lock(tx, id, &cx.scope()).await?;
            in_charge(cx, &complaint)?;
            wire::fresh(version, complaint.version)?;
            let elsewhere = redactions::elsewhere(tx.conn(), &complaint).await?;
            let (moved, originals) =
                complaint.redact(officer, &passages, &elsewhere, reason.clone(), cx)?;
            let complaint =
                redactions::save(tx, moved, originals, &passages, &reason, officer).await?;
            let reply = super::whole(tx.conn(), cx, complaint).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn read_redacted_complaint(
        &self,
        cx: &Cx,
        request: pb::ReadRedactedComplaintRequest,
    ) -> Result<pb::ReadRedactedComplaintResponse> {
        let mut faults = Faults::new();
        let id = faults.name::<kind::Complaint>(&request.name);
        let (least, most) = REASON_CHARACTERS;
        let reason = faults.take("reason", text::at_least(&request.reason, least, most));
        let (id, reason) = faults.whole((id, reason))?;
        let mut connection = self.store.read().await?;
        // The reason comes with the call, so that nothing need be opened before.
        complaints::get(&mut connection, id, &cx.scope()).await?;
        drop(connection);
        // In a unit of work of its own, before anything is opened.
        let access = ContentAccess {
            id: cx.id(),
            officer: cx.actor.sworn()?.officer,
            unit_path: cx.scope().unit_path.unwrap_or_default(),
            conversation: None,
            complaint: Some(id),
            subject: id.to_string(),
            action: "READ_REDACTED".to_owned(),
            reason,
            query: String::new(),
            create_time: cx.now,
        };
        let mut tx = self.store.begin(cx).await?;
        content_accesses::insert(&mut tx, &access).await?;
        tx.commit().await?;
        let mut connection = self.store.read().await?;
        let opened = redactions::open(&mut connection, self.store.vault(), id).await?;
        let complaint_redactions = opened.into_iter().map(redaction_reply).collect();
        Ok(pb::ReadRedactedComplaintResponse { complaint_redactions })
    }

    /// The first answer to a repeated request, without what was redacted since.
    pub(super) async fn repeated(&self, cx: &Cx, first: pb::Complaint) -> Result<pb::Complaint> {
        let id = Id::parse(&first.name).map_err(|flaw| Error::internal(flaw.wire()))?;
        let mut connection = self.store.read().await?;
        if !redactions::exist(&mut connection, id).await? {
            return Ok(first);
        }
        let complaint = complaints::get(&mut connection, id, &cx.sight_of(Matter::Request)).await?;
        let now = super::whole(&mut connection, cx, complaint).await?;
        Ok(pb::Complaint {
            title: now.title,
            content: now.content,
            place: now.place,
            feedback: now.feedback,
            feedbacks: now.feedbacks,
            conclusion: now.conclusion,
            outside_target: now.outside_target,
            outside_number: now.outside_number,
            extensions: now.extensions,
            attachments: now.attachments,
            ..first
        })
    }
}

fn passages(request: &pb::RedactComplaintRequest, faults: &mut Faults) -> Vec<Passage> {
    let given = &request.passages;
    faults.check(!given.is_empty(), "passages", Flaw::Required);
    faults.check(given.len() <= PASSAGES_MAX, "passages", Flaw::TooMany);
    let mut read = Vec::new();
    for (index, passage) in given.iter().take(PASSAGES_MAX).enumerate() {
        let field = Field::from_wire(passage.field().as_str_name()).ok_or(Flaw::Required);
        let field = faults.take(format!("passages[{index}].field"), field);
        let text = wire::text(&passage.text, PASSAGE_CHARACTERS_MAX);
        let text = faults.take(format!("passages[{index}].text"), text);
        read.extend(field.zip(text).map(|(field, text)| Passage { field, text }));
    }
    read
}

fn redaction_reply(redaction: Redaction) -> pb::ComplaintRedaction {
    let field = wire::enumerated::<pb::redact_complaint_request::Field>(redaction.field);
    pb::ComplaintRedaction {
        name: redaction.id.to_string(),
        field,
        original: redaction.original,
        reason: redaction.reason,
        officer: redaction.officer.to_string(),
        create_time: Some(wire::time(redaction.create_time)),
    }
}
