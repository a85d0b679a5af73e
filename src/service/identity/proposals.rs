//! The second pair of eyes: proposals looked at, confirmed, declined, taken back. What each act does when
//! it is confirmed stands with its own service; the table of them is in `acts`.

mod acts;

use std::fmt::Write as _;

use prost::Message;

use crate::{
    actor::{Role, Roles},
    context::Cx,
    domain::identity::proposal::{Act, Draft, Proposal, ProposalAction, ProposalState, effective},
    error::{Error, Faults, Flaw, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, proposal_service_server::ProposalService},
        rpc,
        wire::{self, Page},
    },
    store::{Store, Tx, common::history, identity::proposals},
};

/// The shortest reason for what cannot wait, in characters: a stroke of the pen is none.
const AT_ONCE_CHARACTERS_MIN: usize = 5;

/// The service.
pub struct Proposals {
    store: Store,
}

rpc! { ProposalService, Proposals {
    list_proposals(pb::ListProposalsRequest) -> pb::ListProposalsResponse;
    get_proposal(pb::GetProposalRequest) -> pb::Proposal;
    confirm_proposal(pb::ConfirmProposalRequest) -> pb::Proposal;
    decline_proposal(pb::DeclineProposalRequest) -> pb::Proposal;
    withdraw_proposal(pb::WithdrawProposalRequest) -> pb::Proposal;
} }

/// Makes a proposal of an act: what each act's own method calls where it takes two. The request is kept as
/// it is, and decoded again when it is confirmed.
pub(in crate::service) async fn propose<Q: Message>(
    tx: &mut Tx,
    draft: Draft,
    request: &Q,
    cx: &Cx,
) -> Result<Proposal> {
    let draft = Draft { request: request.encode_to_vec(), ..draft };
    tx.settle_first(draft.propose(cx)?, proposals::insert).await
}

/// The unit in whose subtree the caller's own acts are confirmed.
pub(in crate::service) fn own_unit_path(cx: &Cx) -> String {
    cx.scope().unit_path.unwrap_or_default()
}

/// What is being confirmed, and by whom: given to whoever carries an act out.
pub(in crate::service) struct Confirming<'a> {
    /// The context of the second person.
    pub cx: &'a Cx,
    /// What was proposed.
    pub proposal: &'a Proposal,
    /// Why it cannot wait; empty where nobody said so.
    at_once_reason: &'a str,
}

impl Confirming<'_> {
    /// The exact request.
    pub fn request<Q: Message + Default>(&self) -> Result<Q> {
        Q::decode(self.proposal.request.0.as_slice()).map_err(Error::internal)
    }

    /// When it takes effect: as asked, not before the next day, unless a leader says why.
    pub fn effective(&self, asked: Option<jiff::Timestamp>) -> Result<jiff::Timestamp> {
        effective(asked, self.at_once_reason, self.cx.actor.roles(), self.cx.now)
    }
}

