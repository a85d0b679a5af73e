//! Which pages of other origins may call: those that are named, and none unless they are.

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};
use tonic::body::Body;

/// What a page may send along.
const ALLOWED: &str = "authorization, content-type, connect-protocol-version, connect-timeout-ms, \
    grpc-timeout, x-grpc-web, x-user-agent";
/// What a page may read beside the body.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, retry-after, \
    jingqi-unknown-fields";

/// The origins whose pages may call.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Reads origins with commas between them, as browsers write them: `https://desk.example:8443`.
    ///
    /// # Errors
    /// The text that is no origin. Everybody (`*`) is none.
    pub fn parse(list: &str) -> Result<Self, String> {
        let named = list.split(',').map(str::trim).filter(|text| !text.is_empty());
        let origins = named.map(|text| origin(text).ok_or_else(|| text.to_owned()));
        Ok(Self(origins.collect::<Result<_, _>>()?))
    }

    /// The origin of this request, where it is one of them.
    pub fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let sent = headers.get(ORIGIN)?;
        self.0.iter().find(|known| *known == sent).cloned()
    }

    /// The answer to a page that asks whether it may call at all; `None` where it asks nothing of the kind.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.of(request.headers()).is_none() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        for (name, value) in [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
            (ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED),
            (ACCESS_CONTROL_MAX_AGE, "7200"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Says on an answer that the page of this origin may read it.
    pub fn allow(&self, origin: Option<HeaderValue>, response: &mut Response<Body>) {
        if self.0.is_empty() {
            return;
        }
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

/// Scheme and host, and the port where it is another one; nothing behind them.
fn origin(text: &str) -> Option<HeaderValue> {
    let uri: http::Uri = text.parse().ok()?;
    let bare = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && text.matches('/').count() == 2
        && uri.query().is_none()
        && text == text.to_ascii_lowercase();
    HeaderValue::from_str(text).ok().filter(|_| bare)
}

#[cfg(test)]
mod tests {
    use super::Origins;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        assert!(Origins::parse("").unwrap().0.is_empty());
        let list = "https://desk.example, http://127.0.0.1:8080";
        assert_eq!(Origins::parse(list).unwrap().0.len(), 2);
        for wrong in [
            "*",
            "desk.example",
            "https://desk.example/",
            "https://desk.example/x",
            "https://Desk.example",
            "https://a@desk.example",
            "ftp://desk.example",
            "null",
        ] {
            let list = format!("https://desk.example,{wrong}");
            assert_eq!(Origins::parse(&list).unwrap_err(), wrong);
        }
    }
}
