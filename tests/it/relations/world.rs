//! Five enterprises, each with one thing of every kind, in whose texts a word of its own stands; and
//! one reader of every role and every item.

mod line;
mod passes;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jingqi::surface::{
    id::{Id, kind},
    service::pb,
};
use uuid::Uuid;

use self::{
    line::line,
    passes::{passes, written},
};
use crate::harness::{App, City, User, request_id};

/// A unit: its id and path.
pub type Unit = (Uuid, String);

/// What one enterprise has, and one thing of its unit of every kind, by collection.
pub struct Side {
    /// The word of the side; with a matter behind it, it stands in every text.
    pub word: &'static str,
    pub names: BTreeMap<&'static str, String>,
}

/// Who asks: a user, and what the table calls the reader.
pub struct Reader {
    pub called: &'static str,
    pub user: User,
    /// Acts for the first enterprise in these items; the police have none.
    pub items: &'static [&'static str],
    pub officer: bool,
}

/// Everything of the table.
pub struct World {
    /// Own to its people, served by the post, of the same unit.
    pub served: Side,
    /// Of the same unit, served by another post.
    pub unit: Side,
    /// Of a unit below.
    pub subtree: Side,
    /// Of another unit.
    pub foreign: Side,
    pub readers: Vec<Reader>,
}

/// Somebody of the whole city, for what the sides are made of.
struct Makers {
    root: User,
    zone: Id<kind::Zone>,
}

struct Place<'a> {
    word: &'static str,
    unit: &'a Unit,
    division: &'a str,
    /// A credit code, and the digits of its plates.
    uscc: &'a str,
    plates: [&'a str; 2],
}

