//! Messages as the canonical JSON of Protobuf: 64-bit integers as strings, enums by name, defaults
//! shown. No message of its own.

use std::{borrow::Cow, sync::LazyLock};

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;
use serde_path_to_error::{Path, Segment, Track};

use crate::{
    error::{Error, Field, Flaw},
    service::pb,
};

/// Every message of ours, and of what goes by the gate: health and reflection.
pub static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    for set in [
        pb::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ] {
        #[expect(clippy::expect_used, reason = "the build made it")]
        pool.decode_file_descriptor_set(set).expect("the descriptor set is whole");
    }
    pool
});

/// Fields that are named to whoever sent them although we do not know them.
const UNKNOWN_MAX: usize = 16;

/// The bytes of a message that was sent as JSON, and the paths in it that we do not know: an old server
/// must understand a newer client, but a misspelled field should not go unnoticed. No text at all is an
/// empty message.
///
/// # Errors
/// `REQUEST_INVALID` with the path of what is wrong, or with the line and column.
pub fn decode(
    descriptor: &MessageDescriptor,
    text: &[u8],
) -> Result<(Vec<u8>, Vec<String>), Error> {
    if text.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    // Whoever sends what we know is read once.
    if let Ok(message) = parse(descriptor, text, true) {
        return Ok((message.encode_to_vec(), Vec::new()));
    }
    let message = parse(descriptor, text, false).map_err(|field| Error::invalid(vec![field]))?;
    // What is passed over is hardly looked at: here it is.
    let value = serde_json::from_slice(text);
    let value = value.map_err(|error| Error::invalid(vec![wrong(descriptor, &error, None)]))?;
    let mut unknown = Vec::new();
    strange(descriptor, &value, "", &mut unknown);
    Ok((message.encode_to_vec(), unknown))
}

fn parse(
    descriptor: &MessageDescriptor,
    text: &[u8],
    strict: bool,
) -> Result<DynamicMessage, Field> {
    let options = DeserializeOptions::new().deny_unknown_fields(strict);
    let mut json = serde_json::Deserializer::from_slice(text);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let message = DynamicMessage::deserialize_with_options(descriptor.clone(), tracked, &options)
        .map_err(|error| (error, Some(track.path())));
    message
        .and_then(|message| json.end().map(|()| message).map_err(|error| (error, None)))
        .map_err(|(error, path)| wrong(descriptor, &error, path.as_ref()))
}

/// What is told of a text that is no such message.
fn wrong(descriptor: &MessageDescriptor, error: &serde_json::Error, path: Option<&Path>) -> Field {
    let (line, column) = (error.line(), error.column());
    let path = path.filter(|_| error.is_data()).map(|path| named(descriptor, path));
    let path = path.filter(|path| !path.is_empty()).unwrap_or_else(|| "message".to_owned());
    let flaw = Flaw::JsonMalformed;
    let zh = Cow::Owned(format!("{}(第{line}行第{column}列)", flaw.zh()));
    Field { path, flaw, zh }
}

