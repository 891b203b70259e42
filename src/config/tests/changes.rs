//! What a route may change of what passes, and what no route may.

use super::{plan, problems};

const SHOP: &str = "apps.shop = { appid = \"wx1\", secret = { env = \"SHOP_SECRET\" } }";
const PHP: &str = "upstreams.php.servers = [\"http://10.0.0.1:9000\"]";

/// A config with this route, whose keys begin in line 6.
fn route(keys: &str) -> String {
    format!("{SHOP}\n{PHP}\n[[routes]]\npath = \"/api/*\"\nupstream = \"php\"\n{keys}")
}

/// Each route is said to have this one problem.
fn check_routes(cases: &[(&str, &str)]) {
    for (keys, problem) in cases {
        let text = route(keys);
        assert_eq!(problems(&text), [*problem], "\n{text}");
    }
}

#[test]
fn a_prefix_is_one_that_all_requests_of_the_route_begin_with() {
    check_routes(&[
        (
            "strip_prefix = \"/ap\"",
            "6:16: not every request of this route begins with `/ap`; give it a path such as \"/ap/*\"",
        ),
        (
            "strip_prefix = \"/api/v1\"",
            "6:16: not every request of this route begins with `/api/v1`; give it a path such as \"/api/v1/*\"",
        ),
        (
            "strip_prefix = \"/api/\"",
            "6:16: a prefix has no slash at its end; write whole segments, such as \"/api\"",
        ),
        (
            "strip_prefix = \"/api/*\"",
            "6:16: `*` cannot stand in a prefix; write whole segments, such as \"/api\"",
        ),
        (
            "add_prefix = \"/a/../b\"",
            "6:14: no request can have this path: the path has a dot segment",
        ),
        (
            "add_prefix = \"api\"",
            "6:14: no request can have this path: the path does not start with a slash",
        ),
    ]);
    let plan = plan(&route("strip_prefix = \"/%61pi\"\nadd_prefix = \"/in\""));
    assert!(plan.routes[0].changes.prefix.is_some());
}

#[test]
fn an_action_that_the_gateway_answers_alone_has_nothing_to_change() {
    let keys = [
        "strip_prefix = \"/api\"",
        "add_prefix = \"/api\"",
        "request_headers.set = { X-A = \"1\" }",
        "response_headers.remove = [\"X-A\"]",
    ];
    for key in keys {
        let name = key.split([' ', '.']).next().unwrap();
        let said = problems(&format!(
            "{SHOP}\n[[routes]]\npath = \"/api/x\"\naction = \"check\"\n{key}"
        ));
        assert_eq!(said.len(), 1, "{said:?}");
        let text = format!(
            "`{name}` is for what an upstream gets and answers; remove it, or name an `upstream`"
        );
        assert!(
            said[0].starts_with("5:") && said[0].ends_with(&text),
            "{said:?}"
        );
    }
}

#[test]
fn no_header_that_is_managed_is_set_or_removed_in_any_spelling() {
    let request = [
        "X-OpenId",
        "x_openid",
        "X.OpenID",
        "X-WX-OPENID",
        "x-wx_source",
        "X-User-Id",
        "X-User-Role",
        "x_user.role",
        "X-Wxgate-Event",
        "X-Forwarded-For",
        "X_Forwarded_Anything",
        "Forwarded",
        "X-Real-IP",
        "X-Request-Id",
        "X-Original-URL",
        "Proxy",
        "Connection",
        "Transfer-Encoding",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Expect",
        "Content-Length",
        "Content_Length",
        "X-Skey",
        "X!Skey",
    ];
    let response = [
        "X-OpenId",
        "X_OPENID",
        "X-User-Role",
        "X-WX-OPENID",
        "X-Wxgate-Event",
        "X-Request-Id",
        "Content-Length",
        "Connection",
        "Transfer-Encoding",
        "Trailer",
        "Upgrade",
    ];
    for (table, names) in [
        ("request_headers", &request[..]),
        ("response_headers", &response[..]),
    ] {
        for name in names {
            for (key, column) in [
                (format!("set = {{ \"{name}\" = \"1\" }}"), 10 + table.len()),
                (format!("remove = [\"{name}\"]"), 12 + table.len()),
            ] {
                let said = problems(&route(&format!(
                    "{table}.{key}\n[identity]\nclaims = {{ role = \"X-User-Role\" }}"
                )));
                let text =
                    format!("`{name}` is managed by wxgate, in every spelling; remove it here");
                assert_eq!(said, [format!("6:{column}: {text}")]);
            }
        }
    }
}

