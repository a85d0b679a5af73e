//! Requests that cannot be read: each is the fault of whoever sent it, and told as everything is told.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body_util::Full;
use jingqi::surface::{
    actor::{Role, Roles},
    service::{
        pb,
        policy::{self, Access},
    },
};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use sqlx::PgPool;
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

use crate::harness::{App, City, User, fields, reason};

/// Field 1 of wire type 7, which there is not.
const NO_PROTOBUF: &[u8] = &[0, 0, 0, 0, 1, 0x0f];
const GET_ACCOUNT: &str = "IdentityService/GetAccount";

type Header = (&'static str, String);

fn grpc() -> Vec<Header> {
    vec![("content-type", "application/grpc".to_owned()), ("te", "trailers".to_owned())]
}

fn token(user: &User) -> String {
    user.token.clone().unwrap_or_default()
}

/// Sends a request as it is, and tells what stands in the head of the answer.
async fn send(app: &App, method: &str, headers: &[Header], body: &[u8]) -> Status {
    let mut request = http::Request::post(format!("http://{}/jingqi.v1.{method}", app.address))
        .body(Body::new(Full::new(Bytes::copy_from_slice(body))))
        .unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    let channel: Channel =
        Endpoint::from_shared(format!("http://{}", app.address)).unwrap().connect_lazy();
    let answer = channel.oneshot(request).await.unwrap();
    let said = Status::from_header_map(answer.headers());
    said.unwrap_or_else(|| Status::from(jingqi::surface::error::Error::internal("it was taken")))
}

/// A client who may call the method.
fn fit<'a>(city: &'a City, every: &'a User, access: Access) -> &'a User {
    let roles = match access {
        Access::Public | Access::Unseen(_) | Access::SignedIn => return &city.boss,
        Access::Roles(roles) | Access::UnseenRoles(roles, _) => roles,
    };
    let holds = |role: Role| roles.meets([role].into_iter().collect::<Roles>());
    match () {
        () if holds(Role::LegalRepresentative) => &city.boss,
        () if holds(Role::EnterpriseHandler) => &city.handler,
        () if holds(Role::Driver) => &city.driver,
        () if holds(Role::Device) => &city.device,
        () => every,
    }
}

// Unary or streaming, seen or unseen: what tonic cannot decode is refused in Chinese, with a reason.
#[sqlx::test]
async fn what_is_no_protobuf_is_the_fault_of_its_sender_at_every_method(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let unit = (city.root, "321300000000/".to_owned());
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let mut tried = 0;
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let name = format!("{}/{}", method.parent_service().name(), method.name());
        let (_, access) = policy::access(&name).unwrap();
        // One officer for each method, so that no limit of an hour is met.
        let number = format!("{:06}", 200_000 + tried);
        let every = app.officer(&number, &unit, &roles(access)).await;
        let mut headers = grpc();
        headers.push(("authorization", format!("Bearer {}", token(fit(&city, &every, access)))));
        let refused = send(&app, &name, &headers, NO_PROTOBUF).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{name}: {refused:?}");
        assert_eq!(reason(&refused), "REQUEST_INVALID", "{name}");
        assert_eq!(fields(&refused), ["message MESSAGE_MALFORMED"], "{name}");
        let told = refused.get_error_details().localized_message().unwrap().clone();
        assert_eq!((told.locale.as_str(), told.message.as_str()), ("zh-CN", refused.message()));
        tried += 1;
    }
    assert_eq!(tried, policy::POLICY.len());
}

/// The roles of officers among those who may call.
fn roles(access: Access) -> Vec<&'static str> {
    let (Access::Roles(roles) | Access::UnseenRoles(roles, _)) = access else {
        return vec!["AUDITOR"];
    };
    roles.iter().map(Role::wire).collect()
}

