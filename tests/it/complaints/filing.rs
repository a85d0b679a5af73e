//! Filing: what may be filed by whom, refused, objected to, merged, and found again in the lists.

use jingqi::surface::{
    id::{Id, kind},
    service::pb::{
        self,
        complaint::{Channel, State},
    },
};
use sqlx::PgPool;
use tonic::Code;

use super::{listed, owed, owes, step};
use crate::harness::{App, fields, reason, request_id, to};

// CO-10: refused with a reason, objected to once.
#[sqlx::test]
async fn a_refusal_has_a_reason_and_may_be_objected_to_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.file().await.name;
    let bare = desk.assigner.call(to::DeclineComplaint(step(&name, ""))).await.unwrap_err();
    assert_eq!(fields(&bare), ["etag REQUIRED", "note REQUIRED"]);
    let why = "属市场监管职责,请拨打12345";
    desk.decline(&desk.assigner, &name, why).await.unwrap();
    let read = desk.get(&desk.boss, &name).await.unwrap();
    assert_eq!((read.state(), read.conclusion.as_str()), (State::NotAccepted, why));
    let foreign = desk.rival.call(to::ObjectToDecline(step(&name, "异议"))).await;
    assert_eq!(foreign.unwrap_err().code(), Code::PermissionDenied);
    let objection = step(&name, "通行时段由公安交管部门管理");
    let again = desk.boss.call(to::ObjectToDecline(objection)).await.unwrap();
    assert_eq!((again.state(), again.close_time), (State::Submitted, None));
    assert_eq!(owed(&app).await, [owes("ACCEPT_COMPLAINT", "11-26 00:00")]);
    desk.decline(&desk.assigner, &name, why).await.unwrap();
    let spent = desk.boss.call(to::ObjectToDecline(step(&name, "再异议"))).await;
    assert_eq!(reason(&spent.unwrap_err()), "OBJECTION_SPENT");
}

// CO-14.
#[sqlx::test]
async fn a_duplicate_is_found_and_merged_into_an_open_one_of_the_same_enterprise(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let (first, second) = (desk.file().await, desk.file().await);
    let foreign = pb::Complaint { enterprise: desk.rival_enterprise.clone(), ..desk.form() };
    let foreign = desk.filed(&desk.rival, foreign).await.unwrap();
    let request = pb::GetComplaintRequest { name: second.name.clone() };
    let similar = desk.assigner.call(to::ListSimilarComplaints(request)).await.unwrap();
    let similar: Vec<_> = similar.complaints.into_iter().map(|found| found.name).collect();
    assert_eq!(similar, std::slice::from_ref(&first.name));
    let merge = |into: &str| pb::MergeComplaintRequest {
        name: second.name.clone(),
        into: into.to_owned(),
        ..Default::default()
    };
    for wrong in [&foreign.name, &second.name] {
        let refused = desk.assigner.call(merge(wrong)).await.unwrap_err();
        assert_eq!(reason(&refused), "MERGE_IMPOSSIBLE", "{wrong}");
    }
    let merged = desk.assigner.call(merge(&first.name)).await.unwrap();
    assert_eq!((merged.state(), &merged.merged_into), (State::Merged, &first.name));
    let third = desk.file().await;
    desk.boss.call(to::WithdrawComplaint(step(&first.name, "已自行解决"))).await.unwrap();
    let closed =
        pb::MergeComplaintRequest { name: third.name, into: first.name, ..Default::default() };
    let refused = desk.assigner.call(closed).await.unwrap_err();
    assert_eq!(reason(&refused), "MERGE_IMPOSSIBLE");
}

