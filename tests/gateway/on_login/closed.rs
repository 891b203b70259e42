//! Nobody but wxgate reaches the path, and nobody but the backend says who a user is.

use serde_json::json;

use super::{NAMES, PATH, calls, config, saying, skey, told, world_saying};
use crate::harness::{Ask, BASE, Backend, World};

/// Every spelling that some backend folds to this name.
fn spellings(name: &str) -> [String; 5] {
    [
        name.to_owned(),
        name.to_lowercase(),
        name.to_uppercase(),
        name.replace('-', "_"),
        name.replace('-', "."),
    ]
}

/// A request with forged headers of every managed name that concerns logins.
fn forged(target: &str) -> Ask {
    let names = NAMES.into_iter().chain(["X-Wxgate-Event"]);
    names
        .flat_map(spellings)
        .fold(Ask::get(target), |ask, name| ask.header(&name, "forged"))
}

#[test]
fn no_client_passes_for_wxgate_or_for_a_user_on_any_route() {
    let world = world_saying(&json!({"user_id": 7, "claims": {"role": "vip"}}));
    let skey = world.skey_of("alice");
    let asks = [
        (forged("/mine").skey(&skey), true),
        (forged("/maybe/x").skey(&skey), true),
        (forged("/maybe/x"), false),
        (forged("/open/x").skey(&skey), false),
        (forged("/open/x"), false),
    ];
    for (ask, is_known) in asks {
        world.backend.forget();
        assert_eq!(world.ask(&ask).text(), "seen");
        let seen = world.backend.only_seen();
        assert!(!seen.head.contains("forged"), "{}", seen.head);
        let (id, role) = if is_known {
            (&["7"][..], &["vip"][..])
        } else {
            (&[][..], &[][..])
        };
        assert_eq!(seen.values("X-User-Id"), id, "{}", seen.head);
        assert_eq!(seen.values("X-User-Role"), role, "{}", seen.head);
        assert_eq!(seen.values("X-User-Level"), [""; 0], "{}", seen.head);
        assert_eq!(seen.values("X-Wxgate-Event"), [""; 0], "{}", seen.head);
    }
}

#[test]
fn without_any_on_login_the_same_names_are_wxgates_own() {
    let world = World::new();
    let skey = world.skey_of("alice");
    for (ask, own) in [(forged("/mine").skey(&skey), 1), (forged("/open/x"), 0)] {
        world.backend.forget();
        assert_eq!(world.ask(&ask).text(), "seen");
        let seen = world.backend.only_seen();
        for name in ["X-User-Id", "X-Wxgate-Event"] {
            assert_eq!(seen.values(name), [""; 0], "{}", seen.head);
        }
        assert_eq!(seen.values("X-OpenId").len(), own);
        // These are the client's own where no claim has their name.
        assert_eq!(seen.values("X-User-Role").len(), 5, "{}", seen.head);
    }
}

#[test]
fn a_renamed_user_id_has_its_new_name_and_the_usual_one_is_nobodys() {
    let renamed = format!("[identity]\nuser_id = \"X-Uid\"\n{}", super::CLAIMS);
    let config = config("").replace(super::CLAIMS, &renamed);
    let world = World::around(&config, saying("200 OK", r#"{"user_id":"u7"}"#));
    let skey = world.skey_of("alice");
    world.backend.forget();
    world.ask(&forged("/mine").skey(&skey).header("x_uid", "forged"));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Uid"), ["u7"]);
    assert_eq!(seen.values("X-User-Id"), [""; 0]);
}

#[test]
fn a_user_id_that_is_turned_off_is_told_to_the_client_alone() {
    let off = format!("[identity]\nuser_id = \"\"\n{}", super::CLAIMS);
    let config = config("").replace(super::CLAIMS, &off);
    let world = World::around(&config, saying("200 OK", r#"{"user_id":"u7"}"#));
    let login = world.login("alice");
    assert_eq!(login.json()["user"], "u7");
    assert_eq!(told(&world, &skey(&login), NAMES), [[""; 0]; 3]);
}

#[test]
fn no_answer_of_a_backend_tells_a_client_of_them() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 204 No Content\r\nX-User-Id: 7\r\nx_user_role: vip\r\nX-Wxgate-Event: login\r\nX-Kept: k\r\n\r\n",
            );
        }
    });
    let world = World::around(&config(""), backend);
    let answer = world.get_as(&world.skey_of("alice"), "/mine");
    assert_eq!(answer.header("x-kept"), Some("k"));
    for name in ["x-user-id", "x_user_role", "x-wxgate-event"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
}

