//! A complaint as its reader may see it. No decision is made here.

use super::is_officer;
use crate::{
    context::Cx,
    domain::complaint::{Complaint, FeedbackState, SupervisionLevel},
    error::Result,
    service::{pb, wire},
    store::{
        Connection,
        complaint::{
            complaint_attachments,
            complaints::{
                extensions::{self, Extension},
                feedbacks::{self, Feedback},
            },
        },
        duty::obligations::{self, Shown},
        enterprise::enterprises,
        identity::units,
    },
};

/// A complaint with its side records.
pub(super) async fn whole(
    connection: &mut Connection,
    cx: &Cx,
    complaint: Complaint,
) -> Result<pb::Complaint> {
    let extensions = extensions::list(connection, complaint.id).await?;
    let feedbacks = feedbacks::list(connection, complaint.id).await?;
    let attachments = complaint_attachments::list(connection, complaint.id).await?;
    let attachments = attachments.into_iter().map(|file| file.to_string()).collect();
    let officer = is_officer(cx);
    let owed = if officer {
        obligations::list(connection, complaint.id.subject(), cx.now).await?
    } else {
        Vec::new()
    };
    let obligations = owed.into_iter().map(obligation_reply).collect();
    let extensions = extensions.into_iter().map(|it| extension_reply(it, officer)).collect();
    let feedbacks = feedbacks.into_iter().filter(|it| officer || it.approved == Some(true));
    let feedbacks = feedbacks.map(|it| feedback_reply(it, officer)).collect();
    let enterprise_name = enterprises::display_name(connection, complaint.enterprise).await?;
    let helpers = if officer { &complaint.helper_paths[..] } else { &[] };
    let helper_units = units::at(connection, helpers).await?;
    let helper_units = helper_units.into_iter().map(|unit| unit.to_string()).collect();
    Ok(pb::Complaint {
        extensions,
        attachments,
        obligations,
        feedbacks,
        enterprise_name,
        helper_units,
        ..reply(cx, complaint)
    })
}

/// What the reader may know: an enterprise reads the answer once it was approved, and not who of the
/// police works on it.
pub(super) fn reply(cx: &Cx, complaint: Complaint) -> pb::Complaint {
    let officer = is_officer(cx);
    let state = complaint.state();
    let category = wire::enumerated::<pb::complaint::Category>(complaint.category);
    let channel = wire::enumerated::<pb::complaint::Channel>(complaint.channel);
    let named = wire::enumerated::<pb::complaint::State>(state);
    let shown = |text: String| if officer { text } else { String::new() };
    let level = |level: SupervisionLevel| level.wire().to_owned();
    let lead = complaint.lead.map(|lead| lead.unit.to_string()).unwrap_or_default();
    let handler = complaint.handler.map(|handler| handler.to_string()).unwrap_or_default();
    let origin = complaint.origin.map(|(collection, id)| format!("{collection}/{id}"));
    pb::Complaint {
        name: complaint.id.to_string(),
        number: complaint.number.to_string(),
        enterprise: complaint.enterprise.to_string(),
        category,
        channel,
        title: complaint.title,
        content: complaint.content,
        place: complaint.place,
        state: named,
        origin: origin.unwrap_or_default(),
        lead_unit: shown(lead),
        handler: shown(handler),
        feedback: if officer { complaint.feedback } else { complaint.given_feedback },
        conclusion: complaint.conclusion,
        outside_number: complaint.outside_number,
        outside_target: complaint.outside_target,
        merged_into: complaint.merged_into.map(|into| into.to_string()).unwrap_or_default(),
        round: complaint.round,
        urges: complaint.urges,
        handle_due_time: wire::time_of(complaint.handle_due_time),
        provisional: complaint.provisional,
        create_time: Some(wire::time(complaint.create_time)),
        close_time: wire::time_of(complaint.close_time),
        supervision_level: shown(complaint.supervision_level.map(level).unwrap_or_default()),
        helper_units: Vec::new(),
        enterprise_name: String::new(),
        extensions: Vec::new(),
        attachments: Vec::new(),
        obligations: Vec::new(),
        feedbacks: Vec::new(),
        etag: wire::etag(complaint.version),
    }
}

fn extension_reply(extension: Extension, officer: bool) -> pb::ComplaintExtension {
    let shown = |text: String| if officer { text } else { String::new() };
    pb::ComplaintExtension {
        name: extension.id.to_string(),
        days: extension.days,
        reason: shown(extension.reason),
        basis: shown(extension.basis),
        state: extension.state.wire().to_owned(),
        note: shown(extension.note),
        create_time: Some(wire::time(extension.create_time)),
    }
}

fn feedback_reply(feedback: Feedback, officer: bool) -> pb::ComplaintFeedback {
    let state = FeedbackState::of(feedback.approved);
    let by = if officer { feedback.officer.to_string() } else { String::new() };
    pb::ComplaintFeedback {
        round: feedback.round,
        officer: by,
        feedback: feedback.text,
        state: state.wire().to_owned(),
        note: if officer { feedback.note } else { String::new() },
        create_time: Some(wire::time(feedback.create_time)),
    }
}

fn obligation_reply(owed: Shown) -> pb::ComplaintObligation {
    let moves = owed.moves.into_iter().map(|moved| pb::ComplaintDueTimeMove {
        from_time: Some(wire::time(moved.from)),
        to_time: Some(wire::time(moved.to)),
        cause: moved.cause,
        create_time: Some(wire::time(moved.create_time)),
        limit: moved.limit,
    });
    pb::ComplaintObligation {
        kind: owed.kind,
        open_time: Some(wire::time(owed.open_time)),
        due_time: Some(wire::time(owed.due_time)),
        legal_due_time: wire::time_of(owed.legal_due_time),
        internal_due_time: wire::time_of(owed.internal_due_time),
        standing: owed.standing.wire().to_owned(),
        moves: moves.collect(),
        provisional: owed.provisional,
    }
}
