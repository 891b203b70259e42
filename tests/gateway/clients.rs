//! Clients under node against a gateway: the module in deploy/clients, whose types are checked too, and the packages of
//! npm that mini-programs in the shops have.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Map, Value, json};
use wxgate::domain::clock::Clock;
use wxgate::simulator::Simulator;

use crate::harness::{BASE, Backend, Ended, Process, Scratch, Seen, World, refusing};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MODULE: &str = include_str!("../../deploy/clients/miniprogram/wxgate.js");
const GUIDE: &str = include_str!("../../deploy/clients/miniprogram/README.md");
/// What is to be done where node, or a package for it, is missing.
const HINT: &str = "tests/run.sh installs what the tests need";
/// Longer than any session lasts.
const DAYS: Duration = Duration::from_hours(8 * 24);
/// A route that opens encrypted data; one that takes WebSockets; one whose sessions are those of another app, so that a login to the shop never helps
/// there; and a backend that nobody reaches.
const MORE: &str = r#"
[apps.game]
appid = "wxfedcba9876543210"
secret = { env = "SHOP_SECRET" }

[[routes]]
path = "/elsewhere/*"
upstream = "php"
app = "game"

[[routes]]
path = "/opened/*"
upstream = "php"
open_data = "decrypt"

[[routes]]
path = "/socket"
upstream = "php"
websocket = true

[upstreams.nowhere]
servers = ["http://NOWHERE"]
"#;
/// The routes of the clients of one dialect: a login, a backend, and some where calls fail for other reasons.
const DIALECT: &str = r#"
[[routes]]
path = "/DIALECT/login"
action = "login"
app = "shop"
dialect = "DIALECT"

[[routes]]
path = "/DIALECT/*"
upstream = "php"
app = "shop"
dialect = "DIALECT"

[[routes]]
path = "/DIALECT/down"
upstream = "nowhere"
dialect = "DIALECT"

[[routes]]
path = "/DIALECT/small"
upstream = "php"
max_body = "1B"
dialect = "DIALECT"

[[routes]]
path = "/DIALECT/elsewhere"
upstream = "php"
app = "game"
dialect = "DIALECT"
"#;

#[test]
fn the_mini_program_module_keeps_a_session() {
    run("miniprogram/session.test.js");
}

#[test]
fn the_mini_program_module_requests_uploads_and_connects() {
    run("miniprogram/transfers.test.js");
}

#[test]
fn the_mini_program_module_fetches_encrypted_data_after_the_login() {
    run("miniprogram/open_data.test.js");
}

#[test]
fn the_mini_program_module_sends_encrypted_data_that_a_route_opens() {
    run_where("miniprogram/open_data_route.test.js", |wechat| {
        wechat.renew_keys(true);
    });
}

#[test]
fn the_packages_of_wafer_keep_a_session() {
    run("wafer/session.test.js");
}

#[test]
fn the_packages_of_wafer_tell_what_came_of_a_login() {
    run("wafer/login.test.js");
}

#[test]
fn the_mini_program_module_has_the_types_that_wechat_publishes() {
    check_types("tests/clients/tsconfig.json");
}

#[test]
fn every_piece_of_code_in_the_guide_has_the_right_types() {
    let pieces: Vec<_> = GUIDE.split("\n```js\n").skip(1).collect();
    assert!(pieces.len() >= 4, "only {} pieces were found", pieces.len());
    let scratch = Scratch::new();
    scratch.write("wxgate.js", MODULE);
    for (number, piece) in pieces.iter().enumerate() {
        let (piece, _) = piece.split_once("\n```").unwrap();
        let name = if number == 0 {
            "gateway.js".to_owned()
        } else {
            format!("piece{number}.js")
        };
        scratch.write(&name, &format!("{piece}\nexport {{}};\n"));
    }
    let config = json!({
        "extends": format!("{ROOT}/tests/clients/tsconfig.json"),
        "files": [],
        "include": ["*.js"],
    });
    let config = scratch.write("tsconfig.json", &config.to_string());
    check_types(config.to_str().unwrap());
}

#[test]
fn the_guide_has_every_option_and_every_reason_of_the_module() {
    let options: Vec<_> = words(MODULE, " * @property {", |line| {
        let (_, name) = line.split_once("} ")?;
        name.split([' ', '[', ']']).find(|word| !word.is_empty())
    });
    let rows = GUIDE
        .split_once("| option | without it | meaning |")
        .unwrap()
        .1;
    let rows = rows.split("\n\n").next().unwrap();
    let written = words(rows, "| `", |row| row.split('`').next());
    assert!(written.len() >= 8, "{written:?}");
    assert_eq!(written, options);
    let reasons = words(MODULE, "", |line| {
        line.split_once("new WxgateError('")?.1.split('\'').next()
    });
    assert!(reasons.len() >= 3, "{reasons:?}");
    for reason in reasons {
        assert!(GUIDE.contains(&format!("| `{reason}`")), "{reason}");
    }
}

