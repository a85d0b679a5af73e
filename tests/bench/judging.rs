//! What the ten years must have led to: nothing was silently late, and a sweep that was skipped is seen.

use anyhow::Result;
use jingqi::surface::domain::{
    complaint::{Category, Rules},
    duty::obligation::{Limits, ObligationKind, Times},
};
use sqlx::PgConnection;

use crate::{
    Settings, Years,
    ledger::{self, Page, Row},
    lives::HOUR,
};

/// Every obligation that was late while somebody could look has its red step: how many have none.
fn silent(start: i64, step: i64) -> String {
    format!(
        "select count(*) from obligation
         where (
            -- The first round at or after the due time, and nothing was done before it.
            coalesce(meet_time, 'infinity') > to_timestamp({start}
                + ceil((extract(epoch from due_time) - {start}) / {step}) * {step})
            and due_time <= to_timestamp((select extract(epoch from max(beat_time)) from heartbeat))
            and not exists (select from obligation_pause
                where obligation_id = obligation.id and coalesce(end_time, 'infinity') > due_time)
            and not exists (select from escalation
                where obligation_id = obligation.id and level = 2)
         ) or (breach_time is null and meet_time >= due_time)"
    )
}

/// By how many seconds the latest step was late, since it could be seen.
const LATENESS: &str = "select max(extract(epoch from create_time - greatest(escalation.due_time,
        (select max(end_time) from obligation_pause pause
         where pause.obligation_id = escalation.obligation_id and end_time <= escalation.create_time),
        (select max(calendar_year.create_time) from calendar_year
         where calendar_year.create_time <= escalation.create_time))))::bigint
     from escalation";

impl Years {
    pub async fn check(&mut self, settings: &Settings) -> Result<bool> {
        let step = settings.hours * HOUR;
        let count = async |connection: &mut PgConnection, text: &str| {
            ledger::number(connection, text).await
        };
        let connection = &mut self.connection;
        let obligations = count(connection, "select count(*) from obligation").await?;
        let late = "select count(*) from obligation where breach_time is not null";
        let late = count(connection, late).await?;
        let steps = count(connection, "select count(*) from escalation").await?;
        let moves = "select count(*) from obligation_move
            where cause = 'CALENDAR' and limit_moved = 'PROMISED'";
        let moves = count(connection, moves).await?;
        let silent = count(connection, &silent(self.start, step)).await?;
        let lateness = count(connection, LATENESS).await?;
        let apart = "select count(*) from obligation join complaint on complaint.id = obligation.subject_id
            where kind = 'HANDLE_COMPLAINT'
               and (handle_due_time <> due_time or complaint.provisional <> obligation.provisional)";
        let apart = count(connection, apart).await?;
        println!(
            "{obligations} obligations, {late} late, {steps} steps taken, {moves} due times moved by a notice"
        );
        println!("silently late: {silent}");
        println!("latest step: {lateness} s after it was due, of {step} s between two rounds");
        println!("complaints that do not say what is owed: {apart}");
        Ok(silent == 0 && lateness <= step && apart == 0 && obligations > 0 && moves > 0)
    }

    /// The control: nobody sweeps over a deadline. The check must say so, and nothing more once
    /// somebody sweeps.
    pub async fn skip_a_sweep(&mut self, step: i64) -> Result<bool> {
        let now = self.clock.now();
        let opened = now - jiff::SignedDuration::from_hours(1);
        let mut page = Page::default();
        let rules = Rules::standard(Category::Urgent);
        let limits = Limits::new(None, Some(rules.accept), None);
        let limits = limits.map_err(|flaw| anyhow::anyhow!("{}", flaw.wire()))?;
        let version = self.calendar.version().to_owned();
        for _ in 0..200 {
            page.open(&Row {
                id: self.parts.ids.random(),
                subject: self.parts.ids.random(),
                kind: ObligationKind::AcceptComplaint,
                opened,
                limits,
                times: Times::count(opened, limits, &[], 0, &self.calendar)?,
                extension_days: 0,
                paused_since: None,
                met: None,
                version: &version,
            });
        }
        page.write(&mut self.connection, &version, now).await?;
        // The heart beats on, as if the round had been good; the clock passes the deadline.
        self.clock.advance(jiff::SignedDuration::from_hours(24));
        let beat = format!("update heartbeat set beat_time = '{}'", self.clock.now());
        ledger::run(&mut self.connection, &beat).await?;
        let check = silent(self.start, step);
        let skipped = ledger::number(&mut self.connection, &check).await?;
        self.worker.sweep_once().await?;
        let swept = ledger::number(&mut self.connection, &check).await?;
        Ok(skipped >= 200 && swept == 0)
    }
}
