//! Which script a client can have run, whatever it asks for.

use super::fpm::Fpm;
use crate::harness::World;

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
        ("/index.php/orders/1", "index /orders/1"),
        ("/index.php", "index "),
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