/// The path as the API names it: `vehicle.plate_number`, whichever of its names the client wrote.
fn named(descriptor: &MessageDescriptor, path: &Path) -> String {
    let (mut text, mut within) = (String::new(), Some(descriptor.clone()));
    for segment in path {
        match segment {
            Segment::Seq { index } => text.extend(["[", &index.to_string(), "]"]),
            Segment::Map { key } => {
                let field = within.as_ref().and_then(|message| {
                    let by_name = || message.get_field_by_name(key);
                    message.get_field_by_json_name(key).or_else(by_name)
                });
                if !text.is_empty() {
                    text.push('.');
                }
                match &field {
                    Some(field) => text.push_str(field.name()),
                    None => text.push_str(&shown(key)),
                }
                within = field.and_then(|field| match field.kind() {
                    Kind::Message(message) if !field.is_map() => Some(message),
                    _ => None,
                });
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// The paths that no message of ours has.
fn strange(descriptor: &MessageDescriptor, value: &Value, at: &str, found: &mut Vec<String>) {
    let Value::Object(entries) = value else { return };
    for (key, value) in entries {
        if found.len() >= UNKNOWN_MAX {
            return;
        }
        let field = descriptor.get_field_by_json_name(key);
        let Some(field) = field.or_else(|| descriptor.get_field_by_name(key)) else {
            found.push(format!("{at}{}", shown(key)));
            continue;
        };
        let Kind::Message(inner) = field.kind() else { continue };
        if field.is_map() || inner.package_name() == "google.protobuf" {
            continue;
        }
        let at = format!("{at}{}.", field.name());
        match value {
            Value::Array(items) => {
                for item in items {
                    strange(&inner, item, &at, found);
                }
            }
            one => strange(&inner, one, &at, found),
        }
    }
}

/// A name that a client made up, as it can stand in a header and in a log: short, and ASCII alone.
fn shown(key: &str) -> String {
    let sign = |sign: char| if sign.is_ascii_alphanumeric() || sign == '_' { sign } else { '?' };
    key.chars().take(64).map(sign).collect()
}

/// The JSON of the bytes of a message.
///
/// # Errors
/// A fault of ours: the bytes are no such message.
pub fn encode(descriptor: &MessageDescriptor, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let message = DynamicMessage::decode(descriptor.clone(), bytes).map_err(Error::internal)?;
    text(&message).map_err(Error::internal)
}

fn text(message: &DynamicMessage) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut json = serde_json::Serializer::new(&mut text);
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(true)
        .use_enum_numbers(false)
        .skip_default_fields(false);
    message.serialize_with_options(&mut json, &options)?;
    Ok(text)
}

/// Reads a message by its full name. Unknown fields are passed over: an old server must understand
/// a newer client.
pub fn read<M: prost::Message + Default>(name: &str, text: &str) -> Option<M> {
    let descriptor = POOL.get_message_by_name(name)?;
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let mut json = serde_json::Deserializer::from_str(text);
    let message = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options).ok()?;
    json.end().ok()?;
    message.transcode_to().ok()
}

/// Writes a message by its full name.
pub fn write<M: prost::Message>(name: &str, message: &M) -> Option<String> {
    let mut dynamic = DynamicMessage::new(POOL.get_message_by_name(name)?);
    dynamic.transcode_from(message).ok()?;
    String::from_utf8(text(&dynamic).ok()?).ok()
}

/// The `id` of a text that is no message, so that even its refusal finds its question.
pub fn id(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("id")?.as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{id, read, write};
    use crate::service::pb::{self, client_frame::Call, server_frame::Reply};

    const CLIENT: &str = "jingqi.v1.ClientFrame";

    // What mini-programs have been written against: a change of this text breaks them.
    #[test]
    fn a_frame_as_json_shows_defaults_names_and_64_bit_integers_as_strings() {
        let message = pb::Message {
            conversation: "conversations/01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            sequence: 9_007_199_254_740_993,
            kind: pb::MessageKind::Text.into(),
            text: "您好".to_owned(),
            create_time: Some(prost_types::Timestamp { seconds: 1_795_500_000, nanos: 0 }),
            ..Default::default()
        };
        let frame =
            pb::ServerFrame { id: "7".to_owned(), reply: Some(Reply::MessageSent(message)) };
        insta::assert_snapshot!(write("jingqi.v1.ServerFrame", &frame).unwrap(), @r#"{"id":"7","messageSent":{"conversation":"conversations/01890a5d-ac96-774b-bcce-b302099a8057","sequence":"9007199254740993","sender":"","kind":"TEXT","text":"您好","attachment":"","card":"","targetSequence":"0","noticeCode":"","createTime":"2026-11-24T06:00:00Z","clientMessageId":""}}"#);
    }

    #[test]
    fn a_frame_of_a_newer_client_is_read_without_what_is_new() {
        let text =
            r#"{"id":"1","tomorrow":{"x":[1]},"watch":{"conversation":"c","afterSequence":"5"}}"#;
        let frame: pb::ClientFrame = read(CLIENT, text).unwrap();
        let Some(Call::Watch(watch)) = frame.call else { panic!("{frame:?}") };
        assert_eq!((watch.conversation.as_str(), watch.after_sequence), ("c", 5));
        let proto_names = r#"{"send_message":{"client_message_id":"x","kind":"TEXT"}}"#;
        let frame: pb::ClientFrame = read(CLIENT, proto_names).unwrap();
        assert!(matches!(frame.call, Some(Call::SendMessage(_))));
    }

    #[test]
    fn what_is_no_frame_is_not_read() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            r#"{"ping":{}} {}"#,
            r#"{"ping":{},"watch":{}}"#,
            r#"{"watch":{"afterSequence":"five"}}"#,
            r#"{"watch":{"afterSequence":"9223372036854775808"}}"#,
        ] {
            assert!(read::<pb::ClientFrame>(CLIENT, text).is_none(), "{text}");
        }
        let deep = format!("{}{}", r#"{"x":"#.repeat(10_000), "}".repeat(10_000));
        assert!(read::<pb::ClientFrame>(CLIENT, &deep).is_none());
        assert_eq!(id(r#"{"id":"7","watch":5}"#).as_deref(), Some("7"));
        assert_eq!(id(&deep), None);
    }
}
