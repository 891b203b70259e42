//! Sections that mean nothing, and what is said of them.

use super::{check, problems};

#[test]
fn a_server_section_that_makes_no_sense_says_why() {
    let listen = "is no address to listen on; write \"127.0.0.1:8080\", \"[::]:8080\", \
        \"unix:/run/wxgate/http.sock\" or \"systemd\"";
    for text in [
        "",
        ":80",
        "localhost:80",
        "127.0.0.1",
        "unix:x",
        "unix:",
        "Systemd",
    ] {
        let said = problems(&format!("server.listen = [\"systemd\", \"{text}\"]"));
        assert_eq!(said, [format!("1:29: `{text}` {listen}")]);
    }
    check(&[
        (
            "server.trusted_proxies = [\"10.0.0.0/33\"]",
            "1:27: `10.0.0.0/33` is no network; write \"10.0.0.0/8\", or one address such as \"10.1.2.3\"",
        ),
        (
            "server.proxy_headers = \"Forwarded\"",
            "1:24: `Forwarded` is no form of proxy headers; did you mean `forwarded`? There are `x-forwarded` and `forwarded`",
        ),
        (
            "server.max_header_bytes = \"1KiB\"",
            "1:27: `1KiB` is no room for a request head; write \"4KiB\" to \"256KiB\"",
        ),
        (
            "server.max_header_bytes = \"1MiB\"",
            "1:27: `1MiB` is no room for a request head; write \"4KiB\" to \"256KiB\"",
        ),
        (
            "server.max_body = \"10MB\"",
            "1:19: `10MB` is no size; write a whole number with `B`, `KiB`, \
            `MiB` or `GiB`, such as \"8MiB\"",
        ),
        (
            "server.idle_timeout = \"0s\"",
            "1:23: `0s` is no time at all; write one above zero, such as \"10s\"",
        ),
        (
            "server.hsts = \"1d\"",
            "1:15: `hsts` says that clients are to come under TLS; give `tls` as well",
        ),
        (
            "server.redirect = [\"0.0.0.0:80\"]",
            "1:19: `redirect` says that clients are to come under TLS; give `tls` as well",
        ),
        (
            "server.listen = { address = \"127.0.0.1:80\", proxy_protocol = true }",
            "1:29: `proxy_protocol` is believed of `trusted_proxies` alone, and there are none; \
             name those that connect here",
        ),
        (
            "server.listen = [{ proxy_protocol = true }]",
            "1:18: `address` is missing in [server.listen]",
        ),
        (
            "server.listen = { address = \"127.0.0.1:80\", proxy-protocol = true }",
            "1:45: unknown key `proxy-protocol` in [server.listen]; did you mean `proxy_protocol`? \
             There are `address` and `proxy_protocol`",
        ),
        (
            "server.header_timeout = \"5 s\"",
            "1:25: `5 s` is no duration; write a whole number with `ms`, \
            `s`, `m`, `h` or `d`, such as \"90s\"",
        ),
        (
            "server.drain_timeout = \"4000d\"",
            "1:24: `4000d` is too long; write at most \"3650d\"",
        ),
    ]);
}

#[test]
fn an_admin_listener_is_never_a_public_one() {
    let public = "is public, because [server] listens on it; give [admin] a port of its own";
    let address = "is no address to listen on; write \"127.0.0.1:9090\" or \"[::1]:9090\"";
    check(&[
        (
            "[admin]\nlisten = \"127.0.0.1:8080\"",
            &format!("2:10: `127.0.0.1:8080` {public}"),
        ),
        (
            "[admin]\nlisten = \"0.0.0.0:8080\"",
            &format!("2:10: `0.0.0.0:8080` {public}"),
        ),
        (
            "server.listen = \"[::]:9090\"\n[admin]",
            &format!("2:1: `127.0.0.1:9090` {public}"),
        ),
        (
            "[admin]\nlisten = \"localhost:90\"",
            &format!("2:10: `localhost:90` {address}"),
        ),
        (
            "[admin]\nlisten = \"systemd\"",
            &format!("2:10: `systemd` {address}"),
        ),
    ]);
}

