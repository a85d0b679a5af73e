//! In which tongue a call comes that is not gRPC: what its verb, its type and its encodings say. Nothing of
//! its body is read here, and no answer is made.

use http::{
    HeaderMap, Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

/// How a call that is not gRPC is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// Connect: the body is the message. What every HTTP client can do.
    Plain,
    /// Connect by GET: the query is the message.
    Get,
    /// Connect for streams: messages in envelopes.
    Stream,
    /// gRPC-Web, in base64 where the client cannot read bytes.
    Web {
        /// Whether it is in base64.
        text: bool,
    },
}

/// A tongue, and its messages as JSON or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// The tongue.
    pub tongue: Tongue,
    /// Whether messages are JSON.
    pub json: bool,
}

/// Why a call cannot be taken as it is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unspoken {
    /// The verb is none that the method has.
    Verb,
    /// The type is none that the method has.
    Type,
    /// The body is packed in a way that is not known here.
    Encoding,
}

/// How messages go to and fro at a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether more than one message may go either way.
    pub streams: bool,
    /// Whether it may be called by GET.
    pub get: bool,
}

/// Types, each with its tongue.
const TYPES: [(&str, Spoken); 9] = [
    ("application/json", Spoken { tongue: Tongue::Plain, json: true }),
    ("application/proto", Spoken { tongue: Tongue::Plain, json: false }),
    ("application/connect+json", Spoken { tongue: Tongue::Stream, json: true }),
    ("application/connect+proto", Spoken { tongue: Tongue::Stream, json: false }),
    ("application/grpc-web", Spoken { tongue: Tongue::Web { text: false }, json: false }),
    ("application/grpc-web+proto", Spoken { tongue: Tongue::Web { text: false }, json: false }),
    ("application/grpc-web+json", Spoken { tongue: Tongue::Web { text: false }, json: true }),
    ("application/grpc-web-text", Spoken { tongue: Tongue::Web { text: true }, json: false }),
    ("application/grpc-web-text+proto", Spoken { tongue: Tongue::Web { text: true }, json: false }),
];

impl Spoken {
    /// The type as it is written for the interpreter, and in answers to streams.
    pub const fn essence(self) -> &'static str {
        match (self.tongue, self.json) {
            (Tongue::Plain | Tongue::Get, true) => "application/json",
            (Tongue::Plain | Tongue::Get, false) => "application/proto",
            (Tongue::Stream, true) => "application/connect+json",
            (Tongue::Stream, false) => "application/connect+proto",
            (Tongue::Web { .. }, true) => "application/grpc-web+json",
            (Tongue::Web { .. }, false) => "application/grpc-web+proto",
        }
    }
}

/// Whether the type is one of gRPC itself: `application/grpc`, with whatever behind it but `-web`.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some(sent) = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes) else {
        return false;
    };
    let Some((head, rest)) = sent.split_at_checked(GRPC.len()) else { return false };
    head.eq_ignore_ascii_case(GRPC) && rest.first() != Some(&b'-')
}

/// What is spoken.
///
/// # Errors
/// What does not fit the method.
pub fn of(verb: &Method, headers: &HeaderMap, shape: Shape) -> Result<Spoken, Unspoken> {
    if *verb == Method::GET && shape.get {
        return Ok(Spoken { tongue: Tongue::Get, json: true });
    }
    if *verb != Method::POST {
        return Err(Unspoken::Verb);
    }
    let spoken = by_type(headers).ok_or(Unspoken::Type)?;
    let fits = match spoken.tongue {
        Tongue::Plain | Tongue::Get => !shape.streams,
        Tongue::Stream => shape.streams,
        Tongue::Web { .. } => true,
    };
    if !fits {
        return Err(Unspoken::Type);
    }
    let packed = match spoken.tongue {
        Tongue::Plain | Tongue::Get => CONTENT_ENCODING.as_str(),
        Tongue::Stream => "connect-content-encoding",
        Tongue::Web { .. } => "grpc-encoding",
    };
    let known = |value: &http::HeaderValue| value == "identity" || value == "gzip";
    if headers.get_all(packed).iter().all(known) { Ok(spoken) } else { Err(Unspoken::Encoding) }
}

