//! What each act does when it is confirmed, in the unit of work of the confirmation. No act of its own:
//! each stands with its service.

use jiff::Timestamp;

use super::Confirming;
use crate::{
    domain::identity::proposal::Act,
    error::Result,
    service::{
        complaint::complaints, duty::calendars, identity::organisation, pass::passes::published,
    },
    store::Tx,
};

/// Carries it out; answers when it takes effect, where that is not at once.
pub(super) async fn carry_out(
    tx: &mut Tx,
    confirming: &Confirming<'_>,
) -> Result<Option<Timestamp>> {
    match confirming.proposal.act {
        Act::GrantRole => organisation::power::grant(tx, confirming).await.map(|()| None),
        Act::PublishPassPolicy => published::policy(tx, confirming).await.map(Some),
        Act::PublishZone => published::zone(tx, confirming).await.map(Some),
        Act::SetQuota => published::quota(tx, confirming).await.map(Some),
        Act::SetSpecialPeriod => published::special_period(tx, confirming).await.map(Some),
        Act::ImportCalendar => calendars::import(tx, confirming).await.map(Some),
        Act::PublishComplaintPolicy => {
            complaints::policies::publish(tx, confirming).await.map(Some)
        }
        Act::ResetCredentials => organisation::accounts::reset(tx, confirming).await.map(|()| None),
    }
}
