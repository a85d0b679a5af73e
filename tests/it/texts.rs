//! What people type and paste: a text that shows nothing says nothing, a pasted number is the number that
//! was meant. What is said on the direct line stands in `messages`.

mod messages;

use jingqi::surface::{
    actor::Role,
    service::{
        pb,
        policy::{Access, POLICY},
    },
};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use sqlx::PgPool;
use tonic::{Status, client::Grpc};

use crate::{
    harness::{App, City, User, fields, request_id},
    raw::Raw,
};

/// What nobody sees: zero width, a filler, an empty pattern of Braille, a joiner, a mark on nothing.
const UNSEEN: &str = "\u{200b}\u{3164}\u{2800}\u{2060}\u{feff}\u{200d}\u{301}\u{3000}";

/// Fields that hold what a person says, by their last name.
const TEXTS: &[&str] = &[
    "title",
    "statement",
    "at_once_reason",
    "content",
    "text",
    "note",
    "reason",
    "summary",
    "comment",
    "feedback",
    "basis",
    "source",
    "display_name",
    "full_name",
    "place",
    "people",
    "findings",
    "description",
    "outcome",
    "decision",
    "minutes",
    "goods",
    "loading_place",
    "unloading_place",
    "route",
    "permit_number",
    "label",
    "client",
    "model",
    "software_version",
    "brand_model",
    "conclusion",
    "result",
    "outside_number",
    "outside_target",
    "target",
    "file_name",
    "legal_representative_name",
    "legal_representative",
    "source_document",
    "version",
    "enterprise_name",
    "rules_text",
];

/// Fields that hold names of resources, codes, days and what machines say to each other.
const OTHERS: &[&str] = &[
    "name",
    "proposal",
    "claimer",
    "holder",
    "identity_request",
    "licence",
    "prepare_note",
    "prepared_by",
    "rivals",
    "vehicle_contest",
    "etag",
    "request_id",
    "page_token",
    "enterprise",
    "enterprises",
    "unit",
    "units",
    "parent",
    "code",
    "number",
    "device",
    "officer",
    "officers",
    "person",
    "persons",
    "checkpoint",
    "zone",
    "zones",
    "vehicle",
    "vehicles",
    "conversation",
    "liaison_post",
    "complaint",
    "attachment",
    "attachments",
    "conduct_report",
    "first_day",
    "last_day",
    "makeup_days",
    "visit",
    "promised_day",
    "centre_slot",
    "joint_meeting",
    "owing_unit",
    "due_day",
    "origin",
    "lead_unit",
    "helper_units",
    "handler",
    "merged_into",
    "into",
    "supervision_level",
    "level",
    "state",
    "kind",
    "standing",
    "cause",
    "limit",
    "accept_limit",
    "assign_limit",
    "sign_limit",
    "handle_limit",
    "review_limit",
    "redo_limit",
    "handle_legal_limit",
    "handle_internal_limit",
    "needed",
    "intake_roles",
    "reviewer_roles",
    "id",
    "police_number",
    "matter",
    "query_code",
    "secret",
    "content_type",
    "phone",
    "investigator",
    "assignee",
    "client_message_id",
    "card",
    "uscc",
    "division_code",
    "granted_by",
    "legal_representative_id",
    "scope",
    "plate_number",
    "plate_type",
    "vehicle_type",
    "use_nature",
    "energy_type",
    "vin",
    "body_colour",
    "inspection_valid_until",
    "insurance_valid_until",
    "scrapping_date",
    "contract_valid_until",
    "transport_permit_valid_until",
    "vehicle_states",
    "login_code",
    "password",
    "totp_code",
    "enrolment_code",
    "refresh_token",
    "wechat_code",
    "old_password",
    "new_password",
    "session",
    "districts",
    "industries",
    "industry",
    "successor",
    "notices",
    "template_id",
    "url",
    "events",
    "webhook",
    "roles",
    "reasons",
    "suite",
    "start_date",
    "trailer_plate_number",
    "cargo_kind",
    "last_valid_day",
    "rule",
    "inputs",
    "policy_version",
    "field",
    "rights_of_review",
    "truck_pass",
    "previous_pass",
    "batch",
    "valid_until",
    "pass_number",
    "observed_plate_number",
    "plate_source",
    "reason_code",
    "subject",
    "rules_json",
    "values_json",
    "post",
    "notice",
];