impl Proposals {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone() }
    }

    async fn list_proposals(
        &self,
        cx: &Cx,
        request: pb::ListProposalsRequest,
    ) -> Result<pb::ListProposalsResponse> {
        let state =
            ProposalState::from_wire(request.state().as_str_name()).map(ProposalState::wire);
        let arguments = [cx.method, state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let acts = Act::checked_by(cx.actor.roles());
        let mut connection = self.store.read().await?;
        let vault = self.store.vault();
        let (scope, after, rows) = (cx.scope(), page.after, page.rows());
        let mut found =
            proposals::list(&mut connection, vault, &acts, state, &scope, after, rows).await?;
        let next_page_token = page.cut(&mut found, |proposal| proposal.id.uuid());
        Ok(pb::ListProposalsResponse {
            proposals: found.iter().map(reply).collect(),
            next_page_token,
        })
    }

    async fn get_proposal(&self, cx: &Cx, request: pb::GetProposalRequest) -> Result<pb::Proposal> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let vault = self.store.vault();
        let found = proposals::get(&mut connection, vault, id, &cx.scope()).await?;
        if !found.shows_to(&cx.actor) {
            return Err(cx.scope().missing(id.subject()));
        }
        let changes = history::list(&mut connection, id.subject()).await?;
        Ok(pb::Proposal {
            changes: wire::changes::<ProposalAction>(changes, true),
            ..reply(&found)
        })
    }

    async fn confirm_proposal(
        &self,
        cx: &Cx,
        request: pb::ConfirmProposalRequest,
    ) -> Result<pb::Proposal> {
        let mut faults = Faults::new();
        let target = target(&request.name, &request.etag, &mut faults);
        let note = faults.take("note", wire::text_maybe(&request.note, 500));
        let why = faults.take("at_once_reason", wire::text_maybe(&request.at_once_reason, 300));
        if let Some(why) = why.as_ref().filter(|why| !why.is_empty()) {
            let long = why.chars().count() >= AT_ONCE_CHARACTERS_MIN;
            faults.check(long, "at_once_reason", Flaw::TooShort);
            let leads = cx.actor.roles().meets(Roles::of(&[Role::UnitLeader]));
            faults.check(leads, "at_once_reason", Flaw::NotAllowed);
        }
        let ((id, version), note, why) = faults.whole((target, note, why))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = self.lock(tx, cx, id, version).await?;
            let moved = known.confirm(note, cx)?;
            let confirming = Confirming { cx, proposal: moved.peek(), at_once_reason: &why };
            let effective_time = acts::carry_out(tx, &confirming).await?;
            let moved =
                moved.map(|it| Proposal { effective_time, at_once_reason: why.clone(), ..it });
            let done = tx.settle_now(moved).await?;
            tracing::info!(proposal = %done.id, act = done.act.wire(), "a proposal was confirmed");
            Ok(reply(&done))
        })
        .await
    }

    async fn decline_proposal(
        &self,
        cx: &Cx,
        request: pb::DeclineProposalRequest,
    ) -> Result<pb::Proposal> {
        let mut faults = Faults::new();
        let target = target(&request.name, &request.etag, &mut faults);
        let note = faults.take("note", wire::text(&request.note, 500));
        let ((id, version), note) = faults.whole((target, note))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = self.lock(tx, cx, id, version).await?;
            let done = tx.settle_now(known.decline(note, cx)?).await?;
            Ok(reply(&done))
        })
        .await
    }

    async fn withdraw_proposal(
        &self,
        cx: &Cx,
        request: pb::WithdrawProposalRequest,
    ) -> Result<pb::Proposal> {
        let mut faults = Faults::new();
        let target = target(&request.name, &request.etag, &mut faults);
        let (id, version) = faults.whole(target)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let known = self.lock(tx, cx, id, version).await?;
            let done = tx.settle_now(known.withdraw(cx)?).await?;
            Ok(reply(&done))
        })
        .await
    }

    /// The proposal as it was looked at, held; absent for whom it is not shown to.
    async fn lock(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        id: Id<kind::Proposal>,
        version: i64,
    ) -> Result<Proposal> {
        let known = proposals::lock(tx, id, &cx.scope()).await?;
        if !known.shows_to(&cx.actor) {
            return Err(cx.scope().missing(id.subject()));
        }
        wire::fresh(Some(version), known.version)?;
        Ok(known)
    }
}

/// What every decision names: the proposal, and the version that was looked at.
fn target(name: &str, etag: &str, faults: &mut Faults) -> Option<(Id<kind::Proposal>, i64)> {
    let id = faults.take("name", Id::parse(name));
    let version = wire::version(etag).and_then(|version| version.ok_or(Flaw::Required));
    id.zip(faults.take("etag", version))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn reply(proposal: &Proposal) -> pb::Proposal {
    let state = wire::enumerated::<pb::proposal::State>(proposal.state());
    let officer = |id: Id<kind::Officer>| id.to_string();
    let digest = proposals::digest(&proposal.request.0);
    pb::Proposal {
        name: proposal.id.to_string(),
        act: proposal.act.wire().to_owned(),
        act_text: proposal.act.zh().to_owned(),
        subject: proposal.subject.clone(),
        state,
        reason: proposal.reason.clone(),
        shown: proposal.shown.clone(),
        request_digest: hexadecimal(&digest),
        maker: officer(proposal.maker),
        checker: proposal.checker.map(officer).unwrap_or_default(),
        note: proposal.checker_note.clone(),
        at_once_reason: proposal.at_once_reason.clone(),
        effective_time: wire::time_of(proposal.effective_time),
        create_time: Some(wire::time(proposal.create_time)),
        lapse_time: Some(wire::time(proposal.lapse_time)),
        decide_time: wire::time_of(proposal.decide_time),
        changes: Vec::new(),
        etag: wire::etag(proposal.version),
    }
}
