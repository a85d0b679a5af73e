//! Where a step becomes durable, with everything that follows from it: its clocks, its row, its history, who is
//! told, who is asked. No noun of its own: a noun says how its row is written, and what is peculiar to it.

use std::{future::ready, ops::AsyncFnOnce};

use super::Tx;
use crate::{
    domain::{
        common::{
            follow::{Follow, To},
            lifecycle::{Change, Moved},
            notice::NoticeEvent,
        },
        duty::{
            calendar::{Calendar, Due},
            obligation::{Limits, ObligationKind, Pause, Times},
        },
    },
    error::{Error, Result},
    id::{Id, Subject, kind},
    store::{
        common::{
            evaluations, history,
            notices::{self, Telling},
        },
        duty::{
            calendars,
            obligations::{self, Cause, Owed, Running},
        },
    },
};

/// A noun whose steps are settled.
pub trait Settled: Sized + Send + Sync {
    /// Which one it is.
    fn subject(&self) -> Subject;

    /// Writes its row, at the version that the step was taken on, and nothing else.
    fn write(self, tx: &mut Tx) -> impl Future<Output = Result<Self>> + Send;

    /// Who is told of the event, and with what words; what the noun's drawing tells, it must know.
    fn told(
        &self,
        _: &mut Tx,
        event: NoticeEvent,
        to: To,
    ) -> impl Future<Output = Result<Vec<Telling>>> + Send {
        let silent = format!("{} tells {} nothing of {}", self.subject(), to.wire(), event.wire());
        ready(Err(Error::internal(silent)))
    }

    /// How long there is for what is owed; `None` where this one owes nothing of the kind.
    fn limits(
        &self,
        _: &mut Tx,
        _: ObligationKind,
    ) -> impl Future<Output = Result<Option<Limits>>> + Send {
        ready(Ok(None))
    }

    /// The path of the unit that owes it; empty where nothing is ever owed.
    fn owing_unit(&self, _: ObligationKind) -> String {
        String::new()
    }

    /// Shows until when it is owed, where its row does.
    fn owed_until(&mut self, _: ObligationKind, _: Due) {}

    /// Who is asked how it was, and which unit it is about; nobody where there is nothing to ask.
    fn asks(&self) -> Option<(Id<kind::Enterprise>, &str)> {
        None
    }

    /// Carries out what is no clock.
    fn beside(&self, tx: &mut Tx, follow: Follow) -> impl Future<Output = Result<()>> + Send {
        async move {
            match self.asks().filter(|_| follow == Follow::Invite) {
                Some((whom, unit)) => {
                    evaluations::invite_after(tx, self.subject(), whom, unit).await
                }
                None => Ok(()),
            }
        }
    }
}

impl Tx {
    /// Stores a step with everything that follows from it. What judges by the calendar judges by this one.
    ///
    /// # Errors
    /// `ETAG_STALE` when another step was stored in the meantime.
    pub async fn settle<E: Settled>(&mut self, calendar: &Calendar, moved: Moved<E>) -> Result<E> {
        let (mut entity, change) = moved.unfold();
        self.carry(calendar, &mut entity, change.follows()).await?;
        let entity = entity.write(self).await?;
        self.record(entity, &change).await
    }

    /// The same, by the calendar in force, which is read where a clock moves.
    ///
    /// # Errors
    /// As [`Self::settle`].
    pub async fn settle_now<E: Settled>(&mut self, moved: Moved<E>) -> Result<E> {
        if moved.change().follows().iter().any(Follow::is_clock) {
            let calendar = calendars::in_force(self.conn()).await?;
            return self.settle(&calendar, moved).await;
        }
        let (entity, change) = moved.unfold();
        let entity = entity.write(self).await?;
        self.record(entity, &change).await
    }

    /// The same for the beginning of a life, whose row is written first.
    pub async fn settle_first<E: Settled>(
        &mut self,
        moved: Moved<E>,
        insert: impl AsyncFnOnce(&mut Self, &E) -> Result<()>,
    ) -> Result<E> {
        let (mut entity, change) = moved.unfold();
        insert(self, &entity).await?;
        if change.follows().iter().any(Follow::is_clock) {
            let calendar = calendars::in_force(self.conn()).await?;
            self.carry(&calendar, &mut entity, change.follows()).await?;
        }
        self.record(entity, &change).await
    }

    /// The same where what it is made from may come twice: `None` when it is there already.
    pub async fn settle_new<E: Settled>(
        &mut self,
        calendar: &Calendar,
        moved: Moved<E>,
        insert: impl AsyncFnOnce(&mut Self, &E) -> Result<bool>,
    ) -> Result<Option<E>> {
        let (mut entity, change) = moved.unfold();
        if !insert(self, &entity).await? {
            return Ok(None);
        }
        self.carry(calendar, &mut entity, change.follows()).await?;
        self.record(entity, &change).await.map(Some)
    }