type Path = Vec<FieldDescriptor>;

/// Every field of a message that holds text, those of the messages within it too.
fn leaves(of: &MessageDescriptor, before: &Path, found: &mut Vec<Path>) {
    for field in of.fields() {
        let path = [before.as_slice(), std::slice::from_ref(&field)].concat();
        match field.kind() {
            Kind::String => found.push(path),
            Kind::Message(inner) => {
                let nested = before.iter().any(|it| it.parent_message() == &inner);
                if !nested && inner.package_name() == "jingqi.v1" && !field.is_map() {
                    leaves(&inner, &path, found);
                }
            }
            _ => {}
        }
    }
}

/// Says something in the field at the end of a path.
fn say_at(message: &mut DynamicMessage, path: &[FieldDescriptor], words: &str) {
    let (field, rest) = path.split_first().unwrap();
    let value = match field.kind() {
        Kind::Message(inner) => {
            let mut inner = DynamicMessage::new(inner);
            say_at(&mut inner, rest, words);
            Value::Message(inner)
        }
        _ => Value::String(words.to_owned()),
    };
    message.set_field(field, if field.is_list() { Value::List(vec![value]) } else { value });
}

#[expect(clippy::disallowed_methods, reason = "a success as a status, to compare it")]
async fn call(user: &User, method: &str, message: &DynamicMessage) -> Status {
    let mut client = Grpc::new(user.wire());
    client.ready().await.unwrap();
    let path = format!("/jingqi.v1.{method}").parse().unwrap();
    match client.unary(tonic::Request::new(message.encode_to_vec()), path, Raw).await {
        Ok(_) => Status::new(tonic::Code::Ok, ""),
        Err(status) => status,
    }
}

/// Somebody of each role.
async fn somebody_of_each(app: &App, city: &City) -> Vec<(Role, User)> {
    let unit = (city.root, "321300000000/".to_owned());
    let mut users = vec![
        (Role::Person, city.stranger.clone()),
        (Role::Driver, city.driver.clone()),
        (Role::LegalRepresentative, city.boss.clone()),
        (Role::EnterpriseHandler, city.handler.clone()),
        (Role::WindowClerk, city.clerk.clone()),
        (Role::FirstReviewer, city.first.clone()),
        (Role::FinalReviewer, city.chief.clone()),
        (Role::CheckpointOfficer, city.patrol.clone()),
        (Role::Device, city.device.clone()),
    ];
    for (at, role) in [
        Role::Inspector,
        Role::SystemAdministrator,
        Role::SecurityAdministrator,
        Role::Auditor,
        Role::LiaisonOfficer,
        Role::UnitLeader,
        Role::Assigner,
        Role::Handler,
    ]
    .into_iter()
    .enumerate()
    {
        let officer = app.officer(&format!("20001{at}"), &unit, &[role.wire()]).await;
        users.push((role, officer));
    }
    users
}

