//! What follows from an evaluation: closed, handled a second time by somebody else, escalated; and for
//! any other finished thing that was rated badly, a complaint of its own (measure 19).

use super::filing;
use crate::{
    context::Cx,
    domain::{
        common::evaluation::{Evaluation, Verdict},
        complaint::{Category, Channel, Complaint, Draft},
        duty::calendar::Calendar,
    },
    error::Result,
    id::{Collection as _, Id, kind},
    store::Tx,
};

/// Draws the consequences of an evaluation, or of its silence.
pub async fn evaluated(
    tx: &mut Tx,
    cx: &Cx,
    asked: &Evaluation,
    said: Option<&Verdict>,
    calendar: &Calendar,
) -> Result<()> {
    if asked.collection == kind::Complaint::NAME {
        let id = Id::<kind::Complaint>::of(asked.subject);
        let complaint = super::lock(tx, id, &cx.scope()).await?;
        return of_complaint(tx, cx, complaint, said, calendar).await;
    }
    match said.filter(|verdict| verdict.level.is_bad()) {
        Some(verdict) => file(tx, cx, asked, verdict, calendar).await,
        None => Ok(()),
    }
}

async fn of_complaint(
    tx: &mut Tx,
    cx: &Cx,
    complaint: Complaint,
    said: Option<&Verdict>,
    calendar: &Calendar,
) -> Result<()> {
    tx.settle(calendar, complaint.evaluated(said, cx)?).await?;
    Ok(())
}

/// What was rated badly becomes a complaint, which whoever finished the thing may not handle (CO-13).
async fn file(
    tx: &mut Tx,
    cx: &Cx,
    asked: &Evaluation,
    verdict: &Verdict,
    calendar: &Calendar,
) -> Result<()> {
    let draft = Draft {
        enterprise: asked.enterprise,
        unit_path: asked.unit_path.clone(),
        category: Category::Complaint,
        channel: Channel::Evaluation,
        title: format!("服务评价{}", verdict.level.zh()),
        content: verdict.comment.clone(),
        place: String::new(),
        origin: Some((asked.collection.clone(), asked.subject)),
        linked_sequences: Vec::new(),
        past_handlers: asked.officer.into_iter().collect(),
        outside_number: String::new(),
    };
    filing::file(tx, cx, calendar, cx.id(), draft).await?;
    Ok(())
}
