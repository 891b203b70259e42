//! The request that a proxy in front asks about, out of the one by which it asks. Knows no sessions, and leaves it to
//! others to know whether the proxy is to be believed.

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::refusal::Refusal;
use crate::domain::front::Front;

/// Where nginx says which target its client asked for, if its config has it so.
const X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// The same of Caddy and Traefik, which always say it.
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The head of the request that `asking` is about: its headers are those of the client, as far as the proxy passes them
/// on.
///
/// # Errors
///
/// `bad_request` where the proxy does not say what it must, says it twice, or says what is no request.
pub fn original(front: Front, mut asking: Parts) -> Result<Parts, Refusal> {
    match front {
        Front::AuthRequest => {
            if let Some(uri) = only(&asking.headers, &X_ORIGINAL_URI)? {
                asking.uri = target(uri.as_bytes())?;
            }
        }
        Front::ForwardAuth => {
            asking.uri = target(needed(&asking.headers, &X_FORWARDED_URI)?.as_bytes())?;
            asking.method = method(needed(&asking.headers, &X_FORWARDED_METHOD)?)?;
            if let Some(host) = only(&asking.headers, &X_FORWARDED_HOST)?.cloned() {
                asking.headers.insert(HOST, host);
            }
        }
        Front::ExtAuthz { depth } => asking.uri = below(&asking.uri, depth)?,
    }
    Ok(asking)
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::bad_request(format!(
            "there are several {name} headers"
        ))),
    }
}

fn needed<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h HeaderValue, Refusal> {
    let missing = || {
        Refusal::bad_request(format!(
            "the proxy in front does not send the header {name}"
        ))
    };
    only(headers, name)?.ok_or_else(missing)
}

fn target(text: &[u8]) -> Result<Uri, Refusal> {
    // A fragment would be cut off, and the rest believed.
    let fits = text.starts_with(b"/") && !text.contains(&b'#');
    let read = fits
        .then(|| PathAndQuery::try_from(text).ok())
        .flatten()
        .map(Uri::from);
    read.ok_or_else(|| Refusal::bad_request("the original target is no path with a query"))
}

fn method(text: &HeaderValue) -> Result<Method, Refusal> {
    Method::from_bytes(text.as_bytes())
        .map_err(|_| Refusal::bad_request("the original method is none"))
}

/// What of a target stands below so many segments.
fn below(uri: &Uri, depth: usize) -> Result<Uri, Refusal> {
    let whole = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let borders = uri.path().match_indices('/');
    let border = borders.map(|(at, _)| at).nth(depth);
    let rest = whole
        .get(border.unwrap_or(uri.path().len())..)
        .unwrap_or_default();
    match border {
        Some(_) => target(rest.as_bytes()),
        None => target(format!("/{rest}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn asked(
        front: Front,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<(String, String), String> {
        let mut request = Request::builder().uri(uri).header("host", "wxgate");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let original = original(front, head).map_err(|refusal| refusal.reason.into_owned())?;
        let host = original.headers[HOST].to_str().unwrap();
        let asked = format!("{} {}", original.method, original.uri);
        Ok((asked, host.to_owned()))
    }

    fn found(request: &str, host: &str) -> (String, String) {
        (request.to_owned(), host.to_owned())
    }

    #[test]
    fn nginx_may_say_which_target_its_client_asked_for() {
        let uri = [("x-original-uri", "/orders?skey=1")];
        let told = asked(Front::AuthRequest, "/auth?a=b", &uri);
        assert_eq!(told, Ok(found("GET /orders?skey=1", "wxgate")));
        let told = asked(Front::AuthRequest, "/auth?a=b", &[]);
        assert_eq!(told, Ok(found("GET /auth?a=b", "wxgate")));
    }

    #[test]
    fn caddy_and_traefik_say_method_target_and_host() {
        let headers = [
            ("x-forwarded-method", "DELETE"),
            ("x-forwarded-uri", "/orders/1?a"),
            ("x-forwarded-host", "api.example.com"),
        ];
        let told = asked(Front::ForwardAuth, "/auth", &headers);
        assert_eq!(told, Ok(found("DELETE /orders/1?a", "api.example.com")));
        for missing in ["x-forwarded-method", "x-forwarded-uri"] {
            let others: Vec<_> = headers
                .into_iter()
                .filter(|(name, _)| *name != missing)
                .collect();
            let text = format!("the proxy in front does not send the header {missing}");
            assert_eq!(asked(Front::ForwardAuth, "/auth", &others), Err(text));
        }
    }

    #[test]
    fn envoy_asks_below_a_path() {
        let below = |depth, uri| asked(Front::ExtAuthz { depth }, uri, &[]);
        assert_eq!(
            below(2, "/a/b/orders?x=/"),
            Ok(found("GET /orders?x=/", "wxgate"))
        );
        assert_eq!(below(2, "/a/b/"), Ok(found("GET /", "wxgate")));
        assert_eq!(below(2, "/a/b?x"), Ok(found("GET /?x", "wxgate")));
        assert_eq!(below(0, "/orders"), Ok(found("GET /orders", "wxgate")));
    }

    #[test]
    fn what_is_said_twice_or_is_no_target_is_refused() {
        let twice = [("x-original-uri", "/a"), ("x-original-uri", "/b")];
        let told = asked(Front::AuthRequest, "/auth", &twice);
        let text = "there are several x-original-uri headers";
        assert_eq!(told, Err(text.to_owned()));
        for uri in ["", "*", "http://a/b", "a", "/a#b", "/a b"] {
            let told = asked(Front::AuthRequest, "/auth", &[("x-original-uri", uri)]);
            let text = "the original target is no path with a query";
            assert_eq!(told, Err(text.to_owned()), "{uri}");
        }
    }
}
