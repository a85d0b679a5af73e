//! What is kept of the head of a request. No judgement.

use http::{HeaderMap, HeaderValue, Request, Uri, uri::PathAndQuery};
use tonic::body::Body;

use crate::address::FORWARDED;

/// The headers by which gRPC, its sisters and the gate read a call.
const KEPT: [&str; 11] = [
    "content-type",
    "te",
    "grpc-encoding",
    "grpc-accept-encoding",
    "grpc-timeout",
    "authorization",
    "content-encoding",
    "accept-encoding",
    "connect-protocol-version",
    "connect-content-encoding",
    "connect-accept-encoding",
];
/// Heads up to these bounds are left as they are.
const FIELDS_MAX: usize = 32;
const FIELD_BYTES_MAX: usize = 2 * 1024;

/// The same request without anything that says who sent it, but the token, which the gate itself reads
/// and takes away.
pub(super) fn without_traces(mut request: Request<Body>) -> Request<Body> {
    *request.headers_mut() = kept(request.headers(), &KEPT);
    request
}

/// Gives back what a large head takes while its call waits, for its turn or for its body: fields that
/// nobody reads, and the buffer in which they came, of which every field holds the whole.
pub(super) fn slim(request: &mut Request<Body>) {
    let fields = request.headers().iter();
    let bytes: usize = fields.map(|(name, value)| name.as_str().len() + value.len()).sum();
    // A call by GET says in its query what it asks.
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    if request.headers().len() <= FIELDS_MAX && bytes + path.len() <= FIELD_BYTES_MAX {
        return;
    }
    if let Ok(uri) = Uri::try_from(path.to_owned()) {
        *request.uri_mut() = uri;
    }
    let names: Vec<_> = KEPT.into_iter().chain([FORWARDED]).collect();
    *request.headers_mut() = kept(request.headers(), &names);
}

/// Copies of the fields of these names, all of each.
fn kept(sent: &HeaderMap, names: &[&'static str]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for &name in names {
        for value in sent.get_all(name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                kept.append(name, value);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tonic::body::Body;

    use super::{slim, without_traces};

    fn request(fields: usize) -> Request<Body> {
        let mut request = Request::builder().uri("/jingqi.v1.TruckPassService/ListZones");
        for field in 0..fields {
            request = request.header(format!("x-{field}"), "y");
        }
        let request =
            request.header("authorization", "Bearer a").header("authorization", "Bearer b");
        request.header("x-forwarded-for", "203.0.113.7").body(Body::empty()).unwrap()
    }

    #[test]
    fn of_a_large_head_only_what_is_read_is_kept_and_all_of_that() {
        let mut small = request(3);
        slim(&mut small);
        assert_eq!(small.headers().len(), 6);
        let mut large = request(100);
        slim(&mut large);
        assert_eq!(large.headers().len(), 3);
        assert_eq!(large.headers().get_all("authorization").iter().count(), 2);
        assert_eq!(large.uri().path(), "/jingqi.v1.TruckPassService/ListZones");
        let unseen = without_traces(request(3));
        assert_eq!(unseen.headers().len(), 2, "the tokens alone");
    }
}
