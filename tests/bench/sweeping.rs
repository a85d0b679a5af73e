//! How the ten years pass: what happens between two rounds of the sweeper is counted by the domain's own
//! functions and written at once, and a notice is imported on the day on which it appears.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use jingqi::surface::{
    context::Cx,
    domain::{
        complaint::{Category, Rules},
        duty::{
            calendar::CalendarYear,
            obligation::{Limits, ObligationKind, Pause, PauseReason, Times, decision_limits},
        },
        liaison::booking::CONFIRM_WITHIN,
    },
    id::{Id, kind},
    store::duty::calendars,
};
use uuid::Uuid;

use crate::{
    Owing, SECONDS_OF_RECOUNT, Settings, Years,
    ledger::{self, Page, Place, Row},
    lives::{Event, HOUR, Happening, Lives, OWED_MAX, Owes},
};

impl Years {
    /// Lets the years pass, from one round of the sweeper to the next.
    pub async fn pass(&mut self, settings: &Settings) -> Result<()> {
        let mut lives = Lives::new(settings.seed);
        let mut coming: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
        let step = settings.hours * HOUR;
        let rounds = (self.end - self.start) / step;
        let mut filed = 0;
        for round in 1..=rounds {
            let now = self.start + round * step;
            let until = settings.complaints * round / rounds;
            for _ in filed..until {
                // A time belongs to the round that follows it, or falls on it.
                for event in lives.draw(now - step + 1, now + 1) {
                    let belongs = self.start + (event.time - self.start + step - 1) / step * step;
                    if belongs <= self.end {
                        coming.entry(belongs).or_default().push(event);
                    }
                }
            }
            filed = until;
            let mut events = coming.remove(&now).unwrap_or_default();
            events.sort_by_key(|event| event.time);
            self.happen(events, Timestamp::from_second(now)?).await?;
            self.clock.set(Timestamp::from_second(now)?);
            if let Some(notice) = self.imports.remove(&now) {
                self.import(notice).await?;
                // A round counts a bounded number again, and the next comes a second later: long before
                // the next one of the simulation.
                for _ in 0..SECONDS_OF_RECOUNT {
                    self.worker.sweep_once().await?;
                }
            }
            self.worker.sweep_once().await?;
            // Statistics of an empty table make every later plan a bad one.
            if round % (rounds / 40).max(1) == 0 {
                ledger::run(&mut self.connection, "analyze obligation, escalation, complaint")
                    .await?;
            }
        }
        Ok(())
    }

    async fn import(&mut self, notice: CalendarYear) -> Result<()> {
        let cx = Cx::job("years", self.clock.now(), self.parts.ids.clone());
        let mut tx = self.parts.store.begin(&cx).await?;
        calendars::insert(&mut tx, &notice, Id::<kind::Officer>::of(self.place.officer)).await?;
        tx.commit().await?;
        self.calendar = self.calendar.with_notice(notice);
        self.parts.world.look(&self.parts.store).await?;
        ensure!(self.parts.world.calendar().version() == self.calendar.version());
        Ok(())
    }

