//! Which pages of other origins may read what a route answers, in the words that browsers understand. Knows no routes.

use std::fmt;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::host::Host;
use super::managed_names::fold;

/// The start, folded, of the names of all headers that say such things.
pub const FAMILY: &[u8] = b"access_control_";

/// What a preflight's answer depends on.
const VARIES: HeaderValue = HeaderValue::from_static(
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
);

/// Who may read, and what they may send.
#[derive(Clone, Debug)]
pub struct Cors {
    /// Exactly as browsers send them.
    pub origins: Vec<Origin>,
    /// The methods of requests, as a list.
    pub methods: HeaderValue,
    /// The headers that requests may have, as a list.
    pub allow_headers: HeaderValue,
    /// The headers of answers that a page may read, as a list.
    pub expose_headers: HeaderValue,
    /// Whether requests may come with cookies.
    pub credentials: bool,
    /// For how long a browser may remember all that, in seconds.
    pub max_age: HeaderValue,
}

/// An origin, as browsers write it: scheme, host, and a port if it is not the usual one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that is no origin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Every origin, or all below a name.
    #[error("`{0}` is not one origin; name each, such as \"https://h5.example.com\"")]
    Many(String),
    /// It is written otherwise than browsers do.
    #[error(
        "`{0}` is no origin as browsers send it; write \"https://h5.example.com\": in small letters, with the \
         port only if it is not the usual one, and nothing behind"
    )]
    Form(String),
}

impl Origin {
    /// As browsers send it.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.0
    }

    /// Reads `"https://host"` or `"https://host:port"`.
    ///
    /// # Errors
    ///
    /// No browser sends it so.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.contains('*') {
            return Err(OriginError::Many(text.to_owned()));
        }
        let no_origin = || OriginError::Form(text.to_owned());
        let schemes = [("https://", ":443"), ("http://", ":80")];
        let mut schemes = schemes.into_iter().filter_map(|(scheme, usual)| {
            let authority = text.strip_prefix(scheme)?;
            let is_usual = authority.ends_with(usual) || authority.ends_with(':');
            (!is_usual && Host::parse(authority).is_some()).then_some(())
        });
        let is_lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        match schemes.next() {
            Some(()) if is_lower => HeaderValue::from_str(text)
                .map(Self)
                .map_err(|_| no_origin()),
            _ => Err(no_origin()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

impl Cors {
    /// The method of the request that a browser asks about before it makes it; none if `headers` and `method` do not ask.
    #[must_use]
    pub fn asked(method: &Method, headers: &HeaderMap) -> Option<Method> {
        let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        let is_asked = method == Method::OPTIONS && headers.contains_key(ORIGIN);
        is_asked.then(|| Method::from_bytes(wanted.as_bytes()).ok())?
    }

    /// The origin of the page that makes a request, if it names one.
    #[must_use]
    pub fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        origins.next().filter(|_| origins.next().is_none())
    }

    /// Puts into an answer what lets a page of `origin` read it, or nothing if it may not; whatever a backend says of
    /// that is gone.
    pub fn let_read(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let names = headers.keys();
        let others = names.filter(|name| fold(name.as_str()).starts_with(FAMILY));
        let others: Vec<_> = others.cloned().collect();
        for name in others {
            headers.remove(name);
        }
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if self.allow(origin, headers) {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.expose_headers.clone());
        }
    }

    /// The headers of the answer to a browser that asks for a page of `origin`; nothing is allowed by them if it is
    /// another.
    #[must_use]
    pub fn answer(&self, origin: Option<&HeaderValue>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(VARY, VARIES);
        if self.allow(origin, &mut headers) {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.allow_headers.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        headers
    }

    /// Whether pages of `origin` may read.
    #[must_use]
    pub fn lets_read(&self, origin: Option<&HeaderValue>) -> bool {
        let mut origins = self.origins.iter();
        origins.any(|Origin(known)| Some(known) == origin)
    }

    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        let mut origins = self.origins.iter();
        let Some(Origin(known)) = origins.find(|Origin(known)| Some(known) == origin) else {
            return false;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, known.clone());
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        true
    }
}

/// Header names, each once, as the value of a header that lists them; none if there is none.
#[must_use]
pub fn listed(names: impl IntoIterator<Item = HeaderName>) -> Option<HeaderValue> {
    let mut each: Vec<HeaderName> = Vec::new();
    for name in names {
        if !each.contains(&name) {
            each.push(name);
        }
    }
    let names: Vec<_> = each.iter().map(HeaderName::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_one_and_written_as_browsers_do() {
        for text in [
            "https://h5.example.com",
            "http://localhost:8080",
            "https://[::1]:8443",
            "https://a:80",
        ] {
            assert_eq!(Origin::parse(text).unwrap().0, text);
        }
        for text in ["*", "https://*.example.com", "https://*"] {
            assert_eq!(Origin::parse(text), Err(OriginError::Many(text.to_owned())));
        }
        for text in [
            "",
            "null",
            "h5.example.com",
            "https://",
            "https://h5.example.com/",
            "https://H5.example.com",
            "HTTPS://a",
            "https://a:443",
            "http://a:80",
            "https://a:",
            "https://u@a",
            "https://a?b",
            "ftp://a",
            "https://a b",
            "https://a, https://b",
        ] {
            assert_eq!(
                Origin::parse(text),
                Err(OriginError::Form(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_browser_that_asks_before_a_request_is_told_before_it() {
        let asked = |method: Method, names: &[&'static str]| {
            let named = names.iter().map(|name| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static("PUT"),
                )
            });
            Cors::asked(&method, &named.collect())
        };
        let both = ["origin", "access-control-request-method"];
        assert_eq!(asked(Method::OPTIONS, &both), Some(Method::PUT));
        assert_eq!(asked(Method::PUT, &both), None);
        assert_eq!(asked(Method::OPTIONS, &both[..1]), None);
        assert_eq!(asked(Method::OPTIONS, &both[1..]), None);
    }
}
