//! `wxgate sessions`, run against a gateway that serves.

use serde_json::Value;

use crate::harness::{BASE, Ended, Process, SECRET, Scratch, World, wxgate};

/// What `wxgate sessions` with these arguments does, with the token in the environment.
fn run(world: &World, arguments: &[&str]) -> Ended {
    let admin = format!("http://{}", world.gateway().admin_address().unwrap());
    let mut command = wxgate(&["sessions", "--admin", &admin]);
    command.args(arguments).env("WXGATE_ADMIN_TOKEN", SECRET);
    Process::run(command)
}

#[track_caller]
fn told(world: &World, arguments: &[&str]) -> String {
    let ended = run(world, arguments);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (Some(0), ""),
        "{arguments:?}"
    );
    ended.out
}

#[track_caller]
fn fails(ended: &Ended, code: i32, why: &str) {
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (Some(code), ""),
        "{ended:?}"
    );
    assert!(ended.err.contains(why), "{}", ended.err);
    assert!(!ended.err.contains(SECRET), "{}", ended.err);
}

/// The ids of a printed page.
fn ids(page: &str) -> Vec<String> {
    let page: Value = serde_json::from_str(page).unwrap();
    let rows = page["sessions"].as_array().unwrap();
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}

#[test]
fn sessions_are_listed_for_people_and_for_scripts() {
    let world = World::operated("");
    assert_eq!(told(&world, &["list"]), "no sessions\n");
    world.skey_of("alice");
    world.skey_of("bob");
    let alice = world.openid_of("alice");
    let table = told(&world, &["list", "--app", "shop", "--openid", &alice]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(
        lines[0].starts_with("ID ") && lines[1].contains(&alice),
        "{table}"
    );
    let first = told(&world, &["list", "--limit", "1", "--json"]);
    let page: Value = serde_json::from_str(&first).unwrap();
    let cursor = page["next"].as_str().unwrap();
    let second = told(&world, &["list", "--cursor", cursor, "--json"]);
    let both = [ids(&first), ids(&second)].concat();
    let mut all = ids(&told(&world, &["list", "--json"]));
    all.sort();
    assert_eq!(both, all);
    assert!(told(&world, &["list", "--limit", "1"]).contains("there are more: --cursor "));
    let shown = told(&world, &["show", &all[0]]);
    assert!(
        shown.starts_with(&format!("id         {}\n", all[0])),
        "{shown}"
    );
}

#[test]
fn sessions_end_one_by_one_by_user_and_by_app() {
    let world = World::operated("");
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    let (openid, carol) = (world.openid_of("bob"), world.skey_of("carol"));
    let alices = world.openid_of("alice");
    let [id] = ids(&told(
        &world,
        &["list", "--app", "shop", "--openid", &alices, "--json"],
    ))
    .try_into()
    .unwrap();
    assert_eq!(told(&world, &["revoke", &id]), "1 session was ended\n");
    world
        .get_as(&alice, "/mine")
        .refused(401, "session_invalid");
    fails(&run(&world, &["revoke", &id]), 3, "no session has the id");
    fails(&run(&world, &["show", &id]), 3, "no session has the id");
    let of_bob = ["revoke", "--app", "shop", "--openid", &openid];
    assert_eq!(told(&world, &of_bob), "1 session was ended\n");
    world.get_as(&bob, "/mine").refused(401, "session_invalid");
    assert_eq!(told(&world, &of_bob), "0 sessions were ended\n");
    fails(&run(&world, &["revoke", "--app", "shop"]), 1, "say --yes");
    assert_eq!(world.get_as(&carol, "/mine").status, 200);
    let all = ["revoke", "--app", "shop", "--yes", "--json"];
    assert_eq!(told(&world, &all), "{\"revoked\":1}\n");
    world
        .get_as(&carol, "/mine")
        .refused(401, "session_invalid");
}

#[test]
fn what_cannot_be_done_is_told_with_what_would_help() {
    let world = World::operated("");
    let admin = world.gateway().admin_address().unwrap();
    fails(
        &run(&world, &["list", "--limit", "0"]),
        1,
        "`limit` is a number from 1 to 1000",
    );
    fails(
        &run(&world, &["list", "--app", "toys"]),
        1,
        "`app` is the name",
    );
    fails(
        &run(&world, &["show", "x"]),
        1,
        "an id is 32 hexadecimal digits",
    );
    fails(
        &run(&world, &["show", "../../livez"]),
        1,
        "an id is 32 hexadecimal digits",
    );
    for wrong in [
        &["list", "--openid", "o"][..],
        &["revoke"],
        &["revoke", "x", "--app", "y"],
        &[],
    ] {
        assert_eq!(run(&world, wrong).code, Some(2), "{wrong:?}");
    }
    let with = |url: &str, token: &str| {
        let mut command = wxgate(&["sessions", "list", "--admin", url]);
        command.env("WXGATE_ADMIN_TOKEN", token);
        Process::run(command)
    };
    fails(
        &with(&format!("http://{admin}"), "wrong"),
        1,
        "does not take this token",
    );
    fails(
        &with("127.0.0.1:9090", SECRET),
        1,
        "write it as http://127.0.0.1:9090",
    );
    fails(
        &with("file:///etc/passwd", SECRET),
        1,
        "is no address of a listener",
    );
    let public = format!("http://{}", world.address());
    fails(&with(&public, SECRET), 1, "the gateway refuses that (401)");
    drop(world);
    fails(
        &with(&format!("http://{admin}"), SECRET),
        1,
        "is wxgate running",
    );
    let without = World::new();
    fails(&run(&without, &["list"]), 1, "give its [admin] a `token`");
}

#[test]
fn the_config_says_where_to_ask_and_with_which_token_and_nothing_else_of_it_is_needed() {
    let world = World::operated("");
    world.skey_of("alice");
    let address = world.gateway().admin_address().unwrap();
    let scratch = Scratch::new();
    let listen = format!("[admin]\nlisten = \"{address}\"\ntoken = {{ env = \"OPERATOR\" }}\n");
    let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"\n", &listen);
    scratch.write("gateway.toml", &config);
    scratch.write(
        "bare.toml",
        &BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"\n", ""),
    );
    scratch.write("any.toml", BASE);
    let list = |file: &str, variable: &str| {
        let mut command = wxgate(&["sessions", "list", "--json", "--config", file]);
        command.current_dir(scratch.path()).env(variable, SECRET);
        Process::run(command)
    };
    let ended = list("gateway.toml", "OPERATOR");
    assert_eq!(
        (ended.code, ids(&ended.out).len()),
        (Some(0), 1),
        "{ended:?}"
    );
    assert_eq!(list("gateway.toml", "WXGATE_ADMIN_TOKEN").code, Some(0));
    let unset = "the environment variable `OPERATOR` is not set";
    fails(&list("gateway.toml", "OTHER"), 1, unset);
    fails(
        &list("bare.toml", "WXGATE_ADMIN_TOKEN"),
        1,
        "has no [admin]",
    );
    fails(
        &list("any.toml", "WXGATE_ADMIN_TOKEN"),
        1,
        "a port that the system chooses",
    );
    fails(
        &list("any.toml", "OTHER"),
        1,
        "a port that the system chooses",
    );
    fails(&list("none.toml", "OTHER"), 1, "none.toml");
}
