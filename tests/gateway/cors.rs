//! Pages of other origins: which may ask what, which may read what, and what no page gets by it.

use crate::harness::{Answer, Ask, BASE, Backend, Process, Scratch, World, wxgate};

const H5: &str = "https://h5.example.com";
const EVIL: &str = "https://evil.example.com";

/// The base config where the pages of one origin may read what all routes but the open ones answer.
fn config(more: &str) -> String {
    let cors = format!("cors = {{ origins = [\"{H5}\", \"http://localhost:5173\"]{more} }}");
    BASE.replace(
        "path = \"/wx/login\"",
        &format!("path = \"/wx/login\"\n{cors}"),
    )
    .replace("path = \"/*\"", &format!("path = \"/*\"\n{cors}"))
}

/// What a browser asks before a page of `origin` may send `method`.
fn preflight(target: &str, origin: &str, method: &str) -> Ask {
    Ask::new("OPTIONS", target)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method)
        .header("Access-Control-Request-Headers", "content-type,x-skey")
}

fn page(target: &str, origin: &str) -> Ask {
    Ask::get(target).header("Origin", origin)
}

/// The names of all headers that let a page do something.
fn allowing(answer: &Answer) -> Vec<String> {
    let names = answer.headers.iter().map(|(name, _)| name.to_lowercase());
    let mut names: Vec<_> = names
        .filter(|name| name.replace('_', "-").starts_with("access-control-"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_browser_that_asks_is_answered_without_a_session_and_without_the_backend() {
    let world = World::of(&config(""));
    for origin in [H5, "http://localhost:5173"] {
        let answer = world.ask(&preflight("/orders/7", origin, "PUT"));
        assert_eq!((answer.status, answer.text().as_str()), (204, ""));
        assert_eq!(answer.values("Access-Control-Allow-Origin"), [origin]);
        assert_eq!(
            answer.values("Access-Control-Allow-Methods"),
            ["GET, HEAD, POST, PUT, PATCH, DELETE"]
        );
        assert_eq!(
            answer.values("Access-Control-Allow-Headers"),
            ["content-type, x-skey, authorization"]
        );
        assert_eq!(answer.values("Access-Control-Max-Age"), ["600"]);
        assert_eq!(answer.values("Access-Control-Allow-Credentials"), [""; 0]);
        assert_eq!(
            answer.values("Vary"),
            ["Origin, Access-Control-Request-Method, Access-Control-Request-Headers"]
        );
        let line = world.access_line(&answer);
        assert_eq!(
            (&line["route"], &line["status"]),
            (&"/*".into(), &204.into())
        );
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_page_of_another_origin_is_told_nothing() {
    let world = World::of(&config(", credentials = true"));
    let others = [
        EVIL,
        "null",
        "",
        "https://h5.example.com.evil.com",
        "https://evil.com/https://h5.example.com",
        "http://h5.example.com",
        "https://h5.example.com:8443",
        "https://H5.example.com",
        "https://h5.example.com, https://evil.example.com",
    ];
    for origin in others {
        let answer = world.ask(&preflight("/orders", origin, "PUT"));
        assert_eq!(
            (answer.status, allowing(&answer)),
            (204, vec![]),
            "{origin}"
        );
        let answer = world
            .ask(&page("/orders", origin))
            .refused(401, "session_missing");
        assert_eq!(allowing(&answer), [""; 0], "{origin}");
        assert_eq!(answer.values("Vary"), ["Origin"]);
    }
    let two = page("/orders", H5).header("Origin", EVIL);
    assert_eq!(allowing(&world.ask(&two)), [""; 0]);
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_page_reads_answers_and_refusals_alike() {
    let world = World::of(&config(", expose_headers = [\"X-Total\"]"));
    let skey = world.skey_of("alice");
    let answers = [
        world.ask(&page("/orders", H5).skey(&skey)),
        world
            .ask(&page("/orders", H5))
            .refused(401, "session_missing"),
        world
            .ask(&page("/orders", H5).skey("unknown"))
            .refused(401, "session_invalid"),
        world
            .ask(&page("/wx/login", H5))
            .refused(400, "login_code_missing"),
        world
            .ask(&page("/orders", H5).header("Content-Length", "99999999"))
            .refused(413, "body_too_large"),
    ];
    for answer in answers {
        assert_eq!(
            answer.values("Access-Control-Allow-Origin"),
            [H5],
            "{answer:?}"
        );
        assert_eq!(answer.values("Access-Control-Allow-Credentials"), [""; 0]);
        assert_eq!(answer.values("Vary"), ["Origin"]);
        assert_eq!(answer.values("Access-Control-Allow-Methods"), [""; 0]);
    }
    let order = world.ask(&page("/orders", H5).skey(&skey));
    assert_eq!(
        order.values("Access-Control-Expose-Headers"),
        ["x-request-id, x-total"]
    );
    world.backend.stop();
    let gone = world.ask(&page("/orders", H5).skey(&skey));
    assert_eq!(gone.values("Access-Control-Allow-Origin"), [H5], "{gone:?}");
    assert_eq!(gone.status, 502);
}

#[test]
fn who_asks_without_an_origin_still_varies_by_it() {
    let world = World::of(&config(""));
    let skey = world.skey_of("alice");
    let answer = world.get_as(&skey, "/orders");
    assert_eq!(
        (allowing(&answer), answer.values("Vary")),
        (vec![], vec!["Origin"])
    );
}

#[test]
fn what_a_backend_says_of_pages_is_gone_on_such_a_route_and_stays_on_others() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess_Control_Allow_Credentials: true\r\n\
                access-control-allow-methods: *\r\nVary: Accept-Encoding\r\nContent-Length: 2\r\n\r\nok",
            );
        }
    });
    let world = World::around(&config(", credentials = true"), backend);
    let skey = world.skey_of("alice");
    let evil = world.ask(&page("/orders", EVIL).skey(&skey));
    assert_eq!((evil.status, allowing(&evil)), (200, vec![]));
    assert_eq!(evil.values("Vary"), ["Accept-Encoding", "Origin"]);
    let h5 = world.ask(&page("/orders", H5).skey(&skey));
    assert_eq!(h5.values("Access-Control-Allow-Origin"), [H5]);
    assert_eq!(h5.values("Access-Control-Allow-Credentials"), ["true"]);
    let open = world.ask(&page("/open/x", EVIL));
    assert_eq!(open.values("Access-Control-Allow-Origin"), ["*"]);
    assert_eq!(open.values("Vary"), ["Accept-Encoding"]);
}

#[test]
fn other_options_requests_go_their_way() {
    let world = World::of(&config(""));
    let skey = world.skey_of("alice");
    let options = Ask::new("OPTIONS", "/orders");
    world.ask(&options).refused(401, "session_missing");
    let without_method = options.clone().header("Origin", H5);
    world.ask(&without_method).refused(401, "session_missing");
    assert_eq!(world.ask(&options.skey(&skey)).status, 200);
    // A route that says nothing of pages leaves them to its backend.
    let open = world.ask(&preflight("/open/x", H5, "GET"));
    assert_eq!((open.status, open.text().as_str()), (200, "seen"));
    let seen = world.backend.seen();
    assert_eq!(seen.last().unwrap().method, "OPTIONS");
    // What is wrong with any request is wrong with this one, too.
    world
        .ask(&preflight("/orders/../x", H5, "GET"))
        .refused(400, "bad_request");
    let no_method = world.ask(&preflight("/orders", H5, "a b"));
    no_method.refused(401, "session_missing");
}

#[test]
fn a_browser_is_answered_by_the_route_of_the_request_that_it_asks_for() {
    let route = |path: &str, method: &str, more: &str| {
        format!(
            "[[routes]]\npath = \"{path}\"\nmethods = [\"{method}\"]\nupstream = \"php\"\nauth = \"none\"\n{more}\n"
        )
    };
    let cors = |origin: &str| {
        format!(
            "cors = {{ origins = [\"{origin}\"], max_age = \"0s\", allow_headers = [\"X-App\"] }}"
        )
    };
    let routes = [
        route("/a", "GET", &cors(H5)),
        route("/a", "POST", &cors(EVIL)),
        route("/a", "OPTIONS", ""),
    ];
    let world = World::with(&routes.concat());
    let get = world.ask(&preflight("/a", H5, "GET"));
    assert_eq!(get.values("Access-Control-Allow-Methods"), ["GET"]);
    assert_eq!(get.values("Access-Control-Max-Age"), ["0"]);
    assert_eq!(
        get.values("Access-Control-Allow-Headers"),
        ["content-type, x-skey, authorization, x-app"]
    );
    let post = world.ask(&preflight("/a", H5, "POST"));
    assert_eq!((post.status, allowing(&post)), (204, vec![]));
    // What no route with pages takes is an OPTIONS like any other.
    assert_eq!(world.ask(&preflight("/a", H5, "PUT")).text(), "seen");
}

#[test]
fn explain_shows_what_a_page_may_do() {
    let scratch = Scratch::new();
    let config = format!(
        "upstreams.php.servers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/*\"\nupstream = \"php\"\n\
        auth = \"none\"\ncors = {{ origins = [\"{H5}\"], credentials = true }}\n"
    );
    scratch.write("gateway.toml", &config);
    let told = |arguments: &[&str]| {
        let mut command = wxgate(arguments);
        command.current_dir(scratch.path());
        Process::run(command).out
    };
    let get = told(&["explain", "GET", "/x"]);
    assert!(
        get.ends_with("pages     of https://h5.example.com may read the answer\n"),
        "{get}"
    );
    let origin = format!("Origin: {H5}");
    let asked = told(&[
        "explain",
        "OPTIONS",
        "/x",
        "-H",
        &origin,
        "-H",
        "Access-Control-Request-Method: PUT",
    ]);
    assert!(
        asked.starts_with("route     /*\naction    answer to a browser that asks for a page\n"),
        "{asked}"
    );
    assert!(
        asked.contains("access-control-allow-origin: https://h5.example.com\n"),
        "{asked}"
    );
}