/// What `find` finds in the lines behind `mark`.
fn words<'a>(text: &'a str, mark: &str, find: impl Fn(&'a str) -> Option<&'a str>) -> Vec<&'a str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
    lines.filter_map(find).collect()
}

/// Runs the tests of one file against a gateway of its own.
#[track_caller]
fn run(file: &str) {
    run_where(file, |_| ());
}

/// The same, with a WeChat that is arranged before.
#[track_caller]
fn run_where(file: &str, arrange: impl FnOnce(&Simulator)) {
    let clock = Arc::new(OnceLock::new());
    let login = "action = \"login\"";
    let base = BASE.replace(login, &format!("{login}\napp = \"shop\""));
    let dialects = ["wafer1", "wafer2"].map(|dialect| DIALECT.replace("DIALECT", dialect));
    let (_held, nowhere) = refusing();
    let config = format!("{base}\n{MORE}\n{}", dialects.concat());
    let config = config.replace("NOWHERE", &nowhere.to_string());
    let world = World::around(&config, backend(Arc::clone(&clock)));
    clock.set(world.clock.clone()).unwrap();
    arrange(&world.wechat);
    let admin = world.gateway().admin_address().unwrap();
    let mut node = node();
    node.env("WXGATE", format!("http://{}", world.address()));
    node.env("WXGATE_ADMIN", format!("http://{admin}"));
    node.env("WECHAT", world.wechat.base_url());
    node.args(["--test", "--test-reporter=tap"]);
    node.arg(format!("tests/clients/{file}"));
    let Ended { code, out, err } = Process::start(node, HINT).wait();
    assert_eq!(code, Some(0), "{out}\n{err}");
    let mut counts = out.lines().filter_map(|line| line.strip_prefix("# pass "));
    let passed: usize = counts.next().expect(&out).parse().unwrap();
    assert!(passed > 0, "{out}\n{err}");
}

/// Checks the types of the files that a tsconfig.json names.
#[track_caller]
fn check_types(config: &str) {
    let compiler = "target/clients/node_modules/typescript/bin/tsc";
    let compiler = PathBuf::from(ROOT).join(compiler);
    assert!(
        compiler.exists(),
        "there is no {}; {HINT}",
        compiler.display()
    );
    let mut tsc = node();
    tsc.arg(compiler).args(["--project", config]);
    let Ended { code, out, err } = Process::start(tsc, HINT).wait();
    assert_eq!(code, Some(0), "{out}\n{err}");
}

fn node() -> Command {
    let mut node = Command::new("node");
    node.current_dir(ROOT).stdin(Stdio::null());
    node.env_remove("NODE_OPTIONS");
    node
}

/// A backend that tells what reached it, answers as it is told to, and can let days pass.
fn backend(clock: Arc<OnceLock<Clock>>) -> Backend {
    Backend::that(move |conversation| {
        while let Some(seen) = conversation.read_request() {
            if seen.target == "/open/days-pass" {
                clock.get().unwrap().turn(DAYS);
            }
            conversation.send(&answer_to(&seen));
        }
    })
}

/// What was seen, as JSON; or what `/open/answers?status=…&error=…` asks for; or what wxgate says of stale data.
fn answer_to(seen: &Seen) -> Vec<u8> {
    let body = String::from_utf8_lossy(&seen.body);
    let wanted = seen.target.strip_prefix("/open/answers?");
    let wanted = wanted.or(body
        .contains("stale")
        .then_some("status=400&error=data_undecryptable"));
    let Some(wanted) = wanted else {
        let headers = seen.headers.iter();
        let headers: Map<_, _> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value.as_str())))
            .collect();
        let told = json!({
            "method": seen.method, "target": seen.target, "headers": headers, "body": body,
        });
        return answer("200", &told);
    };
    let fields: BTreeMap<_, _> = form_urlencoded::parse(wanted.as_bytes()).collect();
    let refusal = fields
        .get("error")
        .map(|code| json!({"error": code, "message": "as it was told to"}));
    answer(&fields["status"], &refusal.unwrap_or_else(|| json!({})))
}

fn answer(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Told\r\nRetry-After: 60\r\nContent-Length: {length}");
    format!("{head}\r\n\r\n{body}").into_bytes()
}
