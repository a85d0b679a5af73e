//! The API for tools of the web: `OpenAPI` 3.1, made from the descriptors, the comments of `proto/`, the roles of
//! POLICY and the catalogue of reasons. It describes calls by plain JSON; no call is answered here.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write as _,
    sync::LazyLock,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, IF_NONE_MATCH, VARY},
};
use prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor,
};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tonic::body::Body;

use super::{bridge, json::POOL, refusal};
use crate::{
    actor::Role,
    crypto::hex,
    error::{Flaw, Reason},
    service::policy::{self, Access},
};

/// The package that is described; health and reflection have descriptions of their own.
const PACKAGE: &str = "jingqi.v1";
/// The name of what every failure looks like.
const ERROR: &str = "Error";

/// The document as it is sent.
struct Served {
    plain: Bytes,
    packed: Bytes,
    etag: String,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let plain = document().to_string().into_bytes();
    let digest = Sha256::digest(&plain);
    let etag = format!("\"{}\"", hex(digest.get(..16).unwrap_or_default()));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Nothing is written but to memory.
    let packed = packed.write_all(&plain).and_then(|()| packed.finish()).unwrap_or_default();
    Served { plain: plain.into(), packed: packed.into(), etag }
});

/// Answers with the document, or says that the client has it already.
pub fn answer(headers: &HeaderMap) -> Response<Body> {
    let served = &*SERVED;
    let says = |name, wanted: &str| {
        let sent = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        sent.flat_map(|text| text.split(',')).any(|part| {
            let mut parts = part.split(';').map(str::trim);
            parts.next() == Some(wanted) && parts.all(|quality| quality != "q=0")
        })
    };
    let packs = says(ACCEPT_ENCODING, "gzip");
    let mut response = if says(IF_NONE_MATCH, &served.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let body = if packs { served.packed.clone() } else { served.plain.clone() };
        let mut response = refusal::whole(StatusCode::OK, "application/json", body);
        if packs {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let head = response.headers_mut();
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    head.append(VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&served.etag) {
        head.insert(ETAG, etag);
    }
    response
}

/// The comments of the API, by file and by place in it.
struct Words(HashMap<(String, Vec<i32>), String>);

impl Words {
    fn new() -> Self {
        let mut all = HashMap::new();
        for file in POOL.files() {
            let info = file.file_descriptor_proto().source_code_info.iter();
            for place in info.flat_map(|info| &info.location) {
                if let Some(text) = &place.leading_comments {
                    let text = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
                    let place = (file.name().to_owned(), place.path.clone());
                    all.insert(place, text.trim().to_owned());
                }
            }
        }
        Self(all)
    }

    fn of(&self, file: &FileDescriptor, path: &[i32]) -> Option<&String> {
        self.0.get(&(file.name().to_owned(), path.to_vec()))
    }

    /// The same schema with what the comment says.
    fn told(&self, mut schema: Value, file: &FileDescriptor, path: &[i32]) -> Value {
        if let (Some(text), Some(schema)) = (self.of(file, path), schema.as_object_mut()) {
            schema.insert("description".to_owned(), json!(text));
        }
        schema
    }
}

/// The whole document.
pub fn document() -> Value {
    let words = Words::new();
    let mut paths = BTreeMap::new();
    let mut tags = Vec::new();
    for service in POOL.services().filter(|service| service.package_name() == PACKAGE) {
        let tag = json!({ "name": service.name() });
        tags.push(words.told(tag, &service.parent_file(), service.path()));
        for method in service.methods().filter(|method| !method.is_client_streaming()) {
            let path = format!("/{}/{}", service.full_name(), method.name());
            paths.insert(path, operations(&words, &service, &method));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "警企通 Jingqi",
            "version": "v1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "Every method is a POST of JSON; what changes nothing may be got, too. \
                The same methods are there by gRPC, gRPC-Web and Connect.",
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas(&words),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
        },
    })
}

/// What can be done at the path of a method.
fn operations(words: &Words, service: &ServiceDescriptor, method: &MethodDescriptor) -> Value {
    let (asked, answered) = (method.input(), method.output());
    let streams = method.is_server_streaming();
    let form = if streams { "application/connect+json" } else { "application/json" };
    let name = format!("{}/{}", service.name(), method.name());
    let mut post = json!({
        "operationId": format!("{}_{}", service.name(), method.name()),
        "tags": [service.name()],
        "responses": {
            "200": {
                "description": if streams { "The answers, in envelopes" } else { "The answer" },
                "content": { form: { "schema": reference(answered.full_name()) } },
            },
            "default": {
                "description": "Why there is no answer",
                "content": { "application/json": { "schema": link(ERROR) } },
            },
        },
    });
    if let Some(operation) = post.as_object_mut() {
        if let Some(text) = words.of(&method.parent_file(), method.path()) {
            operation.insert("summary".to_owned(), json!(text.lines().next().unwrap_or_default()));
            operation.insert("description".to_owned(), json!(text));
        }
        allowed(operation, &name);
    }
    let mut got = post.clone();
    if let Some(operation) = post.as_object_mut() {
        let schema = reference(asked.full_name());
        let body = json!({ "required": true, "content": { form: { "schema": schema } } });
        operation.insert("requestBody".to_owned(), body);
    }
    if !bridge::may_be_got(method) {
        return json!({ "post": post });
    }
    if let Some(operation) = got.as_object_mut() {
        let id = format!("{}_{}_get", service.name(), method.name());
        operation.insert("operationId".to_owned(), json!(id));
        let schema = reference(asked.full_name());
        let message = json!({ "name": "message", "in": "query",
            "content": { "application/json": { "schema": schema } } });
        let encoding = json!({ "name": "encoding", "in": "query", "required": true,
            "schema": { "type": "string", "const": "json" } });
        operation.insert("parameters".to_owned(), json!([encoding, message]));
    }
    json!({ "post": post, "get": got })
}

/// Who may call.
fn allowed(operation: &mut Map<String, Value>, method: &str) {
    let access = policy::access(method).map(|(_, access)| access);
    let (security, roles) = match access {
        Some(Access::Public | Access::Unseen(_)) => (json!([]), json!(["ANYBODY"])),
        Some(Access::SignedIn) | None => (json!([{ "bearer": [] }]), json!(["SIGNED_IN"])),
        Some(Access::Roles(roles) | Access::UnseenRoles(roles, _)) => {
            let roles = roles.iter().map(Role::wire).collect::<Vec<_>>();
            (json!([{ "bearer": [] }]), json!(roles))
        }
    };
    operation.insert("security".to_owned(), security);
    operation.insert("x-roles".to_owned(), roles);
    if access.is_some_and(|access| access.unseen().is_some()) {
        operation.insert("x-leaves-no-trace".to_owned(), json!(true));
    }
}

fn schemas(words: &Words) -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::new();
    for message in POOL.all_messages().filter(|it| it.package_name() == PACKAGE) {
        if !message.is_map_entry() {
            schemas.insert(message.full_name().to_owned(), of_message(words, &message));
        }
    }
    for list in POOL.all_enums().filter(|list| list.package_name() == PACKAGE) {
        schemas.insert(list.full_name().to_owned(), of_enum(words, &list));
    }
    schemas.insert(ERROR.to_owned(), of_error());
    schemas
}