// One function reads them all: what shows nothing is absent, in every text of every request.
#[sqlx::test]
async fn a_text_that_shows_nothing_is_as_good_as_none(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let users = somebody_of_each(&app, &city).await;
    let api = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let unseen = UNSEEN.repeat(8);
    let (mut said, mut required) = (0, 0);
    for (method, access) in POLICY {
        let (service, called) = method.split_once('/').unwrap();
        let service = api.get_service_by_name(&format!("jingqi.v1.{service}")).unwrap();
        let called = service.methods().find(|it| it.name() == called).unwrap();
        let user = match access {
            Access::Roles(roles) | Access::UnseenRoles(roles, _) => {
                users.iter().find(|(role, _)| roles.has(*role)).map(|(_, user)| user)
            }
            _ => users.first().map(|(_, user)| user),
        };
        let user = user.unwrap_or_else(|| panic!("nobody may call {method}"));
        let mut paths = Vec::new();
        leaves(&called.input(), &Vec::new(), &mut paths);
        for path in paths {
            let last = path.last().unwrap().name().to_owned();
            // What a booking is about is said in words; elsewhere a subject is a resource name.
            let said_there = path.last().unwrap().full_name() == "jingqi.v1.CentreBooking.subject";
            let text = TEXTS.contains(&last.as_str()) || said_there;
            let other = OTHERS.contains(&last.as_str());
            assert!(text || other, "{method}: is {last} what a person says?");
            if !text || called.is_server_streaming() {
                continue;
            }
            let told = async |words: &str| {
                let mut message = DynamicMessage::new(called.input());
                say_at(&mut message, &path, words);
                let status = call(user, method, &message).await;
                assert_ne!(status.code(), tonic::Code::Internal, "{method} {last}: {status:?}");
                (status.code(), fields(&status))
            };
            let absent = told("").await;
            assert_eq!(told(&unseen).await, absent, "{method} {last}");
            said += 1;
            let names: Vec<_> = path.iter().map(|field| field.name().to_owned()).collect();
            let names = [names.join("."), last.clone()];
            let wanted = |field: &String| {
                let (at, flaw) = field.split_once(' ').unwrap();
                flaw == "REQUIRED" && names.iter().any(|name| name == &at.replace("[0]", ""))
            };
            required += usize::from(absent.1.iter().any(wanted));
        }
    }
    // The test looks at something: so many texts, and so many of them must be said.
    assert!(said > 150, "{said}");
    assert!(required > 60, "{required}");
}

#[sqlx::test]
async fn what_must_be_long_is_counted_by_what_shows(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.service().await;
    let inspector = app.officer("300027", &app.unit_of("321300170000").await, &["INSPECTOR"]).await;
    let name = desk.in_progress(&desk.one).await;
    let read = async |reason: &str| {
        let reason = reason.to_owned();
        let request = pb::ReadRedactedComplaintRequest { name: name.clone(), reason };
        let refused = inspector.call(request).await;
        fields(&refused.unwrap_err())
    };
    assert_eq!(read(&"\u{200b}".repeat(10)).await, ["reason REQUIRED"]);
    assert_eq!(read(&format!("看看{}", "\u{200b}".repeat(10))).await, ["reason TOO_SHORT"]);
    let answer = async |feedback: String| {
        let request = pb::SubmitComplaintFeedbackRequest {
            name: name.clone(),
            feedback,
            ..Default::default()
        };
        fields(&desk.one.call(request).await.unwrap_err())
    };
    assert_eq!(answer("\u{200b}".repeat(60)).await, ["feedback REQUIRED"]);
    assert_eq!(answer(format!("已办{}", "\u{2060}".repeat(60))).await, ["feedback TOO_SHORT"]);
}

#[sqlx::test]
async fn what_is_pasted_is_read_as_it_was_meant(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let add = pb::AddDriverRequest {
        vehicle: city.vehicle.to_string(),
        full_name: "\u{2066}⻢　小⻰\u{2069}".to_owned(),
        phone: "\u{202d}+86 139-0524-0091\u{202c}\u{feff}".to_owned(),
        request_id: request_id(),
    };
    city.boss.call(add).await.unwrap();
    let check = |plate: &str| pb::CheckPassRequest {
        observed: Some(pb::check_pass_request::Observed::PlateNumber(plate.to_owned())),
        checkpoint: city.checkpoint.to_string(),
        ..Default::default()
    };
    city.pass(&app).await;
    let plain = city.patrol.call(check("苏N12345")).await.unwrap();
    for pasted in ["\u{202d}苏N12345\u{2069}", "苏\u{200b}N·1234５\r\n", "\u{feff}苏 n12345"] {
        let found = city.patrol.call(check(pasted)).await.unwrap();
        assert_eq!(found.verdict, plain.verdict, "{pasted:?}");
    }
    // Another plate, whose province a document wrote with a radical.
    for (pasted, meant) in [("\u{2fca}A12345", "黑A12345"), ("⻘A12345", "青A12345")] {
        let found = city.patrol.call(check(pasted)).await.unwrap();
        let other = city.patrol.call(check(meant)).await.unwrap();
        assert_eq!(found.verdict, other.verdict, "{meant}");
    }
}
