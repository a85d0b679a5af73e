//! The blacklist as officers keep it.

use super::Passes;
use crate::{
    actor::Matter,
    context::Cx,
    domain::pass::{
        PassRevocationReason,
        blacklist::{Entry, Listed},
    },
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    service::{
        pb,
        wire::{self, Page},
    },
    store::pass::blacklist,
};

impl Passes {
    pub(super) async fn add_blacklist_entry(
        &self,
        cx: &Cx,
        request: pb::AddBlacklistEntryRequest,
    ) -> Result<pb::BlacklistEntry> {
        let entry = entry(cx, &request.blacklist_entry.clone().unwrap_or_default())?;
        wire::write(&self.store, cx, &request, async |tx| {
            blacklist::reach(tx.conn(), entry.listed, &cx.scope_of(Matter::Pass)).await?;
            let entry = tx.settle_first(entry.begin(cx)?, blacklist::insert).await?;
            Ok(reply(&entry))
        })
        .await
    }

    pub(super) async fn lift_blacklist_entry(
        &self,
        cx: &Cx,
        request: pb::LiftBlacklistEntryRequest,
    ) -> Result<pb::BlacklistEntry> {
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let note = faults.take("note", wire::text(&request.note, 500));
        let (id, note) = faults.whole((id, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let entry = blacklist::lock(tx, id, &cx.scope_of(Matter::Pass)).await?;
            let entry = tx.settle_now(entry.lift(note, cx)?).await?;
            Ok(reply(&entry))
        })
        .await
    }

    pub(super) async fn list_blacklist_entries(
        &self,
        cx: &Cx,
        request: pb::ListBlacklistEntriesRequest,
    ) -> Result<pb::ListBlacklistEntriesResponse> {
        let of = if request.subject.is_empty() {
            None
        } else {
            Some(listed(&request.subject).map_err(|flaw| Error::field("subject", flaw))?)
        };
        let arguments = [cx.method, &request.subject];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let scope = cx.scope_of(Matter::Pass);
        let found = blacklist::list(&mut connection, of, &scope, page.after, page.rows());
        let mut found = found.await?;
        let next_page_token = page.cut(&mut found, |entry| entry.id.uuid());
        let blacklist_entries = found.iter().map(reply).collect();
        Ok(pb::ListBlacklistEntriesResponse { blacklist_entries, next_page_token })
    }
}

fn listed(name: &str) -> Result<Listed, Flaw> {
    if let Ok(vehicle) = Id::<kind::Vehicle>::parse(name) {
        return Ok(Listed::Vehicle(vehicle));
    }
    Id::<kind::Enterprise>::parse(name).map(Listed::Enterprise)
}

fn entry(cx: &Cx, form: &pb::BlacklistEntry) -> Result<Entry> {
    let mut faults = Faults::new();
    let listed = faults.take("blacklist_entry.subject", listed(&form.subject));
    let code = if form.reason_code.is_empty() {
        Err(Flaw::Required)
    } else {
        PassRevocationReason::from_wire(&form.reason_code).ok_or(Flaw::UnknownValue)
    };
    let code = faults.take("blacklist_entry.reason_code", code);
    let reason = faults.take("blacklist_entry.reason", wire::text(&form.reason, 500));
    let valid_until = form.valid_until.map(|until| wire::instant(Some(until))).transpose();
    let valid_until = faults.maybe("blacklist_entry.valid_until", valid_until);
    let ends = valid_until.is_none_or(|until| until > cx.now);
    faults.check(ends, "blacklist_entry.valid_until", Flaw::InPast);
    let (listed, code, reason) = faults.whole((listed, code, reason))?;
    Ok(Entry {
        id: cx.id(),
        listed,
        reason_code: code.wire().to_owned(),
        reason,
        valid_from: cx.now,
        valid_until,
        officer: cx.actor.officer()?,
        lift_time: None,
        lift_note: String::new(),
    })
}

fn reply(entry: &Entry) -> pb::BlacklistEntry {
    pb::BlacklistEntry {
        name: entry.id.to_string(),
        subject: entry.listed.subject().to_string(),
        reason_code: entry.reason_code.clone(),
        reason: entry.reason.clone(),
        valid_from: Some(wire::time(entry.valid_from)),
        valid_until: wire::time_of(entry.valid_until),
        lift_time: wire::time_of(entry.lift_time),
    }
}
