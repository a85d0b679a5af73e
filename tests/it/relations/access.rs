//! The cases that were seen, and what reads ask for besides the relation: an item, a post, a step that
//! one works on, or a reason that is recorded first.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Code;

use super::world::World;
use crate::harness::{App, User, fields, reason, request_id, to};

fn reader<'a>(world: &'a World, called: &str) -> &'a User {
    &world.readers.iter().find(|reader| reader.called == called).unwrap().user
}

async fn show(user: &User, pass: &str) -> Result<pb::PassCode, tonic::Status> {
    let request = pb::IssuePassCodeRequest { name: pass.to_owned(), ..Default::default() };
    user.call(request).await
}

async fn passes(user: &User) -> Vec<String> {
    let request = pb::ListTruckPassesRequest::default();
    user.call(request).await.unwrap().truck_passes.into_iter().map(|pass| pass.name).collect()
}

async fn paper(user: &User, name: &str) -> Result<(), tonic::Status> {
    let request = pb::ReadAttachmentChunkRequest { name: name.to_owned(), offset: 0 };
    user.call(request).await.map(drop)
}

async fn open(user: &User, subject: &str, why: &str) -> Result<pb::ContentAccess, tonic::Status> {
    let request = pb::CreateContentAccessRequest {
        subject: subject.to_owned(),
        reason: why.to_owned(),
        request_id: request_id(),
    };
    user.call(request).await
}

/// The accesses that the auditor is shown: who, what, of what, why.
async fn kept(auditor: &User) -> Vec<(String, String, String, String)> {
    let request = pb::ListContentAccessesRequest { page_size: 100, ..Default::default() };
    let listed = auditor.call(request).await.unwrap().content_accesses.into_iter();
    listed.map(|it| (it.officer, it.action, it.subject, it.reason)).collect()
}

// Seen: whoever drove anything got codes for every pass of the firm for which he handled the line.
#[sqlx::test]
async fn who_drives_elsewhere_is_shown_no_code_of_the_own_firm(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let (own, driven) = (&world.served.names["truckPasses"], &world.unit.names["truckPasses"]);
    let both = reader(&world, "HANDLER_OF_THE_LINE_WHO_DRIVES_ELSEWHERE");
    assert_eq!(show(both, own).await.unwrap_err().code(), Code::PermissionDenied);
    show(both, driven).await.unwrap();
    assert_eq!(passes(both).await, std::slice::from_ref(driven));
    let driver = reader(&world, "DRIVER");
    show(driver, own).await.unwrap();
    assert_eq!(passes(driver).await, std::slice::from_ref(own));
    assert_eq!(show(driver, driven).await.unwrap_err().code(), Code::PermissionDenied);
    for called in ["HANDLER_OF_THE_LINE", "HANDLER_OF_REQUESTS"] {
        assert_eq!(passes(reader(&world, called)).await, [] as [String; 0], "{called}");
    }
    show(reader(&world, "HANDLER_OF_PASSES"), own).await.unwrap();
    // The driver of a truck reads of its drivers the own name alone.
    let list = pb::ListDriversRequest { vehicle: world.served.names["vehicles"].clone() };
    let all = reader(&world, "HANDLER_OF_PASSES").call(list.clone()).await;
    assert_eq!(all.unwrap().drivers.len(), 2);
    let own = driver.call(list).await.unwrap();
    assert_eq!(own.drivers.len(), 1);
}

// Seen: the papers of the whole subtree were open to everybody of the police who has an inbox.
#[sqlx::test]
async fn a_paper_is_read_by_who_works_on_it_and_each_reading_is_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let side = &world.served.names;
    let (paper_name, file) = (&side["attachments"], &side["complaintFiles"]);
    for called in ["WINDOW_CLERK", "FIRST_REVIEWER", "FINAL_REVIEWER", "LIAISON_OFFICER"] {
        paper(reader(&world, called), paper_name).await.unwrap();
        let refused = paper(reader(&world, called), file).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{called} and a complaint's file");
    }
    for called in ["ASSIGNER", "UNIT_LEADER", "HANDLER"] {
        paper(reader(&world, called), file).await.unwrap();
    }
    for called in [
        "CHECKPOINT_OFFICER",
        "LIAISON_OFFICER_WITHOUT_POST",
        "ASSIGNER",
        "UNIT_LEADER",
        "HANDLER",
        "INSPECTOR",
        "AUDITOR",
        "AUXILIARY",
        "SYSTEM_ADMINISTRATOR",
    ] {
        let refused = paper(reader(&world, called), paper_name).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{called}");
    }
    paper(reader(&world, "HANDLER_OF_PASSES"), paper_name).await.unwrap();
    paper(reader(&world, "HANDLER_OF_REQUESTS"), file).await.unwrap();
    for (called, name) in [("HANDLER_OF_REQUESTS", paper_name), ("HANDLER_OF_PASSES", file)] {
        let refused = paper(reader(&world, called), name).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{called}");
    }
    // Another complaint of the unit is not the handler's: nobody assigned it there.
    let other = &world.unit.names["complaintFiles"];
    let refused = paper(reader(&world, "HANDLER"), other).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let kept = kept(reader(&world, "AUDITOR")).await;
    assert_eq!(kept.len(), 7, "each reading of the police, and no other: {kept:?}");
    let clerk = &reader(&world, "WINDOW_CLERK").name;
    let said =
        (clerk.clone(), "READ_PAPER".to_owned(), paper_name.clone(), "WINDOW_CLERK".to_owned());
    assert!(kept.contains(&said), "{kept:?}");
}

