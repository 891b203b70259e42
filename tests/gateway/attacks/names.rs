//! Names of headers that a backend folds to one of the gateway's, as CGI, PHP and WSGI do.

use super::{Case, Expected, SKEY, case, get};

const UNDERSCORE: &str =
    "GHSA-vjrc-mh2v-45x6 (CVE-2025-64484, oauth2-proxy: underscores for dashes)";
const WSGI: &str = "CVE-2015-0219 (Django: names with underscores over WSGI)";
const HTTPOXY: &str = "CVE-2016-5385 (PHP: the Proxy header as HTTP_PROXY, “httpoxy”)";
const FOLDED: &str = "RFC 3875, 4.1.18 (CGI folds names of headers)";

pub(super) fn cases() -> Vec<Case> {
    let passes = Expected::Passes(&["/orders"]);
    let alias = |name, precedent, line: &str| case(name, precedent, get("/orders", line), passes);
    vec![
        alias("the name itself", "CWE-290 (spoofed by a header)", "X-OpenId: forged\r\n"),
        alias("other capitals", "CWE-178 (case is not folded)", "x-oPENiD: forged\r\n"),
        alias("an underscore", UNDERSCORE, "X_OpenId: forged\r\n"),
        alias("underscores and capitals", UNDERSCORE, "X_OPENID: forged\r\n"),
        alias("a dot", FOLDED, "X.OpenId: forged\r\n"),
        alias("other marks", FOLDED, "X!OpenId: forged\r\nX~OpenId: forged\r\nX|OpenId: forged\r\n"),
        alias("before the skey and behind", WSGI, &format!("X_OpenId: forged\r\nX-Skey: {SKEY}\r\nX_OpenId: forged\r\n")),
        alias("the union's id", UNDERSCORE, "X_UnionId: forged\r\nX.UnionId: forged\r\n"),
        alias("the app's id", UNDERSCORE, "X_AppId: forged\r\nX-AppId: forged\r\n"),
        alias("an id of the backend's own", UNDERSCORE, "X_User_Id: forged\r\nX-User-Id: forged\r\n"),
        alias("a claim", UNDERSCORE, "X_User_Role: forged\r\nX-User.Role: forged\r\n"),
        alias("those of WeChat CloudRun", UNDERSCORE, "X_WX_OPENID: forged\r\nX-WX-FROM-OPENID: forged\r\n"),
        alias("a call of the gateway", WSGI, "X_Wxgate_Event: forged\r\n"),
        alias("where it comes from", UNDERSCORE, "X_Forwarded_For: forged\r\nX.Forwarded-For: forged\r\n"),
        alias("from a real address", WSGI, "X_Real_IP: forged\r\nForwarded: for=forged\r\n"),
        alias("a proxy for the backend's own requests", HTTPOXY, "Proxy: http://forged/\r\npROXY: http://forged/\r\n"),
        alias("an empty value", WSGI, "X_OpenId:\r\nX-UnionId: \r\n"),
        case("on an open route", UNDERSCORE, get("/open/x", "X_OpenId: forged\r\n"), Expected::Passes(&["/open/x"])),
        case(
            "with a skey that is none",
            UNDERSCORE,
            b"GET /maybe/x HTTP/1.1\r\nHost: api.example.com\r\nX-Skey: none\r\nX_OpenId: forged\r\n\r\n".to_vec(),
            Expected::Passes(&["/maybe/x"]),
        ),
        case(
            "without a skey",
            WSGI,
            b"GET /orders HTTP/1.1\r\nHost: api.example.com\r\nX_OpenId: forged\r\nX-OpenId: forged\r\n\r\n".to_vec(),
            Expected::Refused(401),
        ),
        case(
            "letters that another script has too",
            "CWE-1007 (homoglyphs)",
            get("/orders", "X-Open\u{131}d: forged\r\n"),
            Expected::Refused(400),
        ),
    ]
}
