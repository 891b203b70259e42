//! A login to one of several apps: named by the request, proven by the code, or told by the route and the host.

use crate::harness::{APPID, Answer, Ask, GAME_APPID, World};

/// One login route of both apps, and one for each place alone.
const CHOICES: &str = r#"
[[routes]]
path = "/login"
action = "login"
app = ["shop", "game"]
app_from = ["header:X-App", "parameter:app", "referer"]

[[routes]]
path = "/by-referer"
action = "login"
app = ["game", "shop"]
app_from = "referer"

[[routes]]
path = "/shop/*"
upstream = "php"
app = "shop"

[[routes]]
path = "/game/*"
upstream = "php"
app = "game"
"#;

fn world() -> World {
    World::with_two_apps(CHOICES)
}

fn referer(appid: &str) -> String {
    format!("https://servicewechat.com/{appid}/7/page-frame.html")
}

/// A code that only WeChat's server of this app takes.
fn code(world: &World, appid: &str) -> String {
    world.wechat.issue_code_of(appid, "alice")
}

/// Holds that a login was one to the app that goes by this name, and to no other.
#[track_caller]
fn is_of(world: &World, answer: &Answer, name: &str) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let skey = answer.json()["skey"].as_str().unwrap().to_owned();
    let (other, appid) = match name {
        "shop" => ("game", APPID),
        _ => ("shop", GAME_APPID),
    };
    world.backend.forget();
    assert_eq!(world.get_as(&skey, &format!("/{name}/x")).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-AppId"), [appid]);
    let openid = world.wechat.openid_of(appid, "alice");
    assert_eq!(seen.values("X-OpenId"), [openid]);
    let elsewhere = world.get_as(&skey, &format!("/{other}/x"));
    elsewhere.refused(401, "session_invalid");
    assert_eq!(world.access_line(answer)["app"], name);
}

#[test]
fn each_place_names_an_app_by_its_name_or_its_appid() {
    let world = world();
    for (name, appid) in [("shop", APPID), ("game", GAME_APPID)] {
        let code = || code(&world, appid);
        let login = || Ask::post("/login").form(&[("code", &code())]);
        for text in [name, appid] {
            is_of(&world, &world.ask(&login().header("X-App", text)), name);
            let query = format!("/login?app={text}&js_code={}", code());
            is_of(&world, &world.get(&query), name);
            let fields = [("code", code()), ("app", text.to_owned())];
            let fields = fields.each_ref().map(|(name, value)| (*name, &**value));
            is_of(&world, &world.ask(&Ask::post("/login").form(&fields)), name);
            let object = serde_json::json!({"code": code(), "app": text});
            is_of(&world, &world.ask(&Ask::post("/login").json(&object)), name);
        }
        let answer = world.ask(&login().header("Referer", &referer(appid)));
        is_of(&world, &answer, name);
    }
}

#[test]
fn the_first_place_that_holds_anything_decides() {
    let world = world();
    let ask = |target: &str, appid: &str| {
        let code = code(&world, appid);
        Ask::post(target).form(&[("code", &code)])
    };
    let all = ask("/login?app=shop", GAME_APPID).header("Referer", &referer(APPID));
    is_of(
        &world,
        &world.ask(&all.header("X-App", "").header("X-App", "game")),
        "game",
    );
    let two = ask("/login?app=game", GAME_APPID).header("Referer", &referer(APPID));
    is_of(&world, &world.ask(&two.header("X-App", " ")), "game");
    let one = ask("/by-referer?app=game", APPID).header("X-App", "game");
    is_of(
        &world,
        &world.ask(&one.header("Referer", &referer(APPID))),
        "shop",
    );
    let wrong = ask("/login?app=shop", APPID).header("X-App", "cafe");
    world.ask(&wrong).refused(400, "bad_request");
}

#[test]
fn a_login_that_names_no_app_or_another_is_refused_without_a_call() {
    let world = world();
    let code = code(&world, APPID);
    let login = |target: &str| Ask::post(target).form(&[("code", &code)]);
    let named = "the app that the request names is none of the route's";
    let unnamed = "no configured place names an app";
    for (ask, reason) in [
        (login("/login"), unnamed),
        (login("/login?app="), unnamed),
        (
            login("/by-referer?app=shop").header("X-App", "shop"),
            unnamed,
        ),
        (
            login("/by-referer").header("Referer", "https://example.com/"),
            unnamed,
        ),
        (
            login("/by-referer").header("Referer", &format!("{}?", referer(APPID))),
            unnamed,
        ),
        (
            login("/by-referer").header("Referer", &referer("wx1")),
            named,
        ),
        (login("/login").header("X-App", "Shop"), named),
        (login("/login?app=%FF"), named),
        (login("/login").header("X-App", "é"), named),
    ] {
        let answer = world.ask(&ask).refused(400, "bad_request");
        assert_eq!(world.access_line(&answer)["reason"], reason, "{ask:?}");
    }
    assert_eq!(world.wechat.calls(), 0);
    assert_eq!(world.ask(&login("/login?app=shop")).status, 200);
}

#[test]
fn choosing_is_not_proving_a_code_of_another_app_is_none() {
    let world = world();
    let code = code(&world, APPID);
    let login = Ask::post("/by-referer").form(&[("code", &code)]);
    let forged = world.ask(&login.clone().header("Referer", &referer(GAME_APPID)));
    forged.refused(401, "login_code_invalid");
    assert_eq!(
        world.count(r#"wxgate_logins_total{app="game",outcome="login_code_invalid"}"#),
        1
    );
    let honest = world.ask(&login.header("Referer", &referer(APPID)));
    is_of(&world, &honest, "shop");
}

#[test]
fn what_is_no_login_is_refused_as_ever() {
    let world = world();
    world
        .get("/login?app=shop")
        .refused(400, "login_code_missing");
    let put = Ask::new("PUT", "/login?app=shop&code=c");
    world.ask(&put).refused(405, "method_not_allowed");
}

#[test]
fn apps_may_also_be_told_apart_by_path_or_by_host() {
    let routes = r#"
[[routes]]
path = "/login"
hosts = ["shop.example.com"]
action = "login"
app = "shop"

[[routes]]
path = "/login"
hosts = ["game.example.com"]
action = "login"
app = "game"

[[routes]]
path = "/shop/*"
upstream = "php"
app = "shop"

[[routes]]
path = "/game/*"
upstream = "php"
app = "game"
"#;
    let world = World::with_two_apps(routes);
    for (name, appid) in [("shop", APPID), ("game", GAME_APPID)] {
        let login = |target: &str| Ask::post(target).form(&[("code", &code(&world, appid))]);
        let host = format!("{name}.example.com");
        let by_host = login("/login").without("Host").header("Host", &host);
        is_of(&world, &world.ask(&by_host), name);
        let path = if name == "shop" {
            "/wx/login"
        } else {
            "/game/login"
        };
        is_of(&world, &world.ask(&login(path)), name);
    }
    let elsewhere = Ask::post("/login").form(&[("code", "c")]);
    world.ask(&elsewhere).refused(401, "session_missing");
}
