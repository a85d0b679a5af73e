//! What the API says of itself, as reflection, pages and clients in other languages see it: a comment on
//! every part, and which methods have no side effects, so that a front may answer them to a GET.

use std::collections::BTreeMap;

use jingqi::surface::service::{pb, policy::POLICY};
use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    MethodDescriptorProto, ServiceDescriptorProto, method_options::IdempotencyLevel,
};

/// What a request may tell in an address, which proxies write down: names of resources, states, pages and
/// times. No plate, no code of a company or a person, no text.
const IN_AN_ADDRESS: &[&str] = &[
    "after_sequence",
    "before_sequence",
    "category",
    "centre_slot",
    "checkpoint",
    "conversation",
    "enterprise",
    "from_time",
    "grouping",
    "joint_meeting",
    "known_version",
    "level",
    "liaison_post",
    "mine_only",
    "name",
    "open",
    "page_size",
    "page_token",
    "state",
    "subject",
    "unassigned_only",
    "unit",
    "unread_only",
    "unsettled",
    "until_time",
    "vehicle",
    "webhook",
    "zone",
];

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
    set.file.into_iter().filter(|file| file.package() == "jingqi.v1").collect()
}

fn methods() -> Vec<(String, MethodDescriptorProto)> {
    let services = files().into_iter().flat_map(|file| file.service);
    let named = |service: ServiceDescriptorProto| {
        let of = service.name().to_owned();
        service.method.into_iter().map(move |method| (format!("{of}/{}", method.name()), method))
    };
    services.flat_map(named).collect()
}

fn without_side_effects() -> Vec<(String, MethodDescriptorProto)> {
    let none = |(_, method): &(String, MethodDescriptorProto)| {
        let level = method.options.as_ref().map(prost_types::MethodOptions::idempotency_level);
        level == Some(IdempotencyLevel::NoSideEffects)
    };
    methods().into_iter().filter(none).collect()
}

/// The comments of one file, by the path of what they are about, and what has been found without one.
struct Read {
    comments: BTreeMap<Vec<i32>, String>,
    parts: usize,
    bare: Vec<String>,
}

impl Read {
    fn of(file: &FileDescriptorProto) -> Self {
        let places = file.source_code_info.iter().flat_map(|info| &info.location);
        let comments =
            places.map(|place| (place.path.clone(), place.leading_comments().trim().to_owned()));
        let mut read = Self { comments: comments.collect(), parts: 0, bare: Vec::new() };
        for (at, message) in numbered(&file.message_type) {
            read.message(&[4, at], message.name(), message);
        }
        for (at, kind) in numbered(&file.enum_type) {
            read.kind(&[5, at], kind.name(), kind);
        }
        for (at, service) in numbered(&file.service) {
            read.part(&[6, at], service.name());
            for (number, method) in numbered(&service.method) {
                read.part(&[6, at, 2, number], &format!("{}/{}", service.name(), method.name()));
            }
        }
        read
    }

    fn part(&mut self, path: &[i32], name: &str) {
        self.parts += 1;
        if self.comments.get(path).is_none_or(String::is_empty) {
            self.bare.push(name.to_owned());
        }
    }

    fn message(&mut self, path: &[i32], name: &str, message: &DescriptorProto) {
        self.part(path, name);
        for (at, field) in numbered(&message.field) {
            self.part(&[path, &[2, at]].concat(), &format!("{name}.{}", field.name()));
        }
        // An optional field is a choice of its own, which nobody wrote.
        let of_optional = |at: i32| {
            let mut fields = message.field.iter();
            fields.any(|field| field.proto3_optional() && field.oneof_index == Some(at))
        };
        for (at, choice) in numbered(&message.oneof_decl) {
            if !of_optional(at) {
                self.part(&[path, &[8, at]].concat(), &format!("{name}.{}", choice.name()));
            }
        }
        for (at, nested) in numbered(&message.nested_type) {
            // The entry of a map is nobody's either.
            if !nested.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry) {
                let within = format!("{name}.{}", nested.name());
                self.message(&[path, &[3, at]].concat(), &within, nested);
            }
        }
        for (at, kind) in numbered(&message.enum_type) {
            let within = format!("{name}.{}", kind.name());
            self.kind(&[path, &[4, at]].concat(), &within, kind);
        }
    }

    fn kind(&mut self, path: &[i32], name: &str, kind: &EnumDescriptorProto) {
        self.part(path, name);
        for (at, value) in numbered(&kind.value) {
            self.part(&[path, &[2, at]].concat(), &format!("{name}.{}", value.name()));
        }
    }
}

fn numbered<T>(parts: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(parts)
}

#[test]
fn every_part_of_the_api_has_a_comment() {
    let read: Vec<_> = files().iter().map(Read::of).collect();
    let bare: Vec<_> = read.iter().flat_map(|file| &file.bare).collect();
    assert!(bare.is_empty(), "without a comment: {bare:#?}");
    // The search itself finds something.
    let parts: usize = read.iter().map(|file| file.parts).sum();
    assert!(parts > 2_000, "{parts} parts were looked at");
}

#[test]
fn nothing_that_must_not_be_written_down_stands_in_an_address() {
    let files = files();
    let messages: BTreeMap<_, _> = files
        .iter()
        .flat_map(|file| &file.message_type)
        .map(|message| (format!(".jingqi.v1.{}", message.name()), message))
        .collect();
    for (name, method) in without_side_effects() {
        let (_, access) = POLICY.iter().find(|(known, _)| *known == name).unwrap();
        assert!(access.unseen().is_none(), "{name} leaves no trace");
        // That somebody looks at a report is a trace of it, whoever it is.
        assert!(!name.starts_with("ConductReportService/"), "{name}");
        assert!(method.name().starts_with("Get") || method.name().starts_with("List"), "{name}");
        assert!(!method.server_streaming() && !method.client_streaming(), "{name}");
        for field in &messages[method.input_type()].field {
            let told = IN_AN_ADDRESS.contains(&field.name());
            assert!(told, "{name} would tell {} to every proxy", field.name());
        }
    }
}

// Whoever calls one by GET goes on to be answered: none is taken off this list.
#[test]
fn the_methods_without_side_effects() {
    let names: Vec<_> = without_side_effects().into_iter().map(|(name, _)| name).collect();
    insta::assert_snapshot!(names.join("\n"));
}
