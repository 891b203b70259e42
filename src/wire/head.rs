//! The head of a request, held to what HTTP allows and what all parsers read alike. Knows no routes.

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method};

use super::refusal::Refusal;
use crate::domain::host::Host;
use crate::domain::refusal::RefusalCode;

/// The longest request target, in bytes: as other servers have it, and far above what a mini-program sends.
const MAX_TARGET: usize = 8 * 1024;
/// The most headers of a request.
pub const MOST_HEADERS: usize = 100;

/// Holds a request head to the rules and gives the host that it names.
///
/// # Errors
///
/// `bad_request` for what HTTP or two parsers' disagreement rules out, `uri_too_long` for a target over 8 KiB,
/// `headers_too_large` for more headers than 100.
pub fn check(head: &Parts) -> Result<Host<'_>, Refusal> {
    check_method(&head.method)?;
    check_target(head)?;
    check_count(&head.headers)?;
    let host = only_host(&head.headers)?;
    match head.uri.authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(host.authority()) => Err(
            Refusal::bad_request("the target names another host than the Host header"),
        ),
        _ => Ok(host),
    }
}

fn check_method(method: &Method) -> Result<(), Refusal> {
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(Refusal::bad_request("CONNECT and TRACE are not served"));
    }
    Ok(())
}

fn check_target(head: &Parts) -> Result<(), Refusal> {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Err(Refusal::new(
            RefusalCode::UriTooLong,
            "the target is over 8 KiB",
        ));
    }
    match head.uri.scheme_str() {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(Refusal::bad_request(
            "the target has a scheme other than http",
        )),
    }
}

fn check_count(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() > MOST_HEADERS {
        let reason = "there are more than 100 headers";
        return Err(Refusal::new(RefusalCode::HeadersTooLarge, reason));
    }
    Ok(())
}

fn only_host(headers: &HeaderMap) -> Result<Host<'_>, Refusal> {
    let mut values = headers.get_all(HOST).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Refusal::bad_request("the Host header is missing")),
        (Some(_), Some(_)) => Err(Refusal::bad_request("there are several Host headers")),
        (Some(value), None) => {
            let host = value.to_str().ok().and_then(Host::parse);
            host.ok_or_else(|| Refusal::bad_request("the Host header is no host"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn refused(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
        check(&head(method, target, headers))
            .unwrap_err()
            .reason
            .into_owned()
    }

    #[test]
    fn the_host_is_told_without_its_port() {
        for (value, name) in [
            ("a.cn", "a.cn"),
            ("a.cn:80", "a.cn"),
            ("[::1]:8080", "[::1]"),
            ("[::1]", "[::1]"),
            ("a_b:", "a_b"),
        ] {
            assert_eq!(
                check(&head("GET", "/", &[("host", value)])).unwrap().name(),
                name
            );
        }
    }

    #[test]
    fn a_missing_second_or_broken_host_is_refused() {
        assert_eq!(refused("GET", "/", &[]), "the Host header is missing");
        let two = [("host", "a.cn"), ("host", "a.cn")];
        assert_eq!(refused("GET", "/", &two), "there are several Host headers");
        for value in [
            "",
            "a b",
            "u@a.cn",
            "a.cn/x",
            "a.cn:x",
            "a.cn:99999",
            "a.cn:+80",
            "a.cn.",
            "a..cn",
            ".a.cn",
            "a:b:c",
            "[::1",
            "[x]",
            "a,b",
            ":80",
        ] {
            let reason = refused("GET", "/", &[("host", value)]);
            assert_eq!(reason, "the Host header is no host", "{value}");
        }
    }

    #[test]
    fn an_absolute_target_must_name_the_same_host() {
        let host = [("host", "a.cn:80")];
        check(&head("GET", "http://A.cn:80/x", &host)).unwrap();
        let reason = "the target names another host than the Host header";
        assert_eq!(refused("GET", "http://b.cn/x", &host), reason);
        assert_eq!(refused("GET", "http://a.cn/x", &host), reason);
        assert!(refused("GET", "ftp://a.cn:80/x", &host).contains("scheme"));
    }

    #[test]
    fn connect_trace_and_endless_targets_are_refused() {
        assert!(refused("CONNECT", "a.cn:80", &[("host", "a.cn:80")]).contains("CONNECT"));
        assert!(refused("TRACE", "/", &[("host", "a.cn")]).contains("TRACE"));
        let long = format!("/?{}", "a".repeat(MAX_TARGET));
        let refusal = check(&head("GET", &long, &[("host", "a.cn")])).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::UriTooLong);
    }
}
