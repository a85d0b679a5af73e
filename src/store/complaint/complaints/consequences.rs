//! Where what follows from an evaluation is carried out. What it is, the rules say.

use super::filing;
use crate::{
    context::Cx,
    domain::{
        common::evaluation::{Evaluation, Verdict},
        complaint::Consequence,
        duty::calendar::Calendar,
    },
    error::Result,
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
    match Consequence::of(asked, said) {
        Consequence::Nothing => {}
        Consequence::Step(id) => {
            let complaint = super::lock(tx, id, &cx.scope()).await?;
            tx.settle(calendar, complaint.evaluated(said, cx)?).await?;
        }
        Consequence::File(draft) => {
            filing::file(tx, cx, calendar, cx.id(), *draft).await?;
        }
    }
    Ok(())
}