// Everything else of the police is read with a reason that is recorded first, for an hour.
#[sqlx::test]
async fn what_is_not_the_own_duty_is_opened_with_a_reason(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let paper_name = &world.unit.names["attachments"];
    let enterprise = &world.unit.names["enterprises"];
    let idle = reader(&world, "LIAISON_OFFICER_WITHOUT_POST");
    assert_eq!(passes(idle).await, [] as [String; 0]);
    assert_eq!(fields(&open(idle, enterprise, "看看").await.unwrap_err()), ["reason TOO_SHORT"]);
    let foreign = open(idle, &world.foreign.names["enterprises"], "代岗核实材料").await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    let unit = open(idle, &world.served.names["units"], "代岗核实材料").await;
    assert_eq!(unit.unwrap_err().code(), Code::PermissionDenied, "the inspectorate's alone");
    open(idle, enterprise, "代岗核实材料").await.unwrap();
    paper(idle, paper_name).await.unwrap();
    assert_eq!(passes(idle).await, [world.unit.names["truckPasses"].clone()]);
    let refused = paper(idle, &world.served.names["attachments"]).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "another enterprise stays closed");
    let draft = pb::GetPassApplicationRequest { name: world.unit.names["drafts"].clone() };
    let kept = kept(reader(&world, "AUDITOR")).await;
    let of = |action: &str, subject: &String| {
        (idle.name.clone(), action.to_owned(), subject.clone(), "代岗核实材料".to_owned())
    };
    assert!(kept.contains(&of("OPEN", enterprise)), "{kept:?}");
    assert!(kept.contains(&of("READ_PAPER", paper_name)), "{kept:?}");
    // What was opened is read, and nothing is done with it.
    let withdraw = pb::WithdrawPassApplicationRequest {
        name: draft.name,
        note: String::new(),
        request_id: request_id(),
    };
    let refused = idle.call(withdraw).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
    app.advance(SignedDuration::from_mins(61));
    let refused = paper(idle, paper_name).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "an hour later it is closed");
}

// Seen: the inspectorate read everything of its units, and nobody knew why.
#[sqlx::test]
async fn the_inspectorate_reads_with_a_reason(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let inspector = reader(&world, "INSPECTOR");
    let list = pb::ListComplaintsRequest::default();
    let before = inspector.call(list.clone()).await.unwrap();
    assert_eq!(before.complaints.len(), 0);
    let name = world.served.names["complaints"].clone();
    let get = pb::GetComplaintRequest { name: name.clone() };
    let refused = inspector.call(to::GetComplaint(get.clone())).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
    open(inspector, &world.served.names["units"], "季度督察抽查").await.unwrap();
    let after = inspector.call(list).await.unwrap();
    // Of the unit and of the unit below, never of another.
    assert_eq!(after.complaints.len(), 3);
    inspector.call(to::GetComplaint(get)).await.unwrap();
    let kept = kept(reader(&world, "AUDITOR")).await;
    assert_eq!(kept[0].3, "季度督察抽查");
    let foreign = pb::GetComplaintRequest { name: world.foreign.names["complaints"].clone() };
    let refused = inspector.call(to::GetComplaint(foreign)).await.unwrap_err();
    assert_eq!(reason(&refused), "DENIED");
}

