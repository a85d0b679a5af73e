//! How a method is asked whatever it is, and what its answer names.

use std::{collections::BTreeSet, time::Duration};

use jingqi::surface::{id::kind::COLLECTIONS, service::pb};
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value,
};
use tonic::{Status, client::Grpc, service::interceptor::InterceptedService, transport::Channel};

use super::WRITES;
use crate::{harness::Bearer, raw::Raw};

/// A stream that says nothing for so long has said what there is.
const IDLE: Duration = Duration::from_secs(2);

/// A client that keeps its connection.
type Client = Grpc<InterceptedService<Channel, Bearer>>;

/// What a call answered: bytes, or everything that a refusal says.
pub async fn ask(client: &mut Client, method: &MethodDescriptor, message: Vec<u8>) -> Vec<u8> {
    client.ready().await.unwrap();
    let path = format!("/jingqi.v1.{}", self::path(method)).parse().unwrap();
    let request = tonic::Request::new(message);
    if method.is_server_streaming() {
        return match client.server_streaming(request, path, Raw).await {
            Ok(stream) => heard(stream.into_inner()).await,
            Err(status) => refusal(&status),
        };
    }
    match client.unary(request, path, Raw).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => refusal(&status),
    }
}

fn refusal(status: &Status) -> Vec<u8> {
    let said = format!("{:?} {} ", status.code(), status.message());
    [said.as_bytes(), status.details()].concat()
}

/// Everything that a stream says until it ends or is idle, item by item, and how it ended.
async fn heard(mut stream: tonic::Streaming<Vec<u8>>) -> Vec<u8> {
    let mut said = Vec::new();
    loop {
        match tokio::time::timeout(IDLE, stream.message()).await {
            Ok(Ok(Some(item))) => {
                said.extend_from_slice(&u64::try_from(item.len()).unwrap().to_be_bytes());
                said.extend_from_slice(&item);
            }
            Ok(Ok(None)) => return [said.as_slice(), b"end"].concat(),
            Ok(Err(status)) => return [said, refusal(&status)].concat(),
            Err(_) => return [said.as_slice(), b"idle"].concat(),
        }
    }
}

pub fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

pub fn writes(method: &MethodDescriptor) -> bool {
    method.input().get_field_by_name("request_id").is_some()
        || WRITES.contains(&path(method).as_str())
}

pub fn reads() -> Vec<MethodDescriptor> {
    methods().into_iter().filter(|method| !writes(method)).collect()
}

pub fn path(method: &MethodDescriptor) -> String {
    format!("{}/{}", method.parent_service().name(), method.name())
}

/// A request that asks for as much as possible: a wide time, a word that many texts hold.
pub fn filled(method: &MethodDescriptor) -> DynamicMessage {
    let mut message = DynamicMessage::new(method.input());
    for field in method.input().fields() {
        if field.is_list() {
            continue;
        }
        match (field.kind(), field.name()) {
            (Kind::String, "reason" | "note") => {
                message.set_field(&field, Value::String("核查有关情况".to_owned()));
            }
            (Kind::String, "query" | "text") => {
                message.set_field(&field, Value::String("货车".to_owned()));
            }
            (Kind::Message(inner), name) if inner.full_name() == "google.protobuf.Timestamp" => {
                let end = ["end", "until", "to"].iter().any(|word| name.contains(word));
                let mut at = DynamicMessage::new(inner);
                let seconds = if end { 1_798_732_800 } else { 1_790_000_000 };
                at.set_field_by_name("seconds", Value::I64(seconds));
                message.set_field(&field, Value::Message(at));
            }
            _ => {}
        }
    }
    message
}

/// Whether a resource name may stand in the field.
pub fn refers(field: &FieldDescriptor) -> bool {
    let other = ["reason", "note", "query", "text", "page_token", "request_id", "etag"];
    field.kind() == Kind::String && !field.is_list() && !other.contains(&field.name())
}

/// The resource names that stand in an answer.
pub fn names(answer: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(answer);
    let mut found = BTreeSet::new();
    for collection in COLLECTIONS {
        for (at, _) in text.match_indices(&format!("{collection}/")) {
            let end = at + collection.len() + 37;
            if let Some(name) = text.get(at..end)
                && uuid::Uuid::try_parse(&name[collection.len() + 1..]).is_ok()
            {
                found.insert(name.to_owned());
            }
        }
    }
    found
}