#[test]
fn wechat_is_a_url_and_hears_no_secret_in_clear() {
    let clear = "would send the app secret in clear; use https, except on this machine";
    check(&[
        (
            "wechat.base_url = \"http://api.weixin.qq.com\"",
            &format!("1:19: `http://api.weixin.qq.com` {clear}"),
        ),
        (
            "wechat.base_url = \"http://127.0.0.1.example.org\"",
            &format!("1:19: `http://127.0.0.1.example.org` {clear}"),
        ),
        (
            "wechat.open_data_max_age = \"5\"",
            "1:28: `5` is no duration; write a whole number with `ms`, `s`, `m`, `h` or `d`, such as \"90s\"",
        ),
        (
            "wechat.deadline = \"0s\"",
            "1:19: `0s` is no time at all; write one above zero, such as \"10s\"",
        ),
    ]);
    for text in [
        "",
        "ftp://x",
        "api.weixin.qq.com",
        "https://",
        "https://u@x",
        "https://x?q",
        "https://x#f",
        "/x",
    ] {
        let said = problems(&format!("wechat.base_url = \"{text}\""));
        let url = "is no URL to call; write \"https://api.weixin.qq.com\"";
        assert_eq!(said, [format!("1:19: `{text}` {url}")]);
    }
}

#[test]
fn sessions_that_make_no_sense_say_why() {
    let unit =
        "is no duration; write a whole number with `ms`, `s`, `m`, `h` or `d`, such as \"90s\"";
    check(&[
        (
            "sessions.store = \"mem\"",
            "1:18: `store` is no place for sessions; write store = \"memory\" or store = { redis = \"redis://127.0.0.1:6379/0\" }",
        ),
        (
            "sessions = { lifetime = \"1d\", idle = \"2d\" }",
            "1:38: `2d` exceeds `lifetime`, which is \"1d\"; write at most that",
        ),
        (
            "sessions.idle = \"8d\"",
            "1:17: `8d` exceeds `lifetime`, which is \"7d\"; write at most that",
        ),
        (
            "sessions = { lifetime = \"7\", idle = \"9d\" }",
            &format!("1:25: `7` {unit}"),
        ),
        (
            "sessions.login_replay = \"x\"",
            &format!("1:25: `x` {unit}"),
        ),
        (
            "sessions.token = [\"body:x\"]",
            "1:19: `body:x` is no place for a token; there are \
            \"header:NAME\", \"bearer\", \"query:NAME\", \"cookie:NAME\", \"form:NAME\", \"json:NAME\" and \"subprotocol:PREFIX\"",
        ),
        (
            "sessions.token = [\"header:Authorization\", \"header:Host\"]",
            "1:43: `host` is a header that HTTP or wxgate itself needs; use another, such as \"X-Skey\"",
        ),
    ]);
}

#[test]
fn every_identity_header_has_a_name_of_its_own() {
    check(&[
        (
            "identity.openid = \"X Y\"",
            "1:19: `X Y` is no header name; write one such as \"X-OpenId\", or \"\" for none",
        ),
        (
            "identity = { openid = \"X-User\", unionid = \"x_user\" }",
            "1:43: `x_user` would stand for both `openid` and `unionid`; rename one of them",
        ),
        (
            "identity.openid = \"X-AppId\"",
            "1:19: `x-appid` would stand for both `openid` and `appid`; rename one of them",
        ),
        (
            "identity.openid = \"X.Skey\"",
            "1:19: `x.skey` would stand for both the token and `openid`; rename one of them",
        ),
        (
            "sessions.token = [\"bearer\", \"header:X-OpenId\"]",
            "1:29: `x-openid` would stand for both the token and `openid`; rename one of them",
        ),
    ]);
    let needed = "is a header that HTTP or wxgate itself needs; use another, such as \"X-OpenId\"";
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "cookie",
        "Authorization",
        "X-Forwarded-For",
        "X_Forwarded.User",
        "X-Request-Id",
        "X-Real-IP",
        "Proxy",
        "Sec-WebSocket-Key",
    ] {
        let said = problems(&format!("identity.appid = \"{name}\""));
        assert_eq!(said, [format!("1:18: `{name}` {needed}")]);
    }
}

