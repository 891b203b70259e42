//! Routes that mean nothing, and what is said of them.

use super::{check, plan, problems};
use crate::config::plan::Action;

const SHOP: &str = "apps.shop = { appid = \"wx1\", secret = { env = \"SHOP_SECRET\" } }";
const PHP: &str = "upstreams.php.servers = [\"http://10.0.0.1:9000\"]";

/// Each route, with its header in line 3, is said to have this one problem.
fn check_routes(cases: &[(&str, &str)]) {
    for (route, problem) in cases {
        let text = format!("{SHOP}\n{PHP}\n[[routes]]\n{route}");
        assert_eq!(problems(&text), [*problem], "\n{text}");
    }
}

#[test]
fn a_route_has_a_path_and_one_thing_to_do() {
    check_routes(&[
        ("action = \"check\"", "3:1: `path` is missing in [[routes]]"),
        (
            "path = \"/\"",
            "3:1: this route does nothing; give it an `action` or an `upstream`",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\naction = \"login\"",
            "5:12: a route has either an `action` or an `upstream`; remove one of them",
        ),
        (
            "path = \"/\"\naction = \"chek\"",
            "5:10: `chek` is no action; did you mean `check`? There are `login`, `check`, `rotate`, `logout`, `phone`, `auth-request`, `forward-auth` and `ext-authz`",
        ),
        (
            "path = \"/\"\naction = \"login\"\nauth = \"none\"",
            "6:8: `auth` guards an upstream; remove it, or name an `upstream`",
        ),
        (
            "path = \"/\"\naction = \"login\"\nmethods = [\"GET\", \"PUT\"]",
            "6:19: an action takes GET and POST, and no other method",
        ),
        (
            "path = \"/\"\naction = \"rotate\"\nmethods = [\"GET\", \"POST\"]",
            "6:12: the action `rotate` takes POST, and no other method",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nresponse = 1",
            "6:12: `response` shapes the answer of an action; an upstream answers for itself",
        ),
        (
            "path = \"/\"\nupstream = \"pph\"",
            "5:12: `pph` is no upstream; did you mean `php`? There is only `php`",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nauth = \"open\"",
            "6:8: `open` is no guard; there are `required`, `optional` and `none`",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\napp = [\"shop\", \"shp\"]",
            "6:16: `shp` is no app; did you mean `shop`? There is only `shop`",
        ),
        (
            "path = \"/\"\naction = \"logout\"\nresponse = [\"{skey}\"]",
            "6:13: {skey} is not filled in here; there are {null}",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nmax_body = \"1\"",
            "6:12: `1` is no size; write a whole number \
            with `B`, `KiB`, `MiB` or `GiB`, such as \"8MiB\"",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\n[routes.refusals.bad_request]\nstatus = 100",
            "7:10: `100` is no status of an answer; write one from 200 to 599",
        ),
    ]);
}

#[test]
fn a_websocket_is_opened_with_get_on_a_route_to_an_upstream() {
    check_routes(&[
        (
            "path = \"/\"\nupstream = \"php\"\nmethods = [\"POST\"]\nwebsocket = true",
            "7:13: a WebSocket is opened with GET; take that into `methods`, or remove `websocket`",
        ),
        (
            "path = \"/\"\naction = \"check\"\nwebsocket = true",
            "6:13: `websocket` is for what reaches an upstream; remove it, or give the upstream a route of its own",
        ),
        (
            "path = \"/\"\naction = \"phone\"\nupstream = \"php\"\nwebsocket = false",
            "7:13: `websocket` is for what reaches an upstream; remove it, or give the upstream a route of its own",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nwebsocket = \"yes\"",
            "6:13: `websocket` must be true or false, not a string",
        ),
    ]);
    let route = "[[routes]]\npath = \"/\"\nupstream = \"php\"";
    for (keys, is_taken) in [
        ("websocket = true", true),
        ("websocket = true\nmethods = [\"POST\", \"GET\"]", true),
        ("websocket = false\nmethods = [\"POST\"]", false),
    ] {
        let plan = plan(&format!("{SHOP}\n{PHP}\n{route}\n{keys}"));
        match &plan.routes[0].action {
            Action::Forward(to) => assert_eq!(to.websocket, is_taken, "{keys}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn open_data_is_opened_for_an_upstream_with_a_session() {
    let upstream = |keys: &str| format!("path = \"/\"\nupstream = \"php\"\n{keys}");
    let needs_session =
        "6:13: `open_data` needs the session whose key opens it; leave `auth` at \"required\"";
    check_routes(&[
        (
            &upstream("open_data = \"decrpt\""),
            "6:13: `decrpt` is no treatment of open data; did you mean `decrypt`? There is only `decrypt`",
        ),
        (
            &upstream("open_data = \"decrypt\"\nauth = \"optional\""),
            needs_session,
        ),
        (
            &upstream("open_data = \"decrypt\"\nauth = \"none\""),
            needs_session,
        ),
        (
            &upstream("open_data_field = \"d\""),
            "6:19: `open_data_field` names what `open_data = \"decrypt\"` opens; write that as well",
        ),
        (
            &upstream("open_data = \"decrypt\"\nopen_data_field = \"a.b\""),
            "7:19: `a.b` is no name of a field; write letters, digits, `_` and `-`, at most 64, \
            such as \"openData\"",
        ),
        (
            &upstream("open_data = \"decrypt\"\nopen_data_field = \"iv\""),
            "7:19: `iv` is what the client sends; choose another name, such as \"openData\"",
        ),
        (
            "path = \"/\"\naction = \"login\"\nopen_data = \"decrypt\"",
            "6:13: `open_data` is for what an upstream gets; remove it, or name an `upstream`",
        ),
        (
            "path = \"/\"\naction = \"check\"\nopen_data_field = \"d\"",
            "6:19: `open_data_field` is for what an upstream gets; remove it, or name an `upstream`",
        ),
    ]);
}

#[test]
fn a_phone_number_goes_to_an_upstream_or_to_the_client() {
    let phone = |keys: &str| format!("path = \"/\"\naction = \"phone\"\n{keys}");
    check_routes(&[
        (
            &phone(""),
            "3:1: nobody is told the phone number; name an `upstream` that gets it, or a `response` that \
            tells it to the client",
        ),
        (
            &phone("upstream = \"php\"\nresponse = {}"),
            "7:12: a phone number goes to an `upstream`, which answers for itself, or in a `response` to \
            the client; remove one of them",
        ),
        (
            &phone("upstream = \"pph\""),
            "6:12: `pph` is no upstream; did you mean `php`? There is only `php`",
        ),
        (
            &phone("response = [\"{skey}\"]"),
            "6:13: {skey} is not filled in here; there are {phone_number} {pure_phone_number} \
            {country_code} {null}",
        ),
        (
            &phone("upstream = \"php\"\nauth = \"optional\""),
            "7:8: a phone number needs the session of its user; leave `auth` at \"required\"",
        ),
        (
            &phone("upstream = \"php\"\nmethods = [\"GET\", \"POST\"]"),
            "7:12: the action `phone` takes POST, and no other method",
        ),
        (
            &phone("upstream = \"php\"\nopen_data = \"decrypt\""),
            "7:13: `open_data` opens encryptedData, and the action `phone` takes a code; remove it, or \
            give it a route of its own",
        ),
        (
            &phone("upstream = \"php\"\nopen_data_field = \"Code\""),
            "7:19: `Code` is what the client sends; choose another name, such as \"openData\"",
        ),
        (
            &phone("response = {}\nopen_data_field = \"d\""),
            "7:19: `open_data_field` is for what an upstream gets; remove it, or name an `upstream`",
        ),
        (
            &phone("upstream = \"php\"\napp = \"shp\""),
            "7:7: `shp` is no app; did you mean `shop`? There is only `shop`",
        ),
        (
            "path = \"/\"\naction = \"phne\"\nupstream = \"php\"\nauth = \"required\"",
            "5:10: `phne` is no action; did you mean `phone`? There are `login`, `check`, `rotate`, `logout`, `phone`, `auth-request`, `forward-auth` and `ext-authz`",
        ),
    ]);
}

#[test]
fn no_token_stands_in_a_field_that_a_route_itself_reads() {
    let route = |token: &str, keys: &str| {
        format!("{SHOP}\n{PHP}\nsessions.token = [{token}]\n[[routes]]\npath = \"/\"\n{keys}")
    };
    let problem = |at: &str, name: &str| {
        format!(
            "{at}: `{name}` in a body is what the route of line 4 reads, so no token can stand there; use another \
             place, such as \"header:X-Skey\""
        )
    };
    let phone = "action = \"phone\"\n";
    for to in ["upstream = \"php\"", "response = {}"] {
        let text = route(r#""bearer", "json:code""#, &format!("{phone}{to}"));
        assert_eq!(problems(&text), [problem("3:29", "code")], "{to}");
    }
    let opened = "upstream = \"php\"\nopen_data = \"decrypt\"";
    for name in ["encryptedData", "iv", "rawData", "rawdata", "signature"] {
        let text = route(&format!("\"form:{name}\""), opened);
        assert_eq!(problems(&text), [problem("3:19", name)]);
    }
    for (token, keys) in [
        (
            r#""query:code", "json:iv""#,
            "action = \"phone\"\nupstream = \"php\"",
        ),
        (r#""header:code", "json:code""#, opened),
        (r#""json:code", "form:iv""#, "upstream = \"php\""),
    ] {
        plan(&route(token, keys));
    }
}

#[test]
fn a_route_takes_what_requests_can_have() {
    check_routes(&[
        (
            "path = \"a\"\nupstream = \"php\"",
            "4:8: no request can have this path: the path does not start with a slash",
        ),
        (
            "path = \"/a*\"\nupstream = \"php\"",
            "4:8: `*` may stand only at the end, as a whole segment: \"/static/*\"",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nhosts = [\"a:80\"]",
            "6:10: `a:80` is no host; write \"api.example.com\" or \"*.example.com\", without a port",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nmethods = [\"PUT\", \"get\"]",
            "6:19: `get` is no method; write it in capitals, such as \"GET\"",
        ),
        (
            "path = \"/\"\nupstream = \"php\"\nhosts = []",
            "6:9: `hosts` is empty; name at least one",
        ),
        (
            "path = \"/%61\"\nupstream = \"php\"\n[[routes]]\npath = \"/a\"\naction = \"check\"",
            "7:8: this route takes the same requests as the one of line 4; change the path, the methods \
            or the hosts of one of them",
        ),
    ]);
}

#[test]
fn a_login_is_to_one_app_at_a_time() {
    let cafe = "apps.cafe = { appid = \"wx2\", secret = { env = \"SHOP_SECRET\" } }";
    let login = "[[routes]]\npath = \"/\"\naction = \"login\"";
    check(&[
        (
            login,
            "1:1: there is no app to log in to; add one as [apps.NAME]",
        ),
        (
            &format!("{SHOP}\n{cafe}\n{login}"),
            "3:1: `app` is missing in [[routes]]; this login is to one of `shop`, `cafe`",
        ),
        (
            &format!("{SHOP}\n{cafe}\n{login}\napp = [\"shop\", \"cafe\"]"),
            "6:7: this login is to one of several apps; say with `app_from` where a request names its own, or \
            give each app a login route",
        ),
        (
            &format!("{SHOP}\n{login}\napp = []"),
            "5:7: `app` is empty; name at least one",
        ),
    ]);
}

#[test]
fn an_appid_stands_for_one_app() {
    let app = |name: &str, appid: &str| {
        format!("apps.{name} = {{ appid = \"{appid}\", secret = {{ env = \"SHOP_SECRET\" }} }}\n")
    };
    let problem = |at: &str, other: &str| {
        format!(
            "{at}: `wx1` stands for the app `{other}` already; write that of this app, or remove one of them"
        )
    };
    let same = app("shop", "wx1") + &app("cafe", "wx2") + &app("bar", "wx1");
    let later = app("shop", "wx1") + &app("wx1", "wx2");
    let earlier = app("wx1", "wx2") + &app("shop", "wx1");
    check(&[
        (&same, &problem("3:22", "shop")),
        (&later, &problem("1:23", "wx1")),
        (&earlier, &problem("2:23", "wx1")),
    ]);
    plan(&(app("wx1", "wx1") + &app("shop", "wx2")));
}

#[test]
fn the_app_of_a_login_is_chosen_among_several_by_places_that_there_are() {
    let cafe = "apps.cafe = { appid = \"wx2\", secret = { env = \"SHOP_SECRET\" } }";
    let route = |keys: &str| format!("{SHOP}\n{cafe}\n{PHP}\n[[routes]]\npath = \"/\"\n{keys}");
    let login = |keys: &str| route(&format!("action = \"login\"\n{keys}"));
    let several = "app = [\"shop\", \"cafe\"]";
    let chosen = "`app_from` chooses among several apps, and this login is to one; remove it, or name more in `app`";
    let elsewhere = "`app_from` says to which app a login is; remove it, a session has its app";
    check(&[
        (
            &login("app = \"shop\"\napp_from = [\"referer\"]"),
            &format!("8:12: {chosen}"),
        ),
        (
            &format!(
                "{SHOP}\n[[routes]]\npath = \"/\"\naction = \"login\"\napp_from = \"referer\""
            ),
            &format!("5:12: {chosen}"),
        ),
        (
            &login("app_from = [\"referer\"]"),
            "4:1: `app` is missing in [[routes]]; this login is to one of `shop`, `cafe`",
        ),
        (
            &login(&format!("{several}\napp_from = []")),
            "8:12: `app_from` is empty; name at least one",
        ),
        (
            &login(&format!("{several}\napp_from = [\"referer\", \"query:a\"]")),
            "8:24: `query:a` is no place for an app; there are \"header:NAME\", \"parameter:NAME\" and \"referer\"",
        ),
        (
            &login(&format!("{several}\napp_from = \"header:Referer\"")),
            "8:12: `referer` is a header that HTTP or wxgate itself needs; use another, such as \"X-App\"",
        ),
        (
            &login("app = [\"shop\", \"caff\"]\napp_from = \"referer\""),
            "7:16: `caff` is no app; did you mean `cafe`? There are `shop` and `cafe`",
        ),
        (
            &route(&format!(
                "action = \"check\"\n{several}\napp_from = \"referer\""
            )),
            &format!("8:12: {elsewhere}"),
        ),
        (
            &route(&format!(
                "upstream = \"php\"\n{several}\napp_from = \"referer\""
            )),
            &format!("8:12: {elsewhere}"),
        ),
    ]);
}
