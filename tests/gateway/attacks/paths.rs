//! Paths that the gateway could take for another than the backend does.

use super::{Case, Expected, case, get};

const TOMCAT: &str = "CVE-2020-5902 (BIG-IP before Tomcat: `..;`)";
const SHIRO: &str = "CVE-2020-1957 (Shiro: `/..;/`)";
const SHIRO_SEMICOLON: &str = "CVE-2020-13933 (Shiro: an encoded semicolon)";
const HTTPD: &str = "CVE-2021-41773 (httpd 2.4.49: `.%2e`)";
const HTTPD_TWICE: &str = "CVE-2021-42013 (httpd 2.4.50: `%%32%65`)";
const MOD_JK: &str = "CVE-2007-1860 (mod_jk: decoded twice)";
const MOD_PROXY: &str = "CVE-2007-0450 (Tomcat: encoded slashes and backslashes)";
const IIS: &str = "CVE-2000-0884 (IIS: overlong UTF-8)";
const IIS_TWICE: &str = "CVE-2001-0333 (IIS: decoded twice)";
const JETTY: &str = "CVE-2021-28164 (Jetty: encoded dot segments)";
const JETTY_UNICODE: &str = "CVE-2021-34429 (Jetty: `%u002e` and a NUL)";

pub(super) fn cases() -> Vec<Case> {
    let view = |name, precedent, target: &str| {
        case(name, precedent, get(target, ""), Expected::Refused(400))
    };
    vec![
        view("two dots", "CWE-22 (path traversal)", "/open/../orders"),
        view("one dot", "CWE-22 (path traversal)", "/open/./orders"),
        view("two dots at the end", "CWE-22 (path traversal)", "/open/.."),
        view("dots with a semicolon", TOMCAT, "/open/..;/orders"),
        view("dots with a parameter", SHIRO, "/open/..;a=b/orders"),
        view(
            "dots with an encoded semicolon",
            SHIRO_SEMICOLON,
            "/open/..%3b/orders",
        ),
        view("a parameter before the border", SHIRO, "/open;/orders"),
        view("encoded dots", HTTPD, "/open/%2e%2e/orders"),
        view("half encoded dots", HTTPD, "/open/.%2e/orders"),
        view(
            "dots encoded digit by digit",
            HTTPD_TWICE,
            "/open/%%32%65%%32%65/orders",
        ),
        view("dots encoded twice", MOD_JK, "/open/%252e%252e/orders"),
        view("a slash encoded twice", IIS_TWICE, "/open/..%252forders"),
        view("an encoded slash", MOD_PROXY, "/open/..%2forders"),
        view("an encoded backslash", MOD_PROXY, "/open/..%5corders"),
        view("a backslash", MOD_PROXY, "/open/..\\orders"),
        view("overlong dots", IIS, "/open/%c0%ae%c0%ae/orders"),
        view("an overlong slash", IIS, "/open/..%c0%aforders"),
        view("dots as %u", JETTY_UNICODE, "/open/%u002e%u002e/orders"),
        view("dots before a NUL", JETTY_UNICODE, "/open/..%00/orders"),
        view("an encoded dot in the first segment", JETTY, "/%2e/open/x"),
        view(
            "two slashes first",
            "CWE-180 (checked before it is canonical)",
            "//open/x",
        ),
        view(
            "two slashes between",
            "CWE-180 (checked before it is canonical)",
            "/open//x",
        ),
        view(
            "a line break",
            "CVE-2022-22978 (Spring Security: a dot that matches no line break)",
            "/orders%0a/open/x",
        ),
        view(
            "a return and a line break",
            "CVE-2023-25690 (httpd: decoded into the request line)",
            "/open/x%0d%0aX-OpenId:%20forged",
        ),
        view(
            "a tab",
            "CWE-180 (checked before it is canonical)",
            "/open/%09x",
        ),
        case(
            "a slash at the end of a guarded one",
            "CVE-2023-20860 (Spring Security: patterns that differ)",
            b"GET /orders/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec(),
            Expected::Refused(401),
        ),
        case(
            "other capitals of a guarded one",
            "CWE-178 (case is not folded)",
            b"GET /OPEN/x HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec(),
            Expected::Refused(401),
        ),
        case(
            "an open one that is encoded",
            "CWE-180 (checked before it is canonical)",
            b"GET /%6fpen/x HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec(),
            Expected::Held,
        ),
    ]
}