// The gate says it before any service is asked, and says all at once.
#[sqlx::test]
async fn what_is_no_whole_plain_message_of_grpc_is_refused_by_name(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let mut headers = grpc();
    headers.push(("authorization", format!("Bearer {}", token(&city.boss))));
    let with = |name: &'static str, value: &str| -> Vec<Header> {
        let others = headers.iter().filter(|(other, _)| *other != name).cloned();
        others.chain([(name, value.to_owned())]).collect()
    };
    let gzip = with("grpc-encoding", "gzip");
    let thrift = with("content-type", "application/grpc+thrift");
    let mut too_long = vec![0, 0, 1, 0, 1];
    too_long.resize(5 + 65_537, 0);
    for (headers, body, expected) in [
        (&headers, &[][..], "message MESSAGE_MALFORMED"),
        (&headers, &[0, 0, 0], "message MESSAGE_MALFORMED"),
        (&headers, &[0, 0, 0, 0, 9, 1], "message MESSAGE_MALFORMED"),
        (&headers, &[0; 10], "message MESSAGE_MALFORMED"),
        (&headers, &[1, 0, 0, 0, 1, 0], "message MESSAGE_MALFORMED"),
        (&headers, &too_long, "message TOO_LONG"),
        (&gzip, &[1, 0, 0, 0, 1, 0], "grpc-encoding UNKNOWN_VALUE"),
        (&thrift, &[0; 5], "content-type UNKNOWN_VALUE"),
    ] {
        let refused = send(&app, GET_ACCOUNT, headers, body).await;
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        assert_eq!(
            (reason(&refused), fields(&refused)),
            ("REQUEST_INVALID".into(), vec![expected.to_owned()])
        );
    }
    // Who may not call learns nothing of what a right request looks like.
    let refused = send(&app, GET_ACCOUNT, &grpc(), &[]).await;
    assert_eq!(reason(&refused), "TOKEN_MISSING");
    // Text that is no UTF-8.
    let request = pb::RevokeSessionRequest { name: "x".to_owned() }.encode_to_vec();
    let body = [&[0, 0, 0, 0, 3][..], &request[..2], &[0xff]].concat();
    let refused = send(&app, "IdentityService/RevokeSession", &headers, &body).await;
    assert_eq!(fields(&refused), ["message MESSAGE_MALFORMED"]);
}

// RFC 9110, 11.1: a scheme has no case. Two tokens are none, in whatever order, seen or unseen.
#[sqlx::test]
async fn one_token_is_taken_in_whatever_letters_its_scheme_is_written(pool: PgPool) {
    let app = App::start(pool).await;
    let city = app.city().await;
    let (good, other) = (token(&city.boss), token(&city.stranger));
    let ask = async |method: &str, tokens: &[&str]| {
        let mut headers = grpc();
        headers.extend(tokens.iter().map(|token| ("authorization", (*token).to_owned())));
        // Taken by the gate, and then no message.
        reason(&send(&app, method, &headers, NO_PROTOBUF).await)
    };
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", " bearer", "Bearer  "] {
        let token = format!("{scheme} {good}");
        assert_eq!(ask(GET_ACCOUNT, &[&token]).await, "REQUEST_INVALID", "{scheme}");
    }
    let good = format!("Bearer {good}");
    for tokens in [
        &[good.as_str(), &format!("Bearer {other}")][..],
        &[&good, &good],
        &[&good, "nonsense"],
        &["", &good],
        &[&format!("{good}, {good}")],
        &[&good.replace("Bearer ", "Bearer")],
        &[&good.replace("Bearer ", "Basic ")],
        &["Bearer"],
        &["Bearer "],
        &[""],
    ] {
        assert_eq!(ask(GET_ACCOUNT, tokens).await, "TOKEN_INVALID", "{tokens:?}");
    }
    let unseen = "ConductReportService/FileConductReport";
    assert_eq!(ask(unseen, &[&good]).await, "REQUEST_INVALID");
    assert_eq!(ask(unseen, &[&good, &format!("Bearer {other}")]).await, "TOKEN_INVALID");
    assert_eq!(ask(unseen, &["nonsense", &good]).await, "TOKEN_INVALID");
}