    /// Everything that happened since the last round, written at once.
    async fn happen(&mut self, events: Vec<Event>, now: Timestamp) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut page = Page::default();
        let (mut opened, mut moved) = (Vec::new(), Vec::new());
        for event in events {
            let at = Timestamp::from_second(event.time)?;
            match event.what {
                Happening::Opened(owes) => {
                    self.open(event.owing, owes, at)?;
                    opened.push(event.owing);
                }
                Happening::Paused => {
                    let owing = self.owing(event.owing)?;
                    let reason = PauseReason::Returned;
                    owing.pauses.push(Pause { from: at, until: None, reason });
                    if owing.stored {
                        page.stopped.0.push(owing.id);
                        page.stopped.1.push(Some(at.to_sqlx()));
                    }
                }
                Happening::Resumed | Happening::Extended(_) => {
                    if self.change(&mut page, event, at)? && !moved.contains(&event.owing) {
                        moved.push(event.owing);
                    }
                }
                Happening::Met => {
                    let owing = self.owing(event.owing)?;
                    owing.met = Some(at);
                    if owing.stored {
                        page.met.0.push(owing.id);
                        page.met.1.push(at.to_sqlx());
                    }
                }
            }
        }
        self.turn(page, opened, moved, now).await
    }

    fn owing(&mut self, at: u64) -> Result<&mut Owing> {
        self.live.get_mut(&at).context("nothing is owed")
    }

    fn open(&mut self, at: u64, owes: Owes, opened: Timestamp) -> Result<()> {
        let (kind, category) = match owes {
            Owes::Acceptance(category) => (ObligationKind::AcceptComplaint, category),
            Owes::Signature(category) => (ObligationKind::SignComplaint, category),
            Owes::Handling(category) => (ObligationKind::HandleComplaint, category),
            Owes::Decision { .. } => (ObligationKind::DecidePassApplication, Category::Help),
            Owes::Confirmation => (ObligationKind::ConfirmCentreBooking, Category::Help),
        };
        let rules = Rules::standard(category);
        let limits = match owes {
            Owes::Acceptance(_) => Limits::new(None, Some(rules.accept), None),
            Owes::Signature(_) => Limits::new(None, Some(rules.sign), None),
            Owes::Handling(_) => rules.handling(),
            Owes::Decision { temporary } => Ok(decision_limits(if temporary { 1 } else { 3 })),
            Owes::Confirmation => Ok(Limits::promised(CONFIRM_WITHIN)),
        };
        let limits = limits.map_err(|flaw| anyhow::anyhow!("{}", flaw.wire()))?;
        let times = Times::count(opened, limits, &[], 0, &self.calendar)?;
        let id = self.parts.ids.next::<kind::Obligation>(opened).uuid();
        // An application and a booking are no complaint, and have ids of their own.
        let noun: u128 = match owes {
            Owes::Decision { .. } => 0x0192_0000_0002_7000_8000_0000_0000_0000,
            Owes::Confirmation => 0x0192_0000_0003_7000_8000_0000_0000_0000,
            _ => 0x0192_0000_0001_7000_8000_0000_0000_0000,
        };
        let subject = Uuid::from_u128(noun + u128::from(at / OWED_MAX));
        let owing = Owing {
            id,
            subject,
            kind,
            category,
            opened,
            limits,
            pauses: Vec::new(),
            extension_days: 0,
            times,
            met: None,
            stored: false,
        };
        self.live.insert(at, owing);
        Ok(())
    }

    /// A pause that ends, or an extension: the due times are counted again. False where it is too late
    /// for an extension.
    fn change(&mut self, page: &mut Page, event: Event, at: Timestamp) -> Result<bool> {
        let (calendar, id) = (self.calendar.clone(), self.parts.ids.random());
        let place = Place { ..self.place };
        let owing = self.owing(event.owing)?;
        if let Happening::Extended(days) = event.what {
            if owing.times.due <= at {
                return Ok(false);
            }
            owing.extension_days = days;
            page.extend(id, owing.subject, days, at, &place);
        } else if let Some(pause) = owing.pauses.last_mut() {
            pause.until = Some(at);
            if owing.stored {
                page.stopped.0.push(owing.id);
                page.stopped.1.push(None);
                page.ended.0.push(owing.id);
                page.ended.1.push(pause.from.to_sqlx());
                page.ended.2.push(at.to_sqlx());
            }
        }
        let Owing { opened, limits, ref pauses, extension_days, .. } = *owing;
        owing.times = Times::count(opened, limits, pauses, extension_days, &calendar)?;
        Ok(true)
    }

    /// Writes the page: what is new as it stands at its end, what was there before as it changed.
    async fn turn(
        &mut self,
        mut page: Page,
        opened: Vec<u64>,
        moved: Vec<u64>,
        now: Timestamp,
    ) -> Result<()> {
        let version = self.calendar.version().to_owned();
        for at in moved {
            let owing = self.live.get(&at).context("moved")?;
            if owing.stored {
                let (column, times) = (&mut page.moved, owing.times);
                column.ids.push(owing.id);
                column.subjects.push(owing.subject);
                column.due.push(times.due.to_sqlx());
                column.amber.push(times.amber.to_sqlx());
                column.legal.push(times.legal.map(Timestamp::to_sqlx));
                column.internal.push(times.internal.map(Timestamp::to_sqlx));
                column.provisional.push(times.provisional);
                column.extension_days.push(i32::try_from(owing.extension_days)?);
            }
        }
        for at in opened {
            let owing = self.live.get_mut(&at).context("opened")?;
            owing.stored = true;
            let last = owing.pauses.last().filter(|pause| pause.until.is_none());
            let row = Row {
                id: owing.id,
                subject: owing.subject,
                kind: owing.kind,
                opened: owing.opened,
                limits: owing.limits,
                times: owing.times,
                extension_days: owing.extension_days,
                paused_since: last.map(|pause| pause.from),
                met: owing.met,
                version: &version,
            };
            page.open(&row);
            if owing.kind == ObligationKind::HandleComplaint {
                self.complaints += 1;
                page.complain(&row, &self.place, owing.category.wire(), self.complaints);
            }
        }
        let since = self.clock.now();
        for owing in self.live.values() {
            // Those that began in this round: an older one was written when it began.
            for pause in owing.pauses.iter().filter(|pause| pause.from > since) {
                page.pause(owing.id, pause.from, pause.until);
            }
        }
        self.live.retain(|_, owing| owing.met.is_none());
        page.write(&mut self.connection, &version, now).await
    }
}