#[test]
fn a_preset_names_all_identity_headers_or_none() {
    check(&[
        (
            "identity.identity_preset = \"cloud-run\"",
            "1:28: `cloud-run` is no preset; did you mean `cloudrun`? There is only `cloudrun`",
        ),
        (
            "[identity]\nunionid = \"\"\nidentity_preset = \"cloudrun\"",
            "2:11: `unionid` has its name from `identity_preset`; remove one of them",
        ),
        (
            "sessions.token = [\"header:X_WX_OPENID\"]\nidentity.identity_preset = \"cloudrun\"",
            "2:28: `x-wx-openid` would stand for both the token and `identity_preset`; rename one of them",
        ),
    ]);
    let both = "[identity]\nidentity_preset = \"cloudrun\"\nappid = \"X-App\"\nopenid = \"X-User\"";
    assert_eq!(
        problems(both),
        [
            "3:9: `appid` has its name from `identity_preset`; remove one of them",
            "4:10: `openid` has its name from `identity_preset`; remove one of them",
        ]
    );
}

#[test]
fn an_app_has_an_appid() {
    check(&[(
        "apps.a = { appid = \"w x\", secret = { env = \"SHOP_SECRET\" } }",
        "1:20: `w x` is no appid; write the one that WeChat shows, such as \"wx0123456789abcdef\"",
    )]);
}

#[test]
fn a_refusal_is_one_of_the_table() {
    let finite = "write a finite number";
    check(&[
        (
            "refusals.session_missing = {}",
            "1:28: this changes nothing; give the refusal a `status`, a `body` or both",
        ),
        (
            "refusals.session_missing.status = 199",
            "1:35: `199` is no status of an answer; write one from 200 to 599",
        ),
        (
            "refusals.session_missing.status = 600",
            "1:35: `600` is no status of an answer; write one from 200 to 599",
        ),
        (
            "refusals.bad_request.body = nan",
            &format!("1:29: JSON has no `nan`; {finite}"),
        ),
        (
            "refusals.bad_request.body = [[-inf]]",
            &format!("1:31: JSON has no `-inf`; {finite}"),
        ),
        (
            "refusals.bad_request.body = { a = 99999999999999999999 }",
            "1:35: `99999999999999999999` is too large; write a number that fits into 64 bits",
        ),
    ]);
    assert_eq!(
        problems("refusals.bad_request.body = { a = \"{skey}\", b = [\"x{openid}\"] }"),
        [
            "1:35: {skey} is not filled in here; there are {code} {message} {request_id} {null}",
            "1:50: {openid} is not filled in here; there are {code} {message} {request_id} {null}",
        ]
    );
    let said = problems("refusals.session_invlid.status = 200");
    let start = "1:10: `session_invlid` is no refusal; did you mean `session_invalid`? There are \
        `session_missing`, `session_invalid`, `session_replaced`, `login_code_missing`";
    assert!(
        said[0].starts_with(start) && said[0].ends_with("and `overloaded`"),
        "{}",
        said[0]
    );
}

#[test]
fn a_log_has_a_format_and_a_level() {
    check(&[(
        "log.format = \"jsn\"",
        "1:14: `jsn` is no format; did you mean `json`? There are `text` and `json`",
    )]);
    for text in ["", "inf", "wxgate", "a=b=c", "info,wxgate=loud"] {
        let said = problems(&format!("log.level = \"{text}\""));
        let level = "is no level; write \"error\", \"warn\", \"info\", \"debug\" or \"trace\", \
            or a filter such as \"info,wxgate=debug\"";
        assert_eq!(said, [format!("1:13: `{text}` {level}")]);
    }
}
