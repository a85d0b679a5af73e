//! What every method may be asked, made from the descriptors: each place in a request where a resource
//! name may stand, and a body in which everything else is in order.

use std::collections::BTreeMap;

use jingqi::surface::{domain::pass::zone::Zone, id::kind::COLLECTIONS, service::pb};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ReflectMessage as _, Value,
};

use super::world::Side;
use crate::harness::request_id;

/// A place in a request where a resource name may stand: the fields that lead to it.
pub type Place = Vec<FieldDescriptor>;

pub fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

pub fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

pub fn written(place: &Place) -> String {
    place.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

/// What the comment above a field says.
fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_message().parent_file();
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
    let said = info.location.iter().find(|location| location.path == field.path());
    said.map(|said| said.leading_comments().to_owned()).unwrap_or_default()
}

/// One resource of a collection, as it stands in the names of fields and methods.
fn singular(collection: &str) -> String {
    let one = collection.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let one = one.or_else(|| {
        let stem = collection.strip_suffix("es");
        stem.filter(|stem| ["ss", "ch"].iter().any(|end| stem.ends_with(end))).map(str::to_owned)
    });
    one.unwrap_or_else(|| collection.trim_end_matches('s').to_owned())
}

fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for letter in camel.chars() {
        if letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The collections of which a name may stand in the field: those that its comment names, else the one
/// that it is called after, else, of `name`, the one that the method or the message is called after.
pub fn collections(method: &MethodDescriptor, field: &FieldDescriptor) -> Vec<&'static str> {
    if field.kind() != Kind::String {
        return Vec::new();
    }
    let said = comment(field);
    if said.contains("Output only") {
        return Vec::new();
    }
    let told: Vec<_> =
        COLLECTIONS.iter().copied().filter(|it| said.contains(&format!("{it}/..."))).collect();
    if !told.is_empty() {
        return told;
    }
    let called = |it: &&str| {
        let one = snake(&singular(it));
        [snake(it), one.clone()].contains(&field.name().to_owned())
            || field.name().strip_suffix(&one).is_some_and(|rest| rest.ends_with('_'))
    };
    let mut fit: Vec<_> = COLLECTIONS.iter().copied().filter(called).collect();
    if fit.is_empty() && field.name() == "name" {
        let whose = if *field.parent_message() == method.input() {
            method.name().to_owned()
        } else {
            field.parent_message().name().to_owned()
        };
        let whose = snake(&whose);
        fit = COLLECTIONS
            .iter()
            .copied()
            .filter(|it| whose.contains(&format!("_{}", snake(&singular(it)))))
            .collect();
    }
    // The longest is meant: an application for a pass is no pass.
    fit.sort_by_key(|it| std::cmp::Reverse(it.len()));
    fit.truncate(1);
    fit
}

/// Every place of a method's request where a resource name may stand.
pub fn places(method: &MethodDescriptor) -> Vec<(Place, Vec<&'static str>)> {
    let mut found = Vec::new();
    walk(method, &method.input(), &mut Vec::new(), &mut found);
    found
}

/// Every place of a method's request where a number, a kind or an instant stands, with values that nobody
/// means: the ends of the type, and what lies just outside of what is usual.
pub fn numbers(method: &MethodDescriptor) -> Vec<(Place, Vec<Value>)> {
    let mut found = Vec::new();
    leaves(&method.input(), &mut Vec::new(), &mut |place| {
        let values = extremes(&place.last().unwrap().kind());
        if !values.is_empty() {
            found.push((place.clone(), values));
        }
    });
    found
}

fn extremes(kind: &Kind) -> Vec<Value> {
    match kind {
        Kind::Int32 | Kind::Sint32 => [i32::MIN, -1, 0, 100_000, i32::MAX].map(Value::I32).into(),
        Kind::Uint32 => [0, u32::MAX].map(Value::U32).into(),
        Kind::Int64 | Kind::Sint64 => [i64::MIN, -1, 0, 7_304_485, i64::MAX].map(Value::I64).into(),
        Kind::Uint64 => [0, u64::MAX].map(Value::U64).into(),
        Kind::Enum(_) => [i32::MIN, -1, 0, i32::MAX].map(Value::EnumNumber).into(),
        Kind::Double => {
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -0.0].map(Value::F64).into()
        }
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Timestamp" => {
            let at = |seconds: i64, nanos: i32| {
                let mut at = DynamicMessage::new(inner.clone());
                at.set_field_by_name("seconds", Value::I64(seconds));
                at.set_field_by_name("nanos", Value::I32(nanos));
                Value::Message(at)
            };
            let year_9999 = 253_402_300_799;
            [(i64::MIN, i32::MIN), (i64::MAX, i32::MAX), (0, 0), (year_9999, 999_999_999), (1, -1)]
                .map(|(seconds, nanos)| at(seconds, nanos))
                .into()
        }
        _ => Vec::new(),
    }
}

