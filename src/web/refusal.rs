//! A refusal in the tongue of whoever is refused: with reason, sentence and fields that can be read without
//! Protobuf. What is refused, and why, is not decided here.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::{BufMut as _, Bytes, BytesMut};
use connectrpc::{ConnectError, ErrorCode, ErrorDetail};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::Full;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;

use super::{
    encoded::base64,
    tongue::{Spoken, Tongue},
};
use crate::{error::Error, service::gate::Went};

/// The messages of `google.rpc`, by which a client without Protobuf is told why.
static DETAILS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the library made it")]
    DescriptorPool::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).expect("the set is whole")
});
/// The flag of the last envelope of a stream.
const END_STREAM: u8 = 2;
/// The flag of the envelope in which gRPC-Web has its trailers.
const TRAILERS: u8 = 0x80;

/// What an error says, as Connect writes it.
pub fn told(status: &Status) -> ConnectError {
    let code = u32::try_from(i32::from(status.code())).unwrap_or_default();
    let code = ErrorCode::from_grpc_code(code).unwrap_or(ErrorCode::Unknown);
    let mut error = ConnectError::new(code, status.message());
    let rich = tonic_types::Status::decode(status.details()).unwrap_or_default();
    for detail in rich.details {
        let type_url = detail.type_url.rsplit('/').next().unwrap_or_default().to_owned();
        let known = DETAILS.get_message_by_name(&type_url);
        let debug = known.and_then(|known| {
            let message = DynamicMessage::decode(known, &*detail.value).ok()?;
            serde_json::to_value(&message).ok()
        });
        let value = Some(STANDARD_NO_PAD.encode(&detail.value));
        error = error.with_detail(ErrorDetail { type_url, value, debug });
    }
    error
}

/// The refusal of a call.
pub fn of(status: &Status, spoken: Spoken) -> Response<Body> {
    let mut response = match spoken.tongue {
        Tongue::Plain | Tongue::Get => plain(status),
        Tongue::Stream => {
            let end = serde_json::json!({ "error": told(status) }).to_string();
            whole(StatusCode::OK, spoken.essence(), envelope(END_STREAM, end.as_bytes()))
        }
        Tongue::Web { text } => {
            let body = envelope(TRAILERS, &trailers(status));
            let (essence, body) = if text {
                ("application/grpc-web-text+proto", base64(&body))
            } else {
                (spoken.essence(), body)
            };
            whole(StatusCode::OK, essence, body)
        }
    };
    response.extensions_mut().insert(Went(status.code()));
    response
}

/// The same as plain HTTP, for whoever calls no method.
pub fn plain(status: &Status) -> Response<Body> {
    let error = told(status);
    let body = serde_json::to_vec(&error).unwrap_or_default();
    let mut response = whole(error.code.http_status(), "application/json", body.into());
    let wait = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    if let Some(wait) = wait {
        // In whole seconds, and never too soon.
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same with a status of HTTP that says it better than the code does.
pub fn with(error: Error, code: StatusCode) -> Response<Body> {
    let mut response = plain(&Status::from(error));
    *response.status_mut() = code;
    response
}

/// An answer that is there whole.
pub fn whole(code: StatusCode, essence: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(essence));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The trailers of gRPC, as lines.
fn trailers(status: &Status) -> Vec<u8> {
    let mut headers = http::HeaderMap::new();
    // Only a message that is no header would fail, and it is escaped.
    let _ = status.add_header(&mut headers);
    let mut lines = Vec::new();
    for (name, value) in &headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

fn envelope(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len().saturating_add(5));
    framed.put_u8(flag);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Whether an answer is one that the gate made, in gRPC; and what it says.
pub fn by_gate(response: &Response<Body>) -> Option<Status> {
    let status = Status::from_header_map(response.headers())?;
    (status.code() != Code::Ok).then_some(status)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tonic::Status;

    use super::{of, plain, told};
    use crate::{
        error::{Error, Flaw, Reason},
        web::tongue::{Spoken, Tongue},
    };

    // What clients without Protobuf have been written against.
    #[test]
    fn an_error_can_be_read_without_protobuf() {
        let status = Status::from(Error::field("vehicle.plate_number", Flaw::PlateMalformed));
        let text = serde_json::to_value(told(&status)).unwrap();
        let debug = |name: &str| {
            let details = text["details"].as_array().unwrap();
            let named = details.iter().find(|detail| detail["type"] == name);
            named.map(|detail| detail["debug"].to_string()).unwrap_or_default()
        };
        assert_eq!(text["code"], "invalid_argument");
        insta::assert_snapshot!(debug("google.rpc.ErrorInfo"), @r#"{"domain":"jingqi","reason":"REQUEST_INVALID"}"#);
        insta::assert_snapshot!(debug("google.rpc.LocalizedMessage"), @r#"{"locale":"zh-CN","message":"请求内容有误,请按提示逐项修改"}"#);
        insta::assert_snapshot!(debug("google.rpc.BadRequest"), @r#"{"fieldViolations":[{"description":"号牌号码格式不正确","field":"vehicle.plate_number","localizedMessage":{"locale":"zh-CN","message":"号牌号码格式不正确"},"reason":"PLATE_MALFORMED"}]}"#);
        let status = Status::from(Error::new(Reason::Overloaded));
        let response = plain(&status);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
    }

    #[tokio::test]
    async fn every_tongue_has_its_refusal() {
        let status = Status::from(Error::new(Reason::TokenMissing));
        let said = async |tongue, json| {
            let response = of(&status, Spoken { tongue, json });
            let code = response.status().as_u16();
            (code, response.into_body().collect().await.unwrap().to_bytes())
        };
        let (code, body) = said(Tongue::Plain, false).await;
        assert_eq!((code, body.first()), (401, Some(&b'{')));
        let (code, body) = said(Tongue::Stream, true).await;
        assert_eq!((code, body.first()), (200, Some(&2)));
        assert!(String::from_utf8_lossy(&body[5..]).starts_with(r#"{"error":{"#));
        let (code, body) = said(Tongue::Web { text: false }, false).await;
        assert_eq!((code, body.first()), (200, Some(&0x80)));
        assert!(String::from_utf8_lossy(&body).contains("grpc-status: 16\r\n"));
        let (_, body) = said(Tongue::Web { text: true }, false).await;
        assert!(body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)));
    }
}
