//! Who may confirm that another inspector is told who a reporter is. The drawing is the one of every
//! proposal; the row is the inspectorate's own.

use jiff::Timestamp;
use uuid::Uuid;

use super::{ConductReport, Ties};
use crate::{
    domain::{
        common::lifecycle::State as _,
        identity::proposal::{ProposalAction, ProposalState, four_eyes},
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
};

/// What one inspector asked for.
#[derive(Debug, Clone)]
pub struct IdentityRequest {
    /// Its id within the report.
    pub id: Uuid,
    /// Who asked.
    pub maker: Id<kind::Officer>,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub state: ProposalState,
    /// Who decided.
    pub checker: Option<Id<kind::Officer>>,
    /// When it was asked for.
    pub create_time: Timestamp,
    /// Until when it waits, and may be looked at.
    pub lapse_time: Timestamp,
    /// Whether it was looked at.
    pub shown: bool,
}

impl IdentityRequest {
    /// Whether it waits for a second inspector, or for the look that it permits.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let waits = match self.state {
            ProposalState::Proposed => true,
            ProposalState::Confirmed => !self.shown,
            _ => false,
        };
        waits && now < self.lapse_time
    }

    /// Whether the first inspector may look now.
    #[must_use]
    pub fn may_be_shown(&self, now: Timestamp) -> bool {
        self.state == ProposalState::Confirmed && self.is_open(now)
    }

    /// Decides it: by another inspector than the one who asked, who neither investigates the report nor
    /// did, and whom nothing ties to it.
    ///
    /// # Errors
    /// `SAME_PERSON`, `CONFLICT_OF_INTEREST` (which tie it is stays untold), `PROPOSAL_LAPSED`,
    /// `TRANSITION_ILLEGAL`.
    pub fn decide(
        &self,
        report: &ConductReport,
        checker: Id<kind::Officer>,
        ties: &Ties,
        approved: bool,
        now: Timestamp,
    ) -> Result<ProposalState> {
        four_eyes(self.maker, "", checker)?;
        report.judged_by(checker)?;
        if ties.conflict().is_some() {
            return Err(Error::new(Reason::ConflictOfInterest));
        }
        if self.state == ProposalState::Proposed && now >= self.lapse_time {
            return Err(Error::new(Reason::ProposalLapsed));
        }
        let action = if approved { ProposalAction::Confirm } else { ProposalAction::Decline };
        self.state.after(action).ok_or_else(|| {
            Error::new(Reason::TransitionIllegal)
                .fact("state", self.state.wire())
                .fact("action", action.wire())
        })
    }
}