#[test]
fn headers_to_be_changed_are_named_once_and_have_a_clean_value() {
    let unclean = "this value has something else than visible ASCII and spaces between";
    check_routes(&[
        (
            "request_headers = {}",
            "6:19: nothing is changed here; name headers in `set` or `remove`",
        ),
        (
            "request_headers.set = { Host = \"a\" }",
            "6:25: `Host` is set by `host` of the upstream; remove it here",
        ),
        (
            "request_headers.set = { \"X A\" = \"a\" }",
            "6:25: `X A` is no header name; write one such as \"X-Tenant\"",
        ),
        (
            "request_headers.set = { X-A = 1 }",
            "6:31: `X-A` must be a string, not a whole number",
        ),
        (
            "request_headers.set = { X-A = \"\" }",
            "6:31: this value is empty; name the header in `remove` if it is not to be there",
        ),
        (
            "request_headers.set = { X-A = \"a\\r\\nX-OpenId: b\" }",
            &format!("6:31: {unclean}"),
        ),
        (
            "response_headers.set = { X-A = \"\u{e9}\" }",
            &format!("6:32: {unclean}"),
        ),
        (
            "request_headers.set = { X-A = \"a\", x_a = \"b\" }",
            "6:36: `x_a` is named here before, in this or another spelling; remove one of them",
        ),
        (
            "request_headers = { set = { X-A = \"a\" }, remove = [\"x-a\"] }",
            "6:52: `x-a` is named here before, in this or another spelling; remove one of them",
        ),
        (
            "request_headers.sett = {}",
            "6:17: unknown key `sett` in [routes.request_headers]; did you mean `set`? There are `set` and `remove`",
        ),
    ]);
    let plan = plan(&route(
        "request_headers = { set = { Authorization = \"Basic YTpi\" }, remove = [\"Cookie\"] }",
    ));
    let changes = &plan.routes[0].changes;
    assert_eq!(changes.request.as_ref().unwrap().removed(), ["cookie"]);
    assert!(changes.response.is_none());
}

#[test]
fn pages_are_named_one_by_one() {
    let cors = |keys: &str| format!("cors = {{ origins = [\"https://a.cn\"], {keys} }}");
    check_routes(&[
        ("cors = {}", "6:8: `origins` is missing in [routes.cors]"),
        (
            "cors = { origins = [] }",
            "6:20: `origins` is empty; name at least one",
        ),
        (
            "cors = { origins = [\"*\"] }",
            "6:21: `*` is not one origin; name each, such as \"https://h5.example.com\"",
        ),
        (
            "cors = { origins = [\"https://a.cn/\"] }",
            "6:21: `https://a.cn/` is no origin as browsers send it; write \"https://h5.example.com\": in small \
            letters, with the port only if it is not the usual one, and nothing behind",
        ),
        (
            &cors("methods = [\"get\"]"),
            "6:49: `get` is no method; write it in capitals, such as \"GET\"",
        ),
        (
            &cors("allow_headers = [\"*\"]"),
            "6:55: `*` is no header name; write one such as \"X-App-Version\"",
        ),
        (
            &cors("credentials = \"yes\""),
            "6:52: `credentials` must be true or false, not a string",
        ),
        (
            &cors("max_age = \"1\""),
            "6:48: `1` is no duration; write a whole number with `ms`, `s`, `m`, `h` or `d`, such as \"90s\"",
        ),
        (
            &(cors("max_age = \"1h\"")
                + "\nresponse_headers.set = { Access_Control-Allow-Origin = \"a\" }"),
            "7:26: `Access_Control-Allow-Origin` is set by `cors` of this route; remove it here",
        ),
    ]);
}