    /// Moves the clocks of what follows, also from what is no step: a message.
    pub async fn carry<E: Settled>(
        &mut self,
        calendar: &Calendar,
        entity: &mut E,
        follows: &[Follow],
    ) -> Result<()> {
        for follow in follows {
            clock(self, calendar, entity, *follow).await?;
        }
        Ok(())
    }

    /// The history, and what is no clock.
    async fn record<E: Settled>(&mut self, entity: E, change: &Change) -> Result<E> {
        history::write(self, entity.subject(), change).await?;
        for follow in change.follows() {
            match *follow {
                Follow::Tell(event, to) => {
                    for telling in entity.told(self, event, to).await? {
                        notices::tell(self, &telling).await?;
                    }
                }
                other => entity.beside(self, other).await?,
            }
        }
        Ok(entity)
    }
}

/// Carries out what is a clock.
async fn clock<E: Settled>(
    tx: &mut Tx,
    calendar: &Calendar,
    entity: &mut E,
    follow: Follow,
) -> Result<()> {
    let subject = entity.subject();
    match follow {
        Follow::Owe(kind) => {
            let Some(limits) = entity.limits(tx, kind).await? else { return Ok(()) };
            let unit = entity.owing_unit(kind);
            let owed = Owed::within(kind, subject, unit, limits, tx.now(), calendar)?;
            obligations::open(tx, &owed).await?;
            entity.owed_until(kind, owed.times.governing());
            Ok(())
        }
        Follow::OweUntil(kind, due) => {
            let unit = entity.owing_unit(kind);
            let owed = Owed::until(kind, subject, unit, due, tx.now(), calendar);
            obligations::open(tx, &owed).await
        }
        Follow::Promise(kind, due) => {
            obligations::promise_anew(tx, subject, kind, due.at, calendar).await?;
            let unit = entity.owing_unit(kind);
            let owed = Owed::until(kind, subject, unit, due, tx.now(), calendar);
            obligations::open(tx, &owed).await
        }
        Follow::Meet(kind) => obligations::meet(tx, subject, kind, calendar).await,
        Follow::Unmeet(kind) => obligations::unmeet(tx, subject, kind).await,
        Follow::Void(kind) => obligations::void(tx, subject, kind, calendar).await,
        Follow::VoidAll => obligations::void_all(tx, subject, calendar).await,
        Follow::Pause(kind) => match obligations::lock(tx, subject, kind).await? {
            Some(running) => obligations::pause(tx, running.id).await,
            None => Ok(()),
        },
        Follow::Resume(kind) => resume(tx, calendar, entity, kind).await,
        Follow::Extend(kind, days) => extend(tx, calendar, entity, kind, days).await,
        Follow::HandOver(kind) => {
            let unit = entity.owing_unit(kind);
            obligations::hand_to(tx, subject, kind, &unit).await
        }
        Follow::Tell(..) | Follow::Lapse(_) | Follow::Invite | Follow::Refer | Follow::Recall => {
            Ok(())
        }
    }
}

/// Lets a clock that stood still go on, later by what was lost.
async fn resume<E: Settled>(
    tx: &mut Tx,
    calendar: &Calendar,
    entity: &mut E,
    kind: ObligationKind,
) -> Result<()> {
    let running = obligations::lock(tx, entity.subject(), kind).await?;
    let Some(running) = running.filter(|running| running.pause_time.is_some()) else {
        return Ok(());
    };
    let now = tx.now();
    let ended = |pause: &Pause| Pause { until: pause.until.or(Some(now)), ..*pause };
    let pauses: Vec<_> = running.pauses.iter().map(ended).collect();
    let times = counted(&running, &pauses, running.extension_days, calendar)?;
    obligations::resume(tx, running.id).await?;
    let (days, version) = (running.extension_days, calendar.version());
    obligations::move_due(tx, &running, &times, Cause::Pause, days, version).await?;
    entity.owed_until(kind, times.governing());
    Ok(())
}

/// Lets a clock end so many working days later.
async fn extend<E: Settled>(
    tx: &mut Tx,
    calendar: &Calendar,
    entity: &mut E,
    kind: ObligationKind,
    days: u32,
) -> Result<()> {
    let Some(running) = obligations::lock(tx, entity.subject(), kind).await? else {
        return Ok(());
    };
    let days = running.extension_days.saturating_add(days);
    // A pause that lasts does not count yet.
    let times = counted(&running, &running.pauses, days, calendar)?;
    let version = calendar.version();
    obligations::move_due(tx, &running, &times, Cause::Extension, days, version).await?;
    entity.owed_until(kind, times.governing());
    Ok(())
}

/// The due times by everything that happened: opening, limits, pauses, extension.
fn counted(running: &Running, pauses: &[Pause], days: u32, calendar: &Calendar) -> Result<Times> {
    let limits =
        running.limits.ok_or_else(|| Error::internal("a clock that moves without limits"))?;
    Times::count(running.open_time, limits, pauses, days, calendar)
}
