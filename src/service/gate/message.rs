//! What a request looks like on the wire, before anybody reads what it says: its type, its encoding, its
//! one message; and that whatever cannot be read is refused in our words. No field of any message.

use http::{HeaderMap, Response, header::CONTENT_TYPE};
use tonic::{Status, body::Body};

use super::REQUEST_BYTES_MAX;
use crate::error::{Error, Faults, Flaw, Result};

/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Refuses what is not one whole, plain message of gRPC; all faults at once.
///
/// # Errors
/// `REQUEST_INVALID` with the header, or with `message`.
pub fn check(headers: &HeaderMap, body: &[u8]) -> Result<()> {
    let mut faults = Faults::new();
    faults.check(is_grpc(headers), "content-type", Flaw::UnknownValue);
    let plain = headers.get_all("grpc-encoding").iter().all(|value| value == "identity");
    faults.check(plain, "grpc-encoding", Flaw::UnknownValue);
    // Where the encoding is none that we know, nothing else can be told of the message.
    if let Err(flaw) = framed(body)
        && plain
    {
        faults.add("message", flaw);
    }
    faults.done()
}

/// One type, in either of its two spellings.
fn is_grpc(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return false };
    let essence = value.to_str().ok().and_then(|text| text.split(';').next()).unwrap_or_default();
    ["application/grpc", "application/grpc+proto"]
        .iter()
        .any(|known| essence.trim().eq_ignore_ascii_case(known))
}

fn framed(body: &[u8]) -> Result<(), Flaw> {
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(Flaw::MessageMalformed);
    };
    let [compressed, length @ ..] = *prefix;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > REQUEST_BYTES_MAX {
        return Err(Flaw::TooLong);
    }
    if compressed == 0 && message.len() == length { Ok(()) } else { Err(Flaw::MessageMalformed) }
}

/// Gives an answer on, unless it was none of ours: tonic refuses by itself a message that it cannot decode,
/// as a fault of the server, in English and without a reason. Everything that our services say has details.
///
/// # Errors
/// `REQUEST_INVALID` with `message`.
pub fn ours(response: Response<Body>) -> Result<Response<Body>> {
    let headers = response.headers();
    let failed = headers.get(Status::GRPC_STATUS).is_some_and(|status| status != "0");
    if !failed || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return Ok(response);
    }
    let said = Status::from_header_map(headers).map(|status| status.message().to_owned());
    Err(Error::field("message", Flaw::MessageMalformed).because(said.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tonic::{Code, Status};

    use super::{check, ours};
    use crate::{
        error::{Error, Flaw, Reason},
        service::gate::REQUEST_BYTES_MAX,
    };

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| {
            (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
        });
        lines.collect()
    }

    fn wrong(headers: &HeaderMap, body: &[u8]) -> Vec<(String, Flaw)> {
        let Err(error) = check(headers, body) else { return Vec::new() };
        assert_eq!(error.reason(), Reason::RequestInvalid);
        error.fields().iter().map(|field| (field.path.clone(), field.flaw)).collect()
    }

    #[test]
    fn one_whole_message_of_grpc_is_taken_and_nothing_else() {
        const EMPTY: &[u8] = &[0, 0, 0, 0, 0];
        let grpc = headers(&[("content-type", "application/grpc")]);
        let named = headers(&[
            ("content-type", "Application/gRPC+proto; charset=utf-8"),
            ("grpc-encoding", "identity"),
        ]);
        let mut largest = vec![0, 0, 1, 0, 0];
        largest.resize(5 + REQUEST_BYTES_MAX, 7);
        for headers in [&grpc, &named] {
            for body in [EMPTY, &[0, 0, 0, 0, 2, 8, 1], &largest] {
                assert_eq!(wrong(headers, body), []);
            }
        }
        let malformed = vec![("message".to_owned(), Flaw::MessageMalformed)];
        for body in [
            &[][..],
            &[0, 0, 0, 0],
            // Shorter than it says, longer, two of them, compressed by nothing.
            &[0, 0, 0, 0, 2, 8],
            &[0, 0, 0, 0, 1, 8, 1],
            &[EMPTY, EMPTY].concat(),
            &[1, 0, 0, 0, 2, 8, 1],
            &[9, 0, 0, 0, 0],
        ] {
            assert_eq!(wrong(&grpc, body), malformed, "{body:?}");
        }
        for body in [&[0, 0, 1, 0, 1][..], &[0, 255, 255, 255, 255]] {
            assert_eq!(wrong(&grpc, body), [("message".to_owned(), Flaw::TooLong)]);
        }
    }

    #[test]
    fn another_type_or_encoding_is_named() {
        let of_type = vec![("content-type".to_owned(), Flaw::UnknownValue)];
        let grpc = ("content-type", "application/grpc");
        for lines in [
            &[][..],
            &[("content-type", "application/json")],
            &[("content-type", "application/grpc-web")],
            &[("content-type", "application/grpc+json")],
            &[grpc, grpc],
        ] {
            assert_eq!(wrong(&headers(lines), &[0; 5]), of_type, "{lines:?}");
        }
        let of_encoding = vec![("grpc-encoding".to_owned(), Flaw::UnknownValue)];
        for encoding in ["gzip", "zstd", "", "identity, gzip"] {
            let headers = headers(&[grpc, ("grpc-encoding", encoding)]);
            assert_eq!(wrong(&headers, &[1, 0, 0, 0, 1, 0]), of_encoding, "{encoding}");
        }
    }

    #[test]
    fn what_our_services_say_is_given_on() {
        let ok = http::Response::new(tonic::body::Body::empty());
        assert!(ours(ok).is_ok());
        let said = Status::from(Error::new(Reason::NotFound)).into_http();
        let said = Status::from_header_map(ours(said).unwrap().headers()).unwrap();
        assert_eq!(said.code(), Code::NotFound);
    }
}