// Seen: the auditor read where trucks had been. Who reads it is kept, and whose truck it was asked for.
#[sqlx::test]
async fn where_trucks_were_is_the_roadside_s_and_each_reading_is_kept(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let checks = async |user: &User| {
        let request = pb::ListPassChecksRequest::default();
        let listed = user.call(request).await;
        listed.map(|listed| listed.pass_checks.len())
    };
    assert_eq!(reason(&checks(reader(&world, "AUDITOR")).await.unwrap_err()), "DENIED");
    assert_eq!(checks(reader(&world, "CHECKPOINT_OFFICER")).await.unwrap(), 3);
    for called in ["FIRST_REVIEWER", "FINAL_REVIEWER", "INSPECTOR"] {
        assert_eq!(checks(reader(&world, called)).await.unwrap(), 0, "{called}");
    }
    let first = reader(&world, "FIRST_REVIEWER");
    open(first, &world.unit.names["enterprises"], "核查吊销建议").await.unwrap();
    assert_eq!(checks(first).await.unwrap(), 1);
    // Whoever decides about the pass reads the check that proposes to end it.
    let patrol = reader(&world, "CHECKPOINT_OFFICER");
    let act = pb::RecordCheckActionRequest {
        name: world.served.names["passChecks"].clone(),
        action: pb::pass_check::Action::TurnBack.into(),
        note: "车货不符".to_owned(),
        propose_revocation: true,
        request_id: request_id(),
    };
    patrol.call(act).await.unwrap();
    assert_eq!(checks(reader(&world, "FINAL_REVIEWER")).await.unwrap(), 1);
    let kept = kept(reader(&world, "AUDITOR")).await;
    let read = |user: &User| kept.iter().any(|it| it.0 == user.name && it.1 == "READ_CHECKS");
    assert!(read(patrol) && read(first), "{kept:?}");
}

// Seen: OK for an enterprise that exists, INTERNAL for one that does not.
#[sqlx::test]
async fn a_fleet_application_tells_nothing_of_another_s_enterprise(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let absent = format!("enterprises/{}", uuid::Uuid::nil());
    let mut answers = Vec::new();
    for enterprise in [&world.foreign.names["enterprises"], &absent] {
        let request = pb::CreatePassApplicationBatchRequest {
            enterprise: enterprise.clone(),
            vehicles: vec![world.foreign.names["vehicles"].clone()],
            need: Some(pb::PassNeed {
                pass_kind: pb::PassKind::LongTermDelivery.into(),
                zones: vec![world.served.names["zones"].clone()],
                goods: "白酒包装材料".to_owned(),
                reason: "向洋河酒厂送货".to_owned(),
                loading_place: "宿城区".to_owned(),
                unloading_place: "洋河新区".to_owned(),
                route: vec!["洋河大道".to_owned()],
                time_windows: vec![pb::TimeWindow {
                    weekdays: vec![],
                    from_minute: 9 * 60,
                    until_minute: 17 * 60,
                }],
                start_date: jingqi::surface::domain::duty::month::local_date(app.now()).to_string(),
                months: 1,
                ..Default::default()
            }),
            declaration_accepted: true,
            request_id: request_id(),
            ..Default::default()
        };
        let boss = reader(&world, "LEGAL_REPRESENTATIVE");
        let refused = boss.call(request).await.unwrap_err();
        answers.push((refused.code(), reason(&refused), fields(&refused)));
    }
    let denied = (Code::PermissionDenied, "DENIED".to_owned(), Vec::new());
    assert_eq!(answers, vec![denied; 2]);
    assert_eq!(app.count("select count(*) from pass_application_batch").await, 0);
}

// Seen: any name was stored as what a report grew out of, and decided who may not investigate it.
#[sqlx::test]
async fn a_reporter_with_a_name_knows_the_matter(pool: PgPool) {
    let app = App::start(pool).await;
    let world = World::of(&app).await;
    let boss = reader(&world, "LEGAL_REPRESENTATIVE");
    let report = |matter: &str| pb::FileConductReportRequest {
        accused: vec![pb::Accused { text: "窗口民警".to_owned(), ..Default::default() }],
        content: "态度恶劣".to_owned(),
        matter: matter.to_owned(),
        full_name: "王大勇".to_owned(),
        phone: "13905240001".to_owned(),
        request_id: request_id(),
    };
    for collection in ["complaints", "conversations", "passApplications"] {
        let absent = format!("{collection}/{}", uuid::Uuid::nil());
        for matter in [&world.foreign.names[collection], &world.unit.names[collection], &absent] {
            let refused = boss.call(report(matter)).await.unwrap_err();
            assert_eq!(fields(&refused), ["matter UNKNOWN_VALUE"], "{matter}");
        }
    }
    assert_eq!(app.count("select count(*) from conduct.report").await, 0);
    boss.call(report(&world.served.names["complaints"])).await.unwrap();
}
