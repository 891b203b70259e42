//! What a client is told when the gateway itself answers: every code of the table, and the shapes that configs give.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde_json::json;
use socket2::{Domain, Socket, Type};
use wxgate::domain::refusal::RefusalCode;
use wxgate::simulator::Behaviour;

use crate::harness::{Answer, Ask, BASE, Backend, World};

#[test]
fn every_code_of_the_table_is_told_under_its_status() {
    let stage = Stage::set();
    for code in RefusalCode::ALL {
        let (status, answer) = stage.provoke(code);
        assert_eq!(answer.status, status, "{code}: {answer:?}");
        let id = answer.header("x-request-id").unwrap();
        let told = json!({"error": code.as_str(), "message": code.message(), "request_id": id});
        assert_eq!(answer.text(), told.to_string());
        let header = |name| answer.header(name);
        assert_eq!(
            header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(header("cache-control"), Some("no-store"));
    }
}

#[test]
fn every_refusal_is_counted_and_has_an_access_line() {
    let stage = Stage::set();
    for code in RefusalCode::ALL {
        if code == RefusalCode::Overloaded {
            continue;
        }
        let (status, answer) = stage.provoke(code);
        let line = stage.world.access_line(&answer);
        assert_eq!(line["refusal"], code.as_str());
        assert_eq!(line["status"], status);
        assert!(line["reason"].is_string(), "{line}");
        let series = format!("wxgate_refusals_total{{code=\"{code}\"}}");
        assert_eq!(stage.world.count(&series), 1, "{code}");
    }
}

#[test]
fn a_config_gives_a_refusal_another_status_and_body() {
    let world = World::with(
        r#"
[refusals]
session_missing = { status = 200, body = { errno = 401, errmsg = "{message}", rid = "{request_id}", no = "{null}", code = "<{code}>" } }
session_invalid = { status = 499 }
route_not_found = { body = ["{code}"] }
headers_too_large = { status = 200, body = { errno = 431 } }
"#,
    );
    let answer = world.get("/mine");
    let errmsg = RefusalCode::SessionMissing.message();
    let rid = answer.header("x-request-id").unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        json!({"errno": 401, "errmsg": errmsg, "rid": rid, "no": null, "code": "<session_missing>"})
            .to_string()
    );
    world.get_as("x", "/mine").refused(499, "session_invalid");
    let answer = world.ask(&with_long_header());
    assert_eq!((answer.status, answer.json()), (200, json!({"errno": 431})));
    assert!(answer.header("x-request-id").is_some());
}

#[test]
fn a_route_gives_its_refusals_shapes_of_its_own_which_win() {
    let world = World::with(
        r#"
[refusals]
session_missing = { status = 200, body = { of = "all" } }
session_invalid = { status = 200, body = { of = "all" } }

[[routes]]
path = "/both/*"
upstream = "php"
refusals = { session_missing = { status = 403, body = { of = "route" } } }

[[routes]]
path = "/status/*"
upstream = "php"
refusals = { session_missing = { status = 403 } }

[[routes]]
path = "/body/*"
upstream = "php"
refusals = { session_missing = { body = { of = "route" } } }
"#,
    );
    let told = |answer: Answer| (answer.status, answer.json());
    let (of_all, of_route) = (json!({"of": "all"}), json!({"of": "route"}));
    assert_eq!(told(world.get("/mine")), (200, of_all.clone()));
    assert_eq!(told(world.get("/both/x")), (403, of_route.clone()));
    assert_eq!(told(world.get("/status/x")), (403, of_all.clone()));
    assert_eq!(told(world.get("/body/x")), (200, of_route));
    assert_eq!(told(world.get_as("x", "/both/x")), (200, of_all));
}

#[test]
fn login_check_and_logout_routes_shape_their_refusals_too() {
    let refusals =
        |code| format!("refusals = {{ {code} = {{ status = 200, body = {{ e = 1 }} }} }}");
    let route = |path, code| {
        let refusals = refusals(code);
        format!("[[routes]]\npath = \"/old/{path}\"\naction = \"{path}\"\n{refusals}\n")
    };
    let world = World::with(
        &[
            route("login", "login_code_missing"),
            route("check", "session_missing"),
            route("logout", "session_missing"),
        ]
        .concat(),
    );
    for path in ["/old/login", "/old/check", "/old/logout"] {
        let answer = world.get(path);
        assert_eq!((answer.status, answer.json()), (200, json!({"e": 1})));
    }
    world.get("/wx/login").refused(400, "login_code_missing");
}

