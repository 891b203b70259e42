//! The recipes as they are shipped, each between a mini-program that knows nothing of wxgate and a backend.

mod auth_request;
mod cloudrun;
mod errno_200;
mod ext_authz;
mod forward_auth;
mod fronts;
mod login_key_body;
mod php_fpm;
mod sessionid_header;
mod silent_unionid;
mod wafer1;
mod wafer2;
mod wxlogin_form;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{
    Answer, Backend, Ended, Line, Process, SECRET, World, between_stand_ins, wxgate,
};

const README: &str = include_str!("../../deploy/recipes/README.md");
/// Longer than any session of a recipe lives.
const LONG: Duration = Duration::from_hours(8 * 24);
/// Longer than a code is remembered for a login that is repeated, and less than a session lives unused.
const SHORT: Duration = Duration::from_mins(10);

/// A mini-program in the hands of a user, whose requests go to a gateway that runs a recipe.
struct Phone {
    world: World,
}

impl Phone {
    /// The recipe of this name around a backend that answers everything.
    fn with(recipe: &str) -> Self {
        Self::around(recipe, Backend::start())
    }

    /// The recipe of this name around this backend.
    #[track_caller]
    fn around(recipe: &str, backend: Backend) -> Self {
        Self::of(&config_of(recipe), backend)
    }

    /// The recipe of this name before a backend that runs at this address.
    #[track_caller]
    fn before(recipe: &str, address: SocketAddr) -> Self {
        let there = format!("http://{address}");
        let config = config_of(recipe).replace("BACKEND", &there);
        Self::of(&config, Backend::start())
    }

    fn of(config: &str, backend: Backend) -> Self {
        let world = World::around(config, backend);
        world.wechat.set_unionid("alice", Some("uAlice"));
        Self { world }
    }

    /// What `wx.login()` gives the mini-program of `alice`.
    fn code(&self) -> String {
        self.world.wechat.issue_code("alice")
    }

    /// `wx.request`, byte for byte: the request line and the mini-program's own headers, then what WeChat adds, then the body.
    fn request(&self, line: &str, own: &[&str], body: &str) -> Answer {
        self.request_as("application/json", line, own, body)
    }

    /// The same with a content type of the mini-program's own.
    fn request_as(&self, content_type: &str, line: &str, own: &[&str], body: &str) -> Answer {
        let own = own
            .iter()
            .flat_map(|header| [header, "\r\n"])
            .collect::<String>();
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let request = format!(
            "{line} HTTP/1.1\r\nHost: api.example.com\r\nConnection: keep-alive\r\n{length}charset: utf-8\r\n{own}\
             content-type: {content_type}\r\n\
             User-Agent: Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50 MiniProgramEnv/android\r\n\
             Accept-Encoding: gzip,compress,br,deflate\r\n\
             Referer: https://servicewechat.com/wx0123456789abcdef/7/page-frame.html\r\n\r\n{body}"
        );
        let mut gateway = Line::to(self.world.address());
        gateway.send_all(request.as_bytes());
        gateway.answer()
    }

    /// What the backend saw since it was last asked, under this header, request by request.
    fn told(&self, header: &str) -> Vec<Vec<String>> {
        let seen = self.world.backend.seen();
        self.world.backend.forget();
        let owned = |values: Vec<&str>| values.into_iter().map(str::to_owned).collect();
        seen.iter().map(|seen| owned(seen.values(header))).collect()
    }
}

/// Holds that an answer is JSON under this status with exactly these bytes.
#[track_caller]
fn says(answer: &Answer, status: u16, body: &str) {
    let is_json = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    assert!(is_json, "{answer:?}");
    assert_eq!((answer.status, answer.text().as_str()), (status, body));
}

/// The token in an answer under HTTP 200 that has exactly these bytes around it.
#[track_caller]
fn token(answer: &Answer, before: &str, after: &str) -> String {
    let text = answer.text();
    let token = text
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    let token = token.filter(|token| token.len() == 43 && !token.contains('"'));
    assert_eq!(answer.status, 200, "{answer:?}");
    token
        .unwrap_or_else(|| panic!("no token in {text}"))
        .to_owned()
}

/// The recipe of this name, less its addresses.
#[track_caller]
fn config_of(recipe: &str) -> String {
    let file = recipes().join(format!("{recipe}.toml"));
    between_stand_ins(&std::fs::read_to_string(file).unwrap())
}

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/recipes")
}

/// The names of all recipes that are shipped.
fn names() -> Vec<String> {
    let files = std::fs::read_dir(recipes()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let configs = paths.filter(|path| path.extension().is_some_and(|end| end == "toml"));
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<_> = configs.map(name).collect();
    names.sort_unstable();
    assert!(names.len() >= 4, "only {names:?} were found");
    names
}

#[test]
fn every_recipe_is_a_config_without_a_problem() {
    for name in names() {
        let file = format!("deploy/recipes/{name}.toml");
        let mut check = wxgate(&["check", "--config", &file]);
        check.env("SHOP_SECRET", SECRET);
        let Ended { code, out, err } = Process::run(check);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        assert_eq!(out, format!("{file}: ok\n"));
    }
}

#[test]
fn every_recipe_says_first_which_it_is() {
    for name in names() {
        let text = std::fs::read_to_string(recipes().join(format!("{name}.toml"))).unwrap();
        let first = format!("# wxgate: the recipe `{name}`.\n");
        assert!(text.starts_with(&first), "{name}");
    }
}

#[test]
fn the_table_of_recipes_has_every_one() {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| [`"));
    let listed: Vec<_> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, names());
    for name in listed {
        assert!(
            README.contains(&format!("[`{name}`]({name}.toml)")),
            "{name}"
        );
    }
}

#[test]
fn every_recipe_is_played() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/recipes");
    for name in names() {
        let file = tests.join(format!("{}.rs", name.replace('-', "_")));
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            text.contains("#[test]") && text.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
}
