//! Messages as the canonical JSON of Protobuf: 64-bit integers as strings, enums by name, defaults
//! shown. No message of its own.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, SerializeOptions};

use crate::service::pb;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the build made it")]
    DescriptorPool::decode(pb::DESCRIPTORS).expect("the descriptor set is whole")
});

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
    let mut text = Vec::new();
    let mut json = serde_json::Serializer::new(&mut text);
    let options = SerializeOptions::new()
        .stringify_64_bit_integers(true)
        .use_enum_numbers(false)
        .skip_default_fields(false);
    dynamic.serialize_with_options(&mut json, &options).ok()?;
    String::from_utf8(text).ok()
}

/// The `id` of a text that is no message, so that even its refusal finds its question.
pub fn id(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
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
