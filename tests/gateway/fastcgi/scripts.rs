//! Which script a client can have run, whatever it asks for.

use super::fpm::Fpm;
use crate::harness::{Ended, Process, SECRET, Scratch, World, wxgate};

/// What no client may have run.
const PLANTED: &str = "<?php echo 'PLANTED';";

/// A php-fpm that runs any file that it is told to, and files that are no scripts among its own.
fn careless() -> Fpm {
    let fpm = Fpm::with("security.limit_extensions =\nphp_admin_value[cgi.fix_pathinfo] = 1");
    fpm.file("index.php", "<?php echo 'index ', $_SERVER['PATH_INFO'];");
    fpm.file("api.php", "<?php echo 'api ', $_SERVER['PATH_INFO'];");
    fpm.file(
        "admin/users.php",
        "<?php echo 'users ', $_SERVER['PATH_INFO'];",
    );
    for planted in [
        "uploads/a.jpg",
        "uploads/shell.php",
        "uploads/.php",
        "a.txt",
        ".env.php",
        "admin/a.png",
    ] {
        fpm.file(planted, PLANTED);
    }
    std::fs::write(fpm.scratch.path().join("outside.php"), PLANTED).unwrap();
    fpm
}

/// Ways to files that must not run.
const ATTACKS: [&str; 20] = [
    "/open/../outside.php",
    "/uploads/a.jpg",
    "/uploads/a.jpg/x.php",
    "/uploads/a.jpg/.php",
    "/uploads/a.jpg%00.php",
    "/uploads/a.jpg%00/x.php",
    "/uploads/a.jpg%0A.php",
    "/uploads/a.jpg;.php",
    "/uploads/a.jpg%2Fx.php",
    "/uploads/a.jpg/%2e%2e/shell.php",
    "/uploads/a.jpg/x.php/y.php",
    "/uploads/.php",
    "/a.txt",
    "/a.txt/index.php",
    "/a.txt/api.php",
    "/.env.php",
    "/../outside.php",
    "/..%2Foutside.php",
    "/api.php/../../outside.php",
    "/admin/a.png/x.php",
];

#[test]
fn no_file_runs_that_is_not_among_the_scripts() {
    let fpm = careless();
    let open = |config: String| {
        config.replace(
            "path = \"/*\"\nupstream = \"php\"",
            "path = \"/*\"\nupstream = \"php\"\nauth = \"none\"",
        )
    };
    let all = "scripts = [\"*.php\"]";
    let some = "scripts = [\"api.php\", \"admin/*.php\"]";
    for (keys, is_shell_a_script) in [("", false), (some, false), (all, true)] {
        let world = World::of(&open(fpm.config(&fpm.root(), keys)));
        for target in ATTACKS {
            let answer = world.get(target);
            assert!(
                !answer.text().contains("PLANTED"),
                "{target} under {keys:?}: {answer:?}"
            );
        }
        // Whoever lets all scripts run lets all of them run.
        let shell = world.get("/uploads/shell.php").text();
        assert_eq!(shell == "PLANTED", is_shell_a_script, "{keys:?}: {shell}");
    }
}

#[test]
fn a_script_runs_under_its_own_path_and_is_told_the_rest() {
    let fpm = careless();
    let world = World::of(&fpm.config(&fpm.root(), "scripts = [\"api.php\", \"admin/*.php\"]"));
    let skey = world.skey_of("alice");
    for (target, told) in [
        ("/", "index /"),
        ("/orders/1?a=/api.php", "index /orders/1"),
        ("/api.php", "api "),
        ("/api.php/v1/%E5%95%86", "api /v1/商"),
        ("/admin/users.php/7", "users /7"),
        ("/admin/", "index /admin/"),
        ("/uploads/shell.php", "index /uploads/shell.php"),
    ] {
        let answer = world.get_as(&skey, target);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, told),
            "{target}"
        );
    }
}

#[test]
fn the_path_is_the_one_that_the_route_makes_of_it() {
    let fpm = careless();
    let config = fpm.config(&fpm.root(), "scripts = [\"api.php\"]");
    let route = "path = \"/open/*\"\nstrip_prefix = \"/open\"";
    let world = World::of(&config.replace("path = \"/open/*\"", route));
    assert_eq!(world.get("/open/api.php/v1").text(), "api /v1");
    assert_eq!(world.get("/open/x").text(), "index /x");
}

#[test]
fn the_script_in_front_is_no_way_around_a_guard() {
    let fpm = careless();
    let route = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\nauth = \"none\"\n\n\
                 [[routes]]\npath = \"/admin/*\"\nupstream = \"php\"";
    let config = |keys: &str| {
        let config = fpm.config(&fpm.root(), keys);
        config.replace("[[routes]]\npath = \"/*\"\nupstream = \"php\"", route)
    };
    let world = World::of(&config(""));
    world.get("/admin/x").refused(401, "session_missing");
    for target in [
        "/index.php/admin/x",
        "/index.php",
        "/x/index.php/admin/x",
        "/index%2Ephp/admin/x",
    ] {
        let answer = world.get(target).refused(404, "route_not_found");
        let reason = world.access_line(&answer)["reason"].clone();
        assert_eq!(
            reason,
            "the path has the name of the script in front, which is not among `scripts`"
        );
    }
    // Whoever lets it be named guards its paths, too.
    let world = World::of(&config("scripts = [\"index.php\"]"));
    assert_eq!(world.get("/index.php/admin/x").text(), "index /admin/x");
}

#[test]
fn explain_tells_script_root_and_environment() {
    let fpm = careless();
    let config = fpm.config(&fpm.root(), "scripts = [\"api.php\"]");
    let told = explained(&config, "/api.php/v1?a=b").out;
    let root = fpm.root().display().to_string();
    for line in [
        format!("script    api.php of {root}, with the path \"/v1\"\n"),
        format!("SCRIPT_FILENAME={root}/api.php\n"),
        "REQUEST_URI=/api.php/v1?a=b\n".to_owned(),
        "HTTP_X_OPENID=OPENID-OF-THE-SESSION\n".to_owned(),
    ] {
        assert!(told.contains(&line), "no {line} in {told}");
    }
    let refused = explained(&config, "/index.php/v1");
    let told = "refused   404 route_not_found: the path has the name of the script in front, which is not among `scripts`\n";
    assert_eq!(refused.out, told, "{refused:?}");
}

/// What `wxgate explain` says of a GET.
fn explained(config: &str, target: &str) -> Ended {
    let scratch = Scratch::new();
    let config = config.replace("WECHAT", "http://127.0.0.1:1");
    scratch.write("gateway.toml", &config);
    let mut command = wxgate(&["explain", "GET", target]);
    command
        .current_dir(scratch.path())
        .env("SHOP_SECRET", SECRET);
    Process::run(command)
}
