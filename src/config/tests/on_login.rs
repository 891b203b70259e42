//! `on_login` and what a backend may answer to it: what they mean, and what is said of those that mean nothing.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::{check, plan, problems};
use crate::config::plan::{Action, OnFailure, OnLogin, Plan};
use crate::domain::call_path::CallPath;
use crate::domain::identity::Fact;
use crate::domain::path::RequestPath;
use crate::domain::route::NoRoute;

const SHOP: &str = "apps.shop = { appid = \"wx1\", secret = { env = \"SHOP_SECRET\" } }";
const PHP: &str = "upstreams.php.servers = [\"http://10.0.0.1:9000\"]";

/// A login route, whose `on_login` stands in line 6, and what comes behind it.
fn config(on_login: &str, more: &str) -> String {
    format!(
        "{SHOP}\n{PHP}\n[[routes]]\npath = \"/login\"\naction = \"login\"\non_login = {{ {on_login} }}\n{more}"
    )
}

fn on_login(plan: &Plan) -> &Arc<OnLogin> {
    match &plan.routes[0].action {
        Action::Login(login) => login.on_login.as_ref().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_tells_a_backend_within_five_seconds_or_is_refused() {
    let plan = plan(&config("upstream = \"php\", path = \"/in\"", ""));
    let expected = OnLogin {
        upstream: 0,
        path: CallPath::parse("/in").unwrap(),
        timeout: Duration::from_secs(5),
        on_failure: OnFailure::Refuse,
        claims: Vec::new(),
    };
    assert_eq!(**on_login(&plan), expected);
}

#[test]
fn a_login_may_wait_for_another_time_and_pass() {
    let keys = "upstream = \"php\", path = \"/in\", timeout = \"90ms\", on_failure = \"pass\"";
    let plan = plan(&config(keys, ""));
    let OnLogin {
        timeout,
        on_failure,
        ..
    } = **on_login(&plan);
    let told = (timeout, on_failure);
    assert_eq!(told, (Duration::from_millis(90), OnFailure::Pass));
}

#[test]
fn its_path_leads_nowhere_whatever_the_other_routes_say() {
    let all = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\nauth = \"none\"";
    let plan = plan(&config("upstream = \"php\", path = \"/in/wx\"", all));
    let find = |path| {
        let path = RequestPath::parse(path).unwrap();
        plan.route_table.find(&path, "h", &Method::POST)
    };
    for path in [
        "/in/wx",
        "/in/%77x",
        "/in/wx/",
        "/IN/WX/a",
        "/in/wx;a",
        "/in;a/wx/b",
    ] {
        assert_eq!(find(path), Err(NoRoute::Closed), "{path}");
    }
    assert_eq!(find("/in/wxy"), Ok(1));
    assert_eq!(find("/login"), Ok(0));
}

#[test]
fn an_on_login_that_makes_no_sense_says_why() {
    let unit =
        "is no duration; write a whole number with `ms`, `s`, `m`, `h` or `d`, such as \"90s\"";
    let one = "cannot stand in this path; write one path alone, such as \"/internal/wx-login\"";
    check(&[
        (
            &config("path = \"/in\"", ""),
            "6:12: `upstream` is missing in [routes.on_login]",
        ),
        (
            &config("upstream = \"php\"", ""),
            "6:12: `path` is missing in [routes.on_login]",
        ),
        (
            &config("upstream = \"pph\", path = \"/in\"", ""),
            "6:25: `pph` is no upstream; did you mean `php`? There is only `php`",
        ),
        (
            &config("upstream = \"php\", path = \"/in\", timeout = \"5\"", ""),
            &format!("6:56: `5` {unit}"),
        ),
        (
            &config(
                "upstream = \"php\", path = \"/in\", on_failure = \"allow\"",
                "",
            ),
            "6:59: `allow` is no way to treat a failure; there are `refuse` and `pass`",
        ),
        (
            &config("upstream = \"php\", path = \"/in\", retries = 3", ""),
            "6:46: unknown key `retries` in [routes.on_login]; there are `upstream`, `path`, `timeout` \
            and `on_failure`",
        ),
        (
            &config("upstream = \"php\", path = \"/in/*\"", ""),
            &format!("6:39: `*` {one}"),
        ),
        (
            &config("upstream = \"php\", path = \"/in?a=b\"", ""),
            &format!("6:39: `?` {one}"),
        ),
        (
            &config("upstream = \"php\", path = \"/\"", ""),
            "6:39: `/` would close every path; write one such as \"/internal/wx-login\"",
        ),
        (
            &config("upstream = \"php\", path = \"in\"", ""),
            "6:39: no request can have this path: the path does not start with a slash",
        ),
    ]);
}

#[test]
fn only_a_login_has_an_on_login() {
    let only = "`on_login` is called at a login; remove it, or write action = \"login\"";
    for deed in [
        "action = \"check\"",
        "action = \"logout\"",
        "upstream = \"php\"",
    ] {
        let text = format!(
            "{SHOP}\n{PHP}\n[[routes]]\npath = \"/a\"\n{deed}\non_login = {{ upstream = \"php\", path = \"/in\" }}"
        );
        assert_eq!(problems(&text), [format!("6:12: {only}")], "{deed}");
    }
}

#[test]
fn no_route_leads_where_only_wxgate_calls() {
    let closed = "the `on_login` of line 6 closes this path, which only wxgate itself calls; give \
        one of them another path";
    for path in [
        "/in",
        "/in/",
        "/in/*",
        "/in/deep",
        "/in/deep/*",
        "/IN",
        "/%69n",
    ] {
        let route =
            format!("[[routes]]\npath = \"{path}\"\nupstream = \"php\"\nhosts = [\"a.org\"]");
        let text = config("upstream = \"php\", path = \"/in\"", &route);
        assert_eq!(problems(&text), [format!("8:8: {closed}")], "{path}");
    }
    for path in ["/*", "/inner", "/in.php"] {
        let route = format!("[[routes]]\npath = \"{path}\"\nupstream = \"php\"");
        plan(&config("upstream = \"php\", path = \"/in\"", &route));
    }
    let own = config("upstream = \"php\", path = \"/login\"", "");
    assert_eq!(problems(&own), [format!("4:8: {closed}")]);
}

#[test]
fn claims_have_headers_in_the_order_of_the_file() {
    let identity =
        "[identity]\nuser_id = \"X-Uid\"\nclaims = { role = \"X-Role\", \"等级\" = \"X-Level\" }";
    let plan = plan(&config("upstream = \"php\", path = \"/in\"", identity));
    assert_eq!(on_login(&plan).claims, ["role", "等级"]);
    let headers = plan.identity.headers.iter().skip(3);
    let told: Vec<_> = headers
        .map(|header| (header.name.as_str(), header.fact))
        .collect();
    let expected = [
        ("x-uid", Fact::UserId),
        ("x-role", Fact::Claim(0)),
        ("x-level", Fact::Claim(1)),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_preset_has_nothing_against_a_user_id_and_claims() {
    let identity = "[identity]\nidentity_preset = \"cloudrun\"\nuser_id = \"\"\n[identity.claims]\nrole = \"X-Role\"";
    let headers = plan(identity).identity.headers;
    let last = headers.last().unwrap();
    assert_eq!((headers.len(), last.name.as_str()), (5, "x-role"));
}

#[test]
fn every_claim_has_a_header_of_its_own() {
    let needed = "is a header that HTTP or wxgate itself needs; use another, such as \"X-OpenId\"";
    check(&[
        (
            "identity.claims = { role = \"\" }",
            "1:28: the claim `role` has no header; name one, or remove the claim",
        ),
        (
            "identity.claims = { role = 7 }",
            "1:28: `role` must be a string, not a whole number",
        ),
        (
            "identity.claims = \"role\"",
            "1:19: `claims` must be a table, not a string",
        ),
        (
            "identity.claims = { role = \"X Y\" }",
            "1:28: `X Y` is no header name; write one such as \"X-OpenId\", or \"\" for none",
        ),
        (
            "identity.claims = { role = \"X_Openid\" }",
            "1:28: `x_openid` would stand for both `openid` and the claim `role`; rename one of them",
        ),
        (
            "identity.claims = { a = \"X-A\", b = \"x.a\" }",
            "1:36: `x.a` would stand for both the claim `a` and the claim `b`; rename one of them",
        ),
        (
            "sessions.token = [\"header:X-User-Id\"]",
            "1:19: `x-user-id` would stand for both the token and `user_id`; rename one of them",
        ),
        (
            "identity.user_id = \"Host\"",
            &format!("1:20: `Host` {needed}"),
        ),
        (
            "identity.claims = { role = \"X_Wxgate-Event\" }",
            &format!("1:28: `X_Wxgate-Event` {needed}"),
        ),
        (
            "sessions.token = [\"header:X-Wxgate-Event\"]",
            "1:19: `x-wxgate-event` is a header that HTTP or wxgate itself needs; use another, such as \"X-Skey\"",
        ),
    ]);
}