fn of_message(words: &Words, message: &MessageDescriptor) -> Value {
    let file = message.parent_file();
    let fields = message.fields().map(|field| {
        let schema = words.told(of_field(&field), &file, field.path());
        (field.json_name().to_owned(), schema)
    });
    let schema = json!({ "type": "object", "properties": fields.collect::<Map<_, _>>() });
    words.told(schema, &file, message.path())
}

fn of_enum(words: &Words, list: &EnumDescriptor) -> Value {
    let file = list.parent_file();
    let names = list.values().map(|value| value.name().to_owned()).collect::<Vec<_>>();
    let told = list.values().filter_map(|value| {
        let text = words.of(&file, value.path())?;
        Some((value.name().to_owned(), json!(text)))
    });
    let told = told.collect::<Map<_, _>>();
    let schema = json!({ "type": "string", "enum": names, "x-enum-descriptions": told });
    words.told(schema, &file, list.path())
}

fn of_field(field: &FieldDescriptor) -> Value {
    if field.is_map()
        && let Kind::Message(entry) = field.kind()
    {
        let value = of_kind(&entry.map_entry_value_field().kind());
        return json!({ "type": "object", "additionalProperties": value });
    }
    let one = of_kind(&field.kind());
    if field.cardinality() == Cardinality::Repeated {
        return json!({ "type": "array", "items": one });
    }
    one
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Double | Kind::Float => json!({ "type": "number" }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({ "type": "integer", "format": "int32" })
        }
        Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0 }),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
            json!({ "type": "string", "format": "int64" })
        }
        Kind::String => json!({ "type": "string" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Message(message) => reference(message.full_name()),
        Kind::Enum(list) => link(list.full_name()),
    }
}

/// The schema of a message: its own, or that of a type which JSON writes in a way of its own.
fn reference(name: &str) -> Value {
    match name {
        "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "google.protobuf.Duration" => {
            json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$" })
        }
        "google.protobuf.FieldMask" => json!({ "type": "string" }),
        "google.protobuf.Empty" | "google.protobuf.Struct" | "google.protobuf.Any" => {
            json!({ "type": "object" })
        }
        _ => link(name),
    }
}

fn link(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// What every failure looks like, with the whole catalogue.
fn of_error() -> Value {
    let reasons = Reason::ALL.iter().map(|it| (it.wire().to_owned(), json!(it.zh())));
    let flaws = Flaw::ALL.iter().map(|it| (it.wire().to_owned(), json!(it.zh())));
    let violation = json!({ "type": "object", "properties": {
        "field": { "type": "string", "description": "The path in the request: vehicle.plate_number" },
        "description": { "type": "string" },
        "reason": { "type": "string", "enum": Flaw::ALL.iter().map(|it| it.wire()).collect::<Vec<_>>() },
    } });
    json!({
        "type": "object",
        "required": ["code"],
        "x-reasons": reasons.collect::<Map<_, _>>(),
        "x-flaws": flaws.collect::<Map<_, _>>(),
        "properties": {
            "code": { "type": "string", "description": "What a caller can do about it: invalid_argument" },
            "message": { "type": "string", "description": "A sentence to show" },
            "details": { "type": "array", "items": {
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": { "type": "string", "enum": [
                        "google.rpc.ErrorInfo", "google.rpc.LocalizedMessage",
                        "google.rpc.BadRequest", "google.rpc.RetryInfo",
                    ] },
                    "value": { "type": "string", "contentEncoding": "base64" },
                    "debug": { "type": "object", "properties": {
                        "reason": {
                            "type": "string",
                            "enum": Reason::ALL.iter().map(|it| it.wire()).collect::<Vec<_>>(),
                        },
                        "domain": { "type": "string" },
                        "metadata": {
                            "type": "object", "additionalProperties": { "type": "string" },
                        },
                        "locale": { "type": "string" },
                        "message": { "type": "string" },
                        "fieldViolations": { "type": "array", "items": violation },
                        "retryDelay": { "type": "string" },
                    } },
                },
            } },
        },
    })
}
