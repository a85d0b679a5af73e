//! What each act does when it is confirmed, in the unit of work of the confirmation. No act of its own:
//! each stands with its service.

use jiff::Timestamp;

use super::Confirming;
use crate::{
    domain::proposal::Act,
    error::{Error, Reason, Result},
    service::organisation,
    store::{Tx, World},
};

/// Carries it out; answers when it takes effect, where that is not at once.
pub(super) async fn carry_out(
    tx: &mut Tx,
    _world: &World,
    confirming: &Confirming<'_>,
) -> Result<Option<Timestamp>> {
    match confirming.proposal.act {
        Act::GrantRole => organisation::power::grant(tx, confirming).await.map(|()| None),
        Act::ResetCredentials => organisation::accounts::reset(tx, confirming).await.map(|()| None),
        Act::PublishPassPolicy
        | Act::PublishZone
        | Act::SetQuota
        | Act::SetSpecialPeriod
        | Act::ImportCalendar
        | Act::PublishComplaintPolicy => Err(Error::new(Reason::TransitionIllegal)),
    }
}