// CO-19, CO-14, SD-17: every fault at once, and every channel.
#[sqlx::test]
async fn whoever_files_is_told_every_fault_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let empty = desk.filed(&desk.boss, pb::Complaint::default()).await.unwrap_err();
    let all = [
        "complaint.category REQUIRED",
        "complaint.content REQUIRED",
        "complaint.enterprise REQUIRED",
        "complaint.title REQUIRED",
    ];
    assert_eq!(fields(&empty), all);
    let form = || desk.form();
    let clerk = &desk.city.clerk;
    let mute = desk.filed(clerk, form()).await.unwrap_err();
    assert_eq!(fields(&mute), ["complaint.channel REQUIRED"]);
    for channel in [Channel::Window, Channel::Phone] {
        let form = pb::Complaint { channel: channel.into(), ..form() };
        assert_eq!(desk.filed(clerk, form).await.unwrap().channel(), channel);
    }
    let unnumbered = pb::Complaint { channel: Channel::TransferredIn.into(), ..form() };
    let unnumbered = desk.filed(clerk, unnumbered).await.unwrap_err();
    assert_eq!(fields(&unnumbered), ["complaint.outside_number REQUIRED"]);
    for channel in [Channel::Chat, Channel::Evaluation, Channel::Phone] {
        let form = pb::Complaint { channel: channel.into(), ..form() };
        let refused = desk.filed(&desk.boss, form).await.unwrap_err();
        assert_eq!(fields(&refused), ["complaint.channel UNKNOWN_VALUE"]);
    }
    // Another enterprise's, and one in whose matters the handler has no part, look like absent ones.
    for stranger in [&desk.rival, &desk.city.handler, &desk.city.stranger] {
        let refused = desk.filed(stranger, form()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{}", stranger.name);
    }
    // A handler who is authorised for requests files, and rates, too.
    let clerk = app.person().await;
    app.member(desk.city.enterprise, clerk, "ENTERPRISE_HANDLER", &["REQUEST"]).await;
    desk.filed(&app.user(clerk).await, form()).await.unwrap();
    let paper = pb::Complaint { attachments: desk.city.attachment_names[..2].to_vec(), ..form() };
    let filed = desk.filed(&desk.boss, paper).await.unwrap();
    assert_eq!(filed.attachments.len(), 2);
    let absent = Id::<kind::Attachment>::of(uuid::Uuid::from_u128(7)).to_string();
    let wrong = pb::Complaint { attachments: vec![absent], ..form() };
    let wrong = desk.filed(&desk.boss, wrong).await.unwrap_err();
    assert_eq!(fields(&wrong), ["complaint.attachments[0] UNKNOWN_VALUE"]);
}

#[sqlx::test]
async fn a_request_id_files_once_and_a_stale_etag_changes_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let request =
        pb::FileComplaintRequest { complaint: Some(desk.form()), request_id: request_id() };
    let first = desk.boss.call(request.clone()).await.unwrap();
    let again = desk.boss.call(request).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(app.count("select count(*) from complaint").await, 1);
    desk.accept(&desk.assigner, &first.name).await.unwrap();
    let stale = pb::AssignComplaintRequest {
        name: first.name.clone(),
        lead_unit: desk.lead_unit.clone(),
        etag: first.etag,
        ..Default::default()
    };
    let stale = desk.assigner.call(stale).await.unwrap_err();
    assert_eq!(reason(&stale), "ETAG_STALE");
    assert_eq!(desk.get(&desk.boss, &first.name).await.unwrap().state(), State::Accepted);
}

// I17: what is filed is in the list of its scope until it is closed, and in nobody else's.
#[sqlx::test]
async fn a_list_shows_what_is_in_scope_by_state_and_category(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let name = desk.in_progress(&desk.one).await;
    desk.file().await;
    let foreign = pb::Complaint { enterprise: desk.rival_enterprise.clone(), ..desk.form() };
    desk.filed(&desk.rival, foreign).await.unwrap();
    let all = pb::ListComplaintsRequest::default;
    let counts = [
        (&desk.boss, 2),
        (&desk.rival, 1),
        (&desk.assigner, 3),
        // Who handles sees what is assigned to the unit, and not all of it.
        (&desk.one, 1),
        (&desk.other, 0),
        (&desk.leader, 3),
    ];
    for (reader, expected) in counts {
        assert_eq!(listed(reader, all()).await.len(), expected, "{}", reader.name);
    }
    let by_state = pb::ListComplaintsRequest { state: State::InProgress.into(), ..all() };
    for reader in [&desk.boss, &desk.assigner, &desk.one] {
        let found = listed(reader, by_state.clone()).await;
        assert_eq!(found.iter().map(|found| &found.name).collect::<Vec<_>>(), [&name]);
    }
    let category = pb::complaint::Category::Urgent.into();
    let none = pb::ListComplaintsRequest { category, ..all() };
    assert!(listed(&desk.assigner, none).await.is_empty());
    let absent = desk.get(&desk.rival, &name).await.unwrap_err();
    let nowhere = Id::<kind::Complaint>::of(uuid::Uuid::from_u128(1)).to_string();
    let nowhere = desk.get(&desk.rival, &nowhere).await.unwrap_err();
    assert_eq!((absent.code(), absent.message()), (nowhere.code(), nowhere.message()));
}
