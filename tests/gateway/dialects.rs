//! The dialects beside other clients: what a backend is told, which word wins, and what README.md says of them.

use serde_json::{Value, json};
use wxgate::config::plan::{Action, Login, Plan};
use wxgate::config::{self, Surroundings};
use wxgate::domain::refusal::RefusalCode;
use wxgate::domain::template::Template;

use crate::harness::{Ask, BASE, SECRET, World};

const README: &str = include_str!("../../README.md");
const MAGIC: &str = "\"F2C224D4-2BCE-4C64-AF9F-A6D872000D1A\"";

/// A login, a check, and a route behind them, for the clients of a dialect.
fn routes(dialect: &str) -> String {
    format!(
        r#"
[[routes]]
path = "/{dialect}/login"
action = "login"
dialect = "{dialect}"

[[routes]]
path = "/{dialect}/check"
action = "check"
dialect = "{dialect}"

[[routes]]
path = "/{dialect}/*"
upstream = "php"
dialect = "{dialect}"
"#
    )
}

fn world() -> World {
    World::with(&(routes("wafer1") + &routes("wafer2")))
}

/// Logs alice in as a client of this dialect does, and gives the skey.
fn log_in(world: &World, dialect: &str) -> String {
    let code = world.wechat.issue_code("alice");
    let answer = world.ask(&Ask::get(&format!("/{dialect}/login")).header("X-WX-Code", &code));
    let member = if dialect == "wafer1" {
        "session"
    } else {
        "data"
    };
    let skey = answer.json()[member]["skey"].as_str().map(str::to_owned);
    skey.unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn no_backend_sees_what_clients_of_a_dialect_send_in_any_spelling_on_any_route() {
    let world = world();
    let skey = log_in(&world, "wafer1");
    for path in ["/wafer1/x", "/orders", "/open/x", "/maybe/x"] {
        let ask = Ask::get(path).header("X-WX-Skey", &skey);
        let ask = ask.header("x_wx_skey", &skey).header("X.WX.Skey", &skey);
        let ask = ask.header("X-WX-Id", "i").header("X_WX_ID", "i");
        assert_eq!(world.ask(&ask).status, 200);
        let seen = world.backend.only_seen();
        world.backend.forget();
        assert!(seen.values("X-WX-Skey").is_empty(), "{}", seen.head);
        assert!(seen.values("X-WX-Id").is_empty(), "{}", seen.head);
        let is_told = !seen.values("X-OpenId").is_empty();
        assert_eq!(is_told, path != "/open/x", "{}", seen.head);
    }
}

#[test]
fn clients_of_both_dialects_and_others_live_side_by_side() {
    let world = world();
    let own = world.skey_of("alice");
    for skey in [own, log_in(&world, "wafer1"), log_in(&world, "wafer2")] {
        for path in ["/wafer1/x", "/wafer2/x", "/orders"] {
            let answers = [
                world.ask(&Ask::get(path).header("X-WX-Skey", &skey)),
                world.get_as(&skey, path),
            ];
            assert!(answers.iter().all(|answer| answer.status == 200));
        }
    }
    world.get("/orders").refused(401, "session_missing");
    assert_eq!(world.get("/wafer2/x").json()["code"], -1);
}

#[test]
fn a_check_tells_a_lost_session_in_the_dialect_too() {
    let world = world();
    for (dialect, error) in [
        ("wafer1", "ERR_INVALID_SESSION"),
        ("wafer2", "ERR_SESSION_INVALID"),
    ] {
        let path = format!("/{dialect}/check");
        let skey = log_in(&world, dialect);
        let good = world.ask(&Ask::get(&path).header("X-WX-Skey", &skey));
        assert_eq!(good.json()["valid"], true);
        let lost = world.get(&path);
        assert_eq!((lost.status, &lost.json()["error"]), (200, &json!(error)));
    }
}

#[test]
fn a_route_wins_over_its_dialect_and_the_dialect_over_all_refusals() {
    let own = "refusals = { session_missing = { status = 418 } }";
    let all = "[refusals]\nsession_missing = { status = 499, body = 1 }\n\
        session_invalid = { status = 499, body = 1 }\nupstream_failed = { status = 499, body = 1 }";
    let world = World::with(&format!("{}{own}\n{all}", routes("wafer2")));
    let missing = world.get("/wafer2/x");
    assert_eq!((missing.status, &missing.json()["code"]), (418, &json!(-1)));
    let invalid = world.get_as("x", "/wafer2/x");
    assert_eq!((invalid.status, &invalid.json()["code"]), (200, &json!(-1)));
    let elsewhere = world.get("/orders");
    assert_eq!((elsewhere.status, elsewhere.json()), (499, json!(1)));
}

#[test]
fn the_readme_says_what_each_dialect_answers() {
    let (_, table) = README.split_once("| under HTTP 200 |").unwrap();
    let rows: Vec<Vec<_>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| {
            row.split('`')
                .filter(|cell| cell.starts_with('{'))
                .collect()
        })
        .collect();
    let written = |row: usize, column: usize| -> Value {
        serde_json::from_str(&rows[row][column].replace("MAGIC", MAGIC)).unwrap()
    };
    for (column, dialect) in ["wafer1", "wafer2"].into_iter().enumerate() {
        let plan = plan(&routes(dialect));
        let [login, _, behind] = plan.routes.last_chunk().unwrap();
        let Action::Login(Login { response, .. }) = &login.action else {
            panic!("{login:?}");
        };
        assert_eq!(shown(response.as_ref()), written(0, column));
        let refused = login.refusals.get(RefusalCode::LoginBlocked).unwrap();
        assert_eq!(shown(refused.body.as_ref()), written(1, column));
        let lost = behind.refusals.get(RefusalCode::SessionInvalid).unwrap();
        assert_eq!(shown(lost.body.as_ref()), written(2, column));
    }
}

fn plan(more: &str) -> Plan {
    let mut surroundings = Surroundings::of_process();
    let secret = ("SHOP_SECRET".to_owned(), SECRET.to_owned());
    surroundings.variables.extend([secret]);
    let config = BASE.replace("WECHAT", "http://127.0.0.1:1");
    let config = config.replace("BACKEND", "http://127.0.0.1:2");
    config::read("a.toml", &format!("{config}{more}"), &surroundings).unwrap()
}

/// A template with its placeholders as they are written.
fn shown(template: Option<&Template>) -> Value {
    template
        .unwrap()
        .fill(|place| format!("{{{}}}", place.name()).into())
}