/// One type, in whatever letters, in UTF-8.
fn by_type(headers: &HeaderMap) -> Option<Spoken> {
    let mut sent = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    let mut parts = value.to_str().ok()?.split(';').map(str::trim);
    let essence = parts.next()?;
    let utf8 = parts.all(|part| match part.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let known = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(essence));
    known.filter(|_| utf8).map(|(_, spoken)| *spoken)
}

/// The types that a method takes, for whoever came with another one.
pub fn accepted(shape: Shape) -> String {
    let fits = |spoken: &Spoken| match spoken.tongue {
        Tongue::Plain | Tongue::Get => !shape.streams,
        Tongue::Stream => shape.streams,
        Tongue::Web { .. } => true,
    };
    let names = TYPES.iter().filter(|(_, spoken)| fits(spoken)).map(|(name, _)| *name);
    names.chain(["application/grpc"]).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};

    use super::{Shape, Spoken, Tongue, Unspoken, accepted, is_grpc, of};

    const UNARY: Shape = Shape { streams: false, get: false };
    const STREAM: Shape = Shape { streams: true, get: false };

    fn headers(content_type: &str) -> HeaderMap {
        let value = HeaderValue::from_str(content_type).unwrap();
        HeaderMap::from_iter([(CONTENT_TYPE, value)])
    }

    fn post(content_type: &str, shape: Shape) -> Result<Spoken, Unspoken> {
        of(&Method::POST, &headers(content_type), shape)
    }

    #[test]
    fn a_type_is_read_in_whatever_letters_and_only_in_utf_8() {
        let plain = Ok(Spoken { tongue: Tongue::Plain, json: true });
        for text in ["application/json", "Application/JSON; charset=UTF-8", "application/json;x"] {
            assert_eq!(post(text, UNARY), plain, "{text}");
        }
        for text in ["application/json; charset=utf-16", "text/plain", "application/jsonp", ""] {
            assert_eq!(post(text, UNARY), Err(Unspoken::Type), "{text}");
        }
        let text = Ok(Spoken { tongue: Tongue::Web { text: true }, json: false });
        assert_eq!(post("application/grpc-web-text", STREAM), text);
        let mut twice = headers("application/json");
        twice.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(of(&Method::POST, &twice, UNARY), Err(Unspoken::Type));
    }

    #[test]
    fn a_method_has_the_types_of_its_shape_and_the_verbs() {
        assert_eq!(post("application/json", STREAM), Err(Unspoken::Type));
        assert_eq!(post("application/connect+json", UNARY), Err(Unspoken::Type));
        assert!(post("application/connect+json", STREAM).is_ok());
        let none = HeaderMap::new();
        assert_eq!(of(&Method::GET, &none, UNARY), Err(Unspoken::Verb));
        assert!(of(&Method::GET, &none, Shape { get: true, ..UNARY }).is_ok());
        assert_eq!(of(&Method::PATCH, &none, UNARY), Err(Unspoken::Verb));
        assert!(accepted(UNARY).starts_with("application/json, application/proto, "));
        let mut packed = headers("application/json");
        packed.insert("content-encoding", HeaderValue::from_static("br"));
        assert_eq!(of(&Method::POST, &packed, UNARY), Err(Unspoken::Encoding));
    }

    #[test]
    fn grpc_itself_is_told_from_its_sisters() {
        for text in ["application/grpc", "application/grpc+proto", "Application/gRPC; x"] {
            assert!(is_grpc(&headers(text)), "{text}");
        }
        for text in ["application/grpc-web", "application/grpc-web-text", "application/json"] {
            assert!(!is_grpc(&headers(text)), "{text}");
        }
    }
}
