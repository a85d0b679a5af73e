//! The direct line of a side: its post, what is said there, and the centre.

use jingqi::surface::{
    id::{Id, kind},
    service::pb,
};

use super::{Makers, Names, Place, at};
use crate::harness::{App, User, request_id};

/// A post with an officer, a conversation, a visit, a problem, a booked place.
pub async fn line(app: &App, makers: &Makers, place: &Place<'_>, boss: &User, names: &mut Names) {
    let said = format!("{}LIAISON", place.word);
    let unit = Id::<kind::Unit>::of(place.unit.0).to_string();
    names.insert("units", unit.clone());
    let post = pb::CreateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost {
            unit: unit.clone(),
            display_name: "警务专员岗".to_owned(),
            mode: pb::liaison_post::Mode::CityWide.into(),
            duty_hours: crate::liaison::office_hours(),
            capacity_max: 50,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let post = makers.root.call(post).await.unwrap().name;
    names.insert("liaisonPosts", post.clone());
    let number = format!("8{:05}", app.count("select count(*) from officer").await);
    let officer = app.officer(&number, place.unit, &["LIAISON_OFFICER"]).await;
    names.insert("officers", officer.name.clone());
    let assign = pb::AssignLiaisonOfficerRequest {
        name: post.clone(),
        officer: officer.name.clone(),
        request_id: request_id(),
    };
    makers.root.call(assign).await.unwrap();
    let enterprise = names["enterprises"].clone();
    let bind = pb::GrantLiaisonBindingRequest {
        liaison_post: post.clone(),
        enterprise: enterprise.clone(),
        request_id: request_id(),
    };
    makers.root.call(bind).await.unwrap();
    let open = pb::CreateConversationRequest {
        conversation: Some(pb::Conversation {
            enterprise: enterprise.clone(),
            liaison_post: post.clone(),
            title: said.clone(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let line = boss.call(open).await.unwrap().name;
    crate::conversations::say(boss, &line, &said).await.unwrap();
    names.insert("conversations", line);
    let reply = pb::CreateCannedReplyRequest {
        canned_reply: Some(pb::CannedReply {
            liaison_post: post,
            title: "续期".to_owned(),
            text: said.clone(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    officer.call(reply).await.unwrap();
    met(app, makers, place, boss, names).await;
}

/// What was agreed at the enterprise and in the centre.
async fn met(app: &App, makers: &Makers, place: &Place<'_>, boss: &User, names: &mut Names) {
    let said = format!("{}LIAISON", place.word);
    let (unit, enterprise) = (names["units"].clone(), names["enterprises"].clone());
    let visit = pb::RecordVisitRequest {
        visit: Some(pb::Visit {
            enterprise: enterprise.clone(),
            visit_time: at(app, -1),
            place: said.clone(),
            summary: said.clone(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    makers.root.call(visit).await.unwrap();
    let problem = pb::RegisterProblemRequest {
        problem: Some(pb::Problem {
            enterprise: enterprise.clone(),
            title: said.clone(),
            ..Default::default()
        }),
        request_id: request_id(),
    };
    makers.root.call(problem).await.unwrap();
    let slot = pb::CreateCentreSlotRequest {
        centre_slot: Some(pb::CentreSlot {
            unit,
            place: "警企服务中心".to_owned(),
            start_time: at(app, 48),
            end_time: at(app, 49),
            capacity: 50,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let slot = makers.root.call(slot).await.unwrap().name;
    names.insert("centreSlots", slot.clone());
    let book = pb::CreateCentreBookingRequest {
        centre_booking: Some(pb::CentreBooking {
            centre_slot: slot,
            enterprise,
            subject: said,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    boss.call(book).await.unwrap();
}
