//! `action = "auth-request"`, `"forward-auth"` and `"ext-authz"`.

use super::{check, plan};
use crate::config::plan::{Action, Apps, Guard, Verdict};
use crate::domain::front::Front;

const TRUSTED: &str = "[server]\ntrusted_proxies = [\"10.0.0.1\"]\n";

#[test]
fn a_verdict_is_planned_by_how_the_proxy_asks() {
    let routes = [
        ("/a", "auth-request", ""),
        ("/b", "forward-auth", "auth = \"optional\""),
        ("/c/d/*", "ext-authz", "methods = [\"PUT\"]"),
    ];
    let route = |(path, action, more): (&str, &str, &str)| {
        format!("[[routes]]\npath = \"{path}\"\naction = \"{action}\"\n{more}\n")
    };
    let plan = plan(&format!("{TRUSTED}{}", routes.map(route).concat()));
    let verdicts = plan.routes.iter().map(|route| match &route.action {
        Action::Verdict(verdict) => verdict.clone(),
        other => panic!("{other:?}"),
    });
    let verdict = |front, guard| Verdict {
        front,
        guard,
        apps: Apps::Any,
    };
    let meant = [
        verdict(Front::AuthRequest, Guard::Required),
        verdict(Front::ForwardAuth, Guard::Optional),
        verdict(Front::ExtAuthz { depth: 2 }, Guard::Required),
    ];
    assert_eq!(verdicts.collect::<Vec<_>>(), meant);
}

#[test]
fn what_a_proxy_in_front_has_no_use_for_is_a_problem() {
    let route = |more: &str| {
        format!("{TRUSTED}[[routes]]\npath = \"/a\"\naction = \"auth-request\"\n{more}\n")
    };
    let cases = [
        (
            "[[routes]]\npath = \"/a\"\naction = \"forward-auth\"".to_owned(),
            "3:10: nobody may ask here; name the addresses of the proxy in front in `trusted_proxies` of [server]",
        ),
        (
            route("auth = \"none\""),
            "6:8: `none` is no guard of an answer to a proxy; there are `required` and `optional`",
        ),
        (
            route("response = {}"),
            "6:12: `response` shapes the body of an answer, and a proxy in front reads only its headers; remove it",
        ),
        (
            route("dialect = \"wafer1\""),
            "6:11: `dialect` refuses under HTTP 200, which lets a request pass here; remove it",
        ),
        (
            route("upstream = \"php\""),
            "6:12: a route has either an `action` or an `upstream`; remove one of them",
        ),
        (
            route("open_data = \"decrypt\""),
            "6:13: `open_data` is for what an upstream gets; remove it, or name an `upstream`",
        ),
        (
            route("cors = { origins = [\"https://a.cn\"] }"),
            "6:20: no page reads an answer to a proxy in front; remove `cors`, and let that proxy answer pages",
        ),
        (
            route("refusals = { bad_request = { status = 204 } }"),
            "6:39: under this status the proxy in front would let the request pass; write one from 400 to 599",
        ),
        (
            format!("{TRUSTED}[[routes]]\npath = \"/a\"\naction = \"ext-authz\""),
            "4:8: Envoy puts the original path behind this one; write it with \"/*\" at its end",
        ),
    ];
    let borrowed: Vec<_> = cases
        .iter()
        .map(|(text, problem)| (text.as_str(), *problem))
        .collect();
    check(&borrowed);
}
