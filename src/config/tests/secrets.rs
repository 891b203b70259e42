//! Secrets, fetched and not.

use super::{Directory, problems, surroundings};
use crate::config::{load, read};

fn app(secret: &str) -> String {
    format!("[apps.shop]\nappid = \"wx1\"\nsecret = {secret}\n")
}

#[test]
fn a_file_holds_a_secret_with_one_line_break_behind_it() {
    let directory = Directory::new("secret-file");
    for (content, secret) in [
        ("abc\n", "abc"),
        ("abc\r\n", "abc"),
        ("abc", "abc"),
        ("abc\n\n", "abc\n"),
    ] {
        let path = directory.file("secret", content);
        let text = app(&format!("{{ file = \"{}\" }}", path.display()));
        let plan = read("gateway.toml", &text, &surroundings()).unwrap();
        assert_eq!(plan.apps[0].secret.reveal(), secret);
    }
}

#[test]
fn a_relative_path_starts_where_the_config_lies() {
    let directory = Directory::new("relative");
    directory.file("secret", "abc");
    let file = directory.file("gateway.toml", app("{ file = \"secret\" }"));
    let plan = load(&file, &surroundings()).unwrap();
    assert_eq!(plan.apps[0].secret.reveal(), "abc");
}

#[test]
fn a_credential_lies_where_systemd_laid_it() {
    let directory = Directory::new("credential");
    directory.file("shop", "abc\n");
    let mut surroundings = surroundings();
    let place = directory.path().display().to_string();
    surroundings
        .variables
        .insert("CREDENTIALS_DIRECTORY".to_owned(), place.clone());
    let plan = read(
        "gateway.toml",
        &app("{ credential = \"shop\" }"),
        &surroundings,
    )
    .unwrap();
    assert_eq!(plan.apps[0].secret.reveal(), "abc");
    let absent = read(
        "gateway.toml",
        &app("{ credential = \"shp\" }"),
        &surroundings,
    );
    assert_eq!(
        absent.unwrap_err().to_string(),
        format!(
            "gateway.toml:3:25: cannot read `{place}/shp`: No such file or directory (os error 2)"
        )
    );
}

#[test]
fn a_secret_that_cannot_be_had_says_why() {
    let directory = Directory::new("no-secret");
    let empty = directory.file("empty", "\n").display().to_string();
    let cases = [
        (
            "\"hunter2\"",
            "3:10: a secret does not stand in the config, which many may read; write \
            { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }",
        ),
        (
            "{ env = \"UNSET\" }",
            "3:18: the environment variable `UNSET` is not set",
        ),
        (
            "{ env = \"EMPTY\" }",
            "3:18: the environment variable `EMPTY` is empty",
        ),
        (
            "{ file = \"/nowhere/x\" }",
            "3:19: cannot read `/nowhere/x`: No such file or directory (os error 2)",
        ),
        (
            &format!("{{ file = \"{empty}\" }}"),
            &format!("3:19: `{empty}` is empty"),
        ),
        (
            "{ credential = \"shop\" }",
            "3:25: there are no credentials; give the unit LoadCredential=shop:/path/of/the/secret",
        ),
        (
            "{ credential = \"../x\" }",
            "3:25: `../x` is no name of a credential; write the one that LoadCredential= has",
        ),
        (
            "{}",
            "3:10: a secret lies in exactly one place: `env`, `file` or `credential`",
        ),
        (
            "{ env = \"SHOP_SECRET\", file = \"x\" }",
            "3:10: a secret lies in exactly one place: `env`, `file` or `credential`",
        ),
        (
            "{ evn = \"SHOP_SECRET\" }",
            "3:12: unknown key `evn` in [apps.shop.secret]; \
            did you mean `env`? There are `env`, `file` and `credential`",
        ),
        ("7", "3:10: `secret` must be a table, not a whole number"),
    ];
    for (secret, problem) in cases {
        assert_eq!(problems(&app(secret)), [problem], "{secret}");
    }
}