#[expect(clippy::unnecessary_wraps, reason = "as it stands in a message")]
fn at(app: &App, hours: i64) -> Option<prost_types::Timestamp> {
    let at = app.now() + SignedDuration::from_hours(hours);
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

impl World {
    pub async fn of(app: &App) -> Self {
        let city = app.city().await;
        let brigade = app.unit_of("321302170000").await;
        let other = app.unit_of("321322170000").await;
        let below = app.unit("321302170100", Some(&brigade), &["321311"]).await;
        let top = app.unit_of("321300000000").await;
        let roles =
            ["WINDOW_CLERK", "FIRST_REVIEWER", "UNIT_LEADER", "ASSIGNER", "LIAISON_OFFICER"];
        let makers = Makers { root: app.officer("900001", &top, &roles).await, zone: city.zone };
        // The city's own enterprise is the served one; its people are the readers.
        let boss = city.boss.clone();
        let served = Place {
            word: "甲词",
            unit: &brigade,
            division: "321302",
            uscc: "",
            plates: ["苏NA1101", "苏NA1102"],
        };
        let served = side(app, &makers, &served, Some((city.enterprise, boss))).await;
        let place =
            |word, unit, division, uscc, plates| Place { word, unit, division, uscc, plates };
        let unit =
            place("乙词", &brigade, "321302", "91321302MA1XQ0000N", ["苏NB1101", "苏NB1102"]);
        let unit = side(app, &makers, &unit, None).await;
        let subtree =
            place("丙词", &below, "321311", "91321300MA20000001", ["苏NC1101", "苏NC1102"]);
        let subtree = side(app, &makers, &subtree, None).await;
        let foreign =
            place("丁词", &other, "321322", "91321300MA20000002", ["苏ND1101", "苏ND1102"]);
        let foreign = side(app, &makers, &foreign, None).await;
        let readers = readers(app, &city, &brigade, [&served, &unit]).await;
        app.run_workers().await;
        Self { served, unit, subtree, foreign, readers }
    }
}

/// One thing of every kind, made through the API as people make it.
async fn side(
    app: &App,
    makers: &Makers,
    place: &Place<'_>,
    own: Option<(Id<kind::Enterprise>, User)>,
) -> Side {
    let (enterprise, boss) = if let Some(own) = own {
        own
    } else {
        let boss = app.person().await;
        let enterprise = app.enterprise(place.uscc, place.division, place.unit, boss).await;
        app.member(enterprise, boss, "LEGAL_REPRESENTATIVE", &[]).await;
        let reviewer = Id::parse(&makers.root.name).unwrap();
        app.grant(enterprise, "ABOVE_DESIGNATED_SIZE", reviewer).await;
        (enterprise, app.user(boss).await)
    };
    let word = place.word;
    let named = format!(
        "update enterprise set display_name = '{word}公司' where id = '{}'",
        enterprise.uuid()
    );
    app.sql(&named).await;
    let mut names = BTreeMap::new();
    names.insert("enterprises", enterprise.to_string());
    passes(app, makers, place, &boss, &mut names).await;
    line(app, makers, place, &boss, &mut names).await;
    requests(app, makers, place, &boss, &mut names).await;
    organisation(app, makers, &mut names).await;
    looked_up(app, &mut names).await;
    Side { word, names }
}

type Names = BTreeMap<&'static str, String>;

/// A complaint with a file, taken in; a joint meeting with a point.
async fn requests(app: &App, makers: &Makers, place: &Place<'_>, boss: &User, names: &mut Names) {
    let said = format!("{}REQUEST", place.word);
    let enterprise = names["enterprises"].clone();
    let id: Id<kind::Enterprise> = Id::parse(&enterprise).unwrap();
    let files = app.papers(id).await;
    let file = pb::FileComplaintRequest {
        complaint: Some(pb::Complaint {
            enterprise: enterprise.clone(),
            category: pb::complaint::Category::Complaint.into(),
            title: said.clone(),
            content: said.clone(),
            attachments: vec![files[0].clone()],
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let filed = boss.call(file).await.unwrap();
    names.insert("complaints", filed.name.clone());
    names.insert("complaintFiles", files[0].clone());
    written(app, &files[0]);
    let accept = pb::AcceptComplaintRequest { name: filed.name.clone(), ..Default::default() };
    makers.root.call(accept).await.unwrap();
    // What is of the unit is assigned to it: its handlers work on it.
    if place.word == "甲词" {
        let assign = pb::AssignComplaintRequest {
            name: filed.name,
            lead_unit: names["units"].clone(),
            ..Default::default()
        };
        makers.root.call(assign).await.unwrap();
    }
    let call = pb::CreateJointMeetingRequest {
        joint_meeting: Some(pb::JointMeeting {
            title: "联席会议".to_owned(),
            place: "警企服务中心".to_owned(),
            meet_time: at(app, 48),
            units: vec![names["units"].clone()],
            enterprises: vec![enterprise.clone()],
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let meeting = makers.root.call(call).await.unwrap().name;
    let add = pb::AddMeetingPointRequest {
        joint_meeting: meeting.clone(),
        meeting_point: Some(pb::MeetingPoint {
            title: format!("{}MEETING", place.word),
            enterprise,
            ..Default::default()
        }),
        request_id: request_id(),
    };
    let point = makers.root.call(add).await.unwrap().name;
    names.insert("jointMeetings", meeting);
    names.insert("meetingPoints", point);
}

async fn organisation(app: &App, makers: &Makers, names: &mut Names) {
    names.insert("zones", makers.zone.to_string());
    let person = app.person().await;
    let enterprise: Id<kind::Enterprise> = Id::parse(&names["enterprises"]).unwrap();
    app.member(enterprise, person, "ENTERPRISE_HANDLER", &["PASS", "LIAISON", "REQUEST"]).await;
    names.insert("persons", person.to_string());
    app.user(person).await;
}

/// What came about by itself, found by whose it is.
async fn looked_up(app: &App, names: &mut Names) {
    let enterprise = names["enterprises"]["enterprises/".len()..].to_owned();
    let vehicle = names["vehicles"]["vehicles/".len()..].to_owned();
    let unit = names["units"]["units/".len()..].to_owned();
    let post = names["liaisonPosts"]["liaisonPosts/".len()..].to_owned();
    let person = names["persons"]["persons/".len()..].to_owned();
    let of = |table: &str| format!("from {table} where enterprise_id = '{enterprise}'");
    for (collection, query) in [
        ("problems", of("problem")),
        ("visits", of("visit")),
        ("centreBookings", of("centre_booking")),
        ("liaisonBindings", of("liaison_binding")),
        ("classGrants", of("class_grant")),
        ("evaluations", of("evaluation")),
        ("members", format!("{} and person_id = '{person}'", of("member"))),
        ("drivers", format!("from driver where vehicle_id = '{vehicle}'")),
        ("cannedReplies", format!("from canned_reply where liaison_post_id = '{post}'")),
        ("sessions", format!("from session where person_id = '{person}'")),
        (
            "blacklistEntries",
            format!("from blacklist_entry where vehicle_id in (select id {})", of("vehicle")),
        ),
        (
            "passChecks",
            format!(
                "from pass_check where checkpoint_id in (
                    select id from checkpoint where unit_id = '{unit}')"
            ),
        ),
    ] {
        let query = format!("select id {query} order by id desc limit 1");
        let query = sqlx::AssertSqlSafe(query);
        let id: Option<Uuid> =
            sqlx::query_scalar(query).fetch_optional(app.parts.store.pool()).await.unwrap();
        let id = id.unwrap_or_else(|| panic!("nothing in {collection}"));
        names.insert(collection, format!("{collection}/{id}"));
    }
}

/// One reader of every role, of the first unit; and of every item, of the first enterprise.
async fn readers(app: &App, city: &City, brigade: &Unit, sides: [&Side; 2]) -> Vec<Reader> {
    let enterprise = city.enterprise;
    let person = |called, user, items| Reader { called, user, items, officer: false };
    let mut readers = vec![
        person("LEGAL_REPRESENTATIVE", city.boss.clone(), &["PASS", "LIAISON", "REQUEST"]),
        person("PERSON", city.stranger.clone(), &[]),
    ];
    for (called, items) in [
        ("HANDLER_OF_PASSES", &["PASS"][..]),
        ("HANDLER_OF_THE_LINE", &["LIAISON"][..]),
        ("HANDLER_OF_REQUESTS", &["REQUEST"][..]),
    ] {
        let id = app.person().await;
        app.member(enterprise, id, "ENTERPRISE_HANDLER", items).await;
        readers.push(person(called, app.user(id).await, items));
    }
    // Drives the truck of the own side, and nothing else; and one of another firm, as a handler.
    for (called, side, items) in [
        ("DRIVER", sides[0], &[][..]),
        ("HANDLER_OF_THE_LINE_WHO_DRIVES_ELSEWHERE", sides[1], &["LIAISON"][..]),
    ] {
        let id = app.person().await;
        let vehicle: Id<kind::Vehicle> = Id::parse(&side.names["vehicles"]).unwrap();
        // The phone is another one than that of the first driver.
        app.sql(&format!(
            "update driver set phone_index = sha256(id::text::bytea)
             where vehicle_id = '{}'",
            vehicle.uuid()
        ))
        .await;
        app.drives(vehicle, id).await;
        if !items.is_empty() {
            app.member(enterprise, id, "ENTERPRISE_HANDLER", items).await;
        }
        readers.push(person(called, app.user(id).await, items));
    }
    for (at, role) in [
        "WINDOW_CLERK",
        "FIRST_REVIEWER",
        "FINAL_REVIEWER",
        "CHECKPOINT_OFFICER",
        "AUXILIARY",
        "UNIT_LEADER",
        "ASSIGNER",
        "HANDLER",
        "INSPECTOR",
        "SYSTEM_ADMINISTRATOR",
        "SECURITY_ADMINISTRATOR",
        "AUDITOR",
    ]
    .into_iter()
    .enumerate()
    {
        let user = app.officer(&format!("7000{at:02}"), brigade, &[role]).await;
        readers.push(Reader { called: role, user, items: &[], officer: true });
    }
    let idle = app.officer("700098", brigade, &["LIAISON_OFFICER"]).await;
    let posted = Id::<kind::Officer>::parse(&sides[0].names["officers"]).unwrap();
    let posted = app.user(posted).await;
    for (called, user) in [("LIAISON_OFFICER", posted), ("LIAISON_OFFICER_WITHOUT_POST", idle)] {
        readers.push(Reader { called, user, items: &[], officer: true });
    }
    let device = city.device.clone();
    readers.push(Reader { called: "DEVICE", user: device, items: &[], officer: true });
    readers
}