/// Every field of a request and of what is inside it, but for what only answers say.
fn leaves(message: &MessageDescriptor, above: &mut Place, visit: &mut impl FnMut(&Place)) {
    for field in message.fields().filter(|field| !comment(field).contains("Output only")) {
        above.push(field.clone());
        match field.kind() {
            Kind::Message(inner) if inner.full_name().starts_with("jingqi") && above.len() < 4 => {
                leaves(&inner, above, visit);
            }
            _ => visit(above),
        }
        above.pop();
    }
}

fn walk(
    method: &MethodDescriptor,
    message: &MessageDescriptor,
    above: &mut Place,
    found: &mut Vec<(Place, Vec<&'static str>)>,
) {
    for field in message.fields() {
        above.push(field.clone());
        match field.kind() {
            Kind::Message(inner) if inner.full_name().starts_with("jingqi") && above.len() < 3 => {
                if !comment(&field).contains("Output only") {
                    walk(method, &inner, above, found);
                }
            }
            _ => {
                let fit = collections(method, &field);
                if !fit.is_empty() {
                    found.push((above.clone(), fit));
                }
            }
        }
        above.pop();
    }
}

/// Every text of a request that no resource name is expected in, to be read with the list of places.
pub fn texts(method: &MethodDescriptor) -> Vec<String> {
    let mut texts = Vec::new();
    let places: Vec<_> = places(method).iter().map(|(place, _)| written(place)).collect();
    let mut queue = vec![(String::new(), method.input())];
    while let Some((above, message)) = queue.pop() {
        for field in message.fields() {
            let name = format!("{above}{}", field.name());
            match field.kind() {
                Kind::Message(inner)
                    if inner.full_name().starts_with("jingqi")
                        && above.matches('.').count() < 2
                        && !comment(&field).contains("Output only") =>
                {
                    queue.push((format!("{name}."), inner));
                }
                Kind::String
                    if !places.contains(&name) && !comment(&field).contains("Output only") =>
                {
                    texts.push(name);
                }
                _ => {}
            }
        }
    }
    texts.sort();
    texts
}

/// A name of the side that may stand in the field.
pub fn name_of(side: &Side, fit: &[&str]) -> Option<String> {
    fit.iter().find_map(|collection| side.names.get(collection).cloned())
}

/// A request in which everything is in order, with the names of the side.
pub fn filled(method: &MethodDescriptor, side: &Side, now: i64) -> DynamicMessage {
    let mut message = DynamicMessage::new(method.input());
    fill(method, &mut message, side, now, 0);
    message
}

fn fill(
    method: &MethodDescriptor,
    message: &mut DynamicMessage,
    side: &Side,
    now: i64,
    depth: usize,
) {
    for field in message.descriptor().fields().collect::<Vec<_>>() {
        if comment(&field).contains("Output only") || field.is_map() {
            continue;
        }
        if LEFT_OUT.contains(&said_of(method, &field).as_str()) {
            continue;
        }
        // Of several observations one is told.
        if field.containing_oneof().is_some_and(|it| it.fields().any(|it| message.has_field(&it))) {
            continue;
        }
        let Some(value) = value(method, &field, side, now, depth) else { continue };
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        message.set_field(&field, value);
    }
}

/// What may not stand beside what else is filled.
const LEFT_OUT: [&str; 12] = [
    "MeetingPoint.enterprise",
    "Attachment.conversation",
    "SendMessageRequest.attachment",
    "SendMessageRequest.location",
    "SendMessageRequest.card",
    "PassNeed.days",
    "PassApplication.previous_pass",
    "PassApplication.previous_application",
    "CheckPassRequest.plate_source",
    "CreateAttachmentRequest.sha256",
    "CreatePassApplicationRequest.previous_pass",
    "FileConductReportRequest.matter",
];

/// A field as it stands in the tables here: of its message; of a message that several methods take, the
/// name of the method.
fn said_of(method: &MethodDescriptor, field: &FieldDescriptor) -> String {
    let parent = field.parent_message();
    if *parent == method.input() {
        return format!("{}Request.{}", method.name(), field.name());
    }
    format!("{}.{}", parent.name(), field.name())
}

fn value(
    method: &MethodDescriptor,
    field: &FieldDescriptor,
    side: &Side,
    now: i64,
    depth: usize,
) -> Option<Value> {
    let name = field.name();
    Some(match field.kind() {
        Kind::String => {
            let fit = collections(method, field);
            match name_of(side, &fit) {
                Some(name) => Value::String(name),
                None => Value::String(said_here(method, field).or_else(|| text(name))?),
            }
        }
        Kind::Enum(kind) => {
            let first = kind.values().find(|value| value.number() != 0)?;
            Value::EnumNumber(first.number())
        }
        Kind::Bool => Value::Bool(!["validate_only", "mine_only"].contains(&name)),
        Kind::Int32 | Kind::Sint32 => Value::I32(number(name)),
        Kind::Int64 | Kind::Sint64 => Value::I64(i64::from(name.contains("size"))),
        Kind::Double => Value::F64(33.0),
        Kind::Bytes => Value::Bytes(vec![1; 32].into()),
        Kind::Message(inner) if inner.full_name() == "google.protobuf.Timestamp" => {
            let past = ["from_time", "valid_from", "visit"].iter().any(|word| name.contains(word));
            let last = ["end", "until"].iter().any(|word| name.contains(word));
            let hours = if past { -1 } else { 30 + i64::from(last) };
            let mut at = DynamicMessage::new(inner);
            at.set_field_by_name("seconds", Value::I64(now + hours * 3_600));
            Value::Message(at)
        }
        Kind::Message(inner) if inner.full_name().starts_with("jingqi") && depth < 3 => {
            let mut message = DynamicMessage::new(inner);
            fill(method, &mut message, side, now, depth + 1);
            Value::Message(message)
        }
        _ => return None,
    })
}

/// A number as such a field wants it.
fn number(name: &str) -> i32 {
    match name {
        "offset" => 0,
        "from_minute" => 9 * 60,
        "until_minute" => 17 * 60,
        "gross_mass_kg" => 18_000,
        "kerb_mass_kg" => 8_000,
        "rated_load_kg" | "outer_length_mm" => 9_000,
        "outer_width_mm" => 2_500,
        "outer_height_mm" => 3_500,
        "emission_stage" => 6,
        _ => 1,
    }
}

/// A text that one message wants otherwise than all others.
fn said_here(method: &MethodDescriptor, field: &FieldDescriptor) -> Option<String> {
    let known = [
        ("RejectPassApplicationRequest.reasons", "NO_REAL_NEED"),
        ("RetireVehicleRequest.reason_code", "SCRAPPED"),
        ("ResumeTruckPassRequest.reason_code", "CAUSE_REMOVED"),
        ("SuspendTruckPassRequest.reason_code", "UNDER_INVESTIGATION"),
        ("WithdrawTruckPassRequest.reason_code", "LAW_OR_FACTS_CHANGED"),
        ("PenaliseTruckPassRequest.reason_code", "FATAL_ACCIDENT"),
        ("CancelTruckPassRequest.reason_code", "HOLDER_REQUEST"),
        ("Unit.code", "321302990000"),
        ("Attachment.kind", "INSURANCE"),
        ("PassNeed.cargo_kind", "OTHER"),
        ("CreateEnterpriseRequest.legal_representative_id", "11010519491231002X"),
        ("UpdateEnterpriseRequest.legal_representative_id", "11010519491231002X"),
    ];
    let here = said_of(method, field);
    if here == "Zone.rules_json" {
        return serde_json::to_string(&Zone::main_urban_demo().plan).ok();
    }
    known.iter().find(|(field, _)| *field == here).map(|(_, text)| (*text).to_owned())
}

/// A text as such a field wants it.
fn text(name: &str) -> Option<String> {
    let known = BTreeMap::from([
        ("plate_number", "苏N99999"),
        ("observed_plate_number", "苏N99999"),
        ("trailer_plate_number", ""),
        ("plate_type", "01"),
        ("vehicle_type", "H12"),
        ("use_nature", "F"),
        ("energy_type", "B"),
        ("vin", "LZZ1CLNBXNA000001"),
        ("body_colour", "A"),
        ("vehicle_states", "A"),
        ("phone", "13905249999"),
        ("uscc", "91321300MA1ABCDE8U"),
        ("division_code", "321302"),
        ("scope", "PASS"),
        ("level", "BUREAU"),
        ("reason_code", "FALSE_INFORMATION"),
        ("kind", "INSURANCE"),
        ("content_type", "image/png"),
        ("file_name", "paper.png"),
        ("roles", "HANDLER"),
        ("reasons", "DOCUMENT_EXPIRED"),
        ("police_number", "999999"),
        ("etag", "W/\"1\""),
        ("page_token", ""),
        ("suite", ""),
        ("districts", "321302"),
        ("industries", "C"),
    ]);
    if let Some(text) = known.get(name) {
        return (!text.is_empty()).then(|| (*text).to_owned());
    }
    if ["request_id", "client_message_id"].contains(&name) {
        return Some(request_id());
    }
    if name.ends_with("_day") || name.ends_with("_date") || name.ends_with("valid_until") {
        return Some("2026-12-01".to_owned());
    }
    Some("核查有关情况,请予说明并及时反馈处理结果".to_owned())
}

/// The same request with another name at the place.
pub fn with(message: &DynamicMessage, place: &[FieldDescriptor], name: &str) -> DynamicMessage {
    with_value(message, place, &Value::String(name.to_owned()))
}

/// The same request with another value at the place.
pub fn with_value(
    message: &DynamicMessage,
    place: &[FieldDescriptor],
    value: &Value,
) -> DynamicMessage {
    let mut message = message.clone();
    put(&mut message, place, value);
    message
}

fn put(message: &mut DynamicMessage, place: &[FieldDescriptor], value: &Value) {
    let (field, below) = place.split_first().unwrap();
    if below.is_empty() {
        let value = value.clone();
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        message.set_field(field, value);
        return;
    }
    match message.get_field_mut(field) {
        Value::Message(inner) => put(inner, below, value),
        Value::List(inner) => {
            if let Some(Value::Message(inner)) = inner.first_mut() {
                put(inner, below, value);
            }
        }
        _ => {}
    }
}
