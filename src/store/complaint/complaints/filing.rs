//! How a complaint begins, whoever files it: its number, its row, the first thing that is owed.

use serde_json::Value;
use uuid::Uuid;

use crate::{
    context::Cx,
    domain::{
        common::{lifecycle::Note, number::ComplaintNumber},
        complaint::{Complaint, Draft},
        duty::{calendar::Calendar, month},
    },
    error::{Error, Result},
    id::{Id, kind},
    store::{Tx, common::numbers},
};

/// Files a complaint, with its number and the first thing that is owed. One that was filed under the
/// id before stays as it is.
pub async fn file(
    tx: &mut Tx,
    cx: &Cx,
    calendar: &Calendar,
    id: Id<kind::Complaint>,
    draft: Draft,
) -> Result<Complaint> {
    let day = month::local_date(cx.now);
    let sequence = numbers::next(tx, ComplaintNumber::PREFIX, day).await?;
    let complaint = Complaint::draft(id, ComplaintNumber::new(day, sequence)?, draft, cx);
    let note = Note::public(complaint.channel.zh());
    let filed = complaint.clone().file(note, cx);
    let new = tx.settle_new(calendar, filed, super::insert).await?;
    Ok(new.unwrap_or(complaint))
}

/// Takes up what a conversation handed over (CH-18): filed once, however often the event comes.
pub async fn from_conversation(
    tx: &mut Tx,
    cx: &Cx,
    calendar: &Calendar,
    event: Uuid,
    payload: &Value,
) -> Result<()> {
    let uuid = |key: &str| {
        let id = payload.get(key).and_then(Value::as_str);
        let id = id.and_then(|id| Uuid::try_parse(id).ok());
        id.ok_or_else(|| Error::internal("an event without its subject"))
    };
    let sequence = payload.get("summary_sequence").and_then(Value::as_i64).unwrap_or_default();
    let conversation = Id::<kind::Conversation>::of(uuid("conversation")?);
    let chosen = payload.get("sequences").and_then(Value::as_array);
    let chosen = chosen.into_iter().flatten().filter_map(Value::as_i64).collect();
    let source = super::handed_over(tx, conversation, sequence, chosen).await?;
    let draft = Draft::from_conversation(source);
    // The complaint has the event's id, so that a second delivery finds it.
    let id = Id::<kind::Complaint>::of(event);
    if !super::exists(tx, id).await? {
        file(tx, cx, calendar, id, draft).await?;
    }
    Ok(())
}
