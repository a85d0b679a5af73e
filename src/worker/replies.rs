//! What a conversation needs without being asked for: back to the queue when nobody answers, one
//! reminder to rate.

use crate::{
    context::Cx,
    domain::{
        common::evaluation::Evaluation,
        duty::calendar::Calendar,
        liaison::{
            conversation::{Conversation, REMIND_AFTER},
            message::NoticeCode,
        },
    },
    error::Result,
    id::{Id, kind},
    parts::Parts,
    store::{
        common::evaluations,
        liaison::{conversations, liaison_posts, messages},
    },
};

/// How many are looked at in one round.
const BATCH: i64 = 200;

/// Does everything that is due, each in a unit of work of its own: one that fails stops no other.
pub(super) async fn round(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    release(parts, cx).await?;
    remind(parts, cx).await
}

async fn release(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let calendar = parts.world.get(&parts.store).await?.calendar.clone();
    let mut connection = parts.store.read().await?;
    let waiting = conversations::waiting(&mut connection, BATCH).await?;
    drop(connection);
    for (conversation, present) in waiting {
        let cx = cx();
        if let Err(error) = release_one(parts, &cx, &conversation, present, &calendar).await {
            tracing::error!(id = %conversation.id, %error, "a conversation was not put back");
        }
    }
    Ok(())
}

/// Puts a conversation back whose officer has let it wait too long.
async fn release_one(
    parts: &Parts,
    cx: &Cx,
    conversation: &Conversation,
    present: bool,
    calendar: &Calendar,
) -> Result<()> {
    let mut connection = parts.store.read().await?;
    let post = liaison_posts::named(&mut connection, conversation.post).await?;
    drop(connection);
    // Without a calendar nobody is known to be off duty.
    let on_duty = post.is_none_or(|post| post.duty.covers(cx.now, calendar).unwrap_or(true));
    if conversation.release_due(on_duty, present, cx.now).is_none() {
        return Ok(());
    }
    put_back(parts, cx, conversation.id, present, calendar).await
}

async fn put_back(
    parts: &Parts,
    cx: &Cx,
    id: Id<kind::Conversation>,
    present: bool,
    calendar: &Calendar,
) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let conversation = conversations::lock(&mut tx, id, &cx.scope()).await?;
    let post = liaison_posts::named(tx.conn(), conversation.post).await?;
    let on_duty = post.is_none_or(|post| post.duty.covers(cx.now, calendar).unwrap_or(true));
    // Behind the lock once more: the officer may have answered meanwhile.
    let Some(cause) = conversation.release_due(on_duty, present, cx.now) else { return Ok(()) };
    let moved = conversation.release(cause, cx)?;
    let mut conversation = tx.settle_now(moved).await?;
    let told = NoticeCode::Returned.zh().to_owned();
    messages::notice(&mut tx, &mut conversation, NoticeCode::Returned, told).await?;
    tx.commit().await
}

async fn remind(parts: &Parts, cx: &(dyn Fn() -> Cx + Sync)) -> Result<()> {
    let now = cx().now;
    let before = now.checked_sub(REMIND_AFTER).unwrap_or(now);
    let mut connection = parts.store.read().await?;
    let unasked = evaluations::unasked(&mut connection, before, BATCH).await?;
    drop(connection);
    for asked in unasked {
        if let Err(error) = remind_one(parts, &cx(), &asked).await {
            tracing::error!(id = %asked.id, %error, "nobody was reminded to rate");
        }
    }
    Ok(())
}

async fn remind_one(parts: &Parts, cx: &Cx, asked: &Evaluation) -> Result<()> {
    let mut tx = parts.store.begin(cx).await?;
    let id = Id::<kind::Conversation>::of(asked.subject);
    let mut conversation = conversations::lock(&mut tx, id, &cx.scope()).await?;
    if evaluations::reminded(&mut tx, asked.id).await? {
        let told = NoticeCode::RateReminder.zh().to_owned();
        messages::notice(&mut tx, &mut conversation, NoticeCode::RateReminder, told).await?;
    }
    tx.commit().await
}
