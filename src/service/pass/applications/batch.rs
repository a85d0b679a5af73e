//! A fleet application: one result per vehicle, whatever becomes of the others (PA-15).

use super::{Applications, Asked, attachment_ids, file, need};
use crate::{
    actor::Item,
    context::Cx,
    domain::pass::application::{Purpose, SourceChannel},
    error::{Error, Faults, Flaw, Kind, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{self, Tx, common::world::Snapshot},
};

/// The most vehicles of one fleet application.
const VEHICLES_MAX: usize = 50;

/// What is asked for each vehicle of the fleet.
struct Fleet {
    enterprise: Id<kind::Enterprise>,
    vehicles: Vec<Id<kind::Vehicle>>,
    need: crate::domain::pass::application::Need,
    attachments: Vec<Id<kind::Attachment>>,
}

impl Applications {
    pub(super) async fn create_pass_application_batch(
        &self,
        cx: &Cx,
        request: pb::CreatePassApplicationBatchRequest,
    ) -> Result<pb::PassApplicationBatch> {
        let fleet = fleet(cx, &request)?;
        let world = self.world.get(&self.store).await?;
        wire::write(&self.store, cx, &request, async |tx| {
            // Before anything is stored: a foreign key would tell which enterprises exist.
            if !cx.actor.acts_for(fleet.enterprise, Item::Pass) {
                return Err(cx.scope().missing(fleet.enterprise.subject()));
            }
            let id: Id<kind::PassApplicationBatch> = cx.id();
            store::pass::applications::insert_batch(tx, id, fleet.enterprise).await?;
            let mut results = Vec::with_capacity(fleet.vehicles.len());
            for vehicle in &fleet.vehicles {
                let asked = Asked {
                    enterprise: fleet.enterprise,
                    vehicle: *vehicle,
                    need: fleet.need.clone(),
                    declared: request.declaration_accepted,
                    attachments: fleet.attachments.clone(),
                    purpose: Purpose::New,
                    previous: None,
                    channel: SourceChannel::MiniProgram,
                };
                let result = self.one(tx, cx, asked, id, request.submit, &world).await?;
                results.push(pb::BatchResult { vehicle: vehicle.to_string(), ..result });
            }
            let reply = pb::PassApplicationBatch { name: id.to_string(), results };
            Ok(reply)
        })
        .await
    }

    /// One vehicle, within a savepoint: a refusal leaves nothing of it behind and the others go on.
    async fn one(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        asked: Asked,
        batch: Id<kind::PassApplicationBatch>,
        submit: bool,
        world: &Snapshot,
    ) -> Result<pb::BatchResult> {
        tx.savepoint().await?;
        let filed = async {
            let application = file(tx, asked).await?;
            store::pass::applications::bind_to_batch(tx, application.id, batch).await?;
            if submit { self.hand_in(tx, cx, application, world).await } else { Ok(application) }
        };
        match filed.await {
            Ok(application) => {
                tx.release_savepoint().await?;
                Ok(pb::BatchResult {
                    pass_application: application.id.to_string(),
                    number: application.number,
                    ..pb::BatchResult::default()
                })
            }
            // A fault of ours, or of the database, is not a result: nothing of the fleet is kept.
            Err(error) if matches!(error.reason().kind(), Kind::Internal | Kind::Unavailable) => {
                Err(error)
            }
            Err(error) => {
                tx.rollback_to_savepoint().await?;
                Ok(refused(&error))
            }
        }
    }
}

fn refused(error: &Error) -> pb::BatchResult {
    let told = error.facts().iter().find(|(key, _)| *key == "told").map(|(_, told)| told.clone());
    let fields = error.fields().iter().map(|field| pb::CorrectionItem {
        field: field.path.clone(),
        text: field.zh.clone().into_owned(),
    });
    pb::BatchResult {
        reason: Some(pb::CodedReason {
            code: error.reason().wire().to_owned(),
            text: told.unwrap_or_else(|| error.reason().zh().to_owned()),
        }),
        fields: fields.collect(),
        ..pb::BatchResult::default()
    }
}

fn fleet(cx: &Cx, request: &pb::CreatePassApplicationBatchRequest) -> Result<Fleet> {
    let mut faults = Faults::new();
    let enterprise = faults.take("enterprise", Id::parse(&request.enterprise));
    faults.check(!request.vehicles.is_empty(), "vehicles", Flaw::Required);
    faults.check(request.vehicles.len() <= VEHICLES_MAX, "vehicles", Flaw::TooMany);
    let mut vehicles = Vec::new();
    for (at, name) in request.vehicles.iter().enumerate().take(VEHICLES_MAX) {
        let path = format!("vehicles[{at}]");
        if let Some(vehicle) = faults.take(&*path, Id::parse(name)) {
            faults.check(!vehicles.contains(&vehicle), path, Flaw::Duplicate);
            vehicles.push(vehicle);
        }
    }
    let attachments = attachment_ids(&request.attachments, &mut faults);
    let need = need(cx, request.need.clone().unwrap_or_default(), &mut faults);
    super::refuse_past(cx, need.as_ref(), None, &mut faults);
    let (enterprise, need) = faults.whole((enterprise, need))?;
    Ok(Fleet { enterprise, vehicles, need, attachments })
}
