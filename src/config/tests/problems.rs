//! Configs that mean nothing, whatever their sections are for.

use super::{Directory, check, problems, surroundings};
use crate::config::load;

#[test]
fn all_problems_are_told_in_the_order_of_the_file() {
    let text = "\
[server]
listen = \"here\"
workers = 0
max_bdy = \"1MiB\"
idle_timeout = 75

[apps.shop]
appid = 'wx1
secret = { env = \"UNSET\" }
foo

[apps.cafe]
appid = \"wx2\"

[[routes]]
path = \"/用户/../*\"; action = \"login\"

[[routes]]
path = \"/*\"
upstream = \"php\"
max_body = \"1MB\"
";
    let expected = [
        "2:10: `here` is no address to listen on; write \"127.0.0.1:8080\", \"[::]:8080\", \
            \"unix:/run/wxgate/http.sock\" or \"systemd\"",
        "3:11: `workers` must be at least 1",
        "4:1: unknown key `max_bdy` in [server]; did you mean `max_body`? There are `listen`, \
            `workers`, `trusted_proxies`, `proxy_headers`, `max_connections`, `max_connections_per_address`, \
            `header_timeout`, `idle_timeout`, `websocket_idle`, \
            `max_header_bytes`, `max_body`, `drain_timeout`, `tls`, `hsts`, `redirect` and `h2c`",
        "5:16: `idle_timeout` must be a duration in quotes, such as \"90s\", not a whole number",
        "8:13: this is no TOML: invalid literal string, expected `'`",
        "9:18: the environment variable `UNSET` is not set",
        "10:4: this is no TOML: key with no value, expected `=`",
        "12:1: `secret` is missing in [apps.cafe]",
        "16:18: this is no TOML: unexpected key or value, expected newline, `#`",
        "20:12: `php` is no upstream; there is none",
        "21:12: `1MB` is no size; write a whole number with `B`, `KiB`, `MiB` or `GiB`, such as \"8MiB\"",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn a_line_that_cannot_be_read_hides_nothing_but_itself() {
    let unquoted = "this is no TOML: string values must be quoted, expected literal string";
    let bracket = "this is no TOML: missing comma between array elements, expected `,`";
    let lists = "[sessions]\ntoken = [\"bearer\"\ncapacity = 0\n[log]\nlevel = 3";
    let cases: [(&str, &[&str]); 10] = [
        ("x = ", &[&format!("1:5: {unquoted}")]),
        (
            "= 3\nlog = 3",
            &[
                "1:1: this is no TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`",
                "2:7: `log` must be a table, not a whole number",
            ],
        ),
        (
            "[server]\nlisten\nworkers = 0",
            &[
                "2:7: this is no TOML: key with no value, expected `=`",
                "3:11: `workers` must be at least 1",
            ],
        ),
        (
            "[server]\nlisten\n[log]\nformat = txt\nlevel = x",
            &[
                "2:7: this is no TOML: key with no value, expected `=`",
                "4:10: this is no TOML: invalid boolean, expected `true`",
                &format!("5:9: {unquoted}"),
            ],
        ),
        (
            "[server\nlisten = 3\n[log]\nlevel = 3",
            &[
                "1:8: this is no TOML: unclosed table, expected `]`",
                "4:9: `level` must be a string, not a whole number",
            ],
        ),
        (
            lists,
            &[
                &format!("3:1: {bracket}"),
                "3:12: `capacity` must be at least 1",
                "5:9: `level` must be a string, not a whole number",
            ],
        ),
        (
            "log = { level = \"x=\"\nserver = 3",
            &[
                "2:1: this is no TOML: missing comma between key-value pairs, expected `,`",
                "2:10: `server` must be a table, not a whole number",
            ],
        ),
        (
            "log.level = \"info\"\nlog.level = \"warn\"\nserver = 3",
            &[
                "2:5: this is no TOML: duplicate key",
                "3:10: `server` must be a table, not a whole number",
            ],
        ),
        (
            "log.level = \"用户\" x",
            &["1:18: this is no TOML: unexpected key or value, expected newline, `#`"],
        ),
        (
            "log = '''\n\n",
            &["3:1: this is no TOML: invalid multi-line literal string, expected `'`"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn what_may_stand_in_a_part_that_was_left_out_is_not_missed() {
    let header = "this is no TOML: unclosed table, expected `]`";
    let value = "this is no TOML: string values must be quoted, expected literal string";
    let app =
        "[apps.shop\nappid = \"wx1\"\n[[routes]]\npath = \"/\"\naction = \"check\"\napp = \"shop\"";
    let login = "[apps.shop\nappid = \"wx1\"\n[[routes]]\npath = \"/\"\naction = \"login\"";
    check(&[
        (app, &format!("1:11: {header}")),
        (login, &format!("1:11: {header}")),
        (
            "[[routes]]\nupstream = \"php\"\npath =\n[upstreams.php]\nservers = [\"http://p\"]",
            &format!("3:7: {value}"),
        ),
        (
            "[[routes]]\npath = \"/\"\naction =\n[log]",
            &format!("3:9: {value}"),
        ),
    ]);
}

#[test]
fn a_config_that_is_no_text_is_one_problem() {
    let directory = Directory::new("no-text");
    let absent = directory.path().join("absent.toml");
    let gbk = directory.file("gbk.toml", b"a = 1\n# \xe7\x94\xa8 \xd3\xc3\n");
    let said = |file| load(file, &surroundings()).unwrap_err().to_string();
    assert_eq!(
        said(&absent),
        format!(
            "{}: cannot be read: No such file or directory (os error 2)",
            absent.display()
        )
    );
    assert_eq!(
        said(&gbk),
        format!(
            "{}:2:5: this is not UTF-8; save the file in that encoding",
            gbk.display()
        )
    );
}

#[test]
fn a_problem_stays_in_one_line() {
    let text = "log.level = \"a\\nb\"";
    let said = problems(text);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("1:13: `a\\nb` is no level; write"),
        "{}",
        said[0]
    );
}

#[test]
fn a_value_of_a_wrong_type_is_told_the_right_one() {
    check(&[
        (
            "server = 1",
            "1:10: `server` must be a table, not a whole number",
        ),
        (
            "routes = 1.0",
            "1:10: `routes` must be a list of tables; write [[routes]] above each",
        ),
        (
            "[routes]",
            "1:1: `routes` must be a list of tables; write [[routes]] above each",
        ),
        (
            "routes = [true]",
            "1:11: `routes` must be a table, not a boolean",
        ),
        (
            "apps.a = 1",
            "1:10: `a` must be a table, not a whole number",
        ),
        (
            "log.level = 07:32:00",
            "1:13: `level` must be a string, not a date or a time",
        ),
        (
            "log.level = []",
            "1:13: `level` must be a string, not a list",
        ),
        (
            "log.level = {}",
            "1:13: `level` must be a string, not a table",
        ),
        (
            "server.listen = 1",
            "1:17: a place to listen must be a string, or { address = \"127.0.0.1:8080\", \
             proxy_protocol = true }",
        ),
        (
            "server.listen = [1]",
            "1:18: a place to listen must be a string, or { address = \"127.0.0.1:8080\", \
             proxy_protocol = true }",
        ),
        (
            "server.listen = []",
            "1:17: `listen` is empty; name at least one",
        ),
        (
            "sessions.token = \"bearer\"",
            "1:18: `token` must be a list of strings, not a string",
        ),
        (
            "sessions.token = []",
            "1:18: `token` is empty; name at least one",
        ),
        (
            "server.workers = \"2\"",
            "1:18: `workers` must be a whole number, not a string",
        ),
        ("server.workers = -1", "1:18: `workers` must be at least 1"),
        (
            "server.max_connections = 0",
            "1:26: `max_connections` must be at least 1",
        ),
        (
            "sessions.capacity = 0",
            "1:21: `capacity` must be at least 1",
        ),
        (
            "sessions.rotate_grace = \"500ms\"",
            "1:25: `500ms` is no grace for a rotated skey; write \"1s\" to \"1h\"",
        ),
        (
            "sessions.rotate_grace = \"61m\"",
            "1:25: `61m` is no grace for a rotated skey; write \"1s\" to \"1h\"",
        ),
        (
            "sessions.max_sessions_per_user = 0",
            "1:34: `max_sessions_per_user` must be at least 1",
        ),
        (
            "server.workers = 99999999999999999999",
            "1:18: `workers` does not fit into 64 bits; write a smaller number",
        ),
        (
            "server.max_body = 10",
            "1:19: `max_body` must be a size in quotes, such as \"8MiB\", not a whole number",
        ),
    ]);
}

#[test]
fn unknown_and_missing_keys_are_told_with_their_table() {
    check(&[
        (
            "[sever]",
            "1:2: unknown key `sever` in the file; did you mean `server`? There are `server`, \
            `limits`, `admin`, `wechat`, `apps`, `sessions`, `identity`, `upstreams`, `routes`, `refusals` and `log`",
        ),
        (
            "\n  [log]\n  colour = true",
            "3:3: unknown key `colour` in [log]; there are `format` and `level`",
        ),
        (
            "apps.a.secret = { env = \"SHOP_SECRET\" }",
            "1:6: `appid` is missing in [apps.a]",
        ),
        (
            "[apps.a]\nappid = \"wx1\"",
            "1:1: `secret` is missing in [apps.a]",
        ),
        (
            "\n[upstreams.a]",
            "2:1: `servers` is missing in [upstreams.a]",
        ),
    ]);
    assert_eq!(
        problems("[server]\ntls = {}"),
        [
            "2:7: `cert` is missing in [server.tls]",
            "2:7: `key` is missing in [server.tls]",
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_part_that_is_cut_out_of_a_config_makes_it_unreadable(cut in 0..4000_usize, len in 1..80_usize) {
        let example = include_str!("../../../gateway.toml");
        let chars = example.chars();
        let text: String = chars.clone().take(cut).chain(chars.skip(cut + len)).collect();
        if let Err(problems) = crate::config::read("gateway.toml", &text, &surroundings()) {
            let lines = text.lines().count() + 1;
            for problem in problems.to_string().lines() {
                let line: usize = problem.split(':').nth(1).unwrap().parse().unwrap();
                proptest::prop_assert!((1..=lines).contains(&line), "{}", problem);
            }
        }
    }
}