#[test]
fn a_reshaped_refusal_keeps_the_headers_that_tell_what_to_do() {
    let world = World::with(
        "[refusals]\nlogin_rate_limited = { status = 200 }\nmethod_not_allowed = { status = 200 }",
    );
    world.wechat.behave(Behaviour::RateLimited);
    let answer = world.login("alice").refused(200, "login_rate_limited");
    assert_eq!(answer.header("retry-after"), Some("60"));
    let answer = world.ask(&Ask::new("PUT", "/wx/login"));
    let answer = answer.refused(200, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, POST"));
}

#[test]
fn a_refused_head_has_no_body_and_the_connection_goes_on() {
    let world = World::new();
    let mut line = world.connect();
    let mut told = |method: &str, target: &str| {
        let answer = line.ask(&Ask::new(method, target));
        (
            answer.status,
            answer.header("content-length").map(str::to_owned),
        )
    };
    let (status, length) = told("GET", "/mine");
    assert_eq!(status, 401);
    for target in ["/mine", "/mine"] {
        assert_eq!(told("HEAD", target), (401, length.clone()));
    }
    assert_eq!(told("HEAD", "/a//b").0, 400);
    assert_eq!(told("GET", "/open/x").0, 200);
}

#[test]
fn a_status_that_has_no_body_goes_out_without_one_and_the_connection_goes_on() {
    let world = World::with(
        "[refusals]\nsession_missing = { status = 204 }\nsession_invalid = { status = 304 }",
    );
    let mut line = world.connect();
    for _ in 0..2 {
        let answer = line.ask(&Ask::get("/mine"));
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        assert_eq!(answer.header("content-length"), None);
        let answer = line.ask(&Ask::get("/mine").skey("x"));
        assert_eq!((answer.status, answer.text().as_str()), (304, ""));
    }
    assert_eq!(line.ask(&Ask::get("/open/x")).text(), "seen");
}

#[test]
fn a_connection_goes_on_after_a_refused_request_with_a_short_body() {
    let world = World::new();
    let mut line = world.connect();
    for _ in 0..2 {
        let answer = line.ask(&Ask::post("/mine").form(&[("a", "b")]));
        answer.refused(401, "session_missing");
    }
    assert_eq!(line.ask(&Ask::get("/open/x")).text(), "seen");
    assert_eq!(world.backend.only_seen().target, "/open/x");
}

/// A route for phone codes.
const PHONE: &str = r#"
[[routes]]
path = "/phone"
action = "phone"
upstream = "php"
"#;

/// A limit that only one user comes to.
const LIMITS: &str = "[limits]\nrequests_per_user = \"1/h burst 10\"";

/// A world in which everything can go wrong.
struct Stage {
    world: World,
    _nowhere: Socket,
    _odd: Backend,
    _mute: Backend,
}

impl Stage {
    fn set() -> Self {
        // Bound, so that nobody else gets the port, but not listening.
        let nowhere = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let anywhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        nowhere.bind(&anywhere.into()).unwrap();
        let odd = Backend::that(|conversation| {
            conversation.read_request();
            conversation.send(b"220 mail.example.com ESMTP\r\n\r\n");
        });
        let mute = Backend::that(|conversation| {
            conversation.read_request();
            conversation.wait_end();
        });
        let address = nowhere.local_addr().unwrap().as_socket().unwrap();
        let upstreams = [
            ("gone", address, "60s"),
            ("odd", odd.address(), "60s"),
            ("mute", mute.address(), "200ms"),
        ];
        let upstreams = upstreams.map(open_route);
        // A base without a route for everything.
        let base = BASE.replace("path = \"/*\"", "path = \"/mine\"") + PHONE + FEW;
        Self {
            world: World::of(&(base + &upstreams.concat() + LIMITS)),
            _nowhere: nowhere,
            _odd: odd,
            _mute: mute,
        }
    }

    /// Brings one refusal about; gives it and the status that the table has for it.
    fn provoke(&self, code: RefusalCode) -> (u16, Answer) {
        let world = &self.world;
        let get = |target: &str| world.get(target);
        let troubled = |behaviour| {
            world.wechat.behave_next(1, behaviour);
            world.login("alice")
        };
        let phone = |fields: &[(&str, &str)]| {
            let ask = Ask::post("/phone").skey(&world.skey_of("alice"));
            world.ask(&ask.form(fields))
        };
        match code {
            RefusalCode::SessionMissing => (401, get("/mine")),
            RefusalCode::SessionReplaced => (401, self.elsewhere()),
            RefusalCode::SessionInvalid => (401, world.get_as("x", "/mine")),
            RefusalCode::LoginCodeMissing => (400, get("/wx/login")),
            RefusalCode::LoginCodeInvalid => (401, world.login_with("unheard-of")),
            RefusalCode::LoginCodeUsed => (401, troubled(Behaviour::Errcode(40163))),
            RefusalCode::LoginBlocked => (403, troubled(Behaviour::Errcode(40226))),
            RefusalCode::LoginRateLimited => (429, troubled(Behaviour::RateLimited)),
            RefusalCode::PhoneCodeMissing => (400, phone(&[])),
            RefusalCode::PhoneCodeInvalid => (400, phone(&[("code", "unheard-of")])),
            RefusalCode::WechatUnavailable => (503, troubled(Behaviour::Status(500))),
            RefusalCode::GatewayMisconfigured => (502, troubled(Behaviour::Errcode(40125))),
            RefusalCode::SignatureInvalid => (400, get("/wx/login?code=C&signature=s")),
            RefusalCode::DataUndecryptable => (400, get("/wx/login?code=C&iv=i")),
            RefusalCode::BadRequest => (400, get("/a/../b")),
            RefusalCode::RouteNotFound => (404, get("/nowhere")),
            RefusalCode::MethodNotAllowed => (405, world.ask(&Ask::new("PUT", "/wx/login"))),
            RefusalCode::BodyTooLarge => (413, world.ask(&with_announced_body())),
            RefusalCode::UriTooLong => (414, get(&format!("/{}", "a".repeat(9000)))),
            RefusalCode::HeadersTooLarge => (431, world.ask(&with_long_header())),
            RefusalCode::UpstreamUnreachable => (502, get("/gone")),
            RefusalCode::UpstreamFailed => (502, get("/odd")),
            RefusalCode::UpstreamTimeout => (504, get("/mute")),
            RefusalCode::RateLimited => (429, self.one_too_soon()),
            RefusalCode::Overloaded => (503, one_too_many()),
        }
    }

    /// The answer to a user who has logged in elsewhere since.
    fn elsewhere(&self) -> Answer {
        let skeys = [(); 3].map(|()| self.world.skey_of("mallory"));
        self.world.get_as(&skeys[0], "/mine")
    }

    /// The answer to a user who comes until it is too often.
    fn one_too_soon(&self) -> Answer {
        let skey = self.world.skey_of("eve");
        let mut answers = (0..20).map(|_| self.world.get_as(&skey, "/mine"));
        answers.find(|answer| answer.status != 200).unwrap()
    }
}

/// How many sessions a user may have.
const FEW: &str = "\n[sessions]\nmax_sessions_per_user = 2\n";

/// A route to an upstream of its own.
fn open_route((name, address, timeout): (&str, SocketAddr, &str)) -> String {
    format!(
        r#"
[upstreams.{name}]
servers = ["http://{address}"]
timeout = "{timeout}"

[[routes]]
path = "/{name}"
upstream = "{name}"
auth = "none"
"#
    )
}

fn with_announced_body() -> Ask {
    Ask::post("/open/x").header("Content-Length", "20000000")
}

fn with_long_header() -> Ask {
    Ask::get("/mine").header("X-Long", &"x".repeat(64 * 1024))
}

/// The answer to a second connection where there may be one.
fn one_too_many() -> Answer {
    let one = "workers = 1\nmax_connections = 1";
    let world = World::where_config(&[("workers = 1", one)]);
    let mut first = world.connect();
    assert_eq!(first.ask(&Ask::get("/open/x")).status, 200);
    world.get("/open/x")
}
