//! What the rules say of an application, and the issue of the pass that an approval leads to.

use super::Applications;
use crate::{
    actor::Scope,
    context::Cx,
    domain::{
        common::number::PassNumber,
        duty::month,
        pass::{
            Pass,
            application::{Application, Approval, Decided},
            policy::{Evaluation, Grant, evaluate},
        },
    },
    error::{Error, Reason, Result},
    id::Id,
    store::{
        self, Tx,
        common::{numbers, world::Snapshot},
        pass::{policies, policy_inputs},
    },
};

impl Applications {
    /// Hands a draft or a corrected application in; issues at once where the policy permits it.
    pub(super) async fn hand_in(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: Application,
        world: &Snapshot,
    ) -> Result<Application> {
        application.refuse_undeclared()?;
        super::refuse_faulty_papers(tx, &application).await?;
        let evaluation = self.evaluate(tx.conn(), cx, &application, world).await?;
        evaluation.refuse()?;
        if let Some(number) = store::pass::applications::same_open(tx.conn(), &application).await? {
            return Err(Error::new(Reason::AlreadyExists).fact("number", number));
        }
        let application = tx.settle_now(application.submit(cx)?).await?;
        let values = &world.policy(cx.now)?.values;
        let decided = application.decide_by_policy(&evaluation, values, cx)?;
        self.carry_out(tx, cx, decided).await
    }

    /// Stores a decision, with the pass that follows from it.
    pub(super) async fn carry_out(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        decided: Decided,
    ) -> Result<Application> {
        match decided {
            Decided::Not(application) => Ok(application),
            Decided::Forwarded(moved) => tx.settle_now(moved).await,
            Decided::Approved { moved, approval, grant } => {
                let application = tx.settle_now(moved).await?;
                self.issue(tx, cx, &application, &approval, &grant).await?;
                Ok(application)
            }
        }
    }

    /// What the rules say of an application at this instant.
    pub(super) async fn evaluate(
        &self,
        connection: &mut store::Connection,
        cx: &Cx,
        application: &Application,
        world: &Snapshot,
    ) -> Result<Evaluation> {
        let inputs = policy_inputs::inputs(connection, application, world, cx.now).await?;
        Ok(evaluate(&inputs, world.policy(cx.now)?, cx.now))
    }

    /// Issues the pass of an approval: number, place in the quota, zones, and the pass that it
    /// replaces, in the unit of work of the decision.
    async fn issue(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: &Application,
        approval: &Approval,
        grant: &Grant,
    ) -> Result<Pass> {
        let day = month::local_date(cx.now);
        let sequence = numbers::next(tx, PassNumber::PREFIX, day).await?;
        let number = PassNumber::new(day, sequence)?.to_string();
        let revision = self.supersede(tx, cx, application, &number).await?;
        let vehicle =
            policy_inputs::vehicle(tx.conn(), application.enterprise, application.vehicle).await?;
        let pass = Pass::of(application, grant, &vehicle.facts, number, revision, cx);
        let pass = tx.settle_first(pass.issue(approval, cx)?, store::pass::passes::insert).await?;
        if grant.quota_needed {
            policies::take(tx, &pass.zones, pass.kind, pass.valid_from, pass.id).await?;
        }
        Ok(pass)
    }

    /// Closes the pass that an amendment replaces, and says which revision follows.
    async fn supersede(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        application: &Application,
        number: &str,
    ) -> Result<i32> {
        let Some(previous) = application.previous_pass else { return Ok(1) };
        let scope =
            Scope::everything("the pass that the application names, which was judged before");
        let previous = store::pass::passes::lock(tx, previous, &scope).await?;
        if application.replaces().is_none() {
            return Ok(1);
        }
        let revision = previous.revision.saturating_add(1);
        tx.settle_now(previous.supersede(number, cx)?).await?;
        Ok(revision)
    }
}

/// The id of the zone as a name.
pub(in crate::service) fn zone_name(zone: &uuid::Uuid) -> String {
    Id::<crate::id::kind::Zone>::of(*zone).to_string()
}
