//! The passes of a side: applied for and decided, checked, with their papers.

use jingqi::surface::{
    id::{Id, kind},
    service::pb,
};

use super::{Makers, Names, Place, at};
use crate::harness::{App, User, request_id};

/// Garage, applications in three states, a pass, a check, papers.
pub async fn passes(app: &App, makers: &Makers, place: &Place<'_>, boss: &User, names: &mut Names) {
    let enterprise: Id<kind::Enterprise> = Id::parse(&names["enterprises"]).unwrap();
    let [one, two] = place.plates;
    let vehicle = app.vehicle(enterprise, one, "01", "H12", 18_000, 9_000).await;
    let waiting = app.vehicle(enterprise, two, "01", "H12", 18_000, 9_000).await;
    for plate in place.plates {
        app.sql(&format!(
            "update vehicle set brand_model = '{}PASS' where plate_number = '{plate}'",
            place.word
        ))
        .await;
    }
    let driver = app.person().await;
    app.drives(vehicle, driver).await;
    let papers = app.papers(enterprise).await;
    app.sql(&format!(
        "update attachment set file_name = '{}PASS.png' where enterprise_id = '{}'",
        place.word,
        enterprise.uuid()
    ))
    .await;
    let form = |vehicle| form(app, makers, place, (enterprise, vehicle), &papers);
    let mut filed = Vec::new();
    for vehicle in [vehicle, waiting, waiting] {
        let made = boss.call(form(vehicle)).await.unwrap();
        filed.push(made.name);
    }
    for name in &filed[..2] {
        let submit = pb::SubmitPassApplicationRequest { name: name.clone(), ..Default::default() };
        boss.call(submit).await.unwrap();
    }
    names.insert("truckPasses", approved(makers, &filed[0]).await);
    names.insert("passApplications", filed[1].clone());
    names.insert("drafts", filed[2].clone());
    names.insert("vehicles", vehicle.to_string());
    names.insert("attachments", papers[0].clone());
    written(app, &papers[0]);
    let list = pb::AddBlacklistEntryRequest {
        blacklist_entry: Some(pb::BlacklistEntry {
            subject: waiting.to_string(),
            reason_code: "FALSE_INFORMATION".to_owned(),
            reason: format!("{}PASS", place.word),
            valid_from: at(app, 24),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    makers.root.call(list).await.unwrap();
    checked(app, makers, place, names).await;
}

/// What is asked for a truck.
fn form(
    app: &App,
    makers: &Makers,
    place: &Place<'_>,
    (enterprise, vehicle): (Id<kind::Enterprise>, Id<kind::Vehicle>),
    papers: &[String],
) -> pb::CreatePassApplicationRequest {
    pb::CreatePassApplicationRequest {
        pass_application: Some(pb::PassApplication {
            enterprise: enterprise.to_string(),
            vehicle: vehicle.to_string(),
            need: Some(pb::PassNeed {
                pass_kind: pb::PassKind::LongTermDelivery.into(),
                zones: vec![makers.zone.to_string()],
                goods: format!("{}PASS", place.word),
                reason: format!("{}PASS", place.word),
                loading_place: "宿城区".to_owned(),
                unloading_place: "洋河新区".to_owned(),
                route: vec!["洋河大道".to_owned()],
                time_windows: vec![pb::TimeWindow {
                    weekdays: vec![],
                    from_minute: 9 * 60,
                    until_minute: 17 * 60,
                }],
                start_date: jingqi::surface::domain::duty::month::local_date(app.now()).to_string(),
                months: 6,
                ..Default::default()
            }),
            declaration_accepted: true,
            attachments: papers.to_vec(),
            ..Default::default()
        }),
        request_id: request_id(),
        ..Default::default()
    }
}

/// The pass that an application leads to.
async fn approved(makers: &Makers, name: &str) -> String {
    let name = name.to_owned();
    let accept = pb::AcceptPassApplicationRequest { name: name.clone(), ..Default::default() };
    makers.root.call(accept).await.unwrap();
    let claim = pb::ClaimPassApplicationRequest { name, ..Default::default() };
    let held = makers.root.call(claim).await.unwrap();
    let approve = pb::ApprovePassApplicationRequest {
        name: held.name,
        etag: held.etag,
        ..Default::default()
    };
    makers.root.call(approve).await.unwrap().truck_pass
}

/// A checkpoint with a device that has seen the first truck.
async fn checked(app: &App, makers: &Makers, place: &Place<'_>, names: &mut Names) {
    let guarded = app.checkpoint(place.unit, makers.zone).await;
    names.insert("checkpoints", guarded.to_string());
    let device = app.device(guarded).await;
    names.insert("devices", device.to_string());
    let check = pb::CheckPassRequest {
        checkpoint: guarded.to_string(),
        request_id: request_id(),
        observed: Some(pb::check_pass_request::Observed::PlateNumber(place.plates[0].to_owned())),
        ..Default::default()
    };
    app.user(device).await.call(check).await.unwrap();
}

/// The bytes of a paper, which the harness left out.
pub fn written(app: &App, name: &str) {
    let id: Id<kind::Attachment> = Id::parse(name).unwrap();
    let folder = app.folder().join(id.uuid().to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("000000000000"), b"12345678").unwrap();
}