#[test]
fn its_path_is_nothing_to_clients_however_they_spell_it() {
    let world = world_saying(&json!({}));
    let skey = world.skey_of("alice");
    world.backend.forget();
    let paths = [
        PATH,
        "/internal/wx-login/",
        "/internal/wx-login/deeper",
        "/internal/wx-login?a=b",
        "/internal/wx%2Dlogin",
        "/%69nternal/%77x-login",
        "/Internal/WX-Login",
        "/internal/wx-login;v=1",
        "/internal;v=1/wx-login",
        "/internal/wx-login%3Bv=1/a",
    ];
    for path in paths {
        for method in ["GET", "POST", "OPTIONS"] {
            let ask = Ask::new(method, path).header("X-Wxgate-Event", "login");
            let answer = world
                .ask(&ask.clone().skey(&skey))
                .refused(404, "route_not_found");
            let line = world.access_line(&answer);
            assert_eq!(
                line["reason"],
                "only wxgate itself calls this path, for on_login"
            );
            world.ask(&ask).refused(404, "route_not_found");
        }
    }
    for path in [
        "/internal//wx-login",
        "/internal/x/../wx-login",
        "/internal%2Fwx-login",
    ] {
        world
            .ask(&Ask::post(path).skey(&skey))
            .refused(400, "bad_request");
    }
    assert_eq!(world.backend.seen().len(), 0);
    assert_eq!(world.get_as(&skey, "/internal/wx-logins").text(), "seen");
    assert_eq!(world.get_as(&skey, "/internal").text(), "seen");
}

#[test]
fn a_path_beyond_ascii_is_called_and_closed_too() {
    let config = config("").replace(PATH, "/内部/登录");
    let world = World::around(&config, Backend::start());
    let encoded = "/%E5%86%85%E9%83%A8/%E7%99%BB%E5%BD%95";
    // The backend says `seen`, which is no JSON.
    world.login("alice").refused(502, "upstream_failed");
    assert_eq!(world.backend.only_seen().target, encoded);
    world
        .get(&encoded.to_lowercase())
        .refused(404, "route_not_found");
}

#[test]
fn each_app_tells_its_own_backend_of_its_own_users() {
    let login = "action = \"login\"";
    let told = |app: &str| {
        format!(
            "{login}\napp = \"{app}\"\non_login = {{ upstream = \"php\", path = \"/in/{app}\" }}"
        )
    };
    let game = format!(
        "[apps.game]\nappid = \"wxfedcba9876543210\"\nsecret = {{ env = \"SHOP_SECRET\" }}\n\
         [[routes]]\npath = \"/game/login\"\n{}",
        told("game")
    );
    let config = format!("{}\n{game}", BASE.replace(login, &told("shop")));
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            let of = seen.target.rsplit('/').next().unwrap().to_owned();
            conversation.answer("200 OK", format!(r#"{{"user_id":"{of}-7"}}"#).as_bytes());
        }
    });
    let world = World::around(&config, backend);
    world
        .wechat
        .register_app(crate::harness::GAME_APPID, crate::harness::SECRET);
    for (app, path) in [("shop", "/wx/login"), ("game", "/game/login")] {
        let code = world.wechat.issue_code("alice");
        let skey = skey(&world.ask(&Ask::post(path).form(&[("code", &code)])));
        let seen = world.backend.only_seen();
        assert_eq!(seen.target, format!("/in/{app}"));
        let told: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(
            (&told["app"], &told["first_seen_here"]),
            (&json!(app), &json!(true))
        );
        world.backend.forget();
        world.get_as(&skey, "/mine");
        assert_eq!(
            world.backend.only_seen().values("X-User-Id"),
            [format!("{app}-7")]
        );
        world.backend.forget();
        world
            .get_as(&skey, &format!("/in/{app}"))
            .refused(404, "route_not_found");
    }
    assert!(calls(&world).is_empty());
}
